// A provider as it is stored: any server that speaks OpenAI's or Anthropic's wire.
import { useState } from "preact/hooks";
import { ApiError, call, path } from "../api/client";
import { unless } from "../api/read";
import type { Finding, Provider } from "../api/types";
import { JsonEditor } from "../policy/json-editor";
import { stringify } from "../policy/draft";
import { Button, Problem, toast } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Findings, TextField } from "../ui/field";

const FRESH = { base_url: "https://llm.example.com/v1", dialect: "openai", auth: { header: "authorization", scheme: "Bearer", secret: "EXAMPLE_API_KEY" } };

export function ProviderDialog({ value, onSaved, onClose }: { value: Provider | undefined; onSaved: () => void; onClose: () => void }) {
  const [name, setName] = useState(value?.name ?? "");
  const [text, setText] = useState(() => stringify(value?.document ?? (value ? { base_url: value.base_url ?? "", dialect: value.dialect ?? "openai" } : FRESH)));
  const [findings, setFindings] = useState<Finding[]>([]);
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const parsed = parse(text);

  const save = async () => {
    setBusy(true);
    setError(undefined);
    setFindings([]);
    try {
      await call("PUT", path("providers", name.trim()), { body: parsed.value, headers: unless(value?.version) });
      toast(`Provider ${name} is stored`);
      onSaved();
      onClose();
    } catch (caught) {
      setError(caught as Error);
      setFindings(caught instanceof ApiError ? caught.findings : []);
      setBusy(false);
    }
  };
  return (
    <Dialog large title={value ? `Provider ${value.name}` : "Add provider"} onClose={onClose}>
      {!value && <TextField label="Name" mono autofocus placeholder="inhouse" value={name} onValue={setName} hint="What stands before the slash: inhouse/llama-3." />}
      <div class="stack tight">
        <span class="legend">Document</span>
        <JsonEditor label="The provider as JSON" text={text} findings={findings} invalid={Boolean(parsed.error)} onText={setText} />
        {parsed.error && <Findings findings={[{ severity: "error", path: "", message: parsed.error }]} />}
        <Findings findings={findings} />
      </div>
      <p class="small muted">The secret itself is never stored here: the document names it, and <code>npx wrangler secret put</code> sets it.</p>
      {error && !findings.length && <Problem error={error} />}
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" disabled={busy || !name.trim() || Boolean(parsed.error)} onClick={save}>{busy ? "Saving…" : "Save provider"}</Button>
      </div>
    </Dialog>
  );
}

function parse(text: string): { value?: unknown; error?: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (caught) {
    return { error: (caught as Error).message };
  }
}
