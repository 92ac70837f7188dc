// What the contract itself costs: a Worker by hand that makes the platform's calls which keeping it takes, and decides nothing.
// No policy, no key, no rule, one provider, one family: what Understudy takes beyond this is its own.
//
// - a body read whole, since it may have to be sent again; the model set in its text
// - a call that a clock can end, and a client who leaves
// - a whole answer read and checked before it is sent, with the headers that say what happened
// - a stream held until its first content, then piped and watched beside the pipe, or read chunk by chunk where
//   `x-relay: inspect` asks for it, with room to say how it ended
// - a row a request, in batches of 200 or one a second, counted and kept by a Durable Object
import { DurableObject } from 'cloudflare:workers';

const BATCH = 200;
const LOOKS_MS = [250, 1000];
const PASS = /^(?:(?:x-|anthropic-)?ratelimit|(?:.+-)?request-?id$|openai-processing-ms$|openai-version$|content-type$)/;
const text = new TextDecoder();
const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let rows = [];
let timed = false;

/** The first row of a batch waits for the others; the one that fills it sends it. */
function record(row, env, ctx) {
  rows.push(row);
  if (rows.length >= BATCH) return ctx.waitUntil(send(env));
  if (timed) return;
  timed = true;
  ctx.waitUntil(after(1000).then(() => ((timed = false), send(env))));
}

async function send(env) {
  const batch = rows.splice(0, BATCH);
  if (batch.length === 0) return;
  const ledger = env.LEDGER.get(env.LEDGER.idFromName('shard'));
  await (await ledger.fetch('http://ledger/', { method: 'POST', body: JSON.stringify(batch) })).text();
}

export class Ledger extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec('CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, row TEXT) WITHOUT ROWID');
    this.sql.exec('CREATE TABLE IF NOT EXISTS marks (at INTEGER, id TEXT, PRIMARY KEY (at, id)) WITHOUT ROWID');
    this.sql.exec('CREATE TABLE IF NOT EXISTS counts (minute INTEGER, policy TEXT, n INTEGER, PRIMARY KEY (minute, policy)) WITHOUT ROWID');
  }

  async fetch(request) {
    const batch = await request.json();
    this.ctx.storage.transactionSync(() => {
      for (const row of batch) {
        this.sql.exec('INSERT OR IGNORE INTO requests VALUES (?, ?)', row.id, JSON.stringify(row));
        this.sql.exec('INSERT OR IGNORE INTO marks VALUES (?, ?)', row.at, row.id);
      }
      const minute = Math.floor(batch[0].at / 60_000);
      this.sql.exec('INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n', minute, batch[0].policy, batch.length);
    });
    return new Response('kept');
  }
}

export default {
  async fetch(request, env, ctx) {
    const at = Date.now();
    const asked = Object.fromEntries(request.headers);
    const body = text.decode(await request.arrayBuffer()).replace(/"model":"[^"]*"/, '"model":"bench"');
    const control = new AbortController();
    request.signal.addEventListener('abort', () => control.abort(), { once: true });
    setTimeout(() => control.abort(), 180_000);
    const upstream = await fetch(env.UPSTREAM + new URL(request.url).pathname, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: asked.accept ?? '*/*', authorization: 'Bearer sk-bench', 'cdn-loop': 'understudy' },
      body,
      redirect: 'manual',
      signal: control.signal,
    });
    const id = crypto.randomUUID();
    const headers = {};
    for (const [name, value] of upstream.headers) if (PASS.test(name)) headers[name] = value;
    Object.assign(headers, {
      'x-understudy-request-id': id,
      'x-understudy-policy': 'two@1f3a9c02',
      'x-understudy-model': 'ok/bench',
      'x-understudy-attempts': '1',
      'x-understudy-fallback': 'false',
      'x-understudy-trail': `ok/bench=ok;200;${Date.now() - at}ms`,
      'x-request-id': id,
    });
    const row = (usage) => ({ id, at, policy: 'two', version: '1f3a9c02', workload: 'two', route: 'chat', user: null, group: null, outcome: 'ok', ms: Date.now() - at, attempts: [{ seq: 0, model: 'ok/bench', key: 'managed', outcome: 'ok', status: upstream.status, ms: Date.now() - at, usage }] });
    if (headers['content-type'].startsWith('text/event-stream')) return stream(upstream, headers, asked['x-relay'] === 'inspect' ? inspect : pipe, (usage) => record(row(usage), env, ctx), ctx);
    const bytes = await upstream.arrayBuffer();
    const answer = JSON.parse(text.decode(bytes));
    if (!answer.choices?.length) return new Response('malformed', { status: 502 });
    record(row(answer.usage), env, ctx);
    return new Response(bytes, { status: upstream.status, headers });
  },
};

/** What a stream says: events, each read as the JSON that it is. */
class Reading {
  rest = '';
  contents = 0;
  ended = false;
  usage = null;

  push(bytes) {
    const events = (this.rest + text.decode(bytes)).split('\n\n');
    this.rest = events.pop();
    for (const event of events) {
      if (event === 'data: [DONE]') this.ended = true;
      else if (event.startsWith('data: ')) this.read(JSON.parse(event.slice(6)));
    }
  }

  read({ choices, usage }) {
    if (choices[0]?.delta?.content) this.contents++;
    if (usage) this.usage = usage;
  }
}

async function stream(upstream, headers, relay, done, ctx) {
  const reading = new Reading();
  const { readable, writable } = new IdentityTransformStream();
  const reader = upstream.body.getReader();
  const held = [];
  while (reading.contents === 0) {
    const { done: over, value } = await reader.read();
    if (over) break;
    held.push(value);
    reading.push(value);
  }
  reader.releaseLock();
  ctx.waitUntil(commit(upstream.body, writable, held, reading, relay).then(() => done(reading.usage)));
  return new Response(readable, { status: upstream.status, headers });
}

async function commit(body, writable, held, reading, relay) {
  const first = writable.getWriter();
  for (const bytes of held) await first.write(bytes);
  first.releaseLock();
  await relay(body, writable, reading);
  const last = writable.getWriter();
  if (!reading.ended) await last.write(new TextEncoder().encode('data: {"error":{"message":"the stream broke"}}\n\n'));
  await last.close();
}

async function pipe(body, writable, reading) {
  const [through, beside] = body.tee();
  let open = true;
  const piped = through.pipeTo(writable, { preventClose: true, preventAbort: true }).finally(() => (open = false));
  const observer = beside.getReader({ mode: 'byob' });
  let memory = new ArrayBuffer(64 << 10);
  for (let at = 0; ; at++) {
    if (open) await Promise.race([after(LOOKS_MS[at] ?? LOOKS_MS.at(-1)), piped]);
    const { done, value } = await observer.read(new Uint8Array(memory));
    if (done) break;
    memory = value.buffer;
    reading.push(value);
  }
  await piped;
}

async function inspect(body, writable, reading) {
  const [reader, writer] = [body.getReader(), writable.getWriter()];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    reading.push(value);
    await writer.write(value);
  }
  writer.releaseLock();
}
