//! After the commit: how a stream ends for the client.

use serde_json::Value;

use super::{COMMENT, DONE, HI, ROLE, STOP, USAGE, chunks, committing, piped, play, setup};
use crate::dialect::records;
use understudy::domain::dialect::Wire;
use understudy::domain::eventstream::{self, Frame};
use understudy::domain::outcome::{Class, Failure, Phase};
use understudy::domain::policy::Commit;
use understudy::domain::relay::{Ending, Intake, Relay, Setup};
use understudy::domain::route::Family;
use understudy::domain::time::Span;

const MESSAGES: [&str; 4] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"x\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n",
];
const RESPONSES: [&str; 2] = [
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"output\":[]}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"output_index\":0,\"content_index\":0,\"item_id\":\"m\",\"delta\":\"Hi\"}\n\n",
];

fn chat() -> Setup {
    setup(Wire::Chat, Family::Chat)
}

fn broken() -> Ending {
    Ending::Broken(Failure::new(Class::Interrupted, "connection reset"))
}

/// The last event of a client's stream.
fn last(client: &str) -> (String, Value) {
    let (name, data) = records(client).pop().expect("an event");
    (name, serde_json::from_str(&data).expect("JSON"))
}

#[test]
fn an_event_without_end_breaks_what_is_read_and_passes_what_is_piped() {
    let endless = vec![b'x'; 20 << 20];
    let pieces = || [ROLE.as_bytes(), HI.as_bytes(), b"data: "].into_iter().chain(endless.chunks(1 << 20));
    let went = play(chat(), pieces(), Ending::Clean);
    assert_eq!(last(&went.client).1["error"]["code"], "stream_interrupted");
    assert!(went.client.len() < 10_000, "{} bytes of it were passed on", went.client.len());
    let went = play(piped(chat()), pieces(), Ending::Clean);
    assert!(went.client.len() > endless.len() && went.tail.append.is_empty());
    assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(Class::Malformed));
}

