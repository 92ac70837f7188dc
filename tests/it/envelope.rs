//! A Messages client's body on Bedrock and Vertex: what stays as written, what goes, what skips the hop.

use crate::recorded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use understudy::domain::dialect::envelope::{counted, counting, with_betas, wrap};
use understudy::domain::dialect::{Destination, Incompatible, Wire, betas};
use understudy::domain::policy::Translate;

fn to(wire: Wire) -> Destination<'static> {
    Destination { max_output_tokens: Some(64_000), ..Destination::of(wire, "cloud", "claude-sonnet-4-5") }
}

#[track_caller]
fn wrapped(body: &Value, wire: Wire) -> (Value, Vec<String>) {
    let encoded = wrap(body.to_string().as_bytes(), &to(wire), Translate::Lenient).expect("it goes");
    (serde_json::from_slice(&encoded.body).expect("JSON"), encoded.dropped)
}

#[test]
fn bedrock_takes_the_body_without_model_and_stream() {
    let body = json!({
        "model": "claude-sonnet-4-5", "stream": true, "max_tokens": 1024, "service_tier": "auto",
        "messages": [{"role": "user", "content": "hi"}], "thinking": {"type": "enabled", "budget_tokens": 1024},
    });
    let expected = json!({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 1024,
        "messages": [{"role": "user", "content": "hi"}], "thinking": {"type": "enabled", "budget_tokens": 1024},
    });
    assert_eq!(wrapped(&body, Wire::Invoke), (expected, vec![]));
}

#[test]
fn vertex_keeps_the_stream_flag() {
    let body = json!({"model": "m", "stream": true, "max_tokens": 9, "messages": []});
    let expected = json!({"anthropic_version": "vertex-2023-10-16", "stream": true, "max_tokens": 9, "messages": []});
    assert_eq!(wrapped(&body, Wire::RawPredict), (expected, vec![]));
}

#[test]
fn what_the_client_wrote_keeps_its_bytes() {
    let messages =
        r#"[ {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s","n":1.50e2}]} ]"#;
    let body = format!(r#"{{"model":"m","messages":{messages},"max_tokens":1}}"#);
    let encoded = wrap(body.as_bytes(), &to(Wire::Invoke), Translate::Lenient).expect("it goes");
    assert!(String::from_utf8(encoded.body).expect("UTF-8").contains(messages));
}

#[test]
fn the_recorded_request_is_what_is_sent() {
    let Some(recorded) = recorded::json("bedrock/invoke-claude-cache-1", "request.json") else { return };
    let mut client = recorded.clone();
    let fields = client.as_object_mut().expect("an object");
    fields.remove("anthropic_version");
    fields.insert("model".to_owned(), json!("claude-haiku-4-5"));
    assert_eq!(wrapped(&client, Wire::Invoke), (recorded, vec![]));
}

#[test]
fn bedrocks_bound_on_output_is_exclusive() {
    for (asked, sent, dropped) in [(63_999, 63_999, 0), (64_000, 63_999, 0), (90_000, 63_999, 1)] {
        let (body, list) = wrapped(&json!({"max_tokens": asked, "messages": []}), Wire::Invoke);
        assert_eq!((body["max_tokens"].as_u64(), list.len()), (Some(sent), dropped), "{asked}");
    }
    let (body, _) = wrapped(&json!({"max_tokens": 64_000.0, "messages": []}), Wire::Invoke);
    assert_eq!(body["max_tokens"], 63_999);
    // Of a model that the catalogue does not have on Bedrock, its generation says the most.
    let to = Destination::of(Wire::Invoke, "b", "anthropic.claude-opus-4-8");
    let body = json!({"max_tokens": 128_000, "messages": []}).to_string();
    let encoded = wrap(body.as_bytes(), &to, Translate::Strict).expect("it goes");
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).expect("JSON")["max_tokens"], 127_999);
    let (body, _) = wrapped(&json!({"max_tokens": 64_000, "messages": []}), Wire::RawPredict);
    assert_eq!(body["max_tokens"], 64_000);
}

