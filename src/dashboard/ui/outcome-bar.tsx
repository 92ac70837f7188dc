// How the calls of a target ended, as one bar.
import { SKIPS } from "../api/types";
import { count, words } from "../lib/format";

/** Answered; out of room for now; passed over; everything else that went wrong. */
const CAPACITY: ReadonlySet<string> = new Set(["rate_limited", "overloaded", "quota_exhausted"]);

function outcomeTone(name: string): string {
  if (name === "ok") return "good";
  if (SKIPS.has(name) || name === "cancelled") return "idle";
  return CAPACITY.has(name) ? "warn" : "bad";
}

const RANK = ["good", "warn", "bad", "idle"];
/** So many failing classes are named; the bar's own label names all. */
const NAMED = { line: 3, list: 4 };

/** Success in one colour, each failing class beside it; with `list` the classes stand below each other. */
export function OutcomeBar({ outcomes, list = false }: { outcomes: Record<string, number>; list?: boolean }) {
  const parts = Object.entries(outcomes)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => ({ name, n, tone: outcomeTone(name) }))
    .sort((a, b) => RANK.indexOf(a.tone) - RANK.indexOf(b.tone) || b.n - a.n);
  const all = parts.reduce((sum, part) => sum + part.n, 0);
  const failures = parts.filter((part) => part.name !== "ok").sort((a, b) => b.n - a.n);
  const named = failures.slice(0, list ? NAMED.list : NAMED.line);
  const rest = failures.length - named.length;
  return (
    <div class="outcomes">
      <div class="bar" role="img" aria-label={parts.map((part) => `${words(part.name)} ${part.n}`).join(", ") || "none yet"}>
        {parts.map((part) => (
          <span key={part.name} class={`swatch-fill ${part.tone}`} style={{ width: `${(part.n / all) * 100}%` }} title={`${words(part.name)}: ${count(part.n)}`} />
        ))}
      </div>
      {list ? (
        <ul class="outcome-list small">
          {named.map((part) => <li key={part.name}><i class={`swatch ${part.tone}`} /><span>{words(part.name)}</span><span class="push num muted">{count(part.n)}</span></li>)}
          {rest > 0 && <li class="faint">and {rest} more</li>}
        </ul>
      ) : (
        failures.length > 0 && <span class="small muted">{named.map((part) => `${words(part.name)} ${count(part.n)}`).join(", ")}{rest > 0 ? "…" : ""}</span>
      )}
    </div>
  );
}
