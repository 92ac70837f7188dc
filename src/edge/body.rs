//! Bodies as the platform hands them over: a reader of an upstream's answer, a writer of ours.

use super::glue;
use js_sys::{ArrayBuffer, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader, WritableStream, WritableStreamDefaultWriter};

/// The lock of a stream that is read chunk by chunk ([`Line::read`](super::line::Line::read)). Dropping it leaves the stream locked; [`Reader::release`] gives it back.
pub struct Reader {
    inner: ReadableStreamDefaultReader,
}

impl Reader {
    /// Takes the lock of a stream that nobody reads yet.
    pub fn open(stream: &ReadableStream) -> Reader {
        Reader { inner: stream.get_reader().unchecked_into() }
    }

    /// The platform's reader.
    pub fn inner(&self) -> &ReadableStreamDefaultReader {
        &self.inner
    }

    /// Unlocks the stream for another reader or a pipe.
    pub fn release(self) {
        self.inner.release_lock();
    }
}

/// Writes to the client. The write resolves when the chunk was taken, so a slow client holds back its upstream.
pub struct Writer {
    inner: WritableStreamDefaultWriter,
}

impl Writer {
    /// Takes the lock of a stream that nobody writes yet.
    ///
    /// # Errors
    /// The stream is locked.
    pub fn open(stream: &WritableStream) -> Result<Writer, JsValue> {
        Ok(Writer { inner: stream.get_writer()? })
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), JsValue> {
        match bytes.is_empty() {
            true => Ok(()),
            false => self.pass(&Uint8Array::from(bytes)).await,
        }
    }

    /// Writes a chunk that never was in Wasm.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn pass(&self, chunk: &Uint8Array) -> Result<(), JsValue> {
        JsFuture::from(self.inner.write_with_chunk(chunk)).await.map(drop)
    }

    /// Ends the stream well.
    pub async fn close(self) {
        let _ = JsFuture::from(self.inner.close()).await;
    }

    /// Breaks the stream, so that the client sees no clean end.
    pub async fn abort(self) {
        let _ = JsFuture::from(self.inner.abort()).await;
    }

    /// Unlocks the stream.
    pub fn release(self) {
        self.inner.release_lock();
    }
}

/// Both ends of a stream that the runtime joins natively.
pub struct Identity {
    pub readable: ReadableStream,
    pub writable: WritableStream,
}

impl Identity {
    pub fn new() -> Identity {
        let ends = glue::identity();
        Identity { readable: ends.get(0).unchecked_into(), writable: ends.get(1).unchecked_into() }
    }
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::new()
    }
}

/// All of a request's body.
///
/// # Errors
/// The client broke off.
pub async fn whole(request: &web_sys::Request) -> Result<Vec<u8>, JsValue> {
    let buffer: ArrayBuffer = JsFuture::from(request.array_buffer()?).await?.unchecked_into();
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// What a JavaScript failure says, for people.
pub fn message_of(error: &JsValue) -> String {
    Reflect::get(error, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the connection failed".into())
}
