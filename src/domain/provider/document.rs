//! KV `provider:<name>`: a provider of one's own, or changes to a built-in one.
//!
//! ```json
//! {"base_url": "https://llm.example.com/v1", "dialect": "openai",
//!  "auth": {"header": "authorization", "scheme": "Bearer", "secret": "EXAMPLE_API_KEY"},
//!  "headers": {"x-team": "a"}, "routes": ["chat", "embeddings"],
//!  "errors": [{"status": 400, "contains": "capacity", "class": "overloaded"}]}
//! ```
//! Without `auth` it needs no key, but for a built-in provider: that has its own secret at its own host, and must name another
//! elsewhere.

use super::address::{BaseUrl, is_loopback_name};
use super::header_names::{is_auth, is_plumbing, is_token};
use super::table::{self, Dialect, Row};
use super::{DocumentAuth, Provider};
use crate::domain::classify::ErrorRule;
use crate::domain::document::path::quoted;
use crate::domain::document::shape::{self, Field, Object, PROSE, SCHEMA_FIELD, Shape, Text};
use crate::domain::document::{BadDocument, Findings, Kind, Path, json};
use crate::domain::outcome::Class;
use crate::domain::route;
use crate::domain::target::is_provider_name;
use serde_json::Value;
use std::borrow::Cow;

/// Classes that an upstream's answer can have; `cancelled` is the client's doing.
const CLASSES: [&str; 15] = [
    "rate_limited",
    "quota_exhausted",
    "overloaded",
    "server_error",
    "timeout",
    "unreachable",
    "malformed",
    "interrupted",
    "auth",
    "forbidden",
    "not_found",
    "context_length",
    "content_policy",
    "unsupported",
    "invalid_request",
];

const SECRET_NAME: &str = "the name of a secret ([A-Z][A-Z0-9_]*_API_KEY)";
const SECRET: Text = Text {
    min: 9,
    max: 128,
    pattern: Some("^[A-Z][A-Z0-9_]*_API_KEY$"),
    expect: SECRET_NAME,
    check: |text| match (is_secret_name(text), is_like_a_name(text)) {
        (true, _) => Ok(()),
        (false, true) => Err(Some(format!("{} is not {}", quoted(text), SECRET_NAME))),
        (false, false) => Err(None),
    },
    // Someone may have put the key itself where its secret is named.
    hidden: true,
};

const HEADER: Text = Text {
    min: 1,
    max: 128,
    pattern: Some("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"),
    expect: "the name of a header",
    check: |text| match is_token(text) {
        true => Ok(()),
        false => Err(None),
    },
    hidden: false,
};

const AUTH_HEADER: Text = Text {
    expect: "the name of a header that may carry a key",
    check: |text| match is_token(text) && !is_plumbing(&text.to_ascii_lowercase()) {
        true => Ok(()),
        false => Err(None),
    },
    ..HEADER
};

const AUTH_SCHEME: Text = Text {
    min: 0,
    max: 64,
    pattern: Some("^[A-Za-z0-9!#$%&'*+.^_`|~-]*$"),
    expect: "a word such as Bearer, or empty",
    check: |text| match text.is_empty() || is_token(text) {
        true => Ok(()),
        false => Err(None),
    },
    hidden: false,
};

const HEADER_VALUE: Text = Text {
    min: 0,
    max: 4096,
    pattern: Some("^[ -~]*$"),
    expect: "up to 4096 printable ASCII characters",
    check: shape::printable,
    hidden: true,
};

const SIGNAL: Text = Text { min: 1, max: 500, expect: "a text of 1 to 500 characters", ..PROSE };

const URL: Text = Text {
    min: 1,
    max: 2048,
    pattern: Some("^https?://"),
    expect: "a URL (https://host/path)",
    check: shape::any_text,
    hidden: false,
};

static AUTH: Object = Object {
    title: "auth",
    rule: None,
    fields: &[
        Field::new(
            "header",
            Shape::Text(&AUTH_HEADER),
            "The header that carries the key; a built-in provider's own, else x-api-key for anthropic, authorization for openai.",
        ),
        Field::new(
            "scheme",
            Shape::Either(&[Shape::Text(&AUTH_SCHEME), Shape::Null]),
            "The word before the key: Bearer for authorization, none for any other header.",
        ),
        Field::new("secret", Shape::Text(&SECRET), "The Worker's secret that holds the key.").required(),
    ],
};

