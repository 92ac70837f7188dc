// Starts the built Worker on workerd, with a KV and a Durable Object of its own, served without a development proxy.
//
//   const worker = await startWorker({ vars: { AUTH: 'keys' }, secrets: { ACME_API_KEY: 'sk-acme' } });
//   await worker.put('policy:p', { chain: ['acme/m1', 'acme/m2'] });
//   await worker.openai().chat.completions.create({ model: 'policy/p', messages })
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { Miniflare, convertV4MiniflareOptions } from 'miniflare';
import OpenAI from 'openai';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const ADMIN_TOKEN = 'test-admin-token';

const config = readFileSync(join(root, 'wrangler.toml'), 'utf8');
const compatibilityDate = config.match(/compatibility_date = "([^"]+)"/)[1];
const compatibilityFlags = config.match(/compatibility_flags = \[(.*)\]/)[1].split(',').map((flag) => flag.trim().replaceAll('"', ''));

/** Every KV edit is seen by the next request (POLICY_TTL_MS=0) and no key is asked for, unless a test says otherwise. */
const DEFAULT_VARS = { AUTH: 'off', SIM: 'on', POLICY_TTL_MS: '0' };

/**
 * `world` answers every call that the Worker makes, in place of the network: for providers at their own addresses. `entry` is a
 * module (its text) that stands before the Worker's own, `./index.js`; `probe` puts ledger-probe.js there. `twin` starts a second
 * Worker, an isolate of its own, on the same KV and the same ledger.
 */
export async function startWorker({ vars = {}, secrets = {}, assets = false, inspectorPort, world, entry, probe = false, twin = false, state = freshState() } = {}) {
  const logs = [];
  const bindings = { ...DEFAULT_VARS, ADMIN_TOKEN, ACME_API_KEY: 'sk-acme-managed-0123456789', ...vars, ...secrets };
  for (const name of Object.keys(bindings)) if (bindings[name] === undefined) delete bindings[name];
  const first = entry ?? (probe ? readFileSync(join(root, 'tests', 'worker', 'ledger-probe.js'), 'utf8') : undefined);
  const code = {
    modulesRoot: join(root, 'build'),
    modules: [
      ...(first ? [{ type: 'ESModule', path: join(root, 'build', 'entry.js'), contents: first }] : []),
      { type: 'ESModule', path: join(root, 'build', 'index.js') },
      { type: 'CompiledWasm', path: join(root, 'build', 'index_bg.wasm') },
    ],
    compatibilityDate,
    compatibilityFlags,
    bindings,
    kvNamespaces: { POLICIES: 'POLICIES' },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  };
  const options = () =>
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      inspectorPort,
      telemetry: { enabled: false },
      resourcePersistencePath: join(state, 'v3'),
      handleStructuredLogs: (line) => logs.push(line),
      workers: [
        {
          name: 'understudy',
          ...code,
          durableObjects: { LEDGER: { className: 'Ledger', useSQLite: true } },
          // Only where a page is wanted: the asset router stands before the Worker, as it does when deployed.
          ...(assets ? { assets: { directory: join(root, 'dist'), binding: 'ASSETS', routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: true } } } : {}),
          ...(world ? { outboundService: world } : {}),
        },
        ...(twin ? [{ name: 'twin', ...code, durableObjects: { LEDGER: { className: 'Ledger', scriptName: 'understudy', useSQLite: true } } }] : []),
      ],
    });
  let miniflare;
  const worker = {
    logs,
    state,
    async start() {
      miniflare = new Miniflare(options());
      await miniflare.ready;
      worker.url = (await miniflare.unsafeGetDirectURL('understudy')).href.replace(/\/$/, '');
      worker.base = `${worker.url}/v1`;
      if (twin) {
        const url = (await miniflare.unsafeGetDirectURL('twin')).href.replace(/\/$/, '');
        worker.twin = { url, ...client(() => url) };
      }
    },
    async stop() {
      await miniflare.dispose();
    },
    /** Ends the process and starts another on the same state: in-isolate copies are gone, storage stays. */
    async restart() {
      await worker.stop();
      await worker.start();
    },
    async close() {
      await worker.stop();
      rmSync(state, { recursive: true, force: true });
    },
    kv: () => miniflare.getKVNamespace('POLICIES'),
    put: async (key, value) => (await worker.kv()).put(key, typeof value === 'string' ? value : JSON.stringify(value)),
    remove: async (key) => (await worker.kv()).delete(key),
    /** Drops every ledger object from memory; what it stored stays. */
    async evict() {
      for (const id of await miniflare.listDurableObjectIds('LEDGER', 'understudy')) await miniflare.unsafeEvictDurableObject('understudy', 'Ledger', { id });
    },
    ...client(() => worker.url),
    /** Speaks with an object of the ledger as the Worker does; with `probe` also as ledger-probe.js lets it. */
    async ledger(object, question, path = '') {
      const objects = await miniflare.getDurableObjectNamespace('LEDGER', 'understudy');
      const answer = await objects.get(objects.idFromName(object)).fetch(`https://ledger/${path}`, { method: 'POST', body: JSON.stringify(question) });
      if (!answer.ok) throw new Error(`${object} answered ${answer.status}: ${await answer.text()}`);
      return answer.json();
    },
    openai: (options = {}) => new OpenAI({ baseURL: worker.base, apiKey: 'us-none', maxRetries: 0, ...options }),
    anthropic: (options = {}) => new Anthropic({ baseURL: worker.url, apiKey: 'us-none', maxRetries: 0, ...options }),
    inspector: async () => Number((await miniflare.getInspectorURL()).port),
    /** `wrangler` as a user runs it, on this Worker's state. */
    wrangler: (...args) =>
      promisify(execFile)(process.execPath, [join(root, 'node_modules/wrangler/bin/wrangler.js'), ...args, '--local', '--persist-to', state], {
        cwd: root,
        env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CLOUDFLARE_CF_FETCH_ENABLED: 'false', CI: '1' },
      }),
  };
  await worker.start();
  return worker;
}

