//! Patterns over models, as keys, scripts and drills name them.

use crate::domain::target::{before_colon, is_provider_name};
use wildmatch::WildMatch;

/// A pattern over model references: `*` is any characters, `/` included, `?` any one; all else is literal. A model may be
/// written in it as in a request: with its provider, with a colon after it, or bare.
#[derive(Clone, Debug, PartialEq)]
pub struct Glob {
    as_written: WildMatch,
    /// The same with a slash in the colon's place.
    with_slash: Option<WildMatch>,
}

impl Glob {
    /// A pattern.
    pub fn new(pattern: &str) -> Glob {
        let colon = pattern.split_once(':').filter(|(provider, _)| is_provider_name(provider));
        let with_slash = colon.map(|(provider, model)| WildMatch::new(&format!("{}/{model}", before_colon(provider))));
        Glob { as_written: WildMatch::new(pattern), with_slash }
    }

    /// Whether it matches a whole reference, or a bare model of the default provider.
    pub fn matches(&self, reference: &str, default_provider: &str) -> bool {
        let bare = || reference.strip_prefix(default_provider)?.strip_prefix('/');
        self.as_written.matches(reference)
            || self.with_slash.as_ref().is_some_and(|pattern| pattern.matches(reference))
            || bare().is_some_and(|model| self.as_written.matches(model))
    }
}
