//! JSON Schemas of tools and answers: what OpenAI's strict mode takes, what a tool's arguments may be. (What Claude's structured
//! output takes: `messages/structured.rs`.)

use serde_json::{Map, Value, json};

/// The formats of strings that structured output takes; OpenAI's not the `uri`.
pub const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Keys whose value maps names to schemas.
const MAPS: &[&str] = &["properties", "$defs", "definitions", "patternProperties"];
/// Keys whose value is a schema or a list of them.
const NESTED: &[&str] = &["items", "anyOf", "allOf", "prefixItems", "not"];

/// Says at the end of a schema's description what its fields no longer do.
pub fn describe(out: &mut Map<String, Value>, said: &[String]) {
    let limits = format!("{{{}}}", said.join(", "));
    let text = match out.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text}\n\n{limits}"),
        None => limits,
    };
    out.insert("description".to_owned(), Value::String(text));
}

/// Whether a schema is that of an object.
pub fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.contains_key("properties"),
    }
}

/// What OpenAI's strict mode refuses in a schema, wherever it stands.
///
/// <https://platform.openai.com/docs/guides/structured-outputs>: supported schemas
const NOT_STRICT: &[&str] = &[
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "minProperties",
    "maxProperties",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "minLength",
    "maxLength",
    "default",
];
/// A schema in strict mode says with one of these what it is of.
const SAYS_WHAT: &[&str] = &["type", "$ref", "anyOf", "enum", "const"];

/// Whether a schema satisfies OpenAI's strict mode: every object closed, every property required, and no word that it refuses.
pub fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let nested = fields.iter().all(|(name, value)| match value {
                Value::Object(schemas) if MAPS.contains(&name.as_str()) => schemas.values().all(is_strict),
                value if NESTED.contains(&name.as_str()) => is_strict(value),
                _ => true,
            });
            nested && (!is_object(fields) || is_closed(fields)) && is_worded_strictly(fields)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => false,
    }
}

fn is_worded_strictly(fields: &Map<String, Value>) -> bool {
    let known_format = |format: &Value| format.as_str().is_some_and(|name| name != "uri" && FORMATS.contains(&name));
    let alone = !fields.contains_key("$ref") || fields.keys().all(|name| matches!(name.as_str(), "$ref" | "$defs"));
    alone
        && SAYS_WHAT.iter().any(|name| fields.contains_key(*name))
        && !NOT_STRICT.iter().any(|name| fields.contains_key(*name))
        && fields.get("format").is_none_or(known_format)
}

fn is_closed(fields: &Map<String, Value>) -> bool {
    let required = fields.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|names| names.iter().any(|known| known == name));
    let properties = fields.get("properties").and_then(Value::as_object);
    fields.get("additionalProperties") == Some(&Value::Bool(false))
        && properties.is_none_or(|properties| properties.keys().all(is_required))
}

/// What stands around a schema whose root is no object, where a tool's arguments stand in for the answer.
pub const WRAP: &str = "value";

/// What the root of a tool's arguments cannot say: there it is refused, or passed over beside the object that it then is.
const NOT_AT_ROOT: &[&str] = &["$ref", "anyOf", "oneOf", "allOf", "not", "enum"];

/// A schema of an answer as that of a tool's arguments, and whether it had to be wrapped in an object's [`WRAP`]. `None` when it
/// is no schema.
pub fn of_stand_in(schema: &Value) -> Option<(Value, bool)> {
    let inner = with_plain_root(schema)?;
    match of_arguments(Some(schema)).filter(|schema| is_plain(&inner) && has_plain_keys(schema)) {
        Some(schema) => Some((schema, false)),
        None => Some((wrapped(inner), true)),
    }
}

/// A schema of an answer as OpenAI takes it, whose root is an object, and whether it had to be wrapped in one's [`WRAP`].
pub fn of_answer(schema: &Value) -> (Value, bool) {
    match with_plain_root(schema) {
        Some(inner) if !is_plain(&inner) || inner.get("type").is_some_and(|kind| kind != "object") => {
            let mut wrap = wrapped(inner);
            wrap["additionalProperties"] = json!(false);
            (wrap, true)
        }
        Some(plain) => (Value::Object(plain), false),
        None => (schema.clone(), false),
    }
}

fn is_plain(root: &Map<String, Value>) -> bool {
    !NOT_AT_ROOT.iter().any(|name| root.contains_key(*name))
}

