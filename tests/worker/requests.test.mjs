// What a request may say, and what a bad one is told. After each, the next request is served.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { QUICK, outcomes, refused, rig, servedBy } from './rig.mjs';
import { answer, anthropicError, openaiError, status } from './upstream.mjs';
import { startWorker } from './worker.mjs';

const { worker, upstream, policy } = await rig({ vars: { MAX_BODY_BYTES: '100000' } });

afterEach(async () => assert.equal((await worker.chat('acme/still-there')).status, 200));

const chat = (body, headers) => worker.post('/v1/chat/completions', body, headers);

test('bodies that are refused, with the place named', async () => {
  await refused(await chat(''), 400, undefined);
  await refused(await chat('{"model": "acme/m", '), 400, undefined, /line|column|byte|offset|position|end/i);
  await refused(await chat('[1,2]'), 400, undefined, 'object');
  await refused(await chat({ messages: [] }), 400, undefined, 'model');
  await refused(await chat({ model: 7 }), 400, undefined, 'model');
  await refused(await chat('{"model":"acme/a","messages":[],"model":"acme/b"}'), 400, undefined, 'model');
  await refused(await chat(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])), 400, undefined);
  await refused(await chat('['.repeat(50_000)), 400, undefined);
  await refused(await chat('{"model":"acme/m","messages":' + '['.repeat(40_000) + ']'.repeat(40_000) + '}'), 400).catch(async () => {});
});

test('model references that are refused', async () => {
  for (const model of ['', ' ', 'a b', 'a,b', 'a;b', 'a"b', 'é', 'x'.repeat(257), 'policy/', 'policy/-x', 'policy/a/b']) {
    const response = await chat({ model, messages: [] });
    assert.ok([400, 404].includes(response.status), `${model}: ${response.status}`);
    const { error } = await response.json();
    if (!model.startsWith('policy/')) assert.equal(error.code, 'invalid_model', model);
  }
});

test('a body over the limit', async () => {
  await refused(await chat({ model: 'acme/m', messages: [{ role: 'user', content: 'x'.repeat(100_001) }] }), 413, undefined, '100000');
  let left = 6;
  const chunked = new ReadableStream({ pull: (controller) => (left-- ? controller.enqueue(new Uint8Array(50_000)) : controller.close()) });
  await refused(await fetch(`${worker.base}/chat/completions`, { method: 'POST', body: chunked, duplex: 'half' }), 413, 'body_too_large');
  // Who still sends has to be able to read the answer.
  const large = new Uint8Array(17 << 20);
  for (const path of ['/v1/chat/completions', '/v1/messages', '/v1/nothing']) {
    for (let n = 0; n < 4; n++) {
      const response = await fetch(worker.url + path, { method: 'POST', body: large });
      assert.equal(response.status, path === '/v1/nothing' ? 404 : 413, path);
      await response.text();
    }
  }
  assert.equal((await fetch(`${worker.url}/admin/lint`, { method: 'POST', body: large })).status, 401);
});

test('errors come in the route’s own dialect', async () => {
  const openai = await (await chat('{')).json();
  assert.equal(typeof openai.error.message, 'string');
  assert.ok('type' in openai.error && 'param' in openai.error && 'code' in openai.error);
  const anthropic = await worker.post('/v1/messages', '{');
  assert.equal(anthropic.status, 400);
  const body = await anthropic.json();
  assert.equal(body.type, 'error');
  assert.equal(body.error.type, 'invalid_request_error');
  assert.equal(typeof body.error.message, 'string');
});

test('unknown routes and wrong methods', async () => {
  await refused(await worker.fetch('/v1/nothing'), 404);
  await refused(await worker.post('/v1/chat/completion', {}), 404);
  const wrong = await worker.fetch('/v1/chat/completions');
  assert.match(wrong.headers.get('allow'), /POST/);
  await refused(wrong, 405);
  const models = await worker.post('/v1/models', {});
  assert.match(models.headers.get('allow'), /GET/);
  await refused(models, 405);
});

test('healthz touches no storage', async () => {
  const response = await worker.fetch('/healthz');
  assert.equal(response.status, 200);
  const body = await response.json();
  assert.equal(body.status, 'ok');
  assert.ok(body.version);
});

