//! The plan itself: a policy, changed by a rule, changed by the request.
//!
//! The order is the contract's, weakest first: defaults, policy, hop, rule, request. A request may shorten a policy's clocks
//! and its deadline, not lengthen them. On a plain model there is no owner's policy to shorten: its clocks are the
//! request's to say, but for those that a rule sets. Hops that a request brings are its own; of their clocks, too, none
//! gets longer than the policy's they are put under. Hops of a rule or of a stored policy stay their owner's, whoever named
//! them: their clocks a request can only shorten. Of one and the same, policy, rule or request, a hop's own clocks stand over
//! those for all.

use std::borrow::Cow;

use serde_json::Value;

use super::course::{Course, Start, read_model};
use super::refusals::{bad_model, policy_not_found};
use crate::domain::document::{BadDocument, Findings, Kind, Path};
use crate::domain::key::KeyFile;
use crate::domain::outcome::Skip;
use crate::domain::policy::file::HopFile;
use crate::domain::policy::overrides::{Overrides, TimeoutsOverride, add_boundaries};
use crate::domain::policy::resolve::{Lookup, MAX_TARGETS, World, resolve_hops};
use crate::domain::policy::tree::{Base, Branch, Draw, Node, Tree};
use crate::domain::policy::{Hop, KeyChoice, Plan, PlanName, Timeouts};
use crate::domain::refusal::Refusal;
use crate::domain::request::Brought;
use crate::domain::rules::Picked;
use crate::domain::target::ModelRef;

/// A stored policy, resolved.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    pub tree: &'a Tree,
    /// First 8 hex digits of the SHA-256 of its bytes.
    pub version: &'a str,
    /// A bad edit stands in KV and the last good copy serves.
    pub stale: bool,
}

/// A plan, and what is known of its hops before anything else is.
#[derive(Clone, Debug)]
pub struct Composed {
    pub plan: Plan,
    /// One per hop: the boundary that the key's deny or a rule's deny draws.
    pub denied: Vec<Option<Skip>>,
}

