//! A [`Conversation`] as the body of a chat request, with what each host and model takes.

use crate::domain::catalogue::{Facts, Feature};
use crate::domain::dialect::chat::hosts::{self, Host, Thinker};
use crate::domain::dialect::chat::messages_out::{self, Manner};
use crate::domain::dialect::chat::signature;
use crate::domain::dialect::conversation::{Conversation, Field, Format, OutputFormat, Tool, ToolChoice};
use crate::domain::dialect::drops::Drops;
use crate::domain::dialect::ids;
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Destination, Encoded, Incompatible, root, schema};
use crate::domain::policy::Translate;
use crate::domain::route::Family;
use serde_json::{Map, Value, json};

/// The longest `safety_identifier`. Claude Code's user ids are longer, and full of structure.
const USER_MAX: usize = 64;

/// Encodes a conversation for a target that speaks Chat Completions.
///
/// # Errors
/// [`Incompatible`] with the feature that the target lacks; under `strict` with the first path that would be dropped.
pub fn encode(
    conversation: &Conversation,
    to: &Destination<'_>,
    facts: &Facts,
    translate: Translate,
) -> Result<Encoded, Incompatible> {
    let host = hosts::of(to.provider);
    let mut writer = Writer {
        from: conversation,
        to,
        host,
        thinker: hosts::thinker(to.model),
        body: Map::new(),
        drops: Drops::new(translate),
        reply: Reply { legacy_functions: conversation.legacy_functions, ..Reply::default() },
    };
    writer.drops.residue(conversation)?;
    writer.put("model", to.id);
    writer.messages()?;
    writer.limits()?;
    writer.tools()?;
    writer.format()?;
    writer.logprobs()?;
    writer.reasoning(facts)?;
    writer.sampling()?;
    writer.account()?;
    writer.stream();
    let body = serde_json::to_vec(&Value::Object(writer.body)).map_err(|_| Incompatible("body".to_owned()))?;
    Ok(Encoded { body, dropped: writer.drops.into_paths(), reply: writer.reply })
}

