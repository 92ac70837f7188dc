// Every class of outcome, under both presets: how often the target is tried, and who answers in the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUICK, outcomes, rig, servedBy } from './rig.mjs';
import { RESET, answer, anthropicError, data, event, json, openaiError, sse, status, text } from './upstream.mjs';
import { saidIn } from './worker.mjs';

const { worker, policy } = await rig();

const RETRY = 'retry', RETRY_ONLY = 'retry_only', NEXT = 'next', STOP = 'stop';
const VERDICTS = {
  rate_limited: [RETRY, RETRY_ONLY], quota_exhausted: [NEXT, STOP], overloaded: [RETRY, RETRY], server_error: [RETRY, RETRY], timeout: [NEXT, NEXT],
  unreachable: [RETRY, RETRY], malformed: [RETRY, NEXT], interrupted: [NEXT, NEXT], auth: [NEXT, STOP], forbidden: [NEXT, STOP], not_found: [NEXT, STOP],
  context_length: [NEXT, STOP], content_policy: [STOP, STOP], unsupported: [NEXT, STOP], invalid_request: [NEXT, STOP],
};

const error = (message, type, code) => openaiError(message, type, code);
const empty = (choices) => json({ id: 'x', object: 'chat.completion', choices });

/** What the upstream does, as which class that counts, and the status a stop hands on. */
const CASES = [
  ['429', status(429, error('Rate limit reached', 'requests', 'rate_limit_exceeded')), 'rate_limited', 429],
  ['429 without quota, HTML', status(429, '<html>slow down</html>'), 'rate_limited', 429],
  ['402', status(402, error('Insufficient Balance', 'unknown_error', 'invalid_request_error')), 'quota_exhausted', 402],
  ['429 insufficient_quota', status(429, error('You exceeded your current quota', 'insufficient_quota', 'insufficient_quota')), 'quota_exhausted', 429],
  ['503', status(503), 'overloaded'],
  ['529', status(529, anthropicError('Overloaded', 'overloaded_error')), 'overloaded'],
  ['500', status(500), 'server_error'],
  ['502 HTML', status(502, '<html>bad gateway</html>'), 'server_error'],
  ['408', status(408), 'timeout'],
  ['504', status(504), 'timeout'],
  ['524', status(524, '<html>a timeout occurred</html>'), 'timeout'],
  ['521', status(521, '<html>web server is down</html>'), 'unreachable'],
  ['530', status(530, '<html>1016</html>'), 'unreachable'],
  ['reset before headers', [RESET], 'unreachable'],
  ['HTML with 200', text('<!doctype html><html><body>Welcome to nginx!</body></html>'), 'malformed'],
  ['HTML with 200 called JSON', json('<html>oops</html>'), 'malformed'],
  ['half a JSON', json('{"id": "x", "choices": [{"index": 0, "mess'), 'malformed'],
  ['empty body', json(''), 'malformed'],
  ['no choices', empty([]), 'malformed'],
  ['choices null', empty(null), 'malformed'],
  ['no answer in the choice', empty([{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'stop' }]), 'malformed'],
  ['reasoning that leads to nothing', empty([{ index: 0, message: { role: 'assistant', content: '', reasoning_content: 'Hm.' }, finish_reason: 'stop' }]), 'malformed'],
  ['204', [{ status: 204, headers: {} }], 'malformed'],
  ['302', [{ status: 302, headers: { location: 'http://127.0.0.1:1/elsewhere' } }], 'malformed'],
  ['error object in a 200', json(error('The engine is currently overloaded', 'server_error', 'server_is_overloaded')), 'overloaded'],
  ['rate limit in a 200', json(error('Rate limit reached', 'rate_limit_error', 'rate_limit_exceeded')), 'rate_limited', 429],
  ['401', status(401, error('Incorrect API key provided', 'invalid_request_error', 'invalid_api_key')), 'auth', 401],
  ['403', status(403, error('Country, region, or territory not supported', 'request_forbidden', 'unsupported_country_region_territory')), 'forbidden', 403],
  ['404', status(404, error('The model `x` does not exist', 'invalid_request_error', 'model_not_found')), 'not_found', 404],
  ['context length', status(400, error("This model's maximum context length is 8192 tokens", 'invalid_request_error', 'context_length_exceeded')), 'context_length', 400],
  ['content policy', status(400, error('Your request was rejected', 'invalid_request_error', 'content_policy_violation')), 'content_policy', 400],
  ['unsupported parameter', status(400, { error: { message: "Unsupported parameter: 'temperature'", type: 'invalid_request_error', param: 'temperature', code: 'unsupported_parameter' } }), 'unsupported', 400],
  ['400', status(400, error('messages must not be empty', 'invalid_request_error', null)), 'invalid_request', 400],
  ['409', status(409), 'invalid_request', 409],
  ['422', status(422), 'invalid_request', 422],
];

for (const [index, preset] of ['resilient', 'strict'].entries()) {
  for (const [name, behaviour, cls, stopStatus] of CASES) {
    const verdict = VERDICTS[cls][index];
    test(`${preset}: ${name} is ${cls}: ${verdict}`, async () => {
      const p = await policy([behaviour, answer('second')], { on: { preset }, ...QUICK }, { hops: [{ retries: 1 }] });
      const response = await worker.chat(p.model);
      const tries = verdict === RETRY || verdict === RETRY_ONLY ? 2 : 1;
      const classes = Array(tries).fill(cls);
      if (verdict === STOP || verdict === RETRY_ONLY) {
        assert.equal(response.status, stopStatus, await response.clone().text());
        outcomes(response, ...classes);
        assert.equal(response.headers.get('x-understudy-model'), null);
        assert.equal(response.headers.get('x-should-retry'), 'false');
        assert.equal(p.calls(2).length, 0);
        assert.ok((await response.json()).error.message);
      } else {
        servedBy(response, p, 2, { attempts: tries + 1 });
        outcomes(response, ...classes, 'ok');
      }
      assert.equal(p.calls(1).length, tries);
    });
  }
}

