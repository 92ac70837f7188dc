//! The in-isolate half of the ledger: a queue of rows, and who sends it when.
//!
//! 1. [`record`] queues a row: plain data in a thread-local, no I/O, nothing awaited.
//! 2. [`settle`], in the same request's `wait_until`, sends a lane that is full at once; else the request whose row was the
//!    first of a batch holds the timer for it, sleeps 1 s and sends all lanes, and everyone else is done.
//! 3. A flush is one call per shard that has rows, and one to `control`: usage, refusals and circuits go there, publications,
//!    spend and circuits of others come back.
//!
//! Requests share only data: awaiting what another request began is an error on this platform. A timer or a sender that was
//! cut off with its request is taken over when its lease ends.

use super::documents;
use super::glue::{draw, now, sleep};
use super::ledger_do::ask;
use super::line::within;
use super::log;
use super::store;
use super::{bindings::settings, breakers};
use crate::domain::ledger::batch::{BATCH_WAIT, LEASE, Outbox, Taken};
use crate::domain::ledger::control::{Spent, Synced};
use crate::domain::ledger::desk::{ASKING, Desk, Word};
use crate::domain::ledger::protocol::{Answer, Ask, CONTROL, shard_name};
use crate::domain::ledger::row::{RequestRow, ledger_id};
use crate::domain::time::{Instant, Span};
use futures::future::{join, join_all};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use worker::Env;

/// How long a timer's holder may be late before another request takes its place.
const TIMER_GRACE: Span = Span(1_000);
/// How often a request looks whether the one that sends or asks is done.
const POLL: Span = Span(50);
/// Waits before a batch that was not answered is sent again by the same request.
const RETRIES: [Span; 2] = [Span(200), Span(1_000)];
/// Batches that one request sends to one shard in a flush at most: a backlog goes on with the next flush.
const BATCHES: usize = 20;

struct Recorder {
    outbox: Outbox,
    desk: Desk,
    /// Lanes that became full and that nobody has taken on.
    full: Vec<u32>,
    /// Until then some request holds the timer.
    timer_until: Instant,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

fn with<T>(env: &Env, work: impl FnOnce(&mut Recorder) -> T) -> T {
    RECORDER.with_borrow_mut(|slot| work(slot.get_or_insert_with(|| Recorder::new(settings(env).ledger_shards))))
}

impl Recorder {
    fn new(shards: u32) -> Recorder {
        let isolate = new_id();
        let (outbox, desk) = (Outbox::new(isolate.clone(), shards), Desk::new(isolate));
        Recorder { outbox, desk, full: Vec::new(), timer_until: Instant(0) }
    }

    fn has_work(&self) -> bool {
        self.desk.has_work() || (0..self.outbox.shards()).any(|shard| self.outbox.has_work(shard))
    }

