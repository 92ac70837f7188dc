// What the list shows. Filters stand in the address, so that a view can be sent to a colleague.
import { CLASSES, SKIPS, type RequestSummary } from "../api/types";
import { words } from "../lib/format";
import { route, setQuery } from "../lib/router";
import { Button } from "../ui/basics";
import { SelectField, TextField } from "../ui/field";

const NAMES = ["policy", "target", "class", "fallback", "user"] as const;
export type Filters = Partial<Record<(typeof NAMES)[number], string>>;

export function currentFilters(): Filters {
  const query = route.value.query;
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value));
}

/** Whether a request that just ended belongs in the view, as far as its summary tells; the Worker filters as well. */
export function matches(filters: Filters, request: RequestSummary): boolean {
  if (filters.policy && request.policy !== filters.policy) return false;
  if (filters.user && request.user !== filters.user) return false;
  if (filters.fallback && String(request.fallback) !== filters.fallback) return false;
  if (!Array.isArray(request.attempts)) return true;
  const hit = request.attempts.some((attempt) => (!filters.class || attempt.outcome === filters.class) && (!filters.target || attempt.model === filters.target));
  return hit || (!filters.target && (!filters.class || request.outcome === filters.class));
}

const CLASS_OPTIONS = [["", "Any outcome"] as const, ["ok", "ok"] as const, ...[...CLASSES, ...SKIPS].map((name) => [name, words(name)] as const)];

export function FilterBar({ policies, targets }: { policies: string[]; targets: string[] }) {
  const filters = currentFilters();
  const set = (name: (typeof NAMES)[number]) => (value: string) => setQuery({ [name]: value });
  const any = Object.keys(filters).length > 0;
  return (
    <div class="filters" role="search" aria-label="Filter requests">
      <TextField small hideLabel label="Policy" placeholder="Any policy" value={filters.policy ?? ""} options={policies} onValue={set("policy")} />
      <TextField small hideLabel label="Target" placeholder="Any target" value={filters.target ?? ""} options={targets} onValue={set("target")} />
      <SelectField small hideLabel label="Outcome of an attempt" value={filters.class ?? ""} options={CLASS_OPTIONS} onValue={set("class")} />
      <SelectField small hideLabel label="Fallback" value={filters.fallback ?? ""} options={[["", "Fallback or not"], ["true", "Fell back"], ["false", "First hop answered"]]} onValue={set("fallback")} />
      <TextField small hideLabel label="User" placeholder="Any user" value={filters.user ?? ""} onValue={set("user")} />
      {any && <Button small kind="ghost" icon="close" onClick={() => setQuery(Object.fromEntries(NAMES.map((name) => [name, null])))}>Clear filters</Button>}
    </div>
  );
}
