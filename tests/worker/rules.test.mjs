// Rules and rulesets in KV, with the official SDKs unchanged but for `base_url`: which fallbacks a request gets, which policy
// takes its place, who is refused.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { refused, rig, servedBy } from './rig.mjs';
import { answer, openaiError, status } from './upstream.mjs';
import { payloads } from './worker.mjs';

const { worker, upstream, policy } = await rig();
const messages = [{ role: 'user', content: 'Hi' }];

// The names that the cookbook's rule is about, led to the scripted upstream.
await worker.put('provider:openai', upstream.provider('openai'));
await worker.put('provider:anthropic', upstream.provider('anthropic', { dialect: 'anthropic', auth: { header: 'x-api-key', secret: 'ACME_API_KEY' } }));

const CLAUDE = 'anthropic/claude-3-7-sonnet';
const GLOBAL_FALLBACK = {
  rules: { 'gpt-4o-to-claude': { description: 'Claude when GPT-4o is down', when: { model: 'openai/gpt-4o' }, then: { retries: 1, fallback: [{ model: CLAUDE, retries: 1 }] } } },
  rulesets: [{ name: 'everyone', description: '', when: { group: { exists: true } }, rules: ['gpt-4o-to-claude'] }],
};
const rules = (document) => worker.put('rules', document);
/** One rule in one ruleset. */
const rule = (when, then) => rules({ rules: { r: { when, then } }, rulesets: [{ name: 's', rules: ['r'] }] });
const ruled = (response) => response.headers.get('x-understudy-rule');
const attempts = (response) => Number(response.headers.get('x-understudy-attempts'));
const waystone = (said) => ({ metadata: { waystone: JSON.stringify(said) } });

afterEach(() => worker.remove('rules'));

test('a global fallback: responses.create with user and group as a JSON string, and no code for it in the application', async () => {
  await rules(GLOBAL_FALLBACK);
  upstream.on('openai/gpt-4o', status(503));
  upstream.on(CLAUDE, answer('Bonjour'));
  const ask = (more) => worker.openai().responses.create({ model: 'openai/gpt-4o', input: 'Your super special prompt', ...more }).withResponse();
  const { data, response } = await ask(waystone({ user: 'u1', group: 'g1' }));
  assert.equal(data.output_text, 'Bonjour');
  assert.equal(response.headers.get('x-understudy-model'), CLAUDE);
  assert.equal(ruled(response), 'everyone/gpt-4o-to-claude');
  assert.equal(response.headers.get('x-understudy-fallback'), 'true');
  assert.equal(attempts(response), 3);
  for (const call of [...upstream.calls('openai/gpt-4o'), ...upstream.calls(CLAUDE)]) assert.ok(!/waystone|"u1"|"g1"/.test(call.body), call.body);
  assert.equal(upstream.calls('openai/gpt-4o')[0].json.metadata, undefined);
  const record = await worker.recorded(response.headers.get('x-understudy-request-id'));
  assert.deepEqual([record.policy, record.user, record.group, record.attempts.length], ['rule/everyone/gpt-4o-to-claude', 'u1', 'g1', 3]);
  // Without a group the rule does not apply: the upstream's own error comes back.
  for (const more of [{}, waystone({ user: 'u1' }), { metadata: { other: 'x' } }]) {
    await assert.rejects(ask(more), (error) => error.status === 503 && error.headers.get('x-understudy-rule') === null && error.headers.get('x-understudy-attempts') === '1');
  }
  // Nor to another model.
  upstream.on('openai/gpt-4.1', status(503));
  await assert.rejects(worker.openai().responses.create({ model: 'openai/gpt-4.1', input: 'Hi', ...waystone({ group: 'g1' }) }), (error) => error.status === 503);
});

