// A fast upstream: HTTP/1.1 by hand over raw sockets, so that it is not what a benchmark measures. It reads requests to
// their end and answers from prepared bytes.
//
//   POST /ok/chat/completions        a chat answer of about 500 bytes
//   POST /stream/chat/completions    200 chunks of about 150 bytes, as fast as they are taken
//   POST /paced/chat/completions     the same, one every 10 ms
//   POST /short/chat/completions     20 of them, one every 10 ms
//   POST /fail/chat/completions      503
//   POST /bulk-B-R/chat/completions  a stream of B bytes at R bytes a second
//
// Started as a process of its own: node upstream.mjs PORT
import net from 'node:net';

const answer = JSON.stringify({
  id: 'chatcmpl-bench', object: 'chat.completion', created: 1700000000, model: 'bench',
  choices: [{ index: 0, finish_reason: 'stop', logprobs: null, message: { role: 'assistant', content: 'x'.repeat(260), refusal: null } }],
  usage: { prompt_tokens: 250, completion_tokens: 65, total_tokens: 315 },
});
const head = (status, type, length) => `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;
const OK = Buffer.from(head('200 OK', 'application/json', answer.length) + answer);
const busy = '{"error":{"message":"overloaded","type":"server_error","code":"server_is_overloaded"}}';
const FAIL = Buffer.from(head('503 Service Unavailable', 'application/json', busy.length) + busy);

const STREAM_HEAD = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
const sse = (delta, finish = null) => `data: ${JSON.stringify({ id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1700000000, model: 'bench', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const chunked = (text) => Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`);
const FIRST = chunked(sse({ role: 'assistant', content: '' }));
const PIECE = chunked(sse({ content: 'some words ' }));
const LAST = Buffer.concat([chunked(sse({}, 'stop')), chunked('data: [DONE]\n\n'), Buffer.from('0\r\n\r\n')]);
/** About 1 KB. */
const BIG = chunked(sse({ content: 'some words ' }).repeat(7));

function stream(socket, path) {
  const chunks = path.startsWith('/short') ? 20 : 200;
  const gap = path.startsWith('/stream') ? 0 : 10;
  socket.write(STREAM_HEAD);
  socket.write(FIRST);
  if (gap === 0) {
    const all = [];
    for (let i = 0; i < chunks; i++) all.push(PIECE);
    all.push(LAST);
    socket.write(Buffer.concat(all));
    return;
  }
  let left = chunks;
  const timer = setInterval(() => {
    if (left-- > 0 && !socket.destroyed) return void socket.write(PIECE);
    clearInterval(timer);
    if (!socket.destroyed) socket.write(LAST);
  }, gap);
}

function bulk(socket, path) {
  const [bytes, perSecond] = path.match(/\d+/g).map(Number);
  const started = performance.now();
  let sent = 0;
  socket.write(STREAM_HEAD);
  socket.write(FIRST);
  const timer = setInterval(() => {
    const due = Math.min(bytes, (perSecond * (performance.now() - started)) / 1000);
    const pieces = [];
    for (; sent < due; sent += BIG.length) pieces.push(BIG);
    if (!socket.destroyed && pieces.length) socket.write(Buffer.concat(pieces));
    if (sent < bytes && !socket.destroyed) return;
    clearInterval(timer);
    if (!socket.destroyed) socket.write(LAST);
  }, 20);
}

function respond(socket, path) {
  if (path.startsWith('/fail')) return void socket.write(FAIL);
  if (path.startsWith('/bulk')) return bulk(socket, path);
  if (/^\/(stream|paced|short)/.test(path)) return stream(socket, path);
  socket.write(OK);
}

net.createServer((socket) => {
  socket.setNoDelay(true);
  let pending = Buffer.alloc(0);
  let skip = 0;
  let path = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    for (;;) {
      if (skip > 0) {
        const took = Math.min(skip, data.length);
        skip -= took;
        data = data.subarray(took);
        if (skip > 0) return;
        respond(socket, path);
      }
      pending = pending.length ? Buffer.concat([pending, data]) : data;
      const end = pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const text = pending.latin1Slice(0, end);
      path = text.slice(text.indexOf(' ') + 1, text.indexOf(' ', text.indexOf(' ') + 1));
      const length = /\r\ncontent-length: *(\d+)/i.exec(text);
      skip = length ? Number(length[1]) : 0;
      data = pending.subarray(end + 4);
      pending = Buffer.alloc(0);
      if (skip === 0) respond(socket, path);
      if (data.length === 0 && skip > 0) return;
    }
  });
}).listen(Number(process.argv[2] ?? 0), '127.0.0.1', function () {
  console.log(`listening ${this.address().port}`);
});
