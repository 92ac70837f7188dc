//! A conversation that began elsewhere, put into the order that strict wires ask for.
//!
//! ```text
//! calls of a turn      answered at once in the next user turn, results first; missing ones say "(no result)"
//! results              without a call before them are left out
//! an id seen before    is another's: some hosts count from `call_0` in every answer, and Claude's wire wants each id once
//! neighbours           of one role are one turn; empty text and empty turns go
//! ```
//! Every step that takes something away or makes something up is recorded as dropped, so that `strict` refuses it.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::domain::dialect::Incompatible;
use crate::domain::dialect::conversation::{Part, Role, Turn};
use crate::domain::dialect::drops::Drops;

/// Stands for a result that the client's history lacks.
pub const NO_RESULT: &str = "(no result)";

/// Puts turns in order: calls are answered, neighbours merged, nothing is empty.
///
/// # Errors
/// [`Incompatible`] under `strict`, when something would be left out or made up.
pub fn settled(turns: &[Turn], drops: &mut Drops) -> Result<Vec<Turn>, Incompatible> {
    let mut rest: VecDeque<Turn> = turns.iter().map(without_blanks).collect();
    let mut settled: Vec<Turn> = Vec::with_capacity(rest.len());
    let mut ids = HashMap::new();
    while let Some(mut turn) = rest.pop_front() {
        if turn.role == Role::Assistant {
            while rest.front().is_some_and(|next| next.role == Role::Assistant || next.parts.is_empty()) {
                turn.parts.extend(rest.pop_front().into_iter().flat_map(|next| next.parts));
            }
            let calls: Vec<Call> = turn.parts.iter_mut().filter_map(|part| called(part, &mut ids)).collect();
            add(&mut settled, turn);
            if !calls.is_empty() {
                let results = answers(&calls, &mut rest, drops)?;
                add(&mut settled, Turn { role: Role::User, parts: results });
            }
            continue;
        }
        let before = turn.parts.len();
        turn.parts.retain(|part| !matches!(part, Part::ToolResult { .. }));
        if turn.parts.len() < before {
            drops.quality("messages.tool_result")?;
        }
        add(&mut settled, turn);
    }
    Ok(settled)
}

/// A call of the turn at hand.
struct Call {
    /// As the client has it.
    id: String,
    /// As no call before it has it.
    own: String,
}

/// The results that answer these calls, one each, in the calls' order, by which alone most open models know them: their hosts
/// show them results without ids. They are taken from the turns up to the next assistant's. A breakpoint of the cache that stands
/// behind one goes along.
fn answers(calls: &[Call], rest: &mut VecDeque<Turn>, drops: &mut Drops) -> Result<Vec<Part>, Incompatible> {
    let mut found: Vec<Vec<Part>> = calls.iter().map(|_| Vec::new()).collect();
    let mut places: HashMap<&str, VecDeque<usize>> = HashMap::with_capacity(calls.len());
    for (at, call) in calls.iter().enumerate() {
        places.entry(&call.id).or_default().push_back(at);
    }
    for turn in rest.iter_mut().take_while(|turn| turn.role != Role::Assistant) {
        let (mut kept, mut last) = (Vec::with_capacity(turn.parts.len()), None);
        for mut part in std::mem::take(&mut turn.parts) {
            match &mut part {
                Part::CacheBreak(_) => {}
                Part::ToolResult { id, .. } => {
                    last = places.get_mut(id.as_str()).and_then(VecDeque::pop_front);
                    if let Some(call) = last.and_then(|at| calls.get(at)) {
                        id.clone_from(&call.own);
                    }
                }
                Part::Text(_)
                | Part::Refusal(_)
                | Part::Image { .. }
                | Part::Document { .. }
                | Part::ToolCall { .. } => last = None,
            }
            match last.and_then(|at| found.get_mut(at)) {
                Some(taken) => taken.push(part),
                None => kept.push(part),
            }
        }
        turn.parts = kept;
    }
    let mut results = Vec::with_capacity(calls.len());
    for (call, result) in calls.iter().zip(found) {
        if result.is_empty() {
            drops.quality("messages.tool_result")?;
            let parts = vec![Part::Text(NO_RESULT.to_owned())];
            results.push(Part::ToolResult { id: call.own.clone(), parts, is_error: false });
        }
        results.extend(result);
    }
    Ok(results)
}

/// Appends a turn, to the one before it when they are of one role.
fn add(settled: &mut Vec<Turn>, turn: Turn) {
    if turn.parts.iter().all(|part| matches!(part, Part::CacheBreak(_))) {
        return;
    }
    match settled.last_mut() {
        Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
        _ => settled.push(turn),
    }
}

fn without_blanks(turn: &Turn) -> Turn {
    // Anthropic refuses text of blanks alone, too.
    let blank = |part: &&Part| matches!(part, Part::Text(text) | Part::Refusal(text) if text.trim().is_empty());
    Turn { role: turn.role, parts: turn.parts.iter().filter(|part| !blank(part)).cloned().collect() }
}

/// The ids of all calls, as the client has them.
pub fn call_ids(turns: &[Turn]) -> HashSet<String> {
    let ids = turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
        Part::ToolCall { id, .. } => Some(id.clone()),
        _ => None,
    });
    ids.collect()
}

/// The call that a part is, with an id of its own. `ids`: those that are taken, and how often each was met.
fn called(part: &mut Part, ids: &mut HashMap<String, usize>) -> Option<Call> {
    let Part::ToolCall { id, .. } = part else { return None };
    let mut own = id.clone();
    let mut met = ids.get(id).copied().unwrap_or_default();
    while ids.contains_key(&own) {
        met = met.saturating_add(1);
        own = format!("{id}_{met}");
    }
    ids.insert(own.clone(), 1);
    ids.insert(id.clone(), met.max(1));
    let id = std::mem::replace(id, own.clone());
    Some(Call { id, own })
}
