//! Queries, pages and analytics.

use super::{EPOCH, any_requests, attempt, request};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy::domain::ledger::analytics::Part;
use understudy::domain::ledger::batch::shard_of;
use understudy::domain::ledger::board::{Board, TOP};
use understudy::domain::ledger::cell::Cell;
use understudy::domain::ledger::exposition::{Local, render};
use understudy::domain::ledger::listing::{Page, detail_answer, list_answer};
use understudy::domain::ledger::packed::{Stored, write_cell, write_targets};
use understudy::domain::ledger::protocol::Status;
use understudy::domain::ledger::query::{AnalyticsQuery, ListQuery, Retention, Source};
use understudy::domain::ledger::rollup::{Dimension, Period, Rollup};
use understudy::domain::ledger::row::{AttemptRow, RequestRow, ledger_id_floor};
use understudy::domain::ledger::stored::{trail, trail_needle};
use understudy::domain::ledger::when::parse_time;
use understudy::domain::outcome::{Class, KeySlot, Skip};
use understudy::domain::time::Instant;

fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (str::to_owned(name), str::to_owned(value))).collect()
}

#[track_caller]
fn listed(pairs: &[(&str, &str)]) -> ListQuery {
    ListQuery::parse(&params(pairs)).expect("a good query")
}

#[track_caller]
fn refused(pairs: &[(&str, &str)], param: &str) {
    let bad = ListQuery::parse(&params(pairs)).expect_err("a bad query");
    assert_eq!(bad.param, param, "{}", bad.message);
}

#[test]
fn list_queries_are_read() {
    assert_eq!(listed(&[]).limit, 50);
    assert_eq!(listed(&[("policy", "policy/sonnet")]).policy.as_deref(), Some("sonnet"));
    assert_eq!(listed(&[("policy", "rule/a/b")]).policy.as_deref(), Some("rule/a/b"));
    assert_eq!(listed(&[("fallback", "true")]).fallback, Some(true));
    assert_eq!(listed(&[("fallback", "0")]).fallback, Some(false));
    assert_eq!(listed(&[("policy", ""), ("unknown", "x"), ("class", "")]), listed(&[]));
    let cursor = "0123456789abcdef0123456789abcdef";
    assert_eq!(listed(&[("before", cursor)]).before.as_deref(), Some(cursor));
    assert_eq!(listed(&[("before", "2026-11-21T08:00:00Z")]).before, Some(ledger_id_floor(Instant(EPOCH))));
    // A range's end and a next page's mark: the earlier one holds.
    let (early, late) = ("2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z");
    for pairs in
        [[("to", early), ("before", late)], [("before", late), ("to", early)], [("to", late), ("before", early)]]
    {
        assert_eq!(listed(&pairs).before, Some(ledger_id_floor(Instant(EPOCH))), "{pairs:?}");
    }
    refused(&[("limit", "0")], "limit");
    refused(&[("limit", "501")], "limit");
    refused(&[("fallback", "maybe")], "fallback");
    refused(&[("before", "yesterday")], "before");
    refused(&[("from", "yesterday")], "from");
}

/// An empty list would say that nothing is there.
#[test]
fn a_word_that_no_row_can_hold_is_refused_with_those_that_it_may_be() {
    for class in Class::ALL.map(Class::name).into_iter().chain(Skip::NAMES).chain(["ok", "skipped"]) {
        assert_eq!(listed(&[("class", class)]).class.as_deref(), Some(class));
    }
    for mark in ["drill", "compare"] {
        assert_eq!(listed(&[("mark", mark)]).mark.as_deref(), Some(mark));
    }
    for (param, value) in [
        ("class", "rate_limitted"),
        ("class", "Timeout"),
        ("class", "skip:boundary"),
        ("class", "time"),
        ("mark", "drills"),
        ("mark", "*"),
    ] {
        let bad = ListQuery::parse(&params(&[(param, value)])).expect_err("a bad query");
        assert_eq!(bad.param, param);
        assert!(bad.message.starts_with(&format!("{value:?} is not one of ")), "{}", bad.message);
    }
    refused(&[("class", "timeout"), ("class", "late")], "class");
}

