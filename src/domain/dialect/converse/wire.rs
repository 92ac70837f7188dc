//! The JSON of Converse's answers and stream events, borrowed from the bytes.

use crate::domain::dialect::chat::wire::{Str, count};
use crate::domain::dialect::inband;
use crate::domain::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A whole answer.
#[derive(Debug, Deserialize)]
pub struct Answer<'a> {
    #[serde(borrow)]
    pub output: Output<'a>,
    #[serde(borrow, default, rename = "stopReason")]
    pub stop_reason: Option<Str<'a>>,
    #[serde(default, deserialize_with = "inband::beside")]
    pub usage: Option<UsageIn>,
}

#[derive(Debug, Deserialize)]
pub struct Output<'a> {
    #[serde(borrow)]
    pub message: Message<'a>,
}

#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub content: Vec<Block<'a>>,
}

/// A block of a whole answer: the one field that is there says what it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block<'a> {
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub tool_use: Option<ToolUse<'a>>,
    #[serde(borrow, default)]
    pub reasoning_content: Option<Reasoning<'a>>,
    #[serde(borrow, default)]
    pub citations_content: Option<Citations<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse<'a> {
    #[serde(borrow, default)]
    pub tool_use_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    /// An object; in a stream a piece of its text.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// Reasoning, whole (`reasoningText`) or a piece of it (`text`). Signatures and redacted reasoning are not carried.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reasoning<'a> {
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub reasoning_text: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Text<'a> {
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct Citations<'a> {
    #[serde(borrow, default)]
    pub content: Vec<Text<'a>>,
}

/// The payload of one frame; its event type is in the frame's headers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    #[serde(default)]
    pub content_block_index: u64,
    #[serde(borrow, default)]
    pub start: Option<Start<'a>>,
    #[serde(borrow, default)]
    pub delta: Option<Block<'a>>,
    #[serde(borrow, default)]
    pub stop_reason: Option<Str<'a>>,
    #[serde(default, deserialize_with = "inband::beside")]
    pub usage: Option<UsageIn>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start<'a> {
    #[serde(borrow, default)]
    pub tool_use: Option<ToolUse<'a>>,
}

/// Token counts. As on Anthropic's wire, `inputTokens` leaves out what was read from and written to a cache.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageIn {
    #[serde(default)]
    pub input_tokens: Option<f64>,
    #[serde(default)]
    pub output_tokens: Option<f64>,
    #[serde(default)]
    pub cache_read_input_tokens: Option<f64>,
    #[serde(default)]
    pub cache_write_input_tokens: Option<f64>,
}

impl UsageIn {
    /// The counts in our words.
    pub fn usage(&self) -> Usage {
        let number = |field: Option<f64>| field.map_or(0, count);
        let (cached, written) = (number(self.cache_read_input_tokens), number(self.cache_write_input_tokens));
        Usage {
            input: number(self.input_tokens).saturating_add(cached).saturating_add(written),
            cached,
            cache_written: written,
            output: number(self.output_tokens),
            reasoning: 0,
        }
    }
}
