//! A cell: everything counted under one name (a policy, a workload, a group, a user, a key) in one minute, hour or day.
//!
//! Tables hold it packed (`packed.rs`). Between objects, on boards, and in what was stored before schema 3, it is JSON, pinned by
//! `tests/fixtures/stored/cell.json`. Zeros and empty maps are left out; amounts of money are in
//! millionths of a US dollar.
//!
//! ```text
//! {"n": 12, "ok": 11, "fb": 3, "dg": 1, "tries": 16,    requests, answered, by a fallback, by a degraded hop; calls
//!  "cost": 950, "waste": 40, "waste_tok": 0,       charged; what failed attempts may have cost; their tokens
//!  "maybe": 1,                                     failed attempts that the upstream may have charged for
//!  "in": 900, "out": 310, "cached": 0,             tokens charged
//!  "ms": [[31, 12]], "ttft": [[28, 4]],            of the requests
//!  "ends": {"ok": 11, "timeout": 1},               final outcomes
//!  "targets": {"openai/gpt-4o": {"n": 9, "ok": 8,
//!     "skips": {"breaker_open": 2},
//!     "classes": {"ok": {"n": 8, "cost": 700, "in": 800, "out": 300, "ms": [[30, 8]], "ttft": [[28, 3]]},
//!                 "overloaded": {"n": 1, "ms": [[12, 1]]}}}}}
//! ```

use crate::domain::ledger::histogram::Histogram;
use crate::domain::ledger::row::{AttemptRow, Billed, OK, RequestRow, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Targets that one cell tells apart; the rest are counted as [`OTHER`]. A plain model is any string a client sends.
pub const CELL_TARGETS: usize = 500;
/// The name under which what exceeds a bound is counted.
pub const OTHER: &str = "other";

/// Counters of requests, and of attempts by target and class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    #[serde(rename = "n", skip_serializing_if = "zero")]
    pub requests: u64,
    #[serde(rename = "ok", skip_serializing_if = "zero")]
    pub succeeded: u64,
    /// Answered by another than the first hop.
    #[serde(rename = "fb", skip_serializing_if = "zero")]
    pub fallbacks: u64,
    #[serde(rename = "dg", skip_serializing_if = "zero")]
    pub degraded: u64,
    /// Upstream calls.
    #[serde(rename = "tries", skip_serializing_if = "zero")]
    pub attempts: u64,
    #[serde(flatten)]
    pub spend: Spend,
    #[serde(rename = "waste", skip_serializing_if = "zero")]
    pub wasted_micro_usd: u64,
    #[serde(rename = "waste_tok", skip_serializing_if = "zero")]
    pub wasted_tokens: u64,
    #[serde(rename = "maybe", skip_serializing_if = "zero")]
    pub maybe_billed: u64,
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub ms: Histogram,
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub ttft: Histogram,
    #[serde(rename = "ends", skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, TargetCell>,
}

/// One target within a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetCell {
    /// Requests that called it at least once.
    #[serde(rename = "n", skip_serializing_if = "zero")]
    pub requests: u64,
    /// Of these, those that it answered to the end.
    #[serde(rename = "ok", skip_serializing_if = "zero")]
    pub served: u64,
    /// Of those, and of its answers that broke, the ones where it was not the first hop.
    #[serde(rename = "fb", skip_serializing_if = "zero")]
    pub fallbacks: u64,
    /// Of those, and of its answers that broke, the ones that it gave as a degraded hop.
    #[serde(rename = "dg", skip_serializing_if = "zero")]
    pub degraded: u64,
    /// Times that it was passed over, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub skips: BTreeMap<String, u64>,
    /// Attempts by class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, ClassCell>,
}

/// Attempts at one target that ended in one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassCell {
    #[serde(rename = "n", skip_serializing_if = "zero")]
    pub attempts: u64,
    #[serde(rename = "maybe", skip_serializing_if = "zero")]
    pub maybe_billed: u64,
    /// Charged for `ok`, else what may have been wasted.
    #[serde(flatten)]
    pub spend: Spend,
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub ms: Histogram,
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub ttft: Histogram,
}

