//! The headers of a request, by lower-case name.

use crate::domain::refusal::Refusal;
use std::borrow::Cow;

/// One header, in bytes.
pub const HEADER_MAX_BYTES: usize = 16 * 1024;

/// The headers of a request as the platform hands them over: one value per name, repeated ones joined by commas.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, String)>);

/// Names alone: values may be keys.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Headers {
        Headers(pairs.into_iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into())).collect())
    }
}

impl Headers {
    /// The value of the header of that lower-case name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The headers whose name starts so: the rest of the name, and the value.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// Every header, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a header that is read here, its white space trimmed.
    pub fn trimmed(&self, name: &str) -> Option<&str> {
        self.value(name).map(str::trim)
    }

    /// The value of a header that holds JSON, which is UTF-8: the platform hands over each byte as a character of its own. What is
    /// no UTF-8 stands as it came, since a browser's `fetch` sends Latin-1.
    pub fn json(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.trimmed(name)?;
        let bytes = value.chars().map(|char| u8::try_from(u32::from(char)));
        let sent = bytes.collect::<Result<Vec<u8>, _>>().ok().filter(|_| !value.is_ascii());
        Some(sent.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Cow::Borrowed(value), Cow::Owned))
    }

    /// Holds each of them to its bound: those that are read here, those that rules ask for, and those that go upstream.
    ///
    /// # Errors
    /// 400 naming the first that is too large.
    pub fn check_bounds(&self) -> Result<(), Refusal> {
        match self.0.iter().find(|(_, value)| value.len() > HEADER_MAX_BYTES) {
            Some((name, value)) => {
                Err(Refusal::value(name, format!("{} bytes, at most {HEADER_MAX_BYTES} are taken", value.len())))
            }
            None => Ok(()),
        }
    }
}