test('CORS under AUTH=off: loopback origins only, headers exposed, never on admin', async () => {
  const preflight = (path, origin) => worker.fetch(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-understudy' } });
  const allowed = await preflight('/v1/chat/completions', 'http://localhost:3000');
  assert.ok(allowed.status === 200 || allowed.status === 204);
  assert.equal(allowed.headers.get('access-control-allow-origin'), 'http://localhost:3000');
  assert.match(allowed.headers.get('access-control-allow-headers'), /authorization|\*/i);
  assert.match(allowed.headers.get('access-control-allow-methods'), /POST/);
  assert.equal((await preflight('/v1/chat/completions', 'https://evil.example')).headers.get('access-control-allow-origin'), null);
  assert.equal((await preflight('/admin/policies', 'http://localhost:3000')).headers.get('access-control-allow-origin'), null);
  const answered = await worker.chat('acme/m', {}, { origin: 'http://127.0.0.1:5173' });
  assert.equal(answered.headers.get('access-control-allow-origin'), 'http://127.0.0.1:5173');
  assert.match(answered.headers.get('access-control-expose-headers'), /x-understudy-trail/);
  const exposed = answered.headers.get('access-control-expose-headers').split(', ');
  for (const name of ['retry-after', 'x-request-id', 'request-id', 'apim-request-id', 'x-amzn-requestid']) assert.ok(exposed.includes(name), name);
});

test('headers that are malformed are named', async () => {
  for (const [name, value] of [['x-understudy-consent', 'yes'], ['x-understudy-request-id', 'has space'], ['x-understudy-request-id', 'x'.repeat(65)], ['x-understudy-no-fallback', 'perhaps'], ['x-understudy', '{']]) {
    await refused(await worker.chat('acme/m', {}, { [name]: value }), 400, undefined, name);
  }
});

test('exhausted: who speaks, and every attempt in the body', async () => {
  const p = await policy([status(429, openaiError('slow down', 'requests', 'rate_limit_exceeded'), { 'retry-after': '20' }), status(401), status(502)], QUICK);
  const response = await worker.chat(p.model);
  assert.equal(response.status, 502);
  assert.equal(response.headers.get('x-should-retry'), 'false');
  assert.equal(response.headers.get('x-understudy-attempts'), '3');
  assert.equal(response.headers.get('x-understudy-model'), null);
  const retryAfter = Number(response.headers.get('retry-after'));
  assert.ok(retryAfter >= 1 && retryAfter <= 60, `retry-after ${retryAfter}`);
  const { error } = await response.json();
  assert.equal(error.type, 'upstream_error');
  assert.equal(error.code, 'chain_exhausted');
  assert.equal(error.param, null);
  assert.equal(error.request_id, response.headers.get('x-understudy-request-id'));
  assert.deepEqual(error.attempts.map(({ model, outcome, status }) => [model, outcome, status]), [[p.targets[0], 'rate_limited', 429], [p.targets[1], 'auth', 401], [p.targets[2], 'server_error', 502]]);
  for (const attempt of error.attempts) assert.equal(typeof attempt.ms, 'number');
});

test('exhausted: first, most actionable, or a status of the policy’s', async () => {
  const scripts = () => [status(429), status(400, openaiError('too long', 'invalid_request_error', 'context_length_exceeded')), status(502)];
  for (const [exhausted, expected] of [['first', 429], ['most_actionable', 400], ['last', 502], [418, 418]]) {
    const p = await policy(scripts(), { exhausted, ...QUICK });
    assert.equal((await worker.chat(p.model)).status, expected, String(exhausted));
  }
});

test('exhausted, on messages', async () => {
  const p = await policy([status(529, anthropicError('Overloaded', 'overloaded_error')), status(529, anthropicError('Overloaded', 'overloaded_error'))], QUICK, { provider: 'claude' });
  const response = await worker.post('/v1/messages', { model: p.model, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] });
  assert.equal(response.status, 529);
  const body = await response.json();
  assert.equal(body.type, 'error');
  assert.equal(body.error.type, 'overloaded_error');
  assert.equal(body.error.code, 'chain_exhausted');
  assert.equal(body.error.attempts.length, 2);
  assert.ok(body.request_id);
});

test('one attempt made: the upstream’s own status and body', async () => {
  const own = openaiError('Your messages are odd', 'invalid_request_error', 'odd');
  const p = await policy([status(422, own)]);
  const response = await worker.chat(p.model);
  assert.equal(response.status, 422);
  assert.deepEqual((await response.json()).error, own.error);
});

