// The official OpenAI and Anthropic SDKs against every route: answers whole, bytes unchanged, headers as promised.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toFile } from 'openai';
import { QUICK, outcomes, rig, servedBy } from './rig.mjs';
import { answer, body, data, frames, json, sse, status, text } from './upstream.mjs';

const { worker, upstream, policy } = await rig();
const messages = [{ role: 'user', content: 'Hi' }];
const WORDS = ['Hel', 'lo ', 'wörld 🌍'];
const SAID = WORDS.join('');

test('chat completions: the first target fails, the second answers', async () => {
  const p = await policy([status(503), answer(SAID)], { description: 'two', ...QUICK });
  const { data, response } = await worker.openai().chat.completions.create({ model: p.model, messages }).withResponse();
  assert.equal(data.choices[0].message.content, SAID);
  servedBy(response, p, 2, { attempts: 2 });
  outcomes(response, 'overloaded', 'ok');
  const stored = await (await worker.kv()).get(`policy:${p.name}`);
  const version = createHash('sha256').update(stored).digest('hex').slice(0, 8);
  assert.equal(response.headers.get('x-understudy-policy'), `${p.name}@${version}`);
  assert.match(response.headers.get('x-understudy-trail'), new RegExp(`^${p.targets[0]}=overloaded;503;\\d+ms, ${p.targets[1]}=ok;200;\\d+ms$`));
  assert.match(response.headers.get('x-understudy-request-id'), /^[A-Za-z0-9._-]{1,64}$/);
});

test('a plain model, with the provider named by slash and by colon', async () => {
  for (const model of ['acme/plain', 'acme:plain', 'acme/with/slashes@x']) {
    const { data, response } = await worker.openai().chat.completions.create({ model, messages }).withResponse();
    assert.match(data.choices[0].message.content, /^Hello/);
    assert.equal(response.headers.get('x-understudy-fallback'), 'false');
    assert.equal(response.headers.get('x-understudy-policy'), null);
  }
  assert.equal(upstream.calls('acme/plain').length, 2);
  assert.equal(upstream.calls('acme/with/slashes@x').length, 1);
});

test('the request goes on byte for byte but for its model, the answer byte for byte', async () => {
  const answered = '{ "id":"x",  "object":"chat.completion","choices":[ {"index":0,"message":{"role":"assistant","content":"\\u00e9 é"},"finish_reason":"stop"}],\n"unknown": 1.50e2, "usage":null }';
  const p = await policy([json(Buffer.from(answered))]);
  const sent = (model) => `{ "messages" : [{"role":"user","content":"caf\\u00e9 \\ud83d\\ude00 é"}],\n\t"x_unknown": [1.0, 1E2, -0],  "model":"${model}" ,"temperature":0.10 }`;
  const response = await worker.post('/v1/chat/completions', sent(p.model));
  assert.equal(await response.text(), answered);
  assert.equal(p.calls(1)[0].body, sent(`${p.name}-1`));
});

test('which headers go upstream, and which do not', async () => {
  const p = await policy([answer()]);
  await worker.chat(p.model, {}, {
    authorization: 'Bearer client-secret', 'x-api-key': 'client-secret', cookie: 'a=b', 'x-stainless-lang': 'js', 'x-forwarded-for': '1.2.3.4', 'x-understudy-request-id': 'r-1',
    'openai-beta': 'assistants=v2', 'openai-organization': 'org-client', 'idempotency-key': 'idem', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'user-agent': 'my-app/1',
  });
  const { headers } = p.calls(1)[0];
  assert.equal(headers.authorization, 'Bearer sk-acme-managed-0123456789');
  for (const name of ['x-api-key', 'cookie', 'x-stainless-lang', 'x-forwarded-for', 'x-understudy-request-id', 'openai-organization', 'cf-connecting-ip']) assert.equal(headers[name], undefined, name);
  assert.equal(headers['openai-beta'], 'assistants=v2');
  assert.equal(headers['idempotency-key'], 'idem');
  assert.equal(headers['user-agent'], 'my-app/1');
  assert.ok(headers.traceparent);
  assert.match(headers['cdn-loop'], /understudy/);
  assert.ok(!JSON.stringify(p.calls(1)[0].rawHeaders).includes('client-secret'));
});

