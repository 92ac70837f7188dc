//! Every class under both presets, with and without retries, alone, first and last; waits, skips, deadline, hedge.

use super::{Meets, START, Story, asks, fails, hop, ok, plan, ready};
use std::sync::Arc;
use understudy::domain::chain::{Chain, Leave, Step};
use understudy::domain::outcome::{Class, KeySlot, Outcome, Skip};
use understudy::domain::policy::{Consent, Hop, Plan, Preset, Verdict, Verdicts};
use understudy::domain::time::Span;

fn with(name: &str, preset: Preset, retries: u32) -> Hop {
    Hop { on: Verdicts::preset(preset), retries, ..hop(name) }
}

/// The contract's table, written out again: (class, resilient, strict).
const TABLE: [(Class, Verdict, Verdict); 16] = [
    (Class::RateLimited, Verdict::Retry, Verdict::RetryOnly),
    (Class::QuotaExhausted, Verdict::Next, Verdict::Stop),
    (Class::Overloaded, Verdict::Retry, Verdict::Retry),
    (Class::ServerError, Verdict::Retry, Verdict::Retry),
    (Class::Timeout, Verdict::Next, Verdict::Next),
    (Class::Unreachable, Verdict::Retry, Verdict::Retry),
    (Class::Malformed, Verdict::Retry, Verdict::Next),
    (Class::Interrupted, Verdict::Next, Verdict::Next),
    (Class::Auth, Verdict::Next, Verdict::Stop),
    (Class::Forbidden, Verdict::Next, Verdict::Stop),
    (Class::NotFound, Verdict::Next, Verdict::Stop),
    (Class::ContextLength, Verdict::Next, Verdict::Stop),
    (Class::ContentPolicy, Verdict::Stop, Verdict::Stop),
    (Class::Unsupported, Verdict::Next, Verdict::Stop),
    (Class::InvalidRequest, Verdict::Next, Verdict::Stop),
    (Class::Cancelled, Verdict::Stop, Verdict::Stop),
];

#[test]
fn every_class_under_both_presets_at_every_place() {
    for (class, resilient, strict) in TABLE {
        for (preset, verdict) in [(Preset::Resilient, resilient), (Preset::Strict, strict)] {
            for retries in [0, 1, 2] {
                first_of_two(class, preset, verdict, retries);
                last_of_two(class, preset, verdict, retries);
            }
        }
    }
}

/// The first hop always fails so, the second answers.
#[track_caller]
fn first_of_two(class: Class, preset: Preset, verdict: Verdict, retries: u32) {
    let hops = vec![with("a", preset, retries), with("b", preset, retries)];
    let told = Story::of(hops).with("a", vec![fails(class); 9]).tell();
    let name = class.name();
    let tries = match verdict {
        Verdict::Retry | Verdict::RetryOnly => retries + 1,
        Verdict::Next | Verdict::Stop => 1,
    };
    let mut trail = vec![format!("a={name}"); tries as usize];
    let end = match verdict {
        Verdict::Retry | Verdict::Next => {
            trail.push("b=ok".to_owned());
            "served"
        }
        Verdict::RetryOnly | Verdict::Stop => "stopped",
    };
    told.is(end, &trail.join(" "));
}

/// The first hop is overloaded once without retries, the last fails so for good.
#[track_caller]
fn last_of_two(class: Class, preset: Preset, verdict: Verdict, retries: u32) {
    let hops = vec![with("a", preset, 0), with("b", preset, retries)];
    let told = Story::of(hops).with("a", vec![fails(Class::Overloaded)]).with("b", vec![fails(class); 9]).tell();
    let tries = match verdict {
        Verdict::Retry | Verdict::RetryOnly => retries + 1,
        Verdict::Next | Verdict::Stop => 1,
    };
    let trail = format!("a=overloaded{}", format!(" b={}", class.name()).repeat(tries as usize));
    let end = match verdict {
        Verdict::Retry | Verdict::Next => "exhausted",
        Verdict::RetryOnly | Verdict::Stop => "stopped",
    };
    told.is(end, &trail);
}

#[test]
fn a_retry_that_works_is_the_end_of_it() {
    let hops = vec![with("a", Preset::Resilient, 2), hop("b")];
    let told = Story::of(hops).with("a", vec![fails(Class::ServerError)]).tell();
    told.is("served", "a=server_error a=ok").waited(&[500]);
}

#[test]
fn waits_double_up_to_the_longest() {
    let told = Story::of(vec![with("a", Preset::Resilient, 5)]).with("a", vec![fails(Class::Overloaded); 6]).tell();
    told.is("exhausted", &["a=overloaded"; 6].join(" ")).waited(&[500, 1000, 2000, 4000, 4000]);
}

