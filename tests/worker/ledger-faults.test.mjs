// The ledger when writes fail, also after they have persisted; when its objects are dropped from memory; when two isolates
// write at once; and what its alarm deletes. The objects are the built ones, with ledger-probe.js in front of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { QUICK, rig } from './rig.mjs';
import { answer, RESET, STALL, status, text } from './upstream.mjs';
import { root, sleep, startWorker, unique } from './worker.mjs';

const SHARDS = 2;
const { worker, policy, upstream, slack } = await rig({ probe: true, twin: true, vars: { LEDGER_SHARDS: String(SHARDS) } });
const objects = [...Array.from({ length: SHARDS }, (_, n) => `shard-${n}`), 'control'];
const json = async (from, path) => (await from.admin(path)).json();

/** A small generator, so that a failure can be run again. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * sides);
  };
}

const counter = (metrics, name) => Number(metrics.match(new RegExp(`^${name} (\\d+)$`, 'm'))?.[1]);
const metrics = async () => (await worker.admin('/metrics')).text();

/** What an upstream may do to a call, and how the ledger calls it. */
const FATES = [
  ['ok', (call) => answer()(call)],
  ['ok', (call) => answer(['a', 'b', 'c'])(call)],
  ['rate_limited', () => status(429)],
  ['server_error', () => status(500)],
  ['overloaded', () => status(503)],
  ['auth', () => status(401)],
  ['malformed', () => text('<html>no</html>')],
  ['unreachable', () => [RESET]],
];
const STALLED = ['timeout', () => [STALL]];

test('every attempt is in the ledger as the upstream saw it, exactly once, whatever becomes of writes, objects and isolates', async () => {
  const roll = dice(20261126);
  const fated = (call) => {
    // A stall takes its time: few of them.
    const [outcome, behaviour] = roll(40) === 0 ? STALLED : FATES[roll(FATES.length)];
    call.outcome = outcome;
    return behaviour(call);
  };
  const p = await policy([fated, fated, fated], { ...QUICK, breaker: null, timeouts: { headers_ms: 500 + slack, attempt_ms: 500 + slack } }, { hops: [{ retries: 1 }, { retries: 1 }] });
  const faults = ['lost', 'torn', 'unanswered', 'none'];
  const ids = [];
  for (let wave = 0; wave < 8; wave++) {
    for (const object of objects) await worker.ledger(object, Array.from({ length: 3 }, () => faults[roll(faults.length)]), 'faults');
    const sent = Array.from({ length: 30 }, (_, n) => {
      const id = `${p.name}-${wave}-${n}`;
      ids.push(id);
      const from = n % 2 ? worker.twin : worker;
      return from.chat(p.model, { stream: roll(2) === 0, messages: [{ role: 'user', content: id }] }, { 'x-understudy-request-id': id }).then((response) => response.text());
    });
    await Promise.all(sent);
    if (wave % 3 === 2) await worker.evict();
  }
  for (const object of objects) await worker.ledger(object, [], 'faults');
  // Each isolate sends what it still holds before it answers.
  for (const from of [worker, worker.twin]) assert.equal((await from.admin('/requests?limit=1')).status, 200);

  const log = p.targets.flatMap((_, place) => p.calls(place + 1));
  const seen = (id) => log.filter((call) => call.json.messages[0].content === id).sort((a, b) => a.at - b.at).map((call) => [call.target, call.outcome]);
  for (const id of ids) {
    const row = await json(worker, `/requests/${id}`);
    assert.deepEqual(row.others, [], `${id} is there twice`);
    assert.deepEqual(row.attempts.filter(({ call }) => call).map(({ model, outcome }) => [model, outcome]), seen(id), id);
  }
  const { totals, targets, series } = await json(worker, `/analytics?policy=${p.name}`);
  assert.equal(totals.requests, ids.length);
  assert.equal(totals.attempts, log.length);
  assert.equal(series.reduce((sum, point) => sum + point.requests, 0), ids.length);
  for (const model of p.targets) {
    const calls = log.filter((call) => call.target === model);
    const outcomes = {};
    for (const { outcome } of calls) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    assert.deepEqual(targets.find((target) => target.model === model).outcomes, outcomes, model);
  }
  const text = await metrics();
  assert.ok(counter(text, 'understudy_ledger_duplicates_total') > 0, 'some batches were written, unanswered, and sent again');
  assert.equal(counter(text, 'understudy_ledger_lost_total'), 0);
  assert.equal(counter(text, 'understudy_ledger_dropped_total'), 0);
});

