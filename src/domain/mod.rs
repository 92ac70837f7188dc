//! What Understudy decides: pure Rust, no I/O, no clock, no platform type.
//!
//! The modules, in the order in which a request meets them, are listed in `lib.rs`.

pub mod admin;
pub mod answer;
pub mod backoff;
pub mod breaker;
pub mod catalogue;
pub mod chain;
pub mod checksum;
pub mod classify;
pub mod copies;
pub mod crypto;
pub mod dialect;
pub mod document;
pub mod documents;
pub mod error;
pub mod eventstream;
pub mod glob;
pub mod key;
pub mod ledger;
pub mod lint;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod provider;
pub mod redact;
pub mod refusal;
pub mod relay;
pub mod request;
pub mod route;
pub mod rules;
pub mod schema;
pub mod scripted;
pub mod settings;
pub mod sigv4;
pub mod sim;
pub mod simulate;
pub mod sse;
pub mod target;
pub mod time;
pub mod usage;
