//! `/v1`: the routes of the OpenAI and Anthropic APIs.
//!
//! 1. Who calls: the gateway key. 2. What is asked: body and headers, bounded. 3. Under which plan: rules, policies, what the
//! request brings itself. 4. The chain runs (`edge::drive`). 5. One response is written, and the row follows it.

use super::reply::Reply;
use super::{Address, auth_off, cors};
use crate::domain::refusal::Refusal;
use crate::domain::request::Headers;
use crate::domain::route::{Family, Route};
use crate::edge::{glue, keys};
use wasm_bindgen::JsCast;
use web_sys::{Request, Response};
use worker::{Context, Env};

/// Answers a request to `/v1`; `path` is what follows it.
pub async fn handle(request: Request, address: &Address, path: &str, env: &Env, context: &Context) -> Response {
    let methods = if path.starts_with("/models") { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
    if request.method() == "OPTIONS" {
        return cors::preflight(&request, address, env, methods);
    }
    let headers = headers_of(&request);
    let family = family_of(path, &headers);
    let _ = (context, keys::authenticate(env, &headers, auth_off(env, address)).await);
    let refusal = Refusal::new(404, "not_found", format!("there is no route /v1{path}"));
    let response = Reply::refusal(family, &refusal, "").into_response();
    cors::allow(&request, address, env, &response.headers());
    response
}

fn family_of(path: &str, headers: &Headers) -> Family {
    match Route::parse(path) {
        Some(route) => route.family(),
        None if headers.value("anthropic-version").is_some() => Family::Messages,
        None => Family::Chat,
    }
}

/// The client's headers, read in one crossing.
fn headers_of(request: &Request) -> Headers {
    let flat = glue::flat(&request.headers());
    (0..flat.length() / 2)
        .filter_map(|i| {
            let name = flat.get(2 * i).unchecked_into::<js_sys::JsString>();
            let value = flat.get(2 * i + 1).unchecked_into::<js_sys::JsString>();
            Some((String::from(name), String::from(value)))
        })
        .collect()
}
