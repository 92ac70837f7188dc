// The project's own commands, as their users run them: verify, policies, deploy's look at what is deployed, release.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { plus, recorded, told } from '../../scripts/lib/fuzzed.mjs';
import { judge, storedDocuments } from '../../scripts/lib/preflight.mjs';
import { versioned } from '../../scripts/release.mjs';
import { answer, openaiError, startUpstream, status } from './upstream.mjs';
import { ADMIN_TOKEN, root, startWorker } from './worker.mjs';

const upstream = await startUpstream();
const worker = await startWorker({ vars: { AUTH: 'keys' } });
after(() => Promise.all([worker.close(), upstream.close()]));
await worker.put('provider:acme', upstream.provider('acme'));
const SOLID = { chain: ['acme/one', 'acme/two'], breaker: null };
await worker.put('policy:solid', SOLID);
upstream.on('acme/understudy-verify-no-such-model', status(404));
const { key } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'all' } })).json();

const folder = () => mkdtempSync(join(tmpdir(), 'commands-'));

/** Runs a command; answers its exit code and what it printed. */
function run(command, args, env = {}, cwd = root) {
  const clean = { ...process.env, ADMIN_TOKEN: '', UNDERSTUDY_KEY: '', UNDERSTUDY_URL: worker.url, ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(cwd, 'scripts/run.mjs'), command, ...args], { cwd, env: clean, timeout: 120_000 }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: stdout + stderr }));
  });
}

const WITH_TOKEN = { ADMIN_TOKEN };
const LINES = ['models', 'auth refused', 'first call', 'stream', 'forced fallback', 'error shape'];
const lines = (text) => text.trim().split('\n');

test('verify: six lines, with a drill and without', async () => {
  for (const token of ['', ADMIN_TOKEN]) {
    const { code, text } = await run('verify', [worker.url], { UNDERSTUDY_KEY: key, ADMIN_TOKEN: token });
    assert.deepEqual(lines(text).map((line) => line.slice(0, 22).trim().replace(/ +/, ' ')), LINES.map((name) => `ok ${name}`), text);
    assert.equal(code, 0);
    assert.match(text, token ? /acme\/one=overloaded\S*, acme\/two=ok/ : /no-such-model=not_found\S*, acme\/one=ok/);
  }
  // The trail writes it percent-encoded, the drill has it as it is.
  await worker.put('policy:odd', { chain: ['acme/m?size=7', 'acme/two'] });
  const odd = await run('verify', [worker.url, '--model', 'policy/odd'], { UNDERSTUDY_KEY: key, ...WITH_TOKEN });
  assert.match(odd.text, /acme\/m%3Fsize%3D7=overloaded\S*, acme\/two=ok/);
  assert.equal(odd.code, 0, odd.text);
  await worker.remove('policy:odd');
});

test('verify: a policy of models that take no max_tokens is healthy', async () => {
  const refusal = openaiError("Unsupported parameter: 'max_tokens' is not supported with this model.", 'invalid_request_error', 'unsupported_parameter');
  const picky = (call) => ('max_tokens' in call.json ? status(400, refusal) : answer('ready')(call));
  for (const name of ['o3', 'gpt-5']) upstream.on(`acme/${name}`, picky);
  await worker.put('policy:reasoning', { chain: ['acme/o3', 'acme/gpt-5'], breaker: null });
  const { code, text } = await run('verify', [worker.url, '--model', 'policy/reasoning'], { UNDERSTUDY_KEY: key, ...WITH_TOKEN });
  assert.equal(code, 0, text);
  await worker.remove('policy:reasoning');
});

test('verify: what fails says why, and the command ends with 1', async () => {
  const cases = [
    [{ UNDERSTUDY_KEY: '' }, /^FAIL +models +a gateway key is needed/m],
    [{ UNDERSTUDY_KEY: 'us-wrong' }, /^FAIL +models +the gateway key is refused/m],
    [{ UNDERSTUDY_KEY: key }, /^FAIL +first call .*acme\/broken.*\n[\s\S]*^FAIL +forced fallback/m, ['--model', 'acme/broken']],
    [{ UNDERSTUDY_KEY: key, ...WITH_TOKEN }, /^FAIL +forced fallback +acme\/one has no second hop/m, ['--model', 'acme/one']],
  ];
  upstream.on('acme/broken', status(500, { error: { message: 'acme/broken is down', type: 'x', param: null, code: null } }));
  for (const [env, said, more = []] of cases) {
    const { code, text } = await run('verify', [worker.url, ...more], env);
    assert.match(text, said);
    assert.equal(code, 1, text);
  }
  const nobody = await run('verify', ['http://127.0.0.1:9'], {});
  assert.match(nobody.text, /^FAIL +models +no answer: /m);
});

