// Every document is edited in KV and applies without a deploy: within POLICY_TTL_MS in the isolate, and a bad edit keeps the
// last good copy and says so.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { QUICK, refused, rig, servedBy } from './rig.mjs';
import { answer, openaiError, status } from './upstream.mjs';
import { sleep, startWorker, unique } from './worker.mjs';

const { worker, upstream, policy } = await rig();
const stale = (response) => response.headers.get('x-understudy-policy-stale');

/** Each kind of document, what is good and changed and bad in it, and how an answer shows which of the first two was used. */
function kinds(on) {
  const name = unique('live');
  upstream.on(`acme/${name}-a`, answer('a'));
  upstream.on(`acme/${name}-b`, answer('b'));
  const said = async (response) => (response.status === 200 ? (await response.json()).choices[0].message.content : `${response.status} ${(await response.json()).error.code}`);
  const ask = async (model, more) => {
    const response = await on.chat(model, more);
    return { response, said: await said(response) };
  };
  return {
    policy: { key: `policy:${name}`, docs: [{ chain: [`acme/${name}-a`] }, { chain: [`acme/${name}-b`] }, { chain: [{ model: `acme/${name}-a`, retries: 11 }] }], shown: ['a', 'b'], ask: () => ask(`policy/${name}`) },
    'policy, by what it leads to': { key: `policy:${name}-to`, docs: [{ chain: [`acme/${name}-a`] }, { chain: [`acme/${name}-b`] }, { chain: ['nosuch/provider', `acme/${name}-a`] }], shown: ['a', 'b'], ask: () => ask(`policy/${name}-to`) },
    'nested policy': {
      key: `policy:${name}-inner`, docs: [{ chain: [`acme/${name}-a`] }, { chain: [`acme/${name}-b`] }, '{"chain"'], shown: ['a', 'b'],
      before: () => on.put(`policy:${name}-outer`, { chain: [`policy/${name}-inner`] }), ask: () => ask(`policy/${name}-outer`),
    },
    rules: {
      key: 'rules', shown: ['a', 'b'], ask: () => ask(`acme/${name}-fails`),
      before: () => (upstream.on(`acme/${name}-fails`, status(404)), undefined),
      docs: [...['a', 'b'].map((letter) => ({ rules: { r: { when: { model: `acme/${name}-fails` }, then: { fallback: [`acme/${name}-${letter}`] } } }, rulesets: [{ name: 's', rules: ['r'] }] })), { rules: { r: { then: { fallback: 7 } } } }],
    },
    models: { key: 'models', docs: [{ 'acme/fast': { id: `${name}-a` } }, { 'acme/fast': { id: `${name}-b` } }, { 'acme/fast': { idd: 'x' } }], shown: ['a', 'b'], ask: () => ask('acme/fast') },
    provider: {
      key: `provider:${name}`, shown: ['a', 'b'], ask: () => ask(`${name}/m`),
      before: () => (upstream.on(`${name}-a/m`, answer('a')), upstream.on(`${name}-b/m`, answer('b')), undefined),
      docs: [upstream.provider(`${name}-a`), upstream.provider(`${name}-b`), { base_url: 'http://llm.example.com/v1', dialect: 'openai' }],
    },
  };
}

for (const kind of Object.keys(kinds(worker))) {
  test(`${kind}: edited, spoilt, mended, deleted`, async () => {
    const { key, docs, shown, ask, before } = kinds(worker)[kind];
    await before?.();
    for (const [doc, expected, isStale] of [[docs[0], shown[0], null], [docs[1], shown[1], null], [docs[2], shown[1], 'true'], [docs[2], shown[1], 'true'], [docs[0], shown[0], null]]) {
      await worker.put(key, doc);
      const { response, said } = await ask();
      assert.deepEqual([said, stale(response)], [expected, isStale], JSON.stringify(doc));
    }
    await worker.remove(key);
    const deleted = await ask();
    if (kind === 'nested policy') {
      assert.deepEqual([deleted.said, stale(deleted.response)], [shown[0], 'true'], 'the policy around it still leads there');
      return;
    }
    assert.notEqual(deleted.said, shown[0], `${kind} is deleted`);
    assert.equal(stale(deleted.response), null);
    // Nothing good is known of a document that was deleted: the bad one is told.
    await worker.put(key, docs[2]);
    assert.match((await ask()).said, /^500 (policy|rules|models|provider)_invalid$/);
    await worker.remove(key);
  });
}

