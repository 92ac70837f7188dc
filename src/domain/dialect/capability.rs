//! What a request needs of a model, and whether a model has it.
