//! The headers of a call: the client's own content and tracing headers ([`forwards`] lists them), the provider's, and
//! `cdn-loop`, by which a request that comes back to this Worker is known. Never: the client's key, cookies, or anything of
//! Understudy's.

use super::glue::is_header_value;
use super::job::{Job, Ready};
use crate::domain::dialect::{Wire, betas};
use crate::domain::outcome::{Class, Failure, KeySlot};
use crate::domain::request::Body;
use crate::domain::route::Route;

/// How this Worker names itself to whoever it calls.
const CDN_LOOP: &str = "understudy";
/// The version of Anthropic's API that requests speak when the client names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// The headers of a call in the making: one value per name.
pub struct Outgoing(pub Vec<(String, String)>);

impl Outgoing {
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(have, _)| have == name) {
            Some(pair) => pair.1 = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// Sets one that must go up: a key.
    pub fn set_key(&mut self, name: &str, value: String) -> Result<(), Failure> {
        if !is_header_value(&value) {
            return Err(Failure::new(Class::Auth, "the key holds characters that no header can hold"));
        }
        self.set(name, value);
        Ok(())
    }
}

/// Whether a header of the client's goes upstream: its content and tracing headers. Its organization and project only beside
/// its own key; its Anthropic headers where the request stays in its family, and to Anthropic's wire.
fn forwards(name: &str, own_key: bool, at_home: bool) -> bool {
    match name {
        "content-type" | "accept" | "idempotency-key" | "traceparent" | "tracestate" | "user-agent" => true,
        "anthropic-version" | "anthropic-beta" => at_home,
        "openai-organization" | "openai-project" => own_key,
        name => name.starts_with("openai-"),
    }
}

/// Everything but authentication.
pub fn dressed(job: &Job, ready: &Ready, wire: Wire, slot: KeySlot) -> Outgoing {
    let anthropic = matches!(wire, Wire::Messages | Wire::Invoke | Wire::RawPredict) || job.route == Route::CountTokens;
    let at_home = anthropic || !wire.translates(&job.route);
    let forwarded = job.headers.iter().filter(|(name, _)| forwards(name, slot == KeySlot::Own, at_home));
    let forwarded = forwarded.filter_map(|(name, value)| match name {
        "anthropic-beta" => Some((name.to_owned(), betas::header(value, wire)?)),
        _ => Some((name.to_owned(), value.to_owned())),
    });
    let mut headers = Outgoing(forwarded.collect());
    if anthropic && job.headers.value("anthropic-version").is_none() {
        headers.set("anthropic-version", ANTHROPIC_VERSION);
    }
    if let Body::Json(_) = job.body {
        headers.set("content-type", "application/json");
    }
    if matches!(wire, Wire::Invoke | Wire::Converse) {
        headers.set("accept", if job.stream { "application/vnd.amazon.eventstream" } else { "application/json" });
    }
    for (name, value) in &ready.provider.headers {
        headers.set(&name.to_ascii_lowercase(), value.as_str());
    }
    headers.set("cdn-loop", CDN_LOOP);
    headers
}
