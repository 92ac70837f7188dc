//! From a request with its plan to a response, and the row that follows it.

use super::attempt::{Body, Marks, Served};
use super::body::Identity;
use super::drive::{self, Driven, Ended};
use super::glue::now;
use super::job::Job;
use super::recorder;
use super::relay::{self, Committed, Relayed};
use crate::domain::breaker::Handle;
use crate::domain::chain::{Call, Chain, End, TrailEntry};
use crate::domain::error::{self, Final};
use crate::domain::ledger::account::{After, DROPPED_MOST, Measured, Terms, attempt_row, dropped};
use crate::domain::ledger::row::{AttemptRow, OK, RequestRow};
use crate::domain::outcome::{Class, Failure};
use crate::domain::policy::{Degraded, PlanName};
use crate::domain::redact::redact_name;
use crate::domain::relay::Ending;
use crate::domain::time::Span;
use js_sys::Uint8Array;
use litemap::LiteMap;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use web_sys::Headers;
use worker::Context;

/// What a request came to, for the writer of the response, with the headers that tell of the chain.
pub enum Answer {
    Served(Response, Said),
    Failed(Final, Said),
}

/// Headers of our own.
pub type Said = Vec<(&'static str, String)>;

/// What the target that answered makes the client see.
pub struct Response {
    pub status: u16,
    /// The upstream's own headers.
    pub from: Headers,
    /// A `Uint8Array`, a `ReadableStream` or null.
    pub body: JsValue,
}

/// Runs the chain and answers. The row is recorded when the answer has ended.
pub async fn serve(job: Rc<Job>, chain: Chain, context: &Context) -> Answer {
    let driven = drive::run(&job, chain).await;
    log_moves(&job, driven.chain.trail());
    match driven.served {
        Some(served) => committed(&job, driven.chain, *served, driven.marks, context),
        None => failed(&job, driven, context),
    }
}

/// One log line for every move to another hop.
fn log_moves(job: &Job, trail: &[TrailEntry]) {
    if trail.len() > 1 {
        let label = job.plan.name.label();
        for line in error::fallback_log(trail, &job.request_id, &job.plan.workload, &label, &job.secrets()) {
            worker::console_log!("{line}");
        }
    }
}

fn committed(job: &Rc<Job>, chain: Chain, served: Served, mut marks: LiteMap<u32, Marks>, context: &Context) -> Answer {
    let Served { call, line, status, headers, kind, body, marks: own } = served;
    marks.insert(call.id, own);
    let mut said = annotations(job, &chain, Some(&call), &marks);
    said.extend(kind.map(|kind| ("content-type", kind.to_owned())));
    let breaker = chain.breaker(call.id);
    let account = Account { job: job.clone(), trail: chain.into_trail(), marks, status };
    let body = match body {
        Body::Whole(value) => {
            account.settle(context, &call, line.elapsed(), None);
            value
        }
        Body::Stream { mut held, rest: None, relay, .. } => {
            let tail = relay.end(Ending::Clean);
            held.extend_from_slice(&tail.append);
            account.settle(context, &call, line.elapsed(), tail.outcome.as_ref());
            Uint8Array::from(held.as_slice()).into()
        }
        Body::Stream { held, rest, relay, mode } => {
            let identity = Identity::new();
            let readable = identity.readable.clone();
            let idle = call.clocks.idle;
            let marks = account.marks.get(&call.id).cloned().unwrap_or_default();
            let committed = Committed { line, held, rest, relay: *relay, mode, idle, marks };
            context.wait_until(async move {
                let relayed = relay::relay(committed, identity).await;
                account.relayed(call, relayed, breaker).await;
            });
            readable.into()
        }
    };
    Answer::Served(Response { status, from: headers, body }, said)
}

fn failed(job: &Rc<Job>, driven: Driven, context: &Context) -> Answer {
    let Driven { chain, ended, marks, .. } = driven;
    let (end, left) = match ended {
        Ended::Chain(end) => (end, None),
        Ended::ClientGone => (last_call(&chain), Some(Class::Cancelled.name())),
    };
    let secrets = job.secrets();
    let last = error::ended(&error::Ending {
        family: job.route.family(),
        trail: chain.trail(),
        end: &end,
        exhausted: job.plan.exhausted,
        request_id: &job.request_id,
        keys: &secrets,
        retry_after: chain.retry_hint(now()),
        lacks_consent: chain.lacks_consent(),
    });
    let said = annotations(job, &chain, None, &marks);
    let account = Account { job: job.clone(), trail: chain.into_trail(), marks, status: last.status };
    account.give_up(context, left.unwrap_or(last.outcome));
    Answer::Failed(last, said)
}

/// The client left: the attempt that was in flight speaks, to nobody.
fn last_call(chain: &Chain) -> End {
    last_attempt(chain.trail()).map_or(End::Exhausted, |id| End::Stopped { id })
}

/// The attempt of which a response and its row say what was dropped: where nobody answered, the last one.
fn told(served: Option<&Call>, trail: &[TrailEntry]) -> Option<u32> {
    served.map(|call| call.id).or_else(|| last_attempt(trail))
}

fn last_attempt(trail: &[TrailEntry]) -> Option<u32> {
    trail.iter().rev().find_map(|entry| entry.attempt().map(|attempt| attempt.id))
}

/// What a response says of the chain that made it.
fn annotations(job: &Job, chain: &Chain, served: Option<&Call>, marks: &LiteMap<u32, Marks>) -> Said {
    let mut said = Vec::with_capacity(12);
    let mut set = |name: &'static str, value: String| said.push((name, in_ascii(value)));
    let yes = || "true".to_owned();
    set("x-understudy-request-id", job.request_id.clone());
    if let PlanName::Stored { name, version } = &job.plan.name {
        set("x-understudy-policy", [name, "@", version].concat());
    }
    if let Some(rule) = &job.plan.rule {
        set("x-understudy-rule", rule.clone());
    }
    if job.plan.stale {
        set("x-understudy-policy-stale", yes());
    }
    set("x-understudy-attempts", chain.calls().to_string());
    set("x-understudy-fallback", served.is_some_and(|call| call.hop > 0).to_string());
    let secrets = job.secrets();
    set("x-understudy-trail", error::trail_header(chain.trail(), job.stream, &secrets));
    if let Some((hop, _)) = served.and_then(|call| job.hop(call.hop)) {
        set("x-understudy-model", redact_name(&hop.target.to_string(), &secrets));
        match &hop.degraded {
            Degraded::No => {}
            Degraded::Yes => set("x-understudy-degraded", yes()),
            Degraded::Notice(text) => {
                set("x-understudy-degraded", yes());
                set("x-understudy-notice", text.clone());
            }
        }
    }
    if let Some(marks) =
        told(served, chain.trail()).and_then(|id| marks.get(&id)).filter(|marks| !marks.dropped.is_empty())
    {
        set("x-understudy-dropped", listed(&marks.dropped));
    }
    said
}

/// Bytes of a list in a header, as of the trail: clients refuse an answer whose headers are longer than they like.
const LISTED: usize = 4_096;

/// Names one behind the other, as many as there is room for.
fn listed(names: &[String]) -> String {
    const MORE: &str = ", ...";
    let whole = names.join(", ");
    if whole.len() <= LISTED {
        return whole;
    }
    let room = whole.floor_char_boundary(LISTED - MORE.len());
    let fits = whole.get(..room).unwrap_or_default();
    format!("{}{MORE}", fits.rsplit_once(", ").map_or(fits, |(before, _)| before))
}

/// Names in documents may be in any script; a header is ASCII.
fn in_ascii(text: String) -> String {
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => text,
        false => text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect(),
    }
}