test('answer headers: rate limits and request ids pass, cookies and hop-by-hop do not', async () => {
  const p = await policy([json(body('chat', 'x'), { 'x-ratelimit-remaining-requests': '7', 'x-request-id': 'req_up', 'set-cookie': 'a=b', 'openai-processing-ms': '5' })]);
  const response = await worker.chat(p.model);
  assert.equal(response.headers.get('x-ratelimit-remaining-requests'), '7');
  assert.equal(response.headers.get('x-request-id'), 'req_up');
  assert.equal(response.headers.get('set-cookie'), null);
  const none = await policy([answer()]);
  const second = await worker.chat(none.model, {}, { 'x-understudy-request-id': 'mine.1' });
  assert.equal(second.headers.get('x-understudy-request-id'), 'mine.1');
  assert.equal(second.headers.get('x-request-id'), 'mine.1');
});

test('chat completions, streamed', async () => {
  const p = await policy([status(429), answer(WORDS)], QUICK);
  const { data, response } = await worker.openai().chat.completions.create({ model: p.model, messages, stream: true }).withResponse();
  let said = '';
  for await (const chunk of data) said += chunk.choices[0]?.delta?.content ?? '';
  assert.equal(said, SAID);
  servedBy(response, p, 2);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
});

test('streams come back byte for byte on each of the four routes', async () => {
  for (const [path, route, provider, more] of [
    ['/v1/chat/completions', 'chat', 'acme', { messages }],
    ['/v1/completions', 'completions', 'acme', { prompt: 'Hi' }],
    ['/v1/responses', 'responses', 'acme', { input: 'Hi' }],
    ['/v1/messages', 'messages', 'claude', { messages, max_tokens: 9 }],
  ]) {
    const sent = frames(route, WORDS);
    const p = await policy([sse(sent)], {}, { provider });
    const response = await worker.post(path, { model: p.model, stream: true, ...more });
    assert.equal(await response.text(), sent.join(''), route);
    assert.equal(p.calls(1)[0].path, path, route);
  }
});

test('responses, whole and streamed', async () => {
  const p = await policy([[status(500), answer(WORDS)], answer(WORDS)], QUICK);
  const whole = await worker.openai().responses.create({ model: p.model, input: 'Hi' });
  assert.equal(whole.output_text, SAID);
  const stream = await worker.openai().responses.create({ model: p.model, input: 'Hi', stream: true });
  const types = [];
  let said = '';
  for await (const event of stream) {
    types.push(event.type);
    if (event.type === 'response.output_text.delta') said += event.delta;
  }
  assert.equal(said, SAID);
  assert.equal(types.at(-1), 'response.completed');
});

test('messages, whole and streamed, by the Anthropic SDK', async () => {
  const p = await policy([status(529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }), answer(WORDS)], QUICK, { provider: 'claude' });
  const { data: whole, response } = await worker.anthropic().messages.create({ model: p.model, max_tokens: 9, messages }).withResponse();
  assert.equal(whole.content[0].text, SAID);
  servedBy(response, p, 2);
  assert.equal(p.calls(2)[0].headers['x-api-key'], 'sk-acme-managed-0123456789');
  assert.ok(p.calls(2)[0].headers['anthropic-version']);
  const streamed = await worker.anthropic().messages.stream({ model: p.model, max_tokens: 9, messages }).finalMessage();
  assert.equal(streamed.content[0].text, SAID);
  const counted = await worker.anthropic().messages.countTokens({ model: p.model, messages });
  assert.equal(counted.input_tokens, 14);
});

