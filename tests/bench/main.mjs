// Understudy beside the least that a hand-written Worker does, on the same workerd, served directly, in one run: both in turn,
// round after round, against one fast upstream. Prints ratios (Understudy over the pass-through) with their spread.
//
//   npm run bench                     the table
//   npm run bench -- --json           one JSON object
//   npm run bench -- --rounds 9       more rounds (default 5)
//   npm run bench -- --only json      one case
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { uploadBytes } from '../../scripts/build.mjs';
import { root, startWorker } from '../worker/worker.mjs';
import { percentile, post, run } from './load.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const args = process.argv.slice(2);
const option = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
const ROUNDS = Number(option('--rounds', 5));
const only = option('--only', null);
const json = args.includes('--json');
const note = (text) => json || console.log(text);

const chat = (model, words, more = {}) =>
  JSON.stringify({ model, messages: [{ role: 'user', content: 'lorem ipsum '.repeat(Math.ceil(words / 12)).slice(0, words) }], temperature: 0.2, ...more });

// Case: the path that the yardstick passes on, the policy, the size of the prompt, and how hard it is driven.
const CASES = [
  { name: 'json', path: '/v1/chat/completions', policy: 'two', prompt: 900, requests: 3000, connections: 16 },
  { name: 'json_1_connection', path: '/v1/chat/completions', policy: 'two', prompt: 900, requests: 800, connections: 1 },
  { name: 'json_256_connections', path: '/v1/chat/completions', policy: 'two', prompt: 900, requests: 3000, connections: 256 },
  { name: 'body_100kb', path: '/v1/chat/completions', policy: 'two', prompt: 100_000, requests: 600, connections: 8 },
  { name: 'body_1mb', path: '/v1/chat/completions', policy: 'two', prompt: 1_000_000, requests: 80, connections: 2 },
  { name: 'chain_16', path: '/v1/chat/completions', policy: 'sixteen', prompt: 900, requests: 2000, connections: 16 },
  { name: 'fallback', path: '/v1/chat/completions', policy: 'failing', prompt: 900, requests: 1500, connections: 16 },
  { name: 'stream', path: '/stream/v1/chat/completions', policy: 'stream', prompt: 900, requests: 300, connections: 8, stream: true },
  { name: 'stream_paced', path: '/paced/v1/chat/completions', policy: 'paced', prompt: 900, requests: 60, connections: 20, stream: true },
].filter((one) => only === null || one.name === only);

async function main() {
  const upstream = await startUpstream();
  const before = workerds();
  const yardstick = await startYardstick(upstream.url);
  const yardstickPid = added(before);
  const middle = workerds();
  const understudy = await startUnderstudy(upstream.url);
  const pid = added(middle);
  try {
    const cases = [];
    for (const one of CASES) cases.push(await measure(one, { yardstick, yardstickPid, understudy, pid, upstream }));
    const report = { machine: machine(), rounds: ROUNDS, cases, upload_gzip_bytes: uploadBytes() };
    console.log(json ? JSON.stringify(report) : table(report));
  } finally {
    await understudy.worker.close();
    await yardstick.dispose();
    upstream.process.kill();
  }
}

/** One case, both sides in turn. */
async function measure(one, sides) {
  const theirs = post(one.path.replace('/v1', '/v1'), {}, chat('bench', one.prompt, one.stream ? { stream: true } : {}));
  const ours = post('/v1/chat/completions', { authorization: `Bearer ${sides.understudy.key}` }, chat(`policy/${one.policy}`, one.prompt, one.stream ? { stream: true } : {}));
  const load = { connections: one.connections, requests: one.requests, firstContent: one.stream };
  const rounds = [];
  await run(sides.yardstick.port, theirs, { ...load, requests: Math.ceil(one.requests / 4) });
  await run(sides.understudy.port, ours, { ...load, requests: Math.ceil(one.requests / 4) });
  for (let round = 0; round < ROUNDS; round++) {
    const bare = await timed(sides.yardstickPid, sides.upstream.process.pid, () => run(sides.yardstick.port, theirs, load));
    const full = await timed(sides.pid, sides.upstream.process.pid, () => run(sides.understudy.port, ours, load));
    if (bare.failed + full.failed > 0) throw new Error(`${one.name}: ${bare.failed} of the pass-through's and ${full.failed} of Understudy's answers were no 200`);
    rounds.push({
      rps: full.perSecond / bare.perSecond,
      cpu: full.cpu / bare.cpu,
      latency: percentile(full.latencies, 0.5) / percentile(bare.latencies, 0.5),
      first: one.stream ? percentile(full.firsts, 0.5) - percentile(bare.firsts, 0.5) : null,
      upstreamBusy: Math.max(bare.upstreamBusy, full.upstreamBusy),
    });
  }
  const middle = (key) => round3(median(rounds.map((round) => round[key])));
  const spread = (key) => [Math.min(...rounds.map((round) => round[key])), Math.max(...rounds.map((round) => round[key]))].map(round3);
  note(`${one.name}: requests/s ${middle('rps')} x, CPU ${middle('cpu')} x, latency p50 ${middle('latency')} x${one.stream ? `, first content +${middle('first')} ms` : ''}`);
  return {
    name: one.name,
    rps_ratio: middle('rps'),
    cpu_ratio: middle('cpu'),
    ttft_added_ms: one.stream ? middle('first') : null,
    latency_ratio: middle('latency'),
    spread: { rps: spread('rps'), cpu: spread('cpu'), latency: spread('latency') },
    upstream_busy: middle('upstreamBusy'),
  };
}

