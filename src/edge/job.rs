//! One request on its way through its chain: everything that is known before the first call and does not change after.

use super::glue::now;
use super::keys::{Credential, Kind};
use crate::domain::catalogue::Facts;
use crate::domain::dialect::{Wire, capability};
use crate::domain::ledger::row::RequestRow;
use crate::domain::outcome::Skip;
use crate::domain::policy::{Hop, Plan};
use crate::domain::provider::Provider;
use crate::domain::redact::redact_name;
use crate::domain::request::{Body, Headers, Identity, MAX_VALUES};
use crate::domain::route::Route;
use crate::domain::scripted::Drill;
use crate::domain::time::Instant;
use std::rc::Rc;
use std::sync::Arc;
use worker::Env;

/// A request with its plan.
pub struct Job {
    pub env: Env,
    pub route: Route,
    pub plan: Arc<Plan>,
    /// One per hop of the plan.
    pub ready: Rc<[Ready]>,
    pub bytes: Vec<u8>,
    pub body: Body,
    /// The client asked for a stream.
    pub stream: bool,
    /// The client's headers.
    pub headers: Rc<Headers>,
    /// The client's `signal`: aborts when it leaves, where the platform says so.
    pub signal: Option<web_sys::AbortSignal>,
    pub request_id: String,
    pub started: Instant,
    pub identity: Identity,
    pub key: Option<KeyName>,
    pub colo: Option<String>,
    /// Outcomes that targets meet in place of their real call.
    pub drill: Option<Drill>,
    /// Marks rows that stay out of the counters: `drill`, `compare` or empty.
    pub mark: String,
}

/// Which gateway key the request came with.
#[derive(Clone)]
pub struct KeyName {
    pub name: String,
    /// SHA-256 hex.
    pub id: String,
}

/// What is known of a hop before the chain starts.
pub struct Ready {
    pub provider: Rc<Provider>,
    /// `None`: the provider has no such route; the hop is skipped.
    pub wire: Option<Wire>,
    /// The model's name on the wire.
    pub model_id: String,
    pub facts: Facts,
    /// In the order of the hop's choice.
    pub credentials: Vec<Credential>,
    /// The skip to record when there is none.
    pub missing: Option<Skip>,
}

impl Job {
    /// Every key in play, to be masked wherever an upstream repeats it.
    pub fn secrets(&self) -> Vec<&str> {
        let all = self.ready.iter().flat_map(|ready| &ready.credentials);
        all.flat_map(|credential| match &credential.kind {
            Kind::None => vec![],
            Kind::Key(key) => vec![key.as_str()],
            Kind::Aws(aws) => {
                let session = aws.session_token.as_deref();
                [Some(aws.access_key_id.as_str()), Some(aws.secret_access_key.as_str()), session]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        })
        .collect()
    }

    /// About how many tokens the client's prompt has: pictures and sounds are not counted by the bytes that carry them.
    pub fn prompt_tokens(&self) -> u64 {
        match &self.body {
            // Nobody makes the request that is counted.
            Body::Json(_) if self.route == Route::CountTokens => 0,
            // On routes whose bodies are not written anew: a tree of so many is not made to guess by.
            Body::Json(envelope) if envelope.values > MAX_VALUES => capability::tokens_of(self.bytes.len()),
            Body::Json(envelope) => {
                let value = |name: &str| envelope.value(&self.bytes, name);
                capability::needs(self.route.family(), self.bytes.len(), &value).tokens
            }
            Body::Form(form) => capability::tokens_of(form.text_bytes(&self.bytes)),
        }
    }

    /// A hop of the plan, and what is known of it.
    pub fn hop(&self, index: usize) -> Option<(&Hop, &Ready)> {
        self.plan.hops.get(index).zip(self.ready.get(index))
    }

    /// The row of this request as it stands now: without its end and its attempts.
    pub fn row(&self) -> RequestRow {
        RequestRow {
            id: self.request_id.clone(),
            at: self.started.0,
            policy: self.plan.name.label(),
            version: self.plan.name.version().to_owned(),
            workload: self.plan.workload.clone(),
            route: self.route.name().to_owned(),
            asked: redact_name(self.body.model(), &self.secrets()),
            stream: self.stream,
            ms: now().since(self.started).0,
            user: self.identity.user.clone(),
            group: self.identity.group.clone(),
            key: self.key.as_ref().map(|key| key.name.clone()),
            key_id: self.key.as_ref().map(|key| key.id.clone()),
            colo: self.colo.clone(),
            mark: self.mark.clone(),
            ..RequestRow::default()
        }
    }
}
