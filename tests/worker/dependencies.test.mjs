// What the Worker stands on fails: KV, the Durable Objects, the clock, its own isolate. Answers go on; what cannot be known is
// said; what cannot be kept is counted.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startFaulty } from './faulty.mjs';
import { refused } from './rig.mjs';
import { STALL, answer, frames, sse, startUpstream, status } from './upstream.mjs';
import { saidIn, sleep, startWorker } from './worker.mjs';

const upstream = await startUpstream();
after(() => upstream.close());

/** A Worker with faults of its own, and a provider that leads to the scripted upstream. */
async function start(t, options = {}) {
  const worker = await startFaulty(options);
  t.after(() => worker.close());
  await worker.put('provider:acme', upstream.provider('acme'));
  return worker;
}

const HEALTHY = { kv: null, ledger: null, skewMs: 0 };
const MODES = {
  fail: {
    kv: 'KV fails: the last good copy serves, without one 503 says so',
    ledger: 'the ledger fails: answers are what they were, and their rows come when it is back',
    budget: 'the ledger fails: a key with a budget is let pass, and soon',
  },
  hang: {
    kv: 'KV hangs: the last good copy serves, without one 503 says so',
    ledger: 'the ledger hangs: answers are what they were, and their rows come when it is back',
    budget: 'the ledger hangs: a key with a budget is let pass, and soon',
  },
};

for (const [mode, names] of Object.entries(MODES)) {
  test(names.kv, { timeout: 60_000 }, async (t) => {
    const worker = await start(t);
    await worker.put('policy:known', { chain: ['acme/m'] });
    await worker.put('policy:unknown', { chain: ['acme/m'] });
    assert.equal((await worker.chat('policy/known')).status, 200);
    await worker.faults({ kv: mode });
    const started = performance.now();
    const known = await worker.chat('policy/known');
    assert.equal(known.status, 200, await known.text());
    assert.ok(performance.now() - started < 10_000, 'it waited for the store although it had a copy');
    const error = await refused(await worker.chat('policy/unknown'), 503, 'store_unavailable', 'policy:unknown');
    assert.ok(!error.message.includes('\n'), error.message);
    const messages = await worker.post('/v1/messages', { model: 'policy/unknown', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] });
    assert.equal(messages.status, 503);
    assert.equal((await messages.json()).type, 'error');
    await worker.faults(HEALTHY);
    assert.equal((await worker.chat('policy/unknown')).status, 200, 'it is asked again once it is back');
  });

  test(`KV ${mode}s under a copy that is young enough: nobody asks it`, async (t) => {
    const worker = await start(t, { vars: { POLICY_TTL_MS: '60000' } });
    await worker.put('policy:p', { chain: ['acme/m'] });
    assert.equal((await worker.chat('policy/p')).status, 200);
    await worker.faults({ kv: mode });
    const started = performance.now();
    for (let n = 0; n < 5; n++) assert.equal((await worker.chat('policy/p')).status, 200);
    assert.ok(performance.now() - started < 900, `${performance.now() - started} ms`);
  });

  if (mode === 'hang') test('KV hangs and the client whose request read it leaves: an edit is seen a second later all the same', async (t) => {
    const worker = await start(t, { vars: { POLICY_TTL_MS: '100' } });
    const version = async () => (await worker.chat('policy/p')).headers.get('x-understudy-policy');
    await worker.put('policy:p', { chain: ['acme/m'] });
    const before = await version();
    await sleep(150);
    const { kvReads } = await worker.faults({ kv: 'hang' });
    const leaving = new AbortController();
    const left = worker.chat('policy/p', {}, {}, { signal: leaving.signal }).catch(() => {});
    while ((await worker.faults()).kvReads === kvReads) await sleep(5);
    leaving.abort();
    await left;
    await worker.faults(HEALTHY);
    await worker.put('policy:p', { chain: ['acme/m', 'acme/other'] });
    const started = performance.now();
    while ((await version()) === before) await sleep(50);
    assert.ok(performance.now() - started < 3000, `${performance.now() - started} ms`);
  });

  test(names.ledger, { timeout: 90_000 }, async (t) => {
    const worker = await start(t);
    await worker.put('policy:p', { chain: ['acme/fails', 'acme/m'] });
    upstream.on('acme/fails', status(503));
    await worker.chat('policy/p');
    await worker.faults({ ledger: mode });
    const ids = [];
    for (let n = 0; n < 20; n++) {
      const started = performance.now();
      const response = await worker.chat('policy/p', { stream: n % 2 === 1 });
      assert.equal(response.status, 200);
      assert.ok((await response.text()).includes('Hello'));
      assert.ok(performance.now() - started < 3000, `answer ${n} waited for the ledger: ${performance.now() - started} ms`);
      ids.push(response.headers.get('x-understudy-request-id'));
    }
    const unread = await worker.admin(`/requests/${ids[0]}`);
    assert.equal(unread.status, 503, await unread.text());
    await worker.faults(HEALTHY);
    const until = Date.now() + 40_000;
    let missing = ids;
    while (missing.length > 0 && Date.now() < until) {
      // Rows go with the next request that is recorded.
      await worker.chat('acme/m');
      await sleep(1500);
      const found = await Promise.all(missing.map(async (id) => (await worker.admin(`/requests/${id}`)).status));
      missing = missing.filter((_, i) => found[i] !== 200);
    }
    assert.deepEqual(missing, []);
    const { others } = await (await worker.admin(`/requests/${ids[0]}`)).json();
    assert.deepEqual(others, [], 'a row came twice');
  });

  test(names.budget, async (t) => {
    const worker = await start(t, { vars: { AUTH: 'keys' } });
    const { key } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'web', budget_usd_per_day: 5 } })).json();
    await worker.faults({ ledger: mode });
    const started = performance.now();
    const response = await worker.chat('acme/m', {}, { authorization: `Bearer ${key}` });
    assert.equal(response.status, 200, await response.text());
    assert.ok(performance.now() - started < 4000, `${performance.now() - started} ms`);
  });
}

