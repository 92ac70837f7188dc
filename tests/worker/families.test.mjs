// One chain crosses four families: whichever of them answers, the official SDK of every route gets its own dialect, whole and
// streamed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QUICK, outcomes, refused, rig } from './rig.mjs';
import { answer, body, data, frame, frames, json, sse, status } from './upstream.mjs';
import { ADMIN_TOKEN, saidIn, trail, unique } from './worker.mjs';

const { worker, upstream } = await rig();
const FAMILIES = { chat: 'only', responses: 'resp', messages: 'claude', converse: 'bedrock' };
await worker.put('provider:only', upstream.provider('only', { routes: ['chat'] }));
await worker.put('provider:resp', upstream.provider('resp', { routes: ['responses'] }));
// A built-in provider at another host keeps its wires: this one speaks Converse.
await worker.put('provider:bedrock', { base_url: upstream.provider('bedrock').base_url });

const WORDS = ['Hel', 'lo ', 'wörld'];
const SAID = WORDS.join('');
const messages = [{ role: 'user', content: 'Hi' }];

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

describe('what crosses, and what does not', () => {
  const chain = async (hops, more = {}) => {
    const name = unique('x');
    await worker.put(`policy:${name}`, { chain: hops, breaker: null, ...QUICK, ...more });
    return `policy/${name}`;
  };

  test('what only biases is dropped and listed, in the answer and in the ledger', async () => {
    const model = await chain(['claude/dropped']);
    for (const stream of [false, true]) {
      const response = await worker.chat(model, { seed: 7, logit_bias: { 1: 2 }, max_tokens: 9, stream, service_tier: 'flex' });
      assert.equal(response.status, 200);
      assert.deepEqual(new Set(response.headers.get('x-understudy-dropped').split(', ')), new Set(['seed', 'logit_bias', 'service_tier']));
      await response.text();
      const row = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.deepEqual(new Set(row.dropped), new Set(['seed', 'logit_bias', 'service_tier']));
    }
    assert.ok(upstream.calls('claude/dropped').every((call) => !('seed' in call.json) && call.json.max_tokens === 9));
  });

  test('what a failed attempt went without is told of it, and where nobody answers in the header too', async () => {
    const body = { seed: 7, logit_bias: { 1: 2 } };
    upstream.on('claude/fails', status(500));
    const record = async (response) => {
      await response.text();
      const { dropped, attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
      return [dropped, attempts.map((attempt) => attempt.dropped?.toSorted())];
    };
    const saved = await worker.chat(await chain(['claude/fails', 'acme/saves']), body);
    assert.equal(saved.headers.get('x-understudy-dropped'), null, 'the one that answered went without nothing');
    assert.deepEqual(await record(saved), [[], [['logit_bias', 'seed'], []]]);
    const lost = await worker.chat(await chain(['claude/fails', 'claude/fails']), body);
    assert.equal(lost.status, 500);
    assert.deepEqual(lost.headers.get('x-understudy-dropped').split(', ').sort(), ['logit_bias', 'seed']);
    const [dropped, attempts] = await record(lost);
    assert.deepEqual([dropped.toSorted(), attempts], [['logit_bias', 'seed'], [['logit_bias', 'seed'], ['logit_bias', 'seed']]]);
  });

  test('strict passes over what would drop, never passes over every other family', async () => {
    const strict = await chain(['claude/strict', 'only/strict'], { translate: 'strict' });
    outcomes(await worker.chat(strict, { seed: 7 }), 'skip:incompatible', 'ok');
    outcomes(await worker.chat(strict), 'ok');
    const never = await worker.chat(await chain(['claude/never', 'only/never'], { translate: 'never' }));
    assert.equal(trail(never)[0], 'claude/never=skip:incompatible:family');
    assert.equal(upstream.calls('claude/never').length, 0);
  });

  test('what the client would miss passes the hop over, and names it, with a key or without', async () => {
    // There is no key for anthropic here: that is not what is said first.
    for (const [more, feature] of [[{ n: 2 }, 'n'], [{ logprobs: true }, 'logprobs'], [{ modalities: ['text', 'audio'] }, 'audio']]) {
      const response = await worker.chat(await chain(['claude/missed', 'anthropic/claude-sonnet-4-5', 'only/missed']), more);
      assert.equal(response.status, 200, await response.clone().text());
      const [first, second, last] = trail(response);
      assert.match(first, new RegExp(`^claude/missed=skip:incompatible:(${feature})$`));
      assert.match(second, new RegExp(`^anthropic/claude-sonnet-4-5=skip:incompatible:(${feature})$`));
      assert.equal(last, 'only/missed=ok');
      assert.equal(response.headers.get('x-understudy-attempts'), '1');
    }
    const none = await worker.chat(await chain(['claude/missed']), { n: 2 });
    const error = await refused(none, 400, 'no_hop_fits', 'n');
    assert.equal(error.attempts[0].outcome, 'skip:incompatible:n');
    assert.equal(upstream.calls('claude/missed').length, 0);
  });

  test('a response that was translated cannot be continued', async () => {
    const first = await worker.openai().responses.create({ model: 'claude/continued', input: 'Hi' });
    assert.match(first.id, /^resp_us_/);
    const again = await worker.post('/v1/responses', { model: await chain(['resp/continued']), input: 'Hi', previous_response_id: first.id });
    await refused(again, 400, 'previous_response_not_found', 'input');
  });

  test('a loop of tools that changes its family keeps its calls and results together', async () => {
    const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }];
    const call = { type: 'tool_use', id: 'toolu_01', name: 'look', input: {} };
    upstream.on('claude/loop', json({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'thinking', thinking: 'hm', signature: 'sig' }, call], stop_reason: 'tool_use', stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } }), status(529));
    upstream.on('only/loop', answer(SAID));
    const model = await chain(['claude/loop', 'only/loop', 'resp/loop']);
    const client = worker.openai();
    const asked = [{ role: 'user', content: 'Look.' }];
    const first = await client.chat.completions.create({ model, messages: asked, tools });
    assert.deepEqual(first.choices[0].message.tool_calls, [{ id: 'toolu_01', type: 'function', function: { name: 'look', arguments: '{}' } }]);
    const results = [{ role: 'tool', tool_call_id: 'toolu_01', content: 'dark' }];
    const second = await client.chat.completions.create({ model, messages: [...asked, first.choices[0].message, ...results], tools });
    assert.equal(second.choices[0].message.content, SAID);
    const sent = upstream.calls('only/loop')[0].json.messages;
    assert.equal(sent[1].tool_calls[0].id, sent[2].tool_call_id);
    // What another family's ids look like is made fit, the same way on both sides.
    const odd = [...asked, { role: 'assistant', content: null, tool_calls: [{ id: 'functions.look:0', type: 'function', function: { name: 'look', arguments: '' } }] }, { role: 'tool', tool_call_id: 'functions.look:0', content: 'dark' }];
    upstream.on('claude/odd', answer(SAID));
    await client.chat.completions.create({ model: 'claude/odd', messages: odd, tools });
    const [, assistant, user] = upstream.calls('claude/odd')[0].json.messages;
    assert.match(assistant.content[0].id, /^[a-zA-Z0-9_-]{1,64}$/);
    assert.equal(user.content[0].tool_use_id, assistant.content[0].id);
  });

  test('`functions` that are null or none do not make an answer one of functions', async () => {
    upstream.on('claude/functions', json({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'tool_use', id: 'toolu_01', name: 'look', input: {} }], stop_reason: 'tool_use', stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } }));
    const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }];
    for (const functions of [null, []]) {
      const { choices } = await (await worker.chat('claude/functions', { tools, functions, function_call: null })).json();
      assert.deepEqual([choices[0].finish_reason, choices[0].message.tool_calls?.[0].id, choices[0].message.function_call], ['tool_calls', 'toolu_01', undefined]);
    }
  });

  const grammar = { syntax: 'regex', definition: 'SELECT .+' };
  const INPUT = 'SELECT * FROM "users"';

  test('a Responses client’s custom tools are those of a Chat target, whole and streamed', async () => {
    const call = { id: 'call_1', type: 'custom', custom: { name: 'sql', input: INPUT } };
    upstream.on('only/custom', (asked) => {
      const head = { id: 'chatcmpl-1', created: 1, model: 'm' };
      if (!asked.streaming) return json({ ...head, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls: [call] }, finish_reason: 'tool_calls' }] });
      const chunk = (delta, finish_reason = null) => data({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] });
      const piece = (custom, more = {}) => chunk({ tool_calls: [{ index: 0, ...more, custom }] });
      return sse(piece({ name: 'sql', input: '' }, { id: 'call_1', type: 'custom' }), piece({ input: INPUT.slice(0, 9) }), piece({ input: INPUT.slice(9) }), chunk({}, 'tool_calls'), data('[DONE]'));
    });
    const client = worker.openai();
    const asked = { model: await chain(['claude/custom', 'only/custom']), input: 'Hi', tools: [{ type: 'custom', name: 'sql', format: { type: 'grammar', ...grammar } }] };
    const { data: whole, response } = await client.responses.create(asked).withResponse();
    assert.match(trail(response)[0], /^claude\/custom=skip:incompatible:custom_tools$/);
    const told = ({ type, call_id, name, input, status }) => ({ type, call_id, name, input, status });
    const expected = { type: 'custom_tool_call', call_id: 'call_1', name: 'sql', input: INPUT, status: 'completed' };
    assert.deepEqual(told(whole.output[0]), expected);
    const events = [];
    for await (const event of await client.responses.create({ ...asked, stream: true })) events.push(event);
    assert.equal(events.filter(({ type }) => type === 'response.custom_tool_call_input.delta').map(({ delta }) => delta).join(''), INPUT);
    assert.equal(events.find(({ type }) => type === 'response.custom_tool_call_input.done').input, INPUT);
    assert.deepEqual(told(events.at(-1).response.output[0]), expected);
    // Its call and result go up again in Chat's words.
    const { id: _, ...item } = whole.output[0];
    await client.responses.create({ ...asked, input: [{ role: 'user', content: 'Hi' }, item, { type: 'custom_tool_call_output', call_id: 'call_1', output: '[]' }] });
    const { messages: sent, tools } = upstream.calls('only/custom').at(-1).json;
    assert.deepEqual(tools, [{ type: 'custom', custom: { name: 'sql', format: { type: 'grammar', grammar } } }]);
    assert.deepEqual(sent.slice(1), [{ role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: 'call_1', content: '[]' }]);
  });

  test('a Chat client’s custom tools are those of a Responses target, whole and streamed', async () => {
    const item = { id: 'ctc_1', type: 'custom_tool_call', status: 'completed', call_id: 'call_1', name: 'sql', input: INPUT };
    const whole = { id: 'resp_1', object: 'response', created_at: 1, status: 'completed', model: 'm', output: [item] };
    upstream.on('resp/custom', (asked) => {
      if (!asked.streaming) return json(whole);
      const at = { item_id: 'ctc_1', output_index: 0 };
      const said = [
        ['response.created', { response: { ...whole, status: 'in_progress', output: [] } }],
        ['response.output_item.added', { output_index: 0, item: { ...item, status: 'in_progress', input: '' } }],
        ['response.custom_tool_call_input.delta', { ...at, delta: INPUT }],
        ['response.custom_tool_call_input.done', { ...at, input: INPUT }],
        ['response.output_item.done', { output_index: 0, item }],
        ['response.completed', { response: whole }],
      ];
      return sse(said.map(([type, more], sequence_number) => `event: ${type}\n` + data({ type, sequence_number, ...more })));
    });
    const client = worker.openai();
    const asked = { model: 'resp/custom', messages, tools: [{ type: 'custom', custom: { name: 'sql', format: { type: 'grammar', grammar } } }], tool_choice: { type: 'custom', custom: { name: 'sql' } } };
    const call = { id: 'call_1', type: 'custom', custom: { name: 'sql', input: INPUT } };
    const { choices } = await client.chat.completions.create(asked);
    assert.deepEqual([choices[0].message.tool_calls, choices[0].finish_reason], [[call], 'tool_calls']);
    const { tools, tool_choice } = upstream.calls('resp/custom')[0].json;
    assert.deepEqual([tools, tool_choice], [[{ type: 'custom', name: 'sql', format: { type: 'grammar', ...grammar } }], { type: 'custom', name: 'sql' }]);
    const deltas = [];
    for await (const { choices } of await client.chat.completions.create({ ...asked, stream: true })) deltas.push(...choices.flatMap(({ delta }) => delta.tool_calls ?? []));
    assert.deepEqual(deltas[0], { index: 0, id: 'call_1', type: 'custom', custom: { name: 'sql', input: '' } });
    assert.equal(deltas.map(({ custom }) => custom.input).join(''), INPUT);
  });

  test('tokens are counted by the first hop that can', async () => {
    const { input_tokens } = await worker.anthropic().messages.countTokens({ model: await chain(['only/count', 'claude/count']), messages });
    assert.equal(input_tokens, 14);
    assert.equal(upstream.calls('only/count').length, 0);
  });

  test('Bedrock counts tokens too, in its own envelope', async () => {
    upstream.on('bedrock/undefined', json({ inputTokens: 21 }));
    const system = 'Be brief.';
    for (const more of [{}, { stream: { commit: 'headers' } }]) {
      const model = await chain(['only/count', 'bedrock/claude-sonnet-4-5@eu-central-1'], more);
      const { input_tokens } = await worker.anthropic().messages.countTokens({ model, system, messages });
      assert.equal(input_tokens, 21);
    }
    const { path, json: sent } = upstream.calls('bedrock/undefined').at(-1);
    assert.equal(path, '/v1/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens');
    const counted = JSON.parse(Buffer.from(sent.input.invokeModel.body, 'base64').toString());
    assert.deepEqual(counted, { anthropic_version: 'bedrock-2023-05-31', max_tokens: 1, system, messages });
  });

  // Clients that hear nothing for long hang up: ten seconds of an upstream's silence are filled.
  test('a client of another family hears a ping while the model thinks', async () => {
    const [role, said, ...rest] = frames('chat', ['Hello']);
    upstream.on('only/thinks', sse(role, said, 10_600, rest));
    const stream = await worker.post('/v1/messages', { model: 'only/thinks', max_tokens: 9, stream: true, messages });
    const text = await stream.text();
    assert.match(text, /text_delta[^]*\nevent: ping\ndata: {"type":"ping"}\n\n[^]*message_stop/);
    assert.equal(saidIn(text), 'Hello');
  });

  // What it thinks comes all the while, and is not shown to who asked for no summary of it.
  test('a client that is shown no thoughts hears a ping while they come', async () => {
    const [role, ...rest] = frames('chat', ['Hello']);
    const thought = `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { reasoning_content: 'hm ' }, finish_reason: null }] })}\n\n`;
    upstream.on('only/ponders', sse(role, Array(12).fill([thought, 950]).flat(), rest));
    const stream = await worker.post('/v1/responses', { model: 'only/ponders', stream: true, input: 'Hello?' });
    const text = await stream.text();
    assert.match(text, /response\.created[^]*\n: ping\n\n[^]*response\.output_text\.delta[^]*response\.completed/);
  });

  test('a hop that does not fit says so, with an open breaker too', async () => {
    const model = await chain(['claude/shut'], { breaker: { failures: 1, window_ms: 30000, cooldown_ms: 30000, cooldown_max_ms: 30000 } });
    upstream.on('claude/shut', status(529));
    assert.equal((await worker.chat(model)).status, 529);
    const response = await worker.chat(model, { n: 2 });
    await refused(response, 400, 'no_hop_fits');
    assert.equal(response.headers.get('x-understudy-trail'), 'claude/shut=skip:incompatible:n');
  });

  test('an SDK’s own retry is tried once at each hop', async () => {
    upstream.on('only/again', status(503));
    const model = await chain([{ model: 'only/again', retries: 2 }]);
    for (const [count, attempts] of [['0', '3'], ['1', '1']]) {
      const response = await worker.chat(model, {}, { 'x-stainless-retry-count': count });
      assert.equal(response.headers.get('x-understudy-attempts'), attempts);
    }
  });

  test('an SDK’s own retry leaves the plan of all others as it is, and is not served under theirs', async () => {
    const lasting = await rig({ vars: { POLICY_TTL_MS: '60000' } });
    const p = await lasting.policy([status(503)], { breaker: null, ...QUICK }, { hops: [{ retries: 2 }] });
    for (const [count, attempts] of [['1', '1'], ['0', '3'], ['1', '1'], ['0', '3']]) {
      const response = await lasting.worker.chat(p.model, {}, { 'x-stainless-retry-count': count });
      assert.equal(response.headers.get('x-understudy-attempts'), attempts, `sent ${count} times before`);
    }
  });

  test('a hop that does not fit says so before it says that consent is missing', async () => {
    upstream.on('only/stays', status(503));
    for (const [more, headers] of [[{ consent: 'ask' }, {}], [{ consent: 'never' }, {}], [{}, { 'x-understudy-no-fallback': 'true' }]]) {
      const response = await worker.chat(await chain(['only/stays', 'claude/stays', 'only/goes'], more), { n: 2 }, headers);
      assert.deepEqual(trail(response).slice(1), ['claude/stays=skip:incompatible:n', 'only/goes=skip:consent']);
    }
    const alone = await worker.chat(await chain(['only/stays', 'claude/stays'], { consent: 'ask' }), { n: 2 });
    assert.equal(alone.headers.get('x-understudy-hint'), null, 'consent would change nothing');
  });

  test('a drill of a Converse target is answered in its own frames', async () => {
    const drill = { 'x-understudy-drill': 'bedrock/*=ok', 'x-understudy-admin': ADMIN_TOKEN };
    const said = await (await worker.chat('bedrock/amazon.nova-pro-v1:0', { stream: true }, drill)).text();
    assert.equal(saidIn(said), 'Hi');
    assert.ok(said.endsWith('data: [DONE]\n\n'), said);
    const whole = await (await worker.chat('bedrock/amazon.nova-pro-v1:0', {}, drill)).json();
    assert.equal(whole.choices[0].message.content, 'Hi');
  });

  test('tools that the client runs go from one Claude to the next, and past what is none', async () => {
    await worker.put('provider:claude-too', upstream.provider('claude-too', { dialect: 'anthropic', auth: { header: 'x-api-key', secret: 'ACME_API_KEY' } }));
    upstream.on('claude/claude-a', status(529));
    upstream.on('claude-too/claude-b', answer(SAID));
    const model = await chain(['claude/claude-a', 'claude-too/kimi', 'only/claude-c', 'claude-too/claude-b'], QUICK);
    const tools = [{ type: 'bash_20250124', name: 'bash' }];
    const response = await worker.post('/v1/messages', { model, max_tokens: 9, messages, tools });
    assert.deepEqual(trail(response), ['claude/claude-a=overloaded', 'claude-too/kimi=skip:incompatible:hosted_tools', 'only/claude-c=skip:incompatible:hosted_tools', 'claude-too/claude-b=ok']);
    assert.deepEqual(upstream.calls('claude-too/claude-b').at(-1).json.tools, tools);
  });

  test('a cache is filled with an answer of no tokens', async () => {
    const nothing = { ...body('messages', ''), content: [], stop_reason: 'max_tokens', usage: { input_tokens: 9, output_tokens: 0 } };
    upstream.on('claude/warm', json(nothing));
    const ask = (max_tokens) => worker.post('/v1/messages', { model: 'claude/warm', max_tokens, messages });
    const filled = await ask(0);
    assert.equal(filled.status, 200);
    assert.deepEqual(await filled.json(), nothing);
    assert.match((await ask(9)).headers.get('x-understudy-trail'), /=malformed;200;/);
  });

  test('a stream that met its limit and says nothing is an answer where the model may reason', async () => {
    const chunk = (delta, finish_reason = null) => data({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] });
    const spent = [chunk({ role: 'assistant', content: '' }), chunk({}, 'length'), data('[DONE]')];
    for (const model of ['only/thinks', 'only/talks']) upstream.on(model, sse(...spent));
    await worker.put('models', { 'only/talks': { supports: ['tools'] } });
    const thinks = await worker.chat('only/thinks', { stream: true });
    assert.equal(await thinks.text(), spent.join(''));
    assert.match((await worker.chat('only/talks', { stream: true })).headers.get('x-understudy-trail'), /=malformed;200;/);
    await worker.remove('models');
  });

  test('a model of the owner’s own naming goes on the wire of who made it', async () => {
    await worker.put('models', { 'bedrock/fast': { id: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0' } });
    upstream.on('bedrock/undefined', answer(SAID));
    const response = await worker.chat('bedrock/fast');
    await response.text();
    const last = upstream.calls('bedrock/undefined').at(-1);
    assert.equal(last.path, '/v1/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke');
    await worker.remove('models');
  });
});

test('a chat client’s tool loop falls back to Gemini 3 with the signature that it wants, and to no other model with it', async () => {
  const name = unique('g');
  const targets = [`acme/${name}`, `other/gemini-3-${name}`];
  upstream.on(targets[0], status(503));
  upstream.on(targets[1], answer(SAID));
  await worker.put(`policy:${name}`, { chain: targets, breaker: null, ...QUICK });
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
  const history = [...messages, { role: 'assistant', content: null, tool_calls: [call] }, { role: 'tool', tool_call_id: 'call_1', content: 'r' }];
  assert.equal((await worker.chat(`policy/${name}`, { messages: history })).status, 200);
  const [first, second] = targets.map((target) => upstream.calls(target).at(-1).json.messages);
  assert.deepEqual(first, history);
  assert.deepEqual(second, history.with(1, { ...history[1], tool_calls: [{ ...call, extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } }] }));
});
