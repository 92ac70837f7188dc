// Which rule would this request hit? Judged here, on the document as it is shown.
import { useState } from "preact/hooks";
import { providers } from "../api/read";
import { ROUTES, type RulesDocument } from "../api/types";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { Card } from "../ui/basics";
import { Check, SelectField, TextField } from "../ui/field";
import { sentence } from "./conditions";
import { firstHit, type Sample } from "./judge";

export function WhichRule({ document, models }: { document: RulesDocument; models: string[] }) {
  const [model, setModel] = useState("openai/gpt-4o");
  const [route, setRoute] = useState<string>("chat");
  const [user, setUser] = useState("");
  const [group, setGroup] = useState("");
  const [key, setKey] = useState("");
  const [stream, setStream] = useState(false);
  const [metadata, setMetadata] = useState("");
  const [headers, setHeaders] = useState("");
  const sample: Sample = { model, route, user, group, key, stream, metadata: { ...fields(metadata), ...(user && { user }), ...(group && { group }) }, headers: fields(headers) };
  const known = useResource("provider names", async (signal) => (await providers(signal)).map((one) => one.name));
  const hit = firstHit(document, sample, new Set([...(known.data ?? []), "gemini"]));
  const rule = hit && document.rules[hit.rule];
  return (
    <Card title="Which rule would this request hit?">
      <div class="stack">
        <div class="form-grid compact">
          <TextField small mono label="Model" value={model} options={models} onValue={setModel} />
          <SelectField small label="Route" value={route} options={ROUTES.map((one) => [one, one] as const)} onValue={setRoute} />
          <TextField small label="User" placeholder="none" value={user} onValue={setUser} />
          <TextField small label="Group" placeholder="none" value={group} onValue={setGroup} />
          <TextField small label="Gateway key" placeholder="its name" value={key} onValue={setKey} />
          <TextField small mono label="Metadata" placeholder="plan=free, tier=2" value={metadata} onValue={setMetadata} />
          <TextField small mono label="Headers" placeholder="x-team=web" value={headers} onValue={setHeaders} />
          <Check label="It streams" checked={stream} onValue={setStream} />
        </div>
        <div class="hit" role="status">
          {hit && rule ? (
            <>
              <p>
                <a class="strong" href={href("rules", { edit: hit.rule })}>{hit.rule}</a> <span class="muted">in ruleset {hit.ruleset.name}, when {sentence(rule.when)}</span>
              </p>
              <p>{effect(rule.then)}</p>
            </>
          ) : (
            <p class="muted">No rule applies. The request runs as it asks.</p>
          )}
        </div>
      </div>
    </Card>
  );
}

/** `plan=free, tier=2` */
function fields(text: string): Record<string, string> {
  return Object.fromEntries(text.split(",").map((pair) => pair.split("=").map((part) => part.trim())).filter((pair): pair is [string, string] => pair.length === 2 && Boolean(pair[0])));
}

/** What a rule does, in one sentence. */
export function effect(then: RulesDocument["rules"][string]["then"] | undefined): string {
  if (!then) return "Does nothing.";
  if (then.deny !== undefined) return `Refused with 403: ${then.deny}`;
  if (then.use) return `Runs under ${then.use}.`;
  const hops = (then.fallback ?? []).map((hop) => (typeof hop === "string" ? hop : hop.model + (hop.retries ? ` (${hop.retries} ${hop.retries === 1 ? "retry" : "retries"})` : "")));
  const parts = [then.retries !== undefined ? `${then.retries} ${then.retries === 1 ? "retry" : "retries"} of the first model` : "", hops.length ? `falls back to ${hops.join(", then ")}` : ""].filter(Boolean);
  return parts.length ? parts.join(", ").replace(/^./, (first) => first.toUpperCase()) + "." : `Changes ${Object.keys(then).join(", ") || "nothing"}.`;
}
