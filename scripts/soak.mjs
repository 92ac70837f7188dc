// A long load against the built Worker, after all set-up. What it does: tests/chaos/soak.mjs.
import { build } from './build.mjs';

export const help = `npm run soak [-- --minutes 60] [--rate N] [--streams 2000] [--json]

Measures the most that this machine takes, meets every fault once, then runs at half of that rate (or at --rate requests/s) with
1 % of the upstream's calls failing in every way, opens 2,000 streams at once, and lets clients read slowly. Says whether memory
stayed flat, nothing is kept, latency did not drift, and the ledger is complete. The process fills for some minutes: whether its
memory is flat, half an hour tells, and a run of minutes calls it broken. Linux only: it reads /proc.`;

export async function run(args) {
  await build();
  const { main } = await import('../tests/chaos/soak.mjs');
  return main(args);
}
