//! The ledger's pure half.
//!
//! `row.rs` is what is recorded (made by `account.rs`), `batch.rs` how it travels, `rollup.rs` how it is folded (into `cell.rs`, over
//! `histogram.rs`; `board.rs` knows the busiest of a day), `query.rs` what may be asked, `listing.rs` and `analytics.rs` what is answered, `sketch.rs` and `places.rs` where to look for it, `extracts.rs` what then is, `tiles.rs` in which counters, `packed.rs` how these are stored, `control.rs` what is kept
//! of documents, spend and circuits, `protocol.rs` how caller and Durable Object speak.

pub mod account;
pub mod analytics;
pub mod batch;
pub mod board;
pub mod cell;
pub mod control;
pub mod desk;
pub mod exposition;
pub mod extracts;
pub mod histogram;
pub mod listing;
pub mod packed;
pub mod places;
pub mod protocol;
pub mod query;
pub mod rollup;
pub mod row;
pub mod sketch;
pub mod stored;
pub mod tiles;
pub mod when;
