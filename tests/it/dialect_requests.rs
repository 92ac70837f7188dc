//! Requests across families: what a client's body becomes on another wire, what is dropped, what makes the hop unfit.

use serde_json::{Value, json};
use understudy::domain::catalogue::{Facts, Feature};
use understudy::domain::dialect::chat::signature;
use understudy::domain::dialect::decoder::Voice;
use understudy::domain::dialect::{self, CallKind, Destination, Encoded, Event, Finish, Incompatible, Wire};
use understudy::domain::policy::Translate;
use understudy::domain::route::Family;

use crate::recorded;

fn to(wire: Wire, provider: &'static str, model: &'static str) -> Destination<'static> {
    Destination::of(wire, provider, model)
}

fn sonnet() -> Destination<'static> {
    to(Wire::Messages, "anthropic", "claude-sonnet-4-5")
}

fn opus_5() -> Destination<'static> {
    to(Wire::Messages, "anthropic", "claude-opus-5")
}

fn gpt() -> Destination<'static> {
    to(Wire::Chat, "openai", "gpt-4o")
}

fn encode(family: Family, body: &Value, to: &Destination<'_>, mode: Translate) -> Result<Encoded, Incompatible> {
    dialect::translate_request(family, body.to_string().as_bytes(), to, &Facts::default(), mode)
}

/// The body sent and what was dropped.
#[track_caller]
fn sent(family: Family, body: &Value, to: &Destination<'_>) -> (Value, Vec<String>) {
    let encoded = encode(family, body, to, Translate::Lenient).expect("the hop fits");
    (serde_json::from_slice(&encoded.body).expect("a body is JSON"), encoded.dropped)
}

#[track_caller]
fn chat_to_claude(body: Value) -> Value {
    sent(Family::Chat, &body, &sonnet()).0
}

#[track_caller]
fn claude_to_chat(body: Value) -> Value {
    sent(Family::Messages, &body, &gpt()).0
}

#[track_caller]
fn unfit(family: Family, body: Value, to: &Destination<'_>) -> String {
    encode(family, &body, to, Translate::Lenient).expect_err("the hop does not fit").0
}

fn hello(more: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn ask(more: Value) -> Value {
    let mut body = hello(more);
    if body.get("max_tokens").is_none() {
        body["max_tokens"] = json!(100);
    }
    body
}

#[test]
fn a_plain_question_to_claude() {
    let body = chat_to_claude(json!({
        "model": "policy/x", "temperature": 0.5, "max_tokens": 50, "stop": "END", "stream": true, "user": "u1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": "Hi"},
        ],
    }));
    assert_eq!(
        body,
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 50, "temperature": 0.5, "stop_sequences": ["END"], "stream": true,
            "metadata": {"user_id": "u1"},
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        })
    );
}

#[test]
fn a_plain_question_to_gpt() {
    let body = claude_to_chat(json!({
        "model": "policy/x", "max_tokens": 50, "temperature": 0.5, "stop_sequences": ["END"], "stream": true,
        "metadata": {"user_id": "u1"},
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }));
    assert_eq!(
        body,
        json!({
            "model": "gpt-4o", "max_completion_tokens": 50, "temperature": 0.5, "stop": ["END"], "stream": true,
            "stream_options": {"include_usage": true}, "safety_identifier": "u1",
            "messages": [{"role": "system", "content": "Be brief.\n\nBe kind."}, {"role": "user", "content": "Hi"}],
        })
    );
}

#[test]
fn max_tokens_is_made_up_or_clamped() {
    assert_eq!(chat_to_claude(hello(json!({})))["max_tokens"], 21_333);
    assert_eq!(chat_to_claude(hello(json!({"stream": true})))["max_tokens"], 64_000);
    assert_eq!(chat_to_claude(hello(json!({"max_tokens": 5, "max_completion_tokens": 7})))["max_tokens"], 7);
    let (body, dropped) = sent(Family::Chat, &hello(json!({"max_tokens": 100_000})), &sonnet());
    assert_eq!((body["max_tokens"].as_u64(), dropped), (Some(64_000), vec!["max_tokens".to_owned()]));
    let (_, dropped) = sent(Family::Chat, &hello(json!({"max_completion_tokens": 100_000})), &sonnet());
    assert_eq!(dropped, ["max_completion_tokens"]);
    let capped = Destination { max_output_tokens: Some(16_384), ..gpt() };
    let (body, dropped) = sent(Family::Messages, &ask(json!({"max_tokens": 32_000})), &capped);
    assert_eq!((body["max_completion_tokens"].as_u64(), dropped), (Some(16_384), vec!["max_tokens".to_owned()]));
    // What nobody knows of another maker's model is tried.
    let glm = to(Wire::Messages, "acme", "glm-5");
    let (body, dropped) = sent(Family::Chat, &hello(json!({"max_tokens": 32_000})), &glm);
    assert_eq!((body["max_tokens"].as_u64(), dropped), (Some(32_000), vec![]));
    assert_eq!(sent(Family::Chat, &hello(json!({"stream": true})), &glm).0["max_tokens"], 8_192);
    let deepseek = to(Wire::Chat, "deepseek", "deepseek-chat");
    assert_eq!(sent(Family::Messages, &ask(json!({})), &deepseek).0["max_tokens"], 100);
    assert_eq!(unfit(Family::Messages, ask(json!({"max_tokens": 0})), &gpt()), "max_tokens");
    // Claude would take it for a word on its cache, and answer nothing.
    assert_eq!(unfit(Family::Chat, hello(json!({"max_tokens": 0})), &sonnet()), "max_tokens");
    // As some languages write whole numbers.
    assert_eq!(chat_to_claude(hello(json!({"max_tokens": 50.0, "n": 1.0})))["max_tokens"], 50);
    assert_eq!(claude_to_chat(ask(json!({"max_tokens": 1e3})))["max_completion_tokens"], 1000);
    for number in [json!(0.5), json!(-1), json!("50"), json!(1e300)] {
        assert_eq!(unfit(Family::Chat, hello(json!({"max_tokens": number})), &sonnet()), "max_tokens");
    }
}

/// A deployment's name and a profile's ARN tell nothing: what the model takes goes by its own, and the request names theirs.
#[test]
fn a_model_behind_a_name_of_the_owners_is_asked_as_the_model_it_is() {
    let asked = hello(json!({"temperature": 0.5, "max_tokens": 9_000, "reasoning_effort": "high"}));
    let opus = |wire, provider, id| Destination { id, ..to(wire, provider, "claude-opus-4-8") };
    let (body, dropped) = sent(Family::Chat, &asked, &opus(Wire::Messages, "azure", "prod-chat"));
    assert_eq!((&body["model"], &body["thinking"]), (&json!("prod-chat"), &json!({"type": "adaptive"})));
    assert_eq!((&body["max_tokens"], dropped), (&json!(9_000), vec!["temperature".to_owned()]));
    let arn = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc";
    let (body, _) = sent(Family::Chat, &asked, &opus(Wire::Invoke, "bedrock", arn));
    assert_eq!((body.get("model"), &body["output_config"]["effort"]), (None, &json!("high")));
    let messages = ask(json!({"temperature": 0.5, "stream": true, "messages": [{"role": "user", "content": "Hi"}]}));
    let of = |known_as| {
        sent(Family::Messages, &messages, &Destination { id: "prod-chat", ..to(Wire::Chat, "azure", known_as) })
    };
    let (body, dropped) = of("gpt-5-mini");
    assert_eq!((&body["model"], body.get("temperature")), (&json!("prod-chat"), None));
    assert_eq!(dropped, ["temperature"]);
    let (body, dropped) = of("prod-chat");
    assert_eq!((&body["model"], &body["temperature"], dropped), (&json!("prod-chat"), &json!(0.5), vec![]));
}

#[test]
fn sampling_goes_by_the_model() {
    let both = hello(json!({"temperature": 1.5, "top_p": 0.9}));
    let (body, dropped) = sent(Family::Chat, &both, &sonnet());
    assert_eq!((&body["temperature"], body.get("top_p")), (&json!(1.0), None));
    assert_eq!(dropped, ["temperature", "top_p"]);
    let (body, dropped) = sent(Family::Chat, &both, &opus_5());
    assert_eq!((body.get("temperature"), body.get("top_p")), (None, None));
    assert_eq!(dropped, ["temperature", "top_p"]);
    let (body, dropped) =
        sent(Family::Messages, &ask(json!({"temperature": 0.5, "top_k": 3})), &to(Wire::Chat, "openai", "o3"));
    assert_eq!((body.get("temperature"), body.get("top_k")), (None, None));
    assert_eq!(dropped, ["temperature", "top_k"]);
    let nebius = to(Wire::Chat, "nebius", "some/model");
    assert_eq!(sent(Family::Messages, &ask(json!({"top_k": 3})), &nebius).0["top_k"], 3);
}

#[test]
fn reasoning_models_of_openai_are_spoken_to_in_their_way() {
    let body = ask(json!({"system": "Be brief.", "thinking": {"type": "enabled", "budget_tokens": 4000}}));
    let (body, _) = sent(Family::Messages, &body, &to(Wire::Chat, "openai", "gpt-5-mini"));
    assert_eq!((&body["messages"][0]["role"], &body["reasoning_effort"]), (&json!("developer"), &json!("medium")));
    let off = ask(json!({"thinking": {"type": "disabled"}}));
    for (model, effort) in [("gpt-5.1", "none"), ("gpt-5", "minimal"), ("o3", "low")] {
        assert_eq!(
            sent(Family::Messages, &off, &to(Wire::Chat, "openai", model)).0["reasoning_effort"],
            effort,
            "{model}"
        );
    }
    assert_eq!(sent(Family::Messages, &off, &gpt()).0.get("reasoning_effort"), None);
    let high = ask(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}));
    let (body, dropped) = sent(Family::Messages, &high, &gpt());
    assert_eq!((body.get("reasoning_effort"), dropped), (None, vec!["output_config.effort".to_owned()]));
    // The strongest effort that a model takes.
    for (model, effort) in [("gpt-5.2", "xhigh"), ("gpt-5.1-codex-max", "xhigh"), ("gpt-5.1", "high"), ("o3", "high")] {
        let (body, _) = sent(Family::Messages, &high, &to(Wire::Chat, "openai", model));
        assert_eq!(body["reasoning_effort"], effort, "{model}");
    }
    assert_eq!(
        unfit(Family::Messages, ask(json!({"stop_sequences": ["a"]})), &to(Wire::Chat, "openai", "o3")),
        "stop_sequences"
    );
}

/// They answer 400 to any other level.
#[test]
fn every_model_of_openai_is_asked_for_a_level_that_it_takes() {
    for (model, levels) in [
        ("o3", "low low low medium high high high"),
        ("gpt-5", "minimal minimal low medium high high high"),
        ("gpt-5-codex", "low low low medium high high high"),
        ("gpt-5-pro", "high high high high high high high"),
        ("gpt-5.1", "none low low medium high high high"),
        ("gpt-5.1-codex-max", "low low low medium high xhigh xhigh"),
        ("gpt-5.2", "none low low medium high xhigh xhigh"),
        ("openai/gpt-5.2-pro", "medium medium medium medium high xhigh xhigh"),
        ("gpt-5.3-codex", "low low low medium high xhigh xhigh"),
        ("gpt-5.6", "none low low medium high xhigh max"),
        ("gpt-6", "none low low medium high xhigh max"),
    ] {
        let wanted = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
        for (wanted, level) in wanted.into_iter().zip(levels.split(' ')) {
            let chat =
                json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": wanted});
            let body = sent(Family::Chat, &chat, &to(Wire::Responses, "acme", model)).0;
            assert_eq!(body["reasoning"]["effort"], level, "{model} {wanted}");
            let asked = json!({"model": "m", "input": "Hi", "reasoning": {"effort": wanted}});
            let body = sent(Family::Responses, &asked, &to(Wire::Chat, "openai", model)).0;
            assert_eq!(body["reasoning_effort"], level, "{model} {wanted}");
        }
    }
}

#[test]
fn effort_becomes_thinking() {
    let effort = |effort: &str| hello(json!({"reasoning_effort": effort, "max_tokens": 30_000, "temperature": 0.3}));
    let (body, dropped) = sent(Family::Chat, &effort("high"), &sonnet());
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 24_000}));
    assert_eq!((body.get("temperature"), dropped), (None, vec!["temperature".to_owned()]));
    assert_eq!(sent(Family::Chat, &effort("low"), &sonnet()).0["thinking"]["budget_tokens"], 1024);
    assert_eq!(sent(Family::Chat, &effort("none"), &sonnet()).0["thinking"], json!({"type": "disabled"}));
    let (body, _) = sent(Family::Chat, &effort("xhigh"), &opus_5());
    assert_eq!(
        (&body["thinking"], &body["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "xhigh"}))
    );
    let small = hello(json!({"reasoning_effort": "high", "max_tokens": 1000}));
    let (body, dropped) = sent(Family::Chat, &small, &sonnet());
    assert_eq!((body.get("thinking"), dropped), (None, vec!["reasoning_effort".to_owned()]));
}

/// A budget stands neither a forced tool nor a loop of tools whose thinking is elsewhere.
/// So says the owner's `models`, whose word it is where nobody else knows the model.
#[test]
fn a_model_that_is_known_not_to_reason_is_not_asked_to() {
    let kimi = to(Wire::Messages, "claude", "kimi");
    let body = |effort: &str| hello(json!({"reasoning_effort": effort, "max_completion_tokens": 8_000})).to_string();
    let on = |supports: Option<Vec<Feature>>, effort: &str| {
        let facts = Facts { supports, ..Facts::default() };
        let encoded =
            dialect::translate_request(Family::Chat, body(effort).as_bytes(), &kimi, &facts, Translate::Lenient);
        let encoded = encoded.expect("the hop fits");
        let sent: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        (sent["thinking"]["type"].as_str().map(str::to_owned), encoded.dropped)
    };
    assert_eq!(on(Some(vec![Feature::Tools]), "high"), (None, vec!["reasoning_effort".to_owned()]));
    assert_eq!(on(Some(vec![Feature::Tools]), "none"), (None, vec![]));
    assert_eq!(on(Some(vec![Feature::Reasoning]), "high"), (Some("enabled".to_owned()), vec![]));
    assert_eq!(on(None, "high"), (Some("enabled".to_owned()), vec![]));
}

#[test]
fn thinking_gives_way_to_tools() {
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    let forced = hello(json!({"reasoning_effort": "high", "tools": tool, "tool_choice": "required"}));
    assert_eq!(sent(Family::Chat, &forced, &sonnet()).1, ["reasoning_effort"]);
    let in_loop = json!({"model": "m", "reasoning_effort": "high", "tools": tool, "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ]});
    assert_eq!(sent(Family::Chat, &in_loop, &sonnet()).1, ["reasoning_effort"]);
    let (body, dropped) = sent(Family::Chat, &in_loop, &to(Wire::Messages, "anthropic", "claude-opus-4-6"));
    assert_eq!((&body["thinking"]["type"], dropped), (&json!("adaptive"), vec![]));
}

/// Neither an answer that was begun without it nor a word added to a tool's result.
#[test]
fn thinking_gives_way_to_what_was_begun_without_it() {
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "r"});
    let said = |role: &str| json!({"role": role, "content": "b"});
    for turns in [
        json!([said("user"), call, result, said("user")]),
        json!([said("user"), call]),
        json!([said("user"), said("assistant")]),
    ] {
        let body = json!({"model": "m", "reasoning_effort": "high", "messages": turns});
        let (body, dropped) = sent(Family::Chat, &body, &sonnet());
        assert!(body.get("thinking").is_none() && dropped.contains(&"reasoning_effort".to_owned()), "{body}");
    }
    let body = json!({"model": "m", "reasoning_effort": "high", "messages": [said("user"), call, result, said("assistant"), said("user")]});
    assert_eq!(sent(Family::Chat, &body, &sonnet()).0["thinking"]["type"], "enabled");
}

/// A summary of the reasoning is Claude's thinking, where it thinks.
#[test]
fn a_summary_of_the_reasoning_is_asked_for() {
    let body =
        |reasoning: Value| json!({"model": "m", "input": "hi", "reasoning": reasoning, "max_output_tokens": 9_000});
    let both = body(json!({"effort": "high", "summary": "auto"}));
    let (plain, dropped) = sent(Family::Responses, &both, &sonnet());
    assert_eq!((&plain["thinking"]["type"], plain["thinking"].get("display")), (&json!("enabled"), None));
    assert!(dropped.is_empty(), "{dropped:?}");
    let (newest, dropped) = sent(Family::Responses, &both, &opus_5());
    assert_eq!(newest["thinking"], json!({"type": "adaptive", "display": "summarized"}));
    assert!(dropped.is_empty(), "{dropped:?}");
    let (_, dropped) = sent(Family::Responses, &body(json!({"summary": "auto"})), &sonnet());
    assert_eq!(dropped, ["reasoning.summary"]);
}

fn tool_turns() -> Value {
    json!([
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "w", "arguments": "{\"city\": \"Paris\"}"}},
            {"id": "functions.w:1", "type": "function", "function": {"name": "w", "arguments": ""}},
            {"id": "c3", "type": "function", "function": {"name": "w", "arguments": "not json"}},
        ]},
        {"role": "tool", "tool_call_id": "functions.w:1", "content": "rain"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "sun"}]},
        {"role": "tool", "tool_call_id": "c3", "content": ""},
        {"role": "user", "content": "And?"},
    ])
}

