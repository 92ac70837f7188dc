// The JavaScript beside the Wasm, on its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Line, readSome } from '../../src/edge/glue.js';

test('reading a branch fills the same memory again and again', async () => {
  const pieces = ['one', 'two', 'three'].map((text) => new TextEncoder().encode(text));
  const stream = new ReadableStream({ type: 'bytes', pull: (controller) => (pieces.length ? controller.enqueue(pieces.shift()) : (controller.close(), controller.byobRequest?.respond(0))) });
  const reader = stream.getReader({ mode: 'byob' });
  const first = await readSome(reader, 64);
  assert.equal(new TextDecoder().decode(first), 'one');
  const second = await readSome(reader, 64);
  assert.equal(new TextDecoder().decode(second), 'two');
  assert.equal(first.buffer.byteLength, 0, 'the first read gave its memory to the second');
  assert.equal(second.buffer.byteLength, 64);
  assert.equal(new TextDecoder().decode(await readSome(reader, 64)), 'three');
  assert.equal(await readSome(reader, 64), undefined);
});

test('a call is aborted when its client leaves, and from the start when it has left before', () => {
  const client = new AbortController();
  const line = new Line(client.signal);
  assert.equal(line.signal.aborted, false);
  client.abort();
  assert.equal(line.signal.aborted, true);
  assert.equal(new Line(client.signal).signal.aborted, true);
  assert.equal(new Line(undefined).signal.aborted, false);
});
