//! JSON Schemas as Claude's structured output takes them.
//!
//! ```text
//! taken as they are     $schema $id title description default const enum type required, properties, items, anyOf, $defs, $ref
//! taken as another      oneOf: anyOf; allOf of one: anyOf; $ref beside others: anyOf of it
//! some of them          format of a known kind, minItems 0 and 1, additionalProperties false, which every object gets
//! not taken             limits of numbers, strings, lists and objects, and every other word
//! no such schema        one that leads to itself, or joins references by allOf: a tool stands in for it
//! ```
//! What is taken out is said in the description, where the model can still read it.

use std::collections::HashSet;

use crate::domain::dialect::schema::{FORMATS, describe, is_object};
use serde_json::{Map, Value, json};

/// Words that go on as they are.
const KEPT: &[&str] = &["$schema", "$id", "title", "description", "default", "const", "enum", "type", "required"];
/// Words of which nothing depends: one that is left out makes a schema no weaker.
const NOTES: &[&str] = &["examples", "example", "deprecated", "readOnly", "writeOnly", "$comment", "discriminator"];
const ALL: &str = "allOf";
const ANY: &str = "anyOf";

/// How deep a schema is followed, its references with it. What goes deeper is taken for endless.
const DEPTH_MAX: usize = 256;
/// How much of it is looked at, as many references may lead to the same large part: far more than anybody writes.
const FOLLOWED_MAX: usize = 100_000;

/// Whether structured output takes a schema at all: not one that leads to itself, as that of a tree does, nor one that joins
/// references.
pub fn takes(schema: &Value) -> bool {
    let mut follow = Follow { root: schema, open: Vec::new(), done: HashSet::new(), left: FOLLOWED_MAX };
    !follow.loops(schema, 0) && !joins_references(schema)
}

fn joins_references(value: &Value) -> bool {
    let refers = |branch: &Value| branch.get("$ref").is_some();
    match value {
        Value::Object(fields) => {
            let branches = fields.get(ALL).and_then(Value::as_array).filter(|branches| branches.len() > 1);
            branches.is_some_and(|branches| branches.iter().any(refers)) || fields.values().any(joins_references)
        }
        Value::Array(items) => items.iter().any(joins_references),
        _ => false,
    }
}

/// What one request may hold of schemas that are checked, its strict tools and its answer together.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    tools: usize,
    optional: usize,
    unions: usize,
}

impl Budget {
    /// That of a request without any.
    pub const WHOLE: Budget = Budget { tools: 20, optional: 24, unions: 16 };

    /// Takes in the schema of an answer, unless it is too much.
    pub fn spends_on_answer(&mut self, schema: &Value) -> bool {
        self.spends(schema, 0)
    }

    /// The same of a tool's.
    pub fn spends_on_tool(&mut self, schema: &Value) -> bool {
        self.spends(schema, 1)
    }

    fn spends(&mut self, schema: &Value, tools: usize) -> bool {
        let (optional, unions) = counted(schema);
        let left =
            (self.tools.checked_sub(tools), self.optional.checked_sub(optional), self.unions.checked_sub(unions));
        let (Some(tools), Some(optional), Some(unions)) = left else { return false };
        *self = Budget { tools, optional, unions };
        true
    }
}

/// The properties in a schema that need not be there, and those that are one of several.
fn counted(schema: &Value) -> (usize, usize) {
    let (mut optional, mut unions) = (0, 0);
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let required = schema.get("required").and_then(Value::as_array);
        let required: HashSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        optional += properties.keys().filter(|name| !required.contains(name.as_str())).count();
        let is_union =
            |property: &&Value| property.get(ANY).is_some() || property.get("type").is_some_and(Value::is_array);
        unions += properties.values().filter(is_union).count();
    }
    let inner: Box<dyn Iterator<Item = &Value>> = match schema {
        Value::Object(fields) => Box::new(fields.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    };
    inner.map(counted).fold((optional, unions), |sum, more| (sum.0 + more.0, sum.1 + more.1))
}

/// References on the way, those that led here and those that led to no loop.
struct Follow<'a> {
    root: &'a Value,
    open: Vec<&'a str>,
    done: HashSet<&'a str>,
    left: usize,
}

impl<'a> Follow<'a> {
    fn loops(&mut self, value: &'a Value, depth: usize) -> bool {
        self.left = self.left.saturating_sub(1);
        match value {
            _ if depth > DEPTH_MAX || self.left == 0 => true,
            Value::Object(fields) => {
                fields.get("$ref").and_then(Value::as_str).is_some_and(|name| self.leads_back(name, depth))
                    || fields.values().any(|inner| self.loops(inner, depth + 1))
            }
            Value::Array(items) => items.iter().any(|item| self.loops(item, depth + 1)),
            _ => false,
        }
    }

