//! CORS, for `/v1` alone: browsers may call the API, and read what it says of its own work.

use super::reply::Reply;
use super::{Address, auth_off, name_of};
use crate::domain::provider::is_loopback_name;
use crate::domain::request::Headers;
use worker::Env;

/// What a script may read beside the body.
const EXPOSED: &str = "x-understudy-request-id, x-understudy-policy, x-understudy-rule, x-understudy-model, \
x-understudy-attempts, x-understudy-fallback, x-understudy-degraded, x-understudy-notice, x-understudy-dropped, \
x-understudy-policy-stale, x-understudy-trail, x-understudy-hint, retry-after, x-should-retry, x-request-id, request-id, \
apim-request-id, x-amzn-requestid";

/// The headers that let the page of this request's origin read the answer; none where it may not.
pub fn allowance(headers: &Headers, address: &Address, env: &Env) -> Vec<(&'static str, String)> {
    let Some(origin) = headers.value("origin") else { return Vec::new() };
    let vary = ("vary", "Origin".to_owned());
    if auth_off(env, address) && !is_loopback_name(host_of(origin)) {
        return vec![vary];
    }
    let allowed = ("access-control-allow-origin", origin.to_owned());
    vec![vary, allowed, ("access-control-expose-headers", EXPOSED.to_owned())]
}

/// The answer to a preflight.
pub fn preflight(headers: &Headers, address: &Address, env: &Env, methods: &str) -> Reply {
    let allowance = allowance(headers, address, env);
    let allowed = allowance.len() > 1;
    let reply = Reply::empty(204).saying(allowance).header("allow", methods);
    match allowed {
        true => reply
            .header("access-control-allow-methods", methods)
            .header("access-control-allow-headers", headers.value("access-control-request-headers").unwrap_or("*"))
            .header("access-control-max-age", "86400"),
        false => reply,
    }
}

/// Whether a page of another site sent the request: a browser sends it even where the page may not read the answer. What is
/// no page of the web (an extension, a program) is none of these.
pub fn is_foreign_page(origin: Option<&str>) -> bool {
    origin.is_some_and(|origin| match origin.split_once("://") {
        Some(("http" | "https", _)) => !is_loopback_name(host_of(origin)),
        Some(_) => false,
        None => true,
    })
}

fn host_of(origin: &str) -> &str {
    name_of(origin.split_once("://").map_or(origin, |(_, rest)| rest))
}
