// A line chart as SVG, readable on a light page and on a dark one. Lines are named at their ends, so that no legend is needed.
const [WIDTH, HEIGHT] = [720, 380];
const AREA = { left: 64, right: 520, top: 64, bottom: 318 };
const COLOURS = ['#2f6fde', '#c2571a', '#2b8a57', '#8a4fbf', '#a8862a'];

export function plot({ title, x, y, lines, limit, mark, note = '' }) {
  const all = lines.flatMap((line) => line.points);
  const across = scale(all.map(([value]) => value), x, AREA.left, AREA.right);
  const up = scale([...all.map(([, value]) => value), ...(limit ? [limit.y] : [])], { from: y.from, room: true }, AREA.bottom, AREA.top);
  const parts = [
    `<text class="title" x="20" y="28">${text(title)}</text>`,
    `<text class="soft" x="20" y="48">${text(y.label)}</text>`,
    ...up.ticks.map((value) => `<line class="grid" x1="${AREA.left}" x2="${AREA.right}" y1="${up.at(value)}" y2="${up.at(value)}"/><text class="soft end" x="${AREA.left - 8}" y="${up.at(value) + 4}">${shown(value)}</text>`),
    ...across.ticks.map((value) => `<line class="tick" x1="${across.at(value)}" x2="${across.at(value)}" y1="${AREA.bottom}" y2="${AREA.bottom + 5}"/><text class="soft middle" x="${across.at(value)}" y="${AREA.bottom + 20}">${shown(value)}</text>`),
    `<line class="axis" x1="${AREA.left}" x2="${AREA.right}" y1="${AREA.bottom}" y2="${AREA.bottom}"/>`,
    `<text class="soft middle" x="${(AREA.left + AREA.right) / 2}" y="${AREA.bottom + 40}">${text(x.label)}</text>`,
  ];
  if (limit) parts.push(`<line class="limit" x1="${AREA.left}" x2="${AREA.right}" y1="${up.at(limit.y)}" y2="${up.at(limit.y)}"/><text class="soft" x="${AREA.left + 6}" y="${up.at(limit.y) + 15}">${text(limit.text)}</text>`);
  if (mark) parts.push(`<line class="limit" x1="${across.at(mark.x)}" x2="${across.at(mark.x)}" y1="${AREA.top}" y2="${AREA.bottom}"/><text class="soft end" x="${across.at(mark.x) - 6}" y="${AREA.top + 12}">${text(mark.text)}</text>`);
  const ends = spread(lines.map((line, i) => ({ i, name: line.name, want: up.at(line.points.at(-1)[1]) })));
  for (const { i, name, want, y: place } of ends) {
    const points = lines[i].points.map(([a, b]) => [across.at(a), up.at(b)]);
    const colour = COLOURS[i % COLOURS.length];
    parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" points="${points.map((point) => point.join(',')).join(' ')}"/>`);
    if (points.length <= 12) parts.push(...points.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3" fill="${colour}"/>`));
    const from = points.at(-1)[0];
    parts.push(`<path d="M${from + 5},${want} L${AREA.right + 12},${place}" fill="none" stroke="${colour}" stroke-opacity="0.4"/>`);
    parts.push(`<text class="name" fill="${colour}" x="${AREA.right + 16}" y="${place + 4}">${text(name)}</text>`);
  }
  if (note) parts.push(`<text class="small" x="20" y="${HEIGHT - 8}">${text(note)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${text(title)}: ${text(y.label)} over ${text(x.label)}">
<style>
  .page{fill:#fff} text{font:12px system-ui,sans-serif;fill:#24292f} .title{font-size:15px;font-weight:600} .soft{fill:#57606a} .small{font-size:10.5px;fill:#57606a}
  .name{fill:revert-layer;font-weight:500} .end{text-anchor:end} .middle{text-anchor:middle}
  .grid{stroke:#d8dee4;stroke-width:1} .tick,.axis{stroke:#8c959f} .limit{stroke:#8c959f;stroke-dasharray:4 4}
  @media (prefers-color-scheme:dark){.page{fill:#0d1117} text{fill:#e6edf3} .soft,.small{fill:#9198a1} .grid{stroke:#2a313c} .tick,.axis,.limit{stroke:#6e7681}}
</style>
<rect class="page" width="${WIDTH}" height="${HEIGHT}" rx="6"/>
${parts.join('\n')}
</svg>
`;
}

/** Places of values between two ends, with ticks at round ones. */
function scale(values, { log = false, from, room = false }, start, end) {
  const map = log ? Math.log10 : (value) => value;
  const low = Math.min(...values, ...(from === undefined ? [] : [from]));
  const most = Math.max(...values);
  const ticks = log ? powers(low, most) : rounds(low, most);
  const [a, b] = [map(Math.min(low, ticks[0] ?? low)), map(room || log ? Math.max(most, ticks.at(-1) ?? most) : most)];
  const at = (value) => Math.round((start + ((map(value) - a) / (b - a || 1)) * (end - start)) * 10) / 10;
  return { ticks: ticks.filter((tick) => map(tick) >= a - 1e-9 && map(tick) <= b + 1e-9), at };
}

/** Those that the values reach, or all but reach. */
function powers(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high * 1.02; power++) if (10 ** power >= low * 0.98) ticks.push(10 ** power);
  return ticks;
}

function rounds(low, high) {
  const rough = (high - low || 1) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * unit).find((n) => n >= rough);
  const ticks = [];
  for (let tick = Math.floor(low / step) * step; tick < high + step * 0.999; tick += step) ticks.push(Math.round(tick * 1e9) / 1e9);
  return ticks;
}

/** Names that would overlap are moved apart. */
function spread(ends) {
  const sorted = [...ends].sort((a, b) => a.want - b.want);
  let least = AREA.top;
  for (const end of sorted) {
    end.y = Math.max(end.want, least);
    least = end.y + 16;
  }
  return sorted;
}

const UNITS = [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']];
function shown(value) {
  const [unit, letter] = UNITS.find(([unit]) => Math.abs(value) >= unit) ?? [1, ''];
  return `${Math.round((value / unit) * 100) / 100}${letter}`;
}

const text = (value) => String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
