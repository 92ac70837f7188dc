//! A [`Conversation`] as the body of a Responses request.
//!
//! The wire has no stop sequences, and its `store` defaults to true where every other family stores nothing: `false` is
//! always written unless the client asked for it.

use crate::domain::catalogue::{Facts, Feature};
use crate::domain::dialect::chat::hosts::{Thinker, nearest, thinker};
use crate::domain::dialect::conversation::{Conversation, Field, Format, OutputFormat, Part, Tool, ToolChoice};
use crate::domain::dialect::drops::{Drops, says_no_word};
use crate::domain::dialect::ids;
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::responses::turns_out;
use crate::domain::dialect::{Destination, Encoded, Incompatible, root, schema};
use crate::domain::policy::Translate;
use crate::domain::route::Family;
use serde_json::{Map, Value, json};

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
    facts: &Facts,
    translate: Translate,
) -> Result<Encoded, Incompatible> {
    let mut writer = Writer {
        from: conversation,
        to,
        thinker: thinker(to.model),
        body: Map::new(),
        drops: Drops::new(translate),
        reply: Reply { legacy_functions: conversation.legacy_functions, ..Reply::default() },
    };
    writer.drops.residue(conversation)?;
    writer.put("model", to.id);
    writer.input()?;
    writer.tools()?;
    writer.limits()?;
    writer.text()?;
    writer.reasoning(facts)?;
    writer.sampling()?;
    writer.account();
    if conversation.stream {
        writer.put("stream", true);
    }
    let body = serde_json::to_vec(&Value::Object(writer.body)).map_err(|error| Incompatible(error.to_string()))?;
    Ok(Encoded { body, dropped: writer.drops.into_paths(), reply: writer.reply })
}

struct Writer<'a> {
    from: &'a Conversation,
    to: &'a Destination<'a>,
    thinker: Thinker,
    body: Map<String, Value>,
    drops: Drops,
    reply: Reply,
}

