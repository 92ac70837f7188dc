//! Who a request says it is for: user, group and any other fields, wherever it says so.
//!
//! ```text
//! strongest   understudy.metadata, or the header x-understudy
//!             metadata.understudy     a JSON string
//!             metadata.waystone       a JSON string
//!             requesty                {"user_id", "trace_id", "tags", "extra"}
//!             openpipe.tags
//!             op-tags                 a header, the same object
//!             metadata                the client's own fields
//! weakest     user                    of the body; on messages metadata.user_id
//! ```
//! Fields merge by name. A gateway key's `user` and `group` win over all of them.

use crate::domain::document::json::shown;
use crate::domain::key::KeyFile;
use crate::domain::refusal::Refusal;
use serde_json::{Map, Value};

/// The longest user or group, in characters: they are counted by, so they are kept.
pub const NAME_MAX_CHARS: usize = 256;

/// Who a request is for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub user: Option<String>,
    pub group: Option<String>,
    /// Every field that was given, `user` and `group` among them.
    pub metadata: Map<String, Value>,
}

impl Identity {
    /// The same, with what a gateway key says of user and group in place of what the request claims.
    #[must_use]
    pub fn under(mut self, key: Option<&KeyFile>) -> Identity {
        let Some(key) = key else { return self };
        for (name, field, said) in [("user", &mut self.user, &key.user), ("group", &mut self.group, &key.group)] {
            if let Some(said) = said {
                *field = Some(said.clone());
                self.metadata.insert(name.to_owned(), said.as_str().into());
            }
        }
        self
    }

    /// Adds fields that were not given by a stronger source. `path` is where they stand.
    ///
    /// # Errors
    /// 400 naming a user or group that cannot be one.
    pub(super) fn add(&mut self, fields: Map<String, Value>, path: &str) -> Result<(), Refusal> {
        for (field, value) in fields {
            if value.is_null() || self.metadata.contains_key(&field) {
                continue;
            }
            if matches!(field.as_str(), "user" | "group") {
                name(&value, &format!("{path}.{field}"))?;
            }
            self.metadata.insert(field, value);
        }
        Ok(())
    }

    /// Adds what Requesty's clients call these fields.
    pub(super) fn add_requesty(&mut self, mut fields: Map<String, Value>) -> Result<(), Refusal> {
        let extra = match fields.get("extra") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(extra)) => extra.clone(),
            Some(_) => return Err(Refusal::field("invalid_type", "requesty.extra", "expected an object")),
        };
        if let Some(user) = fields.remove("user_id").filter(|_| !self.metadata.contains_key("user")) {
            name(&user, "requesty.user_id")?;
            fields.insert("user".to_owned(), user);
        }
        self.add(fields, "requesty")?;
        self.add(extra, "requesty.extra")
    }

    /// Takes `user` and `group` out of the fields; `otherwise` is the user that the API itself names.
    pub(super) fn settle(&mut self, otherwise: Option<String>) {
        let claimed = |field| self.metadata.get(field).and_then(|value| name(value, field).ok().flatten());
        let fits = |user: &String| !user.is_empty() && user.chars().count() <= NAME_MAX_CHARS;
        self.user = claimed("user").or(otherwise.filter(fits));
        self.group = claimed("group");
    }
}

/// A user or group: text or a number; empty is none.
fn name(value: &Value, path: &str) -> Result<Option<String>, Refusal> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Refusal::field("invalid_type", path, format!("{} is not a string", shown(value))));
        }
    };
    match text.chars().count() {
        0 => Ok(None),
        1..=NAME_MAX_CHARS => Ok(Some(text)),
        n => Err(Refusal::value(path, format!("{n} characters, at most {NAME_MAX_CHARS} are taken"))),
    }
}