#[test]
fn tool_results_are_one_user_turn_results_first() {
    let body = chat_to_claude(json!({"model": "m", "messages": tool_turns()}));
    let messages = body["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 3);
    let call = &messages[1]["content"];
    assert_eq!(call[0], json!({"type": "text", "text": "Looking."}));
    assert_eq!(call[1], json!({"type": "tool_use", "id": "c1", "name": "w", "input": {"city": "Paris"}}));
    assert_eq!((&call[2]["input"], &call[3]["input"]), (&json!({}), &json!({"_raw": "not json"})));
    let results = messages[2]["content"].as_array().expect("blocks");
    let ids: Vec<&Value> =
        results.iter().filter(|block| block["type"] == "tool_result").map(|block| &block["tool_use_id"]).collect();
    assert_eq!(ids, [&call[1]["id"], &call[2]["id"], &call[3]["id"]]);
    assert_eq!(results[0]["content"], "sun");
    assert_eq!(results[3], json!({"type": "text", "text": "And?"}));
    let odd = call[2]["id"].as_str().expect("an id");
    assert!(odd.len() <= 64 && odd.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)), "{odd}");
    // The request brought no tools: the history needs them, and nothing may be called.
    assert_eq!(body["tools"][0]["name"], "w");
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn missing_results_are_made_up_and_orphans_left_out() {
    let missing = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    ]});
    for to in [sonnet(), to(Wire::Messages, "anthropic", "claude-opus-5")] {
        let (body, dropped) = sent(Family::Chat, &missing, &to);
        assert_eq!(body["messages"][2]["content"][0]["content"], "(no result)");
        assert_eq!(dropped, ["messages.tool_result"]);
    }
    let orphan = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"},
        {"role": "tool", "tool_call_id": "c9", "content": "lost"},
    ]});
    let (body, dropped) = sent(Family::Chat, &orphan, &sonnet());
    assert!(!body.to_string().contains("lost"), "{body}");
    assert_eq!(dropped, ["messages.tool_result"]);
    assert!(encode(Family::Chat, &orphan, &sonnet(), Translate::Strict).is_err());
}

/// The newest Opus reads a system message where it stands, behind a user's; another host's may not.
#[test]
fn a_system_message_in_the_middle_stays_where_the_model_takes_it() {
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    let turns =
        [said("user", "a"), said("system", "S"), said("assistant", "b"), said("system", "T"), said("user", "c")];
    let body = json!({"model": "m", "messages": turns});
    let opus = to(Wire::Messages, "anthropic", "claude-opus-4-8");
    let (kept, dropped) = sent(Family::Chat, &body, &opus);
    let roles: Vec<&Value> = kept["messages"].as_array().expect("messages").iter().map(|turn| &turn["role"]).collect();
    assert_eq!(roles, ["user", "system", "assistant", "user"]);
    assert_eq!(kept["messages"][1]["content"], json!([{"type": "text", "text": "S"}]));
    // After an assistant's turn it would be refused: that one is moved, and said to be.
    assert_eq!((&kept["system"], dropped), (&json!([{"type": "text", "text": "T"}]), vec!["messages.role".to_owned()]));
    let bedrock = to(Wire::Invoke, "bedrock", "anthropic.claude-opus-4-8");
    assert_eq!(sent(Family::Chat, &body, &bedrock).0["system"].as_array().map(Vec::len), Some(2));
    // At the end, where a client says what holds for the next answer: of two in a row one message is made.
    let turns = [said("user", "a"), said("system", "S"), said("developer", "T")];
    let (kept, dropped) = sent(Family::Chat, &json!({"model": "m", "messages": turns}), &opus);
    assert_eq!(kept["messages"][1]["content"], json!([{"type": "text", "text": "S"}, {"type": "text", "text": "T"}]));
    assert_eq!((kept.get("system"), dropped.len()), (None, 0));
}

#[test]
fn a_system_message_in_the_middle() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "Now in French."},
        {"role": "user", "content": "b"},
    ]});
    let (sent_body, dropped) = sent(Family::Chat, &body, &sonnet());
    assert_eq!(sent_body["system"], json!([{"type": "text", "text": "Now in French."}]));
    assert_eq!(sent_body["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(dropped, ["messages.role"]);
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "system", "content": "Now in French."}, {"role": "user", "content": "b"},
    ]}));
    let roles: Vec<Value> =
        claude_to_chat(body)["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect();
    assert_eq!(roles, ["user", "system", "user"]);
}

/// A Messages client may say them at the end of a user's turn.
#[test]
fn system_words_within_a_turn_are_a_message_of_their_own() {
    let block = json!({"type": "mid_conv_system", "content": [{"type": "text", "text": "S"}], "cache_control": {"type": "ephemeral"}});
    let body = ask(json!({"messages": [
        {"role": "user", "content": [{"type": "text", "text": "a"}, block]},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "gone"}, {"type": "mid_conv_system", "content": "T"}]},
    ]}));
    let (chat, dropped) = sent(Family::Messages, &body, &gpt());
    let said = |role: &str, text: &str| json!({"role": role, "content": text});
    assert_eq!(
        chat["messages"],
        json!([said("user", "a"), said("system", "S"), said("assistant", "b"), said("system", "T")])
    );
    assert_eq!(dropped, ["messages.tool_result", "cache_control"]);
    let (nova, dropped) = sent(Family::Messages, &body, &to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0"));
    assert_eq!(
        (nova["system"].as_array().map(Vec::len), dropped.contains(&"messages.role".to_owned())),
        (Some(3), true),
        "{nova}"
    );
}

/// What Anthropic's own `fallbacks` left in an answer comes back with it.
#[test]
fn a_mark_of_anthropics_fallback_is_left_out() {
    let mark = json!({"type": "fallback", "from": {"model": "claude-fable-5"}, "to": {"model": "claude-opus-4-8"}});
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": [mark, {"type": "text", "text": "b"}]}, {"role": "user", "content": "c"},
    ]}));
    let (chat, dropped) = sent(Family::Messages, &body, &gpt());
    assert_eq!((&chat["messages"][1]["content"], dropped), (&json!("b"), vec!["messages.fallback".to_owned()]));
}

#[test]
fn a_begun_answer() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "It is \n"},
    ]});
    let (sent_body, dropped) = sent(Family::Chat, &body, &sonnet());
    assert_eq!(sent_body["messages"][1]["content"][0]["text"], "It is");
    assert!(dropped.is_empty());
    let (sent_body, dropped) = sent(Family::Chat, &body, &opus_5());
    assert_eq!(sent_body["messages"][2], json!({"role": "user", "content": [{"type": "text", "text": "Continue."}]}));
    assert_eq!(dropped, ["messages.prefill"]);
    // Claude takes no beginning of an answer that is held to a schema.
    let mut held = body;
    held["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}});
    let (sent_body, dropped) = sent(Family::Chat, &held, &sonnet());
    assert_eq!((&sent_body["messages"][2]["role"], dropped), (&json!("user"), vec!["messages.prefill".to_owned()]));
}

#[test]
fn numbers_in_arguments_keep_every_digit() {
    let digits = "1.5844674407370953";
    let text = |encoded: Encoded| String::from_utf8(encoded.body).expect("UTF-8");
    let arguments = format!(r#"{{"latitude": {digits}}}"#);
    let chat = json!({"model": "m", "messages": [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "at", "arguments": arguments}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "there"},
    ]});
    let to_claude = text(encode(Family::Chat, &chat, &sonnet(), Translate::Lenient).expect("the hop fits"));
    assert!(to_claude.contains(digits), "{to_claude}");
    let to_chat = dialect::translate_request(
        Family::Messages,
        to_claude.as_bytes(),
        &gpt(),
        &Facts::default(),
        Translate::Lenient,
    );
    let to_chat = text(to_chat.expect("the hop fits"));
    assert!(to_chat.contains(digits), "{to_chat}");
}

#[test]
fn a_conversation_begins_with_the_user() {
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "content": "Welcome."}, {"role": "user", "content": ""}, {"role": "user", "content": "Hi"},
    ]});
    let messages = chat_to_claude(body)["messages"].clone();
    let roles: Vec<&str> = messages.as_array().unwrap().iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(messages[2]["content"], json!([{"type": "text", "text": "Hi"}]));
    assert_eq!(
        unfit(Family::Chat, json!({"model": "m", "messages": [{"role": "user", "content": ""}]}), &sonnet()),
        "messages"
    );
}

#[test]
fn a_system_message_alone_is_a_conversation_everywhere() {
    let body = json!({"model": "m", "messages": [{"role": "system", "content": "Say hi."}]});
    let (responses, dropped) = sent(Family::Chat, &body, &to(Wire::Responses, "openai", "gpt-4o"));
    let content = json!([{"type": "input_text", "text": "Say hi."}]);
    assert_eq!(responses["input"], json!([{"type": "message", "role": "developer", "content": content}]));
    assert_eq!((responses.get("instructions"), dropped), (None, vec![]));
    for other in [sonnet(), to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0")] {
        let body = sent(Family::Chat, &body, &other).0;
        assert_eq!(
            (body["system"][0]["text"].as_str(), body["messages"][0]["role"].as_str()),
            (Some("Say hi."), Some("user"))
        );
    }
    assert_eq!(unfit(Family::Chat, json!({"messages": []}), &to(Wire::Responses, "openai", "gpt-4o")), "messages");
}

#[test]
fn tools_both_ways() {
    let chat = hello(json!({
        "tools": [{"type": "function", "function": {"name": "f", "description": "d"}},
                  {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}}],
        "tool_choice": {"type": "function", "function": {"name": "g"}}, "parallel_tool_calls": false,
    }));
    let body = chat_to_claude(chat);
    assert_eq!(
        body["tools"][0],
        json!({"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}})
    );
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "g", "disable_parallel_tool_use": true}));
    let back = ask(json!({"tools": body["tools"], "tool_choice": body["tool_choice"]}));
    let back = claude_to_chat(back);
    assert_eq!(back["tools"][1]["function"]["parameters"]["properties"]["a"], json!({"type": "string"}));
    assert_eq!(back["tool_choice"], json!({"type": "function", "function": {"name": "g"}}));
    assert_eq!(back["parallel_tool_calls"], false);
    for (chat, claude) in [("auto", "auto"), ("required", "any"), ("none", "none")] {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let body = chat_to_claude(hello(json!({"tools": tools, "tool_choice": chat})));
        assert_eq!(body["tool_choice"], json!({"type": claude}));
        let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
        let body = claude_to_chat(ask(json!({"tools": tools, "tool_choice": {"type": claude}})));
        assert_eq!(body["tool_choice"], chat);
    }
    let only_parallel =
        hello(json!({"tools": [{"type": "function", "function": {"name": "f"}}], "parallel_tool_calls": false}));
    assert_eq!(
        chat_to_claude(only_parallel)["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    assert_eq!(
        claude_to_chat(ask(json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}})))
            .get("parallel_tool_calls"),
        None
    );
}

#[test]
fn allowed_tools_are_the_only_tools() {
    let tools =
        json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}]);
    let choice = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}});
    let body = chat_to_claude(hello(json!({"tools": tools, "tool_choice": choice})));
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!((&body["tools"][0]["name"], &body["tool_choice"]["type"]), (&json!("g"), &json!("any")));
}

#[test]
fn functions_are_tools() {
    let body = json!({"model": "m", "functions": [{"name": "f", "parameters": {"type": "object"}}], "function_call": {"name": "f"}, "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    ]});
    let encoded = encode(Family::Chat, &body, &sonnet(), Translate::Lenient).expect("the hop fits");
    assert!(encoded.reply.legacy_functions);
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["messages"][1]["content"][0]["id"], body["messages"][2]["content"][0]["tool_use_id"]);
    assert_eq!(body["tool_choice"]["name"], "f");
}

/// Gemini's endpoint for OpenAI's clients makes calls without an id: each still has its own result.
#[test]
fn calls_without_an_id_keep_their_results() {
    let call =
        |name: &str, id: Value| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let result = |text: &str, id: Value| json!({"role": "tool", "tool_call_id": id, "content": text});
    for id in [json!(""), Value::Null] {
        let body = json!({"model": "m", "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null, "tool_calls": [call("f", id.clone()), call("g", id.clone())]},
            result("of f", id.clone()), result("of g", id.clone()),
            {"role": "assistant", "content": null, "tool_calls": [call("h", id.clone())]},
            result("of h", id.clone()),
        ]});
        let (body, dropped) = sent(Family::Chat, &body, &sonnet());
        let mut ids: Vec<&Value> = Vec::new();
        for (calls, results, texts) in [(1, 2, &["of f", "of g"][..]), (3, 4, &["of h"][..])] {
            let blocks = |at: usize| body["messages"][at]["content"].as_array().expect("blocks");
            for ((call, result), text) in blocks(calls).iter().zip(blocks(results)).zip(texts) {
                assert_eq!((&call["id"], &result["content"]), (&result["tool_use_id"], &json!(text)), "{body}");
                assert!(!ids.contains(&&call["id"]), "{body}");
                ids.push(&call["id"]);
            }
        }
        assert_eq!((ids.len(), dropped), (3, vec![]));
    }
}

