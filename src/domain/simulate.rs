//! A policy played through a script of outcomes: the same chain, on a virtual clock, with no upstream call.
//!
//! Calls take no time but for the clocks that they wait out; jitter is 0. A target's outcomes are used in order; past the
//! last one, and for a target not named, the outcome is `ok`. The request is a stream, since stalls and cuts only mean
//! something there.

use crate::domain::breaker::Book;
use crate::domain::chain::{Call, Chain, End, Leave, Prospect, Step, What, reason};
use crate::domain::dialect::Wire;
use crate::domain::glob::Glob;
use crate::domain::outcome::{Class, Failure, Outcome, Phase, Skip};
use crate::domain::policy::{Commit, Hop, Plan};
use crate::domain::refusal::Refusal;
use crate::domain::scripted::Scripted;
use crate::domain::target::Target;
use crate::domain::time::{Instant, Span};
use litemap::LiteMap;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// Entries of a script, and outcomes of an entry.
const SCRIPT_MAX: usize = 64;
/// What an entry says.
const ENTRY: [&str; 2] = ["model", "outcomes"];

/// What each target meets, call by call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    entries: Vec<(Glob, Vec<Scripted>)>,
    default_provider: String,
}

/// One step of a simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Played {
    pub at_ms: u64,
    /// `call`, `wait`, `skip` or `done`
    pub step: &'static str,
    pub model: Option<String>,
    /// `ok` or a class, of a call.
    pub outcome: Option<String>,
    pub wait_ms: Option<u64>,
    /// Of a skip its reason, of a failed call what happened.
    pub reason: Option<String>,
}

/// A whole simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Simulation {
    pub steps: Vec<Played>,
    /// `served`, `exhausted` or `stopped`
    pub result: &'static str,
    pub calls: u32,
    pub ms: u64,
}

impl Script {
    /// Reads a script: `[{"model": "anthropic/*", "outcomes": ["429;retry-after=2", "ok"]}]`, alone or as `script` of an
    /// object. Models are written as in a policy: bare ones are of the default provider.
    ///
    /// # Errors
    /// A 400 with path, value and expectation.
    pub fn parse(value: &Value, default_provider: &str) -> Result<Script, Refusal> {
        let list = value.get("script").unwrap_or(value);
        let entries = array("script", list)?.iter().enumerate().map(|(at, entry)| script_entry(at, entry));
        Ok(Script { entries: entries.collect::<Result<_, _>>()?, default_provider: default_provider.to_owned() })
    }

    fn outcome(&self, target: &Target, made: usize) -> Scripted {
        let name = target.to_string();
        let named = self.entries.iter().find(|(glob, _)| glob.matches(&name, &self.default_provider));
        named.and_then(|(_, outcomes)| outcomes.get(made)).cloned().unwrap_or(Scripted::Ok)
    }
}

fn script_entry(at: usize, entry: &Value) -> Result<(Glob, Vec<Scripted>), Refusal> {
    let path = format!("script[{at}]");
    let unknown = entry.as_object().and_then(|fields| fields.keys().find(|name| !ENTRY.contains(&name.as_str())));
    if let Some(name) = unknown {
        return Err(Refusal::value(&format!("{path}.{name}"), format!("is not one of {}", ENTRY.join(", "))));
    }
    let model = entry.get("model").and_then(Value::as_str).filter(|model| !model.trim().is_empty());
    let Some(model) = model else {
        return Err(Refusal::value(&format!("{path}.model"), "expected a model or a glob over models"));
    };
    let path = format!("{path}.outcomes");
    let outcomes = array(&path, entry.get("outcomes").unwrap_or(&Value::Null))?;
    let outcomes = outcomes.iter().enumerate().map(|(at, outcome)| {
        let path = format!("{path}[{at}]");
        let text = outcome.as_str().ok_or_else(|| Refusal::value(&path, format!("{outcome} is not a string")))?;
        Scripted::parse(text).map_err(|bad| Refusal::value(&path, bad))
    });
    Ok((Glob::new(model), outcomes.collect::<Result<_, _>>()?))
}

fn array<'a>(path: &str, value: &'a Value) -> Result<&'a Vec<Value>, Refusal> {
    match value.as_array() {
        Some(list) if list.len() <= SCRIPT_MAX => Ok(list),
        Some(list) => Err(Refusal::value(path, format!("{} entries, at most {SCRIPT_MAX} are taken", list.len()))),
        None => Err(Refusal::value(path, "expected a list")),
    }
}

/// What documents alone say of a hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The boundary that it would cross ([`foreseen`](crate::domain::plan::boundaries::foreseen)).
    pub crossed: Option<Skip>,
    /// Its context window in tokens: a prompt that was too long for one is not tried on another that is no larger.
    pub context_tokens: Option<u64>,
    /// The wire that it speaks on the chat route: a failure is classified as one that is written in its words.
    pub wire: Option<Wire>,
}

