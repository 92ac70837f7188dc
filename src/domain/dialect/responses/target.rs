//! A [`Conversation`] as the body of a Responses request.
//!
//! The wire has no stop sequences, and its `store` defaults to true where every other family stores nothing: `false` is
//! always written unless the client asked for it.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::dialect::conversation::{
    Conversation, Drops, Effort, Field, OutputFormat, Part, Role, Source, Thinking, Tool, ToolChoice, Turn,
};
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Destination, Encoded, Incompatible};
use crate::domain::policy::Translate;
use crate::domain::route::Family;

/// The least `max_output_tokens` that the wire takes.
const MIN_OUTPUT_TOKENS: u64 = 16;
/// The longest `safety_identifier`.
const USER_MAX: usize = 64;

/// Encodes a conversation for a Responses target.
///
/// # Errors
/// [`Incompatible`] with the feature that the wire lacks; under `strict` with the first path that would be dropped.
pub fn encode(
    conversation: &Conversation,
    to: &Destination<'_>,
    translate: Translate,
) -> Result<Encoded, Incompatible> {
    let mut writer = Writer { from: conversation, to, body: Map::new(), drops: Drops::new(translate) };
    writer.drops.residue(conversation)?;
    writer.put("model", to.model);
    writer.input()?;
    writer.tools();
    writer.limits()?;
    writer.text();
    writer.reasoning()?;
    writer.account();
    if conversation.stream {
        writer.put("stream", true);
    }
    let body = serde_json::to_vec(&Value::Object(writer.body)).map_err(|error| Incompatible(error.to_string()))?;
    let reply = Reply { legacy_functions: conversation.legacy_functions, ..Reply::default() };
    Ok(Encoded { body, dropped: writer.drops.into_paths(), reply })
}

struct Writer<'a> {
    from: &'a Conversation,
    to: &'a Destination<'a>,
    body: Map<String, Value>,
    drops: Drops,
}

impl Writer<'_> {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    fn drop(&mut self, field: Field) -> Result<(), Incompatible> {
        self.drops.quality(self.from.name_of(field))
    }

    fn input(&mut self) -> Result<(), Incompatible> {
        let from = self.from;
        let system: Vec<&str> = from.system.iter().filter_map(text_of).collect();
        if !system.is_empty() {
            self.put("instructions", system.join("\n\n"));
        }
        let parts = from.turns.iter().flat_map(|turn| &turn.parts).chain(&from.system);
        let tool_breaks = from.tools.iter().any(|tool| tool.cache.is_some());
        if tool_breaks || parts.into_iter().any(|part| matches!(part, Part::CacheBreak(_))) {
            self.drop(Field::CacheControl)?;
        }
        let items: Vec<Value> = from.turns.iter().flat_map(items_of).collect();
        self.put("input", items);
        Ok(())
    }

    fn tools(&mut self) {
        let from = self.from;
        if from.tools.is_empty() {
            return;
        }
        self.put("tools", from.tools.iter().map(tool).collect::<Vec<_>>());
        match &from.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => self.put("tool_choice", "auto"),
            Some(ToolChoice::Required) => self.put("tool_choice", "required"),
            Some(ToolChoice::None) => self.put("tool_choice", "none"),
            Some(ToolChoice::Named(name)) => self.put("tool_choice", json!({"type": "function", "name": name})),
        }
        if let Some(parallel) = from.parallel_tools {
            self.put("parallel_tool_calls", parallel);
        }
    }

    fn limits(&mut self) -> Result<(), Incompatible> {
        if !self.from.stop.is_empty() {
            return Err(Incompatible(self.from.name_of(Field::Stop).to_owned()));
        }
        if let Some(asked) = self.from.max_output_tokens {
            let most = self.to.max_output_tokens.unwrap_or(u64::MAX).max(MIN_OUTPUT_TOKENS);
            let tokens = asked.clamp(MIN_OUTPUT_TOKENS, most);
            if tokens != asked {
                self.drop(Field::MaxOutputTokens)?;
            }
            self.put("max_output_tokens", tokens);
        }
        let rejected = reasons(self.to.model);
        for (field, value) in [(Field::Temperature, self.from.temperature), (Field::TopP, self.from.top_p)] {
            match value {
                Some(_) if rejected => self.drop(field)?,
                Some(value) => self.put(field.name(Family::Responses), value),
                None => {}
            }
        }
        match self.from.top_k {
            Some(_) => self.drop(Field::TopK),
            None => Ok(()),
        }
    }

    fn text(&mut self) {
        let mut text = Map::new();
        match &self.from.output {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => drop(text.insert("format".to_owned(), json!({"type": "json_object"}))),
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                let mut format = json!({
                    "type": "json_schema",
                    "name": name.as_deref().unwrap_or("response"),
                    "schema": schema,
                    "strict": strict.unwrap_or(false),
                });
                if let Some(description) = description {
                    format["description"] = json!(description);
                }
                text.insert("format".to_owned(), format);
            }
        }
        if let Some(verbosity) = &self.from.verbosity {
            text.insert("verbosity".to_owned(), json!(verbosity));
        }
        if !text.is_empty() {
            self.put("text", text);
        }
    }

    fn reasoning(&mut self) -> Result<(), Incompatible> {
        let (effort, summary) = (effort(self.from), self.from.reasoning.summary.as_deref());
        if reasons(self.to.model) {
            let fields = [("effort", effort.map(Effort::name)), ("summary", summary)];
            let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
            let reasoning: Map<String, Value> = given.collect();
            if !reasoning.is_empty() {
                self.put("reasoning", reasoning);
            }
            return Ok(());
        }
        // A model that does not reason honours `none` by itself.
        if effort.is_some_and(|effort| effort != Effort::None) {
            self.drop(Field::Effort)?;
        }
        match summary {
            Some(_) => self.drop(Field::Summary),
            None => Ok(()),
        }
    }

    fn account(&mut self) {
        let from = self.from;
        self.put("store", from.store == Some(true));
        if let Some(metadata) = &from.metadata {
            self.put("metadata", metadata.clone());
        }
        if let Some(user) = &from.user {
            self.put("safety_identifier", identifier(user));
        }
        if let Some(tier) = &from.service_tier {
            self.put("service_tier", tier.as_str());
        }
        if let Some(key) = &from.prompt_cache_key {
            self.put("prompt_cache_key", key.as_str());
        }
    }
}

const fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    }
}

/// One turn as items: results of tools first, since they answer the turn before, then the message, then calls.
fn items_of(turn: &Turn) -> Vec<Value> {
    let (mut before, mut content, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match part {
            Part::ToolResult { id, parts, is_error } => before.push(json!({
                "type": "function_call_output",
                "call_id": ids::rewritten(id, IdRule::Plain),
                "output": output_of(parts, *is_error),
            })),
            Part::ToolCall { id, name, arguments } => after.push(json!({
                "type": "function_call",
                "call_id": ids::rewritten(id, IdRule::Plain),
                "name": name,
                "arguments": if arguments.trim().is_empty() { "{}" } else { arguments },
            })),
            other => content.extend(part_of(other, turn.role)),
        }
    }
    let role = match turn.role {
        Role::System => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let message = (!content.is_empty()).then(|| json!({"type": "message", "role": role, "content": content}));
    before.into_iter().chain(message).chain(after).collect()
}

fn part_of(part: &Part, role: Role) -> Option<Value> {
    let text_type = if role == Role::Assistant { "output_text" } else { "input_text" };
    Some(match part {
        Part::Text(text) if text.is_empty() => return None,
        Part::Text(text) => json!({"type": text_type, "text": text}),
        Part::Image { source, detail } => {
            let detail = detail.as_deref().unwrap_or("auto");
            json!({"type": "input_image", "image_url": url_of(source), "detail": detail})
        }
        Part::Document { source: Source::Text(text), .. } => json!({"type": text_type, "text": text}),
        Part::Document { source: Source::Url(url), .. } => json!({"type": "input_file", "file_url": url}),
        Part::Document { source, title } => {
            let name = title.as_deref().unwrap_or("document.pdf");
            json!({"type": "input_file", "filename": name, "file_data": url_of(source)})
        }
        Part::CacheBreak(_) | Part::ToolCall { .. } | Part::ToolResult { .. } => return None,
    })
}

fn url_of(source: &Source) -> String {
    match source {
        Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
        Source::Url(text) | Source::Text(text) => text.clone(),
    }
}

/// Text alone goes as a string, which every host of this wire takes. There is no flag for errors: the text says it.
fn output_of(parts: &[Part], is_error: bool) -> Value {
    let prefix = if is_error { "Error: " } else { "" };
    let texts: Vec<&str> = parts.iter().filter_map(text_of).collect();
    let only_text = parts.iter().all(|part| matches!(part, Part::Text(_) | Part::CacheBreak(_)));
    match only_text {
        true => json!(format!("{prefix}{}", texts.join("\n"))),
        false => {
            let flag = is_error.then(|| json!({"type": "input_text", "text": "Error:"}));
            flag.into_iter().chain(parts.iter().filter_map(|part| part_of(part, Role::User))).collect()
        }
    }
}

fn tool(tool: &Tool) -> Value {
    let mut object = json!({
        "type": "function",
        "name": tool.name,
        "parameters": tool.schema.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
        // Left out, this server would try to hold the model to the schema, which no client of another family asked for.
        "strict": tool.strict.unwrap_or(false),
    });
    if let Some(description) = &tool.description {
        object["description"] = json!(description);
    }
    object
}

/// The client's effort, or what its budget of thinking comes to (Vertex's published table).
fn effort(conversation: &Conversation) -> Option<Effort> {
    conversation.reasoning.effort.or(match conversation.reasoning.thinking {
        Thinking::Unset | Thinking::Adaptive => None,
        Thinking::Disabled => Some(Effort::Minimal),
        Thinking::Budget(0..=1024) => Some(Effort::Low),
        Thinking::Budget(1025..=8192) => Some(Effort::Medium),
        Thinking::Budget(_) => Some(Effort::High),
    })
}

/// OpenAI's models that reason, and so refuse sampling parameters: `o1`, `o3-mini`, `gpt-5`, but not `gpt-5-chat`.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let number = |prefix: &str| {
        let digits: String = name.strip_prefix(prefix)?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    };
    number("o").is_some() || (number("gpt-").is_some_and(|n| n >= 5) && !name.contains("-chat"))
}

/// An id that is too long goes as its hash: the same user stays the same.
fn identifier(user: &str) -> String {
    match user.len() <= USER_MAX {
        true => user.to_owned(),
        false => Sha256::digest(user.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
