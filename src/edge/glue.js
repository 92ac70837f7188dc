// What would take many crossings between Wasm and JavaScript, done in one. Typed faces: glue.rs, line.rs.

// Futures of Wasm are scheduled with queueMicrotask where there is one, else with a resolved promise. On this platform the
// former is a call into the runtime, several for each request; without it a request costs a sixth less.
globalThis.queueMicrotask = undefined;

let last = 0;
let ahead = 0;
// The platform's clock. Where that is set back this one goes on from what it said last, since what waits for a moment would
// wait for hours.
export function clock() {
  const wall = Date.now();
  last = wall >= last ? wall : Math.max(last, wall + ahead);
  ahead = last - wall;
  return last;
}

// A request's head as lines: method, URL, colo, then every header's name and value. None of them can hold a line feed, and one
// string crosses cheaper than many.
export function head(request) {
  let text = request.method + "\n" + request.url + "\n" + (request.cf?.colo ?? "") + "\n";
  // One call of the platform for all of them; an iterator is one for each.
  request.headers.forEach((value, name) => (text += name + "\n" + value + "\n"));
  return text;
}

// Writes such lines of names and values, in lower case, into a record that the platform makes headers of in one go.
function write(headers, lines) {
  const parts = lines.split("\n");
  for (let i = 0; i + 1 < parts.length; i += 2) headers[parts[i]] = parts[i + 1];
  return headers;
}

const PASS = /^(?:(?:x-|anthropic-)?ratelimit|(?:.+-)?request-?id$|x-amzn-bedrock-|openai-processing-ms$|openai-version$|content-type$|content-disposition$)/;

// A response: such headers of the upstream's (`from`) as a client may see, ours over them, and the request's id where the
// upstream gave none of its own: by OpenAI's name for it, and for clients of Anthropic's (`anthropic`) by that one's too.
export function respond(status, from, lines, requestId, anthropic, body) {
  const headers = {};
  from?.forEach((value, name) => PASS.test(name) && (headers[name] = value));
  write(headers, lines);
  if (requestId) headers["x-request-id"] ??= requestId;
  if (requestId && anthropic) headers["request-id"] ??= requestId;
  return new Response(body, { status, headers });
}

// What a call is aborted with. Without a reason the platform makes an error with the stack of that moment, which costs as much
// as another call does.
const GIVEN_UP = new DOMException("The call was given up", "AbortError");

// One call to an upstream, under one clock at a time. It is aborted when the clock fires and when the client leaves: what
// waits for the upstream then fails, and `expired` says whether it was the clock.
export class Line {
  control = new AbortController();
  expired = false;
  committed = false;
  ends = Infinity;
  due = Infinity;
  idle = Infinity;
  fresh = false;
  over = false;
  wrote = 0;

  constructor(client) {
    const left = () => {
      this.control.abort(GIVEN_UP);
      this.leave?.(client.reason);
    };
    client?.addEventListener("abort", left, { once: true });
    // Who left before this call was made is heard of no more: nothing is sent for them.
    if (client?.aborted) this.control.abort(GIVEN_UP);
  }

  // What comes of `work`, or its failure as soon as the client leaves: until the commit nothing keeps this invocation alive
  // until the aborted call itself has failed, and its row would be lost.
  heard(work) {
    if (this.committed) return work;
    return new Promise((resolve, reject) => {
      this.leave = reject;
      work.then(resolve, reject);
    });
  }

  get signal() {
    return this.control.signal;
  }

  abort() {
    try {
      this.control.abort(GIVEN_UP);
    } catch {}
  }

  // The call ends `ms` from now, unless told otherwise until then; with Infinity no clock runs. Timers are not taken back but
  // looked at when they fire: most calls end long before, and taking one back costs more than setting it.
  limit(ms, now = clock()) {
    this.ends = now + ms;
    if (this.ends < this.due) this.arm(ms);
  }

  arm(ms) {
    const due = (this.due = this.ends);
    setTimeout(() => this.due === due && this.look(true), ms);
  }

  // A timer fired: is it time? Where the machine rested, that is asked before what came meanwhile was read: one more turn lets
  // that count.
  look(again) {
    this.due = Infinity;
    const left = this.ends - clock();
    if (left === Infinity) return;
    if (left > 0) return this.arm(left);
    if (again) return void setTimeout(() => this.look(false), 0);
    this.expired = true;
    this.control.abort(GIVEN_UP);
  }

