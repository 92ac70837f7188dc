//! Answers across families: streams and JSON, recorded and made up.

use serde_json::{Value, json};
use understudy::domain::answer;
use understudy::domain::classify::{self, ErrorBody, ErrorRule};
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::restorer::Restorer;
use understudy::domain::dialect::{self, CallKind, Event, Finish, Wire, json_text};
use understudy::domain::outcome::Class;
use understudy::domain::route::{Family, Route};
use understudy::domain::usage::Usage;

use crate::dialect::{answer_of, chat_sdk, events_of, messages_sdk, records, stream_of, voice, wire_of};
use crate::recorded;

const FAMILIES: [Family; 2] = [Family::Chat, Family::Messages];

/// Events of a recorded stream, or nothing when it is absent.
fn recorded_stream(case: &str) -> Option<Vec<Event>> {
    let bytes = recorded::bytes(case, "response.sse")?;
    Some(events_of(wire_of(case)?, [bytes.as_slice()]))
}

fn chat(events: &[Event]) -> Value {
    chat_sdk(&stream_of(Family::Chat, events, voice(), Reply::default()))
}

fn messages(events: &[Event]) -> Value {
    messages_sdk(&stream_of(Family::Messages, events, voice(), Reply::default()))
}

fn is_error(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Error(_)))
}

/// What the SDKs make of our stream is what we answer without one.
#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    for (case, bytes) in recorded::files("response.sse") {
        let Some(wire) = wire_of(&case) else { continue };
        let events = events_of(wire, [bytes.as_slice()]);
        if is_error(&events) {
            continue;
        }
        assert_eq!(chat(&events), answer_of(Family::Chat, &events), "{case}");
        assert_eq!(joined(&messages(&events)), joined(&answer_of(Family::Messages, &events)), "{case}");
    }
}

/// Neighbouring text blocks as one: how text is cut into blocks means nothing.
fn joined(message: &Value) -> Value {
    let mut message = message.clone();
    let mut blocks: Vec<Value> = Vec::new();
    for block in message["content"].as_array().expect("content is a list") {
        match blocks.last_mut().filter(|last| last["type"] == "text" && block["type"] == "text") {
            Some(last) => {
                let text = format!("{}{}", last["text"].as_str().unwrap(), block["text"].as_str().unwrap());
                last["text"] = json!(text);
            }
            None => blocks.push(block.clone()),
        }
    }
    message["content"] = json!(blocks);
    message
}

/// A stream translated to a family and read there again says the same as before.
#[test]
fn a_translated_stream_reads_like_its_origin() {
    for (case, bytes) in recorded::files("response.sse") {
        let Some(wire) = wire_of(&case) else { continue };
        let events = events_of(wire, [bytes.as_slice()]);
        if is_error(&events) {
            continue;
        }
        for (family, back) in [(Family::Chat, Wire::Chat), (Family::Messages, Wire::Messages)] {
            let stream = stream_of(family, &events, voice(), Reply::default());
            let again = events_of(back, [stream.as_bytes()]);
            let custom = |event: &Event| matches!(event, Event::ToolStart { kind: CallKind::Custom, .. });
            if family == Family::Messages && events.iter().any(custom) {
                // The family has no word for them.
                continue;
            }
            assert_eq!(gist(&again), gist(&events), "{case} by {}", family.name());
        }
    }
}

/// Text, calls and counts of an answer, whatever the pieces.
fn gist(events: &[Event]) -> (String, Vec<(String, String, String)>, Usage, bool) {
    let (mut text, mut calls, mut usage) = (String::new(), Vec::new(), Usage::default());
    for event in events {
        match event {
            Event::Text(piece) | Event::Refusal(piece) => text.push_str(piece),
            Event::Finish(Finish::ContentFilter(Some(explanation))) if text.is_empty() => text.push_str(explanation),
            Event::ToolStart { id, name, .. } => calls.push((id.clone(), name.clone(), String::new())),
            Event::ToolArguments { index, json } => calls[*index].2.push_str(json),
            Event::Usage(counts) => usage = Usage { reasoning: 0, ..*counts },
            _ => {}
        }
    }
    (text, calls, usage, events.last() == Some(&Event::End))
}

#[test]
fn a_tool_without_arguments_has_an_empty_object() {
    let Some(events) = recorded_stream("anthropic/tool-no-args-stream") else { return };
    let answer = chat(&events);
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], "{}");
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(call["function"]["name"], "updateIssueList");
}

#[test]
fn parallel_tools_have_dense_indices() {
    let Some(body) = recorded::bytes("anthropic/parallel-tools-1", "response.json") else { return };
    let events = dialect::read_answer(Wire::Messages, &body).expect("an answer");
    let answer = chat(&events);
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["tool_calls"].as_array().map(Vec::len), Some(4));
    assert!(message["content"].is_string());
}

