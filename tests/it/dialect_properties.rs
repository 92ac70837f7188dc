//! What holds for every conversation: what is sent is in the order that strict wires ask for, and ids keep their pairs.

use proptest::prelude::*;
use serde_json::{Value, json};
use understudy::domain::catalogue::Facts;
use understudy::domain::dialect::capability;
use understudy::domain::dialect::ids::{IdRule, made, rewritten};
use understudy::domain::dialect::reply::Reply;
use understudy::domain::dialect::{self, CallKind, Destination, Event, Finish, Incompatible, Wire};
use understudy::domain::policy::Translate;
use understudy::domain::route::Family;

use crate::dialect::{chat_sdk, messages_sdk, stream_of, voice};

/// One message, before ids are given out.
#[derive(Clone, Debug)]
enum Said {
    System(String),
    User(String),
    /// Text and the arguments of its calls.
    Assistant(String, Vec<String>),
    /// A result of the call that so many calls back was made, if there is one; else an orphan.
    Result(usize, String),
}

fn said() -> impl Strategy<Value = Said> {
    let text = "[a-z ]{0,6}";
    let arguments =
        prop_oneof![Just(String::new()), Just("{\"a\": 1}".to_owned()), Just("[1]".to_owned()), Just("{".to_owned())];
    prop_oneof![
        1 => text.prop_map(Said::System),
        3 => text.prop_map(Said::User),
        3 => (text, prop::collection::vec(arguments, 0..3)).prop_map(|(text, calls)| Said::Assistant(text, calls)),
        4 => (0_usize..4, text).prop_map(|(back, text)| Said::Result(back, text)),
    ]
}

fn conversation() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec(said(), 1..12)
}

fn answered(ids: &[String], back: usize) -> String {
    ids.len().checked_sub(back + 1).map_or_else(|| "orphan".to_owned(), |at| ids[at].clone())
}

fn chat_body(said: &[Said]) -> Value {
    let mut ids: Vec<String> = Vec::new();
    let mut messages = vec![json!({"role": "system", "content": "s"})];
    for said in said {
        messages.push(match said {
            Said::System(text) => json!({"role": "system", "content": text}),
            Said::User(text) => json!({"role": "user", "content": text}),
            Said::Assistant(text, calls) => {
                let calls: Vec<Value> = calls
                    .iter()
                    .map(|arguments| {
                        ids.push(format!("functions.f:{}", ids.len()));
                        json!({"id": ids.last(), "type": "function", "function": {"name": "f", "arguments": arguments}})
                    })
                    .collect();
                json!({"role": "assistant", "content": text, "tool_calls": calls})
            }
            Said::Result(back, text) => {
                json!({"role": "tool", "tool_call_id": answered(&ids, *back), "content": text})
            }
        });
    }
    json!({"model": "m", "messages": messages})
}

fn messages_body(said: &[Said]) -> Value {
    let mut ids: Vec<String> = Vec::new();
    let mut messages = Vec::new();
    for said in said {
        messages.push(match said {
            Said::System(text) | Said::User(text) => json!({"role": "user", "content": text}),
            Said::Assistant(text, calls) => {
                let mut blocks = vec![json!({"type": "text", "text": text})];
                for _ in calls {
                    ids.push(format!("toolu_{}", ids.len()));
                    blocks.push(json!({"type": "tool_use", "id": ids.last(), "name": "f", "input": {"a": 1}}));
                }
                json!({"role": "assistant", "content": blocks})
            }
            Said::Result(back, text) => {
                let result = json!({"type": "tool_result", "tool_use_id": answered(&ids, *back), "content": text});
                json!({"role": "user", "content": [result]})
            }
        });
    }
    json!({"model": "m", "max_tokens": 10, "system": "s", "messages": messages})
}

fn responses_body(said: &[Said]) -> Value {
    let mut ids: Vec<String> = Vec::new();
    let mut items = Vec::new();
    for said in said {
        match said {
            Said::System(text) => items.push(json!({"role": "developer", "content": text})),
            Said::User(text) => items.push(json!({"role": "user", "content": [{"type": "input_text", "text": text}]})),
            Said::Assistant(text, calls) => {
                let content = json!([{"type": "output_text", "text": text}]);
                items.push(json!({"type": "message", "role": "assistant", "content": content}));
                for arguments in calls {
                    ids.push(format!("call|{}", ids.len()));
                    let call =
                        json!({"type": "function_call", "call_id": ids.last(), "name": "f", "arguments": arguments});
                    items.push(call);
                }
            }
            Said::Result(back, text) => {
                let id = answered(&ids, *back);
                items.push(json!({"type": "function_call_output", "call_id": id, "output": text}));
            }
        }
    }
    json!({"model": "m", "instructions": "s", "input": items})
}

