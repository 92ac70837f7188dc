// Every answer of the admin API against its own OpenAPI document, field by field: nothing missing, nothing that it does not name.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { QUICK, rig } from './rig.mjs';
import { faults } from './schema.mjs';
import { answer, STALL, status } from './upstream.mjs';
import { ADMIN_TOKEN, unique } from './worker.mjs';

const { worker, upstream, policy, slack } = await rig({ secrets: { ADMIN_TOKENS: 'alice:alice-token', KEK: Buffer.alloc(32, 7).toString('base64') } });
const document = await (await worker.admin('/openapi.json')).json();
const seen = new Set();

/** Asks, and holds the answer against the document. `route` is its path there. */
async function ask(method, route, path, { body, headers, expect = 200 } = {}) {
  const response = await worker.admin(path, { method, body, headers });
  const text = await response.text();
  assert.equal(response.status, expect, `${method} ${path}: ${text}`);
  const described = document.paths[`/admin${route}`][method.toLowerCase()].responses[expect];
  assert.ok(described, `${method} ${route} answers ${expect}, which the document does not name`);
  seen.add(`${method} /admin${route} ${expect}`);
  const schema = described.content?.['application/json']?.schema;
  if (!schema) return text;
  const value = JSON.parse(text);
  assert.deepEqual(faults(document, schema, value).slice(0, 10), [], `${method} ${route}`);
  return value;
}

test('the checker itself finds what is wrong', () => {
  const shape = document.components.schemas.Finding;
  const good = { severity: 'info', path: '', message: '', hint: '' };
  assert.deepEqual(faults(document, shape, good), []);
  for (const bad of [{ ...good, severity: 'loud' }, { ...good, path: 1 }, { ...good, more: 1 }, { path: '' }]) assert.notDeepEqual(faults(document, shape, bad), []);
});

test('documents: policies, providers, rules, models', async () => {
  const all = [
    ['/policies', '/policies/{name}', `/policies/${unique('shape')}`, { chain: ['acme/a', 'other/b'] }, { chain: [] }],
    ['/providers', '/providers/{name}', `/providers/${unique('made')}`, upstream.provider('acme'), { dialect: 'none' }],
    [null, '/rules', '/rules', { rules: {}, rulesets: [] }, { rules: 1 }],
    [null, '/models', '/models', { 'acme/fast': { id: 'acme-fast' } }, { 'acme/fast': 1 }],
  ];
  for (const [list, route, path, good, bad] of all) {
    await ask('GET', route, path, { expect: 404 });
    const dry = await ask('PUT', route, `${path}?dry_run=1`, { body: good });
    assert.equal(dry.dry_run, true);
    const first = await ask('PUT', route, path, { body: good });
    assert.equal(first.version, dry.version);
    await ask('PUT', route, path, { body: good, headers: { 'if-match': '"00000000"' }, expect: 412 });
    await ask('PUT', route, `${path}?dry_run=1`, { body: good, headers: { 'if-match': '"00000000"' }, expect: 412 });
    const refused = await ask('PUT', route, path, { body: bad, expect: 422 });
    assert.ok(refused.error.findings.length > 0);
    await ask('GET', route, path);
    if (list) await ask('GET', list, list);
    await ask('GET', `${route}/versions`, `${path}/versions`);
    await ask('GET', `${route}/versions/{version}`, `${path}/versions/${first.version}`);
    await ask('GET', `${route}/versions/{version}`, `${path}/versions/00000000`, { expect: 404 });
    await ask('POST', `${route}/rollback`, `${path}/rollback`, { body: { version: first.version } });
    await ask('DELETE', route, path, { headers: { 'if-match': '"00000000"' }, expect: 412 });
    await ask('DELETE', route, path, { expect: 204 });
    await ask('DELETE', route, path, { expect: 404 });
  }
  await ask('GET', '/providers/{name}', '/providers/openai');
  const { error } = await ask('DELETE', '/providers/{name}', '/providers/openai', { expect: 404 });
  assert.equal(error.message, 'provider "openai" is built in, and no document changes it');
});

