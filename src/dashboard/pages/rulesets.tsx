// Rulesets: who the rules apply to, in which order.
import { useState } from "preact/hooks";
import type { Ruleset } from "../api/types";
import { href } from "../lib/router";
import { moved } from "../policy/draft";
import { sentence } from "../rules/conditions";
import { RulesetDialog } from "../rules/ruleset-dialog";
import { useKnownModels, useRules } from "../rules/use-rules";
import { WhichRule } from "../rules/which-rule";
import { Button, Card, Empty, IconButton, Loading, PageHead, Problem, toast } from "../ui/basics";
import { Confirm } from "../ui/dialog";

const FRESH: Ruleset = { name: "", description: "", when: { group: { exists: true } }, rules: [] };

export function Rulesets() {
  const rules = useRules();
  const models = useKnownModels();
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
      {document && sets.length > 0 && (
        <div class="grid aside">
          <ol class="stack" aria-label="Rulesets">
            {sets.map((set, n) => <SetCard key={`${set.name}-${n}`} set={set} index={n} last={n === sets.length - 1} onMove={(to) => shift(n, to)} onEdit={() => edit(n)} onDelete={() => doom(n)} />)}
          </ol>
          <WhichRule document={document} models={models} />
        </div>
      )}
      {document && current && (
        <RulesetDialog
          key={String(editing)}
          set={current}
          known={Object.keys(document.rules)}
          models={models}
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

interface SetProps {
  set: Ruleset;
  index: number;
  last: boolean;
  onMove: (to: number) => void;
  onEdit: () => void;
  onDelete: () => void;
}

function SetCard({ set, index, last, onMove, onEdit, onDelete }: SetProps) {
  return (
    <li class="card policy-card">
      <div class="policy-top">
        <div class="policy-name"><span class="order num">{index + 1}</span><h2 class="wrap">{set.name}</h2></div>
        <div class="row tight nowrap-row">
          <IconButton icon="up" label={`Move ${set.name} up`} disabled={index === 0} onClick={() => onMove(index - 1)} />
          <IconButton icon="down" label={`Move ${set.name} down`} disabled={last} onClick={() => onMove(index + 1)} />
          <IconButton icon="edit" label={`Edit ruleset ${set.name}`} onClick={onEdit} />
          <IconButton icon="trash" danger label={`Delete ruleset ${set.name}`} onClick={onDelete} />
        </div>
      </div>
      {set.description && <p class="muted wrap">{set.description}</p>}
      <dl class="when-then wrap">
        <dt>Applies when</dt><dd class="mono">{sentence(set.when)}</dd>
        <dt>Rules</dt>
        <dd class="row tight">{set.rules.length ? set.rules.map((name, i) => <a key={i} class="chip" href={href("rules", { edit: name })}>{name}</a>) : <span class="warn">none: it does nothing</span>}</dd>
      </dl>
    </li>
  );
}