/// Anthropic's own chat endpoint counts tools by block: its only call has index 1.
#[test]
fn a_call_with_a_strange_index_is_the_first() {
    let Some(events) = recorded_stream("anthropic/openai-compat-tool-call-stream") else { return };
    assert_eq!(messages(&events)["stop_reason"], "tool_use");
    assert_eq!(chat(&events)["choices"][0]["message"]["tool_calls"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_refusal_without_content_explains_itself() {
    let Some(events) = recorded_stream("anthropic/refusal-stream") else { return };
    let answer = chat(&events);
    assert_eq!(answer["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(answer["choices"][0]["message"]["content"], Value::Null);
    assert!(answer["choices"][0]["message"]["refusal"].as_str().is_some_and(|text| text.contains("cyber")));
}

#[test]
fn a_refusal_to_a_messages_client_says_so_in_its_details() {
    let refused = chat_events(&[delta(json!({"refusal": "No."})), finish("stop")]);
    let filtered = chat_events(&[delta(json!({"content": "a"})), finish("content_filter")]);
    for events in [refused, filtered] {
        for message in [messages(&events), answer_of(Family::Messages, &events)] {
            assert_eq!(message["stop_reason"], "refusal");
            assert_eq!(message["stop_details"], json!({"type": "refusal", "category": null, "explanation": null}));
        }
    }
    assert!(messages(&chat_events(&[delta(json!({"content": "a"})), finish("stop")])).get("stop_details").is_none());
}

#[test]
fn a_second_message_start_begins_nothing() {
    let Some(events) = recorded_stream("anthropic/duplicate-message-start-stream") else { return };
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Start { .. })).count(), 1);
    let Some(events) = recorded_stream("anthropic/spliced-message-start-stream") else { return };
    let calls = chat(&events)["choices"][0]["message"]["tool_calls"].clone();
    assert_eq!(calls[1]["function"]["arguments"], "{\"value\":\"Sparkle Day\"}");
}

/// Some hosts of Anthropic's wire end as chat does.
#[test]
fn done_after_a_message_is_no_bad_record() {
    let stop = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\ndata: [DONE]\n\n";
    assert_eq!(events_of(Wire::Messages, [stop.as_slice()]), [Event::End]);
}

#[test]
fn a_message_delta_restates_the_input() {
    let Some(events) = recorded_stream("anthropic/message-delta-input-tokens-stream") else { return };
    assert_eq!(chat(&events)["usage"]["prompt_tokens"], 61);
}

#[test]
fn usage_with_cache_counts_all_input() {
    let body =
        br#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"a"}],
        "stop_reason":"end_turn","usage":{"input_tokens":5,"cache_creation_input_tokens":7,"cache_read_input_tokens":11,
        "output_tokens":3,"output_tokens_details":{"thinking_tokens":2}}}"#;
    let events = dialect::read_answer(Wire::Messages, body).expect("an answer");
    let usage = &answer_of(Family::Chat, &events)["usage"];
    assert_eq!(
        *usage,
        json!({"prompt_tokens": 23, "completion_tokens": 3, "total_tokens": 26,
            "prompt_tokens_details": {"cached_tokens": 11, "cache_write_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 2}})
    );
    let back =
        dialect::read_answer(Wire::Chat, answer_of(Family::Chat, &events).to_string().as_bytes()).expect("an answer");
    assert_eq!(
        answer_of(Family::Messages, &back)["usage"],
        json!({"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 11, "output_tokens": 3})
    );
}

/// What it took to shorten a conversation is paid as well, and stands in none of the counts at the top.
#[test]
fn usage_counts_what_compaction_took() {
    let counts = |events: &[Event]| {
        let usage = events.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        let usage = usage.expect("usage");
        (usage.input, usage.output)
    };
    let whole = |case: &str| {
        let body = recorded::bytes(case, "response.json")?;
        Some(counts(&dialect::read_answer(Wire::Messages, &body).expect("an answer")))
    };
    let Some(compacted) = whole("anthropic/compaction") else { return };
    assert_eq!(compacted, (682 + 60_385, 1_320 + 592));
    assert_eq!(whole("anthropic/fallback"), Some((412, 264)), "another model's try is none");
    let stream = recorded_stream("anthropic/compaction-stream").expect("the stream beside it");
    assert_eq!(counts(&stream), (612 + 60_385, 2_819 + 522));
}

#[test]
fn usage_comes_only_when_asked_for() {
    let Some(events) = recorded_stream("anthropic/text-stream") else { return };
    let with = stream_of(Family::Chat, &events, voice(), Reply::default());
    assert!(with.contains("\"usage\":null") && with.contains("\"choices\":[],\"usage\":{"));
    let mut voice = voice();
    voice.include_usage = false;
    let without = stream_of(Family::Chat, &events, voice, Reply::default());
    assert!(!without.contains("usage"), "{without}");
}

#[test]
fn thinking_is_not_shown_but_is_progress() {
    let Some(events) = recorded_stream("anthropic/thinking-stream") else { return };
    assert!(events.iter().any(|event| matches!(event, Event::Reasoning(text) if !text.is_empty())));
    let first = events.iter().find(|event| event.is_content());
    assert!(matches!(first, Some(Event::Reasoning(_))));
    for family in FAMILIES {
        let stream = stream_of(family, &events, voice(), Reply::default());
        assert!(!stream.contains("signature") && !stream.contains("thinking"), "{stream}");
    }
}

/// The newest models keep what they think to themselves: that they thought is all there is of it.
#[test]
fn an_answer_that_thinking_used_up_is_one_though_it_is_not_shown() {
    let body = |block: Value, reason: &str| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [block],
            "stop_reason": reason, "usage": {"input_tokens": 9, "output_tokens": 50}})
    };
    let thought = json!({"type": "thinking", "thinking": "", "signature": "s"});
    let empty = body(json!({"type": "text", "text": ""}), "end_turn").to_string();
    let spent = answer::spent(&Route::Messages, Wire::Messages, empty.as_bytes());
    assert!(spent.is_some_and(|usage| usage.output > 0), "tokens of an answer that is none are counted: {empty}");
    let check = |body: Value| answer::check(&Route::Messages, Wire::Messages, body.to_string().as_bytes(), None, false);
    assert!(check(body(thought.clone(), "max_tokens")).is_ok());
    assert!(check(body(thought.clone(), "end_turn")).is_err(), "reasoning that leads to nothing is no answer");
    for thought in [thought, json!({"type": "redacted_thinking", "data": "x"})] {
        let body = body(thought, "max_tokens").to_string();
        let across = answer::check(&Route::Chat, Wire::Messages, body.as_bytes(), Some(&voice()), false);
        assert!(across.is_ok(), "{body}");
    }
    assert!(check(body(json!({"type": "text", "text": ""}), "max_tokens")).is_err());
    // So it is on the wires that count no tokens of it, or are not asked to.
    let converse = |content: Value| json!({"output": {"message": {"content": content}}, "stopReason": "max_tokens"});
    let response = |output: Value| json!({"id": "r", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": output});
    let check = |wire, body: Value| {
        answer::check(&Route::Chat, wire, body.to_string().as_bytes(), Some(&voice()), false).is_ok()
    };
    assert!(check(Wire::Converse, converse(json!([{"reasoningContent": {"redactedContent": "eA=="}}]))));
    assert!(check(
        Wire::Converse,
        converse(json!([{"reasoningContent": {"reasoningText": {"text": "", "signature": "s"}}}]))
    ));
    assert!(!check(Wire::Converse, converse(json!([{"text": ""}]))));
    assert!(check(Wire::Responses, response(json!([{"type": "reasoning", "summary": [], "encrypted_content": "x"}]))));
    assert!(!check(Wire::Responses, response(json!([]))));
    let added =
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "summary": []}});
    let ended = json!({"type": "response.incomplete", "response": response(json!([]))});
    let stream = format!("data: {added}\n\ndata: {ended}\n\n");
    let events = events_of(Wire::Responses, [stream.as_bytes()]);
    assert!(events.contains(&Event::Reasoning(String::new())), "{events:?}");
}

#[test]
fn reasoning_of_deepseek_and_xai_is_not_content() {
    for case in ["deepseek/reasoning-stream", "azure/deepseek-reasoning-stream", "xai/text-stream"] {
        let Some(events) = recorded_stream(case) else { return };
        assert!(events.iter().any(|event| matches!(event, Event::Reasoning(_))), "{case}");
        let text = messages(&events)["content"][0]["text"].as_str().map(str::to_owned);
        assert!(text.is_some_and(|text| !text.is_empty()), "{case}");
    }
}

#[test]
fn mistrals_thinking_is_reasoning() {
    let thought = json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]});
    let events = chat_events(&[delta(thought), delta(json!({"content": [{"type": "text", "text": "a"}]}))]);
    assert!(events.contains(&Event::Reasoning("Hm.".to_owned())) && !events.contains(&Event::Foreign), "{events:?}");
    assert_eq!(gist(&events).0, "a");
}

#[test]
fn azure_begins_with_an_empty_chunk() {
    let Some(events) = recorded_stream("azure/model-router-chat-stream") else { return };
    let Some(Event::Start { id, model }) = events.first() else { panic!("{:?}", events.first()) };
    assert_eq!(id.as_deref(), Some("chatcmpl-CYPS1lijGoK8gd9lYzY3r9Sx50nbt"));
    assert_eq!(model.as_deref(), Some("gpt-5-nano-2025-08-07"));
}