test('the same as a stream, on chat completions, by the bare name and by other metadata, and from Anthropic’s SDK', async () => {
  await rules(GLOBAL_FALLBACK);
  upstream.on('openai/gpt-4o', status(429, openaiError('slow down', 'requests', 'rate_limit_exceeded')));
  upstream.on(CLAUDE, answer(['Bon', 'jour']));
  let said = '';
  for await (const event of await worker.openai().responses.create({ model: 'gpt-4o', input: 'Hi', stream: true, ...waystone({ group: 'g1' }) })) if (event.type === 'response.output_text.delta') said += event.delta;
  assert.equal(said, 'Bonjour');
  for (const more of [waystone({ group: 'g' }), { metadata: { understudy: '{"group":"g"}' } }, { understudy: { metadata: { group: 'g' } } }, { requesty: { extra: { group: 'g' } } }, { metadata: { group: 'g' } }]) {
    const completion = await worker.openai().chat.completions.create({ model: 'openai:gpt-4o', messages, ...more });
    assert.equal(completion.choices[0].message.content, 'Bonjour', JSON.stringify(more));
  }
  const message = await worker.anthropic().messages.create({ model: 'gpt-4o', max_tokens: 9, messages }, { headers: { 'x-understudy': '{"metadata":{"group":"g"}}' } });
  assert.equal(message.content[0].text, 'Bonjour');
});

test('metadata of the client’s own stays; what was ours is gone', async () => {
  await rules(GLOBAL_FALLBACK);
  upstream.on('openai/whole', answer());
  const sent = async (more) => {
    const { response } = await worker.openai().responses.create({ model: 'whole', input: 'Hi', ...more }).withResponse();
    assert.equal(response.headers.get('x-understudy-fallback'), 'false');
    return upstream.calls('openai/whole').at(-1);
  };
  assert.deepEqual((await sent({ metadata: { waystone: '{"group":"g"}', order: '7' } })).json.metadata, { order: '7' });
  assert.ok(!('metadata' in (await sent({ metadata: { waystone: '{"group":"g"}' } })).json));
  assert.ok(!('metadata' in (await sent({ metadata: { waystone: '{"group":"g"}', understudy: '{"user":"u"}' } })).json));
  assert.deepEqual((await sent({ metadata: {} })).json.metadata, {});
  const all = await sent({ requesty: { user_id: 'u', trace_id: 't', tags: ['a'], extra: { country: 'ca' } }, understudy: { metadata: { user: 'v' } }, models: [CLAUDE] });
  for (const name of ['requesty', 'understudy', 'models', 'metadata']) assert.ok(!(name in all.json), name);
});

test('every kind of condition, on real requests', async () => {
  upstream.on('openai/gpt-4o', answer());
  const id = waystone({ user: 'u1', group: 'acme', plan: 'gold', seats: 12, tags: ['a', 'b-2'], address: { country: 'ca' } });
  const ask = (more = {}, headers = {}) => worker.chat('gpt-4o', { ...id, ...more }, { 'x-team': 'search', ...headers });
  for (const [when, expected] of [
    [{}, true],
    [{ model: 'gpt-4o' }, true], [{ model: 'openai:gpt-4o' }, true], [{ model: 'openai/*' }, true], [{ model: 'gpt-4?' }, true], [{ model: 'gpt-4' }, false], [{ model: 'anthropic/*' }, false],
    [{ route: 'chat' }, true], [{ route: 'responses' }, false], [{ stream: false }, true], [{ stream: true }, false],
    [{ user: 'u1', group: 'acme' }, true], [{ user: 'u1', group: 'other' }, false], [{ user: { in: ['u0', 'u1'] } }, true], [{ user: { ne: 'u1' } }, false], [{ key: { exists: false } }, true],
    [{ 'metadata.plan': 'g*' }, true], [{ 'metadata.seats': { gt: 11, lt: 13 } }, true], [{ 'metadata.seats': { gt: 12 } }, false], [{ 'metadata.seats': { eq: 12 } }, true], [{ 'metadata.tags': 'b-?' }, true], [{ 'metadata.address.country': 'ca' }, true], [{ 'metadata.missing': { exists: false } }, true],
    [{ 'header.X-Team': 'search' }, true], [{ 'header.x-other': { exists: true } }, false],
    [{ any: [{ user: 'x' }, { group: 'acme' }] }, true], [{ all: [{ user: 'u1' }, { group: 'x' }] }, false], [{ not: { group: 'x' } }, true], [{ not: { any: [{ user: 'u1' }] } }, false],
  ]) {
    await rule(when, {});
    const response = await ask();
    assert.equal(response.status, 200);
    assert.equal(ruled(response), expected ? 's/r' : null, JSON.stringify(when));
    await response.text();
  }
  await rule({ stream: true, route: 'chat' }, {});
  const streamed = await ask({ stream: true });
  assert.equal(ruled(streamed), 's/r');
  assert.equal(payloads(await streamed.text()).at(-1), '[DONE]');
});

