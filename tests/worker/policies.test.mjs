// Policies in KV: live edits, nesting, cycles, what is wrong and said how, and the last good copy that keeps serving.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUICK, outcomes, refused, rig, servedBy } from './rig.mjs';
import { answer, openaiError, status } from './upstream.mjs';

const { worker, upstream, policy } = await rig();

test('an edit by the wrangler CLI is used by the next request, while the Worker runs', async () => {
  const p = await policy([answer('one'), answer('two')]);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0]] });
  const before = await worker.chat(p.model);
  servedBy(before, p, 1);
  await worker.wrangler('kv', 'key', 'put', '--binding', 'POLICIES', `policy:${p.name}`, JSON.stringify({ chain: [p.targets[1]] }));
  const after = await worker.chat(p.model);
  assert.equal(after.headers.get('x-understudy-model'), p.targets[1]);
  assert.notEqual(after.headers.get('x-understudy-policy'), before.headers.get('x-understudy-policy'));
  await worker.wrangler('kv', 'key', 'put', '--binding', 'POLICIES', 'policy:brand-new', JSON.stringify({ chain: [p.targets[0]] }));
  assert.equal((await worker.chat('policy/brand-new')).status, 200);
});

test('nested policies expand in place', async () => {
  const inner = await policy([status(500), status(404)], QUICK, { hops: [{ retries: 1 }] });
  const outer = await policy([status(401), answer('last')]);
  await worker.put(`policy:${outer.name}`, { chain: [outer.targets[0], inner.model, outer.targets[1]] });
  const response = await worker.chat(outer.model);
  servedBy(response, outer, 2, { attempts: 5 });
  outcomes(response, 'auth', 'server_error', 'server_error', 'not_found', 'ok');
});

test('a nested policy keeps its own verdicts', async () => {
  const inner = await policy([status(401)], { on: { preset: 'strict' } });
  const outer = await policy([status(401), answer()], { on: { preset: 'resilient' } });
  await worker.put(`policy:${outer.name}`, { chain: [outer.targets[0], inner.model, outer.targets[1]] });
  const response = await worker.chat(outer.model);
  assert.equal(response.status, 401);
  outcomes(response, 'auth', 'auth');
});

test('strings, arrows and counts of retries are hops', async () => {
  const p = await policy([status(500), status(503), answer()], QUICK);
  await worker.put(`policy:${p.name}`, { chain: `${p.targets[0]} -> ${p.targets[1]} (1 retry) → ${p.targets[2]}`, ...QUICK });
  const response = await worker.chat(p.model);
  servedBy(response, p, 3, { attempts: 4 });
});

test('degraded hops say so', async () => {
  const p = await policy([status(500), answer(), answer()], QUICK, { hops: [undefined, { degraded: 'Answers are shorter today.' }] });
  const response = await worker.chat(p.model);
  servedBy(response, p, 2);
  assert.equal(response.headers.get('x-understudy-degraded'), 'true');
  assert.equal(response.headers.get('x-understudy-notice'), 'Answers are shorter today.');
  const whole = await policy([answer()], {}, { hops: [{ degraded: true }] });
  assert.equal((await worker.chat(whole.model)).headers.get('x-understudy-degraded'), 'true');
  const none = await policy([answer()]);
  assert.equal((await worker.chat(none.model)).headers.get('x-understudy-degraded'), null);
});

test('params set and remove fields of the client’s body', async () => {
  const p = await policy([answer()], {}, { hops: [{ params: { temperature: 0.5, top_p: null } }] });
  servedBy(await worker.chat(p.model, { temperature: 1, top_p: 0.9, seed: 3 }), p, 1);
  const { temperature, top_p, seed } = p.calls(1)[0].json;
  assert.deepEqual({ temperature, top_p, seed }, { temperature: 0.5, top_p: undefined, seed: 3 });
});

test('a hop whose params take away what its target lacks is called', async () => {
  const p = await policy([status(500), answer(), answer()], QUICK);
  await worker.put('models', { [p.targets[1]]: { supports: [] } });
  const asked = { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }], service_tier: 'flex' };
  const weaker = (params) => worker.put(`policy:${p.name}`, { chain: [p.targets[0], { model: p.targets[1], params }, p.targets[2].replace('acme/', 'other/')], ...QUICK });
  await weaker({ tools: null });
  servedBy(await worker.chat(p.model, asked), p, 2);
  assert.equal(p.calls(2)[0].json.tools, undefined);
  await weaker({ temperature: 1 });
  const skipped = await worker.chat(p.model, asked);
  outcomes(skipped, 'server_error', 'skip:incompatible', 'skip:incompatible');
  assert.match(skipped.headers.get('x-understudy-trail'), /skip:incompatible:tools, .*skip:incompatible:service_tier/);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0], { model: p.targets[2].replace('acme/', 'other/'), params: { service_tier: 'auto' } }], ...QUICK });
  upstream.on(p.targets[2].replace('acme/', 'other/'), answer());
  assert.equal((await worker.chat(p.model, asked)).headers.get('x-understudy-model'), p.targets[2].replace('acme/', 'other/'));
  await worker.remove('models');
});

