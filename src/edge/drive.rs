//! The loop: ask the chain for a step, perform it, tell it what came of it.
//!
//! ```text
//! Call    -> attempt.rs: send, hold, judge      -> on_outcome
//! Pending -> wait for the outcome of a call in flight, or for the moment to hedge
//! Wait    -> sleep
//! Done    -> the answer of the call that serves, or an error that speaks for the chain
//! ```

use super::attempt::{self, Attempted, Marks, Served};
use super::glue::{self, now, sleep};
use super::job::Job;
use crate::domain::chain::{Call, Chain, End, Step};
use crate::domain::outcome::{Class, Failure, Outcome, Skip};
use crate::domain::time::Instant;
use futures::future::{Either, FutureExt, LocalBoxFuture, select};
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::HashMap;
use std::rc::Rc;
use wasm_bindgen_futures::JsFuture;

/// How the chain of a request ended.
pub struct Driven {
    pub chain: Chain,
    pub end: End,
    /// The call that serves, held at its commit point.
    pub served: Option<Box<Served>>,
    /// What was measured of each call, by its id.
    pub marks: HashMap<u32, Marks>,
    /// The client left before any answer was committed.
    pub gone: bool,
}

/// A call in flight, and whether it has shown content yet.
struct Flight {
    id: u32,
    content: attempt::Content,
}

/// Runs a chain to its end.
pub async fn run(job: &Rc<Job>, mut chain: Chain) -> Driven {
    let mut gone = client_gone(job);
    let mut calls: FuturesUnordered<LocalBoxFuture<'static, (u32, Attempted)>> = FuturesUnordered::new();
    let mut flights: Vec<Flight> = Vec::new();
    let mut hedge_at: Option<Instant> = None;
    let mut marks = HashMap::new();
    let mut served = None;
    let mut left = false;
    let end = loop {
        match chain.next(now()) {
            Step::Call(call) => {
                hedge_at = call.hedge_at.or(hedge_at);
                calls.push(start(job, call, &mut flights));
                continue;
            }
            Step::Wait { until } => {
                if let Either::Right(_) = select(sleep(until.since(now())).boxed_local(), &mut gone).await {
                    left = true;
                    break End::Exhausted;
                }
                continue;
            }
            Step::Pending => {}
            Step::Done(end) => break end,
        }
        match next_event(&mut calls, hedge_at, &mut gone).await {
            Event::Ended(id, attempted) => {
                flights.retain(|flight| flight.id != id);
                let (outcome, measured) = match attempted {
                    Attempted::Incompatible(feature) => {
                        chain.pass_over(id, Skip::Incompatible(feature));
                        continue;
                    }
                    Attempted::Served(answer) => {
                        let measured = answer.marks.clone();
                        served = Some(answer);
                        (Outcome::Served, measured)
                    }
                    Attempted::Failed(failure, measured) => (Outcome::Failed(failure), measured),
                };
                if let Some((at, status)) = measured.headers {
                    chain.on_headers(id, status, at);
                }
                marks.insert(id, measured);
                chain.on_outcome(id, outcome, now());
            }
            Event::Hedge => {
                hedge_at = None;
                if flights.iter().all(|flight| !flight.content.get())
                    && let Some(call) = chain.hedge(now())
                {
                    calls.push(start(job, call, &mut flights));
                }
            }
            Event::Gone => {
                left = true;
                break cancel(&mut chain, &flights, "the client went away");
            }
        }
        if served.is_some() {
            // The loser of a hedge: dropping its future aborts its call.
            cancel(&mut chain, &flights, "another target answered first");
            calls.clear();
            flights.clear();
        }
    };
    Driven { chain, end, served, marks, gone: left }
}

fn start(job: &Rc<Job>, call: Call, flights: &mut Vec<Flight>) -> LocalBoxFuture<'static, (u32, Attempted)> {
    let id = call.id;
    let content = attempt::Content::default();
    flights.push(Flight { id, content: content.clone() });
    let job = job.clone();
    async move { (id, attempt::attempt(&job, &call, content).await) }.boxed_local()
}

fn cancel(chain: &mut Chain, flights: &[Flight], why: &str) -> End {
    for flight in flights {
        chain.on_outcome(flight.id, Outcome::Failed(Failure::new(Class::Cancelled, why)), now());
    }
    End::Exhausted
}

enum Event {
    Ended(u32, Attempted),
    Hedge,
    Gone,
}

async fn next_event(
    calls: &mut FuturesUnordered<LocalBoxFuture<'static, (u32, Attempted)>>,
    hedge_at: Option<Instant>,
    gone: &mut LocalBoxFuture<'static, ()>,
) -> Event {
    let hedge = match hedge_at {
        Some(at) => sleep(at.since(now())).boxed_local(),
        None => futures::future::pending().boxed_local(),
    };
    let next = async {
        match calls.next().await {
            Some((id, attempted)) => Event::Ended(id, attempted),
            None => futures::future::pending().await,
        }
    };
    futures::pin_mut!(next);
    match select(next, select(hedge, gone)).await {
        Either::Left((event, _)) => event,
        Either::Right((Either::Left(_), _)) => Event::Hedge,
        Either::Right((Either::Right(_), _)) => Event::Gone,
    }
}

/// Resolves when the platform says that the client left; never where it cannot say so.
fn client_gone(job: &Job) -> LocalBoxFuture<'static, ()> {
    match &job.signal {
        Some(signal) => JsFuture::from(glue::aborted(signal)).map(drop).fuse().boxed_local(),
        None => futures::future::pending().boxed_local(),
    }
}
