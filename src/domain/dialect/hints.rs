//! What OpenAI's clients say of caching for the whole of a request, `prompt_cache_options`: it is said of the breakpoints that
//! stand in the content, and means nothing where there are none.

use crate::domain::dialect::conversation::{Cache, Conversation, Part};
use crate::domain::dialect::drops::says_nothing;
use serde_json::Value;

/// Gives every breakpoint the life that the options ask for; without any, they are left out.
pub fn settle(conversation: &mut Conversation, options: Option<&Value>) {
    let Some(options) = options.filter(|options| !says_nothing(options)) else { return };
    let mut breaks: Vec<&mut Cache> = Vec::new();
    let turns = conversation.turns.iter_mut().flat_map(|turn| &mut turn.parts);
    turns.chain(&mut conversation.system).for_each(|part| gather(part, &mut breaks));
    if breaks.is_empty() {
        return conversation.quality("prompt_cache_options");
    }
    let cache = lifetime(options);
    breaks.into_iter().for_each(|life| *life = cache);
}

/// Anthropic knows five minutes and an hour: "30m" is the former.
fn lifetime(options: &Value) -> Cache {
    match options.get("ttl").and_then(Value::as_str) {
        Some(ttl) if ttl.ends_with('h') => Cache::Long,
        Some(_) | None => Cache::Short,
    }
}

/// A breakpoint, or those within a result.
fn gather<'a>(part: &'a mut Part, breaks: &mut Vec<&'a mut Cache>) {
    match part {
        Part::CacheBreak(cache) => breaks.push(cache),
        Part::ToolResult { parts, .. } => parts.iter_mut().for_each(|part| gather(part, breaks)),
        Part::Text(_) | Part::Image { .. } | Part::Document { .. } | Part::ToolCall { .. } => {}
    }
}