impl Course<'_> {
    /// The plan of this request. `stored` is the policy of [`Course::policy`], `None` when there is none of that name;
    /// `world` knows all that it and [`Course::hops`] refer to; `seed` is fresh randomness.
    ///
    /// # Errors
    /// 404 `policy_not_found`; 400 for hops that the request brings; 500 `rules_invalid` for those of its rule.
    pub fn compose(&self, stored: Option<Stored<'_>>, world: World<'_>, seed: u64) -> Result<Composed, Refusal> {
        let (tree, name, stale) = match &self.start {
            Start::Plain(target) => {
                let tree = Tree::plain(target.clone(), self.key_for(&target.provider).unwrap_or_default());
                (Cow::Owned(tree), self.plain_name(), false)
            }
            Start::Policy(name) => {
                let stored = stored.ok_or_else(|| policy_not_found(name, std::iter::empty()))?;
                let name = PlanName::Stored { name: name.clone(), version: stored.version.to_owned() };
                (Cow::Borrowed(stored.tree), name, stored.stale)
            }
        };
        let draw = self.sticks_to().map_or(Draw::Seed(seed), Draw::Sticky);
        let mut plan = tree.plan(name, draw);
        plan.stale = stale;
        let mut base = tree.base.clone();
        if let Some(rule) = &self.rule {
            apply_rule(rule, &mut plan, &mut base, world, draw)?;
        }
        self.set_clocks(&mut plan.hops);
        let brought = self.request.asked.fallback.as_ref();
        if let Some(brought) = brought {
            let branch = self.brought(brought, &base, world)?;
            plan.hops.truncate(1);
            plan.hops.extend(branch.flatten(draw));
        }
        self.apply_request(&mut plan);
        let hops = plan.hops.iter().enumerate();
        let denied = hops.map(|(at, hop)| self.denied(hop, at > 0 && brought.is_some(), world)).collect();
        Ok(Composed { plan, denied })
    }

    /// What keeps a request with others under `load_balance`: its user, else the trace that it is part of, by the field
    /// `trace_id` of its identity or the header `traceparent`.
    fn sticks_to(&self) -> Option<&str> {
        let identity = &self.identity;
        let field = || identity.metadata.get("trace_id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let header = || self.request.headers.value("traceparent")?.split('-').nth(1).filter(|id| id.len() == 32);
        identity.user.as_deref().or_else(field).or_else(header)
    }

    /// `own` for a provider whose key came with the request.
    fn key_for(&self, provider: &str) -> Option<KeyChoice> {
        self.request.asked.own_keys.of(provider).map(|_| KeyChoice::Own)
    }

    fn plain_name(&self) -> PlanName {
        match &self.rule {
            Some(rule) => PlanName::Rule { ruleset: rule.ruleset.to_owned(), rule: rule.rule.to_owned() },
            None if self.request.asked.overrides_anything() => PlanName::Request,
            None => PlanName::Plain,
        }
    }

    /// The hops that the request brings, under the policy that they are put under.
    fn brought(&self, brought: &Brought, base: &Base, world: World<'_>) -> Result<Branch, Refusal> {
        let hops = brought.hops.iter().enumerate();
        let hops = hops.map(|(index, hop)| self.own_hop(brought, index, hop, world)).collect::<Result<Vec<_>, _>>()?;
        let mut findings = Findings::new();
        let root = Path::Root(brought.field);
        let change = &self.request.asked.overrides.timeouts;
        let own = Base { timeouts: self.changed(change, base.timeouts), ..base.clone() };
        let Some(mut branch) = resolve_hops(&hops, &own, MAX_TARGETS - 1, world, &root, &mut findings) else {
            return Err(unresolved(brought, &hops, base, world, &findings));
        };
        for entry in &mut branch.entries {
            match &mut entry.node {
                Node::Hop(hop) => {
                    hop.timeouts = self.capped(hop.timeouts, base.timeouts);
                    hop.endpoint = brought.endpoint.clone();
                    // What fails at an endpoint of the request's own says nothing of the provider of that name.
                    hop.breaker = hop.breaker.filter(|_| hop.endpoint.is_none());
                }
                // A stored policy's hops have its own verdicts and clocks, and a rule's are stronger.
                Node::Policy(nested) => {
                    if let Some(rule) = &self.rule {
                        nested.each_hop(&mut |hop| rule.then.overrides.apply_to(hop));
                    }
                    nested.each_hop(&mut |hop| hop.timeouts = change.shorten(hop.timeouts));
                }
            }
        }
        Ok(branch)
    }

    /// A hop as the request brings it: with its own key where it says no other and one came along.
    fn own_hop(&self, brought: &Brought, index: usize, hop: &HopFile, world: World<'_>) -> Result<HopFile, Refusal> {
        let field = brought.path(index);
        let mut hop = hop.clone();
        match read_model(&hop.model, Some(brought), world) {
            Err(bad) => return Err(bad_model(&field, &hop.model, bad)),
            Ok(ModelRef::Target(target)) => {
                hop.key = hop.key.or_else(|| self.key_for(&target.provider));
                hop.model = target.to_string();
            }
            Ok(ModelRef::Policy(name)) => match (world.policy)(&name) {
                Lookup::Found(_) => {}
                Lookup::Missing => return Err(policy_not_found(&name, std::iter::empty()).about(&field)),
                Lookup::Bad(message) => return Err(Refusal::new(500, "policy_invalid", message)),
            },
        }
        Ok(hop)
    }

    /// What the request says of the clocks of hops that it does not bring.
    fn set_clocks(&self, hops: &mut [Hop]) {
        let asked = self.request.asked;
        let change = &asked.overrides.timeouts;
        if let Some((first, rest)) = hops.split_first_mut() {
            first.timeouts = self.changed(&asked.first_timeouts, self.changed(change, first.timeouts));
            rest.iter_mut().for_each(|hop| hop.timeouts = change.shorten(hop.timeouts));
        }
    }

    fn apply_request(&self, plan: &mut Plan) {
        let asked = self.request.asked;
        for hop in &mut plan.hops {
            hop.on = asked.overrides.on.over(hop.on);
            hop.retries = if asked.again { 0 } else { hop.retries };
        }
        plan.stream = asked.overrides.stream.over(plan.stream);
        plan.deadline = asked.overrides.deadline.map_or(plan.deadline, |limit| plan.deadline.min(limit));
    }

    /// A request's change to the clocks of a hop that it names itself.
    fn changed(&self, change: &TimeoutsOverride, timeouts: Timeouts) -> Timeouts {
        match &self.start {
            Start::Policy(_) => change.shorten(timeouts),
            Start::Plain(_) => self.capped(change.over(timeouts), timeouts),
        }
    }

    /// The clocks of a request's own, held to what the owner said: all of a policy's, on a plain model those of the rule.
    fn capped(&self, timeouts: Timeouts, owner: Timeouts) -> Timeouts {
        match (&self.start, &self.rule) {
            (Start::Policy(_), _) => Timeouts {
                headers: timeouts.headers.min(owner.headers),
                first_token: timeouts.first_token.min(owner.first_token),
                idle: timeouts.idle.min(owner.idle),
                attempt: timeouts.attempt.min(owner.attempt),
            },
            (Start::Plain(_), Some(rule)) => rule.then.overrides.timeouts.shorten(timeouts),
            (Start::Plain(_), None) => timeouts,
        }
    }

    /// The boundary that a deny draws around a hop; `brought`: the request names it, or the policy that leads to it. A key's deny
    /// is asked of the policies on the way, too, a rule's only of one that a request brings: within policies the owner chose, and
    /// a rule must ask for the hop's own model.
    fn denied(&self, hop: &Hop, brought: bool, world: World<'_>) -> Option<Skip> {
        let target = hop.target.to_string();
        let policies: Vec<String> = hop.policies.iter().map(|name| format!("policy/{name}")).collect();
        let on_the_way = || std::iter::once(&target).chain(&policies);
        let by_key = |key: &KeyFile| on_the_way().any(|name| key.denies(name, world.default_provider));
        let rules = self.request.rules;
        let by_rule = |name: &String| match brought {
            true => rules.denies_request(&self.facts(name)),
            false => rules.denies_target(&self.facts(name)),
        };
        let by = match () {
            () if self.request.key.is_some_and(by_key) => "key",
            () if on_the_way().take(if brought { 2 } else { 1 }).any(by_rule) => "rule",
            () => return None,
        };
        Some(Skip::Boundary(format!("{by}-deny")))
    }
}

