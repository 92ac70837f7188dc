//! Which answers are empty, whether they came in one piece or in events.

use crate::domain::dialect::{Event, Finish, hints};
use crate::domain::usage::Usage;

/// What is known of an answer before it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The client asked for no token: it fills a cache so.
    pub nothing: bool,
    /// The client named sequences to stop at: one may come first, and most wires do not tell it from an end.
    pub stops: bool,
    /// The model may reason, as far as anybody knows, and its answer need not count its tokens.
    pub reasoning: bool,
}

impl Expected {
    /// What a body says of its answer. `said`: its top-level values by name, as JSON.
    pub fn of<'a>(said: impl Fn(&str) -> Option<&'a [u8]>, reasoning: bool) -> Expected {
        let names_some = |field| said(field).is_some_and(|value| !matches!(value, b"null" | b"[]" | b"\"\""));
        let options = || serde_json::from_slice(said("prompt_cache_options")?).ok();
        Expected {
            // Anthropic's clients, and OpenAI's.
            nothing: said("max_tokens") == Some(b"0") || options().is_some_and(|options| hints::prewarms(&options)),
            stops: names_some("stop") || names_some("stop_sequences"),
            reasoning,
        }
    }
}

/// Whether an answer says anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Text, a refusal, a tool call, or what only its own family knows.
    anything: bool,
    /// Reasoning.
    reasoned: bool,
    /// The client is of another family: what only the answer's own knows does not reach it.
    across: bool,
    expected: Expected,
}

impl Said {
    /// Nothing yet; `across` for a client of another family.
    pub const fn nothing(across: bool, expected: Expected) -> Said {
        Said { anything: false, reasoned: false, across, expected }
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event) {
        match event {
            // Some models keep to themselves what they think: that they do is all they say.
            Event::Reasoning(_) => self.reasoned = true,
            Event::Foreign => self.anything |= !self.across,
            _ => self.anything |= event.is_content(),
        }
    }

    /// An answer without content is malformed, unless the model or a filter declined, reasoning used up its tokens, or the client
    /// asked for no more: for no token, or for what comes before a sequence that came first. Reasoning that ends of itself and
    /// leads to nothing is no answer: an agent that is handed it stops without a word. Tokens that nobody counted are taken for
    /// reasoning's where the model may reason: many a stream is not asked for its counts.
    pub fn is_empty(self, finish: Option<&Finish>, usage: Option<Usage>) -> bool {
        let counted = usage.map_or(self.expected.reasoning, |usage| usage.reasoning > 0);
        match finish {
            _ if self.anything => false,
            Some(_) if self.expected.nothing => false,
            Some(Finish::ContentFilter(_) | Finish::StopSequence(_)) => false,
            Some(Finish::Stop) if self.expected.stops => false,
            Some(Finish::Length) => !(self.reasoned || counted),
            Some(Finish::Stop | Finish::ToolCalls) | None => true,
        }
    }
}
