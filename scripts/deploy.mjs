// `wrangler deploy` after all set-up and a look at what is deployed, on whichever Node the machine has.
import { deployed, judge } from './lib/preflight.mjs';
import { Problem, say, show } from './lib/steps.mjs';
import { build } from './build.mjs';

export const help = `npm run deploy [-- [--skip-checks] <arguments of wrangler deploy>]

Sets up, builds, checks and deploys with wrangler: npm run deploy -- --env staging, npm run deploy -- --dry-run.
Checked are the secrets that policies in KV need, and that this version can read every document in KV; a document that
it cannot read stops the deployment. --skip-checks deploys without looking, as \`npx wrangler deploy\` does.`;

export async function run(args) {
  const wanted = args.filter((arg) => arg !== '--skip-checks');
  await build();
  // Named even when it is the top level: wrangler warns of an environment that nobody chose.
  const at = wanted.findIndex((arg) => /^(-e|--env)(=|$)/.test(arg));
  const env = at < 0 ? ['--env='] : wanted.slice(at, at + (wanted[at].includes('=') ? 1 : 2));
  if (wanted.length === args.length && !wanted.includes('--dry-run')) await check(env);
  return show('wrangler', ['deploy', ...(at < 0 ? env : []), ...wanted]);
}

async function check(env) {
  say('Looking at the secrets and documents of what is deployed');
  const found = await deployed(env);
  if (found === null) return say('Nothing is deployed here yet. Afterwards: npx wrangler secret put ADMIN_TOKEN, and one secret per provider.');
  const { lines, errors } = await judge(found);
  for (const line of lines) console.log(line);
  if (errors) throw new Problem('Not deployed: this version cannot read the documents above. Mend them, or say --skip-checks.');
  say(`${found.documents.size} documents can be read, ${found.secrets.length} secrets are set.`);
}
