//! Gateway keys: their text, their document, and the provider keys sealed into it.

use proptest::prelude::*;
use understudy::domain::crypto::{self, CryptoError, Kek, Place};
use understudy::domain::key::{self, KeyFile};
use understudy::domain::request::Headers;
use understudy::domain::target::ModelRef;
use understudy::domain::time::Instant;

fn model(text: &str) -> String {
    ModelRef::parse(text, "openai", |_| true).unwrap().to_string()
}

fn file(json: &str) -> KeyFile {
    key::parse("ab12", json.as_bytes()).unwrap_or_else(|bad| panic!("{json}: {bad}"))
}

#[track_caller]
fn refuses(json: &str, message: &str) {
    let bad = key::parse("ab12", json.as_bytes()).err().unwrap_or_else(|| panic!("taken: {json}"));
    assert!(bad.to_string().contains(message), "{message:?} is not in {bad}");
}

#[test]
fn a_key_is_us_and_forty_digits_of_base62_with_a_checksum() {
    let key = key::generate([7; 32]);
    assert_eq!(key.len(), 43);
    assert!(key.starts_with("us-") && key[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    assert!(key::is_well_formed(&key));
    // Recomputed here digit by digit: keys in use depend on it.
    let zeros = key::generate([0; 32]);
    assert_eq!(&zeros[..37], "us-0000000000000000000000000000000000");
    assert_eq!(base62(&zeros[37..]), u64::from(crc32fast_of(&zeros[3..37])));
}

fn base62(digits: &str) -> u64 {
    let alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    digits.chars().fold(0, |number, digit| number * 62 + alphabet.find(digit).unwrap() as u64)
}

/// CRC-32 (IEEE), bit by bit.
fn crc32fast_of(text: &str) -> u32 {
    !text.bytes().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn a_provider_key_is_what_a_header_can_hold_or_a_service_account() {
    for key in ["sk-a", "AKIA0:secret/+=", r#"{"type": "service_account", "private_key": "-----BEGIN\n"}"#] {
        assert!(key::is_provider_key(key), "{key:?}");
    }
    for key in ["", "sk a", "sk-\nb", "sk-\u{65e5}", "\"sk a\""] {
        assert!(!key::is_provider_key(key), "{key:?}");
    }
}

#[test]
fn what_is_mistyped_is_no_key() {
    let key = key::generate([42; 32]);
    for bad in [
        String::new(),
        "us-".to_owned(),
        "sk-abc".to_owned(),
        key[..42].to_owned(),
        format!("{key}0"),
        key.replace("us-", "US-"),
        format!("us-{}", "0".repeat(40)),
        format!("us-{}", "é".repeat(20)),
        format!("us-{}!{}", &key[3..20], &key[21..]),
    ] {
        assert!(!key::is_well_formed(&bad), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn one_changed_digit_never_passes(random in any::<[u8; 32]>(), at in 3..43_usize, digit in "[0-9A-Za-z]") {
        let key = key::generate(random);
        prop_assert!(key::is_well_formed(&key));
        let mut other = key.clone();
        other.replace_range(at..=at, &digit);
        prop_assert_eq!(key::is_well_formed(&other), other == key);
    }
}

#[test]
fn the_hash_is_sha_256_in_hex() {
    assert_eq!(key::hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn a_key_comes_as_bearer_or_in_a_header_of_its_own() {
    let key = key::generate([1; 32]);
    let presented = |pairs: &[(&str, &str)]| {
        let headers: Headers = pairs.iter().map(|(name, value)| (*name, *value)).collect();
        key::presented(&headers).map(str::to_owned)
    };
    assert_eq!(presented(&[]), None);
    assert_eq!(presented(&[("Authorization", &format!("bearer  {key}"))]), Some(key.clone()));
    assert_eq!(presented(&[("x-api-key", &key)]), Some(key.clone()));
    assert_eq!(presented(&[("api-key", &key)]), Some(key.clone()));
    assert_eq!(presented(&[("authorization", "Bearer sk-other"), ("x-api-key", &key)]), Some(key.clone()));
    assert_eq!(presented(&[("authorization", "Basic abc")]), None);
    assert_eq!(presented(&[("authorization", "Bearer "), ("api-key", "x")]), Some("x".to_owned()));
    assert_eq!(key::unknown(None).status, 401);
    assert_eq!(key::unknown(Some("sk-1")).code, "invalid_api_key");
    assert!(!key::unknown(Some("sk-very-secret")).message.contains("very-secret"));
}

#[test]
fn a_document_says_what_its_key_may() {
    let key = file(
        r#"{"name": "web", "group": "acme", "user": null, "allow": ["policy/*", "openai/gpt-4o*"], "expires_at": null,
            "disabled": false, "deny": ["*/o?"], "policy": "policy/sonnet", "own": {}, "budget_usd_per_day": 1.5,
            "budget_usd_per_month": null}"#,
    );
    assert_eq!((key.name.as_str(), key.group.as_deref(), key.user.as_deref()), ("web", Some("acme"), None));
    assert_eq!(key.policy.as_deref(), Some("sonnet"));
    assert_eq!((key.budget_usd_per_day, key.budget_usd_per_month), (Some(1.5), None));
    let cases = [
        ("policy/sonnet", true),
        ("gpt-4o", true),
        ("openai/gpt-4o-mini", true),
        ("openai/gpt-4", false),
        ("anthropic/claude-sonnet-4-5", false),
        ("openrouter/openai/gpt-4o", false),
    ];
    for (name, allowed) in cases {
        assert_eq!(key.allows(&model(name), "openai"), allowed, "{name}");
    }
    let denies = |name: &str| key.denies(&model(name), "openai");
    assert!(denies("openai/o3") && !denies("openai/o") && !denies("openai/o3x"));
}

#[test]
fn a_pattern_names_models_as_requests_do() {
    let denies = |pattern: &str, name: &str| {
        file(&format!(r#"{{"name": "a", "deny": ["{pattern}"]}}"#)).denies(&model(name), "openai")
    };
    for (pattern, name, expected) in [
        ("gpt-4o", "gpt-4o", true),
        ("gpt-4o", "openai/gpt-4o", true),
        ("gpt-*", "openai/gpt-4o", true),
        ("gpt-*", "azure/gpt-4o", false),
        ("openai:gpt-*", "gpt-4o", true),
        ("openpipe:my-*", "openpipe/my-ft", true),
        ("ft:gpt-*", "ft:gpt-4o:acme", true),
        ("gemini:gemini-2.5-*", "gemini:gemini-2.5-pro", true),
        ("gemini:gemini-2.5-*", "google/gemini-2.5-pro", true),
        ("gemini:gemini-2.5-*", "gemini/gemini-2.5-pro", false),
        ("policy/*", "policy/x", true),
        ("x", "policy/x", false),
        // Who is denied a model is denied it in every region, and one region's denial is no other's.
        ("bedrock/claude-opus-4-1", "bedrock/claude-opus-4-1@eu-central-1", true),
        ("bedrock/claude-*@us-*", "bedrock/claude-opus-4-1@us-east-1", true),
        ("bedrock/claude-*@us-*", "bedrock/claude-opus-4-1@eu-central-1", false),
        ("acme/m", "acme/m@eu-central-1", false),
        ("openai/*", "openrouter/openai/gpt-4o", false),
    ] {
        assert_eq!(denies(pattern, name), expected, "{pattern} on {name}");
    }
}

#[test]
fn without_allow_every_model_is_allowed_and_an_empty_list_allows_none() {
    assert!(file(r#"{"name": "a"}"#).allows(&model("x/y/z"), "openai"));
    assert!(!file(r#"{"name": "a", "allow": []}"#).allows(&model("x/y/z"), "openai"));
}

#[test]
fn a_key_ends() {
    let key = file(r#"{"name": "a", "expires_at": "2027-01-31T00:00:00+01:00"}"#);
    let at = Instant(1_801_350_000_000);
    assert_eq!(key.expires_at, Some(at));
    assert_eq!(file(&format!(r#"{{"name": "a", "expires_at": {}}}"#, at.0)).expires_at, Some(at), "Unix ms");
    assert!(key.usable(Instant(at.0 - 1)).is_ok());
    assert_eq!(key.usable(at).unwrap_err().status, 401);
    let refusal = file(r#"{"name": "a", "disabled": true}"#).usable(Instant(0)).unwrap_err();
    assert_eq!((refusal.status, refusal.code), (401, "invalid_api_key"));
}

#[test]
fn a_bad_document_is_told_with_path_value_and_expectation() {
    refuses("{}", "key \"ab12\": name: is missing");
    refuses(r#"{"name": 5}"#, "name: 5 is not a name");
    refuses(r#"{"name": "a", "allow": "policy/*"}"#, "allow: \"policy/*\" is not a list");
    refuses(r#"{"name": "a", "allow": ["a b"]}"#, "allow[0]: \"a b\" is not a model or a glob");
    refuses(r#"{"name": "a", "expires_at": "tomorrow"}"#, "expires_at: \"tomorrow\" is not a time");
    refuses(r#"{"name": "a", "expires_at": "2027-01-31T00:00:00"}"#, "expires_at");
    refuses(r#"{"name": "a", "expires_at": -1}"#, "expires_at: -1 is not");
    refuses(r#"{"name": "a", "expires_at": true}"#, "expires_at: true is not");
    refuses(r#"{"name": "a", "policy": "no such/name"}"#, "policy: \"no such/name\" is not a policy");
    refuses(r#"{"name": "a", "budget_usd_per_day": -1}"#, "budget_usd_per_day: -1 is not in");
    refuses(r#"{"name": "a", "own": {"Open AI": "v1.x"}}"#, "a provider name");
    refuses(r#"{"name": "a", "alow": []}"#, "did you mean \"allow\"?");
    refuses("[]", "a list of 0 is not a gateway key");
    refuses("{", "is not JSON");
    refuses("\u{feff}{}", "begins with a byte order mark");
    // What stands where a ciphertext belongs may be the key itself: it is not repeated.
    let bad = key::parse("ab12", br#"{"name": "a", "own": {"openai": "sk-plain-secret"}}"#).unwrap_err();
    assert!(!format!("{bad} {bad:?}").contains("plain-secret"), "{bad}");
}

const KEK: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const HERE: Place<'static> = Place { key_hash: "abc", provider: "openai" };

#[test]
fn a_sealed_key_opens_where_it_belongs_and_nowhere_else() {
    let (kek, other) = (Kek::parse(KEK).unwrap(), Kek::parse(OTHER).unwrap());
    let sealed = kek.seal("sk-secret", [3; 12], HERE).unwrap();
    assert_eq!(sealed.split('.').take(3).collect::<Vec<_>>(), ["v1", kek.id(), "AwMDAwMDAwMDAwMD"]);
    assert!(!sealed.contains("secret"));
    assert_eq!(crypto::open(&sealed, [&kek], HERE).as_deref(), Ok("sk-secret"));
    // A replaced KEK still opens what it sealed, as KEK_PREVIOUS.
    assert_eq!(crypto::open(&sealed, [&other, &kek], HERE).as_deref(), Ok("sk-secret"));
    assert_eq!(crypto::open(&sealed, [&other], HERE), Err(CryptoError::UnknownKek));
    assert_eq!(crypto::open(&sealed, [&kek], Place { provider: "anthropic", ..HERE }), Err(CryptoError::Forged));
    assert_eq!(crypto::open(&sealed, [&kek], Place { key_hash: "abd", ..HERE }), Err(CryptoError::Forged));
    let altered = format!("{}A", &sealed[..sealed.len() - 1]);
    assert!(altered == sealed || crypto::open(&altered, [&kek], HERE).is_err());
}

#[test]
fn the_sealed_format_is_pinned() {
    // Sealed by an earlier version: what is stored must open for ever.
    let sealed = Kek::parse(KEK).unwrap().seal("sk-secret", [3; 12], HERE).unwrap();
    assert_eq!(sealed, "v1.66687aad.AwMDAwMDAwMDAwMD.61gZV69lTvVTJcGE_HoZ4n11WAezz29Mlw");
}

#[test]
fn what_is_no_sealed_key_is_told_apart() {
    let kek = Kek::parse(KEK).unwrap();
    for bad in [
        "",
        "v1",
        "v2.00000000.AwMDAwMDAwMDAwMD.AAAA",
        "v1.0000000.AwMDAwMDAwMDAwMD.AAAA",
        "v1.00000000.AwMD.AAAA",
        "v1.00000000.AwMDAwMDAwMDAwMD.!",
        "v1.00000000.AwMDAwMDAwMDAwMD.AAAA.AAAA",
    ] {
        assert_eq!(crypto::open(bad, [&kek], HERE), Err(CryptoError::Format), "{bad}");
    }
    let short = format!("v1.{}.AwMDAwMDAwMDAwMD.AAAA", kek.id());
    assert_eq!(crypto::open(&short, [&kek], HERE), Err(CryptoError::Forged));
    assert_eq!(kek.seal("", [0; 12], HERE), Err(CryptoError::Size));
    assert_eq!(kek.seal(&"x".repeat(9_000), [0; 12], HERE), Err(CryptoError::Size));
    for bad in ["", "AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(Kek::parse(bad).err(), Some(CryptoError::BadKek), "{bad}");
    }
}
