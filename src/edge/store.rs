//! Documents as the admin API reads and writes them: the object `control` decides, KV is the published copy.
//!
//! A write goes to `control` first, which alone can compare and set; then to KV; then this isolate adopts it, and the others
//! hear of it with their next flush. A write that KV refuses is taken back.
//!
//! A publication outweighs what KV shows until KV has shown it, here, or 60 s have passed: from then on KV may hold an edit
//! by other hands, and is believed.

mod pages;

pub use pages::{Mark, PAGE_MAX, Page, each_value, every_name, list, page};

use super::bindings::POLICIES;
use super::documents::{StoreDown, adopt, version_of};
use super::glue::{now, sleep};
use super::ledger_do::ask;
use super::log::warn;
use crate::domain::ledger::control::{Action, Condition, Edition, Shown, Write, outweighs};
use crate::domain::ledger::protocol::{Answer, Ask, CONTROL};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Instant, Span};
use futures::future::join;
use litemap::LiteMap;
use serde_json::json;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Display;
use worker::Env;
use worker::kv::KvStore;

/// KV takes one write per second and key: a second try after that.
const AGAIN: Span = Span(1_100);

/// A document that stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub version: String,
    pub bytes: Vec<u8>,
    /// When and by whom it was published, where `/admin` did and the store need not show it yet.
    pub published: Option<(Instant, String)>,
}

/// Who publishes what.
pub struct Publication {
    pub key: String,
    /// `None` deletes.
    pub value: Option<String>,
    pub condition: Condition,
    pub by: String,
    pub action: Action,
}

/// What this isolate knows of publications.
#[derive(Default)]
struct Known {
    /// Made here, the last [`OWN`] of them.
    own: VecDeque<u64>,
    /// By key, the last one that KV has shown here.
    shown: LiteMap<String, u64>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Publications that an isolate remembers having made or seen.
const OWN: usize = 1_000;

/// Was that publication made by this isolate?
pub fn is_own(seq: u64) -> bool {
    KNOWN.with_borrow(|known| known.own.contains(&seq))
}

fn remember_own(seq: u64) {
    KNOWN.with_borrow_mut(|known| {
        known.own.push_back(seq);
        if known.own.len() > OWN {
            known.own.pop_front();
        }
    });
}

/// Notes that KV shows a publication.
fn remember_shown(last: &Edition, shown: Option<&str>) {
    if last.version.as_deref() == shown {
        KNOWN.with_borrow_mut(|known| {
            if known.shown.len() >= OWN {
                known.shown.clear();
            }
            known.shown.insert(last.name.clone(), last.seq);
        });
    }
}

fn seq_shown(key: &str) -> u64 {
    KNOWN.with_borrow(|known| known.shown.get(key).copied().unwrap_or(0))
}

fn kv(env: &Env) -> Result<KvStore, Refusal> {
    env.kv(POLICIES).map_err(down)
}

fn down(error: impl Display) -> Refusal {
    StoreDown(error.to_string()).into()
}

/// 503: an object of the ledger does not answer.
pub fn ledger_down(why: impl Display) -> Refusal {
    Refusal::new(503, "ledger_unavailable", format!("the ledger does not answer: {why}"))
}

/// Asks `control`.
///
/// # Errors
/// 503 when it does not answer, 500 when it refuses.
pub async fn ask_control(env: &Env, question: &Ask) -> Result<Answer, Refusal> {
    match ask(env, CONTROL, question).await.map_err(ledger_down)? {
        Answer::Refused(why) => Err(Refusal::new(500, "ledger_refused", why)),
        answer => Ok(answer),
    }
}

/// What an object says that did not do what it was asked.
pub fn refusal(answer: &Answer) -> String {
    match answer {
        Answer::Refused(why) => format!("Refused({why:?})"),
        _ => "an answer to something else".to_owned(),
    }
}

/// The bytes as they are: as text they would be without a byte order mark, and with U+FFFD for what is no UTF-8.
async fn bytes_of(kv: &KvStore, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
    kv.get(key).bytes().await.map_err(down)
}

fn as_shown(bytes: &[u8]) -> Shown {
    Shown::of(version_of(bytes).to_string(), bytes)
}

/// The document that stands under a key.
///
/// # Errors
/// 503 when store or ledger do not answer.
pub async fn read(env: &Env, key: &str) -> Result<Option<Standing>, Refusal> {
    let current = Ask::Current { name: key.to_owned() };
    let kv = kv(env)?;
    let (bytes, last) = join(bytes_of(&kv, key), ask_control(env, &current)).await;
    let last = match last? {
        Answer::Editions(editions) => editions.into_iter().next(),
        _ => None,
    };
    let bytes = bytes?;
    if let Some(last) = last {
        remember_shown(&last, bytes.as_deref().map(version_of).as_deref());
        if outweighs(&last, seq_shown(&last.name), now()) {
            return Ok(Standing::of(last));
        }
    }
    Ok(bytes.map(Standing::found))
}

impl Standing {
    /// As the store shows it.
    pub fn found(bytes: Vec<u8>) -> Standing {
        Standing { version: version_of(&bytes).to_string(), bytes, published: None }
    }

