// Randomness that a seed repeats: every decision of a campaign is drawn from a dice named after what it decides, so that the
// order in which things happen to run changes none of them.

/** A dice of its own for the given words: `dice(7, 'request', 12)` always rolls the same. */
export function dice(...words) {
  let state = hash(words.join('\0'));
  /** In [0, 1): mulberry32. */
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (least, most) => least + Math.floor(next() * (most - least + 1));
  const pick = (list) => list[int(0, list.length - 1)];
  return {
    int,
    pick,
    chance: (p) => next() < p,
    /** `[[weight, value], ...]` */
    weighted(pairs) {
      let left = next() * pairs.reduce((sum, [weight]) => sum + weight, 0);
      return (pairs.find(([weight]) => (left -= weight) < 0) ?? pairs.at(-1))[1];
    },
  };
}

/** FNV-1a, then mixed: near seeds give far numbers. */
function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
