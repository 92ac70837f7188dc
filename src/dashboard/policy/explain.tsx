// Why would this request go where it goes? Nothing is called; each hop says what it would be sent.
import { explain } from "../api/read";
import type { ExplainedHop, Explanation } from "../api/types";
import { useAction } from "../lib/action";
import { skipReason } from "../lib/format";
import { Badge, Card, Empty, Model, Problem } from "../ui/basics";
import { stringify } from "./draft";
import { SampleForm, type Sample } from "./sample";

export function Explain({ name }: { name: string }) {
  const { data: found, error, busy, run } = useAction((sample: Sample) => explain(name, sample));
  return (
    <div class="grid asked">
      <Card title="Request"><SampleForm name={name} action="Explain" busy={busy} onRun={run} /></Card>
      <div class="stack">
        {error && <Problem error={error} />}
        {found ? <Hops found={found} /> : !error && <Card><Empty icon="info" title="Nothing explained yet">See for each hop whether it would be called, what would be dropped, and the request as it would go out. No call is made.</Empty></Card>}
      </div>
    </div>
  );
}

function Hops({ found }: { found: Explanation }) {
  return (
    <>
      <div class="row">
        {found.rule ? <Badge tone="accent">rule {found.rule}</Badge> : <Badge>no rule applies</Badge>}
        {found.policy && <Badge>{found.policy}</Badge>}
      </div>
      {(found.hops ?? []).map((hop, n) => <HopCard key={n} hop={hop} index={n} />)}
    </>
  );
}

function HopCard({ hop, index }: { hop: ExplainedHop; index: number }) {
  const called = hop.call !== false;
  return (
    <Card title={<span class="row tight nowrap-row"><span class="order num">{index + 1}</span><Model name={hop.model} /></span>} actions={called ? <Badge tone="good" dot>would be called</Badge> : <Badge tone="warn" dot>skipped</Badge>}>
      <div class="stack tight">
        {hop.reason && <p class={`wrap ${called ? "muted" : "warn"}`}>{skipReason(hop.reason)}</p>}
        {(hop.dropped?.length ?? 0) > 0 && <p class="row tight"><span class="muted">Dropped:</span>{hop.dropped?.map((field) => <code key={field} class="chip">{field}</code>)}</p>}
        {hop.request !== undefined && hop.request !== null && (
          <details class="more">
            <summary>The request as it would go out</summary>
            <pre class="code">{stringify(hop.request)}</pre>
          </details>
        )}
      </div>
    </Card>
  );
}
