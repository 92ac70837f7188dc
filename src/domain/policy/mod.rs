//! Policies as meant: what a stored document, a rule or a request comes down to once it has been checked.
//!
//! `file.rs` is the document as written (serde, unknown fields denied), `resolve.rs` turns it into these types with every
//! default filled in. What is legal and yet unwise is said by [`lint`](super::lint). A value of a type here always holds its range.

pub mod fields;
pub mod file;
pub mod hop_text;
pub mod overrides;
pub mod resolve;
pub mod tree;

use crate::domain::outcome::{Class, KeySlot};
use crate::domain::target::Target;
use crate::domain::time::Span;

/// What a policy says of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The same target after a backoff while tries remain, then the next hop.
    Retry,
    /// The same target after a backoff while tries remain, then stop.
    RetryOnly,
    /// The next hop at once.
    Next,
    /// This error goes to the client.
    Stop,
}

/// A verdict for every class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdicts([Verdict; 16]);

/// The named starting points of a verdict table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Goes on whenever another target might answer.
    #[default]
    Resilient,
    /// Falls back on temporary failures alone.
    Strict,
}

impl Verdicts {
    /// The table of a preset.
    pub fn preset(preset: Preset) -> Verdicts {
        Verdicts(Class::ALL.map(|class| match preset {
            Preset::Resilient => resilient(class),
            Preset::Strict => strict(class),
        }))
    }

    /// The verdict on one class.
    pub fn of(&self, class: Class) -> Verdict {
        self.0[class as usize]
    }

    /// The same table with one class changed.
    pub fn set(&mut self, class: Class, verdict: Verdict) {
        self.0[class as usize] = verdict;
    }
}

const fn resilient(class: Class) -> Verdict {
    match class {
        Class::RateLimited | Class::Overloaded | Class::ServerError | Class::Unreachable | Class::Malformed => {
            Verdict::Retry
        }
        Class::ContentPolicy | Class::Cancelled => Verdict::Stop,
        Class::QuotaExhausted
        | Class::Timeout
        | Class::Interrupted
        | Class::Auth
        | Class::Forbidden
        | Class::NotFound
        | Class::ContextLength
        | Class::Unsupported
        | Class::InvalidRequest => Verdict::Next,
    }
}

const fn strict(class: Class) -> Verdict {
    match class {
        Class::RateLimited => Verdict::RetryOnly,
        Class::Overloaded | Class::ServerError | Class::Unreachable => Verdict::Retry,
        Class::Timeout | Class::Malformed | Class::Interrupted => Verdict::Next,
        Class::QuotaExhausted
        | Class::Auth
        | Class::Forbidden
        | Class::NotFound
        | Class::ContextLength
        | Class::ContentPolicy
        | Class::Unsupported
        | Class::InvalidRequest
        | Class::Cancelled => Verdict::Stop,
    }
}

/// How long to wait before another try of the same target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    pub initial: Span,
    /// 1 to 10.
    pub multiplier: f64,
    pub max: Span,
    /// 0 to 0.5: the wait is multiplied by a factor drawn from `1 - jitter ..= 1 + jitter`.
    pub jitter: f64,
    /// A `Retry-After` above this gives the hop up at once.
    pub retry_after_max: Span,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { initial: Span(500), multiplier: 2.0, max: Span(4_000), jitter: 0.1, retry_after_max: Span(10_000) }
    }
}

/// The clocks of one call. All start when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub headers: Span,
    pub first_token: Span,
    pub idle: Span,
    pub attempt: Span,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { headers: Span(30_000), first_token: Span(60_000), idle: Span(60_000), attempt: Span(180_000) }
    }
}

/// The default of `deadline_ms`.
pub const DEADLINE: Span = Span(600_000);

/// How long an answer is held back so that another target can still be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    Headers,
    FirstEvent,
    #[default]
    FirstContent,
    Complete,
}

/// How bytes go to the client after the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayMode {
    #[default]
    Pipe,
    Inspect,
}

/// A policy's `stream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRules {
    pub commit: Commit,
    /// 1 to 16777216.
    pub buffer_max_bytes: usize,
    pub relay: RelayMode,
}

impl Default for StreamRules {
    fn default() -> StreamRules {
        StreamRules { commit: Commit::FirstContent, buffer_max_bytes: 4 << 20, relay: RelayMode::Pipe }
    }
}

/// A policy's numbers for the circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// 1 to 1000 counted failures within `window` open it.
    pub failures: u32,
    pub window: Span,
    pub cooldown: Span,
    pub cooldown_max: Span,
}

impl Default for BreakerRules {
    fn default() -> BreakerRules {
        BreakerRules { failures: 5, window: Span(30_000), cooldown: Span(10_000), cooldown_max: Span(30_000) }
    }
}

