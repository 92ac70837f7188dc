//! What the answer's side must know of the request as it was encoded. [`restorer`](super::restorer) undoes it.

use std::collections::HashSet;

use litemap::LiteMap;

/// Changes made to a request that its answer shows, to be undone between decoder and encoder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The tool that stands in for structured output: its arguments are the answer's text.
    pub json_tool: Option<String>,
    /// Its arguments hold the answer in [`WRAP`](super::schema::WRAP); without such a tool the text does.
    pub json_wrapped: bool,
    /// Tools, by their names on the wire, whose arguments come in [`WRAP`](super::schema::WRAP), since the wire does not take the
    /// names of theirs.
    pub wrapped: HashSet<String>,
    /// Tool names that the wire does not take: as sent, and as the client wrote it.
    pub renamed: LiteMap<String, String>,
    /// The client asked with `functions` and is answered with `function_call`.
    pub legacy_functions: bool,
    /// Ids of calls that the client has already: an upstream that counts from `call_0` in every answer gives them again.
    pub ids: HashSet<String>,
}
