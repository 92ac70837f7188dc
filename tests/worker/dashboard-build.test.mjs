// The dashboard's bundle: its types hold, it is small, and its page carries nothing that its policy would block.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { buildDashboard } from '../../src/dashboard/build.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const BUDGET = 150 * 1024;

test('its types hold', async () => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  assert.ok(existsSync(tsc));
  await promisify(execFile)(process.execPath, [tsc, '-p', join(root, 'src/dashboard')]).catch((error) => assert.fail(error.stdout || error.message));
});

test('it weighs less than 150 KiB gzip, and nothing stands inline', async () => {
  const outdir = await mkdtemp(join(tmpdir(), 'dashboard-'));
  try {
    const files = await buildDashboard(outdir);
    assert.ok(files.reduce((sum, file) => sum + file.gzip, 0) < BUDGET);
    const page = await readFile(join(outdir, 'index.html'), 'utf8');
    assert.doesNotMatch(page, /<style|style=|<script(?![^>]*src=)|\son\w+=|https?:/);
    for (const [, path] of page.matchAll(/(?:src|href)="([^"]+)"/g)) assert.ok(existsSync(join(outdir, path)), path);
    const headers = await readFile(join(outdir, '_headers'), 'utf8');
    assert.match(headers, /Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(headers, /unsafe-|\*;| \* /);
    for (const file of await readdir(join(outdir, 'assets'))) assert.match(file, /-[A-Z0-9]{8}\.(js|css)$/);
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
});
