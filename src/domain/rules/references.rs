//! What a rules document refers to: the models and policies of its fallbacks, and the policies that it uses.
//!
//! At request time a rule's hops are resolved under the policy that they come to. Before a document is stored they are
//! resolved once on their own, so that a rule that could only fail is never published.

use super::Rules;
use crate::domain::document::path::quoted;
use crate::domain::document::{BadDocument, Finding, Findings, Kind, Path, Severity};
use crate::domain::lint::Context;
use crate::domain::lint::retirement;
use crate::domain::policy::file::HopFile;
use crate::domain::policy::resolve::{Lookup, MAX_TARGETS, World, resolve_hops};
use crate::domain::policy::tree::Base;
use crate::domain::target::ModelRef;
use std::collections::HashSet;

impl Rules {
    /// Every hop of every rule, carried by a ruleset or not; a `use` counts as one.
    pub fn hops(&self) -> Vec<HopFile> {
        let thens = self.rules.iter().map(|rule| &rule.then);
        thens
            .flat_map(|then| {
                let used = then.use_policy.iter().map(|name| HopFile::of(format!("policy/{name}")));
                then.fallback.iter().flatten().cloned().chain(used)
            })
            .collect()
    }

    /// Follows every reference.
    ///
    /// # Errors
    /// Providers and policies that do not exist, policies that do not parse, cycles, nesting and plans that are too large.
    pub fn follow(&self, world: World<'_>) -> Result<(), BadDocument> {
        let mut findings = Findings::new();
        let rules = Path::ROOT.field("rules");
        for rule in &self.rules {
            let path = rules.field(&rule.name);
            let path = path.field("then");
            if let Some(hops) = &rule.then.fallback {
                let path = path.field("fallback");
                resolve_hops(hops, &Base::plain(), MAX_TARGETS - 1, world, &path, &mut findings);
            }
            if let Some(name) = &rule.then.use_policy {
                let model = quoted(&format!("policy/{name}"));
                match (world.policy)(name) {
                    Lookup::Found(_) => {}
                    Lookup::Missing => {
                        findings.error(path.field("use"), format!("{model} names a policy that does not exist"));
                    }
                    Lookup::Bad(message) => {
                        findings.error(path.field("use"), format!("{model} does not parse: {message}"));
                    }
                }
            }
        }
        findings.into_result(Kind::Rules, "", || ())
    }

    /// What is legal and yet unwise, or to no effect.
    pub fn advice(&self, context: Context<'_>) -> Vec<Finding> {
        let mut findings = Findings::new();
        let (rules, world) = (Path::ROOT.field("rules"), context.world);
        let carried: HashSet<usize> = self.entries.iter().map(|entry| entry.rule).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            let path = rules.field(&rule.name);
            if !carried.contains(&index) {
                let message = "no ruleset carries it: it does nothing";
                findings.add(Severity::Info, path, message, "name it among the rules of a ruleset");
            }
            let path = path.field("then");
            let path = path.field("fallback");
            for (place, hop) in rule.then.fallback.iter().flatten().enumerate() {
                let named = ModelRef::parse(&hop.model, world.default_provider, world.provider);
                let Ok(ModelRef::Target(target)) = named else { continue };
                if let Some((message, hint)) = retirement(&target, context) {
                    findings.add(Severity::Warning, path.index(place).field("model"), message, hint);
                }
            }
        }
        findings.into_vec()
    }
}
