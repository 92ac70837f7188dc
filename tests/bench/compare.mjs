// One case: the sides in turn, round after round, and the ratios of each round. A ratio is taken within a round, so that what
// else the machine does meanwhile weighs on both; the median of the rounds is the result, the least and the most its spread.
import { CASES, WARMING, chat } from './cases.mjs';
import { drive, percentile, post } from './load.mjs';
import { portkeyConfig } from './sides.mjs';
import { cpuSeconds } from './usage.mjs';

/** The ledger sends a batch 1 s after its first row: what that costs belongs to the requests before it. */
const SETTLE_MS = 1_400;

export async function compare(one, sides, { rounds, quick }) {
  const runners = await contenders(one, sides);
  const load = loadOf(one, quick);
  await warm(one, sides, quick);
  for (const runner of runners) await drive(runner.port, runner.request, { ...load, seconds: quick ? 0.5 : 1.5 });
  const results = [];
  for (let round = 0; round < rounds; round++) {
    const measured = {};
    // Nobody always comes first.
    for (let i = 0; i < runners.length; i++) {
      const runner = runners[(i + round) % runners.length];
      measured[runner.name] = await measure(runner, load, sides.upstream.pid, one.name);
    }
    results.push(measured);
  }
  return summary(one, results);
}

/**
 * What a side does before it is first measured. V8 compiles a function of Wasm for speed when it has run for long, about
 * as much as these calls take: before that one measures how long the process has been up, as no isolate in use has been.
 */
const WARM = { calls: 20_000, streams: 1_500, seconds: 20 };
const warmed = new Set();

async function warm(one, sides, quick) {
  const by = [...CASES, ...WARMING].find((other) => other.name === (one.warm ?? one.name));
  const requests = (by.stream ? WARM.streams : WARM.calls) / (quick ? 10 : 1);
  for (const runner of await contenders({ ...by, ledger: one.ledger, portkey: one.portkey, byHand: one.byHand }, sides)) {
    const what = `${by.name} of ${runner.pid}`;
    if (runner.name === 'direct' || warmed.has(what)) continue;
    warmed.add(what);
    await drive(runner.port, runner.request, { connections: by.connections, requests, seconds: WARM.seconds });
  }
}

/** Who takes part, and what each is sent. */
async function contenders(one, sides) {
  const more = one.stream ? { stream: true } : {};
  const plain = chat('bench', one.bytes, more);
  const understudy = one.ledger === 'apart' ? sides.apart : sides.within;
  const list = [
    { name: 'bare', port: sides.yardstick.port, pid: sides.yardstick.pid, request: post(`/${one.kind}/${one.base}/chat/completions`, {}, plain) },
    {
      name: 'full',
      port: understudy.port,
      pid: understudy.pid,
      ledgerPid: understudy.ledgerPid,
      settleMs: SETTLE_MS,
      request: post('/v1/chat/completions', { authorization: `Bearer ${understudy.key}` }, chat(`policy/${one.policy}`, one.bytes, more)),
    },
    // The client and the upstream alone: what they can do is the ceiling of the others.
    { name: 'direct', port: sides.upstream.port, pid: sides.upstream.pid, request: post(`/${one.base === 'fail' ? 'ok' : one.base}/chat/completions`, {}, plain), short: true },
  ];
  if (one.byHand) {
    const headers = { authorization: 'Bearer us-bench', 'x-relay': one.kind === 'loop' ? 'inspect' : 'pipe' };
    list.push({ name: 'byHand', port: sides.byHand.port, pid: sides.byHand.pid, settleMs: SETTLE_MS, request: post(`/${one.base}/chat/completions`, headers, plain) });
  }
  if (one.portkey && sides.portkey) {
    const headers = { 'x-portkey-config': portkeyConfig(sides.upstream, one.base) };
    list.push({ name: 'portkey', port: sides.portkey.port, pid: sides.portkey.pid, request: post('/v1/chat/completions', headers, plain) });
  }
  return list;
}

function loadOf(one, quick) {
  if (one.each) return { connections: one.connections, requests: one.connections * Math.ceil(one.each / (quick ? 2 : 1)), staggerMs: one.staggerMs };
  return { connections: one.connections, seconds: quick ? one.seconds / 2 : one.seconds };
}

