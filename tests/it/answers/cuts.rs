//! Streams that end too early, anywhere.

use super::readers::Read;
use super::{framed_streams, streams, ways, went};
use crate::relay::{Went, committing};
use understudy::domain::outcome::{Class, Failure, Phase};
use understudy::domain::policy::{Commit, RelayMode};
use understudy::domain::relay::Ending;
use understudy::domain::time::Span;

/// Longer ones say nothing that shorter ones do not.
const LONGEST: usize = 8_000;

/// Where events or frames end.
fn ends(stream: &[u8], framed: bool) -> Vec<usize> {
    let (mut ends, mut at) = (vec![0], 0);
    loop {
        let rest = &stream[at..];
        let length = match framed {
            true => rest.first_chunk().map(|length| u32::from_be_bytes(*length) as usize),
            false => rest.windows(2).position(|two| two == b"\n\n").map(|end| end + 2),
        };
        let Some(length) = length else { return ends };
        at += length;
        ends.push(at);
    }
}

/// Every end of an event and places within each; of long streams some of them, and all of the last.
fn places(stream: &[u8], framed: bool) -> Vec<usize> {
    let ends = ends(stream, framed);
    let mut places: Vec<usize> = ends.clone();
    for pair in ends.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let within = [from + 1, from + 3, from + 6, from + 8, (from + to) / 2, to - 4, to - 3, to - 2, to - 1];
        places.extend(within.into_iter().filter(|at| (from..to).contains(at)));
    }
    places.sort_unstable();
    places.dedup();
    let (step, all_from) = (places.len() / 12 + 1, places.len().saturating_sub(12));
    places.into_iter().enumerate().filter(|(n, _)| n % step == 0 || *n >= all_from).map(|(_, at)| at).collect()
}

fn judge(place: &str, went: &Went, got: &Read, whole: &Read, held: bool) {
    if let Err(failure) = &went.committed {
        assert_eq!(failure.class, Class::Interrupted, "{place}: {}", failure.reason);
        return;
    }
    let half = got.raised.as_ref().is_some_and(|why| why.starts_with("no JSON"));
    match got.looks_finished() {
        true => {
            assert!(got.ended && went.tail.finished && went.tail.outcome.is_none(), "{place}: {}", went.client);
            assert_eq!((got.said(), &got.finish), (whole.said(), &whole.finish), "{place}: {}", went.client);
        }
        // Bytes that were piped cannot be taken back: whoever reads half a count behind a whole answer raises on it.
        false if went.tail.finished => assert!(half && !held, "{place}: {:?} {}", got.raised, went.client),
        false => assert!(got.raised.is_some() && went.tail.outcome.is_some(), "{place}: {}", went.client),
    }
}

#[test]
fn a_stream_that_was_cut_never_looks_finished() {
    let endings =
        [Ending::Clean, Ending::Broken(Failure::new(Class::Interrupted, "reset")), Ending::Clock(Phase::Idle, Span(5))];
    // Where a client of another family is told nothing, the target fails as it does whole.
    let told = |case: &str| ["local-shell", "mcp-approval"].iter().all(|part| !case.contains(part));
    for (case, wire, bytes) in streams().into_iter().chain(framed_streams()) {
        if bytes.len() > LONGEST || !told(&case) {
            continue;
        }
        let places = places(&bytes, wire.is_framed());
        for way in ways(wire) {
            let (_, whole) = went(&way, &bytes, Ending::Clean);
            for (commit, at) in [Commit::FirstContent, Commit::Headers, Commit::Complete]
                .into_iter()
                .flat_map(|commit| places.iter().map(move |at| (commit, *at)))
            {
                let way = committing(commit, way.clone());
                // Clocks before the commit are the edge's.
                let endings =
                    endings.iter().filter(|end| commit == Commit::Headers || !matches!(end, Ending::Clock(..)));
                for ending in endings {
                    let (went, got) = went(&way, &bytes[..at], ending.clone());
                    let held = commit == Commit::Complete || way.mode() == RelayMode::Inspect;
                    let place = format!("{case} to {} at {at}, {commit:?}, {ending:?}", way.family.name());
                    judge(&place, &went, &got, &whole, held);
                }
            }
        }
    }
}
