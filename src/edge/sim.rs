//! Provider `sim` and drilled calls: answers that `domain::sim` wrote, played as responses of the platform, so that all that
//! follows cannot tell them from an upstream's.

use super::glue::{self, now, sleep};
use super::job::{Job, Ready};
use crate::domain::dialect::Wire;
use crate::domain::outcome::{Class, Failure};
use crate::domain::policy::Hop;
use crate::domain::sim::{self, Act, Answer, Asked, End, Piece, Played};
use futures::stream;
use std::collections::VecDeque;
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;
use worker::{Headers, Response, ResponseBody};

/// What the call of a hop meets in place of an upstream: for provider `sim`, and for a target that a drill names.
pub fn scripted(job: &Job, hop: &Hop, ready: &Ready, wire: Wire) -> Option<Played> {
    let act = match job.drill.as_ref().and_then(|drill| drill.outcome_for(&hop.target)) {
        Some(outcome) => Act::of_script(outcome),
        None if hop.target.provider == "sim" && ready.provider.is_at_home() => Act::of_model(&hop.target.model),
        None => return None,
    };
    let asked = Asked {
        route: &job.route,
        wire,
        model: &hop.target.model,
        body: &job.bytes,
        stream: job.stream,
        now: now(),
        request_id: &job.request_id,
    };
    Some(sim::play(&act, &asked))
}

/// Plays it. `signal` ends what would never end by itself.
///
/// # Errors
/// The failure that it is to play.
pub async fn respond(played: &Played, signal: &AbortSignal) -> Result<web_sys::Response, Failure> {
    match played {
        Played::Fails(failure) => Err(failure.clone()),
        Played::Silence => {
            let _ = JsFuture::from(glue::aborted(signal)).await;
            Err(Failure::new(Class::Unreachable, "the call was aborted"))
        }
        Played::Answer(answer) => {
            response(answer, signal).map_err(|error| Failure::new(Class::Unreachable, error.to_string()))
        }
    }
}

fn response(answer: &Answer, signal: &AbortSignal) -> worker::Result<web_sys::Response> {
    let headers = Headers::new();
    headers.set("content-type", answer.content_type)?;
    if let Some(after) = &answer.retry_after {
        headers.set("retry-after", after)?;
    }
    if answer.pieces.is_empty() {
        return Ok(Response::empty()?.with_status(answer.status).with_headers(headers).into());
    }
    let pieces: VecDeque<Piece> = answer.pieces.iter().cloned().collect();
    let script = (pieces, answer.end, signal.clone());
    let body = stream::unfold(Some(script), |script| async move {
        let (mut pieces, end, signal) = script?;
        match pieces.pop_front() {
            Some(piece) => {
                if piece.after.0 > 0 {
                    sleep(piece.after).await;
                }
                Some((Ok(piece.bytes), Some((pieces, end, signal))))
            }
            None => match end {
                End::Close => None,
                End::Break => Some((Err(worker::Error::from("the connection broke")), None)),
                End::Stall => {
                    let _ = JsFuture::from(glue::aborted(&signal)).await;
                    Some((Err(worker::Error::from("the call was aborted")), None))
                }
            },
        }
    });
    let body = match Response::from_stream(body)?.body() {
        ResponseBody::Stream(stream) => ResponseBody::Stream(glue::in_bytes(stream, signal)),
        other => other.clone(),
    };
    Ok(Response::from_body(body)?.with_status(answer.status).with_headers(headers).into())
}
