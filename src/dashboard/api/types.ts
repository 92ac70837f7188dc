/**
 * What the admin API takes and gives, as far as the pages read it; /admin/openapi.json has all of it. Fields marked `?` may be
 * absent: the page then shows a dash, never an error.
 *
 * | route                                   | answer                                                                    |
 * | --------------------------------------- | ------------------------------------------------------------------------- |
 * | GET /admin/policies                     | {data: [{name, version, document, error?, updated_at?}]}                   |
 * | GET /admin/policies/{name}              | {name, version, document}            etag: "<version>"                    |
 * | PUT /admin/policies/{name}[?dry_run=1]  | {name, version, document, findings}  etag; 412 on if-match; 422 findings  |
 * | GET /admin/policies/{name}/versions     | {data: [{version, at, by, action, current}]}, newest first                 |
 * | GET .../versions/{version}              | as GET /admin/policies/{name}                                             |
 * | POST .../rollback {version}             | as PUT                                                                    |
 * | POST /admin/lint?prompt_tokens=         | {findings, worst_case: {calls, ms, cost_usd}}                             |
 * | POST .../simulate {script, policy?}     | {steps, result, calls, ms}                                                |
 * | POST .../explain {route, body}          | {policy, rule, hops: [{model, call, reason, dropped, request}]}           |
 * | POST .../compare {route, body}          | {data: [{model, outcome, status, text, tokens, ms, ttft_ms, cost_usd}]}   |
 * | GET/PUT /admin/rules, /admin/models     | {version, document}                  etag                                 |
 * | POST /admin/rules/match {request, rules?} | {ruleset, rule}, both null where none applies                            |
 * | GET /admin/providers                    | {data: [{name, builtin, configured, missing, base_url, dialect, ...}]}     |
 * | GET /admin/targets                      | {data: [{model, provider, configured, missing, breaker, outcomes, ...}]}   |
 * | GET /admin/keys                         | {data: [{id, name, group, user, allow, deny, policy, own, ...}]}           |
 * | POST /admin/keys {name, ...}            | 201 {id, key, ...}                                                        |
 * | GET /admin/keys/{id}/usage              | {day: {requests, cost_usd, budget_usd}, month: {...}}                     |
 * | PUT /admin/keys/{id}/own/{provider}     | body {key}                                                                |
 * | GET /admin/analytics                    | {totals, targets, series, groups?, users?, keys?, workloads?, policies?}  |
 * | GET /admin/requests                     | {data: [RequestSummary], next}                                            |
 * | GET /admin/requests/{id}                | RequestDetail                                                             |
 * | GET /admin/live                         | event stream, each `data:` one RequestSummary; filters as /admin/requests |
 * | GET /admin/audit                        | {data: [{at, by, action, name, before, after}], next}                     |
 */

/** The line of a table for all that no line of its own tells of. */
export const REST = "other";

/** RFC 3339 with milliseconds. */
export type Time = string;

export const CLASSES = [
  "rate_limited", "quota_exhausted", "overloaded", "server_error", "timeout", "unreachable", "malformed", "interrupted",
  "auth", "forbidden", "not_found", "context_length", "content_policy", "unsupported", "invalid_request", "cancelled",
] as const;

/** Why a hop was passed over without a call. */
export const SKIPS: ReadonlySet<string> = new Set(["boundary", "incompatible", "no_key", "consent", "breaker_open", "deadline"]);

export const VERDICTS = ["retry", "retry_only", "next", "stop"] as const;
export const KEY_CHOICES = ["managed", "own", "managed_then_own", "own_then_managed"] as const;
/** A request as far as rules look at it; what is absent is left out. */
export interface RuleSample {
  model: string;
  route: string;
  user?: string;
  group?: string;
  key?: string;
  stream: boolean;
  metadata: Record<string, unknown>;
  headers: Record<string, string>;
}

/** The rule that a sample meets, if any. */
export interface RuleMet {
  ruleset: string | null;
  rule: string | null;
}

export const ROUTES = ["chat", "responses", "messages", "embeddings", "completions"] as const;

export interface Timeouts {
  headers_ms?: number;
  first_token_ms?: number;
  idle_ms?: number;
  attempt_ms?: number;
}

export interface Hop {
  model: string;
  retries?: number;
  key?: (typeof KEY_CHOICES)[number];
  degraded?: boolean | string;
  weight?: number;
  hedge_after_ms?: number;
  timeouts?: Timeouts;
  params?: Record<string, unknown>;
  [other: string]: unknown;
}

/** A policy as it is stored. Fields that the form does not show are kept as they are. */
export interface PolicyDocument {
  type?: "fallback" | "load_balance";
  description?: string;
  chain: string | (string | Hop)[];
  [other: string]: unknown;
}

export interface Stored<D> {
  name: string;
  version: string;
  document: D;
  updated_at?: Time;
  /** Why it does not parse, when it does not. */
  error?: string;
}

export interface Finding {
  severity: "error" | "warning" | "info";
  /** `chain[1].retries` */
  path: string;
  message: string;
  hint?: string | null;
}

export interface LintReport {
  findings: Finding[];
  worst_case?: { calls: number; ms: number; cost_usd: number | null };
}

export interface Tokens {
  input: number;
  output: number;
  cached: number;
  estimated?: boolean;
}

