//! The messages of a chat request as turns.
//!
//! ```text
//! system, developer   leading: system; later: a turn of their own
//! user                text, image_url, file
//! assistant           content, refusal, tool_calls | function_call
//! tool, function      a result, part of a user's turn
//! ```

use std::collections::VecDeque;

use crate::domain::dialect::conversation::{Conversation, Field, Part, Role, Source, Turn};
use crate::domain::dialect::messages::turns::cache;
use crate::domain::dialect::{CallKind, Incompatible, hints, media};
use serde_json::Value;

/// Reads the messages.
///
/// # Errors
/// [`Incompatible`] with the path of what no chat API would take.
pub fn read(conversation: &mut Conversation, messages: Option<&Value>) -> Result<(), Incompatible> {
    let messages = messages.and_then(Value::as_array).ok_or_else(|| Incompatible("messages".to_owned()))?;
    let mut nameless = Nameless::default();
    for (n, message) in messages.iter().enumerate() {
        let at = Place { n };
        let role = message.get("role").and_then(Value::as_str).ok_or_else(|| at.bad("role"))?;
        if present(message, "name").is_some() && role != "function" {
            conversation.quality("messages.name");
        }
        match role {
            "system" | "developer" => at.system(conversation, message)?,
            "user" => {
                let parts = at.content(conversation, message)?;
                conversation.turns.push(Turn { role: Role::User, parts });
            }
            "assistant" => at.assistant(conversation, message, &mut nameless)?,
            "tool" => {
                let id = id_in(message, "tool_call_id").unwrap_or_else(|| nameless.result());
                at.result(conversation, message, id)?;
            }
            "function" => at.result(conversation, message, nameless.result())?,
            _ => return Err(at.bad("role")),
        }
    }
    Ok(())
}

/// Calls without an id, as Gemini's endpoint makes them and the retired `functions` were: they are counted out, and a result
/// without one answers the first that waits of the turn that called last.
#[derive(Default)]
struct Nameless {
    made: usize,
    waiting: VecDeque<String>,
}

impl Nameless {
    fn call(&mut self) -> String {
        self.made = self.made.saturating_add(1);
        let id = format!("call_fn_{}", self.made);
        self.waiting.push_back(id.clone());
        id
    }

    fn result(&mut self) -> String {
        self.waiting.pop_front().unwrap_or_else(|| "call_fn_0".to_owned())
    }
}

#[derive(Clone, Copy)]
struct Place {
    n: usize,
}

impl Place {
    fn bad(self, field: &str) -> Incompatible {
        Incompatible(format!("messages[{}].{field}", self.n))
    }

    fn system(self, conversation: &mut Conversation, message: &Value) -> Result<(), Incompatible> {
        let parts = self.content(conversation, message)?;
        match conversation.turns.is_empty() {
            true => conversation.system.extend(parts),
            false => conversation.turns.push(Turn { role: Role::System, parts }),
        }
        Ok(())
    }

    fn assistant(
        self,
        conversation: &mut Conversation,
        message: &Value,
        nameless: &mut Nameless,
    ) -> Result<(), Incompatible> {
        let mut parts = self.content(conversation, message)?;
        if let Some(refusal) = present(message, "refusal").and_then(Value::as_str) {
            parts.push(Part::Refusal(refusal.to_owned()));
        }
        if present(message, "audio").is_some() {
            conversation.semantic("audio");
        }
        let mut reasoned = ["reasoning_content", "reasoning"].into_iter().filter_map(|name| present(message, name));
        if reasoned.any(|reasoning| reasoning != "") {
            conversation.quality("messages.reasoning_content");
        }
        if present(message, "tool_calls").or(present(message, "function_call")).is_some() {
            nameless.waiting.clear();
        }
        for call in present(message, "tool_calls").and_then(Value::as_array).into_iter().flatten() {
            match self.call(call, nameless)? {
                Some(part) => parts.push(part),
                None => conversation.semantic("tool_calls"),
            }
        }
        if let Some(function) = present(message, "function_call") {
            parts.push(self.function(function, nameless.call())?);
        }
        conversation.turns.push(Turn { role: Role::Assistant, parts });
        Ok(())
    }

