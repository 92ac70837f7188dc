//! Thin: match a route, read a request, hand over, write one response. Compiled for the Worker alone.
//!
//! ```text
//! /healthz            no storage touched
//! /v1/...             api.rs: the OpenAI and Anthropic routes, models.rs: the list of models
//! /schema/*.json      the documents' JSON Schemas
//! /admin/...          admin/: the owner's API
//! everything else     the dashboard's files, else 404
//! ```

pub mod admin;
mod api;
mod cors;
mod models;
pub mod reply;

use crate::domain::provider::is_loopback_name;
use crate::domain::refusal::Refusal;
use crate::domain::route::{self, Family};
use crate::edge::bindings::{ASSETS, settings};
use crate::edge::body;
use crate::edge::glue::{self, Head};
use reply::Reply;
use worker::{Context, Env};

/// A request's address, taken apart once.
pub struct Address {
    /// Host name without port, lower case, IPv6 in brackets.
    pub host: String,
    /// Host with port, as the client wrote it.
    pub authority: String,
    pub path: String,
    /// After the `?`, or empty.
    pub query: String,
}

/// Answers one request.
pub async fn handle(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    glue::tick();
    let head = Head::of(&request);
    let address = Address::of(&head.url);
    let path = address.path.as_str();
    if let Some(rest) = path.strip_prefix("/v1").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Ok(api::handle(&request, head, &address, rest, &env, &context).await);
    }
    let method = head.method;
    if path == "/admin" || path.starts_with("/admin/") {
        let call = admin::Call { request: &request, method: &method, path, query: &address.query };
        return Ok(admin::handle(call, &env).await);
    }
    if !matches!(method.as_str(), "GET" | "HEAD") {
        body::take_rest(&request).await;
    }
    match path {
        "/healthz" => Ok(only_get(&method, health)),
        _ if path.starts_with("/schema/") => Ok(schema(&method, path)),
        _ => assets(request, &env, path).await,
    }
}

fn health() -> web_sys::Response {
    let body = serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
    Reply::json(200, &body).into_response()
}

/// A document's JSON Schema. Editors fetch it from anywhere, so any origin may read it.
fn schema(method: &str, path: &str) -> web_sys::Response {
    let name = path.strip_prefix("/schema/").and_then(|file| file.strip_suffix(".json")).unwrap_or_default();
    let Some(text) = crate::domain::schema::text(name) else { return not_found(path) };
    only_get(method, || {
        Reply::bytes(200, "application/schema+json", text.as_bytes())
            .header("access-control-allow-origin", "*")
            .into_response()
    })
}

/// The dashboard's files. What they do not have is an unknown route.
async fn assets(request: web_sys::Request, env: &Env, path: &str) -> worker::Result<web_sys::Response> {
    let method = request.method();
    match method.as_str() {
        "GET" | "HEAD" => {}
        _ if path == "/" => return Ok(wrong_method(&method, READ_ONLY)),
        _ => return Ok(not_found(path)),
    }
    let Ok(assets) = env.assets(ASSETS) else { return Ok(not_found(path)) };
    let found = assets.fetch_request(worker::Request::from(request)).await?;
    match found.status_code() {
        404 => Ok(not_found(path)),
        _ => Ok(found.into()),
    }
}

/// What may be done to what is only read.
const READ_ONLY: &str = "GET, HEAD";

fn only_get(method: &str, answer: impl FnOnce() -> web_sys::Response) -> web_sys::Response {
    match method {
        "GET" | "HEAD" => answer(),
        _ => wrong_method(method, READ_ONLY),
    }
}

fn not_found(path: &str) -> web_sys::Response {
    let refusal = Refusal::new(404, "not_found", route::not_found(path));
    Reply::refusal(Family::Chat, &refusal, "").into_response()
}

fn wrong_method(method: &str, allow: &str) -> web_sys::Response {
    let refusal = Refusal::new(405, "method_not_allowed", format!("{method} is not allowed here; use {allow}"));
    Reply::refusal(Family::Chat, &refusal, "").header("allow", allow).into_response()
}

impl Address {
    /// Takes a request's URL apart. The platform has parsed it already: it is absolute and well formed.
    fn of(url: &str) -> Address {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        Address {
            host: name_of(authority).to_ascii_lowercase(),
            authority: authority.to_owned(),
            path: if path.is_empty() { "/".into() } else { path.to_owned() },
            query: query.to_owned(),
        }
    }

    /// Whether the request came to this machine itself: only then do `AUTH=off` and `SIM=on` act.
    pub fn is_loopback(&self) -> bool {
        is_loopback_name(&self.host)
    }
}

/// A host without its port; IPv6 keeps its brackets.
pub fn name_of(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => &authority[..colon],
        _ => authority,
    }
}

/// Whether requests need no key here.
pub fn auth_off(env: &Env, address: &Address) -> bool {
    settings(env).auth_off && address.is_loopback()
}
