//! Reads a stream record by record, and writes what the client is to see of it.

use super::data::{
    exception, is_end, keys, kind_of, only_counts, pass_masked, sequence_number, tells_failure, unwrapped,
};
use super::seen::Seen;
use super::{Setup, Way};
use crate::domain::answer;
use crate::domain::classify::classify_error_value;
use crate::domain::dialect::decoder::{Decode, Encode, Malformed};
use crate::domain::dialect::said::Said;
use crate::domain::dialect::{self, Event, Wire};
use crate::domain::error::stream_error;
use crate::domain::eventstream::{Frame, Frames};
use crate::domain::outcome::{Class, Failure};
use crate::domain::policy::Commit;
use crate::domain::redact::{redact, redact_json};
use crate::domain::route::Family;
use crate::domain::sse::{self, Item, Parser};
use memchr::arch::all::is_prefix;

/// Ends an event that lacks its blank line.
pub const BLANK: &[u8] = b"\n\n";

/// Whether the client sees anything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Holding(Commit),
    Open,
}

enum Framing {
    Sse(Parser),
    Frames(Frames),
}

/// A stream being read.
pub struct Reader {
    framing: Framing,
    pub sink: Sink,
    /// Under [`Way::Pipe`], the last event where the stream ended within it.
    left: Vec<u8>,
}

/// How far what comes is still read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    On,
    /// An error event was written: nothing may follow.
    Silent,
    /// No byte of it is to be judged any more: one could not be read, or they outran whoever reads.
    Blind,
}

/// What becomes of each record.
pub struct Sink {
    pub wire: Wire,
    /// The client's.
    pub family: Family,
    pub way: Way,
    hide_usage: bool,
    keys: Vec<String>,
    decoder: Box<dyn Decode>,
    /// The client's, for [`Way::Translate`].
    pub encoder: Option<Box<dyn Encode>>,
    pub gate: Gate,
    pub seen: Seen,
    /// Why it failed before the commit.
    pub failed: Option<Failure>,
    reading: Reading,
    /// The last event went on as it came, or a comment stood behind it.
    kept_raw: bool,
    /// What is read now may have been cut: a bad record is no more than that.
    cut: bool,
    events: Vec<Event>,
}

impl Reader {
    pub fn new(setup: Setup) -> Reader {
        let way = setup.way();
        let framing = match setup.wire.is_framed() {
            true => Framing::Frames(Frames::default()),
            false => Framing::Sse(Parser::default()),
        };
        let gate = match setup.rules.commit {
            Commit::Headers => Gate::Open,
            commit @ (Commit::FirstEvent | Commit::FirstContent | Commit::Complete) => Gate::Holding(commit),
        };
        let voice = setup.voice.unwrap_or_default();
        let reply = voice.reply.clone();
        let encoder = (way == Way::Translate).then(|| dialect::encoder(setup.family, voice, reply));
        let sink = Sink {
            wire: setup.wire,
            family: setup.family,
            way,
            hide_usage: setup.hide_usage,
            keys: setup.keys,
            decoder: dialect::decoder(setup.wire),
            encoder,
            gate,
            seen: Seen { said: Said::nothing(way == Way::Translate, setup.expected), ..Seen::default() },
            failed: None,
            reading: Reading::On,
            kept_raw: true,
            cut: false,
            events: Vec::new(),
        };
        Reader { framing, sink, left: Vec::new() }
    }

    /// Reads the next bytes; appends what the client is to see, but for [`Way::Pipe`].
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let Reader { framing, sink, .. } = self;
        if sink.reading == Reading::Blind {
            return;
        }
        match framing {
            Framing::Sse(parser) => {
                if let Err(error) = parser.push(chunk, |item| sink.item(item, out)) {
                    sink.bad_record(error.to_string());
                    // Piped bytes have reached the client, whatever became of them here.
                    if sink.way == Way::Pipe {
                        sink.lose_sight();
                    }
                }
            }
            Framing::Frames(frames) => {
                frames.push(chunk);
                loop {
                    match frames.take() {
                        Ok(Some(frame)) => sink.frame(&frame, out),
                        Ok(None) => return,
                        Err(error) => return sink.lost_framing(error.to_string(), out),
                    }
                }
            }
        }
    }

    /// The upstream closed the stream: reads what lacks its blank line, without which no client would read it. A record that was
    /// cut off is no bad record, and what came of one behind the end or an error is nothing.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Reader { framing, sink, left } = self;
        if let Framing::Sse(parser) = framing
            && !sink.is_blind()
            && !sink.seen.is_over()
        {
            sink.cut = true;
            let (before, records, holds) = (out.len(), sink.seen.records, sink.gate != Gate::Open);
            if sink.way == Way::Pipe {
                left.extend_from_slice(parser.pending());
            }
            parser.finish(|item| sink.item(item, out));
            match sink.way {
                Way::Inspect if out.len() > before => out.extend_from_slice(BLANK),
                // What is held yet need not go.
                Way::Pipe if holds && records == sink.seen.records => {
                    out.truncate(before.saturating_sub(left.drain(..).len()))
                }
                Way::Pipe | Way::Inspect | Way::Reframe | Way::Translate => {}
            }
        }
        if sink.seen.finish.is_some() && !sink.seen.ended {
            let mut events = Vec::new();
            sink.decoder.end(&mut events);
            sink.withholds_end(&mut events);
            events.into_iter().for_each(|event| sink.event(event, out));
        }
    }

    /// What was passed on of an event that is not whole: what is written next would become part of it. Nothing behind the end
    /// or an error, where nothing is written next.
    pub fn unclosed(&self) -> &[u8] {
        let goes_on = self.sink.way == Way::Pipe && self.left.is_empty() && !self.sink.seen.is_over();
        match &self.framing {
            Framing::Sse(parser) if goes_on => parser.pending(),
            Framing::Sse(_) | Framing::Frames(_) => &self.left,
        }
    }
}

