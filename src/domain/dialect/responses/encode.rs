//! [`Event`]s as a Responses client reads them: the whole ordered sequence of a stream, or one JSON answer.
//!
//! ```text
//! created in_progress ( item )* completed | incomplete
//! message     output_item.added  ( content_part.added  output_text.delta* .done  content_part.done )*  output_item.done
//! refusal     the same with refusal.delta* .done
//! call        output_item.added  function_call_arguments.delta* .done  output_item.done   (custom: custom_tool_call_input.*)
//! reasoning   output_item.added  reasoning_summary_part.added  reasoning_summary_text.delta* .done  ... output_item.done
//! ```
//!
//! Items never overlap and are opened by content alone, or clients that index by `output_index` lose text: what an upstream
//! interleaves (parallel calls) waits until the open call ends. There is no `[DONE]`, and after a failure no end of any kind.
//!
//! Reasoning is shown to clients that asked for a summary of it. Others would send the item back to a model that never made
//! it, and be refused.

use crate::domain::dialect::decoder::{Encode, Voice};
use crate::domain::dialect::responses::output::{Output, PartKind};
use crate::domain::dialect::responses::shell::Shell;
use crate::domain::dialect::sequence::Sequencer;
use crate::domain::dialect::{Event, Finish};
use crate::domain::error::stream_error;
use crate::domain::outcome::Failure;
use crate::domain::route::Family;
use crate::domain::usage::Usage;
use serde_json::{Value, json};

/// Writes one answer.
#[derive(Clone, Debug)]
pub struct Encoder {
    shell: Shell,
    phase: Phase,
    output: Output,
    /// Holds back what an upstream interleaves.
    sequencer: Sequencer,
    finish: Option<Finish>,
    usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Running,
    Over,
}

/// Writes a whole answer as JSON.
pub fn answer(events: &[Event], voice: &Voice) -> Value {
    let mut encoder = Encoder::new(voice);
    let mut stream = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut stream));
    encoder.finish(&mut stream);
    encoder.response()
}

impl Encode for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match (self.phase, event) {
            (Phase::Over, _) => {}
            (_, Event::Ping) => out.extend_from_slice(b": ping\n\n"),
            (_, Event::Error(failure)) => self.fail(failure, "stream_error", out),
            (_, Event::End) => self.end(out),
            (_, Event::Usage(usage)) => self.usage = *usage,
            (_, Event::Tier(tier)) => self.shell.served_by(tier),
            (_, Event::Finish(finish)) => self.finish = Some(finish.clone()),
            (Phase::Running, Event::Start { .. }) => {}
            (Phase::Fresh, Event::Start { id, model }) => {
                self.shell.hear(id.as_deref(), model.as_deref());
                self.begin(out);
            }
            (_, content) => {
                self.begin(out);
                self.in_sequence(content, out);
            }
        }
    }

    fn fail(&mut self, failure: &Failure, code: &'static str, out: &mut Vec<u8>) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            stream_error(Family::Responses, failure.class, code, &failure.reason, self.output.sequence, out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.finish.is_some() {
            self.end(out);
        }
    }
}

impl Encoder {
    /// Nothing written yet.
    pub fn new(voice: &Voice) -> Encoder {
        Encoder {
            shell: Shell::new(voice),
            phase: Phase::Fresh,
            output: Output::default(),
            sequencer: Sequencer::default(),
            finish: None,
            usage: Usage::default(),
        }
    }

    /// The response as it stands.
    pub fn response(&self) -> Value {
        match self.phase {
            Phase::Over => {
                self.shell.ended(self.finish.as_ref(), self.output.refused(), self.usage, &self.output.items)
            }
            Phase::Fresh | Phase::Running => self.shell.running(),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.phase == Phase::Fresh {
            self.phase = Phase::Running;
            self.output.tail = self.shell.items();
            self.output.emit("response.created", json!({"response": self.shell.running()}), out);
            self.output.emit("response.in_progress", json!({"response": self.shell.running()}), out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.phase == Phase::Over {
            return;
        }
        self.begin(out);
        self.in_sequence(&Event::End, out);
        self.output.close(self.status(), out);
        self.explain(out);
        self.phase = Phase::Over;
        let response = self.response();
        let kind = if response["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.output.emit(kind, json!({"response": response}), out);
    }

    /// Of the item that is open: one that the limit or a filter cut off says so itself, beside the response.
    fn status(&self) -> &'static str {
        match self.finish {
            Some(Finish::Length) => "incomplete",
            Some(Finish::ContentFilter(_)) if !self.output.refused() => "incomplete",
            Some(Finish::ContentFilter(_) | Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls) | None => {
                "completed"
            }
        }
    }

    /// A filter that says why, and nothing else: the explanation is the refusal.
    fn explain(&mut self, out: &mut Vec<u8>) {
        if let Some(Finish::ContentFilter(Some(explanation))) = self.finish.clone()
            && !explanation.is_empty()
            && !self.output.items.iter().any(|item| item["type"] == "message")
        {
            self.output.text(PartKind::Refusal, &explanation, out);
            self.output.close("completed", out);
        }
    }

    fn in_sequence(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut ordered = Vec::new();
        self.sequencer.push(event.clone(), &mut ordered);
        ordered.iter().for_each(|event| self.content(event, out));
    }

    fn content(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) => self.output.text(PartKind::Text, text, out),
            Event::Logprobs(list) => self.output.logprobs(list),
            Event::Refusal(text) => self.output.text(PartKind::Refusal, text, out),
            Event::Reasoning(text) if self.shell.shows_reasoning() => self.output.reasoning(text, out),
            Event::ToolStart { index, id, name, kind } => self.output.start_call(*index, id, name, *kind, out),
            Event::ToolArguments { index, json } if self.output.open_call() == Some(*index) => {
                self.output.arguments(json, out);
            }
            Event::ToolEnd { index } if self.output.open_call() == Some(*index) => {
                self.output.close(self.status(), out)
            }
            Event::Start { .. }
            | Event::Ping
            | Event::Reasoning(_)
            | Event::ToolArguments { .. }
            | Event::ToolEnd { .. }
            | Event::Foreign
            | Event::Finish(_)
            | Event::Usage(_)
            | Event::Tier(_)
            | Event::End
            | Event::Error(_) => {}
        }
    }
}
