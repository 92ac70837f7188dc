// `npm start` as a newcomer runs it: on a free port, with this checkout's local state.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
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
  } finally {
    started.child.kill('SIGINT');
    await started.ended;
  }
  await assert.rejects(fetch(`${base.replace('/v1', '')}/healthz`));
});

test('a port that is taken is said, with what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  const refused = run({ PORT: String(port) });
  assert.equal(await refused.ended, 1);
  assert.match(refused.text, new RegExp(`Port ${port} .*is taken.*PORT=`));
  server.close();
});
