//! Providers: the built-in table, documents that add or override one, and the addresses that are refused.

use serde_json::json;
use understudy::domain::dialect::Wire;
use understudy::domain::outcome::{Class, KeySlot};
use understudy::domain::provider::{Auth, Provider, document, setting, table};
use understudy::domain::route::Route;

fn vars(name: &str) -> Option<String> {
    let value = match name {
        "AZURE_RESOURCE_NAME" => "acme",
        "AZURE_RESOURCE_NAME_SWEDENCENTRAL" => "acme-se",
        "VERTEX_PROJECT" => "proj-1",
        "CLOUDFLARE_ACCOUNT_ID" => "abc123",
        _ => return None,
    };
    Some(value.to_owned())
}

#[track_caller]
fn url(provider: &str, route: Route, model: &str, region: Option<&str>, stream: bool) -> String {
    let provider = Provider::built_in(provider).expect("built in");
    let wire = provider.wire(&route, model).expect("a wire");
    provider.url(&route, wire, model, region, stream, vars).expect("a URL")
}

#[test]
fn every_provider_of_the_contract_is_built_in() {
    let names = "openai anthropic bedrock azure google vertex deepseek nebius deepinfra groq mistral together fireworks \
                 xai openrouter perplexity cerebras openpipe cloudflare sim";
    for name in names.split_whitespace() {
        let provider = Provider::built_in(name).unwrap_or_else(|| panic!("{name} is missing"));
        let wire = provider.wire(&Route::Chat, "some-model").unwrap_or_else(|| panic!("{name} answers no chat"));
        let url = provider.url(&Route::Chat, wire, "m", None, false, vars).expect("a URL");
        assert!(url.starts_with("https://") && !url.contains('{'), "{name}: {url}");
        if name == "sim" {
            assert!(provider.secrets(None).is_empty());
        } else {
            let own = format!("{}_API_KEY", name.to_uppercase());
            assert!(
                provider.secrets(None).iter().any(|together| together == std::slice::from_ref(&own)),
                "{name} reads {own}"
            );
        }
    }
    assert_eq!(names.split_whitespace().count(), table::ROWS.len());
}

/// The lines of a fixture; those of `//` and blanks part them.
fn lines(fixture: &str) -> impl Iterator<Item = &str> {
    fixture.lines().filter(|line| !line.is_empty() && !line.starts_with("//"))
}

#[test]
fn calls_go_where_each_provider_expects_them() {
    for line in lines(include_str!("../fixtures/provider/urls.txt")) {
        let [provider, path, model, region, expected] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("not five words: {line}"));
        let route = Route::parse(path).unwrap_or_else(|| panic!("no route: {line}"));
        let region = (region != "-").then_some(region);
        assert_eq!(url(provider, route, model, region, false), expected, "{line}");
    }
    assert!(url("bedrock", Route::Chat, "claude", None, true).ends_with("/invoke-with-response-stream"));
    assert!(url("bedrock", Route::Chat, "nova", None, true).ends_with("/converse-stream"));
    assert!(url("vertex", Route::Chat, "claude", None, true).ends_with(":streamRawPredict"));
}

/// A dated version calls Azure's deployments; what only v1 has, and Claude, stay where they are.
#[test]
fn azure_calls_deployments_under_a_dated_version() {
    let azure = Provider::built_in("azure").expect("built in");
    let dated = |name: &str| if name == "AZURE_API_VERSION" { Some("2024-10-21".to_owned()) } else { vars(name) };
    let url = |route: Route, model: &str, region: Option<&str>| {
        let wire = azure.wire(&route, model).expect("a wire");
        azure.url(&route, wire, model, region, false, dated).expect("a URL")
    };
    let of = |resource: &str, deployment: &str, path: &str| {
        format!("https://{resource}.openai.azure.com/openai/deployments/{deployment}/{path}?api-version=2024-10-21")
    };
    assert_eq!(url(Route::Chat, "my-gpt-4o", None), of("acme", "my-gpt-4o", "chat/completions"));
    assert_eq!(url(Route::Messages, "my-gpt-4o", None), of("acme", "my-gpt-4o", "chat/completions"));
    assert_eq!(url(Route::Chat, "a/b", Some("swedencentral")), of("acme-se", "a%2Fb", "chat/completions"));
    assert_eq!(url(Route::Embeddings, "e3", None), of("acme", "e3", "embeddings"));
    assert_eq!(url(Route::Completions, "i", None), of("acme", "i", "completions"));
    assert_eq!(url(Route::Multipart("/audio/transcriptions"), "w", None), of("acme", "w", "audio/transcriptions"));
    assert_eq!(url(Route::Responses, "my-gpt-4o", None), "https://acme.openai.azure.com/openai/v1/responses");
    let claude = "https://acme.services.ai.azure.com/anthropic/v1/messages";
    assert_eq!(url(Route::Messages, "claude-sonnet-4-5", None), claude);
    assert_eq!(url(Route::CountTokens, "claude-sonnet-4-5", None), format!("{claude}/count_tokens"));
}

