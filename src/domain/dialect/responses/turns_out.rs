//! Turns as the items of a Responses request.
//!
//! ```text
//! user turn        function_call_output and custom_tool_call_output items, then a message of what is left
//! assistant turn   a message of its text, then function_call and custom_tool_call items
//! system turn      a developer's message, where it stands
//! ```

use std::collections::HashSet;

use crate::domain::dialect::continuity::settled;
use crate::domain::dialect::conversation::{Conversation, Part, Role, Source, Turn};
use crate::domain::dialect::drops::Drops;
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{CallKind, Incompatible, json_text, media};
use serde_json::{Value, json};

/// Writes all turns.
///
/// # Errors
/// [`Incompatible`] with what the wire cannot hold; under `strict` with what would be dropped.
pub fn write(from: &Conversation, drops: &mut Drops, reply: &mut Reply) -> Result<Vec<Value>, Incompatible> {
    let turns = settled(&from.turns, drops)?;
    // The server answers after an assistant's last words; it does not go on with them.
    if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
        drops.quality("messages.prefill")?;
    }
    let calls = turns.iter().flat_map(|turn| &turn.parts).filter_map(custom_call);
    let customs: HashSet<String> = calls.map(|id| ids::rewritten(id, IdRule::Plain)).collect();
    let mut items = Vec::with_capacity(turns.len());
    for turn in &turns {
        items.extend(items_of(turn, &customs, reply)?);
    }
    Ok(items)
}

fn custom_call(part: &Part) -> Option<&str> {
    match part {
        Part::ToolCall { id, kind: CallKind::Custom, .. } => Some(id),
        _ => None,
    }
}

/// The text of a text part.
pub const fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) | Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    }
}

/// One turn as items: results of tools first, since they answer the turn before, then the message, then calls. `customs` are
/// the calls of tools that take text.
fn items_of(turn: &Turn, customs: &HashSet<String>, reply: &mut Reply) -> Result<Vec<Value>, Incompatible> {
    let (mut before, mut content, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match part {
            Part::ToolResult { id, parts, is_error } => {
                let id = ids::rewritten(id, IdRule::Plain);
                let kind = if customs.contains(&id) { "custom_tool_call_output" } else { "function_call_output" };
                before.push(json!({"type": kind, "call_id": id, "output": output_of(parts, *is_error)?}));
            }
            Part::ToolCall { id, name, arguments, kind: CallKind::Custom } => after.push(json!({
                "type": "custom_tool_call",
                "call_id": ids::rewritten(id, IdRule::Plain),
                "name": names::on_wire(name, CHAT_MAX, reply),
                "input": arguments,
            })),
            Part::ToolCall { id, name, arguments, kind: CallKind::Function } => after.push(json!({
                "type": "function_call",
                "call_id": ids::rewritten(id, IdRule::Plain),
                "name": names::on_wire(name, CHAT_MAX, reply),
                // Hosts that make a prompt of them by themselves read them, as those of chat do.
                "arguments": json_text::object(arguments).get(),
            })),
            other => content.extend(part_of(other, turn.role)?),
        }
    }
    let role = match turn.role {
        Role::System => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let message = (!content.is_empty()).then(|| json!({"type": "message", "role": role, "content": content}));
    Ok(before.into_iter().chain(message).chain(after).collect())
}

fn part_of(part: &Part, role: Role) -> Result<Option<Value>, Incompatible> {
    let text_type = if role == Role::Assistant { "output_text" } else { "input_text" };
    Ok(Some(match part {
        Part::Refusal(refusal) if role == Role::Assistant => json!({"type": "refusal", "refusal": refusal}),
        Part::Text(text) | Part::Refusal(text) => json!({"type": text_type, "text": text}),
        Part::Document { source: Source::Text(text), title } => {
            json!({"type": text_type, "text": media::titled(title.as_deref(), text)})
        }
        Part::Image { source, detail } => {
            let url = media::url(source).ok_or_else(|| Incompatible("vision".to_owned()))?;
            json!({"type": "input_image", "image_url": url, "detail": detail.as_deref().unwrap_or("auto")})
        }
        Part::Document { source: Source::Url(url), .. } => json!({"type": "input_file", "file_url": url}),
        Part::Document { source: source @ Source::Base64 { media_type, .. }, title } => {
            let name = media::file_name(title.as_deref(), media_type);
            json!({"type": "input_file", "filename": name, "file_data": media::url(source)})
        }
        Part::CacheBreak(_) | Part::ToolCall { .. } | Part::ToolResult { .. } => return Ok(None),
    }))
}

/// Text alone goes as a string, which every host of this wire takes. There is no flag for errors: the text says it.
fn output_of(parts: &[Part], is_error: bool) -> Result<Value, Incompatible> {
    let texts: Vec<&str> = parts.iter().filter_map(text_of).collect();
    if parts.iter().all(|part| matches!(part, Part::Text(_) | Part::Refusal(_) | Part::CacheBreak(_))) {
        let prefix = if is_error { "Error: " } else { "" };
        return Ok(json!(format!("{prefix}{}", texts.join("\n"))));
    }
    let flag = is_error.then(|| json!({"type": "input_text", "text": "Error:"}));
    let mut list: Vec<Value> = flag.into_iter().collect();
    for part in parts {
        list.extend(part_of(part, Role::User)?);
    }
    Ok(Value::Array(list))
}
