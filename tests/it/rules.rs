//! Rules: which one a request meets, and what is said of a document that cannot be used.

use std::rc::Rc;

use serde_json::{Map, Value, json};
use understudy::domain::policy::file;
use understudy::domain::policy::resolve::{Lookup, World};
use understudy::domain::policy::{Consent, Verdict};
use understudy::domain::request::Headers;
use understudy::domain::rules::{Facts, Rules};

fn parse(document: &Value) -> Rules {
    Rules::parse(document.to_string().as_bytes(), "openai", &known).unwrap_or_else(|bad| panic!("{document}: {bad}"))
}

fn known(provider: &str) -> bool {
    ["openai", "anthropic", "google", "openpipe"].contains(&provider)
}

/// A request of group `acme` with some metadata and headers.
struct Asker {
    model: &'static str,
    user: Option<&'static str>,
    group: Option<&'static str>,
    stream: bool,
    metadata: Map<String, Value>,
    headers: Headers,
}

impl Asker {
    fn new(model: &'static str) -> Asker {
        let metadata = json!({"plan": "gold", "seats": 12, "beta": true, "tags": ["a", "b-2"], "extra": {"country": "ca"}, "age": "30", "none": null});
        Asker {
            model,
            user: Some("u1"),
            group: Some("acme"),
            stream: true,
            metadata: metadata.as_object().unwrap().clone(),
            headers: [("X-Team", "search"), ("x-version", "7")].into_iter().collect(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            model: self.model,
            route: "chat",
            user: self.user,
            group: self.group,
            key: Some("web"),
            stream: self.stream,
            metadata: &self.metadata,
            headers: &self.headers,
        }
    }
}

#[track_caller]
fn holds(when: Value, expected: bool) {
    let rules =
        parse(&json!({"rules": {"r": {"when": when, "then": {}}}, "rulesets": [{"name": "s", "rules": ["r"]}]}));
    let asker = Asker::new("openai/gpt-4o");
    assert_eq!(rules.pick(&asker.facts()).is_some(), expected, "rule: {when}");
    let rules =
        parse(&json!({"rules": {"r": {"then": {}}}, "rulesets": [{"name": "s", "when": when, "rules": ["r"]}]}));
    assert_eq!(rules.pick(&asker.facts()).is_some(), expected, "ruleset: {when}");
}

#[test]
fn conditions() {
    for (when, expected) in [
        (json!({}), true),
        (json!({"model": "openai/gpt-4o"}), true),
        (json!({"model": "gpt-4o"}), true),
        (json!({"model": "openai:gpt-4o"}), true),
        (json!({"model": "openai/gpt-4"}), false),
        (json!({"model": "OPENAI/gpt-4o"}), false),
        (json!({"model": "*gpt*"}), true),
        (json!({"model": "openai/*"}), true),
        (json!({"model": "gpt-*"}), true),
        (json!({"model": "openai:gpt-*"}), true),
        (json!({"model": "anthropic:*"}), false),
        (json!({"model": "4o"}), false),
        (json!({"model": {"ne": "gpt-*"}}), false),
        (json!({"model": "openai/gpt-4?"}), true),
        (json!({"model": "openai/gpt-4o?"}), false),
        (json!({"model": "*"}), true),
        (json!({"model": {"in": ["anthropic/x", "gpt-4o"]}}), true),
        (json!({"model": {"ne": "openai/gpt-4o"}}), false),
        (json!({"model": {"exists": true}}), true),
        (json!({"route": "chat"}), true),
        (json!({"route": "c*"}), true),
        (json!({"route": "/v1/chat/completions"}), true),
        (json!({"route": "chat/completions"}), true),
        (json!({"route": "/v1/images/*"}), false),
        (json!({"route": {"ne": "/v1/images/*"}}), true),
        (json!({"route": {"in": ["speech", "/chat/*"]}}), true),
        (json!({"route": "responses"}), false),
        (json!({"user": "u1"}), true),
        (json!({"user": {"exists": false}}), false),
        (json!({"group": {"exists": true}}), true),
        (json!({"group": "acme", "user": "u2"}), false),
        (json!({"key": "web"}), true),
        (json!({"key": {"eq": "other"}}), false),
        (json!({"stream": true}), true),
        (json!({"stream": false}), false),
        (json!({"stream": "true"}), true),
        (json!({"stream": {"in": ["false"]}}), false),
        (json!({"stream": {"ne": true}}), false),
        (json!({"metadata.plan": "gold"}), true),
        (json!({"metadata.plan": {"eq": "g?ld"}}), true),
        (json!({"metadata.plan": {"in": ["silver", "gold"]}}), true),
        (json!({"metadata.seats": 12}), true),
        (json!({"metadata.seats": 12.0}), true),
        (json!({"metadata.seats": "12"}), true),
        (json!({"metadata.seats": {"gt": 5, "lt": 13}}), true),
        (json!({"metadata.seats": {"gt": 12}}), false),
        (json!({"metadata.seats": {"lt": "100"}}), true),
        (json!({"metadata.age": {"gt": 4}}), true),
        (json!({"metadata.plan": {"gt": 4}}), false),
        (json!({"metadata.plan": {"gt": "a", "lt": "h"}}), true),
        (json!({"metadata.beta": true}), true),
        (json!({"metadata.beta": "true"}), true),
        (json!({"metadata.tags": "b*"}), true),
        (json!({"metadata.tags": "c"}), false),
        (json!({"metadata.tags": {"ne": "a"}}), false),
        (json!({"metadata.extra": "ca"}), false),
        (json!({"metadata.extra": {"exists": true}}), true),
        (json!({"metadata.extra.country": "ca"}), true),
        (json!({"metadata.extra.country.x": {"exists": true}}), false),
        (json!({"metadata.none": {"exists": false}}), true),
        (json!({"metadata.none": null}), true),
        (json!({"metadata.missing": {"exists": true}}), false),
        (json!({"metadata.missing": {"ne": "x"}}), true),
        (json!({"metadata.missing": {"lt": 5}}), false),
        (json!({"header.x-team": "search"}), true),
        (json!({"header.X-Team": "s*h"}), true),
        (json!({"header.x-version": 7}), true),
        (json!({"header.x-version": {"gt": 6.5}}), true),
        (json!({"header.x-other": {"exists": false}}), true),
        (json!({"any": [{"model": "x/y"}, {"stream": true}]}), true),
        (json!({"any": [{"model": "x/y"}, {"stream": false}]}), false),
        (json!({"any": [{"model": "x/y"}, {"stream": true}], "group": "other"}), false),
        (json!({"all": [{"group": "acme"}, {"any": [{"user": "u1"}]}]}), true),
        (json!({"not": {"group": "acme"}}), false),
        (json!({"not": {"all": [{"group": "acme"}, {"not": {"user": "u1"}}]}}), true),
        (json!({"not": {}}), false),
    ] {
        holds(when, expected);
    }
}

#[test]
fn a_colon_may_stand_before_a_provider_that_only_the_store_knows() {
    for (written, asked, expected) in [
        ("acme:fast", "acme/fast", true),
        ("acme:fast", "openai/acme:fast", true),
        ("acme:fa*", "acme/fast", true),
        ("acme:*", "acme/meta/llama", true),
        ("acme:fast", "openai/fast", false),
        ("ft:gpt-4o:acme", "openai/ft:gpt-4o:acme", true),
        ("ft:gpt-4o:*", "openai/ft:gpt-4o:acme", true),
        ("openai/ft:*", "openai/ft:gpt-4o:acme", true),
        ("gemini:*", "google/gemini-2.5-pro", true),
        ("policy/*", "policy/x", true),
        ("*", "policy/x", true),
        ("x", "policy/x", false),
    ] {
        let rules = parse(
            &json!({"rules": {"r": {"when": {"model": written}, "then": {}}}, "rulesets": [{"name": "s", "rules": ["r"]}]}),
        );
        assert_eq!(rules.pick(&Asker::new(asked).facts()).is_some(), expected, "{written} on {asked}");
    }
}

#[test]
fn one_rule_serves_in_many_rulesets_and_one_ruleset_carries_many() {
    let rules = parse(&json!({
        "rules": {
            "gpt-4o": {"when": {"model": "openai/gpt-4o"}, "then": {"fallback": ["anthropic/a"]}},
            "gpt-4.1": {"when": {"model": "openai/gpt-4.1"}, "then": {"fallback": ["google/g"]}}},
        "rulesets": [
            {"name": "gold", "when": {"metadata.plan": "gold"}, "rules": ["gpt-4o", "gpt-4.1"]},
            {"name": "acme", "when": {"group": "acme"}, "rules": ["gpt-4.1", "gpt-4o"]}]
    }));
    assert_eq!(rules.len(), 4);
    let asked = |model: &'static str, gold: bool| {
        let mut asker = Asker::new(model);
        if !gold {
            asker.metadata.remove("plan");
        }
        let picked = rules.pick(&asker.facts())?;
        Some((picked.label(), picked.then.fallback.as_ref()?[0].model.clone()))
    };
    let met = |label: &str, model: &str| Some((label.to_owned(), model.to_owned()));
    assert_eq!(asked("openai/gpt-4o", true), met("gold/gpt-4o", "anthropic/a"));
    assert_eq!(asked("openai/gpt-4.1", true), met("gold/gpt-4.1", "google/g"));
    assert_eq!(asked("openai/gpt-4o", false), met("acme/gpt-4o", "anthropic/a"));
    assert_eq!(asked("openai/gpt-4.1", false), met("acme/gpt-4.1", "google/g"));
    assert_eq!(asked("openai/o3", true), None);
}

