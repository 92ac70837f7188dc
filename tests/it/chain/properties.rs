//! What holds for every policy and every run of outcomes.

use proptest::prelude::*;

use super::{Meets, START, Story, hop, ready};
use understudy::domain::chain::{ATTEMPTS_MAX, End};
use understudy::domain::outcome::{Class, Failure, KeySlot, Outcome};
use understudy::domain::policy::{Hop, Preset, Verdict, Verdicts};
use understudy::domain::time::Span;

fn meets() -> impl Strategy<Value = Meets> {
    let failure = (prop::sample::select(Class::ALL.to_vec()), prop::option::of(0u64..20_000));
    let failed = failure.prop_map(|(class, retry_after)| {
        Outcome::Failed(Failure { retry_after: retry_after.map(Span), ..Failure::new(class, "scripted") })
    });
    (0u64..30_000, prop_oneof![9 => failed, 1 => Just(Outcome::Served)]).prop_map(|(ms, outcome)| Meets(ms, outcome))
}

fn hops() -> impl Strategy<Value = Vec<(Hop, bool)>> {
    let verdicts = prop::sample::select(vec![Verdict::Retry, Verdict::RetryOnly, Verdict::Next, Verdict::Stop]);
    let hop = (0u32..4, prop::option::of(1u64..20_000), any::<bool>(), any::<bool>(), verdicts, 0.0f64..0.5).prop_map(
        |(retries, hedge, two_keys, strict, on_timeout, jitter)| {
            let mut on = Verdicts::preset(if strict { Preset::Strict } else { Preset::Resilient });
            on.set(Class::Timeout, on_timeout);
            let mut hop = Hop { retries, hedge_after: hedge.map(Span), on, ..hop("a") };
            hop.backoff.jitter = jitter;
            (hop, two_keys)
        },
    );
    prop::collection::vec(hop, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn a_chain_keeps_its_bounds(
        hops in hops(),
        scripts in prop::collection::vec(prop::collection::vec(meets(), 0..12), 6),
        deadline in 1u64..120_000,
        seed in any::<u64>(),
    ) {
        let named: Vec<Hop> = hops
            .iter()
            .enumerate()
            .map(|(at, (hop, _))| Hop { target: super::target(&format!("m{at}")), ..hop.clone() })
            .collect();
        let allowed: u32 = hops.iter().map(|(hop, two_keys)| (hop.retries + 1) * if *two_keys { 2 } else { 1 }).sum();
        let longest = named.iter().map(|hop| understudy::domain::backoff::longest(&hop.backoff, hop.retries.max(1)).0).max().unwrap_or(0);
        let mut story = Story::of(named);
        story.seed = seed;
        story.plan.deadline = Span(deadline);
        for (at, (_, two_keys)) in hops.iter().enumerate() {
            if *two_keys {
                story.prospects[at] = ready(&[KeySlot::Managed, KeySlot::Own]);
            }
            story = story.with(&format!("m{at}"), scripts[at].clone());
        }
        let told = story.tell();
        prop_assert!(told.chain.calls() <= allowed.min(ATTEMPTS_MAX), "{} calls, {} allowed", told.chain.calls(), allowed);
        prop_assert_eq!(told.chain.calls() as usize, told.calls.len());
        for wait in &told.waits {
            prop_assert!(wait.0 <= longest.max(10_000), "waited {} ms", wait.0);
        }
        for (at, call) in &told.calls {
            prop_assert!(*at < START + Span(deadline), "a call after the deadline");
            prop_assert_eq!(call.clocks.deadline.0, deadline - at.since(START).0);
            prop_assert!(call.clocks.attempt <= call.clocks.deadline);
        }
        let served = told.chain.trail().iter().filter(|entry| entry.outcome() == "ok").count();
        prop_assert_eq!(served, usize::from(matches!(told.end, End::Served { .. })));
        prop_assert!(told.chain.trail().iter().all(|entry| entry.outcome() != "pending"));
    }
}
