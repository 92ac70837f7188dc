// One campaign: the Worker on workerd, an upstream that fails in every way, clients of every kind, edits and kills; then the
// three logs are reconciled.
import { startUpstream, routeOf } from '../worker/upstream.mjs';
import { sleep, startWorker } from '../worker/worker.mjs';
import { startClients } from './clients.mjs';
import { play } from './faults.mjs';
import { RULES, bodyOf, planOf } from './plan.mjs';
import { dice } from './random.mjs';
import { INVARIANTS, leaks, reconcile } from './reconcile.mjs';

const PATHS = { chat: '/v1/chat/completions', responses: '/v1/responses', messages: '/v1/messages', completions: '/v1/completions', embeddings: '/v1/embeddings' };
/** How long the ledger may take to have the last row: readable within 2 s, and a machine with other work. */
const SETTLE_MS = 4000;

/**
 * Runs the campaign of a seed; answers what was found. The first calls of the first `turns` requests meet the faults in turn.
 * `onProgress(done)` is told now and then.
 */
export async function campaign({ seed, requests, turns = 0, concurrency = 48, onProgress = () => {} }) {
  const plan = planOf(seed, requests);
  const stage = await setStage(plan, turns);
  const started = performance.now();
  try {
    await perform(plan, stage, concurrency, onProgress);
    const seconds = (performance.now() - started) / 1000;
    await sleep(SETTLE_MS);
    return { ...conclude(plan, stage, await readLedger(stage)), seed, seconds };
  } finally {
    await stage.close();
  }
}

async function setStage(plan, turns) {
  const canaries = {
    'the managed key': `sk-managed-canary-${plan.seed}-0123456789abcdef`,
    'the caller’s own key': `sk-own-canary-${plan.seed}-0123456789abcdef`,
    'the admin token': `admin-canary-${plan.seed}-0123456789abcdef`,
    'the prompt': `prompt-canary-${plan.seed}`,
  };
  const stage = { plan, turns, canaries, calls: new Map(), clients: [], kills: [], edits: [], faults: new Map(), up: Promise.resolve() };
  stage.upstream = await startUpstream({ keep: false, otherwise: (call) => scripted(stage, call) });
  stage.worker = await startWorker({ vars: { AUTH: 'keys', POLICY_TTL_MS: '200' }, secrets: { ACME_API_KEY: canaries['the managed key'], ADMIN_TOKEN: canaries['the admin token'] } });
  stage.sender = startClients();
  stage.close = async () => (stage.sender.close(), await stage.worker.close(), await stage.upstream.close());
  await furnish(stage);
  return stage;
}

/** Providers, policies and a gateway key. */
async function furnish({ plan, worker, upstream, canaries, ...stage }) {
  await worker.put('provider:acme', upstream.provider('acme'));
  await worker.put('provider:other', upstream.provider('other'));
  await worker.put('provider:claude', upstream.provider('claude', { dialect: 'anthropic', auth: { header: 'x-api-key', secret: 'ACME_API_KEY' } }));
  await worker.put('provider:dead', { ...upstream.provider('dead'), base_url: 'http://127.0.0.1:9/v1' });
  await worker.put('rules', RULES);
  for (const [name, text] of Object.entries(plan.first)) await worker.put(`policy:${name}`, text);
  const made = await admin({ worker, canaries, ...stage }, '/keys', { method: 'POST', body: JSON.stringify({ name: 'chaos', group: 'campaign' }) });
  canaries['the gateway key'] = made.key;
}

/** An answer of the admin API. */
async function admin({ worker, canaries }, path, { method = 'GET', body, text = false } = {}) {
  const answer = await fetch(`${worker.url}/admin${path}`, { method, body, headers: { authorization: `Bearer ${canaries['the admin token']}` } });
  if (!answer.ok) throw new Error(`${method} /admin${path}: ${answer.status} ${await answer.text()}`);
  return text ? answer.text() : answer.json();
}

/** What the upstream does with a call: drawn from the seed, the request and the attempt, and written down. */
function scripted({ plan, turns, calls, faults, canaries }, call) {
  const request = Number(call.body.match(/chaos r=(\d+);/)?.[1] ?? -1);
  const seen = calls.get(request) ?? [];
  calls.set(request, seen);
  const attempt = seen.length;
  const key = call.headers.authorization ?? call.headers['x-api-key'] ?? '';
  const leak = dice(plan.seed, 'leak', request, attempt).pick([key, canaries['the managed key'], '']);
  const turn = attempt === 0 && request < turns ? request : undefined;
  const { name, steps } = play(call, dice(plan.seed, 'call', request, attempt), { request, attempt, leak, health: call.model, turn });
  seen.push({ at: call.at, target: call.target, route: routeOf(call.path), fault: name, keyed: key.includes('canary') });
  faults.set(name, (faults.get(name) ?? 0) + 1);
  return steps;
}

async function perform(plan, stage, concurrency, onProgress) {
  let next = 0;
  let done = 0;
  const runner = async () => {
    while (next < plan.count) {
      const n = next++;
      for (const event of plan.events.get(n) ?? []) stage.up = stage.up.then(() => happen(event, stage));
      await stage.up;
      stage.clients[n] = await ask(plan.requests[n], stage);
      if (++done % 100 === 0) onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, runner));
}

