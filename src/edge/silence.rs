//! What a client hears that waits while nothing comes.

use super::body::Writer;
use super::glue::{self, now};
use super::line::Line;
use crate::domain::time::{Instant, Span};
use futures::future::{Either, FutureExt, LocalBoxFuture, select};
use std::future::Future;
use std::pin::pin;

/// How long a client of another family hears nothing before it gets a ping: those that hear nothing for long hang up.
const QUIET: Span = Span(10_000);

/// Since when the client has heard nothing.
pub struct Quiet {
    /// Of the last ping.
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

    /// Waits for what `line` is at; the client gets pings meanwhile.
    pub async fn broken_by<T>(
        &mut self,
        passing: impl Future<Output = T>,
        line: &Line,
        ping: impl Fn() -> Vec<u8>,
        writer: &Writer,
    ) -> T {
        let mut passing = pin!(passing);
        loop {
            if let Either::Left((passed, _)) = select(&mut passing, &mut self.alarm).await {
                return passed;
            }
            let heard = self.since.max(line.wrote_at());
            let mut left = Span(QUIET.0.saturating_sub(now().since(heard).0));
            if left == Span::ZERO {
                // A client that has left is found out by what is written next.
                let _ = writer.write(&ping()).await;
                self.since = now();
                left = QUIET;
            }
            self.alarm = glue::sleep(left).boxed_local();
        }
    }
}