/// Tokens and their price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spend {
    #[serde(rename = "cost", skip_serializing_if = "zero")]
    pub micro_usd: u64,
    #[serde(rename = "in", skip_serializing_if = "zero")]
    pub input: u64,
    #[serde(rename = "out", skip_serializing_if = "zero")]
    pub output: u64,
    #[serde(skip_serializing_if = "zero")]
    pub cached: u64,
}

fn zero(n: &u64) -> bool {
    *n == 0
}

fn add(sum: &mut u64, n: u64) {
    *sum = sum.saturating_add(n);
}

fn add_all(sums: &mut BTreeMap<String, u64>, others: &BTreeMap<String, u64>) {
    for (name, n) in others {
        at(sums, name, |sum| add(sum, *n));
    }
}

/// Changes the entry of a name, which is mostly there: then nothing is allocated.
fn at<T: Default>(entries: &mut BTreeMap<String, T>, name: &str, change: impl FnOnce(&mut T)) {
    match entries.get_mut(name) {
        Some(known) => change(known),
        None => change(entries.entry(name.to_owned()).or_default()),
    }
}

impl Spend {
    /// Of tokens at a cost.
    pub fn of(tokens: Tokens, micro_usd: u64) -> Spend {
        Spend { micro_usd, input: tokens.input, output: tokens.output, cached: tokens.cached }
    }

    /// Adds another's.
    pub fn merge(&mut self, other: Spend) {
        add(&mut self.micro_usd, other.micro_usd);
        add(&mut self.input, other.input);
        add(&mut self.output, other.output);
        add(&mut self.cached, other.cached);
    }
}

impl Cell {
    /// Counts a request with all its attempts and skips.
    pub fn record(&mut self, row: &RequestRow) {
        self.record_request(row);
        for (i, attempt) in row.attempts.iter().enumerate() {
            let again = row.attempts[..i].iter().any(|earlier| earlier.call && earlier.model == attempt.model);
            self.at_target(&attempt.model, |target| target.record(attempt, row, again));
        }
    }

    /// The same without the targets, for lines of a table.
    pub fn record_request(&mut self, row: &RequestRow) {
        add(&mut self.requests, 1);
        add(&mut self.succeeded, u64::from(row.succeeded()));
        add(&mut self.fallbacks, u64::from(row.fallback));
        add(&mut self.degraded, u64::from(row.degraded));
        add(&mut self.attempts, row.calls() as u64);
        self.spend.merge(Spend::of(row.tokens(), row.cost_micro_usd()));
        add(&mut self.wasted_micro_usd, row.wasted_micro_usd());
        for attempt in row.attempts.iter().filter(|attempt| attempt.call && !attempt.succeeded()) {
            add(&mut self.wasted_tokens, attempt.tokens.input.saturating_add(attempt.tokens.output));
            add(&mut self.maybe_billed, u64::from(attempt.billed == Billed::Maybe));
        }
        self.ms.add(row.ms);
        row.ttft_ms.into_iter().for_each(|ms| self.ttft.add(ms));
        at(&mut self.outcomes, &row.outcome, |n| add(n, 1));
    }

    fn at_target(&mut self, model: &str, change: impl FnOnce(&mut TargetCell)) {
        let fits = self.targets.len() < CELL_TARGETS || self.targets.contains_key(model);
        at(&mut self.targets, if fits { model } else { OTHER }, change);
    }

    /// Adds all that another counted.
    pub fn merge(&mut self, other: &Cell) {
        self.merge_requests(other);
        for (model, theirs) in &other.targets {
            self.at_target(model, |target| target.merge(theirs));
        }
    }

    /// The same without the targets, for points of a series and lines of a table.
    pub fn merge_requests(&mut self, other: &Cell) {
        add(&mut self.requests, other.requests);
        add(&mut self.succeeded, other.succeeded);
        add(&mut self.fallbacks, other.fallbacks);
        add(&mut self.degraded, other.degraded);
        add(&mut self.attempts, other.attempts);
        self.spend.merge(other.spend);
        add(&mut self.wasted_micro_usd, other.wasted_micro_usd);
        add(&mut self.wasted_tokens, other.wasted_tokens);
        add(&mut self.maybe_billed, other.maybe_billed);
        self.ms.merge(&other.ms);
        self.ttft.merge(&other.ttft);
        add_all(&mut self.outcomes, &other.outcomes);
    }

