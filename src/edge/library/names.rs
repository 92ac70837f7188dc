//! The names of what is stored, and the models that chains name: what `/v1/models` lists.

use crate::domain::document::Kind;
use crate::domain::policy::file;
use crate::domain::refusal::Refusal;
use crate::domain::target::is_policy_name;
use crate::domain::time::Instant;
use crate::edge::bindings::settings;
use crate::edge::glue::recent;
use crate::edge::{documents, store};
use std::cell::RefCell;
use std::collections::BTreeSet;
use worker::Env;

/// The names of all stored policies.
///
/// # Errors
/// The store does not answer.
pub async fn policy_names(env: &Env) -> Result<Vec<String>, Refusal> {
    let mut names = store::every_name(env, Kind::Policy.prefix()).await?;
    names.retain(|name| is_policy_name(name));
    Ok(names)
}

/// The names of all configured providers.
///
/// # Errors
/// The store does not answer.
pub async fn provider_names(env: &Env) -> Result<Vec<String>, Refusal> {
    store::every_name(env, Kind::Provider.prefix()).await
}

thread_local! {
    /// What [`chain_models`] found, when, and after how many writes through `/admin`.
    static NAMED: RefCell<Option<(Instant, u64, BTreeSet<String>)>> = const { RefCell::new(None) };
}

/// The models that the chains of these policies name themselves, as written there. What does not parse names none. Every policy is
/// read for it, so what was found is good for `POLICY_TTL_MS`, unless one is changed through `/admin`.
///
/// # Errors
/// The store does not answer.
pub async fn chain_models(env: &Env, policies: &[String]) -> Result<BTreeSet<String>, Refusal> {
    let (ttl, writes) = (settings(env).policy_ttl, documents::adopted());
    let stands = |at: Instant, before: u64| recent().since(at) < ttl && before == writes;
    let found = |(at, before, models): &(Instant, u64, BTreeSet<String>)| stands(*at, *before).then(|| models.clone());
    if let Some(models) = NAMED.with_borrow(|named| named.as_ref().and_then(found)) {
        return Ok(models);
    }
    let keys: Vec<String> = policies.iter().map(|name| Kind::Policy.key(name)).collect();
    let mut models = BTreeSet::new();
    let take = |key: String, value: String| {
        let file = file::parse(&key, value.as_bytes());
        models.extend(file.into_iter().flat_map(|file| file.chain).map(|hop| hop.model));
    };
    store::each_value(env, &keys, take).await?;
    NAMED.set(Some((recent(), writes, models.clone())));
    Ok(models)
}
