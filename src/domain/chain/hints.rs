//! What a chain can tell of itself beside its trail.

use super::{Chain, End, State as Progress, TrailEntry, What};
use crate::domain::breaker::{self, Handle, State};
use crate::domain::outcome::{Class, Skip};
use crate::domain::policy::Consent;
use crate::domain::time::Instant;

impl Chain {
    /// Whether hops were passed over because the caller did not agree to leave the first one, and could have.
    pub fn lacks_consent(&self) -> bool {
        let asks = self.plan.consent == Consent::Ask && !self.leave.consented && !self.leave.forbidden;
        asks && self.trail.iter().any(|entry| matches!(entry.what, What::Skip(Skip::Consent)))
    }

    /// The breaker of the call of this id, to tell of what happens after the commit.
    pub fn breaker(&self, id: u32) -> Option<Handle> {
        let entry = self.trail.iter().find(|entry| entry.attempt().is_some_and(|attempt| attempt.id == id))?;
        let slot = entry.attempt()?.slot;
        let prospect = self.prospects.get(entry.hop)?;
        let key = prospect.slots.iter().position(|known| *known == slot)?;
        prospect.breakers.get(key).cloned()
    }

    /// Whole seconds, at most 60, until the soonest target that could serve this request is expected back. `None` when nothing
    /// is known. After a `stop` that is the target that stopped: its verdict lets no other one serve.
    pub fn retry_hint(&self, now: Instant) -> Option<u64> {
        let soonest = match self.state {
            Progress::Over(End::Stopped { id }) => self.back(self.hop_of(id)?, now),
            Progress::Over(End::Served { .. } | End::Exhausted) | Progress::Seek | Progress::Resume { .. } => {
                (0..self.plan.hops.len()).filter_map(|hop| self.back(hop, now)).min()
            }
        };
        Some(soonest?.since(now).0.div_ceil(1000).clamp(1, 60))
    }

    fn hop_of(&self, id: u32) -> Option<usize> {
        let is_it = |entry: &&TrailEntry| entry.attempt().is_some_and(|attempt| attempt.id == id);
        self.trail.iter().find(is_it).map(|entry| entry.hop)
    }

    /// When a hop's target is expected back: once the wait that its last attempt was asked for is over, and its breaker lets
    /// a call through again. Of a hop that no waiting opens to this request, never.
    fn back(&self, hop: usize, now: Instant) -> Option<Instant> {
        let last = self.trail.iter().rev().find(|entry| entry.hop == hop);
        let mends = last.is_none_or(|entry| match &entry.what {
            What::Call(_) => entry.failure().is_some_and(|failure| waiting_mends(failure.class)),
            What::Skip(skip) => matches!(skip, Skip::BreakerOpen | Skip::Deadline),
        });
        let asked = last.and_then(|entry| Some(entry.attempt()?.ended? + entry.failure()?.retry_after?));
        match self.opens(hop, now).filter(|_| mends) {
            Some(until) => Some(asked.map_or(until, |asked| asked.max(until))),
            None => asked,
        }
    }

    /// When the breaker of a hop's first key lets a call through again, where it is open.
    fn opens(&self, hop: usize, now: Instant) -> Option<Instant> {
        let breaker = self.prospects.get(hop)?.breakers.first()?;
        match breaker.state(self.plan.hops.get(hop)?.breaker.as_ref()?, now) {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen => None,
        }
    }
}

/// Whether the same request may be answered later by the target that failed so.
fn waiting_mends(class: Class) -> bool {
    breaker::counts(class) || matches!(class, Class::RateLimited | Class::QuotaExhausted)
}
