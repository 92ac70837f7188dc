// A closed-loop load generator over raw keep-alive sockets: N connections, each sending its next request when the answer to
// the last one is whole. Cheap enough to leave the processor to what is measured.
import net from 'node:net';

/** One connection's endless conversation. */
function connection(port, request, onDone, onFirst) {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  let started = 0;
  let parser = null;
  const send = () => {
    started = performance.now();
    parser = answerParser();
    socket.write(request);
  };
  let first = false;
  socket.on('connect', send);
  socket.on('error', (error) => onDone(error));
  socket.on('data', (data) => {
    if (!first && onFirst && parser.headers(data)) {
      first = true;
      onFirst(performance.now() - started);
    }
    const end = parser.push(data);
    if (end === undefined) return;
    first = false;
    if (onDone(null, performance.now() - started, parser.status)) send();
    else socket.end();
  });
  return socket;
}

/** Finds the end of one HTTP answer: by content-length or the last chunk. */
function answerParser() {
  let head = null;
  let text = '';
  let left = 0;
  let chunked = false;
  let tail = '';
  const self = {
    status: 0,
    headers: (data) => (text + data.latin1Slice()).includes('some words'),
    push(data) {
      if (head === null) {
        text += data.latin1Slice();
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return undefined;
        head = text.slice(0, end);
        self.status = Number(head.slice(9, 12));
        chunked = /\r\ntransfer-encoding: *chunked/i.test(head);
        left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        const rest = text.slice(end + 4);
        text = '';
        if (!chunked) {
          left -= rest.length;
          return left <= 0 ? true : undefined;
        }
        tail = rest.slice(-7);
        return tail.endsWith('0\r\n\r\n') ? true : undefined;
      }
      if (!chunked) {
        left -= data.length;
        return left <= 0 ? true : undefined;
      }
      tail = (tail + data.latin1Slice(Math.max(0, data.length - 7))).slice(-7);
      return tail.endsWith('0\r\n\r\n') ? true : undefined;
    },
  };
  return self;
}

/** Raw bytes of a POST. */
export function post(path, headers, body) {
  const lines = Object.entries({ host: '127.0.0.1', 'content-type': 'application/json', ...headers, 'content-length': Buffer.byteLength(body) })
    .map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines}\r\n`), Buffer.from(body)]);
}

/** Runs `requests` over `connections`; resolves with count, seconds, latencies and failures. */
export function run(port, request, { connections, requests, firstContent = false }) {
  return new Promise((resolve, reject) => {
    const latencies = [];
    const firsts = [];
    let sent = 0;
    let done = 0;
    let failed = 0;
    const started = performance.now();
    const onDone = (error, ms, status) => {
      if (error) return void reject(error);
      latencies.push(ms);
      if (status !== 200) failed++;
      if (++done === requests) {
        const seconds = (performance.now() - started) / 1000;
        resolve({ requests, seconds, perSecond: requests / seconds, latencies: latencies.sort((a, b) => a - b), firsts: firsts.sort((a, b) => a - b), failed });
      }
      return ++sent <= requests;
    };
    for (let i = 0; i < Math.min(connections, requests); i++) {
      sent++;
      connection(port, request, onDone, firstContent ? (ms) => firsts.push(ms) : undefined);
    }
  });
}

export const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? NaN;
