//! Undoes in an answer what encoding changed of its request: names that were changed on the way out are changed back, and the
//! text that a model without structured output wrote into a forced tool becomes the answer's text again. An id that the client
//! has for another call, of this answer or of one before, is made another: it would take the new call for the old one, whose result
//! it has.

use serde_json::value::RawValue;
use std::collections::HashMap;

use crate::domain::dialect::decoder::Encode;
use crate::domain::dialect::ids::{self, IdRule};
use crate::domain::dialect::json_text::compact;
use crate::domain::dialect::reply::Reply;
use crate::domain::dialect::{Event, Finish, schema};
use crate::domain::outcome::Failure;

/// Undoes [`Reply`]'s changes on one answer, event by event.
#[derive(Clone, Debug)]
pub struct Restorer {
    reply: Reply,
    /// The tool call (as the upstream counts) that is the answer's text.
    json: Option<usize>,
    /// Calls of the stand-in after the first, which a model that calls in parallel may make: the answer is given already.
    repeats: Vec<usize>,
    /// Calls that reach the client.
    calls: usize,
    /// By id, the number that the last call under it got: the next one is looked for from there.
    again: HashMap<String, usize>,
    /// The stand-in's arguments, or the text, where the answer is to be taken out of them.
    wrapped: String,
    /// The arguments so far of calls whose arguments are to be taken out of theirs.
    calling: HashMap<usize, String>,
    /// What the model said before it was known whether the stand-in's arguments are the answer.
    held: String,
}

impl Restorer {
    /// The undoing of one answer.
    pub fn new(reply: Reply) -> Restorer {
        Restorer {
            reply,
            json: None,
            repeats: Vec::new(),
            calls: 0,
            again: HashMap::new(),
            wrapped: String::new(),
            calling: HashMap::new(),
            held: String::new(),
        }
    }

    /// Whether an event goes on as it is.
    fn leaves(&self, event: &Event) -> bool {
        let of_text = self.reply.json_tool.is_some() || self.reply.json_wrapped;
        let only_ids = !of_text && self.reply.renamed.is_empty() && self.reply.wrapped.is_empty();
        only_ids && !matches!(event, Event::ToolStart { .. })
    }

    /// Appends what the client should see of an event. Where a tool stands in for the answer's text, what the model says
    /// around it is not part of the answer.
    pub fn apply(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.leaves(&event) {
            out.push(event);
            return;
        }
        match event {
            Event::Text(text) if self.reply.json_tool.is_some() => {
                if self.json.is_none() {
                    self.held.push_str(&text);
                }
            }
            Event::Text(text) if self.reply.json_wrapped => self.wrapped.push_str(&text),
            Event::ToolStart { index, name, .. } if self.is_json_tool(&name) => {
                self.held.clear();
                let known = self.json == Some(index) || self.repeats.contains(&index);
                match self.json {
                    None => self.json = Some(index),
                    // An upstream may begin one call twice.
                    Some(_) if known => {}
                    Some(_) => self.repeats.push(index),
                }
            }
            Event::ToolArguments { index, .. } | Event::ToolEnd { index } if self.repeats.contains(&index) => {}
            Event::ToolStart { index, id, name, kind } => {
                self.release(out);
                self.calls = self.calls.saturating_add(1);
                if self.reply.wrapped.contains(&name) {
                    self.calling.entry(index).or_default();
                }
                let id = self.own(id);
                out.push(Event::ToolStart { index: self.shifted(index), id, name: self.original(name), kind });
            }
            Event::ToolArguments { index, json } if self.json == Some(index) && self.reply.json_wrapped => {
                self.wrapped.push_str(&json);
            }
            Event::ToolArguments { index, json } if self.json == Some(index) => out.push(Event::Text(json)),
            Event::ToolEnd { index } if self.json == Some(index) => {
                if self.reply.json_wrapped {
                    out.push(Event::Text(unwrapped(std::mem::take(&mut self.wrapped))));
                }
            }
            Event::ToolArguments { index, json } => match self.calling.get_mut(&index) {
                Some(arguments) => arguments.push_str(&json),
                None => out.push(Event::ToolArguments { index: self.shifted(index), json }),
            },
            Event::ToolEnd { index } => {
                let shifted = self.shifted(index);
                if let Some(arguments) = self.calling.remove(&index) {
                    out.push(Event::ToolArguments { index: shifted, json: unwrapped(arguments) });
                }
                out.push(Event::ToolEnd { index: shifted });
            }
            Event::Finish(finish) => {
                self.release(out);
                out.push(Event::Finish(self.finish(finish)));
            }
            Event::End => {
                self.release(out);
                out.push(Event::End);
            }
            other => out.push(other),
        }
    }

    fn release(&mut self, out: &mut Vec<Event>) {
        if !self.held.is_empty() {
            out.push(Event::Text(std::mem::take(&mut self.held)));
        }
        if self.reply.json_tool.is_none() && !self.wrapped.is_empty() {
            out.push(Event::Text(unwrapped(std::mem::take(&mut self.wrapped))));
        }
    }

    fn finish(&self, finish: Finish) -> Finish {
        match finish {
            Finish::ToolCalls if self.json.is_some() && self.calls == 0 => Finish::Stop,
            other => other,
        }
    }

    fn is_json_tool(&self, name: &str) -> bool {
        self.reply.json_tool.as_deref() == Some(name)
    }

    /// Calls after those of the stand-in close up.
    fn shifted(&self, index: usize) -> usize {
        let gone = self.json.iter().chain(&self.repeats).filter(|gone| **gone < index);
        index - gone.count()
    }

    fn own(&mut self, id: String) -> String {
        let (ids, again) = (&mut self.reply.ids, &mut self.again);
        let is_met = |id: &str| ids.contains(id) || ids.contains(&ids::rewritten(id, IdRule::Plain));
        let mut own = id.clone();
        while is_met(&own) {
            let nth = again.entry(id.clone()).or_insert(1);
            *nth = nth.saturating_add(1);
            own = format!("{id}_{nth}");
        }
        ids.insert(own.clone());
        own
    }

    fn original(&self, name: String) -> String {
        self.reply.renamed.get(&name).cloned().unwrap_or(name)
    }
}

/// The answer within a stand-in's arguments; what is no such thing is the answer itself.
fn unwrapped(arguments: String) -> String {
    let value = serde_json::from_slice::<HashMap<String, Box<RawValue>>>(arguments.as_bytes()).ok();
    value
        .filter(|fields| fields.len() == 1)
        .and_then(|mut fields| fields.remove(schema::WRAP))
        .map_or(arguments, |value| compact(value.get()))
}

/// An encoder behind a [`Restorer`].
pub struct Restored {
    encoder: Box<dyn Encode>,
    restorer: Restorer,
}

impl Restored {
    /// Undoes `reply` before the encoder hears of it.
    pub fn new(encoder: Box<dyn Encode>, reply: Reply) -> Restored {
        Restored { encoder, restorer: Restorer::new(reply) }
    }
}

impl Encode for Restored {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.restorer.leaves(event) {
            self.encoder.push(event, out);
            return;
        }
        let mut restored = Vec::with_capacity(1);
        self.restorer.apply(event.clone(), &mut restored);
        restored.iter().for_each(|event| self.encoder.push(event, out));
    }

    fn fail(&mut self, failure: &Failure, code: &'static str, out: &mut Vec<u8>) {
        self.encoder.fail(failure, code, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.push(&Event::End, out);
    }
}
