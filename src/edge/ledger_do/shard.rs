//! A shard's part: rows and counters.

use super::sql::{Db, Line, maybe, number, text};
use super::{days, list};
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::batch::{Admission, Batch, admit};
use crate::domain::ledger::cell::Cell;
use crate::domain::ledger::query::{AnalyticsQuery, ListQuery, Retention, SCAN_MAX, Source};
use crate::domain::ledger::rollup::{CellKey, Period, Rollup};
use crate::domain::ledger::row::{RequestRow, ledger_id_floor};
use crate::domain::ledger::sketch::SLOT;
use crate::domain::ledger::stored;
use crate::domain::time::Instant;
use serde::de::DeserializeOwned;
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
    let (texts, left_out) = stored::texts(&batch.rows);
    for rows in texts {
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
    let lines = db.rows("SELECT data FROM cells WHERE period = ? AND at = ? AND policy = ?", place())?;
    let mut stored: Cell = lines.first().and_then(|line| read(line, 0)).unwrap_or_default();
    stored.merge(cell);
    let mut values = place();
    values.push(text(write(&stored)?));
    db.run("INSERT OR REPLACE INTO cells (period, at, policy, data) VALUES (?, ?, ?, ?)", values)
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
        Source::Cells(period) => {
            count_cells(db, query, *period, &mut part)?;
            if query.filter.policy.is_none() && query.filter.target.is_none() {
                days::count(db, query, &mut part)?;
            }
        }
        Source::Day(dimension, value) => days::count_value(db, query, *dimension, value, &mut part)?,
        Source::Rows => count_rows(db, query, &mut part)?,
    }
    Ok(part)
}

fn count_cells(db: &Db, query: &AnalyticsQuery, period: Period, part: &mut Part) -> Result<()> {
    let lines = db.rows(
        "SELECT at, policy, data FROM cells WHERE period = ?1 AND at >= ?2 AND at <= ?3 AND (?4 IS NULL OR policy = ?4)",
        vec![
            text(period.code()),
            number(period.start(query.from).0),
            number(query.to.0),
            maybe(query.filter.policy.clone()),
        ],
    )?;
    for line in &lines {
        if let Some(cell) = read::<Cell>(line, 2) {
            part.add_cell(query, Instant(line.number(0)), line.text(1), &cell);
        }
    }
    Ok(())
}

fn count_rows(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<()> {
    let range = (ledger_id_floor(query.from), ledger_id_floor(Instant(query.to.0.saturating_add(1))));
    let filter = ListQuery { since: Some(range.0), before: Some(range.1), limit: SCAN_MAX, ..query.filter.clone() };
    let page = list::page(db, &filter)?;
    part.partial |= page.searched_to.is_some();
    part.add_rows(query, &page.rows);
    Ok(())
}

/// Counters of all time, by policy.
pub fn ever(db: &Db) -> Result<BTreeMap<String, Cell>> {
    let lines = db.rows("SELECT policy, data FROM cells WHERE period = ?", vec![text(Period::Ever.code())])?;
    Ok(lines.iter().filter_map(|line| Some((line.text(0).to_owned(), read(line, 1)?))).collect())
}

/// Deletes what is older than it is kept. True when more is left to delete.
pub fn prune(db: &Db, keeps: &Retention, now: Instant) -> Result<bool> {
    let rows = db.rows(
        "DELETE FROM requests WHERE ledger_id IN (SELECT ledger_id FROM requests WHERE ledger_id < ? ORDER BY ledger_id LIMIT ?) RETURNING 1",
        vec![text(ledger_id_floor(now - keeps.attempts)), number(PRUNE)],
    )?;
    for (period, span) in [(Period::Minute, keeps.minutes), (Period::Hour, keeps.hours), (Period::Day, keeps.days)] {
        let values = vec![text(period.code()), number((now - span).0)];
        db.run("DELETE FROM cells WHERE period = ? AND at < ?", values)?;
    }
    let oldest_day = (now - keeps.days).0;
    db.run("DELETE FROM days WHERE day < ?", vec![number(oldest_day)])?;
    db.run("DELETE FROM boards WHERE day < ?", vec![number(oldest_day)])?;
    let oldest_slot = (now - keeps.attempts - SLOT).0;
    db.run("DELETE FROM sketches WHERE slot < ?", vec![number(oldest_slot)])?;
    db.run("DELETE FROM isolates WHERE at < ?", vec![number((now - keeps.attempts).0)])?;
    Ok(rows.len() as u64 == PRUNE)
}

/// Reads a JSON column. A row that no longer reads is passed over, not a reason to answer nothing.
pub fn read<T: DeserializeOwned>(line: &Line, column: usize) -> Option<T> {
    serde_json::from_slice(line.text(column).as_bytes()).ok()
}

/// Writes a JSON column.
pub fn write(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
