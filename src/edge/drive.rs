//! The loop: ask the chain for a step, perform it, tell it what came of it.
//!
//! ```text
//! Call    -> attempt.rs: send, hold, judge      -> on_outcome
//! Pending -> wait for the outcome of a call in flight, or for the moment to hedge; a client that leaves ends the call
//! Wait    -> sleep
//! Done    -> the answer of the call that serves, or an error that speaks for the chain
//! ```

use super::attempt::{self, Attempted, Marks, Served};
use super::glue::{left_within, now, sleep};
use super::job::Job;
use crate::domain::chain::{Call, Chain, End, Step};
use crate::domain::outcome::{Class, Failure, Outcome, Skip};
use crate::domain::time::Instant;
use futures::future::{Either, FutureExt, LocalBoxFuture, select};
use litemap::LiteMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

/// How the chain of a request ended.
pub struct Driven {
    pub chain: Chain,
    pub end: End,
    /// The call that serves, held at its commit point.
    pub served: Option<Box<Served>>,
    /// What was measured of each call, by its id.
    pub marks: LiteMap<u32, Marks>,
    /// The client left before any answer was committed.
    pub gone: bool,
}

/// A call in flight, and whether it has shown content yet. Dropping it aborts the call.
struct Flight {
    id: u32,
    content: attempt::Content,
    call: LocalBoxFuture<'static, Attempted>,
}

/// Runs a chain to its end.
pub async fn run(job: &Rc<Job>, mut chain: Chain) -> Driven {
    let mut flights: Vec<Flight> = Vec::new();
    let mut hedge_at: Option<Instant> = None;
    let mut marks = LiteMap::new();
    let mut served = None;
    let mut gone = false;
    let end = loop {
        match chain.next(now()) {
            Step::Call(call) => {
                hedge_at = call.hedge_at;
                flights.push(start(job, call));
                continue;
            }
            Step::Wait { until } => {
                if left_within(until.since(now()), job.signal.as_ref()).await {
                    gone = true;
                    break End::Exhausted;
                }
                continue;
            }
            Step::Pending => {}
            Step::Done(end) => break end,
        }
        match next_event(&mut flights, hedge_at).await {
            Event::Ended(id, attempted) => {
                let (outcome, measured) = match attempted {
                    Attempted::Incompatible(feature) => {
                        chain.pass_over(id, Skip::Incompatible(feature));
                        // Where it was to be the hedge, the next hop is, and at once.
                        hedge_at = flights.first().map(|_| now());
                        continue;
                    }
                    Attempted::Served(answer) => {
                        let measured = answer.marks.clone();
                        served = Some(answer);
                        (Outcome::Served, measured)
                    }
                    Attempted::Failed(failure, measured) => {
                        gone |= failure.class == Class::Cancelled;
                        (Outcome::Failed(failure), measured)
                    }
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
                    flights.push(start(job, call));
                }
            }
        }
        if gone {
            cancel(&mut chain, &mut flights, "the client went away");
            break End::Exhausted;
        }
        if served.is_some() {
            cancel(&mut chain, &mut flights, "another target answered first");
        }
    };
    Driven { chain, end, served, marks, gone }
}

fn start(job: &Rc<Job>, call: Call) -> Flight {
    let (id, content, job) = (call.id, attempt::Content::default(), job.clone());
    let seen = content.clone();
    Flight { id, content, call: async move { attempt::attempt(&job, &call, seen).await }.boxed_local() }
}

fn cancel(chain: &mut Chain, flights: &mut Vec<Flight>, why: &str) {
    for flight in flights.drain(..) {
        chain.on_outcome(flight.id, Outcome::Failed(Failure::new(Class::Cancelled, why)), now());
    }
}

enum Event {
    Ended(u32, Attempted),
    Hedge,
}

async fn next_event(flights: &mut Vec<Flight>, hedge_at: Option<Instant>) -> Event {
    let ended = first_to_end(flights);
    let Some(at) = hedge_at else { return ended.await };
    match select(pin!(ended), pin!(sleep(at.since(now())))).await {
        Either::Left((event, _)) => event,
        Either::Right(_) => Event::Hedge,
    }
}

/// The first call to end, taken out of those in flight: two at most, so all are asked.
async fn first_to_end(flights: &mut Vec<Flight>) -> Event {
    poll_fn(|context| {
        for index in 0..flights.len() {
            if let Poll::Ready(attempted) = flights[index].call.as_mut().poll(context) {
                return Poll::Ready(Event::Ended(flights.remove(index).id, attempted));
            }
        }
        Poll::Pending
    })
    .await
}
