// What one isolate asks of the platform under a steady 500 requests a second: calls of Durable Objects and reads of KV, counted
// where they arrive, and set against a thousand requests. Long enough to see documents read again when their copies are old.
import { chat } from './cases.mjs';
import { post, steady } from './load.mjs';
import { round3 } from './compare.mjs';
import { startUnderstudy } from './sides.mjs';

const PER_SECOND = 500;
/** About as far as both are when deployed: what comes while one waits for them is what tells. */
const DISTANCE_MS = 25;

export async function counts(upstream, { seconds }) {
  const apart = await startUnderstudy(upstream, { ledger: 'apart', distanceMs: DISTANCE_MS });
  try {
    return await counted(apart, seconds);
  } finally {
    await apart.close();
  }
}

async function counted(apart, seconds) {
  const request = post('/v1/chat/completions', { authorization: `Bearer ${apart.key}` }, chat('policy/two', 900));
  await steady(apart.port, request, { perSecond: PER_SECOND, seconds: 1 });
  await rest();
  const before = { calls: await apart.calls(), reads: apart.store.reads };
  const done = await steady(apart.port, request, { perSecond: PER_SECOND, seconds });
  await rest();
  if (done.failed) throw new Error(`counts: ${done.failed} answers were no 200, the first:\n${done.failure}`);
  const per1000 = (count) => round3((count / done.requests) * 1000);
  return {
    per_second: Math.round(done.perSecond),
    requests: done.requests,
    object_calls_per_1000: per1000((await apart.calls()) - before.calls),
    kv_reads_per_1000: per1000(apart.store.reads - before.reads),
  };
}

/** Until the last batch has gone. */
const rest = () => new Promise((done) => setTimeout(done, 2_500));
