//! One connection to an upstream, under one clock at a time. The clock and the client's leaving abort it by themselves: what
//! waits for the upstream then fails, and [`Line::ended_by`] says why. Dropping it before [`Line::done`] aborts it too, so
//! that a hop that is given up or a loser of a hedge never keeps an upstream at work.

use super::body::{Reader, Writer, message_of};
use super::glue;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::time::{Instant, Span};
use futures::future::{Either, select};
use js_sys::{Promise, Uint8Array};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader, Response, WritableStreamDefaultWriter};

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    #[wasm_bindgen(js_name = Line)]
    type Wire;
    #[wasm_bindgen(constructor, js_class = "Line")]
    fn new(client: Option<&AbortSignal>) -> Wire;
    #[wasm_bindgen(method, getter)]
    fn signal(this: &Wire) -> AbortSignal;
    #[wasm_bindgen(method, getter)]
    fn expired(this: &Wire) -> bool;
    #[wasm_bindgen(method)]
    fn abort(this: &Wire);
    #[wasm_bindgen(method, setter, js_name = committed)]
    fn set_committed(this: &Wire, committed: bool);
    #[wasm_bindgen(method)]
    fn limit(this: &Wire, ms: f64);
    #[wasm_bindgen(method)]
    fn read(this: &Wire, reader: &ReadableStreamDefaultReader, ms: f64) -> Promise;
    #[wasm_bindgen(method)]
    fn relay(
        this: &Wire,
        reader: &ReadableStreamDefaultReader,
        writer: &WritableStreamDefaultWriter,
        step: Option<&Step>,
    ) -> Promise;
    #[wasm_bindgen(method, setter)]
    fn set_idle(this: &Wire, ms: f64);
    #[wasm_bindgen(method, setter)]
    fn set_fresh(this: &Wire, fresh: bool);
    #[wasm_bindgen(method, setter)]
    fn set_over(this: &Wire, over: bool);
    #[wasm_bindgen(method, getter)]
    fn wrote(this: &Wire) -> f64;
    #[wasm_bindgen(method)]
    fn send(this: &Wire, url: &str, lines: &str, body: Uint8Array, reading: u8, later: f64) -> Promise;
    #[wasm_bindgen(method)]
    fn answer(this: &Wire, response: &Response, reading: u8, later: f64) -> Promise;

    /// An upstream's answer: its head, and what was read of its body.
    pub type Answer;
    #[wasm_bindgen(method, getter)]
    pub fn response(this: &Answer) -> Response;
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Answer) -> u16;
    /// The content type in lower case, or empty.
    #[wasm_bindgen(method, getter)]
    pub fn kind(this: &Answer) -> String;
    #[wasm_bindgen(method, getter)]
    fn at(this: &Answer) -> f64;
    /// The body, where it was read. It stays on the JavaScript side: a client of the same family gets these very bytes.
    #[wasm_bindgen(method, getter)]
    pub fn bytes(this: &Answer) -> Option<Uint8Array>;
    /// The body is longer than an answer may be.
    #[wasm_bindgen(method, getter)]
    pub fn over(this: &Answer) -> bool;
    /// What the body broke off with.
    #[wasm_bindgen(method, getter)]
    pub fn broke(this: &Answer) -> Option<js_sys::Object>;
}

impl Answer {
    /// When its headers came.
    pub fn headers_at(&self) -> Instant {
        Instant(self.at() as u64)
    }

    /// Its body was read to its end.
    pub fn is_whole(&self) -> bool {
        self.bytes().is_some() && !self.over() && self.broke().is_none()
    }
}

/// Which answers are read whole before they are looked at; of errors the beginning always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// None: they go on as they come.
    Nothing,
    /// JSON and HTML.
    Documents,
    /// Any text but events.
    Text,
    Everything,
}

/// A request ready to be sent: everything but the clocks.
pub struct Outbound {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A call in flight, from the moment it was sent.
pub struct Line {
    wire: Wire,
    client: Option<AbortSignal>,
    sent_at: Instant,
    live: Cell<bool>,
    /// The clock that runs, and its span as it is said when it fires.
    clock: Cell<(Phase, Span)>,
}

/// What a relay does with each chunk: answers what goes to the client in its place, `None` where that is the chunk itself.
pub type Step<'a> = ScopedClosure<'a, dyn Fn(Vec<u8>) -> Option<Vec<u8>>>;

/// A step of [`Line::relay`].
pub fn step<'a>(of: &'a (impl Fn(Vec<u8>) -> Option<Vec<u8>> + 'a)) -> Step<'a> {
    ScopedClosure::<dyn Fn(Vec<u8>) -> Option<Vec<u8>> + 'a>::borrow(of)
}

/// Why a line ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    Clock(Phase, Span),
    /// The client left.
    Client,
}

impl Line {
    /// A line on which nothing was sent yet. `client` aborts when the client leaves, where the platform says so.
    pub fn open(client: Option<&AbortSignal>) -> Line {
        let clock = Cell::new((Phase::Attempt, Span::ZERO));
        Line { wire: Wire::new(client), client: client.cloned(), sent_at: glue::now(), live: Cell::new(true), clock }
    }