impl Writer<'_> {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.body.insert(name.to_owned(), value.into());
    }

    fn drop(&mut self, field: Field) -> Result<(), Incompatible> {
        self.drops.field(self.from, field)
    }

    fn input(&mut self) -> Result<(), Incompatible> {
        let from = self.from;
        let system = from.system.iter().filter_map(turns_out::text_of).filter(|text| !text.is_empty());
        let system = system.collect::<Vec<&str>>().join("\n\n");
        let parts = from.turns.iter().flat_map(|turn| &turn.parts).chain(&from.system);
        let tool_breaks = from.tools.iter().any(|tool| tool.cache.is_some());
        if tool_breaks || parts.into_iter().any(|part| matches!(part, Part::CacheBreak(_))) {
            self.drop(Field::CacheControl)?;
        }
        let items = turns_out::write(from, &mut self.drops, &mut self.reply)?;
        match (items.is_empty(), system.is_empty()) {
            (true, true) => return Err(says_no_word(from)),
            // The server answers to an input alone.
            (true, false) => {
                let content = json!([{"type": "input_text", "text": system}]);
                self.put("input", json!([{"type": "message", "role": "developer", "content": content}]));
            }
            (false, true) => self.put("input", items),
            (false, false) => {
                self.put("instructions", system);
                self.put("input", items);
            }
        }
        Ok(())
    }

    fn tools(&mut self) -> Result<(), Incompatible> {
        let from = self.from;
        if from.tools.is_empty() {
            return Ok(());
        }
        let mut tools = Vec::with_capacity(from.tools.len());
        for of in &from.tools {
            let (tool, weaker) = tool(of, &mut self.reply).ok_or_else(|| Incompatible("tools".to_owned()))?;
            self.drops.schema(from, weaker)?;
            if of.strict == Some(true) && tool["strict"] == false {
                self.drops.tool(from, "strict")?;
            }
            tools.push(tool);
        }
        self.put("tools", tools);
        match &from.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => self.put("tool_choice", "auto"),
            Some(ToolChoice::Required) => self.put("tool_choice", "required"),
            Some(ToolChoice::None) => self.put("tool_choice", "none"),
            Some(ToolChoice::Named(name)) => {
                let kind = if from.is_custom(name) { "custom" } else { "function" };
                let name = names::on_wire(name, CHAT_MAX, &mut self.reply);
                self.put("tool_choice", json!({"type": kind, "name": name}));
            }
        }
        if let Some(parallel) = from.parallel_tools {
            self.put("parallel_tool_calls", parallel);
        }
        Ok(())
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
        Ok(())
    }

    fn text(&mut self) -> Result<(), Incompatible> {
        let (from, mut text) = (self.from, Map::new());
        match &from.output {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => drop(text.insert("format".to_owned(), json!({"type": "json_object"}))),
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                let (schema, wrapped) = schema::of_answer(schema);
                self.reply.json_wrapped = wrapped;
                let (strict, clean) = (strict.unwrap_or(false), schema::is_strict(&schema));
                if strict && !clean {
                    self.drop(Field::OutputFormat)?;
                }
                let mut format = json!({
                    "type": "json_schema",
                    "name": name.as_deref().unwrap_or("response"),
                    "schema": schema,
                    "strict": strict && clean,
                });
                if let Some(description) = description {
                    format["description"] = json!(description);
                }
                text.insert("format".to_owned(), format);
            }
        }
        if let Some(verbosity) = &from.verbosity {
            text.insert("verbosity".to_owned(), json!(verbosity));
        }
        if !text.is_empty() {
            self.put("text", text);
        }
        Ok(())
    }

    fn reasoning(&mut self, facts: &Facts) -> Result<(), Incompatible> {
        let (wanted, summary) = (self.from.reasoning.wanted_effort(), self.from.reasoning.summary.as_deref());
        if self.thinker == Thinker::No && facts.supports(Feature::Reasoning) != Some(true) {
            return self.no_reasoning(summary);
        }
        let effort = wanted.map(|wanted| nearest(self.to.model, wanted).name());
        let fields = [("effort", effort), ("summary", summary)];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        let reasoning: Map<String, Value> = given.collect();
        if !reasoning.is_empty() {
            self.put("reasoning", reasoning);
        }
        Ok(())
    }

    fn no_reasoning(&mut self, summary: Option<&str>) -> Result<(), Incompatible> {
        self.drops.thinking(self.from)?;
        match summary {
            Some(_) => self.drop(Field::Summary),
            None => Ok(()),
        }
    }

    /// OpenAI's reasoning models refuse sampling, but for the later ones at effort `none`.
    fn sampling(&mut self) -> Result<(), Incompatible> {
        let rests = self.body.get("reasoning").is_some_and(|reasoning| reasoning["effort"] == "none");
        let free = self.thinker == Thinker::No || rests;
        for (field, value) in [(Field::Temperature, self.from.temperature), (Field::TopP, self.from.top_p)] {
            match value {
                Some(value) if free => self.put(field.name(Family::Responses), value),
                Some(_) => self.drop(field)?,
                None => {}
            }
        }
        match self.from.top_k {
            Some(_) => self.drop(Field::TopK),
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
            self.put("safety_identifier", ids::of_user(user, USER_MAX));
        }
        if let Some(tier) = &from.service_tier {
            self.put("service_tier", tier.as_str());
        }
        if let Some(key) = &from.prompt_cache_key {
            self.put("prompt_cache_key", key.as_str());
        }
    }
}

/// A tool, and whether its schema lost something; `None` for arguments that are no object.
fn tool(tool: &Tool, reply: &mut Reply) -> Option<(Value, bool)> {
    if let Some(format) = &tool.custom {
        return Some((custom(tool, format, reply), false));
    }
    let (mut parameters, weaker) = root::plain(schema::of_arguments(tool.schema.as_ref())?);
    schema::with_items(&mut parameters);
    let mut object = json!({
        "type": "function",
        "name": names::on_wire(&tool.name, CHAT_MAX, reply),
        // Left out, this server would try to hold the model to the schema, which no client of another family asked for.
        "strict": tool.strict.unwrap_or(false) && schema::is_strict(&parameters),
        "parameters": parameters,
    });
    if let Some(description) = &tool.description {
        object["description"] = json!(description);
    }
    Some((object, weaker))
}

/// A tool that takes text.
fn custom(tool: &Tool, format: &Format, reply: &mut Reply) -> Value {
    let mut object = json!({"type": "custom", "name": names::on_wire(&tool.name, CHAT_MAX, reply)});
    if let Some(description) = &tool.description {
        object["description"] = json!(description);
    }
    match format {
        Format::Unsaid => {}
        Format::Text => object["format"] = json!({"type": "text"}),
        Format::Grammar { syntax, definition } => {
            object["format"] = json!({"type": "grammar", "syntax": syntax, "definition": definition});
        }
    }
    object
}
