//! A stream whose last event lacks its blank line, or was cut off: no client reads an event before that line has come.

use super::{DONE, HI, OVERLOADED, ROLE, STOP, USAGE, chunks, committing, piped, play, setup};
use crate::answers::readers::read;
use understudy::domain::dialect::Wire;
use understudy::domain::outcome::{Class, Failure, Phase};
use understudy::domain::policy::Commit;
use understudy::domain::relay::{Ending, Setup};
use understudy::domain::route::Family;
use understudy::domain::time::Span;

const MESSAGE: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"x\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hi\"}}\n\n\
    event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n";
const MESSAGE_STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const RESPONSE: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\"}}\n\n\
    event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"content\":[]}}\n\n\
    event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"output_index\":0,\"content_index\":0,\"item_id\":\"m\",\"delta\":\"Hi\"}\n\n";
const COMPLETED: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[]}}\n\n";

fn ways(wire: Wire, family: Family) -> impl Iterator<Item = Setup> {
    let commits = [Commit::Headers, Commit::FirstEvent, Commit::FirstContent, Commit::Complete];
    let way = setup(wire, family);
    commits.into_iter().flat_map(move |commit| {
        let way = committing(commit, way.clone());
        [way.clone(), piped(way)]
    })
}

fn broken() -> Ending {
    Ending::Broken(Failure::new(Class::Interrupted, "connection reset"))
}

/// Whatever the last event is, the client gets to read it: else a message had no end, and an error was never told.
#[test]
fn the_last_event_is_read_although_its_blank_line_is_missing() {
    let wholes = [
        (Wire::Chat, Family::Chat, [ROLE, HI, STOP].concat(), DONE),
        (Wire::Chat, Family::Chat, [ROLE, HI].concat(), STOP),
        (Wire::Chat, Family::Chat, [ROLE, HI, STOP].concat(), USAGE),
        (Wire::Messages, Family::Messages, MESSAGE.to_owned(), MESSAGE_STOP),
        (Wire::Responses, Family::Responses, RESPONSE.to_owned(), COMPLETED),
    ];
    for (wire, family, lead, last) in wholes {
        for (way, end) in ways(wire, family).flat_map(|way| ["", "\n", "\r\n"].map(|end| (way.clone(), end))) {
            let last = format!("{}{end}", last.trim_end());
            let silence = Ending::Clock(Phase::Idle, Span(5));
            for ending in [Ending::Clean, broken(), silence].into_iter().filter(|ending| {
                // Before the commit a connection that breaks is another target's chance.
                way.rules.commit != Commit::Complete || *ending == Ending::Clean
            }) {
                let went = play(way.clone(), chunks(&[&lead, &last]), ending);
                let read = read(family, went.client.as_bytes());
                assert!(read.ended && read.raised.is_none(), "{way:?} {last}: {}", went.client);
                assert_eq!((read.text.as_str(), read.finish.as_deref()), ("Hi", Some("stop")), "{}", went.client);
                assert!(went.tail.finished && went.tail.outcome.is_none(), "{way:?}");
            }
        }
    }
    for (wire, family, lead) in [
        (Wire::Chat, Family::Chat, [ROLE, HI].concat()),
        (
            Wire::Messages,
            Family::Messages,
            MESSAGE[..MESSAGE.find("event: message_delta").unwrap_or_default()].to_owned(),
        ),
    ] {
        for way in ways(wire, family).filter(|way| way.rules.commit != Commit::Complete) {
            let went = play(way.clone(), chunks(&[&lead, OVERLOADED.trim_end()]), Ending::Clean);
            let raised = read(family, went.client.as_bytes()).raised;
            assert!(raised.is_some_and(|why| why.contains("Overloaded")), "{way:?}: {}", went.client);
            assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(Class::Overloaded));
        }
    }
}

/// An end that was cut off is made whole, and not written behind its own half: that half is no JSON, and an SDK raises on it.
#[test]
fn an_end_that_was_cut_off_is_made_whole() {
    for (wire, family, lead, end) in [
        (Wire::Chat, Family::Chat, [ROLE, HI, STOP].concat(), DONE),
        (Wire::Messages, Family::Messages, MESSAGE.to_owned(), MESSAGE_STOP),
    ] {
        for (way, at) in ways(wire, family).flat_map(|way| (0..end.len()).map(move |at| (way.clone(), at))) {
            let mut endings = vec![Ending::Clean];
            if way.rules.commit != Commit::Complete {
                endings.extend([broken(), Ending::Clock(Phase::Idle, Span(5))]);
            }
            for ending in endings {
                let went = play(way.clone(), chunks(&[&lead, &end[..at]]), ending.clone());
                assert_eq!(went.client.trim_end(), format!("{lead}{end}").trim_end(), "{way:?} {ending:?} {at}");
                assert!(went.client.ends_with("\n\n"));
                assert!(went.tail.finished && went.tail.outcome.is_none());
            }
        }
    }
}

/// One event is all there is: the stream ends before it has earned its commit.
#[test]
fn an_only_event_without_blank_line_is_ended_before_the_end_that_it_lacks() {
    let only =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}";
    for way in ways(Wire::Chat, Family::Chat) {
        let went = play(way, chunks(&[only]), Ending::Clean);
        assert_eq!(went.client, format!("{only}\n\n{DONE}"));
    }
}

#[test]
fn a_stream_that_ends_within_its_first_event_is_interrupted() {
    for (wire, family, first) in [
        (Wire::Chat, Family::Chat, ROLE),
        (Wire::Chat, Family::Chat, "\u{feff}data: {\"id\":1}"),
        (Wire::Chat, Family::Chat, "id: 7\nretry: 5\ndata: {\"id\":1}"),
        (Wire::Messages, Family::Chat, MESSAGE),
        (Wire::Messages, Family::Messages, MESSAGE),
        (Wire::Responses, Family::Responses, RESPONSE),
    ] {
        let length = first.find('}').unwrap_or_default();
        for (way, at) in ways(wire, family).flat_map(|way| (1..length).map(move |at| (way.clone(), at))) {
            if way.rules.commit == Commit::Headers {
                continue;
            }
            let went = play(way, [&first.as_bytes()[..at]], Ending::Clean);
            let failure = went.committed.expect_err("nothing came");
            assert_eq!(failure.class, Class::Interrupted, "{at} of {first}: {}", failure.reason);
        }
    }
}
