//! What a model can do, as far as the catalogue knows.

/// What the catalogue knows of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Names of features (`tools`, `vision`, `json_schema`, `reasoning`, ...); `None` for a model that is in no catalogue.
    pub supports: Option<Vec<String>>,
    /// Tokens of input and output together.
    pub context_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
}

impl Facts {
    /// Whether the model has a feature; `None` when nothing is known of it.
    pub fn supports(&self, feature: &str) -> Option<bool> {
        self.supports.as_ref().map(|features| features.iter().any(|known| known == feature))
    }
}
