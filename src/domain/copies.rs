//! Copies of stored documents, as one isolate keeps them: which is served, and when it is read again.
//!
//! ```text
//! fresh(now)          a copy that is young enough, or one that another request is reading again
//! read(bytes, when)   what the store said; overtaken by a write meanwhile, it brings nothing newer
//! adopt(bytes)        what /admin wrote, here or elsewhere: served at once, and kept until the store shows it or ADOPTED has passed
//! survive(now)        the copy, whatever its age, when the store does not answer
//! ```
//! A bad edit never replaces the last good copy. That a document is missing is remembered as a document is.

use crate::domain::time::{Instant, Span};
use sha2::{Digest, Sha256};
use std::any::Any;
use std::collections::HashMap;
use std::rc::Rc;

/// How many documents an isolate keeps; the least recently used goes first.
pub const MOST: usize = 1_000;
/// How long a write through `/admin` stands before the store is believed again.
pub const ADOPTED: Span = Span(60_000);
/// How long a copy that is being read again is served meanwhile. No reader of a copy takes longer; one that was cut off with its
/// client gives nothing back, and must not keep an edit from being seen.
pub const READING: Span = Span(1_000);

/// What the store holds under a name.
#[derive(Debug)]
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

/// What is served, and what is to be logged of it.
#[derive(Debug)]
pub struct Answer<T> {
    pub loaded: Loaded<T>,
    pub unusable: Option<Unusable>,
}

/// Bytes that were just seen do not parse.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    pub message: String,
    pub has_good_copy: bool,
}

/// A write through `/admin` that the store need not show yet.
struct Adopted {
    until: Instant,
    version: Option<Rc<str>>,
    /// The bytes, until the next reader has parsed them.
    bytes: Option<Option<Vec<u8>>>,
}

#[derive(Default)]
struct Entry {
    read_at: Instant,
    /// Until then one request reads it again, and the others need not wait for the store, nor ask it each.
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

/// All copies of an isolate.
#[derive(Default)]
pub struct Copies {
    entries: HashMap<String, Entry>,
    tick: u64,
    changes: u64,
    adopted: u64,
}

/// The first 8 hex digits of the SHA-256 of the stored bytes.
pub fn version_of(bytes: &[u8]) -> Rc<str> {
    base16ct::lower::encode_string(&Sha256::digest(bytes)[..4]).into()
}

impl Copies {
    /// How often what is served has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How often that was by a write through `/admin`.
    pub fn adopted(&self) -> u64 {
        self.adopted
    }

    /// Why the bytes last seen of a document do not parse, if they do not.
    pub fn wrong_with(&self, key: &str) -> Option<String> {
        self.entries.get(key)?.error.clone()
    }

    /// When the copy is to be read again; at once where there is none.
    pub fn due(&self, key: &str, ttl: Span) -> Instant {
        self.entries.get(key).map_or(Instant(0), |entry| entry.read_at + ttl)
    }

    /// Whether there is a copy, of whatever age.
    pub fn has(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(Entry::is_read)
    }

    /// Serves these bytes from now on (`None`: deleted), and until a minute after they were written in the store's place, unless
    /// it shows them before.
    pub fn adopt(&mut self, key: &str, bytes: Option<&[u8]>, written: Instant, now: Instant) {
        let version = bytes.map(version_of);
        let entry = self.touch(key);
        entry.adopted = Some(Adopted { until: written + ADOPTED, version, bytes: Some(bytes.map(<[u8]>::to_vec)) });
        entry.asked_at = now;
        self.changes += 1;
        self.adopted += 1;
    }

    /// The copy, where it is young enough to be served unread. Where it is not, the asker is the one who reads.
    pub fn fresh<T: 'static>(
        &mut self,
        key: &str,
        now: Instant,
        ttl: Span,
        parse: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> Option<Answer<T>> {
        let entry = self.entries.get_mut(key)?;
        self.tick += 1;
        entry.used = self.tick;
        let mut unusable = None;
        if let Some(bytes) = entry.adopted.as_mut().and_then(|adopted| adopted.bytes.take()) {
            unusable = entry.take(bytes.as_deref(), parse).1;
            entry.read_at = now;
            self.changes += 1;
        }
        let young = now.since(entry.read_at) < ttl || (ttl > Span(0) && now < entry.reading_until);
        if entry.is_read() && young {
            return Some(Answer { loaded: entry.loaded(), unusable });
        }
        entry.reading_until = now + READING;
        None
    }

    /// What the store says now, asked a while ago.
    pub fn read<T: 'static>(
        &mut self,
        key: &str,
        bytes: Option<&[u8]>,
        (asked, now): (Instant, Instant),
        parse: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> Answer<T> {
        let entry = self.touch(key);
        let overtaken = asked < entry.asked_at;
        let unsettled = |adopted: &Adopted| now < adopted.until && adopted.version != bytes.map(version_of);
        let behind = overtaken || entry.adopted.as_ref().is_some_and(unsettled);
        match overtaken {
            true => entry.read_at = entry.read_at.max(entry.asked_at),
            false => (entry.read_at, entry.asked_at) = (now, asked),
        }
        let (changed, unusable) = match behind {
            true => entry.take_adopted(parse),
            false => {
                entry.adopted = None;
                entry.take(bytes, parse)
            }
        };
        let loaded = entry.loaded();
        self.changes += u64::from(changed);
        Answer { loaded, unusable }
    }

    /// The copy, whatever its age, when the store does not answer; and no question again until it is as old as it may become.
    pub fn survive<T: 'static>(&mut self, key: &str, now: Instant) -> Option<Loaded<T>> {
        let entry = self.entries.get_mut(key).filter(|entry| entry.is_read())?;
        entry.read_at = now;
        Some(entry.loaded())
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
    fn is_read(&self) -> bool {
        self.read_at > Instant(0)
    }

    /// Takes in what was written through `/admin`, where no reader has yet.
    fn take_adopted<T: 'static>(&mut self, parse: &impl Fn(&[u8]) -> Result<T, String>) -> (bool, Option<Unusable>) {
        let bytes = self.adopted.as_mut().and_then(|adopted| adopted.bytes.take());
        bytes.map_or((false, None), |bytes| self.take(bytes.as_deref(), parse))
    }

    /// Takes in what the store holds; whether that is not what was seen before, and why it cannot be used.
    fn take<T: 'static>(
        &mut self,
        bytes: Option<&[u8]>,
        parse: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> (bool, Option<Unusable>) {
        let version = bytes.map(version_of);
        if version == self.seen && (version.is_some() || self.good.is_none()) {
            return (false, None);
        }
        self.seen.clone_from(&version);
        self.error = None;
        let (Some(bytes), Some(version)) = (bytes, version) else {
            self.good = None;
            return (true, None);
        };
        match parse(bytes) {
            Ok(value) => {
                self.good = Some((Rc::new(value), version));
                (true, None)
            }
            Err(message) => {
                self.error = Some(message.clone());
                (true, Some(Unusable { message, has_good_copy: self.good.is_some() }))
            }
        }
    }

    fn loaded<T: 'static>(&self) -> Loaded<T> {
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
