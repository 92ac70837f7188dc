//! `GET /v1/models` and `GET /v1/models/{id}`: the policies first, then every model that a configured provider serves, as far as
//! the catalogue or a chain names it.
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
use crate::domain::target::{ModelRef, RESERVED, Target};
use crate::edge::bindings::{settings, text};
use crate::edge::keys::Caller;
use crate::edge::library::{self, Library, built_in};
use crate::edge::ready;
use futures::future::join;
use serde_json::{Value, json};
use worker::Env;

/// When models of ours began to exist, as far as clients must be told something: 2025-01-01.
const CREATED: u64 = 1_735_689_600;

/// The list of models that the caller may use. `own_host` is this Worker's own host, with its port.
///
/// # Errors
/// The store does not answer.
pub async fn list(env: &Env, own_host: &str, family: Family, caller: Option<&Caller>) -> Result<Reply, Refusal> {
    let mut ids = ids(env, own_host).await?;
    ids.retain(|id| may_use(env, caller, id));
    Ok(Reply::json(200, &shape_list(family, &ids)))
}

/// One of them, by any name under which a request could ask for it.
///
/// # Errors
/// 404 for what is not in the list; the store does not answer.
pub async fn one(
    env: &Env,
    own_host: &str,
    family: Family,
    caller: Option<&Caller>,
    id: &str,
) -> Result<Reply, Refusal> {
    let listed = ids(env, own_host).await?;
    match whole_name(env, &listed, id).filter(|name| may_use(env, caller, name)) {
        Some(name) => Ok(Reply::json(200, &shape(family, id, owner(&name)))),
        None => Err(Refusal::new(404, "model_not_found", format!("there is no model {id:?} here")).about("model")),
    }
}

async fn ids(env: &Env, own_host: &str) -> Result<Vec<String>, Refusal> {
    let catalogue = ready::catalogue(env).await?.value;
    let (names, stored) = join(library::policy_names(env), library::provider_names(env)).await;
    let (names, stored) = (names?, stored?);
    let mut ids: Vec<String> = names.iter().map(|name| format!("policy/{name}")).collect();
    let changed = catalogue.changed().map(str::to_owned).collect::<Vec<_>>();
    let mut models: Vec<String> = Catalogue::built_in_targets().into_iter().chain(changed).collect();
    models.extend(library::chain_models(env, &names).await?);
    let known = |name: &str| built_in(name).is_some() || stored.iter().any(|known| known == name);
    let default = &settings(env).default_provider;
    let target = |model: &String| match ModelRef::parse(model, default, known) {
        Ok(ModelRef::Target(target)) => Some(target),
        Ok(ModelRef::Policy(_)) | Err(_) => None,
    };
    let targets: Vec<Target> = models.iter().filter_map(target).collect();
    let library = changed_providers(env, own_host, &stored, &targets).await?;
    let configured = targets.iter().filter(|target| is_configured(env, &library, target));
    let mut configured: Vec<String> = configured.map(Target::to_string).collect();
    configured.sort_unstable();
    configured.dedup();
    ids.extend(configured);
    Ok(ids)
}

/// The providers of these targets that KV adds or changes: their documents say where they are and whose key they take.
async fn changed_providers(
    env: &Env,
    own_host: &str,
    stored: &[String],
    targets: &[Target],
) -> Result<Library, Refusal> {
    let is_used = |name: &&String| targets.iter().any(|target| target.provider == **name);
    let used: Vec<String> = stored.iter().filter(is_used).map(|name| format!("{name}/x")).collect();
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    let mut library = Library::new(&settings(env).default_provider, own_host);
    library.gather_providers(env, &used).await?;
    Ok(library)
}

fn may_use(env: &Env, caller: Option<&Caller>, id: &str) -> bool {
    let default = &settings(env).default_provider;
    caller.is_none_or(|caller| caller.file.may_use(id, default))
}

/// What a request's `model` names, with its provider, when that is listed: a bare name, a colon and a region are taken as there.
fn whole_name(env: &Env, listed: &[String], id: &str) -> Option<String> {
    let is_listed = |name: &str| listed.iter().any(|known| known == name);
    if is_listed(id) {
        return Some(id.to_owned());
    }
    let known = |name: &str| {
        let serves = |listed: &String| listed.split_once('/').is_some_and(|(provider, _)| provider == name);
        built_in(name).is_some() || (!RESERVED.contains(&name) && listed.iter().any(serves))
    };
    match ModelRef::parse(id, &settings(env).default_provider, known) {
        Ok(ModelRef::Target(target)) => {
            is_listed(&format!("{}/{}", target.provider, target.model)).then(|| target.to_string())
        }
        Ok(ModelRef::Policy(_)) | Err(_) => None,
    }
}

/// Whether the Worker has what a call of a target needs: its provider's key, and the variables of its address.
fn is_configured(env: &Env, library: &Library, target: &Target) -> bool {
    let provider = match library.provider(&target.provider) {
        Some(stored) => stored.ok(),
        None => built_in(&target.provider),
    };
    let has = |name: &str| text(env, name).is_some();
    // No secret is called as the switch of `sim` is: what answers for rehearsals alone is not listed.
    provider.is_some_and(|provider| provider.missing_setting(target.region.as_deref(), has).is_none())
}

fn shape_list(family: Family, ids: &[String]) -> Value {
    let data: Vec<Value> = ids.iter().map(|id| shape(family, id, owner(id))).collect();
    match family {
        Family::Messages => json!({"data": data, "has_more": false, "first_id": ids.first(), "last_id": ids.last()}),
        Family::Chat | Family::Responses => json!({"object": "list", "data": data}),
    }
}

fn owner(id: &str) -> &str {
    match id.split_once('/') {
        Some(("policy", _)) | None => "understudy",
        Some((provider, _)) => provider,
    }
}

fn shape(family: Family, id: &str, owner: &str) -> Value {
    match family {
        Family::Messages => {
            json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-01-01T00:00:00Z"})
        }
        Family::Chat | Family::Responses => {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": owner})
        }
    }
}
