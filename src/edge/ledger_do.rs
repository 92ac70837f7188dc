//! The Durable Object class `Ledger`: load, fold, save, reply. Which of its tables an object uses goes by its name: shards
//! hold rows and counters, `control` what has one truth.
//!
//! | table | key | holds | kept |
//! | --- | --- | --- | --- |
//! | `migrations` | version | which schema versions ran | |
//! | `requests` | ledger_id | one row per request, its attempts packed (`domain/ledger/stored.rs`) | 7 days |
//! | `sketches` | slot | which words the rows of ten minutes hold (`domain/ledger/sketch.rs`); the last piece of its places (`places.rs`) and extracts (`extracts.rs`) | 7 days |
//! | `places` | slot, piece | pieces that are full | 7 days |
//! | `cells` | period, at, policy | counters (`domain/ledger/cell.rs`), packed (`packed.rs`), targets apart, per minute `m`, hour `h`, day `d` and of all time `e` | 48 h, 90 days, 2 years |
//! | `days` | day, dimension, value | the same by workload, group, user and key | 2 years |
//! | `boards` | day | per dimension how many values it tells apart (10,000 at most), their sum, the busiest (`domain/ledger/board.rs`) | 2 years |
//! | `isolates` | isolate | number of its last batch, when | 7 days |
//! | `counts` | name | `rows`, `batches`, `again`, `lost`, `dropped`, `refused:<code>` | |
//! | `editions` | seq | publications of documents with their bytes | 20 per document |
//! | `audit` | seq | who changed what | 10,000 |
//! | `usage` | key_id, day | what a gateway key used | 2 years |
//! | `circuits` | name | failures and recoveries of a target and key slot | 2 hours |
//!
//! `requests` has one index, by request id, and only over rows whose request id is not their ledger id; the ledger id sorts
//! by arrival, so order and pruning need none. A batch is one transaction: either its rows, its counters and its number are
//! all there, or none is, and it is sent again.

mod columns;
mod control;
mod days;
mod list;
mod places;
mod schema;
mod shard;
mod sql;

use crate::domain::ledger::batch::LEASE;
use crate::domain::ledger::protocol::{Answer, Ask, Status, TailMark};
use crate::domain::ledger::row::RequestRow;
use crate::edge::bindings::{LEDGER, settings};
use crate::edge::glue::{now, seed};
use crate::edge::line::within;
use sql::Db;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;
use worker::{DurableObject, Env, Method, Request, RequestInit, Response, Result, State, durable_object};

/// Rows that an object remembers for live streams.
const TAIL: usize = 500;
/// How often an object looks for what is too old.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// How soon it goes on when there was more than one round deletes.
const PRUNE_AGAIN: Duration = Duration::from_secs(5);

/// One object.
#[durable_object(alarm)]
pub struct Ledger {
    state: State,
    env: Env,
    db: Db,
    migrated: Cell<bool>,
    alarmed: Cell<bool>,
    tail: RefCell<Tail>,
}

/// The rows recorded last, in memory alone.
struct Tail {
    /// Tells this life of the object from its others; fits a JavaScript number.
    life: u64,
    seen: u64,
    rows: VecDeque<RequestRow>,
}

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Ledger {
        let db = Db::new(state.storage());
        let tail = Tail { life: seed() >> 12, seen: 0, rows: VecDeque::new() };
        let (migrated, alarmed) = (Cell::new(false), Cell::new(false));
        Ledger { state, env, db, migrated, alarmed, tail: RefCell::new(tail) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let answer = match serde_json::from_slice::<Ask>(&request.bytes().await?) {
            Ok(ask) => self.answer(ask)?,
            Err(error) => Answer::Refused(error.to_string()),
        };
        self.set_alarm().await?;
        Response::from_bytes(serde_json::to_vec(&answer)?)
    }

    async fn alarm(&self) -> Result<Response> {
        self.migrate()?;
        let keeps = settings(&self.env).keeps;
        control::prune(&self.db, now())?;
        let more = shard::prune(&self.db, &keeps, now())?;
        self.state.storage().set_alarm(if more { PRUNE_AGAIN } else { PRUNE_EVERY }).await?;
        Response::empty()
    }
}

