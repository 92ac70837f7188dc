//! Documents as the admin API reads and writes them: the object `control` decides, KV is the published copy.
//!
//! A write goes to `control` first, which alone can compare and set; then to KV; then this isolate adopts it, and the others
//! hear of it with their next flush. A write that KV refuses is taken back.
//!
//! A publication outweighs what KV shows until KV has shown it, here, or 60 s have passed: from then on KV may hold an edit
//! by other hands, and is believed.

use super::bindings::POLICIES;
use super::documents::{adopt, version_of};
use super::glue::{now, sleep};
use super::keys::store_down;
use super::ledger_do::ask;
use crate::domain::ledger::control::{Action, Condition, Edition, Shown, Write, outweighs};
use crate::domain::ledger::protocol::{Answer, Ask, CONTROL};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Instant, Span};
use futures::future::join;
use litemap::LiteMap;
use std::cell::RefCell;
use std::collections::VecDeque;
use worker::Env;
use worker::kv::KvStore;

/// KV takes one write per second and key: a second try after that.
const AGAIN: Span = Span(1_100);
/// Documents of one page at most. The platform bounds what one request may read.
pub const PAGE_MAX: usize = 10_000;
/// Names that the platform lists in one call.
const NAMES: usize = 1_000;
/// Names that the platform reads in one call.
const BULK: usize = 100;

