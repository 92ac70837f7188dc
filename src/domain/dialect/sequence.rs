//! One thing after the other: chat streams may interleave the pieces of parallel tool calls, Anthropic's and Responses' wires
//! may not. What comes for a later block while a tool call is open waits until that call has ended.

use std::collections::VecDeque;

use crate::domain::dialect::Event;

/// Puts the events of one answer into an order in which blocks never overlap.
#[derive(Clone, Debug, Default)]
pub struct Sequencer {
    open: Option<usize>,
    waiting: VecDeque<Event>,
}

impl Sequencer {
    /// Takes an event in; what may be written now goes to `out`.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match (event, self.open) {
            (Event::ToolEnd { index }, Some(open)) if index == open => {
                out.push(Event::ToolEnd { index });
                self.open = None;
                self.release(out);
            }
            (Event::End, _) => {
                self.drain(out);
                out.push(Event::End);
            }
            (Event::ToolArguments { index, json }, Some(open)) if index == open => {
                out.push(Event::ToolArguments { index, json });
            }
            (event, Some(_)) if is_of_a_block(&event) => self.wait(event),
            (event, _) => {
                if let Event::ToolStart { index, .. } = event {
                    self.open = Some(index);
                }
                out.push(event);
            }
        }
    }

    /// Pieces of one block that wait are joined.
    fn wait(&mut self, event: Event) {
        match (event, self.waiting.back_mut()) {
            (Event::Text(text), Some(Event::Text(last))) => last.push_str(&text),
            (Event::Reasoning(text), Some(Event::Reasoning(last))) => last.push_str(&text),
            (Event::ToolArguments { index, json }, _) => {
                let known = self.waiting.iter_mut().find_map(|waiting| match waiting {
                    Event::ToolArguments { index: of, json } if *of == index => Some(json),
                    _ => None,
                });
                match known {
                    Some(known) => known.push_str(&json),
                    None => self.waiting.push_back(Event::ToolArguments { index, json }),
                }
            }
            (event, _) => self.waiting.push_back(event),
        }
    }

    /// What waited is looked at again, in order; what belongs to a later block waits again.
    fn release(&mut self, out: &mut Vec<Event>) {
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let before = waiting.len();
            for event in waiting {
                self.admit(event, out);
            }
            if self.open.is_some() || self.waiting.is_empty() || self.waiting.len() == before {
                return;
            }
        }
    }

    fn admit(&mut self, event: Event, out: &mut Vec<Event>) {
        match (&event, self.open) {
            (Event::ToolArguments { index, .. }, Some(open)) if *index == open => out.push(event),
            (Event::ToolEnd { index }, Some(open)) if *index == open => {
                self.open = None;
                out.push(event);
            }
            (_, Some(_)) => self.waiting.push_back(event),
            (Event::ToolStart { index, .. }, None) => {
                self.open = Some(*index);
                out.push(event);
            }
            (_, None) => out.push(event),
        }
    }

    /// The answer is over: a call that was never ended is.
    fn drain(&mut self, out: &mut Vec<Event>) {
        while let Some(index) = self.open.take() {
            out.push(Event::ToolEnd { index });
            self.release(out);
        }
    }
}

const fn is_of_a_block(event: &Event) -> bool {
    match event {
        Event::Text(_)
        | Event::Logprobs(_)
        | Event::Refusal(_)
        | Event::Reasoning(_)
        | Event::ToolStart { .. }
        | Event::ToolArguments { .. }
        | Event::ToolEnd { .. } => true,
        Event::Start { .. }
        | Event::Ping
        | Event::Tier(_)
        | Event::Foreign
        | Event::Finish(_)
        | Event::Usage(_)
        | Event::End
        | Event::Error(_) => false,
    }
}
