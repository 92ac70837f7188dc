//! Batches on their way to the shards: exactly once, unless the isolate dies with one unanswered.
//!
//! A row's shard goes by its ledger id, and its ledger id is made here: so that it falls to the shard whose batch is being filled.
//! Rows that come together then go in one call, not in one to every shard; with each batch the next shard is filled.
//!
//! Each isolate numbers its batches per shard from 1 and has at most one unanswered batch per shard; that one is sent again,
//! under its number, until it is answered. A shard keeps the last number of each isolate: a number it has is ignored, a number
//! further on says how many batches were lost.
//!
//! ```text
//! {"isolate": "<32 hex>", "number": 7, "dropped": 0, "rows": [<RequestRow>...]}
//! ```

use crate::domain::checksum::{crc32, crc32_behind};
use crate::domain::ledger::row::{RequestRow, ledger_id};
use crate::domain::time::{Instant, Span};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::rc::Rc;

/// Rows in a batch at most; a lane that holds as many is sent at once.
pub const BATCH_ROWS: usize = 200;
/// How long the first row of a batch waits for others.
pub const BATCH_WAIT: Span = Span(1_000);
/// Rows that wait in one isolate at most, over all shards; beyond that the oldest are dropped and counted.
pub const QUEUE_ROWS: usize = 10_000;
/// How long an unanswered batch is left to its sender before another may send it again: a request that was cut off by the
/// platform gives nothing back.
pub const LEASE: Span = Span(15_000);

/// Rows of one isolate for one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Made once per isolate.
    pub isolate: String,
    /// From 1, per isolate and shard.
    pub number: u64,
    /// Rows that this lane dropped before this batch, because too many waited.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    pub rows: Vec<RequestRow>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What a shard does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Not seen before; so many batches before it never came.
    Fresh { lost: u64 },
    /// It has been folded in already.
    Known,
}

/// Judges a batch's number by the last one of its isolate (0 = none yet).
pub fn admit(last: u64, number: u64) -> Admission {
    match number > last {
        true => Admission::Fresh { lost: number - last - 1 },
        false => Admission::Known,
    }
}

/// The shard of a request.
pub fn shard_of(ledger_id: &str, shards: u32) -> u32 {
    crc32(ledger_id.as_bytes()) % shards.max(1)
}

/// Digits of a ledger id that are tried until it falls to the shard that is wanted.
const TAIL: usize = 4;

/// A ledger id of that arrival which falls to that shard. `random` is where the search begins.
fn ledger_id_in(shard: u32, shards: u32, at: Instant, random: [u8; 10]) -> String {
    let mut id = ledger_id(at, random);
    let head = id.len() - TAIL;
    let (behind, first) = (crc32_behind(&id.as_bytes()[..head]), u16::from_be_bytes([random[8], random[9]]));
    let mut tails = (0..=u16::MAX).map(|n| digits(first.wrapping_add(n)));
    if let Some(tail) = tails.find(|tail| behind(tail) % shards.max(1) == shard) {
        id.truncate(head);
        id.extend(tail.map(char::from));
    }
    id
}

fn digits(n: u16) -> [u8; TAIL] {
    [12, 8, 4, 0].map(|shift| b"0123456789abcdef"[usize::from(n >> shift & 0xf)])
}

/// The rows of one isolate that no shard has acknowledged yet.
#[derive(Debug)]
pub struct Outbox {
    isolate: String,
    lanes: Vec<Lane>,
    /// The shard whose batch is being filled.
    filling: u32,
    waiting: usize,
    pushed: u64,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Lane {
    /// The number given last.
    number: u64,
    dropped: u64,
    /// In order of arrival, each with its place among all rows of the isolate.
    rows: VecDeque<(u64, RequestRow)>,
    unanswered: Option<Flight>,
}

#[derive(Debug)]
struct Flight {
    batch: Rc<Batch>,
    /// Until then its sender alone may send it.
    leased_until: Instant,
}

/// What the sender of a shard finds.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// Send this; then say [`Outbox::answered`] or [`Outbox::unanswered`].
    Batch(Rc<Batch>),
    /// Another request is sending to this shard.
    Busy,
    /// No row waits.
    Nothing,
}

impl Outbox {
    /// An empty one. `isolate` must differ from every other isolate's; it says which shard is filled first.
    pub fn new(isolate: String, shards: u32) -> Outbox {
        let lanes = (0..shards.max(1)).map(|_| Lane::default()).collect();
        let filling = shard_of(&isolate, shards);
        Outbox { isolate, lanes, filling, waiting: 0, pushed: 0, dropped: 0 }
    }

