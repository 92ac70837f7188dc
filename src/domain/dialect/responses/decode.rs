//! Answers of the Responses wire as [`Event`]s: a stream record by record, or a whole JSON answer.
//!
//! Items are told apart by `output_index`, never by `item_id`: a proxy was recorded that gives every record another id. A
//! delta is cheap to read; the whole response that lifecycle events carry is parsed at the end alone.
//!
//! ```text
//! created, queued, in_progress        Start
//! output_text.delta, refusal.delta    Text, Refusal           (or their .done, when no delta came)
//! reasoning_summary_text.delta, reasoning_text.delta          Reasoning
//! output_item.added{function_call}    ToolStart               function_call_arguments.delta / .done -> ToolArguments
//! output_item.done{function_call}     ToolEnd                 (custom_tool_call and custom_tool_call_input.* likewise)
//! output_item.done{message}           Text, Refusal           (when no delta of any came)
//! completed, incomplete               Usage, Finish, End      (and what of the output was not told by then)
//! failed, error (flat or nested)      Error, once
//! any other item or delta             Foreign
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::dialect::chat::wire::{Str, text_of};
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::responses::wire::{Frame, Head, Item, Kind, Part, Response};
use crate::domain::dialect::{CallKind, Event, Finish, inband};
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;
use serde_json::value::RawValue;

/// Reads one answer.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Calls by their place in the output.
    calls: BTreeMap<u64, Call>,
    /// Parts, by their place in the output and in their item, whose words were told.
    shown: BTreeSet<(u64, u64)>,
    /// Words come in pieces: a message that is done says nothing new.
    spoken: bool,
    /// The same of thoughts.
    thought: bool,
    /// Some words were told, in pieces or not.
    spoke: bool,
    /// Something of the answer was shown.
    any: bool,
    /// The end, or a failure, was told: nothing follows.
    over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    /// Among the calls of the answer, from 0.
    index: usize,
    kind: CallKind,
    /// Some of its arguments were told.
    any: bool,
    ended: bool,
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        // Some hosts of this wire end as chat does. The end was told with `response.completed`.
        if self.over || record.data.trim() == "[DONE]" {
            return Ok(());
        }
        let before = out.len();
        let frame: Frame<'_> = serde_json::from_slice(record.data.as_bytes())
            .map_err(|error| inband::unreadable("an event of the stream", &error))?;
        self.frame(&frame, record, out).inspect_err(|_| out.truncate(before))
    }

    fn end(&mut self, _: &mut Vec<Event>) {}
}

impl Decoder {
    /// Nothing read yet.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// A whole answer.
    ///
    /// # Errors
    /// [`Malformed`] when it is no JSON object, or one that has neither output nor error.
    pub fn answer(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let response: Response<'_> =
            serde_json::from_slice(body).map_err(|error| inband::unreadable("the answer", &error))?;
        if response.output.is_none() && response.error.is_none() {
            return Err(Malformed("the answer has no output".to_owned()));
        }
        self.start(response.id.as_ref(), response.model.as_ref(), out);
        self.whole(&response, out)
    }

