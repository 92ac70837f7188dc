//! Gateway keys: made, listed, changed, deleted; provider keys of their owners, sealed; what they used.
//!
//! The key itself is in one answer only, that of its creation. Elsewhere a key is its id, the SHA-256 of its text; sealed
//! provider keys are given by their providers' names.

use super::{Asked, Failure, documents, fields};
use crate::domain::crypto::Place;
use crate::domain::document::{Kind, json};
use crate::domain::key;
use crate::domain::ledger::analytics::usd;
use crate::domain::ledger::control::{Action, Condition, Usage, day_of};
use crate::domain::ledger::protocol::{Answer, Ask};
use crate::domain::ledger::when::{format_time, parse_time};
use crate::domain::provider::table;
use crate::domain::refusal::Refusal;
use crate::domain::target::is_provider_name;
use crate::domain::time::Span;
use crate::edge::glue::{now, random};
use crate::edge::keys::kek;
use crate::edge::recorder;
use crate::edge::store::{self, Mark, Publication, Standing};
use crate::routes::reply::Reply;
use serde_json::{Map, Value, json};

/// How often a change is made in all, where others write between its read and its write.
const TRIES: u32 = 5;
/// How far back the usage by day goes.
const USAGE_DAYS: Span = Span::days(90);

/// The id in the path: 64 hex digits.
fn id<'a>(asked: &'a Asked<'_>) -> Result<&'a str, Failure> {
    let id = asked.segment(0);
    let is_id = id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_id { Ok(id) } else { Err(missing(id)) }
}

fn missing(id: &str) -> Failure {
    let shown: String = id.chars().take(64).collect();
    // Someone may have put the key itself where its id belongs: it is not repeated.
    let shown = if shown.starts_with(key::PREFIX) { "us-...".to_owned() } else { shown };
    Refusal::new(404, "key_not_found", format!("there is no gateway key with id {shown:?}")).into()
}

async fn stored(asked: &Asked<'_>, id: &str) -> Result<Standing, Failure> {
    store::read(asked.env, &Kind::Key.key(id)).await?.ok_or_else(|| missing(id))
}

/// With its document, as an object.
async fn standing(asked: &Asked<'_>, id: &str) -> Result<(Map<String, Value>, Standing), Failure> {
    let standing = stored(asked, id).await?;
    match serde_json::from_slice(&standing.bytes) {
        Ok(document) => Ok((document, standing)),
        Err(error) => Err(Refusal::new(500, "key_invalid", format!("key {id:?} is not a JSON object: {error}")).into()),
    }
}

/// A key as it is shown: sealed keys by provider alone.
fn shown(id: &str, document: &Map<String, Value>) -> Value {
    let mut line = Map::new();
    line.insert("id".into(), id.into());
    line.extend(document.iter().filter(|(name, _)| *name != "own").map(|(name, value)| (name.clone(), value.clone())));
    let own = document.get("own").and_then(Value::as_object);
    line.insert("own".into(), own.into_iter().flat_map(Map::keys).map(|name| Value::from(name.as_str())).collect());
    // Whoever wrote the document, and however.
    in_rfc_3339(&mut line);
    Value::Object(line)
}

/// The same of a stored key, with what is wrong with its document: requests with it are refused, saying so.
fn as_stored(id: &str, standing: &Standing) -> Value {
    let mut line = match serde_json::from_slice(&standing.bytes) {
        Ok(document) => shown(id, &document),
        Err(_) => json!({"id": id, "name": null}),
    };
    if let Err(bad) = key::parse(id, &standing.bytes) {
        line["error"] = bad.to_string().into();
    }
    line
}

/// Gateway keys, all of them unless there are very many; each page by name.
pub async fn list(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let page = documents::page(asked, Kind::Key.prefix()).await?;
    let mut lines: Vec<Value> = page.documents.iter().map(|(id, standing)| as_stored(id, standing)).collect();
    lines.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    Ok(Reply::json(200, &json!({"data": lines, "next": page.next.as_ref().map(Mark::written)})))
}

/// One gateway key.
pub async fn read(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let id = id(asked)?;
    let standing = stored(asked, id).await?;
    Ok(Reply::json(200, &as_stored(id, &standing)).header("etag", &format!("\"{}\"", standing.version)))
}

/// Makes a key. Its text is in this answer alone.
pub async fn create(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let mut document = object(asked)?;
    // A document as the store holds one: where it brings no provider key, there is none to seal.
    if document.get("own").is_some_and(|own| own.is_null() || own.as_object().is_some_and(Map::is_empty)) {
        document.shift_remove("own");
    }
    own_is_sealed_apart(&document)?;
    in_rfc_3339(&mut document);
    document.insert("created_at".into(), format_time(now()).into());
    let secret = random().ok_or_else(|| Refusal::new(500, "no_randomness", "the platform gives no randomness"))?;
    let text = key::generate(secret);
    let id = key::hash(&text);
    publish(asked, &id, &document, Condition::Missing).await?;
    let mut answer = shown(&id, &document);
    answer["key"] = text.into();
    Ok(Reply::json(201, &answer))
}