test('load balance: drawn by weight, sticky by user, the rest follow', async () => {
  const p = await policy([answer(), answer(), answer()], { type: 'load_balance' }, { hops: [{ weight: 1 }, { weight: 1 }, { weight: 0 }] });
  for (let n = 0; n < 40; n++) assert.equal((await worker.chat(p.model)).headers.get('x-understudy-fallback'), 'false');
  const [first, second, third] = [1, 2, 3].map((place) => p.calls(place).length);
  assert.equal(first + second, 40);
  assert.ok(first >= 5 && second >= 5, `${first} and ${second} of 40`);
  assert.equal(third, 0);
  const users = new Set();
  for (let n = 0; n < 8; n++) users.add((await worker.chat(p.model, { user: 'alice' })).headers.get('x-understudy-model'));
  assert.equal(users.size, 1);
  const failing = await policy([status(500), answer()], { type: 'load_balance', ...QUICK }, { hops: [{ weight: 1 }, { weight: 0 }] });
  servedBy(await worker.chat(failing.model), failing, 2);
});

test('consent: ask leaves the first hop only when the request allows it', async () => {
  const p = await policy([status(500, openaiError('first broke', 'server_error', null)), answer()], { consent: 'ask', ...QUICK });
  const without = await worker.chat(p.model);
  assert.equal(without.status, 500);
  assert.equal(without.headers.get('x-understudy-hint'), 'fallback needs consent');
  assert.match((await without.json()).error.message, /first broke/);
  servedBy(await worker.chat(p.model, {}, { 'x-understudy-consent': 'fallback' }), p, 2);
  const never = await policy([status(500), answer()], { consent: 'never', ...QUICK });
  const answered = await worker.chat(never.model, {}, { 'x-understudy-consent': 'fallback' });
  assert.equal(answered.status, 500);
  outcomes(answered, 'server_error', 'skip:consent');
  const asked = await policy([status(500), answer()], QUICK);
  assert.equal((await worker.chat(asked.model, {}, { 'x-understudy-no-fallback': 'true' })).status, 500);
});

test('keep: a hop that would cross the boundary is skipped', async () => {
  const p = await policy([status(500), answer(), answer()], QUICK);
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0], p.targets[1].replace('acme/', 'other/'), p.targets[2]], keep: ['provider'], ...QUICK });
  const response = await worker.chat(p.model);
  servedBy(response, p, 3);
  outcomes(response, 'server_error', 'skip:boundary', 'ok');
});

test('a provider without its secret is skipped, with the secret named when nothing else is left', async () => {
  await worker.put('provider:keyless', upstream.provider('keyless', { auth: { header: 'authorization', scheme: 'Bearer', secret: 'KEYLESS_API_KEY' } }));
  const p = await policy([answer(), answer()]);
  await worker.put(`policy:${p.name}`, { chain: ['keyless/m', p.targets[1]] });
  const response = await worker.chat(p.model);
  servedBy(response, p, 2, { attempts: 1 });
  outcomes(response, 'skip:no_key', 'ok');
  await worker.put(`policy:${p.name}`, { chain: ['keyless/m'] });
  await refused(await worker.chat(p.model), 503, 'provider_key_missing', 'KEYLESS_API_KEY');
});

test('a hop whose provider lacks a variable of its address is passed over: nothing is called, nothing tried again', async () => {
  const azure = await rig({ secrets: { AZURE_API_KEY: 'azure-key' } });
  const p = await azure.policy([answer()]);
  await azure.worker.put(`policy:${p.name}`, { chain: [{ model: 'azure/gpt-4o', retries: 3 }, p.targets[0]] });
  const response = await azure.worker.chat(p.model);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-understudy-attempts'), '1');
  outcomes(response, 'skip:no_key', 'ok');
  await refused(await azure.worker.chat('azure/gpt-4o@swedencentral'), 503, 'provider_key_missing', 'variable AZURE_RESOURCE_NAME_SWEDENCENTRAL');
  await refused(await azure.worker.chat('azure/gpt-4o', {}, { 'x-understudy-key-azure': 'my-own-key' }), 503, 'provider_key_missing', 'variable AZURE_RESOURCE_NAME');
  const { data } = await (await azure.worker.admin('/providers')).json();
  const { configured, missing } = data.find(({ name }) => name === 'azure');
  assert.deepEqual({ configured, missing }, { configured: false, missing: 'AZURE_RESOURCE_NAME' });
  const { findings } = await (await azure.worker.admin('/lint', { method: 'POST', body: { chain: ['azure/gpt-4o'] } })).json();
  assert.ok(findings.some(({ severity, message }) => severity === 'warning' && message.includes('AZURE_RESOURCE_NAME')), JSON.stringify(findings));
});

