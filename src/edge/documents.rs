//! Documents of KV, kept in the isolate.
//!
//! ```text
//! policy:<name>   provider:<name>   key:<sha256 hex>   rules   models
//! ```
//! A copy is read again when it is older than `POLICY_TTL_MS`; that a document is missing is remembered just so. A bad edit
//! never replaces the last good copy, and a store that fails never takes one away. What `/admin` wrote, here or (told by a
//! ledger flush) elsewhere, is served at once and kept until KV shows that version or [`ADOPTED`] has passed.
//!
//! Only plain data is shared between requests: two requests that miss at once both read, since awaiting another request's
//! promise is an error on this platform.

use super::bindings::{POLICIES, settings};
use super::body::message_of;
use super::glue::{now, recent};
use super::line::within;
use crate::domain::redact::redact_name;
use crate::domain::time::{Instant, Span};
use sha2::{Digest, Sha256};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use worker::Env;
use worker::kv::KvError;

/// How many documents an isolate keeps; the least recently used goes first.
const MOST: usize = 1_000;
/// How long a read may take where a copy can be served in its place.
const PATIENCE: Span = Span(1_000);
/// How long it may take where none can.
const LONG_PATIENCE: Span = Span(10_000);
/// How long a write through `/admin` stands before KV is believed again.
const ADOPTED: Span = Span(60_000);

/// How long a copy that is being read again is served meanwhile. No reader of a copy takes longer; one that was cut off with its
/// client gives nothing back, and must not keep an edit from being seen.
const READING: Span = PATIENCE;

/// What the store holds under a name.
pub enum Loaded<T> {
    Missing,
    /// The document, or its last good copy while a bad edit stands.
    Good {
        value: Rc<T>,
        version: Rc<str>,
        stale: bool,
    },
    /// It does not parse and no good copy is known; the message names field, value and expectation.
    Bad(String),
}

/// A document in force, and whether a bad edit of it stands in the store.
pub struct InForce<T> {
    pub value: Rc<T>,
    pub stale: bool,
}

impl<T: Default> Default for InForce<T> {
    fn default() -> InForce<T> {
        InForce { value: Rc::default(), stale: false }
    }
}

/// The store did not answer and no copy is known.
#[derive(Debug)]
pub struct StoreDown(pub String);

/// A write through `/admin` that KV need not show yet.
struct Adopted {
    until: Instant,
    version: Option<Rc<str>>,
    /// The bytes, until the next reader has parsed them.
    bytes: Option<Option<Vec<u8>>>,
}

#[derive(Default)]
struct Entry {
    read_at: Instant,
    /// Until then one request reads it again, and the others need not wait for KV, nor ask it each.
    reading_until: Instant,
    used: u64,
    /// Version of the bytes last seen; `None` when the document is missing.
    seen: Option<Rc<str>>,
    good: Option<(Rc<dyn Any>, Rc<str>)>,
    /// Why the bytes last seen do not parse.
    error: Option<String>,
    adopted: Option<Adopted>,
    /// When the read began whose answer this is, or when it was adopted: a read that began before brings nothing newer.
    asked_at: Instant,
}

#[derive(Default)]
struct Copies {
    entries: HashMap<String, Entry>,
    tick: u64,
    /// How often what is served has changed.
    changes: u64,
    /// How often that was by a write through `/admin`.
    adopted: u64,
}

/// How long what was made of some documents stands.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    changes: u64,
    until: Instant,
}

impl Stand {
    /// Of what was made of the documents under these keys: until one of them is due to be read again, or any changes.
    /// `changes` is [`changes`] as it was before the first of them was loaded: what changed meanwhile may not be in it.
    pub fn of<'a>(env: &Env, changes: u64, keys: impl Iterator<Item = &'a str>) -> Stand {
        let ttl = settings(env).policy_ttl;
        COPIES.with_borrow(|copies| {
            let due = |key| copies.entries.get(key).map_or(Instant(0), |entry| entry.read_at + ttl);
            Stand { changes, until: keys.map(due).min().unwrap_or_default() }
        })
    }

    /// Whether it still does.
    pub fn holds(self) -> bool {
        recent() < self.until && changes() == self.changes
    }
}

