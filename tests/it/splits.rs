//! Every byte of every recorded stream is a place where the network may cut it.
//!
//! A cut falls into one block (an event, a frame, a comment). Read before it and after it, the block must give what it gives
//! when it comes whole, and must leave the reader as it would have been: then what follows reads alike, and one short step
//! for each byte stands for reading the whole stream once for each.

use understudy::domain::eventstream::Frames;
use understudy::domain::sse::{Item, Parser};

use crate::families::framed;
use crate::recorded;

/// Everything that was handed over: what it says, and its bytes.
#[derive(Default, PartialEq)]
struct Said {
    events: String,
    raw: Vec<u8>,
}

/// A reader that can be asked how it stands.
trait Reads: Clone + Default + PartialEq {
    /// Reads on.
    fn read(&mut self, bytes: &[u8], said: &mut Said);
}

impl Reads for Parser {
    fn read(&mut self, bytes: &[u8], said: &mut Said) {
        let on = |item: Item<'_>| match item {
            Item::Event(event) => {
                for text in [event.name, "\0", event.data, "\0"] {
                    said.events.push_str(text);
                }
                said.raw.extend_from_slice(event.raw);
            }
            Item::Quiet(raw) => said.raw.extend_from_slice(raw),
        };
        self.push(bytes, on).expect("no event is too long");
    }
}

impl Reads for Frames {
    fn read(&mut self, bytes: &[u8], said: &mut Said) {
        self.push(bytes);
        while let Some(frame) = self.take().expect("the frames are sound") {
            said.events.push_str(&format!("{frame:?}"));
        }
        // What was taken leaves the buffer with the next push.
        self.push(&[]);
    }
}

/// Cuts every block at every byte; `ends` are where blocks end. Returns how many cuts were made.
#[track_caller]
fn cut<R: Reads>(name: &str, stream: &[u8], ends: &[usize]) -> usize {
    assert_eq!(ends.last(), Some(&stream.len()), "{name}: the blocks are the stream");
    let (mut reader, mut start, mut cuts) = (R::default(), 0, 0);
    for end in ends {
        let block = &stream[start..*end];
        let (mut whole, mut said) = (reader.clone(), Said::default());
        whole.read(block, &mut said);
        for at in 1..block.len() {
            let (mut split, mut both) = (reader.clone(), Said::default());
            split.read(&block[..at], &mut both);
            split.read(&block[at..], &mut both);
            assert!(both == said && split == whole, "{name} cut at {}", start + at);
            cuts += 1;
        }
        (reader, start) = (whole, *end);
    }
    cuts
}

/// Where the blocks of a stream of events end: every byte is the `raw` of one.
fn ends_of_events(stream: &[u8]) -> Vec<usize> {
    let (mut parser, mut ends, mut end) = (Parser::default(), Vec::new(), 0);
    let mut on = |item: Item<'_>| {
        end += match item {
            Item::Event(event) => event.raw.len(),
            Item::Quiet(raw) => raw.len(),
        };
        ends.push(end);
    };
    parser.push(stream, &mut on).expect("no event is too long");
    if end < stream.len() {
        ends.push(stream.len());
    }
    ends
}

/// Where frames end: each begins with its length.
fn ends_of_frames(stream: &[u8]) -> Vec<usize> {
    let (mut ends, mut end) = (Vec::new(), 0);
    while let Some(length) = stream.get(end..end + 4) {
        end += u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        ends.push(end);
    }
    ends
}

#[test]
fn every_cut_of_every_recorded_stream_of_events_reads_alike() {
    let files = recorded::files("response.sse");
    let cuts: usize = files.iter().map(|(name, stream)| cut::<Parser>(name, stream, &ends_of_events(stream))).sum();
    assert!(files.is_empty() || cuts > 1_000_000, "{cuts} cuts");
    // The same with the line ends that other servers write.
    for (name, stream) in files.iter().filter(|(_, stream)| stream.len() < 4_000) {
        let text = String::from_utf8_lossy(stream);
        for line_end in ["\r\n", "\r"] {
            let stream = text.replace('\n', line_end).into_bytes();
            let mut ends = ends_of_events(&stream);
            // A CR that ends what was read may be half of a line end: there is no cut between blocks to compare with.
            ends.retain(|end| line_end != "\r" || *end == stream.len());
            cut::<Parser>(name, &stream, &ends);
        }
    }
}

#[test]
fn every_cut_of_every_recorded_stream_of_frames_reads_alike() {
    for (name, stream) in recorded::files("response.bin") {
        if !name.contains("invalid") {
            cut::<Frames>(&name, &stream, &ends_of_frames(&stream));
        }
    }
    // Anthropic's recorded streams, as InvokeModel frames them.
    for (name, stream) in recorded::files("response.sse") {
        if name.starts_with("anthropic/") && stream.len() < 20_000 && !name.contains("openai") {
            let stream = framed(&String::from_utf8_lossy(&stream)).concat();
            cut::<Frames>(&name, &stream, &ends_of_frames(&stream));
        }
    }
}
