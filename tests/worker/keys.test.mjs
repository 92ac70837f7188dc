// Gateway keys (AUTH=keys): who may speak, about which models, until when. No key ever appears in an answer.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { QUICK, outcomes, refused, rig, servedBy } from './rig.mjs';
import { answer, status } from './upstream.mjs';

const KEK = Buffer.alloc(32, 7).toString('base64');
const { worker, upstream, policy } = await rig({ vars: { AUTH: undefined }, secrets: { KEK } });

const digest = (key) => createHash('sha256').update(key).digest('hex');
const bearer = (key) => ({ authorization: `Bearer ${key}` });

async function created(document) {
  const response = await worker.admin('/keys', { method: 'POST', body: { name: 'web', ...document } });
  const text = await response.text();
  assert.equal(response.status, 201, text);
  const made = JSON.parse(text);
  assert.match(made.key, /^us-[0-9A-Za-z]{40}$/);
  return made;
}

test('a key that was created is accepted as bearer, x-api-key or api-key', async () => {
  const { key } = await created({});
  for (const headers of [bearer(key), { 'x-api-key': key }, { 'api-key': key }]) assert.equal((await worker.chat('acme/m', {}, headers)).status, 200);
  assert.equal((await worker.openai({ apiKey: key }).chat.completions.create({ model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] })).object, 'chat.completion');
  assert.ok(!JSON.stringify(upstream.log.map((call) => call.rawHeaders)).includes(key));
  const stored = await (await worker.kv()).list({ prefix: 'key:' });
  assert.ok(stored.keys.some(({ name }) => name === `key:${digest(key)}`));
});

test('no key, a mistyped one and an unknown one are refused, in the dialect of the route', async () => {
  await refused(await worker.chat('acme/m'), 401);
  const { key } = await created({});
  const mistyped = key.slice(0, 10) + (key[10] === 'a' ? 'b' : 'a') + key.slice(11);
  await refused(await worker.chat('acme/m', {}, bearer(mistyped)), 401);
  await refused(await worker.chat('acme/m', {}, bearer('us-' + 'a'.repeat(40))), 401);
  await refused(await worker.chat('acme/m', {}, bearer('sk-proj-something')), 401);
  const anthropic = await worker.post('/v1/messages', { model: 'claude/m', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] });
  assert.equal(anthropic.status, 401);
  const body = await anthropic.json();
  assert.equal(body.type, 'error');
  assert.equal(body.error.type, 'authentication_error');
  assert.equal((await worker.fetch('/healthz')).status, 200);
});

test('a write to a key is not tried out: who asks for that is refused, and nothing is written', async () => {
  const { id } = await created({ group: 'acme' });
  const own = `/keys/${id}/own/acme`;
  await (await worker.admin(own, { method: 'PUT', body: { key: 'sk-own-acme-0123456789' } })).text();
  const before = await (await worker.admin('/keys')).text();
  for (const [method, path, body] of [['POST', '/keys', { name: 'dry' }], ['PATCH', `/keys/${id}`, { disabled: true }], ['PUT', own, { key: 'sk-own-acme-9876543210' }], ['DELETE', own], ['DELETE', `/keys/${id}`]]) {
    for (const query of ['?dry_run=1', '?dry_run=maybe']) await refused(await worker.admin(path + query, { method, body }), 400, 'invalid_parameter', 'dry_run');
  }
  assert.equal(await (await worker.admin('/keys')).text(), before);
  assert.equal((await worker.admin(`/keys/${id}?dry_run=0`, { method: 'DELETE' })).status, 204);
});

