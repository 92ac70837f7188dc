//! The Responses wire: requests both ways, recorded answers and streams, and the streams that are written for its clients.

use crate::recorded;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use understudy::domain::answer::check_expecting;
use understudy::domain::catalogue::Facts;
use understudy::domain::dialect::conversation::{Conversation, Part, Residue, Role, Source, ToolChoice};
use understudy::domain::dialect::decoder::{Decode, Encode, Voice};
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::responses::{decode, encode, request, target};
use understudy::domain::dialect::said::Expected;
use understudy::domain::dialect::{
    CallKind, Destination, Event, Finish, Incompatible, Wire, translate_request, write_answer,
};
use understudy::domain::outcome::{Class, Failure};
use understudy::domain::policy::Translate;
use understudy::domain::route::{Family, Route};
use understudy::domain::sse;
use understudy::domain::usage::Usage;

// --- requests of clients ------------------------------------------------------------------------------------------------

#[track_caller]
fn conversation(body: Value) -> Conversation {
    request::decode(&body).expect("a request that crosses")
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

#[test]
fn input_becomes_turns_with_calls_and_results_beside_what_they_belong_to() {
    let conversation = conversation(json!({
        "model": "gpt-5", "instructions": "Be brief.",
        "input": [
            {"role": "developer", "content": "Answer in French."},
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary",
             "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"at\":\"Paris\"}"},
            {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": "{\"at\":\"Nice\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "sun"}]},
            {"role": "system", "content": "Now answer."},
        ],
    }));
    assert_eq!(conversation.system, [text("Be brief."), text("Answer in French.")]);
    let roles: Vec<Role> = conversation.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::System]);
    let call = |id: &str, at: &str| Part::ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: format!("{{\"at\":\"{at}\"}}"),
        kind: CallKind::Function,
    };
    let result =
        |id: &str, said: &str| Part::ToolResult { id: id.to_owned(), parts: vec![text(said)], is_error: false };
    assert_eq!(conversation.turns[1].parts, [text("I look."), call("call_1", "Paris"), call("call_2", "Nice")]);
    assert_eq!(conversation.turns[2].parts, [result("call_1", "rain"), result("call_2", "sun")]);
    let quality = |path: &str| Residue::Quality(path.to_owned());
    assert_eq!(conversation.residue, [quality("input.reasoning"), quality("input.phase")]);
}

#[test]
fn images_and_files_keep_their_sources() {
    let conversation = conversation(json!({"input": [{"role": "user", "content": [
        {"type": "input_image", "image_url": "data:image/PNG;base64,AAAA", "detail": "original"},
        {"type": "input_image", "image_url": "https://example.com/a.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
    ]}]}));
    let base64 = |media_type: &str, data: &str| Source::Base64 { media_type: media_type.into(), data: data.into() };
    let url = |url: &str| Source::Url(url.to_owned());
    assert_eq!(
        conversation.turns[0].parts,
        [
            Part::Image { source: base64("image/png", "AAAA"), detail: Some("high".to_owned()) },
            Part::Image { source: url("https://example.com/a.png"), detail: None },
            Part::Document { source: base64("application/pdf", "JVBE"), title: Some("a.pdf".to_owned()) },
            Part::Document { source: url("https://example.com/a.pdf"), title: None },
        ]
    );
}

#[test]
fn a_file_without_its_type_has_the_one_of_its_name() {
    let part = |name: Option<&str>| json!({"type": "input_file", "filename": name, "file_data": "aGk="});
    for (name, media_type) in [
        (Some("notes.TXT"), "text/plain"),
        (Some("notes.md"), "text/markdown"),
        (Some("a.b.csv"), "text/csv"),
        (Some("a.docx"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (Some("a.pdf"), "application/pdf"),
        (Some("a"), "application/pdf"),
        (None, "application/pdf"),
    ] {
        let parts = conversation(json!({"input": [{"role": "user", "content": [part(name)]}]})).turns[0].parts.clone();
        let source = Source::Base64 { media_type: media_type.to_owned(), data: "aGk=".to_owned() };
        assert_eq!(parts, [Part::Document { source, title: name.map(str::to_owned) }], "{name:?}");
    }
}

#[track_caller]
fn leaves(body: Value, residue: Residue) {
    assert_eq!(conversation(body.clone()).residue, [residue], "{body}");
}

#[test]
fn what_only_the_wires_owner_can_hold_is_semantic_residue() {
    let semantic = |body: Value, feature: &str| leaves(body, Residue::Semantic(feature.to_owned()));
    semantic(json!({"previous_response_id": "resp_1"}), "previous_response_id");
    semantic(json!({"conversation": "conv_1"}), "conversation");
    semantic(json!({"prompt": {"id": "pmpt_1"}}), "prompt");
    semantic(json!({"background": true}), "background");
    semantic(json!({"context_management": [{"type": "compaction"}]}), "context_management");
    semantic(json!({"moderation": {"model": "omni"}}), "moderation");
    semantic(json!({"tools": [{"type": "web_search"}]}), "web_search");
    semantic(json!({"tools": [{"type": "mcp", "server_label": "a"}]}), "mcp");
    semantic(json!({"tool_choice": {"type": "file_search"}}), "file_search");
    semantic(json!({"tool_choice": {"type": "custom", "name": "a"}}), "custom_tools");
    semantic(json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "item_reference");
    semantic(json!({"input": [{"type": null, "id": "msg_1"}]}), "item_reference");
    semantic(json!({"input": [{"type": "local_shell_call", "id": "a"}]}), "local_shell_call");
    semantic(json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}), "file_id");
    semantic(json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}), "file_id");
    semantic(json!({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}), "input_audio");
}

#[test]
fn hints_on_tools_are_quality_residue() {
    let tool =
        |hint: &str, value: Value| json!({"input": "a", "tools": [{"type": "function", "name": "f", hint: value}]});
    for hint in ["defer_loading", "allowed_callers", "output_schema", "async"] {
        leaves(tool(hint, json!(true)), Residue::Quality(format!("tools.{hint}")));
        let custom = json!({"input": "a", "tools": [{"type": "custom", "name": "f", hint: true}]});
        leaves(custom, Residue::Quality(format!("tools.{hint}")));
        assert!(conversation(tool(hint, json!(false))).residue.is_empty(), "{hint}");
    }
}

