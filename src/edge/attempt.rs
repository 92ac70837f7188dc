//! One attempt: prepared, sent and judged under its clocks, until it fails or reaches its commit point (`hold.rs`).
//!
//! ```text
//! headers clock ----> status, headers     not 2xx: the body's prefix is classified
//! first-token clock -> chunks are held     the intake says when they hold content, or that they never will
//! idle clock --------> (commit: complete)  between content events
//! attempt clock, deadline: over all of it, until the commit
//! ```

use super::body::Reader;
use super::glue;
use super::job::{Job, Ready};
use super::line::{Answer, EndedBy, Line, Reading};
use super::upstream::{self, Stop};
use crate::domain::answer;
use crate::domain::chain::{Call, Clocks};
use crate::domain::classify;
use crate::domain::dialect::Wire;
use crate::domain::dialect::reply::Reply;
use crate::domain::ledger::account::Measured;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::policy::{Commit, Hop, RelayMode};
use crate::domain::relay::Relay;
use crate::domain::request;
use crate::domain::time::{Instant, Span};
use crate::domain::usage::Usage;
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use web_sys::Headers;

/// Set once the attempt has shown content: hedging looks at it.
pub type Content = Rc<Cell<bool>>;

/// What was measured of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// When the response's headers came, and their status.
    pub headers: Option<(Instant, u16)>,
    pub ttft_ms: Option<u64>,
    pub usage: Option<Usage>,
    /// Bytes of the content's text that was seen, for where the upstream sends no usage.
    pub content_bytes: u64,
    pub dropped: Vec<String>,
}

impl Marks {
    /// What the ledger makes tokens and cost of.
    pub fn measured(&self) -> Measured {
        Measured { usage: self.usage, content_bytes: self.content_bytes, ttft_ms: self.ttft_ms }
    }
}

/// How an attempt came out.
pub enum Attempted {
    Served(Box<Served>),
    Failed(Failure, Marks),
    /// It cannot be made: the request needs a feature that the target lacks.
    Incompatible(String),
}

/// An answer at its commit point.
pub struct Served {
    pub call: Call,
    pub line: Line,
    pub status: u16,
    /// The upstream's own headers.
    pub headers: Headers,
    /// The content type, where what is sent is not what the upstream sent.
    pub kind: Option<&'static str>,
    pub body: Body,
    pub marks: Marks,
}

/// The answer's body at the commit point.
pub enum Body {
    /// All of it.
    Whole(JsValue),
    /// What was held back, and the rest of the stream.
    Stream { held: Vec<u8>, rest: Option<Reader>, relay: Box<Relay>, mode: RelayMode },
}

/// Makes the call of a step.
pub async fn attempt(job: &Rc<Job>, call: &Call, content: Content) -> Attempted {
    let mut marks = Marks::default();
    match Attempt::start(job, call, content, &mut marks).await {
        Ok(mut served) => {
            served.marks = marks;
            Attempted::Served(Box::new(served))
        }
        Err(Stop::Failed(failure)) => Attempted::Failed(failure, marks),
        Err(Stop::Incompatible(feature)) => Attempted::Incompatible(feature),
    }
}

/// A call in flight.
pub(super) struct Attempt<'a> {
    pub job: &'a Job,
    pub call: &'a Call,
    pub hop: &'a Hop,
    pub ready: &'a Ready,
    pub line: Line,
    pub content: Content,
    /// What translation changed on the way out, to be undone in the answer.
    pub reply: Reply,
    /// How many content events were seen, and when the last one came.
    pub seen: (u64, Option<Span>),
    pub marks: &'a mut Marks,
}

impl<'a> Attempt<'a> {
    async fn start(job: &'a Job, call: &'a Call, content: Content, marks: &'a mut Marks) -> Result<Served, Stop> {
        let Some((hop, ready)) = job.hop(call.hop) else {
            return Err(Failure::new(Class::Unreachable, "the plan has no such hop").into());
        };
        let prepared = upstream::prepare(job, call, hop, ready).await?;
        marks.dropped = prepared.dropped;
        let line = Line::open(job.signal.as_ref());
        let reply = prepared.reply;
        let attempt = Attempt { job, call, hop, ready, line, content, reply, seen: (0, None), marks };
        Ok(attempt.run(prepared.send).await?)
    }

    async fn run(mut self, outbound: upstream::Sendable) -> Result<Served, Failure> {
        let (phase, clock) = self.first_clock();
        self.line.limit(phase, clock, clock);
        let wire = self.ready.wire.unwrap_or(Wire::Opaque);
        let answer = outbound.send(&self.line, self.reading(wire), self.body_clock()).await;
        let answer = answer.map_err(|failure| self.blamed(failure))?;
        self.marks.headers = Some((answer.headers_at(), answer.status()));
        match answer.status() {
            200..=203 | 205..=299 => self.judge(&answer, wire).await.map_err(|failure| hinted(failure, &answer)),
            _ => Err(self.refused(&answer)),
        }
    }