test('a refused connection is unreachable', async () => {
  await worker.put('provider:down', { base_url: 'http://127.0.0.1:1/v1', dialect: 'openai' });
  const p = await policy([answer('second')]);
  await worker.put(`policy:${p.name}`, { chain: [{ model: 'down/m', retries: 1 }, p.targets[0]], ...QUICK });
  const response = await worker.chat(p.model);
  assert.equal(response.headers.get('x-understudy-model'), p.targets[0], response.headers.get('x-understudy-trail'));
  outcomes(response, 'unreachable', 'unreachable', 'ok');
});

test('in a stream, an error as its first event is classified by its own code', async () => {
  const first = {
    overloaded: sse(data(error('The engine is currently overloaded', 'server_error', 'server_is_overloaded')), data('[DONE]')),
    rate_limited: sse(data(error('Rate limit', 'rate_limit_error', 'rate_limit_exceeded'))),
    server_error: sse(data(error('The server had an error', 'server_error', null))),
    quota_exhausted: sse(data(error('You exceeded your current quota', 'insufficient_quota', 'insufficient_quota'))),
  };
  for (const [cls, behaviour] of Object.entries(first)) {
    const p = await policy([behaviour, answer('second')], QUICK);
    const response = await worker.chat(p.model, { stream: true });
    servedBy(response, p, 2);
    outcomes(response, cls, 'ok');
    await response.text();
  }
});

test('an Anthropic overloaded_error as first event, and a Responses response.failed', async () => {
  const messages = await policy([sse(event('error', anthropicError('Overloaded', 'overloaded_error'))), answer('second')], QUICK, { provider: 'claude' });
  const first = await worker.post('/v1/messages', { model: messages.model, max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hi' }] });
  servedBy(first, messages, 2);
  outcomes(first, 'overloaded', 'ok');
  await first.text();
  const failed = { type: 'response.failed', sequence_number: 1, response: { id: 'r', object: 'response', status: 'failed', error: { code: 'rate_limit_exceeded', message: 'Rate limit' }, output: [] } };
  const responses = await policy([sse(event('response.failed', failed)), answer('second')], QUICK);
  const second = await worker.post('/v1/responses', { model: responses.model, input: 'Hi', stream: true });
  servedBy(second, responses, 2);
  outcomes(second, 'rate_limited', 'ok');
  await second.text();
});

test('no failure: a refusal, a content filter finish, a length finish with reasoning', async () => {
  const choice = (message, finish_reason) => json({ id: 'x', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason }] });
  for (const behaviour of [choice({ refusal: 'I cannot' }, 'stop'), choice({ content: '' }, 'content_filter'), choice({ content: '', reasoning_content: 'thinking' }, 'length')]) {
    const p = await policy([behaviour, answer('second')], QUICK);
    servedBy(await worker.chat(p.model), p, 1, { attempts: 1 });
  }
});

test('a provider document classifies its own errors first', async () => {
  const document = JSON.parse(await (await worker.kv()).get('provider:acme'));
  await worker.put('provider:capacity', { ...document, errors: [{ status: 400, contains: 'capacity', class: 'overloaded' }] });
  const p = await policy([status(400, error('no capacity left', 'x', null)), answer('second')], QUICK);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0].replace('acme/', 'capacity/'), p.targets[1]], ...QUICK });
  const response = await worker.chat(p.model);
  outcomes(response, 'overloaded', 'ok');
});

test('a provider that fails in a 200 is classified by its own rules: in a shape of its own, or in the guise of an answer', async () => {
  const document = JSON.parse(await (await worker.kv()).get('provider:acme'));
  const errors = [{ status: 200, contains: 'server busy', class: 'overloaded' }, { contains: 'no capacity', class: 'overloaded' }];
  await worker.put('provider:polite', { ...document, errors });
  const odd = json({ code: 1305, msg: 'Server busy' });
  const busy = answer(['Sorry, the ', 'server busy']);
  for (const [behaviour, more, expected, first = 'overloaded'] of [
    [odd, {}, 'second'], [answer('Sorry: server busy'), {}, 'second'], [answer('Sorry: server busy'), { stream: true }, 'second'],
    [busy, { stream: true, understudy: { stream: { commit: 'complete' } } }, 'second'],
    // A text alone may stand in any good answer.
    [answer('There is no capacity'), {}, 'There is no capacity', 'ok'], [answer('There is no capacity'), { stream: true }, 'There is no capacity', 'ok'],
  ]) {
    const p = await policy([behaviour, answer('second')], QUICK);
    await worker.put(`policy:${p.name}`, { chain: [p.targets[0].replace('acme/', 'polite/'), p.targets[1]], ...QUICK });
    const response = await worker.chat(p.model, more);
    const body = await response.text();
    assert.equal(more.stream ? saidIn(body) : JSON.parse(body).choices[0].message.content, expected, body);
    outcomes(response, ...(first === 'ok' ? ['ok'] : [first, 'ok']));
  }
});