/// xAI leaves reasoning out of its completion tokens, Gemini out of everything but the total.
#[test]
fn reasoning_left_out_of_the_count_is_found_in_the_total() {
    let Some(body) = recorded::bytes("xai/text", "response.json") else { return };
    let events = dialect::read_answer(Wire::Chat, &body).expect("an answer");
    let expected = Usage { input: 12, cached: 2, output: 322, reasoning: 320, ..Usage::default() };
    assert!(events.contains(&Event::Usage(expected)), "{events:?}");
    let Some(body) = recorded::bytes("google/openai-compat-tool-call-1", "response.json") else { return };
    let events = dialect::read_answer(Wire::Chat, &body).expect("an answer");
    assert!(events.contains(&Event::Usage(Usage { input: 35, output: 74, ..Usage::default() })), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::ToolStart { id, .. } if id.starts_with("call_"))));
}

#[track_caller]
fn chat_events(chunks: &[Value]) -> Vec<Event> {
    let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events_of(Wire::Chat, [stream.as_bytes()])
}

fn delta(delta: Value) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn call(index: Option<u64>, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    let mut call = json!({"function": {"arguments": arguments}});
    if let Some(index) = index {
        call["index"] = json!(index);
    }
    if let Some(id) = id {
        call["id"] = json!(id);
    }
    if let Some(name) = name {
        call["function"]["name"] = json!(name);
    }
    delta(json!({"tool_calls": [call]}))
}

/// Name and arguments of each call of an answer.
fn calls(events: &[Event]) -> Vec<(String, String)> {
    gist(events).1.into_iter().map(|(_, name, arguments)| (name, arguments)).collect()
}

#[test]
fn calls_are_told_apart_whatever_the_host_leaves_out() {
    let two = vec![("a".to_owned(), "{\"x\":1}".to_owned()), ("b".to_owned(), "{\"y\":2}".to_owned())];
    let cases: &[(&str, Vec<Value>)] = &[
        (
            "interleaved by index",
            vec![
                call(Some(0), Some("i0"), Some("a"), "{\"x\""),
                call(Some(1), Some("i1"), Some("b"), "{\"y\""),
                call(Some(0), None, None, ":1}"),
                call(Some(1), None, None, ":2}"),
            ],
        ),
        (
            "whole, index repeated, ids differ",
            vec![call(Some(0), Some("i0"), Some("a"), "{\"x\":1}"), call(Some(0), Some("i1"), Some("b"), "{\"y\":2}")],
        ),
        (
            "whole, no index, no id",
            vec![call(None, None, Some("a"), "{\"x\":1}"), call(None, None, Some("b"), "{\"y\":2}")],
        ),
        (
            "whole, index repeated, empty ids",
            vec![call(Some(0), Some(""), Some("a"), "{\"x\":1}"), call(Some(0), Some(""), Some("b"), "{\"y\":2}")],
        ),
        (
            "id rotates between pieces",
            vec![
                call(Some(0), Some("i0"), Some("a"), "{\"x\""),
                call(Some(0), Some("r1"), None, ":1}"),
                call(Some(1), Some("i1"), Some("b"), "{\"y\""),
                call(Some(1), Some("r2"), Some(""), ":2}"),
            ],
        ),
        (
            "one id for all",
            vec![
                call(Some(0), Some("i0"), Some("a"), "{\"x\":1}"),
                call(Some(1), Some("i0"), Some("b"), ""),
                call(Some(1), Some("i0"), None, "{\"y\""),
                call(Some(1), None, None, ":2}"),
            ],
        ),
        (
            "name after id",
            vec![
                call(Some(0), Some("i0"), None, ""),
                call(Some(0), None, Some("a"), "{\"x\":1}"),
                call(Some(1), Some("i1"), None, "{\"y\""),
                call(Some(1), None, Some("b"), ":2}"),
            ],
        ),
        (
            "an id alone, before all else",
            vec![
                delta(json!({"tool_calls": [{"index": 0, "id": "i0", "type": "function"}]})),
                call(Some(0), None, Some("a"), ""),
                call(Some(0), None, None, "{\"x\":1}"),
                delta(json!({"tool_calls": [{"index": 1, "id": "i1"}]})),
                call(Some(1), None, Some("b"), "{\"y\":2}"),
            ],
        ),
    ];
    for (name, chunks) in cases {
        let events = chat_events(&[chunks.clone(), vec![finish("tool_calls")]].concat());
        assert_eq!(calls(&events), two, "{name}");
        let first = gist(&events).1.swap_remove(0).0;
        assert_eq!(first == "i0", chunks[0].to_string().contains("i0"), "{name}: an id that was told is the call's");
        let message = messages_sdk(&stream_of(Family::Messages, &events, voice(), Reply::default()));
        let inputs: Vec<&Value> = message["content"].as_array().unwrap().iter().map(|block| &block["input"]).collect();
        assert_eq!(inputs, [&json!({"x": 1}), &json!({"y": 2})], "{name}");
        // A client finds the results of each by its id.
        let whole = answer_of(Family::Responses, &events);
        for (made, id) in [(&message["content"], "id"), (&whole["output"], "call_id")] {
            assert_ne!(made[0][id], made[1][id], "{name}");
        }
    }
}

/// A whole answer lists whole calls: none waits for a name or goes into another, whatever the ids say.
#[test]
fn calls_of_a_whole_answer_keep_their_order_and_stay_apart() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let cases = [
        [call("", "", "{}"), call("", "f", "{\"a\":1}")],
        [call("i0", "", "{}"), call("i1", "f", "{\"a\":1}")],
        [call("i0", "f", "{}"), call("i0", "g", "{\"a\":1}")],
        [call("i0", "f", ""), call("i0", "f", "{\"a\":1}")],
    ];
    for two in cases {
        let message = json!({"role": "assistant", "content": null, "tool_calls": two});
        let whole = json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
        let events = dialect::read_answer(Wire::Chat, whole.to_string().as_bytes()).unwrap();
        let name = |call: &Value| call["function"]["name"].as_str().unwrap().to_owned();
        let expected = vec![(name(&two[0]), "{}".to_owned()), (name(&two[1]), "{\"a\":1}".to_owned())];
        assert_eq!(calls(&events), expected, "{whole}");
    }
}

