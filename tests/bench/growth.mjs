// `npm run bench -- growth`: what becomes of a request's cost as things grow, beside the pass-through. Each series answers
// `{ name, title, x, y, lines: [{ name, points: [[x, y]...] }] }`, which plot.mjs draws. Costs are CPU time per request over
// that of the pass-through for the same request, the least of rounds in which all points take turns: what else runs on the machine
// only adds.
import { chat } from './cases.mjs';
import { round3 } from './compare.mjs';
import { drive, post } from './load.mjs';
import { requests, streams } from './memory.mjs';
import { ledger } from './rows.mjs';
import { startUnderstudy, startUpstream, startYardstick } from './sides.mjs';
import { cpuSeconds } from './usage.mjs';

const SETTLE_MS = 1_300;
export const SERIES = { policies, rules, chain, body, volume, streams, requests, ledger };

export async function growth(names, options) {
  const results = [];
  for (const name of names) {
    const upstream = await startUpstream();
    const open = [];
    const keep = (side) => (open.push(side), side);
    const bench = {
      ...options,
      upstream,
      bare: keep(await startYardstick(upstream)),
      understudy: async (settings) => keep(await startUnderstudy(upstream, settings)),
      yardstick: async () => keep(await startYardstick(upstream)),
    };
    try {
      options.note(`${name} ...`);
      results.push({ name, ...(await SERIES[name](bench)) });
    } finally {
      for (const side of open) await side.close();
      upstream.close();
    }
  }
  return results;
}

const key = (side) => ({ authorization: `Bearer ${side.key}` });
const ask = (side, model, bytes = 900, more = {}) => post('/v1/chat/completions', key(side), chat(model, bytes, more));
const plain = (base, bytes = 900, more = {}) => post(`/pass/${base}/chat/completions`, {}, chat('bench', bytes, more));

/** CPU microseconds per request of one side under a short load. */
async function cost(side, request, { seconds, connections = 8, settleMs = 0 }) {
  const before = cpuSeconds(side.pid);
  const done = await drive(side.port, request, { connections, seconds });
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  if (done.failed) throw new Error(`${done.failed} answers were no 200, the first:\n${done.failure}`);
  return ((cpuSeconds(side.pid) - before) / done.requests) * 1e6;
}

/**
 * Measures points `{ line, x, side, request, bare, per }` in turn, round after round; the y of each is its least cost over the
 * pass-through's least for `bare`, divided by `per` (1 unless said).
 */
async function measured({ bare, rounds, quick }, points, load = {}) {
  const seconds = quick ? 0.4 : 0.8;
  const own = points.map(() => Infinity);
  const yard = new Map();
  // One round more, which warms up.
  for (let round = 0; round <= rounds; round++) {
    const asked = new Set();
    for (const [i, point] of points.entries()) {
      if (!asked.has(point.bare)) yard.set(point.bare, Math.min(yard.get(point.bare) ?? Infinity, await cost(bare, point.bare, { ...load, seconds })));
      asked.add(point.bare);
      own[i] = Math.min(own[i], await cost(point.side, point.request, { ...load, seconds, settleMs: SETTLE_MS }));
    }
  }
  const lines = new Map();
  for (const [i, { line, x, bare: request, per = 1 }] of points.entries()) lines.set(line, [...(lines.get(line) ?? []), [x, round3(own[i] / yard.get(request) / per)]]);
  return [...lines].map(([name, all]) => ({ name, points: all }));
}

const COST = { y: { label: 'CPU time per request, pass-through = 1', from: 0 }, limit: { y: 1, text: 'the pass-through' } };

async function policies(bench) {
  const sizes = [1, 10, 100, 1_000, 10_000];
  const points = [];
  const yard = plain('ok');
  for (const size of sizes) {
    const policies = Object.fromEntries(Array.from({ length: size }, (_, i) => [`p${i}`, { chain: ['ok/bench', 'ok/spare'] }]));
    const side = await bench.understudy({ policies });
    const all = Array.from({ length: Math.min(size, 10_000) }, (_, i) => ask(side, `policy/p${i}`));
    let turn = 0;
    points.push({ line: 'one of them asked for', x: size, side, request: all[0], bare: yard });
    points.push({ line: 'all asked for, in turn', x: size, side, request: () => all[turn++ % all.length], bare: yard });
  }
  return { title: 'Policies in KV', x: { label: 'policies', log: true }, ...COST, mark: { x: 1_000, text: 'copies in an isolate' }, lines: await measured(bench, points) };
}

