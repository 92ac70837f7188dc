//! A request that is refused before any plan exists: what the client is told.
//!
//! Everything that judges a request (its body, its headers, its key, the documents that govern it) refuses with one of
//! these, so that status, code and wording are decided where the fault is seen and written in one place.

use std::fmt;

/// A refusal, in the words of the API's own error shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400 to 599.
    pub status: u16,
    /// The error's `code`: stable, for programs.
    pub code: &'static str,
    /// The error's `message`: what was found where, and what was expected.
    pub message: String,
    /// The error's `param`: the field or header at fault.
    pub param: Option<String>,
    /// `<ruleset>/<rule>` of the rule that applied, for `x-understudy-rule`.
    pub rule: Option<String>,
    /// `<name>@<version>` of the policy that the request came under, for `x-understudy-policy`.
    pub policy: Option<String>,
    /// A bad edit stands of a document that it was judged by: `x-understudy-policy-stale`.
    pub stale: bool,
}

impl Refusal {
    /// A refusal that names no field.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), param: None, rule: None, policy: None, stale: false }
    }

    /// A 400 about one field or header: the message starts with its name.
    pub fn field(code: &'static str, name: &str, message: impl fmt::Display) -> Refusal {
        Refusal::new(400, code, format!("{name}: {message}")).about(name)
    }

    /// A 400 `invalid_value` about one field or header.
    pub fn value(name: &str, message: impl fmt::Display) -> Refusal {
        Refusal::field("invalid_value", name, message)
    }

    /// The same refusal with its `param` set.
    #[must_use]
    pub fn about(mut self, name: &str) -> Refusal {
        self.param = Some(name.to_owned());
        self
    }

    /// The same refusal, judged by documents of which a bad edit stands, if `stale`.
    #[must_use]
    pub fn under(mut self, stale: bool) -> Refusal {
        self.stale |= stale;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
