//! The request between two families: what a client asked for, said in no family's words.
//!
//! Each family's request decoder makes a [`Conversation`], each wire's request encoder writes one. What a conversation cannot
//! hold is kept as [`Residue`] with its weight, so that the encoder's side decides between skipping the hop and dropping the
//! field. A conversation is as the client wrote it: roles unmerged, results perhaps orphaned; `continuity` puts it into the
//! order that strict wires ask for.
//!
//! ```text
//! system parts | turns: role + parts | tools, choice | sampling and limits | output format | reasoning | residue
//! ```

use crate::domain::dialect::CallKind;
use crate::domain::redact::short;
use crate::domain::route::Family;
use serde_json::{Map, Value};

/// A request in no family's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The family that it was decoded from: names in `dropped` are written as that client wrote them.
    pub family: Family,
    /// Instructions that precede every turn: [`Part::Text`] and [`Part::CacheBreak`] only.
    pub system: Vec<Part>,
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools in one turn; `None` is the wire's default (it may).
    pub parallel_tools: Option<bool>,
    /// Cap on output tokens, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// 0 to 2, as OpenAI counts.
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    /// Stop sequences in the client's order.
    pub stop: Vec<String>,
    pub output: OutputFormat,
    pub reasoning: Reasoning,
    /// `low`, `medium`, `high`: OpenAI's wish for short or long answers.
    pub verbosity: Option<String>,
    pub stream: bool,
    /// A chat client asked for the usage chunk at the end of the stream.
    pub include_usage: bool,
    /// An opaque id of the end user (`safety_identifier`, `user`, `metadata.user_id`).
    pub user: Option<String>,
    /// OpenAI's word for it (`auto`, `default`, `flex`, `priority`, ...); Anthropic's `standard_only` is `default`.
    pub service_tier: Option<String>,
    /// OpenAI's `metadata` pairs.
    pub metadata: Option<Value>,
    pub store: Option<bool>,
    /// Likelihoods of the answer's tokens are wanted, with so many alternatives to each.
    pub logprobs: Option<u64>,
    pub prompt_cache_key: Option<String>,
    /// The client used the retired `functions` and wants `function_call` answers.
    pub legacy_functions: bool,
    /// Fields that the client wrote by another of their names.
    pub spelled: Vec<(Field, &'static str)>,
    pub residue: Vec<Residue>,
}

/// Who speaks in a turn. Results of tools are parts of a user's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions in the middle of the conversation; leading ones are in [`Conversation::system`].
    System,
    User,
    Assistant,
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub role: Role,
    pub parts: Vec<Part>,
}

/// One piece of a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    /// What the model said in place of an answer: text, where a wire has no such part.
    Refusal(String),
    Image {
        source: Source,
        /// OpenAI's `low`, `high`, `auto`.
        detail: Option<String>,
    },
    Document {
        source: Source,
        /// File name or title.
        title: Option<String>,
    },
    /// The model called a tool. `arguments` is JSON text as it came, perhaps empty or invalid; of a custom tool its input.
    ToolCall {
        id: String,
        name: String,
        arguments: String,
        kind: CallKind,
    },
    /// What the tool gave back: text, images and documents.
    ToolResult {
        id: String,
        parts: Vec<Part>,
        is_error: bool,
    },
    /// The part before this one ends a prefix worth caching.
    CacheBreak(Cache),
}

/// Where the bytes of an image or document are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `media_type` is lower-case; `data` is standard base64 as the client wrote it.
    Base64 {
        media_type: String,
        data: String,
    },
    Url(String),
    /// A document of plain text.
    Text(String),
}

/// How long a cached prefix should live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Five minutes, the default.
    Short,
    /// An hour.
    Long,
}

/// A function or custom tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the arguments; `None` when the client gave none (an object without properties).
    pub schema: Option<Value>,
    pub strict: Option<bool>,
    pub cache: Option<Cache>,
    /// What it takes in place of an object: only OpenAI's own wires have tools of text.
    pub custom: Option<Format>,
}

/// What text a custom tool takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// The client did not say: any.
    Unsaid,
    Text,
    /// `syntax` is `lark` or `regex`.
    Grammar {
        syntax: String,
        definition: String,
    },
}

/// Whether and what the model must call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    Required,
    None,
    Named(String),
}

/// The shape of the answer's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    JsonSchema {
        name: Option<String>,
        description: Option<String>,
        schema: Value,
        strict: Option<bool>,
    },
}

/// How hard the model should think.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub effort: Option<Effort>,
    pub thinking: Thinking,
    /// Responses' `reasoning.summary`.
    pub summary: Option<String>,
}

/// OpenAI's and Anthropic's words for effort, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

/// Anthropic's switch for thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    #[default]
    Unset,
    Disabled,
    Adaptive,
    /// At most so many tokens of thinking.
    Budget(u64),
}

/// A field that a conversation cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Residue {
    /// The client would miss it: the feature's name, for `incompatible`.
    Semantic(String),
    /// It only biases quality or cost: its path in the client's body, for `dropped`.
    Quality(String),
}

impl Conversation {
    /// A conversation that says nothing yet.
    pub fn new(family: Family) -> Conversation {
        Conversation {
            family,
            system: Vec::new(),
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            max_output_tokens: None,
            temperature: None,
            top_p: None,
            top_k: None,
            stop: Vec::new(),
            output: OutputFormat::Text,
            reasoning: Reasoning::default(),
            verbosity: None,
            stream: false,
            include_usage: false,
            user: None,
            service_tier: None,
            metadata: None,
            store: None,
            logprobs: None,
            prompt_cache_key: None,
            legacy_functions: false,
            spelled: Vec::new(),
            residue: Vec::new(),
        }
    }

