//! The registries: which file reads and writes which wire and family.

use crate::domain::catalogue::Facts;
use crate::domain::dialect::answer::Answer;
use crate::domain::dialect::continuity::call_ids;
use crate::domain::dialect::conversation::Conversation;
use crate::domain::dialect::decoder::{Decode, Encode, Malformed, Voice};
use crate::domain::dialect::drops::own_path;
use crate::domain::dialect::repeats::Repeats;
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::restorer::{Restored, Restorer};
use crate::domain::dialect::{
    Destination, Encoded, Event, Incompatible, Wire, chat, converse, envelope, json_text, messages, opaque, responses,
};
use crate::domain::outcome::Failure;
use crate::domain::policy::Translate;
use crate::domain::route::Family;
use crate::domain::sse;
use serde_json::Value;

/// Encodes a client's body for a target of another family (or of the same one in another envelope: Messages on Bedrock and
/// Vertex). `body` is the client's own, without what was consumed here.
///
/// # Errors
/// [`Incompatible`] with the feature that cannot be carried; under `strict` also with what would be dropped.
pub fn translate_request(
    family: Family,
    body: &[u8],
    to: &Destination<'_>,
    facts: &Facts,
    translate: Translate,
) -> Result<Encoded, Incompatible> {
    if family == Family::Messages && matches!(to.wire, Wire::Invoke | Wire::RawPredict) {
        return envelope::wrap(body, to, translate);
    }
    let body = json_text::tree(body).ok_or_else(|| Incompatible("body".to_owned()))?;
    let conversation = decode_request(family, &body)?;
    drop(body);
    // The client would look for them in the answer, and chat alone has them to give.
    if conversation.logprobs.is_some() && to.wire != Wire::Chat {
        return Err(Incompatible("logprobs".to_owned()));
    }
    let takes_text = match to.wire {
        Wire::Chat => chat::hosts::of(to.provider).custom_tools,
        Wire::Responses => true,
        _ => false,
    };
    if conversation.has_custom_tools() && !takes_text {
        return Err(Incompatible("custom_tools".to_owned()));
    }
    let mut encoded = match to.wire {
        Wire::Chat => chat::target::encode(&conversation, to, facts, translate),
        Wire::Responses => responses::target::encode(&conversation, to, facts, translate),
        Wire::Messages | Wire::Invoke | Wire::RawPredict => {
            messages::target::encode(&conversation, to, facts, translate)
        }
        Wire::Converse => converse::target::encode(&conversation, to, facts, translate),
        Wire::Completions | Wire::Opaque => Err(Incompatible("family".to_owned())),
    }
    .map_err(|unfit| Incompatible(own_path(family, unfit.0)))?;
    encoded.dropped = encoded.dropped.into_iter().map(|path| own_path(family, path)).collect();
    encoded.reply.ids = call_ids(&conversation.turns);
    Ok(encoded)
}

/// A client's body in no family's words.
///
/// # Errors
/// [`Incompatible`] with the path of what the family's own API would not take.
pub fn decode_request(family: Family, body: &Value) -> Result<Conversation, Incompatible> {
    match family {
        Family::Chat => chat::request::decode(body),
        Family::Responses => responses::request::decode(body),
        Family::Messages => messages::request::decode(body),
    }
}

/// What reads a stream of that wire.
pub fn decoder(wire: Wire) -> Box<dyn Decode> {
    Box::new(Repeats::of(Box::new(Mending(strict_decoder(wire)))))
}

/// A decoder that reads a record again with its halves of characters mended.
struct Mending(Box<dyn Decode>);

impl Decode for Mending {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.0.push(record, out).or_else(|malformed| match json_text::mended(record.data) {
            Some(mended) => self.0.push(&sse::Event { data: &mended, ..*record }, out),
            None => Err(malformed),
        })
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.0.end(out);
    }
}

fn strict_decoder(wire: Wire) -> Box<dyn Decode> {
    match wire {
        Wire::Chat | Wire::Completions => Box::new(chat::decode::Decoder::new()),
        Wire::Responses => Box::new(responses::decode::Decoder::new()),
        Wire::Messages | Wire::Invoke | Wire::RawPredict => Box::new(messages::decode::Decoder::new()),
        Wire::Converse => Box::new(converse::decode::Decoder::new()),
        Wire::Opaque => Box::new(opaque::Decoder),
    }
}

/// What writes a stream for that family, with `reply` undone.
pub fn encoder(family: Family, voice: Voice, reply: Reply) -> Box<dyn Encode> {
    let encoder: Box<dyn Encode> = match family {
        Family::Chat => Box::new(chat::encode::Encoder::new(voice)),
        Family::Responses => Box::new(responses::encode::Encoder::new(&voice)),
        Family::Messages => Box::new(messages::encode::Encoder::new(voice)),
    };
    Box::new(Restored::new(encoder, reply))
}

/// The events of a whole JSON answer, its end or its error included.
///
/// # Errors
/// [`Malformed`] when it is none of its wire.
pub fn read_answer(wire: Wire, body: &[u8]) -> Result<Vec<Event>, Malformed> {
    strictly(wire, body).or_else(|malformed| {
        let mended = std::str::from_utf8(body).ok().and_then(json_text::mended);
        mended.map_or(Err(malformed), |mended| strictly(wire, mended.as_bytes()))
    })
}

fn strictly(wire: Wire, body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let mut events = Vec::new();
    match wire {
        Wire::Chat | Wire::Completions => chat::decode::Decoder::new().answer(body, &mut events)?,
        Wire::Responses => responses::decode::Decoder::new().answer(body, &mut events)?,
        Wire::Messages | Wire::Invoke | Wire::RawPredict => {
            messages::decode::Decoder::new().answer(body, &mut events)?;
        }
        Wire::Converse => converse::decode::Decoder::new().answer(body, &mut events)?,
        Wire::Opaque => opaque::Decoder.answer(body, &mut events),
    }
    Ok(events)
}

/// Writes a whole JSON answer for a family, with `reply` undone.
///
/// # Errors
/// The failure that the events report.
pub fn write_answer(family: Family, events: Vec<Event>, voice: &Voice, reply: Reply) -> Result<Vec<u8>, Failure> {
    if let Some(failure) = events.iter().find_map(error_of) {
        return Err(failure.clone());
    }
    let (mut restorer, mut restored) = (Restorer::new(reply), Vec::with_capacity(events.len()));
    events.into_iter().for_each(|event| restorer.apply(event, &mut restored));
    let events = restored;
    Ok(match family {
        Family::Chat => chat::encode::answer(&Answer::gather(events)?, voice),
        Family::Responses => responses::encode::answer(&events, voice).to_string().into_bytes(),
        Family::Messages => messages::encode::answer(&Answer::gather(events)?, voice),
    })
}

/// A whole answer of a family as a stream of the same, whatever else it holds; `None` where it cannot be.
pub fn replayed(family: Family, body: &[u8], voice: &Voice) -> Option<Vec<u8>> {
    match family {
        Family::Chat => chat::replay::stream(body, voice.include_usage),
        Family::Responses => responses::replay::stream(body),
        Family::Messages => messages::replay::stream(body),
    }
}

const fn error_of(event: &Event) -> Option<&Failure> {
    match event {
        Event::Error(failure) => Some(failure),
        _ => None,
    }
}
