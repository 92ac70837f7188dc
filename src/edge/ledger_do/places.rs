//! A shard's rows that a question filters and no counter combines: found by their places, counted one by one.

use super::columns::write;
use super::schema::{self, PLACED};
use super::sql::{Db, Line, Table, Value, number, text};
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::places::{Marks, Places};
use crate::domain::ledger::query::{AnalyticsQuery, SCAN_MAX};
use crate::domain::ledger::row::{RequestRow, arrived};
use crate::domain::ledger::sketch::{SLOT, slot_of};
use crate::domain::time::Instant;
use worker::Result;

/// Moments that one statement looks at: its rows are in memory several times while they cross.
const AT_ONCE: usize = 2_000;

/// Keeps a full piece of a slot's places.
pub fn put_aside(db: &Db, slot: Instant, places: Places) -> Result<()> {
    db.run(
        "INSERT INTO places (slot, piece, entries) SELECT ?1, COALESCE(MAX(piece), 0) + 1, ?2 FROM places WHERE slot = ?1",
        vec![number(slot.0), Value::Blob(places.bytes())],
    )
}

/// Counts the rows of a question that have places. Answers up to when there may be older ones that have none, if it asks for
/// these and there is room left.
pub fn count(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<Option<Instant>> {
    let since = schema::since(db, PLACED)?;
    let placed = if slot_of(since) == since { since } else { slot_of(since) + SLOT };
    let mut left = SCAN_MAX as usize;
    for moments in wanted(db, query, placed)?.chunks(AT_ONCE) {
        let lines = rows_of(db, moments, left)?;
        let rows = lines.lines(1).filter_map(|line| serde_json::from_str::<RequestRow>(line.text(0)?).ok());
        part.add_rows(query, &rows.filter(|row| query.filter.admits(row)).collect::<Vec<_>>());
        left -= lines.len(1);
        if left == 0 {
            part.partial = true;
            return Ok(None);
        }
    }
    Ok((query.from < placed).then(|| Instant(query.to.0.saturating_add(1)).min(placed)))
}

/// When the rows arrived that may be wanted, the latest first.
fn wanted(db: &Db, query: &AnalyticsQuery, placed: Instant) -> Result<Vec<Instant>> {
    let (from, marks) = (query.from.max(placed), Marks::of(&query.filter));
    let lines = db.rows(
        "SELECT slot, places FROM sketches WHERE slot >= ?1 AND slot <= ?2 UNION ALL \
         SELECT slot, entries FROM places WHERE slot >= ?1 AND slot <= ?2",
        vec![number(slot_of(from).0), number(query.to.0)],
    )?;
    let of = |mut line: Line| {
        let (slot, places) = (Instant(line.number(0)), Places::load(line.bytes(1)));
        places.find(slot, &marks).filter(|at| (from..=query.to).contains(at)).collect::<Vec<_>>()
    };
    let mut moments: Vec<Instant> = lines.into_iter().flat_map(of).collect();
    moments.sort_unstable_by(|a, b| b.cmp(a));
    moments.dedup();
    Ok(moments)
}

/// The rows of these moments.
fn rows_of(db: &Db, moments: &[Instant], most: usize) -> Result<Table> {
    let prefixes: Vec<String> = moments.iter().map(|at| arrived(*at)).collect();
    // Joined in this order each moment is one step into the table; ids are hexadecimal, so `g` follows all of a moment.
    db.table(
        "SELECT data FROM json_each(?1) AS place CROSS JOIN requests \
         ON ledger_id >= place.value AND ledger_id < place.value || 'g' LIMIT ?2",
        vec![text(write(&prefixes)?), number(most as u64)],
    )
}
