// Load for as long as it takes to see what only time shows: memory that grows, latency that drifts, rows that go missing.
//
//   1. the most that this machine takes, measured for some seconds (clients and upstream share the machine with the Worker)
//   2. every fault of faults.mjs once, with and without a stream: the largest, of which an hour draws one or two, take as much
//      memory as the process ever needs, and it gives none back
//   3. half of that rate, or --rate, for --minutes, 1 % of the calls failing in all those ways
//   4. --streams streams at once
//   5. clients that read slowly, piped and inspected: what the Worker holds meanwhile
import { readFileSync, readdirSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { percentile } from '../bench/load.mjs';
import { inspect } from '../worker/inspector.mjs';
import { startUpstream, frames, routeOf, sse } from '../worker/upstream.mjs';
import { sleep, startWorker } from '../worker/worker.mjs';
import { FAULTS, play, wordsOf } from './faults.mjs';
import { dice } from './random.mjs';

const MB = 1 << 20;
// Where this machine stood still for a while all that was due meanwhile is sent at once: workerd ends when it has no file left to
// accept a connection with.
const SOCKETS = 2_500;
const POLICY = { chain: [{ model: 'acme/soak', retries: 1 }, 'other/soak', 'other/fine'], timeouts: { attempt_ms: 3000, first_token_ms: 3000, idle_ms: 3000 }, backoff: { initial_ms: 50 } };

export async function main(args) {
  const option = (name, fallback) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : fallback);
  const settings = { minutes: option('--minutes', 60), rate: option('--rate', 0), streams: option('--streams', 2000), seed: option('--seed', 1), window: option('--window', 30) };
  const note = (text) => console.error(`    ${new Date().toISOString().slice(11, 19)} ${text}`);
  const stage = await setStage(settings);
  try {
    const most = await fastest(stage, 10);
    const rate = settings.rate || Math.max(1, Math.floor(most / 2));
    await everyFault(stage);
    note(`the most this machine takes now: ${Math.round(most)} requests/s; the soak runs at ${rate} requests/s`);
    const soak = await load(stage, { rate, seconds: settings.minutes * 60, window: settings.window, note });
    const crowd = await manyStreams(stage, settings.streams);
    note(`${settings.streams} streams at once: ${crowd.whole} whole, ${Math.round(crowd.grown / MB)} MB more`);
    const slow = {};
    for (const relay of ['pipe', 'inspect']) slow[relay] = await slowReaders(stage, relay);
    const ledger = await books(stage);
    const report = { most: Math.round(most), rate, minutes: settings.minutes, ...soak, streams: settings.streams, crowd, slow, ledger };
    console.log(args.includes('--json') ? JSON.stringify(report) : table(report));
    return verdicts(report).some(([, good]) => !good) ? 1 : 0;
  } finally {
    await stage.close();
  }
}

async function setStage({ seed }) {
  const stage = { sent: 0, reset: 0, calls: 0, seed, agent: new Agent({ keepAlive: true, maxSockets: SOCKETS }) };
  const before = workerds();
  stage.upstream = await startUpstream({ keep: false, otherwise: (call) => (stage.calls++, scripted(stage, call)) });
  stage.worker = await startWorker({ vars: { AUTH: 'keys', POLICY_TTL_MS: '30000' }, inspectorPort: 0 });
  stage.inspector = await inspect(stage.worker, 'understudy');
  stage.pid = workerds().find((pid) => !before.includes(pid));
  for (const name of ['acme', 'other']) await stage.worker.put(`provider:${name}`, stage.upstream.provider(name));
  await stage.worker.put('policy:soak', POLICY);
  await stage.worker.put('policy:faults', { ...POLICY, chain: ['acme/faulty', 'other/fine'], breaker: null });
  await stage.worker.put('policy:crowd', { chain: ['acme/crowd'], deadline_ms: 600000 });
  for (const relay of ['pipe', 'inspect']) await stage.worker.put(`policy:${relay}`, { chain: ['acme/bulk'], stream: { relay }, timeouts: { idle_ms: 600000 } });
  const made = await stage.worker.admin('/keys', { method: 'POST', body: { name: 'soak' } });
  stage.key = (await made.json()).key;
  stage.close = async () => (stage.inspector.close(), stage.agent.destroy(), await stage.worker.close(), await stage.upstream.close());
  return stage;
}

function scripted({ seed, calls }, call) {
  const request = Number(call.body.match(/soak r=(\d+);/)?.[1] ?? 0);
  if (call.model === 'crowd') return sse(frames(routeOf(call.path), wordsOf(request, 0, 10), call.model).flatMap((frame) => [frame, 1000]));
  if (call.model === 'bulk') return sse(frames('chat', wordsOf(request, 0, 1), call.model).slice(0, 2), ...Array.from({ length: 400 }, () => `: ${'x'.repeat(16 << 10)}\n\n${frames('chat', ['x'.repeat(100 << 10)], call.model)[1]}`), frames('chat', [], call.model).slice(1));
  const turn = call.model === 'faulty' ? request : undefined;
  return play(call, dice(seed, request, calls), { request, attempt: 0, leak: '', health: call.model, turn }).steps;
}

