// Built-in providers at their own addresses: the network is played, so that what would leave for AWS, Google, Azure and the
// others can be looked at: hosts, paths, signatures, tokens, headers, bodies; and what each of them answers in its own way.
import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { Response } from 'miniflare';
import { QUICK, outcomes } from './rig.mjs';
import { body, data, event, frame, frames } from './upstream.mjs';
import { saidIn, startWorker, trail, unique } from './worker.mjs';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
const ACCOUNT = { type: 'service_account', client_email: 'robot@proj.iam.gserviceaccount.com', private_key_id: 'kid1', private_key: privateKey, token_uri: 'https://evil.example/token' };
const AWS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', AWS_SESSION_TOKEN: 'session-token' };
const TOKENS = 'oauth2.googleapis.com';

/** Every call that left the Worker, and what each host answers. */
const calls = [];
const hosts = new Map();
async function world(request) {
  const url = new URL(request.url);
  const raw = Buffer.from(await request.arrayBuffer());
  const call = { url, host: url.host, path: url.pathname + url.search, headers: request.headers, raw, body: raw.toString() };
  try {
    call.json = JSON.parse(call.body);
  } catch {
    // A form.
  }
  calls.push(call);
  const answer = hosts.get(url.host);
  const [status, type, content, headers = {}] = answer ? answer(call) : [404, 'application/json', { error: { message: `nobody is at ${url.host}` } }];
  return new Response(typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content), { status, headers: { 'content-type': type, ...headers } });
}

const worker = await startWorker({
  world,
  vars: { VERTEX_PROJECT: 'proj', AZURE_RESOURCE_NAME: 'acme', AZURE_API_VERSION: '2024-10-21', CLOUDFLARE_ACCOUNT_ID: 'acc1' },
  secrets: { ...AWS, VERTEX_API_KEY: JSON.stringify(ACCOUNT), AZURE_API_KEY: 'azure-key', OPENAI_API_KEY: 'sk-openai', ANTHROPIC_API_KEY: 'sk-ant', GOOGLE_API_KEY: 'AIzaKey', DEEPSEEK_API_KEY: 'sk-deep', CLOUDFLARE_API_KEY: 'cf-key' },
});
after(() => worker.close());

/** What hosts answer from now on; answers the calls that will be made. */
function answering(answers) {
  calls.length = 0;
  hosts.clear();
  hosts.set(TOKENS, () => [200, 'application/json', { access_token: 'ya29.token', expires_in: 3600, token_type: 'Bearer' }]);
  for (const [host, answer] of Object.entries(answers)) hosts.set(host, answer);
  return calls;
}

async function policy(...chain) {
  const name = unique('h');
  await worker.put(`policy:${name}`, { chain, breaker: null, ...QUICK });
  return `policy/${name}`;
}

const WORDS = ['Hel', 'lo ', 'wörld'];
const SAID = WORDS.join('');
const messages = [{ role: 'user', content: 'Hi' }];
const ok = (route, said = SAID) => () => [200, 'application/json', body(route, said)];
const stream = (route) => () => [200, 'text/event-stream', frames(route, WORDS).join('')];
const EVENTS = 'application/vnd.amazon.eventstream';
const chunk = (payload) => frame('chunk', { bytes: Buffer.from(JSON.stringify(payload)).toString('base64'), p: 'abc' });
/** A Messages stream as InvokeModel frames it. */
const invoked = () => Buffer.concat(frames('messages', WORDS).join('').split('\n').filter((line) => line.startsWith('data: ')).map((line) => chunk(JSON.parse(line.slice(6)))));