#[test]
fn an_empty_call_is_none() {
    let empty = [
        json!({"function_call": {}}),
        json!({"tool_calls": [{"index": 0, "id": "", "function": {"name": "", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 0, "id": "i0", "type": "function"}]}),
    ];
    for empty in empty {
        let events = chat_events(&[delta(empty), delta(json!({"content": "a"})), finish("stop")]);
        assert!(gist(&events).1.is_empty() && events.contains(&Event::Finish(Finish::Stop)), "{events:?}");
    }
}

/// What stands between is not shown, and cannot be told by a client: the stream and the whole answer have the same blocks.
#[test]
fn text_around_what_is_not_shown_is_one_block() {
    let cases = [
        [Event::Text("a".into()), Event::Reasoning("why".into()), Event::Text("b".into())],
        [Event::Text("a".into()), Event::Reasoning(String::new()), Event::Refusal("b".into())],
    ];
    for said in cases {
        let events: Vec<Event> = said.into_iter().chain([Event::Finish(Finish::Stop), Event::End]).collect();
        let (streamed, whole) = (messages(&events), answer_of(Family::Messages, &events));
        assert_eq!(whole["content"], json!([{"type": "text", "text": "ab"}]), "{whole}");
        assert_eq!(streamed["content"], whole["content"]);
    }
}

#[test]
fn stop_after_calls_means_calls() {
    let events = chat_events(&[call(None, None, Some("a"), "{}"), finish("stop")]);
    assert!(events.contains(&Event::Finish(Finish::ToolCalls)));
    assert_eq!(messages(&events)["stop_reason"], "tool_use");
}

/// Hosts that speak Anthropic's dialect say `end_turn` after a call, too.
#[test]
fn end_turn_after_calls_means_calls() {
    let block = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let whole = json!({"id": "msg_1", "type": "message", "content": [block], "stop_reason": "end_turn"});
    let events = dialect::read_answer(Wire::Messages, whole.to_string().as_bytes()).unwrap();
    assert_eq!(chat(&events)["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(answer_of(Family::Chat, &events)["choices"][0]["finish_reason"], "tool_calls");
}

/// An id comes back with the conversation, perhaps to a host that owns the client's dialect and is strict about ids.
#[test]
fn ids_of_calls_fit_the_clients_own_dialect() {
    let plain = |id: &Value| {
        let id = id.as_str().unwrap();
        id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    for odd in ["functions.f:0", "a|b", "ü", &"x".repeat(65)] {
        let events = chat_events(&[call(Some(0), Some(odd), Some("f"), "{}"), finish("tool_calls")]);
        let (streamed, whole) = (messages(&events), answer_of(Family::Messages, &events));
        assert!(plain(&streamed["content"][0]["id"]), "{streamed}");
        assert_eq!(streamed["content"][0]["id"], whole["content"][0]["id"]);
        let response = answer_of(Family::Responses, &events);
        assert!(plain(&response["output"][0]["call_id"]), "{response}");
    }
    let events = chat_events(&[call(Some(0), Some("call_abc-1"), Some("f"), "{}"), finish("tool_calls")]);
    assert_eq!(messages(&events)["content"][0]["id"], "call_abc-1");
}

#[test]
fn an_error_that_says_nothing_is_none() {
    let whole = |error: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"content":"a"}},"finish_reason":"stop","error":{error}}}],"error":{error}}}"#
        )
    };
    let message = |error: &str| {
        format!(r#"{{"content":[{{"type":"text","text":"a"}}],"stop_reason":"end_turn","error":{error}}}"#)
    };
    let response = |error: &str| {
        let item = r#"{"type":"message","content":[{"type":"output_text","text":"a"}]}"#;
        format!(r#"{{"status":"completed","output":[{item}],"error":{error}}}"#)
    };
    for error in ["null", "false", "0", r#""""#, "{}", "[]"] {
        for (wire, body) in
            [(Wire::Chat, whole(error)), (Wire::Messages, message(error)), (Wire::Responses, response(error))]
        {
            let events = dialect::read_answer(wire, body.as_bytes()).unwrap();
            assert!(events.contains(&Event::Text("a".to_owned())) && !is_error(&events), "{wire:?} {error}");
        }
    }
    for error in [r#""overloaded""#, "true", "429", r#"{"code":429}"#] {
        assert!(is_error(&dialect::read_answer(Wire::Chat, whole(error).as_bytes()).unwrap()), "{error}");
    }
}

/// JavaScript writes half of a character where text was cut amid it: a legal escape that no text here can hold.
#[test]
fn half_a_character_is_shown_as_one_that_is_missing() {
    let cases = [
        (r#""a\ud83d""#, Some("a\u{fffd}")),
        (r#""\uDE00b""#, Some("\u{fffd}b")),
        (r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}\u{1f600}")),
        (r#""\ud83d\n""#, Some("\u{fffd}\n")),
        (r#""\ud83d\ude00 \\ud83d \u00e9 \"""#, None),
        (r#""\ud8""#, None),
    ];
    for (json, expected) in cases {
        let mended = json_text::mended(json);
        let text = mended.as_deref().map(|json| serde_json::from_str::<String>(json).unwrap());
        assert_eq!(text.as_deref(), expected, "{json}");
    }
    let record = br#"data: {"choices":[{"index":0,"delta":{"content":"a\ud83d"},"finish_reason":"stop"}]}"#;
    let events = events_of(Wire::Chat, [record.as_slice(), b"\n\ndata: [DONE]\n\n"]);
    assert_eq!(messages(&events)["content"][0]["text"], "a\u{fffd}");
    let whole = br#"{"choices":[{"message":{"content":"a\ud83d"},"finish_reason":"stop"}]}"#;
    assert_eq!(messages(&dialect::read_answer(Wire::Chat, whole).unwrap()), messages(&events));
}

#[test]
fn an_empty_finish_reason_is_none() {
    let events = chat_events(&[delta(json!({"content": "a"})), finish(""), finish("length")]);
    assert_eq!(messages(&events)["stop_reason"], "max_tokens");
}

/// Gemini's endpoint for OpenAI's clients says why it stopped in words of its own.
#[test]
fn gemini_stops_in_words_of_its_own() {
    for (reason, said) in [
        ("content_filter: RECITATION", Finish::ContentFilter(None)),
        ("content_filter: PROHIBITED_CONTENT", Finish::ContentFilter(None)),
        ("SAFETY", Finish::ContentFilter(None)),
        ("PROHIBITED_CONTENT", Finish::ContentFilter(None)),
        ("MAX_TOKENS", Finish::Length),
        ("STOP", Finish::Stop),
    ] {
        assert!(chat_events(&[finish(reason)]).contains(&Event::Finish(said)), "{reason}");
    }
    for reason in ["function_call_filter: MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"] {
        let events = chat_events(&[delta(json!({"content": "a"})), finish(reason)]);
        let Some(Event::Error(failure)) = events.last() else { panic!("{events:?}") };
        assert_eq!((failure.class, failure.code.as_deref()), (Class::Malformed, Some(reason)));
    }
}

#[test]
fn deepseek_out_of_resources_is_a_failure() {
    let events = chat_events(&[delta(json!({"content": "a"})), finish("insufficient_system_resource")]);
    assert!(events.iter().any(|event| matches!(event, Event::Error(failure) if failure.class == Class::Overloaded)));
    assert!(!events.contains(&Event::End));
}

#[test]
fn an_error_in_a_stream_is_an_error_in_the_clients_words() {
    let overloaded = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let events = events_of(Wire::Messages, [overloaded.as_slice()]);
    let [Event::Error(failure)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((failure.class, failure.status), (Class::Overloaded, Some(200)));

    let stream = stream_of(
        Family::Chat,
        &[Event::Text("a".to_owned()), events[0].clone(), Event::End],
        voice(),
        Reply::default(),
    );
    let (_, last) = records(&stream).pop().expect("an error event");
    let error: Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(
        error,
        json!({"error": {"message": failure.reason, "type": "upstream_error", "code": "stream_error", "param": null}})
    );
    assert!(!stream.contains("[DONE]"));

    let stream = stream_of(
        Family::Messages,
        &[Event::Text("a".to_owned()), events[0].clone(), Event::End],
        voice(),
        Reply::default(),
    );
    let (name, last) = records(&stream).pop().expect("an error event");
    let error: Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(
        (name.as_str(), &error["type"], &error["error"]["type"]),
        ("error", &json!("error"), &json!("overloaded_error"))
    );
    assert!(!stream.contains("message_stop"));
}

#[test]
fn truncated_before_the_reason_is_not_finished() {
    let events = chat_events(&[delta(json!({"content": "a"}))]);
    assert!(!events.iter().any(|event| matches!(event, Event::End | Event::Finish(_))));
}

#[test]
fn truncated_after_the_reason_is_finished() {
    let events = chat_events(&[delta(json!({"content": "a"})), finish("stop")]);
    assert!(!events.contains(&Event::End));
    // `stream_of` finishes the encoder, as a relay does.
    assert_eq!(messages(&events)["stop_reason"], "end_turn");
    assert_eq!(chat(&events)["choices"][0]["finish_reason"], "stop");
}

#[test]
fn an_answer_of_several_choices_is_whole_when_all_of_them_are() {
    let chunk = |index: u64, delta: Value, reason: Value| json!({"id": "c1", "choices": [{"index": index, "delta": delta, "finish_reason": reason}]});
    let role = json!({"role": "assistant", "content": ""});
    let chunks = [
        chunk(0, role.clone(), Value::Null),
        chunk(1, role, Value::Null),
        chunk(0, json!({"content": "a"}), Value::Null),
        chunk(0, json!({}), json!("stop")),
        chunk(1, json!({"content": "b"}), Value::Null),
        chunk(1, json!({}), json!("length")),
    ];
    let finishes = |chunks: &[Value]| -> Vec<Event> {
        chat_events(chunks).into_iter().filter(|event| matches!(event, Event::Finish(_) | Event::End)).collect()
    };
    assert!(finishes(&chunks[..5]).is_empty(), "the second was cut off");
    assert_eq!(finishes(&chunks), [Event::Finish(Finish::Stop)]);
    // A host may begin the second when the first has ended: then it is told again that all is over.
    let in_turn = [0, 2, 3, 1, 4, 5].map(|at| chunks[at].clone());
    assert_eq!(finishes(&in_turn[..5]), [Event::Finish(Finish::Stop)]);
    assert_eq!(finishes(&in_turn), [Event::Finish(Finish::Stop), Event::Finish(Finish::Stop)]);
    // A host that forgets why the second ended has said that all is over.
    let stream: String = chunks[..5].iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let events = events_of(Wire::Chat, [stream.as_bytes(), b"data: [DONE]\n\n"]);
    assert_eq!(events[events.len() - 2..], [Event::Finish(Finish::Stop), Event::End]);
}

#[test]
fn text_then_tool_then_text_keeps_blocks_apart() {
    let events = chat_events(&[
        delta(json!({"content": "one"})),
        call(Some(0), Some("i0"), Some("a"), "{}"),
        delta(json!({"content": "two"})),
        finish("tool_calls"),
    ]);
    let message = messages(&events);
    let kinds: Vec<&str> =
        message["content"].as_array().unwrap().iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!(kinds, ["text", "tool_use", "text"]);
}

#[test]
fn content_of_other_kinds_is_content() {
    let cases = [
        delta(json!({"audio": {"id": "a", "data": "AA=="}})),
        delta(json!({"content": [{"type": "thinking", "thinking": []}]})),
        delta(json!({"images": [{"type": "image_url"}]})),
        json!({"id": "c1", "choices": [{"index": 1, "delta": {"content": "x"}}]}),
    ];
    for chunk in cases {
        assert!(chat_events(std::slice::from_ref(&chunk)).iter().any(Event::is_content), "{chunk}");
    }
    let quiet = [
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"role": "assistant", "content": null, "refusal": null})),
        json!({"id": "", "choices": [], "prompt_filter_results": []}),
        finish("stop"),
    ];
    for chunk in quiet {
        assert!(!chat_events(std::slice::from_ref(&chunk)).iter().any(Event::is_content), "{chunk}");
    }
}

#[test]
fn hosted_tools_of_anthropic_are_content() {
    let delta = |delta: Value| {
        let event = json!({"type": "content_block_delta", "index": 3, "delta": delta});
        events_of(Wire::Messages, [format!("event: content_block_delta\ndata: {event}\n\n").as_bytes()])
    };
    // Each piece is progress: a file that a hosted tool writes takes longer than an idle clock.
    assert_eq!(delta(json!({"type": "input_json_delta", "partial_json": "{\"code\": \"pri"})), [Event::Foreign]);
    assert_eq!(delta(json!({"type": "citations_delta", "citation": {"type": "char_location"}})), [Event::Foreign]);
    assert_eq!(delta(json!({"type": "compaction_delta", "content": "So far"})), [Event::Foreign]);
    assert_eq!(delta(json!({"type": "input_json_delta", "partial_json": ""})), []);
    assert_eq!(delta(json!({"type": "signature_delta", "signature": "c2ln"})), []);
    let Some(events) = recorded_stream("anthropic/code-execution-stream") else { return };
    assert!(events.contains(&Event::Foreign));
    assert_eq!(chat(&events)["choices"][0]["finish_reason"], "stop");
}

/// Beside what is new, Perplexity repeats all that was said so far, and Together says it again.
#[test]
fn what_a_chunk_says_twice_is_said_once() {
    let perplexity = |so_far: &str, new: &str, reason: Value| {
        json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": reason,
            "message": {"role": "assistant", "content": so_far}, "delta": {"role": "assistant", "content": new}}]})
    };
    let together = |new: &str, reason: Value| {
        json!({"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "text": new, "logprobs": null,
            "finish_reason": reason, "delta": {"token_id": 1, "role": "assistant", "content": new, "tool_calls": null}}]})
    };
    for chunks in [
        [
            perplexity("Hel", "Hel", Value::Null),
            perplexity("Hello", "lo", Value::Null),
            perplexity("Hello", "", json!("stop")),
        ],
        [together("Hel", Value::Null), together("lo", Value::Null), together("", json!("stop"))],
    ] {
        let events = chat_events(&chunks);
        assert_eq!(gist(&events).0, "Hello", "{}", chunks[0]);
        assert!(events.contains(&Event::Finish(Finish::Stop)));
    }
    let whole = perplexity("Hello", "", json!("stop")).to_string();
    assert_eq!(gist(&dialect::read_answer(Wire::Chat, whole.as_bytes()).expect("an answer")).0, "Hello");
}

