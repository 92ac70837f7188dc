//! Provider `sim`: answers without an upstream, on every route, JSON and streams; and what a drilled call meets.
//!
//! ```text
//! sim/echo                                   repeats the last thing that the user said
//! sim/slow?first_token_ms=1000&tokens=10     takes its time, then says so many words (and interval_ms between them)
//! sim/cut?after=3                            ends after so many words, without a terminal event
//! sim/stall?after=3                          falls silent after so many words
//! sim/<class>                                fails so
//! ```
//! Everything is decided here, with delays as data; the edge only writes the pieces when their time has come.

mod converse;
mod error;
mod media;
mod routes;
mod speech;

use crate::domain::dialect::Wire;
use crate::domain::outcome::{Class, Failure};
use crate::domain::route::Route;
use crate::domain::scripted::Scripted;
use crate::domain::time::{Instant, Span};

/// Words of one answer.
const TOKENS_MAX: usize = 10_000;
/// The longest delay, as long as the longest clock.
const DELAY_MAX: u64 = 3_600_000;

/// One request to `sim`.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub route: &'a Route,
    /// What the answer must look like: the route's own for `sim`, the hop's for a drill.
    pub wire: Wire,
    /// The model's name, as the answer gives it.
    pub model: &'a str,
    /// The client's JSON body, or nothing of use for a form.
    pub body: &'a [u8],
    pub stream: bool,
    pub now: Instant,
    pub request_id: &'a str,
}

/// What a call meets.
#[derive(Clone, Debug, PartialEq)]
pub enum Played {
    Answer(Answer),
    /// No response at all.
    Fails(Failure),
    /// No response, ever: a clock must end it.
    Silence,
}

/// A response, piece by piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    /// `retry-after`, as it is written.
    pub retry_after: Option<String>,
    pub pieces: Vec<Piece>,
    pub end: End,
}

/// Bytes, and how long after the piece before them (or the headers) they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub after: Span,
    pub bytes: Vec<u8>,
}

/// How a response's body ends after its last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In good order.
    Close,
    /// The connection breaks.
    Break,
    /// Never.
    Stall,
}

/// What `sim` does, whatever the route.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Speak(Manner),
    Fail(Scripted),
    /// There is no such model.
    Unknown,
}

/// How an answer is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Before the first word.
    pub first: Span,
    /// Before every other word.
    pub between: Span,
    /// So many words; else the user's own.
    pub tokens: Option<usize>,
    /// After so many words it ends otherwise than it should.
    pub ends: Option<(usize, End)>,
}

const PLAIN: Manner = Manner { first: Span::ZERO, between: Span::ZERO, tokens: None, ends: None };

impl Act {
    /// What a model of `sim` does: its name, and parameters as in a query. Unknown parameters are ignored, numbers kept in
    /// their range.
    pub fn of_model(model: &str) -> Act {
        let (name, query) = model.split_once('?').unwrap_or((model, ""));
        let number = |wanted: &str, default: u64, most: u64| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let given = pairs.filter(|(name, _)| *name == wanted).find_map(|(_, value)| value.parse::<u64>().ok());
            given.unwrap_or(default).min(most)
        };
        let count =
            |wanted: &str, default: u64| usize::try_from(number(wanted, default, TOKENS_MAX as u64)).unwrap_or(0);
        match name {
            "echo" => Act::Speak(PLAIN),
            "slow" => Act::Speak(Manner {
                first: Span(number("first_token_ms", 1_000, DELAY_MAX)),
                between: Span(number("interval_ms", 0, DELAY_MAX)),
                tokens: Some(count("tokens", 10)),
                ends: None,
            }),
            "cut" => Act::Speak(ending(count("after", 3), End::Close)),
            "stall" => Act::Speak(ending(count("after", 3), End::Stall)),
            name => Class::parse(name).map_or(Act::Unknown, |class| Act::Fail(Scripted::Class(class))),
        }
    }

    /// What a scripted outcome does.
    pub fn of_script(scripted: &Scripted) -> Act {
        let count = |pieces: u32| usize::try_from(pieces).unwrap_or(TOKENS_MAX).min(TOKENS_MAX);
        match scripted {
            Scripted::Ok | Scripted::Status { status: 200..=203 | 205..=299, .. } => Act::Speak(PLAIN),
            Scripted::Stall(pieces) => Act::Speak(ending(count(*pieces), End::Stall)),
            Scripted::Cut(pieces) => Act::Speak(ending(count(*pieces), End::Close)),
            failing @ (Scripted::Status { .. } | Scripted::Class(_)) => Act::Fail(failing.clone()),
        }
    }
}

/// As many words as are needed to be cut off after so many.
fn ending(after: usize, end: End) -> Manner {
    Manner { tokens: Some(after + 1), ends: Some((after, end)), ..PLAIN }
}

/// What a call to `sim` meets.
pub fn play(act: &Act, asked: &Asked<'_>) -> Played {
    match act {
        Act::Speak(manner) => Played::Answer(speak(manner, asked)),
        Act::Unknown => Played::Answer(error::unknown(asked)),
        Act::Fail(scripted) => error::failing(scripted, asked),
    }
}

fn speak(manner: &Manner, asked: &Asked<'_>) -> Answer {
    let words = match manner.tokens {
        Some(tokens) => vec!["token".to_owned(); tokens],
        None => routes::echo(asked),
    };
    match speech::speaks(asked.wire) {
        true if asked.stream => speech::stream(manner, &words, asked),
        true => whole("application/json", speech::answer(&words, asked), manner),
        false => media::stream(manner, &words, asked).unwrap_or_else(|| {
            let (content_type, body) = routes::answer(&words, asked);
            whole(content_type, body, manner)
        }),
    }
}

/// A body that comes at once. One that is cut off or stalls does so in its middle, or before it begins.
fn whole(content_type: &'static str, mut body: Vec<u8>, manner: &Manner) -> Answer {
    let end = match manner.ends {
        None => End::Close,
        Some((after, end)) => {
            // Of audio any byte is content: what is to fail has none.
            body.truncate(if after == 0 { 0 } else { body.len() / 2 });
            // A JSON body that is cut off shows it by its connection.
            if end == End::Close { End::Break } else { end }
        }
    };
    let pieces = vec![Piece { after: manner.first, bytes: body }];
    Answer { status: 200, content_type, retry_after: None, pieces, end }
}
