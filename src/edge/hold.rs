//! An attempt's good answer, held back until it has earned its commit: read whole and checked, or by its first chunks.

use super::attempt::{Attempt, Body, Served};
use super::body::{Reader, message_of};
use super::line::Answer;
use super::upstream;
use crate::domain::answer;
use crate::domain::catalogue::Feature;
use crate::domain::classify;
use crate::domain::dialect::Wire;
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::said::Expected;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::policy::RelayMode;
use crate::domain::relay::{Held, Intake, Relay, Setup, Whole};
use crate::domain::request;
use crate::domain::time::Span;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::ReadableStream;

/// The content type of a stream that is written here.
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

impl Attempt<'_> {
    /// An answer that is handed on at its 200. Nobody reads it before the client does, but how it ends is seen, and what it said.
    pub(super) fn unread(self, answer: &Answer, wire: Wire, binary: bool) -> Result<Served, Failure> {
        let relay = match binary {
            true => Relay::opaque(),
            false => Relay::whole(Whole::new(self.job.route.clone(), wire, self.expected())),
        };
        let body = match answer.response().body() {
            Some(body) => unseen(Vec::new(), self.open(body)?, relay),
            None => Body::Whole(JsValue::NULL),
        };
        Ok(self.served(answer, body, None))
    }

    /// Checks an answer that was read whole.
    pub(super) fn whole(self, answer: &Answer, wire: Wire) -> Result<Served, Failure> {
        if let Some(error) = answer.broke() {
            let what = format!("the answer broke off: {}", message_of(&error));
            return Err(
                self.blamed(Failure { status: Some(answer.status()), ..Failure::new(Class::Interrupted, what) })
            );
        }
        if answer.over() {
            let what = "the answer is longer than an answer may be (48 MiB)";
            return Err(Failure { status: Some(answer.status()), ..Failure::new(Class::Malformed, what) });
        }
        self.line.done();
        let buffer = answer.bytes().unwrap_or_default();
        // A stream that is made of a JSON answer is written here too.
        let voice = (self.translates(wire) || self.job.stream).then(|| self.voice());
        let (bytes, rules) = (buffer.to_vec(), &self.ready.provider.errors);
        let (route, stream) = (&self.job.route, self.job.stream);
        let checked = answer::check_expecting(self.expected(), route, wire, &bytes, voice.as_ref(), stream);
        let checked = match checked {
            Ok(checked) => checked,
            Err(failure) => {
                self.marks.usage = answer::spent(route, wire, &bytes);
                return Err(classify::reclassify(failure, rules, &bytes));
            }
        };
        self.marks.usage = checked.usage;
        self.marks.content_bytes = checked.content_bytes;
        if let Some(failure) = classify::disowned(answer.status(), &bytes, rules) {
            return Err(failure);
        }
        self.content.set(true);
        Ok(match checked.rewritten {
            Some(bytes) => {
                let kind = if self.job.stream { EVENT_STREAM } else { "application/json" };
                self.served(answer, Body::Whole(Uint8Array::from(bytes.as_slice()).into()), Some(kind))
            }
            None => self.served(answer, Body::Whole(buffer.into()), None),
        })
    }

    fn voice(&self) -> Voice {
        upstream::voice(self.job, self.hop, self.reply.clone())
    }

    /// Audio and the like: any byte is content.
    pub(super) async fn binary(self, answer: &Answer) -> Result<Served, Failure> {
        let Some(body) = answer.response().body() else { return Err(no_body(answer)) };
        let clock = self.clocks().attempt;
        let reader = self.open(body)?;
        let broken = |class, what: String| Failure { status: Some(answer.status()), ..Failure::new(class, what) };
        let first = match self.line.read(&reader, Phase::Attempt, self.line.left(clock), clock).await {
            Ok(Some(chunk)) => chunk.to_vec(),
            Ok(None) => return Err(broken(Class::Malformed, "the answer is empty".to_owned())),
            Err(error) => return Err(self.blamed(broken(Class::Interrupted, message_of(&error)))),
        };
        self.content.set(true);
        Ok(self.served(answer, unseen(first, reader, Relay::opaque()), None))
    }

    /// Holds a stream back until its commit point.
    pub(super) async fn stream(mut self, answer: &Answer, wire: Wire) -> Result<Served, Failure> {
        let Some(body) = answer.response().body() else { return Err(no_body(answer)) };
        let setup = self.setup(wire);
        let (mode, rules) = (setup.mode(), &self.ready.provider.errors);
        let mut intake = Intake::new(setup);
        let reader = self.open(body)?;
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
            let failure = match held {
                Held::Hold => continue,
                Held::Commit => match classify::disowned(answer.status(), intake.head(), rules) {
                    Some(failure) => failure,
                    None => break,
                },
                Held::Failed(failure) => {
                    let failure = Failure { status: failure.status.or(Some(answer.status())), ..failure };
                    classify::reclassify(failure, rules, intake.head())
                }
            };
            self.line.abort();
            return Err(failure);
        }
        let rest = (!ended).then_some(reader);
        if ended {
            self.line.done();
        }
        let (held, relay) = intake.commit();
        let kind = (mode != RelayMode::Pipe).then_some(EVENT_STREAM);
        Ok(self.served(answer, Body::Stream { held, rest, relay: Box::new(relay), mode }, kind))
    }

    fn open(&self, body: ReadableStream) -> Result<Reader, Failure> {
        Reader::open(body).map_err(|error| self.blamed(Failure::new(Class::Interrupted, message_of(&error))))
    }

    fn setup(&self, wire: Wire) -> Setup {
        upstream::setup(self.job, self.hop, wire, self.reply.clone(), self.expected())
    }

    /// What is known of the answer before it comes.
    fn expected(&self) -> Expected {
        let said = |field: &str| match &self.job.body {
            request::Body::Json(envelope) => envelope.value_under(&self.job.bytes, &self.hop.params, field),
            request::Body::Form(_) => None,
        };
        // A whole answer counts its tokens by itself.
        Expected::of(said, self.job.stream && self.ready.facts.supports(Feature::Reasoning) != Some(false))
    }

    fn note(&mut self, intake: &Intake) {
        if intake.contents() > self.seen.0 {
            let elapsed = self.line.elapsed();
            self.seen = (intake.contents(), Some(elapsed));
            self.marks.ttft_ms.get_or_insert(elapsed.0);
            self.content.set(true);
        }
        self.marks.usage = intake.usage().or(self.marks.usage);
        self.marks.content_bytes = intake.content_bytes();
    }

    /// The next chunk, under whichever clock runs now: to the first content, then between contents, and over all.
    async fn next_chunk(&self, reader: &Reader) -> Result<Option<Uint8Array>, Failure> {
        let clocks = *self.clocks();
        let (phase, ends, said) = match self.seen.1 {
            // Speech may come as events although no field `stream` asks for them.
            _ if !self.job.stream => (Phase::Attempt, clocks.attempt, clocks.attempt),
            None => (Phase::FirstToken, clocks.first_token, clocks.first_token),
            Some(at) => (Phase::Idle, Span(at.0.saturating_add(clocks.idle.0)), clocks.idle),
        };
        let (phase, ends, said) = match ends < clocks.attempt {
            true => (phase, ends, said),
            false => (Phase::Attempt, clocks.attempt, clocks.attempt),
        };
        self.line.read(reader, phase, self.line.left(ends), said).await.map_err(|error| {
            let what = format!("the stream broke: {}", message_of(&error));
            let status = self.marks.headers.map(|(_, status)| status);
            self.blamed(Failure { status, ..Failure::new(Class::Interrupted, what) })
        })
    }
}

/// A body that nobody reads before the client does: `relay` says what of it is kept.
fn unseen(held: Vec<u8>, rest: Reader, relay: Relay) -> Body {
    Body::Stream { held, rest: Some(rest), relay: Box::new(relay), mode: RelayMode::Pipe }
}

fn no_body(answer: &Answer) -> Failure {
    Failure { status: Some(answer.status()), ..Failure::new(Class::Malformed, "the answer has no body") }
}
