// Documents that were put into KV beside the admin API, and what it makes of them: told, mended, rolled back, deleted.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { refused, rig } from './rig.mjs';
import { unique } from './worker.mjs';

const { worker, upstream } = await rig();

const read = async (path, options) => {
  const response = await worker.admin(path, options);
  return { status: response.status, etag: response.headers.get('etag'), body: await response.json().catch(() => undefined) };
};
const put = (name, body, headers = {}) => read(`/policies/${name}`, { method: 'PUT', body, headers });
const version = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 8);
const listed = async (name) => (await read('/policies')).body.data.find((line) => line.name === name);

test('a huge document that was put by wrangler is mended, rolled back and deleted all the same', async () => {
  for (const undone of ['put', 'rollback', 'delete']) {
    const name = unique('huge');
    const first = await put(name, { chain: ['acme/first'] });
    const huge = JSON.stringify({ description: 'd'.repeat(3_000_000), chain: ['acme/huge'] });
    await worker.put(`policy:${name}`, huge);
    if (undone === 'rollback') assert.equal((await read(`/policies/${name}/rollback`, { method: 'POST' })).etag, first.etag);
    if (undone === 'put') assert.equal((await put(name, { chain: ['acme/mended'] })).status, 200);
    if (undone === 'delete') assert.equal((await worker.admin(`/policies/${name}`, { method: 'DELETE' })).status, 204);
    assert.equal((await worker.chat(`policy/${name}`)).status, undone === 'delete' ? 404 : 200);
    const { data } = (await read(`/policies/${name}/versions`)).body;
    assert.deepEqual(data.map(({ action }) => action), [undone, 'found', 'put']);
    assert.equal(data[1].version, version(huge));
    await refused(await worker.admin(`/policies/${name}/rollback`, { method: 'POST', body: { version: version(huge) } }), 404, 'version_not_kept', '1000000 bytes');
  }
});

test('a document with a byte order mark, or that is no UTF-8, is listed and read with its error and its own version', async () => {
  const [bom, latin] = [unique('bom'), unique('latin')];
  const bytes = { [bom]: Buffer.from('\uFEFF{"chain":["acme/a"]}'), [latin]: Buffer.from('{"chain":["acme/a"],"description":"caf\xe9"}', 'latin1') };
  for (const name of [bom, latin]) {
    await (await worker.kv()).put(`policy:${name}`, bytes[name]);
    await refused(await worker.chat(`policy/${name}`), 500, 'policy_invalid');
    const line = await listed(name);
    const one = await read(`/policies/${name}`);
    for (const shown of [line, one.body]) {
      assert.deepEqual([shown.version, shown.document], [version(bytes[name]), null]);
      assert.match(shown.error, /is not JSON/);
    }
    assert.equal((await put(name, { chain: ['acme/b'] }, { 'if-match': `"${line.version}"` })).status, 200);
    assert.equal((await put(name, { chain: ['acme/c'] }, { 'if-match': one.etag })).status, 412);
  }
  const kept = await read(`/policies/${bom}/rollback`, { method: 'POST' });
  assert.equal(kept.status, 422, 'its bytes were kept, and are no policy');
  await refused(await worker.admin(`/policies/${latin}/rollback`, { method: 'POST' }), 404, 'version_not_kept', 'UTF-8');
  const provider = unique('bom').toLowerCase();
  await (await worker.kv()).put(`provider:${provider}`, Buffer.from(`\uFEFF${JSON.stringify(upstream.provider('x'))}`));
  const { data } = (await read('/providers')).body;
  const shown = data.find(({ name }) => name === provider);
  assert.equal(shown.configured, false);
  assert.match(shown.error, /byte order mark/);
});

test('what is no UTF-8 is told of in a long list, too', async () => {
  const kv = await worker.kv();
  const prefix = unique('long');
  await Promise.all(Array.from({ length: 105 }, (_, n) => kv.put(`policy:${prefix}-${n}`, '{"chain":["acme/a"]}')));
  const latin = Buffer.from('{"chain":["acme/a"],"description":"caf\xe9"}', 'latin1');
  await kv.put(`policy:${prefix}-x`, latin);
  assert.deepEqual([(await listed(`${prefix}-x`)).version, (await listed(`${prefix}-1`)).error], [version(latin), undefined]);
  assert.match((await listed(`${prefix}-x`)).error, /is not JSON/);
});

test('a document that stands already makes no new version, however often it is put', async () => {
  const name = unique('same');
  const first = await put(name, { chain: ['acme/old'] });
  const second = await put(name, { chain: ['acme/new'] });
  for (let n = 0; n < 20; n++) {
    const again = await put(name, { chain: ['acme/new'] });
    assert.deepEqual([again.status, again.etag, again.body.updated_at], [200, second.etag, second.body.updated_at]);
  }
  const versions = (await read(`/policies/${name}/versions`)).body.data;
  assert.deepEqual(versions.map(({ version, current }) => [version, current]), [[second.body.version, true], [first.body.version, false]]);
  const audit = (await read('/audit')).body.data.filter((entry) => entry.name === `policy:${name}`);
  assert.equal(audit.length, 22, 'who did what is told all the same');
  assert.equal((await read(`/policies/${name}/rollback`, { method: 'POST' })).etag, first.etag);
  // The same bytes by other hands are published, since other isolates were never told of them.
  await worker.put(`policy:${name}`, JSON.stringify({ chain: ['acme/hand'] }));
  assert.equal((await put(name, { chain: ['acme/hand'] })).status, 200);
  assert.deepEqual((await read(`/policies/${name}/versions`)).body.data.map(({ action }) => action), ['put', 'rollback', 'put', 'put']);
});

test('a write that must make a document says that it is there', async () => {
  const name = unique('made');
  const { body } = await put(name, { chain: ['acme/a'] }, { 'if-none-match': '*' });
  for (const query of ['', '?dry_run=1']) {
    const again = await worker.admin(`/policies/${name}${query}`, { method: 'PUT', body: { chain: ['acme/b'] }, headers: { 'if-none-match': '*' } });
    await refused(again, 412, 'version_conflict', `policy:${name} is there already: its version is ${body.version}`);
  }
});

test('a policy that leads nowhere is shown with why, and logged once', async () => {
  const [outer, inner] = [unique('outer'), unique('inner')];
  await worker.put(`policy:${outer}`, { chain: ['acme/a', `policy/${inner}`] });
  for (let n = 0; n < 3; n++) await refused(await worker.chat(`policy/${outer}`), 500, 'policy_invalid', inner);
  for (const shown of [await listed(outer), (await read(`/policies/${outer}`)).body]) {
    assert.ok(shown.error.includes(`policy "${outer}": chain[1].model`) && shown.error.includes(inner), JSON.stringify(shown));
    assert.deepEqual(shown.document, { chain: ['acme/a', `policy/${inner}`] });
  }
  const logged = worker.logs.filter(({ message }) => message.includes('document_invalid') && message.includes(`policy:${outer}`));
  assert.equal(logged.length, 1, JSON.stringify(logged));
  assert.match(logged[0].message, /no good copy is known/);
  assert.equal((await put(inner, { chain: ['acme/b'] })).status, 200);
  assert.deepEqual([(await listed(outer)).error, (await read(`/policies/${outer}`)).body.error], [undefined, undefined]);
  assert.equal((await worker.chat(`policy/${outer}`)).status, 200);
});
