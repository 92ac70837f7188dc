//! What has one truth: conditions, versions, spend.

use super::{EPOCH, attempt, request};
use understudy::domain::ledger::batch::LEASE;
use understudy::domain::ledger::control::{
    Action, Condition, Edition, SETTLES, Spent, Synced, Usage, found_in_store, spent, stored,
};
use understudy::domain::ledger::desk::Desk;
use understudy::domain::ledger::row::RequestRow;
use understudy::domain::time::{Instant, Span};

#[track_caller]
fn holds(if_match: Option<&str>, if_none_match: Option<&str>, stored: Option<&str>, expected: bool) {
    assert_eq!(
        Condition::parse(if_match, if_none_match).holds(stored),
        expected,
        "{if_match:?} {if_none_match:?} {stored:?}"
    );
}

#[test]
fn conditions_are_those_of_http() {
    holds(None, None, None, true);
    holds(Some("\"1f3a9c02\""), None, Some("1f3a9c02"), true);
    holds(Some("1f3a9c02"), None, Some("1f3a9c02"), true);
    holds(Some("W/\"1f3a9c02\""), None, Some("1f3a9c02"), true);
    holds(Some("\"00000000\", \"1F3A9C02\""), None, Some("1f3a9c02"), true);
    holds(Some("\"1f3a9c02\""), None, Some("deadbeef"), false);
    holds(Some("\"1f3a9c02\""), None, None, false);
    // An empty list of tags is one that no version is in.
    holds(Some(""), None, Some("1f3a9c02"), false);
    holds(Some(" , "), None, Some("1f3a9c02"), false);
    holds(Some("*"), None, Some("x"), true);
    holds(Some("*"), None, None, false);
    holds(None, Some("*"), None, true);
    holds(None, Some("*"), Some("x"), false);
}

fn edition(version: Option<&str>, at: u64) -> Edition {
    let version = version.map(str::to_owned);
    Edition { seq: 1, name: "policy:p".into(), version, at, by: "alice".into(), action: Action::Put, value: None }
}

#[test]
fn a_publication_stands_until_the_store_has_settled() {
    let (now, later) = (Instant(EPOCH + 5), Instant(EPOCH) + SETTLES);
    let last = edition(Some("aaaaaaaa"), EPOCH);
    let other = Some("bbbbbbbb");
    assert_eq!(stored(Some(&last), other, 0, now), Some("aaaaaaaa"));
    assert_eq!(stored(Some(&last), other, 1, now), other, "the store has shown the publication: this came after it");
    assert_eq!(stored(Some(&last), other, 0, later), other);
    assert_eq!(stored(Some(&edition(None, EPOCH)), other, 0, now), None);
    assert_eq!(stored(None, other, 0, now), other);
    assert!(!found_in_store(Some(&last), other, 0, now));
    assert!(found_in_store(Some(&last), other, 1, now));
    assert!(found_in_store(Some(&last), other, 0, later));
    assert!(!found_in_store(Some(&last), Some("aaaaaaaa"), 0, later));
    assert!(found_in_store(None, other, 0, now) && !found_in_store(None, None, 0, now));
}

fn charged(key: &str, after: u64, outcome: &str) -> RequestRow {
    RequestRow { key_id: Some(key.to_owned()), ..request(1, after, vec![attempt("openai/a", outcome, 5)]) }
}

fn word(day: &str, today: u64, month: u64) -> Spent {
    Spent { day: day.to_owned(), today_micro_usd: today, month_micro_usd: month }
}

#[test]
fn spend_is_what_control_said_and_what_it_has_not_heard() {
    let (mut desk, now) = (Desk::new("a".into()), Instant(EPOCH));
    assert_eq!(desk.spent("k", now), None, "control has not said a word");
    desk.learn("k", word("2026-11-21", 100, 300));
    desk.charge(&charged("k", 0, "ok"));
    desk.charge(&charged("k", 0, "timeout"));
    desk.charge(&RequestRow { mark: "drill".into(), ..charged("k", 0, "ok") });
    assert_eq!(desk.spent("k", now), Some(word("2026-11-21", 107, 307)));
    let sync = desk.take(Vec::new, now).expect("something to tell");
    assert_eq!(sync.usage["k"]["2026-11-21"], Usage { requests: 2, succeeded: 1, micro_usd: 7, input: 10, output: 5 });
    assert_eq!(desk.spent("k", now), Some(word("2026-11-21", 107, 307)), "told, not yet answered");
    assert!(desk.take(Vec::new, now).is_none(), "another request is telling");
    let again = desk.take(Vec::new, now + LEASE).expect("told again when the first was cut off");
    assert_eq!(again, sync);
    let spent = [("k".to_owned(), word("2026-11-21", 107, 307))].into();
    desk.answered(1, &Synced { spent, ..Synced::default() });
    assert_eq!(desk.spent("k", now), Some(word("2026-11-21", 107, 307)), "answered, counted once");
    assert!(!desk.has_work());
    let tomorrow = now + Span(86_400_000);
    assert_eq!(desk.spent("k", tomorrow), Some(word("2026-11-22", 0, 307)));
    assert_eq!(desk.spent("k", now + Span(20 * 86_400_000)), Some(word("2026-12-11", 0, 0)));
}

#[test]
fn days_sum_to_their_month() {
    let used = |micro_usd| Usage { micro_usd, ..Usage::default() };
    let days = [("2026-10-31", 5), ("2026-11-01", 7), ("2026-11-21", 11)];
    let days = days.map(|(day, n)| (day.to_owned(), used(n))).into();
    assert_eq!(spent(&days, Instant(EPOCH)), word("2026-11-21", 11, 18));
}

#[test]
fn refusals_are_told_by_code_within_a_bound() {
    let mut desk = Desk::new("a".into());
    desk.refuse("policy_not_found");
    desk.refuse("policy_not_found");
    (0..300).for_each(|n| desk.refuse(&format!("code-{n}")));
    let sync = desk.take(Vec::new, Instant(1)).expect("something to tell");
    assert_eq!(sync.refused["policy_not_found"], 2);
    assert_eq!(sync.refused["other"], 201);
    desk.unanswered(sync.number);
    assert_eq!(desk.take(Vec::new, Instant(1)).map(|again| again.number), Some(sync.number));
}
