//! The clocks of a call.

use crate::domain::policy::Timeouts;
use crate::domain::time::Span;

/// The clocks of one call, each but `idle` already the least of its own and what the deadline leaves. All run from the moment
/// the call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    pub headers: Span,
    pub first_token: Span,
    /// Between content events. Before the commit `attempt` runs beside it, after it nothing else does.
    pub idle: Span,
    pub attempt: Span,
    /// What the deadline left when the call was made: a clock that equals it is recorded as `deadline`.
    pub deadline: Span,
}

impl Clocks {
    /// The clocks of a hop's call when the deadline leaves so much.
    pub fn within(timeouts: &Timeouts, left: Span) -> Clocks {
        Clocks {
            headers: timeouts.headers.min(left),
            first_token: timeouts.first_token.min(left),
            idle: timeouts.idle,
            attempt: timeouts.attempt.min(left),
            deadline: left,
        }
    }
}
