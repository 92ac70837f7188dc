//! What OpenAI's clients say of caching for the whole of a request, `prompt_cache_options`: it is said of the breakpoints that
//! stand in the content, and means nothing where there are none.

use crate::domain::dialect::conversation::{Cache, Conversation, Part};
use crate::domain::dialect::drops::says_nothing;
use serde_json::Value;

/// Gives every breakpoint the life that the options ask for; without any, they are left out.
pub fn settle(conversation: &mut Conversation, options: Option<&Value>) {
    let Some(options) = options.filter(|options| !says_nothing(options)) else { return };
    let cache = lifetime(options);
    let turns = conversation.turns.iter_mut().flat_map(|turn| &mut turn.parts);
    let marked = turns.chain(&mut conversation.system).fold(false, |marked, part| mark(part, cache) || marked);
    if !marked {
        conversation.quality("prompt_cache_options");
    }
}

/// Anthropic knows five minutes and an hour: "30m" is the former.
fn lifetime(options: &Value) -> Cache {
    match options.get("ttl").and_then(Value::as_str) {
        Some(ttl) if ttl.ends_with('h') => Cache::Long,
        Some(_) | None => Cache::Short,
    }
}

/// Whether it is a breakpoint, or a result with one inside.
fn mark(part: &mut Part, cache: Cache) -> bool {
    match part {
        Part::CacheBreak(life) => {
            *life = cache;
            true
        }
        Part::ToolResult { parts, .. } => parts.iter_mut().fold(false, |marked, part| mark(part, cache) || marked),
        Part::Text(_) | Part::Image { .. } | Part::Document { .. } | Part::ToolCall { .. } => false,
    }
}
