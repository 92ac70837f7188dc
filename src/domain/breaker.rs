//! The circuit breaker of one target and key slot.
//!
//! It stores what happened, not a state: the moments of the failures that count, and after which of them a later call
//! succeeded. Each policy reads its own state out of that with its own numbers, whoever made the calls; and because the
//! records of two isolates merge without order or double counting, so do their breakers.
//!
//! ```text
//!            failures within window                    cooldown over: one probe
//!   closed ---------------------------> open --------------------------------------> half-open
//!      ^                                 ^ a failure doubles the cooldown, up to its max |
//!      |                                 +-----------------------------------------------+
//!      +------------ a call that began after the last failure succeeds ------------------+
//! ```

use litemap::LiteMap;
use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::outcome::{Class, KeySlot};
use crate::domain::policy::BreakerRules;
use crate::domain::target::Target;
use crate::domain::time::{Instant, Span};
use serde::{Deserialize, Serialize};

/// Moments kept of one breaker: as many as the largest `failures` of a policy.
const MARKS_MAX: usize = 1000;
/// Longest window and longest cooldown, an hour each: an older failure can no longer matter to any policy.
const MEMORY: Span = Span::hours(2);
/// Breakers kept in an isolate; beyond, one without recent failures goes, else the one whose last failure is oldest.
const BOOK_MAX: usize = 4096;

/// Whether failures of this class say that the target is unwell.
pub const fn counts(class: Class) -> bool {
    match class {
        Class::Overloaded
        | Class::ServerError
        | Class::Timeout
        | Class::Unreachable
        | Class::Malformed
        | Class::Interrupted => true,
        Class::RateLimited
        | Class::QuotaExhausted
        | Class::Auth
        | Class::Forbidden
        | Class::NotFound
        | Class::ContextLength
        | Class::ContentPolicy
        | Class::Unsupported
        | Class::InvalidRequest
        | Class::Cancelled => false,
    }
}

/// What a policy's numbers make of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Closed,
    /// No call until then.
    Open {
        until: Instant,
    },
    /// One call may find out.
    HalfOpen,
}

impl State {
    /// The name used in the admin API and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen => "half_open",
        }
    }
}

/// What happened to one target and key slot lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breaker {
    marks: LiteMap<u64, Mark>,
    /// A probe is on its way since then.
    probe: Option<Instant>,
    /// It has marks that no snapshot has told of.
    news: bool,
}

/// The failures of one millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    failures: u32,
    /// A call that began later succeeded, before the next failure.
    recovered: bool,
}

impl Breaker {
    /// The state under a policy's numbers.
    pub fn state(&self, rules: &BreakerRules, now: Instant) -> State {
        match self.opened(rules) {
            None => State::Closed,
            Some(until) if now < until => State::Open { until },
            Some(_) => State::HalfOpen,
        }
    }

    /// Whether a policy's numbers let a call through now. A probe that does not report back holds the next one off for the
    /// longest cooldown only.
    pub fn admits(&self, rules: &BreakerRules, now: Instant) -> bool {
        match self.state(rules, now) {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen => self.probe.is_none_or(|since| now.since(since) >= rules.cooldown_max),
        }
    }

    /// A failure that [`counts`] ended a call.
    pub fn failed(&mut self, now: Instant) {
        self.probe = None;
        self.news = true;
        let mark = self.marks.entry(now.0).or_default();
        mark.failures = mark.failures.saturating_add(1);
        mark.recovered = false;
        self.trim(now);
    }

    /// A call that began at `started` was answered well.
    pub fn succeeded(&mut self, started: Instant) {
        if let Some((at, mark)) = self.marks.iter_mut().next_back()
            && started.0 >= *at
            && !mark.recovered
        {
            mark.recovered = true;
            self.news = true;
        }
        self.probe = None;
    }

    fn trim(&mut self, now: Instant) {
        let oldest = (now - MEMORY).0;
        self.marks.retain(|at, _| *at >= oldest);
        while self.marks.len() > MARKS_MAX {
            let oldest = self.marks.first().map(|(at, _)| *at);
            oldest.and_then(|at| self.marks.remove(&at));
        }
    }

    /// Until when the breaker is open, when it opened and nothing closed it since: a fold over the failures in order.
    fn opened(&self, rules: &BreakerRules) -> Option<Instant> {
        let mut open: Option<(Instant, Span)> = None;
        let mut recent: Vec<(u64, u32)> = Vec::new();
        for (&at, mark) in self.marks.iter() {
            open = match open {
                Some((until, cooldown)) if at >= until.0 => {
                    let longer = (cooldown + cooldown).min(rules.cooldown_max).max(rules.cooldown);
                    Some((Instant(at) + longer, longer))
                }
                Some(still) => Some(still),
                None => {
                    recent.retain(|(earlier, _)| at - earlier < rules.window.0);
                    recent.push((at, mark.failures));
                    let sum = recent.iter().fold(0_u32, |sum, (_, n)| sum.saturating_add(*n));
                    (sum >= rules.failures).then(|| (Instant(at) + rules.cooldown, rules.cooldown))
                }
            };
            if mark.recovered && open.is_some() {
                open = None;
                recent.clear();
            }
        }
        open.map(|(until, _)| until)
    }
}