    /// Takes out what another counted that was counted here before; targets are left as they are.
    pub fn take_out(&mut self, other: &Cell) {
        let less = |sum: &mut u64, n: u64| *sum = sum.saturating_sub(n);
        less(&mut self.requests, other.requests);
        less(&mut self.succeeded, other.succeeded);
        less(&mut self.fallbacks, other.fallbacks);
        less(&mut self.degraded, other.degraded);
        less(&mut self.attempts, other.attempts);
        less(&mut self.spend.micro_usd, other.spend.micro_usd);
        less(&mut self.spend.input, other.spend.input);
        less(&mut self.spend.output, other.spend.output);
        less(&mut self.spend.cached, other.spend.cached);
        less(&mut self.wasted_micro_usd, other.wasted_micro_usd);
        less(&mut self.wasted_tokens, other.wasted_tokens);
        less(&mut self.maybe_billed, other.maybe_billed);
        self.ms.take_out(&other.ms);
        self.ttft.take_out(&other.ttft);
        for (name, n) in &other.outcomes {
            self.outcomes.entry(name.clone()).and_modify(|sum| less(sum, *n));
        }
        self.outcomes.retain(|_, n| *n > 0);
    }

    /// What it says of one target alone: requests that called it, answered by it, its attempts' times and spend.
    pub fn of_target(&self, model: &str) -> Cell {
        self.targets.get(model).map_or_else(Cell::default, |target| TargetCell::alone(model, target.clone()))
    }
}

impl TargetCell {
    /// A cell of this target alone.
    pub fn alone(model: &str, target: TargetCell) -> Cell {
        let mut cell = Cell {
            requests: target.requests,
            succeeded: target.served,
            fallbacks: target.fallbacks,
            degraded: target.degraded,
            attempts: target.attempts(),
            ..Cell::default()
        };
        for (class, part) in &target.classes {
            cell.outcomes.insert(class.clone(), part.attempts);
            cell.ms.merge(&part.ms);
            cell.ttft.merge(&part.ttft);
            if class == OK {
                cell.spend.merge(part.spend);
            } else {
                add(&mut cell.wasted_micro_usd, part.spend.micro_usd);
                add(&mut cell.wasted_tokens, part.spend.input.saturating_add(part.spend.output));
                add(&mut cell.maybe_billed, part.maybe_billed);
            }
        }
        cell.targets.insert(model.to_owned(), target);
        cell
    }

    fn record(&mut self, attempt: &AttemptRow, row: &RequestRow, again: bool) {
        if !attempt.call {
            return add(self.skips.entry(attempt.outcome.clone()).or_default(), 1);
        }
        add(&mut self.requests, u64::from(!again));
        add(&mut self.served, u64::from(attempt.succeeded()));
        // As of the request: an answer that broke was one by this target all the same.
        if attempt.committed || attempt.succeeded() {
            add(&mut self.fallbacks, u64::from(row.fallback));
            add(&mut self.degraded, u64::from(row.degraded));
        }
        at(&mut self.classes, &attempt.outcome, |class| class.record(attempt));
    }

    /// Adds another's.
    pub fn merge(&mut self, other: &TargetCell) {
        add(&mut self.requests, other.requests);
        add(&mut self.served, other.served);
        add(&mut self.fallbacks, other.fallbacks);
        add(&mut self.degraded, other.degraded);
        add_all(&mut self.skips, &other.skips);
        for (name, theirs) in &other.classes {
            at(&mut self.classes, name, |class| class.merge(theirs));
        }
    }

    /// Upstream calls.
    pub fn attempts(&self) -> u64 {
        self.classes.values().fold(0, |sum, class| sum.saturating_add(class.attempts))
    }
}

impl ClassCell {
    fn record(&mut self, attempt: &AttemptRow) {
        add(&mut self.attempts, 1);
        add(&mut self.maybe_billed, u64::from(attempt.billed == Billed::Maybe));
        self.spend.merge(Spend::of(attempt.tokens, attempt.cost_micro_usd));
        self.ms.add(attempt.ms);
        attempt.ttft_ms.into_iter().for_each(|ms| self.ttft.add(ms));
    }

    fn merge(&mut self, other: &ClassCell) {
        add(&mut self.attempts, other.attempts);
        add(&mut self.maybe_billed, other.maybe_billed);
        self.spend.merge(other.spend);
        self.ms.merge(&other.ms);
        self.ttft.merge(&other.ttft);
    }
}
