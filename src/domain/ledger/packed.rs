//! Cells as the tables hold them: two texts, since most questions ask for the first alone. Pinned byte for byte by
//! `tests/fixtures/stored/`; what versions before schema 3 stored is JSON (`cell.rs`), which is read as well.
//!
//! ```text
//! cell       1 n ok fb dg tries cost in out cached waste waste_tok maybe ms ttft ends    numbers named as in cell.rs
//! targets    1 count {name size target}          size in bytes, so that one is found without reading the others
//! target     n ok fb skips  count {class n maybe cost in out cached ms ttft}  dg     the last only where it is not 0
//! ms, ttft   count {distance from the bucket before, n}
//! ends, skips  count {name n}
//! name       size in bytes, then the bytes
//! number     five bits a digit, the lowest first: 0-9A-V for the last digit, a-z-_.:+* for those before it
//! ```

use crate::domain::ledger::cell::{Cell, ClassCell, Spend, TargetCell};
use crate::domain::ledger::histogram::Histogram;
use std::collections::BTreeMap;

/// What a packed text begins with; JSON begins with a brace.
const VERSION: &str = "1";
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVabcdefghijklmnopqrstuvwxyz-_.:+*";
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let (mut values, mut i) = ([NONE; 256], 0);
    while i < DIGITS.len() {
        values[DIGITS[i] as usize] = i as u8;
        i += 1;
    }
    values
}

/// The first text: a cell without its targets.
pub fn write_cell(cell: &Cell) -> String {
    let mut out = String::from(VERSION);
    for n in [cell.requests, cell.succeeded, cell.fallbacks, cell.degraded, cell.attempts] {
        put(&mut out, n);
    }
    put_spend(&mut out, cell.spend);
    for n in [cell.wasted_micro_usd, cell.wasted_tokens, cell.maybe_billed] {
        put(&mut out, n);
    }
    put_histogram(&mut out, &cell.ms);
    put_histogram(&mut out, &cell.ttft);
    put_counts(&mut out, &cell.outcomes);
    out
}

/// The second text.
pub fn write_targets(targets: &BTreeMap<String, TargetCell>) -> String {
    let mut out = String::from(VERSION);
    put(&mut out, targets.len() as u64);
    for (model, target) in targets {
        put_name(&mut out, model);
        put_name(&mut out, &packed_target(target));
    }
    out
}

fn packed_target(target: &TargetCell) -> String {
    let mut out = String::new();
    for n in [target.requests, target.served, target.fallbacks] {
        put(&mut out, n);
    }
    put_counts(&mut out, &target.skips);
    put(&mut out, target.classes.len() as u64);
    for (name, class) in &target.classes {
        put_name(&mut out, name);
        put(&mut out, class.attempts);
        put(&mut out, class.maybe_billed);
        put_spend(&mut out, class.spend);
        put_histogram(&mut out, &class.ms);
        put_histogram(&mut out, &class.ttft);
    }
    if target.degraded > 0 {
        put(&mut out, target.degraded);
    }
    out
}

fn put(out: &mut String, mut n: u64) {
    while n >= 32 {
        out.push(DIGITS[32 + (n % 32) as usize] as char);
        n /= 32;
    }
    out.push(DIGITS[n as usize] as char);
}

fn put_name(out: &mut String, name: &str) {
    put(out, name.len() as u64);
    out.push_str(name);
}

fn put_spend(out: &mut String, spend: Spend) {
    [spend.micro_usd, spend.input, spend.output, spend.cached].into_iter().for_each(|n| put(out, n));
}

fn put_counts(out: &mut String, counts: &BTreeMap<String, u64>) {
    put(out, counts.len() as u64);
    for (name, n) in counts {
        put_name(out, name);
        put(out, *n);
    }
}

fn put_histogram(out: &mut String, histogram: &Histogram) {
    put(out, histogram.counts().len() as u64);
    let mut before = 0;
    for (bucket, n) in histogram.counts() {
        put(out, u64::from(bucket - before));
        put(out, *n);
        before = *bucket;
    }
}

/// A cell as it was read from its row; either text may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored<'a> {
    pub cell: Option<&'a str>,
    pub targets: Option<&'a str>,
}

