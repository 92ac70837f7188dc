//! The part of the object `control`: publications, audit, spend, circuits.

use super::columns::{read, write};
use super::shard::{admit_number, count};
use super::sql::{Db, Line, maybe, number, text};
use crate::domain::ledger::batch::Admission;
use crate::domain::ledger::control::{
    AUDIT_KEPT, Action, Audit, Edition, SETTLES, Spent, Sync, Synced, Usage, VERSIONS, Write, day_of, found_in_store,
    repeats, spent, stored,
};
use crate::domain::ledger::protocol::Answer;
use crate::domain::time::{Instant, Span};
use std::collections::BTreeMap;
use worker::Result;

/// Documents that one answer carries at most; the rest comes with the next.
const EDITIONS: u64 = 200;
/// How long a circuit is of interest after its last change.
const CIRCUIT_KEPT: Span = Span::hours(2);
/// How long the usage of a key is kept: two years, as the counters by day.
const USAGE_KEPT: Span = Span::days(731);

/// Publishes a document, if its condition holds of what is stored.
pub fn publish(db: &Db, mut wanted: Write, now: Instant) -> Result<Answer> {
    let last = last_edition(db, &wanted.name)?;
    let shown = wanted.store.as_ref().map(|shown| shown.version.as_str());
    let before = stored(last.as_ref(), shown, wanted.seq_shown, now).map(str::to_owned);
    if !wanted.condition.holds(before.as_deref()) {
        return Ok(Answer::Conflict { stored: before });
    }
    if repeats(last.as_ref(), before.as_deref(), wanted.version.as_deref())
        && let Some(last) = last
    {
        note(db, &wanted, before, now)?;
        return Ok(Answer::Unchanged { edition: Edition { value: None, ..last } });
    }
    if found_in_store(last.as_ref(), shown, wanted.seq_shown, now)
        && let Some(shown) = wanted.store.take().filter(|shown| Some(&shown.version) != wanted.version.as_ref())
    {
        let found = Write {
            name: wanted.name.clone(),
            value: shown.value,
            version: Some(shown.version),
            by: "store".into(),
            action: Action::Found,
            store: None,
            seq_shown: wanted.seq_shown,
            condition: wanted.condition.clone(),
        };
        insert(db, &found, now)?;
    }
    let seq = insert(db, &wanted, now)?;
    db.run(
        "DELETE FROM editions WHERE name = ?1 AND seq NOT IN (SELECT seq FROM editions WHERE name = ?1 ORDER BY seq DESC LIMIT ?2)",
        vec![text(wanted.name.as_str()), number(VERSIONS as u64)],
    )?;
    note(db, &wanted, before, now)?;
    let edition = Edition {
        seq,
        name: wanted.name,
        version: wanted.version,
        at: now.0,
        by: wanted.by,
        action: wanted.action,
        value: None,
    };
    Ok(Answer::Written { edition })
}

fn insert(db: &Db, edition: &Write, now: Instant) -> Result<u64> {
    let lines = db.rows(
        "INSERT INTO editions (name, version, at, author, action, value) VALUES (?, ?, ?, ?, ?, ?) RETURNING seq",
        vec![
            text(edition.name.as_str()),
            maybe(edition.version.clone()),
            number(now.0),
            text(edition.by.as_str()),
            text(edition.action.name()),
            maybe(edition.value.clone()),
        ],
    )?;
    Ok(lines.first().map_or(0, |line| line.number(0)))
}

fn note(db: &Db, done: &Write, before: Option<String>, now: Instant) -> Result<()> {
    let lines = db.rows(
        "INSERT INTO audit (at, author, action, name, before, after) VALUES (?, ?, ?, ?, ?, ?) RETURNING seq",
        vec![
            number(now.0),
            text(done.by.as_str()),
            text(done.action.name()),
            text(done.name.as_str()),
            maybe(before),
            maybe(done.version.clone()),
        ],
    )?;
    let newest = lines.first().map_or(0, |line| line.number(0));
    db.run("DELETE FROM audit WHERE seq <= ?", vec![number(newest.saturating_sub(AUDIT_KEPT))])
}

