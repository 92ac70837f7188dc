//! A Messages client's request as a [`Conversation`]: the fields around its turns, which are read in `turns.rs`.

use crate::domain::dialect::conversation::{Conversation, Effort, Field, OutputFormat, Thinking, Tool, ToolChoice};
use crate::domain::dialect::drops::says_nothing;
use crate::domain::dialect::json_text::count;
use crate::domain::dialect::messages::turns;
use crate::domain::dialect::{Incompatible, unread};
use crate::domain::route::Family;
use serde_json::Value;

/// Decodes a client's body. What a conversation cannot hold is kept as residue.
///
/// # Errors
/// [`Incompatible`] with the path of a field that Anthropic's API would not take.
pub fn decode(body: &Value) -> Result<Conversation, Incompatible> {
    let fields = body.as_object().ok_or_else(|| bad("body"))?;
    let mut conversation = Conversation::new(Family::Messages);
    turns::system(&mut conversation, fields.get("system"))?;
    for (name, value) in fields {
        if !value.is_null() {
            field(&mut conversation, name, value)?;
        }
    }
    turns::read(&mut conversation, fields.get("messages"))?;
    unread::of_messages(&mut conversation, body);
    Ok(conversation)
}

fn field(conversation: &mut Conversation, name: &str, value: &Value) -> Result<(), Incompatible> {
    match name {
        "model" | "messages" | "system" => {}
        // Zero fills the cache and answers nothing: no other family can.
        "max_tokens" if count(value) == Some(0) => conversation.semantic("max_tokens"),
        "max_tokens" => conversation.max_output_tokens = Some(count(value).ok_or_else(|| bad(name))?),
        "temperature" => conversation.temperature = Some(value.as_f64().ok_or_else(|| bad(name))?),
        "top_p" => conversation.top_p = Some(value.as_f64().ok_or_else(|| bad(name))?),
        "top_k" => conversation.top_k = Some(count(value).ok_or_else(|| bad(name))?),
        "stop_sequences" => {
            let stops = value.as_array().ok_or_else(|| bad(name))?;
            conversation.stop = stops.iter().filter_map(text).collect();
        }
        "stream" => conversation.stream = value.as_bool().ok_or_else(|| bad(name))?,
        "tools" => tools(conversation, value)?,
        "tool_choice" => tool_choice(conversation, value)?,
        "thinking" => thinking(conversation, value),
        "output_config" => output_config(conversation, value)?,
        "output_format" => {
            conversation.output = format(value)?;
            conversation.spell(Field::OutputFormat, "output_format");
        }
        "metadata" => conversation.user = value.get("user_id").and_then(text),
        "service_tier" => {
            conversation.service_tier = text(value).map(|tier| match tier.as_str() {
                "standard_only" => "default".to_owned(),
                _ => tier,
            });
        }
        // That it may run anywhere holds everywhere.
        "inference_geo" if value == "global" => {}
        // The last asks for a summary of the conversation in place of an answer.
        "container" | "mcp_servers" | "inference_geo" | "compaction" => {
            if value.as_array().is_none_or(|servers| !servers.is_empty()) {
                conversation.semantic(name);
            }
        }
        // The server that answered before holds what came before.
        "thread" if continues(value) => conversation.semantic(name),
        // Neither is more than what holds without it: a thread that begins is all here, and may be lost at any time.
        "thread" => {}
        "speed" if value == "standard" => {}
        _ if says_nothing(value) => {}
        _ => conversation.quality(name),
    }
    Ok(())
}

/// Whether a `thread` goes on from an answer before, so that only what is new is in the body.
pub fn continues(thread: &Value) -> bool {
    thread.get("type").and_then(Value::as_str) == Some("continue")
}

fn tools(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    for (n, tool) in value.as_array().ok_or_else(|| bad("tools"))?.iter().enumerate() {
        match tool.get("type").and_then(Value::as_str) {
            None | Some("custom") => {
                let name = tool.get("name").and_then(text).ok_or_else(|| bad(&format!("tools[{n}].name")))?;
                for hint in ["defer_loading", "eager_input_streaming", "input_examples", "allowed_callers"] {
                    if tool.get(hint).is_some_and(|value| !says_nothing(value)) {
                        conversation.quality(format!("tools.{hint}"));
                    }
                }
                conversation.tools.push(Tool {
                    name,
                    description: tool.get("description").and_then(text),
                    schema: tool.get("input_schema").filter(|schema| !schema.is_null()).cloned(),
                    strict: tool.get("strict").and_then(Value::as_bool),
                    cache: turns::cache(tool),
                    custom: None,
                });
            }
            // Anthropic runs it, or its model alone knows its schema.
            Some(kind) => conversation.semantic(hosted(kind)),
        }
    }
    Ok(())
}

/// A hosted tool's name without its date: `web_search_20250305` is `web_search`.
fn hosted(kind: &str) -> &str {
    kind.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_')
}

fn tool_choice(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    conversation.tool_choice = Some(match value.get("type").and_then(Value::as_str) {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => {
            let name = value.get("name").and_then(text).ok_or_else(|| bad("tool_choice.name"))?;
            ToolChoice::Named(name)
        }
        _ => return Err(bad("tool_choice.type")),
    });
    if value.get("disable_parallel_tool_use").and_then(Value::as_bool) == Some(true) {
        conversation.parallel_tools = Some(false);
    }
    Ok(())
}

fn thinking(conversation: &mut Conversation, value: &Value) {
    conversation.reasoning.thinking = match value.get("type").and_then(Value::as_str) {
        Some("enabled") => {
            let budget = value.get("budget_tokens").and_then(count);
            budget.map_or(Thinking::Adaptive, Thinking::Budget)
        }
        Some("adaptive") => Thinking::Adaptive,
        Some("disabled") => Thinking::Disabled,
        _ => return conversation.quality("thinking"),
    };
}

fn output_config(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match (name.as_str(), value.as_str().and_then(Effort::parse)) {
            ("effort", Some(effort)) => {
                conversation.reasoning.effort = Some(effort);
                conversation.spell(Field::Effort, "output_config.effort");
            }
            ("format", _) => conversation.output = format(value)?,
            _ => conversation.quality(format!("output_config.{name}")),
        }
    }
    Ok(())
}

fn format(value: &Value) -> Result<OutputFormat, Incompatible> {
    match (value.get("type").and_then(Value::as_str), value.get("schema")) {
        (Some("json_schema"), Some(schema)) => {
            Ok(OutputFormat::JsonSchema { name: None, description: None, schema: schema.clone(), strict: Some(true) })
        }
        _ => Err(bad("output_config.format")),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn bad(path: &str) -> Incompatible {
    Incompatible(path.to_owned())
}
