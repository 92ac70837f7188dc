//! Bodies as the platform hands them over: a reader of an upstream's answer, a writer of ours.

use super::glue;
use crate::domain::refusal::Refusal;
use js_sys::{ArrayBuffer, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader, WritableStream, WritableStreamDefaultWriter};

/// The lock of a stream that is read chunk by chunk (by a [`Line`](super::line::Line)). Dropping it leaves the stream locked;
/// [`Reader::unlock`] gives it back.
pub struct Reader {
    stream: ReadableStream,
    inner: ReadableStreamDefaultReader,
}

impl Reader {
    /// Takes the lock of a stream that nobody reads yet.
    ///
    /// # Errors
    /// The stream has failed, or its call was aborted.
    pub fn open(stream: ReadableStream) -> Result<Reader, JsValue> {
        let inner = glue::reader_of(&stream, false)?.unchecked_into();
        Ok(Reader { stream, inner })
    }

    /// The platform's reader.
    pub fn inner(&self) -> &ReadableStreamDefaultReader {
        &self.inner
    }

    /// The stream, free for a pipe. It costs the platform a while: not to be done while a client waits.
    pub fn unlock(self) -> ReadableStream {
        glue::release(&self.inner);
        self.stream
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

    /// The platform's writer.
    pub fn inner(&self) -> &WritableStreamDefaultWriter {
        &self.inner
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), JsValue> {
        match bytes.is_empty() {
            true => Ok(()),
            false => JsFuture::from(glue::write_chunk(&self.inner, &Uint8Array::from(bytes))).await.map(drop),
        }
    }

    /// Ends the stream well.
    pub async fn close(self) {
        let _ = JsFuture::from(glue::close_writer(&self.inner)).await;
    }

    /// Breaks the stream, so that the client sees no clean end.
    pub async fn abort(self) {
        let _ = JsFuture::from(glue::abort_writer(&self.inner)).await;
    }

    /// Unlocks the stream.
    pub fn release(self) {
        glue::release(&self.inner);
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

/// How long a client may go on to send what is not wanted.
const REST_MS: f64 = 1_000.0;

/// What a client who is refused still sends: it must be taken for the refusal to be read, and is not kept.
pub async fn take_rest(request: &web_sys::Request) {
    let _ = JsFuture::from(glue::take_rest(request, REST_MS)).await;
}

/// All of a request's body, of at most so many bytes: more than that is not kept. `stated` is its `content-length`.
///
/// # Errors
/// 413 for a larger one, 400 where the client broke off.
pub async fn bounded(request: &web_sys::Request, stated: Option<&str>, most: usize) -> Result<Vec<u8>, Refusal> {
    let broke_off =
        |error: JsValue| Refusal::new(400, "invalid_body", format!("the body broke off: {}", message_of(&error)));
    let bytes = match stated.and_then(|text| text.parse::<usize>().ok()) {
        Some(length) if length > most => return Err(too_large(length, most)),
        Some(_) => whole(request).await.map_err(broke_off)?,
        // Of unknown length: as far as the bound, and no further.
        None => pieces(request, most).await.map_err(broke_off)?,
    };
    match bytes.len() > most {
        true => Err(too_large(bytes.len(), most)),
        false => Ok(bytes),
    }
}

fn too_large(length: usize, most: usize) -> Refusal {
    Refusal::new(413, "body_too_large", format!("the body has {length} bytes or more, at most {most} are taken"))
}

async fn whole(request: &web_sys::Request) -> Result<Vec<u8>, JsValue> {
    let buffer: ArrayBuffer = JsFuture::from(request.array_buffer()?).await?.unchecked_into();
    Ok(Uint8Array::new(&buffer).to_vec())
}

async fn pieces(request: &web_sys::Request, most: usize) -> Result<Vec<u8>, JsValue> {
    let mut bytes = Vec::new();
    let Some(stream) = request.body() else { return Ok(bytes) };
    let reader = Reader::open(stream)?;
    loop {
        let read = JsFuture::from(reader.inner().read()).await?;
        if Reflect::get(&read, &"done".into())?.is_truthy() {
            return Ok(bytes);
        }
        let piece: Uint8Array = Reflect::get(&read, &"value".into())?.unchecked_into();
        bytes.extend_from_slice(&piece.to_vec());
        if bytes.len() > most {
            reader.unlock();
            return Ok(bytes);
        }
    }
}

/// What a JavaScript failure says, for people.
pub fn message_of(error: &JsValue) -> String {
    Reflect::get(error, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the connection failed".into())
}
