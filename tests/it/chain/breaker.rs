//! The circuit breaker: alone, within a chain, and merged between isolates.

use proptest::prelude::*;

use super::{Story, asks, fails, hop, target};
use understudy::domain::breaker::{Book, Breaker, BreakerSnapshot, Handle, State};
use understudy::domain::chain::{Chain, End, Leave, Prospect, Step};
use understudy::domain::outcome::{Class, Failure, KeySlot, Outcome, Skip};
use understudy::domain::policy::{BreakerRules, Consent, Hop, Preset, Verdicts};
use understudy::domain::time::{Instant, Span};

const RULES: BreakerRules =
    BreakerRules { failures: 3, window: Span(1_000), cooldown: Span(100), cooldown_max: Span(350) };

fn at(ms: u64) -> Instant {
    Instant(10_000_000 + ms)
}

fn failing(moments: &[u64]) -> Breaker {
    let mut breaker = Breaker::default();
    for ms in moments {
        breaker.failed(at(*ms));
    }
    breaker
}

#[test]
fn opens_on_failures_within_the_window() {
    assert_eq!(failing(&[0, 500]).state(&RULES, at(500)), State::Closed);
    assert_eq!(failing(&[0, 500, 999]).state(&RULES, at(999)), State::Open { until: at(1099) });
    assert_eq!(failing(&[0, 500, 1000]).state(&RULES, at(1000)), State::Closed);
    assert_eq!(failing(&[7, 7, 7]).state(&RULES, at(7)), State::Open { until: at(107) });
}

#[test]
fn each_policy_compares_with_its_own_numbers() {
    let breaker = failing(&[0, 1, 2]);
    assert!(!breaker.admits(&RULES, at(3)));
    assert!(breaker.admits(&BreakerRules { failures: 4, ..RULES }, at(3)));
    assert!(breaker.admits(&BreakerRules { cooldown: Span(1), ..RULES }, at(4)));
}

#[test]
fn one_probe_finds_out_and_its_failure_doubles_the_cooldown() {
    let mut breaker = failing(&[0, 1, 2]);
    assert_eq!(breaker.state(&RULES, at(102)), State::HalfOpen);
    breaker.failed(at(110));
    assert_eq!(breaker.state(&RULES, at(110)), State::Open { until: at(310) });
    breaker.failed(at(150));
    assert_eq!(breaker.state(&RULES, at(309)), State::Open { until: at(310) });
    breaker.failed(at(320));
    assert_eq!(breaker.state(&RULES, at(320)), State::Open { until: at(670) }, "350 ms is the longest");
    breaker.succeeded(at(700));
    assert_eq!(breaker.state(&RULES, at(700)), State::Closed);
    breaker.failed(at(701));
    assert_eq!(breaker.state(&RULES, at(701)), State::Closed, "it starts afresh");
}

#[test]
fn a_probe_keeps_others_out_until_it_reports() {
    let handle = Handle::default();
    for ms in 0..3 {
        handle.failed(Class::Timeout, at(ms));
    }
    assert!(handle.admits(&RULES, at(200)));
    assert!(handle.starts(&RULES, at(200)));
    assert!(!handle.admits(&RULES, at(201)));
    handle.release();
    assert!(handle.admits(&RULES, at(202)));
    assert!(handle.starts(&RULES, at(202)));
    assert!(handle.admits(&RULES, at(202 + 350)), "a probe that never reports holds nobody off for long");
    handle.succeeded(at(202));
    assert_eq!(handle.state(&RULES, at(203)), State::Closed);
}

#[test]
fn a_success_that_began_before_the_failures_proves_nothing() {
    let mut breaker = failing(&[0, 1, 2]);
    breaker.succeeded(at(1));
    assert!(!breaker.admits(&RULES, at(3)));
}

#[test]
fn successes_between_failures_do_not_hide_them() {
    let mut breaker = failing(&[0, 1]);
    breaker.succeeded(at(2));
    breaker.failed(at(3));
    assert!(!breaker.admits(&RULES, at(4)));
}

#[test]
fn classes_that_say_nothing_of_health_do_not_count() {
    let counted = Class::ALL.into_iter().filter(|class| {
        let handle = Handle::default();
        (0..3).for_each(|ms| handle.failed(*class, at(ms)));
        !handle.admits(&RULES, at(3))
    });
    let names: Vec<&str> = counted.map(Class::name).collect();
    assert_eq!(names, ["overloaded", "server_error", "timeout", "unreachable", "malformed", "interrupted"]);
}