fn object(asked: &Asked<'_>) -> Result<Map<String, Value>, Failure> {
    let body = asked.json()?;
    // Of a field that is given twice the last would count: an `allow` that its writer does not see.
    if let Err(found) = json::parse(&asked.body, Kind::Key, "") {
        let first = found.into_vec().into_iter().next().map(|first| (first.path, first.message));
        return Err(match first.unwrap_or_default() {
            (path, message) if path.is_empty() => {
                Refusal::new(400, "invalid_json", format!("the body {message}")).into()
            }
            (path, message) => Refusal::value(&path, message).into(),
        });
    }
    match body {
        Value::Object(map) => Ok(map),
        _ => Err(Refusal::new(400, "invalid_json", "the body is not a JSON object").into()),
    }
}

fn own_is_sealed_apart(document: &Map<String, Value>) -> Result<(), Failure> {
    let Some(field) = ["own", "id", "key"].into_iter().find(|field| document.contains_key(*field)) else {
        return Ok(());
    };
    let message = match field {
        "own" => "own: provider keys are put one by one, at /admin/keys/{id}/own/{provider}",
        _ => "id and key are made here",
    };
    Err(Refusal { param: Some(field.to_owned()), ..Refusal::new(400, "invalid_value", message) }.into())
}

/// Times come in as RFC 3339 or Unix ms and are kept as the former; what is neither is left for the check to refuse.
fn in_rfc_3339(document: &mut Map<String, Value>) {
    let Some(given) = document.get_mut("expires_at") else { return };
    let text = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    if let Some(at) = parse_time(&text) {
        *given = format_time(at).into();
    }
}

/// Checks a key's document and publishes it.
async fn publish(
    asked: &Asked<'_>,
    id: &str,
    document: &Map<String, Value>,
    condition: Condition,
) -> Result<String, Failure> {
    let text = Value::Object(document.clone()).to_string();
    // Of a key in the making nobody knows the id.
    let known = if condition == Condition::Missing { "" } else { id };
    key::parse(known, text.as_bytes()).map_err(|bad| Failure::findings(&bad))?;
    let publication = Publication {
        key: Kind::Key.key(id),
        value: Some(text),
        condition,
        by: asked.who.clone(),
        action: Action::Put,
    };
    Ok(store::publish(asked.env, publication).await?.version.unwrap_or_default())
}

/// The client's condition; without one, that the key is there.
fn condition(asked: &Asked<'_>) -> Condition {
    match Condition::parse(asked.header("if-match").as_deref(), None) {
        Condition::Always | Condition::Exists | Condition::Missing => Condition::Exists,
        matches @ Condition::Matches(_) => matches,
    }
}

/// Changes a key's document and publishes it, with the version that it has then. Who names no version asks for the change upon
/// whatever stands: where another write came between, it is made upon that.
async fn changed(
    asked: &Asked<'_>,
    id: &str,
    change: impl Fn(&mut Map<String, Value>) -> Result<(), Failure>,
) -> Result<(Map<String, Value>, String), Failure> {
    let mut left = TRIES;
    loop {
        left -= 1;
        let (mut document, standing) = standing(asked, id).await?;
        change(&mut document)?;
        let (condition, again) = match condition(asked) {
            named @ Condition::Matches(_) => (named, false),
            _ => (Condition::Matches(vec![standing.version]), left > 0),
        };
        match publish(asked, id, &document, condition).await {
            Err(failure) if again && failure.is_conflict() => {}
            outcome => return Ok((document, outcome?)),
        }
    }
}

/// Changes fields of a key: what the body names is set, null removes.
pub async fn change(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let id = id(asked)?;
    let mut changes = object(asked)?;
    own_is_sealed_apart(&changes)?;
    // As at its creation: when it was made is not the client's to say.
    changes.shift_remove("created_at");
    in_rfc_3339(&mut changes);
    let change = |document: &mut Map<String, Value>| {
        for (field, value) in &changes {
            match value {
                // A name that is none stays, for the check to refuse: misspelt, it would change nothing and say so to nobody.
                Value::Null if key::is_field(field) || document.contains_key(field) => document.shift_remove(field),
                value => document.insert(field.clone(), value.clone()),
            };
        }
        Ok(())
    };
    let (document, version) = changed(asked, id, change).await?;
    Ok(Reply::json(200, &shown(id, &document)).header("etag", &format!("\"{version}\"")))
}

