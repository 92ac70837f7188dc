//! Failures, in the shape of the wire that they are asked on.

use serde_json::json;

use super::{Act, Answer, Asked, End, Manner, Piece, Played, play};
use crate::domain::error::anthropic_type;
use crate::domain::outcome::{Class, Failure};
use crate::domain::route::Family;
use crate::domain::scripted::{Scripted, typical_status};
use crate::domain::time::Span;

/// What a failing call meets.
pub fn failing(scripted: &Scripted, asked: &Asked<'_>) -> Played {
    match scripted {
        Scripted::Status { status, retry_after } => {
            let said = format!("scripted: {status}");
            Played::Answer(Answer { retry_after: retry_after.clone(), ..answer(*status, "scripted", &said, asked) })
        }
        Scripted::Class(class) => of_class(*class, asked),
        Scripted::Ok | Scripted::Stall(_) | Scripted::Cut(_) => play(&Act::of_script(scripted), asked),
    }
}

fn of_class(class: Class, asked: &Asked<'_>) -> Played {
    let said = |code: &str| {
        let status = match (class, asked.wire.family()) {
            (Class::Overloaded, Some(Family::Chat | Family::Responses) | None) => 503,
            (_, _) => typical_status(class).unwrap_or(500),
        };
        Played::Answer(answer(status, code, &format!("sim fails on purpose: {}", class.name()), asked))
    };
    match class {
        Class::Timeout => Played::Silence,
        Class::Unreachable => Played::Fails(Failure::new(class, "sim cannot be reached, on purpose")),
        Class::Cancelled => Played::Fails(Failure::new(class, "sim gives up, on purpose")),
        Class::Malformed => Played::Answer(Answer {
            status: 200,
            content_type: "text/html",
            retry_after: None,
            pieces: vec![Piece { after: Span::ZERO, bytes: b"<html><body>no answer</body></html>".to_vec() }],
            end: End::Close,
        }),
        Class::Interrupted => {
            let cut = Manner { ends: Some((0, End::Close)), ..super::PLAIN };
            play(&Act::Speak(cut), asked)
        }
        Class::RateLimited => said("rate_limit_exceeded"),
        Class::QuotaExhausted => said("insufficient_quota"),
        Class::Overloaded => said("overloaded"),
        Class::ServerError => said("server_error"),
        Class::Auth => said("invalid_api_key"),
        Class::Forbidden => said("permission_denied"),
        Class::NotFound => said("model_not_found"),
        Class::ContextLength => said("context_length_exceeded"),
        Class::ContentPolicy => said("content_policy_violation"),
        Class::Unsupported => said("unsupported_parameter"),
        Class::InvalidRequest => said("invalid_value"),
    }
}

/// `sim` has no such model.
pub fn unknown(asked: &Asked<'_>) -> Answer {
    let said = "sim has echo, slow, cut, stall and every error class as models".to_owned();
    answer(404, "model_not_found", &said, asked)
}

fn answer(status: u16, code: &str, message: &str, asked: &Asked<'_>) -> Answer {
    let body = match asked.wire.family() {
        Some(Family::Messages) => json!({
            "type": "error",
            "error": {"type": anthropic_type(status), "message": message, "details": {"error_code": code}},
            "request_id": asked.request_id,
        }),
        Some(Family::Chat | Family::Responses) | None => {
            json!({"error": {"message": message, "type": "sim_error", "param": null, "code": code}})
        }
    };
    let pieces = match status {
        // The platform makes no response of these that has a body.
        204 | 304 => Vec::new(),
        _ => vec![Piece { after: Span::ZERO, bytes: body.to_string().into_bytes() }],
    };
    Answer { status, content_type: "application/json", retry_after: None, pieces, end: End::Close }
}
