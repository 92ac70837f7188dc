// `wrangler deploy` after all set-up, on whichever Node the machine has.
import { setup } from './setup.mjs';
import { show } from './lib/steps.mjs';

export const help = `npm run deploy [-- <arguments of wrangler deploy>]

Sets up, builds and deploys with wrangler: npm run deploy -- --env staging, npm run deploy -- --dry-run.
The same as \`npx wrangler deploy\` where everything is installed already.`;

export async function run(args) {
  await setup();
  // Named even when it is the top level: wrangler warns of an environment that nobody chose.
  const chosen = args.some((arg) => /^(-e|--env)(=|$)/.test(arg));
  return show('wrangler', ['deploy', ...(chosen ? [] : ['--env=']), ...args]);
}
