// Whose key pays: the four choices of a hop, keys of the caller's own at rest and with a request, budgets, and who a gateway
// key says the caller is.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { QUICK, outcomes, refused, rig, servedBy } from './rig.mjs';
import { answer, openaiError, status } from './upstream.mjs';
import { sleep, startWorker } from './worker.mjs';

const KEK = { old: Buffer.alloc(32, 7).toString('base64'), new: Buffer.alloc(32, 8).toString('base64'), other: Buffer.alloc(32, 9).toString('base64') };
const MANAGED = 'Bearer sk-acme-managed-0123456789';
const OWN = 'sk-my-own-key-0123456789';
const { worker, upstream, policy } = await rig({ twin: true, vars: { AUTH: undefined }, secrets: { KEK: KEK.old } });
const messages = [{ role: 'user', content: 'Hi' }];

const digest = (key) => createHash('sha256').update(key).digest('hex');
const bearer = (key) => ({ authorization: `Bearer ${key}` });
async function created(document, on = worker) {
  const response = await on.admin('/keys', { method: 'POST', body: { name: 'web', ...document } });
  const text = await response.text();
  assert.equal(response.status, 201, text);
  return JSON.parse(text);
}
const putOwn = async (id, provider, key, on = worker) => {
  const put = await on.admin(`/keys/${id}/own/${provider}`, { method: 'PUT', body: { key } });
  assert.ok(put.ok, await put.text());
};
test('a secret is taken without the line end that it was stored with', async () => {
  const upstreams = await rig({ secrets: { ACME_API_KEY: 'sk-acme-with-a-line-end\r\n' } });
  const p = await upstreams.policy([answer()], QUICK);
  assert.equal((await upstreams.worker.chat(p.model)).status, 200);
  assert.equal(p.calls(1)[0].headers.authorization, 'Bearer sk-acme-with-a-line-end');
});

test('an own key that no header can hold is refused where it is put', async () => {
  const { id } = await created({ name: 'pasted' });
  for (const key of ['sk-cut\nin-two', 'sk-\u{65e5}', 'sk two']) {
    await refused(await worker.admin(`/keys/${id}/own/acme`, { method: 'PUT', body: { key } }), 400, 'invalid_value', 'printable ASCII');
  }
  await putOwn(id, 'vertex', JSON.stringify({ type: 'service_account', private_key: '-----BEGIN PRIVATE KEY-----\n' }));
});

/** A key that nobody made: any 34 digits and their CRC-32, in base62. */
function gatewayKey() {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const text = Array.from(randomBytes(34), (byte) => digits[byte % 62]).join('');
  let crc = ~0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  let [rest, check] = [~crc >>> 0, ''];
  for (let place = 0; place < 6; place++, rest = Math.floor(rest / 62)) check = digits[rest % 62] + check;
  return `us-${text}${check}`;
}
const { id: ID, key: KEY } = await created({ name: 'team' });
const own = { ...bearer(KEY), 'x-understudy-key-acme': OWN };
const used = (p) => p.calls(1).map(({ headers }) => (headers.authorization === MANAGED ? 'managed' : headers.authorization === `Bearer ${OWN}` ? 'own' : headers.authorization));
const slots = async (response) => (await worker.recorded(response.headers.get('x-understudy-request-id'))).attempts.map(({ key, call }) => (call === false ? 'skip' : key));

