// Tests that must all hold, one row each; none means always. What rows cannot say is shown as JSON.
import { useState } from "preact/hooks";
import type { Condition } from "../api/types";
import { stringify } from "../policy/draft";
import { Button, IconButton } from "../ui/basics";
import { Findings, SelectField, TextArea, TextField } from "../ui/field";
import { OPERATORS, conditionOf, operatorText, sentence, testsOf, type Test } from "./conditions";

const KINDS = [["model", "Model"], ["group", "Group"], ["user", "User"], ["metadata.", "Metadata field"], ["key", "Gateway key"], ["route", "Route"], ["stream", "Stream"], ["header.", "Header"]] as const;
type Kind = (typeof KINDS)[number][0];

export function ConditionBuilder({ when, models, onChange }: { when: Condition; models: string[]; onChange: (when: Condition) => void }) {
  const read = testsOf(when);
  const [tests, setTests] = useState<Test[] | null>(read);
  if (!read || !tests) return <ConditionJson when={when} onChange={onChange} />;
  const set = (next: Test[]) => {
    setTests(next);
    onChange(conditionOf(next));
  };
  const twice = tests.map((test) => test.key).find((key, n, keys) => keys.indexOf(key) !== n);
  const change = (n: number, part: Partial<Test>) => set(tests.map((test, i) => (i === n ? { ...test, ...part } : test)));
  return (
    <div class="stack tight">
      {tests.length === 0 && <p class="muted small">Always: every request meets this condition.</p>}
      {tests.map((test, n) => (
        <TestRow key={n} test={test} models={models} onChange={(part) => change(n, part)} onRemove={() => set(tests.filter((_, i) => i !== n))} />
      ))}
      {twice && <Findings findings={[{ severity: "warning", path: "", message: `Only the last test of ${twice} counts. Use “is one of” for several values, or write the condition as JSON with any or all.` }]} />}
      <div class="row tight">
        <Button small icon="plus" onClick={() => set([...tests, { key: free(tests), operator: "is", value: "" }])}>Add a test</Button>
        {tests.length > 0 && <Button small kind="ghost" onClick={() => set([])}>Always</Button>}
        <Button small kind="ghost" onClick={() => setTests(null)}>As JSON</Button>
      </div>
    </div>
  );
}

/** A key that no other test uses: a condition names each once. */
function free(tests: Test[]): string {
  return KINDS.find(([key]) => !tests.some((test) => test.key === key || (key.endsWith(".") && test.key.startsWith(key))))?.[0] ?? "metadata.";
}

function TestRow({ test, models, onChange, onRemove }: { test: Test; models: string[]; onChange: (part: Partial<Test>) => void; onRemove: () => void }) {
  const kind: Kind = KINDS.find(([key]) => (key.endsWith(".") ? test.key.startsWith(key) : test.key === key))?.[0] ?? "metadata.";
  const named = kind.endsWith(".");
  const valued = test.operator !== "exists" && test.operator !== "missing";
  return (
    <div class="test-row">
      <SelectField small hideLabel label="What is looked at" value={kind} options={KINDS} onValue={(key) => onChange({ key, ...(key === "group" && !test.value ? { operator: "exists" as const } : {}) })} />
      {named && <TextField small hideLabel mono label="Field" placeholder={kind === "header." ? "x-team" : "plan"} value={test.key.slice(kind.length)} onValue={(name) => onChange({ key: kind + name })} />}
      <SelectField small hideLabel label="Comparison" value={test.operator} options={OPERATORS.map((operator) => [operator, operatorText(operator)] as const)} onValue={(operator) => onChange({ operator })} />
      {valued && <TextField small hideLabel mono label="Value" placeholder={PLACEHOLDERS[kind]} value={test.value} options={kind === "model" ? models : undefined} onValue={(value) => onChange({ value })} />}
      <IconButton icon="trash" danger label="Remove this test" onClick={onRemove} />
    </div>
  );
}

const PLACEHOLDERS: Record<Kind, string> = { model: "openai/gpt-4o*", group: "acme", user: "user-7", "metadata.": "free", key: "web", route: "chat", stream: "true", "header.": "value" };

function ConditionJson({ when, onChange }: { when: Condition; onChange: (when: Condition) => void }) {
  const [text, setText] = useState(() => stringify(when));
  const [error, setError] = useState("");
  const type = (next: string) => {
    setText(next);
    try {
      const value: unknown = JSON.parse(next);
      if (!value || typeof value !== "object" || Array.isArray(value)) return setError("A condition is a JSON object.");
      setError("");
      onChange(value as Condition);
    } catch (caught) {
      setError((caught as Error).message);
    }
  };
  return <TextArea label="Condition as JSON" mono rows={6} value={text} onValue={type} hint={error ? undefined : `Read as: ${sentence(when)}`} findings={error ? [{ severity: "error", path: "", message: error }] : []} />;
}