/// A story whose hops `a` and `b` share their breakers with every other story of the test, and which begins so many
/// seconds after the first.
fn story(shared: &[Handle; 2], seconds: u64) -> Story {
    let rules = Some(BreakerRules { failures: 2, ..BreakerRules::default() });
    let mut story = Story::of(vec![Hop { breaker: rules, ..hop("a") }, Hop { breaker: rules, ..hop("b") }]);
    for (prospect, handle) in story.prospects.iter_mut().zip(shared) {
        prospect.breakers = vec![handle.clone()];
    }
    story.start = super::START + Span::seconds(seconds);
    story
}

#[test]
fn an_open_hop_is_passed_over_and_tried_when_nothing_else_is_left() {
    let shared = [Handle::default(), Handle::default()];
    let down = || vec![fails(Class::ServerError); 3];
    story(&shared, 0).with("a", down()).tell().is("served", "a=server_error b=ok");
    story(&shared, 1).with("a", down()).tell().is("served", "a=server_error b=ok");
    story(&shared, 2).with("a", down()).tell().is("served", "a=skip:breaker_open b=ok");
    let told = story(&shared, 3).with("a", down()).with("b", vec![fails(Class::NotFound)]).tell();
    told.is("exhausted", "a=skip:breaker_open b=not_found a=server_error");
    let told = story(&shared, 4).with("b", vec![fails(Class::NotFound)]).tell();
    told.is("served", "a=skip:breaker_open b=not_found a=ok");
    story(&shared, 5).tell().is("served", "a=ok");
}

#[test]
fn a_stop_does_not_bring_back_what_was_passed_over() {
    let shared = [Handle::default(), Handle::default()];
    shared[0].failed(Class::Timeout, super::START);
    shared[0].failed(Class::Timeout, super::START);
    let told = story(&shared, 0).with("b", vec![fails(Class::ContentPolicy)]).tell();
    told.is("stopped", "a=skip:breaker_open b=content_policy");
}

#[test]
fn the_first_hop_is_tried_after_all_when_no_other_may_be() {
    let shared = [Handle::default(), Handle::default()];
    shared[0].failed(Class::Timeout, super::START);
    shared[0].failed(Class::Timeout, super::START);
    let mut story = story(&shared, 0);
    story.plan.consent = Consent::Never;
    story.tell().is("served", "a=skip:breaker_open b=skip:consent a=ok");
}

#[test]
fn it_is_asked_when_a_hop_is_entered_and_not_between_its_tries() {
    let rules = Some(BreakerRules { failures: 1, ..BreakerRules::default() });
    let hops = vec![Hop { breaker: rules, retries: 2, ..hop("a") }, hop("b")];
    Story::of(hops)
        .with("a", vec![fails(Class::ServerError); 2])
        .tell()
        .is("served", "a=server_error a=server_error a=ok");
}

#[test]
fn an_open_breaker_says_when_to_come_back() {
    let shared = [Handle::default(), Handle::default()];
    let down = || vec![fails(Class::ServerError); 3];
    let told = |seconds| story(&shared, seconds).with("a", down()).with("b", down()).tell();
    told(0);
    let told = told(1);
    assert_eq!(told.chain.retry_hint(told.now), Some(10));
}

/// What the breakers of others say is no news to a request that they could not serve.
#[test]
fn only_a_hop_that_waiting_opens_is_waited_for() {
    let open = || {
        let shared = [Handle::default(), Handle::default()];
        (0..2).for_each(|_| shared[1].failed(Class::Timeout, super::START));
        shared
    };
    let hint = |story: Story, trail: &str| {
        let told = story.tell();
        assert_eq!(told.trail(), trail);
        told.chain.retry_hint(told.now)
    };
    let stopping = |class| story(&open(), 0).with("a", vec![asks(class, 40_000)]);
    let strict = |mut story: Story| {
        story.plan.hops[0].on = Verdicts::preset(Preset::Strict);
        story
    };
    let refused = || strict(story(&open(), 0).with("a", vec![fails(Class::InvalidRequest)]));
    assert_eq!(hint(refused(), "a=invalid_request"), None, "waiting mends no request");
    let refused = story(&open(), 0).with("a", vec![fails(Class::ContentPolicy)]);
    assert_eq!(hint(refused, "a=content_policy"), None);
    assert_eq!(hint(strict(stopping(Class::RateLimited)), "a=rate_limited"), Some(40), "only the hop that stopped");

    let mut stays = stopping(Class::RateLimited);
    stays.plan.consent = Consent::Never;
    assert_eq!(hint(stays, "a=rate_limited b=skip:consent"), Some(40));
    let mut barred = stopping(Class::RateLimited);
    barred.prospects[1].skip = Some(Skip::Boundary("family".to_owned()));
    assert_eq!(hint(barred, "a=rate_limited b=skip:boundary:family"), Some(40));
    let mut unfit = stopping(Class::RateLimited);
    unfit.prospects[1].skip = Some(Skip::Incompatible("vision".to_owned()));
    assert_eq!(hint(unfit, "a=rate_limited b=skip:incompatible:vision"), Some(40));
    // It was tried after all, and said that its key is refused: no breaker's end mends that.
    let locked = stopping(Class::RateLimited).with("b", vec![fails(Class::Auth)]);
    assert_eq!(hint(locked, "a=rate_limited b=skip:breaker_open b=auth"), Some(40));
}

