//! System and messages of an Anthropic request as turns.
//!
//! Thinking stays behind: its signatures are bound to the provider that made them. So does what hosted tools left in the
//! history, which makes the conversation one for Anthropic alone.

use crate::domain::dialect::conversation::{Cache, Conversation, Part, Role, Source, Turn};
use crate::domain::dialect::{CallKind, Incompatible, media};
use serde_json::Value;

/// Claude Code puts a block that begins so first; it changes with every request, and Bedrock refuses it.
pub const BILLING_HEADER: &str = "x-anthropic-billing-header:";

/// A block of a turn that holds the system's words.
const MID_SYSTEM: &str = "mid_conv_system";

/// Reads the system prompt, without a billing header.
///
/// # Errors
/// [`Incompatible`] with the path of what Anthropic's API would not take.
pub fn system(conversation: &mut Conversation, system: Option<&Value>) -> Result<(), Incompatible> {
    let parts = Place("system".to_owned()).parts(conversation, system.unwrap_or(&Value::Null))?;
    let (mut kept, mut skipping) = (Vec::new(), false);
    for part in parts {
        match &part {
            Part::Text(text) => skipping = text.starts_with(BILLING_HEADER),
            Part::CacheBreak(_) => {}
            _ => return Err(Incompatible("system".to_owned())),
        }
        if !skipping {
            kept.push(part);
        }
    }
    conversation.system = kept;
    Ok(())
}

/// Reads the messages.
///
/// # Errors
/// [`Incompatible`] with the path of what Anthropic's API would not take.
pub fn read(conversation: &mut Conversation, messages: Option<&Value>) -> Result<(), Incompatible> {
    let messages = messages.and_then(Value::as_array).ok_or_else(|| Incompatible("messages".to_owned()))?;
    for (n, message) in messages.iter().enumerate() {
        let role = match message.get("role").and_then(Value::as_str) {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => return Err(Incompatible(format!("messages[{n}].role"))),
        };
        let place = Place(format!("messages[{n}].content"));
        let content = message.get("content").unwrap_or(&Value::Null);
        let parts = place.parts(conversation, content)?;
        conversation.turns.push(Turn { role, parts });
        let parts = place.instructions(conversation, content)?;
        if !parts.is_empty() {
            conversation.turns.push(Turn { role: Role::System, parts });
        }
    }
    Ok(())
}

/// Where in the body the reading is, for errors.
struct Place(String);

impl Place {
    fn bad(&self, n: usize, field: &str) -> Incompatible {
        Incompatible(format!("{}[{n}].{field}", self.0))
    }

    fn parts(&self, conversation: &mut Conversation, content: &Value) -> Result<Vec<Part>, Incompatible> {
        match content {
            Value::Null => Ok(Vec::new()),
            Value::String(text) => Ok(vec![Part::Text(text.clone())]),
            Value::Array(blocks) => {
                let mut parts = Vec::with_capacity(blocks.len());
                for (n, block) in blocks.iter().enumerate() {
                    self.block(conversation, block, n, &mut parts)?;
                    if let Some(cache) = cache(block).filter(|_| !is_instruction(block)) {
                        parts.push(Part::CacheBreak(cache));
                    }
                }
                Ok(parts)
            }
            _ => Err(Incompatible(self.0.clone())),
        }
    }

    /// The system's words at the end of a turn, the only place where the API takes them.
    fn instructions(&self, conversation: &mut Conversation, content: &Value) -> Result<Vec<Part>, Incompatible> {
        let mut parts = Vec::new();
        for (n, block) in
            content.as_array().into_iter().flatten().enumerate().filter(|(_, block)| is_instruction(block))
        {
            let inner = Place(format!("{}[{n}].content", self.0));
            parts.extend(inner.results(conversation, block.get("content").unwrap_or(&Value::Null))?);
            parts.extend(cache(block).map(Part::CacheBreak));
        }
        Ok(parts)
    }

