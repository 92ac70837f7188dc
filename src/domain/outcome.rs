//! What happened: the outcome of an attempt, and why a hop was passed over without a call.
//!
//! Three words, three types: an [`Outcome`] is what happened, a [`Verdict`](crate::domain::policy::Verdict) is what the
//! policy says of it, a [`Step`](crate::domain::chain::Step) is what to do now.

use crate::domain::time::Span;

/// What went wrong, as the contract names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    RateLimited,
    QuotaExhausted,
    Overloaded,
    ServerError,
    Timeout,
    Unreachable,
    Malformed,
    Interrupted,
    Auth,
    Forbidden,
    NotFound,
    ContextLength,
    ContentPolicy,
    Unsupported,
    InvalidRequest,
    Cancelled,
}

impl Class {
    /// Every class, in the order of the contract's table.
    pub const ALL: [Class; 16] = [
        Class::RateLimited,
        Class::QuotaExhausted,
        Class::Overloaded,
        Class::ServerError,
        Class::Timeout,
        Class::Unreachable,
        Class::Malformed,
        Class::Interrupted,
        Class::Auth,
        Class::Forbidden,
        Class::NotFound,
        Class::ContextLength,
        Class::ContentPolicy,
        Class::Unsupported,
        Class::InvalidRequest,
        Class::Cancelled,
    ];

    /// The name used in policies, trails, ledger and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Class::RateLimited => "rate_limited",
            Class::QuotaExhausted => "quota_exhausted",
            Class::Overloaded => "overloaded",
            Class::ServerError => "server_error",
            Class::Timeout => "timeout",
            Class::Unreachable => "unreachable",
            Class::Malformed => "malformed",
            Class::Interrupted => "interrupted",
            Class::Auth => "auth",
            Class::Forbidden => "forbidden",
            Class::NotFound => "not_found",
            Class::ContextLength => "context_length",
            Class::ContentPolicy => "content_policy",
            Class::Unsupported => "unsupported",
            Class::InvalidRequest => "invalid_request",
            Class::Cancelled => "cancelled",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Which clock ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Headers,
    FirstToken,
    Idle,
    Attempt,
    Deadline,
}

impl Phase {
    /// The name used in ledger and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Headers => "headers",
            Phase::FirstToken => "first_token",
            Phase::Idle => "idle",
            Phase::Attempt => "attempt",
            Phase::Deadline => "deadline",
        }
    }
}

/// How an attempt ended, as the chain needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is good up to the commit point: this target serves the request.
    Served,
    /// It failed before the commit point.
    Failed(Failure),
}

/// A failed attempt (before commit), or how a committed stream broke (after it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub class: Class,
    /// The upstream's own status, where there was one. An in-band failure of a 200 keeps `Some(200)` here.
    pub status: Option<u16>,
    /// Which clock fired, for [`Class::Timeout`] by a clock of ours.
    pub phase: Option<Phase>,
    /// How long the upstream asked to wait: `Retry-After` in any form, or a hint in the body.
    pub retry_after: Option<Span>,
    /// The upstream's own error code or type (`insufficient_quota`, `overloaded_error`, ...).
    pub code: Option<String>,
    /// A sentence for people: the upstream's message or ours. Not yet redacted.
    pub reason: String,
    /// The upstream's error body, when it sent one (bounded by the reader), for the client of a single attempt.
    pub body: Option<Vec<u8>>,
}

impl Failure {
    /// A failure without status, hint, code or body.
    pub fn new(class: Class, reason: impl Into<String>) -> Failure {
        Failure { class, status: None, phase: None, retry_after: None, code: None, reason: reason.into(), body: None }
    }

    /// One of our clocks fired.
    pub fn timeout(phase: Phase, after: Span) -> Failure {
        let what = match phase {
            Phase::Headers => "no response headers",
            Phase::FirstToken => "no content",
            Phase::Idle => "no further content",
            Phase::Attempt => "no whole answer",
            Phase::Deadline => "the request's deadline passed with no answer",
        };
        Failure { phase: Some(phase), ..Failure::new(Class::Timeout, format!("{what} within {} ms", after.0)) }
    }
}

/// Why a hop was passed over without a call, in the order in which the reasons are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It would cross a boundary that `keep`, the key's or a rule's `deny` draws; which one (`family`, `provider`, ...).
    Boundary(String),
    /// It lacks a feature, family or context size that the request needs; which one (`vision`, `n`, `context`, ...).
    Incompatible(String),
    /// No key in the slots that the hop may use; the secret or header that is missing.
    NoKey { slot: KeySlot, missing: String },
    /// The caller did not consent to leave the first hop.
    Consent,
    /// Its circuit breaker is open.
    BreakerOpen,
    /// The deadline leaves no time for it.
    Deadline,
}

/// How a request ended for which no call was made.
pub const SKIPPED: &str = "skipped";

impl Skip {
    /// Every reason's name, in the order in which the reasons are judged.
    pub const NAMES: [&str; 6] = ["boundary", "incompatible", "no_key", "consent", "breaker_open", "deadline"];

    /// The reason's name in trail, ledger and errors.
    pub const fn name(&self) -> &'static str {
        match self {
            Skip::Boundary(_) => "boundary",
            Skip::Incompatible(_) => "incompatible",
            Skip::NoKey { .. } => "no_key",
            Skip::Consent => "consent",
            Skip::BreakerOpen => "breaker_open",
            Skip::Deadline => "deadline",
        }
    }

    /// Name and detail as the trail writes them: `incompatible:vision`.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Skip::Boundary(what) | Skip::Incompatible(what) => Some(what),
            Skip::NoKey { missing, .. } => Some(missing),
            Skip::Consent | Skip::BreakerOpen | Skip::Deadline => None,
        }
    }
}

/// Whose key pays for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySlot {
    /// The Worker's own secret.
    Managed,
    /// The caller's: stored on its gateway key, or sent with the request.
    Own,
}

impl KeySlot {
    /// The name used in ledger and trails.
    pub const fn name(self) -> &'static str {
        match self {
            KeySlot::Managed => "managed",
            KeySlot::Own => "own",
        }
    }
}