test('policies: pull, edit, diff, push, and nothing left to do', async () => {
  const at = folder();
  assert.equal((await run('policies', ['pull', at], WITH_TOKEN)).code, 0);
  const path = join(at, 'policies/solid.json');
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), SOLID);
  assert.deepEqual(readdirSync(join(at, 'providers')), ['acme.json']);
  assert.match((await run('policies', ['diff', at], WITH_TOKEN)).text, /No difference: 2 documents/);

  // `above` sorts before `below`, which it nests, and so can only be published after it.
  writeFileSync(path, JSON.stringify({ ...SOLID, chain: ['acme/one', { model: 'acme/two', retries: 2 }] }));
  writeFileSync(join(at, 'policies/above.json'), JSON.stringify({ chain: ['policy/below'] }));
  writeFileSync(join(at, 'policies/below.json'), JSON.stringify({ chain: ['acme/one'] }));
  const differs = await run('policies', ['diff', at], WITH_TOKEN);
  assert.equal(differs.code, 1);
  assert.match(differs.text, /\+ policies\/below\n\+ policies\/above\n~ policies\/solid\n {4}chain\[1\]: "acme\/two" -> \{"model":"acme\/two","retries":2\}/);
  const pushed = await run('policies', ['push', at], WITH_TOKEN);
  assert.equal(pushed.code, 0, pushed.text);
  assert.match(pushed.text, /~ policies\/solid@[0-9a-f]{8}\n.*3 published/);
  assert.match((await run('policies', ['push', at], WITH_TOKEN)).text, /Nothing to publish/);
  const audit = await (await worker.admin('/audit')).json();
  assert.equal(audit.data.filter((line) => /"policy:/.test(JSON.stringify(line))).length, 3);

  await worker.put('policy:extra', SOLID);
  assert.match((await run('policies', ['diff', at], WITH_TOKEN)).text, /- policies\/extra {3}\(kept/);
  assert.match((await run('policies', ['push', at, '--prune'], WITH_TOKEN)).text, /- policies\/extra\n.*1 published/);
  assert.equal((await worker.admin('/policies/extra')).status, 404);
});

test('policies: what is wrong is said with its place, and nothing of it is published', async () => {
  const at = folder();
  mkdirSync(join(at, 'policies'));
  writeFileSync(join(at, 'policies/good.json'), JSON.stringify({ chain: ['openai/gpt-4o'] }));
  const fine = await run('policies', ['lint', at]);
  assert.deepEqual([fine.code, /no error/.test(fine.text), /secret/.test(fine.text)], [0, true, false], fine.text);
  writeFileSync(join(at, 'policies/bad.json'), JSON.stringify({ chain: [{ model: 'openai/gpt-4o', retries: 11 }] }));
  writeFileSync(join(at, 'rules.json'), '{"rules": {}, "rulesets": [{"name": "r", "rules": ["missing"]}]}');
  for (const [args, env] of [[['lint', at], {}], [['push', at], WITH_TOKEN]]) {
    const { code, text } = await run('policies', args, env);
    assert.equal(code, 1);
    assert.match(text, /error +policies\/bad: chain\[0\]\.retries: .*11 is not in 0\.\.=10/);
    assert.match(text, /error +rules: .*missing/);
  }
  assert.equal((await worker.admin('/policies/good')).status, 404);
  writeFileSync(join(at, 'stray.json'), '{}');
  assert.match((await run('policies', ['lint', at])).text, /stray\.json has no place/);
});

test('policies: no token, a wrong one, nobody there, no folder, no such word', async () => {
  const at = folder();
  const cases = [
    [['pull', at, '--url', 'https://understudy.example.com'], {}, /admin token of https:\/\/understudy\.example\.com is needed/],
    [['pull', at], { ADMIN_TOKEN: 'wrong' }, /refuses the admin token/],
    [['pull', at, '--url', 'http://127.0.0.1:9'], WITH_TOKEN, /does not answer .*npm start/],
    [['lint', join(at, 'none')], {}, /There is no folder/],
    [['lint', at, '--colour'], {}, /Unknown option '--colour'[\s\S]*npm run policies/],
    [['publish', at], {}, /npm run policies -- pull\|push\|diff\|lint/],
  ];
  for (const [args, env, said] of cases) {
    const { code, text } = await run('policies', args, env);
    assert.match(text, said);
    assert.deepEqual([code, /\n\s+at /.test(text)], [1, false], text);
  }
});

test('deploy: every document in KV is read by the version to come, and missing secrets are named', async () => {
  await worker.put('policy:old', { chain: ['openai/gpt-4o'], no_longer: true });
  await worker.put('policy:mistral', { chain: ['mistral/mistral-large-latest'] });
  const documents = await storedDocuments(['--local', '--persist-to', worker.state]);
  assert.ok(documents.has('policies/old') && documents.has('providers/acme') && ![...documents.keys()].some((place) => place.startsWith('key:')));
  const bad = await judge({ documents, secrets: ['ACME_API_KEY'] });
  assert.equal(bad.errors, 1);
  assert.match(bad.lines.join('\n'), /error +policies\/old: no_longer/);
  assert.match(bad.lines.join('\n'), /missing ADMIN_TOKEN[\s\S]*missing MISTRAL_API_KEY .*wrangler secret put MISTRAL_API_KEY/);
  await worker.remove('policy:old');
  documents.delete('policies/old');
  assert.deepEqual(await judge({ documents, secrets: ['ACME_API_KEY', 'ADMIN_TOKENS', 'MISTRAL_API_KEY'] }), { lines: [], errors: 0 });
});

test('release: versions, a dated changelog, and what keeps it from being made', async () => {
  const today = '2030-01-31';
  const now = (file, text) => versioned(file, text, '0.1.0', '0.2.0', today);
  assert.equal(now('CHANGELOG.md', '# Changes\n\n## Unreleased\n\n- a\n'), `# Changes\n\n## 0.2.0, ${today}\n\n- a\n`);
  for (const file of ['Cargo.toml', 'Cargo.lock', 'package.json', 'package-lock.json']) {
    const text = readFileSync(join(root, file), 'utf8');
    const current = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
    const changed = versioned(file, text, current, '9.8.7');
    assert.equal(changed.split('9.8.7').length - 1, file === 'package-lock.json' ? 2 : 1, file);
    assert.equal(changed.length, text.length + (changed.split('9.8.7').length - 1) * (5 - current.length), file);
  }

  // A checkout of its own, with the commands and nothing to build.
  const at = folder();
  for (const path of ['scripts', 'package.json', 'package-lock.json', 'Cargo.toml', 'Cargo.lock']) cpSync(join(root, path), join(at, path), { recursive: true });
  cpSync(join(root, 'node_modules/.installed'), join(at, 'node_modules/.installed'));
  mkdirSync(join(at, '.ci'));
  writeFileSync(join(at, '.gitignore'), 'node_modules\ntarget\n');
  writeFileSync(join(at, 'CHANGELOG.md'), '# Changes\n');
  const git = (...args) => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: at, encoding: 'utf8' });
  const commit = () => (git('add', '--all'), git('commit', '--quiet', '--message', 'All'));
  git('init', '--quiet');
  const identity = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com' };
  const release = (...args) => run('release', args, identity, at);
  const refused = async (said, ...args) => {
    const { code, text } = await release(...args);
    assert.match(text, said);
    assert.equal(code, 1);
  };
  writeFileSync(join(at, '.ci/run'), 'exit 1\n');
  await refused(/not committed/, '0.2.0');
  commit();
  await refused(/A version is needed/, 'latest');
  await refused(/older than/, '0.0.9');
  git('tag', 'v0.1.5');
  await refused(/is tagged already/, '0.1.5');
  await refused(/no section "## Unreleased"/, '0.2.0');
  writeFileSync(join(at, 'CHANGELOG.md'), '# Changes\n\n## Unreleased\n\n- a\n');
  commit();
  await refused(/A check failed/, '0.2.0');
  assert.equal(git('status', '--porcelain'), '', 'the files are as they were');
  writeFileSync(join(at, '.ci/run'), 'grep -q \'"version": "0.2.0"\' package.json\n');
  commit();
  assert.match((await release('0.2.0', '--dry-run')).text, /could be released/);
  const made = await release('0.2.0');
  assert.equal(made.code, 0, made.text);
  assert.equal(git('describe', '--exact-match').trim(), 'v0.2.0');
});