test('lint tells of what a bare model’s provider lacks, and plays with what it is', async () => {
  const post = async (path, body) => (await worker.admin(path, { method: 'POST', body })).json();
  const { findings } = await post('/lint', { chain: ['gpt-4o', 'openai/gpt-4o-mini'] });
  const missing = findings.filter(({ severity, message }) => severity === 'warning' && message.includes('OPENAI_API_KEY is not set'));
  assert.deepEqual(missing.map(({ path }) => path), ['chain[0]', 'chain[1]'], JSON.stringify(findings));
  const keeping = { chain: ['gpt-4o', 'acme/m'], keep: ['family'] };
  assert.ok(!(await post('/lint', keeping)).findings.some(({ message }) => message.includes('never reached')));
  const { steps } = await post('/policies/any/simulate', { policy: keeping, script: [{ model: 'gpt-4o', outcomes: ['404'] }] });
  assert.deepEqual(steps.map(({ step, model }) => [step, model]).slice(0, 2), [['call', 'openai/gpt-4o'], ['call', 'acme/m']]);
});

test('a provider document that does not parse is an error of what leads there, in policies and in rules', async () => {
  await worker.put('provider:torn', '{"base_url": ');
  const put = async (path, body) => {
    const response = await worker.admin(path, { method: 'PUT', body });
    return { status: response.status, ...(await response.json()) };
  };
  const policed = await put('/policies/leads-there', { chain: ['acme/m', 'torn/m'] });
  assert.equal(policed.status, 422, JSON.stringify(policed));
  assert.ok(policed.error.findings.some(({ severity, path, message }) => severity === 'error' && path === 'chain[1].model' && message.includes('"torn"')), JSON.stringify(policed));
  const ruled = await put('/rules', { rules: { r: { then: { fallback: ['torn/m'] } } }, rulesets: [{ name: 's', rules: ['r'] }] });
  assert.equal(ruled.status, 422, JSON.stringify(ruled));
  assert.match(ruled.error.message, /"torn"/);
});

test('a key that stands where a document names its secret is in no answer and in no log line', async () => {
  for (const key of ['sk-live-0123456789abcdef', '0a1b2c3d4e5f60718293a4b5c6d7e8f9']) {
    const document = { base_url: 'https://llm.example.com/v1', dialect: 'openai', auth: { secret: key } };
    const put = await worker.admin('/providers/leaky', { method: 'PUT', body: document });
    assert.equal(put.status, 422);
    await worker.put('provider:leaky', document);
    const asked = await worker.chat('leaky/m');
    assert.equal(asked.status, 500);
    const named = await worker.admin(`/policies/leads/simulate`, { method: 'POST', body: { script: [{ model: 'x', outcomes: [`us-${'k'.repeat(40)}`] }] } });
    assert.equal(named.status, 400);
    const said = [await put.text(), await asked.text(), await named.text(), ...worker.logs.map(({ message }) => message)].join('\n');
    assert.ok(!said.includes(key.slice(0, 16)) && !said.includes('kkkkkkkk'), said.slice(-2000));
    await worker.remove('provider:leaky');
    await (await worker.chat('leaky/m')).text();
  }
});

test('a provider is stored with a warning where its secret is not set', async () => {
  const put = async (secret) => {
    const document = { base_url: 'https://llm.example.com/v1', dialect: 'openai', auth: { header: 'authorization', scheme: 'Bearer', secret } };
    const response = await worker.admin('/providers/warned', { method: 'PUT', body: document });
    assert.equal(response.status, 200);
    return (await response.json()).findings.map(({ severity, path, hint }) => [severity, path, hint]);
  };
  assert.deepEqual(await put('WARNED_API_KEY'), [['warning', 'auth.secret', 'npx wrangler secret put WARNED_API_KEY']]);
  assert.deepEqual(await put('ACME_API_KEY'), []);
  assert.equal((await worker.admin('/providers/warned', { method: 'DELETE' })).status, 204);
});

