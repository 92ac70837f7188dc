//! Answers that come whole: checked before they are sent, and written anew for a client of another family.
//!
//! ```text
//! chat, responses, messages, completions   decoded; malformed when unparsable, without choices, or empty
//! every other route                        malformed when HTML, empty, or a JSON `error`
//! ```
//! A refusal, `content_filter`, `length` after reasoning, and what is empty since the client wanted no more are answers.

use crate::domain::dialect::decoder::{Malformed, Voice};
use crate::domain::dialect::said::{Expected, Said};
use crate::domain::dialect::{self, Event, Wire, envelope};
use crate::domain::outcome::{Class, Failure};
use crate::domain::route::Route;
use crate::domain::sse;
use crate::domain::usage::Usage;

/// An answer that may be sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    pub usage: Option<Usage>,
    /// Bytes of its content's text, for estimates.
    pub content_bytes: u64,
    /// The answer for the client, where the upstream's own bytes are none: of another family, or a stream (server-sent
    /// events) made of a JSON answer.
    pub rewritten: Option<Vec<u8>>,
}

/// Whether a whole answer comes to its client in other words than it had: of another family, and Bedrock's count of tokens.
pub fn is_rewritten(route: &Route, wire: Wire) -> bool {
    match route {
        Route::CountTokens => wire == Wire::Invoke,
        route => wire != Wire::Opaque && wire.family() != Some(route.family()),
    }
}

/// Checks a whole answer with a 2xx status. `voice` is for a wire of another family and for a stream; `stream` says that the
/// client asked for one, although the upstream answered with JSON.
///
/// # Errors
/// The failure that the answer is, or tells of.
pub fn check(route: &Route, wire: Wire, body: &[u8], voice: Option<&Voice>, stream: bool) -> Result<Checked, Failure> {
    check_expecting(Expected::default(), route, wire, body, voice, stream)
}

/// The same, with what is known of the answer before it came.
///
/// # Errors
/// As [`check`].
pub fn check_expecting(
    expected: Expected,
    route: &Route,
    wire: Wire,
    body: &[u8],
    voice: Option<&Voice>,
    stream: bool,
) -> Result<Checked, Failure> {
    // Clients of JSON pass over a byte order mark.
    let body = body.strip_prefix(sse::BOM).unwrap_or(body);
    let asked = wire;
    let wire = if route.generates() { wire } else { Wire::Opaque };
    match body.trim_ascii_start().first() {
        None => return Err(of_a_200(Failure::new(Class::Malformed, "the answer is empty"))),
        Some(b'<') => return Err(of_a_200(page())),
        Some(_) => {}
    }
    let events =
        dialect::read_answer(wire, body).map_err(|Malformed(what)| of_a_200(Failure::new(Class::Malformed, what)))?;
    let same = wire == Wire::Opaque || wire.family() == Some(route.family());
    let mut checked = judged(&events, Said::nothing(!same, expected)).map_err(of_a_200)?;
    if *route == Route::CountTokens {
        // The tokens that it tells of are those of a request that nobody has made.
        checked.usage = Some(Usage::default());
        checked.rewritten = is_rewritten(route, asked).then(|| envelope::counted(body)).flatten();
    }
    if !same || (stream && wire != Wire::Opaque) {
        let voice = voice.cloned().unwrap_or_default();
        let replayed = (same && stream).then(|| match route {
            Route::Completions => Some(as_one_event(body)),
            _ => dialect::replayed(route.family(), body, &voice),
        });
        checked.rewritten = Some(match replayed.flatten() {
            Some(stream) => stream,
            None => rewrite(route, events, &voice, stream)?,
        });
    }
    Ok(checked)
}

/// What the events of an answer come to.
fn judged(events: &[Event], mut said: Said) -> Result<Checked, Failure> {
    let (mut checked, mut finish) = (Checked::default(), None);
    for event in events {
        said.note(event);
        checked.content_bytes += content_bytes(event);
        match event {
            Event::Error(failure) => return Err(failure.clone()),
            Event::Usage(usage) => checked.usage = Some(*usage),
            Event::Finish(reason) => finish = Some(reason),
            Event::Text(_)
            | Event::Refusal(_)
            | Event::Reasoning(_)
            | Event::ToolArguments { .. }
            | Event::Start { .. }
            | Event::Ping
            | Event::Logprobs(_)
            | Event::Tier(_)
            | Event::ToolStart { .. }
            | Event::ToolEnd { .. }
            | Event::Foreign
            | Event::End => {}
        }
    }
    match said.is_empty(finish, checked.usage) {
        true => Err(empty()),
        false => Ok(checked),
    }
}

/// Bytes of text that an event brings, for estimates: what is said, thought, called, and with which arguments.
pub const fn content_bytes(event: &Event) -> u64 {
    let bytes = match event {
        Event::Text(text) | Event::Refusal(text) | Event::Reasoning(text) => text.len(),
        Event::ToolStart { name, .. } => name.len(),
        Event::ToolArguments { json, .. } => json.len(),
        Event::Start { .. }
        | Event::Ping
        | Event::Logprobs(_)
        | Event::Tier(_)
        | Event::ToolEnd { .. }
        | Event::Usage(_)
        | Event::Finish(_)
        | Event::Error(_)
        | Event::Foreign
        | Event::End => 0,
    };
    bytes as u64
}

/// The failure of an answer that says nothing.
pub fn empty() -> Failure {
    Failure::new(Class::Malformed, "the answer is empty: no text, no tool call, no refusal")
}

/// The failure of an answer that some server on the way has written for people.
pub fn page() -> Failure {
    Failure::new(Class::Malformed, "the answer is an HTML page")
}

fn of_a_200(failure: Failure) -> Failure {
    Failure { status: Some(200), ..failure }
}

/// What an answer that failed its check says of its tokens: they were spent all the same.
pub fn spent(route: &Route, wire: Wire, body: &[u8]) -> Option<Usage> {
    let events = dialect::read_answer(wire, body).ok().filter(|_| route.generates())?;
    events.iter().rev().find_map(|event| if let Event::Usage(usage) = event { Some(*usage) } else { None })
}

/// A whole answer of the legacy completions as a stream: its chunks have the shape of the answer, so that it is one itself.
/// Line breaks stand between its tokens alone, since it is JSON.
fn as_one_event(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 32);
    sse::write(&mut out, "", &String::from_utf8_lossy(body).trim().replace(['\r', '\n'], " "));
    sse::write(&mut out, "", "[DONE]");
    out
}

fn rewrite(route: &Route, events: Vec<Event>, voice: &Voice, stream: bool) -> Result<Vec<u8>, Failure> {
    let reply = voice.reply.clone();
    if !stream {
        return dialect::write_answer(route.family(), events, voice, reply);
    }
    let mut encoder = dialect::encoder(route.family(), voice.clone(), reply);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.finish(&mut out);
    Ok(out)
}