#[test]
fn labels_of_items_are_quality_residue() {
    let item = |item: Value| json!({"input": [{"role": "user", "content": "a"}, item]});
    let quality = |body: Value, path: &str| leaves(item(body), Residue::Quality(path.to_owned()));
    let text = json!([{"type": "output_text", "text": "b", "annotations": [], "logprobs": []}]);
    let message = |phase: Value| json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": phase, "content": text});
    quality(message(json!("commentary")), "input.phase");
    quality(message(json!("final_answer")), "input.phase");
    quality(json!({"role": "assistant", "phase": "commentary", "content": "b"}), "input.phase");
    assert_eq!(conversation(item(message(Value::Null))).residue, []);
    let caller = json!({"type": "program", "call_id": "c"});
    for (name, value) in [("namespace", json!("crm")), ("caller", caller), ("async", json!(true))] {
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", name: value});
        quality(call, &format!("input.{name}"));
        let call = json!({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "", name: value});
        quality(call, &format!("input.{name}"));
    }
    // That the model calls by itself holds everywhere.
    let call =
        json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "caller": {"type": "direct"}});
    assert_eq!(conversation(item(call)).residue, []);
    let tool = json!({"type": "function", "name": "f", "allowed_callers": ["direct"]});
    assert_eq!(conversation(json!({"input": "a", "tools": [tool]})).residue, []);
    let file = |detail: &str| json!({"role": "user", "content": [{"type": "input_file", "file_url": "https://e.com/a.pdf", "detail": detail}]});
    quality(file("high"), "input.input_file.detail");
    quality(file("low"), "input.input_file.detail");
    assert_eq!(conversation(item(file("auto"))).residue, []);
}

#[test]
fn what_biases_quality_is_quality_residue_and_defaults_are_none() {
    let quality = |body: Value, path: &str| leaves(body, Residue::Quality(path.to_owned()));
    quality(json!({"store": true}), "store");
    quality(json!({"truncation": "auto"}), "truncation");
    quality(json!({"max_tool_calls": 3}), "max_tool_calls");
    quality(json!({"prompt_cache_retention": "24h"}), "prompt_cache_retention");
    quality(json!({"include": ["reasoning.encrypted_content"]}), "include");
    quality(json!({"reasoning": {"context": "auto"}}), "reasoning.context");
    // A level of tomorrow, as in chat.
    quality(json!({"reasoning": {"effort": "extreme"}}), "reasoning.effort");
    quality(json!({"something_new": 1}), "something_new");
    let harmless = json!({
        "stop": [], "frequency_penalty": 0, "context_management": [], "something_new": {},
        "model": "m", "store": false, "truncation": "disabled", "background": false, "top_logprobs": 0,
        "previous_response_id": null, "include": ["file_search_call.results"], "stream_options": {"include_obfuscation": true},
    });
    assert_eq!(conversation(harmless).residue, []);
}

#[test]
fn likelihoods_are_asked_of_chat_alone() {
    let to = |wire, model| Destination::of(wire, "openai", model);
    let sent = |body: &Value, to: &Destination<'_>| {
        let text = body.to_string().into_bytes();
        let encoded = translate_request(Family::Responses, &text, to, &Facts::default(), Translate::Lenient)?;
        Ok::<Value, Incompatible>(serde_json::from_slice(&encoded.body).expect("JSON"))
    };
    let asked = json!({"input": "hi", "include": ["message.output_text.logprobs"], "top_logprobs": 2});
    let chat = sent(&asked, &to(Wire::Chat, "gpt-4o")).expect("chat has them");
    assert_eq!((&chat["logprobs"], &chat["top_logprobs"]), (&json!(true), &json!(2)));
    let bare = json!({"input": "hi", "include": ["message.output_text.logprobs"]});
    let bare = sent(&bare, &to(Wire::Chat, "gpt-4o"));
    assert_eq!(bare.expect("chat has them")["top_logprobs"], 0);
    for (wire, model) in [(Wire::Messages, "claude-sonnet-4-5"), (Wire::Converse, "nova"), (Wire::Chat, "o3")] {
        assert_eq!(sent(&asked, &to(wire, model)), Err(Incompatible("logprobs".to_owned())), "{model}");
    }
}

#[test]
fn allowed_tools_leave_the_others_out() {
    let tool = |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object"}});
    // The choice stands before the tools: the order of fields says nothing.
    let conversation = conversation(json!({
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]},
        "tools": [tool("a"), tool("b")],
    }));
    assert_eq!(conversation.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(conversation.tool_choice, Some(ToolChoice::Required));
}

#[test]
fn shapes_that_no_responses_api_takes_are_named_by_their_path() {
    for (body, path) in [
        (json!([]), "body"),
        (json!({"input": 5}), "input"),
        (json!({"input": [5]}), "input[0].type"),
        (json!({"input": [{"role": "user", "content": 5}]}), "input[0].content"),
        (json!({"input": ["a", {"role": "nobody", "content": "x"}]}), "input[0].type"),
        (json!({"input": [{"role": "nobody", "content": "x"}]}), "input[0].role"),
        (json!({"input": [{"type": "function_call", "name": "a", "arguments": ""}]}), "input[0].call_id"),
        (json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}), "input[0].content[0].text"),
        (json!({"instructions": {}}), "instructions"),
        (json!({"tools": [{"name": "a"}]}), "tools.type"),
        (json!({"text": {"format": {"type": "json_schema"}}}), "text.format.schema"),
        (json!({"max_output_tokens": "many"}), "max_output_tokens"),
    ] {
        assert_eq!(request::decode(&body), Err(Incompatible(path.to_owned())), "{body}");
    }
}

#[test]
fn recorded_requests_decode_without_residue() {
    for case in ["tool-call-1", "tool-call-2", "native-output-1", "native-output-2", "stream-1", "stream-2"] {
        let Some(body) = recorded::json(&format!("openai-responses/{case}"), "request.json") else { return };
        assert_eq!(conversation(body).residue, [], "{case}");
    }
}

// --- requests to targets ------------------------------------------------------------------------------------------------

