//! Turns as Anthropic's messages.
//!
//! ```text
//! system turns in between     hoisted to `system`, and recorded; behind a user's where the model takes them there: they stay
//! the first turn              is a user's: "." stands before an assistant's
//! the last turn               is a user's, or the beginning of the answer where the model takes one, right-trimmed
//! blocks of an assistant      text first, calls last; blocks of a user: results first
//! cache breaks                `cache_control` on the block before, at most four
//! ```

use std::collections::HashSet;

use crate::domain::dialect::continuity::settled;
use crate::domain::dialect::conversation::{Cache, Conversation, Field, Part, Role, Source, Turn};
use crate::domain::dialect::drops::{Drops, says_no_word};
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::messages::claude::Claude;
use crate::domain::dialect::names::{self, MESSAGES_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::schema::WRAP;
use crate::domain::dialect::{Incompatible, Wire, json_text, media};
use serde_json::{Value, json};

/// The images that Anthropic reads.
const IMAGES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
/// The most cache breakpoints that one request may have.
const BREAKS_MAX: usize = 4;
/// Stands where a user's turn is missing at the end.
const GO_ON: &str = "Continue.";

/// Writes the turns of one request.
pub struct Blocks<'a> {
    from: &'a Conversation,
    wire: Wire,
    drops: &'a mut Drops,
    reply: &'a mut Reply,
    breaks: usize,
}

/// What came of them.
pub struct Written {
    pub system: Vec<Value>,
    pub messages: Vec<Value>,
}

