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
  /** ms of waiting right before the bar. */
  waited?: number;
  /** Point on the bar from which content came, ms from the bar's start. */
  mark?: number | null;
  kind?: "call" | "wait" | "skip";
  result: ComponentChildren;
  detail?: ComponentChildren;
}

export function Waterfall({ bars, total, label }: { bars: Bar[]; total: number; label: string }) {
  const span = Math.max(total, 1);
  const part = (value: number) => `${Math.min(100, Math.max(0, (value / span) * 100))}%`;
  const step = tickStep(span);
  return (
    <div class="waterfall" style={{ "--step": `${(step / span) * 100}%` }}>
      <div class="wf-axis" aria-hidden="true">
        <span />
        <div class="wf-ticks num">
          {ticks(span, step).map((tick) => <span key={tick} class={tick / span > 0.93 ? "at-end" : ""} style={{ left: part(tick) }}>{tickText(tick, step)}</span>)}
        </div>
      </div>
      <ol aria-label={label}>
        {bars.map((bar) => (
          <li key={bar.key} class={`wf-row ${bar.kind ?? "call"}`}>
            <div class="wf-label">{bar.label}</div>
            <div class="wf-track" aria-hidden="true">
              {bar.waited ? <span class="wf-bar wait" style={{ left: part(bar.start - bar.waited), width: part(bar.waited) }} title={`waited ${ms(bar.waited)}`} /> : null}
              {bar.kind === "skip" ? (
                <span class="wf-skip" style={{ left: part(bar.start) }}><Icon name="right" size={12} /></span>
              ) : (
                <span class={`wf-bar ${bar.tone}${bar.kind === "wait" ? " wait" : ""}`} style={{ left: `min(${part(bar.start)}, 100% - 4px)`, width: `max(4px, ${part(bar.length)})` }}>
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

/** 1, 2 or 5 times a power of ten, so that three to six ticks stand on the axis. */
function tickStep(span: number): number {
  const power = 10 ** Math.floor(Math.log10(span));
  return [0.2, 0.5, 1, 2].map((part) => part * power).find((step) => span / step <= 5.5) ?? power;
}

function ticks(span: number, step: number): number[] {
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, n) => n * step);
}

function tickText(value: number, step: number): string {
  if (value === 0) return "0";
  if (value < 1000) return `${Number(value.toPrecision(2))} ms`;
  return `${Number((value / 1000).toFixed(step < 1000 ? 1 : 0))} s`;
}
