//! The JSON Schemas of the documents, as `/schema/<name>.json` serves them and editors read them.
//!
//! They are rendered from the tables that the readers check by, when they are asked for. `docs/schema` keeps a copy for who reads
//! them without a Worker; a test holds the two together
//! (`UPDATE_SCHEMAS=1 cargo test schema` writes them anew).

use crate::domain::catalogue::document::MODELS;
use crate::domain::document::{Shape, schema};
use crate::domain::key::KEY;
use crate::domain::policy::fields::POLICY;
use crate::domain::provider::document::PROVIDER;
use crate::domain::rules::RULES;
use serde_json::Value;

/// The documents that have a schema.
pub const NAMES: [&str; 5] = ["policy", "rules", "provider", "key", "models"];

/// The schema of a document as text, by its name.
pub fn text(name: &str) -> Option<String> {
    render(name).map(|schema| format!("{schema:#}\n"))
}

/// The schema of a document, by its name.
pub fn render(name: &str) -> Option<Value> {
    let (about, shape): (&str, &Shape) = match name {
        "policy" => ("KV policy:<name>: a chain of models and what to do when one fails.", &POLICY),
        "rules" => ("KV rules: which requests run under which fallbacks.", &RULES),
        "provider" => ("KV provider:<name>: a provider of one's own, or changes to a built-in one.", &PROVIDER),
        "key" => ("KV key:<sha256>: who may ask for what.", &KEY),
        "models" => ("KV models: changes to the catalogue of models.", MODELS),
        _ => return None,
    };
    Some(schema::render(&format!("Understudy {name}"), about, shape))
}
