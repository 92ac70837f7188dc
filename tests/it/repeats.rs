//! Records that are like the one before are not read as JSON: what is made of them is what reading them makes.

use proptest::prelude::*;
use understudy::domain::dialect::{self, Event, Wire};
use understudy::domain::sse;

use crate::recorded;

/// What a decoder says of each record, and which ones it could not read.
fn told(wire: Wire, records: impl IntoIterator<Item = (String, String)>) -> Vec<Result<Vec<Event>, String>> {
    let mut decoder = dialect::decoder(wire);
    let mut tell = |(name, data): (String, String)| {
        let mut events = Vec::new();
        let read = decoder.push(&sse::Event { name: &name, data: &data, raw: data.as_bytes() }, &mut events);
        read.map(|()| events).map_err(|malformed| malformed.0.split(" is not").next().unwrap_or_default().to_owned())
    };
    records.into_iter().map(&mut tell).collect()
}

/// Each record is spaced in another way than the one before: none is like another, and all of them are read.
fn apart(records: &[(String, String)]) -> impl Iterator<Item = (String, String)> {
    let space = |at: usize, data: &str| match data.strip_prefix('{') {
        Some(rest) => format!("{{{}{rest}", [" ", "  ", "   "][at % 3]),
        None => data.to_owned(),
    };
    records.iter().enumerate().map(move |(at, (name, data))| (name.clone(), space(at, data)))
}

#[track_caller]
fn is_as_read(wire: Wire, records: &[(String, String)]) {
    assert_eq!(told(wire, records.to_vec()), told(wire, apart(records)), "{records:#?}");
}

/// A chunk whose delta is `delta`, with whatever stands `behind` the choices.
fn chunk(delta: &str, finish: &str, behind: &str) -> (String, String) {
    let data = format!(
        r#"{{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]{behind}}}"#
    );
    (String::new(), data)
}