struct Writer<'a> {
    from: &'a Conversation,
    to: &'a Destination<'a>,
    host: Host,
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

    fn messages(&mut self) -> Result<(), Incompatible> {
        let manner = Manner {
            system: if self.thinker == Thinker::No { "system" } else { "developer" },
            ids: hosts::ids(self.to.provider, self.to.model),
            files: self.host.files,
            image_urls: self.host.image_urls,
            text_lists: self.host.text_lists,
            cache: self.to.provider == "openai",
            refusals: self.host.openai_fields,
            signature: signature::is_wanted(self.to.model).then_some(signature::FOREIGN),
            ordered: hosts::insists_on_order(self.to.provider, self.to.model),
            recalls: self.to.model.to_ascii_lowercase().contains("deepseek-v4"),
        };
        let (drops, reply) = (&mut self.drops, &mut self.reply);
        let messages = messages_out::Writer { from: self.from, manner, drops, reply }.write()?;
        self.put("messages", messages);
        Ok(())
    }

    fn limits(&mut self) -> Result<(), Incompatible> {
        let Some(wanted) = self.from.max_output_tokens else { return Ok(()) };
        let cap = self.to.max_output_tokens.unwrap_or(u64::MAX);
        if wanted > cap {
            self.drop(Field::MaxOutputTokens)?;
        }
        self.put(hosts::max_tokens(self.to.provider, self.to.model), wanted.min(cap));
        Ok(())
    }

    fn tools(&mut self) -> Result<(), Incompatible> {
        let mut tools = Vec::with_capacity(self.from.tools.len());
        for tool in &self.from.tools {
            if let Some(format) = &tool.custom {
                tools.push(custom(tool, format, &mut self.reply));
                continue;
            }
            if tool.cache.is_some() {
                self.drop(Field::CacheControl)?;
            }
            let mut parameters =
                schema::of_arguments(tool.schema.as_ref()).ok_or_else(|| Incompatible("tools".to_owned()))?;
            if self.host.plain_schemas {
                let (plain, weaker) = root::plain(parameters);
                self.drops.schema(self.from, weaker)?;
                parameters = plain;
                schema::with_items(&mut parameters);
            }
            let mut function = json!({"name": names::on_wire(&tool.name, CHAT_MAX, &mut self.reply)});
            if let Some(description) = &tool.description {
                function["description"] = json!(description);
            }
            if let Some(strict) = self.strict(tool, &parameters)? {
                function["strict"] = json!(strict);
            }
            function["parameters"] = parameters;
            tools.push(json!({"type": "function", "function": function}));
        }
        if tools.is_empty() {
            return Ok(());
        }
        self.put("tools", tools);
        match &self.from.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => self.put("tool_choice", "auto"),
            Some(ToolChoice::Required) => self.put("tool_choice", "required"),
            Some(ToolChoice::None) => self.put("tool_choice", "none"),
            Some(ToolChoice::Named(name)) => {
                let name = names::on_wire(name, CHAT_MAX, &mut self.reply);
                self.put("tool_choice", json!({"type": "function", "function": {"name": name}}));
            }
        }
        match self.from.parallel_tools {
            // They call one at a time, and refuse the word.
            Some(_) if self.thinker == Thinker::O => self.drop(Field::ParallelTools)?,
            Some(parallel) => self.put("parallel_tool_calls", parallel),
            None => {}
        }
        Ok(())
    }

    /// Where a Responses client leaves `strict` out, its own server tries: no host is to try it with a schema that strict mode
    /// refuses. Who asked for it with such a schema is told that it is not.
    fn strict(&mut self, tool: &Tool, parameters: &Value) -> Result<Option<bool>, Incompatible> {
        let clean = schema::is_strict(parameters);
        if tool.strict == Some(true) && !clean {
            self.drops.tool(self.from, "strict")?;
        }
        Ok(match tool.strict {
            Some(strict) => Some(strict && clean),
            None if self.from.family == Family::Responses && !clean => Some(false),
            None => None,
        })
    }

    fn format(&mut self) -> Result<(), Incompatible> {
        let from = self.from;
        match &from.output {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => self.put("response_format", json!({"type": "json_object"})),
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                let (schema, wrapped) = match self.host.openai_fields && self.host.plain_schemas {
                    true => schema::of_answer(schema),
                    false => (schema.clone(), false),
                };
                self.reply.json_wrapped = wrapped;
                let clean = schema::is_strict(&schema);
                let mut inner = json!({"name": name.as_deref().unwrap_or("response"), "schema": schema});
                if let Some(description) = description {
                    inner["description"] = json!(description);
                }
                if let Some(strict) = *strict {
                    if strict && !clean {
                        self.drop(Field::OutputFormat)?;
                    }
                    inner["strict"] = json!(strict && clean);
                }
                self.put("response_format", json!({"type": "json_schema", "json_schema": inner}));
            }
        }
        Ok(())
    }

    /// OpenAI's reasoning models refuse them.
    fn logprobs(&mut self) -> Result<(), Incompatible> {
        match self.from.logprobs {
            None => {}
            Some(_) if self.thinker != Thinker::No => return Err(Incompatible("logprobs".to_owned())),
            Some(alternatives) => {
                self.put("logprobs", true);
                self.put("top_logprobs", alternatives);
            }
        }
        Ok(())
    }

    fn reasoning(&mut self, facts: &Facts) -> Result<(), Incompatible> {
        let thinks = self.thinker != Thinker::No || facts.supports(Feature::Reasoning).unwrap_or(self.host.effort);
        if !thinks || hosts::refuses_effort(self.to.provider, self.to.model) {
            return self.drops.thinking(self.from);
        }
        let Some(wanted) = self.from.reasoning.wanted_effort() else { return Ok(()) };
        self.put("reasoning_effort", hosts::effort(self.to.provider, self.to.model, wanted).name());
        Ok(())
    }

    /// OpenAI's reasoning models refuse sampling, but for the later ones at effort `none`.
    fn sampling(&mut self) -> Result<(), Incompatible> {
        let rests =
            self.thinker == Thinker::Later && self.body.get("reasoning_effort").is_some_and(|effort| effort == "none");
        let free = self.thinker == Thinker::No || rests;
        for (value, field) in [(self.from.temperature, Field::Temperature), (self.from.top_p, Field::TopP)] {
            match value {
                Some(value) if free => self.put(field.name(Family::Chat), value),
                Some(_) => self.drop(field)?,
                None => {}
            }
        }
        match self.from.top_k {
            Some(top_k) if self.host.top_k => self.put("top_k", top_k),
            Some(_) => self.drop(Field::TopK)?,
            None => {}
        }
        // A stop that is not obeyed shows in the text: nothing for `dropped`.
        match self.from.stop.len() {
            0 => Ok(()),
            n if n > self.host.stops || hosts::refuses_stop(self.to.provider, self.to.model) => {
                Err(Incompatible(self.from.name_of(Field::Stop).to_owned()))
            }
            _ => {
                self.put("stop", json!(self.from.stop));
                Ok(())
            }
        }
    }

    fn account(&mut self) -> Result<(), Incompatible> {
        let openai = self.host.openai_fields;
        match (&self.from.user, self.host.user) {
            (Some(user), Some(name)) => self.put(name, ids::of_user(user, USER_MAX)),
            (Some(_), None) => self.drop(Field::User)?,
            (None, _) => {}
        }
        match self.from.service_tier.as_deref() {
            None => {}
            // Of OpenAI's tiers this one alone is of Responses.
            Some(tier) if openai && tier != "ultrafast" => self.put("service_tier", tier),
            Some("auto" | "default") => {}
            Some(_) => self.drop(Field::ServiceTier)?,
        }
        let from = self.from;
        let fields = [
            ("verbosity", from.verbosity.clone().map(Value::from), Field::Verbosity),
            ("metadata", from.metadata.clone(), Field::Metadata),
            ("store", from.store.filter(|store| *store).map(Value::from), Field::Store),
            ("prompt_cache_key", from.prompt_cache_key.clone().map(Value::from), Field::PromptCacheKey),
        ];
        for (name, value, field) in fields {
            match value {
                Some(value) if openai => self.put(name, value),
                Some(_) => self.drop(field)?,
                None => {}
            }
        }
        if from.reasoning.summary.is_some() {
            self.drop(Field::Summary)?;
        }
        Ok(())
    }

    /// Other families always have usage at the end of a stream: it is asked for.
    fn stream(&mut self) {
        if self.from.stream {
            self.put("stream", true);
            if self.host.stream_options {
                self.put("stream_options", json!({"include_usage": true}));
            }
        }
    }
}

/// A tool that takes text.
fn custom(tool: &Tool, format: &Format, reply: &mut Reply) -> Value {
    let mut custom = json!({"name": names::on_wire(&tool.name, CHAT_MAX, reply)});
    if let Some(description) = &tool.description {
        custom["description"] = json!(description);
    }
    match format {
        Format::Unsaid => {}
        Format::Text => custom["format"] = json!({"type": "text"}),
        Format::Grammar { syntax, definition } => {
            custom["format"] = json!({"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}});
        }
    }
    json!({"type": "custom", "custom": custom})
}
