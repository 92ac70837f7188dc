//! JSON answers where a stream was asked for: the stream says all that the answer said.

use serde_json::{Value, json};
use understudy::domain::answer;
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::{self, Event, Wire};
use understudy::domain::route::{Family, Route};

use crate::dialect::{answer_of, events_of, records, voice, wire_of};
use crate::recorded;

#[track_caller]
fn stream(route: &Route, wire: Wire, body: &[u8]) -> String {
    let checked = answer::check(route, wire, body, Some(&voice()), true).expect("a good answer");
    String::from_utf8(checked.rewritten.expect("a stream is made")).expect("UTF-8")
}

#[test]
fn recorded_answers_say_the_same_as_a_stream() {
    for (case, body) in recorded::files("response.json") {
        let Some(wire) = wire_of(&case) else { continue };
        let (route, family) = match wire {
            Wire::Chat => (Route::Chat, Family::Chat),
            Wire::Responses => (Route::Responses, Family::Responses),
            Wire::Messages => (Route::Messages, Family::Messages),
            _ => continue,
        };
        let Ok(events) = dialect::read_answer(wire, &body) else { continue };
        if events.iter().any(|event| matches!(event, Event::Error(_))) {
            continue;
        }
        let stream = stream(&route, wire, &body);
        let again = events_of(wire, stream.as_bytes().chunks(4096));
        assert_eq!(answer_of(family, &again), answer_of(family, &events), "{case}");
        let whole: Value = serde_json::from_slice(&body).expect("JSON");
        if family == Family::Responses {
            assert_eq!(crate::responses::accumulate(&crate::responses::records(stream.as_bytes())), whole, "{case}");
        }
    }
}

#[test]
fn a_completion_keeps_its_id_its_choices_and_what_nobody_here_knows() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({
        "id": "chatcmpl-up", "object": "chat.completion", "created": 7, "model": "m", "system_fingerprint": "fp", "novel": [1],
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a", "reasoning_content": "hm"}, "finish_reason": "stop", "novel": 1},
            {"index": 1, "message": {"role": "assistant", "content": null, "tool_calls": [call]}, "finish_reason": "tool_calls"},
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "novel": 1},
    });
    let text = stream(&Route::Chat, Wire::Chat, body.to_string().as_bytes());
    let said = records(&text);
    assert_eq!(said.last().map(|(_, data)| data.as_str()), Some("[DONE]"));
    let chunks: Vec<Value> = said.iter().filter_map(|(_, data)| serde_json::from_slice(data.as_bytes()).ok()).collect();
    for chunk in &chunks {
        assert_eq!(
            [&chunk["id"], &chunk["object"], &chunk["created"], &chunk["system_fingerprint"], &chunk["novel"]],
            [&json!("chatcmpl-up"), &json!("chat.completion.chunk"), &json!(7), &json!("fp"), &json!([1])]
        );
    }
    let [first, finish, usage] = chunks.as_slice() else { panic!("{text}") };
    let delta = |at: usize| &first["choices"][at]["delta"];
    assert_eq!(delta(0), &json!({"role": "assistant", "content": "a", "reasoning_content": "hm"}));
    assert_eq!((&first["choices"][0]["novel"], &first["choices"][0]["finish_reason"]), (&json!(1), &Value::Null));
    assert_eq!(delta(1)["tool_calls"][0]["index"], 0);
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        (&finish["choices"][1]["index"], &finish["choices"][1]["finish_reason"]),
        (&json!(1), &json!("tool_calls"))
    );
    assert_eq!((&usage["choices"], &usage["usage"]), (&json!([]), &body["usage"]));
    // Nobody asked for it: it does not come.
    let quiet = Voice { include_usage: false, ..voice() };
    let checked = answer::check(&Route::Chat, Wire::Chat, body.to_string().as_bytes(), Some(&quiet), true);
    let text = String::from_utf8(checked.expect("a good answer").rewritten.expect("a stream")).expect("UTF-8");
    assert!(!text.contains("\"usage\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
}

#[test]
fn a_response_keeps_its_id_and_the_items_of_its_own_family() {
    let body = json!({
        "id": "resp_up", "object": "response", "created_at": 7, "status": "completed", "model": "m", "novel": 1,
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gA"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}], "logprobs": []}]},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    });
    let text = stream(&Route::Responses, Wire::Responses, body.to_string().as_bytes());
    assert_eq!(crate::responses::accumulate(&crate::responses::records(text.as_bytes())), body);
}

/// Numbers of any size go on digit by digit, as they do in a stream.
#[test]
fn a_message_keeps_its_thinking_its_signature_and_every_digit() {
    let body = r#"{"id":"msg_up","type":"message","role":"assistant","model":"m","novel":1,"content":[
        {"type":"thinking","thinking":"hm","signature":"sig"},
        {"type":"redacted_thinking","data":"x"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"n": 123456789012345678901234567890, "a": 1.50}}],
        "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}}"#;
    let text = stream(&Route::Messages, Wire::Messages, body.as_bytes());
    let data: Vec<Value> =
        records(&text).iter().map(|(_, data)| serde_json::from_slice(data.as_bytes()).expect("JSON")).collect();
    let kinds: Vec<&str> = data.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds.first().zip(kinds.last()), Some((&"message_start", &"message_stop")));
    let start = &data[0]["message"];
    assert_eq!((&start["id"], &start["novel"], &start["content"]), (&json!("msg_up"), &json!(1), &json!([])));
    assert_eq!((&start["stop_reason"], &start["usage"]["input_tokens"]), (&Value::Null, &json!(3)));
    let deltas: Vec<&Value> =
        data.iter().map(|event| &event["delta"]).filter(|delta| !delta["type"].is_null()).collect();
    assert_eq!(
        deltas,
        [
            &json!({"type": "thinking_delta", "thinking": "hm"}),
            &json!({"type": "signature_delta", "signature": "sig"}),
            &json!({"type": "input_json_delta", "partial_json": "{\"n\":123456789012345678901234567890,\"a\":1.50}"}),
        ]
    );
    let blocks: Vec<&Value> =
        data.iter().map(|event| &event["content_block"]).filter(|block| !block.is_null()).collect();
    assert_eq!(blocks[1], &json!({"type": "redacted_thinking", "data": "x"}));
    assert_eq!(blocks[2], &json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}));
    let end = &data[data.len() - 2];
    assert_eq!(end["delta"], json!({"stop_reason": "tool_use", "stop_sequence": null}));
    assert_eq!(end["usage"], json!({"input_tokens": 3, "output_tokens": 4}));
}