async function measure(runner, load, upstreamPid, name) {
  const used = () => ({ worker: cpuSeconds(runner.pid), ledger: runner.ledgerPid ? cpuSeconds(runner.ledgerPid) : 0, upstream: cpuSeconds(upstreamPid), client: process.cpuUsage() });
  const before = used();
  const done = await drive(runner.port, runner.request, runner.short && load.seconds ? { ...load, seconds: load.seconds / 3 } : load);
  const after = used();
  await new Promise((resolve) => setTimeout(resolve, runner.settleMs ?? 20));
  const settled = used();
  if (done.failed) throw new Error(`${name}: ${done.failed} of ${done.requests} answers of ${runner.name} were no 200, the first:\n${done.failure}`);
  const clientUs = after.client.user + after.client.system - before.client.user - before.client.system;
  return {
    perSecond: done.perSecond,
    cpuUs: ((settled.worker - before.worker) / done.requests) * 1e6,
    ledgerUs: ((settled.ledger - before.ledger) / done.requests) * 1e6,
    ms: percentile(done.latencies, 0.5),
    p99: percentile(done.latencies, 0.99),
    firstMs: percentile(done.firsts, 0.5),
    busy: (after.worker - before.worker) / done.seconds,
    upstreamBusy: (after.upstream - before.upstream) / done.seconds,
    clientBusy: clientUs / 1e6 / done.seconds,
  };
}

/** Where nobody is saturated: else first content queues, and what is seen is the queue. */
const paced = (one) => one.stream && one.each;

function summary(one, rounds) {
  const over = (pick) => {
    const list = rounds.map(pick).filter(Number.isFinite).sort((a, b) => a - b);
    return list.length ? { middle: round3(list[Math.floor(list.length / 2)]), spread: [round3(list[0]), round3(list.at(-1))] } : { middle: null, spread: null };
  };
  const ratio = (a, b, key) => over((round) => round[a][key] / round[b][key]);
  const [rps, cpu, latency] = ['perSecond', 'cpuUs', 'ms'].map((key) => ratio('full', 'bare', key));
  const added = over((round) => (paced(one) ? NaN : (round.full.ms - round.direct.ms) / (round.bare.ms - round.direct.ms)));
  const first = over((round) => (paced(one) ? round.full.firstMs - round.bare.firstMs : NaN));
  const middle = (side, key) => over((round) => round[side][key]).middle;
  const figures = (side) => ({ per_second: middle(side, 'perSecond'), cpu_us: middle(side, 'cpuUs'), p50_ms: middle(side, 'ms'), p99_ms: middle(side, 'p99'), busy: middle(side, 'busy') });
  const result = {
    name: one.name,
    rps_ratio: rps.middle,
    cpu_ratio: cpu.middle,
    ttft_added_ms: first.middle,
    latency_ratio: latency.middle,
    spread: { rps: rps.spread, cpu: cpu.spread, ttft: first.spread, latency: latency.spread, added: added.spread },
    added_latency_ratio: added.middle,
    what: one.what,
    understudy: figures('full'),
    passthrough: figures('bare'),
    // Sound when the worker was the busiest of the three and the two alone do far more.
    check: { client_busy: middle('full', 'clientBusy'), upstream_busy: middle('full', 'upstreamBusy'), direct_over_passthrough: ratio('direct', 'bare', 'perSecond').middle },
  };
  if (one.stream) result.cpu_us_per_chunk = { understudy: round3(result.understudy.cpu_us / one.stream), passthrough: round3(result.passthrough.cpu_us / one.stream) };
  if (one.byHand) {
    const [theirs, cpuOfTheirs] = ['perSecond', 'cpuUs'].map((key) => ratio('byHand', 'bare', key).middle);
    result.by_hand = { rps_ratio: theirs, cpu_ratio: cpuOfTheirs, ttft_added_ms: over((round) => (paced(one) ? round.byHand.firstMs - round.bare.firstMs : NaN)).middle };
  }
  if (one.ledger === 'apart') result.ledger_cpu_us = middle('full', 'ledgerUs');
  if (rounds[0].portkey) {
    const [theirs, cpuOfTheirs, latencyOfTheirs] = ['perSecond', 'cpuUs', 'ms'].map((key) => ratio('full', 'portkey', key));
    result.portkey = { rps_ratio: theirs.middle, cpu_ratio: cpuOfTheirs.middle, latency_ratio: latencyOfTheirs.middle, spread: { rps: theirs.spread, cpu: cpuOfTheirs.spread, latency: latencyOfTheirs.spread }, ...figures('portkey') };
    if (paced(one)) result.portkey.ttft_added_ms = over((round) => round.full.firstMs - round.portkey.firstMs).middle;
  }
  return result;
}

export const round3 = (x) => Math.round(x * 1000) / 1000;
