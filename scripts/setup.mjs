// What the packages cannot bring: the Rust target and the two build tools. Each is skipped when it is there already.
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { WORKER_BUILD, inRoot, lockedCrate, tool, toolsDir } from './lib/project.mjs';
import { Problem, output, say, step } from './lib/steps.mjs';

export const help = `npm run setup

Installs what building needs and does nothing else: npm packages, the Rust target wasm32-unknown-unknown, and the
build tools worker-build and wasm-bindgen, compiled into target/tools. The other commands do this themselves.`;

const TARGET = 'wasm32-unknown-unknown';

// These run for seconds: compile them fast rather than make them fast.
const QUICK = { CARGO_PROFILE_RELEASE_OPT_LEVEL: '1', CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_DEBUG: '0', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' };

export async function run() {
  await setup();
  say('All set up.');
}

export async function setup() {
  await rust();
  await wasmBindgen();
  await workerBuild();
}

async function rust() {
  const missing = [];
  if (!(await output('rustup', ['--version']))) missing.push('rustup     https://rustup.rs');
  if (!(await output('cc', ['--version']))) missing.push('a C compiler     Debian: apt-get install build-essential     macOS: xcode-select --install');
  if (missing.length) throw new Problem(`Please install first:\n  ${missing.join('\n  ')}`);
  const targets = await output('rustup', ['target', 'list', '--installed']);
  if (targets?.split('\n').includes(TARGET)) return;
  say(`Installing the Rust toolchain and its ${TARGET} target (under a minute)`);
  await step('rustup-target', 'rustup', ['target', 'add', TARGET]);
}

async function wasmBindgen() {
  const version = lockedCrate('wasm-bindgen');
  if ((await output(tool('wasm-bindgen'), ['--version'])) === `wasm-bindgen ${version}`) return;
  say(`Building wasm-bindgen ${version} (about 3 minutes on 2 cores, once)`);
  const buildDir = inRoot('target', 'tools-build');
  await step('wasm-bindgen', 'cargo', ['build', '--release', '--locked', '--manifest-path', inRoot('scripts', 'tools', 'Cargo.toml'), '--target-dir', buildDir]);
  mkdirSync(join(toolsDir, 'bin'), { recursive: true });
  // Copied beside, then renamed: a run that is broken off leaves no half tool.
  copyFileSync(join(buildDir, 'release', 'wasm-bindgen'), tool('.wasm-bindgen'));
  renameSync(tool('.wasm-bindgen'), tool('wasm-bindgen'));
  const built = await output(tool('wasm-bindgen'), ['--version']);
  if (built !== `wasm-bindgen ${version}`) {
    throw new Problem(`scripts/tools builds "${built}", but Cargo.lock has wasm-bindgen ${version}: set both versions in scripts/tools/Cargo.toml to ${version} and run cargo update there.`);
  }
}

async function workerBuild() {
  if ((await output(tool('worker-build'), ['--version']))?.endsWith(WORKER_BUILD)) return;
  await opensslHeaders();
  say(`Building worker-build ${WORKER_BUILD} (about 3 minutes on 2 cores, once)`);
  await step(
    'worker-build',
    'cargo',
    ['install', 'worker-build', '--version', WORKER_BUILD, '--locked', '--force', '--root', toolsDir, '--target-dir', inRoot('target', 'tools-build')],
    { env: QUICK },
  );
}

/** worker-build links the system's OpenSSL on Linux; said here, since its own failure is a page long. */
async function opensslHeaders() {
  if (process.platform !== 'linux' || process.env.OPENSSL_DIR) return;
  const found = (await output('pkg-config', ['--modversion', 'openssl'])) ?? (existsSync('/usr/include/openssl/ssl.h') && 'headers');
  if (!found) throw new Problem('Please install the OpenSSL headers first:\n  Debian: apt-get install pkg-config libssl-dev\n  Fedora: dnf install pkgconf openssl-devel');
}
