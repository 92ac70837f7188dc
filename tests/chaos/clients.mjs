// The clients of a campaign: each sends one request and keeps what came of it. Plain HTTP, so that nothing is repaired on the way.
import { Agent, request as httpRequest } from 'node:http';

/** No answer within that is an answer that never came; far above every clock, for a machine with other work. */
const PATIENCE_MS = 120_000;

export function startClients() {
  const agent = new Agent({ keepAlive: true, maxSockets: 4096 });
  return {
    close: () => agent.destroy(),
    /** Sends a request; never rejects. `came`: whole, broken, left, or late. */
    send: async (url, planned, headers, body) => {
      const got = await send(agent, url, planned, headers, body);
      // A kept connection may be closed in the moment it is used again: nothing was sent on it then. One that is reset later has
      // broken off a request that was being answered.
      return got.stale ? { ...(await send(agent, url, planned, headers, body)), sentAt: got.sentAt } : got;
    },
  };
}

/** How soon a connection that was closed before it was used again says so, on a busy machine. */
const STALE_MS = 500;

function send(agent, url, planned, headers, body) {
  return new Promise((resolve) => {
    const got = { n: planned.n, sentAt: performance.now(), status: null, headers: {}, text: '', came: null, error: null };
    const chunks = [];
    let size = 0;
    const end = (came, error) => {
      if (got.came !== null) return;
      Object.assign(got, { came, error: error ?? null, endedAt: performance.now(), text: Buffer.concat(chunks).toString() });
      clearTimeout(timer);
      clearTimeout(leaving);
      outgoing.destroy();
      resolve(got);
    };
    const outgoing = httpRequest(url, { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      got.status = response.statusCode;
      got.headers = response.headers;
      response.on('data', (chunk) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= (planned.client.afterBytes ?? Infinity)) end('left');
        if (planned.client.pauseMs) {
          response.pause();
          setTimeout(() => response.resume(), planned.client.pauseMs);
        }
      });
      response.on('end', () => end(response.complete ? 'whole' : 'broken'));
      response.on('error', (error) => end('broken', error.message));
      response.on('close', () => end('broken', 'closed'));
    });
    outgoing.on('error', (error) => {
      got.stale = outgoing.reusedSocket && got.status === null && error.code === 'ECONNRESET' && performance.now() - got.sentAt < STALE_MS;
      end('broken', error.message);
    });
    const timer = setTimeout(() => end('late'), PATIENCE_MS);
    const leaving = planned.client.afterMs === undefined ? undefined : setTimeout(() => end('left'), planned.client.afterMs);
    outgoing.end(body);
  });
}
