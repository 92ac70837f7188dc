// When it fails: which clock, which status, which words, which headers; in each dialect.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { QUICK, rig } from './rig.mjs';
import { STALL, answer, anthropicError, data, event, frames, json, openaiError, sse, status } from './upstream.mjs';
import { sleep } from './worker.mjs';

const { worker, upstream, policy } = await rig();

const ROUTES = {
  chat: { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'Hi' }] } },
  responses: { path: '/v1/responses', body: { input: 'Hi' } },
  messages: { path: '/v1/messages', provider: 'claude', body: { max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] } },
};
const ask = (route, model, more = {}) => worker.post(ROUTES[route].path, { model, ...ROUTES[route].body, ...more });
const header = (response, name) => response.headers.get(`x-understudy-${name}`);
const recorded = (response) => worker.recorded(header(response, 'request-id'));

describe('each clock fires in its phase, and the ledger says which', { concurrency: 3 }, () => {
  const TYPE = { status: 200, headers: { 'content-type': 'text/event-stream' } };
  const words = frames('chat', ['one', 'two']);
  const CASES = {
    'no headers': ['headers', [STALL], { timeouts: { headers_ms: 200 } }, true],
    'headers, no content': ['first_token', [TYPE, ': ping\n\n', words[0], STALL], { timeouts: { first_token_ms: 300 } }, true],
    'no headers within the first token’s clock': ['first_token', [STALL], { timeouts: { first_token_ms: 200 } }, true],
    'content, then none': ['idle', [TYPE, ...words.slice(0, 2), STALL], { timeouts: { idle_ms: 200 }, stream: { commit: 'complete' } }, true],
    'content, but for too long': ['attempt', [TYPE, ...Array(40).fill([words[1], 50]).flat(), STALL], { timeouts: { attempt_ms: 400 }, stream: { commit: 'complete' } }, true],
    'a whole answer that takes too long': ['attempt', [STALL], { timeouts: { attempt_ms: 200 } }, false],
    'the deadline, of a stream': ['deadline', [STALL], { deadline_ms: 200 }, true],
    'the deadline, of a whole answer': ['deadline', [{ status: 200, headers: {} }, STALL], { deadline_ms: 300 }, false],
    'the deadline, within a body': ['deadline', [TYPE, words[0], STALL], { deadline_ms: 300 }, true],
  };
  for (const [name, [phase, script, more, stream]] of Object.entries(CASES)) {
    test(name, async () => {
      const p = await policy([script], { ...QUICK, ...more });
      const response = await ask('chat', p.model, { stream });
      assert.equal(response.status, 504, await response.text());
      assert.match(header(response, 'trail'), /=timeout;-;\d+ms$/);
      const [attempt] = (await recorded(response)).attempts;
      // As the trail has it: a clock of ours has no status, whatever came before it.
      assert.deepEqual([attempt.outcome, attempt.phase, attempt.status], ['timeout', phase, null]);
      await p.calls(1)[0].ended;
    });
  }
});

describe('an error inside a 200 has the status of its class', { concurrency: 3 }, () => {
  const KINDS = {
    rate_limited: [429, ['Rate limit reached', 'rate_limit_error', 'rate_limit_exceeded']],
    quota_exhausted: [429, ['You exceeded your current quota', 'insufficient_quota', 'insufficient_quota']],
    overloaded: [503, ['Overloaded', 'overloaded_error', 'server_is_overloaded']],
    server_error: [502, ['Internal', 'server_error', 'server_error']],
    auth: [401, ['Incorrect API key', 'authentication_error', 'invalid_api_key']],
    forbidden: [403, ['Not allowed', 'permission_error', 'unsupported_country_region_territory']],
    not_found: [404, ['No such model', 'not_found_error', 'model_not_found']],
    context_length: [400, ['prompt is too long: 9 tokens > 8 maximum', 'invalid_request_error', 'context_length_exceeded']],
    invalid_request: [400, ['Bad', 'invalid_request_error', null]],
  };
  for (const route of Object.keys(ROUTES)) {
    for (const [cls, [code, [message, type, word]]] of Object.entries(KINDS)) {
      test(`${route}: ${cls}`, async () => {
        const error = route === 'messages' ? anthropicError(message, type) : openaiError(message, type, word);
        const frame = route === 'messages' ? event('error', error) : route === 'responses' ? event('error', { type: 'error', code: word, message, param: null, sequence_number: 0 }) : data(error);
        const wanted = route === 'messages' && cls === 'overloaded' ? 529 : code;
        for (const script of route === 'responses' && word === null ? [json(error)] : [json(error), sse(frame)]) {
          const p = await policy([script], QUICK, { provider: ROUTES[route].provider });
          const response = await ask(route, p.model, { stream: script[0].headers['content-type'].startsWith('text/event-stream') });
          const said = await response.json();
          assert.equal(response.status, wanted, `${JSON.stringify(said)} ${header(response, 'trail')}`);
          assert.equal(said.type, route === 'messages' ? 'error' : undefined);
          assert.ok(said.error.message.includes(message), JSON.stringify(said));
          assert.match(header(response, 'trail'), new RegExp(`=${cls};200;`));
        }
      });
    }
  }
});

