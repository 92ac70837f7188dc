//! Documents of the store: read, or refused with findings; the same however they are spaced.

use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

use serde_json::{Map, Value};
use understudy::domain::catalogue::{self, Catalogue};
use understudy::domain::chain::Leave;
use understudy::domain::dialect::Wire;
use understudy::domain::document::{BadDocument, Finding, Kind, MAX_FINDINGS, Severity};
use understudy::domain::documents;
use understudy::domain::key;
use understudy::domain::lint::{self, Context};
use understudy::domain::plan::boundaries;
use understudy::domain::policy::resolve::{self, Lookup, World};
use understudy::domain::policy::tree::Draw;
use understudy::domain::policy::{PlanName, file};
use understudy::domain::provider::{self, Provider, table};
use understudy::domain::request::Headers;
use understudy::domain::route::Route;
use understudy::domain::rules::{Facts, Rules};
use understudy::domain::simulate::{Outlook, Script, simulate};
use understudy::domain::target::Target;
use understudy::domain::time::Instant;
use understudy::domain::usage::Usage;

use super::bounded;

fn stored(name: &str) -> Lookup {
    match name {
        "cheap" => match file::parse("cheap", br#"{"chain": ["openai/gpt-4o-mini (2 retries)", "policy/deeper"]}"#) {
            Ok(file) => Lookup::Found(Rc::new(file)),
            Err(bad) => Lookup::Bad(bad.to_string()),
        },
        "deeper" => match file::parse("deeper", br#"{"type": "load_balance", "chain": ["groq/llama", "x/y"]}"#) {
            Ok(file) => Lookup::Found(Rc::new(file)),
            Err(bad) => Lookup::Bad(bad.to_string()),
        },
        "broken" => Lookup::Bad("chain: is missing".to_owned()),
        _ => Lookup::Missing,
    }
}

fn known(name: &str) -> bool {
    name == "x" || table::is_built_in(name)
}

fn world() -> World<'static> {
    World { default_provider: "openai", provider: &known, policy: &stored }
}

fn context(catalogue: &Catalogue) -> Context<'_> {
    Context {
        world: world(),
        provider: &|name| Provider::built_in(name).map(Ok),
        has_secret: &|name| name == "OPENAI_API_KEY",
        catalogue,
        today: "2026-11-21",
        prompt_tokens: 1000,
    }
}

/// Findings are few and short, whatever was found.
#[track_caller]
fn check_findings(findings: &[Finding], input: &[u8]) {
    assert!(findings.len() <= MAX_FINDINGS);
    for finding in findings {
        let size = finding.message.len() + finding.hint.len();
        assert!(size < 4_096, "a finding of {size} bytes: {:.200}", finding.message);
        bounded("the path of a finding", finding.path.len(), input.len(), 8);
        assert!(!finding.message.chars().any(char::is_control), "a control character in {:?}", finding.message);
    }
}

#[track_caller]
fn check_refused(bad: &BadDocument, input: &[u8]) {
    check_findings(&bad.findings, input);
    assert!(bad.findings.iter().any(|finding| finding.severity == Severity::Error), "refused without an error");
    assert!(!bad.to_string().chars().any(char::is_control));
}

/// The same document, spaced as serde spaces it; nothing when it is no JSON.
fn reprinted(input: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(input).ok()?;
    serde_json::to_vec_pretty(&value).ok()
}

/// A check that every kind of document has: what admin checks of it before it is stored.
fn checked(kind: Kind, input: &[u8]) -> bool {
    let catalogue = Catalogue::default();
    let findings = documents::check(kind, "x", input, Some("understudy.example.com"), context(&catalogue));
    check_findings(&findings, input);
    let _ = documents::hops(kind, input);
    documents::is_fit(&findings)
}

pub fn policy(input: &[u8]) {
    let fit = checked(Kind::Policy, input);
    let file = match file::parse("x", input) {
        Ok(file) => file,
        Err(bad) => {
            assert!(!fit);
            return check_refused(&bad, input);
        }
    };
    if let Some(again) = reprinted(input) {
        let again = file::parse("x", &again).map(|file| format!("{file:?}"));
        assert_eq!(again.ok(), Some(format!("{file:?}")), "spacing changes what a policy means");
    }
    let tree = match resolve::resolve("x", &file, world()) {
        Ok(tree) => tree,
        Err(bad) => return check_refused(&bad, input),
    };
    assert!((1..=resolve::MAX_TARGETS).contains(&tree.hops().len()));
    let catalogue = Catalogue::default();
    let worst = lint::worst_case(&tree, context(&catalogue));
    for seed in [0, 7, u64::MAX] {
        let plan = tree.plan(PlanName::Stored { name: "x".to_owned(), version: "1".to_owned() }, Draw::Seed(seed));
        assert_eq!(plan.hops.len(), tree.hops().len());
        for script in [
            "[]",
            r#"[{"model": "*", "outcomes": ["503", "429;retry-after=2", "stall@1", "cut@0", "timeout", "auth", "400"]}]"#,
        ] {
            let script = Script::parse(&serde_json::from_str(script).expect("JSON"), "openai").expect("a script");
            let crossed = boundaries::foreseen(&plan.hops, Provider::built_in, &catalogue);
            let outlooks: Vec<_> =
                crossed.into_iter().map(|crossed| Outlook { crossed, ..Outlook::default() }).collect();
            let told = simulate(plan.clone(), &script, Leave::default(), &outlooks);
            assert!(told.calls <= 64, "{} calls", told.calls);
            assert!(u64::from(told.calls) <= worst.calls, "{} calls, {} at worst", told.calls, worst.calls);
        }
    }
}