    fn call(self, call: &Value, nameless: &mut Nameless) -> Result<Option<Part>, Incompatible> {
        let mut id = || id_in(call, "id").unwrap_or_else(|| nameless.call());
        match (present(call, "function"), present(call, "custom")) {
            (Some(function), _) => self.function(function, id()).map(Some),
            (None, Some(custom)) => self.custom(custom, id()).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn function(self, function: &Value, id: String) -> Result<Part, Incompatible> {
        let name = function.get("name").and_then(Value::as_str).ok_or_else(|| self.bad("tool_calls.function.name"))?;
        let arguments = match function.get("arguments") {
            Some(Value::String(json)) => json.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        Ok(Part::ToolCall { id, name: name.to_owned(), arguments, kind: CallKind::Function })
    }

    fn custom(self, custom: &Value, id: String) -> Result<Part, Incompatible> {
        let field = |name: &str| {
            let text = custom.get(name).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| self.bad(&format!("tool_calls.custom.{name}")))
        };
        Ok(Part::ToolCall { id, name: field("name")?, arguments: field("input")?, kind: CallKind::Custom })
    }

    fn result(self, conversation: &mut Conversation, message: &Value, id: String) -> Result<(), Incompatible> {
        let parts = self.content(conversation, message)?;
        let result = Part::ToolResult { id, parts, is_error: false };
        conversation.turns.push(Turn { role: Role::User, parts: vec![result] });
        Ok(())
    }

    fn content(self, conversation: &mut Conversation, message: &Value) -> Result<Vec<Part>, Incompatible> {
        match message.get("content") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![Part::Text(text.clone())]),
            Some(Value::Array(parts)) => {
                let mut read = Vec::with_capacity(parts.len());
                for (m, part) in parts.iter().enumerate() {
                    if let Some(known) = self.part(conversation, part, m)? {
                        read.push(known);
                    }
                    if let Some(breakpoint) = hints::breakpoint(part) {
                        read.push(breakpoint);
                    } else if let Some(cache) = cache(part) {
                        // Anthropic's own word, as routers to its models take it from chat's clients.
                        conversation.spell(Field::CacheControl, "cache_control");
                        read.push(Part::CacheBreak(cache));
                    }
                }
                Ok(read)
            }
            Some(_) => Err(self.bad("content")),
        }
    }

    fn part(self, conversation: &mut Conversation, part: &Value, m: usize) -> Result<Option<Part>, Incompatible> {
        let kind = part.get("type").and_then(Value::as_str);
        let bad = |field: &str| self.bad(&format!("content[{m}].{field}"));
        let text = |name: &str| part.get(name).and_then(Value::as_str);
        match kind {
            Some("text") => Ok(Some(Part::Text(text("text").ok_or_else(|| bad("text"))?.to_owned()))),
            Some("refusal") => Ok(Some(Part::Refusal(text("refusal").ok_or_else(|| bad("refusal"))?.to_owned()))),
            Some("image_url") => {
                let image = part.get("image_url").ok_or_else(|| bad("image_url"))?;
                let url = image.as_str().or_else(|| image.get("url").and_then(Value::as_str));
                let source = url.and_then(media::source).ok_or_else(|| bad("image_url.url"))?;
                let detail = image.get("detail").and_then(Value::as_str).map(str::to_owned);
                Ok(Some(Part::Image { source, detail }))
            }
            Some("file") => Ok(file(conversation, part)),
            // What a model thought, as Mistral's and some routers' answers have it, is bound to it.
            Some("thinking" | "redacted_thinking") => {
                conversation.quality("messages.thinking");
                Ok(None)
            }
            Some("input_audio") => {
                conversation.semantic("audio");
                Ok(None)
            }
            Some(other) => {
                conversation.semantic(other);
                Ok(None)
            }
            None => Err(bad("type")),
        }
    }
}

/// A file with its data; one known by an id belongs to the account that made it.
fn file(conversation: &mut Conversation, part: &Value) -> Option<Part> {
    let text = |name: &str| part.pointer(&format!("/file/{name}")).and_then(Value::as_str);
    let source = text("file_data").and_then(media::source).filter(|source| matches!(source, Source::Base64 { .. }));
    match source {
        Some(source) => Some(Part::Document { source, title: text("filename").map(str::to_owned) }),
        None => {
            conversation.semantic("files");
            None
        }
    }
}

fn present<'a>(message: &'a Value, field: &str) -> Option<&'a Value> {
    message.get(field).filter(|value| !value.is_null())
}

/// The id in a field, where there is one.
fn id_in(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned)
}
