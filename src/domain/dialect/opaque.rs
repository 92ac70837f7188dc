//! Answers of routes that nobody translates: only their errors and their end are looked at.

use crate::domain::dialect::Event;
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::inband;
use crate::domain::sse;

/// Reads one answer of unknown shape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder;

impl Decoder {
    /// A whole answer: content, unless it is an `error`.
    pub fn answer(self, body: &[u8], out: &mut Vec<Event>) {
        match std::str::from_utf8(body).ok().and_then(inband::found) {
            Some(failure) => out.push(Event::Error(failure)),
            None => out.extend([Event::Foreign, Event::End]),
        }
    }
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match record.data.trim_ascii() {
            "[DONE]" => out.push(Event::End),
            data => out.push(inband::found(data).map_or(Event::Foreign, Event::Error)),
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Event>) {}
}
