// The KV namespace of a benchmark: the HTTP that workerd speaks to one, over a map in this process, with a count of what was
// asked. Values are in `values`, so that a benchmark can lay ten thousand of them at once. It answers after `distanceMs`.
import http from 'node:http';

export async function startStore({ distanceMs = 0 } = {}) {
  const values = new Map();
  const store = { values, reads: 0, writes: 0, put: (key, value) => values.set(key, typeof value === 'string' ? value : JSON.stringify(value)) };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://store');
    const key = decodeURIComponent(url.pathname.slice(1));
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', async () => {
      if (distanceMs > 0) await new Promise((done) => setTimeout(done, distanceMs));
      const body = Buffer.concat(pieces);
      if (request.method === 'GET' && key === '') return respond(response, 200, names(values, url.searchParams.get('prefix') ?? ''));
      if (request.method === 'GET') {
        store.reads++;
        return values.has(key) ? respond(response, 200, values.get(key)) : respond(response, 404, '');
      }
      if (request.method === 'POST') {
        const { keys } = JSON.parse(body);
        store.reads += keys.length;
        return respond(response, 200, JSON.stringify(Object.fromEntries(keys.map((name) => [name, values.get(name) ?? null]))));
      }
      store.writes++;
      if (request.method === 'PUT') values.set(key, body.toString());
      else values.delete(key);
      respond(response, 204, '');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  store.port = server.address().port;
  store.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return store;
}

function respond(response, status, body) {
  response.writeHead(status);
  response.end(body);
}

const names = (values, prefix) => JSON.stringify({ keys: [...values.keys()].filter((name) => name.startsWith(prefix)).map((name) => ({ name })), list_complete: true });
