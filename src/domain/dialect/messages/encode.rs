//! Answers for a client of Anthropic's Messages: the events of a stream, and the whole message.
//!
//! ```text
//! message_start                                    before the first content; its input tokens are not known yet
//! (content_block_start content_block_delta* content_block_stop)*   never overlapping, index dense
//! message_delta {stop_reason, usage}               held until the upstream's end; restates the input tokens
//! message_stop
//! ```
//! Reasoning is not shown: a thinking block without a true signature would be refused when it comes back.

use crate::domain::dialect::answer::{Answer, Block, id_for};
use crate::domain::dialect::decoder::{Encode, Voice};
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::json_text;
use crate::domain::dialect::sequence::Sequencer;
use crate::domain::dialect::{CallKind, Event, Finish};
use crate::domain::outcome::{Class, Failure};
use crate::domain::usage::Usage;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Writes one stream.
#[derive(Clone, Debug)]
pub struct Encoder {
    voice: Voice,
    id: String,
    model: String,
    sequencer: Sequencer,
    begun: bool,
    /// Blocks begun so far; the open one is the last.
    blocks: u64,
    open: Option<Open>,
    spoke: bool,
    refused: bool,
    finish: Option<Finish>,
    usage: Usage,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Tool,
}

impl Encoder {
    /// A stream that has not begun.
    pub fn new(voice: Voice) -> Encoder {
        Encoder {
            id: id_for("msg_", None, &voice.request_id),
            model: voice.model.clone(),
            voice,
            sequencer: Sequencer::default(),
            begun: false,
            blocks: 0,
            open: None,
            spoke: false,
            refused: false,
            finish: None,
            usage: Usage::default(),
            over: false,
        }
    }

    fn ordered(&mut self, event: Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => {
                self.id = id_for("msg_", id.as_deref(), &self.voice.request_id);
                self.model = model.unwrap_or_else(|| std::mem::take(&mut self.model));
            }
            // Nothing comes before `message_start` in this family's streams.
            Event::Ping if !self.begun => {}
            Event::Ping => send("ping", &json!({"type": "ping"}), out),
            Event::Text(text) => self.text(&text, out),
            Event::Refusal(text) => {
                self.refused = true;
                self.text(&text, out);
            }
            Event::Reasoning(_) | Event::Foreign => self.begin(out),
            // Nobody who speaks this family has offered such a tool.
            Event::ToolStart { kind: CallKind::Custom, .. } => {
                self.begin(out);
                self.close(out);
            }
            Event::ToolStart { id, name, .. } => {
                let id = ids::rewritten(&id, IdRule::Plain);
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open(Open::Tool, block, out);
            }
            Event::ToolArguments { .. } if self.open != Some(Open::Tool) => {}
            Event::ToolArguments { json, .. } => {
                self.delta(&json!({"type": "input_json_delta", "partial_json": json}), out);
            }
            Event::ToolEnd { .. } => self.close(out),
            Event::Finish(finish) => self.finish = Some(finish),
            Event::Usage(usage) => self.usage = usage,
            Event::Tier(_) | Event::Logprobs(_) => {}
            Event::End => self.end(out),
            Event::Error(failure) => self.fail(&failure, "stream_error", out),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": usage(&self.usage),
        });
        send("message_start", &json!({"type": "message_start", "message": message}), out);
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.spoke = true;
        if self.open != Some(Open::Text) {
            self.open(Open::Text, json!({"type": "text", "text": ""}), out);
        }
        self.delta(&json!({"type": "text_delta", "text": text}), out);
    }

    fn open(&mut self, kind: Open, block: Value, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        self.open = Some(kind);
        let event = json!({"type": "content_block_start", "index": self.blocks, "content_block": block});
        send("content_block_start", &event, out);
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        let event = json!({"type": "content_block_delta", "index": self.blocks, "delta": delta});
        send("content_block_delta", &event, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            send("content_block_stop", &json!({"type": "content_block_stop", "index": self.blocks}), out);
            self.blocks = self.blocks.saturating_add(1);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let finish = self.finish.take().unwrap_or(Finish::Stop);
        if let Finish::ContentFilter(Some(explanation)) = &finish
            && !self.spoke
        {
            self.text(explanation, out);
        }
        self.close(out);
        self.over = true;
        let stop = stop(&finish, self.refused);
        let event = json!({"type": "message_delta", "delta": stop, "usage": usage(&self.usage)});
        send("message_delta", &event, out);
        send("message_stop", &json!({"type": "message_stop"}), out);
    }
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut ordered = Vec::new();
        self.sequencer.push(event.clone(), &mut ordered);
        for event in ordered {
            self.ordered(event, out);
        }
    }

    fn fail(&mut self, failure: &Failure, code: &'static str, out: &mut Vec<u8>) {
        if !self.over {
            self.over = true;
            error(error_type(failure.class), &failure.reason, code, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.over {
            self.push(&Event::End, out);
        }
    }
}

/// The error event of a Messages stream. Nothing may follow it, `message_stop` least of all.
pub fn error(kind: &str, message: &str, code: &str, out: &mut Vec<u8>) {
    send("error", &json!({"type": "error", "error": {"type": kind, "message": message, "code": code}}), out);
}

/// Anthropic's word for a class of failure.
pub const fn error_type(class: Class) -> &'static str {
    match class {
        Class::RateLimited => "rate_limit_error",
        Class::QuotaExhausted => "billing_error",
        Class::Overloaded => "overloaded_error",
        Class::Auth => "authentication_error",
        Class::Forbidden => "permission_error",
        Class::NotFound => "not_found_error",
        Class::Timeout => "timeout_error",
        Class::ContextLength | Class::ContentPolicy | Class::Unsupported | Class::InvalidRequest => {
            "invalid_request_error"
        }
        Class::ServerError | Class::Unreachable | Class::Malformed | Class::Interrupted | Class::Cancelled => {
            "api_error"
        }
    }
}

