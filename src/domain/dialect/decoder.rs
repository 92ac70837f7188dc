//! The two halves of every wire's answers: what reads a stream, and what writes one.
//!
//! A decoder turns records of an upstream's stream into [`Event`]s; an encoder turns those into the bytes of a client's
//! stream. Neither awaits, buffers bytes or knows of splits: records are whole. `mod.rs` names the one of each wire and
//! family.
//!
//! ```text
//! SSE event            Event { name: "" or its `event:`, data: its joined `data:` lines, raw: its bytes }
//! event-stream frame   Event { name: `:event-type`, data: payload }
//! exception frame      Event { name: "!" + `:exception-type` (or `:error-code`), data: payload (or `:error-message`) }
//! ```

use crate::domain::dialect::Event;
use crate::domain::dialect::reply::Reply;
use crate::domain::outcome::Failure;
use crate::domain::sse;

/// A record that is none of its wire: data that is no JSON, a shape that breaks the wire's own rules. The text says what
/// was wrong, without quoting the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// Reads the stream of one answer.
pub trait Decode {
    /// Reads one record and appends what it says to `out`. Records of kinds unknown add nothing. A failure inside a 200 is
    /// an [`Event::Error`] (made by `classify::classify_error_value`) and no `Err`.
    ///
    /// # Errors
    /// [`Malformed`], with nothing appended; the decoder stays usable for the records that follow.
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed>;

    /// The stream ended in good order: appends what was held back (a tool call left open, a finish that waited).
    fn end(&mut self, out: &mut Vec<Event>);
}

/// Writes the stream of one answer in a client's dialect.
pub trait Encode {
    /// Appends what the client's wire says for the event. [`Event::End`] writes the wire's own end, once.
    fn push(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Appends an error event and makes the encoder fall silent: no terminal event follows. `code` is
    /// `stream_interrupted`, `stream_timeout` or `stream_error`.
    fn fail(&mut self, failure: &Failure, code: &'static str, out: &mut Vec<u8>);

    /// Ends a stream whose [`Event::Finish`] came and whose own end did not. Nothing when the end was written already.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// What an encoder must know that the answer's events do not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Voice {
    /// Made into ids of the client's family where the upstream gave none (`chatcmpl-…`, `resp_…`, `msg_…`).
    pub request_id: String,
    /// The target that answers, as the answer's `model`.
    pub model: String,
    /// Unix seconds, for `created` and `created_at`.
    pub created: u64,
    /// The client asked for the usage chunk at the end of a chat stream.
    pub include_usage: bool,
    /// The client used `functions` and is answered with `function_call`.
    pub legacy_functions: bool,
    /// The client's own body: Responses answers echo fields of it.
    pub request: Option<serde_json::Value>,
    /// Changes made to the request, to be undone in its answer.
    pub reply: Reply,
}
