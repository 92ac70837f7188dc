//! Which hop comes next, and why others are passed over.

use super::{ATTEMPTS_MAX, Chain, Place, Prospect, State, TrailEntry, Turn, What};
use crate::domain::outcome::{KeySlot, Skip};
use crate::domain::policy::{BreakerRules, Consent};
use crate::domain::time::Instant;

/// What the caller said of leaving the first hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// `x-understudy-consent: fallback`
    pub consented: bool,
    /// `x-understudy-no-fallback: true`
    pub forbidden: bool,
}

impl Leave {
    /// Whether this is leave enough for what the policy asks.
    pub const fn is_given(self, consent: Consent) -> bool {
        let consents = match consent {
            Consent::Automatic => true,
            Consent::Ask => self.consented,
            Consent::Never => false,
        };
        consents && !self.forbidden
    }

    /// Whether it is leave enough to come to that hop.
    pub const fn reaches(self, hop: usize, consent: Consent) -> bool {
        hop == 0 || self.is_given(consent)
    }
}

/// On what terms a hop is entered.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// It is the first one, or there is leave to go on to it.
    pub reached: bool,
    /// The numbers under which its breaker is asked, where it is.
    pub breaker: Option<&'a BreakerRules>,
}

/// Why a hop that could answer the request is passed over all the same: the first reason in the contract's order.
pub fn foresee(prospect: &Prospect, entry: Entry<'_>, now: Instant) -> Option<Skip> {
    if prospect.slots.is_empty() {
        let unknown = || Skip::NoKey { slot: KeySlot::Managed, missing: "key".to_owned() };
        return Some(prospect.missing.clone().unwrap_or_else(unknown));
    }
    if !entry.reached {
        return Some(Skip::Consent);
    }
    let asked = entry.breaker.zip(prospect.breakers.first());
    asked.is_some_and(|(rules, breaker)| !breaker.admits(rules, now)).then_some(Skip::BreakerOpen)
}

/// Whether a hop's breaker is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Breaker,
    /// The hop is tried after all.
    AfterAll,
}

impl Chain {
    /// The next hop to call, recording every skip on the way. `None` when something else came first (a hedge that failed
    /// early, the end): the state says what.
    pub(super) fn seek(&mut self, now: Instant) -> Option<Turn> {
        if let Some(early) = self.early.take() {
            self.decide(&early, now);
            return None;
        }
        if self.calls >= ATTEMPTS_MAX {
            self.state = State::Over(super::End::Exhausted);
            return None;
        }
        let found =
            self.seek_at(Place::Ahead, Ask::Breaker, now).or_else(|| self.seek_at(Place::Deferred, Ask::AfterAll, now));
        if found.is_none() {
            self.state = State::Over(super::End::Exhausted);
        }
        found
    }

    fn seek_at(&mut self, place: Place, ask: Ask, now: Instant) -> Option<Turn> {
        for hop in 0..self.places.len() {
            if self.places[hop] != place {
                continue;
            }
            match self.judge(hop, ask, now) {
                None => return Some(Turn { hop, key: 0, made: 0 }),
                Some(skip) => self.pass(hop, skip, now),
            }
        }
        None
    }

    /// The next callable hop beside the one in flight. Skips on the way are recorded only when there is one: else the chain
    /// judges them again when it gets there.
    pub(super) fn beside(&mut self, now: Instant) -> Option<Turn> {
        let mut passed = Vec::new();
        for hop in 0..self.places.len() {
            if self.places[hop] != Place::Ahead {
                continue;
            }
            match self.judge(hop, Ask::Breaker, now) {
                Some(skip) => passed.push((hop, skip)),
                None => {
                    for (hop, skip) in passed {
                        self.pass(hop, skip, now);
                    }
                    return Some(Turn { hop, key: 0, made: 0 });
                }
            }
        }
        None
    }

    /// Whether a call may start: there is time, and the request has attempts left.
    pub(super) fn may_start(&self, now: Instant) -> bool {
        now < self.deadline && self.calls < ATTEMPTS_MAX
    }

    /// The first reason, in the contract's order, to pass over a hop.
    fn judge(&self, hop: usize, ask: Ask, now: Instant) -> Option<Skip> {
        let prospect = &self.prospects[hop];
        let entry = Entry {
            reached: self.leave.reaches(hop, self.plan.consent),
            breaker: match ask {
                Ask::Breaker => self.plan.hops[hop].breaker.as_ref(),
                Ask::AfterAll => None,
            },
        };
        let outgrown = prospect.context_tokens.zip(self.outgrown).is_some_and(|(window, outgrown)| window <= outgrown);
        prospect
            .skip
            .clone()
            .or_else(|| outgrown.then(|| Skip::Incompatible("context".to_owned())))
            .or_else(|| foresee(prospect, entry, now))
            .or_else(|| (now >= self.deadline).then_some(Skip::Deadline))
    }

    fn pass(&mut self, hop: usize, skip: Skip, now: Instant) {
        self.places[hop] = match skip {
            Skip::BreakerOpen => Place::Deferred,
            Skip::Boundary(_) | Skip::Incompatible(_) | Skip::NoKey { .. } | Skip::Consent | Skip::Deadline => {
                Place::Past
            }
        };
        let target = self.plan.hops[hop].target.clone();
        self.trail.push(TrailEntry { hop, target, at: now, what: What::Skip(skip) });
    }
}
