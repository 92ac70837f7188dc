//! `/admin/analytics`.

use super::{Asked, Failure};
use crate::domain::ledger::query::AnalyticsQuery;
use crate::edge::ledger;
use crate::routes::reply::Reply;

/// Series and totals.
pub async fn answer(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let (keeps, now) = ledger::keeps(asked.env);
    let query = AnalyticsQuery::parse(&asked.params, now, &keeps)?;
    let whole = ledger::analyse(asked.env, &query).await?;
    Ok(Reply::json(200, &whole.answer(&query)))
}
