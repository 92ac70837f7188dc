//! A policy with everything it refers to expanded in place, made once per version; per request it is only flattened.
//!
//! ```text
//! Tree                     outermost: deadline, stream, consent, exhausted, usage, workload
//! └─ Branch (one policy)   its own type, and its order or weights
//!    ├─ Hop                a target with all that governs it: on, backoff, timeouts, breaker, keep, translate
//!    └─ Branch ...         a nested policy
//! ```

use super::file::PolicyType;
use super::{
    Backoff, Boundary, BreakerRules, Consent, Degraded, Exhausted, Hop, KeyChoice, Plan, PlanName, StreamRules,
    Timeouts, Translate, UsageMode, Verdicts,
};
use crate::domain::checksum::crc32;
use crate::domain::target::Target;
use crate::domain::time::Span;
use sha2::{Digest, Sha256};

/// A resolved policy.
#[derive(Clone, Debug)]
pub struct Tree {
    pub root: Branch,
    /// What governs the hops that this policy lists itself; hops that a rule or a request adds run under it too.
    pub base: Base,
    pub deadline: Span,
    pub stream: StreamRules,
    pub consent: Consent,
    pub exhausted: Exhausted,
    pub usage: UsageMode,
    /// As written; else the plan's name is the workload.
    pub workload: Option<String>,
}

/// What a policy says of each of its own hops.
#[derive(Clone, Debug, Default)]
pub struct Base {
    pub on: Verdicts,
    pub backoff: Backoff,
    pub timeouts: Timeouts,
    /// `None`: off.
    pub breaker: Option<BreakerRules>,
    /// This policy's own and those of every policy around it.
    pub keep: Vec<Boundary>,
    pub translate: Translate,
}

/// One policy's place in a tree.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The policy's name; empty for a list of hops that has none.
    pub name: String,
    pub kind: PolicyType,
    pub entries: Vec<Entry>,
}

/// One entry of a chain.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its share under `load_balance`; 0 is a fallback only.
    pub weight: u32,
    pub node: Node,
}

/// What an entry of a chain names.
#[derive(Clone, Debug)]
pub enum Node {
    Hop(Box<Hop>),
    Policy(Branch),
}

/// How `load_balance` draws.
#[derive(Clone, Copy, Debug)]
pub enum Draw<'a> {
    /// The same user meets the same hop, as long as the weights stand.
    Sticky(&'a str),
    /// Fresh randomness of this request.
    Seed(u64),
}

impl Default for Verdicts {
    fn default() -> Verdicts {
        Verdicts::preset(super::Preset::default())
    }
}

impl Base {
    /// The built-in policy's: every field at its default.
    pub fn plain() -> Base {
        Base { breaker: Some(BreakerRules::default()), ..Base::default() }
    }

    /// A hop under this policy, with no retries.
    pub fn hop(&self, target: Target, key: KeyChoice) -> Hop {
        Hop {
            target,
            policies: Vec::new(),
            retries: 0,
            hedge_after: None,
            key,
            timeouts: self.timeouts,
            degraded: Degraded::No,
            params: Vec::new(),
            on: self.on,
            backoff: self.backoff,
            breaker: self.breaker,
            keep: self.keep.clone(),
            translate: self.translate,
            endpoint: None,
        }
    }
}

impl Tree {
    /// The built-in policy of a plain model: one hop, every field at its default.
    pub fn plain(target: Target, key: KeyChoice) -> Tree {
        let base = Base::plain();
        let entry = Entry { weight: 1, node: Node::Hop(Box::new(base.hop(target, key))) };
        Tree {
            root: Branch { name: String::new(), kind: PolicyType::Fallback, entries: vec![entry] },
            base,
            deadline: super::DEADLINE,
            stream: StreamRules::default(),
            consent: Consent::default(),
            exhausted: Exhausted::default(),
            usage: UsageMode::default(),
            workload: None,
        }
    }

    /// The plan of one request: its hops in the order in which they are tried.
    pub fn plan(&self, name: PlanName, draw: Draw<'_>) -> Plan {
        Plan {
            hops: self.root.flatten(draw),
            deadline: self.deadline,
            stream: self.stream,
            consent: self.consent,
            exhausted: self.exhausted,
            usage: self.usage,
            workload: self.workload.clone().unwrap_or_else(|| name.label()),
            name,
            rule: None,
            stale: false,
        }
    }

    /// Whether a plan depends on a draw: some branch balances its load.
    pub fn draws(&self) -> bool {
        self.root.draws()
    }

    /// Every hop in the order written, whatever the weights.
    pub fn hops(&self) -> Vec<&Hop> {
        self.root.hops()
    }

