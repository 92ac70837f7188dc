//! A [`Conversation`] as the body of a Messages request, for Anthropic itself, Bedrock's InvokeModel and Vertex.
//!
//! ```text
//! wire         model, stream      anthropic_version       images and documents by URL
//! Messages     in the body        (a header)              yes
//! Invoke       in the address     bedrock-2023-05-31      no
//! RawPredict   model in address   vertex-2023-10-16       no
//! ```

use crate::domain::catalogue::{Facts, Feature};
use crate::domain::dialect::conversation::{Conversation, Field, OutputFormat, ToolChoice};
use crate::domain::dialect::drops::Drops;
use crate::domain::dialect::ids;
use crate::domain::dialect::messages::claude::{self, Claude, Sampling, is_claude};
use crate::domain::dialect::messages::structured::{self, Budget};
use crate::domain::dialect::messages::{blocks, think};
use crate::domain::dialect::names::{self, MESSAGES_MAX};
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Destination, Encoded, Incompatible, Wire, root, schema};
use crate::domain::policy::Translate;
use serde_json::{Map, Value, json};

/// Above this many tokens Anthropic wants a stream: what we make up for a whole answer stays below.
const WHOLE_ANSWER_MAX: u64 = 21_333;
/// The longest `metadata.user_id`.
const USER_MAX: usize = 256;
const JSON_WISH: &str = "Answer with one JSON object and nothing else.";

/// Encodes a conversation for a target that speaks Messages.
///
/// # Errors
/// [`Incompatible`] with the feature that the target lacks; under `strict` with the first path that would be dropped.
pub fn encode(
    conversation: &Conversation,
    to: &Destination<'_>,
    facts: &Facts,
    translate: Translate,
) -> Result<Encoded, Incompatible> {
    let mut writer = Writer {
        from: conversation,
        to,
        claude: claude::of(to.model),
        structured: false,
        budget: Budget::WHOLE,
        answer: None,
        body: Map::new(),
        drops: Drops::new(translate),
        reply: Reply { legacy_functions: conversation.legacy_functions, ..Reply::default() },
    };
    writer.structured = writer.takes_schemas(facts);
    writer.answer = writer.checked_answer();
    writer.drops.residue(conversation)?;
    writer.head();
    writer.limits()?;
    writer.wrap();
    writer.turns()?;
    writer.tools()?;
    writer.format()?;
    writer.thinking(facts)?;
    writer.sampling()?;
    writer.account()?;
    let body = serde_json::to_vec(&Value::Object(writer.body)).map_err(|_| Incompatible("body".to_owned()))?;
    Ok(Encoded { body, dropped: writer.drops.into_paths(), reply: writer.reply })
}

