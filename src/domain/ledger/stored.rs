//! How a shard's table holds a request: the columns beside the row's own JSON, and the one text that carries many rows into
//! a single statement. Pinned byte for byte by `tests/fixtures/stored/`.
//!
//! ```text
//! ledger_id  the key; sorts by arrival
//! id         the request id, NULL when it is the ledger id, so that the index holds only what it must
//! policy     empty for plain models
//! person     the user, or NULL
//! fallback   0 or 1
//! trail      ,;timeout,openai/gpt-4o;overloaded,anthropic/claude-sonnet-4-5;timeout,
//!            the outcome of the request after no model, then of each attempt and skip after its model
//! data       the RequestRow as JSON
//! ```

use crate::domain::ledger::query::ListQuery;
use crate::domain::ledger::row::RequestRow;
use serde::Serialize;

/// Bytes of a text that goes into one statement at most: the platform takes 2 MB.
const TEXT_BYTES: usize = 1_000_000;

#[derive(Serialize)]
struct Columns<'a>(&'a str, Option<&'a str>, &'a str, Option<&'a str>, u8, String, String);

/// The rows as JSON arrays of columns, in as many texts as they need. A row that fits no text is left out; how many were.
pub fn texts(rows: &[RequestRow]) -> (Vec<String>, u64) {
    let (mut texts, mut left_out) = (Vec::new(), 0);
    let mut text = String::new();
    for row in rows {
        let Some(one) = columns(row).filter(|one| one.len() < TEXT_BYTES) else {
            left_out += 1;
            continue;
        };
        if text.len() + one.len() >= TEXT_BYTES {
            texts.push(close(std::mem::take(&mut text)));
        }
        text.push(if text.is_empty() { '[' } else { ',' });
        text.push_str(&one);
    }
    if !text.is_empty() {
        texts.push(close(text));
    }
    (texts, left_out)
}

fn close(mut text: String) -> String {
    text.push(']');
    text
}

fn columns(row: &RequestRow) -> Option<String> {
    let id = Some(row.id.as_str()).filter(|id| *id != row.ledger_id);
    let data = serde_json::to_string(row).ok()?;
    let columns = Columns(&row.ledger_id, id, &row.policy, row.user.as_deref(), row.fallback.into(), trail(row), data);
    serde_json::to_string(&columns).ok()
}

/// What `target` and `class` of a query are looked up in. Models hold neither comma nor semicolon.
pub fn trail(row: &RequestRow) -> String {
    let mut trail = format!(",;{},", row.outcome);
    for attempt in &row.attempts {
        trail.push_str(&attempt.model);
        trail.push(';');
        trail.push_str(&attempt.outcome);
        trail.push(',');
    }
    trail
}

/// What to look for in a trail, if the query asks for a target or class.
pub fn trail_needle(query: &ListQuery) -> Option<String> {
    match (&query.target, &query.class) {
        (Some(target), Some(class)) => Some(format!(",{target};{class},")),
        (Some(target), None) => Some(format!(",{target};")),
        (None, Some(class)) => Some(format!(";{class},")),
        (None, None) => None,
    }
}