#[test]
fn workers_ai_has_responses_for_open_models_of_openai_alone() {
    let provider = Provider::built_in("cloudflare").expect("a row");
    let wire = |model: &str| provider.wire(&Route::Responses, model);
    assert_eq!(wire("@cf/openai/gpt-oss-120b"), Some(Wire::Responses));
    assert_eq!(wire("@cf/meta/llama-3.3-70b-instruct-fp8-fast"), Some(Wire::Chat));
}

/// OpenAI serves some of its models on Responses alone, and the later ones take no tools on Chat while they reason.
#[test]
fn a_messages_client_meets_openais_models_on_the_wire_that_serves_them() {
    let provider = |name: &str| Provider::built_in(name).expect("a row");
    for (model, wire) in [
        ("gpt-4o", Wire::Chat),
        ("gpt-4.1-mini", Wire::Chat),
        ("gpt-5", Wire::Chat),
        ("gpt-5-mini-2025-08-07", Wire::Chat),
        ("gpt-5.2", Wire::Chat),
        ("gpt-5.4-chat-latest", Wire::Chat),
        ("o3", Wire::Chat),
        ("gpt-5-codex", Wire::Responses),
        ("codex-mini-latest", Wire::Responses),
        ("gpt-5-pro", Wire::Responses),
        ("o3-pro-2025-06-10", Wire::Responses),
        ("gpt-5.4", Wire::Responses),
        ("gpt-5.6-terra", Wire::Responses),
        ("gpt-6", Wire::Responses),
    ] {
        for name in ["openai", "azure"] {
            assert_eq!(provider(name).wire(&Route::Messages, model), Some(wire), "{name}/{model}");
            assert_eq!(provider(name).wire(&Route::Chat, model), Some(Wire::Chat), "within the family nothing changes");
        }
        assert_eq!(provider("together").wire(&Route::Messages, model), Some(Wire::Chat));
    }
    let url = provider("openai").url(&Route::Messages, Wire::Responses, "gpt-5-pro", None, true, |_| None);
    assert_eq!(url.as_deref(), Ok("https://api.openai.com/v1/responses"));
}

/// A profile's ARN and a deployment's name say nothing of who made the model: there the name does that policies have for it.
#[test]
fn a_claude_is_known_by_its_name_where_its_id_is_of_the_owners_making() {
    let wire = |provider: &str, ours: &str, id: &str| {
        let provider = Provider::built_in(provider).expect("built in");
        provider.wire(&Route::Chat, provider.known_as(ours, id))
    };
    let arn = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc";
    assert_eq!(wire("bedrock", "claude-sonnet-4-5", arn), Some(Wire::Invoke));
    assert_eq!(wire("bedrock", "nova", arn), Some(Wire::Converse));
    assert_eq!(wire("bedrock", "fast", "anthropic.claude-haiku-4-5-20251001-v1:0"), Some(Wire::Invoke));
    assert_eq!(wire("bedrock", "my-claude", "amazon.nova-pro-v1:0"), Some(Wire::Converse));
    assert_eq!(wire("azure", "claude-sonnet-4-5", "prod-chat"), Some(Wire::Messages));
    assert_eq!(wire("azure", "fast", "claude-haiku-4-5"), Some(Wire::Messages));
    assert_eq!(wire("azure", "gpt-4o", "prod-chat"), Some(Wire::Chat));
    let azure = Provider::built_in("azure").expect("built in");
    assert_eq!(azure.known_as("gpt-5-mini", "prod-chat"), "gpt-5-mini");
    assert_eq!(azure.known_as("fast", "gpt-5-mini"), "gpt-5-mini", "what tells something by itself");
    assert_eq!(azure.known_as("fast", "mistral-large-2411"), "mistral-large-2411");
}

