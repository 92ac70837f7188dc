//! Turns as chat messages.
//!
//! ```text
//! user turn with results   one `tool` message each, in order; then one user message: what results held of images, and the rest
//! assistant turn           text joined, `tool_calls`; content null when there are only calls
//! system turn              stays where it is, unless the host insists on an order
//! ```
//! Tool messages hold text alone: an image that a tool gave back is announced there and shown in the user message after it.

use crate::domain::dialect::chat::order;
use crate::domain::dialect::continuity::settled;
use crate::domain::dialect::conversation::{Conversation, Field, Part, Role, Source, Turn};
use crate::domain::dialect::drops::{Drops, says_no_word};
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::json_text;
use crate::domain::dialect::media;
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{CallKind, Incompatible};
use serde_json::{Value, json};

/// How this target wants its messages.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// `system` or `developer`.
    pub system: &'static str,
    pub ids: IdRule,
    /// PDFs as `file` parts.
    pub files: bool,
    /// Images by an address on the web, and not by their data alone.
    pub image_urls: bool,
    /// Several texts of a user's as a list, and not as one with blank lines between.
    pub text_lists: bool,
    /// `prompt_cache_breakpoint` on parts.
    pub cache: bool,
    /// What an assistant refused stands in `refusal`, and not in the text.
    pub refusals: bool,
    /// Gemini 3 wants a signature on the first call of each step; this stands for one made elsewhere.
    pub signature: Option<&'static str>,
    /// Users' and assistants' messages must take turns, with the system's before them all.
    pub ordered: bool,
    /// A turn with calls must say what was thought before them: a blank stands for what another model thought.
    pub recalls: bool,
}

/// Writes the messages of one request.
pub struct Writer<'a> {
    pub from: &'a Conversation,
    pub manner: Manner,
    pub drops: &'a mut Drops,
    pub reply: &'a mut Reply,
}

