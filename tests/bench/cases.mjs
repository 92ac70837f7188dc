// What is compared: a request, how hard it is driven, and which yardstick does the same.
//
// - `kind`, `base`: the yardstick's path (passthrough.js) and the upstream behind it (upstream.mjs)
// - `policy`: what Understudy is asked for
// - `bytes`: of the prompt; `stream`: chunks per answer
// - `connections` with `seconds` (a closed loop for so long) or `each` (so many requests per connection)
// - `portkey`: measured beside the Portkey gateway too
// - `byHand`: and beside a Worker by hand that makes the platform's calls of the contract (byhand.js)
// - `warm`: the case that the sides are warmed with before (compare.mjs), where it is not itself
const json = { kind: 'pass', base: 'ok', policy: 'two', bytes: 900, connections: 16, seconds: 1.5 };
const stream = { kind: 'pass', base: 'paced', policy: 'paced', bytes: 900, stream: 200, connections: 60, each: 2, staggerMs: 2000, warm: 'stream_burst' };

export const CASES = [
  { name: 'json', ...json, portkey: true, byHand: true, what: 'chat, 1 KB in, 0.5 KB out, a policy of two hops, key and ledger on' },
  { name: 'json_ledger_apart', ...json, warm: 'json', ledger: 'apart', what: 'the same, the ledger\'s Durable Objects in a process of their own, as they are when deployed' },
  { name: 'json_1', ...json, warm: 'json', connections: 1, what: 'one connection' },
  { name: 'json_256', ...json, warm: 'json', connections: 256, what: '256 connections' },
  { name: 'body_100kb', ...json, warm: 'json', bytes: 100_000, connections: 8, portkey: true, what: 'a prompt of 100 KB' },
  { name: 'body_1mb', ...json, warm: 'json', bytes: 1_000_000, connections: 1, what: 'a prompt of 1 MB, one connection' },
  { name: 'chain_16', ...json, warm: 'json', policy: 'sixteen', what: 'a policy of 16 hops, the first answers' },
  { name: 'fallback', ...json, kind: 'two', base: 'fail', policy: 'failing', portkey: true, what: 'the first target fails, the second answers; the yardstick is a hand-written Worker that does the same' },
  { name: 'stream', ...stream, portkey: true, byHand: true, what: '60 streams at once of 200 chunks, one each 10 ms, commit at first content, relay `pipe`' },
  { name: 'stream_inspect', ...stream, byHand: true, kind: 'loop', policy: 'inspect', warm: 'inspect_burst', what: 'the same, relay `inspect`; the yardstick hands chunks on with a reader and a writer' },
  { name: 'stream_burst', ...json, base: 'stream', policy: 'burst', stream: 200, connections: 8, what: '200 chunks as fast as they are taken' },
  { name: 'ttft', ...stream, byHand: true, base: 'short', policy: 'short', stream: 20, connections: 4, each: 20, staggerMs: 200, what: 'four streams at once: what a user waits for the first content' },
];

/** Cases that only warm: what their names say, as fast as it is taken. */
export const WARMING = [{ ...json, name: 'inspect_burst', kind: 'loop', base: 'stream', policy: 'burst_inspect', stream: 200, connections: 8 }];

/** The policies that the cases name, as documents in KV; each provider is an upstream. */
export const POLICIES = {
  two: { chain: ['ok/bench', 'ok/spare'] },
  sixteen: { chain: Array.from({ length: 16 }, (_, i) => `ok/bench-${i}`) },
  // With a breaker the failing target would soon not be asked any more.
  failing: { chain: ['fail/bench', 'ok/bench'], breaker: null },
  paced: { chain: ['paced/bench', 'ok/bench'] },
  inspect: { chain: ['paced/bench', 'ok/bench'], stream: { relay: 'inspect' } },
  burst: { chain: ['stream/bench', 'ok/bench'] },
  burst_inspect: { chain: ['stream/bench', 'ok/bench'], stream: { relay: 'inspect' } },
  short: { chain: ['short/bench', 'ok/bench'] },
};
export const UPSTREAMS = ['ok', 'fail', 'stream', 'paced', 'short'];

/** A chat request's body. */
export const chat = (model, bytes, more = {}) =>
  JSON.stringify({ model, messages: [{ role: 'user', content: 'lorem ipsum '.repeat(Math.ceil(bytes / 12)).slice(0, bytes) }], temperature: 0.2, ...more });
