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

/// By how many percent a bucket's bound exceeds the one before it.
pub const GROWTH_PERCENT: u64 = 8;

const BUCKETS: usize = 190;
/// Entries that are looked at one by one before the rest is searched.
const NEAR: usize = 8;

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

/// Counts of durations: buckets that have any, ascending. Most hold few of all buckets, and are merged into others by the
/// thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(Vec<(u16, u64)>);

impl Histogram {
    /// Counts one duration.
    pub fn add(&mut self, ms: u64) {
        let above = LOWER.partition_point(|lower| *lower <= ms);
        self.count_at(0, above.saturating_sub(1) as u16, 1);
    }

    /// Counts in a bucket, which is not among the first `from` entries. Its place among all.
    fn count_at(&mut self, from: usize, bucket: u16, n: u64) -> usize {
        let later = self.0.get(from..).unwrap_or_default();
        // Whoever is merged into has most buckets already: the next one is mostly at hand.
        let near = later.iter().take(NEAR).position(|(known, _)| *known >= bucket);
        let place = from + near.unwrap_or_else(|| later.partition_point(|(known, _)| *known < bucket));
        match self.0.get_mut(place) {
            Some((known, count)) if *known == bucket => *count = count.saturating_add(n),
            _ => self.0.insert(place, (bucket, n)),
        }
        place
    }

    /// Counts all of another's.
    pub fn merge(&mut self, other: &Histogram) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut place = 0;
        for (bucket, n) in &other.0 {
            place = self.count_at(place, *bucket, *n);
        }
    }

    /// Takes out all of another's, which were counted here before.
    pub fn take_out(&mut self, other: &Histogram) {
        for (bucket, n) in &other.0 {
            if let Ok(place) = self.0.binary_search_by_key(bucket, |(known, _)| *known) {
                self.0[place].1 = self.0[place].1.saturating_sub(*n);
            }
        }
        self.0.retain(|(_, n)| *n > 0);
    }

    /// Buckets and their counts, ascending, without empty ones.
    pub fn counts(&self) -> &[(u16, u64)] {
        &self.0
    }

    /// Of buckets and their counts, in any order.
    pub fn of(pairs: Vec<(u16, u64)>) -> Histogram {
        let fits = |(bucket, n): &(u16, u64)| (*bucket as usize) < BUCKETS && *n > 0;
        if pairs.iter().all(fits) && pairs.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Histogram(pairs);
        }
        let mut histogram = Histogram::default();
        for (bucket, n) in pairs.into_iter().filter(|(_, n)| *n > 0) {
            histogram.count_at(0, bucket.min(BUCKETS as u16 - 1), n);
        }
        histogram
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n))
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
            let held = self.0.iter().filter(|(bucket, _)| middle(*bucket as usize) <= bound as f64);
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
        Vec::<(u16, u64)>::deserialize(deserializer).map(Histogram::of)
    }
}