test('the trail: other characters are percent-encoded, and with 64 attempts it keeps to 4,096 bytes', async () => {
  const strange = await worker.chat('acme/a+b(c)#d%');
  assert.match(header(strange, 'trail'), /^acme\/a%2Bb%28c%29%23d%25=ok;200;\d+ms$/);
  assert.equal(header(strange, 'model'), 'acme/a+b(c)#d%');
  const name = 'm'.repeat(200);
  upstream.on(`acme/${name}`, status(500));
  await worker.put('policy:long', { chain: Array.from({ length: 16 }, () => ({ model: `acme/${name}`, retries: 3 })), backoff: { initial_ms: 1, max_ms: 1 }, breaker: null });
  const failed = await worker.chat('policy/long');
  assert.equal(header(failed, 'attempts'), '64');
  const entries = header(failed, 'trail').split(', ');
  assert.ok(header(failed, 'trail').length <= 4096 && header(failed, 'trail').length > 3500, `${header(failed, 'trail').length} bytes`);
  assert.deepEqual(entries.filter((entry) => !/^acme\/m{200}=server_error;500;\d+ms$/.test(entry)), ['...']);
  assert.ok(entries.indexOf('...') > 3 && entries.indexOf('...') < entries.length - 4, 'the middle is left out');
});

test('the list of what was dropped has its bound: clients refuse an answer whose headers are too long', async () => {
  const unknown = Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`unknown_field_${n}`, 1]));
  const response = await worker.chat('claude/m', unknown);
  assert.equal(response.status, 200);
  const names = header(response, 'dropped').split(', ');
  assert.ok(header(response, 'dropped').length <= 4096 && names.length > 150, `${header(response, 'dropped').length} bytes`);
  assert.equal(names.at(-1), '...');
  assert.deepEqual(names.slice(0, -1), Object.keys(unknown).slice(0, names.length - 1));
});

test('retry-after says when the soonest target is back, at most 60, and nothing where nothing is known', async () => {
  const CASES = [
    [{ 'retry-after': '7' }, '7'],
    [{ 'retry-after': '3600' }, '60'],
    [{ 'retry-after-ms': '1200' }, '2'],
    [{}, null],
    [{ 'retry-after': 'soon' }, null],
  ];
  for (const [headers, wanted] of CASES) {
    const p = await policy([status(429, undefined, headers)], { ...QUICK, breaker: null });
    const response = await worker.chat(p.model);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get('retry-after'), wanted, JSON.stringify(headers));
  }
  const two = await policy([status(429, undefined, { 'retry-after': '40' }), status(503, undefined, { 'retry-after': '20' })], { ...QUICK, breaker: null });
  assert.equal((await worker.chat(two.model)).headers.get('retry-after'), '20');
});

test('an answering upstream’s limits and request ids pass, a failing one’s do not, cookies and hop-by-hop headers never', async () => {
  const sent = { 'x-ratelimit-remaining-requests': '4', 'ratelimit-policy': '4;w=60', 'anthropic-ratelimit-tokens-limit': '9', 'x-ratelimitbysize-limit-minute': '7', 'x-request-id': 'up-1', 'apim-request-id': 'up-2', 'x-amzn-requestid': 'up-3', 'set-cookie': 'a=b', 'proxy-authenticate': 'x', server: 'nginx', 'x-internal': 'secret' };
  const good = await policy([(call) => { const [head, ...rest] = answer('Hi')(call); return [{ ...head, headers: { ...head.headers, ...sent } }, ...rest]; }]);
  const bad = await policy([status(400, undefined, sent)], QUICK);
  const [served, failed] = [await worker.chat(good.model), await worker.chat(bad.model)];
  assert.deepEqual([served.status, failed.status], [200, 400]);
  const passing = ['x-ratelimit-remaining-requests', 'ratelimit-policy', 'anthropic-ratelimit-tokens-limit', 'x-ratelimitbysize-limit-minute', 'x-request-id', 'apim-request-id', 'x-amzn-requestid'];
  for (const name of passing) assert.equal(served.headers.get(name), sent[name], name);
  for (const name of passing.filter((name) => name !== 'x-request-id')) assert.equal(failed.headers.get(name), null, name);
  assert.equal(failed.headers.get('x-request-id'), header(failed, 'request-id'));
  for (const response of [served, failed]) for (const name of ['set-cookie', 'proxy-authenticate', 'server', 'x-internal']) assert.equal(response.headers.get(name), null, name);
});