/// While nothing comes, a client whose stream is written here hears a ping; the upstream's own bytes are left alone.
#[test]
fn a_keep_alive_is_in_the_clients_dialect() {
    let ping = |wire, family| {
        let mut intake = Intake::new(setup(wire, family));
        for piece in [ROLE, HI] {
            intake.push(piece.as_bytes());
        }
        let (_, mut relay) = intake.commit();
        let mut out = Vec::new();
        relay.ping(&mut out);
        (relay.translates(), String::from_utf8(out).expect("text"))
    };
    assert_eq!(ping(Wire::Chat, Family::Messages), (true, "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned()));
    assert_eq!(ping(Wire::Chat, Family::Responses), (true, ": ping\n\n".to_owned()));
    assert_eq!(ping(Wire::Chat, Family::Chat), (false, String::new()));
}

#[test]
fn an_error_after_the_end_breaks_nothing() {
    let error = "data: {\"error\": {\"message\": \"late\", \"code\": 500}}\n\n";
    for way in [chat(), piped(chat()), setup(Wire::Chat, Family::Messages), setup(Wire::Chat, Family::Responses)] {
        let whole = play(way.clone(), chunks(&[ROLE, HI, STOP, DONE]), Ending::Clean);
        let late = play(way.clone(), chunks(&[ROLE, HI, STOP, DONE, error]), Ending::Clean);
        assert_eq!((late.tail.outcome, late.tail.finished), (None, true), "{way:?}");
        assert!(late.client.starts_with(&whole.client) && late.tail.append.is_empty(), "{way:?}");
    }
}

#[test]
fn a_broken_stream_gets_an_error_event_and_no_end() {
    let idle = Ending::Clock(Phase::Idle, Span(60_000));
    for (ending, code, class) in [
        (Ending::Clean, "stream_interrupted", Class::Interrupted),
        (broken(), "stream_interrupted", Class::Interrupted),
        (idle, "stream_timeout", Class::Timeout),
    ] {
        for way in [chat(), piped(chat()), setup(Wire::Messages, Family::Chat)] {
            let pieces: &[&str] = if way.wire == Wire::Chat { &[ROLE, HI] } else { &MESSAGES[..3] };
            let went = play(way.clone(), chunks(pieces), ending.clone());
            let (_, event) = last(&went.client);
            assert_eq!(event["error"]["code"], code, "{way:?}");
            assert_eq!((&event["error"]["type"], &event["error"]["param"]), (&"upstream_error".into(), &Value::Null));
            assert!(event["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
            assert!(!went.client.contains("[DONE]"));
            assert_eq!((went.tail.outcome.map(|failure| failure.class), went.tail.finished), (Some(class), false));
        }
    }
}

#[test]
fn messages_clients_get_their_own_error_event() {
    for way in [setup(Wire::Messages, Family::Messages), piped(setup(Wire::Messages, Family::Messages))] {
        let went = play(way, chunks(&MESSAGES[..3]), Ending::Clock(Phase::Idle, Span(5)));
        let (name, event) = last(&went.client);
        let message = "no further content within 5 ms";
        let said = serde_json::json!({"type": "error", "error": {"type": "timeout_error", "message": message, "code": "stream_timeout"}});
        assert_eq!((name.as_str(), event), ("error", said));
        assert!(!went.client.contains("message_stop"));
    }
    let went = play(setup(Wire::Chat, Family::Messages), chunks(&[ROLE, HI]), Ending::Clean);
    let (name, event) = last(&went.client);
    let message = "the stream ended before its terminal event";
    let said = serde_json::json!({"type": "error", "error": {"type": "api_error", "message": message, "code": "stream_interrupted"}});
    assert_eq!((name.as_str(), event), ("error", said));
    assert!(!went.client.contains("message_stop"));
}

#[test]
fn responses_clients_get_an_error_event_that_every_sdk_raises_on() {
    let went = play(piped(setup(Wire::Responses, Family::Responses)), chunks(&RESPONSES), broken());
    let (name, event) = last(&went.client);
    assert_eq!((name.as_str(), &event["type"]), ("error", &"error".into()));
    assert_eq!(event["sequence_number"], 5);
    for fields in [&event, &event["error"]] {
        assert_eq!((&fields["code"], &fields["param"]), (&"stream_interrupted".into(), &Value::Null));
        assert_eq!(fields["message"], "connection reset");
    }
    assert!(!went.client.contains("response.completed") && !went.client.contains("response.failed"));
}

#[test]
fn a_stream_that_forgot_its_end_is_completed_however_it_ended() {
    for ending in [Ending::Clean, broken(), Ending::Clock(Phase::Idle, Span(5))] {
        for way in [chat(), piped(chat())] {
            let went = play(way, chunks(&[ROLE, HI, STOP, USAGE]), ending.clone());
            assert_eq!(went.client, [ROLE, HI, STOP, USAGE, DONE].concat());
            assert_eq!((went.tail.outcome, went.tail.finished), (None, true));
            assert_eq!(went.tail.usage.map(|usage| (usage.input, usage.output)), Some((5, 1)));
        }
        let went = play(setup(Wire::Messages, Family::Messages), chunks(&MESSAGES), ending.clone());
        assert!(went.client.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
        let went = play(setup(Wire::Messages, Family::Chat), chunks(&MESSAGES), ending);
        assert!(went.client.ends_with(DONE));
        assert_eq!(went.tail.outcome, None);
    }
}

/// A host may stream its choices one behind the other: the first one's end is not that of the answer.
#[test]
fn a_second_choice_that_was_cut_off_is_not_completed() {
    let second = |delta: &str, reason: &str| {
        format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":1,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n")
    };
    let (half, end) = (second("{\"content\":\"Ho\"}", "null"), second("{}", "\"stop\""));
    for way in [chat(), piped(chat())] {
        let went = play(way.clone(), chunks(&[ROLE, HI, STOP, &half]), Ending::Clean);
        assert_eq!(last(&went.client).1["error"]["code"], "stream_interrupted", "{}", went.client);
        let went = play(way.clone(), chunks(&[ROLE, HI, STOP, &half, &end]), Ending::Clean);
        assert_eq!((went.tail.outcome, went.tail.finished), (None, true));
        assert!(went.client.ends_with(DONE), "{}", went.client);
        let went = play(way, chunks(&[ROLE, HI, STOP, &half, &end, USAGE, DONE]), Ending::Clean);
        assert_eq!(went.client, [ROLE, HI, STOP, &half, &end, USAGE, DONE].concat());
    }
}

#[test]
fn nothing_follows_a_stream_that_ended() {
    for ending in [Ending::Clean, broken(), Ending::Clock(Phase::Idle, Span(5)), Ending::ClientGone] {
        let went = play(piped(chat()), chunks(&[ROLE, HI, STOP, DONE]), ending);
        assert_eq!(went.client, [ROLE, HI, STOP, DONE].concat());
        assert_eq!((went.tail.outcome, went.tail.finished), (None, true));
    }
}

#[test]
fn nothing_follows_an_error_of_the_upstreams_own_where_events_are_read() {
    let error = "data: {\"error\": {\"message\": \"late\", \"code\": 500}}\n\n";
    let more: [&[&str]; 3] = [&[DONE], &[STOP, DONE], &[HI, COMMENT, STOP, USAGE, DONE]];
    for more in more {
        let pieces = [&[ROLE, HI, error], more].concat();
        let went = play(chat(), chunks(&pieces), Ending::Clean);
        assert_eq!(went.client, [ROLE, HI, error].concat(), "it would look finished");
        assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(Class::ServerError));
        let went = play(chat(), [pieces.concat().as_bytes()], Ending::Clean);
        assert_eq!(went.client, [ROLE, HI, error].concat());
        let went = play(piped(chat()), chunks(&pieces), Ending::Clean);
        assert_eq!(went.client, pieces.concat(), "what is piped is as it came");
    }
}

const COMPLETED: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":5,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":0}}}\n\n";
const MESSAGE_STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Streams that open, say nothing and end well.
fn empty_streams() -> [(Wire, Vec<&'static str>); 3] {
    [
        (Wire::Chat, vec![ROLE, STOP, USAGE, DONE]),
        (Wire::Messages, vec![MESSAGES[0], MESSAGES[3], MESSAGE_STOP]),
        (Wire::Responses, vec![RESPONSES[0], COMPLETED]),
    ]
}

#[test]
fn an_empty_answer_never_looks_finished_once_it_is_committed() {
    for (wire, pieces) in empty_streams() {
        for family in [Family::Chat, Family::Messages, Family::Responses] {
            for commit in [Commit::Headers, Commit::FirstEvent] {
                let went = play(committing(commit, setup(wire, family)), chunks(&pieces), Ending::Clean);
                let (_, event) = last(&went.client);
                assert!(
                    event["error"]["message"].as_str().is_some_and(|said| said.contains("empty")),
                    "{}",
                    went.client
                );
                for end in ["[DONE]", "event: message_stop", "event: response.completed"] {
                    assert!(!went.client.contains(end), "{wire:?} to {family:?}: {}", went.client);
                }
                let class = went.tail.outcome.map(|failure| failure.class);
                assert_eq!((class, went.tail.finished), (Some(Class::Malformed), false), "{wire:?} to {family:?}");
                assert!(went.tail.usage.is_some(), "what it cost is known all the same");
            }
        }
    }
}

#[test]
fn an_empty_answer_that_was_piped_is_recorded_and_left_as_it_is() {
    for (wire, pieces) in empty_streams() {
        let family = wire.family().expect("a family");
        let setup = piped(committing(Commit::FirstEvent, setup(wire, family)));
        for ending in [Ending::Clean, broken(), Ending::Clock(Phase::Idle, Span(5))] {
            let went = play(setup.clone(), chunks(&pieces), ending);
            assert_eq!(went.client, pieces.concat(), "its end has gone to the client: nothing may follow");
            let class = went.tail.outcome.map(|failure| failure.class);
            assert_eq!((class, went.tail.finished), (Some(Class::Malformed), false), "{wire:?}");
        }
    }
    let setup = piped(committing(Commit::FirstEvent, chat()));
    let went = play(setup.clone(), chunks(&[ROLE, STOP]), Ending::Clean);
    assert_eq!(last(&went.client).1["error"]["code"], "stream_error", "an end that it forgot is not made up for it");
    assert!(!went.client.contains("[DONE]"));
    assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(Class::Malformed));
}

