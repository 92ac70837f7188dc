//! Exactly once: an outbox against a store that fails, also after it has persisted.

use super::{attempt, request};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use understudy::domain::ledger::batch::{
    Admission, BATCH_ROWS, Batch, LEASE, Outbox, QUEUE_ROWS, Taken, admit, shard_of,
};
use understudy::domain::ledger::row::{RequestRow, arrived, ledger_id};
use understudy::domain::time::{Instant, Span};

/// A shard as the object is: the last number of each isolate, and how often each row was counted.
#[derive(Default)]
struct Shard {
    numbers: BTreeMap<String, u64>,
    counted: BTreeMap<String, u32>,
    lost: u64,
    dropped: u64,
}

impl Shard {
    fn record(&mut self, batch: &Batch) {
        let last = self.numbers.entry(batch.isolate.clone()).or_default();
        if let Admission::Fresh { lost } = admit(*last, batch.number) {
            *last = batch.number;
            self.lost += lost;
            self.dropped += batch.dropped;
            batch.rows.iter().for_each(|row| *self.counted.entry(row.ledger_id.clone()).or_default() += 1);
        }
    }
}

/// How one call to a shard goes.
#[derive(Clone, Copy, Debug)]
enum Call {
    Answered,
    /// Nothing was written.
    Failed,
    /// It was written, and the answer was lost.
    FailedYetPersisted,
    /// The sender was cut off before it could say how it went.
    CutOff,
    CutOffYetPersisted,
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => Just(Call::Answered),
        1 => Just(Call::Failed),
        1 => Just(Call::FailedYetPersisted),
        1 => Just(Call::CutOff),
        1 => Just(Call::CutOffYetPersisted),
    ]
}

fn send(outbox: &mut Outbox, shard: u32, store: &mut Shard, call: Call, now: Instant) {
    let Taken::Batch(batch) = outbox.take(shard, now) else { return };
    assert!(batch.rows.len() <= BATCH_ROWS);
    match call {
        Call::Answered => {
            store.record(&batch);
            outbox.answered(shard, batch.number);
        }
        Call::Failed => outbox.unanswered(shard, batch.number),
        Call::FailedYetPersisted => {
            store.record(&batch);
            outbox.unanswered(shard, batch.number);
        }
        Call::CutOff => {}
        Call::CutOffYetPersisted => store.record(&batch),
    }
}