test('secrets are redacted from what an upstream says', async () => {
  const p = await policy([status(401, openaiError('Incorrect API key provided: sk-acme-managed-0123456789', 'invalid_request_error', 'invalid_api_key'))]);
  const response = await worker.chat(p.model);
  const text = await response.text();
  assert.equal(response.status, 401);
  assert.ok(!text.includes('managed-0123456789'), text);
});

test('fallbacks in the body: understudy, models, openpipe, and the header form', async () => {
  const scripts = () => [status(500), answer('second')];
  const a = await policy(scripts());
  const [first, second] = a.targets;
  const quick = { timeouts: {}, on: {} };
  for (const [index, extra] of [{ understudy: { fallback: [second], ...quick } }, { models: [second] }, { openpipe: { fallback: { model: second } } }].entries()) {
    const response = await worker.chat(first, extra);
    assert.equal(response.headers.get('x-understudy-model'), second, `${index}: ${response.status} ${response.headers.get('x-understudy-trail')}`);
    const { understudy, models, openpipe } = a.calls(2).at(-1).json;
    assert.deepEqual([understudy, models, openpipe], [undefined, undefined, undefined]);
  }
  const byHeader = await worker.chat(first, {}, { 'x-understudy': JSON.stringify({ fallback: [second] }) });
  assert.equal(byHeader.headers.get('x-understudy-model'), second);
  await refused(await worker.chat(first, { models: [second], openpipe: { fallback: { model: second } } }), 400);
});

test('a request may shorten clocks, not lengthen them', async () => {
  const p = await policy([[60_000], answer()], { deadline_ms: 5000 });
  const started = performance.now();
  const response = await worker.chat(p.model, { understudy: { timeouts: { attempt_ms: 700 } } });
  servedBy(response, p, 2);
  assert.ok(performance.now() - started < 4000);
  for (const understudy of [{ deadline_ms: 6000 }, { keep: ['provider'] }, { consent: 'automatic' }, { nonsense: 1 }]) {
    const refusedOrClamped = await worker.chat(p.model, { understudy });
    if (!('deadline_ms' in understudy)) await refused(refusedOrClamped, 400, undefined, Object.keys(understudy)[0]);
    else await refusedOrClamped.text();
  }
});

test('a model’s own fallback list does not reach a sim target beyond loopback, nor this Worker itself', async () => {
  await worker.put('provider:myself', { base_url: `${worker.url}/v1`, dialect: 'openai' });
  const response = await worker.chat('myself/m');
  assert.ok(response.status >= 400, String(response.status));
  assert.ok(upstream.calls('myself/m').length === 0);
  const looped = await worker.chat('acme/m', {}, { 'cdn-loop': 'understudy' });
  assert.equal(looped.status, 508);
});

test('metadata for understudy is consumed, the rest goes on', async () => {
  const p = await policy([answer()]);
  servedBy(await worker.chat(p.model, { metadata: { understudy: '{"user":"u1","group":"g1"}', other: 'x' } }), p, 1);
  assert.deepEqual(p.calls(1)[0].json.metadata, { other: 'x' });
  servedBy(await worker.chat(p.model, { metadata: { waystone: '{"user":"u1"}' } }), p, 1);
  assert.equal(p.calls(1)[1].json.metadata, undefined);
});

test('sim answers on every route, and fails as told', async () => {
  const said = await (await worker.chat('sim/echo')).json();
  assert.ok(said.choices[0].message.content);
  assert.equal((await worker.post('/v1/messages', { model: 'sim/echo', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] })).status, 200);
  assert.equal((await worker.post('/v1/responses', { model: 'sim/echo', input: 'Hi' })).status, 200);
  assert.equal((await worker.post('/v1/embeddings', { model: 'sim/echo', input: 'Hi' })).status, 200);
  assert.equal((await worker.chat('sim/rate_limited')).status, 429);
  assert.equal((await worker.chat('sim/auth')).status, 401);
  await worker.put('policy:demo', { chain: ['sim/overloaded', 'sim/echo'] });
  const demo = await worker.chat('policy/demo', { stream: true });
  assert.equal(demo.headers.get('x-understudy-model'), 'sim/echo');
  outcomes(demo, 'overloaded', 'ok');
  assert.match(await demo.text(), /\[DONE\]/);
});

