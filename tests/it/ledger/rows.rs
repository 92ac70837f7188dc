//! Rows, their ids, and times.

use super::{EPOCH, attempt, request};
use understudy::domain::ledger::row::{ledger_id, ledger_id_floor};
use understudy::domain::ledger::when::{format_time, parse_time};
use understudy::domain::time::Instant;

#[test]
fn ledger_ids_sort_by_arrival() {
    let early = ledger_id(Instant(EPOCH), [0xff; 10]);
    let late = ledger_id(Instant(EPOCH + 1), [0; 10]);
    assert_eq!(early.len(), 32);
    assert!(early < late);
    assert!(ledger_id_floor(Instant(EPOCH)) <= early && early < ledger_id_floor(Instant(EPOCH + 1)));
    assert_eq!(ledger_id(Instant(u64::MAX), [0; 10]).len(), 32);
}

#[test]
fn only_successful_attempts_are_charged() {
    let row = request(1, 0, vec![attempt("openai/a", "timeout", 5), attempt("anthropic/b", "ok", 9)]);
    assert_eq!((row.cost_micro_usd(), row.wasted_micro_usd()), (7, 7));
    assert_eq!((row.tokens().input, row.tokens().output), (10, 5));
    assert_eq!(row.model(), Some("anthropic/b"));
    let failed = request(2, 0, vec![attempt("openai/a", "timeout", 5)]);
    assert_eq!((failed.cost_micro_usd(), failed.wasted_micro_usd(), failed.model()), (0, 7, None));
}

#[test]
fn a_stream_that_broke_was_answered_by_its_target_all_the_same() {
    let mut row = request(1, 0, vec![attempt("openai/a", "timeout", 5), attempt("anthropic/b", "interrupted", 9)]);
    assert_eq!(row.model(), None);
    row.attempts[1].committed = true;
    assert_eq!((row.model(), row.cost_micro_usd()), (Some("anthropic/b"), 0));
}

#[track_caller]
fn reads(text: &str, at: Option<u64>) {
    assert_eq!(parse_time(text), at.map(Instant), "{text}");
}

#[test]
fn times_are_read_as_rfc_3339_or_unix_ms() {
    reads("1795248000000", Some(EPOCH));
    reads("2026-11-21T08:00:00Z", Some(EPOCH));
    reads("2026-11-21T08:00:00.250Z", Some(EPOCH + 250));
    reads("2026-11-21T10:00:00+02:00", Some(EPOCH));
    reads("2026-11-21T10:00:00 02:00", Some(EPOCH));
    reads("0", Some(0));
    reads("never", None);
    reads("2026-11-21", None);
    reads("-5", None);
    reads("99999999999999999999", None);
    reads("1969-12-31T23:59:59Z", None);
    assert_eq!(format_time(Instant(EPOCH + 7)), "2026-11-21T08:00:00.007Z");
    assert_eq!(format_time(Instant(u64::MAX)), "1970-01-01T00:00:00.000Z");
}
