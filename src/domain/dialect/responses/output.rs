//! The items of a Responses stream, written one after another: what is open, what is closed, and the number of the next event.

use crate::domain::dialect::CallKind;
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::sse;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// In the id of every item made here, behind its kind: `rs_us_...`. No server knows it.
pub const MADE: &str = "_us_";

/// The output of one response so far.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// What item ids are made from.
    pub tail: String,
    /// The number of the next event.
    pub sequence: u64,
    /// Items that are closed.
    pub items: Vec<Value>,
    open: Option<Item>,
    /// Likelihoods of the tokens of the next piece of text.
    pending: Vec<Value>,
}

/// The item that is open.
#[derive(Clone, Debug)]
enum Item {
    Message { parts: Vec<Value>, part: Option<Part> },
    Reasoning { text: String },
    Call(Call),
}

/// A call of a tool.
#[derive(Clone, Debug)]
struct Call {
    /// Among the calls of the answer.
    index: usize,
    kind: CallKind,
    id: String,
    name: String,
    arguments: String,
}

/// The content part that is open in a message.
#[derive(Clone, Debug)]
struct Part {
    kind: PartKind,
    text: String,
    logprobs: Vec<Value>,
}

/// What a part of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Text,
    Refusal,
}

impl Output {
    /// Writes one event.
    pub fn emit(&mut self, kind: &str, fields: Value, out: &mut Vec<u8>) {
        let mut data = Map::new();
        data.insert("type".to_owned(), json!(kind));
        data.insert("sequence_number".to_owned(), json!(self.sequence));
        if let Value::Object(fields) = fields {
            data.extend(fields);
        }
        self.sequence = self.sequence.saturating_add(1);
        sse::write_json(out, kind, &Value::Object(data));
    }

    /// The call that is open, by its index among the calls of the answer.
    pub const fn open_call(&self) -> Option<usize> {
        match &self.open {
            Some(Item::Call(call)) => Some(call.index),
            _ => None,
        }
    }

    /// Whether some part of the output is a refusal.
    pub fn refused(&self) -> bool {
        let refuses = |part: &Value| part["type"] == "refusal";
        let open = match &self.open {
            Some(Item::Message { parts, part }) => {
                part.as_ref().is_some_and(|part| part.kind == PartKind::Refusal) || parts.iter().any(refuses)
            }
            Some(Item::Reasoning { .. } | Item::Call(_)) | None => false,
        };
        open || self.items.iter().filter_map(|item| item["content"].as_array()).flatten().any(refuses)
    }

    /// The likelihoods of the tokens of the text that comes next, a JSON list.
    pub fn logprobs(&mut self, list: &str) {
        self.pending.extend(serde_json::from_slice::<Vec<Value>>(list.as_bytes()).unwrap_or_default());
    }

    /// A piece of a message.
    pub fn text(&mut self, kind: PartKind, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if !matches!(&self.open, Some(Item::Message { .. })) {
            self.close("completed", out);
            self.open_message(out);
        }
        let open_kind = match &self.open {
            Some(Item::Message { part, .. }) => part.as_ref().map(|part| part.kind),
            _ => None,
        };
        if open_kind != Some(kind) {
            self.close_part(out);
            self.open_part(kind, out);
        }
        let fields = self.place_in_message();
        let logprobs = std::mem::take(&mut self.pending);
        if let Some(Item::Message { part: Some(part), .. }) = &mut self.open {
            part.text.push_str(text);
            part.logprobs.extend(logprobs.iter().cloned());
        }
        let fields = with(fields, &[("delta", json!(text))]);
        match kind {
            PartKind::Text => {
                self.emit("response.output_text.delta", with(fields, &[("logprobs", json!(logprobs))]), out)
            }
            PartKind::Refusal => self.emit("response.refusal.delta", fields, out),
        }
    }

