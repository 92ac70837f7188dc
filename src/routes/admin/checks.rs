//! What is said of a candidate document before it is stored.

use super::{Asked, Failure, candidates};
use crate::domain::document::{BadDocument, Finding, Kind};
use crate::domain::documents;
use crate::domain::lint::{Context, PROMPT_TOKENS};
use crate::domain::policy::resolve::World;
use crate::domain::provider::table;
use crate::domain::refusal::Refusal;
use crate::domain::target::{is_policy_name, is_provider_name};
use crate::edge::ready;
use crate::edge::store;
use std::rc::Rc;

/// Checks a document's name.
pub fn name(kind: Kind, name: &str) -> Result<(), Failure> {
    let fits = match kind {
        Kind::Policy => is_policy_name(name),
        Kind::Provider => is_provider_name(name),
        Kind::Rules | Kind::Models | Kind::Key | Kind::Request => true,
    };
    let expected = match kind {
        Kind::Policy => "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        _ => "[a-z0-9][a-z0-9-]{0,31}, and not policy, rule or request",
    };
    let refusal = || Refusal::new(400, "invalid_name", format!("{name:?} is no name of a {}: {expected}", kind.name()));
    if fits { Ok(()) } else { Err(refusal().into()) }
}

/// Findings that do not keep a document from being stored.
///
/// # Errors
/// 422 with all findings, when one has severity `error`; 503 when what it refers to cannot be read.
pub async fn document(asked: &Asked<'_>, kind: Kind, name: &str, bytes: &[u8]) -> Result<Vec<Finding>, Failure> {
    let (library, mut catalogue, mut known) = (candidates::world_of(asked, kind, bytes).await?, Rc::default(), None);
    // Of the others none is looked at: models that cannot be read must not keep themselves from being mended.
    if matches!(kind, Kind::Policy | Kind::Rules) {
        catalogue = ready::catalogue(asked.env).await?.value;
    }
    if kind == Kind::Rules {
        known = Some(providers(asked).await?);
    }
    let own_host = candidates::own_host(asked);
    let findings = candidates::in_context(asked, &library, &catalogue, PROMPT_TOKENS, |context| {
        let (gathered, known) = (context.world.provider, known.unwrap_or_default());
        // What rules compare models with may name a provider that no hop does.
        let provider = |name: &str| gathered(name) || known.iter().any(|known| known == name);
        let context = Context { world: World { provider: &provider, ..context.world }, ..context };
        documents::check(kind, name, bytes, own_host.as_deref(), context)
    });
    match documents::is_fit(&findings) {
        true => Ok(findings),
        false => Err(Failure::findings(&BadDocument { kind, name: name.to_owned(), findings })),
    }
}

/// The names of all providers, built in or configured, each once, in order.
pub async fn providers(asked: &Asked<'_>) -> Result<Vec<String>, Failure> {
    let configured = store::list(asked.env, Kind::Provider.prefix()).await?;
    Ok(names(configured.keys().map(String::as_str)).into_iter().map(str::to_owned).collect())
}

/// The built-in providers and these, each once, in order.
pub fn names<'a>(configured: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = table::ROWS.iter().map(|row| row.name).chain(configured).collect();
    names.sort_unstable();
    names.dedup();
    names
}
