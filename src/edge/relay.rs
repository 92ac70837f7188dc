//! After the commit: bytes go to the client as they come, and what the stream says of itself is still read.
//!
//! ```text
//! pipe     upstream --tee--> branch a ==native pipe==> client
//!                      \---> branch b --now and then--> observer (usage, progress, terminal event)
//! inspect  upstream --reader--> relay --writer--> client        (always so across families)
//! unread   upstream --chunks, never in Wasm--> client            (audio; of JSON handed on at its 200 a copy is kept)
//! ```
//! The pipe leaves the client's stream open, so that once the observer has read how the stream ended an error event, or the
//! end that the upstream forgot, can still be written. An observer that falls [`BEHIND`] bytes behind is cancelled, since an
//! unread branch buffers: from there the stream is relayed unobserved and its usage is estimated.

use super::attempt::Marks;
use super::body::{Identity, Reader, Writer, message_of};
use super::glue;
use super::glue::now;
use super::line::{EndedBy, Line, step, within};
use super::observer::Observer;
use super::silence::Quiet;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::policy::RelayMode;
use crate::domain::relay::{Ending, Relay, Tail};
use crate::domain::time::Span;
use futures::future::{Either, FutureExt, select};
use memchr::arch::all::is_equal;
use std::cell::RefCell;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::ReadableStream;

/// No clock runs.
const FOREVER: Span = Span(u64::MAX);
/// How long a stream that has said its end may take to close. The client waits for that as well, and nothing can follow.
const CLOSING: Span = Span(1_000);
/// How long the branch may take to hand over what it holds once the pipe has ended.
const DRAIN: Span = Span(1_000);

/// A committed stream, ready to be relayed.
pub struct Committed {
    pub line: Line,
    pub held: Vec<u8>,
    pub rest: Option<Reader>,
    pub relay: Relay,
    pub mode: RelayMode,
    /// Between content events.
    pub idle: Span,
    pub marks: Marks,
}

/// How a relayed stream came out.
pub struct Relayed {
    pub tail: Tail,
    pub marks: Marks,
    /// To its end, from the moment the call was sent.
    pub elapsed: Span,
}

/// Relays a stream into the client's. To be awaited in `wait_until`.
pub async fn relay(mut committed: Committed, identity: Identity) -> Relayed {
    committed.line.commit();
    let ending = committed.run(&identity).await;
    committed.close(ending, &identity).await
}

impl Committed {
    async fn run(&mut self, identity: &Identity) -> Ending {
        let Ok(writer) = Writer::open(&identity.writable) else { return Ending::ClientGone };
        let held = std::mem::take(&mut self.held);
        if writer.write(&held).await.is_err() {
            return Ending::ClientGone;
        }
        drop(held);
        match (self.rest.take(), self.mode) {
            (None, _) => {
                writer.release();
                Ending::Clean
            }
            (Some(rest), RelayMode::Pipe) if self.relay.observes() => {
                writer.release();
                self.pipe(rest.unlock(), identity).await
            }
            (Some(rest), mode) => {
                let ending = match mode {
                    RelayMode::Inspect => self.inspect(&rest, &writer).await,
                    RelayMode::Pipe => self.pass(&rest, &writer).await,
                };
                writer.release();
                ending
            }
        }
    }

    /// Writes what the ending calls for and closes the client's stream.
    async fn close(self, ending: Ending, identity: &Identity) -> Relayed {
        let gone = matches!(ending, Ending::ClientGone);
        let relayed = self.finish(ending);
        if gone {
            return relayed;
        }
        let Ok(writer) = Writer::open(&identity.writable) else { return relayed };
        match relayed.tail.broken_off {
            // Nothing in this stream can say that it broke (audio): the connection must.
            true => writer.abort().await,
            false => {
                let _ = writer.write(&relayed.tail.append).await;
                writer.close().await;
            }
        }
        relayed
    }

    fn finish(self, ending: Ending) -> Relayed {
        match ending {
            Ending::Clean => self.line.done(),
            Ending::Broken(_) | Ending::Clock(..) | Ending::ClientGone => self.line.abort(),
        }
        let elapsed = self.line.elapsed();
        let tail = self.relay.end(ending);
        let mut marks = self.marks;
        marks.usage = tail.usage.or(marks.usage);
        marks.content_bytes = tail.content_bytes.max(marks.content_bytes);
        Relayed { tail, marks, elapsed }
    }

    /// Each event is read before it is passed on.
    async fn inspect(&mut self, reader: &Reader, writer: &Writer) -> Ending {
        // What was held may hold the error event already, or the end.
        if self.relay.failed() {
            return Ending::Clean;
        }
        let closing = self.idle.min(CLOSING);
        let idle = if self.relay.ended() { closing } else { self.idle };
        let mut quiet = Quiet::new(self.relay.translates());
        let passed = {
            let watch = self.watch();
            let line = watch.line;
            let watch = RefCell::new(watch);
            let read = |chunk| watch.borrow_mut().step(chunk, closing);
            let read = step(&read);
            let passing = line.relay(reader, writer, idle, Some(&read));
            quiet.broken_by(passing, line, || watch.borrow_mut().ping(), writer).await
        };
        self.how_it_passed(passed)
    }