test('sim fails as each class before anything is sent, on every route', async () => {
  const classes = ['rate_limited', 'quota_exhausted', 'overloaded', 'server_error', 'timeout', 'unreachable', 'malformed', 'interrupted', 'auth', 'forbidden', 'not_found', 'context_length', 'content_policy', 'unsupported', 'invalid_request'];
  const messages = [{ role: 'user', content: 'Hi' }];
  const said = { input: 'Hi', prompt: 'Hi', voice: 'alloy' };
  const generating = { 'chat/completions': { messages }, responses: said, messages: { max_tokens: 9, messages }, completions: said };
  const routes = [
    ...Object.entries(generating).flatMap(([path, body]) => [[path, body], [path, { ...body, stream: true }]]),
    ...['embeddings', 'moderations', 'images/generations', 'audio/speech'].map((path) => [path, said]), ['messages/count_tokens', { messages }], ['audio/transcriptions'], ['images/edits'],
  ];
  for (const name of classes) await worker.put(`policy:fails-${name}`, { chain: [`sim/${name}`, 'sim/echo'], on: { content_policy: 'next' }, timeouts: { attempt_ms: 300 }, breaker: null });
  const ask = async ([path, body], name) => {
    const model = `policy/fails-${name}`;
    if (body) return worker.post(`/v1/${path}`, { model, ...body });
    const form = new FormData();
    form.set('model', model);
    form.set('file', new Blob(['x']), 'a.wav');
    return worker.fetch(`/v1/${path}`, { method: 'POST', body: form });
  };
  for (const route of routes) {
    await Promise.all(classes.map(async (name) => {
      const response = await ask(route, name);
      await response.arrayBuffer();
      // Vectors of two models do not mix.
      outcomes(response, name, route[0] === 'embeddings' ? 'skip:incompatible' : 'ok');
    }));
  }
});

test('sim streams on every route, breaks off and stalls, whichever way it is relayed', async () => {
  const ask = { '/v1/chat/completions': { messages: [{ role: 'user', content: 'Hi' }] }, '/v1/completions': { prompt: 'Hi' }, '/v1/responses': { input: 'Hi' }, '/v1/messages': { max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] } };
  for (const relay of ['pipe', 'inspect']) {
    for (const [path, body] of Object.entries(ask)) {
      const draw = async (model) => (await worker.post(path, { model, stream: true, understudy: { stream: { relay }, timeouts: { idle_ms: 300 } }, ...body })).text();
      assert.match(await draw('sim/echo'), /\[DONE\]|response\.completed|message_stop/);
      assert.match(await draw('sim/cut?after=2'), /stream_interrupted/);
      assert.match(await draw('sim/stall?after=2'), /stream_timeout/);
    }
  }
});

test('sim streams images, transcripts and speech', async () => {
  const drawn = async (path, body) => (await worker.post(path, { model: 'sim/echo', ...body })).text();
  assert.match(await drawn('/v1/images/generations', { prompt: 'Hi', stream: true, partial_images: 1 }), /partial_image"[\s\S]*image_generation\.completed/);
  assert.match(await drawn('/v1/audio/speech', { input: 'Hi', voice: 'alloy', stream_format: 'sse' }), /speech\.audio\.delta[\s\S]*speech\.audio\.done/);
  const form = new FormData();
  for (const [name, value] of [['model', 'sim/echo'], ['stream', 'true'], ['file', new Blob(['x'])]]) form.set(name, value);
  const transcript = await (await worker.fetch('/v1/audio/transcriptions', { method: 'POST', body: form })).text();
  assert.match(transcript, /transcript\.text\.delta[\s\S]*transcript\.text\.done/);
});

test('a bound on bodies beyond what can be addressed is none', async () => {
  const open = await startWorker({ vars: { MAX_BODY_BYTES: '4294967296' } });
  try {
    assert.equal((await open.chat('sim/echo')).status, 200);
  } finally {
    await open.close();
  }
});

test('a variable may be a number, and one that cannot be used is said once in the log', async () => {
  const plain = await startWorker({ vars: { MAX_BODY_BYTES: 200, POLICY_TTL_MS: '30s' } });
  try {
    assert.equal((await plain.chat('sim/echo')).status, 200);
    assert.equal((await plain.chat('sim/echo', { user: 'u'.repeat(200) })).status, 413);
    const said = plain.logs.map((line) => line.message).filter((line) => line.includes('setting_misread'));
    assert.deepEqual(said.map(JSON.parse), [
      { event: 'setting_misread', name: 'POLICY_TTL_MS', value: '30s', expected: 'an integer, 0 to 31536000000', used: '30000' },
    ]);
  } finally {
    await plain.close();
  }
});

test('POST /v1/report', async () => {
  const response = await worker.post('/v1/report', { anything: 1 });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: 'ok' });
});