test('what is misspelt in a change of a key, or beside a provider key, is not taken for done', async () => {
  const { id, key } = await created({ budget_usd_per_day: 5 });
  const change = (body) => worker.admin(`/keys/${id}`, { method: 'PATCH', body });
  await refused(await change({ budget_usd_per_dya: null }), 422, 'key_invalid', 'budget_usd_per_dya', 'budget_usd_per_day');
  await refused(await worker.admin(`/keys/${id}/own/acme`, { method: 'PUT', body: { key: 'sk-own-acme-0123456789', Kye: 1 } }), 400, 'invalid_value', 'Kye');
  assert.deepEqual((await (await change({ budget_usd_per_day: null, group: null })).json()).own, []);
  // What stands there by other hands is removed all the same.
  await worker.put(`key:${digest(key)}`, { name: 'web', budget_usd_per_dya: 5 });
  await refused(await change({ group: 'acme' }), 422, 'key_invalid', 'budget_usd_per_dya');
  assert.equal((await change({ budget_usd_per_dya: null })).status, 200);
});

test('an expired or disabled key', async () => {
  const expired = await created({ expires_at: '2020-01-01T00:00:00Z' });
  await refused(await worker.chat('acme/m', {}, bearer(expired.key)), 401, undefined, /expired/i);
  const { key } = await created({ disabled: true });
  await refused(await worker.chat('acme/m', {}, bearer(key)), 401, undefined, /disabled/i);
  const later = await created({ expires_at: '2999-01-01T00:00:00Z' });
  assert.equal((await worker.chat('acme/m', {}, bearer(later.key))).status, 200);
});

test('allow and deny', async () => {
  const p = await policy([status(500), answer()], QUICK);
  const { key } = await created({ allow: ['policy/*', 'acme/ok-*'] });
  servedBy(await worker.chat(p.model, {}, bearer(key)), p, 2);
  assert.equal((await worker.chat('acme/ok-1', {}, bearer(key))).status, 200);
  await refused(await worker.chat('acme/other', {}, bearer(key)), 403, 'model_not_allowed', 'acme/other');
  await refused(await worker.chat('nobody/knows', {}, bearer(key)), 403, 'model_not_allowed');
  await refused(await worker.chat('acme/ok-1', { models: ['acme/other'] }, bearer(key)), 403, 'model_not_allowed', 'acme/other');
  const denying = await created({ deny: [p.targets[1]] });
  const response = await worker.chat(p.model, {}, bearer(denying.key));
  assert.equal(response.status, 500);
  assert.match(response.headers.get('x-understudy-trail'), /skip:boundary/);
  await refused(await worker.chat(p.targets[1], {}, bearer(denying.key)), 403, 'model_not_allowed');
});

test('a key’s own policy holds for requests that name none', async () => {
  const p = await policy([status(500), answer()], QUICK);
  const { key } = await created({ policy: p.name });
  const response = await worker.chat('gpt-4o', {}, bearer(key));
  servedBy(response, p, 2);
  const lost = await created({ policy: 'gone' });
  await refused(await worker.chat('acme/m', {}, bearer(lost.key)), 404, 'policy_not_found', 'this API key\'s own policy: there is no policy "gone"');
  const asked = await refused(await worker.chat('policy/gone', {}, bearer(lost.key)), 404, 'policy_not_found');
  assert.match(asked.message, /^there is no policy "gone"/);
});

test('a provider key of the caller’s own, with the request and stored', async () => {
  const p = await policy([answer(), answer()], QUICK, { hops: [{ key: 'own' }] });
  const { id, key } = await created({});
  const without = await worker.chat(p.model, {}, bearer(key));
  servedBy(without, p, 2);
  assert.match(without.headers.get('x-understudy-trail'), /skip:no_key/);
  servedBy(await worker.chat(p.model, {}, { ...bearer(key), 'x-understudy-key-acme': 'sk-brought-along-123456' }), p, 1);
  assert.equal(p.calls(1)[0].headers.authorization, 'Bearer sk-brought-along-123456');
  const put = await worker.admin(`/keys/${id}/own/acme`, { method: 'PUT', body: { key: 'sk-stored-own-123456' } });
  assert.ok(put.ok, await put.text());
  servedBy(await worker.chat(p.model, {}, bearer(key)), p, 1);
  assert.equal(p.calls(1)[1].headers.authorization, 'Bearer sk-stored-own-123456');
  const document = await (await worker.kv()).get(`key:${digest(key)}`);
  assert.ok(!document.includes('sk-stored-own'), document);
  const shown = await (await worker.admin('/keys')).text();
  assert.ok(!shown.includes('sk-stored-own') && !shown.includes(key));
});

