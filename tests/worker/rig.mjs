// One Worker and one scripted upstream for a test file, and the questions every test asks of an answer.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startUpstream } from './upstream.mjs';
import { sleep, startWorker, trail, unique } from './worker.mjs';

/** Providers `acme` and `other` speak OpenAI's wire, `claude` speaks Anthropic's; all lead to the scripted upstream. */
export async function rig(options) {
  const upstream = await startUpstream();
  const worker = await startWorker(options);
  after(async () => {
    await worker.close();
    await upstream.close();
  });
  await worker.put('provider:acme', upstream.provider('acme'));
  await worker.put('provider:other', upstream.provider('other'));
  await worker.put('provider:claude', upstream.provider('claude', { dialect: 'anthropic', auth: { header: 'x-api-key', secret: 'ACME_API_KEY' } }));
  // The first request of all compiles and loads: no test is to measure that.
  await worker.chat('acme/warm-up');
  return { worker, upstream, slack: await slack(worker), ...scripted(worker, upstream) };
}

/** What this machine may add to a wait, in ms: measured, since it may have other work to do. */
async function slack(worker) {
  let longest = 0;
  for (let n = 0; n < 20; n++) {
    const started = performance.now();
    await (await worker.chat('acme/warm-up')).text();
    longest = Math.max(longest, performance.now() - started);
  }
  return Math.ceil(150 + 2 * longest);
}

function scripted(worker, upstream) {
  return {
    /**
     * Stores a policy of as many targets as there are scripts, each target scripted with its behaviours, and answers
     * its name and targets. `more` is merged into the policy, `hops` field by field into its hops.
     */
    async policy(scripts, more = {}, { hops = [], provider = 'acme' } = {}) {
      const name = unique('p');
      const targets = scripts.map((_, index) => `${provider}/${name}-${index + 1}`);
      scripts.forEach((script, index) => upstream.on(targets[index], ...(isList(script) ? script : [script])));
      const chain = targets.map((model, index) => (hops[index] ? { model, ...hops[index] } : model));
      await worker.put(`policy:${name}`, { chain, ...more });
      return { name, model: `policy/${name}`, targets, calls: (index) => upstream.calls(targets[index - 1]) };
    },
  };
}

/** A script is one behaviour (a function, or a list of steps), or a list of behaviours. */
const isList = (script) => Array.isArray(script) && script.every((item) => typeof item === 'function' || Array.isArray(item));

/** Fast and exact waits, for tests that are not about waiting. */
export const QUICK = { backoff: { initial_ms: 20, jitter: 0 } };

/** Checks who answered: the target's place in the chain, and what the headers say of the way there. */
export function servedBy(response, policy, place, { attempts } = {}) {
  const seen = `status ${response.status}, trail ${response.headers.get('x-understudy-trail')}`;
  assert.equal(response.status, 200, seen);
  assert.equal(response.headers.get('x-understudy-model'), policy.targets[place - 1], seen);
  assert.equal(response.headers.get('x-understudy-fallback'), String(place > 1), seen);
  if (attempts !== undefined) assert.equal(response.headers.get('x-understudy-attempts'), String(attempts), seen);
}

/** Checks the outcomes in the trail, in order, whichever targets they are of; what a skip names is left aside. */
export function outcomes(response, ...expected) {
  const seen = trail(response).map((entry) => entry.slice(entry.lastIndexOf('=') + 1).split(':').slice(0, 2).join(':'));
  assert.deepEqual(seen, expected);
}

/** Checks an error answer's status and code, and that its message says what it must; answers the error. */
export async function refused(response, status, code, ...saying) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  const { error } = JSON.parse(text);
  if (code !== undefined) assert.equal(error.code, code, text);
  for (const words of saying) assert.ok(words instanceof RegExp ? words.test(error.message) : error.message.includes(words), `"${error.message}" should say ${words}`);
  return error;
}

/**
 * The log lines with these words, once there are as many as asked. The platform hands lines on a little later, in their order: once
 * the last one is here, what is not here was never written.
 */
export async function logged(worker, words, count = 1) {
  for (const until = Date.now() + 5000; ; await sleep(20)) {
    const lines = worker.logs.map(({ message }) => message).filter((message) => message.includes(words));
    if (lines.length >= count) return lines;
    assert.ok(Date.now() < until, `${lines.length} of ${count} log lines have "${words}": ${JSON.stringify(worker.logs.slice(-5))}`);
  }
}
