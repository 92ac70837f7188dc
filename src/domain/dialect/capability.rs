//! What a request needs of a model, and whether a model has it.
//!
//! The scan reads the body's top level once; content is walked only where the bytes hold a word that some media part must
//! hold. What nobody knows of a model is tried.
//!
//! ```text
//! need            a target lacks it when
//! tools, vision,  its catalogue row lists features, and not this one
//!   json_schema,
//!   audio, files
//! hosted_tools,   it is another provider than the one that the request was written for,
//!   stored_ids    and its row does not list the feature
//! Claude's tools  the same, and it is no Claude that is spoken to in Anthropic's words
//! thread          the same: a thread is one of the stored ids, by a name of its own
//! inference_geo   it is another provider
//! service_tier    the same, within a family; between families it is dropped
//! context         the least that the prompt can be is more than its known window
//! ```
//!
//! **Tokens** are guessed as bytes of text / 4, which for English prose and code is right to a third either way, and for other
//! scripts up to half too low. An image counts as 1,000. For skipping a hop the least counts: bytes / 6, an image as 85.

use crate::domain::catalogue::{Facts, Feature};
use crate::domain::dialect::messages::claude::is_claude;
use crate::domain::dialect::{Wire, json_text};
use crate::domain::route::Family;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a request needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    all: Vec<Need>,
    /// The likely size of the prompt, in tokens.
    pub tokens: u64,
    /// The least that it can be.
    pub tokens_least: u64,
}

/// One thing that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Feature(Feature),
    /// Tools that the client runs and Claude was trained on: what they take is not in the request.
    ClaudeTools,
    /// The message thread that the request goes on from.
    Thread,
    /// That inference stays within a region, which the first hop's provider was asked to promise.
    Geo,
}

impl Need {
    const fn name(self) -> &'static str {
        match self {
            Need::Feature(feature) => feature.name(),
            Need::ClaudeTools => Feature::HostedTools.name(),
            Need::Thread => "thread",
            Need::Geo => "inference_geo",
        }
    }
}

/// The target in question, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub facts: &'a Facts,
    pub wire: Wire,
    /// The model's name on the wire.
    pub model: &'a str,
    /// The provider that the request was written for: the first hop's.
    pub same_provider: bool,
}

impl Candidate<'_> {
    /// Whether nothing is known that it could lack.
    pub fn can_all(&self) -> bool {
        self.same_provider && self.facts.supports.is_none() && self.facts.context_tokens.is_none()
    }

    /// Whether it has what is bound to a provider.
    fn has_own(&self, feature: Feature) -> bool {
        self.same_provider || self.facts.supports(feature).unwrap_or(false)
    }
}

/// Words without which a body holds no image, sound, file or id of a stored thing.
const MEDIA: [&[u8]; 5] = [b"image", b"audio", b"file", b"document", b"item_reference"];

/// Anthropic's tools that the client runs, by the start of their type as JSON.
const CLAUDE_TOOLS: [&str; 4] = ["\"bash_", "\"text_editor_", "\"memory_", "\"computer_"];

/// What a body of a generating route needs: its length in bytes, and its top-level values by name. What is no JSON there
/// needs nothing: its own provider will say so.
pub fn needs<'a>(family: Family, length: usize, value: &dyn Fn(&str) -> Option<&'a [u8]>) -> Needs {
    let mut needs = Needs::default();
    let mut count = Count { bytes: length, images: 0 };
    let top = |name: &str| value(name).filter(|bytes| *bytes != b"null");
    tools(&top, &mut needs);
    top_level(&top, family, &mut needs);
    let contents = [top("messages"), top("input")];
    for content in contents.into_iter().flatten().filter(|content| holds_media(content)) {
        if let Some(value) = json_text::tree(content) {
            walk(&value, &mut needs, &mut count);
        }
    }
    (needs.tokens, needs.tokens_least) = count.tokens();
    needs
}

