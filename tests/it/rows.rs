//! The translation of requests, row by row: what one field more in a plain request changes in what is sent.
//!
//! `tests/fixtures/dialect/rows.txt`, a JSON list a line; lines of `//` and blanks part them:
//!
//! ```text
//! [family, target, fields of the request, fields of what is sent, dropped]      null: a field that the plain request has is gone
//! [family, target, fields of the request, feature]                             the hop is skipped
//! ```
//! Wire and name of the model are those of the provider and the catalogue. A row that differs is printed as it came out.

use serde_json::{Map, Value, json};
use understudy::domain::catalogue::Catalogue;
use understudy::domain::dialect::{self, Destination};
use understudy::domain::policy::Translate;
use understudy::domain::provider::Provider;
use understudy::domain::route::{Family, Route};

use crate::chain::target;

const ROWS: &str = include_str!("../fixtures/dialect/rows.txt");

fn plain(family: &str) -> (Family, Route, Value) {
    let hello = json!([{"role": "user", "content": "Hi"}]);
    match family {
        "chat" => (Family::Chat, Route::Chat, json!({"model": "m", "messages": hello})),
        "responses" => (Family::Responses, Route::Responses, json!({"model": "m", "input": "Hi"})),
        "messages" => (Family::Messages, Route::Messages, json!({"model": "m", "max_tokens": 100, "messages": hello})),
        other => panic!("no family {other}"),
    }
}

/// What is sent and what was dropped, or the feature that the hop lacks.
fn sent(family: Family, route: &Route, body: &Value, name: &str, mode: Translate) -> Result<(Value, Value), String> {
    let (target, catalogue) = (target(name), Catalogue::default());
    let provider = Provider::built_in(&target.provider).unwrap_or_else(|| panic!("no provider of {name}"));
    let model = catalogue.wire_id(&target, Some("eu-central-1"));
    let facts = catalogue.facts(&target);
    let wire = provider.wire(route, &model).unwrap_or_else(|| panic!("no wire for {name}"));
    let to =
        Destination { max_output_tokens: facts.max_output_tokens, ..Destination::of(wire, &target.provider, &model) };
    let encoded = dialect::translate_request(family, body.to_string().as_bytes(), &to, &facts, mode);
    let encoded = encoded.map_err(|feature| feature.0)?;
    Ok((serde_json::from_slice(&encoded.body).expect("a body is JSON"), json!(encoded.dropped)))
}

fn changes(sent: &Value, plain: &Value) -> Value {
    let (sent, plain) = (sent.as_object().expect("an object"), plain.as_object().expect("an object"));
    let new = sent.iter().filter(|(name, value)| plain.get(*name) != Some(*value));
    let gone = plain.keys().filter(|name| !sent.contains_key(*name));
    let new = new.map(|(name, value)| (name.clone(), value.clone()));
    Value::Object(new.chain(gone.map(|name| (name.clone(), Value::Null))).collect::<Map<_, _>>())
}

#[test]
fn every_row_of_the_translation_holds() {
    let mut differ = Vec::new();
    for line in ROWS.lines().filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let row: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (family, to) = (row[0].as_str().unwrap_or_default(), row[1].as_str().unwrap_or_default());
        let (of, route, plain) = plain(family);
        let mut body = plain.clone();
        for (name, value) in row[2].as_object().expect("fields") {
            body[name] = value.clone();
        }
        let came = match sent(of, &route, &body, to, Translate::Lenient) {
            Ok((now, dropped)) => {
                let (before, _) = sent(of, &route, &plain, to, Translate::Lenient).expect("a plain request fits");
                json!([family, to, row[2], changes(&now, &before), dropped])
            }
            Err(feature) => json!([family, to, row[2], feature]),
        };
        if came != row {
            differ.push(came.to_string());
        }
        // What is dropped is refused by a strict hop, and nothing else is.
        let strict = sent(of, &route, &body, to, Translate::Strict);
        let fits = came[4].as_array().is_some_and(Vec::is_empty);
        assert_eq!(strict.is_ok(), fits, "strict: {strict:?} {line}");
    }
    assert!(differ.is_empty(), "these rows came out as\n{}", differ.join("\n"));
}