test('a document that other hands broke says why requests that need it are refused, alone and in lists', async () => {
  const name = unique('broken');
  const broken = [
    ['/policies', '/policies/{name}', `policy:${name}`, { chain: ['acme/a'], bogus: 1 }, 'bogus'],
    ['/providers', '/providers/{name}', `provider:${name}`, { base_url: 'http://example.com' }, 'base_url'],
    [null, '/rules', 'rules', { rules: 1 }, 'rules'],
    [null, '/models', 'models', { 'acme/fast': 1 }, 'acme/fast'],
  ];
  for (const [list, route, key, document, said] of broken) {
    await worker.put(key, document);
    const one = await ask('GET', route, route.replace('{name}', name));
    assert.ok(one.error.includes(said), `${route}: ${one.error}`);
    assert.deepEqual(one.document, document);
    const listed = list && (await ask('GET', list, list)).data.find((line) => line.name === name);
    if (list) assert.equal(listed.error, one.error);
    await worker.remove(key);
  }
});

test('lint, simulate, explain, compare', async () => {
  const p = await policy([status(500), answer('yes')], { keep: ['provider'], ...QUICK });
  await ask('POST', '/lint', '/lint?prompt_tokens=5000', { body: { chain: ['acme/a', 'acme/b'] } });
  const broken = await ask('POST', '/lint', '/lint', { body: { chain: [] } });
  assert.equal(broken.worst_case, null);
  await ask('POST', '/lint', '/lint?prompt_tokens=many', { body: {}, expect: 400 });
  const script = [{ model: p.targets[0], outcomes: ['429;retry-after=1', 'stall@0'] }];
  await ask('POST', '/policies/{name}/simulate', `/policies/${p.name}/simulate`, { body: script });
  await ask('POST', '/policies/{name}/simulate', `/policies/${p.name}/simulate`, { body: [{ model: 'x', outcomes: ['boom'] }], expect: 400 });
  await ask('POST', '/policies/{name}/simulate', '/policies/absent/simulate', { body: [], expect: 404 });
  const asked = { route: 'chat', body: { messages: [{ role: 'user', content: 'Hi' }] } };
  await ask('POST', '/policies/{name}/explain', `/policies/${p.name}/explain`, { body: asked });
  const { data } = await ask('POST', '/policies/{name}/compare', `/policies/${p.name}/compare`, { body: asked });
  assert.deepEqual(data.map(({ outcome }) => outcome), ['server_error', 'ok']);
  const { data: rows } = await ask('GET', '/requests', `/requests?policy=${p.name}`);
  const compared = await ask('GET', '/requests/{id}', `/requests/${rows[0].id}`);
  assert.deepEqual(compared.attempts.map(({ billed }) => billed), ['no', 'yes'], 'a 500 before any content is nobody’s bill');
});

test('requests, analytics, targets, audit', async () => {
  const p = await policy([status(429), [STALL], answer('yes')], { ...QUICK, timeouts: { attempt_ms: 200 + slack, headers_ms: 200 + slack } });
  const id = `${p.name}-shape`;
  const who = { metadata: { understudy: '{"user": "u", "group": "g"}' } };
  for (let n = 0; n < 2; n++) await (await worker.chat(p.model, who, { 'x-understudy-request-id': id })).text();
  await (await worker.chat('acme/plain', { stream: true })).text();
  await worker.chat(p.model, {}, { 'x-understudy-drill': `${p.targets[0]}=overloaded`, 'x-understudy-admin': ADMIN_TOKEN });
  const one = await ask('GET', '/requests/{id}', `/requests/${id}`);
  assert.deepEqual(one.attempts.map(({ outcome, billed, phase }) => [outcome, billed, phase !== null]), [['rate_limited', 'no', false], ['timeout', 'maybe', true], ['ok', 'yes', false]]);
  assert.ok(one.wasted_usd >= 0 && one.others.length === 1);
  await ask('GET', '/requests/{id}', '/requests/absent', { expect: 404 });
  await ask('GET', '/requests', '/requests');
  await ask('GET', '/requests', `/requests?from=${Date.now() - 60_000}&to=${new Date().toISOString()}`);
  for (const bad of ['limit=0', 'before=x', 'fallback=perhaps', 'from=x', 'to=x']) await ask('GET', '/requests', `/requests?${bad}`, { expect: 400 });
  const counted = await ask('GET', '/analytics', `/analytics?policy=${p.name}`);
  assert.equal(counted.totals.requests, 2, 'a drill is not counted');
  for (const query of ['', 'user=u', 'group=g&bucket=hour', `target=${p.targets[0]}`, 'limit=1', 'limit=1000', `from=${Date.now() - 30 * 86_400_000}`]) await ask('GET', '/analytics', `/analytics?${query}`);
  for (const bad of ['bucket=week', 'from=x', 'limit=0']) await ask('GET', '/analytics', `/analytics?${bad}`, { expect: 400 });
  await ask('GET', '/targets', '/targets');
  const audit = await ask('GET', '/audit', '/audit?limit=1');
  await ask('GET', '/audit', `/audit?before=${audit.next}`);
  await ask('GET', '/audit', '/audit?before=x', { expect: 400 });
  assert.match(await ask('GET', '/metrics', '/metrics'), /^understudy_requests_total/m);
  await ask('GET', '/openapi.json', '/openapi.json');
});

