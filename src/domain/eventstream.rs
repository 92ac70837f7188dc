//! `application/vnd.amazon.eventstream`: the binary frames in which Bedrock streams.
//!
//! Bytes in, at any split; whole checked frames out. What a frame's payload means is for the dialects to say.
//!
//! ```text
//! offset   size      meaning (big-endian)
//! 0        4         N, length of the whole frame
//! 4        4         H, length of the headers
//! 8        4         CRC-32 of bytes 0..8
//! 12       H         headers, each: u8 length, name, u8 type, value
//! 12+H     N-H-16    payload
//! N-4      4         CRC-32 of bytes 0..N-4
//!
//! type     value
//! 0, 1     true, false: no bytes
//! 2 to 5   integer of 1, 2, 4, 8 bytes
//! 6, 7     bytes, text: u16 length, then as many bytes
//! 8        timestamp: i64, milliseconds since the Unix epoch
//! 9        UUID: 16 bytes
//! ```
//!
//! Every defect is fatal: after a wrong length nothing tells where the next frame begins.

use crate::domain::checksum::crc32;
use std::fmt;

/// The prelude: two lengths and their checksum.
const PRELUDE: usize = 12;
/// What a frame without headers and payload takes: the prelude and the frame's checksum.
const FRAME_MIN: usize = PRELUDE + 4;
/// A longer frame is refused before it is buffered. One frame holds one event of an answer; the largest buffer that a
/// policy may ask for is as large.
pub const FRAME_MAX: usize = 16 << 20;
/// The limit that AWS documents for the headers of one frame.
pub const HEADERS_MAX: usize = 128 << 10;

/// One frame, its checksums verified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// In the order of the wire.
    pub headers: Vec<(String, Value)>,
    pub payload: Vec<u8>,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(Vec<u8>),
    Text(String),
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
    Uuid([u8; 16]),
}

/// Why a stream is no event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFrame {
    /// The frame's own length is under 16 bytes or over [`FRAME_MAX`].
    Length(u32),
    /// The headers do not fit into the frame or pass [`HEADERS_MAX`].
    HeadersLength(u32),
    PreludeChecksum,
    MessageChecksum,
    /// A header runs past the headers' end; which part of it.
    HeaderCutOff(&'static str),
    HeaderName,
    HeaderType(u8),
    HeaderText,
    /// The stream ended within a frame, so many bytes into it.
    Truncated(usize),
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad event-stream frame: ")?;
        match self {
            BadFrame::Length(n) => write!(f, "a length of {n} bytes is not in {FRAME_MIN}..={FRAME_MAX}"),
            BadFrame::HeadersLength(n) => write!(f, "{n} bytes of headers do not fit"),
            BadFrame::PreludeChecksum => f.write_str("the prelude's checksum does not match"),
            BadFrame::MessageChecksum => f.write_str("the frame's checksum does not match"),
            BadFrame::HeaderCutOff(part) => write!(f, "a header's {part} runs past the headers' end"),
            BadFrame::HeaderName => f.write_str("a header's name is empty or not UTF-8"),
            BadFrame::HeaderType(kind) => write!(f, "header type {kind} is not in 0..=9"),
            BadFrame::HeaderText => f.write_str("a text header is not UTF-8"),
            BadFrame::Truncated(n) => write!(f, "the stream ended {n} bytes into a frame"),
        }
    }
}

impl Frame {
    /// The text header of that name, the first where it is given twice.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| match value {
            Value::Text(text) if key == name => Some(text.as_str()),
            _ => None,
        })
    }
}

/// The decoder: give it bytes as they come, take frames until there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that frames already taken used up.
    taken: usize,
    failed: Option<BadFrame>,
}

impl Frames {
    /// Adds bytes of the stream, split anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Takes the next whole frame, or `None` until more bytes come.
    ///
    /// # Errors
    /// [`BadFrame`], and the same one on every later call.
    pub fn take(&mut self) -> Result<Option<Frame>, BadFrame> {
        if let Some(bad) = &self.failed {
            return Err(bad.clone());
        }
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        match first_frame(rest) {
            Ok(Some((frame, length))) => {
                self.taken += length;
                Ok(Some(frame))
            }
            Ok(None) => Ok(None),
            Err(bad) => {
                self.failed = Some(bad.clone());
                self.buffer = Vec::new();
                self.taken = 0;
                Err(bad)
            }
        }
    }

    /// Says whether the stream may end here: all bytes given were whole frames, and they were taken.
    ///
    /// # Errors
    /// The defect found before, or [`BadFrame::Truncated`].
    pub fn finish(&self) -> Result<(), BadFrame> {
        match (&self.failed, self.buffer.len().saturating_sub(self.taken)) {
            (Some(bad), _) => Err(bad.clone()),
            (None, 0) => Ok(()),
            (None, left) => Err(BadFrame::Truncated(left)),
        }
    }
}

