//! Error bodies and error events, in each family's shape.
//!
//! ```text
//! chat, responses   {"error": {"message", "type", "param", "code"[, "request_id", "attempts"]}}
//! messages          {"type": "error", "error": {"type", "message"[, "code", "attempts"]}, "request_id"}
//! ```

use crate::domain::classify::ErrorBody;
use crate::domain::dialect::messages;
use crate::domain::outcome::{Class, Failure};
use crate::domain::redact::{redact, redact_json};
use crate::domain::route::Family;
use crate::domain::sse;
use serde_json::{Map, Value, json};

/// The content of an error of our own.
pub struct Said<'a> {
    /// OpenAI's `type`; Anthropic's goes by the status.
    pub kind: &'a str,
    pub message: &'a str,
    pub code: Option<&'a str>,
    pub param: Option<&'a str>,
    /// Every attempt and skip, when the chain ran out.
    pub attempts: Option<Value>,
}

/// An error of our own; beyond `/v1`, where requests have no id, `request_id` is empty and left out.
pub fn body(family: Family, status: u16, said: &Said<'_>, request_id: &str) -> Vec<u8> {
    let value = match family {
        Family::Chat | Family::Responses => {
            let mut error = openai(said);
            if !request_id.is_empty() {
                error.insert("request_id".to_owned(), Value::from(request_id));
            }
            if let Some(attempts) = &said.attempts {
                error.insert("attempts".to_owned(), attempts.clone());
            }
            json!({ "error": error })
        }
        Family::Messages => {
            let mut error = Map::new();
            error.insert("type".to_owned(), Value::from(anthropic_type_of(status, said.code)));
            error.insert("message".to_owned(), Value::from(said.message));
            error.insert("code".to_owned(), Value::from(said.code));
            if let Some(attempts) = &said.attempts {
                error.insert("attempts".to_owned(), attempts.clone());
            }
            json!({ "type": "error", "error": error, "request_id": request_id })
        }
    };
    value.to_string().into_bytes()
}

/// The error body of one upstream, in the client's dialect: as it is, where it has that shape already. `keys` are masked.
pub fn upstream(
    family: Family,
    status: u16,
    target: &str,
    failure: &Failure,
    request_id: &str,
    keys: &[&str],
) -> Vec<u8> {
    let bytes = failure.body.as_deref().unwrap_or_default();
    let value = serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    if speaks(family, &value) {
        return redact_json(&String::from_utf8_lossy(bytes), keys).into_bytes();
    }
    let parsed = ErrorBody::parse(bytes);
    let clean = |text: &str| redact(text, keys);
    let message = match parsed.message.as_str() {
        "" => format!("{target}: {}", clean(&failure.reason)),
        message => clean(message),
    };
    // A code in the words of another API tells OpenAI's clients nothing.
    let own = parsed.code.as_deref();
    let code = own.filter(|code| is_openai_word(code)).or(openai_code(failure.class)).or(own);
    let code = code.or(failure.code.as_deref()).unwrap_or(failure.class.name());
    let (kind, code) = (clean(parsed.kind.as_deref().unwrap_or("upstream_error")), clean(code));
    let param = parsed.param.as_deref().map(clean);
    let said = Said { kind: &kind, message: &message, code: Some(&code), param: param.as_deref(), attempts: None };
    body(family, status, &said, request_id)
}

/// Says in an error of Anthropic's what its API says of a message thread that it does not hold: the SDKs' tool runners, which send
/// only what is new, then send the whole conversation, and that any hop takes.
pub fn thread_not_found(body: Vec<u8>) -> Vec<u8> {
    let mut value = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    match value.get_mut("error").and_then(Value::as_object_mut) {
        Some(error) if error.get("details").is_none_or(Value::is_null) => {
            error.insert("details".to_owned(), json!({"error_code": "thread_not_found"}));
            value.to_string().into_bytes()
        }
        Some(_) | None => body,
    }
}

fn speaks(family: Family, value: &Value) -> bool {
    let Some(error) = value.get("error").and_then(Value::as_object) else { return false };
    let is_text = |name: &str| error.get(name).is_some_and(Value::is_string);
    let is_envelope = value.get("type").and_then(Value::as_str) == Some("error");
    // Google's own has a number as its `code`, and says what went wrong in `status`.
    let is_google = is_text("status") && !is_text("code");
    match family {
        Family::Chat | Family::Responses => is_text("message") && !is_envelope && !is_google,
        Family::Messages => is_text("message") && is_envelope,
    }
}

fn openai(said: &Said<'_>) -> Map<String, Value> {
    let mut error = Map::new();
    error.insert("message".to_owned(), Value::from(said.message));
    error.insert("type".to_owned(), Value::from(said.kind));
    error.insert("param".to_owned(), Value::from(said.param));
    error.insert("code".to_owned(), Value::from(said.code));
    error
}

/// OpenAI's `type` for an error of ours with that status.
pub const fn openai_type(status: u16) -> &'static str {
    match status {
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// Whether a code is written as OpenAI's are.
fn is_openai_word(code: &str) -> bool {
    code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// OpenAI's `code` for what other providers say without one: clients act on these (they shorten a conversation, slow down).
const fn openai_code(class: Class) -> Option<&'static str> {
    match class {
        Class::ContextLength => Some("context_length_exceeded"),
        Class::RateLimited => Some("rate_limit_exceeded"),
        Class::QuotaExhausted => Some("insufficient_quota"),
        Class::Auth => Some("invalid_api_key"),
        Class::NotFound => Some("model_not_found"),
        Class::ContentPolicy => Some("content_policy_violation"),
        Class::Overloaded
        | Class::ServerError
        | Class::Timeout
        | Class::Unreachable
        | Class::Malformed
        | Class::Interrupted
        | Class::Forbidden
        | Class::Unsupported
        | Class::InvalidRequest
        | Class::Cancelled => None,
    }
}

/// The same of an error of ours: nothing is overloaded where a secret is not set, and later is no better.
fn anthropic_type_of(status: u16, code: Option<&str>) -> &'static str {
    if code == Some("provider_key_missing") { "api_error" } else { anthropic_type(status) }
}

/// Anthropic's `type` for a status.
pub const fn anthropic_type(status: u16) -> &'static str {
    match status {
        408 | 504 | 524 => "timeout_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        // Bedrock's: the model behind it failed, and not the request.
        424 => "api_error",
        400..=499 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}

/// Appends the error event that ends a broken stream in the client's dialect. `code` is `stream_interrupted`,
/// `stream_timeout` or `stream_error`; `sequence` is the next `sequence_number` of a Responses stream.
pub fn stream_error(family: Family, class: Class, code: &'static str, message: &str, sequence: u64, out: &mut Vec<u8>) {
    let error = json!({"message": message, "type": "upstream_error", "code": code, "param": null});
    match family {
        Family::Chat => sse::write_json(out, "", &json!({ "error": error })),
        Family::Responses => {
            let event = json!({
                "type": "error", "code": code, "message": message, "param": null, "sequence_number": sequence, "error": error,
            });
            sse::write_json(out, "error", &event);
        }
        Family::Messages => messages::encode::error(messages::encode::error_type(class), message, code, out),
    }
}
