//! Which words the rows of ten minutes hold: a Bloom filter per slot, so that a filter that matches little looks at few rows. It
//! may say yes where nothing is, never no where something is.
//!
//! Stored as it is: 4,096 bytes. A word sets the bits that the first four 16-bit numbers (big endian) of its SHA-256 name, modulo
//! 32,768; bit `n` is bit `n % 8` of byte `n / 8`. At 700 words a slot one in 2,000 answers is a false yes, at 7,000 one in 9.

use crate::domain::ledger::query::ListQuery;
use crate::domain::ledger::row::RequestRow;
use crate::domain::time::{Instant, Span};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// What one sketch covers, by arrival.
pub const SLOT: Span = Span(600_000);
const BYTES: usize = 4_096;
const PROBES: usize = 4;

/// The start of a moment's slot.
pub const fn slot_of(at: Instant) -> Instant {
    Instant(at.0 - at.0 % SLOT.0)
}

/// The words of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch(Vec<u8>);

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch(vec![0; BYTES])
    }
}

impl Sketch {
    /// From what is stored. What is no sketch holds everything: then its slot is looked at.
    pub fn load(bytes: Vec<u8>) -> Sketch {
        Sketch(if bytes.len() == BYTES { bytes } else { vec![0xff; BYTES] })
    }

    /// As it is stored.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// Adds the words of rows.
    pub fn add<'a>(&mut self, rows: impl IntoIterator<Item = &'a RequestRow>) {
        let words: BTreeSet<String> = rows.into_iter().flat_map(words).collect();
        for bit in words.iter().flat_map(|word| bits(word)) {
            self.0[bit / 8] |= 1 << (bit % 8);
        }
    }

    /// Whether a row may be there that holds all that is wanted.
    pub fn may_hold(&self, wanted: &Wanted) -> bool {
        wanted.0.iter().all(|bit| self.0[bit / 8] & (1 << (bit % 8)) != 0)
    }
}

fn bits(word: &str) -> [usize; PROBES] {
    let digest = Sha256::digest(word.as_bytes());
    let pair = |n: usize| usize::from(u16::from_be_bytes([digest[2 * n], digest[2 * n + 1]]));
    std::array::from_fn(|n| pair(n) % (8 * BYTES))
}

/// What a query's filters look for.
#[derive(Clone, Debug)]
pub struct Wanted(Vec<usize>);

impl Wanted {
    /// Of the filters; `None` when there are none.
    pub fn of(query: &ListQuery) -> Option<Wanted> {
        let named = [
            ("policy", &query.policy),
            ("workload", &query.workload),
            ("user", &query.user),
            ("group", &query.group),
            ("key", &query.key),
            ("mark", &query.mark),
        ];
        let mut words: Vec<String> =
            named.into_iter().filter_map(|(name, value)| Some(word(name, value.as_ref()?))).collect();
        words.extend(query.fallback.map(|fallback| word("fallback", &fallback.to_string())));
        words.extend(match (&query.target, &query.class) {
            (Some(target), Some(class)) => Some(word("end", &format!("{target};{class}"))),
            (Some(target), None) => Some(word("target", target)),
            (None, Some(class)) => Some(word("class", class)),
            (None, None) => None,
        });
        (!words.is_empty()).then(|| Wanted(words.iter().flat_map(|word| bits(word)).collect()))
    }
}

fn word(name: &str, value: &str) -> String {
    format!("{name}={value}")
}

/// Every word that [`Wanted::of`] may look for in a row.
fn words(row: &RequestRow) -> Vec<String> {
    let mut words = vec![
        word("policy", &row.policy),
        word("workload", &row.workload),
        word("mark", &row.mark),
        word("fallback", &row.fallback.to_string()),
        word("class", &row.outcome),
    ];
    for (name, value) in [("user", &row.user), ("group", &row.group), ("key", &row.key)] {
        words.extend(value.as_deref().map(|value| word(name, value)));
    }
    for attempt in &row.attempts {
        words.push(word("target", &attempt.model));
        words.push(word("class", &attempt.outcome));
        words.push(word("end", &format!("{};{}", attempt.model, attempt.outcome)));
    }
    words
}

/// A stretch of arrivals, from its start to just before its end.
pub type Stretch = (Instant, Instant);

/// The stretches of a range that are worth a look, newest first. `yes` are the slots whose sketch said so, newest first. A slot
/// that began before the sketches did, at `since`, may hold rows that none tells of.
pub fn stretches((from, to): Stretch, yes: impl IntoIterator<Item = Instant>, since: Instant) -> Vec<Stretch> {
    let trusted = if slot_of(since) == since { since } else { slot_of(since) + SLOT };
    let mut found: Vec<Stretch> = Vec::new();
    for slot in yes.into_iter().filter(|slot| *slot >= trusted) {
        let (start, end) = (slot.max(from), (slot + SLOT).min(to));
        match found.last_mut() {
            Some(last) if last.0 == end => last.0 = start,
            _ if start < end => found.push((start, end)),
            _ => {}
        }
    }
    let end = trusted.min(to);
    match found.last_mut() {
        _ if from >= end => {}
        Some(last) if last.0 == end => last.0 = from,
        _ => found.push((from, end)),
    }
    found
}