/** Rules of which none holds, before one that does: those that name one model, user, group or key, and others. */
const CONDITIONS = {
  'rules that ask for a name': (i) => [{ model: `openai/gpt-${i}` }, { user: `user-${i}` }, { group: `group-${i}` }, { key: `key-${i}` }][i % 4],
  'globs, lists and metadata': (i) => [{ model: `openai/gpt-${i}*` }, { group: { in: [`group-${i}`, `team-${i}`] } }, { 'metadata.tenant': `tenant-${i}` }][i % 3],
};

async function rules(bench) {
  const points = [];
  const yard = plain('ok');
  for (const [line, when] of Object.entries(CONDITIONS)) {
    for (const size of [1, 10, 100, 1_000]) {
      const names = Array.from({ length: size }, (_, i) => `rule-${i}`);
      const all = { ...Object.fromEntries(names.map((name, i) => [name, { when: when(i), then: { retries: 1 } }])), last: { when: { route: 'chat' }, then: { retries: 1 } } };
      const side = await bench.understudy({ documents: { rules: { rules: all, rulesets: [{ name: 'all', when: {}, rules: [...names, 'last'] }] } } });
      points.push({ line, x: size, side, request: ask(side, 'policy/two'), bare: yard });
    }
  }
  return { title: 'Rules', x: { label: 'rules before the one that applies', log: true }, ...COST, lines: await measured(bench, points) };
}

async function chain(bench) {
  const sizes = [1, 2, 4, 8, 16];
  const policies = {};
  for (const size of sizes) {
    policies[`first-${size}`] = { chain: Array.from({ length: size }, (_, i) => `ok/bench-${i}`) };
    policies[`last-${size}`] = { chain: Array.from({ length: size }, (_, i) => (i + 1 < size ? `fail/bench-${i}` : 'ok/bench')), breaker: null };
  }
  const side = await bench.understudy({ policies });
  const yard = plain('ok');
  const points = sizes.flatMap((size) => [
    { line: 'the first hop answers', x: size, side, request: ask(side, `policy/first-${size}`), bare: yard },
    { line: 'the last, per attempt', x: size, per: size, side, request: ask(side, `policy/last-${size}`), bare: yard },
  ]);
  return { title: 'Hops in a chain', x: { label: 'hops' }, ...COST, lines: await measured(bench, points) };
}

async function body(bench) {
  const side = await bench.understudy();
  const points = [1e3, 1e4, 1e5, 1e6, 1e7].map((bytes) => ({ line: 'Understudy', x: bytes, side, request: ask(side, 'policy/two', bytes), bare: plain('ok', bytes) }));
  return { title: 'Body of a request', x: { label: 'bytes', log: true, bytes: true }, ...COST, lines: await measured(bench, points, { connections: 2 }) };
}

async function volume(bench) {
  const sizes = [1e5, 1e6, 1e7, 5e7];
  const bases = sizes.map((bytes) => `bulk-${bytes}-1000000000`);
  const policies = Object.fromEntries(bases.flatMap((base) => ['pipe', 'inspect'].map((relay) => [`${base}-${relay}`, { chain: [`${base}/bench`], stream: { relay } }])));
  const side = await bench.understudy({ policies, upstreams: bases });
  const more = { stream: true };
  const points = sizes.flatMap((bytes, i) =>
    ['pipe', 'inspect'].map((relay) => ({ line: `relay ${relay}`, x: bytes, side, request: ask(side, `policy/${bases[i]}-${relay}`, 900, more), bare: plain(bases[i], 900, more) })),
  );
  return { title: 'Bytes of a stream, as fast as they are taken', x: { label: 'bytes', log: true, bytes: true }, ...COST, lines: await measured(bench, points, { connections: 1 }) };
}
