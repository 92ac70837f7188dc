//! The ledger's folds, batches, pages and answers.

mod answers;
mod batches;
mod control;
mod folds;
mod packed;
mod places;
mod rows;
mod sketches;

use proptest::prelude::*;
use understudy::domain::ledger::row::{AttemptRow, Billed, RequestRow, Tokens, ledger_id};
use understudy::domain::time::Instant;

/// 2026-11-21T08:00:00Z
const EPOCH: u64 = 1_795_248_000_000;

/// An attempt, or a skip where the outcome is `skip`.
fn attempt(model: &str, outcome: &str, ms: u64) -> AttemptRow {
    AttemptRow {
        at: EPOCH,
        call: outcome != "boundary",
        model: model.to_owned(),
        key: "managed".to_owned(),
        outcome: outcome.to_owned(),
        status: Some(if outcome == "ok" { 200 } else { 500 }),
        ms,
        tokens: Tokens { input: 10, output: 5, cached: 0, estimated: false },
        cost_micro_usd: 7,
        committed: outcome == "ok",
        billed: Billed::Maybe,
        ..AttemptRow::default()
    }
}

/// A request under policy `sonnet` that arrived so many ms after [`EPOCH`], the `n`th of its kind.
fn request(n: u64, after: u64, attempts: Vec<AttemptRow>) -> RequestRow {
    let at = EPOCH + after;
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    let last = attempts.iter().rfind(|attempt| attempt.call).cloned().unwrap_or_default();
    RequestRow {
        ledger_id: ledger_id(Instant(at), random),
        id: format!("r-{n}"),
        at,
        policy: "sonnet".to_owned(),
        version: "1f3a9c02".to_owned(),
        workload: "support".to_owned(),
        route: "chat".to_owned(),
        asked: "policy/sonnet".to_owned(),
        outcome: last.outcome.clone(),
        status: last.status.unwrap_or(502),
        fallback: last.outcome == "ok" && attempts.len() > 1,
        ms: attempts.iter().map(|attempt| attempt.ms).sum(),
        ttft_ms: Some(last.ms / 2),
        attempts,
        ..RequestRow::default()
    }
}

/// Requests of all kinds, over three days.
fn any_requests(most: usize) -> impl Strategy<Value = Vec<RequestRow>> {
    let model = prop::sample::select(vec!["openai/a", "anthropic/b", "bedrock/c@eu-central-1"]);
    let outcome = prop::sample::select(vec!["ok", "timeout", "overloaded", "boundary"]);
    let attempts = prop::collection::vec((model, outcome, 0_u64..200_000), 0..5);
    let who = (0_u8..4, 0_u8..4, prop::sample::select(vec!["", "", "", "drill", "compare"]), any::<bool>());
    let one = (attempts, 0_u64..3 * 86_400_000, prop::sample::select(vec!["sonnet", "cheap", ""]), who);
    prop::collection::vec(one, 0..most).prop_map(|all| {
        let row = |(n, (attempts, after, policy, (user, group, mark, degraded)))| {
            let attempts: Vec<(&str, &str, u64)> = attempts;
            let attempts = attempts.into_iter().map(|(model, outcome, ms)| attempt(model, outcome, ms)).collect();
            RequestRow {
                policy: str::to_owned(policy),
                user: (user > 0).then(|| format!("u{user}")),
                group: (group > 0).then(|| format!("g{group}")),
                mark: str::to_owned(mark),
                degraded,
                ..request(n as u64, after, attempts)
            }
        };
        all.into_iter().enumerate().map(row).collect()
    })
}