    /// The clock that fires first while there are no headers: all of them run from the moment the call is sent.
    fn first_clock(&self) -> (Phase, Span) {
        let clocks = self.clocks();
        let attempt = (Phase::Attempt, clocks.attempt);
        match self.job.stream {
            true => [attempt, (Phase::Headers, clocks.headers), (Phase::FirstToken, clocks.first_token)]
                .into_iter()
                .min_by_key(|(_, clock)| *clock)
                .unwrap_or(attempt),
            false => attempt,
        }
    }

    /// The clock of an answer that is read whole, once its head is there.
    fn body_clock(&self) -> (Phase, Span) {
        let clocks = self.clocks();
        match self.job.stream && clocks.first_token < clocks.attempt {
            true => (Phase::FirstToken, clocks.first_token),
            false => (Phase::Attempt, clocks.attempt),
        }
    }

    pub fn clocks(&self) -> &Clocks {
        &self.call.clocks
    }

    /// A failure to hear from the upstream is a clock's, or the client's who left, where one of these ended the call.
    pub fn blamed(&self, failure: Failure) -> Failure {
        match self.line.ended_by() {
            Some(EndedBy::Clock(phase, span)) => self.timeout(phase, span),
            Some(EndedBy::Client) => Failure::new(Class::Cancelled, "the client went away"),
            None => failure,
        }
    }

    /// A clock fired. One that the deadline had cut short is the deadline's.
    fn timeout(&self, phase: Phase, clock: Span) -> Failure {
        let phase = if clock >= self.clocks().deadline { Phase::Deadline } else { phase };
        let mut failure = Failure::timeout(phase, clock);
        let patience = request::patience(&self.job.headers).filter(|patience| *patience < self.job.plan.deadline);
        if phase == Phase::Deadline && patience.is_some() {
            failure.reason.push_str(" (as long as the client's own timeout says that it waits)");
        }
        failure
    }

    /// Classifies an error by its head and the beginning of its body.
    fn refused(&mut self, answer: &Answer) -> Failure {
        if answer.is_whole() {
            self.line.done();
        }
        let headers = answer.response().headers();
        let failure = classify::classify(&classify::Facts {
            status: answer.status(),
            header: &|name| headers.get(name).ok().flatten(),
            body: &answer.bytes().map(|bytes| bytes.to_vec()).unwrap_or_default(),
            provider: &self.ready.provider.name,
            rules: &self.ready.provider.errors,
            now: glue::now(),
        });
        match answer.broke() {
            Some(_) => self.blamed(failure),
            None => failure,
        }
    }

    /// What of a good answer is read before it is judged: streams are not, nor what is handed on at its 200.
    fn reading(&self, wire: Wire) -> Reading {
        match (self.job.stream, wire) {
            (true, _) => Reading::Documents,
            (false, _) if self.hands_on(wire) => Reading::Nothing,
            (false, Wire::Opaque) => Reading::Text,
            (false, _) => Reading::Everything,
        }
    }

    /// `commit: headers`: the answer is handed on at its 200.
    fn hands_on(&self, wire: Wire) -> bool {
        let at_headers = self.job.plan.stream.commit == Commit::Headers;
        !self.job.stream && at_headers && !answer::is_rewritten(&self.job.route, wire)
    }

    /// A 2xx: held back until it has earned its commit.
    async fn judge(self, answer: &Answer, wire: Wire) -> Result<Served, Failure> {
        if answer.bytes().is_some() || answer.broke().is_some() {
            return self.whole(answer, wire);
        }
        let binary = wire == Wire::Opaque && !answer.kind().starts_with("text/");
        match self.hands_on(wire) {
            true => self.unread(answer, wire, binary && !answer.kind().contains("json")),
            false if binary => self.binary(answer).await,
            false => self.stream(answer, wire).await,
        }
    }

    pub fn translates(&self, wire: Wire) -> bool {
        wire.translates(&self.job.route)
    }

    pub fn served(self, answer: &Answer, body: Body, kind: Option<&'static str>) -> Served {
        let headers = answer.response().headers();
        let marks = Marks::default();
        Served { call: self.call.clone(), line: self.line, status: answer.status(), headers, kind, body, marks }
    }
}

/// An error inside a good answer waits for as long as the answer's headers ask, as any other does.
fn hinted(failure: Failure, answer: &Answer) -> Failure {
    let headers = answer.response().headers();
    let asked = || classify::wait_asked(&|name| headers.get(name).ok().flatten(), glue::now());
    Failure { retry_after: asked().or(failure.retry_after), ..failure }
}