fn to(model: &'static str) -> Destination<'static> {
    Destination { max_output_tokens: Some(32_000), ..Destination::of(Wire::Responses, "openai", model) }
}

#[track_caller]
fn sent(conversation: &Conversation, model: &'static str) -> (Value, Vec<String>) {
    let encoded =
        target::encode(conversation, &to(model), &Facts::default(), Translate::Lenient).expect("it can be sent");
    (serde_json::from_slice(&encoded.body).expect("JSON"), encoded.dropped)
}

#[test]
fn what_a_client_asked_for_comes_out_as_it_went_in() {
    let body = json!({
        "model": "gpt-4o", "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Weather?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
            ]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"at\": \"Paris\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
        ],
        "tools": [{"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}, "strict": true}],
        "tool_choice": {"type": "function", "name": "weather"}, "parallel_tool_calls": false,
        "max_output_tokens": 100, "temperature": 0.5, "top_p": 0.9,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}, "strict": true}, "verbosity": "low"},
        "metadata": {"a": "b"}, "safety_identifier": "u", "service_tier": "flex", "prompt_cache_key": "k",
        "stream": true, "store": false,
    });
    let (sent, dropped) = sent(&conversation(body.clone()), "gpt-4o");
    assert_eq!(dropped, Vec::<String>::new());
    assert_eq!(sent.as_object().map(|o| o.len()), body.as_object().map(|o| o.len()));
    for (name, value) in body.as_object().expect("an object") {
        let mut value = value.clone();
        if name == "tools" {
            // Same fields, whatever their order.
            value = json!([{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}, "strict": true, "description": "d"}]);
        }
        assert_eq!(sent[name], value, "{name}");
    }
}

#[test]
fn models_that_reason_get_no_sampling_and_others_no_effort() {
    let asked = conversation(json!({
        "input": "hi", "temperature": 0.2, "top_p": 0.5, "reasoning": {"effort": "high", "summary": "auto"},
    }));
    let (body, dropped) = sent(&asked, "gpt-5-mini");
    assert_eq!(
        (&body["temperature"], &body["top_p"], &body["reasoning"]),
        (&Value::Null, &Value::Null, &json!({"effort": "high", "summary": "auto"}))
    );
    assert_eq!(dropped, ["temperature", "top_p"]);
    for model in ["gpt-4o", "gpt-5-chat-latest"] {
        let (body, dropped) = sent(&asked, model);
        assert_eq!((&body["temperature"], &body["reasoning"]), (&json!(0.2), &Value::Null), "{model}");
        assert_eq!(dropped, ["reasoning.effort", "reasoning.summary"], "{model}");
    }
}

#[test]
fn output_tokens_keep_to_the_wires_least_and_the_models_most() {
    for (asked, expected, dropped) in [(1, 16, true), (16, 16, false), (32_000, 32_000, false), (50_000, 32_000, true)]
    {
        let (body, list) = sent(&conversation(json!({"input": "hi", "max_output_tokens": asked})), "gpt-4o");
        assert_eq!(body["max_output_tokens"], expected);
        assert_eq!(list.contains(&"max_output_tokens".to_owned()), dropped, "{asked}");
    }
}

#[test]
fn what_the_wire_lacks_skips_the_hop() {
    let mut asked = conversation(json!({"input": "hi"}));
    asked.stop = vec!["END".to_owned()];
    let refused = target::encode(&asked, &to("gpt-4o"), &Facts::default(), Translate::Lenient).map(|_| ());
    assert_eq!(refused, Err(Incompatible("stop".to_owned())));

    let stateful = conversation(json!({"input": "hi", "previous_response_id": "resp_1"}));
    let refused = target::encode(&stateful, &to("gpt-4o"), &Facts::default(), Translate::Lenient).map(|_| ());
    assert_eq!(refused, Err(Incompatible("previous_response_id".to_owned())));

    let hinted = conversation(json!({"input": "hi", "truncation": "auto"}));
    let refused = target::encode(&hinted, &to("gpt-4o"), &Facts::default(), Translate::Strict).map(|_| ());
    assert_eq!(refused, Err(Incompatible("truncation".to_owned())));
}

// --- recorded answers ---------------------------------------------------------------------------------------------------

/// What a whole stream says, however it is split.
#[track_caller]
fn events_of_stream(bytes: &[u8], piece: usize) -> Vec<Event> {
    let (mut parser, mut decoder, mut events) = (sse::Parser::default(), decode::Decoder::new(), Vec::new());
    let mut read = |item: sse::Item<'_>| {
        if let sse::Item::Event(record) = item {
            decoder.push(&record, &mut events).expect("a readable event");
        }
    };
    for chunk in bytes.chunks(piece) {
        parser.push(chunk, &mut read).expect("no event is too long");
    }
    parser.finish(&mut read);
    decoder.end(&mut events);
    events
}

#[track_caller]
fn events_of_answer(body: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    decode::Decoder::new().answer(body, &mut events).expect("a readable answer");
    events
}

/// An answer summed up: text, reasoning, calls, finish, usage, error, ended.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    text: String,
    refusal: String,
    reasoning: String,
    calls: Vec<(String, String, String)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    error: Option<(Class, Option<String>)>,
    foreign: bool,
    ended: bool,
}

#[track_caller]
fn sum(events: &[Event]) -> Sum {
    let mut sum = Sum::default();
    for event in events {
        assert!(!sum.ended && sum.error.is_none(), "nothing follows the end: {events:?}");
        match event {
            Event::Start { .. } | Event::Ping | Event::Logprobs(_) | Event::Tier(_) => {}
            Event::Text(text) => sum.text.push_str(text),
            Event::Refusal(text) => sum.refusal.push_str(text),
            Event::Reasoning(text) => sum.reasoning.push_str(text),
            Event::ToolStart { index, id, name, .. } => {
                assert_eq!(*index, sum.calls.len(), "calls count densely");
                sum.calls.push((id.clone(), name.clone(), String::new()));
            }
            Event::ToolArguments { index, json } => sum.calls[*index].2.push_str(json),
            Event::ToolEnd { index } => assert!(*index < sum.calls.len()),
            Event::Foreign => sum.foreign = true,
            Event::Finish(finish) => sum.finish = Some(finish.clone()),
            Event::Usage(usage) => sum.usage = Some(*usage),
            Event::End => sum.ended = true,
            Event::Error(failure) => sum.error = Some((failure.class, failure.code.clone())),
        }
    }
    sum
}

