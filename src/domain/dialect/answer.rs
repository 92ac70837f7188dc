//! A whole answer, gathered from its events: what JSON answers are written from, in every family.

use crate::domain::dialect::sequence::Sequencer;
use crate::domain::dialect::{CallKind, Event, Finish};
use crate::domain::outcome::Failure;
use crate::domain::usage::Usage;

/// An answer in one piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub id: Option<String>,
    pub model: Option<String>,
    /// In the order in which they began.
    pub blocks: Vec<Block>,
    pub finish: Option<Finish>,
    pub usage: Option<Usage>,
    /// The tier that served it, in OpenAI's words.
    pub tier: Option<String>,
    /// Whether the wire's own end was seen.
    pub ended: bool,
}

/// One block of an answer; neighbouring text is one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    Text(String),
    Refusal(String),
    Reasoning(String),
    Tool { id: String, name: String, arguments: String, kind: CallKind },
}

impl Answer {
    /// Gathers an answer.
    ///
    /// # Errors
    /// The failure that the upstream reported within it.
    pub fn gather(events: impl IntoIterator<Item = Event>) -> Result<Answer, Failure> {
        let (mut answer, mut sequencer, mut ordered) = (Answer::default(), Sequencer::default(), Vec::new());
        for event in events {
            sequencer.push(event, &mut ordered);
        }
        for event in ordered {
            answer.take(event)?;
        }
        Ok(answer)
    }

    fn take(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Start { id, model } => (self.id, self.model) = (id, model),
            Event::Text(text) => match self.blocks.last_mut() {
                Some(Block::Text(last)) => last.push_str(&text),
                _ => self.blocks.push(Block::Text(text)),
            },
            Event::Refusal(text) => match self.blocks.last_mut() {
                Some(Block::Refusal(last)) => last.push_str(&text),
                _ => self.blocks.push(Block::Refusal(text)),
            },
            Event::Reasoning(text) => match self.blocks.last_mut() {
                Some(Block::Reasoning(last)) => last.push_str(&text),
                _ => self.blocks.push(Block::Reasoning(text)),
            },
            Event::ToolStart { id, name, kind, .. } => {
                self.blocks.push(Block::Tool { id, name, arguments: String::new(), kind });
            }
            Event::ToolArguments { json, .. } => {
                if let Some(Block::Tool { arguments, .. }) = self.blocks.last_mut() {
                    arguments.push_str(&json);
                }
            }
            Event::Finish(finish) => self.finish = Some(finish),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Tier(tier) => self.tier = Some(tier),
            Event::End => self.ended = true,
            Event::Error(failure) => return Err(failure),
            Event::Ping | Event::Logprobs(_) | Event::ToolEnd { .. } | Event::Foreign => {}
        }
        Ok(())
    }

    /// All visible text; `None` when there is no text block.
    pub fn text(&self) -> Option<String> {
        self.joined(|block| match block {
            Block::Text(text) => Some(text),
            Block::Refusal(_) | Block::Reasoning(_) | Block::Tool { .. } => None,
        })
    }

    /// All text of refusals, or the filter's explanation when the answer has no text at all.
    pub fn refusal(&self) -> Option<String> {
        let said = self.joined(|block| match block {
            Block::Refusal(text) => Some(text),
            Block::Text(_) | Block::Reasoning(_) | Block::Tool { .. } => None,
        });
        match (&said, &self.finish) {
            (None, Some(Finish::ContentFilter(explanation))) if self.text().is_none() => explanation.clone(),
            _ => said,
        }
    }

    fn joined<'a>(&'a self, text: impl Fn(&'a Block) -> Option<&'a String>) -> Option<String> {
        let mut joined: Option<String> = None;
        for piece in self.blocks.iter().filter_map(text) {
            joined.get_or_insert_default().push_str(piece);
        }
        joined
    }
}

/// An id in a family's own form: `chatcmpl-...`, `msg_...`; the upstream's own where it has that form.
pub fn id_for(prefix: &str, upstream: Option<&str>, request_id: &str) -> String {
    let id = upstream.filter(|id| !id.is_empty()).unwrap_or(request_id);
    match id.starts_with(prefix) {
        true => id.to_owned(),
        false => {
            let bare = ["chatcmpl-", "msg_", "resp_"].iter().find_map(|known| id.strip_prefix(known));
            format!("{prefix}{}", bare.unwrap_or(id))
        }
    }
}
