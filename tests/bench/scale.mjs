// docs/scale.md's arithmetic: from what was measured here (results.json) and the platform's price list to what a size of
// traffic needs and costs. Pure: figures in, figures out.

/** Dollars, as the platform's pages listed them on `asOf`; volumes that a plan includes are left out. */
export const PRICES = {
  asOf: '2026-11-21',
  request: 0.3 / 1e6,
  cpuMs: 0.02 / 1e6,
  kvRead: 0.5 / 1e6,
  objectRequest: 0.15 / 1e6,
  gigabyteSecond: 12.5 / 1e6,
  rowWritten: 1 / 1e6,
  gigabyteMonth: 0.2,
};

/** What the platform's documentation says of one object: calls a second with storage writes, from 200 to 500. */
export const CALLS_PER_OBJECT = 500;
/** Memory that an object is billed for while it is awake, in GB. */
const OBJECT_GB = 0.125;
/** How much of a processor a shard is planned to use. */
const HEADROOM = 0.5;
/** Requests a second in one isolate that the arithmetic assumes: the rate of the budget and of the case `counts`. */
export const PER_ISOLATE = 500;
const BATCH_ROWS = 200;
const RETENTION_DAYS = 7;
/** A request's row is deleted when it is old, and deletions are written rows. */
const DELETED_ROWS = 1;
export const SIZES = [1_000, 100_000, 1_000_000];
/** `LEDGER_SHARDS`: its default, and the most it takes. */
const [DEFAULT_SHARDS, MOST_SHARDS] = [4, 1024];

/** The measured figures that the rest follows from. */
export function measured({ cases, counts, growth }) {
  const json = cases.find((one) => one.name === 'json_ledger_apart');
  const ledger = growth.find((one) => one.name === 'ledger').facts;
  return {
    cpuMs: json.understudy.cpu_us / 1000,
    ledgerMs: json.ledger_cpu_us / 1000,
    kvReads: counts.kv_reads_per_1000 / 1000,
    rowsBatched: ledger.rows_written_per_request,
    rowsAlone: ledger.rows_written_alone,
    bytes: ledger.bytes / ledger.requests,
    /** Requests a second whose rows one shard folds in, half its processor left free. */
    shardPerSecond: (HEADROOM * 1e6) / json.ledger_cpu_us,
  };
}

/**
 * Calls a second that one isolate with so many requests a second makes to shards, and to the object of usage and circuits: it
 * fills one shard's batch after the other's, and sends each when it is full or a second old.
 */
export function callsOfIsolate(perSecond) {
  const eachSecond = Math.min(1, perSecond);
  return { shards: Math.max(eachSecond, perSecond / BATCH_ROWS), control: eachSecond };
}

/** What a steady rate needs, with the ledger in batches, and with one call per attempt. */
export function needs(perSecond, facts, perIsolate = PER_ISOLATE) {
  const isolates = perSecond / perIsolate;
  const one = callsOfIsolate(perIsolate);
  const [calls, control] = [isolates * one.shards, isolates * one.control];
  const byRows = Math.ceil(perSecond / facts.shardPerSecond);
  const shards = Math.max(DEFAULT_SHARDS, byRows, Math.ceil(calls / CALLS_PER_OBJECT));
  return {
    isolates,
    shards,
    byRows,
    fits: shards <= MOST_SHARDS,
    callsPerShard: calls / shards,
    rowsPerCall: perSecond / calls,
    control,
    callsPer1000: ((calls + control) / perSecond) * 1000,
    alone: Math.ceil(perSecond / CALLS_PER_OBJECT),
  };
}

/** Rows written per request when so many come in one call: what each brings, and what a call's rows share. */
export function rowsWritten({ rowsBatched, rowsAlone }, perCall) {
  const shared = (rowsAlone - rowsBatched) / (1 - 1 / BATCH_ROWS);
  return rowsAlone - shared + shared / Math.max(1, perCall);
}

/** Dollars for a million requests of one attempt each, line by line, at a steady rate. */
export function cost(perSecond, facts) {
  const { shards, callsPer1000, alone, rowsPerCall } = needs(perSecond, facts);
  const same = { requests: 1e6 * PRICES.request, cpu: 1e6 * facts.cpuMs * PRICES.cpuMs, kv: 1e6 * facts.kvReads * PRICES.kvRead };
  const ledger = (calls, objects, rows) => ({
    objectRequests: calls * PRICES.objectRequest,
    duration: (1e6 / perSecond) * objects * OBJECT_GB * PRICES.gigabyteSecond,
    rows: 1e6 * (rows + DELETED_ROWS) * PRICES.rowWritten,
    storage: ((1e6 * facts.bytes) / 1e9) * (RETENTION_DAYS / 30) * PRICES.gigabyteMonth,
  });
  const sum = (lines) => ({ ...lines, total: Object.values(lines).reduce((all, one) => all + one, 0) });
  return {
    batched: sum({ ...same, ...ledger(1000 * callsPer1000, shards + 1, rowsWritten(facts, rowsPerCall)) }),
    alone: sum({ ...same, ...ledger(1e6, alone, facts.rowsAlone) }),
  };
}
