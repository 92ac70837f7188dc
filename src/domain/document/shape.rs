//! What a document may look like: one table per document, from which its checks and its JSON Schema both come.

use super::json::shown;
use super::path::quoted;
use super::{Findings, Path};
use serde_json::{Map, Value};
use std::fmt;

/// What may stand at one place of a document.
pub enum Shape {
    Null,
    Bool,
    /// A whole number within these bounds, both included.
    Integer {
        min: u64,
        max: u64,
    },
    /// A number within these bounds, both included.
    Number {
        min: f64,
        max: f64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    Text(&'static Text),
    /// Any JSON.
    Any,
    List {
        of: &'static Shape,
        min: usize,
        max: usize,
    },
    Object(&'static Object),
    /// An object whose keys are names of the writer's choice.
    Map {
        key: &'static Text,
        of: &'static Shape,
        max: usize,
    },
    /// One of several, told apart by JSON type.
    Either(&'static [Shape]),
    /// A shape with a name of its own in the schema; the only way for one to contain itself.
    Named {
        name: &'static str,
        shape: &'static Shape,
    },
}

/// A text and its rule.
pub struct Text {
    /// In characters.
    pub min: usize,
    pub max: usize,
    /// The rule as a regular expression, for the schema alone.
    pub pattern: Option<&'static str>,
    /// What was expected, after "is not": `a policy name (...)`.
    pub expect: &'static str,
    /// The rule itself, beyond length. `Err` is the whole message, for rules that can say it better than `expect`.
    pub check: fn(&str) -> Result<(), Option<String>>,
    /// Its value is a secret and never shown.
    pub hidden: bool,
}

/// One field of an object.
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// What it means, for the schema.
    pub about: &'static str,
    /// What holds when it is absent, as JSON, for the schema.
    pub default: Option<&'static str>,
}

/// An object with known fields; any other is an error.
pub struct Object {
    /// What it is, after "is not": `a hop`.
    pub title: &'static str,
    pub fields: &'static [Field],
    /// What holds between fields; asked after each field was checked by itself.
    pub rule: Option<Rule>,
}

/// A check of one object's fields against each other.
pub type Rule = fn(&Map<String, Value>, &Path<'_>, &mut Findings);

/// No rule beyond length.
pub fn any_text(_: &str) -> Result<(), Option<String>> {
    Ok(())
}

/// Printable ASCII: what may go into a header.
pub fn printable(text: &str) -> Result<(), Option<String>> {
    match text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        true => Ok(()),
        false => Err(None),
    }
}

/// A description: any text of reasonable length.
pub const PROSE: Text = Text {
    min: 0,
    max: 2000,
    pattern: None,
    expect: "a text of at most 2000 characters",
    check: any_text,
    hidden: false,
};

/// `$schema`, by which editors find the schema. Allowed at the top of every document, and not read.
pub const SCHEMA_FIELD: Field =
    Field::new("$schema", Shape::Text(&PROSE), "Where the schema of this document is, for editors.");

impl Field {
    /// An optional field.
    pub const fn new(name: &'static str, shape: Shape, about: &'static str) -> Field {
        Field { name, shape, required: false, about, default: None }
    }

    /// The same, required.
    pub const fn required(mut self) -> Field {
        self.required = true;
        self
    }

    /// The same, with its default (JSON).
    pub const fn or(mut self, default: &'static str) -> Field {
        self.default = Some(default);
        self
    }
}

impl Shape {
    /// Checks a value, and adds everything that is wrong to `findings`.
    pub fn check(&self, value: &Value, path: &Path<'_>, findings: &mut Findings) {
        match (self, value) {
            (Shape::Any, _) | (Shape::Null, Value::Null) | (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Named { shape, .. }, _) => shape.check(value, path, findings),
            (Shape::Either(shapes), _) => match shapes.iter().find(|shape| shape.is_for(value)) {
                Some(shape) => shape.check(value, path, findings),
                None => self.mismatch(value, path, findings),
            },
            (Shape::Integer { min, max }, Value::Number(number)) => match number.as_u64() {
                Some(n) if (*min..=*max).contains(&n) => {}
                _ if number.is_f64() => self.mismatch(value, path, findings),
                _ => findings.error(path, format!("{number} is not in {min}..={max}")),
            },
            (Shape::Number { min, max }, Value::Number(number)) => match number.as_f64() {
                Some(n) if (*min..=*max).contains(&n) => {}
                _ => findings.error(path, format!("{number} is not in {min}..={max}")),
            },
            (Shape::Word(words), Value::String(word)) if words.contains(&word.as_str()) => {}
            (Shape::Text(text), Value::String(written)) => text.check(written, path, findings),
            (Shape::List { of, min, max }, Value::Array(list)) => check_list(list, of, *min..=*max, path, findings),
            (Shape::Object(object), Value::Object(map)) => object.check(map, path, findings),
            (Shape::Map { key, of, max }, Value::Object(map)) => check_map(map, key, of, *max, path, findings),
            (
                Shape::Null
                | Shape::Bool
                | Shape::Integer { .. }
                | Shape::Number { .. }
                | Shape::Word(_)
                | Shape::Text(_)
                | Shape::List { .. }
                | Shape::Object(_)
                | Shape::Map { .. },
                _,
            ) => self.mismatch(value, path, findings),
        }
    }

    fn mismatch(&self, value: &Value, path: &Path<'_>, findings: &mut Findings) {
        let hidden = matches!(self, Shape::Text(text) if text.hidden);
        let value = if hidden { "the value".to_owned() } else { shown(value) };
        findings.error(path, format!("{value} is not {self}"));
    }

    /// Whether a value is of this shape's JSON type, so that its rules are the ones to judge it by.
    fn is_for(&self, value: &Value) -> bool {
        match self {
            Shape::Any => true,
            Shape::Null => value.is_null(),
            Shape::Bool => value.is_boolean(),
            Shape::Integer { .. } | Shape::Number { .. } => value.is_number(),
            Shape::Word(_) | Shape::Text(_) => value.is_string(),
            Shape::List { .. } => value.is_array(),
            Shape::Object(_) | Shape::Map { .. } => value.is_object(),
            Shape::Either(shapes) => shapes.iter().any(|shape| shape.is_for(value)),
            Shape::Named { shape, .. } => shape.is_for(value),
        }
    }
}

/// What was expected, as it stands after "is not".
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Any => f.write_str("JSON"),
            Shape::Null => f.write_str("null"),
            Shape::Bool => f.write_str("true or false"),
            Shape::Integer { min, max } => write!(f, "an integer in {min}..={max}"),
            Shape::Number { min, max } => write!(f, "a number in {min}..={max}"),
            Shape::Word(words) => write!(f, "one of {}", words.join(", ")),
            Shape::Text(text) => f.write_str(text.expect),
            Shape::List { min, max, .. } => write!(f, "a list of {min} to {max}"),
            Shape::Object(object) => f.write_str(object.title),
            Shape::Map { .. } => f.write_str("an object"),
            Shape::Named { shape, .. } => shape.fmt(f),
            Shape::Either(shapes) => {
                for (i, shape) in shapes.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", or " };
                    write!(f, "{separator}{shape}")?;
                }
                Ok(())
            }
        }
    }
}

