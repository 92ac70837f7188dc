// A day in the life of a gateway, the same on every run: policies, keys, rules, and requests with their attempts.

/** Mulberry32: small, seeded, good enough for charts. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const HOSTILE = `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;

export const policies = () => ({
  sonnet: {
    type: "fallback",
    description: "Claude, first at Anthropic, then at Bedrock in Frankfurt",
    workload: "support-chat",
    chain: [
      { model: "anthropic/claude-sonnet-4-5", retries: 1, timeouts: { first_token_ms: 8000 } },
      { model: "bedrock/claude-sonnet-4-5@eu-central-1", retries: 1 },
      { model: "policy/cheap", degraded: "A smaller model is answering for now" },
    ],
    on: { preset: "resilient", content_policy: "stop" },
    deadline_ms: 120000,
  },
  cheap: { description: "Small and fast, whoever has room", type: "load_balance", chain: [{ model: "openai/gpt-4o-mini", weight: 3 }, { model: "google/gemini-2.5-flash", weight: 1 }] },
  reasoning: { chain: "deepseek/reasoner -> nebius/DeepSeek-R1 (1 retry)", description: "Long thinking, two hosts of the same model" },
  demo: { description: "Its first target fails, its second answers", chain: ["sim/overloaded", "sim/echo"] },
});

export const targets = [
  { model: "anthropic/claude-sonnet-4-5", provider: "anthropic", configured: true, missing: null, breaker: { state: "half_open", failures: 3, until: null }, policies: ["sonnet"] },
  { model: "bedrock/claude-sonnet-4-5@eu-central-1", provider: "bedrock", configured: true, missing: null, breaker: { state: "closed", failures: 0 }, policies: ["sonnet"] },
  { model: "openai/gpt-4o-mini", provider: "openai", configured: true, missing: null, breaker: { state: "closed", failures: 0 }, policies: ["cheap", "sonnet"] },
  { model: "google/gemini-2.5-flash", provider: "google", configured: false, missing: "GOOGLE_API_KEY", breaker: { state: "closed", failures: 0 }, policies: ["cheap", "sonnet"] },
  { model: "deepseek/reasoner", provider: "deepseek", configured: true, missing: null, breaker: { state: "open", failures: 9, until: new Date(Date.now() + 8000).toISOString() }, policies: ["reasoning"] },
  { model: "nebius/DeepSeek-R1", provider: "nebius", configured: true, missing: null, breaker: { state: "closed", failures: 1 }, policies: ["reasoning"] },
];

const provider = (name, secret, base_url, configured, extra = {}) => ({ name, builtin: true, configured, missing: configured ? null : secret, secret, base_url, dialect: "openai", ...extra });
export const providers = () => [
  provider("anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1", true, { dialect: "anthropic" }),
  provider("azure", "AZURE_API_KEY", "", false),
  provider("bedrock", "AWS_ACCESS_KEY_ID", "https://bedrock-runtime.{region}.amazonaws.com", true, { dialect: "bedrock" }),
  provider("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1", true),
  provider("google", "GOOGLE_API_KEY", "https://generativelanguage.googleapis.com", false, { dialect: "gemini" }),
  provider("nebius", "NEBIUS_API_KEY", "https://api.studio.nebius.com/v1", true),
  provider("openai", "OPENAI_API_KEY", "https://api.openai.com/v1", true),
  { name: "inhouse", builtin: false, configured: true, missing: null, base_url: "https://llm.example.com/v1", dialect: "openai", version: "77aa01fe", document: { base_url: "https://llm.example.com/v1", dialect: "openai", auth: { header: "authorization", scheme: "Bearer", secret: "EXAMPLE_API_KEY" } } },
];

export const rules = () => ({
  rules: {
    "gpt-4o-to-claude": { description: "When GPT-4o is asked for, Claude stands by", when: { model: "openai/gpt-4o" }, then: { retries: 1, fallback: [{ model: "anthropic/claude-sonnet-4-5", retries: 1 }] } },
    "free-tier-small": { description: "Free plans answer with the small models", when: { "metadata.plan": "free" }, then: { use: "policy/cheap" } },
    "block-legacy": { description: "", when: { any: [{ model: "openai/gpt-3.5*" }, { user: { in: ["legacy-bot", "cron"] } }] }, then: { deny: "This model is retired here. Use policy/sonnet." } },
  },
  rulesets: [
    { name: "everyone", description: "Every request that names its group", when: { group: { exists: true } }, rules: ["gpt-4o-to-claude"] },
    { name: "housekeeping", description: "", when: {}, rules: ["block-legacy", "free-tier-small"] },
  ],
});

export const keys = () => [
  { id: "a3f1c2d4e5b60718293a4b5c6d7e8f90", name: "web", group: "acme", user: null, allow: ["policy/*", "openai/gpt-4o*"], deny: [], policy: "sonnet", own: ["anthropic"], expires_at: null, disabled: false, budget_usd_per_day: 25, budget_usd_per_month: 500, created_at: "2026-08-02T09:12:00.000Z" },
  { id: "b7d90a1122334455667788990011aabb", name: "nightly-batch", group: "internal", user: "batch", allow: ["policy/cheap"], deny: ["openai/*"], policy: "cheap", own: [], expires_at: "2027-01-01T00:00:00.000Z", disabled: false, budget_usd_per_day: 5, budget_usd_per_month: null, created_at: "2026-10-11T18:40:00.000Z" },
  { id: "c0ffee00112233445566778899aabbcc", name: "old-mobile-app", group: "acme", user: null, allow: ["*"], deny: [], policy: null, own: [], expires_at: null, disabled: true, budget_usd_per_day: null, budget_usd_per_month: null, created_at: "2026-02-20T10:00:00.000Z" },
];

const FAILURES = [
  ["overloaded", 529, "Overloaded: the model is at capacity, try again soon", 310],
  ["rate_limited", 429, "Number of request tokens has exceeded your per-minute rate limit", 140],
  ["timeout", null, "no content within 8000 ms", 8000],
  ["server_error", 500, "Internal server error", 900],
  ["interrupted", 200, "the stream ended before its terminal event", 1800],
];

const CHAINS = {
  sonnet: ["anthropic/claude-sonnet-4-5", "bedrock/claude-sonnet-4-5@eu-central-1", "openai/gpt-4o-mini"],
  cheap: ["openai/gpt-4o-mini", "google/gemini-2.5-flash"],
  reasoning: ["deepseek/reasoner", "nebius/DeepSeek-R1"],
};

/** One request as the ledger would tell it, with every attempt and skip. */
export function makeRequest(next, at, force) {
  const policy = force?.policy ?? (next() < 0.6 ? "sonnet" : next() < 0.7 ? "cheap" : "reasoning");
  const chain = CHAINS[policy] ?? ["sim/overloaded", "sim/echo"];
  const attempts = [];
  let clock = 0;
  let served = -1;
  const push = (attempt) => attempts.push({ seq: attempts.length, at: new Date(at + clock).toISOString(), tokens: { input: 0, output: 0, cached: 0 }, cost_usd: 0, billed: "no", committed: false, call: true, key: "managed", ...attempt });
  chain.forEach((model, index) => {
    if (served >= 0) return;
    if (force?.skip?.[index] || (index === 1 && next() < 0.08)) {
      push({ model, call: false, key: "", outcome: "incompatible", status: null, ms: 0, reason: "incompatible:vision" });
      return;
    }
    const fails = force?.fail ? index < force.fail : next() < (index === 0 ? 0.13 : 0.05);
    for (let tries = 0; tries < (fails ? 2 : 1); tries++) {
      if (!fails) {
        const ttft = Math.round(240 + next() * 600);
        const ms = Math.round(ttft + 500 + next() * 3800);
        const input = Math.round(300 + next() * 3000);
        const output = Math.round(60 + next() * 700);
        push({ model, outcome: "ok", status: 200, headers_ms: ttft - 60, ttft_ms: ttft, ms, tokens: { input, output, cached: 0 }, cost_usd: (input * 3 + output * 15) / 1e6, billed: "yes", committed: true });
        clock += ms;
        served = index;
        return;
      }
      const [outcome, status, reason, ms] = FAILURES[force?.failure ?? Math.floor(next() * FAILURES.length)];
      push({ model, outcome, status, reason, ms, headers_ms: status ? Math.min(ms, 300) : null, billed: outcome === "interrupted" ? "maybe" : "no", phase: outcome === "timeout" ? "first_token" : null, cost_usd: outcome === "interrupted" ? 0.0021 : 0 });
      clock += ms + (tries ? 0 : 500);
      if (outcome === "timeout") return;
    }
  });
  const last = attempts.at(-1);
  const group = ["acme", "globex", "internal"][Math.floor(next() * 3)];
  return {
    id: force?.id ?? "req-" + Math.floor(next() * 1e12).toString(36),
    ledger_id: Math.floor(next() * 1e15).toString(16).padStart(32, "0"),
    at: new Date(at).toISOString(),
    policy, version: policy === "sonnet" ? "1f3a9c02" : "8be0177d", workload: policy === "sonnet" ? "support-chat" : policy, route: next() < 0.8 ? "chat" : "messages", asked: `policy/${policy}`,
    model: served >= 0 ? chain[served] : null, outcome: served >= 0 ? "ok" : last.outcome, status: served >= 0 ? 200 : (last.status ?? 504),
    fallback: served > 0, degraded: policy === "sonnet" && served === 2, stream: next() < 0.7, ms: clock, ttft_ms: served >= 0 ? clock - last.ms + last.ttft_ms : null,
    user: `user-${Math.floor(next() * 40)}`, group, key: "web", colo: "FRA", cost_usd: attempts.reduce((sum, attempt) => sum + (attempt.outcome === "ok" ? attempt.cost_usd : 0), 0), dropped: next() < 0.1 ? ["logit_bias"] : [], attempts, ...force?.fields,
  };
}

