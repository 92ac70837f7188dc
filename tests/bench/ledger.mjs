// The ledger at its size: one shard of the real Durable Object on workerd, filled with a million attempts of a week, and how long
// its questions take through /admin; rows written per request, and bytes on disk.
// `npm run bench -- ledger`; options: scripts/bench.mjs.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { startWorker } from '../worker/worker.mjs';
import { keep, kept } from './results.mjs';

const args = process.argv.slice(2);
const option = (name, fallback) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : fallback);
const ATTEMPTS = option('--attempts', 1_000_000);
const ROUNDS = option('--rounds', 15);
const STATE = args.includes('--state') ? args[args.indexOf('--state') + 1] : undefined;
const json = args.includes('--json');
const note = (text) => json || console.log(text);

const DAY = 86_400_000;
const WEEK = 7 * DAY - 3_600_000;
/** As many as an isolate sends at once, and as many as a shard is filled with at once: it is not the filling that is measured. */
const BATCH = 200;
const FILL = 2_000;
const USERS = 20_000;
const BUDGET = { analytics: 100, request: 50 };

async function main() {
  const worker = await startWorker({ probe: true, vars: { LEDGER_SHARDS: '1' }, ...(STATE ? { state: STATE } : {}) });
  try {
    const filled = await known(() => fill(worker));
    note(`filled: ${filled.requests} requests, ${filled.attempts} attempts in ${Math.round(filled.seconds)} s (${Math.round(filled.requests / filled.seconds)} requests/s), ${filled.rows_written_per_request} rows written per request in batches of ${BATCH}, ${filled.rows_written_alone} for one alone, ${Math.round(filled.bytes / 2 ** 20)} MiB`);
    const questions = [];
    for (const [name, kind, path] of asked(filled)) questions.push(await time(worker, name, kind, path));
    const { sample, ...facts } = filled;
    const [{ model }] = cpus();
    const machine = `${cpus().length} cores of ${model}, load ${loadavg()[0].toFixed(1)} at the end, each question ${ROUNDS} times`;
    const measured = { at: new Date().toISOString(), machine, questions };
    if (args.includes('--save')) {
      const before = kept().growth.find((one) => one.name === 'ledger');
      keep({ growth: [{ ...before, facts, ...measured }] });
    }
    console.log(json ? JSON.stringify({ ...facts, ...measured }) : table(questions));
  } finally {
    await (STATE ? worker.stop() : worker.close());
  }
}

/** What is known of a shard that was filled before; else it is filled now. */
async function known(fill) {
  const note = STATE && join(STATE, 'filled.json');
  if (note && existsSync(note)) return JSON.parse(readFileSync(note, 'utf8'));
  const filled = await fill();
  if (note) writeFileSync(note, JSON.stringify(filled));
  return filled;
}

/** What is asked: most of it as the dashboard asks. */
function asked({ from, sample, users }) {
  const at = (days) => new Date(from + days * DAY).toISOString();
  // The week that it was filled with, however long ago.
  const last = (span) => `/analytics?from=${from + WEEK - span}&to=${from + WEEK}`;
  return [
    ['analytics, the last day', 'analytics', last(DAY)],
    ['analytics, the last hour', 'analytics', last(3_600_000)],
    ['analytics, the week', 'analytics', `/analytics?from=${from}`],
    ['analytics, one policy, the week', 'analytics', `/analytics?policy=policy-3&from=${from}`],
    ['analytics, one target, the week', 'analytics', `/analytics?target=openai/model-2&from=${from}`],
    ['analytics, one user, the week', 'analytics', `/analytics?user=${users.frequent}&from=${from}`],
    ['analytics, one group and policy, the week', 'analytics', `/analytics?group=group-7&policy=policy-3&from=${from}`],
    ['analytics, one group by the hour, a day', 'analytics', `/analytics?group=group-7&bucket=hour&from=${at(5)}&to=${at(6)}`],
    ['analytics, one workload by the hour, a day', 'analytics', `/analytics?workload=workload-3&bucket=hour&from=${at(5)}&to=${at(6)}`],
    ['one request by its id', 'request', `/requests/${sample.id}`],
    ['one request by its ledger id', 'request', `/requests/${sample.ledger_id}`],
    ['a request that is not there', 'request', '/requests/never-was'],
    ['requests, newest', 'list', '/requests'],
    ['requests, a page in the middle', 'list', `/requests?before=${at(3.5)}`],
    ['requests of one policy', 'list', '/requests?policy=policy-3'],
    ['requests of one user', 'list', `/requests?user=${users.frequent}`],
    ['requests of one rare user', 'list', `/requests?user=${users.rare}`],
    ['requests of a user never seen', 'list', '/requests?user=nobody'],
    ['requests with a rare class', 'list', '/requests?class=content_policy'],
    ['requests of one rare target and class', 'list', '/requests?target=rare/model&class=timeout'],
    ['drills, of which there are none', 'list', '/requests?mark=drill'],
    ['metrics', 'list', '/metrics'],
  ];
}

/** A list is followed by its cursor until it gave a row, or ended: what a person waits for. */
async function time(worker, name, kind, path) {
  const times = [];
  let pages = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    pages = 0;
    for (let next = ''; next !== null; pages++) {
      const answer = await worker.admin(path + (next && `${path.includes('?') ? '&' : '?'}before=${next}`));
      const text = await answer.text();
      if (!answer.ok && answer.status !== 404) throw new Error(`${path}: ${answer.status} ${text}`);
      const body = answer.headers.get('content-type').includes('json') ? JSON.parse(text) : {};
      next = body.data?.length === 0 ? body.next : null;
    }
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const ms = (n) => Math.round(n * 10) / 10;
  const line = { name, kind, p50_ms: ms(times[Math.floor(times.length / 2)]), max_ms: ms(times.at(-1)), pages };
  note(`${name}: ${line.p50_ms} ms, at most ${line.max_ms} ms${pages > 1 ? `, ${pages} pages` : ''}`);
  return line;
}

