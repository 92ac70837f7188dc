//! An answer that is handed on at its 200: gathered on its way, and judged once it has passed.
//!
//! No hop follows whatever is found. What it says of tokens is what it costs, and a failure inside it is recorded as one.

use super::Ending;
use super::tail::{self, Tail};
use crate::domain::answer;
use crate::domain::dialect::Wire;
use crate::domain::dialect::said::Expected;
use crate::domain::route::Route;

/// What is gathered of one: more than answers without media have. Of a longer one the tokens are estimated.
const MOST: usize = 1 << 20;

/// A whole answer on its way to the client.
#[derive(Clone, Debug)]
pub struct Whole {
    route: Route,
    wire: Wire,
    expected: Expected,
    bytes: Vec<u8>,
    length: usize,
}

impl Whole {
    /// One of which nothing has come yet.
    pub const fn new(route: Route, wire: Wire, expected: Expected) -> Whole {
        Whole { route, wire, expected, bytes: Vec::new(), length: 0 }
    }

    /// Takes note of bytes that go to the client.
    pub fn push(&mut self, chunk: &[u8]) {
        self.length = self.length.saturating_add(chunk.len());
        match self.length <= MOST {
            true => self.bytes.extend_from_slice(chunk),
            false => self.bytes = Vec::new(),
        }
    }

    /// What is recorded of it.
    pub fn end(self, ending: Ending) -> Tail {
        let passed = Tail { content_bytes: self.length as u64, ..tail::unread(ending) };
        if !passed.finished || self.length > MOST {
            return passed;
        }
        match answer::check_expecting(self.expected, &self.route, self.wire, &self.bytes, None, false) {
            Ok(checked) => Tail { usage: checked.usage, content_bytes: checked.content_bytes, ..passed },
            Err(failure) => Tail { outcome: Some(failure), ..passed },
        }
    }
}
