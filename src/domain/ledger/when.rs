//! Times as the admin API writes and reads them: RFC 3339 with milliseconds out, that or Unix ms in.

use crate::domain::time::Instant;
use chrono::{DateTime, SecondsFormat};

/// `2026-11-21T08:00:00.000Z`
pub fn format_time(at: Instant) -> String {
    let time = i64::try_from(at.0).ok().and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::UNIX_EPOCH);
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time of a query: RFC 3339 in any offset, or Unix ms.
pub fn parse_time(text: &str) -> Option<Instant> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<u64>() {
        return (ms <= LAST).then_some(Instant(ms));
    }
    // A `+` of an offset that was not escaped in a query arrives as a space.
    let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
        .ok()
        .or_else(|| DateTime::parse_from_rfc3339(text).ok())?;
    u64::try_from(time.timestamp_millis()).ok().map(Instant)
}

/// The year 10000: beyond it RFC 3339 has no name for a time.
const LAST: u64 = 253_402_300_799_999;