#[test]
fn what_a_provider_lacks_has_no_wire() {
    let none = [
        ("anthropic", Route::Embeddings),
        ("anthropic", Route::Completions),
        ("openai", Route::CountTokens),
        ("bedrock", Route::Embeddings),
        ("perplexity", Route::ImagesGenerations),
    ];
    for (name, route) in none {
        let provider = Provider::built_in(name).expect("built in");
        assert_eq!(provider.wire(&route, "claude-x"), None, "{name} {route:?}");
    }
}

#[test]
fn a_missing_variable_or_secret_is_named() {
    let azure = Provider::built_in("azure").expect("built in");
    let missing = azure.url(&Route::Chat, Wire::Chat, "m", Some("westus"), false, vars).expect_err("no such resource");
    assert_eq!(missing.0, "AZURE_RESOURCE_NAME_WESTUS");
    let bedrock = Provider::built_in("bedrock").expect("built in");
    assert_eq!(bedrock.missing_secret(None, |_| false).as_deref(), Some("AWS_ACCESS_KEY_ID"));
    assert_eq!(
        bedrock.missing_secret(None, |name| name == "AWS_ACCESS_KEY_ID").as_deref(),
        Some("AWS_SECRET_ACCESS_KEY")
    );
    assert_eq!(bedrock.missing_secret(None, |name| name == "BEDROCK_API_KEY"), None);
    assert_eq!(azure.missing_secret(Some("westus"), |_| false).as_deref(), Some("AZURE_API_KEY"));
    assert_eq!(azure.missing_secret(Some("westus"), |name| name == "AZURE_WESTUS_API_KEY"), None);
    assert_eq!(setting("AWS_ACCESS_KEY_ID"), "secret AWS_ACCESS_KEY_ID (or BEDROCK_API_KEY alone)");
    assert_eq!(setting("AZURE_RESOURCE_NAME"), "variable AZURE_RESOURCE_NAME");
    let lacks = |name: &str, region, has: &[&str]| {
        Provider::built_in(name).expect("built in").missing_setting(region, |name| has.contains(&name))
    };
    assert_eq!(lacks("azure", None, &["AZURE_API_KEY"]).as_deref(), Some("AZURE_RESOURCE_NAME"));
    assert_eq!(
        lacks("azure", Some("westus"), &["AZURE_API_KEY", "AZURE_RESOURCE_NAME"]).as_deref(),
        Some("AZURE_RESOURCE_NAME_WESTUS")
    );
    assert_eq!(lacks("azure", None, &["AZURE_API_KEY", "AZURE_RESOURCE_NAME"]), None);
    assert_eq!(lacks("vertex", Some("us-east5"), &["VERTEX_API_KEY"]).as_deref(), Some("VERTEX_PROJECT"));
    assert_eq!(lacks("cloudflare", None, &[]).as_deref(), Some("CLOUDFLARE_API_KEY"));
    assert_eq!(lacks("bedrock", Some("global"), &["BEDROCK_API_KEY"]), None);
    let sim = Provider::built_in("sim").expect("built in");
    assert_eq!(sim.missing_secret(None, |_| false), None);
    assert_eq!((lacks("sim", None, &[]).as_deref(), lacks("sim", None, &["SIM=on"])), (Some("SIM=on"), None));
}

#[track_caller]
fn parse(name: &str, json: &str) -> Provider {
    document::parse(name, json.as_bytes(), Some("gateway.example.com")).unwrap_or_else(|bad| panic!("{bad}"))
}

#[track_caller]
fn errors(name: &str, json: &str) -> Vec<String> {
    let bad = document::parse(name, json.as_bytes(), Some("gateway.example.com")).expect_err("this document is fine");
    bad.findings.iter().map(|finding| format!("{}: {}", finding.path, finding.message)).collect()
}

