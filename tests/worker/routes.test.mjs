// Section by section, what is no route, what is no method, what is no model, and how each is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused, rig } from './rig.mjs';
import { answer } from './upstream.mjs';
import { startWorker } from './worker.mjs';

const { worker, upstream } = await rig({ assets: true });
const ask = (method, path, headers = {}, body) => worker.fetch(path, { method, headers, body });

const POSTS = ['chat/completions', 'responses', 'messages', 'messages/count_tokens', 'embeddings', 'completions', 'moderations', 'images/generations', 'audio/speech', 'audio/transcriptions', 'audio/translations', 'images/edits', 'images/variations', 'report'];

/** An error in OpenAI's shape: its four fields, no envelope of another API. Beside them stands the request's id at most. */
async function openaiShaped(response, status, code) {
  const body = await response.json();
  assert.equal(response.status, status, JSON.stringify(body));
  assert.deepEqual(Object.keys(body), ['error']);
  assert.deepEqual(Object.keys(body.error).filter((name) => name !== 'request_id').sort(), ['code', 'message', 'param', 'type']);
  assert.equal(body.error.code, code);
  return body.error;
}

test('a wrong method is a 405 that names the right ones, in OpenAI’s shape', async () => {
  for (const path of POSTS) {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const response = await ask(method, `/v1/${path}`, { 'anthropic-version': '2023-06-01' });
      assert.deepEqual(response.headers.get('allow').split(', ').sort(), ['OPTIONS', 'POST'], path);
      await openaiShaped(response, 405, 'method_not_allowed');
    }
  }
  for (const path of ['/v1/models', '/v1/models/acme/m', '/healthz', '/schema/policy.json', '/']) {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const response = await ask(method, path);
      assert.match(response.headers.get('allow') ?? '', /^GET, HEAD/, `${method} ${path}`);
      await openaiShaped(response, 405, 'method_not_allowed');
    }
  }
  const admin = await worker.admin('/policies', { method: 'POST', body: {} });
  assert.match(admin.headers.get('allow'), /GET/);
  assert.equal(admin.status, 405);
});

test('an unknown route is a 404 in OpenAI’s shape, whoever asks', async () => {
  for (const path of ['/v1/', '/v1/chat', '/v1/chat/completions/', '/v1/chat/completions/x', '/v1/Messages', '/v1//chat/completions', '/v2/chat/completions', '/schema/nothing.json', '/schema/policy', '/nothing', '/v1', '/V1/chat/completions', '/healthz/']) {
    for (const [method, headers] of [['GET', {}], ['POST', {}], ['OPTIONS', { origin: 'http://localhost:1' }], ['POST', { 'anthropic-version': '2023-06-01' }]]) await openaiShaped(await ask(method, path, headers), 404, 'not_found');
  }
  assert.equal((await worker.admin('/nothing')).status, 404);
  for (const [path, meant] of [['/chat/completions', '/v1/chat/completions'], ['/v1/v1/messages', '/v1/messages']]) {
    const { error } = await (await ask('POST', path, { 'content-type': 'application/json' }, '{}')).json();
    assert.ok(error.message.startsWith(`there is no route ${path}; did you mean ${meant}?`), error.message);
  }
});

test('every answer of /v1 says its id, how many calls were made, and that none fell back, where no target was asked', async () => {
  const origin = { origin: 'http://localhost:1' };
  for (const [method, path, status, headers] of [
    ['GET', '/v1/models', 200], ['HEAD', '/v1/models', 200], ['GET', '/v1/models/none', 404], ['POST', '/v1/report', 200], ['OPTIONS', '/v1/models', 204, origin], ['OPTIONS', '/v1/responses', 204, { origin: 'https://elsewhere.example' }],
    ['GET', '/v1/none', 404], ['GET', '/v1', 404], ['GET', '/v1/responses', 405], ['POST', '/v1/responses', 400], ['POST', '/v1/messages', 400],
  ]) {
    const id = `asked.${method}_${path.length}`;
    const response = await ask(method, path, { 'x-understudy-request-id': id, ...headers });
    const seen = ['x-understudy-request-id', 'x-request-id', 'x-understudy-attempts', 'x-understudy-fallback'].map((name) => response.headers.get(name));
    assert.deepEqual([response.status, ...seen], [status, id, id, '0', 'false'], `${method} ${path}`);
    assert.equal(response.headers.get('x-understudy-model'), null);
  }
  const malformed = await ask('OPTIONS', '/v1/models', { ...origin, 'x-understudy-request-id': 'a b' });
  assert.match(malformed.headers.get('x-understudy-request-id'), /^req_[0-9a-f]{24}$/);
  // Beyond /v1 no request has an id, and none is made up.
  assert.ok(!('request_id' in (await (await ask('GET', '/nothing')).json()).error));
});