    fn leads_back(&mut self, name: &'a str, depth: usize) -> bool {
        if self.open.contains(&name) {
            return true;
        }
        let named = name.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let Some(named) = named.filter(|_| self.done.insert(name)) else { return false };
        self.open.push(name);
        let back = self.loops(named, depth + 1);
        self.open.pop();
        back
    }
}

/// A schema that structured output takes; whether it checks less than the client's did, or lets less in.
pub fn for_claude(schema: &Value) -> (Value, bool) {
    let mut weaker = false;
    let schema = sanitised(schema, &mut weaker);
    (schema, weaker)
}

// The recursion goes as deep as the schema, which the JSON parser has held to 128.
fn sanitised(schema: &Value, weaker: &mut bool) -> Value {
    match schema {
        Value::Object(fields) => object(fields, weaker),
        Value::Array(items) => Value::Array(items.iter().map(|item| sanitised(item, weaker)).collect()),
        other => other.clone(),
    }
}

fn object(fields: &Map<String, Value>, weaker: &mut bool) -> Value {
    let (mut out, mut said, mut less) = (Map::new(), Vec::new(), false);
    let choices = ["anyOf", "oneOf", ALL, "$ref"].iter().filter(|name| fields.contains_key(**name)).count();
    for (name, value) in fields {
        match name.as_str() {
            "properties" | "$defs" | "definitions" => {
                out.insert(name.clone(), map(value, weaker));
            }
            "items" | ANY => {
                out.insert(name.clone(), sanitised(value, weaker));
            }
            "oneOf" if !fields.contains_key(ANY) => {
                out.insert(ANY.to_owned(), sanitised(value, weaker));
            }
            ALL => {
                let one = value.as_array().is_some_and(|branches| branches.len() == 1) && choices == 1;
                out.insert(if one { ANY } else { ALL }.to_owned(), sanitised(value, weaker));
            }
            "$ref"
                if choices == 1
                    && !fields.keys().all(|name| matches!(name.as_str(), "$ref" | "$defs" | "definitions")) =>
            {
                out.insert(ANY.to_owned(), json!([{"$ref": value}]));
            }
            name if is_kept(name, value) => {
                out.insert(name.to_owned(), value.clone());
            }
            "additionalProperties" if *value == Value::Bool(false) => {}
            name if name.starts_with("x-") => {}
            name => {
                less |= !NOTES.contains(&name);
                said.push(format!("{name}: {value}"));
            }
        }
    }
    // One that names no property holds nothing once it is closed.
    if is_free(fields) {
        less = true;
        said.push("additionalProperties: true".to_owned());
    }
    if is_object(&out) {
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !said.is_empty() {
        *weaker |= less;
        describe(&mut out, &said);
    }
    Value::Object(out)
}

fn is_kept(name: &str, value: &Value) -> bool {
    match name {
        "minItems" => value.as_u64().is_some_and(|least| least <= 1),
        "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        name => name == "$ref" || KEPT.contains(&name),
    }
}

fn map(value: &Value, weaker: &mut bool) -> Value {
    match value {
        Value::Object(schemas) => {
            let schemas = schemas.iter().map(|(name, schema)| (name.clone(), sanitised(schema, weaker)));
            Value::Object(schemas.collect())
        }
        other => other.clone(),
    }
}

/// Whether it is some object, whatever is in it, and not by a word of its own.
fn is_free(schema: &Map<String, Value>) -> bool {
    let named = schema.get("properties").and_then(Value::as_object).is_some_and(|properties| !properties.is_empty());
    let elsewhere = ["additionalProperties", "$ref", "anyOf", "oneOf", "allOf"];
    is_object(schema) && !named && !elsewhere.iter().any(|name| schema.contains_key(*name))
}

/// A schema with what its request says of it besides, where the wire has no other place for that.
pub fn introduced(schema: &Value, text: Option<&str>) -> Value {
    let mut schema = schema.clone();
    if let (Some(text), Value::Object(fields)) = (text.filter(|text| !text.is_empty()), &mut schema) {
        let text = match fields.get("description").and_then(Value::as_str) {
            Some(own) if own != text => format!("{text}\n\n{own}"),
            Some(_) | None => text.to_owned(),
        };
        fields.insert("description".to_owned(), Value::String(text));
    }
    schema
}
