//! Where rows are that no counter combines: per request of ten minutes its arrival and a mark of each value that questions filter
//! by. A question of a group and a policy so reads the rows it asks for, not all of its week. Marks may agree where values differ,
//! and then a row is read for nothing; where values agree, marks always do.
//!
//! Stored as it is, 13 bytes a request: milliseconds since the slot began (24 bits), then the marks of policy, workload, group,
//! user and key (16 bits each, the low ones of the CRC-32), all big endian. Rows that no counter counts have none.

use crate::domain::ledger::query::ListQuery;
use crate::domain::ledger::row::RequestRow;
use crate::domain::ledger::sketch::slot_of;
use crate::domain::time::{Instant, Span};

const MARKS: usize = 5;
const ENTRY: usize = 3 + 2 * MARKS;
/// Entries that are kept in one piece: each batch writes the last piece of its slot anew.
pub const PIECE: usize = 4_000;

/// A piece of a slot's entries.
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

    /// Adds rows of one slot.
    pub fn add<'a>(&mut self, rows: impl IntoIterator<Item = &'a RequestRow>) {
        for row in rows.into_iter().filter(|row| row.counts()) {
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
    }

    /// Has it as many entries as a piece may?
    pub fn is_full(&self) -> bool {
        self.0.len() >= PIECE * ENTRY
    }

    /// When requests arrived that may be wanted.
    pub fn find(&self, slot: Instant, wanted: &Marks) -> impl Iterator<Item = Instant> {
        let entries = self.0.chunks_exact(ENTRY).filter(|entry| wanted.admit(&entry[3..]));
        entries.map(move |entry| slot + Span(u64::from(u32::from_be_bytes([0, entry[0], entry[1], entry[2]]))))
    }
}

fn mark(value: &str) -> [u8; 2] {
    (crc32fast::hash(value.as_bytes()) as u16).to_be_bytes()
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
