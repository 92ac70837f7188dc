//! The chain on a virtual clock: scripted outcomes in, the story of a request out.

mod breaker;
mod keys;
mod properties;
mod verdicts;

use std::collections::BTreeMap;
use std::sync::Arc;

use understudy::domain::breaker::Handle;
use understudy::domain::chain::{Call, Chain, End, Leave, Prospect, Step};
use understudy::domain::outcome::{Class, Failure, KeySlot, Outcome};
use understudy::domain::policy::{
    Backoff, BreakerRules, Consent, Degraded, Exhausted, Hop, KeyChoice, Plan, PlanName, Preset, StreamRules, Timeouts,
    Translate, UsageMode, Verdicts,
};
use understudy::domain::target::Target;
use understudy::domain::time::{Instant, Span};

/// When every story begins.
pub const START: Instant = Instant(1_000_000);

pub fn target(name: &str) -> Target {
    let (provider, model) = name.split_once('/').unwrap_or(("openai", name));
    Target { provider: provider.to_owned(), model: model.to_owned(), region: None }
}

pub fn hop(name: &str) -> Hop {
    Hop {
        target: target(name),
        policies: Vec::new(),
        retries: 0,
        hedge_after: None,
        key: KeyChoice::Managed,
        timeouts: Timeouts::default(),
        degraded: Degraded::No,
        params: Vec::new(),
        on: Verdicts::preset(Preset::Resilient),
        backoff: Backoff { jitter: 0.0, ..Backoff::default() },
        breaker: Some(BreakerRules::default()),
        keep: Vec::new(),
        translate: Translate::Lenient,
        endpoint: None,
    }
}

pub fn plan(hops: Vec<Hop>) -> Plan {
    Plan {
        name: PlanName::Request,
        rule: None,
        hops,
        deadline: Span(600_000),
        stream: StreamRules::default(),
        consent: Consent::Automatic,
        exhausted: Exhausted::Last,
        usage: UsageMode::AsSent,
        workload: "test".to_owned(),
        stale: false,
    }
}

pub fn ready(slots: &[KeySlot]) -> Prospect {
    let breakers = slots.iter().map(|_| Handle::default()).collect();
    Prospect { slots: slots.to_vec(), breakers, ..Prospect::default() }
}

/// What a call meets: after so many ms, this.
#[derive(Clone, Debug)]
pub struct Meets(pub u64, pub Outcome);

pub fn ok() -> Meets {
    Meets(10, Outcome::Served)
}

pub fn fails(class: Class) -> Meets {
    Meets(10, Outcome::Failed(Failure::new(class, "scripted")))
}

pub fn asks(class: Class, retry_after: u64) -> Meets {
    let failure = Failure { retry_after: Some(Span(retry_after)), ..Failure::new(class, "scripted") };
    Meets(10, Outcome::Failed(failure))
}

/// A request: its plan, what is known of its hops, and what each target's calls meet.
pub struct Story {
    pub plan: Plan,
    pub prospects: Vec<Prospect>,
    pub leave: Leave,
    pub seed: u64,
    pub start: Instant,
    meets: BTreeMap<(Target, KeySlot), Vec<Meets>>,
}

/// How a story went.
#[derive(Debug)]
pub struct Told {
    pub chain: Chain,
    pub end: End,
    pub now: Instant,
    /// Moment, hop, slot and hedge or not, of each call.
    pub calls: Vec<(Instant, Call)>,
    pub waits: Vec<Span>,
}

impl Story {
    pub fn of(hops: Vec<Hop>) -> Story {
        let prospects = hops.iter().map(|_| ready(&[KeySlot::Managed])).collect();
        Story { plan: plan(hops), prospects, leave: Leave::default(), seed: 7, start: START, meets: BTreeMap::new() }
    }

    /// The calls of a target with its managed key meet these in order, then `ok`.
    pub fn with(self, name: &str, meets: Vec<Meets>) -> Story {
        self.with_key(name, KeySlot::Managed, meets)
    }

    pub fn with_key(mut self, name: &str, slot: KeySlot, meets: Vec<Meets>) -> Story {
        self.meets.insert((target(name), slot), meets);
        self
    }

    pub fn tell(self) -> Told {
        let plan = Arc::new(self.plan);
        let mut chain = Chain::new(plan.clone(), self.prospects, self.leave, self.seed, self.start);
        let mut meets = self.meets;
        let (mut now, mut calls, mut waits) = (self.start, Vec::new(), Vec::new());
        let mut flights: Vec<(Instant, u32, Outcome)> = Vec::new();
        let mut hedge_at = None;
        let mut send = |call: Call, now: Instant, flights: &mut Vec<(Instant, u32, Outcome)>, calls: &mut Vec<_>| {
            let key = (plan.hops[call.hop].target.clone(), call.slot);
            let script = meets.entry(key).or_default();
            let Meets(ms, outcome) = if script.is_empty() { ok() } else { script.remove(0) };
            flights.push((now + Span(ms), call.id, outcome));
            calls.push((now, call));
        };
        for _ in 0..1000 {
            match chain.next(now) {
                Step::Call(call) => {
                    hedge_at = call.hedge_at;
                    send(call, now, &mut flights, &mut calls);
                }
                Step::Wait { until } => {
                    assert!(flights.is_empty(), "a wait with a call in flight");
                    waits.push(until.since(now));
                    now = until;
                }
                Step::Pending => {
                    let first =
                        (0..flights.len()).min_by_key(|at| flights[*at].0).expect("pending on a call in flight");
                    if let Some(at) = hedge_at.filter(|at| *at < flights[first].0) {
                        (now, hedge_at) = (at, None);
                        if let Some(call) = chain.hedge(now) {
                            send(call, now, &mut flights, &mut calls);
                        }
                        continue;
                    }
                    let (at, id, outcome) = flights.swap_remove(first);
                    now = now.max(at);
                    chain.on_outcome(id, outcome, now);
                }
                Step::Done(end) => {
                    assert_eq!(chain.next(now), Step::Done(end.clone()), "the end stays the end");
                    return Told { chain, end, now, calls, waits };
                }
            }
        }
        panic!("the chain does not end");
    }
}

impl Told {
    /// The trail in short: `openai/a=overloaded, openai/b=ok`.
    pub fn trail(&self) -> String {
        let entries = self.chain.trail().iter().map(|entry| format!("{}={}", entry.target.model, entry.outcome()));
        entries.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    pub fn is(&self, end: &str, trail: &str) -> &Told {
        let named = match &self.end {
            End::Served { .. } => "served",
            End::Stopped { .. } => "stopped",
            End::Exhausted => "exhausted",
        };
        assert_eq!((named, self.trail().as_str()), (end, trail));
        self
    }

    #[track_caller]
    pub fn waited(&self, ms: &[u64]) -> &Told {
        assert_eq!(self.waits.iter().map(|wait| wait.0).collect::<Vec<_>>(), ms);
        self
    }
}
