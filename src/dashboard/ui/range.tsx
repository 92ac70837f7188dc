// The stretch of time a page looks at: in the address, turned into from, to and bucket for the API.
import { fieldTime } from "../lib/format";
import { route, setQuery } from "../lib/router";
import { Segments } from "./basics";

const RANGES = [["1h", "1 h"], ["24h", "24 h"], ["7d", "7 d"], ["30d", "30 d"], ["90d", "90 d"], ["custom", "Custom"]] as const;
type Choice = (typeof RANGES)[number][0];
type Bucket = "minute" | "hour" | "day";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SPANS: Record<Exclude<Choice, "custom">, [span: number, bucket: Bucket]> = {
  "1h": [HOUR, "minute"],
  "24h": [DAY, "hour"],
  "7d": [7 * DAY, "hour"],
  "30d": [30 * DAY, "day"],
  "90d": [90 * DAY, "day"],
};
/** Minutes are kept for 48 hours, hours for 90 days; a series is read best at 60 to 200 points. */
const MINUTES_FOR = 3 * HOUR;
const HOURS_FOR = 8 * DAY;
const MINUTES_KEPT = 47 * HOUR;

export interface Range {
  choice: Choice;
  /** Unix ms, of a custom range; absent where nothing readable stands in the address. */
  from?: number;
  to?: number;
}

export function currentRange(): Range {
  const query = route.value.query;
  const choice = RANGES.find(([name]) => name === query.get("range"))?.[0] ?? "24h";
  if (choice !== "custom") return { choice };
  const ends = ["from", "to"].map((name) => Date.parse(query.get(name) ?? "")).filter(Number.isFinite).sort((a, b) => a - b);
  const [from, to] = ends;
  return from !== undefined && to !== undefined && from < to ? { choice, from, to } : { choice };
}

/** Names a range for what is loaded with it. */
export const rangeKey = (range: Range) => `${range.choice} ${range.from ?? ""} ${range.to ?? ""}`;

export function rangeQuery(range: Range): { from: string; to: string; bucket: Bucket } {
  const now = Date.now();
  const [span, bucket] = SPANS[range.choice === "custom" ? "24h" : range.choice];
  const { from = now - span, to = now } = range;
  return { from: iso(from), to: iso(to), bucket: range.choice === "custom" ? bucketOf(from, to, now) : bucket };
}

function bucketOf(from: number, to: number, now: number): Bucket {
  if (to - from <= MINUTES_FOR && now - from <= MINUTES_KEPT) return "minute";
  return to - from <= HOURS_FOR ? "hour" : "day";
}

const iso = (time: number) => new Date(time).toISOString();

export function RangePicker() {
  const range = currentRange();
  const shown = rangeQuery(range);
  const choose = (choice: Choice) => {
    if (choice !== "custom") return setQuery({ range: choice, from: null, to: null });
    setQuery({ range: choice, from: shown.from, to: shown.to });
  };
  return (
    <>
      {range.choice === "custom" && (
        <div class="row tight">
          <Moment label="From" value={Date.parse(shown.from)} onValue={(from) => setQuery({ from: iso(from), to: shown.to })} />
          <span class="muted" aria-hidden="true">–</span>
          <Moment label="To" value={Date.parse(shown.to)} onValue={(to) => setQuery({ from: shown.from, to: iso(to) })} />
        </div>
      )}
      <Segments label="Time range" value={range.choice} options={RANGES} onChange={choose} />
    </>
  );
}

function Moment({ label, value, onValue }: { label: string; value: number; onValue: (time: number) => void }) {
  const read = (text: string) => Number.isFinite(Date.parse(text)) && onValue(Date.parse(text));
  return <input class="input small moment num" type="datetime-local" aria-label={label} value={fieldTime(value)} onChange={(event) => read(event.currentTarget.value)} />;
}
