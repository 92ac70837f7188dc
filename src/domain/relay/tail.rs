//! How a committed stream ends for the client, and what is recorded of it.

use super::Ending;
use super::reader::{BLANK, Reader};
use crate::domain::answer;
use crate::domain::dialect::Wire;
use crate::domain::error::stream_error;
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;
use crate::domain::usage::Usage;

/// What is left to write and to record when a stream is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tail {
    /// For the client: the error event, or the end that the upstream forgot.
    pub append: Vec<u8>,
    /// How it broke; `None` for a whole answer.
    pub outcome: Option<Failure>,
    /// What the upstream said of its tokens.
    pub usage: Option<Usage>,
    /// Bytes of content text seen, for estimates.
    pub content_bytes: u64,
    /// The answer reached the client whole, whatever `outcome` notes of a bad record on the way.
    pub finished: bool,
    /// It broke, and no event can say so: the connection must be broken too.
    pub broken_off: bool,
}

/// The end of a body that nobody read.
pub fn unread(ending: Ending) -> Tail {
    let outcome = how(ending);
    Tail { finished: outcome.is_none(), broken_off: outcome.is_some(), outcome, ..Tail::default() }
}

/// The end of a stream.
pub fn of(mut reader: Reader, ending: Ending) -> Tail {
    let mut append = Vec::new();
    if ending != Ending::ClientGone {
        reader.finish(&mut append);
    }
    let (outcome, finished) = conclude(&mut reader, ending, &mut append);
    let seen = &reader.sink.seen;
    Tail { append, outcome, usage: seen.usage, content_bytes: seen.content_bytes, finished, broken_off: false }
}

fn conclude(reader: &mut Reader, ending: Ending, append: &mut Vec<u8>) -> (Option<Failure>, bool) {
    let seen = &reader.sink.seen;
    let (ended, whole, empty, bad) = (seen.ended, seen.is_whole(), seen.is_empty(), seen.bad.clone());
    if !reader.sink.is_blind() && (ended || seen.error.is_some()) {
        close_block(reader, append);
    }
    if let Some(error) = reader.sink.seen.error.clone() {
        if reader.sink.seen.untold {
            break_off(reader, &error, append);
        }
        return (Some(error), false);
    }
    let unjudged = reader.sink.wire == Wire::Opaque || reader.sink.is_blind();
    match ending {
        _ if ended => (bad, true),
        Ending::ClientGone => (how(ending), false),
        Ending::Clean if unjudged => (bad, true),
        Ending::Clean | Ending::Broken(_) | Ending::Clock(..) if whole && !empty => {
            complete(reader, append);
            (bad, true)
        }
        Ending::Clean | Ending::Broken(_) | Ending::Clock(..) => {
            let early = || Failure::new(Class::Interrupted, "the stream ended before its terminal event");
            let failure = how(ending).unwrap_or_else(if whole { answer::empty } else { early });
            break_off(reader, &failure, append);
            (Some(failure), false)
        }
    }
}

/// The end that the upstream forgot after its `finish_reason`.
fn complete(reader: &mut Reader, append: &mut Vec<u8>) {
    if let Some(encoder) = reader.sink.encoder.as_mut() {
        return encoder.finish(append);
    }
    let mut end = Vec::new();
    match reader.sink.wire {
        Wire::Chat | Wire::Completions => sse::write(&mut end, "", "[DONE]"),
        Wire::Messages | Wire::Invoke | Wire::RawPredict => {
            sse::write(&mut end, "message_stop", r#"{"type":"message_stop"}"#);
        }
        Wire::Responses | Wire::Converse | Wire::Opaque => {}
    }
    match end.strip_prefix(reader.unclosed()).filter(|_| !reader.sink.is_blind()) {
        // It broke off within that very end: what it lacks makes it one.
        Some(rest) => append.extend_from_slice(rest),
        None => {
            close_block(reader, append);
            append.extend_from_slice(&end);
        }
    }
}

/// The error event, in the client's dialect.
fn break_off(reader: &mut Reader, failure: &Failure, append: &mut Vec<u8>) {
    let code = match failure.class {
        Class::Timeout => "stream_timeout",
        Class::Interrupted => "stream_interrupted",
        Class::RateLimited
        | Class::QuotaExhausted
        | Class::Overloaded
        | Class::ServerError
        | Class::Unreachable
        | Class::Malformed
        | Class::Auth
        | Class::Forbidden
        | Class::NotFound
        | Class::ContextLength
        | Class::ContentPolicy
        | Class::Unsupported
        | Class::InvalidRequest
        | Class::Cancelled => "stream_error",
    };
    if let Some(encoder) = reader.sink.encoder.as_mut() {
        return encoder.fail(failure, code, append);
    }
    close_block(reader, append);
    stream_error(reader.sink.family, failure.class, code, &failure.reason, reader.sink.seen.sequence, append);
}

/// An event that was cut off ends here: what follows is an event of its own. So does one that lacks nothing but its blank line.
fn close_block(reader: &Reader, append: &mut Vec<u8>) {
    if !reader.unclosed().is_empty() || reader.sink.is_blind() {
        append.extend_from_slice(BLANK);
    }
}

fn how(ending: Ending) -> Option<Failure> {
    match ending {
        Ending::Clean => None,
        Ending::Broken(failure) => Some(failure),
        Ending::Clock(phase, after) => Some(Failure::timeout(phase, after)),
        Ending::ClientGone => Some(Failure::new(Class::Cancelled, "the client went away")),
    }
}