#[test]
fn every_reason_of_a_skip_has_its_place_among_their_names() {
    let skips = [
        Skip::Boundary("family".into()),
        Skip::Incompatible("vision".into()),
        Skip::NoKey { slot: KeySlot::Managed, missing: "OPENAI_API_KEY".into() },
        Skip::Consent,
        Skip::BreakerOpen,
        Skip::Deadline,
    ];
    assert_eq!(skips.each_ref().map(Skip::name), Skip::NAMES);
}

#[test]
fn target_and_class_look_at_one_attempt() {
    let row = request(1, 0, vec![attempt("openai/a", "timeout", 5), attempt("anthropic/b", "ok", 9)]);
    let admits = |pairs: &[(&str, &str)]| {
        let query = listed(pairs);
        let found = trail_needle(&query).is_none_or(|needle| trail(&row).contains(&needle));
        assert_eq!(query.admits(&row), found, "{pairs:?}: the table finds what the filter admits");
        found
    };
    assert!(admits(&[("target", "openai/a")]));
    assert!(admits(&[("class", "timeout")]));
    assert!(admits(&[("class", "ok")]));
    assert!(admits(&[("target", "openai/a"), ("class", "timeout")]));
    assert!(!admits(&[("target", "openai/a"), ("class", "ok")]));
    assert!(!admits(&[("target", "openai/")]));
    assert!(!admits(&[("target", "a")]));
    assert!(!admits(&[("class", "interrupted")]));
}

/// A shard's table: its rows newest first, of which it looks at `scan` for one page.
fn page(rows: &[&RequestRow], query: &ListQuery, scan: usize) -> Page {
    let mut older: Vec<&&RequestRow> = rows
        .iter()
        .filter(|row| query.before.as_deref().is_none_or(|before| row.ledger_id.as_str() < before))
        .collect();
    older.sort_by(|a, b| b.ledger_id.cmp(&a.ledger_id));
    let horizon = older.get(scan - 1).map(|row| row.ledger_id.clone());
    let found = older.into_iter().take(scan).filter(|row| query.admits(row));
    let found = found.take(query.limit as usize + 1).map(|row| (*row).clone()).collect();
    Page::of(found, query.limit as usize, horizon)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pages_give_every_row_once_newest_first(rows in any_requests(60), shards in 1_u32..5, limit in 1_u32..9, scan in 1_usize..30, policy in prop::option::of(Just("sonnet".to_owned()))) {
        let mut query = ListQuery { policy, limit, ..ListQuery::default() };
        let (mut seen, mut turns) = (Vec::new(), 0);
        loop {
            let pages = (0..shards).map(|shard| {
                let own: Vec<&RequestRow> = rows.iter().filter(|row| shard_of(&row.ledger_id, shards) == shard).collect();
                page(&own, &query, scan)
            });
            let (page, next) = Page::merge(pages, limit as usize);
            prop_assert!(page.len() <= limit as usize);
            seen.extend(page);
            turns += 1;
            prop_assert!(turns < 200, "the cursor moves on");
            match next {
                None => break,
                next => query.before = next,
            }
        }
        let mut expected: Vec<RequestRow> = rows.iter().filter(|row| query.admits(row)).cloned().collect();
        expected.sort_by(|a, b| b.ledger_id.cmp(&a.ledger_id));
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn parts_of_shards_merge_to_the_whole(rows in any_requests(60), shards in 1_u32..5) {
        let query = analytics(&[]);
        let whole = part(&query, rows.iter());
        let mut merged = Part::default();
        for shard in 0..shards {
            merged.merge(&part(&query, rows.iter().filter(|row| shard_of(&row.ledger_id, shards) == shard)));
        }
        prop_assert_eq!(merged.answer(&query), whole.answer(&query));
        let answer = whole.answer(&query);
        let sum = |lines: &Value| lines.as_array().map_or(0, |lines| lines.iter().filter_map(|line| line["requests"].as_u64()).sum());
        let counted = rows.iter().filter(|row| row.mark.is_empty()).count() as u64;
        prop_assert_eq!(answer["totals"]["requests"].as_u64(), Some(counted));
        prop_assert_eq!(sum(&answer["series"]), counted);
        prop_assert_eq!(sum(&answer["policies"]), counted);
    }

    #[test]
    fn rows_and_counters_say_the_same(rows in any_requests(40)) {
        let query = analytics(&[]);
        let mut from_rows = Part::default();
        from_rows.add_rows(&query, &rows);
        let mut from_cells = part(&query, rows.iter());
        for (key, cell) in &Rollup::of(&rows).days {
            from_cells.add_day(key.dimension, &key.value, cell);
        }
        prop_assert_eq!(from_rows.answer(&query), from_cells.answer(&query));
    }
}

/// The whole range of [`any_requests`], by the hour.
fn analytics(pairs: &[(&str, &str)]) -> AnalyticsQuery {
    let now = Instant(EPOCH + 3 * 86_400_000);
    let range = [("from", "2026-11-21T08:00:00Z"), ("bucket", "hour")];
    AnalyticsQuery::parse(&params(&[&range, pairs].concat()), now, &Retention::default()).expect("a good query")
}

fn part<'a>(query: &AnalyticsQuery, rows: impl Iterator<Item = &'a RequestRow>) -> Part {
    let mut part = Part::default();
    let rollup = Rollup::of(rows);
    for (key, cell) in rollup.cells.iter().filter(|(key, _)| key.period == Period::Hour) {
        let (data, targets) = (write_cell(cell), write_targets(&cell.targets));
        part.add_cell(query, key.at, &key.policy, &Stored { cell: Some(&data), targets: Some(&targets) });
    }
    part
}

