// Who asks: groups and users with their requests, fallbacks and cost.
import { useState } from "preact/hooks";
import { analytics } from "../api/read";
import { REST, type Named } from "../api/types";
import { count, percent, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { Empty, Loading, PageHead, Problem, Segments } from "../ui/basics";
import { TextField } from "../ui/field";
import { RangePicker, currentRange, rangeKey, rangeQuery } from "../ui/range";

const VIEWS = [["groups", "Groups"], ["users", "Users"], ["keys", "Keys"], ["workloads", "Workloads"]] as const;
type View = (typeof VIEWS)[number][0];
const SHOWN = 200;
/** As many as the Worker tells apart at little cost. */
const LINES = "299";

export function Groups() {
  const range = currentRange();
  const [view, setView] = useState<View>("groups");
  const [search, setSearch] = useState("");
  const found = useResource(`groups ${rangeKey(range)}`, (signal) => analytics({ ...rangeQuery(range), limit: LINES }, signal));
  const rows = (found.data?.[view] ?? []).filter((row) => row.name.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <PageHead title="Groups & users" note="Counted by the day. A key’s own user and group win over what a request claims."><RangePicker /></PageHead>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading />}
      {found.data && (
        <>
          <div class="row">
            <Segments label="Show" value={view} options={VIEWS} onChange={setView} />
            <div class="grow search"><TextField small hideLabel type="search" label="Search by name" placeholder="Search by name" value={search} onValue={setSearch} /></div>
          </div>
          <section class="card flush">
            {rows.length ? <NamedTable rows={rows.slice(0, SHOWN)} view={view} /> : <Empty icon="groups" title={search ? "Not among the busiest" : "Nobody yet"} action={search && <a class="btn" href={href("requests", { [view.slice(0, -1)]: search })}>Look for its requests</a>}>{!search && <>Requests say who they are for in their metadata: <code>{`"metadata": {"understudy": "{\\"user\\": \\"u-7\\", \\"group\\": \\"acme\\"}"}`}</code></>}</Empty>}
          </section>
          {rows.length > SHOWN && <p class="small muted">The busiest {SHOWN} of {count(rows.length)} are shown. Search to find others.</p>}
        </>
      )}
    </>
  );
}

function NamedTable({ rows, view }: { rows: Named[]; view: View }) {
  const most = Math.max(1, ...rows.map((row) => row.requests));
  return (
    <div class="table-wrap">
      <table class="table cards">
        <thead>
          <tr><th>Name</th><th class="r">Requests</th><th>Share</th><th class="r">Success</th><th class="r">Fallback rate</th><th class="r">Degraded</th><th class="r">Tokens</th><th class="r">Cost</th></tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <td class="lead wrap strong">{row.name === REST ? row.name : <a href={href("requests", { [view.slice(0, -1)]: row.name })}>{row.name}</a>}</td>
              <td class="r" data-label="Requests">{count(row.requests)}</td>
              <td class="share no-phone" aria-hidden="true"><div class="bar"><span class="swatch-fill saved" style={{ width: `${(row.requests / most) * 100}%` }} /></div></td>
              <td class="r" data-label="Success">{percent(row.succeeded, row.requests)}</td>
              <td class="r" data-label="Fallback rate">{percent(row.fallbacks, row.requests)}</td>
              <td class="r" data-label="Degraded">{count(row.degraded)}</td>
              <td class="r" data-label="Tokens">{count(row.tokens ? row.tokens.input + row.tokens.output : undefined)}</td>
              <td class="r" data-label="Cost">{usd(row.cost_usd)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
