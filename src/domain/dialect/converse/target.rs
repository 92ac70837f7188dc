//! A [`Conversation`] as the body of a Converse request.
//!
//! The wire has no `tool_choice: none`, no structured output and no effort that all models share: a choice of none takes the
//! tools away, a schema becomes a tool that must be called, an effort is dropped.

use std::collections::HashSet;

use crate::domain::catalogue::{Facts, Feature};
use crate::domain::dialect::conversation::{Conversation, Field, OutputFormat, Part, Tool, ToolChoice};
use crate::domain::dialect::converse::blocks::Blocks;
use crate::domain::dialect::drops::Drops;
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Destination, Encoded, Incompatible, root, schema};
use crate::domain::policy::Translate;
use serde_json::{Map, Value, json};

const JSON_WISH: &str = "Answer with one JSON object and nothing else.";

/// Encodes a conversation for Converse.
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
        body: Map::new(),
        drops: Drops::new(translate),
        reply: Reply { legacy_functions: conversation.legacy_functions, ..Reply::default() },
    };
    writer.drops.residue(conversation)?;
    writer.turns()?;
    writer.limits()?;
    writer.tools(facts)?;
    writer.account()?;
    let body = serde_json::to_vec(&Value::Object(writer.body)).map_err(|_| Incompatible("body".to_owned()))?;
    Ok(Encoded { body, dropped: writer.drops.into_paths(), reply: writer.reply })
}