test('a batch is all there or not at all: rows, counters and its number', async () => {
  const isolate = unique('isolate-');
  const row = (n) => ({ ledger_id: (Date.now() + n).toString(16).padStart(12, '0') + '0'.repeat(20), id: `${isolate}-${n}`, at: Date.now() + n, policy: isolate, route: 'chat', asked: 'x', outcome: 'ok', status: 200, ms: 5, attempts: [] });
  const record = { record: { isolate, number: 1, rows: [row(1), row(2)] } };
  await worker.ledger('shard-0', ['torn', 'unanswered'], 'faults');
  await assert.rejects(worker.ledger('shard-0', record), /torn/);
  const stored = async () => ({
    rows: (await worker.ledger('shard-0', { statement: `SELECT COUNT(*) n FROM requests WHERE policy = '${isolate}'` }, 'sql'))[0].n,
    cells: (await worker.ledger('shard-0', { statement: `SELECT COUNT(*) n FROM cells WHERE policy = '${isolate}'` }, 'sql'))[0].n,
    numbers: (await worker.ledger('shard-0', { statement: `SELECT COUNT(*) n FROM isolates WHERE isolate = '${isolate}'` }, 'sql'))[0].n,
  });
  assert.deepEqual(await stored(), { rows: 0, cells: 0, numbers: 0 });
  await assert.rejects(worker.ledger('shard-0', record), /unanswered/);
  const once = await stored();
  assert.equal(once.rows, 2);
  assert.ok(once.cells >= 4 && once.numbers === 1, JSON.stringify(once));
  assert.equal(await worker.ledger('shard-0', record), 'recorded');
  assert.deepEqual(await stored(), once);
  assert.equal((await json(worker, `/analytics?policy=${isolate}`)).totals.requests, 2);
  const before = counter(await metrics(), 'understudy_ledger_lost_total');
  await worker.ledger('shard-0', { record: { isolate, number: 4, rows: [row(3)] } });
  assert.equal(counter(await metrics(), 'understudy_ledger_lost_total'), before + 2, 'batches 2 and 3 never came');
});

test('a day tells 10,000 users apart and counts the others as other', async () => {
  const at = Date.now();
  const over = 40;
  const rows = Array.from({ length: 10_000 + over }, (_, n) => ({ ledger_id: at.toString(16).padStart(12, '0') + String(n).padStart(20, '0'), id: `crowd-${n}`, at, policy: 'crowd', route: 'chat', asked: 'x', outcome: 'ok', status: 200, ms: 5, user: `user-${String(n).padStart(5, '0')}`, attempts: [] }));
  // One of the crowd comes more often: however late it is counted, it leads the table.
  rows.push(...Array.from({ length: 3 }, (_, n) => ({ ...rows[9_999], ledger_id: at.toString(16).padStart(12, '0') + `a${String(n).padStart(19, '0')}` })));
  await worker.ledger('shard-0', { record: { isolate: unique('isolate-'), number: 1, rows } });
  const { users } = await json(worker, '/analytics');
  assert.equal(users.length, 100);
  assert.deepEqual([users[0].name, users[0].requests, users.at(-1).name], ['user-09999', 4, 'other']);
  assert.equal(users.reduce((sum, line) => sum + line.requests, 0), rows.length);
  assert.equal((await json(worker, '/analytics?user=other')).totals.requests, over);
  assert.equal((await json(worker, '/analytics?user=user-00007')).totals.requests, 1);
  const everyone = (await json(worker, '/analytics?limit=10000')).users;
  assert.deepEqual(everyone.slice(0, 1).map(({ name, requests }) => [name, requests]), [['user-09999', 4]], 'a table of all says the same');
  assert.equal(everyone.reduce((sum, line) => sum + line.requests, 0), rows.length);
  const found = await json(worker, '/requests?user=user-10020');
  assert.deepEqual([found.data.length, found.next], [1, null], 'it is found among its rows all the same');
});