#[test]
fn legacy_completions_are_text() {
    let body =
        br#"{"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"text":"hi","index":0,"logprobs":null,
        "finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let events = dialect::read_answer(Wire::Completions, body).expect("an answer");
    assert!(events.contains(&Event::Text("hi".to_owned())) && events.contains(&Event::Finish(Finish::Stop)));
}

/// Servers on .NET begin their JSON with one, and every SDK passes over it.
#[test]
fn a_byte_order_mark_before_an_answer_or_an_error_means_nothing() {
    let body = "\u{feff}{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}";
    let same = answer::check(&Route::Chat, Wire::Chat, body.as_bytes(), None, false).expect("an answer");
    assert_eq!((same.content_bytes, same.rewritten), (2, None));
    let across =
        answer::check(&Route::Messages, Wire::Chat, body.as_bytes(), Some(&voice()), false).expect("an answer");
    let message: Value = serde_json::from_slice(&across.rewritten.expect("written anew")).expect("JSON");
    assert_eq!(message["content"][0]["text"], "Hi");
    let replayed = answer::check(&Route::Chat, Wire::Chat, body.as_bytes(), Some(&voice()), true).expect("an answer");
    assert_eq!(
        chat_sdk(&String::from_utf8(replayed.rewritten.expect("a stream")).expect("UTF-8"))["choices"][0]["message"]["content"],
        "Hi"
    );
    let error = ErrorBody::parse("\u{feff}{\"error\":{\"message\":\"no\",\"code\":\"model_not_found\"}}".as_bytes());
    assert_eq!((error.message.as_str(), error.code.as_deref()), ("no", Some("model_not_found")));
}

