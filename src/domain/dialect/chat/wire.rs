//! The JSON of a chat completion's answers, borrowed from the bytes: one shape for chunks, whole answers and the legacy
//! completions, with everything optional, because hosts differ.
//!
//! ```text
//! {"id", "model", "choices": [{"index", "delta" | "message" | "text", "finish_reason"}], "usage", "error"}
//! delta: {"role", "content", "refusal", "reasoning_content" | "reasoning", "tool_calls": [{"index", "id", "function":
//!        {"name", "arguments"} | "custom": {"name", "input"}}], "function_call", "audio", "images"}
//! ```

use std::borrow::Cow;

use crate::domain::dialect::inband;
use crate::domain::dialect::json_text::mended;
use crate::domain::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A string borrowed from the input where it has no escapes. (`Option<Cow<str>>` would always copy.)
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Str<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// One `data:` of a stream, or a whole answer.
#[derive(Debug, Deserialize)]
pub struct Chunk<'a> {
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub service_tier: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "inband::that_says")]
    pub error: Option<&'a RawValue>,
    /// Where Groq has the counts of a stream that was not asked for them.
    #[serde(borrow, default)]
    pub x_groq: Option<&'a RawValue>,
}

/// What Groq says beside an answer.
#[derive(Debug, Deserialize)]
pub struct Groq<'a> {
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
}

/// One choice. `text` is the legacy completions' content.
#[derive(Debug, Deserialize)]
pub struct Choice<'a> {
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(borrow, default)]
    pub delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub finish_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub logprobs: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "inband::that_says")]
    pub error: Option<&'a RawValue>,
}

/// The likelihoods of a choice's tokens. (The legacy completions' have another shape, and no `content`.)
#[derive(Debug, Default, Deserialize)]
pub struct Logprobs<'a> {
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
}

/// What a choice adds (or, in a whole answer, is).
#[derive(Debug, Default, Deserialize)]
pub struct Delta<'a> {
    /// A string; an array of parts on some hosts.
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub reasoning_content: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    pub function_call: Option<Function<'a>>,
    #[serde(borrow, default)]
    pub audio: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub images: Option<&'a RawValue>,
}

/// A piece of a tool call.
#[derive(Debug, Deserialize)]
pub struct Call<'a> {
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(borrow, default)]
    pub id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub function: Option<Function<'a>>,
    #[serde(borrow, default)]
    pub custom: Option<&'a RawValue>,
}

/// Name and arguments of a call. Some hosts give the arguments as an object.
#[derive(Debug, Deserialize)]
pub struct Function<'a> {
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
}

/// Name and text of a custom tool's call.
#[derive(Debug, Deserialize)]
pub struct Custom<'a> {
    #[serde(borrow, default)]
    pub name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// A part of a content array.
#[derive(Debug, Deserialize)]
pub struct ContentPart<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub thinking: Option<&'a RawValue>,
}

/// Token counts as chat hosts spell them.
#[derive(Debug, Default, Deserialize)]
pub struct UsageIn {
    #[serde(default)]
    pub prompt_tokens: Option<f64>,
    #[serde(default)]
    pub completion_tokens: Option<f64>,
    #[serde(default)]
    pub total_tokens: Option<f64>,
    #[serde(default)]
    pub prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    pub completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's word for tokens read from its cache.
    #[serde(default)]
    pub prompt_cache_hit_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
pub struct PromptDetails {
    #[serde(default)]
    pub cached_tokens: Option<f64>,
    #[serde(default)]
    pub cache_write_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
pub struct CompletionDetails {
    #[serde(default)]
    pub reasoning_tokens: Option<f64>,
}

impl UsageIn {
    /// One meaning for all hosts. xAI and Gemini leave reasoning out of `completion_tokens` but not out of the total: the
    /// larger of the two counts as output.
    pub fn usage(&self) -> Usage {
        let prompt = self.prompt_tokens.map_or(0, count);
        let completion = self.completion_tokens.map_or(0, count);
        let beyond = self.total_tokens.map_or(0, count).saturating_sub(prompt);
        let details = self.prompt_tokens_details.as_ref();
        Usage {
            input: prompt,
            cached: details.and_then(|details| details.cached_tokens).or(self.prompt_cache_hit_tokens).map_or(0, count),
            cache_written: details.and_then(|details| details.cache_write_tokens).map_or(0, count),
            output: completion.max(beyond),
            reasoning: self
                .completion_tokens_details
                .as_ref()
                .and_then(|details| details.reasoning_tokens)
                .map_or(0, count),
        }
    }
}

/// A count that some host wrote as a float; the cast saturates.
pub(in crate::domain::dialect) fn count(number: f64) -> u64 {
    number as u64
}

impl<'a> Str<'a> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of a JSON string; nothing for any other value.
pub fn text_of<'a>(raw: &'a RawValue) -> Option<Cow<'a, str>> {
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            let mended = || serde_json::from_str(&mended(raw.get())?).ok().map(Cow::Owned);
            serde_json::from_str::<Str<'a>>(raw.get()).ok().map(|text| text.0).or_else(mended)
        }
        _ => None,
    }
}