test('a filter finds old and rare rows without looking at all of them', async () => {
  const now = Date.now();
  const row = (n, more) => ({ ledger_id: (now - n * 1000).toString(16).padStart(12, '0') + '0'.repeat(20), id: `rare-${n}`, at: now - n * 1000, policy: 'rare', route: 'chat', asked: 'x', outcome: 'ok', status: 200, ms: 5, attempts: [], ...more });
  // An hour and a half, a row a second; two of them are someone's.
  const rows = Array.from({ length: 5_400 }, (_, n) => row(n, n === 4_000 || n === 5_000 ? { user: 'someone', fallback: true } : {}));
  await worker.ledger('shard-1', { record: { isolate: unique('isolate-'), number: 1, rows } });
  await worker.ledger('shard-1', { statement: 'UPDATE migrations SET at = 0' }, 'sql');
  const read = await worker.ledger('shard-1', null, 'read');
  const found = await json(worker, '/requests?user=someone&policy=rare');
  assert.deepEqual(found.data.map(({ id }) => id), ['rare-4000', 'rare-5000']);
  assert.equal(found.next, null);
  const looked = (await worker.ledger('shard-1', null, 'read')) - read;
  assert.ok(looked < 2_500, `${looked} rows were read for two of them`);
  assert.deepEqual((await json(worker, '/requests?user=someone&limit=1')).data.map(({ id }) => id), ['rare-4000']);
  const pages = async (query) => {
    const ids = [];
    for (let next = ''; next !== null; ) {
      const page = await json(worker, `/requests?${query}&limit=500${next && `&before=${next}`}`);
      ids.push(...page.data.map(({ id }) => id));
      next = page.next;
    }
    return ids;
  };
  assert.deepEqual(await pages('policy=rare'), rows.map(({ id }) => id), 'every row once, newest first');
});

test('an edit through one isolate reaches the other with its next flush', async () => {
  const name = unique('shared');
  upstream.on('acme/old', answer('old'));
  upstream.on('acme/new', answer('new'));
  const put = (body) => worker.admin(`/policies/${name}`, { method: 'PUT', body });
  // KV that shows the old document for a minute, as it may elsewhere.
  const stale = await startWorker({ vars: { POLICY_TTL_MS: '600000', LEDGER_SHARDS: '1' }, probe: true, twin: true });
  after(() => stale.close());
  await stale.put('provider:acme', upstream.provider('acme'));
  await stale.admin(`/policies/${name}`, { method: 'PUT', body: { chain: ['acme/old'] } });
  assert.equal((await stale.twin.chat(`policy/${name}`)).headers.get('x-understudy-model'), 'acme/old');
  await stale.admin(`/policies/${name}`, { method: 'PUT', body: { chain: ['acme/new'] } });
  assert.equal((await stale.chat(`policy/${name}`)).headers.get('x-understudy-model'), 'acme/new');
  assert.equal((await stale.twin.chat(`policy/${name}`)).headers.get('x-understudy-model'), 'acme/old', 'its copy is ten minutes good');
  const until = Date.now() + 5000;
  let model;
  do {
    await sleep(200);
    model = (await stale.twin.chat(`policy/${name}`)).headers.get('x-understudy-model');
  } while (model !== 'acme/new' && Date.now() < until);
  assert.equal(model, 'acme/new');
  assert.equal((await put({ chain: ['acme/new'] })).status, 200);
});

test('a breaker that opened in one isolate is open in the other', async () => {
  const p = await policy([status(500), answer()], { ...QUICK, breaker: { failures: 3, window_ms: 60000, cooldown_ms: 60000, cooldown_max_ms: 60000 } });
  for (let n = 0; n < 3; n++) await worker.chat(p.model);
  assert.match((await worker.chat(p.model)).headers.get('x-understudy-trail'), /skip:breaker_open/);
  await worker.admin('/requests?limit=1');
  const targets = (await json(worker.twin, '/targets')).data;
  assert.equal(targets.find(({ model }) => model === p.targets[0]).breaker.state, 'open', 'an isolate that has seen nothing asks');
  assert.match((await worker.twin.chat(p.model)).headers.get('x-understudy-trail'), /skip:breaker_open/);
});

