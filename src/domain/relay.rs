//! Streams: bytes in, bytes out, an outcome at the end.
//!
//! A stream is first an [`Intake`], which holds it back until it has earned its commit, so that another target can still be
//! tried; then, consumed, a [`Relay`], from which there is no way back.
//!
//! ```text
//! Intake --push--> Hold | Commit | Failed          Relay --push--> bytes for the client (none under `pipe`)
//!        --end---> Commit | Failed                       --end---> Tail: what to append, and what to record
//!        --commit--> (held bytes, Relay)
//! ```
//! How bytes come to the client:
//!
//! ```text
//! pipe       as they are; this side only watches
//! inspect    event by event, each read before it is passed on; a bad one is dropped
//! reframe    the wire has the family's events in other frames: each is written as a server-sent event
//! translate  decoded and encoded again, across families
//! ```

mod data;
mod reader;
mod seen;
mod tail;
mod whole;

use crate::domain::answer;
use crate::domain::dialect::decoder::Voice;
use crate::domain::dialect::said::Expected;
use crate::domain::dialect::{Event, Wire};
use crate::domain::outcome::{Class, Failure, Phase};
use crate::domain::policy::{RelayMode, StreamRules};
use crate::domain::route::Family;
use crate::domain::time::Span;
use crate::domain::usage::Usage;

pub use tail::Tail;
pub use whole::Whole;

use reader::{Gate, Reader};

/// Bytes kept of the beginning of a stream, to say what it was where it was none, and for a provider's own rules.
const HEAD_MAX: usize = 64 << 10;

/// How a stream is to be read and written.
#[derive(Clone, Debug)]
pub struct Setup {
    pub wire: Wire,
    /// The client's.
    pub family: Family,
    pub rules: StreamRules,
    /// What the policy says, or [`RelayMode::Inspect`] where the usage chunk is hidden.
    pub mode: RelayMode,
    /// The client did not ask for the usage chunk that the upstream was asked for.
    pub hide_usage: bool,
    /// For a wire of another family.
    pub voice: Option<Voice>,
    /// Keys used, to be masked where an error of the upstream repeats them.
    pub keys: Vec<String>,
    pub expected: Expected,
}

impl Setup {
    /// How bytes go to the client: anything but a plain pipe is read event by event.
    pub fn mode(&self) -> RelayMode {
        match self.way() {
            Way::Pipe => RelayMode::Pipe,
            Way::Inspect | Way::Reframe | Way::Translate => RelayMode::Inspect,
        }
    }

    fn way(&self) -> Way {
        let same = self.wire == Wire::Opaque || self.wire.family() == Some(self.family);
        match (same, self.wire.is_framed(), self.mode) {
            (false, _, _) => Way::Translate,
            (true, true, _) => Way::Reframe,
            (true, false, RelayMode::Pipe) if !self.hide_usage => Way::Pipe,
            (true, false, RelayMode::Pipe | RelayMode::Inspect) => Way::Inspect,
        }
    }
}

/// How bytes come to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Pipe,
    Inspect,
    Reframe,
    Translate,
}

/// What a held stream has come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// Hold on.
    Hold,
    /// It has earned its commit.
    Commit,
    /// Another target may be tried.
    Failed(Failure),
}

/// A stream before its commit.
pub struct Intake {
    reader: Reader,
    held: Vec<u8>,
    most: usize,
    /// The start of the stream, as the upstream sent it.
    head: Vec<u8>,
}

impl Intake {
    /// A stream whose 200 has come.
    pub fn new(setup: Setup) -> Intake {
        let most = setup.rules.buffer_max_bytes;
        Intake { reader: Reader::new(setup), held: Vec::new(), most, head: Vec::new() }
    }

    /// Whether it is committed: from the start under `commit: headers`.
    pub fn committed(&self) -> bool {
        self.reader.sink.gate == Gate::Open
    }

    /// Takes the next bytes in.
    pub fn push(&mut self, chunk: &[u8]) -> Held {
        let room = HEAD_MAX.saturating_sub(self.head.len());
        self.head.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        if self.reader.sink.way == Way::Pipe {
            self.held.extend_from_slice(chunk);
        }
        self.reader.push(chunk, &mut self.held);
        if let Some(failure) = self.reader.sink.failed.take() {
            return Held::Failed(failure);
        }
        if self.held.len() > self.most {
            self.reader.sink.gate = Gate::Open;
        }
        if self.committed() { Held::Commit } else { Held::Hold }
    }

