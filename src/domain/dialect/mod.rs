//! Wires: every API shape that a client speaks or a target understands, one file each, both directions.
//!
//! Nothing is translated pair by pair. A client's request is decoded into a `Conversation` and
//! encoded for the target's wire; an answer is decoded into [`Event`]s (a JSON answer all at once, a stream event by event)
//! and encoded for the client's family. The same decoders watch a same-family stream: they tell content from keep-alives,
//! find errors inside a 200, and read the usage.
//!
//! ```text
//! client body --decode--> Conversation --encode--> target body
//! target bytes --Decoder--> Event* --Encoder--> client bytes
//! ```
//!
//! Dialects never see a policy, and the chain never sees a dialect.

pub mod answer;
pub mod betas;
pub mod capability;
pub mod chat;
pub mod continuity;
pub mod conversation;
pub mod converse;
pub mod decoder;
pub mod drops;
pub mod envelope;
pub mod hints;
pub mod ids;
pub mod inband;
pub mod json_text;
pub mod media;
pub mod messages;
pub mod names;
pub mod opaque;
pub mod repeats;
pub mod reply;
pub mod responses;
pub mod restorer;
pub mod root;
pub mod said;
pub mod schema;
pub mod sequence;
pub mod translate;
pub mod unread;

pub use translate::{decode_request, decoder, encoder, read_answer, replayed, translate_request, write_answer};

use crate::domain::outcome::Failure;
use crate::domain::route::{Family, Route};
use crate::domain::usage::Usage;

/// The shape of a target's requests, answers and streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI Chat Completions (also Azure, Gemini's and every other compatible endpoint).
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages over SSE.
    Messages,
    /// Anthropic Messages in a Bedrock InvokeModel body, streams in event-stream frames.
    Invoke,
    /// Anthropic Messages in a Vertex `rawPredict` body, streams as SSE.
    RawPredict,
    /// Bedrock Converse, streams in event-stream frames.
    Converse,
    /// OpenAI legacy completions.
    Completions,
    /// Anything else: passed through, only its status and a JSON `error` are looked at.
    Opaque,
}

impl Wire {
    /// The family whose shapes the wire's answers have, once they are out of their frames.
    pub const fn family(self) -> Option<Family> {
        match self {
            Wire::Chat | Wire::Completions => Some(Family::Chat),
            Wire::Responses => Some(Family::Responses),
            Wire::Messages | Wire::Invoke | Wire::RawPredict => Some(Family::Messages),
            Wire::Converse | Wire::Opaque => None,
        }
    }

    /// Whether streams come in the binary frames of an event stream, and not as server-sent events.
    pub const fn is_framed(self) -> bool {
        matches!(self, Wire::Invoke | Wire::Converse)
    }

    /// Whether its answers must be translated for clients of that route.
    pub fn translates(self, route: &Route) -> bool {
        match (route, self) {
            (Route::Chat, Wire::Chat) | (Route::Responses, Wire::Responses) | (Route::Messages, Wire::Messages) => {
                false
            }
            (Route::Completions, Wire::Completions) | (_, Wire::Opaque) => false,
            (route, wire) => !wire.wraps(route),
        }
    }

    /// Whether a request of that route is written anew for it, and not only its model.
    pub fn rewrites(self, route: &Route) -> bool {
        self.translates(route) || self.wraps(route)
    }

    /// Whether a request of that route stays in its family and only changes its envelope: Messages on Bedrock and Vertex, and
    /// their counts.
    fn wraps(self, route: &Route) -> bool {
        matches!(route, Route::Messages | Route::CountTokens) && matches!(self, Wire::Invoke | Wire::RawPredict)
    }
}

/// One thing that an answer says, whichever wire it came on. A JSON answer decodes to the same events as its stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer began; nothing of it can be shown yet. Role-only chunks, `message_start`, `response.created` are this.
    Start { id: Option<String>, model: Option<String> },
    /// A keep-alive: comment, ping, blank. Never counts as progress.
    Ping,
    /// Visible text.
    Text(String),
    /// Text of a refusal.
    Refusal(String),
    /// The likelihoods of the tokens of the text that comes next: the JSON list of OpenAI's `logprobs`, one shape on both its wires.
    Logprobs(String),
    /// Reasoning text; `signature` and `encrypted` never cross a boundary and are not carried.
    Reasoning(String),
    /// A tool call begins. `index` counts tool calls of the answer from 0, dense.
    ToolStart { index: usize, id: String, name: String, kind: CallKind },
    /// A piece of its arguments: JSON text, or the text that a custom tool takes.
    ToolArguments { index: usize, json: String },
    /// It is complete.
    ToolEnd { index: usize },
    /// Content that only its own family can express (audio, hosted-tool items): counts as content, is not translated.
    Foreign,
    /// Why the model stopped. The terminal event may still be to come.
    Finish(Finish),
    /// Token counts so far; later ones replace earlier ones field by field.
    Usage(Usage),
    /// The tier that served the answer, in OpenAI's words (`default`, `flex`, `priority`, ...).
    Tier(String),
    /// The wire's own end: `[DONE]`, `message_stop`, `response.completed`.
    End,
    /// The upstream reports a failure inside a 200.
    Error(Failure),
}

/// What a tool is called with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// An object, as JSON text.
    #[default]
    Function,
    /// Text of any kind: OpenAI's custom tools, which Anthropic's and Bedrock's wires do not have.
    Custom,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    Stop,
    /// One of the client's stop sequences; which one, where the wire tells.
    StopSequence(Option<String>),
    Length,
    ToolCalls,
    /// The model or a filter declined; an explanation where the wire gives one.
    ContentFilter(Option<String>),
}

/// Whether an event is content: the first of these is the first token.
impl Event {
    pub const fn is_content(&self) -> bool {
        match self {
            Event::Text(text) | Event::Refusal(text) | Event::Reasoning(text) => !text.is_empty(),
            Event::ToolStart { .. } | Event::ToolArguments { .. } | Event::Foreign => true,
            Event::Start { .. }
            | Event::Ping
            | Event::Logprobs(_)
            | Event::ToolEnd { .. }
            | Event::Tier(_)
            | Event::Finish(_)
            | Event::Usage(_)
            | Event::End
            | Event::Error(_) => false,
        }
    }
}

/// What is known of the model that a request is encoded for.
#[derive(Clone, Debug)]
pub struct Destination<'a> {
    pub wire: Wire,
    /// Provider name: quirks that are data go by it.
    pub provider: &'a str,
    /// What the model is known as: what it takes goes by it.
    pub model: &'a str,
    /// What a request calls it: of its owner's own making where that is a deployment at Azure or a profile at Bedrock.
    pub id: &'a str,
    /// The catalogue's cap on output tokens, where known.
    pub max_output_tokens: Option<u64>,
}

impl<'a> Destination<'a> {
    /// A model that is called by its own name, and of whose output no cap is known.
    pub fn of(wire: Wire, provider: &'a str, model: &'a str) -> Destination<'a> {
        Destination { wire, provider, model, id: model, max_output_tokens: None }
    }
}

/// A request ready for its target, but for URL and authentication.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    pub body: Vec<u8>,
    /// Parameters that could not be carried and only bias quality, by their path in the client's body.
    pub dropped: Vec<String>,
    /// What to undo in the answer.
    pub reply: reply::Reply,
}

/// A feature that the target cannot honour and the client would miss: the hop is skipped as `incompatible`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatible(pub String);