/// What a candidate lacks: the first need that it cannot meet, by its name in `incompatible`.
pub fn lacks(needs: &Needs, family: Family, candidate: Candidate<'_>) -> Option<&'static str> {
    let lacking = needs.all.iter().find(|need| !meets(**need, family, candidate));
    let too_small = candidate.facts.context_tokens.is_some_and(|window| needs.tokens_least > window);
    lacking.map(|need| need.name()).or(too_small.then_some("context"))
}

fn meets(need: Need, family: Family, candidate: Candidate<'_>) -> bool {
    match need {
        Need::Feature(feature) => has(feature, family, candidate),
        Need::Thread => candidate.has_own(Feature::StoredIds),
        Need::Geo => candidate.same_provider,
        Need::ClaudeTools => {
            let claude = candidate.wire.family() == Some(Family::Messages) && is_claude(candidate.model);
            claude || candidate.has_own(Feature::HostedTools)
        }
    }
}

fn has(feature: Feature, family: Family, candidate: Candidate<'_>) -> bool {
    let known = candidate.facts.supports(feature);
    match feature {
        Feature::ServiceTier if candidate.wire.family() != Some(family) => true,
        Feature::HostedTools | Feature::StoredIds | Feature::ServiceTier => candidate.has_own(feature),
        // Between families a tool can stand in for structured output.
        Feature::JsonSchema if has_stand_in(family, candidate.wire) => {
            known.unwrap_or(true) || candidate.facts.supports(Feature::Tools).unwrap_or(true)
        }
        Feature::Tools
        | Feature::Vision
        | Feature::JsonSchema
        | Feature::Reasoning
        | Feature::Audio
        | Feature::Files => known.unwrap_or(true),
    }
}

fn has_stand_in(family: Family, wire: Wire) -> bool {
    let claude = matches!(wire, Wire::Messages | Wire::Invoke | Wire::RawPredict);
    wire == Wire::Converse || (family != Family::Messages && claude)
}

impl Needs {
    /// Whether a feature is needed.
    pub fn has(&self, feature: Feature) -> bool {
        self.all.contains(&Need::Feature(feature))
    }

    fn add(&mut self, feature: Feature) {
        self.needs(Need::Feature(feature));
    }

    fn needs(&mut self, need: Need) {
        if !self.all.contains(&need) {
            self.all.push(need);
        }
    }
}

#[derive(Clone, Copy)]
struct Count {
    /// Bytes of text, frame included.
    bytes: usize,
    images: usize,
}

impl Count {
    /// Likely and least.
    fn tokens(self) -> (u64, u64) {
        let (bytes, images) = (self.bytes as u64, self.images as u64);
        (tokens_of(self.bytes) + images.saturating_mul(1_000), bytes / 6 + images.saturating_mul(85))
    }

    /// Data that is not read as text.
    fn without(&mut self, data: &str) {
        self.bytes = self.bytes.saturating_sub(data.len());
    }
}

/// The likely tokens of so many bytes of text.
pub fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

/// A lookup of top-level values.
type Top<'f, 'a> = dyn Fn(&str) -> Option<&'a [u8]> + 'f;

fn tools(top: &Top<'_, '_>, needs: &mut Needs) {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    let filled = |name: &str| top(name).filter(|bytes| *bytes != b"[]");
    let tools = filled("tools").and_then(|tools| serde_json::from_slice::<Vec<Kind<'_>>>(tools).ok());
    for tool in tools.unwrap_or_default() {
        match tool.kind.map(RawValue::get) {
            None | Some("\"function\"" | "\"custom\"") => needs.add(Feature::Tools),
            Some(kind) if CLAUDE_TOOLS.iter().any(|start| kind.starts_with(start)) => needs.needs(Need::ClaudeTools),
            Some(_) => needs.add(Feature::HostedTools),
        }
    }
    if filled("functions").is_some() {
        needs.add(Feature::Tools);
    }
    if top("web_search_options").is_some() || filled("mcp_servers").is_some() {
        needs.add(Feature::HostedTools);
    }
}

fn top_level(top: &Top<'_, '_>, family: Family, needs: &mut Needs) {
    let names = |name: &str, word: &str| top(name).is_some_and(|bytes| memmem::find(bytes, word.as_bytes()).is_some());
    let formats = ["response_format", "text", "output_config", "output_format"];
    if formats.into_iter().any(|format| names(format, "\"json_schema\"")) {
        needs.add(Feature::JsonSchema);
    }
    if names("modalities", "\"audio\"") || top("audio").is_some() {
        needs.add(Feature::Audio);
    }
    let tier = top("service_tier").unwrap_or(b"\"auto\"");
    if !matches!(tier, b"\"auto\"" | b"\"default\"" | b"\"standard_only\"") {
        needs.add(Feature::ServiceTier);
    }
    // The legacy completions have their text in `prompt`; a stored prompt is an object of Responses.
    let stored_prompt = family == Family::Responses && top("prompt").is_some();
    let ids = ["previous_response_id", "conversation", "container"];
    // A message thread that goes on is held by the server that answered before; one that begins is all here.
    if names("thread", "\"continue\"") {
        needs.needs(Need::Thread);
    }
    if family == Family::Messages && top("inference_geo").is_some_and(|geo| geo != b"\"global\"") {
        needs.needs(Need::Geo);
    }
    if stored_prompt || ids.into_iter().any(|name| top(name).is_some()) {
        needs.add(Feature::StoredIds);
    }
}

fn holds_media(content: &[u8]) -> bool {
    MEDIA.iter().any(|word| memmem::find(content, word).is_some())
}

// The recursion goes as deep as the JSON parser lets a value be: 128.
fn walk(value: &Value, needs: &mut Needs, count: &mut Count) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, needs, count)),
        Value::Object(fields) => {
            if let Some(kind) = fields.get("type").and_then(Value::as_str) {
                part(kind, value, needs, count);
            }
            // What the model said aloud before is kept by who said it.
            if fields.contains_key("role") && value.pointer("/audio/id").is_some_and(Value::is_string) {
                needs.add(Feature::StoredIds);
            }
            fields.iter().filter(|(name, _)| name.as_str() != "input").for_each(|(_, inner)| walk(inner, needs, count));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn part(kind: &str, part: &Value, needs: &mut Needs, count: &mut Count) {
    let text = |path: &str| part.pointer(path).and_then(Value::as_str);
    match kind {
        "image_url" | "input_image" | "image" => {
            needs.add(Feature::Vision);
            count.images = count.images.saturating_add(1);
            let data = text("/image_url/url").or(text("/image_url")).or(text("/source/data"));
            count.without(data.unwrap_or_default());
        }
        "input_audio" => {
            needs.add(Feature::Audio);
            count.without(text("/input_audio/data").unwrap_or_default());
        }
        "file" | "input_file" => {
            needs.add(Feature::Files);
            count.without(text("/file/file_data").or(text("/file_data")).unwrap_or_default());
        }
        // Plain text in a document is text to any model.
        "document" if !matches!(text("/source/type"), Some("text" | "content")) => {
            needs.add(Feature::Files);
            count.without(text("/source/data").unwrap_or_default());
        }
        "item_reference" | "container_upload" => needs.add(Feature::StoredIds),
        _ => {}
    }
    if text("/file/file_id").or(text("/file_id")).or(text("/source/file_id")).is_some() {
        needs.add(Feature::StoredIds);
    }
}
