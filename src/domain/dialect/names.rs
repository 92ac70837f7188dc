//! Names of tools: what a wire does not take is rewritten, and written back in the answer.

use sha2::{Digest, Sha256};

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
