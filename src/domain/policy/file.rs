//! The policy document as written: its table is `fields.rs`, its values are read here once the table found no error.
//!
//! A model stays text until the policy is resolved: which providers exist is not this document's business.

use super::hop_text::{self, HopText};
use super::overrides::{OnOverride, Overrides, StreamOverride, TimeoutsOverride};
use super::{
    Backoff, Boundary, BreakerRules, Commit, Consent, DEADLINE, Degraded, Exhausted, KeyChoice, Param, Preset,
    RelayMode, Timeouts, Translate, UsageMode, Verdict, fields,
};
use crate::domain::document::{BadDocument, Findings, Kind, Path, Shape, json};
use crate::domain::outcome::Class;
use crate::domain::time::Span;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// One policy as written, every default of its own filled in.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    pub kind: PolicyType,
    pub description: String,
    /// Absent: the name of the policy that a request asked for.
    pub workload: Option<String>,
    /// 1 to 16.
    pub chain: Vec<HopFile>,
    pub on: OnOverride,
    pub backoff: Backoff,
    pub timeouts: Timeouts,
    pub deadline: Span,
    pub stream: StreamOverride,
    /// `None`: off.
    pub breaker: Option<BreakerRules>,
    pub consent: Consent,
    pub keep: Vec<Boundary>,
    pub exhausted: Exhausted,
    pub usage: UsageMode,
    pub translate: Translate,
}

/// How a policy goes through its chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyType {
    /// In order.
    #[default]
    Fallback,
    /// One hop drawn by weight; the rest follow, in order, as fallbacks.
    LoadBalance,
}

/// One hop as written.
#[derive(Clone, Debug)]
pub struct HopFile {
    /// `provider/model[@region]`, `policy/<name>`, `provider:model`, or a bare model.
    pub model: String,
    pub retries: Option<u32>,
    pub hedge_after: Option<Span>,
    pub key: Option<KeyChoice>,
    pub timeouts: TimeoutsOverride,
    /// 0 to 1000; 1 when not given.
    pub weight: Option<u32>,
    pub degraded: Option<Degraded>,
    pub params: Vec<Param>,
}

impl HopFile {
    /// A hop that says no more than its model.
    pub fn of(model: impl Into<String>) -> HopFile {
        HopFile {
            model: model.into(),
            retries: None,
            hedge_after: None,
            key: None,
            timeouts: TimeoutsOverride::default(),
            weight: None,
            degraded: None,
            params: Vec::new(),
        }
    }
}

/// Reads a stored policy.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(name: &str, bytes: &[u8]) -> Result<PolicyFile, BadDocument> {
    match json::parse(bytes, Kind::Policy, "") {
        Ok(value) => from_value(name, &value),
        Err(findings) => Err(BadDocument { kind: Kind::Policy, name: name.to_owned(), findings: findings.into_vec() }),
    }
}

/// Reads a policy from a tree.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_value(name: &str, value: &Value) -> Result<PolicyFile, BadDocument> {
    let mut findings = Findings::new();
    fields::POLICY.check(value, &Path::ROOT, &mut findings);
    findings.into_result(Kind::Policy, name, || read_policy(value))
}

/// The hops of a document that may be wrong otherwise, as far as their models can be read: each with its place in the chain.
pub fn legible_hops(bytes: &[u8]) -> Vec<(usize, HopFile)> {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Vec::new() };
    let models: Vec<&str> = match &value["chain"] {
        Value::Array(list) => list.iter().map(legible_model).collect(),
        chain => hop_text::models(word(chain)).collect(),
    };
    let hops = models.into_iter().take(hop_text::MAX_HOPS).enumerate();
    hops.filter(|(_, model)| hop_text::check_model(model).is_ok())
        .map(|(place, model)| (place, HopFile::of(model)))
        .collect()
}

fn legible_model(hop: &Value) -> &str {
    match hop {
        Value::Object(_) => word(&hop["model"]),
        text => hop_text::model(word(text)),
    }
}

