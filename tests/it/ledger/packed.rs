//! Packed cells, and ranges in as few cells as answer them.

use super::{EPOCH, any_requests, attempt, request};
use proptest::prelude::*;
use understudy::domain::ledger::analytics::Part;
use understudy::domain::ledger::cell::Cell;
use understudy::domain::ledger::packed::{Stored, write_cell, write_targets};
use understudy::domain::ledger::query::{AnalyticsQuery, Retention, Source};
use understudy::domain::ledger::rollup::{Period, Rollup};
use understudy::domain::ledger::tiles::{Tile, tiles};
use understudy::domain::time::{Instant, Span};

const MODELS: [&str; 4] = ["openai/a", "anthropic/b", "bedrock/c@eu-central-1", "nobody/x"];

/// What both texts of a cell say of a target, as [`Cell::of_target`] says it.
fn of_target(cell: &Cell, model: &str) -> Option<Cell> {
    cell.targets.contains_key(model).then(|| cell.of_target(model))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_packed_cell_is_read_as_it_was(rows in any_requests(40), huge in any::<u64>()) {
        let mut cell = Cell { wasted_tokens: huge, ..Cell::default() };
        rows.iter().for_each(|row| cell.record(row));
        let (first, second) = (write_cell(&cell), write_targets(&cell.targets));
        let stored = Stored { cell: Some(&first), targets: Some(&second) };
        prop_assert_eq!(stored.read(), Some(cell.clone()));
        let alone = Stored { targets: None, ..stored }.read();
        prop_assert_eq!(alone, Some(Cell { targets: Default::default(), ..cell.clone() }));
        for model in MODELS {
            prop_assert_eq!(Stored { cell: None, ..stored }.of_target(model), of_target(&cell, model));
        }
    }

    /// What the schemas before this form stored: targets within the cell, or as JSON beside it.
    #[test]
    fn cells_of_earlier_schemas_are_read_too(rows in any_requests(20)) {
        let mut cell = Cell::default();
        rows.iter().for_each(|row| cell.record(row));
        let whole = serde_json::to_string(&cell).expect("JSON");
        let first = serde_json::to_string(&Cell { targets: Default::default(), ..cell.clone() }).expect("JSON");
        let second = serde_json::to_string(&cell.targets).expect("JSON");
        for stored in [Stored { cell: Some(&whole), targets: None }, Stored { cell: Some(&first), targets: Some(&second) }] {
            prop_assert_eq!(stored.read(), Some(cell.clone()));
            for model in MODELS {
                prop_assert_eq!(stored.of_target(model), of_target(&cell, model));
            }
        }
    }

    #[test]
    fn broken_texts_are_no_cells(rows in any_requests(4), at in any::<prop::sample::Index>(), letter in "[ -~é]") {
        let mut cell = Cell::default();
        rows.iter().for_each(|row| cell.record(row));
        let (first, second) = (write_cell(&cell), write_targets(&cell.targets));
        for text in [&first, &second] {
            let cut = at.index(text.len());
            let (before, after) = (&text[..cut], &text[cut + 1..]);
            // Cut off it never reads; with a letter of another it may, as something else.
            let short = Stored { cell: Some(before), targets: None }.read();
            prop_assert!(text != &first || short.is_none(), "{before}");
            let other = format!("{before}{letter}{after}");
            let stored = Stored { cell: Some(&other), targets: Some(&other) };
            let _ = (stored.read(), stored.of_target("openai/a"));
        }
    }

    #[test]
    fn tiles_cover_a_range_once(from in 0_u64..5 * 86_400_000, span in 0_u64..5 * 86_400_000, finest in 0_usize..3, coarsest in 0_usize..3) {
        let (from, to) = (Instant(EPOCH + from), Instant(EPOCH + from + span));
        let (finest, coarsest) = (Period::POINTS[finest.min(coarsest)], Period::POINTS[coarsest]);
        let found = tiles(from, to, finest, coarsest);
        if from == to {
            prop_assert!(found.is_empty());
            return Ok(());
        }
        prop_assert_eq!(found[0].from, finest.start(from));
        prop_assert_eq!(found[found.len() - 1].to, finest.start(to - Span(1)) + finest.span());
        prop_assert!(found.windows(2).all(|pair| pair[0].to == pair[1].from));
        for Tile { period, from, to } in &found {
            prop_assert!((finest..=coarsest).contains(period) && from < to);
            prop_assert_eq!((period.start(*from), period.start(*to)), (*from, *to));
        }
    }

    #[test]
    fn coarse_counters_answer_as_fine_ones(rows in any_requests(60), after in 0_u64..2 * 86_400_000, span in 0_u64..2 * 86_400_000, bucket in 0_usize..3, target in any::<bool>()) {
        let bucket = Period::POINTS[bucket];
        let filter = if target { vec![("target".to_owned(), MODELS[0].to_owned())] } else { Vec::new() };
        let now = Instant(EPOCH + 4 * 86_400_000);
        let asked = AnalyticsQuery::parse(&filter, now, &Retention::default()).expect("a good query");
        let range = AnalyticsQuery { from: Instant(EPOCH + after), to: Instant(EPOCH + after + span), bucket, ..asked };
        let rollup = Rollup::of(&rows);
        let answered = |coarsest| {
            let source = Source::Cells { finest: Period::Minute, coarsest };
            part(&AnalyticsQuery { source, ..range.clone() }, &rollup)
        };
        let fine = answered(Period::Minute);
        prop_assert_eq!(&answered(Period::Hour), &fine);
        prop_assert_eq!(&answered(Period::Day), &fine);
    }
}