impl Sink {
    fn item(&mut self, item: Item<'_>, out: &mut Vec<u8>) {
        match item {
            Item::Event(record) => {
                let before = out.len();
                self.record(&record, out);
                self.kept_raw = is_prefix(&out[before..], record.raw);
            }
            Item::Quiet(raw) => {
                // An LF may be of a CRLF that was cut in two, behind an event that went on in other words or not at all.
                self.kept_raw |= raw != b"\n";
                match self.way {
                    // The half of an event says nothing.
                    Way::Inspect if self.kept_raw && !self.is_silent() && !self.cut => out.extend_from_slice(raw),
                    Way::Translate if self.gate == Gate::Open && raw.starts_with(b":") => self.write(&Event::Ping, out),
                    Way::Pipe | Way::Inspect | Way::Reframe | Way::Translate => {}
                }
            }
        }
    }

    /// An error event was written.
    pub fn is_silent(&self) -> bool {
        self.reading == Reading::Silent
    }

    /// What comes is judged no more.
    pub fn is_blind(&self) -> bool {
        self.reading == Reading::Blind
    }

    /// From here on it is not judged. After an error event nothing is, in any case.
    pub fn lose_sight(&mut self) {
        if self.reading == Reading::On {
            self.reading = Reading::Blind;
        }
    }

    /// One frame of an event stream: an event, an exception, or a lower error.
    fn frame(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        let payload = String::from_utf8_lossy(&frame.payload);
        let exception = frame.text(":exception-type").or(frame.text(":error-code"));
        if let Some(name) = exception {
            return self.exception(frame, name, &payload, out);
        }
        // An event without a payload says nothing, as one of a type unknown.
        if payload.trim_ascii().is_empty() {
            return;
        }
        let name = frame.text(":event-type").unwrap_or_default();
        match if self.wire == Wire::Invoke { unwrapped(&payload) } else { Ok(None) } {
            Ok(inner) => {
                self.record(&sse::Event { name, data: inner.as_deref().unwrap_or(&payload), raw: &[] }, out);
            }
            Err(Malformed(what)) => self.bad_record(what),
        }
    }

    /// An exception frame. Where frames are only put into other frames, no encoder says it in the client's words.
    fn exception(&mut self, frame: &Frame, name: &str, payload: &str, out: &mut Vec<u8>) {
        self.seen.records += 1;
        self.broke(classify_error_value(&exception(frame, name, payload), Some(200)), out);
    }

    /// The stream broke by itself, and not by an event of the family's own.
    fn broke(&mut self, failure: Failure, out: &mut Vec<u8>) {
        if self.way == Way::Reframe && self.gate == Gate::Open && !self.is_silent() && !self.seen.ended {
            self.break_off(&failure, out);
        }
        self.event(Event::Error(failure), out);
    }

    /// Says that it broke where no encoder does: nothing follows.
    fn break_off(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if matches!(self.way, Way::Inspect | Way::Reframe) && !self.is_silent() {
            let said = redact(&failure.reason, &keys(&self.keys));
            stream_error(self.family, failure.class, "stream_error", &said, self.seen.sequence, out);
            self.reading = Reading::Silent;
        }
    }

    fn record(&mut self, record: &sse::Event<'_>, out: &mut Vec<u8>) {
        if self.failed.is_some() || self.is_silent() {
            return;
        }
        let mut events = std::mem::take(&mut self.events);
        match self.decoder.push(record, &mut events) {
            Ok(()) => {
                self.seen.records += 1;
                match self.withholds_end(&mut events) {
                    true => self.break_off(&answer::empty(), out),
                    false => self.pass(record, &events, out),
                }
                events.drain(..).for_each(|event| self.event(event, out));
                if self.gate == Gate::Holding(Commit::FirstEvent) && self.failed.is_none() {
                    self.gate = Gate::Open;
                }
            }
            Err(Malformed(what)) => {
                events.clear();
                self.bad_record(what);
            }
        }
        self.events = events;
    }

