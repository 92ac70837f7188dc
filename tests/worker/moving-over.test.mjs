// The worked examples of docs/moving-over.md: what each config did elsewhere, it does here.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { pages, under } from './docs/pages.mjs';
import { frameworks as pythonFrameworks } from './packages.mjs';
import { outcomes, rig } from './rig.mjs';
import { answer, status } from './upstream.mjs';
import { unique } from './worker.mjs';

const { worker, upstream } = await rig();
const page = pages().find(({ path }) => path === 'docs/moving-over.md');
const example = (heading, language = 'json') => under(page, heading, language);
const python = pythonFrameworks();

/** Runs a policy through a script of outcomes: the models called, the waits between them, and how it ended. */
async function play(policy, script) {
  const name = unique('moved');
  await worker.put(`policy:${name}`, policy);
  const played = await (await worker.admin(`/policies/${name}/simulate`, { method: 'POST', body: script })).json();
  const of = (kind) => played.steps.filter((step) => step.step === kind);
  return { called: of('call').map((step) => step.model), waits: of('wait').map((step) => step.wait_ms), result: played.result };
}

test('Requesty: the chain as its page writes it, with its retries and waits', async () => {
  const [policy] = example('From Requesty');
  const [claude, bedrock] = ['anthropic/claude-sonnet-4-5', 'bedrock/claude-sonnet-4-5@eu-central-1'];
  assert.deepEqual(await play(policy, [{ model: 'anthropic/*', outcomes: ['500', '500'] }]), { called: [claude, claude, bedrock], waits: [500], result: 'served' });
});

test('OpenRouter: models are fallbacks of the request, in order', async () => {
  const [request] = example('From OpenRouter');
  const { model, models } = JSON.parse(request);
  for (const name of ['anthropic', 'openai', 'google']) await worker.put(`provider:${name}`, upstream.provider(name));
  for (const target of [model, models[0]]) upstream.on(target, status(503));
  upstream.on(models[1], answer('Hello'));
  const response = await worker.post('/v1/chat/completions', request);
  outcomes(response, 'overloaded', 'overloaded', 'ok');
  assert.equal(response.headers.get('x-understudy-model'), models[1]);
});

test('OpenPipe: the program of the example falls back', { skip: python.skip }, async () => {
  await worker.put('provider:openpipe', upstream.provider('openpipe'));
  await worker.put('provider:openai', upstream.provider('openai'));
  upstream.on('openpipe/my-ft-model', status(500));
  upstream.on('openai/gpt-4-turbo', answer('one two three'));
  const [program] = example('From OpenPipe', 'python');
  await promisify(execFile)(python.python, ['-c', program.replace('https://understudy.example.com', worker.url)], { timeout: 60_000 });
  const [first] = upstream.calls('openpipe/my-ft-model');
  const [second] = upstream.calls('openai/gpt-4-turbo');
  assert.ok(second.at > first.at);
  assert.equal(second.json.openpipe, undefined, 'what is for this gateway stays here');
});

test('Waystone: a user’s group brings the rule, and its metadata does not go on', async () => {
  await worker.put('rules', example('From Waystone')[0]);
  for (const name of ['openai', 'anthropic']) await worker.put(`provider:${name}`, upstream.provider(name));
  upstream.on('openai/gpt-4o', status(500));
  upstream.on('anthropic/claude-sonnet-4-5', answer('Hello'));
  const response = await worker.chat('gpt-4o', { metadata: { waystone: JSON.stringify({ user: 'ada', group: 'acme' }) } });
  await worker.remove('rules');
  outcomes(response, 'server_error', 'server_error', 'ok');
  assert.equal(response.headers.get('x-understudy-rule'), 'everyone/gpt-4o-to-claude');
  assert.equal(upstream.calls('openai/gpt-4o').at(-1).json.metadata, undefined);
});

test('Portkey: targets in order, retries, the clock, and the statuses that fall back', async () => {
  const [config, policy] = example('From Portkey');
  const { strategy, targets } = JSON.parse(config);
  const models = targets.map((target) => `${target.provider}/${target.override_params.model}`);
  const [first, second] = models;
  assert.equal(JSON.parse(policy).chain[0].timeouts.attempt_ms, targets[0].request_timeout);
  for (const code of strategy.on_status_codes) {
    const { called, result } = await play(policy, [{ model: first, outcomes: [`${code}`, `${code}`, `${code}`] }]);
    // A 504 is a timeout, which has spent its patience.
    const tries = code === 504 ? 1 : 1 + targets[0].retry.attempts;
    assert.deepEqual({ called, result }, { called: [...Array(tries).fill(first), second], result: 'served' }, String(code));
  }
  // The other meaning of a 429: nothing is left to pay with.
  const spent = await play(policy, [{ model: first, outcomes: ['quota_exhausted'] }]);
  assert.deepEqual({ called: spent.called, result: spent.result }, { called: models, result: 'served' });
  for (const code of ['400', '401', '403', '404']) assert.equal((await play(policy, [{ model: first, outcomes: [code] }])).result, 'stopped', code);
});

test('LiteLLM: fallbacks, retries, clocks and cooldown', async () => {
  const [config] = example('From LiteLLM', 'yaml');
  const [text] = example('From LiteLLM');
  const policy = JSON.parse(text);
  const said = (name) => Number(config.match(new RegExp(`\\b${name}: (\\d+)`))[1]);
  const models = [...config.matchAll(/\bmodel: ([\w/.-]+)/g)].map(([, model]) => model);
  assert.deepEqual(policy.chain.map((hop) => hop.model), models);
  assert.deepEqual(policy.chain.map((hop) => hop.retries), models.map(() => said('num_retries')));
  assert.deepEqual(policy.chain[0].timeouts, { attempt_ms: said('timeout') * 1000, first_token_ms: said('stream_timeout') * 1000 });
  assert.deepEqual(policy.breaker, { failures: said('allowed_fails'), cooldown_ms: said('cooldown_time') * 1000 });
  const { called, result } = await play(text, [{ model: models[0], outcomes: ['429', '500', '503'] }]);
  assert.deepEqual({ called, result }, { called: [models[0], models[0], models[0], models[1]], result: 'served' });
});