    /// Takes the timer, if there is something to send and nobody holds it.
    fn take_timer(&mut self, now: Instant) -> bool {
        let free = self.timer_until <= now && self.has_work();
        if free {
            self.timer_until = now + BATCH_WAIT + TIMER_GRACE;
        }
        free
    }
}

/// An id that nobody else has.
pub fn new_id() -> String {
    ledger_id(now(), draw().unwrap_or_default())
}

/// Queues a row under a ledger id of its own. No I/O; to be followed by [`settle`] in the same request's `wait_until`.
pub fn record(env: &Env, mut row: RequestRow) {
    let random = draw().unwrap_or_default();
    with(env, |recorder| {
        row.ledger_id = recorder.outbox.next_id(Instant(row.at), random);
        recorder.desk.charge(&row);
        recorder.full.extend(recorder.outbox.push(row));
    });
}

/// Counts a request that was refused before there was a plan, by the code of its error; to be followed by [`settle`].
pub fn refused(env: &Env, code: &str) {
    with(env, |recorder| recorder.desk.refuse(code));
}

/// Whether [`settle`] has anything to do for this request: a lane is full, or nobody holds the timer.
pub fn is_due(env: &Env) -> bool {
    with(env, |recorder| !recorder.full.is_empty() || recorder.timer_until <= now())
}

/// To be awaited within `wait_until` after a [`record`] when [`is_due`]: sends what is due, at once when a batch is full, else 1 s after
/// its first row, else returns at once because another request has the timer.
pub async fn settle(env: &Env) {
    let full = with(env, |recorder| std::mem::take(&mut recorder.full));
    join_all(full.into_iter().map(|shard| send(env, shard))).await;
    if with(env, |recorder| recorder.take_timer(now())) {
        sleep(BATCH_WAIT).await;
        with(env, |recorder| recorder.timer_until = Instant(0));
        flush(env).await;
    }
}

/// Sends all that waits, and returns when every shard has answered, or will not.
pub async fn flush(env: &Env) {
    let shards = with(env, |recorder| {
        (0..recorder.outbox.shards()).filter(|shard| recorder.outbox.has_work(*shard)).collect::<Vec<_>>()
    });
    join(join_all(shards.into_iter().map(|shard| send(env, shard))), tell(env)).await;
}

async fn send(env: &Env, shard: u32) {
    let (mut failures, mut batches, started) = (0, 0, now());
    let mark = with(env, |recorder| recorder.outbox.mark());
    while batches < BATCHES && with(env, |recorder| recorder.outbox.is_due(shard, mark)) {
        match with(env, |recorder| recorder.outbox.take(shard, now())) {
            Taken::Nothing => return,
            Taken::Busy if now().since(started) > LEASE => return,
            Taken::Busy => sleep(POLL).await,
            Taken::Batch(batch) => {
                batches += 1;
                let number = batch.number;
                match ask(env, &shard_name(shard), &Ask::Record((*batch).clone())).await {
                    Ok(Answer::Recorded) => with(env, |recorder| recorder.outbox.answered(shard, number)),
                    Ok(other) => {
                        warn("ledger_refused", &store::refusal(&other));
                        with(env, |recorder| recorder.outbox.answered(shard, number));
                    }
                    Err(error) => {
                        warn("ledger_unanswered", &error.to_string());
                        with(env, |recorder| recorder.outbox.unanswered(shard, number));
                        let Some(wait) = RETRIES.get(failures) else { return };
                        failures += 1;
                        sleep(*wait).await;
                    }
                }
            }
        }
    }
}

async fn tell(env: &Env) {
    let Some(sync) = with(env, |recorder| recorder.desk.take(breakers::news, now())) else { return };
    let number = sync.number;
    match ask(env, CONTROL, &Ask::Sync((*sync).clone())).await {
        Ok(Answer::Synced(answer)) => {
            hear(&answer);
            with(env, |recorder| recorder.desk.answered(number, &answer, now()));
        }
        Ok(other) => {
            warn("ledger_refused", &store::refusal(&other));
            with(env, |recorder| recorder.desk.answered(number, &Synced::default(), now()));
        }
        Err(error) => {
            warn("ledger_unanswered", &error.to_string());
            with(env, |recorder| recorder.desk.unanswered(number));
        }
    }
}

fn hear(answer: &Synced) {
    breakers::merge(&answer.circuits);
    // What this isolate published itself it has adopted then, and KV may have shown it and something newer since.
    for edition in answer.editions.iter().filter(|edition| !store::is_own(edition.seq)) {
        documents::adopt(&edition.name, edition.value.as_deref().map(str::as_bytes), Instant(edition.at));
    }
}

fn warn(event: &str, message: &str) {
    let message: String = message.chars().take(200).collect();
    log::warn(event, json!({"message": message}));
}

/// What the key has spent today and this month. The ledger is asked where no flush has told lately, by one request for all that
/// wait. `None` when it never answered: the caller lets the request pass.
pub async fn spent(env: &Env, key_id: &str) -> Option<Spent> {
    let started = now();
    while now().since(started) < ASKING {
        match with(env, |recorder| recorder.desk.word(key_id, now())) {
            Word::Heard(spent) => return spent,
            Word::Wait => sleep(POLL).await,
            Word::Ask(keys) => {
                let said = ask_spent(env, &keys).await.unwrap_or_default();
                with(env, |recorder| recorder.desk.learn(&keys, &said, now()));
            }
        }
    }
    with(env, |recorder| recorder.desk.spent(key_id, now()))
}

async fn ask_spent(env: &Env, keys: &[String]) -> Option<BTreeMap<String, Spent>> {
    match within(ASKING, ask(env, CONTROL, &Ask::Spent { keys: keys.to_vec() })).await {
        Some(Ok(Answer::Spent(spent))) => Some(spent),
        _ => None,
    }
}

/// Rows that wait in this isolate, and those that it dropped.
pub fn backlog(env: &Env) -> (usize, u64) {
    with(env, |recorder| (recorder.outbox.waiting(), recorder.outbox.dropped()))
}
