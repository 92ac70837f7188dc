// Which rule would this request hit? Judged here, on the document as it is shown.
import { useState } from "preact/hooks";
import { ROUTES, type RulesDocument } from "../api/types";
import { href } from "../lib/router";
import { Card } from "../ui/basics";
import { SelectField, TextField } from "../ui/field";
import { firstHit, sentence, type Sample } from "./conditions";

export function WhichRule({ document, models }: { document: RulesDocument; models: string[] }) {
  const [model, setModel] = useState("openai/gpt-4o");
  const [route, setRoute] = useState<string>("chat");
  const [user, setUser] = useState("");
  const [group, setGroup] = useState("");
  const [metadata, setMetadata] = useState("");
  const parsed = fields(metadata);
  const sample: Sample = { model, route, user, group, key: parsed["key"] ?? "", stream: false, metadata: { ...parsed, ...(user && { user }), ...(group && { group }) } };
  const hit = firstHit(document, sample);
  const rule = hit && document.rules[hit.rule];
  return (
    <Card title="Which rule would this request hit?">
      <div class="stack">
        <div class="form-grid compact">
          <TextField small mono label="Model" value={model} options={models} onValue={setModel} />
          <SelectField small label="Route" value={route} options={ROUTES.map((one) => [one, one] as const)} onValue={setRoute} />
          <TextField small label="User" placeholder="none" value={user} onValue={setUser} />
          <TextField small label="Group" placeholder="none" value={group} onValue={setGroup} />
          <TextField small mono label="Metadata" placeholder="plan=free, tier=2" value={metadata} onValue={setMetadata} />
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
