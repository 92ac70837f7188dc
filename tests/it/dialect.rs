//! What the tests of the dialects share: streams read to events, and what a client's SDK makes of the streams we write.

use serde_json::{Map, Value, json};
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::{self, Event, Wire};
use understudy::domain::route::{Family, Route};
use understudy::domain::sse::{Item, Parser};

/// What encoders know in these tests.
pub fn voice() -> Voice {
    Voice {
        request_id: "req1".to_owned(),
        model: "acme/model".to_owned(),
        created: 1_700_000_000,
        include_usage: true,
        ..Voice::default()
    }
}

/// The events of a stream that arrives in these pieces.
pub fn events_of<'a>(wire: Wire, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let (mut parser, mut decoder, mut events) = (Parser::default(), dialect::decoder(wire), Vec::new());
    let mut take = |item: Item<'_>| match item {
        Item::Event(event) => decoder.push(&event, &mut events).expect("every record is readable"),
        Item::Quiet(_) => {}
    };
    for piece in pieces {
        parser.push(piece, &mut take).expect("no event is too long");
    }
    parser.finish(&mut take);
    decoder.end(&mut events);
    events
}

/// The stream that a client of the family gets for these events.
pub fn stream_of(family: Family, events: &[Event], voice: Voice, reply: Reply) -> String {
    let (mut encoder, mut out) = (dialect::encoder(family, voice, reply), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut out));
    if events.iter().any(|event| matches!(event, Event::Finish(_))) {
        encoder.finish(&mut out);
    }
    String::from_utf8(out).expect("a stream is UTF-8")
}

/// Name and data of every event in a stream that we wrote.
pub fn records(stream: &str) -> Vec<(String, String)> {
    let (mut parser, mut records) = (Parser::default(), Vec::new());
    let mut take = |item: Item<'_>| {
        if let Item::Event(event) = item {
            records.push((event.name.to_owned(), event.data.to_owned()));
        }
    };
    parser.push(stream.as_bytes(), &mut take).expect("no event is too long");
    parser.finish(&mut take);
    records
}

/// The whole answer of these events, as the family's JSON.
pub fn answer_of(family: Family, events: &[Event]) -> Value {
    let body = dialect::write_answer(family, events.to_vec(), &voice(), Reply::default()).expect("no failure within");
    serde_json::from_slice(&body).expect("an answer is JSON")
}

/// What the chat SDKs make of a stream: the completion that its chunks add up to. Panics where they would raise.
pub fn chat_sdk(stream: &str) -> Value {
    let records = records(stream);
    let (last, chunks) = records.split_last().expect("a stream has records");
    assert_eq!(last.1, "[DONE]");
    let chunks: Vec<Value> =
        chunks.iter().map(|(_, data)| serde_json::from_str(data).expect("a chunk is JSON")).collect();
    let mut message = json!({"role": null, "content": null, "refusal": null, "annotations": []});
    let (mut finish, mut usage) = (Value::Null, Value::Null);
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(["id", "created", "model"].iter().all(|name| chunk[name] == chunks[0][name]), "constant in all chunks");
        if chunk["choices"].as_array().expect("choices is a list").is_empty() {
            usage = chunk["usage"].clone();
            continue;
        }
        assert!(usage.is_null(), "nothing follows the usage");
        let choice = &chunk["choices"][0];
        assert_eq!(chunk["choices"].as_array().map(Vec::len), Some(1));
        assert_eq!(choice["index"], 0);
        let delta = choice["delta"].as_object().expect("a delta is an object");
        for (name, value) in delta {
            chat_delta(&mut message, name, value);
        }
        if !choice["finish_reason"].is_null() {
            assert!(finish.is_null(), "one finish");
            finish = choice["finish_reason"].clone();
        }
    }
    assert_eq!(message["role"], "assistant");
    let first = &chunks[0];
    let mut whole = json!({
        "id": first["id"], "object": "chat.completion", "created": first["created"], "model": first["model"],
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}], "usage": usage,
    });
    if let Some(tier) = chunks.iter().rev().find_map(|chunk| chunk.get("service_tier")) {
        whole["service_tier"] = tier.clone();
    }
    whole
}

fn chat_delta(message: &mut Value, name: &str, value: &Value) {
    match (name, value) {
        ("role", value) => message["role"] = value.clone(),
        (_, Value::Null) => {}
        ("content" | "refusal", Value::String(text)) => append(&mut message[name], text),
        ("tool_calls", Value::Array(calls)) => {
            for call in calls {
                chat_call(message, call);
            }
        }
        other => panic!("no SDK knows the delta {other:?}"),
    }
}