#[test]
fn retry_after_raises_the_wait_and_never_shortens_it() {
    let story = |ms| {
        let hops = vec![with("a", Preset::Resilient, 1), hop("b")];
        Story::of(hops).with("a", vec![asks(Class::RateLimited, ms)]).tell()
    };
    story(2_000).is("served", "a=rate_limited a=ok").waited(&[2_000]);
    story(100).is("served", "a=rate_limited a=ok").waited(&[500]);
    story(10_000).is("served", "a=rate_limited a=ok").waited(&[10_000]);
    story(10_001).is("served", "a=rate_limited b=ok").waited(&[]);
}

#[test]
fn a_wait_that_is_too_long_stops_where_only_retries_are_allowed() {
    let hops = vec![with("a", Preset::Strict, 1), hop("b")];
    let told = Story::of(hops).with("a", vec![asks(Class::RateLimited, 60_000)]).tell();
    told.is("stopped", "a=rate_limited");
    assert_eq!(told.chain.retry_hint(told.now), Some(60));
}

/// What an earlier try was asked to wait is over: the last one's wish counts.
#[test]
fn a_target_is_back_when_its_last_attempt_said() {
    let hops = vec![with("a", Preset::Resilient, 1)];
    let told = Story::of(hops).with("a", vec![asks(Class::RateLimited, 2_000), asks(Class::RateLimited, 8_000)]).tell();
    told.is("exhausted", "a=rate_limited a=rate_limited");
    assert_eq!(told.chain.retry_hint(told.now), Some(8));
}

#[test]
fn timeouts_are_retried_only_where_the_policy_says_so() {
    let mut on = Verdicts::preset(Preset::Resilient);
    on.set(Class::Timeout, Verdict::Retry);
    let hops = vec![Hop { on, retries: 1, ..hop("a") }, hop("b")];
    Story::of(hops).with("a", vec![fails(Class::Timeout)]).tell().is("served", "a=timeout a=ok");
    let hops = vec![with("a", Preset::Resilient, 3), hop("b")];
    Story::of(hops).with("a", vec![fails(Class::Timeout)]).tell().is("served", "a=timeout b=ok");
}

#[test]
fn jitter_is_fresh_and_within_its_bounds() {
    let waits: Vec<Vec<u64>> = (0..20)
        .map(|seed| {
            let mut hop = with("a", Preset::Resilient, 3);
            hop.backoff.jitter = 0.5;
            let mut story = Story::of(vec![hop]).with("a", vec![fails(Class::Overloaded); 4]);
            story.seed = seed;
            story.tell().waits.iter().map(|wait| wait.0).collect()
        })
        .collect();
    for wait in &waits {
        for (got, base) in wait.iter().zip([500, 1000, 2000]) {
            assert!((base / 2..=base + base / 2).contains(got), "{got} around {base}");
        }
    }
    assert!(waits.iter().any(|wait| wait != &waits[0]), "seeds differ");
}

#[test]
fn nothing_starts_that_the_deadline_leaves_no_time_for() {
    let mut story = Story::of(vec![with("a", Preset::Resilient, 3), hop("b")]);
    story.plan.deadline = Span(600);
    let told = story.with("a", vec![Meets(300, fails(Class::Overloaded).1); 3]).tell();
    told.is("served", "a=overloaded b=ok").waited(&[]);

    let mut story = Story::of(vec![hop("a"), hop("b")]);
    story.plan.deadline = Span(600);
    let told = story.with("a", vec![Meets(600, fails(Class::Timeout).1)]).tell();
    told.is("exhausted", "a=timeout b=skip:deadline");
}

#[test]
fn a_call_has_no_more_time_than_the_deadline_leaves() {
    let mut story = Story::of(vec![hop("a"), hop("b")]);
    story.plan.deadline = Span(40_000);
    let told = story.with("a", vec![Meets(15_000, fails(Class::ServerError).1)]).tell();
    let clocks = told.calls[1].1.clocks;
    assert_eq!(
        (clocks.headers.0, clocks.first_token.0, clocks.attempt.0, clocks.deadline.0),
        (25_000, 25_000, 25_000, 25_000)
    );
    let clocks = told.calls[0].1.clocks;
    assert_eq!(
        (clocks.headers.0, clocks.first_token.0, clocks.attempt.0, clocks.deadline.0),
        (30_000, 40_000, 40_000, 40_000)
    );
}