/// Takes a publication back that the store refused, and says so in the audit trail.
pub fn undo(db: &Db, name: &str, seq: u64, now: Instant) -> Result<Answer> {
    let gone =
        db.rows("DELETE FROM editions WHERE seq = ? AND name = ? RETURNING version", vec![number(seq), text(name)])?;
    if let Some(line) = gone.first() {
        db.run(
            "INSERT INTO audit (at, author, action, name, before, after) VALUES (?, 'store', 'refused', ?, ?, NULL)",
            vec![number(now.0), text(name), maybe(line.maybe_text(0))],
        )?;
    }
    Ok(Answer::Done)
}

fn last_edition(db: &Db, name: &str) -> Result<Option<Edition>> {
    let lines = db.rows(
        "SELECT seq, name, version, at, author, action, value FROM editions WHERE name = ? ORDER BY seq DESC LIMIT 1",
        vec![text(name)],
    )?;
    Ok(lines.first().map(edition))
}

/// The last publication of a document, if there is one.
pub fn current(db: &Db, name: &str) -> Result<Answer> {
    Ok(Answer::Editions(last_edition(db, name)?.into_iter().collect()))
}

/// Publications that the store need not show yet, the last of each document, the oldest first.
pub fn recent(db: &Db, after: u64, now: Instant) -> Result<Vec<Edition>> {
    let lines = db.rows(
        "SELECT seq, name, version, at, author, action, value FROM editions WHERE seq IN \
         (SELECT MAX(seq) FROM editions WHERE seq > ? AND at > ? GROUP BY name) AND action <> 'found' ORDER BY seq LIMIT ?",
        vec![number(after), number((now - SETTLES).0), number(EDITIONS)],
    )?;
    Ok(lines.iter().map(edition).collect())
}

/// The publications of a document, newest first, without their bytes.
pub fn versions(db: &Db, name: &str) -> Result<Answer> {
    let lines = db.rows(
        "SELECT seq, name, version, at, author, action, NULL FROM editions WHERE name = ? ORDER BY seq DESC LIMIT ?",
        vec![text(name), number(VERSIONS as u64)],
    )?;
    Ok(Answer::Editions(lines.iter().map(edition).collect()))
}

/// The newest publication of that version, with its bytes.
pub fn version(db: &Db, name: &str, version: &str) -> Result<Answer> {
    let lines = db.rows(
        "SELECT seq, name, version, at, author, action, value FROM editions WHERE name = ? AND version = ? ORDER BY seq DESC LIMIT 1",
        vec![text(name), text(version)],
    )?;
    Ok(Answer::Editions(lines.iter().map(edition).collect()))
}

fn edition(line: &Line) -> Edition {
    Edition {
        seq: line.number(0),
        name: line.text(1).to_owned(),
        version: line.maybe_text(2).map(str::to_owned),
        at: line.number(3),
        by: line.text(4).to_owned(),
        action: Action::parse(line.text(5)),
        value: line.maybe_text(6).map(str::to_owned),
    }
}

/// The audit trail, newest first.
pub fn audit(db: &Db, before: Option<u64>, limit: u32) -> Result<Answer> {
    let lines = db.rows(
        "SELECT seq, at, author, action, name, before, after FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
        vec![number(before.unwrap_or(u64::MAX)), number(limit.into())],
    )?;
    let entry = |line: &Line| Audit {
        seq: line.number(0),
        at: line.number(1),
        by: line.text(2).to_owned(),
        action: line.text(3).to_owned(),
        name: line.text(4).to_owned(),
        before: line.maybe_text(5).map(str::to_owned),
        after: line.maybe_text(6).map(str::to_owned),
    };
    Ok(Answer::Audit(lines.iter().map(entry).collect()))
}