pub fn rules(input: &[u8]) {
    checked(Kind::Rules, input);
    let rules = match Rules::parse(input, "openai", &known) {
        Ok(rules) => rules,
        Err(bad) => return check_refused(&bad, input),
    };
    let again = reprinted(input).and_then(|again| Rules::parse(&again, "openai", &known).ok());
    let metadata: Map<String, Value> =
        serde_json::from_str(r#"{"tier": "gold", "n": 3, "deep": {"a": [1]}, "user": "u"}"#).expect("JSON");
    let headers: Headers = [("x-team", "a"), ("accept", "*/*")].into_iter().collect();
    for (model, user) in
        [("openai/gpt-4o", None), ("policy/cheap", Some("ann")), ("anthropic/claude-3-7-sonnet", Some(""))]
    {
        let facts = Facts {
            model,
            route: "chat",
            user,
            group: user.map(|_| "acme"),
            key: user,
            stream: user.is_some(),
            metadata: &metadata,
            headers: &headers,
        };
        let picked = rules.pick(&facts).map(|picked| picked.label());
        let denied = (rules.denies_request(&facts), rules.denies_target(&facts));
        assert!(denied.0 || !denied.1, "a target is denied that could be asked for");
        if let Some(again) = &again {
            assert_eq!(again.pick(&facts).map(|picked| picked.label()), picked, "spacing changes which rule wins");
            assert_eq!((again.denies_request(&facts), again.denies_target(&facts)), denied);
        }
    }
}

pub fn provider(input: &[u8]) {
    checked(Kind::Provider, input);
    let own = Some("understudy.example.com");
    let provider = match provider::document::parse("x", input, own) {
        Ok(provider) => provider,
        Err(bad) => return check_refused(&bad, input),
    };
    let routes = [Route::Chat, Route::Responses, Route::Messages, Route::Embeddings, Route::CountTokens];
    for route in routes {
        let Some(wire) = provider.wire(&route, "a/b c?#\u{e9}") else { continue };
        let _ = (provider.auth(wire), provider.own_auth(wire), provider.secrets(Some("us-east-1")));
        if let Ok(url) = provider.url(&route, wire, "a/b c?#\u{e9}", None, true, |_| None) {
            check_outside(&url);
        }
    }
    let _ = provider.wire(&Route::Chat, "").map(Wire::family);
}

/// A URL that a document made leads out into the world, or to a loopback host that is written plainly.
fn check_outside(url: &str) {
    assert!(!url.chars().any(|c| c.is_control() || c == ' ' || c == '@' || c == '\\'), "{url:?}");
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
    assert!(scheme == "https" || loopback, "{url}");
    assert!(!host.is_empty() && host.is_ascii(), "{url}");
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            let inside = v4.is_private() || v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast();
            assert!(!inside, "{url}");
        }
        Ok(IpAddr::V6(v6)) => {
            let inside = v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast();
            assert!(
                !inside && (v6 == Ipv6Addr::LOCALHOST || v6.to_ipv4_mapped().is_none_or(|v4| !v4.is_loopback())),
                "{url}"
            );
        }
        Err(_) => assert!(!host.ends_with(".internal") && !host.ends_with(".local"), "{url}"),
    }
}

pub fn key(input: &[u8]) {
    checked(Kind::Key, input);
    let key = match key::parse("0123", input) {
        Ok(key) => key,
        Err(bad) => return check_refused(&bad, input),
    };
    for model in ["openai/gpt-4o", "policy/sonnet", "anthropic/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let _ = (key.allows(model, "openai"), key.denies(model, "openai"));
    }
    let _ = (key.usable(Instant(0)), key.usable(Instant(u64::MAX)));
    if let Some(again) = reprinted(input) {
        assert_eq!(key::parse("0123", &again).ok().map(|key| format!("{key:?}")), Some(format!("{key:?}")));
    }
}

pub fn models(input: &[u8]) {
    checked(Kind::Models, input);
    let catalogue = match catalogue::document::parse(input) {
        Ok(catalogue) => catalogue,
        Err(bad) => return check_refused(&bad, input),
    };
    let names: Vec<String> = catalogue.changed().map(str::to_owned).collect();
    for name in names.iter().map(String::as_str).chain(["openai/gpt-4o", "bedrock/claude-sonnet-4-5"]) {
        let Some((provider, model)) = name.split_once('/') else { continue };
        let region = (provider == "bedrock").then(|| "eu-central-1".to_owned());
        let target = Target { provider: provider.to_owned(), model: model.to_owned(), region };
        let facts = catalogue.facts(&target);
        let most = Usage { input: u64::MAX, cached: 1, cache_written: 1, output: u64::MAX, reasoning: 1 };
        let _ = (facts.cost_micro_usd(&most), facts.cost_micro_usd(&Usage { input: 1, ..Usage::default() }));
        let id = catalogue.wire_id(&target, Some("eu-central-1"));
        assert!(!id.is_empty() && !id.chars().any(char::is_control), "{name} is {id:?} on the wire");
    }
}
