// Six questions to a running Worker, asked as a client asks them: is this deployment one that can be relied on?
import { adminToken, workerUrl } from './lib/admin.mjs';
import { readArgs } from './lib/args.mjs';
import { Problem } from './lib/steps.mjs';

export const help = `npm run verify -- <url> [--model policy/<name>]

Checks a deployment as a client meets it, one line each: models, auth refused, first call, stream, forced fallback,
error shape. Ends with 1 when one fails. It makes a few small calls to upstreams.

UNDERSTUDY_KEY is the gateway key. --model is what to ask for: by default the first policy that /v1/models lists.
The fallback is forced by a drill when ADMIN_TOKEN is set (locally also .dev.vars), else by asking for a model that
does not exist, with the real one behind it.`;

const PATIENCE_MS = 120_000;
const CHECKS = { models, 'auth refused': authRefused, 'first call': firstCall, stream, 'forced fallback': forcedFallback, 'error shape': errorShape };

export async function run(args) {
  const { values, positionals } = readArgs(args, { model: { type: 'string' } }, help);
  if (positionals.length > 1) throw new Problem(help);
  const url = workerUrl(positionals[0]);
  const key = process.env.UNDERSTUDY_KEY;
  const at = { url, key, model: values.model, token: adminToken(url), headers: key ? { authorization: `Bearer ${key}` } : {} };
  let failed = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    const started = performance.now();
    const line = await check(at).then((said) => `ok    ${name.padEnd(16)} ${said}`, (error) => (failed++, `FAIL  ${name.padEnd(16)} ${error.message}`));
    console.log(`${line}  ${Math.round(performance.now() - started)} ms`);
    if (failed && name === 'models') break; // Nothing else can be asked.
  }
  return failed ? 1 : 0;
}

async function models(at) {
  const { status, body } = await ask(at, 'models');
  expect(status !== 401, at.key ? 'the gateway key is refused: check UNDERSTUDY_KEY' : 'a gateway key is needed: UNDERSTUDY_KEY=us-...');
  expect(status === 200 && Array.isArray(body?.data), `${status}: ${brief(body)}`);
  const policies = body.data.filter((model) => model.id.startsWith('policy/'));
  at.model ??= policies[0]?.id;
  expect(at.model, 'no policy is stored: put one, or name a model with --model provider/model');
  return `${policies.length} policies, ${body.data.length - policies.length} models; asking ${at.model}`;
}

async function authRefused(at) {
  const { status, body } = await ask({ ...at, headers: { authorization: 'Bearer us-understudy-verify' } }, 'chat/completions', question(at));
  if (status === 200) {
    expect(/^https?:\/\/(127\.|localhost|\[::1\])/.test(at.url), 'an unknown key is answered: anyone may call this Worker');
    return 'open to all, as AUTH=off has it on this machine';
  }
  expect(status === 401 && body?.error?.code === 'invalid_api_key', `an unknown key gets ${status}: ${brief(body)}`);
  return '401 invalid_api_key';
}

async function firstCall(at) {
  const { status, body, headers } = await ask(at, 'chat/completions', question(at));
  expect(status === 200, `${status}: ${brief(body)}`);
  expect(typeof body?.choices?.[0]?.message === 'object', `no message in ${brief(body)}`);
  at.first = decodeURIComponent(headers.get('x-understudy-trail').split('=')[0]);
  return `answered by ${headers.get('x-understudy-model')}`;
}

async function stream(at) {
  const { status, text, headers } = await ask(at, 'chat/completions', { ...question(at), stream: true });
  expect(status === 200, `${status}: ${text.slice(0, 200)}`);
  expect(/^text\/event-stream/.test(headers.get('content-type') ?? ''), `content-type is ${headers.get('content-type')}`);
  const events = text.split('\n').filter((line) => line.startsWith('data: '));
  expect(events.at(-1) === 'data: [DONE]', `the last event is not [DONE] but ${events.at(-1)}`);
  return `${events.length} events and [DONE], by ${headers.get('x-understudy-model')}`;
}

async function forcedFallback(at) {
  expect(at.first, 'there is nothing to leave: the first call failed');
  const drill = { 'x-understudy-admin': at.token, 'x-understudy-drill': `${at.first}=overloaded` };
  const missing = `${at.first.split('/')[0]}/understudy-verify-no-such-model`;
  const headers = { ...at.headers, 'x-understudy-consent': 'fallback', ...(at.token ? drill : {}) };
  const asked = at.token ? question(at) : { ...question(at), model: missing, models: [at.model] };
  const answer = await ask({ ...at, headers }, 'chat/completions', asked);
  const trail = answer.headers.get('x-understudy-trail');
  expect(answer.body?.error?.code !== 'model_not_allowed', 'the key may not ask for what this needs: set ADMIN_TOKEN, and a drill does it');
  expect(answer.body?.error?.code !== 'invalid_admin_token', 'the admin token is refused: set ADMIN_TOKEN to the one that the Worker was given, or to nothing');
  expect(!at.token || answer.status === 200 || trail?.includes(','), `${at.model} has no second hop: add one, or name another policy with --model`);
  expect(answer.status === 200 && answer.headers.get('x-understudy-fallback') === 'true', `${answer.status}, ${trail}: ${brief(answer.body)}`);
  return trail;
}

async function errorShape(at) {
  const nowhere = { ...question(at), model: 'policy/understudy-verify-no-such-policy' };
  const chat = await ask(at, 'chat/completions', nowhere);
  const fields = ['message', 'type', 'param', 'code'].filter((field) => chat.body?.error?.[field] === undefined);
  expect(chat.status >= 400 && chat.status < 500 && fields.length === 0, `chat: ${chat.status}, ${brief(chat.body)}`);
  const messages = await ask(at, 'messages', { ...nowhere, max_tokens: 16 });
  expect(messages.body?.type === 'error' && messages.body.error?.message, `messages: ${messages.status}, ${brief(messages.body)}`);
  return `${chat.status} ${chat.body.error.code}, in OpenAI's shape and in Anthropic's`;
}

// The user makes `load_balance` draw the same hop each time. No cap on tokens: reasoning models refuse `max_tokens`, which goes
// up as it is sent.
const question = (at) => ({ model: at.model, user: 'understudy-verify', messages: [{ role: 'user', content: 'Say: ready' }] });

async function ask({ url, headers }, path, body) {
  const init = { method: body ? 'POST' : 'GET', headers: { 'content-type': 'application/json', ...headers }, body: body && JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE_MS) };
  const answer = await fetch(`${url}/v1/${path}`, init).catch((error) => {
    throw new Error(`no answer: ${error.cause?.code ?? error.message}`);
  });
  const text = await answer.text();
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: answer.status, headers: answer.headers, text, body: json };
}

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

const brief = (body) => (body?.error?.message ?? JSON.stringify(body) ?? 'no JSON').slice(0, 300);
