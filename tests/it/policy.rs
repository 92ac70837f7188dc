//! Policies: documents as written with every message, and what nesting, weights and defaults make of them.

use proptest::prelude::*;
use std::collections::HashMap;
use std::rc::Rc;
use understudy::domain::document::{BadDocument, Finding, Severity};
use understudy::domain::outcome::Class;
use understudy::domain::policy::file::{self, PolicyFile};
use understudy::domain::policy::resolve::{self, Lookup, World};
use understudy::domain::policy::tree::{Draw, Tree};
use understudy::domain::policy::{
    Boundary, Commit, Degraded, Exhausted, Hop, KeyChoice, Plan, PlanName, StreamRules, Timeouts, Translate, UsageMode,
    Verdict,
};
use understudy::domain::provider::table;
use understudy::domain::time::Span;

/// A store of policies for these tests.
#[derive(Default)]
struct Store(HashMap<String, String>);

impl Store {
    fn of(policies: &[(&str, &str)]) -> Store {
        Store(policies.iter().map(|(name, json)| ((*name).to_owned(), (*json).to_owned())).collect())
    }

    fn lookup(&self, name: &str) -> Lookup {
        match self.0.get(name).map(|json| file::parse(name, json.as_bytes())) {
            None => Lookup::Missing,
            Some(Ok(file)) => Lookup::Found(Rc::new(file)),
            Some(Err(bad)) => Lookup::Bad(bad.to_string()),
        }
    }

    fn resolve(&self, name: &str, file: &PolicyFile) -> Result<Tree, BadDocument> {
        let world =
            World { default_provider: "openai", provider: &table::is_built_in, policy: &|name| self.lookup(name) };
        resolve::resolve(name, file, world)
    }

    #[track_caller]
    fn tree(&self, name: &str) -> Tree {
        let file = file::parse(name, self.0[name].as_bytes()).unwrap_or_else(|bad| panic!("{bad}"));
        self.resolve(name, &file).unwrap_or_else(|bad| panic!("{bad}"))
    }

    #[track_caller]
    fn plan(&self, name: &str) -> Plan {
        self.tree(name).plan(stored(name), Draw::Seed(0))
    }

    #[track_caller]
    fn error(&self, name: &str) -> String {
        let file = file::parse(name, self.0[name].as_bytes()).unwrap_or_else(|bad| panic!("{bad}"));
        self.resolve(name, &file).expect_err("this policy resolves").to_string()
    }
}

fn stored(name: &str) -> PlanName {
    PlanName::Stored { name: name.to_owned(), version: "00000000".to_owned() }
}

fn targets(hops: &[Hop]) -> Vec<String> {
    hops.iter().map(|hop| hop.target.to_string()).collect()
}

fn lines(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let hint = if finding.hint.is_empty() { String::new() } else { format!(" ({})", finding.hint) };
        format!("{severity} {}: {}{hint}\n", finding.path, finding.message)
    };
    findings.iter().map(line).collect()
}

