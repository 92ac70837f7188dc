//! Documents of KV, kept in the isolate.
//!
//! ```text
//! policy:<name>   provider:<name>   key:<sha256 hex>   rules   models
//! ```
//! A copy is read again when it is older than `POLICY_TTL_MS`. Which copy is served is decided in `domain/copies.rs`; here KV is read,
//! and what cannot be used is logged. What `/admin` wrote elsewhere comes with a ledger flush.
//!
//! Only plain data is shared between requests: two requests that miss at once both read, since awaiting another request's
//! promise is an error on this platform.

pub use crate::domain::copies::{Loaded, version_of};

use super::bindings::{POLICIES, settings};
use super::body::message_of;
use super::glue::{now, recent};
use super::line::within;
use super::log::warn;
use crate::domain::copies::{Answer, Copies, READING};
use crate::domain::document::{BadDocument, Kind};
use crate::domain::redact::redact_name;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Instant, Span};
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;
use worker::Env;
use worker::kv::KvError;

/// How long a read may take where a copy can be served in its place.
const PATIENCE: Span = READING;
/// How long it may take where none can.
const LONG_PATIENCE: Span = Span(10_000);

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

impl From<StoreDown> for Refusal {
    fn from(StoreDown(error): StoreDown) -> Refusal {
        let message =
            format!("the policy store does not answer and this isolate has no copy of what the request needs: {error}");
        Refusal::new(503, "store_unavailable", message)
    }
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
        let until = COPIES.with_borrow(|copies| keys.map(|key| copies.due(key, ttl)).min());
        Stand { changes, until: until.unwrap_or_default() }
    }

    /// Whether it still does.
    pub fn holds(self) -> bool {
        recent() < self.until && changes() == self.changes
    }
}

/// How often what is served here has changed.
pub fn changes() -> u64 {
    COPIES.with_borrow(Copies::changes)
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
        return Ok(logged(key, fresh));
    }
    let (has_copy, asked) = (COPIES.with_borrow(|copies| copies.has(key)), now());
    let read = within(if has_copy { PATIENCE } else { LONG_PATIENCE }, read(env, key)).await;
    match read.unwrap_or_else(|| Err("no answer in time".to_owned())) {
        Ok(bytes) => {
            let read = |copies: &mut Copies| copies.read(key, bytes.as_deref(), (asked, now()), &parse);
            Ok(logged(key, COPIES.with_borrow_mut(read)))
        }
        Err(error) => COPIES.with_borrow_mut(|copies| copies.survive(key, now())).ok_or_else(|| {
            let document = if key.starts_with(Kind::Key.prefix()) { "the key" } else { key };
            StoreDown(format!("{document}: {error}"))
        }),
    }
}

/// A document of which there is one, as it is in force; its default where it is not stored.
///
/// # Errors
/// 500 for one that does not parse and has no good copy, 503 when the store is down.
pub async fn in_force<T: Default + 'static>(
    env: &Env,
    kind: Kind,
    parse: impl Fn(&[u8]) -> Result<T, BadDocument>,
) -> Result<InForce<T>, Refusal> {
    match load(env, &kind.key(""), |bytes| parse(bytes).map_err(|bad| bad.to_string())).await? {
        Loaded::Good { value, stale, .. } => Ok(InForce { value, stale }),
        Loaded::Missing => Ok(InForce::default()),
        Loaded::Bad(message) => Err(Refusal::new(500, kind.error_code(), message)),
    }
}

fn logged<T>(key: &str, answer: Answer<T>) -> Loaded<T> {
    if let Some(unusable) = answer.unusable {
        warn_invalid(key, &unusable.message, unusable.has_good_copy);
    }
    answer.loaded
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
    COPIES.with_borrow_mut(|copies| copies.adopt(key, bytes, written, now()));
}

/// Why the bytes last seen of a document do not parse, if they do not.
pub fn wrong_with(key: &str) -> Option<String> {
    COPIES.with_borrow(|copies| copies.wrong_with(key))
}

/// How many writes through `/admin` were adopted here: what was read of the store before the last may not have it.
pub fn adopted() -> u64 {
    COPIES.with_borrow(Copies::adopted)
}

/// Logs that a document as it stands cannot be used.
pub fn warn_invalid(key: &str, message: &str, has_good_copy: bool) {
    // A key that stands where it does not belong is not said.
    let message = redact_name(message, &[]);
    let kept = if has_good_copy { "the last good copy keeps serving" } else { "no good copy is known" };
    warn("document_invalid", json!({"key": key, "message": message, "kept": kept}));
}
