// Stands in for `npm`, `npx`, `cargo` and `.ci/run` while a page's commands are run: what needs an account or half an
// hour is done as far as it can be here, on the tests' own storage, by the real program.
//
//   npx wrangler kv ...           the real wrangler; --remote becomes the state of the test's Worker
//   npx wrangler deploy ...       the real wrangler, as a dry run
//   npx wrangler <other> ...      the real wrangler's help must know the command and every flag
//   npm run policies|verify ...   the real command, on the test's Worker; policies push and pull in a scratch folder
//   npm run deploy ...            the real command, as a dry run
//   npm start|test|run <other>    the command's own help; its whole run is another test's (start.test.mjs), or this one
//   cargo test --test it <name>   there must be such tests
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const { ROOT: root, STATE: state, REAL_PATH: PATH } = process.env;
const [program, ...args] = process.argv.slice(2);

const node = (program, list, options) => spawnSync(process.execPath, [join(root, program), ...list], { encoding: 'utf8', env: { ...process.env, PATH, CI: '1' }, ...options });
const wrangler = (...list) => node('node_modules/wrangler/bin/wrangler.js', list, { cwd: root });
const ours = (name, list) => node('scripts/run.mjs', [name, ...list]);

const PROGRAMS = { npx, npm, cargo, run: () => {} };
const result = PROGRAMS[basename(program)](args);
if (result) {
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  process.exit(result.status ?? 1);
}

function npx([name, ...words]) {
  assert.equal(name, 'wrangler', `no stand-in for npx ${name}`);
  if (words[0] === 'kv') {
    const local = words.map((word, at) => (words[at - 1] === '--path' ? resolve(word) : word)).filter((word) => !['--remote', '--local'].includes(word));
    return wrangler(...local, '--local', '--persist-to', state);
  }
  if (words[0] === 'deploy') return wrangler('deploy', '--env=', ...words.slice(1), '--dry-run', '--outdir', join(state, 'deploy'));
  const command = words.slice(0, words.findIndex((word) => word.startsWith('-')) >>> 0).filter((word) => /^[a-z-]+$/.test(word));
  const help = wrangler(...command, '--help');
  const known = help.stdout.split('\n')[0];
  assert.equal(known.split(' ').slice(1, 1 + command.length).join(' '), command.join(' '), `wrangler has no ${command.join(' ')}: ${help.stdout}${help.stderr}`);
  for (const flag of words.filter((word) => word.startsWith('-'))) assert.ok(help.stdout.includes(flag.split('=')[0]), `wrangler ${command.join(' ')} has no ${flag}`);
  if (command[0] === 'secret') assertSecret(words[2]);
}

/** A secret that a page sets is one that the code reads. */
function assertSecret(name) {
  const sources = readdirSync(join(root, 'src'), { recursive: true }).filter((path) => path.endsWith('.rs'));
  const known = name === undefined || name === 'NAME' || sources.some((path) => readFileSync(join(root, 'src', path), 'utf8').includes(`"${name}"`));
  assert.ok(known, `no code reads the secret ${name}`);
}

function npm([first, ...rest]) {
  if (first === 'ci') return;
  const [name, list] = first === 'run' ? [rest[0], rest.slice(1)] : [first, rest];
  const given = list.filter((word) => word !== '--');
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.ok(scripts[name], `package.json has no script ${name}`);
  if (name === 'deploy') return ours(name, given.includes('--dry-run') ? given : [...given, '--dry-run']);
  // Commands run in the checkout, wherever npm was called: the folder must not be one there.
  if (name === 'policies' && given.length) return ours(name, [given[0], resolve(given[1]), ...given.slice(2)]);
  if (name === 'verify' && given.length) return ours(name, given);
  return ours(name, ['--help']);
}

function cargo(words) {
  const name = words.at(-1);
  assert.deepEqual(words.slice(0, 3), ['test', '--test', 'it']);
  assert.ok(name === 'NAME' || existsSync(join(root, 'tests/it', `${name}.rs`)), `no tests of ${name}`);
}
