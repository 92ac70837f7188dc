// The benchmarks of tests/bench, after all set-up.
import { existsSync } from 'node:fs';
import { build } from './build.mjs';
import { inRoot } from './lib/project.mjs';
import { Problem, show } from './lib/steps.mjs';

export const help = `npm run bench [-- --json]

Measures Understudy beside a bare JavaScript pass-through Worker on the same workerd and prints ratios.`;

export async function run(args) {
  const script = inRoot('tests', 'bench', 'main.mjs');
  if (!existsSync(script)) throw new Problem('There are no benchmarks yet.');
  await build();
  return show(process.execPath, [script, ...args]);
}