/// A recorded stream says what the response at its own end says.
#[track_caller]
fn stream_equals_its_end(case: &str) {
    let Some(bytes) = recorded::bytes(case, "response.sse") else { return };
    let whole = sum(&events_of_stream(&bytes, bytes.len()));
    assert_eq!(whole, sum(&events_of_stream(&bytes, 13)), "{case}: splits");
    let text = String::from_utf8(bytes).expect("UTF-8");
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).rfind(|data| data.contains("\"response\":"));
    let last: Value = serde_json::from_str(last.expect("a terminal event")).expect("JSON");
    let expected = sum(&events_of_answer(last["response"].to_string().as_bytes()));
    assert!(whole.ended, "{case}: ended");
    assert_eq!(whole, expected, "{case}");
}

#[test]
fn recorded_streams_say_what_their_final_response_says() {
    for case in [
        "openai-responses/reasoning-encrypted-stream-1",
        "openai-responses/reasoning-encrypted-stream-4",
        "openai-responses/pdf-input-stream",
        "openai-responses/stream-1",
        "openai-responses/stream-2",
        "openai-responses/streaming-usage",
        "openai-responses/custom-tool-stream",
        "openai-responses/phase-stream-live-1",
        "openai-responses/phase-stream-live-2",
        "azure/text-stream",
        "azure/tool-call-stream",
        "azure/reasoning-encrypted-content-stream-1",
        "azure/reasoning-encrypted-content-stream-4",
        "lmstudio/basic-stream",
        "lmstudio/tool-call-stream",
        "lmstudio/tool-call-2-stream",
        "github-copilot/id-rotation-stream",
        "openrouter/raw-reasoning-stream",
    ] {
        stream_equals_its_end(case);
    }
}

#[test]
fn hosted_items_count_as_content_and_are_not_translated() {
    for case in ["openai-responses/local-shell-stream", "openai-responses/mcp-approval-stream"] {
        let Some(bytes) = recorded::bytes(case, "response.sse") else { return };
        let sum = sum(&events_of_stream(&bytes, 64));
        assert!(sum.foreign && sum.ended, "{case}: {sum:?}");
    }
}

/// Some hosts make a stream of a whole answer, each item at once: what stands before a call is said as well.
#[test]
fn items_that_come_whole_are_read_whole() {
    let reasoning = json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]});
    let message = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"});
    let output = [reasoning, message("I look."), call, message("So.")];
    let done = (0..)
        .zip(&output)
        .map(|(at, item)| json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    let whole = json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}});
    let stream: String = done.chain([whole]).map(|event| format!("data: {event}\n\n")).collect();
    let events = events_of_stream(stream.as_bytes(), stream.len());
    let said = |event: &Event| match event {
        Event::Text(text) | Event::Reasoning(text) => Some(text.clone()),
        Event::ToolArguments { json, .. } => Some(json.clone()),
        _ => None,
    };
    assert_eq!(events.iter().filter_map(said).collect::<Vec<_>>(), ["Hm.", "I look.", "{\"a\":1}", "So."]);
}

/// Hosts that make their stream of another API's put some of an answer into the response at its end alone: a call that is lost there
/// ends an agent's loop.
#[test]
fn what_a_stream_tells_at_its_end_alone_is_told() {
    let thought = json!({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]});
    let message = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So."}]});
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": format!("{{\"of\":\"{id}\"}}")});
    let event = |kind: &str, at: u64, more: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "output_index": at});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let thinks = event("reasoning_text.delta", 0, json!({"delta": "Hm."}));
    let says = event("output_text.delta", 1, json!({"delta": "So."}));
    let begins = event(
        "output_item.added",
        2,
        json!({"item": {"type": "function_call", "call_id": "c0", "name": "f", "arguments": ""}}),
    );
    let item = |at: u64, item: &Value| event("output_item.done", at, json!({"item": item}));
    let output = [thought.clone(), message.clone(), call("c0"), call("c1")];
    let end = json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": output}});
    let told = |events: &[Value]| {
        let events = events.iter().chain([&end]);
        sum(&events_of_stream(events.map(|event| format!("data: {event}\n\n")).collect::<String>().as_bytes(), 64))
    };
    let whole = sum(&events_of_answer(end["response"].to_string().as_bytes()));
    assert_eq!((whole.text.as_str(), whole.calls.len(), &whole.finish), ("So.", 2, &Some(Finish::ToolCalls)));
    let part = |n: u64, text: &str| event("output_text.done", 1, json!({"content_index": n, "text": text}));
    for (name, stream) in [
        ("nothing", vec![]),
        ("thoughts, and the words part by part", vec![thinks.clone(), part(0, "So"), part(1, ".")]),
        ("thoughts", vec![thinks.clone()]),
        ("thoughts, and the message whole", vec![thinks.clone(), item(0, &thought), item(1, &message)]),
        ("no calls", vec![thinks.clone(), says.clone()]),
        ("a call without what it is called with", vec![thinks.clone(), says.clone(), begins.clone()]),
        ("one call", vec![thinks.clone(), says.clone(), begins.clone(), item(2, &call("c0"))]),
        ("all", vec![thinks, says, begins, item(2, &call("c0")), item(3, &call("c1"))]),
    ] {
        assert_eq!(told(&stream), whole, "{name}");
    }
}

/// A picture takes longer than an idle clock; each draft of it is progress, as each piece of code of a hosted tool is.
#[test]
fn pieces_of_hosted_items_are_content() {
    for piece in [
        json!({"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_index": 0, "partial_image_b64": "iVBO"}),
        json!({"type": "response.code_interpreter_call_code.delta", "output_index": 0, "delta": "print("}),
    ] {
        let stream = format!("data: {piece}\n\n");
        assert_eq!(events_of_stream(stream.as_bytes(), 9), [Event::Foreign], "{piece}");
    }
}

