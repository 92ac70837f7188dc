//! JSON Schema (2020-12) from the tables that the readers check by, so that it cannot drift from them.

use super::shape::{Field, Object, Shape, Text};
use serde_json::{Map, Value, json};

/// The schema of a document: `title` is its name, `shape` its table.
pub fn render(title: &str, about: &str, shape: &Shape) -> Value {
    let mut definitions = Map::new();
    let body = of(shape, &mut definitions);
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), title.into());
    schema.insert("description".into(), about.into());
    if let Value::Object(body) = body {
        schema.extend(body);
    }
    if !definitions.is_empty() {
        schema.insert("$defs".into(), Value::Object(definitions));
    }
    Value::Object(schema)
}

/// Recursion ends because a shape can contain itself through a name alone, and a name is rendered once.
fn of(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Null => json!({"type": "null"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::Text(text) => of_text(text),
        Shape::List { of: entry, min, max } => {
            json!({"type": "array", "items": of(entry, definitions), "minItems": min, "maxItems": max})
        }
        Shape::Object(object) => of_object(object, definitions),
        Shape::Map { key, of: entry, max } => json!({
            "type": "object",
            "propertyNames": of_text(key),
            "additionalProperties": of(entry, definitions),
            "maxProperties": max,
        }),
        Shape::Either(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(|shape| of(shape, definitions)).collect();
            json!({"anyOf": shapes})
        }
        Shape::Named { name, shape } => {
            if !definitions.contains_key(*name) {
                definitions.insert((*name).to_owned(), Value::Null);
                let body = of(shape, definitions);
                definitions.insert((*name).to_owned(), body);
            }
            json!({"$ref": format!("#/$defs/{name}")})
        }
    }
}

fn of_text(text: &Text) -> Value {
    let mut schema = Map::new();
    schema.insert("type".into(), "string".into());
    if text.min > 0 {
        schema.insert("minLength".into(), text.min.into());
    }
    schema.insert("maxLength".into(), text.max.into());
    if let Some(pattern) = text.pattern {
        schema.insert("pattern".into(), pattern.into());
    }
    Value::Object(schema)
}

fn of_object(object: &Object, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for field in object.fields {
        properties.insert(field.name.into(), of_field(field, definitions));
    }
    let required: Vec<&str> = object.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let (false, Value::Object(map)) = (required.is_empty(), &mut schema) {
        map.insert("required".into(), json!(required));
    }
    schema
}

fn of_field(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = of(&field.shape, definitions);
    if let Value::Object(map) = &mut schema {
        map.insert("description".into(), field.about.into());
        if let Some(default) = field.default.and_then(|text| serde_json::from_slice(text.as_bytes()).ok()) {
            map.insert("default".into(), default);
        }
    }
    schema
}
