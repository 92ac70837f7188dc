// One request: every attempt and skip on a time axis, with what it cost and why it ended.
import type { ComponentChildren } from "preact";
import { isCall, request } from "../api/read";
import type { Attempt, RequestDetail } from "../api/types";
import { count, fullTime, ms, skipReason, usd, words } from "../lib/format";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { Badge, CopyButton, Loading, Model, Problem } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Waterfall, type Bar } from "../ui/waterfall";
import { OutcomeBadge } from "./outcome";

export function RequestDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const found = useResource(`request ${id}`, (signal) => request(id, signal));
  return (
    <Dialog large title="Request" onClose={onClose}>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading shape="page" />}
      {found.data && <Detail data={found.data} />}
    </Dialog>
  );
}

function Detail({ data }: { data: RequestDetail }) {
  const calls = data.attempts.filter(isCall).length;
  const skips = data.attempts.length - calls;
  return (
    <div class="stack">
      <div class="row tight">
        <OutcomeBadge request={data} />
        {data.degraded && <Badge tone="warn">degraded</Badge>}
        {data.mark && <Badge tone="accent">{data.mark}</Badge>}
        {data.stream && <Badge>stream</Badge>}
        <span class="copyable"><code class="wrap">{data.id}</code><CopyButton text={data.id} label="Copy the request id" /></span>
      </div>
      <div class="stack tight">
        <h3>What happened</h3>
        {data.attempts.length ? <Waterfall label="Attempts and skips" total={span(data)} bars={bars(data)} /> : <p class="muted">No attempt is on record.</p>}
        <p class="small faint">{data.attempts.some((one) => one.ttft_ms) ? "The thin line on a bar is its first content; hatched is waiting. " : "Hatched is waiting. "}No prompt or answer text is ever stored.</p>
      </div>
      <dl class="facts request-facts">
        <Fact name="When">{fullTime(data.at)}</Fact>
        <Fact name="Policy"><PolicyLink data={data} /></Fact>
        <Fact name="Answered by" wide>{data.model ? <Model name={data.model} /> : "nobody"}</Fact>
        <Fact name="Took"><span class="num">{ms(data.ms)}</span>{data.ttft_ms !== null && data.ttft_ms !== undefined && <span class="muted">, first content {ms(data.ttft_ms)}</span>}</Fact>
        <Fact name="Attempts">{calls}{skips > 0 && <span class="muted">, {skips} skipped</span>}</Fact>
        {(data.user || data.group) && <Fact name="From">{[data.user, data.group].filter(Boolean).join(", ")}</Fact>}
        {data.key && <Fact name="Key">{data.key}</Fact>}
        {data.route && <Fact name="Route">{data.route}</Fact>}
        {data.status !== undefined && <Fact name="Status sent">{data.status}</Fact>}
        {(data.dropped?.length ?? 0) > 0 && <Fact name="Dropped">{data.dropped?.join(", ")}</Fact>}
      </dl>
      {(data.others?.length ?? 0) > 0 && (
        <div class="stack tight">
          <h3>Earlier requests with this id</h3>
          {data.others?.map((other, n) => <a key={n} href={href("requests", { id: other.ledger_id ?? other.id ?? "" })}>{fullTime(other.at)}</a>)}
        </div>
      )}
    </div>
  );
}

function Fact({ name, wide, children }: { name: string; wide?: boolean; children: ComponentChildren }) {
  return (
    <div class={wide ? "wide" : ""}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A request runs under a stored policy, a rule (`rule/<ruleset>/<rule>`), its own body (`request`), or the model alone. */
function PolicyLink({ data }: { data: RequestDetail }) {
  const name = data.policy;
  if (!name) return <span class="mono">{data.asked ?? "–"}</span>;
  if (name === "request") return <>the request’s own</>;
  const shown = data.version ? `${name}@${data.version}` : name;
  return <a href={name.startsWith("rule/") ? href("rules", { edit: name.split("/").slice(2).join("/") }) : href("policies", name)}>{shown}</a>;
}

/** Where each attempt begins: by its own clock, else where the one before it ended. */
function starts(data: RequestDetail): number[] {
  const zero = Date.parse(data.at);
  let end = 0;
  return data.attempts.map((attempt) => {
    const own = attempt.at ? Date.parse(attempt.at) - zero : NaN;
    const start = Number.isFinite(own) ? Math.max(0, own) : end;
    end = start + (attempt.ms || 0);
    return start;
  });
}

function span(data: RequestDetail): number {
  const begin = starts(data);
  return Math.max(data.ms, ...data.attempts.map((attempt, n) => (begin[n] ?? 0) + (attempt.ms || 0)));
}

function bars(data: RequestDetail): Bar[] {
  const begin = starts(data);
  return data.attempts.map((attempt, n) => ({
    key: attempt.seq ?? n,
    label: <Model name={attempt.model} />,
    start: begin[n] ?? 0,
    length: attempt.ms || 0,
    waited: waitBefore(data, begin, n),
    mark: attempt.ttft_ms,
    kind: isCall(attempt) ? "call" : "skip",
    tone: attempt.outcome === "ok" ? (data.fallback ? "saved" : "good") : attempt.outcome === "cancelled" ? "idle" : "bad",
    result: <Result attempt={attempt} />,
    detail: <Note attempt={attempt} />,
  }));
}

/** The backoff before a further try: the time since the call before it ended, where that is worth a look. */
function waitBefore(data: RequestDetail, begin: number[], n: number): number | undefined {
  const before = data.attempts[n - 1];
  if (!before || !isCall(before) || !isCall(data.attempts[n]!)) return undefined;
  const gap = (begin[n] ?? 0) - ((begin[n - 1] ?? 0) + (before.ms || 0));
  return gap >= WORTH_SHOWING_MS ? gap : undefined;
}

const WORTH_SHOWING_MS = 20;

function Result({ attempt }: { attempt: Attempt }) {
  if (!isCall(attempt)) return <span class="muted">skipped</span>;
  return (
    <span>
      <span class={attempt.outcome === "ok" ? "good" : "bad"}>{attempt.outcome === "ok" ? "answered" : words(attempt.outcome)}</span>
      <span class="muted num small"> {ms(attempt.ms)}</span>
    </span>
  );
}

/** `no key: GOOGLE_API_KEY`, whether or not the reason begins with the skip's own name. */
function skipNote({ outcome, reason }: Attempt): string {
  return skipReason(!reason ? outcome : reason.startsWith(`${outcome}:`) ? reason : `${outcome}:${reason}`);
}

function Note({ attempt }: { attempt: Attempt }) {
  const tokens = attempt.tokens && attempt.tokens.input + attempt.tokens.output > 0 ? `${attempt.tokens.estimated ? "about " : ""}${count(attempt.tokens.input)} in, ${count(attempt.tokens.output)} out` : "";
  if (!isCall(attempt)) return <span class="wrap">{skipNote(attempt)}</span>;
  const parts = [
    attempt.status ? `status ${attempt.status}` : "",
    attempt.phase && `${words(attempt.phase)} clock`,
    attempt.code,
    attempt.key && `${attempt.key} key`,
    tokens && `tokens ${tokens}`,
    attempt.cost_usd ? `${usd(attempt.cost_usd)}${attempt.outcome === "ok" ? "" : " perhaps wasted"}` : "",
    attempt.billed === "maybe" ? "may have been billed" : "",
  ].filter(Boolean);
  return (
    <>
      {attempt.reason && <span class="wrap">{attempt.reason.replace(/[.\s]+$/, "")}. </span>}
      <span class="faint">{parts.join(" · ")}</span>
    </>
  );
}