/// The frame at the start of `bytes` and its length, when it is all there.
fn first_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, BadFrame> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else { return Ok(None) };
    let mut fields = Reader { rest: prelude };
    let (length, headers, checksum) = (fields.u32("prelude")?, fields.u32("prelude")?, fields.u32("prelude")?);
    // The checksum first: a length that was damaged on the way must not be waited for.
    if crc32(&prelude[..8]) != checksum {
        return Err(BadFrame::PreludeChecksum);
    }
    let total = within(length, FRAME_MIN, FRAME_MAX).ok_or(BadFrame::Length(length))?;
    let header_bytes =
        within(headers, 0, HEADERS_MAX.min(total - FRAME_MIN)).ok_or(BadFrame::HeadersLength(headers))?;

    let Some(frame) = bytes.get(..total) else { return Ok(None) };
    let Some((message, checksum)) = frame.split_last_chunk::<4>() else { return Ok(None) };
    if crc32(message) != u32::from_be_bytes(*checksum) {
        return Err(BadFrame::MessageChecksum);
    }
    let (headers, payload) = message[PRELUDE..].split_at(header_bytes);
    Ok(Some((Frame { headers: parse_headers(headers)?, payload: payload.to_vec() }, total)))
}

fn within(n: u32, least: usize, most: usize) -> Option<usize> {
    usize::try_from(n).ok().filter(|n| (least..=most).contains(n))
}

fn parse_headers(bytes: &[u8]) -> Result<Vec<(String, Value)>, BadFrame> {
    let mut reader = Reader { rest: bytes };
    let mut headers = Vec::new();
    while !reader.rest.is_empty() {
        let length = usize::from(reader.array::<1>("name")?[0]);
        let name = std::str::from_utf8(reader.bytes(length, "name")?).map_err(|_| BadFrame::HeaderName)?;
        if name.is_empty() {
            return Err(BadFrame::HeaderName);
        }
        headers.push((name.to_owned(), parse_value(&mut reader)?));
    }
    Ok(headers)
}

fn parse_value(reader: &mut Reader<'_>) -> Result<Value, BadFrame> {
    Ok(match reader.array::<1>("type")?[0] {
        0 => Value::Bool(true),
        1 => Value::Bool(false),
        2 => Value::Byte(i8::from_be_bytes(reader.array("value")?)),
        3 => Value::Short(i16::from_be_bytes(reader.array("value")?)),
        4 => Value::Int(i32::from_be_bytes(reader.array("value")?)),
        5 => Value::Long(i64::from_be_bytes(reader.array("value")?)),
        6 => Value::Bytes(reader.counted()?.to_vec()),
        7 => {
            let text = std::str::from_utf8(reader.counted()?).map_err(|_| BadFrame::HeaderText)?;
            Value::Text(text.to_owned())
        }
        8 => Value::Timestamp(i64::from_be_bytes(reader.array("value")?)),
        9 => Value::Uuid(reader.array("value")?),
        other => return Err(BadFrame::HeaderType(other)),
    })
}

/// Takes bytes off the front of a slice.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize, part: &'static str) -> Result<&'a [u8], BadFrame> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(BadFrame::HeaderCutOff(part))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], BadFrame> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(BadFrame::HeaderCutOff(part))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, BadFrame> {
        Ok(u32::from_be_bytes(self.array(part)?))
    }

    fn counted(&mut self) -> Result<&'a [u8], BadFrame> {
        let length = u16::from_be_bytes(self.array("length")?);
        self.bytes(usize::from(length), "value")
    }
}

/// Encodes a frame, as a scripted upstream and provider `sim` need it. A name over 255 bytes and a value over 65,535 are cut
/// there, where the format ends.
pub fn encode(frame: &Frame) -> Vec<u8> {
    let headers = encode_headers(&frame.headers);
    let total = FRAME_MIN + headers.len() + frame.payload.len();
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&clamp_u32(total).to_be_bytes());
    bytes.extend_from_slice(&clamp_u32(headers.len()).to_be_bytes());
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(&frame.payload);
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes
}

fn encode_headers(headers: &[(String, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name);
        encode_value(&mut bytes, value);
    }
    bytes
}

fn encode_value(bytes: &mut Vec<u8>, value: &Value) {
    let (kind, raw): (u8, &[u8]) = match value {
        Value::Bool(true) => (0, &[]),
        Value::Bool(false) => (1, &[]),
        Value::Byte(n) => (2, &n.to_be_bytes()),
        Value::Short(n) => (3, &n.to_be_bytes()),
        Value::Int(n) => (4, &n.to_be_bytes()),
        Value::Long(n) => (5, &n.to_be_bytes()),
        Value::Bytes(raw) => (6, raw),
        Value::Text(text) => (7, text.as_bytes()),
        Value::Timestamp(ms) => (8, &ms.to_be_bytes()),
        Value::Uuid(raw) => (9, raw),
    };
    bytes.push(kind);
    let raw = &raw[..raw.len().min(usize::from(u16::MAX))];
    if matches!(kind, 6 | 7) {
        bytes.extend_from_slice(&u16::try_from(raw.len()).unwrap_or(u16::MAX).to_be_bytes());
    }
    bytes.extend_from_slice(raw);
}

fn clamp_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