impl Stored<'_> {
    /// All of it, as far as it was read. `None` when it does not read.
    pub fn read(&self) -> Option<Cell> {
        let mut cell = read_cell(self.cell?)?;
        if let Some(targets) = self.targets {
            cell.targets = read_targets(targets)?;
        }
        Some(cell)
    }

    /// What it says of one target alone; `None` when it says nothing of it.
    pub fn of_target(&self, model: &str) -> Option<Cell> {
        let target = match self.targets {
            Some(text) if !is_json(text) => Reader::versioned(text)?.find_target(model)?,
            Some(text) => read_targets(text)?.remove(model)?,
            None => self.read()?.targets.remove(model)?,
        };
        Some(TargetCell::alone(model, target))
    }
}

fn is_json(text: &str) -> bool {
    text.starts_with('{')
}

fn read_cell(text: &str) -> Option<Cell> {
    if is_json(text) {
        return serde_json::from_slice(text.as_bytes()).ok();
    }
    Reader::versioned(text)?.cell()
}

fn read_targets(text: &str) -> Option<BTreeMap<String, TargetCell>> {
    if is_json(text) {
        return serde_json::from_slice(text.as_bytes()).ok();
    }
    let mut reader = Reader::versioned(text)?;
    let count = reader.number()?;
    let one = |_| Some((reader.name()?.to_owned(), Reader(reader.name()?).target()?));
    (0..count).map(one).collect()
}

/// What is left of a text.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn versioned(text: &'a str) -> Option<Reader<'a>> {
        text.strip_prefix(VERSION).map(Reader)
    }

    fn number(&mut self) -> Option<u64> {
        let (mut n, mut shift) = (0u64, 0u32);
        for (i, byte) in self.0.bytes().enumerate() {
            let digit = VALUES[byte as usize];
            if digit == NONE || shift > 60 {
                return None;
            }
            n |= u64::from(digit % 32) << shift;
            shift += 5;
            if digit < 32 {
                self.0 = self.0.get(i + 1..)?;
                return Some(n);
            }
        }
        None
    }

    fn name(&mut self) -> Option<&'a str> {
        let size = usize::try_from(self.number()?).ok()?;
        let name = self.0.get(..size)?;
        self.0 = self.0.get(size..)?;
        Some(name)
    }

    fn cell(&mut self) -> Option<Cell> {
        Some(Cell {
            requests: self.number()?,
            succeeded: self.number()?,
            fallbacks: self.number()?,
            degraded: self.number()?,
            attempts: self.number()?,
            spend: self.spend()?,
            wasted_micro_usd: self.number()?,
            wasted_tokens: self.number()?,
            maybe_billed: self.number()?,
            ms: self.histogram()?,
            ttft: self.histogram()?,
            outcomes: self.counts()?,
            targets: BTreeMap::new(),
        })
    }

    fn find_target(&mut self, model: &str) -> Option<TargetCell> {
        for _ in 0..self.number()? {
            let (name, body) = (self.name()?, self.name()?);
            if name == model {
                return Reader(body).target();
            }
        }
        None
    }

    fn target(&mut self) -> Option<TargetCell> {
        let (requests, served, fallbacks) = (self.number()?, self.number()?, self.number()?);
        let (skips, count) = (self.counts()?, self.number()?);
        let class = |_| Some((self.name()?.to_owned(), self.class()?));
        let classes = (0..count).map(class).collect::<Option<_>>()?;
        // It came later: what was packed before ends here.
        let degraded = if self.0.is_empty() { 0 } else { self.number()? };
        Some(TargetCell { requests, served, fallbacks, degraded, skips, classes })
    }

    fn class(&mut self) -> Option<ClassCell> {
        Some(ClassCell {
            attempts: self.number()?,
            maybe_billed: self.number()?,
            spend: self.spend()?,
            ms: self.histogram()?,
            ttft: self.histogram()?,
        })
    }

    fn spend(&mut self) -> Option<Spend> {
        Some(Spend { micro_usd: self.number()?, input: self.number()?, output: self.number()?, cached: self.number()? })
    }

    fn counts(&mut self) -> Option<BTreeMap<String, u64>> {
        (0..self.number()?).map(|_| Some((self.name()?.to_owned(), self.number()?))).collect()
    }

    fn histogram(&mut self) -> Option<Histogram> {
        let (count, mut bucket) = (self.number()?, 0u64);
        let mut pair = |_| {
            bucket = bucket.saturating_add(self.number()?);
            Some((u16::try_from(bucket).ok()?, self.number()?))
        };
        (0..count).map(&mut pair).collect::<Option<_>>().map(Histogram::of)
    }
}
