//! Upstreams' error answers, row by row: their class, what they ask to wait, and what clients of either family are told.
//!
//! `tests/fixtures/classify/rows.txt`, a JSON list a line; lines of `//` and blanks part them. Status 200: an error inside an answer.
//!
//! ```text
//! [provider, status, headers, body, class, wait in ms, [status, type, code] to OpenAI's clients, [status, type, code] to Anthropic's]
//! ```
//! The clock stands at Wed, 21 Oct 2015 07:28:00 GMT. A row that differs is printed as it came out.

use serde_json::{Value, json};
use understudy::domain::chain::{Attempt, End, Standing, TrailEntry, What};
use understudy::domain::classify::{self, Facts};
use understudy::domain::error::{Ending, ended};
use understudy::domain::outcome::{Failure, KeySlot};
use understudy::domain::policy::Exhausted;
use understudy::domain::route::Family;
use understudy::domain::time::Instant;

use crate::chain::target;

const ROWS: &str = include_str!("../fixtures/classify/rows.txt");
const NOW: Instant = Instant(1_445_412_480_000);

fn failure(row: &Value) -> Failure {
    let (status, body) = (row[1].as_u64().expect("a status"), &row[3]);
    if status == 200 {
        return classify::classify_error_value(body, Some(200));
    }
    let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    classify::classify(&Facts {
        status: u16::try_from(status).expect("a status"),
        header: &|name| row[2][name].as_str().map(str::to_owned),
        body: text.as_bytes(),
        provider: row[0].as_str().expect("a provider"),
        rules: &[],
        now: NOW,
    })
}

/// Status, type and code of the answer to a client whose one attempt failed so.
fn told(family: Family, failure: &Failure) -> Value {
    let standing = Standing::Failed(failure.clone());
    let attempt = Attempt { id: 0, slot: KeySlot::Managed, headers: None, ended: Some(NOW), standing };
    let trail = [TrailEntry { hop: 0, target: target("acme/m"), at: NOW, what: What::Call(attempt) }];
    let said = ended(&Ending {
        family,
        trail: &trail,
        end: &End::Exhausted,
        exhausted: Exhausted::Last,
        request_id: "r",
        keys: &[],
        retry_after: None,
        lacks_consent: false,
    });
    let body: Value = serde_json::from_slice(&said.body).expect("an error is JSON");
    let message = body["error"]["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty() || body["error"]["message"].is_object(), "it says nothing: {body}");
    json!([said.status, body["error"]["type"], body["error"]["code"]])
}

#[test]
fn every_row_of_the_errors_holds() {
    let mut differ = Vec::new();
    for line in ROWS.lines().filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let row: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let failure = failure(&row);
        let wait = failure.retry_after.map(|wait| wait.0);
        let (chat, messages) = (told(Family::Chat, &failure), told(Family::Messages, &failure));
        let came = json!([row[0], row[1], row[2], row[3], failure.class.name(), wait, chat, messages]);
        if came != row {
            differ.push(came.to_string());
        }
    }
    assert!(differ.is_empty(), "these rows came out as\n{}", differ.join("\n"));
}
