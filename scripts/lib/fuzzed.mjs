// How long each parser has been under the fuzzer, added up from run to run: the table in docs/fuzzing.md is the record itself.
//
//   | `parser` | seconds | inputs run | edges | kept |
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { inRoot } from './project.mjs';

const PAGE = inRoot('docs', 'fuzzing.md');
const BLOCK = /(<!-- fuzzed -->\n)[^]*?(<!-- \/fuzzed -->)/;
const ROW = /^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$/gm;
/** What a parser is to have run for in all. */
const ENOUGH_SECONDS = 3600;

const plain = (text) => Number(text.replaceAll(',', ''));
const grouped = (number) => number.toLocaleString('en-US');

/** What a page records: by parser, `{seconds, runs, edges, kept}`. */
export function recorded(page) {
  const rows = (page.match(BLOCK)?.[0] ?? '').matchAll(ROW);
  return new Map([...rows].map(([, parser, ...numbers]) => [parser, Object.fromEntries(['seconds', 'runs', 'edges', 'kept'].map((name, at) => [name, plain(numbers[at])]))]));
}

/** The sum of what was recorded and one more run. Time and inputs add up; `edges` and `kept` are those of the run that reached most. */
export function plus(before = { seconds: 0, runs: 0, edges: 0, kept: 0 }, run) {
  const reached = run.edges >= before.edges ? run : before;
  return { seconds: before.seconds + run.seconds, runs: before.runs + run.runs, edges: reached.edges, kept: reached.kept };
}

/** The page with that record in place of its own. */
export function told(page, record) {
  const ran = [...record];
  const sum = (name) => ran.reduce((total, [, one]) => total + one[name], 0);
  const lines = [
    '| parser | seconds | inputs run | edges | kept |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...ran.map(([parser, { seconds, runs, edges, kept }]) => `| \`${parser}\` | ${[seconds, runs, edges, kept].map(grouped).join(' | ')} |`),
    `| all | ${grouped(sum('seconds'))} | ${grouped(sum('runs'))} | | |`,
    '',
    `An hour each is reached by ${ran.filter(([, { seconds }]) => seconds >= ENOUGH_SECONDS).length} of ${ran.length}.`,
  ];
  return page.replace(BLOCK, (_, begin, end) => `${begin}${lines.join('\n')}\n${end}`);
}

export const readRecord = () => recorded(readFileSync(PAGE, 'utf8'));

/** Adds one run of one parser to the record in the repository. Read anew each time: another run may have added to it. */
export function addToRecord(parser, run) {
  const page = readFileSync(PAGE, 'utf8');
  const record = recorded(page);
  // At once or not at all: a run beside this one must not read half a page, and would write none.
  writeFileSync(`${PAGE}.new`, told(page, record.set(parser, plus(record.get(parser), run))));
  renameSync(`${PAGE}.new`, PAGE);
}
