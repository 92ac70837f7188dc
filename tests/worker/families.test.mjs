// One chain crosses four families: whichever of them answers, the official SDK of every route gets its own dialect, whole and
// streamed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { QUICK, rig } from './rig.mjs';
import { answer, frames, json, sse, status } from './upstream.mjs';
import { unique } from './worker.mjs';

const { worker, upstream } = await rig();
const FAMILIES = { chat: 'only', responses: 'resp', messages: 'claude', converse: 'bedrock' };
await worker.put('provider:only', upstream.provider('only', { routes: ['chat'] }));
await worker.put('provider:resp', upstream.provider('resp', { routes: ['responses'] }));
// A built-in provider at another host keeps its wires: this one speaks Converse.
await worker.put('provider:bedrock', { base_url: upstream.provider('bedrock').base_url });

const WORDS = ['Hel', 'lo ', 'wörld'];
const SAID = WORDS.join('');
const messages = [{ role: 'user', content: 'Hi' }];

/** A frame of application/vnd.amazon.eventstream. */
function frame(type, payload) {
  const header = (name, value) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7, 0, value.length]), Buffer.from(value)]);
  const headers = Buffer.concat([header(':message-type', 'event'), header(':event-type', type), header(':content-type', 'application/json')]);
  const data = Buffer.from(JSON.stringify(payload));
  const all = Buffer.alloc(12 + headers.length + data.length + 4);
  all.writeUInt32BE(all.length, 0);
  all.writeUInt32BE(headers.length, 4);
  all.writeUInt32BE(crc32(all.subarray(0, 8)), 8);
  headers.copy(all, 12);
  data.copy(all, 12 + headers.length);
  all.writeUInt32BE(crc32(all.subarray(0, all.length - 4)), all.length - 4);
  return all;
}

const USAGE = { inputTokens: 9, outputTokens: 3, totalTokens: 12 };
function converse(stream) {
  if (!stream) return json({ output: { message: { role: 'assistant', content: [{ text: SAID }] } }, stopReason: 'end_turn', usage: USAGE });
  const deltas = WORDS.map((text) => frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text } }));
  const all = [frame('messageStart', { role: 'assistant' }), ...deltas, frame('contentBlockStop', { contentBlockIndex: 0 }), frame('messageStop', { stopReason: 'end_turn' }), frame('metadata', { usage: USAGE })];
  return [{ status: 200, headers: { 'content-type': 'application/vnd.amazon.eventstream' } }, ...all];
}

/** A policy whose last hop, of that family, answers; the hops of the other three fail before it. */
async function crossing(last, stream) {
  const name = unique('f');
  const order = [...Object.keys(FAMILIES).filter((family) => family !== last), last];
  const chain = order.map((family) => (family === 'converse' ? 'bedrock/amazon.nova-pro-v1:0' : `${FAMILIES[family]}/${name}`));
  // Converse names its model in the path, so the upstream knows this target without one.
  const key = (family) => (family === 'converse' ? 'bedrock/undefined' : `${FAMILIES[family]}/${name}`);
  for (const family of order.slice(0, -1)) upstream.on(key(family), status(529));
  const said = last === 'converse' ? converse(stream) : stream ? sse(frames(last, WORDS)) : answer(SAID);
  upstream.on(key(last), said);
  await worker.put(`policy:${name}`, { chain, breaker: null, ...QUICK });
  return { model: `policy/${name}`, served: chain.at(-1) };
}

const served = (response, policy) => {
  const trail = response.headers.get('x-understudy-trail');
  assert.equal(response.headers.get('x-understudy-model'), policy.served, trail);
  assert.equal(response.headers.get('x-understudy-attempts'), '4', trail);
};

for (const last of Object.keys(FAMILIES)) {
  describe(`served by ${last}`, () => {
    test('a chat client', async () => {
      const policy = await crossing(last, false);
      const { data, response } = await worker.openai().chat.completions.create({ model: policy.model, messages }).withResponse();
      served(response, policy);
      assert.equal(data.choices[0].message.content, SAID);
      assert.equal(data.choices[0].finish_reason, 'stop');
      assert.equal(data.usage.total_tokens, 12);
    });
    test('a chat client, streamed', async () => {
      const policy = await crossing(last, true);
      const stream = worker.openai().chat.completions.stream({ model: policy.model, messages });
      assert.equal((await stream.finalChatCompletion()).choices[0].message.content, SAID);
    });
    test('a Responses client', async () => {
      const policy = await crossing(last, false);
      const { data, response } = await worker.openai().responses.create({ model: policy.model, input: 'Hi' }).withResponse();
      served(response, policy);
      assert.equal(data.output_text, SAID);
      assert.equal(data.status, 'completed');
    });
    test('a Responses client, streamed', async () => {
      const policy = await crossing(last, true);
      const stream = worker.openai().responses.stream({ model: policy.model, input: 'Hi' });
      assert.equal((await stream.finalResponse()).output_text, SAID);
    });
    test('a Messages client', async () => {
      const policy = await crossing(last, false);
      const { data, response } = await worker.anthropic().messages.create({ model: policy.model, max_tokens: 64, messages }).withResponse();
      served(response, policy);
      assert.equal(data.content.map((block) => block.text).join(''), SAID);
      assert.equal(data.stop_reason, 'end_turn');
    });
    test('a Messages client, streamed', async () => {
      const policy = await crossing(last, true);
      const stream = worker.anthropic().messages.stream({ model: policy.model, max_tokens: 64, messages });
      const message = await stream.finalMessage();
      assert.equal(message.content.map((block) => block.text).join(''), SAID);
      // The scripted chat stream counts no tokens.
      if (last !== 'chat') assert.equal(message.usage.output_tokens, 3);
    });
  });
}
