// The one document behind both entries, Rules and Rulesets: read, changed in one place, saved under its version.
import { ApiError } from "../api/client";
import { policies, rules, saveRules, targets } from "../api/read";
import type { RulesDocument } from "../api/types";
import { useResource } from "../lib/resource";
import { toast } from "../ui/basics";

export function useRules() {
  const found = useResource("rules", (signal) => rules(signal));
  const bad = found.data?.error === undefined ? undefined : new ApiError(500, `The stored rules do not parse: ${found.data.error}. Requests run under the last good copy, or are refused.`);
  // What cannot be shown is not taken for no rules: saving over it would lose what is there.
  const torn = found.data?.torn === true;
  /** Saves what `change` makes of the document; throws what the Worker says against it. */
  const save = async (change: (document: RulesDocument) => RulesDocument, done: string) => {
    if (!found.data || torn) return;
    const document = change(found.data.document);
    const stored = await saveRules(document, found.data.version);
    found.set({ ...stored, document, torn: false });
    toast(done);
  };
  return { ...found, error: found.error ?? bad, document: torn ? undefined : found.data?.document, save };
}

/** Models to suggest: targets in use, and policies. */
export function useKnownModels(): string[] {
  const known = useResource("known models", async (signal) => {
    const [found, stored] = await Promise.all([targets(signal), policies(signal)]);
    return [...new Set([...found.map((one) => one.model), ...stored.map((one) => `policy/${one.name}`)])].sort();
  });
  return known.data ?? [];
}
