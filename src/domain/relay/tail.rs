//! How a committed stream ends for the client, and what is recorded of it.

use super::reader::Reader;
use super::{Ending, Way, seen};
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
    pub content_chars: u64,
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
    let inside = reader.is_inside() || reader.is_blind();
    if matches!(ending, Ending::Clean | Ending::Broken(_)) {
        reader.finish(&mut append);
        if reader.way() == Way::Inspect && !append.is_empty() && !append.ends_with(b"\n\n") {
            append.extend_from_slice(b"\n\n");
        }
    }
    let (outcome, finished) = conclude(&mut reader, ending, inside, &mut append);
    let seen = reader.seen();
    Tail { append, outcome, usage: seen.usage, content_chars: seen.chars, finished, broken_off: false }
}

fn conclude(reader: &mut Reader, ending: Ending, inside: bool, append: &mut Vec<u8>) -> (Option<Failure>, bool) {
    let seen = reader.seen();
    let (ended, whole, empty, bad) = (seen.ended, seen.is_whole(), seen.is_empty(), seen.bad.clone());
    if let Some(error) = seen.error.clone() {
        return (Some(error), false);
    }
    let unjudged = reader.is_opaque() || reader.is_blind();
    match ending {
        _ if ended => (bad, true),
        Ending::ClientGone => (how(ending), false),
        Ending::Clean if unjudged => (bad, true),
        Ending::Clean | Ending::Broken(_) | Ending::Clock(..) if whole && !empty => {
            complete(reader, inside, append);
            (bad, true)
        }
        Ending::Clean | Ending::Broken(_) | Ending::Clock(..) => {
            let early = || Failure::new(Class::Interrupted, "the stream ended before its terminal event");
            let failure = how(ending).unwrap_or_else(if whole { seen::empty } else { early });
            break_off(reader, &failure, inside, append);
            (Some(failure), false)
        }
    }
}

/// The end that the upstream forgot after its `finish_reason`.
fn complete(reader: &mut Reader, inside: bool, append: &mut Vec<u8>) {
    if let Some(encoder) = reader.encoder() {
        return encoder.finish(append);
    }
    close_block(inside, append);
    match reader.wire() {
        Wire::Chat | Wire::Completions => sse::write(append, "", "[DONE]"),
        Wire::Messages | Wire::Invoke | Wire::RawPredict => {
            sse::write(append, "message_stop", r#"{"type":"message_stop"}"#);
        }
        Wire::Responses | Wire::Converse | Wire::Opaque => {}
    }
}

/// The error event, in the client's dialect.
fn break_off(reader: &mut Reader, failure: &Failure, inside: bool, append: &mut Vec<u8>) {
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
    if let Some(encoder) = reader.encoder() {
        return encoder.fail(failure, code, append);
    }
    close_block(inside, append);
    stream_error(reader.family(), failure.class, code, &failure.reason, reader.seen().sequence, append);
}

/// An event that was cut off ends here: what follows is an event of its own.
fn close_block(inside: bool, append: &mut Vec<u8>) {
    if inside && append.is_empty() {
        append.extend_from_slice(b"\n\n");
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