#[test]
fn claude_codes_billing_block_is_taken_out() {
    let billing = json!({"type": "text", "text": "x-anthropic-billing-header: cch=1;"});
    let own = json!({"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}});
    for (system, left) in [
        (json!([billing, own]), json!([own])),
        (json!([billing]), Value::Null),
        (json!("x-anthropic-billing-header: a"), Value::Null),
        (json!("About x-anthropic-billing-header"), json!("About x-anthropic-billing-header")),
    ] {
        assert_eq!(wrapped(&json!({"system": system, "messages": []}), Wire::Invoke).0["system"], left, "{system}");
    }
}

#[track_caller]
fn refused(body: &Value, wire: Wire, feature: &str) {
    let refused = wrap(body.to_string().as_bytes(), &to(wire), Translate::Lenient).map(|_| ());
    assert_eq!(refused, Err(Incompatible(feature.to_owned())), "{body}");
}

#[test]
fn what_the_clouds_lack_skips_the_hop() {
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let turn = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for wire in [Wire::Invoke, Wire::RawPredict] {
        refused(&turn(json!([image])), wire, "image_url");
        refused(&turn(json!([{"type": "tool_result", "tool_use_id": "a", "content": [image]}])), wire, "image_url");
        let inside = json!([{"type": "document", "source": {"type": "content", "content": [image]}}]);
        refused(&turn(inside.clone()), wire, "image_url");
        refused(&turn(json!([{"type": "tool_result", "tool_use_id": "a", "content": inside}])), wire, "image_url");
        refused(&turn(json!([{"type": "document", "source": {"type": "file", "file_id": "f"}}])), wire, "stored_ids");
        refused(&turn(json!([{"type": "document", "source": {"type": "url", "url": "https://a"}}])), wire, "files");
        refused(&json!({"messages": [], "container": "c"}), wire, "container");
        refused(&json!({"messages": [], "inference_geo": "us"}), wire, "inference_geo");
        refused(&json!({"messages": [], "service_tier": "flex"}), wire, "service_tier");
        let thread = json!({"type": "continue", "previous_message_id": "msg_1"});
        refused(&json!({"messages": [], "thread": thread}), wire, "thread");
        refused(&json!({"messages": [], "tools": [{"type": "code_execution_20250825"}]}), wire, "hosted_tools");
    }
    let search = json!({"messages": [], "tools": [{"type": "web_search_20250305", "name": "web_search"}]});
    refused(&search, Wire::Invoke, "hosted_tools");
    assert_eq!(wrapped(&search, Wire::RawPredict).1, Vec::<String>::new());
    refused(&json!([]), Wire::Invoke, "body");
}

#[test]
fn hints_are_dropped_and_strict_refuses_that() {
    let body = json!({"messages": [], "speed": "fast", "mcp_servers": [], "container": null});
    let (sent, dropped) = wrapped(&body, Wire::Invoke);
    assert_eq!((sent["speed"].clone(), dropped), (Value::Null, vec!["speed".to_owned()]));
    let strict = wrap(body.to_string().as_bytes(), &to(Wire::Invoke), Translate::Strict).map(|_| ());
    assert_eq!(strict, Err(Incompatible("speed".to_owned())));
    let (sent, dropped) = wrapped(&json!({"messages": [], "thread": {"type": "create"}}), Wire::Invoke);
    assert_eq!((sent["thread"].clone(), dropped), (Value::Null, Vec::<String>::new()));
    assert_eq!(betas::header("message-threads-2026-08-12", Wire::Invoke), None);
    // A breakpoint of the whole request is unknown there; those of blocks are not.
    let ephemeral = json!({"type": "ephemeral"});
    let turn = json!({"role": "user", "content": [{"type": "text", "text": "a", "cache_control": ephemeral}]});
    for wire in [Wire::Invoke, Wire::RawPredict] {
        let (sent, dropped) = wrapped(&json!({"cache_control": ephemeral, "messages": [turn]}), wire);
        assert_eq!((sent["cache_control"].clone(), dropped), (Value::Null, vec!["cache_control".to_owned()]));
        assert_eq!(sent["messages"][0], turn);
    }
}

#[test]
fn betas_move_from_the_header_into_the_body() {
    let with = |body: &str, header: &str| -> Value {
        serde_json::from_slice(&with_betas(body.as_bytes().to_vec(), header)).expect("JSON")
    };
    assert_eq!(with("{}", "a-2025, oauth-2025-04-20,,b"), json!({"anthropic_beta": ["a-2025", "b"]}));
    assert_eq!(with(r#"{"anthropic_beta":["a"]}"#, "a,b"), json!({"anthropic_beta": ["a", "b"]}));
    assert_eq!(with("{}", " "), json!({}));
}

/// What Claude Code names in every call, a cloud refuses as a whole.
#[test]
fn betas_that_a_cloud_does_not_know_stay_behind() {
    let code = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05, \
        advanced-tool-use-2025-11-20";
    let left = ["interleaved-thinking-2025-05-14", "context-management-2025-06-27", "tool-search-tool-2025-10-19"];
    for wire in [Wire::Invoke, Wire::RawPredict] {
        assert_eq!(betas::header(code, wire), Some(left.join(",")));
        assert_eq!(betas::header("oauth-2025-04-20, fast-mode-2026-02-01", wire), None);
    }
    assert_eq!(betas::header(code, Wire::Messages).as_deref(), Some(code));
    assert_eq!(betas::header("prompt-caching-2024-07-31", Wire::RawPredict), None);
}

#[test]
fn how_far_a_breakpoint_reaches_is_for_anthropic_alone() {
    let hint = |scope: bool| match scope {
        true => json!({"type": "ephemeral", "scope": "global"}),
        false => json!({"type": "ephemeral"}),
    };
    let body = |scope: bool| {
        json!({"system": [{"type": "text", "text": "the \"scope\"", "cache_control": hint(scope)}],
            "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
                {"type": "text", "text": "a", "cache_control": hint(scope)}]}]}],
            "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"scope": {"type": "string"}}}}]})
    };
    for wire in [Wire::Invoke, Wire::RawPredict] {
        let ((with, dropped), (without, none)) = (wrapped(&body(true), wire), wrapped(&body(false), wire));
        assert_eq!((with, dropped), (without, vec!["cache_control.scope".to_owned()]));
        assert_eq!(none, Vec::<String>::new());
    }
}

#[test]
fn tokens_are_counted_where_the_model_runs() {
    let asked = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let body = |wire, model: &'static str| {
        let to = Destination { max_output_tokens: Some(64_000), ..Destination::of(wire, "p", model) };
        let wrapped = wrap(asked.as_bytes(), &to, Translate::Lenient).expect("it fits").body;
        serde_json::from_slice::<Value>(&counting(wrapped, &to)).expect("JSON")
    };
    let inner = body(Wire::Invoke, "anthropic.claude-sonnet-4-5")["input"]["invokeModel"]["body"].clone();
    let inner = STANDARD.decode(inner.as_str().expect("text")).expect("base64");
    let messages = json!([{"role": "user", "content": "Hi"}]);
    assert_eq!(
        serde_json::from_slice::<Value>(&inner).expect("JSON"),
        json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, "messages": messages})
    );
    assert_eq!(
        body(Wire::RawPredict, "claude-sonnet-4-5@20250929"),
        json!({"anthropic_version": "vertex-2023-10-16", "model": "claude-sonnet-4-5@20250929", "messages": messages})
    );
    assert_eq!(counted(b"{\"inputTokens\": 14}"), Some(b"{\"input_tokens\":14}".to_vec()));
    assert_eq!(counted(b"{\"input_tokens\": 14}"), None);
}

