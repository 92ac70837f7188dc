//! The items of a Responses request as turns of a [`Conversation`].
//!
//! ```text
//! message               turn of its role; leading system and developer ones join the instructions
//! function_call, custom_tool_call                 part of the assistant's turn, with the message before it
//! function_call_output, custom_tool_call_output   part of a user's turn, with the outputs beside it
//! reasoning             dropped: bound to the account that made it; so are the labels of items (phase, namespace, caller, async)
//! item_reference, hosted tools' items, compaction   the hop is skipped
//! ```

use crate::domain::dialect::conversation::{Conversation, Part, Role, Source, Turn};
use crate::domain::dialect::drops::says_nothing;
use crate::domain::dialect::{CallKind, Incompatible, hints, media};
use serde_json::Value;

/// Reads `instructions`.
///
/// # Errors
/// [`Incompatible`] when they are no text.
pub fn instructions(conversation: &mut Conversation, value: Option<&Value>) -> Result<(), Incompatible> {
    match value {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => conversation.system.push(Part::Text(text.clone())),
        Some(_) => return Err(Incompatible("instructions".to_owned())),
    }
    Ok(())
}

/// Reads `input`: a text, or items.
///
/// # Errors
/// [`Incompatible`] with the path of what is neither.
pub fn input(conversation: &mut Conversation, value: Option<&Value>) -> Result<(), Incompatible> {
    match value {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) => {
            conversation.turns.push(Turn { role: Role::User, parts: vec![Part::Text(text.clone())] });
            Ok(())
        }
        Some(Value::Array(items)) => {
            let mut reader = Reader { conversation, open: Open::Nothing };
            items.iter().enumerate().try_for_each(|(n, item)| reader.item(n, item))
        }
        Some(_) => Err(Incompatible("input".to_owned())),
    }
}

/// What the last turn may still take in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// The assistant's message or calls.
    Assistant,
    /// Results of tools.
    Results,
}

struct Reader<'a> {
    conversation: &'a mut Conversation,
    open: Open,
}

impl Reader<'_> {
    fn item(&mut self, n: usize, item: &Value) -> Result<(), Incompatible> {
        match item["type"].as_str() {
            None if item["role"].is_string() => self.message(n, item),
            // A reference need not say that it is one.
            None if item["id"].is_string() => self.residue("item_reference"),
            Some("message") => self.message(n, item),
            Some("function_call") => self.call(n, item, "arguments", CallKind::Function),
            Some("custom_tool_call") => self.call(n, item, "input", CallKind::Custom),
            Some("function_call_output" | "custom_tool_call_output") => self.result(n, item),
            // Bound to the organisation that got it: replayed elsewhere it is refused.
            Some("reasoning") => {
                self.conversation.quality("input.reasoning");
                Ok(())
            }
            Some(other) => self.residue(other),
            None => Err(Incompatible(format!("input[{n}].type"))),
        }
    }

    fn residue(&mut self, feature: &str) -> Result<(), Incompatible> {
        self.conversation.semantic(feature);
        Ok(())
    }

    /// What only this wire says of an item beside its content, and its models alone were trained on.
    fn labels(&mut self, item: &Value, names: &[&str]) {
        for name in names.iter().filter(|name| !is_usual(&item[**name])) {
            self.conversation.quality(format!("input.{name}"));
        }
    }

    fn message(&mut self, n: usize, item: &Value) -> Result<(), Incompatible> {
        self.labels(item, &["phase"]);
        let parts = parts_of(self.conversation, &item["content"], &format!("input[{n}].content"))?;
        match item["role"].as_str() {
            Some("system" | "developer") if self.conversation.turns.is_empty() => {
                self.conversation.system.extend(parts);
            }
            Some("system" | "developer") => self.turn(Role::System, parts, Open::Nothing),
            Some("user") => self.turn(Role::User, parts, Open::Nothing),
            Some("assistant") if self.open == Open::Assistant => self.extend(parts),
            Some("assistant") => self.turn(Role::Assistant, parts, Open::Assistant),
            _ => return Err(Incompatible(format!("input[{n}].role"))),
        }
        Ok(())
    }

    /// `given` is the field of what the tool was called with.
    fn call(&mut self, n: usize, item: &Value, given: &str, kind: CallKind) -> Result<(), Incompatible> {
        self.labels(item, &["namespace", "caller", "async"]);
        let field = |name: &str| {
            item[name].as_str().map(str::to_owned).ok_or_else(|| Incompatible(format!("input[{n}].{name}")))
        };
        let call = Part::ToolCall { id: field("call_id")?, name: field("name")?, arguments: field(given)?, kind };
        match self.open {
            Open::Assistant => self.extend(vec![call]),
            Open::Nothing | Open::Results => self.turn(Role::Assistant, vec![call], Open::Assistant),
        }
        Ok(())
    }

    fn result(&mut self, n: usize, item: &Value) -> Result<(), Incompatible> {
        let id = item["call_id"].as_str().ok_or_else(|| Incompatible(format!("input[{n}].call_id")))?.to_owned();
        let parts = parts_of(self.conversation, &item["output"], &format!("input[{n}].output"))?;
        let result = Part::ToolResult { id, parts, is_error: false };
        match self.open {
            Open::Results => self.extend(vec![result]),
            Open::Nothing | Open::Assistant => self.turn(Role::User, vec![result], Open::Results),
        }
        Ok(())
    }

    fn turn(&mut self, role: Role, parts: Vec<Part>, open: Open) {
        self.conversation.turns.push(Turn { role, parts });
        self.open = open;
    }

    fn extend(&mut self, parts: Vec<Part>) {
        if let Some(turn) = self.conversation.turns.last_mut() {
            turn.parts.extend(parts);
        }
    }
}