    /// Chunks go on as they come: any byte of them is content.
    async fn pass(&mut self, reader: &Reader, writer: &Writer) -> Ending {
        let passed = match self.relay.gathers() {
            None => self.line.relay(reader, writer, self.idle, None).await,
            Some(whole) => {
                let whole = RefCell::new(whole);
                let keep = |chunk: Vec<u8>| {
                    whole.borrow_mut().push(&chunk);
                    None
                };
                self.line.relay(reader, writer, self.idle, Some(&step(&keep))).await
            }
        };
        self.how_it_passed(passed)
    }

    fn how_it_passed(&self, passed: Result<bool, JsValue>) -> Ending {
        match passed {
            Ok(true) => Ending::Clean,
            Ok(false) => Ending::ClientGone,
            Err(error) => self.broke(&error),
        }
    }

    fn watch(&mut self) -> Watch<'_> {
        let contents = self.relay.contents();
        Watch { line: &self.line, relay: &mut self.relay, marks: &mut self.marks, contents }
    }

    /// The upstream's stream failed: by itself, or because one of ours ended it.
    fn broke(&self, error: &JsValue) -> Ending {
        match self.line.ended_by() {
            Some(EndedBy::Clock(phase, span)) => Ending::Clock(phase, span),
            Some(EndedBy::Client) => Ending::ClientGone,
            None => {
                Ending::Broken(Failure::new(Class::Interrupted, format!("the stream broke off: {}", message_of(error))))
            }
        }
    }

    /// The runtime moves the bytes; a second branch is read now and then.
    async fn pipe(&mut self, rest: ReadableStream, identity: &Identity) -> Ending {
        // The client may have left meanwhile: then the call is aborted, and there is nothing to branch.
        let (ours, mut observer) = match Observer::beside(&rest, Span(self.idle.0 / 4)) {
            Ok(branches) => branches,
            Err(error) => return self.broke(&error),
        };
        let mut piping = JsFuture::from(glue::pipe(&ours, &identity.writable)).boxed_local();
        let (mut since, mut late, most) = (now(), false, self.idle);
        let mut watch = self.watch();
        let ended = loop {
            let idle = Span(most.0.saturating_sub(now().since(since).0));
            let left = match idle {
                // Blind, nobody can tell any more whether content comes: the pipe alone ends this.
                _ if observer.blind() => FOREVER,
                // No content for so long. One more look, at once: where the machine rested there may be more by now.
                Span::ZERO if !late => observer.hurry(),
                Span::ZERO => Span::ZERO,
                // It runs as much longer as content may lie there before it is looked at.
                idle => idle + observer.rest_for,
            };
            late = idle == Span::ZERO;
            watch.line.limit(Phase::Idle, left, most);
            let chunk = match select(&mut piping, observer.next().boxed_local()).await {
                Either::Left((ended, _)) => break ended,
                Either::Right((chunk, _)) => chunk,
            };
            if watch.take(&chunk, &mut Vec::new()) {
                since = now();
            }
            if observer.blind() {
                watch.relay.lose_sight();
            }
        };
        let ending = match ended {
            Ok(_) => Ending::Clean,
            Err(error) => self.how_it_broke(&error, ours).await,
        };
        match ending {
            // Also where a clock ended it: the stream's own end may lie there, gone to the client already.
            Ending::Clean | Ending::Broken(_) | Ending::Clock(..) => self.drain(&mut observer).await,
            Ending::ClientGone => observer.cancel(),
        }
        ending
    }

    /// A pipe failed: was it the client's end or the upstream's? A source whose destination failed was cancelled, and reads
    /// as ended; one that failed itself still says so.
    async fn how_it_broke(&self, error: &JsValue, source: ReadableStream) -> Ending {
        let Ok(reader) = Reader::open(source) else { return self.broke(error) };
        match self.line.read(&reader, Phase::Idle, FOREVER, self.idle).await {
            Ok(_) => Ending::ClientGone,
            Err(_) => self.broke(error),
        }
    }

    /// Reads what the branch still holds: it receives every byte before the end or the error.
    async fn drain(&mut self, observer: &mut Observer) {
        let rest = async {
            while let Some(chunk) = observer.read().await {
                self.relay.push(&chunk, &mut Vec::new());
            }
        };
        within(DRAIN, rest).await;
        if observer.blind() {
            self.relay.lose_sight();
        }
    }
}

/// What reads a stream as it goes by.
struct Watch<'a> {
    line: &'a Line,
    relay: &'a mut Relay,
    marks: &'a mut Marks,
    /// Content events so far.
    contents: u64,
}

impl Watch<'_> {
    /// Takes a chunk in; whether it brought content.
    fn take(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        self.relay.push(chunk, out);
        let contents = self.relay.contents();
        let grew = contents > std::mem::replace(&mut self.contents, contents);
        if grew {
            self.marks.ttft_ms.get_or_insert_with(|| self.line.elapsed().0);
        }
        grew
    }

    /// What goes to the client for a chunk, if that is not the chunk itself. A stream that has said its end has `closing` to close.
    fn step(&mut self, chunk: Vec<u8>, closing: Span) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(chunk.len());
        let grew = self.take(&chunk, &mut out);
        let ended = self.relay.ended();
        if !grew && !ended {
            self.line.heard_nothing();
        }
        if ended {
            self.line.set_idle(closing);
        }
        if self.relay.failed() {
            self.line.finish();
        }
        (!is_equal(&out, &chunk)).then_some(out)
    }

    fn ping(&mut self) -> Vec<u8> {
        let mut ping = Vec::new();
        self.relay.ping(&mut ping);
        ping
    }
}
