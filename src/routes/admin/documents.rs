//! Policies, providers, rules and models: read, published, rolled back, each the same way.

use super::{Asked, Failure, bad_param, candidates, checks, fields};
use crate::domain::document::json::shown;
use crate::domain::document::path::quoted;
use crate::domain::document::{BadDocument, Finding, Kind};
use crate::domain::documents;
use crate::domain::ledger::control::{Action, Audit, Condition, DOCUMENT_BYTES, Edition};
use crate::domain::ledger::protocol::{Answer, Ask};
use crate::domain::ledger::when::format_time;
use crate::domain::policy::file::HopFile;
use crate::domain::policy::resolve;
use crate::domain::provider::table;
use crate::domain::refusal::Refusal;
use crate::domain::time::Instant;
use crate::edge::glue::now;
use crate::edge::library::Library;
use crate::edge::store::{self, Mark, Page, Publication, Standing};
use crate::routes::reply::Reply;
use litemap::LiteMap;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Entries of the audit trail in one answer, when the query does not say, and at most.
const AUDIT: (u32, u32) = (100, 1_000);

/// A document as it is given: its own JSON, and why it does not serve where it does not.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    version: &'a str,
    document: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

impl<'a> Shown<'a> {
    fn of(name: &'a str, standing: &'a Standing, error: Option<BadDocument>) -> Shown<'a> {
        Shown {
            name,
            version: &standing.version,
            error: error.map(|bad| bad.to_string()),
            document: serde_json::from_slice(&standing.bytes).ok(),
            updated_at: standing.published.as_ref().map(|(at, _)| format_time(*at)),
            updated_by: standing.published.as_ref().map(|(_, by)| by.as_str()),
            findings: None,
            dry_run: false,
        }
    }
}

/// By what documents are judged that stand in the store.
struct Judge {
    own_host: Option<String>,
    /// What they lead to, where they are policies.
    library: Library,
}

impl Judge {
    async fn of(asked: &Asked<'_>, kind: Kind, all: impl Iterator<Item = (&str, &Standing)>) -> Result<Judge, Failure> {
        let mut library = candidates::library(asked);
        if kind == Kind::Policy {
            let hold = |(name, standing): (&str, &Standing)| library.hold(name, &standing.bytes, &standing.version);
            let hops: Vec<HopFile> = all.flat_map(hold).collect();
            library.gather(asked.env, None, &hops).await?;
            library.gather_providers(asked.env, &[]).await?;
        }
        Ok(Judge { own_host: candidates::own_host(asked), library })
    }

    /// Why requests that need it are refused, if they are.
    fn error(&self, kind: Kind, name: &str, standing: &Standing) -> Option<BadDocument> {
        let bytes = &standing.bytes;
        let unreadable = documents::unreadable(kind, name, bytes, self.own_host.as_deref());
        let leads = || self.library.world(|world| resolve::read(name, bytes, world).err());
        unreadable.or_else(|| if kind == Kind::Policy { leads() } else { None })
    }
}

/// One document as it stands.
async fn shown_alone<'a>(
    asked: &Asked<'_>,
    kind: Kind,
    name: &'a str,
    standing: &'a Standing,
) -> Result<Shown<'a>, Failure> {
    let judge = Judge::of(asked, kind, std::iter::once((name, standing))).await?;
    Ok(Shown::of(label(kind, name), standing, judge.error(kind, name, standing)))
}

fn tagged(reply: Reply, version: &str) -> Reply {
    reply.header("etag", &format!("\"{version}\""))
}

/// Documents of a kind: all of them, unless there are more than one page holds.
pub async fn list(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    if kind == Kind::Provider {
        let all = store::list(asked.env, kind.prefix()).await?;
        return Ok(Reply::json(200, &json!({"data": super::targets::providers(asked, &all).await?})));
    }
    let page = page(asked, kind.prefix()).await?;
    let all = || page.documents.iter().map(|(name, standing)| (name.as_str(), standing));
    let judge = Judge::of(asked, kind, all()).await?;
    let line = |(name, standing)| json!(Shown::of(name, standing, judge.error(kind, name, standing)));
    let lines: Vec<Value> = all().map(line).collect();
    Ok(Reply::json(200, &json!({"data": lines, "next": page.next.as_ref().map(Mark::written)})))
}

