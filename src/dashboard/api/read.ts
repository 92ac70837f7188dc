// Questions to the API, and its answers as the pages work with them.
import { call, get, path, type Reply } from "./client";
import type { Analytics, Attempt, ComparedAnswer, Counts, Explanation, GatewayKey, Hop, PolicyDocument, Provider, RequestDetail, RequestSummary, RuleMet, RulesDocument, RuleSample, ScriptLine, Simulation, Stored, Target, TargetCounts, Version } from "./types";

interface List<T> {
  data: T[];
}

/** A document as the API wraps it; of one that is not there, nothing. */
type Wrapped<D> = (Partial<Stored<D>> & { document: D }) | null;

/** Every page of a list that goes on where the one before ended. */
async function everyPage<T>(name: string, signal?: AbortSignal): Promise<T[]> {
  const all: T[] = [];
  let after = "";
  do {
    const page: { data: T[]; next?: string | null } = await get(path(name), { query: { after }, signal });
    all.push(...page.data);
    after = page.next ?? "";
  } while (after);
  return all;
}

/** A stored document with its version, which stands in a header too. */
function stored<D>(name: string, { data, version }: Reply<Wrapped<D>>): Stored<D> {
  return { ...data, name, document: (data?.document ?? null) as D, version: version || (data?.version ?? "") };
}

export function policies(signal?: AbortSignal): Promise<Stored<PolicyDocument>[]> {
  return everyPage<Stored<PolicyDocument>>("policies", signal);
}

export async function policy(name: string, signal?: AbortSignal): Promise<Stored<PolicyDocument>> {
  return stored(name, await call("GET", path("policies", name), { signal }));
}

/** Under which a write overwrites nothing that its writer has not seen: this version, or none at all. */
export function unless(version: string | null | undefined): Record<string, string> {
  return version ? { "if-match": `"${version}"` } : { "if-none-match": "*" };
}

export async function savePolicy(name: string, document: unknown, seen: string): Promise<Stored<PolicyDocument>> {
  return stored(name, await call("PUT", path("policies", name), { body: document, headers: unless(seen) }));
}

export async function deletePolicy(name: string): Promise<void> {
  await call("DELETE", path("policies", name));
}

export async function versions(name: string, signal?: AbortSignal): Promise<Version[]> {
  return (await get<List<Version>>(path("policies", name, "versions"), { signal })).data;
}

/** A version's document: the live one comes from the store, so that an edit by other hands is shown too. */
export async function versionDocument(name: string, version: Version, signal?: AbortSignal): Promise<unknown> {
  if (version.current) return (await policy(name, signal)).document;
  return stored(name, await call<Wrapped<unknown>>("GET", path("policies", name, "versions", version.version), { signal })).document;
}

export async function rollback(name: string, version: string): Promise<Stored<PolicyDocument>> {
  return stored(name, await call("POST", path("policies", name, "rollback"), { body: { version } }));
}

/** The stored policy played through a script, or `policy` in its place. */
export async function simulate(name: string, script: ScriptLine[], policy?: PolicyDocument, signal?: AbortSignal): Promise<Simulation> {
  return (await call<Simulation>("POST", path("policies", name, "simulate"), { body: { script, policy }, signal })).data;
}

export async function explain(name: string, body: unknown): Promise<Explanation> {
  return (await call<Explanation>("POST", path("policies", name, "explain"), { body })).data;
}

export async function compare(name: string, body: unknown): Promise<ComparedAnswer[]> {
  return (await call<List<ComparedAnswer>>("POST", path("policies", name, "compare"), { body })).data.data;
}

/** `torn`: what is stored is no object, and nothing of it can be shown. */
export async function rules(signal?: AbortSignal): Promise<Stored<RulesDocument> & { torn: boolean }> {
  const read = await call<Wrapped<Partial<RulesDocument> | null>>("GET", path("rules"), { signal }).catch((error: { status?: number }) => {
    if (error.status === 404) return { data: null, version: "" };
    throw error;
  });
  const found = stored("rules", read);
  const shown = found.document !== null && typeof found.document === "object" && !Array.isArray(found.document);
  return { ...found, document: whole(found.document), torn: found.error !== undefined && !shown };
}

