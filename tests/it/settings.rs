//! The deployment's variables: defaults, what they may be, and what is said of the others.

use understudy::domain::settings::{Misread, Settings, named_tokens};
use understudy::domain::time::Span;

fn read(variables: &[(&str, &str)]) -> (Settings, Vec<Misread>) {
    let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::read(&of)
}

fn misread(name: &'static str, value: &str, expected: &str, used: &str) -> Misread {
    Misread { name, value: value.to_owned(), expected: expected.to_owned(), used: used.to_owned() }
}

#[test]
fn what_is_not_set_has_the_defaults_of_the_contract() {
    let (settings, misread) = read(&[]);
    assert_eq!(misread, []);
    assert!(!settings.auth_off && !settings.sim_on && !settings.request_endpoints);
    assert_eq!((settings.ledger_shards, settings.policy_ttl), (4, Span(30_000)));
    assert_eq!((settings.default_provider.as_str(), settings.max_body_bytes), ("openai", 16 << 20));
    let keeps = settings.keeps;
    assert_eq!((keeps.attempts, keeps.minutes), (Span::days(7), Span::hours(48)));
    assert_eq!((keeps.hours, keeps.days), (Span::days(90), Span::days(730)));
}

#[test]
fn what_is_set_is_used() {
    let (settings, misread) = read(&[
        ("AUTH", "off"),
        ("SIM", "on"),
        ("REQUEST_ENDPOINTS", "on"),
        ("LEDGER_SHARDS", "1024"),
        ("POLICY_TTL_MS", "0"),
        ("DEFAULT_PROVIDER", "acme"),
        ("MAX_BODY_BYTES", "1000"),
        ("LEDGER_ATTEMPTS_DAYS", "30"),
        ("LEDGER_MINUTES_HOURS", "24"),
        ("LEDGER_HOURS_DAYS", "365"),
        ("LEDGER_DAYS_DAYS", "3650"),
    ]);
    assert_eq!(misread, []);
    assert!(settings.auth_off && settings.sim_on && settings.request_endpoints);
    assert_eq!((settings.ledger_shards, settings.policy_ttl), (1024, Span::ZERO));
    assert_eq!((settings.default_provider.as_str(), settings.max_body_bytes), ("acme", 1000));
    let keeps = settings.keeps;
    assert_eq!((keeps.attempts, keeps.minutes), (Span::days(30), Span::hours(24)));
    assert_eq!((keeps.hours, keeps.days), (Span::days(365), Span::days(3650)));
    assert_eq!(read(&[("AUTH", "keys"), ("SIM", "off"), ("REQUEST_ENDPOINTS", "off")]), read(&[]));
}

#[test]
fn a_variable_that_cannot_be_used_is_named_with_what_is_used_in_its_place() {
    for (name, value, expected, used) in [
        ("AUTH", "OFF", "off or keys", "keys"),
        ("SIM", "true", "on or off", "off"),
        ("REQUEST_ENDPOINTS", "1", "on or off", "off"),
        ("LEDGER_SHARDS", "eight", "an integer, 1 to 1024", "4"),
        ("LEDGER_SHARDS", "0", "an integer, 1 to 1024", "4"),
        ("LEDGER_SHARDS", "5000", "an integer, 1 to 1024", "1024"),
        ("POLICY_TTL_MS", "30s", "an integer, 0 to 31536000000", "30000"),
        ("POLICY_TTL_MS", "-1", "an integer, 0 to 31536000000", "30000"),
        ("MAX_BODY_BYTES", "16MB", "an integer, 0 to 1073741824", "16777216"),
        ("MAX_BODY_BYTES", "4294967296", "an integer, 0 to 1073741824", "1073741824"),
        ("LEDGER_ATTEMPTS_DAYS", "30d", "an integer, 1 to 36500", "7"),
        ("LEDGER_MINUTES_HOURS", "0", "an integer, 1 to 876000", "48"),
        ("LEDGER_HOURS_DAYS", "99999999999999999999", "an integer, 1 to 36500", "36500"),
    ] {
        assert_eq!(read(&[(name, value)]).1, [misread(name, value, expected, used)]);
    }
}

#[test]
fn a_secret_of_a_form_that_it_cannot_have_is_named_and_not_shown() {
    let fits = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    assert_eq!(read(&[("KEK", fits), ("KEK_PREVIOUS", fits), ("ADMIN_TOKENS", "alice:a:b, bob:c,")]).1, []);
    for (name, value, expected) in [
        ("KEK", "correct horse", "base64 of 32 bytes"),
        ("KEK_PREVIOUS", "MDEyMw==", "base64 of 32 bytes"),
        ("ADMIN_TOKENS", "just-a-token", "alice:token,bob:token"),
        ("ADMIN_TOKENS", "alice:a,bob:", "alice:token,bob:token"),
    ] {
        assert_eq!(read(&[(name, value)]).1, [misread(name, "", expected, "")]);
    }
}

#[test]
fn each_admin_has_a_name_and_a_token() {
    let read: Vec<_> = named_tokens(" alice:a:b ,:c, bob : d,eve").flatten().collect();
    assert_eq!(read, [("alice", "a:b"), ("bob", "d")]);
}

#[test]
fn a_key_in_the_wrong_place_is_not_shown() {
    let (_, misread) = read(&[("LEDGER_SHARDS", "sk-proj-0123456789abcdef")]);
    assert!(!misread[0].value.contains("0123456789"), "{misread:?}");
}
