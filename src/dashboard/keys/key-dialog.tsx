// Creating and changing a gateway key. The key itself is shown once.
import { useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { policies } from "../api/read";
import type { GatewayKey } from "../api/types";
import { called, fieldTime } from "../lib/format";
import { useResource } from "../lib/resource";
import { at, within } from "../policy/draft";
import { Button, Note, Problem, copyText } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Check, TextArea, TextField } from "../ui/field";

/** What the dialog sets; null takes a field away. */
export type KeyFields = { [Field in keyof GatewayKey]?: GatewayKey[Field] | null };

export function KeyDialog({ value, onSave, onClose }: { value: GatewayKey | undefined; onSave: (fields: KeyFields) => Promise<void>; onClose: () => void }) {
  const [name, setName] = useState(value?.name ?? "");
  const [group, setGroup] = useState(value?.group ?? "");
  const [user, setUser] = useState(value?.user ?? "");
  const [allow, setAllow] = useState(value ? (value.allow ?? []).join("\n") : "policy/*");
  const [deny, setDeny] = useState((value?.deny ?? []).join("\n"));
  const [policy, setPolicy] = useState(value?.policy ?? "");
  const [day, setDay] = useState(text(value?.budget_usd_per_day));
  const [month, setMonth] = useState(text(value?.budget_usd_per_month));
  const [expires, setExpires] = useState(fieldTime(value?.expires_at));
  const [disabled, setDisabled] = useState(value?.disabled ?? false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const known = useResource("policy names", (signal) => policies(signal));

  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onSave({ name: name.trim(), group: orNull(group), user: orNull(user), ...allowed(allow, value), deny: lines(deny), policy: orNull(policy), budget_usd_per_day: number(day), budget_usd_per_month: number(month), expires_at: moment(expires, value?.expires_at), disabled });
      onClose();
    } catch (caught) {
      setError(caught as Error);
      setBusy(false);
    }
  };
  const findings = error instanceof ApiError ? error.findings : [];
  const said = (field: string) => [...at(findings, field), ...within(findings, field, []).filter((finding) => finding.path !== field)];
  return (
    <Dialog large title={value ? `Key ${called(value)}` : "Create key"} onClose={onClose}>
      <div class="form-grid pair">
        <TextField label="Name" autofocus={!value} placeholder="web" value={name} findings={said("name")} onValue={setName} hint="Which application uses it." />
        <TextField label="Policy when a request names none" mono placeholder="sonnet" value={policy} options={(known.data ?? []).map((one) => one.name)} findings={said("policy")} onValue={setPolicy} />
        <TextField label="Group" placeholder="none" value={group} findings={said("group")} onValue={setGroup} hint="Wins over what a request claims." />
        <TextField label="User" placeholder="none" value={user} findings={said("user")} onValue={setUser} />
        <TextArea label="May ask for" mono rows={3} value={allow} findings={said("allow")} onValue={setAllow} />
        <TextArea label="Never, whatever a chain says" mono rows={3} value={deny} findings={said("deny")} onValue={setDeny} />
        <TextField label="Budget a day, USD" type="number" min={0} step="any" placeholder="no limit" value={day} findings={said("budget_usd_per_day")} onValue={setDay} />
        <TextField label="Budget a month, USD" type="number" min={0} step="any" placeholder="no limit" value={month} findings={said("budget_usd_per_month")} onValue={setMonth} />
        <TextField label="Expires" type="datetime-local" value={expires} findings={said("expires_at")} onValue={setExpires} hint="Your local time. Empty is never." />
      </div>
      <p class="small muted">One pattern a line, such as <code>policy/*</code> or <code>openai/gpt-4o*</code>. {value?.allow?.length === 0 ? "Its list of patterns is empty: it may ask for nothing." : "With no pattern it may ask for anything."}</p>
      {value && <Check label="Switched off: requests with this key are refused" checked={disabled} onValue={setDisabled} />}
      {error && <Problem error={error} />}
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" disabled={busy || !name.trim()} onClick={save}>{busy ? "Saving…" : value ? "Save key" : "Create key"}</Button>
      </div>
    </Dialog>
  );
}

const text = (value: number | null | undefined) => (value === null || value === undefined ? "" : String(value));
/** Nothing where it was not touched: a list of no pattern allows nothing, and no list anything. */
function allowed(text: string, before: GatewayKey | undefined): KeyFields {
  const allow = lines(text);
  if (before && allow.join() === (before.allow ?? []).join()) return {};
  return allow.length ? { allow } : before ? { allow: null } : {};
}
const orNull = (value: string) => value.trim() || null;
const lines = (value: string) => value.split(/[\n,]/).map((one) => one.trim()).filter(Boolean);
/** What stands in the field as a moment; one that was not touched keeps its seconds. */
const moment = (text: string, before: string | null | undefined) => (text === fieldTime(before) ? (before ?? null) : text ? new Date(text).toISOString() : null);
const number = (value: string) => (value.trim() === "" ? null : Number(value));

export function KeyOnce({ name, secret, onClose }: { name: string; secret: string; onClose: () => void }) {
  return (
    <Dialog title={`Key ${name} is created`} onClose={onClose}>
      <Note tone="warn">Copy it now. It is shown this once; only its hash is stored.</Note>
      <div class="with-button">
        <input class="input mono" aria-label="The new key" readOnly value={secret} onFocus={(event) => event.currentTarget.select()} />
        <Button kind="primary" icon="copy" onClick={() => copyText(secret, "the key")}>Copy</Button>
      </div>
      <p class="small muted">Use it as the API key of your SDK, with this Worker’s <code>/v1</code> as its <code>base_url</code>.</p>
      <div class="dialog-foot"><Button onClick={onClose}>I have stored it</Button></div>
    </Dialog>
  );
}