/** Computes an AWS signature anew from what arrived. */
function signed(call, region) {
  const parts = call.headers.get('authorization').match(/^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/);
  assert.ok(parts, call.headers.get('authorization'));
  const [, id, day, inRegion, service, names, signature] = parts;
  assert.deepEqual([id, inRegion, service], [AWS.AWS_ACCESS_KEY_ID, region, 'bedrock']);
  const hash = (text) => createHash('sha256').update(text).digest('hex');
  const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
  const value = (name) => (name === 'host' ? call.host : call.headers.get(name));
  // The path that was sent is encoded once more.
  const path = call.url.pathname.split('/').map(encodeURIComponent).join('/');
  const headers = names.split(';');
  for (const name of ['host', 'x-amz-date', 'x-amz-security-token']) assert.ok(headers.includes(name), names);
  const canonical = ['POST', path, '', ...headers.map((name) => `${name}:${value(name)}`), '', names, hash(call.raw)].join('\n');
  const scope = `${day}/${region}/bedrock/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', call.headers.get('x-amz-date'), scope, hash(canonical)].join('\n');
  const key = ['aws4_request'].reduce(hmac, [region, 'bedrock'].reduce(hmac, hmac('AWS4' + AWS.AWS_SECRET_ACCESS_KEY, day)));
  assert.equal(hmac(key, toSign).toString('hex'), signature);
  assert.equal(call.headers.get('x-amz-security-token'), AWS.AWS_SESSION_TOKEN);
}

describe('bedrock', () => {
  const FRANKFURT = 'bedrock-runtime.eu-central-1.amazonaws.com';
  const CLAUDE = '/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0';

  test('a chat client at Claude: region, inference profile, signature, envelope', async () => {
    const [call] = [answering({ [FRANKFURT]: ok('messages') })];
    const beta = 'context-1m-2025-08-07';
    const { data: said, response } = await worker.openai().chat.completions.create({ model: 'bedrock/claude-sonnet-4-5@eu-central-1', messages, seed: 1 }, { headers: { 'anthropic-beta': beta } }).withResponse();
    assert.equal(said.choices[0].message.content, SAID);
    assert.equal(response.headers.get('x-understudy-model'), 'bedrock/claude-sonnet-4-5@eu-central-1');
    assert.equal(response.headers.get('x-understudy-dropped'), 'seed');
    const [sent] = call;
    assert.equal(sent.path, `${CLAUDE}/invoke`);
    signed(sent, 'eu-central-1');
    assert.equal(sent.json.anthropic_version, 'bedrock-2023-05-31');
    assert.deepEqual(sent.json.anthropic_beta, [beta], 'where alone Bedrock looks for it');
    assert.ok(!('model' in sent.json) && !('stream' in sent.json));
    assert.deepEqual(sent.json.messages, [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]);
  });

  test('a Messages client at Claude, streamed in frames: its own events, its betas in the body', async () => {
    const sent = answering({ [FRANKFURT]: () => [200, EVENTS, invoked()] });
    const streamed = worker.anthropic().messages.stream({ model: 'bedrock/claude-sonnet-4-5@eu-central-1', max_tokens: 64, messages, thinking: { type: 'disabled' } }, { headers: { 'anthropic-beta': 'interleaved-thinking-2025-05-14,prompt-caching-scope-2026-01-05' } });
    const message = await streamed.finalMessage();
    assert.equal(message.content[0].text, SAID);
    assert.equal(sent[0].path, `${CLAUDE}/invoke-with-response-stream`);
    assert.equal(sent[0].headers.get('accept'), EVENTS);
    assert.deepEqual(sent[0].json.anthropic_beta, ['interleaved-thinking-2025-05-14'], 'those that Bedrock knows');
    assert.equal(sent[0].headers.get('anthropic-beta'), 'interleaved-thinking-2025-05-14');
    assert.deepEqual(sent[0].json.thinking, { type: 'disabled' });
    signed(sent[0], 'eu-central-1');
  });

  test('a chat and a Responses client at Claude, streamed in frames', async () => {
    answering({ [FRANKFURT]: () => [200, EVENTS, invoked()] });
    const model = 'bedrock/claude-sonnet-4-5@eu-central-1';
    assert.equal((await worker.openai().chat.completions.stream({ model, messages }).finalChatCompletion()).choices[0].message.content, SAID);
    assert.equal((await worker.openai().responses.stream({ model, input: 'Hi' }).finalResponse()).output_text, SAID);
  });

  test('an exception as first frame leaves room for the next target; after the commit it is an error', async () => {
    const throttled = frame('throttlingException', { message: 'Too many requests, please wait' }, 'exception');
    const delta = frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Hel' } });
    answering({ 'bedrock-runtime.us-east-1.amazonaws.com': () => [200, EVENTS, throttled], 'api.anthropic.com': stream('messages') });
    const model = await policy('bedrock/amazon.nova-pro-v1:0@us-east-1', 'anthropic/claude-sonnet-4-5');
    const first = await worker.chat(model, { stream: true });
    outcomes(first, 'rate_limited', 'ok');
    assert.equal(saidIn(await first.text()), SAID);
    hosts.set('bedrock-runtime.us-east-1.amazonaws.com', () => [200, EVENTS, Buffer.concat([delta, throttled])]);
    const late = await worker.chat(model, { stream: true });
    const said = await late.text();
    assert.equal(saidIn(said), 'Hel');
    assert.ok(said.includes('"error":{') && !said.includes('[DONE]'), said);
  });

  test('its errors are named by a header; the client gets them in its own shape', async () => {
    const denied = (name, status, message) => () => [status, 'application/json', { message }, { 'x-amzn-errortype': `${name}:http://internal.amazon.com/coral/com.amazon.coral.service/` }];
    for (const [name, status, message, cls] of [
      ['ThrottlingException', 429, 'Too many tokens, please wait before trying again.', 'rate_limited'],
      ['ThrottlingException', 429, 'Too many tokens per day, please wait before trying again.', 'quota_exhausted'],
      ['ValidationException', 400, 'Input is too long for requested model.', 'context_length'],
      ['ValidationException', 400, 'Invocation of model ID x with on-demand throughput isn’t supported.'.replace('’', "'"), 'not_found'],
      ['ExpiredTokenException', 403, 'The security token included in the request is expired', 'auth'],
      ['AccessDeniedException', 403, 'You do not have access', 'forbidden'],
      ['ModelNotReadyException', 429, 'Model is not ready', 'rate_limited'],
    ]) {
      answering({ [FRANKFURT]: denied(name, status, message) });
      const response = await worker.chat('bedrock/claude-sonnet-4-5@eu-central-1');
      assert.deepEqual(trail(response), [`bedrock/claude-sonnet-4-5@eu-central-1=${cls}`], message);
      assert.equal(response.status, status);
      assert.equal((await response.json()).error.message, message);
    }
  });

  test('a caller’s own Bedrock key travels as bearer', async () => {
    const sent = answering({ [FRANKFURT]: ok('messages') });
    const response = await worker.chat('bedrock/claude-sonnet-4-5@eu-central-1', {}, { 'x-understudy-key-bedrock': 'ABSKown-key' });
    assert.equal(response.status, 200, await response.text());
    assert.equal(sent[0].headers.get('authorization'), 'Bearer ABSKown-key');
    assert.equal(sent[0].headers.get('x-amz-security-token'), null);
  });
});

