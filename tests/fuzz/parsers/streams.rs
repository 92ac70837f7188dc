//! Streams: whatever bytes come, at whatever split, the client gets the same, and a broken answer never looks finished.

use understudy::domain::dialect::decoder::Decode;
use understudy::domain::dialect::said::Expected;
use understudy::domain::dialect::{self, Wire};
use understudy::domain::eventstream::{self, BadFrame, Frame, Frames, Value};
use understudy::domain::outcome::{Class, Failure};
use understudy::domain::policy::{Commit, RelayMode, StreamRules};
use understudy::domain::relay::{Ending, Held, Intake, Setup, Tail};
use understudy::domain::route::Family;
use understudy::domain::sse::{self, Event, Item, Parser};

use super::answers::voice;
use super::bounded;

/// How a stream went for the client.
#[derive(Debug, PartialEq)]
enum Went {
    /// Nothing was sent: another target may be tried.
    Failed(Class),
    Sent {
        client: Vec<u8>,
        tail: Box<Tail>,
    },
}

/// Cuts bytes as the fuzzer says: `cuts` are the lengths of the pieces, over and over.
fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut cuts = cuts.iter().cycle();
    std::iter::from_fn(move || {
        let cut = (*cuts.next()?).clamp(1, rest.len().max(1));
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Plays a stream as the edge does.
fn play(setup: Setup, bytes: &[u8], cuts: &[usize], ending: Ending) -> Went {
    let pipes = setup.mode() == RelayMode::Pipe;
    let mut intake = Intake::new(setup);
    let mut pieces = pieces(bytes, cuts);
    let mut open = intake.committed();
    let mut at_end = false;
    while !open {
        let held = match pieces.next() {
            Some(piece) => intake.push(piece),
            None if ending == Ending::Clean => {
                at_end = true;
                intake.end()
            }
            None => return Went::Failed(Class::Interrupted),
        };
        match held {
            Held::Hold => {}
            Held::Commit => open = true,
            Held::Failed(failure) => return Went::Failed(failure.class),
        }
    }
    let (mut client, mut relay) = intake.commit();
    for piece in pieces {
        if pipes {
            client.extend_from_slice(piece);
        }
        relay.push(piece, &mut client);
        if relay.failed() {
            break;
        }
    }
    let tail = relay.end(if at_end { Ending::Clean } else { ending });
    client.extend_from_slice(&tail.append);
    Went::Sent { client, tail: Box::new(tail) }
}

const WIRES: [Wire; 5] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Completions, Wire::Opaque];
const FAMILIES: [Family; 3] = [Family::Chat, Family::Responses, Family::Messages];
const COMMITS: [Commit; 4] = [Commit::Headers, Commit::FirstEvent, Commit::FirstContent, Commit::Complete];

fn setup(wire: Wire, family: Family, commit: Commit, mode: RelayMode) -> Setup {
    let rules = StreamRules { commit, relay: mode, ..StreamRules::default() };
    Setup {
        wire,
        family,
        rules,
        mode,
        hide_usage: commit == Commit::FirstContent,
        voice: Some(voice()),
        keys: Vec::new(),
        expected: Expected::default(),
    }
}

/// What the first three bytes of an input say of the stream that follows: how it is cut, how it ends, how it is relayed.
struct Course<'a> {
    bytes: &'a [u8],
    cuts: [usize; 2],
    ending: Ending,
    commit: Commit,
    mode: RelayMode,
    wire: usize,
}

fn course(input: &[u8]) -> Course<'_> {
    let (head, bytes) = input.split_first_chunk::<3>().unwrap_or((&[0, 0, 0], input));
    let broken = || Ending::Broken(Failure::new(Class::Interrupted, "the connection broke"));
    Course {
        bytes,
        cuts: [usize::from(head[0] % 32) + 1, usize::from(head[1]) + 1],
        ending: if head[2] & 1 == 1 { broken() } else { Ending::Clean },
        commit: COMMITS[usize::from(head[2] >> 1 & 3)],
        mode: if head[2] & 8 == 8 { RelayMode::Pipe } else { RelayMode::Inspect },
        wire: usize::from(head[2] >> 4),
    }
}

pub fn relay(input: &[u8]) {
    let course = course(input);
    let wire = WIRES[course.wire % WIRES.len()];
    for family in FAMILIES {
        one(setup(wire, family, course.commit, course.mode), course.bytes, &course.cuts, &course.ending);
    }
    repeated(wire, &records(course.bytes));
}

/// A record that is like the one before is told as it would be read: as it is where no two are spaced alike.
fn repeated(wire: Wire, records: &[(String, String)]) {
    let (mut told, mut read) = (dialect::decoder(wire), dialect::decoder(wire));
    for (at, (name, data)) in records.iter().enumerate() {
        let apart = match data.strip_prefix('{') {
            Some(rest) => format!("{{{}{rest}", [" ", "  ", "   "][at % 3]),
            None => data.clone(),
        };
        let say = |decoder: &mut Box<dyn Decode>, data: &str| {
            let mut events = Vec::new();
            let record = Event { name, data, raw: data.as_bytes() };
            decoder.push(&record, &mut events).map_err(|_| ()).map(|()| events)
        };
        let (told, read) = (say(&mut told, data), say(&mut read, &apart));
        // The reason of an error may be the record itself.
        let fails = |said: &Result<Vec<dialect::Event>, ()>| {
            said.as_ref().is_ok_and(|events| events.iter().any(|event| matches!(event, dialect::Event::Error(_))))
        };
        assert!(told == read || (fails(&told) && fails(&read)), "{wire:?} {data}: {told:?}, read {read:?}");
    }
}

