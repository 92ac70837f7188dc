//! What has one truth: publications of documents, the audit trail, spend by key and day, circuits as isolates saw them.

use crate::domain::breaker::BreakerSnapshot;
use crate::domain::time::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Publications of one document that are kept.
pub const VERSIONS: usize = 20;
/// Entries of the audit trail that are kept.
pub const AUDIT_KEPT: u64 = 10_000;
/// How long a publication counts as newer than what the store shows.
pub const SETTLES: Span = Span(60_000);
/// Bytes of a document at most: what a row of the table holds, with room to spare.
pub const DOCUMENT_BYTES: usize = 1_000_000;

/// One publication of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edition {
    /// Counts over all documents.
    pub seq: u64,
    /// The store's key: `policy:<name>`, `provider:<name>`, `key:<hash>`, `rules`, `models`.
    pub name: String,
    /// First 8 hex digits of the SHA-256 of the bytes; `None` when it was deleted.
    pub version: Option<String>,
    /// Unix ms.
    pub at: u64,
    /// The admin token's name, or `store` for an edit that was found in KV.
    pub by: String,
    pub action: Action,
    /// The bytes, where they were asked for and could be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What an admin did to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Put,
    Delete,
    Rollback,
    /// Found in the store, written by someone else.
    Found,
}

impl Action {
    /// The name in tables and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Put => "put",
            Action::Delete => "delete",
            Action::Rollback => "rollback",
            Action::Found => "found",
        }
    }

    /// The action of that name; [`Action::Found`] for any other.
    pub fn parse(name: &str) -> Action {
        let all = [Action::Put, Action::Delete, Action::Rollback];
        all.into_iter().find(|action| action.name() == name).unwrap_or(Action::Found)
    }
}

/// A publication to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    pub name: String,
    /// `None` deletes.
    pub value: Option<String>,
    /// Of `value`.
    pub version: Option<String>,
    /// What the store shows at this moment.
    pub store: Option<Shown>,
    /// The last publication that the store has shown to the writer; 0 = none. A later one outweighs `store` for a while.
    #[serde(default)]
    pub seq_shown: u64,
    pub condition: Condition,
    pub by: String,
    pub action: Action,
}

/// A document as the store shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    pub version: String,
    /// `None` where no edition can hold it: longer than [`DOCUMENT_BYTES`], or no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Shown {
    /// Of the bytes that the store shows, by whomever they were put there.
    pub fn of(version: String, bytes: &[u8]) -> Shown {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= DOCUMENT_BYTES);
        Shown { version, value: text.map(str::to_owned) }
    }
}

/// Under which condition a publication is made (`if-match`, `if-none-match`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    #[default]
    Always,
    /// One of these versions is stored.
    Matches(Vec<String>),
    /// Some version is stored.
    Exists,
    /// None is stored.
    Missing,
}

impl Condition {
    /// Of the two headers, as the client sent them.
    pub fn parse(if_match: Option<&str>, if_none_match: Option<&str>) -> Condition {
        match (if_match.map(str::trim), if_none_match.map(str::trim)) {
            (Some("*"), _) => Condition::Exists,
            (Some(tags), _) => {
                let version = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
                Condition::Matches(tags.split(',').map(version).collect())
            }
            (None, Some("*")) => Condition::Missing,
            (None, _) => Condition::Always,
        }
    }

    /// Does it hold of the stored version?
    pub fn holds(&self, stored: Option<&str>) -> bool {
        match self {
            Condition::Always => true,
            Condition::Matches(versions) => stored.is_some_and(|stored| versions.iter().any(|v| v == stored)),
            Condition::Exists => stored.is_some(),
            Condition::Missing => stored.is_none(),
        }
    }
}

/// Which version is stored: the last publication while the store may not show it yet, then what the store shows. `seq_shown`
/// is the last publication that the store has shown to whoever asks.
pub fn stored<'a>(last: Option<&'a Edition>, shown: Option<&'a str>, seq_shown: u64, now: Instant) -> Option<&'a str> {
    match last {
        Some(last) if outweighs(last, seq_shown, now) => last.version.as_deref(),
        _ => shown,
    }
}

