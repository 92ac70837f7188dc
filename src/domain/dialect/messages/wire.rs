//! The JSON of Anthropic's answers, borrowed from the bytes.
//!
//! ```text
//! message        {"id", "model", "content": [block], "stop_reason", "stop_sequence", "stop_details", "usage"}
//! stream events  message_start{message} (content_block_start{index, content_block} content_block_delta{index, delta}*
//!                content_block_stop{index})* message_delta{delta: {stop_reason, ...}, usage} message_stop; ping anywhere; error
//! ```

use crate::domain::dialect::chat::wire::{Str, count};
use crate::domain::dialect::inband;
use crate::domain::usage::Usage;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One `data:` of a stream.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Str<'a>>,
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(borrow, default)]
    pub message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    pub delta: Option<Delta<'a>>,
    #[serde(default, deserialize_with = "inband::beside")]
    pub usage: Option<UsageIn>,
    #[serde(borrow, default, deserialize_with = "inband::that_says")]
    pub error: Option<&'a RawValue>,
}

/// A whole answer, or the head of one in `message_start`.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow, default)]
    pub id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub model: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    pub stop_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub stop_sequence: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub stop_details: Option<StopDetails<'a>>,
    #[serde(default, deserialize_with = "inband::beside")]
    pub usage: Option<UsageIn>,
    #[serde(borrow, default, deserialize_with = "inband::that_says")]
    pub error: Option<&'a RawValue>,
}

/// A content block, whole or as it begins.
#[derive(Debug, Deserialize)]
pub struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Str<'a>,
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub thinking: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// A piece of a block, or the end of the message.
#[derive(Debug, Deserialize)]
pub struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub thinking: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub partial_json: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub stop_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub stop_sequence: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub stop_details: Option<StopDetails<'a>>,
}

#[derive(Debug, Deserialize)]
pub struct StopDetails<'a> {
    #[serde(borrow, default)]
    pub explanation: Option<Str<'a>>,
}

/// Token counts; what a later event leaves out stands.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct UsageIn {
    #[serde(default)]
    pub input_tokens: Option<f64>,
    #[serde(default)]
    pub cache_creation_input_tokens: Option<f64>,
    #[serde(default)]
    pub cache_read_input_tokens: Option<f64>,
    #[serde(default)]
    pub output_tokens: Option<f64>,
    #[serde(default)]
    pub output_tokens_details: Option<OutputDetails>,
    #[serde(default, deserialize_with = "inband::beside")]
    pub service_tier: Option<Tier>,
    /// What it took to shorten the conversation first: paid as well, and left out of the counts beside it.
    #[serde(default, rename = "iterations", deserialize_with = "compactions")]
    pub compacted: Option<Counts>,
}

/// Tokens by what is paid for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Not from a cache.
    fresh: u64,
    written: u64,
    cached: u64,
    output: u64,
}

/// One of the calls of the model that an answer took.
#[derive(Deserialize)]
struct Iteration<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Str<'a>>,
    #[serde(default)]
    input_tokens: Option<f64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<f64>,
    #[serde(default)]
    cache_read_input_tokens: Option<f64>,
    #[serde(default)]
    output_tokens: Option<f64>,
}

/// The counts of those iterations that shortened a conversation. What is no list of such breaks nothing of the counts beside it.
fn compactions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Counts>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    let all = serde_json::from_slice::<Vec<Iteration<'_>>>(raw.get().as_bytes()).unwrap_or_default();
    let number = |field: Option<f64>| field.map_or(0, count);
    let counts = all.iter().filter(|each| each.kind.as_ref().is_some_and(|kind| kind.as_str() == "compaction"));
    let counts = counts.map(|each| Counts {
        fresh: number(each.input_tokens),
        written: number(each.cache_creation_input_tokens),
        cached: number(each.cache_read_input_tokens),
        output: number(each.output_tokens),
    });
    Ok(counts.reduce(Counts::plus))
}

impl Counts {
    fn plus(self, other: Counts) -> Counts {
        Counts {
            fresh: self.fresh.saturating_add(other.fresh),
            written: self.written.saturating_add(other.written),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
        }
    }
}

/// Anthropic's words for the tier that served an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Standard,
    Priority,
    /// `batch`, and what is yet to come: OpenAI has no word for it.
    #[serde(other)]
    Other,
}

impl Tier {
    /// OpenAI's word for it.
    pub const fn openai(self) -> Option<&'static str> {
        match self {
            Tier::Standard => Some("default"),
            Tier::Priority => Some("priority"),
            Tier::Other => None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct OutputDetails {
    #[serde(default)]
    pub thinking_tokens: Option<f64>,
}

impl UsageIn {
    /// Present fields of `later` over ours.
    pub fn merge(&mut self, later: &UsageIn) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens = later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
        self.service_tier = later.service_tier.or(self.service_tier);
        self.compacted = later.compacted.or(self.compacted);
    }

    /// The larger of each: a message that starts twice is not paid twice.
    pub fn max(&mut self, other: &UsageIn) {
        let larger = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.input_tokens = larger(self.input_tokens, other.input_tokens);
        self.cache_creation_input_tokens = larger(self.cache_creation_input_tokens, other.cache_creation_input_tokens);
        self.cache_read_input_tokens = larger(self.cache_read_input_tokens, other.cache_read_input_tokens);
        self.output_tokens = larger(self.output_tokens, other.output_tokens);
    }

    /// Anthropic counts cached input beside `input_tokens`; we count all input.
    pub fn usage(&self) -> Usage {
        let number = |field: Option<f64>| field.map_or(0, count);
        let told = Counts {
            fresh: number(self.input_tokens),
            written: number(self.cache_creation_input_tokens),
            cached: number(self.cache_read_input_tokens),
            output: number(self.output_tokens),
        };
        let all = self.compacted.unwrap_or_default().plus(told);
        Usage {
            input: all.fresh.saturating_add(all.cached).saturating_add(all.written),
            cached: all.cached,
            cache_written: all.written,
            output: all.output,
            reasoning: self.output_tokens_details.and_then(|details| details.thinking_tokens).map_or(0, count),
        }
    }
}
