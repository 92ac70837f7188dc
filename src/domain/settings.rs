//! The deployment's variables: what each may be, what holds where one is not set, and what is said of one that cannot be used.
//!
//! A variable never stops the Worker: the most that it may be is used where it is more, else its default, and that is logged. So
//! are secrets of a form that they cannot have.

use crate::domain::crypto::Kek;
use crate::domain::ledger::query::Retention;
use crate::domain::redact::redact;
use crate::domain::time::Span;
use serde::Serialize;
use std::num::IntErrorKind;

/// Variables, as they are used.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `AUTH=off`: requests to a loopback host need no key.
    pub auth_off: bool,
    /// `SIM=on`: provider `sim` answers on a loopback host.
    pub sim_on: bool,
    /// `LEDGER_SHARDS` (default 4).
    pub ledger_shards: u32,
    /// `POLICY_TTL_MS` (default 30000): age at which an in-isolate copy of a KV value is read again.
    pub policy_ttl: Span,
    /// `DEFAULT_PROVIDER` (default `openai`): the provider of a bare model. Whether it exists is said where one is asked for.
    pub default_provider: String,
    /// `MAX_BODY_BYTES` (default 16 MiB).
    pub max_body_bytes: usize,
    /// `REQUEST_ENDPOINTS=on`: a request may name its own `base_url`.
    pub request_endpoints: bool,
    /// `LEDGER_ATTEMPTS_DAYS` (default 7), `LEDGER_MINUTES_HOURS` (48), `LEDGER_HOURS_DAYS` (90), `LEDGER_DAYS_DAYS` (730).
    pub keeps: Retention,
}

/// A variable that is not used as it stands: the fields of its log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misread {
    pub name: &'static str,
    /// What stands there, short, and masked where it looks like a key; of a secret nothing.
    pub value: String,
    pub expected: String,
    /// What is used in its place.
    pub used: String,
}

impl Settings {
    /// Reads the variables by name; `of` gives the text of one that is set, without blanks around it.
    pub fn read(of: &dyn Fn(&str) -> Option<String>) -> (Settings, Vec<Misread>) {
        let mut reader = Reader { of, misread: Vec::new() };
        let default = Retention::default();
        let settings = Settings {
            auth_off: reader.is("AUTH", "off", "keys"),
            sim_on: reader.is("SIM", "on", "off"),
            ledger_shards: reader.number("LEDGER_SHARDS", 4, 1, 1024) as u32,
            policy_ttl: Span(reader.number("POLICY_TTL_MS", 30_000, 0, Span::days(365).0)),
            default_provider: of("DEFAULT_PROVIDER").unwrap_or_else(|| "openai".into()),
            max_body_bytes: reader.number("MAX_BODY_BYTES", 16 << 20, 0, MOST_BYTES) as usize,
            request_endpoints: reader.is("REQUEST_ENDPOINTS", "on", "off"),
            keeps: Retention {
                attempts: reader.span("LEDGER_ATTEMPTS_DAYS", default.attempts, Span::days(1)),
                minutes: reader.span("LEDGER_MINUTES_HOURS", default.minutes, Span::hours(1)),
                hours: reader.span("LEDGER_HOURS_DAYS", default.hours, Span::days(1)),
                days: reader.span("LEDGER_DAYS_DAYS", default.days, Span::days(1)),
            },
        };
        for name in ["KEK", "KEK_PREVIOUS"] {
            reader.secret(name, "base64 of 32 bytes", &|text| Kek::parse(text).is_ok());
        }
        reader.secret("ADMIN_TOKENS", "alice:token,bob:token", &|text| named_tokens(text).all(|token| token.is_some()));
        (settings, reader.misread)
    }
}

/// `ADMIN_TOKENS`: each admin's name and token; `None` for what is no such pair.
pub fn named_tokens(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, token) = pair.split_once(':')?;
        let (name, token) = (name.trim(), token.trim());
        (!name.is_empty() && !token.is_empty()).then_some((name, token))
    })
}

/// More than an isolate has memory for, and no more than its machine can address.
const MOST_BYTES: u64 = 1 << 30;
/// A century: later than any row that is kept.
const MOST_DAYS: u64 = 36_500;

struct Reader<'a> {
    of: &'a dyn Fn(&str) -> Option<String>,
    misread: Vec<Misread>,
}

impl Reader<'_> {
    /// Whether the variable has the value that changes something; `default` is the other one that it may have.
    fn is(&mut self, name: &'static str, value: &str, default: &str) -> bool {
        let Some(text) = (self.of)(name) else { return false };
        if text != value && text != default {
            self.note(name, &text, format!("{value} or {default}"), default.to_owned());
        }
        text == value
    }

    /// Too much is the most. Too little is none, so that no row is deleted before the default would.
    fn number(&mut self, name: &'static str, default: u64, least: u64, most: u64) -> u64 {
        let Some(text) = (self.of)(name) else { return default };
        let given = match text.parse::<u64>() {
            // More than any number that is counted with is still the most, and not none.
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(u64::MAX),
            given => given.ok(),
        };
        let used = given.filter(|number| *number >= least).map_or(default, |number| number.min(most));
        if given != Some(used) {
            self.note(name, &text, format!("an integer, {least} to {most}"), used.to_string());
        }
        used
    }

    /// A number of days or hours, as `unit` says.
    fn span(&mut self, name: &'static str, default: Span, unit: Span) -> Span {
        let most = Span::days(MOST_DAYS).0 / unit.0;
        Span(self.number(name, default.0 / unit.0, 1, most) * unit.0)
    }

    fn secret(&mut self, name: &'static str, expected: &str, fits: &dyn Fn(&str) -> bool) {
        if let Some(text) = (self.of)(name)
            && !fits(&text)
        {
            self.misread.push(Misread {
                name,
                value: String::new(),
                expected: expected.to_owned(),
                used: String::new(),
            });
        }
    }

    fn note(&mut self, name: &'static str, text: &str, expected: String, used: String) {
        let value = redact(text, &[]).chars().take(SHOWN).collect();
        self.misread.push(Misread { name, value, expected, used });
    }
}

/// Characters of a value that a log line shows.
const SHOWN: usize = 80;
