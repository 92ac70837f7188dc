//! Turns as Converse's messages.
//!
//! ```text
//! system turns in between   hoisted to `system`, and recorded
//! first and last turn       are a user's: "." and "Continue." stand where one is missing
//! images, documents         bytes alone, no addresses; a document's name is neutral and made here
//! cache breaks              a point behind the block before, at most four
//! ```

use crate::domain::dialect::continuity::{NO_RESULT, settled};
use crate::domain::dialect::conversation::{Conversation, Field, Part, Role, Source, Turn};
use crate::domain::dialect::drops::{Drops, says_no_word};
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Incompatible, json_text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Formats of documents by media type.
const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

/// Models that take cache points, by a piece of their name.
const CACHING: [&str; 2] = ["nova", "claude"];
/// The most cache points that one request may have.
const POINTS_MAX: usize = 4;

/// Writes the turns of one request.
pub struct Blocks<'a> {
    from: &'a Conversation,
    drops: &'a mut Drops,
    reply: &'a mut Reply,
    ids: IdRule,
    caches: bool,
    points: usize,
    documents: usize,
}

/// What came of them.
pub struct Written {
    pub system: Vec<Value>,
    pub messages: Vec<Value>,
}

impl<'a> Blocks<'a> {
    /// Nothing written yet.
    pub fn new(from: &'a Conversation, model: &str, drops: &'a mut Drops, reply: &'a mut Reply) -> Blocks<'a> {
        let ids = if model.contains("mistral") { IdRule::Mistral } else { IdRule::Plain };
        let caches = CACHING.iter().any(|piece| model.contains(piece));
        Blocks { from, drops, reply, ids, caches, points: 0, documents: 0 }
    }

    /// Writes system and messages.
    ///
    /// # Errors
    /// [`Incompatible`] with what the wire cannot hold; under `strict` with what would be dropped.
    pub fn write(&mut self) -> Result<Written, Incompatible> {
        let mut system = self.from.system.clone();
        let mut turns = Vec::with_capacity(self.from.turns.len());
        for turn in &self.from.turns {
            match turn.role {
                Role::System => {
                    self.drops.quality("messages.role")?;
                    system.extend(turn.parts.iter().cloned());
                }
                Role::User | Role::Assistant => turns.push(turn.clone()),
            }
        }
        let mut turns = settled(&turns, self.drops)?;
        if turns.is_empty() && system.is_empty() {
            return Err(says_no_word(self.from));
        }
        let said = |text: &str| Turn { role: Role::User, parts: vec![Part::Text(text.to_owned())] };
        if turns.first().is_none_or(|turn| turn.role != Role::User) {
            turns.insert(0, said("."));
        }
        if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
            self.drops.quality("messages.prefill")?;
            turns.push(said("Continue."));
        }
        let system = self.blocks(&system)?;
        let messages = turns.iter().map(|turn| self.message(turn)).collect::<Result<_, _>>()?;
        Ok(Written { system, messages })
    }

    fn message(&mut self, turn: &Turn) -> Result<Value, Incompatible> {
        let is_call = |part: &&Part| matches!(part, Part::ToolCall { .. });
        let parts: Vec<Part> =
            turn.parts.iter().filter(|part| !is_call(part)).chain(turn.parts.iter().filter(is_call)).cloned().collect();
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        let mut content = self.blocks(&parts)?;
        // A document alone is refused: some text must stand beside it.
        let has = |name: &str| content.iter().any(|block| block.get(name).is_some());
        if has("document") && !has("text") {
            content.push(json!({"text": "."}));
        }
        Ok(json!({"role": role, "content": content}))
    }

    fn blocks(&mut self, parts: &[Part]) -> Result<Vec<Value>, Incompatible> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            let block = match part {
                Part::Text(text) | Part::Refusal(text) if text.trim().is_empty() => continue,
                Part::Text(text) | Part::Refusal(text) => json!({"text": text}),
                Part::Image { source, detail } => {
                    if detail.as_deref().is_some_and(|detail| detail != "auto") {
                        self.drops.quality("messages.image_url.detail")?;
                    }
                    image(source)?
                }
                Part::Document { source, .. } => self.document(source)?,
                Part::ToolCall { id, name, arguments, .. } => self.call(id, name, arguments)?,
                Part::ToolResult { id, parts, is_error } => {
                    blocks.push(self.result(id, parts, *is_error)?);
                    // Within a result there is no place for them.
                    if parts.iter().any(|part| matches!(part, Part::CacheBreak(_))) {
                        self.cache(&mut blocks)?;
                    }
                    continue;
                }
                Part::CacheBreak(_) => {
                    self.cache(&mut blocks)?;
                    continue;
                }
            };
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// A cache point is refused with nothing before it in its message; a second one at the same place says nothing more.
    fn cache(&mut self, blocks: &mut Vec<Value>) -> Result<(), Incompatible> {
        match blocks.last() {
            Some(last) if self.caches && last.get("cachePoint").is_some() => {}
            Some(_) if self.caches && self.points < POINTS_MAX => {
                self.points = self.points.saturating_add(1);
                blocks.push(json!({"cachePoint": {"type": "default"}}));
            }
            Some(_) | None => self.drops.quality(self.from.name_of(Field::CacheControl))?,
        }
        Ok(())
    }

    /// The client's name for a document could steer the model, so it gets one of ours.
    fn document(&mut self, source: &Source) -> Result<Value, Incompatible> {
        let lacking = || Incompatible("files".to_owned());
        let (format, bytes) = match source {
            Source::Text(text) => ("txt", STANDARD.encode(text)),
            Source::Base64 { media_type, data } => {
                let format = DOCUMENTS.iter().find(|(known, _)| known == media_type).ok_or_else(lacking)?;
                (format.1, data.clone())
            }
            Source::Url(_) => return Err(lacking()),
        };
        self.documents = self.documents.saturating_add(1);
        let name = format!("Document {}", self.documents);
        Ok(json!({"document": {"format": format, "name": name, "source": {"bytes": bytes}}}))
    }

    fn call(&mut self, id: &str, name: &str, arguments: &str) -> Result<Value, Incompatible> {
        let input = json_text::object(arguments);
        let input: Value = serde_json::from_slice(input.get().as_bytes())
            .map_err(|_| Incompatible("messages.tool_calls".to_owned()))?;
        let name = names::on_wire(name, CHAT_MAX, self.reply);
        Ok(json!({"toolUse": {"toolUseId": ids::rewritten(id, self.ids), "name": name, "input": input}}))
    }

    fn result(&mut self, id: &str, parts: &[Part], is_error: bool) -> Result<Value, Incompatible> {
        let parts: Vec<Part> = parts.iter().filter(|part| !matches!(part, Part::CacheBreak(_))).cloned().collect();
        let mut content = self.blocks(&parts)?;
        if content.is_empty() {
            content.push(json!({"text": NO_RESULT}));
        }
        let mut result = json!({"toolUseId": ids::rewritten(id, self.ids), "content": content});
        if is_error {
            result["status"] = json!("error");
        }
        Ok(json!({"toolResult": result}))
    }
}

fn image(source: &Source) -> Result<Value, Incompatible> {
    match source {
        Source::Base64 { media_type, data } => match media_type.strip_prefix("image/") {
            Some(format @ ("png" | "jpeg" | "gif" | "webp")) => {
                Ok(json!({"image": {"format": format, "source": {"bytes": data}}}))
            }
            Some(_) | None => Err(Incompatible("image_type".to_owned())),
        },
        Source::Url(_) => Err(Incompatible("image_url".to_owned())),
        Source::Text(_) => Err(Incompatible("image_type".to_owned())),
    }
}
