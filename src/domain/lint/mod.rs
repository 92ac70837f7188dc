//! Lint: what is wrong with a candidate policy, what is legal and yet unwise, and the worst that it can come to.

mod context;
mod service;
pub mod worst;

use crate::domain::catalogue::{Facts, Feature};
use crate::domain::document::{Finding, Findings, Severity};
use crate::domain::outcome::{Class, KeySlot};
use crate::domain::plan::boundaries::{self, Land};
use crate::domain::policy::file::{PolicyFile, PolicyType};
use crate::domain::policy::resolve;
use crate::domain::policy::tree::{Branch, Node, Tree};
use crate::domain::policy::{Boundary, Consent, Degraded, Hop, Verdict};
use crate::domain::provider::setting;
use crate::domain::target::Target;
use crate::domain::usage::Usage;
use serde::Serialize;
use worst::WorstCase;

pub use context::{Context, PROMPT_TOKENS};
pub use service::retirement;

/// What lint answers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Absent for a policy that cannot run.
    pub worst_case: Option<WorstCase>,
}

/// What to do about a provider's document that does not parse.
pub fn mend(provider: &str) -> String {
    format!("mend provider:{provider}: until then requests get 500 provider_invalid")
}

/// Lints a candidate. `name` is the one it would have; empty when it has none yet.
pub fn lint(name: &str, bytes: &[u8], context: Context<'_>) -> Report {
    match resolve::read(name, bytes, context.world) {
        Err(bad) => Report { findings: bad.findings, worst_case: None },
        Ok((file, tree)) => Linter { context, findings: Findings::new() }.report(&file, &tree),
    }
}

/// The worst case of a resolved policy, whichever hop its draws put first.
pub fn worst_case(tree: &Tree, context: Context<'_>) -> WorstCase {
    let mut worst = WorstCase::default();
    for order in orders(&tree.root) {
        let priced: Vec<(&Hop, u64)> = order
            .into_iter()
            .take(if tree.consent == Consent::Never { 1 } else { usize::MAX })
            .map(|hop| (hop, call_cost(&context.catalogue.facts(&hop.target), context.prompt_tokens)))
            .collect();
        let reached = within_boundaries(&priced, context);
        let case = worst::worst_case(&reached, tree.deadline);
        worst.calls = worst.calls.max(case.calls);
        worst.ms = worst.ms.max(case.ms);
        worst.cost_usd = worst.cost_usd.max(case.cost_usd);
    }
    worst
}

/// Without the hops that `keep` rules out whatever the request.
fn within_boundaries<'a>(hops: &[(&'a Hop, u64)], context: Context<'_>) -> Vec<(&'a Hop, u64)> {
    let Some((first, _)) = hops.first() else { return Vec::new() };
    let stays = |hop: &Hop| !crossed(first, hop, context).iter().any(|boundary| hop.keep.contains(boundary));
    hops.iter().enumerate().filter(|(i, (hop, _))| *i == 0 || stays(hop)).map(|(_, hop)| *hop).collect()
}

/// What one call may cost: the prompt, and everything that the model can write.
fn call_cost(facts: &Facts, prompt_tokens: u64) -> u64 {
    let usage = Usage { input: prompt_tokens, output: facts.max_output_tokens.unwrap_or(0), ..Usage::default() };
    facts.cost_micro_usd(&usage).unwrap_or(0)
}

/// Orders looked at: every first hop of the outermost draw, and of the nested ones while there are not too many.
const MAX_ORDERS: usize = 64;

/// The orders in which hops can be tried. Where a policy balances, each entry can be the first.
fn orders(branch: &Branch) -> Vec<Vec<&Hop>> {
    let inner: Vec<Vec<Vec<&Hop>>> = branch
        .entries
        .iter()
        .map(|entry| match &entry.node {
            Node::Hop(hop) => vec![vec![&**hop]],
            Node::Policy(nested) => orders(nested),
        })
        .collect();
    let drawn: Vec<usize> = match branch.kind {
        PolicyType::Fallback => vec![0],
        PolicyType::LoadBalance => {
            let weighted = |i: &usize| branch.entries.get(*i).is_some_and(|entry| entry.weight > 0);
            let drawn: Vec<usize> = (0..inner.len()).filter(weighted).collect();
            if drawn.is_empty() { vec![0] } else { drawn }
        }
    };
    let mut orders = Vec::new();
    for first in drawn {
        let rest = (0..inner.len()).filter(|i| *i != first);
        let mut partial: Vec<Vec<&Hop>> = vec![Vec::new()];
        for choices in std::iter::once(first).chain(rest).filter_map(|i| inner.get(i)) {
            partial = partial
                .iter()
                .flat_map(|order| choices.iter().map(move |choice| [order.as_slice(), choice].concat()))
                .take(MAX_ORDERS)
                .collect();
        }
        orders.extend(partial);
    }
    orders.truncate(MAX_ORDERS);
    orders
}

