//! The chain: a state machine that is told outcomes and asked for steps.
//!
//! Call [`Chain::next`]; perform exactly the step it returns; answer each call, by its id, with exactly one
//! [`Chain::on_outcome`]; answer a [`Step::Wait`] by calling `next` again at `until` or later. The chain never awaits, never
//! sees a body or a URL, never reads a clock. Randomness is a seed.

use crate::domain::breaker::Breaker;
use crate::domain::outcome::{KeySlot, Outcome, Skip};
use crate::domain::policy::Plan;
use crate::domain::time::{Instant, Span};

/// What is known of a hop before the chain starts: one per hop of the plan, in the same order.
#[derive(Clone, Debug, Default)]
pub struct Prospect {
    /// A boundary it would cross or a feature it lacks, judged from the request, the catalogue and the keys.
    pub skip: Option<Skip>,
    /// The key slots that hold a key, in the order of the hop's choice; a provider that needs none has one slot.
    pub slots: Vec<KeySlot>,
    /// The skip to record when `slots` is empty (always a [`Skip::NoKey`]).
    pub missing: Option<Skip>,
    /// The context window in tokens, where the catalogue knows it.
    pub context_tokens: Option<u64>,
    /// The breaker of target and slot, in the order of `slots`, as this isolate knows it.
    pub breakers: Vec<Breaker>,
}

/// What the caller said of leaving the first hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// `x-understudy-consent: fallback`
    pub consented: bool,
    /// `x-understudy-no-fallback: true`
    pub forbidden: bool,
}

/// One call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Counts from 0 over the request; names the call in [`Chain::on_outcome`].
    pub id: u32,
    /// Index into the plan's hops.
    pub hop: usize,
    pub slot: KeySlot,
    pub clocks: Clocks,
    /// When to ask [`Chain::hedge`] for a second call beside this one, if it has shown no content by then.
    pub hedge_at: Option<Instant>,
}

/// The clocks of one call, each already the least of its own and what the deadline leaves. All run from the moment the
/// call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    pub headers: Span,
    pub first_token: Span,
    pub idle: Span,
    pub attempt: Span,
    /// What the deadline left when the call was made: a clock that equals it is recorded as `deadline`.
    pub deadline: Span,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this call.
    Call(Call),
    /// Nothing new to start: a call is in flight, wait for its outcome.
    Pending,
    /// Wait until then and ask again.
    Wait { until: Instant },
    /// It is over.
    Done(End),
}

/// How a chain ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The call of this id serves the request.
    Served { id: u32 },
    /// The verdict on the attempt of this id was to stop: it speaks to the client.
    Stopped { id: u32 },
    /// Every hop was tried or skipped.
    Exhausted,
}
