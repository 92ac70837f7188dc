//! One attempt: prepared, sent and judged under its clocks, until it fails or reaches its commit point.
//!
//! ```text
//! headers clock ----> status, headers     not 2xx: the body's prefix is read and classified
//! first-token clock -> chunks are held     the intake says when they hold content, or that they never will
//! idle clock --------> (commit: complete)  between content events
//! attempt clock, deadline: over all of it, until the commit
//! ```

use super::body::{Reader, message_of};
use super::glue;
use super::job::{Job, Ready};
use super::line::{Line, within};
use super::upstream;
use crate::domain::answer;
use crate::domain::chain::{Call, Clocks};
use crate::domain::classify;
use crate::domain::dialect::Wire;
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::reply::Reply;
use crate::domain::ledger::account::Measured;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::policy::{Commit, Hop, RelayMode};
use crate::domain::relay::{Held, Intake, Relay, Setup};
use crate::domain::time::{Instant, Span};
use crate::domain::usage::Usage;
use js_sys::{ArrayBuffer, Uint8Array};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, ReadableStream, Response};

/// Set once the attempt has shown content: hedging looks at it.
pub type Content = Rc<Cell<bool>>;

/// How much of an error's body is read.
const ERROR_BODY_BYTES: usize = 64 << 10;
/// How large an answer that is read whole may be: far above any model's, far below what an isolate holds.
const ANSWER_BYTES: usize = 48 << 20;

/// What was measured of an attempt.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// When the response's headers came, and their status.
    pub headers: Option<(Instant, u16)>,
    pub ttft_ms: Option<u64>,
    pub usage: Option<Usage>,
    /// Characters of content seen, where the upstream sent no usage.
    pub content_chars: u64,
    pub dropped: Vec<String>,
}

impl Marks {
    /// What the ledger makes tokens and cost of.
    pub fn measured(&self) -> Measured {
        Measured { usage: self.usage, content_chars: self.content_chars, ttft_ms: self.ttft_ms }
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
    /// Those of the upstream's headers that the client may see.
    pub headers: Headers,
    pub body: Body,
    pub marks: Marks,
}

impl Served {
    /// What is sent is not what the upstream sent: it has a content type of its own.
    fn of_kind(self, kind: &str) -> Served {
        let _ = self.headers.set("content-type", kind);
        self
    }
}

/// The content type of a stream that is written here.
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// The answer's body at the commit point.
pub enum Body {
    /// All of it.
    Whole(JsValue),
    /// What was held back, and the rest of the stream.
    Stream { held: Vec<u8>, rest: Option<ReadableStream>, relay: Box<Relay>, mode: RelayMode },
    /// Bytes that nobody reads on the way (audio).
    Opaque(ReadableStream),
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

/// Why a call was not made or did not succeed.
pub enum Stop {
    Failed(Failure),
    /// The feature that cannot be carried.
    Incompatible(String),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

struct Attempt<'a> {
    job: &'a Job,
    call: &'a Call,
    hop: &'a Hop,
    ready: &'a Ready,
    line: Line,
    content: Content,
    /// What translation changed on the way out, to be undone in the answer.
    reply: Reply,
    /// How many content events were seen, and when the last one came.
    seen: (u64, Option<Span>),
    marks: &'a mut Marks,
}

impl<'a> Attempt<'a> {
    async fn start(job: &'a Job, call: &'a Call, content: Content, marks: &'a mut Marks) -> Result<Served, Stop> {
        let (Some(hop), Some(ready)) = (job.plan.hops.get(call.hop), job.ready.get(call.hop)) else {
            return Err(Failure::new(Class::Unreachable, "the plan has no such hop").into());
        };
        let prepared = upstream::prepare(job, call, hop, ready).await?;
        marks.dropped = prepared.dropped;
        let line = Line::open()?;
        let reply = prepared.reply;
        let attempt = Attempt { job, call, hop, ready, line, content, reply, seen: (0, None), marks };
        Ok(attempt.run(prepared.send).await?)
    }

