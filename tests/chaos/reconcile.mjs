// Three logs of the same campaign: what clients got, what upstreams saw, what the ledger holds. They must tell one story.
import { boundOf, deadlineOf } from './plan.mjs';
import { examine } from './answers.mjs';

/** The ledger's promise: a batch is sent at the latest 1 s after its first row. What the machine may add comes on top: by how much
 * it was behind, measured on the plainest answer there is when it was killed. */
const unacknowledgedMs = (lag) => 1000 + 2000 + 10 * lag;
/** How late a call may reach the upstream after it was made: the way there, on a machine with other work. */
const ON_THE_WAY_MS = 1500;
/** By how much a piped stream may outrun whoever watches it. */
const OUTRUN_BYTES = 1 << 20;
/** A call with such an outcome may never have reached the upstream. */
const UNSEEN = new Set(['timeout', 'cancelled', 'unreachable', 'interrupted']);

/** What is checked, in the order of the report. */
export const INVARIANTS = {
  answered: 'every client got exactly one answer or error, in good form, in its own dialect',
  unmixed: 'no answer mixes two targets, and none is another request’s',
  whole: 'no truncated answer looks finished',
  bounded: 'calls never exceed the policy’s bound',
  deadline: 'no call after the deadline',
  recorded: 'every attempt an upstream saw is in the ledger exactly once',
  agreed: 'ledger and client agree on how a request ended',
  copies: 'a bad edit never takes the last good copy away, and is told',
  counted: 'the counters are the sum of the rows; nothing is counted lost',
  alive: 'nothing traps: the platform reports no failure of the Worker',
  secrets: 'no planted secret in answers, logs or ledger',
};

const OF_PROBLEM = [[/^words of|^word /, 'unmixed'], [/^a truncated answer/, 'whole'], [/./, 'answered']];

/**
 * Reconciles. `clients`: one record per request; `calls`: per request the upstream's records, by attempt; `rows`: the ledger's
 * list, `details` by id; `kills`: when it was asked
 * for, when the process was gone, when the next one served; `edits`: from when to when which document was made good or bad. Answers violations and counts.
 */
export function reconcile({ plan, clients, calls, rows, details, kills, edits, totals, lost, idOf }) {
  const violations = [];
  const counts = { requests: clients.length, answers: 0, broken: 0, errors: 0, left: 0, killed: 0, calls: 0, rows: rows.length, unacknowledged: 0, unseen: 0 };
  const byId = new Map();
  for (const row of rows) byId.set(row.id, [...(byId.get(row.id) ?? []), row]);
  const good = new Map();
  for (const got of clients) {
    const violate = (invariant, text) => violations.push({ invariant, n: got.n, text });
    const planned = plan.requests[got.n];
    const seen = calls.get(got.n) ?? [];
    const version = plan.versions.get(got.headers['x-understudy-policy']?.split('@')[1]);
    const found = examine(planned, got, seen, version);
    const killed = got.came === 'broken' && kills.some(({ from, to }) => got.sentAt <= to && got.endedAt >= from);
    counts.calls += seen.length;
    count(counts, got, found, killed);
    for (const text of found.problems) violate(OF_PROBLEM.find(([pattern]) => pattern.test(text))[1], text);
    if (got.came === 'late') violate('answered', 'no answer within two minutes');
    if (got.came === 'broken' && !killed && !mayBreak(planned, got, version)) violate('answered', `the connection broke: ${got.error}, after ${got.text.slice(-80)}`);
    copies({ plan, planned, got, found, edits, kills, good }, violate);
    bounds(planned, got, seen, version, details.get(idOf(got.n)), violate);
    ledger({ planned, got, found, seen, version, rows: byId.get(idOf(got.n)) ?? [], kills, killed, counts }, violate);
  }
  if (totals.requests !== rows.length) violations.push({ invariant: 'counted', text: `the counters have ${totals.requests} requests, the rows ${rows.length}` });
  if (lost !== 0) violations.push({ invariant: 'counted', text: `${lost} rows are counted lost or dropped` });
  return { violations, counts };
}

function count(counts, got, found, killed) {
  if (killed) counts.killed++;
  else if (got.came === 'left') counts.left++;
  else if (found.kind === 'answer') counts.answers++;
  else if (found.kind === 'error') counts.errors++;
  else counts.broken++;
}

/** Handed on at its 200, an answer that is no stream can only break off at the client too. */
const mayBreak = (planned, got, version) => !/event-stream/.test(got.headers['content-type']) && (version?.policy.stream?.commit === 'headers' || planned.route === 'embeddings');

function bounds(planned, got, seen, version, detail, violate) {
  const most = boundOf(planned, version);
  if (got.headers['x-understudy-policy'] !== undefined && version === undefined) violate('copies', `version ${got.headers['x-understudy-policy']} was never stored`);
  if ((version || !planned.model.startsWith('policy/')) && seen.length > most) violate('bounded', `${seen.length} calls, at most ${most} are allowed`);
  const deadline = deadlineOf(planned, version);
  for (const call of seen) if (got.came === 'whole' && call.at > got.endedAt + ON_THE_WAY_MS) violate('deadline', 'a call after the answer');
  for (const attempt of detail?.attempts ?? []) {
    const after = Date.parse(attempt.at) - Date.parse(detail.at);
    if (attempt.call && after >= deadline) violate('deadline', `a call after ${after} ms, the deadline was ${deadline} ms`);
  }
}