/// Plays a plan through a script. `outlooks` are those of its hops, in their order; of a hop without one nothing is known.
pub fn simulate(mut plan: Plan, script: &Script, leave: Leave, outlooks: &[Outlook]) -> Simulation {
    for hop in &mut plan.hops {
        hop.backoff.jitter = 0.0;
    }
    let wires = outlooks.iter().map(|outlook| outlook.wire).collect();
    let outlooks = outlooks.iter().cloned().chain(std::iter::repeat_with(Outlook::default));
    // Hops of one target share its breakers, as they do where calls are made.
    let mut breakers = Book::default();
    let prospects =
        plan.hops.iter().zip(outlooks).map(|(hop, outlook)| prospect(hop, outlook, &mut breakers)).collect();
    let plan = Arc::new(plan);
    let chain = Chain::new(plan.clone(), prospects, leave, 0, Instant(0));
    let now = Instant(0);
    let mut play =
        Play { plan, wires, script, chain, now, made: LiteMap::new(), flights: Vec::new(), steps: Vec::new(), told: 0 };
    let end = play.run();
    play.done(&end)
}

fn prospect(hop: &Hop, outlook: Outlook, breakers: &mut Book) -> Prospect {
    let slots = hop.key.slots().to_vec();
    let breakers = slots.iter().map(|slot| breakers.handle(&hop.target, *slot)).collect();
    let Outlook { crossed: skip, context_tokens, .. } = outlook;
    Prospect { skip, slots, breakers, context_tokens, ..Prospect::default() }
}

/// A simulation under way.
struct Play<'a> {
    plan: Arc<Plan>,
    /// Of its hops, as far as they are known.
    wires: Vec<Option<Wire>>,
    script: &'a Script,
    chain: Chain,
    now: Instant,
    /// Calls made of each target.
    made: LiteMap<Target, usize>,
    flights: Vec<Flight>,
    steps: Vec<Played>,
    /// Entries of the trail that are among the steps, or known to be calls.
    told: usize,
}

/// A call under way.
struct Flight {
    id: u32,
    ends: Instant,
    hedge_at: Option<Instant>,
    /// Its place among the steps.
    step: usize,
    met: Met,
}

/// What a call meets.
struct Met {
    after: Span,
    outcome: Outcome,
    /// It shows content long before it ends: nothing hedges it.
    content: bool,
    /// How a committed stream breaks, and how long that takes.
    breaks: Option<(Class, Span)>,
}

