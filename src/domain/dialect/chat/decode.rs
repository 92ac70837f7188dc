//! Chat completions as they come: chunks of a stream, a whole answer, and the legacy completions, as [`Event`]s.
//!
//! A decoder tells the first choice apart from others: the others only count as content, since no translation knows them. An
//! answer of several is whole when each of them is.

use crate::domain::dialect::chat::calls::{Calls, Piece};
use crate::domain::dialect::chat::wire::{
    Call, Choice, Chunk, ContentPart, Custom, Delta, Function, Groq, Logprobs, Str, UsageIn, text_of,
};
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::inband::{self, unreadable};
use crate::domain::dialect::{CallKind, Event, Finish};
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The most choices beside the first that are waited for: more than any host makes.
const OTHERS_MAX: usize = 1_000;

/// Reads one answer.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// It comes in one piece.
    whole: bool,
    started: bool,
    /// The tier was told.
    tier: bool,
    calls: Calls,
    /// Choices beside the first that have begun and not ended.
    others: BTreeSet<u64>,
    /// Why the first choice ended, once it has.
    finish: Option<Finish>,
    /// It is not told while others go on.
    held: bool,
    over: bool,
    failed: bool,
}

impl Decoder {
    /// Nothing read yet.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// A whole answer, its end included.
    ///
    /// # Errors
    /// [`Malformed`] when it is no JSON or has no choices.
    pub fn answer(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(failure) = std::str::from_utf8(body).ok().and_then(inband::found_in_list) {
            self.fail(failure, out);
            return Ok(());
        }
        let chunk = serde_json::from_slice::<Chunk<'_>>(body).map_err(|error| unreadable("the answer", &error))?;
        // One that counts tokens is an empty answer, which cost what it says.
        if chunk.choices.as_ref().is_none_or(Vec::is_empty) && chunk.error.is_none() && chunk.usage.is_none() {
            let failure = std::str::from_utf8(body).ok().and_then(inband::bare);
            let none = || Malformed("the answer has no choices".to_owned());
            return failure.map(|failure| self.fail(failure, out)).ok_or_else(none);
        }
        self.whole = true;
        self.chunk(&chunk, out)?;
        self.close(out);
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if !self.over && !self.failed {
            self.over = true;
            self.calls.finish(out);
            self.release(out);
            out.push(Event::End);
        }
    }

    fn release(&mut self, out: &mut Vec<Event>) {
        if std::mem::take(&mut self.held) {
            out.extend(self.finish.clone().map(Event::Finish));
        }
    }

    /// After a failure no end follows: a broken answer never looks finished.
    fn fail(&mut self, failure: Failure, out: &mut Vec<Event>) {
        self.failed = true;
        out.push(Event::Error(failure));
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(error) = chunk.error {
            self.fail(inband::failure(error.get()), out);
            return Ok(());
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        if !self.started && !choices.is_empty() {
            self.start(chunk, out);
        }
        if let Some(tier) = chunk.service_tier.and_then(text_of).filter(|_| !std::mem::replace(&mut self.tier, true)) {
            out.push(Event::Tier(tier.into_owned()));
        }
        for (at, choice) in choices.iter().enumerate() {
            self.choice(choice, at, out)?;
        }
        let groq = || serde_json::from_slice::<Groq<'_>>(chunk.x_groq?.get().as_bytes()).ok()?.usage;
        if let Some(usage) = chunk.usage.or_else(groq)
            && let Ok(usage) = serde_json::from_slice::<UsageIn>(usage.get().as_bytes())
        {
            out.push(Event::Usage(usage.usage()));
        }
        Ok(())
    }

    fn start(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) {
        self.started = true;
        let text = |raw: Option<&RawValue>| {
            raw.and_then(text_of).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
        };
        let id = text(chunk.id);
        self.calls.seed(id.as_deref().unwrap_or_default());
        out.push(Event::Start { id, model: text(chunk.model) });
    }

    /// A choice that no translation knows: it counts as content, and the answer is not whole before it has ended. One may begin when
    /// the first has ended: then why that one did is told again.
    fn other(&mut self, index: u64, choice: &Choice<'_>, out: &mut Vec<Event>) {
        if has_content(choice) {
            out.push(Event::Foreign);
        }
        let ended = choice.finish_reason.as_ref().is_some_and(|reason| !reason.as_str().is_empty());
        if ended {
            self.others.remove(&index);
        } else if (choice.delta.is_some() || choice.text.is_some()) && self.others.len() < OTHERS_MAX {
            self.others.insert(index);
            self.held = self.finish.is_some();
        }
        if self.others.is_empty() {
            self.release(out);
        }
    }

    fn choice(&mut self, choice: &Choice<'_>, at: usize, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(error) = choice.error {
            self.fail(inband::failure(error.get()), out);
            return Ok(());
        }
        let index = choice.index.unwrap_or(at as u64);
        if index > 0 {
            self.other(index, choice, out);
            return Ok(());
        }
        if let Some(logprobs) = choice.logprobs {
            self::logprobs(logprobs, out);
        }
        self.said(choice, out)?;
        if let Some(reason) = &choice.finish_reason {
            self.finish(reason.as_str(), out);
        }
        Ok(())
    }

