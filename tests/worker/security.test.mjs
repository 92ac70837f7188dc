// What SECURITY.md promises, tried from outside: by clients, by upstreams, by documents, each with something to hide.
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { QUICK, logged, outcomes, refused, rig } from './rig.mjs';
import { answer, json, openaiError, sse, status, text } from './upstream.mjs';
import { ADMIN_TOKEN } from './worker.mjs';

const MANAGED = 'sk-acme-managed-0123456789';
const { worker, upstream, policy } = await rig({ vars: { REQUEST_ENDPOINTS: 'on', MAX_BODY_BYTES: '3000000' } });

afterEach(async () => assert.equal((await worker.chat('acme/still-there')).status, 200, 'the next request is served'));

const { hostname, port } = new URL(worker.url);
const hi = (model) => JSON.stringify({ model, messages: [{ role: 'user', content: 'Hi' }] });

/** Sends bytes as they are on a connection of their own; answers all that came back until the other side is done. */
function raw(bytes, wait = 700) {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const done = () => (socket.destroy(), resolve(got));
    const timer = setTimeout(done, wait);
    socket.on('data', (chunk) => (got += chunk));
    socket.on('error', () => {});
    socket.on('close', () => (clearTimeout(timer), resolve(got)));
  });
}

/** One request with any headers, `host` among them. */
function ask(path, { method = 'POST', headers = {}, body = hi('acme/m') } = {}) {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: hostname, port, path, method, headers: { 'content-type': 'application/json', ...headers } }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(method === 'GET' ? undefined : body);
  });
}

