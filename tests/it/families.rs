//! Responses clients at targets of other families, other clients at Responses targets, and Bedrock's frames on their way to
//! any client: requests, answers and streams, from end to end.

use crate::dialect::{chat_sdk, events_of, messages_sdk, records, stream_of, voice, wire_of};
use crate::recorded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use understudy::domain::catalogue::Facts;
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::said::Expected;
use understudy::domain::dialect::{Destination, Incompatible, Wire, translate};
use understudy::domain::eventstream::{self, Frame, Frames};
use understudy::domain::outcome::{Class, Failure};
use understudy::domain::policy::{Commit, RelayMode, StreamRules, Translate};
use understudy::domain::relay::{Ending, Held, Intake, Setup, Tail};
use understudy::domain::route::Family;

// --- requests -----------------------------------------------------------------------------------------------------------

fn translated(
    family: Family,
    body: &Value,
    wire: Wire,
    model: &'static str,
) -> Result<(Value, Vec<String>), Incompatible> {
    let provider = if wire == Wire::Messages { "anthropic" } else { "openai" };
    let to = Destination { max_output_tokens: Some(64_000), ..Destination::of(wire, provider, model) };
    let bytes = body.to_string().into_bytes();
    let encoded = translate::translate_request(family, &bytes, &to, &Facts::default(), Translate::Lenient)?;
    Ok((serde_json::from_slice(&encoded.body).expect("JSON"), encoded.dropped))
}

#[track_caller]
fn becomes(family: Family, body: &Value, wire: Wire, model: &'static str, expected: Value, dropped: &[&str]) {
    let (sent, list) = translated(family, body, wire, model).expect("it goes");
    let (mut sent, mut expected) = (sent, expected);
    sent.sort_all_objects();
    expected.sort_all_objects();
    assert_eq!(sent, expected);
    assert_eq!(list, dropped);
}

/// One turn of tools, in the words of a Responses client.
fn responses_tools() -> Value {
    json!({
        "model": "policy/x", "instructions": "Be brief.", "max_output_tokens": 500, "stream": true, "store": false,
        "input": [
            {"role": "user", "content": "Weather in Paris and Nice?"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"at\":\"Paris\"}"},
            {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "weather", "arguments": "{\"at\":\"Nice\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            {"type": "function_call_output", "call_id": "call_2", "output": "sun"},
        ],
        "tools": [{"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object", "properties": {}}}],
        "tool_choice": "required", "parallel_tool_calls": true,
        "include": ["reasoning.encrypted_content"],
    })
}

#[test]
fn a_responses_client_at_a_chat_target() {
    let call = |id: &str, at: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": format!("{{\"at\":\"{at}\"}}")}});
    let schema = json!({"type": "object", "properties": {}});
    let function = json!({"name": "weather", "description": "d", "strict": false, "parameters": schema});
    let expected = json!({
        "model": "gpt-4o", "max_completion_tokens": 500, "stream": true, "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Paris and Nice?"},
            {"role": "assistant", "content": null, "tool_calls": [call("call_1", "Paris"), call("call_2", "Nice")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            {"role": "tool", "tool_call_id": "call_2", "content": "sun"},
        ],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required", "parallel_tool_calls": true,
    });
    let dropped = ["include", "input.reasoning"];
    becomes(Family::Responses, &responses_tools(), Wire::Chat, "gpt-4o", expected, &dropped);
}

#[test]
fn a_responses_client_at_a_messages_target() {
    let call = |id: &str, at: &str| json!({"type": "tool_use", "id": id, "name": "weather", "input": {"at": at}});
    let result = |id: &str, said: &str| json!({"type": "tool_result", "tool_use_id": id, "content": said});
    let expected = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 500, "stream": true,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Weather in Paris and Nice?"}]},
            {"role": "assistant", "content": [call("call_1", "Paris"), call("call_2", "Nice")]},
            {"role": "user", "content": [result("call_1", "rain"), result("call_2", "sun")]},
        ],
        "tools": [{"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "any"},
    });
    let dropped = ["include", "input.reasoning"];
    becomes(Family::Responses, &responses_tools(), Wire::Messages, "claude-sonnet-4-5", expected, &dropped);
}

