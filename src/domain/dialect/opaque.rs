//! Answers of routes that nobody translates: only their errors and their end are looked at.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dialect::Event;
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::inband;
use crate::domain::sse;

/// Reads one answer of unknown shape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl Decoder {
    /// A whole answer: content, unless it is an `error`.
    pub fn answer(self, body: &[u8], out: &mut Vec<Event>) {
        match std::str::from_utf8(body).ok().and_then(error) {
            Some(event) => out.push(event),
            None => out.extend([Event::Foreign, Event::End]),
        }
    }
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match record.data.trim_ascii() {
            "[DONE]" => out.push(Event::End),
            data => out.push(error(data).unwrap_or(Event::Foreign)),
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Event>) {}
}

/// The `error` of an object, or of the object that a list begins with, as Google has it. (A list is no object to its first
/// field, which is what a reader of fields would make of it.)
fn error(data: &str) -> Option<Event> {
    let data = data.trim_ascii_start();
    if data.starts_with('[') {
        let list = serde_json::from_slice::<Vec<&RawValue>>(data.as_bytes()).ok()?;
        return list.first().map(|first| first.get()).filter(|first| first.starts_with('{')).and_then(error);
    }
    let head = data.starts_with('{').then(|| serde_json::from_slice::<Head<'_>>(data.as_bytes()))?.ok()?;
    head.error.map(|error| Event::Error(inband::failure(error.get())))
}
