// What pages tell of results: each block between `<!-- measured: NAME -->` and `<!-- /measured -->` is written from
// results.json, so that no figure on a page is one that nobody measured. `--save` writes them, a test compares them.
import { readFileSync } from 'node:fs';
import { inRoot } from '../../scripts/lib/project.mjs';
import { checks, countsLine, portkey, ratios, startupTable } from './report.mjs';
import { PRICES, SIZES, callsOfIsolate, cost, measured, needs } from './scale.mjs';

export const PAGES = ['README.md', 'docs/scale.md', 'tests/bench/RESULTS.md'];

/** What the pages need and these results lack. */
export function missing({ cases, growth, counts, startup }) {
  const has = (list, name) => list.some((one) => one.name === name);
  return [
    ...['json', 'json_ledger_apart', 'stream', 'stream_inspect', 'ttft', 'body_1mb'].filter((name) => !has(cases, name)),
    ...['streams', 'requests', 'ledger'].filter((name) => !has(growth, name)).map((name) => `growth ${name}`),
    ...(growth.find((one) => one.name === 'ledger')?.questions ? [] : ['questions to the ledger']),
    ...Object.entries({ counts, startup }).filter(([, value]) => !value).map(([name]) => name),
  ];
}

/** The page as it should be. */
export function told(page, results) {
  return readFileSync(inRoot(page), 'utf8').replace(/(<!-- measured: (\w+) -->\n)[^]*?(<!-- \/measured -->)/g, (_, begin, name, end) => {
    if (!BLOCKS[name]) throw new Error(`${page}: no block is called ${name}: there are ${Object.keys(BLOCKS).join(', ')}`);
    return `${begin}${BLOCKS[name](results)}\n${end}`;
  });
}

function machine({ machine: { cores, cpu, memory_gib: memory, workerd, node }, at, rounds }) {
  return `${cores} cores of ${cpu}, ${memory} GiB, workerd ${workerd}, Node ${node}, ${at.slice(0, 10)}; medians of ${rounds} rounds.`;
}

const budgets = (results) => rows('| what | result | spread | budget | met | by hand |', budgetLines(results));

/** The README's few lines of it: what a call costs, what a reader waits, what is uploaded, and how many budgets are met. */
function summary(results) {
  const of = (name) => results.cases.find((one) => one.name === name);
  const [json, ttft, body] = ['json', 'ttft', 'body_1mb'].map(of);
  const judged = budgetLines(results).filter(([, , , budget]) => budget);
  const missed = judged.filter(([, , , , holds]) => holds !== 'yes').map(([what]) => what.replace(', the same', ''));
  const table = rows('| what | Understudy | by hand | budget |', [
    ['CPU time of a call of 1 KB, over the pass-through', json.cpu_ratio, json.by_hand.cpu_ratio, '1.5 or less'],
    ['latency added to a request of 1 MB, over the pass-through', body.added_latency_ratio, '', '1.5 or less'],
    ['time added to the first content of a stream', `${ttft.ttft_added_ms} ms`, `${ttft.by_hand.ttft_added_ms} ms`, '1 ms or less'],
    ['upload, gzip', `${Math.round(results.upload_gzip_bytes / 1024)} KiB`, '', '400 KiB or less'],
  ]);
  return `${table}\n\n${judged.length - missed.length} of ${judged.length} budgets are met. Missed are: ${missed.join('; ')}.`;
}

function budgetLines({ cases, counts, growth: series, upload_gzip_bytes: upload }) {
  const of = (name) => cases.find((one) => one.name === name);
  const [json, apart, stream, inspect, ttft, body] = ['json', 'json_ledger_apart', 'stream', 'stream_inspect', 'ttft', 'body_1mb'].map(of);
  const streams = series.find((one) => one.name === 'streams');
  const many = creep(series.find((one) => one.name === 'requests').lines[0].points);
  const added = (name) => Math.round(streams.lines.find((line) => line.name === name).most * 10) / 10;
  const kib = Math.round(upload / 1024);
  const most = (limit) => [`${limit} or less`, (value) => value <= limit];
  const least = (limit) => [`${limit} or more`, (value) => value >= limit];
  const line = (what, value, spread, [budget, holds], unit = '', byHand) => [what, `${value}${unit}`, range(spread), budget, holds(value) ? 'yes' : '**no**', byHand === undefined ? '' : `${byHand}${unit}`];
  return [
    line('requests per second, non-stream chat, two hops, key and ledger on', json.rps_ratio, json.spread.rps, least('0.70'), '', json.by_hand.rps_ratio),
    line('CPU time per request, the same', json.cpu_ratio, json.spread.cpu, most('1.5'), '', json.by_hand.cpu_ratio),
    [`the same without the ledger's objects, which run elsewhere when deployed`, apart.cpu_ratio, range(apart.spread.cpu), '', '', ''],
    line('CPU time per chunk, stream of 200 chunks, `pipe`', stream.cpu_ratio, stream.spread.cpu, most('1.6'), '', stream.by_hand.cpu_ratio),
    line('CPU time per chunk, `inspect`, over a reader and writer in JavaScript', inspect.cpu_ratio, inspect.spread.cpu, most('1.1'), '', inspect.by_hand.cpu_ratio),
    line('time added to the first content, p50', ttft.ttft_added_ms, ttft.spread.ttft, most('1'), ' ms', ttft.by_hand.ttft_added_ms),
    line('latency added to a request of 1 MB', body.added_latency_ratio, body.spread.added, most('1.5')),
    line(`Durable Object calls per 1,000 requests, at ${counts.per_second} a second`, counts.object_calls_per_1000, null, most('20')),
    line('KV reads per 1,000 requests, the same', counts.kv_reads_per_1000, null, most('10')),
    line('memory that a stream of 50 MB at 1 MB/s adds', added('Understudy'), null, most('8'), ' MB'),
    line('the same with a slow client', added('Understudy, slow client'), null, most('8'), ' MB'),
    line(`memory that ${many.requests.toLocaleString('en')} requests add, the last tenth over the second`, many.mb, null, most('16'), ' MB'),
    line('upload, gzip', kib, null, most('400'), ' KiB'),
    line('requests per second, over the Portkey gateway on Node', json.portkey.rps_ratio, json.portkey.spread.rps, least('2.0')),
    line('CPU time per request, over the Portkey gateway', json.portkey.cpu_ratio, json.portkey.spread.cpu, most('0.5')),
  ];
}