test('the first rule of the first ruleset wins; one rule in many rulesets; a rule that nothing carries does nothing', async () => {
  upstream.on('openai/gpt-4o', status(500));
  upstream.on('acme/b', answer());
  await rules({
    rules: { exception: { when: { user: 'vip' }, then: {} }, second: { when: { model: 'gpt-4o' }, then: { fallback: ['acme/b'] } }, orphan: { then: { deny: 'never' } } },
    rulesets: [
      { name: 'gold', when: { 'metadata.plan': 'gold' }, rules: ['second'] },
      { name: 'rest', when: { group: { exists: true } }, rules: ['exception', 'second'] },
    ],
  });
  const ask = async (said) => ruled(await worker.chat('gpt-4o', waystone(said)));
  assert.equal(await ask({ group: 'g', plan: 'gold', user: 'vip' }), 'gold/second');
  assert.equal(await ask({ group: 'g', user: 'vip' }), 'rest/exception');
  assert.equal(await ask({ group: 'g' }), 'rest/second');
  assert.equal(await ask({}), null);
});

test('use and deny', async () => {
  const p = await policy([status(500), answer('from the policy')]);
  await rule({ model: 'openai/gpt-4o', group: 'beta' }, { use: p.model });
  const used = await worker.chat('gpt-4o', waystone({ group: 'beta' }));
  servedBy(used, p, 2);
  assert.match(used.headers.get('x-understudy-policy'), new RegExp(`^${p.name}@[0-9a-f]{8}$`));
  assert.equal(ruled(used), 's/r');
  await rule({ model: 'acme/lost' }, { use: 'policy/nothing-there' });
  const lost = await worker.chat('acme/lost');
  assert.equal(ruled(lost), 's/r', 'a refusal names the rule that led to it');
  await refused(lost, 404, 'policy_not_found', 'nothing-there');
  await rule({ model: 'policy/*', 'header.x-team': 'interns' }, { deny: 'Ask the platform team for access.' });
  const denied = await worker.chat(p.model, {}, { 'x-team': 'interns' });
  assert.equal(ruled(denied), 's/r');
  assert.equal(denied.headers.get('x-understudy-attempts'), '0');
  assert.equal(denied.headers.get('x-understudy-fallback'), 'false');
  const error = await refused(denied, 403, 'model_not_allowed');
  assert.equal(error.message, 'Ask the platform team for access.');
  servedBy(await worker.chat(p.model), p, 2);
  // What could not be asked for is no hop either, whoever named it.
  await rule({ model: p.targets[1] }, { deny: 'not this one' });
  const bound = await worker.chat(p.model);
  assert.equal(bound.status, 500);
  assert.match(bound.headers.get('x-understudy-trail'), /=skip:boundary/);
  const anthropic = await worker.post('/v1/messages', { model: p.targets[1], max_tokens: 9, messages });
  assert.equal(anthropic.status, 403);
  assert.deepEqual([(await anthropic.json()).error.type], ['permission_error']);
});

test('a rule changes clocks, verdicts, consent and boundaries of whatever it applies to', async () => {
  const p = await policy([[30_000], answer()]);
  await rule({ model: p.model }, { timeouts: { attempt_ms: 300 }, retries: 0 });
  servedBy(await worker.chat(p.model), p, 2);
  const q = await policy([status(401), answer()]);
  await rule({ model: q.model }, { on: { preset: 'strict' } });
  assert.equal((await worker.chat(q.model)).status, 401);
  await rule({ model: q.model }, { consent: 'ask' });
  const asked = await worker.chat(q.model);
  assert.equal(asked.headers.get('x-understudy-hint'), 'fallback needs consent');
  servedBy(await worker.chat(q.model, {}, { 'x-understudy-consent': 'fallback' }), q, 2);
  await rule({ model: q.targets[0] }, { fallback: ['other/o', q.targets[1]], keep: ['provider'] });
  const kept = await worker.chat(q.targets[0]);
  servedBy(kept, q, 2);
  assert.match(kept.headers.get('x-understudy-trail'), /other\/o=skip:boundary:provider/);
});

