// The admin API: who may, policies with findings and versions, and what the ledger says of requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUICK, logged, refused, rig, servedBy } from './rig.mjs';
import { answer, status } from './upstream.mjs';
import { ADMIN_TOKEN, startWorker } from './worker.mjs';

const { worker, upstream, policy } = await rig();

const said = async (response) => ({ status: response.status, headers: response.headers, text: await response.text() });

test('the token is needed, and the secret is named when there is none', async () => {
  await refused(await worker.fetch('/admin/policies'), 401);
  await refused(await worker.fetch('/admin/policies', { headers: { authorization: 'Bearer wrong' } }), 401);
  const bare = await startWorker({ secrets: { ADMIN_TOKEN: undefined } });
  await refused(await bare.fetch('/admin/policies', { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } }), 403, undefined, 'ADMIN_TOKEN');
  assert.equal((await bare.fetch('/healthz')).status, 200);
  await bare.close();
  await refused(await worker.admin('/nothing'), 404);
});

test('a policy is put, read, used at once, and deleted', async () => {
  upstream.on('acme/put', answer());
  const document = { description: 'put here', chain: ['acme/put'] };
  const put = await said(await worker.admin('/policies/mine', { method: 'PUT', body: document }));
  assert.equal(put.status, 200, put.text);
  const etag = put.headers.get('etag');
  assert.match(etag, /^"[0-9a-f]{8}"$/);
  const response = await worker.chat('policy/mine');
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-understudy-policy'), `mine@${etag.slice(1, -1)}`);
  const read = await said(await worker.admin('/policies/mine'));
  assert.equal(read.status, 200);
  assert.equal(read.headers.get('etag'), etag);
  assert.ok(read.text.includes('put here'));
  assert.ok((await said(await worker.admin('/policies'))).text.includes('mine'));
  const conflict = await worker.admin('/policies/mine', { method: 'PUT', body: document, headers: { 'if-match': '"00000000"' } });
  assert.equal(conflict.status, 412);
  const changed = await worker.admin('/policies/mine', { method: 'PUT', body: { ...document, description: 'changed' }, headers: { 'if-match': etag } });
  assert.equal(changed.status, 200);
  const versions = await said(await worker.admin('/policies/mine/versions'));
  assert.equal(versions.status, 200);
  assert.ok(versions.text.includes(etag.slice(1, -1)), versions.text);
  const deleted = await worker.admin('/policies/mine', { method: 'DELETE' });
  assert.equal(deleted.status, 204);
  assert.equal((await worker.admin('/policies/mine')).status, 404);
  await refused(await worker.chat('policy/mine'), 404, 'policy_not_found');
});

test('a bad policy is not stored: 422 with every finding', async () => {
  const put = async (name, body, path = '') => {
    const response = await worker.admin(`/policies/${name}${path}`, { method: 'PUT', body });
    return { status: response.status, body: await response.json() };
  };
  const range = await put('bad', { chain: ['acme/a', { model: 'acme/b', retries: 11 }] });
  assert.equal(range.status, 422);
  assert.ok(range.body.error.findings.some(({ severity, path, message }) => severity === 'error' && path.includes('chain[1].retries') && message.includes('11')), JSON.stringify(range.body));
  assert.equal((await put('bad', '{"chain": ')).status, 422);
  assert.equal((await put('bad', { chain: ['nobody/x'] })).status, 422);
  assert.equal((await put('bad', { chain: ['policy/not-there'] })).status, 422);
  assert.equal((await put('bad', { chain: ['policy/bad'] })).status, 422);
  assert.equal((await worker.admin('/policies/bad')).status, 404);
  const dry = await put('dry', { chain: ['acme/a'] }, '?dry_run=1');
  assert.equal(dry.status, 200);
  assert.equal((await worker.admin('/policies/dry')).status, 404);
  assert.ok([400, 422].includes((await put('-bad-name', { chain: ['acme/a'] })).status));
});

test('a write is tried out or it is not: what says neither is refused', async () => {
  const stored = { chain: ['acme/a'] };
  const put = (query, body = stored) => worker.admin(`/policies/tried${query}`, { method: 'PUT', body });
  for (const query of ['?dry_run', '?dry_run=', '?dry_run=yes', '?dry_run=1&dry_run=x']) await refused(await put(query), 400, 'invalid_parameter', 'dry_run');
  assert.equal((await worker.admin('/policies/tried')).status, 404);
  for (const query of ['', '?dry_run=0', '?dry_run=false']) assert.equal((await put(query)).status, 200);
  assert.equal((await put('?dry_run=true', { chain: ['acme/b'] })).status, 200);
  for (const query of ['?dry_run=1', '?dry_run']) await refused(await worker.admin(`/policies/tried${query}`, { method: 'DELETE' }), 400, 'invalid_parameter', 'dry_run');
  assert.deepEqual((await (await worker.admin('/policies/tried')).json()).document, stored);
});

