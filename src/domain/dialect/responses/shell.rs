//! The response object around the output: ids, the echo of the request, status and usage.
//!
//! ```text
//! { id, object, created_at, status, error, incomplete_details, <echo of the request>, output, usage }
//! ```

use crate::domain::dialect::Finish;
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::ids;
use crate::domain::usage::Usage;
use serde_json::{Map, Value, json};

/// Before the id of every response made here: no server knows it, so `previous_response_id` must not name it.
pub const TRANSLATED: &str = "resp_us_";
/// Of an upstream's id no more than this goes into ours.
const TAIL_MAX: usize = 48;

/// What a response echoes of its request, and what stands there when the request did not say.
const ECHO: &[(&str, &str)] = &[
    ("frequency_penalty", "0.0"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("parallel_tool_calls", "true"),
    ("presence_penalty", "0.0"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"},"verbosity":"medium"}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "1.0"),
    ("user", "null"),
    ("metadata", "{}"),
];
/// What a function has among the `tools` of a response, be it null.
const OF_FUNCTIONS: [&str; 3] = ["description", "parameters", "strict"];

/// One response without its output.
#[derive(Clone, Debug)]
pub struct Shell {
    request_id: String,
    tail: String,
    model: String,
    created: u64,
    echo: Map<String, Value>,
    tier: Option<String>,
    shows_reasoning: bool,
}

impl Shell {
    /// The shell of an answer of which nothing was heard yet.
    pub fn new(voice: &Voice) -> Shell {
        let request = voice.request.as_ref();
        let asked = |name: &str| request.and_then(|body| body.get(name)).filter(|value| !value.is_null());
        let echo = ECHO.iter().map(|(name, default)| {
            let default: Value = serde_json::from_slice(default.as_bytes()).unwrap_or_default();
            ((*name).to_owned(), asked(name).map_or_else(|| default.clone(), |asked| echoed(asked, &default)))
        });
        let summary = |name: &str| asked("reasoning").is_some_and(|reasoning| reasoning[name].is_string());
        Shell {
            request_id: voice.request_id.clone(),
            tail: tail(&voice.request_id),
            model: voice.model.clone(),
            created: voice.created,
            echo: echo.collect(),
            tier: None,
            shows_reasoning: summary("summary") || summary("generate_summary"),
        }
    }

    /// Takes in what the upstream calls the answer.
    pub fn hear(&mut self, id: Option<&str>, model: Option<&str>) {
        let heard = id.map(tail).unwrap_or_default();
        if !heard.is_empty() {
            self.tail = heard;
        }
        if let Some(model) = model {
            self.model = model.to_owned();
        }
    }

    /// Takes in the tier that served the answer, in OpenAI's words.
    pub fn served_by(&mut self, tier: &str) {
        self.tier = Some(tier.to_owned());
    }

    /// The client asked for a summary of the reasoning.
    pub const fn shows_reasoning(&self) -> bool {
        self.shows_reasoning
    }

    /// What ids of the answer's items are made from.
    pub fn items(&self) -> String {
        ids::of_items(&self.request_id, &self.tail)
    }

    /// The response before its end.
    pub fn running(&self) -> Value {
        self.response("in_progress", Value::Null, &[], Value::Null)
    }

    /// The response at its end. A refusal that was said in words is a complete answer; a filter that cut it is not.
    pub fn ended(&self, finish: Option<&Finish>, refused: bool, usage: Usage, output: &[Value]) -> Value {
        let (status, reason) = match finish {
            Some(Finish::Length) => ("incomplete", Some("max_output_tokens")),
            Some(Finish::ContentFilter(_)) if !refused => ("incomplete", Some("content_filter")),
            Some(Finish::ContentFilter(_) | Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls) | None => {
                ("completed", None)
            }
        };
        let details = reason.map_or(Value::Null, |reason| json!({"reason": reason}));
        self.response(status, details, output, usage_of(usage))
    }

    fn response(&self, status: &str, incomplete_details: Value, output: &[Value], usage: Value) -> Value {
        let mut response = Map::new();
        let mut put = |name: &str, value: Value| response.insert(name.to_owned(), value);
        put("id", json!(format!("{TRANSLATED}{}", self.tail)));
        put("object", json!("response"));
        put("created_at", json!(self.created));
        // No clock is at hand where the answer ends.
        put("completed_at", Value::Null);
        put("status", json!(status));
        put("background", json!(false));
        put("error", Value::Null);
        put("incomplete_details", incomplete_details);
        put("model", json!(self.model));
        put("output", json!(output));
        put("previous_response_id", Value::Null);
        put("service_tier", json!(self.tier));
        put("store", json!(false));
        put("truncation", json!("disabled"));
        response.extend(self.echo.clone());
        response.insert("usage".to_owned(), usage);
        Value::Object(response)
    }
}

/// What was asked for, with the defaults of what was left out of it: SDKs that are generated from OpenAI's specification want every
/// field of what they read.
fn echoed(asked: &Value, default: &Value) -> Value {
    match (asked, default) {
        (Value::Object(asked), Value::Object(default)) => {
            let said = asked.iter().filter(|(_, value)| !value.is_null());
            let all = default.iter().chain(said).map(|(name, value)| (name.clone(), value.clone()));
            Value::Object(all.collect())
        }
        (Value::Array(tools), Value::Array(_)) => tools.iter().map(tool).collect(),
        (asked, _) => asked.clone(),
    }
}

fn tool(tool: &Value) -> Value {
    let mut tool = tool.clone();
    if let Some(fields) =
        tool.as_object_mut().filter(|fields| fields.get("type").is_some_and(|kind| kind == "function"))
    {
        for name in OF_FUNCTIONS {
            fields.entry(name).or_insert(Value::Null);
        }
    }
    tool
}

fn usage_of(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}

/// What is left of an id without its kind: `chatcmpl-abc` and `msg_abc` are `abc`.
fn tail(id: &str) -> String {
    let known = ["chatcmpl-", "msg_", "resp_", "cmpl-", "gen-"];
    let rest = known.iter().find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(id);
    rest.chars().filter(char::is_ascii_alphanumeric).take(TAIL_MAX).collect()
}
