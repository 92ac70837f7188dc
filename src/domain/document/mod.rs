//! Documents that people write: policies, providers, models, rules, keys, and the overrides of one request.
//!
//! All of them are read the same way, and every mistake is found, not only the first:
//!
//! ```text
//! bytes --json::parse--> Value          size, depth, duplicate keys
//! Value --Shape::check--> findings      types, ranges, words, unknown and missing fields, each with its path
//! Value --file.rs, ...--> typed value   only when no finding is an error
//! Shape --schema::render--> JSON Schema the same table, for editors
//! ```
//!
//! Wording lives here, so that it is the same everywhere: `<kind> "<name>": <path>: <value> is not <expectation>`.

pub mod json;
pub mod path;
pub mod schema;
pub mod shape;

use serde::{Deserialize, Serialize};
use std::fmt;

pub use path::Path;
pub use shape::{Field, Object, Shape, Text};

/// How much a finding weighs: a document with an `error` is not stored and not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
    Info,
}

/// One thing to say about a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// Where: `chain[1].timeouts.headers_ms`; empty for the document as a whole.
    pub path: String,
    /// What is wrong, with the value and what was expected: `11 is not in 0..=10`.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// What was found, in the order of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

/// Findings kept of one document: enough to mend it, and no more than a reply should hold.
pub const MAX_FINDINGS: usize = 100;

impl Findings {
    /// Nothing found yet.
    pub fn new() -> Findings {
        Findings::default()
    }

    /// Adds one, unless there are [`MAX_FINDINGS`] already.
    pub fn push(&mut self, finding: Finding) {
        if self.0.len() < MAX_FINDINGS {
            self.0.push(finding);
        }
    }

    /// Something that makes the document unusable.
    pub fn error(&mut self, path: impl fmt::Display, message: impl Into<String>) {
        self.error_with_hint(path, message, "");
    }

    /// The same, with what to do about it.
    pub fn error_with_hint(&mut self, path: impl fmt::Display, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, path, message, hint);
    }

    /// Something of any severity.
    pub fn add(
        &mut self,
        severity: Severity,
        path: impl fmt::Display,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Finding { severity, path: path.to_string(), message: message.into(), hint: hint.into() });
    }

    /// Whether the document cannot be used.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All of them, in the order of the document.
    pub fn as_slice(&self) -> &[Finding] {
        &self.0
    }

    /// All of them, in the order of the document.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// `Ok` when nothing found is an error, else the document's error.
    ///
    /// # Errors
    /// [`BadDocument`] with everything found.
    pub fn into_result<T>(self, kind: Kind, name: &str, value: impl FnOnce() -> T) -> Result<T, BadDocument> {
        match self.has_errors() {
            true => Err(BadDocument { kind, name: name.to_owned(), findings: self.0 }),
            false => Ok(value()),
        }
    }
}

/// The kinds of stored documents, and the one a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Policy,
    Provider,
    Models,
    Rules,
    Key,
    /// Overrides in a request's body or header; its paths begin with the field that carries them.
    Request,
}

impl Kind {
    /// The word that begins its messages.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Policy => "policy",
            Kind::Provider => "provider",
            Kind::Models => "models",
            Kind::Rules => "rules",
            Kind::Key => "key",
            Kind::Request => "request",
        }
    }

    /// What its keys in the store begin with; all of the key for the kinds of which there is one.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Policy => "policy:",
            Kind::Provider => "provider:",
            Kind::Key => "key:",
            Kind::Models => "models",
            Kind::Rules => "rules",
            // In no store.
            Kind::Request => "",
        }
    }

    /// The store's key of one. `name` is empty for the kinds of which there is one, and the key's id for a key.
    pub fn key(self, name: &str) -> String {
        [self.prefix(), name].concat()
    }

    /// The code of the error that a bad one in the store becomes.
    pub const fn error_code(self) -> &'static str {
        match self {
            Kind::Policy => "policy_invalid",
            Kind::Provider => "provider_invalid",
            Kind::Models => "models_invalid",
            Kind::Rules => "rules_invalid",
            Kind::Key => "key_invalid",
            Kind::Request => "invalid_request",
        }
    }

    /// The most bytes that one may have: far more than a sensible one needs, and little enough to read on every change.
    pub const fn max_bytes(self) -> usize {
        match self {
            Kind::Policy | Kind::Provider | Kind::Key => 128 << 10,
            Kind::Request => 64 << 10,
            Kind::Models | Kind::Rules => 1 << 20,
        }
    }
}

/// A document that cannot be used, with everything that was found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDocument {
    pub kind: Kind,
    /// Empty for documents of which there is one (`rules`, `models`).
    pub name: String,
    /// At least one of severity `error`.
    pub findings: Vec<Finding>,
}

impl BadDocument {
    /// A document with one thing wrong.
    pub fn new(kind: Kind, name: &str, path: impl fmt::Display, message: impl Into<String>) -> BadDocument {
        let mut findings = Findings::new();
        findings.error(path, message);
        BadDocument { kind, name: name.to_owned(), findings: findings.into_vec() }
    }

    /// The first error: the one that its message names.
    pub fn first(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.severity == Severity::Error)
    }
}

impl fmt::Display for BadDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        if let Some(first) = self.first() {
            if !first.path.is_empty() {
                write!(f, ": {}", first.path)?;
            }
            write!(f, ": {}", first.message)?;
            if !first.hint.is_empty() {
                write!(f, " ({})", first.hint)?;
            }
        }
        let others = self.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        match others {
            0 | 1 => Ok(()),
            n => write!(f, " (and {} more)", n - 1),
        }
    }
}

impl std::error::Error for BadDocument {}
