//! The circuit breakers of this isolate. What they saw travels to the ledger with each flush and comes back from other
//! isolates with its answer, so that no request waits on it.

use crate::domain::breaker::{Book, BreakerSnapshot, Handle};
use crate::domain::outcome::KeySlot;
use crate::domain::target::Target;
use std::cell::RefCell;

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

/// The breaker of a target and key slot.
pub fn handle(target: &Target, slot: KeySlot) -> Handle {
    BOOK.with_borrow_mut(|book| book.handle(target, slot))
}

/// What no flush has told of yet.
pub fn news() -> Vec<BreakerSnapshot> {
    BOOK.with_borrow_mut(Book::news)
}

/// Takes in what other isolates saw.
pub fn merge(snapshots: &[BreakerSnapshot]) {
    BOOK.with_borrow_mut(|book| book.merge(snapshots));
}