test('an edit applies to the next request; a bad one keeps the last good rules and says so', async () => {
  upstream.on('openai/gpt-4o', status(500));
  upstream.on('acme/b', answer());
  await rule({}, { fallback: ['acme/b'] });
  assert.equal((await worker.chat('gpt-4o')).status, 200);
  await worker.wrangler('kv', 'key', 'put', '--binding', 'POLICIES', 'rules', '{"rules": {"r": {"when": {"modle": "x"}, "then": {}}}}');
  const stale = await worker.chat('gpt-4o');
  assert.equal(stale.status, 200);
  assert.equal(stale.headers.get('x-understudy-policy-stale'), 'true');
  assert.equal(ruled(stale), 's/r');
  assert.ok(worker.logs.some(({ message }) => message.includes('document_invalid') && message.includes('modle')), JSON.stringify(worker.logs.slice(-3)));
  await rule({}, {});
  const mended = await worker.chat('gpt-4o');
  assert.equal(mended.status, 500);
  assert.equal(mended.headers.get('x-understudy-policy-stale'), null);
});

test('without a good copy nothing is served under half-understood rules; the message names field, value and expectation', async () => {
  const bad = async (document, ...saying) => {
    await worker.remove('rules');
    await (await worker.chat('acme/still-there')).text();
    await worker.put('rules', document);
    await refused(await worker.chat('acme/still-there'), 500, 'rules_invalid', ...saying);
    const put = await worker.admin('/rules', { method: 'PUT', body: document });
    const text = await put.text();
    assert.equal(put.status, 422, text);
    for (const words of saying) assert.ok(JSON.parse(text).error.message.includes(words), `${text} should say ${words}`);
  };
  await bad('{"rules": ', 'is not JSON');
  await bad({ rules: { r: { when: { modle: 'x' }, then: {} } } }, 'rules.r.when.modle', '"modle" is not one of model, route');
  await bad({ rules: { r: { when: { user: { like: 'x' } }, then: {} } } }, 'rules.r.when.user.like', 'one of exists, eq, ne, in, lt, gt');
  await bad({ rules: { r: { then: { retries: 11 } } } }, 'rules.r.then.retries: 11 is not in 0..=10');
  await bad({ rules: { r: { then: { use: 'policy/x', fallback: ['acme/b'] } } } }, 'rules.r.then.fallback', 'cannot stand beside use');
  await bad({ rulesets: [{ name: 's', rules: ['not-there'] }] }, 'rulesets[0].rules[0]: "not-there" names a rule that does not exist');
  await bad({ rules: {}, rulesets: [{ rules: [] }] }, 'rulesets[0].name: is missing');
  await worker.remove('rules');
  assert.equal((await worker.chat('acme/still-there')).status, 200);
});

test('what rules name must exist before they are stored', async () => {
  const put = async (then) => {
    const response = await worker.admin('/rules', { method: 'PUT', body: { rules: { r: { then } }, rulesets: [{ name: 's', rules: ['r'] }] } });
    return { status: response.status, body: await response.json() };
  };
  for (const [then, path] of [[{ fallback: ['nosuch/m'] }, 'rules.r.then.fallback[0].model'], [{ fallback: ['acme/m', 'policy/nothing'] }, 'rules.r.then.fallback[1].model'], [{ use: 'policy/nothing' }, 'rules.r.then.use']]) {
    const { status: code, body } = await put(then);
    assert.equal(code, 422, JSON.stringify(body));
    assert.ok(body.error.findings.some((finding) => finding.severity === 'error' && finding.path === path), JSON.stringify(body));
  }
  // What a rule alone leads to is a target in use, before anybody has met the rule.
  assert.equal((await put({ fallback: ['groq/never-asked'] })).status, 200);
  const { data } = await (await worker.admin('/targets')).json();
  assert.equal(data.find(({ model }) => model === 'groq/never-asked')?.missing, 'GROQ_API_KEY');
  const p = await policy([answer()]);
  assert.equal((await put({ use: p.model })).status, 200);
  servedBy(await worker.chat('gpt-4o'), p, 1);
  assert.equal((await worker.admin('/rules', { method: 'DELETE' })).status, 204);
});
