// The form half of the editor. Every field shows what the linter says of it.
import type { Finding, PolicyDocument } from "../api/types";
import { hopsOf } from "../api/read";
import { Segments } from "../ui/basics";
import { Check, Findings, SelectField, TextField } from "../ui/field";
import { ChainRows } from "./chain-rows";
import { at, fieldOf, typedNumber, withChain, withField } from "./draft";

type Choice = readonly (readonly [string, string])[];

const CHOICES: [path: string, label: string, options: Choice][] = [
  ["on.preset", "What falls back", [["", "Resilient: whatever another target might answer"], ["strict", "Strict: temporary failures alone"]]],
  ["stream.commit", "Commit to an answer", [["", "At its first content"], ["headers", "At its headers"], ["first_event", "At its first event"], ["complete", "When it is complete"]]],
  ["stream.relay", "Relay", [["", "Pipe"], ["inspect", "Inspect each event"]]],
  ["consent", "Consent to leave the first hop", [["", "Automatic"], ["ask", "Ask: the request must agree"], ["never", "Never"]]],
  ["exhausted", "When the chain ran out, tell of", [["", "The last attempt"], ["first", "The first attempt"], ["most_actionable", "The most actionable attempt"]]],
  ["translate", "Translation between families", [["", "Lenient"], ["strict", "Strict"], ["never", "Never"]]],
  ["usage", "Token usage", [["", "As sent"], ["always", "Always ask for it"]]],
];

const BOUNDARIES = ["family", "provider", "region", "labels", "billing"];

export function PolicyForm({ document, findings, models, onChange }: { document: PolicyDocument; findings: Finding[]; models: string[]; onChange: (document: PolicyDocument) => void }) {
  const set = (path: string, value: unknown) => onChange(withField(document, path, value));
  const text = (path: string) => {
    const value = fieldOf(document, path);
    return value === undefined || value === null ? "" : String(value);
  };
  const keep = Array.isArray(document["keep"]) ? (document["keep"] as unknown[]).map(String) : [];
  const balanced = document.type === "load_balance";
  return (
    <div class="stack wide">
      <div class="stack tight">
        <span class="legend">Type</span>
        <div><Segments label="Type" value={balanced ? "load_balance" : "fallback"} options={[["fallback", "Fallback chain"], ["load_balance", "Load balance"]]} onChange={(type) => onChange({ ...document, type })} /></div>
        <span class="hint small muted">{balanced ? "One hop is drawn by its weight, the same one for the same user. The others stand by." : "Hops are tried in this order until one answers."}</span>
        <Findings findings={at(findings, "type")} />
      </div>
      <TextField label="Description" value={text("description")} findings={at(findings, "description")} onValue={(value) => set("description", value)} />
      <div class="stack tight">
        <span class="legend">{balanced ? "Hops" : "Chain"}</span>
        <Findings findings={at(findings, "chain")} />
        <ChainRows hops={hopsOf(document)} findings={findings} models={models} balanced={balanced} onChange={(hops) => onChange(withChain(document, hops))} />
      </div>
      <details class="more boxed">
        <summary>Behaviour, clocks and boundaries</summary>
        <div class="form-grid">
          {CHOICES.map(([path, label, options]) => (
            <SelectField key={path} label={label} value={known(options, text(path))} options={options} findings={at(findings, path)} onValue={(value) => set(path, value || undefined)} />
          ))}
          <TextField label="Deadline for the whole request, ms" type="number" min={1} max={3600000} placeholder="600000" value={text("deadline_ms")} findings={at(findings, "deadline_ms")} onValue={(value) => set("deadline_ms", typedNumber(value))} />
          <TextField label="First token within, ms" type="number" min={1} max={3600000} placeholder="60000" value={text("timeouts.first_token_ms")} findings={at(findings, "timeouts.first_token_ms")} onValue={(value) => set("timeouts.first_token_ms", typedNumber(value))} />
          <TextField label="Workload" placeholder="the policy’s name" value={text("workload")} findings={at(findings, "workload")} onValue={(value) => set("workload", value)} />
        </div>
        <fieldset class="plain">
          <legend class="legend">A fallback may not leave the first hop’s</legend>
          <div class="row">
            {BOUNDARIES.map((name) => (
              <Check key={name} label={name} checked={keep.includes(name)} onValue={(on) => set("keep", listOrNothing(on ? [...keep, name] : keep.filter((one) => one !== name)))} />
            ))}
          </div>
          <Findings findings={at(findings, "keep")} />
        </fieldset>
      </details>
    </div>
  );
}

const listOrNothing = (list: string[]) => (list.length ? list : undefined);

/** The default spelled out, or a value this form has no name for, is shown as the default entry. */
function known(options: Choice, value: string): string {
  return options.some(([name]) => name === value) ? value : "";
}
