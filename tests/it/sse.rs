//! The SSE parser: any split of a stream's bytes gives the same events and gives every byte back.

use proptest::prelude::*;
use understudy::domain::sse::{Item, Parser, write};

use crate::recorded;

type Events = Vec<(String, String)>;

fn read(chunks: &[&[u8]]) -> (Events, Vec<u8>) {
    let (mut events, mut raw) = (Vec::new(), Vec::new());
    let mut parser = Parser::default();
    let mut on = |item: Item<'_>| match item {
        Item::Event(event) => {
            events.push((event.name.to_owned(), event.data.to_owned()));
            raw.extend_from_slice(event.raw);
        }
        Item::Quiet(bytes) => raw.extend_from_slice(bytes),
    };
    for chunk in chunks {
        parser.push(chunk, &mut on).unwrap();
    }
    parser.finish(&mut on);
    (events, raw)
}

#[track_caller]
fn check(stream: &str, expected: &[(&str, &str)]) {
    let expected: Events = expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
    let bytes = stream.as_bytes();
    assert_eq!(read(&[bytes]), (expected.clone(), bytes.to_vec()), "whole: {stream:?}");
    for at in 0..=bytes.len() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(read(&[left, right]), (expected.clone(), bytes.to_vec()), "{stream:?} split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single), (expected, bytes.to_vec()), "{stream:?} byte by byte");
}

#[test]
fn shapes_of_events() {
    check("data: a\n\n", &[("", "a")]);
    check("data:a\n\ndata: b\n\n", &[("", "a"), ("", "b")]);
    check("data:  two spaces\n\n", &[("", " two spaces")]);
    check("event: ping\ndata: {}\n\n", &[("ping", "{}")]);
    check("data: a\nevent: late\n\n", &[("late", "a")]);
    check("data: a\ndata: b\ndata\ndata: c\n\n", &[("", "a\nb\n\nc")]);
    check("id: 1\nretry: 10\ndata: a\n\n", &[("", "a")]);
    check("data: first\n\n\n\ndata: second\n\n", &[("", "first"), ("", "second")]);
}

#[test]
fn line_ends_and_marks() {
    check("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]);
    check("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]);
    check("event: x\r\ndata: a\rdata: b\n\r\n", &[("x", "a\nb")]);
    check("\u{feff}data: a\n\n", &[("", "a")]);
    check("\u{feff}: hi\n\ndata: a\n\n", &[("", "a")]);
    check("\u{feff}event: e\ndata: a\n\n\u{feff}data: b\n\n", &[("e", "a")]);
}

#[test]
fn comments_are_quiet_and_the_end_may_lack_its_blank_line() {
    check(": keep-alive\n\n: OPENROUTER PROCESSING\n\ndata: a\n\n", &[("", "a")]);
    check(": alone\ndata: a\n: within\ndata: b\n\n", &[("", "a\nb")]);
    check("data: a\n\ndata: [DONE]", &[("", "a"), ("", "[DONE]")]);
    check("data: a\n\ndata: [DONE]\n", &[("", "a"), ("", "[DONE]")]);
    check("data:\n\ndata: \n\nid: 7\n\n", &[]);
    check("", &[]);
}

#[test]
fn text_cut_within_a_character() {
    check("data: grüße 🎭\n\n", &[("", "grüße 🎭")]);
}

#[test]
fn a_comment_line_does_not_wait_for_its_blank_line() {
    let mut quiet = Vec::new();
    let mut parser = Parser::default();
    parser.push(b": keep-alive\n", |item| quiet.push(format!("{item:?}"))).unwrap();
    assert_eq!(quiet.len(), 1);
    assert!(parser.pending().is_empty());
}

#[test]
fn an_endless_event_is_refused() {
    let mut parser = Parser::default();
    let chunk = vec![b'x'; 1 << 20];
    parser.push(b"data: ", |_| ()).unwrap();
    let refused = (0..20).any(|_| parser.push(&chunk, |_| ()).is_err());
    assert!(refused);
}

#[test]
fn nothing_is_kept_of_an_endless_event() {
    let mut parser = Parser::default();
    let chunk = vec![b'x'; 1 << 20];
    let taken = (0..40).filter(|_| parser.push(&chunk, |_| ()).is_ok()).count();
    assert_eq!(taken, 16, "a megabyte each, up to the bound");
    assert!(format!("{parser:?}").len() < 1_000, "what was refused is still held");
    assert!(parser.pending().is_empty());
}

#[test]
fn what_is_written_reads_back() {
    let mut out = Vec::new();
    write(&mut out, "error", "{\"a\":1}");
    write(&mut out, "", "[DONE]");
    assert_eq!(read(&[&out]).0, [("error".to_owned(), "{\"a\":1}".to_owned()), (String::new(), "[DONE]".to_owned())]);
}

#[test]
fn recorded_streams_at_every_split() {
    let streams = recorded::files("response.sse");
    for (case, bytes) in streams {
        let whole = read(&[&bytes]);
        assert_eq!(whole.1, bytes, "{case}");
        assert!(!whole.0.is_empty(), "{case}");
        let step = (bytes.len() / 200).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let (left, right) = bytes.split_at(at);
            assert_eq!(read(&[left, right]), whole, "{case} split at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_at_any_split(bytes in prop::collection::vec(prop::sample::select(&b"data:ev \r\n\n\xef\xbb\xbf\xf0"[..]), 0..80), cut in 0usize..80) {
        let at = cut.min(bytes.len());
        let whole = read(&[&bytes]);
        prop_assert_eq!(&whole.1, &bytes);
        prop_assert_eq!(read(&[&bytes[..at], &bytes[at..]]), whole);
    }
}
