// How the calls of a target ended, as one bar.
import { SKIPS } from "../api/types";
import { count, words } from "../lib/format";

function outcomeTone(name: string, index: number): string {
  if (name === "ok") return "good";
  if (SKIPS.has(name)) return "idle";
  return index % 2 ? "bad" : "warn";
}

/** Success in one colour, each failing class beside it, worst first. */
export function OutcomeBar({ outcomes }: { outcomes: Record<string, number> }) {
  const parts = Object.entries(outcomes).filter(([, n]) => n > 0).sort(([a, x], [b, y]) => (a === "ok" ? -1 : b === "ok" ? 1 : y - x));
  const all = parts.reduce((sum, [, n]) => sum + n, 0);
  const failures = parts.filter(([name]) => name !== "ok");
  return (
    <div class="outcomes">
      <div class="bar" role="img" aria-label={parts.map(([name, n]) => `${words(name)} ${n}`).join(", ")}>
        {parts.map(([name, n], index) => (
          <span key={name} class={`swatch-fill ${outcomeTone(name, index)}`} style={{ width: `${(n / all) * 100}%` }} title={`${words(name)}: ${count(n)}`} />
        ))}
      </div>
      {failures.length > 0 && <span class="small muted">{failures.slice(0, 3).map(([name, n]) => `${words(name)} ${count(n)}`).join(", ")}</span>}
    </div>
  );
}