fn body_of(family: Family, said: &[Said]) -> Value {
    match family {
        Family::Chat => chat_body(said),
        Family::Responses => responses_body(said),
        Family::Messages => messages_body(said),
    }
}

/// What is sent; `None` where nothing is left to be said, which is nobody's request.
fn carried(family: Family, body: &Value, wire: Wire, model: &str) -> Option<Value> {
    let to = Destination::of(wire, "acme", model);
    let encoded =
        dialect::translate_request(family, body.to_string().as_bytes(), &to, &Facts::default(), Translate::Lenient);
    match encoded {
        Ok(encoded) => Some(serde_json::from_slice(&encoded.body).expect("a body is JSON")),
        Err(Incompatible(feature)) => {
            assert_eq!(feature, "messages", "only an empty conversation does not fit");
            None
        }
    }
}

fn sent(family: Family, body: &Value, wire: Wire, model: &str) -> Value {
    carried(family, body, wire, model).expect("the hop fits")
}

/// What Bedrock asks of Converse.
fn check_converse(body: &Value) {
    let messages = body["messages"].as_array().expect("messages");
    let (mut asked, mut called) = (Vec::new(), false);
    for (n, message) in messages.iter().enumerate() {
        assert_eq!(message["role"], if n % 2 == 0 { "user" } else { "assistant" }, "roles take turns: {body}");
        let blocks = message["content"].as_array().expect("blocks");
        assert!(!blocks.is_empty(), "no turn is empty: {body}");
        let blank = |block: &Value| block["text"].as_str().is_some_and(|text| text.trim().is_empty());
        assert!(!blocks.iter().any(blank), "no text is blank: {body}");
        let ids = |kind: &str| -> Vec<String> {
            blocks.iter().filter_map(|block| block[kind]["toolUseId"].as_str()).map(str::to_owned).collect()
        };
        assert_eq!(ids("toolResult"), asked, "calls are answered at once: {body}");
        asked = ids("toolUse");
        called |= !asked.is_empty();
        assert!(asked.iter().all(|id| id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))));
    }
    assert!(asked.is_empty() && messages.len() % 2 == 1, "the user has the last word: {body}");
    assert!(!called || body["toolConfig"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{body}");
}

/// What OpenAI asks of Responses.
fn check_responses(body: &Value) {
    let mut open: Vec<&str> = Vec::new();
    for item in body["input"].as_array().expect("items") {
        match item["type"].as_str() {
            Some("function_call_output") => {
                let id = item["call_id"].as_str().expect("an id");
                assert!(open.contains(&id), "an output has its call: {body}");
                open.retain(|known| *known != id);
            }
            Some("function_call") => {
                open.push(item["call_id"].as_str().expect("an id"));
                assert!(item["arguments"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
            }
            Some("message") => {
                assert!(open.is_empty(), "all calls are answered first: {body}");
                assert!(item["content"].as_array().is_some_and(|parts| !parts.is_empty()), "{body}");
            }
            other => panic!("no item of ours: {other:?}"),
        }
    }
    assert!(open.is_empty(), "the last call is answered: {body}");
}

/// The ids of all calls in a body, in order.
fn call_ids(body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Array(items) => items.iter().for_each(|item| call_ids(item, found)),
        Value::Object(fields) => {
            let is_call = |kind: &str| fields.get("type").is_some_and(|found| found == kind);
            let id = match () {
                () if is_call("function_call") => fields.get("call_id"),
                () if is_call("tool_use") || is_call("function") => fields.get("id"),
                () => fields.get("toolUse").and_then(|call| call.get("toolUseId")),
            };
            found.extend(id.and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| call_ids(value, found));
        }
        _ => {}
    }
}

/// What Anthropic and the stricter Bedrock ask of messages.
fn check_messages(body: &Value, prefill: bool) {
    let messages = body["messages"].as_array().expect("messages");
    let mut asked: Vec<String> = Vec::new();
    // Where a model takes the system's turns, they stand behind a user's, before an assistant's or at the end.
    for (n, message) in messages.iter().enumerate().filter(|(_, message)| message["role"] == "system") {
        let role = |n: usize| messages.get(n).map(|message| &message["role"]);
        assert_eq!(role(n - 1), Some(&json!("user")), "{body}");
        assert!(role(n + 1).is_none_or(|next| next == "assistant"), "{body}");
        assert!(!message["content"].as_array().expect("blocks").is_empty(), "no turn is empty: {body}");
    }
    let messages: Vec<&Value> = messages.iter().filter(|message| message["role"] != "system").collect();
    for (n, message) in messages.iter().enumerate() {
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        assert_eq!(message["role"], role, "roles take turns: {body}");
        let blocks = message["content"].as_array().expect("blocks");
        assert!(!blocks.is_empty(), "no turn is empty: {body}");
        assert!(blocks.iter().all(|block| block["text"] != ""), "no text is empty: {body}");
        let results: Vec<String> = texts(blocks, "tool_use_id");
        assert_eq!(results, asked, "calls are answered at once: {body}");
        let leading = blocks.iter().take_while(|block| block["type"] == "tool_result").count();
        assert_eq!(leading, results.len(), "results come first: {body}");
        asked = texts(blocks, "id");
        assert!(asked.iter().all(|id| id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))));
        assert!(blocks.iter().filter(|block| block["type"] == "tool_use").all(|block| block["input"].is_object()));
    }
    assert!(asked.is_empty(), "the last call is answered: {body}");
    assert!(prefill || messages.len() % 2 == 1, "the user has the last word: {body}");
    assert!(body["max_tokens"].as_u64().is_some_and(|most| most > 0));
}

