// Just enough of the linter and the simulator to show their pages.
import { createHash } from "node:crypto";

export const versionOf = (document) => createHash("sha256").update(JSON.stringify(document)).digest("hex").slice(0, 8);

const KNOWN = new Set(["type", "description", "workload", "chain", "on", "backoff", "timeouts", "deadline_ms", "stream", "breaker", "consent", "keep", "exhausted", "usage", "translate"]);
const PROVIDERS = new Set(["openai", "anthropic", "bedrock", "azure", "google", "vertex", "deepseek", "nebius", "groq", "mistral", "sim", "policy", "inhouse"]);

function hops(policy) {
  const chain = typeof policy?.chain === "string" ? policy.chain.split(/->|→/) : Array.isArray(policy?.chain) ? policy.chain : [];
  return chain.map((hop) => {
    if (typeof hop !== "string") return hop ?? {};
    const [, model, retries] = hop.trim().match(/^(\S+)(?:\s*\((\d+) retr(?:y|ies)\))?$/) ?? [null, hop, 0];
    return { model, retries: Number(retries ?? 0) };
  });
}

export function lint(policy, stored) {
  const findings = [];
  const add = (severity, path, message, hint = null) => findings.push({ severity, path, message, hint });
  if (!policy || typeof policy !== "object" || Array.isArray(policy)) {
    add("error", "", "a policy is a JSON object");
    return { findings, worst_case: { calls: 0, ms: 0, cost_usd: 0 } };
  }
  for (const field of Object.keys(policy)) if (!KNOWN.has(field)) add("error", field, `unknown field "${field}"`, "Fields: " + [...KNOWN].join(", "));
  const list = hops(policy);
  if (!list.length) add("error", "chain", "1 to 16 hops are expected, found none");
  list.forEach((hop, n) => {
    const at = `chain[${n}]`;
    if (!hop.model) return add("error", `${at}.model`, "is missing", "Write provider/model or policy/name.");
    const [provider, rest] = [hop.model.split("/")[0], hop.model.split("/").slice(1).join("/")];
    if (!PROVIDERS.has(provider)) add("error", `${at}.model`, `unknown provider "${provider}"`);
    else if (provider === "policy" && !stored.has(rest)) add("error", `${at}.model`, `no policy is named "${rest}"`);
    if (hop.retries !== undefined && !(Number.isInteger(hop.retries) && hop.retries >= 0 && hop.retries <= 10)) add("error", `${at}.retries`, `${JSON.stringify(hop.retries)} is not in 0..=10`);
    if (provider === "google") add("warning", `${at}.model`, "GOOGLE_API_KEY is not set: this hop would be skipped", "Set it with wrangler secret put GOOGLE_API_KEY.");
  });
  const seen = new Map();
  list.forEach((hop, n) => {
    if (seen.has(hop.model)) add("warning", `chain[${n}].model`, `is the same target as chain[${seen.get(hop.model)}]`);
    else if (hop.model) seen.set(hop.model, n);
  });
  const calls = list.reduce((sum, hop) => sum + 1 + (Number(hop.retries) || 0), 0);
  return { findings, worst_case: { calls, ms: Math.min(policy.deadline_ms ?? 600000, calls * 180000), cost_usd: calls * 0.0105 } };
}

export function simulate(policy, script, stored) {
  const steps = [];
  let clock = 0;
  let calls = 0;
  const list = hops(policy).flatMap((hop) => (String(hop.model).startsWith("policy/") ? hops(stored.get(hop.model.slice(7))?.document ?? {}) : [hop]));
  const used = new Map();
  for (const hop of list) {
    for (let n = 0; n <= (hop.retries ?? 0); n++) {
      const line = (script ?? []).find((entry) => entry.model === hop.model || (entry.model.endsWith("*") && hop.model.startsWith(entry.model.slice(0, -1))));
      const position = used.get(hop.model) ?? 0;
      used.set(hop.model, position + 1);
      const outcome = line?.outcomes[position] ?? "ok";
      calls++;
      steps.push({ at_ms: clock, step: "call", model: hop.model, outcome: outcome === "ok" ? "ok" : /^429/.test(outcome) ? "rate_limited" : outcome.startsWith("stall") ? "timeout" : /^\d/.test(outcome) ? "server_error" : outcome, wait_ms: null, reason: null });
      clock += outcome.startsWith("stall") ? 8000 : 0;
      if (outcome === "ok") {
        steps.push({ at_ms: clock, step: "done", model: hop.model, outcome: "served", wait_ms: null, reason: null });
        return { steps, result: "served", calls, ms: clock };
      }
      if (n < (hop.retries ?? 0)) {
        const wait = Number(outcome.match(/retry-after=(\d+)/)?.[1] ?? 0) * 1000 || 500 * 2 ** n;
        steps.push({ at_ms: clock, step: "wait", model: hop.model, outcome: null, wait_ms: wait, reason: outcome.includes("retry-after") ? "retry-after" : "backoff" });
        clock += wait;
      }
    }
  }
  steps.push({ at_ms: clock, step: "done", model: null, outcome: "exhausted", wait_ms: null, reason: "every hop failed" });
  return { steps, result: "exhausted", calls, ms: clock };
}
