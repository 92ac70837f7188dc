//! The envelope of a JSON body: what Understudy reads of it, and what goes on upstream in its place.
//!
//! ```text
//! {"model": "policy/sonnet", "understudy": {...}, "messages": [ ... ], "metadata": {"waystone": "{...}", "a": "b"}}
//!           ~~~~~~~~~~~~~~~  ------------------                        -----------------------------
//!           replaced         removed, its comma with it               one member removed, the rest stays
//! ```
//! Everything between keeps its bytes: white space, order, number formatting, escapes.

use std::ops::Range;

use crate::domain::dialect::chat::signature;
use crate::domain::policy::Param;
use crate::domain::refusal::Refusal;
use crate::domain::request::ours;
use crate::domain::request::scan::{self, Fault, Member, Scanned};
use crate::domain::request::splice::Splice;

/// Metadata of one request, in bytes of its JSON.
pub const METADATA_MAX_BYTES: usize = 16 * 1024;

/// Top-level members that only Understudy reads: they never go upstream.
const CONSUMED: [&str; 4] = ["models", "understudy", "openpipe", "requesty"];

/// Keys of `metadata` that only Understudy reads.
const CONSUMED_METADATA: [&str; 2] = ["waystone", "understudy"];

/// Members that may not come twice: upstreams differ in which of the two they take.
const ONCE: [&str; 7] = ["model", "stream", "metadata", "models", "understudy", "openpipe", "requesty"];

/// One JSON body, by position. It borrows nothing: every method takes the body it was read from.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// What `model` says, its escapes resolved.
    pub model: String,
    /// What `stream` says; false when absent or null.
    pub stream: bool,
    /// How many JSON values it holds, at whatever depth.
    pub values: usize,
    members: Vec<Named>,
    /// Members of `metadata`, when it is an object.
    metadata: Vec<Named>,
}

