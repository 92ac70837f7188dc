//! Who speaks when a request fails, and how: the single mapping of every failure to a status and a body.
//!
//! ```text
//! refused before a plan          the refusal, in the API's own error shape                      refused()
//! a verdict said stop            the attempt that stopped: its status and body                  ended()
//! exactly one attempt            that attempt
//! consent was missing            the first hop's last attempt, with a hint
//! only skips                     400 no_hop_fits, 401 own_key_missing, 503 provider_key_missing, 504
//! the chain ran out              chain_exhausted, with every attempt; status by the policy's `exhausted`
//! ```

mod shape;
mod text;

use serde_json::{Value, json};

pub use shape::{anthropic_type, openai_type, stream_error};
pub use text::{fallback_log, trail_header};

use crate::domain::chain::{End, TrailEntry, What, reason};
use crate::domain::outcome::{Class, Failure, KeySlot, SKIPPED, Skip};
use crate::domain::policy::Exhausted;
use crate::domain::provider::setting;
use crate::domain::redact::{redact, redact_name, short};
use crate::domain::refusal::Refusal;
use crate::domain::route::Family;

/// An error answer, whole but for the headers that every answer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Final {
    pub status: u16,
    /// JSON, in the client's dialect, redacted.
    pub body: Vec<u8>,
    /// `retry-after`, in seconds, at most 60.
    pub retry_after: Option<u64>,
    /// `x-should-retry`.
    pub should_retry: Option<bool>,
    /// `x-understudy-hint`.
    pub hint: Option<&'static str>,
    /// What the ledger calls it: a class, or `skipped` when no call was made.
    pub outcome: &'static str,
}

/// Everything that decides on the words of a failed request.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    pub family: Family,
    pub trail: &'a [TrailEntry],
    pub end: &'a End,
    /// The policy's `exhausted`.
    pub exhausted: Exhausted,
    pub request_id: &'a str,
    /// Keys used, to be masked wherever they occur.
    pub keys: &'a [&'a str],
    /// [`Chain::retry_hint`](crate::domain::chain::Chain::retry_hint)
    pub retry_after: Option<u64>,
    /// [`Chain::lacks_consent`](crate::domain::chain::Chain::lacks_consent)
    pub lacks_consent: bool,
}

/// The answer to a request that was refused before any plan existed.
pub fn refused(refusal: &Refusal, family: Family, request_id: &str) -> Final {
    let said = shape::Said {
        kind: openai_type(refusal.status),
        message: &refusal.message,
        code: Some(refusal.code),
        param: refusal.param.as_deref(),
        attempts: None,
    };
    Final {
        status: refusal.status,
        // A key that was sent in the wrong place, as a model or in a field, is not said back.
        body: redact_name(&String::from_utf8_lossy(&shape::body(family, refusal.status, &said, request_id)), &[])
            .into_bytes(),
        retry_after: None,
        should_retry: None,
        hint: None,
        outcome: "refused",
    }
}

/// The answer to a request whose chain ended without one.
pub fn ended(ending: &Ending<'_>) -> Final {
    let failed: Vec<(&TrailEntry, &Failure)> =
        ending.trail.iter().filter_map(|entry| Some((entry, entry.failure()?))).collect();
    let calls = ending.trail.iter().filter(|entry| entry.attempt().is_some()).count();
    let stopped = match ending.end {
        End::Stopped { id } => failed.iter().find(|(entry, _)| entry.attempt().is_some_and(|each| each.id == *id)),
        End::Served { .. } | End::Exhausted => None,
    };
    let stayed = ending.trail.iter().any(|entry| matches!(entry.what, What::Skip(Skip::Consent)));
    let own = match stopped {
        Some(stopped) => Some(stopped),
        None if calls == 1 || stayed => failed.last(),
        None => None,
    };
    let Words(status, mut body, outcome) = match (own, speaker(&failed, ending.exhausted)) {
        (Some((entry, failure)), _) => own_voice(ending, entry, failure),
        (None, Some((entry, failure))) => exhausted(ending, entry, failure),
        (None, None) => only_skips(ending),
    };
    if stopped.is_none() && lost_thread(ending) {
        body = shape::thread_not_found(body);
    }
    Final {
        status,
        body,
        retry_after: ending.retry_after.map(|seconds| seconds.min(60)),
        should_retry: (calls > 1 || stopped.is_some()).then_some(false),
        hint: ending.lacks_consent.then_some("fallback needs consent"),
        outcome,
    }
}