test('providers, rules and models are put the same way', async () => {
  for (const [path, good, bad] of [
    ['/providers/fresh', upstream.provider('fresh'), { base_url: 'http://llm.example.com/v1', dialect: 'openai' }],
    ['/rules', { rules: {}, rulesets: [] }, { rules: {}, rulesets: [{ name: 'x', when: {}, rules: ['not-there'] }] }],
    ['/models', { 'acme/fast': { id: 'acme-fast' } }, { 'acme/fast': { idd: 'x' } }],
  ]) {
    const refusedPut = await said(await worker.admin(path, { method: 'PUT', body: bad }));
    assert.equal(refusedPut.status, 422, `${path} ${refusedPut.text}`);
    const put = await said(await worker.admin(path, { method: 'PUT', body: good }));
    assert.equal(put.status, 200, `${path} ${put.text}`);
    assert.equal((await worker.admin(path)).status, 200);
  }
  assert.equal((await worker.chat('fresh/m')).status, 200);
  assert.equal((await worker.admin('/models', { method: 'DELETE' })).status, 204);
});

test('a request in the ledger: every attempt and skip, exactly once', async () => {
  const p = await policy([status(429), status(500), answer('yes')], { workload: 'support', ...QUICK }, { hops: [{ retries: 1 }] });
  const response = await worker.chat(p.model, { metadata: { understudy: '{"user":"u-7","group":"g-7"}' } }, { 'x-understudy-request-id': 'ledger-1' });
  servedBy(response, p, 3, { attempts: 4 });
  const request = await worker.recorded('ledger-1');
  assert.equal(request.policy, p.name);
  assert.equal(request.outcome, 'ok');
  assert.equal(request.fallback, true);
  assert.deepEqual(request.attempts.map(({ model, outcome, status }) => [model, outcome, status]), [[p.targets[0], 'rate_limited', 429], [p.targets[0], 'rate_limited', 429], [p.targets[1], 'server_error', 500], [p.targets[2], 'ok', 200]]);
  const last = request.attempts.at(-1);
  assert.deepEqual([last.tokens.input, last.tokens.output], [9, 3]);
  assert.equal(last.key, 'managed');
  assert.ok(last.ms >= 0);
  const found = await (await worker.admin('/requests?user=u-7')).json();
  assert.equal(found.data.length, 1);
  assert.equal((await (await worker.admin(`/requests?policy=${p.name}&fallback=true`)).json()).data.length, 1);
});

test('a word that no filter knows is refused with those that it does: an empty list would say that nothing is there', async () => {
  for (const path of ['/requests', '/live']) {
    for (const [param, value, known] of [['class', 'rate_limitted', 'rate_limited'], ['class', 'Timeout', 'timeout'], ['class', 'skip:boundary', 'boundary'], ['mark', 'drills', 'drill'], ['fallback', 'perhaps', 'true']]) {
      const error = await refused(await worker.admin(`${path}?${param}=${encodeURIComponent(value)}`), 400, 'invalid_parameter', `${param}: "${value}" is`, known);
      assert.equal(error.param, param);
    }
  }
  const p = await policy([status(500), answer()], QUICK);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0], 'other/x', p.targets[1]], keep: ['provider'], ...QUICK });
  await worker.recorded((await worker.chat(p.model)).headers.get('x-understudy-request-id'));
  for (const [query, found] of [['class=ok', 1], ['class=server_error', 1], ['class=boundary', 1], ['class=timeout', 0], ['class=skipped', 0], ['class=', 1], ['mark=drill', 0], ['mark=', 1]]) {
    const { data } = await (await worker.admin(`/requests?policy=${p.name}&${query}`)).json();
    assert.equal(data.length, found, query);
  }
  for (const [path, param, value] of [['/analytics', 'bucket', 'week'], ['/analytics', 'bucket', 'Day'], ['/analytics', 'limit', '0'], ['/audit', 'limit', 'all'], ['/audit', 'before', '-1'], ['/policies', 'limit', '10001'], ['/policies', 'after', 'x'], ['/keys', 'limit', '0'], ['/requests', 'limit', '1e2']]) {
    assert.equal((await refused(await worker.admin(`${path}?${param}=${value}`), 400, 'invalid_parameter', param, `"${value}"`)).param, param, `${path} ${param}`);
  }
  const error = await refused(await worker.admin('/lint?prompt_tokens=many', { method: 'POST', body: { chain: ['acme/a'] } }), 400, 'invalid_parameter', '"many"', '0..=');
  assert.equal(error.param, 'prompt_tokens');
});

