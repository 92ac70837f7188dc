// The programs of docs/clients whose packages are installed here, run as they stand, through a chain that falls back.
// Those in Python are run by sdk-python.test.mjs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { rig } from './rig.mjs';
import { root } from './worker.mjs';

const { worker } = await rig();
await worker.put('policy:demo', { chain: ['sim/overloaded', 'sim/echo'] });
const env = { ...process.env, UNDERSTUDY_URL: worker.url, UNDERSTUDY_KEY: 'none' };

const PROGRAMS = {
  'openai.mjs': [process.execPath, /Hello \| answered by sim\/echo\nHello\s*\nHello/],
  'anthropic.mjs': [process.execPath, /Hello\nHello/],
  'curl.sh': ['sh', /"Hello"[\s\S]*\[DONE\][\s\S]*"embedding"/],
};

for (const [name, [program, said]] of Object.entries(PROGRAMS)) {
  test(`docs/clients/${name}`, async () => {
    const { stdout } = await promisify(execFile)(program, [join(root, 'docs/clients', name)], { env, timeout: 60_000 });
    assert.match(stdout, said);
  });
}

test('the lines of the README', async () => {
  const lines = await import('node:fs/promises').then((fs) => fs.readFile(join(root, 'README.md'), 'utf8'));
  const program = lines.match(/```js\n([\s\S]*?)```/)[1].replace('http://127.0.0.1:8787', worker.url);
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: root, timeout: 60_000 });
  assert.equal(stdout.trim(), 'Hello');
  const curl = lines.match(/```sh\n(curl -i [\s\S]*?)```/)[1].replace('http://127.0.0.1:8787', worker.url);
  const answer = await promisify(execFile)('sh', ['-c', curl], { timeout: 60_000 });
  assert.match(answer.stdout, /x-understudy-model: sim\/echo/i);
});
