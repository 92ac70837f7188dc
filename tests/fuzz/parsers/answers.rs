//! What upstreams answer: whole answers as every wire, and errors.

use serde_json::Value;
use understudy::domain::answer;
use understudy::domain::chain::{Attempt, End, Standing, TrailEntry, What};
use understudy::domain::classify::{self, Facts};
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::{self, CallKind, Event, Wire};
use understudy::domain::error::{self, Ending, status_of};
use understudy::domain::outcome::{Failure, KeySlot};
use understudy::domain::policy::Exhausted;
use understudy::domain::provider::google;
use understudy::domain::redact;
use understudy::domain::route::{Family, Route};
use understudy::domain::target::Target;
use understudy::domain::time::Instant;

use super::{bounded, head_and_rest, headers};

const NOW: Instant = Instant(1_790_000_000_000);
const FAMILIES: [(Family, Wire, Route); 3] = [
    (Family::Chat, Wire::Chat, Route::Chat),
    (Family::Responses, Wire::Responses, Route::Responses),
    (Family::Messages, Wire::Messages, Route::Messages),
];

pub fn voice() -> Voice {
    Voice {
        request_id: "req1".to_owned(),
        model: "acme/model".to_owned(),
        created: 1_700_000_000,
        include_usage: true,
        ..Voice::default()
    }
}

pub fn whole(input: &[u8]) {
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Converse, Wire::Completions, Wire::Opaque] {
        for (_, _, route) in &FAMILIES {
            for stream in [false, true] {
                checked(route, wire, input, stream);
            }
        }
        let Ok(events) = dialect::read_answer(wire, input) else { continue };
        bounded("events", events.len(), input.len(), 4);
        for (family, own, _) in FAMILIES {
            rewritten(wire, &events, family, own, input);
        }
    }
    let _ = google::token_of(200, input, NOW).is_ok();
}

fn checked(route: &Route, wire: Wire, input: &[u8], stream: bool) {
    match answer::check(route, wire, input, Some(&voice()), stream) {
        Ok(checked) => {
            let written = checked.rewritten.unwrap_or_default();
            assert!(std::str::from_utf8(&written).is_ok());
            bounded("a written answer", written.len(), input.len(), 64);
        }
        Err(failure) => check_failure(&failure),
    }
}

fn check_failure(failure: &Failure) {
    for (family, ..) in FAMILIES {
        assert!((400..600).contains(&status_of(failure, family)), "{failure:?}");
    }
    let short = redact::short(&failure.reason);
    assert!(short.chars().count() <= 200 && !short.chars().any(char::is_control));
}

/// The text of an answer is the same in every family's words.
fn rewritten(from: Wire, events: &[Event], family: Family, own: Wire, input: &[u8]) {
    let Ok(written) = dialect::write_answer(family, events.to_vec(), &voice(), Reply::default()) else { return };
    let value: Value = serde_json::from_slice(&written).expect("an answer is JSON");
    assert!(value.is_object());
    bounded("an answer", written.len(), input.len(), 16);
    let again = dialect::read_answer(own, &written)
        .unwrap_or_else(|bad| panic!("{from:?} as {family:?} is malformed: {bad:?}\n{value}"));
    assert_eq!(text(&again), text(events), "{from:?} as {family:?}: {value}");
    assert_eq!(calls(&again, family), calls(events, family), "{from:?} as {family:?}: {value}");
}

/// What a person reads of it: a refusal is text where a family has no word for it.
fn text(events: &[Event]) -> String {
    let said = |event: &Event| match event {
        Event::Text(text) | Event::Refusal(text) => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(said).collect()
}

/// The names of the tools that are called; Anthropic's family has none that take text.
fn calls(events: &[Event], family: Family) -> Vec<String> {
    let name = |event: &Event| match event {
        Event::ToolStart { kind: CallKind::Custom, .. } if family == Family::Messages => None,
        Event::ToolStart { name, .. } => Some(name.clone()),
        _ => None,
    };
    events.iter().filter_map(name).collect()
}

pub fn errors(input: &[u8]) {
    let (head, body) = head_and_rest(input);
    let headers = headers(head);
    let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let status = find("status").and_then(|status| status.parse().ok()).unwrap_or(400);
    let provider = find("provider").unwrap_or_else(|| "openai".to_owned());
    let facts = Facts { status, header: &find, body, provider: &provider, rules: &[], now: NOW };
    let failure = classify::classify(&facts);
    assert!(failure.body.as_ref().is_none_or(|kept| kept.len() <= classify::BODY_MAX));
    if (400..600).contains(&status) {
        check_failure(&failure);
    }
    let _ = failure.retry_after.map(|wait| NOW + wait);
    for (family, ..) in FAMILIES {
        told(family, &failure);
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        check_failure(&classify::classify_error_value(&value, Some(200)));
    }
}

/// The error of a single attempt, as a client of each family is told of it: JSON, with the key that was used masked.
fn told(family: Family, failure: &Failure) {
    let at = Instant(1_000);
    let target = Target { provider: "x".to_owned(), model: "m".to_owned(), region: None };
    let standing = Standing::Failed(failure.clone());
    let attempt = Attempt { id: 0, slot: KeySlot::Managed, headers: None, ended: Some(at), standing };
    let trail = [TrailEntry { hop: 0, target, at, what: What::Call(attempt) }];
    let ending = Ending {
        family,
        trail: &trail,
        end: &End::Exhausted,
        exhausted: Exhausted::Last,
        request_id: "req1",
        keys: &["hunter2hunter2"],
        retry_after: None,
        lacks_consent: false,
    };
    let last = error::ended(&ending);
    let body = std::str::from_utf8(&last.body).expect("what a client is told is text");
    assert!(!body.contains("hunter2hunter2"));
    assert!(serde_json::from_str::<Value>(body).is_ok(), "what a client is told is no JSON: {body}");
    assert!(error::trail_header(&trail, false, &[]).bytes().all(|byte| (0x20..0x7f).contains(&byte)));
}
