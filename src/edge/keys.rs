//! Whose keys: the gateway key that a request presents, and the provider keys that its hops may use.

use super::bindings::text;
use super::documents::{Loaded, StoreDown, load};
use super::glue::now;
use super::log::warn;
use crate::domain::crypto::{self, CryptoError, Kek, Place};
use crate::domain::dialect::Wire;
use crate::domain::document;
use crate::domain::key::{self, KeyFile};
use crate::domain::outcome::{KeySlot, Skip};
use crate::domain::policy::Hop;
use crate::domain::provider::{Auth, Provider};
use crate::domain::refusal::Refusal;
use crate::domain::request::Headers;
use crate::domain::sigv4;
use litemap::LiteMap;
use serde_json::json;
use std::rc::Rc;
use worker::Env;

/// The gateway key of a request.
pub struct Caller {
    /// SHA-256 hex of the key.
    pub id: String,
    pub file: Rc<KeyFile>,
    /// A bad edit of its document stands in the store and the last good copy serves.
    pub stale: bool,
}

/// A provider's key, ready for use. Its text never leaves the request.
#[derive(Clone)]
pub struct Credential {
    pub slot: KeySlot,
    pub kind: Kind,
}

/// What a credential is made of.
#[derive(Clone)]
pub enum Kind {
    /// The provider wants none.
    None,
    Key(String),
    Aws(sigv4::Credentials),
}

/// Finds out who calls. `None` under `AUTH=off` without a known key.
///
/// # Errors
/// 401 without a known key and for one that is disabled or expired, 500 for a document that does not parse, 503 when the
/// store is down.
pub async fn authenticate(env: &Env, headers: &Headers, auth_off: bool) -> Result<Option<Caller>, Refusal> {
    let presented = key::presented(headers);
    let Some(text) = presented.filter(|text| key::is_well_formed(text)) else {
        return if auth_off { Ok(None) } else { Err(key::unknown(presented)) };
    };
    let id = key::hash(text);
    let parse = |bytes: &[u8]| key::parse(&id, bytes).map_err(|bad| bad.to_string());
    match load::<KeyFile>(env, &document::Kind::Key.key(&id), parse).await {
        Ok(Loaded::Good { value, stale, .. }) => {
            value.usable(now())?;
            Ok(Some(Caller { id, file: value, stale }))
        }
        Ok(Loaded::Missing) if auth_off => Ok(None),
        Ok(Loaded::Missing) => Err(key::unknown(presented)),
        Ok(Loaded::Bad(message)) => Err(Refusal::new(500, "key_invalid", message)),
        Err(StoreDown(_)) if auth_off => Ok(None),
        Err(down) => Err(down.into()),
    }
}

/// The credentials of a hop in the order of its choice, and the skip to record when there is none.
pub fn credentials(
    env: &Env,
    hop: &Hop,
    provider: &Provider,
    wire: Wire,
    caller: Option<&Caller>,
    sent: &LiteMap<String, String>,
) -> (Vec<Credential>, Option<Skip>) {
    if let Some(endpoint) = &hop.endpoint {
        return (vec![Credential { slot: KeySlot::Own, kind: Kind::Key(endpoint.api_key.clone()) }], None);
    }
    let slots = hop.key.slots();
    let region = hop.target.region.as_deref();
    let found: Vec<Credential> = slots
        .iter()
        .filter_map(|slot| {
            let kind = match slot {
                KeySlot::Managed => managed(env, provider, region, wire),
                KeySlot::Own => own(env, &hop.target.provider, caller, sent),
            }?;
            Some(Credential { slot: *slot, kind })
        })
        .collect();
    if found.is_empty() {
        return (found, Some(missing(env, hop, provider, slots)));
    }
    // Without it there is nothing to call: no attempt that could fail, and nothing to be tried again.
    match provider.missing_variable(region, |name| text(env, name).is_some()) {
        Some(missing) => (Vec::new(), Some(Skip::NoKey { slot: KeySlot::Managed, missing })),
        None => (found, None),
    }
}

fn missing(env: &Env, hop: &Hop, provider: &Provider, slots: &[KeySlot]) -> Skip {
    let name = &hop.target.provider;
    match slots.contains(&KeySlot::Managed) {
        true => {
            let has = |secret: &str| text(env, secret).is_some();
            let secret =
                provider.missing_secret(hop.target.region.as_deref(), has).unwrap_or_else(|| "a secret".into());
            Skip::NoKey { slot: KeySlot::Managed, missing: secret }
        }
        false => Skip::NoKey { slot: KeySlot::Own, missing: format!("x-understudy-key-{name}") },
    }
}

/// The Worker's own key for a provider.
fn managed(env: &Env, provider: &Provider, region: Option<&str>, wire: Wire) -> Option<Kind> {
    if provider.auth(wire) == Auth::None && provider.secrets(region).is_empty() {
        return Some(Kind::None);
    }
    provider.secrets(region).into_iter().find_map(|together| {
        let values: Vec<String> = together.iter().map_while(|name| text(env, name)).collect();
        if values.len() != together.len() {
            return None;
        }
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let session_token = text(env, "AWS_SESSION_TOKEN");
                Some(Kind::Aws(sigv4::Credentials { access_key_id, secret_access_key, session_token }))
            }
            (Some(key), None) => Some(Kind::Key(key)),
            (None, _) => None,
        }
    })
}

/// The caller's own key: sent with the request, else stored on its gateway key.
fn own(env: &Env, provider: &str, caller: Option<&Caller>, sent: &LiteMap<String, String>) -> Option<Kind> {
    let text = match sent.get(provider) {
        Some(key) => key.clone(),
        None => {
            let caller = caller?;
            open(env, caller.file.own.get(provider)?, Place { key_hash: &caller.id, provider })?
        }
    };
    Some(parse_own(&text))
}

/// An own AWS key is `<access key id>:<secret access key>[:<session token>]`; all others are one text.
fn parse_own(text: &str) -> Kind {
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(access), Some(secret), session) if access.starts_with("AKIA") || access.starts_with("ASIA") => {
            Kind::Aws(sigv4::Credentials {
                access_key_id: access.to_owned(),
                secret_access_key: secret.to_owned(),
                session_token: session.map(str::to_owned),
            })
        }
        _ => Kind::Key(text.to_owned()),
    }
}

/// The key that seals provider keys; `None` when `KEK` is not set.
///
/// # Errors
/// It is not base64 of 32 bytes.
pub fn kek(env: &Env) -> Option<Result<Kek, CryptoError>> {
    text(env, "KEK").map(|text| Kek::parse(&text))
}

/// The keys that open sealed provider keys: the current one first, then the one before it.
fn keks(env: &Env) -> Vec<Kek> {
    ["KEK", "KEK_PREVIOUS"].into_iter().filter_map(|name| Kek::parse(&text(env, name)?).ok()).collect()
}

fn open(env: &Env, sealed: &str, place: Place<'_>) -> Option<String> {
    match crypto::open(sealed, keks(env).iter(), place) {
        Ok(key) => Some(key),
        Err(error) => {
            warn("own_key_unreadable", json!({"provider": place.provider, "message": error.to_string()}));
            None
        }
    }
}