struct Writer<'a> {
    from: &'a Conversation,
    to: &'a Destination<'a>,
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

    fn turns(&mut self) -> Result<(), Incompatible> {
        let mut written = Blocks::new(self.from, self.to.model, &mut self.drops, &mut self.reply).write()?;
        if self.from.output == OutputFormat::JsonObject {
            self.drop(Field::OutputFormat)?;
            written.system.push(json!({"text": JSON_WISH}));
        }
        if !written.system.is_empty() {
            self.put("system", written.system);
        }
        self.put("messages", written.messages);
        Ok(())
    }

    fn limits(&mut self) -> Result<(), Incompatible> {
        let from = self.from;
        let mut config = Map::new();
        let mut set = |name: &str, value: Value| config.insert(name.to_owned(), value);
        if let Some(asked) = from.max_output_tokens {
            if asked == 0 {
                return Err(Incompatible(from.name_of(Field::MaxOutputTokens).to_owned()));
            }
            let most = self.to.max_output_tokens.unwrap_or(u64::MAX);
            if asked > most {
                self.drops.quality(from.name_of(Field::MaxOutputTokens))?;
            }
            set("maxTokens", json!(asked.min(most)));
        }
        if let Some(temperature) = from.temperature {
            if temperature > 1.0 {
                self.drops.quality(from.name_of(Field::Temperature))?;
            }
            set("temperature", json!(temperature.clamp(0.0, 1.0)));
        }
        if let Some(top_p) = from.top_p {
            set("topP", json!(top_p));
        }
        let stops: Vec<&String> = from.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
        if stops.len() < from.stop.len() {
            self.drops.quality(from.name_of(Field::Stop))?;
        }
        if !stops.is_empty() {
            set("stopSequences", json!(stops));
        }
        if !config.is_empty() {
            self.put("inferenceConfig", config);
        }
        match from.top_k {
            Some(_) => self.drop(Field::TopK),
            None => Ok(()),
        }
    }

    fn tools(&mut self, facts: &Facts) -> Result<(), Incompatible> {
        let mut choice = self.from.tool_choice.clone();
        let mut tools = Vec::with_capacity(self.from.tools.len());
        for tool in &self.from.tools {
            tools.push(self.tool(tool)?);
        }
        let history = self.called();
        let schema = self.schema_tool(facts)?;
        let only_schema = schema.is_some() && choice == Some(ToolChoice::None);
        if choice == Some(ToolChoice::None) {
            choice = None;
            match history.is_empty() {
                true => tools.clear(),
                // A history of calls needs definitions; that none may be called cannot be said.
                false if !only_schema => self.drops.quality("tool_choice")?,
                false => {}
            }
        }
        if tools.is_empty() {
            tools = history;
        }
        if tools.is_empty() && schema.is_none() {
            return Ok(());
        }
        let choice = match (&schema, choice) {
            (Some(_), _) if only_schema || tools.is_empty() => Some(json!({"tool": {"name": self.reply.json_tool}})),
            (Some(_), _) | (None, Some(ToolChoice::Required)) => Some(json!({"any": {}})),
            (None, Some(ToolChoice::Named(name))) => {
                Some(json!({"tool": {"name": names::on_wire(&name, CHAT_MAX, &mut self.reply)}}))
            }
            (None, Some(ToolChoice::Auto)) => Some(json!({"auto": {}})),
            (None, Some(ToolChoice::None) | None) => None,
        };
        tools.extend(schema);
        let mut config = json!({"tools": tools});
        if let Some(choice) = choice {
            config["toolChoice"] = choice;
        }
        self.put("toolConfig", config);
        match self.from.parallel_tools {
            Some(false) if !self.from.tools.is_empty() => self.drop(Field::ParallelTools),
            Some(_) | None => Ok(()),
        }
    }

    fn tool(&mut self, tool: &Tool) -> Result<Value, Incompatible> {
        if tool.cache.is_some() {
            self.drop(Field::CacheControl)?;
        }
        if tool.strict == Some(true) {
            self.drops.tool(self.from, "strict")?;
        }
        let schema = schema::of_arguments(tool.schema.as_ref()).and_then(|schema| self.plain(schema));
        let (schema, weaker) = root::plain(schema.ok_or_else(|| Incompatible("tools".to_owned()))?);
        self.drops.schema(self.from, weaker)?;
        let name = names::on_wire(&tool.name, CHAT_MAX, &mut self.reply);
        Ok(spec(&name, tool.description.as_deref(), schema))
    }

    /// A schema as this model takes it; `None` for one that leads to itself. Nova refuses a request for definitions in one.
    fn plain(&self, schema: Value) -> Option<Value> {
        let defines = ["$defs", "definitions"].iter().any(|name| schema.get(*name).is_some());
        if self.to.model.contains("nova") && defines { schema::inlined(&schema) } else { Some(schema) }
    }

    /// Minimal definitions of the tools that the history calls.
    fn called(&mut self) -> Vec<Value> {
        let (mut names, mut known): (Vec<String>, HashSet<String>) = (Vec::new(), HashSet::new());
        for part in self.from.turns.iter().flat_map(|turn| &turn.parts) {
            if let Part::ToolCall { name, .. } = part {
                let name = names::on_wire(name, CHAT_MAX, &mut self.reply);
                if known.insert(name.clone()) {
                    names.push(name);
                }
            }
        }
        names.iter().map(|name| spec(name, None, json!({"type": "object", "properties": {}}))).collect()
    }

    /// The tool whose arguments are the answer's text, where the client wants a schema.
    fn schema_tool(&mut self, facts: &Facts) -> Result<Option<Value>, Incompatible> {
        let OutputFormat::JsonSchema { name, description, schema, .. } = &self.from.output else { return Ok(None) };
        // A call that the client forces is the whole answer.
        if !self.from.tools.is_empty()
            && matches!(self.from.tool_choice, Some(ToolChoice::Named(_) | ToolChoice::Required))
        {
            return Ok(None);
        }
        let lacking = || Incompatible("json_schema".to_owned());
        if facts.supports(Feature::Tools) == Some(false) {
            return Err(lacking());
        }
        let (schema, wrapped) = schema::of_stand_in(schema).ok_or_else(lacking)?;
        let schema = self.plain(schema).ok_or_else(lacking)?;
        let what = description.as_deref().or(name.as_deref()).unwrap_or("the answer");
        let stand_in = names::of_stand_in(self.from);
        self.reply.json_tool = Some(stand_in.clone());
        self.reply.json_wrapped = wrapped;
        Ok(Some(spec(&stand_in, Some(&format!("Gives {what} as JSON.")), schema)))
    }

    fn account(&mut self) -> Result<(), Incompatible> {
        let from = self.from;
        self.drops.thinking(from)?;
        let unknown = [
            (from.reasoning.summary.is_some(), Field::Summary),
            (from.user.is_some(), Field::User),
            (from.service_tier.as_deref().is_some_and(|tier| !matches!(tier, "auto" | "default")), Field::ServiceTier),
            (from.verbosity.is_some(), Field::Verbosity),
            (from.metadata.is_some(), Field::Metadata),
            (from.store == Some(true), Field::Store),
            (from.prompt_cache_key.is_some(), Field::PromptCacheKey),
        ];
        for (is_there, field) in unknown {
            if is_there {
                self.drop(field)?;
            }
        }
        Ok(())
    }
}

fn spec(name: &str, description: Option<&str>, schema: Value) -> Value {
    let mut spec = json!({"name": name, "inputSchema": {"json": schema}});
    if let Some(description) = description.filter(|text| !text.is_empty()) {
        spec["description"] = json!(description);
    }
    json!({"toolSpec": spec})
}
