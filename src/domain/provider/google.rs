//! Vertex's key: a service account's JSON key, from which an access token is made; or an access token itself.
//!
//! ```text
//! assertion   base64url(header) . base64url(claims) . base64url(RS256 signature)
//! header      {"alg": "RS256", "typ": "JWT", "kid": <private_key_id>}
//! claims      {"iss": <client_email>, "scope": cloud-platform, "aud": TOKEN_URL, "iat", "exp"}
//! exchange    POST TOKEN_URL  grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=...
//! answer      {"access_token", "expires_in", "token_type"} | {"error", "error_description"}
//! ```
//!
//! Here is all but the signature and the exchange itself. The `token_uri` of a key is not read: a key that a caller brings
//! must not choose where its assertion is sent.

use crate::domain::outcome::{Class, Failure};
use crate::domain::time::{Instant, Span};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;

/// Where assertions are exchanged for access tokens.
pub const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Google takes assertions of at most an hour, and its tokens live as long.
const LIFETIME: Span = Span::seconds(3600);
/// A token is not used in its last minutes: the call that carries it may take as long to arrive.
const MARGIN: Span = Span::seconds(300);

/// What the secret holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoogleKey {
    /// An access token, sent as it is.
    Token(String),
    Account(ServiceAccount),
}

/// A service account's key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    /// PKCS#8, DER.
    pub private_key: Vec<u8>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

/// An access token, and until when it is to be used.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub until: Instant,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("until", &self.until).finish_non_exhaustive()
    }
}

impl GoogleKey {
    /// Reads the secret: JSON is a service account's key, anything else a token.
    ///
    /// # Errors
    /// A failure of class `auth` that says what is wrong with the key, without quoting it.
    pub fn parse(secret: &str) -> Result<GoogleKey, Failure> {
        let secret = secret.trim();
        if !secret.starts_with('{') {
            return Ok(GoogleKey::Token(secret.to_owned()));
        }
        let bad = |what: &str| Failure::new(Class::Auth, format!("the service account key {what}"));
        let file: KeyFile =
            serde_json::from_slice(secret.as_bytes()).map_err(|_| bad("is no JSON key file of a service account"))?;
        let private_key = der_of(&file.private_key).ok_or_else(|| bad("has a private_key that is no PKCS#8 PEM"))?;
        Ok(GoogleKey::Account(ServiceAccount { email: file.client_email, key_id: file.private_key_id, private_key }))
    }
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
}

/// The bytes between `-----BEGIN PRIVATE KEY-----` and its end.
fn der_of(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let base64: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(base64).ok().filter(|der| !der.is_empty())
}

impl ServiceAccount {
    /// What is to be signed with RS256.
    pub fn signing_input(&self, now: Instant) -> String {
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(key_id) = &self.key_id {
            header["kid"] = json!(key_id);
        }
        let seconds = now.0 / 1000;
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": TOKEN_URL,
            "iat": seconds,
            "exp": seconds.saturating_add(LIFETIME.0 / 1000),
        });
        format!("{}.{}", part(&header), part(&claims))
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The form that exchanges a signed assertion.
pub fn exchange_form(signing_input: &str, signature: &[u8]) -> String {
    let signature = URL_SAFE_NO_PAD.encode(signature);
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={signing_input}.{signature}")
}

/// The token that the exchange gave, asked for at `now`.
///
/// # Errors
/// Class `auth` when the key was refused, else `unreachable`: the model itself was not asked.
pub fn token_of(status: u16, body: &[u8], now: Instant) -> Result<Token, Failure> {
    let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    if let (200, Some(text)) = (status, answer["access_token"].as_str()) {
        let lifetime = answer["expires_in"].as_u64().map_or(LIFETIME, Span::seconds);
        return Ok(Token { text: text.to_owned(), until: now + lifetime - MARGIN });
    }
    let class = if matches!(status, 400 | 401 | 403) { Class::Auth } else { Class::Unreachable };
    let why = answer["error_description"].as_str().or(answer["error"].as_str()).unwrap_or("no reason given");
    Err(Failure::new(class, format!("no access token for Vertex: status {status}, {why}")))
}

impl Token {
    /// Whether it is still to be used.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.until
    }
}
