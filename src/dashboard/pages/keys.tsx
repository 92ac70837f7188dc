// Gateway keys: what clients sign in with, what they may ask for, what they may spend.
import { useState } from "preact/hooks";
import { call, path } from "../api/client";
import { keys, ownProviders } from "../api/read";
import type { GatewayKey } from "../api/types";
import { ago, called, fullTime, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { KeyDialog, KeyOnce, type KeyFields } from "../keys/key-dialog";
import { OwnKeys } from "../keys/own-keys";
import { Usage } from "../keys/usage";
import { Badge, Button, Card, Empty, IconButton, Loading, PageHead, Problem, toast } from "../ui/basics";
import { Confirm } from "../ui/dialog";

export function Keys() {
  const found = useResource("keys", (signal) => keys(signal));
  const [editing, edit] = useState<GatewayKey | "new">();
  const [doomed, doom] = useState<GatewayKey>();
  const [made, setMade] = useState<{ name: string; key: string }>();
  const create = <Button kind="primary" icon="plus" onClick={() => edit("new")}>Create key</Button>;

  const save = async (fields: KeyFields) => {
    if (editing === "new") {
      const { data } = await call<{ key: string; name?: string }>("POST", path("keys"), { body: fields });
      setMade({ name: fields.name ?? "", key: data.key });
    } else if (editing) {
      await call("PATCH", path("keys", editing.id), { body: fields });
      toast(`Key ${fields.name ?? called(editing)} is stored`);
    }
    found.reload();
  };
  const remove = async (key: GatewayKey) => {
    await call("DELETE", path("keys", key.id));
    toast(`Key ${called(key)} is deleted`);
    found.reload();
  };

  return (
    <>
      <PageHead title="Keys" note="Each application gets its own gateway key. Only a key’s hash is stored.">{create}</PageHead>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading />}
      {found.data && !found.data.length && <Card><Empty icon="keys" title="No keys yet" action={create}>Create one for each application: it names who asks, bounds what it may ask for and what it may spend.</Empty></Card>}
      {found.data?.map((key) => <KeyCard key={key.id} value={key} onEdit={() => edit(key)} onDelete={() => doom(key)} onChanged={found.reload} />)}
      {editing && <KeyDialog value={editing === "new" ? undefined : editing} onSave={save} onClose={() => edit(undefined)} />}
      {made && <KeyOnce name={made.name} secret={made.key} onClose={() => setMade(undefined)} />}
      {doomed && (
        <Confirm title={`Delete key ${called(doomed)}?`} action="Delete" onClose={() => doom(undefined)} onConfirm={() => remove(doomed)}>
          Requests with it get 401 from then on. This cannot be taken back; to pause a key, edit it and switch it off.
        </Confirm>
      )}
    </>
  );
}

function KeyCard({ value, onEdit, onDelete, onChanged }: { value: GatewayKey; onEdit: () => void; onDelete: () => void; onChanged: () => void }) {
  const [open, setOpen] = useState(false);
  const expired = value.expires_at ? Date.parse(value.expires_at) < Date.now() : false;
  return (
    <section class="card policy-card">
      <div class="policy-top">
        <div class="policy-name">
          <h2 class="wrap">{called(value)}</h2>
          {value.error !== undefined ? <Badge tone="bad" dot>does not parse</Badge> : value.disabled ? <Badge tone="warn" dot>switched off</Badge> : expired ? <Badge tone="bad" dot>expired</Badge> : <Badge tone="good" dot>active</Badge>}
          {value.group && <Badge>group {value.group}</Badge>}
          {value.user && <Badge>user {value.user}</Badge>}
        </div>
        <div class="row tight nowrap-row">
          {value.error === undefined && <IconButton icon="edit" label={`Edit key ${called(value)}`} onClick={onEdit} />}
          <IconButton icon="trash" danger label={`Delete key ${called(value)}`} onClick={onDelete} />
        </div>
      </div>
      {value.error !== undefined ? <p class="small bad wrap">{value.error}</p> : <Facts value={value} expired={expired} />}
      {value.error === undefined && <details class="more" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Usage and own provider keys ({ownProviders(value).length})</summary>
        {open && (
          <div class="grid two key-more">
            <Usage id={value.id} value={value} />
            <OwnKeys value={value} onChanged={onChanged} />
          </div>
        )}
      </details>}
    </section>
  );
}

function Facts({ value, expired }: { value: GatewayKey; expired: boolean }) {
  return (
    <dl class="facts">
      <div><dt>May ask for</dt><dd class="row tight">{chips(value.allow, value.allow ? "nothing" : "anything")}</dd></div>
      {(value.deny?.length ?? 0) > 0 && <div><dt>Never</dt><dd class="row tight">{chips(value.deny, "")}</dd></div>}
      <div><dt>Policy when none is named</dt><dd>{value.policy || <span class="muted">none</span>}</dd></div>
      <div><dt>Budget</dt><dd>{budget(value)}</dd></div>
      {value.expires_at && <div><dt>{expired ? "Expired" : "Expires"}</dt><dd>{fullTime(value.expires_at)}</dd></div>}
      {value.created_at && <div><dt>Created</dt><dd title={fullTime(value.created_at)}>{ago(value.created_at)}</dd></div>}
    </dl>
  );
}

function chips(list: string[] | undefined, none: string) {
  return list?.length ? list.map((one, n) => <span key={n} class="chip">{one}</span>) : <span class="muted">{none}</span>;
}

function budget(key: GatewayKey) {
  const parts = [key.budget_usd_per_day != null && `${usd(key.budget_usd_per_day)} a day`, key.budget_usd_per_month != null && `${usd(key.budget_usd_per_month)} a month`].filter(Boolean);
  return parts.length ? parts.join(", ") : <span class="muted">no limit</span>;
}