#[test]
fn a_chat_client_at_a_responses_target() {
    let body = json!({
        "model": "policy/x", "max_tokens": 100, "temperature": 0.3, "seed": 7, "user": "u1", "stream": true,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            ]},
            {"role": "assistant", "content": "Let me look.", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
            {"role": "user", "content": "So?"},
        ],
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true,
            "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}},
    });
    let expected = json!({
        "model": "gpt-4o", "max_output_tokens": 100, "temperature": 0.3, "stream": true, "store": false,
        "safety_identifier": "u1", "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
            ]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "a cat"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "So?"}]},
        ],
        "tools": [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": false}],
        "text": {"format": {"type": "json_schema", "name": "n", "strict": true,
            "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}},
    });
    becomes(Family::Chat, &body, Wire::Responses, "gpt-4o", expected, &["seed"]);
}

#[test]
fn a_messages_client_at_a_responses_target() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let body = json!({
        "model": "policy/x", "max_tokens": 2048, "top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024},
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [{"type": "text", "text": "dark"}, image]},
                {"type": "text", "text": "So?"}]},
        ],
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
    });
    let (sent, dropped) = translated(Family::Messages, &body, Wire::Responses, "gpt-5").expect("it goes");
    assert_eq!(sent["instructions"], "Be brief.");
    assert_eq!(sent["reasoning"], json!({"effort": "low"}));
    assert_eq!((&sent["tool_choice"], &sent["parallel_tool_calls"]), (&json!("auto"), &json!(false)));
    assert_eq!(
        sent["input"],
        json!([
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look."}]},
            {"type": "function_call", "call_id": "toolu_1", "name": "look", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "toolu_1", "output": [
                {"type": "input_text", "text": "Error:"},
                {"type": "input_text", "text": "dark"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            ]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "So?"}]},
        ])
    );
    assert!(dropped.contains(&"top_k".to_owned()) && dropped.contains(&"cache_control".to_owned()), "{dropped:?}");
}

#[test]
fn stateful_and_hosted_requests_skip_targets_of_other_families() {
    for (more, feature) in [
        (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"background": true}), "background"),
        (json!({"tools": [{"type": "web_search"}]}), "web_search"),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        for (wire, model) in [(Wire::Chat, "gpt-4o"), (Wire::Messages, "claude-sonnet-4-5"), (Wire::Converse, "nova")] {
            let refused = translated(Family::Responses, &body, wire, model).map(|_| ());
            assert_eq!(refused, Err(Incompatible(feature.to_owned())), "{wire:?}");
        }
    }
}

// --- answers ------------------------------------------------------------------------------------------------------------

