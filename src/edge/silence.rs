//! What it means that nothing comes: to the upstream's idle clock, and to a client that waits.

use super::body::Writer;
use super::glue::{self, now};
use crate::domain::relay::Relay;
use crate::domain::time::{Instant, Span};
use futures::future::{Either, FutureExt, LocalBoxFuture, select};
use std::future::Future;
use std::pin::pin;

/// How long a client of another family hears nothing before it gets a ping: those that hear nothing for long hang up.
const QUIET: Span = Span(10_000);

/// When content was last seen.
pub struct Progress {
    contents: u64,
    at: Instant,
}

impl Progress {
    /// Content events so far.
    pub fn new(contents: u64) -> Progress {
        Progress { contents, at: now() }
    }

    /// Notes the count of content events; true when it grew.
    pub fn saw(&mut self, contents: u64) -> bool {
        let grew = contents > self.contents;
        if grew {
            *self = Progress::new(contents);
        }
        grew
    }

    /// The client took its time: that is no silence of the upstream.
    pub fn resume(&mut self) {
        self.at = now();
    }

    /// What the idle clock has left.
    pub fn left(&self, idle: Span) -> Span {
        Span(idle.0.saturating_sub(now().since(self.at).0))
    }
}

/// Since when the client has heard nothing.
pub struct Quiet {
    since: Instant,
    /// One timer, set again when it fires: one for every chunk would cost more than the chunk.
    alarm: LocalBoxFuture<'static, ()>,
}

impl Quiet {
    /// Nothing but the stream's own bytes goes to the client, or `pings` as well.
    pub fn new(pings: bool) -> Quiet {
        let alarm = if pings { glue::sleep(QUIET).boxed_local() } else { futures::future::pending().boxed_local() };
        Quiet { since: now(), alarm }
    }

    /// Something was written.
    pub fn resume(&mut self) {
        self.since = now();
    }

    /// Waits for what is read; the client gets pings meanwhile.
    pub async fn broken_by<T>(&mut self, reading: impl Future<Output = T>, relay: &mut Relay, writer: &Writer) -> T {
        let mut reading = pin!(reading);
        loop {
            if let Either::Left((read, _)) = select(&mut reading, &mut self.alarm).await {
                return read;
            }
            let mut left = Span(QUIET.0.saturating_sub(now().since(self.since).0));
            if left == Span::ZERO {
                let mut ping = Vec::new();
                relay.ping(&mut ping);
                // A client that has left is found out by what is written next.
                let _ = writer.write(&ping).await;
                self.resume();
                left = QUIET;
            }
            self.alarm = glue::sleep(left).boxed_local();
        }
    }
}
