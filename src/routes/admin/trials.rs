//! Explain and compare: `{"route": "chat", "body": {...}}`, and the client's `headers`: rules look at them, and some go upstream.

use super::{Asked, Failure, candidates, fields};
use crate::domain::chain::reason;
use crate::domain::document::Kind;
use crate::domain::document::json::shown;
use crate::domain::ledger::analytics::usd;
use crate::domain::ledger::row::AttemptRow;
use crate::domain::outcome::KeySlot;
use crate::domain::redact::{redact_name, redact_value};
use crate::domain::refusal::Refusal;
use crate::domain::request::Headers;
use crate::domain::route::Route;
use crate::domain::target::is_policy_name;
use crate::edge::glue::is_header_value;
use crate::edge::recorder;
use crate::edge::trial::{Compared, Foreseen, Place, Question, Trial};
use crate::edge::upstream::Preview;
use crate::routes::reply::Reply;
use serde_json::{Map, Value, json};

/// The routes that can be tried: those that take JSON.
const ROUTES: [Route; 9] = [
    Route::Chat,
    Route::Responses,
    Route::Messages,
    Route::Embeddings,
    Route::Completions,
    Route::CountTokens,
    Route::Moderations,
    Route::ImagesGenerations,
    Route::AudioSpeech,
];

/// What a body asks to be tried.
struct Payload {
    route: Route,
    body: Map<String, Value>,
    headers: Headers,
}

fn payload(asked: &Asked<'_>) -> Result<Payload, Failure> {
    let given = fields(asked.json()?, &["route", "body", "headers"])?;
    let name = match given.get("route") {
        None | Some(Value::Null) => "chat",
        Some(Value::String(name)) => name.strip_prefix("/v1").unwrap_or(name),
        Some(other) => return Err(Refusal::value("route", format!("{} is not a string", shown(other))).into()),
    };
    let route = ROUTES.into_iter().find(|route| route.name() == name || route.path() == name).ok_or_else(|| {
        let known: Vec<&str> = ROUTES.iter().map(Route::name).collect();
        Refusal::value("route", format!("{name:?} is not one of {}", known.join(", ")))
    })?;
    let Some(Value::Object(body)) = given.get("body") else {
        return Err(Refusal::value("body", "expected the request's JSON object").into());
    };
    Ok(Payload { route, body: body.clone(), headers: headers(given.get("headers"))? })
}

/// The client's headers, by name.
fn headers(given: Option<&Value>) -> Result<Headers, Failure> {
    let pairs = match given {
        None | Some(Value::Null) => return Ok(Headers::default()),
        Some(Value::Object(pairs)) => pairs,
        Some(_) => return Err(Refusal::value("headers", "expected an object of names and values").into()),
    };
    let header = |(name, value): (&String, &Value)| match value.as_str().filter(|value| is_header_value(value)) {
        Some(value) => Ok((name.clone(), value.to_owned())),
        None => Err(Refusal::value(&format!("headers.{name}"), "expected a text that a header can hold").into()),
    };
    pairs.iter().map(header).collect()
}

async fn trial(asked: &Asked<'_>, payload: Payload, compare: bool) -> Result<Trial, Failure> {
    if !is_policy_name(asked.segment(0)) {
        return Err(Failure::missing(Kind::Policy, asked.segment(0)));
    }
    let own_host = candidates::own_host(asked).unwrap_or_default();
    let question = Question {
        env: asked.env,
        policy: asked.segment(0),
        route: payload.route,
        body: payload.body,
        headers: payload.headers,
        compare,
        own_host: &own_host,
        sim: candidates::sim_on(asked),
    };
    Ok(Trial::make(question).await?)
}

/// Per hop whether it would be called or skipped and why, what would be dropped, and the request as it would go out.
pub async fn explain(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let trial = trial(asked, payload(asked)?, false).await?;
    let secrets = trial.secrets();
    let line = |place: Place<'_>| {
        let Foreseen { skip, slot, preview } = trial.foresee(place);
        json!({
            "model": redact_name(&place.hop.target.to_string(), &secrets),
            "call": skip.is_none(),
            "reason": skip.as_ref().map(reason),
            "key": slot.map(KeySlot::name),
            "dropped": preview.as_ref().map_or(&[][..], |preview| &preview.dropped),
            "request": preview.as_ref().map(|preview| request(preview, &secrets)),
        })
    };
    let hops: Vec<Value> = trial.places().map(line).collect();
    Ok(Reply::json(200, &json!({"policy": asked.segment(0), "rule": trial.rule(), "hops": hops})))
}

/// A provider's document, a hop's params and the client itself may have put a key where it would go out.
fn request(preview: &Preview, secrets: &[&str]) -> Value {
    let mut headers = Map::new();
    for (name, value) in &preview.headers {
        headers.insert(name.clone(), value.as_str().into());
    }
    let body = serde_json::from_slice::<Value>(&preview.body)
        .unwrap_or_else(|_| String::from_utf8_lossy(&preview.body).into_owned().into());
    let (headers, body) = (redact_value(&headers.into(), secrets), redact_value(&body, secrets));
    let url = redact_name(&preview.url, secrets);
    json!({"method": "POST", "url": url, "headers": headers, "body": body})
}

/// The same request to every hop, with capped tokens, one after another; answers side by side.
pub async fn compare(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let mut payload = payload(asked)?;
    for field in ["stream", "stream_options"] {
        payload.body.shift_remove(field);
    }
    let trial = trial(asked, payload, true).await?;
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for place in trial.places() {
        let compared = match trial.slot(place) {
            Ok(slot) => trial.compare(place, slot).await,
            Err(skip) => Compared { row: trial.skipped(place, &skip), body: None },
        };
        lines.push(line(&compared));
        rows.push(compared.row);
    }
    trial.record(rows);
    recorder::flush(asked.env).await;
    Ok(Reply::json(200, &json!({"data": lines})))
}

fn line(compared: &Compared) -> Value {
    let AttemptRow { model, call, outcome, status, reason, ms, ttft_ms, tokens, cost_micro_usd, .. } = &compared.row;
    json!({
        "model": model,
        "call": call,
        "outcome": outcome,
        "status": status,
        "reason": Some(reason).filter(|reason| !reason.is_empty()),
        "text": compared.body.as_ref().and_then(text),
        "answer": compared.body,
        "tokens": {"input": tokens.input, "output": tokens.output, "cached": tokens.cached},
        "ms": ms,
        "ttft_ms": ttft_ms,
        "cost_usd": usd(*cost_micro_usd),
    })
}

/// The text of an answer in any family's shape.
fn text(answer: &Value) -> Option<String> {
    if let Some(text) = answer.pointer("/choices/0/message/content").or(answer.pointer("/choices/0/text")) {
        return text.as_str().map(str::to_owned);
    }
    let parts = |list: &Value| -> String {
        list.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect()
    };
    if let Some(content) = answer.get("content") {
        return Some(parts(content));
    }
    let output = answer.get("output")?.as_array()?;
    Some(output.iter().map(|item| parts(&item["content"])).collect())
}