/// Why hops that a request brings lead nowhere: what is wrong within a policy is its owner's fault, that they are too many is the
/// request's.
fn unresolved(brought: &Brought, hops: &[HopFile], base: &Base, world: World<'_>, findings: &Findings) -> Refusal {
    let broken = hops.iter().filter(|hop| hop.model.starts_with("policy/")).find_map(|hop| {
        let mut alone = Findings::new();
        let led = resolve_hops(std::slice::from_ref(hop), base, MAX_TARGETS, world, &Path::ROOT, &mut alone);
        alone.into_vec().into_iter().next().filter(|_| led.is_none())
    });
    if let Some(broken) = broken {
        return Refusal::new(500, "policy_invalid", broken.message);
    }
    let Some(first) = findings.as_slice().first() else { return Refusal::value(brought.field, "cannot be used") };
    // Not every field that brings hops is a list of objects.
    let at = (0..hops.len()).find(|at| first.path == format!("{}[{at}].model", brought.field));
    let path = at.map_or_else(|| first.path.clone(), |at| brought.path(at));
    Refusal::value(&path, &first.message)
}

/// What a rule changes: the first hop's retries, what follows it, and fields of the policy.
fn apply_rule(
    rule: &Picked<'_>,
    plan: &mut Plan,
    base: &mut Base,
    world: World<'_>,
    draw: Draw<'_>,
) -> Result<(), Refusal> {
    plan.rule = Some(rule.label());
    if let (Some(retries), Some(first)) = (rule.then.retries, plan.hops.first_mut()) {
        first.retries = retries;
    }
    let overrides = &rule.then.overrides;
    overrides.apply(plan);
    let Overrides { on, timeouts, keep, .. } = overrides;
    base.on = on.over(base.on);
    base.timeouts = timeouts.over(base.timeouts);
    add_boundaries(&mut base.keep, keep);
    let Some(hops) = &rule.then.fallback else { return Ok(()) };
    let mut findings = Findings::new();
    let root = format!("rules[{:?}].then.fallback", rule.rule);
    let Some(mut branch) = resolve_hops(hops, base, MAX_TARGETS - 1, world, &Path::Root(&root), &mut findings) else {
        return Err(BadDocument { kind: Kind::Rules, name: String::new(), findings: findings.into_vec() }.into());
    };
    // The rule's own hops stand under it as they were resolved; those of a stored policy have their own verdicts and clocks.
    branch.each_nested_hop(&mut |hop| overrides.apply_to(hop));
    plan.hops.truncate(1);
    plan.hops.extend(branch.flatten(draw));
    Ok(())
}