/**
 * One request to its end: `{status, ms, first, text, whole}`; `pace` reads so many bytes per second. A kept connection that closes
 * in the moment of use is told apart and the request sent again, as every client does (RFC 9112, 9.3.1): no one read it.
 */
async function ask(stage, model, stream, options) {
  const got = await askOnce(stage, model, stream, options);
  if (got.error !== 'ECONNRESET' || !got.reused || got.bytes > 0) return got;
  stage.reset++;
  stage.sent--;
  return askOnce(stage, model, stream, options);
}

function askOnce(stage, model, stream, { pace = null, keepText = true } = {}) {
  const n = stage.sent++;
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: `soak r=${n}; ${'lorem ipsum '.repeat(80)}` }], ...(stream ? { stream: true } : {}) });
  const started = performance.now();
  return new Promise((resolve) => {
    const got = { n, status: 0, ms: 0, bytes: 0, text: '', whole: false };
    const end = (whole) => resolve(Object.assign(got, { whole, ms: performance.now() - started }));
    const outgoing = httpRequest(stage.worker.url + '/v1/chat/completions', { method: 'POST', agent: stage.agent, headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      got.status = response.statusCode;
      response.on('data', (chunk) => {
        got.bytes += chunk.length;
        if (keepText) got.text += chunk;
        if (pace) {
          response.pause();
          setTimeout(() => response.resume(), (chunk.length / pace) * 1000);
        }
      });
      response.on('end', () => end(response.complete));
      response.on('error', () => end(false));
    });
    outgoing.on('error', ({ code }) => end(false, Object.assign(got, { error: code, reused: outgoing.reusedSocket })));
    outgoing.end(body);
  });
}

const mixed = (n) => n % 10 < 3;

/** Requests per second, closed loop. */
async function fastest(stage, seconds) {
  const until = performance.now() + seconds * 1000;
  let done = 0;
  const started = performance.now();
  await Promise.all(Array.from({ length: 24 }, async () => {
    while (performance.now() < until) {
      await ask(stage, 'policy/soak', mixed(done), { keepText: false });
      done++;
    }
  }));
  return done / ((performance.now() - started) / 1000);
}

/** Requests whose first call meets the faults in turn (those of streams stand twice in their list), a few at a time. */
async function everyFault(stage) {
  for (const streamed of [false, true]) {
    let left = 2 * FAULTS.length;
    await Promise.all(Array.from({ length: 12 }, async () => {
      while (left-- > 0) await ask(stage, 'policy/faults', streamed, { keepText: false });
    }));
  }
}

/** Open loop: a request is due whether or not the last one was answered. */
async function load(stage, { rate, seconds, window, note }) {
  const windows = [];
  // Before the clock starts: what V8 gives back now it takes again within minutes, and that would look like growth.
  const live = [await reachable(stage)];
  const started = performance.now();
  const flying = new Set();
  let current = fresh();
  let due = 0;
  let told = 0;
  while (performance.now() - started < seconds * 1000) {
    const wanted = Math.floor(((performance.now() - started) / 1000) * rate);
    for (; due < wanted; due++) {
      const streamed = mixed(due);
      const one = ask(stage, 'policy/soak', streamed).then((got) => {
        flying.delete(one);
        current.latencies.push(got.ms);
        const good = got.whole && got.status === 200 && got.text.includes('.end');
        current[good ? 'good' : says(got) ? 'failed' : 'wrong']++;
      });
      flying.add(one);
    }
    await sleep(5);
    if (performance.now() - started > (windows.length + 1) * window * 1000) {
      windows.push({ ...closed(current, stage, flying.size), heap: (await stage.inspector.heap()).held });
      current = fresh();
      if (windows.length - told >= 10) note((told = windows.length, `${Math.round((windows.length * window) / 60)} min: ${JSON.stringify(windows.at(-1))}`));
    }
  }
  await Promise.all(flying);
  live.push(await reachable(stage));
  return { windows, live };
}

/** Bytes of JavaScript that are in use once V8 has collected what is not: what grows here is kept by the Worker, not garbage that waits. */
async function reachable({ inspector }) {
  await inspector.collect();
  return (await inspector.heap()).used;
}

/** An answer that failed, and says so. */
const says = (got) => (got.status >= 400 && got.whole) || /"error"/.test(got.text);
const fresh = () => ({ latencies: [], good: 0, failed: 0, wrong: 0 });

function closed({ latencies, good, failed, wrong }, stage, flying) {
  const sorted = latencies.sort((a, b) => a - b);
  const at = (p) => Math.round(percentile(sorted, p) * 10) / 10;
  return { rss: rss(stage.pid), p10: at(0.1), p50: at(0.5), p99: at(0.99), good, failed, wrong, flying };
}

