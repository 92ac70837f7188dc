//! What stands in a chat request beside what is read of it: fields of messages, parts and tools that no other wire has a word for,
//! and that some hosts know. What they say is left out, and told by its path.
//!
//! ```text
//! messages.<field>   messages.content.<field>   tools.<field>   tools.function.<field>   stream_options.<field>
//! ```

use std::collections::HashSet;

use crate::domain::dialect::conversation::Conversation;
use crate::domain::dialect::drops::says_nothing;
use serde_json::Value;

const OF_MESSAGE: &[&str] = &[
    "role",
    "content",
    "name",
    "refusal",
    "tool_calls",
    "function_call",
    "tool_call_id",
    "audio",
    "reasoning_content",
    "reasoning",
];
const OF_PART: &[&str] =
    &["type", "text", "refusal", "image_url", "file", "input_audio", "prompt_cache_breakpoint", "cache_control"];
/// Of parts that are left out whole, and told of elsewhere.
const OF_THOUGHT: &[&str] = &["thinking", "closed", "signature", "data"];
const OF_TOOL: &[&str] = &["type", "function", "custom"];
const OF_FUNCTION: &[&str] = &["name", "description", "parameters", "strict"];
/// The usage at a stream's end is written here. To pad it, or not, is a wish that none of ours changes.
const OF_STREAM: &[&str] = &["include_usage", "include_obfuscation"];
/// More are not listed anyway.
const MOST: usize = 1_000;

/// Notes what of a body is not read.
pub fn note(conversation: &mut Conversation, body: &Value) {
    let mut unread = Unread { met: HashSet::new(), paths: Vec::new() };
    for message in list(body, "messages") {
        unread.fields("messages", message, &[OF_MESSAGE]);
        for part in list(message, "content") {
            unread.fields("messages.content", part, &[OF_PART, OF_THOUGHT]);
        }
    }
    for tool in list(body, "tools") {
        unread.fields("tools", tool, &[OF_TOOL]);
        unread.fields("tools.function", &tool["function"], &[OF_FUNCTION]);
    }
    for function in list(body, "functions") {
        unread.fields("functions", function, &[OF_FUNCTION]);
    }
    unread.fields("stream_options", &body["stream_options"], &[OF_STREAM]);
    unread.paths.into_iter().for_each(|path| conversation.quality(path));
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

struct Unread<'a> {
    met: HashSet<(&'static str, &'a str)>,
    paths: Vec<String>,
}

impl<'a> Unread<'a> {
    fn fields(&mut self, place: &'static str, value: &'a Value, known: &[&[&str]]) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let is_known = known.iter().any(|names| names.contains(&name.as_str()));
            if is_known || says_nothing(value) || value == "" || self.met.len() >= MOST {
                continue;
            }
            if self.met.insert((place, name)) {
                self.paths.push(format!("{place}.{name}"));
            }
        }
    }
}
