// The figures on the pages are those that were measured, and the arithmetic of docs/scale.md does what it says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { plot } from '../bench/plot.mjs';
import { kept } from '../bench/results.mjs';
import { callsOfIsolate, cost, needs, rowsWritten } from '../bench/scale.mjs';
import { PAGES, told } from '../bench/told.mjs';
import { root } from './worker.mjs';

for (const page of PAGES) {
  test(`the figures of ${page} are those of tests/bench/results.json`, () => {
    assert.equal(readFileSync(join(root, page), 'utf8'), told(page, kept()));
  });
}

const facts = { cpuMs: 0.5, ledgerMs: 0.1, kvReads: 0.001, rowsBatched: 1.2, rowsAlone: 6, bytes: 500, shardPerSecond: 5_000 };

test('an isolate calls one shard a second, or one per full batch, and never oftener than it has rows', () => {
  assert.deepEqual(callsOfIsolate(0.5), { shards: 0.5, control: 0.5 });
  assert.deepEqual(callsOfIsolate(5), { shards: 1, control: 1 });
  assert.deepEqual(callsOfIsolate(2_000), { shards: 10, control: 1 });
});

test('more requests need more shards, and no shard gets more calls than the platform takes', () => {
  const sizes = [1_000, 10_000, 100_000, 1_000_000].map((size) => needs(size, facts));
  sizes.reduce((less, more) => (assert.ok(more.shards >= less.shards), more));
  for (const one of sizes) assert.ok(one.callsPerShard <= 500 && one.shards >= one.byRows, JSON.stringify(one));
});

test('a call for one row writes what one alone writes, a full one what a batch does', () => {
  assert.equal(rowsWritten(facts, 1), facts.rowsAlone);
  assert.ok(Math.abs(rowsWritten(facts, 200) - facts.rowsBatched) < 1e-9);
});

test('the lines of a bill add up, and batches cost less than a call per attempt', () => {
  const { batched, alone } = cost(1_000, facts);
  for (const { total, ...lines } of [batched, alone]) assert.ok(Math.abs(Object.values(lines).reduce((a, b) => a + b) - total) < 1e-9);
  assert.ok(batched.total < alone.total);
  // A million requests at $0.30, half a second of CPU per thousand at $0.02 per million ms.
  assert.ok(Math.abs(batched.requests - 0.3) < 1e-9 && Math.abs(batched.cpu - 0.01) < 1e-9);
});

test('a plot has every line by its name, and nothing outside its frame', () => {
  const svg = plot({ title: 'A & B', x: { label: 'n', log: true }, y: { label: 'cost', from: 0 }, lines: [{ name: 'one', points: [[1, 1], [1000, 2]] }, { name: 'two', points: [[1, 2], [1000, 2.01]] }] });
  assert.ok(svg.includes('A &amp; B') && svg.includes('>one<') && svg.includes('>two<'));
  const numbers = [...svg.matchAll(/ (?:x|cx|x1|x2)="(-?[\d.]+)"/g)].map((found) => Number(found[1]));
  assert.ok(numbers.every((x) => x >= 0 && x <= 720));
  const names = [...svg.matchAll(/class="name".*? y="([\d.]+)"/g)].map((found) => Number(found[1])).sort((a, b) => a - b);
  assert.ok(names[1] - names[0] >= 14, 'names do not overlap');
});
