// What the admin API foretells is what happens: a simulation beside a drill of the same outcomes, explain beside the request.
// Drawn from a seed, so that a failure can be run again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rig } from './rig.mjs';
import { status } from './upstream.mjs';
import { ADMIN_TOKEN, trail } from './worker.mjs';

const { worker, upstream } = await rig({ secrets: { BEDROCK_API_KEY: 'bedrock-key-0123456789' } });

const dice = (state) => (sides) => {
  state = (state * 1103515245 + 12345) % 2147483648;
  return Math.floor((state / 2147483648) * sides);
};
const of = (roll) => (list) => list[roll(list.length)];

/** So many cases, eight at a time: most of their time is waiting. */
async function each(count, run) {
  for (let from = 0; from < count; from += 8) await Promise.all(Array.from({ length: Math.min(8, count - from) }, (_, n) => run(from + n)));
}

const CLASSES = ['rate_limited', 'quota_exhausted', 'overloaded', 'server_error', 'timeout', 'unreachable', 'malformed', 'interrupted', 'auth', 'forbidden', 'not_found', 'context_length', 'content_policy', 'unsupported', 'invalid_request'];
const OUTCOMES = [...CLASSES, 'ok', '429;retry-after=0.05', '429;retry-after=5', '503', '500', '404', '401', '402', '413', '204', '302', '408', '529', '522', 'stall@0', 'stall@2', 'cut@0', 'cut@2'];

/** A policy of one to five hops, and what each of its targets meets. */
function scene(seed) {
  const roll = dice(seed);
  const pick = of(roll);
  const targets = [1, 2, 3, 4].map((n) => `acme/scene-${seed}-${n}`);
  const hop = () => ({ model: pick(targets), retries: pick([0, 0, 1, 2]) });
  const policy = {
    chain: Array.from({ length: 1 + roll(5) }, hop),
    on: { preset: pick(['strict', 'resilient']), ...Object.fromEntries(CLASSES.filter(() => !roll(4)).map((name) => [name, pick(['retry', 'retry_only', 'next', 'stop'])])) },
    backoff: { initial_ms: 10, max_ms: 30, jitter: 0, retry_after_max_ms: 100 },
    // Long enough for what answers at once, however busy the machine is.
    timeouts: { headers_ms: 600, first_token_ms: 800, idle_ms: 700, attempt_ms: 1500 },
    stream: { commit: pick(['headers', 'first_event', 'first_content', 'complete']) },
    consent: pick(['automatic', 'automatic', 'automatic', 'ask', 'never']),
    breaker: pick([null, { failures: 2, window_ms: 60_000 }]),
  };
  return { policy, met: targets.map((target) => [target, pick(OUTCOMES)]) };
}

test('a simulation tells what a drill of the same outcomes meets', async () => {
  await each(48, async (seed) => {
    const { policy, met } = scene(seed + 1);
    const name = `scene-${seed}`;
    await worker.put(`policy:${name}`, policy);
    const script = met.map(([model, outcome]) => ({ model, outcomes: Array(64).fill(outcome) }));
    const told = await (await worker.admin(`/policies/${name}/simulate`, { method: 'POST', body: script })).json();
    const foretold = told.steps.filter(({ step }) => step === 'call' || step === 'skip').map(({ step, model, outcome, reason }) => `${model} ${step === 'call' ? outcome : `(${reason})`}`);
    const drill = met.map(([model, outcome]) => `${model}=${outcome}`).join(', ');
    const response = await worker.chat(`policy/${name}`, { stream: true }, { 'x-understudy-drill': drill, 'x-understudy-admin': ADMIN_TOKEN });
    await response.text();
    const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
    const happened = attempts.map(({ call, model, outcome }) => `${model} ${call ? outcome : `(${outcome})`}`);
    const scenery = `${JSON.stringify(policy)} ${drill}`;
    assert.deepEqual(happened, foretold, scenery);
    assert.equal(response.status === 200, told.result === 'served', scenery);
  });
});