/// The page of documents that `limit` and `after` ask for.
pub async fn page(asked: &Asked<'_>, prefix: &str) -> Result<Page, Failure> {
    let limit = number(asked, "limit", store::PAGE_MAX as u64)?.map_or(store::PAGE_MAX, |limit| limit as usize);
    let unknown = |text: &str| bad_param("after", format!("{} is not the next of another page", quoted(text)));
    let after = asked.param("after").map(|text| Mark::parse(text).ok_or_else(|| unknown(text))).transpose()?;
    Ok(store::page(asked.env, prefix, limit, after.as_ref()).await?)
}

/// A whole number of the query, from 1 on.
fn number(asked: &Asked<'_>, name: &str, most: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = asked.param(name) else { return Ok(None) };
    let number = text.parse::<u64>().ok().filter(|number| (1..=most).contains(number));
    number.map(Some).ok_or_else(|| bad_param(name, format!("{} is not in 1..={most}", quoted(text))))
}

/// One document.
pub async fn read(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    let name = name(asked, kind)?;
    match store::read(asked.env, &kind.key(name)).await? {
        Some(standing) => {
            let shown = shown_alone(asked, kind, name, &standing).await?;
            Ok(tagged(Reply::json(200, &shown), &standing.version))
        }
        None if kind == Kind::Provider && table::is_built_in(name) => {
            let all = super::targets::providers(asked, &LiteMap::new()).await?;
            let line = all.into_iter().find(|line| line["name"] == name);
            Ok(Reply::json(200, &line))
        }
        None => Err(Failure::missing(kind, name)),
    }
}

fn name<'a>(asked: &'a Asked<'_>, kind: Kind) -> Result<&'a str, Failure> {
    let name = match kind {
        Kind::Policy | Kind::Provider | Kind::Key => asked.segment(0),
        Kind::Rules | Kind::Models | Kind::Request => "",
    };
    checks::name(kind, name)?;
    Ok(name)
}

fn label(kind: Kind, name: &str) -> &str {
    if name.is_empty() { kind.name() } else { name }
}

/// Publishes a document, unless a finding forbids it.
pub async fn put(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    let name = name(asked, kind)?;
    let text = document_text(&asked.body)?;
    publish(asked, kind, name, text, Action::Put).await
}

fn document_text(body: &[u8]) -> Result<&str, Failure> {
    if body.len() > DOCUMENT_BYTES {
        let message = format!("a document has at most {DOCUMENT_BYTES} bytes, this one has {}", body.len());
        return Err(Refusal::new(413, "document_too_large", message).into());
    }
    std::str::from_utf8(body).map_err(|_| Refusal::new(400, "invalid_json", "the body is not UTF-8").into())
}

async fn publish(asked: &Asked<'_>, kind: Kind, name: &str, text: &str, action: Action) -> Result<Reply, Failure> {
    let dry_run = asked.is_dry_run()?;
    let findings = checks::document(asked, kind, name, text.as_bytes()).await?;
    let mut standing = Standing::found(text.as_bytes().to_vec());
    let publication = publication(asked, kind, name, Some(text), action);
    if dry_run {
        store::may_publish(asked.env, &publication).await?;
    } else {
        let edition = store::publish(asked.env, publication).await?;
        standing.published = Some((Instant(edition.at), edition.by));
    }
    let shown = Shown { findings: Some(&findings), dry_run, ..Shown::of(label(kind, name), &standing, None) };
    Ok(tagged(Reply::json(200, &shown), &standing.version))
}

fn publication(asked: &Asked<'_>, kind: Kind, name: &str, value: Option<&str>, action: Action) -> Publication {
    let condition = Condition::parse(asked.header("if-match").as_deref(), asked.header("if-none-match").as_deref());
    Publication { key: kind.key(name), value: value.map(str::to_owned), condition, by: asked.who.clone(), action }
}

/// Deletes a document.
pub async fn delete(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    let name = name(asked, kind)?;
    if store::read(asked.env, &kind.key(name)).await?.is_none() {
        return Err(Failure::missing(kind, name));
    }
    store::publish(asked.env, publication(asked, kind, name, None, Action::Delete)).await?;
    Ok(Reply::empty(204))
}

/// The last versions of a document, newest first.
pub async fn versions(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    let name = name(asked, kind)?;
    let key = kind.key(name);
    let editions = editions(asked, Ask::Versions { name: key.clone() }).await?;
    let standing = store::read(asked.env, &key).await?;
    if editions.is_empty() && standing.is_none() {
        return Err(Failure::missing(kind, name));
    }
    Ok(Reply::json(200, &json!({"data": version_lines(&editions, standing.as_ref())})))
}

