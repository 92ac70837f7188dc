//! A response in the making: written once, in one crossing.

use crate::domain::error::{self, Final};
use crate::domain::refusal::Refusal;
use crate::domain::route::Family;
use crate::edge::glue;
use crate::edge::serve;
use serde::Serialize;
use wasm_bindgen::JsValue;

/// Status, headers and body.
pub struct Reply {
    status: u16,
    /// An upstream's headers: those that a client may see go under ours.
    from: Option<web_sys::Headers>,
    headers: Vec<(&'static str, String)>,
    /// Goes out as `x-request-id` where the upstream gave none.
    request_id: String,
    /// The client's SDK is Anthropic's, which looks for that id under another name.
    anthropic: bool,
    /// A `Uint8Array`, a `ReadableStream` or null.
    body: JsValue,
}

impl Reply {
    /// An answer without body.
    pub fn empty(status: u16) -> Reply {
        Reply {
            status,
            from: None,
            headers: Vec::new(),
            request_id: String::new(),
            anthropic: false,
            body: JsValue::NULL,
        }
    }

    /// An answer of bytes.
    pub fn bytes(status: u16, content_type: &str, body: &[u8]) -> Reply {
        let body = js_sys::Uint8Array::from(body).into();
        Reply { body, ..Reply::empty(status) }.header("content-type", content_type)
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &impl Serialize) -> Reply {
        Reply::bytes(status, "application/json", &serde_json::to_vec(value).unwrap_or_default())
    }

    /// A refusal in the family's own error shape.
    pub fn refusal(family: Family, refusal: &Refusal, request_id: &str) -> Reply {
        Reply::failed(&error::refused(refusal, family, request_id))
    }

    /// What an upstream answered.
    pub fn served(served: serve::Response) -> Reply {
        let serve::Response { status, from, body } = served;
        Reply { from: Some(from), body, ..Reply::empty(status) }
    }

    /// An error with the headers that tell clients what to make of it.
    pub fn failed(last: &Final) -> Reply {
        let mut reply = Reply::bytes(last.status, "application/json", &last.body);
        if let Some(seconds) = last.retry_after {
            reply = reply.header("retry-after", &seconds.to_string());
        }
        if let Some(should) = last.should_retry {
            reply = reply.header("x-should-retry", if should { "true" } else { "false" });
        }
        match last.hint {
            Some(hint) => reply.header("x-understudy-hint", hint),
            None => reply,
        }
    }

    /// The same answer with one header set. A value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same answer with more headers.
    #[must_use]
    pub fn saying(mut self, headers: Vec<(&'static str, String)>) -> Reply {
        self.headers.extend(headers);
        self
    }

    /// The same answer under a request's id, by the names that clients of the family know.
    #[must_use]
    pub fn under(self, request_id: &str, family: Family) -> Reply {
        Reply { request_id: request_id.to_owned(), anthropic: family == Family::Messages, ..self }
    }

    /// The platform's response.
    pub fn into_response(self) -> web_sys::Response {
        glue::response(self.status, self.from.as_ref(), &self.headers, &self.request_id, self.anthropic, &self.body)
    }
}
