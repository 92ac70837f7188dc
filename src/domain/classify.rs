//! The classifier: what an upstream said, turned into one class.

use serde_json::Value;

use crate::domain::outcome::{Class, Failure};
use crate::domain::time::Instant;

/// One rule of a provider's own `errors`, read before the built-in tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRule {
    /// Holds for this status only.
    pub status: Option<u16>,
    /// Holds when the body's first 64 KiB contain this text, letter case aside.
    pub contains: Option<String>,
    pub class: Class,
}

/// What is known of an answer that is no success.
pub struct Facts<'a> {
    pub status: u16,
    /// Looks up a response header by its lowercase name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The start of the body, as much as was read.
    pub body: &'a [u8],
    /// Provider name.
    pub provider: &'a str,
    /// The provider's own rules.
    pub rules: &'a [ErrorRule],
    /// For `Retry-After` dates.
    pub now: Instant,
}

/// Classifies an answer whose status is none of 200 to 299, or is 204.
pub fn classify(facts: &Facts<'_>) -> Failure {
    Failure { status: Some(facts.status), ..Failure::new(Class::ServerError, "") }
}

/// Classifies an error that came inside a 200: the whole object or what stands under its `error`. The failure keeps
/// `status` as it is given (200 for an in-band error).
pub fn classify_error_value(value: &Value, status: Option<u16>) -> Failure {
    Failure { status, ..Failure::new(Class::ServerError, value.to_string()) }
}
