//! Which answers are empty, whether they came in one piece or in events.

use crate::domain::dialect::{Event, Finish};
use crate::domain::usage::Usage;

/// Whether an answer says anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Text, a refusal, a tool call, or what only its own family knows.
    anything: bool,
    /// Reasoning.
    reasoned: bool,
    /// The client is of another family: what only the answer's own knows does not reach it.
    across: bool,
}

impl Said {
    /// Nothing yet; `across` for a client of another family.
    pub const fn nothing(across: bool) -> Said {
        Said { anything: false, reasoned: false, across }
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

    /// An answer without content is malformed, unless the model or a filter declined, or reasoning used up its tokens. Reasoning
    /// that ends of itself and leads to nothing is no answer: an agent that is handed it stops without a word.
    pub fn is_empty(self, finish: Option<&Finish>, usage: Option<Usage>) -> bool {
        let reasoned = self.reasoned || usage.is_some_and(|usage| usage.reasoning > 0);
        match finish {
            _ if self.anything => false,
            Some(Finish::ContentFilter(_)) => false,
            Some(Finish::Length) => !reasoned,
            Some(Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls) | None => true,
        }
    }
}
