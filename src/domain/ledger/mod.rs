//! The ledger's pure half: rows, what they are folded into, and what is asked of both.
//!
//! | module | what |
//! | --- | --- |
//! | [`row`] | what is recorded of a request; [`account`] makes it of what the request went through |
//! | [`batch`] | how rows travel to the shards, each counted once |
//! | [`rollup`], [`cell`], [`histogram`] | how rows are folded, into which counters, durations among them |
//! | [`board`] | which values of a day are the busiest |
//! | [`query`] | what may be asked |
//! | [`listing`], [`analytics`], [`exposition`] | what is answered: rows, sums, Prometheus text |
//! | [`sketch`], [`places`], [`extracts`] | in which rows an answer is to be looked for, where they are, and what counters want of them |
//! | [`tiles`] | the fewest counters that answer for a range |
//! | [`stored`], [`packed`] | rows and counters as the tables hold them |
//! | [`control`] | what has one truth: publications, the audit trail, spend, circuits |
//! | [`desk`] | what an isolate tells of these and what it knows of them |
//! | [`protocol`] | how the Worker and its Durable Objects speak |
//! | [`when`] | times as text |

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
