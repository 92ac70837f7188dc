//! The parsers under fuzzing (tests/fuzz), run over the kept corpus, over random mutations of it, and over a megabyte of trouble.

// How a parser's time grows with its input is what is tested here: a clock of the host, never one of the domain.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use understudy::domain::catalogue::{self, Facts};
use understudy::domain::dialect::decoder::{Malformed, Voice};
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::{self, CallKind, Destination, Event, Finish, Wire};
use understudy::domain::policy::{self, Translate};
use understudy::domain::route::Family;
use understudy::domain::rules::Rules;
use understudy::domain::{key, provider};

#[path = "../fuzz/parsers/mod.rs"]
mod parsers;

use parsers::{PARSERS, Parser};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

/// The kept inputs of a parser, by file name.
fn inputs(parser: &Parser) -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(corpus().join(parser.name));
    let files = folder.unwrap_or_else(|error| panic!("no corpus of {} ({}): {error}", parser.name, parser.what));
    let mut inputs: Vec<(String, Vec<u8>)> = files
        .map(|file| file.expect("a file").path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("an input")))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "the corpus of {} is empty", parser.name);
    inputs
}

fn parser(name: &str) -> &'static Parser {
    PARSERS.iter().find(|parser| parser.name == name).expect("a parser")
}

#[test]
fn every_kept_input_is_read_or_refused() {
    let folders = std::fs::read_dir(corpus()).expect("the corpus").count();
    assert_eq!(folders, PARSERS.len(), "a folder for each parser, and no other");
    for parser in &PARSERS {
        for (name, input) in inputs(parser) {
            let read = std::panic::catch_unwind(|| (parser.read)(&input));
            assert!(read.is_ok(), "{} breaks on {name}", parser.name);
        }
    }
}

/// What lies behind the reading of a document is fuzzed only where a kept input gets there.
#[test]
fn the_full_document_of_each_kind_is_read() {
    let full = |name: &str| std::fs::read(corpus().join(name).join("full")).expect("an input");
    let any = |_: &str| true;
    let refused = [
        ("policy", policy::file::parse("x", &full("policy")).err().map(|bad| bad.to_string())),
        ("rules", Rules::parse(&full("rules"), "openai", &any).err().map(|bad| bad.to_string())),
        ("provider", provider::document::parse("x", &full("provider"), None).err().map(|bad| bad.to_string())),
        ("key", key::parse("0123", &full("key")).err().map(|bad| bad.to_string())),
        ("models", catalogue::document::parse(&full("models")).err().map(|bad| bad.to_string())),
    ];
    for (name, why) in refused {
        assert_eq!(why, None, "{name}");
    }
}

/// One change to an input; places are parts of 65536 of its length.
#[derive(Clone, Debug)]
enum Edit {
    Set(u16, u8),
    Insert(u16, &'static [u8]),
    Remove(u16, u8),
    Repeat(u16, u8, u8),
    Truncate(u16),
}

/// What parsers stumble over.
const WORDS: [&[u8]; 24] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\",
    b",",
    b":",
    b"null",
    b"\n\n",
    b"\r",
    b"\0",
    b"\x7f",
    b"\xc3",
    "\u{9b}é".as_bytes(),
    b"1e999",
    b"-1",
    b"18446744073709551615",
    b"\\ud800",
    b"*",
    b"data: ",
    b"--b",
    b"@",
    b"%ff",
];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        3 => (any::<u16>(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Edit::Insert(at, word)),
        2 => (any::<u16>(), any::<u8>()).prop_map(|(at, length)| Edit::Remove(at, length)),
        2 => (any::<u16>(), any::<u8>(), 1..8_u8).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        1 => any::<u16>().prop_map(Edit::Truncate),
    ]
}

