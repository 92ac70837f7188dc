// Python programs in virtual environments of their own, each made once.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './worker.mjs';

/** How to run a program in target/venv-<name>, with the packages of a requirements file; the reason when it cannot be. */
export function python(name, requirements, program) {
  if (spawnSync('python3', ['-c', 'import ensurepip, venv']).status !== 0) return { missing: 'python3 with venv is not installed (Debian: apt-get install python3-venv)' };
  const venv = join(root, `target/venv-${name}`);
  const wanted = readFileSync(requirements, 'utf8');
  const stamp = join(venv, 'requirements.txt');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    console.log(`Installing ${wanted.trim().replaceAll('\n', ', ')} into ${venv.slice(root.length)} (about 20 seconds, once)`);
    execFileSync('python3', ['-m', 'venv', '--clear', venv], { stdio: 'inherit' });
    const { status, stderr } = spawnSync(join(venv, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements], { encoding: 'utf8' });
    if (status !== 0) return { missing: `pip cannot install ${wanted.trim()}: ${stderr.trim().split('\n').at(-1)}` };
    writeFileSync(stamp, wanted);
  }
  return { run: [join(venv, 'bin/python'), program] };
}
