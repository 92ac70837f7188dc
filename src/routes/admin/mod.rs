//! `/admin`: everything an operator reads and changes. The routes are in `domain/admin/table.rs`.

mod analytics;
mod candidates;
mod checks;
mod documents;
mod failure;
mod keys;
mod live;
mod metrics;
mod requests;
mod rules;
mod targets;
mod trials;

use super::reply::Reply;
use crate::domain::admin::table::{Endpoint, Found, find};
use crate::domain::admin::{openapi, query};
use crate::domain::refusal::Refusal;
use crate::edge::{admins, body};
use failure::Failure;
use serde_json::{Map, Value};
use std::fmt::Display;
use worker::Env;

/// One request to `/admin`.
pub struct Call<'a> {
    pub request: &'a web_sys::Request,
    pub method: &'a str,
    /// From `/admin` on, as the client sent it (still percent-encoded).
    pub path: &'a str,
    /// After the `?`, empty when there is none.
    pub query: &'a str,
}

/// The largest body that any admin route has a use for: a document of the largest kind, a candidate policy with its script, or
/// a client's request to be explained.
const BODY_MAX: usize = 4 << 20;

/// A request whose sender may ask it.
struct Asked<'a> {
    env: &'a Env,
    /// The admin, for the audit trail.
    who: String,
    /// Segments of the path that vary.
    segments: Vec<String>,
    params: Vec<(String, String)>,
    headers: web_sys::Headers,
    body: Vec<u8>,
}

impl Asked<'_> {
    fn segment(&self, index: usize) -> &str {
        self.segments.get(index).map_or("", String::as_str)
    }

    fn param(&self, name: &str) -> Option<&str> {
        query::param(&self.params, name)
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    /// Whether a write is only tried out. What neither says so nor the opposite is refused: taken for no, it would write.
    fn is_dry_run(&self) -> Result<bool, Failure> {
        match self.params.iter().rev().find(|(name, _)| name == "dry_run").map(|(_, value)| value.as_str()) {
            Some("1" | "true") => Ok(true),
            None | Some("0" | "false") => Ok(false),
            Some(other) => Err(bad_param("dry_run", format!("{other:?} is not one of 1, true, 0, false"))),
        }
    }

    fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // The reader's own word for what is nested deeper than it goes.
            let what = match error.to_string().strip_prefix("recursion limit exceeded") {
                Some(place) => format!("nested too deep{place}"),
                None => format!("not JSON: {error}"),
            };
            Refusal::new(400, "invalid_json", format!("the body is {what}")).into()
        })
    }
}

/// A body as an object of these fields alone: one that is misspelt is not taken for one that is absent.
fn fields(body: Value, known: &[&str]) -> Result<Map<String, Value>, Failure> {
    let Value::Object(fields) = body else {
        return Err(Refusal::new(400, "invalid_json", "the body is not a JSON object").into());
    };
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::value(name, format!("is not one of {}", known.join(", "))).into()),
        None => Ok(fields),
    }
}

/// 400: a parameter of the query, what it says, and what it may be.
fn bad_param(name: &str, message: impl Display) -> Failure {
    Refusal::field("invalid_parameter", name, message).into()
}

/// Answers a request to `/admin`, whatever it is: unknown routes and missing tokens among them.
pub async fn handle(call: Call<'_>, env: &Env) -> web_sys::Response {
    let request = call.request;
    match answer(call, env).await {
        Ok(response) => response,
        Err(failure) => {
            body::take_rest(request).await;
            failure.into_response()
        }
    }
}

async fn answer(call: Call<'_>, env: &Env) -> Result<web_sys::Response, Failure> {
    let Call { request, method, path, query } = call;
    let headers = request.headers();
    let authorization = headers.get("authorization").ok().flatten();
    let who = admins::who(env, authorization.as_deref().and_then(bearer))?;
    let (endpoint, segments) = match find(method, path) {
        Found::Endpoint(endpoint, segments) => (endpoint, segments),
        Found::WrongMethod(allow) => return Err(Failure::wrong_method(method, allow)),
        Found::Nothing => {
            let message = format!("there is no route {path}; /admin/openapi.json lists them");
            return Err(Refusal::new(404, "not_found", message).into());
        }
    };
    // Not before: a body costs memory, which nobody gets without the token.
    let stated = headers.get("content-length").ok().flatten();
    let body = body::bounded(request, stated.as_deref(), BODY_MAX).await?;
    let asked = Asked { env, who, segments, params: query::params(query), headers, body };
    if endpoint.writes() && !endpoint.can_be_tried() && asked.is_dry_run()? {
        return Err(bad_param("dry_run", format!("{method} {path} is done or not, and cannot be tried out")));
    }
    dispatch(endpoint, asked).await
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn dispatch(endpoint: Endpoint, asked: Asked<'_>) -> Result<web_sys::Response, Failure> {
    let reply = match endpoint {
        Endpoint::List(kind) => documents::list(&asked, kind).await?,
        Endpoint::Read(kind) => documents::read(&asked, kind).await?,
        Endpoint::Put(kind) => documents::put(&asked, kind).await?,
        Endpoint::Delete(kind) => documents::delete(&asked, kind).await?,
        Endpoint::Versions(kind) => documents::versions(&asked, kind).await?,
        Endpoint::Version(kind) => documents::version(&asked, kind).await?,
        Endpoint::Rollback(kind) => documents::rollback(&asked, kind).await?,
        Endpoint::Audit => documents::audit(&asked).await?,
        Endpoint::Lint => candidates::lint_answer(&asked).await?,
        Endpoint::Simulate => candidates::simulation(&asked).await?,
        Endpoint::JudgeRules => rules::judge(&asked).await?,
        Endpoint::Explain => trials::explain(&asked).await?,
        Endpoint::Compare => trials::compare(&asked).await?,
        Endpoint::Keys => keys::list(&asked).await?,
        Endpoint::CreateKey => keys::create(&asked).await?,
        Endpoint::ReadKey => keys::read(&asked).await?,
        Endpoint::ChangeKey => keys::change(&asked).await?,
        Endpoint::DeleteKey => keys::delete(&asked).await?,
        Endpoint::PutOwn => keys::put_own(&asked).await?,
        Endpoint::DeleteOwn => keys::delete_own(&asked).await?,
        Endpoint::KeyUsage => keys::usage(&asked).await?,
        Endpoint::Targets => targets::list(&asked).await?,
        Endpoint::Analytics => analytics::answer(&asked).await?,
        Endpoint::Requests => requests::list(&asked).await?,
        Endpoint::Request => requests::one(&asked).await?,
        Endpoint::Live => return live::stream(&asked),
        Endpoint::Metrics => metrics::text(&asked).await?,
        Endpoint::OpenApi => Reply::json(200, &openapi::document()),
    };
    Ok(reply.header("cache-control", "no-store").into_response())
}
