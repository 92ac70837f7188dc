//! Hops and chains written as text: `deepseek/reasoner → nebius/DeepSeek-R1 (1 retry)`.

use crate::domain::document::path::quoted;
use crate::domain::target::{BadModel, ModelRef};

/// The most hops that a chain may list.
pub const MAX_HOPS: usize = 16;

/// The most further tries of one hop.
pub const MAX_RETRIES: u32 = 10;

/// What was meant where a model has a space.
const EXPECTED: &str = "a/b (1 retry), in a chain a/b -> c/d (1 retry)";

/// A model as a hop may name it. Whether its provider exists is asked when the policy is resolved.
pub fn check_model(written: &str) -> Result<(), String> {
    match ModelRef::parse(written, "openai", |_| true) {
        Ok(_) | Err(BadModel::UnknownProvider(_)) => Ok(()),
        Err(BadModel::Invalid(message)) => Err(message),
        Err(BadModel::BadPolicyName(name)) => {
            Err(format!("{} is not a policy name ([A-Za-z0-9][A-Za-z0-9._-]{{0,63}})", quoted(&name)))
        }
    }
}

/// A hop as text: its model, and its retries where it names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopText<'a> {
    pub model: &'a str,
    pub retries: Option<u32>,
}

/// Reads one hop: `model`, `model (1 retry)`, `model(2 retries)`.
///
/// # Errors
/// A message with the value and what was expected.
pub fn parse_hop(written: &str) -> Result<HopText<'_>, String> {
    let written = written.trim();
    if written.contains("->") || written.contains('→') {
        return Err(format!("{} names several hops; expected one hop per entry", quoted(written)));
    }
    let (model, retries) = match split_retries(written) {
        Some((model, count)) => (model, Some(parse_retries(count)?)),
        None => (written, None),
    };
    if retries.is_some() && split_retries(model).is_some() {
        return Err(format!("{} names its retries twice; expected one number of retries", quoted(written)));
    }
    check_model(model).map_err(|message| match model.contains(' ') {
        true => format!("{message}; expected {EXPECTED}"),
        false => message,
    })?;
    if model.starts_with("policy/") && retries.is_some() {
        return Err(format!("{} gives retries to a hop that names a policy; set them in the policy", quoted(written)));
    }
    Ok(HopText { model, retries })
}

/// Reads a whole chain: hops with `→` or `->` between them.
///
/// # Errors
/// A message with the value and what was expected.
pub fn parse_chain(written: &str) -> Result<Vec<HopText<'_>>, String> {
    let mut hops = Vec::new();
    for part in parts(written) {
        if part.trim().is_empty() {
            return Err(format!("{} has an empty hop; expected a model on both sides of each arrow", quoted(written)));
        }
        if hops.len() == MAX_HOPS {
            return Err(format!("{} names more than {MAX_HOPS} hops", quoted(written)));
        }
        hops.push(parse_hop(part)?);
    }
    Ok(hops)
}

fn parts(written: &str) -> impl Iterator<Item = &str> {
    written.split('→').flat_map(|part| part.split("->"))
}

/// Whether some hop of a text that is no chain has a model that is none, whatever else is wrong with it.
pub fn names_no_model(written: &str) -> bool {
    models(written).any(|model| check_model(model).is_err())
}

/// The models of a chain, whatever else is wrong with it.
pub fn models(written: &str) -> impl Iterator<Item = &str> {
    parts(written).map(model)
}

/// The model of a hop, whatever its retries.
pub fn model(hop: &str) -> &str {
    let hop = hop.trim();
    split_retries(hop).map_or(hop, |(model, _)| model)
}

/// [`parse_hop`] for its verdict alone.
///
/// # Errors
/// As [`parse_hop`].
pub fn check_hop(written: &str) -> Result<(), String> {
    parse_hop(written).map(drop)
}

/// [`parse_chain`] for its verdict alone.
///
/// # Errors
/// As [`parse_chain`].
pub fn check_chain(written: &str) -> Result<(), String> {
    parse_chain(written).map(drop)
}

/// `model (n retries)` in two, when it ends so. A model may end in other parentheses.
fn split_retries(written: &str) -> Option<(&str, &str)> {
    let (model, inside) = written.strip_suffix(')')?.rsplit_once('(')?;
    let inside = inside.trim();
    let count = inside.strip_suffix("retries").or_else(|| inside.strip_suffix("retry"))?;
    Some((model.trim_end(), count.trim()))
}

fn parse_retries(count: &str) -> Result<u32, String> {
    let bad = || format!("{} retries are not in 0..={MAX_RETRIES}", quoted(count).trim_matches('"'));
    match count.parse::<u32>() {
        Ok(n) if n <= MAX_RETRIES && count.bytes().all(|b| b.is_ascii_digit()) => Ok(n),
        Ok(_) | Err(_) => Err(bad()),
    }
}
