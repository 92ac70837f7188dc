//! Whether a target's model is still in service.

use super::Context;
use crate::domain::document::Severity;
use crate::domain::target::Target;

/// What is said of a model that is retired, or will be: how much it weighs, its message, and what to use in its place.
pub fn retirement(target: &Target, context: Context<'_>) -> Option<(Severity, String, String)> {
    let facts = context.catalogue.facts(target);
    let retired = facts.retired.as_ref()?;
    let hint = facts.successor.as_ref().map(|name| format!("use {}", successor(target, name, context)));
    let (severity, message) = match retired.as_str() <= context.today {
        true => (Severity::Warning, format!("{target} was retired on {retired}")),
        false => (Severity::Info, format!("{target} will be retired on {retired}")),
    };
    Some((severity, message, hint.unwrap_or_default()))
}

/// A successor is written as its provider names it, or as a whole reference.
fn successor(target: &Target, name: &str, context: Context<'_>) -> String {
    let here = Target { provider: target.provider.clone(), model: name.to_owned(), region: None };
    let whole = name.split_once('/').is_some_and(|(first, _)| first == "policy" || (context.provider)(first).is_some());
    if whole && !context.catalogue.knows(&here) { name.to_owned() } else { here.to_string() }
}
