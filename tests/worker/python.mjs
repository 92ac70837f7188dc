// Python programs in virtual environments of their own, each made once.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/lib/project.mjs';

const OLDEST = [3, 11];

/** How to run a program in target/venv-<name>, with the packages of a requirements file; the reason when it cannot be. */
export function python(name, requirements, program) {
  const made = environment(name, requirements);
  // Where changes are checked, nothing is left out quietly.
  if (made.missing && process.env.CI) throw new Error(made.missing);
  return made.missing ? made : { run: [join(made.venv, 'bin/python'), program] };
}

function environment(name, requirements) {
  const { status, stdout } = spawnSync('python3', ['-c', 'import ensurepip, venv, sys; print(*sys.version_info[:2])'], { encoding: 'utf8' });
  if (status !== 0) return { missing: 'python3 with venv is not installed (Debian: apt-get install python3-venv)' };
  const [major, minor] = stdout.split(' ').map(Number);
  if (major < OLDEST[0] || minor < OLDEST[1]) return { missing: `python3 is ${major}.${minor}, ${OLDEST.join('.')} or newer is needed` };
  const venv = join(root, 'target', `venv-${name}`);
  const wanted = readFileSync(requirements, 'utf8');
  const stamp = join(venv, 'requirements.txt');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return { venv };
  const packages = wanted.trim().split('\n');
  console.log(`Installing ${packages.length > 4 ? `${packages.length} packages` : packages.join(', ')} into target/venv-${name} (under a minute, once)`);
  execFileSync('python3', ['-m', 'venv', '--clear', venv], { stdio: 'inherit' });
  const installed = spawnSync(join(venv, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements], { encoding: 'utf8' });
  if (installed.status !== 0) return { missing: `pip cannot install ${requirements}: ${installed.stderr.trim().split('\n').at(-1)}` };
  writeFileSync(stamp, wanted);
  return { venv };
}
