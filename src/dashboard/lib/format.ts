// Numbers and times as people read them. An absent value is a dash.
const DASH = "–";

const whole = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

type Maybe = number | null | undefined;

const absent = (value: Maybe): value is null | undefined => value === null || value === undefined || Number.isNaN(value);

export function count(value: Maybe): string {
  if (absent(value)) return DASH;
  return Math.abs(value) >= 100_000 ? compact.format(value) : whole.format(value);
}

export function ms(value: Maybe): string {
  if (absent(value)) return DASH;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
  if (value < 3_600_000) return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1000)} s`;
  return `${(value / 3_600_000).toFixed(1)} h`;
}

export function usd(value: Maybe): string {
  if (absent(value)) return DASH;
  if (value === 0) return "$0";
  if (Math.abs(value) < 0.01) return `$${value.toPrecision(2)}`;
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 })}`;
}

/** Of `whole`, in percent, never rounded up to a clean 100. */
export function percent(part: Maybe, of: Maybe): string {
  if (absent(part) || absent(of) || of === 0) return DASH;
  return ratio(part / of);
}

export function ratio(value: Maybe): string {
  if (absent(value)) return DASH;
  const percent = value * 100;
  if (percent === 100 || percent === 0) return `${percent} %`;
  const digits = percent > 99 || percent < 1 ? 2 : 1;
  const shown = Math.min(Math.floor(percent * 10 ** digits) / 10 ** digits, 100 - 10 ** -digits);
  return `${shown.toFixed(digits)} %`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export function time(value: string | number | null | undefined): string {
  const date = parseTime(value);
  if (!date) return DASH;
  const today = new Date().toDateString() === date.toDateString();
  return today ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export function fullTime(value: string | number | null | undefined): string {
  const date = parseTime(value);
  return date ? full.format(date) : DASH;
}

export function ago(value: string | number | null | undefined): string {
  const date = parseTime(value);
  if (!date) return DASH;
  const seconds = Math.max(0, (Date.now() - date.getTime()) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** As a field of type datetime-local has it: local time to the minute, without a zone; empty for none. */
export function fieldTime(value: string | number | null | undefined): string {
  const date = parseTime(value);
  return date ? new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
}

function parseTime(value: string | number | null | undefined): Date | null {
  if (value === null || value === undefined || value === "") return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function plural(n: number, one: string, many = one + "s"): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** `rate_limited` -> `rate limited` */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** `no_key:OPENAI_API_KEY` -> `no key: OPENAI_API_KEY`; any other sentence stays as it is. */
export function skipReason(text: string): string {
  const [, name, detail] = text.match(/^([a-z_]+)(?::(.+))?$/s) ?? [];
  if (!name) return text;
  return detail ? `${words(name)}: ${detail}` : words(name);
}

/** A gateway key's name; of one whose document does not parse, the beginning of its id. */
export function called(key: { id: string; name: string | null }): string {
  return key.name ?? `${key.id.slice(0, 8)}…`;
}
