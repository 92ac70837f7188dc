// What the policy would do in an outage, as it stands in the editor: played again after each change that the linter lets pass.
import { useEffect, useState } from "preact/hooks";
import { simulate } from "../api/read";
import type { PolicyDocument, Simulation, Stored } from "../api/types";
import { Card, Problem } from "../ui/basics";
import { SelectField } from "../ui/field";
import { expand, stringify } from "./draft";
import { Ending, SCENES, Steps, scriptOf } from "./simulate";

interface Props {
  name: string;
  document: PolicyDocument;
  all: Stored<PolicyDocument>[];
  /** Whether the document can be played: no errors, and the linter has read it. */
  ready: boolean;
}

const OPTIONS = SCENES.map(([text], n) => [String(n), text] as const);

export function Rehearsal({ name, document, all, ready }: Props) {
  const [scene, setScene] = useState("0");
  const [run, setRun] = useState<Simulation>();
  const [error, setError] = useState<Error>();
  const written = stringify(document);

  useEffect(() => {
    if (!ready) return;
    const controller = new AbortController();
    const script = scriptOf(SCENES[Number(scene)]![1](expand(document, all)));
    simulate(name || "draft", script, document, controller.signal).then(
      (data) => (setRun(data), setError(undefined)),
      (caught: Error) => controller.signal.aborted || setError(caught),
    );
    return () => controller.abort();
  }, [ready, scene, written, all]);

  return (
    <Card title="Rehearsal" actions={run && <Ending run={run} />}>
      <div class="stack">
        <SelectField small hideLabel label="What goes wrong" value={scene} options={OPTIONS} onValue={setScene} />
        {error && <Problem error={error} />}
        {run ? <div class={ready ? "" : "stale"}><Steps run={run} /></div> : !error && <p class="small muted">Plays as soon as every hop has a model and the linter finds no error: each call, wait and skip on a virtual clock. Nothing is called.</p>}
      </div>
    </Card>
  );
}
