//! A request's body, JSON or multipart form: what both have in common.

use super::{Envelope, Form};
use crate::domain::policy::Param;
use crate::domain::refusal::Refusal;
use crate::domain::route::Route;

/// A body by position. It borrows nothing: every method takes the bytes it was read from.
#[derive(Clone, Debug)]
pub enum Body {
    Json(Envelope),
    Form(Form),
}

/// JSON values in a body that may be written anew for another family. As a tree each takes some seventy bytes, whatever it took
/// in the body, and an isolate has 128 MB for all that it does.
pub const MAX_VALUES: usize = 500_000;

fn bounded(route: &Route, envelope: Envelope) -> Result<Envelope, Refusal> {
    let is_rewritten = matches!(route, Route::Chat | Route::Responses | Route::Messages | Route::CountTokens);
    match is_rewritten && envelope.values > MAX_VALUES {
        true => {
            let message = format!("the body holds {} JSON values, at most {MAX_VALUES} are taken", envelope.values);
            Err(Refusal::new(400, "invalid_json", message))
        }
        false => Ok(envelope),
    }
}

impl Body {
    /// Reads the body of a route: a form on the multipart routes (where `images` takes JSON too), JSON on all others.
    ///
    /// # Errors
    /// 400, saying where; one of more than [`MAX_VALUES`] where a body may be written anew.
    pub fn parse(route: &Route, content_type: Option<&str>, bytes: &[u8]) -> Result<Body, Refusal> {
        let content_type = content_type.unwrap_or_default();
        let form = content_type.trim_start().get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
        match route {
            Route::Multipart(_) if form => Form::parse(content_type, bytes).map(Body::Form),
            Route::Multipart(path) if path.starts_with("/audio") => Form::parse(content_type, bytes).map(Body::Form),
            _ => Envelope::parse(bytes).and_then(|envelope| bounded(route, envelope)).map(Body::Json),
        }
    }

    /// What `model` says.
    pub fn model(&self) -> &str {
        match self {
            Body::Json(envelope) => &envelope.model,
            Body::Form(form) => &form.model,
        }
    }

    /// What `stream` says.
    pub fn stream(&self) -> bool {
        match self {
            Body::Json(envelope) => envelope.stream,
            Body::Form(form) => form.stream,
        }
    }

    /// The body as it goes to a target of the same family.
    pub fn rewrite(&self, bytes: &[u8], model: &str, params: &[Param]) -> Vec<u8> {
        match self {
            Body::Json(envelope) => envelope.rewrite(bytes, model, params),
            Body::Form(form) => form.rewrite(bytes, model, params),
        }
    }
}
