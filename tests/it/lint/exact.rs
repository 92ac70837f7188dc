//! The worst case is exact: an adversary that tries every way to fail reaches it, and no simulation goes beyond it.

use super::{plan, report};
use crate::lint::policy;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use understudy::domain::chain::{Call, Chain, Leave, Prospect, Step};
use understudy::domain::lint::worst::WorstCase;
use understudy::domain::outcome::{Class, Failure, KeySlot, Outcome};
use understudy::domain::policy::Plan;
use understudy::domain::simulate::{Script, simulate};
use understudy::domain::time::{Instant, Span};

/// How a call fails, and the wait that the upstream asks for.
type Move = (Class, Option<Span>);

const START: Instant = Instant(1_000_000);

/// A way through the chain: the calls made, and how long was waited before each.
#[derive(Default)]
struct Way {
    calls: Vec<Call>,
    waits: Vec<Span>,
    took: Span,
    over: bool,
}

/// Plays moves; `lasts` says how long each call runs and which wait it asks for. Stops at a call that no move is left for.
fn walk(plan: &Plan, moves: &[Move], lasts: impl Fn(usize, &Call, Instant) -> (Span, Option<Span>)) -> Way {
    let prospects = plan.hops.iter().map(|hop| Prospect { slots: hop.key.slots().to_vec(), ..Prospect::default() });
    let mut chain = Chain::new(Arc::new(plan.clone()), prospects.collect(), Leave::default(), 7, START);
    let (mut way, mut now, mut wait) = (Way::default(), START, Span::ZERO);
    loop {
        match chain.next(now) {
            Step::Wait { until } => (wait, now) = (until.since(now), until),
            Step::Call(call) => {
                let at = way.calls.len();
                way.waits.push(std::mem::replace(&mut wait, Span::ZERO));
                way.calls.push(call.clone());
                way.took = now.since(START);
                let Some((class, _)) = moves.get(at) else { return way };
                let (runs, retry_after) = lasts(at, &call, now);
                now = now + runs;
                let failure = Failure { retry_after, ..Failure::new(*class, "scripted") };
                chain.on_outcome(call.id, Outcome::Failed(failure), now);
            }
            Step::Pending => panic!("nothing is in flight"),
            Step::Done(_) => return Way { took: now.since(START), over: true, ..way },
        }
    }
}

/// The same moves, with every call and every wait as long as the calls that follow leave time for.
fn stretched(plan: &Plan, moves: &[Move], hurried: &Way) -> Span {
    let way = walk(plan, moves, |at, call, now| {
        let needed: u64 = hurried.waits.iter().skip(at + 1).map(|wait| wait.0).sum();
        let spare = plan.deadline.0.saturating_sub(1 + needed + now.since(START).0);
        let last = at + 1 == hurried.calls.len();
        let runs = if last { call.clocks.attempt } else { call.clocks.attempt.min(Span(spare)) };
        let longer = hurried.waits.get(at + 1).filter(|wait| wait.0 > 0).and_then(|wait| {
            let most = plan.hops[call.hop].backoff.retry_after_max;
            Some(most.min(Span(wait.0 + spare.saturating_sub(runs.0)))).filter(|longer| longer > wait)
        });
        (runs, moves[at].1.or(longer))
    });
    way.took
}

/// One class of each kind that the chain tells apart: by verdict, and by what it means to a second key.
fn kinds(plan: &Plan) -> Vec<Class> {
    let mut seen = BTreeSet::new();
    let second = |class| match class {
        Class::Auth | Class::Forbidden | Class::QuotaExhausted => 1,
        Class::RateLimited => 2,
        _ => 0,
    };
    // Of no hop here a window is known: a prompt that is too long rules none out.
    let all = Class::ALL.into_iter().filter(|class| *class != Class::Cancelled);
    all.filter(|class| seen.insert((format!("{:?}", plan.hops[0].on.of(*class)), second(*class)))).collect()
}