fn edited(input: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for edit in edits {
        let place = |at: u16| usize::from(at) * bytes.len() / 65_536;
        let span = |at: u16, length: u8| place(at)..(place(at) + usize::from(length)).min(bytes.len());
        match edit {
            Edit::Set(at, byte) => {
                let at = place(*at);
                bytes.splice(at..(at + 1).min(bytes.len()), [*byte]);
            }
            Edit::Insert(at, word) => {
                let at = place(*at);
                bytes.splice(at..at, word.iter().copied());
            }
            Edit::Remove(at, length) => drop(bytes.drain(span(*at, *length))),
            Edit::Repeat(at, length, times) => {
                let span = span(*at, *length);
                let again = bytes[span.clone()].repeat(usize::from(*times));
                bytes.splice(span.end..span.end, again);
            }
            Edit::Truncate(at) => bytes.truncate(place(*at)),
        }
    }
    bytes
}

#[test]
fn every_mutation_of_a_kept_input_is_read_or_refused() {
    for parser in &PARSERS {
        let inputs = inputs(parser);
        let mutated = (any::<prop::sample::Index>(), prop::collection::vec(edit(), 1..6));
        // The same mutations each time: to look for others is the fuzzer's work (`npm run fuzz`).
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let held = runner.run(&mutated, |(which, edits)| {
            let (_, input) = which.get(&inputs);
            (parser.read)(&edited(input, &edits));
            Ok(())
        });
        assert!(held.is_ok(), "{}: {held:?}", parser.name);
    }
}

/// No parser takes more than this for a megabyte, unoptimised and on a busy machine; one step per pair of bytes would take hours.
const PATIENCE: Duration = Duration::from_secs(20);

#[track_caller]
fn soon(name: &str, what: &str, input: &[u8]) {
    let began = Instant::now();
    (parser(name).read)(input);
    let took = began.elapsed();
    assert!(took < PATIENCE, "{name}: {what}: {} bytes took {took:?}", input.len());
}

const MEGABYTE: usize = 1 << 20;

/// A text over and over, a megabyte of it.
fn much(text: &str) -> String {
    text.repeat(MEGABYTE / text.len())
}

/// A list of a megabyte of such entries.
fn many(entry: &str) -> String {
    entries(entry, MEGABYTE)
}

#[test]
fn a_megabyte_of_json_is_read_soon() {
    let deep = format!("\n\n{{\"model\":\"a\",\"x\":{}", much("["));
    let keys = format!("\n\n{{\"model\":\"a\",{}}}", many("\"k#\":0"));
    let escapes = format!("\n\n{{\"model\":\"a\",\"x\":\"{}\"}}", much("\\ud83d\\ude00\\n"));
    let metadata = format!("\n\n{{\"model\":\"a\",\"metadata\":{{{}}}}}", many("\"k#\":\"v\""));
    let header = format!("x-understudy: {}\n\n{{\"model\":\"a\"}}", much("{\"metadata\":"));
    for (what, input) in
        [("depth", deep), ("keys", keys), ("escapes", escapes), ("metadata", metadata), ("a header", header)]
    {
        soon("body", what, input.as_bytes());
    }
    let form = |part: &str| format!("multipart/form-data; boundary=b\n\n--b\r\n{part}");
    soon("form", "boundaries", form(&much("\r\n--b\r\n\r\n")).as_bytes());
    soon("form", "almost boundaries", form(&much("\r\n--")).as_bytes());
    soon("form", "headers", form(&much("a: b\r\n")).as_bytes());
    soon("form", "parameters", form(&format!("Content-Disposition: {}\r\n\r\n", much("; name=\"a"))).as_bytes());
}

/// Sixteen times the input takes some sixteen times as long; were every entry held against every other, it would be 256 times.
#[track_caller]
fn grows_with_its_input(what: &str, make: &dyn Fn(usize) -> String, read: &dyn Fn(&[u8])) {
    let time = |bytes: usize, times: u32| {
        let input = make(bytes);
        let once = || {
            let began = Instant::now();
            read(input.as_bytes());
            began.elapsed()
        };
        (0..times).map(|_| once()).min().unwrap_or_default()
    };
    let (small, large) = (time(MEGABYTE / 16, 3), time(MEGABYTE, 2));
    assert!(
        large < small * 64 + Duration::from_millis(50),
        "{what}: {small:?} for a sixteenth, {large:?} for the whole"
    );
}

