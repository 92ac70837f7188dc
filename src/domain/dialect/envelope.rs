//! A Messages client's own body in the envelope of a cloud: Bedrock's InvokeModel and Vertex's `rawPredict`. What the client
//! wrote goes on as written, cache hints, thinking blocks and signatures included; a translated body is made by
//! `messages::target` instead. Answers are Anthropic's own: whole ones as they are, Bedrock's streams in `chunk` frames.
//!
//! ```text
//!                    Bedrock InvokeModel                    Vertex rawPredict
//! model              in the path                            in the path
//! stream             by the path, taken out                 stays, and by the path
//! anthropic_version  bedrock-2023-05-31                     vertex-2023-10-16
//! anthropic-beta     array anthropic_beta in the body       header     (those that the cloud knows)
//! images by URL      no                                     no
//! eager tools        a beta                                 as written
//! count_tokens       base64 in input.invokeModel.body       the model in the body, not in the path
//! ```
//!
//! Recorded: Bedrock's request and whole answer. Not recorded, by the makers' SDKs: `anthropic_beta`, Vertex's envelope, the
//! stream of InvokeModel.

use std::collections::BTreeMap;

use crate::domain::dialect::drops::Drops;
use crate::domain::dialect::json_text::count;
use crate::domain::dialect::messages::claude::{self, Claude};
use crate::domain::dialect::messages::request;
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Destination, Encoded, Incompatible, Wire, betas};
use crate::domain::policy::Translate;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// Fields that change what is stored or where it runs: other hosts lack them.
const SEMANTIC: [&str; 3] = ["container", "mcp_servers", "inference_geo"];
/// Fields that only bias speed or cost, and that the hosts refuse as unknown. A breakpoint for the whole of a request is one,
/// those of its blocks are not.
const QUALITY: [&str; 5] = ["speed", "fallbacks", "fallback_credit_token", "service_tier", "cache_control"];
/// Tools that Anthropic's own API runs, by the start of their type.
const HOSTED: [&str; 4] = ["web_fetch_", "code_execution_", "mcp_toolset", "advisor_"];
/// What `eager_input_streaming` of a tool is on Bedrock.
const EAGER_TOOLS: &str = "fine-grained-tool-streaming-2025-05-14";
/// Claude Code's first system block: reserved on Bedrock, and another one in every request, so that nothing is cached.
const BILLING: &str = "x-anthropic-billing-header";

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// Wraps a Messages body for `to.wire`, [`Wire::Invoke`] or [`Wire::RawPredict`].
///
/// # Errors
/// [`Incompatible`] with the feature that the host lacks; under `strict` with what would be dropped.
pub fn wrap(body: &[u8], to: &Destination<'_>, translate: Translate) -> Result<Encoded, Incompatible> {
    let mut fields: Fields<'_> = serde_json::from_slice(body).map_err(|_| Incompatible("body".to_owned()))?;
    let mut drops = Drops::new(translate);
    fields.remove("model");
    refuse(&fields, to.wire)?;
    // A thread that begins is all here, and may be lost at any time.
    for name in SEMANTIC.into_iter().chain(["thread"]) {
        fields.remove(name);
    }
    let unscoped = ["system", "tools", "messages"].into_iter();
    let unscoped: Vec<_> = unscoped.filter_map(|name| Some((name, without_scope(fields.get(name)?)?))).collect();
    if !unscoped.is_empty() {
        drops.quality("cache_control.scope")?;
    }
    fields.extend(unscoped.iter().map(|(name, value)| ((*name).to_owned(), value.as_ref())));
    for name in QUALITY {
        // `auto`, `standard_only` and the standard speed are what these hosts do anyway.
        let said = fields.remove(name).map(RawValue::get);
        match said {
            None | Some("null" | "[]" | "{}" | "\"auto\"" | "\"standard_only\"" | "\"standard\"") => {}
            Some(_) if name == "service_tier" => return Err(Incompatible(name.to_owned())),
            Some(_) => drops.quality(name)?,
        }
    }
    let fitting = if to.wire == Wire::Invoke { fitting(&fields, to.model, &mut drops)? } else { Vec::new() };
    for (name, value) in &fitting {
        match value {
            Some(value) => fields.insert((*name).to_owned(), value.as_ref()),
            None => fields.remove(*name),
        };
    }
    let mut ours: Vec<(&str, Box<RawValue>)> = Vec::new();
    let version = if to.wire == Wire::Invoke { "bedrock-2023-05-31" } else { "vertex-2023-10-16" };
    ours.extend(raw(version).map(|version| ("anthropic_version", version)));
    if to.wire == Wire::Invoke {
        fields.remove("stream");
        ours.extend(below_bound(&fields, to, &mut drops)?.map(|most| ("max_tokens", most)));
    }
    if let Some(system) = fields.get("system").and_then(|system| without_billing(system)) {
        fields.remove("system");
        ours.extend(system.map(|system| ("system", system)));
    }
    fields.extend(ours.iter().map(|(name, value)| ((*name).to_owned(), value.as_ref())));
    let body = serde_json::to_vec(&fields).map_err(|_| Incompatible("body".to_owned()))?;
    Ok(Encoded { body, dropped: drops.into_paths(), reply: Reply::default() })
}