/// Whether a hop was passed over since it does not hold the thread that the request goes on from. Of what else is stored
/// elsewhere (a container, a file) to send the whole conversation would mend nothing.
fn lost_thread(ending: &Ending<'_>) -> bool {
    let of_thread = |skip: &Skip| matches!(skip, Skip::Incompatible(what) if what == "thread");
    ending.family == Family::Messages
        && ending.trail.iter().any(|entry| matches!(&entry.what, What::Skip(skip) if of_thread(skip)))
}

/// The status that a failure has for the client.
pub fn status_of(failure: &Failure, family: Family) -> u16 {
    match failure.status {
        Some(status @ 400..=599) => status,
        Some(_) | None => match (failure.class, family) {
            (Class::Overloaded, Family::Messages) => 529,
            (Class::Overloaded, Family::Chat | Family::Responses) => 503,
            (Class::Timeout, _) => 504,
            (Class::Unreachable | Class::Malformed | Class::Interrupted | Class::ServerError, _) => 502,
            (Class::RateLimited | Class::QuotaExhausted, _) => 429,
            (Class::Auth, _) => 401,
            (Class::Forbidden, _) => 403,
            (Class::NotFound, _) => 404,
            // The client went away: nobody reads it, and the ledger shows it as other servers do.
            (Class::Cancelled, _) => 499,
            (Class::ContextLength | Class::ContentPolicy | Class::Unsupported | Class::InvalidRequest, _) => 400,
        },
    }
}

/// The order in which `most_actionable` prefers classes.
const ACTIONABLE: [Class; 15] = [
    Class::ContentPolicy,
    Class::ContextLength,
    Class::InvalidRequest,
    Class::Unsupported,
    Class::QuotaExhausted,
    Class::RateLimited,
    Class::Auth,
    Class::Forbidden,
    Class::NotFound,
    Class::Overloaded,
    Class::ServerError,
    Class::Timeout,
    Class::Unreachable,
    Class::Interrupted,
    Class::Malformed,
];

/// The attempt that the final error speaks of.
fn speaker<'a>(
    failed: &[(&'a TrailEntry, &'a Failure)],
    exhausted: Exhausted,
) -> Option<(&'a TrailEntry, &'a Failure)> {
    let rank = |class: Class| ACTIONABLE.iter().position(|each| *each == class).unwrap_or(ACTIONABLE.len());
    match exhausted {
        Exhausted::Last | Exhausted::Status(_) => failed.last(),
        Exhausted::First => failed.first(),
        Exhausted::MostActionable => failed.iter().min_by_key(|(_, failure)| rank(failure.class)),
    }
    .copied()
}