test('a bad edit is logged once, with key, message and what serves', async () => {
  const p = await policy([answer()]);
  servedBy(await worker.chat(p.model), p, 1);
  for (const document of [{ chain: [{ model: 'acme/x', retries: 11 }] }, { chain: ['nosuch/provider'] }]) {
    await worker.put(`policy:${p.name}`, document);
    const before = worker.logs.length;
    for (let n = 0; n < 3; n++) assert.equal(stale(await worker.chat(p.model)), 'true');
    const lines = worker.logs.slice(before).filter(({ message }) => message.includes('document_invalid') && message.includes(`policy:${p.name}`));
    assert.equal(lines.length, 1, JSON.stringify(worker.logs.slice(before)));
    assert.match(lines[0].message, /the last good copy keeps serving/);
  }
});

test('an edit is seen within POLICY_TTL_MS, and not read for before', async () => {
  const slow = await startWorker({ vars: { POLICY_TTL_MS: '3000' } });
  after(() => slow.close());
  await slow.put('provider:acme', upstream.provider('acme'));
  for (const kind of ['policy', 'models']) {
    const { key, docs, shown, ask } = kinds(slow)[kind];
    /** Asks until the answer is that one, and says after how long. */
    const until = async (expected) => {
      const started = performance.now();
      while ((await ask()).said !== expected) {
        assert.ok(performance.now() - started < 8000, `${kind} is still as it was`);
        await sleep(50);
      }
      return performance.now() - started;
    };
    await slow.put(key, docs[0]);
    await until(shown[0]);
    await slow.put(key, docs[1]);
    const ms = await until(shown[1]);
    assert.ok(ms > 300, `the young copy served, not a read for each request: ${ms} ms`);
  }
});

test('a plan that is kept for all holds nothing of one request: what that one says is its own', async () => {
  const kept = await startWorker({ vars: { POLICY_TTL_MS: '600000' } });
  after(() => kept.close());
  await kept.put('provider:acme', upstream.provider('acme'));
  const name = unique('kept');
  upstream.on(`acme/${name}-1`, status(503));
  upstream.on(`acme/${name}-2`, answer('second'));
  upstream.on(`acme/${name}-3`, answer('third'));
  await kept.put(`policy:${name}`, { chain: [{ model: `acme/${name}-1`, retries: 1 }, `acme/${name}-2`], breaker: null, ...QUICK });
  const REQUESTS = {
    'nothing of its own': [{}, {}, `503 503 2`],
    'it is sent again by its SDK': [{}, { 'x-stainless-retry-count': '1' }, '503 2'],
    'the first hop only': [{}, { 'x-understudy-no-fallback': 'true' }, '503 503 consent'],
    'verdicts of its own': [{ understudy: { on: { overloaded: 'next' } } }, {}, '503 2'],
    'hops of its own': [{ models: [`acme/${name}-3`] }, {}, '503 503 3'],
    'a key of its own': [{}, { 'x-understudy-key-acme': 'sk-own-0123456789' }, '503 503 2'],
    'a user of its own': [{ user: 'ann' }, {}, '503 503 2'],
    'needs of its own': [{ messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }] }] }, {}, '503 503 2'],
  };
  const went = async ([more, headers]) => {
    const response = await kept.chat(`policy/${name}`, more, headers);
    await response.text();
    return (response.headers.get('x-understudy-trail') ?? '').split(', ').map((entry) => (entry.includes('=ok;') ? entry.match(/-(\d)=/)[1] : entry.match(/;(\d+);/)?.[1] ?? entry.match(/skip:(\w+)/)?.[1])).join(' ');
  };
  // Whoever comes first: the plan may be made of that request, and the next one is another's.
  for (const [first, one] of Object.entries(REQUESTS)) {
    await kept.admin(`/policies/${unique('other')}`, { method: 'PUT', body: { chain: ['acme/other'] } });
    for (const [then, other] of Object.entries(REQUESTS)) {
      assert.equal(await went(one), one[2], first);
      assert.equal(await went(other), other[2], `${first}, then ${then}`);
    }
  }
});

