//! Thin typed faces of what the platform offers and no binding of `worker` gives without cost: `glue.js`, clock, timer.

use crate::domain::time::{Instant, Span};
use js_sys::{Array, Promise};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// Method, URL, colo (or empty), then every header as two lines.
    fn head(request: &web_sys::Request) -> String;
    /// A response of that body (`Uint8Array`, `ReadableStream` or null) under the headers of `from`, an upstream's answer,
    /// that a client may see, those of `lines` over them, and `request_id` as `x-request-id` where there is none yet; for a client
    /// of Anthropic's (`anthropic`) as `request-id`, too.
    #[wasm_bindgen(catch)]
    fn respond(
        status: u16,
        from: Option<&web_sys::Headers>,
        lines: &str,
        request_id: &str,
        anthropic: bool,
        body: &JsValue,
    ) -> Result<web_sys::Response, JsValue>;
    /// `[bytes, ends]` of the rows of a statement: see `Table` of `ledger_do/sql.rs`.
    #[wasm_bindgen(catch)]
    pub fn rows(storage: &JsValue, statement: &str, values: &Array) -> Result<Array, JsValue>;
    /// The clock of [`now`].
    fn clock() -> f64;
    /// `[readable, writable]` of an `IdentityTransformStream`.
    pub fn identity() -> Array;
    /// The same stream as one of bytes, which fails when the signal aborts.
    #[wasm_bindgen(js_name = inBytes)]
    pub fn in_bytes(stream: &web_sys::ReadableStream, signal: &web_sys::AbortSignal) -> web_sys::ReadableStream;
    /// Resolves when the signal aborts.
    pub fn aborted(signal: &web_sys::AbortSignal) -> Promise;
    /// Resolves after that time, or with true as soon as the client has left.
    fn pause(ms: f64, client: Option<&web_sys::AbortSignal>) -> Promise;
    /// Both branches of a stream.
    #[wasm_bindgen(catch)]
    pub fn tee(stream: &web_sys::ReadableStream) -> Result<Array, JsValue>;
    /// The lock of a stream, for reads into memory of one's own if `byob`.
    #[wasm_bindgen(catch, js_name = readerOf)]
    pub fn reader_of(stream: &web_sys::ReadableStream, byob: bool) -> Result<JsValue, JsValue>;
    /// Gives the lock of a reader or writer back.
    pub fn release(lock: &JsValue);
    /// Tells a reader's stream that no more is wanted. Never rejects.
    pub fn cancel(reader: &JsValue) -> Promise;
    /// Takes and forgets what is left of a request's body, for that time at most. Never rejects.
    #[wasm_bindgen(js_name = takeRest)]
    pub fn take_rest(request: &web_sys::Request, ms: f64) -> Promise;
    #[wasm_bindgen(js_name = writeChunk)]
    pub fn write_chunk(writer: &web_sys::WritableStreamDefaultWriter, chunk: &js_sys::Uint8Array) -> Promise;
    #[wasm_bindgen(js_name = closeWriter)]
    pub fn close_writer(writer: &web_sys::WritableStreamDefaultWriter) -> Promise;
    #[wasm_bindgen(js_name = abortWriter)]
    pub fn abort_writer(writer: &web_sys::WritableStreamDefaultWriter) -> Promise;
    /// Pipes `readable` into `writable`, closing and aborting neither.
    pub fn pipe(readable: &web_sys::ReadableStream, writable: &web_sys::WritableStream) -> Promise;
    /// One BYOB read of at most `size` bytes; `undefined` at the end.
    #[wasm_bindgen(js_name = readSome)]
    pub fn read_some(reader: &web_sys::ReadableStreamByobReader, size: u32) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    /// Sends a request. The promise rejects where the runtime found no connection.
    pub fn fetch(url: &str, init: &web_sys::RequestInit) -> Promise;
}

/// A request's head, read in one crossing.
pub struct Head {
    pub method: String,
    pub url: String,
    pub colo: Option<String>,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Of a request.
    pub fn of(request: &web_sys::Request) -> Head {
        let text = head(request);
        let mut lines = text.split('\n').map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        let (method, url, colo) = (next(), next(), Some(next()).filter(|colo| !colo.is_empty()));
        let pairs = std::iter::from_fn(|| Some((lines.next().filter(|name| !name.is_empty())?, lines.next()?)));
        Head { headers: pairs.collect(), method, url, colo }
    }
}

/// Headers as lines, for one crossing. A value that no header can hold is left out.
pub fn to_lines<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> String {
    let mut lines = String::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        let (name, value) = (name.as_ref(), value.as_ref());
        if is_header_value(value) {
            lines.extend([name, "\n", value, "\n"]);
        }
    }
    lines
}

/// Whether a header can hold it: Latin-1 without line breaks and zeros (Fetch standard, "header value").
pub fn is_header_value(value: &str) -> bool {
    value.chars().all(|c| c <= '\u{ff}' && !matches!(c, '\n' | '\r' | '\0'))
}

/// The platform's response; its own error where a header cannot be.
pub fn response(
    status: u16,
    from: Option<&web_sys::Headers>,
    headers: &[(&str, String)],
    request_id: &str,
    anthropic: bool,
    body: &JsValue,
) -> web_sys::Response {
    respond(status, from, &to_lines(headers), request_id, anthropic, body)
        .unwrap_or_else(|_| web_sys::Response::error())
}

/// Waits at least that long; true as soon as the client has left, where the platform says so.
pub async fn left_within(span: Span, client: Option<&web_sys::AbortSignal>) -> bool {
    let ms = span.0.min(i32::MAX as u64) as f64;
    JsFuture::from(pause(ms, client)).await.is_ok_and(|left| left.is_truthy())
}

/// The platform's clock, in ms since the Unix epoch. Where that is set back this one goes on from what it said last, since
/// what waits for a moment would wait for hours. It advances with I/O alone in production.
pub fn now() -> Instant {
    Instant(clock() as u64)
}

/// The platform's clock as it is, for what others compare with theirs: signatures.
pub fn wall() -> Instant {
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

/// Random bytes asked for at once: one crossing for many draws.
const DRAWN: usize = 512;

thread_local! {
    /// Bytes that were not given out yet, the next ones last.
    static DRAWS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Random bytes for what is no secret: ids, jitter, draws. Secrets are made of [`random`].
pub fn draw<const N: usize>() -> Option<[u8; N]> {
    const { assert!(N <= DRAWN) };
    DRAWS.with_borrow_mut(|left| {
        if left.len() < N {
            *left = random::<DRAWN>()?.to_vec();
        }
        let rest = left.len() - N;
        let bytes = left[rest..].try_into().ok();
        left.truncate(rest);
        bytes
    })
}

/// A number that differs from request to request, for jitter and draws.
pub fn seed() -> u64 {
    draw().map_or_else(|| now().0, u64::from_le_bytes)
}
