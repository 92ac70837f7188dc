//! Sketches: they pass over nothing that a filter would find, and most of what it would not.

use super::{EPOCH, any_requests, attempt, request};
use proptest::prelude::*;
use std::collections::BTreeMap;
use understudy::domain::ledger::query::ListQuery;
use understudy::domain::ledger::row::{RequestRow, arrival};
use understudy::domain::ledger::sketch::{SLOT, Sketch, Stretch, Wanted, slot_of, stretches};
use understudy::domain::time::{Instant, Span};

fn sketched(rows: &[RequestRow]) -> BTreeMap<Instant, Sketch> {
    let mut slots: BTreeMap<Instant, Sketch> = BTreeMap::new();
    for row in rows {
        slots.entry(slot_of(Instant(row.at))).or_default().add([row]);
    }
    slots
}

fn any_query() -> impl Strategy<Value = ListQuery> {
    let text = |values: &'static [&'static str]| {
        prop::option::weighted(0.3, prop::sample::select(values).prop_map(str::to_owned))
    };
    let who = (text(&["sonnet", "cheap"]), text(&["u1", "u2", "u9"]), text(&["g1", "g9"]), text(&["support", "none"]));
    let what = (
        text(&["openai/a", "anthropic/b", "nobody/x"]),
        text(&["ok", "timeout", "boundary", "auth"]),
        text(&["drill"]),
    );
    let range = (0_u64..3 * 86_400_000, 0_u64..3 * 86_400_000);
    (who, what, prop::option::weighted(0.3, any::<bool>()), range).prop_map(|(who, what, fallback, (from, to))| {
        ListQuery {
            policy: who.0,
            user: who.1,
            group: who.2,
            workload: who.3,
            target: what.0,
            class: what.1,
            mark: what.2,
            fallback,
            since: Some(understudy::domain::ledger::row::ledger_id_floor(Instant(EPOCH + from.min(to)))),
            before: Some(understudy::domain::ledger::row::ledger_id_floor(Instant(EPOCH + from.max(to)))),
            limit: 50,
            ..ListQuery::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_row_that_a_filter_admits_is_passed_over(rows in any_requests(40), query in any_query(), began in 0_u64..2 * 86_400_000) {
        let Some(wanted) = Wanted::of(&query) else { return Ok(()) };
        let began = Instant(EPOCH + began);
        // What came before the sketches began is in none of them.
        let later: Vec<RequestRow> = rows.iter().filter(|row| Instant(row.at) >= began).cloned().collect();
        let yes: Vec<Instant> = sketched(&later).into_iter().rev().filter(|(_, sketch)| sketch.may_hold(&wanted)).map(|(slot, _)| slot).collect();
        let range = (arrival(query.since.as_deref().unwrap()), arrival(query.before.as_deref().unwrap()));
        let looked = stretches(range, yes, began);
        for row in rows.iter().filter(|row| query.admits(row) && Instant(row.at) >= range.0 && Instant(row.at) < range.1) {
            prop_assert!(looked.iter().any(|(from, to)| (from.0..to.0).contains(&row.at)), "{} in {:?}", row.at, looked);
        }
        prop_assert!(looked.windows(2).all(|pair| pair[1].1 < pair[0].0), "apart, and newest first: {:?}", looked);
        prop_assert!(looked.iter().all(|(from, to)| *from >= range.0 && *to <= range.1 && from < to));
    }
}

#[test]
fn a_word_that_is_not_there_is_seldom_seen() {
    let rows: Vec<RequestRow> = (0..500)
        .map(|n| RequestRow { user: Some(format!("user-{n}")), ..request(n, n, vec![attempt("openai/a", "ok", 5)]) })
        .collect();
    let mut sketch = Sketch::default();
    sketch.add(&rows);
    let seen =
        |name: String| sketch.may_hold(&Wanted::of(&ListQuery { user: Some(name), ..ListQuery::default() }).unwrap());
    assert!((0..500).all(|n| seen(format!("user-{n}"))));
    let wrong = (0..10_000).filter(|n| seen(format!("stranger-{n}"))).count();
    assert!(wrong < 20, "{wrong} of 10,000");
}

#[track_caller]
fn looks(range: (u64, u64), yes: &[u64], since: u64, expected: &[(u64, u64)]) {
    let slot = |n: u64| Instant(n * SLOT.0 / 10);
    let stretch = |(from, to): (u64, u64)| -> Stretch { (slot(from), slot(to)) };
    let expected: Vec<Stretch> = expected.iter().map(|pair| stretch(*pair)).collect();
    assert_eq!(stretches(stretch(range), yes.iter().map(|n| slot(*n)), slot(since)), expected);
}

#[test]
fn neighbours_are_one_stretch_and_what_came_before_the_sketches_is_looked_at() {
    // In tenths of a slot.
    looks((0, 100), &[], 0, &[]);
    looks((0, 100), &[50], 0, &[(50, 60)]);
    looks((0, 100), &[60, 50, 30], 0, &[(50, 70), (30, 40)]);
    looks((52, 57), &[50], 0, &[(52, 57)]);
    looks((0, 100), &[60, 20], 40, &[(60, 70), (0, 40)]);
    looks((0, 100), &[40, 20], 35, &[(0, 50)]);
    looks((0, 100), &[], 35, &[(0, 40)]);
    looks((50, 100), &[], 35, &[]);
}

#[test]
fn what_is_no_sketch_hides_nothing() {
    let wanted = Wanted::of(&ListQuery { user: Some("u".into()), ..ListQuery::default() }).unwrap();
    assert!(Sketch::load(vec![0; 7]).may_hold(&wanted) && !Sketch::load(vec![0; 4_096]).may_hold(&wanted));
    assert_eq!(arrival("not an id"), Instant(0xffff_ffff_ffff));
    assert_eq!(arrival("g"), Instant(0xffff_ffff_ffff));
    assert_eq!(slot_of(Instant(EPOCH) + Span(5)), slot_of(Instant(EPOCH)));
}

/// The bits of a stored sketch: another choice of them would hide what earlier versions stored.
#[test]
fn a_sketch_is_stored_so() {
    let mut sketch = Sketch::default();
    sketch.add([&RequestRow { outcome: "ok".into(), ..RequestRow::default() }]);
    let bytes = sketch.bytes();
    let set: Vec<usize> = (0..bytes.len() * 8).filter(|bit| bytes[bit / 8] & (1 << (bit % 8)) != 0).collect();
    assert_eq!((bytes.len(), set.len()), (4_096, 20));
    assert_eq!(set[..4], [5135, 5763, 6500, 7067]);
}