/// Reads hops (a list of objects and strings, or one string with arrows), as a rule's or a request's `fallback` has them.
/// `None` after an error, which `findings` has then.
pub fn read_hops(value: &Value, path: &Path<'_>, findings: &mut Findings) -> Option<Vec<HopFile>> {
    checked(&fields::HOPS, value, path, findings).then(|| hops(value))
}

/// Reads the fields of a policy that rules and requests may bring, out of an object that a table was already checked against.
pub fn overrides(object: &Map<String, Value>) -> Overrides {
    let mut overrides = Overrides::default();
    for (name, value) in object {
        match name.as_str() {
            "on" => overrides.on = on(value),
            "timeouts" => overrides.timeouts = timeouts(value),
            "deadline_ms" => overrides.deadline = span(value),
            "stream" => overrides.stream = stream(value),
            "keep" => overrides.keep = keep(value),
            "consent" => overrides.consent = Some(consent(value)),
            _ => {}
        }
    }
    overrides
}

fn checked(shape: &Shape, value: &Value, path: &Path<'_>, findings: &mut Findings) -> bool {
    let mut own = Findings::new();
    shape.check(value, path, &mut own);
    let fine = !own.has_errors();
    own.into_vec().into_iter().for_each(|finding| findings.push(finding));
    fine
}

// From here on the table has been checked: a field that is absent takes its default, and none is of a wrong type.

fn read_policy(value: &Value) -> PolicyFile {
    PolicyFile {
        kind: match word(&value["type"]) {
            "load_balance" => PolicyType::LoadBalance,
            _ => PolicyType::Fallback,
        },
        description: word(&value["description"]).to_owned(),
        workload: value["workload"].as_str().map(str::to_owned),
        chain: hops(&value["chain"]),
        on: on(&value["on"]),
        backoff: backoff(&value["backoff"]),
        timeouts: timeouts(&value["timeouts"]).over(Timeouts::default()),
        deadline: span(&value["deadline_ms"]).unwrap_or(DEADLINE),
        stream: stream(&value["stream"]),
        breaker: breaker(value.get("breaker")),
        consent: consent(&value["consent"]),
        keep: keep(&value["keep"]),
        exhausted: exhausted(&value["exhausted"]),
        usage: match word(&value["usage"]) {
            "always" => UsageMode::Always,
            _ => UsageMode::AsSent,
        },
        translate: match word(&value["translate"]) {
            "strict" => Translate::Strict,
            "never" => Translate::Never,
            _ => Translate::Lenient,
        },
    }
}

fn hops(value: &Value) -> Vec<HopFile> {
    match value {
        Value::String(chain) => hop_text::parse_chain(chain).into_iter().flatten().map(from_text).collect(),
        Value::Array(list) => list.iter().filter_map(hop).collect(),
        _ => Vec::new(),
    }
}

fn hop(value: &Value) -> Option<HopFile> {
    let Value::Object(_) = value else {
        return hop_text::parse_hop(word(value)).ok().map(from_text);
    };
    Some(HopFile {
        model: word(&value["model"]).to_owned(),
        retries: small(&value["retries"]),
        hedge_after: span(&value["hedge_after_ms"]),
        key: key(&value["key"]),
        timeouts: timeouts(&value["timeouts"]),
        weight: small(&value["weight"]),
        degraded: degraded(&value["degraded"]),
        params: params(&value["params"]),
    })
}

fn from_text(text: HopText<'_>) -> HopFile {
    HopFile { retries: text.retries, ..HopFile::of(text.model) }
}

fn key(value: &Value) -> Option<KeyChoice> {
    Some(match value.as_str()? {
        "own" => KeyChoice::Own,
        "managed_then_own" => KeyChoice::ManagedThenOwn,
        "own_then_managed" => KeyChoice::OwnThenManaged,
        _ => KeyChoice::Managed,
    })
}

fn degraded(value: &Value) -> Option<Degraded> {
    match value {
        Value::Bool(true) => Some(Degraded::Yes),
        Value::Bool(false) => Some(Degraded::No),
        Value::String(notice) => Some(Degraded::Notice(notice.clone())),
        _ => None,
    }
}