#[test]
fn images_and_files() {
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,QUJD", "detail": "auto"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
    ]}]});
    let content = chat_to_claude(chat.clone())["messages"][0]["content"].clone();
    assert_eq!(
        content[1],
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}})
    );
    assert_eq!(content[2], json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}));
    assert_eq!(content[3]["source"]["media_type"], "application/pdf");
    assert_eq!(content[3]["title"], "a.pdf");
    let bedrock = to(Wire::Invoke, "bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!(unfit(Family::Chat, chat, &bedrock), "image_url");
    let back =
        claude_to_chat(ask(json!({"messages": [{"role": "user", "content": content}]})))["messages"][0]["content"]
            .clone();
    assert_eq!(back[1]["image_url"]["url"], "data:image/jpeg;base64,QUJD");
    assert_eq!(back[3]["file"], json!({"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}));
    let deepseek = to(Wire::Chat, "deepseek", "deepseek-chat");
    let pdf = ask(json!({"messages": [{"role": "user", "content": [content[3]]}]}));
    assert_eq!(unfit(Family::Messages, pdf, &deepseek), "files");
    let bmp = json!([{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,QUJD"}}]);
    assert_eq!(
        unfit(Family::Chat, json!({"model": "m", "messages": [{"role": "user", "content": bmp}]}), &sonnet()),
        "image_type"
    );
}

#[test]
fn a_file_of_text_is_text_to_every_model() {
    let data = "data:text/plain;charset=utf-8;base64,SXQgcmFpbnMu";
    let file = json!({"type": "input_file", "filename": "a.txt", "file_data": data});
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "So?"}, file]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [file]},
    ]});
    let messages = sent(Family::Responses, &body, &to(Wire::Chat, "together", "Qwen")).0["messages"].clone();
    assert_eq!(messages[0]["content"], "So?\n\na.txt\nIt rains.");
    assert_eq!(messages[2], json!({"role": "tool", "tool_call_id": "c1", "content": "a.txt\nIt rains."}));
    let messages = sent(Family::Responses, &body, &sonnet()).0["messages"].clone();
    let source = json!({"type": "text", "media_type": "text/plain", "data": "It rains."});
    assert_eq!(messages[0]["content"][1], json!({"type": "document", "title": "a.txt", "source": source}));
    // What is no text cannot be sent as such.
    let broken = json!({"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,/w=="});
    let body = json!({"model": "m", "input": [{"role": "user", "content": [broken]}]});
    assert_eq!(unfit(Family::Responses, body, &to(Wire::Chat, "together", "Qwen")), "files");
}

#[test]
fn an_image_in_a_tool_result_follows_in_a_user_message() {
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1, "a": 2}},
                                          {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": "boom"},
            {"type": "text", "text": "go on"},
        ]},
    ]}));
    let messages = claude_to_chat(body)["messages"].clone();
    assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{\"b\":1,\"a\":2}");
    assert_eq!(messages[1]["content"], Value::Null);
    assert_eq!(
        messages[2],
        json!({"role": "tool", "tool_call_id": "toolu_1", "content": "see\n[image returned by tool toolu_1, see next message]"})
    );
    assert_eq!(messages[3], json!({"role": "tool", "tool_call_id": "toolu_2", "content": "Error: boom"}));
    assert_eq!(messages[4]["role"], "user");
    assert_eq!(messages[4]["content"][0]["type"], "image_url");
    assert_eq!(messages[4]["content"][1], json!({"type": "text", "text": "go on"}));
}

/// A title and what a document is about are part of the prompt; citations would be looked for in the answer.
#[test]
fn what_stands_beside_a_document_goes_along() {
    let turn = |block: Value| ask(json!({"messages": [{"role": "user", "content": [block]}]}));
    let plain = json!({"type": "text", "media_type": "text/plain", "data": "It rains."});
    let document = json!({"type": "document", "source": plain, "title": "Report", "context": "Of May."});
    let content = &claude_to_chat(turn(document.clone()))["messages"][0]["content"];
    assert_eq!(content, &json!([{"type": "text", "text": "Of May."}, {"type": "text", "text": "Report\nIt rains."}]));
    let (body, _) = sent(Family::Messages, &turn(document), &to(Wire::Responses, "openai", "gpt-4o"));
    assert_eq!(body["input"][0]["content"][1]["text"], "Report\nIt rains.");
    let parts = json!({"type": "content", "content": [{"type": "text", "text": "It rains."}]});
    let content = claude_to_chat(turn(json!({"type": "document", "source": parts, "title": "Report"})));
    assert_eq!(content["messages"][0]["content"][0]["text"], "Report");
    for block in [
        json!({"type": "document", "source": plain, "citations": {"enabled": true}}),
        json!({"type": "search_result", "source": "https://example.com", "title": "t", "content": [], "citations": {"enabled": true}}),
    ] {
        assert_eq!(unfit(Family::Messages, turn(block), &gpt()), "citations");
    }
    let without = json!({"type": "document", "source": plain, "citations": {"enabled": false}});
    assert_eq!(claude_to_chat(turn(without))["messages"][0]["content"], "It rains.");
}

#[test]
fn thinking_does_not_cross() {
    for case in ["anthropic/thinking-2", "anthropic/redacted-thinking-2", "anthropic/thinking-with-tool-2"] {
        let Some(body) = recorded::json(case, "request.json") else { return };
        let (body, dropped) = sent(Family::Messages, &body, &gpt());
        assert!(!body.to_string().contains("signature") && !body.to_string().contains("thinking"), "{case}: {body}");
        assert!(dropped.contains(&"messages.thinking".to_owned()), "{case}: {dropped:?}");
    }
}

/// Some hosts refuse a message without text.
#[test]
fn an_empty_system_prompt_is_none() {
    for system in [json!(""), json!([]), json!([{"type": "text", "text": ""}])] {
        assert_eq!(claude_to_chat(ask(json!({"system": system})))["messages"][0]["role"], "user");
        let (sent, _) =
            sent(Family::Messages, &ask(json!({"system": system})), &to(Wire::Responses, "openai", "gpt-4o"));
        assert_eq!(sent.get("instructions"), None);
    }
    let chat = json!({"messages": [{"role": "system", "content": " "}, {"role": "user", "content": "Hi"}]});
    assert_eq!(chat_to_claude(chat).get("system"), None);
}

#[test]
fn the_billing_header_of_claude_code_is_stripped() {
    let body = ask(
        json!({"system": [{"type": "text", "text": "x-anthropic-billing-header: cch=1"}, {"type": "text", "text": "Be brief."}]}),
    );
    assert_eq!(claude_to_chat(body)["messages"][0], json!({"role": "system", "content": "Be brief."}));
}

#[test]
fn json_schema_natively_or_by_a_tool() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}, "d": {"type": "string", "format": "date"}}, "required": ["n"]});
    let body = hello(
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "out", "schema": schema, "strict": true}}}),
    );
    let (native, dropped) = sent(Family::Chat, &body, &sonnet());
    let format = &native["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["schema"]["additionalProperties"], false);
    assert_eq!(format["schema"]["properties"]["n"], json!({"type": "integer", "description": "{minimum: 3}"}));
    assert_eq!(format["schema"]["properties"]["d"]["format"], "date");
    assert_eq!(dropped, ["response_format"]);

    let old = to(Wire::Messages, "anthropic", "claude-3-haiku-20240307");
    let encoded = encode(Family::Chat, &body, &old, Translate::Lenient).expect("the hop fits");
    assert_eq!(encoded.reply.json_tool.as_deref(), Some("json"));
    let by_tool: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(by_tool["tool_choice"], json!({"type": "tool", "name": "json", "disable_parallel_tool_use": true}));
    assert_eq!(by_tool["tools"][0]["input_schema"], schema);

    let bedrock = to(Wire::Invoke, "bedrock", "anthropic.claude-opus-4-8");
    assert!(encode(Family::Chat, &body, &bedrock, Translate::Lenient).expect("the hop fits").reply.json_tool.is_some());
}

/// Claude's structured output has a schema and nothing beside it.
#[test]
fn what_is_said_of_a_schema_is_said_in_it() {
    let sent_schema = |schema: Value| {
        let format =
            json!({"type": "json_schema", "json_schema": {"name": "o", "description": "A trip.", "schema": schema}});
        chat_to_claude(hello(json!({"response_format": format})))["output_config"]["format"]["schema"].clone()
    };
    let schema = |description: &str| {
        let mut schema =
            json!({"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false});
        if !description.is_empty() {
            schema["description"] = json!(description);
        }
        schema
    };
    assert_eq!(sent_schema(schema("")), schema("A trip."));
    assert_eq!(sent_schema(schema("A trip.")), schema("A trip."));
    assert_eq!(sent_schema(schema("By train.")), schema("A trip.\n\nBy train."));
    assert_eq!(sent_schema(Value::Null)["type"], "object", "none is any object");
}

/// The tool that stands in for a schema never overrides what the client said of its own tools.
/// Claude's schemas close every object: one that is open on purpose is told of.
#[test]
fn an_open_object_in_a_schema_is_said_to_be_closed() {
    let format = |open: Value| {
        let schema = json!({"type": "object", "properties": {"m": {"type": "object", "additionalProperties": open}}});
        hello(json!({"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": schema}}}))
    };
    let (body, dropped) = sent(Family::Chat, &format(json!({"type": "number"})), &sonnet());
    let map = &body["output_config"]["format"]["schema"]["properties"]["m"];
    assert_eq!(
        (&map["additionalProperties"], &map["description"]),
        (&json!(false), &json!("{additionalProperties: {\"type\":\"number\"}}"))
    );
    assert_eq!(dropped, ["response_format"]);
    assert!(sent(Family::Chat, &format(json!(false)), &sonnet()).1.is_empty());
}

/// As many servers of tools list one without arguments: OpenAI's hosts want to be told that it has none.
#[test]
fn a_tool_without_arguments_says_so() {
    let to = to(Wire::Chat, "openai", "gpt-4o");
    for schema in [json!({"type": "object"}), json!({}), json!({"type": "object", "properties": null})] {
        let asked = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "f", "input_schema": schema}]});
        let (body, _) = sent(Family::Messages, &asked, &to);
        assert_eq!(body["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}), "{schema}");
    }
}

#[test]
fn a_stand_in_for_a_schema_keeps_the_clients_tool_choice() {
    let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}});
    let asked = |choice: Value, parallel: bool| {
        hello(json!({
            "response_format": format, "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": choice, "parallel_tool_calls": parallel,
        }))
    };
    let claude = to(Wire::Messages, "anthropic", "claude-3-5-haiku");
    let nova = to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0");
    let choice = |body: &Value, to: &Destination<'_>| {
        let (body, _) = sent(Family::Chat, body, to);
        body.get("tool_choice").or(body["toolConfig"].get("toolChoice")).cloned().expect("a choice")
    };
    let json_only = json!({"type": "tool", "name": "json", "disable_parallel_tool_use": true});
    assert_eq!(choice(&asked(json!("none"), true), &claude), json_only);
    assert_eq!(choice(&asked(json!("none"), true), &nova), json!({"tool": {"name": "json"}}));
    assert_eq!(
        choice(&asked(json!("auto"), false), &claude),
        json!({"type": "any", "disable_parallel_tool_use": true})
    );
    let forced = asked(json!({"type": "function", "function": {"name": "f"}}), true);
    assert_eq!(choice(&forced, &claude), json!({"type": "tool", "name": "f"}));
    assert_eq!(choice(&forced, &nova), json!({"tool": {"name": "f"}}));
    assert_eq!(choice(&asked(json!("required"), true), &claude), json!({"type": "any"}));
    for forced in [forced, asked(json!("required"), true)] {
        let encoded = encode(Family::Chat, &forced, &claude, Translate::Lenient).expect("the hop fits");
        assert_eq!(encoded.reply.json_tool, None, "the forced call is the whole answer");
    }
}