/// How often what is served here has changed.
pub fn changes() -> u64 {
    COPIES.with_borrow(|copies| copies.changes)
}

thread_local! {
    static COPIES: RefCell<Copies> = RefCell::default();
}

/// Reads a document through the isolate's copy. `parse` runs once per version.
///
/// # Errors
/// [`StoreDown`] when KV fails and there is no copy.
pub async fn load<T: 'static>(
    env: &Env,
    key: &str,
    parse: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<Loaded<T>, StoreDown> {
    let ttl = settings(env).policy_ttl;
    if let Some(fresh) = COPIES.with_borrow_mut(|copies| copies.fresh(key, recent(), ttl, &parse)) {
        return Ok(fresh);
    }
    let (has_copy, asked) = (COPIES.with_borrow(|copies| copies.has(key)), now());
    let read = within(if has_copy { PATIENCE } else { LONG_PATIENCE }, read(env, key)).await;
    COPIES.with_borrow_mut(|copies| match read.unwrap_or_else(|| Err("no answer in time".to_owned())) {
        Ok(bytes) => Ok(copies.read(key, bytes.as_deref(), (asked, now()), &parse)),
        Err(error) => copies.survive(key, now()).ok_or_else(|| {
            let document = if key.starts_with("key:") { "the key" } else { key };
            StoreDown(format!("{document}: {error}"))
        }),
    })
}

async fn read(env: &Env, key: &str) -> Result<Option<Vec<u8>>, String> {
    let kv = env.kv(POLICIES).map_err(|error| error.to_string())?;
    kv.get(key).bytes().await.map_err(|error| match error {
        KvError::JavaScript(thrown) => message_of(&thrown),
        other => other.to_string(),
    })
}

/// Serves these bytes under `key` from now on (`None`: deleted), and until a minute after they were written in KV's place,
/// unless it shows them before.
pub fn adopt(key: &str, bytes: Option<&[u8]>, written: Instant) {
    COPIES.with_borrow_mut(|copies| {
        let version = bytes.map(version_of);
        let entry = copies.touch(key);
        entry.adopted = Some(Adopted { until: written + ADOPTED, version, bytes: Some(bytes.map(<[u8]>::to_vec)) });
        entry.asked_at = now();
        copies.changes += 1;
        copies.adopted += 1;
    });
}

/// Why the bytes last seen of a document do not parse, if they do not.
pub fn wrong_with(key: &str) -> Option<String> {
    COPIES.with_borrow(|copies| copies.entries.get(key)?.error.clone())
}

/// How many writes through `/admin` were adopted here: what was read of the store before the last may not have it.
pub fn adopted() -> u64 {
    COPIES.with_borrow(|copies| copies.adopted)
}

/// The first 8 hex digits of the SHA-256 of the stored bytes.
pub fn version_of(bytes: &[u8]) -> Rc<str> {
    base16ct::lower::encode_string(&Sha256::digest(bytes)[..4]).into()
}

/// Logs that a document as it stands cannot be used.
pub fn warn_invalid(key: &str, message: &str, has_good_copy: bool) {
    // A key that stands where it does not belong is not said.
    let message = redact_name(message, &[]);
    let kept = if has_good_copy { "the last good copy keeps serving" } else { "no good copy is known" };
    worker::console_warn!(
        "{}",
        serde_json::json!({"event": "document_invalid", "key": key, "message": message, "kept": kept})
    );
}