test('skips are recorded, marked as no call', async () => {
  const p = await policy([status(500), answer()], QUICK);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0], p.targets[1].replace('acme/', 'other/'), p.targets[1]], keep: ['provider'], ...QUICK });
  const response = await worker.chat(p.model);
  const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
  const skip = attempts.find((attempt) => attempt.call === false);
  assert.ok(skip, JSON.stringify(attempts));
  assert.match(JSON.stringify(skip), /boundary/);
});

test('failed requests are recorded too, refused ones are not', async () => {
  const p = await policy([status(401), status(403)], QUICK);
  const failed = await worker.chat(p.model, {}, { 'x-understudy-request-id': 'failed-1' });
  assert.equal(failed.status, 403);
  assert.notEqual((await worker.recorded('failed-1')).outcome, 'ok');
  await worker.chat('policy/unknown-one', {}, { 'x-understudy-request-id': 'refused-1' });
  // A row of it would have gone before that of a later request.
  await worker.chat(p.model, {}, { 'x-understudy-request-id': 'failed-2' });
  await worker.recorded('failed-2');
  assert.equal((await worker.admin('/requests/refused-1')).status, 404);
});

test('the ledger survives its objects being dropped, and the Worker being restarted', async () => {
  const p = await policy([answer()]);
  await worker.chat(p.model, {}, { 'x-understudy-request-id': 'kept-1' });
  await worker.recorded('kept-1');
  await worker.evict();
  assert.equal((await worker.recorded('kept-1')).outcome, 'ok');
  await worker.restart();
  assert.equal((await worker.recorded('kept-1')).outcome, 'ok');
  servedBy(await worker.chat(p.model), p, 1);
});

test('analytics add up', async () => {
  const p = await policy([[status(500), answer(), answer()], answer()], QUICK);
  for (let n = 0; n < 3; n++) await worker.chat(p.model, {}, { 'x-understudy-request-id': `sum-${n}` });
  for (let n = 0; n < 3; n++) await worker.recorded(`sum-${n}`);
  const { totals, targets, series } = await (await worker.admin(`/analytics?policy=${p.name}`)).json();
  assert.equal(totals.requests, 3);
  assert.equal(totals.succeeded, 3);
  assert.equal(totals.fallbacks, 1);
  assert.equal(totals.attempts, 4);
  assert.deepEqual(targets.find((target) => target.model === p.targets[0]).outcomes, { server_error: 1, ok: 2 });
  assert.ok(series.length >= 1);
  assert.equal((await worker.admin('/analytics?from=never')).status, 400);
  for (const range of ['from=0', 'from=0&bucket=minute', `from=0&to=${Date.UTC(2100, 0, 1)}`]) {
    const response = await worker.admin(`/analytics?policy=${p.name}&${range}`);
    const all = await response.json();
    assert.equal(response.status, 200, JSON.stringify(all));
    assert.deepEqual([all.totals.requests, all.bucket, all.series.reduce((sum, point) => sum + point.requests, 0)], [3, 'day', 3], range);
    assert.ok(all.series.length < 740, `${range}: ${all.series.length} points`);
  }
});

test('one log line for every move to another hop, with no secret in it', async () => {
  const p = await policy([status(503), status(401), answer()], QUICK);
  for (const id of ['logged-1', 'logged-2']) await worker.chat(p.model, {}, { 'x-understudy-request-id': id });
  await logged(worker, 'logged-2', 2);
  const lines = (await logged(worker, 'logged-1')).map((message) => JSON.parse(message));
  assert.deepEqual(lines.map(({ event }) => event), ['fallback', 'fallback'], JSON.stringify(lines, null, 1));
  assert.equal(lines[0].primary, p.targets[0]);
  assert.equal(lines[0].fallback, p.targets[1]);
  assert.equal(lines[0].status, 503);
  assert.equal(lines[1].fallback, p.targets[2]);
  assert.ok(!JSON.stringify(worker.logs).includes('managed-0123456789'));
});

