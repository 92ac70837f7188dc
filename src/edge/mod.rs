//! The only floor that does I/O: KV, Durable Object, fetch, clock, timers. Compiled for the Worker alone.
//!
//! `entry.js` is the platform's way in; what takes many crossings between Wasm and JavaScript is in `glue.js`.

pub mod admins;
pub mod attempt;
pub mod bindings;
pub mod body;
pub mod breakers;
pub mod documents;
pub mod drive;
pub mod glue;
mod hold;
pub mod inquiry;
pub mod job;
pub mod keys;
pub mod ledger;
pub mod ledger_do;
pub mod library;
pub mod line;
pub mod log;
mod observer;
pub mod outgoing;
pub mod plan;
pub mod ready;
pub mod recorder;
pub mod relay;
pub mod serve;
pub mod silence;
pub mod sim;
pub mod store;
pub mod trial;
pub mod upstream;
pub mod vertex;