/// Whether a request may leave the first hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    #[default]
    Automatic,
    /// Only with `x-understudy-consent: fallback`.
    Ask,
    Never,
}

/// A boundary that a fallback may not cross, compared with the first hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boundary {
    Family,
    Provider,
    Region,
    Labels,
    /// Another provider or key slot would pay.
    Billing,
}

impl Boundary {
    /// Every boundary, in the order of the contract.
    pub const ALL: [Boundary; 5] =
        [Boundary::Family, Boundary::Provider, Boundary::Region, Boundary::Labels, Boundary::Billing];

    /// The name used in policies and skip reasons.
    pub const fn name(self) -> &'static str {
        match self {
            Boundary::Family => "family",
            Boundary::Provider => "provider",
            Boundary::Region => "region",
            Boundary::Labels => "labels",
            Boundary::Billing => "billing",
        }
    }
}

/// Which attempt the final error speaks of when the chain ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exhausted {
    #[default]
    Last,
    First,
    MostActionable,
    /// A status of the owner's choice, 400 to 599.
    Status(u16),
}

/// What to do about features that a hop of another family cannot honour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Translate {
    /// Drop what only biases quality, and record it.
    #[default]
    Lenient,
    /// Skip the hop instead.
    Strict,
    /// Skip every hop of another family.
    Never,
}

/// Where token counts of a stream come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageMode {
    #[default]
    AsSent,
    Always,
}

/// Whose keys a hop may use, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyChoice {
    #[default]
    Managed,
    Own,
    ManagedThenOwn,
    OwnThenManaged,
}

impl KeyChoice {
    /// The slots, in the order in which they are tried.
    pub const fn slots(self) -> &'static [KeySlot] {
        match self {
            KeyChoice::Managed => &[KeySlot::Managed],
            KeyChoice::Own => &[KeySlot::Own],
            KeyChoice::ManagedThenOwn => &[KeySlot::Managed, KeySlot::Own],
            KeyChoice::OwnThenManaged => &[KeySlot::Own, KeySlot::Managed],
        }
    }
}

/// What a degraded hop tells the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Degraded {
    No,
    Yes,
    /// With a notice of at most 200 printable ASCII characters.
    Notice(String),
}

/// One change to a top-level field of the client's body, made before translation.
#[derive(Clone, Debug)]
pub struct Param {
    pub field: String,
    /// `None` removes the field.
    pub value: Option<Box<serde_json::value::RawValue>>,
}

/// One entry of a plan: a target with everything that governs its tries.
#[derive(Clone, Debug)]
pub struct Hop {
    pub target: Target,
    /// The names of the policies on the way here, outermost first; without one for a hop that no stored policy lists.
    pub policies: Vec<String>,
    /// Further tries of the same target after the first, 0 to 10.
    pub retries: u32,
    pub hedge_after: Option<Span>,
    pub key: KeyChoice,
    pub timeouts: Timeouts,
    pub degraded: Degraded,
    pub params: Vec<Param>,
    pub on: Verdicts,
    pub backoff: Backoff,
    pub breaker: Option<BreakerRules>,
    /// Every boundary on the path of nested policies that leads here.
    pub keep: Vec<Boundary>,
    pub translate: Translate,
    /// Credentials that came with the request (`openpipe.fallback_client`), in place of the provider's own.
    pub endpoint: Option<Endpoint>,
}

/// One-off credentials named by a request, allowed with `REQUEST_ENDPOINTS=on` alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub base_url: String,
    pub api_key: String,
    /// The model as the request writes it: what its own server calls it, whoever else has that name.
    pub model: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Under which name a request is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanName {
    /// `policy/<name>`, with the first 8 hex digits of the SHA-256 of the stored bytes.
    Stored { name: String, version: String },
    /// A plain model under a rule: `rule/<ruleset>/<rule>`.
    Rule { ruleset: String, rule: String },
    /// A request that brought its own fallbacks or overrides on a plain model.
    Request,
    /// A plain model under the built-in policy of one hop; counted under no policy.
    Plain,
}

/// What a request runs under: one flat list of hops in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: PlanName,
    /// `x-understudy-rule`: `<ruleset>/<rule>` when a rule applied, whatever the plan's name.
    pub rule: Option<String>,
    /// 1 to 32.
    pub hops: Vec<Hop>,
    pub deadline: Span,
    pub stream: StreamRules,
    pub consent: Consent,
    pub exhausted: Exhausted,
    pub usage: UsageMode,
    /// Defaults to the policy's name.
    pub workload: String,
    /// A bad edit stands in KV and the last good copy serves.
    pub stale: bool,
}
