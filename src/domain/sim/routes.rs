//! Answers of the other routes, and what there is to echo.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Asked;
use super::speech::tokens_of;
use crate::domain::checksum::crc32;
use crate::domain::route::Route;

/// Numbers in an embedding, where the request does not say.
const DIMENSIONS: usize = 8;
const DIMENSIONS_MAX: usize = 4096;
/// Inputs answered in one request, as OpenAI's own limit.
const INPUTS_MAX: usize = 2048;
/// A PNG of one transparent pixel.
pub const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// What `sim` says when the request holds nothing to repeat.
const SILENT: &str = "ok";

/// The words of the last thing that the user said.
pub fn echo(asked: &Asked<'_>) -> Vec<String> {
    let body: Value = serde_json::from_slice(asked.body).unwrap_or(Value::Null);
    let text = ["messages", "input", "prompt"].into_iter().find_map(|name| last_text(body.get(name)?));
    let words: Vec<String> =
        text.unwrap_or_default().split_whitespace().take(super::TOKENS_MAX).map(str::to_owned).collect();
    if words.is_empty() { vec![SILENT.to_owned()] } else { words }
}

/// A text, or the last text of a list of messages or of a message's parts.
fn last_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().rev().find_map(|item| match item {
            Value::String(text) => Some(text.clone()),
            Value::Object(fields) if fields.get("role").is_none_or(|role| role == "user") => {
                let content = fields.get("content").or(fields.get("text"))?;
                match content {
                    Value::String(text) => Some(text.clone()),
                    parts => {
                        parts.as_array()?.iter().rev().find_map(|part| Some(part.get("text")?.as_str()?.to_owned()))
                    }
                }
            }
            _ => None,
        }),
        _ => None,
    }
}

/// Content type and body of an answer that is not words of a model.
pub fn answer(words: &[String], asked: &Asked<'_>) -> (&'static str, Vec<u8>) {
    let body: Value = serde_json::from_slice(asked.body).unwrap_or(Value::Null);
    let value = match asked.route {
        Route::Embeddings => embeddings(&body, asked),
        Route::ImagesGenerations | Route::Multipart("/images/edits" | "/images/variations") => {
            json!({"created": asked.now.0 / 1000, "data": [{"b64_json": PIXEL}]})
        }
        Route::AudioSpeech => return ("audio/wav", silence()),
        Route::Moderations => json!({
            "id": format!("modr-{}", asked.request_id),
            "model": asked.model,
            "results": vec![json!({"flagged": false, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}); inputs(&body)],
        }),
        Route::CountTokens => json!({"input_tokens": tokens_of(asked.body.len())}),
        Route::Multipart(_) | Route::Chat | Route::Responses | Route::Messages | Route::Completions => {
            json!({"text": words.join(" ")})
        }
    };
    ("application/json", value.to_string().into_bytes())
}

/// What is moderated each by itself: texts are, the parts of one input are not.
fn inputs(body: &Value) -> usize {
    let texts = body["input"].as_array().filter(|items| items.iter().all(Value::is_string));
    texts.map_or(1, |texts| texts.len().clamp(1, INPUTS_MAX))
}

fn embeddings(body: &Value, asked: &Asked<'_>) -> Value {
    let texts: Vec<String> = match body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        // A list of numbers is one input of tokens.
        Some(Value::Array(items)) if items.first().is_some_and(Value::is_number) => vec![body["input"].to_string()],
        Some(Value::Array(items)) => items.iter().take(INPUTS_MAX).map(Value::to_string).collect(),
        Some(_) | None => Vec::new(),
    };
    let wanted = body.get("dimensions").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let dimensions = wanted.unwrap_or(DIMENSIONS).clamp(1, DIMENSIONS_MAX);
    let packed = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(text, dimensions);
            let embedding = match packed {
                true => {
                    json!(STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()))
                }
                false => json!(vector),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens = tokens_of(texts.iter().map(String::len).sum());
    json!({"object": "list", "data": data, "model": asked.model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
}

/// The same text has the same vector, of length 1.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut dice = crate::domain::backoff::Dice::new(u64::from(crc32(text.as_bytes())));
    let raw: Vec<f64> = (0..dimensions).map(|_| dice.unit() - 0.5).collect();
    let length = raw.iter().map(|number| number * number).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation)]
    raw.iter().map(|number| (number / length) as f32).collect()
}

/// A tenth of a second of silence: 8 kHz, 8 bit, mono.
pub fn silence() -> Vec<u8> {
    const SAMPLES: u32 = 800;
    let mut wav = Vec::with_capacity(44 + SAMPLES as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + SAMPLES).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&1_u16.to_le_bytes());
    wav.extend_from_slice(&8_u16.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&SAMPLES.to_le_bytes());
    wav.extend(std::iter::repeat_n(128_u8, SAMPLES as usize));
    wav
}
