// A short campaign of faults, the same each time: `npm run chaos` runs long ones. And the reconciliation itself, which is
// worth nothing unless it finds what is wrong.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { campaign } from '../chaos/campaign.mjs';
import { BAD_POLICIES, drawPolicy, mostCalls, versionOf } from '../chaos/draw.mjs';
import { FAULTS, wordsOf } from '../chaos/faults.mjs';
import { TARGETS, planOf } from '../chaos/plan.mjs';
import { dice } from '../chaos/random.mjs';
import { leaks, reconcile } from '../chaos/reconcile.mjs';
import { body, event, frames } from './upstream.mjs';
import { rig } from './rig.mjs';

test('a short campaign: three logs tell one story', async () => {
  // Its first 300 requests meet all faults in turn: drawn alone, the rare ones would come up or not by what the machine does.
  const report = await campaign({ seed: 8, requests: 900, turns: 300 });
  const told = report.violations.map(({ invariant, n, text }) => `${invariant}: ${text}\n${n === undefined ? '' : report.tell(n)}`);
  assert.deepEqual(told, []);
  assert.equal(report.kills, 1);
  assert.ok(report.faults.size > FAULTS.length * 0.8, `${report.faults.size} of ${FAULTS.length} faults were played`);
  assert.ok(report.counts.answers > 100 && report.counts.errors > 50 && report.counts.broken > 0, JSON.stringify(report.counts));
  const classes = ['ok', 'rate_limited', 'quota_exhausted', 'overloaded', 'server_error', 'timeout', 'unreachable', 'malformed', 'interrupted', 'auth', 'forbidden', 'not_found', 'context_length', 'content_policy', 'unsupported', 'invalid_request', 'cancelled'];
  assert.deepEqual(classes.filter((name) => !report.classes.has(name)), [], 'classes that never came up');
});

test('the same seed plans the same campaign, another seed another', () => {
  const text = (seed) => JSON.stringify([...Object.entries(planOf(seed, 400))].map(([name, value]) => [name, value instanceof Map ? [...value] : value]));
  assert.equal(text(3), text(3));
  assert.notEqual(text(3), text(4));
});

test('every drawn policy is one that the Worker takes, every bad one is not, and lint counts no more calls', async () => {
  const { worker } = await rig();
  await worker.put('provider:dead', { base_url: 'http://127.0.0.1:9/v1', auth: { header: 'authorization', scheme: 'Bearer', secret: 'ACME_API_KEY' } });
  for (let n = 0; n < 150; n++) {
    const policy = drawPolicy(dice('drawn', n), TARGETS, []);
    const answer = await worker.admin('/lint', { method: 'POST', body: policy });
    const { findings, worst_case: worst } = await answer.json();
    assert.deepEqual(findings.filter(({ severity }) => severity === 'error'), [], JSON.stringify(policy));
    assert.ok(worst.calls <= mostCalls(policy, {}), JSON.stringify(policy));
  }
  for (const text of BAD_POLICIES) assert.equal((await worker.admin('/policies/bad', { method: 'PUT', body: text })).status, 422, text);
});