test('lists of documents and keys go on where a page ends, and say so', async () => {
  const kv = await worker.kv();
  const names = Array.from({ length: 7 }, (_, n) => `paged-${n}`);
  for (const name of names) await kv.put(`policy:${name}`, JSON.stringify({ chain: ['acme/a'] }));
  const ids = names.map((_, n) => String(n).repeat(64));
  for (const id of ids) await kv.put(`key:${id}`, JSON.stringify({ name: `paged-${id[0]}` }));
  // Published here, and perhaps not yet listed by the store: on its page all the same, once.
  assert.equal((await worker.admin('/policies/paged-3x', { method: 'PUT', body: { chain: ['acme/a'] } })).status, 200);
  for (const [list, of, expected] of [['/policies', (line) => line.name, [...names, 'paged-3x']], ['/keys', (line) => line.id, ids]]) {
    const whole = await ask('GET', list, list);
    assert.equal(whole.next, null, `${list}: all fit`);
    const found = [];
    let pages = 0;
    for (let after = ''; after !== null; pages++) {
      const page = await ask('GET', list, `${list}?limit=2${after && `&after=${encodeURIComponent(after)}`}`);
      assert.ok(page.data.length <= 3, 'two that the store lists, and one that it does not yet');
      found.push(...page.data.map(of));
      after = page.next;
    }
    assert.deepEqual(found.toSorted(), whole.data.map(of).toSorted());
    assert.deepEqual(found.filter((name) => expected.includes(name)).toSorted(), expected.toSorted());
    assert.ok(pages >= 4, `${pages} pages`);
    for (const bad of ['limit=0', 'limit=10001', 'limit=x', 'after=nonsense', 'after=~', 'after=~paged-0']) await ask('GET', list, `${list}?${bad}`, { expect: 400 });
  }
  for (const id of ids) await kv.delete(`key:${id}`);
});

test('which rule a sample request would meet: the stored rules, or a candidate', async () => {
  const judge = (body, expect = 200) => ask('POST', '/rules/match', '/rules/match', { body, expect });
  const request = { model: 'acme/ruled', group: 'gold' };
  const none = { ruleset: null, rule: null };
  assert.deepEqual(await judge({ request }), none, 'without a document there are no rules');
  const rules = (when) => ({ rules: { one: { when, then: { retries: 0 } } }, rulesets: [{ name: 'all', rules: ['one'] }] });
  assert.deepEqual(await judge({ request, rules: rules({ group: 'gold', model: 'acme/*' }) }), { ruleset: 'all', rule: 'one' });
  assert.deepEqual(await judge({ request, rules: rules({ group: 'silver' }) }), none);
  for (const route of ['responses', '/v1/responses', '/responses']) assert.deepEqual(await judge({ request: { ...request, route }, rules: rules({ route: 'responses' }) }), { ruleset: 'all', rule: 'one' }, route);
  assert.equal((await worker.admin('/rules', { method: 'PUT', body: rules({ 'header.x-team': 'web', 'metadata.seats': { gt: 5 } }) })).status, 200);
  const met = { ...request, headers: { 'X-Team': 'web' }, metadata: { seats: 6 } };
  assert.deepEqual(await judge({ request: met }), { ruleset: 'all', rule: 'one' });
  assert.deepEqual(await judge({ request: { ...met, metadata: { seats: 5 } } }), none);
  for (const [body, param] of [
    [{}, 'request'],
    [{ request: 1 }, 'request'],
    [{ request: {} }, 'request.model'],
    [{ request: { model: 'a b' } }, 'request.model'],
    [{ request: { ...request, stream: 'yes' } }, 'request.stream'],
    [{ request: { ...request, route: 'chats' } }, 'request.route'],
    [{ request: { ...request, route: 'c*' } }, 'request.route'],
    [{ request: { ...request, headers: { a: 1 } } }, 'request.headers.a'],
    [{ request: { ...request, tier: 2 } }, 'request.tier'],
    [{ request, rule: {} }, 'rule'],
  ]) {
    const { error } = await judge(body, 400);
    assert.equal(error.param, param, JSON.stringify(body));
  }
  await judge('no', 400);
  const { error } = await judge({ request, rules: { rules: { one: { when: { colour: 'red' }, then: {} } } } }, 422);
  assert.match(error.findings[0].path, /^rules\.one\.when/);
  assert.equal((await worker.admin('/rules', { method: 'DELETE' })).status, 204);
});