    /// A ledger id for the row that is queued next, of a request that arrived `at`.
    pub fn next_id(&mut self, at: Instant, random: [u8; 10]) -> String {
        let shards = self.shards();
        // A shard that has not answered yet may be down: rows would wait behind its batch.
        let mut others = (0..shards).map(|n| (self.filling + n) % shards);
        let free = others.find(|shard| self.lanes[*shard as usize].unanswered.is_none());
        self.filling = free.unwrap_or(self.filling);
        ledger_id_in(self.filling, shards, at, random)
    }

    /// Queues a row. Answers its shard when that has a full batch to send.
    pub fn push(&mut self, row: RequestRow) -> Option<u32> {
        let shard = shard_of(&row.ledger_id, self.shards());
        self.pushed += 1;
        self.waiting += 1;
        let lane = &mut self.lanes[shard as usize];
        lane.rows.push_back((self.pushed, row));
        let full = lane.rows.len() >= BATCH_ROWS && lane.unanswered.is_none();
        if self.waiting > QUEUE_ROWS {
            self.drop_oldest();
        }
        full.then_some(shard)
    }

    fn drop_oldest(&mut self) {
        let oldest = self.lanes.iter_mut().filter(|lane| !lane.rows.is_empty());
        let oldest = oldest.min_by_key(|lane| lane.rows.front().map_or(u64::MAX, |(place, _)| *place));
        if let Some(lane) = oldest {
            lane.rows.pop_front();
            lane.dropped += 1;
            self.waiting -= 1;
            self.dropped += 1;
        }
    }

    /// The batch to send to a shard: the unanswered one first, else up to [`BATCH_ROWS`] waiting rows under a new number.
    pub fn take(&mut self, shard: u32, now: Instant) -> Taken {
        let shards = self.shards();
        let Some(lane) = self.lanes.get_mut(shard as usize) else { return Taken::Nothing };
        let leased_until = now + LEASE;
        if let Some(flight) = &mut lane.unanswered {
            if flight.leased_until > now {
                return Taken::Busy;
            }
            flight.leased_until = leased_until;
            return Taken::Batch(flight.batch.clone());
        }
        if lane.rows.is_empty() {
            return Taken::Nothing;
        }
        if shard == self.filling {
            self.filling = (shard + 1) % shards;
        }
        lane.number += 1;
        let count = lane.rows.len().min(BATCH_ROWS);
        let rows = lane.rows.drain(..count).map(|(_, row)| row).collect();
        self.waiting -= count;
        let dropped = std::mem::take(&mut lane.dropped);
        let batch = Rc::new(Batch { isolate: self.isolate.clone(), number: lane.number, dropped, rows });
        lane.unanswered = Some(Flight { batch: batch.clone(), leased_until });
        Taken::Batch(batch)
    }

    /// The shard has the batch of that number, or has refused it for good: it is not sent again.
    pub fn answered(&mut self, shard: u32, number: u64) {
        if let Some(lane) = self.lanes.get_mut(shard as usize)
            && lane.unanswered.as_ref().is_some_and(|flight| flight.batch.number == number)
        {
            lane.unanswered = None;
        }
    }

    /// No answer came: whoever takes next sends it again.
    pub fn unanswered(&mut self, shard: u32, number: u64) {
        let flight = self.lanes.get_mut(shard as usize).and_then(|lane| lane.unanswered.as_mut());
        if let Some(flight) = flight.filter(|flight| flight.batch.number == number) {
            flight.leased_until = Instant(0);
        }
    }

    /// The rows so far: what a sender that begins now is to send.
    pub fn mark(&self) -> u64 {
        self.pushed
    }

    /// Has a sender that began at `mark` something to send to this shard? Rows that came later wait for company, unless
    /// they fill a batch: else a steady load would be sent row by row, each while the one before it is on its way.
    pub fn is_due(&self, shard: u32, mark: u64) -> bool {
        self.lanes.get(shard as usize).is_some_and(|lane| {
            let waited = lane.rows.front().is_some_and(|(place, _)| *place <= mark);
            waited || lane.rows.len() >= BATCH_ROWS || lane.unanswered.is_some()
        })
    }

    /// Does a row of this shard wait, or a batch of it need sending again?
    pub fn has_work(&self, shard: u32) -> bool {
        self.lanes.get(shard as usize).is_some_and(|lane| !lane.rows.is_empty() || lane.unanswered.is_some())
    }

    /// Shards, as many as the isolate was told.
    pub fn shards(&self) -> u32 {
        self.lanes.len() as u32
    }

    /// Rows that wait for a batch.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Rows dropped since the isolate began.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The isolate's own id.
    pub fn isolate(&self) -> &str {
        &self.isolate
    }
}
