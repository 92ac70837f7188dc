// Series of growth.mjs that look at memory: what a long stream adds, fast client or slow, and whether it stays flat over very
// many requests. Memory is what the process of workerd holds (RSS), ledger and all.
import { chat } from './cases.mjs';
import { round3 } from './compare.mjs';
import { drive, post, sip } from './load.mjs';
import { memoryBytes } from './usage.mjs';

const MB = 1e6;
const TOTAL = { full: 50, quick: 10 };

/** A stream at a model's pace, 1 MB/s, read as it comes and at half the pace; four processes at the same time. */
export async function streams(bench) {
  const bytes = TOTAL[bench.quick ? 'quick' : 'full'] * MB;
  const [base, small] = [`bulk-${bytes}-1000000`, 'bulk-1000000-10000000'];
  const settings = { policies: { long: { chain: [`${base}/bench`] }, small: { chain: [`${small}/bench`] } }, upstreams: [base, small] };
  const more = { stream: true };
  const lines = await Promise.all(
    [
      ['Understudy', true, 1],
      ['Understudy, slow client', true, 0.5],
      ['pass-through', false, 1],
      ['pass-through, slow client', false, 0.5],
    ].map(async ([name, full, pace]) => {
      const side = full ? await bench.understudy(settings) : await bench.yardstick();
      const request = (which, there) => (full ? post('/v1/chat/completions', { authorization: `Bearer ${side.key}` }, chat(`policy/${which}`, 900, more)) : post(`/pass/${there}/chat/completions`, {}, chat('bench', 900, more)));
      // What the first streams leave behind belongs to no single one.
      for (let i = 0; i < 5; i++) await drive(side.port, request('small', small), { connections: 1, requests: 1 });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const before = memoryBytes(side.pid);
      const [started, points] = [performance.now(), []];
      const look = () => points.push([round3((performance.now() - started) / 1000), round3((memoryBytes(side.pid) - before) / MB)]);
      const timer = setInterval(look, 500);
      const done = await sip(side.port, request('long', base), { bytesPerSecond: pace * MB * 1.02 });
      clearInterval(timer);
      look();
      if (done.status !== 200 || done.bytes < bytes) throw new Error(`${name}: ${done.status}, ${done.bytes} bytes`);
      return { name, points, most: Math.max(...points.map(([, y]) => y)) };
    }),
  );
  return { title: `Memory during a stream of ${bytes / MB} MB at 1 MB/s`, x: { label: 'seconds' }, y: { label: 'MB added', from: 0 }, limit: { y: 8, text: 'budget' }, lines };
}

/** Memory of one process over very many requests: a million with `--long`, else fewer. */
export async function requests(bench) {
  const total = bench.long ? 1_000_000 : bench.quick ? 10_000 : 100_000;
  const side = await bench.understudy();
  const request = post('/v1/chat/completions', { authorization: `Bearer ${side.key}` }, chat('policy/two', 900));
  const points = [];
  const step = total / 50;
  for (let sent = 0; sent <= total; sent += step) {
    if (sent > 0) {
      const done = await drive(side.port, request, { connections: 16, requests: step });
      if (done.failed) throw new Error(`${done.failed} answers were no 200, the first:\n${done.failure}`);
    }
    points.push([sent, round3(memoryBytes(side.pid) / MB)]);
  }
  return { title: `Memory over ${total.toLocaleString('en')} requests`, x: { label: 'requests' }, y: { label: 'MB held', from: 0 }, lines: [{ name: 'Understudy with its ledger', points }] };
}