/// Bedrock knows an effort for some models alone, and structured output for all but the newest.
#[test]
fn what_bedrock_lacks_for_a_generation_of_claude() {
    let on = |model: &'static str, wire: Wire, body: &Value| {
        let to = Destination::of(wire, "cloud", model);
        let wrapped = wrap(body.to_string().as_bytes(), &to, Translate::Lenient);
        wrapped.map(|encoded| (serde_json::from_slice::<Value>(&encoded.body).expect("JSON"), encoded.dropped))
    };
    let effort = json!({"messages": [], "output_config": {"effort": "high"}});
    for (model, kept) in [
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", false),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", false),
        ("anthropic.claude-opus-4-5-20251101-v1:0", true),
        ("anthropic.claude-opus-4-6-v1", true),
        ("anthropic.claude-opus-9-1", true),
    ] {
        let (sent, dropped) = on(model, Wire::Invoke, &effort).expect("it goes");
        assert_eq!((sent.get("output_config").is_some(), dropped.is_empty()), (kept, kept), "{model}: {dropped:?}");
    }
    assert!(on("claude-sonnet-4-5@20250929", Wire::RawPredict, &effort).expect("it goes").1.is_empty());
    let schema = json!({"type": "json_schema", "schema": {"type": "object"}});
    let both = json!({"messages": [], "output_config": {"effort": "high", "format": schema}});
    let (sent, dropped) = on("anthropic.claude-sonnet-4-5-20250929-v1:0", Wire::Invoke, &both).expect("it goes");
    assert_eq!(
        (&sent["output_config"], dropped),
        (&json!({"format": schema}), vec!["output_config.effort".to_owned()])
    );
    for of_anthropic in ["opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "fable-5"] {
        let model = format!("eu.anthropic.claude-{of_anthropic}");
        let to = Destination::of(Wire::Invoke, "bedrock", &model);
        let wrapped = wrap(both.to_string().as_bytes(), &to, Translate::Lenient);
        assert_eq!(wrapped.map(drop), Err(Incompatible("json_schema".to_owned())), "{model}");
    }
    let newest = "anthropic.claude-opus-4-8";
    assert!(on("claude-opus-4-8", Wire::RawPredict, &both).is_ok());
    let older = json!({"messages": [], "output_format": schema});
    assert_eq!(on(newest, Wire::Invoke, &older), Err(Incompatible("json_schema".to_owned())));
    let tool = |strict: bool| json!({"name": "f", "strict": strict, "input_schema": {"type": "object", "properties": {"strict": {}}}});
    let (sent, dropped) = on(newest, Wire::Invoke, &json!({"messages": [], "tools": [tool(true)]})).expect("it goes");
    assert_eq!((sent["tools"][0].get("strict"), dropped), (None, vec!["tools.strict".to_owned()]));
    assert_eq!(sent["tools"][0]["input_schema"]["properties"], json!({"strict": {}}));
    assert!(on(newest, Wire::Invoke, &json!({"messages": [], "tools": [tool(false)]})).expect("it goes").1.is_empty());
}

