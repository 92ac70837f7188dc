//! Vertex's key: what is signed, what is sent for a token, how long a token is used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use understudy::domain::outcome::Class;
use understudy::domain::provider::google::{GoogleKey, ServiceAccount, exchange_form, token_of};
use understudy::domain::time::Instant;

const NOW: Instant = Instant(1_700_000_000_500);

#[track_caller]
fn account(key: &Value) -> ServiceAccount {
    match GoogleKey::parse(&key.to_string()) {
        Ok(GoogleKey::Account(account)) => account,
        other => panic!("{other:?}"),
    }
}

fn key() -> Value {
    json!({
        "type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key_id": "k1",
        "private_key": "-----BEGIN PRIVATE KEY-----\nAQID\nBAU=\n-----END PRIVATE KEY-----\n",
        "token_uri": "https://evil.example.com/token",
    })
}

#[test]
fn an_account_signs_header_and_claims_for_googles_own_address() {
    let account = account(&key());
    assert_eq!(account.private_key, [1, 2, 3, 4, 5]);
    let input = account.signing_input(NOW);
    let parts: Vec<Value> = input
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON"))
        .collect();
    assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    assert_eq!(
        parts[1],
        json!({
            "iss": "a@p.iam.gserviceaccount.com", "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token", "iat": 1_700_000_000_u64, "exp": 1_700_003_600_u64,
        })
    );
    let form = exchange_form(&input, &[0xff, 0xfe]);
    let expected = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    assert_eq!(form, format!("{expected}{input}.__4"));
}

#[test]
fn what_is_no_json_is_a_token_and_bad_keys_are_named_without_being_quoted() {
    assert_eq!(GoogleKey::parse(" ya29.abc\n"), Ok(GoogleKey::Token("ya29.abc".to_owned())));
    let mut short = key();
    short["private_key"] = json!("-----BEGIN PRIVATE KEY-----\n!!secret!!\n-----END PRIVATE KEY-----");
    for bad in ["{".to_owned(), "{}".to_owned(), short.to_string()] {
        let failure = GoogleKey::parse(&bad).expect_err("unusable");
        assert_eq!(failure.class, Class::Auth);
        assert!(!failure.reason.contains("secret"), "{}", failure.reason);
    }
    assert!(!format!("{:?}", account(&key())).contains("private"));
}

#[test]
fn a_token_is_used_until_shortly_before_it_expires() {
    let token =
        token_of(200, br#"{"access_token":"ya29.t","expires_in":3599,"token_type":"Bearer"}"#, NOW).expect("a token");
    assert_eq!((token.text.as_str(), token.until), ("ya29.t", Instant(NOW.0 + 3_299_000)));
    assert!(token.is_fresh(Instant(NOW.0 + 3_298_999)) && !token.is_fresh(token.until));
    assert!(!format!("{token:?}").contains("ya29"));
}

#[test]
fn a_refused_key_is_auth_and_a_broken_exchange_unreachable() {
    let refused = token_of(400, br#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#, NOW);
    let failure = refused.expect_err("refused");
    assert_eq!((failure.class, failure.reason.contains("Invalid JWT Signature.")), (Class::Auth, true));
    for (status, body) in [(503, "<html>"), (200, "{}"), (200, "")] {
        let failure = token_of(status, body.as_bytes(), NOW).expect_err("no token");
        assert_eq!(failure.class, Class::Unreachable);
    }
}
