// What would happen if: a script of outcomes per target, run through the Worker's own chain on a virtual clock.
import { useState } from "preact/hooks";
import { simulate } from "../api/read";
import { CLASSES, type ScriptLine, type Simulation, type SimulationStep } from "../api/types";
import { useAction } from "../lib/action";
import { ms, plural, skipReason, words } from "../lib/format";
import { Badge, Button, Card, Empty, IconButton, Model, Problem } from "../ui/basics";
import { TextField } from "../ui/field";
import { Waterfall, type Bar } from "../ui/waterfall";

export interface Line {
  model: string;
  outcomes: string;
}

/** Outages worth a rehearsal, for the targets of a chain. */
export const SCENES: [string, (models: string[]) => Line[]][] = [
  ["First target overloaded", ([first = "*"]) => [{ model: first, outcomes: "overloaded, overloaded, overloaded" }]],
  ["Rate limited, told to wait", ([first = "*"]) => [{ model: first, outcomes: "429;retry-after=2, ok" }]],
  ["Stalls after 20 tokens", ([first = "*"]) => [{ model: first, outcomes: "stall@20" }]],
  ["All but the last down", (models) => models.slice(0, -1).map((model) => ({ model, outcomes: "503, 503, 503, 503" }))],
  ["Everything down", (models) => models.map((model) => ({ model, outcomes: "unreachable, ".repeat(11) + "unreachable" }))],
];

export function Simulate({ name, models }: { name: string; models: string[] }) {
  const [lines, setLines] = useState<Line[]>(() => SCENES[0]![1](models));
  const { data: run, error, busy, run: start } = useAction((script: Line[]) => simulate(name, scriptOf(script)));
  const choose = (make: (models: string[]) => Line[]) => {
    const next = make(models);
    setLines(next);
    start(next);
  };
  const change = (n: number, part: Partial<Line>) => setLines(lines.map((line, i) => (i === n ? { ...line, ...part } : line)));

  return (
    <div class="stack">
      <Card title="Script" note="How each target answers, try by try. What is not named answers at once. No call leaves the Worker.">
        <div class="stack">
          <div class="row tight" role="group" aria-label="Scenes">
            {SCENES.map(([text, make]) => <Button key={text} small onClick={() => choose(make)}>{text}</Button>)}
          </div>
          {lines.map((line, n) => (
            <div key={n} class="script-line">
              <TextField small mono label="Target" hideLabel={n > 0} placeholder="anthropic/*" value={line.model} options={models} onValue={(model) => change(n, { model })} />
              <TextField small mono label="Outcomes" hideLabel={n > 0} placeholder="429;retry-after=2, stall@20, ok" value={line.outcomes} onValue={(outcomes) => change(n, { outcomes })} />
              <IconButton icon="trash" danger label={`Remove line ${n + 1}`} onClick={() => setLines(lines.filter((_, i) => i !== n))} />
            </div>
          ))}
          <div class="row">
            <Button icon="plus" small onClick={() => setLines([...lines, { model: "", outcomes: "" }])}>Add a target</Button>
            <Button icon="play" kind="primary" small disabled={busy} onClick={() => start(lines)}>{busy ? "Running…" : "Run"}</Button>
          </div>
          <p class="small muted">Outcomes: <code>ok</code>, a status such as <code>503</code> or <code>429;retry-after=2</code>, <code>stall@n</code>, <code>cut@n</code>, or a class: {CLASSES.slice(0, 6).join(", ")}…</p>
        </div>
      </Card>
      {error && <Problem error={error} />}
      {run ? <Timeline run={run} /> : !error && <Card><Empty icon="play" title="Nothing has run yet">Choose a scene or press Run to see each call, wait and skip on a virtual clock.</Empty></Card>}
    </div>
  );
}

export function scriptOf(lines: Line[]): ScriptLine[] {
  return lines.map((line) => ({ model: line.model.trim(), outcomes: line.outcomes.split(",").map((one) => one.trim()).filter(Boolean) })).filter((line) => line.model && line.outcomes.length);
}

const RESULT = { served: ["good", "Served"], exhausted: ["bad", "Chain exhausted"], stopped: ["bad", "Stopped"] } as const;

function Timeline({ run }: { run: Simulation }) {
  return (
    <Card title="Timeline" actions={<Ending run={run} />}>
      <Steps run={run} />
    </Card>
  );
}

export function Ending({ run }: { run: Simulation }) {
  const [tone, text] = RESULT[run.result] ?? ["idle", run.result];
  return <><Badge tone={tone} dot>{text}</Badge><span class="small muted num">{plural(run.calls, "call")}, {ms(run.ms)}</span></>;
}

export function Steps({ run }: { run: Simulation }) {
  return <Waterfall label="Steps of the simulation" total={run.ms} bars={run.steps.filter((step) => step.step !== "done").map((step, n) => bar(step, n, run))} />;
}

function bar(step: SimulationStep, index: number, run: Simulation): Bar {
  const later = run.steps.slice(run.steps.indexOf(step) + 1).find((next) => next.at_ms >= step.at_ms);
  const length = step.step === "wait" ? (step.wait_ms ?? 0) : Math.max(0, (later?.at_ms ?? run.ms) - step.at_ms);
  const model = step.model ?? run.steps.slice(run.steps.indexOf(step)).find((next) => next.model)?.model;
  const label = model ? <Model name={model} /> : "–";
  const detail = step.reason?.startsWith("scripted") ? undefined : step.reason;
  const base = { key: index, label, start: step.at_ms, length };
  switch (step.step) {
    case "wait":
      return { ...base, kind: "wait", tone: "idle", result: <span class="muted">waits {ms(step.wait_ms)}</span>, detail };
    case "skip":
      return { ...base, kind: "skip", tone: "idle", result: <span class="muted">skipped</span>, detail: step.reason && skipReason(step.reason) };
    default:
      return { ...base, tone: step.outcome === "ok" ? "good" : "bad", result: <span class={step.outcome === "ok" ? "good" : "bad"}>{step.outcome === "ok" ? "answers" : words(step.outcome ?? "?")}</span>, detail };
  }
}
