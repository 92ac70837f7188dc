//! Converse's answers as [`Event`]s: a stream frame by frame, or a whole JSON answer.
//!
//! A frame's event type is its record's name. The order of the last two frames differs between hosts: the end is told when
//! both `messageStop` and `metadata` came, or when the stream ended after the first.

use std::collections::BTreeMap;

use crate::domain::dialect::chat::wire::{Str, text_of};
use crate::domain::dialect::converse::wire::{Answer, Block, Reasoning, Record, ToolUse};
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::inband::unreadable;
use crate::domain::dialect::json_text::compact;
use crate::domain::dialect::{CallKind, Event, Finish};
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;

/// Reads one answer.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Calls by their block.
    calls: BTreeMap<u64, Call>,
    finished: bool,
    counted: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    index: usize,
    any: bool,
    ended: bool,
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over {
            return Ok(());
        }
        let payload: Record<'_> = serde_json::from_slice(record.data.as_bytes())
            .map_err(|error| unreadable("a frame of the stream", &error))?;
        self.start(out);
        match record.name {
            "contentBlockStart" => {
                if let Some(tool) = payload.start.as_ref().and_then(|start| start.tool_use.as_ref()) {
                    self.start_call(payload.content_block_index, tool, out);
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = &payload.delta {
                    self.delta(payload.content_block_index, delta, out);
                }
            }
            "contentBlockStop" => self.end_call(payload.content_block_index, "", out),
            "messageStop" => self.stop(payload.stop_reason.as_ref(), out),
            "metadata" => {
                out.extend(payload.usage.map(|usage| Event::Usage(usage.usage())));
                self.counted = true;
            }
            _ => {}
        }
        if self.finished && self.counted {
            self.close(out);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        if self.finished {
            self.close(out);
        }
    }
}

impl Decoder {
    /// Nothing read yet.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// A whole answer, its end included.
    ///
    /// # Errors
    /// [`Malformed`] when it is no JSON or has no message.
    pub fn answer(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| unreadable("the answer", &error))?;
        self.start(out);
        for (place, block) in (0..).zip(&answer.output.message.content) {
            self.block(place, block, out);
        }
        out.extend(answer.usage.map(|usage| Event::Usage(usage.usage())));
        self.stop(answer.stop_reason.as_ref(), out);
        self.end(out);
        Ok(())
    }

    fn start(&mut self, out: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            out.push(Event::Start { id: None, model: None });
        }
    }

    fn block(&mut self, place: u64, block: &Block<'_>, out: &mut Vec<Event>) {
        if let Some(tool) = &block.tool_use {
            self.start_call(place, tool, out);
            let input = tool.input.map(|input| compact(input.get())).filter(|input| input.starts_with('{'));
            return self.end_call(place, &input.unwrap_or_default(), out);
        }
        if !say(block, out) {
            out.push(Event::Foreign);
        }
    }

    fn start_call(&mut self, place: u64, tool: &ToolUse<'_>, out: &mut Vec<Event>) {
        let index = self.calls.len();
        let text = |text: Option<&Str<'_>>| text.map_or("", Str::as_str).to_owned();
        if self.calls.insert(place, Call { index, any: false, ended: false }).is_none() {
            let (id, name) = (text(tool.tool_use_id.as_ref()), text(tool.name.as_ref()));
            out.push(Event::ToolStart { index, id, name, kind: CallKind::Function });
        }
    }

    fn delta(&mut self, place: u64, delta: &Block<'_>, out: &mut Vec<Event>) {
        let Some(tool) = &delta.tool_use else {
            say(delta, out);
            return;
        };
        let piece = tool.input.and_then(text_of).unwrap_or_default();
        if let Some(call) = self.calls.get_mut(&place).filter(|call| !piece.is_empty() && !call.ended) {
            call.any = true;
            out.push(Event::ToolArguments { index: call.index, json: piece.into_owned() });
        }
    }

    /// Ends the call of a block, if it is one. `input` is what it was called with when no piece came.
    fn end_call(&mut self, place: u64, input: &str, out: &mut Vec<Event>) {
        let Some(call) = self.calls.get_mut(&place).filter(|call| !call.ended) else { return };
        if !call.any {
            let json = if input.is_empty() { "{}" } else { input };
            out.push(Event::ToolArguments { index: call.index, json: json.to_owned() });
        }
        call.ended = true;
        out.push(Event::ToolEnd { index: call.index });
    }

    fn stop(&mut self, reason: Option<&Str<'_>>, out: &mut Vec<Event>) {
        let finish = match reason.map(Str::as_str) {
            Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
            Some("stop_sequence") => Finish::StopSequence(None),
            Some("guardrail_intervened" | "content_filtered") => Finish::ContentFilter(None),
            Some(reason @ ("malformed_model_output" | "malformed_tool_use")) => {
                self.over = true;
                out.push(Event::Error(Failure {
                    status: Some(200),
                    code: Some(reason.to_owned()),
                    ..Failure::new(Class::Malformed, "the model's output was malformed")
                }));
                return;
            }
            _ if self.calls.is_empty() => Finish::Stop,
            _ => Finish::ToolCalls,
        };
        let open: Vec<u64> = self.calls.keys().copied().collect();
        open.into_iter().for_each(|place| self.end_call(place, "", out));
        if !self.finished {
            self.finished = true;
            out.push(Event::Finish(finish));
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if !self.over {
            self.over = true;
            out.push(Event::End);
        }
    }
}

/// What a block or a piece of one says in words; whether it is of a kind that can.
fn say(block: &Block<'_>, out: &mut Vec<Event>) -> bool {
    let push = |text: Option<&Str<'_>>, out: &mut Vec<Event>| {
        out.extend(text.map(Str::as_str).filter(|text| !text.is_empty()).map(|text| Event::Text(text.to_owned())));
    };
    push(block.text.as_ref(), out);
    if let Some(Reasoning { text, reasoning_text }) = &block.reasoning_content {
        let whole = reasoning_text.as_ref().and_then(|inner| inner.text.as_ref());
        // Where it is redacted there is none: that the model thought is all there is of it.
        out.push(Event::Reasoning(text.as_ref().or(whole).map_or("", Str::as_str).to_owned()));
    }
    if let Some(citations) = &block.citations_content {
        citations.content.iter().for_each(|piece| push(piece.text.as_ref(), out));
    }
    block.text.is_some() || block.reasoning_content.is_some() || block.citations_content.is_some()
}
