//! A shard's rows that a question filters and no counter combines: found by their places, counted one by one: by their extracts,
//! or by themselves where schema 3 kept none, or a piece would be read for one of them.

use super::columns::write;
use super::schema::{self, PLACED};
use super::sql::{Db, Table, Value, blob, number, text};
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::extracts;
use crate::domain::ledger::places::{Marks, Piece, Places};
use crate::domain::ledger::query::{AnalyticsQuery, SCAN_MAX};
use crate::domain::ledger::row::{RequestRow, arrived};
use crate::domain::ledger::sketch::{SLOT, slot_of};
use crate::domain::time::Instant;
use worker::Result;

/// Rows that are folded at once, and moments that one statement looks at: what it finds is in memory several times while it
/// crosses.
const AT_ONCE: usize = 2_000;

/// A piece in which something may be wanted.
struct Found {
    slot: Instant,
    /// 0 for the one that is still added to.
    piece: u64,
    by_extracts: bool,
    /// Which of its requests, and when they arrived.
    hits: Vec<(usize, Instant)>,
}

/// Keeps a piece of a slot to which nothing more is added.
pub fn put_aside(db: &Db, slot: Instant, piece: Piece) -> Result<()> {
    let (places, extracts) = piece.bytes();
    db.run(
        "INSERT INTO places (slot, piece, entries, extracts) \
         SELECT ?1, COALESCE(MAX(piece), 0) + 1, ?2, ?3 FROM places WHERE slot = ?1",
        vec![number(slot.0), Value::Blob(places), blob(extracts)],
    )
}

/// Counts the rows of a question that have places. Answers up to when there may be older ones that have none, if it asks for
/// these and there is room left.
pub fn count(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<Option<Instant>> {
    let since = schema::since(db, PLACED)?;
    let placed = if slot_of(since) == since { since } else { slot_of(since) + SLOT };
    let (mut found, all) = wanted(db, query, placed)?;
    let by_rows = found.iter().filter(|piece| !piece.by_extracts).flat_map(|piece| &piece.hits);
    let mut moments: Vec<Instant> = by_rows.map(|(_, at)| *at).collect();
    moments.sort_unstable();
    moments.dedup();
    // Of these moments every row is read, those too that have an extract in another piece.
    found.iter_mut().for_each(|piece| piece.hits.retain(|(_, at)| moments.binary_search(at).is_err()));
    count_extracts(db, query, &found, part)?;
    for moments in moments.chunks(AT_ONCE) {
        let lines = rows_of(db, moments)?;
        part.partial |= lines.len(1) >= SCAN_MAX as usize;
        let rows =
            lines.lines(1).filter_map(|line| serde_json::from_slice::<RequestRow>(line.text(0)?.as_bytes()).ok());
        part.add_rows(query, &rows.filter(|row| query.filter.admits(row)).collect::<Vec<_>>());
    }
    part.partial |= !all;
    Ok((all && query.from < placed).then(|| query.to.min(placed)))
}

/// The pieces in which something may be wanted, the newest first, and whether these are all.
fn wanted(db: &Db, query: &AnalyticsQuery, placed: Instant) -> Result<(Vec<Found>, bool)> {
    let (from, marks) = (query.from.max(placed), Marks::of(&query.filter));
    let (mut found, mut left) = (Vec::new(), SCAN_MAX as usize);
    let lines = db.each(
        "SELECT slot, 0 AS piece, length(extracts), places FROM sketches WHERE slot >= ?1 AND slot < ?2 UNION ALL \
         SELECT slot, piece, length(extracts), entries FROM places WHERE slot >= ?1 AND slot < ?2 ORDER BY slot DESC",
        vec![number(slot_of(from).0), number(query.to.0)],
    )?;
    for line in lines {
        let mut line = line?;
        let (slot, piece, extracted) = (Instant(line.number(0)), line.number(1), line.number(2) > 0);
        let places = Places::load(line.bytes(3));
        let hits: Vec<_> =
            places.find(slot, &marks).filter(|(_, at)| (from..query.to).contains(at)).take(left).collect();
        left -= hits.len();
        if !hits.is_empty() {
            found.push(Found { slot, piece, by_extracts: extracted && hits.len() > 1, hits });
        }
        if left == 0 {
            return Ok((found, false));
        }
    }
    Ok((found, true))
}

fn count_extracts(db: &Db, query: &AnalyticsQuery, found: &[Found], part: &mut Part) -> Result<()> {
    let pieces: Vec<(u64, u64, usize)> = found
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.by_extracts)
        .map(|(i, piece)| (piece.slot.0, piece.piece, i))
        .collect();
    // Joined in this order each piece is one step into its table.
    let lines = db.each(
        "SELECT name.value ->> 2, extracts FROM json_each(?1) AS name CROSS JOIN places \
         ON slot = name.value ->> 0 AND piece = name.value ->> 1 UNION ALL \
         SELECT name.value ->> 2, extracts FROM json_each(?1) AS name CROSS JOIN sketches \
         ON slot = name.value ->> 0 AND name.value ->> 1 = 0",
        vec![text(write(&pieces)?)],
    )?;
    let mut rows = Vec::with_capacity(AT_ONCE);
    for line in lines {
        let mut line = line?;
        let hits = found.get(line.number(0) as usize).map_or(&[][..], |piece| &piece.hits);
        rows.extend(extracts::read(&line.bytes(1), hits).into_iter().filter(|row| query.filter.admits(row)));
        if rows.len() >= AT_ONCE {
            part.add_rows(query, &rows);
            rows.clear();
        }
    }
    part.add_rows(query, &rows);
    Ok(())
}

/// The rows of these moments.
fn rows_of(db: &Db, moments: &[Instant]) -> Result<Table> {
    let prefixes: Vec<String> = moments.iter().map(|at| arrived(*at)).collect();
    // Joined in this order each moment is one step into the table; ids are hexadecimal, so `g` follows all of a moment.
    db.table(
        "SELECT data FROM json_each(?1) AS place CROSS JOIN requests \
         ON ledger_id >= place.value AND ledger_id < place.value || 'g' LIMIT ?2",
        vec![text(write(&prefixes)?), number(SCAN_MAX.into())],
    )
}