/// What a shard does with its table, on a rollup.
fn part(query: &AnalyticsQuery, rollup: &Rollup) -> Part {
    let Source::Cells { finest, coarsest } = query.source else { panic!("by cells") };
    let mut part = Part::default();
    for tile in tiles(query.from, query.to, finest, coarsest) {
        each(rollup, tile, |at, policy, cell| match tile.period <= query.bucket {
            true => part.add_cell(query, at, policy, &cell),
            false => part.add_stretch(query, policy, &cell),
        });
        if tile.period > query.bucket {
            each(rollup, Tile { period: query.bucket, ..tile }, |at, _, cell| part.add_point(query, at, &cell));
        }
    }
    part
}

fn each(rollup: &Rollup, tile: Tile, mut see: impl FnMut(Instant, &str, Stored<'_>)) {
    let inside = |at: Instant| (tile.from..tile.to).contains(&at);
    for (key, cell) in rollup.cells.iter().filter(|(key, _)| key.period == tile.period && inside(key.at)) {
        let (first, second) = (write_cell(cell), write_targets(&cell.targets));
        see(key.at, &key.policy, Stored { cell: Some(&first), targets: Some(&second) });
    }
}

/// As a list of requests with the same `to` has none of it.
#[test]
fn what_begins_where_a_range_ends_is_not_in_it() {
    let rollup = Rollup::of(&[request(1, 16 * 3_600_000 + 5_000, vec![attempt("openai/a", "ok", 5)])]);
    let counted = |from: &str, to: &str, bucket: &str| {
        let pairs = [("from", from), ("to", to), ("bucket", bucket)];
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let now = Instant(EPOCH + 20 * 3_600_000);
        let query = AnalyticsQuery::parse(&pairs, now, &Retention::default()).expect("a good query");
        let answer = part(&query, &rollup).answer(&query);
        let points = answer["series"].as_array().map_or(0, Vec::len);
        (answer["totals"]["requests"].as_u64().unwrap_or_default(), points)
    };
    let midnight = "2026-11-22T00:00:00Z";
    assert_eq!(counted("2026-11-21T23:58:00Z", midnight, "minute"), (0, 2));
    assert_eq!(counted("2026-11-21T12:00:00Z", midnight, "hour"), (0, 12));
    assert_eq!(counted("2026-11-01T00:00:00Z", midnight, "day"), (0, 21));
    assert_eq!(counted(midnight, midnight, "minute"), (0, 0));
    assert_eq!(counted("2026-11-22T00:00:30Z", "2026-11-22T00:00:30Z", "minute"), (0, 0));
    assert_eq!(counted(midnight, "2026-11-22T00:00:00.001Z", "minute"), (1, 1));
    assert_eq!(counted(midnight, "2026-11-22T00:01:00Z", "minute"), (1, 1));
}

#[test]
fn a_week_is_mostly_days() {
    let hour = 3_600_000;
    // From 08:30 to 07:10 a week on.
    let (from, to) = (Instant(EPOCH + hour / 2), Instant(EPOCH + 7 * 24 * hour - 50 * 60_000));
    let (midnight, last) = (EPOCH + 16 * hour, EPOCH + 16 * hour + 6 * 24 * hour);
    let tile = |period, from, to| Tile { period, from: Instant(from), to: Instant(to) };
    let expected = [
        tile(Period::Hour, EPOCH, midnight),
        tile(Period::Day, midnight, last),
        tile(Period::Hour, last, last + 8 * hour),
    ];
    assert_eq!(tiles(from, to, Period::Hour, Period::Day), expected);
    let fine = tiles(from, to, Period::Minute, Period::Day);
    assert_eq!(fine.len(), 5);
    assert_eq!((fine[0], fine[4].period), (tile(Period::Minute, from.0, EPOCH + hour), Period::Minute));
}

#[test]
fn a_cell_that_a_question_of_a_target_passes_over_has_no_line() {
    let rows = [request(1, 0, vec![attempt("openai/a", "ok", 5)])];
    let asked = [("target".to_owned(), "anthropic/b".to_owned())];
    let query = AnalyticsQuery::parse(&asked, Instant(EPOCH + 60_000), &Retention::default()).expect("a good query");
    assert_eq!(part(&query, &Rollup::of(&rows)).answer(&query)["policies"], serde_json::json!([]));
}