test('gateway keys', async () => {
  const route = '/keys/{id}';
  const made = await ask('POST', '/keys', '/keys', { body: { name: 'shape', budget_usd_per_day: 1, expires_at: 1_900_000_000_000 }, expect: 201 });
  assert.equal(made.expires_at, '2030-03-17T17:46:40.000Z', 'Unix ms come back as RFC 3339');
  const path = `/keys/${made.id}`;
  await ask('POST', '/keys', '/keys', { body: { nonsense: 1 }, expect: 422 });
  await ask('POST', '/keys', '/keys', { body: 'no', expect: 400 });
  await ask('GET', '/keys', '/keys');
  await ask('GET', route, path);
  const changed = await ask('PATCH', route, path, { body: { description: 'x', expires_at: '2031-01-01T00:00:00+01:00', budget_usd_per_day: null } });
  assert.equal(changed.expires_at, '2030-12-31T23:00:00.000Z');
  assert.ok(!('budget_usd_per_day' in changed));
  await ask('PATCH', route, path, { body: { expires_at: 'soon' }, expect: 422 });
  await ask('PATCH', route, path, { body: {}, headers: { 'if-match': '"00000000"' }, expect: 412 });
  await ask('PUT', `${route}/own/{provider}`, `${path}/own/acme`, { body: { key: 'sk-own-acme-0123456789' } });
  await ask('PUT', `${route}/own/{provider}`, `${path}/own/acme`, { body: {}, expect: 400 });
  await worker.chat('acme/plain', {}, { authorization: `Bearer ${made.key}` });
  const usage = await ask('GET', `${route}/usage`, `${path}/usage`);
  assert.equal(usage.day.requests, 1);
  await ask('DELETE', `${route}/own/{provider}`, `${path}/own/acme`, { expect: 204 });
  await ask('DELETE', `${route}/own/{provider}`, `${path}/own/acme`, { expect: 404 });
  await ask('DELETE', route, path, { expect: 204 });
  await ask('GET', route, path, { expect: 404 });
});

test('a drill says nothing of its targets to anyone else', async () => {
  const p = await policy([answer('one'), answer('two')], { ...QUICK, breaker: { failures: 2, window_ms: 60000, cooldown_ms: 60000, cooldown_max_ms: 60000 } });
  const drill = { 'x-understudy-drill': `${p.targets[0]}=overloaded`, 'x-understudy-admin': 'alice-token' };
  for (let n = 0; n < 4; n++) assert.equal((await worker.chat(p.model, {}, drill)).headers.get('x-understudy-model'), p.targets[1]);
  assert.equal((await worker.chat(p.model)).headers.get('x-understudy-model'), p.targets[0], 'its breaker is closed');
  const { data } = await ask('GET', '/targets', '/targets');
  assert.equal(data.find(({ model }) => model === p.targets[0]).breaker.state, 'closed');
  const { totals } = await ask('GET', '/analytics', `/analytics?policy=${p.name}`);
  assert.equal(totals.requests, 1);
});

test('the breaker of a target whose every policy does without is off, whatever it met', async () => {
  const breaker = { failures: 1, window_ms: 60000, cooldown_ms: 60000, cooldown_max_ms: 60000 };
  const p = await policy([status(503), answer('two')], { ...QUICK, breaker: null });
  await worker.put(`policy:${p.name}-asks`, { chain: [p.targets[1]], breaker });
  const states = async () => {
    const { data } = await ask('GET', '/targets', '/targets');
    return p.targets.map((target) => data.find(({ model }) => model === target).breaker);
  };
  for (let n = 0; n < 2; n++) assert.match((await worker.chat(p.model)).headers.get('x-understudy-trail'), /=overloaded;503/);
  assert.deepEqual(await states(), [{ state: 'off', until: null }, { state: 'closed', until: null }]);
  await worker.put(`policy:${p.name}-too`, { chain: [p.targets[0]], breaker });
  assert.equal((await states())[0].state, 'open', 'another policy asks it');
});

after(() => {
  const good = (row) => Object.keys(row.responses).find((code) => code < 300);
  const all = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, row]) => `${method.toUpperCase()} ${path} ${good(row)}`));
  // The live stream has a test of its own.
  const left = all.filter((one) => !seen.has(one) && !one.includes('/admin/live'));
  assert.deepEqual(left, [], 'every route was asked');
});
