//! From policies as written to a [`Tree`]: references followed, defaults and inheritance settled.
//!
//! A nested policy's hops keep their own policy's `on`, `backoff`, `timeouts`, `breaker`, `type`, `translate`; its `keep`
//! adds to those around it. `deadline_ms`, `stream`, `consent`, `exhausted`, `usage`, `workload` are the outermost's. Of
//! the hop that names a policy come `weight`, `degraded` and `params`: its params are set first, so that a nested hop's own
//! have the last word.

use super::file::{self, HopFile, PolicyFile};
use super::overrides::add_boundaries;
use super::tree::{Base, Branch, Entry, Node, Tree};
use super::{Degraded, Hop, Param, StreamRules};
use crate::domain::document::path::quoted;
use crate::domain::document::{BadDocument, Findings, Kind, MAX_FINDINGS, Path};
use crate::domain::target::{BadModel, ModelRef, Target};
use std::rc::Rc;

/// How deep policies may nest below the one that was asked for.
pub const MAX_NESTING: usize = 4;
/// The most targets of one plan.
pub const MAX_TARGETS: usize = 32;

/// Where references lead.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The provider of a bare model.
    pub default_provider: &'a str,
    /// Whether a provider of that name is built in or configured.
    pub provider: &'a dyn Fn(&str) -> bool,
    /// The policy of that name.
    pub policy: &'a dyn Fn(&str) -> Lookup,
}

/// What a name leads to.
#[derive(Clone, Debug)]
pub enum Lookup {
    Found(Rc<PolicyFile>),
    Missing,
    /// It stands in the store and does not parse; its own message.
    Bad(String),
}

/// The names that a policy refers to, for whoever must load them before it can be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Policies that its hops name.
    pub policies: Vec<String>,
    /// What may be provider names: what stands before the first slash or colon. Built-in ones are among them.
    pub providers: Vec<String>,
}

/// The names that hops refer to, each once.
pub fn references(hops: &[HopFile]) -> References {
    let mut references = References::default();
    let mut add = |list: fn(&mut References) -> &mut Vec<String>, name: &str| {
        let list = list(&mut references);
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
    };
    for hop in hops {
        if let Some(name) = hop.model.strip_prefix("policy/") {
            add(|references| &mut references.policies, name);
        } else if let Some((provider, _)) = hop.model.split_once(['/', ':']) {
            add(|references| &mut references.providers, provider);
        }
    }
    references
}

/// Expands a policy. `name` is its own, so that a way back to it is found; empty for a candidate without one.
///
/// # Errors
/// Everything wrong with its references: unknown provider, unknown or bad policy, cycle, depth, too many targets.
pub fn resolve(name: &str, file: &PolicyFile, world: World<'_>) -> Result<Tree, BadDocument> {
    let mut findings = Findings::new();
    let mut expander = Expander { world, findings: &mut findings, room: MAX_TARGETS, trail: vec![name.to_owned()] };
    let base = base(file, &Base::default());
    let branch = expander.branch(file, &base, &Outer::default(), &Path::ROOT.field("chain"));
    findings.into_result(Kind::Policy, name, || Tree {
        root: branch,
        base,
        deadline: file.deadline,
        stream: file.stream.over(StreamRules::default()),
        consent: file.consent,
        exhausted: file.exhausted,
        usage: file.usage,
        workload: file.workload.clone(),
    })
}

/// Reads a policy and expands it.
///
/// # Errors
/// Everything wrong with it. Where it does not parse, what its hops refer to is told all the same, as far as they can be read.
pub fn read(name: &str, bytes: &[u8], world: World<'_>) -> Result<(PolicyFile, Tree), BadDocument> {
    let mut bad = match file::parse(name, bytes) {
        Ok(file) => return resolve(name, &file, world).map(|tree| (file, tree)),
        Err(bad) => bad,
    };
    let mut findings = Findings::new();
    let mut expander = Expander { world, findings: &mut findings, room: MAX_TARGETS, trail: vec![name.to_owned()] };
    let chain = Path::ROOT.field("chain");
    for (place, hop) in file::legible_hops(bytes) {
        expander.node(&hop, &Base::default(), &Outer::default(), &chain.index(place));
    }
    bad.findings.extend(findings.into_vec());
    bad.findings.truncate(MAX_FINDINGS);
    Err(bad)
}

