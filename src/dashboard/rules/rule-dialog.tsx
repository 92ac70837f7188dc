// One rule: its condition, and what it does to the requests that meet it.
import { useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { hopsOf } from "../api/read";
import type { Finding, Hop, Rule } from "../api/types";
import { ChainRows } from "../policy/chain-rows";
import { at, typedNumber, within } from "../policy/draft";
import { Button, Problem } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Findings, SelectField, TextField } from "../ui/field";
import { ConditionBuilder } from "./condition-builder";

type Action = "retry" | "use" | "deny";
const ACTIONS = [["retry", "Change retry config"], ["use", "Use a policy"], ["deny", "Refuse"]] as const;

interface Props {
  name: string;
  rule: Rule;
  taken: string[];
  models: string[];
  onSave: (name: string, rule: Rule) => Promise<void>;
  onClose: () => void;
}

export function RuleDialog({ name, rule, taken, models, onSave, onClose }: Props) {
  const [typed, setTyped] = useState(name);
  const [draft, setDraft] = useState<Rule>(rule);
  const [action, setAction] = useState<Action>(rule.then.deny !== undefined ? "deny" : rule.then.use ? "use" : "retry");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const findings = error instanceof ApiError ? error.findings.map((finding) => relative(finding, typed)) : [];
  const clash = typed !== name && taken.includes(typed);
  const set = (then: Partial<Rule["then"]>) => setDraft({ ...draft, then: { ...draft.then, ...then } });

  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onSave(typed, { ...draft, then: only(draft.then, action) });
      onClose();
    } catch (caught) {
      setError(caught as Error);
      setBusy(false);
    }
  };
  return (
    <Dialog large title={name ? `Rule ${name}` : "Create rule"} onClose={onClose}>
      <div class="form-grid pair">
        <TextField label="Name" mono autofocus={!name} placeholder="gpt-4o-to-claude" value={typed} onValue={setTyped} findings={clash ? [{ severity: "error", path: "", message: `There is already a rule named ${typed}.` }] : []} />
        <TextField label="Description" value={draft.description ?? ""} onValue={(description) => setDraft({ ...draft, description })} />
      </div>
      <div class="stack tight">
        <h3>When</h3>
        <ConditionBuilder when={draft.when} models={models} onChange={(when) => setDraft({ ...draft, when })} />
        <Findings findings={within(findings, "when", [])} />
      </div>
      <div class="stack tight">
        <h3>Then</h3>
        <SelectField label="Action" hideLabel value={action} options={ACTIONS} onValue={setAction} />
        {action === "retry" && (
          <div class="stack">
            <TextField label="Retries of the model asked for" type="number" min={0} max={10} value={draft.then.retries === undefined ? "" : String(draft.then.retries)} placeholder="as before" findings={at(findings, "then.retries")} onValue={(text) => set({ retries: typedNumber(text) })} />
            <div class="stack tight">
              <span class="legend">Fallback models, each with its retries</span>
              <ChainRows path="then.fallback" hops={hopsOf({ chain: draft.then.fallback ?? [] })} findings={findings} models={models} onChange={(fallback) => set({ fallback: fallback.map(tidy) })} />
            </div>
          </div>
        )}
        {action === "use" && <TextField label="Policy" mono placeholder="policy/sonnet" value={draft.then.use ?? ""} options={models.filter((model) => model.startsWith("policy/"))} findings={at(findings, "then.use")} onValue={(use) => set({ use })} />}
        {action === "deny" && <TextField label="Message to the caller, with status 403" value={draft.then.deny ?? ""} findings={at(findings, "then.deny")} onValue={(deny) => set({ deny })} />}
      </div>
      {error && <Problem error={error} />}
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" disabled={busy || !typed.trim() || clash} onClick={save}>{busy ? "Saving…" : name ? "Save rule" : "Create rule"}</Button>
      </div>
    </Dialog>
  );
}

function tidy(hop: Hop): Hop {
  return Object.fromEntries(Object.entries(hop).filter(([name, value]) => value !== undefined && !(name === "retries" && value === 0) && !(name === "key" && value === "managed") && !(name === "degraded" && value === false))) as Hop;
}

/** Fields of the other actions go; what the dialog does not show stays. */
function only(then: Rule["then"], action: Action): Rule["then"] {
  const { retries, fallback, use, deny, ...rest } = then;
  if (action === "deny") return { ...rest, deny: deny ?? "" };
  if (action === "use") return { ...rest, use: use ?? "" };
  return { ...rest, ...(retries === undefined ? {} : { retries }), ...(fallback?.length ? { fallback } : {}) };
}

/** `rules.<name>.then.retries` is `then.retries` here. */
function relative(finding: Finding, name: string): Finding {
  for (const prefix of [`rules.${name}.`, `rules["${name}"].`, `/rules/${name}/`]) {
    if (finding.path.startsWith(prefix)) return { ...finding, path: finding.path.slice(prefix.length) };
  }
  return finding;
}
