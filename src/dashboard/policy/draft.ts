// A policy while it is edited. The document is the one truth: the form writes fields into it and leaves alone what it
// does not show, so that nothing written by hand is lost.
import { hopsOf } from "../api/read";
import type { Finding, Hop, PolicyDocument, Stored } from "../api/types";

export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const blank = (): PolicyDocument => ({ type: "fallback", chain: [{ model: "" }, { model: "" }] });

/** Sets a field by its path (`stream.commit`); empty values and objects left empty are removed. */
export function withField(document: PolicyDocument, path: string, value: unknown): PolicyDocument {
  const [head = "", ...rest] = path.split(".");
  const next: Record<string, unknown> = { ...document };
  const inner = next[head];
  const below = rest.length ? withField((inner && typeof inner === "object" ? inner : {}) as PolicyDocument, rest.join("."), value) : value;
  const gone = below === undefined || below === "" || (rest.length > 0 && Object.keys(below as object).length === 0);
  if (gone) delete next[head];
  else next[head] = below;
  return next as PolicyDocument;
}

export function fieldOf(document: PolicyDocument, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (value && typeof value === "object" ? (value as Record<string, unknown>)[name] : undefined), document);
}

export function withChain(document: PolicyDocument, hops: Hop[]): PolicyDocument {
  return { ...document, chain: hops.map(tidy) };
}

/** Fields at their default are not written. */
function tidy(hop: Hop): Hop {
  const next: Hop = { ...hop };
  if (next.retries === 0) delete next.retries;
  if (next.key === "managed") delete next.key;
  if (next.degraded === false) delete next.degraded;
  for (const name of ["retries", "weight", "hedge_after_ms"] as const) if (next[name] === undefined) delete next[name];
  if (next.timeouts && Object.keys(next.timeouts).length === 0) delete next.timeouts;
  return next;
}

export function moved<T>(list: T[], from: number, to: number): T[] {
  const next = [...list];
  const [item] = next.splice(from, 1);
  if (item !== undefined) next.splice(to, 0, item);
  return next;
}

/** What was typed into a number field: a number when it is one, else the text, so that the linter can say what is wrong. */
export function typedNumber(text: string): number | undefined {
  if (text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

export const isPolicyHop = (hop: Hop) => hop.model.startsWith("policy/");

export function at(findings: Finding[], path: string): Finding[] {
  return findings.filter((finding) => normal(finding.path) === path);
}

/** Findings of a part (`chain[1]`) that none of its shown fields takes. */
export function within(findings: Finding[], path: string, shown: string[]): Finding[] {
  return findings.filter((finding) => {
    const own = normal(finding.path);
    return (own === path || own.startsWith(path + ".") || own.startsWith(path + "[")) && !shown.some((field) => own === `${path}.${field}`);
  });
}

/** `/chain/1/retries` and `$.chain[1].retries` are `chain[1].retries`. */
export function normal(path: string): string {
  const dotted = path.startsWith("/") ? path.slice(1).split("/").join(".") : path.replace(/^\$\.?/, "");
  return dotted.replace(/\.(\d+)(?=\.|\[|$)/g, "[$1]");
}

/** Targets that the chain can reach, nested policies followed at most four deep. */
export function expand(document: PolicyDocument | undefined, all: Stored<PolicyDocument>[], depth = 0): string[] {
  const models = hopsOf(document).flatMap((hop) => {
    if (!hop.model.startsWith("policy/")) return [hop.model];
    const inner = all.find((one) => `policy/${one.name}` === hop.model);
    return inner && depth < 4 ? expand(inner.document, all, depth + 1) : [];
  });
  return [...new Set(models)];
}

/** Of targets the one that a chain names: there it may stand bare, or with a colon behind its provider. */
export function named<T extends { model: string }>(written: string, targets: T[]): T | undefined {
  const whole = written.replace(/^([a-z0-9-]+):/, "$1/");
  const bare = targets.filter((one) => one.model.slice(one.model.indexOf("/") + 1) === written);
  return targets.find((one) => one.model === written || one.model === whole) ?? (bare.length === 1 ? bare[0] : undefined);
}

export const stringify = (document: unknown) => JSON.stringify(document, null, 2);

/** What to show of a new policy: that a hop nobody has filled in yet has no model is no news. */
export function withoutUnfilled(findings: Finding[], hops: Hop[]): Finding[] {
  const unfilled = new Set(hops.flatMap((hop, n) => (hop.model.trim() ? [] : [`chain[${n}]`, `chain[${n}].model`])));
  return findings.filter((finding) => !unfilled.has(normal(finding.path)));
}
