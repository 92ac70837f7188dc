// The report as tables, for people; `--json` prints it as it is.

export function table(report) {
  const { cases, machine, rounds } = report;
  const parts = [`Understudy over a bare pass-through, medians of ${rounds} rounds (${machine.cores} cores, ${machine.cpu}, workerd ${machine.workerd})`];
  if (cases.length) parts.push(ratios(cases), checks(cases));
  const beside = cases.filter((one) => one.portkey);
  if (beside.length) parts.push('Understudy over the Portkey gateway, as published, on Node', portkey(beside));
  if (report.counts) parts.push(countsLine(report.counts));
  if (report.startup) parts.push(startupTable(report.startup));
  parts.push(`upload: ${kib(report.upload_gzip_bytes)} KiB gzip`);
  return `\n${parts.join('\n\n')}`;
}

/** The series of growth, as rows. */
export const grown = ({ growth }) =>
  growth.map(({ title, x, y, lines: all }) => `${title}: ${y.label}\n${all.map(({ name, points }) => `  ${name}: ${thinned(points).map(([a, b]) => `${a} ${x.label} ${b}`).join(', ')}`).join('\n')}`).join('\n\n');

/** Ten of many. */
const thinned = (points) => points.filter((_, i) => points.length <= 12 || i === points.length - 1 || i % Math.ceil(points.length / 10) === 0);

const range = (spread) => (spread ? spread.join(' to ') : '');
const lines = (head, rows) => [head, head.replace(/[^|]+/g, ' --- '), ...rows].join('\n');

export const ratios = (cases) =>
  lines(
    '| case | requests/s | spread | CPU per request | spread | latency p50 | added latency | first content, ms |',
    cases.map((one) => `| ${one.name} | ${one.rps_ratio} | ${range(one.spread.rps)} | ${one.cpu_ratio} | ${range(one.spread.cpu)} | ${one.latency_ratio} | ${one.added_latency_ratio ?? ''} | ${one.ttft_added_ms ?? ''} |`),
  );

export const checks = (cases) =>
  lines(
    '| case | Understudy /s | pass-through /s | Understudy CPU us | pass-through CPU us | cores busy: Understudy | pass-through | client | upstream | client and upstream alone, x |',
    cases.map(
      ({ name, understudy, passthrough, check, ledger_cpu_us: ledger }) =>
        `| ${name} | ${Math.round(understudy.per_second)} | ${Math.round(passthrough.per_second)} | ${Math.round(understudy.cpu_us)}${ledger ? ` + ${Math.round(ledger)} ledger` : ''} | ${Math.round(passthrough.cpu_us)} | ${understudy.busy} | ${passthrough.busy} | ${check.client_busy} | ${check.upstream_busy} | ${check.direct_over_passthrough} |`,
    ),
  );

export const portkey = (cases) =>
  lines(
    '| case | requests/s | spread | CPU per request | spread | latency p50 | first content, ms |',
    cases.map(({ name, portkey: one }) => `| ${name} | ${one.rps_ratio} | ${range(one.spread.rps)} | ${one.cpu_ratio} | ${range(one.spread.cpu)} | ${one.latency_ratio} | ${one.ttft_added_ms ?? ''} |`),
  );

export const countsLine = (one) => `At ${one.per_second} requests/s, per 1,000 requests: ${one.object_calls_per_1000} calls of Durable Objects, ${one.kv_reads_per_1000} reads of KV.`;

export const startupTable = ({ wasm_bytes: bytes, instance, understudy, passthrough }) =>
  lines('| start | process to socket, ms | first request, ms | next request, ms |', [
    ...Object.entries({ Understudy: understudy, 'pass-through': passthrough }).map(([name, one]) => `| ${name} | ${one.ready_ms} | ${one.first_request_ms} | ${one.second_request_ms} |`),
  ]) + `\n\nThe module, ${kib(bytes)} KiB: its first instance in ${instance.first_ms} ms, a further one in ${instance.next_ms} ms.`;

const kib = (bytes) => Math.round(bytes / 1024);
