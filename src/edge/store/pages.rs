//! Many documents at once: their names, and what stands under them, page by page.

use super::{Standing, ask_control, bytes_of, down, kv, seq_shown};
use crate::domain::ledger::control::outweighs;
use crate::domain::ledger::protocol::{Answer, Ask};
use crate::domain::refusal::Refusal;
use crate::edge::glue::now;
use futures::future::{join, try_join_all};
use litemap::LiteMap;
use worker::Env;
use worker::kv::KvStore;

/// Documents of one page at most. The platform bounds what one request may read.
pub const PAGE_MAX: usize = 10_000;
/// Names that the platform lists in one call.
const NAMES: usize = 1_000;
/// Names that the platform reads in one call.
const BULK: usize = 100;

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
            match Standing::of(edition) {
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
    for (name, bytes) in each_bytes(env, &kv, names).await? {
        if let Some(name) = name.strip_prefix(prefix) {
            all.insert(name.to_owned(), Standing::found(bytes));
        }
    }
    Ok(Page { documents: all, next: cursor.map(|cursor| Mark { name: last, cursor }) })
}

/// These keys that have a value, with its bytes. One by one as long as there are no more than [`BULK`]: in bulk the platform gives
/// text, of which a byte order mark is gone; what was no UTF-8 shows, and is read again.
async fn each_bytes(env: &Env, kv: &KvStore, mut keys: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let mut all = Vec::new();
    if keys.len() > BULK {
        let mut unsure = Vec::new();
        let take = |key, value: String| match value.contains(char::REPLACEMENT_CHARACTER) {
            true => unsure.push(key),
            false => all.push((key, value.into_bytes())),
        };
        each_value(env, &keys, take).await?;
        keys = unsure;
    }
    let read = keys.into_iter().map(|key| async move { Ok::<_, Refusal>((bytes_of(kv, &key).await?, key)) });
    let read: Vec<(Option<Vec<u8>>, String)> = try_join_all(read).await?;
    all.extend(read.into_iter().filter_map(|(bytes, key)| Some((key, bytes?))));
    Ok(all)
}

/// Hands over each of these keys that has a value, with it.
///
/// # Errors
/// 503 when the store does not answer.
pub async fn each_value(env: &Env, keys: &[String], mut take: impl FnMut(String, String)) -> Result<(), Refusal> {
    let kv = kv(env)?;
    for chunk in keys.chunks(BULK) {
        let values = kv.get_bulk(chunk).text().await.map_err(down)?;
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
        false => down(error),
    }
}