#[test]
fn answers_that_are_none_are_malformed() {
    let cases: &[(Wire, &str)] = &[
        (Wire::Chat, "<html>bad gateway</html>"),
        (Wire::Chat, "{}"),
        (Wire::Chat, "{\"choices\":[]}"),
        (Wire::Chat, "[]"),
        (Wire::Messages, "{}"),
        (Wire::Messages, "null"),
        (Wire::Messages, ""),
    ];
    for (wire, body) in cases {
        assert!(dialect::read_answer(*wire, body.as_bytes()).is_err(), "{wire:?} {body}");
    }
}

/// A prompt that fills the window is one that is too long; an answer that does was cut off.
#[test]
fn a_full_window_is_a_prompt_too_long_where_nothing_was_said() {
    let body = |content: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": "model_context_window_exceeded", "usage": {"input_tokens": 9, "output_tokens": 0}})
    };
    let read = |content: Value| dialect::read_answer(Wire::Messages, body(content).to_string().as_bytes());
    let events = read(json!([])).expect("an answer");
    let failure = events.iter().find_map(|event| match event {
        Event::Error(failure) => Some(failure.clone()),
        _ => None,
    });
    let failure = failure.expect("a failure");
    assert_eq!((failure.class, failure.status), (Class::ContextLength, Some(200)));
    assert!(!events.contains(&Event::End));
    let events = read(json!([{"type": "text", "text": "a"}])).expect("an answer");
    assert!(events.contains(&Event::Finish(Finish::Length)) && events.contains(&Event::End));
}

#[test]
fn an_error_in_a_whole_answer_is_an_error() {
    let events =
        dialect::read_answer(Wire::Chat, br#"{"error":{"message":"busy","type":"server_error"}}"#).expect("readable");
    assert!(matches!(events.as_slice(), [Event::Error(_)]), "{events:?}");
    assert!(dialect::write_answer(Family::Messages, events, &voice(), Reply::default()).is_err());
}

#[test]
fn functions_are_answered_as_functions() {
    let events = chat_events(&[call(Some(0), Some("i0"), Some("a"), "{\"x\":1}"), finish("tool_calls")]);
    let mut voice = voice();
    voice.legacy_functions = true;
    let body = dialect::write_answer(Family::Chat, events.clone(), &voice, Reply::default()).expect("an answer");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["choices"][0]["message"]["function_call"], json!({"name": "a", "arguments": "{\"x\":1}"}));
    assert_eq!(answer["choices"][0]["finish_reason"], "function_call");
    let stream = stream_of(Family::Chat, &events, voice, Reply::default());
    assert!(stream.contains("\"function_call\":{\"name\":\"a\"") && !stream.contains("tool_calls"), "{stream}");
}

#[test]
fn the_json_tool_becomes_text_again() {
    let reply = Reply { json_tool: Some("json".to_owned()), ..Reply::default() };
    let Some(events) = recorded_stream("anthropic/json-tool-stream") else { return };
    let answer = chat_sdk(&stream_of(Family::Chat, &events, voice(), reply));
    let text = answer["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()), "{text}");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert!(answer["choices"][0]["message"].get("tool_calls").is_none());
}

/// What the model says before the stand-in is no JSON: it is not part of the answer, unless the stand-in never comes.
#[test]
fn words_around_the_json_tool_are_left_out() {
    let reply = Reply { json_tool: Some("json".to_owned()), ..Reply::default() };
    let said = delta(json!({"content": "Here it is:"}));
    let events =
        chat_events(&[said.clone(), call(Some(0), Some("i0"), Some("json"), "{\"a\":1}"), finish("tool_calls")]);
    let answer = chat_sdk(&stream_of(Family::Chat, &events, voice(), reply.clone()));
    assert_eq!(answer["choices"][0]["message"]["content"], "{\"a\":1}");
    let events = chat_events(&[said, call(Some(0), Some("i0"), Some("other"), "{}"), finish("tool_calls")]);
    let answer = chat_sdk(&stream_of(Family::Chat, &events, voice(), reply));
    assert_eq!(answer["choices"][0]["message"]["content"], "Here it is:");
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
}

/// Converse has no way to ask for one call at a time: what the model says a second time is no tool of the client's.
#[test]
fn a_second_call_of_the_json_tool_is_left_out() {
    let reply = Reply { json_tool: Some("json".to_owned()), ..Reply::default() };
    let asks = |index: u64, name: &str, json: &str| call(Some(index), Some(&format!("i{index}")), Some(name), json);
    let twice = [asks(0, "json", "{\"a\":1}"), asks(1, "json", "{\"a\":2}"), finish("tool_calls")];
    let answer = chat_sdk(&stream_of(Family::Chat, &chat_events(&twice), voice(), reply.clone()));
    let choice = &answer["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("{\"a\":1}"), &json!("stop")));
    assert!(choice["message"].get("tool_calls").is_none(), "{answer}");
    let [first, second, end] = twice;
    let events = chat_events(&[first, second, asks(2, "f", "{}"), end]);
    let answer = chat_sdk(&stream_of(Family::Chat, &events, voice(), reply));
    let calls = &answer["choices"][0]["message"]["tool_calls"];
    assert_eq!((calls.as_array().map(Vec::len), &calls[0]["function"]["name"]), (Some(1), &json!("f")), "{answer}");
}

