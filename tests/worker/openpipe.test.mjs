// OpenPipe's own packages, npm and PyPI, with the samples of their page, led to the Worker by their base URL and nothing else.
// They send `op-*` headers, fall back in the client, and report what came of it to `/v1/report`.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { python } from './python.mjs';
import { rig } from './rig.mjs';
import { STALL, answer, status } from './upstream.mjs';
import { root } from './worker.mjs';

const here = join(root, 'tests/worker/openpipe');
const { worker, upstream } = await rig({ vars: { AUTH: undefined } });
const { key } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'openpipe' } })).json();

await worker.put('provider:openpipe', upstream.provider('openpipe'));
await worker.put('provider:openai', upstream.provider('openai'));
// Not a failure that their client tries again by itself, or that a breaker counts: what is tested is the fallback.
upstream.on('openpipe/my-ft-model', status(404));
upstream.on('openpipe/my-slow-model', [STALL]);
upstream.on('openpipe/ruled-model', status(503));
upstream.on('openai/gpt-4-turbo', answer(['one ', 'two']));
upstream.on('other/gpt-4-turbo', answer('from the other client'));
upstream.on('acme/ruled', answer('by the rule'));
await worker.put('rules', { rules: { r: { when: { model: 'openpipe:ruled-*', 'metadata.prompt_id': 'count' }, then: { fallback: ['acme/ruled'] } } }, rulesets: [{ name: 's', rules: ['r'] }] });

const env = { ...process.env, OPENPIPE_BASE_URL: worker.base, OPENAI_BASE_URL: worker.base, OTHER_BASE_URL: `${upstream.url}/other/v1`, OPENPIPE_API_KEY: key, OPENAI_API_KEY: key };
const EXPECTED = { fallback: 'one two', timeout: 'one two', client: 'from the other client', stream: 'one two', ruled: 'by the rule', none: 404 };

/** OpenPipe's npm package in target/openpipe, as the lock file pins it; the reason when it cannot be had. */
function npmPackage() {
  const folder = join(root, 'target/openpipe');
  const lock = 'package-lock.json';
  const installed = () => existsSync(join(folder, 'node_modules/openpipe/package.json')) && readFileSync(join(folder, lock), 'utf8') === readFileSync(join(here, lock), 'utf8');
  if (!installed()) {
    console.log('Installing OpenPipe’s package into target/openpipe (about 10 seconds, once)');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const file of ['package.json', lock]) cpSync(join(here, file), join(folder, file));
    const { status, stderr } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) return { missing: `npm cannot install openpipe: ${stderr.trim().split('\n').at(-1)}` };
  }
  cpSync(join(here, 'samples.mjs'), join(folder, 'samples.mjs'));
  return { run: [process.execPath, join(folder, 'samples.mjs')] };
}

for (const [name, { run, missing }] of Object.entries({ 'npm openpipe 1.0.0': npmPackage(), 'PyPI openpipe 5.0.0': python('openpipe', join(here, 'requirements.txt'), join(here, 'samples.py')) })) {
  if (missing) console.log(`Skipped: ${missing}`);
  test(`${name}: the samples of its page`, { skip: missing }, async () => {
    const before = upstream.log.length;
    const { stdout } = await promisify(execFile)(run[0], run.slice(1), { env, timeout: 120_000 });
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1)), EXPECTED, stdout);
    const calls = upstream.log.slice(before);
    assert.ok(calls.some(({ target }) => target === 'openpipe/my-ft-model') && calls.some(({ target }) => target === 'openai/gpt-4-turbo'));
    for (const call of calls.filter(({ provider }) => provider !== 'other')) {
      assert.ok(!JSON.stringify(call.headers).includes(key) && !Object.keys(call.headers).some((header) => header.startsWith('op-')), JSON.stringify(call.headers));
    }
  });
}

test('their report is taken', async () => {
  const report = await worker.post('/v1/report', { requestedAt: 1, receivedAt: 2, reqPayload: { model: 'gpt-4-turbo' }, respPayload: {}, statusCode: 200, tags: { $sdk: 'typescript' } }, { authorization: `Bearer ${key}` });
  assert.deepEqual([report.status, await report.json()], [200, { status: 'ok' }]);
});
