//! Items that were made here, in the `input` of a Responses request: answers of other families were written as items of this
//! one, and come back with the conversation. No server that speaks Responses knows them, and OpenAI's looks some up by their id
//! (404 "Item with id 'rs_...' not found"): one answer of another family would be all that the conversation ever gets.
//!
//! ```text
//! {"type":"reasoning","id":"rs_us_...", ...}        left out: a summary alone is nothing to a model
//! {"type":"message","id":"msg_us_...", ...}         without its id; calls of tools the same
//! {"type":"item_reference","id":"msg_us_..."}       refused: the item itself is what is wanted
//! ```

use crate::domain::dialect::responses::output::MADE;
use crate::domain::request::scan;
use crate::domain::request::splice::Splice;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What is looked at of an item.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
}

const REFERENCE: &str = "item_reference";

/// An `input` without what was made here; `None` where nothing of it was. Other items keep their bytes.
pub fn left_out(input: &[u8]) -> Option<Box<RawValue>> {
    memmem::find(input, MADE.as_bytes())?;
    let items: Vec<&RawValue> = serde_json::from_slice(input).ok()?;
    let mut found = false;
    let mut kept: Vec<Cow<'_, str>> = Vec::with_capacity(items.len());
    for item in items.into_iter().map(RawValue::get) {
        match made(item) {
            Some(kind) => {
                found = true;
                kept.extend((kind != "reasoning").then(|| without_id(item)));
            }
            None => kept.push(Cow::from(item)),
        }
    }
    found.then(|| RawValue::from_string(format!("[{}]", kept.join(","))).ok()).flatten()
}

/// The id of an item that was made here, where an `input` names one in place of the item itself.
pub fn named(input: &[u8]) -> Option<String> {
    memmem::find(input, MADE.as_bytes())?;
    let items: Vec<&RawValue> = serde_json::from_slice(input).ok()?;
    let named = items.into_iter().map(RawValue::get).find(|item| made(item).as_deref() == Some(REFERENCE))?;
    serde_json::from_str::<Item<'_>>(named).ok()?.id.map(Cow::into_owned)
}

/// The type of an item that was made here. A reference need not say that it is one: it is what has neither type nor role.
fn made(item: &str) -> Option<Cow<'_, str>> {
    let Item { id, kind, role } = serde_json::from_str(item).ok()?;
    let (_, tail) = id.as_deref()?.split_once('_')?;
    let untold = || Cow::from(if role.is_some() { "message" } else { REFERENCE });
    tail.starts_with(MADE.trim_start_matches('_')).then(|| kind.unwrap_or_else(untold))
}

fn without_id(item: &str) -> Cow<'_, str> {
    let bytes = item.as_bytes();
    let Ok(scanned) = scan::document(bytes) else { return Cow::from(item) };
    let mut splice = Splice::new(scanned.members.iter().map(|member| (member.key.start, member.value.end)));
    for (index, member) in scanned.members.iter().enumerate() {
        if bytes.get(member.key.clone()) == Some(b"\"id\"") {
            splice.remove(index);
        }
    }
    Cow::from(String::from_utf8_lossy(&splice.apply(bytes)).into_owned())
}