test('a key for a provider that is not there is refused, and stored once the provider is', async () => {
  const { id } = await created({ name: 'for nobody' });
  const put = (provider) => worker.admin(`/keys/${id}/own/${provider}`, { method: 'PUT', body: { key: 'sk-for-nobody-0123456789' } });
  const error = await refused(await put('nobody'), 400, 'unknown_provider', 'nobody');
  assert.equal(error.param, 'provider');
  assert.deepEqual((await (await worker.admin(`/keys/${id}`)).json()).own, []);
  await worker.put('provider:nobody', upstream.provider('nobody'));
  for (const provider of ['nobody', 'mistral']) assert.equal((await put(provider)).status, 200, provider);
  // What was stored before its provider went can still be taken away.
  await worker.remove('provider:nobody');
  assert.equal((await worker.admin(`/keys/${id}/own/nobody`, { method: 'DELETE' })).status, 204);
});

test('changes of one key at the same time are all made, where none names a version', async () => {
  const { id } = await created({});
  const path = `/keys/${id}`;
  const providers = ['openai', 'anthropic', 'mistral'];
  const puts = providers.map((provider) => worker.admin(`${path}/own/${provider}`, { method: 'PUT', body: { key: 'sk-at-once-0123456789' } }));
  const patch = worker.admin(path, { method: 'PATCH', body: { description: 'at once' } });
  const answers = await Promise.all([...puts, patch]);
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  const read = await worker.admin(path);
  const { own, description } = await read.json();
  assert.deepEqual([own.toSorted(), description], [providers.toSorted(), 'at once']);
  const named = { method: 'PATCH', headers: { 'if-match': read.headers.get('etag') } };
  const racers = await Promise.all(['one', 'two'].map((text) => worker.admin(path, { ...named, body: { description: text } })));
  assert.deepEqual(racers.map(({ status }) => status).sort(), [200, 412]);
});

test('a managed key that is refused gives way to the caller’s own', async () => {
  const p = await policy([[status(401), answer()]], QUICK, { hops: [{ key: 'managed_then_own' }] });
  const { key } = await created({});
  const response = await worker.chat(p.model, {}, { ...bearer(key), 'x-understudy-key-acme': 'sk-brought-along-123456' });
  servedBy(response, p, 1, { attempts: 2 });
  assert.deepEqual(p.calls(1).map((call) => call.headers.authorization), ['Bearer sk-acme-managed-0123456789', 'Bearer sk-brought-along-123456']);
});

test('the caller’s own key is tried while a hedge is in flight', async () => {
  const p = await policy([[[200, ...status(401)], answer()], [5000]], QUICK, { hops: [{ key: 'managed_then_own', hedge_after_ms: 50 }] });
  const { key } = await created({});
  const response = await worker.chat(p.model, {}, { ...bearer(key), 'x-understudy-key-acme': 'sk-brought-along-123456' });
  servedBy(response, p, 1, { attempts: 3 });
  outcomes(response, 'auth', 'cancelled', 'ok');
});

test('keys are listed, changed and deleted by their id', async () => {
  const { id, key } = await created({ name: 'short-lived' });
  const listed = await (await worker.admin('/keys')).json();
  assert.ok(JSON.stringify(listed).includes('short-lived'));
  const changed = await worker.admin(`/keys/${id}`, { method: 'PATCH', body: { disabled: true } });
  assert.ok(changed.ok, await changed.text());
  await refused(await worker.chat('acme/m', {}, bearer(key)), 401);
  const deleted = await worker.admin(`/keys/${id}`, { method: 'DELETE' });
  assert.equal(deleted.status, 204);
});

