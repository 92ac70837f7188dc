//! How long to wait before another try of the same target.
//!
//! ```text
//! wait before try n+1 = min(initial * multiplier^(n-1), max) * (1 - jitter ..= 1 + jitter), at least what Retry-After asks
//! ```

use crate::domain::policy::Backoff;
use crate::domain::time::Span;

/// What backoff says of a further try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Try again after this long.
    Wait(Span),
    /// The upstream asks for a longer wait than the policy grants: give the target up at once.
    TooLong,
}

/// The pause after `made` tries of a target (from 1), where the upstream asked to wait for `retry_after`.
pub fn pause(rules: &Backoff, made: u32, retry_after: Option<Span>, dice: &mut Dice) -> Pause {
    match retry_after {
        Some(asked) if asked > rules.retry_after_max => Pause::TooLong,
        Some(asked) => Pause::Wait(wait(rules, made, dice).max(asked)),
        None => Pause::Wait(wait(rules, made, dice)),
    }
}

/// The longest that [`pause`] can ask for without a hint of the upstream.
pub fn longest(rules: &Backoff, made: u32) -> Span {
    scale(base(rules, made), 1.0 + rules.jitter)
}

/// The shortest that [`pause`] can ask for: what the most calls within a deadline are counted with.
pub fn shortest(rules: &Backoff, made: u32) -> Span {
    scale(base(rules, made), 1.0 - rules.jitter)
}

fn wait(rules: &Backoff, made: u32, dice: &mut Dice) -> Span {
    let factor = 1.0 + rules.jitter * (2.0 * dice.unit() - 1.0);
    scale(base(rules, made), factor)
}

fn base(rules: &Backoff, made: u32) -> Span {
    let exponent = i32::try_from(made.saturating_sub(1)).unwrap_or(i32::MAX);
    scale(rules.initial, rules.multiplier.powi(exponent)).min(rules.max)
}

/// Float to integer casts saturate, and a NaN is 0.
fn scale(span: Span, factor: f64) -> Span {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Span((span.0 as f64 * factor).round() as u64)
}

/// A source of randomness from a seed (SplitMix64): the domain rolls no dice of its own.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number from 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let unit = (self.roll() >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }
}