test('a preflight is answered on every route of /v1, with its methods', async () => {
  for (const [path, method] of [...POSTS.map((path) => [path, 'POST']), ['models', 'GET'], ['models/acme/m', 'GET']]) {
    const response = await ask('OPTIONS', `/v1/${path}`, { origin: 'http://localhost:1', 'access-control-request-method': method, 'access-control-request-headers': 'x-understudy-consent, authorization' });
    assert.equal(response.status, 204, path);
    assert.ok(response.headers.get('access-control-allow-methods').includes(method), path);
    assert.equal(response.headers.get('access-control-allow-origin'), 'http://localhost:1');
    assert.equal(response.headers.get('access-control-allow-headers'), 'x-understudy-consent, authorization');
    assert.equal(response.headers.get('access-control-allow-credentials'), null);
    assert.match(response.headers.get('vary'), /origin/i);
  }
  for (const path of ['/healthz', '/admin/policies', '/admin/live']) {
    for (const method of ['OPTIONS', 'GET']) assert.equal((await ask(method, path, { origin: 'http://localhost:1', 'access-control-request-method': 'GET' })).headers.get('access-control-allow-origin'), null, path);
  }
});

test('an error of the request is told in the route’s own dialect, with an id', async () => {
  for (const path of POSTS.filter((path) => path !== 'report')) {
    const messages = path.startsWith('messages');
    for (const [body, status, code] of [['{', 400, 'invalid_json'], ['{"model": "policy/nowhere"}', 404, 'policy_not_found'], ['{"model": "nobody/m"}', 400, 'unknown_provider'], ['{}', 400, 'missing_required_parameter']]) {
      if (path.startsWith('audio/trans')) continue;
      const response = await ask('POST', `/v1/${path}`, { 'content-type': 'application/json' }, body);
      const id = response.headers.get('x-understudy-request-id');
      assert.match(id, /^req_/);
      const told = await response.json();
      assert.equal(response.status, status, `${path}: ${JSON.stringify(told)}`);
      assert.equal(told.error.code, code, path);
      assert.equal(told.type, messages ? 'error' : undefined, path);
      if (messages) assert.equal(told.request_id, id);
    }
  }
});

test('what is wrong with a model is judged in order: its letters, its provider, its policy', async () => {
  const models = [
    ['', 400, 'invalid_model'], ['a b', 400, 'invalid_model'], ['a"b', 400, 'invalid_model'], ["a'b", 400, 'invalid_model'], ['a;b', 400, 'invalid_model'], ['a,b', 400, 'invalid_model'], ['é', 400, 'invalid_model'], ['a\u007fb', 400, 'invalid_model'], ['x'.repeat(257), 400, 'invalid_model'],
    ['nobody/a b', 400, 'invalid_model'], ['policy/a b', 400, 'invalid_model'], ['acme/', 400, 'invalid_model'], ['policy/', 400, 'invalid_model'], ['policy/-x', 400, 'invalid_model'], [`policy/${'x'.repeat(65)}`, 400, 'invalid_model'], ['policy/a/b', 400, 'invalid_model'],
    ['nobody/m', 400, 'unknown_provider'], ['Acme/m', 400, 'unknown_provider'], ['rule/x', 400, 'unknown_provider'], ['request/x', 400, 'unknown_provider'], ['/m', 400, 'unknown_provider'],
    ['policy/nowhere', 404, 'policy_not_found'], ['policy/Nowhere.1-x_y', 404, 'policy_not_found'],
  ];
  for (const [model, status, code] of models) {
    const error = await refused(await worker.chat(model), status, code);
    assert.equal(error.param, 'model', model);
  }
  for (const [model, target] of [['acme/a/b/c', 'acme/a/b/c'], ['acme:a', 'acme/a'], ['acme/m@eu', 'acme/m@eu'], ['acme/m@latest', 'acme/m@latest'], [`acme/${'x'.repeat(251)}`, `acme/${'x'.repeat(251)}`]]) {
    const response = await worker.chat(model);
    assert.equal(response.status, 200, model);
    assert.equal(response.headers.get('x-understudy-model'), target);
  }
});