/// The editions, and before them what stands in the store without being one: an edit by other hands.
fn version_lines(editions: &[Edition], standing: Option<&Standing>) -> Vec<Value> {
    let current = standing.map(|standing| standing.version.as_str());
    let known = editions.iter().position(|edition| edition.version.as_deref() == current);
    let line = |(i, edition): (usize, &Edition)| {
        json!({
            "version": edition.version, "at": format_time(Instant(edition.at)), "by": edition.by,
            "action": edition.action.name(), "current": Some(i) == known,
        })
    };
    let found = current
        .filter(|_| known.is_none())
        .map(|version| json!({"version": version, "at": null, "by": "store", "action": "found", "current": true}));
    found.into_iter().chain(editions.iter().enumerate().map(line)).collect()
}

async fn editions(asked: &Asked<'_>, question: Ask) -> Result<Vec<Edition>, Failure> {
    match store::ask_control(asked.env, &question).await? {
        Answer::Editions(editions) => Ok(editions),
        _ => Ok(Vec::new()),
    }
}

/// One version, with its document.
pub async fn version(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    let name = name(asked, kind)?;
    let wanted = asked.segments.last().map_or("", String::as_str);
    let standing = edition(asked, kind, name, wanted).await?;
    Ok(Reply::json(200, &shown_alone(asked, kind, name, &standing).await?))
}

async fn edition(asked: &Asked<'_>, kind: Kind, name: &str, version: &str) -> Result<Standing, Failure> {
    let question = Ask::Version { name: kind.key(name), version: version.to_ascii_lowercase() };
    let found = editions(asked, question).await?.into_iter().next();
    let found = found.ok_or_else(|| {
        let message = format!("version {version:?} is not among the last versions of {}", label(kind, name));
        Refusal::new(404, "version_not_found", message)
    })?;
    Standing::of(found).ok_or_else(|| {
        let message = format!(
            "version {version:?} of {} was not kept: it was put beside /admin, and is no UTF-8 or has more than {DOCUMENT_BYTES} bytes",
            label(kind, name)
        );
        Refusal::new(404, "version_not_kept", message).into()
    })
}

/// Publishes an earlier version again: `{"version": "1f3a9c02"}`, or without it the one before the current.
pub async fn rollback(asked: &Asked<'_>, kind: Kind) -> Result<Reply, Failure> {
    let name = name(asked, kind)?;
    let body = if asked.body.trim_ascii().is_empty() { json!({}) } else { asked.json()? };
    let body = fields(body, &["version"])?;
    let wanted = match body.get("version") {
        Some(Value::String(version)) => version.clone(),
        Some(other) => return Err(Refusal::value("version", format!("{} is not a string", shown(other))).into()),
        None => previous(asked, kind, name).await?,
    };
    let standing = edition(asked, kind, name, &wanted).await?;
    publish(asked, kind, name, document_text(&standing.bytes)?, Action::Rollback).await
}

/// The version that stood before the one that stands.
async fn previous(asked: &Asked<'_>, kind: Kind, name: &str) -> Result<String, Failure> {
    let editions = editions(asked, Ask::Versions { name: kind.key(name) }).await?;
    let current = store::read(asked.env, &kind.key(name)).await?.map(|standing| standing.version);
    let earlier =
        editions.into_iter().filter_map(|edition| edition.version).find(|version| Some(version) != current.as_ref());
    earlier.ok_or_else(|| {
        Refusal::new(404, "version_not_found", format!("there is no earlier version of {}", label(kind, name))).into()
    })
}

/// Who changed what, newest first.
pub async fn audit(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let before = number(asked, "before", u64::MAX)?;
    let limit = number(asked, "limit", AUDIT.1.into())?.map_or(AUDIT.0, |limit| limit as u32);
    let entries = match store::ask_control(asked.env, &Ask::Audit { before, limit }).await? {
        Answer::Audit(entries) => entries,
        _ => Vec::new(),
    };
    let next = entries.last().filter(|_| entries.len() as u32 == limit).map(|last| last.seq);
    let line = |entry: &Audit| {
        json!({
            "at": format_time(Instant(entry.at)), "by": entry.by, "action": entry.action, "name": entry.name,
            "before": entry.before, "after": entry.after,
        })
    };
    Ok(Reply::json(
        200,
        &json!({"data": entries.iter().map(line).collect::<Vec<_>>(), "next": next, "at": format_time(now())}),
    ))
}
