//! Ids of tool calls across families.
//!
//! A call's id comes back with its result in a later, unrelated request, so whatever is done to an id must be a pure function of
//! it: the same on the call and on its result, for every target, in every isolate. An id that a wire takes goes as it is.
//! Another is rewritten:
//!
//! ```text
//! wire        alphabet          length    rewritten as
//! chat        ASCII, no blank   1..=40    call_us_ + 22 digits of the hash, base 62 (OpenAI has said 40 and 64)
//! plain       [a-zA-Z0-9_-]     1..=64    the same
//! mistral     [a-zA-Z0-9]       9         9 digits of the hash
//! ```
//! The hash is SHA-256, cut: two ids of one conversation meet with a chance near 2^-53 (Mistral) or 2^-128.

use sha2::{Digest, Sha256};

/// What a wire takes as the id of a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// 1 to 64 characters of any kind, as OpenAI's and most compatible hosts' chat has it; 40 are surely taken.
    Chat,
    /// `^[a-zA-Z0-9_-]{1,64}$`: Anthropic, Bedrock, and OpenAI's Responses.
    Plain,
    /// Exactly nine letters and digits.
    Mistral,
    /// As they are: made for the wire already.
    Made,
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The id under which a call is known on a wire.
pub fn rewritten(id: &str, rule: IdRule) -> String {
    let taken = match rule {
        IdRule::Chat => (1..=40).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) && !is_ours(id),
        IdRule::Plain => (1..=64).contains(&id.len()) && id.bytes().all(is_plain) && !is_ours(id),
        IdRule::Mistral => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        IdRule::Made => true,
    };
    match (taken, rule) {
        (true, _) => id.to_owned(),
        (false, IdRule::Chat | IdRule::Plain | IdRule::Made) => format!("{OURS}{}", digits(id, 22)),
        (false, IdRule::Mistral) => digits(id, 9),
    }
}

/// A user's id of at most `most` characters, 64 or more: one that is longer goes as its hash, so that the same user stays the
/// same.
pub fn of_user(user: &str, most: usize) -> String {
    match user.len() <= most {
        true => user.to_owned(),
        false => base16ct::lower::encode_string(&Sha256::digest(user.as_bytes())),
    }
}

/// A user's id that says nothing of the person: an address of mail or a telephone's number goes as its hash, too.
pub fn of_nobody(user: &str, most: usize) -> String {
    let personal = user.contains('@') || user.starts_with('+');
    of_user(user, if personal { 0 } else { most })
}

/// An id for a call to which the upstream gave none: another one in every answer and for every call.
pub fn made(seed: &str, index: usize) -> String {
    format!("{MADE}{}", digits(&format!("{seed}\n{index}"), 22))
}

/// What the ids of an answer's items are made from: the upstream's id of it alone is not enough, since some hosts draw one of a
/// thousand, and clients want each item's id once in a conversation.
pub fn of_items(request_id: &str, upstream: &str) -> String {
    digits(&format!("{request_id}\n{upstream}"), 22)
}

/// Before rewritten ids.
const OURS: &str = "call_us_";
/// Before made-up ids; not `OURS`, so that they are not rewritten again.
const MADE: &str = "call_";

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// An id that looks rewritten is rewritten as well: what passes and what is made can then never be the same.
fn is_ours(id: &str) -> bool {
    id.starts_with(OURS)
}

/// `n` base-62 digits of the SHA-256 of a text.
fn digits(text: &str, n: usize) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let (high, low) = hash.split_at(16);
    let fold = |half: &[u8]| half.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    let (mut high, mut low) = (fold(high), fold(low));
    let mut out = String::with_capacity(n);
    for at in 0..n {
        let from = if at < 21 { &mut high } else { &mut low };
        let digit = (*from % 62) as usize;
        *from /= 62;
        out.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
    }
    out
}