#[test]
fn analytics_answer_as_the_contract_says() {
    let rows = [
        request(1, 0, vec![attempt("openai/a", "timeout", 100), attempt("anthropic/b", "ok", 200)]),
        request(2, 60_000, vec![attempt("openai/a", "ok", 50)]),
        request(3, 3_600_000, vec![attempt("openai/a", "overloaded", 10)]),
    ];
    let query = analytics(&[]);
    let answer = part(&query, rows.iter()).answer(&query);
    let totals = &answer["totals"];
    let said = |name: &str| totals[name].clone();
    assert_eq!(
        (said("requests"), said("succeeded"), said("fallbacks"), said("attempts")),
        (json!(3), json!(2), json!(1), json!(4))
    );
    assert_eq!((said("cost_usd"), said("wasted_usd")), (json!(14e-6), json!(14e-6)));
    assert_eq!(said("tokens"), json!({"input": 20, "output": 10, "cached": 0}));
    assert_eq!(said("outcomes"), json!({"ok": 2, "overloaded": 1}));
    let p50 = said("p50_ms").as_f64().expect("a number");
    assert!((p50 - 50.0).abs() <= 2.5, "{p50}");
    let first = &answer["targets"][0];
    assert_eq!((&first["model"], &first["attempts"]), (&json!("openai/a"), &json!(3)));
    assert_eq!(first["outcomes"], json!({"ok": 1, "overloaded": 1, "timeout": 1}));
    let series = answer["series"].as_array().expect("a list");
    assert_eq!(series.len(), 72, "every hour has its point");
    assert_eq!((&series[0]["at"], &series[0]["requests"]), (&json!("2026-11-21T08:00:00.000Z"), &json!(2)));
    assert_eq!(
        (&series[1]["requests"], &series[2]["requests"], &series[2]["p50_ms"]),
        (&json!(1), &json!(0), &Value::Null)
    );
    let target = analytics(&[("target", "anthropic/b")]);
    let answer = part(&target, rows.iter()).answer(&target);
    assert_eq!((&answer["totals"]["requests"], &answer["totals"]["attempts"]), (&json!(1), &json!(1)));
    let policy = analytics(&[("policy", "other")]);
    assert_eq!(part(&policy, rows.iter()).answer(&policy)["totals"]["requests"], json!(0));
}