#[test]
fn skips_are_judged_in_the_contracts_order() {
    let no_key = Skip::NoKey { slot: KeySlot::Managed, missing: "B_API_KEY".to_owned() };
    let mut story = Story::of(vec![hop("a"), hop("b"), hop("c"), hop("d")]);
    story.prospects[1].skip = Some(Skip::Boundary("family".to_owned()));
    story.prospects[1].slots.clear();
    story.prospects[2].skip = Some(Skip::Incompatible("vision".to_owned()));
    story.prospects[3].slots.clear();
    story.prospects[3].missing = Some(no_key);
    let told = story.with("a", vec![fails(Class::ServerError)]).tell();
    told.is("exhausted", "a=server_error b=skip:boundary:family c=skip:incompatible:vision d=skip:no_key:B_API_KEY");
}

#[test]
fn after_context_length_hops_that_are_not_larger_are_passed_over() {
    let windows = [Some(100), Some(100), None, Some(50), Some(200)];
    let mut story = Story::of(["a", "b", "c", "d", "e"].map(hop).to_vec());
    for (prospect, window) in story.prospects.iter_mut().zip(windows) {
        prospect.context_tokens = window;
    }
    let too_long = || vec![fails(Class::ContextLength)];
    let told = story.with("a", too_long()).with("c", too_long()).tell();
    told.is("served", "a=context_length b=skip:incompatible:context c=context_length d=skip:incompatible:context e=ok");
}

#[test]
fn consent_binds_every_hop_but_the_first() {
    let story = |consent, leave| {
        let mut story = Story::of(vec![hop("a"), hop("b"), hop("c")]).with("a", vec![fails(Class::Overloaded)]);
        story.plan.consent = consent;
        story.leave = leave;
        story.tell()
    };
    let said = Leave { consented: true, forbidden: false };
    let unsaid = Leave::default();
    let forbidden = Leave { consented: true, forbidden: true };
    let stays = "a=overloaded b=skip:consent c=skip:consent";
    story(Consent::Automatic, unsaid).is("served", "a=overloaded b=ok");
    story(Consent::Ask, said).is("served", "a=overloaded b=ok");
    assert!(story(Consent::Ask, unsaid).is("exhausted", stays).chain.lacks_consent());
    assert!(!story(Consent::Never, said).is("exhausted", stays).chain.lacks_consent());
    assert!(!story(Consent::Automatic, forbidden).is("exhausted", stays).chain.lacks_consent());
}

#[test]
fn a_hedge_starts_once_and_the_first_to_commit_wins() {
    let hedged = || vec![Hop { hedge_after: Some(Span(100)), ..hop("a") }, hop("b"), hop("c")];
    let slow = |ms| vec![Meets(ms, Outcome::Served)];

    let told = Story::of(hedged()).with("a", slow(5_000)).tell();
    told.is("served", "a=cancelled b=ok");
    assert_eq!(told.calls[1].0, START + Span(100));
    assert_eq!(told.now, START + Span(110));

    Story::of(hedged()).with("a", slow(105)).with("b", slow(50)).tell().is("served", "a=ok b=cancelled");
    Story::of(hedged()).with("a", slow(50)).tell().is("served", "a=ok");
}

/// The moment to hedge is that of the call in flight: a hop that has failed is waited for no more.
#[test]
fn a_hop_that_fails_before_its_hedge_takes_it_along() {
    let slow = || vec![Meets(5_000, Outcome::Served)];
    let told = Story::of(vec![Hop { hedge_after: Some(Span(100)), ..hop("a") }, hop("b"), hop("c")])
        .with("a", vec![fails(Class::ServerError)])
        .with("b", slow())
        .tell();
    told.is("served", "a=server_error b=ok");
    // The next one has its own.
    let hedged = |name| Hop { hedge_after: Some(Span(100)), ..hop(name) };
    let told = Story::of(vec![hedged("a"), hedged("b"), hop("c")])
        .with("a", vec![fails(Class::ServerError)])
        .with("b", slow())
        .tell();
    told.is("served", "a=server_error b=cancelled c=ok");
    assert_eq!(told.calls[2].0, START + Span(10 + 100));
}

#[test]
fn a_hedge_takes_the_place_of_a_call_that_fails() {
    let hedged = || vec![Hop { hedge_after: Some(Span(100)), ..hop("a") }, hop("b"), hop("c")];
    let late = |class| vec![Meets(200, fails(class).1)];
    let slow = || vec![Meets(500, Outcome::Served)];
    Story::of(hedged())
        .with("a", late(Class::ServerError))
        .with("b", slow())
        .tell()
        .is("served", "a=server_error b=ok");
    let told = Story::of(hedged()).with("a", late(Class::ServerError)).with("b", vec![fails(Class::NotFound)]).tell();
    told.is("served", "a=server_error b=not_found c=ok");
    // What the hedge met counts when the chain comes to its hop, not before.
    let told = Story::of(hedged()).with("a", slow()).with("b", vec![fails(Class::ContentPolicy)]).tell();
    told.is("served", "a=ok b=content_policy");
    let told =
        Story::of(hedged()).with("a", late(Class::ServerError)).with("b", vec![fails(Class::ContentPolicy)]).tell();
    told.is("stopped", "a=server_error b=content_policy");
}