test('a form’s model field is the model reference, and the rest of the form goes on', async () => {
  upstream.on('acme/whisper', answer('heard'));
  for (const path of ['audio/transcriptions', 'audio/translations', 'images/edits', 'images/variations']) {
    const form = new FormData();
    form.set('file', new Blob([new Uint8Array([0, 13, 10, 45, 45, 255])]), 'a"b.wav');
    form.set('model', 'acme/whisper');
    form.set('prompt', 'model="no"');
    const response = await worker.fetch(`/v1/${path}`, { method: 'POST', body: form });
    assert.equal(response.status, 200, `${path}: ${await response.text()}`);
    const { raw } = upstream.calls('acme/whisper').at(-1);
    assert.ok(raw.includes(Buffer.from([0, 13, 10, 45, 45, 255])) && raw.includes('name="model"\r\n\r\nwhisper\r\n'), path);
    const without = new FormData();
    without.set('file', 'x');
    await refused(await worker.fetch(`/v1/${path}`, { method: 'POST', body: without }), 400, 'missing_required_parameter', 'model');
    form.append('model', 'acme/other');
    await refused(await worker.fetch(`/v1/${path}`, { method: 'POST', body: form }), 400, 'duplicate_parameter', 'model');
  }
  await refused(await worker.post('/v1/audio/transcriptions', { model: 'acme/whisper' }), 400);
});

test('a model is found by every name that a request may give it', async () => {
  const open = await rig({ secrets: { OPENAI_API_KEY: 'sk-openai', BEDROCK_API_KEY: 'bedrock-key' } });
  const found = async (id) => (await open.worker.fetch(`/v1/models/${encodeURIComponent(id)}`)).json();
  for (const id of ['openai/gpt-4o', 'gpt-4o', 'openai:gpt-4o']) assert.deepEqual({ ...(await found(id)), created: 0 }, { id, object: 'model', created: 0, owned_by: 'openai' });
  for (const id of ['bedrock/claude-sonnet-4-5', 'bedrock/claude-sonnet-4-5@eu-central-1']) assert.equal((await found(id)).owned_by, 'bedrock', id);
  assert.equal((await open.worker.openai().models.retrieve('gpt-4o')).id, 'gpt-4o');
  for (const id of ['gpt-none', 'anthropic/claude-sonnet-4-5', 'claude-sonnet-4-5', 'policy:listed']) await refused(await open.worker.fetch(`/v1/models/${id}`), 404, 'model_not_found');
});

test('what chains lead to is listed where its provider is configured', async () => {
  const open = await rig({ secrets: { BEDROCK_API_KEY: 'bedrock-key' } });
  await open.worker.put('policy:listed', { chain: ['acme/of-a-chain', 'bedrock/claude-sonnet-4-5@eu-central-1', 'anthropic/claude-none', 'nobody/x', 'policy/other', 'sim/echo'] });
  await open.worker.put('policy:other', '{');
  const ids = (await (await open.worker.fetch('/v1/models')).json()).data.map(({ id }) => id);
  assert.deepEqual(ids.slice(0, 2), ['policy/listed', 'policy/other']);
  for (const id of ['acme/of-a-chain', 'bedrock/claude-sonnet-4-5@eu-central-1']) assert.ok(ids.includes(id), ids.join());
  for (const id of ['anthropic/claude-none', 'nobody/x', 'sim/echo']) assert.ok(!ids.includes(id), ids.join());
  assert.equal((await open.worker.fetch('/v1/models/acme/of-a-chain')).status, 200);
});

