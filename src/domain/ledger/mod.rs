//! The ledger's pure half: what is recorded (`row.rs`), how it travels (`batch.rs`), how it is folded (`rollup.rs` over
//! `cell.rs` and `histogram.rs`), what is asked and answered (`query.rs`, `answer.rs`), and how caller and Durable Object
//! speak (`protocol.rs`).

pub mod account;
pub mod batch;
pub mod row;