#[test]
fn the_contracts_document_means_what_it_says() {
    let provider = parse(
        "example",
        r#"{"base_url": "https://llm.example.com/v1", "dialect": "openai", "auth": {"header": "authorization", "scheme": "Bearer", "secret": "EXAMPLE_API_KEY"},
            "headers": {"x-team": "a"}, "routes": ["chat", "embeddings"], "errors": [{"status": 400, "contains": "capacity", "class": "overloaded"}]}"#,
    );
    assert_eq!(provider.wire(&Route::Chat, "m"), Some(Wire::Chat));
    assert_eq!(provider.wire(&Route::Responses, "m"), Some(Wire::Chat), "not among its routes: translated");
    assert_eq!(provider.wire(&Route::Completions, "m"), None);
    let url = provider.url(&Route::Embeddings, Wire::Opaque, "m", None, false, vars);
    assert_eq!(url.as_deref(), Ok("https://llm.example.com/v1/embeddings"));
    assert_eq!(provider.auth(Wire::Chat), Auth::Header { name: "authorization".into(), scheme: Some("Bearer".into()) });
    assert_eq!(provider.secrets(None), [["EXAMPLE_API_KEY"]]);
    assert_eq!(provider.headers, [("x-team".to_owned(), "a".to_owned())]);
    assert_eq!(provider.errors[0].class, Class::Overloaded);
}

