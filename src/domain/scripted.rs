//! Outcomes written down: what simulations, drills and provider `sim` are told to meet.
//!
//! ```text
//! ok                       an answer
//! <status>[;retry-after=s] an error answer, classified as a real one
//! <class>                  a failure of that class
//! stall@n                  n pieces of content, then silence
//! cut@n                    n pieces of content, then the end of the stream
//! ```

use std::fmt;

use crate::domain::classify::{Facts, classify};
use crate::domain::glob::Glob;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::refusal::Refusal;
use crate::domain::target::Target;
use crate::domain::time::Instant;

/// Pieces of content that a scripted stream may be asked for.
pub const PIECES_MAX: u32 = 100_000;
/// Pairs in one drill.
const DRILL_MAX: usize = 32;
/// The header that starts a drill.
pub const DRILL_HEADER: &str = "x-understudy-drill";

/// One outcome, written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scripted {
    Ok,
    Status {
        status: u16,
        retry_after: Option<String>,
    },
    Class(Class),
    /// Silence after so many pieces of content.
    Stall(u32),
    /// The stream ends after so many pieces of content, without its terminal event.
    Cut(u32),
}

/// A text that is no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOutcome(String);

impl fmt::Display for BadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no outcome: expected ok, a status from 200 to 599 (with ;retry-after=seconds), a class such as overloaded, stall@n or cut@n",
            self.0
        )
    }
}

impl Scripted {
    /// Reads one outcome.
    ///
    /// # Errors
    /// [`BadOutcome`], which says what is expected.
    pub fn parse(text: &str) -> Result<Scripted, BadOutcome> {
        let bad = || BadOutcome(text.chars().take(64).collect());
        let text = text.trim();
        if text == "ok" {
            return Ok(Scripted::Ok);
        }
        if let Some(class) = Class::parse(text) {
            return Ok(Scripted::Class(class));
        }
        if let Some((kind, pieces)) = text.split_once('@') {
            let pieces = number(pieces).filter(|pieces| *pieces <= PIECES_MAX).ok_or_else(bad)?;
            return match kind {
                "stall" => Ok(Scripted::Stall(pieces)),
                "cut" => Ok(Scripted::Cut(pieces)),
                _ => Err(bad()),
            };
        }
        let (status, option) = text.split_once(';').map_or((text, None), |(status, option)| (status, Some(option)));
        let digits = Some(status.trim()).filter(|digits| digits.len() == 3).and_then(number);
        let status = digits.and_then(|status| u16::try_from(status).ok());
        let status = status.filter(|status| (200..=599).contains(status)).ok_or_else(bad)?;
        let retry_after = match option.map(|option| option.trim().split_once('=')) {
            None => None,
            Some(Some(("retry-after", seconds))) if is_seconds(seconds.trim()) => Some(seconds.trim().to_owned()),
            Some(_) => return Err(bad()),
        };
        Ok(Scripted::Status { status, retry_after })
    }

    /// The failure that a call at this provider meets at once; `None` where an answer begins.
    pub fn failure(&self, provider: &str, now: Instant) -> Option<Failure> {
        match self {
            Scripted::Ok | Scripted::Stall(_) | Scripted::Cut(_) => None,
            // As of a real one: 204 is a success without the answer that was asked for.
            Scripted::Status { status: 200..=203 | 205..=299, .. } => None,
            Scripted::Status { status, retry_after } => {
                let header = |name: &str| retry_after.clone().filter(|_| name == "retry-after");
                Some(classify(&Facts { status: *status, header: &header, body: b"", provider, rules: &[], now }))
            }
            Scripted::Class(Class::Timeout) => {
                Some(Failure { phase: Some(Phase::FirstToken), ..Failure::new(Class::Timeout, "scripted: timeout") })
            }
            Scripted::Class(class) => Some(Failure {
                status: typical_status(*class),
                ..Failure::new(*class, format!("scripted: {}", class.name()))
            }),
        }
    }
}

/// A number of digits alone: `+429` is no status.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `2`, `0.05`: what never ends is no number of seconds.
fn is_seconds(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scripted::Ok => f.write_str("ok"),
            Scripted::Status { status, retry_after: None } => write!(f, "{status}"),
            Scripted::Status { status, retry_after: Some(seconds) } => write!(f, "{status};retry-after={seconds}"),
            Scripted::Class(class) => f.write_str(class.name()),
            Scripted::Stall(pieces) => write!(f, "stall@{pieces}"),
            Scripted::Cut(pieces) => write!(f, "cut@{pieces}"),
        }
    }
}

/// The status with which a failure of that class usually comes.
pub const fn typical_status(class: Class) -> Option<u16> {
    match class {
        Class::RateLimited | Class::QuotaExhausted => Some(429),
        Class::Overloaded => Some(529),
        Class::ServerError => Some(500),
        Class::Malformed | Class::Interrupted => Some(200),
        Class::Auth => Some(401),
        Class::Forbidden => Some(403),
        Class::NotFound => Some(404),
        Class::ContextLength | Class::ContentPolicy | Class::Unsupported | Class::InvalidRequest => Some(400),
        Class::Timeout | Class::Unreachable | Class::Cancelled => None,
    }
}

/// A drill: which targets meet which outcome in place of their real call.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    pairs: Vec<(Glob, Scripted)>,
    default_provider: String,
}

/// Reads `target=outcome`. Both may hold an equals sign (`sim/cut?after=3=429;retry-after=2`): the outcome begins behind the
/// first one that leaves an outcome.
fn pair(text: &str) -> Result<(Glob, Scripted), Refusal> {
    let text = text.trim();
    let mut bad = None;
    for (at, _) in text.match_indices('=') {
        let (glob, outcome) = (&text[..at], &text[at + 1..]);
        match Scripted::parse(outcome) {
            Ok(_) if glob.trim().is_empty() => {
                return Err(Refusal::value(DRILL_HEADER, format!("{text:?} names no target")));
            }
            Ok(outcome) => return Ok((Glob::new(glob.trim()), outcome)),
            Err(error) => bad = Some(error),
        }
    }
    Err(match bad {
        Some(bad) => Refusal::value(DRILL_HEADER, bad),
        None => Refusal::value(DRILL_HEADER, format!("{text:?} is not of the form target=outcome")),
    })
}

impl Drill {
    /// Reads `anthropic/*=overloaded`, or several such pairs with commas between. Targets are written as in a request: bare ones
    /// are of the default provider.
    ///
    /// # Errors
    /// A 400 that names the header and the pair.
    pub fn parse(text: &str, default_provider: &str) -> Result<Drill, Refusal> {
        let pairs = text.split(',').map(pair).collect::<Result<Vec<_>, Refusal>>()?;
        match pairs.len() <= DRILL_MAX {
            true => Ok(Drill { pairs, default_provider: default_provider.to_owned() }),
            false => Err(Refusal::value(DRILL_HEADER, format!("more than {DRILL_MAX} pairs"))),
        }
    }

    /// What a target meets: the first pair that names it.
    pub fn outcome_for(&self, target: &Target) -> Option<&Scripted> {
        let name = target.to_string();
        let met = self.pairs.iter().find(|(glob, _)| glob.matches(&name, &self.default_provider));
        met.map(|(_, outcome)| outcome)
    }
}
