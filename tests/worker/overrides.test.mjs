// What one request may say of its own fallbacks, in each of the four spellings, with the official SDK unchanged but for
// `base_url`: by the body, by a header, with clocks of its own, at a provider or an endpoint of its own.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { QUICK, outcomes, refused, rig, servedBy } from './rig.mjs';
import { STALL, answer, openaiError, sse, status, frames } from './upstream.mjs';
import { startWorker, trail, unique } from './worker.mjs';

const { worker, upstream, policy } = await rig({ vars: { REQUEST_ENDPOINTS: 'on', DEFAULT_PROVIDER: 'acme' } });
const messages = [{ role: 'user', content: 'Hi' }];
const ours = ['understudy', 'openpipe', 'models', 'requesty', 'metadata'];

/** Two targets that nothing leads from one to the other: the first fails as told, the second answers. */
function pair(first = status(500), second = answer('second')) {
  const name = unique('t');
  const targets = [`acme/${name}-1`, `acme/${name}-2`];
  upstream.on(targets[0], first);
  upstream.on(targets[1], second);
  return { targets, calls: (place) => upstream.calls(targets[place - 1]) };
}
const create = (body, options) => worker.openai().chat.completions.create({ messages, ...body }, options).withResponse();

test('four spellings, each consumed, none sent upstream', async () => {
  for (const spelled of [
    (second) => [{ understudy: { fallback: [second] } }],
    (second) => [{ understudy: { fallback: `${second} (1 retry)` } }],
    (second) => [{ models: [second] }],
    (second) => [{ openpipe: { fallback: { model: second } } }],
    (second) => [{}, { headers: { 'x-understudy': JSON.stringify({ fallback: [{ model: second, retries: 1 }] }) } }],
  ]) {
    const p = pair();
    const [body, options] = spelled(p.targets[1]);
    const { data, response } = await create({ model: p.targets[0], seed: 7, ...body }, options);
    assert.equal(data.choices[0].message.content, 'second');
    servedBy(response, p, 2, { attempts: 2 });
    for (const call of [...p.calls(1), ...p.calls(2)]) {
      for (const name of ours) assert.ok(!(name in call.json), `${name} in ${call.body}`);
      assert.equal(call.json.seed, 7);
      assert.ok(!Object.keys(call.headers).some((name) => name.startsWith('x-understudy')), JSON.stringify(call.headers));
    }
    const record = await worker.recorded(response.headers.get('x-understudy-request-id'));
    assert.equal(record.policy, 'request');
  }
});

test('on a policy they replace what follows its first hop', async () => {
  const p = await policy([status(500), answer('second'), answer('third')], QUICK);
  const { response } = await create({ model: p.model, models: [p.targets[2]] });
  servedBy(response, p, 3, { attempts: 2 });
  assert.match(response.headers.get('x-understudy-policy'), new RegExp(`^${p.name}@`));
});

test('two ways at once are refused, each by its name', async () => {
  const [a, b] = [{ fallback: ['acme/b'] }, { fallback: { model: 'acme/b' } }];
  const header = { 'x-understudy': JSON.stringify(a) };
  for (const [body, headers, named] of [
    [{ understudy: a, models: ['acme/b'] }, {}, 'models'],
    [{ understudy: a, openpipe: b }, {}, 'openpipe.fallback'],
    [{ openpipe: b, models: ['acme/b'] }, {}, 'models'],
    [{ models: ['acme/b'] }, header, 'models'],
    [{ openpipe: b }, header, 'openpipe.fallback'],
    [{ understudy: {} }, { 'x-understudy': '{}' }, 'understudy'],
  ]) {
    const error = await refused(await worker.chat('acme/a', body, headers), 400, undefined, named);
    assert.equal(error.param, named);
  }
});

