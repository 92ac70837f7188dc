// Routes live behind the hash, so that the assets need no rewriting: #/policies/sonnet/simulate?range=7d
import { computed, signal } from "@preact/signals";

export interface Route {
  path: string[];
  query: URLSearchParams;
}

const hash = signal(location.hash);

/** A page with edits that are not saved says so here; leaving then asks first. */
export const unsaved = signal<string | null>(null);

addEventListener("hashchange", () => {
  if (unsaved.value && !confirm(`${unsaved.value} Leave all the same?`)) {
    history.replaceState(null, "", hash.value);
    return;
  }
  unsaved.value = null;
  hash.value = location.hash;
});

export const route = computed<Route>(() => {
  const [path = "", query = ""] = hash.value.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
});

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `href("policies", name, { tab: "edit" })` */
export function href(...parts: (string | Record<string, string>)[]): string {
  const names = parts.filter((part): part is string => typeof part === "string");
  const query = parts.find((part): part is Record<string, string> => typeof part === "object");
  const search = query ? new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString() : "";
  return "#/" + names.map(encodeURIComponent).join("/") + (search ? "?" + search : "");
}

export function go(...parts: (string | Record<string, string>)[]): void {
  location.hash = href(...parts);
}

/** Changes the query in place: filters survive a reload, but do not fill the history. */
export function setQuery(changes: Record<string, string | null>): void {
  const { path, query } = route.value;
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  history.replaceState(null, "", href(...path, Object.fromEntries(next)));
  hash.value = location.hash;
}

addEventListener("beforeunload", (event) => {
  if (unsaved.value) event.preventDefault();
});