/// The most that a search through all moves finds.
fn searched(plan: &Plan, price: &[f64]) -> WorstCase {
    let over = plan.hops.iter().map(|hop| hop.backoff.retry_after_max.0).max().unwrap_or(0) + 1;
    let kinds = kinds(plan);
    let mut worst = WorstCase::default();
    let (mut seen, mut open) = (BTreeSet::new(), vec![Vec::<Move>::new()]);
    while let Some(moves) = open.pop() {
        let hurried = walk(plan, &moves, |at, _, _| (Span::ZERO, moves[at].1));
        let cost: f64 = hurried.calls.iter().map(|call| price[call.hop]).sum();
        if hurried.over {
            worst.calls = worst.calls.max(hurried.calls.len() as u64);
            worst.cost_usd = worst.cost_usd.max(cost);
            worst.ms = worst.ms.max(stretched(plan, &moves, &hurried).0);
            continue;
        }
        let Some(call) = hurried.calls.last() else { continue };
        let own = call.slot == KeySlot::Own;
        let tries = hurried.calls.iter().filter(|other| (other.hop, other.slot) == (call.hop, call.slot)).count();
        let by_hop: Vec<usize> =
            (0..plan.hops.len()).map(|hop| hurried.calls.iter().filter(|c| c.hop == hop).count()).collect();
        let waited = hurried.waits.iter().filter(|wait| wait.0 > 0).count();
        if seen.insert((call.hop, own, tries, by_hop, waited, hurried.took.0)) {
            open.extend(kinds.iter().flat_map(|class| {
                [None, Some(Span(over))].map(|asked| [moves.as_slice(), &[(*class, asked)]].concat())
            }));
        }
    }
    worst
}

/// A policy small enough to be searched through. Jitter would take from waits what nobody can foresee.
fn small() -> impl Strategy<Value = Value> {
    let models = ["openai/gpt-4o", "openai/gpt-4o-mini", "openai/o3"];
    let keys = ["managed", "own", "managed_then_own", "own_then_managed"];
    let hop = (0_u32..=2, 0_usize..4, 1_u64..2_000, 0_usize..3).prop_map(move |(retries, key, attempt, model)| {
        json!({"model": models[model], "retries": retries, "key": keys[key], "timeouts": {"attempt_ms": attempt}})
    });
    (prop::collection::vec(hop, 1..=3), policy(), prop_oneof![1_u64..4_000, 4_000_u64..90_000]).prop_map(
        |(chain, mut policy, deadline)| {
            policy["chain"] = chain.into();
            policy["backoff"]["jitter"] = json!(0.0);
            policy["deadline_ms"] = deadline.into();
            policy
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_search_reaches_the_worst_case(policy in small()) {
        let text = policy.to_string();
        let price: Vec<f64> = policy["chain"].as_array().into_iter().flatten().map(|hop| {
            let alone = json!({"chain": [hop["model"]]}).to_string();
            report(&alone, 1000).worst_case.map_or(0.0, |worst| worst.cost_usd)
        }).collect();
        let said = report(&text, 1000).worst_case.expect("it runs");
        let found = searched(&plan(&text), &price);
        prop_assert_eq!((said.calls, said.ms), (found.calls, found.ms), "{}", text);
        prop_assert!((said.cost_usd - found.cost_usd).abs() < 1e-9, "{} and {} for {}", said.cost_usd, found.cost_usd, text);
    }

    #[test]
    fn no_simulation_beats_the_worst_case(policy in policy(), outcomes in prop::collection::vec(outcome(), 1..60)) {
        let text = policy.to_string();
        let said = report(&text, 1000).worst_case.expect("it runs");
        let script = Script::parse(&json!([{"model": "*", "outcomes": outcomes}]), "openai").expect("a script");
        let played = simulate(plan(&text), &script, Leave::default(), &[]);
        prop_assert!(u64::from(played.calls) <= said.calls, "{} calls, worst {}: {}", played.calls, said.calls, text);
        prop_assert!(played.ms <= said.ms, "{} ms, worst {}: {}", played.ms, said.ms, text);
    }
}

fn outcome() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_usize..15).prop_map(|class| Class::ALL[class].name().to_owned()),
        (0_u64..9).prop_map(|seconds| format!("429;retry-after={seconds}")),
        prop::sample::select(vec!["503", "500", "404", "529", "stall@0", "cut@0"]).prop_map(str::to_owned),
    ]
}
