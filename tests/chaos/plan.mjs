// The plan of a campaign, drawn from its seed alone: policies, requests, what each client does, edits and kills. The same seed
// gives the same plan; only the clock of the machine is not in it.
import { dice } from './random.mjs';
import { BAD_POLICIES, drawPolicy, mostCalls, versionOf } from './draw.mjs';

const POLICIES = 24;
const LEAVES = 4;
/** `dead` is a provider where nobody listens. */
export const TARGETS = ['acme/fine', 'acme/well', 'acme/shaky', 'acme/sick', 'other/fine', 'other/well', 'other/shaky', 'other/sick', 'claude/fine', 'claude/well', 'claude/shaky', 'claude/sick', 'dead/nobody'];
/** The document `rules`: one rule, for nobody here. */
export const RULES = '{"rules": {"r": {"when": {"user": "nobody"}, "then": {"retries": 1}}}, "rulesets": [{"name": "s", "when": {}, "rules": ["r"]}]}';
/** Vectors of two models do not mix: only policies of one model under two providers let embeddings fall back. */
const ROUTES = [[6, 'chat'], [3, 'messages'], [3, 'responses'], [1, 'completions'], [1, 'embeddings']];

export function planOf(seed, count) {
  const leaves = Object.fromEntries(Array.from({ length: LEAVES }, (_, i) => [`leaf${i}`, drawPolicy(dice(seed, 'leaf', i), TARGETS, [])]));
  const names = Array.from({ length: POLICIES }, (_, i) => `p${i}`);
  const drawn = (name, edition) => drawPolicy(dice(seed, name, edition), TARGETS, Object.keys(leaves));
  const first = { ...leaves, ...Object.fromEntries(names.map((name) => [name, drawn(name, 0)])) };
  const plan = { seed, count, names, leaves, versions: new Map(), first: {}, requests: [], events: new Map() };
  for (const [name, policy] of Object.entries(first)) plan.first[name] = keep(plan, policy);
  plan.requests = Array.from({ length: count }, (_, n) => drawRequest(dice(seed, 'request', n), names, n));
  drawEvents(plan, drawn);
  return plan;
}

/** Remembers a version of a policy: what it allows is looked up by the version that an answer names. */
function keep(plan, policy) {
  const text = JSON.stringify(policy);
  plan.versions.set(versionOf(text), { policy, most: mostCalls(policy, plan.leaves), deadline: policy.deadline_ms ?? 600_000 });
  return text;
}

function drawRequest(dice, names, n) {
  const route = dice.weighted(ROUTES);
  const request = {
    n,
    route,
    stream: route !== 'embeddings' && dice.chance(0.55),
    model: dice.chance(0.08) ? dice.pick(TARGETS) : `policy/${dice.pick(names)}`,
    client: dice.weighted([[88, { does: 'waits' }], [4, { does: 'leaves', afterMs: dice.int(0, 300) }], [4, { does: 'leaves', afterBytes: dice.int(1, 600) }], [4, { does: 'reads slowly', pauseMs: dice.int(5, 60) }]]),
    headers: {},
    more: {},
  };
  if (dice.chance(0.3)) request.headers['x-understudy-key-acme'] = 'OWN';
  if (dice.chance(0.05)) request.headers['x-understudy-no-fallback'] = 'true';
  if (dice.chance(0.05)) request.headers['x-understudy-consent'] = 'fallback';
  if (dice.chance(0.06)) request.more.understudy = dice.pick([{ deadline_ms: dice.int(50, 1500) }, { timeouts: { attempt_ms: 200, first_token_ms: 150 } }, { fallback: ['acme/fine', { model: 'claude/well', retries: 1 }] }, { on: { preset: 'strict' } }, { stream: { commit: 'complete' } }, { metadata: { user: 'u1', group: 'g1' } }]);
  else if (dice.chance(0.03)) request.more.models = ['other/fine', 'acme/well'];
  // A plain model runs under the defaults: minutes.
  if (!request.model.startsWith('policy/')) request.more.understudy = { ...request.more.understudy, timeouts: { headers_ms: 900, first_token_ms: 900, idle_ms: 900, attempt_ms: 1500 } };
  return request;
}

/** Edits and kills, by the number of the request before which they happen. */
function drawEvents(plan, drawn) {
  const { seed, count, names } = plan;
  const roll = dice(seed, 'events');
  const at = (n, event) => plan.events.set(n, [...(plan.events.get(n) ?? []), event]);
  const edits = Math.max(4, Math.floor(count / 120));
  for (let edit = 1; edit <= edits; edit++) {
    const name = roll.pick(names);
    const n = roll.int(1, count - 1);
    const through = roll.pick(['kv', 'kv', 'admin']);
    const good = { kind: 'edit', through, name, text: keep(plan, drawn(name, edit)) };
    if (roll.chance(0.4)) at(n, { kind: 'spoil', name, text: roll.pick(BAD_POLICIES) });
    else at(n, good);
    // A bad edit is mended after a while.
    at(Math.min(count - 1, n + roll.int(20, 200)), { kind: 'edit', through: 'kv', name, text: good.text });
  }
  const rules = roll.int(1, count - 1);
  at(rules, { kind: 'spoil', name: null, key: 'rules', text: '{"rules": 7}' });
  at(Math.min(count - 1, rules + 60), { kind: 'edit', through: 'kv', key: 'rules', text: RULES });
  const kills = Math.max(1, Math.min(8, Math.floor(count / 2500)));
  for (let kill = 1; kill <= kills; kill++) at(Math.floor((count * kill) / (kills + 1)) + roll.int(0, 20), { kind: 'kill' });
}

/** The body that a client sends: it names the request, and holds what must never be stored. */
export function bodyOf(request, canary) {
  const said = `chaos r=${request.n}; ${canary}`;
  const base = { model: request.model, ...request.more, ...(request.stream ? { stream: true } : {}) };
  switch (request.route) {
    case 'messages':
      return { ...base, max_tokens: 500, messages: [{ role: 'user', content: said }] };
    case 'responses':
      return { ...base, input: said };
    case 'completions':
      return { ...base, prompt: said };
    case 'embeddings':
      return { ...base, input: said };
    default:
      return { ...base, messages: [{ role: 'user', content: said }] };
  }
}

/** The most calls that a request may lead to, under the policy version that its answer names. */
export function boundOf(request, version) {
  const own = request.more.understudy?.fallback ? 3 : (request.more.models?.length ?? 0);
  const most = version ? version.most : request.headers['x-understudy-key-acme'] ? 2 : 1;
  return request.headers['x-understudy-no-fallback'] ? Math.min(64, most) : Math.min(64, most + own);
}

/** When its deadline is, in ms after its arrival. */
export const deadlineOf = (request, version) => Math.min(version?.deadline ?? 600_000, request.more.understudy?.deadline_ms ?? Infinity);
