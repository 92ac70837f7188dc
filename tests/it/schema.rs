//! The JSON Schemas: what the repository keeps is what the tables say, and they judge documents as the readers do.

use serde_json::Value;
use understudy::domain::schema;

#[test]
fn the_kept_schemas_are_what_the_tables_say() {
    for name in schema::NAMES {
        let text = schema::text(name).expect("a schema");
        let path = format!("{}/docs/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).expect("the schema is written");
            continue;
        }
        let kept = std::fs::read_to_string(&path).expect("the schema");
        assert_eq!(kept, text, "{path} is stale: UPDATE_SCHEMAS=1 cargo test schema");
    }
    assert_eq!(schema::text("nothing"), None);
}

#[test]
fn a_schema_takes_what_the_reader_takes_and_refuses_what_it_refuses() {
    let policy = schema::render("policy").expect("a schema");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/policy");
    // What a schema cannot see: duplicate keys, how strings are read, fields against each other, other documents.
    let blind = ["duplicate-keys", "bad-strings", "bad-arrows", "policy-hop", "not-json", "unknown-provider", "params"];
    let mut judged = 0;
    for entry in std::fs::read_dir(folder).expect("fixtures") {
        let path = entry.expect("entry").path();
        let stem = path.file_stem().expect("name").to_string_lossy().into_owned();
        if path.extension().is_none_or(|end| end != "json") || blind.contains(&stem.as_str()) {
            continue;
        }
        let document: Value = serde_json::from_slice(&std::fs::read(&path).expect("fixture")).expect("JSON");
        assert_eq!(holds(&policy, &policy, &document), !path.with_extension("err").exists(), "{stem}");
        judged += 1;
    }
    assert!(judged > 8, "only {judged} judged");
}

/// As much of JSON Schema as ours use, patterns aside.
fn holds(root: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("a definition");
        assert!(root["$defs"][name].is_object(), "{reference} leads nowhere");
        return holds(root, &root["$defs"][name], value);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().any(|schema| holds(root, schema, value));
    }
    let within = |n: f64| {
        schema["minimum"].as_f64().is_none_or(|min| n >= min) && schema["maximum"].as_f64().is_none_or(|max| n <= max)
    };
    match (schema["type"].as_str(), value) {
        (None, _) | (Some("null"), Value::Null) | (Some("boolean"), Value::Bool(_)) => true,
        (Some("integer"), Value::Number(n)) => n.as_f64().is_some_and(|n| n.fract() == 0.0 && within(n)),
        (Some("number"), Value::Number(n)) => n.as_f64().is_some_and(within),
        (Some("string"), Value::String(text)) => {
            let length = text.chars().count() as u64;
            schema["enum"].as_array().is_none_or(|words| words.contains(value))
                && schema["maxLength"].as_u64().is_none_or(|max| length <= max)
                && schema["minLength"].as_u64().is_none_or(|min| length >= min)
        }
        (Some("array"), Value::Array(list)) => {
            let length = list.len() as u64;
            schema["maxItems"].as_u64().is_none_or(|max| length <= max)
                && schema["minItems"].as_u64().is_none_or(|min| length >= min)
                && list.iter().all(|value| holds(root, &schema["items"], value))
        }
        (Some("object"), Value::Object(map)) => {
            let required = schema["required"].as_array().into_iter().flatten();
            required.into_iter().all(|name| map.contains_key(name.as_str().expect("a name")))
                && map.iter().all(|(name, value)| match &schema["properties"][name] {
                    Value::Null => {
                        schema["additionalProperties"] != Value::Bool(false)
                            && holds(root, &schema["additionalProperties"], value)
                    }
                    property => holds(root, property, value),
                })
        }
        (Some(_), _) => false,
    }
}
