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
use super::line::{EndedBy, Line, Turn, within};
use super::silence::Quiet;
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::policy::RelayMode;
use crate::domain::relay::{Ending, Relay, Tail};
use crate::domain::time::Span;
use futures::future::{Either, FutureExt, select};
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
        marks.content_chars = tail.content_chars.max(marks.content_chars);
        Relayed { tail, marks, elapsed }
    }

    /// Each event is read before it is passed on.
    async fn inspect(&mut self, reader: &Reader, writer: &Writer) -> Ending {
        let (mut seen, mut fresh) = (self.relay.contents(), true);
        let mut quiet = Quiet::new(self.relay.translates());
        let mut out = Vec::new();
        // What was held may hold the error event already.
        while !self.relay.failed() {
            let ended = self.relay.ended();
            let idle = if ended { self.idle.min(CLOSING) } else { self.idle };
            let turn = self.line.turn(writer, Uint8Array::from(out.as_slice()), reader, idle, fresh || ended);
            let chunk = match quiet.broken_by(turn, &self.line, &mut self.relay, writer).await {
                Ok(Turn::Chunk(chunk)) => chunk.to_vec(),
                Ok(Turn::Over) => return Ending::Clean,
                Ok(Turn::ClientGone) => return Ending::ClientGone,
                Err(error) => return self.broke(&error),
            };
            out.clear();
            self.relay.push(&chunk, &mut out);
            fresh = self.saw_content(&mut seen);
        }
        match writer.write(&out).await {
            Ok(()) => Ending::Clean,
            Err(_) => Ending::ClientGone,
        }
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

    /// Whether there are more content events than were `seen`.
    fn saw_content(&mut self, seen: &mut u64) -> bool {
        let contents = self.relay.contents();
        let grew = contents > std::mem::replace(seen, contents);
        if grew {
            self.marks.ttft_ms.get_or_insert_with(|| self.line.elapsed().0);
        }
        grew
    }

    /// Chunks go on as they come: any byte of them is content.
    async fn pass(&mut self, reader: &Reader, writer: &Writer) -> Ending {
        let mut out = Uint8Array::new_with_length(0);
        loop {
            out = match self.line.turn(writer, out, reader, self.idle, true).await {
                Ok(Turn::Chunk(chunk)) => chunk,
                Ok(Turn::Over) => return Ending::Clean,
                Ok(Turn::ClientGone) => return Ending::ClientGone,
                Err(error) => return self.broke(&error),
            };
            if let Some(whole) = self.relay.gathers() {
                whole.push(&out.to_vec());
            }
        }
    }

    /// The runtime moves the bytes; a second branch is read now and then.
    async fn pipe(&mut self, rest: ReadableStream, identity: &Identity) -> Ending {
        // The client may have left meanwhile: then the call is aborted, and there is nothing to branch.
        let (ours, mut observer) = match branched(&rest, Span(self.idle.0 / 4)) {
            Ok(branches) => branches,
            Err(error) => return self.broke(&error),
        };
        let mut piping = JsFuture::from(glue::pipe(&ours, &identity.writable)).boxed_local();
        let (mut seen, mut since, mut late) = (self.relay.contents(), now(), false);
        let ended = loop {
            let idle = Span(self.idle.0.saturating_sub(now().since(since).0));
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
            self.line.limit(Phase::Idle, left, self.idle);
            let chunk = match select(&mut piping, observer.next().boxed_local()).await {
                Either::Left((ended, _)) => break ended,
                Either::Right((chunk, _)) => chunk,
            };
            self.observe(&chunk);
            if self.saw_content(&mut seen) {
                since = now();
            }
            if observer.blind() {
                self.relay.lose_sight();
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

    fn observe(&mut self, chunk: &[u8]) {
        self.relay.push(chunk, &mut Vec::new());
    }

    /// Reads what the branch still holds: it receives every byte before the end or the error.
    async fn drain(&mut self, observer: &mut Observer) {
        let rest = async {
            while let Some(chunk) = observer.read().await {
                self.observe(&chunk);
            }
        };
        within(DRAIN, rest).await;
        if observer.blind() {
            self.relay.lose_sight();
        }
    }
}

/// Both branches of a stream: one to be piped, one that is looked at.
fn branched(stream: &ReadableStream, most: Span) -> Result<(ReadableStream, Observer), JsValue> {
    let branches = glue::tee(stream)?;
    Ok((branches.get(0).unchecked_into(), Observer::open(&branches.get(1).unchecked_into(), most)?))
}

/// The second branch of a piped stream.
struct Observer {
    reader: ReadableStreamByobReader,
    /// A read under way: its chunk must not be lost when the future that waits for it is dropped.
    reading: Option<JsFuture>,
    state: Sight,
    /// Before the next look.
    rest_for: Span,
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

    fn blind(&self) -> bool {
        self.state == Sight::Blind
    }

    /// Looks again at once; answers how long that takes.
    fn hurry(&mut self) -> Span {
        self.rest_for = AT_ONCE;
        AT_ONCE
    }

    /// What has gathered since the last look. Never resolves once the branch has ended or fell behind: the pipe says how.
    async fn next(&mut self) -> Vec<u8> {
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
    async fn read(&mut self) -> Option<Vec<u8>> {
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

    fn cancel(&mut self) {
        self.state = Sight::Blind;
        let _ = glue::cancel(&self.reader);
    }
}