test('a key’s whole document may be given, and one that does not parse can be deleted', async () => {
  const whole = { name: 'whole', group: 'acme', user: null, allow: ['policy/*'], deny: [], policy: null, expires_at: null, disabled: false, own: {}, budget_usd_per_day: null, budget_usd_per_month: null };
  assert.deepEqual((await created(whole)).allow, ['policy/*']);
  await created({ ...whole, own: null });
  await refused(await worker.admin('/keys', { method: 'POST', body: { ...whole, own: { acme: 'sk-in-the-clear-0123456789' } } }), 400, 'invalid_value', 'own');
  const nameless = await refused(await worker.admin('/keys', { method: 'POST', body: { group: 'acme' } }), 422, 'key_invalid');
  assert.match(nameless.message, /^key: name: is missing; expected /);
  const { id, key } = await created({ name: 'spoilt' });
  await worker.put(`key:${id}`, '{"name": ');
  await refused(await worker.admin(`/keys/${id}`, { method: 'PATCH', body: { disabled: true } }), 500, 'key_invalid');
  const read = await worker.admin(`/keys/${id}`);
  const { error, ...rest } = await read.json();
  assert.deepEqual([read.status, rest], [200, { id, name: null }]);
  assert.match(error, /is not JSON/);
  assert.equal((await worker.admin(`/keys/${id}`, { method: 'DELETE' })).status, 204);
  await refused(await worker.chat('acme/m', {}, bearer(key)), 401, 'invalid_api_key');
});

test('a key written beside the admin API is listed with its times as all times are, and with what is wrong with it', async () => {
  const listed = async (document) => {
    const { id } = await created({ name: 'by-hand' });
    await worker.put(`key:${id}`, document);
    const line = (await (await worker.admin('/keys')).json()).data.find((key) => key.id === id);
    assert.deepEqual(await (await worker.admin(`/keys/${id}`)).json(), line);
    return line;
  };
  const ends = '2031-05-04T12:30:00.000Z';
  for (const expires_at of [Date.parse(ends), '2031-05-04T12:30:00Z', '2031-05-04T14:30:00+02:00']) assert.deepEqual(await listed({ name: 'by-hand', expires_at }).then(({ expires_at, error }) => [expires_at, error]), [ends, undefined]);
  assert.match((await listed({ name: 'by-hand', allow: 'policy/*' })).error, /allow/);
});

test('a field of a key that is given twice is refused, not taken from either place', async () => {
  const twice = '{"name": "twice", "allow": ["policy/a"], "allow": ["*"]}';
  await refused(await worker.admin('/keys', { method: 'POST', body: twice }), 400, 'invalid_value', 'allow');
  const { id } = await created({ name: 'once', allow: ['policy/a'] });
  await refused(await worker.admin(`/keys/${id}`, { method: 'PATCH', body: '{"allow": ["policy/b"], "allow": ["*"]}' }), 400, 'invalid_value', 'allow');
  assert.deepEqual((await (await worker.admin(`/keys/${id}`)).json()).allow, ['policy/a']);
});

test('the hint at a policy’s name is of one that the key may use', async () => {
  await worker.put('policy:bb-secret', { chain: ['acme/m'] });
  await worker.put('policy:ab-secrat', { chain: ['acme/m'] });
  const { key } = await created({ allow: ['policy/ab*'], deny: ['policy/ab-secrat'] });
  const { message } = await refused(await worker.chat('policy/ab-secret', {}, bearer(key)), 404, 'policy_not_found');
  assert.equal(message, 'there is no policy "ab-secret"');
  const wide = await created({ allow: ['policy/*'] });
  await refused(await worker.chat('policy/ab-secret', {}, bearer(wide.key)), 404, 'policy_not_found', 'did you mean "policy/');
});

test('a policy that a key denies is not reached by its own policy either', async () => {
  const p = await policy([answer()]);
  const { key } = await created({ deny: [p.model], policy: p.model });
  const response = await worker.chat('acme/anything', {}, bearer(key));
  assert.match(response.headers.get('x-understudy-trail'), /=skip:boundary:key-deny$/);
  await refused(response, 400, 'no_hop_fits');
});