  // The next chunk, waited for `ms` at most; undefined at the end.
  async read(reader, ms) {
    this.limit(ms);
    const { done, value } = await this.heard(reader.read());
    this.ends = Infinity;
    return done ? undefined : value;
  }

  // A relay, chunk after chunk: `step` answers what goes to the client in a chunk's place, undefined where that is the chunk
  // itself, as it always is without a `step`. The loop runs here, since a future of Wasm for every chunk costs more than the
  // reading of it. Between two chunks `idle` ms may pass: that clock starts anew unless `step` found nothing new (`fresh`), and
  // rests while the client takes its time. Resolves with true at the end of the stream, or once `step` has said that nothing may
  // follow (`over`), and with false where the client is gone; rejects with what the upstream's stream failed with.
  async relay(reader, writer, step) {
    let now = (this.wrote = clock());
    for (let since = now; ; ) {
      this.limit(since + this.idle - now, now);
      const { done, value } = await reader.read();
      this.ends = Infinity;
      if (done) return true;
      this.fresh = true;
      const out = step?.(value) ?? value;
      // The platform's clock costs as much as the reading of a chunk: it is asked where it matters.
      const began = this.fresh ? 0 : clock();
      try {
        if (out.length > 0) await writer.write(out);
      } catch {
        return false;
      }
      now = clock();
      // Of what is not shown the client has heard nothing.
      if (out.length > 0) this.wrote = now;
      since = this.fresh ? now : since + now - began;
      if (this.over) return true;
    }
  }

  // Sends a request; see `answer` for what it resolves with. Rejects where the runtime found no connection.
  async send(url, lines, body, reading, later) {
    const sent = clock();
    const init = { method: "POST", headers: write({}, lines), body, redirect: "manual", signal: this.control.signal };
    return this.answer(await this.heard(fetch(url, init)), reading, later, sent);
  }

  // The head of an answer, with as much of its body as is read whatever it says: the beginning of an error, and an answer
  // whose content type `reading` (an index of READS) calls for. That one has until `later` ms after the call was sent, where the
  // clock that ran until its head is shorter.
  async answer(response, reading, later, sent = clock()) {
    const kind = (response.headers.get("content-type") ?? "").toLowerCase();
    const answer = { response, status: response.status, kind, at: clock(), bytes: undefined, over: false, broke: undefined };
    const good = response.status >= 200 && response.status < 300;
    if (!good) await this.heard(gather(answer, ERROR_BYTES));
    else if (READS[reading].test(kind)) {
      // A timer that fires before then finds that there is time left.
      this.ends = Math.max(this.ends, sent + later);
      await this.heard(gather(answer, ANSWER_BYTES));
    }
    return answer;
  }
}

// Which answers are read whole: none, documents (never a stream), any text but events, all. The same order as `Reading` in
// line.rs.
const READS = [/^$(?!)/, /json|html/, /json|html|^text\/(?!event-stream)/, /^/];

// How large an answer that is read whole may be: far above any model's, far below what an isolate holds.
const ANSWER_BYTES = 48 << 20;
// How much of an error's body is read.
const ERROR_BYTES = 64 << 10;

// Reads a body of at most `most` bytes; `over` says that it has more.
async function gather(answer, most) {
  const { response } = answer;
  // What is stated of a packed body is how long it is packed.
  const stated = response.headers.has("content-encoding") ? null : response.headers.get("content-length");
  try {
    if (stated !== null && Number(stated) <= most) answer.bytes = new Uint8Array(await response.arrayBuffer());
    else await gatherChunks(answer, most);
  } catch (error) {
    answer.broke = error;
  }
}

async function gatherChunks(answer, most) {
  const chunks = [];
  let length = 0;
  // What came before a body broke off is kept: the beginning of an error may say enough.
  try {
    const reader = answer.response.body?.getReader();
    for (;;) {
      const { done, value } = reader ? await reader.read() : { done: true };
      if (done) break;
      chunks.push(value);
      length += value.length;
      if (length > most) {
        answer.over = true;
        break;
      }
    }
  } finally {
    answer.bytes = chunks.length === 1 ? chunks[0] : joined(chunks, length);
  }
}

