//! Errors inside a 200, and answers that are none of their wire.

use crate::domain::classify::classify_error_value;
use crate::domain::dialect::decoder::Malformed;
use crate::domain::outcome::Failure;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// An `error` beside an answer, unless it is what some hosts write where there was none: null, false, 0, or something empty.
///
/// # Errors
/// Those of the format.
pub fn that_says<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    let error = Option::<&RawValue>::deserialize(from)?;
    Ok(error.filter(|error| !matches!(error.get(), "null" | "false" | "0" | "\"\"" | "{}" | "[]")))
}

/// What stands beside an answer, as its token counts do: where it is not as it should be, the answer is one all the same.
///
/// # Errors
/// Those of the format.
pub fn beside<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    Ok(serde_json::from_slice(raw.get().as_bytes()).unwrap_or_default())
}

/// The failure that an `error` value inside a 200 tells of.
pub fn failure(error: &str) -> Failure {
    let value = serde_json::from_slice::<Value>(error.as_bytes()).unwrap_or_else(|_| Value::from(error));
    classify_error_value(&value, Some(200))
}

#[derive(Default, Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, deserialize_with = "that_says")]
    error: Option<&'a RawValue>,
}

/// The failure in the `error` of an object, or of the object that a list begins with, as Google has it.
pub fn found(data: &str) -> Option<Failure> {
    let data = data.trim_ascii_start();
    // Before anything is read: a reader of fields would take a list's first entry for its first field.
    let head = data.starts_with('{').then(|| serde_json::from_slice::<Head<'_>>(data.as_bytes()));
    match head {
        Some(head) => head.ok()?.error.map(|error| failure(error.get())),
        None => found_in_list(data),
    }
}

/// The same, of a list alone.
pub fn found_in_list(data: &str) -> Option<Failure> {
    let data = data.trim_ascii_start();
    let list = data.starts_with('[').then(|| serde_json::from_slice::<Vec<&RawValue>>(data.as_bytes()))?.ok()?;
    list.first().map(|first| first.get()).filter(|first| first.starts_with('{')).and_then(found)
}

/// The failure that an event named `error` tells of: in its `error`, or in all of its data.
pub fn told(data: &str) -> Failure {
    let head = serde_json::from_slice::<Head<'_>>(data.as_bytes()).unwrap_or_default();
    failure(head.error.map_or(data, RawValue::get))
}

#[derive(Default, Deserialize)]
struct Bare {
    #[serde(default)]
    object: Value,
    #[serde(default)]
    message: Value,
}

/// The failure that an object is and does not hold, as servers of vLLM's line had it: `{"object": "error", "message", ...}`.
pub fn bare(data: &str) -> Option<Failure> {
    let bare = serde_json::from_slice::<Bare>(data.as_bytes()).ok()?;
    (bare.object == "error" && bare.message.is_string()).then(|| failure(data))
}

/// What a record was that no reader could read. Of serde's message only the place is kept: the rest may quote the answer.
pub fn unreadable(what: &str, error: &serde_json::Error) -> Malformed {
    Malformed(format!("{what} is not readable at line {} column {}", error.line(), error.column()))
}
