//! From what a request asks to the plan that it runs under.
//!
//! ```text
//! Asked --choose--> Course         rule, then the key's policy if the model still names none; read once, not again
//!                     |            (the caller loads the documents that it names)
//!                     +--compose--> Plan        defaults, policy, hop, rule, request: weakest first
//!                                   + the hops that the key's deny or a rule's deny binds
//! ```
//! A request that is refused on the way is refused in this order: what is no model (400), what its key does not allow or
//! denies (403, before it is known whether it exists), what no provider has (400), what a rule denies (403), what no policy
//! is called (404).

pub mod boundaries;
mod compose;
mod course;
mod refusals;

pub use compose::{Composed, Stored};
pub use course::{Course, Request, Start};
pub use refusals::policy_not_found;

pub use crate::domain::request::Identity;
