//! `/admin/metrics`: Prometheus text.

use super::{Asked, Failure};
use crate::domain::ledger::exposition::{Local, render};
use crate::edge::{ledger, recorder};
use crate::routes::reply::Reply;

/// Counters of all time.
pub async fn text(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let (shards, control) = ledger::status(asked.env).await?;
    let (waiting, dropped) = recorder::backlog(asked.env);
    let body = render(&shards, &control, Local { waiting: waiting as u64, dropped });
    Ok(Reply::bytes(200, "text/plain; version=0.0.4; charset=utf-8", body.as_bytes()))
}