/// The tables beside a target's total had whole requests, answered by other targets, or never sent to this one.
#[test]
fn tables_of_a_target_say_what_it_did_and_for_whom() {
    let skip = AttemptRow { call: false, ..attempt("openai/a", "breaker_open", 0) };
    let mut rows = [
        request(1, 0, vec![attempt("openai/a", "timeout", 100), attempt("anthropic/b", "ok", 200)]),
        request(2, 60_000, vec![skip.clone(), attempt("anthropic/b", "ok", 50)]),
        request(3, 120_000, vec![skip, attempt("anthropic/b", "ok", 50)]),
    ];
    rows[0].user = Some("ada".into());
    rows[1].user = Some("ada".into());
    rows[2].user = Some("bob".into());
    rows[2].policy = "other".into();
    let query = analytics(&[("target", "openai/a")]);
    let mut part = Part::default();
    part.add_rows(&query, &rows);
    let answer = part.answer(&query);
    assert_eq!((&answer["totals"]["requests"], &answer["totals"]["succeeded"]), (&json!(1), &json!(0)));
    for table in ["users", "policies"] {
        let lines = answer[table].as_array().expect("a list");
        assert_eq!(lines.len(), 1, "{table}: {lines:?}");
        assert_eq!((&lines[0]["requests"], &lines[0]["succeeded"]), (&json!(1), &json!(0)), "{table}");
    }
}

fn cells(finest: Period, coarsest: Period) -> Source {
    Source::Cells { finest, coarsest }
}

#[test]
fn analytics_queries_choose_the_cheapest_source() {
    let now = Instant(EPOCH);
    let parse = |pairs: &[(&str, &str)]| AnalyticsQuery::parse(&params(pairs), now, &Retention::default());
    let source = |pairs: &[(&str, &str)]| parse(pairs).map(|query| (query.bucket, query.source)).expect("a good query");
    let default = parse(&[]).expect("a good query");
    assert_eq!((default.to, default.to.since(default.from).0), (now, 86_400_000));
    assert_eq!(source(&[]), (Period::Hour, cells(Period::Hour, Period::Day)));
    assert_eq!(source(&[("from", "1795244400000")]), (Period::Minute, cells(Period::Minute, Period::Day)));
    assert_eq!(
        source(&[("from", "1795244400000"), ("bucket", "day")]),
        (Period::Day, cells(Period::Minute, Period::Day))
    );
    assert_eq!(source(&[("from", "1792656000000")]), (Period::Day, cells(Period::Day, Period::Day)));
    assert_eq!(source(&[("group", "g")]), (Period::Day, Source::Day(Dimension::Group, "g".into())));
    assert_eq!(source(&[("group", "g"), ("bucket", "hour")]), (Period::Hour, Source::Rows));
    assert_eq!(source(&[("group", "g"), ("policy", "p")]), (Period::Hour, Source::Rows));
    let refused = |pairs: &[(&str, &str)]| parse(pairs).expect_err("a bad query").param;
    assert_eq!(refused(&[("from", "never")]), "from");
    assert_eq!(refused(&[("to", "never")]), "to");
    assert_eq!(refused(&[("bucket", "week")]), "bucket");
    assert_eq!(refused(&[("from", "1795248000001")]), "from");
    assert_eq!(refused(&[("group", "g"), ("from", "1794643200000"), ("bucket", "minute")]), "bucket");
}

/// What is older than the days that are kept, or ahead of every clock, holds nothing: a range of all time has an answer.
#[test]
fn a_range_of_all_time_is_cut_to_what_can_be_there() {
    let now = Instant(EPOCH);
    let keeps = Retention::default();
    let parse = |pairs: &[(&str, &str)]| AnalyticsQuery::parse(&params(pairs), now, &keeps).expect("a good query");
    let oldest = now - keeps.days;
    let tomorrow = now + Period::Day.span();
    for (pairs, from, to) in [
        (&[("from", "0")][..], oldest, now),
        (&[("from", "0"), ("bucket", "minute")], oldest, now),
        (&[("from", "0"), ("to", "253402300799999")], oldest, tomorrow),
        (&[("from", "0"), ("to", "1")], oldest, oldest),
        (&[("from", "2100-01-01T00:00:00Z"), ("to", "2101-01-01T00:00:00Z")], tomorrow, tomorrow),
        (
            &[("from", "2026-11-21T07:00:00Z"), ("to", "2026-11-21T09:00:00Z")],
            Instant(EPOCH - 3_600_000),
            Instant(EPOCH + 3_600_000),
        ),
    ] {
        let query = parse(pairs);
        assert_eq!((query.from, query.to), (from, to), "{pairs:?}");
        let series = Part::default().answer(&query)["series"].as_array().map_or(0, Vec::len);
        assert_eq!(series == 0, from == to, "{pairs:?}: {series} points");
        assert!(series <= 733, "{pairs:?}: {series} points");
    }
    assert_eq!(parse(&[("from", "0"), ("bucket", "minute")]).bucket, Period::Day);
}

