//! The document of a gateway key: KV `key:<sha256 hex of the key>`.
//!
//! ```json
//! {"name": "web", "group": "acme", "user": null, "allow": ["policy/*", "openai/gpt-4o*"], "deny": [], "policy": null,
//!  "expires_at": null, "disabled": false, "own": {"anthropic": "v1...."},
//!  "budget_usd_per_day": null, "budget_usd_per_month": null}
//! ```
//! `name` alone is required. Without `allow` every model is allowed; an empty list allows none.

use litemap::LiteMap;

use chrono::DateTime;
use serde_json::Value;

use crate::domain::crypto::Sealed;
use crate::domain::document::shape::{PROSE, SCHEMA_FIELD};
use crate::domain::document::{BadDocument, Field, Findings, Kind, Object, Path, Shape, Text, json};
use crate::domain::glob::Glob;
use crate::domain::refusal::Refusal;
use crate::domain::target::{is_policy_name, is_provider_name, without_region};
use crate::domain::time::Instant;

/// One gateway key's document.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFile {
    pub name: String,
    /// Wins over what a request claims.
    pub group: Option<String>,
    /// Wins over what a request claims.
    pub user: Option<String>,
    /// Globs over `provider/model[@region]` and `policy/<name>`; a request may name and bring these alone.
    pub allow: Vec<Glob>,
    /// Globs that match no hop ever.
    pub deny: Vec<Glob>,
    /// The policy of requests that name none: its name without `policy/`.
    pub policy: Option<String>,
    pub expires_at: Option<Instant>,
    pub disabled: bool,
    /// Provider to ciphertext (`domain/crypto.rs`).
    pub own: LiteMap<String, String>,
    pub budget_usd_per_day: Option<f64>,
    pub budget_usd_per_month: Option<f64>,
}

impl KeyFile {
    /// Whether a request may name this model itself: `provider/model[@region]` or `policy/<name>`.
    pub fn allows(&self, model: &str, default_provider: &str) -> bool {
        self.allow.iter().any(|glob| glob.matches(model, default_provider))
    }

    /// Whether no hop may be this model, whoever named it. What is denied without a region is denied in every one: who asks
    /// could add it.
    pub fn denies(&self, model: &str, default_provider: &str) -> bool {
        let named = |model: &str| self.deny.iter().any(|glob| glob.matches(model, default_provider));
        named(model) || without_region(model).is_some_and(named)
    }

    /// Whether a request may name this model, and reach it: what may be told of.
    pub fn may_use(&self, model: &str, default_provider: &str) -> bool {
        self.allows(model, default_provider) && !self.denies(model, default_provider)
    }

    /// Whether it may be used now.
    ///
    /// # Errors
    /// 401 `invalid_api_key`: disabled, or expired.
    pub fn usable(&self, now: Instant) -> Result<(), Refusal> {
        if self.disabled {
            return Err(Refusal::new(401, "invalid_api_key", "this API key is disabled"));
        }
        match self.expires_at {
            Some(at) if at <= now => Err(Refusal::new(401, "invalid_api_key", "this API key has expired")),
            _ => Ok(()),
        }
    }
}

/// Reads a key's document. `id` is the key's hash, for messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(id: &str, bytes: &[u8]) -> Result<KeyFile, BadDocument> {
    let value = json::parse(bytes, Kind::Key, "").map_err(|findings| BadDocument {
        kind: Kind::Key,
        name: id.to_owned(),
        findings: findings.into_vec(),
    })?;
    let mut findings = Findings::new();
    KEY.check(&value, &Path::ROOT, &mut findings);
    findings.into_result(Kind::Key, id, || read(&value))
}

/// The document's table.
pub static KEY: Shape = Shape::Object(&FIELDS);

/// Whether a key's document has a field of that name.
pub fn is_field(name: &str) -> bool {
    FIELDS.fields.iter().any(|field| field.name == name)
}

