// How often an isolate asks the platform under a steady load: the ledger by the batch, KV once per document and TTL, however
// long both take to answer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chat } from '../bench/cases.mjs';
import { post, steady } from '../bench/load.mjs';
import { startUnderstudy, startUpstream } from '../bench/sides.mjs';

const SHARDS = 1;
const SECONDS = 4;
/** A batch leaves 1 s after its first row, or when it has 200. */
const BATCH_ROWS = 200;
const TTL_MS = 1_000;

let upstream;
let understudy;
before(async () => {
  upstream = await startUpstream();
  understudy = await startUnderstudy(upstream, { ledger: 'apart', distanceMs: 50, vars: { LEDGER_SHARDS: String(SHARDS), POLICY_TTL_MS: String(TTL_MS) } });
});
after(async () => {
  await understudy.close();
  upstream.close();
});

const load = async (seconds, key = understudy.key) => {
  const request = post('/v1/chat/completions', { authorization: `Bearer ${key}` }, chat('policy/two', 900));
  const done = await steady(understudy.port, request, { perSecond: 200, seconds });
  assert.equal(done.failed, 0, done.failure);
  return done;
};

test('a steady load calls the ledger once a second or when a batch is full, and reads a document once when its copy is old', async () => {
  await load(0.5);
  const reads = understudy.store.reads;
  const calls = await understudy.calls();
  const done = await load(SECONDS);
  const beats = Math.ceil(done.seconds) + 1;
  const called = (await understudy.calls()) - calls;
  assert.ok(called <= beats * (SHARDS + 1) + done.requests / BATCH_ROWS, `${called} calls for ${done.requests} requests in ${done.seconds} s`);
  // Key, policy, provider, rules and models.
  const read = understudy.store.reads - reads;
  assert.ok(read > 0 && read <= (beats * 1000 * 6) / TTL_MS, `${read} reads for ${done.requests} requests in ${done.seconds} s`);
});

test('a budget costs no call of its own under a steady load: each flush asks for what its key has spent', async () => {
  const made = await understudy.admin('/keys', { method: 'POST', body: { name: 'held', allow: ['policy/*'], budget_usd_per_day: 1000 } });
  const { key } = await made.json();
  await load(0.5, key);
  const calls = await understudy.calls();
  const done = await load(SECONDS, key);
  const beats = Math.ceil(done.seconds) + 1;
  const called = (await understudy.calls()) - calls;
  assert.ok(called <= beats * (SHARDS + 1) + done.requests / BATCH_ROWS, `${called} calls for ${done.requests} requests in ${done.seconds} s`);
});
