// Providers: which are ready, which secret is missing, and how each target in use is doing.
import { useState } from "preact/hooks";
import { call, path } from "../api/client";
import { providers, targets } from "../api/read";
import type { Provider, Target } from "../api/types";
import { time, words } from "../lib/format";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { breakerOf } from "../policy/chain-picture";
import { OutcomeBar } from "../ui/outcome-bar";
import { ProviderDialog } from "../providers/provider-dialog";
import { Badge, Button, Card, CopyButton, Empty, IconButton, Loading, PageHead, Problem, toast } from "../ui/basics";
import { Confirm } from "../ui/dialog";

export function Providers() {
  const found = useResource("providers", (signal) => providers(signal));
  const used = useResource("targets", (signal) => targets(signal), 5_000);
  const [editing, edit] = useState<Provider | "new">();
  const [doomed, doom] = useState<Provider>();
  const list = [...(found.data ?? [])].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  return (
    <>
      <PageHead title="Providers" note="Where models are called. A provider is ready when its secret is set.">
        <Button kind="primary" icon="plus" onClick={() => edit("new")}>Add provider</Button>
      </PageHead>
      <Card title="Targets in use" note="Every model that a stored policy can reach." flush>
        {used.error && <div class="padded"><Problem error={used.error} retry={used.reload} /></div>}
        {!used.data && used.loading && <div class="padded"><Loading /></div>}
        {used.data && (used.data.length ? <TargetTable targets={used.data} /> : <Empty icon="providers" title="No targets in use">Create a policy, and its models appear here.</Empty>)}
      </Card>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading />}
      <ul class="provider-grid">
        {list.map((provider) => <ProviderCard key={provider.name} value={provider} onEdit={() => edit(provider)} onDelete={() => doom(provider)} />)}
      </ul>
      {editing && <ProviderDialog value={editing === "new" ? undefined : editing} onSaved={() => { found.reload(); used.reload(); }} onClose={() => edit(undefined)} />}
      {doomed && (
        <Confirm title={`Delete provider ${doomed.name}?`} action="Delete" onClose={() => doom(undefined)} onConfirm={async () => { await call("DELETE", path("providers", doomed.name)); toast(`Provider ${doomed.name} is deleted`); found.reload(); }}>
          {doomed.builtin ? "The built-in entry takes its place again." : "Policies that name it no longer resolve."}
        </Confirm>
      )}
    </>
  );
}

const rank = (provider: Provider) => (provider.configured ? 0 : 1);
const isStored = (provider: Provider) => Boolean(provider.document || provider.version);

function ProviderCard({ value, onEdit, onDelete }: { value: Provider; onEdit: () => void; onDelete: () => void }) {
  return (
    <li class={`card provider${value.configured ? "" : " idle"}`}>
      <div class="policy-top">
        <div class="policy-name">
          <h3 class="wrap">{value.name}</h3>
          {value.configured ? <Badge tone="good" dot>ready</Badge> : <Badge tone="warn" dot>no key</Badge>}
          {isStored(value) && <Badge tone="accent">{value.builtin ? "changed" : "your own"}</Badge>}
        </div>
        <div class="row tight nowrap-row">
          <IconButton icon="edit" label={`${isStored(value) ? "Edit" : "Override"} provider ${value.name}`} onClick={onEdit} />
          {isStored(value) && <IconButton icon="trash" danger label={`Delete provider ${value.name}`} onClick={onDelete} />}
        </div>
      </div>
      {value.base_url && <code class="small faint wrap">{value.base_url}</code>}
      {!value.configured && value.missing && (
        <p class="small"><span class="muted">Set </span><code class="strong wrap">{value.missing}</code><CopyButton text={`npx wrangler secret put ${value.missing}`} label={`Copy the command that sets ${value.missing}`} /></p>
      )}
    </li>
  );
}

function TargetTable({ targets }: { targets: Target[] }) {
  return (
    <div class="table-wrap">
      <table class="table cards">
        <thead><tr><th>Target</th><th>Key</th><th>Breaker</th><th>Outcomes of the day</th><th>Used by</th></tr></thead>
        <tbody>
          {targets.map((target) => (
            <tr key={target.model}>
              <td class="lead mono wrap"><a href={href("requests", { target: target.model })}>{target.model}</a></td>
              <td data-label="Key">{target.configured === false ? <Badge tone="bad" dot>{target.missing ? `${target.missing} missing` : "missing"}</Badge> : <Badge tone="good" dot>configured</Badge>}</td>
              <td data-label="Breaker"><Breaker target={target} /></td>
              <td data-label="Outcomes"><Outcomes target={target} /></td>
              <td data-label="Used by" class="wrap"><span class="row tight">{(target.policies ?? []).map((name) => <a key={name} href={href("policies", name)}>{name}</a>)}</span></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Breaker({ target }: { target: Target }) {
  const state = breakerOf(target);
  const until = typeof target.breaker === "object" ? target.breaker?.until : null;
  const tone = state === "open" ? "bad" : state === "closed" ? "good" : "warn";
  return <Badge tone={tone} dot>{words(state)}{state === "open" && until ? ` until ${time(until)}` : ""}</Badge>;
}

function Outcomes({ target }: { target: Target }) {
  const outcomes = target.outcomes ?? {};
  return Object.keys(outcomes).length ? <OutcomeBar outcomes={outcomes} /> : <span class="faint">none yet</span>;
}