    /// Keeps a field that would be missed. What a client calls it may be as long as its body, and is told once per hop.
    pub fn semantic(&mut self, feature: &str) {
        self.residue.push(Residue::Semantic(short(feature)));
    }

    /// Keeps a field that only biases quality.
    pub fn quality(&mut self, path: impl Into<String>) {
        self.residue.push(Residue::Quality(path.into()));
    }

    /// Whether it has a tool of that name that takes text.
    pub fn is_custom(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name && tool.custom.is_some())
    }

    /// Whether it offers a tool that takes text, or tells of a call of one.
    pub fn has_custom_tools(&self) -> bool {
        let called = |part: &Part| matches!(part, Part::ToolCall { kind: CallKind::Custom, .. });
        self.tools.iter().any(|tool| tool.custom.is_some())
            || self.turns.iter().any(|turn| turn.parts.iter().any(called))
    }

    /// What the client calls a field of ours, for `dropped`.
    pub fn name_of(&self, field: Field) -> &'static str {
        let spelled = self.spelled.iter().find(|(known, _)| *known == field);
        spelled.map_or_else(|| field.name(self.family), |(_, name)| name)
    }

    /// Whether a field has the value that every API gives it where it is absent: to leave it out loses nothing.
    pub fn is_default(&self, field: Field) -> bool {
        match field {
            Field::Temperature => self.temperature == Some(1.0),
            Field::TopP => self.top_p == Some(1.0),
            Field::Verbosity => self.verbosity.as_deref() == Some("medium"),
            Field::ParallelTools => self.parallel_tools == Some(true),
            Field::Metadata => self.metadata.as_ref().and_then(Value::as_object).is_some_and(Map::is_empty),
            _ => false,
        }
    }

    /// Notes that the client wrote a field by that name.
    pub fn spell(&mut self, field: Field, name: &'static str) {
        if !self.spelled.contains(&(field, name)) {
            self.spelled.push((field, name));
        }
    }
}

/// The fields that some wire has no word for, to name them as the client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Temperature,
    TopP,
    TopK,
    Stop,
    OutputFormat,
    Effort,
    Summary,
    Verbosity,
    User,
    ServiceTier,
    Metadata,
    Store,
    PromptCacheKey,
    ParallelTools,
    MaxOutputTokens,
    CacheControl,
}

impl Field {
    /// The field's path in a body of that family.
    pub const fn name(self, family: Family) -> &'static str {
        match (self, family) {
            (Field::Temperature, _) => "temperature",
            (Field::TopP, _) => "top_p",
            (Field::TopK, _) => "top_k",
            (Field::Stop, Family::Messages) => "stop_sequences",
            (Field::Stop, _) => "stop",
            (Field::OutputFormat, Family::Chat) => "response_format",
            (Field::OutputFormat, Family::Responses) => "text.format",
            (Field::OutputFormat, Family::Messages) => "output_config.format",
            (Field::Effort, Family::Chat) => "reasoning_effort",
            (Field::Effort, Family::Responses) => "reasoning.effort",
            (Field::Effort, Family::Messages) => "thinking",
            (Field::Summary, _) => "reasoning.summary",
            (Field::Verbosity, Family::Responses) => "text.verbosity",
            (Field::Verbosity, _) => "verbosity",
            (Field::User, Family::Messages) => "metadata.user_id",
            (Field::User, _) => "user",
            (Field::ServiceTier, _) => "service_tier",
            (Field::Metadata, _) => "metadata",
            (Field::Store, _) => "store",
            (Field::PromptCacheKey, _) => "prompt_cache_key",
            (Field::ParallelTools, Family::Messages) => "tool_choice.disable_parallel_tool_use",
            (Field::ParallelTools, _) => "parallel_tool_calls",
            (Field::MaxOutputTokens, Family::Chat) => "max_completion_tokens",
            (Field::MaxOutputTokens, Family::Responses) => "max_output_tokens",
            (Field::MaxOutputTokens, Family::Messages) => "max_tokens",
            (Field::CacheControl, Family::Messages) => "cache_control",
            (Field::CacheControl, _) => "prompt_cache_breakpoint",
        }
    }
}

impl Reasoning {
    /// What is wished, as an effort: a budget counts as the least effort that would give it.
    pub const fn wanted_effort(&self) -> Option<Effort> {
        match (self.effort, self.thinking) {
            (_, Thinking::Disabled) => Some(Effort::None),
            (Some(effort), _) => Some(effort),
            (None, Thinking::Budget(0..=1_024)) => Some(Effort::Low),
            (None, Thinking::Budget(1_025..=8_192)) => Some(Effort::Medium),
            (None, Thinking::Budget(_)) => Some(Effort::High),
            (None, Thinking::Adaptive | Thinking::Unset) => None,
        }
    }
}

impl Effort {
    /// The effort of that name.
    pub fn parse(name: &str) -> Option<Effort> {
        Some(match name {
            "none" => Effort::None,
            "minimal" => Effort::Minimal,
            "low" => Effort::Low,
            "medium" => Effort::Medium,
            "high" => Effort::High,
            "xhigh" => Effort::Xhigh,
            "max" => Effort::Max,
            _ => return None,
        })
    }

    /// Its name on every wire.
    pub const fn name(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh => "xhigh",
            Effort::Max => "max",
        }
    }
}