test('the ledger is down for long: 10,000 rows wait, the oldest beyond are dropped, counted, and said', { timeout: 240_000 }, async (t) => {
  const worker = await start(t, { vars: { POLICY_TTL_MS: '60000', LEDGER_SHARDS: '1' } });
  await worker.chat('sim/echo');
  await sleep(1500);
  await worker.faults({ ledger: 'fail' });
  const sent = 10_600;
  let left = sent;
  const one = async () => {
    while (left-- > 0) {
      const response = await worker.chat('sim/echo');
      await response.arrayBuffer();
      assert.equal(response.status, 200);
    }
  };
  await Promise.all(Array.from({ length: 24 }, one));
  await worker.faults(HEALTHY);
  const sample = (metrics, name) => Number(metrics.match(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'm'))?.[1]);
  let metrics = '';
  let extra = 1;
  for (const until = Date.now() + 60_000; Date.now() < until; extra++) {
    await worker.chat('sim/echo');
    await sleep(1500);
    metrics = await (await worker.admin('/metrics')).text();
    if (sample(metrics, 'understudy_isolate_waiting_rows') === 0) break;
  }
  const dropped = sample(metrics, 'understudy_ledger_dropped_total');
  assert.ok(dropped >= sent - 10_000 - 400 && dropped <= sent - 10_000 + 400, `${dropped} dropped\n${metrics.slice(-1500)}`);
  await sleep(2500);
  const { totals } = await (await worker.admin('/analytics')).json();
  assert.equal(totals.requests + dropped, sent + extra + 1, 'every request is in the ledger, or counted as dropped');
  assert.ok(worker.logs.some(({ message }) => message.includes('ledger_unanswered')), 'nobody was told');
});

test('a cursor that the store refuses is a 400, and a store that is down a 503', async (t) => {
  const worker = await start(t);
  for (const name of ['one', 'two']) await worker.put(`policy:${name}`, { chain: ['acme/m'] });
  const { next } = await (await worker.admin('/policies?limit=1')).json();
  for (const path of ['/policies', '/keys']) {
    const page = () => worker.admin(`${path}?after=${encodeURIComponent(next)}`);
    await worker.faults({ kv: 'cursors' });
    assert.equal((await refused(await page(), 400, 'invalid_parameter')).param, 'after');
    await worker.faults({ kv: 'fail' });
    await refused(await page(), 503, 'store_unavailable');
    await worker.faults(HEALTHY);
    assert.equal((await page()).status, 200);
  }
});

test('the clock jumps ahead: what is under way ends, what comes next is served', async (t) => {
  const worker = await start(t);
  await worker.put('policy:p', { chain: ['acme/m'], stream: { commit: 'first_content' } });
  upstream.on('acme/m', (call) => (call.streaming ? sse(frames('chat', ['a', 'b', 'c']).flatMap((frame) => [frame, 300])) : answer('Hello')(call)));
  const stream = await worker.chat('policy/p', { stream: true });
  await worker.faults({ skewMs: 3_600_000 });
  const said = await stream.text();
  assert.ok(said.includes('[DONE]') ? saidIn(said) === 'abc' : said.includes('"error"'), said);
  assert.equal((await worker.chat('policy/p')).status, 200);
});