test('what could be read as two requests reaches no upstream as the second', async () => {
  const inner = `POST /v1/chat/completions HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nContent-Length: ${hi('acme/smuggled').length}\r\n\r\n${hi('acme/smuggled')}`;
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\n`;
  const outer = hi('acme/outer');
  const requests = {
    'two lengths': `${head}Content-Length: ${outer.length}\r\nContent-Length: ${outer.length + inner.length}\r\n\r\n${outer}${inner}`,
    'a length that is none': `${head}Content-Length: +${outer.length}\r\n\r\n${outer}${inner}`,
    'an unknown coding': `${head}Transfer-Encoding: xchunked\r\n\r\n${outer}${inner}`,
    'space before the colon': `${head}Content-Length : ${outer.length}\r\n\r\n${outer}${inner}`,
    'a bad size of a chunk': `${head}Transfer-Encoding: chunked\r\n\r\n0x${outer.length.toString(16)}\r\n${outer}\r\n0\r\n\r\n${inner}`,
    'a folded header': `${head}X-Folded: a\r\n Content-Length: 0\r\nContent-Length: ${outer.length + inner.length}\r\n\r\n${outer}${inner}`,
  };
  for (const [name, bytes] of Object.entries(requests)) {
    const before = upstream.calls('acme/outer').length;
    await raw(bytes);
    assert.deepEqual(upstream.calls('acme/smuggled').map((call) => call.body), [], name);
    assert.ok(upstream.calls('acme/outer').length <= before + 1, name);
  }
});

test('what goes upstream is framed anew, without a client’s framing, routing or identity', async () => {
  const headers = { te: 'trailers', trailer: 'x-late', 'proxy-authorization': 'Basic eDp5', 'x-forwarded-for': '1.2.3.4', 'x-forwarded-host': 'localhost', forwarded: 'for=1.2.3.4', 'cf-connecting-ip': '1.2.3.4', 'x-real-ip': '1.2.3.4', cookie: 'session=1', authorization: 'Bearer us-none', 'x-api-key': 'k', 'api-key': 'k', 'x-understudy-consent': 'fallback', 'x-stainless-os': 'x', 'x-http-method-override': 'DELETE', range: 'bytes=0-1', 'content-encoding': 'identity' };
  assert.equal((await worker.chat('acme/framed', {}, headers)).status, 200);
  const [call] = upstream.calls('acme/framed');
  const sent = Object.keys(call.headers).filter((name) => name in headers);
  assert.deepEqual(sent, ['authorization']);
  assert.equal(call.headers.authorization, `Bearer ${MANAGED}`);
  assert.equal(call.rawHeaders.filter((name) => name.toLowerCase() === 'content-length').length, 1);
  assert.equal(Number(call.headers['content-length']), call.raw.length);
});

const INSIDE = [
  'https://10.0.0.1/v1', 'https://192.168.1.1/v1', 'https://172.16.0.9/v1', 'https://169.254.169.254/latest', 'https://100.64.0.1', 'https://0.0.0.0',
  'https://2852039166/', 'https://0xa9fea9fe/', 'https://0251.0376.0251.0376/', 'https://169.16689662/', 'https://10.1/', 'https://0xa.0.0.1', 'https://012.0.0.1',
  'https://[::ffff:169.254.169.254]/', 'https://[::ffff:a9fe:a9fe]/', 'https://[fe80::1]/', 'https://[fe80::1%25eth0]/', 'https://[fd00::1]/', 'https://[::]/', 'https://[64:ff9b::a00:1]/', 'https://[2002:a00:1::]/', 'https://[2001:0:a9fe:a9fe::1]/',
  'https://169.254.169.254./', 'https://metadata.google.internal/', 'https://METADATA.GOOGLE.INTERNAL./', 'https://printer.local/',
  'https://user:secret-pass@example.com/', 'https://example.com@169.254.169.254/', 'https://１０.0.0.1/', 'https://10。0。0。1/', 'https://①⓪.0.0.1/', 'https://%31%30.0.0.1/',
  'http://example.com/', 'http://2130706433/', 'http://0x7f.1/', 'http://127.1/', 'http://localhost./', 'http://[::ffff:127.0.0.1]/', 'http://[0:0:0:0:0:0:0:1]/',
  'https:\\\\10.0.0.1', 'https:169.254.169.254', 'https:///169.254.169.254/', 'ftp://example.com/', 'file:///etc/passwd', 'gopher://example.com/', 'https://example.com/?x=', 'https://example.com/#x', '//example.com', '',
];

test('no address that leads inside is an upstream, in a document or in a request', async () => {
  for (const base_url of INSIDE) {
    const put = await worker.admin('/providers/inside', { method: 'PUT', body: { base_url, dialect: 'openai' } });
    const said = await put.text();
    assert.equal(put.status, 422, `${base_url}: ${said}`);
    assert.ok(!said.includes('secret-pass'), said);
    const brought = await worker.chat('acme/m', { openpipe: { fallback: { model: 'gpt-4' }, fallback_client: { base_url, api_key: 'k' } } });
    await refused(brought, 400, undefined, 'base_url');
  }
  await worker.put('provider:inside', { base_url: 'https://[::ffff:169.254.169.254]/v1', dialect: 'openai' });
  await refused(await worker.chat('inside/m'), 500, 'provider_invalid', 'base_url');
  await worker.remove('provider:inside');
});

test('redirects are not followed, wherever they lead', async () => {
  for (const code of [301, 302, 303, 307, 308]) {
    for (const location of ['/acme/v1/chat/completions?followed', `${upstream.url}/other/v1/chat/completions`, 'http://169.254.169.254/latest']) {
      const p = await policy([status(code, '', { location })]);
      const before = upstream.log.length;
      for (const stream of [false, true]) await (await worker.chat(p.model, { stream })).text();
      assert.equal(upstream.log.length, before + 2, `${code} to ${location} was followed`);
      assert.equal(upstream.log.at(-1).target, p.targets[0]);
    }
  }
});

test('this Worker is no upstream of its own, and a request that comes back is refused', async () => {
  for (const base_url of [`${worker.url}/v1`, `http://localhost:${port}/v1`, `http://127.0.0.2:${port}/v1`, `http://[::1]:${port}/v1`]) {
    const put = await worker.admin('/providers/own', { method: 'PUT', body: { base_url, dialect: 'openai' } });
    assert.equal(put.status, 422, base_url);
    await refused(await worker.chat('acme/m', { openpipe: { fallback: { model: 'gpt-4' }, fallback_client: { base_url, api_key: 'k' } } }), 400, undefined, 'base_url');
  }
  for (const loop of ['understudy', 'cloudflare, Understudy; v=1', ' understudy ']) await refused(await worker.chat('acme/m', {}, { 'cdn-loop': loop }), 508, 'loop_detected');
  assert.equal((await worker.chat('acme/m', {}, { 'cdn-loop': 'cloudflare, understudy-of-another' })).status, 200);
  assert.match(upstream.calls('acme/m').at(-1).headers['cdn-loop'], /understudy/);
});

