// Starts workerd itself, as a child with a configuration of ours: its socket is what the load meets, and no development
// proxy, tail worker or inspector stands beside it. The process is ours alone, so what it spends can be read.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { inRoot } from '../../scripts/lib/project.mjs';
import { start } from './child.mjs';

const require = createRequire(import.meta.url);
const NAMES = { 'linux-x64': 'linux-64', 'linux-arm64': 'linux-arm64', 'darwin-x64': 'darwin-64', 'darwin-arm64': 'darwin-arm64' };

/** workerd's own executable: its npm launcher would stand between us and the process. */
export const workerdBin = () => require.resolve(`@cloudflare/workerd-${NAMES[`${process.platform}-${process.arch}`]}/bin/workerd`, { paths: [require.resolve('workerd/package.json')] });
export const workerdVersion = () => require('workerd/package.json').version;

/** Texts and lists as the configuration language writes them. */
const text = (value) => JSON.stringify(String(value));
const list = (items) => `[\n    ${items.join(',\n    ')}\n  ]`;

/**
 * Starts workerd with workers (`{ name, modules, bindings, date, flags, objects }`) of which the first has the socket.
 *
 * - `modules`: `{ name, esModule | wasm: path }`, the first is the main one
 * - `bindings`: texts by name; `{ kv: port }` a namespace served over HTTP on that port; `{ http: port }` a service there;
 *   `{ objects: className, from }` the Durable Objects of that class, of this worker or another of the process
 */
export async function startWorkerd(workers, { readyMs = 30_000 } = {}) {
  const parent = inRoot('target', 'bench');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'workerd-'));
  mkdirSync(join(folder, 'objects'));
  const config = join(folder, 'config.capnp');
  writeFileSync(config, configuration(workers, folder));
  const started = performance.now();
  const child = start(workerdBin(), ['serve', config, '--control-fd=3'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], cwd: folder });
  let said = '';
  const hear = (chunk) => (said = (said + chunk).slice(-20_000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const port = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`workerd is not up after ${readyMs} ms\n${said}`)), readyMs);
    child.gone.then((code) => reject(new Error(`workerd ended with ${code}\n${said}`)));
    let control = '';
    child.stdio[3].on('data', (chunk) => {
      control += chunk;
      const found = /"listen".*?"port":(\d+)/.exec(control);
      if (!found) return;
      clearTimeout(late);
      resolve(Number(found[1]));
    });
  }).catch((error) => {
    child.kill();
    throw error;
  });
  return {
    port,
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    readyMs: performance.now() - started,
    folder,
    said: () => said,
    async close() {
      child.kill();
      await child.gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(workers, folder) {
  const services = [];
  const external = (port) => {
    const name = `port-${port}`;
    const line = `(name = ${text(name)}, external = (address = "127.0.0.1:${port}", http = ()))`;
    if (!services.includes(line)) services.push(line);
    return text(name);
  };
  const binding = ([name, value]) => {
    const to =
      typeof value === 'string' ? `text = ${text(value)}`
      : value.kv ? `kvNamespace = ${external(value.kv)}`
      : value.http ? `service = ${external(value.http)}`
      : `durableObjectNamespace = (className = ${text(value.objects)}${value.from ? `, serviceName = ${text(value.from)}` : ''})`;
    return `(name = ${text(name)}, ${to})`;
  };
  for (const worker of workers) {
    const modules = worker.modules.map(({ name, ...content }) => {
      const [[kind, path]] = Object.entries(content);
      return `(name = ${text(name)}, ${kind} = embed ${text(relative(folder, path))})`;
    });
    const objects = (worker.objects ?? []).map((name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = true)`);
    services.push(`(name = ${text(worker.name)}, worker = (
    modules = ${list(modules)},
    compatibilityDate = ${text(worker.date)},
    compatibilityFlags = [${(worker.flags ?? []).map(text).join(', ')}],
    bindings = ${list(Object.entries(worker.bindings ?? {}).map(binding))},
    ${objects.length ? `durableObjectNamespaces = ${list(objects)},\n    durableObjectStorage = (localDisk = "disk"),` : ''}
  ))`);
  }
  services.push(`(name = "disk", disk = (path = ${text(join(folder, 'objects'))}, writable = true))`);
  // Upstreams of a benchmark are on loopback, which workerd refuses unless told.
  services.push('(name = "internet", network = (allow = ["public", "private"]))');
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = ${list(services)},
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = ${text(workers[0].name)})]
);
`;
}
