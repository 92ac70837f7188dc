//! A range in as few counters as answer it exactly: whole days, whole hours at their edges, whole minutes at the edges of these.
//!
//! ```text
//! from 22:58 to 01:01 two days on, by the minute, days allowed
//!    mm hh DDDDDDDDDDDD hh mm
//! ```

use crate::domain::ledger::rollup::Period;
use crate::domain::time::Instant;

/// A stretch of a range and the counters that tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    pub period: Period,
    pub from: Instant,
    /// Not included.
    pub to: Instant,
}

/// The tiles of a range, both ends of which are exact to the finest period: what it touches is in them whole. Ascending.
pub fn tiles(from: Instant, to: Instant, finest: Period, coarsest: Period) -> Vec<Tile> {
    let (first, end) = finest.around(from, to);
    let mut found = Vec::new();
    let periods = Period::POINTS.into_iter().filter(|period| (finest..=coarsest.max(finest)).contains(period));
    lay(first, end, &periods.collect::<Vec<_>>(), &mut found);
    found
}

fn lay(from: Instant, to: Instant, periods: &[Period], found: &mut Vec<Tile>) {
    let Some((period, finer)) = periods.split_last().filter(|_| from < to) else { return };
    let span = period.span().0;
    let (first, last) = (Instant(from.0.div_ceil(span).saturating_mul(span)), period.start(to));
    if first < last {
        lay(from, first, finer, found);
        found.push(Tile { period: *period, from: first, to: last });
        lay(last, to, finer, found);
    } else {
        lay(from, to, finer, found);
    }
}
