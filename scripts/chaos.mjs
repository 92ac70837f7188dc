// Campaigns of faults against the built Worker, after all set-up. What they do: tests/chaos.
import { build } from './build.mjs';

export const help = `npm run chaos [-- --seed N] [--requests 20000] [--seeds 1] [--clients 48] [--json]

Runs the Worker on workerd before an upstream that fails in every way a server, a proxy or a network can, under policies
drawn at random from the published schema, with clients that leave, edits good and bad, and the process killed; then
reconciles what clients got, what the upstream saw and what the ledger holds. One line per seed when all is well. What is
found is printed with its seed, which plans the same campaign again. --seeds runs so many seeds from the first on.`;

export async function run(args) {
  await build();
  const { main } = await import('../tests/chaos/main.mjs');
  return main(args);
}