describe('vertex', () => {
  const PARIS = 'europe-west9-aiplatform.googleapis.com';
  const CLAUDE = 'vertex/claude-sonnet-4-5@europe-west9';

  test('a service account’s key is exchanged once for a token, at Google’s own address', async () => {
    const sent = answering({ [PARIS]: ok('messages') });
    for (let n = 0; n < 2; n++) {
      const said = await worker.openai().chat.completions.create({ model: CLAUDE, messages });
      assert.equal(said.choices[0].message.content, SAID);
    }
    assert.deepEqual(sent.map((call) => call.host), [TOKENS, PARIS, PARIS]);
    const form = new URLSearchParams(sent[0].body);
    assert.equal(sent[0].headers.get('content-type'), 'application/x-www-form-urlencoded');
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
    const [header, claims, signature] = form.get('assertion').split('.');
    const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
    assert.deepEqual(read(header), { alg: 'RS256', typ: 'JWT', kid: 'kid1' });
    const { iss, scope, aud, iat, exp } = read(claims);
    assert.deepEqual([iss, scope, aud], [ACCOUNT.client_email, 'https://www.googleapis.com/auth/cloud-platform', `https://${TOKENS}/token`]);
    assert.ok(exp - iat === 3600 && Math.abs(iat - Date.now() / 1000) < 60);
    assert.ok(verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url')));
    const [, call] = sent;
    assert.equal(call.headers.get('authorization'), 'Bearer ya29.token');
    assert.match(call.path, /^\/v1\/projects\/proj\/locations\/europe-west9\/publishers\/anthropic\/models\/claude-sonnet-4-5@20250929:rawPredict$/);
    assert.equal(call.json.anthropic_version, 'vertex-2023-10-16');
    assert.ok(!('model' in call.json));
  });

  test('streams, for a Messages and a chat client', async () => {
    const sent = answering({ [PARIS]: stream('messages') });
    const message = await worker.anthropic().messages.stream({ model: CLAUDE, max_tokens: 64, messages }).finalMessage();
    assert.equal(message.content[0].text, SAID);
    assert.match(sent.at(-1).path, /:streamRawPredict$/);
    assert.equal(sent.at(-1).json.stream, true);
    const completion = await worker.openai().chat.completions.stream({ model: CLAUDE, messages }).finalChatCompletion();
    assert.equal(completion.choices[0].message.content, SAID);
  });

  test('Gemini on Vertex speaks chat, under the same token', async () => {
    const sent = answering({ 'aiplatform.googleapis.com': ok('chat') });
    const said = await worker.anthropic().messages.create({ model: 'vertex/gemini-2.5-pro', max_tokens: 64, messages });
    assert.equal(said.content[0].text, SAID);
    assert.equal(sent.at(-1).path, '/v1/projects/proj/locations/global/endpoints/openapi/chat/completions');
    assert.equal(sent.at(-1).json.model, 'google/gemini-2.5-pro');
    assert.equal(sent.at(-1).headers.get('authorization'), 'Bearer ya29.token');
  });

  test('Google’s errors, in a list too, and a key that is refused', async () => {
    const google = (code, status, message, details = []) => [{ error: { code, status, message, details } }];
    const spent = [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId: 'GenerateRequestsPerDay' }] }];
    for (const [code, status, message, details, cls] of [
      [429, 'RESOURCE_EXHAUSTED', 'Resource exhausted', [], 'rate_limited'],
      [429, 'RESOURCE_EXHAUSTED', 'Quota', spent, 'quota_exhausted'],
      [503, 'UNAVAILABLE', 'The model is overloaded', [], 'overloaded'],
      [403, 'PERMISSION_DENIED', 'No access', [], 'forbidden'],
    ]) {
      answering({ [PARIS]: () => [code, 'application/json', google(code, status, message, details)] });
      const response = await worker.chat(CLAUDE);
      assert.deepEqual(trail(response), [`${CLAUDE}=${cls}`]);
      assert.equal((await response.json()).error.message, message);
    }
    const sent = answering({ [TOKENS]: () => [400, 'application/json', { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }], 'api.anthropic.com': ok('messages') });
    // Another key, so that no token of it is known yet.
    const own = { 'x-understudy-key-vertex': JSON.stringify({ ...ACCOUNT, client_email: 'other@proj' }) };
    await worker.put('policy:refused', { chain: [{ model: CLAUDE, key: 'own' }, 'anthropic/claude-sonnet-4-5'] });
    const response = await worker.chat('policy/refused', {}, { 'x-understudy-key-vertex': own['x-understudy-key-vertex'].replaceAll(' ', '\\u0020') });
    outcomes(response, 'auth', 'ok');
    assert.deepEqual(sent.map((call) => call.host), [TOKENS, 'api.anthropic.com']);
  });
});

