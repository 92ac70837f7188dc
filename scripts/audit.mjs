// What we depend on: licences, sources, known weaknesses, and a list of all of it.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { childEnv, inRoot, root, tool, toolsDir } from './lib/project.mjs';
import { Problem, output, say, show, step } from './lib/steps.mjs';
import { spawnSync } from 'node:child_process';

export const help = `npm run audit [-- --sbom]

Checks what the project depends on: licences, banned crates and sources of every Cargo.lock (cargo-deny, .deny.toml), and
known weaknesses of crates and npm packages, where the advisory databases can be reached (it says so where they cannot).

--sbom writes bills of materials instead, CycloneDX JSON: target/sbom/worker.cdx.json (the crates that are in the Worker)
and target/sbom/npm.cdx.json (the packages that build, test and make the dashboard).

The tools are compiled into target/tools the first time (about 5 minutes each on 2 cores).`;

const DENY = ['cargo-deny', '0.20.2'];
const CYCLONEDX = ['cargo-cyclonedx', '0.5.9'];
/** Every crate of the checkout that has a lock file of its own. */
const CRATES = ['Cargo.toml', 'scripts/tools/Cargo.toml', 'tests/fuzz/Cargo.toml'];

export const run = (args) => (args.includes('--sbom') ? sbom() : audit());

async function audit() {
  await install(...DENY);
  let failed = 0;
  for (const manifest of CRATES) {
    say(`${manifest}: licences, bans, sources`);
    failed |= await deny(manifest, ['licenses', 'bans', 'sources']);
  }
  say('Known weaknesses of crates');
  const fetched = await output(tool(DENY[0]), [...on('Cargo.toml'), 'fetch', 'db']);
  if (fetched === null) console.log('    not checked: the advisory database cannot be reached from here');
  else for (const manifest of CRATES) failed |= await deny(manifest, ['advisories']);
  return failed | npmAudit() ? 1 : 0;
}

const on = (manifest) => ['--manifest-path', inRoot(manifest), '--config', inRoot('.deny.toml')];
// One document for all of them: what it allows and one of them does not use is nothing to say.
const deny = (manifest, checks) => show(tool(DENY[0]), [...on(manifest), 'check', '--hide-inclusion-graph', '-A', 'license-not-encountered', '-A', 'unused-wrapper', ...checks]);

function npmAudit() {
  say('Known weaknesses of npm packages');
  const { stdout } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], { cwd: root, env: childEnv(), encoding: 'utf8' });
  const report = JSON.parse(stdout || '{}');
  const counts = report.metadata?.vulnerabilities;
  if (!counts) return void console.log('    not checked: the registry has no answer to audits here');
  console.log(`    ${Object.entries(counts).map(([level, count]) => `${count} ${level}`).join(', ')}`);
  return counts.high + counts.critical > 0;
}

async function sbom() {
  await install(...CYCLONEDX);
  mkdirSync(inRoot('target', 'sbom'), { recursive: true });
  await step('sbom', tool(CYCLONEDX[0]), ['cyclonedx', '--manifest-path', inRoot('Cargo.toml'), '--format', 'json', '--target', 'wasm32-unknown-unknown', '--override-filename', 'understudy-sbom']);
  const worker = inRoot('target', 'sbom', 'worker.cdx.json');
  const listing = inRoot('understudy-sbom.json');
  // It names the crate after the folder that it was built in: nobody else's business.
  writeFileSync(worker, readFileSync(listing, 'utf8').replaceAll(`${pathToFileURL(root)}#`, ''));
  rmSync(listing);
  const packages = inRoot('target', 'sbom', 'npm.cdx.json');
  const listed = await output('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']);
  if (listed === null) throw new Problem('npm sbom failed: npm 10 or newer has it');
  writeFileSync(packages, listed);
  for (const path of [worker, packages]) console.log(`${JSON.parse(readFileSync(path, 'utf8')).components.length} components in ${path}`);
}

/** Compiles a tool of that version unless it is there: quick to compile, since it runs for seconds. */
async function install(name, version) {
  if (existsSync(tool(name)) && (await output(tool(name), [name.replace('cargo-', ''), '--version']))?.includes(version)) return;
  say(`Building ${name} ${version} (about 5 minutes on 2 cores, once)`);
  const quick = { CARGO_PROFILE_RELEASE_OPT_LEVEL: '0', CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_DEBUG: '0', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' };
  await step(name, 'cargo', ['install', name, '--version', version, '--locked', '--force', '--root', toolsDir, '--target-dir', inRoot('target', 'tools-build')], { env: quick });
}