    /// What a choice says, once: beside what is new, Perplexity repeats all that it said so far as `message`, and Together says
    /// it again as `text`.
    fn said(&mut self, choice: &Choice<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let (said, whole) = match (&choice.delta, &choice.message) {
            (Some(delta), None) => (Some(delta), false),
            (Some(delta), Some(_)) if !self.whole => (Some(delta), false),
            (_, message) => (message.as_ref(), true),
        };
        if let Some(text) = &choice.text
            && said.is_none_or(|said| said.content.is_none())
        {
            push_text(text.as_str(), Event::Text, out);
        }
        said.map_or(Ok(()), |said| self.delta(said, whole, out))
    }

    fn delta(&mut self, delta: &Delta<'_>, whole: bool, out: &mut Vec<Event>) -> Result<(), Malformed> {
        reasoning(delta, out);
        if let Some(content) = delta.content {
            self::content(content, out);
        }
        if let Some(refusal) = &delta.refusal {
            push_text(refusal.as_str(), Event::Refusal, out);
        }
        if delta.audio.is_some() || delta.images.is_some_and(|images| images.get() != "[]") {
            out.push(Event::Foreign);
        }
        for (at, call) in delta.tool_calls.as_deref().unwrap_or_default().iter().enumerate() {
            let place = if whole { Some(at as u64) } else { call.index };
            self.call(call, place, out)?;
        }
        match &delta.function_call {
            Some(function) => self.function(function, Some(0), None, out),
            None => Ok(()),
        }
    }

    fn call(&mut self, call: &Call<'_>, index: Option<u64>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let id = call.id.as_ref().map_or("", Str::as_str);
        match (&call.function, &call.custom) {
            (Some(function), _) => self.function(function, index, Some(id), out),
            (None, Some(custom)) => match serde_json::from_slice::<Custom<'_>>(custom.get().as_bytes()) {
                Ok(custom) => self.custom(&custom, index, id, out),
                Err(_) => {
                    out.push(Event::Foreign);
                    Ok(())
                }
            },
            // Some hosts tell of a call's id before they tell of anything else.
            (None, None) if !self.whole && !id.is_empty() => self.piece(Piece { index, id, ..Piece::default() }, out),
            (None, None) => Ok(()),
        }
    }

    /// `id` is `None` where none will come.
    fn function(
        &mut self,
        function: &Function<'_>,
        index: Option<u64>,
        id: Option<&str>,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let name = function.name.as_ref().map_or("", |name| name.as_str());
        let text = function.arguments.and_then(text_of);
        let arguments = match (&text, function.arguments) {
            (Some(text), _) => text.as_ref(),
            (None, Some(raw)) => raw.get(),
            (None, None) => "",
        };
        let (id, alone) = (id.unwrap_or_default(), id.is_none());
        // Some hosts write an empty call where there is none.
        if id.is_empty() && name.is_empty() && arguments.is_empty() {
            return Ok(());
        }
        self.piece(Piece { index, id, name, arguments, kind: CallKind::Function, alone }, out)
    }

    fn custom(
        &mut self,
        custom: &Custom<'_>,
        index: Option<u64>,
        id: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Malformed> {
        let name = custom.name.as_ref().map_or("", Str::as_str);
        let input = custom.input.and_then(text_of).unwrap_or_default();
        self.piece(Piece { index, id, name, arguments: &input, kind: CallKind::Custom, alone: false }, out)
    }

    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match self.whole {
            true => self.calls.whole(piece, out),
            false => self.calls.feed(piece, out),
        }
    }

    /// A host that stops for tools may still say `stop`, or nothing. Gemini's says its own words, in capitals or behind one of
    /// OpenAI's kind: `content_filter: RECITATION`.
    fn finish(&mut self, reason: &str, out: &mut Vec<Event>) {
        let word = reason.split(':').next().unwrap_or(reason).trim().to_ascii_lowercase();
        let finish = match word.as_str() {
            "" => return,
            "length" | "max_tokens" | "model_length" => Finish::Length,
            "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
            "content_filter" | "refusal" | "safety" | "recitation" | "blocklist" | "prohibited_content" | "spii" => {
                Finish::ContentFilter(None)
            }
            "function_call_filter" | "malformed_function_call" => {
                let failure = Failure::new(Class::Malformed, "the model's call of a tool was malformed");
                return self.fail(Failure { code: Some(reason.to_owned()), status: Some(200), ..failure }, out);
            }
            "insufficient_system_resource" => {
                let code = Some("insufficient_system_resource".to_owned());
                let failure = Failure::new(Class::Overloaded, "the upstream ran out of resources for this answer");
                return self.fail(Failure { code, status: Some(200), ..failure }, out);
            }
            "error" => {
                let failure = Failure::new(Class::ServerError, "the upstream stopped with finish_reason error");
                return self.fail(Failure { status: Some(200), ..failure }, out);
            }
            _ if self.calls.any() => Finish::ToolCalls,
            _ => Finish::Stop,
        };
        if self.finish.is_some() {
            return;
        }
        (self.finish, self.held) = (Some(finish), true);
        if self.others.is_empty() {
            self.release(out);
        }
        // Then it is known of a call that is open whether the limit cut it off.
        self.calls.finish(out);
    }
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if record.data.trim_ascii() == "[DONE]" {
            self.close(out);
            return Ok(());
        }
        if let Some(failure) = inband::found_in_list(record.data) {
            self.fail(failure, out);
            return Ok(());
        }
        if record.name == "error" {
            self.fail(inband::told(record.data), out);
            return Ok(());
        }
        let chunk = serde_json::from_slice::<Chunk<'_>>(record.data.as_bytes())
            .map_err(|error| unreadable("a chunk", &error))?;
        if chunk.choices.is_none()
            && let Some(failure) = inband::bare(record.data)
        {
            self.fail(failure, out);
            return Ok(());
        }
        self.chunk(&chunk, out)
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.calls.finish(out);
    }
}

