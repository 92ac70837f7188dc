// How the platform comes in (src/edge/entry.js), of a Wasm that traps once: no input is known that makes ours do so.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inRoot } from '../../scripts/lib/project.mjs';
import { DATE } from '../bench/sides.mjs';
import { startWorkerd } from '../bench/workerd.mjs';

/** The Worker as built, but that a request to `/trap` traps. */
function trapping(folder) {
  const built = readFileSync(inRoot('build', 'index.js'), 'utf8');
  const [, entrypoint] = /await ([\w$]+)\.prototype\.fetch\.call/.exec(built);
  const trap = `{
    const { prototype } = ${entrypoint};
    const fetch = prototype.fetch;
    prototype.fetch = function (request) {
      if (request.url.endsWith('/trap')) throw new WebAssembly.RuntimeError('unreachable');
      return fetch.call(this, request);
    };
  }`;
  writeFileSync(join(folder, 'index.js'), `${built}\n${trap}`);
  copyFileSync(inRoot('build', 'index_bg.wasm'), join(folder, 'index_bg.wasm'));
  return [
    { name: 'index.js', esModule: join(folder, 'index.js') },
    { name: 'index_bg.wasm', wasm: join(folder, 'index_bg.wasm') },
  ];
}

test('after a trap the next request finds a Wasm that is made anew', async () => {
  mkdirSync(inRoot('target'), { recursive: true });
  const folder = mkdtempSync(inRoot('target', 'entry-'));
  const worker = await startWorkerd([{ name: 'understudy', modules: trapping(folder), date: DATE, flags: ['enable_request_signal'] }]);
  const status = async (path) => {
    const response = await fetch(worker.url + path);
    await response.arrayBuffer();
    return response.status;
  };
  try {
    assert.equal(await status('/healthz'), 200);
    assert.ok(!worker.said().includes('Reinitializing'));
    assert.equal(await status('/trap'), 500);
    assert.equal(await status('/healthz'), 200);
    assert.match(worker.said(), /Critical[^]*Reinitializing Wasm application/);
  } finally {
    await worker.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