test('no document and no request adds a header to an answer or a call', async () => {
  for (const degraded of ['a\r\nx-evil: 1', 'a\nb', 'grüße', '\u0000', 'x'.repeat(201)]) {
    assert.equal((await worker.admin('/policies/evil', { method: 'PUT', body: { chain: [{ model: 'acme/m', degraded }] } })).status, 422, degraded);
  }
  for (const headers of [{ 'x-team': 'a\r\nx-evil: 1' }, { 'x-team\r\nx-evil': '1' }, { 'x team': '1' }, { host: 'x' }, { 'transfer-encoding': 'chunked' }, { authorization: 'x' }, { cookie: 'x' }, { connection: 'x' }, { 'content-length': '1' }]) {
    assert.equal((await worker.admin('/providers/evil', { method: 'PUT', body: upstream.provider('acme', { headers }) })).status, 422, JSON.stringify(headers));
  }
  const auth = (more) => worker.admin('/providers/evil', { method: 'PUT', body: upstream.provider('acme', { auth: { header: 'authorization', secret: 'ACME_API_KEY', ...more } }) });
  assert.equal((await auth({ scheme: 'Bearer\r\nx-evil: 1' })).status, 422);
  assert.equal((await auth({ header: 'a\r\nb' })).status, 422);
  for (const id of ['a b', 'a%0d%0ab', 'ü', 'x'.repeat(65), '']) {
    const response = await ask('/v1/chat/completions', { headers: { 'x-understudy-request-id': Buffer.from(id).toString('latin1') } });
    assert.equal(response.status, 400, JSON.stringify(id));
    assert.match(response.headers['x-understudy-request-id'], /^req_[0-9a-f]{24}$/);
  }
  const reflected = await worker.chat('acme/a%0d%0ax-evil:1');
  assert.equal(reflected.headers.get('x-evil'), null);
  assert.match(reflected.headers.get('x-understudy-trail'), /^acme\/a%250d%250ax-evil:1=ok;200/);
});

