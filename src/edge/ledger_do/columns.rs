//! What columns hold: JSON, and cells in two texts.

use super::sql::Line;
use crate::domain::ledger::packed::Stored;
use serde::de::DeserializeOwned;
use worker::Result;

/// Reads a JSON column. A row that no longer reads is passed over, not a reason to answer nothing.
pub fn read<T: DeserializeOwned>(line: &Line, column: usize) -> Option<T> {
    serde_json::from_slice(line.text(column).as_bytes()).ok()
}

/// Writes a JSON column.
pub fn write(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// A cell's two columns, of which the second follows the first.
pub fn stored(line: &Line, column: usize) -> Stored<'_> {
    Stored { cell: line.maybe_text(column), targets: line.maybe_text(column + 1) }
}
