//! Records that repeat themselves: most of a stream are the one before with another text in it.
//!
//! ```text
//! {"id":"c","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}
//! '------------------ before ------------------'     '----------- behind ----------'
//! ```
//! Reading JSON is most of what watching a stream costs. A form is what two records in a row, read by the decoder, had in common
//! when all that either said was the text between: of what fits it the text alone is taken. Anything else is read, and what says
//! anything else ends the form, since the decoder may stand elsewhere then.

use crate::domain::dialect::Event;
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::sse;
use memchr::arch::all::{is_prefix, is_suffix};
use memchr::memmem;

/// A longer record is read each time: it is no word of an answer, and a form is kept for as long as its stream.
const RECORD_MAX: usize = 4 << 10;

/// What stands before the noise by which OpenAI hides how long each record is.
///
/// <https://platform.openai.com/docs/api-reference/chat-streaming>: `obfuscation`
const NOISE: &str = ",\"obfuscation\":\"";

/// After so many forms that no record fitted no more are made: in some wires' every record is numbered.
const VAIN_MAX: u8 = 8;

/// A decoder that is asked only for records that say something new.
pub struct Repeats {
    decoder: Box<dyn Decode>,
    form: Option<Form>,
    /// Forms made since one fitted.
    vain: u8,
}

/// What records have in common.
#[derive(Debug)]
struct Form {
    name: String,
    before: String,
    behind: String,
    kind: Kind,
    /// The text of the record that it was made of, until one with another text has shown that it is the text which differs.
    alone: Option<String>,
    /// Read again, that record said the same again. (Some wires tell once more at its end what was told, and it is told once.)
    again: bool,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
}

impl Repeats {
    pub fn of(decoder: Box<dyn Decode>) -> Repeats {
        Repeats { decoder, form: None, vain: 0 }
    }

    /// The record was read, and said this.
    fn learn(&mut self, record: &sse::Event<'_>, said: &[Event]) {
        let Some((kind, text)) = told(said) else {
            self.form = None;
            return;
        };
        match &mut self.form {
            Some(form) if form.kind == kind && form.text(record) == Some(text) => {
                form.again = true;
                self.vain = form.alone.take_if(|alone| alone != text).map_or(self.vain, |_| 0);
            }
            _ if is_plain(text) && self.vain < VAIN_MAX => {
                self.vain += 1;
                self.form = Form::new(record, kind, text);
            }
            // A text with escapes fits no form, and changes none.
            _ => {}
        }
    }
}

impl Decode for Repeats {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(form) = &self.form
            && let Some(text) = form.text(record)
            && form.alone.as_ref().is_none_or(|alone| alone == text && form.again)
        {
            out.push(form.kind.event(text));
            return Ok(());
        }
        let before = out.len();
        let read = self.decoder.push(record, out);
        self.learn(record, &out[before..]);
        read
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.form = None;
        self.decoder.end(out);
    }
}

impl Form {
    /// `None` where the text stands in the record more than once, or written otherwise.
    fn new(record: &sse::Event<'_>, kind: Kind, text: &str) -> Option<Form> {
        let data = Some(meant(record.data)).filter(|data| data.len() <= RECORD_MAX)?;
        let quoted = format!("\"{text}\"");
        let at = memmem::find(data.as_bytes(), quoted.as_bytes())?;
        let once = memmem::rfind(data.as_bytes(), quoted.as_bytes()) == Some(at);
        let (before, behind) = (data.get(..=at)?, data.get(at + quoted.len() - 1..)?);
        once.then(|| Form {
            name: record.name.to_owned(),
            before: before.to_owned(),
            behind: behind.to_owned(),
            kind,
            alone: Some(text.to_owned()),
            again: false,
        })
    }

    /// The text of a record that fits.
    fn text<'a>(&self, record: &sse::Event<'a>) -> Option<&'a str> {
        let data = meant(record.data);
        let ends = data.len().checked_sub(self.behind.len()).filter(|ends| *ends >= self.before.len())?;
        // Slices are compared byte by byte in Wasm.
        let fits =
            is_prefix(data.as_bytes(), self.before.as_bytes()) && is_suffix(data.as_bytes(), self.behind.as_bytes());
        let between = data.get(self.before.len()..ends).filter(|_| fits)?;
        (record.name == self.name && is_plain(between)).then_some(between)
    }
}

impl Kind {
    fn event(self, text: &str) -> Event {
        match self {
            Kind::Text => Event::Text(text.to_owned()),
            Kind::Reasoning => Event::Reasoning(text.to_owned()),
        }
    }
}

/// A text, where it is all that is said.
fn told(events: &[Event]) -> Option<(Kind, &str)> {
    match events {
        [Event::Text(text)] => Some((Kind::Text, text)),
        [Event::Reasoning(text)] => Some((Kind::Reasoning, text)),
        _ => None,
    }
}

/// A text that JSON writes as it is. An empty one may say nothing.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\'))
}

/// A record up to its noise.
fn meant(data: &str) -> &str {
    let until = || {
        let (rest, noise) = data.strip_suffix("\"}")?.rsplit_once(NOISE)?;
        noise.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(rest.len() + NOISE.len())
    };
    &data[..until().unwrap_or(data.len())]
}