test('a wrong token opens nothing, learns nothing and is not read for', async () => {
  const { paths } = await (await worker.admin('/openapi.json')).json();
  const answers = new Set();
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      for (const authorization of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${ADMIN_TOKEN}x`, `Bearer ${ADMIN_TOKEN.slice(0, -1)}`, `Bearer ${ADMIN_TOKEN.toUpperCase()}`, `Basic ${btoa(`admin:${ADMIN_TOKEN}`)}`]) {
        const response = await worker.fetch(`${path.replace(/\{\w+\}/g, 'x')}?token=${ADMIN_TOKEN}`, { method: method.toUpperCase(), headers: authorization === undefined ? {} : { authorization } });
        assert.equal(response.status, 401, `${method} ${path} with ${authorization}`);
        answers.add(await response.text());
        assert.equal(response.headers.get('access-control-allow-origin'), null);
      }
    }
  }
  assert.equal(answers.size, 1, [...answers].join('\n'));
  for (const path of ['/admin', '/admin/', '/admin/nothing', '/admin/policies/../keys']) assert.equal((await worker.fetch(path)).status, 401, path);
  const large = 'x'.repeat(5 << 20);
  const unread = await worker.fetch('/admin/lint', { method: 'POST', body: large });
  assert.equal(unread.status, 401);
  // Announced alone: nothing of it is waited for.
  const { hostname, port } = new URL(worker.url);
  const announced = await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-length': large.length };
    const request = httpRequest({ hostname, port, path: '/admin/lint', method: 'POST', headers }, (response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    request.on('error', reject);
    request.flushHeaders();
  });
  assert.equal(announced, 413);
});

test('AUTH=off and SIM=on act on loopback hosts alone, whatever the headers say', async () => {
  for (const host of ['localhost', `LOCALHOST:${port}`, `127.0.0.1:${port}`, '127.0.0.2', '[::1]:80']) assert.equal((await ask('/v1/chat/completions', { headers: { host } })).status, 200, host);
  const outside = ['gateway.example.com', 'localhost.example.com', 'localhost.', 'example.com:127', '127.0.0.1.example.com', '127.0.0.02', 'notlocalhost', '[::ffff:127.0.0.1]', '2130706433.example.com'];
  for (const host of outside) {
    for (const headers of [{}, { 'x-forwarded-host': 'localhost' }, { forwarded: 'host=localhost' }, { 'x-forwarded-for': '127.0.0.1' }, { origin: 'http://localhost' }]) {
      const response = await ask('/v1/chat/completions', { headers: { host, ...headers }, body: hi('sim/echo') });
      assert.ok([400, 401].includes(response.status), `${host} ${JSON.stringify(headers)}: ${response.status} ${response.text}`);
    }
  }
  const absolute = await raw(`POST http://localhost/v1/chat/completions HTTP/1.1\r\nHost: gateway.example.com\r\nContent-Type: application/json\r\nContent-Length: ${hi('acme/absolute').length}\r\n\r\n${hi('acme/absolute')}`);
  assert.ok(!/^HTTP\/1.1 200/.test(absolute) || upstream.calls('acme/absolute').length === 0, absolute);
});

test('a page of another site spends no keys of a Worker that asks for none', async () => {
  for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'http://evil.example:8787', 'null']) {
    const response = await worker.chat('acme/cross-site', {}, { origin });
    assert.equal(response.status, 401, origin);
    assert.equal(response.headers.get('access-control-allow-origin'), null);
  }
  assert.equal(upstream.calls('acme/cross-site').length, 0);
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1', 'chrome-extension://abcdef']) assert.equal((await worker.chat('acme/m', {}, { origin })).status, 200, origin);
});

test('bodies, headers, metadata and codings have their bounds', async () => {
  const member = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, 'v'.repeat(10)]));
  await refused(await worker.chat('acme/m', { metadata: member(1200) }), 400, undefined, 'metadata');
  await refused(await worker.chat('acme/m', member(1200)), 400, undefined, '1000');
  await refused(await worker.chat('acme/m', { metadata: { waystone: JSON.stringify({ a: 'x'.repeat(17_000) }) } }), 400, undefined, 'metadata');
  const before = upstream.calls('acme/m').length;
  for (const name of ['x-understudy', 'op-tags', 'x-understudy-drill', 'x-understudy-key-acme', 'x-understudy-request-id', 'traceparent', 'user-agent', 'openai-beta', 'x-team']) {
    const response = await ask('/v1/chat/completions', { headers: { [name]: 'x'.repeat(16_385) } });
    assert.equal(response.status, 400, `${name}: ${response.text}`);
    assert.equal(JSON.parse(response.text).error.param, name, response.text);
  }
  assert.equal(upstream.calls('acme/m').length, before, 'none of them went on');
  assert.equal((await ask('/v1/chat/completions', { headers: { 'x-team': 'x'.repeat(16_384) } })).status, 200);
  for (const coding of ['gzip', 'br', 'deflate', 'x']) await refused(await worker.chat('acme/m', {}, { 'content-encoding': coding }), 415, 'unsupported_content_encoding', coding);
  await refused(await worker.chat('acme/m', { input: 'x'.repeat(3_000_001) }), 413, 'body_too_large', '3000000');
  let left = 400;
  const endless = new ReadableStream({ pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(100_000)) : controller.close()) });
  const response = await fetch(`${worker.base}/chat/completions`, { method: 'POST', body: endless, duplex: 'half' }).catch((error) => error);
  assert.ok(response instanceof Error || response.status === 413, String(response.status));
});

