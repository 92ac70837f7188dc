// What a key has spent today and this month, against its budget.
import { get, path } from "../api/client";
import type { GatewayKey, KeyUsage, KeyUsageSpan } from "../api/types";
import { count, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { Problem } from "../ui/basics";

export function Usage({ id, value }: { id: string; value: GatewayKey }) {
  const found = useResource(`usage ${id}`, (signal) => get<KeyUsage>(path("keys", id, "usage"), { signal }));
  return (
    <div class="stack tight">
      <h3>Usage</h3>
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {!found.data && found.loading && <div class="skeleton block" />}
      {found.data && (
        <>
          <Span name="Today" span={found.data.day} budget={found.data.day?.budget_usd ?? value.budget_usd_per_day} />
          <Span name="This month" span={found.data.month} budget={found.data.month?.budget_usd ?? value.budget_usd_per_month} />
          <p class="small muted">Failed attempts never count against a budget.</p>
        </>
      )}
    </div>
  );
}

function Span({ name, span, budget }: { name: string; span: KeyUsageSpan | undefined; budget: number | null | undefined }) {
  const spent = span?.cost_usd ?? 0;
  const share = budget ? Math.min(1, spent / budget) : 0;
  const tone = share >= 1 ? "bad" : share > 0.8 ? "warn" : "good";
  return (
    <div class="stack tight">
      <div class="row small">
        <span>{name}</span>
        <span class="push num">{usd(spent)}{budget ? <span class="muted"> of {usd(budget)}</span> : null}, {count(span?.requests ?? 0)} requests</span>
      </div>
      {budget ? <div class="bar" role="img" aria-label={`${Math.round(share * 100)} percent of the budget`}><span class={`swatch-fill ${tone}`} style={{ width: `${share * 100}%` }} /></div> : null}
    </div>
  );
}