fn texts(blocks: &[Value], field: &str) -> Vec<String> {
    blocks.iter().filter_map(|block| block[field].as_str()).map(str::to_owned).collect()
}

/// What OpenAI asks of messages.
fn check_chat(body: &Value) {
    let mut open: Vec<String> = Vec::new();
    for message in body["messages"].as_array().expect("messages") {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().expect("an id");
            assert_eq!(open.first().map(String::as_str), Some(id), "results follow their calls: {body}");
            open.remove(0);
            assert!(message["content"].is_string());
            continue;
        }
        assert!(open.is_empty(), "all calls are answered first: {body}");
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        open = texts(&calls, "id");
        assert!(!message["content"].is_null() || !calls.is_empty(), "no message is empty: {body}");
        assert!(calls.iter().all(|call| call["function"]["arguments"].as_str().is_some_and(|text| !text.is_empty())));
    }
    assert!(open.is_empty(), "the last call is answered: {body}");
}

/// What a model may do, whatever the wire: text and calls, pieces interleaved.
fn answer_events() -> impl Strategy<Value = Vec<Event>> {
    let pieces = prop::collection::vec((0_usize..4, "[a-z]{1,3}"), 0..24);
    (0_usize..4, pieces).prop_map(|(calls, pieces)| {
        let mut events = vec![Event::Start { id: Some("x1".to_owned()), model: None }];
        let mut begun = 0;
        for (which, text) in pieces {
            if which == 0 || calls == 0 {
                events.push(Event::Text(text));
            } else if begun < calls {
                let (id, name) = (format!("c{begun}"), "f".to_owned());
                events.push(Event::ToolStart { index: begun, id, name, kind: CallKind::Function });
                begun += 1;
            } else {
                let json = format!("\"{text}\"");
                events.push(Event::ToolArguments { index: which % calls, json });
            }
        }
        events.extend((0..begun).map(|index| Event::ToolEnd { index }));
        let finish = if begun > 0 { Finish::ToolCalls } else { Finish::Stop };
        events.extend([Event::Finish(finish), Event::End]);
        events
    })
}

/// The arguments of each call, all pieces together.
fn arguments(events: &[Event]) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    for event in events {
        match event {
            Event::ToolStart { .. } => arguments.push(String::new()),
            Event::ToolArguments { index, json } => arguments[*index].push_str(json),
            _ => {}
        }
    }
    arguments
}

