//! Anthropic's betas on the clouds: what of a client's `anthropic-beta` goes on to Bedrock and Vertex. Both refuse a call that
//! names one that they do not know, and Claude Code names some of those in every call.
//!
//! A beta by itself asks for nothing: what the body asks for under it is settled where the body is.

use crate::domain::dialect::Wire;

/// The most that are passed on.
const MOST: usize = 32;
/// Betas of Anthropic's own API, by the start of their name, and what says nothing but who calls.
const OWN: [&str; 14] = [
    "oauth-",
    "claude-code-",
    "prompt-caching-scope-",
    "fast-mode-",
    "redact-thinking-",
    "token-efficient-tools-2026",
    "files-api-",
    "code-execution-",
    "mcp-client-",
    "mcp-servers-",
    "skills-",
    "web-fetch-",
    "advisor-tool-",
    "message-threads-",
];
/// What each of the clouds lacks beside them: caching needs no beta there.
const BEDROCK: &str = "extended-cache-ttl-";
const VERTEX: &str = "prompt-caching-";
/// One that the clouds know by another name.
const TOOLS: (&str, &str) = ("advanced-tool-use-", "tool-search-tool-2025-10-19");

/// The betas of a header that a cloud may be told of.
pub fn kept(header: &str, wire: Wire) -> Vec<&str> {
    let lacks = if wire == Wire::Invoke { BEDROCK } else { VERTEX };
    let known = |beta: &&str| !beta.is_empty() && !OWN.iter().chain([&lacks]).any(|start| beta.starts_with(*start));
    let named = |beta| if str::starts_with(beta, TOOLS.0) { TOOLS.1 } else { beta };
    header.split(',').map(str::trim).filter(known).map(named).take(MOST).collect()
}

/// The header as it goes to that wire; `None` when nothing is left of it.
pub fn header(header: &str, wire: Wire) -> Option<String> {
    match wire {
        Wire::Invoke | Wire::RawPredict => Some(kept(header, wire).join(",")).filter(|left| !left.is_empty()),
        _ => Some(header.to_owned()),
    }
}