impl<'a> Blocks<'a> {
    /// Nothing written yet.
    pub fn new(from: &'a Conversation, wire: Wire, drops: &'a mut Drops, reply: &'a mut Reply) -> Blocks<'a> {
        Blocks { from, wire, drops, reply, breaks: 0 }
    }

    /// Writes system and messages, as this generation of Claude takes them.
    ///
    /// # Errors
    /// [`Incompatible`] with what Anthropic cannot read; under `strict` with what would be dropped.
    pub fn write(&mut self, claude: &Claude) -> Result<Written, Incompatible> {
        let mut system: Vec<Part> = self.from.system.clone();
        let turns = self.without_system(claude, &mut system)?;
        let system = self.blocks(&system)?;
        let mut turns = settled(&turns, self.drops)?;
        if turns.is_empty() && system.is_empty() {
            return Err(says_no_word(self.from));
        }
        if turns.first().is_none_or(|turn| turn.role != Role::User) {
            turns.insert(0, Turn { role: Role::User, parts: vec![Part::Text(".".to_owned())] });
        }
        self.last(&mut turns, claude.prefill)?;
        let mut messages = Vec::with_capacity(turns.len());
        for turn in &turns {
            messages.push(self.message(turn)?);
        }
        Ok(Written { system, messages })
    }

    /// The turns without those of the system, which are hoisted, but for those that the model takes where they stand: behind a
    /// user's turn, before an assistant's or at the end.
    fn without_system(&mut self, claude: &Claude, system: &mut Vec<Part>) -> Result<Vec<Turn>, Incompatible> {
        // Other hosts have not said that they take them.
        let stays = claude.mid_system && self.wire == Wire::Messages;
        let all = if stays { settled(&self.from.turns, self.drops)? } else { self.from.turns.clone() };
        let mut kept: Vec<Turn> = Vec::with_capacity(all.len());
        for (n, turn) in all.iter().enumerate() {
            let fits = kept.last().is_some_and(|last| last.role == Role::User)
                && all.get(n + 1).is_none_or(|next| next.role == Role::Assistant);
            if turn.role == Role::System && !(stays && fits) {
                self.drops.quality("messages.role")?;
                system.extend(turn.parts.iter().cloned());
            } else {
                kept.push(turn.clone());
            }
        }
        Ok(kept)
    }

    fn last(&mut self, turns: &mut Vec<Turn>, prefill: bool) -> Result<(), Incompatible> {
        let Some(last) = turns.last_mut().filter(|turn| turn.role == Role::Assistant) else { return Ok(()) };
        if !prefill {
            self.drops.quality("messages.prefill")?;
            turns.push(Turn { role: Role::User, parts: vec![Part::Text(GO_ON.to_owned())] });
            return Ok(());
        }
        if let Some(Part::Text(text) | Part::Refusal(text)) = last.parts.last_mut() {
            text.truncate(text.trim_end().len());
        }
        last.parts.retain(|part| !matches!(part, Part::Text(text) | Part::Refusal(text) if text.is_empty()));
        if last.parts.is_empty() {
            turns.pop();
        }
        Ok(())
    }

    fn message(&mut self, turn: &Turn) -> Result<Value, Incompatible> {
        let (role, parts) = match turn.role {
            Role::Assistant => {
                let is_call = |part: &&Part| matches!(part, Part::ToolCall { .. });
                let said = turn.parts.iter().filter(|part| !is_call(part));
                ("assistant", said.chain(turn.parts.iter().filter(is_call)).cloned().collect())
            }
            Role::User => ("user", turn.parts.clone()),
            Role::System => ("system", turn.parts.clone()),
        };
        Ok(json!({"role": role, "content": self.blocks(&parts)?}))
    }

    fn blocks(&mut self, parts: &[Part]) -> Result<Vec<Value>, Incompatible> {
        let mut blocks: Vec<Value> = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) if text.trim().is_empty() => {}
                Part::Text(text) | Part::Refusal(text) => blocks.push(json!({"type": "text", "text": text})),
                Part::Image { source, detail } => blocks.push(self.image(source, detail.as_deref())?),
                Part::Document { source, title } => blocks.push(self.document(source, title.as_deref())?),
                Part::ToolCall { id, name, arguments, .. } => blocks.push(self.call(id, name, arguments)?),
                Part::ToolResult { id, parts, is_error } => blocks.push(self.result(id, parts, *is_error)?),
                Part::CacheBreak(cache) => self.cache(blocks.last_mut(), *cache)?,
            }
        }
        Ok(blocks)
    }

    fn cache(&mut self, block: Option<&mut Value>, cache: Cache) -> Result<(), Incompatible> {
        let Some(block) = block.filter(|_| self.breaks < BREAKS_MAX) else {
            return self.drops.quality(self.from.name_of(Field::CacheControl));
        };
        self.breaks = self.breaks.saturating_add(1);
        block["cache_control"] = match cache {
            Cache::Short => json!({"type": "ephemeral"}),
            Cache::Long => json!({"type": "ephemeral", "ttl": "1h"}),
        };
        Ok(())
    }

    fn image(&mut self, source: &Source, detail: Option<&str>) -> Result<Value, Incompatible> {
        if detail.is_some_and(|detail| detail != "auto") {
            self.drops.quality("messages.image_url.detail")?;
        }
        match source {
            Source::Base64 { media_type, data } if IMAGES.contains(&media_type.as_str()) => {
                let source = json!({"type": "base64", "media_type": media_type, "data": data});
                Ok(json!({"type": "image", "source": source}))
            }
            Source::Url(url) if self.wire == Wire::Messages => {
                Ok(json!({"type": "image", "source": {"type": "url", "url": url}}))
            }
            Source::Url(_) => Err(Incompatible("image_url".to_owned())),
            Source::Base64 { .. } | Source::Text(_) => Err(Incompatible("image_type".to_owned())),
        }
    }

    fn document(&self, source: &Source, title: Option<&str>) -> Result<Value, Incompatible> {
        let source = match source {
            Source::Base64 { media_type, data } if media_type == "application/pdf" => {
                json!({"type": "base64", "media_type": media_type, "data": data})
            }
            Source::Url(url) if self.wire == Wire::Messages => json!({"type": "url", "url": url}),
            source => {
                let text = media::text_of(source).ok_or_else(|| Incompatible("files".to_owned()))?;
                json!({"type": "text", "media_type": "text/plain", "data": text})
            }
        };
        let mut block = json!({"type": "document", "source": source});
        if let Some(title) = title {
            block["title"] = json!(title);
        }
        Ok(block)
    }

    fn call(&mut self, id: &str, name: &str, arguments: &str) -> Result<Value, Incompatible> {
        let input = json_text::object(arguments);
        let mut input: Value = serde_json::from_slice(input.get().as_bytes())
            .map_err(|_| Incompatible("messages.tool_calls".to_owned()))?;
        let name = names::on_wire(name, MESSAGES_MAX, self.reply);
        if self.reply.wrapped.contains(&name) {
            input = json!({WRAP: input});
        }
        Ok(json!({"type": "tool_use", "id": ids::rewritten(id, IdRule::Plain), "name": name, "input": input}))
    }

    fn result(&mut self, id: &str, parts: &[Part], is_error: bool) -> Result<Value, Incompatible> {
        let mut block = json!({"type": "tool_result", "tool_use_id": ids::rewritten(id, IdRule::Plain)});
        match parts {
            [] => {}
            [Part::Text(text)] => block["content"] = json!(text),
            parts => block["content"] = Value::Array(self.blocks(parts)?),
        }
        if is_error {
            block["is_error"] = json!(true);
        }
        Ok(block)
    }
}

/// Minimal definitions of the tools that the history calls, for a request that brings none.
pub fn called_tools(from: &Conversation, reply: &mut Reply) -> Vec<Value> {
    let (mut names, mut known): (Vec<String>, HashSet<String>) = (Vec::new(), HashSet::new());
    for part in from.turns.iter().flat_map(|turn| &turn.parts) {
        if let Part::ToolCall { name, .. } = part {
            let name = names::on_wire(name, MESSAGES_MAX, reply);
            if known.insert(name.clone()) {
                names.push(name);
            }
        }
    }
    let define = |name: String| json!({"name": name, "input_schema": {"type": "object", "properties": {}}});
    names.into_iter().map(define).collect()
}