fn row(n: u64) -> RequestRow {
    request(n, n, vec![attempt("openai/a", "ok", 1)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_row_is_counted_exactly_once(steps in prop::collection::vec((0_usize..2, 1_u64..120, any_call()), 1..25), shards in 1_u32..5) {
        let mut stores: Vec<Shard> = (0..shards).map(|_| Shard::default()).collect();
        let mut isolates = [Outbox::new("a".into(), shards), Outbox::new("b".into(), shards)];
        let (mut pushed, mut now) = (0, Instant(1));
        for (isolate, rows, call) in steps {
            let outbox = &mut isolates[isolate];
            for _ in 0..rows {
                outbox.push(row(pushed));
                pushed += 1;
            }
            for shard in 0..shards {
                send(outbox, shard, &mut stores[shard as usize], call, now);
            }
            now = now + Span(LEASE.0 / 3);
        }
        for outbox in &mut isolates {
            for shard in 0..shards {
                while outbox.has_work(shard) {
                    now = now + LEASE;
                    send(outbox, shard, &mut stores[shard as usize], Call::Answered, now);
                }
            }
        }
        let counted: BTreeMap<String, u32> = stores.iter().flat_map(|store| store.counted.clone()).collect();
        prop_assert_eq!(counted.len() as u64, pushed);
        prop_assert!(counted.values().all(|n| *n == 1));
        prop_assert_eq!(stores.iter().map(|store| store.lost + store.dropped).sum::<u64>(), 0);
    }
}

#[test]
fn a_full_lane_is_sent_at_once_and_never_twice_at_a_time() {
    let mut outbox = Outbox::new("a".into(), 1);
    let full: Vec<_> = (0..BATCH_ROWS as u64).filter_map(|n| outbox.push(row(n))).collect();
    assert_eq!(full, [0]);
    let Taken::Batch(batch) = outbox.take(0, Instant(5)) else { panic!("there is a batch") };
    assert_eq!((batch.number, batch.rows.len()), (1, BATCH_ROWS));
    assert_eq!(outbox.push(row(1000)), None);
    assert_eq!(outbox.take(0, Instant(6)), Taken::Busy);
    assert!(matches!(outbox.take(0, Instant(5) + LEASE), Taken::Batch(again) if again.number == 1));
    outbox.answered(0, 1);
    assert!(matches!(outbox.take(0, Instant(9)), Taken::Batch(next) if next.number == 2 && next.rows.len() == 1));
    outbox.answered(0, 7);
    assert!(outbox.has_work(0), "an answer to another batch is none to this one");
    outbox.answered(0, 2);
    assert_eq!(outbox.take(0, Instant(9)), Taken::Nothing);
}

#[test]
fn rows_that_come_while_a_batch_is_on_its_way_wait_for_company() {
    let mut outbox = Outbox::new("a".into(), 1);
    (0..10).for_each(|n| assert_eq!(outbox.push(row(n)), None));
    let mark = outbox.mark();
    assert!(outbox.is_due(0, mark) && !outbox.is_due(7, mark));
    let Taken::Batch(batch) = outbox.take(0, Instant(1)) else { panic!("there is a batch") };
    assert_eq!(batch.rows.len(), 10);
    outbox.push(row(10));
    assert!(outbox.is_due(0, mark), "the batch may need sending again");
    outbox.answered(0, 1);
    assert!(!outbox.is_due(0, mark) && outbox.has_work(0));
    assert!(outbox.is_due(0, outbox.mark()), "the next sender takes it");
    (11..9 + BATCH_ROWS as u64).for_each(|n| assert!(outbox.push(row(n)).is_none() && !outbox.is_due(0, mark)));
    assert_eq!(outbox.push(row(9 + BATCH_ROWS as u64)), Some(0));
    assert!(outbox.is_due(0, mark), "a full batch waits for nobody");
}

#[test]
fn too_many_waiting_rows_drop_the_oldest_and_are_counted() {
    let mut outbox = Outbox::new("a".into(), 3);
    let over = 25;
    for n in 0..(QUEUE_ROWS + over) as u64 {
        outbox.push(row(n));
    }
    assert_eq!((outbox.waiting(), outbox.dropped()), (QUEUE_ROWS, over as u64));
    let mut stores: Vec<Shard> = (0..3).map(|_| Shard::default()).collect();
    for shard in 0..3 {
        while outbox.has_work(shard) {
            send(&mut outbox, shard, &mut stores[shard as usize], Call::Answered, Instant(1));
        }
    }
    assert_eq!(stores.iter().map(|store| store.dropped).sum::<u64>(), over as u64);
    let held = |n: u64| stores.iter().any(|store| store.counted.contains_key(&row(n).ledger_id));
    assert!((0..over as u64).all(|n| !held(n)) && (over as u64..over as u64 + 50).all(held));
}

#[test]
fn gaps_are_counted_and_known_numbers_ignored() {
    assert_eq!(admit(0, 1), Admission::Fresh { lost: 0 });
    assert_eq!(admit(4, 5), Admission::Fresh { lost: 0 });
    assert_eq!(admit(4, 8), Admission::Fresh { lost: 3 });
    assert_eq!(admit(4, 4), Admission::Known);
    assert_eq!(admit(4, 1), Admission::Known);
    assert_eq!(admit(0, 0), Admission::Known);
}

#[test]
fn shards_share_the_rows() {
    let mut counts = [0; 4];
    (0..4_000).for_each(|n| counts[shard_of(&row(n).ledger_id, 4) as usize] += 1);
    assert!(counts.iter().all(|n| (800..1_200).contains(n)), "{counts:?}");
    assert_eq!(shard_of("x", 0), 0);
}

#[test]
fn rows_that_come_together_go_to_one_shard_and_the_next_batch_to_the_next() {
    for shards in [1, 2, 3, 4, 7, 1_024] {
        let mut outbox = Outbox::new(ledger_id(Instant(0), [3; 10]), shards);
        let mut filled = Vec::new();
        for batch in 0..u64::from(shards.min(8)) {
            let arrivals: Vec<Instant> = (0..50).map(|n| Instant(1_000 * batch + n)).collect();
            let ids: Vec<String> = arrivals.iter().map(|at| outbox.next_id(*at, [at.0 as u8; 10])).collect();
            let shard = shard_of(&ids[0], shards);
            for (at, id) in arrivals.iter().zip(&ids) {
                assert!(id.starts_with(&arrived(*at)) && id.len() == 32, "{id}");
                assert_eq!(shard_of(id, shards), shard, "{shards} shards: {id}");
                outbox.push(RequestRow { ledger_id: id.clone(), ..RequestRow::default() });
            }
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no id twice");
            assert_eq!((0..shards).filter(|shard| outbox.has_work(*shard)).collect::<Vec<_>>(), [shard]);
            assert!(matches!(outbox.take(shard, Instant(0)), Taken::Batch(batch) if batch.rows.len() == 50));
            outbox.answered(shard, 1);
            filled.push(shard);
        }
        assert!(filled.windows(2).all(|pair| pair[1] == (pair[0] + 1) % shards), "{filled:?}");
    }
}

#[test]
fn no_row_waits_behind_a_shard_that_does_not_answer() {
    let mut outbox = Outbox::new(ledger_id(Instant(0), [3; 10]), 4);
    let push = |outbox: &mut Outbox, n: u64| {
        let ledger_id = outbox.next_id(Instant(n), [n as u8; 10]);
        let shard = shard_of(&ledger_id, 4);
        outbox.push(RequestRow { ledger_id, ..RequestRow::default() });
        shard
    };
    let down = push(&mut outbox, 0);
    assert!(matches!(outbox.take(down, Instant(0)), Taken::Batch(_)));
    for n in 1..20 {
        let shard = push(&mut outbox, n);
        assert_ne!(shard, down);
        assert!(matches!(outbox.take(shard, Instant(n)), Taken::Batch(batch) if batch.rows.len() == 1));
        outbox.answered(shard, n.div_ceil(3));
    }
    assert_eq!(outbox.waiting(), 0);
}