test('the breaker: after five failures the first target is passed over', async () => {
  const p = await policy([status(500), answer()], QUICK);
  for (let n = 0; n < 5; n++) servedBy(await worker.chat(p.model), p, 2);
  const response = await worker.chat(p.model);
  servedBy(response, p, 2, { attempts: 1 });
  outcomes(response, 'skip:breaker_open', 'ok');
  assert.equal(p.calls(1).length, 5);
  const off = await policy([status(500), answer()], { breaker: null, ...QUICK });
  for (let n = 0; n < 7; n++) servedBy(await worker.chat(off.model), off, 2, { attempts: 2 });
});

test('a hop behind an open breaker is tried after all when nothing else is left', async () => {
  const p = await policy([[...Array(5).fill(status(500)), answer()]], QUICK);
  for (let n = 0; n < 5; n++) assert.equal((await worker.chat(p.model)).status, 500);
  servedBy(await worker.chat(p.model), p, 1, { attempts: 1 });
});

test('an unknown policy, and the nearest name', async () => {
  await worker.put('policy:sonnet-eu', { chain: ['acme/m'] });
  await refused(await worker.chat('policy/zzzzzz'), 404, 'policy_not_found', 'zzzzzz');
  await refused(await worker.chat('policy/sonet-eu'), 404, 'policy_not_found', 'sonnet-eu');
  await refused(await worker.chat('policy/Sonnet-EU'), 404, 'policy_not_found', 'sonnet-eu');
});

test('a policy that does not parse says where, what and what was expected', async () => {
  const bad = async (document, ...saying) => {
    const name = `bad-${Math.random().toString(36).slice(2)}`;
    await worker.put(`policy:${name}`, document);
    await refused(await worker.chat(`policy/${name}`), 500, 'policy_invalid', `policy "${name}"`, ...saying);
  };
  await bad({ chain: ['acme/a', { model: 'acme/b', retries: 11 }] }, 'chain[1].retries: 11 is not in 0..=10');
  await bad('{"chain": [', /line|column|EOF|JSON|end/i);
  await bad('[]');
  await bad({}, 'chain');
  await bad({ chain: [] }, 'chain');
  await bad({ chain: Array(17).fill('acme/a') }, 'chain', '16');
  await bad({ chain: ['acme/a'], dead_line: 3 }, 'dead_line');
  await bad({ chain: ['acme/a'], deadline_ms: 0 }, 'deadline_ms', '0', '3600000');
  await bad({ chain: ['acme/a'], deadline_ms: 'soon' }, 'deadline_ms', 'soon');
  await bad({ chain: ['acme/a'], backoff: { jitter: 0.6 } }, 'backoff.jitter', '0.6');
  await bad({ chain: ['acme/a'], on: { overloaded: 'explode' } }, 'on.overloaded', 'explode');
  await bad({ chain: ['acme/a'], stream: { commit: 'never' } }, 'stream.commit', 'never');
  await bad({ chain: [{ model: 'policy/x', retries: 1 }] }, 'chain[0].retries');
});

test('a cycle is named', async () => {
  await worker.put('policy:ring-a', { chain: ['acme/m', 'policy/ring-b'] });
  await worker.put('policy:ring-b', { chain: ['policy/ring-a'] });
  await refused(await worker.chat('policy/ring-a'), 500, 'policy_invalid', 'ring-a', 'ring-b', /cycle|itself|loop/i);
});

test('the last good copy keeps serving while a bad edit stands', async () => {
  const p = await policy([answer()]);
  const good = await worker.chat(p.model);
  servedBy(good, p, 1);
  await worker.put(`policy:${p.name}`, '{"chain": 7}');
  const stale = await worker.chat(p.model);
  servedBy(stale, p, 1);
  assert.equal(stale.headers.get('x-understudy-policy-stale'), 'true');
  assert.equal(stale.headers.get('x-understudy-policy'), good.headers.get('x-understudy-policy'));
  const brought = await worker.chat('acme/not-there', { models: [p.model] });
  assert.equal(brought.headers.get('x-understudy-policy-stale'), 'true', 'also where the request brings it');
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0]], description: 'mended' });
  const mended = await worker.chat(p.model);
  assert.equal(mended.headers.get('x-understudy-policy-stale'), null);
});

