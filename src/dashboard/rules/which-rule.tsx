// Which rule would this request hit? The document is judged as it is shown, by the Worker.
import { useState } from "preact/hooks";
import { hopsOf, ruleMet } from "../api/read";
import { ROUTES, type RuleSample, type RulesDocument } from "../api/types";
import { useResource } from "../lib/resource";
import { href } from "../lib/router";
import { Card } from "../ui/basics";
import { Check, SelectField, TextField } from "../ui/field";
import { sentence } from "./conditions";

export function WhichRule({ document, models }: { document: RulesDocument; models: string[] }) {
  const [model, setModel] = useState("openai/gpt-4o");
  const [route, setRoute] = useState<string>("chat");
  const [user, setUser] = useState("");
  const [group, setGroup] = useState("");
  const [key, setKey] = useState("");
  const [stream, setStream] = useState(false);
  const [metadata, setMetadata] = useState("");
  const [headers, setHeaders] = useState("");
  const given = { ...(user && { user }), ...(group && { group }) };
  const sample: RuleSample = { model, route, ...given, ...(key && { key }), stream, metadata: { ...fields(metadata), ...given }, headers: fields(headers) };
  const { data: met, error, loading } = useResource(JSON.stringify([sample, document]), (signal) => ruleMet(document, sample, signal));
  const rule = met?.rule ? document.rules[met.rule] : undefined;
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
        <div class="hit" role="status" aria-busy={loading}>
          {error ? (
            <p class="muted">{error.message}</p>
          ) : !met ? (
            <p class="muted">Judging…</p>
          ) : met.rule && rule ? (
            <>
              <p>
                <a class="strong" href={href("rules", { edit: met.rule })}>{met.rule}</a> <span class="muted">in ruleset {met.ruleset}, when {sentence(rule.when)}</span>
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
  const hops = hopsOf({ chain: then.fallback ?? [] }).map((hop) => hop.model + (hop.retries ? ` (${hop.retries} ${hop.retries === 1 ? "retry" : "retries"})` : ""));
  const parts = [then.retries !== undefined ? `${then.retries} ${then.retries === 1 ? "retry" : "retries"} of the first model` : "", hops.length ? `falls back to ${hops.join(", then ")}` : ""].filter(Boolean);
  return parts.length ? parts.join(", ").replace(/^./, (first) => first.toUpperCase()) + "." : `Changes ${Object.keys(then).join(", ") || "nothing"}.`;
}
