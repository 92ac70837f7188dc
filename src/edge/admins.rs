//! Who may use `/admin` and drills: `ADMIN_TOKEN`, and `ADMIN_TOKENS` as `alice:token,bob:token`.

use super::bindings::text;
use crate::domain::refusal::Refusal;
use crate::domain::settings::named_tokens;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use worker::Env;

/// The name of the admin whose token this is, for the audit trail; `admin` for `ADMIN_TOKEN`.
///
/// # Errors
/// 403 naming the secret when the Worker has none, 401 for a token that is missing or none of them.
pub fn who(env: &Env, presented: Option<&str>) -> Result<String, Refusal> {
    let (one, many) = (text(env, "ADMIN_TOKEN"), text(env, "ADMIN_TOKENS"));
    let named = named_tokens(many.as_deref().unwrap_or_default()).flatten();
    let all: Vec<(&str, &str)> = one.as_deref().map(|token| ("admin", token)).into_iter().chain(named).collect();
    if all.is_empty() {
        let message = match many {
            None => "the admin API is off: set the secret ADMIN_TOKEN (npx wrangler secret put ADMIN_TOKEN)",
            Some(_) => "the admin API is off: ADMIN_TOKENS names nobody, it is written as alice:token,bob:token",
        };
        return Err(Refusal::new(403, "admin_token_not_set", message));
    }
    let presented = presented.unwrap_or_default();
    // Every token is compared, by digests of one length, so that time tells neither length nor place.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let given = digest(presented);
    let found = all.iter().fold(None, |found, (name, token)| {
        let same = bool::from(digest(token).as_slice().ct_eq(given.as_slice()));
        if same { Some(*name) } else { found }
    });
    let refused = || Refusal::new(401, "invalid_admin_token", "this is not the admin token; send it as a bearer");
    found.map(str::to_owned).ok_or_else(refused)
}
