// Policies, providers, rules and models as files, so that they live in a repository and go through review.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { admin, workerUrl } from './lib/admin.mjs';
import { readArgs } from './lib/args.mjs';
import { differences, inOrder, isSame, parsed, readFolder } from './lib/documents.mjs';
import { lint, said } from './lib/linter.mjs';
import { Problem, say } from './lib/steps.mjs';

export const help = `npm run policies -- pull|push|diff|lint <folder> [--url <worker>] [--prune]

  pull   writes the documents of a Worker into the folder
  diff   says what push would change; ends with 1 when that is anything
  push   lints everything, then publishes what differs, each with its line in the audit trail
  lint   checks the folder alone, without a running Worker (built first where it is not); ends with 1 on an error

The folder holds policies/<name>.json, providers/<name>.json, rules.json and models.json. How they are laid out does
not count as a difference. --prune lets push delete what the folder lacks, and pull what the Worker lacks.
The Worker is --url, UNDERSTUDY_URL, or the one that npm start serves; its token is ADMIN_TOKEN (locally also .dev.vars).`;

const COMMANDS = { pull, diff, push, lint: check };

export async function run(args) {
  const { values, positionals } = readArgs(args, { url: { type: 'string' }, prune: { type: 'boolean' } }, help);
  const [command, folder, ...rest] = positionals;
  if (!Object.hasOwn(COMMANDS, command ?? '') || folder === undefined || rest.length) throw new Problem(help);
  return COMMANDS[command](folder, values);
}

async function pull(folder, { url, prune }) {
  const stored = await storedAt(admin(workerUrl(url)));
  mkdirSync(folder, { recursive: true });
  const present = readFolder(folder);
  const changes = changesBetween(present, stored, prune);
  for (const { place, kind } of changes) {
    const path = join(folder, `${place}.json`);
    if (kind === '-') rmSync(path);
    else write(path, stored.get(place));
    console.log(`${kind} ${path}`);
  }
  say(changes.length ? `${changes.length} of ${stored.size} files written.` : `Nothing to write: ${stored.size} documents are here as they are there.`);
}

async function diff(folder, { url, prune }) {
  const stored = await storedAt(admin(workerUrl(url)));
  const folders = readFolder(folder);
  const changes = changesBetween(stored, folders, true);
  for (const { place, kind } of changes) {
    console.log(`${kind} ${place}${kind === '-' && !prune ? '   (kept, but with --prune)' : ''}`);
    if (kind === '~') for (const line of differences(parsed(stored.get(place)), parsed(folders.get(place)))) console.log(`    ${line}`);
  }
  if (changes.length === 0) say(`No difference: ${folders.size} documents.`);
  return changes.length === 0 ? 0 : 1;
}

async function push(folder, { url, prune }) {
  const ask = admin(workerUrl(url));
  const stored = await storedAt(ask);
  const folders = readFolder(folder);
  const changes = changesBetween(stored, folders, prune);
  if (changes.length === 0) return say(`Nothing to publish: ${folders.size} documents are there as they are here.`);
  // As things will stand afterwards: nothing is published unless all of it is fit.
  const after = new Map([...stored, ...folders]);
  for (const { place, kind } of changes) if (kind === '-') after.delete(place);
  if (report(await lint(after)) > 0) throw new Problem('Nothing was published. Mend the errors, then push again.');
  for (const { place, kind } of changes) {
    const { status, body } = await (kind === '-' ? ask('DELETE', place) : ask('PUT', place, folders.get(place)));
    if (status >= 300) throw new Problem(`${place} was refused: ${body?.error?.message ?? status}\nWhat stands above it was published; push again once this is mended.`);
    console.log(`${kind} ${place}${body?.version ? `@${body.version}` : ''}`);
  }
  say(`${changes.length} published.`);
}

async function check(folder) {
  const folders = readFolder(folder);
  const errors = report(await lint(folders));
  if (errors === 0) say(`${folders.size} documents, no error.`);
  return errors === 0 ? 0 : 1;
}

/** Prints findings, the worst first; answers how many are errors. */
function report(findings) {
  const order = ['error', 'warning', 'info'];
  const sorted = findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  for (const finding of sorted) console.log(said(finding));
  return findings.filter((finding) => finding.severity === 'error').length;
}

/** What must change for `before` to become `after`, in an order in which it can; deletions last, and only when they may. */
function changesBetween(before, after, prune) {
  const puts = inOrder(after).filter((place) => !before.has(place) || !isSame(before.get(place), after.get(place)));
  const deletes = prune ? inOrder(before).filter((place) => !after.has(place)) : [];
  return [...puts.map((place) => ({ place, kind: before.has(place) ? '~' : '+' })), ...deletes.reverse().map((place) => ({ place, kind: '-' }))];
}

/** Every document that a Worker has stored, by its place, laid out for reading. */
async function storedAt(ask) {
  const documents = new Map();
  const keep = (place, { document, error, version }) => {
    if (document) documents.set(place, `${JSON.stringify(document, null, 2)}\n`);
    else if (version) console.log(`warning ${place} does not parse and is left out: ${error}`);
  };
  for (const kind of ['policies', 'providers']) {
    const { body } = await ask('GET', kind);
    for (const line of body.data) keep(`${kind}/${line.name}`, line);
  }
  for (const place of ['rules', 'models']) {
    const { status, body } = await ask('GET', place);
    if (status === 200) keep(place, body);
  }
  return documents;
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
