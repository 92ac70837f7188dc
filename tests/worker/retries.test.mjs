// Waits between tries, measured at the upstream: backoff, Retry-After in each form, the deadline, the 64-attempt bound.
import assert from 'node:assert/strict';
import { describe, test as once } from 'node:test';
import { outcomes, rig, servedBy } from './rig.mjs';
import { answer, json, openaiError, status } from './upstream.mjs';

const { worker, policy, slack: SLACK_MS } = await rig();

/** Too late may be this machine's doing, which has other work: three times running it is not. Too early never is. */
class Late extends Error {}
const test = (name, run) =>
  once(name, async () => {
    for (let left = 2; ; left--) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof Late) || left === 0) throw error;
      }
    }
  });

function within(ms, limit, what) {
  if (ms > limit) throw new Late(`${what} ${Math.round(ms)} ms, at most ${Math.round(limit)} ms expected`);
}

const gaps = (calls) => calls.slice(1).map((call, index) => call.at - calls[index].at);

function near(gap, expected, jitter = 0.1) {
  assert.ok(gap >= expected * (1 - jitter) - 5, `waited ${Math.round(gap)} ms, expected ${expected} ms`);
  within(gap, expected * (1 + jitter) + SLACK_MS, 'waited');
}

describe('waits', { concurrency: true }, () => {
  test('500 ms, 1 s, 2 s at the defaults', async () => {
    const p = await policy([[status(503), status(503), status(503), answer()]], {}, { hops: [{ retries: 3 }] });
    const response = await worker.chat(p.model);
    servedBy(response, p, 1, { attempts: 4 });
    outcomes(response, 'overloaded', 'overloaded', 'overloaded', 'ok');
    const waited = gaps(p.calls(1));
    [500, 1000, 2000].forEach((expected, index) => near(waited[index], expected));
  });

  test('initial, multiplier and maximum are the policy’s', async () => {
    const p = await policy([[status(503), status(503), status(503), answer()]], { backoff: { initial_ms: 100, multiplier: 3, max_ms: 400, jitter: 0 } }, { hops: [{ retries: 3 }] });
    servedBy(await worker.chat(p.model), p, 1);
    const waited = gaps(p.calls(1));
    [100, 300, 400].forEach((expected, index) => near(waited[index], expected, 0));
  });

  test('Retry-After in seconds raises the wait', async () => {
    const p = await policy([[status(429, undefined, { 'retry-after': '1' }), answer()]], {}, { hops: [{ retries: 1 }] });
    servedBy(await worker.chat(p.model), p, 1);
    near(gaps(p.calls(1))[0], 1000);
  });

  test('retry-after-ms raises the wait', async () => {
    const p = await policy([[status(429, undefined, { 'retry-after-ms': '800' }), answer()]], {}, { hops: [{ retries: 1 }] });
    servedBy(await worker.chat(p.model), p, 1);
    near(gaps(p.calls(1))[0], 800);
  });

  test('Retry-After below the backoff does not shorten the wait', async () => {
    const p = await policy([[status(503, undefined, { 'retry-after-ms': '10' }), answer()]], { backoff: { jitter: 0 } }, { hops: [{ retries: 1 }] });
    servedBy(await worker.chat(p.model), p, 1);
    near(gaps(p.calls(1))[0], 500, 0);
  });

  test('Retry-After as an HTTP date', async () => {
    let until;
    const dated = () => {
      until = Math.ceil(Date.now() / 1000 + 1.2) * 1000;
      return status(429, undefined, { 'retry-after': new Date(until).toUTCString() });
    };
    const p = await policy([[dated, answer()]], {}, { hops: [{ retries: 1 }] });
    servedBy(await worker.chat(p.model), p, 1);
    const after = p.calls(1)[1].started - until;
    assert.ok(after >= -20, `called ${-after} ms before the date`);
    within(after, 250 + SLACK_MS, 'after the date');
  });

  test('a provider’s hint in the body', async () => {
    const hint = { error: { code: 429, message: 'Quota', status: 'RESOURCE_EXHAUSTED', details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.9s' }] } };
    const p = await policy([[status(429, hint), answer()]], {}, { hops: [{ retries: 1 }] });
    servedBy(await worker.chat(p.model), p, 1);
    near(gaps(p.calls(1))[0], 900);
  });

  test('Retry-After over the maximum gives the hop up at once', async () => {
    const p = await policy([status(429, undefined, { 'retry-after': '11' }), answer()], {}, { hops: [{ retries: 3 }] });
    const response = await worker.chat(p.model);
    servedBy(response, p, 2, { attempts: 2 });
    within(p.calls(2)[0].at - p.calls(1)[0].at, SLACK_MS, 'waited');
  });

  test('next waits for nothing', async () => {
    const p = await policy([status(401), status(404), answer()], {}, { hops: [{ retries: 5 }, { retries: 5 }] });
    servedBy(await worker.chat(p.model), p, 3, { attempts: 3 });
    within(p.calls(3)[0].at - p.calls(1)[0].at, 2 * SLACK_MS, 'waited');
  });

  test('a timeout is not retried unless the policy says so', async () => {
    const once = await policy([[60_000], answer()], {}, { hops: [{ retries: 2, timeouts: { attempt_ms: 200 } }] });
    const response = await worker.chat(once.model);
    servedBy(response, once, 2, { attempts: 2 });
    const again = await policy([[[60_000], answer('late')], answer()], { on: { timeout: 'retry' }, backoff: { initial_ms: 20 } }, { hops: [{ retries: 2, timeouts: { attempt_ms: 1500 + SLACK_MS } }] });
    servedBy(await worker.chat(again.model), again, 1, { attempts: 2 });
  });

  test('the deadline: nothing starts that it leaves no time for', async () => {
    const p = await policy([status(503), answer()], { deadline_ms: 700 }, { hops: [{ retries: 10 }] });
    const started = performance.now();
    const response = await worker.chat(p.model);
    const took = performance.now() - started;
    within(took, 700 + 2 * SLACK_MS, 'took');
    assert.ok(p.calls(1).length <= 2);
    await response.text();
  });

  test('a slow attempt is cut by the deadline, as a timeout', async () => {
    const p = await policy([[60_000], answer()], { deadline_ms: 1000 + SLACK_MS });
    const response = await worker.chat(p.model);
    assert.equal(response.status, 504);
    outcomes(response, 'timeout', 'skip:deadline');
    const [call] = p.calls(1);
    await call.ended;
    assert.ok(call.closedEarly);
    within(call.openMs, 1000 + 3 * SLACK_MS, 'open for');
  });

  test('the client’s own timeout less 500 ms is a deadline', async () => {
    const p = await policy([[60_000]]);
    const started = performance.now();
    const response = await worker.chat(p.model, {}, { 'x-stainless-timeout': '1' });
    const took = performance.now() - started;
    assert.equal(response.status, 504);
    assert.ok(took > 400, `took ${took} ms`);
    within(took, 500 + 2 * SLACK_MS, 'took');
  });

  test('at most 64 attempts, whatever the policy says', async () => {
    const p = await policy(Array(16).fill(status(500)), { backoff: { initial_ms: 1, max_ms: 1, jitter: 0 }, breaker: null }, { hops: Array(16).fill({ retries: 10 }) });
    const response = await worker.chat(p.model);
    assert.equal(response.headers.get('x-understudy-attempts'), '64');
    const made = Array.from({ length: 16 }, (_, index) => p.calls(index + 1).length).reduce((a, b) => a + b);
    assert.equal(made, 64);
    assert.ok(response.headers.get('x-understudy-trail').length <= 4096);
    const { error } = await response.json();
    assert.equal(error.code, 'chain_exhausted');
  });

  test('a retried request is sent anew each time, whole', async () => {
    const p = await policy([[status(500), json(openaiError('busy', 'server_error', 'server_is_overloaded')), answer()]], { backoff: { initial_ms: 10 } }, { hops: [{ retries: 2 }] });
    servedBy(await worker.chat(p.model, { metadata: { a: 'b' } }), p, 1, { attempts: 3 });
    const bodies = p.calls(1).map((call) => call.body);
    assert.equal(new Set(bodies).size, 1);
    assert.deepEqual(JSON.parse(bodies[0]).metadata, { a: 'b' });
  });
});