/// Takes in what an isolate did, once, and answers what it wants to know.
pub fn sync(db: &Db, told: &Sync, now: Instant) -> Result<Synced> {
    let lines = db.rows("SELECT at FROM isolates WHERE isolate = ?", vec![text(told.isolate.as_str())])?;
    let heard = lines.first().map_or(0, |line| line.number(0));
    if let Admission::Fresh { .. } = admit_number(db, &told.isolate, told.number, now)? {
        for (key_id, days) in &told.usage {
            days.iter().try_for_each(|(day, usage)| add_usage(db, key_id, day, *usage))?;
        }
        told.refused.iter().try_for_each(|(code, n)| count(db, &format!("refused:{code}"), *n))?;
        merge_circuits(db, told, now)?;
    }
    let editions = recent(db, told.editions_after, now)?;
    let last_edition = match editions.len() as u64 {
        EDITIONS => editions.last().map_or(0, |edition| edition.seq),
        _ => newest_seq(db)?,
    };
    let spent = spent_by(db, told.usage.keys().chain(&told.keys), now)?;
    Ok(Synced { editions, last_edition, spent, circuits: circuits_since(db, heard)? })
}

fn newest_seq(db: &Db) -> Result<u64> {
    Ok(db.rows("SELECT MAX(seq) FROM editions", vec![])?.first().map_or(0, |line| line.number(0)))
}

fn add_usage(db: &Db, key_id: &str, day: &str, used: Usage) -> Result<()> {
    let lines = db.rows("SELECT data FROM usage WHERE key_id = ? AND day = ?", vec![text(key_id), text(day)])?;
    let mut sum: Usage = lines.first().and_then(|line| read(line, 0)).unwrap_or_default();
    sum.merge(used);
    let values = vec![text(key_id), text(day), text(write(&sum)?)];
    db.run("INSERT OR REPLACE INTO usage (key_id, day, data) VALUES (?, ?, ?)", values)
}

/// What a key used, by day.
pub fn usage(db: &Db, key_id: &str, since_day: &str) -> Result<BTreeMap<String, Usage>> {
    let values = vec![text(key_id), text(since_day)];
    let lines = db.rows("SELECT day, data FROM usage WHERE key_id = ? AND day >= ? ORDER BY day", values)?;
    Ok(lines.iter().filter_map(|line| Some((line.text(0).to_owned(), read(line, 1)?))).collect())
}

/// What each of these keys has spent today and this month.
pub fn spent_by<'a>(db: &Db, keys: impl Iterator<Item = &'a String>, now: Instant) -> Result<BTreeMap<String, Spent>> {
    let day = day_of(now);
    let first = format!("{}-01", day.get(..7).unwrap_or_default());
    keys.map(|key_id| Ok((key_id.clone(), spent(&usage(db, key_id, &first)?, now)))).collect()
}

fn merge_circuits(db: &Db, told: &Sync, now: Instant) -> Result<()> {
    for theirs in &told.circuits {
        let name = format!("{}#{}", theirs.target, theirs.slot);
        let lines = db.rows("SELECT data FROM circuits WHERE name = ?", vec![text(name.as_str())])?;
        let mut merged = theirs.clone();
        if let Some(ours) = lines.first().and_then(|line| read(line, 0)) {
            merged.merge(&ours);
        }
        let values = vec![text(name), number(now.0), text(write(&merged)?)];
        db.run("INSERT OR REPLACE INTO circuits (name, at, data) VALUES (?, ?, ?)", values)?;
    }
    Ok(())
}

/// Circuits that changed since a moment.
pub fn circuits_since(db: &Db, since: u64) -> Result<Vec<crate::domain::breaker::BreakerSnapshot>> {
    let lines = db.rows("SELECT data FROM circuits WHERE at >= ?", vec![number(since)])?;
    Ok(lines.iter().filter_map(|line| read(line, 0)).collect())
}

/// Deletes what is older than it is kept.
pub fn prune(db: &Db, now: Instant) -> Result<()> {
    db.run("DELETE FROM circuits WHERE at < ?", vec![number((now - CIRCUIT_KEPT).0)])?;
    let oldest = day_of(now - USAGE_KEPT);
    db.run("DELETE FROM usage WHERE day < ?", vec![text(oldest)])
}