test('four choices: which key is first, which is second, and what the ledger says of it', async () => {
  for (const [choice, headers, first, keys] of [
    ['managed', own, answer(), ['managed']],
    ['own', own, answer(), ['own']],
    ['managed_then_own', own, answer(), ['managed']],
    ['own_then_managed', own, answer(), ['own']],
    ['own_then_managed', bearer(KEY), answer(), ['managed']],
    ...[401, 403, 402].flatMap((code) => [['managed_then_own', own, status(code), ['managed', 'own']], ['own_then_managed', own, status(code), ['own', 'managed']]]),
    ['managed_then_own', own, status(429, openaiError('spent', 'insufficient_quota', 'insufficient_quota')), ['managed', 'own']],
  ]) {
    for (const on of ['resilient', 'strict']) {
      const p = await policy([[first, answer()], answer()], { on: { preset: on }, ...QUICK }, { hops: [{ key: choice }] });
      const response = await worker.chat(p.model, {}, headers);
      servedBy(response, p, 1, { attempts: keys.length });
      assert.deepEqual(used(p), keys, `${choice}, ${on}`);
      assert.equal(response.headers.get('x-understudy-fallback'), 'false', 'a second key is no fallback');
      assert.deepEqual(await slots(response), keys);
    }
  }
});

test('the second key has the hop’s retries anew, and comes for a rate limit when they are spent; other failures go on', async () => {
  const limited = status(429, openaiError('slow', 'requests', 'rate_limit_exceeded'));
  const p = await policy([limited, answer()], QUICK, { hops: [{ key: 'own_then_managed', retries: 1 }] });
  servedBy(await worker.chat(p.model, {}, own), p, 2, { attempts: 5 });
  assert.deepEqual(used(p), ['own', 'own', 'managed', 'managed']);
  const down = await policy([status(500), answer()], QUICK, { hops: [{ key: 'own_then_managed' }] });
  servedBy(await worker.chat(down.model, {}, own), down, 2, { attempts: 2 });
  assert.deepEqual(used(down), ['own']);
});

test('a missing slot is a skip that names what is missing', async () => {
  const p = await policy([answer(), answer()], QUICK, { hops: [{ key: 'own' }] });
  const skipped = await worker.chat(p.model, {}, bearer(KEY));
  servedBy(skipped, p, 2, { attempts: 1 });
  outcomes(skipped, 'skip:no_key', 'ok');
  assert.deepEqual(await slots(skipped), ['skip', 'managed']);
  const alone = await policy([answer()], {}, { hops: [{ key: 'own' }] });
  await refused(await worker.chat(alone.model, {}, bearer(KEY)), 401, 'own_key_missing', 'acme');
  const anthropic = await worker.post('/v1/messages', { model: alone.model, max_tokens: 9, messages }, bearer(KEY));
  assert.deepEqual([anthropic.status, (await anthropic.json()).error.type], [401, 'authentication_error']);
});

test('where the first key is missing the second is used; organization and project go with the caller’s own alone', async () => {
  await worker.put('provider:keyless', upstream.provider('keyless', { auth: { header: 'authorization', scheme: 'Bearer', secret: 'KEYLESS_API_KEY' } }));
  const name = 'without-a-managed-key';
  await worker.put(`policy:${name}`, { chain: [{ model: 'keyless/m', key: 'managed_then_own' }] });
  const account = { 'openai-organization': 'org-1', 'openai-project': 'proj-1' };
  const response = await worker.chat(`policy/${name}`, {}, { ...bearer(KEY), ...account, 'x-understudy-key-keyless': OWN });
  assert.equal(response.status, 200);
  assert.deepEqual(await slots(response), ['own']);
  const sent = upstream.calls('keyless/m')[0].headers;
  assert.deepEqual([sent.authorization, sent['openai-organization'], sent['openai-project']], [`Bearer ${OWN}`, 'org-1', 'proj-1']);
  const p = await policy([answer()], {}, { hops: [{ key: 'own_then_managed' }] });
  servedBy(await worker.chat(p.model, {}, { ...bearer(KEY), ...account }), p, 1);
  assert.deepEqual([p.calls(1)[0].headers['openai-organization'], p.calls(1)[0].headers['openai-project']], [undefined, undefined]);
});

