//! Durations in buckets that grow by 8 %, so that percentiles can be had from counters.
//!
//! Bucket `i` holds the whole milliseconds from `LOWER[i]` to just before `LOWER[i + 1]`. Up to 13 ms each value has its own;
//! from there each bound is the one before times 1.08 ([`GROWTH_PERCENT`]), so the value that stands for a bucket is within
//! 4 % of any in it. The last bucket starts above an hour and holds all that is longer.
//!
//! ```text
//! [[31, 4], [32, 9]]        bucket and count, ascending; empty buckets left out
//! ```

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// By how many percent a bucket's bound exceeds the one before it.
pub const GROWTH_PERCENT: u64 = 8;

const BUCKETS: usize = 190;

const LOWER: [u64; BUCKETS] = bounds();

const fn bounds() -> [u64; BUCKETS] {
    let mut lower = [0; BUCKETS];
    let mut i = 1;
    while i < BUCKETS {
        let grown = lower[i - 1] * (100 + GROWTH_PERCENT) / 100;
        lower[i] = if grown > lower[i - 1] { grown } else { lower[i - 1] + 1 };
        i += 1;
    }
    lower
}

/// Counts of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u16, u64>);

impl Histogram {
    /// Counts one duration.
    pub fn add(&mut self, ms: u64) {
        let above = LOWER.partition_point(|lower| *lower <= ms);
        let count = self.0.entry(above.saturating_sub(1) as u16).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts all of another's.
    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, n) in &other.0 {
            let count = self.0.entry(*bucket).or_default();
            *count = count.saturating_add(*n);
        }
    }

    /// Takes out all of another's, which were counted here before.
    pub fn take_out(&mut self, other: &Histogram) {
        for (bucket, n) in &other.0 {
            let count = self.0.entry(*bucket).or_default();
            *count = count.saturating_sub(*n);
        }
        self.0.retain(|_, n| *n > 0);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Nothing counted yet?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The duration that `percent` of all do not exceed (nearest rank), within 4 %; `None` when there is none.
    pub fn percentile(&self, percent: u64) -> Option<f64> {
        let count = self.count();
        let rank = count.saturating_mul(percent.min(100)).div_ceil(100).max(1);
        let mut seen: u64 = 0;
        for (bucket, n) in &self.0 {
            seen = seen.saturating_add(*n);
            if seen >= rank {
                return Some(middle(*bucket as usize));
            }
        }
        None
    }

    /// Upper bounds (inclusive, ms) with the number of durations up to each, for cumulative expositions.
    pub fn cumulative(&self, bounds: &[u64]) -> Vec<(u64, u64)> {
        let below = |bound: u64| {
            let held = self.0.iter().filter(|(bucket, _)| middle(**bucket as usize) <= bound as f64);
            held.fold(0u64, |sum, (_, n)| sum.saturating_add(*n))
        };
        bounds.iter().map(|bound| (*bound, below(*bound))).collect()
    }

    /// About the sum of all durations, in ms.
    pub fn sum(&self) -> f64 {
        self.0.iter().map(|(bucket, n)| middle(*bucket as usize) * *n as f64).sum()
    }
}

/// The value of a bucket whose relative distance to either end is the same, to a tenth of a millisecond.
fn middle(bucket: usize) -> f64 {
    let lower = LOWER[bucket.min(BUCKETS - 1)];
    let last = LOWER.get(bucket + 1).map_or(lower, |next| next - 1);
    match last <= lower {
        true => lower as f64,
        false => (20.0 * lower as f64 * last as f64 / (lower + last) as f64).round() / 10.0,
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Histogram, D::Error> {
        let pairs = Vec::<(u16, u64)>::deserialize(deserializer)?;
        let mut all = BTreeMap::new();
        for (bucket, n) in pairs {
            *all.entry(bucket.min(BUCKETS as u16 - 1)).or_default() += n;
        }
        Ok(Histogram(all))
    }
}
