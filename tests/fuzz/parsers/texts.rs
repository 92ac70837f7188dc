//! Short texts: model references, chains, keys, outcomes, queries, times.

use serde_json::Value;
use understudy::domain::admin::query::{param, params, segment};
use understudy::domain::admin::table;
use understudy::domain::chain::Leave;
use understudy::domain::classify;
use understudy::domain::crypto::{Kek, Sealed};
use understudy::domain::key;
use understudy::domain::ledger::query::{AnalyticsQuery, ListQuery, POINTS_MAX, Retention};
use understudy::domain::ledger::when::{format_time, parse_time};
use understudy::domain::policy::PlanName;
use understudy::domain::policy::file;
use understudy::domain::policy::resolve::{self, Lookup, World};
use understudy::domain::policy::tree::Draw;
use understudy::domain::provider::Provider;
use understudy::domain::provider::google::GoogleKey;
use understudy::domain::redact::redact;
use understudy::domain::request::Headers;
use understudy::domain::route::Route;
use understudy::domain::scripted::{Drill, Scripted};
use understudy::domain::sim::Act;
use understudy::domain::simulate::{Script, simulate};
use understudy::domain::target::{ModelRef, Target};
use understudy::domain::time::Instant;

use super::bounded;

const NOW: Instant = Instant(1_790_000_000_000);

fn known(name: &str) -> bool {
    matches!(name, "openai" | "anthropic" | "azure" | "bedrock" | "google" | "vertex" | "x")
}

pub fn model(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(model) = ModelRef::parse(text, "openai", known) {
        let shown = model.to_string();
        let again = ModelRef::parse(&shown, "openai", known);
        assert!(shown.len() > 256 || again.as_ref() == Ok(&model), "{text:?} shows as {shown:?}");
        assert!(shown.is_ascii() && !shown.contains(['"', ' ', ',', ';']));
        if let ModelRef::Target(target) = model {
            leads_home(&target);
        }
    }
    chain(text);
    let headers: Headers = [("authorization", text), ("x-api-key", text)].into_iter().collect();
    if let Some(key) = key::presented(&headers) {
        let _ = (key::is_well_formed(key), key::hash(key), key::unknown(Some(key)).message);
    }
    secrets(text);
    let _ = Act::of_model(text);
}

/// Whatever a model is called, its provider's URL leads to the host that any other model of that region is at.
fn leads_home(target: &Target) {
    let Some(provider) = Provider::built_in(&target.provider) else { return };
    for route in [Route::Chat, Route::Messages, Route::CountTokens, Route::Embeddings] {
        let Some(wire) = provider.wire(&route, &target.model) else { continue };
        for (stream, dated) in [(true, None), (false, Some("2025-01-01".to_owned()))] {
            let var = |name: &str| if name == "AZURE_API_VERSION" { dated.clone() } else { Some("acme".to_owned()) };
            let url = |model: &str| provider.url(&route, wire, model, target.region.as_deref(), stream, var).ok();
            let (Some(url), Some(other)) = (url(&target.model), url("m")) else { continue };
            assert!(!url.chars().any(|c| c.is_control() || c == ' ' || c == '\\'), "{url:?}");
            let host = |url: &str| url.split('/').take(3).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(host(&url), host(&other), "a model leads elsewhere");
            let count = |url: &str| url.matches(['?', '#']).count();
            assert_eq!(count(&url), count(&other), "a model begins a query: {url}");
            assert!(!url.split('/').any(|part| part == "." || part == ".."), "a model climbs: {url}");
        }
    }
}

/// A chain as one string, in a policy: its hops name what the string names.
fn chain(text: &str) {
    let document = Value::Object([("chain".to_owned(), Value::from(text))].into_iter().collect());
    if let Ok(file) = file::parse("x", document.to_string().as_bytes()) {
        assert!(!file.chain.is_empty());
        let again: Vec<String> = file.chain.iter().map(|hop| hop.model.clone()).collect();
        let again = Value::Object([("chain".to_owned(), Value::from(again.join(" -> ")))].into_iter().collect());
        let read = file::parse("x", again.to_string().as_bytes()).expect("the hops of a chain are a chain");
        let models = |chain: &[file::HopFile]| chain.iter().map(|hop| hop.model.clone()).collect::<Vec<_>>();
        assert_eq!(models(&read.chain), models(&file.chain));
    }
}

/// Secrets and what looks like one: masked once and for all, and never read with a panic.
fn secrets(text: &str) {
    let clean = redact(text, &["hunter2hunter2", "", "a"]);
    assert!(!clean.contains("hunter2hunter2"));
    assert_eq!(redact(&clean, &["hunter2hunter2"]), clean, "masking is done once");
    bounded("a redacted text", clean.len(), text.len(), 3);
    let _ = (GoogleKey::parse(text).is_ok(), Kek::parse(text).is_ok(), Sealed::parse(text).is_ok());
}

pub fn outcome(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let target = Target { provider: "openai".to_owned(), model: "gpt-4o".to_owned(), region: None };
    if let Ok(scripted) = Scripted::parse(text) {
        assert_eq!(Scripted::parse(&scripted.to_string()).as_ref(), Ok(&scripted), "{text:?} shows as {scripted}");
        let _ = scripted.failure(&target.provider, NOW);
    }
    if let Ok(drill) = Drill::parse(text, "openai") {
        let _ = drill.outcome_for(&target);
    }
    if let Some(wait) = classify::retry_after(text, NOW).or_else(|| classify::duration(text)) {
        let _ = NOW + wait;
    }
    let list = text.split(',').map(Value::from).collect::<Vec<_>>();
    let one = serde_json::json!([{"model": "openai/*", "outcomes": list}]);
    let whole: Option<Value> = serde_json::from_str(text).ok();
    for script in whole.iter().chain([&one]) {
        if let Ok(script) = Script::parse(script, "openai") {
            play(&script);
        }
    }
}

/// Two hops, through the script: it ends, within its calls and its deadline.
fn play(script: &Script) {
    let document = br#"{"chain": [{"model": "openai/gpt-4o", "retries": 3, "hedge_after_ms": 900}, "x/y (2 retries)"], "deadline_ms": 90000}"#;
    let file = file::parse("x", document).expect("a policy");
    let world = World { default_provider: "openai", provider: &known, policy: &|_| Lookup::Missing };
    let tree = resolve::resolve("x", &file, world).expect("a policy");
    let told = simulate(tree.plan(PlanName::Request, Draw::Seed(1)), script, Leave::default(), &[]);
    assert!(told.calls <= 7, "{} calls of 7", told.calls);
    assert!(told.steps.last().is_some_and(|step| step.step == "done"));
    assert!(told.steps.windows(2).all(|two| two[0].at_ms <= two[1].at_ms), "time goes forward");
}

pub fn query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "get", ""] {
        let _ = table::find(method, path);
    }
    let _ = Route::parse(path);
    let segments = path.split('/').filter_map(segment);
    assert!(segments.map(|segment| segment.len()).sum::<usize>() <= path.len());
    let pairs = params(query);
    let _ = param(&pairs, "policy");
    if let Ok(query) = ListQuery::parse(&pairs) {
        assert!((1..=500).contains(&query.limit));
    }
    if let Ok(query) = AnalyticsQuery::parse(&pairs, NOW, &Retention::default()) {
        assert!(query.from <= query.to);
        assert!(query.to.since(query.from).0 / query.bucket.span().0 <= POINTS_MAX);
    }
    if let Some(at) = parse_time(text) {
        let shown = format_time(at);
        assert!(parse_time(&shown).is_none_or(|again| again == at), "{text:?} is {at:?}, shown as {shown}");
    }
}
