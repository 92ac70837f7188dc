//! What one request may say of how it wants to be served, and what is said of what it may not.

use serde_json::{Value, json};
use understudy::domain::outcome::Class;
use understudy::domain::policy::{Preset, Verdict, Verdicts};
use understudy::domain::refusal::Refusal;
use understudy::domain::request::{Asked, Body, Endpoints, Headers, Limits, request_id};
use understudy::domain::route::Route;

const LIMITS: Limits<'static> = Limits { endpoints: Endpoints::Off, own_host: Some("understudy.example") };

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| (*name, *value)).collect()
}

/// Reads a body with these members beside `model`.
fn read(members: &Value, pairs: &[(&str, &str)], limits: Limits<'_>) -> Result<Asked, Refusal> {
    let mut body = json!({"model": "openai/gpt-4o"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let bytes = body.to_string().into_bytes();
    let body = Body::parse(&Route::Chat, Some("application/json"), &bytes)?;
    Asked::read(&body, &bytes, &headers(pairs), limits)
}

#[track_caller]
fn asked(members: Value, pairs: &[(&str, &str)]) -> Asked {
    read(&members, pairs, LIMITS).unwrap_or_else(|refusal| panic!("{members} {pairs:?}: {refusal}"))
}

#[track_caller]
fn refuses(members: Value, pairs: &[(&str, &str)], status: u16, message: &str) {
    let refusal = match read(&members, pairs, LIMITS) {
        Err(refusal) => refusal,
        Ok(asked) => panic!("taken: {members} {pairs:?}: {asked:?}"),
    };
    assert_eq!(refusal.status, status, "{refusal}");
    assert!(refusal.message.contains(message), "{message:?} is not in {:?}", refusal.message);
}

fn hops(asked: &Asked) -> Vec<(&str, Option<u32>)> {
    let brought = asked.fallback.as_ref().map(|brought| brought.hops.as_slice()).unwrap_or_default();
    brought.iter().map(|hop| (hop.model.as_str(), hop.retries)).collect()
}

#[test]
fn understudy_s_own_spelling_in_body_or_header() {
    let said = json!({
        "fallback": [{"model": "anthropic/claude-sonnet-4-5", "retries": 1}, "google/gemini-2.5-pro (2 retries)"],
        "timeouts": {"attempt_ms": 5}, "deadline_ms": 9000, "on": {"timeout": "retry"}, "stream": {"commit": "complete"},
        "metadata": {"user": "u1", "group": 7, "plan": "gold"}
    });
    let by_body = asked(json!({"understudy": said}), &[]);
    let by_header = asked(json!({}), &[("X-Understudy", &said.to_string())]);
    for asked in [by_body, by_header] {
        assert_eq!(hops(&asked), [("anthropic/claude-sonnet-4-5", Some(1)), ("google/gemini-2.5-pro", Some(2))]);
        assert_eq!(asked.overrides.timeouts.attempt.map(|span| span.0), Some(5));
        assert_eq!(asked.overrides.deadline.map(|span| span.0), Some(9000));
        assert_eq!(asked.overrides.on.classes, [(Class::Timeout, Verdict::Retry)]);
        assert_eq!((asked.identity.user.as_deref(), asked.identity.group.as_deref()), (Some("u1"), Some("7")));
        assert_eq!(asked.identity.metadata["plan"], "gold");
        assert!(asked.overrides_anything());
    }
    let chain = asked(json!({"understudy": {"fallback": "a/b -> c/d (1 retry)"}}), &[]);
    assert_eq!(hops(&chain), [("a/b", None), ("c/d", Some(1))]);
    assert!(!asked(json!({"understudy": null}), &[]).overrides_anything());
    assert!(!asked(json!({"understudy": {"metadata": {"user": "u"}}}), &[]).overrides_anything());
}

#[test]
fn a_hop_says_its_retries_once() {
    refuses(
        json!({"understudy": {"fallback": "a/b -> c/d (1 retry)(2 retries)"}}),
        &[],
        400,
        "\"c/d (1 retry)(2 retries)\" names its retries twice; expected one number of retries",
    );
}

#[test]
fn what_is_the_owner_s_cannot_be_said() {
    for field in ["keep", "consent", "exhausted", "breaker", "translate"] {
        refuses(
            json!({"understudy": {field: null}}),
            &[],
            400,
            &format!("understudy.{field}: a request cannot set it"),
        );
        let header = json!({field: "x"}).to_string();
        refuses(json!({}), &[("x-understudy", &header)], 400, &format!("x-understudy.{field}"));
    }
    for (said, message) in [
        (json!("x"), "understudy: \"x\" is not overrides of one request"),
        (json!({"fallbacks": []}), "did you mean \"fallback\"?"),
        (json!({"fallback": []}), "understudy.fallback: 0 entries are not in 1..=16"),
        (json!({"fallback": [{"model": "a/b", "retries": 11}]}), "understudy.fallback[0].retries: 11 is not in 0..=10"),
        (json!({"fallback": [{"model": "a b"}]}), "understudy.fallback[0].model"),
        (json!({"deadline_ms": 0}), "understudy.deadline_ms: 0 is not in 1..=3600000"),
        (json!({"timeouts": {"idle": 5}}), "understudy.timeouts.idle"),
        (json!({"on": {"timeout": "maybe"}}), "understudy.on.timeout"),
        (json!({"metadata": "u"}), "understudy.metadata"),
        (json!({"metadata": {"user": {}}}), "understudy.metadata.user: an object is not a string"),
        (json!({"metadata": {"user": "u".repeat(300)}}), "understudy.metadata.user: 300 characters"),
        (json!({"metadata": {"x": "u".repeat(17_000)}}), "understudy.metadata: more than the 16384 bytes"),
    ] {
        refuses(json!({"understudy": said}), &[], 400, message);
    }
    refuses(json!({}), &[("x-understudy", "{")], 400, "x-understudy: is not JSON");
    refuses(json!({}), &[("x-understudy", r#"{"on": {}, "on": {}}"#)], 400, "x-understudy.on: \"on\" is given twice");
    refuses(json!({}), &[("x-understudy", &"x".repeat(17_000))], 400, "x-understudy: 17000 bytes");
    // On every route, also where a body may hold any number of values.
    for name in ["understudy", "openpipe", "models"] {
        let long = "x".repeat(256 * 1024);
        refuses(json!({name: [long]}), &[], 400, &format!("{name}: 262148 bytes, at most 262144 are taken"));
    }
}

#[test]
fn hops_come_one_way() {
    let fallback = json!({"fallback": ["a/b"]});
    let openpipe = json!({"fallback": {"model": "x"}});
    refuses(json!({"understudy": fallback, "models": ["a/b"]}), &[], 400, "models: fallbacks come one way");
    refuses(
        json!({"understudy": fallback, "openpipe": openpipe}),
        &[],
        400,
        "openpipe.fallback: fallbacks come one way",
    );
    refuses(json!({"models": ["a/b"], "openpipe": openpipe}), &[], 400, "fallbacks come one way");
    let header = fallback.to_string();
    refuses(json!({"models": ["a/b"]}), &[("x-understudy", &header)], 400, "models: fallbacks come one way");
    refuses(json!({"understudy": {}}), &[("x-understudy", "{}")], 400, "in the body (understudy) and as a header");
    // What brings no hops is no second way.
    assert_eq!(
        hops(&asked(json!({"understudy": fallback, "models": [], "openpipe": {"tags": {}}}), &[])),
        [("a/b", None)]
    );
    assert_eq!(hops(&asked(json!({"models": null, "openpipe": openpipe}), &[])), [("x", None)]);
}

#[test]
fn models_are_fallbacks_in_order() {
    assert_eq!(hops(&asked(json!({"models": ["a/b", "gpt-4o"]}), &[])), [("a/b", None), ("gpt-4o", None)]);
    refuses(json!({"models": "a/b"}), &[], 400, "models: \"a/b\" is not a list of models");
    refuses(json!({"models": ["a/b", 5]}), &[], 400, "models[1]: 5 is not a string");
    refuses(json!({"models": ["a b"]}), &[], 400, "models[0]: \"a b\": ' ' is not allowed");
    refuses(json!({"models": vec!["a/b"; 17]}), &[], 400, "models: 17 entries");
}

/// By whichever way a model comes that is none, programs are told so by the same code.
#[test]
fn a_model_that_is_none_has_one_code_wherever_it_stands() {
    for (fallback, at) in [
        (json!(["a/b", "a b"]), "[1]"),
        (json!("a/b -> openai/c > openai/d"), ""),
        (json!([{"model": "policy/"}]), "[0].model"),
        (json!([{"model": ""}]), "[0].model"),
    ] {
        for (members, pairs, root) in [
            (json!({"understudy": {"fallback": fallback}}), None, "understudy"),
            (json!({}), Some(json!({"fallback": fallback}).to_string()), "x-understudy"),
        ] {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|header| ("x-understudy", header.as_str())).collect();
            let refusal = read(&members, &pairs, LIMITS).expect_err("no model");
            assert_eq!((refusal.status, refusal.code), (400, "invalid_model"), "{refusal}");
            assert_eq!(refusal.param, Some(format!("{root}.fallback{at}")));
        }
    }
    for fallback in [json!(["a/b (11 retries)"]), json!([{"model": 5}]), json!([{"retries": 1}]), json!([])] {
        let refusal = read(&json!({"understudy": {"fallback": fallback}}), &[], LIMITS).expect_err("no hops");
        assert_eq!(refusal.code, "invalid_value", "{refusal}");
    }
    let chain = json!({"understudy": {"fallback": "openai/a > openai/b"}});
    refuses(
        chain,
        &[],
        400,
        "understudy.fallback: \"openai/a > openai/b\": ' ' is not allowed in a model name; expected a/b (1 retry), in a chain a/b -> c/d (1 retry)",
    );
}

/// First hop's and fallback's clocks: (attempt, first token) each.
fn clocks(members: Value, pairs: &[(&str, &str)]) -> [(Option<u64>, Option<u64>); 2] {
    let asked = asked(members, pairs);
    let hop = &asked.fallback.as_ref().unwrap().hops[0];
    [asked.first_timeouts, hop.timeouts].map(|t| (t.attempt.map(|span| span.0), t.first_token.map(|span| span.0)))
}

#[test]
fn openpipe_s_timeouts_are_seconds_and_milliseconds_in_javascript() {
    let both = json!({"openpipe": {"fallback": {"model": "gpt-4-turbo", "timeout": 20}, "timeout": 10}});
    assert_eq!(clocks(both.clone(), &[]), [(Some(10_000), None), (Some(20_000), None)]);
    assert_eq!(clocks(both.clone(), &[("x-stainless-lang", "python")]), [(Some(10_000), None), (Some(20_000), None)]);
    assert_eq!(clocks(both, &[("x-stainless-lang", "js")]), [(Some(10), None), (Some(20), None)]);
    let stream = json!({"stream": true, "openpipe": {"fallback": {"model": "x", "timeout": 0.5}, "timeout": 10}});
    assert_eq!(clocks(stream, &[]), [(None, Some(10_000)), (None, Some(500))]);
    // Nor do headers have less than the first content has.
    let patient = json!({"stream": true, "openpipe": {"fallback": {"model": "x"}, "timeout": 60}});
    assert_eq!(asked(patient, &[]).first_timeouts.headers.map(|span| span.0), Some(60_000));
    let primary_s = json!({"openpipe": {"fallback": {"model": "x"}, "timeout": 10}});
    assert_eq!(clocks(primary_s, &[]), [(Some(10_000), None), (Some(10_000), None)]);
    let neither = json!({"openpipe": {"fallback": {"model": "x"}}});
    assert_eq!(clocks(neither, &[]), [(None, None), (Some(600_000), None)]);
    let ms = json!({"openpipe": {"fallback": {"model": "x", "timeout": 20, "timeout_ms": 30}, "timeout_ms": 40}});
    assert_eq!(clocks(ms, &[]), [(Some(40), None), (Some(30), None)]);
    let long = json!({"openpipe": {"fallback": {"model": "x", "timeout": 1e30}, "timeout": 1e-9}});
    assert_eq!(clocks(long, &[]), [(Some(1), None), (Some(3_600_000), None)]);
    for bad in [json!(0), json!(-1), json!("10"), json!(true)] {
        refuses(json!({"openpipe": {"timeout": bad}}), &[], 400, "openpipe.timeout: ");
        refuses(
            json!({"openpipe": {"fallback": {"model": "x", "timeout_ms": bad}}}),
            &[],
            400,
            "openpipe.fallback.timeout_ms: ",
        );
    }
}

#[test]
fn openpipe_s_fallback_is_for_every_class_but_cancelled() {
    let asked_so = asked(json!({"openpipe": {"fallback": {"model": "gpt-4-turbo"}, "logRequest": true}}), &[]);
    assert_eq!(hops(&asked_so), [("gpt-4-turbo", None)]);
    let verdicts = asked_so.overrides.on.over(Verdicts::preset(Preset::Strict));
    for class in Class::ALL {
        let goes_on = matches!(verdicts.of(class), Verdict::Next | Verdict::Retry);
        assert_eq!(goes_on, class != Class::Cancelled, "{}", class.name());
    }
    // What the request says itself of a class has the last word.
    let on = json!({"openpipe": {"fallback": {"model": "x"}}, "understudy": {"on": {"auth": "stop"}}});
    let verdicts = asked(on, &[]).overrides.on.over(Verdicts::preset(Preset::Resilient));
    assert_eq!((verdicts.of(Class::Auth), verdicts.of(Class::ContentPolicy)), (Verdict::Stop, Verdict::Next));
}

#[test]
fn openpipe_s_fallback_names_its_model_and_maybe_a_provider() {
    let hop = |fallback: Value| {
        asked(json!({"openpipe": {"fallback": fallback}}), &[]).fallback.unwrap().hops[0].model.clone()
    };
    assert_eq!(hop(json!({"model": "m", "provider": "acme"})), "acme/m");
    assert_eq!(hop(json!({"model": "openpipe:my-ft-model"})), "openpipe:my-ft-model");
    assert!(asked(json!({"openpipe": {"fallback": null}}), &[]).fallback.is_none());
    for (openpipe, message) in [
        (json!([]), "openpipe: a list of 0 is not an object"),
        (json!({"fallback": "gpt-4"}), "openpipe.fallback: \"gpt-4\" is not an object"),
        (json!({"fallback": {}}), "openpipe.fallback.model: is missing"),
        (json!({"fallback": {"model": 5}}), "openpipe.fallback.model: 5 is not a string"),
        (json!({"fallback": {"model": "a b"}}), "openpipe.fallback.model: \"a b\": ' ' is not allowed"),
        (
            json!({"fallback": {"model": "a", "provider": "A B"}}),
            "openpipe.fallback.provider: \"A B\" is not a provider name",
        ),
        (json!({"tags": [1]}), "openpipe.tags: a list of 1 is not an object"),
        (json!({"tags": {"a": "x".repeat(17_000)}}), "openpipe.tags: 17008 bytes, at most 16384 are taken"),
    ] {
        refuses(json!({"openpipe": openpipe}), &[], 400, message);
    }
}

#[test]
fn one_off_credentials_need_the_owner_s_leave() {
    let body = |client: Value| json!({"openpipe": {"fallback": {"model": "m"}, "fallback_client": client}});
    let client = json!({"base_url": "https://llm.example.com/v1/", "api_key": "sk-one-off"});
    refuses(body(client.clone()), &[], 403, "openpipe.fallback_client");
    let on = Limits { endpoints: Endpoints::On, ..LIMITS };
    let camel = json!({"openpipe": {"fallback": {"model": "m"}, "fallbackClient": {"baseURL": "https://llm.example.com/v1", "apiKey": "sk-one-off"}}});
    for members in [body(client.clone()), camel] {
        let asked = read(&members, &[], on).unwrap();
        let endpoint = asked.fallback.as_ref().unwrap().endpoint.as_ref().unwrap();
        assert_eq!(
            (endpoint.base_url.as_str(), endpoint.api_key.as_str()),
            ("https://llm.example.com/v1", "sk-one-off")
        );
        assert!(!format!("{asked:?}").contains("sk-one-off"));
    }
    for (client, message) in [
        (json!("x"), "openpipe.fallback_client"),
        (json!({"api_key": "sk-one-off"}), "openpipe.fallback_client.base_url: is missing"),
        (json!({"base_url": "https://a.example"}), "openpipe.fallback_client.api_key: is missing"),
        (json!({"base_url": 5, "api_key": "k"}), "openpipe.fallback_client.base_url: expected a string"),
        (json!({"base_url": "http://a.example", "api_key": "k"}), "is not HTTPS"),
        (json!({"base_url": "https://10.0.0.1", "api_key": "k"}), "private"),
        (json!({"base_url": "https://understudy.example", "api_key": "k"}), "own host"),
        (json!({"base_url": "https://a.example", "api_key": "k k"}), "openpipe.fallback_client.api_key"),
        (json!({"base_url": "https://a.example", "api_key": "k", "apiKey": "k"}), "given twice"),
        (json!({"base_url": "https://a.example", "baseURL": "https://a.example", "api_key": "k"}), "given twice"),
    ] {
        let refusal = read(&body(client.clone()), &[], on).err().unwrap_or_else(|| panic!("taken: {client}"));
        assert!(refusal.status == 400 && refusal.message.contains(message), "{client}: {refusal}");
    }
}

#[test]
fn who_a_request_is_for() {
    let waystone = json!({"user": "u1", "group": "g1", "tier": 2}).to_string();
    let from = |members: Value, pairs: &[(&str, &str)]| {
        let identity = asked(members, pairs).identity;
        (identity.user, identity.group, Value::Object(identity.metadata))
    };
    let some = |text: &str| Some(text.to_owned());
    for name in ["waystone", "understudy"] {
        let (user, group, metadata) = from(json!({"metadata": {name: waystone, "a": "b"}}), &[]);
        assert_eq!((user, group), (some("u1"), some("g1")));
        assert_eq!(metadata, json!({"user": "u1", "group": "g1", "tier": 2, "a": "b"}));
    }
    let requesty = json!({"user_id": "u2", "trace_id": "t", "tags": ["a", "b"], "extra": {"country": "ca"}});
    let (user, group, metadata) = from(json!({"requesty": requesty}), &[]);
    assert_eq!((user, group), (some("u2"), None));
    assert_eq!(
        (&metadata["trace_id"], &metadata["tags"][1], &metadata["country"]),
        (&json!("t"), &json!("b"), &json!("ca"))
    );
    let (user, _, metadata) = from(json!({"openpipe": {"tags": {"prompt_id": "p", "user": "u3"}}}), &[]);
    assert_eq!((user, &metadata["prompt_id"]), (some("u3"), &json!("p")));
    let (.., metadata) = from(json!({}), &[("op-tags", r#"{"prompt_id": "q"}"#), ("op-other", "x")]);
    assert_eq!(metadata, json!({"prompt_id": "q"}));
    // The API's own user is the weakest.
    assert_eq!(from(json!({"user": "u4"}), &[]).0, some("u4"));
    assert_eq!(from(json!({"metadata": {"user_id": "u5"}}), &[]).0, some("u5"));
    assert_eq!(from(json!({"user": "u4", "metadata": {"user": "u6"}}), &[]).0, some("u6"));
    assert_eq!(from(json!({"user": "", "metadata": {"group": ""}}), &[]), (None, None, json!({"group": ""})));
    let all = json!({
        "user": "u4", "metadata": {"waystone": waystone, "understudy": "{\"group\": \"g7\"}"}, "requesty": requesty,
        "understudy": {"metadata": {"user": "u0"}}
    });
    assert_eq!(from(all, &[]).0, some("u0"));
    let both = json!({"metadata": {"waystone": waystone, "understudy": "{\"group\": \"g7\"}"}});
    assert_eq!((from(both.clone(), &[]).0, from(both, &[]).1), (some("u1"), some("g7")));
}

#[test]
fn json_in_a_header_is_utf_8_where_it_can_be() {
    // As the platform hands it over: each byte is a character.
    let bytes = |text: &str| text.bytes().map(char::from).collect::<String>();
    for (sent, user) in [(bytes("Zoë 日本"), "Zoë 日本"), ("Zoë".to_owned(), "Zoë"), ("Zo\\u00eb".to_owned(), "Zoë")]
    {
        let tags = format!(r#"{{"user": "{sent}"}}"#);
        assert_eq!(asked(json!({}), &[("op-tags", &tags)]).identity.user.as_deref(), Some(user));
        let understudy = format!(r#"{{"metadata": {tags}}}"#);
        assert_eq!(asked(json!({}), &[("x-understudy", &understudy)]).identity.user.as_deref(), Some(user));
    }
}

#[test]
fn an_identity_that_is_none_is_refused_by_name() {
    for (members, message) in [
        (
            json!({"metadata": {"waystone": {"user": "u"}}}),
            "metadata.waystone: expected a string that holds a JSON object",
        ),
        (json!({"metadata": {"waystone": "{"}}), "metadata.waystone: is not JSON"),
        (json!({"metadata": {"understudy": "[]"}}), "metadata.understudy: a list of 0 is not a JSON object"),
        (
            json!({"metadata": {"understudy": "{\"user\": []}"}}),
            "metadata.understudy.user: a list of 0 is not a string",
        ),
        (json!({"metadata": {"waystone": "{\"group\": true}"}}), "metadata.waystone.group: true is not a string"),
        (json!({"requesty": {"user_id": {}}}), "requesty.user_id: an object is not a string"),
        (json!({"requesty": {"extra": {"group": "g".repeat(257)}}}), "requesty.extra.group: 257 characters"),
        (json!({"openpipe": {"tags": {"user": []}}}), "openpipe.tags.user: a list of 0 is not a string"),
        (json!({"requesty": "x"}), "requesty: \"x\" is not a JSON object"),
        (json!({"requesty": {"extra": 5}}), "requesty.extra: expected an object"),
        (json!({"requesty": {"tags": "x".repeat(17_000)}}), "requesty: 17"),
    ] {
        refuses(members, &[], 400, message);
    }
    refuses(json!({}), &[("op-tags", "x")], 400, "op-tags: is not JSON");
    refuses(json!({}), &[("op-tags", "5")], 400, "op-tags: 5 is not a JSON object");
    refuses(json!({}), &[("op-tags", r#"{"user": {}}"#)], 400, "op-tags.user: an object is not a string");
    let header = r#"{"metadata": {"group": false}}"#;
    refuses(json!({}), &[("x-understudy", header)], 400, "x-understudy.metadata.group: false is not a string");
    // What stands in a client's own metadata is the upstream's to judge.
    assert_eq!(asked(json!({"metadata": {"user": ["x"], "group": null}}), &[]).identity.user, None);
    assert_eq!(asked(json!({"user": 5}), &[]).identity.user, None);
}

#[test]
fn what_headers_say() {
    let said = asked(
        json!({}),
        &[
            ("X-Understudy-Consent", " fallback "),
            ("x-understudy-no-fallback", "true"),
            ("x-understudy-key-openai", "sk-own-1"),
            ("X-Understudy-Key-Acme-2", "k"),
            ("x-understudy-drill", "anthropic/*=overloaded"),
        ],
    );
    assert!(said.leave.consented && said.leave.forbidden);
    assert_eq!(
        (said.own_keys.of("openai"), said.own_keys.of("acme-2"), said.own_keys.of("x")),
        (Some("sk-own-1"), Some("k"), None)
    );
    // A service account's key has spaces, and is signed with rather than sent.
    let account = r#"{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n"}"#;
    let google = asked(json!({}), &[("x-understudy-key-vertex", account), ("x-understudy-key-gemini", "g-1")]);
    assert_eq!((google.own_keys.of("vertex"), google.own_keys.of("google")), (Some(account), Some("g-1")));
    let both = asked(json!({}), &[("x-understudy-key-google", "g-2"), ("x-understudy-key-gemini", "g-1")]);
    assert_eq!((both.own_keys.of("google"), both.own_keys.of("gemini")), (Some("g-2"), Some("g-1")));
    assert_eq!(said.drill.as_deref(), Some("anthropic/*=overloaded"));
    assert!(!format!("{said:?}").contains("sk-own-1"));
    let plain = asked(json!({}), &[("x-understudy-no-fallback", "false")]);
    assert!(!plain.leave.consented && !plain.leave.forbidden);
    for (name, value) in [
        ("x-understudy-consent", "yes"),
        ("x-understudy-consent", ""),
        ("x-understudy-no-fallback", "1"),
        ("x-understudy-key-openai", ""),
        ("x-understudy-key-openai", "sk 1"),
        ("x-understudy-key-open_ai", "sk-1"),
        ("x-understudy-key-", "sk-1"),
        ("x-understudy-request-id", ""),
        ("x-understudy-request-id", "a b"),
    ] {
        refuses(json!({}), &[(name, value)], 400, name);
    }
}

/// Those that are read here, those that a rule may ask for, and those that would go upstream.
#[test]
fn every_header_has_its_bound() {
    let (most, more) = ("k".repeat(16_384), "k".repeat(16_385));
    for name in [
        "x-understudy-key-openai",
        "x-understudy-drill",
        "traceparent",
        "user-agent",
        "openai-beta",
        "cookie",
        "x-team",
    ] {
        asked(json!({}), &[(name, &most)]);
        refuses(json!({}), &[(name, &more)], 400, &format!("{name}: 16385 bytes, at most 16384 are taken"));
    }
}

#[test]
fn request_ids() {
    let id = |value: &str| request_id(&headers(&[("x-understudy-request-id", value)]));
    assert_eq!(id("A-z_0.9"), Ok(Some("A-z_0.9".to_owned())));
    assert_eq!(id(&"a".repeat(64)), Ok(Some("a".repeat(64))));
    assert!(id(&"a".repeat(65)).is_err() && id("é").is_err() && id("a/b").is_err());
    assert_eq!(request_id(&headers(&[])), Ok(None));
}

#[test]
fn a_client_s_own_patience() {
    let patience = |pairs: &[(&str, &str)]| asked(json!({}), pairs).patience.map(|span| span.0);
    assert_eq!(patience(&[]), None);
    assert_eq!(patience(&[("x-stainless-timeout", "60")]), Some(59_500));
    assert_eq!(patience(&[("x-stainless-read-timeout", "2.5")]), Some(2_000));
    assert_eq!(patience(&[("x-stainless-read-timeout", "10"), ("x-stainless-timeout", "5")]), Some(4_500));
    assert_eq!(patience(&[("x-stainless-timeout", "0.25")]), Some(1));
    for ignored in ["", "none", "NOT_GIVEN", "nan", "inf", "-1", "0"] {
        assert_eq!(patience(&[("x-stainless-timeout", ignored)]), None, "{ignored}");
    }
}

#[test]
fn a_request_that_its_sdk_sends_again_is_known() {
    let again = |value: &str| asked(json!({}), &[("x-stainless-retry-count", value)]).again;
    assert!(again("1") && again(" 2 "));
    assert!(!again("0") && !again("often") && !again("-1"));
    assert!(!asked(json!({}), &[]).again);
}

#[test]
fn a_response_that_was_translated_here_cannot_be_continued() {
    refuses(json!({"previous_response_id": "resp_us_abc"}), &[], 400, "stored nowhere");
    asked(json!({"previous_response_id": "resp_abc"}), &[]);
    asked(json!({"previous_response_id": null}), &[]);
    let naming = |kind: &str, id: &str| json!({"input": [{"role": "user", "content": "a"}, {"type": kind, "id": id}]});
    refuses(
        naming("item_reference", "msg_us_abc_0"),
        &[],
        400,
        "msg_us_abc_0 was translated here and is stored nowhere",
    );
    // A reference need not say that it is one.
    let untyped = json!({"input": [{"role": "user", "content": "a"}, {"id": "msg_us_abc_0"}]});
    refuses(untyped, &[], 400, "msg_us_abc_0 was translated here and is stored nowhere");
    asked(naming("item_reference", "msg_abc"), &[]);
    asked(naming("message", "msg_us_abc_0"), &[]);
    asked(json!({"input": [{"role": "assistant", "content": "a", "id": "msg_us_abc_0"}]}), &[]);
    asked(json!({"input": ["about_us_"]}), &[]);
    asked(json!({"input": "about_us_"}), &[]);
}
