// What an operator tries out and looks at: explain and compare, and what they leave behind; targets that cannot be called.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUICK, refused, rig } from './rig.mjs';
import { answer, status } from './upstream.mjs';
import { startWorker, unique } from './worker.mjs';

const MANAGED = 'sk-acme-managed-0123456789';
const { worker, upstream, policy } = await rig();

const messages = [{ role: 'user', content: 'Hi' }];
const tried = (name, what, body) => worker.admin(`/policies/${name}/${what}`, { method: 'POST', body });
const read = async (response) => {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
};

test('explain shows no key, wherever one stands, and what it shows stays JSON', async () => {
  const name = unique('shown');
  await worker.put('provider:leaky', upstream.provider('leaky', { headers: { 'x-extra': 'Bearer abcdefgh12345', 'x-k': 'sk-livekey1234567890', 'x-team': 'a' } }));
  await worker.put(`policy:${name}`, { chain: [{ model: 'leaky/m', params: { note: 'sk-livekey1234567890' } }] });
  const said = [{ role: 'user', content: `mine is ${MANAGED}` }];
  const { hops } = await read(await tried(name, 'explain', { body: { messages: said, seed: 7 } }));
  const { headers, body } = hops[0].request;
  assert.ok(!/livekey|abcdefgh12345|managed-0123/.test(JSON.stringify(hops)), JSON.stringify(hops));
  assert.deepEqual([headers['x-extra'], headers['x-k'], headers['x-team']], ['Bearer [redacted]', '[redacted]', 'a']);
  assert.deepEqual([body.note, body.model, body.seed, body.messages[0].content], ['[redacted]', 'm', 7, 'mine is [redacted]']);
  // In an address and a model's name, too, where these are shown and where a comparison is recorded.
  const addressed = unique('addressed');
  await worker.put('provider:pathed', { ...upstream.provider('pathed'), base_url: 'http://127.0.0.1:9/sk-inpathkey1234567/v1' });
  await worker.put(`policy:${addressed}`, { chain: ['pathed/sk-modelkey12345678'], timeouts: { attempt_ms: 2000 } });
  const { hops: [hop] } = await read(await tried(addressed, 'explain', { body: { messages } }));
  assert.deepEqual([hop.model, new URL(hop.request.url).pathname.split('/')[1]], ['pathed/[redacted]', '[redacted]']);
  const { data: [compared] } = await read(await tried(addressed, 'compare', { body: { messages } }));
  assert.equal(compared.model, 'pathed/[redacted]');
  // Masked as a text of its own, never in the JSON around it.
  const odd = await startWorker({ secrets: { ACME_API_KEY: 'model' } });
  await odd.put('provider:acme', upstream.provider('acme'));
  await odd.put('policy:odd', { chain: ['acme/m'] });
  const explained = await read(await odd.admin('/policies/odd/explain', { method: 'POST', body: { body: { messages } } }));
  assert.deepEqual(explained.hops[0].request.body, { messages, model: 'm' });
  await odd.close();
});

test('compare asks hops whose breaker is open, and its row says of which version and for whom', async () => {
  const p = await policy([[status(500), answer('back')], answer('other')], { breaker: { failures: 1, window_ms: 60_000 }, ...QUICK });
  await worker.chat(p.model);
  assert.match((await worker.chat(p.model)).headers.get('x-understudy-trail'), /skip:breaker_open/);
  const metadata = { understudy: JSON.stringify({ user: 'u-7', group: 'acme' }) };
  const { data } = await read(await tried(p.name, 'compare', { body: { messages, metadata } }));
  assert.deepEqual(data.map(({ text, outcome, reason }) => [text, outcome, reason]), [['back', 'ok', null], ['other', 'ok', null]]);
  const { data: [row] } = await read(await worker.admin(`/requests?policy=${p.name}&mark=compare`));
  assert.deepEqual([row.user, row.group], ['u-7', 'acme']);
  const { version } = await read(await worker.admin(`/policies/${p.name}`));
  assert.equal(row.version, version);
});

