//! `GET /v1/models` and `GET /v1/models/{id}`: the policies first, then every model that a configured provider serves.
//!
//! ```text
//! OpenAI     {"object": "list", "data": [{"id", "object": "model", "created", "owned_by"}]}
//! Anthropic  {"data": [{"type": "model", "id", "display_name", "created_at"}], "has_more", "first_id", "last_id"}
//! ```
//! Anthropic's shape goes to clients that send `anthropic-version`.

use super::reply::Reply;
use crate::domain::catalogue::Catalogue;
use crate::domain::refusal::Refusal;
use crate::domain::route::Family;
use crate::domain::target::RESERVED;
use crate::edge::bindings::{settings, text};
use crate::edge::keys::{self, Caller};
use crate::edge::library::{self, built_in};
use crate::edge::ready;
use serde_json::{Value, json};
use worker::Env;

/// When models of ours began to exist, as far as clients must be told something: 2025-01-01.
const CREATED: u64 = 1_735_689_600;

/// The list of models that the caller may use.
///
/// # Errors
/// The store does not answer.
pub async fn list(env: &Env, family: Family, caller: Option<&Caller>) -> Result<Reply, Refusal> {
    let ids = ids(env, caller).await?;
    Ok(Reply::json(200, &shape_list(family, &ids)))
}

/// One of them.
///
/// # Errors
/// 404 for what is not in the list; the store does not answer.
pub async fn one(env: &Env, family: Family, caller: Option<&Caller>, id: &str) -> Result<Reply, Refusal> {
    match ids(env, caller).await?.iter().any(|known| known == id) {
        true => Ok(Reply::json(200, &shape(family, id))),
        false => Err(Refusal::new(404, "model_not_found", format!("there is no model {id:?} here")).about("model")),
    }
}

async fn ids(env: &Env, caller: Option<&Caller>) -> Result<Vec<String>, Refusal> {
    let catalogue = ready::catalogue(env).await?.value;
    let names = library::policy_names(env).await.map_err(|error| keys::store_down(&error.0))?;
    let mut ids: Vec<String> = names.iter().map(|name| format!("policy/{name}")).collect();
    let changed = catalogue.changed().map(str::to_owned).collect::<Vec<_>>();
    let mut targets: Vec<String> = Catalogue::built_in_targets().into_iter().chain(changed).collect();
    targets.retain(|target| configured(env, target));
    targets.sort_unstable();
    targets.dedup();
    ids.extend(targets);
    if let Some(caller) = caller {
        let settings = settings(env);
        let default = settings.default_provider.as_str();
        ids.retain(|id| caller.file.allows(id, default) && !caller.file.denies(id, default));
    }
    Ok(ids)
}

/// Whether the Worker has a key for a target's provider. Providers of KV are taken at their word.
fn configured(env: &Env, target: &str) -> bool {
    let Some((provider, _)) = target.split_once('/') else { return false };
    match built_in(provider) {
        Some(row) => row.missing_secret(None, |secret| text(env, secret).is_some()).is_none() && provider != "sim",
        None => !RESERVED.contains(&provider),
    }
}

fn shape_list(family: Family, ids: &[String]) -> Value {
    let data: Vec<Value> = ids.iter().map(|id| shape(family, id)).collect();
    match family {
        Family::Messages => json!({"data": data, "has_more": false, "first_id": ids.first(), "last_id": ids.last()}),
        Family::Chat | Family::Responses => json!({"object": "list", "data": data}),
    }
}

fn shape(family: Family, id: &str) -> Value {
    let owner = id.split_once('/').map_or("understudy", |(provider, _)| provider);
    let owner = if owner == "policy" { "understudy" } else { owner };
    match family {
        Family::Messages => {
            json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-01-01T00:00:00Z"})
        }
        Family::Chat | Family::Responses => {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": owner})
        }
    }
}
