//! A conversation that began elsewhere, put into the order that strict wires ask for.
//!
//! ```text
//! calls of a turn      answered at once in the next user turn, results first; missing ones say "(no result)"
//! results              without a call before them are left out
//! neighbours           of one role are one turn; empty text and empty turns go
//! ```
//! Every step that takes something away or makes something up is recorded as dropped, so that `strict` refuses it.

use std::collections::{HashMap, VecDeque};

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
    while let Some(mut turn) = rest.pop_front() {
        if turn.role == Role::Assistant {
            while rest.front().is_some_and(|next| next.role == Role::Assistant || next.parts.is_empty()) {
                turn.parts.extend(rest.pop_front().into_iter().flat_map(|next| next.parts));
            }
            let calls: Vec<String> = turn.parts.iter().filter_map(call_id).map(str::to_owned).collect();
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

/// The results that answer these calls, one each, in the calls' order; taken from the turns up to the next assistant's. A
/// breakpoint of the cache that stands behind one goes along.
fn answers(calls: &[String], rest: &mut VecDeque<Turn>, drops: &mut Drops) -> Result<Vec<Part>, Incompatible> {
    let mut found: Vec<Vec<Part>> = calls.iter().map(|_| Vec::new()).collect();
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(calls.len());
    for (at, id) in calls.iter().enumerate() {
        places.entry(id).or_insert(at);
    }
    for turn in rest.iter_mut().take_while(|turn| turn.role != Role::Assistant) {
        let (mut kept, mut last) = (Vec::with_capacity(turn.parts.len()), None);
        for part in std::mem::take(&mut turn.parts) {
            let free = |at: &usize| found.get(*at).is_some_and(Vec::is_empty);
            last = match &part {
                Part::CacheBreak(_) => last,
                part => result_id(part).and_then(|id| places.get(id).copied()).filter(free),
            };
            match last.and_then(|at| found.get_mut(at)) {
                Some(taken) => taken.push(part),
                None => kept.push(part),
            }
        }
        turn.parts = kept;
    }
    let mut results = Vec::with_capacity(calls.len());
    for (id, result) in calls.iter().zip(found) {
        if result.is_empty() {
            drops.quality("messages.tool_result")?;
            let parts = vec![Part::Text(NO_RESULT.to_owned())];
            results.push(Part::ToolResult { id: id.clone(), parts, is_error: false });
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
    let blank = |part: &&Part| matches!(part, Part::Text(text) if text.trim().is_empty());
    Turn { role: turn.role, parts: turn.parts.iter().filter(|part| !blank(part)).cloned().collect() }
}

fn call_id(part: &Part) -> Option<&str> {
    match part {
        Part::ToolCall { id, .. } => Some(id),
        _ => None,
    }
}

fn result_id(part: &Part) -> Option<&str> {
    match part {
        Part::ToolResult { id, .. } => Some(id),
        _ => None,
    }
}
