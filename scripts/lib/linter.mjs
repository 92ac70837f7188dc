// The linter of /admin, without a deployment: the built Worker on workerd, with the documents in a KV of its own.
import { Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { build } from '../build.mjs';
import { keyOf } from './documents.mjs';
import { inRoot, read } from './project.mjs';

const TOKEN = 'linter';

/**
 * What the linter says of documents (a map of place to text), as a list of `{place, severity, path, message, hint}`.
 * `secrets` are the names of those that are set; without them no document is said to lack one.
 */
export async function lint(documents, secrets) {
  await build();
  const worker = new Miniflare(options(secrets ?? []));
  try {
    const url = (await worker.unsafeGetDirectURL('understudy')).href;
    const store = await worker.getKVNamespace('POLICIES');
    await Promise.all([...documents].map(([place, text]) => store.put(keyOf(place), text)));
    const found = [];
    for (const [place, text] of documents) {
      const answer = await fetch(`${url}admin/${place}?dry_run=1`, { method: 'PUT', headers: { authorization: `Bearer ${TOKEN}` }, body: text });
      found.push(...findings(await answer.json()).map((finding) => ({ place, ...finding })));
    }
    return found.filter((finding) => secrets !== undefined || missingSecret(finding) === null);
  } finally {
    await worker.dispose();
  }
}

/** The secret that a finding misses, or null. */
export const missingSecret = (finding) => finding.hint?.match(/^npx wrangler secret put (\S+)$/)?.[1] ?? null;

/** One finding in a line. */
export const said = ({ place, severity, path, message, hint }) => `${severity.padEnd(7)} ${place}${path ? `: ${path}` : ''}: ${message}${hint ? ` (${hint})` : ''}`;

function findings({ findings, error }) {
  if (!error) return findings ?? [];
  return error.findings ?? [{ severity: 'error', path: error.param ?? '', message: error.message }];
}

function options(secrets) {
  const config = read('wrangler.toml');
  return convertV4MiniflareOptions({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    handleStructuredLogs: () => {},
    workers: [
      {
        name: 'understudy',
        modulesRoot: inRoot('build'),
        modules: [
          { type: 'ESModule', path: inRoot('build', 'index.js') },
          { type: 'CompiledWasm', path: inRoot('build', 'index_bg.wasm') },
        ],
        compatibilityDate: config.match(/compatibility_date = "([^"]+)"/)[1],
        bindings: { ...Object.fromEntries(secrets.map((name) => [name, 'set'])), ADMIN_TOKEN: TOKEN, POLICY_TTL_MS: '0' },
        kvNamespaces: { POLICIES: 'POLICIES' },
        durableObjects: { LEDGER: { className: 'Ledger', useSQLite: true } },
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
    ],
  });
}