#[test]
fn an_answer_that_a_filter_emptied_ends_well_after_the_commit() {
    let filtered = STOP.replace("\"stop\"", "\"content_filter\"");
    for way in [chat(), piped(chat()), setup(Wire::Chat, Family::Messages), setup(Wire::Chat, Family::Responses)] {
        let went = play(committing(Commit::FirstEvent, way), chunks(&[ROLE, &filtered, DONE]), Ending::Clean);
        assert_eq!((went.tail.outcome, went.tail.finished), (None, true), "{}", went.client);
    }
}

#[test]
fn a_client_that_leaves_is_recorded() {
    let went = play(chat(), chunks(&[ROLE, HI]), Ending::ClientGone);
    assert_eq!(went.client, [ROLE, HI].concat());
    assert_eq!(went.tail.outcome.unwrap().class, Class::Cancelled);
}

#[test]
fn a_cut_event_does_not_swallow_the_error() {
    let went = play(piped(chat()), chunks(&[ROLE, HI, "data: {\"choices\":[{\"del"]), broken());
    assert_eq!(last(&went.client).1["error"]["code"], "stream_interrupted");
    let went = play(chat(), chunks(&[ROLE, HI, "data: {\"choices\":[{\"del"]), broken());
    assert!(
        !went.client.contains("{\"del\n") && !went.client.ends_with("del"),
        "inspect never passes a part of an event"
    );
    assert_eq!(last(&went.client).1["error"]["code"], "stream_interrupted");
}

