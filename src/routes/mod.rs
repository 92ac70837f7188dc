//! Thin: match a route, read a request, hand over, write one response. Compiled for the Worker alone.

pub mod admin;

use worker::{Context, Env};

/// Answers one request.
pub async fn handle(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    let _ = (request, env, context);
    Ok(web_sys::Response::error())
}