test('the last good copy keeps serving while an edit stands that parses and leads nowhere', async () => {
  const p = await policy([answer()]);
  await worker.put('policy:ring', { chain: [p.model] });
  const good = await worker.chat(p.model);
  for (const bad of [{ chain: ['nowhere/m'] }, { chain: ['policy/missing'] }, { chain: [p.targets[0], 'policy/ring'] }]) {
    await worker.put(`policy:${p.name}`, bad);
    for (let n = 0; n < 2; n++) {
      const stale = await worker.chat(p.model);
      servedBy(stale, p, 1);
      assert.equal(stale.headers.get('x-understudy-policy-stale'), 'true', JSON.stringify(bad));
      assert.equal(stale.headers.get('x-understudy-policy'), good.headers.get('x-understudy-policy'));
    }
  }
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0]], description: 'mended' });
  assert.equal((await worker.chat(p.model)).headers.get('x-understudy-policy-stale'), null);
  await worker.put('policy:never-good', { chain: ['nowhere/m'] });
  await refused(await worker.chat('policy/never-good'), 500, 'policy_invalid', 'nowhere');
});

test('an error speaks of the document that is stored, not of one before it that led nowhere either', async () => {
  await worker.put('policy:twice-bad', { chain: ['Acme/x'] });
  await refused(await worker.chat('policy/twice-bad'), 500, 'policy_invalid', 'Acme');
  await worker.put('policy:twice-bad', { chain: ['acme/m'], retries: 3 });
  await refused(await worker.chat('policy/twice-bad'), 500, 'policy_invalid', '"retries" is not a field');
});

test('a refusal says as well that a bad edit stands, and under which policy it was refused', async () => {
  const p = await policy([answer()]);
  await worker.put('rules', { rules: { r: { when: { model: p.model, user: 'intern' }, then: { deny: 'Not for you.' } } }, rulesets: [{ name: 's', rules: ['r'] }] });
  assert.equal((await worker.chat(p.model, { user: 'intern' })).headers.get('x-understudy-policy-stale'), null);
  const wide = await policy(Array(16).fill(answer()));
  const many = { understudy: { fallback: [wide.model, wide.model] } };
  const good = await worker.chat(p.model, many);
  assert.equal(good.headers.get('x-understudy-policy-stale'), null);
  assert.match(good.headers.get('x-understudy-policy'), new RegExp(`^${p.name}@[0-9a-f]{8}$`), 'more than 32 targets under it');
  await refused(good, 400, 'invalid_value', '32 targets');
  await worker.put('rules', '{"rules": 7}');
  const denied = await worker.chat(p.model, { user: 'intern' });
  assert.deepEqual([denied.status, denied.headers.get('x-understudy-policy-stale'), denied.headers.get('x-understudy-rule')], [403, 'true', 's/r']);
  const unknown = await worker.chat('policy/zzzzzz');
  assert.deepEqual([unknown.status, unknown.headers.get('x-understudy-policy-stale')], [404, 'true']);
  await worker.remove('rules');
  assert.equal((await worker.chat('policy/zzzzzz')).headers.get('x-understudy-policy-stale'), null);
});

test('provider documents: hosts that are refused, documents that do not parse', async () => {
  const refusedProvider = async (name, document, ...saying) => {
    await worker.put(`provider:${name}`, document);
    await refused(await worker.chat(`${name}/m`), 500, 'provider_invalid', name, ...saying);
  };
  await refusedProvider('plain-http', { base_url: 'http://llm.example.com/v1', dialect: 'openai' }, 'base_url');
  await refusedProvider('inside', { base_url: 'https://10.0.0.8/v1', dialect: 'openai' }, 'base_url');
  await refusedProvider('metadata', { base_url: 'https://169.254.169.254/v1', dialect: 'openai' }, 'base_url');
  await refusedProvider('login', { base_url: 'https://user:pass@llm.example.com/v1', dialect: 'openai' }, 'base_url');
  await refusedProvider('greedy', { base_url: 'https://llm.example.com/v1', dialect: 'openai', auth: { header: 'authorization', scheme: 'Bearer', secret: 'ADMIN_TOKEN' } }, 'secret');
  await refusedProvider('hopper', { base_url: 'https://llm.example.com/v1', dialect: 'openai', headers: { host: 'x' } }, 'host');
  await refusedProvider('unknown-field', { base_url: 'https://llm.example.com/v1', dialect: 'openai', basurl: 1 }, 'basurl');
  await refused(await worker.chat('nobody/m'), 400, 'unknown_provider', 'nobody');
});

test('a catalogue entry gives a model its upstream name', async () => {
  await worker.put('models', { 'acme/fast': { id: 'acme-fast-2026-01' } });
  upstream.on('acme/acme-fast-2026-01', answer('quick'));
  const response = await worker.chat('acme/fast');
  assert.equal(response.headers.get('x-understudy-model'), 'acme/fast');
  assert.equal(upstream.calls('acme/acme-fast-2026-01').length, 1);
  await worker.remove('models');
});