test('load balance: weights as shares, a canary between two policies, each with its own fallbacks', async () => {
  const draws = async (model, count, more = () => ({})) => {
    const seen = {};
    for (let n = 0; n < count; n++) {
      const response = await worker.chat(model, more(n));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('x-understudy-fallback'), 'false', 'the one drawn is the first');
      const target = response.headers.get('x-understudy-model');
      seen[target] = (seen[target] ?? 0) + 1;
      await response.text();
    }
    return seen;
  };
  const [stable, canary] = [await policy([answer(), answer()], QUICK), await policy([answer(), answer()], QUICK)];
  const name = unique('canary');
  await worker.put(`policy:${name}`, { type: 'load_balance', chain: [{ model: stable.model, weight: 30 }, { model: canary.model, weight: 10 }] });
  const seen = await draws(`policy/${name}`, 240);
  assert.deepEqual(Object.keys(seen).sort(), [stable.targets[0], canary.targets[0]].sort());
  // 60 of 240 are expected, give or take 7; five times that is what no bad luck explains.
  assert.ok(seen[canary.targets[0]] > 26 && seen[canary.targets[0]] < 94, JSON.stringify(seen));
  // The drawn policy's own fallback comes first, then the other policy.
  upstream.on(canary.targets[0], status(404));
  upstream.on(canary.targets[1], status(404));
  await worker.put(`policy:${name}`, { type: 'load_balance', chain: [{ model: stable.model, weight: 0 }, { model: canary.model, weight: 10 }] });
  const fallen = await worker.chat(`policy/${name}`);
  assert.equal(fallen.headers.get('x-understudy-model'), stable.targets[0]);
  assert.equal(fallen.headers.get('x-understudy-attempts'), '3');
  assert.equal(fallen.headers.get('x-understudy-fallback'), 'true');
});

test('load balance: a user stays, else a trace, and many of them spread', async () => {
  const p = await policy([answer(), answer(), answer(), answer()], { type: 'load_balance' });
  const first = async (more, headers) => (await worker.chat(p.model, more, headers)).headers.get('x-understudy-model');
  for (const of of [
    (n) => [{ user: `u${n}` }],
    (n) => [{ metadata: { user: `u${n}` } }],
    (n) => [{ metadata: { waystone: JSON.stringify({ user: `u${n}` }) } }],
    (n) => [{ requesty: { trace_id: `t${n}` } }],
    (n) => [{}, { traceparent: `00-${String(n).padStart(32, '0')}-00f067aa0ba902b7-01` }],
  ]) {
    const seen = new Set();
    for (let n = 1; n <= 16; n++) {
      const target = await first(...of(n));
      assert.equal(await first(...of(n)), target);
      assert.equal(await first(...of(n)), target);
      seen.add(target);
    }
    assert.ok(seen.size >= 3, [...seen].join());
  }
  const user = await first({ user: 'same', requesty: { trace_id: 'a' } });
  for (const trace_id of ['b', 'c', 'd', 'e', 'f']) assert.equal(await first({ user: 'same', requesty: { trace_id } }), user);
});