/// A request whose chain is over, on its way into the ledger.
struct Account {
    job: Rc<Job>,
    trail: Vec<TrailEntry>,
    marks: LiteMap<u32, Marks>,
    status: u16,
}

impl Account {
    /// An answer that was sent whole, or whose end nobody sees.
    fn settle(self, context: &Context, call: &Call, elapsed: Span, broke: Option<&Failure>) {
        let outcome = broke.map_or(OK, |failure| failure.class.name());
        let row = self.row(outcome, Some((call, After { elapsed, broke })));
        self.record(context, row);
    }

    /// A request that nobody answered.
    fn give_up(self, context: &Context, outcome: &str) {
        let row = self.row(outcome, None);
        self.record(context, row);
    }

    fn record(self, context: &Context, row: RequestRow) {
        recorder::record(&self.job.env, row);
        if recorder::is_due(&self.job.env) {
            context.wait_until(async move { recorder::settle(&self.job.env).await });
        }
    }

    /// A stream that was relayed to its end.
    async fn relayed(mut self, call: Call, relayed: Relayed, breaker: Option<Handle>) {
        let Relayed { tail, marks, elapsed } = relayed;
        if let (Some(failure), Some(breaker)) = (&tail.outcome, breaker) {
            breaker.failed(failure.class, now());
        }
        self.marks.insert(call.id, marks);
        let outcome = tail.outcome.as_ref().map_or(OK, |failure| failure.class.name());
        let row = self.row(outcome, Some((&call, After { elapsed, broke: tail.outcome.as_ref() })));
        recorder::record(&self.job.env, row);
        recorder::settle(&self.job.env).await;
    }