/// What an item of a kind not known here holds means nothing here: a search of tools has an object for `arguments`.
#[test]
fn an_item_of_another_kind_is_content_whatever_it_holds() {
    let item = json!({"id": "tsc_1", "type": "tool_search_call", "execution": "server", "call_id": null, "status": "completed",
        "arguments": {"paths": ["crm"]}, "content": "text", "summary": 5, "name": ["x"]});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]});
    let whole = json!({"id": "resp_1", "status": "completed", "output": [item, message]});
    let said = sum(&events_of_answer(whole.to_string().as_bytes()));
    assert!(said.foreign && said.ended && said.text == "hi", "{said:?}");
    let records = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "hi"}),
        json!({"type": "response.completed", "response": whole}),
    ];
    let stream: String = records.iter().map(|record| format!("data: {record}\n\n")).collect();
    assert_eq!(sum(&events_of_stream(stream.as_bytes(), stream.len())), said);
}

/// OpenAI's clients may ask for the cache to be filled, and for no answer.
#[test]
fn an_answer_that_nobody_asked_for_may_be_empty() {
    let expected = |options: &'static str| {
        Expected::of(|name| (name == "prompt_cache_options").then_some(options.as_bytes()), false)
    };
    let empty =
        json!({"id": "resp_1", "status": "completed", "output": [], "usage": {"input_tokens": 5, "output_tokens": 0}});
    let body = empty.to_string().into_bytes();
    let checked = |options| check_expecting(expected(options), &Route::Responses, Wire::Responses, &body, None, false);
    assert!(checked(r#"{"mode": "implicit", "prewarm": true}"#).is_ok());
    for options in [r#"{"prewarm": false}"#, "null", "[]", "{"] {
        assert_eq!(checked(options).map_err(|failure| failure.class), Err(Class::Malformed), "{options}");
    }
    leaves(
        json!({"input": "a", "prompt_cache_options": {"prewarm": true}}),
        Residue::Semantic("prompt_cache_options.prewarm".to_owned()),
    );
}

#[test]
fn recorded_answers_are_read_whole() {
    let Some(body) = recorded::bytes("openai-responses/tool-call-2", "response.json") else { return };
    let usage = Usage { input: 67, output: 11, ..Usage::default() };
    assert_eq!(
        sum(&events_of_answer(&body)),
        Sum {
            text: "The capital of PotatoLand is Potato City.".to_owned(),
            finish: Some(Finish::Stop),
            usage: Some(usage),
            ended: true,
            ..Sum::default()
        }
    );
    let Some(body) = recorded::bytes("azure/tool-call", "response.json") else { return };
    let sum = sum(&events_of_answer(&body));
    assert_eq!((sum.calls.len(), sum.finish), (1, Some(Finish::ToolCalls)));
}

#[test]
fn an_error_inside_a_200_is_told_once_whichever_shape_it_has() {
    let quota = (Class::QuotaExhausted, Some("insufficient_quota".to_owned()));
    if let Some(bytes) = recorded::bytes("openai-responses/error-quota-stream", "response.sse") {
        let sum = sum(&events_of_stream(&bytes, 32));
        assert_eq!((sum.error, sum.ended), (Some(quota.clone()), false));
    }
    for (data, expected) in [
        (
            json!({"type": "error", "sequence_number": 1, "code": "insufficient_quota", "message": "m", "param": null}),
            quota.clone(),
        ),
        (
            json!({"type": "error", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m"}}),
            quota.clone(),
        ),
        (json!({"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m"}}), quota.clone()),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "insufficient_quota", "message": "m"}}}),
            quota,
        ),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "m"}}}),
            (Class::RateLimited, Some("rate_limit_exceeded".to_owned())),
        ),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": null}}),
            (Class::ServerError, None),
        ),
    ] {
        let stream = format!("data: {data}\n\ndata: {data}\n\n");
        assert_eq!(sum(&events_of_stream(stream.as_bytes(), 64)).error, Some(expected), "{data}");
    }
}

/// Every code that the wire's own specification gives a failed response: none of what lies in the request is tried again.
#[test]
fn a_failed_response_has_the_class_of_its_code() {
    for (class, codes) in [
        (Class::ServerError, "server_error a_code_of_tomorrow"),
        (Class::RateLimited, "rate_limit_exceeded"),
        (Class::ContentPolicy, "invalid_prompt bio_policy image_content_policy_violation"),
        (Class::ContentPolicy, "misalignment_policy_violation"),
        (Class::Forbidden, "data_residency_mismatch"),
        (Class::Timeout, "vector_store_timeout"),
        (Class::InvalidRequest, "invalid_image invalid_image_format invalid_base64_image invalid_image_url"),
        (Class::InvalidRequest, "image_too_large image_too_small image_parse_error invalid_image_mode"),
        (Class::InvalidRequest, "image_file_too_large unsupported_image_media_type empty_image_file"),
        (Class::InvalidRequest, "failed_to_download_image image_file_not_found"),
    ] {
        for code in codes.split(' ') {
            let error = json!({"code": code, "message": "m"});
            let response = json!({"id": "resp_1", "status": "failed", "error": error, "output": []});
            let told = Some((class, Some(code.to_owned())));
            let stream = format!("data: {}\n\n", json!({"type": "response.failed", "response": response}));
            assert_eq!(sum(&events_of_stream(stream.as_bytes(), 64)).error, told, "{code}");
            assert_eq!(sum(&events_of_answer(response.to_string().as_bytes())).error, told, "{code}");
        }
    }
}

#[test]
fn a_truncated_stream_has_no_end() {
    let Some(bytes) = recorded::bytes("openai-responses/stream-2", "response.sse") else { return };
    let text = String::from_utf8(bytes).expect("UTF-8");
    let end = text.find("\"type\":\"response.completed").expect("an end");
    let cut = text[..end].rfind("\n\n").expect("events before it");
    let sum = sum(&events_of_stream(&text.as_bytes()[..cut + 2], 64));
    assert!(!sum.ended && sum.finish.is_none() && !sum.text.is_empty());
}

#[test]
fn incomplete_answers_say_why() {
    for (reason, finish) in [("max_output_tokens", Finish::Length), ("content_filter", Finish::ContentFilter(None))] {
        let body =
            json!({"id": "resp_1", "status": "incomplete", "incomplete_details": {"reason": reason}, "output": []});
        assert_eq!(sum(&events_of_answer(body.to_string().as_bytes())).finish, Some(finish));
    }
}

#[test]
fn an_answer_without_output_or_error_is_malformed() {
    for body in ["{}", "[]", "null", "<html>", "", r#"{"choices":[]}"#, r#"{"output":[5]}"#, r#"{"output":{}}"#] {
        let mut events = Vec::new();
        assert!(decode::Decoder::new().answer(body.as_bytes(), &mut events).is_err(), "{body}");
    }
}