    async fn run(mut self, outbound: upstream::Sendable) -> Result<Served, Failure> {
        let (phase, clock) = self.first_clock();
        let response = match within(clock, outbound.send(&self.line)).await {
            Some(sent) => sent?,
            None => return Err(self.timeout(phase, clock)),
        };
        self.marks.headers = Some((glue::now(), response.status()));
        match response.status() {
            200..=203 | 205..=299 => self.judge(response).await,
            _ => Err(self.refused(response).await),
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

    fn clocks(&self) -> &Clocks {
        &self.call.clocks
    }

    /// A clock fired. One that the deadline had cut short is the deadline's.
    fn timeout(&self, phase: Phase, clock: Span) -> Failure {
        self.line.abort();
        let phase = if clock >= self.clocks().deadline { Phase::Deadline } else { phase };
        Failure { status: None, ..Failure::timeout(phase, clock) }
    }

    /// Reads the body of an error and classifies it.
    async fn refused(&mut self, response: Response) -> Failure {
        let left = self.line.left(self.clocks().attempt);
        let body = within(left, prefix(&response, ERROR_BODY_BYTES)).await.unwrap_or_default();
        self.line.abort();
        let headers = response.headers();
        classify::classify(&classify::Facts {
            status: response.status(),
            header: &|name| headers.get(name).ok().flatten(),
            body: &body,
            provider: &self.ready.provider.name,
            rules: &self.ready.provider.errors,
            now: glue::now(),
        })
    }

    /// A 2xx: holds the answer back until it has earned its commit.
    async fn judge(self, response: Response) -> Result<Served, Failure> {
        let kind = response.headers().get("content-type").ok().flatten().unwrap_or_default().to_ascii_lowercase();
        let textual = kind.contains("json") || kind.contains("html");
        let wire = self.ready.wire.unwrap_or(Wire::Opaque);
        if wire == Wire::Opaque && !textual && !kind.starts_with("text/") {
            return self.binary(response).await;
        }
        match self.job.stream && !textual {
            true => self.stream(response, wire).await,
            false if self.job.plan.stream.commit == Commit::Headers && !self.translates(wire) => self.unread(response),
            false => self.whole(response, wire).await,
        }
    }

    fn translates(&self, wire: Wire) -> bool {
        upstream::translates(&self.job.route, wire)
    }

    /// `commit: headers`: the answer is handed on at its 200.
    fn unread(self, response: Response) -> Result<Served, Failure> {
        match response.body() {
            Some(body) => self.served(&response, Body::Opaque(body)),
            None => self.served(&response, Body::Whole(JsValue::NULL)),
        }
    }

    /// Reads a JSON answer whole and checks it.
    async fn whole(self, response: Response, wire: Wire) -> Result<Served, Failure> {
        let clock = self.clocks().attempt;
        let buffer = match within(self.line.left(clock), read_whole(&response)).await {
            Some(Ok(buffer)) => buffer,
            Some(Err(failure)) => return Err(failure),
            None => return Err(self.timeout(Phase::Attempt, clock)),
        };
        self.line.done();
        let bytes = Uint8Array::new(&buffer).to_vec();
        let voice = self.translates(wire).then(|| self.voice());
        let checked = answer::check(&self.job.route, wire, &bytes, voice.as_ref(), self.job.stream)
            .map_err(|failure| classify::reclassify(failure, &self.ready.provider.errors))?;
        self.marks.usage = checked.usage;
        self.marks.content_chars = checked.content_chars;
        self.content.set(true);
        let kind = if self.job.stream { EVENT_STREAM } else { "application/json" };
        match checked.rewritten {
            Some(bytes) => {
                let body = Body::Whole(Uint8Array::from(bytes.as_slice()).into());
                Ok(self.served(&response, body)?.of_kind(kind))
            }
            None => self.served(&response, Body::Whole(buffer.into())),
        }
    }

    fn voice(&self) -> Voice {
        upstream::voice(self.job, self.hop, self.reply.clone())
    }

    /// Audio and the like: any byte is content.
    async fn binary(self, response: Response) -> Result<Served, Failure> {
        let Some(body) = response.body() else {
            return Err(Failure {
                status: Some(response.status()),
                ..Failure::new(Class::Malformed, "the answer has no body")
            });
        };
        let clock = self.clocks().attempt;
        let reader = Reader::open(&body);
        let first = match within(self.line.left(clock), reader.next()).await {
            Some(Ok(Some(chunk))) => chunk.to_vec(),
            Some(Ok(None)) => return Err(Failure::new(Class::Malformed, "the answer is empty")),
            Some(Err(error)) => return Err(Failure::new(Class::Interrupted, message_of(&error))),
            None => return Err(self.timeout(Phase::Attempt, clock)),
        };
        reader.release();
        self.content.set(true);
        let relay = Box::new(Relay::opaque());
        self.served(&response, Body::Stream { held: first, rest: Some(body), relay, mode: RelayMode::Pipe })
    }

    /// Holds a stream back until its commit point.
    async fn stream(mut self, response: Response, wire: Wire) -> Result<Served, Failure> {
        let Some(body) = response.body() else {
            return Err(Failure {
                status: Some(response.status()),
                ..Failure::new(Class::Malformed, "the answer has no body")
            });
        };
        let setup = self.setup(wire);
        let mode = setup.mode();
        let mut intake = Intake::new(setup);
        let reader = Reader::open(&body);
        let mut ended = false;
        while !intake.committed() {
            let held = match self.next_chunk(&reader).await? {
                Some(chunk) => intake.push(&chunk.to_vec()),
                None => {
                    ended = true;
                    intake.end()
                }
            };
            self.note(&intake);
            match held {
                Held::Hold => {}
                Held::Commit => break,
                Held::Failed(failure) => {
                    self.line.abort();
                    let failure = Failure { status: failure.status.or(Some(response.status())), ..failure };
                    return Err(classify::reclassify(failure, &self.ready.provider.errors));
                }
            }
        }
        let rest = (!ended).then(|| {
            reader.release();
            body
        });
        if ended {
            self.line.done();
        }
        let (held, relay) = intake.commit();
        let served = self.served(&response, Body::Stream { held, rest, relay: Box::new(relay), mode })?;
        Ok(if mode == RelayMode::Pipe { served } else { served.of_kind(EVENT_STREAM) })
    }

    fn setup(&self, wire: Wire) -> Setup {
        upstream::setup(self.job, self.hop, wire, self.reply.clone())
    }

    fn note(&mut self, intake: &Intake) {
        if intake.contents() > self.seen.0 {
            let elapsed = self.line.elapsed();
            self.seen = (intake.contents(), Some(elapsed));
            self.marks.ttft_ms.get_or_insert(elapsed.0);
            self.content.set(true);
        }
        self.marks.usage = intake.usage().or(self.marks.usage);
        self.marks.content_chars = intake.content_chars();
    }

    /// The next chunk, under whichever clock runs now: to the first content, then between contents, and over all.
    async fn next_chunk(&self, reader: &Reader) -> Result<Option<Uint8Array>, Failure> {
        let clocks = *self.clocks();
        let elapsed = self.line.elapsed();
        let (phase, ends) = match self.seen.1 {
            None => (Phase::FirstToken, clocks.first_token),
            Some(at) => (Phase::Idle, Span(at.0.saturating_add(clocks.idle.0))),
        };
        let (phase, clock) = match ends < clocks.attempt {
            true => (phase, ends),
            false => (Phase::Attempt, clocks.attempt),
        };
        match within(Span(clock.0.saturating_sub(elapsed.0)), reader.next()).await {
            Some(Ok(chunk)) => Ok(chunk),
            Some(Err(error)) => Err(Failure {
                status: None,
                ..Failure::new(Class::Interrupted, format!("the stream broke: {}", message_of(&error)))
            }),
            None => {
                let said = if phase == Phase::Idle { clocks.idle } else { clock };
                Err(self.timeout(phase, said))
            }
        }
    }

    fn served(self, response: &Response, body: Body) -> Result<Served, Failure> {
        let headers = glue::passed(&response.headers());
        let marks = Marks::default();
        Ok(Served { call: self.call.clone(), line: self.line, status: response.status(), headers, body, marks })
    }
}

/// The first bytes of a body, whatever becomes of the rest.
async fn prefix(response: &Response, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(body) = response.body() else { return bytes };
    let reader = Reader::open(&body);
    while let Ok(Some(chunk)) = reader.next().await {
        bytes.extend_from_slice(&chunk.to_vec());
        if bytes.len() >= most {
            bytes.truncate(most);
            break;
        }
    }
    bytes
}

/// A whole body, bounded. It stays on the JavaScript side: the client gets these very bytes.
async fn read_whole(response: &Response) -> Result<ArrayBuffer, Failure> {
    let stated = response.headers().get("content-length").ok().flatten().and_then(|text| text.parse::<usize>().ok());
    let broken =
        |error: JsValue| Failure::new(Class::Interrupted, format!("the answer broke off: {}", message_of(&error)));
    match stated {
        Some(length) if length <= ANSWER_BYTES => {
            let promise = response.array_buffer().map_err(broken)?;
            JsFuture::from(promise).await.map(JsCast::unchecked_into).map_err(broken)
        }
        Some(_) => Err(too_large()),
        None => read_chunks(response).await,
    }
}

async fn read_chunks(response: &Response) -> Result<ArrayBuffer, Failure> {
    let mut bytes = Vec::new();
    if let Some(body) = response.body() {
        let reader = Reader::open(&body);
        loop {
            match reader.next().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk.to_vec()),
                Ok(None) => break,
                Err(error) => {
                    return Err(Failure::new(
                        Class::Interrupted,
                        format!("the answer broke off: {}", message_of(&error)),
                    ));
                }
            }
            if bytes.len() > ANSWER_BYTES {
                return Err(too_large());
            }
        }
    }
    Ok(Uint8Array::from(bytes.as_slice()).buffer())
}

fn too_large() -> Failure {
    Failure::new(Class::Malformed, format!("the answer is longer than {ANSWER_BYTES} bytes"))
}