#[test]
fn a_stand_in_for_a_schema_has_a_name_of_its_own() {
    let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}});
    let body = hello(json!({"response_format": format, "tools": [{"type": "function", "function": {"name": "json"}}]}));
    for destination in [to(Wire::Messages, "anthropic", "claude-3-5-haiku"), to(Wire::Converse, "bedrock", "nova")] {
        let encoded = encode(Family::Chat, &body, &destination, Translate::Lenient).expect("the hop fits");
        assert_eq!(encoded.reply.json_tool.as_deref(), Some("json_"));
        let sent: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        let tools = sent["toolConfig"]["tools"].as_array().or(sent["tools"].as_array()).expect("tools");
        let names = tools.iter().map(|tool| tool.pointer("/toolSpec/name").unwrap_or(&tool["name"]));
        assert_eq!(names.collect::<Vec<_>>(), ["json", "json_"]);
    }
    // A tool that was called and is no longer there is defined for Converse all the same.
    let call = json!({"id": "c1", "type": "function", "function": {"name": "json", "arguments": "{}"}});
    let called = json!({"response_format": body["response_format"], "messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ]});
    let nova = sent(Family::Chat, &called, &to(Wire::Converse, "bedrock", "nova")).0;
    let tools = nova["toolConfig"]["tools"].as_array().expect("tools");
    let names: Vec<&Value> = tools.iter().map(|tool| &tool["toolSpec"]["name"]).collect();
    assert_eq!(names, ["json", "json_"]);
}

/// A tool's arguments are an object: another root is wrapped, and unwrapped in the answer.
#[test]
fn a_stand_in_for_a_list_wraps_it() {
    let schema = json!({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": schema}});
    let body = hello(json!({"response_format": format}));
    for destination in [to(Wire::Messages, "anthropic", "claude-3-5-haiku"), to(Wire::Converse, "bedrock", "nova")] {
        let encoded = encode(Family::Chat, &body, &destination, Translate::Lenient).expect("the hop fits");
        let sent: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        let tool = sent["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"].get("json");
        let tool = tool.unwrap_or(&sent["tools"][0]["input_schema"]);
        assert_eq!((&tool["properties"]["value"]["type"], &tool["required"]), (&json!("array"), &json!(["value"])));
        match destination.wire {
            Wire::Converse => assert_eq!(tool["properties"]["value"]["items"], json!({"type": "integer"})),
            _ => assert_eq!(tool["$defs"]["n"]["type"], "integer", "references are from the root"),
        }
        let pieces = ["{\"value\": [1", ", 2]}"];
        let (id, name, kind) = ("t".to_owned(), "json".to_owned(), CallKind::Function);
        let mut events = vec![Event::ToolStart { index: 0, id, name, kind }];
        events.extend(pieces.map(|json| Event::ToolArguments { index: 0, json: json.to_owned() }));
        events.extend([Event::ToolEnd { index: 0 }, Event::Finish(Finish::ToolCalls), Event::End]);
        let answer = dialect::write_answer(Family::Chat, events, &Voice::default(), encoded.reply).expect("no error");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["choices"][0]["message"]["content"], "[1,2]");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    }
}

/// Neither Anthropic's nor Nova's tools take a choice at the root of a schema.
#[test]
fn a_stand_in_for_a_choice_wraps_it() {
    let a = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let definitions = json!({"a": a});
    for root in [
        json!({"anyOf": [a, {"type": "null"}]}),
        json!({"oneOf": [{"$ref": "#/$defs/a"}], "$defs": definitions}),
        json!({"type": "object", "properties": {"b": {"type": "string"}}, "allOf": [a]}),
    ] {
        let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": root}});
        for destination in [to(Wire::Messages, "anthropic", "claude-3-5-haiku"), to(Wire::Converse, "bedrock", "titan")]
        {
            let body = hello(json!({"response_format": format}));
            let encoded = encode(Family::Chat, &body, &destination, Translate::Lenient).expect("the hop fits");
            assert!(encoded.reply.json_wrapped);
            let sent: Value = serde_json::from_slice(&encoded.body).expect("JSON");
            let tool = sent.pointer("/toolConfig/tools/0/toolSpec/inputSchema/json");
            let tool = tool.unwrap_or(&sent["tools"][0]["input_schema"]);
            let (mut inner, definitions) = (root.clone(), root.get("$defs").cloned());
            inner.as_object_mut().expect("an object").shift_remove("$defs");
            let mut wanted = json!({"type": "object", "properties": {"value": inner}, "required": ["value"]});
            if let Some(definitions) = definitions {
                wanted["$defs"] = definitions;
            }
            assert_eq!(tool, &wanted);
        }
    }
}

/// Anthropic's structured output takes no schema that leads to itself; a tool's arguments may be of one.
/// Some generators of schemas begin with a reference: what it names has the properties, and no host looks for them there.
#[test]
fn a_reference_at_the_root_of_a_schema_is_followed() {
    let a = json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/n"}}, "required": ["a"]});
    let definitions = json!({"o": a, "p": {"$ref": "#/definitions/o"}, "n": {"type": "integer"}});
    let schema = json!({"$ref": "#/definitions/p", "$schema": "s", "description": "d", "definitions": definitions});
    let mut wanted = a;
    for (name, value) in [("$schema", json!("s")), ("description", json!("d")), ("definitions", definitions)] {
        wanted[name] = value;
    }
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": schema}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": schema}});
    let haiku = to(Wire::Messages, "anthropic", "claude-3-5-haiku");
    for more in [json!({"tools": [tool]}), json!({"response_format": format})] {
        let encoded = encode(Family::Chat, &hello(more), &haiku, Translate::Lenient).expect("the hop fits");
        let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        assert_eq!((&body["tools"][0]["input_schema"], encoded.reply.json_wrapped), (&wanted, false));
    }
    let tools = json!([{"name": "f", "input_schema": schema}]);
    let openai = claude_to_chat(ask(json!({"tools": tools})));
    assert_eq!(openai["tools"][0]["function"]["parameters"], wanted);
    for odd in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/gone"}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
    ] {
        let tools = json!([{"name": "f", "input_schema": odd}]);
        assert_eq!(
            claude_to_chat(ask(json!({"tools": tools})))["tools"][0]["function"]["parameters"]["type"],
            "object"
        );
    }
}

/// What is checked has its bounds in one request: properties that may be left out, or be one of several, and strict tools.
#[test]
fn schemas_beyond_what_one_request_may_hold_are_not_checked() {
    let object = |n: usize, property: &Value, required: bool| {
        let properties: serde_json::Map<String, Value> = (0..n).map(|n| (format!("p{n}"), property.clone())).collect();
        let names: Vec<&String> = properties.keys().filter(|_| required).collect();
        json!({"type": "object", "required": names, "properties": properties, "additionalProperties": false})
    };
    let text = json!({"type": "string"});
    let either = json!({"type": ["string", "null"]});
    let format = |schema: &Value| json!({"type": "json_schema", "json_schema": {"name": "o", "schema": schema}});
    let tool = |n: usize, schema: &Value| json!({"type": "function", "function": {"name": format!("f{n}"), "strict": true, "parameters": schema}});
    let by_tool = |more: Value| {
        let encoded = encode(Family::Chat, &hello(more), &sonnet(), Translate::Lenient).expect("the hop fits");
        let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        (encoded.reply.json_tool.is_some(), tools.iter().filter(|tool| tool["strict"] == true).count(), encoded.dropped)
    };
    let strict = vec!["tools.function.strict".to_owned()];
    for (schema, stands_in) in [
        (object(24, &text, false), false),
        (object(25, &text, false), true),
        (object(100, &text, true), false),
        (object(16, &either, true), false),
        (object(17, &either, true), true),
        (object(1, &object(17, &json!({"oneOf": [text, either]}), true), true), true),
    ] {
        assert_eq!(by_tool(json!({"response_format": format(&schema)})).0, stands_in, "{schema}");
        let (_, strict_tools, dropped) = by_tool(json!({"tools": [tool(0, &schema)]}));
        assert_eq!((strict_tools == 0, dropped == strict), (stands_in, stands_in), "{schema}");
    }
    let few = object(10, &text, false);
    let tools = json!({"tools": [tool(0, &few), tool(1, &few)], "response_format": format(&few)});
    assert_eq!(by_tool(tools), (false, 1, strict.clone()), "the answer's first, and both tools' would be too much");
    let tools: Vec<Value> = (0..21).map(|n| tool(n, &object(1, &text, true))).collect();
    assert_eq!(by_tool(json!({"tools": tools})), (false, 20, strict));
}

/// Claude's structured output knows few words of JSON Schema: the others are said, and what means the same goes in one that it knows.
#[test]
fn a_schema_for_claude_holds_only_words_that_it_takes() {
    let sent_schema = |property: Value| {
        let schema = json!({"type": "object", "properties": {"a": property}, "required": ["a"], "additionalProperties": false, "$defs": {"d": {"type": "string"}}});
        let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": schema}});
        let (body, dropped) = sent(Family::Chat, &hello(json!({"response_format": format})), &sonnet());
        (body["output_config"]["format"]["schema"]["properties"]["a"].clone(), !dropped.is_empty())
    };
    let reference = json!({"$ref": "#/$defs/d"});
    for (property, wanted, weaker) in [
        (reference.clone(), reference.clone(), false),
        (json!({"$ref": "#/$defs/d", "description": "x"}), json!({"anyOf": [reference], "description": "x"}), false),
        (json!({"allOf": [reference], "default": "x"}), json!({"anyOf": [reference], "default": "x"}), false),
        (json!({"oneOf": [{"type": "null"}, reference]}), json!({"anyOf": [{"type": "null"}, reference]}), false),
        (
            json!({"type": "string", "examples": ["x"], "x-order": 1}),
            json!({"type": "string", "description": "{examples: [\"x\"]}"}),
            false,
        ),
        (
            json!({"type": "string", "not": {"const": "x"}}),
            json!({"type": "string", "description": "{not: {\"const\":\"x\"}}"}),
            true,
        ),
        (
            json!({"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": false, "dependentRequired": {"b": ["c"]}, "description": "x"}),
            json!({"type": "object", "properties": {"b": {"type": "string"}}, "description": "x\n\n{dependentRequired: {\"b\":[\"c\"]}}", "additionalProperties": false}),
            true,
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}]}),
            json!({"type": "array", "description": "{prefixItems: [{\"type\":\"string\"}]}"}),
            true,
        ),
    ] {
        assert_eq!(sent_schema(property.clone()), (wanted, weaker), "{property}");
    }
    // References that are joined are checked by none: a tool stands in.
    assert_eq!(sent_schema(json!({"allOf": [reference, {"type": "string"}]})), (Value::Null, false));
}

#[test]
fn an_endless_schema_takes_the_stand_in() {
    let node = |next: Value| json!({"type": "object", "properties": {"next": next}, "required": ["next"], "additionalProperties": false});
    let of = |name: &str, definitions: Value| json!({"type": "object", "properties": {"a": {"$ref": name}, "b": {"$ref": name}}, "required": ["a", "b"], "additionalProperties": false, "$defs": definitions});
    let chain: serde_json::Map<String, Value> =
        (0..9_000).map(|n| (format!("d{n}"), json!({"$ref": format!("#/$defs/d{}", n + 1)}))).collect();
    for (schema, endless) in [
        (node(json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]})), true),
        (of("#/$defs/n", json!({"n": node(json!({"$ref": "#/$defs/n"}))})), true),
        (
            of(
                "#/$defs/n",
                json!({"n": node(json!({"$ref": "#/$defs/m"})), "m": node(json!({"type": "array", "items": {"$ref": "#/$defs/n"}}))}),
            ),
            true,
        ),
        (of("#/$defs/n", json!({"n": node(json!({"$ref": "#/$defs/m"})), "m": {"type": "string"}})), false),
        (of("#/$defs/gone", json!({})), false),
        (of("#/$defs/d0", Value::Object(chain)), true),
        (of("#/$defs/n", json!({"n": {"enum": vec![0; 200_000]}})), true),
    ] {
        let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": schema, "strict": true}});
        let tool = json!({"type": "function", "function": {"name": "f", "strict": true, "parameters": schema}});
        let by_format = encode(Family::Chat, &hello(json!({"response_format": format})), &sonnet(), Translate::Lenient);
        assert_eq!(by_format.expect("the hop fits").reply.json_tool.is_some(), endless);
        let (body, dropped) = sent(Family::Chat, &hello(json!({"tools": [tool]})), &sonnet());
        assert_eq!(body["tools"][0].get("strict").is_none(), endless);
        assert_eq!(dropped, if endless { vec!["tools.function.strict"] } else { vec![] });
    }
}

#[test]
fn json_schema_to_openai_is_strict_only_where_it_can_be() {
    let format = |schema: Value| ask(json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}));
    let clean = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let body = claude_to_chat(format(clean.clone()));
    assert_eq!(
        body["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "response", "schema": clean, "strict": true}})
    );
    let loose = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    assert_eq!(claude_to_chat(format(loose.clone()))["response_format"]["json_schema"]["strict"], false);
    // Who asked for more than is checked is told so, or goes elsewhere.
    let tool = |schema: Value| ask(json!({"tools": [{"name": "g", "strict": true, "input_schema": schema}]}));
    let asked =
        json!({"type": "json_schema", "json_schema": {"name": "o", "strict": true, "schema": {"type": "object"}}});
    let chat = hello(json!({"response_format": asked,
        "tools": [{"type": "function", "function": {"name": "g", "strict": true, "parameters": loose}}]}));
    let responses = to(Wire::Responses, "openai", "gpt-4o");
    for (family, body, to, paths) in [
        (Family::Messages, format(loose.clone()), &gpt(), ["output_config.format"].as_slice()),
        (Family::Messages, format(loose.clone()), &responses, &["output_config.format"]),
        (Family::Messages, tool(loose.clone()), &gpt(), &["tools.strict"]),
        (Family::Messages, tool(loose), &responses, &["tools.strict"]),
        (Family::Chat, chat, &responses, &["tools.function.strict", "response_format"]),
        (Family::Messages, format(clean.clone()), &gpt(), &[]),
        (Family::Messages, tool(clean), &responses, &[]),
    ] {
        assert_eq!(sent(family, &body, to).1, paths, "{family:?} {:?}", to.wire);
        let strict = encode(family, &body, to, Translate::Strict).err().map(|unfit| unfit.0);
        assert_eq!(strict.as_deref(), paths.first().copied());
    }
}

/// OpenAI wants an object at the root of an answer's schema, and no choice there: another is wrapped, and its text unwrapped.
#[test]
fn an_answer_that_is_no_object_is_wrapped_for_openai() {
    let list = json!({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}});
    let choice = json!({"anyOf": [{"type": "string"}, {"type": "integer"}]});
    for (root, inner) in [(list, json!({"type": "array", "items": {"$ref": "#/$defs/n"}})), (choice.clone(), choice)] {
        let format = json!({"output_config": {"format": {"type": "json_schema", "schema": root}}});
        for (to, path) in
            [(gpt(), "/response_format/json_schema"), (to(Wire::Responses, "openai", "gpt-5.1"), "/text/format")]
        {
            let encoded = encode(Family::Messages, &ask(format.clone()), &to, Translate::Strict).expect("the hop fits");
            let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
            let format = body.pointer(path).expect("a format");
            assert_eq!((&format["schema"]["properties"]["value"], &format["strict"]), (&inner, &json!(true)));
            let texts = ["{\"value\": [1", ", 2]}"].map(|text| Event::Text(text.to_owned()));
            let events = texts.into_iter().chain([Event::Finish(Finish::Stop), Event::End]).collect();
            let answer =
                dialect::write_answer(Family::Messages, events, &Voice::default(), encoded.reply).expect("no error");
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            assert_eq!(answer["content"], json!([{"type": "text", "text": "[1,2]"}]));
        }
        let together = to(Wire::Chat, "together", "m");
        let (body, _) = sent(Family::Messages, &ask(format), &together);
        assert_eq!(body["response_format"]["json_schema"]["schema"], root, "other hosts take any root");
    }
}

/// Strict mode refuses more than open objects; a request for it with such a schema would be refused whole.
#[test]
fn a_schema_with_words_that_strict_mode_refuses_is_not_strict() {
    let closed = |property: Value| json!({"type": "object", "properties": {"a": property}, "required": ["a"], "additionalProperties": false});
    let format = |property: Value| {
        ask(json!({"output_config": {"format": {"type": "json_schema", "schema": closed(property)}}}))
    };
    let tool =
        |property: Value| ask(json!({"tools": [{"name": "f", "strict": true, "input_schema": closed(property)}]}));
    for (property, strict) in [
        (json!({"type": "string", "pattern": "^a", "format": "date-time", "description": "d", "enum": ["a"]}), true),
        (json!({"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2}), true),
        (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), true),
        (json!({"$ref": "#/$defs/a"}), true),
        // A property's name is no such word.
        (closed(json!({"const": "x"})), true),
        (
            json!({"type": "object", "properties": {"default": {"type": "string"}}, "required": ["default"], "additionalProperties": false}),
            true,
        ),
        (json!({"allOf": [{"type": "string"}]}), false),
        (json!({"type": "string", "default": "x"}), false),
        (json!({"type": "string", "format": "uri"}), false),
        (json!({"type": "string", "minLength": 1}), false),
        (json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}), false),
        (json!({"$ref": "#/$defs/a", "description": "d"}), false),
        (json!({}), false),
        (json!(true), false),
    ] {
        for (to, of_format, of_tool) in [
            (gpt(), "/response_format/json_schema/strict", "/tools/0/function/strict"),
            (to(Wire::Responses, "openai", "gpt-5.1"), "/text/format/strict", "/tools/0/strict"),
        ] {
            let (body, dropped) = sent(Family::Messages, &format(property.clone()), &to);
            assert_eq!((body.pointer(of_format), dropped.is_empty()), (Some(&json!(strict)), strict), "{property}");
            let (body, dropped) = sent(Family::Messages, &tool(property.clone()), &to);
            assert_eq!((body.pointer(of_tool), dropped.is_empty()), (Some(&json!(strict)), strict), "{property}");
        }
    }
}

