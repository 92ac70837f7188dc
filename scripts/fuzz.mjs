// Coverage-guided fuzzing of the parsers in tests/fuzz, with libFuzzer, on the stable toolchain of the project.
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { cpuSeconds } from '../tests/bench/usage.mjs';
import { readArgs } from './lib/args.mjs';
import { addToRecord, plus, readRecord } from './lib/fuzzed.mjs';
import { inRoot, root } from './lib/project.mjs';
import { Problem, ended, output, say, start, step } from './lib/steps.mjs';

const corpusDir = inRoot('tests', 'fuzz', 'corpus');
const PARSERS = readdirSync(corpusDir).sort();
const SECONDS = 60;

export const help = `npm run fuzz -- [parser...] [--seconds N] [--minutes N] [--jobs N] [--save] [file]

Feeds parsers with mutated inputs, guided by the code that each input reaches, until the time is over or an input breaks
something: a panic, an overflow, a property that tests/fuzz/parsers states, more than 20 seconds or 2 GiB.
Each parser named (all when none is) runs for N seconds, ${SECONDS} when not given, on one core; ^C ends it early.
--minutes N goes round them for so long in all, each time with the one that has run least; what breaks leaves the round.
--jobs N runs so many parsers beside each other, each on a core of its own.
--save adds each turn to the table in docs/fuzzing.md as it ends: time and inputs add up from run to run.

  inputs to start from   tests/fuzz/corpus/<parser>     kept in the repository, and run by npm test
  inputs that it grows   target/fuzz/corpus/<parser>    kept from run to run
  inputs that break      target/fuzz/found/<parser>     npm run fuzz -- <parser> <file> runs one again

parsers: ${PARSERS.join(' ')}`;

// What cargo-fuzz passes: the compiler's own coverage pass is on stable too.
const COVERAGE = [
  '-Cpasses=sancov-module',
  ...['level=4', 'inline-8bit-counters', 'pc-table', 'trace-compares'].map((what) => `-Cllvm-args=-sanitizer-coverage-${what}`),
  '-Ccodegen-units=1',
];

export async function run(args) {
  const { files, jobs, save, ...round } = parse(args);
  const fuzzer = await build();
  if (files.length) return show(fuzzer, round.parsers[0], files);
  const sums = new Map();
  const broken = new Map();
  const next = rota(round, broken);
  const job = async () => {
    for (let turn; (turn = next()); ) {
      const result = await campaign(fuzzer, turn.parser, turn.seconds);
      turn.over();
      sums.set(turn.parser, plus(sums.get(turn.parser), result));
      if (result.found) broken.set(turn.parser, result.found);
      if (save) addToRecord(turn.parser, result);
    }
  };
  await Promise.all(Array.from({ length: jobs }, job));
  console.log(`\n${['parser', 'seconds', 'inputs run', 'edges', 'kept'].map(column).join('')}`);
  for (const [parser, sum] of sums) {
    console.log([parser, ...Object.values(sum)].map(column).join('') + (broken.has(parser) ? `  broken by ${broken.get(parser)}` : ''));
  }
  return broken.size ? 1 : 0;
}

/** Whose turn it is, and for how many seconds: each once, or of those that do not run now the one that has run least, until the minutes are over. */
function rota({ parsers, seconds, minutes }, broken) {
  const turn = (parser, seconds, over = () => {}) => ({ parser, seconds, over });
  if (minutes === undefined) {
    const each = parsers.map((parser) => turn(parser, seconds));
    return () => each.shift();
  }
  const record = readRecord();
  const ran = new Map(parsers.map((parser) => [parser, record.get(parser)?.seconds ?? 0]));
  const running = new Set();
  const until = Date.now() + minutes * 60_000;
  return () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    const [parser] = [...ran].filter(([name]) => !broken.has(name) && !running.has(name)).sort(([, a], [, b]) => a - b)[0] ?? [];
    if (left <= 0 || !parser) return undefined;
    const long = Math.min(seconds, left);
    ran.set(parser, ran.get(parser) + long);
    running.add(parser);
    return turn(parser, long, () => running.delete(parser));
  };
}

const column = (text) => String(text).padEnd(12);

