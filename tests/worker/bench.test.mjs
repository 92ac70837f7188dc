// `npm run bench` runs, and prints what spec and scripts read.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './worker.mjs';

const bench = (...args) => spawnSync(process.execPath, [join(root, 'tests/bench/main.mjs'), ...args], { encoding: 'utf8' });

test('a case is one JSON object: machine, cases with ratios and spread, upload', () => {
  const { status, stdout, stderr } = bench('--json', '--quick', '--rounds', '1', '--only', 'json_1');
  assert.equal(status, 0, stderr);
  const report = JSON.parse(stdout);
  assert.ok(report.machine.cores >= 1 && report.upload_gzip_bytes > 100_000);
  assert.deepEqual(report.cases.map((one) => one.name), ['json_1']);
  const [one] = report.cases;
  for (const key of ['rps_ratio', 'cpu_ratio', 'latency_ratio']) assert.ok(one[key] > 0, `${key}: ${one[key]}`);
  assert.equal(one.ttft_added_ms, null);
  assert.ok(one.spread.rps[0] <= one.rps_ratio && one.rps_ratio <= one.spread.rps[1]);
});

test('a name that is no case is refused, with those there are', () => {
  const { status, stderr } = bench('--only', 'jason');
  assert.equal(status, 2);
  assert.match(stderr, /no case is called jason: there are json, /);
});
