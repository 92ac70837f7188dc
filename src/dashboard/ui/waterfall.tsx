// Rows of bars on one time axis: the attempts of a request, or the steps of a simulation.
import type { ComponentChildren } from "preact";
import { ms } from "../lib/format";
import { Icon } from "./icon";

export interface Bar {
  key: string | number;
  label: ComponentChildren;
  tone: "good" | "bad" | "warn" | "saved" | "idle";
  /** ms from the start of all. */
  start: number;
  length: number;
  /** Point on the bar from which content came, ms from the bar's start. */
  mark?: number | null;
  kind?: "call" | "wait" | "skip";
  result: ComponentChildren;
  detail?: ComponentChildren;
}

export function Waterfall({ bars, total, label }: { bars: Bar[]; total: number; label: string }) {
  const span = Math.max(total, 1);
  const part = (value: number) => `${Math.min(100, Math.max(0, (value / span) * 100))}%`;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <div class="waterfall">
      <div class="wf-axis" aria-hidden="true">
        <span />
        <div class="wf-ticks num">{ticks.map((tick) => <span key={tick} style={{ left: `${tick * 100}%` }}>{ms(span * tick)}</span>)}</div>
      </div>
      <ol aria-label={label}>
        {bars.map((bar) => (
          <li key={bar.key} class={`wf-row ${bar.kind ?? "call"}`}>
            <div class="wf-label">{bar.label}</div>
            <div class="wf-track" aria-hidden="true">
              {bar.kind === "skip" ? (
                <span class="wf-skip" style={{ left: part(bar.start) }}><Icon name="right" size={12} /></span>
              ) : (
                <span class={`wf-bar ${bar.tone}${bar.kind === "wait" ? " wait" : ""}`} style={{ left: part(bar.start), width: `max(4px, ${part(bar.length)})` }}>
                  {bar.mark !== undefined && bar.mark !== null && bar.length > 0 && <i style={{ left: `${Math.min(100, (bar.mark / bar.length) * 100)}%` }} />}
                </span>
              )}
            </div>
            <div class="wf-result">{bar.result}</div>
            {bar.detail && <div class="wf-detail">{bar.detail}</div>}
          </li>
        ))}
      </ol>
    </div>
  );
}
