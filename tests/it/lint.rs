//! Lint: what it finds, and that its worst case is the worst that the chain can be brought to.

mod exact;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use understudy::domain::catalogue::{Catalogue, document};
use understudy::domain::chain::{Chain, Leave, Prospect, Step};
use understudy::domain::document::{Finding, Kind, Severity};
use understudy::domain::documents;
use understudy::domain::lint::{self, Context, Report};
use understudy::domain::outcome::{Class, Failure, Outcome};
use understudy::domain::policy::resolve::{self, Lookup, World};
use understudy::domain::policy::tree::Draw;
use understudy::domain::policy::{Plan, PlanName, file};
use understudy::domain::provider::{Provider, table};
use understudy::domain::time::{Instant, Span};

const STORED: [(&str, &str); 3] = [
    ("cheap", r#"{"chain": ["openai/gpt-4o-mini (2 retries)"]}"#),
    ("back", r#"{"chain": ["policy/candidate"]}"#),
    ("broken", r#"{"chain": []}"#),
];

fn stored(name: &str) -> Lookup {
    match STORED.iter().find(|(known, _)| *known == name) {
        None => Lookup::Missing,
        Some((_, json)) => match file::parse(name, json.as_bytes()) {
            Ok(file) => Lookup::Found(Rc::new(file)),
            Err(bad) => Lookup::Bad(bad.to_string()),
        },
    }
}

fn context(catalogue: &Catalogue, prompt_tokens: u64) -> Context<'_> {
    Context {
        world: World { default_provider: "openai", provider: &table::is_built_in, policy: &stored },
        provider: &|name| Provider::built_in(name).map(Ok),
        has_secret: &|name| matches!(name, "OPENAI_API_KEY" | "ANTHROPIC_API_KEY"),
        catalogue,
        today: "2026-11-21",
        prompt_tokens,
    }
}

fn report(json: &str, prompt_tokens: u64) -> Report {
    lint::lint("candidate", json.as_bytes(), context(&Catalogue::default(), prompt_tokens))
}

#[track_caller]
fn finds(json: &str, severity: Severity, path: &str, words: &str) {
    let report = report(json, 1000);
    let found =
        |finding: &&Finding| finding.severity == severity && finding.path == path && finding.message.contains(words);
    assert!(report.findings.iter().any(|finding| found(&finding)), "{words}: {:#?}", report.findings);
}

/// One mistake does not hide another: whoever mends the first would meet the next only then.
#[test]
fn what_a_document_refers_to_is_told_where_it_does_not_parse() {
    let told = |json: &str| {
        let findings = report(json, 1000).findings;
        findings.into_iter().map(|finding| format!("{}: {}", finding.path, finding.message)).collect::<Vec<_>>()
    };
    let all = told(
        r#"{"chain": ["policy/nope", "nope/m", 7, {"model": "openai/gpt-4o", "retries": 11}, "policy/back", "nope/n"], "foo": 1}"#,
    );
    for (path, words) in [
        ("chain[0].model", "\"policy/nope\" names a policy that does not exist"),
        ("chain[1].model", "names provider \"nope\""),
        ("chain[2]", "7"),
        ("chain[3].retries", "11 is not in 0..=10"),
        ("chain[4].model", "cycle candidate -> back -> candidate"),
        ("chain[5].model", "names provider \"nope\""),
        ("foo", ""),
    ] {
        let found = all.iter().filter(|line| line.starts_with(&format!("{path}: ")) && line.contains(words)).count();
        assert_eq!(found, 1, "{path} {words}: {all:#?}");
    }
    assert_eq!(all.len(), 7, "{all:#?}");
    // What is no model, or no chain, is told once.
    assert_eq!(told(r#"{"chain": ["nope /m", {"retries": 1}]}"#).len(), 2);
    assert_eq!(told(r#"{"chain": "nope/a -> policy/nope", "deadline_ms": 0}"#).len(), 3);
    let hops = r#"{"chain": "policy/nope -> nope/x (99 retries) -> nope/y"}"#;
    assert_eq!(told(hops).len(), 4, "{:#?}", told(hops));
    assert_eq!(told(r#"{"chain": ["nope/x (99 retries)"]}"#).len(), 2);
    assert_eq!(told(r#"{"chain": ["nope/m"]"#).len(), 1);
    assert_eq!(documents::hops(Kind::Policy, br#"{"chain": ["nope/m"], "foo": 1}"#).len(), 1);
}

#[test]
fn what_cannot_run_is_an_error() {
    let cases = [
        (
            r#"{"chain": ["openai/gpt-4o", {"model": "openai/o3", "retries": 11}]}"#,
            "chain[1].retries",
            "11 is not in 0..=10",
        ),
        (r#"{"chain": ["policy/back"]}"#, "chain[0].model", "cycle candidate -> back -> candidate"),
        (r#"{"chain": ["policy/nowhere"]}"#, "chain[0].model", "does not exist"),
        (r#"{"chain": ["policy/broken"]}"#, "chain[0].model", "does not parse"),
        (r#"{"chain": ["opennai/gpt-4o"]}"#, "chain[0].model", "neither built in nor configured"),
    ];
    for (json, path, words) in cases {
        finds(json, Severity::Error, path, words);
        let report = report(json, 1000);
        assert!(!documents::is_fit(&report.findings));
        assert_eq!(report.worst_case, None);
    }
}

#[test]
fn a_successor_is_told_as_it_is_asked_for() {
    let models = br#"{"openai/old": {"retired": "2026-01-01", "successor": "gpt-5"},
        "openai/older": {"retired": "2026-01-01", "successor": "anthropic/claude-opus-4-5"},
        "openai/oldest": {"retired": "2026-01-01", "successor": "policy/cheap"},
        "openrouter/old": {"retired": "2026-01-01", "successor": "moonshotai/kimi-k2"}}"#;
    let catalogue = document::parse(models).expect("models");
    let chain = br#"{"chain": ["openai/old", "openai/older", "openai/oldest", "openrouter/old"]}"#;
    let report = lint::lint("candidate", chain, context(&catalogue, 1000));
    let hints =
        report.findings.iter().filter(|finding| finding.message.contains("retired")).map(|finding| &*finding.hint);
    let expected =
        ["use openai/gpt-5", "use anthropic/claude-opus-4-5", "use policy/cheap", "use openrouter/moonshotai/kimi-k2"];
    assert_eq!(hints.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_unwise_is_said() {
    use Severity::{Info, Warning};
    let cases = [
        (r#"{"chain": ["openai/brand-new"]}"#, Info, "chain[0].model", "not in the catalogue"),
        (r#"{"chain": ["groq/llama-3.3-70b"]}"#, Warning, "chain[0]", "secret GROQ_API_KEY is not set"),
        (r#"{"chain": ["anthropic/claude-3-7-sonnet"]}"#, Warning, "chain[0].model", "was retired on 2026-02-19"),
        (
            r#"{"chain": ["openai/gpt-4o", "openai/gpt-4"]}"#,
            Warning,
            "chain[1]",
            "weaker than openai/gpt-4o in context (8192 tokens, the first hop has 128000), vision, json_schema",
        ),
        (r#"{"chain": ["openai/gpt-4o", {"model": "openai/gpt-4", "degraded": true}]}"#, Info, "chain[1]", "weaker"),
        (r#"{"chain": ["openai/gpt-4o", "openai/o3"]}"#, Warning, "chain[1]", "both at openai"),
        (
            r#"{"chain": ["bedrock/claude-sonnet-4-5@eu-west-1", "bedrock/claude-haiku-4-5@eu-west-1"]}"#,
            Warning,
            "chain[1]",
            "both at bedrock@eu-west-1",
        ),
        (
            r#"{"chain": ["openai/gpt-4o"], "on": {"preset": "strict"}}"#,
            Warning,
            "chain[0]",
            "rate_limited is retry_only",
        ),
        (
            r#"{"chain": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"], "keep": ["family"]}"#,
            Warning,
            "chain[1]",
            "would cross family",
        ),
        (
            r#"{"chain": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]}"#,
            Info,
            "chain[1]",
            "crosses family, provider, region, billing",
        ),
        (
            r#"{"chain": ["openai/gpt-4o", "policy/cheap"], "consent": "never"}"#,
            Warning,
            "chain[1]",
            "policy/cheap: openai/gpt-4o-mini is never reached: consent is never",
        ),
        (
            r#"{"type": "load_balance", "chain": [{"model": "openai/gpt-4o", "weight": 0}]}"#,
            Warning,
            "chain",
            "every weight is 0",
        ),
        (r#"{"chain": [{"model": "openai/gpt-4o", "weight": 7}]}"#, Info, "chain[0].weight", "7 has no effect"),
        (r#"{"chain": ["openai/gpt-4o"], "deadline_ms": 1000}"#, Info, "timeouts.attempt_ms", "never runs out"),
    ];
    for (json, severity, path, words) in cases {
        finds(json, severity, path, words);
        assert!(documents::is_fit(&report(json, 1000).findings));
    }
    let all_stop = r#"{"chain": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"], "on": {"preset": "strict", "rate_limited": "stop",
        "overloaded": "stop", "server_error": "stop", "timeout": "stop", "unreachable": "stop", "malformed": "stop", "interrupted": "stop"}}"#;
    finds(all_stop, Severity::Warning, "chain[1]", "not reached by any failure of openai/gpt-4o");
}

#[test]
fn the_regional_pair_of_the_contract_is_kept_together_by_family() {
    let json =
        r#"{"chain": ["anthropic/claude-sonnet-4-5", "bedrock/claude-sonnet-4-5@eu-central-1"], "keep": ["family"]}"#;
    let said = report(json, 1000).findings;
    assert!(said.iter().all(|finding| !finding.message.contains("never reached")), "{said:#?}");
}

#[test]
fn a_provider_whose_document_does_not_parse_is_an_error() {
    let catalogue = Catalogue::default();
    let bad = |name: &str| match name {
        "openai" => Some(Err("provider \"openai\": base_url: is missing".to_owned())),
        name => Provider::built_in(name).map(Ok),
    };
    let context = Context { provider: &bad, ..context(&catalogue, 1000) };
    for (json, message) in [
        (r#"{"chain": ["anthropic/claude-sonnet-4-5", "gpt-4o"]}"#, "provider \"openai\": base_url: is missing"),
        (r#"{"chain": ["groq/x", "policy/cheap"]}"#, "policy/cheap: provider \"openai\": base_url: is missing"),
    ] {
        let report = lint::lint("candidate", json.as_bytes(), context);
        let found = report.findings.iter().find(|finding| finding.severity == Severity::Error).expect("an error");
        assert_eq!((found.path.as_str(), found.message.as_str()), ("chain[1].model", message));
        assert!(!documents::is_fit(&report.findings) && report.worst_case.is_none());
    }
}

#[test]
fn rules_may_not_lead_to_a_provider_that_cannot_be_read() {
    let catalogue = Catalogue::default();
    let broken = |name: &str| match name {
        "openai" => Some(Err("provider \"openai\": base_url: 7 is not a text".to_owned())),
        name => Provider::built_in(name).map(Ok),
    };
    for (then, fits) in [
        (r#"{"fallback": ["anthropic/claude-sonnet-4-5"]}"#, true),
        (r#"{"fallback": ["openai/o3"]}"#, false),
        (r#"{"fallback": ["policy/cheap"]}"#, false),
        (r#"{"use": "policy/cheap"}"#, false),
    ] {
        let rules = format!(
            r#"{{"rules": {{"r": {{"when": {{}}, "then": {then}}}}}, "rulesets": [{{"name": "all", "rules": ["r"]}}]}}"#
        );
        let context = Context { provider: &broken, ..context(&catalogue, 1000) };
        let said = documents::check(Kind::Rules, "", rules.as_bytes(), None, context);
        assert_eq!(documents::is_fit(&said), fits, "{then}: {said:#?}");
        let told = said.iter().any(|finding| finding.hint.contains("mend provider:openai"));
        assert_eq!(told, !fits, "{then}: {said:#?}");
    }
}

#[test]
fn rules_may_not_refer_to_what_is_not_there() {
    let rules = |then: &str| {
        format!(
            r#"{{"rules": {{"r": {{"when": {{}}, "then": {then}}}}}, "rulesets": [{{"name": "all", "rules": ["r"]}}]}}"#
        )
    };
    let cases = [
        (r#"{"fallback": ["openai/gpt-4o", "policy/cheap"], "retries": 1}"#, None),
        (r#"{"use": "policy/cheap"}"#, None),
        (r#"{"use": "policy/nowhere"}"#, Some(("rules.r.then.use", "does not exist"))),
        (r#"{"use": "policy/broken"}"#, Some(("rules.r.then.use", "does not parse"))),
        (r#"{"fallback": "openai/o3 -> policy/nowhere"}"#, Some(("rules.r.then.fallback[1].model", "does not exist"))),
        (r#"{"fallback": ["nobody/x"]}"#, Some(("rules.r.then.fallback[0].model", "neither built in nor configured"))),
        (r#"{"fallback": [], "retries": 11}"#, Some(("rules.r.then.fallback", "0 entries are not in 1..=16"))),
    ];
    for (then, expected) in cases {
        let catalogue = Catalogue::default();
        let said = documents::check(Kind::Rules, "", rules(then).as_bytes(), None, context(&catalogue, 1000));
        let found = said.first().map(|finding| (finding.path.as_str(), finding.message.as_str()));
        match (found, expected) {
            (None, None) => {}
            (Some((path, message)), Some((at, words))) if path == at && message.contains(words) => {}
            (found, expected) => panic!("{then}: {found:?}, expected {expected:?}"),
        }
    }
    let hops = documents::hops(Kind::Rules, rules(cases[4].0).as_bytes());
    assert_eq!(hops.iter().map(|hop| hop.model.as_str()).collect::<Vec<_>>(), ["openai/o3", "policy/nowhere"]);
}

#[test]
fn rules_that_do_nothing_and_models_that_are_retired_are_told() {
    let models =
        br#"{"openai/old": {"retired": "2026-01-01", "successor": "gpt-5"}, "openai/going": {"retired": "2027-01-01"},
        "openai/gpt-4o": {"successor": "gpt-5"}}"#;
    let catalogue = document::parse(models).expect("a models document");
    let rules = r#"{"rules": {"idle": {"when": {}, "then": {"deny": "no"}},
        "used": {"when": {}, "then": {"fallback": ["gpt-4o", "old", {"model": "openai/going"}, "policy/cheap"]}}},
        "rulesets": [{"name": "all", "rules": ["used"]}, {"name": "again", "rules": ["used"]}]}"#;
    let said = documents::check(Kind::Rules, "", rules.as_bytes(), None, context(&catalogue, 1000));
    let told = |finding: &Finding| (finding.severity, finding.path.clone(), finding.message.clone());
    let fallback = |place: u8| format!("rules.used.then.fallback[{place}].model");
    assert_eq!(
        said.iter().map(told).collect::<Vec<_>>(),
        [
            (Severity::Info, "rules.idle".to_owned(), "no ruleset carries it: it does nothing".to_owned()),
            (Severity::Warning, fallback(0), "openai/gpt-4o is succeeded by openai/gpt-5".to_owned()),
            (Severity::Warning, fallback(1), "openai/old was retired on 2026-01-01".to_owned()),
            (Severity::Warning, fallback(2), "openai/going will be retired on 2027-01-01".to_owned()),
        ]
    );
    assert!(documents::is_fit(&said));
    assert_eq!((&*said[1].hint, &*said[2].hint), ("use openai/gpt-5", "use openai/gpt-5"));
}

#[test]
fn provider_sim_without_its_switch_is_a_warning() {
    finds(r#"{"chain": ["sim/echo"]}"#, Severity::Warning, "chain[0]", "does not answer here without SIM=on");
    let catalogue = Catalogue::default();
    let context = Context { has_secret: &|name| name == "SIM=on", ..context(&catalogue, 1000) };
    assert_eq!(lint::lint("candidate", br#"{"chain": ["sim/echo"]}"#, context).findings, []);
}

/// What `/admin` says of a document that other hands put into the store.
#[test]
fn a_stored_document_that_cannot_serve_is_told_from_one_that_refers_to_what_is_not_there() {
    let unreadable = |kind, bytes: &str| documents::unreadable(kind, "n", bytes.as_bytes(), None);
    for (kind, bytes, said) in [
        (Kind::Policy, "{", "is not JSON"),
        (Kind::Policy, r#"{"chain": ["openai/o3"], "bogus": 1}"#, "bogus"),
        (Kind::Provider, r#"{"base_url": "http://example.com"}"#, "base_url"),
        (Kind::Models, r#"{"openai/o3": 5}"#, "is not a model's facts"),
        (Kind::Rules, r#"{"rules": {"r": {"when": 5, "then": {}}}, "rulesets": []}"#, "rules.r.when"),
        (Kind::Key, "{}", "name"),
    ] {
        let bad = unreadable(kind, bytes).unwrap_or_else(|| panic!("{kind:?} {bytes} is taken"));
        assert!(bad.to_string().contains(said), "{bad} should say {said}");
    }
    let rules = r#"{"rules": {"r": {"when": {"model": "mine:m"}, "then": {"use": "policy/nowhere"}}}, "rulesets": []}"#;
    for (kind, bytes) in [(Kind::Policy, r#"{"chain": ["nobody/x", "policy/nowhere"]}"#), (Kind::Rules, rules)] {
        assert_eq!(unreadable(kind, bytes).map(|bad| bad.to_string()), None);
    }
}

#[track_caller]
fn worst(json: &str) -> (u64, u64) {
    let worst = report(json, 1000).worst_case.expect("it runs");
    (worst.calls, worst.ms)
}

#[test]
fn the_worst_case_counts_tries_keys_waits_and_clocks() {
    assert_eq!(worst(r#"{"chain": ["openai/gpt-4o"]}"#), (1, 180_000));
    assert_eq!(worst(r#"{"chain": ["openai/gpt-4o", "openai/o3"]}"#), (2, 360_000));
    // Two calls of a second each, and the longest wait that an upstream may ask for between them.
    assert_eq!(worst(r#"{"chain": ["openai/gpt-4o (1 retry)"], "timeouts": {"attempt_ms": 1000}}"#), (2, 12_000));
    let short = r#"{"chain": ["openai/gpt-4o (2 retries)"], "timeouts": {"attempt_ms": 1000}, "backoff": {"retry_after_max_ms": 1}}"#;
    assert_eq!(worst(short), (3, 3 * 1000 + 550 + 1100), "waits with their jitter");
    let keys = r#"{"chain": [{"model": "openai/gpt-4o", "retries": 2, "key": "managed_then_own"}]}"#;
    assert_eq!(worst(keys).0, 6, "the second key has the tries anew");
    assert_eq!(worst(r#"{"chain": ["openai/gpt-4o (3 retries)"], "on": {"preset": "strict", "overloaded": "next", "server_error": "next", "unreachable": "next", "rate_limited": "next"}}"#).0, 1);
    assert_eq!(worst(r#"{"chain": ["openai/gpt-4o", "policy/cheap"]}"#).0, 4);
    assert_eq!(worst(r#"{"chain": ["openai/gpt-4o", "policy/cheap"], "consent": "never"}"#).0, 1);
    let many = format!(
        r#"{{"chain": [{}], "timeouts": {{"attempt_ms": 1}}}}"#,
        vec![r#""openai/gpt-4o (10 retries)""#; 16].join(",")
    );
    // 64 attempts are five hops and nine tries of a sixth: 58 waits of ten seconds, and a millisecond per call.
    assert_eq!(worst(&many), (64, 580_064));
    // 500 ms less jitter is 450 ms: no retry fits, and none is waited for.
    assert_eq!(
        worst(r#"{"chain": ["openai/gpt-4o (9 retries)"], "deadline_ms": 400, "timeouts": {"attempt_ms": 100}}"#),
        (1, 100)
    );
    assert_eq!(
        worst(r#"{"chain": ["openai/gpt-4o (9 retries)"], "deadline_ms": 500, "timeouts": {"attempt_ms": 100}}"#),
        (2, 500)
    );
}

/// Of what only the other key mends, the first one is not tried again: that other one is called at once.
#[test]
fn a_key_that_another_follows_is_not_tried_again_for_what_is_wrong_with_it() {
    let verdicts = |retried: &[Class]| -> Value {
        let all = Class::ALL.into_iter().filter(|class| *class != Class::Cancelled);
        all.map(|class| (class.name(), if retried.contains(&class) { "retry" } else { "next" })).collect()
    };
    let calls = |key: &str, retried: &[Class]| {
        let hop = json!({"model": "openai/gpt-4o", "retries": 1, "key": key});
        worst(&json!({"chain": [hop], "on": verdicts(retried)}).to_string()).0
    };
    let of_the_key = [Class::Auth, Class::Forbidden, Class::QuotaExhausted];
    assert_eq!(calls("managed_then_own", &of_the_key), 3);
    assert_eq!(calls("managed", &of_the_key), 2);
    assert_eq!(calls("managed_then_own", &[Class::RateLimited]), 4);
    assert_eq!(calls("managed_then_own", &[Class::ContextLength]), 4);
}

#[test]
fn the_worst_case_is_priced() {
    let cost = |json: &str, tokens: u64| report(json, tokens).worst_case.expect("it runs").cost_usd;
    // A thousand tokens at $2.50 and all of 16,384 at $10 per million.
    assert!((cost(r#"{"chain": ["openai/gpt-4o"]}"#, 1000) - 0.16634).abs() < 1e-9);
    assert!((cost(r#"{"chain": ["openai/gpt-4o (1 retry)"]}"#, 1000) - 0.33268).abs() < 1e-9);
    assert_eq!(cost(r#"{"chain": ["openai/unheard-of"]}"#, 1000), 0.0);
    assert!(cost(r#"{"chain": ["openai/gpt-4o"]}"#, 100_000) > cost(r#"{"chain": ["openai/gpt-4o"]}"#, 1000));
}

/// Plays a request against a plan with an upstream that does as the script says, and counts.
fn play(plan: &Plan, script: &[(usize, u64, Option<u64>)]) -> (u64, u64) {
    let prospects = plan.hops.iter().map(|hop| Prospect { slots: hop.key.slots().to_vec(), ..Prospect::default() });
    let start = Instant(1_000_000);
    let mut now = start;
    let mut chain = Chain::new(Arc::new(plan.clone()), prospects.collect(), Leave::default(), 7, now);
    let mut outcomes = script.iter().cycle();
    loop {
        match chain.next(now) {
            Step::Call(call) => {
                let (class, ms, retry_after) = *outcomes.next().expect("a cycle");
                let class = Class::ALL[class % 15];
                now = now + Span(ms).min(call.clocks.attempt);
                let failure = Failure { retry_after: retry_after.map(Span), ..Failure::new(class, "scripted") };
                chain.on_outcome(call.id, Outcome::Failed(failure), now);
            }
            Step::Wait { until } => now = until,
            Step::Pending => panic!("nothing is in flight"),
            Step::Done(_) => return (u64::from(chain.calls()), now.since(start).0),
        }
    }
}

fn hop() -> impl Strategy<Value = serde_json::Value> {
    (0u32..=10, 0usize..4, 1u64..2000).prop_map(|(retries, key, attempt)| {
        let keys = ["managed", "own", "managed_then_own", "own_then_managed"];
        serde_json::json!({"model": "openai/gpt-4o", "retries": retries, "key": keys[key], "timeouts": {"attempt_ms": attempt}})
    })
}

fn policy() -> impl Strategy<Value = serde_json::Value> {
    let on = proptest::collection::vec(0usize..4, 15);
    let times = (1u64..3000, 1.0f64..4.0, 1u64..5000, 0.0f64..0.5, 1u64..5000, 1u64..60_000);
    (proptest::collection::vec(hop(), 1..5), on, times).prop_map(|(chain, on, times)| {
        let (initial, multiplier, max, jitter, retry_after_max, deadline) = times;
        let verdicts = ["retry", "retry_only", "next", "stop"];
        let on: HashMap<&str, &str> = on.iter().enumerate().map(|(i, v)| (Class::ALL[i].name(), verdicts[*v])).collect();
        serde_json::json!({"chain": chain, "on": on, "deadline_ms": deadline, "breaker": null, "backoff": {"initial_ms": initial,
            "multiplier": multiplier, "max_ms": max, "jitter": jitter, "retry_after_max_ms": retry_after_max}})
    })
}

fn plan(json: &str) -> Plan {
    let file = file::parse("p", json.as_bytes()).expect("a policy");
    let world = World { default_provider: "openai", provider: &table::is_built_in, policy: &stored };
    let tree = resolve::resolve("p", &file, world).expect("a tree");
    tree.plan(PlanName::Request, Draw::Seed(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_script_beats_the_worst_case(
        policy in policy(),
        script in proptest::collection::vec((0usize..15, 0u64..2500, proptest::option::of(0u64..6000)), 1..20),
    ) {
        let json = policy.to_string();
        let (calls, ms) = worst(&json);
        let (made, took) = play(&plan(&json), &script);
        prop_assert!(made <= calls, "{made} calls, worst {calls}: {json}");
        prop_assert!(took <= ms, "{took} ms, worst {ms}: {json}");
    }

    #[test]
    fn where_time_is_no_object_a_script_reaches_the_worst_case(
        retries in proptest::collection::vec(0u32..=6, 1..6),
    ) {
        // Everything is retried: an upstream that always fails slowly and asks for the longest wait is the worst there is.
        let chain: Vec<_> = retries.iter().map(|n| serde_json::json!({"model": "openai/gpt-4o", "retries": n})).collect();
        let json = serde_json::json!({"chain": chain, "deadline_ms": 3_600_000, "breaker": null, "timeouts": {"attempt_ms": 100}}).to_string();
        let server_error = Class::ServerError as usize;
        prop_assert_eq!(play(&plan(&json), &[(server_error, 5000, Some(10_000))]), worst(&json));
    }
}