    /// An answer that ends after the commit and has said nothing is broken, as it is before: its end becomes a failure, and
    /// does not reach the client but where its bytes are piped.
    fn withholds_end(&self, events: &mut [Event]) -> bool {
        if self.gate != Gate::Open || self.wire == Wire::Opaque || !events.contains(&Event::End) {
            return false;
        }
        let mut seen = self.seen.clone();
        events.iter().for_each(|event| seen.note(event));
        let empty = seen.is_empty() && seen.error.is_none();
        for end in events.iter_mut().filter(|event| empty && **event == Event::End) {
            *end = Event::Error(answer::empty());
        }
        empty
    }

    /// Writes the record itself, where records go to the client as they are.
    fn pass(&mut self, record: &sse::Event<'_>, events: &[Event], out: &mut Vec<u8>) {
        if self.family == Family::Responses
            && let Some(number) = sequence_number(record.data)
        {
            self.seen.sequence = number.saturating_add(1);
        }
        // Behind an end that has gone to the client nothing is told.
        self.seen.untold = self.seen.untold && !is_end(record);
        let hidden = self.hide_usage && only_counts(events);
        let failure =
            events.iter().find_map(|event| if let Event::Error(failure) = event { Some(failure) } else { None });
        match (self.way, failure) {
            (Way::Inspect, Some(_)) => pass_masked(record, &keys(&self.keys), out),
            (Way::Inspect, None) if !hidden => out.extend_from_slice(record.raw),
            (Way::Reframe, Some(_)) => {
                sse::write(out, &kind_of(record.data), &redact_json(record.data, &keys(&self.keys)))
            }
            (Way::Reframe, None) => sse::write(out, &kind_of(record.data), record.data),
            (Way::Pipe | Way::Inspect | Way::Translate, _) => {}
        }
        let Some(failure) = failure.filter(|_| self.gate == Gate::Open && !self.seen.ended) else { return };
        // Clients know their own family's errors: where this is told in other words, they are told it once more.
        let untold = self.way != Way::Translate && !tells_failure(self.family, record);
        // Nothing of the upstream's follows, and so not the LF of a CRLF that the network has cut in two.
        if self.way == Way::Inspect && out.ends_with(b"\r") {
            out.push(b'\n');
        }
        if untold {
            self.break_off(failure, out);
        }
        self.seen.untold = untold && self.way == Way::Pipe;
        // The upstream's own error is the end of it, whatever it sends behind: `[DONE]` would make it look finished.
        if matches!(self.way, Way::Inspect | Way::Reframe) {
            self.reading = Reading::Silent;
        }
    }

    fn event(&mut self, mut event: Event, out: &mut Vec<u8>) {
        // What breaks after the end of a whole answer breaks nothing of it.
        if self.failed.is_some() || (self.seen.ended && matches!(event, Event::Error(_))) {
            return;
        }
        if let Event::Error(failure) = &mut event {
            failure.reason = redact(&failure.reason, &keys(&self.keys));
        }
        self.seen.note(&event);
        match (&event, self.gate) {
            (Event::Error(failure), Gate::Holding(_)) => {
                self.failed = Some(failure.clone());
                return;
            }
            (Event::End, Gate::Holding(_)) => match self.seen.is_empty() && self.wire != Wire::Opaque {
                true => self.failed = Some(answer::empty()),
                false => self.gate = Gate::Open,
            },
            // What no translation knows shows the client nothing.
            (Event::Foreign, Gate::Holding(_)) if self.way == Way::Translate => {}
            (_, Gate::Holding(Commit::FirstContent)) if event.is_content() => self.gate = Gate::Open,
            (_, Gate::Holding(_) | Gate::Open) => {}
        }
        self.write(&event, out);
    }

    /// Encodes an event for a client of another family.
    fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let silent = self.is_silent();
        let Some(encoder) = self.encoder.as_mut().filter(|_| !silent) else { return };
        match event {
            Event::Error(failure) => {
                encoder.fail(failure, "stream_error", out);
                self.reading = Reading::Silent;
            }
            event => encoder.push(event, out),
        }
    }

    /// A bad frame: nothing tells where the next one begins, so that an answer that is not whole is over.
    fn lost_framing(&mut self, what: String, out: &mut Vec<u8>) {
        match self.gate {
            Gate::Open if !self.is_silent() && !self.seen.is_whole() => {
                self.broke(Failure::new(Class::Malformed, what), out);
            }
            Gate::Open | Gate::Holding(_) => self.bad_record(what),
        }
    }

    /// A bad record: before the commit the end of this target, after it a note.
    fn bad_record(&mut self, what: String) {
        let note = match self.gate {
            _ if self.cut => return,
            Gate::Holding(_) => &mut self.failed,
            Gate::Open => &mut self.seen.bad,
        };
        note.get_or_insert_with(|| Failure::new(Class::Malformed, what));
    }
}