test('what is malformed is refused with path, value and expectation; the owner’s fields are not the request’s', async () => {
  for (const [body, ...saying] of [
    [{ understudy: 7 }, 'understudy: 7'],
    [{ understudy: { fallback: [] } }, 'understudy.fallback', '1..=16'],
    [{ understudy: { fallback: [{ model: 'acme/b', retries: 11 }] } }, 'understudy.fallback[0].retries: 11 is not in 0..=10'],
    [{ understudy: { fallback: [{ model: 'acme/b', retry: 1 }] } }, 'understudy.fallback[0].retry', 'retries'],
    [{ understudy: { fallback: 'acme/b -> ' } }, 'understudy.fallback', 'empty hop'],
    [{ understudy: { timeouts: { first_token: 1 } } }, 'understudy.timeouts.first_token', 'first_token_ms'],
    [{ understudy: { timeouts: { idle_ms: 0 } } }, 'understudy.timeouts.idle_ms: 0 is not in 1..=3600000'],
    [{ understudy: { on: { overloaded: 'skip' } } }, 'understudy.on.overloaded: "skip"'],
    [{ understudy: { stream: { commit: 'late' } } }, 'understudy.stream.commit: "late"'],
    [{ understudy: { metadata: { user: ['x'] } } }, 'understudy.metadata.user'],
    [{ requesty: { user_id: ['x'] } }, 'requesty.user_id'],
    ...['keep', 'consent', 'exhausted', 'breaker', 'translate'].map((name) => [{ understudy: { [name]: null } }, `understudy.${name}`]),
    [{ models: 'acme/b' }, 'models: "acme/b" is not a list'],
    [{ models: ['acme/b', 7] }, 'models[1]: 7 is not a string'],
    [{ models: ['nosuch/m'] }, 'models[0]', 'nosuch'],
    [{ openpipe: [] }, 'openpipe'],
    [{ openpipe: { fallback: {} } }, 'openpipe.fallback.model: is missing'],
    [{ openpipe: { timeout: '10' } }, 'openpipe.timeout: "10" is not a time'],
    [{ openpipe: { fallback: { model: 'a b' } } }, 'openpipe.fallback.model'],
    [{ requesty: 'x' }, 'requesty: "x"'],
    [{ metadata: { waystone: '{' } }, 'metadata.waystone: is not JSON'],
    [{ metadata: { waystone: { group: 'g' } } }, 'metadata.waystone', 'a string'],
  ]) {
    await refused(await worker.chat('acme/a', body), 400, undefined, ...saying);
  }
  assert.equal(upstream.calls('acme/a').length, 0);
});

test('a policy that a request brings and that is not there is told with the nearest name', async () => {
  await worker.put('policy:sonnet-eu', { chain: ['acme/m'] });
  const error = await refused(await worker.chat('acme/a', { models: ['policy/sonet-eu'] }), 404, 'policy_not_found', 'policy/sonnet-eu');
  assert.equal(error.param, 'models[0]');
});

test('openpipe: seconds, but milliseconds from the JavaScript SDK; the fallback’s clock defaults to the primary’s', async () => {
  const stalled = () => [{ status: 200, headers: { 'content-type': 'application/json' } }, STALL];
  const times = async (openpipe, headers, sdk) => {
    const p = pair(stalled(), stalled());
    openpipe.fallback.model = p.targets[1];
    const started = performance.now();
    const response = sdk
      ? await create({ model: p.targets[0], openpipe }).then(() => assert.fail('both stall'), (error) => error)
      : await worker.chat(p.targets[0], { openpipe }, headers);
    assert.equal(response.status, 504);
    const record = /attempt|timeout/.test(response.headers.get('x-understudy-trail'));
    assert.ok(record, response.headers.get('x-understudy-trail'));
    assert.deepEqual(trail({ headers: response.headers }).map((entry) => entry.split('=')[1]), ['timeout', 'timeout']);
    await Promise.all([...p.calls(1), ...p.calls(2)].map((call) => call.ended));
    return { total: performance.now() - started, open: [p.calls(1)[0].openMs, p.calls(2)[0].openMs] };
  };
  const near = (ms, expected, what) => assert.ok(ms > expected - 60 && ms < expected + 600, `${what}: ${ms} ms, expected about ${expected}`);
  const seconds = await times({ timeout: 0.4, fallback: { timeout: 0.8 } }, { 'x-stainless-lang': 'python' });
  near(seconds.open[0], 400, 'primary, python');
  near(seconds.open[1], 800, 'fallback, python');
  const unnamed = await times({ timeout: 0.5, fallback: {} }, {});
  near(unnamed.open[0], 500, 'primary');
  near(unnamed.open[1], 500, 'fallback by the primary’s');
  const javascript = await times({ timeout: 400, fallback: { timeout: 800 } }, {}, true);
  near(javascript.open[0], 400, 'primary, js');
  near(javascript.open[1], 800, 'fallback, js');
  const ms = await times({ timeout: 9000, timeout_ms: 300, fallback: { timeout: 9000, timeout_ms: 600 } }, { 'x-stainless-lang': 'python' });
  near(ms.open[0], 300, 'primary, timeout_ms');
  near(ms.open[1], 600, 'fallback, timeout_ms');
});

