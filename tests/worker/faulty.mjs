// A Worker whose dependencies fail as told: the very module that is deployed, its KV, its Durable Objects and its clock
// behind a switch. `POST /__faults` with {"kv", "ledger": "fail" | "hang" | null, "skewMs"} sets the switch; "kv": "cursors"
// refuses every cursor, as the deployed store does one that it did not make, and the local one does not. "slow": {key: [ms...]}
// holds back what the next reads of that key found.
import { startWorker } from './worker.mjs';

const ENTRY = `
import understudy, { Ledger } from './index.js';
export { Ledger };

const faults = { kv: null, ledger: null, skewMs: 0, slow: {}, kvReads: 0, asks: 0 };
const clock = Date.now.bind(Date);
Date.now = () => clock() + faults.skewMs;

const failing = (how, what, work) =>
  how === 'fail' ? Promise.reject(new Error(what + ' is down')) : how === 'hang' ? new Promise((resolve) => setTimeout(resolve, 60_000)) : work();

const faultyKv = (kv) => {
  const method = (name) => (...args) => (faults.kvReads++, failing(faults.kv, 'KV', () => kv[name](...args)));
  const late = async (key, ...more) => {
    const ms = faults.slow[key]?.shift();
    const value = await method('get')(key, ...more);
    if (ms) await new Promise((resolve) => setTimeout(resolve, ms));
    return value;
  };
  return { get: late, getWithMetadata: method('getWithMetadata'), put: method('put'), list: (options) => (faults.kv === 'cursors' && options?.cursor ? Promise.reject(new Error('KV GET failed: 400 invalid cursor')) : method('list')(options)), delete: method('delete') };
};

class DurableObjectNamespace {
  constructor(inner) { this.inner = inner; }
  idFromName(name) { return this.inner.idFromName(name); }
  get(id) { return this.stub(this.inner.get(id)); }
  getByName(name) { return this.stub(this.inner.get(this.inner.idFromName(name))); }
  stub(stub) { return { fetch: (...args) => (faults.asks++, failing(faults.ledger, 'the ledger', () => stub.fetch(...args))) }; }
}

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname === '/__faults') return Response.json(Object.assign(faults, await request.json()));
    const broken = { ...env, POLICIES: faultyKv(env.POLICIES), LEDGER: new DurableObjectNamespace(env.LEDGER) };
    return understudy.fetch(request, broken, ctx);
  },
};
`;

/** A Worker with the switch: `faults({kv: 'fail'})` sets it, and answers how often each was asked so far. */
export async function startFaulty(options = {}) {
  const worker = await startWorker({ ...options, entry: ENTRY });
  return Object.assign(worker, { faults: async (more = {}) => (await worker.post('/__faults', more)).json() });
}