/// So many bytes of such entries in a list, each numbered in place of `#`.
fn entries(entry: &str, bytes: usize) -> String {
    let entries: Vec<String> = (0..bytes / entry.len()).map(|n| entry.replace('#', &n.to_string())).collect();
    entries.join(",")
}

#[test]
fn a_conversation_is_translated_in_the_time_that_its_length_takes() {
    let sent = |family: Family, wire: Wire, model: &'static str| {
        move |body: &[u8]| {
            let to = Destination::of(wire, "acme", model);
            let sent = dialect::translate_request(family, body, &to, &Facts::default(), Translate::Lenient);
            assert!(sent.is_ok(), "{sent:?}");
        }
    };
    let messages = sent(Family::Chat, Wire::Messages, "claude-sonnet-4-5");
    let converse = sent(Family::Chat, Wire::Converse, "amazon.nova-pro-v1:0");
    let call = r##"{"id":"c#","type":"function","function":{"name":"f.#","arguments":"{}"}}"##;
    let result = r##"{"role":"tool","tool_call_id":"c#","content":"1"}"##;
    let one_turn = |bytes: usize| {
        let (calls, results) = (entries(call, bytes / 2), entries(result, bytes / 2));
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{{"role":"assistant","tool_calls":[{calls}]}},{results}]}}"#
        )
    };
    let turns = |bytes: usize| {
        let turn = format!(r#"{{"role":"assistant","tool_calls":[{call}]}},{result}"#);
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{}]}}"#, entries(&turn, bytes))
    };
    let orphans = |bytes: usize| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{}]}}"#, entries(result, bytes))
    };
    let tools = |bytes: usize| {
        let tool = r##"{"type":"function","function":{"name":"f.#","parameters":{"type":"object"}}}"##;
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}}],"tools":[{}]}}"#, entries(tool, bytes))
    };
    grows_with_its_input("calls of one turn", &one_turn, &messages);
    grows_with_its_input("calls of one turn, to Converse", &one_turn, &converse);
    grows_with_its_input("calls and results in turn", &turns, &messages);
    grows_with_its_input("orphans", &orphans, &messages);
    grows_with_its_input("tools", &tools, &messages);
    let items = |bytes: usize| {
        let item = r##"{"type":"function_call","call_id":"c#","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c#","output":"1"}"##;
        format!(r#"{{"model":"m","input":[{}]}}"#, entries(item, bytes))
    };
    grows_with_its_input("items", &items, &sent(Family::Responses, Wire::Chat, "m"));
    let blocks = |bytes: usize| {
        let block = r##"{"type":"tool_use","id":"c#","name":"f#","input":{}}"##;
        let blocks = entries(block, bytes);
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":[{blocks}]}}]}}"#
        )
    };
    grows_with_its_input("blocks", &blocks, &sent(Family::Messages, Wire::Chat, "m"));
}

