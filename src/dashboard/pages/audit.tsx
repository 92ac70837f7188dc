// Who changed what, newest first.
import { ApiError, get } from "../api/client";
import { fullTime } from "../lib/format";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { Badge, Card, Empty, Loading, PageHead, Problem } from "../ui/basics";

interface Entry {
  at: string;
  by?: string | null;
  action?: string;
  what?: string;
  name?: string;
  before?: string | null;
  after?: string | null;
  version?: string | null;
}

async function load(signal: AbortSignal): Promise<Entry[] | null> {
  try {
    const answer = await get<{ data?: Entry[] }>("/admin/audit", { query: { limit: 200 }, signal });
    return answer.data ?? [];
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

export function Audit() {
  const found = useResource("audit", load);
  return (
    <>
      <PageHead title="Audit" note="Every change made through this page or the admin API, with the name of the token that made it." />
      {found.error && <Problem error={found.error} retry={found.reload} />}
      {found.data === undefined && found.loading && <Loading />}
      {found.data === null && <Card><Empty icon="audit" title="This Worker keeps no audit list">Each policy’s own history stands under its Versions.</Empty></Card>}
      {found.data && !found.data.length && <Card><Empty icon="audit" title="Nothing was changed yet" /></Card>}
      {found.data && found.data.length > 0 && (
        <section class="card flush">
          <div class="table-wrap">
            <table class="table cards">
              <thead><tr><th>When</th><th>Who</th><th>Did</th><th>What</th><th>Version</th></tr></thead>
              <tbody>{found.data.map((entry, n) => <Row key={n} entry={entry} />)}</tbody>
            </table>
          </div>
        </section>
      )}
    </>
  );
}

const TONES: Record<string, "good" | "bad" | "accent"> = { put: "good", delete: "bad", rollback: "accent" };

function Row({ entry }: { entry: Entry }) {
  const what = entry.what ?? entry.name ?? "";
  const policy = what.startsWith("policy:") ? what.slice("policy:".length) : "";
  return (
    <tr>
      <td class="lead nowrap num">{fullTime(entry.at)}</td>
      <td data-label="Who" class="who">{entry.by ?? "–"}</td>
      <td data-label="Did"><Badge tone={TONES[entry.action ?? ""] ?? "idle"}>{entry.action ?? "–"}</Badge></td>
      <td data-label="What" class="full wrap mono">{policy ? <a href={href("policies", policy, "versions")}>{what}</a> : what}</td>
      <td data-label="Version" class="mono">{[entry.before, entry.after ?? entry.version].filter(Boolean).join(" → ") || "–"}</td>
    </tr>
  );
}