impl Copies {
    /// The copy, where it is young enough to be served unread.
    fn fresh<T: 'static>(
        &mut self,
        key: &str,
        now: Instant,
        ttl: Span,
        parse: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> Option<Loaded<T>> {
        let entry = self.entries.get_mut(key)?;
        self.tick += 1;
        entry.used = self.tick;
        if let Some(bytes) = entry.adopted.as_mut().and_then(|adopted| adopted.bytes.take()) {
            entry.take(key, bytes.as_deref(), parse);
            entry.read_at = now;
            self.changes += 1;
        }
        let young = now.since(entry.read_at) < ttl || (ttl > Span(0) && now < entry.reading_until);
        if entry.read_at > Instant(0) && young {
            return Some(entry.answer());
        }
        entry.reading_until = now + READING;
        None
    }

    /// What KV says now, asked a while ago.
    fn read<T: 'static>(
        &mut self,
        key: &str,
        bytes: Option<&[u8]>,
        (asked, now): (Instant, Instant),
        parse: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> Loaded<T> {
        let entry = self.touch(key);
        let overtaken = asked < entry.asked_at;
        let unsettled = |adopted: &Adopted| now < adopted.until && adopted.version != bytes.map(version_of);
        let behind = overtaken || entry.adopted.as_ref().is_some_and(unsettled);
        match overtaken {
            true => entry.read_at = entry.read_at.max(entry.asked_at),
            false => (entry.read_at, entry.asked_at) = (now, asked),
        }
        let changed = match behind {
            true => entry.take_adopted(key, parse),
            false => {
                entry.adopted = None;
                entry.take(key, bytes, parse)
            }
        };
        let answer = entry.answer();
        self.changes += u64::from(changed);
        answer
    }

    fn has(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.read_at > Instant(0))
    }

    /// The copy, whatever its age, when KV does not answer; and no question again until it is as old as it may become.
    fn survive<T: 'static>(&mut self, key: &str, now: Instant) -> Option<Loaded<T>> {
        let entry = self.entries.get_mut(key).filter(|entry| entry.read_at > Instant(0))?;
        entry.read_at = now;
        Some(entry.answer())
    }

    fn touch(&mut self, key: &str) -> &mut Entry {
        self.tick += 1;
        if self.entries.len() >= MOST && !self.entries.contains_key(key) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            oldest.map(|key| self.entries.remove(&key));
        }
        let entry = self.entries.entry(key.to_owned()).or_default();
        entry.used = self.tick;
        entry
    }
}

impl Entry {
    /// Takes in what was written through `/admin`, where no reader has yet; true when that is not what was seen before.
    fn take_adopted<T: 'static>(&mut self, key: &str, parse: &impl Fn(&[u8]) -> Result<T, String>) -> bool {
        let bytes = self.adopted.as_mut().and_then(|adopted| adopted.bytes.take());
        bytes.is_some_and(|bytes| self.take(key, bytes.as_deref(), parse))
    }

    /// Takes in what the store holds; true when that is not what was seen before.
    fn take<T: 'static>(
        &mut self,
        key: &str,
        bytes: Option<&[u8]>,
        parse: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> bool {
        let version = bytes.map(version_of);
        if version == self.seen && (version.is_some() || self.good.is_none()) {
            return false;
        }
        self.seen.clone_from(&version);
        self.error = None;
        let (Some(bytes), Some(version)) = (bytes, version) else {
            self.good = None;
            return true;
        };
        match parse(bytes) {
            Ok(value) => self.good = Some((Rc::new(value), version)),
            Err(error) => {
                warn_invalid(key, &error, self.good.is_some());
                self.error = Some(error);
            }
        }
        true
    }

    fn answer<T: 'static>(&self) -> Loaded<T> {
        let good = self
            .good
            .as_ref()
            .and_then(|(value, version)| Some((value.clone().downcast::<T>().ok()?, version.clone())));
        match (good, &self.error) {
            (Some((value, version)), error) => Loaded::Good { value, version, stale: error.is_some() },
            (None, Some(error)) => Loaded::Bad(error.clone()),
            (None, None) => Loaded::Missing,
        }
    }
}