/// A document that stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub version: String,
    pub value: String,
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
fn remember_shown(last: &Edition, shown: Option<&Shown>) {
    if last.version.as_deref() == shown.map(|shown| shown.version.as_str()) {
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
    env.kv(POLICIES).map_err(|error| store_down(&error.to_string()))
}

fn ledger_down(error: &worker::Error) -> Refusal {
    Refusal::new(503, "ledger_unavailable", format!("the ledger does not answer: {error}"))
}

/// Asks `control`.
///
/// # Errors
/// 503 when it does not answer, 500 when it refuses.
pub async fn ask_control(env: &Env, question: &Ask) -> Result<Answer, Refusal> {
    match ask(env, CONTROL, question).await.map_err(|error| ledger_down(&error))? {
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

async fn shown(env: &Env, key: &str) -> Result<Option<Shown>, Refusal> {
    let value = kv(env)?.get(key).text().await.map_err(|error| store_down(&error.to_string()))?;
    Ok(value.map(|value| Shown { version: version_of(value.as_bytes()).to_string(), value }))
}

/// The document that stands under a key.
///
/// # Errors
/// 503 when store or ledger do not answer.
pub async fn read(env: &Env, key: &str) -> Result<Option<Standing>, Refusal> {
    let current = Ask::Current { name: key.to_owned() };
    let (shown, last) = join(shown(env, key), ask_control(env, &current)).await;
    let last = match last? {
        Answer::Editions(editions) => editions.into_iter().next(),
        _ => None,
    };
    let shown = shown?;
    if let Some(last) = last {
        remember_shown(&last, shown.as_ref());
        if outweighs(&last, seq_shown(&last.name), now()) {
            return Ok(standing(last));
        }
    }
    Ok(shown.map(|shown| Standing { version: shown.version, value: shown.value, published: None }))
}

fn standing(edition: Edition) -> Option<Standing> {
    let published = Some((Instant(edition.at), edition.by));
    Some(Standing { version: edition.version?, value: edition.value?, published })
}

/// Documents in the order of their names.
#[derive(Debug, Default)]
pub struct Page {
    /// By the rest of their keys.
    pub documents: LiteMap<String, Standing>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Mark>,
}

/// Where a page ended: the last name of it, and how the store finds its way back there.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    name: String,
    cursor: String,
}

impl Mark {
    /// Reads what [`Mark::written`] wrote.
    pub fn parse(written: &str) -> Option<Mark> {
        let (cursor, name) = written.split_once('~').filter(|(cursor, _)| !cursor.is_empty())?;
        Some(Mark { name: name.to_owned(), cursor: cursor.to_owned() })
    }

    /// The cursor as it is given out.
    pub fn written(&self) -> String {
        format!("{}~{}", self.cursor, self.name)
    }
}

/// Every document whose key begins with `prefix`, by the rest of its key.
///
/// # Errors
/// 503 when store or ledger do not answer.
pub async fn list(env: &Env, prefix: &str) -> Result<LiteMap<String, Standing>, Refusal> {
    let (mut all, mut after) = (LiteMap::new(), None);
    loop {
        let page = page(env, prefix, PAGE_MAX, after.as_ref()).await?;
        all.extend(page.documents);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// A page of the documents whose key begins with `prefix`.
///
/// # Errors
/// 400 for a mark that no page gave out, 503 when store or ledger do not answer.
pub async fn page(env: &Env, prefix: &str, limit: usize, after: Option<&Mark>) -> Result<Page, Refusal> {
    let (stored, recent) = join(stored(env, prefix, limit, after), ask_control(env, &Ask::Recent)).await;
    let mut page = stored?;
    if let Answer::Editions(editions) = recent? {
        for edition in editions.into_iter().filter(|last| outweighs(last, seq_shown(&last.name), now())) {
            let Some(name) = edition.name.strip_prefix(prefix).map(str::to_owned) else { continue };
            // What the store does not list yet is on the page where it will be.
            let is_here = after.is_none_or(|after| name > after.name);
            if !is_here || page.next.as_ref().is_some_and(|next| name > next.name) {
                continue;
            }
            match standing(edition) {
                Some(standing) => page.documents.insert(name, standing),
                None => page.documents.remove(&name),
            };
        }
    }
    Ok(page)
}

async fn stored(env: &Env, prefix: &str, limit: usize, after: Option<&Mark>) -> Result<Page, Refusal> {
    let kv = kv(env)?;
    let (names, cursor) = names(&kv, prefix, limit, after.map(|mark| mark.cursor.clone())).await?;
    let last = names.last().and_then(|name| name.strip_prefix(prefix)).unwrap_or_default().to_owned();
    let mut all = LiteMap::new();
    let take = |name: String, value: String| {
        if let Some(name) = name.strip_prefix(prefix) {
            let version = version_of(value.as_bytes()).to_string();
            all.insert(name.to_owned(), Standing { version, value, published: None });
        }
    };
    each_value(env, &names, take).await?;
    Ok(Page { documents: all, next: cursor.map(|cursor| Mark { name: last, cursor }) })
}

/// Hands over each of these keys that has a value, with it.
///
/// # Errors
/// 503 when the store does not answer.
pub async fn each_value(env: &Env, keys: &[String], mut take: impl FnMut(String, String)) -> Result<(), Refusal> {
    let kv = kv(env)?;
    for chunk in keys.chunks(BULK) {
        let values = kv.get_bulk(chunk).text().await.map_err(|error| store_down(&error.to_string()))?;
        values.into_iter().filter_map(|(key, value)| Some((key, value?))).for_each(|(key, value)| take(key, value));
    }
    Ok(())
}

/// What follows `prefix` in every key that begins with it.
///
/// # Errors
/// 503 when the store does not answer.
pub async fn every_name(env: &Env, prefix: &str) -> Result<Vec<String>, Refusal> {
    let (keys, _) = names(&kv(env)?, prefix, usize::MAX, None).await?;
    Ok(keys.iter().filter_map(|key| key.strip_prefix(prefix).map(str::to_owned)).collect())
}

/// Names, and how to go on behind them.
async fn names(
    kv: &KvStore,
    prefix: &str,
    limit: usize,
    after: Option<String>,
) -> Result<(Vec<String>, Option<String>), Refusal> {
    let (mut names, mut cursor) = (Vec::new(), after);
    loop {
        let most = NAMES.min(limit - names.len());
        let mut list = kv.list().prefix(prefix.to_owned()).limit(most as u64);
        let given = cursor.clone();
        if let Some(cursor) = cursor {
            list = list.cursor(cursor);
        }
        let page = match list.execute().await {
            Ok(page) => page,
            Err(error) => return Err(unlisted(kv, &given, &error).await),
        };
        names.extend(page.keys.into_iter().map(|key| key.name));
        cursor = page.cursor.filter(|cursor| !cursor.is_empty() && !page.list_complete);
        if cursor.is_none() || names.len() >= limit {
            return Ok((names, cursor));
        }
    }
}

/// Why names are not listed. The store says no more of a cursor that it did not make than of anything else: it is the cursor
/// when it lists without one.
async fn unlisted(kv: &KvStore, cursor: &Option<String>, error: &worker::kv::KvError) -> Refusal {
    match cursor.is_some() && kv.list().limit(1).execute().await.is_ok() {
        true => Refusal::field("invalid_parameter", "after", "not the next of another page"),
        false => store_down(&error.to_string()),
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
        false => Err(conflict(&publication.key, stored)),
    }
}

/// Publishes or deletes a document.
///
/// # Errors
/// 412 when another version is stored than the condition asks for, 503 when store or ledger do not answer; then nothing has
/// changed.
pub async fn publish(env: &Env, publication: Publication) -> Result<Edition, Refusal> {
    let Publication { key, value, condition, by, action } = publication;
    let version = value.as_ref().map(|value| version_of(value.as_bytes()).to_string());
    let store = shown(env, &key).await?;
    let seq_shown = seq_shown(&key);
    let write = Write { name: key.clone(), value: value.clone(), version, store, seq_shown, condition, by, action };
    let edition = match ask_control(env, &Ask::Write(write)).await? {
        Answer::Written { edition } => edition,
        Answer::Conflict { stored } => return Err(conflict(&key, stored)),
        other => return Err(Refusal::new(500, "ledger_refused", refusal(&other))),
    };
    if let Err(refusal) = copy(env, &key, value.as_deref()).await {
        // If this fails too, the version stays in the list as one that was never served.
        let _ = ask_control(env, &Ask::Undo { name: key, seq: edition.seq }).await;
        return Err(refusal);
    }
    remember_own(edition.seq);
    // Where KV shows it already nothing has to be held against KV: the next edit by other hands is seen as it comes.
    let seen = shown(env, &key).await.ok();
    let settled = seen.is_some_and(|shown| {
        remember_shown(&edition, shown.as_ref());
        shown.map(|shown| shown.version) == edition.version
    });
    let written = if settled { Instant(0) } else { Instant(edition.at) };
    adopt(&key, value.as_deref().map(str::as_bytes), written);
    Ok(edition)
}

fn conflict(key: &str, stored: Option<String>) -> Refusal {
    let now = stored.map_or("it does not exist".to_owned(), |version| format!("its version is {version}"));
    Refusal::new(412, "version_conflict", format!("{key} was changed meanwhile: {now}; read it again"))
}

/// Makes KV hold what `control` decided.
async fn copy(env: &Env, key: &str, value: Option<&str>) -> Result<(), Refusal> {
    let kv = kv(env)?;
    let Err(first) = write(&kv, key, value).await else { return Ok(()) };
    worker::console_warn!("{}", serde_json::json!({"event": "store_refused", "key": key, "message": first}));
    sleep(AGAIN).await;
    write(&kv, key, value).await.map_err(|error| store_down(&error))
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
