import { useState } from "preact/hooks";
import { ApiError, get } from "../api/client";
import { signIn, signedOutBecause } from "../lib/session";
import { Note } from "../ui/basics";
import { TextField } from "../ui/field";
import { Logo } from "../ui/icon";

export function SignIn() {
  const [value, setValue] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  const submit = async (event: Event) => {
    event.preventDefault();
    const token = value.trim();
    if (!token) return setError("Enter the admin token.");
    // The browser would send nothing at all, which looks like a Worker that does not answer.
    if (!/^[\x20-\x7e]+$/.test(token)) return setError("This token is not the Worker’s admin token: it has characters that no header can hold.");
    setBusy(true);
    setError("");
    try {
      await get("/admin/policies", { token });
      signIn(token);
    } catch (caught) {
      setError(sentence(caught as Error));
      setBusy(false);
    }
  };

  return (
    <main class="signin">
      <div class="signin-card">
        <div class="brand"><Logo size={32} /> Understudy</div>
        <h1>Sign in</h1>
        {signedOutBecause.value && <Note>{signedOutBecause.value}</Note>}
        <form onSubmit={submit} noValidate>
          <TextField label="Admin token" type="password" autofocus value={value} onValue={setValue} findings={error ? [{ severity: "error", path: "", message: error }] : []} autocomplete="current-password" />
          <button class="btn primary" disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
        </form>
        <details class="more">
          <summary>Where do I find it?</summary>
          <p>It is the Worker’s secret <code>ADMIN_TOKEN</code>. Locally it stands in <code>.dev.vars</code>; once deployed, set it with <code>npx wrangler secret put ADMIN_TOKEN</code>.</p>
          <p>It is kept for this browser tab alone.</p>
        </details>
      </div>
    </main>
  );
}

function sentence(error: Error): string {
  if (error instanceof ApiError && error.status === 401) return "This token is not the Worker’s admin token.";
  return error.message;
}
