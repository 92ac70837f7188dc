// What would take many crossings between Wasm and JavaScript, done in one. Typed faces: glue.rs.

const PASS = /^(?:x-ratelimit-|anthropic-ratelimit-|x-request-id$|request-id$|apim-request-id$|x-amzn-requestid$|x-amzn-bedrock-|openai-processing-ms$|openai-version$|content-type$|content-disposition$)/;

// The response headers of an answering upstream that go on to the client, as a fresh, mutable list.
export function passed(from) {
  const to = new Headers();
  for (const [name, value] of from) if (PASS.test(name)) to.set(name, value);
  return to;
}

// The client's own headers that go upstream, as a fresh, mutable list; organization and project with an own key alone.
const FORWARD = /^(?:content-type|accept|openai-(?!organization$|project$).*|anthropic-version|anthropic-beta|idempotency-key|traceparent|tracestate|user-agent)$/;
const ACCOUNT = /^openai-(?:organization|project)$/;
export function forwarded(from, account) {
  const to = new Headers();
  for (const [name, value] of from) if (FORWARD.test(name) || (account && ACCOUNT.test(name))) to.set(name, value);
  return to;
}

// Headers as lines: name, value, name, value. Neither can hold a line feed. One string crosses cheaper than many.
export function lines(from) {
  let text = "";
  for (const [name, value] of from) text += name + "\n" + value + "\n";
  return text;
}

// Sets every header of such lines.
export function setLines(to, text) {
  const parts = text.split("\n");
  for (let i = 0; i + 1 < parts.length; i += 2) to.set(parts[i], parts[i + 1]);
}

// A stream whose two ends the runtime joins natively: [readable, writable].
export function identity() {
  const { readable, writable } = new IdentityTransformStream();
  return [readable, writable];
}

// The same stream as one of bytes, which a stream made of Wasm is not: the relay's observer reads into a buffer of its own.
export function inBytes(stream) {
  const reader = stream.getReader();
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await reader.read();
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

// Resolves when the signal aborts. Never rejects.
export function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

// Pipes without closing or aborting the writable, so that an ending can still be written.
export function pipe(readable, writable) {
  return readable.pipeTo(writable, { preventClose: true, preventAbort: true });
}

// One read of at most `size` bytes of what a branch has buffered; undefined at the end. What is answered stands until the next
// read of the same reader, which fills the same memory: a buffer each would pile up until they are collected.
export async function readSome(reader, size) {
  const { done, value } = await reader.read(new Uint8Array(reader.spare ?? new ArrayBuffer(size)));
  reader.spare = value?.buffer;
  return done ? undefined : value;
}
