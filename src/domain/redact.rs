//! Keys never leave: what is written to a client, a log or the ledger passes here first.
//!
//! ```text
//! redact        text that somebody else wrote      every known key, and whatever looks like one
//! redact_json   a body that somebody else wrote    the same in its texts alone: it stays JSON
//! redact_name   the name of a policy or target,    what can be nothing but a key: `us-production` and `ollama/llama3`
//!               and what we write of them          are names, although a key may begin or read like that
//! ```

use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Reverse;

/// Characters of a reason that go to a client or the ledger.
const REASON_MAX: usize = 200;
/// What stands in place of a key.
const MASK: &str = "[redacted]";
/// A known key is masked wherever it occurs, when it is at least so long: a shorter one would mask ordinary words.
const EXACT_MIN: usize = 4;
/// The same of the names of members in a body: its frame has shorter ones of its own.
const EXACT_MIN_IN_FRAME: usize = 12;
/// The same within a name: placeholders are keys too (`ollama`, `lm-studio`), and are called as their servers are.
const EXACT_MIN_IN_NAME: usize = 16;
/// Key characters after a prefix that make it a key.
const TAIL_MIN: usize = 8;
/// Letters and digits in a row after `us-` that make it one of our keys within a name: with digits among them, and without.
const OURS_MIN_IN_NAME: (usize, usize) = (16, 24);
/// What keys begin with. After `Bearer` comes a space.
const PREFIXES: [&str; 5] = ["sk-", "us-", "AKIA", "AIza", "Bearer "];

/// The text with every one of `keys`, and everything that looks like a key, masked.
pub fn redact(text: &str, keys: &[&str]) -> String {
    mask_prefixed(&mask_exact(text, keys, EXACT_MIN), key_at)
}

/// The name with what can only be a key masked: for names, and for sentences of ours that hold them.
pub fn redact_name(name: &str, keys: &[&str]) -> String {
    mask_prefixed(&mask_exact(name, keys, EXACT_MIN_IN_NAME), key_in_name)
}

/// A body as [`redact`] masks it, but for the words of its frame: where it is JSON, texts and names of members are masked one by
/// one, however they are escaped. One that nowhere reads like a key stays as it is, byte for byte. Of another one there is only
/// what a reader of JSON finds in it: of two members of one name the last.
pub fn redact_json(body: &str, keys: &[&str]) -> String {
    let read = unescaped(body);
    if redact(&read, keys) == read {
        return body.to_owned();
    }
    match serde_json::from_str::<Value>(body) {
        Ok(value) => redact_value(&value, keys).to_string(),
        Err(_) => redact(body, keys),
    }
}

/// JSON with the ASCII in it that is written as `\u00..`, as keys are ASCII.
fn unescaped(body: &str) -> Cow<'_, str> {
    const ESCAPE: &str = "\\u00";
    let Some((before, rest)) = body.split_once(ESCAPE) else { return body.into() };
    let mut read = before.to_owned();
    for piece in rest.split(ESCAPE) {
        let letter = piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii);
        match letter {
            Some(letter) => read.extend([char::from(letter).to_string().as_str(), &piece[2..]]),
            None => read.extend([ESCAPE, piece]),
        }
    }
    read.into()
}

/// [`redact_json`] of what is read already.
pub fn redact_value(value: &Value, keys: &[&str]) -> Value {
    match value {
        Value::String(text) => redact(text, keys).into(),
        Value::Array(items) => items.iter().map(|item| redact_value(item, keys)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                (mask_prefixed(&mask_exact(name, keys, EXACT_MIN_IN_FRAME), key_at), redact_value(value, keys))
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn mask_exact(text: &str, keys: &[&str], at_least: usize) -> String {
    let mut clean = text.to_owned();
    let mut known: Vec<Cow<'_, str>> =
        keys.iter().filter(|key| key.len() >= at_least).flat_map(|key| spellings(key)).collect();
    // Of a key that begins with another one no rest may stay.
    known.sort_by_key(|key| Reverse(key.len()));
    for key in known {
        if clean.contains(&*key) {
            clean = clean.replace(&*key, MASK);
        }
    }
    clean
}

/// A key as it is, and as JSON has it: in an upstream's own body `"` and `\` are escaped, and by some writers `/` too.
fn spellings(key: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![Cow::Borrowed(key)];
    if key.contains(['"', '\\', '/']) {
        let escaped = key.replace('\\', r"\\").replace('"', r#"\""#);
        all.push(escaped.replace('/', r"\/").into());
        all.push(escaped.into());
    }
    all
}

fn mask_prefixed(text: &str, key_at: fn(&str) -> Option<Found>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(first) = rest.chars().next() {
        // Asked within a word, it would read the rest of the text anew for every prefix in it.
        let begins = !before.is_some_and(|c| c.is_ascii_alphanumeric()) || escaped(&text[..text.len() - rest.len()]);
        match begins.then(|| key_at(rest)).flatten() {
            Some((prefix, length)) => {
                out.push_str(if prefix.ends_with(' ') { &rest[..prefix.len()] } else { "" });
                out.push_str(MASK);
                rest = &rest[length..];
                before = Some(']');
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
                before = Some(first);
            }
        }
    }
    out
}

/// Whether the text ends in an escape of JSON (`\n`, `\u201c`): in an upstream's own body it is no part of the word behind it.
fn escaped(text: &str) -> bool {
    match text.as_bytes() {
        [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't'] => true,
        [.., b'\\', b'u', a, b, c, d] => [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// A key at the start of the text: its prefix and its length.
type Found = (&'static str, usize);

fn key_at(text: &str) -> Option<Found> {
    let prefix = PREFIXES.into_iter().find(|prefix| starts_with(text, prefix))?;
    let rest = &text[prefix.len()..];
    let tail = rest.bytes().take_while(|byte| is_key_byte(*byte, prefix)).count();
    let is_key = tail >= TAIL_MIN && !(prefix == "us-" && is_region(&rest[..tail]));
    is_key.then_some((prefix, prefix.len() + tail))
}

fn key_in_name(text: &str) -> Option<Found> {
    let found = key_at(text)?;
    let (prefix, length) = found;
    let word = text[prefix.len()..length].split(['-', '_']).next().unwrap_or_default();
    let at_least = if word.bytes().any(|byte| byte.is_ascii_digit()) { OURS_MIN_IN_NAME.0 } else { OURS_MIN_IN_NAME.1 };
    let ours = word.len() >= at_least;
    (prefix != "us-" || ours).then_some(found)
}

/// The rest of a region's name, which begins as our own keys do: `us-central1`, `us-northeast-1`. Keys are longer.
fn is_region(tail: &str) -> bool {
    const LONGEST: usize = 12;
    let words = ["central", "east", "west", "north", "south", "gov-"];
    tail.len() <= LONGEST
        && words.iter().any(|word| tail.starts_with(word))
        && tail.ends_with(|last: char| last.is_ascii_digit())
        && tail.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit())
}

/// Of the prefixes only `Bearer` is written in either case.
fn starts_with(text: &str, prefix: &str) -> bool {
    match prefix.ends_with(' ') {
        true => text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        false => text.starts_with(prefix),
    }
}

/// What follows `Bearer` may be any token; the other keys are letters, digits, `-` and `_`.
fn is_key_byte(byte: u8, prefix: &str) -> bool {
    let any_token = matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=') && prefix.ends_with(' ');
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || any_token
}

/// A reason as clients and the ledger see it, but for redaction: at most 200 characters, one line.
pub fn short(reason: &str) -> String {
    reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_MAX).collect()
}
