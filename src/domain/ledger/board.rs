//! The board of a day: by workload, group, user and key, how many values are told apart, what all of them come to, and which
//! are the busiest. A table of the busiest then needs no look at all the others, and what they leave of the sum is `other`.
//!
//! Stored as JSON, pinned by `tests/fixtures/stored/board.json`.
//!
//! ```text
//! {"user": {"n": 9120, "top": {"alice": 551, "bob": 420}, "all": {"n": 70210, ...}}}     a cell without targets
//! ```

use crate::domain::ledger::cell::{Cell, OTHER};
use crate::domain::ledger::rollup::{DAY_VALUES, Dimension};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The busiest values of a day that are known by name. A table of more lines than that reads every value.
pub const TOP: usize = 300;

/// The lanes of a day; merged, those of several days or shards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Board(BTreeMap<Dimension, Lane>);

/// One dimension.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lane {
    /// Values told apart.
    n: u64,
    /// Requests of the busiest. No value that is not here has more than any that is.
    top: BTreeMap<String, u64>,
    /// All values together.
    all: Cell,
}

impl Board {
    /// Whether a value that is new may be told apart.
    pub fn has_room(&self, dimension: Dimension) -> bool {
        self.0.get(&dimension).is_none_or(|lane| lane.n < DAY_VALUES)
    }

    /// A value's counters grew by `added`, to that many requests.
    pub fn note(&mut self, dimension: Dimension, value: &str, requests: u64, is_new: bool, added: &Cell) {
        let lane = self.0.entry(dimension).or_default();
        lane.n += u64::from(is_new);
        lane.all.merge_requests(added);
        lane.rank(value, requests);
    }

    /// Adds another day's or shard's.
    pub fn merge(&mut self, other: &Board) {
        for (dimension, theirs) in &other.0 {
            let lane = self.0.entry(*dimension).or_default();
            lane.n += theirs.n;
            lane.all.merge_requests(&theirs.all);
            theirs.top.iter().for_each(|(value, n)| *lane.top.entry(value.clone()).or_default() += n);
        }
    }

    /// The busiest values of each dimension, as many as a table of so many lines shows beside `other`.
    pub fn busiest(&self, lines: usize) -> BTreeMap<Dimension, Vec<String>> {
        let of = |lane: &Lane| {
            let mut ranked: Vec<(&String, u64)> =
                lane.top.iter().map(|(value, n)| (value, *n)).filter(|(value, _)| *value != OTHER).collect();
            ranked.sort_by_key(|(value, n)| (std::cmp::Reverse(*n), *value));
            let all = ranked.len() == lane.top.len() && ranked.len() <= lines;
            ranked.truncate(if all { lines } else { lines.saturating_sub(1) });
            ranked.into_iter().map(|(value, _)| value.clone()).collect()
        };
        self.0.iter().map(|(dimension, lane)| (*dimension, of(lane))).collect()
    }

    /// What all values of a dimension come to; `None` when there are none.
    pub fn all(&self, dimension: Dimension) -> Option<&Cell> {
        self.0.get(&dimension).map(|lane| &lane.all)
    }
}

impl Lane {
    /// Counters only grow, and every growth passes here: so the busiest are exact.
    fn rank(&mut self, value: &str, requests: u64) {
        if let Some(known) = self.top.get_mut(value) {
            *known = requests;
        } else if self.top.len() < TOP {
            self.top.insert(value.to_owned(), requests);
        } else if let Some((least, n)) = self.top.iter().min_by_key(|(_, n)| **n).map(|(value, n)| (value.clone(), *n))
            && requests > n
        {
            self.top.remove(&least);
            self.top.insert(value.to_owned(), requests);
        }
    }
}
