//! Provider keys that come with one request.

use litemap::LiteMap;
use std::fmt;

use super::Headers;
use crate::domain::key::is_provider_key;
use crate::domain::refusal::Refusal;
use crate::domain::target::{before_colon, is_provider_name};

/// What stands before the provider in the name of such a header.
const PREFIX: &str = "x-understudy-key-";

/// Provider keys by provider. Their text is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OwnKeys(LiteMap<String, String>);

impl fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl OwnKeys {
    /// The key for a provider.
    pub fn of(&self, provider: &str) -> Option<&str> {
        self.0.get(provider).map(String::as_str)
    }

    /// Reads those that a request brings: `x-understudy-key-<provider>`.
    ///
    /// # Errors
    /// 400 naming the header.
    pub(super) fn read(headers: &Headers) -> Result<OwnKeys, Refusal> {
        let mut keys = LiteMap::new();
        for (provider, _) in headers.with_prefix(PREFIX) {
            let name = format!("{PREFIX}{provider}");
            if !is_provider_name(provider) {
                return Err(Refusal::value(&name, "no provider can have that name"));
            }
            let key = headers.trimmed(&name).unwrap_or_default();
            if !is_provider_key(key) {
                let expected = "expected a key of printable ASCII without spaces, or the JSON key of a service account";
                return Err(Refusal::value(&name, expected));
            }
            keys.insert(provider.to_owned(), key.to_owned());
        }
        // As before the colon of a model: Google's, where none came under its own name.
        if let Some(key) = keys.get("gemini").cloned() {
            keys.entry(before_colon("gemini").to_owned()).or_insert(key);
        }
        Ok(OwnKeys(keys))
    }

    /// Keys by provider.
    pub fn map(&self) -> &LiteMap<String, String> {
        &self.0
    }
}
