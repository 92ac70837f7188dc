//! A chat client's request as a [`Conversation`]: the fields around its messages, which are read in `messages.rs`.

use crate::domain::dialect::chat::turns;
use crate::domain::dialect::conversation::{Conversation, Effort, Field, Format, OutputFormat, Tool, ToolChoice};
use crate::domain::dialect::drops::says_nothing;
use crate::domain::dialect::json_text::count;
use crate::domain::dialect::{Incompatible, hints, unread};
use crate::domain::route::Family;
use serde_json::Value;

/// Decodes a client's body. What a conversation cannot hold is kept as residue.
///
/// # Errors
/// [`Incompatible`] with the path of a field that no chat API would take.
pub fn decode(body: &Value) -> Result<Conversation, Incompatible> {
    let fields = body.as_object().ok_or_else(|| bad("body"))?;
    let mut conversation = Conversation::new(Family::Chat);
    for (name, value) in fields {
        if !value.is_null() {
            field(&mut conversation, name, value)?;
        }
    }
    let present = |name: &str| fields.get(name).filter(|value| !value.is_null());
    if present("max_completion_tokens").is_none() {
        conversation.spell(Field::MaxOutputTokens, "max_tokens");
    }
    if present("safety_identifier").is_some() {
        conversation.spell(Field::User, "safety_identifier");
    }
    conversation.max_output_tokens = match present("max_completion_tokens").or(present("max_tokens")) {
        Some(value) => Some(count(value).ok_or_else(|| bad("max_tokens"))?),
        None => None,
    };
    conversation.user = present("safety_identifier").or(present("user")).and_then(text);
    if let Some(value) = present("function_call").filter(|_| conversation.legacy_functions) {
        conversation.tool_choice = Some(legacy_choice(value)?);
    }
    if let Some(value) = present("tool_choice") {
        tool_choice(&mut conversation, value)?;
    }
    turns::read(&mut conversation, present("messages"))?;
    unread::of_chat(&mut conversation, body);
    hints::settle(&mut conversation, present("prompt_cache_options"));
    Ok(conversation)
}

fn field(conversation: &mut Conversation, name: &str, value: &Value) -> Result<(), Incompatible> {
    match name {
        "model" | "messages" | "max_tokens" | "max_completion_tokens" | "user" | "safety_identifier" => {}
        "tool_choice" | "function_call" | "prompt_cache_options" => {}
        "temperature" => conversation.temperature = Some(value.as_f64().ok_or_else(|| bad(name))?),
        "top_p" => conversation.top_p = Some(value.as_f64().ok_or_else(|| bad(name))?),
        // OpenAI has no such word: what other hosts take for it (-1 is all) is no mistake.
        "top_k" => match count(value) {
            Some(top_k) => conversation.top_k = Some(top_k),
            None => conversation.quality(name),
        },
        "stop" => conversation.stop = stop(value)?,
        "stream" => conversation.stream = value.as_bool().ok_or_else(|| bad(name))?,
        "stream_options" => {
            conversation.include_usage = value.get("include_usage").and_then(Value::as_bool).unwrap_or(false);
        }
        "tools" => tools(conversation, value)?,
        "functions" => functions(conversation, value)?,
        "parallel_tool_calls" => conversation.parallel_tools = value.as_bool(),
        "response_format" => conversation.output = format(value)?,
        "reasoning_effort" => match value.as_str().and_then(Effort::parse) {
            Some(effort) => conversation.reasoning.effort = Some(effort),
            None => conversation.quality(name),
        },
        "verbosity" => conversation.verbosity = text(value),
        "metadata" => conversation.metadata = Some(value.clone()),
        "store" => conversation.store = value.as_bool(),
        "service_tier" => conversation.service_tier = text(value),
        "prompt_cache_key" => conversation.prompt_cache_key = text(value),
        _ => residue(conversation, name, value),
    }
    Ok(())
}

/// Fields that no other family has.
fn residue(conversation: &mut Conversation, name: &str, value: &Value) {
    match name {
        "n" if count(value) == Some(1) => {}
        "n" => conversation.semantic("n"),
        "modalities" => {
            let texts = value.as_array().is_some_and(|items| items.iter().all(|item| item == "text"));
            if !texts {
                conversation.semantic("audio");
            }
        }
        "seed" => conversation.quality(name),
        _ if says_nothing(value) && name != "web_search_options" => {}
        "logprobs" | "top_logprobs" => conversation.semantic("logprobs"),
        "audio" => conversation.semantic("audio"),
        "web_search_options" => conversation.semantic("web_search"),
        "moderation" => conversation.semantic("moderation"),
        _ => conversation.quality(name),
    }
}

fn stop(value: &Value) -> Result<Vec<String>, Incompatible> {
    match value {
        Value::String(stop) => Ok(vec![stop.clone()]),
        Value::Array(stops) => stops.iter().map(|stop| text(stop).ok_or_else(|| bad("stop"))).collect(),
        _ => Err(bad("stop")),
    }
}

fn tools(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    for (n, tool) in value.as_array().ok_or_else(|| bad("tools"))?.iter().enumerate() {
        match tool.get("type").and_then(Value::as_str) {
            Some("function") | None => {
                let function = tool.get("function").ok_or_else(|| bad(&format!("tools[{n}].function")))?;
                conversation.tools.push(function_tool(function, &format!("tools[{n}].function.name"))?);
            }
            Some("custom") => {
                let custom = tool.get("custom").ok_or_else(|| bad(&format!("tools[{n}].custom")))?;
                conversation.tools.push(custom_tool(custom, &format!("tools[{n}].custom.name"))?);
            }
            Some(other) => conversation.semantic(other),
        }
    }
    Ok(())
}

