// What stands side by side: the yardstick, Understudy, the Portkey gateway, and the upstream that all of them ask.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inRoot } from '../../scripts/lib/project.mjs';
import { start } from './child.mjs';
import { POLICIES, UPSTREAMS } from './cases.mjs';
import { startStore } from './store.mjs';
import { startWorkerd } from './workerd.mjs';

const ADMIN_TOKEN = 'bench-admin-token';
const here = fileURLToPath(new URL('.', import.meta.url));
const wrangler = readFileSync(inRoot('wrangler.toml'), 'utf8');
export const DATE = /compatibility_date = "([^"]+)"/.exec(wrangler)[1];
const FLAGS = /compatibility_flags = \[(.*)\]/.exec(wrangler)[1].split(',').map((flag) => flag.trim().replaceAll('"', ''));

export async function startUpstream() {
  const child = start(process.execPath, [join(here, 'upstream.mjs'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`the upstream ended with ${code}`)));
    child.stdout.on('data', (text) => resolve(Number(String(text).match(/\d+/)[0])));
  });
  return { pid: child.pid, port, url: `http://127.0.0.1:${port}`, close: () => child.kill() };
}

export const startYardstick = (upstream) =>
  startWorkerd([{ name: 'passthrough', modules: [{ name: 'passthrough.js', esModule: join(here, 'passthrough.js') }], date: DATE, bindings: { UPSTREAM: upstream.url } }]);

/** The platform's calls that keeping the contract takes, by hand (byhand.js). */
export const startByHand = (upstream) =>
  startWorkerd([{ name: 'byhand', modules: [{ name: 'byhand.js', esModule: join(here, 'byhand.js') }], date: DATE, flags: FLAGS, bindings: { UPSTREAM: upstream.url, LEDGER: { objects: 'Ledger' } }, objects: ['Ledger'] }]);

const BUILT = [
  { name: 'index.js', esModule: inRoot('build', 'index.js') },
  { name: 'index_bg.wasm', wasm: inRoot('build', 'index_bg.wasm') },
];

/**
 * Understudy, with the policies of the cases, a store in this process and a gateway key.
 *
 * `ledger`: `within` keeps the Durable Objects in the process; `apart` puts them into a second one, whose pid is
 * `ledgerPid` and whose calls are counted. `distanceMs` is how long store and objects (`apart`) take to answer at least.
 */
export async function startUnderstudy(upstream, { ledger = 'within', distanceMs = 0, vars = {}, policies = POLICIES, documents = {}, upstreams = UPSTREAMS } = {}) {
  const store = await startStore({ distanceMs });
  for (const name of upstreams) {
    store.put(`provider:${name}`, { base_url: `${upstream.url}/${name}`, auth: { header: 'authorization', scheme: 'Bearer', secret: 'ACME_API_KEY' } });
  }
  for (const [name, policy] of Object.entries(policies)) store.put(`policy:${name}`, policy);
  for (const [name, document] of Object.entries(documents)) store.put(name, document);
  const bindings = { ADMIN_TOKEN, ACME_API_KEY: 'sk-acme-managed-0123456789', AUTH: 'keys', POLICY_TTL_MS: '30000', ...vars, POLICIES: { kv: store.port } };
  const worker = { date: DATE, flags: FLAGS, modules: BUILT, bindings };
  const objects = { LEDGER: { objects: 'Ledger' } };
  let apart = null;
  let main;
  if (ledger === 'within') {
    main = await startWorkerd([{ ...worker, name: 'understudy', bindings: { ...bindings, ...objects }, objects: ['Ledger'] }]);
  } else {
    const holder = { date: DATE, flags: FLAGS, modules: [{ name: 'objects.js', esModule: join(here, 'objects.js') }, ...BUILT], objects: ['Counted'], bindings: { ...bindings, DISTANCE_MS: String(distanceMs), LEDGER: { objects: 'Counted' } } };
    apart = await startWorkerd([{ ...holder, name: 'objects' }]);
    const proxy = { name: 'proxy', date: DATE, modules: [{ name: 'proxy.js', esModule: join(here, 'proxy.js') }], objects: ['Ledger'], bindings: { THERE: { http: apart.port } } };
    main = await startWorkerd([{ ...worker, name: 'understudy', bindings: { ...bindings, LEDGER: { objects: 'Ledger', from: 'proxy' } } }, proxy]);
  }
  const admin = (path, { method = 'GET', body } = {}) =>
    fetch(`${main.url}/admin${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
  const made = await admin('/keys', { method: 'POST', body: { name: 'bench', allow: ['policy/*'] } });
  if (made.status !== 201) throw new Error(`no key: ${made.status} ${await made.text()}\n${main.said()}`);
  const { key } = await made.json();
  return {
    ...main,
    key,
    store,
    admin,
    ledgerPid: apart?.pid ?? null,
    /** Calls that the ledger's objects have had (`apart`). */
    calls: async () => Number(await (await fetch(`${apart.url}/calls`)).text()),
    async close() {
      await main.close();
      await apart?.close();
      store.close();
    },
  };
}

export const PORTKEY = '1.15.2';
/** Its streams answer 500 with any newer one (Portkey-AI/gateway, issue 1389). */
const PORTKEY_HTTP = '1.13.8';

/**
 * The Portkey gateway as it is published, on Node. It is no dependency of this project: it is installed into
 * target/bench/portkey when it is measured first. Null, with the reason said, where that is not possible.
 */
export async function startPortkey(note) {
  const folder = inRoot('target', 'bench', 'portkey');
  const script = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  if (!existsSync(script)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, overrides: { '@hono/node-server': PORTKEY_HTTP } }));
    note(`installing @portkey-ai/gateway ${PORTKEY} into target/bench/portkey`);
    const code = await start('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1', '--loglevel=error', `@portkey-ai/gateway@${PORTKEY}`], { cwd: folder, stdio: 'ignore' }).gone;
    if (code !== 0) return note(`@portkey-ai/gateway could not be installed: measured without it`), null;
  }
  const port = await freePort();
  const child = start(process.execPath, [script, `--port=${port}`, '--headless'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NODE_ENV: 'production' } });
  let said = '';
  child.stderr.on('data', (chunk) => (said = (said + chunk).slice(-5_000)));
  for (let tries = 0; ; tries++) {
    const up = await fetch(`http://127.0.0.1:${port}/`).then((response) => response.ok, () => false);
    if (up) break;
    if (tries > 100 || child.exitCode !== null) return note(`@portkey-ai/gateway does not start: measured without it\n${said}`), child.kill(), null;
    await new Promise((done) => setTimeout(done, 100));
  }
  return { pid: child.pid, port, close: () => child.kill() };
}

/** Portkey's way to say "the first target, then the second", in a header. */
export const portkeyConfig = (upstream, first) =>
  JSON.stringify({ strategy: { mode: 'fallback' }, targets: [first, 'ok'].map((base) => ({ provider: 'openai', api_key: 'sk-bench', custom_host: `${upstream.url}/${base}`, override_params: { model: 'bench' } })) });

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