fn without_input(content: &Value) -> Vec<Value> {
    let mut blocks = content.as_array().expect("blocks").clone();
    blocks.iter_mut().for_each(|block| drop(block.as_object_mut().expect("a block").remove("input")));
    blocks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Valid out for valid in, whoever asks and wherever it goes; calls that were two stay two.
    #[test]
    fn every_conversation_suits_every_wire(said in conversation()) {
        for family in [Family::Chat, Family::Responses, Family::Messages] {
            let body = body_of(family, &said);
            let mut asked = Vec::new();
            call_ids(&body, &mut asked);
            for (wire, model) in [
                (Wire::Chat, "m"),
                (Wire::Chat, "gpt-5"),
                (Wire::Responses, "gpt-5"),
                (Wire::Messages, "claude-sonnet-4-5"),
                (Wire::Messages, "claude-opus-5"),
                (Wire::Invoke, "anthropic.claude-opus-4-6"),
                (Wire::RawPredict, "claude-opus-4-6"),
                (Wire::Converse, "amazon.nova-pro-v1:0"),
                (Wire::Converse, "mistral.large"),
            ] {
                let own = family == Family::Messages && matches!(wire, Wire::Invoke | Wire::RawPredict);
                let Some(sent) = carried(family, &body, wire, model).filter(|_| !own) else { continue };
                match wire {
                    Wire::Chat => check_chat(&sent),
                    Wire::Responses => check_responses(&sent),
                    Wire::Converse => check_converse(&sent),
                    _ => check_messages(&sent, model.contains("4-5")),
                }
                let mut ids = Vec::new();
                call_ids(&sent, &mut ids);
                let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
                prop_assert_eq!((ids.len(), distinct.len()), (asked.len(), asked.len()), "{}", sent);
            }
        }
    }

    /// A request that crossed to the other family and came back is in order still.
    #[test]
    fn there_and_back_is_in_order(said in conversation()) {
        let there = sent(Family::Chat, &chat_body(&said), Wire::Messages, "claude-sonnet-4-5");
        check_chat(&sent(Family::Messages, &there, Wire::Chat, "m"));
    }

    #[test]
    fn streams_never_overlap_blocks(events in answer_events()) {
        let message = messages_sdk(&stream_of(Family::Messages, &events, voice(), Reply::default()));
        // A whole answer has the same blocks in the same order (its SDK makes of invalid arguments what it likes).
        let whole = &crate::dialect::answer_of(Family::Messages, &events)["content"];
        prop_assert_eq!(without_input(&message["content"]), without_input(whole));
        let answer = chat_sdk(&stream_of(Family::Chat, &events, voice(), Reply::default()));
        let text: String = events.iter().filter_map(|event| if let Event::Text(text) = event { Some(text.as_str()) } else { None }).collect();
        prop_assert_eq!(answer["choices"][0]["message"]["content"].as_str().unwrap_or_default(), &text);
        let blocks = message["content"].as_array().unwrap();
        prop_assert_eq!(texts(blocks, "text").concat(), text);
        prop_assert_eq!(texts(blocks, "id").len(), arguments(&events).len());
        let calls = answer["choices"][0]["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
        let chat: Vec<String> = calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(chat, arguments(&events));
    }

    #[test]
    fn ids_are_what_the_wire_takes(id in ".{0,90}") {
        let plain = rewritten(&id, IdRule::Plain);
        prop_assert!((1..=64).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        prop_assert!((1..=40).contains(&rewritten(&id, IdRule::Chat).len()));
        let nine = rewritten(&id, IdRule::Mistral);
        prop_assert!(nine.len() == 9 && nine.bytes().all(|b| b.is_ascii_alphanumeric()));
        prop_assert_eq!(rewritten(&id, IdRule::Plain), plain);
    }

    #[test]
    fn two_ids_stay_two(one in "(call_us_)?[a-zA-Z0-9_.|-]{0,70}", two in "(call_us_)?[a-zA-Z0-9_.|-]{0,70}") {
        for rule in [IdRule::Chat, IdRule::Plain, IdRule::Mistral] {
            prop_assert_eq!(rewritten(&one, rule) == rewritten(&two, rule), one == two);
        }
        // A rewritten id is never another that passes as it is.
        prop_assert_eq!(rewritten(&rewritten(&one, IdRule::Plain), IdRule::Plain) == rewritten(&one, IdRule::Plain), !one.is_empty() && rewritten(&one, IdRule::Plain) == one);
    }

    /// Whatever bytes come as a request or an answer, they are read or refused.
    #[test]
    fn nothing_panics(body in prop_oneof![".{0,60}", r#"\{"(messages|choices|content|tools|system)":(\[|\{|"|1|null).{0,30}"#]) {
        for family in [Family::Chat, Family::Responses, Family::Messages] {
            for wire in [Wire::Chat, Wire::Messages, Wire::Responses, Wire::Invoke] {
                let to = Destination::of(wire, "acme", "m");
                let _ = dialect::translate_request(family, body.as_bytes(), &to, &Facts::default(), Translate::Lenient);
                let _ = dialect::read_answer(wire, body.as_bytes());
            }
            let _ = capability::needs(family, body.len(), &|_| Some(body.as_bytes()));
        }
    }
}

#[test]
fn made_up_ids_differ_by_answer_and_call() {
    assert_eq!(made("a", 0), made("a", 0));
    assert_ne!(made("a", 0), made("a", 1));
    assert_ne!(made("a", 0), made("b", 0));
    assert_eq!(rewritten(&made("a", 0), IdRule::Plain), made("a", 0));
}