test('a plain model, and hops that the request brings, use the key that came along', async () => {
  upstream.on('acme/plain', status(500));
  upstream.on('other/plain', answer());
  const response = await worker.chat('acme/plain', { models: ['other/plain'] }, { ...own, 'x-understudy-key-other': 'sk-for-the-other-0123456789' });
  assert.equal(response.status, 200);
  assert.deepEqual(await slots(response), ['own', 'own']);
  assert.equal(upstream.calls('acme/plain')[0].headers.authorization, `Bearer ${OWN}`);
  assert.equal(upstream.calls('other/plain')[0].headers.authorization, 'Bearer sk-for-the-other-0123456789');
  for (const value of ['', 'two words']) await refused(await worker.chat('acme/m', {}, { ...bearer(KEY), 'x-understudy-key-acme': value }), 400, undefined, 'x-understudy-key-acme');
});

test('a stored key opens nowhere else, and KEK can be replaced without losing it', async () => {
  const first = await startWorker({ vars: { AUTH: undefined }, secrets: { KEK: KEK.old } });
  const setUp = async (on) => {
    await on.put('provider:acme', upstream.provider('acme'));
    await on.put('policy:own', { chain: [{ model: 'acme/sealed', key: 'own' }] });
  };
  const sent = async (on, key) => {
    const response = await on.chat('policy/own', {}, bearer(key));
    const text = await response.text();
    return response.status === 200 ? upstream.calls('acme/sealed').at(-1).headers.authorization : `${response.status} ${JSON.parse(text).error.code}`;
  };
  await setUp(first);
  const [a, b] = [await created({}, first), await created({}, first)];
  await putOwn(a.id, 'acme', OWN, first);
  const document = JSON.parse(await (await first.kv()).get(`key:${digest(a.key)}`));
  assert.match(document.own.acme, /^v1\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+$/);
  assert.equal(await sent(first, a.key), `Bearer ${OWN}`);
  // The same ciphertext on another gateway key, or for another provider, does not open: as if there were none.
  await first.put(`key:${b.id}`, { name: 'thief', own: { acme: document.own.acme } });
  assert.equal(await sent(first, b.key), '401 own_key_missing');
  await first.put('provider:acme2', upstream.provider('acme2'));
  await first.put('policy:moved', { chain: [{ model: 'acme2/m', key: 'own' }] });
  await first.put(`key:${a.id}`, { ...document, own: { acme: document.own.acme, acme2: document.own.acme } });
  await refused(await first.chat('policy/moved', {}, bearer(a.key)), 401, 'own_key_missing');
  assert.ok(first.logs.some(({ message }) => message.includes('own_key_unreadable')));
  await first.stop();
  const state = first.state;
  // The new KEK seals, the one before still opens.
  const second = await startWorker({ vars: { AUTH: undefined }, secrets: { KEK: KEK.new, KEK_PREVIOUS: KEK.old }, state });
  assert.equal(await sent(second, a.key), `Bearer ${OWN}`);
  await putOwn(b.id, 'acme', 'sk-sealed-anew-0123456789', second);
  const kekId = (kek) => digest(Buffer.from(kek, 'base64')).slice(0, 8);
  assert.equal(JSON.parse(await (await second.kv()).get(`key:${b.id}`)).own.acme.split('.')[1], kekId(KEK.new));
  assert.equal(await sent(second, b.key), 'Bearer sk-sealed-anew-0123456789');
  await second.stop();
  // Two generations later the oldest is gone, and only what it sealed.
  const third = await startWorker({ vars: { AUTH: undefined }, secrets: { KEK: KEK.other, KEK_PREVIOUS: KEK.new }, state });
  assert.equal(await sent(third, b.key), 'Bearer sk-sealed-anew-0123456789');
  assert.equal(await sent(third, a.key), '401 own_key_missing');
  await third.stop();
  // A KEK that is none never falls back to the previous one to seal with.
  const broken = await startWorker({ vars: { AUTH: undefined }, secrets: { KEK: 'short', KEK_PREVIOUS: KEK.new }, state });
  const put = await broken.admin(`/keys/${a.id}/own/acme`, { method: 'PUT', body: { key: OWN } });
  await refused(put, 503, 'kek_missing', 'KEK');
  assert.equal(await sent(broken, b.key), 'Bearer sk-sealed-anew-0123456789');
  for (const { logs } of [first, second, third, broken]) assert.ok(!JSON.stringify(logs).includes(OWN));
  await broken.close();
});

