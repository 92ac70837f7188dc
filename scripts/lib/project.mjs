// Where things are, and which versions the lock files name. Node builtins only: read before any package is installed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
export const inRoot = (...parts) => join(root, ...parts);
export const read = (path) => readFileSync(inRoot(path), 'utf8');

export const toolsDir = inRoot('target', 'tools');
export const tool = (name) => join(toolsDir, 'bin', name);
export const nodeBin = inRoot('node_modules', '.bin');

/** The oldest Node that the locked wrangler and SDKs run on; `node_modules/.bin/node` is one such. */
export const NODE_NEEDED = [22, 12];

/** The exact worker-build this project is built with; it wants `worker` of the same minor version. */
export const WORKER_BUILD = '0.8.7';

/** The version of a crate in the project's own Cargo.lock. */
export function lockedCrate(name) {
  const found = read('Cargo.lock').match(new RegExp(`name = "${name}"\\nversion = "([^"]+)"`));
  if (!found) throw new Error(`Cargo.lock has no ${name}`);
  return found[1];
}

/** A value in .dev.vars, where wrangler keeps local variables and secrets, or undefined. */
export function devVar(name) {
  if (!existsSync(inRoot('.dev.vars'))) return undefined;
  const line = read('.dev.vars').match(new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=\\s*(.*?)\\s*$`, 'm'));
  return line?.[1].replace(/^(["'])(.*)\1$/, '$2');
}

/** esbuild's own executable: the npm package's launcher costs a Node start and would need its install script. */
export function esbuildBin() {
  const native = inRoot('node_modules', '@esbuild', `${process.platform}-${process.arch}`, 'bin', 'esbuild');
  return existsSync(native) ? native : join(nodeBin, 'esbuild');
}

/** The environment for every child: local packages and tools first, and no talk with the outside world. */
export function childEnv(extra = {}) {
  return {
    ...process.env,
    PATH: [nodeBin, join(toolsDir, 'bin'), process.env.PATH].join(delimiter),
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    ...extra,
  };
}

/** A digest of files and folders (paths relative to the root, absent ones skipped), for "has anything changed". */
export function digest(paths, salt = '') {
  const hash = createHash('sha256').update(salt);
  for (const path of paths.flatMap((path) => filesUnder(inRoot(path))).sort()) {
    hash.update(`\0${relative(root, path)}\0`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

function filesUnder(path) {
  if (!existsSync(path)) return [];
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    throw error;
  }
  return entries.flatMap((entry) => (entry.name.startsWith('.') ? [] : filesUnder(join(path, entry.name))));
}
