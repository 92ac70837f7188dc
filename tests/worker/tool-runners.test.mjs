// Programs of the SDKs that go round by themselves until no tool is called, on targets of every family.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { rig } from './rig.mjs';
import { anthropicError, answer, json, status } from './upstream.mjs';
import { unique } from './worker.mjs';

const { worker, upstream } = await rig();
await worker.put('provider:only', upstream.provider('only', { routes: ['chat'] }));

/** Calls a tool once, and answers when its result has come. */
const chat = (call) => {
  const last = call.json.messages.at(-1);
  if (last.role === 'tool') return answer(`It is ${last.content}.`)(call);
  const called = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } };
  return json({ id: 'chatcmpl-9', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls: [called] }, finish_reason: 'tool_calls' }] });
};

async function weather(model) {
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
  const asked = [];
  const run = async ({ city }) => (asked.push(city), 'cold');
  const tool = betaTool({ name: 'weather', description: 'The weather', inputSchema: schema, run });
  const runner = worker.anthropic().beta.messages.toolRunner({ model, max_tokens: 100, messages: [{ role: 'user', content: 'Oslo?' }], tools: [tool] });
  const { content } = await runner.runUntilDone();
  assert.deepEqual(asked, ['Oslo']);
  return content.map((block) => block.text).join('');
}

test("Anthropic's runner sends what is new alone, and the whole conversation where no hop holds its thread", async () => {
  const name = unique('t');
  upstream.on(`only/${name}`, chat);
  assert.equal(await weather(`only/${name}`), 'It is cold.');
  const [first, second] = upstream.calls(`only/${name}`);
  assert.deepEqual([first.json.thread, second.json.messages.length], [undefined, 3]);
});

test("Anthropic's runner goes on when another family answered its first turn", async () => {
  const name = unique('t');
  const lost = { ...anthropicError('no such thread', 'not_found_error') };
  lost.error.details = { error_code: 'thread_not_found' };
  upstream.on(`claude/${name}`, status(529), (call) => (call.json.thread.type === 'continue' ? status(404, lost) : answer('Whole.')(call)));
  upstream.on(`only/${name}`, chat);
  await worker.put(`policy:${name}`, { chain: [`claude/${name}`, `only/${name}`], breaker: null });
  assert.equal(await weather(`policy/${name}`), 'Whole.');
  assert.deepEqual(upstream.calls(`claude/${name}`).map((call) => [call.json.thread.type, call.json.messages.length]), [['create', 1], ['continue', 1], ['create', 3]]);
});
