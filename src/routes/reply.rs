//! A response in the making. Bodies of our own are bytes; upstream bodies never pass through here.

use crate::domain::error::{self, Final};
use crate::domain::refusal::Refusal;
use crate::domain::route::Family;
use crate::edge::glue;
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Response, ResponseInit};

/// Status, headers and a body of our own.
pub struct Reply {
    status: u16,
    headers: Headers,
    body: Option<Vec<u8>>,
}

impl Reply {
    /// An answer without body.
    pub fn empty(status: u16) -> Reply {
        Reply { status, headers: new_headers(), body: None }
    }

    /// An answer of bytes.
    pub fn bytes(status: u16, content_type: &str, body: Vec<u8>) -> Reply {
        Reply { body: Some(body), ..Reply::empty(status).header("content-type", content_type) }
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &impl Serialize) -> Reply {
        Reply::bytes(status, "application/json", serde_json::to_vec(value).unwrap_or_default())
    }

    /// A refusal in the family's own error shape.
    pub fn refusal(family: Family, refusal: &Refusal, request_id: &str) -> Reply {
        Reply::failed(&error::refused(refusal, family, request_id))
    }

    /// An error with the headers that tell clients what to make of it.
    pub fn failed(last: &Final) -> Reply {
        let mut reply = Reply::bytes(last.status, "application/json", last.body.clone());
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
    pub fn header(self, name: &str, value: &str) -> Reply {
        let _ = self.headers.set(name, value);
        self
    }

    /// The same answer over other headers: its own win.
    #[must_use]
    pub fn over(self, headers: &Headers) -> Reply {
        for (name, value) in glue::pairs(&self.headers) {
            let _ = headers.set(&name, &value);
        }
        Reply { headers: headers.clone(), ..self }
    }

    /// The platform's response.
    pub fn into_response(self) -> Response {
        let body = self.body.map_or(JsValue::NULL, |bytes| js_sys::Uint8Array::from(bytes.as_slice()).into());
        response(self.status, &self.headers, &body)
    }
}

/// A response of that body: a `Uint8Array`, an `ArrayBuffer`, a `ReadableStream` or null.
pub fn response(status: u16, headers: &Headers, body: &JsValue) -> Response {
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(headers);
    let made = match body.is_null() {
        true => Response::new_with_opt_str_and_init(None, &init),
        false => Response::new_with_opt_buffer_source_and_init(Some(body.unchecked_ref()), &init),
    };
    made.unwrap_or_else(|_| Response::error())
}

/// An empty list.
pub fn new_headers() -> Headers {
    Headers::new().unwrap_or_else(|_| Headers::from(JsValue::NULL))
}
