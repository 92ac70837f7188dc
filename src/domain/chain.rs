//! The chain: a state machine that is told outcomes and asked for steps.
//!
//! Call [`Chain::next`]; perform exactly the step it returns; answer each call, by its id, with exactly one
//! [`Chain::on_outcome`]; answer a [`Step::Wait`] by calling `next` again at `until` or later. The chain never awaits, never
//! sees a body or a URL, never reads a clock. Randomness is a seed.
//!
//! ```text
//!           +--> Seek --(a hop fits)--> call in flight --served--> Over(Served)
//!           |     |                        | failed: verdict
//!   next <--+     +-(none left)            +--> stop --> Over(Stopped)
//!           |         |                    +--> retry, second key --> Resume --(its moment came)--> call in flight
//!           |         v                    +--> next --+
//!           |   Over(Exhausted)                        |
//!           +------------------------------------------+
//! ```
//! A hedge is a second call beside the first: the first of the two to be served wins. When the first fails and moves on, the
//! hedge takes its place; its second key, which waits for nothing, is called beside the hedge, while a wait for another try begins
//! only where no call is in flight. When the hedge fails, its verdict waits until the chain comes to its hop.

mod clocks;
mod hints;
mod judge;
mod trail;
mod verdict;

use std::sync::Arc;

pub use clocks::Clocks;
pub use judge::{Entry, Leave, foresee};
pub use trail::{Attempt, Standing, TrailEntry, What, reason};

use crate::domain::backoff::Dice;
use crate::domain::breaker::Handle;
use crate::domain::outcome::{Class, Failure, KeySlot, Outcome, Skip};
use crate::domain::policy::{Plan, Verdict};
use crate::domain::time::{Instant, Span};

/// Attempts of one request, whatever its policy says.
pub const ATTEMPTS_MAX: u32 = 64;

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
    pub breakers: Vec<Handle>,
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

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this call.
    Call(Call),
    /// Nothing new to start: a call is in flight, wait for its outcome.
    Pending,
    /// Wait until then and ask again. No call is in flight.
    Wait { until: Instant },
    /// It is over. Calls still in flight are to be aborted; their outcomes change nothing.
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

/// One request's way through its plan.
#[derive(Debug)]
pub struct Chain {
    plan: Arc<Plan>,
    prospects: Vec<Prospect>,
    leave: Leave,
    dice: Dice,
    deadline: Instant,
    places: Vec<Place>,
    state: State,
    main: Option<Flight>,
    /// The hedge.
    side: Option<Flight>,
    /// A hedge that failed before the chain came to its hop.
    early: Option<Failed>,
    hedged: bool,
    next_id: u32,
    calls: u32,
    /// The largest known window that the prompt did not fit into.
    outgrown: Option<u64>,
    trail: Vec<TrailEntry>,
}

/// How far the chain is with a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ahead,
    /// Its breaker was open: it is tried when nothing else is left.
    Deferred,
    Past,
}

#[derive(Clone, Debug)]
enum State {
    /// Enter the next hop.
    Seek,
    /// Call this target again once the moment came. If the deadline passed by then, `verdict` decides as if no try were left.
    Resume {
        until: Instant,
        turn: Turn,
        verdict: Verdict,
        last: u32,
    },
    Over(End),
}

/// Which try of which key of which hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    hop: usize,
    /// Index into the prospect's slots.
    key: usize,
    /// Tries made with this key.
    made: u32,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    id: u32,
    turn: Turn,
    started: Instant,
    /// It tells whether a half-open breaker closes.
    probe: bool,
    /// Its entry in the trail.
    entry: usize,
}

#[derive(Clone, Debug)]
struct Failed {
    id: u32,
    turn: Turn,
    class: Class,
    retry_after: Option<Span>,
}

impl Chain {
    /// A chain that starts now. `prospects` are one per hop, in the plan's order; a hop without one is skipped as lacking
    /// a key.
    pub fn new(plan: Arc<Plan>, mut prospects: Vec<Prospect>, leave: Leave, seed: u64, now: Instant) -> Chain {
        prospects.resize_with(plan.hops.len(), Prospect::default);
        Chain {
            deadline: now + plan.deadline,
            places: vec![Place::Ahead; plan.hops.len()],
            plan,
            prospects,
            leave,
            dice: Dice::new(seed),
            state: State::Seek,
            main: None,
            side: None,
            early: None,
            hedged: false,
            next_id: 0,
            calls: 0,
            outgrown: None,
            trail: Vec::new(),
        }
    }

    /// The same chain for a client that waits no longer than that from `now` on.
    #[must_use]
    pub fn within(self, patience: Option<Span>, now: Instant) -> Chain {
        let deadline = patience.map_or(self.deadline, |patience| self.deadline.min(now + patience));
        Chain { deadline, ..self }
    }

    /// What to do now.
    pub fn next(&mut self, now: Instant) -> Step {
        loop {
            let in_flight = self.main.is_some() || self.side.is_some();
            match self.state.clone() {
                State::Over(end) => return Step::Done(end),
                State::Resume { until, turn, .. } if self.main.is_none() && until <= now && self.may_start(now) => {
                    return Step::Call(self.start(turn, now));
                }
                State::Seek | State::Resume { .. } if in_flight => return Step::Pending,
                State::Resume { until, .. } if now < until => return Step::Wait { until },
                State::Resume { verdict, last, .. } => self.give_up(verdict, last, now),
                State::Seek => {
                    if let Some(turn) = self.seek(now) {
                        return Step::Call(self.start(turn, now));
                    }
                }
            }
        }
    }