/** Fills shard-0 with the rows of a week, oldest first, batch by batch as an isolate would send them. */
async function fill(worker) {
  const roll = dice(7);
  const now = Date.now();
  const from = now - WEEK;
  const requests = Math.round(ATTEMPTS / 2);
  const started = performance.now();
  let attempts = 0;
  let sample;
  for (let sent = 0, number = 1; sent < requests; number++) {
    const rows = [];
    while (rows.length < FILL && sent < requests) {
      const row = requestRow(Math.floor(from + (WEEK * sent) / requests), sent, requests, roll);
      attempts += row.attempts.length;
      if (sent === Math.floor(requests / 3)) sample = row;
      rows.push(row);
      sent++;
    }
    await record(worker, number, rows);
    if (number % 50 === 0) note(`${sent} requests`);
  }
  const seconds = (performance.now() - started) / 1000;
  // The object is made to have lived through that week: its sketches tell of all of it.
  await worker.ledger('shard-0', { statement: 'UPDATE migrations SET at = 0' }, 'sql');
  const written = () => worker.ledger('shard-0', null, 'written');
  const counted = async (rows, from) => {
    const before = await written();
    for (let n = 0; n < 10; n++) await record(worker, from + n, Array.from({ length: rows }, (_, at) => requestRow(now + n * 1000 + at, at, Infinity, roll)));
    return round2(((await written()) - before) / 10 / rows);
  };
  const [full, alone] = [await counted(BATCH, 1_000_000), await counted(1, 2_000_000)];
  const { status } = await worker.ledger('shard-0', 'status');
  const users = { frequent: 'user-1', rare: `user-${USERS - 2}` };
  return { requests, attempts, seconds, from, sample, users, bytes: status.database_bytes, rows_written_per_request: full, rows_written_alone: alone };
}

async function record(worker, number, rows) {
  const answer = await worker.ledger('shard-0', { record: { isolate: 'bench', number, rows } });
  if (answer !== 'recorded') throw new Error(JSON.stringify(answer));
}

const TARGETS = ['openai', 'anthropic', 'bedrock'].flatMap((provider) => [0, 1, 2, 3].map((n) => `${provider}/model-${n}`));
const CLASSES = ['rate_limited', 'overloaded', 'server_error', 'timeout', 'unreachable', 'malformed'];

/** A request as they are: two attempts on average, a user of many, an id of the client's in half of them. */
function requestRow(at, n, requests, roll) {
  const tries = 1 + roll(3);
  const ledger_id = at.toString(16).padStart(12, '0') + randomBytes(10).toString('hex');
  // Each policy has a chain of its own, three targets of twelve.
  const chain = roll(20);
  const attempts = Array.from({ length: tries }, (_, seq) => attemptRow(at, seq, seq === tries - 1, TARGETS[(chain + seq) % TARGETS.length], roll));
  // Twice in all, in the oldest days.
  if (n === Math.floor(requests / 9) || n === Math.floor(requests / 8)) attempts[0] = { ...attempts[0], model: 'rare/model', outcome: 'timeout' };
  const refused = n === Math.floor(requests / 7);
  const outcome = refused ? 'content_policy' : 'ok';
  const policy = `policy-${chain}`;
  return {
    ledger_id, id: n % 2 ? ledger_id : `client-request-${n}`, at, policy, version: '1f3a9c02', workload: `workload-${roll(10)}`, route: 'chat', asked: `policy/${policy}`, outcome, status: refused ? 400 : 200,
    fallback: tries > 1, ms: 200 + roll(9000), ttft_ms: 100 + roll(900), user: `user-${Math.floor((USERS - 10) * (roll(10_000) / 10_000) ** 3)}`, group: `group-${roll(200)}`, key: `key-${roll(50)}`,
    key_id: 'b5'.repeat(32), colo: 'FRA', ...(n === Math.floor(requests / 6) ? { user: `user-${USERS - 2}` } : {}), attempts,
  };
}

function attemptRow(at, seq, last, model, roll) {
  const spent = { tokens: { input: 900 + roll(2000), output: 10 + roll(800) }, cost_micro_usd: 1000 + roll(9000) };
  const failed = { outcome: CLASSES[roll(CLASSES.length)], status: 503, code: 'overloaded_error', reason: 'the upstream says that it is overloaded, and to try again later' };
  return {
    seq, at, call: true, model, key: 'managed', headers_ms: 80 + roll(300), ms: 150 + roll(3000),
    ...(last ? { outcome: 'ok', status: 200, ttft_ms: 90 + roll(900), committed: true, billed: 'yes', ...spent } : failed),
  };
}

/** A small generator, so that a run can be run again. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * sides);
  };
}

const round2 = (n) => Math.round(n * 100) / 100;

function table(questions) {
  const rows = questions.map(({ name, kind, p50_ms, max_ms, pages }) => `| ${name} | ${p50_ms} | ${max_ms} | ${BUDGET[kind] ?? ''} | ${pages > 1 ? pages : ''} |`);
  return `\n| question | p50, ms | at most, ms | budget, ms | pages |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}`;
}

await main();
