// The last twenty versions: what changed, who changed it, and the way back.
import { useState } from "preact/hooks";
import { rollback, versionDocument, versions } from "../api/read";
import type { PolicyDocument, Stored, Version } from "../api/types";
import { ago, fullTime } from "../lib/format";
import { useResource } from "../lib/resource";
import { Badge, Button, Card, Empty, Loading, Problem, toast } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { diff } from "./diff";
import { stringify } from "./draft";

export function Versions({ name, current, onRolledBack }: { name: string; current: Stored<PolicyDocument>; onRolledBack: (stored: Stored<PolicyDocument>) => void }) {
  const found = useResource(`versions ${name} ${current.version}`, (signal) => versions(name, signal));
  const [asked, ask] = useState<Version>();
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Loading />;
  if (!found.data.length) return <Card><Empty icon="history" title="No versions yet">The first save from here or through the admin API begins the list.</Empty></Card>;
  return (
    <Card title="Versions" note="The last 20. Rolling back stores the old document again as the newest version.">
      <ol class="versions">
        {found.data.map((version, n) => (
          <li key={`${version.version}-${n}`}>
            <VersionRow name={name} version={version} older={found.data?.slice(n + 1).find((one) => one.version)} onAsk={() => ask(version)} />
          </li>
        ))}
      </ol>
      {asked && (
        <Confirm
          title={`Roll back to ${asked.version}?`}
          action="Roll back"
          onClose={() => ask(undefined)}
          onConfirm={async () => {
            const stored = await rollback(name, asked.version);
            toast(`policy/${name} is back at version ${stored.version}`);
            onRolledBack(stored);
          }}
        >
          The version of {fullTime(asked.at)} becomes what <code>policy/{name}</code> serves, at once.
        </Confirm>
      )}
    </Card>
  );
}

function VersionRow({ name, version, older, onAsk }: { name: string; version: Version; older: Version | undefined; onAsk: () => void }) {
  const [open, setOpen] = useState(false);
  const deleted = !version.version;
  return (
    <div class="version">
      <div class="row">
        {deleted ? <span class="muted">deleted</span> : <code class="strong">{version.version}</code>}
        {version.current && <Badge tone="good" dot>live</Badge>}
        {version.action === "rollback" && <Badge tone="accent">rollback</Badge>}
        {version.action === "found" && <Badge title="It was written into KV by other hands">found in KV</Badge>}
        <span class="muted" title={fullTime(version.at)}>{version.at ? ago(version.at) : ""}{version.by ? ` by ${version.by}` : ""}</span>
        {!deleted && (
          <span class="push row tight">
            <Button small kind="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide" : older ? "What changed" : "Show"}</Button>
            {!version.current && <Button small icon="history" onClick={onAsk}>Roll back</Button>}
          </span>
        )}
      </div>
      {open && <Changes name={name} version={version} older={older} />}
    </div>
  );
}

function Changes({ name, version, older }: { name: string; version: Version; older: Version | undefined }) {
  const found = useResource(`change ${name} ${older?.version} ${version.version}`, async (signal) => {
    const [before, after] = await Promise.all([older ? versionDocument(name, older, signal) : undefined, versionDocument(name, version, signal)]);
    return { before: before === undefined ? "" : stringify(before), after: stringify(after) };
  });
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <div class="skeleton block" role="status" aria-label="Loading" />;
  return <Difference {...found.data} />;
}

function Difference({ before, after }: { before: string; after: string }) {
  return (
    <pre class="code diff">
      {diff(before, after).map((line, n) => (
        <span key={n} class={line.kind}>{line.kind === "added" ? "+ " : line.kind === "removed" ? "− " : "  "}{line.text}{"\n"}</span>
      ))}
    </pre>
  );
}
