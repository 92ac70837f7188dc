// `npm run bench`: Understudy beside the least that a hand-written Worker does, on the same workerd, in one run: all sides in
// turn, round after round, against one fast upstream. Ratios are Understudy over the yardstick; single figures depend on the
// machine. Options: scripts/bench.mjs; cases: cases.mjs.
import { uploadBytes } from '../../scripts/build.mjs';
import { CASES } from './cases.mjs';
import { compare } from './compare.mjs';
import { counts } from './counts.mjs';
import { SERIES, growth } from './growth.mjs';
import { grown, table } from './report.mjs';
import { keep as save } from './results.mjs';
import { startByHand, startPortkey, startUnderstudy, startUpstream, startYardstick } from './sides.mjs';
import { startup } from './startup.mjs';
import { machine } from './usage.mjs';

const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const json = args.includes('--json');
const quick = args.includes('--quick');
const rounds = Number(option('--rounds') ?? (quick ? 3 : 5));
const note = (text) => console.error(text);
const MORE = ['counts', 'startup'];

async function main() {
  const growing = args[0] === 'growth';
  const known = growing ? Object.keys(SERIES) : [...CASES.map((one) => one.name), ...MORE];
  const names = option('--only')?.split(',') ?? known;
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length || !(rounds >= 1)) {
    note(unknown.length ? `no case is called ${unknown.join(', ')}: there are ${known.join(', ')}` : '--rounds takes a number from 1');
    return 2;
  }
  if (process.platform !== 'linux') {
    note('processor time is read from /proc, which only Linux has');
    return 1;
  }
  const report = growing ? await grow(names) : await ratios(names);
  if (args.includes('--save')) save(report);
  console.log(json ? JSON.stringify(report) : growing ? grown(report) : table(report));
  return 0;
}

const grow = async (names) => ({ machine: machine(), at: new Date().toISOString(), rounds, growth: await growth(names, { rounds, quick, long: args.includes('--long'), note }) });

async function ratios(names) {
  const chosen = CASES.filter((one) => names.includes(one.name));
  const report = { machine: machine(), at: new Date().toISOString(), rounds, cases: [], upload_gzip_bytes: uploadBytes() };
  await withSides(chosen, async (sides) => {
    for (const one of chosen) {
      const done = await compare(one, sides, { rounds, quick });
      report.cases.push(done);
      note(`${done.name}: requests/s ${done.rps_ratio} x, CPU ${done.cpu_ratio} x, latency ${done.latency_ratio} x${done.ttft_added_ms === null ? '' : `, first content +${done.ttft_added_ms} ms`}`);
    }
    if (names.includes('counts')) report.counts = await counts(sides.upstream, { seconds: quick ? 10 : 40 });
    if (names.includes('startup')) report.startup = await startup(sides.upstream, { rounds });
  });
  return report;
}

/** Starts what the chosen cases need, in the order of an onion, and ends it all. */
async function withSides(chosen, work) {
  const open = [];
  const keep = async (starting) => {
    const side = await starting;
    if (side) open.unshift(side);
    return side;
  };
  try {
    const upstream = await keep(startUpstream());
    const sides = { upstream };
    if (chosen.length) sides.yardstick = await keep(startYardstick(upstream));
    if (chosen.some((one) => !one.ledger)) sides.within = await keep(startUnderstudy(upstream));
    if (chosen.some((one) => one.ledger === 'apart')) sides.apart = await keep(startUnderstudy(upstream, { ledger: 'apart' }));
    if (chosen.some((one) => one.byHand)) sides.byHand = await keep(startByHand(upstream));
    if (chosen.some((one) => one.portkey)) sides.portkey = await keep(startPortkey(note));
    await work(sides);
  } finally {
    for (const side of open) await side.close();
  }
}

process.exit(await main());
