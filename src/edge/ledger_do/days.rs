//! A shard's counters by day: one line per value of each dimension, and the day's board.

use super::columns::{read, stored, write};
use super::sql::{Db, Table, number, text};
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::board::{Board, TOP};
use crate::domain::ledger::cell::{Cell, OTHER};
use crate::domain::ledger::packed::{Stored, write_cell, write_targets};
use crate::domain::ledger::query::AnalyticsQuery;
use crate::domain::ledger::rollup::{DayKey, Dimension, Period};
use crate::domain::time::Instant;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use worker::Result;

/// Lines that one question reads at most.
const SCAN: u64 = 40_000;

/// Adds what a batch counts by day.
pub fn add(db: &Db, days: &BTreeMap<DayKey, Cell>) -> Result<()> {
    let mut boards: BTreeMap<Instant, Board> = BTreeMap::new();
    for (key, cell) in days {
        let board = match boards.entry(key.day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(board(db, key.day)?),
        };
        add_value(db, board, key, cell)?;
    }
    boards.iter().try_for_each(|(day, board)| keep(db, *day, board))
}

fn board(db: &Db, day: Instant) -> Result<Board> {
    let lines = db.rows("SELECT data FROM boards WHERE day = ?", vec![number(day.0)])?;
    Ok(lines.first().and_then(|line| read(line, 0)).unwrap_or_default())
}

fn keep(db: &Db, day: Instant, board: &Board) -> Result<()> {
    db.run("INSERT OR REPLACE INTO boards (day, data) VALUES (?, ?)", vec![number(day.0), text(write(board)?)])
}

fn add_value(db: &Db, board: &mut Board, key: &DayKey, cell: &Cell) -> Result<()> {
    let dimension = key.dimension.name();
    let find = |value: &str| -> Result<Option<Cell>> {
        let lines = db.rows(
            "SELECT data, targets FROM days WHERE day = ? AND dimension = ? AND value = ?",
            vec![number(key.day.0), text(dimension), text(value)],
        )?;
        Ok(lines.first().and_then(|line| stored(line, 0).read()))
    };
    let mut value = key.value.as_str();
    let mut known = find(value)?;
    if known.is_none() && !board.has_room(key.dimension) {
        value = OTHER;
        known = find(value)?;
    }
    let is_new = known.is_none();
    let mut known = known.unwrap_or_default();
    known.merge(cell);
    board.note(key.dimension, value, known.requests, is_new, cell);
    db.run(
        "INSERT OR REPLACE INTO days (day, dimension, value, data, targets) VALUES (?, ?, ?, ?, ?)",
        vec![
            number(key.day.0),
            text(dimension),
            text(value),
            text(write_cell(&known)),
            text(write_targets(&known.targets)),
        ],
    )
}

/// Makes the boards of the days that are there.
pub fn make_boards(db: &Db) -> Result<()> {
    let lines = db.rows("SELECT day, dimension, value, data FROM days ORDER BY day", vec![])?;
    let mut boards: BTreeMap<u64, Board> = BTreeMap::new();
    for line in &lines {
        if let (Some(dimension), Some(cell)) = (dimension(line.text(1)), read::<Cell>(line, 3)) {
            let board = boards.entry(line.number(0)).or_default();
            board.note(dimension, line.text(2), cell.requests, true, &cell);
        }
    }
    boards.iter().try_for_each(|(day, board)| keep(db, Instant(*day), board))
}

fn dimension(name: &str) -> Option<Dimension> {
    Dimension::ALL.into_iter().find(|dimension| dimension.name() == name)
}

/// The days of a question: from the first on, up to where the last has ended.
fn range(query: &AnalyticsQuery) -> (u64, u64) {
    let (first, end) = Period::Day.around(query.from, query.to);
    (first.0, end.0)
}

/// Tables by value: the boards, from which the busiest are chosen over all shards; or, for tables longer than these know,
/// every line.
pub fn count(db: &Db, query: &AnalyticsQuery, part: &mut Part) -> Result<()> {
    let (first, end) = range(query);
    if query.lines < TOP {
        let lines = db.rows("SELECT data FROM boards WHERE day >= ? AND day < ?", vec![number(first), number(end)])?;
        lines.iter().filter_map(|line| read(line, 0)).for_each(|board| part.board.merge(&board));
        return Ok(());
    }
    let lines = db.table(
        "SELECT dimension, value, data FROM days WHERE day >= ? AND day < ? ORDER BY day DESC LIMIT ?",
        vec![number(first), number(end), number(SCAN)],
    )?;
    part.partial |= lines.len(3) as u64 == SCAN;
    add_lines(&lines, part);
    Ok(())
}

/// The lines of these values, newest days first.
pub fn lines(db: &Db, query: &AnalyticsQuery, names: &BTreeMap<Dimension, Vec<String>>) -> Result<Part> {
    let (first, end) = range(query);
    let (mut part, most) = (Part::default(), SCAN / Dimension::ALL.len() as u64);
    for (dimension, names) in names {
        // Joined in this order each line is one step into the table, however many values its day has.
        let lines = db.table(
            "SELECT days.dimension, days.value, days.data FROM boards CROSS JOIN json_each(?4) AS name \
             CROSS JOIN days ON days.day = boards.day AND days.dimension = ?3 AND days.value = name.value \
             WHERE boards.day >= ?1 AND boards.day < ?2 ORDER BY boards.day DESC LIMIT ?5",
            vec![number(first), number(end), text(dimension.name()), text(write(names)?), number(most)],
        )?;
        part.partial |= lines.len(3) as u64 == most;
        add_lines(&lines, &mut part);
    }
    Ok(part)
}

fn add_lines(lines: &Table, part: &mut Part) {
    for line in lines.lines(3) {
        let cell = Stored { cell: line.text(2), targets: None };
        if let (Some(dimension), Some(cell)) = (line.text(0).and_then(dimension), cell.read()) {
            part.add_day(dimension, line.text(1).unwrap_or_default(), &cell);
        }
    }
}

/// One value of one dimension, with its targets.
pub fn count_value(db: &Db, query: &AnalyticsQuery, dimension: Dimension, value: &str, part: &mut Part) -> Result<()> {
    let (first, end) = range(query);
    let lines = db.rows(
        "SELECT boards.day, days.data, days.targets FROM boards CROSS JOIN days \
         ON days.day = boards.day AND days.dimension = ?3 AND days.value = ?4 WHERE boards.day >= ?1 AND boards.day < ?2",
        vec![number(first), number(end), text(dimension.name()), text(value)],
    )?;
    for line in &lines {
        if let Some(cell) = stored(line, 1).read() {
            part.add_value(query, Instant(line.number(0)), &cell);
        }
    }
    Ok(())
}
