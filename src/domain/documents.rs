//! What is asked of a document before it is stored: it parses, what it refers to exists, and what is unwise is said.

use crate::domain::catalogue;
use crate::domain::document::{Finding, Findings, Kind, Severity};
use crate::domain::key;
use crate::domain::policy::lint::{self, Context};
use crate::domain::provider::document as provider;
use crate::domain::rules::Rules;

/// Checks a document as a write does. `name` is empty for the kinds of which there is one, and the key's id for a key.
/// `own_host` is this Worker's own host, with its port where it has one.
///
/// A finding of severity `error` means that it must not be stored.
pub fn check(kind: Kind, name: &str, bytes: &[u8], own_host: Option<&str>, context: Context<'_>) -> Vec<Finding> {
    match kind {
        Kind::Policy => lint::lint(name, bytes, context).findings,
        Kind::Provider => check_provider(name, bytes, own_host, context),
        Kind::Models => catalogue::document::parse(bytes).err().map_or_else(Vec::new, |bad| bad.findings),
        Kind::Rules => {
            let rules = Rules::parse(bytes, context.world.default_provider, context.world.provider);
            rules.err().map_or_else(Vec::new, |bad| bad.findings)
        }
        Kind::Key => key::parse(name, bytes).err().map_or_else(Vec::new, |bad| bad.findings),
        Kind::Request => Vec::new(),
    }
}

/// Whether what was found keeps a document from being stored.
pub fn is_fit(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Error)
}

fn check_provider(name: &str, bytes: &[u8], own_host: Option<&str>, context: Context<'_>) -> Vec<Finding> {
    let provider = match provider::parse(name, bytes, own_host) {
        Ok(provider) => provider,
        Err(bad) => return bad.findings,
    };
    let mut findings = Findings::new();
    if let Some(secret) = provider.missing_secret(None, context.has_secret) {
        let hint = format!("npx wrangler secret put {secret}");
        findings.add(Severity::Warning, "auth.secret", format!("secret {secret} is not set"), hint);
    }
    findings.into_vec()
}