/// `reasoning_content` (DeepSeek, xAI) or `reasoning` (others); hosts that send both send the same text twice.
fn reasoning(delta: &Delta<'_>, out: &mut Vec<Event>) {
    match (&delta.reasoning_content, delta.reasoning) {
        (Some(text), _) => push_text(text.as_str(), Event::Reasoning, out),
        (None, Some(raw)) => {
            if let Some(text) = text_of(raw) {
                push_text(&text, Event::Reasoning, out);
            }
        }
        (None, None) => {}
    }
}

fn logprobs(raw: &RawValue, out: &mut Vec<Event>) {
    let logprobs = serde_json::from_slice::<Logprobs<'_>>(raw.get().as_bytes()).unwrap_or_default();
    if let Some(content) = logprobs.content.map(RawValue::get).filter(|content| !matches!(*content, "null" | "[]")) {
        out.push(Event::Logprobs(content.to_owned()));
    }
}

fn content(content: &RawValue, out: &mut Vec<Event>) {
    if let Some(text) = text_of(content) {
        push_text(&text, Event::Text, out);
        return;
    }
    match serde_json::from_slice::<Vec<ContentPart<'_>>>(content.get().as_bytes()) {
        Ok(parts) => parts.iter().for_each(|part| self::part(part, out)),
        Err(_) => out.push(Event::Foreign),
    }
}

fn part(part: &ContentPart<'_>, out: &mut Vec<Event>) {
    let kind = part.kind.as_ref().map_or("text", |kind| kind.as_str());
    match (kind, &part.text, &part.refusal) {
        ("thinking", ..) => match thought(part) {
            thought if thought.is_empty() => out.push(Event::Foreign),
            thought => out.push(Event::Reasoning(thought)),
        },
        ("text" | "output_text", Some(text), _) => push_text(text.as_str(), Event::Text, out),
        ("refusal", _, Some(text)) => push_text(text.as_str(), Event::Refusal, out),
        _ => out.push(Event::Foreign),
    }
}

/// The text of Mistral's thinking, a list of parts.
fn thought(part: &ContentPart<'_>) -> String {
    let parts = part.thinking.and_then(|raw| serde_json::from_slice::<Vec<ContentPart<'_>>>(raw.get().as_bytes()).ok());
    parts.iter().flatten().filter_map(|part| part.text.as_ref()).map(Str::as_str).collect()
}

fn push_text(text: &str, event: impl Fn(String) -> Event, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(event(text.to_owned()));
    }
}

fn has_content(choice: &Choice<'_>) -> bool {
    let says = |delta: &Delta<'_>| {
        let text = delta.content.and_then(text_of).is_some_and(|text| !text.is_empty());
        let calls = delta.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty());
        let thinks = delta.reasoning_content.as_ref().is_some_and(|text| !text.as_str().is_empty());
        text || calls || thinks || delta.audio.is_some()
    };
    choice.text.as_ref().is_some_and(|text| !text.as_str().is_empty())
        || choice.delta.as_ref().is_some_and(says)
        || choice.message.as_ref().is_some_and(says)
}