/// Whether a label says what holds without it: that the model calls the tool by itself, and no program of its.
pub fn is_usual(label: &Value) -> bool {
    says_nothing(label) || label["type"] == "direct" || label.as_array().is_some_and(|callers| *callers == ["direct"])
}

/// A text or a list of content parts.
fn parts_of(conversation: &mut Conversation, value: &Value, path: &str) -> Result<Vec<Part>, Incompatible> {
    let list = match value {
        Value::String(text) => return Ok(vec![Part::Text(text.clone())]),
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(Incompatible(path.to_owned())),
    };
    let mut parts = Vec::with_capacity(list.len());
    for (n, part) in list.iter().enumerate() {
        let bad = |field: &str| Incompatible(format!("{path}[{n}].{field}"));
        match part["type"].as_str().ok_or_else(|| bad("type"))? {
            "input_text" | "output_text" | "text" => {
                parts.push(Part::Text(part["text"].as_str().ok_or_else(|| bad("text"))?.to_owned()));
            }
            "refusal" => parts.push(Part::Refusal(part["refusal"].as_str().ok_or_else(|| bad("refusal"))?.to_owned())),
            "input_image" => match part["image_url"].as_str() {
                Some(url) => {
                    let source = media::source(url).ok_or_else(|| bad("image_url"))?;
                    parts.push(image(source, part["detail"].as_str()));
                }
                None => conversation.semantic("file_id"),
            },
            "input_file" => match file(part).ok_or_else(|| bad("file_data"))? {
                Some(document) => {
                    if part["detail"].as_str().is_some_and(|detail| detail != "auto") {
                        conversation.quality("input.input_file.detail");
                    }
                    parts.push(document);
                }
                None => conversation.semantic("file_id"),
            },
            other => conversation.semantic(other),
        }
        parts.extend(hints::breakpoint(part));
    }
    Ok(parts)
}

fn image(source: Source, detail: Option<&str>) -> Part {
    // `original` is this wire's alone; `high` is the nearest that others know.
    let detail = detail.map(|detail| if detail == "original" { "high" } else { detail }.to_owned());
    Part::Image { source, detail }
}

/// `None` for data that is no base64; `Some(None)` for a file named by an id alone, which no other account knows.
fn file(part: &Value) -> Option<Option<Part>> {
    let title = part["filename"].as_str().map(str::to_owned);
    let source = match (part["file_data"].as_str(), part["file_url"].as_str()) {
        (Some(data), _) if data.starts_with("data:") => media::source(data)?,
        // Bare base64 is taken as well.
        (Some(data), _) => {
            let media_type = media::type_of_name(title.as_deref()).to_owned();
            Source::Base64 { media_type, data: data.to_owned() }
        }
        (None, Some(url)) => Source::Url(url.to_owned()),
        (None, None) => return Some(None),
    };
    Some(Some(Part::Document { source, title }))
}
