//! The shards as one: every question goes to all of them at once, and their answers are merged.

use super::bindings::settings;
use super::glue::now;
use super::ledger_do::ask;
use super::recorder;
use super::store::ledger_down;
use crate::domain::ledger::analytics::Part;
use crate::domain::ledger::listing::Page;
use crate::domain::ledger::protocol::{Answer, Ask, CONTROL, Status, TailMark, shard_name};
use crate::domain::ledger::query::{AnalyticsQuery, ListQuery, Retention};
use crate::domain::ledger::row::RequestRow;
use crate::domain::refusal::Refusal;
use crate::domain::time::Instant;
use futures::future::try_join_all;
use worker::Env;

/// How long the ledger keeps what it holds, and the moment.
pub fn keeps(env: &Env) -> (Retention, Instant) {
    (settings(env).keeps, now())
}

async fn ask_all<T>(env: &Env, question: &Ask, read: impl Fn(Answer) -> Option<T>) -> Result<Vec<T>, Refusal> {
    ask_each(env, &|_| question.clone(), read).await
}

/// Asks every shard its question, all at once. What they answer is read afterwards: the waiting is compiled once.
async fn ask_each<T>(
    env: &Env,
    question: &dyn Fn(u32) -> Ask,
    read: impl Fn(Answer) -> Option<T>,
) -> Result<Vec<T>, Refusal> {
    let shards = 0..settings(env).ledger_shards;
    let asked = shards.map(|shard| async move { ask_one(env, &shard_name(shard), &question(shard)).await });
    let answers = try_join_all(asked).await?;
    answers
        .into_iter()
        .zip(0..)
        .map(|(answer, shard)| read(answer).ok_or_else(|| strange(&shard_name(shard))))
        .collect()
}

async fn ask_one(env: &Env, object: &str, question: &Ask) -> Result<Answer, Refusal> {
    ask(env, object, question).await.map_err(ledger_down)
}

fn strange(object: &str) -> Refusal {
    ledger_down(format!("{object} answered something else"))
}

/// A page of requests, newest first, with the cursor of the next. This isolate's own rows are sent first.
///
/// # Errors
/// 503 when a shard does not answer.
pub async fn list(env: &Env, query: &ListQuery) -> Result<(Vec<RequestRow>, Option<String>), Refusal> {
    recorder::flush(env).await;
    let page = |answer| if let Answer::Page(page) = answer { Some(page) } else { None };
    let pages = ask_all(env, &Ask::List(query.clone()), page).await?;
    Ok(Page::merge(pages, query.limit as usize))
}

/// The rows with this ledger id or request id.
///
/// # Errors
/// 503 when a shard does not answer.
pub async fn find(env: &Env, id: &str) -> Result<Vec<RequestRow>, Refusal> {
    recorder::flush(env).await;
    let rows = |answer| if let Answer::Rows(rows) = answer { Some(rows) } else { None };
    let all = ask_all(env, &Ask::Find { id: id.to_owned() }, rows).await?;
    Ok(all.into_iter().flatten().collect())
}

/// What all shards counted.
///
/// # Errors
/// 503 when a shard does not answer.
pub async fn analyse(env: &Env, query: &AnalyticsQuery) -> Result<Part, Refusal> {
    recorder::flush(env).await;
    let mut whole = Part::default();
    parts(env, &Ask::Analyse(query.clone())).await?.iter().for_each(|part| whole.merge(part));
    // Which values are the busiest over all shards is known now: their lines are asked for by name.
    let names = whole.board.busiest(query.lines);
    if names.values().any(|names| !names.is_empty()) {
        let lines = Ask::Lines { query: query.clone(), names };
        parts(env, &lines).await?.iter().for_each(|part| whole.merge(part));
    }
    Ok(whole)
}

async fn parts(env: &Env, question: &Ask) -> Result<Vec<Part>, Refusal> {
    ask_all(env, question, |answer| if let Answer::Part(part) = answer { Some(*part) } else { None }).await
}

/// Rows recorded since the marks, of which there is one per shard; without marks, the marks alone.
///
/// # Errors
/// 503 when a shard does not answer.
pub async fn tail(env: &Env, marks: &[TailMark]) -> Result<(Vec<RequestRow>, Vec<TailMark>), Refusal> {
    let read = |answer| if let Answer::Tail { rows, mark } = answer { Some((rows, mark)) } else { None };
    let question = |shard| Ask::Tail { after: marks.get(shard as usize).copied() };
    let (rows, marks): (Vec<_>, Vec<_>) = ask_each(env, &question, read).await?.into_iter().unzip();
    let mut rows: Vec<RequestRow> = rows.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.at.saturating_add(row.ms));
    Ok((rows, marks))
}

/// The counters of every shard, and those of `control`.
///
/// # Errors
/// 503 when an object does not answer.
pub async fn status(env: &Env) -> Result<(Vec<Status>, Status), Refusal> {
    recorder::flush(env).await;
    let status = |answer| if let Answer::Status(status) = answer { Some(status) } else { None };
    let shards = ask_all(env, &Ask::Status, status).await?;
    let control = status(ask_one(env, CONTROL, &Ask::Status).await?).ok_or_else(|| strange(CONTROL))?;
    Ok((shards, control))
}
