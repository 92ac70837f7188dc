// How it goes: what was asked, what was answered, and what the understudies saved.
import { analytics, endings, policies } from "../api/read";
import { REST, type Analytics, type Counts, type TargetCounts } from "../api/types";
import { count, ms, percent, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { href, route, setQuery } from "../lib/router";
import { useState } from "preact/hooks";
import { Card, Empty, Loading, Model, PageHead, Problem, Segments, Stat } from "../ui/basics";
import { Chart } from "../ui/chart";
import { FirstRequest } from "../ui/first-request";
import { OutcomeBar } from "../ui/outcome-bar";
import { RangePicker, currentRange, rangeKey, rangeQuery } from "../ui/range";

export function Overview() {
  const range = currentRange();
  const policy = route.value.query.get("policy") ?? "";
  const found = useResource(`overview ${rangeKey(range)} ${policy}`, (signal) => analytics({ ...rangeQuery(range), policy }, signal), 20_000);
  const names = useResource("policy names", (signal) => policies(signal));

  return (
    <>
      <PageHead title="Overview" note="What was asked of the gateway, what was answered, and what the fallbacks saved.">
        <select class="input small policy-filter" aria-label="Policy" value={policy} onChange={(event) => setQuery({ policy: event.currentTarget.value })}>
          <option value="">All policies</option>
          {policy && !names.data?.some((one) => one.name === policy) && <option value={policy}>{policy}</option>}
          {names.data?.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
        </select>
        <RangePicker />
      </PageHead>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <Loading shape="page" />}
      {found.data && (found.data.totals.requests ? <Figures data={found.data} /> : <Quiet policy={policy || names.data?.[0]?.name} />)}
    </>
  );
}

function Quiet({ policy }: { policy: string | undefined }) {
  return (
    <Card>
      <Empty icon="overview" title="No requests in this range" action={<FirstRequest policy={policy} />}>
        Point your SDK’s <code>base_url</code> at this Worker’s <code>/v1</code> and name a policy as the model. Figures appear here within two seconds.
      </Empty>
    </Card>
  );
}

/** Answers that another than the first hop gave: without fallbacks they would have been errors. */
function saved(counts: Counts): number {
  return Math.min(counts.fallbacks ?? 0, counts.succeeded ?? 0);
}

function Figures({ data }: { data: Analytics }) {
  const totals = data.totals;
  const rescued = saved(totals);
  return (
    <>
      <dl class="stats">
        <Stat label="Requests" value={count(totals.requests)} note={`${count(totals.attempts)} upstream calls`} />
        <Stat label="Success rate" value={percent(totals.succeeded, totals.requests)} note={`${percent(totals.succeeded - rescued, totals.requests)} without fallbacks`} />
        <Stat label="Answers saved" value={<span class="accent">{count(rescued)}</span>} note="would have failed" />
        <Stat label="Fallback rate" value={percent(totals.fallbacks, totals.requests)} note={totals.degraded === undefined ? undefined : `${count(totals.degraded)} degraded`} />
        <Stat label="Spend" value={usd(totals.cost_usd)} note={`${usd(totals.wasted_usd)} on failed attempts`} />
        <Stat label="Latency, median" value={ms(totals.p50_ms)} note={totals.ttft_p50_ms == null ? `p99 ${ms(totals.p99_ms)}` : `first content ${ms(totals.ttft_p50_ms)}`} />
      </dl>
      <Outcomes data={data} />
      <div class="grid two">
        <Latency data={data} />
        <Spend data={data} />
      </div>
      <Card title="Targets" note="Every upstream model that was called, and how its calls ended." flush>
        <TargetTable targets={data.targets} />
      </Card>
    </>
  );
}

const seconds = (data: Analytics) => data.series.map((point) => Date.parse(point.at) / 1000);

function Outcomes({ data }: { data: Analytics }) {
  const points = data.series;
  return (
    <Card title="Requests">
      <Chart
        label="Requests by how they ended"
        times={seconds(data)}
        format={count}
        stacked
        series={[
          { label: "Answered by the first hop", tone: "good", values: points.map((point) => point.succeeded - saved(point)) },
          { label: "Saved by a fallback", tone: "saved", values: points.map(saved) },
          { label: "Failed", tone: "bad", values: points.map((point) => point.requests - point.succeeded) },
        ]}
      />
    </Card>
  );
}

function Latency({ data }: { data: Analytics }) {
  const [what, setWhat] = useState<"total" | "first">("total");
  const points = data.series;
  const totals = data.totals;
  const hasFirst = totals.ttft_p50_ms !== undefined;
  const first = what === "first" && hasFirst;
  return (
    <Card title="Latency" actions={hasFirst && <Segments label="Measure" value={what} options={[["total", "Whole answer"], ["first", "First content"]]} onChange={setWhat} />}>
      <Chart
        label={first ? "Time to first content" : "Time to the end of the answer"}
        times={seconds(data)}
        format={ms}
        series={[
          { label: "p50", tone: "good", values: points.map((point) => (first ? point.ttft_p50_ms : point.p50_ms) ?? null) },
          { label: "p90", tone: "warn", values: points.map((point) => (first ? point.ttft_p90_ms : point.p90_ms) ?? null) },
          { label: "p99", tone: "bad", values: points.map((point) => (first ? point.ttft_p99_ms : point.p99_ms) ?? null) },
        ]}
      />
      <dl class="facts percentiles">
        <div><dt>p50</dt><dd class="num strong">{ms(first ? totals.ttft_p50_ms : totals.p50_ms)}</dd></div>
        <div><dt>p90</dt><dd class="num strong">{ms(first ? totals.ttft_p90_ms : totals.p90_ms)}</dd></div>
        <div><dt>p99</dt><dd class="num strong">{ms(first ? totals.ttft_p99_ms : totals.p99_ms)}</dd></div>
      </dl>
    </Card>
  );
}

function Spend({ data }: { data: Analytics }) {
  const totals = data.totals;
  return (
    <Card title="Spend">
      <Chart
        label="Spend"
        times={seconds(data)}
        format={usd}
        stacked
        series={[
          { label: "Answers", tone: "accent", values: data.series.map((point) => point.cost_usd ?? 0) },
          { label: "May have been wasted", tone: "warn", values: data.series.map((point) => point.wasted_usd ?? 0) },
        ]}
      />
      <dl class="facts percentiles">
        <div><dt>Tokens in</dt><dd class="num strong">{count(totals.tokens?.input)}</dd></div>
        <div><dt>Tokens out</dt><dd class="num strong">{count(totals.tokens?.output)}</dd></div>
        <div><dt>From cache</dt><dd class="num strong">{count(totals.tokens?.cached)}</dd></div>
      </dl>
    </Card>
  );
}

function TargetTable({ targets }: { targets: TargetCounts[] }) {
  if (!targets.length) return <Empty icon="providers" title="No upstream calls in this range" />;
  return (
    <div class="table-wrap">
      <table class="table cards">
        <thead>
          <tr><th>Target</th><th class="r">Calls</th><th>How they ended</th><th class="r">Success</th><th class="r">p50</th><th class="r">p99</th><th class="r">First content</th><th class="r">Spend</th></tr>
        </thead>
        <tbody>
          {targets.map((target) => (
            <tr key={target.model}>
              <td class="lead">{target.model === REST ? target.model : <a href={href("requests", { target: target.model })}><Model name={target.model} /></a>}</td>
              <td class="r" data-label="Calls">{count(target.attempts)}</td>
              <td class="full"><OutcomeBar outcomes={endings(target)} /></td>
              <td class="r" data-label="Success">{percent(target.outcomes["ok"] ?? 0, target.attempts)}</td>
              <td class="r" data-label="p50">{ms(target.p50_ms)}</td>
              <td class="r" data-label="p99">{ms(target.p99_ms)}</td>
              <td class="r" data-label="First content">{ms(target.ttft_p50_ms)}</td>
              <td class="r" data-label="Spend">{usd(target.cost_usd)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
