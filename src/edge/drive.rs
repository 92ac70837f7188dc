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
    pub ended: Ended,
    /// The call that serves, held at its commit point.
    pub served: Option<Box<Served>>,
    /// What was measured of each call, by its id.
    pub marks: LiteMap<u32, Marks>,
}

/// Who ended it.
pub enum Ended {
    Chain(End),
    /// The client left before any answer was committed.
    ClientGone,
}

/// A call in flight, and whether it has shown content yet. Dropping it aborts the call.
struct Flight {
    id: u32,
    content: attempt::Content,
    call: LocalBoxFuture<'static, Attempted>,
}

/// A chain under way.
struct Drive<'a> {
    job: &'a Rc<Job>,
    chain: Chain,
    flights: Vec<Flight>,
    /// Of the call made last.
    hedge_at: Option<Instant>,
    marks: LiteMap<u32, Marks>,
    served: Option<Box<Served>>,
}

/// Whether the client is still there.
enum Client {
    Waits,
    Gone,
}

/// Runs a chain to its end.
pub async fn run(job: &Rc<Job>, chain: Chain) -> Driven {
    let (flights, marks) = (Vec::new(), LiteMap::new());
    let mut drive = Drive { job, chain, flights, hedge_at: None, marks, served: None };
    let ended = loop {
        let client = match drive.chain.next(now()) {
            Step::Call(call) => {
                drive.hedge_at = call.hedge_at;
                drive.start(call);
                Client::Waits
            }
            Step::Wait { until } => match left_within(until.since(now()), job.signal.as_ref()).await {
                true => Client::Gone,
                false => Client::Waits,
            },
            Step::Pending => drive.advance().await,
            Step::Done(end) => break Ended::Chain(end),
        };
        if let Client::Gone = client {
            break Ended::ClientGone;
        }
    };
    let Drive { chain, marks, served, .. } = drive;
    Driven { chain, ended, served, marks }
}

impl Drive<'_> {
    fn start(&mut self, call: Call) {
        let (id, content, job) = (call.id, attempt::Content::default(), self.job.clone());
        let seen = content.clone();
        let call = async move { attempt::attempt(&job, &call, seen).await }.boxed_local();
        self.flights.push(Flight { id, content, call });
    }

    /// On to the next thing that happens: a call ends, or it is time to hedge.
    async fn advance(&mut self) -> Client {
        match next_event(&mut self.flights, self.hedge_at).await {
            Event::Ended(id, attempted) => self.settle(id, attempted),
            Event::Hedge => {
                self.hedge();
                Client::Waits
            }
        }
    }

    fn hedge(&mut self) {
        self.hedge_at = None;
        if self.flights.iter().all(|flight| !flight.content.get())
            && let Some(call) = self.chain.hedge(now())
        {
            self.start(call);
        }
    }

    /// Tells the chain what came of a call.
    fn settle(&mut self, id: u32, attempted: Attempted) -> Client {
        match attempted {
            Attempted::Incompatible(feature) => {
                self.chain.pass_over(id, Skip::Incompatible(feature));
                // Where it was to be the hedge, the next hop is, and at once.
                self.hedge_at = self.flights.first().map(|_| now());
            }
            Attempted::Served(answer) => {
                self.note(id, answer.marks.clone());
                self.served = Some(answer);
                self.chain.on_outcome(id, Outcome::Served, now());
                self.cancel("another target answered first");
            }
            Attempted::Failed(failure, marks) => {
                let gone = failure.class == Class::Cancelled;
                self.note(id, marks);
                self.chain.on_outcome(id, Outcome::Failed(failure), now());
                if gone {
                    self.cancel("the client went away");
                    return Client::Gone;
                }
            }
        }
        Client::Waits
    }

    fn note(&mut self, id: u32, marks: Marks) {
        if let Some((at, status)) = marks.headers {
            self.chain.on_headers(id, status, at);
        }
        self.marks.insert(id, marks);
    }

    /// Aborts what is in flight.
    fn cancel(&mut self, why: &str) {
        for flight in self.flights.drain(..) {
            self.chain.on_outcome(flight.id, Outcome::Failed(Failure::new(Class::Cancelled, why)), now());
        }
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
