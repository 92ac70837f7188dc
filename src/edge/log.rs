//! Log lines: one JSON object each, which begins with its event. What they say is listed in `docs/ledger.md`.

use serde_json::{Map, Value};
use worker::console_warn;

/// Logs something that an operator should know of; `fields` is an object.
pub fn warn(event: &str, fields: Value) {
    let mut line = Map::new();
    line.insert("event".into(), event.into());
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    console_warn!("{}", Value::Object(line));
}
