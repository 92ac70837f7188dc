// The ledger's Durable Objects in a process of their own, behind proxy.js, with a count of the calls they get, and as far away
// as `DISTANCE_MS` says.
import { Ledger } from './index.js';

let calls = 0;

export class Counted {
  constructor(state, env) {
    this.inner = new Ledger(state, env);
    this.distance = Number(env.DISTANCE_MS);
  }
  async fetch(request) {
    calls++;
    if (this.distance > 0) await scheduler.wait(this.distance);
    return this.inner.fetch(request);
  }
  alarm(info) {
    return this.inner.alarm(info);
  }
}

export default {
  fetch(request, env) {
    if (request.url.endsWith('/calls')) return new Response(String(calls));
    return env.LEDGER.getByName(request.headers.get('x-object')).fetch(request);
  },
};
