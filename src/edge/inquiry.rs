//! All that a plan is made of beside the stored documents: the request as it was read, its caller, and the address that was asked.

use super::keys::Caller;
use crate::domain::request::{Asked, Body, Headers};
use crate::domain::route::Route;
use worker::Env;

/// A request that is to be planned, of a client or of an operator who tries one out.
pub struct Inquiry<'a> {
    pub env: &'a Env,
    pub route: &'a Route,
    pub asked: &'a Asked,
    pub headers: &'a Headers,
    pub body: &'a Body,
    pub bytes: &'a [u8],
    pub caller: Option<&'a Caller>,
    /// [`changes`](super::documents::changes) before the first document was loaded, the caller's key among them.
    pub changes: u64,
    pub default_provider: &'a str,
    /// This Worker's own host, with its port.
    pub own_host: &'a str,
    /// Whether provider `sim` answers here.
    pub sim: bool,
}
