// Builds what is deployed: the Worker into build/, the dashboard into dist/. Skips what has not changed.
// wrangler calls this too (wrangler.toml, [build]).
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { WORKER_BUILD, digest, esbuildBin, inRoot, nodeBin, read, tool } from './lib/project.mjs';
import { Problem, say, step } from './lib/steps.mjs';
import { setup } from './setup.mjs';

export const help = `npm run build [-- --force]

Builds the Worker into build/ (Rust to Wasm) and the dashboard into dist/. Parts whose sources have not changed are
skipped, --force builds them all the same.`;

export async function run(args) {
  await build({ force: args.includes('--force') });
}

export async function build({ force = false } = {}) {
  await setup();
  await worker(force);
  await dashboard(force);
}

const RUSTFLAGS = [
  // How large a function the compiler copies into its callers: less than it would by itself, since wasm-opt does that too (Cargo.toml).
  '-Cllvm-args=-inline-threshold=60',
  // What searches bytes does so 16 at a time: a chunk of a stream is read in 15 % less time, and 40 KiB less are uploaded.
  // https://developers.cloudflare.com/workers/runtime-apis/webassembly/#simd
  '-Ctarget-feature=+simd128',
].join(' ');

async function worker(force) {
  const sources = ['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'scripts/build.mjs', 'src/lib.rs', 'src/domain', 'src/edge', 'src/routes'];
  const stamp = stampOf('worker', sources, WORKER_BUILD);
  if (!force && stamp.isFresh('build/index.js', 'build/index_bg.wasm')) return;
  say('Building the Worker (about 4 minutes the first time)');
  const ms = await step('build', tool('worker-build'), ['--release'], {
    env: { WASM_BINDGEN_BIN: tool('wasm-bindgen'), WASM_OPT_BIN: join(nodeBin, 'wasm-opt'), ESBUILD_BIN: esbuildBin(), NO_MINIFY: '1', RUSTFLAGS },
  });
  await pack();
  await enterPlainly();
  dropRepeats();
  stamp.write();
  say(`Built the Worker in ${Math.round(ms / 1000)} s: ${kib(uploadBytes())} KiB gzip`);
}

/** What worker-build itself enables. With more, wasm-opt writes what not every engine of today reads. */
const FEATURES = ['mutable-globals', 'sign-ext', 'nontrapping-float-to-int', 'bulk-memory', 'multivalue', 'reference-types', 'exception-handling', 'simd'];

/**
 * worker-build keeps the names of functions, which nobody reads in production. Sorted by them before they go, copies of one
 * generic function come to lie side by side, where gzip finds them alike: 4 % less to upload.
 */
async function pack() {
  const wasm = inRoot('build', 'index_bg.wasm');
  const features = FEATURES.map((name) => `--enable-${name}`);
  await step('pack', join(nodeBin, 'wasm-opt'), [...features, '--reorder-functions-by-name', '--strip-debug', '--strip-producers', wasm, '-o', wasm]);
}

/** What worker-build's shim exports by default, as its version writes it. */
const ENTRY = 'var shim_default = new Proxy(Entrypoint, classProxyHooks);';

/** Our own entry (src/edge/entry.js) in the place of the shim's; minified afterwards, since it calls what stands there by name. */
async function enterPlainly() {
  const path = inRoot('build', 'index.js');
  const shim = readFileSync(path, 'utf8');
  if (!shim.includes(ENTRY)) throw new Problem(`worker-build wrote no line ${ENTRY} into build/index.js: does src/edge/entry.js still fit?`);
  writeFileSync(path, shim.replace(ENTRY, `${read('src/edge/entry.js')}\nvar shim_default = entry;`));
  await step('minify', esbuildBin(), [path, '--minify', '--format=esm', '--allow-overwrite', `--outfile=${path}`]);
}

/** wasm-bindgen names a file of ours once for every function taken from it, and wrangler would warn of each. */
function dropRepeats() {
  const path = inRoot('build', 'index.js');
  writeFileSync(path, readFileSync(path, 'utf8').replace(/("\.\/snippets\/[^"]+":[\w$]+)(?:,\1)+/g, '$1'));
}

async function dashboard(force) {
  mkdirSync(inRoot('dist'), { recursive: true });
  const script = 'src/dashboard/build.mjs';
  if (!existsSync(inRoot(script))) return;
  const stamp = stampOf('dashboard', ['src/dashboard', 'package-lock.json']);
  if (!force && stamp.isFresh('dist/index.html')) return;
  say('Building the dashboard');
  await step('dashboard', process.execPath, [script]);
  stamp.write();
}

/** What was built from which sources: a digest kept in target/stamps. */
function stampOf(name, sources, salt = '') {
  const path = inRoot('target', 'stamps', name);
  const now = digest(sources, salt);
  return {
    isFresh: (...outputs) => existsSync(path) && readFileSync(path, 'utf8') === now && outputs.every((output) => existsSync(inRoot(output))),
    write: () => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, now);
    },
  };
}

/** What an upload of the Worker weighs, compressed as wrangler compresses it; the dashboard's assets aside. */
export function uploadBytes() {
  return ['build/index.js', 'build/index_bg.wasm'].reduce((sum, path) => (statSync(inRoot(path)), sum + gzipSync(readFileSync(inRoot(path))).length), 0);
}

const kib = (bytes) => Math.round(bytes / 1024);