/// Tables and totals that are not of the same stretch do not look as if they were.
#[test]
fn figures_that_come_by_the_day_say_of_which_days_they_are() {
    let answer = |pairs: &[(&str, &str)]| {
        let range = [("from", "2026-11-21T07:58:00Z"), ("to", "2026-11-21T08:00:00Z")];
        let query = AnalyticsQuery::parse(&params(&[&range, pairs].concat()), Instant(EPOCH), &Retention::default());
        let query = query.expect("a good query");
        Part::default().answer(&query)
    };
    let (midnight, next) = (json!("2026-11-21T00:00:00.000Z"), json!("2026-11-22T00:00:00.000Z"));
    let all = answer(&[]);
    assert_eq!(all["from"], json!("2026-11-21T07:58:00.000Z"));
    assert_eq!(all["days"], json!({"from": midnight, "to": next}));
    let user = answer(&[("user", "u")]);
    assert_eq!((&user["from"], &user["to"], user.get("days")), (&midnight, &next, None));
    assert_eq!(user["series"].as_array().map(Vec::len), Some(1));
    let exact = answer(&[("user", "u"), ("bucket", "minute")]);
    assert_eq!((&exact["from"], exact.get("days")), (&all["from"], None));
    assert_eq!(answer(&[("policy", "p")]).get("days"), None);
}

#[test]
fn a_range_that_rows_answer_is_cut_to_the_rows_that_are_kept() {
    let now = Instant(EPOCH);
    let keeps = Retention::default();
    let parse = |pairs: &[(&str, &str)]| AnalyticsQuery::parse(&params(pairs), now, &keeps).expect("a good query");
    let oldest = now - keeps.attempts;
    let filters = [("user", "u"), ("policy", "p")];
    let month = parse(&[&filters[..], &[("from", "2026-10-21T00:00:00Z")]].concat());
    assert_eq!((month.source, month.from, month.to), (Source::Rows, oldest, now));
    let before = parse(&[&filters[..], &[("from", "2026-10-01T00:00:00Z"), ("to", "2026-10-02T00:00:00Z")]].concat());
    assert_eq!((before.from, before.to), (oldest, oldest));
    assert_eq!(
        parse(&[("user", "u"), ("from", "2026-10-21T00:00:00Z")]).from,
        Instant(EPOCH - 31 * 86_400_000 - 8 * 3_600_000)
    );
}

#[test]
fn a_request_is_shown_with_its_attempts_and_skips() {
    let older = request(1, 0, vec![attempt("openai/a", "ok", 5)]);
    let mut newer = request(2, 9, vec![attempt("openai/a", "boundary", 0), attempt("anthropic/b", "ok", 200)]);
    newer.id.clone_from(&older.id);
    let answer = detail_answer(vec![older.clone(), newer.clone()]).expect("there are two");
    assert_eq!((&answer["ledger_id"], &answer["at"]), (&json!(newer.ledger_id), &json!("2026-11-21T08:00:00.009Z")));
    assert_eq!(answer["attempts"][0]["call"], json!(false));
    assert_eq!(answer["attempts"][1]["tokens"]["input"], json!(10));
    assert_eq!(answer["attempts"][1]["cost_usd"], json!(7e-6));
    assert_eq!(answer["others"][0]["ledger_id"], json!(older.ledger_id));
    newer.dropped = vec!["seed".to_owned()];
    newer.attempts[1].committed = true;
    let answer = detail_answer(vec![newer.clone()]).expect("there is one");
    assert_eq!((&answer["dropped"], &answer["attempts"][1]["dropped"]), (&json!(["seed"]), &json!(["seed"])));
    assert_eq!(answer["attempts"][0].get("dropped"), None);
    newer.attempts[0].dropped = vec!["logit_bias".to_owned()];
    let answer = detail_answer(vec![newer.clone()]).expect("there is one");
    let told = |at: usize| answer["attempts"][at]["dropped"].clone();
    assert_eq!((&answer["dropped"], told(0), told(1)), (&json!(["seed"]), json!(["logit_bias"]), json!(["seed"])));
    assert_eq!(detail_answer(Vec::new()), None);
    let list = list_answer(&[newer], Some("x".into()));
    assert_eq!((&list["data"][0]["model"], &list["next"]), (&json!("anthropic/b"), &json!("x")));
}