#[test]
fn json_object_becomes_a_wish() {
    let (body, dropped) = sent(Family::Chat, &hello(json!({"response_format": {"type": "json_object"}})), &sonnet());
    assert!(body["system"][0]["text"].as_str().is_some_and(|text| text.contains("JSON object")));
    assert_eq!(dropped, ["response_format"]);
}

#[test]
fn what_would_be_missed_makes_the_hop_unfit() {
    let audio_part =
        json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]}]);
    let file_id = json!([{"role": "user", "content": [{"type": "file", "file": {"file_id": "f1"}}]}]);
    let cases = [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 3}), "logprobs"),
        (json!({"modalities": ["text", "audio"]}), "audio"),
        (json!({"audio": {"voice": "alloy", "format": "mp3"}}), "audio"),
        (json!({"messages": audio_part}), "audio"),
        (json!({"messages": file_id}), "files"),
        (json!({"web_search_options": {}}), "web_search"),
        (json!({"moderation": {"model": "omni"}}), "moderation"),
        (json!({"tools": [{"type": "custom", "custom": {"name": "x"}}]}), "custom_tools"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "x", "parameters": {"type": "string"}}}]}),
            "tools",
        ),
        (json!({"messages": 5}), "messages"),
    ];
    for (more, feature) in cases {
        assert_eq!(unfit(Family::Chat, hello(more.clone()), &sonnet()), feature, "{more}");
    }
    let cases = [
        (json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}), "web_search"),
        (json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "bash"),
        (json!({"container": "c1"}), "container"),
        (json!({"mcp_servers": [{"url": "https://example.com"}]}), "mcp_servers"),
        (json!({"inference_geo": "eu"}), "inference_geo"),
        (json!({"compaction": {"type": "summary"}}), "compaction"),
        // What a tool runner of the SDK sends after the first turn: results alone, or nothing.
        (
            json!({"thread": {"type": "continue", "previous_message_id": "msg_1"},
                "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}]}),
            "thread",
        ),
        (json!({"thread": {"type": "continue", "previous_message_id": "msg_1"}, "messages": []}), "thread"),
        (json!({"stop_sequences": ["a", "b", "c", "d", "e"]}), "stop_sequences"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f1"}}]}]}),
            "files",
        ),
    ];
    for (more, feature) in cases {
        assert_eq!(unfit(Family::Messages, ask(more.clone()), &gpt()), feature, "{more}");
    }
}

/// Which sequence stopped an answer shows in its text: a model that takes none is passed over.
#[test]
fn a_stop_passes_over_models_that_take_none() {
    let stop = ask(json!({"stop_sequences": ["END"]}));
    for (provider, model, fits) in [
        ("openai", "gpt-4o", true),
        ("openai", "o3", false),
        ("openai", "gpt-5", false),
        ("xai", "grok-3", true),
        ("xai", "grok-3-mini", false),
        ("xai", "grok-4.5", false),
        ("xai", "grok-code-fast-1", false),
        ("xai", "grok-4-fast-non-reasoning", true),
    ] {
        let came = encode(Family::Messages, &stop, &to(Wire::Chat, provider, model), Translate::Lenient);
        assert_eq!(came.err().map(|unfit| unfit.0), (!fits).then(|| "stop_sequences".to_owned()), "{provider}/{model}");
    }
}

#[test]
fn what_says_nothing_is_nobodys_loss() {
    let quiet = hello(json!({
        "n": 1, "logprobs": false, "top_logprobs": 0, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {},
        "modalities": ["text"], "store": false, "service_tier": "auto", "response_format": {"type": "text"}, "tools": [],
    }));
    let encoded = encode(Family::Chat, &quiet, &sonnet(), Translate::Strict).expect("the hop fits");
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    let quiet = ask(json!({
        "thread": {"type": "create"}, "speed": "standard", "inference_geo": "global", "fallbacks": [], "something_new": [], "mcp_servers": [], "cache_control": null,
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": false, "input_examples": []}],
    }));
    for destination in [gpt(), to(Wire::Invoke, "bedrock", "anthropic.claude-sonnet-4-5")] {
        let encoded = encode(Family::Messages, &quiet, &destination, Translate::Strict).expect("the hop fits");
        assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    }
    // What holds without being said, too, where the target would not let it be said.
    let defaults = json!({"temperature": 1, "top_p": 1.0, "verbosity": "medium", "metadata": {}});
    let opus = to(Wire::Messages, "anthropic", "claude-opus-4-8");
    let o3 = to(Wire::Chat, "openai", "o3");
    for (family, body, to) in [
        (Family::Chat, hello(defaults.clone()), sonnet()),
        (Family::Chat, hello(defaults.clone()), opus),
        (Family::Messages, ask(json!({"temperature": 1, "top_p": 1})), o3.clone()),
        (
            Family::Responses,
            json!({"input": "hi", "parallel_tool_calls": true, "tools": [{"type": "function", "name": "f"}]}),
            o3,
        ),
    ] {
        let encoded = encode(family, &body, &to, Translate::Strict).expect("the hop fits");
        assert!(encoded.dropped.is_empty(), "{}: {:?}", to.model, encoded.dropped);
    }
}

#[test]
fn however_many_fields_nobody_knows_they_are_dropped_in_time_and_a_thousand_are_listed() {
    let many: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("k{n:06}"), json!(1))).collect();
    let hi = json!([{"role": "user", "content": "Hi"}]);
    for (family, body, first) in [
        (Family::Responses, json!({"model": "m", "input": "Hi", "reasoning": many}), "reasoning.k000000"),
        (Family::Responses, json!({"model": "m", "input": "Hi", "text": many}), "text.k000000"),
        (
            Family::Messages,
            json!({"model": "m", "max_tokens": 9, "messages": hi, "output_config": many}),
            "output_config.k000000",
        ),
    ] {
        let (_, dropped) = sent(family, &body, &if family == Family::Messages { gpt() } else { sonnet() });
        assert_eq!((dropped.len(), dropped[0].as_str()), (1_000, first));
    }
}

#[test]
fn what_only_biases_is_dropped_and_listed() {
    let cases = [
        (json!({"seed": 7}), "seed"),
        (json!({"presence_penalty": 0.5}), "presence_penalty"),
        (json!({"logit_bias": {"5": 1}}), "logit_bias"),
        (json!({"verbosity": "low"}), "verbosity"),
        (json!({"store": true}), "store"),
        (json!({"metadata": {"a": "b"}}), "metadata"),
        (json!({"prediction": {"type": "content", "content": "x"}}), "prediction"),
        (json!({"prompt_cache_key": "k"}), "prompt_cache_key"),
        (json!({"service_tier": "flex"}), "service_tier"),
        (json!({"something_new": 1}), "something_new"),
        (json!({"stop": ["x", "\n"]}), "stop"),
    ];
    for (more, path) in cases {
        let (_, dropped) = sent(Family::Chat, &hello(more.clone()), &sonnet());
        assert_eq!(dropped, [path], "{more}");
        let refused = encode(Family::Chat, &hello(more.clone()), &sonnet(), Translate::Strict);
        assert_eq!(refused, Err(Incompatible(path.to_owned())), "{more}");
    }
    // A number that other hosts take for all of them.
    assert_eq!(sent(Family::Chat, &hello(json!({"top_k": -1})), &sonnet()).1, ["top_k"]);
    let cases = [
        (json!({"top_k": 4}), "top_k"),
        (json!({"thinking": {"type": "adaptive"}}), "thinking"),
        (json!({"context_management": {"edits": []}}), "context_management"),
        (json!({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}), "cache_control"),
    ];
    for (more, path) in cases {
        assert_eq!(sent(Family::Messages, &ask(more.clone()), &gpt()).1, [path], "{more}");
    }
}

/// Within messages and tools, too, what no other wire has a word for is told of, once.
#[test]
fn what_is_not_read_within_a_body_is_listed() {
    let turn = |role: &str, more: Value| {
        let mut turn = json!({"role": role, "content": "a"});
        more.as_object().expect("fields").iter().for_each(|(name, value)| turn[name] = value.clone());
        json!({"messages": [turn, {"role": "user", "content": "b"}, turn]})
    };
    let tool = |tool: Value| json!({"tools": [tool, {"type": "function", "function": {"name": "g"}}]});
    let cases = [
        (turn("assistant", json!({"annotations": [{"type": "url_citation"}]})), vec!["messages.annotations"]),
        (turn("assistant", json!({"prefix": true, "weight": 1})), vec!["messages.prefix", "messages.weight"]),
        (turn("user", json!({"content": [{"type": "text", "text": "a", "new": 1}]})), vec!["messages.content.new"]),
        (
            tool(json!({"type": "function", "function": {"name": "f", "new": 1}, "other": "x"})),
            vec!["tools.other", "tools.function.new"],
        ),
        (json!({"functions": [{"name": "f", "new": 1}]}), vec!["functions.new"]),
        (
            json!({"stream": true, "stream_options": {"include_usage": true, "include_obfuscation": true, "new": 1}}),
            vec!["stream_options.new"],
        ),
        // An answer of OpenAI's as its SDKs give it back.
        (
            turn(
                "assistant",
                json!({"refusal": null, "annotations": [], "audio": null, "function_call": null, "tool_calls": null}),
            ),
            vec![],
        ),
        (turn("user", json!({"name": "", "new": ""})), vec!["messages.name"]),
        (json!({"stream": true, "stream_options": {"include_obfuscation": false}}), vec![]),
    ];
    for (more, paths) in cases {
        assert_eq!(sent(Family::Chat, &hello(more.clone()), &sonnet()).1, paths, "{more}");
        let strict = encode(Family::Chat, &hello(more.clone()), &sonnet(), Translate::Strict).err();
        assert_eq!(strict, paths.first().map(|path| Incompatible((*path).to_owned())), "{more}");
    }
}

/// Anthropic refuses a request for the name of one argument, as OData has them and tools made of web APIs: such a tool is called
/// with an object that holds them.
#[test]
fn arguments_of_any_name_cross_to_claude_and_back() {
    let schema = |name: &str| json!({"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]});
    let tool =
        |called: &str, schema: &Value| json!({"type": "function", "function": {"name": called, "parameters": schema}});
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let (odd, plain) = (schema("$top"), schema("a.b-c_1"));
    let body = json!({"model": "m", "tools": [tool("odd.tool", &odd), tool("plain", &plain), tool("long", &schema(&"x".repeat(65)))], "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [call("c1", "odd.tool", "{\"$top\":1}"), call("c2", "plain", "{}")]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"}, {"role": "tool", "tool_call_id": "c2", "content": "r"},
    ]});
    let encoded = encode(Family::Chat, &body, &sonnet(), Translate::Strict).expect("the hop fits, and nothing is lost");
    let claude: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    let input_schema = |n: usize| &claude["tools"][n]["input_schema"];
    assert_eq!(input_schema(0), &json!({"type": "object", "properties": {"value": odd}, "required": ["value"]}));
    assert_eq!((input_schema(1), &input_schema(2)["required"]), (&plain, &json!(["value"])));
    let calls = &claude["messages"][1]["content"];
    assert_eq!((&calls[0]["input"], &calls[1]["input"]), (&json!({"value": {"$top": 1}}), &json!({})));

    let name = claude["tools"][0]["name"].as_str().expect("a name").to_owned();
    let begun = |index: usize, name: &str| {
        let (id, name, kind) = (format!("t{index}"), name.to_owned(), CallKind::Function);
        Event::ToolStart { index, id, name, kind }
    };
    let piece = |index: usize, json: &str| Event::ToolArguments { index, json: json.to_owned() };
    let mut events =
        vec![begun(0, &name), piece(0, "{\"value\": {\"$top\""), piece(0, ": 2}}"), Event::ToolEnd { index: 0 }];
    events.extend([begun(1, "plain"), piece(1, "{\"value\":3}"), Event::ToolEnd { index: 1 }]);
    // One that forgot the object means what it says.
    events.extend([begun(2, &name), piece(2, "{\"$top\":4,\"value\":5}"), Event::ToolEnd { index: 2 }]);
    events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
    let answer = dialect::write_answer(Family::Chat, events, &Voice::default(), encoded.reply).expect("no error");
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let calls = answer["choices"][0]["message"]["tool_calls"].as_array().expect("calls");
    let called: Vec<(&str, &str)> = calls
        .iter()
        .map(|call| {
            (call["function"]["name"].as_str().expect("a name"), call["function"]["arguments"].as_str().expect("text"))
        })
        .collect();
    assert_eq!(
        called,
        [("odd.tool", "{\"$top\":2}"), ("plain", "{\"value\":3}"), ("odd.tool", "{\"$top\":4,\"value\":5}")]
    );

    let format = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": odd}});
    let haiku = to(Wire::Messages, "anthropic", "claude-3-5-haiku");
    let stand_in = encode(Family::Chat, &hello(json!({"response_format": format})), &haiku, Translate::Lenient);
    assert!(stand_in.expect("the hop fits").reply.json_wrapped, "the tool that stands in for a schema, too");
}

/// OpenAI's models for code cannot but reason, and the largest reason hard.
#[test]
fn effort_is_within_what_a_kind_of_model_takes() {
    let effort = |thinking: Value, model: &'static str| {
        let (body, _) =
            sent(Family::Messages, &ask(json!({"thinking": thinking})), &to(Wire::Responses, "openai", model));
        body["reasoning"]["effort"].clone()
    };
    let (off, little) = (json!({"type": "disabled"}), json!({"type": "enabled", "budget_tokens": 1024}));
    for (model, without, least) in [
        ("gpt-5", "minimal", "low"),
        ("gpt-5.2", "none", "low"),
        ("gpt-5-codex", "low", "low"),
        ("gpt-5.1-codex-max", "low", "low"),
        ("gpt-5-pro", "high", "high"),
        ("gpt-5.2-pro", "medium", "medium"),
        ("o3-pro", "low", "low"),
    ] {
        assert_eq!(
            (effort(off.clone(), model), effort(little.clone(), model)),
            (json!(without), json!(least)),
            "{model}"
        );
    }
    let minimal = json!({"input": "Hi", "reasoning": {"effort": "minimal"}});
    for (model, level) in [("gpt-5", "minimal"), ("gpt-5.1", "low"), ("gpt-5.6", "low")] {
        let (body, _) = sent(Family::Responses, &minimal, &to(Wire::Chat, "azure", model));
        assert_eq!(body["reasoning_effort"], level, "{model}");
    }
}

/// DeepSeek's API and Groq's for models of text refuse a list where they look for text.
#[test]
fn texts_are_one_text_where_hosts_refuse_a_list() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}});
    let content = |parts: Value, provider: &'static str| {
        let body = ask(json!({"messages": [{"role": "user", "content": parts}]}));
        sent(Family::Messages, &body, &to(Wire::Chat, provider, "m")).0["messages"][0]["content"].clone()
    };
    for provider in ["deepseek", "groq", "nebius", "cerebras"] {
        assert_eq!(content(json!([text("a"), text("b")]), provider), "a\n\nb");
        assert_eq!(content(json!([text("a"), text("b"), image]), provider).as_array().map(Vec::len), Some(3));
    }
    for provider in ["openai", "google", "acme"] {
        assert_eq!(content(json!([text("a"), text("b")]), provider), json!([text("a"), text("b")]));
    }
}