/** What anyone can say to the Worker at that address. */
function client(at) {
  const self = {
    fetch: (path, init) => fetch(at() + path, init),
    post: (path, body, headers = {}, more = {}) =>
      fetch(at() + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body), ...more }),
    chat: (model, more = {}, headers = {}, init = {}) => self.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }], ...more }, headers, init),
    admin: (path, { method = 'GET', body, headers = {} } = {}) =>
      fetch(`${at()}/admin${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body) }),
    /** The ledger's record of one request, waited for: it is readable within 2 s. */
    async recorded(requestId) {
      const until = Date.now() + 4000;
      for (;;) {
        const answer = await self.admin(`/requests/${requestId}`);
        if (answer.status === 200) return answer.json();
        const text = await answer.text();
        if (Date.now() > until) throw new Error(`request ${requestId} is not in the ledger: ${answer.status} ${text}`);
        await sleep(100);
      }
    },
  };
  return self;
}

function freshState() {
  const parent = join(root, 'target', 'test-state');
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, 'w-'));
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let counter = 0;
/** A name that no other test of this file uses. */
export const unique = (prefix) => `${prefix}${++counter}`;

/** The trail header as a list of `model=outcome` words, without status and time. */
export const trail = (response) => (response.headers.get('x-understudy-trail') ?? '').split(', ').filter(Boolean).map((entry) => entry.split(';')[0]);

/** The `data:` payloads of an event stream's text. */
export const payloads = (text) => text.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));

/** What a stream's text says, whichever of the four dialects it is in. */
export function saidIn(text) {
  return payloads(text)
    .filter((payload) => payload !== '[DONE]')
    .map((payload) => {
      let value;
      try {
        value = JSON.parse(payload);
      } catch {
        return '';
      }
      if (value.type === 'response.output_text.delta') return value.delta;
      if (value.type === 'content_block_delta') return value.delta.text ?? '';
      return value.choices?.[0]?.delta?.content ?? value.choices?.[0]?.text ?? '';
    })
    .join('');
}
