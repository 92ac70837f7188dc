//! Anthropic's answers as they come, stream or whole, as [`Event`]s.
//!
//! A second `message_start` (a stream that was sent twice, or spliced by a proxy) starts nothing: its counts are merged, and a
//! block that begins where another is open ends that one.

use crate::domain::dialect::chat::wire::Str;
use crate::domain::dialect::decoder::{Decode, Malformed};
use crate::domain::dialect::inband::{self, unreadable};
use crate::domain::dialect::json_text::compact;
use crate::domain::dialect::messages::wire::{Block, Delta, Frame, Message, StopDetails, Tier, UsageIn};
use crate::domain::dialect::{CallKind, Event, Finish};
use crate::domain::outcome::{Class, Failure};
use crate::domain::sse;

/// Reads one answer.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    started: bool,
    usage: UsageIn,
    /// The tool call that is open: block index, dense index, whether arguments came, what they are when none come.
    tool: Option<OpenTool>,
    tools: usize,
    /// Something of the answer was shown.
    any: bool,
    finished: bool,
    over: bool,
    failed: bool,
}

#[derive(Clone, Debug)]
struct OpenTool {
    block: u64,
    index: usize,
    any: bool,
    input: String,
}

impl Decoder {
    /// Nothing read yet.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// A whole answer, its end included.
    ///
    /// # Errors
    /// [`Malformed`] when it is no JSON or has no content list.
    pub fn answer(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let message = serde_json::from_slice::<Message<'_>>(body).map_err(|error| unreadable("the answer", &error))?;
        if let Some(error) = message.error {
            self.fail(inband::failure(error.get()), out);
            return Ok(());
        }
        let Some(content) = &message.content else {
            return Err(Malformed("the answer has no content".to_owned()));
        };
        self.start(&message, out);
        for (at, block) in content.iter().enumerate() {
            self.block(block, at as u64, out);
            self.end_tool(out);
        }
        self.finish(message.stop_reason.as_ref(), message.stop_sequence.as_ref(), message.stop_details.as_ref(), out);
        out.push(Event::Usage(self.usage.usage()));
        self.close(out);
        Ok(())
    }

    /// After a failure no end follows: a broken answer never looks finished.
    fn fail(&mut self, failure: Failure, out: &mut Vec<Event>) {
        self.failed = true;
        out.push(Event::Error(failure));
    }

