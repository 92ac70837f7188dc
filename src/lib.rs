//! Understudy keeps applications answered when a language model fails.

pub mod domain;
