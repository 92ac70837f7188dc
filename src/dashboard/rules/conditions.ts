// Conditions as the builder shows them: a list of tests that must all hold. Anything else (any, not, mixed) stays JSON.
import type { Condition, RulesDocument, Ruleset } from "../api/types";

export const OPERATORS = ["is", "exists", "missing", "ne", "in", "lt", "gt"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Test {
  /** `model`, `group`, `metadata.plan`, ... */
  key: string;
  operator: Operator;
  value: string;
}

/** The tests of a condition, or null when only JSON can say it. */
export function testsOf(when: Condition): Test[] | null {
  const tests: Test[] = [];
  for (const [key, wanted] of Object.entries(when ?? {})) {
    if (key === "any" || key === "all" || key === "not") return null;
    const test = testOf(key, wanted);
    if (!test) return null;
    tests.push(test);
  }
  return tests;
}

function testOf(key: string, wanted: unknown): Test | null {
  if (wanted === null || typeof wanted !== "object") return { key, operator: "is", value: String(wanted) };
  const entries = Object.entries(wanted);
  const [operator, value] = entries[0] ?? [];
  if (entries.length !== 1) return null;
  if (operator === "exists") return { key, operator: value ? "exists" : "missing", value: "" };
  if (operator === "eq") return { key, operator: "is", value: String(value) };
  if (operator === "in" && Array.isArray(value)) return { key, operator, value: value.join(", ") };
  if (operator === "ne" || operator === "lt" || operator === "gt") return { key, operator, value: String(value) };
  return null;
}

export function conditionOf(tests: Test[]): Condition {
  return Object.fromEntries(tests.filter((test) => test.key).map((test) => [test.key, wantedOf(test)]));
}

function wantedOf({ key, operator, value }: Test): unknown {
  switch (operator) {
    case "is":
      return key === "stream" ? value === "true" : value;
    case "exists":
      return { exists: true };
    case "missing":
      return { exists: false };
    case "in":
      return { in: value.split(",").map((one) => one.trim()).filter(Boolean) };
    default:
      return { [operator]: numberOr(value) };
  }
}

const numberOr = (text: string) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

const OPERATOR_TEXT: Record<Operator, string> = { is: "is", exists: "exists", missing: "is missing", ne: "is not", in: "is one of", lt: "is less than", gt: "is more than" };
export const operatorText = (operator: Operator) => OPERATOR_TEXT[operator];

/** A condition in one sentence. */
export function sentence(when: Condition): string {
  const parts = Object.entries(when ?? {}).map(([key, wanted]) => {
    if ((key === "any" || key === "all") && Array.isArray(wanted)) return `(${wanted.map((inner) => sentence(inner as Condition)).join(key === "any" ? " or " : " and ")})`;
    if (key === "not") return `not (${sentence(wanted as Condition)})`;
    const test = testOf(key, wanted);
    return test ? [key, operatorText(test.operator), test.value].filter(Boolean).join(" ") : `${key} ${JSON.stringify(wanted)}`;
  });
  return parts.length ? parts.join(" and ") : "always";
}

/** A request as far as rules look at it. */
export interface Sample {
  model: string;
  route: string;
  user: string;
  group: string;
  key: string;
  stream: boolean;
  metadata: Record<string, unknown>;
}

/** Does a condition hold? As the Worker judges it, so that a draft can be tried before it is saved. */
export function holds(when: Condition, sample: Sample, depth = 0): boolean {
  if (depth > 16) return false;
  return Object.entries(when ?? {}).every(([key, wanted]) => {
    const inner = (value: unknown) => holds((value ?? {}) as Condition, sample, depth + 1);
    if (key === "any") return Array.isArray(wanted) && wanted.some(inner);
    if (key === "all") return Array.isArray(wanted) && wanted.every(inner);
    if (key === "not") return !inner(wanted);
    return test(valueOf(key, sample), wanted, key);
  });
}

function valueOf(key: string, sample: Sample): unknown {
  if (key.startsWith("metadata.")) return sample.metadata[key.slice("metadata.".length)];
  if (key === "model") return withProvider(sample.model);
  const value = (sample as unknown as Record<string, unknown>)[key];
  return value === "" ? undefined : value;
}

/** A bare model belongs to the default provider; a colon after a provider is a slash. */
function withProvider(model: string): string {
  if (model.includes("/")) return model;
  return /^[a-z0-9][a-z0-9-]{0,31}:/.test(model) && !model.startsWith("ft:") ? model.replace(":", "/") : `openai/${model}`;
}

function test(value: unknown, wanted: unknown, key: string): boolean {
  if (wanted === null || typeof wanted !== "object" || Array.isArray(wanted)) return equal(value, wanted, key);
  return Object.entries(wanted).every(([operator, than]) => {
    switch (operator) {
      case "exists":
        return (value !== undefined && value !== null) === Boolean(than);
      case "eq":
        return equal(value, than, key);
      case "ne":
        return !equal(value, than, key);
      case "in":
        return Array.isArray(than) && than.some((one) => equal(value, one, key));
      case "lt":
        return value !== undefined && Number(value) < Number(than);
      case "gt":
        return value !== undefined && Number(value) > Number(than);
      default:
        return false;
    }
  });
}

function equal(value: unknown, wanted: unknown, key: string): boolean {
  if (value === undefined || value === null) return wanted === null && value === null;
  const text = typeof wanted === "string" && key === "model" ? withProvider(wanted) : wanted;
  if (typeof text === "string" && /[*?]/.test(text)) return glob(text).test(String(value));
  return String(value) === String(text);
}

function glob(pattern: string): RegExp {
  const source = [...pattern].map((char) => (char === "*" ? ".*" : char === "?" ? "." : char.replace(/[.+^${}()|[\]\\]/, "\\$&"))).join("");
  return new RegExp(`^${source}$`, "s");
}

/** The first rule that applies, as rulesets order it. */
export function firstHit(document: RulesDocument, sample: Sample): { ruleset: Ruleset; rule: string } | null {
  for (const ruleset of document.rulesets) {
    if (!holds(ruleset.when, sample)) continue;
    const rule = ruleset.rules.find((name) => document.rules[name] && holds(document.rules[name].when, sample));
    if (rule) return { ruleset, rule };
  }
  return null;
}
