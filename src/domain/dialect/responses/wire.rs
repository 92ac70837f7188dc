//! The JSON of Responses answers and stream events, borrowed from the bytes, everything optional because hosts differ.
//!
//! ```text
//! response   {"id", "model", "status", "error": {"code", "message"}, "incomplete_details": {"reason"}, "output": [item], "usage"}
//! item       {"type": "message", "content": [{"type": "output_text" | "refusal", "text" | "refusal"}]}
//!            {"type": "function_call", "call_id", "name", "arguments"}, {"type": "custom_tool_call", "call_id", "name", "input"}
//!            {"type": "reasoning", "summary": [{"text"}], "content": [{"text"}]}
//! event      {"type", "output_index", "delta", "text", "arguments", "input", "item", "response", "error", "code", "message"}
//! ```

use crate::domain::dialect::chat::wire::{Str, count};
use crate::domain::dialect::inband;
use crate::domain::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The `data` of one stream event. Whole responses stay unread until they are asked for.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Str<'a>>,
    #[serde(default)]
    pub output_index: Option<u64>,
    #[serde(default)]
    pub content_index: Option<u64>,
    #[serde(default)]
    pub summary_index: Option<u64>,
    #[serde(borrow, default)]
    pub delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
    /// Of a custom tool.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub response: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "inband::that_says")]
    pub error: Option<&'a RawValue>,
}

/// A whole answer, or what a lifecycle event carries of it.
#[derive(Debug, Default, Deserialize)]
pub struct Response<'a> {
    #[serde(borrow, default)]
    pub id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub model: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub status: Option<Str<'a>>,
    #[serde(borrow, default, deserialize_with = "inband::that_says")]
    pub error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub incomplete_details: Option<Incomplete<'a>>,
    #[serde(borrow, default)]
    pub output: Option<Vec<&'a RawValue>>,
    #[serde(default, deserialize_with = "inband::beside")]
    pub usage: Option<UsageIn>,
    #[serde(borrow, default)]
    pub service_tier: Option<&'a RawValue>,
}

/// The id and model of a response alone: what the start of a stream is read for.
#[derive(Debug, Default, Deserialize)]
pub struct Head<'a> {
    #[serde(borrow, default)]
    pub id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub model: Option<Str<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Incomplete<'a> {
    #[serde(borrow, default)]
    pub reason: Option<Str<'a>>,
}

/// What kind of item it is. Of kinds that are not known here nothing more is read: their fields mean other things (`arguments` is
/// an object in a search of tools).
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Str<'a>,
}

/// An item of the output, of a kind that other families know.
#[derive(Debug, Deserialize)]
pub struct Item<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Str<'a>,
    #[serde(borrow, default)]
    pub call_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub arguments: Option<Str<'a>>,
    /// Of a custom tool's call.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub content: Option<Vec<Part<'a>>>,
    #[serde(borrow, default)]
    pub summary: Option<Vec<Part<'a>>>,
}

/// A part of a message, of a summary, or of raw reasoning.
#[derive(Debug, Deserialize)]
pub struct Part<'a> {
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub refusal: Option<Str<'a>>,
}

/// Token counts. Input includes what was read from and written to a cache; output includes reasoning.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct UsageIn {
    #[serde(default)]
    pub input_tokens: Option<f64>,
    #[serde(default)]
    pub output_tokens: Option<f64>,
    #[serde(default)]
    pub input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    pub output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct InputDetails {
    #[serde(default)]
    pub cached_tokens: Option<f64>,
    #[serde(default)]
    pub cache_write_tokens: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct OutputDetails {
    #[serde(default)]
    pub reasoning_tokens: Option<f64>,
}

impl UsageIn {
    /// The counts in our words.
    pub fn usage(&self) -> Usage {
        let number = |field: Option<f64>| field.map_or(0, count);
        Usage {
            input: number(self.input_tokens),
            cached: number(self.input_tokens_details.and_then(|details| details.cached_tokens)),
            cache_written: number(self.input_tokens_details.and_then(|details| details.cache_write_tokens)),
            output: number(self.output_tokens),
            reasoning: number(self.output_tokens_details.and_then(|details| details.reasoning_tokens)),
        }
    }
}