#[test]
fn an_unreadable_event_adds_nothing_and_the_stream_goes_on() {
    let mut decoder = decode::Decoder::new();
    let mut events = Vec::new();
    let mut push = |data: &str, events: &mut Vec<Event>| {
        decoder.push(&sse::Event { name: "", data, raw: b"" }, events).map_err(|_| ())
    };
    assert_eq!(push("{\"type\":\"response.output_text.delta\",\"delta\":\"a", &mut events), Err(()));
    assert_eq!(push("{\"type\":\"response.output_item.done\",\"item\":5}", &mut events), Err(()));
    assert_eq!(push("{\"type\":\"response.completed\",\"response\":{\"output\":[7]}}", &mut events), Err(()));
    assert_eq!(events, []);
    assert_eq!(push("{\"type\":\"response.output_text.delta\",\"delta\":\"b\"}", &mut events), Ok(()));
    assert_eq!(events, [Event::Text("b".to_owned())]);
}

// --- streams for clients ------------------------------------------------------------------------------------------------

fn voice() -> Voice {
    Voice {
        request_id: "req-1".to_owned(),
        model: "anthropic/claude".to_owned(),
        created: 1_700_000_000,
        ..Voice::default()
    }
}

/// OpenAI's tool runner refuses an item whose id it has met: hosts that give every answer one id, or one of a thousand, must not
/// stop it.
#[test]
fn items_of_two_answers_never_share_an_id() {
    let ids = |request_id: &str, upstream: Option<&str>| -> Vec<String> {
        let events = [
            Event::Start { id: upstream.map(str::to_owned), model: None },
            Event::Text("a".to_owned()),
            Event::ToolStart { index: 0, id: "c".to_owned(), name: "f".to_owned(), kind: CallKind::Function },
            Event::ToolEnd { index: 0 },
            Event::Finish(Finish::ToolCalls),
            Event::End,
        ];
        let voice = Voice { request_id: request_id.to_owned(), ..voice() };
        let whole = write_answer(Family::Responses, events.to_vec(), &voice, Reply::default()).unwrap();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        whole["output"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let all =
        [("req-1", Some("chatcmpl-7")), ("req-2", Some("chatcmpl-7")), ("req-1", Some("chatcmpl-8")), ("req-2", None)];
    let all: Vec<String> = all.into_iter().flat_map(|(request, upstream)| ids(request, upstream)).collect();
    let once: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), once.len()), (8, 8), "{all:?}");
    assert!(all.iter().all(|id| id.len() <= 64 && (id.starts_with("msg_us_") || id.starts_with("fc_us_"))), "{all:?}");
}

fn showing_reasoning() -> Voice {
    Voice { request: Some(json!({"reasoning": {"summary": "auto"}, "temperature": 0.5})), ..voice() }
}

fn write(events: &[Event], voice: &Voice) -> Vec<Value> {
    let (mut encoder, mut bytes) = (encode::Encoder::new(voice), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut bytes));
    encoder.finish(&mut bytes);
    records(&bytes)
}

/// The data of each event; its name must be its type.
#[track_caller]
pub fn records(bytes: &[u8]) -> Vec<Value> {
    let (mut parser, mut records) = (sse::Parser::default(), Vec::new());
    let mut read = |item: sse::Item<'_>| {
        if let sse::Item::Event(record) = item {
            let data: Value = serde_json::from_str(record.data).expect("JSON");
            assert_eq!(data["type"], record.name);
            records.push(data);
        }
    };
    parser.push(bytes, &mut read).expect("short events");
    parser.finish(&mut read);
    records
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["type"].as_str().unwrap_or_default().trim_start_matches("response.")).collect()
}

/// Puts a stream together as an accumulator does, and fails wherever one would: returns the final response.
#[track_caller]
pub fn accumulate(records: &[Value]) -> Value {
    let mut output: Vec<Value> = Vec::new();
    let mut open: Option<Value> = None;
    let mut pieces = String::new();
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["sequence_number"], n, "sequence numbers count from 0: {record}");
        let kind = record["type"].as_str().expect("a type");
        assert_eq!(kind == "response.created", n == 0, "created comes first, once");
        assert_eq!(kind == "response.in_progress", n == 1, "in_progress comes second, once");
        let place = || assert_eq!(record["output_index"], output.len(), "items are in sequence: {record}");
        let item = || assert_eq!(record["item_id"], open.as_ref().expect("an open item")["id"], "{record}");
        let within = || {
            place();
            item();
        };
        match kind.trim_start_matches("response.") {
            "created" | "in_progress" => assert_eq!(record["response"]["status"], "in_progress"),
            "output_item.added" => {
                place();
                assert!(open.is_none(), "items do not overlap: {record}");
                open = Some(record["item"].clone());
                pieces.clear();
            }
            "output_item.done" => {
                place();
                assert_eq!(open.take().expect("an open item")["id"], record["item"]["id"]);
                output.push(record["item"].clone());
            }
            "content_part.added" | "reasoning_summary_part.added" => {
                within();
                pieces.clear();
            }
            "output_text.delta"
            | "refusal.delta"
            | "function_call_arguments.delta"
            | "custom_tool_call_input.delta"
            | "reasoning_summary_text.delta"
            | "reasoning_text.delta" => {
                within();
                pieces.push_str(record["delta"].as_str().expect("a delta"));
            }
            "output_text.done" => {
                within();
                assert_eq!(record["text"], *pieces)
            }
            "refusal.done" => {
                within();
                assert_eq!(record["refusal"], *pieces)
            }
            "reasoning_summary_text.done" | "reasoning_text.done" => {
                within();
                assert_eq!(record["text"], *pieces)
            }
            "function_call_arguments.done" => {
                within();
                let given = record["arguments"].as_str().expect("arguments");
                assert!(given == pieces || (given == "{}" && pieces.is_empty()), "{record}");
                assert_eq!(record["name"], open.as_ref().expect("an open call")["name"]);
            }
            "custom_tool_call_input.done" => {
                within();
                assert_eq!(record["input"], *pieces)
            }
            "content_part.done" | "reasoning_summary_part.done" => within(),
            "completed" | "incomplete" => {
                assert!(open.is_none(), "no item is left open");
                assert_eq!(n + 1, records.len(), "the end is last");
                assert_eq!(record["response"]["output"], json!(output), "the response holds every item");
                assert_eq!(record["response"]["id"], records[0]["response"]["id"]);
                return record["response"].clone();
            }
            other => panic!("unexpected event {other}"),
        }
    }
    panic!("the stream has no end: {:?}", kinds(records));
}

