//! A whole message as a stream that says the same, for a host that answers with JSON where a stream was asked for. What is not
//! known here goes along: a block of another kind is whole as it begins.
//!
//! ```text
//! message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//! ```

use crate::domain::dialect::json_text::compact;
use crate::domain::dialect::messages::encode::send;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// What stands in `message_delta`, and not at the start.
const AT_THE_END: [&str; 4] = ["stop_reason", "stop_sequence", "stop_details", "container"];

/// The stream of a message; `None` for what is none.
pub fn stream(body: &[u8]) -> Option<Vec<u8>> {
    let mut message: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let inputs = serde_json::from_slice::<Inputs>(body).ok()?.content;
    let Some(Value::Array(blocks)) = message.insert("content".to_owned(), json!([])) else { return None };
    let mut end = Map::new();
    for name in AT_THE_END {
        if let Some(value) = message.get_mut(name) {
            end.insert(name.to_owned(), std::mem::take(value));
        }
    }
    let usage = message.get("usage").cloned().unwrap_or_else(|| json!({}));
    if let Some(tokens) = message.get_mut("usage").and_then(|usage| usage.get_mut("output_tokens")) {
        *tokens = json!(0);
    }
    let mut out = Vec::new();
    send("message_start", &json!({"type": "message_start", "message": message}), &mut out);
    for (index, (block, Input { input })) in blocks.into_iter().zip(inputs).enumerate() {
        let (begun, deltas) = pieces(block, input.as_deref());
        let start = json!({"type": "content_block_start", "index": index, "content_block": begun});
        send("content_block_start", &start, &mut out);
        for delta in deltas {
            let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
            send("content_block_delta", &delta, &mut out);
        }
        send("content_block_stop", &json!({"type": "content_block_stop", "index": index}), &mut out);
    }
    send("message_delta", &json!({"type": "message_delta", "delta": end, "usage": usage}), &mut out);
    send("message_stop", &json!({"type": "message_stop"}), &mut out);
    Some(out)
}

/// What tools are called with, as it was written: digits and order stay.
#[derive(Deserialize)]
struct Inputs {
    content: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    input: Option<Box<RawValue>>,
}

/// A block as it begins, and what then comes of it.
fn pieces(mut block: Value, input: Option<&RawValue>) -> (Value, Vec<Value>) {
    let kind = block["type"].as_str().unwrap_or_default().to_owned();
    let Some(fields) = block.as_object_mut() else { return (block, Vec::new()) };
    let mut deltas = Vec::new();
    let mut take = |name: &str, empty: Value, delta: &dyn Fn(Value) -> Value| {
        if let Some(value) = fields.get_mut(name).filter(|value| !value.is_null()) {
            deltas.push(delta(std::mem::replace(value, empty)));
        }
    };
    match kind.as_str() {
        "text" => take("text", json!(""), &|text| json!({"type": "text_delta", "text": text})),
        "thinking" => {
            take("thinking", json!(""), &|text| json!({"type": "thinking_delta", "thinking": text}));
            take("signature", json!(""), &|text| json!({"type": "signature_delta", "signature": text}));
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            let input = input.map(|input| compact(input.get())).unwrap_or_default();
            take("input", json!({}), &|_| json!({"type": "input_json_delta", "partial_json": input}));
        }
        _ => {}
    }
    (block, deltas)
}
