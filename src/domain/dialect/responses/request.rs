//! A Responses client's request as a [`Conversation`].
//!
//! The input's items become turns in `items.rs`; here stand the fields around them. `store` defaults to true on this wire
//! and means nothing elsewhere, so it crosses no boundary: an explicit `true` is listed as dropped.

use crate::domain::dialect::conversation::{Conversation, Effort, Field, Format, OutputFormat, Tool, ToolChoice};
use crate::domain::dialect::drops::says_nothing;
use crate::domain::dialect::json_text::count;
use crate::domain::dialect::responses::items;
use crate::domain::dialect::{Incompatible, hints};
use crate::domain::route::Family;
use serde_json::{Map, Value};

/// Decodes a client's body. What a conversation cannot hold is kept as residue.
///
/// # Errors
/// [`Incompatible`] with the path of a field that no Responses API would take.
pub fn decode(body: &Value) -> Result<Conversation, Incompatible> {
    let fields = body.as_object().ok_or_else(|| Incompatible("body".to_owned()))?;
    let mut conversation = Conversation::new(Family::Responses);
    for (name, value) in fields {
        if !value.is_null() {
            field(&mut conversation, name, value)?;
        }
    }
    // After the loop, whatever their order in the body: instructions precede what the input says, and a subset of tools
    // is taken from all of them.
    items::instructions(&mut conversation, fields.get("instructions"))?;
    items::input(&mut conversation, fields.get("input"))?;
    hints::settle(&mut conversation, fields.get("prompt_cache_options"));
    tool_choice(&mut conversation, fields.get("tool_choice"))?;
    Ok(conversation)
}

fn field(conversation: &mut Conversation, name: &str, value: &Value) -> Result<(), Incompatible> {
    match name {
        "model" | "input" | "instructions" | "tool_choice" | "stream_options" | "prompt_cache_options" => {}
        "max_output_tokens" => conversation.max_output_tokens = Some(count(value).ok_or_else(|| bad(name))?),
        "temperature" => conversation.temperature = Some(value.as_f64().ok_or_else(|| bad(name))?),
        "top_p" => conversation.top_p = Some(value.as_f64().ok_or_else(|| bad(name))?),
        "tools" => tools(conversation, value)?,
        "parallel_tool_calls" => conversation.parallel_tools = value.as_bool(),
        "text" => text(conversation, value)?,
        "reasoning" => reasoning(conversation, value)?,
        "include" => include(conversation, value),
        "stream" => conversation.stream = value.as_bool().ok_or_else(|| bad(name))?,
        "metadata" => conversation.metadata = Some(value.clone()),
        // The newer name wins, whichever comes first.
        "safety_identifier" => {
            conversation.user = value.as_str().map(str::to_owned);
            conversation.spell(Field::User, "safety_identifier");
        }
        "user" if conversation.user.is_none() => conversation.user = value.as_str().map(str::to_owned),
        "user" => {}
        "service_tier" => conversation.service_tier = value.as_str().map(str::to_owned),
        "prompt_cache_key" => conversation.prompt_cache_key = value.as_str().map(str::to_owned),
        "truncation" if value == "disabled" => {}
        "top_logprobs" => match count(value).ok_or_else(|| bad(name))? {
            0 => {}
            most => conversation.logprobs = Some(most),
        },
        // What asks for nothing is nobody's loss, whatever it is called.
        _ if says_nothing(value) => {}
        "previous_response_id" | "conversation" | "prompt" | "background" | "context_management" | "moderation" => {
            conversation.semantic(name);
        }
        // `store`, `truncation`, `max_tool_calls`, cache hints, and what this wire has not heard of.
        other => conversation.quality(other),
    }
    Ok(())
}

fn bad(path: &str) -> Incompatible {
    Incompatible(path.to_owned())
}

/// What this wire alone says of a tool that the client runs.
const HINTS: [&str; 4] = ["defer_loading", "allowed_callers", "output_schema", "async"];

fn tools(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    for tool in value.as_array().ok_or_else(|| bad("tools"))? {
        let read = match tool["type"].as_str() {
            Some("function") => function(tool)?,
            Some("custom") => custom(tool)?,
            Some(hosted) => {
                conversation.semantic(hosted);
                continue;
            }
            None => return Err(bad("tools.type")),
        };
        conversation.tools.push(read);
        for hint in HINTS.iter().filter(|hint| !items::is_usual(&tool[**hint])) {
            conversation.quality(format!("tools.{hint}"));
        }
    }
    Ok(())
}

