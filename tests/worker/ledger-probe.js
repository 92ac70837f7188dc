// The Worker as it is deployed, with a hand on its ledger's objects: loaded before the built module where a test asks for it.
//
//   POST /faults   ["lost", "torn", "unanswered", ...]    what the next writes meet, one each; then none
//   POST /sql      {"statement": "SELECT ..."}            rows of the object's own tables
//   POST /alarm    null | ms from now                     answers when the alarm is due, after setting it if asked to
//   POST /written  null                                   rows that its statements have written since it woke
//   POST /read     null                                   rows that they have read
import worker, { Ledger as Built } from './index.js';

export default worker;

const WRITES = ['record', 'sync', 'write'];

export class Ledger extends Built {
  constructor(state, env) {
    const hand = { faults: [], written: 0, read: 0, last: undefined, breaksAt: 0 };
    super(under(state, hand), env);
    this.hand = hand;
    this.own = state.storage;
  }

  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === '/') return this.asked(request);
    const given = await request.json();
    if (path === '/faults') this.hand.faults = given;
    if (path === '/alarm' && given !== null) await this.own.setAlarm(Date.now() + given);
    const answers = {
      '/faults': () => this.hand.faults,
      '/sql': () => this.own.sql.exec(given.statement).toArray(),
      '/alarm': () => this.own.getAlarm(),
      '/written': () => this.hand.written,
      '/read': () => this.hand.read + (this.hand.last?.rowsRead ?? 0),
    };
    return Response.json((await answers[path]()) ?? null);
  }

  async asked(request) {
    const text = await request.text();
    const again = () => super.fetch(new Request(request.url, { method: 'POST', body: text }));
    const fault = WRITES.includes(Object.keys(JSON.parse(text))[0]) ? this.hand.faults.shift() : undefined;
    // It never came.
    if (fault === 'lost') throw new Error('fault: lost');
    // A statement in its middle fails.
    if (fault === 'torn') this.hand.breaksAt = 4;
    const answer = await again();
    this.hand.breaksAt = 0;
    // It was written, and the answer never came.
    if (fault === 'unanswered') throw new Error('fault: unanswered');
    return answer;
  }
}

/** The object's state with a database that counts, and that fails when it is told to. */
function under(state, hand) {
  const { storage } = state;
  const exec = (statement, ...values) => {
    if (hand.breaksAt > 0 && --hand.breaksAt === 0) throw new Error('fault: torn');
    const cursor = storage.sql.exec(statement, ...values);
    hand.written += cursor.rowsWritten;
    // How many rows were read is known when they have been fetched: when the next statement runs.
    hand.read += hand.last?.rowsRead ?? 0;
    hand.last = cursor;
    return cursor;
  };
  const sql = { exec, get databaseSize() { return storage.sql.databaseSize; } };
  const passed = (of, own) => new Proxy(of, { get: (target, name) => (name in own ? own[name] : bound(target, target[name])) });
  return passed(state, { storage: passed(storage, { sql }) });
}

const bound = (owner, value) => (typeof value === 'function' ? value.bind(owner) : value);
