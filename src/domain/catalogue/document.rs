//! KV `models`: changes to the built-in catalogue, and models of one's own.
//!
//! ```json
//! {"anthropic/claude-sonnet-4-5": {"context_tokens": 200000, "max_output_tokens": 64000, "input_usd_per_mtok": 3,
//!   "output_usd_per_mtok": 15, "cached_input_usd_per_mtok": 0.3, "supports": ["tools", "vision"], "region": "us",
//!   "labels": ["zdr"]},
//!  "acme/fast": {"id": "acme-fast-2026-01"}}
//! ```

use super::{Catalogue, Facts, Feature};
use crate::domain::document::shape::{self, Field, Object, PROSE, SCHEMA_FIELD, Shape, Text};
use crate::domain::document::{BadDocument, Findings, Kind, Path, json};
use crate::domain::policy::hop_text::check_model;
use serde_json::Value;

/// The most models that one document may name.
const MAX_MODELS: usize = 2_000;

const TOKENS: Shape = Shape::Integer { min: 1, max: 1_000_000_000 };
const USD: Shape = Shape::Number { min: 0.0, max: 1_000_000.0 };

const FEATURES: [&str; 9] =
    ["tools", "vision", "json_schema", "reasoning", "audio", "files", "hosted_tools", "stored_ids", "service_tier"];

const NAME: Text = Text {
    min: 3,
    max: 256,
    pattern: Some(r#"^[a-z0-9][a-z0-9-]{0,31}/[!#-&(-+\--:<-~]+$"#),
    expect: "a target (provider/model[@region])",
    check: |name| match name.split_once('/') {
        Some((provider, model)) if crate::domain::target::is_provider_name(provider) && !model.is_empty() => {
            check_model(name).map_err(Some)
        }
        Some(_) | None if name == "$schema" => Ok(()),
        Some(_) | None => Err(None),
    },
    hidden: false,
};

const ID: Text = Text {
    min: 1,
    max: 512,
    pattern: Some("^[!-~]+$"),
    expect: "a model's name on the wire (1 to 512 printable ASCII characters without space)",
    check: |id| if id.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(None) },
    hidden: false,
};

const LABEL: Text = Text {
    min: 1,
    max: 64,
    pattern: Some("^[ -~]+$"),
    expect: "a word of 1 to 64 printable ASCII characters",
    check: shape::printable,
    hidden: false,
};

const DATE: Text = Text {
    min: 10,
    max: 10,
    pattern: Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    expect: "a date (YYYY-MM-DD)",
    check: |date| match chrono::DateTime::parse_from_rfc3339(&format!("{date}T00:00:00Z")) {
        Ok(_) => Ok(()),
        Err(_) => Err(None),
    },
    hidden: false,
};

static MODEL: Object = Object {
    title: "a model's facts",
    rule: None,
    fields: &[
        Field::new("id", Shape::Text(&ID), "The upstream's own name, on the wire in place of ours."),
        Field::new("description", Shape::Text(&PROSE), "For people."),
        Field::new("context_tokens", TOKENS, "Its context window."),
        Field::new("max_output_tokens", TOKENS, "The most that it can write."),
        Field::new("input_usd_per_mtok", USD, "Price of a million input tokens."),
        Field::new("output_usd_per_mtok", USD, "Price of a million output tokens."),
        Field::new("cached_input_usd_per_mtok", USD, "Price of a million input tokens read from a cache."),
        Field::new(
            "supports",
            Shape::List { of: &Shape::Word(&FEATURES), min: 0, max: FEATURES.len() },
            "Everything that it can do beyond text.",
        ),
        Field::new("region", Shape::Text(&LABEL), "Where it runs, for the boundary region."),
        Field::new("labels", Shape::List { of: &Shape::Text(&LABEL), min: 0, max: 32 }, "For the boundary labels."),
        Field::new("embedding_space", Shape::Text(&LABEL), "Models of one space make vectors that can be compared."),
        Field::new("retired", Shape::Text(&DATE), "From this day its provider no longer serves it."),
        Field::new("successor", Shape::Text(&ID), "What its provider puts in its place, by name or as provider/model."),
    ],
};

static MODELS_MAP: Shape = Shape::Map { key: &NAME, of: &Shape::Object(&MODEL), max: MAX_MODELS };

/// The `models` document.
pub static MODELS: &Shape = &MODELS_MAP;

/// Reads the stored changes.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse(bytes: &[u8]) -> Result<Catalogue, BadDocument> {
    let bad =
        |findings: Findings| BadDocument { kind: Kind::Models, name: String::new(), findings: findings.into_vec() };
    let mut value = json::parse(bytes, Kind::Models, "").map_err(bad)?;
    if let Value::Object(map) = &mut value {
        map.shift_remove(SCHEMA_FIELD.name);
    }
    let mut findings = Findings::new();
    MODELS.check(&value, &Path::ROOT, &mut findings);
    findings.into_result(Kind::Models, "", || read(&value))
}

// From here on the table has been checked.

fn read(value: &Value) -> Catalogue {
    let models = value.as_object().into_iter().flatten();
    Catalogue { changes: models.map(|(name, facts)| (name.clone(), read_facts(facts))).collect() }
}

fn read_facts(value: &Value) -> Facts {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let list = |name: &str| value[name].as_array().map(|list| list.iter().filter_map(Value::as_str));
    Facts {
        id: text("id"),
        context_tokens: value["context_tokens"].as_u64(),
        max_output_tokens: value["max_output_tokens"].as_u64(),
        input_usd_per_mtok: value["input_usd_per_mtok"].as_f64(),
        output_usd_per_mtok: value["output_usd_per_mtok"].as_f64(),
        cached_input_usd_per_mtok: value["cached_input_usd_per_mtok"].as_f64(),
        supports: list("supports").map(|words| words.filter_map(Feature::parse).collect()),
        region: text("region"),
        labels: list("labels").into_iter().flatten().map(str::to_owned).collect(),
        embedding_space: text("embedding_space"),
        retired: text("retired"),
        successor: text("successor"),
    }
}
