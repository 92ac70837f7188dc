//! Answers in words: chat, Responses, Messages (in frames too) and legacy completions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answer, Asked, End, Manner, Piece, converse};
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{self, Event, Finish, Wire};
use crate::domain::sse::{self, Item, Parser};
use crate::domain::time::Span;
use crate::domain::usage::Usage;

/// Whether answers of that wire are words.
pub const fn speaks(wire: Wire) -> bool {
    match wire {
        Wire::Chat
        | Wire::Responses
        | Wire::Messages
        | Wire::Invoke
        | Wire::RawPredict
        | Wire::Converse
        | Wire::Completions => true,
        Wire::Opaque => false,
    }
}

/// A whole JSON answer.
pub fn answer(words: &[String], asked: &Asked<'_>) -> Vec<u8> {
    match asked.wire {
        Wire::Completions => return completion(words, asked).to_string().into_bytes(),
        Wire::Converse => return converse::answer(&words.join(" "), usage(words.len(), asked)),
        _ => {}
    }
    let mut events = vec![start(asked), Event::Text(words.join(" "))];
    events.extend(ending(words.len(), asked));
    let family = asked.wire.family().unwrap_or(asked.route.family());
    dialect::write_answer(family, events, &voice(asked), Reply::default()).unwrap_or_default()
}

/// A stream, a piece for every word.
pub fn stream(manner: &Manner, words: &[String], asked: &Asked<'_>) -> Answer {
    let said = manner.ends.map_or(words.len(), |(after, _)| after.min(words.len()));
    let mut writer = Writer::new(asked);
    let mut pieces = vec![Piece { after: Span::ZERO, bytes: writer.write(&start(asked)) }];
    for (at, word) in words.iter().take(said).enumerate() {
        let after = if at == 0 { manner.first } else { manner.between };
        let text = if at == 0 { word.clone() } else { format!(" {word}") };
        pieces.push(Piece { after, bytes: writer.write(&Event::Text(text)) });
    }
    let end = match manner.ends {
        Some((_, end)) => end,
        None => {
            let after = if words.is_empty() { manner.first } else { Span::ZERO };
            let bytes = ending(words.len(), asked).iter().flat_map(|event| writer.write(event)).collect();
            pieces.push(Piece { after, bytes });
            End::Close
        }
    };
    let content_type = if asked.wire.is_framed() { "application/vnd.amazon.eventstream" } else { "text/event-stream" };
    Answer { status: 200, content_type, retry_after: None, pieces, end }
}

fn start(asked: &Asked<'_>) -> Event {
    Event::Start { id: None, model: Some(asked.model.to_owned()) }
}

fn ending(words: usize, asked: &Asked<'_>) -> [Event; 3] {
    [Event::Finish(Finish::Stop), Event::Usage(usage(words, asked)), Event::End]
}

fn usage(words: usize, asked: &Asked<'_>) -> Usage {
    Usage { input: tokens_of(asked.body.len()), output: words as u64, ..Usage::default() }
}

/// As estimates do: four bytes a token.
pub fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

fn voice(asked: &Asked<'_>) -> Voice {
    let body: Value = serde_json::from_slice(asked.body).unwrap_or(Value::Null);
    let include_usage = body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false);
    Voice {
        request_id: asked.request_id.to_owned(),
        model: asked.model.to_owned(),
        created: asked.now.0 / 1000,
        include_usage,
        request: Some(body),
        ..Voice::default()
    }
}

/// Writes events as bytes of the wire.
enum Writer<'a> {
    Family { encoder: Box<dyn dialect::decoder::Encode>, framed: bool },
    Completions(&'a Asked<'a>),
    Converse,
}

impl<'a> Writer<'a> {
    fn new(asked: &'a Asked<'a>) -> Writer<'a> {
        match asked.wire {
            Wire::Completions => Writer::Completions(asked),
            Wire::Converse => Writer::Converse,
            wire => {
                let family = wire.family().unwrap_or(asked.route.family());
                let encoder = dialect::encoder(family, voice(asked), Reply::default());
                Writer::Family { encoder, framed: wire.is_framed() }
            }
        }
    }

    fn write(&mut self, event: &Event) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Writer::Converse => converse::frames(event),
            Writer::Family { encoder, framed } => {
                encoder.push(event, &mut out);
                if *framed { frames(&out) } else { out }
            }
            Writer::Completions(asked) => {
                match event {
                    Event::Text(text) => sse::write_json(&mut out, "", &chunk(text, Value::Null, asked)),
                    Event::Finish(_) => sse::write_json(&mut out, "", &chunk("", json!("stop"), asked)),
                    Event::End => sse::write(&mut out, "", "[DONE]"),
                    Event::Start { .. }
                    | Event::Ping
                    | Event::Refusal(_)
                    | Event::Reasoning(_)
                    | Event::ToolStart { .. }
                    | Event::ToolArguments { .. }
                    | Event::ToolEnd { .. }
                    | Event::Logprobs(_)
                    | Event::Tier(_)
                    | Event::Foreign
                    | Event::Usage(_)
                    | Event::Error(_) => {}
                }
                out
            }
        }
    }
}

/// Server-sent events as InvokeModel sends them: each in a frame of its own.
fn frames(events: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut parser = Parser::default();
    let whole = parser.push(events, |item| {
        if let Item::Event(event) = item {
            out.extend_from_slice(&converse::frame("chunk", &json!({"bytes": STANDARD.encode(event.data)})));
        }
    });
    debug_assert!(whole.is_ok(), "what we write ourselves is not too long");
    out
}

fn chunk(text: &str, finish: Value, asked: &Asked<'_>) -> Value {
    json!({
        "id": format!("cmpl-{}", asked.request_id),
        "object": "text_completion",
        "created": asked.now.0 / 1000,
        "model": asked.model,
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}],
    })
}

fn completion(words: &[String], asked: &Asked<'_>) -> Value {
    let mut answer = chunk(&words.join(" "), json!("stop"), asked);
    let input = tokens_of(asked.body.len());
    answer["usage"] = json!({
        "prompt_tokens": input, "completion_tokens": words.len(), "total_tokens": input + words.len() as u64,
    });
    answer
}
