// Serves the Worker on workerd from this machine's disk: what `npm start` does after set-up and build.
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { build } from './build.mjs';
import { devVar, inRoot } from './lib/project.mjs';
import { Problem, ended, say, start } from './lib/steps.mjs';

export const help = `npm start [-- <arguments of wrangler dev>]

Installs what is needed, builds the Worker and serves it on http://127.0.0.1:8787, with local KV and Durable Object
under .wrangler/. PORT=9000 npm start serves on another port; HOST=0.0.0.0 serves beyond this machine.

.dev.vars holds secrets and variables, one NAME=value a line. Where it does not set them, AUTH=off, SIM=on and
POLICY_TTL_MS=2000 hold; an ADMIN_TOKEN is made and kept there when there is none.`;

const DEFAULTS = { AUTH: 'off', SIM: 'on', POLICY_TTL_MS: '2000' };

export const DEMOS = {
  demo: { description: 'The first target is overloaded, the second answers', chain: ['sim/overloaded', 'sim/echo'] },
  'demo-retry': { description: 'Two more tries of a failing target, then the next', chain: [{ model: 'sim/server_error', retries: 2 }, 'sim/echo'] },
  'demo-slow': {
    description: 'The first token does not come within a second, so another target answers',
    chain: [{ model: 'sim/slow?first_token_ms=5000&tokens=20', timeouts: { first_token_ms: 1000, attempt_ms: 1000 } }, 'sim/echo'],
  },
  'demo-cut': {
    description: 'A stream that breaks off is begun anew at the next target: the client sees one whole answer',
    chain: ['sim/cut?after=3', 'sim/echo'],
    stream: { commit: 'complete' },
  },
};

export async function run(args) {
  const host = process.env.HOST || '127.0.0.1';
  const port = await freePort(host);
  await build();
  const token = adminToken();
  await seedDemos();

  const vars = Object.entries(DEFAULTS).filter(([name]) => devVar(name) === undefined);
  const dev = start(
    'wrangler',
    [
      'dev', '--port', port, '--ip', host, '--inspector-port', '0', '--show-interactive-dev-session=false', '--log-level', 'warn',
      ...vars.flatMap(([name, value]) => ['--var', `${name}:${value}`]), ...args,
    ].map(String),
    { stdio: ['ignore', 'inherit', 'inherit'], group: true },
  );
  const end = ended(dev);
  const base = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
  await Promise.race([answers(`${base}/healthz`), end.then((code) => { throw new Problem(`wrangler dev ended with ${code} before it served`); })]);
  greet(base, token);
  return end;
}

function greet(base, token) {
  // What is set here beats the default: then a request needs a key, and none is there to be shown.
  const keys = (devVar('AUTH') ?? DEFAULTS.AUTH) !== 'off';
  say('Understudy is up. Ctrl-C ends it.');
  console.log(`
  base_url    ${base}/v1
  dashboard   ${base}/
  ADMIN_TOKEN ${token ?? '(ADMIN_TOKENS in .dev.vars)'}

Try it: the first target of policy/demo is overloaded, the second answers.${keys ? ' .dev.vars asks for keys: make one on the dashboard.' : ''}

  curl -i ${base}/v1/chat/completions -H 'content-type: application/json' \\${keys ? `\n    -H 'authorization: Bearer <your gateway key>' \\` : ''}
    -d '{"model":"policy/demo","messages":[{"role":"user","content":"Hello"}]}'

Put a policy of your own, and the next request uses it:

  npx wrangler kv key put --binding POLICIES --local policy:mine '{"chain":["sim/rate_limited","sim/echo"]}'
`);
}

/** The port to serve on, checked before the long build rather than after it. */
async function freePort(host) {
  const text = process.env.PORT || '8787';
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Problem(`PORT is "${text}", expected a number from 0 to 65535`);
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const what = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${error.code})`;
      reject(new Problem(`Port ${port} on ${host} ${what}. Serve on another one: PORT=${port + 1 > 65535 ? 8787 : port + 1} npm start`));
    });
    server.listen(port, host, () => {
      const chosen = server.address().port;
      server.close(() => resolve(chosen));
    });
  });
}

/** The local admin token: made once, kept in .dev.vars. */
function adminToken() {
  const known = devVar('ADMIN_TOKEN');
  if (known) return known;
  if (devVar('ADMIN_TOKENS')) return undefined;
  const path = inRoot('.dev.vars');
  const token = randomBytes(24).toString('base64url');
  const separator = existsSync(path) && !/(^|\n)$/.test(readFileSync(path, 'utf8')) ? '\n' : '';
  appendFileSync(path, `${separator}ADMIN_TOKEN=${token}\n`, { mode: 0o600 });
  return token;
}

/** Puts the demo policies that are missing into the local KV, which wrangler keeps under .wrangler/. */
async function seedDemos() {
  const { getPlatformProxy } = await import('wrangler');
  // A config of the KV namespace alone: the proxy runs no Worker, and would warn of a Durable Object without one.
  const configPath = inRoot('target', 'seed', 'wrangler.json');
  mkdirSync(dirname(configPath), { recursive: true });
  writeFileSync(configPath, JSON.stringify({ name: 'understudy', compatibility_date: '2026-07-28', kv_namespaces: [{ binding: 'POLICIES' }] }));
  const proxy = await getPlatformProxy({ configPath, envFiles: [], persist: { path: inRoot('.wrangler', 'state', 'v3') } });
  for (const [name, policy] of Object.entries(DEMOS)) {
    const key = `policy:${name}`;
    if ((await proxy.env.POLICIES.get(key)) === null) await proxy.env.POLICIES.put(key, JSON.stringify(policy, null, 2));
  }
  await proxy.dispose();
}

/** Resolves once the URL answers 200; wrangler needs a few seconds, more when it rebuilds. */
async function answers(url) {
  for (;;) {
    const status = await fetch(url).then((response) => response.status, () => 0);
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
