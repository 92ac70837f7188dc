//! Bytes to a JSON tree, with what serde's own tree forgives made an error: duplicate keys, depth, size.

use super::path::quoted;
use super::{Findings, Kind, Path};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// The deepest nesting that any document needs is under ten; readers and writers recurse no deeper than this.
pub const MAX_DEPTH: usize = 32;

/// Up to here a float tells every whole number from its neighbours: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a document's bytes into a tree. `root` is what its paths begin with (empty for a stored document).
///
/// # Errors
/// The findings, all of severity `error`: too large, no JSON, too deep, or the duplicate keys, each with its path.
pub fn parse(bytes: &[u8], kind: Kind, root: &str) -> Result<Value, Findings> {
    let mut findings = Findings::new();
    if bytes.len() > kind.max_bytes() {
        findings.error(root, format!("{} bytes are more than the {} allowed", bytes.len(), kind.max_bytes()));
        return Err(findings);
    }
    let duplicates = RefCell::new(Findings::new());
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let place = Path::Root(root);
    let tree = Tree { path: &place, depth: 0, duplicates: &duplicates };
    let value = tree.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(value) if duplicates.borrow().as_slice().is_empty() => Ok(value),
        Ok(_) => Err(duplicates.into_inner()),
        Err(error) => {
            // Nobody sees it in an editor, and some write one.
            match bytes.starts_with("\u{feff}".as_bytes()) {
                true => {
                    findings.error(root, "is not JSON: it begins with a byte order mark; save it as UTF-8 without one")
                }
                // Not a mistake in its JSON: it is more than is read.
                false if error.is_data() => findings.error(root, format!("is {error}")),
                false => findings.error(root, format!("is not JSON: {error}")),
            }
            Err(findings)
        }
    }
}

struct Tree<'a> {
    path: &'a Path<'a>,
    depth: usize,
    duplicates: &'a RefCell<Findings>,
}

impl Tree<'_> {
    fn too_deep<E: Error>(&self) -> Result<(), E> {
        match self.depth < MAX_DEPTH {
            true => Ok(()),
            false => Err(E::custom(format!("nested deeper than {MAX_DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // `1e3` and `1000.0` are integers, as JSON Schema has it: what a document's schema takes is taken here.
        match value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
            true => Ok(Value::Number((value as i64).into())),
            false => Ok(Number::from_f64(value).map_or(Value::Null, Value::Number)),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.too_deep()?;
        let mut list = Vec::new();
        loop {
            let path = self.path.index(list.len());
            let entry = Tree { path: &path, depth: self.depth + 1, duplicates: self.duplicates };
            match seq.next_element_seed(entry)? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.too_deep()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let path = self.path.field(&key);
            let value =
                access.next_value_seed(Tree { path: &path, depth: self.depth + 1, duplicates: self.duplicates })?;
            if map.contains_key(&key) {
                let message = format!("{} is given twice", quoted(&key));
                self.duplicates.borrow_mut().error(path, message);
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A value as messages show it: JSON on one line, cut short.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
