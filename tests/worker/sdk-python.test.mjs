// The official Python SDKs: they give a whole stream, and raise on a broken one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { sdks } from './packages.mjs';
import { rig } from './rig.mjs';
import { CUT, LEAD, STALL, answer, frames, sse, status } from './upstream.mjs';
import { root } from './worker.mjs';

const here = join(root, 'tests/worker/python');
const { python, skip } = sdks();
const WORDS = ['one ', 'two ', 'three'];

const { worker, upstream, policy } = skip ? {} : await rig();

/** What a program of tests/worker/python makes of these cases. */
async function draw(cases, program = 'streams.py') {
  const child = spawn(python, [join(here, program)], { stdio: ['pipe', 'pipe', 'inherit'] });
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

test('fallbacks from Python: by a rule for everyone with a group, and by the request, in every spelling', { skip }, async () => {
  const named = (n) => [`acme/py-${n}-1`, `acme/py-${n}-2`];
  const pair = (n, first = status(503)) => (upstream.on(named(n)[0], first), upstream.on(named(n)[1], answer(`second ${n}`)), named(n));
  const [ruled, claude] = ['acme/gpt-4o', 'claude/claude-3-7-sonnet'];
  upstream.on(ruled, status(503));
  upstream.on(claude, answer('Bonjour'));
  await worker.put('rules', { rules: { r: { when: { model: ruled }, then: { retries: 1, fallback: [{ model: claude, retries: 1 }] } } }, rulesets: [{ name: 'everyone', when: { group: { exists: true } }, rules: ['r'] }] });
  const stalls = [{ status: 200, headers: { 'content-type': 'application/json' } }, STALL];
  const own = (n, body, more = {}, first) => {
    const [model, second] = pair(n, first);
    return { case: { route: 'chat', model, ...(body ? { extra_body: body(second) } : {}), ...more }, expected: { said: `second ${n}`, model: second, rule: null, status: 200 } };
  };
  const cases = [
    { case: { route: 'responses', model: ruled, waystone: { user: 'u1', group: 'g1' } }, expected: { said: 'Bonjour', model: claude, rule: 'everyone/r', status: 200 } },
    { case: { route: 'chat', model: ruled, waystone: { user: 'u1', group: 'g1' } }, expected: { said: 'Bonjour', model: claude, rule: 'everyone/r', status: 200 } },
    { case: { route: 'responses', model: ruled, waystone: { user: 'u1' } }, expected: { said: null, model: null, rule: null, status: 503 } },
    own(1, (second) => ({ openpipe: { fallback: { model: second } } })),
    own(2, (second) => ({ understudy: { fallback: [{ model: second, retries: 1 }] } })),
    own(3, (second) => ({ models: [second] })),
    own(4, undefined, { extra_headers: { 'x-understudy': JSON.stringify({ fallback: [named(4)[1]] }) } }),
    { ...own(5, (second) => ({ openpipe: { timeout: 0.7, fallback: { model: second, timeout: 20 } } }), {}, stalls), within: [650, 5000] },
    { ...own(6, undefined, { timeout: 1.5 }, stalls), expected: { said: null, model: null, rule: null, status: 504 }, within: [800, 1500] },
  ];
  const results = await draw(cases.map((each) => each.case), 'asked.py');
  for (const [index, { ms, ...result }] of results.entries()) {
    const { expected, within } = cases[index];
    assert.deepEqual(result, expected, JSON.stringify(cases[index].case));
    if (within) assert.ok(ms > within[0] && ms < within[1], `${ms} ms, expected ${within}`);
  }
  for (const call of upstream.log) assert.ok(!/waystone|openpipe|understudy|"models"/.test(call.body), call.body);
  await worker.remove('rules');
});
