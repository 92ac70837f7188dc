//! Where rows are that no counter combines: per request of ten minutes its arrival and a mark of each value that questions filter
//! by. A question of a group and a policy so looks at what it asks for, not at all of its week. Marks may agree where values differ,
//! and then one is looked at for nothing; where values agree, marks always do. What is looked at is the extract (`extracts.rs`)
//! beside the place, or the row itself where schema 3 kept the place alone.
//!
//! Stored as it is, 13 bytes a request: milliseconds since the slot began (24 bits), then the marks of policy, workload, group,
//! user and key (16 bits each, the low ones of the CRC-32), all big endian. Rows that no counter counts have none.

use crate::domain::checksum::crc32;
use crate::domain::ledger::extracts::Extracts;
use crate::domain::ledger::query::ListQuery;
use crate::domain::ledger::row::RequestRow;
use crate::domain::ledger::sketch::slot_of;
use crate::domain::time::{Instant, Span};

const MARKS: usize = 5;
const ENTRY: usize = 3 + 2 * MARKS;
/// Requests of one piece at most: each batch writes the last piece of its slot anew.
pub const PIECE: usize = 500;
/// Bytes of extracts to which more are added, whatever the names in them: the platform takes 2 MB for all of a row.
const PIECE_BYTES: usize = 128 * 1024;

/// A piece of a slot: where its requests are, and what counters want of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    places: Places,
    extracts: Extracts,
}

impl Piece {
    /// From what is stored of both.
    pub fn load(places: Vec<u8>, extracts: &[u8]) -> Piece {
        Piece { places: Places::load(places), extracts: Extracts::load(extracts) }
    }

    /// As they are stored. No extracts at all where the places were kept alone.
    pub fn bytes(self) -> (Vec<u8>, Vec<u8>) {
        (self.places.bytes(), self.extracts.bytes())
    }

    /// Takes it no more? What schema 3 began stays without extracts.
    pub fn is_closed(&self) -> bool {
        let places = self.places.len();
        places >= PIECE || self.extracts.len() >= PIECE_BYTES || (places > 0 && self.extracts.is_empty())
    }

    /// Adds a row of its slot, if counters count it.
    pub fn add(&mut self, row: &RequestRow) {
        if row.counts() {
            self.places.add(row);
            self.extracts.add(row);
        }
    }
}

/// The places of a piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<u8>);

impl Places {
    /// From what is stored.
    pub fn load(bytes: Vec<u8>) -> Places {
        Places(bytes)
    }

    /// As it is stored.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn add(&mut self, row: &RequestRow) {
        let since = Instant(row.at).since(slot_of(Instant(row.at)));
        self.0.extend_from_slice(&(since.0 as u32).to_be_bytes()[1..]);
        let values = [
            Some(row.policy.as_str()),
            Some(row.workload.as_str()),
            row.group.as_deref(),
            row.user.as_deref(),
            row.key.as_deref(),
        ];
        values.into_iter().for_each(|value| self.0.extend_from_slice(&mark(value.unwrap_or_default())));
    }

    fn len(&self) -> usize {
        self.0.len() / ENTRY
    }

    /// The requests that may be wanted, each with when it arrived.
    pub fn find(&self, slot: Instant, wanted: &Marks) -> impl Iterator<Item = (usize, Instant)> {
        let entries = self.0.chunks_exact(ENTRY).enumerate().filter(|(_, entry)| wanted.admit(&entry[3..]));
        let at = move |entry: &[u8]| slot + Span(u64::from(u32::from_be_bytes([0, entry[0], entry[1], entry[2]])));
        entries.map(move |(place, entry)| (place, at(entry)))
    }
}

fn mark(value: &str) -> [u8; 2] {
    (crc32(value.as_bytes()) as u16).to_be_bytes()
}

/// The marks of what a question filters by.
#[derive(Clone, Copy, Debug)]
pub struct Marks([Option<[u8; 2]>; MARKS]);

impl Marks {
    /// Of a question's filters.
    pub fn of(query: &ListQuery) -> Marks {
        let values = [&query.policy, &query.workload, &query.group, &query.user, &query.key];
        Marks(values.map(|value| value.as_deref().map(mark)))
    }

    fn admit(&self, marks: &[u8]) -> bool {
        self.0.iter().zip(marks.chunks_exact(2)).all(|(wanted, mark)| wanted.is_none_or(|wanted| wanted == mark))
    }
}
