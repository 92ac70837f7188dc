//! The in-isolate half of the ledger.

use crate::domain::ledger::row::RequestRow;
use worker::Env;

/// Queues a row. No I/O; to be followed by [`settle`] in the same request's `wait_until`.
pub fn record(env: &Env, row: RequestRow) {
    let _ = (env, row);
}

/// To be awaited within `wait_until` after every [`record`]: sends what is due, at once when a batch is full, else 1 s after
/// its first row, else returns at once because another request has the timer.
pub async fn settle(env: &Env) {
    let _ = env;
}

/// What a gateway key has spent, in millionths of a US dollar, as far as this isolate knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub today_micro_usd: u64,
    pub month_micro_usd: u64,
}

/// What the key has spent today and this month. Asks the ledger once per isolate and key; then it is known from each flush.
/// `None` when the ledger cannot be asked: the caller lets the request pass.
pub async fn spent(env: &Env, key_id: &str) -> Option<Spent> {
    let _ = (env, key_id);
    None
}