static FIELDS: Object = Object {
    title: "a gateway key",
    rule: None,
    fields: &[
        SCHEMA_FIELD,
        Field::new("name", Shape::Text(&LABEL), "Under which it is listed and counted.").required(),
        Field::new("description", Shape::Text(&PROSE), "For people."),
        Field::new("group", Shape::Either(&[Shape::Text(&LABEL), Shape::Null]), "Wins over what a request claims."),
        Field::new("user", Shape::Either(&[Shape::Text(&LABEL), Shape::Null]), "Wins over what a request claims."),
        Field::new("allow", GLOBS, "Models that a request may name: globs.").or("[\"*\"]"),
        Field::new("deny", GLOBS, "Models that no hop may be: globs.").or("[]"),
        Field::new("policy", Shape::Either(&[Shape::Text(&POLICY), Shape::Null]), "For requests that name no policy."),
        Field::new("created_at", Shape::Either(&[Shape::Text(&TIME), Shape::Null]), "When it was made."),
        Field::new("expires_at", MOMENT, "From when on it is refused."),
        Field::new("disabled", Shape::Bool, "It is refused.").or("false"),
        Field::new(
            "own",
            Shape::Map { key: &PROVIDER, of: &Shape::Text(&SEALED), max: 64 },
            "The caller's own provider keys, sealed.",
        ),
        Field::new("budget_usd_per_day", BUDGET, "Over it, requests are refused until the day (UTC) ends."),
        Field::new("budget_usd_per_month", BUDGET, "Over it, requests are refused until the month (UTC) ends."),
    ],
};

/// RFC 3339, or Unix milliseconds up to the year 9999.
const MOMENT: Shape =
    Shape::Either(&[Shape::Text(&TIME), Shape::Integer { min: 0, max: 253_402_300_799_999 }, Shape::Null]);
const BUDGET: Shape = Shape::Either(&[Shape::Number { min: 0.0, max: 1e9 }, Shape::Null]);
const GLOBS: Shape = Shape::List { of: &Shape::Text(&GLOB), min: 0, max: 256 };

const GLOB: Text = Text {
    min: 1,
    max: 256,
    pattern: Some(r"^[!-~]+$"),
    expect: "a model or a glob over models (1 to 256 printable ASCII characters without space)",
    check: |text| if text.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(()) } else { Err(None) },
    hidden: false,
};

const LABEL: Text = Text {
    min: 1,
    max: 128,
    pattern: None,
    expect: "a name of 1 to 128 characters without control characters",
    check: |text| if text.chars().any(char::is_control) { Err(None) } else { Ok(()) },
    hidden: false,
};

const POLICY: Text = Text {
    min: 1,
    max: 71,
    pattern: Some(r"^(policy/)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    expect: "a policy (its name, or policy/<name>)",
    check: |text| if is_policy_name(bare_policy(text)) { Ok(()) } else { Err(None) },
    hidden: false,
};

const TIME: Text = Text {
    min: 20,
    max: 40,
    pattern: None,
    expect: "a time (RFC 3339, as 2027-01-31T00:00:00Z)",
    check: |text| time(text).map(|_| ()).ok_or(None),
    hidden: false,
};

const PROVIDER: Text = Text {
    min: 1,
    max: 32,
    pattern: Some("^[a-z0-9][a-z0-9-]{0,31}$"),
    expect: "a provider name ([a-z0-9][a-z0-9-]{0,31})",
    check: |text| if is_provider_name(text) { Ok(()) } else { Err(None) },
    hidden: false,
};

const SEALED: Text = Text {
    min: 1,
    max: 16_384,
    pattern: None,
    expect: "a sealed key (v1.<key id>.<nonce>.<data>)",
    check: |text| Sealed::parse(text).map(|_| ()).map_err(|_| None),
    hidden: true,
};

fn bare_policy(text: &str) -> &str {
    text.strip_prefix("policy/").unwrap_or(text)
}

fn time(text: &str) -> Option<Instant> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Instant(u64::try_from(at.timestamp_millis()).unwrap_or(0)))
}

// From here on the table has been checked.

fn read(value: &Value) -> KeyFile {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let globs = |name: &str| {
        let list = value[name].as_array()?;
        Some(list.iter().filter_map(Value::as_str).map(Glob::new).collect())
    };
    let own = value["own"].as_object().into_iter().flatten();
    KeyFile {
        name: text("name").unwrap_or_default(),
        group: text("group"),
        user: text("user"),
        allow: globs("allow").unwrap_or_else(|| vec![Glob::new("*")]),
        deny: globs("deny").unwrap_or_default(),
        policy: value["policy"].as_str().map(bare_policy).map(str::to_owned),
        expires_at: match &value["expires_at"] {
            Value::Number(ms) => ms.as_u64().map(Instant),
            other => other.as_str().and_then(time),
        },
        disabled: value["disabled"].as_bool().unwrap_or(false),
        own: own.filter_map(|(name, sealed)| Some((name.clone(), sealed.as_str()?.to_owned()))).collect(),
        budget_usd_per_day: value["budget_usd_per_day"].as_f64(),
        budget_usd_per_month: value["budget_usd_per_month"].as_f64(),
    }
}
