//! The classifier: what an upstream said, turned into one class.
//!
//! Status, headers and body are read in this order, and the first that says something wins:
//!
//! ```text
//! the provider's own `errors` -> words (code, type) -> texts of the message -> vague words (inside a 200) -> status
//! ```
//! The tables are data, in `tables.rs`; the shapes of bodies are in `body.rs`; hints on how long to wait in `wait.rs`.

mod body;
mod tables;
mod wait;

use serde_json::Value;

pub use body::ErrorBody;
pub use wait::{by_header as wait_asked, duration, retry_after};

use crate::domain::outcome::{Class, Failure};
use crate::domain::time::Instant;

/// Bytes of an error body that are kept and searched.
pub const BODY_MAX: usize = 64 << 10;

/// One rule of a provider's own `errors`, read before the built-in tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRule {
    /// Holds for this status only.
    pub status: Option<u16>,
    /// Holds when the start of the body contains this text, letter case aside.
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
    let bytes = facts.body.get(..BODY_MAX).unwrap_or(facts.body);
    let mut body = ErrorBody::parse(bytes);
    if let Some(aws) = (facts.header)("x-amzn-errortype") {
        let name = body::name_of(&aws).to_owned();
        body.words.insert(0, tables::normal(&name));
        body.kind = body.kind.or(Some(name));
    }
    let ruled = facts.rules.iter().find(|rule| rule.holds(facts.status, bytes)).map(|rule| rule.class);
    let class = ruled.unwrap_or_else(|| class_of(&body, facts.status, facts.provider));
    let hinted = wait::by_header(facts.header, facts.now).or_else(|| wait::by_body(&body));
    let refilled = || wait::by_reset(facts.header, facts.now).filter(|_| class == Class::RateLimited);
    let retry_after = hinted.or_else(refilled).filter(|_| facts.status >= 400);
    let reason = if body.message.is_empty() { format!("status {}", facts.status) } else { body.message.clone() };
    Failure {
        status: Some(facts.status),
        retry_after,
        code: code_of(&body),
        body: (!bytes.is_empty()).then(|| bytes.to_vec()),
        ..Failure::new(class, reason)
    }
}

/// Classifies an error that came inside a 200: the whole object or what stands under its `error`. The failure keeps
/// `status` as it is given (200 for an in-band error).
pub fn classify_error_value(value: &Value, status: Option<u16>) -> Failure {
    let body = ErrorBody::from_value(value);
    let class = by_words(&body)
        .or_else(|| tables::by_text(&body.message, None))
        .or_else(|| body.original_status.filter(|status| *status >= 400).map(behind))
        .or_else(|| body.words.iter().find_map(|word| tables::by_vague_word(word)))
        .or_else(|| body.number.filter(|number| *number >= 400).map(tables::by_status))
        .unwrap_or(Class::ServerError);
    let reason =
        if body.message.is_empty() { "the upstream reported an error".to_owned() } else { body.message.clone() };
    Failure {
        status,
        retry_after: wait::by_body(&body),
        code: code_of(&body),
        body: Some(value.to_string().into_bytes()),
        ..Failure::new(class, reason)
    }
}

/// A provider's own rules on a failure that came inside a 200. `body` is the answer, or as much of it as was read.
pub fn reclassify(failure: Failure, rules: &[ErrorRule], body: &[u8]) -> Failure {
    let bytes = body.get(..BODY_MAX).unwrap_or(body);
    let malformed = failure.class == Class::Malformed;
    let said = match &failure.body {
        Some(error) => error.as_slice(),
        // What is no answer may be an error in a shape that nobody else knows.
        None if malformed => bytes,
        None => failure.reason.as_bytes(),
    };
    let Some(rule) = rules.iter().find(|rule| rule.holds(failure.status.unwrap_or(200), said)) else { return failure };
    let body = failure.body.or_else(|| malformed.then(|| bytes.to_vec()));
    Failure { class: rule.class, body, ..failure }
}

/// The failure that a good answer is by a provider's own rules: some say so in a 200. Those alone are asked that name both this
/// status and a text, as either by itself fits many a good answer.
pub fn disowned(status: u16, body: &[u8], rules: &[ErrorRule]) -> Option<Failure> {
    let bytes = body.get(..BODY_MAX).unwrap_or(body);
    let says = |rule: &ErrorRule| rule.contains.clone().filter(|_| rule.status.is_some() && rule.holds(status, bytes));
    let (class, text) = rules.iter().find_map(|rule| Some((rule.class, says(rule)?)))?;
    let reason = format!("the answer contains {text:?}, an error by the provider's own rules");
    Some(Failure { status: Some(status), ..Failure::new(class, reason) })
}

impl ErrorRule {
    /// Whether the rule speaks of this answer. One without conditions speaks of every one.
    pub fn holds(&self, status: u16, body: &[u8]) -> bool {
        self.status.is_none_or(|wanted| wanted == status)
            && self
                .contains
                .as_deref()
                .is_none_or(|text| String::from_utf8_lossy(body).to_lowercase().contains(&text.to_lowercase()))
    }
}

fn class_of(body: &ErrorBody, status: u16, provider: &str) -> Class {
    if status < 400 {
        return Class::Malformed;
    }
    if let Some(class) = by_words(body).or_else(|| tables::by_text(&body.message, Some(status))) {
        return class;
    }
    match status {
        // Anthropic's CDN answers without its error type.
        413 if provider == "anthropic" => Class::ContextLength,
        424 => failed_dependency(body),
        _ => tables::by_status(status),
    }
}

fn by_words(body: &ErrorBody) -> Option<Class> {
    body.words.iter().find_map(|word| match word.as_str() {
        "resourceexhausted" if tables::says_spent(&body.message) => Some(Class::QuotaExhausted),
        "resourceexhausted" | "ratelimitexceeded" if body.daily => Some(Class::QuotaExhausted),
        "resourceexhausted" => Some(Class::RateLimited),
        // Of a throttle and of a spent day, Bedrock speaks with one name.
        "throttling" if tables::by_text(&body.message, Some(429)) == Some(Class::QuotaExhausted) => {
            Some(Class::QuotaExhausted)
        }
        // Of a right that is lacking, of a spent limit and of an input that it refuses, xAI speaks with one name.
        "permissiondenied" => {
            let said = tables::by_text(&body.message, Some(403));
            let said = said.filter(|class| matches!(class, Class::QuotaExhausted | Class::ContentPolicy));
            said.or_else(|| tables::by_word(word))
        }
        // Of a model that is not there and of one that the account may not use yet, Bedrock speaks with one name.
        "resourcenotfound" if tables::by_text(&body.message, Some(403)) == Some(Class::Forbidden) => {
            Some(Class::Forbidden)
        }
        word => tables::by_word(word),
    })
}

/// Bedrock's 424: the model behind the service failed, with a status of its own.
fn failed_dependency(body: &ErrorBody) -> Class {
    let of_model = body.words.iter().any(|word| matches!(word.as_str(), "modelerror" | "modelstreamerror"));
    match body.original_status {
        Some(status) if status >= 400 => behind(status),
        Some(_) => Class::ServerError,
        None if of_model => Class::ServerError,
        None => Class::InvalidRequest,
    }
}

/// The class of the status that a model behind a service had: each of its own failures is one of the server's, as the
/// service itself is neither overloaded nor late.
const fn behind(status: u16) -> Class {
    if status >= 500 { Class::ServerError } else { tables::by_status(status) }
}

fn code_of(body: &ErrorBody) -> Option<String> {
    body.code.clone().or(body.kind.clone()).or(body.number.map(|number| number.to_string()))
}
