//! What is recorded: one record per request, with its attempts and skips in order. No prompt or answer text, no key.

use crate::domain::time::Instant;
use serde::{Deserialize, Serialize};

/// One request, whatever its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestRow {
    /// 32 hex digits that sort by arrival, made where the row is queued ([`ledger_id`]). Shards, order and exactly-once go by it.
    pub ledger_id: String,
    /// `x-understudy-request-id` as the client gave it, or as we made it.
    pub id: String,
    /// Unix ms of its arrival.
    pub at: u64,
    /// `sonnet`, `rule/<ruleset>/<rule>`, `request`, or empty for a plain model.
    #[serde(skip_serializing_if = "is_default")]
    pub policy: String,
    /// First 8 hex digits of the stored document's SHA-256, or empty.
    #[serde(skip_serializing_if = "is_default")]
    pub version: String,
    #[serde(skip_serializing_if = "is_default")]
    pub workload: String,
    /// Route name (`chat`, `responses`, ...).
    pub route: String,
    /// The model asked for, as the client wrote it.
    pub asked: String,
    /// `ok`, or the class of the final error, or `skipped` when no call was made.
    pub outcome: String,
    /// Status sent to the client.
    pub status: u16,
    /// Was it another than the first hop that answered?
    #[serde(skip_serializing_if = "is_default")]
    pub fallback: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub degraded: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub stream: bool,
    /// To the end of the answer.
    pub ms: u64,
    /// From arrival to the first content sent to the client, where known.
    #[serde(skip_serializing_if = "is_default")]
    pub ttft_ms: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub group: Option<String>,
    /// Name of the gateway key used.
    #[serde(skip_serializing_if = "is_default")]
    pub key: Option<String>,
    /// SHA-256 hex of the gateway key, for its usage and budget.
    #[serde(skip_serializing_if = "is_default")]
    pub key_id: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub colo: Option<String>,
    /// Parameters dropped on the way to the hop that answered; where none did, to the last one called.
    #[serde(skip_serializing_if = "is_default")]
    pub dropped: Vec<String>,
    /// Rows of drills and comparisons stay out of the counters: `drill`, `compare`, or empty.
    #[serde(skip_serializing_if = "is_default")]
    pub mark: String,
    pub attempts: Vec<AttemptRow>,
}

/// A ledger id: 12 hex digits of the arrival in Unix ms, then 20 random ones. So the table's own key is the order in which
/// the ledger is read and pruned, and no index is paid for.
pub fn ledger_id(at: Instant, random: [u8; 10]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&at.0.min(LAST_AT).to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    base16ct::lower::encode_string(&bytes)
}

/// The latest moment whose 12 hex digits a ledger id can hold (the year 10889).
const LAST_AT: u64 = 0xffff_ffff_ffff;

/// When the request with that ledger id arrived; the end of time for what is none.
pub fn arrival(ledger_id: &str) -> Instant {
    let digits = ledger_id.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Instant(digits.unwrap_or(LAST_AT))
}

/// What the ledger ids of all requests that arrived at that moment begin with.
pub fn arrived(at: Instant) -> String {
    format!("{:012x}", at.0.min(LAST_AT))
}

/// The least ledger id of any request that arrived at that moment or later.
pub fn ledger_id_floor(at: Instant) -> String {
    format!("{}{:020}", arrived(at), 0)
}

impl RequestRow {
    /// Was the client answered?
    pub fn succeeded(&self) -> bool {
        self.outcome == OK
    }

    /// The target that answered, also where its stream broke: what the client had of it is its answer.
    pub fn model(&self) -> Option<&str> {
        let mut latest = self.attempts.iter().rev();
        latest.find(|attempt| attempt.committed || attempt.succeeded()).map(|attempt| attempt.model.as_str())
    }

    /// Is it in the counters? Rows of drills and comparisons are not.
    pub fn counts(&self) -> bool {
        self.mark.is_empty()
    }

    /// Upstream calls made.
    pub fn calls(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.call).count()
    }

    /// What is charged: the cost of successful attempts, in millionths of a US dollar.
    pub fn cost_micro_usd(&self) -> u64 {
        self.attempts.iter().filter(|a| a.succeeded()).fold(0, |sum, a| sum.saturating_add(a.cost_micro_usd))
    }

    /// What the other attempts may have cost upstream.
    pub fn wasted_micro_usd(&self) -> u64 {
        self.attempts.iter().filter(|a| !a.succeeded()).fold(0, |sum, a| sum.saturating_add(a.cost_micro_usd))
    }

    /// Tokens of the successful attempts.
    pub fn tokens(&self) -> Tokens {
        self.attempts.iter().filter(|a| a.succeeded()).fold(Tokens::default(), |sum, a| sum.plus(a.tokens))
    }
}

/// The outcome of an attempt or request that succeeded; any other is a class or a skip's reason.
pub const OK: &str = "ok";

impl AttemptRow {
    /// An upstream call that ended well.
    pub fn succeeded(&self) -> bool {
        self.call && self.outcome == OK
    }
}

impl Tokens {
    /// The sum, estimated when either part is.
    pub fn plus(self, other: Tokens) -> Tokens {
        Tokens {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cached: self.cached.saturating_add(other.cached),
            estimated: self.estimated || other.estimated,
        }
    }
}

/// One attempt, or one skip (`call` false).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptRow {
    /// From 0, attempts and skips counted together.
    pub seq: u32,
    /// Unix ms of the start.
    pub at: u64,
    /// False for a skip.
    #[serde(skip_serializing_if = "is_default")]
    pub call: bool,
    /// `provider/model[@region]`
    pub model: String,
    /// `managed` or `own`; empty for a skip.
    #[serde(skip_serializing_if = "is_default")]
    pub key: String,
    /// `ok`, a class, or for a skip its reason (`boundary`, `incompatible`, ...).
    pub outcome: String,
    #[serde(skip_serializing_if = "is_default")]
    pub status: Option<u16>,
    /// Which clock fired.
    #[serde(skip_serializing_if = "is_default")]
    pub phase: Option<String>,
    /// The upstream's own code.
    #[serde(skip_serializing_if = "is_default")]
    pub code: Option<String>,
    /// At most 200 characters, redacted.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    #[serde(skip_serializing_if = "is_default")]
    pub headers_ms: Option<u64>,
    /// To the first content.
    #[serde(skip_serializing_if = "is_default")]
    pub ttft_ms: Option<u64>,
    /// To its end.
    pub ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub tokens: Tokens,
    /// Spend on a successful attempt, else what may have been wasted. Millionths of a US dollar.
    #[serde(skip_serializing_if = "is_default")]
    pub cost_micro_usd: u64,
    /// Bytes of it went to the client.
    #[serde(skip_serializing_if = "is_default")]
    pub committed: bool,
    /// Parameters dropped on the way to it; of the attempt that answered they are the request's.
    #[serde(skip_serializing_if = "is_default")]
    pub dropped: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub billed: Billed,
}

/// Token counts; `estimated` when the upstream sent none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    #[serde(skip_serializing_if = "is_default")]
    pub input: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub output: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub cached: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub estimated: bool,
}

/// Whether the upstream may have charged for an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Billed {
    #[default]
    No,
    Yes,
    Maybe,
}

/// Left out of the stored JSON: what is not there is the default. A row of one attempt so stays under the 1,002 bytes that the
/// table holds without a page of overflow; one of several may need that page.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