function joined(chunks, length) {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

// Waits; resolves with true as soon as the client has left.
export function pause(ms, client) {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), ms);
    if (client?.aborted) resolve(true);
    client?.addEventListener("abort", () => resolve(true), { once: true });
  });
}

// Resolves when the signal aborts. Never rejects.
export function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

// Memory for such reads that no stream uses now: new memory would cost each stream more than its reads.
const spare = [];
const SPARE_MOST = 64;

// One read of at most `size` bytes of what a branch has buffered; undefined at the end. What is answered stands until the next
// read of the same reader, which fills the same memory: a buffer each would pile up until they are collected.
export async function readSome(reader, size) {
  const { done, value } = await reader.read(new Uint8Array(reader.spare ?? spare.pop() ?? new ArrayBuffer(size)));
  reader.spare = value?.buffer;
  if (!done) return value;
  if (reader.spare && spare.length < SPARE_MOST) spare.push(reader.spare);
  reader.spare = undefined;
}

// A stream whose two ends the runtime joins natively: [readable, writable].
export function identity() {
  const { readable, writable } = new IdentityTransformStream();
  return [readable, writable];
}

// A stream of a call that was aborted throws at whoever asks it for anything, in any moment. What is thrown into Wasm unasked
// would leave the isolate hanging: so what follows either says that it may throw, or never does.

// Both branches of a stream. May throw.
export function tee(stream) {
  return stream.tee();
}

// The lock of a stream, to read it chunk by chunk or (`byob`) into memory of one's own. May throw.
export function readerOf(stream, byob) {
  return byob ? stream.getReader({ mode: "byob" }) : stream.getReader();
}

// Gives a lock back.
export function release(lock) {
  try {
    lock.releaseLock();
  } catch {}
}

// Tells a stream that no more of it is wanted.
export async function cancel(reader) {
  try {
    await reader.cancel();
  } catch {}
}

// Takes what a client still sends of a body that nobody wants, for `ms` at most: the platform closes the connection of one who
// has not been read to the end, who then may never see the answer. Never rejects.
export async function takeRest(request, ms) {
  try {
    const taken = request.body?.pipeTo(new WritableStream());
    if (taken) await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, ms))]);
  } catch {}
}

// What the platform's log then says of the connection: the only way to tell a client that audio is not whole.
const BROKEN_OFF = "the upstream broke off, and so does this answer";

// Writes a chunk, ends the stream well, or breaks it: each rejects where the client is gone.
export async function writeChunk(writer, chunk) {
  await writer.write(chunk);
}
export async function closeWriter(writer) {
  await writer.close();
}
export async function abortWriter(writer) {
  await writer.abort(new Error(BROKEN_OFF));
}

// Pipes without closing or aborting the writable, so that an ending can still be written.
export async function pipe(readable, writable) {
  await readable.pipeTo(writable, { preventClose: true, preventAbort: true });
}

// The same stream as one of bytes, which a stream made of Wasm is not: the relay's observer reads into a buffer of its own.
// It fails when the signal aborts, as the body of a fetched response does.
export function inBytes(stream, signal) {
  const reader = stream.getReader();
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      signal.addEventListener("abort", () => controller.error(signal.reason), { once: true });
    },
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (signal.aborted) return;
          if (done) break;
          if (value.length > 0) return controller.enqueue(value);
        }
        controller.close();
        controller.byobRequest?.respond(0);
      } catch (error) {
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

const utf8 = new TextEncoder();
// The rows of a statement in one run of bytes, and where in it each of their columns ends (NULL: one less than that, negated).
// Thousands of rows are so read in a few crossings.
export function rows(storage, statement, values) {
  const parts = [];
  for (const row of storage.sql.exec(statement, ...values).raw()) for (const value of row) parts.push(value === null ? null : String(value));
  const text = parts.join("");
  const bytes = utf8.encode(text);
  const length = bytes.length === text.length ? (part) => part.length : (part) => utf8.encode(part).length;
  let end = 0;
  const ends = Int32Array.from(parts, (part) => (part === null ? -1 - end : (end += length(part))));
  return [bytes, ends];
}
