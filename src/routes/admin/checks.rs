//! What is said of a candidate document before it is stored.

use super::{Asked, Failure, candidates};
use crate::domain::admin::table::Kind;
use crate::domain::catalogue::document as models;
use crate::domain::document::{self, BadDocument, Finding, Findings};
use crate::domain::documents;
use crate::domain::policy::lint::{PROMPT_TOKENS, mend};
use crate::domain::provider::table;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::target::{is_policy_name, is_provider_name};
use crate::edge::bindings::{settings, text};
use crate::edge::keys::store_down;
use crate::edge::library::Library;
use crate::edge::ready::catalogue;
use crate::edge::store;

/// Checks a document's name.
pub fn name(kind: Kind, name: &str) -> Result<(), Failure> {
    let fits = match kind {
        Kind::Policy => is_policy_name(name),
        Kind::Provider => is_provider_name(name),
        Kind::Rules | Kind::Models => true,
    };
    let expected = match kind {
        Kind::Policy => "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        _ => "[a-z0-9][a-z0-9-]{0,31}, and not policy, rule or request",
    };
    let refusal = || Refusal::new(400, "invalid_name", format!("{name:?} is no name of a {}: {expected}", kind.noun()));
    if fits { Ok(()) } else { Err(refusal().into()) }
}

/// Findings that do not keep a document from being stored.
///
/// # Errors
/// 422 with all findings, when one has severity `error`; 503 when what it refers to cannot be read.
pub async fn document(asked: &Asked<'_>, kind: Kind, name: &str, bytes: &[u8]) -> Result<Vec<Finding>, Failure> {
    match kind {
        Kind::Policy => policy(asked, name, bytes).await,
        Kind::Provider => {
            let has_secret = |secret: &str| text(asked.env, secret).is_some();
            let found = documents::provider(name, bytes, candidates::own_host(asked).as_deref(), &has_secret);
            found.map_err(|bad| Failure::findings(&bad))
        }
        Kind::Models => match models::parse(bytes) {
            Ok(_) => Ok(Vec::new()),
            Err(bad) => Err(Failure::findings(&bad)),
        },
        Kind::Rules => rules(asked, bytes).await,
    }
}

/// A rules document that parses is followed to what its rules name.
async fn rules(asked: &Asked<'_>, bytes: &[u8]) -> Result<Vec<Finding>, Failure> {
    let refuse = |bad: BadDocument| Failure::findings(&bad);
    let known = providers(asked).await?;
    let known = |name: &str| known.iter().any(|known| known == name);
    let rules = Rules::parse(bytes, &settings(asked.env).default_provider, &known).map_err(refuse)?;
    let mut library = candidates::library(asked);
    library.gather(asked.env, None, &rules.hops()).await.map_err(|down| store_down(&down.0))?;
    let catalogue = catalogue(asked.env).await?.value;
    let found = candidates::in_context(asked, &library, &catalogue, PROMPT_TOKENS, |context| {
        rules.follow(context.world).map(|()| rules.advice(context))
    });
    let advice = found.map_err(refuse)?;
    readable(&library).map_err(refuse)?;
    Ok(advice)
}

/// What rules lead to is served only where its provider's document parses.
fn readable(library: &Library) -> Result<(), BadDocument> {
    let mut findings = Findings::new();
    for (name, message) in library.bad_providers() {
        findings.error_with_hint("rules", message, mend(name));
    }
    findings.into_result(document::Kind::Rules, "", || ())
}

async fn policy(asked: &Asked<'_>, name: &str, bytes: &[u8]) -> Result<Vec<Finding>, Failure> {
    let report = candidates::report(asked, name, bytes, PROMPT_TOKENS).await?;
    match report.is_fit() {
        true => Ok(report.findings),
        false => {
            let bad = BadDocument { kind: document::Kind::Policy, name: name.to_owned(), findings: report.findings };
            Err(Failure::findings(&bad))
        }
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