/// Every boundary that going from one hop to another crosses, for a request on the chat route.
fn crossed(first: &Hop, hop: &Hop, context: Context<'_>) -> Vec<Boundary> {
    let land = |hop| Land::of(hop, |name| (context.provider)(name)?.ok(), context.catalogue);
    let (home, away) = (land(first), land(hop));
    let crosses = |boundary: &Boundary| boundaries::crosses(*boundary, (first, &home.ground()), (hop, &away.ground()));
    Boundary::ALL.into_iter().filter(crosses).collect()
}

/// A hop with its place in the document.
struct Placed<'a> {
    hop: &'a Hop,
    /// `chain[1]`
    path: String,
    /// `policy/cheap: ` in front of what is said of a nested policy's hop.
    inside: String,
}

struct Linter<'a> {
    context: Context<'a>,
    findings: Findings,
}

impl Linter<'_> {
    fn report(mut self, file: &PolicyFile, tree: &Tree) -> Report {
        let hops = placed(tree);
        for hop in &hops {
            self.model(hop);
            self.keys(hop);
            self.retry_only(hop);
        }
        self.unreachable(&hops, tree);
        if let Some((first, rest)) = hops.split_first() {
            for hop in rest {
                self.weaker(first, hop);
                self.boundaries(first, hop);
            }
        }
        self.neighbours(&hops);
        self.weights(file);
        self.clocks(file);
        let worst_case = (!self.findings.has_errors()).then(|| worst_case(tree, self.context));
        Report { findings: self.findings.into_vec(), worst_case }
    }

    fn say(&mut self, severity: Severity, path: &str, message: String, hint: impl Into<String>) {
        self.findings.add(severity, path, message, hint);
    }

    fn model(&mut self, placed: &Placed<'_>) {
        let Placed { hop, path, inside } = placed;
        let path = format!("{path}.model");
        if hop.target.provider != "sim" && !self.context.catalogue.knows(&hop.target) {
            let message = format!("{inside}{} is not in the catalogue: its limits and prices are unknown", hop.target);
            self.say(Severity::Info, &path, message, "add it to the models document");
        }
        if let Some((message, hint)) = retirement(&hop.target, self.context) {
            self.say(Severity::Warning, &path, format!("{inside}{message}"), hint);
        }
    }

    fn keys(&mut self, placed: &Placed<'_>) {
        let Placed { hop, path, inside } = placed;
        let slots = hop.key.slots();
        let (region, name) = (hop.target.region.as_deref(), &hop.target.provider);
        let provider = match (self.context.provider)(name) {
            Some(Ok(provider)) => provider,
            Some(Err(message)) => {
                return self.say(Severity::Error, &format!("{path}.model"), format!("{inside}{message}"), mend(name));
            }
            None => return,
        };
        let managed = slots.contains(&KeySlot::Managed);
        if let Some(secret) = provider.missing_secret(region, self.context.has_secret).filter(|_| managed) {
            let severity = if slots.len() > 1 { Severity::Info } else { Severity::Warning };
            let message = format!("{inside}the managed key of {name} is missing: {} is not set", setting(&secret));
            self.say(severity, path, message, format!("npx wrangler secret put {secret}"));
        }
        if let Some(variable) = provider.missing_variable(region, self.context.has_secret) {
            let message = format!("{inside}{name} cannot be called: variable {variable} is not set");
            self.say(Severity::Warning, path, message, format!("set {variable} under [vars] in wrangler.toml"));
        }
        if let Some(switch) = provider.missing_switch(self.context.has_secret) {
            let message = format!("{inside}{name} does not answer here without {switch}: the hop is skipped as no_key");
            self.say(Severity::Warning, path, message, "it acts on loopback hosts alone, where npm start sets it");
        }
    }

    fn retry_only(&mut self, placed: &Placed<'_>) {
        let Placed { hop, path, inside } = placed;
        if hop.retries > 0 {
            return;
        }
        let only = |class: &Class| hop.on.of(*class) == Verdict::RetryOnly;
        let classes: Vec<&str> = Class::ALL.into_iter().filter(only).map(Class::name).collect();
        if classes.is_empty() {
            return;
        }
        let message =
            format!("{inside}{} is retry_only and {} has no retries: it stops at once", classes.join(", "), hop.target);
        self.say(Severity::Warning, path, message, "give the hop retries, or say retry or stop");
    }

    fn unreachable(&mut self, hops: &[Placed<'_>], tree: &Tree) {
        if tree.consent == Consent::Never {
            for Placed { hop, path, inside } in hops.iter().skip(1) {
                let message = format!("{inside}{} is never reached: consent is never", hop.target);
                self.say(Severity::Warning, path, message, "say automatic or ask");
            }
            return;
        }
        let balanced = tree.root.kind == PolicyType::LoadBalance;
        let Some(wall) = hops.iter().position(|placed| !worst::can_leave(placed.hop)).filter(|_| !balanced) else {
            return;
        };
        let name = hops.get(wall).map(|placed| placed.hop.target.to_string()).unwrap_or_default();
        for Placed { hop, path, inside } in hops.iter().skip(wall + 1) {
            let message =
                format!("{inside}{} is not reached by any failure of {name}: its verdicts all stop", hop.target);
            self.say(Severity::Warning, path, message, "let some class say next or retry");
        }
    }

    fn weaker(&mut self, first: &Placed<'_>, placed: &Placed<'_>) {
        let Placed { hop, path, inside } = placed;
        let (best, facts) =
            (self.context.catalogue.facts(&first.hop.target), self.context.catalogue.facts(&hop.target));
        let mut lacks = Vec::new();
        if let (Some(more), Some(less)) = (best.context_tokens, facts.context_tokens)
            && less < more
        {
            lacks.push(format!("context ({less} tokens, the first hop has {more})"));
        }
        for feature in [Feature::Vision, Feature::Tools, Feature::JsonSchema] {
            if best.supports(feature) == Some(true) && facts.supports(feature) == Some(false) {
                lacks.push(feature.name().to_owned());
            }
        }
        if lacks.is_empty() {
            return;
        }
        let severity = if hop.degraded == Degraded::No { Severity::Warning } else { Severity::Info };
        let message = format!("{inside}{} is weaker than {} in {}", hop.target, first.hop.target, lacks.join(", "));
        self.say(severity, path, message, "requests that need it skip this hop");
    }

    fn boundaries(&mut self, first: &Placed<'_>, placed: &Placed<'_>) {
        let Placed { hop, path, inside } = placed;
        let crossed = crossed(first.hop, hop, self.context);
        let names = |kept: bool| -> Vec<&str> {
            crossed
                .iter()
                .filter(|boundary| hop.keep.contains(boundary) == kept)
                .map(|boundary| boundary.name())
                .collect()
        };
        let (kept, free) = (names(true), names(false));
        if !kept.is_empty() {
            let message = format!(
                "{inside}{} is never reached: it would cross {}, which keep forbids",
                hop.target,
                kept.join(", ")
            );
            self.say(Severity::Warning, path, message, "take the hop out, or the boundary out of keep");
        } else if !free.is_empty() {
            let message = format!("{inside}{} -> {} crosses {}", first.hop.target, hop.target, free.join(", "));
            self.say(Severity::Info, path, message, "keep holds a boundary that must not be crossed");
        }
    }

    fn neighbours(&mut self, hops: &[Placed<'_>]) {
        let place = |target: &Target| (target.provider.clone(), target.region.clone());
        for (i, Placed { hop, path, inside }) in hops.iter().enumerate() {
            let twin = hops.iter().take(i).find(|other| place(&other.hop.target) == place(&hop.target));
            let Some(twin) = twin else { continue };
            let at = hop.target.region.as_ref().map(|region| format!("@{region}")).unwrap_or_default();
            let message = format!(
                "{inside}{} and {} are both at {}{at}: what takes one down may take both",
                twin.hop.target, hop.target, hop.target.provider
            );
            self.say(Severity::Warning, path, message, "another provider or region fails apart");
        }
    }

    fn weights(&mut self, file: &PolicyFile) {
        match file.kind {
            PolicyType::LoadBalance if file.chain.iter().all(|hop| hop.weight == Some(0)) => {
                let message = "every weight is 0: the first hop is always first".to_owned();
                self.say(Severity::Warning, "chain", message, "give the hops that share the load a weight");
            }
            PolicyType::LoadBalance => {}
            PolicyType::Fallback => {
                for (i, hop) in file.chain.iter().enumerate().filter(|(_, hop)| hop.weight.is_some()) {
                    let weight = hop.weight.unwrap_or_default();
                    let message = format!("{weight} has no effect: the policy's type is fallback");
                    self.say(
                        Severity::Info,
                        &format!("chain[{i}].weight"),
                        message,
                        "type load_balance draws by weight",
                    );
                }
            }
        }
    }

    /// Clocks that another one always beats.
    fn clocks(&mut self, file: &PolicyFile) {
        let pairs = [
            ("timeouts.attempt_ms", file.timeouts.attempt, "deadline_ms", file.deadline),
            ("timeouts.first_token_ms", file.timeouts.first_token, "timeouts.attempt_ms", file.timeouts.attempt),
            ("timeouts.headers_ms", file.timeouts.headers, "timeouts.attempt_ms", file.timeouts.attempt),
        ];
        for (path, span, other, limit) in pairs {
            if span > limit {
                let message = format!("{} never runs out: {other} is {}", span.0, limit.0);
                self.say(Severity::Info, path, message, "");
            }
        }
    }
}

/// Every hop with its place, in the order written.
fn placed(tree: &Tree) -> Vec<Placed<'_>> {
    let mut hops = Vec::new();
    for (i, entry) in tree.root.entries.iter().enumerate() {
        let path = format!("chain[{i}]");
        match &entry.node {
            Node::Hop(hop) => hops.push(Placed { hop, path, inside: String::new() }),
            Node::Policy(branch) => {
                let inside = format!("policy/{}: ", branch.name);
                let nested = branch.hops();
                hops.extend(nested.into_iter().map(|hop| Placed { hop, path: path.clone(), inside: inside.clone() }));
            }
        }
    }
    hops
}