fn start() -> Event {
    Event::Start { id: Some("msg_01AB".to_owned()), model: Some("claude".to_owned()) }
}

fn call(index: usize, id: &str, pieces: &[&str]) -> Vec<Event> {
    let (name, kind) = (format!("tool_{index}"), CallKind::Function);
    let begin = Event::ToolStart { index, id: id.to_owned(), name, kind };
    let pieces = pieces.iter().map(|json| Event::ToolArguments { index, json: (*json).to_owned() });
    [begin].into_iter().chain(pieces).chain([Event::ToolEnd { index }]).collect()
}

fn say(text: &str) -> Event {
    Event::Text(text.to_owned())
}

#[test]
fn text_then_tool_then_text_is_three_items_in_sequence() {
    let mut events = vec![start(), say("Hel"), Event::Ping, say("lo")];
    events.extend(call(0, "call_1", &["{\"a\":", "1}"]));
    events
        .extend([say("Done."), Event::Usage(Usage { input: 9, cached: 4, cache_written: 1, output: 5, reasoning: 2 })]);
    events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
    let records = write(&events, &voice());
    assert_eq!(
        kinds(&records),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let response = accumulate(&records);
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello");
    assert_eq!(response["output"][1]["call_id"], "call_1");
    assert_eq!(response["output"][1]["arguments"], "{\"a\":1}");
    assert_eq!(response["status"], "completed");
    assert_eq!(response["model"], "claude", "the upstream's own name for it, as the other families say");
    assert_eq!(response["id"], "resp_us_01AB");
    assert_eq!(
        response["usage"],
        json!({
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14,
        })
    );
}

#[test]
fn parallel_calls_without_text_leave_no_ghost_message_and_interleaved_pieces_wait() {
    let piece = |index: usize, json: &str| Event::ToolArguments { index, json: json.to_owned() };
    let begin = |index: usize| Event::ToolStart {
        index,
        id: format!("call_{index}"),
        name: format!("tool_{index}"),
        kind: CallKind::Function,
    };
    let events = [
        start(),
        begin(0),
        begin(1),
        piece(0, "{\"a\""),
        piece(1, "{}"),
        piece(0, ":0}"),
        say("late"),
        Event::ToolEnd { index: 1 },
        Event::ToolEnd { index: 0 },
        Event::Finish(Finish::ToolCalls),
        Event::End,
    ];
    let response = accumulate(&write(&events, &voice()));
    let types: Vec<&Value> = response["output"].as_array().expect("items").iter().map(|item| &item["type"]).collect();
    assert_eq!(types, ["function_call", "function_call", "message"]);
    assert_eq!(response["output"][0]["arguments"], "{\"a\":0}");
    assert_eq!(response["output"][1]["arguments"], "{}");
}

#[test]
fn a_call_without_arguments_ends_as_an_empty_object() {
    let mut events = vec![start()];
    events.extend(call(0, "call_1", &[]));
    events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
    assert_eq!(accumulate(&write(&events, &voice()))["output"][0]["arguments"], "{}");
}

#[test]
fn reasoning_is_shown_to_clients_that_asked_for_a_summary_alone() {
    let events = [
        start(),
        Event::Reasoning("Hm".to_owned()),
        Event::Reasoning(".".to_owned()),
        say("Yes"),
        Event::Finish(Finish::Stop),
        Event::End,
    ];
    let response = accumulate(&write(&events, &voice()));
    assert_eq!(response["output"].as_array().map(Vec::len), Some(1));
    let response = accumulate(&write(&events, &showing_reasoning()));
    assert_eq!(response["output"][0]["summary"], json!([{"type": "summary_text", "text": "Hm."}]));
    assert_eq!(response["output"][1]["content"][0]["text"], "Yes");
    assert_eq!(response["temperature"], 0.5);
}

#[test]
fn finishes_become_status_and_reason() {
    let refusal = |text: &str| json!([{"type": "refusal", "refusal": text}]);
    let because = |why: &str| Finish::ContentFilter(Some(why.to_owned()));
    for (events, finish, status, reason, content) in [
        (vec![say("a")], Finish::Stop, "completed", Value::Null, None),
        (vec![say("a")], Finish::StopSequence(Some("END".to_owned())), "completed", Value::Null, None),
        (vec![say("a")], Finish::Length, "incomplete", json!("max_output_tokens"), None),
        (vec![say("a")], Finish::ContentFilter(None), "incomplete", json!("content_filter"), None),
        (vec![], Finish::ContentFilter(None), "incomplete", json!("content_filter"), None),
        (vec![], because("No."), "completed", Value::Null, Some(refusal("No."))),
        (
            vec![Event::Refusal("I won't.".to_owned())],
            because("No."),
            "completed",
            Value::Null,
            Some(refusal("I won't.")),
        ),
    ] {
        let mut all = vec![start()];
        all.extend(events);
        all.extend([Event::Finish(finish.clone()), Event::End]);
        let response = accumulate(&write(&all, &voice()));
        assert_eq!(
            (&response["status"], &response["incomplete_details"]["reason"]),
            (&json!(status), &reason),
            "{finish:?}"
        );
        if let Some(content) = content {
            assert_eq!(response["output"][0]["content"], content);
        }
        // What was cut off says so itself.
        for item in response["output"].as_array().unwrap() {
            assert_eq!(item["status"], status, "{finish:?}");
        }
    }
}

#[test]
fn a_failure_after_commit_is_an_error_event_and_no_end() {
    let (mut encoder, mut bytes) = (encode::Encoder::new(&voice()), Vec::new());
    encoder.push(&start(), &mut bytes);
    encoder.push(&say("Hel"), &mut bytes);
    encoder.fail(&Failure::new(Class::Interrupted, "it broke"), "stream_interrupted", &mut bytes);
    for after in [say("lo"), Event::Finish(Finish::Stop), Event::End] {
        encoder.push(&after, &mut bytes);
    }
    encoder.finish(&mut bytes);
    let records = records(&bytes);
    assert_eq!(
        kinds(&records),
        ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "error"]
    );
    let error = records.last().expect("an error");
    let inner = json!({"type": "upstream_error", "code": "stream_interrupted", "message": "it broke", "param": null});
    assert_eq!(
        *error,
        json!({
            "type": "error", "code": "stream_interrupted", "message": "it broke", "param": null,
            "sequence_number": 5, "error": inner,
        })
    );
}

