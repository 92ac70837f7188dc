//! CORS, for `/v1` alone: browsers may call the API, and read what it says of its own work.

use super::{Address, auth_off, is_loopback};
use web_sys::{Headers, Request};
use worker::Env;

/// What a script may read beside the body.
const EXPOSED: &str = "x-understudy-request-id, x-understudy-policy, x-understudy-rule, x-understudy-model, \
x-understudy-attempts, x-understudy-fallback, x-understudy-degraded, x-understudy-notice, x-understudy-dropped, \
x-understudy-policy-stale, x-understudy-trail, x-understudy-hint, retry-after, x-should-retry, x-request-id, request-id";

/// Writes the headers that let the page of this request's origin read the answer; none where it may not.
pub fn allow(request: &Request, address: &Address, env: &Env, headers: &Headers) {
    let Some(origin) = origin(request) else { return };
    let _ = headers.append("vary", "Origin");
    if auth_off(env, address) && !is_loopback(host_of(&origin)) {
        return;
    }
    let _ = headers.set("access-control-allow-origin", &origin);
    let _ = headers.set("access-control-expose-headers", EXPOSED);
}

/// The answer to a preflight.
pub fn preflight(request: &Request, address: &Address, env: &Env, methods: &str) -> web_sys::Response {
    let headers = super::reply::new_headers();
    allow(request, address, env, &headers);
    if headers.has("access-control-allow-origin").unwrap_or(false) {
        let asked = request.headers().get("access-control-request-headers").ok().flatten();
        let _ = headers.set("access-control-allow-methods", methods);
        let _ = headers.set("access-control-allow-headers", asked.as_deref().unwrap_or("*"));
        let _ = headers.set("access-control-max-age", "86400");
    }
    let _ = headers.set("allow", methods);
    super::reply::response(204, &headers, &wasm_bindgen::JsValue::NULL)
}

fn origin(request: &Request) -> Option<String> {
    request.headers().get("origin").ok().flatten()
}

fn host_of(origin: &str) -> &str {
    let rest = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    match rest.rfind(':') {
        Some(colon) if !rest.ends_with(']') => &rest[..colon],
        _ => rest,
    }
}