test('a service account’s JSON comes with a request as any other key', async () => {
  const account = JSON.stringify({ type: 'service_account', private_key: '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n' });
  const { key } = await created({});
  assert.equal((await worker.chat('acme/m', {}, { ...bearer(key), 'x-understudy-key-vertex': account })).status, 200);
  await refused(await worker.chat('acme/m', {}, { ...bearer(key), 'x-understudy-key-vertex': 'a b' }), 400, 'invalid_value', 'service account');
});

test('a guessed key learns nothing', async () => {
  const { key } = await created({ name: 'known' });
  const guesses = Array.from({ length: 4 }, () => key.slice(0, 3) + wellFormed());
  const told = new Set();
  for (const guess of guesses) {
    for (const headers of [bearer(guess), { 'x-api-key': guess }, { 'api-key': guess }]) {
      for (const model of ['acme/m', 'policy/nowhere', 'nobody/m', '']) {
        const response = await worker.chat(model, {}, headers);
        assert.equal(response.status, 401);
        told.add((await response.text()).replace(/req_[0-9a-f]+/g, ''));
      }
    }
  }
  assert.equal(told.size, 1, [...told].join('\n'));
});

/** 34 random digits and their checksum: a key as it could be, that nobody was given. */
function wellFormed() {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const random = Array.from({ length: 34 }, () => digits[Math.floor(Math.random() * 62)]).join('');
  let rest = crc32(random);
  const check = Array.from({ length: 6 }, () => [digits[rest % 62], (rest = Math.floor(rest / 62))][0]);
  return random + check.reverse().join('');
}

test('a tenant sees and uses nothing of another', async () => {
  await worker.put('policy:of-a', { chain: ['acme/m'] });
  await worker.put('policy:of-b', { chain: ['acme/m'] });
  const a = await created({ name: 'a', group: 'tenant-a', allow: ['policy/of-a', 'acme/*'] });
  const b = await created({ name: 'b', group: 'tenant-b', allow: ['policy/of-b', 'acme/*'] });
  assert.equal((await worker.admin(`/keys/${a.id}/own/acme`, { method: 'PUT', body: { key: 'sk-own-of-a-0123456789' } })).status < 300, true);
  const own = await policy([answer()], QUICK, { hops: [{ key: 'own' }] });
  await worker.put('policy:of-a', { chain: [{ model: own.targets[0], key: 'own' }] });
  await worker.put('policy:of-b', { chain: [{ model: own.targets[0], key: 'own' }] });
  assert.equal((await worker.chat('policy/of-a', {}, bearer(a.key))).status, 200);
  await refused(await worker.chat('policy/of-b', {}, bearer(b.key)), 401, 'own_key_missing');
  assert.equal(own.calls(1).length, 1);
  assert.equal(own.calls(1)[0].headers.authorization, 'Bearer sk-own-of-a-0123456789');
  for (const [{ key }, mine, other] of [[a, 'policy/of-a', 'policy/of-b'], [b, 'policy/of-b', 'policy/of-a']]) {
    await refused(await worker.chat(other, {}, bearer(key)), 403, 'model_not_allowed');
    const listed = (await (await worker.fetch('/v1/models', { headers: bearer(key) })).json()).data.map(({ id }) => id);
    assert.ok(listed.includes(mine) && !listed.includes(other), listed.join());
    await refused(await worker.fetch(`/v1/models/${other}`, { headers: bearer(key) }), 404);
    for (const path of ['/requests', '/analytics', '/keys', `/keys/${a.id}/usage`, '/live', '/metrics', '/policies/of-a']) {
      assert.equal((await worker.fetch(`/admin${path}`, { headers: bearer(key) })).status, 401, path);
    }
  }
  // Who a key is for is the key's word: a request that says it is another is counted as its own.
  const said = await worker.chat('acme/m', { understudy: { metadata: { group: 'tenant-a' } } }, { ...bearer(b.key), 'x-understudy-request-id': 'claimed-1' });
  assert.equal(said.status, 200);
  assert.equal((await worker.recorded('claimed-1')).group, 'tenant-b');
});