/** Fills in what may be left out, so that a document written by hand can be shown, and makes text of what should be. */
function whole(document: Partial<RulesDocument> | null): RulesDocument {
  const rules = Object.entries(document?.rules ?? {}).map(([name, rule]) => [name, { ...rule, ...described(rule), when: rule?.when ?? {}, then: rule?.then ?? {} }]);
  const written = Array.isArray(document?.rulesets) ? document.rulesets : [];
  const rulesets = written.map((set) => ({ ...set, ...described(set), name: String(set?.name ?? ""), when: set?.when ?? {}, rules: Array.isArray(set?.rules) ? set.rules.map(String) : [] }));
  return { ...document, rules: Object.fromEntries(rules), rulesets };
}

/** A description that other hands wrote need not be one: an object shown as it is would break the page. */
function described(part: { description?: unknown } | null): { description?: string } {
  const given = part?.description;
  return given === undefined ? {} : { description: typeof given === "string" ? given : JSON.stringify(given) };
}

/** What a policy says of itself, where that is a text. */
export function noteOf(document: PolicyDocument | null | undefined): string | undefined {
  return described(document ?? null).description;
}

/** The rule that a request would meet under this document, as the Worker judges it. */
export async function ruleMet(rules: RulesDocument, request: RuleSample, signal?: AbortSignal): Promise<RuleMet> {
  return (await call<RuleMet>("POST", path("rules", "match"), { body: { request, rules }, signal })).data;
}

export async function saveRules(document: RulesDocument, seen: string): Promise<Stored<RulesDocument>> {
  return stored("rules", await call("PUT", path("rules"), { body: document, headers: unless(seen) }));
}

export async function targets(signal?: AbortSignal): Promise<Target[]> {
  return (await get<List<Target>>(path("targets"), { signal })).data;
}

export async function providers(signal?: AbortSignal): Promise<Provider[]> {
  return (await get<List<Provider>>(path("providers"), { signal })).data;
}

export async function keys(signal?: AbortSignal): Promise<GatewayKey[]> {
  return everyPage<GatewayKey>("keys", signal);
}

/** Names of the providers a key has own keys for. */
export function ownProviders(key: GatewayKey): string[] {
  return Array.isArray(key.own) ? key.own : Object.keys(key.own ?? {});
}

export async function analytics(query: Record<string, string>, signal?: AbortSignal): Promise<Analytics> {
  const answer = await get<Partial<Analytics> & { totals: Counts }>(path("analytics"), { query, signal });
  return {
    ...answer,
    targets: answer.targets ?? [],
    series: answer.series ?? [],
    policies: answer.policies ?? [],
    groups: answer.groups ?? [],
    users: answer.users ?? [],
    keys: answer.keys ?? [],
    workloads: answer.workloads ?? [],
  };
}

/** How a target's hops ended, attempts and skips together. */
export function endings(counts: TargetCounts | undefined): Record<string, number> {
  return { ...counts?.outcomes, ...counts?.skips };
}

export async function requests(query: Record<string, string>, signal?: AbortSignal): Promise<{ data: RequestSummary[]; next: string | null }> {
  const answer = await get<{ data?: RequestSummary[]; next?: string | null }>(path("requests"), { query, signal });
  return { data: answer.data ?? [], next: answer.next ?? null };
}

export async function request(id: string, signal?: AbortSignal): Promise<RequestDetail> {
  const answer = await get<RequestDetail>(path("requests", id), { signal });
  return { ...answer, attempts: answer.attempts ?? [] };
}

export function attemptCount(summary: RequestSummary): number | undefined {
  if (summary.calls !== undefined) return summary.calls;
  return Array.isArray(summary.attempts) ? summary.attempts.filter(isCall).length : summary.attempts;
}

export function isCall(attempt: Attempt): boolean {
  return attempt.call !== false;
}

/** The chain as hops, whichever of its three spellings it is written in. */
export function hopsOf(document: PolicyDocument | null | undefined): Hop[] {
  const chain = document?.chain;
  const written = typeof chain === "string" ? chain.split(/->|→/) : Array.isArray(chain) ? chain : [];
  return written.map((hop) => (typeof hop === "string" ? shortHop(hop) : hop && typeof hop === "object" ? { ...hop, model: String(hop.model ?? "") } : { model: String(hop) }));
}

function shortHop(text: string): Hop {
  const match = text.trim().match(/^(.*?)\s*\(\s*(\d+)\s+retr(?:y|ies)\s*\)$/);
  return match ? { model: match[1] ?? "", retries: Number(match[2]) } : { model: text.trim() };
}
