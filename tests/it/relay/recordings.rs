//! Recorded streams, split anywhere: the same bytes for the client, the same things seen. (`splits.rs` cuts them at every
//! byte for the readers; here they go the whole way.)

use super::{Went, committing, piped, play, setup};
use crate::dialect::wire_of;
use crate::recorded;
use understudy::domain::policy::Commit;
use understudy::domain::relay::{Ending, Setup};
use understudy::domain::route::Family;

fn seen(went: &Went) -> (String, u64, u64, String) {
    let tail = &went.tail;
    (went.client.clone(), went.contents, tail.content_bytes, format!("{:?} {:?}", tail.usage, tail.outcome))
}

/// Streams up to this long are cut at every byte; longer ones come byte by byte, and cut at a few places.
const SHORT: usize = 1_200;

/// Places to split at.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let count = if length <= SHORT { length } else { (30_000 / length).clamp(2, 6) };
    (0..length).step_by((length / count.max(1)).max(1))
}

#[track_caller]
fn same_at_every_split(case: &str, setup: &Setup, bytes: &[u8]) -> Went {
    let whole = play(setup.clone(), [bytes], Ending::Clean);
    for at in places(bytes.len()) {
        let (left, right) = bytes.split_at(at);
        let split = play(setup.clone(), [left, right], Ending::Clean);
        assert_eq!(seen(&split), seen(&whole), "{case} split at {at}");
        assert_eq!(split.committed.is_ok(), whole.committed.is_ok(), "{case} split at {at}");
    }
    assert_eq!(seen(&play(setup.clone(), bytes.chunks(1), Ending::Clean)), seen(&whole), "{case} byte by byte");
    whole
}

#[test]
fn the_same_family_gets_the_same_bytes() {
    for (case, bytes) in recorded::files("response.sse") {
        let Some(wire) = wire_of(&case) else { continue };
        let Some(family) = wire.family() else { continue };
        for commit in [Commit::FirstContent, Commit::Complete] {
            for way in [setup(wire, family), piped(setup(wire, family))] {
                let went = same_at_every_split(&case, &committing(commit, way), &bytes);
                if went.committed.is_err() {
                    assert!(case.contains("error"), "{case}: {:?}", went.committed);
                    continue;
                }
                assert!(went.client.as_bytes().starts_with(&bytes), "{case}");
            }
        }
    }
}

#[test]
fn other_families_see_the_same_at_every_split() {
    for (case, bytes) in recorded::files("response.sse") {
        let Some(wire) = wire_of(&case) else { continue };
        for family in [Family::Chat, Family::Messages, Family::Responses] {
            if wire.family() != Some(family) {
                same_at_every_split(&case, &setup(wire, family), &bytes);
            }
        }
    }
}
