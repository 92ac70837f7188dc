// Requests as they end. Each opens into its waterfall.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { attemptCount, policies, requests, targets } from "../api/read";
import type { RequestSummary } from "../api/types";
import { fullTime, ms, time, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { route, setQuery } from "../lib/router";
import { FirstRequest } from "../ui/first-request";
import { Badge, Button, Card, Empty, Loading, Model, PageHead, Problem, toast } from "../ui/basics";
import { FilterBar, currentFilters, matches, type Filters } from "../requests/filters";
import { OutcomeBadge } from "../requests/outcome";
import { RequestDialog } from "../requests/detail";
import { useLive, type LiveState } from "../requests/use-live";

const PAGE = 50;
const KEPT = 300;

export function Requests() {
  const filters = currentFilters();
  const key = JSON.stringify(filters);
  const open = route.value.query.get("id");
  const [live, setLive] = useState(true);
  const list = useRequestList(filters, key);
  const state = useLive(live, filters, list.onLive);
  const names = useResource("policy names", (signal) => policies(signal));
  const known = useResource("known targets", (signal) => targets(signal));

  return (
    <>
      <PageHead title="Requests" note="Every request, newest first. Open one to see each attempt and why it moved on.">
        <LiveNote state={state} />
        <Button icon={live ? "pause" : "play"} onClick={() => setLive(!live)}>{live ? "Pause" : "Go live"}</Button>
      </PageHead>
      <FilterBar policies={(names.data ?? []).map((one) => one.name)} targets={(known.data ?? []).map((one) => one.model)} />
      {list.error && <Problem error={list.error} retry={list.reload} />}
      {!list.rows && list.loading && <Loading />}
      {list.rows && !list.rows.length && <Nothing filtered={Object.keys(filters).length > 0} policy={names.data?.[0]?.name} />}
      {list.rows && list.rows.length > 0 && (
        <section class="card flush">
          <RequestTable rows={list.rows} fresh={list.fresh} />
        </section>
      )}
      {list.next && <div class="row"><Button disabled={list.loading} onClick={list.more}>Show older requests</Button></div>}
      {open && <RequestDialog key={open} id={open} onClose={() => setQuery({ id: null })} />}
    </>
  );
}

function LiveNote({ state }: { state: LiveState }) {
  const [tone, text] = { off: ["idle", "paused"], connecting: ["idle", "connecting…"], live: ["live", "live"], lost: ["warn", "connection lost, trying again"] }[state] as [string, string];
  return <span class="live-state" role="status"><span class={`dot ${tone}`} /> {text}</span>;
}

function Nothing({ filtered, policy }: { filtered: boolean; policy: string | undefined }) {
  return (
    <Card>
      {filtered ? (
        <Empty icon="requests" title="No request fits these filters">Take one away, or wait: new requests appear here as they end.</Empty>
      ) : (
        <Empty icon="requests" title="No requests yet" action={<FirstRequest policy={policy} />}>Send one, and it appears here the moment it ends.</Empty>
      )}
    </Card>
  );
}

function useRequestList(filters: Filters, key: string) {
  const [rows, setRows] = useState<RequestSummary[]>();
  const [next, setNext] = useState<string | null>(null);
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const [moreBusy, setMoreBusy] = useState(false);
  const found = useResource(`requests ${key}`, (signal) => requests({ ...filters, limit: String(PAGE) }, signal));
  const current = useRef(filters);
  current.current = filters;

  useEffect(() => {
    setRows(found.data?.data);
    setNext(found.data?.next ?? null);
  }, [found.data]);

  const onLive = useCallback((request: RequestSummary) => {
    if (!matches(current.current, request)) return;
    setFresh((old) => new Set([...[...old].slice(-20), rowKey(request)]));
    setRows((old) => (old?.some((one) => rowKey(one) === rowKey(request)) ? old : [request, ...(old ?? [])].slice(0, KEPT)));
  }, []);

  const more = async () => {
    if (!next) return;
    setMoreBusy(true);
    try {
      const page = await requests({ ...current.current, limit: String(PAGE), before: next });
      setRows((old) => [...(old ?? []), ...page.data.filter((one) => !old?.some((have) => rowKey(have) === rowKey(one)))]);
      setNext(page.next);
    } catch (error) {
      toast((error as Error).message, true);
    }
    setMoreBusy(false);
  };
  return { rows, next, fresh, more, onLive, reload: found.reload, error: found.error, loading: found.loading || moreBusy };
}

const rowKey = (request: RequestSummary) => request.ledger_id || request.id;

function RequestTable({ rows, fresh }: { rows: RequestSummary[]; fresh: ReadonlySet<string> }) {
  return (
    <div class="table-wrap">
      <table class="table cards requests">
        <thead>
          <tr><th>Began</th><th>Asked for</th><th>Answered by</th><th>Outcome</th><th class="r">Attempts</th><th class="r">Took</th><th class="r">Cost</th><th>From</th></tr>
        </thead>
        <tbody>
          {rows.map((request) => <Row key={rowKey(request)} request={request} fresh={fresh.has(rowKey(request))} />)}
        </tbody>
      </table>
    </div>
  );
}

function Row({ request, fresh }: { request: RequestSummary; fresh: boolean }) {
  const open = () => setQuery({ id: rowKey(request) });
  return (
    <tr class={fresh ? "link fresh" : "link"} onClick={open}>
      <td class="lead nowrap num">
        <button type="button" class="row-open" aria-label={`Open the request of ${fullTime(request.at)}`} onClick={(event) => { event.stopPropagation(); open(); }}>{time(request.at)}</button>
      </td>
      <td data-label="Asked for" class="wrap">{request.policy || (request.asked ? <Model name={request.asked} /> : "–")}{request.mark ? <> <Badge tone="accent">{request.mark}</Badge></> : null}</td>
      <td data-label="Answered by" class="wide">{request.model ? <Model name={request.model} /> : "–"}</td>
      <td class="outcome"><span class="row tight"><OutcomeBadge request={request} />{request.degraded && <Badge tone="warn">degraded</Badge>}</span></td>
      <td data-label="Attempts" class="r">{attemptCount(request) ?? "–"}</td>
      <td data-label="Took" class="r">{ms(request.ms)}</td>
      <td data-label="Cost" class="r">{usd(request.cost_usd)}</td>
      <td data-label="From" class="wrap small">{[request.user, request.group].filter(Boolean).join(", ")}</td>
    </tr>
  );
}
