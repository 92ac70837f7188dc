// A fire drill: one real request through the policy, in which a target of choice meets a failure of choice.
import { useState } from "preact/hooks";
import { CLASSES } from "../api/types";
import { token } from "../lib/session";
import { useAction } from "../lib/action";
import { href } from "../lib/router";
import { words } from "../lib/format";
import { Badge, Button, CopyButton, Note, Problem } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { SelectField, TextField } from "../ui/field";

interface Result {
  status: number;
  id: string;
  trail: string[];
  text: string;
}

interface Props {
  /** What the request may ask for: `policy/sonnet`, or a target that no policy leads to. */
  asks: string[];
  /** Targets that may meet the failure; the first is proposed. */
  targets: string[];
  onClose: () => void;
}

export function Drill({ asks, targets, onClose }: Props) {
  const [asked, ask] = useState(asks[0] ?? "");
  const [target, setTarget] = useState(targets[0] ?? "*");
  const [outcome, setOutcome] = useState<string>("overloaded");
  const [key, setKey] = useState("");
  // No cap on tokens: reasoning models refuse `max_tokens`, which goes up as it is sent.
  const body = { model: asked, messages: [{ role: "user", content: "This is a drill. Answer with one word." }] };
  const { data: result, error, busy, run } = useAction(() => drill(body, `${target}=${outcome}`, key));
  const curl = `curl ${location.origin}/v1/chat/completions -H 'authorization: Bearer <gateway key>' -H 'x-understudy-admin: <admin token>' -H 'x-understudy-drill: ${target}=${outcome}' -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;

  return (
    <Dialog title={asks.length > 1 ? "Drill" : `Drill ${asked}`} onClose={onClose}>
      <p class="muted">One real request is sent. The target below meets the failure in place of its real call; the others are called and may cost a little. The drill stays out of the figures.</p>
      {asks.length > 1 && <SelectField label="Request asks for" value={asked} options={asks.map((one) => [one, one] as const)} onValue={ask} />}
      <TextField label="Target" mono value={target} options={[...targets, "*"]} onValue={setTarget} />
      <SelectField label="Meets" value={outcome} options={CLASSES.map((name) => [name, words(name)] as const)} onValue={setOutcome} />
      <TextField label="Gateway key" type="password" placeholder="us-…" hint="Needed unless the Worker runs locally with AUTH=off. It is used for this request and forgotten." value={key} onValue={setKey} />
      {error && <Problem error={error} />}
      {result && <Outcome result={result} />}
      <div class="dialog-foot">
        <span class="row tight push"><span class="small muted">As curl</span><CopyButton text={curl} label="Copy the drill as a curl command" /></span>
        <Button kind="primary" icon="bolt" disabled={busy} onClick={() => void run()}>{busy ? "Drilling…" : "Run the drill"}</Button>
      </div>
    </Dialog>
  );
}

async function drill(body: unknown, outcome: string, key: string): Promise<Result> {
  const headers: Record<string, string> = { "content-type": "application/json", "x-understudy-drill": outcome, "x-understudy-admin": token.value };
  if (key) headers["authorization"] = `Bearer ${key}`;
  const response = await fetch("/v1/chat/completions", { method: "POST", headers, body: JSON.stringify(body), credentials: "omit", cache: "no-store" }).catch(() => {
    throw new Error("The Worker did not answer.");
  });
  const text = await response.text();
  return { status: response.status, id: response.headers.get("x-understudy-request-id") ?? "", trail: (response.headers.get("x-understudy-trail") ?? "").split(", ").filter(Boolean), text: response.ok ? "" : messageOf(text) };
}

function messageOf(text: string): string {
  try {
    const data = JSON.parse(text) as { error?: { message?: string } };
    return data.error?.message ?? text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}

function Outcome({ result }: { result: Result }) {
  const ok = result.status < 400;
  return (
    <Note tone={ok ? "info" : "warn"}>
      <div class="stack tight">
        <div class="row"><Badge tone={ok ? "good" : "bad"} dot>{ok ? "answered after all" : `failed with ${result.status}`}</Badge></div>
        {result.text && <p>{result.text}</p>}
        {result.trail.map((step, n) => <code key={n} class="small wrap">{step}</code>)}
        {/* What was refused before any hop stood is not on record. */}
        {result.trail.length > 0 && <a href={href("requests", { id: result.id })}>Open its waterfall</a>}
      </div>
    </Note>
  );
}
