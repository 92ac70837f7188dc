//! The worst case: the most calls, the longest time and the highest cost that an upstream of ill will can bring about.
//!
//! The adversary picks every outcome, how long each call takes within its clocks, and every `Retry-After`. It is bound by
//! what binds the chain: tries per key and hop, a second key that has the tries anew, no call and no wait past the deadline,
//! 64 attempts. A hop whose verdicts are all `stop` or `retry_only` ends the chain.
//!
//! Hops are gone through in order, and the best that can be reached is kept by number of calls made: for each, the least
//! waiting that reached it (waits decide what fits before the deadline) and what it is worth.

use crate::domain::backoff;
use crate::domain::chain::ATTEMPTS_MAX;
use crate::domain::outcome::Class;
use crate::domain::policy::{Hop, Verdict};
use crate::domain::time::Span;
use serde::Serialize;

/// The worst that can come of one request, up to its commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WorstCase {
    /// Upstream calls.
    pub calls: u64,
    pub ms: u64,
    /// What upstreams may charge when every call takes the prompt and writes its fill. Hops without a price count nothing.
    pub cost_usd: f64,
}

/// The prices of one call of a hop, in millionths of a dollar: its prompt, and the most that it can write.
pub type CallCost = u64;

/// The worst case of hops tried in this order.
pub fn worst_case(hops: &[(&Hop, CallCost)], deadline: Span) -> WorstCase {
    let sequences = sequences(hops);
    let ms = best(&sequences, deadline, |call| call.ms);
    WorstCase {
        calls: best(&sequences, deadline, |_| 1),
        ms: ms.min(deadline.0),
        cost_usd: best(&sequences, deadline, |call| call.cost) as f64 / 1e6,
    }
}

/// Whether a failed hop can hand on to the next one.
pub fn can_leave(hop: &Hop) -> bool {
    classes().any(|class| matches!(hop.on.of(class), Verdict::Retry | Verdict::Next))
}

/// Whether any failure is tried again.
pub fn can_retry(hop: &Hop) -> bool {
    classes().any(|class| matches!(hop.on.of(class), Verdict::Retry | Verdict::RetryOnly))
}

/// Every class that an upstream can bring about.
fn classes() -> impl Iterator<Item = Class> {
    Class::ALL.into_iter().filter(|class| *class != Class::Cancelled)
}

/// One try: what it may add.
#[derive(Clone, Copy)]
struct Call {
    /// The least wait before it.
    waits: u64,
    /// The longest wait before it, and the longest that it can run.
    ms: u64,
    cost: u64,
}

/// The tries of one key of one hop. The first sequence of a hop has at least one call, its second key may have none.
struct Sequence {
    calls: Vec<Call>,
    optional: bool,
}

fn sequences(hops: &[(&Hop, CallCost)]) -> Vec<Sequence> {
    let mut sequences = Vec::new();
    for (hop, cost) in hops {
        let keys = hop.key.slots().len();
        for key in 0..keys {
            let retried = if key + 1 < keys { can_retry_key(hop) } else { can_retry(hop) };
            sequences.push(Sequence { calls: calls(hop, *cost, retried), optional: key > 0 });
        }
        if !can_leave(hop) {
            break;
        }
    }
    sequences
}

/// Whether a key that another one follows is tried again: where it was the key that failed, the other one is tried at once.
fn can_retry_key(hop: &Hop) -> bool {
    let of_the_key = |class| matches!(class, Class::Auth | Class::Forbidden | Class::QuotaExhausted);
    let retries = |class| matches!(hop.on.of(class), Verdict::Retry | Verdict::RetryOnly);
    classes().any(|class| !of_the_key(class) && retries(class))
}

fn calls(hop: &Hop, cost: u64, retried: bool) -> Vec<Call> {
    let tries = if retried { hop.retries.saturating_add(1) } else { 1 };
    let call = |made: u32| {
        let (least, most) = match made {
            0 => (0, 0),
            made => (
                backoff::shortest(&hop.backoff, made).0,
                backoff::longest(&hop.backoff, made).max(hop.backoff.retry_after_max).0,
            ),
        };
        Call { waits: least, ms: most.saturating_add(hop.timeouts.attempt.0), cost }
    };
    (0..tries).map(call).collect()
}

/// A way to have made some calls: the least waiting on it, and its worth.
#[derive(Clone, Copy)]
struct Way {
    waits: u64,
    worth: u64,
}

/// Ways kept per number of calls. Real policies need a handful.
const MAX_WAYS: usize = 64;

/// The highest worth that can be reached.
fn best(sequences: &[Sequence], deadline: Span, worth: impl Fn(&Call) -> u64) -> u64 {
    let all: u64 = sequences.iter().flat_map(|s| &s.calls).fold(0, |sum, call| sum.saturating_add(call.waits));
    // Where every wait fits before the deadline, waits decide nothing.
    let waits = |call: &Call| if all < deadline.0 { 0 } else { call.waits };
    let limit = ATTEMPTS_MAX as usize;
    let mut reached: Vec<Vec<Way>> = vec![Vec::new(); limit + 1];
    reached[0].push(Way { waits: 0, worth: 0 });
    let mut highest = 0;
    for sequence in sequences {
        let mut next: Vec<Vec<Way>> = vec![Vec::new(); limit + 1];
        for (made, ways) in reached.iter().enumerate() {
            for way in ways {
                let mut way = *way;
                if sequence.optional {
                    next[made].push(way);
                }
                for (i, call) in sequence.calls.iter().enumerate() {
                    way = Way {
                        waits: way.waits.saturating_add(waits(call)),
                        worth: way.worth.saturating_add(worth(call)),
                    };
                    let made = made + i + 1;
                    if made > limit || way.waits >= deadline.0 {
                        break;
                    }
                    highest = highest.max(way.worth);
                    next[made].push(way);
                }
            }
        }
        next.iter_mut().for_each(prune);
        reached = next;
    }
    highest
}

/// Keeps the ways that no other one beats in both waiting and worth.
fn prune(ways: &mut Vec<Way>) {
    ways.sort_unstable_by(|a, b| a.waits.cmp(&b.waits).then(b.worth.cmp(&a.worth)));
    let mut top = None;
    ways.retain(|way| {
        let better = top.is_none_or(|top| way.worth > top);
        if better {
            top = Some(way.worth);
        }
        better
    });
    ways.truncate(MAX_WAYS);
}
