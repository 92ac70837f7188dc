//! Host tests: the domain through its public names, on a virtual clock, with no I/O but the recordings.

// Helpers outside `#[test]` functions fail a test by panicking, as the functions themselves do.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod admin;
mod answers;
mod asked;
mod catalogue;
mod chain;
mod checklist;
mod classify;
mod converse;
mod cookbook;
mod copies;
mod custom_tools;
mod dialect;
mod dialect_needs;
mod dialect_properties;
mod dialect_requests;
mod dialect_streams;
mod docs;
mod envelope;
mod error_rows;
mod eventstream;
mod failing;
mod families;
mod fuzz;
mod google;
mod keys;
mod ledger;
mod lint;
mod plan;
mod policy;
mod provider;
mod recorded;
mod redact;
mod relay;
mod repeats;
mod replay;
mod request;
mod responses;
mod rows;
mod rules;
mod schema;
mod settings;
mod sigv4;
mod sim;
mod simulate;
mod splits;
mod sse;
mod stored;
mod tidy;
