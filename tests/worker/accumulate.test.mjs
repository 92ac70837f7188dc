// The official SDKs as judges of the streams written here: what an SDK's accumulator makes of a translated stream is what the
// same answer becomes without one. Recorded streams of every wire, replayed to the clients of every other family.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { rig } from './rig.mjs';
import { frame, json } from './upstream.mjs';
import { root, unique } from './worker.mjs';

const SHARED = [process.env.SHARED, join(root, '../shared'), join(root, '../../shared')].find((path) => path && existsSync(join(path, 'recordings')));
const RECORDINGS = SHARED && join(SHARED, 'recordings');

const { worker, upstream } = await rig();
const PROVIDERS = { chat: 'only', responses: 'resp', messages: 'claude', converse: 'bedrock' };
await worker.put('provider:only', upstream.provider('only', { routes: ['chat'] }));
await worker.put('provider:resp', upstream.provider('resp', { routes: ['responses'] }));
await worker.put('provider:bedrock', { base_url: upstream.provider('bedrock').base_url });

const messages = [{ role: 'user', content: 'Hi' }];
const include = { stream_options: { include_usage: true } };

/** Every recorded stream by its wire: a name, and the bytes as they come. */
function recordings() {
  const found = [];
  for (const provider of RECORDINGS ? readdirSync(RECORDINGS, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : []) {
    for (const name of readdirSync(join(RECORDINGS, provider.name))) {
      const folder = join(RECORDINGS, provider.name, name);
      const file = (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : undefined);
      const route = (JSON.parse(file('meta.json')).route ?? '').split('?')[0];
      const wire = route.endsWith('/messages') ? 'messages' : route.endsWith('/chat/completions') ? 'chat' : route.endsWith('/responses') ? 'responses' : route.endsWith('/converse-stream') ? 'converse' : undefined;
      const events = file('response.sse');
      const lines = file('response.txt')?.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
      if (wire && wire !== 'converse' && events && !name.includes('error')) found.push({ name: `${provider.name}/${name}`, wire, bytes: events, type: 'text/event-stream' });
      if (wire === 'converse' && lines) found.push({ name: `${provider.name}/${name}`, wire, lines, bytes: Buffer.concat(lines.flatMap((line) => Object.entries(line).map(([type, payload]) => frame(type, payload)))), type: 'application/vnd.amazon.eventstream' });
    }
  }
  return found;
}

/** The whole answer that a stream's own SDK makes of it; of Converse, for which there is none here, what its parts add up to. */
async function whole(recording, model) {
  const direct = { apiKey: 'none', maxRetries: 0 };
  switch (recording.wire) {
    case 'chat':
      return new OpenAI({ ...direct, baseURL: `${upstream.url}/only/v1` }).chat.completions.stream({ model, messages }).finalChatCompletion();
    case 'responses': {
      let last;
      for await (const event of await new OpenAI({ ...direct, baseURL: `${upstream.url}/resp/v1` }).responses.create({ model, input: 'Hi', stream: true })) last = event.response ?? last;
      return last;
    }
    case 'messages':
      return new Anthropic({ ...direct, baseURL: `${upstream.url}/claude` }).messages.stream({ model, max_tokens: 64, messages }).finalMessage();
    case 'converse':
      return added(recording.lines);
  }
}

function added(lines) {
  const content = [];
  let stopReason, usage;
  for (const line of lines) {
    const [[type, payload]] = Object.entries(line);
    const at = payload.contentBlockIndex;
    if (type === 'contentBlockStart' && payload.start?.toolUse) content[at] = { toolUse: { ...payload.start.toolUse, input: '' } };
    if (type === 'contentBlockDelta' && payload.delta.text !== undefined) content[at] = { text: (content[at]?.text ?? '') + payload.delta.text };
    if (type === 'contentBlockDelta' && payload.delta.toolUse) content[at].toolUse.input += payload.delta.toolUse.input;
    if (type === 'contentBlockDelta' && payload.delta.reasoningContent) content[at] ??= { reasoningContent: { reasoningText: { text: 'so' } } };
    if (type === 'messageStop') ({ stopReason } = payload);
    if (type === 'metadata') ({ usage } = payload);
  }
  const blocks = content.filter(Boolean).map((block) => (block.toolUse ? { toolUse: { ...block.toolUse, input: JSON.parse(block.toolUse.input || '{}') } } : block));
  return { output: { message: { role: 'assistant', content: blocks } }, stopReason, usage };
}

const only = (fields) => (value) => Object.fromEntries(fields.map((field) => [field, value?.[field] ?? null]));
const CLIENTS = {
  chat: {
    stream: (model, named) => worker.openai(named).chat.completions.stream({ model, messages, ...include }).finalChatCompletion(),
    whole: (model, named) => worker.openai(named).chat.completions.create({ model, messages }),
    gist: ({ id, object, choices: [{ message, finish_reason }], usage }) => ({ id, object, finish_reason, usage, ...only(['role', 'content', 'refusal'])(message), calls: (message.tool_calls ?? []).map(({ id, type, function: called, custom }) => ({ id, type, ...(custom ? { name: custom.name, input: custom.input } : { name: called.name, input: JSON.parse(called.arguments) }) })) }),
  },
  responses: {
    stream: (model, named) => worker.openai(named).responses.stream({ model, input: 'Hi', reasoning: { summary: 'auto' } }).finalResponse(),
    whole: (model, named) => worker.openai(named).responses.create({ model, input: 'Hi', reasoning: { summary: 'auto' } }),
    gist: (response) => ({ ...only(['id', 'status', 'incomplete_details', 'usage', 'output_text'])(response), output: JSON.parse(JSON.stringify(response.output, (name, value) => (name.startsWith('parsed') ? undefined : name === 'arguments' ? JSON.parse(value) : value))) }),
  },
  messages: {
    stream: (model, named) => worker.anthropic(named).messages.stream({ model, max_tokens: 64, messages }).finalMessage(),
    whole: (model, named) => worker.anthropic(named).messages.create({ model, max_tokens: 64, messages }),
    gist: (message) => ({ ...only(['id', 'type', 'role', 'stop_reason', 'stop_sequence', 'usage'])(message), content: message.content.map(({ type, text, id, name, input }) => ({ type, text, id, name, input })) }),
  },
};

/** Reasoning reaches Responses clients as a summary; the SDK of the chat wire does not keep it, so no whole answer has it. */
const shown = (recording, client, gist) => (client === 'responses' && ['chat', 'converse'].includes(recording.wire) ? { ...gist, output: gist.output.filter((item) => item.type !== 'reasoning').map((item) => ({ ...item, id: 0 })) } : gist);

/** What each Converse model of these tests answers. */
const replay = new Map();

// Of which no SDK makes the answer that they are: streams that its own wire's SDK refuses or loses counts of, arguments that
// were cut off, a recording whose pieces were shortened, ids that differ from event to event. (Host tests read these.)
const UNFIT = ['compaction-stream', 'duplicate-message-start', 'spliced-message-start', 'openai-compat-tool-call', 'incomplete-partial-json', 'moderation-stream', 'responses/phase-stream$', 'id-rotation'];
// Of which a client of another family could be told nothing: there the target failed, and the next one is asked.
const UNTELLABLE = ['local-shell-stream', 'mcp-approval-stream'];
const judged = recordings().filter(({ name }) => !UNFIT.some((part) => new RegExp(part).test(name)));

describe('recorded streams, translated', { concurrency: 4, skip: RECORDINGS ? false : 'the recordings are absent' }, () => {
  for (const recording of judged) {
    for (const [client, speaks] of Object.entries(CLIENTS).filter(([client]) => client !== recording.wire)) {
      test(`${recording.name} for ${client}`, async () => {
        const name = unique('a');
        const provider = PROVIDERS[recording.wire];
        // Converse names its model in the path, the script by what the body says.
        const target = recording.wire === 'converse' ? 'bedrock/undefined' : `${provider}/${name}`;
        const streamed = [{ status: 200, headers: { 'content-type': recording.type } }, recording.bytes];
        const isConverse = recording.wire === 'converse';
        let answer;
        // One script for both, as tests run beside each other: what was asked for says what to send.
        upstream.on(target, (call) => {
          const asked = isConverse ? replay.get(call.path.split('/')[3]) : { streamed, answer };
          const wantsStream = isConverse ? call.path.endsWith('converse-stream') : call.streaming;
          return wantsStream ? asked.streamed : json(asked.answer);
        });
        answer = await whole(recording, name);
        if (isConverse) replay.set(name, { streamed, answer });
        const model = `${provider}/${name}`;
        // Where an upstream gives no id, one is made of the request's.
        const named = { defaultHeaders: { 'x-understudy-request-id': name } };
        if (UNTELLABLE.some((part) => recording.name.endsWith(part))) {
          for (const ask of [speaks.stream, speaks.whole]) await assert.rejects(ask(model, named), /the answer is empty/);
          return;
        }
        const [byStream, byAnswer] = [speaks.gist(await speaks.stream(model, named)), speaks.gist(await speaks.whole(model, named))];
        assert.deepEqual(shown(recording, client, byStream), shown(recording, client, byAnswer));
        assert.ok(recording.name.includes('refusal') || JSON.stringify(byStream).length > 100);
      });
    }
  }
});