/** Runs a load and reads what the Worker's process and the upstream spent of the processor meanwhile. */
async function timed(pid, upstreamPid, load) {
  const [cpu, upstream] = [cpuSeconds(pid), cpuSeconds(upstreamPid)];
  const result = await load();
  return { ...result, cpu: (cpuSeconds(pid) - cpu) / result.requests, upstreamBusy: (cpuSeconds(upstreamPid) - upstream) / result.seconds };
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Processes of workerd that this one started, however deep. */
function workerds() {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stat = (pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return { pid: Number(pid), name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')), parent: Number(text.split(') ')[1].split(' ')[1]) };
    } catch {
      return null;
    }
  };
  return all.map(stat).filter((one) => one?.name === 'workerd' && one.parent === process.pid).map((one) => one.pid);
}
const added = (before) => workerds().find((pid) => !before.includes(pid));

function startUpstream() {
  const child = spawn(process.execPath, [join(here, 'upstream.mjs'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`the upstream ended with ${code}`)));
    child.stdout.on('data', (text) => resolve({ process: child, url: `http://127.0.0.1:${String(text).match(/\d+/)[0]}` }));
  });
}

async function startYardstick(upstream) {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      telemetry: { enabled: false },
      workers: [{ name: 'passthrough', modules: [{ type: 'ESModule', path: join(here, 'passthrough.js') }], modulesRoot: here, compatibilityDate: '2026-04-20', bindings: { UPSTREAM: upstream }, unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }],
    }),
  );
  await miniflare.ready;
  return { port: Number((await miniflare.unsafeGetDirectURL('passthrough')).port), dispose: () => miniflare.dispose() };
}

async function startUnderstudy(upstream) {
  const worker = await startWorker({ vars: { AUTH: 'keys', POLICY_TTL_MS: '30000' } });
  for (const name of ['ok', 'fail', 'stream', 'paced']) {
    await worker.put(`provider:${name}`, { base_url: `${upstream}/${name}`, auth: { header: 'authorization', scheme: 'Bearer', secret: 'ACME_API_KEY' } });
  }
  await worker.put('policy:two', { chain: ['ok/bench', 'ok/spare'] });
  await worker.put('policy:sixteen', { chain: Array.from({ length: 16 }, (_, i) => `ok/bench-${i}`) });
  await worker.put('policy:failing', { chain: ['fail/bench', 'ok/bench'], breaker: null });
  await worker.put('policy:stream', { chain: ['stream/bench', 'ok/bench'] });
  await worker.put('policy:paced', { chain: ['paced/bench', 'ok/bench'] });
  const made = await worker.admin('/keys', { method: 'POST', body: { name: 'bench', allow: ['policy/*'] } });
  if (made.status !== 201) throw new Error(`no key: ${made.status} ${await made.text()}`);
  const { key } = await made.json();
  return { worker, key, port: Number(new URL(worker.url).port) };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const round3 = (x) => Math.round(x * 1000) / 1000;
const machine = () => ({ cpu: cpus()[0].model, cores: cpus().length, memory_gib: Math.round(totalmem() / 2 ** 30), workerd: JSON.parse(readFileSync(join(root, 'node_modules/workerd/package.json'), 'utf8')).version });

function table({ cases, upload_gzip_bytes: upload, machine, rounds }) {
  const rows = cases.map((one) => `| ${one.name} | ${one.rps_ratio} | ${one.cpu_ratio} | ${one.latency_ratio} | ${one.ttft_added_ms ?? ''} | ${one.spread.rps.join(' to ')} | ${one.upstream_busy} |`);
  return `\nUnderstudy over a bare pass-through, medians of ${rounds} rounds (${machine.cores} cores, ${machine.cpu}, workerd ${machine.workerd})\n\n| case | requests/s | CPU per request | latency p50 | first content, ms | spread of requests/s | upstream busy |\n| --- | --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}\n\nupload: ${Math.round(upload / 1024)} KiB gzip`;
}

await main();
