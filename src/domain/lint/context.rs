//! What the linter is told.

use crate::domain::catalogue::Catalogue;
use crate::domain::policy::resolve::World;
use crate::domain::provider::Provider;

/// What lint knows of the world beside the policy.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub world: World<'a>,
    /// A provider by name, built in or configured, or what is wrong with its document.
    pub provider: &'a dyn Fn(&str) -> Option<Result<Provider, String>>,
    /// Whether a secret of that name is set.
    pub has_secret: &'a dyn Fn(&str) -> bool,
    pub catalogue: &'a Catalogue,
    /// `YYYY-MM-DD`: models retired later are still in service.
    pub today: &'a str,
    /// Size of the prompt that the worst case is priced for.
    pub prompt_tokens: u64,
}

/// The size of prompt that is priced when none is asked for.
pub const PROMPT_TOKENS: u64 = 1_000;
