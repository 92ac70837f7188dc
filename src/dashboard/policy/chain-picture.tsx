// The chain as a picture: what reaches each hop, what it answers, what moves on and why. Cards stand side by side where
// there is room, else below each other; the line between two is as thick as the share of requests that took it.
import { useEffect, useRef, useState } from "preact/hooks";
import { endings } from "../api/read";
import type { Hop, Target, TargetCounts } from "../api/types";
import { SKIPS } from "../api/types";
import { count, ms, percent, words } from "../lib/format";
import { isPolicyHop } from "./draft";

export interface HopFigures {
  hop: Hop;
  counts?: TargetCounts;
  target?: Target;
}

const CARD = { height: 148, min: 236, gapWide: 74, gapTall: 58 };

export function ChainPicture({ hops, balanced }: { hops: HopFigures[]; balanced: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    setWidth(element.clientWidth);
    return () => watch.disconnect();
  }, []);
  const needed = hops.length * CARD.min + (hops.length - 1) * CARD.gapWide;
  return (
    <div ref={box} class="chain-picture">
      {width > 0 && <Drawing hops={hops} width={width} wide={needed <= width} balanced={balanced} />}
    </div>
  );
}

function Drawing({ hops, width, wide, balanced }: { hops: HopFigures[]; width: number; wide: boolean; balanced: boolean }) {
  const cardWidth = wide ? Math.min(340, (width - (hops.length - 1) * CARD.gapWide) / hops.length) : width;
  const height = wide ? CARD.height + 8 : hops.length * CARD.height + (hops.length - 1) * CARD.gapTall + 8;
  const place = (n: number) => (wide ? { x: n * (cardWidth + CARD.gapWide), y: 4 } : { x: 0, y: 4 + n * (CARD.height + CARD.gapTall) });
  const first = Math.max(1, reached(hops[0]));
  const label = hops.map((one, n) => `${n + 1}. ${one.hop.model}: ${count(one.counts?.attempts ?? 0)} calls, ${percent(one.counts?.outcomes["ok"] ?? 0, one.counts?.attempts)} answered`).join("; ");
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`The chain: ${label}`}>
      {hops.map((one, n) => n > 0 && <Link key={n} from={place(n - 1)} cardWidth={cardWidth} wide={wide} share={balanced ? 0 : Math.min(1, reached(one) / first)} moved={failures(hops[n - 1])} balanced={balanced} active={!balanced && reached(one) > 0} />)}
      {hops.map((one, n) => <Card key={n} {...place(n)} width={cardWidth} index={n} figures={one} balanced={balanced} />)}
    </svg>
  );
}

const reached = (one: HopFigures | undefined) => one?.counts?.attempts ?? 0;

function failures(one: HopFigures | undefined): [string, number][] {
  return Object.entries(endings(one?.counts)).filter(([name, n]) => name !== "ok" && n > 0).sort((a, b) => b[1] - a[1]);
}

function Link({ from, cardWidth, wide, share, moved, balanced, active }: { from: { x: number; y: number }; cardWidth: number; wide: boolean; share: number; moved: [string, number][]; balanced: boolean; active: boolean }) {
  const thickness = 2 + share * 16;
  const total = moved.reduce((sum, [, n]) => sum + n, 0);
  const tone = active ? "flow-active" : "flow-idle";
  const caption = balanced ? "stands by" : total ? `${count(total)} moved on` : "none moved on";
  if (wide) {
    const x = from.x + cardWidth;
    const y = from.y + CARD.height / 2;
    const end = x + CARD.gapWide;
    return (
      <g>
        <line x1={x} y1={y} x2={end - 9} y2={y} class={tone} stroke-width={thickness} stroke-dasharray={balanced ? "3 5" : undefined} />
        <path d={`M${end - 10} ${y - 7} L${end - 1} ${y} L${end - 10} ${y + 7} Z`} class={`${tone} head`} />
        <text x={x + CARD.gapWide / 2} y={y - 16} class="pic-note" text-anchor="middle">{balanced ? "or" : count(total)}</text>
        <text x={x + CARD.gapWide / 2} y={y + 26} class="pic-note" text-anchor="middle">{balanced ? "" : "move on"}</text>
      </g>
    );
  }
  const x = 34;
  const y = from.y + CARD.height;
  return (
    <g>
      <line x1={x} y1={y} x2={x} y2={y + CARD.gapTall - 9} class={tone} stroke-width={thickness} stroke-dasharray={balanced ? "3 5" : undefined} />
      <path d={`M${x - 7} ${y + CARD.gapTall - 10} L${x} ${y + CARD.gapTall - 1} L${x + 7} ${y + CARD.gapTall - 10} Z`} class={`${tone} head`} />
      <text x={x + 22} y={y + CARD.gapTall / 2 + 4} class="pic-note">{caption}</text>
    </g>
  );
}

