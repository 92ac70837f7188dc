//! What is asked of a document before it is stored: it parses, what it refers to exists, and what is unwise is said.

use crate::domain::catalogue;
use crate::domain::document::{BadDocument, Finding, Findings, Kind, Path, Severity, json};
use crate::domain::key;
use crate::domain::lint::{self, Context};
use crate::domain::policy::file::{self, HopFile};
use crate::domain::policy::resolve::{Lookup, References, World, references};
use crate::domain::provider::document;
use crate::domain::rules::Rules;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks a document as a write does. `name` is empty for the kinds of which there is one, and the key's id for a key.
/// `own_host` is this Worker's own host, with its port where it has one.
///
/// A finding of severity `error` means that it must not be stored.
pub fn check(kind: Kind, name: &str, bytes: &[u8], own_host: Option<&str>, context: Context<'_>) -> Vec<Finding> {
    match kind {
        Kind::Policy => lint::lint(name, bytes, context).findings,
        Kind::Provider => provider(name, bytes, own_host, context.has_secret).unwrap_or_else(|bad| bad.findings),
        Kind::Models => catalogue::document::parse(bytes).err().map_or_else(Vec::new, |bad| bad.findings),
        Kind::Rules => rules(bytes, context).unwrap_or_else(|bad| bad.findings),
        Kind::Key => key::parse(name, bytes).err().map_or_else(Vec::new, |bad| bad.findings),
        Kind::Request => Vec::new(),
    }
}

/// Why a stored document, taken by itself, is none of its kind: what requests that need it are told. What it refers to is left
/// aside, and so is which names are providers: rules parse with either.
pub fn unreadable(kind: Kind, name: &str, bytes: &[u8], own_host: Option<&str>) -> Option<BadDocument> {
    match kind {
        Kind::Policy => file::parse(name, bytes).err(),
        Kind::Provider => document::parse(name, bytes, own_host).err(),
        Kind::Models => catalogue::document::parse(bytes).err(),
        Kind::Rules => Rules::parse(bytes, "", &|_| false).err(),
        Kind::Key => key::parse(name, bytes).err(),
        Kind::Request => None,
    }
}

/// Whether what was found keeps a document from being stored.
pub fn is_fit(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Error)
}

/// What is said of a provider's document that may be stored.
///
/// # Errors
/// What keeps it from being stored.
fn provider(
    name: &str,
    bytes: &[u8],
    own_host: Option<&str>,
    has_secret: &dyn Fn(&str) -> bool,
) -> Result<Vec<Finding>, BadDocument> {
    let provider = document::parse(name, bytes, own_host)?;
    let mut findings = Findings::new();
    if let Some(secret) = provider.missing_secret(None, has_secret) {
        let hint = format!("npx wrangler secret put {secret}");
        findings.add(Severity::Warning, "auth.secret", format!("secret {secret} is not set"), hint);
    }
    Ok(findings.into_vec())
}

/// The hops of a document, by which whoever checks it finds what must be loaded first; none of one that cannot be read.
pub fn hops(kind: Kind, bytes: &[u8]) -> Vec<HopFile> {
    match kind {
        Kind::Policy => file::legible_hops(bytes).into_iter().map(|(_, hop)| hop).collect(),
        Kind::Rules => json::parse(bytes, Kind::Rules, "").map_or_else(|_| Vec::new(), |value| rule_hops(&value)),
        Kind::Provider | Kind::Models | Kind::Key | Kind::Request => Vec::new(),
    }
}

fn rule_hops(document: &Value) -> Vec<HopFile> {
    let mut hops = Vec::new();
    for rule in document["rules"].as_object().into_iter().flatten().map(|(_, rule)| rule) {
        let fallback = file::read_hops(&rule["then"]["fallback"], &Path::ROOT, &mut Findings::new());
        hops.extend(fallback.unwrap_or_default());
        hops.extend(rule["then"]["use"].as_str().map(HopFile::of));
    }
    hops
}

/// What is said of a rules document that may be stored. What it refers to must exist: a rule is never half in force.
fn rules(bytes: &[u8], context: Context<'_>) -> Result<Vec<Finding>, BadDocument> {
    let rules = Rules::parse(bytes, context.world.default_provider, context.world.provider)?;
    rules.follow(context.world)?;
    let mut findings = Findings::new();
    for name in led_to(&rules.hops(), context.world) {
        if let Some(Err(message)) = (context.provider)(&name) {
            findings.error_with_hint("rules", message, lint::mend(&name));
        }
    }
    findings.into_result(Kind::Rules, "", || rules.advice(context))
}

/// What may be the names of providers that hops lead to, themselves and by the policies that they name.
fn led_to(hops: &[HopFile], world: World<'_>) -> BTreeSet<String> {
    let References { policies: mut ahead, providers } = references(hops);
    let (mut names, mut seen): (BTreeSet<String>, BTreeSet<String>) =
        (providers.into_iter().collect(), BTreeSet::new());
    while let Some(policy) = ahead.pop() {
        if let Lookup::Found(file) = (world.policy)(&policy)
            && seen.insert(policy)
        {
            let References { policies, providers } = references(&file.chain);
            ahead.extend(policies);
            names.extend(providers);
        }
    }
    names
}
