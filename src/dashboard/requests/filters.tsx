// What the list shows. Filters stand in the address, so that a view can be sent to a colleague.
import { useEffect, useState } from "preact/hooks";
import { CLASSES, SKIPS, type RequestSummary } from "../api/types";
import { words } from "../lib/format";
import { route, setQuery } from "../lib/router";
import { Button } from "../ui/basics";
import { SelectField, TextField } from "../ui/field";

const NAMES = ["policy", "target", "class", "fallback", "user", "group", "key", "workload"] as const;
type Name = (typeof NAMES)[number];
export type Filters = Partial<Record<Name, string>>;

/** Come by a link from another page; shown as what can be taken away again. */
const LINKED: readonly Name[] = ["group", "key", "workload"];

export function currentFilters(): Filters {
  const query = route.value.query;
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value));
}

/** Whether a request that just ended belongs in the view, as far as its summary tells; the Worker filters as well. */
export function matches(filters: Filters, request: RequestSummary): boolean {
  // As the Worker reads it: with or without what clients put before its name.
  if (filters.policy && request.policy !== filters.policy.replace(/^policy\//, "")) return false;
  for (const name of ["user", "group", "key", "workload"] as const) if (filters[name] && request[name] !== filters[name]) return false;
  if (filters.fallback && String(request.fallback) !== filters.fallback) return false;
  if (!Array.isArray(request.attempts)) return true;
  const hit = request.attempts.some((attempt) => (!filters.class || attempt.outcome === filters.class) && (!filters.target || attempt.model === filters.target));
  return hit || (!filters.target && (!filters.class || request.outcome === filters.class));
}

const CLASS_OPTIONS = [["", "Any outcome"] as const, ["ok", "ok"] as const, ...[...CLASSES, ...SKIPS].map((name) => [name, words(name)] as const)];

export function FilterBar({ policies, targets }: { policies: string[]; targets: string[] }) {
  const filters = currentFilters();
  const set = (name: Name) => (value: string) => setQuery({ [name]: value });
  const any = Object.keys(filters).length > 0;
  return (
    <div class="filters" role="search" aria-label="Filter requests">
      <Typed label="Policy" placeholder="Any policy" value={filters.policy ?? ""} options={policies} onValue={set("policy")} />
      <Typed label="Target" placeholder="Any target" value={filters.target ?? ""} options={targets} onValue={set("target")} />
      <SelectField small hideLabel label="Outcome of an attempt" value={filters.class ?? ""} options={CLASS_OPTIONS} onValue={set("class")} />
      <SelectField small hideLabel label="Fallback" value={filters.fallback ?? ""} options={[["", "Fallback or not"], ["true", "Fell back"], ["false", "First hop answered"]]} onValue={set("fallback")} />
      <Typed label="User" placeholder="Any user" value={filters.user ?? ""} onValue={set("user")} />
      {LINKED.map((name) => filters[name] && <Button key={name} small icon="close" aria-label={`Take away the filter ${name} ${filters[name]}`} onClick={() => set(name)("")}><span class="ellipsis">{name} {filters[name]}</span></Button>)}
      {any && <Button small kind="ghost" icon="close" onClick={() => setQuery(Object.fromEntries(NAMES.map((name) => [name, null])))}>Clear filters</Button>}
    </div>
  );
}

const PAUSE_MS = 300;

/** A filter that is typed: it holds once the typing pauses, so that half a name does not empty the list. */
function Typed({ value, onValue, ...rest }: { label: string; placeholder: string; value: string; options?: string[]; onValue: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onValue(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return <TextField small hideLabel {...rest} value={text} onValue={setText} />;
}