#[test]
fn what_rules_name_is_followed_before_they_are_stored() {
    let world = World {
        default_provider: "openai",
        provider: &known,
        policy: &|name| match name {
            "x" => Lookup::Found(Rc::new(file::parse("x", br#"{"chain": ["openai/gpt-4o"]}"#).unwrap())),
            "ring" => Lookup::Found(Rc::new(file::parse("ring", br#"{"chain": ["policy/ring"]}"#).unwrap())),
            _ => Lookup::Missing,
        },
    };
    let follow = |then: Value| parse(&json!({"rules": {"r": {"then": then}}})).follow(world);
    for then in
        [json!({"use": "policy/x"}), json!({"fallback": ["policy/x", "gpt-4o", "google/g"]}), json!({"deny": "no"})]
    {
        assert!(follow(then.clone()).is_ok(), "{then}");
    }
    for (then, message) in [
        (json!({"use": "policy/nothing"}), "rules.r.then.use: \"policy/nothing\" names a policy that does not exist"),
        (
            json!({"fallback": ["gpt-4o", "nosuch/m"]}),
            "rules.r.then.fallback[1].model: \"nosuch/m\" names provider \"nosuch\"",
        ),
        (json!({"fallback": ["policy/nothing"]}), "rules.r.then.fallback[0].model: \"policy/nothing\" names a policy"),
        (json!({"fallback": ["policy/ring"]}), "cycle ring -> ring"),
    ] {
        let bad = follow(then.clone()).err().unwrap_or_else(|| panic!("taken: {then}"));
        assert!(bad.to_string().contains(message), "{message:?} is not in {bad}");
    }
    let named =
        parse(&json!({"rules": {"a": {"then": {"fallback": ["google/g"]}}, "b": {"then": {"use": "policy/x"}}}}));
    assert_eq!(named.hops().iter().map(|hop| hop.model.as_str()).collect::<Vec<_>>(), ["google/g", "policy/x"]);
}

#[test]
fn the_first_rule_that_holds_wins_in_the_order_of_the_rulesets() {
    let rules = parse(&json!({
        "rules": {
            "never-carried": {"then": {"deny": "x"}},
            "always": {"when": {}, "then": {}},
            "gpt": {"when": {"model": "openai/gpt-4o"}, "then": {"retries": 1}},
            "stream": {"when": {"stream": true}, "then": {"retries": 2}},
        },
        "rulesets": [
            {"name": "others", "when": {"group": "other"}, "rules": ["always"]},
            {"name": "everyone", "when": {"group": {"exists": true}}, "rules": ["stream", "gpt"]},
            {"name": "last", "rules": ["gpt", "always"]},
        ]
    }));
    let picked = |asker: &Asker| rules.pick(&asker.facts()).map(|picked| picked.label());
    let asker = Asker::new("openai/gpt-4o");
    assert_eq!(picked(&asker).as_deref(), Some("everyone/stream"));
    assert_eq!(picked(&Asker { stream: false, ..asker }).as_deref(), Some("everyone/gpt"));
    let other = Asker { group: Some("other"), ..Asker::new("openai/gpt-4o") };
    assert_eq!(picked(&other).as_deref(), Some("others/always"));
    let none = Asker { group: None, ..Asker::new("openai/gpt-4o") };
    assert_eq!(picked(&none).as_deref(), Some("last/gpt"));
    let none = Asker { group: None, ..Asker::new("policy/x") };
    assert_eq!(picked(&none).as_deref(), Some("last/always"));
}

#[test]
fn what_a_rule_does() {
    let rules = parse(&json!({
        "rules": {"r": {"then": {
            "retries": 1, "fallback": [{"model": "anthropic/claude-3-7-sonnet", "retries": 1}, "google/gemini-2.5-pro (2 retries)"],
            "on": {"preset": "strict", "timeout": "retry"}, "timeouts": {"idle_ms": 5}, "deadline_ms": 9, "keep": ["region"],
            "consent": "ask", "stream": {"relay": "inspect"}}},
            "u": {"then": {"use": "policy/x", "deadline_ms": 7}}},
        "rulesets": [{"name": "s", "rules": ["r", "u"]}]
    }));
    let asker = Asker::new("openai/gpt-4o");
    let then = rules.pick(&asker.facts()).unwrap().then;
    let hops = then.fallback.as_ref().unwrap();
    assert_eq!(then.retries, Some(1));
    assert_eq!((hops[0].model.as_str(), hops[0].retries), ("anthropic/claude-3-7-sonnet", Some(1)));
    assert_eq!((hops[1].model.as_str(), hops[1].retries), ("google/gemini-2.5-pro", Some(2)));
    assert_eq!(then.overrides.on.classes.first().map(|(_, verdict)| *verdict), Some(Verdict::Retry));
    assert_eq!(then.overrides.consent, Some(Consent::Ask));
    assert_eq!(then.overrides.deadline.map(|span| span.0), Some(9));
}

#[test]
fn a_thousand_rules_are_found_by_what_they_name() {
    let names: Vec<String> = (0..1_000).map(|n| format!("r{n}")).collect();
    let rules: Map<String, Value> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let when = match n % 4 {
                0 => json!({"model": format!("openai/m{n}")}),
                1 => json!({"group": format!("g{n}"), "stream": true}),
                2 => json!({"all": [{"user": {"eq": format!("u{n}")}}]}),
                _ => json!({"model": format!("*-{n}")}),
            };
            (name.clone(), json!({"when": when, "then": {}}))
        })
        .collect();
    let rules = parse(&json!({"rules": rules, "rulesets": [{"name": "s", "rules": names}]}));
    assert_eq!(rules.len(), 1_000);
    let rule = |asker: Asker| rules.pick(&asker.facts()).map(|picked| picked.rule.to_owned());
    assert_eq!(rule(Asker::new("openai/m400")).as_deref(), Some("r400"));
    assert_eq!(rule(Asker::new("openai/m401")), None);
    assert_eq!(rule(Asker { group: Some("g401"), ..Asker::new("openai/m400") }).as_deref(), Some("r400"));
    assert_eq!(rule(Asker { group: Some("g397"), ..Asker::new("openai/m400") }).as_deref(), Some("r397"));
    assert_eq!(rule(Asker { user: Some("u2"), ..Asker::new("openai/m400") }).as_deref(), Some("r2"));
    assert_eq!(rule(Asker::new("x-403")).as_deref(), Some("r403"));
}

#[test]
fn a_denied_target_is_one_that_could_not_be_asked_for() {
    let rules = parse(&json!({
        "rules": {
            "vip": {"when": {"user": "u1", "model": "openai/o3"}, "then": {}},
            "no-o3": {"when": {"model": "openai/o*"}, "then": {"deny": "not here"}}},
        "rulesets": [{"name": "s", "rules": ["vip", "no-o3"]}]
    }));
    let denies = |asker: Asker| (rules.denies_request(&asker.facts()), rules.denies_target(&asker.facts()));
    assert_eq!(denies(Asker::new("openai/o3")), (false, false));
    assert_eq!(denies(Asker::new("openai/o4")), (true, true));
    assert_eq!(denies(Asker { user: None, ..Asker::new("openai/o3") }), (true, true));
    assert_eq!(denies(Asker::new("google/x")), (false, false));
}

/// "Interns may use this policy and nothing else", "clients must name policies": what an exception let through is served.
#[test]
fn a_rule_that_asks_for_no_model_denies_requests_and_no_targets() {
    for when in [
        json!({}),
        json!({"user": "u1"}),
        json!({"model": "*"}),
        json!({"not": {"model": "policy/*"}}),
        json!({"model": {"ne": "policy/free"}}),
    ] {
        let rules = parse(&json!({
            "rules": {"free": {"when": {"model": "policy/free"}, "then": {}}, "rest": {"when": when, "then": {"deny": "no"}}},
            "rulesets": [{"name": "s", "rules": ["free", "rest"]}]
        }));
        assert!(!rules.denies_request(&Asker::new("policy/free").facts()), "{when}");
        let target = Asker::new("openai/o3");
        assert_eq!(
            (rules.denies_request(&target.facts()), rules.denies_target(&target.facts())),
            (true, false),
            "{when}"
        );
    }
}

#[track_caller]
fn refuses(document: Value, message: &str) {
    match Rules::parse(document.to_string().as_bytes(), "openai", &known) {
        Ok(_) => panic!("taken: {document}"),
        Err(bad) => assert!(bad.to_string().contains(message), "{message:?} is not in {bad}"),
    }
}

#[test]
fn a_bad_document_is_told_with_path_value_and_expectation() {
    let rule = |when: Value| json!({"rules": {"r": {"when": when, "then": {}}}});
    let then = |then: Value| json!({"rules": {"r": {"then": then}}});
    for (document, message) in [
        (json!([]), "rules: a list of 0 is not a rules document"),
        (json!({"rule": {}}), "did you mean \"rules\"?"),
        (json!({"rules": {"r": {"when": {}}}}), "rules.r.then: is missing"),
        (json!({"rules": {"a/b": {"then": {}}}}), "without a slash"),
        (json!({"rulesets": [{"rules": []}]}), "rulesets[0].name: is missing"),
        (
            json!({"rulesets": [{"name": "s", "rules": ["gpt"]}]}),
            "rulesets[0].rules[0]: \"gpt\" names a rule that does not exist",
        ),
        (
            json!({"rulesets": [{"name": "s", "rules": []}, {"name": "s", "rules": []}]}),
            "rulesets[1].name: \"s\" is the name of an earlier ruleset",
        ),
        (rule(json!(5)), "rules.r.when: 5 is not"),
        (rule(json!({"route": "chats"})), "rules.r.when.route: \"chats\" is not one of chat, responses, messages"),
        (rule(json!({"route": {"in": ["/v1/files*"]}})), "rules.r.when.route.in[0]: \"/v1/files*\" is not one of chat"),
        (rule(json!({"modle": "x"})), "rules.r.when.modle: \"modle\" is not one of model, route"),
        (rule(json!({"metadata.": "x"})), "is not one of model"),
        (rule(json!({"any": [{"modle": "x"}]})), "rules.r.when.any[0].modle"),
        (rule(json!({"any": []})), "rules.r.when.any: a list of 0 is not a list of 1 to 64 conditions"),
        (rule(json!({"any": {"model": "x"}})), "rules.r.when.any: an object is not a list"),
        (rule(json!({"not": 5})), "rules.r.when.not: 5 is not a condition"),
        (rule(json!({"not": null})), "rules.r.when.not: null is not a condition"),
        (rule(json!({"stream": "yes"})), "rules.r.when.stream: \"yes\" is not true or false"),
        (rule(json!({"model": 5})), "rules.r.when.model: 5 is not a text or a glob"),
        (rule(json!({"user": true})), "rules.r.when.user: true is not a literal"),
        (
            rule(json!({"user": {"exist": true}})),
            "rules.r.when.user.exist: \"exist\" is not one of exists, eq, ne, in, lt, gt",
        ),
        (rule(json!({"user": {"exists": 1}})), "rules.r.when.user.exists: 1 is not true or false"),
        (rule(json!({"user": {}})), "rules.r.when.user: an object is not"),
        (rule(json!({"user": {"in": "a"}})), "rules.r.when.user.in: \"a\" is not a list"),
        (rule(json!({"user": {"in": ["a", []]}})), "rules.r.when.user.in[1]"),
        (rule(json!({"user": {"lt": true}})), "rules.r.when.user.lt: true is not a number or a text"),
        (then(json!({"use": "policy/x", "retries": 1})), "rules.r.then.retries: cannot stand beside use"),
        (then(json!({"use": "policy/x", "fallback": ["a/b"]})), "rules.r.then.fallback: cannot stand beside use"),
        (then(json!({"use": "openai/gpt-4o"})), "rules.r.then.use: \"openai/gpt-4o\" is not policy/<name>"),
        (then(json!({"deny": true})), "rules.r.then.deny: true is not a message"),
        (then(json!({"retries": 11})), "rules.r.then.retries: 11 is not in 0..=10"),
        (then(json!({"fallback": []})), "rules.r.then.fallback"),
        (then(json!({"breaker": null})), "\"breaker\" is not a field of what a rule does"),
        (then(json!({"on": {"timeout": "maybe"}})), "rules.r.then.on.timeout"),
    ] {
        refuses(document, message);
    }
    let mut deep = json!({"model": "a"});
    for _ in 0..40 {
        deep = json!({"not": deep});
    }
    refuses(rule(deep), "nested deeper");
    // One mistake, one finding.
    let bad = Rules::parse(rule(json!({"modle": "x"})).to_string().as_bytes(), "openai", &known).unwrap_err();
    assert_eq!(bad.findings.len(), 1, "{:?}", bad.findings);
}

#[test]
fn no_rules_are_no_trouble() {
    for document in ["{}", r#"{"rules": {}, "rulesets": []}"#] {
        let rules = Rules::parse(document.as_bytes(), "openai", &known).unwrap();
        assert!(rules.is_empty() && rules.pick(&Asker::new("a/b").facts()).is_none());
    }
    assert!(Rules::default().pick(&Asker::new("a/b").facts()).is_none());
}