#[test]
fn isolates_learn_from_each_other() {
    let (mut here, mut there) = (Book::default(), Book::default());
    let a = target("anthropic/a");
    for ms in 0..3 {
        there.handle(&a, KeySlot::Own).failed(Class::Overloaded, at(ms));
    }
    let news = there.news();
    assert_eq!(there.news(), [], "news is told once");
    here.merge(&news);
    here.merge(&news);
    assert!(!here.handle(&a, KeySlot::Own).admits(&RULES, at(3)));
    assert!(here.handle(&a, KeySlot::Managed).admits(&RULES, at(3)), "each key slot has its own");
    assert_eq!(here.news(), [], "what others told is no news");
}

#[test]
fn the_stored_format_stays() {
    let stored = r#"{"target":"anthropic/a","slot":"own","marks":[[5,2,false],[9,1,true]]}"#;
    let snapshot: BreakerSnapshot = serde_json::from_str(stored).unwrap();
    assert_eq!(snapshot.marks, [(5, 2, false), (9, 1, true)]);
    assert_eq!(serde_json::to_string(&snapshot).unwrap(), stored);
}

fn marks() -> impl Strategy<Value = Vec<(u64, u32, bool)>> {
    prop::collection::btree_map(0u64..50, (1u32..4, any::<bool>()), 0..12)
        .prop_map(|map| map.into_iter().map(|(at, (n, recovered))| (at, n, recovered)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn merging_has_no_order_and_counts_nothing_twice(a in marks(), b in marks(), c in marks()) {
        let of = |marks: &Vec<_>| BreakerSnapshot { target: String::new(), slot: String::new(), marks: marks.clone() };
        let merged = |order: &[&Vec<_>]| {
            let mut all = of(order[0]);
            order[1..].iter().for_each(|marks| all.merge(&of(marks)));
            all
        };
        prop_assert_eq!(merged(&[&a, &b, &c]), merged(&[&c, &a, &b]));
        prop_assert_eq!(merged(&[&a, &a]), of(&a));
        prop_assert_eq!(merged(&[&a, &b, &a, &b]), merged(&[&a, &b]));
    }
}

/// A minute of outage with one request a second, at the default numbers: whether the first target answered each of them.
fn through_an_outage() -> (u32, Vec<bool>) {
    const DOWN: std::ops::Range<u64> = 20..80;
    let breakers = [Handle::default(), Handle::default()];
    let plan = std::sync::Arc::new(super::plan(vec![hop("openai/a"), hop("anthropic/b")]));
    let mut probes = 0;
    let mut by_first = Vec::new();
    for second in 0..140 {
        let mut now = at(second * 1_000);
        let prospects = breakers
            .iter()
            .map(|handle| Prospect { breakers: vec![handle.clone()], ..super::ready(&[KeySlot::Managed]) });
        let mut chain = Chain::new(plan.clone(), prospects.collect(), Leave::default(), second, now);
        let served = loop {
            match chain.next(now) {
                Step::Call(call) => {
                    let down = call.hop == 0 && DOWN.contains(&second);
                    probes += u32::from(down);
                    let failure = Failure::new(Class::Overloaded, "down");
                    let outcome = if down { Outcome::Failed(failure) } else { Outcome::Served };
                    chain.on_outcome(call.id, outcome, now);
                }
                Step::Wait { until } => now = until,
                Step::Pending => panic!("no call is in flight"),
                Step::Done(End::Served { id }) => break id,
                Step::Done(end) => panic!("second {second}: {end:?}"),
            }
        };
        let hop = chain.trail().iter().find(|entry| entry.attempt().is_some_and(|attempt| attempt.id == served));
        by_first.push(hop.is_some_and(|entry| entry.hop == 0));
    }
    (probes, by_first)
}

#[test]
fn an_outage_costs_a_handful_of_probes_and_ends_within_half_a_minute() {
    let (probes, by_first) = through_an_outage();
    assert!(probes <= 10, "{probes} calls to a target that was down for a minute");
    assert!(by_first[..20].iter().all(|first| *first), "all is well before");
    assert!(by_first[20..80].iter().all(|first| !first), "the second answers throughout");
    assert!(by_first[110..].iter().all(|first| *first), "traffic is back within 30 s");
}
