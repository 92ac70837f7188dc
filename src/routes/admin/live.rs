//! `/admin/live`: requests as they end, as server-sent events; each `data:` is one line of `/admin/requests`.
//!
//! The stream asks every shard once a second for what came since. It ends after an hour, or when the ledger does not answer;
//! the client connects again.

use super::{Asked, Failure};
use crate::domain::ledger::listing::summary;
use crate::domain::ledger::protocol::TailMark;
use crate::domain::ledger::query::ListQuery;
use crate::domain::time::Span;
use crate::edge::glue::sleep;
use crate::edge::{ledger, recorder};
use futures::stream;
use worker::{Env, Headers, Response};

const POLL: Span = Span(1_000);
/// Polls without a row after which a comment keeps the connection open.
const QUIET: u32 = 15;
const POLLS: u32 = 3_600;

struct Watch {
    env: Env,
    filter: ListQuery,
    marks: Vec<TailMark>,
    polls: u32,
    quiet: u32,
}

/// The stream.
pub fn stream(asked: &Asked<'_>) -> Result<web_sys::Response, Failure> {
    let filter = ListQuery::parse(&asked.params)?;
    let watch = Watch { env: asked.env.clone(), filter, marks: Vec::new(), polls: 0, quiet: 0 };
    let events = stream::unfold(watch, |watch| async {
        watch.next().await.map(|(text, watch)| (Ok::<_, worker::Error>(text.into_bytes()), watch))
    });
    let headers = Headers::new();
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    {
        let _ = headers.set(name, value);
    }
    let response = Response::from_stream(events).map_err(|error| {
        crate::domain::refusal::Refusal::new(500, "stream_failed", format!("the stream cannot be opened: {error}"))
    })?;
    Ok(response.with_headers(headers).into())
}

impl Watch {
    /// The next piece of the stream.
    async fn next(mut self) -> Option<(String, Watch)> {
        if self.marks.is_empty() {
            // What ended before the client came is not its concern.
            recorder::flush(&self.env).await;
            self.marks = ledger::tail(&self.env, &[]).await.ok()?.1;
            return Some((": live\n\n".to_owned(), self));
        }
        while self.polls < POLLS {
            self.polls += 1;
            sleep(POLL).await;
            let (rows, marks) = ledger::tail(&self.env, &self.marks).await.ok()?;
            self.marks = marks;
            let events: String = rows
                .iter()
                .filter(|row| self.filter.admits(row))
                .map(|row| format!("data: {}\n\n", summary(row)))
                .collect();
            self.quiet = if events.is_empty() { self.quiet + 1 } else { 0 };
            if !events.is_empty() {
                return Some((events, self));
            }
            if self.quiet.is_multiple_of(QUIET) {
                return Some((": quiet\n\n".to_owned(), self));
            }
        }
        None
    }
}