#[test]
fn a_stream_whose_finish_came_without_its_end_is_completed() {
    let records = write(&[start(), say("a"), Event::Finish(Finish::Stop)], &voice());
    assert_eq!(accumulate(&records)["status"], "completed");
    let records = write(&[start(), say("a")], &voice());
    assert_eq!(kinds(&records).last(), Some(&"output_text.delta"));
}

#[test]
fn a_json_answer_is_the_response_at_the_end_of_the_stream() {
    let mut events = vec![start(), say("a")];
    events.extend(call(0, "call_1", &["{}"]));
    events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
    assert_eq!(encode::answer(&events, &voice()), accumulate(&write(&events, &voice())));
}

#[test]
fn the_response_has_every_field_that_clients_require() {
    let request = json!({"instructions": "Be brief.", "tools": [{"type": "function", "name": "a"}], "tool_choice": "required", "store": true});
    let voice = Voice { request: Some(request), ..voice() };
    let response = encode::answer(&[start(), say("a"), Event::Finish(Finish::Stop), Event::End], &voice);
    for name in [
        "id",
        "object",
        "created_at",
        "error",
        "incomplete_details",
        "instructions",
        "model",
        "tools",
        "output",
        "parallel_tool_calls",
        "metadata",
        "tool_choice",
        "temperature",
        "top_p",
        "status",
        "usage",
        "store",
        "text",
        "completed_at",
        "background",
        "max_output_tokens",
        "max_tool_calls",
        "previous_response_id",
        "prompt_cache_key",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "top_logprobs",
        "truncation",
        "user",
        "frequency_penalty",
        "presence_penalty",
    ] {
        assert!(response.get(name).is_some(), "{name}");
    }
    assert_eq!(response["instructions"], "Be brief.");
    assert_eq!(response["tool_choice"], "required");
    // Nothing was stored, whatever was asked.
    assert_eq!(response["store"], false);
}

/// SDKs that are generated from OpenAI's specification want every field of what they read.
#[test]
fn what_a_response_echoes_in_part_has_its_defaults() {
    let schema = json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}});
    let echoed = |request: Value| {
        let voice = Voice { request: Some(request), ..voice() };
        encode::answer(&[start(), say("a"), Event::Finish(Finish::Stop), Event::End], &voice)
    };
    let low = echoed(json!({"text": {"verbosity": "low", "format": null}, "reasoning": {"effort": "low"}}));
    assert_eq!(low["text"], json!({"format": {"type": "text"}, "verbosity": "low"}));
    assert_eq!(low["reasoning"], json!({"effort": "low", "summary": null}));
    let shaped = echoed(json!({"text": {"format": schema}, "reasoning": {}}));
    assert_eq!(shaped["text"], json!({"format": schema, "verbosity": "medium"}));
    assert_eq!(shaped["reasoning"], json!({"effort": null, "summary": null}));
    let custom = json!({"type": "custom", "name": "c"});
    let tools = echoed(json!({"tools": [{"type": "function", "name": "f", "strict": true}, custom]}));
    let function = json!({"type": "function", "name": "f", "description": null, "parameters": null, "strict": true});
    assert_eq!(tools["tools"], json!([function, custom]));
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = || "[a-z]{0,3}";
    prop_oneof![
        text().prop_map(Event::Text),
        text().prop_map(Event::Refusal),
        text().prop_map(Event::Reasoning),
        Just(Event::Ping),
        Just(Event::Foreign),
        Just(start()),
        (0usize..3, any::<bool>()).prop_map(|(index, custom)| Event::ToolStart {
            index,
            id: format!("call_{index}"),
            name: format!("tool_{index}"),
            kind: if custom { CallKind::Custom } else { CallKind::Function },
        }),
        (0usize..3, text()).prop_map(|(index, json)| Event::ToolArguments { index, json }),
        (0usize..3).prop_map(|index| Event::ToolEnd { index }),
        Just(Event::Usage(Usage::default())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_events_give_a_stream_that_accumulates(
        events in proptest::collection::vec(any_event(), 0..30),
        finish in prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ContentFilter(None))],
    ) {
        let mut events = events;
        events.extend([Event::Finish(finish), Event::End]);
        for voice in [voice(), showing_reasoning()] {
            accumulate(&write(&events, &voice));
        }
    }

    #[test]
    fn what_is_written_for_a_client_reads_back_as_the_same_answer(
        texts in proptest::collection::vec("[a-z]{1,4}", 1..4),
        arguments in proptest::collection::vec("[0-9]{1,4}", 0..3),
    ) {
        let mut events = vec![start()];
        events.extend(texts.iter().map(|text| say(text)));
        for (index, json) in arguments.iter().enumerate() {
            events.extend(call(index, &format!("call_{index}"), &[json]));
        }
        let finish = if arguments.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        events.extend([Event::Usage(Usage { input: 3, output: 4, ..Usage::default() }), Event::Finish(finish), Event::End]);
        let (mut encoder, mut bytes) = (encode::Encoder::new(&voice()), Vec::new());
        events.iter().for_each(|event| encoder.push(event, &mut bytes));
        prop_assert_eq!(sum(&events_of_stream(&bytes, 17)), sum(&events));
        let body = encode::answer(&events, &voice()).to_string();
        prop_assert_eq!(sum(&events_of_answer(body.as_bytes())), sum(&events));
    }

    #[test]
    fn noise_never_panics(noise in "\\PC{0,80}") {
        let mut events = Vec::new();
        let _ = decode::Decoder::new().answer(noise.as_bytes(), &mut events);
        let _ = decode::Decoder::new().push(&sse::Event { name: "", data: &noise, raw: b"" }, &mut events);
    }
}
