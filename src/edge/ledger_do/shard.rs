//! A shard's part: rows and counters.

use super::columns::{read, stored};
use super::sql::{Cells, Db, Table, maybe, number, text};
use super::{days, list, places};
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::batch::{Admission, Batch, admit};
use crate::domain::ledger::cell::Cell;
use crate::domain::ledger::packed::{Stored, write_cell, write_targets};
use crate::domain::ledger::query::{AnalyticsQuery, ListQuery, Retention, SCAN_MAX, Source};
use crate::domain::ledger::rollup::{CellKey, Period, Rollup};
use crate::domain::ledger::row::{RequestRow, ledger_id_floor};
use crate::domain::ledger::sketch::SLOT;
use crate::domain::ledger::stored::texts;
use crate::domain::ledger::tiles::{Tile, tiles};
use crate::domain::time::Instant;
use std::collections::BTreeMap;
use worker::Result;

/// Rows that one round of pruning deletes of a table.
const PRUNE: u64 = 5_000;

/// Adds a batch to rows and counters, unless it is here already. Answers the rows that are new.
pub fn record(db: &Db, batch: Batch, now: Instant) -> Result<Vec<RequestRow>> {
    if admit_number(db, &batch.isolate, batch.number, now)? == Admission::Known {
        return Ok(Vec::new());
    }
    list::sketch(db, &batch.rows)?;
    let (inserts, left_out) = texts(&batch.rows);
    for rows in inserts {
        db.run(
            "INSERT OR IGNORE INTO requests (ledger_id, id, policy, person, fallback, trail, data) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(?)",
            vec![text(rows)],
        )?;
    }
    let rollup = Rollup::of(&batch.rows);
    for (key, cell) in &rollup.cells {
        add_cell(db, key, cell)?;
    }
    days::add(db, &rollup.days)?;
    count(db, "rows", batch.rows.len() as u64)?;
    count(db, "dropped", batch.dropped + left_out)?;
    Ok(batch.rows)
}

/// Judges the number of a batch and remembers it.
pub fn admit_number(db: &Db, isolate: &str, sent: u64, now: Instant) -> Result<Admission> {
    let lines = db.rows("SELECT number FROM isolates WHERE isolate = ?", vec![text(isolate)])?;
    let admission = admit(lines.first().map_or(0, |line| line.number(0)), sent);
    match admission {
        Admission::Known => count(db, "again", 1)?,
        Admission::Fresh { lost } => {
            db.run(
                "INSERT OR REPLACE INTO isolates (isolate, number, at) VALUES (?, ?, ?)",
                vec![text(isolate), number(sent), number(now.0)],
            )?;
            count(db, "batches", 1)?;
            count(db, "lost", lost)?;
        }
    }
    Ok(admission)
}

/// Adds to a counter of the object's own doings.
pub fn count(db: &Db, name: &str, n: u64) -> Result<()> {
    if n == 0 {
        return Ok(());
    }
    let values = vec![text(name), number(n)];
    db.run("INSERT INTO counts (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n", values)
}

/// The counters of the object's own doings.
pub fn counts(db: &Db) -> Result<BTreeMap<String, u64>> {
    let lines = db.rows("SELECT name, n FROM counts", vec![])?;
    Ok(lines.iter().map(|line| (line.text(0).to_owned(), line.number(1))).collect())
}

fn add_cell(db: &Db, key: &CellKey, cell: &Cell) -> Result<()> {
    let place = || vec![text(key.period.code()), number(key.at.0), text(key.policy.as_str())];
    let lines = db.rows("SELECT data, targets FROM cells WHERE period = ? AND at = ? AND policy = ?", place())?;
    let mut known = lines.first().and_then(|line| stored(line, 0).read()).unwrap_or_default();
    known.merge(cell);
    let mut values = place();
    values.extend([text(write_cell(&known)), text(write_targets(&known.targets))]);
    db.run("INSERT OR REPLACE INTO cells (period, at, policy, data, targets) VALUES (?, ?, ?, ?, ?)", values)
}

/// The rows with this ledger id or request id, newest first, 20 at most.
pub fn find(db: &Db, id: &str) -> Result<Vec<RequestRow>> {
    let lines = db.rows(
        "SELECT data FROM requests WHERE ledger_id = ?1 UNION ALL \
         SELECT data FROM (SELECT data FROM requests WHERE id = ?1 ORDER BY ledger_id DESC LIMIT 20)",
        vec![text(id)],
    )?;
    Ok(lines.iter().filter_map(|line| read(line, 0)).collect())
}

