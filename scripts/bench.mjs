// The benchmarks of tests/bench, after all set-up.
import { existsSync } from 'node:fs';
import { build } from './build.mjs';
import { inRoot } from './lib/project.mjs';
import { Problem, show } from './lib/steps.mjs';

export const help = `npm run bench -- [OPTIONS]

Measures Understudy beside a bare JavaScript pass-through Worker on the same workerd, served directly, and beside the Portkey
gateway on Node (installed into target/ when first measured). Prints ratios, Understudy over the other, with their spread.

  --json              one JSON object
  --only NAME[,NAME]  these cases: json, json_ledger_apart, json_1, json_256, body_100kb, body_1mb, chain_16, fallback, stream,
                      stream_inspect, stream_burst, ttft, counts, startup
  --rounds N          rounds per case (5)
  --quick             3 shorter rounds
  --save              write the results into tests/bench/results.json and onto the pages that tell them

npm run bench -- growth [OPTIONS]

What becomes of a request's cost as things grow: policies, rules, chain, body, volume, streams, requests, ledger. Besides the
options above, --long sends a million requests where memory is watched.

npm run bench -- ledger [OPTIONS]

How long the ledger's questions take over a million attempts in one shard (1.7 GB of disk while it runs).

  --attempts N        another number of attempts
  --rounds N          each question that often (15)
  --state FOLDER      the shard is kept there, or found there filled
  --json, --save      as above`;

export async function run(args) {
  const [script, rest] = args[0] === 'ledger' ? ['ledger.mjs', args.slice(1)] : ['main.mjs', args];
  const path = inRoot('tests', 'bench', script);
  if (!existsSync(path)) throw new Problem('There are no benchmarks yet.');
  await build();
  return show(process.execPath, [path, ...rest]);
}