/// A wrapped body as its host counts the tokens of: Bedrock takes the whole of it as text, Vertex wants the model there.
pub fn counting(wrapped: Vec<u8>, to: &Destination<'_>) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<Fields<'_>>(&wrapped) else { return wrapped };
    // A count has no `max_tokens`, and the body of a call must have one.
    let (most, model) = (raw(1), raw(to.id));
    let (name, value) = if to.wire == Wire::Invoke { ("max_tokens", &most) } else { ("model", &model) };
    if let Some(value) = value {
        fields.entry(name.to_owned()).or_insert(value);
    }
    let Ok(body) = serde_json::to_vec(&fields) else { return wrapped };
    match to.wire {
        Wire::Invoke => json!({"input": {"invokeModel": {"body": STANDARD.encode(body)}}}).to_string().into_bytes(),
        _ => body,
    }
}

/// Bedrock's count in Anthropic's words; `None` for what is no such count.
pub fn counted(answer: &[u8]) -> Option<Vec<u8>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let tokens = answer.get("inputTokens")?.as_u64()?;
    Some(json!({"input_tokens": tokens}).to_string().into_bytes())
}

/// Adds the betas of an `anthropic-beta` header to a body for InvokeModel, which takes them there alone.
pub fn with_betas(body: Vec<u8>, header: &str) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<Fields<'_>>(&body) else { return body };
    let all = all_betas(&fields, &betas::kept(header, Wire::Invoke));
    let Some(list) = raw(all) else { return body };
    if list.get() == "[]" {
        return body;
    }
    fields.insert("anthropic_beta".to_owned(), &list);
    serde_json::to_vec(&fields).unwrap_or_else(|_| body.clone())
}

fn refuse(fields: &Fields<'_>, wire: Wire) -> Result<(), Incompatible> {
    for name in SEMANTIC {
        // `global` is where a call runs that does not say where.
        if fields.get(name).is_some_and(|value| !matches!(value.get(), "null" | "[]" | "\"global\"")) {
            return Err(Incompatible(name.to_owned()));
        }
    }
    if request::continues(&parsed(fields, "thread", "continue")) {
        return Err(Incompatible("thread".to_owned()));
    }
    let tools = parsed(fields, "tools", "_");
    for kind in tools.as_array().into_iter().flatten().filter_map(|tool| tool["type"].as_str()) {
        let hosted = HOSTED.iter().any(|start| kind.starts_with(start));
        if hosted || (wire == Wire::Invoke && kind.starts_with("web_search_")) {
            return Err(Incompatible("hosted_tools".to_owned()));
        }
    }
    let messages = parsed(fields, "messages", "\"source\"");
    messages.as_array().into_iter().flatten().try_for_each(|turn| sources(&turn["content"]))
}

/// A field as a value, where its text holds `sign` at all: most bodies need no look at their content.
fn parsed(fields: &Fields<'_>, name: &str, sign: &str) -> Value {
    let text = fields.get(name).map(|raw| raw.get()).filter(|text| text.contains(sign));
    text.and_then(|text| serde_json::from_slice(text.as_bytes()).ok()).unwrap_or_default()
}

/// The sources of blocks, and of those within them: of a result, and of a document that is made of blocks. As deep as JSON may be.
fn sources(blocks: &Value) -> Result<(), Incompatible> {
    blocks.as_array().into_iter().flatten().try_for_each(|block| {
        source(block)?;
        sources(&block["content"])?;
        sources(&block["source"]["content"])
    })
}

fn source(block: &Value) -> Result<(), Incompatible> {
    match (block["source"]["type"].as_str(), block["type"].as_str()) {
        (Some("url"), Some("image")) => Err(Incompatible("image_url".to_owned())),
        (Some("url"), _) => Err(Incompatible("files".to_owned())),
        (Some("file"), _) => Err(Incompatible("stored_ids".to_owned())),
        _ => Ok(()),
    }
}