/// The policies that the fixtures may lead to.
fn fixture_store() -> Store {
    Store::of(&[("cheap", r#"{"chain": ["openai/gpt-4o-mini", "deepseek/chat"]}"#), ("broken", "{}")])
}

#[test]
fn every_fixture_says_what_its_err_file_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/policy");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("fixtures") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("fixture");
        let said = match file::parse("x", &bytes).and_then(|file| fixture_store().resolve("x", &file)) {
            Ok(_) => String::new(),
            Err(bad) => lines(&bad.findings),
        };
        let expected = std::fs::read_to_string(path.with_extension("err")).unwrap_or_default();
        assert_eq!(said, expected, "{}", path.display());
        seen += 1;
    }
    assert!(seen > 15, "only {seen} fixtures");
}

#[test]
fn a_message_carries_policy_path_value_and_expectation() {
    let json = r#"{"chain": ["openai/gpt-4o", {"model": "openai/o3", "retries": 11}]}"#;
    let bad = file::parse("sonnet", json.as_bytes()).expect_err("11 retries");
    assert_eq!(bad.to_string(), r#"policy "sonnet": chain[1].retries: 11 is not in 0..=10"#);
    let bad = file::parse("sonnet", br#"{"chain": [{"model": "a b", "retries": 11}]}"#).expect_err("two mistakes");
    assert_eq!(
        bad.to_string(),
        r#"policy "sonnet": chain[0].model: "a b": ' ' is not allowed in a model name (and 1 more)"#
    );
}

#[test]
fn controls_that_terminals_obey_are_escaped() {
    for c in ['\u{7f}', '\u{85}', '\u{9b}', '\u{1b}', '\n'] {
        let json =
            serde_json::json!({"chain": ["openai/a"], format!("na{c}me"): 1, "type": format!("a{c}b")}).to_string();
        let said = file::parse(&format!("x{c}y"), json.as_bytes()).expect_err("an unknown field").findings;
        for finding in &said {
            let text = format!("{} {} {}", finding.path, finding.message, finding.hint);
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(text.contains(&format!("\\u{:04x}", u32::from(c))) || c == '\n', "{text:?}");
        }
        assert!(said.len() > 1);
    }
}

#[test]
fn the_contracts_example_means_what_it_says() {
    let json = include_str!("../fixtures/policy/spec-example.json");
    let store = Store::of(&[("sonnet", json), ("cheap", r#"{"chain": ["openai/gpt-4o-mini"]}"#)]);
    let plan = store.plan("sonnet");
    assert_eq!(plan.workload, "support-chat");
    assert_eq!(
        targets(&plan.hops),
        ["anthropic/claude-sonnet-4-5", "bedrock/claude-sonnet-4-5@eu-central-1", "openai/gpt-4o-mini"]
    );
    assert_eq!(plan.hops[0].retries, 1);
    assert_eq!(plan.hops[0].timeouts, Timeouts { first_token: Span(8000), ..Timeouts::default() });
    assert_eq!(plan.hops[1].timeouts, Timeouts::default());
    assert_eq!(plan.hops[1].target.region.as_deref(), Some("eu-central-1"));
    assert_eq!(plan.hops[1].degraded, Degraded::No);
    assert_eq!(plan.hops[2].degraded, Degraded::Yes);
    assert!(plan.hops.iter().all(|hop| hop.keep == [Boundary::Family]));
    assert_eq!(plan.hops[0].on.of(Class::ContentPolicy), Verdict::Stop);
    assert_eq!(plan.deadline, Span(600_000));
    assert_eq!(plan.stream, StreamRules::default());
}

#[test]
fn what_is_not_said_is_at_its_default() {
    let store = Store::of(&[("x", r#"{"chain": ["gpt-4o"]}"#)]);
    let plan = store.plan("x");
    let hop = &plan.hops[0];
    assert_eq!(hop.target.to_string(), "openai/gpt-4o");
    assert_eq!((hop.retries, hop.hedge_after, hop.key), (0, None, KeyChoice::Managed));
    assert_eq!(hop.backoff.initial, Span(500));
    assert_eq!((hop.backoff.max, hop.backoff.retry_after_max), (Span(4000), Span(10_000)));
    assert_eq!((hop.backoff.multiplier, hop.backoff.jitter), (2.0, 0.1));
    assert_eq!(hop.breaker.map(|breaker| (breaker.failures, breaker.window)), Some((5, Span(30_000))));
    assert_eq!((hop.translate, plan.usage, plan.exhausted), (Translate::Lenient, UsageMode::AsSent, Exhausted::Last));
    assert_eq!((plan.workload.as_str(), plan.deadline, plan.stream.commit), ("x", Span(600_000), Commit::FirstContent));
    assert!(hop.keep.is_empty());
}

#[test]
fn arrows_and_strings_are_hops() {
    let arrows = Store::of(&[("r1", include_str!("../fixtures/policy/arrows.json"))]).plan("r1");
    let hops: Vec<(String, u32)> = arrows.hops.iter().map(|hop| (hop.target.to_string(), hop.retries)).collect();
    let expected = [("deepseek/reasoner", 0), ("nebius/DeepSeek-R1", 1), ("deepinfra/DeepSeek-R1", 2)];
    assert_eq!(hops, expected.map(|(name, retries)| (name.to_owned(), retries)));
    let strings = Store::of(&[
        ("s", include_str!("../fixtures/policy/strings.json")),
        ("cheap", r#"{"chain": "openai/gpt-4o-mini"}"#),
    ])
    .plan("s");
    assert_eq!(targets(&strings.hops), ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "openai/gpt-4o-mini"]);
    assert_eq!(strings.hops[0].retries, 2);
    assert!(strings.hops[0].breaker.is_none(), "null is off");
    assert!(strings.hops[2].breaker.is_some(), "a nested policy keeps its own breaker");
    assert_eq!(strings.exhausted, Exhausted::Status(503));
}

#[test]
fn a_nested_policys_hops_keep_their_own_and_the_rest_is_the_outermosts() {
    let store = Store::of(&[
        (
            "outer",
            r#"{"chain": ["openai/gpt-4o", {"model": "policy/inner", "degraded": true, "params": {"seed": 1, "top_p": 0.5}}],
                "on": {"preset": "strict"}, "backoff": {"initial_ms": 7}, "timeouts": {"idle_ms": 8}, "breaker": null,
                "keep": ["region"], "translate": "never", "deadline_ms": 1000, "consent": "ask", "exhausted": "first",
                "usage": "always", "stream": {"commit": "complete"}}"#,
        ),
        (
            "inner",
            r#"{"chain": [{"model": "openai/o3", "params": {"top_p": 0.9}}, {"model": "openai/o1", "degraded": "slow"}],
                "workload": "other", "keep": ["labels"], "on": {"auth": "stop"}, "deadline_ms": 5, "consent": "never",
                "exhausted": "most_actionable", "stream": {"commit": "headers"}, "translate": "strict"}"#,
        ),
    ]);
    let plan = store.plan("outer");
    let [first, second, third] = plan.hops.as_slice() else { panic!("three hops") };
    assert_eq!(first.on.of(Class::RateLimited), Verdict::RetryOnly);
    assert_eq!((first.backoff.initial, first.timeouts.idle, first.breaker), (Span(7), Span(8), None));
    assert_eq!((first.keep.as_slice(), first.translate), ([Boundary::Region].as_slice(), Translate::Never));
    for hop in [second, third] {
        assert_eq!(hop.on.of(Class::RateLimited), Verdict::Retry);
        assert_eq!(hop.on.of(Class::Auth), Verdict::Stop);
        assert_eq!((hop.backoff.initial, hop.timeouts.idle), (Span(500), Span(60_000)));
        assert!(hop.breaker.is_some());
        assert_eq!(hop.keep, [Boundary::Region, Boundary::Labels], "keep adds up");
        assert_eq!(hop.translate, Translate::Strict);
    }
    assert_eq!((&second.degraded, &third.degraded), (&Degraded::Yes, &Degraded::Notice("slow".into())));
    let fields: Vec<&str> = second.params.iter().map(|param| param.field.as_str()).collect();
    assert_eq!(fields, ["seed", "top_p", "top_p"], "the policy's are set first, the hop's own after");
    assert_eq!((plan.deadline, plan.exhausted, plan.usage), (Span(1000), Exhausted::First, UsageMode::Always));
    assert_eq!((plan.stream.commit, plan.workload.as_str()), (Commit::Complete, "outer"));
}

#[test]
fn cycles_depth_and_size_are_errors_that_name_the_way() {
    let cycle = Store::of(&[
        ("a", r#"{"chain": ["openai/gpt-4o", "policy/b"]}"#),
        ("b", r#"{"chain": ["policy/a"]}"#),
        ("self", r#"{"chain": ["policy/self"]}"#),
    ]);
    assert_eq!(
        cycle.error("a"),
        "policy \"a\": chain[1].model: policy \"b\": chain[0].model: cycle a -> b -> a (a policy cannot lead back to itself)"
    );
    assert!(cycle.error("self").contains("chain[0].model: cycle self -> self"));

    let ladder: Vec<(String, String)> = (0..=5)
        .map(|i| {
            (
                format!("p{i}"),
                if i < 5 { format!(r#"{{"chain": ["policy/p{}"]}}"#, i + 1) } else { r#"{"chain": ["o1"]}"#.into() },
            )
        })
        .collect();
    let ladder = Store(ladder.into_iter().collect());
    assert_eq!(ladder.plan("p1").hops.len(), 1, "four deep is allowed");
    let deep = ladder.error("p0");
    assert!(deep.contains("p0 -> p1 -> p2 -> p3 -> p4 -> p5 nests policies more than 4 deep"), "{deep}");

    let sixteen = format!(r#"{{"chain": [{}]}}"#, vec![r#""openai/gpt-4o""#; 16].join(","));
    let wide = Store::of(&[
        ("wide", r#"{"chain": ["policy/sixteen", "policy/sixteen"]}"#),
        ("wider", r#"{"chain": ["policy/sixteen", "policy/sixteen", "openai/o3"]}"#),
        ("sixteen", &sixteen),
    ]);
    assert_eq!(wide.plan("wide").hops.len(), 32);
    assert!(wide.error("wider").contains("chain[2].model: this is more than the 32 targets allowed in all"));
    let seventeen = format!(r#"{{"chain": [{}]}}"#, vec![r#""openai/gpt-4o""#; 17].join(","));
    let bad = file::parse("x", seventeen.as_bytes()).expect_err("17 hops");
    assert_eq!(bad.to_string(), "policy \"x\": chain: 17 entries are not in 1..=16");
}

#[test]
fn a_hostile_library_does_not_explode() {
    // Each level names the next sixteen times: 16^4 hops if nobody counted.
    let level = |next: &str| format!(r#"{{"chain": [{}]}}"#, vec![format!("\"policy/{next}\""); 16].join(","));
    let store = Store::of(&[
        ("a", &level("b")),
        ("b", &level("c")),
        ("c", &level("d")),
        ("d", &level("e")),
        ("e", r#"{"chain": ["o1"]}"#),
    ]);
    assert!(store.error("a").contains("32 targets"));
}

#[test]
fn references_are_listed_for_whoever_loads_them() {
    let json = br#"{"chain": ["policy/a", "openai/gpt-4o", "acme/x", "acme/y", "gemini:z", "bare", "policy/a"]}"#;
    let file = file::parse("x", json).expect("a policy");
    let references = resolve::references(&file.chain);
    assert_eq!(references.policies, ["a"]);
    assert_eq!(references.providers, ["openai", "acme", "gemini"]);
}

#[test]
fn load_balance_draws_by_weight_and_the_rest_follow_in_order() {
    let store = Store::of(&[(
        "lb",
        r#"{"type": "load_balance", "chain": [{"model": "o1", "weight": 1}, {"model": "o3", "weight": 3}, {"model": "gpt-4o", "weight": 0}]}"#,
    )]);
    let tree = store.tree("lb");
    let mut first: HashMap<String, u32> = HashMap::new();
    for seed in 0..4000 {
        let order = targets(&tree.plan(stored("lb"), Draw::Seed(seed)).hops);
        let rest = match order[0].as_str() {
            "openai/o1" => ["openai/o3", "openai/gpt-4o"],
            _ => ["openai/o1", "openai/gpt-4o"],
        };
        assert_eq!(order[1..], rest);
        *first.entry(order[0].clone()).or_default() += 1;
    }
    assert!((850..1150).contains(&first["openai/o1"]), "{first:?}");
    assert!(!first.contains_key("openai/gpt-4o"), "weight 0 is a fallback only: {first:?}");
}

#[test]
fn the_same_user_meets_the_same_hop_and_users_spread() {
    let store = Store::of(&[("lb", r#"{"type": "load_balance", "chain": ["o1", "o3"]}"#)]);
    let tree = store.tree("lb");
    let first = |user: &str| targets(&tree.plan(stored("lb"), Draw::Sticky(user)).hops)[0].clone();
    let ones = (0..1000).filter(|i| first(&format!("user-{i}")) == "openai/o1").count();
    assert!((400..600).contains(&ones), "{ones} of 1000");
    assert_eq!(first("ann"), first("ann"));
}

#[test]
fn balancing_between_two_policies_keeps_each_together() {
    let store = Store::of(&[
        (
            "canary",
            r#"{"type": "load_balance", "chain": [{"model": "policy/new", "weight": 1}, {"model": "policy/old", "weight": 1}]}"#,
        ),
        ("new", r#"{"chain": ["o3", "o1"]}"#),
        ("old", r#"{"chain": ["gpt-4", "gpt-4o"]}"#),
    ]);
    let tree = store.tree("canary");
    let orders: std::collections::BTreeSet<Vec<String>> =
        (0..64).map(|seed| targets(&tree.plan(stored("canary"), Draw::Seed(seed)).hops)).collect();
    let new = ["openai/o3", "openai/o1"];
    let old = ["openai/gpt-4", "openai/gpt-4o"];
    let expected =
        [[old, new].concat(), [new, old].concat()].map(|order| order.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(orders, expected.into_iter().collect());
}

#[test]
fn what_a_policy_draws_says_nothing_of_what_one_within_it_draws() {
    let store = Store::of(&[
        ("canary", r#"{"type": "load_balance", "chain": ["policy/old", "policy/new"]}"#),
        ("new", r#"{"type": "load_balance", "chain": ["o3", "o1"]}"#),
        ("old", r#"{"type": "load_balance", "chain": ["gpt-4", "gpt-4o"]}"#),
    ]);
    let tree = store.tree("canary");
    for sticky in [false, true] {
        let mut first: HashMap<String, u32> = HashMap::new();
        for n in 0..4000 {
            let user = format!("user-{n}");
            let draw = if sticky { Draw::Sticky(&user) } else { Draw::Seed(n) };
            *first.entry(targets(&tree.plan(stored("canary"), draw).hops)[0].clone()).or_default() += 1;
        }
        for model in ["openai/gpt-4", "openai/gpt-4o", "openai/o3", "openai/o1"] {
            let met = first.get(model).copied().unwrap_or_default();
            assert!((850..1150).contains(&met), "sticky {sticky}: {model} met {met} of 4000: {first:?}");
        }
    }
}

#[test]
fn all_weights_zero_is_in_order() {
    let store = Store::of(&[(
        "z",
        r#"{"type": "load_balance", "chain": [{"model": "o1", "weight": 0}, {"model": "o3", "weight": 0}]}"#,
    )]);
    assert_eq!(targets(&store.plan("z").hops), ["openai/o1", "openai/o3"]);
}

#[test]
fn later_words_override_earlier_ones_field_by_field() {
    use serde_json::json;
    let store = Store::of(&[(
        "x",
        r#"{"chain": [{"model": "o1", "timeouts": {"idle_ms": 5}}], "on": {"auth": "stop", "timeout": "retry"}, "keep": ["region"]}"#,
    )]);
    let mut plan = store.plan("x");
    let body = json!({"on": {"timeout": "stop"}, "timeouts": {"headers_ms": 9}, "stream": {"relay": "inspect"}, "keep": ["labels"],
        "consent": "ask", "fallback": 5});
    file::overrides(body.as_object().expect("an object")).apply(&mut plan);
    let hop = &plan.hops[0];
    assert_eq!((hop.on.of(Class::Auth), hop.on.of(Class::Timeout)), (Verdict::Stop, Verdict::Stop));
    assert_eq!((hop.timeouts.headers, hop.timeouts.idle), (Span(9), Span(5)));
    assert_eq!(hop.keep, [Boundary::Region, Boundary::Labels]);

    let preset = json!({"on": {"preset": "strict"}});
    file::overrides(preset.as_object().expect("an object")).apply(&mut plan);
    assert_eq!(plan.hops[0].on.of(Class::Timeout), Verdict::Next, "a later preset replaces every class before it");
}

#[test]
fn bombs_are_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let bad = file::parse("x", deep.as_bytes()).expect_err("deep");
    assert!(bad.to_string().contains(": is nested deeper than 32 "), "{bad}");
    let large = format!(r#"{{"description": "{}"}}"#, "x".repeat(200_000));
    let bad = file::parse("x", large.as_bytes()).expect_err("large");
    assert!(bad.to_string().contains("bytes are more than the 131072 allowed"), "{bad}");
    let many = format!("{{{}}}", (0..500).map(|i| format!("\"f{i}\": 1")).collect::<Vec<_>>().join(","));
    assert_eq!(file::parse("x", many.as_bytes()).expect_err("many").findings.len(), 100);
}

/// As JSON Schema has it, and so the schemas that are published of these documents.
#[test]
fn a_whole_number_may_be_written_in_any_way_that_json_has() {
    let text = r#"{"chain": [{"model": "a/b", "retries": 2.0, "weight": 0e5}], "deadline_ms": 1e3, "exhausted": 5.03e2,
        "backoff": {"initial_ms": 25.00e1, "multiplier": 3.0, "jitter": 0.0}}"#;
    let file = file::parse("x", text.as_bytes()).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!((file.chain[0].retries, file.chain[0].weight), (Some(2), Some(0)));
    assert_eq!((file.deadline, file.exhausted), (Span(1000), Exhausted::Status(503)));
    assert_eq!((file.backoff.initial, file.backoff.multiplier, file.backoff.jitter), (Span(250), 3.0, 0.0));
    for (number, message) in [
        ("1.5", "deadline_ms: 1.5 is not an integer in 1..=3600000"),
        ("1e9", "deadline_ms: 1000000000 is not in 1..=3600000"),
        ("-1.0", "deadline_ms: -1 is not in 1..=3600000"),
        ("-0.0", "deadline_ms: 0 is not in 1..=3600000"),
        ("1e300", "deadline_ms: 1e+300 is not an integer in 1..=3600000"),
        ("\"1000\"", "deadline_ms: \"1000\" is not an integer in 1..=3600000"),
    ] {
        let text = format!("{{\"chain\": [\"a/b\"], \"deadline_ms\": {number}}}");
        let bad = file::parse("x", text.as_bytes()).expect_err(number);
        assert!(bad.to_string().ends_with(message), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_traps_the_reader(text in "\\PC{0,200}") {
        let _ = file::parse("x", text.as_bytes());
        let json = serde_json::json!({"chain": text.clone()});
        if let Ok(file) = file::parse("x", json.to_string().as_bytes()) {
            let _ = Store::default().resolve("x", &file);
        }
    }

    #[test]
    fn every_policy_that_parses_holds_its_ranges(
        retries in 0u64..20, weight in 0u64..2000, ms in 0u64..5_000_000, jitter in 0.0f64..1.0, multiplier in 0.0f64..20.0,
    ) {
        let json = serde_json::json!({
            "chain": [{"model": "o1", "retries": retries, "weight": weight, "timeouts": {"idle_ms": ms}}],
            "backoff": {"jitter": jitter, "multiplier": multiplier},
        });
        let legal = retries <= 10 && weight <= 1000 && (1..=3_600_000).contains(&ms) && jitter <= 0.5 && (1.0..=10.0).contains(&multiplier);
        prop_assert_eq!(file::parse("x", json.to_string().as_bytes()).is_ok(), legal);
    }
}
