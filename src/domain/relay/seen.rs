//! What a stream has shown so far.

use crate::domain::answer::{self, content_bytes};
use crate::domain::classify::{ErrorBody, classify_error_value};
use crate::domain::dialect::said::Said;
use crate::domain::dialect::{Event, Finish};
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;
use crate::domain::usage::Usage;

/// What a stream has shown so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Records that carried data.
    pub records: u64,
    /// Content events.
    pub contents: u64,
    /// What of them is an answer, and not the thinking before it.
    pub said: Said,
    /// Of their text.
    pub content_bytes: u64,
    pub usage: Option<Usage>,
    pub finish: Option<Finish>,
    /// The wire's own end.
    pub ended: bool,
    /// The failure that the upstream reported within the stream.
    pub error: Option<Failure>,
    /// It was passed on in words on which no client of the family raises.
    pub untold: bool,
    /// The first bad record after the commit.
    pub bad: Option<Failure>,
    /// What comes after the last `sequence_number` of a Responses stream.
    pub sequence: u64,
}

impl Seen {
    /// Takes note of an event.
    pub fn note(&mut self, event: &Event) {
        self.contents += u64::from(event.is_content());
        self.said.note(event);
        self.content_bytes += content_bytes(event);
        match event {
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::End => self.ended = true,
            Event::Error(failure) => {
                self.error.get_or_insert_with(|| failure.clone());
            }
            // Another choice goes on where the first has ended: the answer is not all there yet.
            Event::Foreign => self.finish = None,
            Event::Text(_)
            | Event::Refusal(_)
            | Event::Reasoning(_)
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::ToolEnd { .. }
            | Event::Start { .. }
            | Event::Ping
            | Event::Logprobs(_)
            | Event::Tier(_) => {}
        }
    }

    /// The answer is all there, even if the wire's own end is not.
    pub const fn is_whole(&self) -> bool {
        self.ended || self.finish.is_some()
    }

    /// Its end or its failure was told: nothing that matters follows.
    pub const fn is_over(&self) -> bool {
        self.ended || self.error.is_some()
    }

    /// An answer that says nothing, and should have.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty(self.finish.as_ref(), self.usage)
    }
}

/// What a body was that should have been a stream and held no event: a JSON error, a page, nothing, or part of one event.
/// `framed` is of a stream of frames.
pub fn not_a_stream(head: &[u8], framed: bool) -> Failure {
    let head = head.strip_prefix(sse::BOM).unwrap_or(head).trim_ascii();
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(head)
        && (value.get("error").is_some() || !ErrorBody::from_value(&value).message.is_empty())
    {
        return classify_error_value(&value, Some(200));
    }
    match head.first() {
        None => Failure::new(Class::Interrupted, "the stream ended before its first event"),
        Some(b'<') => answer::page(),
        Some(b':') => Failure::new(Class::Interrupted, "the stream held comments alone"),
        Some(_) if framed || begins_an_event(head) => {
            Failure::new(Class::Interrupted, "the stream ended within its first event")
        }
        Some(_) => Failure::new(Class::Malformed, "the answer holds no event"),
    }
}

/// Whether the last line so far is a field of an event, or the beginning of one.
fn begins_an_event(head: &[u8]) -> bool {
    let line = head.rsplit(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or(head);
    let begins = [sse::BOM, b"data:", b"event:", b"id:", b"retry:"];
    begins.iter().any(|field| line.starts_with(field) || field.starts_with(line))
}