    fn frame(&mut self, kind: &str, frame: &Frame<'_>, out: &mut Vec<Event>) {
        let index = frame.index.unwrap_or(0);
        match kind {
            "ping" => out.push(Event::Ping),
            "message_start" => {
                if let Some(message) = &frame.message {
                    self.start(message, out);
                    out.push(Event::Usage(self.usage.usage()));
                }
            }
            "content_block_start" => {
                if let Some(block) = &frame.content_block {
                    self.block(block, index, out);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = &frame.delta {
                    self.delta(delta, index, out);
                }
            }
            "content_block_stop" if self.tool.as_ref().is_some_and(|tool| tool.block == index) => self.end_tool(out),
            "message_delta" => self.message_delta(frame, out),
            "message_stop" => self.close(out),
            _ => {}
        }
    }

    fn start(&mut self, message: &Message<'_>, out: &mut Vec<Event>) {
        let usage = message.usage.unwrap_or_default();
        if self.started {
            self.usage.max(&usage);
            return;
        }
        self.started = true;
        self.usage = usage;
        out.push(Event::Start { id: owned(message.id.as_ref()), model: owned(message.model.as_ref()) });
        let tier = usage.service_tier.and_then(Tier::openai);
        out.extend(tier.map(|tier| Event::Tier(tier.to_owned())));
    }

    fn block(&mut self, block: &Block<'_>, index: u64, out: &mut Vec<Event>) {
        self.end_tool(out);
        match block.kind.as_str() {
            "text" => self.say(block.text.as_ref(), Event::Text, out),
            "thinking" => {
                self.any = true;
                out.push(Event::Reasoning(block.thinking.as_ref().map_or("", Str::as_str).to_owned()));
            }
            "tool_use" => self.tool(block, index, out),
            kind => {
                self.any = true;
                out.extend((kind == "redacted_thinking").then(|| Event::Reasoning(String::new())));
                out.push(Event::Foreign);
            }
        }
    }

    fn say(&mut self, text: Option<&Str<'_>>, event: fn(String) -> Event, out: &mut Vec<Event>) {
        if let Some(text) = text.map(Str::as_str).filter(|text| !text.is_empty()) {
            self.any = true;
            out.push(event(text.to_owned()));
        }
    }

    fn tool(&mut self, block: &Block<'_>, place: u64, out: &mut Vec<Event>) {
        let index = self.tools;
        (self.tools, self.any) = (index.saturating_add(1), true);
        let text = |text: Option<&Str<'_>>| text.map_or_else(String::new, |text| text.as_str().to_owned());
        let (id, name) = (text(block.id.as_ref()), text(block.name.as_ref()));
        out.push(Event::ToolStart { index, id, name, kind: CallKind::Function });
        let input = block.input.map_or_else(|| "{}".to_owned(), |input| compact(input.get()));
        let input = if input.starts_with('{') { input } else { "{}".to_owned() };
        self.tool = Some(OpenTool { block: place, index, any: false, input });
    }

    /// Pieces of blocks that only this family knows (what a hosted tool is called with, citations, a summary) are content too: a
    /// hosted tool may be called with a long file, and while it comes the answer goes on.
    fn delta(&mut self, delta: &Delta<'_>, index: u64, out: &mut Vec<Event>) {
        let kind = delta.kind.as_ref().map_or("", Str::as_str);
        match kind {
            // Some hosts leave the kind out.
            "text_delta" | "thinking_delta" | "" => {
                self.say(delta.text.as_ref(), Event::Text, out);
                self.say(delta.thinking.as_ref(), Event::Reasoning, out);
            }
            // Whatever else has a text in it has it for those who know what it is.
            _ => self.say(delta.text.as_ref().or(delta.thinking.as_ref()), |_| Event::Foreign, out),
        }
        let json = delta.partial_json.as_ref().map_or("", Str::as_str);
        match self.tool.as_mut().filter(|tool| tool.block == index) {
            Some(tool) if !json.is_empty() => {
                tool.any = true;
                out.push(Event::ToolArguments { index: tool.index, json: json.to_owned() });
            }
            None if !json.is_empty() => out.push(Event::Foreign),
            _ if matches!(kind, "citations_delta" | "compaction_delta") => out.push(Event::Foreign),
            Some(_) | None => {}
        }
    }

    /// A tool without arguments streams none, or one empty piece: its arguments are what its block began with.
    fn end_tool(&mut self, out: &mut Vec<Event>) {
        let Some(tool) = self.tool.take() else { return };
        if !tool.any {
            out.push(Event::ToolArguments { index: tool.index, json: tool.input });
        }
        out.push(Event::ToolEnd { index: tool.index });
    }

    fn message_delta(&mut self, frame: &Frame<'_>, out: &mut Vec<Event>) {
        if let Some(delta) = &frame.delta {
            self.finish(delta.stop_reason.as_ref(), delta.stop_sequence.as_ref(), delta.stop_details.as_ref(), out);
        }
        if let Some(usage) = &frame.usage {
            self.usage.merge(usage);
            out.push(Event::Usage(self.usage.usage()));
        }
    }

    fn finish(
        &mut self,
        reason: Option<&Str<'_>>,
        sequence: Option<&Str<'_>>,
        details: Option<&StopDetails<'_>>,
        out: &mut Vec<Event>,
    ) {
        let finish = match reason.map(Str::as_str) {
            None => return,
            Some("stop_sequence") => Finish::StopSequence(owned(sequence)),
            // The prompt alone fills the window.
            Some(code @ "model_context_window_exceeded") if !self.any => {
                let failure =
                    Failure::new(Class::ContextLength, "the model's context window leaves no room for an answer");
                return self.fail(Failure { code: Some(code.to_owned()), status: Some(200), ..failure }, out);
            }
            Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
            Some("tool_use") => Finish::ToolCalls,
            Some("refusal") => Finish::ContentFilter(details.and_then(|details| owned(details.explanation.as_ref()))),
            // Hosts that speak this dialect may say `end_turn` though they called: a client that goes by the reason would stop.
            Some(_) if self.tools > 0 => Finish::ToolCalls,
            Some(_) => Finish::Stop,
        };
        if self.finished {
            return;
        }
        self.finished = true;
        out.push(Event::Finish(finish));
        // Now it is known whether the limit cut it off.
        self.end_tool(out);
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if !self.over && !self.failed {
            self.over = true;
            self.end_tool(out);
            out.push(Event::End);
        }
    }
}

impl Decode for Decoder {
    fn push(&mut self, record: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        // Some hosts of this wire end as chat does. The end was told with `message_stop`.
        if record.data.trim_ascii() == "[DONE]" {
            return Ok(());
        }
        if record.name == "error" {
            self.fail(inband::told(record.data), out);
            return Ok(());
        }
        let frame = serde_json::from_slice::<Frame<'_>>(record.data.as_bytes())
            .map_err(|error| unreadable("an event", &error))?;
        let kind = frame.kind.as_ref().map(Str::as_str).filter(|kind| !kind.is_empty()).unwrap_or(record.name);
        match (kind, frame.error) {
            ("error", _) | (_, Some(_)) => self.fail(inband::told(record.data), out),
            (kind, None) => self.frame(kind, &frame, out),
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.end_tool(out);
    }
}

fn owned(text: Option<&Str<'_>>) -> Option<String> {
    text.map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty())
}
