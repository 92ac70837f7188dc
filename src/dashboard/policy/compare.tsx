// The same question to every hop, answers side by side. These are real calls with capped tokens.
import { useState } from "preact/hooks";
import { call, path } from "../api/client";
import type { ComparedAnswer } from "../api/types";
import { count, ms, usd, words } from "../lib/format";
import { Badge, Card, Empty, Note, Problem } from "../ui/basics";
import { stringify } from "./draft";
import { SampleForm, type Sample } from "./sample";

type Reply = { data?: ComparedAnswer[]; answers?: ComparedAnswer[]; hops?: ComparedAnswer[] } | ComparedAnswer[];

export function Compare({ name }: { name: string }) {
  const [answers, setAnswers] = useState<ComparedAnswer[]>();
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const run = async (sample: Sample) => {
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await call<Reply>("POST", path("policies", name, "compare"), { body: sample });
      setAnswers(Array.isArray(data) ? data : (data.data ?? data.answers ?? data.hops ?? []));
    } catch (caught) {
      setError(caught as Error);
    }
    setBusy(false);
  };
  return (
    <div class="stack">
      <Card title="Question">
        <div class="stack">
          <Note>Every hop is really called and may cost money. Tokens are capped, and the calls stay out of the figures.</Note>
          <SampleForm name={name} action="Ask every hop" busy={busy} onRun={run} />
        </div>
      </Card>
      {error && <Problem error={error} />}
      {answers ? (
        <div class="answers">{answers.map((answer, n) => <Answer key={n} answer={answer} />)}</div>
      ) : (
        !error && <Card><Empty icon="duplicate" title="No answers yet">Ask every hop the same and read the answers beside each other, with their time and cost.</Empty></Card>
      )}
    </div>
  );
}

function Answer({ answer }: { answer: ComparedAnswer }) {
  const ok = answer.outcome === "ok" || answer.outcome === undefined;
  return (
    <Card title={<span class="mono wrap">{answer.model}</span>} actions={<Badge tone={ok ? "good" : "bad"} dot>{ok ? "answered" : words(answer.outcome ?? "")}</Badge>}>
      <div class="stack">
        <p class="answer-text wrap">{textOf(answer) || answer.reason || "No answer."}</p>
        <dl class="facts three">
          <div><dt>Time</dt><dd class="num">{ms(answer.ms)}</dd></div>
          <div><dt>Tokens out</dt><dd class="num">{count(answer.tokens?.output)}</dd></div>
          <div><dt>Cost</dt><dd class="num">{usd(answer.cost_usd)}</dd></div>
        </dl>
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
