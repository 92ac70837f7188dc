import { startWorker } from '/work/wt/lead/tests/worker/worker.mjs';
const w = await startWorker();
try {
  console.log(await (await w.fetch('/healthz')).text());
  await w.put('policy:demo', { chain: ['sim/overloaded', 'sim/echo'] });
  let r = await w.chat('policy/demo'); console.log(r.status, [...r.headers].filter(([k])=>/under|retry/.test(k)), await r.text());
  r = await w.chat('policy/nope'); console.log(r.status, await r.text());
  r = await w.post('/v1/chat/completions', '{bad'); console.log(r.status, await r.text());
  r = await w.fetch('/v1/models'); console.log(r.status, (await r.text()).slice(0,200));
  console.log(w.logs.slice(-10));
} finally { await w.close(); }
