//! Whether a target's model is still in service.

use super::Context;
use crate::domain::target::Target;

/// What is said of a model that is retired, or will be, or has a successor: the message, and what to use in its place.
pub fn retirement(target: &Target, context: Context<'_>) -> Option<(String, String)> {
    let facts = context.catalogue.facts(target);
    let next = facts.successor.as_ref().map(|name| successor(target, name, context));
    let message = match (&facts.retired, &next) {
        (Some(retired), _) if retired.as_str() <= context.today => format!("{target} was retired on {retired}"),
        (Some(retired), _) => format!("{target} will be retired on {retired}"),
        (None, Some(next)) => format!("{target} is succeeded by {next}"),
        (None, None) => return None,
    };
    Some((message, next.map(|next| format!("use {next}")).unwrap_or_default()))
}

/// A successor is written as its provider names it, or as a whole reference.
fn successor(target: &Target, name: &str, context: Context<'_>) -> String {
    let here = Target { provider: target.provider.clone(), model: name.to_owned(), region: None };
    let whole = name.split_once('/').is_some_and(|(first, _)| first == "policy" || (context.provider)(first).is_some());
    if whole && !context.catalogue.knows(&here) { name.to_owned() } else { here.to_string() }
}