fn said(content: &str) -> (String, String) {
    chunk(&format!(r#"{{"content":{content}}}"#), "null", "")
}

/// Three words in a row, or three times the same; then comes what is not quite like them, and then more words.
#[test]
fn what_is_not_quite_like_the_record_before_is_read() {
    let words = || [said(r#""one""#), said(r#"" two""#), said(r#"" three""#)];
    let odd = [
        said(r#""a \"quote\" and a line\n""#),
        said(r#""\u00e9""#),
        said(r#""""#),
        said("null"),
        said("\"a line\nend\""),
        said(r#"[{"type":"text","text":"part"}]"#),
        said(r#""one","refusal":"no""#),
        said(r#""x"},"finish_reason":"stop","y":{"z":"""#),
        chunk(r#"{"content":"x"}"#, r#""stop""#, ""),
        chunk(r#"{"content":"x"}"#, "null", r#","usage":{"prompt_tokens":1,"completion_tokens":2}"#),
        chunk(r#"{"content":"x"}"#, "null", r#","error":{"message":"overloaded"}"#),
        chunk(r#"{"content":"x"}"#, "null", r#","obfuscation":"aBc1"}"#),
        chunk(r#"{"reasoning_content":"x"}"#, "null", ""),
        chunk(r#"{"tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"{}"}}]}"#, "null", ""),
        ("error".to_owned(), said(r#""x""#).1),
        (String::new(), "[DONE]".to_owned()),
        (String::new(), format!("{}}}", said(r#""x""#).1)),
    ];
    for record in odd {
        for before in [words(), [(); 3].map(|()| said(r#""one""#))] {
            let records: Vec<_> = before.into_iter().chain([record.clone()]).chain(words()).collect();
            is_as_read(Wire::Chat, &records);
        }
    }
}

/// The form is that of the text: another field with the same word in it, written otherwise, is none.
#[test]
fn a_word_that_stands_elsewhere_makes_no_form() {
    let record = |model: &str, content: &str| {
        let data = format!(r#"{{"model":"{model}","choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]}}"#);
        (String::new(), data)
    };
    is_as_read(Wire::Chat, &[record("A", r"\u0041"), record("B", r"\u0041"), record("C", r"\u0041")]);
    is_as_read(Wire::Chat, &[record("A", "A"), record("B", "B"), record("C", "d"), record("D", "d")]);
    is_as_read(Wire::Chat, &[record("A", r"\u0041"), record("B", r"\u0042"), record("C", r"\u0042")]);
}

/// A block that ends and another one that begins stand between words that look alike.
#[test]
fn blocks_of_anthropics_are_told_apart() {
    let event = |name: &str, data: &str| (name.to_owned(), data.to_owned());
    let delta = |index: u32, kind: &str, text: &str| {
        let field = kind.split('_').next().unwrap_or_default();
        let data = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{field}":"{text}"}}}}"#
        );
        event("content_block_delta", &data)
    };
    let mut records =
        vec![event("message_start", r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{}}}"#)];
    for kind in ["thinking_delta", "text_delta"] {
        records.extend(["a", "b", "c", "d"].map(|text| delta(0, kind, text)));
        records.push(event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#));
        records.push(delta(0, kind, "late"));
    }
    records.push(event("error", &delta(0, "text_delta", "e").1));
    records.push(delta(0, "text_delta", "f"));
    is_as_read(Wire::Messages, &records);
}

/// What ends a part of Responses says all of it again: it is told where nothing of it was, and once.
#[test]
fn what_is_told_at_its_end_is_told_once() {
    let record = |kind: &str, field: &str| {
        let data = format!(r#"{{"type":"response.output_text.{kind}","output_index":0,"{field}":"all of it"}}"#);
        (String::new(), data)
    };
    let (delta, done) = (record("delta", "delta"), record("done", "text"));
    is_as_read(Wire::Responses, &[done.clone(), done.clone(), done.clone()]);
    is_as_read(Wire::Responses, &[delta.clone(), delta.clone(), delta.clone(), done.clone(), done, delta]);
}

#[test]
fn recorded_streams_are_told_as_they_are_read() {
    for (case, bytes) in recorded::files("response.sse") {
        let Some(wire) = crate::dialect::wire_of(&case) else { continue };
        let mut records = Vec::new();
        let mut parser = sse::Parser::default();
        let mut keep = |item: sse::Item<'_>| {
            if let sse::Item::Event(event) = item {
                records.push((event.name.to_owned(), event.data.to_owned()));
            }
        };
        parser.push(&bytes, &mut keep).expect("its events are short");
        parser.finish(&mut keep);
        is_as_read(wire, &records);
    }
}

fn record() -> impl Strategy<Value = (String, String)> {
    let text = prop_oneof![
        6 => "[a-c ]{0,3}".prop_map(|text| format!("\"{text}\"")),
        1 => Just(r#""\n""#.to_owned()),
        1 => Just("\"\u{1}\"".to_owned()),
        1 => Just("null".to_owned()),
    ];
    let field = prop_oneof![8 => Just("content"), 2 => Just("reasoning_content"), 1 => Just("refusal")];
    let finish = prop_oneof![12 => Just("null"), 1 => Just("\"\""), 1 => Just("\"stop\"")];
    let behind = prop_oneof![
        8 => Just(String::new()),
        4 => "[a-zA-Z0-9]{0,4}".prop_map(|noise| format!(r#","obfuscation":"{noise}""#)),
        1 => Just(r#","service_tier":"flex""#.to_owned()),
        1 => Just(r#","error":{"message":"no"}"#.to_owned()),
    ];
    (field, text, finish, behind)
        .prop_map(|(field, text, finish, behind)| chunk(&format!(r#"{{"{field}":{text}}}"#), finish, &behind))
}

proptest! {
    #[test]
    fn whatever_comes_is_told_as_it_is_read(records in prop::collection::vec(record(), 1..40)) {
        is_as_read(Wire::Chat, &records);
        is_as_read(Wire::Completions, &records);
    }
}
