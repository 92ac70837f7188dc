// The ledger's growth: ledger.mjs fills one shard of the real Durable Object; here it is run at several sizes.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { start } from './child.mjs';

const script = fileURLToPath(new URL('ledger.mjs', import.meta.url));
const SHOWN = { 'analytics, the last day': 'analytics of a day', 'analytics, the week': 'analytics of a week', 'one request by its id': 'one request by its id', 'requests, newest': 'the newest requests', 'requests of one user': 'requests of a user' };

/** Questions to a shard as it grows to a million attempts: ten such shards, or four of 2.5 million, hold ten million. */
export async function ledger({ quick, note }) {
  if (!existsSync(script)) throw new Error('tests/bench/ledger.mjs is not there');
  const lines = new Map(Object.values(SHOWN).map((name) => [name, []]));
  let filled;
  for (const attempts of quick ? [1_000, 10_000] : [10_000, 100_000, 1_000_000]) {
    note(`ledger: ${attempts} attempts ...`);
    filled = await run(['--json', '--attempts', String(attempts)]);
    for (const { name, p50_ms: ms } of filled.questions) if (SHOWN[name]) lines.get(SHOWN[name]).push([filled.attempts, ms]);
  }
  const { questions, at, machine, ...facts } = filled;
  return { at, machine, questions, title: 'Rows in a shard of the ledger', x: { label: 'attempts in the shard', log: true }, y: { label: 'ms to an answer, p50', from: 0 }, facts, lines: [...lines].map(([name, points]) => ({ name, points })) };
}

async function run(args) {
  const child = start(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  const code = await child.gone;
  if (code !== 0) throw new Error(`ledger.mjs ended with ${code}`);
  return JSON.parse(text.trim().split('\n').at(-1));
}
