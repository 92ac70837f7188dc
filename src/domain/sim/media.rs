//! Streams of the routes that do not answer in a model's words: images, transcripts, speech.
//!
//! ```text
//! images          image_generation.partial_image*  image_generation.completed      (edits: image_edit.*)
//! transcriptions  transcript.text.delta*           transcript.text.done
//! speech          speech.audio.delta*              speech.audio.done               (`stream_format: sse`)
//! ```
//! <https://platform.openai.com/docs/api-reference/images-streaming>

use super::routes::{PIXEL, silence};
use super::{Answer, Asked, End, Manner, Piece};
use crate::domain::route::Route;
use crate::domain::sse;
use crate::domain::time::Span;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// As many partial images as OpenAI makes at most.
const PARTIAL_MAX: u64 = 3;

/// A stream, where the request asks for one that its route has.
pub fn stream(manner: &Manner, words: &[String], asked: &Asked<'_>) -> Option<Answer> {
    let body: Value = serde_json::from_slice(asked.body).unwrap_or(Value::Null);
    let (parts, done) = match asked.route {
        Route::ImagesGenerations if asked.stream => pictures("image_generation", manner, &body, asked),
        Route::Multipart("/images/edits") if asked.stream => pictures("image_edit", manner, &body, asked),
        Route::Multipart("/audio/transcriptions") if asked.stream => transcript(words),
        Route::AudioSpeech if body["stream_format"] == "sse" => sound(words),
        _ => return None,
    };
    let said = manner.ends.map_or(parts.len(), |(after, _)| after.min(parts.len()));
    let after = |at: usize| if at == 0 { manner.first } else { manner.between };
    let mut pieces: Vec<Piece> = parts.iter().take(said).enumerate().map(|(at, part)| piece(after(at), part)).collect();
    let end = match manner.ends {
        None => {
            pieces.push(piece(after(said), &done));
            End::Close
        }
        // Which event is the last one nobody on the way knows: what is cut off shows it by its connection.
        Some((_, End::Close)) => End::Break,
        Some((_, end)) => end,
    };
    Some(Answer { status: 200, content_type: "text/event-stream", retry_after: None, pieces, end })
}

fn piece(after: Span, event: &Value) -> Piece {
    let mut bytes = Vec::new();
    sse::write_json(&mut bytes, event["type"].as_str().unwrap_or_default(), event);
    Piece { after, bytes }
}

fn pictures(kind: &str, manner: &Manner, body: &Value, asked: &Asked<'_>) -> (Vec<Value>, Value) {
    let wanted = body["partial_images"].as_u64().unwrap_or(0).min(PARTIAL_MAX);
    // What is to break off in its middle has a middle.
    let count = manner.ends.map_or(wanted, |(after, _)| after as u64);
    let picture = |event: &str| {
        json!({
            "type": format!("{kind}.{event}"), "b64_json": PIXEL, "created_at": asked.now.0 / 1000,
            "size": "1024x1024", "quality": "low", "background": "transparent", "output_format": "png",
        })
    };
    let partial = (0..count).map(|index| {
        let mut part = picture("partial_image");
        part["partial_image_index"] = index.into();
        part
    });
    let mut done = picture("completed");
    done["usage"] = json!({"input_tokens": 1, "output_tokens": 1, "total_tokens": 2});
    (partial.collect(), done)
}

fn transcript(words: &[String]) -> (Vec<Value>, Value) {
    let text = |(at, word): (usize, &String)| if at == 0 { word.clone() } else { format!(" {word}") };
    let deltas =
        words.iter().enumerate().map(text).map(|delta| json!({"type": "transcript.text.delta", "delta": delta}));
    let usage =
        json!({"type": "tokens", "input_tokens": 1, "output_tokens": words.len(), "total_tokens": words.len() + 1});
    (deltas.collect(), json!({"type": "transcript.text.done", "text": words.join(" "), "usage": usage}))
}

/// A piece for every word.
fn sound(words: &[String]) -> (Vec<Value>, Value) {
    let audio = STANDARD.encode(silence());
    let deltas = words.iter().map(|_| json!({"type": "speech.audio.delta", "audio": audio}));
    let usage = json!({"input_tokens": 1, "output_tokens": words.len(), "total_tokens": words.len() + 1});
    (deltas.collect(), json!({"type": "speech.audio.done", "usage": usage}))
}