/// Status, body, and what the ledger calls it.
struct Words(u16, Vec<u8>, &'static str);

/// The upstream's own status and error body, in the client's dialect.
fn own_voice(ending: &Ending<'_>, entry: &TrailEntry, failure: &Failure) -> Words {
    let status = status_of(failure, ending.family);
    let body =
        shape::upstream(ending.family, status, &named(entry, ending.keys), failure, ending.request_id, ending.keys);
    Words(status, body, failure.class.name())
}

fn exhausted(ending: &Ending<'_>, entry: &TrailEntry, failure: &Failure) -> Words {
    let status = match ending.exhausted {
        Exhausted::Status(status) => status,
        Exhausted::Last | Exhausted::First | Exhausted::MostActionable => status_of(failure, ending.family),
    };
    let calls = ending.trail.iter().filter(|entry| entry.attempt().is_some()).count();
    let reason = told(&failure.reason, ending.keys);
    let message = format!("{calls} attempts failed; {}: {}: {reason}", named(entry, ending.keys), failure.class.name());
    let body = said(ending, status, "upstream_error", "chain_exhausted", &message);
    Words(status, body, failure.class.name())
}

/// No call was made: a key that is missing is what the owner or caller can do something about.
fn only_skips(ending: &Ending<'_>) -> Words {
    let skips = || {
        ending.trail.iter().filter_map(|entry| match &entry.what {
            What::Skip(skip) => Some((entry, skip)),
            What::Call(_) => None,
        })
    };
    let no_key = skips().find_map(|(entry, skip)| match skip {
        Skip::NoKey { slot, missing } => Some((entry, *slot, missing)),
        Skip::Boundary(_) | Skip::Incompatible(_) | Skip::Consent | Skip::BreakerOpen | Skip::Deadline => None,
    });
    let unfit = skips().any(|(_, skip)| matches!(skip, Skip::Boundary(_) | Skip::Incompatible(_)));
    let (status, code, message) = match (no_key, unfit) {
        (Some((entry, KeySlot::Own, missing)), _) => {
            let (target, provider) = (named(entry, ending.keys), &entry.target.provider);
            (401, "own_key_missing", format!("{target} needs a key of your own for {provider}: {missing}"))
        }
        (Some((entry, KeySlot::Managed, missing)), _) => (
            503,
            "provider_key_missing",
            format!("{} cannot be called: the {} is not set", named(entry, ending.keys), setting(missing)),
        ),
        (None, true) => {
            let why = |(entry, skip)| {
                let (target, reason) = (named(entry, ending.keys), told(&reason(skip), ending.keys));
                format!("{target}: {reason}{}", explained(skip))
            };
            let why: Vec<String> = skips().map(why).collect();
            (400, "no_hop_fits", format!("no target fits this request: {}", why.join(", ")))
        }
        (None, false) => (504, "deadline_exceeded", "the deadline passed before any target could be called".to_owned()),
    };
    Words(status, said(ending, status, openai_type(status), code, &message), SKIPPED)
}

/// What the name of a feature does not tell: a request in which nothing is said is nobody's to answer.
fn explained(skip: &Skip) -> String {
    match skip {
        Skip::Incompatible(what) if matches!(what.as_str(), "messages" | "input") => {
            format!(" (nothing to answer: {what} is missing, empty or malformed)")
        }
        Skip::Boundary(_)
        | Skip::Incompatible(_)
        | Skip::NoKey { .. }
        | Skip::Consent
        | Skip::BreakerOpen
        | Skip::Deadline => String::new(),
    }
}

fn said(ending: &Ending<'_>, status: u16, kind: &'static str, code: &'static str, message: &str) -> Vec<u8> {
    let attempts = ending.trail.iter().map(|entry| attempt(entry, ending.keys)).collect();
    let said = shape::Said { kind, message, code: Some(code), param: None, attempts: Some(Value::Array(attempts)) };
    shape::body(ending.family, status, &said, ending.request_id)
}

fn attempt(entry: &TrailEntry, keys: &[&str]) -> Value {
    let reason = match &entry.what {
        What::Skip(skip) => told(&reason(skip), keys),
        What::Call(_) => entry.failure().map(|failure| told(&failure.reason, keys)).unwrap_or_default(),
    };
    json!({
        "model": named(entry, keys),
        "outcome": redact(&entry.outcome(), keys),
        "status": entry.status(),
        "ms": entry.ms(false).0,
        "reason": reason,
    })
}

/// A reason as clients and the log see it. Redacted first: half of a key that was cut through is not known again.
fn told(reason: &str, keys: &[&str]) -> String {
    short(&redact(reason, keys))
}

/// A target as clients see it: a model may be called by the text of a key.
fn named(entry: &TrailEntry, keys: &[&str]) -> String {
    redact_name(&entry.target.to_string(), keys)
}
