//! Where rows are that no counter combines, and what counters want of them.

use super::{EPOCH, any_requests, attempt, request};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use understudy::domain::ledger::analytics::Part;
use understudy::domain::ledger::extracts;
use understudy::domain::ledger::places::{Marks, PIECE, Piece, Places};
use understudy::domain::ledger::query::{AnalyticsQuery, ListQuery, Retention};
use understudy::domain::ledger::row::RequestRow;
use understudy::domain::ledger::sketch::slot_of;
use understudy::domain::time::Instant;

/// Per slot a piece of all its rows, as it is stored; after each row it was stored and read.
fn pieces(rows: &[RequestRow]) -> BTreeMap<Instant, (Vec<u8>, Vec<u8>)> {
    let mut pieces: BTreeMap<Instant, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for row in rows {
        let (places, extracts) = pieces.entry(slot_of(Instant(row.at))).or_default();
        let mut piece = Piece::load(std::mem::take(places), extracts);
        piece.add(row);
        (*places, *extracts) = piece.bytes();
    }
    pieces
}

/// What a shard reads of its pieces: the extracts that may be wanted.
fn read(rows: &[RequestRow], query: &ListQuery) -> Vec<RequestRow> {
    let of = |(slot, (places, packed)): (Instant, (Vec<u8>, Vec<u8>))| {
        let hits: Vec<_> = Places::load(places).find(slot, &Marks::of(query)).collect();
        extracts::read(&packed, &hits)
    };
    pieces(rows).into_iter().flat_map(of).collect()
}

fn found(rows: &[RequestRow], query: &ListQuery) -> BTreeSet<u64> {
    read(rows, query).iter().map(|row| row.at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_row_that_is_wanted_has_its_place(rows in any_requests(60), user in 1_u8..4, group in prop::option::of(1_u8..4), policy in prop::option::of(Just("sonnet".to_owned()))) {
        let query = ListQuery { user: Some(format!("u{user}")), group: group.map(|n| format!("g{n}")), policy, ..ListQuery::default() };
        let wanted: BTreeSet<u64> = rows.iter().filter(|row| row.counts() && query.admits(row)).map(|row| row.at).collect();
        prop_assert_eq!(found(&rows, &query), wanted);
    }

    /// By the hour, with one filter or two, and of one target: totals, targets, percentiles, series and tables alike.
    #[test]
    fn extracts_answer_as_the_rows_they_are_of(rows in any_requests(60), filter in prop::sample::select(vec!["user=u1", "group=g2", "workload=support", "user=u2&group=g1", "group=g1&policy=cheap", "user=u1&target=openai/a"])) {
        let mut params = vec![("from".to_owned(), EPOCH.to_string()), ("bucket".to_owned(), "hour".to_owned())];
        params.extend(filter.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())));
        let query = AnalyticsQuery::parse(&params, Instant(EPOCH + 3 * 86_400_000), &Retention::default()).expect("a good query");
        let answered = |rows: Vec<RequestRow>| {
            let mut part = Part::default();
            part.add_rows(&query, &rows.into_iter().filter(|row| query.filter.admits(row)).collect::<Vec<_>>());
            part
        };
        let (by_rows, by_extracts) = (answered(rows.clone()), answered(read(&rows, &query.filter)));
        prop_assert_eq!(&by_extracts, &by_rows);
        prop_assert_eq!(by_extracts.answer(&query), by_rows.answer(&query));
    }

    #[test]
    fn broken_extracts_are_passed_over(rows in any_requests(8), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for (slot, (_, mut packed)) in pieces(&rows) {
            let hits = [0, 1, 2, 5, usize::MAX].map(|place| (place, slot));
            if packed.is_empty() {
                continue;
            }
            let cut = at.index(packed.len());
            let whole = extracts::read(&packed, &hits);
            prop_assert!(extracts::read(&packed[..cut], &hits).len() <= whole.len());
            packed[cut] = byte;
            let _ = (extracts::read(&packed, &hits), Piece::load(Vec::new(), &packed).bytes());
        }
    }
}

#[test]
fn rows_that_no_counter_counts_have_no_place() {
    let row = request(1, 0, vec![attempt("openai/a", "ok", 5)]);
    let drill = RequestRow { mark: "drill".to_owned(), ..row.clone() };
    assert_eq!(pieces(std::slice::from_ref(&drill))[&slot_of(Instant(EPOCH))], (vec![], vec![]));
    assert_eq!(found(&[drill], &ListQuery::default()), BTreeSet::new());
    assert_eq!(found(&[row], &ListQuery::default()), BTreeSet::from([EPOCH]));
}

#[test]
fn a_piece_is_bounded() {
    let row = request(1, 0, vec![attempt("openai/a", "ok", 5)]);
    let mut piece = Piece::default();
    (1..PIECE).for_each(|_| piece.add(&row));
    assert!(!piece.is_closed());
    piece.add(&row);
    assert!(piece.is_closed());
    assert_eq!(piece.bytes().0.len(), 13 * PIECE);
}

#[test]
fn a_piece_of_long_names_is_closed_before_it_is_too_large_to_store() {
    let mut piece = Piece::default();
    let named = |n: u64| RequestRow { user: Some(format!("{n}{}", "u".repeat(16_000))), ..request(n, 0, vec![]) };
    let mut taken = 0;
    while !piece.is_closed() {
        piece.add(&named(taken));
        taken += 1;
    }
    assert!((2..20).contains(&taken), "{taken}");
    let (_, extracts) = piece.bytes();
    assert!(extracts.len() < 200_000, "{}", extracts.len());
}

#[test]
fn a_piece_that_was_begun_without_extracts_takes_no_more() {
    let row = request(1, 0, vec![attempt("openai/a", "ok", 5)]);
    let mut piece = Piece::default();
    assert!(!piece.is_closed());
    piece.add(&row);
    let (places, _) = piece.bytes();
    assert!(Piece::load(places, &[]).is_closed());
}