test('embeddings, completions, moderations, images, speech', async () => {
  const p = await policy([[status(500), answer(SAID)], answer(SAID)], QUICK);
  const client = worker.openai();
  const one = await policy([answer(SAID)]);
  const embeddings = await client.embeddings.create({ model: one.model, input: 'x', encoding_format: 'float' });
  assert.deepEqual(embeddings.data[0].embedding, [0.25, -0.5]);
  assert.equal((await client.completions.create({ model: p.model, prompt: 'Hi' })).choices[0].text, SAID);
  assert.equal((await client.moderations.create({ model: one.model, input: 'x' })).results[0].flagged, false);
  assert.equal((await client.images.generate({ model: one.model, prompt: 'x' })).data[0].b64_json, 'AAAA');
  const sound = Buffer.from([0, 255, 254, 0, 10, 13, 200]);
  const speech = await policy([status(503), text(sound, 'audio/mpeg')], QUICK);
  const spoken = await client.audio.speech.create({ model: speech.model, voice: 'alloy', input: 'x' });
  assert.deepEqual(Buffer.from(await spoken.arrayBuffer()), sound);
  assert.equal(spoken.headers.get('content-type'), 'audio/mpeg');
});

test('speech that comes as events goes on as it comes', async () => {
  const frames = [data({ type: 'speech.audio.delta', audio: 'AAAA' }), data({ type: 'speech.audio.done' })];
  const p = await policy([status(503), sse(frames[0], 1500, frames[1])], QUICK);
  const response = await worker.post('/v1/audio/speech', { model: p.model, voice: 'alloy', input: 'x', stream_format: 'sse' });
  servedBy(response, p, 2);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  const reader = response.body.getReader();
  const first = await reader.read();
  assert.equal(Buffer.from(first.value).toString(), frames[0]);
  assert.equal(p.calls(2)[0].finished, false, 'the upstream has not ended yet');
  const second = await reader.read();
  assert.equal(Buffer.from(second.value).toString(), frames[1]);
  assert.equal((await reader.read()).done, true);
});

test('vectors of two models do not mix: a draw does not decide whose a request gets', async () => {
  const p = await policy([answer(), answer()], { type: 'load_balance' }, { hops: [{ weight: 1 }, { weight: 1000 }] });
  for (let n = 0; n < 5; n++) {
    const response = await worker.post('/v1/embeddings', { model: p.model, input: 'x' });
    assert.equal(response.headers.get('x-understudy-model'), p.targets[0], await response.text());
  }
  assert.equal(p.calls(2).length, 0);
});

test('vectors of two models do not mix: on embeddings a hop of another model is skipped', async () => {
  const p = await policy([status(500), answer()], QUICK);
  const response = await worker.post('/v1/embeddings', { model: p.model, input: 'x' });
  assert.equal(response.status, 500);
  assert.equal(p.calls(2).length, 0);
  assert.match(response.headers.get('x-understudy-trail'), /skip:incompatible/);
});

test('multipart: the model field names the policy, the rest goes on', async () => {
  const p = await policy([status(500), answer('heard')], QUICK);
  const file = await toFile(Buffer.from([1, 2, 3, 0, 255]), 'a.wav');
  const heard = await worker.openai().audio.transcriptions.create({ model: p.model, file, language: 'de' });
  assert.equal(heard.text, 'heard');
  const [call] = p.calls(2);
  assert.equal(call.model, `${p.name}-2`);
  assert.match(call.headers['content-type'], /^multipart\/form-data; ?boundary=/);
  assert.ok(call.raw.includes(Buffer.from([1, 2, 3, 0, 255])));
  assert.ok(call.body.includes('name="language"\r\n\r\nde'));
});

test('models: policies first, then targets', async () => {
  const p = await policy([answer()]);
  const listed = [];
  for await (const model of await worker.openai().models.list()) listed.push(model);
  const mine = listed.find((model) => model.id === p.model);
  assert.equal(mine.owned_by, 'understudy');
  assert.equal(mine.object, 'model');
  const firstTarget = listed.findIndex((model) => !model.id.startsWith('policy/'));
  assert.ok(firstTarget === -1 || !listed.slice(firstTarget).some((model) => model.id.startsWith('policy/')));
  assert.equal((await worker.openai().models.retrieve(p.model)).id, p.model);
  assert.equal((await worker.fetch('/v1/models/policy/none')).status, 404);
});
