//! How the Worker speaks with its Durable Objects: one JSON [`Ask`] in the body of a POST, one JSON [`Answer`] back, both
//! tagged by their variant's name (`{"record": {...}}`).
//!
//! Shards `shard-0` .. `shard-<n-1>` hold rows and counters. The object `control` holds what has one truth: versions and the
//! audit trail of documents, spend by key, circuits, refusals.

use crate::domain::breaker::BreakerSnapshot;
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::batch::Batch;
use crate::domain::ledger::cell::Cell;
use crate::domain::ledger::control::{Audit, Edition, Spent, Sync, Synced, Usage, Write};
use crate::domain::ledger::listing::Page;
use crate::domain::ledger::query::{AnalyticsQuery, ListQuery};
use crate::domain::ledger::rollup::Dimension;
use crate::domain::ledger::row::RequestRow;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the object that holds what has one truth.
pub const CONTROL: &str = "control";

/// The name of a shard's object.
pub fn shard_name(shard: u32) -> String {
    format!("shard-{shard}")
}

/// Where a reader of the live stream stands: which life of the object, and how many rows it had seen by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailMark {
    pub life: u64,
    pub seen: u64,
}

/// What is asked of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Shard: fold these rows in, once.
    Record(Batch),
    /// Shard: rows, newest first.
    List(ListQuery),
    /// Shard: rows by ledger id or request id.
    Find { id: String },
    /// Shard: its part of analytics.
    Analyse(AnalyticsQuery),
    /// Shard: of a question by day, the lines of these values.
    Lines { query: AnalyticsQuery, names: BTreeMap<Dimension, Vec<String>> },
    /// Shard: rows recorded since a mark; without one, the mark alone.
    Tail { after: Option<TailMark> },
    /// Any: counters of its own doings, and (shard) those of all time by policy.
    Status,
    /// Control: what an isolate did and wants to know.
    Sync(Sync),
    /// Control: publish a document, if nobody else did meanwhile.
    Write(Write),
    /// Control: the store refused that publication.
    Undo { name: String, seq: u64 },
    /// Control: the last publication of a document.
    Current { name: String },
    /// Control: publications that the store need not show yet.
    Recent,
    /// Control: the last publications of a document, newest first, without their bytes.
    Versions { name: String },
    /// Control: one publication with its bytes.
    Version { name: String, version: String },
    /// Control: who changed what, newest first.
    Audit { before: Option<u64>, limit: u32 },
    /// Control: every circuit that isolates told of lately.
    Circuits,
    /// Control: what these keys have spent today and this month.
    Spent { keys: Vec<String> },
    /// Control: what a key used, by day, from that day on.
    Usage { key_id: String, since_day: String },
}

/// What an object answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Recorded,
    Page(Page),
    Rows(Vec<RequestRow>),
    Part(Box<Part>),
    Tail {
        rows: Vec<RequestRow>,
        mark: TailMark,
    },
    Status(Status),
    Synced(Synced),
    /// The publication stands.
    Written {
        edition: Edition,
    },
    /// That version stands already, by this publication.
    Unchanged {
        edition: Edition,
    },
    /// Someone else's version stands; `None` when the document does not exist.
    Conflict {
        stored: Option<String>,
    },
    Editions(Vec<Edition>),
    Audit(Vec<Audit>),
    Usage(BTreeMap<String, Usage>),
    Spent(BTreeMap<String, Spent>),
    Circuits(Vec<BreakerSnapshot>),
    Done,
    /// The object could not make sense of what was asked, and never will.
    Refused(String),
}

/// Counters of an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// `rows`, `batches`, `again` (batches that came twice), `lost`, `dropped`, `refused:<code>`.
    pub counts: BTreeMap<String, u64>,
    /// Counters of all time by policy (shards alone).
    pub policies: BTreeMap<String, Cell>,
    pub database_bytes: u64,
}
