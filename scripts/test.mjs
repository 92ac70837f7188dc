// Every test there is: the domain on the host, the built Worker on workerd, the dashboard in a browser.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { findBrowser } from './browser.mjs';
import { inRoot } from './lib/project.mjs';
import { say, show } from './lib/steps.mjs';
import { setup } from './setup.mjs';

export const help = `npm test [-- [host] [worker] [browser] [filter...]]

Installs what is needed and runs every test. Naming one or more of the three parts runs those alone; a filter picks
test files (part of a file name: npm test -- worker streams) or tests (part of a test's name).
CHROME=/path/to/chrome names the browser.`;

const REPORTER = pathToFileURL(inRoot('scripts', 'lib', 'reporter.mjs'));
const PARTS = { host, worker, browser };

export async function run(args) {
  const parts = args.filter((arg) => arg in PARTS);
  const filters = args.filter((arg) => !(arg in PARTS));
  await setup();
  const failed = [];
  for (const name of parts.length ? parts : Object.keys(PARTS)) {
    const started = Date.now();
    const code = await PARTS[name](filters);
    say(`${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${Math.round((Date.now() - started) / 1000)} s`);
    if (code !== 0) failed.push(name);
  }
  if (failed.length === 0) return 0;
  console.error(`\nFailed: ${failed.join(', ')}. Once more, that part alone: npm test -- ${failed[0]}`);
  return 1;
}

async function host(filters) {
  say('Host tests: the domain, with no I/O (building them takes about 2 minutes the first time)');
  const code = await show('cargo', ['test', '--locked', '--quiet', '--', ...filters]);
  // The map in src/lib.rs leads somewhere: rustdoc alone knows its links.
  return code || filters.length ? code : show('cargo', ['doc', '--locked', '--quiet', '--no-deps']);
}

async function worker(filters) {
  await build();
  say('Worker tests: the built Worker on workerd, scripted upstreams, official SDKs');
  return nodeTests((file) => !file.startsWith('browser'), filters);
}

async function browser(filters) {
  await build();
  const chrome = await findBrowser();
  say(`Browser tests: the dashboard in ${chrome}`);
  return nodeTests((file) => file.startsWith('browser'), filters, { CHROME: chrome });
}

/** The test files of tests/worker, by Node's own runner: whole files when a filter names one, else tests by name. */
async function nodeTests(belongs, filters, env = {}) {
  const all = readdirSync(inRoot('tests', 'worker')).filter((file) => file.endsWith('.test.mjs') && belongs(file)).sort();
  const named = all.filter((file) => filters.some((filter) => file.includes(filter)));
  const files = (named.length ? named : all).map((file) => inRoot('tests', 'worker', file));
  if (files.length === 0) return 0;
  const { WANTING, installAll } = await import('../tests/worker/packages.mjs');
  if (files.some((file) => WANTING.includes(basename(file)))) installAll();
  const byName = named.length ? [] : filters.map((filter) => `--test-name-pattern=${filter}`);
  return show(process.execPath, ['--test', `--test-reporter=${REPORTER}`, '--test-concurrency=2', '--test-timeout=300000', ...byName, ...files], { env });
}