    /// As it was published; `None` for a deletion, and where its bytes were not kept.
    pub fn of(edition: Edition) -> Option<Standing> {
        let published = Some((Instant(edition.at), edition.by));
        Some(Standing { version: edition.version?, bytes: edition.value?.into_bytes(), published })
    }
}

/// Whether a document could be published now.
///
/// # Errors
/// Those of [`publish`].
pub async fn may_publish(env: &Env, publication: &Publication) -> Result<(), Refusal> {
    let stored = read(env, &publication.key).await?.map(|standing| standing.version);
    match publication.condition.holds(stored.as_deref()) {
        true => Ok(()),
        false => Err(conflict(&publication.key, stored, publication.condition == Condition::Missing)),
    }
}

/// Publishes or deletes a document. What stands already is not published again: the answer is the edition by which it stands.
///
/// # Errors
/// 412 when another version is stored than the condition asks for, 503 when store or ledger do not answer; then nothing has
/// changed.
pub async fn publish(env: &Env, publication: Publication) -> Result<Edition, Refusal> {
    let Publication { key, value, condition, by, action } = publication;
    let kv = kv(env)?;
    let version = value.as_ref().map(|value| version_of(value.as_bytes()).to_string());
    let store = bytes_of(&kv, &key).await?.map(|bytes| as_shown(&bytes));
    let is_shown = store.as_ref().map(|shown| &shown.version) == version.as_ref();
    let seq_shown = seq_shown(&key);
    let must_miss = condition == Condition::Missing;
    let write = Write { name: key.clone(), value: value.clone(), version, store, seq_shown, condition, by, action };
    let (edition, is_new) = match ask_control(env, &Ask::Write(write)).await? {
        Answer::Written { edition } => (edition, true),
        Answer::Unchanged { edition } => (edition, false),
        Answer::Conflict { stored } => return Err(conflict(&key, stored, must_miss)),
        other => return Err(Refusal::new(500, "ledger_refused", refusal(&other))),
    };
    if (is_new || !is_shown)
        && let Err(refusal) = copy(&kv, &key, value.as_deref()).await
    {
        if is_new {
            // If this fails too, the version stays in the list as one that was never served.
            let _ = ask_control(env, &Ask::Undo { name: key, seq: edition.seq }).await;
        }
        return Err(refusal);
    }
    remember_own(edition.seq);
    // Where KV shows it already nothing has to be held against KV: the next edit by other hands is seen as it comes.
    let seen = bytes_of(&kv, &key).await.map(|bytes| bytes.as_deref().map(version_of));
    let settled = seen.is_ok_and(|seen| {
        remember_shown(&edition, seen.as_deref());
        seen.as_deref() == edition.version.as_deref()
    });
    let written = if settled { Instant(0) } else { Instant(edition.at) };
    adopt(&key, value.as_deref().map(str::as_bytes), written);
    Ok(edition)
}

fn conflict(key: &str, stored: Option<String>, must_miss: bool) -> Refusal {
    let message = match stored {
        Some(version) if must_miss => format!("{key} is there already: its version is {version}"),
        Some(version) => format!("{key} was changed meanwhile: its version is {version}; read it again"),
        None => format!("{key} was changed meanwhile: it does not exist; read it again"),
    };
    Refusal::new(412, "version_conflict", message)
}

/// Makes KV hold what `control` decided.
async fn copy(kv: &KvStore, key: &str, value: Option<&str>) -> Result<(), Refusal> {
    let Err(first) = write(kv, key, value).await else { return Ok(()) };
    warn("store_refused", json!({"key": key, "message": first}));
    sleep(AGAIN).await;
    write(kv, key, value).await.map_err(down)
}

async fn write(kv: &KvStore, key: &str, value: Option<&str>) -> Result<(), String> {
    let done = match value {
        Some(value) => match kv.put(key, value) {
            Ok(put) => put.execute().await,
            Err(error) => Err(error),
        },
        None => kv.delete(key).await,
    };
    done.map_err(|error| error.to_string())
}
