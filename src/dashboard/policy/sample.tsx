// The request that Explain and Compare work on: a route and its JSON body.
import { useState } from "preact/hooks";
import { ROUTES } from "../api/types";
import { Button } from "../ui/basics";
import { SelectField, TextArea } from "../ui/field";

export interface Sample {
  route: string;
  body: unknown;
}

const QUESTION = "What does an understudy do? One sentence.";

function bodyFor(route: string, name: string): unknown {
  const model = `policy/${name}`;
  switch (route) {
    case "responses":
      return { model, input: QUESTION, max_output_tokens: 100 };
    case "messages":
      return { model, max_tokens: 100, messages: [{ role: "user", content: QUESTION }] };
    case "embeddings":
      return { model, input: QUESTION };
    case "completions":
      return { model, prompt: QUESTION, max_tokens: 100 };
    default:
      return { model, messages: [{ role: "user", content: QUESTION }] };
  }
}

export function SampleForm({ name, action, busy, onRun }: { name: string; action: string; busy: boolean; onRun: (sample: Sample) => void }) {
  const [route, setRoute] = useState<string>("chat");
  const [text, setText] = useState(() => JSON.stringify(bodyFor("chat", name), null, 2));
  const [error, setError] = useState("");

  const choose = (next: string) => {
    setRoute(next);
    setText(JSON.stringify(bodyFor(next, name), null, 2));
    setError("");
  };
  const run = () => {
    try {
      const body: unknown = JSON.parse(text);
      setError("");
      onRun({ route, body });
    } catch (caught) {
      setError(`The body is not JSON: ${(caught as Error).message}`);
    }
  };
  return (
    <div class="stack">
      <SelectField label="Route" value={route} options={ROUTES.map((one) => [one, `/v1/${one === "chat" ? "chat/completions" : one}`] as const)} onValue={choose} />
      <TextArea label="Body" mono rows={11} value={text} onValue={setText} findings={error ? [{ severity: "error", path: "", message: error }] : []} />
      <div><Button kind="primary" icon="play" disabled={busy} onClick={run}>{busy ? "Working…" : action}</Button></div>
    </div>
  );
}