/// The same of a Messages client's.
#[test]
fn what_is_not_read_within_a_messages_clients_body_is_listed() {
    let turn = |more: Value| {
        let mut turn = json!({"role": "user", "content": "a"});
        more.as_object().expect("fields").iter().for_each(|(name, value)| turn[name] = value.clone());
        json!({"messages": [turn, {"role": "assistant", "content": "b"}, turn]})
    };
    let text = |more: &str| json!([{"type": "text", "text": "a", more: 1}]);
    let result =
        json!([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r", "new": 1}]}]);
    let call = json!([{"type": "tool_use", "id": "t", "name": "f", "input": {"new": 1}, "caller": {"type": "direct"}}]);
    let called = json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": call}, {"role": "user", "content": result}]});
    let cases = [
        (turn(json!({"new": true})), vec!["messages.new"]),
        (turn(json!({"content": text("new")})), vec!["messages.content.new"]),
        (called, vec!["messages.content.new"]),
        (json!({"system": text("new")}), vec!["system.new"]),
        (json!({"tools": [{"name": "f", "input_schema": {"type": "object", "new": 1}, "new": 1}]}), vec!["tools.new"]),
        (json!({"metadata": {"user_id": "u", "new": 1}}), vec!["metadata.new"]),
        (json!({"thinking": {"type": "disabled", "new": 1}}), vec!["thinking.new"]),
        (
            turn(
                json!({"new": null, "content": [{"type": "text", "text": "a", "citations": null, "cache_control": null}]}),
            ),
            vec![],
        ),
    ];
    for (more, paths) in cases {
        assert_eq!(sent(Family::Messages, &ask(more.clone()), &gpt()).1, paths, "{more}");
    }
}

/// Routers to Claude take its hints from chat's clients, in its own word.
#[test]
fn a_cache_hint_in_claudes_word_reaches_claude() {
    let text = |control: Value| json!([{"type": "text", "text": "a", "cache_control": control}]);
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": text(json!({"type": "ephemeral"}))},
        {"role": "user", "content": text(json!({"type": "ephemeral", "ttl": "1h"}))},
        {"role": "assistant", "content": text(Value::Null)},
        {"role": "user", "content": "b"},
    ]});
    let (claude, dropped) = sent(Family::Chat, &body, &sonnet());
    // Anthropic refuses one that lives short before one that lives long.
    let long = json!({"type": "ephemeral", "ttl": "1h"});
    assert_eq!(claude["system"][0]["cache_control"], long);
    assert_eq!(claude["messages"][0]["content"][0]["cache_control"], long);
    assert_eq!((claude["messages"][1]["content"][0].get("cache_control"), dropped.len()), (None, 0));
    assert_eq!(sent(Family::Chat, &body, &to(Wire::Responses, "openai", "gpt-5.1")).1, ["cache_control"]);
}

/// Magistral's answers come back with what it thought in them, as parts.
#[test]
fn thoughts_within_an_answer_are_left_out() {
    let thought = json!({"type": "thinking", "thinking": [{"type": "text", "text": "t"}], "closed": true});
    let said = json!([thought, {"type": "text", "text": "b"}]);
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": said}, {"role": "user", "content": "c"},
    ]});
    let (claude, dropped) = sent(Family::Chat, &body, &sonnet());
    assert_eq!(claude["messages"][1]["content"], json!([{"type": "text", "text": "b"}]));
    assert_eq!(dropped, ["messages.thinking"]);
}

/// Anthropic wants ids that say nothing of the person.
#[test]
fn a_user_who_is_an_address_goes_as_a_hash() {
    let user = |user: &str| chat_to_claude(hello(json!({"user": user})))["metadata"]["user_id"].clone();
    assert_eq!(user("u-7"), "u-7");
    for personal in ["ann@example.com", "+15551234567", "x".repeat(257).as_str()] {
        let id = user(personal).as_str().expect("an id").to_owned();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{personal}: {id}");
        assert_eq!(user(personal), id, "the same user stays the same");
    }
}

#[test]
fn service_tiers_have_other_names() {
    assert_eq!(chat_to_claude(hello(json!({"service_tier": "default"})))["service_tier"], "standard_only");
    assert_eq!(claude_to_chat(ask(json!({"service_tier": "standard_only"})))["service_tier"], "default");
    // A tier that chat does not have is left out there.
    for (tier, expected, dropped) in [("priority", json!("priority"), 0), ("ultrafast", Value::Null, 1)] {
        let body = json!({"model": "m", "input": "Hi", "service_tier": tier});
        let (sent, list) = sent(Family::Responses, &body, &gpt());
        assert_eq!((&sent["service_tier"], list), (&expected, vec!["service_tier".to_owned(); dropped]), "{tier}");
    }
}

#[test]
fn bedrock_and_vertex_wrap_the_same_body() {
    let body = hello(json!({"stream": true, "max_tokens": 10}));
    let (invoke, _) = sent(Family::Chat, &body, &to(Wire::Invoke, "bedrock", "anthropic.claude-sonnet-4-5"));
    assert_eq!((invoke.get("model"), invoke.get("stream")), (None, None));
    assert_eq!(invoke["anthropic_version"], "bedrock-2023-05-31");
    let (vertex, _) = sent(Family::Chat, &body, &to(Wire::RawPredict, "vertex", "claude-sonnet-4-5"));
    assert_eq!((vertex.get("model"), &vertex["stream"]), (None, &json!(true)));
    assert_eq!(vertex["anthropic_version"], "vertex-2023-10-16");
}

#[test]
fn long_names_of_tools_are_shortened_and_noted() {
    let long = "mcp__server__".to_owned() + &"x".repeat(70);
    let body = ask(
        json!({"tools": [{"name": long, "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": long}}),
    );
    let encoded = encode(Family::Messages, &body, &gpt(), Translate::Lenient).expect("the hop fits");
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    let name = sent["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(name.len() <= 64);
    assert_eq!(sent["tool_choice"]["function"]["name"], name);
    assert_eq!(encoded.reply.renamed, [(name.to_owned(), long)].into_iter().collect());
}

#[test]
fn long_user_ids_are_hashed_for_openai() {
    let user = "user_".to_owned() + &"x".repeat(100);
    let body = claude_to_chat(ask(json!({"metadata": {"user_id": user}})));
    assert_eq!(body["safety_identifier"].as_str().map(str::len), Some(64));
}

#[test]
fn gemini_3_gets_a_signature_for_foreign_calls() {
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r"}]},
    ], "tools": [{"name": "f", "input_schema": {"type": "object"}}]}));
    let (body, _) = sent(Family::Messages, &body, &to(Wire::Chat, "google", "gemini-3-pro"));
    let signature = &body["messages"][1]["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    assert_eq!(signature, "skip_thought_signature_validator");
}

/// What a model refused is told apart from what it said, where the wire does.
#[test]
fn a_refusal_in_the_history_stays_one_between_openais_wires() {
    let items = json!([{"role": "user", "content": "a"}, {"type": "message", "role": "assistant", "content": [
        {"type": "output_text", "text": "x", "annotations": []}, {"type": "refusal", "refusal": "no"}]}, {"role": "user", "content": "b"}]);
    let of = |to: Destination<'static>| sent(Family::Responses, &json!({"model": "m", "input": items}), &to).0;
    let said = json!({"role": "assistant", "content": "x", "refusal": "no"});
    assert_eq!(of(gpt())["messages"][1], said);
    assert_eq!(of(to(Wire::Chat, "acme", "m"))["messages"][1], said);
    assert_eq!(of(to(Wire::Chat, "groq", "m"))["messages"][1], json!({"role": "assistant", "content": "xno"}));
    let blocks = json!([{"type": "text", "text": "x"}, {"type": "text", "text": "no"}]);
    assert_eq!(of(sonnet())["messages"][1]["content"], blocks);
    for refused in [
        json!({"role": "assistant", "content": null, "refusal": "no"}),
        json!({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}),
    ] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}, refused, {"role": "user", "content": "b"}]});
        let (body, _) = sent(Family::Chat, &body, &to(Wire::Responses, "openai", "gpt-4o"));
        assert_eq!(body["input"][1]["content"], json!([{"type": "refusal", "refusal": "no"}]));
    }
}

/// What nobody knows of a host is tried.
#[test]
fn a_host_of_the_owners_is_sent_openais_own_fields() {
    let body = json!({"model": "m", "input": "Hi", "text": {"verbosity": "low"}, "metadata": {"a": "b"}, "prompt_cache_key": "k", "service_tier": "flex"});
    let (sent, dropped) = sent(Family::Responses, &body, &to(Wire::Chat, "acme", "m"));
    for (name, value) in [
        ("verbosity", json!("low")),
        ("metadata", json!({"a": "b"})),
        ("prompt_cache_key", json!("k")),
        ("service_tier", json!("flex")),
    ] {
        assert_eq!(sent[name], value, "{name}");
    }
    assert_eq!(dropped, Vec::<String>::new());
}

/// A chat client's history goes there as it is, but for what Gemini 3 would refuse it for.
#[test]
fn a_chat_clients_own_history_is_signed_for_gemini_3_where_it_is_not() {
    let written = |calls: Value| {
        let messages =
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": calls}]);
        signature::signed(messages.to_string().as_bytes())
            .map(|raw| serde_json::from_str::<Value>(raw.get()).expect("JSON"))
    };
    let call = |extra: Value| json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra});
    let plain = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let signed = written(json!([plain, plain])).expect("it lacks a signature");
    let at =
        |call: &str| signed.pointer(&format!("/1/tool_calls/{call}/extra_content/google/thought_signature")).cloned();
    assert_eq!((at("0"), at("1")), (Some(json!("skip_thought_signature_validator")), None));
    assert_eq!(signed[0], json!({"role": "user", "content": "a"}));
    let other = written(json!([call(json!({"google": {"x": 1}, "y": 2}))])).expect("it lacks one");
    let kept = json!({"google": {"x": 1, "thought_signature": "skip_thought_signature_validator"}, "y": 2});
    assert_eq!(other[1]["tool_calls"][0]["extra_content"], kept);
    for nothing in [Value::Null, json!({"google": null}), json!({"google": {"thought_signature": null}})] {
        let signed = written(json!([call(nothing.clone())])).expect("it lacks one");
        let expected = json!({"google": {"thought_signature": "skip_thought_signature_validator"}});
        assert_eq!(signed[1]["tool_calls"][0]["extra_content"], expected, "{nothing}");
    }
    for whole in
        [json!([call(json!({"google": {"thought_signature": "own"}})), plain]), json!([]), json!("x"), json!([1])]
    {
        assert_eq!(written(whole.clone()), None, "{whole}");
    }
    assert!(signature::signed(br#"[{"role": "user", "content": "no "tool_calls" here"}]"#).is_none());
}

#[test]
fn mistral_has_ids_of_nine() {
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "r"}]},
    ]}));
    let (body, _) = sent(Family::Messages, &body, &to(Wire::Chat, "mistral", "mistral-large"));
    let id = body["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
    assert_eq!(body["messages"][2]["tool_call_id"], id);
}

#[test]
fn cache_breakpoints_cross_to_claude() {
    for (options, expected) in [
        (json!({"ttl": "24h"}), json!({"type": "ephemeral", "ttl": "1h"})),
        (json!({"ttl": "30m"}), json!({"type": "ephemeral"})),
    ] {
        let part = json!({"type": "text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}});
        let body = json!({"messages": [{"role": "user", "content": [part]}], "prompt_cache_options": options});
        let (body, dropped) = sent(Family::Chat, &body, &sonnet());
        assert_eq!((&body["messages"][0]["content"][0]["cache_control"], dropped), (&expected, vec![]));
        let part = json!({"type": "input_text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}});
        let output = json!({"type": "function_call_output", "call_id": "c", "output": [part]});
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
        let input = json!([{"role": "user", "content": [part]}, call, output]);
        let (body, dropped) =
            sent(Family::Responses, &json!({"input": input, "prompt_cache_options": options}), &sonnet());
        assert_eq!((&body["messages"][0]["content"][0]["cache_control"], dropped), (&expected, vec![]));
        assert_eq!(body["messages"][2]["content"][0]["content"][0]["cache_control"], expected);
        // Without a breakpoint they ask for what Anthropic does not do by itself.
        for (family, body) in [(Family::Chat, hello(json!({}))), (Family::Responses, json!({"input": "Hi"}))] {
            let mut body = body;
            body["prompt_cache_options"] = options.clone();
            assert_eq!(sent(family, &body, &sonnet()).1, ["prompt_cache_options"]);
        }
    }
    let part = json!({"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}});
    let body =
        |parts: usize| json!({"model": "m", "messages": [{"role": "user", "content": vec![part.clone(); parts]}]});
    let (one, dropped) = sent(Family::Chat, &body(1), &sonnet());
    assert_eq!(one["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
    assert!(dropped.is_empty(), "{dropped:?}");
    // There is room for four.
    let (five, dropped) = sent(Family::Chat, &body(5), &sonnet());
    let marked = five["messages"][0]["content"].as_array().expect("blocks").iter();
    assert_eq!(marked.filter(|block| block.get("cache_control").is_some()).count(), 4);
    assert_eq!(dropped, ["prompt_cache_breakpoint"]);
}

#[test]
fn a_cache_breakpoint_may_ask_for_a_life_of_its_own() {
    let asks = |ttl: &str| json!({"mode": "explicit", "ttl": ttl});
    let (short, long) = (json!({"type": "ephemeral"}), json!({"type": "ephemeral", "ttl": "1h"}));
    for (ttls, expected) in [
        (["12h", "30m"], [&long, &short]),
        (["30m", "30m"], [&short, &short]),
        // What lives long stands first at Anthropic.
        (["30m", "12h"], [&long, &long]),
    ] {
        for (family, kind, list) in [(Family::Chat, "text", "messages"), (Family::Responses, "input_text", "input")] {
            let parts: Vec<Value> = ttls
                .iter()
                .map(|ttl| json!({"type": kind, "text": "a", "prompt_cache_breakpoint": asks(ttl)}))
                .collect();
            let (body, dropped) =
                sent(family, &json!({"model": "m", list: [{"role": "user", "content": parts}]}), &sonnet());
            let content = &body["messages"][0]["content"];
            assert_eq!([&content[0]["cache_control"], &content[1]["cache_control"]], expected, "{ttls:?}");
            assert!(dropped.is_empty(), "{dropped:?}");
        }
    }
}

/// Every recorded request of a family goes to the other one, or says what it lacks.
#[test]
fn recorded_requests_cross() {
    for (case, bytes) in recorded::files("request.json") {
        let families = [("openai/", Family::Chat, sonnet()), ("anthropic/", Family::Messages, gpt())];
        let Some((_, family, to)) = families.into_iter().find(|(prefix, ..)| case.starts_with(prefix)) else {
            continue;
        };
        let encoded = dialect::translate_request(family, &bytes, &to, &Facts::default(), Translate::Lenient);
        let hosted = ["code-execution", "web-search", "moderation"].iter().any(|word| case.contains(word));
        assert_eq!(encoded.is_err(), hosted, "{case}: {:?}", encoded.err());
    }
}

#[test]
fn a_known_lack_of_schemas_takes_the_tool() {
    let body = hello(
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}}}),
    );
    let facts = Facts { supports: Some(vec![Feature::Tools]), ..Facts::default() };
    let encoded =
        dialect::translate_request(Family::Chat, body.to_string().as_bytes(), &sonnet(), &facts, Translate::Lenient);
    assert!(encoded.expect("the hop fits").reply.json_tool.is_some());
}

/// Claude Code marks the last block of each request, which in a loop of tools is a result.
#[test]
fn a_breakpoint_behind_a_result_stays_with_it_or_is_listed() {
    let hint = json!({"type": "ephemeral"});
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result =
        |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "r", "cache_control": hint.clone()});
    let body = |results: Value| {
        ask(json!({"messages": [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": [call("t1"), call("t2")]}, {"role": "user", "content": results},
        ]}))
    };
    let plain = json!({"type": "tool_result", "tool_use_id": "t1", "content": "r"});
    for (wire, provider, model) in [(Wire::Chat, "openai", "gpt-4o"), (Wire::Responses, "openai", "gpt-4o")] {
        let (_, dropped) = sent(Family::Messages, &body(json!([plain, result("t2")])), &to(wire, provider, model));
        assert_eq!(dropped, ["cache_control"], "{wire:?}");
    }
    let nova = to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0");
    for (results, expected) in [
        (json!([plain, result("t2")]), ["toolResult", "toolResult", "cachePoint"].as_slice()),
        (
            json!([result("t2"), result("t1"), {"type": "text", "text": "go on"}]),
            &["toolResult", "cachePoint", "toolResult", "cachePoint", "text"],
        ),
    ] {
        let (sent, dropped) = sent(Family::Messages, &body(results), &nova);
        let blocks = sent["messages"][2]["content"].as_array().expect("blocks").iter();
        let kinds: Vec<&str> = blocks.filter_map(|block| Some(block.as_object()?.keys().next()?.as_str())).collect();
        assert_eq!((kinds.as_slice(), dropped), (expected, vec![]));
    }
}

/// Bedrock refuses a cache point with nothing before it, and knows none within a result.
#[test]
fn a_cache_point_has_something_before_it() {
    let nova = to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0");
    let hint = json!({"type": "ephemeral"});
    let blank = json!({"type": "text", "text": " ", "cache_control": hint});
    let (body, dropped) = sent(
        Family::Messages,
        &ask(json!({"messages": [{"role": "user", "content": [blank, {"type": "text", "text": "a"}]}]})),
        &nova,
    );
    assert_eq!(body["messages"][0]["content"], json!([{"text": "a"}]));
    assert_eq!(dropped, ["cache_control"]);
    let part = json!({"type": "text", "text": "r", "prompt_cache_breakpoint": {"mode": "explicit"}});
    let body = json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c1", "content": [part]},
    ]});
    let (body, dropped) = sent(Family::Chat, &body, &nova);
    assert_eq!(body["messages"][2]["content"][1], json!({"cachePoint": {"type": "default"}}));
    assert_eq!(
        (&body["messages"][2]["content"][0]["toolResult"]["content"], dropped),
        (&json!([{"text": "r"}]), vec![])
    );
}