test('every command has its help, and an unknown one says which there are', async () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of Object.keys(scripts)) {
    const { code, text } = await run(name, ['--help']);
    assert.equal(code, 0);
    assert.match(text, new RegExp(`npm (run )?${name}`), name);
  }
  const unknown = await run('dance', []);
  assert.equal(unknown.code, 2);
  for (const name of Object.keys(scripts)) assert.match(unknown.text, new RegExp(`^ {2}${name} `, 'm'));
});

test('fuzz: what each parser ran adds up on the page that records it', () => {
  const page = readFileSync(join(root, 'docs/fuzzing.md'), 'utf8');
  const before = recorded(page);
  assert.deepEqual([...before.keys()].sort(), readdirSync(join(root, 'tests/fuzz/corpus')).sort(), 'every parser has its row');
  assert.equal(told(page, before), page, 'the page is as the command writes it');
  const { seconds, runs, edges, kept } = before.get('sse');
  const after = recorded(told(page, new Map(before).set('sse', plus(before.get('sse'), { seconds: 3600, runs: 12_345, edges: edges - 1, kept: 1 }))));
  assert.deepEqual(after.get('sse'), { seconds: seconds + 3600, runs: runs + 12_345, edges, kept });
  assert.deepEqual(after.get('query'), before.get('query'));
});
