//! Which headers a provider's document may set, and which may carry its key.

/// Header fields that carry authentication.
pub(super) fn is_auth(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "x-api-key"
            | "api-key"
            | "x-goog-api-key"
            | "proxy-authorization"
            | "x-auth-token"
            | "cf-aig-authorization"
    ) || name.starts_with("x-amz-")
}

/// Header fields that belong to the connection, to the platform, or to us.
pub(super) fn is_plumbing(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "cookie"
            | "set-cookie"
            | "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "content-length"
            | "content-encoding"
            | "content-type"
            | "accept-encoding"
            | "cdn-loop"
            | "forwarded"
            | "via"
    ) || ["cf-", "x-forwarded-", "x-understudy", "sec-"].iter().any(|start| name.starts_with(start))
        // Cloudflare's AI Gateway, which is an upstream as others are.
        && !name.starts_with("cf-aig-")
}

/// What HTTP calls a token.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