    fn block(
        &self,
        conversation: &mut Conversation,
        block: &Value,
        n: usize,
        parts: &mut Vec<Part>,
    ) -> Result<(), Incompatible> {
        let text = |name: &str| block.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = text("type").ok_or_else(|| self.bad(n, "type"))?;
        // The client looks for them in the answer.
        if block.pointer("/citations/enabled").and_then(Value::as_bool) == Some(true) {
            conversation.semantic("citations");
        }
        match kind.as_str() {
            "text" => parts.push(Part::Text(text("text").ok_or_else(|| self.bad(n, "text"))?)),
            "image" => match source(block.get("source")) {
                Some(source) => parts.push(Part::Image { source, detail: None }),
                None => conversation.semantic("files"),
            },
            "document" => self.document(conversation, block, n, parts)?,
            "search_result" => parts.push(Part::Text(search_result(block))),
            "tool_use" => parts.push(Part::ToolCall {
                id: text("id").ok_or_else(|| self.bad(n, "id"))?,
                name: text("name").ok_or_else(|| self.bad(n, "name"))?,
                arguments: block.get("input").map_or_else(|| "{}".to_owned(), Value::to_string),
                kind: CallKind::Function,
            }),
            "tool_result" => {
                let inner = Place(format!("{}[{n}].content", self.0));
                parts.push(Part::ToolResult {
                    id: text("tool_use_id").ok_or_else(|| self.bad(n, "tool_use_id"))?,
                    parts: inner.results(conversation, block.get("content").unwrap_or(&Value::Null))?,
                    is_error: block.get("is_error").and_then(Value::as_bool).unwrap_or(false),
                });
            }
            "thinking" | "redacted_thinking" => conversation.quality("messages.thinking"),
            // Says which model of a request's `fallbacks` answered, and is never shown to one.
            "fallback" => conversation.quality("messages.fallback"),
            MID_SYSTEM => {}
            "container_upload" => conversation.semantic("files"),
            "server_tool_use" | "mcp_tool_use" => conversation.semantic("hosted_tools"),
            result if result.ends_with("_tool_result") => conversation.semantic("hosted_tools"),
            other => conversation.semantic(other),
        }
        Ok(())
    }

    /// A tool's result holds no calls and results of its own: so the reading cannot go deeper.
    fn results(&self, conversation: &mut Conversation, content: &Value) -> Result<Vec<Part>, Incompatible> {
        let nested =
            |block: &Value| matches!(block.get("type").and_then(Value::as_str), Some("tool_use" | "tool_result"));
        match content.as_array().is_some_and(|blocks| blocks.iter().any(nested)) {
            true => Err(Incompatible(self.0.clone())),
            false => self.parts(conversation, content),
        }
    }

    fn document(
        &self,
        conversation: &mut Conversation,
        block: &Value,
        n: usize,
        parts: &mut Vec<Part>,
    ) -> Result<(), Incompatible> {
        let text = |name: &str| block.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let title = text("title").map(str::to_owned);
        // What it is about: no other wire has a place for it beside the document.
        parts.extend(text("context").map(|context| Part::Text(context.to_owned())));
        let from = block.get("source");
        let content = from.filter(|from| from.get("type").is_some_and(|kind| kind == "content"));
        if let Some(content) = content.and_then(|from| from.get("content")) {
            parts.extend(title.map(Part::Text));
            let inner = Place(format!("{}[{n}].source.content", self.0));
            parts.extend(inner.results(conversation, content)?);
            return Ok(());
        }
        match source(from) {
            Some(source) => parts.push(Part::Document { source, title }),
            None => conversation.semantic("files"),
        }
        Ok(())
    }
}

fn source(source: Option<&Value>) -> Option<Source> {
    let text = |name: &str| source?.get(name)?.as_str().map(str::to_owned);
    match text("type")?.as_str() {
        "base64" => {
            Some(Source::Base64 { media_type: media::media_type_of(&text("media_type")?), data: text("data")? })
        }
        "url" => Some(Source::Url(text("url")?)),
        "text" => Some(Source::Text(text("data")?)),
        _ => None,
    }
}

fn search_result(block: &Value) -> String {
    let texts = block.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts = texts.filter_map(|part| part.get("text").and_then(Value::as_str));
    let head = ["title", "source"].into_iter().filter_map(|name| block.get(name).and_then(Value::as_str));
    head.chain(texts).collect::<Vec<_>>().join("\n")
}

fn is_instruction(block: &Value) -> bool {
    block.get("type").is_some_and(|kind| kind == MID_SYSTEM)
}

/// The cache marker of a block or tool.
pub(in crate::domain::dialect) fn cache(block: &Value) -> Option<Cache> {
    let control = block.get("cache_control").filter(|control| control.is_object())?;
    match control.get("ttl").and_then(Value::as_str) {
        Some("1h") => Some(Cache::Long),
        _ => Some(Cache::Short),
    }
}
