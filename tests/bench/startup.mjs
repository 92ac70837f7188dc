// What starting costs: a process of workerd from its start to its socket, with Understudy and with the yardstick in it; the
// first and the next request; and an instance of the module alone.
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inRoot } from '../../scripts/lib/project.mjs';
import { chat } from './cases.mjs';
import { round3 } from './compare.mjs';
import { drive, post } from './load.mjs';
import { DATE, startUnderstudy, startYardstick } from './sides.mjs';
import { startWorkerd } from './workerd.mjs';

export async function startup(upstream, { rounds }) {
  const seen = { understudy: [], passthrough: [] };
  for (let round = 0; round < rounds; round++) {
    const full = await startUnderstudy(upstream);
    seen.understudy.push(await times(full, post('/v1/chat/completions', { authorization: `Bearer ${full.key}` }, chat('policy/two', 900))));
    const bare = await startYardstick(upstream);
    seen.passthrough.push(await times(bare, post('/pass/ok/chat/completions', {}, chat('bench', 900))));
  }
  return {
    wasm_bytes: statSync(inRoot('build', 'index_bg.wasm')).size,
    instance: await instance(),
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

/** The module alone, on workerd: what one instance costs, its memory and tables, with imports that do nothing. */
async function instance() {
  const modules = [
    { name: 'instance.js', esModule: fileURLToPath(new URL('instance.js', import.meta.url)) },
    { name: 'index_bg.wasm', wasm: inRoot('build', 'index_bg.wasm') },
  ];
  const worker = await startWorkerd([{ name: 'instance', modules, date: DATE }]);
  const times = await (await fetch(worker.url)).json();
  await worker.close();
  return times;
}

const median = (list) => round3([...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]);
const middles = (list) => Object.fromEntries(Object.keys(list[0]).map((key) => [key, median(list.map((one) => one[key]))]));