/// Expands hops that a rule or a request brings, under the policy they come to (its [`Tree::base`], or [`Base::plain`]).
/// At most `room` targets. What is wrong goes to `findings` with paths below `path`, and then there is no result.
pub fn resolve_hops(
    hops: &[HopFile],
    base: &Base,
    room: usize,
    world: World<'_>,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Option<Branch> {
    let mut own = Findings::new();
    let mut expander = Expander { world, findings: &mut own, room, trail: vec![String::new()] };
    let entries = expander.entries(hops, base, &Outer::default(), path);
    let fine = !own.has_errors();
    own.into_vec().into_iter().for_each(|finding| findings.push(finding));
    fine.then_some(Branch { name: String::new(), kind: super::file::PolicyType::Fallback, entries })
}

/// What a policy says of its own hops, below the policies around it.
fn base(file: &PolicyFile, around: &Base) -> Base {
    let mut keep = around.keep.clone();
    add_boundaries(&mut keep, &file.keep);
    Base {
        on: file.on.over(super::Verdicts::default()),
        backoff: file.backoff,
        timeouts: file.timeouts,
        breaker: file.breaker,
        keep,
        translate: file.translate,
    }
}

/// What the hops that lead to a nested policy say of everything in it.
#[derive(Clone, Debug, Default)]
struct Outer {
    degraded: Option<Degraded>,
    params: Vec<Param>,
}

impl Outer {
    fn then(&self, hop: &HopFile) -> Outer {
        let params = self.params.iter().chain(&hop.params).cloned().collect();
        Outer { degraded: degraded(self.degraded.as_ref(), hop.degraded.as_ref()), params }
    }
}

/// The outer word counts, but for a text that only the inner one has.
fn degraded(outer: Option<&Degraded>, inner: Option<&Degraded>) -> Option<Degraded> {
    match (outer, inner) {
        (None | Some(Degraded::Yes), Some(Degraded::Notice(notice))) => Some(Degraded::Notice(notice.clone())),
        (Some(outer), _) => Some(outer.clone()),
        (None, inner) => inner.cloned(),
    }
}

struct Expander<'a> {
    world: World<'a>,
    findings: &'a mut Findings,
    /// How many more targets there may be.
    room: usize,
    /// The names from the outermost policy to the one being expanded.
    trail: Vec<String>,
}

