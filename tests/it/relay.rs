//! Streams held and relayed: when they commit, what fails them, and how they end for the client.

mod after;
mod before;
mod recordings;
mod told;
mod unclosed;

use understudy::domain::dialect::Wire;
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::said::Expected;
use understudy::domain::outcome::Failure;
use understudy::domain::policy::{Commit, RelayMode, StreamRules};
use understudy::domain::relay::{Ending, Held, Intake, Setup, Tail};
use understudy::domain::route::Family;

pub fn setup(wire: Wire, family: Family) -> Setup {
    let rules = StreamRules { relay: RelayMode::Inspect, ..StreamRules::default() };
    let voice = Voice { request_id: "req1".to_owned(), model: "acme/m".to_owned(), ..Voice::default() };
    Setup {
        wire,
        family,
        rules,
        mode: RelayMode::Inspect,
        hide_usage: false,
        voice: Some(voice),
        keys: Vec::new(),
        expected: Expected::default(),
    }
}

pub fn committing(commit: Commit, setup: Setup) -> Setup {
    Setup { rules: StreamRules { commit, ..setup.rules }, ..setup }
}

pub fn piped(setup: Setup) -> Setup {
    Setup { mode: RelayMode::Pipe, ..setup }
}

/// How a stream went.
#[derive(Debug)]
pub struct Went {
    /// The chunk after which it was committed, or its failure. `usize::MAX`: at the end of the stream.
    pub committed: Result<usize, Failure>,
    /// All that the client saw.
    pub client: String,
    pub contents: u64,
    pub tail: Tail,
}

/// Plays a stream, as the edge does.
pub fn play<'a>(setup: Setup, chunks: impl IntoIterator<Item = &'a [u8]>, ending: Ending) -> Went {
    let pipes = setup.mode() == RelayMode::Pipe;
    let mut intake = Intake::new(setup);
    let mut chunks = chunks.into_iter().enumerate();
    let mut committed = intake.committed().then_some(0);
    let mut early = ending.clone();
    while committed.is_none() {
        let (at, held) = match (chunks.next(), &ending) {
            (Some((at, chunk)), _) => (at, intake.push(chunk)),
            (None, Ending::Clean) => (usize::MAX, intake.end()),
            (None, Ending::Broken(failure)) => (usize::MAX, Held::Failed(failure.clone())),
            (None, Ending::Clock(..) | Ending::ClientGone) => panic!("the edge deals with these before the commit"),
        };
        match held {
            Held::Hold => {}
            Held::Commit => {
                committed = Some(at);
                early = if at == usize::MAX { Ending::Clean } else { early };
            }
            Held::Failed(failure) => {
                let (client, contents) = (String::new(), intake.contents());
                return Went { committed: Err(failure), client, contents, tail: Tail::default() };
            }
        }
    }
    let (mut client, mut relay) = intake.commit();
    for (_, chunk) in chunks {
        if pipes {
            client.extend_from_slice(chunk);
        }
        relay.push(chunk, &mut client);
        if relay.failed() {
            break;
        }
    }
    let contents = relay.contents();
    let tail = relay.end(early);
    client.extend_from_slice(&tail.append);
    Went { committed: Ok(committed.unwrap_or_default()), client: String::from_utf8(client).unwrap(), contents, tail }
}

pub fn chunks<'a>(pieces: &'a [&'a str]) -> impl Iterator<Item = &'a [u8]> {
    pieces.iter().map(|piece| piece.as_bytes())
}

pub const ROLE: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
pub const HI: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
pub const STOP: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub const USAGE: &str = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}\n\n";
pub const DONE: &str = "data: [DONE]\n\n";
pub const COMMENT: &str = ": keep-alive\n\n";
pub const OVERLOADED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
