//! Thin typed faces of what the platform offers and no binding of `worker` gives without cost: `glue.js`, clock, timer.

use crate::domain::time::{Instant, Span};
use js_sys::{Array, Promise};
use std::cell::Cell;
use std::time::Duration;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// The headers of an upstream's answer that a client may see, in a fresh list.
    pub fn passed(from: &web_sys::Headers) -> web_sys::Headers;
    /// The client's headers that go upstream, in a fresh list; organization and project only for `account`.
    pub fn forwarded(from: &web_sys::Headers, account: bool) -> web_sys::Headers;
    /// Every header as two lines: name, value.
    fn lines(from: &web_sys::Headers) -> String;
    /// Sets every header of such lines. A value that no header can hold fails the rest.
    #[wasm_bindgen(catch, js_name = setLines)]
    pub fn set_lines(to: &web_sys::Headers, text: &str) -> Result<(), JsValue>;
    /// `[readable, writable]` of an `IdentityTransformStream`.
    pub fn identity() -> Array;
    /// The same stream as one of bytes.
    #[wasm_bindgen(js_name = inBytes)]
    pub fn in_bytes(stream: &web_sys::ReadableStream) -> web_sys::ReadableStream;
    /// Resolves when the signal aborts.
    pub fn aborted(signal: &web_sys::AbortSignal) -> Promise;
    /// Pipes `readable` into `writable`, closing and aborting neither.
    pub fn pipe(readable: &web_sys::ReadableStream, writable: &web_sys::WritableStream) -> Promise;
    /// One BYOB read of at most `size` bytes; `undefined` at the end.
    #[wasm_bindgen(js_name = readSome)]
    pub fn read_some(reader: &web_sys::ReadableStreamByobReader, size: u32) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch)]
    fn global_fetch(url: &str, init: &web_sys::RequestInit) -> Promise;
}

/// Every header, read in one crossing.
pub fn pairs(from: &web_sys::Headers) -> Vec<(String, String)> {
    let text = lines(from);
    let mut lines = text.split('\n').map(str::to_owned);
    std::iter::from_fn(|| Some((lines.next().filter(|name| !name.is_empty())?, lines.next()?))).collect()
}

/// Sends a request. The promise rejects where the runtime found no connection.
pub fn fetch(url: &str, init: &web_sys::RequestInit) -> Promise {
    global_fetch(url, init)
}

/// The platform's clock, in ms since the Unix epoch. It advances with I/O alone in production.
pub fn now() -> Instant {
    Instant(js_sys::Date::now() as u64)
}

thread_local! {
    static RECENT: Cell<Instant> = const { Cell::new(Instant(0)) };
}

/// The moment of the last [`tick`]: good to the age of one request, and free of a crossing.
pub fn recent() -> Instant {
    RECENT.get()
}

/// Reads the clock for [`recent`], once at the start of a request.
pub fn tick() -> Instant {
    let now = now();
    RECENT.set(now);
    now
}

/// Waits at least that long. Spans above what a timer takes (24 days) are cut to it.
pub async fn sleep(span: Span) {
    worker::Delay::from(Duration::from_millis(span.0.min(i32::MAX as u64))).await;
}

/// Fresh random bytes from the platform, `None` if it has none to give.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// A number that differs from request to request, for jitter and draws.
pub fn seed() -> u64 {
    random().map_or_else(|| now().0, u64::from_le_bytes)
}
