//! What a chain can tell of itself beside its trail.

use super::{Chain, What};
use crate::domain::breaker::{Handle, State};
use crate::domain::outcome::Skip;
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

    /// Whole seconds, at most 60, until the soonest target is expected back. `None` when nothing is known.
    pub fn retry_hint(&self, now: Instant) -> Option<u64> {
        let soonest = (0..self.plan.hops.len()).filter_map(|hop| self.back(hop, now)).min()?;
        Some(soonest.since(now).0.div_ceil(1000).clamp(1, 60))
    }

    /// When a hop's target is expected back: once the wait that its last attempt was asked for is over, and its breaker lets
    /// a call through again.
    fn back(&self, hop: usize, now: Instant) -> Option<Instant> {
        let last = self.trail.iter().rev().find(|entry| entry.hop == hop && entry.attempt().is_some());
        let asked = last.and_then(|entry| Some(entry.attempt()?.ended? + entry.failure()?.retry_after?));
        let breaker = self.prospects.get(hop)?.breakers.first();
        let open = match breaker.zip(self.plan.hops.get(hop)?.breaker.as_ref()) {
            Some((breaker, settings)) => breaker.state(settings, now),
            None => State::Closed,
        };
        match open {
            State::Open { until } => Some(asked.map_or(until, |asked| asked.max(until))),
            State::Closed | State::HalfOpen => asked,
        }
    }
}