/// An upstream that begins one block twice moves no other call away from its place.
#[test]
fn a_call_of_the_json_tool_that_begins_twice_is_counted_once() {
    let reply = Reply { json_tool: Some("json".to_owned()), ..Reply::default() };
    let mut restorer = Restorer::new(reply);
    let start = |index: usize, name: &str| Event::ToolStart {
        index,
        id: format!("i{index}"),
        name: name.to_owned(),
        kind: CallKind::Function,
    };
    let mut out = Vec::new();
    for event in [start(0, "json"), start(0, "json"), start(1, "json"), start(1, "json"), start(2, "f")] {
        restorer.apply(event, &mut out);
    }
    assert!(matches!(out.as_slice(), [Event::ToolStart { index: 0, name, .. }] if name == "f"), "{out:?}");
}

#[test]
fn renamed_tools_get_their_names_back() {
    let reply =
        Reply { renamed: [("a".to_owned(), "a.long.name".to_owned())].into_iter().collect(), ..Reply::default() };
    let events = chat_events(&[call(Some(0), Some("i0"), Some("a"), "{}"), finish("tool_calls")]);
    let message = messages_sdk(&stream_of(Family::Messages, &events, voice(), reply));
    assert_eq!(message["content"][0]["name"], "a.long.name");
}

/// A piece of a kind that nobody knows may well have a text in it: it is none of the answer's.
#[test]
fn the_text_of_an_unknown_piece_is_not_shown() {
    let records = |kind: &str, name: &str| {
        let delta = json!({"type": kind, name: "x"});
        let piece = json!({"type": "content_block_delta", "index": 0, "delta": delta});
        events_of(Wire::Messages, [format!("event: content_block_delta\ndata: {piece}\n\n").as_bytes()])
    };
    assert_eq!(records("text_delta", "text"), [Event::Text("x".to_owned())]);
    assert_eq!(records("", "text"), [Event::Text("x".to_owned())]);
    assert_eq!(records("thinking_delta", "thinking"), [Event::Reasoning("x".to_owned())]);
    for (kind, name) in [("later_delta", "text"), ("later_delta", "thinking")] {
        assert_eq!(records(kind, name), [Event::Foreign], "progress, and nothing to show");
    }
}

/// A field or an event that a provider adds tomorrow changes nothing of what a stream says today.
#[test]
fn events_and_fields_that_nobody_knows_change_nothing() {
    for (wire, known, unknown) in [
        (
            Wire::Messages,
            r#"event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
            r#"event: later\ndata: {"type":"later","index":0,"delta":{"type":"later_delta","later":"x"}}"#,
        ),
        (
            Wire::Responses,
            r#"event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"delta":"Hi"}"#,
            r#"event: response.later\ndata: {"type":"response.later","later":1}"#,
        ),
        (
            Wire::Chat,
            r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi","later":[1]},"later":{}}],"later":null}"#,
            r#"data: {"id":"c","object":"chat.completion.later","choices":[]}"#,
        ),
    ] {
        let stream = |records: &[&str]| records.join("\n\n").replace("\\n", "\n") + "\n\n";
        let (plain, noisy) = (stream(&[known]), stream(&[unknown, known, unknown]));
        let said = |stream: &str| {
            let mut events = events_of(wire, [stream.as_bytes()]);
            events.retain(|event| !matches!(event, Event::Start { .. }));
            events
        };
        assert_eq!(said(&noisy), said(&plain), "{wire:?}");
        assert_eq!(said(&plain)[0], Event::Text("Hi".to_owned()), "{wire:?}");
    }
}

/// Servers of vLLM's line tell of an error as an object of its own, and end the stream behind it as if all were well.
#[test]
fn an_object_that_is_an_error_is_one() {
    let error = json!({"object": "error", "message": "CUDA out of memory", "type": "InternalServerError", "param": null, "code": 500});
    let events = chat_events(&[delta(json!({"content": "a"})), error.clone()]);
    let Some(Event::Error(failure)) = events.last() else { panic!("{events:?}") };
    assert_eq!((failure.class, failure.reason.as_str()), (Class::ServerError, "CUDA out of memory"));
    let stream = format!("data: {}\n\ndata: {error}\n\ndata: [DONE]\n\n", delta(json!({"content": "a"})));
    assert!(!events_of(Wire::Chat, [stream.as_bytes()]).contains(&Event::End));
    let whole = dialect::read_answer(Wire::Chat, error.to_string().as_bytes()).expect("an error");
    assert!(is_error(&whole), "{whole:?}");
    // What has choices is an answer, whatever else it says.
    let said = json!({"object": "error", "message": "x", "choices": [{"index": 0, "delta": {"content": "a"}}]});
    assert!(!is_error(&chat_events(&[said])));
}

/// Groq counts every stream, in a field of its own where the client did not ask.
#[test]
fn groqs_counts_are_read_where_it_has_them() {
    let counts = json!({"queue_time": 0.1, "prompt_tokens": 24, "completion_tokens": 377, "total_tokens": 401});
    let mut last = finish("stop");
    last["x_groq"] = json!({"id": "req_1", "usage": counts});
    let mut first = delta(json!({"role": "assistant", "content": "a"}));
    first["x_groq"] = json!({"id": "req_1"});
    let events = chat_events(&[first, last]);
    let usage = Usage { input: 24, output: 377, ..Usage::default() };
    assert_eq!(
        events.iter().filter(|event| matches!(event, Event::Usage(_))).collect::<Vec<_>>(),
        [&Event::Usage(usage)]
    );
}

