//! Before the commit: when a stream earns it, and what fails it while another target can still be tried.

use super::{COMMENT, DONE, HI, OVERLOADED, ROLE, STOP, USAGE, chunks, committing, piped, play, setup};
use understudy::domain::answer;
use understudy::domain::dialect::Wire;
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::said::Expected;
use understudy::domain::outcome::{Class, Failure};
use understudy::domain::policy::{Commit, StreamRules};
use understudy::domain::relay::{Ending, Held, Intake, Setup};
use understudy::domain::route::{Family, Route};

fn chat() -> Setup {
    setup(Wire::Chat, Family::Chat)
}

#[track_caller]
fn commits_at(commit: Commit, pieces: &[&str], at: usize) {
    for way in [committing(commit, chat()), committing(commit, piped(chat()))] {
        let went = play(way, chunks(pieces), Ending::Clean);
        assert_eq!(went.committed, Ok(at), "{commit:?} {pieces:?}");
        assert_eq!(went.client, pieces.concat());
        assert_eq!(went.tail.outcome, None);
    }
}

#[track_caller]
fn fails_with(setup: &Setup, pieces: &[&str], class: Class) -> Failure {
    let failure = play(setup.clone(), chunks(pieces), Ending::Clean).committed.expect_err("it fails");
    assert_eq!(failure.class, class, "{}", failure.reason);
    let failure = play(piped(setup.clone()), chunks(pieces), Ending::Clean).committed.expect_err("it fails");
    assert_eq!(failure.class, class, "{}", failure.reason);
    failure
}

#[test]
fn each_mode_commits_at_its_point() {
    let pieces = [COMMENT, ROLE, COMMENT, HI, STOP, DONE];
    commits_at(Commit::Headers, &pieces, 0);
    commits_at(Commit::FirstEvent, &pieces, 1);
    commits_at(Commit::FirstContent, &pieces, 3);
    commits_at(Commit::Complete, &pieces, 5);
}

#[test]
fn a_full_buffer_commits() {
    let mut setup = committing(Commit::Complete, chat());
    setup.rules = StreamRules { buffer_max_bytes: ROLE.len() + 10, ..setup.rules };
    let went = play(piped(setup), chunks(&[ROLE, HI, STOP, DONE]), Ending::Clean);
    assert_eq!(went.committed, Ok(1));
}

#[test]
fn tools_reasoning_and_refusals_are_content_and_roles_and_pings_are_not() {
    let delta = |delta: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
    for content in [
        r#"{"refusal":"no"}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
    ] {
        assert_eq!(play(chat(), chunks(&[ROLE, &delta(content)]), Ending::Clean).committed, Ok(1), "{content}");
    }
    for quiet in [r#"{"content":""}"#, r#"{"content":null}"#, r#"{"role":"assistant"}"#, "{}"] {
        fails_with(&chat(), &[ROLE, &delta(quiet)], Class::Interrupted);
    }
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"x\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n";
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let block = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let text = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n";
    let went = play(setup(Wire::Messages, Family::Messages), chunks(&[start, ping, block, text]), Ending::Clean);
    assert_eq!(went.committed, Ok(3));
}

#[test]
fn an_error_before_content_fails_the_target() {
    let error =
        "data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";
    assert_eq!(fails_with(&chat(), &[ROLE, error], Class::Overloaded).reason, "busy");
    let failure = fails_with(&setup(Wire::Messages, Family::Messages), &[OVERLOADED], Class::Overloaded);
    assert_eq!((failure.code.as_deref(), failure.reason.as_str()), (Some("overloaded_error"), "Overloaded"));
    fails_with(&setup(Wire::Messages, Family::Chat), &[OVERLOADED], Class::Overloaded);
    fails_with(&committing(Commit::FirstEvent, chat()), &[error], Class::ServerError.min(Class::Overloaded));
    fails_with(&committing(Commit::Complete, chat()), &[ROLE, HI, error], Class::Overloaded);
}