#[test]
fn a_bad_frame_is_dropped_by_inspect_and_passed_by_pipe_and_recorded_by_both() {
    let bad = "data: {\"choices\": oops}\n\n";
    let pieces = [ROLE, HI, bad, HI, STOP, DONE];
    let went = play(chat(), chunks(&pieces), Ending::Clean);
    assert_eq!(went.client, [ROLE, HI, HI, STOP, DONE].concat());
    assert_eq!((went.tail.outcome.unwrap().class, went.tail.finished), (Class::Malformed, true));
    let went = play(piped(chat()), chunks(&pieces), Ending::Clean);
    assert_eq!(went.client, pieces.concat());
    assert_eq!(went.tail.outcome.unwrap().class, Class::Malformed);
}

#[test]
fn nothing_is_left_of_a_dropped_event_where_its_line_end_was_cut_in_two() {
    let (bad, rest) = ("data: {\"choices\": oops}\r\n\r", "\n");
    let went = play(chat(), chunks(&[ROLE, HI, bad, rest, HI, STOP, DONE]), Ending::Clean);
    assert_eq!(went.client, [ROLE, HI, HI, STOP, DONE].concat());
    // Blank lines of the upstream's own go on.
    let went = play(chat(), chunks(&[ROLE, HI, rest, ": still here\r\n", "\r", "\n", STOP, DONE]), Ending::Clean);
    assert_eq!(went.client, [ROLE, HI, "\n: still here\r\n\r\n", STOP, DONE].concat());
}

#[test]
fn an_error_told_behind_a_line_end_that_was_cut_in_two_is_told_as_behind_a_whole_one() {
    let whole = play(chat(), chunks(&[ROLE, HI, "event: error\ndata: it broke\r\n\r\n"]), Ending::Clean);
    let cut = play(chat(), chunks(&[ROLE, HI, "event: error\ndata: it broke\r\n\r", "\n"]), Ending::Clean);
    assert!(whole.client.contains("it broke\r\n\r\ndata: {\"error\""), "{}", whole.client);
    assert_eq!(cut.client, whole.client);
    // One in the family's own words is told as it is, and its line end is whole too.
    let own = "data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\"}}\r\n\r";
    let cut = play(chat(), chunks(&[ROLE, HI, own, "\n"]), Ending::Clean);
    assert_eq!(cut.client, [ROLE, HI, own, "\n"].concat());
}

#[test]
fn the_usage_chunk_that_the_client_did_not_ask_for_is_hidden() {
    let hidden = Setup { hide_usage: true, ..piped(chat()) };
    for usage in [USAGE.to_owned(), USAGE.replace("\"choices\":[]", "\"choices\":[],\"service_tier\":\"default\"")] {
        let went = play(hidden.clone(), chunks(&[ROLE, HI, STOP, &usage, DONE]), Ending::Clean);
        assert_eq!(went.client, [ROLE, HI, STOP, DONE].concat());
        assert_eq!(went.tail.usage.map(|usage| usage.output), Some(1));
    }
}

