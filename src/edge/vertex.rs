//! Access tokens for Vertex: made from a service account's key by one exchange, and kept in this isolate until shortly
//! before they expire. Nothing is stored: another isolate makes its own.

use super::body::message_of;
use super::glue;
use super::line::within;
use crate::domain::outcome::{Class, Failure};
use crate::domain::provider::google::{self, GoogleKey, ServiceAccount, Token};
use crate::domain::sigv4::hex_sha256;
use crate::domain::time::Span;
use js_sys::{Promise, Uint8Array};
use std::cell::RefCell;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// Accounts whose tokens one isolate keeps; a key that a caller brings counts as well.
const KEPT_MAX: usize = 64;
/// An exchange takes well under a second; the hop's own clocks have not begun yet.
const PATIENCE: Span = Span::seconds(10);

thread_local! {
    /// Tokens by the SHA-256 of the key that they were made from, the newest last.
    static KEPT: RefCell<Vec<(String, Token)>> = const { RefCell::new(Vec::new()) };
}

#[wasm_bindgen(module = "/src/edge/vertex.js")]
extern "C" {
    fn rs256(der: &[u8], text: &str) -> Promise;
}

/// The token to send as bearer for a key: the key itself, where it is no service account's.
///
/// # Errors
/// Class `auth` where the key is unusable or refused, `unreachable` where the exchange did not answer.
pub async fn access_token(key: &str) -> Result<String, Failure> {
    let account = match GoogleKey::parse(key)? {
        GoogleKey::Token(token) => return Ok(token),
        GoogleKey::Account(account) => account,
    };
    let name = hex_sha256(key.as_bytes());
    if let Some(token) = kept(&name) {
        return Ok(token.text);
    }
    let exchanged = within(PATIENCE, exchange(&account)).await;
    let token =
        exchanged.unwrap_or_else(|| Err(Failure::new(Class::Unreachable, "no access token for Vertex in time")))?;
    keep(name, token.clone());
    Ok(token.text)
}

fn kept(name: &str) -> Option<Token> {
    let now = glue::wall();
    KEPT.with_borrow_mut(|kept| {
        kept.retain(|(_, token)| token.is_fresh(now));
        kept.iter().find(|(known, _)| known == name).map(|(_, token)| token.clone())
    })
}

fn keep(name: String, token: Token) {
    KEPT.with_borrow_mut(|kept| {
        kept.retain(|(known, _)| *known != name);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((name, token));
    });
}

async fn exchange(account: &ServiceAccount) -> Result<Token, Failure> {
    let now = glue::wall();
    let signing_input = account.signing_input(now);
    let signature = JsFuture::from(rs256(&account.private_key, &signing_input)).await.map_err(|error| {
        Failure::new(Class::Auth, format!("the service account key does not sign: {}", message_of(&error)))
    })?;
    let form = google::exchange_form(&signing_input, &Uint8Array::new(&signature).to_vec());
    let (status, body) = post(&form).await.map_err(|error| {
        Failure::new(Class::Unreachable, format!("no access token for Vertex: {}", message_of(&error)))
    })?;
    google::token_of(status, &body, now)
}

async fn post(form: &str) -> Result<(u16, Vec<u8>), JsValue> {
    let headers = web_sys::Headers::new()?;
    headers.set("content-type", "application/x-www-form-urlencoded")?;
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&JsValue::from_str(form));
    init.set_redirect(web_sys::RequestRedirect::Manual);
    let response: web_sys::Response = JsFuture::from(glue::fetch(google::TOKEN_URL, &init)).await?.unchecked_into();
    let body = JsFuture::from(response.array_buffer()?).await?;
    Ok((response.status(), Uint8Array::new(&body).to_vec()))
}
