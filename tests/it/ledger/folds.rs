//! Histograms and rollups.

use super::{EPOCH, any_requests, attempt, request};
use proptest::prelude::*;
use std::collections::BTreeMap;
use understudy::domain::ledger::batch::shard_of;
use understudy::domain::ledger::cell::{CELL_TARGETS, Cell};
use understudy::domain::ledger::histogram::Histogram;
use understudy::domain::ledger::rollup::{Dimension, Period, Rollup};
use understudy::domain::ledger::row::{AttemptRow, Billed, RequestRow};

fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::default();
    values.into_iter().for_each(|ms| histogram.add(ms));
    histogram
}

#[test]
fn one_value_is_known_within_four_percent_up_to_an_hour() {
    let values = (0..20_000).chain((20_000..3_600_000).step_by(997)).chain([3_600_000]);
    for ms in values {
        let about = histogram([ms]).percentile(50).expect("there is one");
        assert!((about - ms as f64).abs() <= 0.04 * ms as f64 + 1e-9, "{ms} is read as {about}");
    }
}

#[test]
fn an_empty_histogram_has_no_percentile() {
    assert_eq!(Histogram::default().percentile(99), None);
    assert!(histogram([u64::MAX]).percentile(50).is_some_and(|ms| ms >= 3_600_000.0));
}