impl Writer<'_> {
    /// All messages.
    ///
    /// # Errors
    /// [`Incompatible`] with what the host cannot read; under `strict` with what would be dropped.
    pub fn write(&mut self) -> Result<Vec<Value>, Incompatible> {
        let (system, mut turns) = match self.manner.ordered {
            true => order::strict(self.from, self.drops)?,
            false => (self.from.system.clone(), settled(&self.from.turns, self.drops)?),
        };
        if self.manner.ids == IdRule::Made {
            order::counted(&mut turns, self.reply);
        }
        let mut messages = Vec::with_capacity(turns.len().saturating_add(1));
        if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
            self.drops.quality("messages.prefill")?;
        }
        let content = self.system(&system)?;
        if !content.is_empty() {
            messages.push(json!({"role": self.manner.system, "content": content}));
        }
        for turn in &turns {
            self.turn(turn, &mut messages)?;
        }
        if self.manner.ordered {
            messages = order::bridged(messages);
        }
        match messages.is_empty() {
            true => Err(says_no_word(self.from)),
            false => Ok(messages),
        }
    }

    fn turn(&mut self, turn: &Turn, messages: &mut Vec<Value>) -> Result<(), Incompatible> {
        match turn.role {
            Role::System => {
                let content = self.system(&turn.parts)?;
                messages.push(json!({"role": self.manner.system, "content": content}));
            }
            Role::User => self.user(&turn.parts, messages)?,
            Role::Assistant => messages.push(self.assistant(&turn.parts)?),
        }
        Ok(())
    }

    /// One block is its text, several are joined by a blank line: hosts differ on lists here.
    fn system(&mut self, parts: &[Part]) -> Result<String, Incompatible> {
        let mut texts: Vec<&str> = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) if text.is_empty() => {}
                Part::Text(text) | Part::Refusal(text) => texts.push(text),
                Part::CacheBreak(_) => self.drops.quality(self.from.name_of(Field::CacheControl))?,
                _ => return Err(Incompatible("system".to_owned())),
            }
        }
        Ok(texts.join("\n\n"))
    }

    fn user(&mut self, parts: &[Part], messages: &mut Vec<Value>) -> Result<(), Incompatible> {
        let mut shown = Vec::new();
        for part in parts {
            if let Part::ToolResult { id, parts, is_error } = part {
                let id = ids::rewritten(id, self.manner.ids);
                let content = self.result(&id, parts, *is_error, &mut shown)?;
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
            }
        }
        let rest: Vec<Part> = parts.iter().filter(|part| !matches!(part, Part::ToolResult { .. })).cloned().collect();
        let mut content = shown;
        content.extend(self.parts(&rest)?);
        match content.as_slice() {
            [] => {}
            [only] if only["type"] == "text" && only.get("prompt_cache_breakpoint").is_none() => {
                messages.push(json!({"role": "user", "content": only["text"]}));
            }
            parts => {
                let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
                messages.push(match texts.filter(|_| !self.manner.text_lists) {
                    Some(texts) => json!({"role": "user", "content": texts.join("\n\n")}),
                    None => json!({"role": "user", "content": parts}),
                });
            }
        }
        Ok(())
    }

    fn result(
        &mut self,
        id: &str,
        parts: &[Part],
        is_error: bool,
        shown: &mut Vec<Value>,
    ) -> Result<String, Incompatible> {
        let mut texts: Vec<String> = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => texts.push(text.clone()),
                Part::Image { .. } => {
                    texts.push(format!("[image returned by tool {id}, see next message]"));
                    shown.extend(self.parts(std::slice::from_ref(part))?);
                }
                Part::Document { source, title } => match media::text_of(source) {
                    Some(text) => texts.push(media::titled(title.as_deref(), &text)),
                    None => {
                        texts.push(format!("[document returned by tool {id}, see next message]"));
                        shown.extend(self.parts(std::slice::from_ref(part))?);
                    }
                },
                Part::CacheBreak(_) => self.drops.quality(self.from.name_of(Field::CacheControl))?,
                Part::ToolCall { .. } | Part::ToolResult { .. } => {
                    return Err(Incompatible("messages.tool_result".to_owned()));
                }
            }
        }
        let text = texts.join("\n");
        Ok(if is_error { format!("Error: {text}") } else { text })
    }

    fn parts(&mut self, parts: &[Part]) -> Result<Vec<Value>, Incompatible> {
        let mut out: Vec<Value> = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => out.push(json!({"type": "text", "text": text})),
                Part::Image { source, detail } => out.push(self.image(source, detail.as_deref())?),
                Part::Document { source, title } => out.push(self.document(source, title.as_deref())?),
                Part::CacheBreak(_) => match out.last_mut().filter(|_| self.manner.cache) {
                    Some(last) => last["prompt_cache_breakpoint"] = json!({"mode": "explicit"}),
                    None => self.drops.quality(self.from.name_of(Field::CacheControl))?,
                },
                Part::ToolCall { .. } | Part::ToolResult { .. } => {
                    return Err(Incompatible("messages.content".to_owned()));
                }
            }
        }
        Ok(out)
    }

    fn document(&self, source: &Source, title: Option<&str>) -> Result<Value, Incompatible> {
        if let Some(text) = media::text_of(source) {
            return Ok(json!({"type": "text", "text": media::titled(title, &text)}));
        }
        match source {
            Source::Base64 { media_type, .. } if self.manner.files && media_type == "application/pdf" => {
                let name = media::file_name(title, media_type);
                Ok(json!({"type": "file", "file": {"filename": name, "file_data": media::url(source)}}))
            }
            Source::Base64 { .. } | Source::Url(_) | Source::Text(_) => Err(Incompatible("files".to_owned())),
        }
    }

    fn assistant(&mut self, parts: &[Part]) -> Result<Value, Incompatible> {
        let (mut text, mut refusal, mut calls) = (None::<String>, None::<String>, Vec::new());
        for part in parts {
            match part {
                Part::Refusal(piece) if self.manner.refusals => refusal.get_or_insert_default().push_str(piece),
                Part::Text(piece) | Part::Refusal(piece) => text.get_or_insert_default().push_str(piece),
                Part::ToolCall { id, name, arguments, kind: CallKind::Function } => {
                    let call = self.call(id, name, arguments, calls.is_empty());
                    calls.push(call);
                }
                Part::ToolCall { id, name, arguments, kind: CallKind::Custom } => {
                    let custom = json!({"name": names::on_wire(name, CHAT_MAX, self.reply), "input": arguments});
                    let id = ids::rewritten(id, self.manner.ids);
                    calls.push(json!({"id": id, "type": "custom", "custom": custom}));
                }
                Part::CacheBreak(_) => self.drops.quality(self.from.name_of(Field::CacheControl))?,
                Part::Image { .. } | Part::Document { .. } | Part::ToolResult { .. } => {
                    return Err(Incompatible("messages.content".to_owned()));
                }
            }
        }
        let mut message = json!({"role": "assistant", "content": text});
        if let Some(refusal) = refusal {
            message["refusal"] = refusal.into();
        }
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
            if self.manner.recalls {
                message["reasoning_content"] = json!(" ");
            }
        }
        Ok(message)
    }

    fn call(&mut self, id: &str, name: &str, arguments: &str, first: bool) -> Value {
        // Many hosts read them with every request, and refuse the conversation for what was cut off once.
        let arguments = json_text::object(arguments);
        let name = names::on_wire(name, CHAT_MAX, self.reply);
        let function = json!({"name": name, "arguments": arguments.get()});
        let mut call = json!({"id": ids::rewritten(id, self.manner.ids), "type": "function", "function": function});
        if let Some(signature) = self.manner.signature.filter(|_| first) {
            call["extra_content"] = json!({"google": {"thought_signature": signature}});
        }
        call
    }

    fn image(&self, source: &Source, detail: Option<&str>) -> Result<Value, Incompatible> {
        let url = media::url(source).ok_or_else(|| Incompatible("vision".to_owned()))?;
        let of_the_web = url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        if of_the_web && !self.manner.image_urls {
            return Err(Incompatible("image_url".to_owned()));
        }
        let mut image = json!({"url": url});
        if let Some(detail) = detail {
            image["detail"] = json!(if detail == "original" { "high" } else { detail });
        }
        Ok(json!({"type": "image_url", "image_url": image}))
    }
}
