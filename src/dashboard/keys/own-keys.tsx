// Provider keys that a gateway key brings of its own. They are stored encrypted and never shown again.
import { useState } from "preact/hooks";
import { call, path } from "../api/client";
import { ownProviders } from "../api/read";
import type { GatewayKey } from "../api/types";
import { IconButton, Problem, toast } from "../ui/basics";
import { TextField } from "../ui/field";

const COMMON = ["openai", "anthropic", "google", "azure", "deepseek", "mistral", "groq", "together", "fireworks", "openrouter", "xai"];

export function OwnKeys({ value, onChanged }: { value: GatewayKey; onChanged: () => void }) {
  const [provider, setProvider] = useState("");
  const [secret, setSecret] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const stored = ownProviders(value);

  const act = async (work: () => Promise<unknown>, done: string) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
      toast(done);
      setProvider("");
      setSecret("");
      onChanged();
    } catch (caught) {
      setError(caught as Error);
    }
    setBusy(false);
  };
  return (
    <div class="stack tight">
      <h3>Own provider keys</h3>
      {!stored.length && <p class="small muted">None. Hops whose key is “own” need one, or one sent with the request.</p>}
      <ul class="stack tight">
        {stored.map((name) => (
          <li key={name} class="picked">
            <span class="wrap">{name}</span>
            <span class="push"><IconButton icon="trash" danger label={`Remove the ${name} key`} disabled={busy} onClick={() => act(() => call("DELETE", path("keys", value.id, "own", name)), `The ${name} key is removed`)} /></span>
          </li>
        ))}
      </ul>
      <form class="own-form" onSubmit={(event) => { event.preventDefault(); act(() => call("PUT", path("keys", value.id, "own", provider), { body: { key: secret } }), `The ${provider} key is stored`); }}>
        <TextField small label="Provider" value={provider} options={COMMON} placeholder="anthropic" onValue={setProvider} />
        <TextField small label="Its key" type="password" value={secret} placeholder="sk-…" onValue={setSecret} />
        <button class="btn small" disabled={busy || !provider || !secret}>Store</button>
      </form>
      {error && <Problem error={error} />}
      <p class="small muted">Encrypted with the Worker’s <code>KEK</code>; never shown again.</p>
    </div>
  );
}