test('what a trial does not know is refused by its name', async () => {
  const p = await policy([answer()]);
  for (const what of ['explain', 'compare']) {
    const error = await refused(await tried(p.name, what, { routes: 'chat', body: { messages } }), 400, 'invalid_value', 'routes', 'route, body, headers');
    assert.equal(error.param, 'routes');
    for (const name of ['absent', 'no%20name']) await refused(await tried(name, what, { body: { messages } }), 404, 'policy_not_found');
  }
  await refused(await tried(p.name, 'simulate', [{ model: '*', outcome: '500' }]), 400, 'invalid_value', 'script[0].outcome');
});

test('a comparison’s row has the status that goes with its outcome', async () => {
  for (const [behaviours, outcome, code] of [[[status(503), status(429)], 'overloaded', 503], [[status(503), answer()], 'ok', 200]]) {
    const p = await policy(behaviours);
    await read(await tried(p.name, 'compare', { body: { messages } }));
    const { data } = await read(await worker.admin(`/requests?mark=compare&policy=${p.name}`));
    assert.deepEqual(data.map((row) => [row.outcome, row.status]), [[outcome, code]]);
  }
});

test('a target at a provider that is not there is in the list, and so are those beside it', async () => {
  const name = unique('half');
  await worker.put(`policy:${name}`, { chain: [`acme/${name}`, `gone/${name}`, 'policy/nowhere'] });
  const { data } = await read(await worker.admin('/targets'));
  const of = (model) => data.find((line) => line.model === model);
  assert.deepEqual([of(`acme/${name}`)?.configured, of(`acme/${name}`)?.policies], [true, [name]]);
  assert.deepEqual([of(`gone/${name}`)?.configured, of(`gone/${name}`)?.policies], [false, [name]]);
});

test('provider sim is configured where it answers, and nowhere else', async () => {
  const document = { chain: ['sim/echo'] };
  const seen = async (asked) => {
    await asked.put('policy:simulated', document);
    const { data } = await read(await asked.admin('/targets'));
    const target = data.find(({ model }) => model === 'sim/echo');
    const provider = await read(await asked.admin('/providers/sim'));
    const { findings } = await read(await asked.admin('/lint', { method: 'POST', body: document }));
    const { status } = await asked.chat('policy/simulated');
    return [target.configured, target.missing, provider.configured, provider.missing, findings.map(({ severity }) => severity), status];
  };
  assert.deepEqual(await seen(worker), [true, null, true, null, [], 200]);
  const off = await startWorker({ vars: { SIM: undefined } });
  assert.deepEqual(await seen(off), [false, 'SIM=on', false, 'SIM=on', ['warning'], 503]);
  const { data } = await read(await off.fetch('/v1/models'));
  assert.ok(data.every(({ id }) => !id.startsWith('sim/')), JSON.stringify(data));
  await off.close();
});

test('rules that are stored come with advice', async () => {
  const rules = { rules: { idle: { when: {}, then: { deny: 'no' } }, used: { when: { user: 'nobody' }, then: { fallback: ['anthropic/claude-3-7-sonnet'] } } }, rulesets: [{ name: 'all', rules: ['used'] }] };
  const { findings } = await read(await worker.admin('/rules', { method: 'PUT', body: rules }));
  assert.deepEqual(findings.map(({ severity, path }) => [severity, path]), [['info', 'rules.idle'], ['warning', 'rules.used.then.fallback[0].model']]);
  assert.equal((await worker.admin('/rules', { method: 'DELETE' })).status, 204);
});

test('when a key was made is not changed', async () => {
  const { id, created_at } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'web' } })).json();
  const changed = await read(await worker.admin(`/keys/${id}`, { method: 'PATCH', body: { created_at: 'yesterday', group: 'acme' } }));
  assert.deepEqual([changed.created_at, changed.group], [created_at, 'acme']);
});

test('a policy that does not parse is refused with what its hops lead to as well', async () => {
  const document = { chain: ['policy/nope', 'nope/m', { model: 'acme/m', retries: 11, weight: 1001 }], deadline_ms: 0, foo: 1 };
  const response = await worker.admin('/policies/wrong', { method: 'PUT', body: document });
  assert.equal(response.status, 422);
  const { findings } = (await response.json()).error;
  assert.deepEqual(findings.map(({ path }) => path).sort(), ['chain[0].model', 'chain[1].model', 'chain[2].retries', 'chain[2].weight', 'deadline_ms', 'foo']);
  const linted = await read(await worker.admin('/lint', { method: 'POST', body: document }));
  assert.deepEqual(linted.findings, findings);
});