test('openpipe: of a stream it is the time to the first content', async () => {
  const [lead, ...rest] = frames('chat', ['one', 'two'], 'm');
  const p = pair(sse(lead, STALL), sse(lead, ...rest.flatMap((frame) => [250, frame])));
  const stream = await worker.openai().chat.completions.create({ model: p.targets[0], messages, stream: true, openpipe: { timeout: 400, fallback: { model: p.targets[1], timeout: 600 } } });
  let said = '';
  for await (const chunk of stream) said += chunk.choices[0]?.delta?.content ?? '';
  assert.equal(said, 'onetwo', 'content after 250 ms, whole after a second');
  assert.equal(p.calls(1).length, 1);
});

test('openpipe: falls back on every class, also where the policy is careful, and not when the client went', async () => {
  for (const failing of [status(400, openaiError('bad', 'invalid_request_error', null)), status(401), status(404), status(400, openaiError('refused', 'invalid_request_error', 'content_policy_violation')), status(400, openaiError('too long', 'invalid_request_error', 'context_length_exceeded'))]) {
    const p = pair(failing);
    const { data } = await create({ model: p.targets[0], openpipe: { fallback: { model: p.targets[1] } } });
    assert.equal(data.choices[0].message.content, 'second');
    const strict = await policy([failing], { on: { preset: 'strict' } });
    const { response } = await create({ model: strict.model, openpipe: { fallback: { model: p.targets[1] } } });
    assert.equal(response.headers.get('x-understudy-model'), p.targets[1]);
  }
});

test('openpipe: a KV provider by name, and one-off credentials', async () => {
  const p = pair();
  upstream.on('other/gpt-4-turbo', answer('other'));
  const named = await create({ model: p.targets[0], openpipe: { fallback: { model: 'gpt-4-turbo', provider: 'other' } } });
  assert.equal(named.response.headers.get('x-understudy-model'), 'other/gpt-4-turbo');
  for (const client of [{ fallback_client: { base_url: `${upstream.url}/elsewhere/v1`, api_key: 'sk-one-off-1234567890' } }, { fallbackClient: { baseURL: `${upstream.url}/elsewhere/v1/`, apiKey: 'sk-one-off-1234567890' } }]) {
    for (const model of ['gpt-4-turbo', 'meta-llama/Llama-3-70b', 'acme/x']) {
      upstream.on(`elsewhere/${model}`, answer('elsewhere'));
      const { data, response } = await create({ model: pair().targets[0], openpipe: { fallback: { model }, ...client } });
      assert.equal(data.choices[0].message.content, 'elsewhere');
      const call = upstream.calls(`elsewhere/${model}`).at(-1);
      assert.equal(call.headers.authorization, 'Bearer sk-one-off-1234567890');
      const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.deepEqual(attempts.map(({ key }) => key), ['managed', 'own']);
      assert.ok(!JSON.stringify(attempts).includes('sk-one-off'));
    }
  }
  // The managed key never goes there, and a key that an endpoint repeats is masked.
  upstream.on('elsewhere/echoes', status(401, openaiError('no such key: sk-one-off-1234567890', 'invalid_request_error', 'invalid_api_key')));
  const response = await worker.chat(p.targets[0], { openpipe: { fallback: { model: 'echoes' }, fallback_client: { base_url: `${upstream.url}/elsewhere/v1`, api_key: 'sk-one-off-1234567890' } } });
  assert.ok(!(await response.text()).includes('one-off-1234567890'));
  for (const call of upstream.log.filter(({ provider }) => provider === 'elsewhere')) assert.ok(!JSON.stringify(call.headers).includes('sk-acme-managed'));
  for (const [client, status, words] of [
    [{ base_url: 'http://llm.example.com/v1', api_key: 'k' }, 400, 'openpipe.fallback_client.base_url'],
    [{ base_url: 'https://10.1.2.3/v1', api_key: 'k' }, 400, 'openpipe.fallback_client.base_url'],
    [{ base_url: worker.base, api_key: 'k' }, 400, 'openpipe.fallback_client.base_url'],
    [{ base_url: 'https://llm.example.com/v1' }, 400, 'openpipe.fallback_client.api_key'],
  ]) {
    await refused(await worker.chat('acme/a', { openpipe: { fallback: { model: 'm' }, fallback_client: client } }), status, undefined, words);
  }
  await refused(await worker.chat('acme/a', { openpipe: { fallback: { model: 'm', provider: 'other' }, fallback_client: { base_url: 'https://llm.example.com/v1', api_key: 'k' } } }), 400, undefined, 'openpipe.fallback.provider');
});

