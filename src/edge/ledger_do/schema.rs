//! The tables, and how an object of an earlier version comes to them.

use super::days;
use super::sql::{Db, number};
use crate::domain::time::Instant;
use crate::edge::glue::now;
use worker::Result;

/// One list of statements per version; an object runs those that it has not run yet.
const MIGRATIONS: [&[&str]; 4] = [
    &[
        "CREATE TABLE requests (ledger_id TEXT PRIMARY KEY, id TEXT, policy TEXT NOT NULL, person TEXT, fallback INTEGER NOT NULL, trail TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX requests_by_id ON requests (id) WHERE id IS NOT NULL",
        "CREATE TABLE cells (period TEXT NOT NULL, at INTEGER NOT NULL, policy TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (period, at, policy)) WITHOUT ROWID",
        "CREATE TABLE days (day INTEGER NOT NULL, dimension TEXT NOT NULL, value TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (day, dimension, value)) WITHOUT ROWID",
        "CREATE TABLE day_sizes (day INTEGER NOT NULL, dimension TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (day, dimension)) WITHOUT ROWID",
        "CREATE TABLE isolates (isolate TEXT PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE counts (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE editions (seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version TEXT, at INTEGER NOT NULL, author TEXT NOT NULL, action TEXT NOT NULL, value TEXT)",
        "CREATE INDEX editions_by_name ON editions (name, seq)",
        "CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, author TEXT NOT NULL, action TEXT NOT NULL, name TEXT NOT NULL, before TEXT, after TEXT)",
        "CREATE TABLE usage (key_id TEXT NOT NULL, day TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (key_id, day)) WITHOUT ROWID",
        "CREATE TABLE circuits (name TEXT PRIMARY KEY, at INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID",
    ],
    &[
        "ALTER TABLE days ADD COLUMN targets TEXT",
        "CREATE TABLE boards (day INTEGER PRIMARY KEY, data TEXT NOT NULL)",
        "CREATE TABLE sketches (slot INTEGER PRIMARY KEY, bits BLOB NOT NULL)",
        "DROP TABLE day_sizes",
    ],
    // Cells that are there stay as they are until something is added to them: both forms are read.
    &[
        "ALTER TABLE cells ADD COLUMN targets TEXT",
        "ALTER TABLE sketches ADD COLUMN places BLOB",
        "CREATE TABLE places (slot INTEGER NOT NULL, piece INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY (slot, piece)) WITHOUT ROWID",
    ],
    // Pieces that are there stay without: what they name is read from the rows.
    &["ALTER TABLE sketches ADD COLUMN extracts BLOB", "ALTER TABLE places ADD COLUMN extracts BLOB"],
];

/// The version that brought the boards: they are made of the days that are there.
const BOARDS: usize = 1;
/// The version that brought the sketches: rows that came before it are in none.
pub const SKETCHED: u64 = 2;
/// The version that brought the places: rows that came before it have none.
pub const PLACED: u64 = 3;

/// Brings the database to the newest version.
pub fn migrate(db: &Db) -> Result<()> {
    db.run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, at INTEGER NOT NULL)", vec![])?;
    let done = db.rows("SELECT MAX(version) FROM migrations", vec![])?.first().map_or(0, |line| line.number(0));
    for (i, statements) in MIGRATIONS.iter().enumerate().skip(done as usize) {
        db.transaction(|| {
            statements.iter().try_for_each(|statement| db.run(statement, vec![]))?;
            if i == BOARDS {
                days::make_boards(db)?;
            }
            let values = vec![number(i as u64 + 1), number(now().0)];
            db.run("INSERT INTO migrations (version, at) VALUES (?, ?)", values)
        })?;
    }
    Ok(())
}

/// Since when an object has that version; the end of time when it has it not.
pub fn since(db: &Db, version: u64) -> Result<Instant> {
    let known = db.rows("SELECT at FROM migrations WHERE version = ?", vec![number(version)])?;
    Ok(known.first().map_or(Instant(u64::MAX), |line| Instant(line.number(0))))
}