#[test]
fn metrics_are_prometheus_text() {
    let rows = [request(1, 0, vec![attempt("openai/a\"", "timeout", 100), attempt("anthropic/b", "ok", 200)])];
    let rollup = Rollup::of(&rows);
    let policies =
        rollup.cells.into_iter().filter(|(key, _)| key.period == Period::Ever).map(|(key, cell)| (key.policy, cell));
    let shard = Status { counts: [("lost".to_owned(), 2)].into(), policies: policies.collect(), database_bytes: 4096 };
    let control = Status { counts: [("refused:policy_not_found".to_owned(), 3)].into(), ..Status::default() };
    let text = render(&[shard.clone(), shard], &control, Local::default());
    for line in [
        "understudy_requests_total{policy=\"sonnet\",outcome=\"ok\"} 2",
        "understudy_attempts_total{policy=\"sonnet\",target=\"openai/a\\\"\",class=\"timeout\"} 2",
        "understudy_fallbacks_total{policy=\"sonnet\"} 2",
        // Two shards of one failed attempt each that may have been billed; what was answered is charged, not counted so.
        "understudy_maybe_billed_total{policy=\"sonnet\"} 2",
        "understudy_ledger_lost_total 4",
        "understudy_refused_total{code=\"policy_not_found\"} 3",
        "understudy_request_duration_seconds_bucket{policy=\"sonnet\",le=\"+Inf\"} 2",
        "understudy_request_duration_seconds_bucket{policy=\"sonnet\",le=\"0.25\"} 0",
        "understudy_request_duration_seconds_count{policy=\"sonnet\"} 2",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    assert!(
        text.lines()
            .all(|line| line.starts_with('#') || line.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<f64>().is_ok()))
    );
}

/// A day's board as the object keeps it: each batch is folded into the lines, and noted with what they came to.
fn board(batches: &[Vec<(String, u64)>]) -> (Board, BTreeMap<String, u64>) {
    let (mut board, mut lines) = (Board::default(), BTreeMap::<String, u64>::new());
    for (value, n) in batches.iter().flatten() {
        let added = Cell { requests: *n, ..Cell::default() };
        let is_new = !lines.contains_key(value);
        let sum = lines.entry(value.clone()).or_default();
        *sum += n;
        board.note(Dimension::User, value, *sum, is_new, &added);
    }
    (board, lines)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_board_knows_the_busiest_and_the_sum_of_all(batches in prop::collection::vec(prop::collection::vec((0_u32..900, 1_u64..40), 1..400), 1..6), lines in 1_usize..TOP) {
        let named: Vec<Vec<(String, u64)>> = batches.iter().map(|batch| batch.iter().map(|(value, n)| (format!("u{value}"), *n)).collect()).collect();
        let (board, all) = board(&named);
        prop_assert_eq!(board.all(Dimension::User).map(|cell| cell.requests), Some(all.values().sum::<u64>()));
        let shown = board.busiest(lines)[&Dimension::User].clone();
        let mut ranked: Vec<u64> = all.values().copied().collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        let expected = if all.len() > lines { lines - 1 } else { all.len() };
        let counts: Vec<u64> = shown.iter().map(|value| all[value]).collect();
        prop_assert_eq!(&counts[..], &ranked[..expected], "of {} values", all.len());
    }

    #[test]
    fn a_table_of_the_busiest_says_what_one_of_all_says(rows in any_requests(60), lines in 1_usize..8) {
        let query = AnalyticsQuery { lines, ..analytics(&[]) };
        let days = Rollup::of(&rows).days;
        let (mut whole, mut chosen) = (Part::default(), Part::default());
        let mut boards: BTreeMap<Instant, Board> = BTreeMap::new();
        for (key, cell) in &days {
            whole.add_day(key.dimension, &key.value, cell);
            boards.entry(key.day).or_default().note(key.dimension, &key.value, cell.requests, true, cell);
        }
        boards.values().for_each(|board| chosen.board.merge(board));
        let names = chosen.board.busiest(lines);
        for (key, cell) in days.iter().filter(|(key, _)| names[&key.dimension].contains(&key.value)) {
            chosen.add_day(key.dimension, &key.value, cell);
        }
        prop_assert_eq!(chosen.answer(&query), whole.answer(&query));
    }
}