/// An object that holds in its [`WRAP`] what a schema is of.
pub fn wrapped(mut inner: Map<String, Value>) -> Value {
    // References are from the root.
    let definitions = ["$defs", "definitions"].map(|name| (name, inner.shift_remove(name)));
    let mut wrap = json!({"type": "object", "properties": {WRAP: inner}, "required": [WRAP]});
    for (name, definitions) in definitions {
        if let Some(definitions) = definitions {
            wrap[name] = definitions;
        }
    }
    wrap
}

/// Whether Claude takes the names of what a tool is called with: of letters, digits, `_`, `.` and `-`, at most 64 long. Deeper
/// ones may be any.
pub fn has_plain_keys(arguments: &Value) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let fits = |name: &String| (1..=64).contains(&name.len()) && name.bytes().all(plain);
    arguments.get("properties").and_then(Value::as_object).is_none_or(|properties| properties.keys().all(fits))
}

/// The most references that a root is followed through.
const REFERENCES_MAX: usize = 8;

/// A schema's fields, with those of what its root refers to, as some generators of schemas begin: the object itself must stand
/// there. `None` when it is no schema.
fn with_plain_root(schema: &Value) -> Option<Map<String, Value>> {
    let mut fields = schema.as_object()?.clone();
    for _ in 0..REFERENCES_MAX {
        let name = fields.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/"));
        let named = name.and_then(|path| schema.pointer(&format!("/{path}"))).and_then(Value::as_object);
        let Some(mut named) = named.cloned() else { break };
        fields.shift_remove("$ref");
        // References are from the root, so that its definitions hold.
        for (name, value) in fields {
            if matches!(name.as_str(), "$defs" | "definitions" | "description" | "title") {
                named.insert(name, value);
            } else {
                named.entry(name).or_insert(value);
            }
        }
        fields = named;
    }
    Some(fields)
}

/// The schema of a tool's arguments: its root is an object and says which properties it has, as OpenAI wants of a tool without any.
/// `None` when it is something else.
pub fn of_arguments(schema: Option<&Value>) -> Option<Value> {
    let mut fields = match schema {
        None => Map::new(),
        Some(schema) => with_plain_root(schema)?,
    };
    if fields.get("type").is_some_and(|kind| kind != "object") {
        return None;
    }
    fields.insert("type".to_owned(), Value::from("object"));
    if !fields.get("properties").is_some_and(Value::is_object) {
        fields.insert("properties".to_owned(), json!({}));
    }
    Some(Value::Object(fields))
}

/// Says of lists that do not what is in them that it may be anything: OpenAI and Gemini refuse a schema for the lack.
pub fn with_items(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let of_list = |kind: &Value| {
                kind == "array" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "array"))
            };
            let says = ["items", "prefixItems"].iter().any(|name| fields.contains_key(*name));
            if !says && fields.get("type").is_some_and(of_list) {
                fields.insert("items".to_owned(), json!({}));
            }
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::Object(schemas) if MAPS.contains(&name.as_str()) => {
                        schemas.values_mut().for_each(with_items)
                    }
                    value
                        if NESTED.contains(&name.as_str())
                            || matches!(name.as_str(), "oneOf" | "additionalProperties") =>
                    {
                        with_items(value);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(with_items),
        _ => {}
    }
}

/// The most that a schema may grow to when its references are replaced: a few that name each other twice would double each time.
const INLINED_MAX: usize = 10_000;

/// A schema with what its references name in their place, and no definitions at its root. `None` where one leads to itself or to
/// nothing here, or where it would grow too large.
pub fn inlined(schema: &Value) -> Option<Value> {
    let mut left = INLINED_MAX;
    resolved(schema, schema, &mut Vec::new(), &mut left)
}

/// `open`: the references that led here. The recursion goes as deep as the schema and its references, each once.
fn resolved<'a>(value: &'a Value, root: &'a Value, open: &mut Vec<&'a str>, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    match value {
        Value::Object(fields) => {
            let mut out = match fields.get("$ref").and_then(Value::as_str) {
                Some(name) if open.contains(&name) => return None,
                Some(name) => {
                    open.push(name);
                    let named = resolved(root.pointer(name.strip_prefix('#')?)?, root, open, left)?;
                    open.pop();
                    named.as_object()?.clone()
                }
                None => Map::new(),
            };
            let at_root = std::ptr::eq(value, root);
            let of_definitions = |name: &str| at_root && matches!(name, "$defs" | "definitions");
            for (name, inner) in fields.iter().filter(|(name, inner)| !(*name == "$ref" && inner.is_string())) {
                if !of_definitions(name) {
                    out.insert(name.clone(), resolved(inner, root, open, left)?);
                }
            }
            Some(Value::Object(out))
        }
        Value::Array(items) => {
            items.iter().map(|item| resolved(item, root, open, left)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        other => Some(other.clone()),
    }
}