/// Deletes a key: requests with it are refused from then on.
pub async fn delete(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let id = id(asked)?;
    // Whatever it holds: one that does not parse goes, too.
    stored(asked, id).await?;
    let publication = Publication {
        key: Kind::Key.key(id),
        value: None,
        condition: condition(asked),
        by: asked.who.clone(),
        action: Action::Delete,
    };
    store::publish(asked.env, publication).await?;
    Ok(Reply::empty(204))
}

/// Seals a provider key of the key's owner: `{"key": "sk-..."}`.
pub async fn put_own(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let (id, provider) = (id(asked)?, provider(asked)?);
    let given = match asked.json()? {
        Value::Object(body) => fields(Value::Object(body), &["key"])?.shift_remove("key").unwrap_or_default(),
        text => text,
    };
    let secret = given.as_str().map(str::trim);
    let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
        return Err(Refusal::value("key", "the provider's key is missing: {\"key\": \"...\"}").into());
    };
    if !key::is_provider_key(secret) {
        let message = "expected a key of printable ASCII without spaces, or the JSON key of a service account";
        return Err(Refusal::value("key", message).into());
    }
    let (Some(Ok(kek)), Some(nonce)) = (kek(asked.env), random()) else {
        let message = "provider keys cannot be sealed: set the secret KEK to base64 of 32 random bytes";
        return Err(Refusal::new(503, "kek_missing", message).into());
    };
    stored(asked, id).await?;
    exists(asked, provider).await?;
    let sealed = kek.seal(secret, nonce, Place { key_hash: id, provider });
    let sealed = sealed.map_err(|error| Refusal::value("key", error))?;
    let seal = |document: &mut Map<String, Value>| {
        if let Value::Object(own) = document.entry("own").or_insert_with(|| json!({})) {
            own.insert(provider.to_owned(), sealed.as_str().into());
        }
        Ok(())
    };
    let (document, _) = changed(asked, id, seal).await?;
    Ok(Reply::json(200, &shown(id, &document)))
}

/// Deletes a provider key of the key's owner.
pub async fn delete_own(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let (id, provider) = (id(asked)?, provider(asked)?);
    let take = |document: &mut Map<String, Value>| {
        let own = document.get_mut("own").and_then(Value::as_object_mut);
        match own.and_then(|own| own.shift_remove(provider)) {
            Some(_) => Ok(()),
            None => Err(Refusal::new(404, "own_key_not_found", format!("it holds no key for {provider}")).into()),
        }
    };
    changed(asked, id, take).await?;
    Ok(Reply::empty(204))
}

fn provider<'a>(asked: &'a Asked<'_>) -> Result<&'a str, Failure> {
    let provider = asked.segment(1);
    match is_provider_name(provider) {
        true => Ok(provider),
        false => Err(Refusal::new(400, "invalid_name", format!("{provider:?} is no name of a provider")).into()),
    }
}

/// A key for a provider that is not there could never be used: its name is misspelt, or the provider is yet to be stored.
async fn exists(asked: &Asked<'_>, provider: &str) -> Result<(), Failure> {
    if table::is_built_in(provider) || store::read(asked.env, &Kind::Provider.key(provider)).await?.is_some() {
        return Ok(());
    }
    let message = format!("provider {provider:?} is neither built in nor configured");
    Err(Refusal::new(400, "unknown_provider", message).about("provider").into())
}

/// What a key used: today, this month, and by day.
pub async fn usage(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let id = id(asked)?;
    let (document, _) = standing(asked, id).await?;
    recorder::flush(asked.env).await;
    let since = now() - USAGE_DAYS;
    let question = Ask::Usage { key_id: id.to_owned(), since_day: day_of(since) };
    let days = match store::ask_control(asked.env, &question).await? {
        Answer::Usage(days) => days,
        _ => Default::default(),
    };
    let today = day_of(now());
    let month = today.get(..7).unwrap_or_default();
    let sum = |prefix: &str| {
        let mut sum = Usage::default();
        days.iter().filter(|(day, _)| day.starts_with(prefix)).for_each(|(_, used)| sum.merge(*used));
        sum
    };
    let by_day: Vec<Value> = days.iter().map(|(day, used)| span(day, *used, &Value::Null)).collect();
    Ok(Reply::json(
        200,
        &json!({
            "id": id,
            "name": document.get("name"),
            "day": span(&today, sum(&today), document.get("budget_usd_per_day").unwrap_or(&Value::Null)),
            "month": span(month, sum(month), document.get("budget_usd_per_month").unwrap_or(&Value::Null)),
            "days": by_day,
        }),
    ))
}

fn span(name: &str, used: Usage, budget: &Value) -> Value {
    json!({
        "date": name,
        "requests": used.requests,
        "succeeded": used.succeeded,
        "tokens": {"input": used.input, "output": used.output},
        "cost_usd": usd(used.micro_usd),
        "budget_usd": budget,
    })
}
