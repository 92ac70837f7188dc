//! Error bodies, in every shape that providers give them.
//!
//! ```text
//! {"error": {"message", "type", "param", "code", "status", "innererror": {"code"}, "details"}}    OpenAI, Azure, Gemini
//! {"type": "error", "error": {"type", "message", "details": {"error_code"}}, "request_id"}        Anthropic
//! [{"error": {...}}]                                                                             Gemini
//! {"message"} {"Message"} {"__type", "code", "originalStatusCode"}                               AWS
//! {"detail": "text" | {...} | [{"msg", "loc"}]}  {"error": "text"}  {"errors": [...]}  text  HTML    others
//! {"message": {"detail": [{"msg", "loc"}]}}                                                      Mistral
//! {"error": {"code", "message", "metadata": {"raw": "{...}"}}}                                    OpenRouter
//! ```

use serde_json::Value;

use super::tables;
use crate::domain::dialect::json_text;
use crate::domain::sse;

/// Characters kept of an error's message.
const MESSAGE_MAX: usize = 2000;
/// How deep an `error` may stand in another.
const DEPTH_MAX: usize = 4;

/// What an error body says, whatever its shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorBody {
    /// For people; empty when there is none (an HTML page has none).
    pub message: String,
    /// `type`, or Gemini's `status`, or AWS's `__type`.
    pub kind: Option<String>,
    /// `code`, where it is a word.
    pub code: Option<String>,
    /// `code`, where it is a number (or one written as text), or a number at `status`.
    pub number: Option<u16>,
    pub param: Option<String>,
    /// AWS: the status of the model behind the service.
    pub original_status: Option<u16>,
    /// Gemini's `retryDelay`.
    pub retry_delay: Option<String>,
    /// Gemini: a quota of the day, not of the minute.
    pub daily: bool,
    /// Every word that may name the class, normalised, the most exact first.
    pub words: Vec<String>,
    /// It is a JSON object or array.
    pub json: bool,
}

impl ErrorBody {
    /// Reads a body of any kind.
    pub fn parse(body: &[u8]) -> ErrorBody {
        let body = body.strip_prefix(sse::BOM).unwrap_or(body);
        let mended = || serde_json::from_str(&json_text::mended(std::str::from_utf8(body).ok()?)?).ok();
        if let Some(value) = serde_json::from_slice::<Value>(body).ok().or_else(mended) {
            return ErrorBody { json: !value.is_string(), ..ErrorBody::from_value(&value) };
        }
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        // Of a body that is longer than what is read of one, the beginning says who it is.
        let cut = text.starts_with(['{', '[']).then(|| json_text::closed(text)).flatten();
        let cut = cut.map(|value| ErrorBody { json: true, ..ErrorBody::from_value(&value) });
        if let Some(cut) = cut.filter(|cut| !cut.message.is_empty() || !cut.words.is_empty()) {
            return cut;
        }
        let message = if text.starts_with('<') { "" } else { text };
        ErrorBody { message: shortened(message), ..ErrorBody::default() }
    }

    /// Reads an error value: the whole body, or what stands under its `error`.
    pub fn from_value(value: &Value) -> ErrorBody {
        let mut body = ErrorBody::default();
        body.read(value, 0);
        body.words = body.words.iter().map(|word| tables::normal(word)).filter(|word| !word.is_empty()).collect();
        body.message = shortened(&body.message);
        body
    }

    fn read(&mut self, value: &Value, depth: usize) {
        let value = match value {
            Value::Array(items) => items.first().unwrap_or(value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => value,
        };
        if let Value::String(text) = value {
            self.say(text);
            return;
        }
        if depth < DEPTH_MAX {
            for inner in ["error", "response"] {
                if let Some(nested @ (Value::Object(_) | Value::String(_))) = value.get(inner) {
                    self.read(nested, depth + 1);
                }
            }
        }
        self.read_words(value);
        self.read_details(value);
        if let Some(raw) = value.pointer("/metadata/raw").filter(|_| depth < DEPTH_MAX) {
            self.read_raw(raw, depth + 1);
        }
        for name in ["message", "Message", "detail", "msg", "originalMessage", "errors"] {
            match value.get(name) {
                Some(Value::String(text)) => self.say(text),
                Some(list @ Value::Array(_)) => self.say(&first_message(list)),
                Some(inner @ Value::Object(_)) if depth < DEPTH_MAX => self.read(inner, depth + 1),
                Some(_) | None => {}
            }
        }
        if self.param.is_none() {
            self.param = value.get("param").and_then(Value::as_str).map(str::to_owned);
        }
    }

    /// What the host behind OpenRouter said, which itself says no more than that one did.
    fn read_raw(&mut self, raw: &Value, depth: usize) {
        match raw {
            Value::String(text) if text.trim_start().starts_with(['{', '[', '<']) => {
                let parsed = serde_json::from_slice::<Value>(text.as_bytes()).unwrap_or_default();
                self.read(&parsed, depth);
            }
            said => self.read(said, depth),
        }
    }

    fn read_words(&mut self, value: &Value) {
        let code = value.get("code");
        let number = code.and_then(number).or_else(|| value.get("status").and_then(number));
        self.number = self.number.or(number);
        let word = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let inner = value.pointer("/innererror/code").and_then(Value::as_str);
        let code = word("code").filter(|text| text.parse::<u16>().is_err());
        // Anthropic's envelope and Responses' event are of type "error", which says nothing.
        let kind = word("type").filter(|text| *text != "error").or(word("status")).or(word("__type").map(name_of));
        self.words.extend([inner, code, kind].into_iter().flatten().map(str::to_owned));
        self.code = self.code.take().or(code.map(str::to_owned));
        self.kind = self.kind.take().or(kind.map(str::to_owned));
        self.original_status = self.original_status.or(value.get("originalStatusCode").and_then(number_of));
    }

    fn read_details(&mut self, value: &Value) {
        match value.get("details") {
            Some(Value::Object(details)) => {
                let code = details.get("error_code").and_then(Value::as_str);
                self.words.splice(0..0, code.map(str::to_owned));
            }
            Some(Value::Array(details)) => {
                for detail in details {
                    let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
                    self.retry_delay = self.retry_delay.take().or(text("retryDelay"));
                    self.words.splice(0..0, text("reason"));
                    let violations = detail.get("violations").and_then(Value::as_array).into_iter().flatten();
                    let quotas = violations.filter_map(|each| each.get("quotaId").and_then(Value::as_str));
                    self.daily |= quotas.into_iter().any(|quota| quota.contains("PerDay"));
                }
            }
            Some(_) | None => {}
        }
    }

    fn say(&mut self, text: &str) {
        if self.message.is_empty() {
            text.trim().clone_into(&mut self.message);
        }
    }
}

/// `ns#Name:http://...` is `Name`.
pub fn name_of(aws: &str) -> &str {
    let name = aws.split(':').next().unwrap_or(aws);
    name.rsplit('#').next().unwrap_or(name)
}

fn number(value: &Value) -> Option<u16> {
    number_of(value).filter(|number| (100..=599).contains(number))
}

fn number_of(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// FastAPI's `[{"loc": [...], "msg": "..."}]`, and others' `[{"message": "..."}]`.
fn first_message(list: &Value) -> String {
    let Some(first) = list.get(0) else { return String::new() };
    let text = |name: &str| first.get(name).and_then(Value::as_str);
    let message = first.as_str().or(text("msg")).or(text("message")).unwrap_or_default();
    let path: Vec<String> = first
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    match path.is_empty() {
        true => message.to_owned(),
        false => format!("{}: {message}", path.join(".")),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}