impl Play<'_> {
    fn run(&mut self) -> End {
        loop {
            let step = self.chain.next(self.now);
            self.tell_skips();
            match step {
                Step::Call(call) => self.call(&call),
                Step::Wait { until } => {
                    let wait = until.since(self.now);
                    self.push("wait", None, |step| step.wait_ms = Some(wait.0));
                    self.now = until;
                }
                Step::Pending => self.advance(),
                Step::Done(end) => return end,
            }
        }
    }

    fn call(&mut self, call: &Call) {
        let Some(hop) = self.plan.hops.get(call.hop) else { return };
        let target = hop.target.clone();
        let made = self.made.entry(target.clone()).or_default();
        let scripted = self.script.outcome(&target, *made);
        *made += 1;
        // Anthropic's words are told from others by who says them.
        let provider = match self.wires.get(call.hop) {
            Some(Some(Wire::Messages)) => "anthropic",
            _ => target.provider.as_str(),
        };
        let met = meet(&scripted, call, provider, self.plan.stream.commit, self.now);
        self.push("call", Some(&target), |_| ());
        let (ends, step) = (self.now + met.after, self.steps.len() - 1);
        self.flights.push(Flight { id: call.id, ends, hedge_at: call.hedge_at, step, met });
    }

    /// On to the next thing that happens: a call ends, or it is time to hedge.
    fn advance(&mut self) {
        let hedge_at = self.flights.iter().filter_map(|flight| flight.hedge_at).min();
        let Some(first) = (0..self.flights.len()).min_by_key(|at| self.flights[*at].ends) else { return };
        if let Some(at) = hedge_at.filter(|at| *at < self.flights[first].ends) {
            self.now = self.now.max(at);
            self.flights.iter_mut().for_each(|flight| flight.hedge_at = None);
            if self.flights.iter().all(|flight| !flight.met.content)
                && let Some(call) = self.chain.hedge(self.now)
            {
                self.tell_skips();
                self.call(&call);
            }
            return;
        }
        let flight = self.flights.swap_remove(first);
        self.now = self.now.max(flight.ends);
        let step = &mut self.steps[flight.step];
        match (&flight.met.outcome, flight.met.breaks) {
            (Outcome::Served, None) => step.outcome = Some("ok".to_owned()),
            (Outcome::Served, Some((class, _))) => {
                step.outcome = Some(class.name().to_owned());
                step.reason = Some("after the commit".to_owned());
            }
            (Outcome::Failed(failure), _) => {
                step.outcome = Some(failure.class.name().to_owned());
                step.reason = Some(failure.reason.clone());
            }
        }
        let lost = flight.met.breaks.map_or(Span::ZERO, |(_, after)| after);
        self.chain.on_outcome(flight.id, flight.met.outcome, self.now);
        self.now = self.now + lost;
    }

    fn tell_skips(&mut self) {
        let skips: Vec<(Target, String)> = self.chain.trail()[self.told..]
            .iter()
            .filter_map(|entry| match &entry.what {
                What::Skip(skip) => Some((entry.target.clone(), reason(skip))),
                What::Call(_) => None,
            })
            .collect();
        self.told = self.chain.trail().len();
        for (target, reason) in skips {
            self.push("skip", Some(&target), |step| step.reason = Some(reason));
        }
    }

    fn push(&mut self, step: &'static str, target: Option<&Target>, fill: impl FnOnce(&mut Played)) {
        let model = target.map(Target::to_string);
        let mut played = Played { at_ms: self.now.0, step, model, outcome: None, wait_ms: None, reason: None };
        fill(&mut played);
        self.steps.push(played);
    }

    fn done(mut self, end: &End) -> Simulation {
        for flight in std::mem::take(&mut self.flights) {
            self.steps[flight.step].outcome = Some(Class::Cancelled.name().to_owned());
        }
        let result = match end {
            End::Served { .. } => "served",
            End::Stopped { .. } => "stopped",
            End::Exhausted => "exhausted",
        };
        let answered = match end {
            End::Served { id } | End::Stopped { id } => self.target_of(*id),
            End::Exhausted => None,
        };
        self.push("done", answered.as_ref(), |step| step.reason = Some(result.to_owned()));
        Simulation { steps: self.steps, result, calls: self.chain.calls(), ms: self.now.0 }
    }

    fn target_of(&self, id: u32) -> Option<Target> {
        let entry = self.chain.trail().iter().find(|entry| entry.attempt().is_some_and(|attempt| attempt.id == id))?;
        Some(entry.target.clone())
    }
}

fn meet(scripted: &Scripted, call: &Call, provider: &str, commit: Commit, now: Instant) -> Met {
    let clocks = &call.clocks;
    let first_token = clocks.first_token.min(clocks.attempt);
    // As in a drill: nothing comes at all, and the first clock to fire is mostly that on the headers.
    let (unheard, silence) = match clocks.headers < first_token {
        true => (Phase::Headers, clocks.headers),
        false => (Phase::FirstToken, first_token),
    };
    let timeout = |phase: Phase, after: Span| {
        // Between two pieces of content there was one.
        let content = phase == Phase::Idle;
        let phase = if after >= clocks.deadline { Phase::Deadline } else { phase };
        Met { after, outcome: Outcome::Failed(Failure::timeout(phase, after)), content, breaks: None }
    };
    let at_once = |outcome: Outcome, breaks| Met { after: Span::ZERO, outcome, content: false, breaks };
    let commits = |pieces: u32| match commit {
        Commit::Headers => true,
        Commit::FirstEvent | Commit::FirstContent => pieces > 0,
        Commit::Complete => false,
    };
    match scripted {
        Scripted::Class(Class::Timeout) => timeout(unheard, silence),
        Scripted::Stall(pieces) if commits(*pieces) => at_once(Outcome::Served, Some((Class::Timeout, clocks.idle))),
        Scripted::Stall(0) => timeout(Phase::FirstToken, first_token),
        Scripted::Stall(_) => timeout(Phase::Idle, clocks.idle.min(clocks.attempt)),
        // As in a drill: an answer that ends before it says anything.
        Scripted::Class(Class::Interrupted) => meet(&Scripted::Cut(0), call, provider, commit, now),
        Scripted::Cut(pieces) if commits(*pieces) => at_once(Outcome::Served, Some((Class::Interrupted, Span::ZERO))),
        Scripted::Cut(_) => {
            let failure = Failure::new(Class::Interrupted, "the stream ended before its terminal event");
            at_once(Outcome::Failed(failure), None)
        }
        Scripted::Ok | Scripted::Status { .. } | Scripted::Class(_) => match scripted.failure(provider, now) {
            Some(failure) => at_once(Outcome::Failed(failure), None),
            None => at_once(Outcome::Served, None),
        },
    }
}
