// The documents that are published through /admin, as they lie in a folder:
//
//   policies/<name>.json   providers/<name>.json   rules.json   models.json
//
// Without its ending, a path is also the document's place under /admin: `policies/sonnet`.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Problem } from './steps.mjs';

const SINGLE = ['rules', 'models'];
const FOLDERS = ['policies', 'providers'];

/** Where KV keeps a document, and back; null for what is published in another way (gateway keys). */
export const keyOf = (place) => place.replace('policies/', 'policy:').replace('providers/', 'provider:');
export function placeOf(key) {
  if (SINGLE.includes(key)) return key;
  const [, kind, name] = key.match(/^(policy|provider):(.+)$/) ?? [];
  return name === undefined ? null : `${kind === 'policy' ? 'policies' : 'providers'}/${name}`;
}

/** Every document of a folder, by its place. */
export function readFolder(folder) {
  if (!existsSync(folder)) throw new Problem(`There is no folder ${folder}. npm run policies -- pull ${folder} makes it.`);
  const documents = new Map();
  for (const path of readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name.endsWith('.json'))) {
    const place = relative(folder, join(path.parentPath ?? path.path, path.name)).replaceAll('\\', '/').replace(/\.json$/, '');
    const [kind, name, ...deeper] = place.split('/');
    const fits = name === undefined ? SINGLE.includes(kind) : FOLDERS.includes(kind) && deeper.length === 0;
    if (!fits) throw new Problem(`${join(folder, place)}.json has no place: policies lie in policies/, providers in providers/, beside them rules.json and models.json.`);
    documents.set(place, readFileSync(join(folder, `${place}.json`), 'utf8'));
  }
  return documents;
}

/** Places in an order in which each document's own references come before it: a policy after those that it nests. */
export function inOrder(documents) {
  const sorted = new Set();
  const visit = (place, open = new Set()) => {
    if (sorted.has(place) || open.has(place) || !documents.has(place)) return;
    const nested = place.startsWith('policies/') ? documents.get(place).matchAll(/policy\/([A-Za-z0-9._-]+)/g) : [];
    for (const [, name] of nested) visit(`policies/${name}`, new Set([...open, place]));
    sorted.add(place);
  };
  const rank = (place) => ['models', 'providers', 'policies', 'rules'].indexOf(place.split('/')[0]);
  for (const place of [...documents.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))) visit(place);
  return [...sorted];
}

/** Do two texts say the same? How they are laid out does not count. */
export const isSame = (a, b) => JSON.stringify(parsed(a)) === JSON.stringify(parsed(b));

/** What differs between two documents, a line each: `chain[1].retries: 1 -> 2`. */
export function differences(before, after, path = '') {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isTree(before) || !isTree(after) || Array.isArray(before) !== Array.isArray(after)) return [`${path || 'all'}: ${shown(before)} -> ${shown(after)}`];
  const inside = (name) => (Array.isArray(before) ? `${path}[${name}]` : path ? `${path}.${name}` : name);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const found = names.flatMap((name) => differences(before[name], after[name], inside(name)));
  return found.length ? found : [`${path || 'all'}: another order of fields`];
}

/** A document's value; text that is no JSON is compared as text. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const isTree = (value) => typeof value === 'object' && value !== null;
const shown = (value) => (value === undefined ? 'none' : JSON.stringify(value).slice(0, 80));
