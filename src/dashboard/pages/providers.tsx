// Providers: which are ready, which secret is missing, and how each target in use is doing.
import { useState } from "preact/hooks";
import { call, path } from "../api/client";
import { providers, targets } from "../api/read";
import type { Provider, Target } from "../api/types";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { breakerOf, breakerSaid, breakerTone } from "../policy/chain-picture";
import { Drill } from "../policy/drill";
import { OutcomeBar } from "../ui/outcome-bar";
import { ProviderDialog } from "../providers/provider-dialog";
import { Badge, Button, Card, CopyButton, Empty, IconButton, Loading, Model, PageHead, Problem, toast } from "../ui/basics";
import { Confirm } from "../ui/dialog";

export function Providers() {
  const found = useResource("providers", (signal) => providers(signal));
  const used = useResource("targets", (signal) => targets(signal), 5_000);
  const [editing, edit] = useState<Provider | "new">();
  const [doomed, doom] = useState<Provider>();
  const [drilled, drill] = useState<Target>();
  const list = [...(found.data ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  const grid = (title: string, some: Provider[]) =>
    some.length > 0 && (
      <section class="stack tight">
        <h2>{title} <span class="faint num">{some.length}</span></h2>
        <ul class="provider-grid">
          {some.map((provider) => <ProviderCard key={provider.name} value={provider} onEdit={() => edit(provider)} onDelete={() => doom(provider)} />)}
        </ul>
      </section>
    );
  return (
    <>
      <PageHead title="Providers" note="Where models are called. A provider is ready when its secret is set.">
        <Button kind="primary" icon="plus" onClick={() => edit("new")}>Add provider</Button>
      </PageHead>
      <Card title="Targets in use" note="Every model that policies and rules can reach." flush>
        {used.error && <div class="padded"><Problem error={used.error} retry={used.reload} /></div>}
        {!used.data && used.loading && <div class="padded"><Loading /></div>}
        {used.data && (used.data.length ? <TargetTable targets={used.data} onDrill={drill} /> : <Empty icon="providers" title="No targets in use">Create a policy, and its models appear here.</Empty>)}
      </Card>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading />}
      {grid("Ready", list.filter((provider) => provider.configured))}
      {grid("Not set up", list.filter((provider) => !provider.configured))}
      {drilled && <Drill asks={drilled.policies?.length ? drilled.policies.map((name) => `policy/${name}`) : [drilled.model]} targets={[drilled.model]} onClose={() => drill(undefined)} />}
      {editing && <ProviderDialog value={editing === "new" ? undefined : editing} onSaved={() => { found.reload(); used.reload(); }} onClose={() => edit(undefined)} />}
      {doomed && (
        <Confirm title={`Delete provider ${doomed.name}?`} action="Delete" onClose={() => doom(undefined)} onConfirm={async () => { await call("DELETE", path("providers", doomed.name)); toast(`Provider ${doomed.name} is deleted`); found.reload(); }}>
          {doomed.builtin ? "The built-in entry takes its place again." : "Policies that name it no longer resolve."}
        </Confirm>
      )}
    </>
  );
}

const isStored = (provider: Provider) => Boolean(provider.document || provider.version);

function ProviderCard({ value, onEdit, onDelete }: { value: Provider; onEdit: () => void; onDelete: () => void }) {
  return (
    <li class={`card provider${value.configured ? "" : " idle"}`}>
      <div class="policy-top">
        <div class="policy-name">
          <h3 class="wrap">{value.name}</h3>
          {value.error ? <Badge tone="bad" dot>does not parse</Badge> : value.configured ? <Badge tone="good" dot>ready</Badge> : <Badge tone="warn" dot>no key</Badge>}
          {isStored(value) && <Badge tone="accent">{value.builtin ? "changed" : "your own"}</Badge>}
        </div>
        <div class="row tight nowrap-row">
          <IconButton icon="edit" label={`${isStored(value) ? "Edit" : "Override"} provider ${value.name}`} onClick={onEdit} />
          {isStored(value) && <IconButton icon="trash" danger label={`Delete provider ${value.name}`} onClick={onDelete} />}
        </div>
      </div>
      {value.base_url && <code class="small faint wrap">{value.base_url}</code>}
      {value.error && <p class="small bad wrap">{value.error}</p>}
      {!value.configured && value.missing && (
        <p class="small"><span class="muted">Set </span><code class="strong wrap">{value.missing}</code><CopyButton text={`npx wrangler secret put ${value.missing}`} label={`Copy the command that sets ${value.missing}`} /></p>
      )}
    </li>
  );
}

function TargetTable({ targets, onDrill }: { targets: Target[]; onDrill: (target: Target) => void }) {
  return (
    <div class="table-wrap">
      <table class="table cards">
        <thead><tr><th>Target</th><th>Key</th><th>Breaker</th><th>Outcomes of the day</th><th>Used by</th><th><span class="sr">Drill</span></th></tr></thead>
        <tbody>
          {targets.map((target) => (
            <tr key={target.model}>
              <td class="lead"><a href={href("requests", { target: target.model })}><Model name={target.model} /></a></td>
              <td data-label="Key">{target.configured === false ? <Badge tone="bad" dot>{target.missing ? `${target.missing} missing` : "missing"}</Badge> : <Badge tone="good" dot>configured</Badge>}</td>
              <td data-label="Breaker"><Breaker target={target} /></td>
              <td data-label="Outcomes of the day" class="full"><Outcomes target={target} /></td>
              <td data-label="Used by" class="wrap"><span class="row tight">{(target.policies ?? []).map((name) => <a key={name} href={href("policies", name)}>{name}</a>)}</span></td>
              <td class="r"><Button small icon="bolt" aria-label={`Drill ${target.model}`} onClick={() => onDrill(target)}>Drill</Button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Breaker({ target }: { target: Target }) {
  return <Badge tone={breakerTone(breakerOf(target))} dot>{breakerSaid(target)}</Badge>;
}

function Outcomes({ target }: { target: Target }) {
  const outcomes = target.outcomes ?? {};
  return Object.keys(outcomes).length ? <OutcomeBar outcomes={outcomes} /> : <span class="faint">none yet</span>;
}
