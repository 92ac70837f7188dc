// What a request leaves behind in the isolate when it is over: nothing. Each callback that Wasm gives to JavaScript is registered
// to be collected, and one that is never let go shows in a snapshot of the heap, however few bytes it takes.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { inspect } from './inspector.mjs';
import { rig } from './rig.mjs';
import { STALL, frames, json, body, openaiError, sse, status } from './upstream.mjs';
import { sleep } from './worker.mjs';

const { worker, policy } = await rig({ inspectorPort: 0 });
const inspector = await inspect(worker, 'understudy');
after(() => inspector.close());

const WORDS = ['one ', 'two ', 'three ', 'four'];
/** A stream that is watched beside its pipe for some looks. */
const slow = sse(...frames('chat', WORDS).flatMap((frame) => [frame, 120]));
const good = json(body('chat', 'fine', 'm'));
const failing = status(503, openaiError('down', 'server_error'));
const BACKOFF = { backoff: { initial_ms: 20 } };

const LOOKS = 6;

const KINDS = {
  'answers leave no callbacks behind': async () => [await policy([good]), {}],
  'fallbacks leave no callbacks behind': async () => [await policy([failing, good], { breaker: null }), {}],
  'retries leave no callbacks behind': async () => [await policy([[failing, failing, good]], { ...BACKOFF, breaker: null }, { hops: [{ retries: 2 }] }), {}],
  'piped streams leave no callbacks behind': async () => [await policy([slow]), { stream: true }],
  'inspected streams leave no callbacks behind': async () => [await policy([slow], { stream: { relay: 'inspect' } }), { stream: true }],
  'translated streams leave no callbacks behind': async () => [await policy([sse(...frames('messages', WORDS).flatMap((frame) => [frame, 60]))], {}, { provider: 'claude' }), { stream: true }],
  'hedged calls leave no callbacks behind': async () => [await policy([[sse(300, ...frames('chat', WORDS))], good], {}, { hops: [{ hedge_after_ms: 50 }] }), {}],
  'clients that leave a stream leave no callbacks behind': async () => [await policy([sse(...frames('chat', WORDS).slice(0, 3), STALL)], { timeouts: { idle_ms: 600 } }), { stream: true }, 200],
  'clients that leave before the answer leave no callbacks behind': async () => [await policy([[STALL]], { timeouts: { attempt_ms: 500 } }), {}, 100],
  'connections that break before the answer leave no callbacks behind': async () => [await policy([[STALL]]), {}, -100],
  'clocks that fire leave no callbacks behind': async () => [await policy([[STALL], good], { timeouts: { attempt_ms: 60 }, breaker: null }), {}],
};

for (const [name, kind] of Object.entries(KINDS)) {
  test(name, async () => {
    const [{ model }, more, leaves] = await kind();
    const round = () => Promise.all(Array.from({ length: 40 }, () => asked(model, more, leaves)));
    await round();
    const before = await held();
    for (let n = 0; n < 3; n++) await round();
    // On a busy machine what ended is cleared away later; what leaks never is.
    let extra = Infinity;
    for (let looks = 0; looks < LOOKS && extra >= 40; looks++) extra = (await held()) - before;
    assert.ok(extra < 40, `${extra} callbacks are held after 120 requests more`);
  });
}

/** Asks, and leaves after so many ms: closes its connection, or (negative) breaks it, which is told at once. */
async function asked(model, more, leaves = 0) {
  if (leaves < 0) return broken(model, -leaves);
  try {
    const answer = await worker.chat(model, more, {}, leaves ? { signal: AbortSignal.timeout(leaves) } : {});
    await answer.text();
  } catch (error) {
    if (!leaves) throw error;
  }
}

async function broken(model, ms) {
  const said = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hi' }] });
  const socket = connect(Number(new URL(worker.url).port), '127.0.0.1');
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${said.length}\r\n\r\n${said}`);
  await sleep(ms);
  socket.resetAndDestroy();
}

/** Callbacks that are registered for collection and were not let go, once what ended has been cleared away. */
async function held() {
  await sleep(2_500);
  const { snapshot, nodes, strings } = JSON.parse(await inspector.snapshot());
  const fields = snapshot.meta.node_fields;
  const [name, step] = [fields.indexOf('name'), fields.length];
  let count = 0;
  for (let at = 0; at < nodes.length; at += step) if (strings[nodes[at + name]] === 'system / WeakCell') count++;
  return count;
}
