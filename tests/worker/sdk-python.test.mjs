// The official Python SDKs: they give a whole stream, and raise on a broken one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { sdks } from './packages.mjs';
import { rig } from './rig.mjs';
import { CUT, LEAD, STALL, answer, frames, sse } from './upstream.mjs';
import { root } from './worker.mjs';

const here = join(root, 'tests/worker/python');
const { python, skip } = sdks();
const WORDS = ['one ', 'two ', 'three'];

const { worker, policy } = skip ? {} : await rig();

async function draw(cases) {
  const child = spawn(python, [join(here, 'streams.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ url: worker.url, cases }));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return JSON.parse(text);
}

test('Python SDKs', { skip }, async () => {
  const routes = ['chat', 'completions', 'responses', 'messages'];
  const endings = { whole: null, cut: [CUT], stall: [STALL], end: [] };
  const cases = [];
  for (const route of routes) {
    for (const [name, ending] of Object.entries(endings)) {
      const script = ending ? sse(frames(route, WORDS).slice(0, LEAD[route] + 2), ...ending) : answer(WORDS);
      const p = await policy([script], { timeouts: { idle_ms: 400 } }, { provider: route === 'messages' ? 'claude' : 'acme' });
      cases.push({ name: `${route}, ${name}`, route, model: p.model, whole: ending === null });
    }
  }
  const results = await draw(cases);
  for (const [index, { name, whole }] of cases.entries()) {
    const { said, error } = results[index];
    if (whole) assert.deepEqual([said, error], [WORDS.join(''), null], name);
    else assert.ok(error !== null && said === 'one two ', `${name}: said "${said}", error ${error}`);
  }
});
