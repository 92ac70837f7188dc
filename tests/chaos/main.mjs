// npm run chaos: campaigns from the command line. See scripts/chaos.mjs.
import { campaign } from './campaign.mjs';
import { FAULTS } from './faults.mjs';

const SHOWN = 12;

export async function main(args) {
  const option = (name, fallback) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : fallback);
  const json = args.includes('--json');
  const first = option('--seed', Date.now() % 1_000_000);
  const requests = option('--requests', 20_000);
  const reports = [];
  for (let seed = first; seed < first + option('--seeds', 1); seed++) {
    const started = Date.now();
    let told = 0;
    const onProgress = (done) => {
      if (Date.now() - told < 10_000) return;
      told = Date.now();
      console.error(`    seed ${seed}: ${done} of ${requests} requests, ${Math.round((told - started) / 1000)} s`);
    };
    const report = await campaign({ seed, requests, concurrency: option('--clients', 48), onProgress });
    reports.push(report);
    if (!json) print(report, requests);
  }
  if (json) console.log(JSON.stringify(reports.map(plain)));
  return reports.some((report) => report.violations.length > 0) ? 1 : 0;
}

const plain = ({ seed, seconds, counts, kills, edits, faults, classes, violations }) => ({ seed, seconds, counts, kills, edits, faults: Object.fromEntries(faults), classes: Object.fromEntries(classes), violations });

function print({ seed, seconds, counts, kills, edits, faults, violations, tell, invariants }, requests) {
  const played = [...faults].filter(([name]) => name !== 'ok').reduce((sum, [, n]) => sum + n, 0);
  console.log(`seed ${seed}: ${counts.requests} requests in ${Math.round(seconds)} s (${counts.answers} answered, ${counts.errors} errors, ${counts.broken} broken off and saying so, ${counts.left} clients left), ${counts.calls} upstream calls, ${played} faults of ${faults.size - 1} of ${FAULTS.length} kinds, ${edits} edits, ${kills} kills (${counts.killed} requests cut, ${counts.unacknowledged} rows unacknowledged), ${counts.unseen} rows of clients that left unseen`);
  if (violations.length === 0) return;
  console.log(`\n${violations.length} VIOLATIONS. Once more: npm run chaos -- --seed ${seed} --requests ${requests}\n`);
  for (const invariant of Object.keys(invariants)) {
    const found = violations.filter((violation) => violation.invariant === invariant);
    if (found.length > 0) console.log(`${found.length} x ${invariants[invariant]}`);
    for (const { n, text } of found.slice(0, SHOWN)) console.log(`  ${n === undefined ? '' : `request ${n}: `}${text}${n === undefined ? '' : `\n${tell(n)}`}`);
  }
}
