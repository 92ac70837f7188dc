// The stretch of time a page looks at: a name in the address, turned into from, to and bucket for the API.
import { route, setQuery } from "../lib/router";
import { Segments } from "./basics";

const RANGES = [["1h", "1 h"], ["24h", "24 h"], ["7d", "7 d"], ["30d", "30 d"], ["90d", "90 d"]] as const;
export type Range = (typeof RANGES)[number][0];

const HOUR = 3_600_000;
const SPANS: Record<Range, [span: number, bucket: "minute" | "hour" | "day"]> = {
  "1h": [HOUR, "minute"],
  "24h": [24 * HOUR, "hour"],
  "7d": [7 * 24 * HOUR, "hour"],
  "30d": [30 * 24 * HOUR, "day"],
  "90d": [90 * 24 * HOUR, "day"],
};

export function currentRange(): Range {
  const value = route.value.query.get("range");
  return RANGES.some(([name]) => name === value) ? (value as Range) : "24h";
}

export function rangeQuery(range: Range): { from: string; to: string; bucket: string } {
  const [span, bucket] = SPANS[range];
  const now = Date.now();
  return { from: new Date(now - span).toISOString(), to: new Date(now).toISOString(), bucket };
}

export function RangePicker() {
  return <Segments label="Time range" value={currentRange()} options={RANGES} onChange={(range) => setQuery({ range })} />;
}
