// A load generator over raw keep-alive sockets, cheap enough to leave the processors to what is measured.
import net from 'node:net';

/** What a stream's first content looks like (upstream.mjs writes it). */
const CONTENT = 'some words';

/** Raw bytes of a POST. */
export function post(path, headers, body) {
  const fields = { host: '127.0.0.1', 'content-type': 'application/json', ...headers, 'content-length': Buffer.byteLength(body) };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n`), Buffer.from(body)]);
}

/**
 * A keep-alive connection. `send(request, done)` sends one request and calls `done(answer)` when its answer is whole:
 * `{ status, ms, firstMs, head, body }`, of which `firstMs` is when content was first seen and the texts are the first packet's.
 */
export function connect(port, { onError }) {
  const socket = net.connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.on('error', onError);
  socket.on('close', () => pending && onError(new Error(`the connection to ${port} closed within an answer`)));
  let pending = null;
  socket.on('data', (data) => {
    if (pending === null) return;
    if (pending.firstMs === null && data.includes(CONTENT)) pending.firstMs = performance.now() - pending.started;
    if (!pending.take(data)) return;
    const { done, started, firstMs } = pending;
    const answer = { ...pending.answer(), ms: performance.now() - started, firstMs };
    pending = null;
    done(answer);
  });
  return {
    send(request, done) {
      pending = { ...reader(), started: performance.now(), firstMs: null, done };
      socket.write(request);
    },
    /** The server closes a connection that nobody used for half a minute: what were sent over it would be lost in silence. */
    isOpen: () => !socket.destroyed && !socket.readableEnded,
    end: () => socket.destroy(),
  };
}

/** Finds the end of one HTTP answer: by content-length or the last chunk. */
function reader() {
  let head = null;
  let text = '';
  let left = 0;
  let chunked = false;
  let tail = '';
  const ends = (data) => {
    if (!chunked) return (left -= data.length) <= 0;
    tail = (tail + data.latin1Slice(Math.max(0, data.length - 7))).slice(-7);
    return tail.endsWith('0\r\n\r\n');
  };
  return {
    take(data) {
      if (head !== null) return ends(data);
      text += data.latin1Slice();
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return false;
      head = text.slice(0, end);
      text = text.slice(end + 4);
      chunked = /\r\ntransfer-encoding: *chunked/i.test(head);
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      return ends(Buffer.from(text, 'latin1'));
    },
    answer: () => ({ status: Number(head.slice(9, 12)), head, body: text }),
  };
}

/** A request, or a function that gives the next one. */
const made = (request) => (typeof request === 'function' ? request() : request);

/**
 * A closed loop: each of `connections` sends its next request when its last answer is whole, for `seconds`, or until
 * `requests` are answered. `staggerMs` spreads the starts, so that paced streams do not all begin at once.
 */
export function drive(port, request, { connections, seconds = Infinity, requests = Infinity, staggerMs = 0 }) {
  return new Promise((resolve, reject) => {
    const result = tally();
    const started = performance.now();
    const until = started + seconds * 1000;
    let [sent, open] = [0, Math.min(connections, requests)];
    const lines = Array.from({ length: open }, () => connect(port, { onError: reject }));
    const next = (line) => {
      if (sent < requests && performance.now() < until) {
        sent++;
        return line.send(made(request), (answer) => {
          result.add(answer);
          next(line);
        });
      }
      line.end();
      if (--open === 0) resolve(result.end((performance.now() - started) / 1000));
    };
    lines.forEach((line, i) => (staggerMs ? setTimeout(next, (staggerMs * i) / lines.length, line) : next(line)));
  });
}

/** Connections that a steady load opens at most: beyond them it falls behind, and `perSecond` of its result says so. */
const STEADY_CONNECTIONS = 64;

/** A steady load: `perSecond` requests started every second for `seconds`. */
export function steady(port, request, { perSecond, seconds }) {
  return new Promise((resolve, reject) => {
    const result = tally();
    let free = [];
    const started = performance.now();
    let [sent, open] = [0, 0];
    const timer = setInterval(() => {
      const elapsed = (performance.now() - started) / 1000;
      for (const due = Math.floor(Math.min(elapsed, seconds) * perSecond); sent < due && open < STEADY_CONNECTIONS; sent++) {
        free = free.filter((line) => line.isOpen());
        const line = free.pop() ?? connect(port, { onError: reject });
        open++;
        line.send(made(request), (answer) => {
          open--;
          result.add(answer);
          free.push(line);
        });
      }
      if (elapsed < seconds || open > 0) return;
      clearInterval(timer);
      free.forEach((line) => line.end());
      resolve(result.end(elapsed));
    }, 4);
  });
}

function tally() {
  const [latencies, firsts] = [[], []];
  let failed = 0;
  let failure = null;
  return {
    add(answer) {
      latencies.push(answer.ms);
      if (answer.firstMs !== null) firsts.push(answer.firstMs);
      if (answer.status === 200) return;
      failed++;
      failure ??= `${answer.head}\n${answer.body}`;
    },
    end(seconds) {
      const sort = (list) => list.sort((a, b) => a - b);
      return { requests: latencies.length, seconds, perSecond: latencies.length / seconds, latencies: sort(latencies), firsts: sort(firsts), failed, failure };
    },
  };
}

/** Reads one answer at `bytesPerSecond`, as a slow client does: what it has not taken stays in the socket. */
export function sip(port, request, { bytesPerSecond }) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const socket = net.connect({ port, host: '127.0.0.1', highWaterMark: 16 * 1024 });
    const parser = reader();
    let bytes = 0;
    const ahead = () => bytes / bytesPerSecond - (performance.now() - started) / 1000;
    const end = () => {
      clearInterval(timer);
      socket.destroy();
      resolve({ bytes, seconds: (performance.now() - started) / 1000, ...parser.answer() });
    };
    const timer = setInterval(() => socket.isPaused() && ahead() <= 0 && socket.resume(), 10);
    socket.on('error', reject);
    socket.on('data', (data) => {
      bytes += data.length;
      if (parser.take(data)) return end();
      if (ahead() > 0) socket.pause();
    });
    socket.write(request);
  });
}

export const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? NaN;
