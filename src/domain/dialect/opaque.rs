//! Answers of routes that nobody translates: only their errors, their tokens and their end are looked at.

use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::{Event, chat, inband, responses};
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;
use crate::domain::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads one answer of unknown shape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder;

impl Decoder {
    /// A whole answer: content, unless it is an `error`. That is a bad answer whatever it says: what words mean is known of the
    /// routes that are read.
    pub fn answer(self, body: &[u8], out: &mut Vec<Event>) {
        let text = std::str::from_utf8(body).unwrap_or_default();
        match inband::found(text) {
            Some(failure) => out.push(Event::Error(Failure { class: Class::Malformed, ..failure })),
            None => {
                out.push(Event::Foreign);
                out.extend(usage(text).map(Event::Usage));
                out.push(Event::End);
            }
        }
    }
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match record.data.trim_ascii() {
            "[DONE]" => out.push(Event::End),
            data => {
                out.push(inband::found(data).map_or(Event::Foreign, Event::Error));
                out.extend(usage(data).map(Event::Usage));
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Event>) {}
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// What an answer says of its tokens: embeddings in the words of chat, images and transcriptions in those of Responses.
fn usage(data: &str) -> Option<Usage> {
    // Vectors and pictures are long: most are not read a second time for it.
    memchr::memmem::find(data.as_bytes(), b"\"usage\"")?;
    let told = serde_json::from_slice::<Told<'_>>(object(data)?).ok()?;
    let told = object(told.usage?.get())?;
    let of_chat = serde_json::from_slice::<chat::wire::UsageIn>(told).ok();
    if let Some(usage) = of_chat.filter(|usage| usage.prompt_tokens.is_some()) {
        return Some(usage.usage());
    }
    let of_responses = serde_json::from_slice::<responses::wire::UsageIn>(told).ok();
    of_responses.filter(|usage| usage.input_tokens.is_some()).map(|usage| usage.usage())
}

/// The bytes of an object: a reader of fields would take a list's first entry for its first field.
fn object(json: &str) -> Option<&[u8]> {
    Some(json.trim_ascii_start()).filter(|json| json.starts_with('{')).map(str::as_bytes)
}