/// Flat, other than in Chat: `{type, name, description, parameters, strict}`. A `strict` left out means that the server
/// tries it, which no other wire does.
fn function(tool: &Value) -> Result<Tool, Incompatible> {
    Ok(Tool {
        name: tool["name"].as_str().ok_or_else(|| bad("tools.name"))?.to_owned(),
        description: tool["description"].as_str().map(str::to_owned),
        schema: Some(&tool["parameters"]).filter(|schema| !schema.is_null()).cloned(),
        strict: tool["strict"].as_bool(),
        cache: None,
        custom: None,
    })
}

/// A tool that takes text: `{type, name, description, format}`, its grammar flat as well.
fn custom(tool: &Value) -> Result<Tool, Incompatible> {
    let format = &tool["format"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Tool {
        name: text(&tool["name"]).ok_or_else(|| bad("tools.name"))?,
        description: text(&tool["description"]),
        schema: None,
        strict: None,
        cache: None,
        custom: Some(match (format["type"].as_str(), text(&format["syntax"]).zip(text(&format["definition"]))) {
            _ if format.is_null() => Format::Unsaid,
            (Some("text"), _) => Format::Text,
            (Some("grammar"), Some((syntax, definition))) => Format::Grammar { syntax, definition },
            _ => return Err(bad("tools.format")),
        }),
    })
}

fn tool_choice(conversation: &mut Conversation, value: Option<&Value>) -> Result<(), Incompatible> {
    let choice = match value {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(mode)) => mode_of(mode).ok_or_else(|| bad("tool_choice"))?,
        Some(object) => match object["type"].as_str() {
            Some("function") => {
                ToolChoice::Named(object["name"].as_str().ok_or_else(|| bad("tool_choice.name"))?.to_owned())
            }
            Some("allowed_tools") => allowed_tools(conversation, object)?,
            Some("custom") => {
                conversation.semantic("custom_tools");
                return Ok(());
            }
            Some(hosted) => {
                conversation.semantic(hosted);
                return Ok(());
            }
            None => return Err(bad("tool_choice")),
        },
    };
    conversation.tool_choice = Some(choice);
    Ok(())
}

fn mode_of(mode: &str) -> Option<ToolChoice> {
    Some(match mode {
        "auto" => ToolChoice::Auto,
        "required" => ToolChoice::Required,
        "none" => ToolChoice::None,
        _ => return None,
    })
}

/// A subset of the tools: the others are left out, which says the same on every wire.
fn allowed_tools(conversation: &mut Conversation, choice: &Value) -> Result<ToolChoice, Incompatible> {
    let allowed = choice["tools"].as_array().ok_or_else(|| bad("tool_choice.tools"))?;
    let is_allowed = |tool: &Tool| allowed.iter().any(|entry| entry["name"] == tool.name.as_str());
    conversation.tools.retain(is_allowed);
    choice["mode"].as_str().and_then(mode_of).ok_or_else(|| bad("tool_choice.mode"))
}

fn text(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    let fields = value.as_object().ok_or_else(|| bad("text"))?;
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "format" => conversation.output = format(value)?,
            "verbosity" => conversation.verbosity = value.as_str().map(str::to_owned),
            other => conversation.quality(format!("text.{other}")),
        }
    }
    Ok(())
}

fn format(value: &Value) -> Result<OutputFormat, Incompatible> {
    Ok(match value["type"].as_str() {
        Some("text") => OutputFormat::Text,
        Some("json_object") => OutputFormat::JsonObject,
        Some("json_schema") => OutputFormat::JsonSchema {
            name: value["name"].as_str().map(str::to_owned),
            description: value["description"].as_str().map(str::to_owned),
            schema: Some(&value["schema"]).filter(|s| s.is_object()).ok_or_else(|| bad("text.format.schema"))?.clone(),
            strict: value["strict"].as_bool(),
        },
        _ => return Err(bad("text.format.type")),
    })
}

fn reasoning(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    let fields: &Map<String, Value> = value.as_object().ok_or_else(|| bad("reasoning"))?;
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "effort" => match value.as_str().and_then(Effort::parse) {
                Some(effort) => conversation.reasoning.effort = Some(effort),
                None => conversation.quality("reasoning.effort"),
            },
            "summary" => conversation.reasoning.summary = value.as_str().map(str::to_owned),
            "generate_summary" if conversation.reasoning.summary.is_some() => {}
            "generate_summary" => conversation.reasoning.summary = value.as_str().map(str::to_owned),
            other => conversation.quality(format!("reasoning.{other}")),
        }
    }
    Ok(())
}

/// Parts of the answer to add. Encrypted reasoning is for its maker alone, and results of hosted tools come with those
/// tools, which are judged by themselves.
fn include(conversation: &mut Conversation, value: &Value) {
    for entry in value.as_array().into_iter().flatten() {
        match entry.as_str() {
            Some("reasoning.encrypted_content") => conversation.quality("include"),
            Some("message.output_text.logprobs") => conversation.logprobs = conversation.logprobs.or(Some(0)),
            _ => {}
        }
    }
}
