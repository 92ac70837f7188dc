//! `/admin`: everything an operator reads and changes.

use worker::{Context, Env};

/// One request to `/admin`.
pub struct Call<'a> {
    pub method: &'a str,
    /// From `/admin` on, as the client sent it (still percent-encoded).
    pub path: &'a str,
    /// After the `?`, empty when there is none.
    pub query: &'a str,
    pub headers: &'a web_sys::Headers,
    pub body: Vec<u8>,
}

/// Answers a request to `/admin`, whatever it is: unknown routes and missing tokens among them.
pub async fn handle(call: Call<'_>, env: &Env, context: &Context) -> web_sys::Response {
    let _ = (call, env, context);
    web_sys::Response::error()
}