export interface Attempt {
  seq: number;
  at?: Time;
  model: string;
  key?: string;
  /** `ok`, a class, or for a skip its reason. */
  outcome: string;
  status?: number | null;
  ms: number;
  headers_ms?: number | null;
  ttft_ms?: number | null;
  tokens?: Tokens;
  cost_usd?: number;
  billed?: "no" | "yes" | "maybe";
  reason?: string | null;
  phase?: string | null;
  code?: string | null;
  committed?: boolean;
  /** False for a skip. */
  call?: boolean;
}

export interface RequestSummary {
  id: string;
  ledger_id?: string;
  at: Time;
  policy?: string;
  version?: string;
  workload?: string;
  route?: string;
  asked?: string;
  /** The target that answered. */
  model?: string | null;
  outcome: string;
  status?: number;
  fallback: boolean;
  degraded?: boolean;
  stream?: boolean;
  ms: number;
  ttft_ms?: number | null;
  user?: string | null;
  group?: string | null;
  key?: string | null;
  colo?: string | null;
  mark?: string;
  cost_usd?: number;
  wasted_usd?: number;
  /** Upstream calls made. */
  calls?: number;
  attempts?: number | Attempt[];
}

export interface RequestDetail extends RequestSummary {
  attempts: Attempt[];
  dropped?: string[];
  others?: { id?: string; ledger_id?: string; at: Time }[];
}

export interface Counts {
  requests: number;
  succeeded: number;
  fallbacks: number;
  degraded?: number;
  attempts?: number;
  tokens?: Tokens;
  cost_usd?: number;
  wasted_usd?: number;
  p50_ms?: number | null;
  p90_ms?: number | null;
  p99_ms?: number | null;
  ttft_p50_ms?: number | null;
  ttft_p90_ms?: number | null;
  ttft_p99_ms?: number | null;
}

export interface Point extends Counts {
  at: Time;
}

export interface TargetCounts {
  model: string;
  attempts: number;
  outcomes: Record<string, number>;
  /** Hops passed over, by reason. */
  skips?: Record<string, number>;
  p50_ms?: number | null;
  p90_ms?: number | null;
  p99_ms?: number | null;
  ttft_p50_ms?: number | null;
  cost_usd?: number;
  wasted_usd?: number;
}

export interface Named extends Counts {
  name: string;
}

export interface Analytics {
  /** The whole days that the tables of groups, users, keys and workloads are of. */
  days?: { from: Time; to: Time };
  totals: Counts;
  targets: TargetCounts[];
  series: Point[];
  policies?: Named[];
  groups?: Named[];
  users?: Named[];
  keys?: Named[];
  workloads?: Named[];
}

export interface Target {
  model: string;
  provider?: string;
  configured?: boolean;
  missing?: string | null;
  breaker?: { state: string; until?: Time | null };
  /** Of the last 24 hours. */
  outcomes?: Record<string, number>;
  policies?: string[];
}

export interface Provider {
  name: string;
  builtin?: boolean;
  configured?: boolean;
  missing?: string | null;
  base_url?: string;
  dialect?: string;
  version?: string;
  document?: Record<string, unknown> | null;
  /** Why its document does not parse, when it does not. */
  error?: string | null;
}

export interface GatewayKey {
  id: string;
  /** Null for a document that does not parse; `error` says why. */
  name: string | null;
  error?: string;
  group?: string | null;
  user?: string | null;
  allow?: string[];
  deny?: string[];
  policy?: string | null;
  own?: string[] | Record<string, unknown>;
  expires_at?: Time | null;
  disabled?: boolean;
  budget_usd_per_day?: number | null;
  budget_usd_per_month?: number | null;
  created_at?: Time;
}

export interface KeyUsageSpan {
  requests?: number;
  cost_usd?: number;
  budget_usd?: number | null;
}

export interface KeyUsage {
  day?: KeyUsageSpan;
  month?: KeyUsageSpan;
}

export interface SimulationStep {
  at_ms: number;
  step: "call" | "wait" | "skip" | "done";
  model?: string | null;
  outcome?: string | null;
  wait_ms?: number | null;
  reason?: string | null;
}

export interface Simulation {
  steps: SimulationStep[];
  result: "served" | "exhausted" | "stopped";
  calls: number;
  ms: number;
}

export interface ScriptLine {
  model: string;
  outcomes: string[];
}

export interface ExplainedHop {
  model: string;
  call?: boolean;
  reason?: string | null;
  dropped?: string[];
  request?: unknown;
}

export interface Explanation {
  policy?: string;
  rule?: string | null;
  hops: ExplainedHop[];
}

export interface ComparedAnswer {
  model: string;
  /** False where the hop was passed over. */
  call?: boolean;
  outcome?: string;
  status?: number | null;
  text?: string | null;
  answer?: unknown;
  tokens?: Tokens;
  ms?: number;
  ttft_ms?: number | null;
  cost_usd?: number;
  reason?: string | null;
}

export interface Version {
  version: string;
  at?: Time;
  by?: string | null;
  action?: string;
  current?: boolean;
}

export type Condition = Record<string, unknown>;

export interface Rule {
  description?: string;
  when: Condition;
  then: {
    retries?: number;
    fallback?: string | (string | Hop)[];
    use?: string;
    deny?: string;
    [other: string]: unknown;
  };
}

export interface Ruleset {
  name: string;
  description?: string;
  when: Condition;
  rules: string[];
}

export interface RulesDocument {
  rules: Record<string, Rule>;
  rulesets: Ruleset[];
}