test('a refused fallback says why, and how the caller may allow it', async () => {
  const p = await policy([status(500, openaiError('first broke', 'server_error', null)), answer()], { consent: 'ask', ...QUICK });
  const error = await worker.openai().chat.completions.create({ model: p.model, messages: [{ role: 'user', content: 'Hi' }] }).then(() => assert.fail(), (error) => error);
  assert.deepEqual([error.status, error.headers.get('x-understudy-hint')], [500, 'fallback needs consent']);
  assert.match(error.headers.get('x-understudy-trail'), /=skip:consent/);
  assert.match(error.message, /first broke/);
  servedBy((await worker.openai().chat.completions.create({ model: p.model, messages: [{ role: 'user', content: 'Hi' }] }, { headers: { 'x-understudy-consent': 'fallback' } }).withResponse()).response, p, 2);
  const held = await worker.chat(p.model, {}, { 'x-understudy-consent': 'fallback', 'x-understudy-no-fallback': 'true' });
  assert.deepEqual([held.status, held.headers.get('x-understudy-hint')], [500, null], 'the request itself forbade it');
  const kept = await policy([status(500), answer()], { keep: ['billing', 'provider'], ...QUICK });
  await worker.put(`policy:${kept.name}`, { chain: [kept.targets[0], kept.targets[1].replace('acme/', 'other/'), { model: kept.targets[1], key: 'own' }], keep: ['billing', 'provider'], ...QUICK });
  const response = await worker.chat(kept.model);
  assert.equal(response.status, 500);
  assert.match(response.headers.get('x-understudy-trail'), /other\/\S+=skip:boundary:billing, \S+=skip:boundary:billing/);
  const record = await worker.recorded(response.headers.get('x-understudy-request-id'));
  assert.deepEqual(record.attempts.slice(1).map(({ call, reason }) => [call, reason]), [[false, 'billing'], [false, 'billing']]);
});

test('what does not fit is told before consent is asked for: nobody’s leave would help', async () => {
  const p = await policy([status(500), answer()], { consent: 'ask', ...QUICK });
  const hops = [p.targets[0], 'claude/c', { model: p.targets[1], key: 'own' }];
  await worker.put(`policy:${p.name}`, { chain: hops, consent: 'ask', ...QUICK });
  const asked = async (headers) => {
    const response = await worker.chat(p.model, { n: 2 }, headers);
    await response.text();
    return [response.status, response.headers.get('x-understudy-trail').split(', ').slice(1), response.headers.get('x-understudy-hint')];
  };
  const [unfit, keyless] = ['claude/c=skip:incompatible:n', `${p.targets[1]}=skip:no_key:x-understudy-key-acme`];
  assert.deepEqual(await asked({}), [500, [unfit, keyless], null]);
  assert.deepEqual(await asked({ 'x-understudy-no-fallback': 'true' }), [500, [unfit, keyless], null]);
  assert.deepEqual(await asked({ 'x-understudy-key-acme': 'sk-own-0123456789' }), [500, [unfit, `${p.targets[1]}=skip:consent`], 'fallback needs consent']);
});

test('every boundary, between catalogue and provider documents', async () => {
  await worker.put('models', { 'acme/eu': { region: 'eu', labels: ['zdr', 'hipaa'] }, 'acme/eu2': { region: 'eu-west-1', labels: ['zdr', 'hipaa', 'x'] }, 'acme/us': { region: 'us', labels: ['zdr'] } });
  for (const model of ['acme/eu2', 'acme/us', 'claude/c', 'acme/none']) upstream.on(model, answer());
  upstream.on('acme/eu', status(404));
  for (const [keep, hops, expected] of [
    [['region'], ['acme/us', 'acme/none', 'acme/eu2'], 'acme/eu2'],
    [['labels'], ['acme/us', 'acme/none', 'acme/eu2'], 'acme/eu2'],
    [['family'], ['claude/c', 'acme/us'], 'acme/us'],
    [['provider'], ['claude/c', 'acme/none'], 'acme/none'],
    [['region', 'labels', 'family', 'provider', 'billing'], ['acme/us', 'claude/c', 'acme/eu2'], 'acme/eu2'],
  ]) {
    const name = unique('keep');
    await worker.put(`policy:${name}`, { chain: ['acme/eu', ...hops], keep });
    const response = await worker.chat(`policy/${name}`);
    assert.equal(response.headers.get('x-understudy-model'), expected, `${keep}: ${response.headers.get('x-understudy-trail')}`);
    // Every keep on the path of nested policies holds, and what the request brings is bound too.
    await worker.put(`policy:${name}-in`, { chain: hops });
    await worker.put(`policy:${name}-out`, { chain: ['acme/eu', `policy/${name}-in`], keep });
    assert.equal((await worker.chat(`policy/${name}-out`)).headers.get('x-understudy-model'), expected, `${keep}, nested`);
    assert.equal((await worker.chat(`policy/${name}-out`, { models: hops })).headers.get('x-understudy-model'), expected, `${keep}, brought`);
  }
  await worker.remove('models');
});