#[test]
fn an_error_after_the_commit_is_passed_on_and_recorded() {
    let error = "data: {\"error\":{\"message\":\"busy\",\"code\":\"server_is_overloaded\"}}\n\n";
    let went = play(chat(), chunks(&[ROLE, HI, error]), Ending::Clean);
    assert_eq!(went.client, [ROLE, HI, error].concat());
    assert_eq!(went.tail.outcome.unwrap().class, Class::Overloaded);
    let went = play(committing(Commit::FirstEvent, chat()), chunks(&[ROLE, error]), Ending::Clean);
    assert_eq!((went.committed, went.tail.outcome.unwrap().class), (Ok(0), Class::Overloaded));
}

#[test]
fn a_bad_frame_before_the_commit_is_malformed() {
    fails_with(&chat(), &[ROLE, "data: {\"choi\n\n", HI], Class::Malformed);
    fails_with(&committing(Commit::Complete, chat()), &[ROLE, HI, "data: <html>\n\n", DONE], Class::Malformed);
}

#[test]
fn an_empty_answer_is_malformed_unless_the_model_declined_or_reasoned() {
    fails_with(&chat(), &[ROLE, STOP, DONE], Class::Malformed);
    fails_with(&chat(), &[ROLE, STOP], Class::Malformed);
    fails_with(&chat(), &[DONE], Class::Malformed);
    let finish = |reason: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\n")
    };
    fails_with(&chat(), &[ROLE, &finish("length"), DONE], Class::Malformed);
    assert!(play(chat(), chunks(&[ROLE, &finish("content_filter"), DONE]), Ending::Clean).committed.is_ok());
    let reasoned = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":9,\"completion_tokens_details\":{\"reasoning_tokens\":9}}}\n\n";
    assert!(play(chat(), chunks(&[ROLE, &finish("length"), reasoned, DONE]), Ending::Clean).committed.is_ok());
    // Reasoning that leads to nothing is no answer, unless it used up all that was allowed.
    let thought =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm.\"},\"finish_reason\":null}]}\n\n";
    let whole = || committing(Commit::Complete, chat());
    fails_with(&whole(), &[ROLE, thought, STOP, DONE], Class::Malformed);
    assert!(play(whole(), chunks(&[ROLE, thought, &finish("length"), DONE]), Ending::Clean).committed.is_ok());
    assert!(play(whole(), chunks(&[ROLE, thought, HI, STOP, DONE]), Ending::Clean).committed.is_ok());
}

#[test]
fn a_stream_that_ends_too_early_is_interrupted() {
    fails_with(&chat(), &[ROLE], Class::Interrupted);
    fails_with(&chat(), &[], Class::Interrupted);
    fails_with(&chat(), &[COMMENT, COMMENT], Class::Interrupted);
    fails_with(&chat(), &[ROLE, "data: {\"choices\":[{\"del"], Class::Interrupted);
    fails_with(&committing(Commit::Complete, chat()), &[ROLE, HI], Class::Interrupted);
    fails_with(&committing(Commit::Complete, chat()), &[ROLE, HI, "data: {\"cho"], Class::Interrupted);
}

#[test]
fn a_body_that_is_no_stream_is_told_apart() {
    fails_with(&chat(), &["<html>bad gateway</html>"], Class::Malformed);
    fails_with(&chat(), &["hello"], Class::Malformed);
    fails_with(
        &chat(),
        &["{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}"],
        Class::RateLimited,
    );
    fails_with(
        &chat(),
        &["\u{feff}{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}"],
        Class::RateLimited,
    );
    fails_with(
        &chat(),
        &["{\n \"error\": {\n\"message\":\"x\",\n\n\"type\":\"overloaded_error\"}}"],
        Class::Overloaded,
    );
}

#[test]
fn a_whole_answer_without_its_end_is_completed() {
    for commit in [Commit::FirstContent, Commit::Complete] {
        let went = play(committing(commit, chat()), chunks(&[ROLE, HI, STOP]), Ending::Clean);
        assert_eq!(went.client, [ROLE, HI, STOP, DONE].concat());
        assert!(went.tail.finished);
    }
}

#[test]
fn a_last_event_without_blank_line_counts() {
    let went = play(committing(Commit::Complete, chat()), chunks(&[ROLE, HI, STOP, "data: [DONE]"]), Ending::Clean);
    assert_eq!((went.committed, went.client), (Ok(usize::MAX), [ROLE, HI, STOP, DONE].concat()));
}