test('bombs in bodies, patterns and streams cost no more than their bytes', async () => {
  const soon = async (name, asked) => {
    const started = performance.now();
    const response = await asked();
    await response.text();
    const ms = performance.now() - started;
    assert.ok(ms < 4000, `${name} took ${Math.round(ms)} ms`);
    return response.status;
  };
  const chat = (body) => () => worker.post('/v1/chat/completions', body);
  assert.equal(await soon('depth', chat('{"model":"acme/m","messages":' + '['.repeat(1_000_000))), 400);
  assert.equal(await soon('closed depth', chat(`{"model":"acme/m","x":${'['.repeat(400_000)}${']'.repeat(400_000)}}`)), 400);
  assert.equal(await soon('keys', chat(`{"model":"acme/m",${Array.from({ length: 100_000 }, (_, i) => `"k${i}":0`).join()}}`)), 400);
  assert.equal(await soon('values', chat(`{"model":"claude/m","messages":[${'1,'.repeat(600_000)}1]}`)), 400);
  assert.equal(await soon('a key twice', chat('{"model":"acme/a","x":1,"\\u006dodel":"acme/b"}')), 400);
  assert.equal(await soon('no text', chat(Buffer.concat([Buffer.from('{"model":"acme/m","x":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]))), 400);
  assert.equal(await soon('half a character', chat('{"model":"acme/\\ud800"}')), 400);
  const pattern = '*a'.repeat(120) + 'b';
  await worker.put('rules', { rules: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`r${i}`, { when: { 'header.x-team': pattern }, then: { retries: 0 } }])), rulesets: [{ name: 's', rules: Array.from({ length: 300 }, (_, i) => `r${i}`) }] });
  assert.equal(await soon('patterns', () => worker.chat('acme/m', {}, { 'x-team': 'a'.repeat(16_000) })), 200);
  await worker.remove('rules');
  const p = await policy([status(500, openaiError('ask-'.repeat(15_000), 'x', 'x'))]);
  assert.equal(await soon('almost keys', () => worker.chat(p.model)), 500);
  const long = await policy([sse('data: ' + 'x'.repeat(2_000_000) + '\n\n'), answer()], QUICK);
  assert.equal(await soon('a long event', () => worker.chat(long.model, { stream: true })), 200);
  // Packed, a thousandth of what it is.
  const bomb = gzipSync(Buffer.alloc(60_000_000, ' '));
  const packed = { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': String(bomb.length) };
  for (const [code, outcome] of [[200, 'malformed'], [400, 'invalid_request']]) {
    const bombed = await policy([[{ status: code, headers: packed }, bomb], answer()], QUICK);
    const answered = await worker.chat(bombed.model);
    outcomes(answered, outcome, 'ok');
    const { attempts } = await worker.recorded(answered.headers.get('x-understudy-request-id'));
    if (code === 200) assert.match(attempts[0].reason, /longer than an answer may be/);
  }
  // What a client calls a feature is told once for each hop that lacks it.
  await worker.put('policy:others', { chain: Array.from({ length: 16 }, (_, i) => `claude/m${i}`) });
  const odd = 'o'.repeat(1_000_000);
  for (const [path, body] of [
    ['chat/completions', { messages: [], tools: [{ type: odd }] }],
    ['chat/completions', { messages: [{ role: 'user', content: [{ type: odd }] }] }],
    ['responses', { input: [{ type: odd }] }],
    ['responses', { input: 'Hi', tools: [{ type: odd }] }],
  ]) {
    let answered, told;
    const asked = async () => {
      answered = await worker.post(`/v1/${path}`, { model: 'policy/others', ...body });
      told = await answered.clone().text();
      return answered;
    };
    assert.equal(await soon('a long name', asked), 400);
    assert.ok(told.length < 20_000, `${told.length} bytes`);
    assert.equal(JSON.parse(told).error.code, 'no_hop_fits');
    assert.match(answered.headers.get('x-understudy-trail'), /^claude\/m0=skip:incompatible:o{200}, claude/);
  }
});

test('what is planted as a secret is in no answer, log line or row', async () => {
  const own = 'sk-own-canary-9876543210';
  const echo = (call) => status(400, openaiError(`you sent ${call.headers.authorization}`, 'x', call.headers.authorization.slice(7)));
  const scripts = {
    'an error': echo,
    'a page': (call) => status(502, `<html>${call.headers.authorization}</html>`),
    'an in-band error': (call) => json({ error: { message: `no ${call.headers.authorization}`, code: 401 } }),
    'an error event': (call) => sse(`data: {"error": {"message": "no ${call.headers.authorization}"}}\n\n`),
    'no JSON': (call) => text(`oops ${call.headers.authorization}`, 'application/json'),
    'another’s keys': () => status(500, openaiError('AKIAIOSFODNN7EXAMPLE AIzaSyA1234567890 us-abcdefgh12345678 sk-live-abcdefgh Bearer abcdefgh.ijkl', 'x', 'x')),
  };
  const secrets = [MANAGED, own, ADMIN_TOKEN, 'AKIAIOSFODNN7', 'AIzaSyA123', 'us-abcdefgh', 'sk-live-abc', 'abcdefgh.ijkl'];
  const seen = [];
  let n = 0;
  for (const [name, script] of Object.entries(scripts)) {
    for (const [key, count] of [['managed', 1], ['own', 2]]) {
      const p = await policy(Array(count).fill(script), QUICK, { hops: [{ key }, { key }] });
      for (const stream of [false, true]) {
        const id = `canary-${n++}`;
        const response = await worker.chat(p.model, { stream }, { 'x-understudy-key-acme': own, 'x-understudy-request-id': id });
        seen.push([`${name}, ${key}: answer`, JSON.stringify([...response.headers]) + (await response.text())]);
        seen.push([`${name}, ${key}: row`, JSON.stringify(await worker.recorded(id))]);
      }
    }
  }
  const misplaced = [['a model', { model: `openai/${own}` }], ['a provider', { model: `${own}/gpt-4` }], ['a policy', { model: `policy/${own}` }], ['a field', { model: 'acme/m', understudy: { [own]: 1 } }]];
  for (const [name, body] of misplaced) seen.push([name, await (await worker.post('/v1/chat/completions', body)).text()]);
  for (const path of ['/requests?limit=100', '/targets', '/metrics', '/analytics', '/keys', '/providers', '/audit']) seen.push([path, await (await worker.admin(path)).text()]);
  const last = await policy([echo, answer()], QUICK);
  await worker.chat(last.model, {}, { 'x-understudy-request-id': 'canary-last' });
  await logged(worker, 'canary-last');
  assert.ok((await logged(worker, '"request_id":"canary-')).length > Object.keys(scripts).length, 'what was asked before is there too');
  seen.push(['logs', JSON.stringify(worker.logs)]);
  for (const [where, said] of seen) for (const secret of secrets) assert.ok(!said.includes(secret), `${secret} in ${where}: ${said.slice(0, 2000)}`);
});

test('what others say never begins a log line of its own', async () => {
  const forged = '\n{"event":"fallback","forged":true}\r\n\u001b[31m\u0085\u2028';
  const p = await policy([status(503, openaiError(`slow${forged}`, 'x', forged)), answer()], { workload: 'w', ...QUICK });
  await worker.chat(p.model, { user: `ann${forged}`, metadata: { note: forged } }, { 'x-understudy-request-id': 'forged-1' });
  await worker.put('policy:forged', `{"chain": [${JSON.stringify(forged)}]}`);
  await (await worker.chat('policy/forged')).text();
  await logged(worker, 'forged-1');
  await logged(worker, 'policy:forged');
  const lines = worker.logs.map(({ message }) => message);
  for (const line of lines) assert.ok(!/[\u0000-\u001f\u007f-\u009f\u2028]/.test(line.replace(/\n$/, '')), JSON.stringify(line));
  await worker.remove('policy:forged');
});