/** So many streams open at the same time, each ten seconds long. */
async function manyStreams(stage, count) {
  const before = rss(stage.pid);
  const all = Array.from({ length: count }, () => ask(stage, 'policy/crowd', true));
  await sleep(6000);
  const during = rss(stage.pid);
  const got = await Promise.all(all);
  await sleep(3000);
  return { whole: got.filter((one) => one.whole && one.text.includes('.end')).length, grown: during - before, kept: rss(stage.pid) - before };
}

/** Ten clients read 46 MB at 200 KB/s for a while: what they have not read must wait at the upstream, not in the Worker. */
async function slowReaders(stage, relay) {
  const before = rss(stage.pid);
  const agent = new Agent();
  const all = Array.from({ length: 10 }, () => ask({ ...stage, agent, sent: 0 }, `policy/${relay}`, true, { pace: 200_000, keepText: false }));
  stage.sent += 10;
  let most = 0;
  for (let i = 0; i < 40; i++) {
    await sleep(500);
    most = Math.max(most, rss(stage.pid) - before);
  }
  agent.destroy();
  await Promise.all(all);
  await sleep(3000);
  return { grown: most, perStream: Math.round(most / 10), kept: rss(stage.pid) - before };
}

/** What the ledger says of all that was sent. */
async function books(stage) {
  await sleep(4000);
  const { totals } = await (await stage.worker.admin('/analytics')).json();
  const metrics = await (await stage.worker.admin('/metrics')).text();
  const sample = (name) => Number(metrics.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'm'))?.[1] ?? NaN);
  return { sent: stage.sent, reset: stage.reset, requests: totals.requests, calls: stage.calls, attempts: totals.attempts, lost: sample('understudy_ledger_lost_total'), dropped: sample('understudy_ledger_dropped_total') };
}

const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;

/** Each promise with whether it was kept. */
function verdicts({ windows, live: [first, last], streams, crowd, slow, ledger }) {
  // The first minutes fill caches and heaps.
  const calm = windows.slice(Math.ceil(windows.length / 6));
  const third = Math.max(1, Math.floor(calm.length / 3));
  const [early, late] = [calm.slice(0, third), calm.slice(-third)];
  const grown = mean(late.map((w) => w.rss)) - mean(early.map((w) => w.rss));
  // The fastest tenth: what the Worker itself takes, whatever else this machine is doing.
  const drift = mean(late.map((w) => w.p10)) / mean(early.map((w) => w.p10));
  return [
    [`memory flat: ${(grown / MB).toFixed(1)} MB more in the process from the first third to the last`, grown < 16 * MB],
    [`nothing kept: ${(first / MB).toFixed(1)} MB of JavaScript in use before the load, ${(last / MB).toFixed(1)} after it, each time once collected`, last - first < 4 * MB],
    [`no latency drift: p10 ${drift.toFixed(2)} x from the first third to the last`, drift < 1.5],
    [`ledger complete: ${ledger.requests} rows of ${ledger.sent} requests, ${ledger.attempts} attempts for ${ledger.calls} calls, ${ledger.lost} lost, ${ledger.dropped} dropped; ${ledger.reset} sent again over closed connections`, ledger.requests === ledger.sent && ledger.attempts >= ledger.calls && ledger.lost === 0 && ledger.dropped === 0],
    [`no wrong answer: ${windows.reduce((sum, w) => sum + w.wrong, 0)}`, windows.every((w) => w.wrong === 0)],
    [`${crowd.whole} of ${streams} concurrent streams whole, ${Math.round(crowd.grown / MB)} MB while they ran`, crowd.whole === streams],
    ...Object.entries(slow).map(([relay, { perStream }]) => [`slow readers, ${relay}: ${(perStream / MB).toFixed(1)} MB held per stream of 46 MB`, perStream < 8 * MB]),
  ];
}

function table(report) {
  const { windows } = report;
  const sum = (key) => windows.reduce((total, w) => total + w[key], 0);
  const lines = verdicts(report).map(([text, good]) => `${good ? 'kept  ' : 'BROKEN'}  ${text}`);
  const step = Math.max(1, Math.floor(windows.length / 12));
  const rows = windows.filter((_, i) => i % step === 0).map((w, i) => `| ${i * step + 1} | ${(w.rss / MB).toFixed(0)} | ${(w.heap / MB).toFixed(0)} | ${w.p10} | ${w.p50} | ${w.p99} | ${w.good} | ${w.failed} |`);
  return [`${report.minutes} min at ${report.rate} requests/s (the most measured: ${report.most}); ${sum('good')} answered, ${sum('failed')} failed and said so`, '', '| window | process, MB | of it JavaScript | p10, ms | p50, ms | p99, ms | answered | failed |', '| --- | --- | --- | --- | --- | --- | --- | --- |', ...rows, '', ...lines].join('\n');
}

function rss(pid) {
  return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) * 1024;
}

/** Processes of workerd that this one started. */
function workerds() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return stat.includes('(workerd)') && Number(stat.split(') ')[1].split(' ')[1]) === process.pid;
    } catch {
      return false;
    }
  }).map(Number);
}
