//! Every parser that reads what someone else wrote, as one function of bytes each, with what must hold of what it reads.
//!
//! The fuzzer (`npm run fuzz`) and the host tests (`tests/it/fuzz.rs`) run the same functions: the one guided by coverage for as
//! long as one likes, the others over the kept corpus and random mutations of it. A property that does not hold panics.

mod answers;
mod bodies;
mod documents;
mod streams;
mod texts;

/// One parser under test.
pub struct Parser {
    pub name: &'static str,
    /// What its input is.
    pub what: &'static str,
    /// Reads an input, and panics where something does not hold.
    pub read: fn(&[u8]),
}

const fn parser(name: &'static str, what: &'static str, read: fn(&[u8])) -> Parser {
    Parser { name, what, read }
}

pub static PARSERS: [Parser; 19] = [
    parser("policy", "a policy document; played through the simulator where it fits", documents::policy),
    parser("rules", "a rules document, asked of a few requests", documents::rules),
    parser("provider", "a provider document, and the URLs that it makes", documents::provider),
    parser("key", "a gateway key's document", documents::key),
    parser("models", "a models document", documents::models),
    parser("body", "headers, an empty line, a JSON body: the envelope and what the request asks", bodies::json),
    parser("form", "a content type, an empty line, a multipart body", bodies::form),
    parser("chat", "a chat request, translated for every wire", bodies::chat),
    parser("responses", "a responses request, translated for every wire", bodies::responses),
    parser("messages", "a messages request, translated and wrapped for every wire", bodies::messages),
    parser("answers", "a whole answer, read as every wire and written for every family", answers::whole),
    parser(
        "errors",
        "status, headers, an empty line, an error body: class, wait, what the client is told",
        answers::errors,
    ),
    parser("relay", "server-sent events, relayed from every wire to every family, at any split", streams::relay),
    parser("records", "the same events in event-stream frames, as Bedrock sends them", streams::framed),
    parser("sse", "server-sent events, at any split", streams::sse),
    parser("frames", "event-stream frames, at any split, with their checksums mended too", streams::frames),
    parser("model", "a model reference, a chain of hops, a key, a redacted text", texts::model),
    parser("outcome", "outcomes of drills and simulations", texts::outcome),
    parser("query", "an admin path and its query", texts::query),
];

/// Cuts an input in two at its first empty line.
fn head_and_rest(input: &[u8]) -> (&[u8], &[u8]) {
    match input.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (b"", input),
    }
}

/// `name: value` lines as headers, as far as the platform would let them through.
fn headers(head: &[u8]) -> Vec<(String, String)> {
    let head = String::from_utf8_lossy(head);
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    let pairs = pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    let is_token = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    pairs.filter(|(name, value)| is_token(name) && !value.chars().any(char::is_control)).collect()
}

/// What an output may be long at most: so many times its input, beside a fixed part.
#[track_caller]
fn bounded(what: &str, output: usize, input: usize, times: usize) {
    assert!(output <= input * times + 8_192, "{what}: {output} bytes made of {input}");
}