/// Bedrock refuses a request with more.
#[test]
fn a_request_has_four_cache_points_at_most() {
    let nova = to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0");
    let part = |text: usize| json!({"type": "text", "text": text.to_string(), "prompt_cache_breakpoint": {"mode": "explicit"}});
    let points = |parts: usize| {
        let system = json!({"role": "system", "content": [part(0)]});
        let user = json!({"role": "user", "content": (1..parts).map(part).collect::<Vec<_>>()});
        let (body, dropped) = sent(Family::Chat, &json!({"messages": [system, user]}), &nova);
        (body.to_string().matches("cachePoint").count(), dropped)
    };
    assert_eq!(points(4), (4, vec![]));
    assert_eq!(points(6), (4, vec!["prompt_cache_breakpoint".to_owned()]));
}

/// Closed, as Claude's schemas are, an object that names no property can only be `{}`.
#[test]
fn an_object_of_any_kind_in_a_schema_is_said_to_be_closed() {
    let format = |schema: Value| {
        hello(json!({"response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": schema}}}))
    };
    let any = json!({"type": "object", "properties": {"m": {"type": "object"}}});
    let (body, dropped) = sent(Family::Chat, &format(any), &sonnet());
    let map = &body["output_config"]["format"]["schema"]["properties"]["m"];
    assert_eq!(
        map,
        &json!({"type": "object", "additionalProperties": false, "description": "{additionalProperties: true}"})
    );
    assert_eq!(dropped, ["response_format"]);
    for known in [
        json!({"type": "object", "properties": {"a": {"type": "string"}}}),
        json!({"type": "object", "anyOf": [{"properties": {"a": {"type": "string"}}}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
    ] {
        assert!(sent(Family::Chat, &format(known.clone()), &sonnet()).1.is_empty(), "{known}");
    }
}

/// Versions that came after the table are taken for the newest, not for the first of their line.
#[test]
fn a_later_version_of_claude_is_taken_for_the_newest() {
    let thinking = |model: &'static str| {
        let body = hello(json!({"reasoning_effort": "xhigh", "max_tokens": 9_000}));
        sent(Family::Chat, &body, &to(Wire::Messages, "anthropic", model)).0["thinking"]["type"].clone()
    };
    for (model, kind) in [
        ("claude-opus-4-9", "adaptive"),
        ("claude-sonnet-4.7", "adaptive"),
        ("claude-opus-5-5", "adaptive"),
        ("claude-sonnet-4-0", "enabled"),
        ("claude-sonnet-4-20250514", "enabled"),
        ("anthropic.claude-opus-4-20250514-v1:0", "enabled"),
        ("claude-opus-4@20250514", "enabled"),
        ("claude-sonnet-4", "enabled"),
    ] {
        assert_eq!(thinking(model), kind, "{model}");
    }
    let rests = hello(json!({"reasoning_effort": "none"}));
    // What nobody knows is tried, and as it was asked for.
    let acme = |model| to(Wire::Chat, "acme", model);
    let asked = json!({"model": "m", "input": "Hi", "reasoning": {"effort": "none"}});
    assert_eq!(sent(Family::Responses, &asked, &acme("m")).0["reasoning_effort"], "none");
    assert_eq!(sent(Family::Responses, &asked, &acme("o3")).0["reasoning_effort"], "low");
    let fable = to(Wire::Messages, "anthropic", "claude-fable-5-1");
    assert_eq!(sent(Family::Chat, &rests, &fable).1, ["reasoning_effort"], "it cannot be told not to think");
}

/// A parameter of sampling gives way only to one that is sent.
#[test]
fn top_p_stays_where_thinking_has_taken_the_temperature() {
    let body = hello(json!({"temperature": 0.3, "top_p": 0.97, "reasoning_effort": "low", "max_tokens": 9_000}));
    let (body, dropped) = sent(Family::Chat, &body, &sonnet());
    assert_eq!(
        (body.get("temperature"), &body["top_p"], dropped),
        (None, &json!(0.97), vec!["temperature".to_owned()])
    );
}

/// xAI refuses the word for all but a few of its models, and the small one knows no medium.
#[test]
fn groks_are_told_how_hard_to_think_where_they_listen() {
    let body = ask(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}));
    let facts = Facts { supports: Some(vec![Feature::Reasoning]), ..Facts::default() };
    for (provider, model, effort) in [
        ("xai", "grok-4", None),
        ("xai", "grok-4-fast-reasoning", None),
        ("xai", "grok-3-mini", Some("low")),
        ("xai", "grok-4.3", Some("medium")),
        ("vertex", "xai/grok-4.1-fast-reasoning", None),
        ("openrouter", "x-ai/grok-4", Some("medium")),
        ("acme", "m", Some("medium")),
    ] {
        let to = Destination { max_output_tokens: None, ..Destination::of(Wire::Chat, provider, model) };
        let encoded =
            dialect::translate_request(Family::Messages, body.to_string().as_bytes(), &to, &facts, Translate::Lenient);
        let encoded = encoded.expect("the hop fits");
        let sent: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        assert_eq!(sent.get("reasoning_effort").and_then(Value::as_str), effort, "{provider}/{model}");
        assert_eq!(encoded.dropped.is_empty(), effort.is_some(), "{:?}", encoded.dropped);
    }
}

/// Dated versions of Azure's API refuse `safety_identifier`; Mistral refuses every name for it.
#[test]
fn the_user_has_the_name_that_the_host_knows() {
    for (provider, name) in [("openai", "safety_identifier"), ("azure", "user"), ("groq", "user"), ("mistral", "")] {
        let body = ask(json!({"metadata": {"user_id": "u1"}}));
        let (body, dropped) = sent(Family::Messages, &body, &to(Wire::Chat, provider, "gpt-4o"));
        let named = ["user", "safety_identifier"].into_iter().find(|name| body.get(*name).is_some());
        assert_eq!(named.unwrap_or_default(), name, "{provider}");
        assert_eq!(dropped.is_empty(), !name.is_empty(), "{provider}: {dropped:?}");
    }
}

/// Gemini on Vertex reads images that came along, or from Google's own storage.
#[test]
fn gemini_on_vertex_fetches_no_image() {
    let turn = |url: &str| {
        ask(
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": url}}]}]}),
        )
    };
    let vertex = to(Wire::Chat, "vertex", "google/gemini-2.5-pro");
    for url in ["https://example.com/a.png", "HTTP://example.com/a.png"] {
        assert_eq!(unfit(Family::Messages, turn(url), &vertex), "image_url");
    }
    let stored = sent(Family::Messages, &turn("gs://bucket/a.png"), &vertex).0;
    assert_eq!(stored["messages"][0]["content"][0]["image_url"]["url"], "gs://bucket/a.png");
    assert!(encode(Family::Messages, &turn("https://example.com/a.png"), &gpt(), Translate::Lenient).is_ok());
}

/// Mistral's templates want them wherever its models run.
#[test]
fn mistrals_models_have_ids_of_nine_at_every_host() {
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "r"}]},
    ]}));
    for (provider, model) in [("deepinfra", "mistralai/Mistral-Small-3.2"), ("together", "mistralai/Mixtral-8x7B")] {
        let (body, _) = sent(Family::Messages, &body, &to(Wire::Chat, provider, model));
        let id = &body["messages"][1]["tool_calls"][0]["id"];
        assert!(id.as_str().is_some_and(|id| id.len() == 9), "{provider}: {id}");
        assert_eq!(&body["messages"][2]["tool_call_id"], id);
    }
}

/// OpenAI tells a file's format by the end of its name, which a title need not have.
#[test]
fn a_document_has_the_name_of_a_file() {
    let body = |kind: &str, title: Value| {
        let source = json!({"type": "base64", "media_type": kind, "data": "QUJD"});
        ask(
            json!({"messages": [{"role": "user", "content": [{"type": "document", "source": source, "title": title}]}]}),
        )
    };
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (kind, title, name) in [
        ("application/pdf", json!("Report 2024"), "Report 2024.pdf"),
        ("application/pdf", json!("v1.2 of the plan"), "v1.2 of the plan.pdf"),
        ("application/pdf", json!("a.PDF"), "a.PDF"),
        ("application/pdf", Value::Null, "document.pdf"),
        ("text/csv", json!("numbers"), "numbers.csv"),
        ("text/plain", Value::Null, "document.txt"),
        (docx, Value::Null, "document.docx"),
    ] {
        let (sent, _) = sent(Family::Messages, &body(kind, title), &to(Wire::Responses, "openai", "gpt-4o"));
        assert_eq!(sent["input"][0]["content"][0]["filename"], name, "{kind}");
    }
    let sent = claude_to_chat(body("application/pdf", json!("Report 2024")));
    assert_eq!(sent["messages"][0]["content"][0]["file"]["filename"], "Report 2024.pdf");
}

/// Clients send back what they got, and most answers have no reasoning.
#[test]
fn an_empty_reasoning_is_no_loss() {
    let said = |reasoning: Value| json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": reasoning}, {"role": "user", "content": "c"}]});
    assert!(sent(Family::Chat, &said(json!("")), &sonnet()).1.is_empty());
    assert_eq!(sent(Family::Chat, &said(json!("hm")), &sonnet()).1, ["messages.reasoning_content"]);
}

/// Chat alone has a tool's fields a level deeper.
#[test]
fn a_tools_field_is_listed_as_the_client_wrote_it() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}});
    let nova = to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0");
    let function = json!({"name": "f", "strict": true, "parameters": schema});
    let chat = hello(json!({"tools": [{"type": "function", "function": function}]}));
    let mut flat = function;
    flat["type"] = json!("function");
    let responses = json!({"input": "Hi", "tools": [flat]});
    let messages = ask(json!({"tools": [{"name": "f", "strict": true, "input_schema": schema}]}));
    for (family, body, to, path) in [
        (Family::Chat, &chat, &nova, "tools.function.strict"),
        (Family::Responses, &responses, &nova, "tools.strict"),
        (Family::Messages, &messages, &nova, "tools.strict"),
        (Family::Chat, &chat, &sonnet(), "tools.function.parameters"),
        (Family::Responses, &responses, &sonnet(), "tools.parameters"),
    ] {
        assert_eq!(sent(family, body, to).1, [path], "{family:?}");
    }
}