describe('the reconciliation finds', () => {
  const plan = planOf(1, 1);
  plan.requests = [{ n: 0, route: 'chat', stream: false, model: 'policy/p', client: { does: 'waits' }, headers: {}, more: {} }];
  const policy = { chain: ['acme/m', 'other/m'], deadline_ms: 1000 };
  const version = versionOf(JSON.stringify(policy));
  plan.versions.set(version, { policy, most: 2, deadline: 1000 });
  const said = (words) => JSON.stringify(body('chat', words.join('')));
  const head = { 'x-understudy-request-id': 'c1-0', 'x-request-id': 'c1-0', 'x-understudy-policy': `p@${version}`, 'x-understudy-model': 'acme/m', 'x-understudy-attempts': '1', 'x-understudy-trail': 'acme/m=ok;200;5ms', 'content-type': 'application/json' };
  const call = { at: 10, target: 'acme/m', route: 'chat', fault: 'ok' };
  const row = { id: 'c1-0', outcome: 'ok', status: 200, model: 'acme/m', attempts: [{ seq: 0, call: true, model: 'acme/m', outcome: 'ok' }] };
  const client = { n: 0, sentAt: 0, endedAt: 100, status: 200, came: 'whole', headers: head, text: said(wordsOf(0, 0, 2)) };
  const logs = (more) => ({ plan, clients: [client], calls: new Map([[0, [call]]]), rows: [row], kills: [], edits: [], totals: { requests: 1 }, lost: 0, details: new Map(), idOf: (n) => `c1-${n}`, ...more });
  const found = (more) => [...new Set(reconcile(logs(more)).violations.map(({ invariant }) => invariant))].sort();
  const answered = (more) => ({ clients: [{ ...client, ...more }] });
  const streamed = (text) => {
    plan.requests[0].stream = true;
    const violations = found(answered({ headers: { ...head, 'content-type': 'text/event-stream' }, text }));
    plan.requests[0].stream = false;
    return violations;
  };
  const chunks = frames('chat', wordsOf(0, 0, 3), 'm');
  const empty = [...chunks.slice(0, 1), ...chunks.slice(-2)].join('');
  const garbage = [...chunks.slice(0, 1), 'data: {"broken\n\n', ...chunks.slice(1)].join('');
  const bare = event('error', { type: 'error', code: 'server_error', message: 'no', param: null, sequence_number: 9 });
  /** A stream of an upstream that is not in good form itself. */
  const untidy = (fault, text, recorded = {}, stream = {}, route = 'chat', wire = route) => {
    Object.assign(plan.requests[0], { route, stream: true });
    Object.assign(policy, { stream });
    const violations = found({ ...answered({ headers: { ...head, 'content-type': 'text/event-stream' }, text }), calls: new Map([[0, [{ ...call, route: wire, fault }]]]), rows: [{ ...row, ...recorded }] });
    Object.assign(plan.requests[0], { route: 'chat', stream: false });
    delete policy.stream;
    return violations;
  };
  const error = { status: 502, headers: { ...head, 'x-understudy-model': undefined, 'x-understudy-trail': 'acme/m=unreachable;-;5ms' }, text: '{"error": {"message": "no", "type": "upstream_error", "param": null, "code": null}}' };

  const CASES = {
    'nothing, when all is well': [() => found({}), []],
    'a mixed answer': [() => found(answered({ text: said([...wordsOf(0, 0, 1).slice(0, 1), ...wordsOf(0, 1, 1)]) })), ['unmixed']],
    'another request’s answer': [() => found(answered({ text: said(wordsOf(5, 0, 2)) })), ['unmixed']],
    'a truncated answer that looks finished': [() => found(answered({ text: said(wordsOf(0, 0, 2).slice(0, -1)) })), ['whole']],
    'a gap in an answer': [() => found(answered({ text: said(wordsOf(0, 0, 3).toSpliced(1, 1)) })), ['unmixed']],
    'an answer in another dialect': [() => found(answered({ text: JSON.stringify(body('messages', wordsOf(0, 0, 2).join(''))) })), ['answered', 'whole']],
    'an error of no API': [() => found({ ...answered({ ...error, text: '<html>502</html>' }), rows: [{ ...row, outcome: 'unreachable', status: 502 }] }), ['answered']],
    'no answer': [() => found(answered({ status: null, came: 'late', headers: {}, text: '' })), ['answered']],
    'a stream without an end': [() => streamed(chunks.slice(0, -1).join('')), ['agreed', 'answered']],
    'more after a stream’s end': [() => streamed([...chunks, chunks[1]].join('')), ['answered', 'unmixed', 'whole']],
    'a good stream': [() => streamed(chunks.join('')), []],
    'an empty answer that the ledger calls ok': [() => untidy('no content at all', empty), ['agreed']],
    'an empty answer that was piped, and recorded as such': [() => untidy('no content at all', empty, { outcome: 'malformed' }), []],
    'an empty answer that was inspected, and looks finished': [() => untidy('no content at all', empty, { outcome: 'malformed' }, { relay: 'inspect' }), ['whole']],
    'a bad event that was piped, and is called ok': [() => untidy('garbage between', garbage, { tokens: { estimated: true } }), ['agreed']],
    'a bad event that nobody could watch': [() => untidy('an event of 17 MB', garbage + ' '.repeat(2 << 20), { tokens: { estimated: true } }), []],
    'an error event of a responses upstream’s own, handed on at its 200': [() => untidy('an error first', bare, { outcome: 'server_error' }, { commit: 'headers' }, 'responses'), []],
    'an error event that the Python SDK does not raise on, written here': [() => untidy('an error first', bare, { outcome: 'server_error' }, {}, 'responses', 'chat'), ['answered']],
    'too many calls': [() => found({ calls: new Map([[0, [call, call, call]]]) }), ['bounded', 'recorded']],
    'a call after the deadline': [() => found({ details: new Map([['c1-0', { at: '2026-01-01T00:00:00.000Z', attempts: [{ call: true, at: '2026-01-01T00:00:01.600Z' }] }]]) }), ['deadline']],
    'a call after the answer': [() => found({ calls: new Map([[0, [{ ...call, at: 4000 }]]]) }), ['deadline']],
    'a call that is not in the ledger': [() => found({ rows: [{ ...row, attempts: [] }] }), ['recorded']],
    'a call in the ledger that nobody saw': [() => found({ calls: new Map([[0, []]]) }), ['recorded']],
    'a row that is missing': [() => found({ rows: [], totals: { requests: 0 } }), ['recorded']],
    'a row that was there when the process was killed': [() => found({ rows: [], totals: { requests: 0 }, kills: [{ from: 5000, died: 5100, to: 5200, lag: 5 }] }), ['recorded']],
    'no row, when it was killed soon after': [() => found({ rows: [], totals: { requests: 0 }, kills: [{ from: 900, died: 950, to: 1000, lag: 5 }] }), []],
    'no row of a slow reader that had the rest of its answer after the process was killed': [() => found({ ...answered({ endedAt: 9000 }), rows: [], totals: { requests: 0 }, kills: [{ from: 900, died: 950, to: 1000, lag: 5 }] }), []],
    'no row of a slow reader that the next process served': [() => found({ ...answered({ sentAt: 980, endedAt: 9000 }), rows: [], totals: { requests: 0 }, kills: [{ from: 900, died: 950, to: 1000, lag: 5 }] }), ['recorded']],
    'no row of a request that was sent again to the next process': [() => found({ ...answered({ endedAt: 9000 }), calls: new Map([[0, [{ ...call, at: 1010 }]]]), rows: [], totals: { requests: 0 }, kills: [{ from: 900, died: 950, to: 1000, lag: 5 }] }), ['recorded']],
    'a row twice': [() => found({ rows: [row, row], totals: { requests: 2 } }), ['recorded']],
    'an error that the ledger calls ok': [() => found(answered(error)), ['agreed']],
    'counters that differ': [() => found({ totals: { requests: 7 } }), ['counted']],
    'rows counted lost': [() => found({ lost: 1 }), ['counted']],
    'a good copy that was taken away': [() => {
      plan.requests[1] = { ...plan.requests[0], n: 1 };
      const invalid = { n: 1, sentAt: 200, endedAt: 300, status: 500, came: 'whole', headers: { 'x-understudy-request-id': 'c1-1', 'x-request-id': 'c1-1' }, text: '{"error": {"message": "bad", "type": "server_error", "code": "policy_invalid"}}' };
      return found({ clients: [client, invalid], edits: [{ key: 'p', bad: true, at: 150, done: 160 }] });
    }, ['copies']],
    'a bad edit that is not told': [() => found({ ...answered({ sentAt: 5000, endedAt: 5100 }), calls: new Map([[0, [{ ...call, at: 5010 }]]]), edits: [{ key: 'p', bad: true, at: 1000, done: 1010 }] }), ['copies']],
    'a bad edit that the store was slow to take': [() => found({ ...answered({ sentAt: 5000, endedAt: 5100 }), calls: new Map([[0, [{ ...call, at: 5010 }]]]), edits: [{ key: 'p', bad: true, at: 1000, done: 4000 }] }), []],
  };
  for (const [name, [run, expected]] of Object.entries(CASES)) test(name, () => assert.deepEqual(run(), expected));

  test('a secret, wherever it is', () => assert.deepEqual(leaks('x sk-1 y', { key: 'sk-1', other: 'sk-2' }), ['key']));
});