describe('azure', () => {
  const RESOURCE = 'acme.openai.azure.com';

  test('deployments under a dated version, Responses on v1, Claude on its own host', async () => {
    const sent = answering({ [RESOURCE]: (call) => [200, 'application/json', body(call.path.includes('/responses') ? 'responses' : 'chat', SAID)], 'acme.services.ai.azure.com': ok('messages') });
    await worker.openai().chat.completions.create({ model: 'azure/my-gpt', messages });
    await worker.openai().responses.create({ model: 'azure/my-gpt', input: 'Hi' });
    await worker.openai().chat.completions.create({ model: 'azure/claude-sonnet-4-5', messages });
    await worker.anthropic().messages.countTokens({ model: 'azure/claude-sonnet-4-5', messages });
    assert.deepEqual(sent.map((call) => call.host + call.path), [
      `${RESOURCE}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21`,
      `${RESOURCE}/openai/v1/responses`,
      'acme.services.ai.azure.com/anthropic/v1/messages',
      'acme.services.ai.azure.com/anthropic/v1/messages/count_tokens',
    ]);
    assert.deepEqual(sent.map((call) => [call.headers.get('api-key'), call.headers.get('x-api-key'), call.headers.get('authorization')]), [['azure-key', null, null], ['azure-key', null, null], [null, 'azure-key', null], [null, 'azure-key', null]]);
    assert.equal(sent[2].headers.get('anthropic-version'), '2023-06-01');
  });

  test('a filtered prompt stops; a first chunk without choices commits nothing', async () => {
    const filtered = { error: { message: 'The response was filtered', type: null, param: 'prompt', code: 'content_filter', status: 400, innererror: { code: 'ResponsibleAIPolicyViolation' } } };
    answering({ [RESOURCE]: () => [400, 'application/json', filtered], 'api.openai.com': stream('chat') });
    const model = await policy('azure/my-gpt', 'openai/gpt-4o');
    outcomes(await worker.chat(model), 'content_policy');
    const first = data({ id: '', object: '', created: 0, model: '', choices: [], prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] });
    hosts.set(RESOURCE, () => [200, 'text/event-stream', first]);
    const response = await worker.chat(model, { stream: true });
    outcomes(response, 'interrupted', 'ok');
    assert.equal(saidIn(await response.text()), SAID);
  });
});

