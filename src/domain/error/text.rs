//! The trail as a header, and the moves between hops as log lines.

use std::fmt::Write;

use serde_json::json;

use super::told;
use crate::domain::chain::{TrailEntry, What, reason};
use crate::domain::outcome::Skip;
use crate::domain::redact::redact_name;

/// Bytes of `x-understudy-trail`.
pub const TRAIL_MAX: usize = 4096;

/// What separates entries, and what stands for those left out.
const SEPARATOR: &str = ", ";
const LEFT_OUT: &str = "...";

/// `x-understudy-trail`: `anthropic/claude-sonnet-4-5=overloaded;529;312ms, openai/o3=skip:incompatible:vision`. Of a served
/// stream the milliseconds are those to its headers. `keys` are masked where a model is called by one.
pub fn trail_header(trail: &[TrailEntry], stream: bool, keys: &[&str]) -> String {
    let entries: Vec<String> = trail.iter().map(|entry| one(entry, stream, keys)).collect();
    let whole = entries.join(SEPARATOR);
    match whole.len() <= TRAIL_MAX {
        true => whole,
        false => without_middle(&entries),
    }
}

fn one(entry: &TrailEntry, stream: bool, keys: &[&str]) -> String {
    let mut text = encoded(&redact_name(&entry.target.to_string(), keys));
    let outcome = encoded(&entry.outcome());
    let written = match (&entry.what, entry.status()) {
        (What::Skip(_), _) => write!(text, "={outcome}"),
        (What::Call(_), Some(status)) => write!(text, "={outcome};{status};{}ms", entry.ms(stream).0),
        (What::Call(_), None) => write!(text, "={outcome};-;{}ms", entry.ms(stream).0),
    };
    debug_assert!(written.is_ok(), "writing to a string does not fail");
    text
}

/// As many entries from both ends as fit, taken in turn.
fn without_middle(entries: &[String]) -> String {
    let mut room = TRAIL_MAX - LEFT_OUT.len();
    let (mut head, mut tail) = (0, 0);
    while head + tail < entries.len() {
        let from_head = head <= tail;
        let entry = if from_head { &entries[head] } else { &entries[entries.len() - 1 - tail] };
        let Some(left) = room.checked_sub(entry.len() + SEPARATOR.len()) else { break };
        room = left;
        if from_head { head += 1 } else { tail += 1 }
    }
    let kept = entries[..head].iter().map(String::as_str);
    let end = entries[entries.len() - tail..].iter().map(String::as_str);
    kept.chain([LEFT_OUT]).chain(end).collect::<Vec<_>>().join(SEPARATOR)
}

/// Characters other than `A-Za-z0-9._~:/@-` percent-encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b':' | b'/' | b'@' | b'-' => {
                out.push(char::from(byte));
            }
            other => {
                let written = write!(out, "%{other:02X}");
                debug_assert!(written.is_ok(), "writing to a string does not fail");
            }
        }
    }
    out
}

/// One JSON log line for every move to another hop, by failure or skip. Where consent kept hops out, the first one was not left;
/// nor was one that served, whatever was hedged beside it.
pub fn fallback_log(
    trail: &[TrailEntry],
    request_id: &str,
    workload: &str,
    policy: &str,
    keys: &[&str],
) -> Vec<String> {
    let stayed = trail.iter().any(|entry| matches!(entry.what, What::Skip(Skip::Consent)));
    let moves = trail.windows(2).filter(|_| !stayed).filter_map(|pair| match pair {
        [from, to] if from.hop != to.hop => Some((from, to, why(from, keys)?)),
        _ => None,
    });
    let line = |(from, to, why): (&TrailEntry, &TrailEntry, String)| {
        let line = json!({
            "event": "fallback",
            "request_id": request_id,
            "workload": workload,
            "policy": policy,
            "primary": redact_name(&from.target.to_string(), keys),
            "fallback": redact_name(&to.target.to_string(), keys),
            "status": from.status(),
            "reason": why,
        });
        line.to_string()
    };
    moves.map(line).collect()
}

/// Why a hop was left; `None` for one that did not fail.
fn why(from: &TrailEntry, keys: &[&str]) -> Option<String> {
    match &from.what {
        What::Skip(skip) => Some(told(&reason(skip), keys)),
        What::Call(_) => {
            let failure = from.failure()?;
            Some(format!("{}: {}", failure.class.name(), told(&failure.reason, keys)))
        }
    }
}
