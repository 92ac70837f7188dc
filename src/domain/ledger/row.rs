//! What is recorded: one record per request, with its attempts and skips in order. No prompt or answer text, no key.

use serde::{Deserialize, Serialize};

/// One request, whatever its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestRow {
    /// Made here: 32 hex digits. Shards and exactly-once go by it.
    pub ledger_id: String,
    /// `x-understudy-request-id` as the client gave it, or as we made it.
    pub id: String,
    /// Unix ms of its arrival.
    pub at: u64,
    /// `sonnet`, `rule/<ruleset>/<rule>`, `request`, or empty for a plain model.
    pub policy: String,
    /// First 8 hex digits of the stored document's SHA-256, or empty.
    pub version: String,
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
    pub fallback: bool,
    pub degraded: bool,
    pub stream: bool,
    /// To the end of the answer.
    pub ms: u64,
    /// From arrival to the first content sent to the client, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Name of the gateway key used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// SHA-256 hex of the gateway key, for its usage and budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colo: Option<String>,
    /// Parameters dropped on the way to the hop that answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Rows of drills and comparisons stay out of the counters: `drill`, `compare`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mark: String,
    pub attempts: Vec<AttemptRow>,
}

/// One attempt, or one skip (`call` false).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// From 0, attempts and skips counted together.
    pub seq: u32,
    /// Unix ms of the start.
    pub at: u64,
    /// False for a skip.
    pub call: bool,
    /// `provider/model[@region]`
    pub model: String,
    /// `managed` or `own`; empty for a skip.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `ok`, a class, or for a skip its reason (`boundary`, `incompatible`, ...).
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Which clock fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The upstream's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// At most 200 characters, redacted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_ms: Option<u64>,
    /// To the first content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<u64>,
    /// To its end.
    pub ms: u64,
    pub tokens: Tokens,
    /// Spend on a successful attempt, else what may have been wasted. Millionths of a US dollar.
    pub cost_micro_usd: u64,
    /// Bytes of it went to the client.
    pub committed: bool,
    pub billed: Billed,
}

/// Token counts; `estimated` when the upstream sent none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    pub input: u64,
    pub output: u64,
    pub cached: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
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