/** What a process holds more at the end of many requests than when it had served its first tenth of them. */
function creep(points) {
  const requests = points.at(-1)[0];
  const mean = (from, to) => {
    const held = points.filter(([x]) => x > from * requests && x <= to * requests).map(([, mb]) => mb);
    return held.reduce((sum, mb) => sum + mb, 0) / held.length;
  };
  return { requests, mb: Math.round((mean(0.9, 1) - mean(0.1, 0.2)) * 10) / 10 };
}

const start = ({ counts, startup }) => `${startupTable(startup)}\n\n${countsLine(counts)}`;

const growth = ({ growth: series }) => series.filter((one) => one.lines.length).map(({ name, title }) => `![${title}](../../docs/plots/${name}.svg)`).join('\n');

function facts(results) {
  const known = measured(results);
  return rows('| measured | |', [
    ['CPU time of the Worker per request', `${fixed(known.cpuMs, 2)} ms`],
    ['CPU time of the ledger per request', `${fixed(known.ledgerMs, 3)} ms`],
    ['requests a second whose rows one shard takes, half its processor left free', number(known.shardPerSecond)],
    ['rows written per request, in batches of 200', known.rowsBatched],
    ['rows written per request, one call each', known.rowsAlone],
    ['bytes kept per request', number(known.bytes)],
    ['KV reads per 1,000 requests of a busy isolate', fixed(known.kvReads * 1000, 2)],
  ]);
}

function questions({ growth: series }) {
  const { facts, questions: asked, at, machine: on } = series.find((one) => one.name === 'ledger');
  const budgets = { analytics: 'under 100', request: 'under 50' };
  const table = rows('| question | ms, p50 | ms, at most | budget |', asked.map(({ name, kind, p50_ms: p50, max_ms: most }) => [name, p50, most, budgets[kind] ?? '']));
  return `${number(facts.attempts)} attempts in one shard, ${at.slice(0, 10)}; ${on}.\n\n${table}`;
}

function shards(results) {
  const known = measured(results);
  const all = SIZES.map((size) => [size, needs(size, known)]);
  return rows('| requests a second | shards | for their rows alone | calls a second to a shard | requests in a call | calls a second to `control` | calls per 1,000 requests | shards with a call per attempt |', all.map(([size, one]) => [
    number(size), `${number(one.shards)}${one.fits ? '' : ' (more than `LEDGER_SHARDS` takes)'}`, number(one.byRows), number(one.callsPerShard), fixed(one.rowsPerCall, 1), number(one.control), number(one.callsPer1000), number(one.alone),
  ]));
}

const isolates = () =>
  rows('| requests a second in one isolate | calls per 1,000 requests |', [1, 5, 50, 500, 2_000].map((rate) => {
    const { shards, control } = callsOfIsolate(rate);
    return [number(rate), number(((shards + control) / rate) * 1000)];
  }));

const LINES = { requests: 'requests', cpu: 'CPU', kv: 'KV reads', objectRequests: 'Durable Object requests', duration: 'Durable Object duration', rows: 'rows written', storage: 'storage, 7 days', total: '**all**' };

function costs(results) {
  const known = measured(results);
  const all = SIZES.map((size) => cost(size, known));
  const head = `| dollars for a million requests, prices of ${PRICES.asOf} | ${SIZES.map((size) => `at ${number(size)}/s | a call per attempt`).join(' | ')} |`;
  return rows(head, Object.entries(LINES).map(([key, name]) => [name, ...all.flatMap(({ batched, alone }) => [fixed(batched[key], 4), fixed(alone[key], 4)])]));
}

const rows = (head, list) => [head, head.replace(/[^|]+/g, ' --- '), ...list.map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
const range = (spread) => (spread ? spread.join(' to ') : '');
const number = (x) => Math.round(x).toLocaleString('en');
const fixed = (x, digits) => x.toFixed(digits);

const BLOCKS = {
  machine,
  budgets,
  summary,
  ratios: ({ cases }) => ratios(cases),
  checks: ({ cases }) => checks(cases),
  portkey: ({ cases }) => portkey(cases.filter((one) => one.portkey)),
  start,
  growth,
  facts,
  questions,
  shards,
  isolates,
  costs,
};
