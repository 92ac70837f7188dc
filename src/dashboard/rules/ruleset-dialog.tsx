// One ruleset: whom its rules apply to, and which rules, in order.
import { useState } from "preact/hooks";
import type { Ruleset } from "../api/types";
import { href } from "../lib/router";
import { moved } from "../policy/draft";
import { Button, IconButton, Problem } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { ConditionBuilder } from "./condition-builder";

export function RulesetDialog({ set, known, models, onSave, onClose }: { set: Ruleset; known: string[]; models: string[]; onSave: (set: Ruleset) => Promise<void>; onClose: () => void }) {
  const [draft, setDraft] = useState(set);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const rest = known.filter((name) => !draft.rules.includes(name));
  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onSave(draft);
      onClose();
    } catch (caught) {
      setError(caught as Error);
      setBusy(false);
    }
  };
  return (
    <Dialog large title={set.name ? `Ruleset ${set.name}` : "Create ruleset"} onClose={onClose}>
      <div class="form-grid pair">
        <TextField label="Name" mono autofocus={!set.name} placeholder="everyone" value={draft.name} onValue={(name) => setDraft({ ...draft, name })} />
        <TextField label="Description" value={draft.description ?? ""} onValue={(description) => setDraft({ ...draft, description })} />
      </div>
      <div class="stack tight">
        <h3>Applies when</h3>
        <ConditionBuilder when={draft.when} models={models} onChange={(when) => setDraft({ ...draft, when })} />
      </div>
      <div class="stack tight">
        <h3>Rules, in order</h3>
        {!draft.rules.length && <p class="small muted">None yet.</p>}
        <ol class="stack tight">
          {draft.rules.map((name, n) => (
            <li key={name} class="picked">
              <code class="wrap">{name}</code>
              <span class="push row tight nowrap-row">
                <IconButton icon="up" label={`Move ${name} up`} disabled={n === 0} onClick={() => setDraft({ ...draft, rules: moved(draft.rules, n, n - 1) })} />
                <IconButton icon="down" label={`Move ${name} down`} disabled={n === draft.rules.length - 1} onClick={() => setDraft({ ...draft, rules: moved(draft.rules, n, n + 1) })} />
                <IconButton icon="close" label={`Take ${name} out`} onClick={() => setDraft({ ...draft, rules: draft.rules.filter((one) => one !== name) })} />
              </span>
            </li>
          ))}
        </ol>
        <div class="row tight">
          {rest.map((name) => <Button key={name} small icon="plus" onClick={() => setDraft({ ...draft, rules: [...draft.rules, name] })}>{name}</Button>)}
          {!known.length && <span class="small muted">There are no rules yet. <a href={href("rules")}>Create one</a> first.</span>}
        </div>
      </div>
      {error && <Problem error={error} />}
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" disabled={busy || !draft.name.trim()} onClick={save}>{busy ? "Saving…" : set.name ? "Save ruleset" : "Create ruleset"}</Button>
      </div>
    </Dialog>
  );
}