/// OpenAI's first delta of a call: in the older form no id ever comes.
#[test]
fn the_name_of_a_call_is_content() {
    const NAMED: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}}]}\n\n";
    const WITH_ID: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n";
    for first in [NAMED, WITH_ID] {
        commits_at(Commit::FirstContent, &[ROLE, first, STOP, DONE], 1);
    }
}

/// A picture alone is an answer within the family; a client of another one would see none of it, and a good end.
#[test]
fn what_only_its_family_knows_is_no_answer_elsewhere() {
    const PICTURE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"images\":[{\"type\":\"image_url\"}]}}]}\n\n";
    commits_at(Commit::FirstContent, &[ROLE, PICTURE, STOP, DONE], 1);
    let whole = r#"{"choices":[{"index":0,"finish_reason":"stop","message":{"images":[{"type":"image_url"}]}}]}"#;
    assert!(answer::check(&Route::Chat, Wire::Chat, whole.as_bytes(), None, false).is_ok());
    for (family, route) in [(Family::Messages, Route::Messages), (Family::Responses, Route::Responses)] {
        for commit in [Commit::FirstContent, Commit::Complete] {
            let across = committing(commit, setup(Wire::Chat, family));
            let failed = play(across.clone(), chunks(&[ROLE, PICTURE, STOP, DONE]), Ending::Clean).committed;
            assert_eq!(failed.expect_err("nothing to see").class, Class::Malformed);
            let went = play(across, chunks(&[ROLE, PICTURE, HI, STOP, DONE]), Ending::Clean);
            assert!(went.committed.is_ok() && went.tail.finished, "{}", went.client);
        }
        let failed = answer::check(&route, Wire::Chat, whole.as_bytes(), Some(&Voice::default()), false);
        assert_eq!(failed.expect_err("nothing to see").class, Class::Malformed);
    }
}

/// Few clients ask for the counts of a stream: where nobody says what the tokens were spent on, it is by what is known of the
/// model that an answer which met its limit is taken for one of reasoning alone.
#[test]
fn an_empty_answer_that_met_its_limit_is_one_where_the_model_may_reason() {
    const LENGTH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
    const THOUGHT: &str = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":9,\"completion_tokens_details\":{\"reasoning_tokens\":9}}}\n\n";
    let may =
        |reasoning: bool, setup: Setup| Setup { expected: Expected { reasoning, ..Expected::default() }, ..setup };
    for (reasoning, usage, answers) in [
        (true, "", true),
        (true, USAGE, false),
        (true, THOUGHT, true),
        (false, "", false),
        (false, USAGE, false),
        (false, THOUGHT, true),
    ] {
        let pieces = [ROLE, LENGTH, usage, DONE];
        for way in [chat(), piped(chat()), committing(Commit::Complete, chat()), setup(Wire::Chat, Family::Messages)] {
            let went = play(may(reasoning, way), chunks(&pieces), Ending::Clean);
            let class = went.committed.map(drop).map_err(|failure| failure.class);
            assert_eq!(class, if answers { Ok(()) } else { Err(Class::Malformed) }, "{reasoning} {usage}");
        }
    }
    fails_with(&may(true, chat()), &[ROLE, STOP, DONE], Class::Malformed);
    // The client's own sequence may have come first.
    let stops = Setup { expected: Expected { stops: true, ..Expected::default() }, ..chat() };
    assert!(play(stops, chunks(&[ROLE, STOP, DONE]), Ending::Clean).committed.is_ok());
}

