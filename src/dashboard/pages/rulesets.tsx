// Rulesets: who the rules apply to, in which order.
import { useState } from "preact/hooks";
import type { Ruleset } from "../api/types";
import { href } from "../lib/router";
import { moved } from "../policy/draft";
import { ConditionBuilder } from "../rules/condition-builder";
import { sentence } from "../rules/conditions";
import { useRules } from "../rules/use-rules";
import { Button, Card, Empty, IconButton, Loading, PageHead, Problem, toast } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";

const FRESH: Ruleset = { name: "", description: "", when: { group: { exists: true } }, rules: [] };

export function Rulesets() {
  const rules = useRules();
  const [editing, edit] = useState<number | "new">();
  const [doomed, doom] = useState<number>();
  const document = rules.document;
  const sets = document?.rulesets ?? [];
  const create = <Button kind="primary" icon="plus" disabled={!document} onClick={() => edit("new")}>Create ruleset</Button>;
  const put = (change: (sets: Ruleset[]) => Ruleset[], done: string) => rules.save((old) => ({ ...old, rulesets: change(old.rulesets) }), done);
  const shift = (from: number, to: number) => put((old) => moved(old, from, to), "The order is stored").catch((error: Error) => toast(error.message, true));
  const current = editing === "new" ? FRESH : editing === undefined ? undefined : sets[editing];
  const dying = doomed === undefined ? undefined : sets[doomed];

  return (
    <>
      <PageHead title="Rulesets" note="Rulesets are read in this order. The first rule whose condition holds wins.">{create}</PageHead>
      {rules.error && <Problem error={rules.error} retry={rules.reload} />}
      {!document && rules.loading && <Loading />}
      {document && !sets.length && <Card><Empty icon="rulesets" title="No rulesets yet" action={create}>A ruleset says whom its rules apply to: everyone, requests that name a group, one user.</Empty></Card>}
      {sets.map((set, n) => (
        <section key={`${set.name}-${n}`} class="card policy-card">
          <div class="policy-top">
            <div class="policy-name"><span class="order num">{n + 1}</span><h2 class="wrap">{set.name}</h2></div>
            <div class="row tight nowrap-row">
              <IconButton icon="up" label={`Move ${set.name} up`} disabled={n === 0} onClick={() => shift(n, n - 1)} />
              <IconButton icon="down" label={`Move ${set.name} down`} disabled={n === sets.length - 1} onClick={() => shift(n, n + 1)} />
              <IconButton icon="edit" label={`Edit ruleset ${set.name}`} onClick={() => edit(n)} />
              <IconButton icon="trash" danger label={`Delete ruleset ${set.name}`} onClick={() => doom(n)} />
            </div>
          </div>
          {set.description && <p class="muted wrap">{set.description}</p>}
          <dl class="when-then wrap">
            <dt>Applies when</dt><dd class="mono">{sentence(set.when)}</dd>
            <dt>Rules</dt>
            <dd class="row tight">{set.rules.length ? set.rules.map((name, i) => <a key={i} class="chip" href={href("rules", { edit: name })}>{name}</a>) : <span class="warn">none: it does nothing</span>}</dd>
          </dl>
        </section>
      ))}
      {document && current && (
        <RulesetDialog
          key={String(editing)}
          set={current}
          known={Object.keys(document.rules)}
          onClose={() => edit(undefined)}
          onSave={(next) => put((old) => (editing === "new" ? [...old, next] : old.map((one, i) => (i === editing ? next : one))), `Ruleset ${next.name} is stored`)}
        />
      )}
      {dying && (
        <Confirm title={`Delete ruleset ${dying.name}?`} action="Delete" onClose={() => doom(undefined)} onConfirm={() => put((old) => old.filter((_, i) => i !== doomed), `Ruleset ${dying.name} is deleted`)}>
          Its rules stay, but apply no longer unless another ruleset carries them.
        </Confirm>
      )}
    </>
  );
}

function RulesetDialog({ set, known, onSave, onClose }: { set: Ruleset; known: string[]; onSave: (set: Ruleset) => Promise<void>; onClose: () => void }) {
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
        <ConditionBuilder when={draft.when} models={[]} onChange={(when) => setDraft({ ...draft, when })} />
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
