// `npm start` as a newcomer runs it: on a free port, with this checkout's local state.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { root } from './worker.mjs';

const run = (env) => {
  const child = spawn(process.execPath, [join(root, 'scripts/run.mjs'), 'start'], { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const run = { child, text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (run.text += chunk));
  run.ended = new Promise((resolve) => child.on('close', resolve));
  return run;
};

test('npm start serves policy/demo, the dashboard and the admin API, and ends whole', { timeout: 600_000 }, async () => {
  const started = run({ PORT: '0' });
  while (!/base_url +(\S+)/.test(started.text) && started.child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 50));
  const base = started.text.match(/base_url +(\S+)/)?.[1];
  assert.ok(base, started.text);
  try {
    const client = new OpenAI({ baseURL: base, apiKey: 'none', maxRetries: 0 });
    const { data, response } = await client.chat.completions.create({ model: 'policy/demo', messages: [{ role: 'user', content: 'Hello' }] }).withResponse();
    assert.ok(data.choices[0].message.content);
    assert.equal(response.headers.get('x-understudy-model'), 'sim/echo');
    assert.equal(response.headers.get('x-understudy-fallback'), 'true');
    assert.match(started.text, /curl .*\n.*policy\/demo/);
    const token = started.text.match(/ADMIN_TOKEN +(\S+)/)[1];
    const admin = await fetch(`${base.replace('/v1', '')}/admin/policies/demo`, { headers: { authorization: `Bearer ${token}` } });
    if (!token.startsWith('(')) assert.equal(admin.status, 200);
    const page = await fetch(`${base.replace('/v1', '')}/`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type'), /^text\/html/);
    assert.match(page.headers.get('content-security-policy'), /default-src/);
    // Routed by wrangler as it is when deployed: its own answer would be bare.
    const wrong = await fetch(`${base.replace('/v1', '')}/`, { method: 'POST' });
    assert.deepEqual([wrong.status, wrong.headers.get('allow'), (await wrong.json()).error.code], [405, 'GET, HEAD', 'method_not_allowed']);
    await editIsSeen(client);
  } finally {
    started.child.kill('SIGINT');
    await started.ended;
  }
  await assert.rejects(fetch(`${base.replace('/v1', '')}/healthz`));
});

const SLOW = 'sim/slow?first_token_ms=1&tokens=1';

/** An edit by the wrangler of this checkout, as the greeting shows it, is used within the 2 s of POLICY_TTL_MS. */
async function editIsSeen(client) {
  const wrangler = (...args) => promisify(execFile)(process.execPath, [join(root, 'node_modules/wrangler/bin/wrangler.js'), 'kv', 'key', ...args, '--binding', 'POLICIES'], { cwd: root, env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' } });
  const answerer = async () => {
    const { response } = await client.chat.completions.create({ model: 'policy/start-test', messages: [{ role: 'user', content: 'Hello' }] }).withResponse();
    return response.headers.get('x-understudy-model');
  };
  await wrangler('put', 'policy:start-test', '{"chain":["sim/echo"]}', '--local');
  assert.equal(await answerer(), 'sim/echo');
  // Without `--remote` it is the local copy, whether `--local` is said or not.
  await wrangler('put', 'policy:start-test', JSON.stringify({ chain: [SLOW] }));
  const until = Date.now() + 2000;
  let seen;
  do seen = await answerer();
  while (seen === 'sim/echo' && Date.now() < until);
  assert.equal(seen, SLOW);
  await wrangler('delete', 'policy:start-test', '--local');
}

test('a port that is taken is said, with what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  const refused = run({ PORT: String(port) });
  assert.equal(await refused.ended, 1);
  assert.match(refused.text, new RegExp(`Port ${port} .*is taken.*PORT=`));
  server.close();
});
