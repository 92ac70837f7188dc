// Rules: a condition and an action each. They do nothing until a ruleset carries them.
import { useState } from "preact/hooks";
import type { Rule, RulesDocument } from "../api/types";
import { href, route, setQuery } from "../lib/router";
import { RuleDialog } from "../rules/rule-dialog";
import { useKnownModels, useRules } from "../rules/use-rules";
import { WhichRule, effect } from "../rules/which-rule";
import { sentence } from "../rules/conditions";
import { Badge, Button, Card, Empty, IconButton, Loading, PageHead, Problem } from "../ui/basics";
import { Confirm } from "../ui/dialog";

const FRESH: Rule = { description: "", when: { model: "" }, then: { fallback: [{ model: "", retries: 1 }] } };

export function Rules() {
  const rules = useRules();
  const models = useKnownModels();
  const editing = route.value.query.get("edit");
  const [creating, setCreating] = useState(false);
  const [doomed, doom] = useState<string>();
  const document = rules.document;
  const names = Object.keys(document?.rules ?? {});
  const create = <Button kind="primary" icon="plus" disabled={!document} onClick={() => setCreating(true)}>Create rule</Button>;

  return (
    <>
      <PageHead title="Rules" note="A rule changes how requests that meet its condition are routed. It takes effect once a ruleset carries it.">{create}</PageHead>
      {rules.error && <Problem error={rules.error} retry={rules.reload} />}
      {!document && rules.loading && <Loading />}
      {document && (
        <div class="grid aside">
          <div class="stack">
            {!names.length && <Card><Empty icon="rules" title="No rules yet" action={create}>For example: when the model is <code>openai/gpt-4o</code>, fall back to Claude with one retry each.</Empty></Card>}
            {names.map((name) => <RuleCard key={name} name={name} rule={document.rules[name]!} carriers={carriers(document, name)} onEdit={() => setQuery({ edit: name })} onDelete={() => doom(name)} />)}
          </div>
          <WhichRule document={document} models={models} />
        </div>
      )}
      {document && creating && (
        <RuleDialog name="" rule={FRESH} taken={names} models={models} onClose={() => setCreating(false)} onSave={(name, rule) => rules.save((old) => ({ ...old, rules: { ...old.rules, [name]: rule } }), `Rule ${name} is stored`)} />
      )}
      {document && editing && document.rules[editing] && (
        <RuleDialog key={editing} name={editing} rule={document.rules[editing]} taken={names} models={models} onClose={() => setQuery({ edit: null })} onSave={(name, rule) => rules.save((old) => renamed(old, editing, name, rule), `Rule ${name} is stored`)} />
      )}
      {doomed !== undefined && (
        <Confirm title={`Delete rule ${doomed}?`} action="Delete" onClose={() => doom(undefined)} onConfirm={() => rules.save((old) => without(old, doomed), `Rule ${doomed} is deleted`)}>
          {document && carriers(document, doomed).length ? <>It is also taken out of {carriers(document, doomed).join(", ")}.</> : "No ruleset carries it."}
        </Confirm>
      )}
    </>
  );
}

function RuleCard({ name, rule, carriers, onEdit, onDelete }: { name: string; rule: Rule; carriers: string[]; onEdit: () => void; onDelete: () => void }) {
  return (
    <section class="card policy-card">
      <div class="policy-top">
        <div class="policy-name">
          <h2 class="wrap">{name}</h2>
          {carriers.length ? carriers.map((one) => <a key={one} href={href("rulesets")}><Badge tone="accent">{one}</Badge></a>) : <Badge tone="warn">in no ruleset</Badge>}
        </div>
        <div class="row tight nowrap-row">
          <IconButton icon="edit" label={`Edit rule ${name}`} onClick={onEdit} />
          <IconButton icon="trash" danger label={`Delete rule ${name}`} onClick={onDelete} />
        </div>
      </div>
      {rule.description && <p class="muted wrap">{rule.description}</p>}
      <dl class="when-then wrap">
        <dt>When</dt><dd class="mono">{sentence(rule.when)}</dd>
        <dt>Then</dt><dd>{effect(rule.then)}</dd>
      </dl>
    </section>
  );
}

const carriers = (document: RulesDocument, rule: string) => document.rulesets.filter((ruleset) => ruleset.rules.includes(rule)).map((ruleset) => ruleset.name);

function renamed(document: RulesDocument, from: string, to: string, rule: Rule): RulesDocument {
  return {
    ...document,
    rules: Object.fromEntries(Object.entries(document.rules).map(([name, old]) => (name === from ? [to, rule] : [name, old]))),
    rulesets: document.rulesets.map((ruleset) => ({ ...ruleset, rules: ruleset.rules.map((name) => (name === from ? to : name)) })),
  };
}

function without(document: RulesDocument, name: string): RulesDocument {
  const { [name]: _gone, ...rules } = document.rules;
  return { ...document, rules, rulesets: document.rulesets.map((ruleset) => ({ ...ruleset, rules: ruleset.rules.filter((one) => one !== name) })) };
}
