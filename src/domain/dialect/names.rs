//! Names of tools: what a wire does not take is rewritten, and written back in the answer.

use sha2::{Digest, Sha256};

use crate::domain::dialect::conversation::{Conversation, Part};
use crate::domain::dialect::reply::Reply;

/// The longest name that OpenAI's chat takes.
pub const CHAT_MAX: usize = 64;
/// The longest name that Anthropic takes.
pub const MESSAGES_MAX: usize = 128;

/// A name in letters, digits, `_` and `-`, at most `max` long: the name itself where it is such, else its start and eight
/// digits of its hash, noted in `reply`.
pub fn on_wire(name: &str, max: usize, reply: &mut Reply) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=max).contains(&name.len()) && name.chars().all(plain) {
        return name.to_owned();
    }
    let start: String = name.chars().map(|c| if plain(c) { c } else { '_' }).take(max.saturating_sub(9)).collect();
    let hash = Sha256::digest(name.as_bytes());
    let digits: String = base16ct::lower::encode_string(&hash[..4]);
    let sent = format!("{start}_{digits}");
    reply.renamed.entry(sent.clone()).or_insert_with(|| name.to_owned());
    sent
}

/// The name of the tool that stands in for structured output: one that no tool of the client's has, nor one that it had.
pub fn of_stand_in(from: &Conversation) -> String {
    let parts = || from.turns.iter().flat_map(|turn| &turn.parts);
    let is_call = |part: &Part, of: &str| matches!(part, Part::ToolCall { name, .. } if name == of);
    let mut name = "json".to_owned();
    while from.tools.iter().any(|tool| tool.name == name) || parts().any(|part| is_call(part, &name)) {
        name.push('_');
    }
    name
}
