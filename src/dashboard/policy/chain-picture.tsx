// The chain as a picture: what reaches each hop, what it answers, what moves on and why. Cards stand side by side where
// there is room, else below each other; the arrow between two is as thick as the share of calls that failed before it.
import { Fragment, type ComponentChildren } from "preact";
import { endings } from "../api/read";
import type { Counts, Hop, Target, TargetCounts } from "../api/types";
import { SKIPS } from "../api/types";
import { count, ms, percent, plural, time, words } from "../lib/format";
import { href } from "../lib/router";
import { Model, type Tone } from "../ui/basics";
import { OutcomeBar } from "../ui/outcome-bar";
import { isPolicyHop } from "./draft";

export interface HopFigures {
  hop: Hop;
  counts?: TargetCounts;
  target?: Target;
  /** Of a hop that is a policy: the targets it leads to. */
  inner?: { model: string; target?: Target }[];
}

/** More than so many stand below each other on every screen. */
const MOST_ABREAST = 3;

export function ChainPicture({ hops, balanced, totals }: { hops: HopFigures[]; balanced: boolean; totals?: Counts }) {
  const failed = totals ? totals.requests - totals.succeeded : 0;
  const weights = hops.reduce((sum, one) => sum + (one.hop.weight ?? 1), 0);
  return (
    <div class="chain-picture">
      <ol class={`pic${hops.length <= MOST_ABREAST ? " abreast" : ""}`} aria-label={balanced ? "Hops" : "Chain"}>
        {totals && totals.requests > 0 && (
          <>
            <End value={count(totals.requests)} text={totals.requests === 1 ? "request" : "requests"} />
            <Arrow tone="flows" thickness={10} />
          </>
        )}
        {hops.map((one, n) => (
          <Fragment key={n}>
            {n > 0 && <Between hop={hops[n - 1]!} balanced={balanced} />}
            <HopCard index={n} figures={one} balanced={balanced} weights={weights} />
          </Fragment>
        ))}
        {failed > 0 && (
          <>
            <Arrow tone="failing" thickness={2} />
            <End bad value={count(failed)} text="not answered" />
          </>
        )}
      </ol>
    </div>
  );
}

function End({ value, text, bad }: { value: string; text: string; bad?: boolean }) {
  return (
    <li class={`pic-end${bad ? " bad" : ""}`}>
      <strong class="num">{value}</strong>
      <span>{text}</span>
    </li>
  );
}

function Arrow({ tone, thickness, caption = "" }: { tone: string; thickness: number; caption?: string }) {
  return (
    <li class={`pic-arrow ${tone}`} aria-hidden={caption ? undefined : "true"}>
      <span class="pic-caption">{caption}</span>
      <i class="pic-line" style={{ "--flow": `${thickness}px` }} />
    </li>
  );
}

/** What leads from a hop to the next: its failed tries, and where it was passed over. */
function Between({ hop, balanced }: { hop: HopFigures; balanced: boolean }) {
  const ended = Object.entries(endings(hop.counts)).filter(([name]) => name !== "ok");
  const sum = (some: typeof ended) => some.reduce((all, [, n]) => all + n, 0);
  const [failed, skipped] = [sum(ended.filter(([name]) => !SKIPS.has(name))), sum(ended.filter(([name]) => SKIPS.has(name)))];
  const all = (hop.counts?.attempts ?? 0) + skipped;
  const caption = failed ? plural(failed, "try failed", "tries failed") : skipped ? `${count(skipped)} skipped` : balanced ? "or" : "";
  return <Arrow tone={`${failed + skipped ? "flows" : ""}${balanced ? " dashed" : ""}`} thickness={all ? Math.round(2 + (8 * (failed + skipped)) / all) : 2} caption={caption} />;
}

function HopCard({ index, figures, balanced, weights }: { index: number; figures: HopFigures; balanced: boolean; weights: number }) {
  const { hop, counts, target } = figures;
  const calls = counts?.attempts ?? 0;
  const ended = endings(counts);
  const alarm = target?.configured === false || breakerOf(target) === "open";
  return (
    <li class={`pic-hop${alarm ? " alarm" : ""}`}>
      <div class="pic-name">
        <span class="order num">{index + 1}</span>
        <div>
          <div class="strong">{isPolicyHop(hop) ? <a href={href("policies", hop.model.slice("policy/".length))}><Model name={hop.model} /></a> : <Model name={hop.model} />}</div>
          <p class="small muted">{settings(hop, balanced, weights)}</p>
        </div>
      </div>
      <div class="pic-share">
        <p>{calls ? <><strong class="num">{percent(ended["ok"] ?? 0, calls)}</strong> <span class="muted small">of {plural(calls, "call")} answered</span></> : <span class="muted">No calls yet</span>}</p>
        <OutcomeBar outcomes={ended} list />
      </div>
      <dl class="pic-times">
        <div><dt>p50</dt><dd>{ms(counts?.p50_ms)}</dd></div>
        <div><dt>p99</dt><dd>{ms(counts?.p99_ms)}</dd></div>
        <div><dt>First content</dt><dd>{ms(counts?.ttft_p50_ms)}</dd></div>
      </dl>
      <div class="pic-state small">
        {figures.inner ? figures.inner.map((one) => <State key={one.model} target={one.target}><Model name={one.model} /></State>) : <State target={target} />}
      </div>
    </li>
  );
}

/** Whether a target can be called now; nothing is claimed before it is known. */
function State({ target, children }: { target: Target | undefined; children?: ComponentChildren }) {
  if (!target) return children ? <p class="pic-breaker"><span class="dot" />{children}</p> : null;
  const state = breakerOf(target);
  const missing = target.configured === false;
  const tone = missing ? "bad" : breakerTone(state);
  const said = missing ? `${target.missing ?? "its key"} is not set` : `breaker ${breakerSaid(target)}`;
  return (
    <p class="pic-breaker">
      <span class={`dot ${tone}`} />
      <span class={calm(tone) ? "muted" : tone}>{children ? <>{children} {calm(tone) ? <span class="sr">{said}</span> : said}</> : said}</span>
    </p>
  );
}

function settings(hop: Hop, balanced: boolean, weights: number): string {
  const weight = hop.weight ?? 1;
  const parts = [
    balanced && (weight ? `weight ${weight}, ${percent(weight, weights)}` : "stands by"),
    hop.retries ? plural(Number(hop.retries), "retry", "retries") : isPolicyHop(hop) ? "a policy of its own" : "no retries",
    hop.key && hop.key !== "managed" && `${words(hop.key)} key`,
    hop.timeouts?.first_token_ms && `first token within ${ms(hop.timeouts.first_token_ms)}`,
    hop.hedge_after_ms && `hedged after ${ms(hop.hedge_after_ms)}`,
    hop.degraded && "degraded",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** `closed`, `open`, `half_open`, or `off` where no policy asks it. */
export function breakerOf(target: Target | undefined): string {
  return target?.breaker?.state ?? "closed";
}

export function breakerTone(state: string): Tone {
  return state === "open" ? "bad" : state === "closed" ? "good" : state === "off" ? "idle" : "warn";
}

/** Its state in words, and until when it is open. */
export function breakerSaid(target: Target): string {
  const [state, until] = [breakerOf(target), target.breaker?.until];
  return `${words(state)}${state === "open" && until ? ` until ${time(until)}` : ""}`;
}

const calm = (tone: Tone) => tone === "good" || tone === "idle";
