//! Tools that take text: OpenAI's two wires have them, each in its own words; no other wire does.

use serde_json::{Value, json};
use understudy::domain::catalogue::Facts;
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::{self, Destination, Incompatible, Wire, translate};
use understudy::domain::policy::Translate;
use understudy::domain::route::Family;

use crate::dialect::{events_of, records, stream_of, voice};
use crate::recorded;

fn translated(family: Family, body: &Value, wire: Wire, provider: &str) -> Result<Value, Incompatible> {
    let to = Destination::of(wire, provider, "m");
    let bytes = body.to_string().into_bytes();
    // Strict: nothing of it may be lost.
    let encoded = translate::translate_request(family, &bytes, &to, &Facts::default(), Translate::Strict)?;
    Ok(serde_json::from_slice(&encoded.body).expect("JSON"))
}

/// A loop of both kinds of tools, as a Responses client writes it.
fn responses() -> Value {
    json!({
        "model": "policy/x", "store": false,
        "input": [
            {"role": "user", "content": "Run it."},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "python", "input": "print(\"{\")"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_2", "name": "look", "arguments": "{}"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "{"},
            {"type": "function_call_output", "call_id": "call_2", "output": "dark"},
        ],
        "tools": [
            {"type": "custom", "name": "python", "description": "Runs code.", "format": {"type": "text"}},
            {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": false},
            {"type": "custom", "name": "sql", "format": {"type": "grammar", "syntax": "regex", "definition": "SELECT .+"}},
            {"type": "custom", "name": "shell"},
        ],
        "tool_choice": "required",
    })
}

/// The same in the words of Chat.
fn chat() -> Value {
    json!({
        "model": "m",
        "messages": [
            {"role": "user", "content": "Run it."},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "custom", "custom": {"name": "python", "input": "print(\"{\")"}},
                {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "{"},
            {"role": "tool", "tool_call_id": "call_2", "content": "dark"},
        ],
        "tools": [
            {"type": "custom", "custom": {"name": "python", "description": "Runs code.", "format": {"type": "text"}}},
            {"type": "function", "function": {"name": "look", "strict": false, "parameters": {"type": "object", "properties": {}}}},
            {"type": "custom", "custom": {"name": "sql", "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "SELECT .+"}}}},
            {"type": "custom", "custom": {"name": "shell"}},
        ],
        "tool_choice": "required",
    })
}

#[test]
fn a_responses_clients_tools_of_text_go_to_chat() {
    for provider in ["openai", "azure", "acme"] {
        let sent = translated(Family::Responses, &responses(), Wire::Chat, provider).expect("it goes");
        assert_eq!(sent, chat(), "{provider}");
    }
}

#[test]
fn a_chat_clients_tools_of_text_go_to_responses() {
    let sent = translated(Family::Chat, &chat(), Wire::Responses, "openai").expect("it goes");
    let mut expected = responses();
    expected["model"] = json!("m");
    expected["input"][0] =
        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Run it."}]});
    for at in [1, 2] {
        expected["input"][at].as_object_mut().expect("an item").remove("id");
    }
    assert_eq!(sent, expected);
    let mut forced = chat();
    forced["tool_choice"] = json!({"type": "custom", "custom": {"name": "sql"}});
    let sent = translated(Family::Chat, &forced, Wire::Responses, "openai").expect("it goes");
    assert_eq!(sent["tool_choice"], json!({"type": "custom", "name": "sql"}));
    forced["tool_choice"] = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
        {"type": "custom", "custom": {"name": "shell"}}]}});
    let sent = translated(Family::Chat, &forced, Wire::Responses, "openai").expect("it goes");
    assert_eq!((&sent["tools"], &sent["tool_choice"]), (&json!([{"type": "custom", "name": "shell"}]), &json!("auto")));
}

