//! Errors inside a 200, and answers that are none of their wire.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::classify::classify_error_value;
use crate::domain::dialect::decoder::Malformed;
use crate::domain::outcome::Failure;

/// The failure that an `error` value inside a 200 tells of.
pub fn failure(error: &str) -> Failure {
    let value = serde_json::from_slice::<Value>(error.as_bytes()).unwrap_or_else(|_| Value::from(error));
    classify_error_value(&value, Some(200))
}

/// The failure that an event named `error` tells of: in its `error`, or in all of its data.
pub fn told(data: &str) -> Failure {
    #[derive(Default, Deserialize)]
    struct Head<'a> {
        #[serde(borrow, default)]
        error: Option<&'a RawValue>,
    }
    let head = serde_json::from_slice::<Head<'_>>(data.as_bytes()).unwrap_or_default();
    failure(head.error.map_or(data, RawValue::get))
}

/// What a record was that no reader could read. Of serde's message only the place is kept: the rest may quote the answer.
pub fn unreadable(what: &str, error: &serde_json::Error) -> Malformed {
    Malformed(format!("{what} is not readable at line {} column {}", error.line(), error.column()))
}