test('a Messages client finds the request’s id where its SDK looks for it, unless the upstream gave one', async () => {
  const bad = await policy([status(400, anthropicError('no'))], QUICK, { provider: 'claude' });
  const failed = await ask('messages', bad.model);
  assert.equal(failed.headers.get('request-id'), header(failed, 'request-id'));
  const refused = await ask('messages', 'policy/none-of-that-name');
  assert.equal(refused.headers.get('request-id'), (await refused.json()).request_id);
  const translated = await ask('messages', (await policy([answer('Hi')])).model);
  assert.deepEqual([translated.status, translated.headers.get('request-id')], [200, header(translated, 'request-id')]);
  const own = await policy([(call) => { const [head, ...rest] = answer('Hi')(call); return [{ ...head, headers: { ...head.headers, 'request-id': 'req_up' } }, ...rest]; }], {}, { provider: 'claude' });
  assert.equal((await ask('messages', own.model)).headers.get('request-id'), 'req_up');
  assert.equal((await ask('chat', (await policy([answer('Hi')])).model)).headers.get('request-id'), null);
});

test('x-should-retry: false after more than one attempt and on a stop, else nothing', async () => {
  const should = async (scripts, more) => (await worker.chat((await policy(scripts, { ...QUICK, ...more })).model)).headers.get('x-should-retry');
  assert.equal(await should([status(503), status(503)]), 'false');
  assert.equal(await should([status(400)], { on: { preset: 'strict' } }), 'false');
  assert.equal(await should([status(503)]), null);
  assert.equal(await should([answer('Hi')]), null);
});

test('a client whose connection breaks before any answer: the upstream is closed at once, and the attempt recorded as cancelled', async () => {
  const p = await policy([[STALL]]);
  for (const [stream, id] of [[false, 'broke-1'], [true, 'broke-2']]) {
    const said = JSON.stringify({ model: p.model, stream, ...ROUTES.chat.body });
    const socket = connect(Number(new URL(worker.url).port), '127.0.0.1');
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-understudy-request-id: ${id}\r\ncontent-length: ${said.length}\r\n\r\n${said}`);
    const before = p.calls(1).length;
    for (const until = Date.now() + 10_000; p.calls(1).length === before && Date.now() < until; ) await sleep(20);
    socket.resetAndDestroy();
    await p.calls(1).at(-1).ended;
    assert.ok(p.calls(1).at(-1).closedEarly);
    const { outcome, attempts } = await worker.recorded(id);
    assert.deepEqual([outcome, attempts[0].outcome], ['cancelled', 'cancelled']);
  }
});

test('a second key is no fallback, the drawn hop is the first, a rule is named beside the policy', async () => {
  const p = await policy([status(401), answer('Hi')], QUICK, { hops: [{ key: 'own_then_managed' }] });
  const response = await worker.chat(p.model, {}, { 'x-understudy-key-acme': 'sk-own-0123456789' });
  assert.equal(header(response, 'attempts'), '3');
  assert.equal(header(response, 'fallback'), 'true');
  const own = await policy([(call) => (call.headers.authorization.includes('own') ? status(401) : answer('Hi')(call))], QUICK, { hops: [{ key: 'own_then_managed' }] });
  const second = await worker.chat(own.model, {}, { 'x-understudy-key-acme': 'sk-own-0123456789' });
  assert.deepEqual([second.status, header(second, 'attempts'), header(second, 'fallback')], [200, '2', 'false']);
  const drawn = await policy([answer('a'), answer('b')], { type: 'load_balance' }, { hops: [{ weight: 0 }, { weight: 5 }] });
  const balanced = await worker.chat(drawn.model);
  assert.deepEqual([header(balanced, 'model'), header(balanced, 'fallback')], [drawn.targets[1], 'false']);
  // Where the drawn one does not fit, whoever answers is another: passed over is left, as a failure is.
  const even = await policy([answer('a'), answer('b')], { type: 'load_balance' });
  const users = Array.from({ length: 20 }, (_, i) => `user-${i}`);
  const draws = await Promise.all(users.map(async (user) => header(await worker.chat(even.model, { user }), 'model')));
  const [one, other] = even.targets.map((target) => users[draws.indexOf(target)]);
  const embedded = async (model, more) => (({ headers }) => ['model', 'fallback', 'attempts'].map((name) => headers.get(`x-understudy-${name}`)))(await worker.post('/v1/embeddings', { model, input: 'x', ...more }));
  assert.deepEqual(await embedded(even.model, { user: one }), [even.targets[0], 'false', '1']);
  assert.deepEqual(await embedded(even.model, { user: other }), [even.targets[0], 'true', '1']);
  // One that is a fallback alone is no measure for the one that is drawn.
  assert.deepEqual(await embedded(drawn.model), [drawn.targets[1], 'false', '1']);
});

// No more than 64 KiB of an error are read.
test('an error longer than what is read of it keeps its code, type and the start of its message', async () => {
  const error = { code: 'insufficient_quota', type: 'insufficient_quota', param: null, message: 'You "spent" é '.repeat(8_000) };
  const p = await policy([status(429, { error })], QUICK);
  for (const route of ['chat', 'responses']) {
    const response = await ask(route, p.model);
    const said = JSON.parse(await response.text()).error;
    assert.deepEqual([response.status, said.code, said.type], [429, 'insufficient_quota', 'insufficient_quota']);
    assert.ok(said.message.startsWith('You "spent" é You'), said.message.slice(0, 40));
    assert.match(header(response, 'trail'), /=quota_exhausted;429;/);
  }
});
