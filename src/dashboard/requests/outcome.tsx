// How a request ended, in one badge: answered at once, saved by another, or failed.
import type { RequestSummary } from "../api/types";
import { words } from "../lib/format";
import { Badge } from "../ui/basics";

export function OutcomeBadge({ request }: { request: RequestSummary }) {
  if (request.outcome === "ok" && request.fallback) return <Badge tone="accent" dot>saved by fallback</Badge>;
  if (request.outcome === "ok") return <Badge tone="good" dot>answered</Badge>;
  if (request.outcome === "cancelled") return <Badge dot>client left</Badge>;
  return <Badge tone="bad" dot>{words(request.outcome)}</Badge>;
}