/** An edit, good or bad, by KV or through the admin API; or the end of the process, and another in its place. */
async function happen(event, stage) {
  if (event.kind === 'kill') {
    const asked = performance.now();
    await (await stage.worker.fetch('/healthz')).arrayBuffer();
    const from = performance.now();
    await stage.worker.stop();
    const died = performance.now();
    await stage.worker.start();
    stage.kills.push({ from, died, to: performance.now(), lag: from - asked });
    return;
  }
  const key = event.key ?? event.name;
  const edit = { key, bad: event.kind === 'spoil', at: performance.now() };
  if (event.through === 'admin') await admin(stage, `/policies/${event.name}`, { method: 'PUT', body: event.text });
  else await stage.worker.put(event.key ?? `policy:${event.name}`, event.text);
  stage.edits.push({ ...edit, done: performance.now() });
}

function ask(planned, { plan, worker, sender, canaries }) {
  const headers = { authorization: `Bearer ${canaries['the gateway key']}`, 'x-understudy-request-id': idOf(plan, planned.n), ...planned.headers };
  if (headers['x-understudy-key-acme']) headers['x-understudy-key-acme'] = canaries['the caller’s own key'];
  return sender.send(worker.url + PATHS[planned.route], planned, headers, JSON.stringify(bodyOf(planned, canaries['the prompt'])));
}

const idOf = (plan, n) => `c${plan.seed}-${n}`;

/** All that the ledger holds, read as anybody would read it. */
async function readLedger(stage) {
  const rows = [];
  const texts = [];
  for (let before = ''; before !== null; ) {
    const text = await admin(stage, `/requests?limit=500${before ? `&before=${before}` : ''}`, { text: true });
    const page = JSON.parse(text);
    texts.push(text);
    rows.push(...page.data);
    before = page.next;
  }
  // Reasons, codes and the moments of calls are in the details alone.
  const details = new Map();
  const wanted = rows.filter((row) => row.outcome !== 'ok' || row.calls > 1);
  const reader = async () => {
    for (let row; (row = wanted.pop()); ) {
      const text = await admin(stage, `/requests/${row.id}`, { text: true });
      texts.push(text);
      details.set(row.id, JSON.parse(text));
    }
  };
  await Promise.all(Array.from({ length: 12 }, reader));
  const metrics = await admin(stage, '/metrics', { text: true });
  const { totals } = await admin(stage, '/analytics');
  const sample = (name) => Number(metrics.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'm'))?.[1] ?? NaN);
  return { rows, details, texts: [...texts, metrics], totals, lost: sample('understudy_ledger_lost_total') + sample('understudy_ledger_dropped_total') };
}

function conclude(plan, stage, { rows, details, texts, totals, lost }) {
  const { clients, calls, kills, edits, faults, canaries, worker } = stage;
  const { violations, counts } = reconcile({ plan, clients, calls, rows, details, kills, edits, totals, lost, idOf: (n) => idOf(plan, n) });
  const search = (where, text, n) => leaks(text, canaries).forEach((secret) => violations.push({ invariant: 'secrets', n, text: `${secret} in ${where}` }));
  texts.forEach((text) => search('the ledger', text));
  search('the logs', worker.logs.map((line) => line.message).join('\n'));
  for (const got of clients) if (!handedOn(plan, got)) search('an answer', `${JSON.stringify(got.headers)}\n${got.text}`, got.n);
  for (const { message } of worker.logs) if (/Uncaught|wasm-bindgen|RuntimeError|panicked/.test(message) && !message.includes('the upstream broke off')) violations.push({ invariant: 'alive', text: message.slice(0, 300) });
  const classes = new Map();
  for (const row of rows) for (const attempt of row.attempts) classes.set(attempt.outcome, (classes.get(attempt.outcome) ?? 0) + 1);
  return { violations, counts, faults, classes, kills: kills.length, edits: edits.length, invariants: INVARIANTS, tell: (n) => tell(plan, stage, rows, n) };
}

/**
 * Piped from its 200 on, a stream is handed on unread, and so is JSON, however streams are relayed: what its upstream puts in it is
 * between the two of them.
 */
function handedOn(plan, got) {
  const { stream } = plan.versions.get(got.headers['x-understudy-policy']?.split('@')[1])?.policy ?? {};
  const piped = stream?.relay !== 'inspect' || !plan.requests[got.n]?.stream;
  return stream?.commit === 'headers' && piped && got.status === 200;
}

/** All that is known of one request, for people. */
function tell(plan, { clients, calls }, rows, n) {
  const got = clients[n];
  const policy = plan.versions.get(got.headers['x-understudy-policy']?.split('@')[1])?.policy;
  const lines = { planned: plan.requests[n], policy, upstream: calls.get(n), client: { ...got, text: got.text.slice(-400) }, row: rows.filter((row) => row.id === idOf(plan, n)) };
  return Object.entries(lines).map(([name, value]) => `    ${name}: ${JSON.stringify(value)}`).join('\n');
}