/// Counts that are none are not worth an answer.
#[test]
fn counts_that_are_none_break_nothing_of_their_answer() {
    let message = |usage: &Value| json!({"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": usage});
    let response = |usage: &Value| {
        let item = json!({"type": "message", "content": [{"type": "output_text", "text": "Hi"}]});
        json!({"id": "resp_1", "status": "completed", "output": [item], "usage": usage})
    };
    let completion = |usage: &Value| json!({"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage});
    let converse = |usage: &Value| json!({"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn", "usage": usage});
    for usage in [
        Value::Null,
        json!({}),
        json!("none"),
        json!(5),
        json!([]),
        json!({"input_tokens": "5", "inputTokens": "5", "prompt_tokens": "5"}),
    ] {
        for (wire, body) in [
            (Wire::Messages, message(&usage)),
            (Wire::Responses, response(&usage)),
            (Wire::Chat, completion(&usage)),
            (Wire::Converse, converse(&usage)),
        ] {
            let events = dialect::read_answer(wire, body.to_string().as_bytes()).expect("an answer");
            assert!(events.contains(&Event::Text("Hi".to_owned())) && events.contains(&Event::End), "{wire:?} {usage}");
        }
        let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
        let events = events_of(Wire::Messages, [format!("data: {delta}\n\n").as_bytes()]);
        assert!(events.contains(&Event::Finish(Finish::Stop)), "{usage}");
        let completed = json!({"type": "response.completed", "response": response(&usage)});
        let events = events_of(Wire::Responses, [format!("data: {completed}\n\n").as_bytes()]);
        assert!(events.contains(&Event::End), "{usage}");
    }
}

/// Hosts that speak a dialect may tell of an error in another one's words, or leave out what says twice which event it is.
#[test]
fn a_nameless_error_is_one_and_a_name_stands_in_for_a_type() {
    for (wire, type_of) in
        [(Wire::Chat, ""), (Wire::Messages, ""), (Wire::Responses, ""), (Wire::Messages, "\"type\":\"\",")]
    {
        let stream = format!(
            "data: {{{type_of}\"error\":{{\"message\":\"Overloaded\",\"code\":\"server_is_overloaded\"}}}}\n\n"
        );
        let events = events_of(wire, [stream.as_bytes()]);
        let [Event::Error(failure)] = events.as_slice() else { panic!("{wire:?}: {events:?}") };
        assert_eq!((failure.class, failure.reason.as_str()), (Class::Overloaded, "Overloaded"), "{wire:?}");
    }
    let named =
        b"event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
    assert_eq!(events_of(Wire::Messages, [named.as_slice()]), [Event::Text("Hi".to_owned())]);
}

/// An error may be told by the event's name alone.
#[test]
fn an_event_that_is_named_error_is_one() {
    for wire in [Wire::Chat, Wire::Messages, Wire::Responses] {
        for data in [
            r#"{"message":"Overloaded","code":"server_is_overloaded"}"#,
            r#"{"error":{"message":"Overloaded","code":"server_is_overloaded"}}"#,
        ] {
            let stream = format!("event: error\ndata: {data}\n\n");
            let events = events_of(wire, [stream.as_bytes()]);
            let [Event::Error(failure)] = events.as_slice() else { panic!("{wire:?}: {events:?}") };
            assert_eq!((failure.class, failure.reason.as_str()), (Class::Overloaded, "Overloaded"), "{wire:?}");
        }
    }
}

#[test]
fn a_ping_waits_for_the_start_of_a_message() {
    let mut encoder = dialect::encoder(Family::Messages, voice(), Reply::default());
    let mut out = Vec::new();
    for event in [Event::Ping, Event::Text("Hi".to_owned()), Event::Ping] {
        encoder.push(&event, &mut out);
    }
    let said = String::from_utf8_lossy(&out);
    let names: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["message_start", "content_block_start", "content_block_delta", "ping"]);
}

#[test]
fn on_a_route_that_nobody_reads_a_list_is_an_answer_unless_it_begins_with_an_error() {
    let class = |body: &str| {
        let checked = answer::check(&Route::Moderations, Wire::Opaque, body.as_bytes(), None, false);
        checked.map(drop).map_err(|failure| failure.class)
    };
    for body in
        [r#"[{"a": 1}]"#, "[]", "[1]", r#" [[{"error": {}}]]"#, r#"{"error": null, "text": "x"}"#, "not json", "5"]
    {
        assert_eq!(class(body), Ok(()), "{body}");
    }
    let error = r#"{"error": {"message": "slow down", "status": "RESOURCE_EXHAUSTED"}}"#;
    for body in [error.to_owned(), format!(" [{error}, {{}}]")] {
        assert_eq!(class(&body), Err(Class::Malformed), "{body}");
        // What a provider's owner says of its errors comes first.
        let checked = answer::check(&Route::Moderations, Wire::Opaque, body.as_bytes(), None, false);
        let rules = [ErrorRule { status: Some(200), contains: Some("slow down".to_owned()), class: Class::Overloaded }];
        let ruled = classify::reclassify(checked.expect_err("an error"), &rules, body.as_bytes());
        assert_eq!((ruled.class, ruled.reason.as_str()), (Class::Overloaded, "slow down"));
    }
}

#[test]
fn on_a_route_that_nobody_reads_the_tokens_are_what_the_upstream_says() {
    let usage = |route: &Route, body: &str| {
        let checked = answer::check(route, Wire::Opaque, body.as_bytes(), None, false).expect("an answer");
        checked.usage.map(|usage| (usage.input, usage.cached, usage.output))
    };
    for (body, expected) in [
        (r#"{"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}"#, Some((8, 0, 0))),
        (
            r#"{"data": [], "usage": {"input_tokens": 50, "output_tokens": 1056, "total_tokens": 1106, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}}"#,
            Some((50, 0, 1056)),
        ),
        (r#"{"text": "x", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45}}"#, Some((14, 0, 45))),
        (r#"{"text": "x", "usage": {"type": "duration", "seconds": 3}}"#, None),
        (r#"{"text": "\"usage\"", "data": {"usage": {"prompt_tokens": 8}}}"#, None),
        (r#"{"usage": null}"#, None),
        (r#"{"usage": [8]}"#, None),
        (r#"{"usage": "8"}"#, None),
        (r#"{"usage": {"prompt_tokens": "8"}}"#, None),
        (r#"[{"usage": {"prompt_tokens": 8}}]"#, None),
        (r#"{"results": []}"#, None),
    ] {
        assert_eq!(usage(&Route::Embeddings, body), expected, "{body}");
    }
    assert_eq!(usage(&Route::CountTokens, r#"{"input_tokens": 14}"#), Some((0, 0, 0)), "nobody made that request");
}

/// Such answers are read whole under every `commit`: none is handed on as it comes.
#[test]
fn what_is_rewritten_for_its_client() {
    let rewritten = answer::is_rewritten;
    for (route, wire) in [
        (Route::Chat, Wire::Converse),
        (Route::Chat, Wire::Invoke),
        (Route::Responses, Wire::Chat),
        (Route::Messages, Wire::Converse),
        (Route::CountTokens, Wire::Invoke),
    ] {
        assert!(rewritten(&route, wire), "{route:?} {wire:?}");
    }
    for (route, wire) in [
        (Route::Chat, Wire::Chat),
        (Route::Completions, Wire::Completions),
        (Route::Responses, Wire::Responses),
        (Route::Messages, Wire::Invoke),
        (Route::Messages, Wire::RawPredict),
        (Route::CountTokens, Wire::RawPredict),
        (Route::CountTokens, Wire::Opaque),
        (Route::Embeddings, Wire::Opaque),
    ] {
        assert!(!rewritten(&route, wire), "{route:?} {wire:?}");
    }
    let count = answer::check(&Route::CountTokens, Wire::Invoke, br#"{"inputTokens": 21}"#, None, false);
    assert_eq!(count.expect("a count").rewritten.as_deref(), Some(&br#"{"input_tokens":21}"#[..]));
}

#[test]
fn an_error_within_a_list_is_one_for_a_chat_client_too() {
    let error = r#"[{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]"#;
    let class = |body: &str| {
        let checked = answer::check(&Route::Chat, Wire::Chat, body.as_bytes(), None, false);
        checked.map(drop).map_err(|failure| failure.class)
    };
    assert_eq!(class(error), Err(Class::RateLimited));
    for body in ["[]", "[1]", r#"[{"choices": []}]"#, r#"[[{"error": {}}]]"#] {
        assert_eq!(class(body), Err(Class::Malformed), "{body}");
    }
    let events = events_of(Wire::Chat, [format!("data: {error}\n\n").as_bytes()]);
    assert!(matches!(events.as_slice(), [Event::Error(failure)] if failure.class == Class::RateLimited), "{events:?}");
}