function parse(args) {
  const options = { seconds: { type: 'string', default: String(SECONDS) }, minutes: { type: 'string' }, jobs: { type: 'string', default: '1' }, save: { type: 'boolean', default: false } };
  const { values, positionals: rest } = readArgs(args, options, help);
  const number = (name) => {
    if (!(Number(values[name]) >= 1)) throw new Problem(`--${name} takes a number of at least 1`);
    return Number(values[name]);
  };
  const files = rest.filter((arg) => !PARSERS.includes(arg));
  const parsers = rest.filter((arg) => PARSERS.includes(arg));
  const missing = files.find((file) => !existsSync(resolve(root, file)));
  if (missing) throw new Problem(`${missing} is neither a parser nor a file; the parsers are ${PARSERS.join(', ')}`);
  if (files.length && parsers.length !== 1) throw new Problem('A file is run by one parser: name it before the file.');
  return { seconds: number('seconds'), minutes: values.minutes && number('minutes'), jobs: number('jobs'), save: values.save, parsers: parsers.length ? parsers : PARSERS, files };
}

async function build() {
  const host = (await output('rustc', ['-vV']))?.match(/host: (\S+)/)?.[1];
  if (!host) throw new Problem('rustc is missing: npm run setup says how to install it');
  // Not --locked: its lock file follows the dependencies and the version of the Worker's own.
  say('Building the fuzzer (about 2 minutes the first time)');
  const manifest = inRoot('tests', 'fuzz', 'Cargo.toml');
  const target = ['--target', host, '--target-dir', inRoot('target', 'fuzz')];
  await step('fuzz-build', 'cargo', ['build', '--release', '--manifest-path', manifest, ...target], {
    env: { RUSTFLAGS: COVERAGE.join(' ') },
  });
  return inRoot('target', 'fuzz', host, 'release', 'fuzz');
}

/** Runs inputs once each, with what they print. */
const show = (fuzzer, parser, files) =>
  ended(start(fuzzer, files.map((file) => resolve(root, file)), { stdio: 'inherit', env: { PARSER: parser } }));

/** One parser for its time: what it ran, reached, kept and broke. */
async function campaign(fuzzer, parser, seconds) {
  const [grown, found] = ['corpus', 'found'].map((folder) => inRoot('target', 'fuzz', folder, parser));
  for (const folder of [grown, found]) mkdirSync(folder, { recursive: true });
  const began = Date.now();
  // Beside other work a parser gets less than the clock shows: where the system says what a process was given, that is counted.
  let ran = 0;
  const log = [];
  const limits = ['-timeout=20', '-rss_limit_mb=2048', '-max_len=8192', `-max_total_time=${Math.ceil(seconds)}`];
  const seeds = [grown, `${corpusDir}/${parser}`];
  const child = start(fuzzer, [...limits, '-print_final_stats=1', `-artifact_prefix=${found}/`, ...seeds], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PARSER: parser },
  });
  // What was reached is said on its way, and far above the last lines: a dictionary that it recommends comes after.
  const reached = { cov: 0, corp: 0 };
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.splice(0, log.push(line) - 400);
    ran = given(child.pid) ?? ran;
    for (const [, name, number] of line.matchAll(/(cov|corp): (\d+)/g)) reached[name] = Number(number);
  });
  say(`${parser}: ${seconds} s`);
  const count = setInterval(() => (ran = given(child.pid) ?? ran), 500);
  const sign = setInterval(() => console.log(`    ${parser} ${log.findLast((line) => line.startsWith('#'))?.slice(0, 100)}`), 15_000);
  const code = await ended(child);
  clearInterval(count);
  clearInterval(sign);
  if (code !== 0) console.log(log.filter((line) => !line.startsWith('#')).slice(0, 60).join('\n'));
  const runs = Number(log.findLast((line) => line.includes('number_of_executed_units'))?.match(/\d+/)?.[0] ?? 0);
  return { seconds: Math.round(ran || (Date.now() - began) / 1000), runs, edges: reached.cov, kept: reached.corp, found: code ? newest(found, began) : '' };
}

/** Processor seconds that a process has had, where that can be read and it lives. */
function given(pid) {
  try {
    return cpuSeconds(pid);
  } catch {
    return null;
  }
}

/** The input that was written last, since the run began. */
function newest(folder, since) {
  const files = readdirSync(folder).map((file) => `${folder}/${file}`);
  return files.find((file) => statSync(file).mtimeMs >= since) ?? 'its start: see above';
}