/// A breaker shared between the requests of one isolate.
#[derive(Clone, Debug, Default)]
pub struct Handle(Rc<RefCell<Breaker>>);

impl Handle {
    /// See [`Breaker::state`].
    pub fn state(&self, rules: &BreakerRules, now: Instant) -> State {
        self.0.borrow().state(rules, now)
    }

    /// See [`Breaker::admits`].
    pub fn admits(&self, rules: &BreakerRules, now: Instant) -> bool {
        self.0.borrow().admits(rules, now)
    }

    /// A call starts: under these numbers it is the probe, if the breaker is half-open. Says so.
    pub fn starts(&self, rules: &BreakerRules, now: Instant) -> bool {
        let mut breaker = self.0.borrow_mut();
        let probes = breaker.state(rules, now) == State::HalfOpen;
        if probes {
            breaker.probe = Some(now);
        }
        probes
    }

    /// A call ended with this class; only classes that [`counts`] names change anything.
    pub fn failed(&self, class: Class, now: Instant) {
        if counts(class) {
            self.0.borrow_mut().failed(now);
        }
    }

    /// See [`Breaker::succeeded`].
    pub fn succeeded(&self, started: Instant) {
        self.0.borrow_mut().succeeded(started);
    }

    /// The probe ended without saying anything of the target's health.
    pub fn release(&self) {
        self.0.borrow_mut().probe = None;
    }
}

/// The records of one breaker as they travel to the ledger and back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerSnapshot {
    /// `provider/model[@region]`
    pub target: String,
    /// `managed` or `own`
    pub slot: String,
    /// Unix ms, failures in that millisecond, whether a later call succeeded; in order.
    pub marks: Vec<(u64, u32, bool)>,
}

impl BreakerSnapshot {
    /// Takes in what another isolate saw: per moment the larger count, and recovery if either saw it.
    pub fn merge(&mut self, other: &BreakerSnapshot) {
        let mut breaker = Breaker::default();
        breaker.absorb(&self.marks);
        breaker.absorb(&other.marks);
        self.marks = breaker.marks();
    }
}

impl Breaker {
    fn absorb(&mut self, marks: &[(u64, u32, bool)]) {
        for &(at, failures, recovered) in marks {
            let mark = self.marks.entry(at).or_default();
            mark.failures = mark.failures.max(failures);
            mark.recovered |= recovered;
        }
        let last = self.marks.keys().next_back().copied();
        if let Some(last) = last {
            self.trim(Instant(last));
        }
    }

    fn marks(&self) -> Vec<(u64, u32, bool)> {
        self.marks.iter().map(|(&at, mark)| (at, mark.failures, mark.recovered)).collect()
    }
}

/// Every breaker of an isolate.
#[derive(Debug, Default)]
pub struct Book {
    breakers: LiteMap<(String, &'static str), Handle>,
}

impl Book {
    /// The breaker of a target and key slot.
    pub fn handle(&mut self, target: &Target, slot: KeySlot) -> Handle {
        self.entry(target.to_string(), slot.name())
    }

    /// What no earlier call told of, for the next flush to the ledger.
    pub fn news(&mut self) -> Vec<BreakerSnapshot> {
        let fresh = self.breakers.iter().filter(|(_, handle)| std::mem::take(&mut handle.0.borrow_mut().news));
        let snapshot = |((target, slot), handle): (&(String, &'static str), &Handle)| BreakerSnapshot {
            target: target.clone(),
            slot: (*slot).to_owned(),
            marks: handle.0.borrow().marks(),
        };
        fresh.map(snapshot).collect()
    }

    /// Takes in what other isolates saw.
    pub fn merge(&mut self, snapshots: &[BreakerSnapshot]) {
        for snapshot in snapshots {
            let slot = if snapshot.slot == KeySlot::Own.name() { KeySlot::Own } else { KeySlot::Managed };
            let handle = self.entry(snapshot.target.clone(), slot.name());
            handle.0.borrow_mut().absorb(&snapshot.marks);
        }
    }

    fn entry(&mut self, target: String, slot: &'static str) -> Handle {
        let key = (target, slot);
        if !self.breakers.contains_key(&key) && self.breakers.len() >= BOOK_MAX {
            self.drop_one();
        }
        self.breakers.entry(key).or_default().clone()
    }

    fn drop_one(&mut self) {
        let last_failure = |handle: &Handle| handle.0.borrow().marks.keys().next_back().copied();
        let quietest = self.breakers.iter().min_by_key(|(_, handle)| last_failure(handle)).map(|(key, _)| key.clone());
        if let Some(key) = quietest {
            self.breakers.remove(&key);
        }
    }
}
