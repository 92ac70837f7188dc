//! What has one truth: conditions, versions, spend.

use super::{EPOCH, attempt, request};
use understudy::domain::ledger::batch::LEASE;
use understudy::domain::ledger::control::{
    Action, Condition, DOCUMENT_BYTES, Edition, SETTLES, Shown, Spent, Synced, Usage, found_in_store, repeats, spent,
    stored,
};
use understudy::domain::ledger::desk::{ASK_EVERY, ASKING, Desk, FRESH, Word};
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

#[test]
fn what_stands_and_is_put_again_is_no_new_version() {
    let (a, b) = (Some("aaaaaaaa"), Some("bbbbbbbb"));
    let last = edition(a, EPOCH);
    assert!(repeats(Some(&last), a, a));
    assert!(!repeats(Some(&last), a, b));
    assert!(!repeats(Some(&last), b, a), "another stands there by other hands");
    assert!(!repeats(None, a, a), "it was never published");
    assert!(!repeats(Some(&edition(None, EPOCH)), None, None), "a deletion");
    let found = Edition { action: Action::Found, ..last };
    assert!(!repeats(Some(&found), a, a), "other isolates were never told of it");
}

#[test]
fn an_edition_holds_text_of_a_bounded_length() {
    let value = |bytes: &[u8]| Shown::of("aaaaaaaa".into(), bytes).value;
    assert_eq!(value("{\"a\":\"caf\u{e9}\"}".as_bytes()).as_deref(), Some("{\"a\":\"caf\u{e9}\"}"));
    assert_eq!(value(b"caf\xe9"), None);
    assert_eq!(value(&vec![b' '; DOCUMENT_BYTES]).map(|text| text.len()), Some(DOCUMENT_BYTES));
    assert_eq!(value(&vec![b' '; DOCUMENT_BYTES + 1]), None);
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
    desk.word("k", now);
    desk.learn(&["k".to_owned()], &[("k".to_owned(), word("2026-11-21", 100, 300))].into(), now);
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
    desk.answered(1, &Synced { spent, ..Synced::default() }, now);
    assert_eq!(desk.spent("k", now), Some(word("2026-11-21", 107, 307)), "answered, counted once");
    assert!(!desk.has_work());
    let tomorrow = now + Span(86_400_000);
    assert_eq!(desk.spent("k", tomorrow), Some(word("2026-11-22", 0, 307)));
    assert_eq!(desk.spent("k", now + Span(20 * 86_400_000)), Some(word("2026-12-11", 0, 0)));
}

/// What `control` says of `k`, whatever was spent there meanwhile.
fn said(today: u64) -> Synced {
    Synced { spent: [("k".to_owned(), heard(today))].into(), ..Synced::default() }
}

fn heard(today: u64) -> Spent {
    word("2026-11-21", today, today)
}

fn ask(keys: &[&str]) -> Word {
    Word::Ask(keys.iter().map(|key| str::to_owned(key)).collect())
}

/// A desk that asked about `k` and was told this.
fn told(today: Option<u64>, now: Instant) -> Desk {
    let mut desk = Desk::new("a".into());
    assert_eq!(desk.word("k", now), ask(&["k"]));
    let said = today.map(|today| ("k".to_owned(), heard(today)));
    desk.learn(&["k".to_owned()], &said.into_iter().collect(), now);
    desk
}

#[test]
fn a_word_on_spend_counts_for_two_seconds_and_flushes_ask_for_a_newer_one() {
    let now = Instant(EPOCH);
    let mut desk = told(Some(0), now);
    assert_eq!(desk.word("k", now), Word::Heard(Some(heard(0))));
    // Others spend. The flush of whatever traffic there is asks for the key, though nothing of it is to be told.
    let later = now + Span(1_500);
    let sync = desk.take(Vec::new, later).expect("something to tell");
    assert_eq!((sync.usage.len(), &sync.keys), (0, &vec!["k".to_owned()]));
    desk.answered(sync.number, &said(9), later);
    assert_eq!(desk.word("k", now + FRESH), Word::Heard(Some(heard(9))));
    assert_eq!(desk.word("k", later + FRESH), ask(&["k"]), "too old to hold a budget by");
}

#[test]
fn one_request_asks_for_all_keys_that_are_waited_for() {
    let (mut desk, now) = (Desk::new("a".into()), Instant(EPOCH));
    assert_eq!(desk.word("k", now), ask(&["k"]));
    assert_eq!((desk.word("k", now), desk.word("l", now)), (Word::Wait, Word::Wait));
    desk.learn(&["k".to_owned()], &said(1).spent, now + Span(30));
    assert_eq!(desk.word("k", now + Span(50)), Word::Heard(Some(heard(1))));
    assert_eq!((desk.word("l", now + Span(50)), desk.word("m", now + Span(60))), (Word::Wait, Word::Wait));
    assert_eq!(desk.word("l", now + ASK_EVERY), ask(&["l", "m"]));
    // The request that asked was cut off: another takes its place.
    assert_eq!(desk.word("m", now + ASK_EVERY + ASKING), ask(&["l", "m"]));
}

#[test]
fn a_flush_asks_about_no_key_of_which_it_tells_and_none_out_of_use() {
    let now = Instant(EPOCH);
    let mut desk = told(Some(0), now);
    desk.charge(&charged("k", 0, "ok"));
    let sync = desk.take(Vec::new, now).expect("something to tell");
    assert_eq!((sync.usage.len(), sync.keys.len()), (1, 0));
    desk.answered(sync.number, &said(7), now);
    assert!(desk.take(Vec::new, now + Span(60_000)).expect("a question").keys.is_empty());
    let mut many = Desk::new("b".into());
    (0..1_000).for_each(|n| drop(many.word(&format!("k{n}"), now)));
    assert_eq!(many.take(Vec::new, now).expect("a question").keys.len(), 200);
}

#[test]
fn a_ledger_that_does_not_say_what_a_key_spent_is_not_asked_by_every_request() {
    let now = Instant(EPOCH);
    let mut desk = told(None, now);
    assert_eq!(desk.word("k", now), Word::Heard(None), "it never said a word");
    assert_eq!(desk.word("k", now + FRESH), ask(&["k"]));
    desk.learn(&["k".to_owned()], &said(5).spent, now + FRESH);
    let later = now + FRESH + FRESH;
    assert_eq!(desk.word("k", later), ask(&["k"]));
    desk.learn(&["k".to_owned()], &[].into(), later);
    assert_eq!(desk.word("k", later), Word::Heard(Some(heard(5))), "its last word");
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
