//! How long an upstream asks to wait, in all the ways in which upstreams say it.
//!
//! ```text
//! retry-after-ms, x-ms-retry-after-ms    milliseconds
//! retry-after                            seconds (2, 1.5), or an HTTP date
//! body                                   Gemini's retryDelay "34.4s"; "try again in 1m3s", "retry after 20 seconds"
//! x-ratelimit-reset-*, anthropic-ratelimit-*-reset    when the same limit has nothing remaining, on a rate limit alone
//! ```

use chrono::{DateTime, NaiveDateTime};

use super::body::ErrorBody;
use crate::domain::time::{Instant, Span};

type Header<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What headers ask for.
pub fn by_header(header: Header<'_>, now: Instant) -> Option<Span> {
    let ms = |name: &str| header(name).and_then(|text| scaled(&text, 1.0));
    ms("retry-after-ms").or_else(|| ms("x-ms-retry-after-ms")).or_else(|| retry_after(&header("retry-after")?, now))
}

/// What the body asks for.
pub fn by_body(body: &ErrorBody) -> Option<Span> {
    body.retry_delay.as_deref().and_then(duration).or_else(|| by_message(&body.message))
}

/// When a limit of which nothing is left is full again: the latest of them.
pub fn by_reset(header: Header<'_>, now: Instant) -> Option<Span> {
    let openai = ["requests", "tokens"].into_iter().filter_map(|what| {
        used_up(header, &format!("x-ratelimit-remaining-{what}"))?;
        duration(&header(&format!("x-ratelimit-reset-{what}"))?)
    });
    let anthropic = ["requests", "tokens", "input-tokens", "output-tokens"].into_iter().filter_map(|what| {
        used_up(header, &format!("anthropic-ratelimit-{what}-remaining"))?;
        until(
            DateTime::parse_from_rfc3339(header(&format!("anthropic-ratelimit-{what}-reset"))?.trim())
                .ok()?
                .timestamp_millis(),
            now,
        )
    });
    openai.chain(anthropic).max()
}

/// A `Retry-After`: seconds, whole or not, or a date.
pub fn retry_after(text: &str, now: Instant) -> Option<Span> {
    scaled(text, 1000.0).or_else(|| until(date(text.trim())?, now))
}

fn used_up(header: Header<'_>, name: &str) -> Option<()> {
    let left: i64 = header(name)?.trim().parse().ok()?;
    (left <= 0).then_some(())
}

/// The three forms of an HTTP date, in Unix ms.
fn date(text: &str) -> Option<i64> {
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.timestamp_millis());
    }
    let forms = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    forms
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc().timestamp_millis())
}

fn until(unix_ms: i64, now: Instant) -> Option<Span> {
    Some(Instant(u64::try_from(unix_ms).ok()?).since(now))
}

fn by_message(message: &str) -> Option<Span> {
    let message = message.to_ascii_lowercase();
    let after = |phrase: &str| message.find(phrase).and_then(|at| duration(&message[at + phrase.len()..]));
    ["try again in ", "retry in ", "retry after ", "try again after "].into_iter().find_map(after)
}

/// `34.4s`, `1m3s`, `12ms`, `6m0s`, `20 seconds`, `1 minute 30 seconds`; a bare number is seconds. What follows is ignored.
pub fn duration(text: &str) -> Option<Span> {
    let mut rest = text.trim_start();
    let mut total: Option<Span> = None;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..digits].trim_end_matches('.');
        if number.is_empty() {
            return total;
        }
        rest = rest[digits..].trim_start_matches(' ');
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match (&rest[..letters], total) {
            ("ms" | "millisecond" | "milliseconds", _) => 1.0,
            ("s" | "sec" | "secs" | "second" | "seconds", _) => 1000.0,
            ("m" | "min" | "mins" | "minute" | "minutes", _) => 60_000.0,
            ("h" | "hr" | "hour" | "hours", _) => 3_600_000.0,
            ("d" | "day" | "days", _) => 86_400_000.0,
            (_, None) => return scaled(number, 1000.0),
            (_, Some(total)) => return Some(total),
        };
        total = Some(total.unwrap_or_default() + scaled(number, unit)?);
        rest = rest[letters..].trim_start_matches(' ');
    }
}

/// A number of that many milliseconds each. Casts saturate.
fn scaled(text: &str, ms: f64) -> Option<Span> {
    let number: f64 = text.trim().parse().ok()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (number.is_finite() && number >= 0.0).then(|| Span((number * ms).ceil() as u64))
}
