//! Answers for a chat client: the chunks of a stream, and the whole completion.
//!
//! ```text
//! data: {chunk, delta {"role":"assistant","content"}}        before the first content: "" before text, else null
//! data: {chunk, delta {"content" | "refusal" | "tool_calls":[{"index",...}]}}*
//! data: {chunk, delta {}, "finish_reason"}                   held until the upstream's end
//! data: {chunk, "choices":[], "usage"}                       when include_usage
//! data: [DONE]
//! ```
//! Reasoning is not shown: a chat client has no field for it that another family's signature would fit.

use crate::domain::dialect::answer::{Answer, Block, id_for};
use crate::domain::dialect::decoder::{Encode, Voice};
use crate::domain::dialect::{CallKind, Event, Finish};
use crate::domain::outcome::Failure;
use crate::domain::usage::Usage;
use serde::Serialize;
use serde_json::{Value, json};

/// Writes one stream.
#[derive(Clone, Debug)]
pub struct Encoder {
    voice: Voice,
    id: String,
    model: String,
    begun: bool,
    spoke: bool,
    /// Of each call so far, by its index.
    kinds: Vec<CallKind>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    tier: Option<String>,
    over: bool,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Function<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(flatten)]
    called: Called<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Called<'a> {
    Function(Function<'a>),
    Custom(Custom<'a>),
}

#[derive(Serialize)]
struct Custom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl Encoder {
    /// A stream that has not begun.
    pub fn new(voice: Voice) -> Encoder {
        Encoder {
            id: id_for("chatcmpl-", None, &voice.request_id),
            model: voice.model.clone(),
            voice,
            begun: false,
            spoke: false,
            kinds: Vec::new(),
            finish: None,
            usage: None,
            tier: None,
            over: false,
        }
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>) {
        self.id = id_for("chatcmpl-", id, &self.voice.request_id);
        if let Some(model) = model {
            self.model = model.to_owned();
        }
    }

    /// An answer without text adds up to content null, as OpenAI's own does.
    fn begin(&mut self, content: Option<&str>, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            let role = Some("assistant");
            let delta = Delta { role, content: Some(content), refusal: Some(None), ..Delta::default() };
            self.chunk(delta, None, out);
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        self.begin(delta.content.and(Some("")), out);
        self.chunk(delta, None, out);
    }

    fn call(&mut self, index: usize, head: Option<(&str, &str)>, arguments: &str, out: &mut Vec<u8>) {
        let name = head.map(|(_, name)| name);
        let (word, called) = match self.kinds.get(index) {
            Some(CallKind::Custom) => ("custom", Called::Custom(Custom { name, input: arguments })),
            Some(CallKind::Function) | None => ("function", Called::Function(Function { name, arguments })),
        };
        let delta = match (self.voice.legacy_functions, called) {
            (true, _) if index > 0 => return,
            (true, Called::Function(function)) => Delta { function_call: Some(function), ..Delta::default() },
            (_, called) => {
                let (id, kind) = (head.map(|(id, _)| id), head.map(|_| word));
                Delta { tool_calls: Some([Call { index, id, kind, called }]), ..Delta::default() }
            }
        };
        self.delta(delta, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        self.begin(None, out);
        let finish = self.finish.take().unwrap_or(Finish::Stop);
        if let Finish::ContentFilter(Some(explanation)) = &finish
            && !self.spoke
        {
            self.chunk(Delta { refusal: Some(Some(explanation)), ..Delta::default() }, None, out);
        }
        let reason = finish_reason(&finish, self.voice.legacy_functions);
        self.chunk(Delta::default(), Some(reason), out);
        if self.voice.include_usage {
            self.write(&[], Some(usage(&self.usage.unwrap_or_default())), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn chunk(&self, delta: Delta<'_>, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let choice = Choice { index: 0, delta, logprobs: None, finish_reason };
        self.write(&[choice], self.voice.include_usage.then_some(Value::Null), out);
    }

    fn write(&self, choices: &[Choice<'_>], usage: Option<Value>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.voice.created,
            model: &self.model,
            choices,
            service_tier: self.tier.as_deref(),
            usage,
        };
        data(&chunk, out);
    }
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model } => self.start(id.as_deref(), model.as_deref()),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Text(text) => {
                self.spoke = true;
                self.delta(Delta { content: Some(Some(text)), ..Delta::default() }, out);
            }
            Event::Refusal(text) => {
                self.spoke = true;
                self.delta(Delta { refusal: Some(Some(text)), ..Delta::default() }, out);
            }
            Event::Reasoning(_) | Event::Foreign => self.begin(None, out),
            Event::ToolStart { index, id, name, kind } => {
                self.kinds.resize(*index, CallKind::Function);
                self.kinds.push(*kind);
                self.call(*index, Some((id, name)), "", out);
            }
            Event::ToolArguments { index, json } => self.call(*index, None, json, out),
            Event::ToolEnd { .. } | Event::Logprobs(_) => {}
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Tier(tier) => self.tier = Some(tier.clone()),
            Event::End => self.end(out),
            Event::Error(failure) => self.fail(failure, "stream_error", out),
        }
    }

    fn fail(&mut self, failure: &Failure, code: &'static str, out: &mut Vec<u8>) {
        if !self.over {
            self.over = true;
            error(code, &failure.reason, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.over {
            self.end(out);
        }
    }
}

/// The error event of a chat stream: SDKs raise on its `error`. Nothing may follow it, `[DONE]` least of all.
pub fn error(code: &str, message: &str, out: &mut Vec<u8>) {
    data(&json!({"error": {"message": message, "type": "upstream_error", "code": code, "param": null}}), out);
}

fn data(value: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    let begin = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(begin);
    }
    out.extend_from_slice(b"\n\n");
}

/// The whole completion of a gathered answer.
pub fn answer(answer: &Answer, voice: &Voice) -> Vec<u8> {
    let mut message = json!({
        "role": "assistant",
        "content": answer.text(),
        "refusal": answer.refusal(),
        "annotations": [],
    });
    let calls: Vec<Value> = answer.blocks.iter().filter_map(call).collect();
    if let Some(fields) = message.as_object_mut() {
        match (calls.first(), voice.legacy_functions) {
            (None, _) => {}
            (Some(call), true) => {
                fields.insert("function_call".to_owned(), call.get("function").cloned().unwrap_or_default());
            }
            (Some(_), false) => {
                fields.insert("tool_calls".to_owned(), Value::Array(calls));
            }
        }
    }
    let finish = answer.finish.as_ref().unwrap_or(&Finish::Stop);
    let mut body = json!({
        "id": id_for("chatcmpl-", answer.id.as_deref(), &voice.request_id),
        "object": "chat.completion",
        "created": voice.created,
        "model": answer.model.as_deref().unwrap_or(&voice.model),
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason(finish, voice.legacy_functions),
        }],
        "usage": usage(&answer.usage.unwrap_or_default()),
    });
    if let Some(tier) = &answer.tier {
        body["service_tier"] = json!(tier);
    }
    body.to_string().into_bytes()
}

fn call(block: &Block) -> Option<Value> {
    match block {
        Block::Tool { id, name, arguments, kind: CallKind::Custom } => {
            Some(json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}}))
        }
        Block::Tool { id, name, arguments, kind: CallKind::Function } => {
            let arguments = if arguments.is_empty() { "{}" } else { arguments };
            Some(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
        }
        Block::Text(_) | Block::Refusal(_) | Block::Reasoning(_) => None,
    }
}

fn finish_reason(finish: &Finish, legacy_functions: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls if legacy_functions => "function_call",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter(_) => "content_filter",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}
