// The same question to every hop, answers side by side. These are real calls with capped tokens.
import { compare } from "../api/read";
import type { ComparedAnswer } from "../api/types";
import { useAction } from "../lib/action";
import { count, ms, skipReason, usd, words } from "../lib/format";
import { Badge, Card, Empty, Model, Problem } from "../ui/basics";
import { stringify } from "./draft";
import { SampleForm, type Sample } from "./sample";

export function Compare({ name }: { name: string }) {
  const { data: answers, error, busy, run } = useAction((sample: Sample) => compare(name, sample));
  return (
    <div class="grid asked">
      <Card title="Request" note="Every hop is really called and may cost money. Tokens are capped, and the calls stay out of the figures.">
        <SampleForm name={name} action="Ask every hop" busy={busy} onRun={run} />
      </Card>
      <div class="stack">
        {error && <Problem error={error} />}
        {answers ? (
          <div class="answers">{answers.map((answer, n) => <Answer key={n} answer={answer} />)}</div>
        ) : (
          !error && <Card><Empty icon="duplicate" title="No answers yet">Ask every hop the same and read the answers beside each other, with their time and cost.</Empty></Card>
        )}
      </div>
    </div>
  );
}

function Answer({ answer }: { answer: ComparedAnswer }) {
  const skipped = answer.call === false;
  const ok = answer.outcome === "ok" || answer.outcome === undefined;
  const said = textOf(answer) || (answer.reason && (skipped ? skipReason(answer.reason) : answer.reason)) || "No answer.";
  return (
    <Card title={<Model name={answer.model} />}>
      <div class="stack">
        <div class="row tight"><Badge tone={ok ? "good" : skipped ? "warn" : "bad"} dot>{ok ? "answered" : skipped ? "skipped" : words(answer.outcome ?? "")}</Badge>{answer.ttft_ms ? <span class="small muted num">first content {ms(answer.ttft_ms)}</span> : null}</div>
        <p class={ok ? "answer-text wrap" : "muted wrap"}>{said}</p>
        {!skipped && <dl class="facts three">
          <div><dt>Time</dt><dd class="num">{ms(answer.ms)}</dd></div>
          <div><dt>Tokens out</dt><dd class="num">{count(answer.tokens?.output)}</dd></div>
          <div><dt>Cost</dt><dd class="num">{usd(answer.cost_usd)}</dd></div>
        </dl>}
      </div>
    </Card>
  );
}

/** Of an answer without text, such as an embedding. */
const MOST_SHOWN = 1000;

function textOf(answer: ComparedAnswer): string {
  if (typeof answer.text === "string") return answer.text;
  if (answer.answer === undefined || answer.answer === null) return "";
  const whole = typeof answer.answer === "string" ? answer.answer : stringify(answer.answer);
  return whole.length > MOST_SHOWN ? whole.slice(0, MOST_SHOWN) + "…" : whole;
}