test('a key’s spend is one sum over the isolates', async () => {
  const made = await (await worker.admin('/keys', { method: 'POST', body: { name: unique('spender') } })).json();
  const p = await policy([answer()]);
  const authorization = `Bearer ${made.key}`;
  await worker.ledger('control', ['unanswered', 'lost', 'torn'], 'faults');
  for (let n = 0; n < 6; n++) assert.equal((await (n % 2 ? worker.twin : worker).chat(p.model, {}, { authorization })).status, 200);
  await worker.twin.admin('/requests?limit=1');
  await worker.twin.admin('/requests?limit=1');
  const until = Date.now() + 5000;
  let used;
  do {
    used = (await json(worker, `/keys/${made.id}/usage`)).day;
  } while (used.requests < 6 && Date.now() < until);
  assert.deepEqual([used.requests, used.succeeded, used.tokens], [6, 6, { input: 54, output: 18 }]);
});

test('the alarm deletes what is older than it is kept, round after round, and nothing else', async () => {
  const spans = { LEDGER_ATTEMPTS_DAYS: '2', LEDGER_MINUTES_HOURS: '3', LEDGER_HOURS_DAYS: '4', LEDGER_DAYS_DAYS: '6' };
  const kept = await startWorker({ probe: true, vars: { LEDGER_SHARDS: '1', ...spans } });
  after(() => kept.close());
  const ask = (question, path) => kept.ledger('shard-0', question, path);
  const now = Date.now();
  const hour = 3_600_000;
  const row = (hours, n = 0) => {
    const at = now - hours * hour;
    return { ledger_id: at.toString(16).padStart(12, '0') + String(n).padStart(20, '0'), id: `old-${hours}-${n}`, at, policy: 'p', workload: 'w', route: 'chat', asked: 'x', outcome: 'ok', status: 200, ms: 5, user: 'u', attempts: [] };
  };
  const ages = [1, 5, 47, 49, 24 * 5, 24 * 6 - 1, 24 * 7];
  await ask({ record: { isolate: 'a', number: 1, rows: ages.map((hours) => row(hours)) } });
  // More than one round deletes.
  await ask({ record: { isolate: 'a', number: 2, rows: Array.from({ length: 5200 }, (_, n) => row(24 * 8, n + 1)) } });
  const due = await ask(null, 'alarm');
  assert.ok(due > now && due <= Date.now() + hour, 'an object that is used has an alarm within the hour');
  await ask(10, 'alarm');
  const count = async (table, where) => (await ask({ statement: `SELECT COUNT(*) n FROM ${table} WHERE ${where}` }, 'sql'))[0].n;
  const until = Date.now() + 20_000;
  while ((await count('requests', '1')) > 3 && Date.now() < until) await sleep(250);
  assert.deepEqual((await json(kept, '/requests')).data.map(({ id }) => id), ['old-1-0', 'old-5-0', 'old-47-0']);
  assert.equal(await count('cells', "period = 'm'"), 1, 'minutes of three hours');
  assert.equal(await count('cells', "period = 'h'"), 4, 'hours of four days');
  const days = new Set(ages.filter((hours) => hours < 6 * 24).map((hours) => Math.floor((now - hours * hour) / (24 * hour))));
  assert.equal(await count('cells', "period = 'd'"), days.size, 'days of six days');
  // The oldest is kept from its start, whatever part of it is older.
  const oldest = Math.floor((now - 6 * 24 * hour) / (24 * hour)) * 24 * hour;
  assert.equal(await count('cells', `period = 'd' AND at < ${oldest}`), 0);
  assert.equal(await count('days', `day < ${oldest}`), 0);
  const text = await (await kept.admin('/metrics')).text();
  assert.match(text, /^understudy_requests_total\{policy="p",outcome="ok"\} 5207$/m);
  const next = await ask(null, 'alarm');
  assert.ok(next > Date.now() + hour / 2, 'and rings again in an hour');
});

/** Tables as earlier schemas made them, with rows as these wrote them. */
const HOUR = 3_600_000;
const OLD = (version) => readFileSync(join(root, 'tests/fixtures/stored', `schema_v${version}.sql`), 'utf8');

