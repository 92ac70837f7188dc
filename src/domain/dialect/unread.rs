//! What stands within a client's body beside what is read of it: fields of messages, parts and tools that no other wire has a word
//! for, and that some hosts know. What they say is left out, and told by its path.
//!
//! ```text
//! chat       messages.<field>   messages.content.<field>   tools.<field>   tools.function.<field>   stream_options.<field>
//! messages   messages.<field>   messages.content.<field>   system.<field>   tools.<field>   metadata.<field>   thinking.<field>
//! ```

use std::collections::HashSet;

use crate::domain::dialect::conversation::Conversation;
use crate::domain::dialect::drops::says_nothing;
use serde_json::Value;

/// Fields that are read, or told of where they are left out.
type Known = &'static [&'static str];

const OF_MESSAGE: Known = &[
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
/// With those of a thought, which is left out whole.
const OF_PART: Known = &[
    "type",
    "text",
    "refusal",
    "image_url",
    "file",
    "input_audio",
    "prompt_cache_breakpoint",
    "cache_control",
    "thinking",
    "closed",
    "signature",
    "data",
];
const OF_TOOL: Known = &["type", "function", "custom"];
const OF_FUNCTION: Known = &["name", "description", "parameters", "strict"];
/// The usage at a stream's end is written here. To pad it, or not, is a wish that none of ours changes.
const OF_STREAM: Known = &["include_usage", "include_obfuscation"];

const OF_TURN: Known = &["role", "content"];
/// Of blocks of every kind. Who called a tool is told only of those that a hosted tool may call.
const OF_BLOCK: Known = &[
    "type",
    "text",
    "cache_control",
    "citations",
    "source",
    "title",
    "context",
    "content",
    "id",
    "name",
    "input",
    "caller",
    "tool_use_id",
    "is_error",
    "file_id",
    "thinking",
    "signature",
    "data",
    "from",
    "to",
];
const OF_CUSTOM_TOOL: Known = &[
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "defer_loading",
    "eager_input_streaming",
    "input_examples",
    "allowed_callers",
];
const OF_METADATA: Known = &["user_id"];
const OF_THINKING: Known = &["type", "budget_tokens", "display"];

/// More are not listed anyway.
const MOST: usize = 1_000;

/// Notes what of a chat client's body is not read.
pub fn of_chat(conversation: &mut Conversation, body: &Value) {
    let mut unread = Unread::default();
    for message in list(body, "messages") {
        unread.fields("messages", message, OF_MESSAGE);
        list(message, "content").for_each(|part| unread.fields("messages.content", part, OF_PART));
    }
    for tool in list(body, "tools") {
        unread.fields("tools", tool, OF_TOOL);
        unread.fields("tools.function", &tool["function"], OF_FUNCTION);
    }
    list(body, "functions").for_each(|function| unread.fields("functions", function, OF_FUNCTION));
    unread.fields("stream_options", &body["stream_options"], OF_STREAM);
    unread.tell(conversation);
}

/// Notes what of a Messages client's body is not read.
pub fn of_messages(conversation: &mut Conversation, body: &Value) {
    let mut unread = Unread::default();
    list(body, "system").for_each(|block| unread.fields("system", block, OF_BLOCK));
    for message in list(body, "messages") {
        unread.fields("messages", message, OF_TURN);
        for block in list(message, "content") {
            unread.fields("messages.content", block, OF_BLOCK);
            list(block, "content").for_each(|inner| unread.fields("messages.content", inner, OF_BLOCK));
        }
    }
    list(body, "tools").for_each(|tool| unread.fields("tools", tool, OF_CUSTOM_TOOL));
    unread.fields("metadata", &body["metadata"], OF_METADATA);
    unread.fields("thinking", &body["thinking"], OF_THINKING);
    unread.tell(conversation);
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[derive(Default)]
struct Unread<'a> {
    met: HashSet<(&'static str, &'a str)>,
    paths: Vec<String>,
}

impl<'a> Unread<'a> {
    fn fields(&mut self, place: &'static str, value: &'a Value, known: Known) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let said = !says_nothing(value) && value != "" && !known.contains(&name.as_str());
            if said && self.met.len() < MOST && self.met.insert((place, name)) {
                self.paths.push(format!("{place}.{name}"));
            }
        }
    }

    fn tell(self, conversation: &mut Conversation) {
        self.paths.into_iter().for_each(|path| conversation.quality(path));
    }
}