impl Expander<'_> {
    fn branch(&mut self, file: &PolicyFile, base: &Base, outer: &Outer, path: &Path<'_>) -> Branch {
        let name = self.trail.last().cloned().unwrap_or_default();
        Branch { name, kind: file.kind, entries: self.entries(&file.chain, base, outer, path) }
    }

    fn entries(&mut self, hops: &[HopFile], base: &Base, outer: &Outer, path: &Path<'_>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(hops.len());
        for (i, hop) in hops.iter().enumerate() {
            let Some(node) = self.node(hop, base, outer, &path.index(i)) else { continue };
            entries.push(Entry { weight: hop.weight.unwrap_or(1), node });
        }
        entries
    }

    fn node(&mut self, hop: &HopFile, base: &Base, outer: &Outer, path: &Path<'_>) -> Option<Node> {
        let path = path.field("model");
        match ModelRef::parse(&hop.model, self.world.default_provider, self.world.provider) {
            Ok(ModelRef::Target(target)) => self.target(target, hop, base, outer, &path),
            Ok(ModelRef::Policy(name)) => self.nested(&name, base, &outer.then(hop), &path).map(Node::Policy),
            Err(bad) => {
                let hint = match &bad {
                    BadModel::UnknownProvider(name) => format!("is {name:?} misspelt, or provider:{name} missing?"),
                    BadModel::Invalid(_) | BadModel::BadPolicyName(_) => String::new(),
                };
                self.error_with_hint(&path, explain(&hop.model, bad), hint);
                None
            }
        }
    }

    fn target(&mut self, target: Target, hop: &HopFile, base: &Base, outer: &Outer, path: &Path<'_>) -> Option<Node> {
        let Some(room) = self.room.checked_sub(1) else {
            self.too_many(path);
            return None;
        };
        self.room = room;
        let all = outer.then(hop);
        Some(Node::Hop(Box::new(Hop {
            policies: self.trail.iter().filter(|name| !name.is_empty()).cloned().collect(),
            retries: hop.retries.unwrap_or(0),
            hedge_after: hop.hedge_after,
            timeouts: hop.timeouts.over(base.timeouts),
            degraded: all.degraded.unwrap_or(Degraded::No),
            params: all.params,
            ..base.hop(target, hop.key.unwrap_or_default())
        })))
    }

    fn nested(&mut self, name: &str, around: &Base, outer: &Outer, path: &Path<'_>) -> Option<Branch> {
        if self.trail.iter().any(|known| known == name) {
            let way = self.trail.iter().filter(|name| !name.is_empty()).map(String::as_str);
            let way: Vec<&str> = way.chain([name]).collect();
            self.error_with_hint(path, format!("cycle {}", way.join(" -> ")), "a policy cannot lead back to itself");
            return None;
        }
        if self.trail.len() > MAX_NESTING {
            let way: Vec<&str> = self.trail.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
            let message = format!("{} -> {name} nests policies more than {MAX_NESTING} deep", way.join(" -> "));
            self.error_with_hint(path, message, "");
            return None;
        }
        if self.room == 0 {
            self.too_many(path);
            return None;
        }
        match (self.world.policy)(name) {
            Lookup::Found(file) => Some(self.enter(name, &file, around, outer, path)),
            Lookup::Missing => {
                self.error_with_hint(path, format!("\"policy/{name}\" names a policy that does not exist"), "");
                None
            }
            Lookup::Bad(message) => {
                self.error_with_hint(path, format!("\"policy/{name}\" does not parse: {message}"), "");
                None
            }
        }
    }

    /// Expands a nested policy. What is wrong in it is told at the hop that leads there.
    fn enter(&mut self, name: &str, file: &PolicyFile, around: &Base, outer: &Outer, path: &Path<'_>) -> Branch {
        let mut inside = Findings::new();
        let mut trail = self.trail.clone();
        trail.push(name.to_owned());
        let mut expander = Expander { world: self.world, findings: &mut inside, room: self.room, trail };
        let branch = expander.branch(file, &base(file, around), outer, &Path::ROOT.field("chain"));
        self.room = expander.room;
        for finding in inside.into_vec() {
            let message = format!("policy {name:?}: {}: {}", finding.path, finding.message);
            self.error_with_hint(path, message, finding.hint);
        }
        branch
    }

    fn too_many(&mut self, path: &Path<'_>) {
        self.error_with_hint(path, format!("this is more than the {MAX_TARGETS} targets allowed in all"), "");
    }

    fn error_with_hint(&mut self, path: &Path<'_>, message: String, hint: impl Into<String>) {
        self.findings.error_with_hint(path, message, hint);
    }
}

/// A bad model reference in words, with its value and what was expected.
pub fn explain(written: &str, bad: BadModel) -> String {
    match bad {
        BadModel::Invalid(message) => message,
        BadModel::UnknownProvider(name) => {
            format!("{} names provider {}, which is neither built in nor configured", quoted(written), quoted(&name))
        }
        BadModel::BadPolicyName(name) => {
            format!("{} is not a policy name ([A-Za-z0-9][A-Za-z0-9._-]{{0,63}})", quoted(&name))
        }
    }
}
