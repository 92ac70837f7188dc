//! Model references: what a client, a policy or a rule may name as `model`.
//!
//! ```text
//! policy/<name>                 a stored policy
//! provider/model[@region]       one upstream model; `model` may contain slashes
//! provider:model                the same, when the part before the first colon is a known provider (gemini: is google)
//! model, ft:...                 a bare model, taken as DEFAULT_PROVIDER/model
//! ```

use std::fmt;

/// One upstream model: `provider/model[@region]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Provider name, `[a-z0-9][a-z0-9-]{0,31}`.
    pub provider: String,
    /// The model's name as the owner writes it (the catalogue may give another `id` for the wire).
    pub model: String,
    /// Region, for `bedrock`, `azure` and `vertex` only.
    pub region: Option<String>,
}

/// What a `model` string names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ModelRef {
    /// `policy/<name>`
    Policy(String),
    /// One upstream model.
    Target(Target),
}

/// Why a `model` string is none: each maps to one error code of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadModel {
    /// Empty, over 256 characters, or with a character that is not allowed (400 `invalid_model`).
    Invalid(String),
    /// The provider before the slash is neither built in nor configured (400 `unknown_provider`).
    UnknownProvider(String),
    /// `policy/` followed by a name that no policy can have (400 `invalid_model`).
    BadPolicyName(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)?;
        match &self.region {
            Some(region) => write!(f, "@{region}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelRef::Policy(name) => write!(f, "policy/{name}"),
            ModelRef::Target(target) => target.fmt(f),
        }
    }
}

/// Providers whose models take a region after the last `@`.
pub const REGIONAL: [&str; 3] = ["bedrock", "azure", "vertex"];

/// Names that no provider may have.
pub const RESERVED: [&str; 3] = ["policy", "rule", "request"];

impl ModelRef {
    /// Reads a model reference. `known` answers whether a provider of that name exists (built in or in KV).
    ///
    /// # Errors
    /// [`BadModel`], in the order: characters and length, policy name, provider.
    pub fn parse(text: &str, default_provider: &str, known: impl Fn(&str) -> bool) -> Result<ModelRef, BadModel> {
        check_characters(text)?;
        if let Some(name) = text.strip_prefix("policy/") {
            return match is_policy_name(name) {
                true => Ok(ModelRef::Policy(name.to_owned())),
                false => Err(BadModel::BadPolicyName(name.to_owned())),
            };
        }
        let (provider, model) = split(text, default_provider, &known)?;
        let (model, region) = split_region(&provider, model);
        match model {
            "" => Err(BadModel::Invalid(format!("{text:?} names no model after its provider"))),
            // As a segment of a URL's path each would be taken out of it, and the call go to another route of the provider.
            "." | ".." => Err(BadModel::Invalid(format!("{text:?}: a model is not called {model}"))),
            model => Ok(ModelRef::Target(Target { provider, model: model.to_owned(), region })),
        }
    }
}

/// 1 to 256 printable ASCII characters without space, quote, comma or semicolon.
fn check_characters(text: &str) -> Result<(), BadModel> {
    if text.is_empty() || text.len() > 256 {
        return Err(BadModel::Invalid(format!(
            "a model has 1 to 256 characters, this one has {}",
            text.chars().count()
        )));
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | ',' | ';')) {
        Some(c) => Err(BadModel::Invalid(format!("{text:?}: {c:?} is not allowed in a model name"))),
        None => Ok(()),
    }
}

fn split<'a>(
    text: &'a str,
    default_provider: &str,
    known: impl Fn(&str) -> bool,
) -> Result<(String, &'a str), BadModel> {
    // The names of models tuned at OpenAI, whatever else they hold.
    if text.starts_with("ft:") {
        return Ok((default_provider.to_owned(), text));
    }
    if let Some((before, after)) = text.split_once(':')
        && !before.contains('/')
    {
        let provider = before_colon(before);
        if known(provider) {
            return Ok((provider.to_owned(), after));
        }
    }
    match text.split_once('/') {
        Some((provider, model)) if known(provider) => Ok((provider.to_owned(), model)),
        Some((provider, _)) => Err(BadModel::UnknownProvider(provider.to_owned())),
        None => Ok((default_provider.to_owned(), text)),
    }
}

/// The provider that a name before a colon means.
pub fn before_colon(name: &str) -> &str {
    if name == "gemini" { "google" } else { name }
}

/// `@region` counts only where regions exist, and never as `@default` or `@latest` (versions of Vertex models).
fn split_region<'a>(provider: &str, model: &'a str) -> (&'a str, Option<String>) {
    match model.rsplit_once('@') {
        Some((name, region)) if REGIONAL.contains(&provider) && is_region(region) => (name, Some(region.to_owned())),
        _ => (model, None),
    }
}

/// A target's text without its region; `None` where it has none.
pub fn without_region(target: &str) -> Option<&str> {
    let (provider, model) = target.split_once('/')?;
    match split_region(provider, model) {
        (model, Some(_)) => target.get(..provider.len() + 1 + model.len()),
        (_, None) => None,
    }
}

fn is_region(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !matches!(text, "default" | "latest")
}

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
pub fn is_policy_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// `[a-z0-9][a-z0-9-]{0,31}`, and not reserved.
pub fn is_provider_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !RESERVED.contains(&text)
}