test('hops of one target share its breaker in a drill, as they do without one', async () => {
  for (const model of ['acme/twice', 'acme/drilled-twice']) await worker.put(`policy:${model.slice(5)}`, { chain: [model, model, 'acme/other'], breaker: { failures: 1, window_ms: 60_000 } });
  upstream.on('acme/twice', status(500));
  const real = await worker.chat('policy/twice');
  const drilled = await worker.chat('policy/drilled-twice', {}, { 'x-understudy-drill': 'acme/drilled-twice=500', 'x-understudy-admin': ADMIN_TOKEN });
  assert.deepEqual(trail(real), ['acme/twice=server_error', 'acme/twice=skip:breaker_open', 'acme/other=ok']);
  assert.deepEqual(trail(drilled), trail(real).map((entry) => entry.replace('twice', 'drilled-twice')));
});

const WIRES = { openai: {}, groq: {}, mistral: {}, google: {}, xai: {}, anthropic: { dialect: 'anthropic', auth: { header: 'x-api-key', secret: 'ACME_API_KEY' } } };
const MODELS = ['openai/gpt-4o', 'openai/o3', 'anthropic/claude-sonnet-4-5', 'mistral/mistral-large-latest', 'groq/llama-3.3-70b-versatile', 'google/gemini-2.5-pro', 'xai/grok-4', 'acme/m', 'claude/x', 'together/x'];
const tool = { type: 'object', properties: {} };
const BODIES = {
  chat: [
    {}, { n: 2 }, { logprobs: true }, { service_tier: 'flex' }, { web_search_options: {} }, { stop: ['a', 'b', 'c', 'd', 'e'] }, { reasoning_effort: 'high' }, { top_k: 5 }, { seed: 1, logit_bias: {} },
    { tools: [{ type: 'function', function: { name: 'f', parameters: tool } }] }, { tools: [{ type: 'custom', custom: { name: 'c' } }] }, { modalities: ['text', 'audio'], audio: { voice: 'a', format: 'wav' } },
    { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: tool } } }, { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }] },
  ],
  responses: [{}, { tools: [{ type: 'web_search' }] }, { tools: [{ type: 'function', name: 'f', parameters: tool }] }, { previous_response_id: 'resp_x' }, { background: true }, { store: true }, { conversation: 'c' }, { prompt: { id: 'p' } }, { truncation: 'auto' }, { max_tool_calls: 2 }, { text: { format: { type: 'json_schema', name: 'x', schema: tool } } }],
  messages: [{}, { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 5000 }, { tools: [{ name: 'f', input_schema: tool }] }, { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, { top_k: 5 }, { stop_sequences: ['a', 'b', 'c', 'd', 'e'] }, { mcp_servers: [{ type: 'url', url: 'https://x.example', name: 'x' }] }, { container: 'c' }],
};
const PATHS = { chat: '/v1/chat/completions', responses: '/v1/responses', messages: '/v1/messages' };
const LEAST = { chat: { messages: [{ role: 'user', content: 'Hi' }] }, responses: { input: 'Hi' }, messages: { max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }] } };

test('explain says of each hop what the request itself meets there', async () => {
  for (const [name, more] of Object.entries(WIRES)) await worker.put(`provider:${name}`, upstream.provider(name, more));
  for (const model of MODELS) upstream.on(model, status(500));
  await each(96, async (seed) => {
    const pick = of(dice(seed + 1));
    const roll = dice(seed + 1001);
    const hop = () => (roll(4) ? pick(MODELS) : { model: pick(MODELS), key: pick(['own', 'managed_then_own', 'managed']), params: pick([{}, { temperature: 0.5 }, { service_tier: null }, { tools: null }]) });
    const policy = { chain: Array.from({ length: 1 + roll(5) }, hop), keep: pick([[], [], ['family'], ['provider'], ['labels'], ['billing']]), translate: pick(['lenient', 'lenient', 'strict', 'never']), breaker: null };
    const name = `explained-${seed}`;
    await worker.put(`policy:${name}`, policy);
    const route = pick(['chat', 'responses', 'messages']);
    const body = { ...LEAST[route], ...pick(BODIES[route]) };
    const { hops } = await (await worker.admin(`/policies/${name}/explain`, { method: 'POST', body: { route, body } })).json();
    const response = await worker.post(PATHS[route], { model: `policy/${name}`, ...body });
    await response.text();
    const foretold = hops.map(({ model, call, reason }) => `${model}=${call ? 'server_error' : `skip:${reason}`}`);
    assert.deepEqual(trail(response).map(decodeURIComponent), foretold, `${JSON.stringify(policy)} ${route} ${JSON.stringify(body)}`);
  });
});
