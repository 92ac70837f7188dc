//! What a relay needs of a record's data, beside what the dialects read.

use crate::domain::dialect::decoder::Malformed;
use crate::domain::dialect::{Event, inband};
use crate::domain::eventstream::Frame;
use crate::domain::redact::redact_json;
use crate::domain::route::Family;
use crate::domain::sse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The error of an exception frame, by its name and payload.
pub fn exception(frame: &Frame, name: &str, payload: &str) -> Value {
    let mut error: Value = serde_json::from_slice(payload.as_bytes()).unwrap_or_else(|_| Value::Object(Map::new()));
    if let Value::Object(fields) = &mut error {
        fields.insert("__type".to_owned(), Value::from(name));
        if let Some(message) = frame.text(":error-message") {
            fields.insert("message".to_owned(), Value::from(message));
        }
    }
    error
}

/// Whether the family's SDKs raise on a record that tells of a failure: OpenAI's on an `error`, Anthropic's on an event of that
/// name. In the events of Responses no failure is told in other words.
pub fn tells_failure(family: Family, record: &sse::Event<'_>) -> bool {
    match family {
        Family::Chat => inband::found_in_list(record.data).is_none() && inband::found(record.data).is_some(),
        Family::Messages => record.name == "error" || (record.raw.is_empty() && kind_of(record.data) == "error"),
        Family::Responses => true,
    }
}

/// Whether a record says no more than what an answer took, and on which tier.
pub fn only_counts(events: &[Event]) -> bool {
    let counts = |event: &Event| matches!(event, Event::Usage(_));
    events.iter().any(counts) && events.iter().all(|event| counts(event) || matches!(event, Event::Tier(_)))
}

/// Passes on a record that tells of a failure: as it is, unless it repeats one of those keys that its upstream was sent.
pub fn pass_masked(record: &sse::Event<'_>, keys: &[&str], out: &mut Vec<u8>) {
    match redact_json(record.data, keys) {
        clean if clean == record.data => out.extend_from_slice(record.raw),
        clean => sse::write(out, record.name, &clean.replace('\n', " ")),
    }
}

/// Keys as what masks them takes them.
pub fn keys(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

/// Whether a record ends a stream for its clients.
pub fn is_end(record: &sse::Event<'_>) -> bool {
    record.name == "message_stop" || record.data.trim_ascii() == "[DONE]"
}

/// The Anthropic event inside an InvokeModel chunk; `None` in a frame that holds none.
///
/// # Errors
/// What stands there is no base64 of text.
pub fn unwrapped(payload: &str) -> Result<Option<String>, Malformed> {
    #[derive(Deserialize)]
    struct Chunk {
        bytes: String,
    }
    let Ok(chunk) = serde_json::from_slice::<Chunk>(payload.as_bytes()) else { return Ok(None) };
    let event = STANDARD.decode(chunk.bytes).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    event.map(Some).ok_or_else(|| Malformed("what a frame holds is no base64 of text".to_owned()))
}

/// The `type` of an Anthropic event: the name of its server-sent event.
pub fn kind_of(data: &str) -> String {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type", default)]
        kind: String,
    }
    serde_json::from_slice::<Typed>(data.as_bytes()).map(|typed| typed.kind).unwrap_or_default()
}

/// The `sequence_number` of a Responses event, found without reading the rest of it. Text inside strings cannot fake it:
/// quotes are escaped there.
pub fn sequence_number(data: &str) -> Option<u64> {
    let name = "\"sequence_number\":";
    let at = memchr::memmem::find(data.as_bytes(), name.as_bytes())?;
    let rest = data[at + name.len()..].trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}
