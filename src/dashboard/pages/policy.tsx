// One policy: its picture, its editor, and the ways to ask what it would do.
import { useState } from "preact/hooks";
import { analytics, endings, hopsOf, noteOf, policies, policy, targets } from "../api/read";
import type { PolicyDocument, Stored } from "../api/types";
import { count, percent, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { go, href, route } from "../lib/router";
import { Badge, Button, Card, CopyButton, Empty, Loading, Note, PageHead, Problem, Stat, Tabs } from "../ui/basics";
import { Icon } from "../ui/icon";
import { RangePicker, currentRange, rangeKey, rangeQuery } from "../ui/range";
import { ChainPicture, type HopFigures } from "../policy/chain-picture";
import { Compare } from "../policy/compare";
import { blank, expand, isPolicyHop, named } from "../policy/draft";
import { Drill } from "../policy/drill";
import { PolicyEditor } from "../policy/editor";
import { Explain } from "../policy/explain";
import { Simulate } from "../policy/simulate";
import { Versions } from "../policy/versions";

const TABS = [["chain", "Chain"], ["edit", "Edit"], ["simulate", "Simulate"], ["explain", "Explain"], ["compare", "Compare"], ["versions", "Versions"]] as const;

const NONE: Stored<PolicyDocument>[] = [];

const back = <a class="crumb" href={href("policies")}><Icon name="left" size={14} /> Policies</a>;

export function NewPolicy() {
  const from = route.value.query.get("from") ?? "";
  const names = useResource("policies", (signal) => policies(signal));
  const source = names.data?.find((one) => one.name === from);
  return (
    <>
      <PageHead crumb={back} title={from ? `Duplicate ${from}` : "Create policy"} note="It is live as soon as it is saved; no deploy is needed." />
      {names.error && <Problem error={names.error} retry={names.reload} />}
      {!names.data && names.loading && <Loading shape="page" />}
      {names.data && (
        <PolicyEditor
          name=""
          version=""
          initial={source?.document ?? blank()}
          suggestedName={from ? free(`${from}-copy`, names.data.map((one) => one.name)) : ""}
          all={names.data}
          onSaved={(stored) => go("policies", stored.name)}
        />
      )}
    </>
  );
}

function free(wish: string, taken: string[]): string {
  let name = wish;
  for (let n = 2; taken.includes(name); n++) name = `${wish}-${n}`;
  return name;
}

export function PolicyPage({ name }: { name: string }) {
  const tab = TABS.find(([id]) => id === route.value.path[2])?.[0] ?? "chain";
  const found = useResource(`policy ${name}`, (signal) => policy(name, signal));
  const all = useResource("policies", (signal) => policies(signal));
  const [drilling, setDrilling] = useState(false);
  const stored = found.data;
  const models = expand(stored?.document, all.data ?? []);
  return (
    <>
      <PageHead
        crumb={back}
        title={<span class="title-copy"><span class="faint">policy/</span>{name}<CopyButton text={`policy/${name}`} label={`Copy policy/${name}`} /></span>}
        note={noteOf(stored?.document)}
      >
        {stored && <Badge>version {stored.version}</Badge>}
        <Button icon="bolt" disabled={!stored} onClick={() => setDrilling(true)}>Drill</Button>
      </PageHead>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!stored && found.loading && <Loading shape="page" />}
      {stored?.error && <Note tone="warn">What is stored does not parse: {stored.error}. The last good copy keeps serving while there is one. Edit and save to mend it.</Note>}
      {stored && (
        <>
          <Tabs label="Views of this policy" current={tab} tabs={TABS.map(([id, text]) => ({ id, text, href: href("policies", name, id) }))} />
          {tab === "chain" && <Chain name={name} stored={stored} all={all.data ?? []} />}
          {tab === "edit" && <PolicyEditor key={name} name={name} version={stored.version} initial={stored.document ?? blank()} all={all.data ?? NONE} onSaved={found.set} />}
          {tab === "simulate" && <Simulate name={name} models={models} />}
          {tab === "explain" && <Explain name={name} />}
          {tab === "compare" && <Compare name={name} />}
          {tab === "versions" && <Versions name={name} current={stored} onRolledBack={found.reload} />}
        </>
      )}
      {drilling && <Drill asks={[`policy/${name}`]} targets={models} onClose={() => setDrilling(false)} />}
    </>
  );
}

function Chain({ name, stored, all }: { name: string; stored: Stored<PolicyDocument>; all: Stored<PolicyDocument>[] }) {
  const range = currentRange();
  const figures = useResource(`policy figures ${name} ${rangeKey(range)}`, (signal) => analytics({ ...rangeQuery(range), policy: name }, signal), 20_000);
  const known = useResource("targets", (signal) => targets(signal), 10_000);
  const hops = hopsOf(stored.document).map((hop): HopFigures => ({
    hop,
    counts: named(hop.model, figures.data?.targets ?? []) ?? nestedCounts(hop.model, figures.data?.targets ?? [], all),
    target: named(hop.model, known.data ?? []),
    inner: isPolicyHop(hop) ? expand({ chain: [hop] }, all).map((model) => ({ model, target: named(model, known.data ?? []) })) : undefined,
  }));
  const totals = figures.data?.totals;
  const saved = totals ? Math.min(totals.fallbacks, totals.succeeded) : 0;
  return (
    <div class="stack">
      <div class="row"><span class="muted small">Figures of this policy alone</span><span class="push"><RangePicker /></span></div>
      {figures.error && <Problem error={figures.error} retry={figures.reload} />}
      {totals && totals.requests > 0 && (
        <dl class="stats">
          <Stat label="Requests" value={count(totals.requests)} />
          <Stat label="Success rate" value={percent(totals.succeeded, totals.requests)} note={`${percent(totals.succeeded - saved, totals.requests)} without fallbacks`} />
          <Stat label="Answers saved" value={<span class="accent">{count(saved)}</span>} note={`${percent(totals.fallbacks, totals.requests)} fell back`} />
          <Stat label="Spend" value={usd(totals.cost_usd)} note={`${usd(totals.wasted_usd)} on failed attempts`} />
        </dl>
      )}
      <Card title={stored.document?.type === "load_balance" ? "Hops" : "Chain"} actions={<a class="btn small" href={href("requests", { policy: name })}>See its requests</a>}>
        {hops.length ? <ChainPicture hops={hops} balanced={stored.document?.type === "load_balance"} totals={totals} /> : <Empty icon="policies" title="This chain has no hops" />}
      </Card>
    </div>
  );
}

/** A hop that is a policy is the sum of the targets only it leads to. */
function nestedCounts(model: string, counts: NonNullable<HopFigures["counts"]>[], all: Stored<PolicyDocument>[]): HopFigures["counts"] {
  const inner = all.find((one) => `policy/${one.name}` === model);
  if (!inner) return undefined;
  const rows = expand(inner.document, all).flatMap((written) => named(written, counts) ?? []);
  if (!rows.length) return undefined;
  const outcomes: Record<string, number> = {};
  for (const row of rows) for (const [name, n] of Object.entries(endings(row))) outcomes[name] = (outcomes[name] ?? 0) + n;
  return { model, attempts: rows.reduce((sum, row) => sum + row.attempts, 0), outcomes };
}