impl Ledger {
    fn migrate(&self) -> Result<()> {
        if !self.migrated.get() {
            schema::migrate(&self.db)?;
            self.migrated.set(true);
        }
        Ok(())
    }

    /// Asks the platform once per life whether an alarm stands.
    async fn set_alarm(&self) -> Result<()> {
        if self.alarmed.replace(true) {
            return Ok(());
        }
        match self.state.storage().get_alarm().await? {
            Some(_) => Ok(()),
            None => self.state.storage().set_alarm(PRUNE_EVERY).await,
        }
    }

    fn answer(&self, ask: Ask) -> Result<Answer> {
        self.migrate()?;
        let (db, now) = (&self.db, now());
        match ask {
            Ask::Record(batch) => self.record(db.transaction(|| shard::record(db, batch, now))?),
            Ask::List(query) => Ok(Answer::Page(list::page(db, &query)?)),
            Ask::Find { id } => Ok(Answer::Rows(shard::find(db, &id)?)),
            Ask::Analyse(query) => Ok(Answer::Part(Box::new(shard::analyse(db, &query)?))),
            Ask::Lines { query, names } => Ok(Answer::Part(Box::new(days::lines(db, &query, &names)?))),
            Ask::Tail { after } => Ok(self.tail.borrow().since(after)),
            Ask::Status => self.status(),
            Ask::Sync(told) => Ok(Answer::Synced(db.transaction(|| control::sync(db, &told, now))?)),
            Ask::Write(write) => db.transaction(|| control::publish(db, write, now)),
            Ask::Undo { name, seq } => db.transaction(|| control::undo(db, &name, seq, now)),
            Ask::Current { name } => control::current(db, &name),
            Ask::Recent => Ok(Answer::Editions(control::recent(db, 0, now)?)),
            Ask::Versions { name } => control::versions(db, &name),
            Ask::Version { name, version } => control::version(db, &name, &version),
            Ask::Audit { before, limit } => control::audit(db, before, limit),
            Ask::Spent { keys } => Ok(Answer::Spent(control::spent_by(db, keys.iter(), now)?)),
            Ask::Usage { key_id, since_day } => Ok(Answer::Usage(control::usage(db, &key_id, &since_day)?)),
            Ask::Circuits => Ok(Answer::Circuits(control::circuits_since(db, 0)?)),
        }
    }

    fn record(&self, fresh: Vec<RequestRow>) -> Result<Answer> {
        self.tail.borrow_mut().push(fresh);
        Ok(Answer::Recorded)
    }

    fn status(&self) -> Result<Answer> {
        let counts = shard::counts(&self.db)?;
        Ok(Answer::Status(Status { counts, policies: shard::ever(&self.db)?, database_bytes: self.db.bytes() }))
    }
}

impl Tail {
    fn push(&mut self, rows: Vec<RequestRow>) {
        self.seen += rows.len() as u64;
        self.rows.extend(rows);
        let excess = self.rows.len().saturating_sub(TAIL);
        self.rows.drain(..excess);
    }

    fn since(&self, after: Option<TailMark>) -> Answer {
        let mark = TailMark { life: self.life, seen: self.seen };
        let fresh = match after {
            None => 0,
            Some(after) if after.life == self.life => self.seen.saturating_sub(after.seen) as usize,
            Some(_) => self.rows.len(),
        };
        let known = self.rows.len().saturating_sub(fresh);
        Answer::Tail { rows: self.rows.iter().skip(known).cloned().collect(), mark }
    }
}

/// Asks an object by its name, and waits no longer than [`LEASE`]: from then on another may ask the same.
///
/// # Errors
/// The object did not answer: whether it did what was asked is not known.
pub async fn ask(env: &Env, object: &str, ask: &Ask) -> Result<Answer> {
    within(LEASE, answer(env, object, ask)).await.unwrap_or_else(|| Err("no answer in time".into()))
}

async fn answer(env: &Env, object: &str, ask: &Ask) -> Result<Answer> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(serde_json::to_string(ask)?.into()));
    let request = Request::new_with_init("https://ledger/", &init)?;
    let mut response = env.durable_object(LEDGER)?.get_by_name(object)?.fetch_with_request(request).await?;
    if response.status_code() != 200 {
        return Err(format!("the ledger answered {}", response.status_code()).into());
    }
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}