#[test]
fn what_exceeds_a_table_or_a_day_is_one_line() {
    let mut part = Part::default();
    let cell = |requests| Cell { requests, ..Cell::default() };
    for (value, requests) in [("a", 9), ("other", 7), ("b", 5), ("c", 3)] {
        part.add_day(Dimension::User, value, &cell(requests));
    }
    let told = |lines| {
        let answer = part.answer(&AnalyticsQuery { lines, ..analytics(&[]) });
        let lines = answer["users"].as_array().expect("a list").clone();
        lines
            .iter()
            .map(|line| format!("{} {}", line["name"].as_str().unwrap_or_default(), line["requests"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(9), ["a 9", "b 5", "c 3", "other 7"]);
    assert_eq!(told(3), ["a 9", "b 5", "other 10"]);
}

#[test]
fn targets_beyond_a_table_are_one_line_of_it() {
    let rows: Vec<_> = [("openai/a", 3), ("openai/b", 2), ("openai/c", 1), ("other", 1)]
        .into_iter()
        .flat_map(|(model, n)| (0..n).map(move |_| model))
        .zip(0..)
        .map(|(model, n)| request(n, 0, vec![attempt(model, "ok", 5)]))
        .collect();
    let told = |lines| {
        let query = AnalyticsQuery { lines, ..analytics(&[]) };
        let answer = part(&query, rows.iter()).answer(&query);
        let lines = answer["targets"].as_array().expect("a list").clone();
        lines
            .iter()
            .map(|line| {
                format!("{} {} {}", line["model"].as_str().unwrap_or_default(), line["attempts"], line["outcomes"])
            })
            .collect::<Vec<_>>()
    };
    let [a, b, c] = [r#"openai/a 3 {"ok":3}"#, r#"openai/b 2 {"ok":2}"#, r#"openai/c 1 {"ok":1}"#];
    assert_eq!(told(4), [a, b, c, r#"other 1 {"ok":1}"#]);
    assert_eq!(told(3), [a, b, r#"other 2 {"ok":2}"#]);
}

/// A day of which an hour is kept is a day that is told.
#[test]
fn counters_are_kept_from_the_start_of_what_holds_their_oldest_moment() {
    let keeps = Retention::default();
    let later = Instant(EPOCH + 61_001);
    for (period, oldest) in [
        (Period::Minute, "2026-11-19T08:01:00Z"),
        (Period::Hour, "2026-08-23T08:00:00Z"),
        (Period::Day, "2024-11-21T00:00:00Z"),
    ] {
        assert_eq!(Some(keeps.oldest(period, later)), parse_time(oldest), "{oldest}");
    }
}

#[test]
fn counters_that_are_pruned_are_not_asked() {
    let now = Instant(EPOCH);
    let source = |from: &str, to: &str, bucket: &str| {
        let pairs = params(&[("from", from), ("to", to), ("bucket", bucket)]);
        AnalyticsQuery::parse(&pairs, now, &Retention::default())
            .map(|query| (query.bucket, query.source))
            .expect("a good query")
    };
    // Minutes are kept for two days, hours for ninety.
    assert_eq!(
        source("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z", "minute"),
        (Period::Minute, cells(Period::Minute, Period::Day))
    );
    assert_eq!(
        source("2026-11-17T08:00:00Z", "2026-11-17T09:00:00Z", "minute"),
        (Period::Hour, cells(Period::Hour, Period::Day))
    );
    assert_eq!(
        source("2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", "hour"),
        (Period::Day, cells(Period::Day, Period::Day))
    );
    assert_eq!(
        source("2026-11-21T05:00:00Z", "2026-11-21T08:00:00Z", "day"),
        (Period::Day, cells(Period::Minute, Period::Day))
    );
}