/// A member and its key, escapes resolved.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl Envelope {
    /// Reads a body.
    ///
    /// # Errors
    /// 400, saying where: not UTF-8, not JSON, not an object; `model` missing or no string; `stream` no boolean; a member
    /// that is read here given twice; `metadata` too large.
    pub fn parse(body: &[u8]) -> Result<Envelope, Refusal> {
        if let Err(error) = std::str::from_utf8(body) {
            return Err(not_json(body, Fault { at: error.valid_up_to(), what: "is not JSON: not UTF-8".to_owned() }));
        }
        let Scanned { members, values } = scan::document(body).map_err(|fault| not_json(body, fault))?;
        let members = named(body, members, 0);
        let all: Vec<&Named> = members.iter().collect();
        for name in ONCE {
            check_once(body, &all, name, name)?;
        }
        let model = read_model(body, &members)?;
        let stream = read_stream(body, &members)?;
        let metadata = read_metadata(body, &members)?;
        Ok(Envelope { model, stream, values, members, metadata })
    }

    /// The bytes of a top-level member's value; of the last one when it is given more than once, as parsers have it.
    pub fn value<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
        find(&self.members, name).and_then(|member| body.get(member.value.clone()))
    }

    /// The same as it goes to a hop of these params, which set or remove it.
    pub fn value_under<'a>(&self, body: &'a [u8], params: &'a [Param], name: &str) -> Option<&'a [u8]> {
        match params.iter().rev().find(|param| param.field == name) {
            Some(param) => param.value.as_ref().map(|value| value.get().as_bytes()),
            None => self.value(body, name),
        }
    }

    /// The bytes of the value of a member of `metadata`.
    pub fn metadata_value<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
        find(&self.metadata, name).and_then(|member| body.get(member.value.clone()))
    }

    /// The members of `metadata` that are the client's own and go on upstream: name and bytes of the value.
    pub fn own_metadata<'a>(&self, body: &'a [u8]) -> impl Iterator<Item = (&str, &'a [u8])> {
        self.metadata
            .iter()
            .filter(|member| !CONSUMED_METADATA.contains(&member.name.as_str()))
            .filter_map(move |member| Some((member.name.as_str(), body.get(member.value.clone())?)))
    }

    /// The body as it goes to a target of the same family: `model` replaced, what was consumed here removed, `params` set or
    /// removed, every other byte as the client sent it. Linear in the body.
    pub fn rewrite(&self, body: &[u8], model: &str, params: &[Param]) -> Vec<u8> {
        let model = serde_json::Value::from(model).to_string();
        self.spliced(body, Some(model), params)
    }

    /// The client's own body, less what was consumed here and with `params` applied: what translation starts from.
    pub fn cleaned(&self, body: &[u8], params: &[Param]) -> Vec<u8> {
        self.spliced(body, None, params)
    }

    /// The parameter that makes a chat upstream send its token counts at the end of a stream, other stream options kept;
    /// `None` when the client asks for them itself.
    pub fn usage_param(&self, body: &[u8]) -> Option<Param> {
        let sent = self.value(body, "stream_options").and_then(|bytes| serde_json::from_slice(bytes).ok());
        let mut options: serde_json::Map<String, serde_json::Value> = sent.unwrap_or_default();
        if options.get("include_usage") == Some(&serde_json::Value::Bool(true)) {
            return None;
        }
        options.insert("include_usage".to_owned(), true.into());
        let value = serde_json::value::to_raw_value(&options).ok()?;
        Some(Param { field: "stream_options".to_owned(), value: Some(value) })
    }

    /// The `input` of a Responses request in place of one that has items which were made here; `None` for any other.
    pub fn input_param(&self, body: &[u8]) -> Option<Param> {
        let value = ours::left_out(self.value(body, "input")?)?;
        Some(Param { field: "input".to_owned(), value: Some(value) })
    }

    /// The `messages` of a chat request, signed for Gemini 3; `None` where they lack nothing.
    pub fn signed_param(&self, body: &[u8]) -> Option<Param> {
        let value = signature::signed(self.value(body, "messages")?)?;
        Some(Param { field: "messages".to_owned(), value: Some(value) })
    }

    fn spliced(&self, body: &[u8], model: Option<String>, params: &[Param]) -> Vec<u8> {
        let mut splice = Splice::new(self.members.iter().map(|member| (member.key.start, member.value.end)));
        for (index, member) in self.members.iter().enumerate() {
            let param = params.iter().rev().find(|param| param.field == member.name);
            match (member.name.as_str(), param) {
                ("model", _) => {
                    if let Some(model) = &model {
                        splice.replace(index, member.value.clone(), model.clone());
                    }
                }
                (name, _) if CONSUMED.contains(&name) => splice.remove(index),
                (_, Some(Param { value: Some(value), .. })) => {
                    splice.replace(index, member.value.clone(), value.get().to_owned());
                }
                (_, Some(Param { value: None, .. })) => splice.remove(index),
                ("metadata", None) => self.splice_metadata(&mut splice, index, member, body),
                (_, None) => {}
            }
        }
        for (index, param) in params.iter().enumerate() {
            let repeated = params.iter().skip(index + 1).any(|later| later.field == param.field);
            // A client's own member of that name was replaced above, but for those that were consumed.
            let placed = find(&self.members, &param.field).is_some() && !CONSUMED.contains(&param.field.as_str());
            if let Some(value) = &param.value
                && !repeated
                && !placed
            {
                let key = serde_json::Value::from(param.field.as_str());
                splice.append(format!("{key}:{}", value.get()));
            }
        }
        splice.apply(body)
    }

    fn splice_metadata(&self, splice: &mut Splice, index: usize, member: &Named, body: &[u8]) {
        let ours = |named: &Named| CONSUMED_METADATA.contains(&named.name.as_str());
        if !self.metadata.iter().any(ours) {
            return;
        }
        if self.metadata.iter().all(ours) {
            return splice.remove(index);
        }
        let mut inner = Splice::new(self.metadata.iter().map(|named| (named.key.start, named.value.end)));
        for (at, named) in self.metadata.iter().enumerate() {
            if ours(named) {
                inner.remove(at);
            }
        }
        let rest = inner.apply_within(body, member.value.clone());
        splice.replace(index, member.value.clone(), String::from_utf8_lossy(&rest).into_owned());
    }
}