for (const version of [1, 2, 3]) {
  test(`what schema ${version} stored is read, added to and answered by this one`, async (t) => {
    const old = await startWorker({ probe: true, vars: { LEDGER_SHARDS: '1' } });
    t.after(() => old.close());
    const hour = Math.floor(Date.now() / HOUR) * HOUR;
    const day = hour - (hour % (24 * HOUR));
    const sql = (statement) => old.ledger('shard-0', { statement }, 'sql');
    const row = (n, at, more = {}) => ({ ledger_id: at.toString(16).padStart(12, '0') + String(n).padStart(20, '0'), id: `old-${n}`, at, policy: 'old', workload: 'old', route: 'chat', asked: 'policy/old', outcome: 'ok', status: 200, ms: 12, user: 'ann', group: 'team', attempts: [{ seq: 0, at, call: true, model: 'acme/a', key: 'managed', outcome: 'ok', status: 200, ms: 10, tokens: { input: 3, output: 2 }, cost_micro_usd: 5, committed: true, billed: 'yes' }], ...more });
    // An object that was never asked anything makes no tables of its own.
    for (let schema = 1; schema <= version; schema++) await sql(OLD(schema));
    const targets = { 'acme/a': { n: 1, ok: 1, classes: { ok: { n: 1, cost: 5, in: 3, out: 2, ms: [[10, 1]] } } } };
    const cell = { n: 1, ok: 1, tries: 1, cost: 5, in: 3, out: 2, ms: [[12, 1]], ends: { ok: 1 } };
    const whole = JSON.stringify({ ...cell, targets });
    for (const [period, at] of [['m', hour], ['h', hour], ['d', day], ['e', 0]]) await sql(`INSERT INTO cells (period, at, policy, data) VALUES ('${period}', ${at}, 'old', '${whole}')`);
    for (const [dimension, value] of [['user', 'ann'], ['group', 'team'], ['workload', 'old']]) {
      if (version === 1) await sql(`INSERT INTO days (day, dimension, value, data) VALUES (${day}, '${dimension}', '${value}', '${whole}')`);
      else await sql(`INSERT INTO days (day, dimension, value, data, targets) VALUES (${day}, '${dimension}', '${value}', '${JSON.stringify(cell)}', '${JSON.stringify(targets)}')`);
    }
    const lane = (value) => ({ n: 1, top: { [value]: 1 }, all: cell });
    if (version >= 2) await sql(`INSERT INTO boards (day, data) VALUES (${day}, '${JSON.stringify({ user: lane('ann'), group: lane('team'), workload: lane('old') })}')`);
    const first = row(1, hour);
    await sql(`INSERT INTO requests (ledger_id, id, policy, person, fallback, trail, data) VALUES ('${first.ledger_id}', 'old-1', 'old', 'ann', 0, ',;ok,acme/a;ok,', '${JSON.stringify(first)}')`);
    const slot = hour - (hour % 600_000);
    const place = Buffer.concat([Buffer.from([0, 0, 0]), ...['old', 'old', 'team', 'ann', ''].map((value) => Buffer.from([crc32(value) >> 8, crc32(value)]))]);
    if (version === 3) {
      await sql(`INSERT INTO sketches (slot, bits, places) VALUES (${slot}, x'ff', x'${place.toString('hex')}')`);
      await sql('UPDATE migrations SET at = 0');
    }

    const asked = async (query) => json(old, `/analytics?${query}`);
    const counted = (line) => line && [line.requests ?? line.attempts, line.cost_usd, line.tokens.input];
    const says = async (requests) => {
      const sums = [requests, (5 * requests) / 1e6, 3 * requests];
      for (const query of ['', `from=${hour}`, `from=${Date.now() - 80 * 24 * HOUR}`, 'policy=old', 'target=acme/a', 'user=ann', 'group=team', 'group=team&policy=old', 'group=team&bucket=hour']) {
        const { totals, targets, series, partial } = await asked(query);
        assert.deepEqual(counted(totals), sums, query);
        assert.deepEqual([targets[0].model, targets[0].attempts, targets[0].outcomes], ['acme/a', requests, { ok: requests }], query);
        assert.equal(series.reduce((sum, point) => sum + point.requests, 0), requests, query);
        assert.equal(partial, undefined, query);
      }
      const { users, groups, policies } = await asked('');
      assert.deepEqual([users, groups, policies].map(([line]) => [line.name, line.requests]), [['ann', requests], ['team', requests], ['old', requests]]);
      assert.match(await (await old.admin('/metrics')).text(), new RegExp(`^understudy_attempts_total\\{policy="old",target="acme/a",class="ok"\\} ${requests}$`, 'm'));
    };
    await says(1);
    assert.equal((await json(old, '/requests/old-1')).attempts[0].model, 'acme/a');
    // The same moment again: what is there is rewritten, and nothing of it lost or counted twice.
    await old.ledger('shard-0', { record: { isolate: unique('isolate-'), number: 1, rows: [row(2, hour)] } });
    await says(2);
    const stored = await sql("SELECT data, targets FROM cells WHERE policy = 'old'");
    // Places that schema 3 kept alone stay so, beside a piece with extracts.
    if (version === 3) assert.deepEqual(await sql('SELECT slot, piece, length(entries) places, extracts FROM places'), [{ slot, piece: 1, places: 13, extracts: null }]);
    assert.ok((await sql('SELECT length(extracts) n FROM sketches'))[0].n > 0);
    assert.ok(stored.length === 4 && stored.every(({ data, targets }) => data.startsWith('1') && targets.startsWith('1')));
    await old.evict();
    await says(2);
    assert.deepEqual((await sql('SELECT version FROM migrations ORDER BY version')).map((line) => line.version), [1, 2, 3, 4]);
  });
}