fn functions(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    let functions = value.as_array().ok_or_else(|| bad("functions"))?;
    if functions.is_empty() {
        return Ok(());
    }
    conversation.legacy_functions = true;
    // `functions` never had parallel calls, and its answers have room for one.
    conversation.parallel_tools = Some(false);
    for (n, function) in functions.iter().enumerate() {
        conversation.tools.push(function_tool(function, &format!("functions[{n}].name"))?);
    }
    Ok(())
}

fn function_tool(function: &Value, path: &str) -> Result<Tool, Incompatible> {
    Ok(Tool {
        name: function.get("name").and_then(text).ok_or_else(|| bad(path))?,
        description: function.get("description").and_then(text),
        schema: function.get("parameters").filter(|schema| !schema.is_null()).cloned(),
        strict: function.get("strict").and_then(Value::as_bool),
        cache: None,
        custom: None,
    })
}

fn custom_tool(custom: &Value, path: &str) -> Result<Tool, Incompatible> {
    let format = custom.get("format").filter(|format| !format.is_null());
    let grammar = |name: &str| format.and_then(|format| format.pointer(&format!("/grammar/{name}"))).and_then(text);
    let kind = format.and_then(|format| format.get("type")).and_then(Value::as_str);
    Ok(Tool {
        name: custom.get("name").and_then(text).ok_or_else(|| bad(path))?,
        description: custom.get("description").and_then(text),
        schema: None,
        strict: None,
        cache: None,
        custom: Some(match (format, kind, grammar("syntax").zip(grammar("definition"))) {
            (None, ..) => Format::Unsaid,
            (_, Some("text"), _) => Format::Text,
            (_, Some("grammar"), Some((syntax, definition))) => Format::Grammar { syntax, definition },
            _ => return Err(bad("tools.custom.format")),
        }),
    })
}

fn legacy_choice(value: &Value) -> Result<ToolChoice, Incompatible> {
    match (value.as_str(), value.get("name").and_then(text)) {
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (Some("none"), _) => Ok(ToolChoice::None),
        (_, Some(name)) => Ok(ToolChoice::Named(name)),
        _ => Err(bad("function_call")),
    }
}

fn tool_choice(conversation: &mut Conversation, value: &Value) -> Result<(), Incompatible> {
    let kind = value.get("type").and_then(Value::as_str);
    conversation.tool_choice = match (value.as_str(), kind) {
        (Some(word), _) => Some(mode(word).ok_or_else(|| bad("tool_choice"))?),
        (None, Some("function")) => {
            let name =
                value.pointer("/function/name").and_then(text).ok_or_else(|| bad("tool_choice.function.name"))?;
            Some(ToolChoice::Named(name))
        }
        (None, Some("allowed_tools")) => Some(allowed_tools(conversation, value)?),
        (None, Some("custom")) => {
            let name = value.pointer("/custom/name").and_then(text).ok_or_else(|| bad("tool_choice.custom.name"))?;
            if !conversation.is_custom(&name) {
                conversation.semantic("custom_tools");
            }
            Some(ToolChoice::Named(name))
        }
        (None, Some(other)) => {
            conversation.semantic(other);
            None
        }
        (None, None) => return Err(bad("tool_choice")),
    };
    Ok(())
}

fn mode(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "required" => Some(ToolChoice::Required),
        "none" => Some(ToolChoice::None),
        _ => None,
    }
}

/// A subset of the tools: the others are left out of the request.
fn allowed_tools(conversation: &mut Conversation, value: &Value) -> Result<ToolChoice, Incompatible> {
    let allowed = value.get("allowed_tools").unwrap_or(value);
    let tools = allowed.get("tools").and_then(Value::as_array).ok_or_else(|| bad("tool_choice.allowed_tools.tools"))?;
    let named = |name: &str| {
        let of = |tool: &Value| {
            let nested = tool.pointer("/function/name").or(tool.pointer("/custom/name"));
            nested.or(tool.get("name")).and_then(text)
        };
        tools.iter().any(|tool| of(tool).as_deref() == Some(name))
    };
    conversation.tools.retain(|tool| named(&tool.name));
    allowed.get("mode").and_then(Value::as_str).and_then(mode).ok_or_else(|| bad("tool_choice.allowed_tools.mode"))
}

fn format(value: &Value) -> Result<OutputFormat, Incompatible> {
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(OutputFormat::Text),
        Some("json_object") => Ok(OutputFormat::JsonObject),
        Some("json_schema") => {
            let inner = value.get("json_schema").ok_or_else(|| bad("response_format.json_schema"))?;
            Ok(OutputFormat::JsonSchema {
                name: inner.get("name").and_then(text),
                description: inner.get("description").and_then(text),
                schema: inner
                    .get("schema")
                    .filter(|schema| !schema.is_null())
                    .cloned()
                    .unwrap_or_else(|| serde_json::json!({"type": "object"})),
                strict: inner.get("strict").and_then(Value::as_bool),
            })
        }
        _ => Err(bad("response_format.type")),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn bad(path: &str) -> Incompatible {
    Incompatible(path.to_owned())
}
