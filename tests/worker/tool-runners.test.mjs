// Programs of the SDKs that go round by themselves until no tool is called, on targets of every family.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponsesToolRunner } from 'openai/helpers/responses-tool-runner';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { rig } from './rig.mjs';
import { anthropicError, answer, body, json, status } from './upstream.mjs';
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

test("Anthropic's runner falls back in the middle of its thread", async () => {
  const name = unique('t');
  const called = [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Oslo' } }];
  upstream.on(`claude/${name}`, json({ ...body('messages', ''), content: called, stop_reason: 'tool_use' }), status(529, anthropicError('Overloaded', 'overloaded_error')));
  upstream.on(`only/${name}`, chat);
  await worker.put(`policy:${name}`, { chain: [`claude/${name}`, `only/${name}`], breaker: null });
  assert.equal(await weather(`policy/${name}`), 'It is cold.');
  assert.deepEqual(upstream.calls(`claude/${name}`).map((call) => call.json.thread.type), ['create', 'continue', 'create']);
});

test("OpenAI's runner goes on at a Responses server when another family answered its first turn", async () => {
  const name = unique('t');
  const thought = [{ type: 'thinking', thinking: 'Hm.', signature: 's' }, { type: 'text', text: 'Let me see.' }, { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Oslo' } }];
  upstream.on(`acme/${name}`, status(503), (call) => {
    const made = call.json.input.filter((item) => item.type === 'reasoning' || item.id?.includes('_us_'));
    return made.length > 0 ? status(404) : json(body('responses', 'It is cold.'));
  });
  upstream.on(`claude/${name}`, json({ ...body('messages', ''), content: thought, stop_reason: 'tool_use' }));
  await worker.put(`policy:${name}`, { chain: [`acme/${name}`, `claude/${name}`], breaker: null });
  const tool = { type: 'function', name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false }, strict: true };
  const runner = new ResponsesToolRunner({ functions: [{ tool, execute: async () => 'cold' }] });
  const asked = { model: `policy/${name}`, input: [{ role: 'user', content: 'Oslo?' }], reasoning: { summary: 'auto' }, store: false };
  assert.equal((await runner.run(worker.openai(), asked)).output_text, 'It is cold.');
  assert.equal(upstream.calls(`acme/${name}`).length, 2);
  assert.deepEqual(upstream.calls(`acme/${name}`)[1].json.input.map((item) => item.type ?? item.role), ['user', 'message', 'function_call', 'function_call_output']);
});
