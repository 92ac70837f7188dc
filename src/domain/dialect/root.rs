//! The root of a tool's schema as OpenAI, Anthropic and Nova want it: an object with its properties, and no choice between schemas.
//!
//! ```text
//! allOf           properties and what is required of all
//! anyOf, oneOf    properties of all, and required what all require
//! not, enum       gone
//! ```
//! What the root no longer says, its description does.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::dialect::schema::describe;
use serde_json::{Map, Value, json};

const ALL: &str = "allOf";
const CHOICES: [&str; 3] = [ALL, "anyOf", "oneOf"];
const REFUSED: [&str; 5] = [ALL, "anyOf", "oneOf", "not", "enum"];
/// A description longer than this would cost more than it tells, in characters.
const SAID_MAX: usize = 2_000;
/// The most that one property may be.
const EITHER_MAX: usize = 64;

/// A schema of arguments with a plain root, and whether it lost something.
pub fn plain(schema: Value) -> (Value, bool) {
    let Value::Object(fields) = &schema else { return (schema, false) };
    if !REFUSED.iter().any(|name| fields.contains_key(*name)) {
        return (schema, false);
    }
    let mut out = fields.clone();
    let mut merged = Merged::of(fields);
    let mut said = Vec::new();
    for name in REFUSED {
        let Some(value) = out.remove(name) else { continue };
        said.push(format!("{name}: {value}"));
        if let Some(branches) = value.as_array().filter(|_| CHOICES.contains(&name)) {
            merged.add(&schema, branches, name == ALL);
        }
    }
    out.insert("properties".to_owned(), Value::Object(merged.properties));
    if !merged.required.is_empty() {
        out.insert("required".to_owned(), json!(merged.required));
    }
    if said.iter().map(String::len).sum::<usize>() <= SAID_MAX {
        describe(&mut out, &said);
    }
    (Value::Object(out), true)
}

struct Merged {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Merged {
    fn of(fields: &Map<String, Value>) -> Merged {
        let properties = fields.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        Merged { properties, required: required(fields) }
    }

    /// Takes in the branches of a choice, or of what must hold together.
    fn add(&mut self, root: &Value, branches: &[Value], together: bool) {
        let branches: Vec<&Map<String, Value>> = branches.iter().filter_map(|branch| resolved(root, branch)).collect();
        let properties = branches.iter().filter_map(|branch| branch.get("properties")?.as_object()).flatten();
        for (name, schema) in properties {
            match self.properties.get_mut(name) {
                None => {
                    self.properties.insert(name.clone(), schema.clone());
                }
                Some(known) if !together => either(known, schema),
                Some(_) => {}
            }
        }
        let mut wanting: HashMap<String, usize> = HashMap::new();
        let mut order = Vec::new();
        for branch in &branches {
            for name in required(branch).into_iter().collect::<BTreeSet<String>>() {
                let count = wanting.entry(name.clone()).or_default();
                if *count == 0 {
                    order.push(name);
                }
                *count = count.saturating_add(1);
            }
        }
        let known: HashSet<String> = self.required.iter().cloned().collect();
        let all = |name: &String| together || wanting.get(name) == Some(&branches.len());
        self.required.extend(order.into_iter().filter(|name| !known.contains(name) && all(name)));
    }
}

/// A branch, or what its reference names.
fn resolved<'a>(root: &'a Value, branch: &'a Value) -> Option<&'a Map<String, Value>> {
    match branch.get("$ref").and_then(Value::as_str) {
        Some(name) => root.pointer(name.strip_prefix('#')?)?.as_object(),
        None => branch.as_object(),
    }
}

fn required(fields: &Map<String, Value>) -> Vec<String> {
    let names = fields.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Lets a property be what another branch has it, too; anything, where there are too many.
fn either(known: &mut Value, other: &Value) {
    if known == other {
        return;
    }
    match known.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(list) if list.len() >= EITHER_MAX => *known = json!({}),
        Some(list) if !list.contains(other) => list.push(other.clone()),
        Some(_) => {}
        None => *known = json!({"anyOf": [known.take(), other]}),
    }
}