test('a mistyped key is refused by its checksum, before the store is asked', async () => {
  const mistyped = KEY.slice(0, 12) + (KEY[12] === 'a' ? 'b' : 'a') + KEY.slice(13);
  // Were the store asked, it would know this one.
  await worker.put(`key:${digest(mistyped)}`, { name: 'never read' });
  await refused(await worker.chat('acme/m', {}, bearer(mistyped)), 401, 'invalid_api_key', 'checksum');
  assert.equal((await worker.chat('acme/m', {}, bearer(KEY))).status, 200);
});

test('allow is asked of all that a request brings, in every spelling, and of nothing that is the owner’s', async () => {
  const inner = await policy([status(500)], QUICK);
  const p = await policy([status(500), answer()], QUICK);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0], inner.model, p.targets[1]], ...QUICK });
  const { key } = await created({ allow: [p.model, 'acme/ok-*'] });
  servedBy(await worker.chat(p.model, {}, bearer(key)), p, 2, { attempts: 3 });
  for (const body of [{ models: ['acme/no'] }, { understudy: { fallback: ['acme/ok-2', 'acme/no'] } }, { openpipe: { fallback: { model: 'acme/no' } } }, { models: [inner.model] }, { models: ['nobody/knows'] }]) {
    await refused(await worker.chat('acme/ok-1', body, bearer(key)), 403, 'model_not_allowed');
  }
  await refused(await worker.chat('acme/ok-1', {}, { ...bearer(key), 'x-understudy': '{"fallback":["acme/no"]}' }), 403, 'model_not_allowed', 'acme/no');
  await refused(await worker.chat('policy/not-there', {}, bearer(key)), 403, 'model_not_allowed');
  await worker.put('rules', { rules: { r: { when: { model: 'acme/ok-*' }, then: { fallback: ['acme/no'] } } }, rulesets: [{ name: 's', rules: ['r'] }] });
  upstream.on('acme/ok-9', status(500));
  assert.equal((await worker.chat('acme/ok-9', {}, bearer(key))).headers.get('x-understudy-model'), 'acme/no');
  await worker.remove('rules');
});

test('deny binds every target of the plan; a model may be written bare in it', async () => {
  const p = await policy([status(500), answer(), answer()], QUICK);
  const { key } = await created({ deny: [p.targets[1]] });
  const response = await worker.chat(p.model, {}, bearer(key));
  servedBy(response, p, 3);
  assert.match(response.headers.get('x-understudy-trail'), /=skip:boundary/);
  await refused(await worker.chat(p.targets[1], {}, bearer(key)), 403, 'model_not_allowed');
  const brought = await worker.chat(p.targets[0], { models: [p.targets[1], p.targets[2]] }, bearer(key));
  servedBy(brought, p, 3);
  const all = await created({ deny: p.targets });
  await refused(await worker.chat(p.model, {}, bearer(all.key)), 400, 'no_hop_fits');
  const bare = await created({ deny: ['gpt-4o*'] });
  await refused(await worker.chat('gpt-4o-mini', {}, bearer(bare.key)), 403, 'model_not_allowed', 'openai/gpt-4o-mini');
  const everywhere = await created({ deny: ['bedrock/claude-opus-4-1'] });
  await refused(await worker.chat('bedrock/claude-opus-4-1@eu-central-1', {}, bearer(everywhere.key)), 403, 'model_not_allowed');
  // A policy that is denied is not reached by way of a model that fails either.
  const inner = await created({ deny: [p.model] });
  const around = await worker.chat(p.targets[0], { models: [p.model] }, bearer(inner.key));
  assert.equal(around.status, 500);
  assert.match(around.headers.get('x-understudy-trail'), /=skip:boundary:key-deny/);
});

