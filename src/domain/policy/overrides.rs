//! The parts of a policy that a rule or a request may bring too, each a change to what was said before it.
//!
//! Weakest first: defaults, policy, hop, rule, request. `timeouts`, `stream` and `on` merge field by field; a `preset`
//! given later replaces all classes before it.

use super::{Boundary, Commit, Consent, Hop, Plan, Preset, RelayMode, StreamRules, Timeouts, Verdict, Verdicts};
use crate::domain::outcome::Class;
use crate::domain::time::Span;

/// What a rule or a request may say beside its hops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub on: OnOverride,
    pub timeouts: TimeoutsOverride,
    pub deadline: Option<Span>,
    pub stream: StreamOverride,
    pub keep: Vec<Boundary>,
    pub consent: Option<Consent>,
}

/// Changes to a verdict table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnOverride {
    /// Replaces every class said before.
    pub preset: Option<Preset>,
    pub classes: Vec<(Class, Verdict)>,
}

/// Changes to the clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutsOverride {
    pub headers: Option<Span>,
    pub first_token: Option<Span>,
    pub idle: Option<Span>,
    pub attempt: Option<Span>,
}

/// Changes to the rules of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOverride {
    pub commit: Option<Commit>,
    pub buffer_max_bytes: Option<usize>,
    pub relay: Option<RelayMode>,
}

impl Overrides {
    /// Makes these changes to every hop of a plan and to the plan itself. `keep` is added to what holds already.
    pub fn apply(&self, plan: &mut Plan) {
        plan.hops.iter_mut().for_each(|hop| self.apply_to(hop));
        plan.deadline = self.deadline.unwrap_or(plan.deadline);
        plan.stream = self.stream.over(plan.stream);
        plan.consent = self.consent.unwrap_or(plan.consent);
    }

    /// Makes those of them that concern a hop.
    pub fn apply_to(&self, hop: &mut Hop) {
        hop.on = self.on.over(hop.on);
        hop.timeouts = self.timeouts.over(hop.timeouts);
        add_boundaries(&mut hop.keep, &self.keep);
    }
}

impl OnOverride {
    /// The table that these changes make of `base`.
    pub fn over(&self, base: Verdicts) -> Verdicts {
        let mut verdicts = self.preset.map_or(base, Verdicts::preset);
        for (class, verdict) in &self.classes {
            verdicts.set(*class, *verdict);
        }
        verdicts
    }
}

impl TimeoutsOverride {
    /// The clocks that these changes make of `base`.
    pub fn over(&self, base: Timeouts) -> Timeouts {
        Timeouts {
            headers: self.headers.unwrap_or(base.headers),
            first_token: self.first_token.unwrap_or(base.first_token),
            idle: self.idle.unwrap_or(base.idle),
            attempt: self.attempt.unwrap_or(base.attempt),
        }
    }

    /// The same, but no clock gets longer: what a request may do to the policy's.
    pub fn shorten(&self, base: Timeouts) -> Timeouts {
        let over = self.over(base);
        Timeouts {
            headers: over.headers.min(base.headers),
            first_token: over.first_token.min(base.first_token),
            idle: over.idle.min(base.idle),
            attempt: over.attempt.min(base.attempt),
        }
    }
}

impl StreamOverride {
    /// The rules that these changes make of `base`.
    pub fn over(&self, base: StreamRules) -> StreamRules {
        StreamRules {
            commit: self.commit.unwrap_or(base.commit),
            buffer_max_bytes: self.buffer_max_bytes.unwrap_or(base.buffer_max_bytes),
            relay: self.relay.unwrap_or(base.relay),
        }
    }
}

/// Adds boundaries that are not there yet.
pub fn add_boundaries(keep: &mut Vec<Boundary>, more: &[Boundary]) {
    for boundary in more {
        if !keep.contains(boundary) {
            keep.push(*boundary);
        }
    }
}
