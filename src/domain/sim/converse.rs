//! Answers on Bedrock's Converse wire: what a drilled call of such a target meets. No client speaks it, so no encoder writes it.

use crate::domain::dialect::Event;
use crate::domain::eventstream::{self, Frame};
use crate::domain::usage::Usage;
use serde_json::{Value, json};

/// A whole JSON answer.
pub fn answer(text: &str, usage: Usage) -> Vec<u8> {
    let message = json!({"role": "assistant", "content": [{"text": text}]});
    let answer = json!({"output": {"message": message}, "stopReason": "end_turn", "usage": counts(usage)});
    answer.to_string().into_bytes()
}

/// The frames of one event. A block of text has no frame to begin it.
pub fn frames(event: &Event) -> Vec<u8> {
    match event {
        Event::Start { .. } => frame("messageStart", &json!({"role": "assistant"})),
        Event::Text(text) => frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}})),
        Event::Finish(_) => {
            let stop = frame("contentBlockStop", &json!({"contentBlockIndex": 0}));
            [stop, frame("messageStop", &json!({"stopReason": "end_turn"}))].concat()
        }
        Event::Usage(usage) => frame("metadata", &json!({"usage": counts(*usage)})),
        Event::Ping
        | Event::Refusal(_)
        | Event::Reasoning(_)
        | Event::ToolStart { .. }
        | Event::ToolArguments { .. }
        | Event::ToolEnd { .. }
        | Event::Logprobs(_)
        | Event::Tier(_)
        | Event::Foreign
        | Event::End
        | Event::Error(_) => Vec::new(),
    }
}

fn counts(usage: Usage) -> Value {
    let total = usage.input.saturating_add(usage.output);
    json!({"inputTokens": usage.input, "outputTokens": usage.output, "totalTokens": total})
}

/// One event in its frame, as Bedrock sends it.
pub fn frame(kind: &str, payload: &Value) -> Vec<u8> {
    let text = |name: &str, value: &str| (name.to_owned(), eventstream::Value::Text(value.to_owned()));
    let headers =
        vec![text(":event-type", kind), text(":content-type", "application/json"), text(":message-type", "event")];
    eventstream::encode(&Frame { headers, payload: payload.to_string().into_bytes() })
}