fn params(value: &Value) -> Vec<Param> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .map(|(field, value)| Param {
            field: field.clone(),
            value: match value {
                Value::Null => None,
                value => RawValue::from_string(value.to_string()).ok(),
            },
        })
        .collect()
}

fn on(value: &Value) -> OnOverride {
    let mut on = OnOverride::default();
    for (name, value) in value.as_object().into_iter().flatten() {
        match (Class::parse(name), word(value)) {
            (Some(class), verdict_name) => on.classes.push((class, verdict(verdict_name))),
            (None, "strict") => on.preset = Some(Preset::Strict),
            (None, _) => on.preset = Some(Preset::Resilient),
        }
    }
    on
}

fn verdict(name: &str) -> Verdict {
    match name {
        "retry" => Verdict::Retry,
        "retry_only" => Verdict::RetryOnly,
        "next" => Verdict::Next,
        _ => Verdict::Stop,
    }
}

fn backoff(value: &Value) -> Backoff {
    let default = Backoff::default();
    Backoff {
        initial: span(&value["initial_ms"]).unwrap_or(default.initial),
        multiplier: value["multiplier"].as_f64().unwrap_or(default.multiplier),
        max: span(&value["max_ms"]).unwrap_or(default.max),
        jitter: value["jitter"].as_f64().unwrap_or(default.jitter),
        retry_after_max: span(&value["retry_after_max_ms"]).unwrap_or(default.retry_after_max),
    }
}

fn timeouts(value: &Value) -> TimeoutsOverride {
    TimeoutsOverride {
        headers: span(&value["headers_ms"]),
        first_token: span(&value["first_token_ms"]),
        idle: span(&value["idle_ms"]),
        attempt: span(&value["attempt_ms"]),
    }
}

fn stream(value: &Value) -> StreamOverride {
    StreamOverride {
        commit: value["commit"].as_str().map(|name| match name {
            "headers" => Commit::Headers,
            "first_event" => Commit::FirstEvent,
            "complete" => Commit::Complete,
            _ => Commit::FirstContent,
        }),
        buffer_max_bytes: value["buffer_max_bytes"].as_u64().and_then(|n| usize::try_from(n).ok()),
        relay: value["relay"].as_str().map(|name| match name {
            "inspect" => RelayMode::Inspect,
            _ => RelayMode::Pipe,
        }),
    }
}

fn breaker(value: Option<&Value>) -> Option<BreakerRules> {
    let default = BreakerRules::default();
    match value {
        None => Some(default),
        Some(Value::Null) => None,
        Some(value) => Some(BreakerRules {
            failures: small(&value["failures"]).unwrap_or(default.failures),
            window: span(&value["window_ms"]).unwrap_or(default.window),
            cooldown: span(&value["cooldown_ms"]).unwrap_or(default.cooldown),
            cooldown_max: span(&value["cooldown_max_ms"]).unwrap_or(default.cooldown_max),
        }),
    }
}

fn consent(value: &Value) -> Consent {
    match word(value) {
        "ask" => Consent::Ask,
        "never" => Consent::Never,
        _ => Consent::Automatic,
    }
}

fn keep(value: &Value) -> Vec<Boundary> {
    let mut keep = Vec::new();
    for name in value.as_array().into_iter().flatten() {
        let boundary = match word(name) {
            "family" => Boundary::Family,
            "provider" => Boundary::Provider,
            "region" => Boundary::Region,
            "labels" => Boundary::Labels,
            _ => Boundary::Billing,
        };
        super::overrides::add_boundaries(&mut keep, &[boundary]);
    }
    keep
}

fn exhausted(value: &Value) -> Exhausted {
    match value {
        Value::Number(status) => Exhausted::Status(status.as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(502)),
        value => match word(value) {
            "first" => Exhausted::First,
            "most_actionable" => Exhausted::MostActionable,
            _ => Exhausted::Last,
        },
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn small(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

fn span(value: &Value) -> Option<Span> {
    value.as_u64().map(Span)
}