#[test]
fn an_answer_has_a_bound_of_tool_calls() {
    let call = r##"{"id":"c#","function":{"name":"f","arguments":"{}"}}"##;
    let answer = |calls: usize| {
        let calls = entries(call, calls * call.len());
        format!(r#"{{"choices":[{{"message":{{"tool_calls":[{calls}]}},"finish_reason":"stop"}}]}}"#)
    };
    assert!(dialect::read_answer(Wire::Chat, answer(1_000).as_bytes()).is_ok());
    let refused = dialect::read_answer(Wire::Chat, answer(1_001).as_bytes());
    assert_eq!(refused, Err(Malformed("more than 1000 tool calls in one answer".to_owned())));
    soon("answers", "calls", answer(14_000).as_bytes());
}

#[test]
fn calls_under_one_id_get_others_in_the_time_that_they_take() {
    let call = |index: usize| {
        let start = Event::ToolStart { index, id: "c".into(), name: "f".into(), kind: CallKind::Function };
        [start, Event::ToolArguments { index, json: "{}".into() }, Event::ToolEnd { index }]
    };
    let mut events: Vec<Event> = (0..20_000).flat_map(call).collect();
    events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
    let reply = Reply { ids: ["c".to_owned()].into(), ..Reply::default() };
    let began = Instant::now();
    let written = dialect::write_answer(Family::Messages, events, &Voice::default(), reply).expect("no error");
    let took = began.elapsed();
    assert!(String::from_utf8_lossy(&written).contains("\"c_20001\""));
    assert!(took < PATIENCE, "{took:?}");
}

#[test]
fn a_megabyte_of_stream_is_relayed_soon() {
    let cut = "\u{0}\u{0}\u{0}";
    soon("sse", "one event, byte by byte", format!("{cut}data: {}", much("x")).as_bytes());
    soon("sse", "lines", format!("{cut}{}", much("data:a\n")).as_bytes());
    soon("sse", "carriage returns", format!("{cut}{}", much("\r")).as_bytes());
    soon("sse", "comments", format!("{cut}{}", much(":\n")).as_bytes());
    let mut frame = vec![0, 0, 0, 0];
    frame.resize(MEGABYTE, b'x');
    soon("frames", "one frame, byte by byte", &frame);
    let delta = "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":#,\"id\":\"c#\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}}]}\n\n";
    let calls: String = (0..6_000).map(|n| delta.replace('#', &n.to_string())).collect();
    soon("relay", "calls", format!("\u{1f}\u{ff}\u{0}{calls}").as_bytes());
    soon("relay", "junk", format!("\u{1f}\u{ff}\u{0}{}", much("data: {\n\n")).as_bytes());
}

#[test]
fn a_megabyte_of_documents_is_checked_soon() {
    let rules = many(r#""r#":{"when":{"model":"*a*a*a*a*a*a*a*b"},"then":{"retries":0}}"#);
    let names = many("\"r#\"");
    let short = &names[..names.len() / 8];
    let names = &short[..short.rfind(',').expect("a comma")];
    soon(
        "rules",
        "rules",
        format!(r#"{{"rules":{{{rules}}},"rulesets":[{{"name":"s","rules":[{names}]}}]}}"#).as_bytes(),
    );
    soon("rules", "conditions", format!(r#"{{"rules":{{"r":{{"when":{}"#, much(r#"{"not":"#)).as_bytes());
    soon("models", "models", format!("{{{}}}", many(r#""a/m#":{"context_tokens":1}"#)).as_bytes());
    soon("policy", "hops", format!(r#"{{"chain":[{}]}}"#, &many("\"a/#\"")[..100_000]).as_bytes());
    soon("policy", "an arrow chain", format!(r#"{{"chain":"{}"}}"#, &much("a/b -> ")[..120_000]).as_bytes());
    soon("policy", "unknown fields", format!("{{{}\"chain\":[]}}", &many("\"chaim#\":1")[..120_000]).as_bytes());
    soon("key", "globs", format!(r#"{{"name":"a","allow":["{}b"]}}"#, &much("*a")[..120_000]).as_bytes());
    soon("provider", "an address", format!(r#"{{"base_url":"https://{}"}}"#, &much("1.")[..120_000]).as_bytes());
}

#[test]
fn a_megabyte_of_text_is_read_soon() {
    soon("model", "a model", much("a/").as_bytes());
    soon("model", "almost keys", much("ask-").as_bytes());
    soon("model", "keys", much("sk-aaaaaaaa ").as_bytes());
    soon("outcome", "pairs", much("*=ok,").as_bytes());
    soon("outcome", "numbers", much("9").as_bytes());
    soon("query", "parameters", format!("/admin/requests?{}", much("user=%41&")).as_bytes());
    soon("query", "segments", much("/a").as_bytes());
    soon(
        "errors",
        "a message",
        format!("status: 429\n\n{{\"error\":{{\"message\":\"{}\"}}}}", much("try again in ask-")).as_bytes(),
    );
}
