//! A shard's lists: pages of rows, newest first, and the sketches that say where to look.

use super::columns::read;
use super::schema::SKETCHED;
use super::sql::{Db, Value, blob, maybe, number, text};
use super::{places, schema};
use crate::domain::ledger::listing::Page;
use crate::domain::ledger::places::Piece;
use crate::domain::ledger::query::{ListQuery, SCAN_MAX};
use crate::domain::ledger::row::{RequestRow, arrival, ledger_id_floor};
use crate::domain::ledger::sketch::{Sketch, Stretch, Wanted, slot_of, stretches};
use crate::domain::ledger::stored;
use crate::domain::time::{Instant, Span};
use std::collections::BTreeMap;
use worker::Result;

/// Notes what the rows of a batch hold, where they are, and what counters want of them.
pub fn sketch(db: &Db, rows: &[RequestRow]) -> Result<()> {
    let mut slots: BTreeMap<Instant, Vec<&RequestRow>> = BTreeMap::new();
    rows.iter().for_each(|row| slots.entry(slot_of(Instant(row.at))).or_default().push(row));
    for (slot, rows) in slots {
        let lines = db.rows("SELECT bits, places, extracts FROM sketches WHERE slot = ?", vec![number(slot.0)])?;
        let known = lines
            .into_iter()
            .next()
            .map(|mut line| (Sketch::load(line.bytes(0)), Piece::load(line.bytes(1), &line.bytes(2))));
        let (mut sketch, mut piece) = known.unwrap_or_default();
        sketch.add(rows.iter().copied());
        for row in rows {
            if piece.is_closed() {
                places::put_aside(db, slot, std::mem::take(&mut piece))?;
            }
            piece.add(row);
        }
        let (places, extracts) = piece.bytes();
        let values = vec![number(slot.0), Value::Blob(sketch.bytes()), Value::Blob(places), blob(extracts)];
        db.run("INSERT OR REPLACE INTO sketches (slot, bits, places, extracts) VALUES (?, ?, ?, ?)", values)?;
    }
    Ok(())
}

/// A page of rows, newest first.
pub fn page(db: &Db, query: &ListQuery) -> Result<Page> {
    let limit = query.limit as usize;
    let (mut rows, mut left) = (Vec::new(), u64::from(SCAN_MAX));
    for (from, to) in worth_a_look(db, query)? {
        let bounds = within(query, from, to);
        let (found, looked) = scan(db, query, &bounds, left, limit + 1 - rows.len())?;
        rows.extend(found);
        if rows.len() > limit {
            return Ok(Page::of(rows, limit, None));
        }
        if looked >= left {
            // The database may count a row twice: where the look ended, if it did, is asked of it.
            if let Some(horizon) = last_of(db, &bounds, left)? {
                return Ok(Page::of(rows, limit, Some(horizon)));
            }
        }
        left = left.saturating_sub(looked).max(1);
    }
    Ok(Page::of(rows, limit, None))
}

/// The stretches of the query's range in which its filters may find something.
fn worth_a_look(db: &Db, query: &ListQuery) -> Result<Vec<Stretch>> {
    let range = (
        query.since.as_deref().map_or(Instant(0), arrival),
        query.before.as_deref().map_or(Instant(u64::MAX), |before| arrival(before) + Span(1)),
    );
    let Some(wanted) = Wanted::of(query) else { return Ok(vec![range]) };
    let since = schema::since(db, SKETCHED)?;
    let lines = db.rows(
        "SELECT slot, bits FROM sketches WHERE slot >= ? AND slot < ? ORDER BY slot DESC",
        vec![number(slot_of(range.0).0), number(range.1.0)],
    )?;
    let yes = lines.into_iter().filter_map(|mut line| {
        let slot = Instant(line.number(0));
        Sketch::load(line.bytes(1)).may_hold(&wanted).then_some(slot)
    });
    Ok(stretches(range, yes, since))
}

/// From the first ledger id (included) to the last (not included) of a stretch of the query's range.
fn within(query: &ListQuery, from: Instant, to: Instant) -> (String, String) {
    let end = if to.0 == u64::MAX { "g".to_owned() } else { ledger_id_floor(to) };
    let since = ledger_id_floor(from).max(query.since.clone().unwrap_or_default());
    (since, query.before.clone().map_or(end.clone(), |before| before.min(end)))
}

/// Rows that pass the filters among the newest `most` between the bounds, and how many were looked at.
fn scan(
    db: &Db,
    query: &ListQuery,
    (since, before): &(String, String),
    most: u64,
    limit: usize,
) -> Result<(Vec<RequestRow>, u64)> {
    let values = vec![
        text(before.as_str()),
        text(since.as_str()),
        number(most),
        maybe(query.policy.clone()),
        maybe(query.user.clone()),
        query.fallback.map_or(Value::Null, |wanted| number(wanted.into())),
        maybe(stored::trail_needle(query)),
        maybe(query.workload.clone()),
        maybe(query.group.clone()),
        maybe(query.key.clone()),
        maybe(query.mark.clone()),
        number(limit as u64),
    ];
    // The inner order is the outer one: ordering again would read all that the inner limit allows before the first row.
    let (lines, looked) = db.looked(
        "SELECT data FROM (SELECT * FROM requests WHERE ledger_id < ?1 AND ledger_id >= ?2 ORDER BY ledger_id DESC LIMIT ?3) \
         WHERE (?4 IS NULL OR policy = ?4) AND (?5 IS NULL OR person = ?5) AND (?6 IS NULL OR fallback = ?6) \
         AND (?7 IS NULL OR instr(trail, ?7) > 0) AND (?8 IS NULL OR data ->> 'workload' = ?8) \
         AND (?9 IS NULL OR data ->> 'group' = ?9) AND (?10 IS NULL OR data ->> 'key' = ?10) \
         AND (?11 IS NULL OR data ->> 'mark' = ?11) LIMIT ?12",
        values,
    )?;
    Ok((lines.iter().filter_map(|line| read(line, 0)).collect(), looked))
}

/// The last of the newest `most` rows between the bounds, when there are as many.
fn last_of(db: &Db, (since, before): &(String, String), most: u64) -> Result<Option<String>> {
    let lines = db.rows(
        "SELECT ledger_id FROM requests WHERE ledger_id < ? AND ledger_id >= ? ORDER BY ledger_id DESC LIMIT 1 OFFSET ?",
        vec![text(before.as_str()), text(since.as_str()), number(most - 1)],
    )?;
    Ok(lines.first().map(|line| line.text(0).to_owned()))
}
