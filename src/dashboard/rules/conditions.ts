// Conditions as the builder shows them: a list of tests that must all hold. Anything else (any, not, mixed) stays JSON.
import type { Condition } from "../api/types";

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