function Card({ x, y, width, index, figures, balanced }: { x: number; y: number; width: number; index: number; figures: HopFigures; balanced: boolean }) {
  const { hop, counts, target } = figures;
  const calls = counts?.attempts ?? 0;
  const ok = counts?.outcomes["ok"] ?? 0;
  const left = x + 16;
  const inner = width - 32;
  const failed = failures(figures).filter(([name]) => !SKIPS.has(name));
  const skipped = failures(figures).filter(([name]) => SKIPS.has(name));
  const chars = Math.floor((inner - 34) / 7.9);
  const breaker = breakerOf(target);
  const missing = target?.configured === false;
  return (
    <g>
      <rect x={x + 0.5} y={y + 0.5} width={width - 1} height={CARD.height - 1} rx="12" class={`pic-card ${missing || breaker === "open" ? "alarm" : ""}`} />
      <circle cx={left + 10} cy={y + 26} r="11" class="pic-number" />
      <text x={left + 10} y={y + 30} text-anchor="middle" class="pic-index">{index + 1}</text>
      <text x={left + 30} y={y + 31} class="pic-model"><title>{hop.model}</title>{clip(hop.model, chars)}</text>
      <text x={left} y={y + 56} class="pic-note">{clip(settings(hop, balanced), Math.floor(inner / 6.3))}</text>
      <Share x={left} y={y + 68} width={inner} ok={ok} failed={failed.reduce((sum, [, n]) => sum + n, 0)} skipped={skipped.reduce((sum, [, n]) => sum + n, 0)} />
      <text x={left} y={y + 98} class="pic-strong">{calls ? `${percent(ok, calls)} answered` : isPolicyHop(hop) ? "a policy of its own" : "no calls"}</text>
      <text x={left + inner} y={y + 98} text-anchor="end" class="pic-note">{counts?.p50_ms !== undefined && counts.p50_ms !== null ? `p50 ${ms(counts.p50_ms)}` : ""}</text>
      <text x={left} y={y + 117} class="pic-note">{clip(reasons(failed, skipped), Math.floor(inner / 6.3))}</text>
      <circle cx={left + 4} cy={y + 132} r="4" class={`pic-breaker ${missing ? "missing" : breaker}`} />
      <text x={left + 14} y={y + 136} class="pic-note">{missing ? clip(`${target?.missing ?? "its key"} is not set`, 34) : `breaker ${words(breaker)}`}</text>
    </g>
  );
}

/** Answered, failed, skipped as one bar. */
function Share({ x, y, width, ok, failed, skipped }: { x: number; y: number; width: number; ok: number; failed: number; skipped: number }) {
  const all = ok + failed + skipped;
  const a = all ? (ok / all) * width : 0;
  const b = all ? (failed / all) * width : 0;
  const c = all ? (skipped / all) * width : 0;
  return (
    <g>
      <rect x={x} y={y} width={width} height="8" rx="4" class="pic-track" />
      {a > 0 && <rect x={x} y={y} width={Math.max(8, a)} height="8" rx="4" class="pic-ok" />}
      {b > 0 && <rect x={x + a + 2} y={y} width={Math.max(4, b - 2)} height="8" rx="3" class="pic-bad" />}
      {c > 0 && <rect x={x + a + b + 2} y={y} width={Math.max(4, c - 2)} height="8" rx="3" class="pic-skip" />}
    </g>
  );
}

function settings(hop: Hop, balanced: boolean): string {
  const parts = [
    balanced && `weight ${hop.weight ?? 1}`,
    hop.retries ? `${hop.retries} ${hop.retries === 1 ? "retry" : "retries"}` : isPolicyHop(hop) ? "" : "no retries",
    hop.key && hop.key !== "managed" && words(hop.key),
    hop.timeouts?.first_token_ms && `first token ${ms(hop.timeouts.first_token_ms)}`,
    hop.hedge_after_ms && `hedge ${ms(hop.hedge_after_ms)}`,
    hop.degraded && "degraded",
  ];
  return parts.filter(Boolean).join(" · ");
}

function reasons(failed: [string, number][], skipped: [string, number][]): string {
  return [...failed, ...skipped].slice(0, 3).map(([name, n]) => `${words(name)} ${count(n)}`).join(" · ");
}

export function breakerOf(target: Target | undefined): string {
  const breaker = target?.breaker;
  const state = typeof breaker === "string" ? breaker : breaker?.state;
  return state ?? "closed";
}

const clip = (text: string, max: number) => (text.length > max ? text.slice(0, Math.max(1, max - 1)) + "…" : text);