/// `max_tokens: 0` fills Anthropic's cache.
#[test]
fn an_empty_answer_is_one_where_no_token_was_asked_for() {
    let stream = |reason: &str| {
        [
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":0}}}\n\n".to_owned(),
            format!("event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\"}},\"usage\":{{\"output_tokens\":0}}}}\n\n"),
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned(),
        ].concat()
    };
    let whole = |reason: &str| {
        format!(
            r#"{{"id":"m","type":"message","role":"assistant","content":[],"stop_reason":"{reason}","usage":{{"input_tokens":9,"output_tokens":0}}}}"#
        )
    };
    let class = |nothing: bool, reason: &str| {
        let expected = Expected { nothing, reasoning: true, ..Expected::default() };
        let claude = Setup { expected, ..piped(setup(Wire::Messages, Family::Messages)) };
        let streamed = play(claude, chunks(&[&stream(reason)]), Ending::Clean).committed;
        let whole =
            answer::check_expecting(expected, &Route::Messages, Wire::Messages, whole(reason).as_bytes(), None, false);
        let both = [streamed.map(drop), whole.map(drop)].map(|each| each.map_err(|failure| failure.class));
        assert_eq!(both[0], both[1], "{nothing} {reason}");
        both[0]
    };
    assert_eq!(class(true, "max_tokens"), Ok(()));
    assert_eq!(class(false, "max_tokens"), Err(Class::Malformed));
    assert_eq!(class(false, "end_turn"), Err(Class::Malformed));
    // The text began with what it was to stop before.
    assert_eq!(class(false, "stop_sequence"), Ok(()));
}

#[test]
fn routes_that_are_only_watched() {
    let setup = setup(Wire::Opaque, Family::Chat);
    let went = play(setup.clone(), chunks(&["data: {\"type\":\"image\"}\n\n"]), Ending::Clean);
    assert_eq!((went.committed, went.tail.outcome), (Ok(0), None));
    fails_with(&setup, &["data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n"], Class::ServerError);
}

#[test]
fn counts_for_the_clocks() {
    let mut intake = Intake::new(committing(Commit::Complete, chat()));
    for (piece, contents) in [(COMMENT, 0), (ROLE, 0), (HI, 1), (COMMENT, 1), (HI, 2), (STOP, 2)] {
        assert_eq!(intake.push(piece.as_bytes()), Held::Hold);
        assert_eq!(intake.contents(), contents);
    }
    assert_eq!(intake.content_bytes(), 4);
}

/// Where no upstream counts tokens they are estimated by the text, which is as long in a stream as whole.
#[test]
fn a_whole_answer_and_a_stream_of_it_have_as_many_bytes_of_content() {
    let call = r#"{"index":0,"id":"c1","type":"function","function":{"name":"get_time","arguments":"{}"}}"#;
    let whole = format!(
        r#"{{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hä","tool_calls":[{call}]}},"finish_reason":"tool_calls"}}]}}"#
    );
    let delta = format!(
        "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Hä\",\"tool_calls\":[{call}]}},\"finish_reason\":null}}]}}\n\n"
    );
    let streamed = play(chat(), chunks(&[&delta, STOP, DONE]), Ending::Clean).tail.content_bytes;
    let checked = answer::check(&Route::Chat, Wire::Chat, whole.as_bytes(), None, false).expect("an answer");
    let bytes = ("Hä".len() + "get_time".len() + "{}".len()) as u64;
    assert_eq!((streamed, checked.content_bytes), (bytes, bytes));
}

/// DeepSeek fills the wait with comments, for minutes: none of them is content, none reaches a client of another family before
/// the commit, and all of them are passed on within the family.
#[test]
fn a_flood_of_keep_alives_is_no_progress() {
    let flood: Vec<&str> = std::iter::repeat_n(COMMENT, 2_000).collect();
    let mut intake = Intake::new(chat());
    for comment in &flood {
        assert_eq!(intake.push(comment.as_bytes()), Held::Hold);
        assert!(!intake.has_content());
    }
    assert_eq!(intake.push(HI.as_bytes()), Held::Commit);
    let (held, _) = intake.commit();
    assert_eq!(held.len(), flood.concat().len() + HI.len());
    let translated = setup(Wire::Chat, Family::Messages);
    let went = play(
        translated,
        flood.iter().map(|comment| comment.as_bytes()).chain(chunks(&[HI, STOP, DONE])),
        Ending::Clean,
    );
    assert_eq!((went.committed, went.contents), (Ok(2_000), 1));
    assert!(went.client.starts_with("event: message_start"), "{}", &went.client[..60]);
}