/// Appends one event.
pub(super) fn send(name: &str, value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(value.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockOut<'a> {
    Text { text: Cow<'a, str> },
    ToolUse { id: String, name: &'a str, input: Box<RawValue> },
}

#[derive(Serialize)]
struct MessageOut<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<BlockOut<'a>>,
    #[serde(flatten)]
    stop: Value,
    usage: Value,
}

/// The whole message of a gathered answer: its blocks in the order in which a stream shows them.
pub fn answer(answer: &Answer, voice: &Voice) -> Vec<u8> {
    let finish = answer.finish.as_ref().unwrap_or(&Finish::Stop);
    let refused = answer.blocks.iter().any(|block| matches!(block, Block::Refusal(_)));
    let explanation = if answer.text().is_none() { answer.refusal() } else { None };
    let mut content = blocks_out(&answer.blocks);
    let speaks = content.iter().any(|block| matches!(block, BlockOut::Text { .. }));
    if let (false, Some(text)) = (speaks, &explanation) {
        content.push(BlockOut::Text { text: Cow::from(text) });
    }
    let message = MessageOut {
        id: id_for("msg_", answer.id.as_deref(), &voice.request_id),
        kind: "message",
        role: "assistant",
        model: answer.model.as_deref().unwrap_or(&voice.model),
        content,
        stop: stop(finish, refused),
        usage: usage(&answer.usage.unwrap_or_default()),
    };
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Text that only what is not shown stood between is one block, as it is in a stream.
fn blocks_out(blocks: &[Block]) -> Vec<BlockOut<'_>> {
    let mut out: Vec<BlockOut<'_>> = Vec::with_capacity(blocks.len());
    for block in blocks {
        match (block, out.last_mut()) {
            (Block::Text(text) | Block::Refusal(text), _) if text.is_empty() => {}
            (Block::Text(more) | Block::Refusal(more), Some(BlockOut::Text { text })) => text.to_mut().push_str(more),
            (Block::Text(text) | Block::Refusal(text), _) => out.push(BlockOut::Text { text: Cow::from(text) }),
            (Block::Tool { id, name, arguments, kind: CallKind::Function }, _) => out.push(BlockOut::ToolUse {
                id: ids::rewritten(id, IdRule::Plain),
                name,
                input: json_text::object(arguments),
            }),
            (Block::Tool { kind: CallKind::Custom, .. } | Block::Reasoning(_), _) => {}
        }
    }
    out
}

fn stop(finish: &Finish, refused: bool) -> Value {
    let (reason, sequence) = match finish {
        Finish::Stop if refused => ("refusal", None),
        Finish::Stop => ("end_turn", None),
        Finish::StopSequence(sequence) => ("stop_sequence", sequence.as_deref()),
        Finish::Length => ("max_tokens", None),
        Finish::ToolCalls => ("tool_use", None),
        Finish::ContentFilter(_) => ("refusal", None),
    };
    let mut stop = json!({"stop_reason": reason, "stop_sequence": sequence});
    if reason == "refusal" {
        let explanation = match finish {
            Finish::ContentFilter(explanation) => explanation.as_deref(),
            Finish::Stop | Finish::StopSequence(_) | Finish::Length | Finish::ToolCalls => None,
        };
        stop["stop_details"] = json!({"type": "refusal", "category": null, "explanation": explanation});
    }
    stop
}

fn usage(usage: &Usage) -> Value {
    let cache = usage.cached.saturating_add(usage.cache_written);
    json!({
        "input_tokens": usage.input.saturating_sub(cache),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    })
}
