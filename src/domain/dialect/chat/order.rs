//! The order of messages that some hosts insist on, and the ids that some models do, where the others take any.
//!
//! ```text
//! system              before all else
//! first turn          a user's: "." stands where one is missing
//! last turn           a user's or a tool's: "Continue." follows an answer's beginning
//! user after tool     a short answer of the assistant's comes between
//! ids for Kimi        functions.<name>:<how many calls came before>
//! ```

use crate::domain::dialect::Incompatible;
use crate::domain::dialect::continuity::settled;
use crate::domain::dialect::conversation::{Conversation, Part, Role, Turn};
use crate::domain::dialect::drops::Drops;
use crate::domain::dialect::names::{self, CHAT_MAX};
use crate::domain::dialect::reply::Reply;
use std::collections::HashMap;

use serde_json::{Value, json};

/// The system's words and the turns, in an order that such hosts take.
///
/// # Errors
/// [`Incompatible`] under `strict`, when something would be moved, left out or made up.
pub fn strict(from: &Conversation, drops: &mut Drops) -> Result<(Vec<Part>, Vec<Turn>), Incompatible> {
    let mut system = from.system.clone();
    let mut turns = Vec::with_capacity(from.turns.len());
    for turn in &from.turns {
        if turn.role == Role::System {
            drops.quality("messages.role")?;
            system.extend(turn.parts.iter().cloned());
        } else {
            turns.push(turn.clone());
        }
    }
    let mut turns = settled(&turns, drops)?;
    let said = |text: &str| Turn { role: Role::User, parts: vec![Part::Text(text.to_owned())] };
    let begun = turns.first().is_some_and(|turn| turn.role == Role::User);
    let nothing = turns.is_empty() && system.is_empty();
    if !begun && !nothing {
        turns.insert(0, said("."));
    }
    if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
        drops.quality("messages.prefill")?;
        turns.push(said("Continue."));
    }
    Ok((system, turns))
}

/// Puts an answer between a tool's message and a user's.
pub fn bridged(messages: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::with_capacity(messages.len());
    for message in messages {
        if message["role"] == "user" && out.last().is_some_and(|last| last["role"] == "tool") {
            out.push(json!({"role": "assistant", "content": "OK."}));
        }
        out.push(message);
    }
    out
}

/// Gives calls and results the ids that Kimi was trained on: with others before it, it writes calls that its hosts do not
/// recognize, and the client gets them as text (the model's `tool_call_guidance.md`).
pub fn counted(turns: &mut [Turn], reply: &mut Reply) {
    let mut made: HashMap<String, String> = HashMap::new();
    for part in turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match part {
            Part::ToolCall { id, name, .. } => {
                let own = format!("functions.{}:{}", names::on_wire(name, CHAT_MAX, reply), made.len());
                made.insert(std::mem::replace(id, own.clone()), own);
            }
            Part::ToolResult { id, .. } => {
                if let Some(own) = made.get(id) {
                    id.clone_from(own);
                }
            }
            Part::Text(_) | Part::Refusal(_) | Part::Image { .. } | Part::Document { .. } | Part::CacheBreak(_) => {}
        }
    }
}
