//! Errors inside a 200: what an `error` object in a stream or answer says, as a [`Failure`].
//!
//! ```text
//! {"type", "code", "message", "status"} | "text" | {"error": {...}} (nested once more)
//! ```
//! `code` may be a word or an HTTP status. The class goes by the words of code, type and status first, by a number second.

use serde_json::Value;

use crate::domain::outcome::{Class, Failure};

/// Words in code, type or status, and the class they stand for: the first that is found counts.
const WORDS: &[(&str, Class)] = &[
    ("insufficient_quota", Class::QuotaExhausted),
    ("credit_balance", Class::QuotaExhausted),
    ("spend_limit", Class::QuotaExhausted),
    ("usage_limit", Class::QuotaExhausted),
    ("billing", Class::QuotaExhausted),
    ("context_length", Class::ContextLength),
    ("content_filter", Class::ContentPolicy),
    ("content_policy", Class::ContentPolicy),
    ("invalid_prompt", Class::ContentPolicy),
    ("overloaded", Class::Overloaded),
    ("slow_down", Class::Overloaded),
    ("unavailable", Class::Overloaded),
    ("rate_limit", Class::RateLimited),
    ("throttling", Class::RateLimited),
    ("resource_exhausted", Class::RateLimited),
    ("timeout", Class::Timeout),
    ("authentication", Class::Auth),
    ("api_key", Class::Auth),
    ("permission", Class::Forbidden),
    ("not_found", Class::NotFound),
    ("unsupported", Class::Unsupported),
    ("server_error", Class::ServerError),
    ("api_error", Class::ServerError),
    ("internal", Class::ServerError),
    ("invalid_request", Class::InvalidRequest),
    ("invalid_argument", Class::InvalidRequest),
    ("request_too_large", Class::ContextLength),
];

/// Texts of messages that name a context window.
const TOO_LONG: &[&str] = &["prompt is too long", "maximum context length", "context window", "exceed context limit"];

/// The failure that an `error` value tells of.
pub fn failure(error: &str) -> Failure {
    let value = serde_json::from_str::<Value>(error).unwrap_or(Value::Null);
    let value = value.get("error").filter(|inner| inner.is_object()).unwrap_or(&value);
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = text("message").or(value.as_str()).unwrap_or("the upstream reported an error");
    let number = value.get("code").or(value.get("status")).and_then(Value::as_u64);
    let words = [text("code"), text("type"), text("status")];
    let code = words.iter().flatten().next().map(|word| (*word).to_owned());
    Failure {
        code: code.or(number.map(|number| number.to_string())),
        ..Failure::new(class(&words, number, message), message)
    }
}

fn class(words: &[Option<&str>], number: Option<u64>, message: &str) -> Class {
    let message = message.to_ascii_lowercase();
    if TOO_LONG.iter().any(|text| message.contains(text)) {
        return Class::ContextLength;
    }
    let words: Vec<String> = words.iter().flatten().map(|word| word.to_ascii_lowercase()).collect();
    let named = WORDS.iter().find(|(known, _)| words.iter().any(|word| word.contains(known)));
    match (named, number) {
        (Some((_, class)), _) => *class,
        (None, Some(number)) => by_number(number),
        (None, None) => Class::ServerError,
    }
}

const fn by_number(number: u64) -> Class {
    match number {
        401 => Class::Auth,
        402 => Class::QuotaExhausted,
        403 => Class::Forbidden,
        404 => Class::NotFound,
        408 | 504 | 524 => Class::Timeout,
        429 => Class::RateLimited,
        503 | 529 => Class::Overloaded,
        400..=499 => Class::InvalidRequest,
        _ => Class::ServerError,
    }
}
