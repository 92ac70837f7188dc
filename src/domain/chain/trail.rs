//! What a request went through, in order: every attempt and every skip.

use crate::domain::outcome::{Failure, KeySlot, Skip};
use crate::domain::target::Target;
use crate::domain::time::{Instant, Span};

/// One attempt or skip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailEntry {
    /// Index into the plan's hops.
    pub hop: usize,
    pub target: Target,
    /// When the call was sent, or the hop passed over.
    pub at: Instant,
    pub what: What,
}

/// What an entry of the trail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Skip(Skip),
    Call(Attempt),
}

/// One upstream call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The id of its [`Call`](super::Call).
    pub id: u32,
    pub slot: KeySlot,
    /// When the response headers came, and their status.
    pub headers: Option<(Instant, u16)>,
    /// When the chain learnt its outcome: its failure, or the commit.
    pub ended: Option<Instant>,
    pub standing: Standing,
}

/// How an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    InFlight,
    /// It serves the request.
    Served,
    Failed(Failure),
}

impl TrailEntry {
    /// The attempt, when it is one.
    pub fn attempt(&self) -> Option<&Attempt> {
        match &self.what {
            What::Call(attempt) => Some(attempt),
            What::Skip(_) => None,
        }
    }

    /// The failure of an attempt that failed.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.attempt()?.standing {
            Standing::Failed(failure) => Some(failure),
            Standing::InFlight | Standing::Served => None,
        }
    }

    /// `ok`, a class, or `skip:<reason>[:<detail>]`; `pending` while it is in flight.
    pub fn outcome(&self) -> String {
        match &self.what {
            What::Skip(skip) => format!("skip:{}", reason(skip)),
            What::Call(Attempt { standing, .. }) => match standing {
                Standing::InFlight => "pending".to_owned(),
                Standing::Served => "ok".to_owned(),
                Standing::Failed(failure) => failure.class.name().to_owned(),
            },
        }
    }

    /// The upstream's status, where there was one.
    pub fn status(&self) -> Option<u16> {
        let attempt = self.attempt()?;
        match &attempt.standing {
            Standing::Failed(failure) => failure.status,
            Standing::InFlight | Standing::Served => attempt.headers.map(|(_, status)| status),
        }
    }

    /// To the end of an attempt, of a served stream (`to_headers`) to its headers; zero for a skip.
    pub fn ms(&self, to_headers: bool) -> Span {
        let Some(attempt) = self.attempt() else { return Span::ZERO };
        let headers = attempt.headers.map(|(at, _)| at);
        let end = match &attempt.standing {
            Standing::Served if to_headers => headers.or(attempt.ended),
            Standing::InFlight | Standing::Served | Standing::Failed(_) => attempt.ended,
        };
        end.map_or(Span::ZERO, |end| end.since(self.at))
    }
}

/// Name and detail of a skip: `incompatible:vision`.
pub fn reason(skip: &Skip) -> String {
    match skip.detail() {
        Some(detail) => format!("{}:{detail}", skip.name()),
        None => skip.name().to_owned(),
    }
}
