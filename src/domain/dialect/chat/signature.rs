//! Gemini 3 signs the first call of each of its steps, and refuses a history without ("Function call is missing a
//! thought_signature"). Of calls that another model made it takes a text in place of a signature.
//!
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>

use memchr::memmem;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Stands for the signature of a call made elsewhere.
pub const FOREIGN: &str = "skip_thought_signature_validator";

/// Whether a model wants signatures.
pub fn is_wanted(model: &str) -> bool {
    model.contains("gemini-3")
}

/// The `messages` of a chat request with the signatures that they lack; `None` where they lack none. Other messages keep their
/// bytes.
pub fn signed(messages: &[u8]) -> Option<Box<RawValue>> {
    memmem::find(messages, b"\"tool_calls\"")?;
    let messages: Vec<&RawValue> = serde_json::from_slice(messages).ok()?;
    let mut found = false;
    let written: Vec<Cow<'_, str>> = messages
        .into_iter()
        .map(|message| match with_signature(message.get()) {
            Some(signed) => {
                found = true;
                Cow::from(signed)
            }
            None => Cow::from(message.get()),
        })
        .collect();
    found.then(|| RawValue::from_string(format!("[{}]", written.join(","))).ok()).flatten()
}

fn with_signature(message: &str) -> Option<String> {
    let mut message: Value = serde_json::from_str(message).ok()?;
    let calls = message.get_mut("tool_calls")?.as_array_mut()?;
    let is_signed =
        |call: &Value| call.pointer("/extra_content/google/thought_signature").is_some_and(Value::is_string);
    if calls.iter().any(is_signed) {
        return None;
    }
    let google = member(member(calls.first_mut()?, "extra_content")?, "google")?;
    google.as_object_mut()?.insert("thought_signature".to_owned(), FOREIGN.into());
    Some(message.to_string())
}

/// An object within another, made where there is none: SDKs write what is not there as null.
fn member<'a>(object: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let member = object.as_object_mut()?.entry(name).or_insert(Value::Null);
    if member.is_null() {
        *member = json!({});
    }
    Some(member)
}