static ERROR: Object = Object {
    title: "an error rule",
    rule: Some(|rule, path, findings| {
        if !rule.contains_key("status") && !rule.contains_key("contains") {
            findings.error(path, "an error rule without a signal is not allowed; expected status, contains, or both");
        }
    }),
    fields: &[
        Field::new("status", Shape::Integer { min: 100, max: 599 }, "Holds for this status only."),
        Field::new("contains", Shape::Text(&SIGNAL), "Holds when the body contains this, letter case aside."),
        Field::new("class", Shape::Word(&CLASSES), "What it means.").required(),
    ],
};

/// A provider document.
pub static PROVIDER: Shape = Shape::Object(&PROVIDER_FIELDS);
static PROVIDER_FIELDS: Object = Object {
    title: "a provider",
    rule: None,
    fields: &[
        SCHEMA_FIELD,
        Field::new("description", Shape::Text(&PROSE), "For people."),
        Field::new(
            "base_url",
            Shape::Text(&URL),
            "Followed by the route's path without its /v1. Required but for a built-in provider.",
        ),
        Field::new(
            "dialect",
            Shape::Word(&["openai", "anthropic"]),
            "What it speaks; a built-in provider's own, else openai.",
        ),
        Field::new(
            "auth",
            Shape::Either(&[Shape::Object(&AUTH), Shape::Null]),
            "How its key travels; without, it needs none.",
        ),
        Field::new("headers", Shape::Map { key: &HEADER, of: &Shape::Text(&HEADER_VALUE), max: 32 }, "Added to calls."),
        Field::new(
            "routes",
            Shape::List { of: &Shape::Word(&route::NAMES), min: 1, max: route::NAMES.len() },
            "What it serves; by default what the dialect has.",
        ),
        Field::new(
            "errors",
            Shape::List { of: &Shape::Object(&ERROR), min: 0, max: 100 },
            "Its own classification, read before the built-in one.",
        ),
    ],
};

/// Reads a stored provider. `own_host` is this Worker's own host, with its port where it has one.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(name: &str, bytes: &[u8], own_host: Option<&str>) -> Result<Provider, BadDocument> {
    let bad =
        |findings: Findings| BadDocument { kind: Kind::Provider, name: name.to_owned(), findings: findings.into_vec() };
    let value = json::parse(bytes, Kind::Provider, "").map_err(bad)?;
    let mut findings = Findings::new();
    if !is_provider_name(name) {
        let message =
            format!("{} is not a provider name ([a-z0-9][a-z0-9-]{{0,31}}, not policy, rule, request)", quoted(name));
        findings.error("", message);
    }
    PROVIDER.check(&value, &Path::ROOT, &mut findings);
    let row = table::row(name);
    let base_url = base_url(&value, row, own_host, &mut findings);
    check_secret(&value, row, base_url.as_ref(), &mut findings);
    check_headers(&value, &mut findings);
    findings.into_result(Kind::Provider, name, || read(name, &value, row, base_url))
}

fn base_url(
    value: &Value,
    row: Option<&'static Row>,
    own_host: Option<&str>,
    findings: &mut Findings,
) -> Option<BaseUrl> {
    match (value.get("base_url").and_then(Value::as_str), row) {
        (Some(written), _) => {
            BaseUrl::parse(written, own_host).map_err(|message| findings.error("base_url", message)).ok()
        }
        (None, None) if value.is_object() && value.get("base_url").is_none() => {
            findings.error("base_url", format!("is missing; expected {}", URL.expect));
            None
        }
        (None, _) => None,
    }
}

/// A built-in provider's secret goes to that provider's own host only, and another `base_url` must name its own. (On this machine
/// servers need no key.)
fn check_secret(value: &Value, row: Option<&'static Row>, base_url: Option<&BaseUrl>, findings: &mut Findings) {
    let Some(secret) = value["auth"]["secret"].as_str() else {
        if let (Some(row), Some(base_url)) = (row.filter(|row| !row.secrets.is_empty()), base_url)
            && value["auth"].get("secret").is_none()
            && !is_home(row, base_url)
            && !is_loopback_name(base_url.host())
        {
            let message = format!("is missing: {}'s own goes to its own host only; expected {SECRET_NAME}", row.name);
            findings.error("auth.secret", message);
        }
        return;
    };
    let Some(owner) = table::owner_of_secret(secret) else { return };
    let at_home = match base_url {
        Some(base_url) => is_home(owner, base_url),
        None => row.is_some_and(|row| row.name == owner.name),
    };
    if !at_home {
        let message = format!(
            "{} goes to {}'s own host only; expected a secret of this provider's own",
            quoted(secret),
            owner.name
        );
        findings.error("auth.secret", message);
    }
}

