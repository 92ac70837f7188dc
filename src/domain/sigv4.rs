//! AWS Signature Version 4: the headers that authenticate one request.
//!
//! ```text
//! canonical request   method \n path \n query \n name:value \n ... \n \n signed names \n body hash
//! string to sign      AWS4-HMAC-SHA256 \n <date>T<time>Z \n <date>/<region>/<service>/aws4_request \n hash of the above
//! signing key         HMAC chain of AWS4<secret>: date, region, service, "aws4_request"
//! ```
//!
//! The path is given as it stands in the request line and every segment of it is encoded once more: `%3A` in a model id
//! is signed as `%253A`, as every service but S3 wants it. A signature holds for about five minutes, so each try of a
//! target is signed anew.

use crate::domain::time::Instant;
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, Mac};
use litemap::LiteMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use std::fmt;

/// All but the unreserved characters of RFC 3986 is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An AWS key pair, with the token of a temporary one.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// As in the request line, without the query.
    pub path: &'a str,
    /// What follows `?`, or empty.
    pub query: &'a str,
    /// Further headers to sign; a repeated one keeps the order of its values. `host` and `x-amz-*` of ours are added.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body, in lowercase hex: [`hex_sha256`].
    pub body_sha256: &'a str,
}

/// The headers to add to the request: `x-amz-date`, `x-amz-security-token` for a temporary key, `authorization`.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: Instant,
) -> Vec<(String, String)> {
    let time = timestamp(now);
    let mut added = vec![("x-amz-date".to_owned(), time.clone())];
    if let Some(token) = &credentials.session_token {
        added.push(("x-amz-security-token".to_owned(), token.clone()));
    }
    let (canonical, signed_names) = canonical_request(request, &added);
    let date = time.split('T').next().unwrap_or_default();
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = string_to_sign(&time, &scope, &canonical);
    let key = signing_key(&credentials.secret_access_key, date, region, service);
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let id = &credentials.access_key_id;
    added.push((
        "authorization".to_owned(),
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed_names}, Signature={signature}"),
    ));
    added
}

/// SHA-256 in lowercase hex, as [`Request::body_sha256`] takes it.
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `20150830T123600Z`
fn timestamp(now: Instant) -> String {
    let ms = i64::try_from(now.0).unwrap_or(i64::MAX);
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true).replace(['-', ':'], "")
}

/// The canonical request, and the names of its headers as `a;b;c`.
pub fn canonical_request(request: &Request<'_>, added: &[(String, String)]) -> (String, String) {
    let given = request.headers.iter().map(|(name, value)| (*name, *value));
    let ours = added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut headers: LiteMap<String, Vec<String>> = LiteMap::new();
    for (name, value) in given.chain(ours).chain([("host", request.host)]) {
        headers.entry(name.to_ascii_lowercase()).or_default().push(squeeze(value));
    }
    let names = headers.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
    let (path, query) = (canonical_path(request.path), canonical_query(request.query));
    let text = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{}", request.method, request.body_sha256);
    (text, names)
}

fn canonical_path(path: &str) -> String {
    match path.is_empty() {
        true => "/".to_owned(),
        false => path.split('/').map(encode).collect::<Vec<_>>().join("/"),
    }
}

/// Parameters by name, then by value, both encoded exactly once.
fn canonical_query(query: &str) -> String {
    let recode = |text: &str| encode(&percent_decode_str(text).decode_utf8_lossy());
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recode(name), recode(value)))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Trimmed, and runs of blanks made one.
fn squeeze(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn string_to_sign(time: &str, scope: &str, canonical: &str) -> String {
    format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex_sha256(canonical.as_bytes()))
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> Vec<u8> {
    let start = format!("AWS4{secret}").into_bytes();
    [date, region, service, "aws4_request"].iter().fold(start, |key, part| hmac(&key, part.as_bytes()))
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length: the error cannot occur, and an empty signature is refused upstream.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}