test('what fails at an endpoint of a request’s own says nothing of the provider of that name', async () => {
  upstream.on('elsewhere/fails-there', status(500));
  const openpipe = { fallback: { model: 'fails-there' }, fallback_client: { base_url: `${upstream.url}/elsewhere/v1`, api_key: 'sk-one-off-1234567890' } };
  let last;
  for (let n = 0; n < 6; n++) {
    upstream.on(`acme/first-${n}`, status(404));
    last = await worker.chat(`acme/first-${n}`, { openpipe });
    outcomes(last, 'not_found', 'server_error');
  }
  await worker.recorded(last.headers.get('x-understudy-request-id'));
  const { data } = await (await worker.admin('/targets')).json();
  const { breakers } = data.find(({ model }) => model === 'acme/fails-there');
  assert.deepEqual([breakers.managed.state, breakers.own.state], ['closed', 'closed']);
});

test('one-off credentials need REQUEST_ENDPOINTS=on', async () => {
  const closed = await startWorker();
  after(() => closed.close());
  await closed.put('provider:acme', upstream.provider('acme'));
  const openpipe = { fallback: { model: 'm' }, fallback_client: { base_url: `${upstream.url}/elsewhere/v1`, api_key: 'sk-one-off-1234567890' } };
  const before = upstream.log.length;
  await refused(await closed.chat('acme/a', { openpipe }), 403, undefined, 'REQUEST_ENDPOINTS');
  assert.equal(upstream.log.length, before);
});

test('openpipe: tags, and the header op-tags, are metadata for rules; other op headers are nothing', async () => {
  await worker.put('rules', { rules: { r: { when: { 'metadata.prompt_id': 'count' }, then: {} } }, rulesets: [{ name: 's', rules: ['r'] }] });
  const rule = async (body, headers) => (await worker.chat('acme/tags', body, headers)).headers.get('x-understudy-rule');
  assert.equal(await rule({ openpipe: { tags: { prompt_id: 'count' } } }), 's/r');
  assert.equal(await rule({}, { 'op-tags': '{"prompt_id":"count","$sdk":"typescript"}', 'op-log-request': 'true', 'op-cache': 'undefined' }), 's/r');
  assert.equal(await rule({}), null);
  assert.ok(!Object.keys(upstream.calls('acme/tags')[1].headers).some((name) => name.startsWith('op-')));
  await refused(await worker.chat('acme/tags', {}, { 'op-tags': 'nonsense' }), 400, undefined, 'op-tags');
  await worker.remove('rules');
});

test('a request shortens the policy’s clocks and deadline and lengthens neither; on a plain model the clocks are its own', async () => {
  const p = await policy([[30_000], answer()], { timeouts: { attempt_ms: 500 }, ...QUICK });
  const timed = async (model, understudy) => {
    const started = performance.now();
    const response = await worker.chat(model, { understudy });
    await response.text();
    return { response, ms: performance.now() - started };
  };
  const longer = await timed(p.model, { timeouts: { attempt_ms: 20_000 } });
  servedBy(longer.response, p, 2);
  assert.ok(longer.ms < 5000, `${longer.ms} ms`);
  const deadline = await timed(p.model, { deadline_ms: 200 });
  assert.equal(deadline.response.status, 504);
  const q = pair([700, ...answerSteps()]);
  const plain = await timed(q.targets[0], { timeouts: { attempt_ms: 5000 } });
  assert.equal(plain.response.status, 200);
});

function answerSteps() {
  return [{ status: 200, headers: { 'content-type': 'application/json' } }, { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'late' }, finish_reason: 'stop' }] }];
}

test('the client’s own patience: the SDK’s timeout bounds the deadline, so that it hears from us before it gives up', async () => {
  const p = await policy([[30_000]]);
  const started = performance.now();
  await assert.rejects(create({ model: p.model }, { timeout: 1500 }), (error) => error.status === 504 && error.message.includes('the client\'s own timeout'));
  assert.ok(performance.now() - started < 1450, `${performance.now() - started} ms`);
  const ignored = await worker.chat('acme/m', {}, { 'x-stainless-timeout': 'soon', 'x-stainless-read-timeout': '-1' });
  assert.equal(ignored.status, 200);
});

test('verdicts and the commit, field by field', async () => {
  const p = await policy([status(401), answer()], { on: { preset: 'strict' } });
  assert.equal((await worker.chat(p.model)).status, 401);
  servedBy(await worker.chat(p.model, { understudy: { on: { auth: 'next' } } }), p, 2);
  servedBy(await worker.chat(p.model, {}, { 'x-understudy': '{"on":{"preset":"resilient"}}' }), p, 2);
  const cut = await policy([sse(frames('chat', ['one', 'two']).slice(0, 2)), answer('whole')], QUICK);
  const response = await worker.chat(cut.model, { stream: true, understudy: { stream: { commit: 'complete' } } });
  servedBy(response, cut, 2);
  outcomes(response, 'interrupted', 'ok');
});