test('the key’s policy comes after a rule, and only where none is named', async () => {
  const [mine, ruled] = [await policy([answer('mine')]), await policy([answer('ruled')])];
  const { key } = await created({ name: 'p', policy: mine.model });
  servedBy(await worker.chat('anything-at-all', {}, bearer(key)), mine, 1);
  servedBy(await worker.chat(ruled.model, {}, bearer(key)), ruled, 1);
  await worker.put('rules', { rules: { r: { when: { key: 'p', model: 'openai/special' }, then: { use: ruled.model } } }, rulesets: [{ name: 's', rules: ['r'] }] });
  servedBy(await worker.chat('special', {}, bearer(key)), ruled, 1);
  servedBy(await worker.chat('other', {}, bearer(key)), mine, 1);
  await worker.remove('rules');
});

test('user and group of a key win over what the request claims, in rules and in the ledger', async () => {
  await worker.put('rules', { rules: { r: { when: { group: 'acme', user: 'svc' }, then: {} } }, rulesets: [{ name: 's', rules: ['r'] }] });
  const { key } = await created({ name: 'svc', group: 'acme', user: 'svc' });
  const response = await worker.chat('acme/m', { user: 'mallory', metadata: { understudy: '{"group":"other","user":"mallory"}' } }, bearer(key));
  assert.equal(response.headers.get('x-understudy-rule'), 's/r');
  const { user, group } = await worker.recorded(response.headers.get('x-understudy-request-id'));
  assert.deepEqual([user, group], ['svc', 'acme']);
  const claimed = await worker.chat('acme/m', { metadata: { understudy: '{"group":"acme","user":"svc"}' } }, bearer(KEY));
  assert.equal(claimed.headers.get('x-understudy-rule'), 's/r', 'a key without them lets the request speak');
  await worker.put('rules', { rules: { r: { when: { 'metadata.group': 'admins' }, then: {} } }, rulesets: [{ name: 's', rules: ['r'] }] });
  const spoofed = await worker.chat('acme/m', { metadata: { understudy: '{"group":"admins"}' } }, bearer(key));
  assert.equal(spoofed.headers.get('x-understudy-rule'), null, 'nor does another name of the fact help');
  await worker.remove('rules');
});

test('budgets: by the day and by the month, over which 429, and failures cost nothing', async () => {
  await worker.put('models', { 'acme/dear': { input_usd_per_mtok: 100000, output_usd_per_mtok: 100000 } });
  upstream.on('acme/dear', answer()); // 9 tokens in, 3 out: 1.2 USD
  for (const [budget, words] of [['budget_usd_per_day', /today/], ['budget_usd_per_month', /month/]]) {
    const { id, key } = await created({ [budget]: 2 });
    const ask = (model = 'acme/dear') => worker.chat(model, {}, bearer(key));
    upstream.on('acme/fails-dear', status(500));
    assert.equal((await ask('acme/fails-dear')).status, 500);
    const first = await ask();
    assert.equal(first.status, 200);
    await worker.recorded(first.headers.get('x-understudy-request-id'));
    assert.equal((await ask()).status, 200, '1.2 of 2 USD are spent');
    const until = Date.now() + 4000;
    let response = await ask();
    while (response.status === 200 && Date.now() < until) {
      await sleep(200);
      response = await ask();
    }
    await refused(response, 429, 'budget_exceeded', words);
    const usage = await (await worker.admin(`/keys/${id}/usage`)).json();
    const span = usage[budget === 'budget_usd_per_day' ? 'day' : 'month'];
    assert.equal(span.budget_usd, 2);
    assert.ok(span.cost_usd >= 2.4 && Math.abs(span.cost_usd / 1.2 - Math.round(span.cost_usd / 1.2)) < 1e-6, JSON.stringify(usage));
    assert.equal(span.requests, span.succeeded + 1, JSON.stringify(span));
  }
  const open = await created({ budget_usd_per_day: 1000 });
  assert.equal((await worker.chat('acme/dear', {}, bearer(open.key))).status, 200);
  await worker.remove('models');
});

