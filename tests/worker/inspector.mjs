// The inspector of one of the Worker's isolates, asked for its heap (Chrome DevTools Protocol: chromedevtools.github.io/devtools-protocol).

/** Of a Worker started with `inspectorPort`; `title` is what its name holds. */
export async function inspect(worker, title) {
  const targets = await (await fetch(`http://127.0.0.1:${await worker.inspector()}/json`)).json();
  const socket = new WebSocket(targets.find((target) => target.title.includes(title)).webSocketDebuggerUrl);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  let [calls, chunks] = [0, []];
  const waiting = new Map();
  socket.onmessage = ({ data }) => {
    const { id, method, params, result } = JSON.parse(data);
    if (method === 'HeapProfiler.addHeapSnapshotChunk') chunks.push(params.chunk);
    waiting.get(id)?.(result);
    waiting.delete(id);
  };
  const call = (method, params = {}) => new Promise((resolve) => (waiting.set(++calls, resolve), socket.send(JSON.stringify({ id: calls, method, params }))));
  await call('HeapProfiler.enable');
  return {
    async snapshot() {
      chunks = [];
      await call('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
      return chunks.join('');
    },
    /** Bytes of JavaScript in use, and those that V8 holds for it. */
    async heap() {
      const { usedSize, totalSize } = await call('Runtime.getHeapUsage');
      return { used: usedSize, held: totalSize };
    },
    collect: () => call('HeapProfiler.collectGarbage'),
    close: () => socket.close(),
  };
}