/// A 400 that says at which line, column and byte the body stops being JSON, or JSON that is taken.
fn not_json(body: &[u8], fault: Fault) -> Refusal {
    Refusal::new(400, "invalid_json", format!("the body {} at {}", fault.what, place(body, fault.at)))
}

/// `line 3 column 5 (byte 42)`; lines and columns count from 1, columns in bytes.
fn place(body: &[u8], at: usize) -> String {
    let before = body.get(..at).unwrap_or(body);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
    format!("line {line} column {column} (byte {at})")
}

fn named(body: &[u8], members: Vec<Member>, offset: usize) -> Vec<Named> {
    let shift = |range: Range<usize>| range.start + offset..range.end + offset;
    let named = |Member { key, value }| {
        let (key, value) = (shift(key), shift(value));
        Named { name: unquoted(body.get(key.clone()).unwrap_or_default()).unwrap_or_default(), key, value }
    };
    members.into_iter().map(named).collect()
}

/// The text of a JSON string. `None` for half of a surrogate pair, which no text can hold: such a key is none of ours.
fn unquoted(quoted: &[u8]) -> Option<String> {
    serde_json::from_slice(quoted).ok()
}

/// The last member of a name, as parsers that allow repetition have it.
fn find<'a>(members: &'a [Named], name: &str) -> Option<&'a Named> {
    members.iter().rev().find(|member| member.name == name)
}

fn check_once(body: &[u8], members: &[&Named], name: &str, path: &str) -> Result<(), Refusal> {
    match members.iter().filter(|member| member.name == name).nth(1) {
        None => Ok(()),
        Some(second) => {
            let at = place(body, second.key.start);
            Err(Refusal::field("duplicate_parameter", path, format!("given twice, the second time at {at}")))
        }
    }
}

fn read_model(body: &[u8], members: &[Named]) -> Result<String, Refusal> {
    let Some(member) = find(members, "model") else {
        let message = "model: missing from the top level of the JSON body";
        return Err(Refusal::new(400, "missing_required_parameter", message).about("model"));
    };
    let value = body.get(member.value.clone()).unwrap_or_default();
    unquoted(value).ok_or_else(|| wrong_type(body, member, "model", "a string"))
}

fn read_stream(body: &[u8], members: &[Named]) -> Result<bool, Refusal> {
    let Some(member) = find(members, "stream") else { return Ok(false) };
    match body.get(member.value.clone()) {
        Some(b"true") => Ok(true),
        Some(b"false" | b"null") => Ok(false),
        _ => Err(wrong_type(body, member, "stream", "true or false")),
    }
}

fn read_metadata(body: &[u8], members: &[Named]) -> Result<Vec<Named>, Refusal> {
    let Some(member) = find(members, "metadata") else { return Ok(Vec::new()) };
    let value = body.get(member.value.clone()).unwrap_or_default();
    if value.len() > METADATA_MAX_BYTES {
        let message = format!("{} bytes, at most {METADATA_MAX_BYTES} are taken", value.len());
        return Err(Refusal::value("metadata", message));
    }
    if value.first() != Some(&b'{') {
        return Ok(Vec::new());
    }
    let inner = scan::document(value)
        .map_err(|fault| not_json(body, Fault { at: fault.at + member.value.start, what: fault.what }))?;
    let inner = named(body, inner.members, member.value.start);
    let all: Vec<&Named> = inner.iter().collect();
    for name in CONSUMED_METADATA {
        check_once(body, &all, name, &format!("metadata.{name}"))?;
    }
    Ok(inner)
}

fn wrong_type(body: &[u8], member: &Named, name: &str, expected: &str) -> Refusal {
    let kind = match body.get(member.value.start) {
        Some(b'"') => "a string that is not Unicode text",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    let kind = if kind.starts_with("a string") && expected != "a string" { "a string" } else { kind };
    let at = place(body, member.value.start);
    Refusal::field("invalid_type", name, format!("expected {expected}, got {kind} at {at}"))
}