test('lint, simulate, targets, openapi, metrics, schema', async () => {
  const lint = await (await worker.admin('/lint', { method: 'POST', body: { chain: [{ model: 'acme/a', retries: 2 }, 'acme/b'] } })).json();
  assert.equal(lint.worst_case.calls, 4);
  assert.ok(Array.isArray(lint.findings));
  await worker.put('policy:simulated', { chain: [{ model: 'acme/a', retries: 1 }, 'acme/b'] });
  const simulated = await (await worker.admin('/policies/simulated/simulate', { method: 'POST', body: [{ model: 'acme/a', outcomes: ['429', '429'] }] })).json();
  assert.equal(simulated.result, 'served');
  assert.equal(simulated.calls, 3);
  assert.equal(simulated.ms, 500);
  const policy = { chain: ['acme/a', 'claude/b', 'acme/c'], keep: ['family'] };
  const kept = await (await worker.admin('/policies/simulated/simulate', { method: 'POST', body: { policy, script: [{ model: 'acme/a', outcomes: ['404'] }] } })).json();
  assert.deepEqual(kept.steps.filter(({ step }) => step === 'skip').map(({ model, reason }) => [model, reason]), [['claude/b', 'boundary:family']]);
  assert.equal((await worker.admin('/targets')).status, 200);
  assert.ok((await (await worker.admin('/openapi.json')).json()).paths);
  assert.equal((await worker.admin('/metrics')).status, 200);
  for (const name of ['policy', 'rules', 'provider', 'key']) {
    const schema = await worker.fetch(`/schema/${name}.json`);
    assert.equal(schema.status, 200, name);
    assert.ok((await schema.json()).properties, name);
  }
});

test('what is misspelt in a simulation or a rollback is not taken for what is absent', async () => {
  const name = 'spelt';
  const put = async (document) => (await (await worker.admin(`/policies/${name}`, { method: 'PUT', body: document })).json()).version;
  const first = await put({ chain: ['acme/a'] });
  const second = await put({ chain: ['acme/b'] });
  const post = (what, body) => worker.admin(`/policies/${name}/${what}`, { method: 'POST', body });
  for (const [what, body, code, ...words] of [
    ['rollback', { versoin: first }, 'invalid_value', 'versoin', 'version'],
    ['rollback', { version: 7 }, 'invalid_value', 'version', '7 is not a string'],
    ['rollback', [first], 'invalid_json', 'object'],
    ['rollback', '"x"', 'invalid_json', 'object'],
    ['simulate', { scirpt: [{ model: '*', outcomes: ['500'] }] }, 'invalid_value', 'scirpt', 'script'],
    ['simulate', { script: [], consent: true }, 'invalid_value', 'consent', 'true is not "fallback"'],
    ['simulate', { script: {} }, 'invalid_value', 'script'],
    ['simulate', '7', 'invalid_value', 'script'],
  ]) {
    await refused(await post(what, body), 400, code, ...words);
  }
  assert.equal((await (await worker.admin(`/policies/${name}`)).json()).version, second, 'nothing was rolled back');
  const played = async (body) => (await (await post('simulate', body)).json()).steps.map(({ outcome }) => outcome)[0];
  for (const [body, outcome] of [[[{ model: '*', outcomes: ['500'] }], 'server_error'], [{ script: [{ model: '*', outcomes: ['500'] }] }, 'server_error'], [{}, 'ok'], ['', 'ok'], [{ consent: 'fallback' }, 'ok']]) assert.equal(await played(body), outcome, JSON.stringify(body));
  assert.equal((await (await post('rollback', '')).json()).version, first);
  for (const path of ['/policies/absent', '/policies/absent/versions', '/policies/absent/simulate', '/policies/absent/explain']) {
    const method = /simulate|explain/.test(path) ? 'POST' : 'GET';
    await refused(await worker.admin(path, method === 'POST' ? { method, body: path.endsWith('simulate') ? [] : { body: { messages: [] } } } : {}), 404, 'policy_not_found', '"absent"');
  }
});

test('a drill meets the outcome it names, with the admin token only', async () => {
  const p = await policy([answer('one'), answer('two')], QUICK);
  const drill = { 'x-understudy-drill': `${p.targets[0]}=overloaded` };
  const response = await worker.chat(p.model, {}, { ...drill, 'x-understudy-admin': ADMIN_TOKEN, 'x-understudy-request-id': 'drill-1' });
  servedBy(response, p, 2);
  assert.equal(p.calls(1).length, 0);
  // Statuses whose responses have no body, which the platform would not make of them.
  for (const code of ['204', '304']) {
    const none = await worker.chat(p.model, {}, { 'x-understudy-drill': `${p.targets[0]}=${code}`, 'x-understudy-admin': ADMIN_TOKEN });
    assert.match(none.headers.get('x-understudy-trail'), new RegExp(`=malformed;${code};`));
  }
  for (const wrong of [{}, { 'x-understudy-admin': 'not-it' }, { authorization: `Bearer ${ADMIN_TOKEN}` }]) {
    await refused(await worker.chat(p.model, {}, { ...drill, ...wrong }), 401, 'invalid_admin_token', 'x-understudy-admin');
  }
});
