//! Understudy keeps applications answered when a language model fails.
//!
//! A client names a policy as its model; the policy's chain of targets is tried until one answers. This page is the map.
//!
//! # One request, one direction
//!
//! ```text
//!   routes::api         key, body, headers, bounded          -- refused --> an error in the route's dialect
//!        |
//!   domain::request     Asked: what this request says of how it wants to be served; the body by position, no tree
//!        |
//!   edge::plan          documents from the isolate's copies  (edge::documents, edge::library)
//!   domain::plan        rule, key's policy, policy, request  --> one flat Plan of targets
//!        |
//!   edge::ready         per hop: wire, keys, what it lacks   --> what can be called at all
//!        |
//!   domain::chain   <-- next(now) ------------------------------+
//!        | Step                                                 |
//!        +- Call --> edge::attempt   encode, send, hold, judge --+ on_outcome(id, outcome, now)
//!        +- Wait --> edge::drive     sleep ----------------------+
//!        +- Done
//!             | served: the commit; the intake becomes a relay, and no other target can be tried
//!             v
//!   edge::relay         bytes to the client as they come; domain::relay reads what they say
//!        |
//!   domain::error       or: who speaks when it failed, and in which dialect
//!        |
//!   domain::ledger      one row  --> edge::recorder --batches, after the answer--> edge::ledger_do
//! ```
//!
//! # Three floors
//!
//! | floor | what | compiled for |
//! | --- | --- | --- |
//! | `routes` | match a route, read a request, hand over, write one response | wasm32 |
//! | `edge` | the only I/O: KV, Durable Object, fetch, clock, timers | wasm32 |
//! | [`domain`] | what Understudy decides; time and randomness are arguments | host and wasm32 |
//!
//! `routes -> edge -> domain` and `routes -> domain`, never upward: `tests/it/tidy.rs` holds it, and a platform type in the domain
//! does not compile on the host.
//!
//! # The modules of the domain, as a request meets them
//!
//! | module | what |
//! | --- | --- |
//! | [`route`](domain::route), [`request`](domain::request), [`target`](domain::target), [`glob`](domain::glob) | what is asked, of whom, for which model |
//! | [`key`](domain::key), [`rules`](domain::rules), [`policy`](domain::policy), [`provider`](domain::provider), [`catalogue`](domain::catalogue) | the documents, as written and as meant |
//! | [`document`](domain::document), [`documents`](domain::documents), [`lint`](domain::lint), [`schema`](domain::schema) | how all of them are read, checked, and described to editors |
//! | [`copies`](domain::copies) | which copy of one an isolate serves, and when it is read again |
//! | [`plan`](domain::plan) | from all of these to one plan |
//! | [`chain`](domain::chain), [`backoff`](domain::backoff), [`breaker`](domain::breaker) | the state machine: which target, when, how long |
//! | [`classify`](domain::classify), [`outcome`](domain::outcome) | what an upstream's answer was |
//! | [`dialect`](domain::dialect), [`sse`](domain::sse), [`eventstream`](domain::eventstream), [`sigv4`](domain::sigv4) | the wires, both directions |
//! | [`relay`](domain::relay), [`answer`](domain::answer) | streams and whole answers |
//! | [`error`](domain::error), [`refusal`](domain::refusal), [`redact`](domain::redact) | what a client is told when it fails |
//! | [`ledger`](domain::ledger), [`usage`](domain::usage) | what is recorded, and what it answers |
//! | [`simulate`](domain::simulate), [`scripted`](domain::scripted), [`sim`](domain::sim) | the same chain without upstreams |
//! | [`admin`](domain::admin), [`settings`](domain::settings) | the table of admin routes; the deployment's variables |
//! | [`crypto`](domain::crypto), [`checksum`](domain::checksum), [`time`](domain::time) | keys at rest; CRC-32; moments and spans |
//!
//! # What always holds
//!
//! - A call is answered by exactly one outcome; a chain ends, after at most 64 attempts, within its deadline.
//! - Nothing goes to another target after the commit: an intake is consumed into a relay.
//! - A broken answer never looks finished: an error event, and no terminal event.
//! - Within a family every byte that was not consumed here is the client's own, both ways.
//! - A document that does not parse never replaces a good copy.
//! - No key, no prompt and no answer is in a row, a log line or an error.
//! - Nothing waits for the ledger; no batch is counted twice.
//! - Input traps nothing: every list, body, buffer, wait and nesting has its bound.

pub mod domain;
#[cfg(target_arch = "wasm32")]
pub mod edge;
#[cfg(target_arch = "wasm32")]
pub mod routes;

/// The platform's way in: every request of the Worker.
#[cfg(target_arch = "wasm32")]
#[worker::event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: worker::Env,
    context: worker::Context,
) -> worker::Result<web_sys::Response> {
    routes::handle(request, env, context).await
}