#[test]
fn what_is_left_out_has_its_default() {
    let plain = parse("local", r#"{"base_url": "http://127.0.0.1:9000/v1/"}"#);
    assert_eq!(plain.auth(Wire::Chat), Auth::None);
    assert!(plain.secrets(None).is_empty());
    assert_eq!(plain.wire(&Route::Responses, "m"), Some(Wire::Responses));
    assert_eq!(plain.wire(&Route::Messages, "m"), Some(Wire::Chat));
    let url = plain.url(&Route::Chat, Wire::Chat, "m", None, false, vars);
    assert_eq!(url.as_deref(), Ok("http://127.0.0.1:9000/v1/chat/completions"));

    let claude = parse(
        "claude-box",
        r#"{"base_url": "https://c.example.com/v1", "dialect": "anthropic", "auth": {"header": "x-api-key", "secret": "BOX_API_KEY"}}"#,
    );
    assert_eq!(claude.wire(&Route::Chat, "m"), Some(Wire::Messages));
    assert_eq!(claude.wire(&Route::Embeddings, "m"), None);
    assert_eq!(claude.auth(Wire::Messages), Auth::Header { name: "x-api-key".into(), scheme: None });
}

#[test]
fn a_built_in_provider_keeps_what_a_document_does_not_say() {
    let noted = parse("anthropic", r#"{"headers": {"x-team": "a"}}"#);
    assert_eq!(noted.secrets(None), [["ANTHROPIC_API_KEY"]]);
    assert_eq!(noted.wire(&Route::Chat, "m"), Some(Wire::Messages));
    let moved = parse("anthropic", r#"{"base_url": "http://localhost:9000/v1"}"#);
    assert_eq!(moved.wire(&Route::Chat, "m"), Some(Wire::Messages));
    assert_eq!(moved.auth(Wire::Messages), Auth::None, "its key does not leave its own host");
    assert!(moved.secrets(None).is_empty());
    let bedrock = parse("bedrock", r#"{"base_url": "http://localhost:9000"}"#);
    let wire = bedrock.wire(&Route::Chat, "anthropic.claude-x").expect("a wire");
    let url = bedrock.url(&Route::Chat, wire, "anthropic.claude-x", Some("eu-west-1"), false, vars);
    assert_eq!(url.as_deref(), Ok("http://localhost:9000/model/anthropic.claude-x/invoke"));
}

/// A document that says whose key it is need not say how a key travels there.
#[test]
fn a_key_travels_as_the_row_or_the_dialect_has_it_where_the_document_does_not_say() {
    let header = |name: &'static str, scheme: Option<&'static str>| Auth::Header {
        name: name.into(),
        scheme: scheme.map(Into::into),
    };
    let (bearer, x_api_key) = (header("authorization", Some("Bearer")), header("x-api-key", None));
    let auth =
        |name: &str, rest: &str, wire| parse(name, &format!(r#"{{{rest} "secret": "OTHER_API_KEY"}}}}"#)).auth(wire);
    let own = |dialect: &str, auth: &str| {
        format!(r#""base_url": "https://x.example.com/v1", "dialect": "{dialect}", "auth": {{{auth}"#)
    };
    assert_eq!(auth("anthropic", r#""auth": {"#, Wire::Messages), x_api_key);
    assert_eq!(auth("azure", r#""auth": {"#, Wire::Chat), header("api-key", None));
    assert_eq!(auth("azure", r#""auth": {"#, Wire::Messages), x_api_key);
    assert_eq!(auth("openai", r#""auth": {"#, Wire::Chat), bearer);
    assert_eq!(auth("bedrock", r#""auth": {"#, Wire::Converse), Auth::Aws);
    assert_eq!(auth("x", &own("anthropic", ""), Wire::Messages), x_api_key);
    assert_eq!(auth("x", &own("anthropic", ""), Wire::Opaque), x_api_key);
    assert_eq!(auth("x", &own("openai", ""), Wire::Chat), bearer);
    assert_eq!(auth("openai", &own("anthropic", ""), Wire::Messages), x_api_key);
    // What it does say, it says.
    assert_eq!(auth("x", &own("anthropic", r#""header": "Authorization","#), Wire::Messages), bearer);
    assert_eq!(auth("x", &own("openai", r#""header": "x-key","#), Wire::Chat), header("x-key", None));
    assert_eq!(auth("x", &own("openai", r#""scheme": "Token","#), Wire::Chat), header("authorization", Some("Token")));
    assert_eq!(auth("x", &own("openai", r#""scheme": null,"#), Wire::Chat), header("authorization", None));
    assert_eq!(auth("anthropic", r#""auth": {"scheme": "Key","#, Wire::Messages), header("authorization", Some("Key")));
    assert_eq!(auth("anthropic", r#""auth": {"scheme": null,"#, Wire::Messages), header("x-api-key", None));
    assert_eq!(
        auth("x", &own("anthropic", r#""scheme": "Bearer","#), Wire::Messages),
        header("authorization", Some("Bearer"))
    );
}

/// A document that moves a built-in provider and names no key: who brings one signs, or names the header, as for the provider itself.
#[test]
fn a_callers_key_travels_to_a_moved_provider_as_to_that_provider() {
    let moved = |name: &str| parse(name, r#"{"base_url": "http://localhost:9000/v1"}"#);
    let header = |name: &'static str, scheme: Option<&'static str>| Auth::Header {
        name: name.into(),
        scheme: scheme.map(Into::into),
    };
    assert_eq!(moved("bedrock").own_auth(Wire::Invoke), Auth::Aws);
    assert_eq!(moved("vertex").own_auth(Wire::RawPredict), Auth::Google);
    assert_eq!(moved("azure").own_auth(Wire::Chat), header("api-key", None));
    assert_eq!(moved("azure").own_auth(Wire::Messages), header("x-api-key", None));
    assert_eq!(moved("anthropic").own_auth(Wire::Messages), header("x-api-key", None));
    assert_eq!(moved("openai").own_auth(Wire::Chat), header("authorization", Some("Bearer")));
    assert_eq!(moved("acme").own_auth(Wire::Chat), header("authorization", Some("Bearer")));
    assert_eq!(Provider::built_in("sim").expect("built in").own_auth(Wire::Chat), Auth::None);
}

/// Azure's two hosts name the header of one key each in its own way.
#[test]
fn tokens_are_counted_with_a_key_as_messages_have_it() {
    let azure = Provider::built_in("azure").expect("built in");
    let header = |name: &'static str| Auth::Header { name: name.into(), scheme: None };
    for slot in [KeySlot::Managed, KeySlot::Own] {
        let of = |route: Route, model: &str| azure.key_of(&route, azure.wire(&route, model).expect("a wire"), slot);
        assert_eq!(of(Route::Messages, "claude-sonnet-4-5"), header("x-api-key"));
        assert_eq!(of(Route::CountTokens, "claude-sonnet-4-5"), header("x-api-key"));
        assert_eq!(of(Route::Embeddings, "text-embedding-3-small"), header("api-key"));
    }
}

/// A profile's name in place of a region: some place serves it.
#[test]
fn a_profile_of_bedrocks_is_called_in_a_region_that_has_it() {
    let bedrock = Provider::built_in("bedrock").expect("built in");
    let called = |region: &str| bedrock.region(Some(region), |_| None).expect("a region");
    let of = ["us", "eu", "jp", "au", "apac", "us-gov", "global"].map(called);
    let places = [
        "us-east-1",
        "eu-central-1",
        "ap-northeast-1",
        "ap-southeast-2",
        "ap-southeast-1",
        "us-gov-west-1",
        "us-east-1",
    ];
    assert_eq!(of, places);
}

/// Cloudflare's AI Gateway is an upstream as others are: its headers are not the platform's.
#[test]
fn an_ai_gateway_s_own_headers_may_be_set() {
    let gateway = |rest: &str| format!(r#"{{"base_url": "https://gateway.ai.cloudflare.com/v1/a/g/openai", {rest}}}"#);
    let set = parse("gateway", &gateway(r#""headers": {"cf-aig-metadata": "{}", "cf-aig-cache-ttl": "60"}"#));
    assert_eq!(set.headers.len(), 2);
    let keyed = parse(
        "gateway",
        &gateway(r#""auth": {"header": "cf-aig-authorization", "scheme": "Bearer", "secret": "AIG_API_KEY"}"#),
    );
    let header = Auth::Header { name: "cf-aig-authorization".into(), scheme: Some("Bearer".into()) };
    assert_eq!(keyed.auth(Wire::Chat), header);
    let said = errors("gateway", &gateway(r#""headers": {"cf-aig-authorization": "Bearer x", "cf-ray": "x"}"#));
    assert_eq!(
        said,
        [
            "headers.cf-aig-authorization: \"cf-aig-authorization\" may not be set: it carries a key, which auth says",
            "headers.cf-ray: \"cf-ray\" may not be set: it is a cookie, or set by the connection, the platform or this gateway"
        ]
    );
}

#[test]
fn openpipe_gets_its_prefix_at_home_alone() {
    let home = Provider::built_in("openpipe").expect("built in");
    assert_eq!(home.wire_model("my-ft-model"), "openpipe:my-ft-model");
    assert_eq!(home.wire_model("openai:gpt-4o"), "openai:gpt-4o");
    let moved = parse("openpipe", r#"{"base_url": "http://localhost:9000/v1"}"#);
    assert_eq!(moved.wire_model("my-ft-model"), "my-ft-model");
}

#[test]
fn a_built_in_secret_goes_to_its_own_host_only() {
    let said = errors("evil", r#"{"base_url": "https://evil.example.com/v1", "auth": {"secret": "OPENAI_API_KEY"}}"#);
    assert_eq!(
        said,
        [r#"auth.secret: "OPENAI_API_KEY" goes to openai's own host only; expected a secret of this provider's own"#]
    );
    for (name, json) in [
        ("openai", r#"{"base_url": "https://api.openai.com.evil.example/v1", "auth": {"secret": "OPENAI_API_KEY"}}"#),
        ("openai", r#"{"base_url": "http://localhost:1/v1", "auth": {"secret": "OPENAI_API_KEY"}}"#),
        ("anthropic", r#"{"auth": {"secret": "OPENAI_API_KEY"}}"#),
        ("a", r#"{"base_url": "https://other.openai.azure.com/openai/v1", "auth": {"secret": "AZURE_API_KEY"}}"#),
        ("a", r#"{"base_url": "https://x.example.com", "auth": {"secret": "AZURE_WESTUS_API_KEY"}}"#),
        (
            "a",
            r#"{"base_url": "https://bedrock-runtime.evil.example/.amazonaws.com", "auth": {"secret": "BEDROCK_API_KEY"}}"#,
        ),
    ] {
        assert!(errors(name, json)[0].starts_with("auth.secret: "), "{name} {json}");
    }
    parse("openai-eu", r#"{"base_url": "https://api.openai.com/v1", "auth": {"secret": "OPENAI_API_KEY"}}"#);
    // A built-in provider that is sent elsewhere names its own; one on this machine needs none, nor does one that has none.
    let elsewhere = ["openai", "anthropic", "bedrock", "azure"]
        .map(|name| errors(name, r#"{"base_url": "https://proxy.example.com/v1"}"#));
    for (said, name) in elsewhere.iter().zip(["openai", "anthropic", "bedrock", "azure"]) {
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with(&format!("auth.secret: is missing: {name}'s own goes to its own host only")),
            "{said:?}"
        );
    }
    parse("openai", r#"{"base_url": "https://proxy.example.com/v1", "auth": {"secret": "PROXY_API_KEY"}}"#);
    parse("openai", r#"{"base_url": "https://api.openai.com/v1"}"#);
    parse("openai", r#"{"base_url": "http://127.0.0.1:9000/v1"}"#);
    parse("acme", r#"{"base_url": "https://proxy.example.com/v1"}"#);
    parse(
        "bedrock-eu",
        r#"{"base_url": "https://bedrock-runtime.eu-west-1.amazonaws.com", "auth": {"secret": "BEDROCK_API_KEY"}}"#,
    );
}

#[test]
fn a_key_in_place_of_its_secrets_name_is_not_said_back() {
    let long = "private".repeat(40);
    for key in [
        "sk-live-0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "gsk_Abc123Def456",
        long.as_str(),
    ] {
        let said =
            errors("x", &format!(r#"{{"base_url": "https://x.example.com", "auth": {{"secret": "{key}"}}}}"#)).concat();
        assert!(said.starts_with("auth.secret: the value ") && !said.contains(&key[..8]), "{said}");
    }
}

#[test]
fn bad_documents_say_everything_that_is_wrong() {
    assert_eq!(errors("x", "{}"), ["base_url: is missing; expected a URL (https://host/path)"]);
    let said = errors(
        "x",
        r#"{"base_url": "https://x.example.com", "dialect": "grpc", "auth": {"secret": "lower_api_key", "header": "Cookie"},
            "headers": {"Authorization": "a", "Host": "b", "cookie": "c", "Transfer-Encoding": "d", "x-ok": "e", "X-OK": "f"},
            "routes": ["chat", "video"], "errors": [{"class": "overloaded"}, {"status": 99, "class": "bad"}], "url": 1}"#,
    );
    let expected = [
        "dialect: \"grpc\" is not one of openai, anthropic",
        "auth.secret: \"lower_api_key\" is not the name of a secret ([A-Z][A-Z0-9_]*_API_KEY)",
        "auth.header: \"Cookie\" is not the name of a header that may carry a key",
        "routes[1]: \"video\" is not one of chat, responses,",
        "errors[0]: an error rule without a signal is not allowed; expected status, contains, or both",
        "errors[1].status: 99 is not in 100..=599",
        "errors[1].class: \"bad\" is not one of rate_limited,",
        "url: \"url\" is not a field of a provider;",
        "headers.Authorization: \"Authorization\" may not be set: it carries a key, which auth says",
        "headers.Host: \"Host\" may not be set: it is a cookie, or set by the connection, the platform or this gateway",
        "headers.cookie: \"cookie\" may not be set: it is a cookie,",
        "headers.Transfer-Encoding: \"Transfer-Encoding\" may not be set: it is a cookie, or set by the connection",
        "headers.X-OK: \"x-ok\" is given twice",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
    assert!(errors("policy", r#"{"base_url": "https://x.example.com"}"#)[0].contains("is not a provider name"));
    assert!(
        errors("x", r#"{"base_url": "https://x.example.com", "headers": {"x-a": "b\nc"}}"#)[0]
            .starts_with("headers.x-a: ")
    );
}

#[test]
fn addresses_that_lead_inside_are_refused_in_any_spelling() {
    let addresses = |fixture| lines(fixture).map(|line| serde_json::from_str::<String>(line).expect("a JSON string"));
    for url in addresses(include_str!("../fixtures/provider/refused.txt")) {
        let said = errors("x", &json!({"base_url": url}).to_string());
        assert!(said.iter().all(|line| line.starts_with("base_url: ")), "{url}: {said:?}");
        assert!(!said.concat().contains("pass@"), "{said:?}");
    }
    for url in addresses(include_str!("../fixtures/provider/taken.txt")) {
        parse("x", &json!({"base_url": url}).to_string());
    }
}

#[test]
fn this_workers_own_address_is_its_host_and_port() {
    let at = |url: &str| document::parse("x", format!(r#"{{"base_url": "{url}"}}"#).as_bytes(), Some("127.0.0.1:8787"));
    assert!(at("http://127.0.0.1:8787/v1").is_err());
    assert!(at("http://localhost:8787/v1").is_err());
    assert!(at("http://[::1]:8787/v1").is_err());
    assert!(at("http://127.0.0.1:9000/v1").is_ok());
}