#[test]
fn a_body_that_nobody_reads_breaks_the_connection() {
    let tail = Relay::opaque().end(broken());
    assert!(tail.broken_off && tail.append.is_empty());
    assert!(!Relay::opaque().end(Ending::Clean).broken_off);
    assert!(!Relay::opaque().observes());
}

#[test]
fn a_stream_that_was_lost_sight_of_is_not_judged() {
    let mut intake = understudy::domain::relay::Intake::new(piped(chat()));
    intake.push([ROLE, HI].concat().as_bytes());
    let (_, mut relay) = intake.commit();
    relay.lose_sight();
    let tail = relay.end(Ending::Clean);
    assert_eq!((tail.append.as_slice(), tail.outcome), (&b""[..], None));
}

/// A Bedrock frame that carries an Anthropic event.
fn frame(event: &str) -> Vec<u8> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.encode(event);
    let text = |name: &str, value: &str| (name.to_owned(), eventstream::Value::Text(value.to_owned()));
    let headers = vec![text(":event-type", "chunk"), text(":message-type", "event")];
    eventstream::encode(&Frame { headers, payload: format!("{{\"bytes\":\"{bytes}\",\"p\":\"abc\"}}").into_bytes() })
}

fn exception(kind: &str, message: &str) -> Vec<u8> {
    let text = |name: &str, value: &str| (name.to_owned(), eventstream::Value::Text(value.to_owned()));
    let headers = vec![text(":exception-type", kind), text(":message-type", "exception")];
    eventstream::encode(&Frame { headers, payload: format!("{{\"message\":\"{message}\"}}").into_bytes() })
}

fn data_of(event: &str) -> &str {
    event.split_once("data: ").map(|(_, data)| data.trim_end()).unwrap_or_default()
}

#[test]
fn frames_of_a_framed_wire_become_events_of_the_family() {
    let mut frames: Vec<Vec<u8>> = MESSAGES.iter().map(|event| frame(data_of(event))).collect();
    frames.push(frame("{\"type\":\"message_stop\"}"));
    let bytes = frames.concat();
    let expected = format!("{}event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n", MESSAGES.concat());
    for at in 0..bytes.len() {
        let (left, right) = bytes.split_at(at);
        let went = play(piped(setup(Wire::Invoke, Family::Messages)), [left, right], Ending::Clean);
        assert_eq!((went.client.as_str(), went.tail.outcome), (expected.as_str(), None));
    }
    let went = play(setup(Wire::Invoke, Family::Chat), [bytes.as_slice()], Ending::Clean);
    assert!(went.client.ends_with(DONE), "{}", went.client);
}

#[test]
fn exceptions_among_frames() {
    let throttled = exception("throttlingException", "Too many tokens, please wait before trying again.");
    for family in [Family::Messages, Family::Chat] {
        let went = play(setup(Wire::Invoke, family), [throttled.as_slice()], Ending::Clean);
        let failure = went.committed.unwrap_err();
        assert_eq!((failure.class, failure.code.as_deref()), (Class::RateLimited, Some("throttlingException")));
    }
    let started: Vec<u8> = MESSAGES[..3].iter().flat_map(|event| frame(data_of(event))).collect();
    for family in [Family::Messages, Family::Chat] {
        let went = play(setup(Wire::Invoke, family), [started.as_slice(), &throttled], Ending::Clean);
        assert_eq!(went.tail.outcome.unwrap().class, Class::RateLimited);
        assert!(last(&went.client).1["error"].is_object(), "the client is told");
    }
}