    fn row(&self, outcome: &str, served: Option<(&Call, After<'_>)>) -> RequestRow {
        let job = &self.job;
        let secrets = job.secrets();
        let first = served.as_ref().and_then(|(call, _)| self.marks.get(&call.id)?.ttft_ms.zip(self.sent_after(call)));
        let (call, after) = served.unzip();
        RequestRow {
            outcome: outcome.to_owned(),
            status: self.status,
            fallback: call.is_some_and(|call| call.hop > 0),
            degraded: call.and_then(|call| job.hop(call.hop)).is_some_and(|(hop, _)| hop.degraded != Degraded::No),
            ttft_ms: first.map(|(ttft, sent)| sent.0.saturating_add(ttft)),
            dropped: told(call, &self.trail)
                .and_then(|id| self.marks.get(&id))
                .map(|marks| dropped(&marks.dropped, DROPPED_MOST, &secrets))
                .unwrap_or_default(),
            attempts: self.attempts(call.zip(after.as_ref()), &secrets),
            ..job.row()
        }
    }

    fn attempts(&self, served: Option<(&Call, &After<'_>)>, keys: &[&str]) -> Vec<AttemptRow> {
        let (job, mut room) = (&self.job, DROPPED_MOST);
        let row = |(seq, entry): (u32, &TrailEntry)| {
            let id = entry.attempt().map(|attempt| attempt.id);
            let marks = id.and_then(|id| self.marks.get(&id));
            let measured = marks.map_or_else(Measured::default, Marks::measured);
            let after = served.filter(|(call, _)| Some(call.id) == id).map(|(_, after)| after);
            let facts = job.ready.get(entry.hop).map(|ready| &ready.facts);
            let terms = Terms { facts, prompt_tokens: &|| job.prompt_tokens(), keys };
            let mut row = attempt_row(seq, entry, &measured, after, terms);
            if let Some(marks) = marks.filter(|_| after.is_none()) {
                row.dropped = dropped(&marks.dropped, room, keys);
                room -= row.dropped.len();
            }
            row
        };
        (0..).zip(&self.trail).map(row).collect()
    }

    /// From the request's arrival until that call was sent.
    fn sent_after(&self, call: &Call) -> Option<Span> {
        let entry = self.trail.iter().find(|entry| entry.attempt().is_some_and(|attempt| attempt.id == call.id))?;
        Some(entry.at.since(self.job.started))
    }
}