/// The shard's part of analytics.
pub fn analyse(db: &Db, query: &AnalyticsQuery) -> Result<Part> {
    let mut part = Part::default();
    match &query.source {
        Source::Cells { finest, coarsest } => {
            for tile in tiles(query.from, query.to, *finest, *coarsest) {
                count_tile(db, query, &tile, &mut part)?;
            }
            if query.has_values_by_day() {
                days::count(db, query, &mut part)?;
            }
        }
        Source::Day(dimension, value) => days::count_value(db, query, *dimension, value, &mut part)?,
        Source::Rows => count_rows(db, query, &mut part)?,
    }
    Ok(part)
}

/// Counts the rows of a question: those with places by these, those that came before as they are read.
fn count_rows(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<()> {
    let Some(before) = places::count(db, query, part)? else { return Ok(()) };
    let range = (ledger_id_floor(query.from), ledger_id_floor(before));
    let filter = ListQuery { since: Some(range.0), before: Some(range.1), limit: SCAN_MAX, ..query.filter.clone() };
    let page = list::page(db, &filter)?;
    part.partial |= page.searched_to.is_some();
    part.add_rows(query, &page.rows);
    Ok(())
}

/// What is longer than a point of the series is read twice: as a whole, and by the point without what no series shows.
fn count_tile(db: &Db, query: &AnalyticsQuery, tile: &Tile, part: &mut Part) -> Result<()> {
    let is_point = tile.period <= query.bucket;
    for line in cells(db, query, tile, true)?.lines(4) {
        let (policy, cell) = (line.text(1).unwrap_or_default(), of_columns(line));
        match is_point {
            true => part.add_cell(query, Instant(line.number(0)), policy, &cell),
            false => part.add_stretch(query, policy, &cell),
        }
    }
    if !is_point {
        let points = Tile { period: query.bucket, ..*tile };
        for line in cells(db, query, &points, false)?.lines(4) {
            part.add_point(query, Instant(line.number(0)), &of_columns(line));
        }
    }
    Ok(())
}

/// The cells of a tile, without what the question does not ask for: the one column of one target, or the other of all.
fn cells(db: &Db, query: &AnalyticsQuery, tile: &Tile, with_targets: bool) -> Result<Table> {
    db.table(
        "SELECT at, policy, CASE WHEN ?5 IS NULL OR targets IS NULL THEN data END, CASE WHEN ?6 THEN targets END FROM cells \
         WHERE period = ?1 AND at >= ?2 AND at < ?3 AND (?4 IS NULL OR policy = ?4) \
         AND (?5 IS NULL OR targets IS NULL OR instr(targets, ?5) > 0)",
        vec![
            text(tile.period.code()),
            number(tile.from.0),
            number(tile.to.0),
            maybe(query.filter.policy.clone()),
            maybe(query.filter.target.clone()),
            number((with_targets || query.filter.target.is_some()).into()),
        ],
    )
}

fn of_columns(line: Cells<'_>) -> Stored<'_> {
    Stored { cell: line.text(2), targets: line.text(3) }
}

/// Counters of all time, by policy.
pub fn ever(db: &Db) -> Result<BTreeMap<String, Cell>> {
    let lines = db.rows("SELECT policy, data, targets FROM cells WHERE period = ?", vec![text(Period::Ever.code())])?;
    Ok(lines.iter().filter_map(|line| Some((line.text(0).to_owned(), stored(line, 1).read()?))).collect())
}

/// Deletes what is older than it is kept. True when more is left to delete.
pub fn prune(db: &Db, keeps: &Retention, now: Instant) -> Result<bool> {
    let rows = db.rows(
        "DELETE FROM requests WHERE ledger_id IN (SELECT ledger_id FROM requests WHERE ledger_id < ? ORDER BY ledger_id LIMIT ?) RETURNING 1",
        vec![text(ledger_id_floor(now - keeps.attempts)), number(PRUNE)],
    )?;
    for period in Period::POINTS {
        let values = vec![text(period.code()), number(keeps.oldest(period, now).0)];
        db.run("DELETE FROM cells WHERE period = ? AND at < ?", values)?;
    }
    let oldest_day = keeps.oldest(Period::Day, now).0;
    db.run("DELETE FROM days WHERE day < ?", vec![number(oldest_day)])?;
    db.run("DELETE FROM boards WHERE day < ?", vec![number(oldest_day)])?;
    let oldest_slot = (now - keeps.attempts - SLOT).0;
    db.run("DELETE FROM sketches WHERE slot < ?", vec![number(oldest_slot)])?;
    db.run("DELETE FROM places WHERE slot < ?", vec![number(oldest_slot)])?;
    db.run("DELETE FROM isolates WHERE at < ?", vec![number((now - keeps.attempts).0)])?;
    Ok(rows.len() as u64 == PRUNE)
}
