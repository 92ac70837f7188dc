//! What watches a piped stream: a second branch of it, read now and then, since each look costs what many chunks do.

use super::glue;
use crate::domain::time::Span;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamByobReader};

/// How long the observer lets bytes gather before its first look, and at least. Each look costs as much as the piping of ten
/// chunks and more, so that the next comes when about [`ENOUGH`] will lie there.
const LOOK: Span = Span(250);
/// The longest between two looks, and no longer than a quarter of the idle clock.
const SELDOM: Span = Span(1_000);
/// As long as it takes to read what has come.
const AT_ONCE: Span = Span(1);
/// What is worth a look.
const ENOUGH: usize = 32 << 10;
/// How many times as long the next rest may be as the last one was.
const LONGER: usize = 4;
/// How much it reads at once.
const READ_BYTES: u32 = 64 << 10;
/// How far behind it may fall, in reads of [`READ_BYTES`].
const BEHIND: u32 = 16;

/// The second branch of a stream.
pub struct Observer {
    reader: ReadableStreamByobReader,
    /// A read under way: its chunk must not be lost when the future that waits for it is dropped.
    reading: Option<JsFuture>,
    state: Sight,
    /// Before the next look.
    pub rest_for: Span,
    /// What that never exceeds.
    most: Span,
    /// Bytes read since the last rest.
    gathered: usize,
    /// Reads in a row that came back full.
    full: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// The last read was full: there is more at once.
    Eager,
    /// The branch was read empty, or never yet: let some gather first.
    Rested,
    Ended,
    /// It fell too far behind.
    Blind,
}

impl Observer {
    /// Branches a stream: answers the branch to be piped, and the other, which is looked at every `most` at least.
    ///
    /// # Errors
    /// The stream has failed, or its call was aborted.
    pub fn beside(stream: &ReadableStream, most: Span) -> Result<(ReadableStream, Observer), JsValue> {
        let branches = glue::tee(stream)?;
        Ok((branches.get(0).unchecked_into(), Observer::open(&branches.get(1).unchecked_into(), most)?))
    }

    fn open(branch: &ReadableStream, most: Span) -> Result<Observer, JsValue> {
        let reader = glue::reader_of(branch, true)?.unchecked_into();
        Ok(Observer {
            reader,
            reading: None,
            state: Sight::Rested,
            rest_for: LOOK.min(most),
            most,
            gathered: 0,
            full: 0,
        })
    }

    /// It fell too far behind, and sees nothing any more.
    pub fn blind(&self) -> bool {
        self.state == Sight::Blind
    }

    /// Looks again at once; answers how long that takes.
    pub fn hurry(&mut self) -> Span {
        self.rest_for = AT_ONCE;
        AT_ONCE
    }

    /// What has gathered since the last look. Never resolves once the branch has ended or fell behind: the pipe says how.
    pub async fn next(&mut self) -> Vec<u8> {
        if self.state == Sight::Rested {
            // A timer that is taken back when the stream ends. A promise that is dropped before it settles would keep its
            // callbacks for ever, and this one's timer dies with the invocation.
            glue::sleep(self.rest_for).await;
        }
        match self.read().await {
            Some(chunk) => chunk,
            None => futures::future::pending().await,
        }
    }

    /// One read; `None` at the end, after an error, and when it fell behind.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        if matches!(self.state, Sight::Ended | Sight::Blind) {
            return None;
        }
        let reader = &self.reader;
        let reading = self.reading.get_or_insert_with(|| JsFuture::from(glue::read_some(reader, READ_BYTES)));
        let chunk = reading.await;
        self.reading = None;
        match chunk {
            Ok(chunk) if !chunk.is_undefined() => {
                let bytes = chunk.unchecked_into::<Uint8Array>().to_vec();
                self.rest_after(bytes.len());
                Some(bytes)
            }
            Ok(_) | Err(_) => {
                self.state = Sight::Ended;
                None
            }
        }
    }

    fn rest_after(&mut self, read: usize) {
        let full = read >= READ_BYTES as usize;
        self.full = if full { self.full + 1 } else { 0 };
        self.gathered += read;
        self.state = if full { Sight::Eager } else { Sight::Rested };
        if !full {
            let gathered = std::mem::take(&mut self.gathered).max(ENOUGH / LONGER);
            let rest_for = Span(self.rest_for.0 * ENOUGH as u64 / gathered as u64);
            self.rest_for = rest_for.clamp(LOOK, SELDOM).min(self.most);
        }
        if self.full >= BEHIND {
            self.cancel();
        }
    }

    /// Gives the branch up.
    pub fn cancel(&mut self) {
        self.state = Sight::Blind;
        let _ = glue::cancel(&self.reader);
    }
}
