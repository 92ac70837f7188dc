//! `/admin/requests` and `/admin/requests/{id}`.

use super::{Asked, Failure};
use crate::domain::ledger::listing::{detail_answer, list_answer};
use crate::domain::ledger::query::ListQuery;
use crate::domain::refusal::Refusal;
use crate::edge::ledger;
use crate::routes::reply::Reply;

/// Requests, newest first.
pub async fn list(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let query = ListQuery::parse(&asked.params)?;
    let (rows, next) = ledger::list(asked.env, &query).await?;
    Ok(Reply::json(200, &list_answer(&rows, next)))
}

/// Every attempt of one request.
pub async fn one(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let id = asked.segment(0);
    let rows = ledger::find(asked.env, id).await?;
    let missing = || Refusal::new(404, "request_not_found", format!("the ledger holds no request {id:?}"));
    Ok(Reply::json(200, &detail_answer(rows).ok_or_else(missing)?))
}