    /// A second call beside the one in flight: the next callable hop, once per request. Ask at [`Call::hedge_at`] if that
    /// call has shown no content.
    pub fn hedge(&mut self, now: Instant) -> Option<Call> {
        let over = matches!(self.state, State::Over(_));
        if over || self.hedged || self.main.is_none() || self.side.is_some() || !self.may_start(now) {
            return None;
        }
        let turn = self.beside(now)?;
        self.hedged = true;
        let main = self.main.take();
        let call = self.start(turn, now);
        self.side = std::mem::replace(&mut self.main, main);
        Some(Call { hedge_at: None, ..call })
    }

    /// The response headers of a call came. Optional, for the trail.
    pub fn on_headers(&mut self, id: u32, status: u16, now: Instant) {
        if let Some(attempt) = self.attempt_mut(id) {
            attempt.headers.get_or_insert((now, status));
        }
    }

    /// A call ended. An outcome of a call that is not in flight changes nothing.
    pub fn on_outcome(&mut self, id: u32, outcome: Outcome, now: Instant) {
        let is = |flight: &Flight| flight.id == id;
        let (flight, hedge) = match (self.main.take_if(|flight| is(flight)), self.side.take_if(|flight| is(flight))) {
            (Some(main), _) => (main, false),
            (None, Some(side)) => (side, true),
            (None, None) => return,
        };
        match outcome {
            Outcome::Served => {
                self.settle(&flight, Standing::Served, now);
                self.over(End::Served { id }, now);
            }
            Outcome::Failed(failure) => {
                let failed = Failed { id, turn: flight.turn, class: failure.class, retry_after: failure.retry_after };
                self.settle(&flight, Standing::Failed(failure), now);
                self.on_failed(failed, hedge, now);
            }
        }
    }

    /// A call turned out, before it was sent, to be none that its target could honour: the hop is passed over as if its
    /// prospect had said so, and the call was none.
    pub fn pass_over(&mut self, id: u32, skip: Skip) {
        let is = |flight: &Flight| flight.id == id;
        // A hedge that was none leaves the next hop free to be one.
        self.hedged &= !self.side.as_ref().is_some_and(is);
        let flight = self.main.take_if(|flight| is(flight)).or_else(|| self.side.take_if(|flight| is(flight)));
        let Some(flight) = flight else { return };
        if flight.probe
            && let Some(handle) = self.prospects[flight.turn.hop].breakers.get(flight.turn.key)
        {
            handle.release();
        }
        if let Some(entry) = self.trail.get_mut(flight.entry) {
            entry.what = What::Skip(skip);
        }
        self.calls = self.calls.saturating_sub(1);
    }

    /// Each attempt and skip so far, in order.
    pub fn trail(&self) -> &[TrailEntry] {
        &self.trail
    }

    /// The trail, when the chain is over.
    pub fn into_trail(self) -> Vec<TrailEntry> {
        self.trail
    }

    /// Upstream calls made.
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    fn start(&mut self, turn: Turn, now: Instant) -> Call {
        let hop = &self.plan.hops[turn.hop];
        let prospect = &self.prospects[turn.hop];
        let slot = prospect.slots.get(turn.key).copied().unwrap_or(KeySlot::Managed);
        let probe = match (&hop.breaker, prospect.breakers.get(turn.key)) {
            (Some(rules), Some(handle)) => handle.starts(rules, now),
            (Some(_) | None, _) => false,
        };
        let id = self.next_id;
        let call = Call {
            id,
            hop: turn.hop,
            slot,
            clocks: Clocks::within(&hop.timeouts, self.deadline.since(now)),
            hedge_at: hop.hedge_after.filter(|_| !self.hedged).map(|after| now + after),
        };
        self.places[turn.hop] = Place::Past;
        self.calls += 1;
        self.next_id += 1;
        let turn = Turn { made: turn.made.saturating_add(1), ..turn };
        self.main = Some(Flight { id, turn, started: now, probe, entry: self.trail.len() });
        let attempt = Attempt { id, slot, headers: None, ended: None, standing: Standing::InFlight };
        let target = hop.target.clone();
        self.trail.push(TrailEntry { hop: turn.hop, target, at: now, what: What::Call(attempt) });
        self.state = State::Seek;
        call
    }

    /// Writes an outcome into the trail and the breaker.
    fn settle(&mut self, flight: &Flight, standing: Standing, now: Instant) {
        let handle = self.prospects[flight.turn.hop].breakers.get(flight.turn.key);
        match (&standing, handle) {
            (Standing::Served, Some(handle)) => handle.succeeded(flight.started),
            (Standing::Failed(failure), Some(handle)) => {
                if flight.probe {
                    handle.release();
                }
                handle.failed(failure.class, now);
            }
            (Standing::InFlight, _) | (_, None) => {}
        }
        if let Some(What::Call(attempt)) = self.trail.get_mut(flight.entry).map(|entry| &mut entry.what) {
            attempt.ended = Some(now);
            attempt.standing = standing;
        }
    }

    /// Ends the chain; calls still in flight are recorded as cancelled.
    fn over(&mut self, end: End, now: Instant) {
        for flight in [self.main.take(), self.side.take()].into_iter().flatten() {
            let cancelled = Failure::new(Class::Cancelled, "another call beside it decided the request");
            self.settle(&flight, Standing::Failed(cancelled), now);
        }
        self.state = State::Over(end);
    }

    fn attempt_mut(&mut self, id: u32) -> Option<&mut Attempt> {
        self.trail.iter_mut().find_map(|entry| match &mut entry.what {
            What::Call(attempt) if attempt.id == id => Some(attempt),
            What::Call(_) | What::Skip(_) => None,
        })
    }
}
