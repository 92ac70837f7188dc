//! JSON by position: checks the syntax of a whole body in one pass and finds where its top-level members lie.
//!
//! No tree is built and nothing is copied, so that what a client wrote goes on byte for byte. Nesting is tracked in a bit
//! set of fixed size: depth costs no stack.

use std::ops::Range;

/// Containers open at once, the outermost included. The readers of translated bodies stop at the same depth.
pub const MAX_DEPTH: u32 = 127;

/// Members of one object whose places are kept. The largest API has some forty.
pub const MAX_MEMBERS: usize = 1_000;

/// What is wrong with the JSON, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    /// What the body is, or does: `is not JSON: expected a value`.
    pub what: String,
}

/// Where one member of an object lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key with its quotes.
    pub key: Range<usize>,
    pub value: Range<usize>,
}

/// One object, scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    pub members: Vec<Member>,
    /// How many values it holds, at whatever depth.
    pub values: usize,
}

/// The object that is all of `bytes` but white space.
///
/// # Errors
/// The first fault: anything that is not JSON, not an object, too deep, or with too many members.
pub fn document(bytes: &[u8]) -> Result<Scanned, Fault> {
    let mut scanner = Scanner { bytes, at: 0, values: 0 };
    scanner.space();
    let members = scanner.members()?;
    scanner.space();
    match scanner.peek() {
        None => Ok(Scanned { members, values: scanner.values }),
        Some(_) => scanner.fault("nothing may follow the JSON object"),
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Met so far.
    values: usize,
}

/// The containers that are open, innermost last: one bit each, set for an object.
#[derive(Default)]
struct Open {
    kinds: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) {
        self.kinds = self.kinds << 1 | u128::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

impl Scanner<'_> {
    /// The object at the cursor.
    fn members(&mut self) -> Result<Vec<Member>, Fault> {
        if !self.eat(b'{') {
            return self.fault("expected a JSON object");
        }
        let mut members = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(members);
        }
        loop {
            if members.len() == MAX_MEMBERS {
                return self.beyond("holds too much: an object here has at most 1000 members");
            }
            let key = self.key()?;
            let value = self.value()?;
            members.push(Member { key, value });
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(members);
                }
                _ => return self.fault("expected ',' or '}'"),
            }
            self.space();
        }
    }

    /// A key and its colon: the span of the key, the cursor at the value.
    fn key(&mut self) -> Result<Range<usize>, Fault> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return self.fault("expected a key in double quotes");
        }
        self.string()?;
        let end = self.at;
        self.space();
        if !self.eat(b':') {
            return self.fault("expected ':' after the key");
        }
        self.space();
        Ok(start..end)
    }

    /// Any value at the cursor, whatever it nests.
    fn value(&mut self) -> Result<Range<usize>, Fault> {
        let start = self.at;
        let mut open = Open::default();
        loop {
            self.values += 1;
            let entered = match self.peek() {
                Some(b'{') => self.enter(&mut open, true)?,
                Some(b'[') => self.enter(&mut open, false)?,
                _ => {
                    self.scalar()?;
                    false
                }
            };
            if !entered && self.leave(&mut open)? {
                return Ok(start..self.at);
            }
        }
    }

    /// Opens a container. True when a value follows inside it, false when it is empty and closed again.
    fn enter(&mut self, open: &mut Open, object: bool) -> Result<bool, Fault> {
        // The object that holds the value is open too.
        if open.depth + 1 >= MAX_DEPTH {
            return self.beyond("is nested deeper than 127 levels");
        }
        self.at += 1;
        self.space();
        if self.eat(if object { b'}' } else { b']' }) {
            return Ok(false);
        }
        open.push(object);
        if object {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value: closes what ends here. True when nothing is open any more, false when another value follows.
    fn leave(&mut self, open: &mut Open) -> Result<bool, Fault> {
        while open.depth > 0 {
            self.space();
            match (open.in_object(), self.peek()) {
                (object, Some(b',')) => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (true, Some(b'}')) | (false, Some(b']')) => {
                    self.at += 1;
                    open.pop();
                }
                (true, _) => return self.fault("expected ',' or '}'"),
                (false, _) => return self.fault("expected ',' or ']'"),
            }
        }
        Ok(true)
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.fault("expected a value"),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        match self.rest().starts_with(word) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => self.fault("expected a value"),
        }
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<(), Fault> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.fault("expected a digit") } else { Ok(()) }
    }

    /// The string whose opening quote is at the cursor.
    fn string(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at += plain_prefix(self.rest());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fault("a control character in a string must be escaped"),
                None => return Err(Fault { at: start, what: "is not JSON: this string has no end".to_owned() }),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let length = match self.rest().get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if self.rest().get(2..6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 6,
            _ => return self.fault("no such escape in a string"),
        };
        self.at += length;
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// It is JSON, and more than is taken.
    fn beyond<T>(&self, what: &str) -> Result<T, Fault> {
        Err(Fault { at: self.at, what: what.to_owned() })
    }

    fn fault<T>(&self, what: &str) -> Result<T, Fault> {
        let found = match self.peek() {
            None => ", found the end of the body".to_owned(),
            Some(byte) if byte.is_ascii_graphic() => format!(", found '{}'", char::from(byte)),
            Some(byte) => format!(", found byte 0x{byte:02x}"),
        };
        Err(Fault { at: self.at, what: format!("is not JSON: {what}{found}") })
    }
}

/// How many bytes from the start are neither quote, backslash nor control character: eight at a time, as most of a body
/// is the inside of strings.
fn plain_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let special = special_bytes(u64::from_le_bytes(*chunk));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(tail.len())
}

/// The high bit of every byte that is a quote, a backslash or below 0x20. Bits above the lowest set one may be wrong (the
/// subtractions borrow upwards), the lowest never is.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zero_in_quote = quote.wrapping_sub(ONES) & !quote;
    let zero_in_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_in_quote | zero_in_backslash | control) & HIGH
}
