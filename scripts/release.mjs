// One command from a green main to a tagged version.
import { readFileSync, writeFileSync } from 'node:fs';
import { readArgs } from './lib/args.mjs';
import { inRoot, read } from './lib/project.mjs';
import { Problem, outcome, say, show } from './lib/steps.mjs';

export const help = `npm run release -- <X.Y.Z> [--dry-run]

Sets the version in Cargo.toml, package.json and their lock files, dates the CHANGELOG's section "Unreleased", runs
.ci/run, commits and tags vX.Y.Z. Nothing is pushed or deployed; what comes next is printed at the end.
--dry-run says whether it could, and changes nothing.`;

const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;
const FILES = ['Cargo.toml', 'Cargo.lock', 'package.json', 'package-lock.json', 'CHANGELOG.md'];

export async function run(args) {
  const { values, positionals } = readArgs(args, { 'dry-run': { type: 'boolean' } }, help);
  const [version] = positionals;
  if (positionals.length !== 1 || !VERSION.test(version)) throw new Problem(`A version is needed, like 1.2.3.\n\n${help}`);
  const current = JSON.parse(read('package.json')).version;
  await mayRelease(version, current);
  const texts = FILES.map((file) => [file, versioned(file, read(file), current, version)]);
  if (values['dry-run']) return say(`${current} -> ${version} could be released: .ci/run would run next.`);
  const before = FILES.map((file) => [file, readFileSync(inRoot(file))]);
  for (const [file, text] of texts) writeFileSync(inRoot(file), text);
  say(`Version ${version}. Running every check (.ci/run)`);
  if ((await show('bash', [inRoot('.ci', 'run')])) !== 0) {
    for (const [file, bytes] of before) writeFileSync(inRoot(file), bytes);
    throw new Problem('A check failed, and the files are as they were. Mend it, then release again.');
  }
  for (const command of [['add', ...FILES], ['commit', '--quiet', '--message', `Version ${version}`], ['tag', '--annotate', `v${version}`, '--message', `Version ${version}`]]) {
    if ((await show('git', command)) !== 0) throw new Problem(`git ${command[0]} failed; git status shows where it stands.`);
  }
  say(`v${version} is tagged. Next: git push --follow-tags, then npm run deploy -- --env staging, npm run verify -- <its url>, npm run deploy -- --env production.`);
}

async function mayRelease(version, current) {
  const clean = await outcome('git', ['status', '--porcelain']);
  if (clean.code !== 0) throw new Problem('This is no git checkout: a release is a commit and a tag.');
  if (clean.stdout !== '') throw new Problem(`There are changes that are not committed:\n${clean.stdout}\nCommit or stash them first.`);
  if ((await outcome('git', ['rev-parse', '--quiet', '--verify', `refs/tags/v${version}`])).code === 0) throw new Problem(`v${version} is tagged already: choose a later version.`);
  if (isOlder(version, current)) throw new Problem(`${version} is older than ${current}, the version that stands.`);
}

function isOlder(a, b) {
  const [left, right] = [a, b].map((text) => text.match(VERSION).slice(1).map(Number));
  const at = left.findIndex((number, index) => number !== right[index]);
  return at >= 0 && left[at] < right[at];
}

/** A file's text with the new version in place of the current one. */
export function versioned(file, text, current, version, today = new Date().toISOString().slice(0, 10)) {
  const quoted = current.replaceAll('.', '\\.');
  const places = {
    'Cargo.toml': [new RegExp(`^version = "${quoted}"$`, 'm'), `version = "${version}"`],
    'Cargo.lock': [new RegExp(`(name = "understudy"\\nversion = )"${quoted}"`), `$1"${version}"`],
    'package.json': [new RegExp(`^  "version": "${quoted}"`, 'm'), `  "version": "${version}"`],
    'package-lock.json': [new RegExp(`("name": "understudy",\\n\\s+"version": )"${quoted}"`, 'g'), `$1"${version}"`],
    'CHANGELOG.md': [/^## Unreleased$/m, `## ${version}, ${today}`],
  };
  const [place, now] = places[file];
  if (text.search(place) < 0) {
    throw new Problem(file === 'CHANGELOG.md' ? 'CHANGELOG.md has no section "## Unreleased": write what has changed.' : `${file} does not say version ${current}.`);
  }
  return text.replace(place, now);
}
