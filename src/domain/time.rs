//! Moments and stretches of time, in whole milliseconds.
//!
//! The domain never reads a clock: every moment is an argument. Arithmetic saturates, so that a clock that jumps back or a
//! hint that asks for a century is a large number and not a trap.

use std::ops::{Add, Sub};

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Instant(pub u64);

/// A stretch of time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Span(pub u64);

impl Instant {
    /// The span from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Instant {
    type Output = Instant;
    fn add(self, span: Span) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Instant {
    type Output = Instant;
    fn sub(self, span: Span) -> Instant {
        Instant(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of whole seconds.
    pub const fn seconds(n: u64) -> Span {
        Span(n.saturating_mul(1000))
    }

    /// A span of whole hours.
    pub const fn hours(n: u64) -> Span {
        Span(n.saturating_mul(3_600_000))
    }

    /// A span of whole days.
    pub const fn days(n: u64) -> Span {
        Span(n.saturating_mul(86_400_000))
    }
}
