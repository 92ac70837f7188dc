// The ledger against the upstream's own log, two isolates' worth of faults, and what the admin API says of documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUICK, refused, rig } from './rig.mjs';
import { answer, json, status } from './upstream.mjs';
import { sleep, unique } from './worker.mjs';

const { worker, upstream, policy } = await rig({ secrets: { ADMIN_TOKENS: 'alice:alice-token,bob:bob-token', KEK: Buffer.alloc(32, 7).toString('base64') } });

const read = async (path, init) => {
  const response = await worker.admin(path, init);
  const text = await response.text();
  return { status: response.status, etag: response.headers.get('etag'), body: text && response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text };
};

/** A small generator, so that a failure can be run again. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * sides);
  };
}

test('counts equal the upstream’s own log, attempt by attempt', async () => {
  const roll = dice(20261121);
  const faults = [() => answer(), () => status(429), () => status(500), () => status(503), () => status(401)];
  const scripts = [0, 1, 2].map(() => Array.from({ length: 400 }, () => faults[roll(faults.length)]()));
  const p = await policy(scripts, { ...QUICK, breaker: null }, { hops: [{ retries: 1 }, { retries: 1 }] });
  const n = 120;
  const sent = [];
  for (let from = 0; from < n; from += 20) {
    const wave = Array.from({ length: 20 }, (_, i) => worker.chat(p.model, {}, { 'x-understudy-request-id': `${p.name}-${from + i}` }));
    sent.push(...(await Promise.all(wave)));
  }
  const calls = p.targets.map((_, index) => p.calls(index + 1).length);
  const { totals, targets, series } = (await read(`/analytics?policy=${p.name}`)).body;
  assert.equal(totals.requests, n);
  assert.equal(totals.attempts, calls.reduce((a, b) => a + b, 0));
  assert.equal(totals.succeeded, sent.filter(({ status }) => status === 200).length);
  assert.equal(totals.fallbacks, sent.filter(({ headers }) => headers.get('x-understudy-fallback') === 'true').length);
  assert.equal(series.reduce((sum, point) => sum + point.requests, 0), n);
  p.targets.forEach((model, index) => {
    const counted = targets.find((target) => target.model === model);
    assert.equal(counted?.attempts ?? 0, calls[index], model);
    assert.equal(Object.values(counted?.outcomes ?? {}).reduce((a, b) => a + b, 0), calls[index], model);
  });
  const seen = new Map();
  for (let before = ''; before !== null; ) {
    const page = (await read(`/requests?policy=${p.name}&limit=50${before && `&before=${before}`}`)).body;
    for (const row of page.data) {
      assert.ok(!seen.has(row.id), `${row.id} is listed twice`);
      seen.set(row.id, row);
    }
    before = page.next;
  }
  assert.equal(seen.size, n);
  for (const response of sent) {
    const row = seen.get(response.headers.get('x-understudy-request-id'));
    assert.equal(row.attempts.filter(({ call }) => call).length, Number(response.headers.get('x-understudy-attempts')), row.id);
    assert.equal(row.status, response.status, row.id);
  }
  const metrics = (await read('/metrics')).body;
  const sample = (labels) => Number(metrics.split('\n').find((line) => line.startsWith(`understudy_attempts_total{${labels}}`))?.split(' ')[1] ?? 0);
  const first = targets.find((target) => target.model === p.targets[0]);
  for (const [outcome, count] of Object.entries(first.outcomes)) {
    assert.equal(sample(`policy="${p.name}",target="${p.targets[0]}",class="${outcome}"`), count, outcome);
  }
  assert.match(metrics, /^understudy_ledger_lost_total 0$/m);
  assert.match(metrics, /^understudy_ledger_dropped_total 0$/m);
});

test('a row is readable within 2 s, with nobody asking in between', async () => {
  const p = await policy([answer()]);
  await worker.chat(p.model, {}, { 'x-understudy-request-id': `${p.name}-quiet` });
  await sleep(2000);
  assert.equal((await read(`/requests/${p.name}-quiet`)).status, 200);
});

test('filters, and the same request id twice', async () => {
  const p = await policy([status(500), answer()], QUICK);
  const id = `${p.name}-twice`;
  await worker.chat(p.model, {}, { 'x-understudy-request-id': id });
  await worker.chat(p.model, {}, { 'x-understudy-request-id': id });
  const found = (await read(`/requests/${id}`)).body;
  assert.equal(found.others.length, 1);
  assert.ok(found.ledger_id > found.others[0].ledger_id);
  assert.equal((await read(`/requests/${found.others[0].ledger_id}`)).body.others.length, 0);
  const listed = async (query) => (await read(`/requests?policy=${p.name}&${query}`)).body.data.length;
  assert.equal(await listed(`target=${encodeURIComponent(p.targets[0])}`), 2);
  assert.equal(await listed(`target=${encodeURIComponent(p.targets[0])}&class=ok`), 0);
  assert.equal(await listed('class=server_error'), 2);
  assert.equal(await listed('fallback=false'), 0);
  assert.equal((await read('/requests?limit=0')).status, 400);
  assert.equal((await read('/requests?before=yesterday')).status, 400);
});

test('groups, users and workloads are counted by the day', async () => {
  const p = await policy([answer()], { workload: `w-${unique('x')}` });
  const group = unique('group-');
  for (let n = 0; n < 3; n++) await worker.chat(p.model, { metadata: { understudy: JSON.stringify({ group, user: `${group}-${n % 2}` }) } });
  const of = async (query) => (await read(`/analytics?${query}`)).body;
  assert.equal((await of(`group=${group}`)).totals.requests, 3);
  assert.equal((await of(`user=${group}-0`)).totals.requests, 2);
  assert.equal((await of(`group=${group}&policy=${p.name}`)).totals.requests, 3);
  assert.equal((await of(`group=${group}&policy=other`)).totals.requests, 0);
  const { groups, days } = await of('');
  assert.equal(groups.find(({ name }) => name === group).requests, 3);
  const day = new Date(days.to).getTime() - 86_400_000;
  // The day's own start ends a range before it, in counters by day as in those of requests.
  const before = `from=${day - 86_400_000}&to=${day}`;
  const { from, to, totals } = await of(`group=${group}&${before}`);
  assert.deepEqual([Date.parse(from), Date.parse(to), totals.requests], [day - 86_400_000, day, 0]);
  assert.equal((await of(`group=${group}&policy=${p.name}&${before}`)).totals.requests, 0);
  assert.equal((await of(before)).groups.some(({ name }) => name === group), false);
  const now = Date.now();
  for (const query of ['', `group=${group}&`, `group=${group}&policy=${p.name}&`]) {
    const { totals, series } = await of(`${query}from=${now}&to=${now}`);
    assert.deepEqual([totals.requests, series], [0, []], query);
  }
});

test('tokens of embeddings, images and transcriptions are what the upstream says, and counting costs none', async () => {
  await worker.put('models', { 'acme/priced': { input_usd_per_mtok: 1000 }, 'claude/priced': { input_usd_per_mtok: 1000, output_usd_per_mtok: 1000 } });
  const told = { data: [{ b64_json: 'AAAA' }], usage: { input_tokens: 50, output_tokens: 1056, total_tokens: 1106 } };
  const form = () => {
    const body = new FormData();
    body.set('model', 'acme/transcribed');
    body.set('file', new Blob(['RIFF'.repeat(1000)]), 'a.wav');
    return body;
  };
  upstream.on('acme/pictures', json(told));
  upstream.on('acme/transcribed', json({ text: 'Hi', usage: { type: 'tokens', input_tokens: 14, output_tokens: 2 } }));
  const record = async (response) => {
    assert.equal(response.status, 200, await response.text());
    const { attempts: [attempt], cost_usd } = await worker.recorded(response.headers.get('x-understudy-request-id'));
    return [attempt.tokens, cost_usd];
  };
  const exact = (input, output) => ({ input, output, cached: 0, estimated: false });
  assert.deepEqual(await record(await worker.post('/v1/embeddings', { model: 'acme/priced', input: 'Hi '.repeat(100) })), [exact(9, 0), 0.009]);
  assert.deepEqual((await record(await worker.post('/v1/images/generations', { model: 'acme/pictures', prompt: 'Hi' })))[0], exact(50, 1056));
  assert.deepEqual((await record(await worker.fetch('/v1/audio/transcriptions', { method: 'POST', body: form() })))[0], exact(14, 2));
  assert.deepEqual(await record(await worker.post('/v1/messages/count_tokens', { model: 'claude/priced', messages: [{ role: 'user', content: 'Hi' }] })), [exact(0, 0), 0]);
  await worker.remove('models');
});

test('where the upstream counts no tokens they are guessed from the words, not from the bytes of pictures and sounds', async () => {
  const input = async (response) => {
    assert.equal(response.status, 200, await response.text());
    const { input, estimated } = (await worker.recorded(response.headers.get('x-understudy-request-id'))).attempts[0].tokens;
    assert.equal(estimated, true);
    return input;
  };
  const data = 'iVBORw0KGgo'.repeat(40_000);
  const content = [{ type: 'text', text: 'word '.repeat(400) }, { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } }];
  const seen = await input(await worker.chat('acme/sees', { stream: true, messages: [{ role: 'user', content }] }));
  assert.ok(seen > 1_400 && seen < 1_700, `${seen} tokens`);
  const form = new FormData();
  form.set('model', 'acme/heard');
  form.set('prompt', 'word '.repeat(40));
  form.set('file', new Blob(['RIFF'.repeat(100_000)]), 'a.wav');
  const heard = await input(await worker.fetch('/v1/audio/transcriptions', { method: 'POST', body: form }));
  assert.ok(heard >= 50 && heard < 100, `${heard} tokens`);
});

test('a request is recorded whatever its fields are called', async () => {
  const name = 'x'.repeat(1_200_000);
  const response = await worker.chat('claude/m', { seed: 7, [name]: 1, ...Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${'y'.repeat(300)}${n}`, 1])) });
  assert.equal(response.status, 200, await response.text());
  const { dropped, attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
  assert.deepEqual([dropped.length, attempts[0].dropped], [100, dropped]);
  assert.ok(dropped.includes('x'.repeat(200)), JSON.stringify(dropped).slice(0, 300));
  assert.ok(dropped.every((one) => one.length <= 200));
  const strict = await policy([status(500)], { translate: 'strict', ...QUICK });
  await worker.put(`policy:${strict.name}`, { chain: [strict.targets[0], 'claude/m'], translate: 'strict', ...QUICK });
  const skipped = await worker.chat(strict.model, { [name]: 1 });
  assert.deepEqual([skipped.status, (await skipped.text()).length < 2000], [500, true]);
  assert.ok(skipped.headers.get('x-understudy-trail').endsWith(`claude/m=skip:incompatible:${'x'.repeat(200)}`));
});

test('two editors do not overwrite each other; every version is kept, and who made it', async () => {
  const name = unique('edited');
  const put = (description, headers = {}) => read(`/policies/${name}`, { method: 'PUT', body: { description, chain: ['acme/a'] }, headers });
  const alice = { authorization: 'Bearer alice-token' };
  const bob = { authorization: 'Bearer bob-token' };
  const first = await put('one', { ...alice, 'if-none-match': '*' });
  assert.equal(first.status, 200);
  assert.equal((await put('other', { ...bob, 'if-none-match': '*' })).status, 412);
  const second = await put('two', { ...alice, 'if-match': first.etag });
  assert.equal(second.status, 200);
  assert.equal((await put('three', { ...bob, 'if-match': first.etag })).status, 412);
  const racers = await Promise.all([put('four', { ...alice, 'if-match': second.etag }), put('five', { ...bob, 'if-match': second.etag })]);
  assert.deepEqual(racers.map(({ status }) => status).sort(), [200, 412]);
  const versions = (await read(`/policies/${name}/versions`)).body.data;
  assert.equal(versions.length, 3);
  assert.equal(versions[0].current, true);
  assert.ok(['alice', 'bob'].includes(versions[0].by));
  const back = await read(`/policies/${name}/rollback`, { method: 'POST', body: { version: first.body.version }, headers: bob });
  assert.equal(back.status, 200);
  assert.equal(back.etag, first.etag);
  assert.equal((await read(`/policies/${name}`)).body.document.description, 'one');
  assert.equal(await (await worker.kv()).get(`policy:${name}`), JSON.stringify({ description: 'one', chain: ['acme/a'] }));
  const audit = (await read('/audit')).body.data.filter((entry) => entry.name === `policy:${name}`);
  assert.deepEqual(audit.map(({ action }) => action), ['rollback', 'put', 'put', 'put']);
  assert.equal(audit[0].by, 'bob');
  assert.equal((await read(`/policies/${name}/rollback`, { method: 'POST', body: { version: '00000000' } })).status, 404);
});

test('an edit by wrangler after one through the API is believed, and becomes a version', async () => {
  const name = unique('mixed');
  const put = await read(`/policies/${name}`, { method: 'PUT', body: { chain: ['acme/a'] } });
  upstream.on('acme/b', answer('by hand'));
  await worker.put(`policy:${name}`, { chain: ['acme/b'] });
  assert.equal((await worker.chat(`policy/${name}`)).headers.get('x-understudy-model'), 'acme/b');
  await sleep(1500);
  assert.equal((await worker.chat(`policy/${name}`)).headers.get('x-understudy-model'), 'acme/b', 'the flush brought no old edit back');
  const now = await read(`/policies/${name}`);
  assert.deepEqual(now.body.document, { chain: ['acme/b'] });
  assert.equal((await read(`/policies/${name}`, { method: 'PUT', body: { chain: ['acme/c'] }, headers: { 'if-match': put.etag } })).status, 412);
  assert.equal((await read(`/policies/${name}`, { method: 'PUT', body: { chain: ['acme/c'] }, headers: { 'if-match': now.etag } })).status, 200);
  const versions = (await read(`/policies/${name}/versions`)).body.data;
  assert.deepEqual(versions.map(({ action }) => action), ['put', 'found', 'put']);
});

test('only the last 20 versions are kept', async () => {
  const name = unique('many');
  for (let n = 0; n < 22; n++) await read(`/policies/${name}`, { method: 'PUT', body: { description: `${n}`, chain: ['acme/a'] } });
  assert.equal((await read(`/policies/${name}/versions`)).body.data.length, 20);
});

test('gateway keys: made once, changed, sealed keys unseen, spend counted', async () => {
  const made = await read('/keys', { method: 'POST', body: { name: 'web', group: 'acme', budget_usd_per_day: 5 } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.match(made.body.key, /^us-[0-9A-Za-z]{40}$/);
  const { id, key } = made.body;
  const listed = (await read('/keys')).body.data.find((line) => line.id === id);
  assert.equal(listed.name, 'web');
  assert.equal(listed.key, undefined);
  const own = await read(`/keys/${id}/own/acme`, { method: 'PUT', body: { key: 'sk-own-acme-0123456789' } });
  assert.equal(own.status, 200, JSON.stringify(own.body));
  assert.deepEqual((await read(`/keys/${id}`)).body.own, ['acme']);
  assert.ok(!(await (await worker.kv()).get(`key:${id}`)).includes('sk-own'));
  const p = await policy([answer()], {}, { hops: [{ key: 'own' }] });
  const response = await worker.chat(p.model, {}, { authorization: `Bearer ${key}` });
  assert.equal(response.status, 200);
  assert.equal(p.calls(1)[0].headers.authorization, 'Bearer sk-own-acme-0123456789');
  const usage = (await read(`/keys/${id}/usage`)).body;
  assert.equal(usage.day.requests, 1);
  assert.equal(usage.day.budget_usd, 5);
  assert.equal((await read(`/keys/${id}`, { method: 'PATCH', body: { disabled: true } })).body.disabled, true);
  assert.equal((await worker.chat(p.model, {}, { authorization: `Bearer ${key}` })).status, 401);
  assert.equal((await read(`/keys/${id}`, { method: 'PATCH', body: { nonsense: 1 } })).status, 422);
  assert.equal((await read(`/keys/${id}/own/acme`, { method: 'DELETE' })).status, 204);
  assert.equal((await read(`/keys/${id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await read(`/keys/${id}`)).status, 404);
});

test('the live stream brings a request as it ends', async () => {
  const p = await policy([answer()]);
  const stop = new AbortController();
  const response = await fetch(`${worker.url}/admin/live`, { headers: { authorization: 'Bearer alice-token' }, signal: stop.signal });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /text\/event-stream/);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  await reader.read();
  await worker.chat(p.model, {}, { 'x-understudy-request-id': `${p.name}-live` });
  let seen = '';
  const until = Date.now() + 6000;
  while (!seen.includes(`${p.name}-live`) && Date.now() < until) seen += (await reader.read()).value ?? '';
  const line = seen.split('\n').find((text) => text.includes(`${p.name}-live`));
  assert.equal(JSON.parse(line.slice('data: '.length)).policy, p.name);
  stop.abort();
});

test('explain makes no call and shows no key; compare asks every hop and counts nothing', async () => {
  const p = await policy([answer('left'), answer('right'), status(500)], { keep: ['provider'], ...QUICK });
  const body = { route: 'chat', body: { messages: [{ role: 'user', content: 'Hi' }] } };
  const explained = (await read(`/policies/${p.name}/explain`, { method: 'POST', body })).body;
  assert.deepEqual(explained.hops.map(({ model, call }) => [model, call]), p.targets.map((model) => [model, true]));
  assert.ok(!JSON.stringify(explained).includes('managed-0123456789'));
  assert.equal(explained.hops[0].request.body.messages[0].content, 'Hi');
  assert.equal(p.calls(1).length, 0);
  const compared = (await read(`/policies/${p.name}/compare`, { method: 'POST', body })).body.data;
  assert.deepEqual(compared.map(({ text, outcome }) => [text, outcome]), [['left', 'ok'], ['right', 'ok'], [null, 'server_error']]);
  assert.equal((await read(`/analytics?policy=${p.name}`)).body.totals.requests, 0);
  assert.equal((await read(`/requests?policy=${p.name}`)).body.data[0].mark, 'compare');
});

test('explain says of each hop what keeps it from being called, consent among it, and where its key would stand', async () => {
  const p = await policy([answer(), answer()], { consent: 'ask', ...QUICK });
  await worker.put(`policy:${p.name}`, { chain: [p.targets[0], p.targets[1], { model: p.targets[1], key: 'own' }, 'claude/c'], consent: 'ask' });
  const explained = async (headers, route = 'chat', body = { messages: [{ role: 'user', content: 'Hi' }] }) => {
    const answered = await read(`/policies/${p.name}/explain`, { method: 'POST', body: { route, headers, body } });
    assert.equal(answered.status, 200, JSON.stringify(answered.body));
    return answered.body.hops;
  };
  const reasons = async (headers) => (await explained(headers)).map(({ call, reason }) => (call ? 'call' : reason));
  assert.deepEqual(await reasons({}), ['call', 'consent', 'no_key:x-understudy-key-acme', 'consent']);
  assert.deepEqual(await reasons({ 'x-understudy-consent': 'fallback' }), ['call', 'call', 'no_key:x-understudy-key-acme', 'call']);
  assert.deepEqual(await reasons({ 'x-understudy-consent': 'fallback', 'x-understudy-no-fallback': 'true' }), ['call', 'consent', 'no_key:x-understudy-key-acme', 'consent']);
  const [first, , , last] = await explained({});
  assert.equal(first.request.headers.authorization, 'Bearer [redacted]');
  assert.deepEqual([last.request.headers['x-api-key'], last.request.headers.authorization], ['[redacted]', undefined]);
  const [, , , beta] = await explained({ 'Anthropic-Beta': 'context-1m-2025-08-07', 'x-api-key': 'us-of-the-client', cookie: 'a=b' });
  assert.equal(beta.request.headers['anthropic-beta'], 'context-1m-2025-08-07');
  assert.deepEqual([beta.request.headers['x-api-key'], beta.request.headers.cookie], ['[redacted]', undefined]);
  for (const [headers, param, route = 'chat'] of [[{ 'anthropic-beta': 'a\nx-evil: b' }, 'headers.anthropic-beta'], [{ 'x-priority': 1 }, 'headers.x-priority'], [['x'], 'headers'], [{}, 'route', 7]]) {
    const error = await refused(await worker.admin(`/policies/${p.name}/explain`, { method: 'POST', body: { route, headers, body: {} } }), 400);
    assert.equal(error.param, param);
  }
  for (const [route, body] of [['moderations', { input: 'Hi' }], ['images', { prompt: 'Hi' }], ['/v1/audio/speech', { input: 'Hi', voice: 'alloy' }], ['embeddings', { input: 'Hi' }]]) {
    const [hop] = await explained({}, route, body);
    assert.deepEqual([hop.call, Object.keys(hop.request.body).sort()], [true, ['model', ...Object.keys(body)].sort()], route);
  }
  const compared = (await read(`/policies/${p.name}/compare`, { method: 'POST', body: { route: 'chat', body: { messages: [{ role: 'user', content: 'Hi' }] } } })).body.data;
  assert.deepEqual(compared.map(({ outcome }) => outcome), ['ok', 'ok', 'no_key', 'ok'], 'an owner who compares asks every hop');
});

test('compare caps every hop in the field that its host has for it, and reads answers whole whatever the policy commits', async () => {
  const name = unique('caps');
  await worker.put('provider:openai', upstream.provider('openai'));
  await worker.put(`policy:${name}`, {
    chain: ['openai/o3', `acme/${name}`, { model: `other/${name}`, params: { max_tokens: 4000 } }, { model: `acme/${name}-few`, params: { max_tokens: 9 } }, `claude/${name}`],
    stream: { commit: 'headers' },
  });
  const targets = ['openai/o3', `acme/${name}`, `other/${name}`, `acme/${name}-few`, `claude/${name}`];
  const capped = async (route, more) => {
    const body = { messages: [{ role: 'user', content: 'Hi' }], ...more };
    const compared = (await read(`/policies/${name}/compare`, { method: 'POST', body: { route, body } })).body.data;
    assert.deepEqual(compared.map(({ text, tokens }) => [text, tokens.output]), targets.map((target) => [`Hello from ${target}`, 3]), JSON.stringify(compared));
    return targets.map((target) => {
      const { max_tokens, max_completion_tokens } = upstream.calls(target).at(-1).json;
      return [max_tokens, max_completion_tokens];
    });
  };
  assert.deepEqual(await capped('chat'), [[undefined, 256], [256, undefined], [256, undefined], [9, undefined], [256, undefined]]);
  assert.deepEqual(await capped('chat', { max_completion_tokens: 10 }), [[undefined, 10], [undefined, 10], [256, 10], [9, 10], [10, undefined]]);
  assert.deepEqual((await capped('messages', { max_tokens: 1000 }))[0], [undefined, 256]);
  const thinking = await capped('messages', { max_tokens: 9000, thinking: { type: 'enabled', budget_tokens: 2000 } });
  assert.deepEqual(thinking.at(-1), [2256, undefined], 'Claude refuses a budget that is not below the cap');
  await worker.remove('provider:openai');
});

test('every route of the OpenAPI document answers, and nothing else does', async () => {
  const { paths } = (await read('/openapi.json')).body;
  for (const [path, methods] of Object.entries(paths)) {
    const url = path.replace('/admin', '').replace('{name}', 'absent').replace('{id}', '0'.repeat(64)).replace('{provider}', 'openai').replace('{version}', '00000000');
    if (url === '/live') continue;
    for (const method of Object.keys(methods)) {
      if (method === 'delete' && ['/rules', '/models'].includes(url)) continue;
      const { status } = await read(url, { method: method.toUpperCase(), body: ['post', 'put', 'patch'].includes(method) ? 'not json' : undefined });
      assert.ok(![405, 500, 501].includes(status), `${method} ${path}: ${status}`);
      assert.ok(String(status) in methods[method].responses || status === 400, `${method} ${path} answers ${status}, which the document does not name`);
    }
    await refused(await worker.admin(url, { method: 'OPTIONS' }), 405);
  }
});
