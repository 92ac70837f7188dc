//! Where rows are that no counter combines.

use super::{EPOCH, any_requests, attempt, request};
use proptest::prelude::*;
use std::collections::BTreeSet;
use understudy::domain::ledger::places::{Marks, PIECE, Places};
use understudy::domain::ledger::query::ListQuery;
use understudy::domain::ledger::row::RequestRow;
use understudy::domain::ledger::sketch::slot_of;
use understudy::domain::time::Instant;

fn found(rows: &[RequestRow], query: &ListQuery) -> BTreeSet<u64> {
    let slots: BTreeSet<Instant> = rows.iter().map(|row| slot_of(Instant(row.at))).collect();
    let of = |slot: Instant| {
        let mut places = Places::default();
        places.add(rows.iter().filter(|row| slot_of(Instant(row.at)) == slot));
        let stored = Places::load(places.bytes());
        stored.find(slot, &Marks::of(query)).map(|at| at.0).collect::<Vec<_>>()
    };
    slots.into_iter().flat_map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_that_is_wanted_has_its_place(rows in any_requests(60), user in 1_u8..4, group in prop::option::of(1_u8..4), policy in prop::option::of(Just("sonnet".to_owned()))) {
        let query = ListQuery { user: Some(format!("u{user}")), group: group.map(|n| format!("g{n}")), policy, ..ListQuery::default() };
        let wanted: BTreeSet<u64> = rows.iter().filter(|row| row.counts() && query.admits(row)).map(|row| row.at).collect();
        prop_assert_eq!(found(&rows, &query), wanted);
    }
}

#[test]
fn rows_that_no_counter_counts_have_no_place() {
    let row = request(1, 0, vec![attempt("openai/a", "ok", 5)]);
    let drill = RequestRow { mark: "drill".to_owned(), ..row.clone() };
    assert_eq!(found(&[drill], &ListQuery::default()), BTreeSet::new());
    assert_eq!(found(&[row], &ListQuery::default()), BTreeSet::from([EPOCH]));
}

#[test]
fn a_piece_is_bounded() {
    let row = request(1, 0, vec![attempt("openai/a", "ok", 5)]);
    let mut places = Places::default();
    places.add((1..PIECE).map(|_| &row));
    assert!(!places.is_full());
    places.add([&row]);
    assert!(places.is_full());
    assert_eq!(places.bytes().len(), 13 * PIECE);
}
