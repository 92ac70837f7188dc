//! Server-sent events: bytes in, at any split; whole events out.
//!
//! ```text
//! stream  = [BOM] block*
//! block   = line* blank            a blank line ends it; the last one may lack it
//! line    = field [":" [" "] value] end | ":" comment end
//! end     = CRLF | LF | CR
//! ```
//!
//! Every byte given comes out again, in order, as the `raw` of some item: a relay that writes every `raw` copies the stream.
//! Events are read from the chunk itself where it holds them whole; only what a split cuts is buffered.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr2;

/// A longer event is refused before it is buffered: the largest buffer that a policy may ask for is as large.
pub const EVENT_MAX: usize = 16 << 20;

/// What a stream may begin with, and means nothing.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event that carries data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its `event:` field, or empty.
    pub name: &'a str,
    /// Its `data:` lines, joined with line feeds.
    pub data: &'a str,
    /// Its bytes as they came, blank line included.
    pub raw: &'a [u8],
}

/// One piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Event(Event<'a>),
    /// Bytes that carry no data: comments, blank lines, lone `id:` and `retry:` fields. Never progress.
    Quiet(&'a [u8]),
}

/// An event is longer than [`EVENT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the stream is longer than {EVENT_MAX} bytes")
    }
}

/// The incremental parser of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parser {
    /// The block that is not whole yet.
    pending: Vec<u8>,
    place: Place,
    /// An event was too long: what follows is not looked at, and nothing is kept of it.
    failed: bool,
}

/// Where the reading stands, relative to the start of the pending block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Start of the line that is not whole yet.
    line: usize,
    /// Up to here no line end was found in it.
    scanned: usize,
    /// The block has a field already (so that a comment in it is part of it).
    fields: bool,
    /// An item was handed over: a byte order mark means nothing any more.
    opened: bool,
    /// The last byte read was a CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl Parser {
    /// Reads the next bytes and hands over every item that they complete.
    ///
    /// # Errors
    /// [`TooLong`], and the same on every later call: what an endless event brings is not kept.
    pub fn push(&mut self, chunk: &[u8], mut on: impl FnMut(Item<'_>)) -> Result<(), TooLong> {
        if self.failed {
            return Err(TooLong);
        }
        if self.pending.is_empty() {
            let left = self.place.read(chunk, &mut on);
            self.pending.extend_from_slice(&chunk[left..]);
        } else {
            self.pending.extend_from_slice(chunk);
            let mut block = std::mem::take(&mut self.pending);
            let left = self.place.read(&block, &mut on);
            block.drain(..left);
            self.pending = block;
        }
        self.failed = self.pending.len() > EVENT_MAX;
        match self.failed {
            true => {
                self.pending = Vec::new();
                Err(TooLong)
            }
            false => Ok(()),
        }
    }

    /// The stream ended: hands over what lacks its blank line.
    pub fn finish(&mut self, mut on: impl FnMut(Item<'_>)) {
        let block = std::mem::take(&mut self.pending);
        if !block.is_empty() {
            emit(&block, !self.place.opened, &mut on);
        }
        self.place = Place { opened: true, ..Place::default() };
    }

    /// The bytes of an event that is not whole yet: what is written next would become part of it. Empty for one that was too
    /// long.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }
}

impl Place {
    /// Reads every whole block of `bytes`; returns where the one that is not whole begins.
    fn read(&mut self, bytes: &[u8], on: &mut impl FnMut(Item<'_>)) -> usize {
        let mut block = 0;
        loop {
            if self.after_cr && self.scanned < bytes.len() - block {
                self.after_cr = false;
                block = self.swallow_lf(bytes, block, on);
            }
            let from = block + self.scanned;
            let Some(end) = bytes.get(from..).and_then(|rest| memchr2(b'\n', b'\r', rest)).map(|at| from + at) else {
                self.scanned = bytes.len() - block;
                return block;
            };
            let line = &bytes[block + self.line..end];
            let line = if self.opened || self.line > 0 { line } else { line.strip_prefix(BOM).unwrap_or(line) };
            let crlf = bytes[end] == b'\r' && bytes.get(end + 1) == Some(&b'\n');
            let after = if crlf { end + 2 } else { end + 1 };
            self.after_cr = bytes[end] == b'\r' && end + 1 == bytes.len();
            if line.is_empty() {
                emit(&bytes[block..after], !self.opened, on);
                block = after;
                (self.line, self.scanned, self.fields, self.opened) = (0, 0, false, true);
            } else if line[0] == b':' && !self.fields {
                on(Item::Quiet(&bytes[block..after]));
                block = after;
                (self.line, self.scanned, self.opened) = (0, 0, true);
            } else {
                self.fields = true;
                self.line = after - block;
                self.scanned = self.line;
            }
        }
    }

    /// The LF of a CRLF that a split cut in two.
    fn swallow_lf(&mut self, bytes: &[u8], block: usize, on: &mut impl FnMut(Item<'_>)) -> usize {
        if bytes.get(block + self.scanned) != Some(&b'\n') {
            return block;
        }
        if self.scanned == 0 {
            on(Item::Quiet(&bytes[block..=block]));
            return block + 1;
        }
        self.scanned += 1;
        self.line = self.scanned;
        block
    }
}

/// Reads the fields of one block.
fn emit(raw: &[u8], fresh: bool, on: &mut impl FnMut(Item<'_>)) {
    let block = if fresh { raw.strip_prefix(BOM).unwrap_or(raw) } else { raw };
    let mut name: &[u8] = b"";
    let mut data: Option<Cow<'_, [u8]>> = None;
    for line in lines(block) {
        let (field, value) = field(line);
        match field {
            b"event" => name = value,
            b"data" => match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(so_far) => {
                    let joined = so_far.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            },
            _ => {}
        }
    }
    match data.as_deref().map(<[u8]>::trim_ascii) {
        None | Some([]) => on(Item::Quiet(raw)),
        Some(_) => {
            let data = data.unwrap_or_default();
            let (name, data) = (text(name), text(&data));
            on(Item::Event(Event { name: &name, data: &data, raw }));
        }
    }
}

/// What is no UTF-8 is replaced. (Asked first whether it is: that takes a third of the time.)
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let after = if rest[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        rest = rest.get(after..).unwrap_or_default();
        Some(line)
    })
}

fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        None => (line, b""),
        Some(at) => {
            let value = &line[at + 1..];
            (&line[..at], value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

/// Appends one event: `event:` when it has a name, then `data:`. `data` is one line (JSON as serde writes it).
pub fn write(out: &mut Vec<u8>, name: &str, data: &str) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Appends one event whose data is a JSON value.
pub fn write_json(out: &mut Vec<u8>, name: &str, data: &serde_json::Value) {
    write(out, name, &data.to_string());
}