    /// Sends the request; resolves with the answer's head. `then` is the clock of an answer that is read whole, from the moment
    /// that its head has come.
    ///
    /// # Errors
    /// [`Class::Unreachable`]: no connection, or none that brought headers.
    pub async fn send(&self, outbound: &Outbound, reading: Reading, then: (Phase, Span)) -> Result<Answer, Failure> {
        let lines = glue::to_lines(&outbound.headers);
        let body = Uint8Array::from(outbound.body.as_slice());
        self.hear(self.wire.send(&outbound.url, &lines, body, reading as u8, ms_of(then.1)), then).await
    }

    /// Takes a response that was made here for an upstream's.
    ///
    /// # Errors
    /// None that such a response can bring.
    pub async fn receive(&self, response: &Response, reading: Reading, then: (Phase, Span)) -> Result<Answer, Failure> {
        self.hear(self.wire.answer(response, reading as u8, ms_of(then.1)), then).await
    }

    async fn hear(&self, answer: Promise, then: (Phase, Span)) -> Result<Answer, Failure> {
        let answer = JsFuture::from(answer).await;
        let answer = answer.map_err(|error| Failure::new(Class::Unreachable, unheard(&message_of(&error))))?;
        self.clock.set(then);
        Ok(answer.unchecked_into())
    }

    /// Aborts when the call is given up.
    pub fn signal(&self) -> AbortSignal {
        self.wire.signal()
    }

    /// Starts a clock in place of the one that runs: it fires after `left`, and is said to have run `said`.
    pub fn limit(&self, phase: Phase, left: Span, said: Span) {
        self.clock.set((phase, said));
        self.wire.limit(ms_of(left));
    }

    /// Reads the next chunk of the answer under a clock as of [`Line::limit`]; `None` at the end.
    ///
    /// # Errors
    /// What the stream failed with.
    pub async fn read(
        &self,
        reader: &Reader,
        phase: Phase,
        left: Span,
        said: Span,
    ) -> Result<Option<Uint8Array>, JsValue> {
        self.clock.set((phase, said));
        let chunk = JsFuture::from(self.wire.read(reader.inner(), ms_of(left))).await?;
        Ok((!chunk.is_undefined()).then(|| chunk.unchecked_into()))
    }

    /// Hands chunk after chunk to the client, as `step` says, or all as they come; whether the client took them to the end. The idle
    /// clock, which ends the line, starts anew with each but those that brought nothing new ([`Line::heard_nothing`]), and rests
    /// while the client takes its time.
    ///
    /// # Errors
    /// What the upstream's stream failed with.
    pub async fn relay(
        &self,
        reader: &Reader,
        writer: &Writer,
        idle: Span,
        step: Option<&Step<'_>>,
    ) -> Result<bool, JsValue> {
        self.set_idle(idle);
        let done = JsFuture::from(self.wire.relay(reader.inner(), writer.inner(), step)).await?;
        Ok(done.is_truthy())
    }

    /// How long a relay waits for content from here on.
    pub fn set_idle(&self, idle: Span) {
        self.clock.set((Phase::Idle, idle));
        self.wire.set_idle(ms_of(idle));
    }

    /// The chunk of this step of a relay brought nothing new.
    pub fn heard_nothing(&self) {
        self.wire.set_fresh(false);
    }

    /// Nothing follows what this step of a relay answers.
    pub fn finish(&self) {
        self.wire.set_over(true);
    }

    /// When the client last took something of a [`Line::relay`].
    pub fn wrote_at(&self) -> Instant {
        Instant(self.wire.wrote() as u64)
    }

    /// Why what waited for the upstream failed, if the upstream is not to blame.
    pub fn ended_by(&self) -> Option<EndedBy> {
        if self.wire.expired() {
            let (phase, span) = self.clock.get();
            return Some(EndedBy::Clock(phase, span));
        }
        self.client.as_ref().is_some_and(AbortSignal::aborted).then_some(EndedBy::Client)
    }

    /// From here on the invocation lives until this line ends: the client's leaving is heard when the call has failed.
    pub fn commit(&self) {
        self.wire.set_committed(true);
    }

    /// How long ago the call was sent.
    pub fn elapsed(&self) -> Span {
        glue::now().since(self.sent_at)
    }

    /// What a clock that started with the call has left.
    pub fn left(&self, clock: Span) -> Span {
        Span(clock.0.saturating_sub(self.elapsed().0))
    }

    /// Ends the call now: the upstream sees its connection close.
    pub fn abort(&self) {
        if self.live.replace(false) {
            self.wire.abort();
        }
    }

    /// The call ended by itself; nothing is left to abort, and no clock runs.
    pub fn done(&self) {
        self.live.set(false);
        self.wire.limit(f64::INFINITY);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Why nothing came of a call. Of a host that no name server knows, and of a handshake that failed, the platform says no more than
/// that an error of its own has such a reference.
fn unheard(said: &str) -> String {
    match said.starts_with("internal error") {
        true => format!("no connection: the host's name or its TLS did not work out ({said})"),
        false => said.to_owned(),
    }
}

/// As timers take it: what is longer than any of them runs never ends.
fn ms_of(span: Span) -> f64 {
    if span.0 > i32::MAX as u64 { f64::INFINITY } else { span.0 as f64 }
}

/// The future's value, or `None` when the span passed first (the future is dropped).
pub async fn within<T>(span: Span, future: impl Future<Output = T>) -> Option<T> {
    if span == Span::ZERO {
        return None;
    }
    match select(pin!(future), pin!(glue::sleep(span))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(((), _)) => None,
    }
}
