//! The ledger's pure half: what is recorded (`row.rs`), how it is folded (`rollup.rs`), what is answered (`query.rs`).

pub mod row;