impl Text {
    fn check(&self, written: &str, path: &Path<'_>, findings: &mut Findings) {
        let shown = if self.hidden { "the value".to_owned() } else { quoted(written) };
        let length = written.chars().count();
        let verdict = match (self.min..=self.max).contains(&length) {
            true => (self.check)(written),
            false if length > self.max => {
                Err(Some(format!("{shown} has {length} characters, more than the {} of {}", self.max, self.expect)))
            }
            false => Err(None),
        };
        match verdict {
            Ok(()) => {}
            Err(Some(message)) => findings.error(path, message),
            Err(None) => findings.error(path, format!("{shown} is not {}", self.expect)),
        }
    }
}

impl Object {
    fn check(&self, map: &Map<String, Value>, path: &Path<'_>, findings: &mut Findings) {
        for (name, value) in map {
            match self.fields.iter().find(|field| field.name == name) {
                Some(field) => field.shape.check(value, &path.field(name), findings),
                None => self.unknown(name, path, findings),
            }
        }
        for field in self.fields.iter().filter(|field| field.required && !map.contains_key(field.name)) {
            findings.error(path.field(field.name), format!("is missing; expected {}", field.shape));
        }
        if let Some(rule) = self.rule {
            rule(map, path, findings);
        }
    }

    fn unknown(&self, name: &str, path: &Path<'_>, findings: &mut Findings) {
        let names: Vec<&str> = self.fields.iter().map(|field| field.name).filter(|name| *name != "$schema").collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => String::new(),
        };
        let message =
            format!("{} is not a field of {}; expected one of {}", quoted(name), self.title, names.join(", "));
        findings.error_with_hint(path.field(name), message, hint);
    }
}

fn check_list(
    list: &[Value],
    of: &Shape,
    range: std::ops::RangeInclusive<usize>,
    path: &Path<'_>,
    findings: &mut Findings,
) {
    if !range.contains(&list.len()) {
        let message = format!("{} entries are not in {}..={}", list.len(), range.start(), range.end());
        findings.error(path, message);
    }
    for (i, value) in list.iter().enumerate().take(*range.end()) {
        of.check(value, &path.index(i), findings);
    }
}

fn check_map(map: &Map<String, Value>, key: &Text, of: &Shape, max: usize, path: &Path<'_>, findings: &mut Findings) {
    if map.len() > max {
        findings.error(path, format!("{} entries are more than the {max} allowed", map.len()));
    }
    for (name, value) in map.iter().take(max) {
        let path = path.field(name);
        key.check(name, &path, findings);
        of.check(value, &path, findings);
    }
}

/// The candidate that a misspelt name most likely meant: nearly the same, or the same but for case.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        // Of a short name half must be right: what else is near it is any other short name.
        .filter(|(distance, candidate)| {
            let longer = name.len().max(candidate.len());
            *distance <= 1 + longer / 3 && *distance * 2 <= longer
        })
        .min()
        .map(|(_, candidate)| candidate)
}
