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

    /// Whole seconds, at most 60, until the soonest target is expected back: by what its last attempt was asked to wait,
    /// or by its breaker. `None` when nothing is known.
    pub fn retry_hint(&self, now: Instant) -> Option<u64> {
        let asked = self.trail.iter().filter_map(|entry| {
            let after = entry.failure()?.retry_after?;
            Some(entry.attempt()?.ended? + after)
        });
        let soonest = asked.chain(self.breakers_back(now)).min()?;
        Some(soonest.since(now).0.div_ceil(1000).clamp(1, 60))
    }

    /// When the breakers of the plan's hops let a call through again, where they do not now.
    fn breakers_back(&self, now: Instant) -> impl Iterator<Item = Instant> {
        let hops = self.plan.hops.iter().zip(&self.prospects);
        hops.filter_map(move |(hop, prospect)| match prospect.breakers.first()?.state(hop.breaker.as_ref()?, now) {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen => None,
        })
    }
}