/// A field in another's place; `None` where nothing is left of it.
type Change = (&'static str, Option<Box<RawValue>>);

/// What Bedrock takes in place of what it refuses: effort where the model has none, structured output and strict tools where they
/// are Anthropic's own, and a flag of tools that is a beta there.
fn fitting(fields: &Fields<'_>, model: &str, drops: &mut Drops) -> Result<Vec<Change>, Incompatible> {
    let claude = claude::known(model);
    let mut changes = Vec::new();
    changes.extend(config(fields, claude.as_ref(), drops)?);
    let told = |name: &str| fields.get("tools").is_some_and(|tools| tools.get().contains(name));
    let worth = told("\"eager_input_streaming\"") || told("\"strict\"");
    let mut tools = if worth { parsed(fields, "tools", "\"") } else { Value::Null };
    let mut taken = |name: &str| -> Vec<Value> {
        let named = tools.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
        named.filter_map(|tool| tool.shift_remove(name)).collect()
    };
    let eager = taken("eager_input_streaming");
    let strict = if claude.is_some_and(|claude| !claude.structured_on_invoke) { taken("strict") } else { Vec::new() };
    if strict.contains(&Value::Bool(true)) {
        drops.quality("tools.strict")?;
    }
    if eager.contains(&Value::Bool(true)) {
        changes.push(("anthropic_beta", raw(all_betas(fields, &[EAGER_TOOLS]))));
    }
    if !eager.is_empty() || !strict.is_empty() {
        changes.push(("tools", raw(tools)));
    }
    Ok(changes)
}

fn config(fields: &Fields<'_>, claude: Option<&Claude>, drops: &mut Drops) -> Result<Option<Change>, Incompatible> {
    let mut config = parsed(fields, "output_config", "\"");
    let schema =
        !config["format"].is_null() || fields.get("output_format").is_some_and(|format| format.get() != "null");
    if schema && claude.is_some_and(|claude| !claude.structured_on_invoke) {
        return Err(Incompatible("json_schema".to_owned()));
    }
    let said = config.as_object_mut().filter(|_| claude.is_some_and(|claude| !claude.effort));
    let Some(effort) = said.and_then(|said| said.shift_remove("effort")) else { return Ok(None) };
    if !effort.is_null() {
        drops.quality("output_config.effort")?;
    }
    let left = config.as_object().is_some_and(|left| !left.is_empty());
    Ok(Some(("output_config", raw(config).filter(|_| left))))
}

/// The betas that a body names itself, and these.
fn all_betas(fields: &Fields<'_>, more: &[&str]) -> Vec<String> {
    let own = fields.get("anthropic_beta").and_then(|raw| serde_json::from_slice(raw.get().as_bytes()).ok());
    let mut all: Vec<String> = own.unwrap_or_default();
    for beta in more {
        if !all.iter().any(|known| known == beta) {
            all.push((*beta).to_owned());
        }
    }
    all
}

/// Bedrock's bound on output is exclusive: a client that asks for a model's most asks for one too many.
fn below_bound(
    fields: &Fields<'_>,
    to: &Destination<'_>,
    drops: &mut Drops,
) -> Result<Option<Box<RawValue>>, Incompatible> {
    let asked = count(&parsed(fields, "max_tokens", ""));
    let cap = to.max_output_tokens.or(claude::known(to.model).map(|claude| claude.max_output));
    let (Some(asked), Some(cap)) = (asked, cap) else { return Ok(None) };
    if asked < cap {
        return Ok(None);
    }
    if asked > cap {
        drops.quality("max_tokens")?;
    }
    Ok(raw(cap.saturating_sub(1)))
}

/// Blocks whose breakpoints leave out how far they reach, which only Anthropic's own API knows; `None` where none says so.
fn without_scope(blocks: &RawValue) -> Option<Box<RawValue>> {
    if !blocks.get().contains("\"scope\"") {
        return None;
    }
    let mut blocks: Value = serde_json::from_slice(blocks.get().as_bytes()).ok()?;
    unscope(&mut blocks).then(|| raw(blocks)).flatten()
}

fn unscope(blocks: &mut Value) -> bool {
    let mut found = false;
    for block in blocks.as_array_mut().into_iter().flatten() {
        let hint = block.get_mut("cache_control").and_then(Value::as_object_mut);
        found |= hint.is_some_and(|hint| hint.shift_remove("scope").is_some());
        found |= block.get_mut("content").is_some_and(unscope);
    }
    found
}

/// The system text without Claude Code's billing block; `None` when there is none, `Some(None)` when nothing is left.
fn without_billing(system: &RawValue) -> Option<Option<Box<RawValue>>> {
    if !system.get().contains(BILLING) {
        return None;
    }
    let is_billing = |text: &Value| text.as_str().is_some_and(|text| text.trim_start().starts_with(BILLING));
    match serde_json::from_slice(system.get().as_bytes()).ok()? {
        text if is_billing(&text) => Some(None),
        Value::Array(blocks) => {
            let before = blocks.len();
            let left: Vec<Value> = blocks.into_iter().filter(|block| !is_billing(&block["text"])).collect();
            (left.len() < before).then(|| if left.is_empty() { None } else { raw(json!(left)) })
        }
        _ => None,
    }
}

fn raw(value: impl serde::Serialize) -> Option<Box<RawValue>> {
    to_raw_value(&value).ok()
}