    fn open_message(&mut self, out: &mut Vec<u8>) {
        self.open = Some(Item::Message { parts: Vec::new(), part: None });
        let id = self.item_id("msg");
        let item = json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []});
        self.emit("response.output_item.added", json!({"output_index": self.items.len(), "item": item}), out);
    }

    fn open_part(&mut self, kind: PartKind, out: &mut Vec<u8>) {
        let fields = with(self.place_in_message(), &[("part", kind.part("", &[]))]);
        if let Some(Item::Message { part, .. }) = &mut self.open {
            *part = Some(Part { kind, text: String::new(), logprobs: Vec::new() });
        }
        self.emit("response.content_part.added", fields, out);
    }

    fn close_part(&mut self, out: &mut Vec<u8>) {
        let place = self.place_in_message();
        let Some(Item::Message { parts, part }) = &mut self.open else { return };
        let Some(Part { kind, text, logprobs }) = part.take() else { return };
        let whole = kind.part(&text, &logprobs);
        parts.push(whole.clone());
        match kind {
            PartKind::Text => {
                let fields = with(place.clone(), &[("text", json!(text)), ("logprobs", json!(logprobs))]);
                self.emit("response.output_text.done", fields, out);
            }
            PartKind::Refusal => {
                self.emit("response.refusal.done", with(place.clone(), &[("refusal", json!(text))]), out);
            }
        }
        self.emit("response.content_part.done", with(place, &[("part", whole)]), out);
    }

    fn place_in_message(&self) -> Value {
        let content_index = match &self.open {
            Some(Item::Message { parts, .. }) => parts.len(),
            _ => 0,
        };
        json!({"item_id": self.item_id("msg"), "output_index": self.items.len(), "content_index": content_index})
    }

    /// A piece of reasoning, shown as its summary.
    pub fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if !matches!(&self.open, Some(Item::Reasoning { .. })) {
            self.close("completed", out);
            self.open = Some(Item::Reasoning { text: String::new() });
            let item = json!({"id": self.item_id("rs"), "type": "reasoning", "summary": []});
            self.emit("response.output_item.added", json!({"output_index": self.items.len(), "item": item}), out);
            let part = with(self.place_in_summary(), &[("part", json!({"type": "summary_text", "text": ""}))]);
            self.emit("response.reasoning_summary_part.added", part, out);
        }
        if let Some(Item::Reasoning { text: so_far }) = &mut self.open {
            so_far.push_str(text);
        }
        let fields = with(self.place_in_summary(), &[("delta", json!(text))]);
        self.emit("response.reasoning_summary_text.delta", fields, out);
    }

    fn place_in_summary(&self) -> Value {
        json!({"item_id": self.item_id("rs"), "output_index": self.items.len(), "summary_index": 0})
    }

    /// Begins a call.
    pub fn start_call(&mut self, index: usize, id: &str, name: &str, kind: CallKind, out: &mut Vec<u8>) {
        self.close("completed", out);
        let id = ids::rewritten(id, IdRule::Plain);
        let call = Call { index, kind, id, name: name.to_owned(), arguments: String::new() };
        let item = self.call_item(&call, "in_progress");
        self.open = Some(Item::Call(call));
        self.emit("response.output_item.added", json!({"output_index": self.items.len(), "item": item}), out);
    }

    /// A piece of the open call's arguments.
    pub fn arguments(&mut self, json: &str, out: &mut Vec<u8>) {
        let Some(Item::Call(call)) = &mut self.open else { return };
        if json.is_empty() {
            return;
        }
        call.arguments.push_str(json);
        let words = CallWords::of(call.kind);
        let fields = json!({"item_id": self.item_id(words.id), "output_index": self.items.len(), "delta": json});
        self.emit(words.delta, fields, out);
    }

    fn call_item(&self, call: &Call, status: &str) -> Value {
        let words = CallWords::of(call.kind);
        json!({
            "id": self.item_id(words.id),
            "type": words.item,
            "status": status,
            words.given: call.arguments,
            "call_id": call.id,
            "name": call.name,
        })
    }

    fn close_call(&mut self, mut call: Call, status: &str, out: &mut Vec<u8>) -> Value {
        let words = CallWords::of(call.kind);
        if call.arguments.is_empty() {
            call.arguments.push_str(words.none);
        }
        // A limit that came after the last of it has cut nothing off. One that cut it is told of after its end by Claude.
        let whole = serde_json::from_str::<&RawValue>(&call.arguments).map_err(|error| error.is_eof());
        let status = match (call.kind, whole) {
            (CallKind::Function, Ok(_)) => "completed",
            (CallKind::Function, Err(true)) => "incomplete",
            (CallKind::Function, Err(false)) | (CallKind::Custom, _) => status,
        };
        let mut fields = json!({
            "item_id": self.item_id(words.id),
            "output_index": self.items.len(),
            words.given: call.arguments,
        });
        if call.kind == CallKind::Function {
            fields["name"] = json!(call.name);
        }
        self.emit(words.done, fields, out);
        self.call_item(&call, status)
    }

    /// Closes the open item, if any; `status` is `completed` or `incomplete`.
    pub fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        self.close_part(out);
        let item = match self.open.take() {
            None => return,
            Some(Item::Message { parts, .. }) => json!({
                "id": self.item_id("msg"),
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": parts,
            }),
            Some(Item::Reasoning { text }) => self.close_summary(text, out),
            Some(Item::Call(call)) => self.close_call(call, status, out),
        };
        self.emit("response.output_item.done", json!({"output_index": self.items.len(), "item": item}), out);
        self.items.push(item);
    }

    fn close_summary(&mut self, text: String, out: &mut Vec<u8>) -> Value {
        let part = json!({"type": "summary_text", "text": text});
        let done = with(self.place_in_summary(), &[("text", json!(text))]);
        self.emit("response.reasoning_summary_text.done", done, out);
        let done = with(self.place_in_summary(), &[("part", part.clone())]);
        self.emit("response.reasoning_summary_part.done", done, out);
        json!({"id": self.item_id("rs"), "type": "reasoning", "summary": [part]})
    }

    /// The id of the item that is open, or of the next one.
    fn item_id(&self, kind: &str) -> String {
        format!("{kind}{MADE}{}_{}", self.tail, self.items.len())
    }
}

/// What the wire calls a call and its parts.
struct CallWords {
    /// Before the item's id.
    id: &'static str,
    item: &'static str,
    /// The field of what the tool is called with.
    given: &'static str,
    /// What it is called with where it is called with nothing.
    none: &'static str,
    delta: &'static str,
    done: &'static str,
}

impl CallWords {
    const fn of(kind: CallKind) -> &'static CallWords {
        const FUNCTION: CallWords = CallWords {
            id: "fc",
            item: "function_call",
            given: "arguments",
            none: "{}",
            delta: "response.function_call_arguments.delta",
            done: "response.function_call_arguments.done",
        };
        const CUSTOM: CallWords = CallWords {
            id: "ctc",
            item: "custom_tool_call",
            given: "input",
            none: "",
            delta: "response.custom_tool_call_input.delta",
            done: "response.custom_tool_call_input.done",
        };
        match kind {
            CallKind::Function => &FUNCTION,
            CallKind::Custom => &CUSTOM,
        }
    }
}

impl PartKind {
    fn part(self, text: &str, logprobs: &[Value]) -> Value {
        match self {
            PartKind::Text => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}),
            PartKind::Refusal => json!({"type": "refusal", "refusal": text}),
        }
    }
}

fn with(mut object: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        object[*name] = value.clone();
    }
    object
}
