//! Recorded streams on their way to clients of every family, read there as the official SDKs read: what was said arrives, what was
//! cut off never looks finished, and what means nothing changes nothing.

mod cuts;
mod harmless;
pub mod readers;

use crate::dialect::wire_of;
use crate::families::framed;
use crate::recorded;
use crate::relay::{Went, piped, play, setup};
use readers::{Read, read};
use serde_json::json;
use understudy::domain::dialect::Wire;
use understudy::domain::relay::{Ending, Setup};
use understudy::domain::route::Family;

const FAMILIES: [Family; 3] = [Family::Chat, Family::Messages, Family::Responses];

/// Recorded or written so that no SDK reads them: a stream spliced of two, deltas without their item, a failure.
const UNFIT: [&str; 3] = ["spliced-message-start", "openai-responses/phase-stream", "error-quota"];

/// Every recorded stream that its own SDK can read.
fn streams() -> Vec<(String, Wire, Vec<u8>)> {
    let fit = |case: &str| UNFIT.iter().all(|part| !case.ends_with(part) && !case.contains(&format!("{part}-stream")));
    let files = recorded::files("response.sse").into_iter();
    files
        .filter(|(case, _)| fit(case))
        .filter_map(|(case, bytes)| Some((wire_of(&case)?, case, bytes)))
        .map(|(wire, case, bytes)| (case, wire, bytes))
        .collect()
}

/// Anthropic's recorded streams as InvokeModel frames them.
fn framed_streams() -> Vec<(String, Wire, Vec<u8>)> {
    let short = streams().into_iter().filter(|(_, wire, bytes)| *wire == Wire::Messages && bytes.len() < 12_000);
    short.map(|(case, _, bytes)| (case, Wire::Invoke, framed(&String::from_utf8_lossy(&bytes)).concat())).collect()
}

/// Every way from that wire to a client.
fn ways(wire: Wire) -> Vec<Setup> {
    let mut ways = Vec::new();
    for family in FAMILIES {
        let mut way = setup(wire, family);
        if let Some(voice) = &mut way.voice {
            voice.include_usage = true;
            voice.request = Some(json!({"reasoning": {"summary": "auto"}}));
        }
        if wire.family() == Some(family) {
            ways.push(piped(way.clone()));
        }
        ways.push(way);
    }
    ways
}

fn went(way: &Setup, bytes: &[u8], ending: Ending) -> (Went, Read) {
    let went = play(way.clone(), bytes.chunks(997), ending);
    let read = read(way.family, went.client.as_bytes());
    (went, read)
}

#[test]
fn every_client_reads_what_the_streams_own_client_reads() {
    for (case, wire, bytes) in streams() {
        let own = read(wire.family().expect("a family"), &bytes);
        for way in ways(wire) {
            let across = wire.family() != Some(way.family);
            let (went, mut got) = went(&way, &bytes, Ending::Clean);
            // Only hosted items: to another family nothing, and another target is asked. (Nobody there can offer a tool of text.)
            if across && ["local-shell", "mcp-approval", "custom-tool"].iter().any(|part| case.contains(part)) {
                continue;
            }
            let place = format!("{case} for {}: {}", way.family.name(), went.client);
            assert!(went.tail.finished && went.tail.outcome.is_none(), "{place}");
            assert!(got.ended && got.raised.is_none(), "{:?} {place}", got.raised);
            let refused = case.contains("refusal");
            if refused && across {
                // The explanation beside the stop is the refusal's text elsewhere.
                assert!(!got.refusal.is_empty(), "{place}");
                got.refusal.clear();
                got.finish = own.finish.clone();
            }
            assert_eq!((got.said(), &got.finish), (own.said(), &own.finish), "{place}");
            if way.family == Family::Responses || !across {
                assert_eq!(got.reasoning, own.reasoning, "{place}");
            }
            // What a compaction took is counted where an SDK of Anthropic's leaves it out.
            if !case.contains("compaction") {
                // What of the output was thinking is no count of a Messages client's.
                let told = if across && way.family == Family::Messages { 4 } else { 5 };
                let (got, own) = (got.usage.unwrap_or_default(), own.usage.unwrap_or_default());
                assert_eq!(got[..told], own[..told], "{place}");
            }
        }
    }
}
