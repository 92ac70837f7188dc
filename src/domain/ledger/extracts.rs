//! What counters want of a request, packed: questions that no counter combines fold these, since of the rows themselves each is a
//! page of the table and a kilobyte of JSON. A piece of places (`places.rs`) has those of the same requests, in the same order.
//!
//! Stored as it is, some 60 bytes a request with its share of the names:
//!
//! ```text
//! extracts   size names {entry}                  size in bytes
//! names      {size bytes}                        every name once: entries tell them by their place, from 1; 0 is none
//! entry      size flags outcome ms ttft policy workload group user key {attempt}       flags: 1 fallback, 2 degraded
//! attempt    flags model outcome ms ttft in out cached cost                            flags: 1 call, 2 maybe billed
//! ttft       one more than it is, 0 for none
//! number     seven bits a byte, the lowest first, the highest bit on all bytes but the last
//! ```

use crate::domain::ledger::row::{AttemptRow, Billed, RequestRow, Tokens};
use crate::domain::time::Instant;
use std::collections::BTreeMap;

/// Extracts that more are added to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracts {
    /// The names' places.
    known: BTreeMap<String, u64>,
    names: Vec<u8>,
    entries: Vec<u8>,
}

impl Extracts {
    /// From what is stored.
    pub fn load(bytes: &[u8]) -> Extracts {
        let Some((names, entries)) = parts(bytes) else { return Extracts::default() };
        let known = list(names).iter().enumerate().map(|(i, name)| ((*name).to_owned(), i as u64 + 1)).collect();
        Extracts { known, names: names.to_vec(), entries: entries.to_vec() }
    }

    /// As it is stored: nothing when nothing was added.
    pub fn bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() + 4);
        if !self.is_empty() {
            put(&mut out, self.names.len() as u64);
            out.extend(self.names);
            out.extend(self.entries);
        }
        out
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.names.len() + self.entries.len()
    }

    /// Nothing added yet?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a request.
    pub fn add(&mut self, row: &RequestRow) {
        let mut entry = Vec::with_capacity(64);
        put(&mut entry, u64::from(row.fallback) + 2 * u64::from(row.degraded));
        put(&mut entry, self.place(&row.outcome));
        put(&mut entry, row.ms);
        put(&mut entry, row.ttft_ms.map_or(0, |ms| ms.saturating_add(1)));
        put(&mut entry, self.place(&row.policy));
        put(&mut entry, self.place(&row.workload));
        for value in [&row.group, &row.user, &row.key] {
            put(&mut entry, value.as_deref().map_or(0, |value| self.place(value)));
        }
        for attempt in &row.attempts {
            self.put_attempt(&mut entry, attempt);
        }
        put(&mut self.entries, entry.len() as u64);
        self.entries.extend(entry);
    }

    fn put_attempt(&mut self, entry: &mut Vec<u8>, attempt: &AttemptRow) {
        let may_be_billed = attempt.billed == Billed::Maybe;
        put(entry, u64::from(attempt.call) + 2 * u64::from(may_be_billed));
        put(entry, self.place(&attempt.model));
        put(entry, self.place(&attempt.outcome));
        put(entry, attempt.ms);
        put(entry, attempt.ttft_ms.map_or(0, |ms| ms.saturating_add(1)));
        let Tokens { input, output, cached, .. } = attempt.tokens;
        [input, output, cached, attempt.cost_micro_usd].into_iter().for_each(|n| put(entry, n));
    }

    fn place(&mut self, name: &str) -> u64 {
        if name.is_empty() {
            return 0;
        }
        if let Some(place) = self.known.get(name) {
            return *place;
        }
        put(&mut self.names, name.len() as u64);
        self.names.extend_from_slice(name.as_bytes());
        let place = self.known.len() as u64 + 1;
        self.known.insert(name.to_owned(), place);
        place
    }
}

/// Of stored extracts those of these places, ascending, each with when its request arrived: rows with what counters want of them.
/// What does not read is passed over.
pub fn read(bytes: &[u8], wanted: &[(usize, Instant)]) -> Vec<RequestRow> {
    let Some((names, entries)) = parts(bytes) else { return Vec::new() };
    let (names, mut left, mut passed) = (list(names), Reader(entries), 0);
    let mut rows = Vec::with_capacity(wanted.len());
    for (place, at) in wanted {
        let entry = (passed..=*place).try_fold(&[][..], |_, _| left.sized());
        let Some(entry) = entry else { break };
        passed = place + 1;
        rows.extend(Reader(entry).row(&names, *at));
    }
    rows
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The names, and the entries behind them.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader(bytes);
    let names = reader.sized()?;
    Some((names, reader.0))
}

fn list(names: &[u8]) -> Vec<&str> {
    let mut reader = Reader(names);
    std::iter::from_fn(|| reader.sized().map(|name| std::str::from_utf8(name).unwrap_or_default())).collect()
}

/// What is left of the bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (mut n, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            match byte {
                0x80.. if shift > 63 => return None,
                0x80.. => {}
                _ => return Some(n),
            }
        }
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let size = usize::try_from(self.number()?).ok()?;
        let (some, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(some)
    }

    fn name<'n>(&mut self, names: &[&'n str]) -> Option<&'n str> {
        match usize::try_from(self.number()?).ok()?.checked_sub(1) {
            None => Some(""),
            Some(place) => names.get(place).copied(),
        }
    }

    fn value(&mut self, names: &[&str]) -> Option<Option<String>> {
        self.name(names).map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()))
    }

    fn row(&mut self, names: &[&str], at: Instant) -> Option<RequestRow> {
        let flags = self.number()?;
        let mut row = RequestRow {
            at: at.0,
            fallback: flags & 1 > 0,
            degraded: flags & 2 > 0,
            outcome: self.name(names)?.to_owned(),
            ms: self.number()?,
            ttft_ms: self.number()?.checked_sub(1),
            policy: self.name(names)?.to_owned(),
            workload: self.name(names)?.to_owned(),
            group: self.value(names)?,
            user: self.value(names)?,
            key: self.value(names)?,
            ..RequestRow::default()
        };
        while !self.0.is_empty() {
            row.attempts.push(self.attempt(names)?);
        }
        Some(row)
    }

    fn attempt(&mut self, names: &[&str]) -> Option<AttemptRow> {
        let flags = self.number()?;
        Some(AttemptRow {
            call: flags & 1 > 0,
            billed: if flags & 2 > 0 { Billed::Maybe } else { Billed::No },
            model: self.name(names)?.to_owned(),
            outcome: self.name(names)?.to_owned(),
            ms: self.number()?,
            ttft_ms: self.number()?.checked_sub(1),
            tokens: Tokens { input: self.number()?, output: self.number()?, cached: self.number()?, estimated: false },
            cost_micro_usd: self.number()?,
            ..AttemptRow::default()
        })
    }
}
