//! The only floor that does I/O: KV, Durable Object, fetch, clock, timers. Compiled for the Worker alone.

pub mod admins;
pub mod bindings;
pub mod body;
pub mod breakers;
pub mod documents;
pub mod glue;
pub mod keys;
pub mod ledger;
pub mod ledger_do;
pub mod library;
pub mod ready;
pub mod line;
pub mod recorder;
pub mod store;
pub mod vertex;
