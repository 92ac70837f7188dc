//! The shapes of the admin API's answers as JSON Schema, from a shorthand that people can read: `shapes.json`.
//!
//! ```text
//! {"Point": {"+": "Counts", "at": "time", "partial?": "bool"}}
//!   str int num bool any time version     a name of another shape      a|b|c  one of these words
//!   [x]  a list of x      {x}  an object of x by name      x?  x or null      "field?"  may be absent      "+"  the fields of another
//! ```

use super::table::Endpoint;
use crate::domain::document::Kind;
use serde_json::{Map, Value, json};

static SHAPES: &str = include_str!("shapes.json");

/// Every shape, for `components.schemas`.
pub fn schemas() -> Map<String, Value> {
    // A test reads the file: it is an object.
    let shapes: Map<String, Value> = serde_json::from_slice(SHAPES.as_bytes()).unwrap_or_default();
    shapes.iter().map(|(name, fields)| (name.clone(), object(&shapes, fields))).collect()
}

/// The shape of an endpoint's good answer; `None` where that is no JSON.
pub const fn answer(endpoint: Endpoint) -> Option<&'static str> {
    Some(match endpoint {
        Endpoint::List(Kind::Provider) => "Providers",
        Endpoint::List(_) => "Documents",
        Endpoint::Read(Kind::Provider) => "OneProvider",
        Endpoint::Read(_) | Endpoint::Put(_) | Endpoint::Version(_) | Endpoint::Rollback(_) => "Document",
        Endpoint::Versions(_) => "Versions",
        Endpoint::Simulate => "Simulation",
        Endpoint::Explain => "Explanation",
        Endpoint::JudgeRules => "Match",
        Endpoint::Compare => "Comparison",
        Endpoint::Lint => "Lint",
        Endpoint::Keys => "Keys",
        Endpoint::CreateKey => "MadeKey",
        Endpoint::ReadKey | Endpoint::ChangeKey | Endpoint::PutOwn => "Key",
        Endpoint::KeyUsage => "Usage",
        Endpoint::Targets => "Targets",
        Endpoint::Analytics => "Analytics",
        Endpoint::Requests => "Requests",
        Endpoint::Request => "Request",
        Endpoint::Audit => "Audit",
        Endpoint::Delete(_)
        | Endpoint::DeleteKey
        | Endpoint::DeleteOwn
        | Endpoint::Live
        | Endpoint::Metrics
        | Endpoint::OpenApi => return None,
    })
}

/// A reference to a shape.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn object(shapes: &Map<String, Value>, fields: &Value) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    collect(shapes, fields, &mut properties, &mut required);
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn collect(
    shapes: &Map<String, Value>,
    fields: &Value,
    properties: &mut Map<String, Value>,
    required: &mut Vec<Value>,
) {
    for (name, shape) in fields.as_object().into_iter().flatten() {
        let text = shape.as_str().unwrap_or_default();
        if name == "+" {
            collect(shapes, shapes.get(text).unwrap_or(&Value::Null), properties, required);
            continue;
        }
        let bare = name.strip_suffix('?').unwrap_or(name);
        properties.insert(bare.to_owned(), schema(text));
        if bare == name {
            required.push(bare.into());
        }
    }
}

fn schema(text: &str) -> Value {
    if let Some(some) = text.strip_suffix('?') {
        return json!({"anyOf": [schema(some), {"type": "null"}]});
    }
    let inner = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if let Some(of) = inner('[', ']') {
        return json!({"type": "array", "items": schema(of)});
    }
    if let Some(of) = inner('{', '}') {
        return json!({"type": "object", "additionalProperties": schema(of)});
    }
    match text {
        "str" => json!({"type": "string"}),
        "int" => json!({"type": "integer"}),
        "num" => json!({"type": "number"}),
        "bool" => json!({"type": "boolean"}),
        "any" => json!({}),
        "time" => {
            json!({"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"})
        }
        "version" => json!({"type": "string", "pattern": "^[0-9a-f]{8}$"}),
        words if words.contains('|') => json!({"type": "string", "enum": words.split('|').collect::<Vec<_>>()}),
        name => reference(name),
    }
}