    fn frame(&mut self, frame: &Frame<'_>, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let kind = frame.kind.as_ref().map_or(record.name, Str::as_str);
        let place = frame.output_index.unwrap_or(0);
        let part = (place, frame.content_index.unwrap_or(0));
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => self.begin(frame.response, out),
            "response.output_text.delta" => self.text(part, frame.delta, Event::Text, out),
            "response.refusal.delta" => self.text(part, frame.delta, Event::Refusal, out),
            "response.output_text.done" => self.late_text(part, frame.text, Event::Text, out),
            "response.refusal.done" => self.late_text(part, frame.refusal, Event::Refusal, out),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.text(part, frame.delta, Event::Reasoning, out);
            }
            "response.reasoning_summary_part.added" if frame.summary_index.is_some_and(|n| n > 0) => {
                out.push(Event::Reasoning("\n\n".to_owned()));
            }
            "response.output_item.added" => self.item(place, frame.item, false, out)?,
            "response.output_item.done" => self.item(place, frame.item, true, out)?,
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments(place, frame.delta, out);
            }
            "response.function_call_arguments.done" => self.late_arguments(place, frame.arguments, out),
            "response.custom_tool_call_input.done" => self.late_arguments(place, frame.input, out),
            "response.completed" | "response.incomplete" | "response.failed" => self.last(frame.response, kind, out)?,
            "error" => self.error(inband::told(record.data), out),
            _ if frame.error.is_some() => self.error(inband::failure(record.data), out),
            "response.image_generation_call.partial_image" => self.foreign(out),
            // Hosted tools, audio: progress that only this family can express.
            _ if frame.delta.is_some() => self.foreign(out),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, response: Option<&RawValue>, out: &mut Vec<Event>) {
        let head =
            response.and_then(|raw| serde_json::from_slice::<Head<'_>>(raw.get().as_bytes()).ok()).unwrap_or_default();
        self.start(head.id.as_ref(), head.model.as_ref(), out);
    }

    fn start(&mut self, id: Option<&Str<'_>>, model: Option<&Str<'_>>, out: &mut Vec<Event>) {
        let owned = |text: Option<&Str<'_>>| text.map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty());
        if !self.started {
            self.started = true;
            out.push(Event::Start { id: owned(id), model: owned(model) });
        }
    }

    fn text(&mut self, part: (u64, u64), raw: Option<&RawValue>, event: fn(String) -> Event, out: &mut Vec<Event>) {
        let text = raw.and_then(text_of).unwrap_or_default();
        if !text.is_empty() {
            let event = event(text.into_owned());
            self.any = true;
            match event {
                Event::Reasoning(_) => self.thought = true,
                _ => {
                    self.spoken = true;
                    self.speak(part);
                }
            }
            out.push(event);
        }
    }

    /// The whole of a text whose pieces never came.
    fn late_text(
        &mut self,
        part: (u64, u64),
        raw: Option<&RawValue>,
        event: fn(String) -> Event,
        out: &mut Vec<Event>,
    ) {
        if !self.shown.contains(&part) {
            self.text(part, raw, event, out);
        }
    }

    fn speak(&mut self, part: (u64, u64)) {
        (self.any, self.spoke) = (true, true);
        self.shown.insert(part);
    }

    fn foreign(&mut self, out: &mut Vec<Event>) {
        self.any = true;
        out.push(Event::Foreign);
    }

    fn item(&mut self, place: u64, raw: Option<&RawValue>, done: bool, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let Some(raw) = raw else { return Ok(()) };
        let Some(item) = item_of(raw)? else {
            self.foreign(out);
            return Ok(());
        };
        self.known(place, &item, done, out);
        Ok(())
    }

    fn known(&mut self, place: u64, item: &Item<'_>, done: bool, out: &mut Vec<Event>) {
        match item.kind.as_str() {
            "function_call" => {
                self.call(place, item, CallKind::Function, out);
                if done {
                    self.end_call(place, item.arguments.as_ref().map_or("", Str::as_str), out);
                }
            }
            "custom_tool_call" => {
                self.call(place, item, CallKind::Custom, out);
                if done {
                    self.end_call(place, &item.input.and_then(text_of).unwrap_or_default(), out);
                }
            }
            // Their pieces come by themselves, but from a host that makes its stream of a whole answer, or part of it.
            "message" if done && !self.spoken => self.words(place, item, out),
            "reasoning" if done && !self.thought => self.words(place, item, out),
            _ => {}
        }
    }

    fn call(&mut self, place: u64, item: &Item<'_>, kind: CallKind, out: &mut Vec<Event>) {
        if self.calls.contains_key(&place) {
            return;
        }
        let index = self.calls.len();
        let text = |text: Option<&Str<'_>>| text.map_or("", Str::as_str).to_owned();
        self.any = true;
        self.calls.insert(place, Call { index, kind, any: false, ended: false });
        let (id, name) = (text(item.call_id.as_ref()), text(item.name.as_ref()));
        out.push(Event::ToolStart { index, id, name, kind });
    }

    fn arguments(&mut self, place: u64, raw: Option<&RawValue>, out: &mut Vec<Event>) {
        let json = raw.and_then(text_of).unwrap_or_default();
        if let Some(call) = self.calls.get_mut(&place).filter(|call| !json.is_empty() && !call.ended) {
            call.any = true;
            out.push(Event::ToolArguments { index: call.index, json: json.into_owned() });
        }
    }

    /// All arguments of a call whose pieces never came.
    fn late_arguments(&mut self, place: u64, raw: Option<&RawValue>, out: &mut Vec<Event>) {
        if self.calls.get(&place).is_some_and(|call| !call.any) {
            self.arguments(place, raw, out);
        }
    }

    fn end_call(&mut self, place: u64, arguments: &str, out: &mut Vec<Event>) {
        let Some(call) = self.calls.get_mut(&place).filter(|call| !call.ended) else { return };
        let none = if call.kind == CallKind::Function { "{}" } else { "" };
        let given = if arguments.is_empty() { none } else { arguments };
        if !call.any && !given.is_empty() {
            out.push(Event::ToolArguments { index: call.index, json: given.to_owned() });
        }
        call.ended = true;
        out.push(Event::ToolEnd { index: call.index });
    }

    /// A terminal event.
    fn last(&mut self, raw: Option<&RawValue>, kind: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let text = raw.map_or("{}", RawValue::get);
        let response: Response<'_> = serde_json::from_slice(text.as_bytes())
            .map_err(|error| inband::unreadable("the response at the end of the stream", &error))?;
        self.start(response.id.as_ref(), response.model.as_ref(), out);
        match (kind, response.error) {
            ("response.failed", None) => self.error(failed_without_error(), out),
            _ => self.whole(&response, out)?,
        }
        Ok(())
    }

    /// Everything that a whole response says and that was not told before.
    fn whole(&mut self, response: &Response<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Some(usage) = &response.usage {
            out.push(Event::Usage(usage.usage()));
        }
        // At its beginning a response has the tier that was asked for; at its end the one that served it.
        out.extend(response.service_tier.and_then(text_of).map(|tier| Event::Tier(tier.into_owned())));
        if let Some(error) = response.error {
            self.error(inband::failure(error.get()), out);
            return Ok(());
        }
        match self.any {
            true => self.untold(response, out),
            false => {
                for (place, raw) in (0..).zip(response.output.iter().flatten()) {
                    self.whole_item(place, raw, out)?;
                }
            }
        }
        match response.status.as_ref().map(Str::as_str) {
            Some("failed" | "cancelled") => self.error(failed_without_error(), out),
            // A background response: its content is fetched later, by its id.
            Some("queued" | "in_progress") => {
                self.foreign(out);
                self.close(Finish::Stop, out);
            }
            Some("incomplete") => self.close(incomplete(response), out),
            _ => self.close(Finish::Stop, out),
        }
        Ok(())
    }

    /// What some hosts tell at the end alone: words where none were told before, and calls after those that were, which are known
    /// by their order. What cannot be read of it changes nothing any more.
    fn untold(&mut self, response: &Response<'_>, out: &mut Vec<Event>) {
        let (spoke, mut calls) = (self.spoke, 0);
        let items = response.output.iter().flatten().filter_map(|raw| item_of(raw).ok().flatten());
        for (n, item) in (0..).zip(items) {
            match item.kind.as_str() {
                "message" if !spoke => self.words(n, &item, out),
                "function_call" | "custom_tool_call" => {
                    let place = self.calls.iter().find(|(_, call)| call.index == calls).map(|(place, _)| *place);
                    let next = || self.calls.keys().next_back().map_or(0, |last| last.saturating_add(1));
                    calls += 1;
                    self.known(place.unwrap_or_else(next), &item, true, out);
                }
                _ => {}
            }
        }
    }

    fn whole_item(&mut self, place: u64, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match item_of(raw)? {
            Some(item) if matches!(item.kind.as_str(), "message" | "reasoning") => self.words(place, &item, out),
            Some(_) | None => self.item(place, Some(raw), true, out)?,
        }
        Ok(())
    }

    /// All that a message or reasoning says.
    fn words(&mut self, place: u64, item: &Item<'_>, out: &mut Vec<Event>) {
        match item.kind.as_str() {
            "message" => {
                let parts = (0..).zip(item.content.iter().flatten());
                parts.for_each(|(n, part)| self.part((place, n), part, out));
            }
            _ => self.reasoning(item, out),
        }
    }

    fn part(&mut self, at: (u64, u64), part: &Part<'_>, out: &mut Vec<Event>) {
        let event = match (&part.text, &part.refusal) {
            (_, Some(refusal)) => Event::Refusal(refusal.as_str().to_owned()),
            (Some(text), None) => Event::Text(text.as_str().to_owned()),
            (None, None) => return self.foreign(out),
        };
        if event.is_content() {
            self.speak(at);
            out.push(event);
        }
    }

    /// The summary, or the raw text where there is none.
    fn reasoning(&mut self, item: &Item<'_>, out: &mut Vec<Event>) {
        let texts = |parts: &Option<Vec<Part<'_>>>| -> Vec<String> {
            let parts = parts.iter().flatten().filter_map(|part| part.text.as_ref());
            parts.map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty()).collect()
        };
        let summary = texts(&item.summary);
        let texts = if summary.is_empty() { texts(&item.content) } else { summary };
        self.any |= !texts.is_empty();
        // Without any, that the model thought is all there is of it.
        out.push(Event::Reasoning(texts.join("\n\n")));
    }

    fn close(&mut self, finish: Finish, out: &mut Vec<Event>) {
        let open: Vec<u64> = self.calls.iter().filter(|(_, call)| !call.ended).map(|(place, _)| *place).collect();
        for place in open {
            self.end_call(place, "", out);
        }
        let finish = match finish {
            Finish::Stop if !self.calls.is_empty() => Finish::ToolCalls,
            other => other,
        };
        out.extend([Event::Finish(finish), Event::End]);
        self.over = true;
    }

    fn error(&mut self, failure: Failure, out: &mut Vec<Event>) {
        self.over = true;
        out.push(Event::Error(failure));
    }
}

/// An item; `None` for one of a kind that is not known here.
fn item_of(raw: &RawValue) -> Result<Option<Item<'_>>, Malformed> {
    let bytes = raw.get().as_bytes();
    let unreadable = |error: serde_json::Error| inband::unreadable("an item of the output", &error);
    let Kind { kind } = serde_json::from_slice(bytes).map_err(unreadable)?;
    match kind.as_str() {
        "message" | "reasoning" | "function_call" | "custom_tool_call" => {
            serde_json::from_slice(bytes).map(Some).map_err(unreadable)
        }
        _ => Ok(None),
    }
}

fn incomplete(response: &Response<'_>) -> Finish {
    let reason = response.incomplete_details.as_ref().and_then(|details| details.reason.as_ref());
    match reason.map(Str::as_str) {
        Some("content_filter") => Finish::ContentFilter(None),
        _ => Finish::Length,
    }
}

fn failed_without_error() -> Failure {
    Failure::new(Class::ServerError, "the upstream reported a failed response without an error")
}