/// Whether a base URL lies at a built-in provider's own host. Of a template, only the region may vary: an account's host is
/// only that of the account in the variables.
fn is_home(row: &Row, base_url: &BaseUrl) -> bool {
    let host = row.base_url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    base_url.as_str().starts_with("https://")
        && match host.split_once("{region}") {
            Some((before, after)) => {
                base_url.host().strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|region| {
                    !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                })
            }
            None if host == "{vertex_host}" => {
                let own = base_url.host();
                own == "aiplatform.googleapis.com"
                    || own.strip_suffix("-aiplatform.googleapis.com").is_some_and(|region| !region.contains('.'))
            }
            None => host == base_url.host(),
        }
}

/// `headers` may not set authentication, cookies, the host, or what belongs to the connection.
fn check_headers(value: &Value, findings: &mut Findings) {
    let auth = value["auth"]["header"].as_str().unwrap_or_default().to_ascii_lowercase();
    let path = Path::ROOT.field("headers");
    let mut seen: Vec<String> = Vec::new();
    for name in value["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let lower = name.to_ascii_lowercase();
        let why = match () {
            () if is_plumbing(&lower) => "it is a cookie, or set by the connection, the platform or this gateway",
            () if is_auth(&lower) || lower == auth => "it carries a key, which auth says",
            () => "",
        };
        if !why.is_empty() {
            findings.error(path.field(name), format!("{} may not be set: {why}", quoted(name)));
        }
        if seen.contains(&lower) {
            findings.error(path.field(name), format!("{} is given twice", quoted(&lower)));
        }
        seen.push(lower);
    }
}

/// `[A-Z][A-Z0-9_]*_API_KEY`
fn is_secret_name(text: &str) -> bool {
    text.strip_suffix("_API_KEY").is_some_and(|stem| {
        stem.starts_with(|c: char| c.is_ascii_uppercase())
            && stem.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// Words joined by underscores, in one case: no key is written so.
fn is_like_a_name(text: &str) -> bool {
    let of = |is: fn(u8) -> bool| text.bytes().all(|byte| byte == b'_' || is(byte));
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    text.contains('_') && (of(|byte| byte.is_ascii_lowercase()) || of(upper))
}

// From here on the table has been checked.

fn read(name: &str, value: &Value, row: Option<&'static Row>, base_url: Option<BaseUrl>) -> Provider {
    let row_keys = row.is_some_and(|row| base_url.as_ref().is_none_or(|base_url| is_home(row, base_url)));
    let written = match value["dialect"].as_str() {
        Some("anthropic") => Some(Dialect::Anthropic),
        Some(_) => Some(Dialect::OpenAi),
        None => None,
    };
    let dialect = written.or(row.map(|row| row.dialect)).unwrap_or(Dialect::OpenAi);
    Provider {
        name: name.to_owned(),
        row,
        dialect,
        routes: routes(value, written, row),
        auth: auth(value),
        row_keys,
        headers: headers(value),
        errors: errors(value),
        base_url,
    }
}

fn routes(value: &Value, dialect: Option<Dialect>, row: Option<&'static Row>) -> Vec<Cow<'static, str>> {
    if let Some(list) = value["routes"].as_array() {
        let name = |value: &Value| value.as_str().map(|name| Cow::Owned(name.to_owned()));
        return list.iter().filter_map(name).collect();
    }
    let names = match (dialect, row) {
        (Some(Dialect::Anthropic), _) => table::ANTHROPIC_ROUTES,
        (None, Some(row)) => row.routes,
        (_, _) => table::OPENAI_ROUTES,
    };
    names.iter().map(|name| Cow::Borrowed(*name)).collect()
}

fn auth(value: &Value) -> Option<DocumentAuth> {
    let auth = value.get("auth")?.as_object()?;
    let header = auth.get("header").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let scheme = auth.get("scheme").map(|scheme| scheme.as_str().unwrap_or_default().to_owned());
    let secret = auth.get("secret").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(DocumentAuth { header, scheme, secret })
}

fn headers(value: &Value) -> Vec<(String, String)> {
    let fields = value["headers"].as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn errors(value: &Value) -> Vec<ErrorRule> {
    let rules = value["errors"].as_array().into_iter().flatten();
    rules
        .filter_map(|rule| {
            Some(ErrorRule {
                status: rule["status"].as_u64().and_then(|status| u16::try_from(status).ok()),
                contains: rule["contains"].as_str().map(str::to_owned),
                class: Class::parse(rule["class"].as_str()?)?,
            })
        })
        .collect()
}