test('a provider that KV adds or changes is listed by what its own document needs', async () => {
  const open = await rig({ secrets: { ANTHROPIC_API_KEY: 'sk-ant-0123456789' } });
  await open.worker.put('provider:openai', open.upstream.provider('openai'));
  await open.worker.put('provider:anthropic', open.upstream.provider('anthropic', { dialect: 'anthropic', auth: { header: 'x-api-key', secret: 'ELSEWHERE_API_KEY' } }));
  await open.worker.put('provider:keyless', { base_url: open.upstream.url });
  await open.worker.put('provider:broken', '{');
  await open.worker.put('policy:chained', { chain: ['openai/of-a-chain', 'anthropic/of-a-chain', 'keyless/m', 'broken/m'] });
  await open.worker.put('models', { 'nobody/m': { id: 'x' } });
  const ids = (await (await open.worker.fetch('/v1/models')).json()).data.map(({ id }) => id);
  for (const id of ['openai/gpt-4o', 'openai/of-a-chain', 'keyless/m']) assert.ok(ids.includes(id), ids.join());
  assert.ok(!ids.some((id) => /^(anthropic|broken|nobody)\//.test(id)), ids.join());
});

test('a provider may be called gemini; before a colon that is Google’s name', async () => {
  await refused(await worker.chat('gemini/m'), 400, 'unknown_provider');
  await worker.put('provider:gemini', upstream.provider('gemini'));
  const response = await worker.chat('gemini/m');
  assert.deepEqual([response.status, response.headers.get('x-understudy-model')], [200, 'gemini/m']);
  await refused(await worker.chat('gemini:m'), 503, 'provider_key_missing', 'GOOGLE_API_KEY');
  await worker.remove('provider:gemini');
});

test('models are listed in the shape of whoever asks, policies first', async () => {
  await worker.put('policy:listed', { chain: ['acme/m'] });
  const openai = await (await worker.fetch('/v1/models')).json();
  assert.equal(openai.object, 'list');
  const [first] = openai.data;
  assert.deepEqual({ ...first, created: 0 }, { id: 'policy/listed', object: 'model', created: 0, owned_by: 'understudy' });
  assert.equal(typeof first.created, 'number');
  const one = await (await worker.fetch('/v1/models/policy/listed')).json();
  assert.deepEqual(one, first);
  assert.deepEqual(await (await worker.fetch('/v1/models/policy%2Flisted')).json(), first);
  const anthropic = await (await worker.fetch('/v1/models', { headers: { 'anthropic-version': '2023-06-01' } })).json();
  assert.equal(anthropic.data[0].type, 'model');
  assert.equal(anthropic.has_more, false);
  await refused(await worker.fetch('/v1/models/policy/none'), 404, 'model_not_found');
  await refused(await worker.fetch('/v1/models/Policy/listed'), 404, 'model_not_found');
  assert.equal((await worker.fetch('/v1/models', { method: 'HEAD' })).status, 200);
});

test('what chains name in the list of models is read once in POLICY_TTL_MS: every policy is read for it', async () => {
  const fresh = await startWorker({ vars: { POLICY_TTL_MS: '3600000' } });
  try {
    const listed = async () => (await (await fresh.fetch('/v1/models')).json()).data.map(({ id }) => id).filter((id) => id.startsWith('acme/'));
    await fresh.put('provider:acme', { base_url: 'http://127.0.0.1:9', auth: { header: 'authorization', secret: 'ACME_API_KEY' } });
    await fresh.put('policy:a', { chain: ['acme/one'] });
    assert.deepEqual(await listed(), ['acme/one']);
    await fresh.put('policy:b', { chain: ['acme/two'] });
    assert.deepEqual(await listed(), ['acme/one']);
    assert.equal((await fresh.admin('/policies/c', { method: 'PUT', body: { chain: ['acme/three'] } })).status, 200);
    assert.deepEqual(await listed(), ['acme/one', 'acme/three', 'acme/two'], 'what was written through /admin is served from then on');
  } finally {
    await fresh.close();
  }
});
