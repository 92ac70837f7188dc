//! The circuit breaker of one target and key slot.

/// Placeholder until its own commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breaker;
