//! The classifier: providers' error answers, as they give them, and the class that each is.

use serde_json::{Value, json};
use understudy::domain::classify::{
    ErrorRule, Facts, classify, classify_error_value, disowned, duration, reclassify, retry_after,
};
use understudy::domain::outcome::{Class, Failure};
use understudy::domain::time::{Instant, Span};

use crate::recorded;

/// Wed, 21 Oct 2015 07:28:00 GMT
const NOW: Instant = Instant(1_445_412_480_000);

fn answer(provider: &str, status: u16, headers: &[(&str, &str)], body: &[u8], rules: &[ErrorRule]) -> Failure {
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    classify(&Facts { status, header: &header, body, provider, rules, now: NOW })
}

#[track_caller]
fn is(class: Class, status: u16, body: &Value) -> Failure {
    is_of("openai", class, status, &[], &body.to_string())
}

#[track_caller]
fn is_of(provider: &str, class: Class, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let failure = answer(provider, status, headers, body.as_bytes(), &[]);
    assert_eq!(failure.class, class, "{status} {body}");
    assert_eq!(failure.status, Some(status));
    failure
}

fn openai(kind: &str, code: Value, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn anthropic(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
}

#[test]
fn every_status_has_a_class() {
    for (statuses, class) in [
        (vec![100, 101, 204, 301, 302, 304, 307, 600, 999], Class::Malformed),
        (vec![400, 405, 406, 409, 410, 413, 415, 418, 422, 424, 425, 451, 499], Class::InvalidRequest),
        (vec![401], Class::Auth),
        (vec![402], Class::QuotaExhausted),
        (vec![403], Class::Forbidden),
        (vec![404], Class::NotFound),
        (vec![408, 504, 524], Class::Timeout),
        (vec![429], Class::RateLimited),
        (vec![500, 501, 502, 505, 599], Class::ServerError),
        (vec![503, 529], Class::Overloaded),
        (vec![520, 521, 522, 523, 525, 526, 527, 530], Class::Unreachable),
    ] {
        for status in statuses {
            is_of("acme", class, status, &[], "");
            is_of("acme", class, status, &[], "<html><body>Bad gateway: maximum context length is 5</body></html>");
            is_of("acme", class, status, &[], "not json");
        }
    }
}

/// Which class an error has, and what clients are told of it, `error_rows.rs` asks row by row: here is what else is read of it.
#[test]
fn code_and_reason_are_read_whatever_the_shape() {
    let said = |body: Value, code: Option<&str>, reason: &str| {
        let failure = answer("acme", 400, &[], body.to_string().as_bytes(), &[]);
        assert_eq!((failure.code.as_deref(), failure.reason.as_str()), (code, reason), "{body}");
    };
    said(anthropic("overloaded_error", "Overloaded"), Some("overloaded_error"), "Overloaded");
    said(openai("invalid_request_error", json!("content_filter"), "Filtered"), Some("content_filter"), "Filtered");
    let fields = json!([{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]);
    said(json!({"detail": fields}), None, "body.messages: field required");
    let mistral =
        json!({"object": "error", "type": "invalid_request_error", "code": null, "message": {"detail": fields}});
    said(mistral, Some("invalid_request_error"), "body.messages: field required");
    let detail = json!({"detail": {"message": "out of credit", "type": "insufficient_quota"}});
    said(detail, Some("insufficient_quota"), "out of credit");
    for body in [json!({"error": "bad thing"}), json!({"message": "bad thing"}), json!("bad thing")] {
        said(body, None, "bad thing");
    }
    assert_eq!(answer("acme", 502, &[], b"<html>\n<h1>502</h1>", &[]).reason, "status 502");
    let kind = [("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/coral/")];
    let throttled = answer("bedrock", 429, &kind, br#"{"message":"Too many tokens"}"#, &[]);
    assert_eq!(throttled.code.as_deref(), Some("ThrottlingException"));
}

/// OpenRouter says no more than that the host behind it failed; what that one said stands beside it, as text or as it is.
#[test]
fn what_the_host_behind_openrouter_said_counts() {
    let filtered = openai("invalid_request_error", json!("content_filter"), "The prompt was filtered");
    for raw in [json!(filtered.to_string()), filtered.clone()] {
        let said = json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "Azure"}}});
        let failure = is(Class::ContentPolicy, 400, &said);
        assert_eq!(failure.code.as_deref(), Some("content_filter"));
    }
}