test('a question of a group and a policy reads their rows alone, however many others there are', async (t) => {
  const own = await startWorker({ probe: true, vars: { LEDGER_SHARDS: '1' } });
  t.after(() => own.close());
  await own.ledger('shard-0', 'status');
  // All of it was seen by this schema.
  await own.ledger('shard-0', { statement: 'UPDATE migrations SET at = 0' }, 'sql');
  const now = Date.now();
  const rows = Array.from({ length: 9_000 }, (_, n) => {
    const at = now - 6 * HOUR + n * 100;
    return { ledger_id: at.toString(16).padStart(12, '0') + '0'.repeat(20), id: `row-${n}`, at, policy: n % 3 ? 'many' : 'few', workload: 'w', route: 'chat', asked: 'x', outcome: n % 7 ? 'ok' : 'timeout', status: 200, fallback: n % 11 === 0, ms: n % 900, ttft_ms: n % 90, group: `group-${n % 100}`, user: `u-${n % 13}`, mark: n % 2 ? '' : 'drill', attempts: [{ seq: 0, at, call: true, model: `acme/${n % 5}`, outcome: n % 7 ? 'ok' : 'timeout', ms: n % 800, billed: n % 7 ? 'yes' : 'maybe', cost_micro_usd: n, tokens: { input: n, output: 3 } }] };
  });
  const wanted = rows.filter((row) => row.policy === 'few' && row.group === 'group-7' && row.mark === '').length;
  // Ten minutes hold more than a piece of places and extracts.
  for (let n = 0; n < rows.length; n += 1_000) await own.ledger('shard-0', { record: { isolate: 'own', number: 1 + n / 1_000, rows: rows.slice(n, n + 1_000) } });
  const before = await own.ledger('shard-0', null, 'read');
  const { totals, series, users, partial } = await json(own, '/analytics?group=group-7&policy=few');
  assert.deepEqual([totals.requests, partial, users.reduce((sum, line) => sum + line.requests, 0)], [wanted, undefined, wanted]);
  assert.equal(series.reduce((sum, point) => sum + point.requests, 0), wanted);
  const looked = (await own.ledger('shard-0', null, 'read')) - before;
  assert.ok(looked < 100, `${looked} rows were read for ${wanted}`);
  const half = await json(own, `/analytics?group=group-7&policy=few&from=${rows[4_500].at}`);
  assert.equal(half.totals.requests, rows.slice(4_500).filter((row) => row.policy === 'few' && row.group === 'group-7' && row.mark === '').length, 'exact to the millisecond');
  const paths = ['workload=w&bucket=hour', 'group=group-7&policy=few', 'user=u-3&bucket=minute', 'group=group-7&user=u-1', 'workload=w&target=acme/1'];
  const answers = () => Promise.all(paths.map((path) => json(own, `/analytics?${path}&from=${rows[100].at}&to=${rows[8_500].at}`)));
  const byExtracts = await answers();
  assert.ok(byExtracts.every(({ totals }) => totals.requests > 3));
  // As if schema 3 had kept them.
  for (const table of ['places', 'sketches']) await own.ledger('shard-0', { statement: `UPDATE ${table} SET extracts = NULL` }, 'sql');
  assert.deepEqual(await answers(), byExtracts, 'the rows themselves say the same');
});
