//! What an encoder cannot carry: the two weights of a field, settled by the policy's `translate`.

use crate::domain::dialect::Incompatible;
use crate::domain::dialect::conversation::{Conversation, Effort, Field, Residue, Thinking};
use crate::domain::policy::Translate;
use crate::domain::redact::short;
use crate::domain::route::Family;
use serde_json::Value;

/// Paths that are listed. A client can send hundreds of thousands of fields that nobody knows, and each is looked for among them.
const PATHS_MOST: usize = 1_000;

/// Whether a value asks for nothing (0, false, an empty list): leaving it out is nobody's loss.
pub fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::String(_) => false,
    }
}

/// What an encoder leaves out: listed under `lenient`, refused under `strict`.
#[derive(Clone, Debug)]
pub struct Drops {
    mode: Translate,
    paths: Vec<String>,
}

impl Drops {
    /// An empty list under that mode.
    pub const fn new(mode: Translate) -> Drops {
        Drops { mode, paths: Vec::new() }
    }

    /// Leaves out what only biases quality.
    ///
    /// # Errors
    /// Under `strict` (and `never`) the hop cannot honour the request: [`Incompatible`] with the path.
    pub fn quality(&mut self, path: &str) -> Result<(), Incompatible> {
        match self.mode {
            // A field that nobody knows may be called anything, at any length.
            Translate::Strict | Translate::Never => Err(Incompatible(short(path))),
            Translate::Lenient => {
                if self.paths.len() < PATHS_MOST && !self.paths.iter().any(|known| known == path) {
                    self.paths.push(path.to_owned());
                }
                Ok(())
            }
        }
    }

    /// The same of a field of ours, unless it says what holds without it.
    ///
    /// # Errors
    /// As [`Drops::quality`].
    pub fn field(&mut self, from: &Conversation, field: Field) -> Result<(), Incompatible> {
        match from.is_default(field) {
            true => Ok(()),
            false => self.quality(from.name_of(field)),
        }
    }

    /// The same of a field of a tool: chat alone has them a level deeper.
    ///
    /// # Errors
    /// As [`Drops::quality`].
    pub fn tool(&mut self, from: &Conversation, field: &str) -> Result<(), Incompatible> {
        match from.family {
            Family::Chat => self.quality(&format!("tools.function.{field}")),
            Family::Responses | Family::Messages => self.quality(&format!("tools.{field}")),
        }
    }

    /// The same of a tool's schema, when it `weakens`.
    ///
    /// # Errors
    /// As [`Drops::quality`].
    pub fn schema(&mut self, from: &Conversation, weakens: bool) -> Result<(), Incompatible> {
        match (weakens, from.family) {
            (false, _) => Ok(()),
            (true, Family::Messages) => self.tool(from, "input_schema"),
            (true, Family::Chat | Family::Responses) => self.tool(from, "parameters"),
        }
    }

    /// The same of the wish that the model think, be it as much as it sees fit. One that does not is at rest already.
    ///
    /// # Errors
    /// As [`Drops::quality`].
    pub fn thinking(&mut self, from: &Conversation) -> Result<(), Incompatible> {
        let asked = match from.reasoning.wanted_effort() {
            Some(effort) => effort != Effort::None,
            None => from.reasoning.thinking == Thinking::Adaptive,
        };
        if asked { self.field(from, Field::Effort) } else { Ok(()) }
    }

    /// Settles a conversation's residue: the first semantic one ends it, the others are left out.
    ///
    /// # Errors
    /// [`Incompatible`] as above.
    pub fn residue(&mut self, conversation: &Conversation) -> Result<(), Incompatible> {
        for residue in &conversation.residue {
            if let Residue::Semantic(feature) = residue {
                return Err(Incompatible(feature.clone()));
            }
        }
        for residue in &conversation.residue {
            if let Residue::Quality(path) = residue {
                self.quality(path)?;
            }
        }
        Ok(())
    }

    /// The paths left out, in the order in which they were met.
    pub fn into_paths(self) -> Vec<String> {
        self.paths
    }
}

/// Why no hop can answer a conversation in which nothing is said.
pub fn says_no_word(from: &Conversation) -> Incompatible {
    Incompatible(if from.family == Family::Responses { "input" } else { "messages" }.to_owned())
}

/// A path as its client knows it: what encoders say of `messages` is said of `input` to a Responses client.
pub fn own_path(family: Family, path: String) -> String {
    match path.strip_prefix("messages").filter(|_| family == Family::Responses) {
        Some(".image_url.detail") => "input.input_image.detail".to_owned(),
        Some(".tool_result") => "input.function_call_output".to_owned(),
        Some(rest) if rest.starts_with('.') => format!("input{rest}"),
        Some(_) | None => path,
    }
}