export function history(count = 260) {
  const next = random(7);
  const list = [];
  let at = Date.now() - 20_000;
  for (let n = 0; n < count; n++) {
    list.push(makeRequest(next, at));
    at -= 5_000 + next() * 90_000;
  }
  return list;
}

/** Series and totals for a range, with an outage of the first target in its middle. */
export function analytics(from, to, bucketMs, scale = 1) {
  const next = random(11);
  const series = [];
  const n = Math.min(Math.max(2, Math.round((to - from) / bucketMs)), 400);
  for (let i = 0; i < n; i++) {
    const t = i / n;
    const outage = t > 0.55 && t < 0.68 ? 1 : 0;
    const requests = Math.round((bucketMs / 60_000) * 9 * scale * (1 + 0.5 * Math.sin(t * 7) + 0.12 * next()));
    const fallbacks = Math.round(requests * (outage ? 0.52 + next() * 0.2 : 0.025 + next() * 0.03));
    const failed = Math.round(requests * (outage ? 0.02 : 0.004) * next() * 2);
    const slow = outage ? 2.3 : 1;
    series.push({ at: new Date(from + i * bucketMs).toISOString(), requests, succeeded: requests - failed, fallbacks: Math.min(fallbacks, requests - failed), degraded: Math.round(fallbacks * 0.2), attempts: requests + Math.round(fallbacks * 1.7), cost_usd: requests * 0.0063, wasted_usd: fallbacks * 0.0011, p50_ms: 1350 * slow + next() * 120, p90_ms: 3100 * slow + next() * 300, p99_ms: 7600 * slow + next() * 900, ttft_p50_ms: 420 * slow + next() * 40, ttft_p90_ms: 980 * slow + next() * 80, ttft_p99_ms: 2300 * slow + next() * 200, tokens: { input: requests * 1400, output: requests * 330, cached: requests * 200 } });
  }
  const sum = (field) => series.reduce((total, point) => total + point[field], 0);
  const totals = { requests: sum("requests"), succeeded: sum("succeeded"), fallbacks: sum("fallbacks"), degraded: sum("degraded"), attempts: sum("attempts"), cost_usd: sum("cost_usd"), wasted_usd: sum("wasted_usd"), tokens: { input: sum("requests") * 1400, output: sum("requests") * 330, cached: sum("requests") * 200 }, p50_ms: 1412, p90_ms: 3480, p99_ms: 9120, ttft_p50_ms: 438, ttft_p90_ms: 1090, ttft_p99_ms: 2810 };
  const share = (name, part, more = 0) => ({ name, requests: Math.round(totals.requests * part), succeeded: Math.round(totals.requests * part * (0.997 - more)), fallbacks: Math.round(totals.fallbacks * part * (1 + more * 10)), degraded: Math.round(totals.degraded * part), cost_usd: totals.cost_usd * part, tokens: { input: 1400 * totals.requests * part, output: 330 * totals.requests * part, cached: 0 } });
  const targetRows = [
    { model: "anthropic/claude-sonnet-4-5", attempts: Math.round(totals.requests * 0.66), outcomes: { ok: Math.round(totals.requests * 0.56), overloaded: Math.round(totals.fallbacks * 0.6), rate_limited: Math.round(totals.fallbacks * 0.22), timeout: Math.round(totals.fallbacks * 0.11) }, p50_ms: 1490, p90_ms: 3560, p99_ms: 9800, ttft_p50_ms: 512, cost_usd: totals.cost_usd * 0.6, wasted_usd: totals.wasted_usd * 0.8 },
    { model: "bedrock/claude-sonnet-4-5@eu-central-1", attempts: Math.round(totals.fallbacks * 0.95), outcomes: { ok: Math.round(totals.fallbacks * 0.86), server_error: Math.round(totals.fallbacks * 0.05) }, p50_ms: 1620, p90_ms: 3900, p99_ms: 8900, ttft_p50_ms: 560, cost_usd: totals.cost_usd * 0.25, wasted_usd: totals.wasted_usd * 0.1 },
    { model: "openai/gpt-4o-mini", attempts: Math.round(totals.requests * 0.3), outcomes: { ok: Math.round(totals.requests * 0.29), rate_limited: 40 }, p50_ms: 820, p90_ms: 1900, p99_ms: 4200, ttft_p50_ms: 310, cost_usd: totals.cost_usd * 0.1, wasted_usd: 0 },
    { model: "google/gemini-2.5-flash", attempts: 0, outcomes: { no_key: 210 }, cost_usd: 0, wasted_usd: 0 },
    { model: "deepseek/reasoner", attempts: 812, outcomes: { ok: 640, timeout: 120, unreachable: 52 }, p50_ms: 8200, p90_ms: 21000, p99_ms: 44000, ttft_p50_ms: 2400, cost_usd: 1.2, wasted_usd: 0.2 },
    { model: "nebius/DeepSeek-R1", attempts: 172, outcomes: { ok: 170, malformed: 2 }, p50_ms: 7900, p90_ms: 19000, p99_ms: 39000, ttft_p50_ms: 2100, cost_usd: 0.4, wasted_usd: 0 },
  ];
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), totals, series, targets: targetRows, policies: [share("sonnet", 0.61, 0.004), share("cheap", 0.29), share("reasoning", 0.1, 0.01)], groups: [share("acme", 0.58), share("globex", 0.31, 0.002), share("internal", 0.11)], users: Array.from({ length: 24 }, (_, i) => share(`user-${i + 1}`, 0.09 / (i + 1))), keys: [share("web", 0.8), share("nightly-batch", 0.2)], workloads: [share("support-chat", 0.61), share("cheap", 0.39)] };
}
