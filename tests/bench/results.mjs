// Results kept: `--save` puts what was measured into results.json, case by case, and writes what is told of it anew.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inRoot } from '../../scripts/lib/project.mjs';
import { plot } from './plot.mjs';
import { PAGES, missing, told } from './told.mjs';

const FILE = inRoot('tests', 'bench', 'results.json');
const PLOTS = inRoot('docs', 'plots');

export const kept = () => (existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : { cases: [], growth: [] });

export function keep(report) {
  const old = kept();
  const merged = { ...old, ...report, cases: byName(old.cases, report.cases), growth: byName(old.growth, report.growth) };
  writeFileSync(FILE, `${JSON.stringify(merged, null, 1)}\n`);
  mkdirSync(PLOTS, { recursive: true });
  for (const series of (report.growth ?? []).filter((one) => one.lines.length)) writeFileSync(`${PLOTS}/${series.name}.svg`, plot({ ...series, note: caption(merged) }));
  const lacking = missing(merged);
  if (lacking.length) return console.error(`saved; the pages wait for ${lacking.join(', ')}`);
  for (const page of PAGES) writeFileSync(inRoot(page), told(page, merged));
}

const caption = ({ machine, at }) => `${machine.cores} cores, ${machine.cpu}, workerd ${machine.workerd}, ${at.slice(0, 10)}`;

/** The newer of each name, in the older order. */
function byName(old, fresh = []) {
  const all = new Map(old.map((one) => [one.name, one]));
  for (const one of fresh) all.set(one.name, one);
  return [...all.values()];
}