test('a budget that another isolate spent holds here too, though nobody used the key here since', async () => {
  await worker.put('models', { 'acme/dear': { input_usd_per_mtok: 100000, output_usd_per_mtok: 100000 } });
  upstream.on('acme/dear', answer());
  const { key } = await created({ budget_usd_per_day: 1 });
  const other = await created({ budget_usd_per_day: 1 });
  const twin = worker.twin;
  assert.equal((await twin.chat('acme/free', {}, bearer(key))).status, 200, 'the twin knows the key, of which nothing is spent');
  assert.equal((await worker.chat('acme/dear', {}, bearer(key))).status, 200);
  await sleep(4000);
  await refused(await worker.chat('acme/dear', {}, bearer(key)), 429, 'budget_exceeded');
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => twin.chat('acme/dear', {}, bearer(key))));
  assert.deepEqual(all.map(({ status }) => status), [429, 429, 429, 429, 429]);
  assert.equal((await twin.chat('acme/free', {}, bearer(other.key))).status, 200, 'another key has its own');
  await worker.remove('models');
});

test('a key’s document: refused where it is written and where it is read, with path, value and expectation', async () => {
  for (const [document, ...saying] of [
    [{ name: 7 }, 'name: 7'],
    [{ allow: 'policy/*' }, 'allow: "policy/*" is not a list'],
    [{ deny: ['a b'] }, 'deny[0]: "a b"'],
    [{ expires_at: 'tomorrow' }, 'expires_at: "tomorrow" is not a time'],
    [{ budget_usd_per_day: -1 }, 'budget_usd_per_day: -1'],
    [{ policy: 'a/b' }, 'policy: "a/b"'],
    [{ alow: [] }, 'alow', 'did you mean \\"allow\\"?'],
  ]) {
    const put = await worker.admin('/keys', { method: 'POST', body: { name: 'bad', ...document } });
    const text = await put.text();
    assert.equal(put.status, 422, text);
    assert.ok(JSON.parse(text).error.findings.length >= 1, text);
    for (const words of saying) assert.ok(text.includes(words) || JSON.stringify(JSON.parse(text).error).includes(words.replaceAll('"', '\\"')), `${text} should say ${words}`);
    const key = gatewayKey();
    await worker.put(`key:${digest(key)}`, { name: 'bad', ...document });
    await refused(await worker.chat('acme/m', {}, bearer(key)), 500, 'key_invalid', Object.keys(document)[0]);
  }
  const good = await created({ name: 'good' });
  assert.equal((await worker.chat('acme/m', {}, bearer(good.key))).headers.get('x-understudy-policy-stale'), null);
  await worker.put(`key:${good.id}`, '{"name": ');
  const stale = await worker.chat('acme/m', {}, bearer(good.key));
  assert.deepEqual([stale.status, stale.headers.get('x-understudy-policy-stale')], [200, 'true']);
  await worker.put(`key:${good.id}`, { name: 'good', disabled: true });
  await refused(await worker.chat('acme/m', {}, bearer(good.key)), 401, 'invalid_api_key', 'disabled');
});

test('no key of any kind is in an answer, a log line or the ledger', async () => {
  const p = await policy([status(401, openaiError(`Incorrect API key provided: ${OWN}`, 'invalid_request_error', 'invalid_api_key')), status(500, openaiError(`managed key sk-acme-managed-0123456789 and ${KEY}`, 'x', 'y'))], QUICK, { hops: [{ key: 'own' }, { key: 'managed' }] });
  const response = await worker.chat(p.model, {}, own);
  const text = await response.text() + JSON.stringify([...response.headers]);
  const record = JSON.stringify(await worker.recorded(response.headers.get('x-understudy-request-id')));
  const keys = await (await worker.admin('/keys')).text();
  for (const secret of [OWN, 'sk-acme-managed-0123456789', KEY]) for (const [where, said] of Object.entries({ text, record, keys, logs: JSON.stringify(worker.logs) })) assert.ok(!said.includes(secret), `${secret} in ${where}`);
  assert.ok(ID.length === 64);
});