#[test]
fn a_damaged_frame() {
    let damaged = |event: &str| {
        let mut bytes = frame(data_of(event));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let went = play(setup(Wire::Invoke, Family::Messages), [damaged(MESSAGES[0]).as_slice()], Ending::Clean);
    assert_eq!(went.committed.unwrap_err().class, Class::Malformed);
    // After the commit nothing more can come of the stream: the client is told at once.
    let frames: Vec<Vec<u8>> = MESSAGES[..3].iter().map(|event| frame(data_of(event))).collect();
    let pieces = [frames.concat(), damaged(MESSAGES[2]), frame(data_of(MESSAGES[3]))];
    for family in [Family::Messages, Family::Chat, Family::Responses] {
        let went = play(setup(Wire::Invoke, family), pieces.iter().map(Vec::as_slice), Ending::Clean);
        let (_, event) = last(&went.client);
        assert_eq!(event["error"]["code"], "stream_error", "{}", went.client);
        assert!(went.tail.append.is_empty(), "{}", went.client);
        let class = went.tail.outcome.map(|failure| failure.class);
        assert_eq!((class, went.tail.finished), (Some(Class::Malformed), false));
    }
    // An answer that is all there but for its end is completed.
    let pieces = [frames.concat(), frame(data_of(MESSAGES[3])), damaged(MESSAGE_STOP)];
    let went = play(setup(Wire::Invoke, Family::Chat), pieces.iter().map(Vec::as_slice), Ending::Clean);
    assert!(went.client.ends_with(DONE) && went.tail.finished, "{}", went.client);
}

#[test]
fn a_frame_without_a_payload_says_nothing() {
    let kind = (":event-type".to_owned(), eventstream::Value::Text("heartbeat".to_owned()));
    let empty = eventstream::encode(&Frame { headers: vec![kind], payload: Vec::new() });
    let mut frames = vec![empty.clone()];
    frames.extend(MESSAGES.iter().map(|event| frame(data_of(event))));
    frames.insert(3, empty.clone());
    frames.push(frame("{\"type\":\"message_stop\"}"));
    let went = play(setup(Wire::Invoke, Family::Chat), frames.iter().map(Vec::as_slice), Ending::Clean);
    assert!(went.committed.is_ok() && went.client.ends_with(DONE), "{}", went.client);
    assert_eq!(went.tail.outcome, None);
    let went = play(setup(Wire::Converse, Family::Chat), [empty.as_slice()], Ending::Clean);
    assert_eq!(went.committed.unwrap_err().class, Class::Interrupted);
}

/// A whole frame whose event cannot be read is a bad record: what it said is missing, and the answer would look whole.
#[test]
fn a_frame_that_holds_no_event() {
    let text = |name: &str, value: &str| (name.to_owned(), eventstream::Value::Text(value.to_owned()));
    let headers = vec![text(":event-type", "chunk"), text(":message-type", "event")];
    for bytes in ["%%%", "/w=="] {
        let payload = format!("{{\"bytes\":\"{bytes}\"}}").into_bytes();
        let bad = eventstream::encode(&Frame { headers: headers.clone(), payload });
        let went = play(setup(Wire::Invoke, Family::Chat), [bad.as_slice()], Ending::Clean);
        assert_eq!(went.committed.unwrap_err().class, Class::Malformed);
        let mut frames: Vec<Vec<u8>> = MESSAGES.iter().map(|event| frame(data_of(event))).collect();
        frames.insert(3, bad);
        frames.push(frame("{\"type\":\"message_stop\"}"));
        let went = play(setup(Wire::Invoke, Family::Chat), frames.iter().map(Vec::as_slice), Ending::Clean);
        assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(Class::Malformed), "{}", went.client);
        assert!(went.client.ends_with(DONE), "{}", went.client);
    }
}

#[test]
fn an_error_that_repeats_a_key_after_the_commit_is_masked() {
    let error = "data: {\"error\":{\"message\":\"bad key acme-key-123, sk-0123456789abcdef\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let keyed = |way: Setup| Setup { keys: vec!["acme-key-123".to_owned()], ..way };
    let translated = Setup { wire: Wire::Chat, ..setup(Wire::Chat, Family::Responses) };
    for way in [chat(), translated] {
        let went = play(keyed(committing(Commit::Headers, way.clone())), chunks(&[ROLE, HI, error]), Ending::Clean);
        assert!(went.client.contains("bad key [redacted], [redacted]"), "{way:?}: {}", went.client);
        let reason = went.tail.outcome.expect("an outcome").reason;
        assert_eq!(reason, "bad key [redacted], [redacted]", "{way:?}");
    }
}