/// Bedrock refuses the flag and knows the beta: one flagged tool asks for it.
#[test]
fn eager_streaming_of_tools_is_a_beta_on_bedrock() {
    let tool = |eager: Value| json!({"name": "f", "eager_input_streaming": eager, "input_schema": {"type": "object"}});
    let plain = json!({"name": "f", "input_schema": {"type": "object"}});
    let body = json!({"messages": [], "tools": [tool(json!(true)), tool(json!(null)), plain]});
    let (sent, dropped) = wrapped(&body, Wire::Invoke);
    let beta = "fine-grained-tool-streaming-2025-05-14";
    assert_eq!((&sent["tools"], &sent["anthropic_beta"]), (&json!([plain, plain, plain]), &json!([beta])));
    assert_eq!(dropped, Vec::<String>::new());
    let both = with_betas(sent.to_string().into_bytes(), &format!("context-1m-2025-08-07,{beta}"));
    assert_eq!(
        serde_json::from_slice::<Value>(&both).expect("JSON")["anthropic_beta"],
        json!([beta, "context-1m-2025-08-07"])
    );
    let (sent, _) = wrapped(&json!({"messages": [], "tools": [tool(json!(false))]}), Wire::Invoke);
    assert_eq!((&sent["tools"], sent.get("anthropic_beta")), (&json!([plain]), None));
    let (sent, _) = wrapped(&body, Wire::RawPredict);
    assert_eq!(sent["tools"], body["tools"]);
}
