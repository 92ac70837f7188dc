// What the programs of docs/clients need beside this project's own packages, installed once into target/.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../../scripts/lib/project.mjs';
import { python } from './python.mjs';

/** Test files that need these packages: the runner installs them before two files can do so at once. */
export const WANTING = ['clients.test.mjs', 'docs.test.mjs', 'moving-over.test.mjs', 'sdk-python.test.mjs'];

export function installAll() {
  javascriptClients();
  sdks();
  frameworks();
}

/** A Python with the official SDKs; one with the frameworks, which want older SDKs. `{python}`, or `{skip}` with the reason when there is none. */
export const sdks = () => pythonWith('sdk', 'requirements.txt');
export const frameworks = () => pythonWith('frameworks', 'frameworks.txt');

function pythonWith(name, list) {
  const { run, missing } = python(name, join(root, 'tests/worker/python', list));
  if (missing) console.log(`Skipped: ${missing}`);
  return missing ? { skip: missing } : { python: run[0], skip: false };
}

/** The folder target/clients, with the packages of tests/worker/clients and the JavaScript programs beside them. */
export function javascriptClients() {
  const folder = join(root, 'target/clients');
  const source = join(root, 'tests/worker/clients');
  once(join(folder, '.installed'), readFileSync(join(source, 'package-lock.json'), 'utf8'), 'the JavaScript packages of docs/clients', () => {
    mkdirSync(folder, { recursive: true });
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(source, file), join(folder, file));
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
  });
  cpSync(join(root, 'docs/clients'), folder, { recursive: true, filter: (path) => path.endsWith('clients') || path.endsWith('.mjs') });
  return folder;
}

/** Does `work` unless its stamp says that this was done for this content. */
function once(stamp, content, what, work) {
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === content) return;
  console.log(`Installing ${what} (half a minute, once)`);
  work();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, content);
}