fn chat_call(message: &mut Value, call: &Value) {
    if message["tool_calls"].is_null() {
        message["tool_calls"] = json!([]);
    }
    let calls = message["tool_calls"].as_array_mut().expect("a list");
    let index = usize::try_from(call["index"].as_u64().expect("an index")).expect("small");
    assert!(index <= calls.len(), "indices are dense");
    if index == calls.len() {
        let kind = call["type"].as_str().filter(|kind| matches!(*kind, "function" | "custom")).expect("a kind of call");
        assert!(call["id"].is_string() && call[kind]["name"].is_string());
        calls.push(json!({"id": call["id"], "type": kind, kind: call[kind]}));
    } else {
        let (kind, given) = match calls[index]["type"].as_str() {
            Some("custom") => ("custom", "input"),
            _ => ("function", "arguments"),
        };
        let piece = call[kind][given].as_str().expect("a piece of what it is called with");
        append(&mut calls[index][kind][given], piece);
    }
}

fn append(text: &mut Value, piece: &str) {
    let so_far = text.as_str().unwrap_or_default();
    *text = json!(format!("{so_far}{piece}"));
}

/// What Anthropic's SDKs make of a stream: the message that its events add up to. Panics where they would raise.
pub fn messages_sdk(stream: &str) -> Value {
    let mut message = Value::Null;
    let (mut open, mut json, mut ended) = (None::<usize>, String::new(), false);
    for (name, data) in records(stream) {
        let event: Value = serde_json::from_str(&data).expect("data is JSON");
        assert_eq!(event["type"], name.as_str(), "name and type agree");
        assert!(!ended, "nothing follows message_stop");
        match name.as_str() {
            "ping" => {}
            "message_start" => {
                assert!(message.is_null(), "one message");
                message = event["message"].clone();
            }
            "content_block_start" => {
                let blocks = message["content"].as_array_mut().expect("a message began");
                assert_eq!((open, event["index"].as_u64()), (None, Some(blocks.len() as u64)), "one block at a time");
                open = Some(blocks.len());
                json.clear();
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let at = open.filter(|at| event["index"] == *at as u64).expect("the open block");
                let block = &mut message["content"][at];
                match event["delta"]["type"].as_str() {
                    Some("text_delta") => append(&mut block["text"], event["delta"]["text"].as_str().expect("text")),
                    Some("input_json_delta") => json.push_str(event["delta"]["partial_json"].as_str().expect("JSON")),
                    other => panic!("unexpected delta {other:?}"),
                }
            }
            "content_block_stop" => {
                let at = open.take().filter(|at| event["index"] == *at as u64).expect("the open block");
                if message["content"][at]["type"] == "tool_use" && !json.is_empty() {
                    message["content"][at]["input"] =
                        serde_json::from_str(&json).unwrap_or_else(|_| json!({"_raw": json}));
                }
            }
            "message_delta" => {
                assert_eq!(open, None, "all blocks are closed");
                merge(&mut message, &event["delta"]);
                let usage = event["usage"].clone();
                merge(&mut message["usage"], &usage);
            }
            "message_stop" => ended = true,
            other => panic!("unexpected event {other}"),
        }
    }
    assert!(ended, "message_stop comes");
    message
}

fn merge(into: &mut Value, from: &Value) {
    let fields: &Map<String, Value> = from.as_object().expect("an object");
    for (name, value) in fields {
        into[name] = value.clone();
    }
}

/// The wire of a recording, by its route.
pub fn wire_of(case: &str) -> Option<Wire> {
    let route = crate::recorded::json(case, "meta.json")?["route"].as_str()?.to_owned();
    match route.split('?').next().unwrap_or_default() {
        path if path.ends_with("/messages") => Some(Wire::Messages),
        path if path.ends_with("/chat/completions") => Some(Wire::Chat),
        path if path.ends_with("/responses") => Some(Wire::Responses),
        _ => None,
    }
}

#[test]
fn which_wires_are_a_routes_own() {
    let cases = [
        (Route::Chat, Wire::Chat, (false, false)),
        (Route::Chat, Wire::Messages, (true, true)),
        (Route::Responses, Wire::Responses, (false, false)),
        (Route::Responses, Wire::Chat, (true, true)),
        (Route::Messages, Wire::Messages, (false, false)),
        (Route::Messages, Wire::Converse, (true, true)),
        // The same words in another envelope: the request is written anew, the answer is the client's own.
        (Route::Messages, Wire::Invoke, (false, true)),
        (Route::Messages, Wire::RawPredict, (false, true)),
        (Route::CountTokens, Wire::Invoke, (false, true)),
        (Route::Chat, Wire::Invoke, (true, true)),
        (Route::Completions, Wire::Completions, (false, false)),
        (Route::Embeddings, Wire::Opaque, (false, false)),
    ];
    for (route, wire, (answers, requests)) in cases {
        assert_eq!((wire.translates(&route), wire.rewrites(&route)), (answers, requests), "{route:?} {wire:?}");
    }
}
