//! What OpenAI's clients say of caching: `prompt_cache_breakpoint` behind a part of the content, and `prompt_cache_options` for the
//! whole of a request, which is said of those breakpoints and means nothing where there are none.

use crate::domain::dialect::conversation::{Cache, Conversation, Part};
use crate::domain::dialect::drops::says_nothing;
use serde_json::Value;

/// The breakpoint behind a content part, where the part says that there is one, with the life that it asks for itself.
pub fn breakpoint(part: &Value) -> Option<Part> {
    let asked = part.get("prompt_cache_breakpoint").filter(|asked| asked.is_object())?;
    Some(Part::CacheBreak(lifetime(asked)))
}

/// Gives every breakpoint the life that the options ask for, where it did not ask for more; without any, they are left out. Those
/// before one that lives long do so too: Anthropic refuses them in another order.
pub fn settle(conversation: &mut Conversation, options: Option<&Value>) {
    let options = options.filter(|options| !says_nothing(options));
    // It fills the cache and answers nothing: no other family can.
    if options.is_some_and(prewarms) {
        return conversation.semantic("prompt_cache_options.prewarm");
    }
    let mut breaks: Vec<&mut Cache> = Vec::new();
    let turns = conversation.turns.iter_mut().flat_map(|turn| &mut turn.parts);
    conversation.system.iter_mut().chain(turns).for_each(|part| gather(part, &mut breaks));
    let long = match options {
        Some(_) if breaks.is_empty() => return conversation.quality("prompt_cache_options"),
        Some(options) if lifetime(options) == Cache::Long => breaks.len(),
        Some(_) | None => breaks.iter().rposition(|life| **life == Cache::Long).unwrap_or(0),
    };
    breaks.into_iter().take(long).for_each(|life| *life = Cache::Long);
}

/// Whether options ask for the cache to be filled, and for no answer.
pub fn prewarms(options: &Value) -> bool {
    options.get("prewarm").and_then(Value::as_bool) == Some(true)
}

/// Anthropic knows five minutes and an hour: "30m" is the former, "12h" the latter.
fn lifetime(asked: &Value) -> Cache {
    match asked.get("ttl").and_then(Value::as_str) {
        Some(ttl) if ttl.ends_with('h') => Cache::Long,
        Some(_) | None => Cache::Short,
    }
}

/// A breakpoint, or those within a result.
fn gather<'a>(part: &'a mut Part, breaks: &mut Vec<&'a mut Cache>) {
    match part {
        Part::CacheBreak(cache) => breaks.push(cache),
        Part::ToolResult { parts, .. } => parts.iter_mut().for_each(|part| gather(part, breaks)),
        Part::Text(_) | Part::Refusal(_) | Part::Image { .. } | Part::Document { .. } | Part::ToolCall { .. } => {}
    }
}