test('the clock is set back: waits, copies and batches end when they would have', { timeout: 60_000 }, async (t) => {
  const worker = await start(t, { vars: { POLICY_TTL_MS: '300' } });
  await worker.put('policy:p', { chain: [{ model: 'acme/back', retries: 1 }], backoff: { initial_ms: 800, jitter: 0 } });
  assert.equal((await worker.chat('policy/p')).status, 200);
  upstream.on('acme/back', status(503), answer('again'));
  const waiting = worker.chat('policy/p');
  await sleep(300);
  await worker.faults({ skewMs: -3_600_000 });
  const started = performance.now();
  const response = await waiting;
  assert.equal(response.status, 200, await response.clone().text());
  assert.ok(performance.now() - started < 5000, 'it waited for the clock');
  await worker.recorded(response.headers.get('x-understudy-request-id'));
  await worker.put('policy:p', { chain: ['acme/other'] });
  await sleep(600);
  assert.equal((await worker.chat('policy/p')).headers.get('x-understudy-model'), 'acme/other', 'a copy was kept for ever');
  upstream.on('acme/stalls', sse(frames('chat', ['a']).slice(0, 2), STALL));
  await worker.put('policy:s', { chain: ['acme/stalls'], timeouts: { idle_ms: 400 } });
  const stalls = await worker.chat('policy/s', { stream: true });
  await worker.faults({ skewMs: -7_200_000 });
  assert.ok((await stalls.text()).includes('stream_timeout'));
});

test('isolate and objects are gone: policies, rows and keys are there again', async (t) => {
  const worker = await start(t, { vars: { AUTH: 'keys' } });
  await worker.put('policy:p', { chain: ['acme/m'] });
  const { key } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'web' } })).json();
  const ask = () => worker.chat('policy/p', {}, { authorization: `Bearer ${key}` });
  const id = (await ask()).headers.get('x-understudy-request-id');
  await worker.recorded(id);
  await worker.evict();
  assert.equal((await ask()).status, 200);
  await worker.recorded(id);
  await worker.restart();
  await worker.recorded(id);
  assert.equal((await ask()).status, 200);
});

test('an edit through the API while a request reads what stood before: the next request has the edit', async (t) => {
  const worker = await start(t, { vars: { POLICY_TTL_MS: '600000' } });
  const put = async (name, document) => assert.equal((await worker.admin(`/policies/${name}`, { method: 'PUT', body: document })).status, 200);
  const answers = async (name) => {
    const response = await worker.chat(`policy/${name}`);
    assert.equal(response.status, 200, await response.text());
    return response.headers.get('x-understudy-model');
  };
  // The policy itself comes late, or a provider after it: its plan is made of what was read first.
  for (const [name, key] of [['late', 'policy:late'], ['later', 'provider:later']]) {
    await worker.put(`provider:${name}`, upstream.provider(name));
    await worker.put(`policy:${name}`, { chain: [`${name}/before`] });
    const { kvReads } = await worker.faults({ slow: { [key]: [1500] } });
    const first = answers(name);
    while ((await worker.faults()).kvReads < kvReads + 2) await sleep(10);
    await sleep(100);
    await put(name, { chain: ['acme/after'] });
    await first;
    for (let n = 0; n < 3; n++) assert.equal(await answers(name), 'acme/after', `${key} came late, then request ${n}`);
  }
});

test('two isolates with different copies of a policy: each says which one it serves, and both come to the newest', async (t) => {
  const worker = await startWorker({ twin: true, vars: { POLICY_TTL_MS: '3000' } });
  t.after(() => worker.close());
  await worker.put('provider:acme', upstream.provider('acme'));
  const ask = async (url) => {
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'policy/two', messages: [{ role: 'user', content: 'Hi' }] }) });
    const said = (name) => response.headers.get(`x-understudy-${name}`);
    return { model: said('model'), policy: said('policy'), id: said('request-id') };
  };
  await worker.put('policy:two', { chain: ['acme/before'] });
  const before = await ask(worker.url);
  await worker.put('policy:two', { chain: ['acme/after'] });
  // The second isolate has no copy yet; that of the first is young.
  const after = await ask(worker.twin.url);
  const still = await ask(worker.url);
  assert.deepEqual([before.model, still.model, after.model], ['acme/before', 'acme/before', 'acme/after']);
  assert.equal(still.policy, before.policy);
  assert.notEqual(after.policy, before.policy);
  for (const { id, policy } of [still, after]) assert.equal(`two@${(await worker.recorded(id)).version}`, policy);
  await sleep(3200);
  assert.equal((await ask(worker.url)).policy, after.policy);
});