test('what policies lead to: cycles, depth, size, in the words of the contract', async () => {
  const name = unique('n');
  for (let n = 0; n <= 5; n++) await worker.put(`policy:${name}-${n}`, { chain: [n < 5 ? `policy/${name}-${n + 1}` : 'acme/m'] });
  assert.equal((await worker.chat(`policy/${name}-1`)).status, 200, 'four deep');
  await refused(await worker.chat(`policy/${name}-0`), 500, 'policy_invalid', `policy "${name}-0": chain[0].model`, 'more than 4 deep', [0, 1, 2, 3, 4, 5].map((n) => `${name}-${n}`).join(' -> '));
  await worker.put(`policy:${name}-w`, { chain: Array(16).fill('acme/m') });
  await worker.put(`policy:${name}-32`, { chain: [`policy/${name}-w`, `policy/${name}-w`] });
  await worker.put(`policy:${name}-33`, { chain: [`policy/${name}-w`, `policy/${name}-w`, 'acme/m'] });
  assert.equal((await worker.chat(`policy/${name}-32`)).status, 200);
  await refused(await worker.chat(`policy/${name}-33`), 500, 'policy_invalid', 'chain[2].model', '32');
  await worker.put(`policy:${name}-a`, { chain: ['acme/m', `policy/${name}-b`] });
  await worker.put(`policy:${name}-b`, { chain: [`policy/${name}-a`] });
  await refused(await worker.chat(`policy/${name}-a`), 500, 'policy_invalid', `cycle ${name}-a -> ${name}-b -> ${name}-a`);
  for (const [hop, words] of [
    [{ model: `policy/${name}-w`, retries: 1 }, 'chain[0].retries'], [{ model: `policy/${name}-w`, key: 'own' }, 'chain[0].key'], [{ model: `policy/${name}-w`, timeouts: {} }, 'chain[0].timeouts'],
    ['acme/a (11 retries)', '11 retries are not in 0..=10'], [`policy/${name}-w (1 retry)`, 'set them in the policy'], ['acme/a -> acme/b', 'names several hops'], [{ model: 'acme/a', weight: 1001 }, 'chain[0].weight: 1001 is not in 0..=1000'], [{ model: 'acme/a', degraded: 'ü' }, 'chain[0].degraded'],
    [{ model: 'acme/a', params: { model: 'x' } }, 'chain[0].params.model'], [{ model: 'acme/a', key: 'mine' }, 'chain[0].key: "mine"'],
  ]) {
    const bad = unique('bad');
    await worker.put(`policy:${bad}`, { chain: [hop] });
    await refused(await worker.chat(`policy/${bad}`), 500, 'policy_invalid', `policy "${bad}": `, words);
    const put = await worker.admin(`/policies/${bad}`, { method: 'PUT', body: { chain: [hop] } });
    assert.equal(put.status, 422);
    assert.ok((await put.text()).includes(JSON.stringify(words).slice(1, -1)), words);
  }
  const arrows = unique('arrows');
  upstream.on(`acme/${arrows}-1`, status(503));
  upstream.on(`acme/${arrows}-2`, status(503));
  await worker.put(`policy:${arrows}`, { chain: `acme/${arrows}-1 (2 retries) → acme/${arrows}-2 -> acme/${arrows}-3`, ...QUICK });
  const response = await worker.chat(`policy/${arrows}`);
  assert.equal(response.headers.get('x-understudy-model'), `acme/${arrows}-3`);
  assert.equal(response.headers.get('x-understudy-attempts'), '5');
  await worker.put(`policy:${arrows}-x`, { chain: 'acme/a -> (1 retry)' });
  await refused(await worker.chat(`policy/${arrows}-x`), 500, 'policy_invalid', 'chain');
});