/// Does a publication outweigh what the store shows?
pub fn outweighs(last: &Edition, seq_shown: u64, now: Instant) -> bool {
    last.seq > seq_shown && now.since(Instant(last.at)) < SETTLES
}

/// Did someone write the store beside us, so that what it shows deserves a place among the versions?
pub fn found_in_store(last: Option<&Edition>, shown: Option<&str>, seq_shown: u64, now: Instant) -> bool {
    let Some(shown) = shown else { return false };
    match last {
        Some(last) if outweighs(last, seq_shown, now) => false,
        Some(last) => last.version.as_deref() != Some(shown),
        None => true,
    }
}

/// Does a write publish the version that stands, which was published before? It is no edition of its own: a job that puts the same
/// document again and again would push every other out of the list.
pub fn repeats(last: Option<&Edition>, stored: Option<&str>, wanted: Option<&str>) -> bool {
    let Some(last) = last.filter(|last| last.action != Action::Found) else { return false };
    wanted.is_some() && stored == wanted && last.version.as_deref() == wanted
}

/// One entry of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    pub seq: u64,
    pub at: u64,
    pub by: String,
    pub action: String,
    pub name: String,
    /// Versions before and after.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What a gateway key used on one day.
///
/// Stored as JSON, pinned by `tests/fixtures/stored/usage.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub requests: u64,
    pub succeeded: u64,
    /// Charged: the cost of successful attempts alone.
    pub micro_usd: u64,
    pub input: u64,
    pub output: u64,
}

impl Usage {
    /// Adds another's.
    pub fn merge(&mut self, other: Usage) {
        self.requests = self.requests.saturating_add(other.requests);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.micro_usd = self.micro_usd.saturating_add(other.micro_usd);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
    }
}

/// What an isolate tells `control` with a flush, and what it wants to know. Numbered like a batch, and sent again like one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sync {
    pub isolate: String,
    pub number: u64,
    /// By key id, then day (`2026-11-21`).
    pub usage: BTreeMap<String, BTreeMap<String, Usage>>,
    /// Requests refused before there was a plan, by error code.
    pub refused: BTreeMap<String, u64>,
    /// Keys whose spend it wants to know.
    pub keys: Vec<String>,
    /// The last publication it knows; 0 = none.
    pub editions_after: u64,
    /// Circuits that changed here.
    #[serde(default)]
    pub circuits: Vec<BreakerSnapshot>,
}

/// What `control` answers to a [`Sync`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Synced {
    /// Publications since, one per document, with their bytes, the oldest first.
    pub editions: Vec<Edition>,
    pub last_edition: u64,
    /// Charged today and this month, by key id.
    pub spent: BTreeMap<String, Spent>,
    /// Circuits that changed at other isolates.
    #[serde(default)]
    pub circuits: Vec<BreakerSnapshot>,
}

/// What a gateway key has spent, in millionths of a US dollar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The day that `today_micro_usd` is of, `2026-11-21` (UTC).
    pub day: String,
    pub today_micro_usd: u64,
    pub month_micro_usd: u64,
}

/// The day of a moment, in UTC: `2026-11-21`.
pub fn day_of(at: Instant) -> String {
    super::when::format_time(at).chars().take(10).collect()
}

/// Sums the days of one month.
pub fn spent(days: &BTreeMap<String, Usage>, now: Instant) -> Spent {
    let day = day_of(now);
    let month = day.get(..7).unwrap_or_default();
    let of_month = days.iter().filter(|(name, _)| name.starts_with(month));
    let month_micro_usd = of_month.fold(0u64, |sum, (_, usage)| sum.saturating_add(usage.micro_usd));
    let today_micro_usd = days.get(&day).map_or(0, |usage| usage.micro_usd);
    Spent { day, today_micro_usd, month_micro_usd }
}
