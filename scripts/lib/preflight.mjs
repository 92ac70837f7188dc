// What is looked at before a deployment: the secrets that are set, and whether the new version can read every document
// that KV holds. An isolate that starts with it has no last good copy to fall back on.
import { mkdirSync, writeFileSync } from 'node:fs';
import { keyOf, placeOf } from './documents.mjs';
import { lint, missingSecret, said } from './linter.mjs';
import { inRoot } from './project.mjs';
import { Problem, outcome } from './steps.mjs';

/** Keys in one call of `wrangler kv bulk get`. */
const AT_ONCE = 100;

/** Documents and names of secrets of what is deployed, or null before the first deployment. `env` is `['--env', 'staging']`. */
export async function deployed(env) {
  const documents = await storedDocuments(['--remote', ...env]);
  return documents && { documents, secrets: await secretNames(env) };
}

/** What is to be said of documents and secrets: lines for the user, and how many of them forbid deploying. */
export async function judge({ documents, secrets }) {
  const findings = await lint(documents, secrets);
  const errors = findings.filter((finding) => finding.severity === 'error');
  const missing = [...new Set(findings.map(missingSecret).filter(Boolean))];
  if (!secrets.some((name) => ['ADMIN_TOKEN', 'ADMIN_TOKENS'].includes(name))) missing.unshift('ADMIN_TOKEN');
  const lines = [
    ...errors.map(said),
    ...missing.map((name) => `missing ${name}${name === 'ADMIN_TOKEN' ? ' (/admin and the dashboard stay closed)' : ' (a target in use has no key)'}: npx wrangler secret put ${name}`),
  ];
  return { lines, errors: errors.length };
}

/** Every document that KV holds, by its place, or null where there is no namespace yet. `where` are wrangler's own words. */
export async function storedDocuments(where) {
  const listed = await wrangler(['kv', 'key', 'list', '--binding', 'POLICIES', ...where]);
  // wrangler's words, and Cloudflare's codes of a Worker and of an environment that do not exist.
  if (listed.code !== 0 && /No KV namespace ID found|\b(10007|10090)\b/.test(listed.text)) return null;
  if (listed.code !== 0) throw new Problem(`The policies in KV cannot be listed:\n${listed.text}\nnpx wrangler login, or CLOUDFLARE_API_TOKEN in the environment. --skip-checks deploys without looking.`);
  const places = JSON.parse(listed.stdout).map(({ name }) => placeOf(name)).filter(Boolean);
  const documents = new Map();
  for (let from = 0; from < places.length; from += AT_ONCE) {
    const keys = places.slice(from, from + AT_ONCE).map(keyOf);
    for (const [key, text] of Object.entries(await values(keys, where))) documents.set(placeOf(key), text);
  }
  return documents;
}

async function values(keys, where) {
  const path = inRoot('target', 'preflight', 'keys.json');
  mkdirSync(inRoot('target', 'preflight'), { recursive: true });
  writeFileSync(path, JSON.stringify(keys));
  const { code, stdout, text } = await wrangler(['kv', 'bulk', 'get', path, '--binding', 'POLICIES', ...where]);
  if (code !== 0) throw new Problem(`The policies in KV cannot be read:\n${text}`);
  const read = JSON.parse(stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1));
  return Object.fromEntries(Object.entries(read).map(([key, value]) => [key, typeof value === 'string' ? value : (value?.value ?? '')]));
}

async function secretNames(env) {
  const { code, stdout } = await wrangler(['secret', 'list', '--format', 'json', ...env]);
  return code === 0 ? JSON.parse(stdout).map((secret) => secret.name) : [];
}

const wrangler = (args) => outcome('wrangler', args, { env: { CI: '1' } });