/**
 * Was it in the process that was killed, and did it end there at the earliest a batch's second before? When it ended there nobody
 * outside knows: at the latest when its client had it all, and a client that reads slowly finds the rest of a whole answer in its
 * own machine's buffers long after the process is gone.
 */
function mayBeUnacknowledged({ from, died, lag }, got, seen) {
  const begun = Math.max(got.sentAt, ...seen.map((call) => call.at));
  return begun <= died && got.endedAt >= from - unacknowledgedMs(lag);
}

/** Every call that was seen is in the one row of its request, and the row says of the end what the client saw. */
function ledger({ planned, got, found, seen, version, rows, kills, killed, counts }, violate) {
  if (rows.length > 1) return violate('recorded', `${rows.length} rows`);
  const planless = found.kind === 'error' && got.headers['x-understudy-trail'] === undefined;
  const [row] = rows;
  if (!row) {
    if (planless) return seen.length > 0 && violate('recorded', `${seen.length} calls for a request that was refused`);
    if (got.came === 'left') return void counts.unseen++;
    if (killed || kills.some((kill) => mayBeUnacknowledged(kill, got, seen))) return void counts.unacknowledged++;
    return violate('recorded', `no row; the client got ${got.status} ${got.came}, the upstream saw ${seen.length} calls`);
  }
  const recorded = row.attempts.filter((attempt) => attempt.call);
  for (const target of new Set([...seen.map((call) => call.target), ...recorded.map((attempt) => attempt.model)])) {
    const there = seen.filter((call) => call.target === target).length;
    const here = recorded.filter((attempt) => attempt.model === target);
    const maybe = here.filter((attempt) => UNSEEN.has(attempt.outcome)).length;
    if (there > here.length) violate('recorded', `the upstream saw ${there} calls of ${target}, the ledger has ${here.length}`);
    if (there < here.length - maybe) violate('recorded', `the ledger has ${here.length} calls of ${target}, the upstream saw ${there}`);
  }
  agree(row, { planned, got, found, seen, version }, violate);
}

function agree(row, { planned, got, found, seen, version }, violate) {
  if (got.came !== 'whole') return;
  if (found.kind === 'error' && (row.outcome === 'ok' || row.status !== got.status)) violate('agreed', `the client got an error ${got.status}, the ledger says ${row.outcome} ${row.status}`);
  if (found.kind === 'answer' && row.outcome !== 'ok' && !found.untidy) violate('agreed', `the client got an answer, the ledger says ${row.outcome}`);
  // What outran its observer was relayed unobserved from there, and its usage is an estimate: what came then is between the two ends.
  const unobserved = found.native && row.tokens?.estimated === true && got.text.length > OUTRUN_BYTES;
  if (found.empty && row.outcome === 'ok' && !unobserved) violate('agreed', 'the client got an empty answer, the ledger says ok');
  if (found.kind === 'broken' && row.outcome === 'ok' && !mayBreak(planned, got, version) && !(unobserved && found.untidy)) violate('agreed', 'the client’s stream broke, the ledger says ok');
  if (found.kind === 'answer' && found.by !== null && row.model !== null && seen[found.by] && seen[found.by].target !== row.model) violate('agreed', `${seen[found.by].target} answered, the ledger says ${row.model}`);
}

/** Good copies: once a process has served a document, no edit takes it away. */
function copies({ planned, got, found, edits, kills, good }, violate) {
  const [name, version] = got.headers['x-understudy-policy']?.split('@') ?? [];
  const life = kills.filter(({ to }) => to <= got.sentAt).length;
  if (found.kind === 'error' && /^(policy|rules)_invalid$/.test(found.code ?? '')) {
    const key = found.code === 'rules_invalid' ? 'rules' : planned.model.slice('policy/'.length);
    const since = good.get(`${life} ${key}`);
    if (since !== undefined && since < got.sentAt) violate('copies', `${found.code}, though a good copy was served before: ${found.message}`);
    if (!edits.some((edit) => edit.key === key && edit.bad && edit.at < got.endedAt)) violate('copies', `${found.code} without a bad edit: ${found.message}`);
    return;
  }
  if (got.status === null || got.came !== 'whole') return;
  const served = (key) => good.set(`${life} ${key}`, Math.min(good.get(`${life} ${key}`) ?? Infinity, got.endedAt));
  if (name) served(name);
  if (name || got.headers['x-understudy-trail']) served('rules');
  const stale = got.headers['x-understudy-policy-stale'] === 'true';
  const bad = (key) => edits.some((edit) => edit.key === key && edit.bad && edit.at < got.endedAt);
  if (stale && !bad(name) && !bad('rules')) violate('copies', `stale, but no edit of ${name} was bad`);
  if (!stale && name && stands(edits, name, got)) violate('copies', `a bad edit of ${name}@${version} stands, and the answer does not say so`);
}

/** Did a bad edit stand from well before the request to its end? */
function stands(edits, key, got) {
  const before = edits.filter((edit) => edit.key === key && edit.done < got.sentAt - 1500).at(-1);
  return before?.bad === true && !edits.some((edit) => edit.key === key && edit.at >= before.at && edit !== before && edit.at < got.endedAt + 1500);
}

/** Planted secrets found in a text. */
export const leaks = (text, canaries) => Object.entries(canaries).filter(([, secret]) => text.includes(secret)).map(([name]) => name);
