//! Keys never leave.

use serde_json::json;
use understudy::domain::redact::{redact, redact_json, redact_name, redact_value};

#[track_caller]
fn check(text: &str, keys: &[&str], expected: &str) {
    assert_eq!(redact(text, keys), expected);
}

#[test]
fn exact_keys_and_everything_that_looks_like_one() {
    check("key my-secret-1 used", &["my-secret-1"], "key [redacted] used");
    check("Incorrect API key provided: sk-proj-abcdefgh1234.", &[], "Incorrect API key provided: [redacted].");
    check("key=us-0123456789abcdef", &[], "key=[redacted]");
    check("AKIAIOSFODNN7EXAMPLE and AIzaSyA1234567890", &[], "[redacted] and [redacted]");
    check("Authorization: Bearer abc.def-ghi_jkl", &[], "Authorization: Bearer [redacted]");
    check("authorization: bearer abcdefgh", &[], "authorization: bearer [redacted]");
    check("{\"k\":\"sk-abcdefghij\"}", &[], "{\"k\":\"[redacted]\"}");
    // Behind an escape of an upstream's JSON, whose last letter is none of the word's.
    check(r"key:\nsk-abcdefgh1234", &[], r"key:\n[redacted]");
    check(
        r"key \u201csk-abcdefgh1234\u201d and \u003cBearer abcdefgh\u003e",
        &[],
        r"key \u201c[redacted]\u201d and \u003cBearer [redacted]\u003e",
    );
    // Joined to a word of another script.
    check("密钥sk-abcdefgh1234", &[], "密钥[redacted]");
}

#[test]
fn an_exact_key_is_known_as_json_spells_it() {
    let key = r#"ab/c"d\e/f"#;
    let body = serde_json::json!({"error": {"message": format!("bad key {key}")}}).to_string();
    check(&body, &[key], r#"{"error":{"message":"bad key [redacted]"}}"#);
    check(&body.replace('/', r"\/"), &[key], r#"{"error":{"message":"bad key [redacted]"}}"#);
    check("own-key-and-more", &["own-key", "own-key-and-more"], "[redacted]");
}

#[test]
fn ordinary_words_stay() {
    let words = ["", "sk-test", "task-12345678 at risk-assessment", "AKIA", "the Bearer of news", "grüße 🎭"];
    let regions = ["us-east-1", "vertex/claude@us-central1", "us-northeast-1", "us-gov-west-1"];
    for text in words.into_iter().chain(regions) {
        check(text, &[], text);
    }
    check("us-central1234567890", &[], "[redacted]");
    check("us-eastABC12345", &[], "[redacted]");
    check("a b a", &["a"], "a b a");
}

#[test]
fn names_are_no_keys() {
    let keys = ["ollama", "lm-studio", "0123456789abcdef0123456789abcdef"];
    for name in [
        "us-production",
        "us-cluster1/llama-70b",
        "acme/us-llama-70b",
        "ollama/llama3",
        "lm-studio/q",
        "us-web-0123456789",
    ] {
        assert_eq!(redact_name(name, &keys), name);
    }
    // What can be nothing else is masked in a name too.
    assert_eq!(redact_name("openai/sk-proj-abcdefgh1234", &keys), "openai/[redacted]");
    assert_eq!(redact_name("policy/us-0123456789abcdefghijABCDEFGHIJ0123456789", &keys), "policy/[redacted]");
    assert_eq!(redact_name("mistral/0123456789abcdef0123456789abcdef", &keys), "mistral/[redacted]");
}

#[test]
fn a_masked_body_is_still_json() {
    let body = r#"{"error": {"message": "no model for null",  "param": null, "code": 1.50}}"#;
    for (key, expected) in [
        ("none of it", body),
        ("null", r#"{"error":{"message":"no model for [redacted]","param":null,"code":1.5}}"#),
        ("model", r#"{"error":{"message":"no [redacted] for null","param":null,"code":1.5}}"#),
        ("message", r#"{"error":{"message":"no model for null","param":null,"code":1.5}}"#),
    ] {
        assert_eq!(redact_json(body, &[key]), expected, "{key}");
    }
    // A member may be called by one.
    assert_eq!(redact_json(r#"{"hunter2hunter2":1,"sk-abcdefgh1234":2}"#, &["hunter2hunter2"]), r#"{"[redacted]":2}"#);
    assert_eq!(redact_json("no JSON, but a-key-of-mine", &["a-key-of-mine"]), "no JSON, but [redacted]");
    // Some writers of JSON escape more than they must.
    let escaped = r#"{"message":"bad key c2Vjcm\u002B0a2V5MTIz, s\u006b-abcdefgh1234, grün \u00fc"}"#;
    let masked = r#"{"message":"bad key [redacted], [redacted], grün ü"}"#;
    assert_eq!(redact_json(escaped, &["c2Vjcm+0a2V5MTIz"]), masked);
    let harmless = r#"{"message":"gr\u00fcn"}"#;
    assert_eq!(redact_json(harmless, &["c2Vjcm+0a2V5MTIz"]), harmless);
    // Of two members of one name readers find the last; what the first one says must not stand there either.
    for first in ["hunter2hunter2", r"\u0068unter2hunter2"] {
        let twice = format!(r#"{{"code":"{first}","code":"c"}}"#);
        assert_eq!(redact_json(&twice, &["hunter2hunter2"]), r#"{"code":"c"}"#);
    }
}

/// A hop's params and a client's own words may hold a key; what holds them stays JSON, whatever the key reads.
#[test]
fn a_body_is_shown_without_the_keys_in_its_texts() {
    let body = json!({"model": "m", "note": "sk-livekey1234567890", "n": 7, "x": null,
        "messages": [{"role": "user", "content": "mine is hunter2hunter2"}]});
    let shown = redact_value(&body, &["hunter2hunter2", "model", "null"]);
    assert_eq!(
        shown,
        json!({"model": "m", "note": "[redacted]", "n": 7, "x": null,
            "messages": [{"role": "user", "content": "mine is [redacted]"}]})
    );
}
