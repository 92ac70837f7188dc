//! One request on its way through its chain: everything that is known before the first call and does not change after.

use super::bindings::Settings;
use super::keys::Credential;
use crate::domain::catalogue::Facts;
use crate::domain::dialect::Wire;
use crate::domain::outcome::Skip;
use crate::domain::plan::Identity;
use crate::domain::policy::Plan;
use crate::domain::provider::Provider;
use crate::domain::request::{Envelope, Form};
use crate::domain::route::Route;
use crate::domain::time::Instant;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use worker::{Context, Env};

/// A request with its plan.
pub struct Job {
    pub env: Env,
    pub context: Rc<Context>,
    pub settings: Rc<Settings>,
    pub route: Route,
    pub plan: Plan,
    /// One per hop of the plan.
    pub ready: Vec<Ready>,
    pub body: Vec<u8>,
    pub shape: Shape,
    /// The client asked for a stream.
    pub stream: bool,
    /// The client's headers, as the platform holds them.
    pub headers: web_sys::Headers,
    /// The client's `signal`: aborts when it leaves, where the platform says so.
    pub signal: Option<web_sys::AbortSignal>,
    pub request_id: String,
    pub ledger_id: String,
    pub started: Instant,
    /// The model as the client wrote it.
    pub asked: String,
    pub identity: Identity,
    pub key: Option<KeyName>,
    pub colo: Option<String>,
    /// Marks rows that stay out of the counters: `drill`, `compare` or empty.
    pub mark: String,
    /// The body of the last try, by what went into it: tries of one hop share it.
    pub sent: RefCell<Option<(usize, JsValue)>>,
}

/// What the body is made of.
pub enum Shape {
    Json(Envelope),
    Form(Form),
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
