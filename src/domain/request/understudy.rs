//! The overrides of one request: body `understudy`, or the header `x-understudy`.
//!
//! ```json
//! {"fallback": [<hop>...], "timeouts": {...}, "deadline_ms": n, "on": {...}, "stream": {...}, "metadata": {"user": "..."}}
//! ```

use serde_json::{Map, Value};

use super::envelope::METADATA_MAX_BYTES;
use crate::domain::document::{Field, Findings, Kind, Object, Path, Shape, Text, json};
use crate::domain::policy::fields::{DEADLINE_MS, HOPS, ON, STREAM, TIMEOUTS};
use crate::domain::policy::file::{HopFile, overrides, read_hops};
use crate::domain::policy::hop_text::names_no_model;
use crate::domain::policy::overrides::Overrides;
use crate::domain::refusal::Refusal;

/// What belongs to the policy's owner alone.
const OWNERS: [&str; 5] = ["keep", "consent", "exhausted", "breaker", "translate"];

/// One request's own overrides.
#[derive(Clone, Debug, Default)]
pub(super) struct Understudy {
    pub(super) fallback: Option<Fallback>,
    pub(super) overrides: Overrides,
    pub(super) metadata: Map<String, Value>,
}

/// The hops that it brings.
#[derive(Clone, Debug)]
pub(super) struct Fallback {
    /// Where they stand, for messages.
    pub(super) field: &'static str,
    pub(super) hops: Vec<HopFile>,
}

/// What carries the object.
#[derive(Clone, Copy)]
pub(super) enum Carrier {
    Body,
    Header,
}

impl Carrier {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Carrier::Body => "understudy",
            Carrier::Header => "x-understudy",
        }
    }

    const fn fallback(self) -> &'static str {
        match self {
            Carrier::Body => "understudy.fallback",
            Carrier::Header => "x-understudy.fallback",
        }
    }
}

/// Reads the object; `null` is none.
///
/// # Errors
/// 400 naming the field.
pub(super) fn read(bytes: &[u8], carrier: Carrier) -> Result<Understudy, Refusal> {
    let root = carrier.name();
    let value = json::parse(bytes, Kind::Request, root).map_err(|findings| refuse(&findings, root))?;
    if value.is_null() {
        return Ok(Understudy::default());
    }
    let path = Path::Root(root);
    if let Some(name) = OWNERS.iter().find(|name| value.get(**name).is_some()) {
        let field = path.field(name).to_string();
        return Err(Refusal::value(&field, "a request cannot set it; it belongs to the policy"));
    }
    let mut findings = Findings::new();
    TABLE.check(&value, &path, &mut findings);
    if findings.has_errors() {
        let at_model = findings.as_slice().first().is_some_and(|first| is_at_model(&value, carrier, &first.path));
        let refusal = refuse(&findings, root);
        return Err(if at_model { Refusal { code: "invalid_model", ..refusal } } else { refusal });
    }
    let Value::Object(mut fields) = value else { return Ok(Understudy::default()) };
    let metadata = match fields.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    if Value::Object(metadata.clone()).to_string().len() > METADATA_MAX_BYTES {
        let field = path.field("metadata").to_string();
        return Err(Refusal::value(&field, format!("more than the {METADATA_MAX_BYTES} bytes that are taken")));
    }
    let hops = fields.get("fallback").and_then(|hops| read_hops(hops, &path, &mut findings));
    let fallback = hops.map(|hops| Fallback { field: carrier.fallback(), hops });
    Ok(Understudy { fallback, overrides: overrides(&fields), metadata })
}

static TABLE: Shape = Shape::Object(&Object {
    title: "overrides of one request",
    rule: None,
    fields: &[
        Field::new("fallback", HOPS, "Replaces what follows the first hop."),
        Field::new("timeouts", TIMEOUTS, "The clocks of one call; a policy's can only be shortened."),
        Field::new("deadline_ms", DEADLINE_MS, "The whole request, until commit; can only be shortened."),
        Field::new("on", ON, "Verdicts by error class."),
        Field::new("stream", STREAM, "When an answer commits, and how it is relayed."),
        Field::new(
            "metadata",
            Shape::Either(&[Shape::Map { key: &FIELD, of: &Shape::Any, max: 1_000 }, Shape::Null]),
            "Who the request is for.",
        ),
    ],
});

/// Whether what is wrong there is a model that is none: it has the same code by every way that brings hops.
fn is_at_model(value: &Value, carrier: Carrier, path: &str) -> bool {
    let root = carrier.fallback();
    let bad = |text: &Value| text.as_str().is_some_and(names_no_model);
    match value.get("fallback") {
        Some(Value::Array(hops)) => hops.iter().enumerate().any(|(index, hop)| match hop.get("model") {
            Some(model) => path == format!("{root}[{index}].model") && bad(model),
            None => path == format!("{root}[{index}]") && bad(hop),
        }),
        Some(chain) => path == root && bad(chain),
        None => false,
    }
}

const FIELD: Text =
    Text { min: 0, max: 1_024, pattern: None, expect: "the name of a field", check: |_| Ok(()), hidden: false };

/// A 400 that speaks of the first thing found.
pub(super) fn refuse(findings: &Findings, root: &str) -> Refusal {
    let Some(first) = findings.as_slice().first() else { return Refusal::value(root, "cannot be used") };
    let path = if first.path.is_empty() { root } else { &first.path };
    match first.hint.is_empty() {
        true => Refusal::value(path, &first.message),
        false => Refusal::value(path, format!("{} ({})", first.message, first.hint)),
    }
}
