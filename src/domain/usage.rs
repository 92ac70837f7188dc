//! Token counts as an upstream reports them, one meaning for every wire.

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens: uncached, read from cache, and written to it.
    pub input: u64,
    /// Of `input`, those read from a cache.
    pub cached: u64,
    /// Of `input`, those written to a cache.
    pub cache_written: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Of `output`, those spent on reasoning.
    pub reasoning: u64,
}
