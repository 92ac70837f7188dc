//! A whole response as a stream that says the same, for a host that answers with JSON where a stream was asked for. Ids are the
//! upstream's own, and what is not known here goes along: an item of another kind is added and done.
//!
//! ```text
//! created in_progress ( output_item.added ( part.added delta done part.done )* output_item.done )* completed | incomplete
//! ```

use crate::domain::dialect::responses::output::Output;
use serde_json::{Map, Value, json};

/// The stream of a response; `None` for what is none, or is not at its end.
pub fn stream(body: &[u8]) -> Option<Vec<u8>> {
    let response: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let kind = match response.get("status").and_then(Value::as_str) {
        None | Some("completed") => "response.completed",
        Some("incomplete") => "response.incomplete",
        Some(_) => return None,
    };
    let items = response.get("output")?.as_array()?.clone();
    let mut begun = response.clone();
    for (name, value) in [("status", json!("in_progress")), ("output", json!([]))] {
        begun.insert(name.to_owned(), value);
    }
    for name in ["usage", "incomplete_details", "completed_at"] {
        begun.entry(name).and_modify(|value| *value = Value::Null);
    }
    let mut writer = Writer::default();
    writer.emit("response.created", json!({"response": begun}));
    writer.emit("response.in_progress", json!({"response": begun}));
    for (place, item) in items.into_iter().enumerate() {
        writer.item(place, &item);
    }
    writer.emit(kind, json!({"response": response}));
    Some(writer.out)
}

#[derive(Default)]
struct Writer {
    numbers: Output,
    out: Vec<u8>,
}

impl Writer {
    fn emit(&mut self, kind: &str, fields: Value) {
        self.numbers.emit(kind, fields, &mut self.out);
    }

    fn item(&mut self, place: usize, item: &Value) {
        let at = json!({"item_id": item["id"], "output_index": place});
        // What an item holds before anything of it has come.
        let empty: &[(&str, Value)] = match item["type"].as_str() {
            Some("message") => &[("content", json!([]))],
            Some("reasoning") => &[("summary", json!([]))],
            Some("function_call") => &[("arguments", json!(""))],
            Some("custom_tool_call") => &[("input", json!(""))],
            _ => &[],
        };
        let mut begun = with(item.clone(), empty);
        if !empty.is_empty() && item["status"].is_string() {
            begun["status"] = json!("in_progress");
        }
        self.emit("response.output_item.added", json!({"output_index": place, "item": begun}));
        match item["type"].as_str() {
            Some("message") => self.parts(&at, &item["content"], "content_index", "content_part"),
            Some("reasoning") => {
                self.parts(&at, &item["summary"], "summary_index", "reasoning_summary_part");
                self.parts(&at, &item["content"], "content_index", "content_part");
            }
            Some("function_call") => {
                let done = [("arguments", item["arguments"].clone()), ("name", item["name"].clone())];
                self.call(&at, &item["arguments"], "function_call_arguments", &done);
            }
            Some("custom_tool_call") => {
                self.call(&at, &item["input"], "custom_tool_call_input", &[("input", item["input"].clone())]);
            }
            _ => {}
        }
        self.emit("response.output_item.done", json!({"output_index": place, "item": item}));
    }

    fn call(&mut self, at: &Value, given: &Value, name: &str, done: &[(&str, Value)]) {
        if given.as_str().is_some_and(|text| !text.is_empty()) {
            self.emit(&format!("response.{name}.delta"), with(at.clone(), &[("delta", given.clone())]));
        }
        self.emit(&format!("response.{name}.done"), with(at.clone(), done));
    }

    /// The texts of an item. Parts of other kinds come with the item as a whole.
    fn parts(&mut self, at: &Value, parts: &Value, index: &str, frame: &str) {
        for (n, part) in parts.as_array().into_iter().flatten().enumerate() {
            let (name, field) = match part["type"].as_str() {
                Some("output_text") => ("output_text", "text"),
                Some("refusal") => ("refusal", "refusal"),
                Some("summary_text") => ("reasoning_summary_text", "text"),
                Some("reasoning_text") => ("reasoning_text", "text"),
                _ => continue,
            };
            let mut at = with(at.clone(), &[(index, json!(n))]);
            let begun = with(part.clone(), &[(field, json!(""))]);
            self.emit(&format!("response.{frame}.added"), with(at.clone(), &[("part", begun)]));
            if name == "output_text" {
                at["logprobs"] = part.get("logprobs").cloned().unwrap_or_else(|| json!([]));
            }
            if part[field].as_str().is_some_and(|text| !text.is_empty()) {
                self.emit(&format!("response.{name}.delta"), with(at.clone(), &[("delta", part[field].clone())]));
            }
            self.emit(&format!("response.{name}.done"), with(at.clone(), &[(field, part[field].clone())]));
            if let Some(fields) = at.as_object_mut() {
                fields.remove("logprobs");
            }
            self.emit(&format!("response.{frame}.done"), with(at, &[("part", part.clone())]));
        }
    }
}

/// An object with more fields, or others. What is no object stays as it is.
fn with(mut object: Value, fields: &[(&str, Value)]) -> Value {
    if let Some(own) = object.as_object_mut() {
        own.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    object
}