    /// Of the hops that can come first, the first as written: the same however it is drawn.
    pub fn first(&self) -> Option<&Hop> {
        self.root.first()
    }
}

impl PlanName {
    /// Under which policy the ledger counts it: `<name>`, `rule/<ruleset>/<rule>`, `request`, or nothing for a plain model.
    pub fn label(&self) -> String {
        match self {
            PlanName::Stored { name, .. } => name.clone(),
            PlanName::Rule { ruleset, rule } => format!("rule/{ruleset}/{rule}"),
            PlanName::Request => "request".to_owned(),
            PlanName::Plain => String::new(),
        }
    }

    /// First 8 hex digits of the stored document's SHA-256; empty for what is not stored as a policy.
    pub fn version(&self) -> &str {
        match self {
            PlanName::Stored { version, .. } => version,
            PlanName::Rule { .. } | PlanName::Request | PlanName::Plain => "",
        }
    }
}

impl Branch {
    /// The hops in the order of this draw.
    pub fn flatten(&self, draw: Draw<'_>) -> Vec<Hop> {
        let mut hops = Vec::new();
        self.flatten_into(draw, &mut hops);
        hops
    }

    fn flatten_into(&self, draw: Draw<'_>, hops: &mut Vec<Hop>) {
        let first = match self.kind {
            PolicyType::Fallback => 0,
            PolicyType::LoadBalance => self.drawn(draw, hops.len()),
        };
        let rest = self.entries.iter().enumerate().filter(|(i, _)| *i != first).map(|(_, entry)| entry);
        for entry in self.entries.get(first).into_iter().chain(rest) {
            match &entry.node {
                Node::Hop(hop) => hops.push((**hop).clone()),
                Node::Policy(branch) => branch.flatten_into(draw, hops),
            }
        }
    }

    fn draws(&self) -> bool {
        let nested = |entry: &Entry| matches!(&entry.node, Node::Policy(branch) if branch.draws());
        self.kind == PolicyType::LoadBalance || self.entries.iter().any(nested)
    }

    /// The entry drawn by weight; the first when every weight is 0.
    fn drawn(&self, draw: Draw<'_>, salt: usize) -> usize {
        let total: u64 = self.entries.iter().map(|entry| u64::from(entry.weight)).sum();
        let point = ((u128::from(draw.number(&self.name, salt)) * u128::from(total)) >> 64) as u64;
        let mut passed = 0;
        let hit = self.entries.iter().position(|entry| {
            passed += u64::from(entry.weight);
            point < passed
        });
        hit.unwrap_or(0)
    }

    /// Changes every hop.
    pub fn each_hop(&mut self, change: &mut impl FnMut(&mut Hop)) {
        for entry in &mut self.entries {
            match &mut entry.node {
                Node::Hop(hop) => change(hop),
                Node::Policy(branch) => branch.each_hop(change),
            }
        }
    }

    /// Changes every hop of the policies that this one nests.
    pub fn each_nested_hop(&mut self, change: &mut impl FnMut(&mut Hop)) {
        for entry in &mut self.entries {
            if let Node::Policy(nested) = &mut entry.node {
                nested.each_hop(change);
            }
        }
    }

    fn first(&self) -> Option<&Hop> {
        let is_drawn = |entry: &&Entry| self.kind != PolicyType::LoadBalance || entry.weight > 0;
        let entry = self.entries.iter().find(is_drawn).or(self.entries.first())?;
        match &entry.node {
            Node::Hop(hop) => Some(hop),
            Node::Policy(branch) => branch.first(),
        }
    }

    /// Every hop in the order written.
    pub fn hops(&self) -> Vec<&Hop> {
        let mut hops = Vec::new();
        for entry in &self.entries {
            match &entry.node {
                Node::Hop(hop) => hops.push(&**hop),
                Node::Policy(branch) => hops.extend(branch.hops()),
            }
        }
        hops
    }
}

impl Draw<'_> {
    /// 64 even bits. A policy's name goes into every draw, so that two policies do not share their unlucky users, and that what a
    /// policy draws says nothing of what one within it draws, which starts at the same place; the place goes into a random one, so
    /// that a policy that is met twice draws twice.
    fn number(self, policy: &str, place: usize) -> u64 {
        match self {
            Draw::Sticky(user) => {
                let digest = Sha256::new().chain_update(policy).chain_update([0]).chain_update(user).finalize();
                digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
            }
            Draw::Seed(seed) => {
                let named = seed.wrapping_add(u64::from(crc32(policy.as_bytes())));
                mix(named.wrapping_add((place as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            }
        }
    }
}

/// The finaliser of SplitMix64: near seeds give numbers that have nothing in common.
const fn mix(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
