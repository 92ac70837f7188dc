//! AWS signatures: the published vectors, and what Bedrock's paths need.

use crate::recorded;
use understudy::domain::sigv4::{Credentials, Request, canonical_request, hex_sha256, sign};
use understudy::domain::time::Instant;

/// 2015-08-30T12:36:00Z, the moment of the published vectors.
const VECTOR_TIME: Instant = Instant(1_440_938_160_000);

/// A request as the vectors write it: request line, headers, blank line, body.
struct Written {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Written {
    fn parse(text: &str) -> Written {
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end_matches('\n'), ""));
        let mut lines = head.lines();
        let mut line = lines.next().expect("a request line").split(' ');
        let method = line.next().expect("a method").to_owned();
        let target = line.next().expect("a target");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .map(|line| line.split_once(':').expect("a header"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Written { method, path: path.to_owned(), query: query.to_owned(), headers, body: body.to_owned() }
    }

    fn host(&self) -> &str {
        let host = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        &host.expect("a host").1
    }

    /// The headers to sign, but for those that the signer adds itself.
    fn extra(&self) -> Vec<(&str, &str)> {
        self.headers
            .iter()
            .filter(|(name, _)| !["host", "x-amz-date"].contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

#[track_caller]
fn signature_of(headers: &[(String, String)]) -> &str {
    let authorization = headers.iter().find(|(name, _)| name == "authorization").expect("an authorization header");
    authorization.1.split_once("Signature=").expect("a signature").1
}

#[track_caller]
fn matches_vector(name: &str) {
    let case = format!("sigv4/{name}");
    let (Some(request), Some(context)) = (recorded::text(&case, "request.txt"), recorded::json(&case, "context.json"))
    else {
        return;
    };
    let canonical = recorded::text(&case, "header-canonical-request.txt").expect("a canonical request");
    let signature = recorded::text(&case, "header-signature.txt").expect("a signature");
    let written = Written::parse(&request);
    let field = |name: &str| context["credentials"][name].as_str().map(str::to_owned);
    let credentials = Credentials {
        access_key_id: field("access_key_id").expect("a key id"),
        secret_access_key: field("secret_access_key").expect("a secret"),
        session_token: field("token").filter(|_| context["omit_session_token"] != true),
    };
    let body_sha256 = hex_sha256(written.body.as_bytes());
    let mut headers = written.extra();
    if context["sign_body"] == true {
        headers.push(("x-amz-content-sha256", &body_sha256));
    }
    let request = Request {
        method: &written.method,
        host: written.host(),
        path: &written.path,
        query: &written.query,
        headers: &headers,
        body_sha256: &body_sha256,
    };
    let signed = sign(&request, &credentials, "us-east-1", "service", VECTOR_TIME);
    let added: Vec<_> = signed.iter().filter(|(name, _)| name != "authorization").cloned().collect();
    assert_eq!(canonical_request(&request, &added).0, canonical, "{name}: canonical request");
    assert_eq!(signature_of(&signed), signature.trim(), "{name}: signature");
}

#[test]
fn published_vectors_hold() {
    for name in [
        "get-vanilla",
        "get-unreserved",
        "get-utf8",
        "get-header-value-order",
        "get-vanilla-query-order-key-case",
        "get-vanilla-query-order-encoded",
        "get-vanilla-empty-query-key",
        "get-vanilla-utf8-query",
        "get-header-value-trim",
        "get-header-key-duplicate",
        "get-vanilla-with-session-token",
        "post-sts-header-after",
        "post-x-www-form-urlencoded",
    ] {
        matches_vector(name);
    }
}

#[test]
fn a_path_is_encoded_once_more() {
    let Some(text) = recorded::text("sigv4/double-encode-path", "request.txt") else { return };
    let signed_request = recorded::text("sigv4/double-encode-path", "header-signed-request.txt").expect("a request");
    let written = Written::parse(&text);
    let credentials = Credentials {
        access_key_id: "ANOTREAL".to_owned(),
        secret_access_key: "notrealrnrELgWzOk3IfjzDKtFBhDby".to_owned(),
        session_token: None,
    };
    let request = Request {
        method: &written.method,
        host: written.host(),
        path: &written.path,
        query: "",
        headers: &[],
        body_sha256: &hex_sha256(b""),
    };
    let signed = sign(&request, &credentials, "us-east-1", "service", VECTOR_TIME);
    assert!(signed_request.contains(&format!("Signature={}", signature_of(&signed))));
}

#[test]
fn a_model_id_with_a_colon_is_signed_in_its_doubly_encoded_form() {
    let request = Request {
        method: "POST",
        host: "bedrock-runtime.eu-central-1.amazonaws.com",
        path: "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
        query: "",
        headers: &[("content-type", "application/json")],
        body_sha256: &hex_sha256(b"{}"),
    };
    let (canonical, names) = canonical_request(&request, &[]);
    assert_eq!(canonical.lines().nth(1), Some("/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%253A0/invoke"));
    assert_eq!(names, "content-type;host");
}

#[test]
fn added_headers_are_date_token_and_authorization() {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: Some("token".to_owned()),
    };
    let request =
        Request { method: "POST", host: "h", path: "", query: "", headers: &[], body_sha256: &hex_sha256(b"") };
    let signed = sign(&request, &credentials, "eu-central-1", "bedrock", VECTOR_TIME);
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-amz-date", "x-amz-security-token", "authorization"]);
    assert_eq!(signed[0].1, "20150830T123600Z");
    let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=";
    assert!(signed[2].1.starts_with(start), "{}", signed[2].1);
    assert!(!format!("{credentials:?}").contains("secret"), "a secret never shows in a debug print");
}
