//! From what a request went through to the row that is recorded of it: tokens counted or estimated, cost, and what a failed
//! attempt may have cost upstream all the same.

use super::row::{AttemptRow, Billed, OK, Tokens};
use crate::domain::catalogue::Facts;
use crate::domain::chain::{Attempt, Standing, TrailEntry, What};
use crate::domain::outcome::{Class, Failure};
use crate::domain::redact::{redact, redact_name, short};
use crate::domain::time::{Instant, Span};
use crate::domain::usage::Usage;

/// Bytes of text to a token, for estimates: within a factor of two for prose and code in Latin script.
const BYTES_PER_TOKEN: u64 = 4;

/// Names of dropped parameters that a row keeps, and of its failed attempts together as many again: clients send up to a thousand,
/// and each may be as long as a body.
pub const DROPPED_MOST: usize = 100;

/// What a row keeps of the parameters that were dropped, where there is room for so many.
pub fn dropped(names: &[String], room: usize, keys: &[&str]) -> Vec<String> {
    names.iter().take(room).map(|name| short(&redact(name, keys))).collect()
}

/// What was measured of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// What the upstream said of its tokens.
    pub usage: Option<Usage>,
    /// Bytes of the content's text that was seen of it.
    pub content_bytes: u64,
    /// To the first content, in ms from the call.
    pub ttft_ms: Option<u64>,
}

/// What became of the attempt that serves, after its commit.
#[derive(Clone, Debug, PartialEq)]
pub struct After<'a> {
    /// From the call to the end of the answer.
    pub elapsed: Span,
    /// How a committed stream broke.
    pub broke: Option<&'a Failure>,
}

/// What a row is made with beside what happened.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Of the target: its prices.
    pub facts: Option<&'a Facts>,
    /// About how long the client's prompt is, for estimates.
    pub prompt_tokens: &'a dyn Fn() -> u64,
    /// Masked in what upstreams and clients wrote.
    pub keys: &'a [&'a str],
}

/// The row of one entry of the trail.
pub fn attempt_row(
    seq: u32,
    entry: &TrailEntry,
    measured: &Measured,
    after: Option<&After<'_>>,
    terms: Terms<'_>,
) -> AttemptRow {
    let row = AttemptRow {
        seq,
        at: entry.at.0,
        model: redact_name(&entry.target.to_string(), terms.keys),
        ..AttemptRow::default()
    };
    match &entry.what {
        What::Skip(skip) => {
            AttemptRow { outcome: skip.name().to_owned(), reason: skip.detail().map(short).unwrap_or_default(), ..row }
        }
        What::Call(attempt) => {
            let failure = match (&attempt.standing, after) {
                (Standing::Failed(failure), _) => Some(failure),
                (Standing::Served, Some(after)) => after.broke,
                (Standing::Served | Standing::InFlight, _) => None,
            };
            let served = matches!(attempt.standing, Standing::Served);
            let row = AttemptRow {
                call: true,
                key: attempt.slot.name().to_owned(),
                status: entry.status(),
                headers_ms: attempt.headers.map(|(at, _)| at.since(entry.at).0),
                ttft_ms: measured.ttft_ms,
                ms: elapsed(attempt, entry.at, after).0,
                committed: served,
                ..row
            };
            ended(row, failure, measured, terms)
        }
    }
}

/// A call's row with what came of it: its outcome, tokens, cost, and whether the upstream may have charged for it.
pub fn ended(row: AttemptRow, failure: Option<&Failure>, measured: &Measured, terms: Terms<'_>) -> AttemptRow {
    spent(told(row, failure, terms.keys), failure, measured, terms)
}

fn elapsed(attempt: &Attempt, began: Instant, after: Option<&After<'_>>) -> Span {
    match (&attempt.standing, after) {
        (Standing::Served, Some(after)) => after.elapsed,
        (_, _) => attempt.ended.map_or(Span::ZERO, |ended| ended.since(began)),
    }
}

fn told(row: AttemptRow, failure: Option<&Failure>, keys: &[&str]) -> AttemptRow {
    match failure {
        None => AttemptRow { outcome: OK.to_owned(), ..row },
        Some(failure) => AttemptRow {
            outcome: failure.class.name().to_owned(),
            phase: failure.phase.map(|phase| phase.name().to_owned()),
            code: failure.code.as_deref().map(|code| short(&redact(code, keys))),
            reason: short(&redact(&failure.reason, keys)),
            ..row
        },
    }
}

/// Tokens, cost and whether the upstream may have charged for it.
fn spent(row: AttemptRow, failure: Option<&Failure>, measured: &Measured, terms: Terms<'_>) -> AttemptRow {
    let (usage, estimated) = match (measured.usage, failure) {
        (Some(usage), _) => (usage, false),
        (None, Some(failure)) if !may_have_run(failure, measured) => return AttemptRow { billed: Billed::No, ..row },
        (None, _) => (estimate(measured, terms.prompt_tokens), true),
    };
    let tokens = Tokens { input: usage.input, output: usage.output, cached: usage.cached, estimated };
    let billed = match failure {
        None => Billed::Yes,
        Some(_) => Billed::Maybe,
    };
    AttemptRow {
        cost_micro_usd: terms.facts.and_then(|facts| facts.cost_micro_usd(&usage)).unwrap_or(0),
        tokens,
        billed,
        ..row
    }
}

/// Tokens by the length of the text, where the upstream counted none.
fn estimate(measured: &Measured, prompt_tokens: &dyn Fn() -> u64) -> Usage {
    Usage { input: prompt_tokens(), output: measured.content_bytes.div_ceil(BYTES_PER_TOKEN), ..Usage::default() }
}

/// Whether the model may have worked before the attempt failed: it had answered with a 200, or was given up unheard.
fn may_have_run(failure: &Failure, measured: &Measured) -> bool {
    match failure.class {
        Class::Timeout | Class::Interrupted | Class::Cancelled | Class::Malformed => true,
        Class::RateLimited
        | Class::QuotaExhausted
        | Class::Overloaded
        | Class::ServerError
        | Class::Unreachable
        | Class::Auth
        | Class::Forbidden
        | Class::NotFound
        | Class::ContextLength
        | Class::ContentPolicy
        | Class::Unsupported
        | Class::InvalidRequest => measured.content_bytes > 0,
    }
}
