//! One connection to an upstream, under clocks. Dropping it before [`Line::keep`] aborts the call, so that a hop that is given
//! up, a loser of a hedge, or a request whose client left never keeps an upstream at work.

use super::body::message_of;
use super::glue;
use crate::domain::outcome::{Class, Failure};
use crate::domain::time::{Instant, Span};
use futures::future::{Either, select};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A request ready to be sent: everything but the clocks.
pub struct Outbound {
    pub url: String,
    pub headers: web_sys::Headers,
    /// A `Uint8Array`, made once per distinct body and shared by the tries.
    pub body: JsValue,
}

/// A call in flight, from the moment it was sent.
pub struct Line {
    controller: web_sys::AbortController,
    sent_at: Instant,
    live: Cell<bool>,
}

impl Line {
    /// A line on which nothing was sent yet.
    ///
    /// # Errors
    /// The platform gives no controller (it always does).
    pub fn open() -> Result<Line, Failure> {
        let controller =
            web_sys::AbortController::new().map_err(|error| Failure::new(Class::Unreachable, message_of(&error)))?;
        Ok(Line { controller, sent_at: glue::now(), live: Cell::new(true) })
    }

    /// Sends the request; resolves with the response's head.
    ///
    /// # Errors
    /// [`Class::Unreachable`]: no connection, or none that brought headers.
    pub async fn send(&self, outbound: &Outbound) -> Result<web_sys::Response, Failure> {
        let init = web_sys::RequestInit::new();
        init.set_method("POST");
        init.set_headers(&outbound.headers);
        init.set_body(&outbound.body);
        init.set_redirect(web_sys::RequestRedirect::Manual);
        init.set_signal(Some(&self.controller.signal()));
        JsFuture::from(glue::fetch(&outbound.url, &init))
            .await
            .map(JsCast::unchecked_into)
            .map_err(|error| Failure::new(Class::Unreachable, message_of(&error)))
    }

    /// Aborts when the call is given up.
    pub fn signal(&self) -> web_sys::AbortSignal {
        self.controller.signal()
    }

    /// How long ago the call was sent.
    pub fn elapsed(&self) -> Span {
        glue::now().since(self.sent_at)
    }

    /// What a clock that started with the call has left.
    pub fn left(&self, clock: Span) -> Span {
        Span(clock.0.saturating_sub(self.elapsed().0))
    }

    /// Ends the call now: the upstream sees its connection close.
    pub fn abort(&self) {
        if self.live.replace(false) {
            self.controller.abort();
        }
    }

    /// The call ended by itself; nothing is left to abort.
    pub fn done(&self) {
        self.live.set(false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.abort();
    }
}

/// The future's value, or `None` when the span passed first (the future is dropped).
pub async fn within<T>(span: Span, future: impl Future<Output = T>) -> Option<T> {
    if span == Span::ZERO {
        return None;
    }
    match select(pin!(future), pin!(glue::sleep(span))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(((), _)) => None,
    }
}