/// What has another name in each family is told of by the client's own.
#[test]
fn what_is_lost_has_the_name_that_the_client_knows() {
    let image = json!({"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "low"});
    let items = json!([
        {"role": "user", "content": [image]},
        {"type": "function_call_output", "call_id": "lost", "output": "r"},
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": "It is"},
    ]);
    let expected = ["input.role", "input.function_call_output", "input.prefill", "input.input_image.detail"];
    let nova = to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0");
    assert_eq!(sent(Family::Responses, &json!({"input": items}), &nova).1, expected);
    let strict = encode(Family::Responses, &json!({"input": items}), &nova, Translate::Strict);
    assert_eq!(strict.expect_err("a system's words in the middle").0, "input.role");
    assert_eq!(
        sent(Family::Responses, &json!({"input": "Hi", "messages": [1]}), &nova).1,
        ["messages"],
        "its own field"
    );
    for target in [sonnet(), gpt(), nova, to(Wire::Responses, "openai", "gpt-4o")] {
        assert_eq!(unfit(Family::Responses, json!({"input": []}), &target), "input");
        assert_eq!(unfit(Family::Chat, json!({"messages": []}), &target), "messages");
    }
    let stops = json!(["a", "b", "c", "d", "e"]);
    assert_eq!(unfit(Family::Messages, ask(json!({"stop_sequences": stops})), &gpt()), "stop_sequences");
    assert_eq!(unfit(Family::Chat, hello(json!({"stop": stops})), &gpt()), "stop");
}

/// Mistral answers 400 to a user's message after a tool's, to a system's after an answer, and to an answer at the end; Perplexity
/// to whatever does not take turns.
#[test]
fn messages_take_turns_where_the_host_insists() {
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]});
    let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "r"});
    let user = |text: &str| json!({"role": "user", "content": text});
    let said = |text: &str| json!({"role": "assistant", "content": text});
    let system = |text: &str| json!({"role": "system", "content": text});
    let both = json!({"role": "user", "content": [result, {"type": "text", "text": "go on"}]});
    let only = json!({"role": "user", "content": [result]});
    let cases = [
        (json!([user("a"), call, both]), "user assistant tool assistant user", vec![]),
        (json!([user("a"), call, only]), "user assistant tool", vec![]),
        (json!([user("a"), call, only, said("b"), user("c")]), "user assistant tool assistant user", vec![]),
        (json!([user("a"), said("b"), system("s"), user("c")]), "system user assistant user", vec!["messages.role"]),
        (json!([user("a"), system("s"), user("c")]), "system user", vec!["messages.role"]),
        (json!([user("a"), said("b")]), "user assistant user", vec!["messages.prefill"]),
        (json!([said("b"), user("a")]), "user assistant user", vec![]),
    ];
    let hosts =
        [("mistral", "mistral-large-latest"), ("openrouter", "mistralai/Devstral-Small"), ("perplexity", "sonar")];
    for (messages, roles, dropped) in &cases {
        let body = ask(json!({"messages": messages}));
        for (provider, model) in hosts {
            let (sent, lost) = sent(Family::Messages, &body, &to(Wire::Chat, provider, model));
            let list = sent["messages"].as_array().expect("messages are a list");
            let found: Vec<&str> = list.iter().filter_map(|message| message["role"].as_str()).collect();
            assert_eq!(found.join(" "), *roles, "{provider}: {messages}");
            assert_eq!(&lost, dropped, "{provider}: {messages}");
        }
    }
    let mistral = to(Wire::Chat, "mistral", "mistral-large-latest");
    let responses = json!({"model": "m", "input": [{"role": "system", "content": "s"}]});
    assert_eq!(sent(Family::Responses, &responses, &mistral).0["messages"], json!([system("s"), user(".")]));
    // The others have it as it was.
    let (kept, lost) = sent(Family::Messages, &ask(json!({"messages": cases[0].0})), &gpt());
    assert_eq!(kept["messages"].as_array().map(Vec::len), Some(4));
    assert!(lost.is_empty());
}

/// Anthropic's own API lets the adaptive ones think before a call that is forced; Bedrock does since Opus 4.8.
#[test]
fn a_forced_tool_and_thinking_meet_where_the_host_lets_them() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let body = hello(json!({"tools": tools, "tool_choice": "required", "reasoning_effort": "high"}));
    let free = hello(json!({"tools": tools, "tool_choice": "auto", "reasoning_effort": "high"}));
    for (wire, model, thinks) in [
        (Wire::Messages, "claude-sonnet-4-6", true),
        (Wire::Messages, "claude-opus-4-7", true),
        (Wire::RawPredict, "claude-opus-4-6", true),
        (Wire::Invoke, "eu.anthropic.claude-sonnet-4-6", false),
        (Wire::Invoke, "anthropic.claude-opus-4-7", false),
        (Wire::Invoke, "anthropic.claude-opus-4-8", true),
        (Wire::Invoke, "anthropic.claude-sonnet-5", true),
    ] {
        let to = to(wire, "cloud", model);
        let (forced, dropped) = sent(Family::Chat, &body, &to);
        assert_eq!(forced["tool_choice"]["type"], "any", "{model}");
        assert_eq!((forced.get("thinking").is_some(), dropped.is_empty()), (thinks, thinks), "{model}: {dropped:?}");
        assert_eq!(forced.get("output_config").is_some(), thinks, "{model}");
        assert!(sent(Family::Chat, &free, &to).0.get("thinking").is_some(), "{model}");
    }
}

/// Some hosts call every first call `call_0`; Anthropic refuses an id that it has seen in the conversation.
#[test]
fn an_id_that_comes_again_is_made_another() {
    let call = |ids: &[&str]| {
        let calls: Vec<Value> = ids
            .iter()
            .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}))
            .collect();
        json!({"role": "assistant", "content": null, "tool_calls": calls})
    };
    let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let body = json!({"messages": [
        {"role": "user", "content": "a"},
        call(&["call_0", "call_1"]), result("call_1", "r1"), result("call_0", "r0"),
        call(&["call_0"]), result("call_0", "r2"),
        call(&["call_0_2", "call_0", "call_0"]), result("call_0", "r4"), result("call_0", "r5"), result("call_0_2", "r3"),
    ]});
    let (claude, dropped) = sent(Family::Chat, &body, &sonnet());
    assert!(dropped.is_empty(), "{dropped:?}");
    let blocks = |kind: &str, id: &str| -> Vec<String> {
        let turns = claude["messages"].as_array().into_iter().flatten();
        let blocks = turns.filter_map(|turn| turn["content"].as_array()).flatten();
        blocks.filter(|block| block["type"] == kind).filter_map(|block| block[id].as_str().map(str::to_owned)).collect()
    };
    let ids = blocks("tool_use", "id");
    assert_eq!(ids, ["call_0", "call_1", "call_0_2", "call_0_2_2", "call_0_3", "call_0_4"]);
    assert_eq!(blocks("tool_result", "tool_use_id"), ids);
    let texts: Vec<&str> = claude["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|turn| turn["content"].as_array())
        .flatten()
        .filter(|block| block["type"] == "tool_result")
        .filter_map(|block| block["content"].as_str().or(block["content"][0]["text"].as_str()))
        .collect();
    assert_eq!(texts, ["r0", "r1", "r2", "r3", "r4", "r5"]);
}

/// Kimi imitates the ids that it finds, and its hosts recognize calls of one form alone.
#[test]
fn kimi_finds_ids_of_its_own_form() {
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
            {"type": "tool_use", "id": "toolu_2", "name": "read", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "r2"},
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "r1"},
        ]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "write", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r3"}]},
    ]}));
    let of = |provider: &'static str, model: &'static str| {
        let (body, dropped) = sent(Family::Messages, &body, &to(Wire::Chat, provider, model));
        assert!(dropped.is_empty(), "{dropped:?}");
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let called = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
        let called: Vec<Value> = called.map(|call| call["id"].clone()).collect();
        let answered = messages.iter().filter(|message| message["role"] == "tool");
        let answered: Vec<Value> = answered.map(|message| message["tool_call_id"].clone()).collect();
        assert_eq!(called, answered, "{model}");
        json!(called)
    };
    let own = json!(["functions.read:0", "functions.read:1", "functions.write:2"]);
    for (provider, model) in [("together", "moonshotai/Kimi-K2-Instruct-0905"), ("openrouter", "moonshotai/kimi-k3")] {
        assert_eq!(of(provider, model), own);
    }
    assert_eq!(of("together", "zai-org/GLM-4.6"), json!(["toolu_1", "toolu_2", "toolu_1_2"]));
}

/// A client pairs results with calls by id alone: a call under an id that it has is one whose result it has.
#[test]
fn a_call_under_an_id_that_the_client_has_gets_another() {
    let history = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": "r"}]},
    ]}));
    let call = |index: usize, id: &str| {
        [
            Event::ToolStart { index, id: id.to_owned(), name: "f".to_owned(), kind: CallKind::Function },
            Event::ToolArguments { index, json: "{}".to_owned() },
            Event::ToolEnd { index },
        ]
    };
    let mut events: Vec<Event> = vec![Event::Text("so".to_owned())];
    for (index, id) in ["call_0", "call_1", "call_0"].into_iter().enumerate() {
        events.extend(call(index, id));
    }
    events.extend([Event::Finish(Finish::ToolCalls), Event::End]);
    let ids_after = |body: &Value| {
        let encoded = encode(Family::Messages, body, &gpt(), Translate::Lenient).expect("the hop fits");
        let voice = Voice::default();
        let stream = crate::dialect::stream_of(Family::Messages, &events, voice.clone(), encoded.reply.clone());
        let answer = dialect::write_answer(Family::Messages, events.clone(), &voice, encoded.reply).expect("no error");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        let blocks = answer["content"].as_array().cloned().unwrap_or_default();
        let ids: Vec<String> = blocks.iter().filter_map(|block| block["id"].as_str().map(str::to_owned)).collect();
        for id in &ids {
            assert!(stream.contains(&format!("\"id\":\"{id}\"")), "{id}: {stream}");
        }
        ids
    };
    assert_eq!(ids_after(&history), ["call_0_2", "call_1", "call_0_3"]);
    assert_eq!(ids_after(&ask(json!({"messages": [{"role": "user", "content": "a"}]})))[1], "call_1");
}

/// Hosts that render a template read the arguments of every call before, and refuse the conversation for good.
#[test]
fn arguments_that_are_no_object_are_kept_within_one() {
    for (arguments, read) in [
        ("{\"a\": [1,  2]}", json!("{\"a\": [1,  2]}")),
        ("", json!("{}")),
        ("{\"cmd\": \"ls", json!("{\"_raw\":\"{\\\"cmd\\\": \\\"ls\"}")),
        ("[1]", json!("{\"_raw\":\"[1]\"}")),
        ("\"s\"", json!("{\"_raw\":\"\\\"s\\\"\"}")),
        ("null", json!("{\"_raw\":\"null\"}")),
    ] {
        let body = json!({"model": "m", "input": [
            {"role": "user", "content": "a"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": arguments},
            {"type": "function_call_output", "call_id": "c1", "output": "r"},
        ]});
        let (sent, dropped) = sent(Family::Responses, &body, &to(Wire::Chat, "together", "Qwen/Qwen3-Coder"));
        assert_eq!(sent["messages"][1]["tool_calls"][0]["function"]["arguments"], read, "{arguments}");
        assert!(dropped.is_empty());
        let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let body = json!({"model": "m", "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "r"},
        ]});
        let (sent, _) = self::sent(Family::Chat, &body, &to(Wire::Responses, "acme", "Qwen/Qwen3-Coder"));
        assert_eq!(sent["input"][1]["arguments"], read, "{arguments}");
    }
}

/// DeepSeek V4 thinks unless told not to, and answers 400 to a call in its history that nothing was thought before.
#[test]
fn a_call_from_elsewhere_has_a_blank_for_its_thoughts_where_they_are_asked_for() {
    let body = ask(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]}));
    let of =
        |model: &'static str| sent(Family::Messages, &body, &to(Wire::Chat, "openrouter", model)).0["messages"].clone();
    let messages = of("deepseek/deepseek-v4-pro");
    assert_eq!((&messages[1]["reasoning_content"], messages[3].get("reasoning_content")), (&json!(" "), None));
    assert!(of("z-ai/glm-4.6")[1].get("reasoning_content").is_none());
}

/// OpenAI, Anthropic and Nova refuse a request for a choice at the root of a tool's schema; MCP servers write them.
#[test]
fn the_root_of_a_tools_schema_has_no_choice() {
    let text = json!({"type": "string"});
    let required = json!([{"required": ["a"]}, {"required": ["b"]}]);
    let of_kind = |kind: &str, name: &str| json!({"type": "object", "properties": {"kind": {"const": kind}, name: text}, "required": ["kind", name]});
    let union = json!({"oneOf": [of_kind("x", "a"), of_kind("y", "b"), {"$ref": "#/$defs/z"}], "$defs": {"z": of_kind("z", "c")}});
    let all = json!({"type": "object", "properties": {"a": text}, "allOf": [{"properties": {"b": text}, "required": ["b"]}, {"required": ["a"]}]});
    let cases = [
        (
            json!({"type": "object", "properties": {"a": text, "b": text}, "anyOf": required}),
            json!(["a", "b"]),
            Value::Null,
        ),
        (union, json!(["a", "b", "c", "kind"]), json!(["kind"])),
        (all, json!(["a", "b"]), json!(["b", "a"])),
    ];
    for (schema, names, wanted) in cases {
        let body = hello(json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}));
        for (to, path) in [
            (sonnet(), "/tools/0/input_schema"),
            (to(Wire::Converse, "bedrock", "amazon.nova-pro-v1:0"), "/toolConfig/tools/0/toolSpec/inputSchema/json"),
            (to(Wire::Responses, "openai", "gpt-5.1"), "/tools/0/parameters"),
        ] {
            let (sent, dropped) = sent(Family::Chat, &body, &to);
            let root = sent.pointer(path).expect("a schema");
            assert!(["anyOf", "oneOf", "allOf"].iter().all(|name| root.get(*name).is_none()), "{root}");
            let mut found: Vec<&String> = root["properties"].as_object().expect("properties").keys().collect();
            found.sort();
            assert_eq!((json!(found), &root["required"], &root["type"]), (names.clone(), &wanted, &json!("object")));
            assert!(root["description"].as_str().is_some_and(|said| said.contains("Of: ")), "{root}");
            assert_eq!(dropped, ["tools.function.parameters"]);
        }
        let body = ask(json!({"tools": [{"name": "f", "input_schema": schema}]}));
        let (openai, dropped) = sent(Family::Messages, &body, &gpt());
        assert!(openai["tools"][0]["function"]["parameters"].get("anyOf").is_none());
        assert_eq!(dropped, ["tools.input_schema"]);
        let (kept, dropped) = sent(Family::Messages, &body, &to(Wire::Chat, "together", "Qwen/Qwen3-Coder"));
        assert!(dropped.is_empty() && kept["tools"][0]["function"]["parameters"].get("description").is_none());
    }
    let strict = hello(
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "anyOf": [{"required": ["a"]}]}}}]}),
    );
    let refused = encode(Family::Chat, &strict, &sonnet(), Translate::Strict).expect_err("something is lost");
    assert_eq!(refused.0, "tools.function.parameters");
}

/// OpenAI and Gemini refuse a list of which a schema does not say what is in it; a name of a property is no such word.
#[test]
fn lists_in_a_schema_say_what_is_in_them() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "array"},
        "b": {"type": ["array", "null"], "items": {"type": "array"}},
        "c": {"anyOf": [{"type": "array"}, {"type": "string"}]},
        "type": {"type": "string"},
        "d": {"type": "array", "prefixItems": [{"type": "string"}]},
    }, "required": ["a"], "$defs": {"e": {"oneOf": [{"type": "array"}]}}});
    let mut full = schema.clone();
    full["properties"]["a"]["items"] = json!({});
    full["properties"]["b"]["items"]["items"] = json!({});
    full["properties"]["c"]["anyOf"][0]["items"] = json!({});
    full["$defs"]["e"]["oneOf"][0]["items"] = json!({});
    let body = ask(json!({"tools": [{"name": "f", "input_schema": schema}]}));
    for (to, path, wanted) in [
        (gpt(), "/tools/0/function/parameters", &full),
        (to(Wire::Chat, "google", "gemini-2.5-pro"), "/tools/0/function/parameters", &full),
        (to(Wire::Responses, "openai", "gpt-5.1"), "/tools/0/parameters", &full),
        (to(Wire::Chat, "together", "Qwen/Qwen3-Coder"), "/tools/0/function/parameters", &schema),
    ] {
        let (sent, dropped) = sent(Family::Messages, &body, &to);
        assert_eq!((sent.pointer(path), dropped.len()), (Some(wanted), 0), "{}", to.provider);
    }
}
