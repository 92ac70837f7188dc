// Policies drawn from the JSON Schema that the Worker itself publishes: whatever field it knows is tried, and a field that is
// added later is tried without a word here. Only what would make a campaign last for hours is tamed.
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';

const SCHEMA = JSON.parse(readFileSync(new URL('../../docs/schema/policy.json', import.meta.url), 'utf8'));

/** How often an optional field is set, where half of the time would be wrong. */
const RARE = { deadline_ms: 0.5, consent: 0.1, keep: 0.12, hedge_after_ms: 0.15, description: 0.1, workload: 0.2, translate: 0.2, weight: 0.3, degraded: 0.2, params: 0.15, $schema: 0.05, on: 0.6, timeouts: 0.8, exhausted: 0.4 };
const OFTEN = 0.5;
/** Else their defaults hold: minutes. */
const ALWAYS = new Set(['headers_ms', 'first_token_ms', 'idle_ms', 'attempt_ms']);

/** Times of a campaign, in ms: long enough that a good answer beats them, short enough that a stall is soon over. */
const TIMES = {
  initial_ms: [1, 40], max_ms: [1, 80], retry_after_max_ms: [1, 300], headers_ms: [150, 900], first_token_ms: [200, 1200], idle_ms: [150, 900],
  attempt_ms: [300, 1500], deadline_ms: [100, 4000], window_ms: [50, 5000], cooldown_ms: [1, 400], cooldown_max_ms: [1, 1000], hedge_after_ms: [5, 200],
};

/** Fields whose value no schema can draw well. */
const OWN = {
  $schema: () => '../schema/policy.json',
  description: () => 'drawn',
  workload: (dice) => dice.pick(['chat', 'batch', 'search']),
  retries: (dice) => dice.weighted([[5, 0], [4, 1], [2, 2], [1, 3]]),
  failures: (dice) => dice.pick([1, 2, 3, 5, 20, 1000]),
  params: (dice) => dice.pick([{ temperature: 0.1 }, { top_p: null }, { user: 'params' }, {}]),
  degraded: (dice) => dice.pick([true, false, 'second best']),
  buffer_max_bytes: (dice) => dice.pick([1, 300, 4096, 4194304, 16777216]),
  weight: (dice) => dice.pick([0, 1, 1, 5, 1000]),
  key: (dice) => dice.weighted([[6, 'managed'], [1, 'own'], [2, 'managed_then_own'], [2, 'own_then_managed']]),
  consent: (dice) => dice.weighted([[1, 'ask'], [1, 'never'], [2, 'automatic']]),
  keep: (dice) => dice.pick([[], ['family'], ['provider'], ['billing'], ['family', 'provider']]),
};

/** A policy over these targets and names of other policies. */
export function drawPolicy(dice, targets, nested) {
  const policy = drawValue(SCHEMA, 'policy', dice);
  policy.timeouts = drawObject(SCHEMA.$defs.timeouts, dice, true);
  policy.chain = drawChain(dice, targets, nested);
  return policy;
}

function drawChain(dice, targets, nested) {
  if (dice.chance(0.08)) return [dice.pick(targets), `${dice.pick(targets)} (1 retry)`].join(dice.pick([' -> ', ' → ']));
  const hops = Array.from({ length: dice.weighted([[2, 1], [4, 2], [4, 3], [2, 4], [1, 6]]) }, () => {
    if (nested.length > 0 && dice.chance(0.1)) return dice.pick([{ model: `policy/${dice.pick(nested)}`, degraded: true }, `policy/${dice.pick(nested)}`]);
    if (dice.chance(0.2)) return `${dice.pick(targets)}${dice.chance(0.5) ? ' (2 retries)' : ''}`;
    return { ...drawValue(SCHEMA.$defs.hop.anyOf[0], 'hop', dice), model: dice.pick(targets) };
  });
  return hops;
}

function drawValue(schema, name, dice) {
  if (schema.$ref) return drawValue(SCHEMA.$defs[schema.$ref.slice('#/$defs/'.length)], name, dice);
  if (OWN[name]) return OWN[name](dice);
  if (schema.anyOf) return drawValue(dice.pick(schema.anyOf), name, dice);
  if (schema.enum) return dice.pick(schema.enum);
  switch (schema.type) {
    case 'object':
      return drawObject(schema, dice);
    case 'boolean':
      return dice.chance(0.5);
    case 'integer':
    case 'number': {
      const [least, most] = TIMES[name] ?? [schema.minimum, schema.maximum];
      return schema.type === 'integer' ? dice.int(least, most) : dice.int(least * 100, most * 100) / 100;
    }
    case 'null':
      return null;
    default:
      throw new Error(`the schema's ${name} needs a rule in draw.mjs: ${JSON.stringify(schema)}`);
  }
}

function drawObject(schema, dice, always) {
  const drawn = {};
  for (const [name, field] of Object.entries(schema.properties)) {
    if (name === 'chain' || name === 'model') continue;
    if ((always && ALWAYS.has(name)) || dice.chance(RARE[name] ?? OFTEN)) drawn[name] = drawValue(field, name, dice);
  }
  return drawn;
}

/** Edits that must never become a policy, each bad in its own way. */
export const BAD_POLICIES = ['{"chain": [', '', '[]', '{"chain": []}', '{"chain": ["acme/m"], "retries": 1}', '{"chain": [{"model": "acme/m", "retries": 11}]}', '{"chain": ["nowhere/m"]}', '\u0000\u0001', '{"chain": ["acme/m"], "deadline_ms": 0}', '{"chain": ["acme/m"], "chain": ["acme/m"]}'];

/** The version that an answer names: first 8 hex digits of the SHA-256 of the stored bytes. */
export const versionOf = (text) => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** Calls that a policy allows at most, its nested policies included: each hop's tries with each of its keys, and never over 64. */
export function mostCalls(policy, policies) {
  const hops = typeof policy.chain === 'string' ? policy.chain.split(/ *(?:->|→) */) : policy.chain;
  const calls = hops.map((hop) => {
    const { model, retries = 0, key = 'managed' } = typeof hop === 'string' ? shortHop(hop) : hop;
    if (model.startsWith('policy/')) return mostCalls(policies[model.slice('policy/'.length)], policies);
    return (1 + retries) * (key.includes('_then_') ? 2 : 1);
  });
  return Math.min(64, calls.reduce((sum, n) => sum + n, 0));
}

function shortHop(text) {
  const [, model, retries] = text.match(/^(\S+)(?: \((\d+) retr(?:y|ies)\))?$/);
  return { model, retries: Number(retries ?? 0) };
}