#[track_caller]
fn answered(family: Family, wire: Wire, body: &[u8]) -> Value {
    let events = translate::read_answer(wire, body).expect("an answer");
    let bytes = translate::write_answer(family, events, &voice(), Reply::default()).expect("no error in it");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn the_tier_that_served_goes_by_the_clients_word_for_it() {
    let claude = |tier: &str| {
        json!({"id": "msg_1", "model": "m", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": tier}})
    };
    for (said, heard) in [("standard", json!("default")), ("priority", json!("priority")), ("batch", Value::Null)] {
        let body = claude(said).to_string();
        assert_eq!(answered(Family::Chat, Wire::Messages, body.as_bytes())["service_tier"], heard, "{said}");
        assert_eq!(answered(Family::Responses, Wire::Messages, body.as_bytes())["service_tier"], heard, "{said}");
    }
    // A tier that is no word, or half of a letter, is no tier, and breaks nothing.
    for odd in ["7", "\"\\ud800\"", "{}", "null"] {
        let body = claude("batch").to_string().replace("\"batch\"", odd);
        assert_eq!(answered(Family::Chat, Wire::Messages, body.as_bytes())["usage"]["total_tokens"], 2, "{odd}");
        let body = format!(
            r#"{{"id":"r","status":"completed","service_tier":{odd},"output":[{{"type":"message","content":[{{"text":"Hi"}}]}}]}}"#
        );
        assert_eq!(
            answered(Family::Chat, Wire::Responses, body.as_bytes())["choices"][0]["message"]["content"],
            "Hi",
            "{odd}"
        );
    }
    let omitted = answered(Family::Chat, Wire::Messages, claude("batch").to_string().as_bytes());
    assert!(omitted.get("service_tier").is_none(), "{omitted}");
    let chat = json!({"id": "c", "model": "m", "service_tier": "flex", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    assert_eq!(answered(Family::Responses, Wire::Chat, chat.to_string().as_bytes())["service_tier"], "flex");
    let response = json!({"id": "resp_1", "model": "m", "status": "completed", "service_tier": "priority",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]});
    assert_eq!(answered(Family::Chat, Wire::Responses, response.to_string().as_bytes())["service_tier"], "priority");
}

#[test]
fn likelihoods_of_a_chat_answer_stand_in_a_responses_clients_text() {
    let token = |token: &str| json!({"token": token, "logprob": -0.5, "bytes": [72], "top_logprobs": []});
    let whole = json!({"id": "c", "model": "m", "choices": [{"message": {"content": "Hi!"}, "finish_reason": "stop",
        "logprobs": {"content": [token("Hi"), token("!")], "refusal": null}}]});
    let answer = answered(Family::Responses, Wire::Chat, whole.to_string().as_bytes());
    assert_eq!(answer["output"][0]["content"][0]["logprobs"], json!([token("Hi"), token("!")]));
    let chunk = |delta: Value, logprobs: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
    };
    let piece = |text: &str| chunk(json!({"content": text}), json!({"content": [token(text)]}), Value::Null);
    let end = chunk(json!({}), Value::Null, json!("stop"));
    let stream = [piece("Hi"), piece("!"), end, "data: [DONE]\n\n".to_owned()].concat();
    let events = events_of(Wire::Chat, [stream.as_bytes()]);
    let text = stream_of(Family::Responses, &events, voice(), Reply::default());
    let data: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    let of = |kind: &str| data.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let deltas = of("response.output_text.delta");
    assert_eq!((&deltas[0]["logprobs"], &deltas[1]["logprobs"]), (&json!([token("Hi")]), &json!([token("!")])));
    let done = &of("response.output_text.done")[0]["logprobs"];
    assert_eq!(done, &json!([token("Hi"), token("!")]));
}

#[test]
fn a_recorded_responses_answer_reaches_every_client() {
    let Some(body) = recorded::bytes("azure/tool-call", "response.json") else { return };
    let origin: Value = serde_json::from_slice(&body).expect("JSON");
    let call = origin["output"].as_array().expect("items").iter().find(|item| item["type"] == "function_call");
    let call = call.expect("a call");
    let chat = answered(Family::Chat, Wire::Responses, &body);
    let function = &chat["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((&function["id"], &function["function"]["arguments"]), (&call["call_id"], &call["arguments"]));
    assert_eq!(chat["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(chat["usage"]["total_tokens"], origin["usage"]["total_tokens"]);
    let messages = answered(Family::Messages, Wire::Responses, &body);
    let block = messages["content"].as_array().expect("blocks").last().expect("a block");
    assert_eq!((&block["type"], &block["id"], &block["name"]), (&json!("tool_use"), &call["call_id"], &call["name"]));
    assert_eq!(messages["stop_reason"], "tool_use");
}

#[test]
fn recorded_answers_of_other_families_reach_a_responses_client() {
    if let Some(body) = recorded::bytes("anthropic/parallel-tools-1", "response.json") {
        let response = answered(Family::Responses, Wire::Messages, &body);
        let types: Vec<&Value> =
            response["output"].as_array().expect("items").iter().map(|item| &item["type"]).collect();
        assert_eq!(types, ["message", "function_call", "function_call", "function_call", "function_call"]);
        assert_eq!(response["status"], "completed");
    }
    if let Some(body) = recorded::bytes("deepseek/text", "response.json") {
        let response = answered(Family::Responses, Wire::Chat, &body);
        assert_eq!(response["status"], "incomplete");
        assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
        assert!(response["usage"]["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    }
    if let Some(body) = recorded::bytes("anthropic/refusal", "response.json") {
        let response = answered(Family::Responses, Wire::Messages, &body);
        assert_eq!(
            (&response["status"], &response["output"][0]["content"][0]["type"]),
            (&json!("completed"), &json!("refusal"))
        );
    }
}

// --- streams ------------------------------------------------------------------------------------------------------------

/// What a client gets of a stream: the bytes, and how it ended. `Err` when another target could still be tried.
fn relayed(family: Family, wire: Wire, bytes: &[u8], piece: usize) -> Result<(String, Tail), Failure> {
    let same = wire.family() == Some(family);
    let setup = Setup {
        wire,
        family,
        rules: StreamRules { commit: Commit::FirstContent, ..StreamRules::default() },
        mode: RelayMode::Pipe,
        hide_usage: false,
        voice: (!same).then(|| Voice { reply: Reply::default(), ..voice() }),
        keys: Vec::new(),
        expected: Expected::default(),
    };
    let mut intake = Intake::new(setup);
    let mut chunks = bytes.chunks(piece);
    let mut held = Held::Hold;
    while held == Held::Hold {
        held = match chunks.next() {
            Some(chunk) => intake.push(chunk),
            None => intake.end(),
        };
    }
    if let Held::Failed(failure) = held {
        return Err(failure);
    }
    let (mut out, mut relay) = intake.commit();
    for chunk in chunks {
        relay.push(chunk, &mut out);
    }
    let tail = relay.end(Ending::Clean);
    out.extend_from_slice(&tail.append);
    Ok((String::from_utf8(out).expect("UTF-8"), tail))
}

fn frame(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let text = |name: &str, value: &str| (name.to_owned(), eventstream::Value::Text(value.to_owned()));
    let message_type = if kind == ":event-type" { "event" } else { "exception" };
    let headers =
        vec![text(kind, name), text(":content-type", "application/json"), text(":message-type", message_type)];
    eventstream::encode(&Frame { headers, payload: payload.to_string().into_bytes() })
}

/// A recorded Anthropic stream as InvokeModel frames it.
pub fn framed(sse: &str) -> Vec<Vec<u8>> {
    let data = sse.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| frame(":event-type", "chunk", &json!({"bytes": STANDARD.encode(data), "p": "abcd"}))).collect()
}

fn throttled() -> Vec<u8> {
    frame(":exception-type", "throttlingException", &json!({"message": "Too many requests, please wait"}))
}

#[test]
fn invoke_model_frames_reach_a_messages_client_as_anthropics_own_events_at_any_split() {
    let Some(sse) = recorded::text("anthropic/sdk-tool-use-stream", "response.sse") else { return };
    let bytes = framed(&sse).concat();
    let (whole, tail) = relayed(Family::Messages, Wire::Invoke, &bytes, bytes.len()).expect("it commits");
    assert!(tail.finished && tail.outcome.is_none());
    for line in sse.lines().filter(|line| line.starts_with("data: ")) {
        assert!(whole.contains(line), "{line}");
    }
    for piece in [1, 64] {
        assert_eq!(relayed(Family::Messages, Wire::Invoke, &bytes, piece).expect("it commits").0, whole);
    }
    let origin = messages_sdk(&sse);
    assert_eq!(messages_sdk(&whole), origin);
    let (chat, _) = relayed(Family::Chat, Wire::Invoke, &bytes, 100).expect("it commits");
    let calls = &chat_sdk(&chat)["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls.as_array().map(Vec::len), Some(1));
}

/// Whatever Anthropic streams, it says the same in Bedrock's frames: to its own clients event for event, to others translated.
#[test]
fn every_recorded_anthropic_stream_says_the_same_in_frames() {
    for (case, sse) in recorded::files("response.sse") {
        if wire_of(&case) != Some(Wire::Messages) {
            continue;
        }
        let text = String::from_utf8_lossy(&sse);
        let frames = framed(&text).concat();
        for family in [Family::Chat, Family::Responses] {
            let plain = relayed(family, Wire::Messages, &sse, sse.len()).expect("it commits");
            let in_frames = relayed(family, Wire::Invoke, &frames, 997).expect("it commits");
            let quiet = |stream: &str| stream.replace(": ping\n\n", "");
            assert_eq!(quiet(&in_frames.0), quiet(&plain.0), "{case} for {}", family.name());
            assert_eq!(in_frames.1.usage, plain.1.usage, "{case}");
        }
        let (own, tail) = relayed(Family::Messages, Wire::Invoke, &frames, 997).expect("it commits");
        assert!(tail.finished, "{case}");
        let data = |stream: &str| records(stream).into_iter().map(|(_, data)| data).collect::<Vec<_>>();
        assert_eq!(data(&own), data(&text), "{case}");
    }
}

#[test]
fn converse_frames_reach_every_client() {
    let Some(bytes) = recorded::bytes("bedrock/iter-stream-1", "response.bin") else { return };
    let (chat, tail) = relayed(Family::Chat, Wire::Converse, &bytes, 33).expect("it commits");
    assert!(tail.finished && chat.ends_with("data: [DONE]\n\n"));
    let chat = chat_sdk(&chat);
    assert_eq!(chat["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], r#"{"city":"Paris"}"#);
    assert_eq!((&chat["usage"]["prompt_tokens"], &chat["usage"]["completion_tokens"]), (&json!(471), &json!(91)));
    let (messages, _) = relayed(Family::Messages, Wire::Converse, &bytes, 33).expect("it commits");
    assert_eq!(messages_sdk(&messages)["stop_reason"], "tool_use");
    let (responses, _) = relayed(Family::Responses, Wire::Converse, &bytes, 33).expect("it commits");
    assert!(responses.contains("event: response.completed") && !responses.contains("[DONE]"));
}

#[test]
fn a_bedrock_exception_as_first_frame_leaves_room_for_another_target() {
    for wire in [Wire::Invoke, Wire::Converse] {
        for family in [Family::Chat, Family::Responses, Family::Messages] {
            let failure = relayed(family, wire, &throttled(), 16).expect_err("it fails before commit");
            assert_eq!(failure.class, Class::RateLimited, "{wire:?} {family:?}");
        }
    }
    for (name, class) in [
        ("internalServerException", Class::ServerError),
        ("modelStreamErrorException", Class::ServerError),
        ("modelTimeoutException", Class::Timeout),
        ("serviceUnavailableException", Class::Overloaded),
        ("validationException", Class::InvalidRequest),
    ] {
        let frame = frame(":exception-type", name, &json!({"message": "m"}));
        let failure = relayed(Family::Chat, Wire::Converse, &frame, 16).expect_err("it fails before commit");
        assert_eq!(failure.class, class, "{name}");
    }
}

#[test]
fn a_bedrock_exception_after_the_commit_is_an_error_event_in_the_clients_words_and_no_end() {
    let delta = frame(":event-type", "contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "Hel"}}));
    let bytes = [delta, throttled()].concat();
    let (chat, tail) = relayed(Family::Chat, Wire::Converse, &bytes, 16).expect("it commits");
    assert_eq!(tail.outcome.map(|failure| failure.class), Some(Class::RateLimited));
    assert!(chat.contains("\"error\":{") && !chat.contains("[DONE]"), "{chat}");
    let (responses, _) = relayed(Family::Responses, Wire::Converse, &bytes, 16).expect("it commits");
    assert!(responses.contains("event: error\n") && !responses.contains("response.completed"), "{responses}");

    let Some(sse) = recorded::text("anthropic/sdk-tool-use-stream", "response.sse") else { return };
    let frames = framed(&sse);
    let cut = [frames[..5].concat(), throttled()].concat();
    let (messages, tail) = relayed(Family::Messages, Wire::Invoke, &cut, 16).expect("it commits");
    assert_eq!(tail.outcome.map(|failure| failure.class), Some(Class::RateLimited));
    assert!(messages.contains("event: error\n") && !messages.contains("message_stop"), "{messages}");
}

/// Wherever an exception stands in a recorded stream, the client sees what came before it, its error, and no end.
#[test]
fn a_bedrock_exception_may_come_after_any_frame() {
    let Some(sse) = recorded::text("anthropic/sdk-tool-use-stream", "response.sse") else { return };
    let frames = framed(&sse);
    let Some(converse) = recorded::bytes("bedrock/iter-stream-1", "response.bin") else { return };
    let (mut found, mut list) = (Frames::default(), Vec::new());
    found.push(&converse);
    while let Some(frame) = found.take().expect("sound frames") {
        list.push(eventstream::encode(&frame));
    }
    let exceptions = [
        ("internalServerException", json!({"message": "m"}), Class::ServerError),
        (
            "modelStreamErrorException",
            json!({"message": "m", "originalStatusCode": 529, "originalMessage": "o"}),
            Class::ServerError,
        ),
        ("modelTimeoutException", json!({"message": "m"}), Class::Timeout),
        ("serviceUnavailableException", json!({"message": "m"}), Class::Overloaded),
        ("throttlingException", json!({"message": "Too many tokens, please wait"}), Class::RateLimited),
        ("throttlingException", json!({"message": "Too many tokens per day"}), Class::QuotaExhausted),
        ("validationException", json!({"message": "Input is too long for requested model."}), Class::ContextLength),
    ];
    for (wire, frames) in [(Wire::Invoke, frames), (Wire::Converse, list)] {
        // Up to the frame that ends it; what follows an end is nobody's business.
        let places = if wire == Wire::Invoke { frames.len() - 2 } else { frames.len() - 3 };
        for (n, (name, payload, class)) in exceptions.iter().enumerate() {
            for at in (0..places).filter(|at| at % exceptions.len() == n || *at < 3) {
                let stream = [frames[..at].concat(), frame(":exception-type", name, payload)].concat();
                for family in [Family::Chat, Family::Responses, Family::Messages] {
                    let seen = match relayed(family, wire, &stream, 16) {
                        Err(failure) => failure.class,
                        Ok((client, tail)) => {
                            assert!(client.contains("\"error\""), "{client}");
                            let ends = ["[DONE]", "response.completed", "message_stop"];
                            assert!(!ends.iter().any(|end| client.contains(end)), "{client}");
                            tail.outcome.expect("a failure").class
                        }
                    };
                    assert_eq!(seen, *class, "{wire:?} {name} after {at} for {}", family.name());
                }
            }
        }
    }
}

#[test]
fn frames_that_are_damaged_or_cut_off_are_malformed_or_interrupted() {
    let Some(bytes) = recorded::bytes("bedrock/iter-stream-1", "response.bin") else { return };
    let mut damaged = bytes.clone();
    damaged[40] ^= 1;
    let failure = relayed(Family::Chat, Wire::Converse, &damaged, 64).expect_err("it fails before commit");
    assert_eq!(failure.class, Class::Malformed);
    let failure = relayed(Family::Chat, Wire::Converse, &bytes[..100], 64).expect_err("it fails before commit");
    assert!(matches!(failure.class, Class::Interrupted | Class::Malformed), "{failure:?}");
    let (chat, tail) = relayed(Family::Chat, Wire::Converse, &bytes[..2_000], 64).expect("it commits");
    assert_eq!(tail.outcome.map(|failure| failure.class), Some(Class::Interrupted));
    assert!(chat.contains("stream_interrupted") && !chat.contains("[DONE]"), "{chat}");
}

#[test]
fn streams_of_other_families_reach_a_responses_client() {
    for (case, wire) in [
        ("anthropic/text-stream", Wire::Messages),
        ("anthropic/sdk-tool-use-stream", Wire::Messages),
        ("openai/tool-call-stream-1", Wire::Chat),
        ("xai/tool-call-stream", Wire::Chat),
        ("deepseek/reasoning-stream", Wire::Chat),
    ] {
        let Some(bytes) = recorded::bytes(case, "response.sse") else { return };
        let (stream, tail) = relayed(Family::Responses, wire, &bytes, 50).expect("it commits");
        assert!(tail.finished, "{case}");
        let last = stream.lines().rfind(|line| line.starts_with("data: ")).expect("a last event");
        let last: Value = serde_json::from_str(&last[6..]).expect("JSON");
        assert_eq!(last["type"], "response.completed", "{case}");
        // What streamed is what the client would have got without a stream.
        let events = events_of(wire, [bytes.as_slice()]);
        let whole = translate::write_answer(Family::Responses, events, &voice(), Reply::default()).expect("an answer");
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        assert_eq!(last["response"], whole, "{case}");
        assert!(whole["output"].as_array().is_some_and(|items| !items.is_empty()), "{case}");
    }
}

/// A call that the limit cut off is not said to be complete: its client would make it.
#[test]
fn a_call_that_was_cut_off_is_incomplete_for_a_responses_client() {
    let chunk = |delta: Value, reason: Value| json!({"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
    let call = |index: u64, arguments: &str| json!({"tool_calls": [{"index": index, "id": format!("c{index}"), "function": {"name": "f", "arguments": arguments}}]});
    let chat = |last: &str| {
        let chunks =
            [chunk(call(0, "{}"), Value::Null), chunk(call(1, last), Value::Null), chunk(json!({}), json!("length"))];
        chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<String>() + "data: [DONE]\n\n"
    };
    // Claude ends the block before it says why it stopped; hosts of its dialect may not.
    let message = |last: &str, ends: bool| {
        let start = |index: u64| json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": format!("c{index}"), "name": "f", "input": {}}});
        let events = [
            json!({"type": "message_start", "message": {"id": "msg_1"}}),
            start(0),
            json!({"type": "content_block_stop", "index": 0}),
            start(1),
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": last}}),
            json!({"type": if ends { "content_block_stop" } else { "ping" }, "index": 1}),
            json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}),
            json!({"type": "message_stop"}),
        ];
        events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>()
    };
    for (last, status) in [("{\"a\": \"b", "incomplete"), ("{\"a\": 1}", "completed")] {
        let messages = [message(last, true), message(last, false)].map(|stream| (Wire::Messages, stream));
        for (wire, stream) in [(Wire::Chat, chat(last))].into_iter().chain(messages) {
            let (said, tail) = relayed(Family::Responses, wire, stream.as_bytes(), 50).expect("it commits");
            assert!(tail.finished);
            let events: Vec<Value> =
                records(&said).iter().map(|(_, data)| serde_json::from_str(data).expect("JSON")).collect();
            let done = events.iter().filter(|event| event["type"] == "response.output_item.done");
            let told: Vec<&str> = done.filter_map(|event| event["item"]["status"].as_str()).collect();
            let response = &events.last().expect("an end")["response"];
            assert_eq!(
                (told, &response["status"]),
                (vec!["completed", status], &json!("incomplete")),
                "{wire:?}: {said}"
            );
            assert_eq!(response["output"][1]["status"], status, "{said}");
        }
    }
}

#[test]
fn responses_streams_reach_chat_and_messages_clients() {
    for case in
        ["openai-responses/stream-1", "openai-responses/reasoning-encrypted-stream-4", "lmstudio/tool-call-stream"]
    {
        let Some(bytes) = recorded::bytes(case, "response.sse") else { return };
        let (chat, tail) = relayed(Family::Chat, Wire::Responses, &bytes, 77).expect("it commits");
        assert!(tail.finished && chat.ends_with("data: [DONE]\n\n"), "{case}");
        let (messages, _) = relayed(Family::Messages, Wire::Responses, &bytes, 77).expect("it commits");
        let (chat, messages) = (chat_sdk(&chat), messages_sdk(&messages));
        let calls = chat["choices"][0]["message"]["tool_calls"].as_array().map_or(0, Vec::len);
        let uses = messages["content"].as_array().expect("blocks").iter().filter(|block| block["type"] == "tool_use");
        assert_eq!(calls, uses.count(), "{case}");
        assert_eq!(messages["stop_reason"], if calls > 0 { "tool_use" } else { "end_turn" }, "{case}");
    }
    let Some(bytes) = recorded::bytes("openai-responses/error-quota-stream", "response.sse") else { return };
    for family in [Family::Chat, Family::Messages, Family::Responses] {
        let failure = relayed(family, Wire::Responses, &bytes, 64).expect_err("it fails before commit");
        assert_eq!(failure.class, Class::QuotaExhausted, "{family:?}");
    }
}
