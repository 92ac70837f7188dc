//! Folds of rows into cells: per minute, hour and day x policy, and per day x workload, group, user and key.
//!
//! A fold is a value that can be merged into what is stored, in any order and grouping: folding all rows at once, or by
//! batches, or by shards whose answers are merged, gives the same counts (a property test holds this).

use crate::domain::ledger::cell::Cell;
use crate::domain::ledger::row::RequestRow;
use crate::domain::time::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many values of one dimension a shard tells apart on one day; the rest are counted as `other`.
pub const DAY_VALUES: u64 = 10_000;

/// The stretch that one cell covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Minute,
    Hour,
    Day,
    /// Since the beginning: counters that never fall, for metrics.
    Ever,
}

impl Period {
    /// Those of a series' points, the shortest first.
    pub const POINTS: [Period; 3] = [Period::Minute, Period::Hour, Period::Day];

    /// The name in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Ever => "ever",
        }
    }

    /// The name in the table.
    pub const fn code(self) -> &'static str {
        match self {
            Period::Minute => "m",
            Period::Hour => "h",
            Period::Day => "d",
            Period::Ever => "e",
        }
    }

    /// How long it is. Days are those of UTC.
    pub const fn span(self) -> Span {
        match self {
            Period::Minute => Span(60_000),
            Period::Hour => Span::hours(1),
            Period::Day => Span::days(1),
            Period::Ever => Span(u64::MAX),
        }
    }

    /// The start of the minute, hour or day of a moment (0 for all time).
    pub const fn start(self, at: Instant) -> Instant {
        Instant(at.0 - at.0 % self.span().0)
    }

    /// The whole minutes, hours or days that a range touches: from the start of the first to the end of the last, which as the
    /// range's own end is not in it. A range that ends where it begins touches none.
    pub fn around(self, from: Instant, to: Instant) -> (Instant, Instant) {
        let span = self.span().0;
        let end = if from < to { Instant(to.0.div_ceil(span).saturating_mul(span)) } else { self.start(from) };
        (self.start(from), end)
    }
}

/// What days are told apart by, beside the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    Workload,
    Group,
    User,
    Key,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Dimension; 4] = [Dimension::Workload, Dimension::Group, Dimension::User, Dimension::Key];

    /// The name in queries and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Dimension::Workload => "workload",
            Dimension::Group => "group",
            Dimension::User => "user",
            Dimension::Key => "key",
        }
    }

    /// A row's value, if it has one.
    pub fn of(self, row: &RequestRow) -> Option<&str> {
        let value = match self {
            Dimension::Workload => Some(row.workload.as_str()),
            Dimension::Group => row.group.as_deref(),
            Dimension::User => row.user.as_deref(),
            Dimension::Key => row.key.as_deref(),
        };
        value.filter(|value| !value.is_empty())
    }
}

/// Names a cell of the counters by policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    pub period: Period,
    pub at: Instant,
    /// Empty for plain models.
    pub policy: String,
}

/// Names a cell of the counters by day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayKey {
    pub day: Instant,
    pub dimension: Dimension,
    pub value: String,
}

/// What some rows add to the counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollup {
    pub cells: BTreeMap<CellKey, Cell>,
    pub days: BTreeMap<DayKey, Cell>,
}

impl Rollup {
    /// Of these rows; those of drills and comparisons are passed over.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a RequestRow>) -> Rollup {
        let mut rollup = Rollup::default();
        for row in rows.into_iter().filter(|row| row.counts()) {
            let at = Instant(row.at);
            rollup.cell(Period::Minute, at, &row.policy).record(row);
            for dimension in Dimension::ALL {
                if let Some(value) = dimension.of(row) {
                    let key = DayKey { day: Period::Day.start(at), dimension, value: value.to_owned() };
                    rollup.days.entry(key).or_default().record(row);
                }
            }
        }
        rollup.widen(Period::Minute, Period::Hour);
        rollup.widen(Period::Hour, Period::Day);
        rollup.widen(Period::Day, Period::Ever);
        rollup
    }

    fn cell(&mut self, period: Period, at: Instant, policy: &str) -> &mut Cell {
        self.cells.entry(CellKey { period, at: period.start(at), policy: policy.to_owned() }).or_default()
    }

    fn widen(&mut self, from: Period, to: Period) {
        let narrow: Vec<_> =
            self.cells.iter().filter(|(key, _)| key.period == from).map(|(k, c)| (k.clone(), c.clone())).collect();
        for (key, cell) in narrow {
            self.cell(to, key.at, &key.policy).merge(&cell);
        }
    }
}
