//! The second key of a hop: when it is used, and what its tries are.

use super::{Meets, Story, asks, fails, hop, ready};
use understudy::domain::outcome::{Class, KeySlot, Outcome};
use understudy::domain::policy::{Hop, Preset, Verdicts};
use understudy::domain::time::Span;

fn two_keys(preset: Preset, retries: u32) -> Story {
    let mut story = Story::of(vec![Hop { retries, on: Verdicts::preset(preset), ..hop("a") }, hop("b")]);
    story.prospects[0] = ready(&[KeySlot::Managed, KeySlot::Own]);
    story
}

#[test]
fn failures_of_the_key_bring_the_second_key_before_any_verdict() {
    for class in [Class::Auth, Class::Forbidden, Class::QuotaExhausted] {
        for preset in [Preset::Resilient, Preset::Strict] {
            let told = two_keys(preset, 2).with("a", vec![fails(class)]).tell();
            told.is("served", &format!("a={} a=ok", class.name())).waited(&[]);
            assert_eq!(told.calls[1].1.slot, KeySlot::Own);
        }
    }
}

#[test]
fn failures_of_the_target_do_not() {
    let told = two_keys(Preset::Resilient, 0).with("a", vec![fails(Class::ServerError)]).tell();
    told.is("served", "a=server_error b=ok");
}

#[test]
fn a_rate_limit_brings_it_once_retries_are_spent() {
    let told = two_keys(Preset::Strict, 1).with("a", vec![fails(Class::RateLimited); 2]).tell();
    told.is("served", "a=rate_limited a=rate_limited a=ok").waited(&[500]);
    let slots: Vec<KeySlot> = told.calls.iter().map(|(_, call)| call.slot).collect();
    assert_eq!(slots, [KeySlot::Managed, KeySlot::Managed, KeySlot::Own]);
    // The wait that the first key was asked for is not the second key's.
    two_keys(Preset::Resilient, 1)
        .with("a", vec![asks(Class::RateLimited, 60_000)])
        .tell()
        .is("served", "a=rate_limited a=ok");
}

#[test]
fn the_second_key_has_the_retries_anew_and_then_the_verdict() {
    let limited = || vec![fails(Class::RateLimited); 4];
    let told = two_keys(Preset::Resilient, 1).with("a", limited()).with_key("a", KeySlot::Own, limited()).tell();
    told.is("served", "a=rate_limited a=rate_limited a=rate_limited a=rate_limited b=ok").waited(&[500, 500]);
    let auth = || vec![fails(Class::Auth)];
    let told = two_keys(Preset::Strict, 1).with("a", auth()).with_key("a", KeySlot::Own, auth()).tell();
    told.is("stopped", "a=auth a=auth");
}

#[test]
fn a_lone_second_key_is_the_only_one() {
    let mut story = two_keys(Preset::Strict, 0);
    story.prospects[0] = ready(&[KeySlot::Own]);
    let told = story.with_key("a", KeySlot::Own, vec![fails(Class::Auth)]).tell();
    told.is("stopped", "a=auth");
}

#[test]
fn the_second_key_is_called_beside_a_hedge_in_flight() {
    let mut story = two_keys(Preset::Resilient, 0);
    story.plan.hops[0].hedge_after = Some(Span(20));
    let refused = || vec![Meets(50, fails(Class::Auth).1)];
    // It starts as soon as the first has failed, and the first of the two to be served wins.
    let told = story.with("a", refused()).with("b", vec![Meets(500, Outcome::Served)]).tell();
    told.is("served", "a=auth b=cancelled a=ok").waited(&[]);
    let started: Vec<u64> = told.calls.iter().map(|(at, _)| at.since(told.calls[0].0).0).collect();
    assert_eq!(started, [0, 20, 50]);
    assert_eq!(told.calls[2].1.slot, KeySlot::Own);
    // Where it fails as well, the hedge is what is left; where the hedge failed meanwhile, its verdict comes then.
    let mut story = two_keys(Preset::Resilient, 0);
    story.plan.hops[0].hedge_after = Some(Span(20));
    let story = story.with("a", refused()).with_key("a", KeySlot::Own, refused());
    story.with("b", vec![Meets(500, Outcome::Served)]).tell().is("served", "a=auth b=ok a=auth");
    let mut story = two_keys(Preset::Resilient, 0);
    story.plan.hops[0].hedge_after = Some(Span(20));
    let story = story.with("a", refused()).with_key("a", KeySlot::Own, refused());
    story
        .with("b", vec![Meets(60, fails(Class::ServerError).1)])
        .tell()
        .is("exhausted", "a=auth b=server_error a=auth");
}
