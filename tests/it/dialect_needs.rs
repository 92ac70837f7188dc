//! What requests need, and which targets lack it.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use understudy::domain::catalogue::{Facts, Feature};
use understudy::domain::dialect::Wire;
use understudy::domain::dialect::capability::{self, Candidate, Needs, lacks};
use understudy::domain::dialect::json_text;
use understudy::domain::route::Family;

fn facts(features: &[Feature]) -> Facts {
    Facts { supports: Some(features.to_vec()), ..Facts::default() }
}

fn needs(family: Family, body: &[u8]) -> Needs {
    let fields: HashMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
    capability::needs(family, body.len(), &|name| fields.get(name).map(|raw| raw.get().as_bytes()))
}

#[track_caller]
fn lacking(family: Family, body: &Value, facts: &Facts, same_provider: bool) -> Option<&'static str> {
    let needs = needs(family, body.to_string().as_bytes());
    lacks(&needs, family, Candidate { facts, wire: Wire::Chat, model: "m", same_provider })
}

fn user(content: Value) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": content}]})
}

#[test]
fn needs_are_found_where_they_stand() {
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]);
    let claude_image = json!([{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]);
    let in_result = json!([{"type": "tool_result", "tool_use_id": "t", "content": claude_image}]);
    let cases = [
        (Family::Chat, user(image), Feature::Vision),
        (Family::Messages, user(claude_image.clone()), Feature::Vision),
        (Family::Messages, user(in_result), Feature::Vision),
        (
            Family::Responses,
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://e.com/a"}]}]}),
            Feature::Vision,
        ),
        (
            Family::Chat,
            json!({"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]}),
            Feature::Tools,
        ),
        (Family::Messages, json!({"messages": [], "tools": [{"name": "f", "input_schema": {}}]}), Feature::Tools),
        (Family::Chat, json!({"messages": [], "functions": [{"name": "f"}]}), Feature::Tools),
        (Family::Chat, json!({"response_format": {"type": "json_schema", "json_schema": {}}}), Feature::JsonSchema),
        (Family::Responses, json!({"input": "a", "text": {"format": {"type": "json_schema"}}}), Feature::JsonSchema),
        (Family::Messages, json!({"output_config": {"format": {"type": "json_schema"}}}), Feature::JsonSchema),
        (Family::Chat, json!({"modalities": ["text", "audio"]}), Feature::Audio),
        (
            Family::Chat,
            user(json!([{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}])),
            Feature::Audio,
        ),
        (
            Family::Chat,
            user(json!([{"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}])),
            Feature::Files,
        ),
        (Family::Chat, user(json!([{"type": "file", "file": {"file_id": "f1"}}])), Feature::StoredIds),
        (Family::Chat, json!({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}), Feature::StoredIds),
        (Family::Responses, json!({"input": "a", "previous_response_id": "r1"}), Feature::StoredIds),
        (Family::Responses, json!({"input": "a", "prompt": {"id": "p1"}}), Feature::StoredIds),
        (Family::Responses, json!({"input": [{"type": "item_reference", "id": "i"}]}), Feature::StoredIds),
        (Family::Responses, json!({"input": "a", "tools": [{"type": "web_search"}]}), Feature::HostedTools),
        (Family::Messages, json!({"tools": [{"type": "web_search_20250305"}]}), Feature::HostedTools),
        (Family::Chat, json!({"service_tier": "flex"}), Feature::ServiceTier),
    ];
    for (family, body, feature) in cases {
        assert!(needs(family, body.to_string().as_bytes()).has(feature), "{body} needs {}", feature.name());
    }
}

#[test]
fn words_alone_are_no_needs() {
    let cases = [
        user(json!("describe an image, a file and some audio")),
        json!({"messages": [], "tools": [], "service_tier": "auto", "response_format": {"type": "json_object"}}),
        json!({"prompt": "once upon a time"}),
        json!({"messages": [], "thread": {"type": "create"}}),
        user(json!([{"type": "document", "source": {"type": "text", "data": "plain"}}])),
    ];
    for body in cases {
        let needs = needs(Family::Chat, body.to_string().as_bytes());
        assert!(Feature::ALL.iter().all(|feature| !needs.has(*feature)), "{body}: {needs:?}");
    }
}

/// JavaScript writes half of a character where it cut a text: the rest of such a body is read as any other's.
#[test]
fn half_a_character_hides_no_need() {
    let body = br#"{"messages":[{"role":"user","content":[{"type":"text","text":"a\ud83d"},{"type":"image_url","image_url":{"url":"https://e.com/a.png"}}]}]}"#;
    assert!(needs(Family::Chat, body).has(Feature::Vision));
    let tree = json_text::tree(br#"{"reasoning":{"summary":"auto"},"input":"a\ud83d"}"#).expect("JSON");
    assert_eq!(tree, json!({"reasoning": {"summary": "auto"}, "input": "a\u{fffd}"}));
    assert_eq!(json_text::tree(b"{"), None);
}

#[test]
fn a_known_lack_skips_and_the_unknown_is_tried() {
    let image = user(json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]));
    assert_eq!(lacking(Family::Chat, &image, &facts(&[Feature::Tools]), true), Some("vision"));
    assert_eq!(lacking(Family::Chat, &image, &facts(&[Feature::Vision]), true), None);
    assert_eq!(lacking(Family::Chat, &image, &Facts::default(), false), None);
}

#[test]
fn what_is_bound_to_a_provider_stays_there() {
    let stored = json!({"input": "a", "previous_response_id": "r1"});
    assert_eq!(lacking(Family::Responses, &stored, &Facts::default(), true), None);
    assert_eq!(lacking(Family::Responses, &stored, &Facts::default(), false), Some("stored_ids"));
    assert_eq!(lacking(Family::Responses, &stored, &facts(&[Feature::StoredIds]), false), None);
    let tier = json!({"messages": [], "service_tier": "priority"});
    assert_eq!(lacking(Family::Chat, &tier, &Facts::default(), false), Some("service_tier"));
    // Between families a tier is dropped and listed: nobody would miss it.
    let needs = needs(Family::Chat, tier.to_string().as_bytes());
    let none = Facts { supports: Some(Vec::new()), ..Facts::default() };
    for wire in [Wire::Messages, Wire::Invoke, Wire::Converse, Wire::Responses] {
        assert_eq!(
            lacks(&needs, Family::Chat, Candidate { facts: &none, wire, model: "m", same_provider: false }),
            None
        );
    }
    let hosted = json!({"input": "a", "tools": [{"type": "web_search"}]});
    assert_eq!(lacking(Family::Responses, &hosted, &facts(&[Feature::Tools]), false), Some("hosted_tools"));
}

/// `bash` and its like are run by the client, and every Claude knows them, wherever it is.
#[test]
fn tools_that_the_client_runs_go_to_any_claude() {
    let none = Facts::default();
    let of = |tools: Value, wire, model, same_provider| {
        let body = json!({"messages": [], "tools": tools}).to_string();
        let needs = needs(Family::Messages, body.as_bytes());
        lacks(&needs, Family::Messages, Candidate { facts: &none, wire, model, same_provider })
    };
    let bedrock = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
    for kind in ["bash_20250124", "text_editor_20250728", "memory_20250818", "computer_20250124"] {
        let on = |wire, model| of(json!([{"type": kind}, {"name": "f", "input_schema": {}}]), wire, model, false);
        for (wire, model) in
            [(Wire::Messages, "claude-sonnet-4-5"), (Wire::Invoke, bedrock), (Wire::RawPredict, "claude-sonnet-4-5")]
        {
            assert_eq!(on(wire, model), None, "{kind} {wire:?}");
        }
        // Others that speak Anthropic's words do not, nor does a Claude that is spoken to in OpenAI's.
        for (wire, model) in [(Wire::Messages, "deepseek-chat"), (Wire::Chat, "claude-sonnet-4-5"), (Wire::Chat, "m")] {
            assert_eq!(on(wire, model), Some("hosted_tools"), "{kind} {wire:?} {model}");
        }
        assert_eq!(of(json!([{"type": kind}]), Wire::Messages, "m", true), None);
    }
    let searches = json!([{"type": "bash_20250124"}, {"type": "web_search_20250305"}]);
    assert_eq!(of(searches, Wire::Messages, "claude-sonnet-4-5", false), Some("hosted_tools"));
}

/// A thread has a name of its own: the error that tells of it says to send the whole conversation.
#[test]
fn a_thread_that_goes_on_is_told_apart_from_what_else_is_stored() {
    let thread = json!({"messages": [], "thread": {"type": "continue", "previous_message_id": "m"}});
    assert_eq!(lacking(Family::Messages, &thread, &Facts::default(), false), Some("thread"));
    assert_eq!(lacking(Family::Messages, &thread, &Facts::default(), true), None);
    assert_eq!(lacking(Family::Messages, &thread, &facts(&[Feature::StoredIds]), false), None);
    for (geo, lacks) in [("us", Some("inference_geo")), ("global", None)] {
        let bound = json!({"messages": [], "inference_geo": geo});
        assert_eq!(lacking(Family::Messages, &bound, &Facts::default(), false), lacks, "{geo}");
        assert_eq!(lacking(Family::Messages, &bound, &Facts::default(), true), None, "{geo}");
    }
    let container = json!({"messages": [], "container": "c"});
    assert_eq!(lacking(Family::Messages, &container, &Facts::default(), false), Some("stored_ids"));
}

#[test]
fn a_prompt_that_cannot_fit_skips() {
    let small = Facts { context_tokens: Some(1_000), ..Facts::default() };
    assert_eq!(lacking(Family::Chat, &user(json!("word ".repeat(2_000))), &small, true), Some("context"));
    assert_eq!(lacking(Family::Chat, &user(json!("word ".repeat(500))), &small, true), None);
    // The bytes of an image are no text.
    let image =
        json!([{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(100_000))}}]);
    assert_eq!(lacking(Family::Chat, &user(image), &small, true), None);
}

#[test]
fn a_tool_stands_in_for_a_schema_between_families() {
    let body = json!({"messages": [], "response_format": {"type": "json_schema", "json_schema": {}}}).to_string();
    let needs = needs(Family::Chat, body.as_bytes());
    let facts = facts(&[Feature::Tools]);
    let on = |wire| lacks(&needs, Family::Chat, Candidate { facts: &facts, wire, model: "m", same_provider: false });
    assert_eq!(on(Wire::Chat), Some("json_schema"));
    assert_eq!(on(Wire::Messages), None);
}