/// Their offer, a call of one, and the wish for one: each is missed.
#[test]
fn other_hosts_are_passed_over_for_tools_of_text() {
    let offered = json!({"input": "hi", "tools": [{"type": "custom", "name": "sql"}]});
    let called = json!({"input": [
        {"role": "user", "content": "hi"},
        {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "1"},
    ]});
    let wished = json!({"input": "hi", "tools": [{"type": "custom", "name": "sql"}], "tool_choice": {"type": "custom", "name": "sql"}});
    for body in [&offered, &called, &wished] {
        for (wire, provider) in [
            (Wire::Chat, "deepseek"),
            (Wire::Chat, "groq"),
            (Wire::Messages, "anthropic"),
            (Wire::Invoke, "bedrock"),
            (Wire::Converse, "bedrock"),
        ] {
            let refused = translated(Family::Responses, body, wire, provider);
            assert_eq!(refused, Err(Incompatible("custom_tools".to_owned())), "{provider}: {body}");
        }
    }
    let called = json!({"messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]});
    let refused = translated(Family::Chat, &called, Wire::Messages, "anthropic");
    assert_eq!(refused, Err(Incompatible("custom_tools".to_owned())));
}

#[track_caller]
fn answered(family: Family, wire: Wire, body: &Value) -> Value {
    let events = translate::read_answer(wire, body.to_string().as_bytes()).expect("an answer");
    let bytes = dialect::write_answer(family, events, &voice(), Reply::default()).expect("no error in it");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn answers_that_call_tools_of_text_come_back_in_the_clients_words() {
    let calls = json!([
        {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT {"}},
        {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
        {"id": "call_3", "type": "custom", "custom": {"name": "sql", "input": ""}},
    ]);
    let chat = json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": calls}}]});
    let response = answered(Family::Responses, Wire::Chat, &chat);
    assert_eq!(response["status"], "completed");
    let (items, custom) = (&response["output"], |at: usize| response["output"][at]["id"].as_str().expect("an id"));
    assert!(custom(0).starts_with("ctc_us_") && custom(2).starts_with("ctc_us_") && custom(0) != custom(2));
    assert_eq!(
        items[0],
        json!({"id": custom(0), "type": "custom_tool_call", "status": "completed", "call_id": "call_1", "name": "sql", "input": "SELECT {"})
    );
    assert_eq!((&items[1]["type"], &items[1]["arguments"]), (&json!("function_call"), &json!("{}")));
    assert_eq!((&items[2]["type"], &items[2]["input"]), (&json!("custom_tool_call"), &json!("")));
    // And there again.
    let again = answered(Family::Chat, Wire::Responses, &response);
    assert_eq!(again["choices"][0]["message"]["tool_calls"], calls);
    assert_eq!(again["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_recorded_stream_with_a_tool_of_text_reaches_a_chat_client() {
    let Some(bytes) = recorded::bytes("openai-responses/custom-tool-stream", "response.sse") else { return };
    let events = events_of(Wire::Responses, bytes.chunks(17));
    let stream = stream_of(Family::Chat, &events, voice(), Reply::default());
    let chunks: Vec<Value> =
        records(&stream).iter().filter_map(|(_, data)| serde_json::from_slice(data.as_bytes()).ok()).collect();
    let calls: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0])
        .filter(|call| !call.is_null())
        .collect();
    assert_eq!(
        calls[0],
        &json!({"index": 0, "id": "call_custom_sql_001", "type": "custom", "custom": {"name": "write_sql", "input": ""}})
    );
    assert_eq!(calls[1], &json!({"index": 0, "custom": {"input": "SELECT * "}}));
    let input: String = calls.iter().filter_map(|call| call["custom"]["input"].as_str()).collect();
    assert_eq!(input, "SELECT * FROM users WHERE age > 25");
    let finish: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).filter(|reason| !reason.is_null()).collect();
    assert_eq!(finish, ["tool_calls"]);
}

#[test]
fn a_chat_stream_with_tools_of_text_reaches_a_responses_client() {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "chatcmpl-1", "model": "m", "choices": [choice]}))
    };
    let piece = |call: Value| chunk(json!({"tool_calls": [call]}), Value::Null);
    // The first piece of text looks whole, as JSON would be.
    let stream = [
        piece(json!({"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "sql", "input": ""}})),
        piece(json!({"index": 0, "custom": {"input": "{a}"}})),
        piece(json!({"index": 1, "id": "call_2", "type": "function", "function": {"name": "look", "arguments": ""}})),
        piece(json!({"index": 0, "custom": {"input": " more"}})),
        piece(json!({"index": 1, "function": {"arguments": "{}"}})),
        chunk(json!({}), json!("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    for piece in [7, stream.len()] {
        let events = events_of(Wire::Chat, stream.as_bytes().chunks(piece));
        let written = stream_of(Family::Responses, &events, voice(), Reply::default());
        let data: Vec<Value> =
            records(&written).iter().map(|(_, data)| serde_json::from_slice(data.as_bytes()).expect("JSON")).collect();
        let of_sql: Vec<&Value> = data.iter().filter(|event| event["output_index"] == 0).collect();
        let id = of_sql[0]["item"]["id"].clone();
        let kinds: Vec<&str> = of_sql.iter().filter_map(|event| event["type"].as_str()).collect();
        assert_eq!(
            kinds,
            [
                "response.output_item.added",
                "response.custom_tool_call_input.delta",
                "response.custom_tool_call_input.delta",
                "response.custom_tool_call_input.done",
                "response.output_item.done",
            ]
        );
        assert_eq!((&of_sql[1]["delta"], &of_sql[1]["item_id"]), (&json!("{a}"), &id));
        assert_eq!((&of_sql[3]["input"], &of_sql[3]["item_id"]), (&json!("{a} more"), &id));
        let whole = json!({"id": id, "type": "custom_tool_call", "status": "completed", "call_id": "call_1", "name": "sql", "input": "{a} more"});
        assert_eq!(of_sql[4]["item"], whole);
        let end = data.last().expect("an end");
        assert_eq!((&end["type"], &end["response"]["output"][0]), (&json!("response.completed"), &whole));
        assert_eq!(end["response"]["output"][1]["type"], "function_call");
    }
}

/// Nobody of Anthropic's family offered such a tool: a host that calls one is not believed, and breaks nothing.
#[test]
fn a_messages_client_never_hears_of_tools_of_text() {
    let calls = json!([{"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT {"}}]);
    let chat = json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": "Hi", "tool_calls": calls}}]});
    let message = answered(Family::Messages, Wire::Chat, &chat);
    assert_eq!(message["content"], json!([{"type": "text", "text": "Hi"}]));
    let events = translate::read_answer(Wire::Chat, chat.to_string().as_bytes()).expect("an answer");
    let stream = stream_of(Family::Messages, &events, voice(), Reply::default());
    assert_eq!(crate::dialect::messages_sdk(&stream)["content"], json!([{"type": "text", "text": "Hi"}]));
}
