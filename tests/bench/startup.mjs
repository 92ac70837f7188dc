// What starting costs: a process of workerd from its start to its socket, with Understudy and with the yardstick in it; the
// first and the next request; and the module alone, compiled and instantiated, in this process's V8.
import { readFileSync, statSync } from 'node:fs';
import { inRoot } from '../../scripts/lib/project.mjs';
import { chat } from './cases.mjs';
import { round3 } from './compare.mjs';
import { drive, post } from './load.mjs';
import { startUnderstudy, startYardstick } from './sides.mjs';

export async function startup(upstream, { rounds }) {
  const seen = { understudy: [], passthrough: [] };
  for (let round = 0; round < rounds; round++) {
    const full = await startUnderstudy(upstream);
    seen.understudy.push(await times(full, post('/v1/chat/completions', { authorization: `Bearer ${full.key}` }, chat('policy/two', 900))));
    const bare = await startYardstick(upstream);
    seen.passthrough.push(await times(bare, post('/pass/ok/chat/completions', {}, chat('bench', 900))));
  }
  const module = readFileSync(inRoot('build', 'index_bg.wasm'));
  return {
    wasm_bytes: statSync(inRoot('build', 'index_bg.wasm')).size,
    compile_ms: median(Array.from({ length: rounds }, () => timed(() => new WebAssembly.Module(module)))),
    instantiate_ms: median(Array.from({ length: rounds }, () => instantiation(new WebAssembly.Module(module)))),
    understudy: middles(seen.understudy),
    passthrough: middles(seen.passthrough),
  };
}

async function times(side, request) {
  const one = async () => (await drive(side.port, request, { connections: 1, requests: 1 })).latencies[0];
  const result = { ready_ms: side.readyMs, first_request_ms: await one(), second_request_ms: await one() };
  await side.close();
  return result;
}

/** With imports that do nothing: only the making of the instance is timed, its memory and tables among it. */
function instantiation(module) {
  const imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    if (kind === 'function') imports[from][name] = () => 0;
    if (kind === 'tag') imports[from][name] = new WebAssembly.Tag({ parameters: ['externref'] });
  }
  return timed(() => new WebAssembly.Instance(module, imports));
}

function timed(work) {
  const started = performance.now();
  work();
  return performance.now() - started;
}

const median = (list) => round3([...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]);
const middles = (list) => Object.fromEntries(Object.keys(list[0]).map((key) => [key, median(list.map((one) => one[key]))]));