#[test]
fn a_hedge_is_not_counted_as_a_retry_and_passes_over_hops_that_cannot_be_called() {
    let mut story = Story::of(vec![
        Hop { hedge_after: Some(Span(100)), retries: 1, ..hop("a") },
        hop("b"),
        Hop { retries: 1, ..hop("c") },
    ]);
    story.prospects[1].skip = Some(Skip::Incompatible("tools".to_owned()));
    let failing = |times| vec![Meets(300, fails(Class::ServerError).1); times];
    let told = story.with("a", failing(2)).with("c", failing(1)).tell();
    told.is("served", "a=server_error b=skip:incompatible:tools c=server_error a=server_error c=ok");
}

#[test]
fn a_hop_that_failed_before_its_hedge_hedges_none_that_follow() {
    let story = Story::of(vec![Hop { hedge_after: Some(Span(100)), ..hop("a") }, hop("b"), hop("c")]);
    let told = story.with("a", vec![fails(Class::NotFound)]).with("b", vec![Meets(500, Outcome::Served)]).tell();
    told.is("served", "a=not_found b=ok");
}

#[test]
fn no_hedge_without_consent() {
    let mut story = Story::of(vec![Hop { hedge_after: Some(Span(100)), ..hop("a") }, hop("b")]);
    story.plan.consent = Consent::Ask;
    story.with("a", vec![Meets(5_000, Outcome::Served)]).tell().is("served", "a=ok");
}

#[test]
fn the_client_leaves() {
    let told =
        Story::of(vec![with("a", Preset::Resilient, 3), hop("b")]).with("a", vec![fails(Class::Cancelled)]).tell();
    told.is("stopped", "a=cancelled");
}

#[test]
fn no_request_makes_more_than_64_attempts() {
    let hops: Vec<Hop> = (0..32).map(|n| with(&format!("m{n}"), Preset::Resilient, 10)).collect();
    let mut story = Story::of(hops);
    story.plan.deadline = Span(3_600_000);
    for n in 0..32 {
        story = story.with(&format!("m{n}"), vec![fails(Class::ServerError); 11]);
    }
    let told = story.tell();
    assert_eq!((told.chain.calls(), told.calls.len()), (64, 64));
}

#[test]
fn outcomes_of_calls_that_are_over_change_nothing() {
    let mut told = Story::of(vec![hop("a")]).tell();
    let trail = told.trail();
    told.chain.on_outcome(0, fails(Class::ServerError).1, told.now);
    told.chain.on_outcome(99, ok().1, told.now);
    assert_eq!(told.trail(), trail);
    assert!(told.chain.hedge(told.now).is_none());
}

#[test]
fn a_hedge_that_its_target_cannot_take_leaves_the_next_hop_to_be_one() {
    let hops = vec![Hop { hedge_after: Some(Span(100)), ..hop("openai/a") }, hop("openai/b"), hop("openai/c")];
    let prospects = hops.iter().map(|_| ready(&[KeySlot::Managed])).collect();
    let mut chain = Chain::new(Arc::new(plan(hops)), prospects, Leave::default(), 7, START);
    assert!(matches!(chain.next(START), Step::Call(call) if call.hop == 0));
    let now = START + Span(100);
    let hedge = chain.hedge(now).expect("the second hop");
    chain.pass_over(hedge.id, Skip::Incompatible("n".to_owned()));
    assert_eq!(chain.hedge(now).map(|call| call.hop), Some(2));
    assert_eq!(chain.hedge(now).map(|call| call.hop), None, "once per request");
}

#[test]
fn a_hop_without_prospect_is_a_hop_without_key() {
    let mut story = Story::of(vec![hop("a"), hop("b")]);
    story.prospects = vec![ready(&[KeySlot::Managed])];
    story.with("a", vec![fails(Class::ServerError)]).tell().is("exhausted", "a=server_error b=skip:no_key:key");
}

#[test]
fn the_client_s_patience_bounds_the_deadline() {
    let deadline = |patience: Option<u64>| {
        let plan = Plan { deadline: Span(100_000), ..plan(vec![hop("openai/a")]) };
        let chain = Chain::new(Arc::new(plan), vec![ready(&[KeySlot::Managed])], Leave::default(), 7, START);
        let Step::Call(call) = chain.within(patience.map(Span), START).next(START) else { panic!("no call") };
        call.clocks.deadline.0
    };
    assert_eq!(deadline(Some(29_500)), 29_500);
    assert_eq!((deadline(Some(599_500)), deadline(None)), (100_000, 100_000));
}
