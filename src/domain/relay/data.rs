//! What a relay needs of a record's data, beside what the dialects read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The Anthropic event inside an InvokeModel chunk.
pub fn unwrapped(payload: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Chunk {
        bytes: String,
    }
    let chunk: Chunk = serde_json::from_slice(payload.as_bytes()).ok()?;
    String::from_utf8(STANDARD.decode(chunk.bytes).ok()?).ok()
}

/// The `type` of an Anthropic event: the name of its server-sent event.
pub fn kind_of(data: &str) -> String {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type", default)]
        kind: String,
    }
    serde_json::from_slice::<Typed>(data.as_bytes()).map(|typed| typed.kind).unwrap_or_default()
}

/// The `sequence_number` of a Responses event, found without reading the rest of it. Text inside strings cannot fake it:
/// quotes are escaped there.
pub fn sequence_number(data: &str) -> Option<u64> {
    let name = "\"sequence_number\":";
    let at = memchr::memmem::find(data.as_bytes(), name.as_bytes())?;
    let rest = data[at + name.len()..].trim_start();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}