#[test]
fn the_providers_own_rules_come_first() {
    let rule =
        |status, contains: Option<&str>, class| ErrorRule { status, contains: contains.map(str::to_owned), class };
    let rules = [
        rule(Some(400), Some("CAPACITY"), Class::Overloaded),
        rule(None, Some("context_length_exceeded"), Class::InvalidRequest),
        rule(Some(418), None, Class::RateLimited),
    ];
    let of = |status, body: &str| answer("acme", status, &[("retry-after", "3")], body.as_bytes(), &rules);
    assert_eq!(of(400, "no capacity left").class, Class::Overloaded);
    assert_eq!(of(500, "no capacity left").class, Class::ServerError);
    assert_eq!(of(400, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#).class, Class::InvalidRequest);
    let failure = of(418, "");
    assert_eq!((failure.class, failure.retry_after), (Class::RateLimited, Some(Span(3_000))));
}

#[test]
fn the_providers_own_rules_are_asked_of_a_200_too() {
    let rule =
        |status, contains: Option<&str>, class| ErrorRule { status, contains: contains.map(str::to_owned), class };
    let rules = [
        rule(Some(200), Some("server busy"), Class::Overloaded),
        rule(None, Some("no capacity"), Class::RateLimited),
        rule(Some(200), None, Class::ServerError),
    ];
    // In a shape of its own, which is no answer.
    let malformed = || Failure { status: Some(200), ..Failure::new(Class::Malformed, "no choices") };
    let busy = br#"{"code": 1305, "msg": "Server busy"}"#;
    let failure = reclassify(malformed(), &rules, busy);
    assert_eq!((failure.class, failure.body.as_deref()), (Class::Overloaded, Some(&busy[..])));
    assert_eq!(reclassify(malformed(), &rules, b"no capacity").class, Class::RateLimited);
    assert_eq!(reclassify(malformed(), &rules, b"else").class, Class::ServerError);
    assert_eq!(reclassify(malformed(), &rules[..1], b"else"), malformed());
    // What was said before an error, or before a stream broke off, is no error.
    let error = Failure { body: Some(b"{}".to_vec()), ..Failure::new(Class::Overloaded, "x") };
    assert_eq!(reclassify(error.clone(), &rules[1..2], b"no capacity"), error);
    let cut = Failure::new(Class::Interrupted, "x");
    assert_eq!(reclassify(cut.clone(), &rules[1..2], b"no capacity"), cut);
    // A good answer is an error by a rule alone that names its status and a text.
    assert_eq!(disowned(200, b"The server BUSY page", &rules).map(|failure| failure.class), Some(Class::Overloaded));
    for (status, body) in [(201, "server busy"), (200, "no capacity"), (200, "Hello")] {
        assert_eq!(disowned(status, body.as_bytes(), &rules), None, "{status} {body}");
    }
}

#[test]
fn errors_inside_a_200() {
    for (value, class) in [
        (anthropic("overloaded_error", "Overloaded"), Class::Overloaded),
        (anthropic("api_error", "Internal server error"), Class::ServerError),
        (anthropic("invalid_request_error", "prompt is too long: 5 tokens > 4 maximum"), Class::ContextLength),
        (anthropic("invalid_request_error", "messages"), Class::InvalidRequest),
        (json!({"code": 502, "message": "Provider returned error"}), Class::ServerError),
        (json!({"error": {"code": 429, "message": "slow"}}), Class::RateLimited),
        (json!({"error": {"code": "503", "message": "slow"}}), Class::Overloaded),
        (json!({"code": "server_error", "message": "x"}), Class::ServerError),
        (json!({"code": "rate_limit_exceeded", "message": "x"}), Class::RateLimited),
        (json!({"type": "insufficient_quota", "code": "insufficient_quota", "message": "x"}), Class::QuotaExhausted),
        (json!({"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}), Class::RateLimited),
        (json!({"response": {"error": {"code": "invalid_prompt", "message": "x"}}}), Class::ContentPolicy),
        (json!({"message": "something odd"}), Class::ServerError),
        (json!("something odd"), Class::ServerError),
        (json!({"__type": "validationException", "message": "x"}), Class::InvalidRequest),
        (json!({"__type": "modelTimeoutException", "message": "x"}), Class::Timeout),
        (json!({"__type": "serviceUnavailableException", "message": "x"}), Class::Overloaded),
    ] {
        let failure = classify_error_value(&value, Some(200));
        assert_eq!((failure.class, failure.status), (class, Some(200)), "{value}");
        assert!(!failure.reason.is_empty());
    }
}

/// An upstream that repeats text which was cut amid a character still says what is wrong.
#[test]
fn half_a_character_in_an_error_hides_nothing_of_it() {
    let body = br#"{"error": {"message": "no place for 'a\ud83d'", "type": "x", "code": "context_length_exceeded"}}"#;
    let failure = answer("openai", 400, &[], body, &[]);
    assert_eq!((failure.class, failure.reason.as_str()), (Class::ContextLength, "no place for 'a\u{fffd}'"));
}

/// Of an error no more than 64 KiB are read: what stands there counts, wherever the cut falls.
#[test]
fn an_error_longer_than_what_is_read_of_it_is_known_by_its_beginning() {
    let long = "no \"room\" \u{1f600} \\".repeat(6_000);
    let body =
        json!({"error": {"code": "insufficient_quota", "type": "insufficient_quota", "param": null, "message": long}});
    let body = body.to_string();
    assert!(body.len() > 64 << 10);
    let failure = answer("openai", 429, &[], body.as_bytes(), &[]);
    assert_eq!((failure.class, failure.code.as_deref()), (Class::QuotaExhausted, Some("insufficient_quota")));
    assert!(failure.reason.starts_with("no \"room\""), "{}", &failure.reason[..20]);
    let list = json!([{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [{"a": 1, "b": [2, "é\n"]}, {"c": 3}]}}]);
    let list = list.to_string();
    let end = list.find("\"details\"").expect("details");
    for cut in end..list.len() {
        let failure = answer("google", 429, &[], &list.as_bytes()[..cut], &[]);
        assert_eq!((failure.class, failure.reason.as_str()), (Class::RateLimited, "slow"), "{}", &list[..end]);
    }
    for text in ["{", "[", "{}", "{oops", "[ERROR] no", "{\"a", "[[[[", &"[".repeat(100_000)] {
        assert_eq!(answer("x", 500, &[], text.as_bytes(), &[]).class, Class::ServerError, "{}", text.len());
    }
}

#[test]
fn how_long_an_upstream_asks_to_wait() {
    let waits = |headers: &[(&str, &str)]| answer("openai", 429, headers, b"", &[]).retry_after.map(|span| span.0);
    assert_eq!(waits(&[]), None);
    assert_eq!(waits(&[("retry-after", "2")]), Some(2_000));
    assert_eq!(waits(&[("retry-after", "1.5")]), Some(1_500));
    assert_eq!(waits(&[("retry-after", "0")]), Some(0));
    assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")]), Some(30_000));
    assert_eq!(waits(&[("retry-after", "Wednesday, 21-Oct-15 07:28:30 GMT")]), Some(30_000));
    assert_eq!(waits(&[("retry-after", "Wed Oct 21 07:28:30 2015")]), Some(30_000));
    assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")]), Some(0));
    assert_eq!(waits(&[("retry-after-ms", "250"), ("retry-after", "2")]), Some(250));
    assert_eq!(waits(&[("x-ms-retry-after-ms", "1234")]), Some(1_234));
    for nonsense in ["", "soon", "-5", "NaN", "inf", "1e400"] {
        assert_eq!(waits(&[("retry-after", nonsense)]), None, "{nonsense}");
    }
    assert_eq!(retry_after("99999999999999999999999", NOW).map(|span| span.0), Some(u64::MAX));
    let reset = |left| waits(&[("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", "6m0s")]);
    assert_eq!((reset("0"), reset("10")), (Some(360_000), None));
    let reset = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2015-10-21T07:28:09Z"),
    ];
    assert_eq!(waits(&reset), Some(9_000));
    assert_eq!(answer("openai", 302, &[("retry-after", "2")], b"", &[]).retry_after, None);
    for (message, ms) in [
        ("Rate limit reached. Please try again in 20s. Visit x", 20_000),
        ("Please try again in 1m3s.", 63_000),
        ("Please try again in 12ms.", 12),
        ("Please try again in 7.66s. Need more tokens?", 7_660),
        ("Please retry after 15 seconds.", 15_000),
        ("Please retry in 34.4s.", 34_400),
        ("Please wait, retry after 2 minutes", 120_000),
    ] {
        let body = openai("tokens", Value::Null, message).to_string();
        assert_eq!(answer("openai", 429, &[], body.as_bytes(), &[]).retry_after, Some(Span(ms)), "{message}");
    }
}

#[test]
fn durations() {
    for (text, ms) in [
        ("1s", 1_000),
        ("6m0s", 360_000),
        ("12ms", 12),
        ("1h2m3s", 3_723_000),
        ("5", 5_000),
        ("0.5s", 500),
        ("1 minute 30 seconds", 90_000),
        ("1m 3s.", 63_000),
        ("20 seconds 3 times", 20_000),
    ] {
        assert_eq!(duration(text), Some(Span(ms)), "{text}");
    }
    for text in ["", "s", "soon", "..s"] {
        assert_eq!(duration(text), None, "{text}");
    }
}

#[test]
fn recorded_errors() {
    for (case, class) in [
        ("anthropic/error-count-tokens-model", Class::NotFound),
        ("anthropic/error-effort", Class::Unsupported),
        ("bedrock/error-model", Class::NotFound),
        ("google/error-429-retry-info", Class::RateLimited),
        ("openai-responses/error-quota", Class::QuotaExhausted),
        ("openai-responses/error-temperature", Class::InvalidRequest),
        ("openai-responses/temperature-error", Class::Unsupported),
        ("openai/error-developer-role", Class::Unsupported),
        ("openai/error-system-role", Class::Unsupported),
        ("openai/error-web-search", Class::Unsupported),
        ("openai/legacy-parameter-error", Class::Unsupported),
    ] {
        let (Some(body), Some(meta)) = (recorded::bytes(case, "response.json"), recorded::json(case, "meta.json"))
        else {
            return;
        };
        let status = meta["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(400);
        assert_eq!(answer("x", status, &[], &body, &[]).class, class, "{case}");
    }
}

#[test]
fn nothing_in_a_body_is_too_strange() {
    let deep = format!("{}1{}", "{\"error\":".repeat(100), "}".repeat(100));
    for body in [
        deep.as_str(),
        "[[[[]]]]",
        "[]",
        "{\"error\":{\"details\":[1,null,{}]}}",
        "{\"error\":{\"code\":99999999999}}",
        "\u{0}",
    ] {
        assert_eq!(answer("x", 400, &[], body.as_bytes(), &[]).class, Class::InvalidRequest, "{body}");
    }
}