describe('others', () => {
  test('deepseek: comments before the first word are no progress; each family at its own endpoint', async () => {
    const flood = ': keep-alive\n\n'.repeat(300);
    const sent = answering({ 'api.deepseek.com': (call) => (call.json.stream ? [200, 'text/event-stream', flood + frames('chat', WORDS).join('')] : [200, 'application/json', '\n\n\n' + JSON.stringify(body(call.path.includes('/messages') ? 'messages' : call.path.endsWith('/responses') ? 'responses' : 'chat', SAID))]) });
    const response = await worker.chat('deepseek/reasoner', { stream: true });
    assert.equal(saidIn(await response.text()), SAID);
    await worker.openai().responses.create({ model: 'deepseek/reasoner', input: 'Hi' });
    await worker.anthropic().messages.create({ model: 'deepseek/reasoner', max_tokens: 9, messages });
    assert.deepEqual(sent.map((call) => call.path), ['/chat/completions', '/responses', '/anthropic/v1/messages']);
    assert.deepEqual(sent.map((call) => call.json.model), Array(3).fill('deepseek-reasoner'));
    assert.deepEqual([sent[0].headers.get('authorization'), sent[2].headers.get('x-api-key')], ['Bearer sk-deep', 'sk-deep']);
  });

  test('google, Workers AI and OpenAI: addresses, keys, whose organization', async () => {
    const sent = answering({ 'generativelanguage.googleapis.com': ok('chat'), 'api.cloudflare.com': ok('chat'), 'api.openai.com': ok('chat') });
    const headers = { 'openai-organization': 'org-1', 'openai-beta': 'x=1', 'anthropic-beta': 'b' };
    for (const model of ['gemini:gemini-2.5-pro', 'cloudflare/@cf/meta/llama-3.1-8b-instruct', 'gpt-4o']) assert.equal((await worker.chat(model, {}, headers)).status, 200, model);
    await worker.chat('gpt-4o', {}, { ...headers, 'x-understudy-key-openai': 'sk-mine' });
    assert.deepEqual(sent.map((call) => call.url.href), [
      'https://generativelanguage.googleapis.com/v1beta/openai/chat/completions',
      'https://api.cloudflare.com/client/v4/accounts/acc1/ai/v1/chat/completions',
      'https://api.openai.com/v1/chat/completions',
      'https://api.openai.com/v1/chat/completions',
    ]);
    assert.deepEqual(sent.map((call) => call.headers.get('authorization')), ['Bearer AIzaKey', 'Bearer cf-key', 'Bearer sk-openai', 'Bearer sk-mine']);
    assert.deepEqual(sent.map((call) => call.headers.get('openai-organization')), [null, null, null, 'org-1']);
    assert.equal(sent[1].json.model, '@cf/meta/llama-3.1-8b-instruct');
    assert.ok(sent.every((call) => call.headers.get('anthropic-beta') === 'b' && call.headers.get('openai-beta') === 'x=1'));
  });

  test('anthropic: overloaded inside a 200 is a failure of its target; errors in the client’s words', async () => {
    const overloaded = event('error', { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
    answering({ 'api.anthropic.com': () => [200, 'text/event-stream', overloaded], 'api.openai.com': stream('chat') });
    const response = await worker.post('/v1/messages', { model: await policy('anthropic/claude-sonnet-4-5', 'openai/gpt-4o'), max_tokens: 9, stream: true, messages });
    outcomes(response, 'overloaded', 'ok');
    assert.equal(saidIn(await response.text()), SAID);
    answering({ 'api.anthropic.com': () => [400, 'application/json', { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 300000 tokens > 200000 maximum' }, request_id: 'req_1' }] });
    const refused = await worker.chat('anthropic/claude-sonnet-4-5');
    assert.equal(refused.status, 400);
    const { error } = await refused.json();
    assert.equal(error.message, 'prompt is too long: 300000 tokens > 200000 maximum');
    assert.equal(error.code, 'context_length_exceeded');
    assert.deepEqual(trail(refused), ['anthropic/claude-sonnet-4-5=context_length']);
    answering({ 'api.openai.com': () => [429, 'application/json', { error: { message: 'slow', type: 'requests', param: null, code: 'rate_limit_exceeded' } }] });
    const limited = await worker.post('/v1/messages', { model: 'openai/gpt-4o', max_tokens: 9, messages });
    assert.equal(limited.status, 429);
    const { error: slow } = await limited.json();
    assert.deepEqual([slow.type, slow.message], ['rate_limit_error', 'slow']);
  });
});
