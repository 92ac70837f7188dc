//! How an admin request fails: a refusal in OpenAI's shape, with what the route adds to it.

use crate::domain::document::path::quoted;
use crate::domain::document::{BadDocument, Finding, Kind};
use crate::domain::error::openai_type;
use crate::domain::ledger::query::BadQuery;
use crate::domain::provider::table;
use crate::domain::redact::redact_name;
use crate::domain::refusal::Refusal;
use crate::edge::documents::StoreDown;
use crate::routes::reply::Reply;
use serde_json::json;

/// Why an admin request got no answer.
pub struct Failure {
    status: u16,
    code: String,
    message: String,
    param: Option<String>,
    findings: Option<Vec<Finding>>,
    allow: Option<String>,
}

impl Failure {
    /// 422: a document with findings of severity `error`.
    pub fn findings(bad: &BadDocument) -> Failure {
        Failure {
            findings: Some(bad.findings.clone()),
            ..Refusal::new(422, bad.kind.error_code(), bad.to_string()).into()
        }
    }

    /// 405
    pub fn wrong_method(method: &str, allow: String) -> Failure {
        let message = format!("{method} is not allowed here; use {allow}");
        Failure { allow: Some(allow), ..Refusal::new(405, "method_not_allowed", message).into() }
    }

    /// 404: no such document is stored.
    pub fn missing(kind: Kind, name: &str) -> Failure {
        let (code, message) = match kind {
            // As a request that names it is told.
            Kind::Policy => ("policy_not_found", format!("there is no policy {}", quoted(name))),
            Kind::Provider if table::is_built_in(name) => {
                ("not_found", format!("provider {} is built in, and no document changes it", quoted(name)))
            }
            Kind::Provider => ("not_found", format!("there is no provider {}", quoted(name))),
            Kind::Rules | Kind::Models | Kind::Key | Kind::Request => {
                ("not_found", format!("no {} are stored", kind.name()))
            }
        };
        Refusal::new(404, code, message).into()
    }

    /// Whether another version was stored than the one that was written upon.
    pub fn is_conflict(&self) -> bool {
        self.status == 412
    }

    /// The answer.
    pub fn into_response(self) -> web_sys::Response {
        let mut error = json!({
            "message": self.message, "type": openai_type(self.status), "param": self.param, "code": self.code,
        });
        if let Some(findings) = &self.findings {
            error["findings"] = json!(findings);
        }
        // A key that was put where it does not belong is not said back.
        let body = redact_name(&json!({"error": error}).to_string(), &[]);
        let reply = Reply::bytes(self.status, "application/json", body.as_bytes()).header("cache-control", "no-store");
        let reply = match &self.allow {
            Some(allow) => reply.header("allow", allow),
            None => reply,
        };
        let reply = if self.status == 401 { reply.header("www-authenticate", "Bearer") } else { reply };
        reply.into_response()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure {
            status: refusal.status,
            code: refusal.code.to_owned(),
            message: refusal.message,
            param: refusal.param,
            findings: None,
            allow: None,
        }
    }
}

impl From<StoreDown> for Failure {
    fn from(down: StoreDown) -> Failure {
        Refusal::from(down).into()
    }
}

impl From<BadQuery> for Failure {
    fn from(bad: BadQuery) -> Failure {
        let message = format!("{}: {}", bad.param, bad.message);
        Failure { param: Some(bad.param.to_owned()), ..Refusal::new(400, "invalid_parameter", message).into() }
    }
}