/// The nearest rank: the least value that `percent` of all do not exceed.
fn exact(values: &mut [u64], percent: u64) -> u64 {
    values.sort_unstable();
    let rank = (values.len() as u64 * percent).div_ceil(100).max(1);
    values[rank as usize - 1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn percentiles_are_within_five_percent(mut values in prop::collection::vec(0_u64..600_000, 1..400), percent in 1_u64..=100) {
        let about = histogram(values.iter().copied()).percentile(percent).expect("there are some");
        let exact = exact(&mut values, percent) as f64;
        prop_assert!((about - exact).abs() <= 0.05 * exact + 1e-9, "p{percent}: {about} for {exact}");
    }

    #[test]
    fn histograms_merge_to_the_whole(left in prop::collection::vec(0_u64..90_000, 0..50), right in prop::collection::vec(0_u64..90_000, 0..50)) {
        let mut merged = histogram(left.iter().copied());
        merged.merge(&histogram(right.iter().copied()));
        prop_assert_eq!(merged, histogram(left.into_iter().chain(right)));
    }

    #[test]
    fn shards_and_batches_fold_to_the_same_counts(rows in any_requests(60), shards in 1_u32..6, batch in 1_usize..9) {
        let mut merged = Rollup::default();
        for shard in 0..shards {
            let own: Vec<&RequestRow> = rows.iter().filter(|row| shard_of(&row.ledger_id, shards) == shard).collect();
            own.chunks(batch).for_each(|rows| merge(&mut merged, &Rollup::of(rows.iter().copied())));
        }
        prop_assert_eq!(merged, Rollup::of(&rows));
    }

    #[test]
    fn a_cell_counts_what_the_rows_say(rows in any_requests(40)) {
        let counted: Vec<&RequestRow> = rows.iter().filter(|row| row.mark.is_empty()).collect();
        let rollup = Rollup::of(&rows);
        for period in [Period::Minute, Period::Hour, Period::Day, Period::Ever] {
            let cells: Vec<&Cell> = rollup.cells.iter().filter(|(key, _)| key.period == period).map(|(_, cell)| cell).collect();
            let sum = |of: fn(&Cell) -> u64| cells.iter().map(|cell| of(cell)).sum::<u64>();
            prop_assert_eq!(sum(|cell| cell.requests), counted.len() as u64);
            prop_assert_eq!(sum(|cell| cell.succeeded), counted.iter().filter(|row| row.succeeded()).count() as u64);
            prop_assert_eq!(sum(|cell| cell.attempts), counted.iter().map(|row| row.calls() as u64).sum::<u64>());
            prop_assert_eq!(sum(|cell| cell.spend.micro_usd), counted.iter().map(|row| row.cost_micro_usd()).sum::<u64>());
            prop_assert_eq!(sum(|cell| cell.wasted_micro_usd), counted.iter().map(|row| row.wasted_micro_usd()).sum::<u64>());
            prop_assert_eq!(sum(|cell| cell.ms.count()), counted.len() as u64);
            let maybe = |row: &&RequestRow| row.attempts.iter().filter(|a| a.call && !a.succeeded() && a.billed == Billed::Maybe).count() as u64;
            prop_assert_eq!(sum(|cell| cell.maybe_billed), counted.iter().map(maybe).sum::<u64>());
        }
        let users = rollup.days.iter().filter(|(key, _)| key.dimension == Dimension::User);
        prop_assert_eq!(users.map(|(_, cell)| cell.requests).sum::<u64>(), counted.iter().filter(|row| row.user.is_some()).count() as u64);
    }
}

fn merge(into: &mut Rollup, more: &Rollup) {
    more.cells.iter().for_each(|(key, cell)| into.cells.entry(key.clone()).or_default().merge(cell));
    more.days.iter().for_each(|(key, cell)| into.days.entry(key.clone()).or_default().merge(cell));
}

#[test]
fn drills_and_comparisons_stay_out() {
    let mark = |mark: &str| RequestRow { mark: mark.to_owned(), ..request(1, 0, vec![attempt("openai/a", "ok", 5)]) };
    assert_eq!(Rollup::of(&[mark("drill"), mark("compare")]), Rollup::default());
    assert_eq!(Rollup::of(&[mark("drill"), mark("")]), Rollup::of(&[mark("")]));
}

#[test]
fn attempts_are_told_apart_by_target_and_class() {
    let retried =
        vec![attempt("openai/a", "timeout", 5), attempt("openai/a", "timeout", 6), attempt("anthropic/b", "ok", 9)];
    let skipped = vec![attempt("openai/a", "boundary", 0), attempt("anthropic/b", "ok", 3)];
    let mut cell = Cell::default();
    cell.record(&request(1, 0, retried));
    cell.record(&request(2, 0, skipped));
    let first = &cell.targets["openai/a"];
    assert_eq!(
        (first.requests, first.served, first.classes["timeout"].attempts, first.skips["boundary"]),
        (1, 0, 2, 1)
    );
    let second = &cell.targets["anthropic/b"];
    assert_eq!((second.requests, second.served, second.fallbacks, second.classes["ok"].attempts), (2, 2, 2, 2));
    assert_eq!(second.degraded, 0);
    let alone = cell.of_target("openai/a");
    assert_eq!((alone.requests, alone.succeeded, alone.attempts, alone.wasted_micro_usd), (1, 0, 2, 14));
    assert_eq!(cell.of_target("nobody/x"), Cell::default());
}

#[test]
fn a_target_alone_tells_which_of_its_answers_were_degraded() {
    let attempts = || vec![attempt("openai/a", "timeout", 5), attempt("anthropic/b", "ok", 9)];
    let mut cell = Cell::default();
    cell.record(&RequestRow { degraded: true, ..request(1, 0, attempts()) });
    cell.record(&request(2, 0, attempts()));
    let of = |model: &str| cell.of_target(model).degraded;
    assert_eq!((of("anthropic/b"), of("openai/a"), cell.degraded), (1, 0, 1));
    // One that broke was an answer by a fallback, too.
    let broken = AttemptRow { committed: true, ..attempt("anthropic/b", "interrupted", 9) };
    let attempts = vec![attempt("openai/a", "timeout", 5), broken];
    cell.record(&RequestRow { degraded: true, fallback: true, ..request(3, 0, attempts) });
    let alone = cell.of_target("anthropic/b");
    assert_eq!((alone.fallbacks, alone.degraded, alone.succeeded), (3, 2, 2));
    assert_eq!((cell.fallbacks, cell.degraded), (3, 2));
}

#[test]
fn a_cell_tells_a_bounded_number_of_targets_apart() {
    let mut cell = Cell::default();
    (0..CELL_TARGETS as u64 + 20)
        .for_each(|n| cell.record(&request(n, 0, vec![attempt(&format!("openai/m{n}"), "ok", 1)])));
    assert_eq!(cell.targets.len(), CELL_TARGETS + 1);
    assert_eq!(cell.targets["other"].classes["ok"].attempts, 20);
}

#[test]
fn buckets_begin_with_their_minute_hour_and_day() {
    let row = request(1, 3_723_456, vec![attempt("openai/a", "ok", 1)]);
    let starts: BTreeMap<Period, u64> = Rollup::of([&row]).cells.keys().map(|key| (key.period, key.at.0)).collect();
    assert_eq!(starts[&Period::Minute], EPOCH + 3_720_000);
    assert_eq!(starts[&Period::Hour], EPOCH + 3_600_000);
    assert_eq!(starts[&Period::Day], EPOCH - 8 * 3_600_000);
    assert_eq!(starts[&Period::Ever], 0);
}
