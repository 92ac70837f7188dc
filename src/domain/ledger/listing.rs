//! Lists of requests: the page of one shard, the merge of the pages, and rows as the admin API gives them.

use crate::domain::ledger::analytics::usd;
use crate::domain::ledger::row::{AttemptRow, RequestRow, Tokens};
use crate::domain::ledger::when::format_time;
use crate::domain::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What one shard found, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub rows: Vec<RequestRow>,
    /// The ledger id down to which the shard has looked; `None` when it holds nothing older.
    pub searched_to: Option<String>,
}

impl Page {
    /// The page of all shards, with the cursor of the next one.
    ///
    /// A shard that stopped early may hold rows older than where it stopped that are newer than what another gave: nothing
    /// beyond the newest such point can be given yet.
    pub fn merge(pages: impl IntoIterator<Item = Page>, limit: usize) -> (Vec<RequestRow>, Option<String>) {
        let (mut rows, mut searched_to) = (Vec::new(), None::<String>);
        for page in pages {
            searched_to = searched_to.max(page.searched_to);
            rows.extend(page.rows);
        }
        rows.sort_by(|a, b| b.ledger_id.cmp(&a.ledger_id));
        rows.dedup_by(|a, b| a.ledger_id == b.ledger_id);
        if let Some(horizon) = &searched_to {
            rows.retain(|row| row.ledger_id >= *horizon);
        }
        if rows.len() > limit {
            rows.truncate(limit);
            searched_to = rows.last().map(|row| row.ledger_id.clone());
        }
        (rows, searched_to)
    }

    /// The page of rows found newest first, of which one more than asked for was looked for; `horizon` is how far was looked
    /// when that was not to the end.
    pub fn of(mut rows: Vec<RequestRow>, limit: usize, horizon: Option<String>) -> Page {
        if rows.len() <= limit {
            return Page { rows, searched_to: horizon };
        }
        rows.truncate(limit);
        let searched_to = rows.last().map(|row| row.ledger_id.clone());
        Page { rows, searched_to }
    }
}

/// `/admin/requests`
pub fn list_answer(rows: &[RequestRow], next: Option<String>) -> Value {
    json!({"data": rows.iter().map(summary).collect::<Vec<_>>(), "next": next})
}

/// `/admin/requests/{id}`: the newest of the rows with that id, older ones in `others`. `None` when there is none.
pub fn detail_answer(mut rows: Vec<RequestRow>) -> Option<Value> {
    rows.sort_by(|a, b| b.ledger_id.cmp(&a.ledger_id));
    let (newest, older) = rows.split_first()?;
    let mut answer = head(newest);
    answer.insert("dropped".into(), json!(newest.dropped));
    let mut attempts: Vec<Value> = newest.attempts.iter().map(attempt).collect();
    // Of the attempt that the client was answered from it is kept once, for the request.
    if let Some(at) = newest.attempts.iter().rposition(|attempt| attempt.committed) {
        attempts[at]["dropped"] = json!(newest.dropped);
    }
    answer.insert("attempts".into(), attempts.into());
    let others = older.iter().map(|row| json!({"id": row.id, "ledger_id": row.ledger_id, "at": format_time(Instant(row.at)), "outcome": row.outcome}));
    answer.insert("others".into(), others.collect());
    Some(Value::Object(answer))
}

/// One line of a list, and one event of the live stream: the request with its attempts in short.
pub fn summary(row: &RequestRow) -> Value {
    let mut line = head(row);
    let attempts = row.attempts.iter().map(|a| {
        json!({"seq": a.seq, "call": a.call, "model": a.model, "outcome": a.outcome, "status": a.status, "ms": a.ms})
    });
    line.insert("attempts".into(), attempts.collect());
    Value::Object(line)
}

fn head(row: &RequestRow) -> Map<String, Value> {
    let named = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let fields = json!({
        "id": row.id,
        "ledger_id": row.ledger_id,
        "at": format_time(Instant(row.at)),
        "policy": named(&row.policy),
        "version": named(&row.version),
        "workload": named(&row.workload),
        "route": row.route,
        "asked": row.asked,
        "model": row.model(),
        "outcome": row.outcome,
        "status": row.status,
        "fallback": row.fallback,
        "degraded": row.degraded,
        "stream": row.stream,
        "ms": row.ms,
        "ttft_ms": row.ttft_ms,
        "user": row.user,
        "group": row.group,
        "key": row.key,
        "colo": row.colo,
        "mark": named(&row.mark),
        "calls": row.calls(),
        "tokens": tokens(row.tokens()),
        "cost_usd": usd(row.cost_micro_usd()),
        "wasted_usd": usd(row.wasted_micro_usd()),
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn attempt(row: &AttemptRow) -> Value {
    let mut line = json!({
        "seq": row.seq,
        "at": format_time(Instant(row.at)),
        "call": row.call,
        "model": row.model,
        "key": if row.key.is_empty() { Value::Null } else { row.key.as_str().into() },
        "outcome": row.outcome,
        "status": row.status,
        "phase": row.phase,
        "code": row.code,
        "reason": if row.reason.is_empty() { Value::Null } else { row.reason.as_str().into() },
        "headers_ms": row.headers_ms,
        "ttft_ms": row.ttft_ms,
        "ms": row.ms,
        "tokens": tokens(row.tokens),
        "cost_usd": usd(row.cost_micro_usd),
        "committed": row.committed,
        "billed": row.billed,
    });
    if !row.dropped.is_empty() {
        line["dropped"] = json!(row.dropped);
    }
    line
}

fn tokens(tokens: Tokens) -> Value {
    json!({"input": tokens.input, "output": tokens.output, "cached": tokens.cached, "estimated": tokens.estimated})
}
