// Which rule would a request hit? Judged here as the Worker judges it (src/domain/rules/condition.rs), so that a draft can
// be tried before it is saved; a browser test holds the two against each other.
import type { Condition, RulesDocument, Ruleset } from "../api/types";

/** A request as far as rules look at it; an empty text is absent. */
export interface Sample {
  model: string;
  route: string;
  user: string;
  group: string;
  key: string;
  stream: boolean;
  metadata: Record<string, unknown>;
  /** Names in lower case. */
  headers: Record<string, string>;
}

/** The first rule that applies, as rulesets order it. `providers` are the names that may stand before a colon. */
export function firstHit(document: RulesDocument, sample: Sample, providers: ReadonlySet<string>): { ruleset: Ruleset; rule: string } | null {
  for (const ruleset of document.rulesets) {
    if (!holds(ruleset.when, sample, providers)) continue;
    const rule = ruleset.rules.find((name) => document.rules[name] && holds(document.rules[name].when, sample, providers));
    if (rule) return { ruleset, rule };
  }
  return null;
}

/** Deeper conditions than documents may have are not looked into. */
const DEEPEST = 32;

function holds(when: Condition, sample: Sample, providers: ReadonlySet<string>, depth = 0): boolean {
  if (depth > DEEPEST) return false;
  return Object.entries(when ?? {}).every(([key, wanted]) => {
    const inner = (value: unknown) => holds((value ?? {}) as Condition, sample, providers, depth + 1);
    if (key === "any") return Array.isArray(wanted) && wanted.some(inner);
    if (key === "all") return Array.isArray(wanted) && wanted.every(inner);
    if (key === "not") return !inner(wanted);
    const spell = (name: string) => (key === "model" ? modelsOf(name, providers) : [name]);
    return passes(seen(key, sample, providers), wanted, spell);
  });
}

function seen(key: string, sample: Sample, providers: ReadonlySet<string>): unknown {
  if (key.startsWith("metadata.")) return field(sample.metadata, key.slice("metadata.".length)) ?? undefined;
  if (key.startsWith("header.")) return sample.headers[key.slice("header.".length).toLowerCase()];
  if (key === "model") return withProvider(sample.model, providers);
  const value = (sample as unknown as Record<string, unknown>)[key];
  return value === "" ? undefined : value;
}

/** A field by its whole name, else by the names between its dots. */
function field(fields: Record<string, unknown>, path: string): unknown {
  if (Object.hasOwn(fields, path)) return fields[path];
  return path.split(".").reduce<unknown>((value, name) => (value && typeof value === "object" && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined), fields);
}

/** A bare model belongs to the default provider; a colon behind a provider is a slash. */
function withProvider(model: string, providers: ReadonlySet<string>): string {
  const colon = model.indexOf(":");
  const before = model.slice(0, Math.max(0, colon));
  if (providers.has(before)) return `${before === "gemini" ? "google" : before}/${model.slice(colon + 1)}`;
  return model.includes("/") ? model : `openai/${model}`;
}

/** What a model in a condition may stand for: of a glob it is not known whether it is bare, nor of a colon whose it is. */
function modelsOf(text: string, providers: ReadonlySet<string>): string[] {
  const names = [isGlob(text) ? text : withProvider(text, providers)];
  const [, before, model] = text.match(/^([a-z0-9][a-z0-9-]{0,31}):(.*)$/s) ?? [];
  if (before !== undefined) names.push(`${before === "gemini" ? "google" : before}/${model}`);
  if (isGlob(text) && (before !== undefined || !text.includes("/"))) names.push(`openai/${text}`);
  return names;
}

/** The names that a text in a condition stands for. */
type Spell = (text: string) => string[];

function passes(value: unknown, wanted: unknown, spell: Spell): boolean {
  if (wanted === null || typeof wanted !== "object" || Array.isArray(wanted)) return equal(value, wanted, spell);
  return Object.entries(wanted).every(([operator, than]) => {
    switch (operator) {
      case "exists":
        return (value !== undefined) === Boolean(than);
      case "eq":
        return equal(value, than, spell);
      case "ne":
        return !equal(value, than, spell);
      case "in":
        return Array.isArray(than) && than.some((one) => equal(value, one, spell));
      case "lt":
        return orders(value, than, (a, b) => a < b);
      case "gt":
        return orders(value, than, (a, b) => a > b);
      default:
        return false;
    }
  });
}

function equal(value: unknown, wanted: unknown, spell: Spell): boolean {
  if (value === undefined) return wanted === null;
  if (Array.isArray(value)) return value.some((one) => equal(one, wanted, spell));
  const text = textOf(value);
  if (wanted === null || text === undefined) return false;
  if (typeof wanted === "number") return numberOf(value) === wanted;
  if (typeof wanted !== "string") return text === String(wanted);
  return spell(wanted).some((name) => (isGlob(name) ? glob(name).test(text) : name === text));
}

function orders(value: unknown, bound: unknown, ordered: (a: number | string, b: number | string) => boolean): boolean {
  if (Array.isArray(value)) return value.some((one) => orders(one, bound, ordered));
  const own = typeof bound === "number" ? numberOf(value) : textOf(value);
  return own !== undefined && ordered(own, bound as number | string);
}

function textOf(value: unknown): string | undefined {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === "boolean") return undefined;
  const text = textOf(value)?.trim();
  return text && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

const isGlob = (text: string) => /[*?]/.test(text);

function glob(pattern: string): RegExp {
  const source = [...pattern].map((char) => (char === "*" ? ".*" : char === "?" ? "." : char.replace(/[.+^${}()|[\]\\]/, "\\$&"))).join("");
  return new RegExp(`^${source}$`, "su");
}
