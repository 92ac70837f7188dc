//! A shard's part: rows and counters.

use super::sql::{Db, Line, maybe, number, text};
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::batch::{Admission, Batch, admit};
use crate::domain::ledger::cell::{Cell, OTHER};
use crate::domain::ledger::listing::Page;
use crate::domain::ledger::query::{AnalyticsQuery, ListQuery, Retention, SCAN_MAX, Source};
use crate::domain::ledger::rollup::{CellKey, DAY_VALUES, DayKey, Dimension, Period, Rollup};
use crate::domain::ledger::row::{RequestRow, ledger_id_floor};
use crate::domain::ledger::stored;
use crate::domain::time::Instant;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use worker::Result;

/// Rows of the tables by day that one question reads at most.
const DAY_SCAN: u64 = 40_000;
/// Rows that one round of pruning deletes of a table.
const PRUNE: u64 = 5_000;

/// Adds a batch to rows and counters, unless it is here already. Answers the rows that are new.
pub fn record(db: &Db, batch: Batch, now: Instant) -> Result<Vec<RequestRow>> {
    if admit_number(db, &batch.isolate, batch.number, now)? == Admission::Known {
        return Ok(Vec::new());
    }
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
    for (key, cell) in &rollup.days {
        add_day(db, key, cell)?;
    }
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

fn add_day(db: &Db, key: &DayKey, cell: &Cell) -> Result<()> {
    let dimension = key.dimension.name();
    let find = |value: &str| {
        let values = vec![number(key.day.0), text(dimension), text(value)];
        db.rows("SELECT data FROM days WHERE day = ? AND dimension = ? AND value = ?", values)
    };
    let mut value = key.value.as_str();
    let mut lines = find(value)?;
    if lines.is_empty() && !make_room(db, key)? {
        value = OTHER;
        lines = find(value)?;
    }
    let mut stored: Cell = lines.first().and_then(|line| read(line, 0)).unwrap_or_default();
    stored.merge(cell);
    let values = vec![number(key.day.0), text(dimension), text(value), text(write(&stored)?)];
    db.run("INSERT OR REPLACE INTO days (day, dimension, value, data) VALUES (?, ?, ?, ?)", values)
}

/// Counts a value that is new on its day; false when the day tells no more values apart.
fn make_room(db: &Db, key: &DayKey) -> Result<bool> {
    let place = || vec![number(key.day.0), text(key.dimension.name())];
    let lines = db.rows("SELECT n FROM day_sizes WHERE day = ? AND dimension = ?", place())?;
    if lines.first().map_or(0, |line| line.number(0)) >= DAY_VALUES {
        return Ok(false);
    }
    db.run(
        "INSERT INTO day_sizes (day, dimension, n) VALUES (?, ?, 1) ON CONFLICT (day, dimension) DO UPDATE SET n = n + 1",
        place(),
    )?;
    Ok(true)
}

/// A page of rows, newest first.
pub fn list(db: &Db, query: &ListQuery) -> Result<Page> {
    let before = || text(query.before.clone().unwrap_or_else(|| "g".to_owned()));
    let since = || text(query.since.clone().unwrap_or_default());
    let values = vec![
        before(),
        since(),
        number(u64::from(SCAN_MAX)),
        maybe(query.policy.clone()),
        maybe(query.user.clone()),
        query.fallback.map_or(super::sql::Value::Null, |wanted| number(wanted.into())),
        maybe(stored::trail_needle(query)),
        maybe(query.workload.clone()),
        maybe(query.group.clone()),
        maybe(query.key.clone()),
        maybe(query.mark.clone()),
        number(u64::from(query.limit) + 1),
    ];
    // The inner order is the outer one: ordering again would read all that the inner limit allows before the first row.
    let lines = db.rows(
        "SELECT data FROM (SELECT * FROM requests WHERE ledger_id < ?1 AND ledger_id >= ?2 ORDER BY ledger_id DESC LIMIT ?3) \
         WHERE (?4 IS NULL OR policy = ?4) AND (?5 IS NULL OR person = ?5) AND (?6 IS NULL OR fallback = ?6) \
         AND (?7 IS NULL OR instr(trail, ?7) > 0) AND (?8 IS NULL OR data ->> 'workload' = ?8) \
         AND (?9 IS NULL OR data ->> 'group' = ?9) AND (?10 IS NULL OR data ->> 'key' = ?10) \
         AND (?11 IS NULL OR data ->> 'mark' = ?11) LIMIT ?12",
        values,
    )?;
    let rows: Vec<RequestRow> = lines.iter().filter_map(|line| read(line, 0)).collect();
    let horizon = match rows.len() > query.limit as usize {
        true => None,
        false => last_scanned(db, before(), since())?,
    };
    Ok(Page::of(rows, query.limit as usize, horizon))
}

/// Where the scan of [`list`] stopped, when it did not see everything.
fn last_scanned(db: &Db, before: super::sql::Value, since: super::sql::Value) -> Result<Option<String>> {
    let lines = db.rows(
        "SELECT ledger_id FROM requests WHERE ledger_id < ? AND ledger_id >= ? ORDER BY ledger_id DESC LIMIT 1 OFFSET ?",
        vec![before, since, number(u64::from(SCAN_MAX) - 1)],
    )?;
    Ok(lines.first().map(|line| line.text(0).to_owned()))
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
                count_days(db, query, &mut part)?;
            }
        }
        Source::Day(dimension, value) => count_value(db, query, *dimension, value, &mut part)?,
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

fn count_days(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<()> {
    let lines = db.rows(
        "SELECT dimension, value, data FROM days WHERE day >= ? AND day <= ? ORDER BY day DESC LIMIT ?",
        vec![number(Period::Day.start(query.from).0), number(query.to.0), number(DAY_SCAN)],
    )?;
    part.partial |= lines.len() as u64 == DAY_SCAN;
    for line in &lines {
        let dimension = Dimension::ALL.into_iter().find(|dimension| dimension.name() == line.text(0));
        if let (Some(dimension), Some(cell)) = (dimension, read::<Cell>(line, 2)) {
            part.add_day(dimension, line.text(1), &cell);
        }
    }
    Ok(())
}

fn count_value(db: &Db, query: &AnalyticsQuery, dimension: Dimension, value: &str, part: &mut Part) -> Result<()> {
    let lines = db.rows(
        "SELECT day, data FROM days WHERE day >= ? AND day <= ? AND dimension = ? AND value = ?",
        vec![number(Period::Day.start(query.from).0), number(query.to.0), text(dimension.name()), text(value)],
    )?;
    for line in &lines {
        if let Some(cell) = read::<Cell>(line, 1) {
            part.add_value(query, Instant(line.number(0)), &cell);
        }
    }
    Ok(())
}

fn count_rows(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<()> {
    let range = (ledger_id_floor(query.from), ledger_id_floor(Instant(query.to.0.saturating_add(1))));
    let filter = ListQuery { since: Some(range.0), before: Some(range.1), limit: SCAN_MAX, ..query.filter.clone() };
    let page = list(db, &filter)?;
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
    db.run("DELETE FROM day_sizes WHERE day < ?", vec![number(oldest_day)])?;
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