    /// The stream ended in good order without having earned its commit.
    pub fn end(&mut self) -> Held {
        self.reader.finish(&mut self.held);
        if let Some(failure) = self.reader.sink.failed.take() {
            return Held::Failed(failure);
        }
        let seen = &self.reader.sink.seen;
        if !self.committed() && seen.records == 0 {
            return Held::Failed(seen::not_a_stream(&self.head, self.reader.sink.wire.is_framed()));
        }
        if !self.committed() && !seen.is_whole() && self.reader.sink.wire != Wire::Opaque {
            return Held::Failed(Failure::new(Class::Interrupted, "the stream ended before its terminal event"));
        }
        if !self.committed() && seen.is_empty() {
            return Held::Failed(answer::empty());
        }
        self.reader.sink.gate = Gate::Open;
        Held::Commit
    }

    /// The beginning of the stream, as the upstream sent it: 64 KiB at most.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Content events so far: the first is the first token, each resets the idle clock. Comments, pings and role-only
    /// chunks never count.
    pub fn contents(&self) -> u64 {
        self.reader.sink.seen.contents
    }

    /// Whether content was seen.
    pub fn has_content(&self) -> bool {
        self.contents() > 0
    }

    /// What the upstream said of its tokens so far.
    pub fn usage(&self) -> Option<Usage> {
        self.reader.sink.seen.usage
    }

    /// Bytes of content text so far, for estimates.
    pub fn content_bytes(&self) -> u64 {
        self.reader.sink.seen.content_bytes
    }

    /// Commits: the bytes held for the client, and the rest of the way.
    pub fn commit(mut self) -> (Vec<u8>, Relay) {
        self.reader.sink.gate = Gate::Open;
        (self.held, Relay { reader: Some(self.reader), whole: None })
    }
}

/// How a committed stream ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The upstream closed it in good order.
    Clean,
    /// The connection broke.
    Broken(Failure),
    /// One of our clocks fired, after so long.
    Clock(Phase, Span),
    /// The client went away.
    ClientGone,
}

/// A stream after its commit.
pub struct Relay {
    /// `None`: nobody reads it as it comes.
    reader: Option<Reader>,
    /// A whole answer, of which its end tells.
    whole: Option<Whole>,
}

impl Relay {
    /// A body whose bytes mean nothing here (audio).
    pub const fn opaque() -> Relay {
        Relay { reader: None, whole: None }
    }

    /// A whole answer that is handed on unread.
    pub const fn whole(whole: Whole) -> Relay {
        Relay { reader: None, whole: Some(whole) }
    }

    /// What is to be gathered of the bytes that go to the client.
    pub const fn gathers(&mut self) -> Option<&mut Whole> {
        self.whole.as_mut()
    }

    /// Whether [`Relay::push`] is of any use.
    pub const fn observes(&self) -> bool {
        self.reader.is_some()
    }

    /// Takes the next bytes in and appends what goes to the client; nothing under `pipe`, where the bytes themselves go.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if let Some(reader) = &mut self.reader {
            reader.push(chunk, out);
        }
    }

    /// Whether the client's bytes are written here, so that something may stand between the upstream's.
    pub fn translates(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.sink.way == Way::Translate)
    }

    /// Appends a keep-alive in the client's dialect. Nothing where the bytes are the upstream's own, or after an error.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        if let Some(encoder) = self
            .reader
            .as_mut()
            .filter(|reader| !reader.sink.is_silent())
            .and_then(|reader| reader.sink.encoder.as_mut())
        {
            encoder.push(&Event::Ping, out);
        }
    }

    /// Content events since the stream began.
    pub fn contents(&self) -> u64 {
        self.reader.as_ref().map_or(0, |reader| reader.sink.seen.contents)
    }

    /// An error event was written in the client's dialect: nothing more can follow.
    pub fn failed(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.sink.is_silent())
    }

    /// The stream's own end was seen: nothing that matters follows.
    pub fn ended(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.sink.seen.ended)
    }

    /// The bytes outran whoever watched them: what was not seen is not judged.
    pub fn lose_sight(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.sink.lose_sight();
        }
    }

    /// The stream is over.
    pub fn end(self, ending: Ending) -> Tail {
        match (self.reader, self.whole) {
            (Some(reader), _) => tail::of(reader, ending),
            (None, Some(whole)) => whole.end(ending),
            (None, None) => tail::unread(ending),
        }
    }
}