struct Writer<'a> {
    from: &'a Conversation,
    to: &'a Destination<'a>,
    claude: Claude,
    structured: bool,
    /// What its strict tools may still hold.
    budget: Budget,
    /// The schema to which the answer is held, and whether that is less than the client's.
    answer: Option<(Value, bool)>,
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

    fn takes_schemas(&self, facts: &Facts) -> bool {
        let on_wire = self.to.wire != Wire::Invoke || self.claude.structured_on_invoke;
        facts.supports(Feature::JsonSchema).unwrap_or(true) && self.claude.structured && on_wire
    }

    /// The answer's schema as it is checked, and whether it is weaker so; `None` where a tool must stand in for it.
    fn checked_answer(&mut self) -> Option<(Value, bool)> {
        let OutputFormat::JsonSchema { schema, description, .. } = &self.from.output else { return None };
        let checked = (self.structured && structured::takes(schema))
            .then(|| structured::for_claude(&structured::introduced(schema, description.as_deref())));
        checked.filter(|(schema, _)| self.budget.spends_on_answer(schema))
    }

    fn head(&mut self) {
        match self.to.wire {
            Wire::Invoke => self.put("anthropic_version", "bedrock-2023-05-31"),
            Wire::RawPredict => self.put("anthropic_version", "vertex-2023-10-16"),
            _ => self.put("model", self.to.id),
        }
        if self.from.stream && self.to.wire != Wire::Invoke {
            self.put("stream", true);
        }
    }

    /// `max_tokens` must be there. Bedrock's bound is exclusive. What is no Claude may write more than what is made up for it.
    fn limits(&mut self) -> Result<(), Incompatible> {
        let known = self.to.max_output_tokens.or(is_claude(self.to.model).then_some(self.claude.max_output));
        let below = |cap: u64| if self.to.wire == Wire::Invoke { cap.saturating_sub(1) } else { cap };
        let cap = known.map(below);
        let most = match (self.from.max_output_tokens, cap.unwrap_or(self.claude.max_output)) {
            // Here it would fill the cache and answer nothing.
            (Some(0), _) => return Err(Incompatible(self.from.name_of(Field::MaxOutputTokens).to_owned())),
            (Some(wanted), most) if cap.is_some() && wanted > most => {
                self.drop(Field::MaxOutputTokens)?;
                most
            }
            (Some(wanted), _) => wanted,
            (None, most) if self.from.stream => most,
            (None, most) => most.min(WHOLE_ANSWER_MAX),
        };
        self.put("max_tokens", most);
        Ok(())
    }

    fn turns(&mut self) -> Result<(), Incompatible> {
        // An answer that a schema holds to cannot be begun by the client.
        let claude = Claude { prefill: self.claude.prefill && self.answer.is_none(), ..self.claude };
        let mut blocks = blocks::Blocks::new(self.from, self.to.wire, &mut self.drops, &mut self.reply);
        let written = blocks.write(&claude)?;
        let mut system = written.system;
        if self.from.output == OutputFormat::JsonObject {
            self.drop(Field::OutputFormat)?;
            system.push(json!({"type": "text", "text": JSON_WISH}));
        }
        if !system.is_empty() {
            self.put("system", system);
        }
        self.put("messages", written.messages);
        Ok(())
    }

    /// Notes the tools whose arguments have names that Anthropic refuses: one such tool, and the whole request is.
    fn wrap(&mut self) {
        for tool in &self.from.tools {
            let schema = schema::of_arguments(tool.schema.as_ref()).map(root::plain);
            if schema.is_some_and(|(schema, _)| !schema::has_plain_keys(&schema)) {
                let name = names::on_wire(&tool.name, MESSAGES_MAX, &mut self.reply);
                self.reply.wrapped.insert(name);
            }
        }
    }

    fn tools(&mut self) -> Result<(), Incompatible> {
        let mut tools = Vec::with_capacity(self.from.tools.len());
        for tool in &self.from.tools {
            let schema = schema::of_arguments(tool.schema.as_ref()).ok_or_else(|| Incompatible("tools".to_owned()))?;
            let (mut schema, weaker) = root::plain(schema);
            self.drops.schema(self.from, weaker)?;
            let name = names::on_wire(&tool.name, MESSAGES_MAX, &mut self.reply);
            if let Some(fields) = schema.as_object_mut().filter(|_| self.reply.wrapped.contains(&name)) {
                schema = schema::wrapped(std::mem::take(fields));
            }
            let mut written = json!({"name": name, "input_schema": schema});
            if let Some(description) = &tool.description {
                written["description"] = json!(description);
            }
            if tool.strict == Some(true) {
                let checked = (self.structured && structured::takes(&schema)).then(|| structured::for_claude(&schema));
                match checked.filter(|(schema, _)| self.budget.spends_on_tool(schema)) {
                    Some((schema, weaker)) => {
                        written["strict"] = json!(true);
                        written["input_schema"] = schema;
                        self.drops.schema(self.from, weaker)?;
                    }
                    None => self.drops.tool(self.from, "strict")?,
                }
            }
            tools.push(written);
        }
        let mut choice = self.from.tool_choice.clone();
        if tools.is_empty() {
            // A history of calls needs definitions on every host; nothing new may be called.
            tools = blocks::called_tools(self.from, &mut self.reply);
            choice = Some(ToolChoice::None);
        }
        if !tools.is_empty() {
            self.put("tools", tools);
            self.choice(choice);
        }
        Ok(())
    }

    fn choice(&mut self, choice: Option<ToolChoice>) {
        let one_by_one = self.from.parallel_tools == Some(false);
        let mut written = match (choice, one_by_one) {
            (None, false) => return,
            (None | Some(ToolChoice::Auto), _) => json!({"type": "auto"}),
            (Some(ToolChoice::Required), _) => json!({"type": "any"}),
            (Some(ToolChoice::None), _) => json!({"type": "none"}),
            (Some(ToolChoice::Named(name)), _) => {
                json!({"type": "tool", "name": names::on_wire(&name, MESSAGES_MAX, &mut self.reply)})
            }
        };
        if one_by_one && written["type"] != "none" {
            written["disable_parallel_tool_use"] = json!(true);
        }
        self.put("tool_choice", written);
    }

    /// Structured output, or a tool that must be called in its place.
    fn format(&mut self) -> Result<(), Incompatible> {
        let OutputFormat::JsonSchema { name, description, schema, .. } = &self.from.output else { return Ok(()) };
        if let Some((schema, weaker)) = self.answer.take() {
            if weaker {
                self.drop(Field::OutputFormat)?;
            }
            self.put("output_config", json!({"format": {"type": "json_schema", "schema": schema}}));
            return Ok(());
        }
        let (schema, wrapped) = schema::of_stand_in(schema).ok_or_else(|| Incompatible("json_schema".to_owned()))?;
        let what = description.as_deref().or(name.as_deref()).unwrap_or("the answer");
        let stand_in = names::of_stand_in(self.from);
        let tool = json!({"name": stand_in, "description": format!("Gives {what} as JSON."), "input_schema": schema});
        let user_tools = !self.from.tools.is_empty();
        // A call that the client forces is the whole answer.
        if user_tools && matches!(self.from.tool_choice, Some(ToolChoice::Named(_) | ToolChoice::Required)) {
            return Ok(());
        }
        match self.body.get_mut("tools").and_then(Value::as_array_mut).filter(|_| user_tools) {
            Some(tools) => tools.push(tool),
            None => self.put("tools", vec![tool]),
        }
        self.put(
            "tool_choice",
            match user_tools && self.from.tool_choice != Some(ToolChoice::None) {
                true if self.from.parallel_tools == Some(false) => {
                    json!({"type": "any", "disable_parallel_tool_use": true})
                }
                true => json!({"type": "any"}),
                false => json!({"type": "tool", "name": stand_in, "disable_parallel_tool_use": true}),
            },
        );
        self.reply.json_tool = Some(stand_in);
        self.reply.json_wrapped = wrapped;
        Ok(())
    }

    /// A summary of the reasoning is what Claude's thinking is: the newest show it when asked.
    fn thinking(&mut self, facts: &Facts) -> Result<(), Incompatible> {
        match facts.supports(Feature::Reasoning) {
            Some(false) => self.drops.thinking(self.from)?,
            Some(true) | None => self.effort()?,
        }
        let shows = self.claude.shows_thinking;
        let thinking = self.body.get_mut("thinking").filter(|thinking| thinking["type"] != "disabled");
        match (self.from.reasoning.summary.is_some(), thinking) {
            (true, None) => self.drop(Field::Summary),
            (true, Some(thinking)) if !shows => {
                thinking["display"] = json!("summarized");
                Ok(())
            }
            (true | false, _) => Ok(()),
        }
    }

    fn effort(&mut self) -> Result<(), Incompatible> {
        let Some(effort) = self.from.reasoning.wanted_effort() else { return Ok(()) };
        let most = self.body.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
        let forced =
            self.body.get("tool_choice").is_some_and(|choice| matches!(choice["type"].as_str(), Some("any" | "tool")));
        let mut plan = think::plan(&self.claude, effort, most, forced || self.goes_on());
        if forced && self.to.wire == Wire::Invoke && !self.claude.forced_on_invoke && plan.effort.is_some() {
            plan = think::Plan { lost: true, ..think::Plan::default() };
        }
        if plan.lost {
            self.drop(Field::Effort)?;
        }
        if let Some(thinking) = plan.thinking {
            self.put("thinking", thinking);
        }
        if let Some(effort) = plan.effort {
            let config = self.body.entry("output_config").or_insert_with(|| json!({}));
            config["effort"] = json!(effort.name());
        }
        Ok(())
    }

    /// Whether the model goes on with what it began, its answer or a loop of tools, whose thinking is not at hand.
    fn goes_on(&self) -> bool {
        let last = self.body.get("messages").and_then(Value::as_array).and_then(|messages| messages.last());
        let is_result = |block: &Value| block["type"] == "tool_result";
        last.is_some_and(|turn| {
            turn["role"] == "assistant" || turn["content"].as_array().into_iter().flatten().any(is_result)
        })
    }

    fn sampling(&mut self) -> Result<(), Incompatible> {
        let thinks = self.body.get("thinking").is_some_and(|thinking| thinking["type"] != "disabled");
        let refused = self.claude.sampling == Sampling::None;
        match self.from.temperature {
            Some(_) if thinks || refused => self.drop(Field::Temperature)?,
            Some(temperature) => {
                if temperature > 1.0 {
                    self.drop(Field::Temperature)?;
                }
                self.put("temperature", temperature.clamp(0.0, 1.0));
            }
            None => {}
        }
        let both = self.claude.sampling == Sampling::NotBoth && self.body.contains_key("temperature");
        match self.from.top_p {
            Some(top_p) if refused || both || thinks && top_p < 0.95 => self.drop(Field::TopP)?,
            Some(top_p) => self.put("top_p", top_p),
            None => {}
        }
        match self.from.top_k {
            Some(_) if refused || thinks => self.drop(Field::TopK)?,
            Some(top_k) => self.put("top_k", top_k),
            None => {}
        }
        let stops: Vec<&String> = self.from.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
        if stops.len() < self.from.stop.len() {
            self.drop(Field::Stop)?;
        }
        if !stops.is_empty() {
            self.put("stop_sequences", json!(stops));
        }
        Ok(())
    }

    fn account(&mut self) -> Result<(), Incompatible> {
        let is_anthropic = self.to.wire == Wire::Messages;
        match &self.from.user {
            Some(user) if is_anthropic => {
                self.put("metadata", json!({"user_id": ids::of_nobody(user, USER_MAX)}));
            }
            Some(_) => self.drop(Field::User)?,
            None => {}
        }
        match self.from.service_tier.as_deref() {
            Some("auto") if is_anthropic => self.put("service_tier", "auto"),
            Some("default") if is_anthropic => self.put("service_tier", "standard_only"),
            Some("auto" | "default") | None => {}
            Some(_) => self.drop(Field::ServiceTier)?,
        }
        let unknown = [
            (self.from.verbosity.is_some(), Field::Verbosity),
            (self.from.metadata.is_some(), Field::Metadata),
            (self.from.store == Some(true), Field::Store),
            (self.from.prompt_cache_key.is_some(), Field::PromptCacheKey),
        ];
        for (is_there, field) in unknown {
            if is_there {
                self.drop(field)?;
            }
        }
        Ok(())
    }
}
