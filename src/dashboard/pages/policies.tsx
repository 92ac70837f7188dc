// Every policy, with the name to copy into a client's model field.
import { useState } from "preact/hooks";
import { analytics, deletePolicy, hopsOf, noteOf, policies } from "../api/read";
import type { PolicyDocument, Stored } from "../api/types";
import { ago, count, percent } from "../lib/format";
import { useResource } from "../lib/resource";
import { go, href } from "../lib/router";
import { Badge, Button, Card, CopyButton, Empty, IconButton, Loading, Model, PageHead, Problem, toast } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Icon } from "../ui/icon";

export function Policies() {
  const found = useResource("policies", (signal) => policies(signal));
  const figures = useResource("policies of the day", (signal) => analytics({}, signal));
  const [doomed, doom] = useState<string>();
  const [search, setSearch] = useState("");
  const all = found.data ?? [];
  const list = all.filter((policy) => finds(policy, search));
  return (
    <>
      <PageHead title="Policies" note="A policy is a chain of models under one name. Clients put policy/<name> in the model field.">
        <Button kind="primary" icon="plus" onClick={() => go("policies", "~new")}>Create policy</Button>
      </PageHead>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading />}
      {found.data && !all.length && (
        <Card>
          <Empty icon="policies" title="No policies yet" action={<Button kind="primary" icon="plus" onClick={() => go("policies", "~new")}>Create policy</Button>}>
            Name the model you want first and the ones that stand by. When the first fails, the next answers, and your client never sees the error.
          </Empty>
        </Card>
      )}
      {all.length > FEW && <div class="search"><TextField small hideLabel type="search" label="Search policies" placeholder="Search by name, model or description" value={search} onValue={setSearch} /></div>}
      {all.length > 0 && !list.length && <Card><Empty icon="policies" title="No policy fits">None has “{search}” in its name, description or chain.</Empty></Card>}
      {list.length > 0 && (
        <ul class="policy-list">
          {list.map((policy) => (
            <PolicyCard key={policy.name} policy={policy} figures={figures.data?.policies?.find((one) => one.name === policy.name)} onDelete={() => doom(policy.name)} />
          ))}
        </ul>
      )}
      {doomed !== undefined && (
        <Confirm
          title={`Delete policy/${doomed}?`}
          action="Delete"
          onClose={() => doom(undefined)}
          onConfirm={async () => {
            await deletePolicy(doomed);
            toast(`policy/${doomed} is deleted`);
            found.reload();
          }}
        >
          Requests that name it get 404 from then on, and policies that lead to it no longer resolve.
        </Confirm>
      )}
    </>
  );
}

/** More than so many are searched rather than read through. */
const FEW = 6;

function finds(policy: Stored<PolicyDocument>, search: string): boolean {
  const words = [policy.name, noteOf(policy.document) ?? "", ...hopsOf(policy.document).map((hop) => hop.model)];
  return words.some((word) => word.toLowerCase().includes(search.trim().toLowerCase()));
}

type Figures = { requests: number; succeeded: number; fallbacks: number } | undefined;

function PolicyCard({ policy, figures, onDelete }: { policy: Stored<PolicyDocument>; figures: Figures; onDelete: () => void }) {
  const hops = hopsOf(policy.document);
  const balanced = policy.document?.type === "load_balance";
  return (
    <li class="card policy-card">
      <div class="policy-top">
        <div class="policy-name">
          <h2><a class="wrap" href={href("policies", policy.name)}>{policy.name}</a></h2>
          <CopyButton text={`policy/${policy.name}`} label={`Copy policy/${policy.name}`} />
          <Badge>{balanced ? "Load balance" : "Fallback chain"}</Badge>
          {policy.error && <Badge tone="bad" dot title={policy.error}>does not parse</Badge>}
        </div>
        <div class="row tight nowrap-row">
          <IconButton icon="edit" label={`Edit ${policy.name}`} onClick={() => go("policies", policy.name, "edit")} />
          <IconButton icon="duplicate" label={`Duplicate ${policy.name}`} onClick={() => go("policies", "~new", { from: policy.name })} />
          <IconButton icon="trash" danger label={`Delete ${policy.name}`} onClick={onDelete} />
        </div>
      </div>
      {noteOf(policy.document) && <p class="muted wrap">{noteOf(policy.document)}</p>}
      {policy.error && <p class="bad small wrap">{policy.error}</p>}
      <ol class="hop-line" aria-label="Chain">
        {hops.map((hop, n) => (
          <li key={n}>
            {n > 0 && (balanced ? <span class="faint small">or</span> : <Icon name="right" size={14} />)}
            <span class="chip"><Model name={hop.model} />{hop.retries ? <span class="faint"> ×{hop.retries + 1}</span> : null}</span>
          </li>
        ))}
      </ol>
      <div class="policy-foot num">
        <span>{figures ? `${count(figures.requests)} requests today` : "no requests today"}</span>
        {figures && <span>{percent(figures.succeeded, figures.requests)} answered</span>}
        {figures && figures.fallbacks > 0 && <span class="accent">{count(figures.fallbacks)} saved by a fallback</span>}
        <span class="push faint">version <code>{policy.version}</code>{policy.updated_at ? `, ${ago(policy.updated_at)}` : ""}</span>
      </div>
    </li>
  );
}
