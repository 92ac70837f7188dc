//! A whole completion as a stream that says the same, for a host that answers with JSON where a stream was asked for. What is
//! not known here goes along.
//!
//! ```text
//! data: {..., "choices": [{"index", "delta": the message, "finish_reason": null, ...}*]}
//! data: {..., "choices": [{"index", "delta": {}, "finish_reason"}*]}
//! data: {..., "choices": [], "usage"}        when include_usage
//! data: [DONE]
//! ```

use crate::domain::sse;
use serde_json::{Map, Value, json};

/// The stream of a completion; `None` for what is none.
pub fn stream(body: &[u8], include_usage: bool) -> Option<Vec<u8>> {
    let mut answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let Some(Value::Array(choices)) = answer.remove("choices") else { return None };
    let usage = answer.remove("usage").unwrap_or(Value::Null);
    answer.insert("object".to_owned(), json!("chat.completion.chunk"));
    let (mut said, mut finished) = (Vec::with_capacity(choices.len()), Vec::with_capacity(choices.len()));
    for (at, choice) in choices.into_iter().enumerate() {
        let Value::Object(mut choice) = choice else { return None };
        let index = choice.entry("index").or_insert_with(|| json!(at)).clone();
        let reason = choice.insert("finish_reason".to_owned(), Value::Null).filter(|reason| !reason.is_null());
        let message = choice.remove("message").unwrap_or_else(|| json!({}));
        choice.insert("delta".to_owned(), delta(message));
        said.push(Value::Object(choice));
        let reason = reason.unwrap_or_else(|| json!("stop"));
        finished.push(json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": reason}));
    }
    let mut out = Vec::new();
    let mut chunk = |choices: Vec<Value>, usage: Value| {
        let mut chunk = answer.clone();
        chunk.insert("choices".to_owned(), Value::Array(choices));
        if include_usage {
            chunk.insert("usage".to_owned(), usage);
        }
        sse::write_json(&mut out, "", &Value::Object(chunk));
    };
    chunk(said, Value::Null);
    chunk(finished, Value::Null);
    if include_usage {
        chunk(Vec::new(), usage);
    }
    sse::write(&mut out, "", "[DONE]");
    Some(out)
}

/// A message, its calls numbered as those of a stream are.
fn delta(mut message: Value) -> Value {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (at, call) in calls.into_iter().flatten().enumerate() {
        if let Value::Object(call) = call {
            call.insert("index".to_owned(), json!(at));
        }
    }
    message
}