fn one(setup: Setup, bytes: &[u8], cuts: &[usize], ending: &Ending) {
    let told = format!("{:?} to {:?}, {:?}, {:?}", setup.wire, setup.family, setup.rules.commit, setup.mode);
    let whole = play(setup.clone(), bytes, &[usize::MAX], ending.clone());
    let cut = play(setup.clone(), bytes, cuts, ending.clone());
    check(&setup, &cut, bytes, &told);
    check(&setup, &whole, bytes, &told);
    if let (Went::Sent { client: one, tail: a }, Went::Sent { client: two, tail: b }) = (&whole, &cut) {
        assert_eq!(String::from_utf8_lossy(one), String::from_utf8_lossy(two), "{told}: a split shows");
        assert_eq!((&a.outcome, a.finished), (&b.outcome, b.finished), "{told}: a split decides");
    }
}

fn check(setup: &Setup, went: &Went, bytes: &[u8], told: &str) {
    let Went::Sent { client, tail } = went else { return };
    bounded(told, client.len(), bytes.len(), 96);
    assert!(
        tail.content_bytes <= bytes.len() as u64 * 3,
        "{told}: {} characters of {}",
        tail.content_bytes,
        bytes.len()
    );
    if !tail.finished && setup.wire != Wire::Opaque && setup.mode() != RelayMode::Pipe {
        let last = records(client).pop();
        assert!(!last.as_ref().is_some_and(ends), "{told}: a broken answer looks finished: {last:?}");
    }
}

/// A record that says that the answer is whole.
fn ends((name, data): &(String, String)) -> bool {
    data == "[DONE]" || name == "message_stop" || name == "response.completed"
}

fn records(stream: &[u8]) -> Vec<(String, String)> {
    let (mut parser, mut found) = (Parser::default(), Vec::new());
    let mut take = |item: Item<'_>| {
        if let Item::Event(event) = item {
            found.push((event.name.to_owned(), event.data.trim().to_owned()));
        }
    };
    if parser.push(stream, &mut take).is_ok() {
        parser.finish(&mut take);
    }
    found
}

/// The same input as frames: each server-sent event becomes one, `!name` an exception.
pub fn framed(input: &[u8]) {
    let course = course(input);
    let mut stream = Vec::new();
    for (name, data) in records(course.bytes) {
        let kind = if name.starts_with('!') { ":exception-type" } else { ":event-type" };
        let name = name.trim_start_matches('!').chars().take(200).collect();
        let headers = vec![(kind.to_owned(), Value::Text(name))];
        stream.extend(eventstream::encode(&Frame { headers, payload: data.into_bytes() }));
    }
    let wire = [Wire::Converse, Wire::Invoke][course.wire % 2];
    for family in FAMILIES {
        one(setup(wire, family, course.commit, RelayMode::Inspect), &stream, &course.cuts, &course.ending);
    }
}

/// Any split gives the same events, and every byte comes out again.
pub fn sse(input: &[u8]) {
    let Course { bytes, cuts, .. } = course(input);
    let read = |cuts: &[usize]| {
        let (mut events, mut raw) = (Vec::new(), Vec::new());
        let mut parser = Parser::default();
        let mut on = |item: Item<'_>| match item {
            Item::Event(event) => {
                events.push((event.name.to_owned(), event.data.to_owned()));
                raw.extend_from_slice(event.raw);
            }
            Item::Quiet(bytes) => raw.extend_from_slice(bytes),
        };
        for piece in pieces(bytes, cuts) {
            assert!(parser.push(piece, &mut on).is_ok());
        }
        parser.finish(&mut on);
        (events, raw)
    };
    let (events, raw) = read(&[usize::MAX]);
    assert_eq!(raw, bytes, "every byte comes out again");
    assert_eq!(read(&cuts), (events.clone(), raw), "a split shows");
    for (name, data) in
        events.iter().filter(|(name, data)| !name.contains(['\r', '\n']) && !data.contains(['\r', '\n']))
    {
        let mut out = Vec::new();
        sse::write(&mut out, name, data);
        let again = records(&out);
        assert_eq!(again.len(), 1, "what is written reads back: {name:?} {data:?}");
        assert_eq!(again[0].1, data.trim());
    }
}

pub fn frames(input: &[u8]) {
    let Course { bytes, cuts, .. } = course(input);
    for bytes in [bytes.to_vec(), mended(bytes)] {
        let whole = read_frames(&bytes, &[usize::MAX]);
        assert_eq!(read_frames(&bytes, &cuts), whole, "a split shows");
        for frame in &whole.0 {
            let again = eventstream::encode(frame);
            assert_eq!(read_frames(&again, &[usize::MAX]), (vec![frame.clone()], Ok(())), "what is written reads back");
        }
    }
}

fn read_frames(bytes: &[u8], cuts: &[usize]) -> (Vec<Frame>, Result<(), BadFrame>) {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    for piece in pieces(bytes, cuts) {
        frames.push(piece);
        while let Ok(Some(frame)) = frames.take() {
            found.push(frame);
        }
    }
    (found, frames.finish())
}

/// One frame of these bytes as headers and payload, with the lengths and checksums that it should have.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let headers = bytes.first().map_or(0, |n| usize::from(*n)).min(bytes.len().saturating_sub(1));
    let rest = bytes.get(1..).unwrap_or_default();
    let mut frame = Vec::new();
    frame.extend(((rest.len() + 16) as u32).to_be_bytes());
    frame.extend((headers as u32).to_be_bytes());
    frame.extend(crc(&frame).to_be_bytes());
    frame.extend_from_slice(rest);
    let sum = crc(&frame).to_be_bytes();
    frame.extend(sum);
    frame
}

/// CRC-32 (IEEE), bit by bit: small, and none of the code under test.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}
