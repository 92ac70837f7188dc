// The one way into every command: `node scripts/run.mjs <command>`. It runs on Node 20 with nothing installed:
// installs the npm packages when they are not those of package-lock.json, then goes on under the Node they bring.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_NEEDED, digest, inRoot, nodeBin, root } from './lib/project.mjs';
import { Problem, endTogether, ended, say, start, step } from './lib/steps.mjs';

const COMMANDS = {
  start: 'install what is needed, build, and serve the Worker on http://127.0.0.1:8787',
  test: 'install what is needed and run every test: host, workerd, browser',
  build: 'build the Worker into build/ and the dashboard into dist/',
  bench: 'benchmarks beside a bare pass-through Worker, printed as ratios',
  fuzz: 'coverage-guided fuzzing of every parser',
  audit: 'licences, sources and known weaknesses of what we depend on; --sbom lists it',
  deploy: 'build, check secrets and stored policies, and deploy with wrangler',
  verify: 'check a running deployment: models, auth, calls, stream, fallback, errors',
  policies: 'pull, push, diff and lint policies as files',
  release: 'set the version, run every check, commit and tag',
  chaos: 'faults of every kind against the Worker, and three logs reconciled',
  soak: 'an hour of load with 1 % faults: memory, latency, a complete ledger',
  setup: 'install what is needed and do nothing else',
};

const [name, ...args] = process.argv.slice(2);

async function main() {
  if (!Object.hasOwn(COMMANDS, name ?? '')) {
    const list = Object.entries(COMMANDS).map(([name, what]) => `  ${name.padEnd(8)} ${what}`);
    console.log(`usage: node scripts/run.mjs <command> [--help]\n\n${list.join('\n')}`);
    return name === undefined || name === '--help' ? 0 : 2;
  }
  endTogether();
  const { run, help } = await import(`./${name}.mjs`);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help);
    return 0;
  }
  await installPackages();
  if (!nodeIsNewEnough()) return goOnUnderNewerNode();
  return (await run(args)) ?? 0;
}

/** `npm ci` when what is in node_modules was not installed from this package-lock.json. */
async function installPackages() {
  const stamp = inRoot('node_modules', '.installed');
  const wanted = digest(['package.json', 'package-lock.json'], process.platform + process.arch);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // wrangler runs our build from node_modules: it must not be pulled away from under it.
  if (process.env.WRANGLER_COMMAND && existsSync(nodeBin)) return;
  say('Installing npm packages (about 20 seconds, 600 MB on disk)');
  // `--loglevel=error`: npm would warn that packages want the newer Node, which is among them.
  await step('npm-ci', 'npm', ['ci', '--include=dev', '--include=optional', '--loglevel=error']);
  writeFileSync(stamp, wanted);
}

function nodeIsNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
}

function goOnUnderNewerNode() {
  const node = join(nodeBin, 'node');
  if (!existsSync(node) || process.env.UNDERSTUDY_NODE) {
    throw new Problem(
      `Node ${NODE_NEEDED.join('.')} or newer is needed and no package brings it for ${process.platform}-${process.arch}: install it, then run this again.`,
    );
  }
  return ended(start(node, [...process.execArgv, process.argv[1], name, ...args], { cwd: process.cwd(), stdio: 'inherit', env: { UNDERSTUDY_NODE: '1' } }));
}

process.chdir(root);
main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(`\n${error instanceof Problem ? error.message : error.stack}`);
    process.exit(1);
  },
);
