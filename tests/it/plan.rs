//! From request, key, rule and policy to the plan: who wins over whom, and who is refused with what.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use understudy::domain::dialect::Wire;
use understudy::domain::key::{self, KeyFile};
use understudy::domain::outcome::{Class, Skip};
use understudy::domain::plan::boundaries::{Ground, judge};
use understudy::domain::plan::{Composed, Course, Request, Start, Stored, policy_not_found};
use understudy::domain::policy::file;
use understudy::domain::policy::resolve::{Lookup, World, resolve};
use understudy::domain::policy::{Boundary, Commit, Consent, Hop, KeyChoice, Plan, PlanName, Verdict};
use understudy::domain::refusal::Refusal;
use understudy::domain::request::{Asked, Body, Endpoints, Headers, Limits};
use understudy::domain::route::Route;
use understudy::domain::rules::Rules;
use understudy::domain::target::ModelRef;

const PROVIDERS: [&str; 7] = ["openai", "anthropic", "bedrock", "google", "azure", "openpipe", "acme"];

/// What is stored.
#[derive(Default)]
struct Store {
    policies: BTreeMap<&'static str, Value>,
    rules: Value,
    key: Option<KeyFile>,
}

/// What came of a request.
struct Met {
    plan: Plan,
    denied: Vec<Option<Skip>>,
    start: Start,
    /// Under what name it may be kept for others.
    shared: Option<String>,
}

impl Store {
    fn new() -> Store {
        Store { rules: json!({}), ..Store::default() }
    }

    fn policy(mut self, name: &'static str, document: Value) -> Store {
        self.policies.insert(name, document);
        self
    }

    /// One rule in one ruleset.
    fn rule(mut self, when: Value, then: Value) -> Store {
        self.rules = json!({"rules": {"r": {"when": when, "then": then}}, "rulesets": [{"name": "s", "rules": ["r"]}]});
        self
    }

    fn key(mut self, mut document: Value) -> Store {
        document["name"] = "web".into();
        self.key = Some(key::parse("id", document.to_string().as_bytes()).unwrap());
        self
    }

    fn ask(&self, body: &Value, pairs: &[(&str, &str)]) -> Result<Met, Refusal> {
        self.ask_with(body, pairs, 7)
    }

    fn ask_with(&self, body: &Value, pairs: &[(&str, &str)], seed: u64) -> Result<Met, Refusal> {
        let headers: Headers = pairs.iter().map(|(name, value)| (*name, *value)).collect();
        let bytes = body.to_string().into_bytes();
        let parsed = Body::parse(&Route::Chat, None, &bytes)?;
        let asked = Asked::read(&parsed, &bytes, &headers, Limits { endpoints: Endpoints::On, own_host: None })?;
        let known = |name: &str| PROVIDERS.contains(&name);
        let rules = Rules::parse(self.rules.to_string().as_bytes(), "openai", &known)?;
        let policy = |name: &str| match self.policies.get(name) {
            Some(document) => Lookup::Found(Rc::new(file::from_value(name, document).unwrap())),
            None => Lookup::Missing,
        };
        let world = World { default_provider: "openai", provider: &known, policy: &policy };
        let key = self.key.as_ref();
        let request = Request { asked: &asked, route: &Route::Chat, headers: &headers, key, rules: &rules };
        let course = Course::choose(request, world)?;
        let tree = course.policy().and_then(|name| Some((name, self.policies.get(name)?)));
        let tree =
            tree.map(|(name, document)| resolve(name, &file::from_value(name, document).unwrap(), world).unwrap());
        let stored = tree.as_ref().map(|tree| Stored { tree, version: "12345678", stale: false });
        let composed = course.compose(stored, world, seed)?;
        let Composed { plan, denied } = composed;
        Ok(Met { plan, denied, start: course.start.clone(), shared: course.shared_name() })
    }

    #[track_caller]
    fn plan(&self, body: Value) -> Plan {
        self.met(body, &[]).plan
    }

    #[track_caller]
    fn met(&self, body: Value, pairs: &[(&str, &str)]) -> Met {
        self.ask(&body, pairs).unwrap_or_else(|refusal| panic!("{body}: {refusal}"))
    }

    #[track_caller]
    fn refuses(&self, body: Value, status: u16, code: &str, message: &str) {
        let refusal = self.ask(&body, &[]).err().unwrap_or_else(|| panic!("taken: {body}"));
        assert_eq!((refusal.status, refusal.code), (status, code), "{refusal}");
        assert!(refusal.message.contains(message), "{message:?} is not in {refusal}");
    }
}

fn targets(plan: &Plan) -> Vec<String> {
    plan.hops.iter().map(|hop| hop.target.to_string()).collect()
}

/// A plan that others get as well must be the one that they would have got by themselves.
#[test]
fn a_plan_is_shared_only_by_requests_that_say_nothing_of_it() {
    let store = sonnet();
    let shared = |body: Value, pairs: &[(&str, &str)]| {
        let met = store.met(body, pairs);
        (met.shared, met.plan.hops.iter().map(|hop| hop.retries).collect::<Vec<_>>())
    };
    let (name, retries) = shared(json!({"model": "policy/sonnet"}), &[]);
    assert!(name.is_some());
    for pairs in [
        &[("x-understudy-no-fallback", "true")][..],
        &[("x-understudy-consent", "fallback")],
        &[("x-stainless-timeout", "9")],
        &[("x-stainless-retry-count", "0")],
        &[("x-stainless-retry-count", "often")],
    ] {
        assert_eq!(
            shared(json!({"model": "policy/sonnet", "user": "ann"}), pairs),
            (name.clone(), retries.clone()),
            "{pairs:?}"
        );
    }
    assert_eq!(shared(json!({"model": "policy/sonnet"}), &[("x-stainless-retry-count", "1")]), (None, vec![0, 0, 0]));
    for (body, pairs) in [
        (json!({"model": "policy/sonnet", "models": ["gpt-4o"]}), &[][..]),
        (json!({"model": "policy/sonnet", "understudy": {"deadline_ms": 5}}), &[]),
        (json!({"model": "policy/sonnet", "openpipe": {"timeout": 5}}), &[]),
        (json!({"model": "policy/sonnet"}), &[("x-understudy-key-anthropic", "sk-own-0123456789")]),
    ] {
        assert_eq!(shared(body.clone(), pairs).0, None, "{body}");
    }
    assert_ne!(shared(json!({"model": "policy/cheap"}), &[]).0, name);
    assert_ne!(shared(json!({"model": "openai/gpt-4o"}), &[]).0, name);
}

fn sonnet() -> Store {
    Store::new()
        .policy(
            "sonnet",
            json!({
                "chain": ["anthropic/claude-sonnet-4-5", {"model": "bedrock/claude-sonnet-4-5@eu-central-1", "retries": 2},
                    {"model": "policy/cheap", "degraded": true}],
                "timeouts": {"attempt_ms": 50_000}, "deadline_ms": 100_000, "keep": ["labels"], "on": {"preset": "strict"},
                "exhausted": "first", "workload": "support"
            }),
        )
        .policy("cheap", json!({"chain": ["openai/gpt-4o-mini"], "timeouts": {"attempt_ms": 20_000}}))
        .policy("Upper", json!({"chain": ["openai/o3"]}))
}

#[test]
fn a_plain_model_runs_under_the_built_in_policy() {
    let plan = Store::new().plan(json!({"model": "gpt-4o"}));
    assert_eq!(targets(&plan), ["openai/gpt-4o"]);
    assert_eq!((&plan.name, plan.rule.as_deref(), plan.workload.as_str()), (&PlanName::Plain, None, ""));
    assert_eq!((plan.hops[0].retries, plan.hops[0].key, plan.deadline.0), (0, KeyChoice::Managed, 600_000));
    assert_eq!(targets(&Store::new().plan(json!({"model": "openpipe:my-ft-model"}))), ["openpipe/my-ft-model"]);
    for tuned in ["ft:gpt-4o:acme", "ft:gpt-4o:acme/search:x"] {
        assert_eq!(targets(&Store::new().plan(json!({"model": tuned}))), [format!("openai/{tuned}")]);
    }
}

#[test]
fn a_plain_model_s_key_is_own_when_one_comes_along() {
    let key = |pairs: &[(&str, &str)]| Store::new().met(json!({"model": "gpt-4o"}), pairs).plan.hops[0].key;
    assert_eq!(key(&[("x-understudy-key-openai", "sk-1")]), KeyChoice::Own);
    assert_eq!(key(&[("x-understudy-key-anthropic", "sk-1")]), KeyChoice::Managed);
    // A stored policy says whose keys its hops use; a request's own hops use what came with it.
    let policy = sonnet().met(json!({"model": "policy/sonnet"}), &[("x-understudy-key-anthropic", "sk-1")]);
    assert_eq!(policy.plan.hops[0].key, KeyChoice::Managed);
    let body =
        json!({"model": "gpt-4o", "understudy": {"fallback": ["google/g", {"model": "google/h", "key": "managed"}]}});
    let hops = Store::new().met(body, &[("x-understudy-key-google", "k")]).plan.hops;
    assert_eq!(
        hops.iter().map(|hop| hop.key).collect::<Vec<_>>(),
        [KeyChoice::Managed, KeyChoice::Own, KeyChoice::Managed]
    );
}

#[test]
fn a_stored_policy_is_what_it_says() {
    let plan = sonnet().plan(json!({"model": "policy/sonnet"}));
    let all = ["anthropic/claude-sonnet-4-5", "bedrock/claude-sonnet-4-5@eu-central-1", "openai/gpt-4o-mini"];
    assert_eq!(targets(&plan), all);
    assert_eq!(plan.name, PlanName::Stored { name: "sonnet".to_owned(), version: "12345678".to_owned() });
    assert_eq!((plan.workload.as_str(), plan.deadline.0), ("support", 100_000));
    assert_eq!(plan.hops[0].keep, [Boundary::Labels]);
}

#[test]
fn models_that_are_none_are_refused_in_order() {
    let store = sonnet();
    store.refuses(json!({"model": "a b"}), 400, "invalid_model", "model: \"a b\": ' ' is not allowed");
    store.refuses(json!({"model": ""}), 400, "invalid_model", "1 to 256 characters");
    store.refuses(json!({"model": "policy/a b"}), 400, "invalid_model", "' '");
    store.refuses(json!({"model": "policy/.x"}), 400, "invalid_model", "is not a policy name");
    store.refuses(json!({"model": "nosuch/model"}), 400, "unknown_provider", "\"nosuch\"");
    store.refuses(json!({"model": "openai/"}), 400, "invalid_model", "names no model");
    for climbs in ["bedrock/..", "bedrock/.@eu-west-1", "azure/..", "..", "openai:."] {
        store.refuses(json!({"model": climbs}), 400, "invalid_model", "a model is not called .");
    }
    store.refuses(json!({"model": "policy/none"}), 404, "policy_not_found", "there is no policy \"none\"");
    let author = json!({"model": "gpt-4o", "models": ["meta-llama/llama-3.3-70b"]});
    store.refuses(author, 400, "unknown_provider", "OpenRouter's is \"openrouter/meta-llama/llama-3.3-70b\"");
    store.refuses(json!({"model": "gpt-4o", "models": ["nosuch/m"]}), 400, "unknown_provider", "models[0]");
    let header = r#"{"fallback": ["nosuch/x"]}"#;
    let by_header = store.ask(&json!({"model": "gpt-4o"}), &[("x-understudy", header)]).err().unwrap();
    assert_eq!(by_header.param.as_deref(), Some("x-understudy.fallback[0].model"));
    assert!(by_header.message.starts_with("x-understudy.fallback[0].model: "), "{by_header}");
    store.refuses(json!({"model": "gpt-4o", "models": ["policy/none"]}), 404, "policy_not_found", "\"none\"");
    store.refuses(
        json!({"model": "gpt-4o", "openpipe": {"fallback": {"model": "nosuch/m"}}}),
        400,
        "unknown_provider",
        "openpipe.fallback.model",
    );
}

/// Names of other gateways, for which a rule or the key has a policy here.
#[test]
fn a_model_of_no_known_provider_may_be_what_a_rule_or_the_key_replaces() {
    let asked = || json!({"model": "meta-llama/Llama-3-70b"});
    let used = sonnet().rule(json!({"model": "meta-llama/*"}), json!({"use": "policy/sonnet"}));
    assert_eq!(targets(&used.plan(asked())).len(), 3);
    let denied = sonnet().rule(json!({"model": "meta-llama/*"}), json!({"deny": "not here"}));
    denied.refuses(asked(), 403, "model_not_allowed", "not here");
    let own = sonnet().key(json!({"policy": "policy/sonnet"}));
    assert_eq!(targets(&own.plan(asked())).len(), 3);
    // Under a rule that names no policy there is still nothing to call.
    let retried = sonnet().rule(json!({}), json!({"retries": 2}));
    let refusal = retried.ask(&asked(), &[]).err().unwrap();
    assert_eq!((refusal.status, refusal.code, refusal.rule.as_deref()), (400, "unknown_provider", Some("s/r")));
    // What may not be asked for is told first, and what the request brings must exist.
    let narrow = sonnet().key(json!({"policy": "policy/sonnet", "allow": ["openai/*"]}));
    narrow.refuses(asked(), 403, "model_not_allowed", "meta-llama/Llama-3-70b");
    own.refuses(json!({"model": "gpt-4o", "models": ["nosuch/m"]}), 400, "unknown_provider", "models[0]");
}

#[test]
fn a_provider_in_a_field_of_its_own_is_blamed_there() {
    let fallback = json!({"fallback": {"model": "gpt-4-turbo", "provider": "nope"}});
    let refusal = sonnet().ask(&json!({"model": "gpt-4o", "openpipe": fallback}), &[]).err().unwrap();
    assert_eq!((refusal.status, refusal.code), (400, "unknown_provider"));
    assert_eq!(refusal.param.as_deref(), Some("openpipe.fallback.provider"));
    let said = "openpipe.fallback.provider: there is no provider \"nope\": none of that name is built in or configured";
    assert_eq!(refusal.message, said);
}

#[test]
fn an_unknown_policy_s_nearest_name_is_told() {
    let names = ["sonnet", "Upper", "cheap", "on"];
    let message = |name: &str| policy_not_found(name, names.into_iter()).message;
    assert!(message("sonet").ends_with("did you mean \"policy/sonnet\"?"), "{}", message("sonet"));
    assert!(message("upper").ends_with("did you mean \"policy/Upper\"?"), "{}", message("upper"));
    for name in ["something-else", "foo", "x"] {
        assert_eq!(message(name), format!("there is no policy {name:?}"));
    }
}

#[test]
fn a_request_s_fallback_replaces_what_follows_the_first_hop() {
    let store = sonnet();
    let plain = store.plan(
        json!({"model": "gpt-4o", "understudy": {"fallback": [{"model": "google/g", "retries": 3}, "policy/cheap"]}}),
    );
    assert_eq!(targets(&plain), ["openai/gpt-4o", "google/g", "openai/gpt-4o-mini"]);
    assert_eq!((plain.hops[1].retries, &plain.name, plain.workload.as_str()), (3, &PlanName::Request, "request"));
    let stored = store.plan(json!({"model": "policy/sonnet", "models": ["google/g", "gpt-4o"]}));
    assert_eq!(targets(&stored), ["anthropic/claude-sonnet-4-5", "google/g", "openai/gpt-4o"]);
    assert!(matches!(stored.name, PlanName::Stored { .. }));
    // They run under the policy that they are put under, its boundaries included.
    assert_eq!(stored.hops[1].keep, [Boundary::Labels]);
    assert_eq!(stored.hops[1].on.of(Class::Auth), Verdict::Stop);
    let openpipe = store.plan(json!({"model": "openpipe:ft", "openpipe": {"fallback": {"model": "gpt-4-turbo", "timeout": 20}, "timeout": 10}}));
    assert_eq!(targets(&openpipe), ["openpipe/ft", "openai/gpt-4-turbo"]);
    assert_eq!((openpipe.hops[0].timeouts.attempt.0, openpipe.hops[1].timeouts.attempt.0), (10_000, 20_000));
    assert_eq!(openpipe.hops[0].on.of(Class::ContentPolicy), Verdict::Next);
    let many = json!({"fallback": (0..16).map(|_| json!("policy/sonnet")).collect::<Vec<_>>()});
    store.refuses(json!({"model": "gpt-4o", "understudy": many}), 400, "invalid_value", "more than the 32 targets");
    let sixteen = Store::new().policy("sixteen", json!({"chain": vec!["openai/gpt-4o"; 16]}));
    let twice = json!({"model": "gpt-4o", "models": vec!["policy/sixteen"; 2]});
    sixteen.refuses(
        twice,
        400,
        "invalid_value",
        "models[1]: policy \"sixteen\": chain[15].model: this is more than the 32",
    );
}

#[test]
fn what_is_wrong_within_a_policy_that_a_request_brings_is_its_owner_s_fault() {
    let store = sonnet().policy("leads-nowhere", json!({"chain": ["openai/gpt-4o", "policy/none"]}));
    let body = json!({"model": "gpt-4o", "models": ["policy/cheap", "policy/leads-nowhere"]});
    store.refuses(body, 500, "policy_invalid", "policy \"leads-nowhere\": chain[1].model: \"policy/none\"");
}

#[test]
fn one_off_credentials_go_with_their_hop_alone() {
    let client = json!({"base_url": "https://llm.example.com/v1", "api_key": "sk"});
    let body = json!({"model": "gpt-4o", "openpipe": {"fallback": {"model": "m"}, "fallback_client": client}});
    let plan = Store::new().plan(body);
    assert!(plan.hops[0].endpoint.is_none());
    assert_eq!(
        plan.hops[1].endpoint.as_ref().map(|endpoint| endpoint.base_url.as_str()),
        Some("https://llm.example.com/v1")
    );
}

#[test]
fn at_an_endpoint_of_its_own_a_model_is_called_as_the_request_writes_it() {
    let client = json!({"base_url": "https://llm.example.com/v1", "api_key": "sk"});
    let ask = |model: &str| {
        let body = json!({"model": "gpt-4o", "openpipe": {"fallback": {"model": model}, "fallback_client": client}});
        Store::new().plan(body).hops.remove(1)
    };
    for (written, target) in [
        ("gpt-4-turbo", "openai/gpt-4-turbo"),
        ("anthropic/claude-x", "anthropic/claude-x"),
        ("meta-llama/Llama-3-70b", "openai/meta-llama/Llama-3-70b"),
    ] {
        let hop = ask(written);
        let endpoint = hop.endpoint.unwrap();
        assert_eq!((hop.target.to_string().as_str(), endpoint.model.as_str()), (target, written));
        assert!(hop.breaker.is_none(), "its failures are not those of the provider of that name");
    }
    let narrow = Store::new().key(json!({"allow": ["openai/gpt-4o"]}));
    let body = json!({"model": "gpt-4o", "openpipe": {"fallback": {"model": "meta/x"}, "fallback_client": client}});
    narrow.refuses(body, 403, "model_not_allowed", "openpipe.fallback.model");
}

#[test]
fn a_rule_s_word_is_stronger_than_that_of_a_policy_the_request_brings() {
    let store = sonnet()
        .rule(json!({}), json!({"timeouts": {"attempt_ms": 3_000}, "on": {"auth": "stop"}, "keep": ["region"]}));
    let plan = store.plan(json!({"model": "gpt-4o", "models": ["policy/cheap", "google/g"]}));
    assert_eq!(targets(&plan), ["openai/gpt-4o", "openai/gpt-4o-mini", "google/g"]);
    for hop in &plan.hops {
        assert_eq!((hop.timeouts.attempt.0, hop.on.of(Class::Auth)), (3_000, Verdict::Stop), "{}", hop.target);
        assert_eq!(hop.keep, [Boundary::Region], "{}", hop.target);
    }
}

#[test]
fn a_request_shortens_a_policy_s_clocks_and_never_lengthens_them() {
    let store = sonnet();
    let with = |understudy: Value| store.plan(json!({"model": "policy/sonnet", "understudy": understudy}));
    let attempts = |plan: &Plan| plan.hops.iter().map(|hop| hop.timeouts.attempt.0).collect::<Vec<_>>();
    assert_eq!(attempts(&with(json!({}))), [50_000, 50_000, 20_000]);
    assert_eq!(attempts(&with(json!({"timeouts": {"attempt_ms": 30_000}}))), [30_000, 30_000, 20_000]);
    assert_eq!(attempts(&with(json!({"timeouts": {"attempt_ms": 90_000}}))), [50_000, 50_000, 20_000]);
    assert_eq!(with(json!({"deadline_ms": 5_000})).deadline.0, 5_000);
    assert_eq!(with(json!({"deadline_ms": 500_000})).deadline.0, 100_000);
    let own = json!({"fallback": [{"model": "google/g", "timeouts": {"attempt_ms": 90_000, "idle_ms": 5}}]});
    let hop = with(own).hops[1].timeouts;
    assert_eq!((hop.attempt.0, hop.idle.0), (50_000, 5));
    // On a plain model there is nobody's clock to lengthen but the built-in deadline.
    let plain =
        json!({"model": "gpt-4o", "understudy": {"timeouts": {"attempt_ms": 300_000}, "deadline_ms": 3_000_000}});
    let plain = store.plan(plain);
    assert_eq!((plain.hops[0].timeouts.attempt.0, plain.deadline.0), (300_000, 600_000));
    let first = json!({"model": "policy/sonnet", "openpipe": {"timeout": 10}});
    assert_eq!(attempts(&store.plan(first)), [10_000, 50_000, 20_000]);
}

#[test]
fn clocks_that_the_owner_wrote_are_not_lengthened_by_way_of_a_plain_model() {
    let attempts = |plan: &Plan| plan.hops.iter().map(|hop| hop.timeouts.attempt.0).collect::<Vec<_>>();
    let longer = json!({"timeouts": {"attempt_ms": 300_000}});
    let brought = json!({"model": "gpt-4o", "models": ["google/g", "policy/cheap"], "understudy": longer});
    assert_eq!(attempts(&sonnet().plan(brought)), [300_000, 300_000, 20_000]);
    let ruled = sonnet().rule(
        json!({}),
        json!({"fallback": [{"model": "google/g", "timeouts": {"attempt_ms": 5_000}}, "policy/cheap"]}),
    );
    let asked = |understudy: &Value| attempts(&ruled.plan(json!({"model": "gpt-4o", "understudy": understudy})));
    assert_eq!(asked(&longer), [300_000, 5_000, 20_000]);
    assert_eq!(asked(&json!({"timeouts": {"attempt_ms": 4_000}})), [4_000, 4_000, 4_000]);
}

/// Of who brings hops, a word about one of them is stronger than that about all; another's word is weaker or stronger whole.
#[test]
fn a_hop_s_own_clocks_stand_over_those_of_the_layer_that_brings_it() {
    let attempts = |plan: &Plan| plan.hops.iter().map(|hop| hop.timeouts.attempt.0).collect::<Vec<_>>();
    let short = json!({"model": "google/g", "timeouts": {"attempt_ms": 300}});
    let all = json!({"attempt_ms": 5_000});
    let said = json!({"fallback": [short, "acme/ok", "policy/cheap"], "timeouts": all});
    for model in ["gpt-4o", "policy/sonnet"] {
        assert_eq!(attempts(&sonnet().plan(json!({"model": model, "understudy": said}))), [5_000, 300, 5_000, 5_000]);
    }
    let ruled = sonnet().rule(json!({}), said.clone());
    assert_eq!(attempts(&ruled.plan(json!({"model": "gpt-4o"}))), [5_000, 300, 5_000, 5_000]);
    // A rule's word is stronger than that of a policy's hop, and a request only shortens either.
    assert_eq!(
        attempts(&sonnet().rule(json!({}), json!({"timeouts": all})).plan(json!({"model": "policy/sonnet"}))),
        [5_000; 3]
    );
    let shorter = json!({"timeouts": {"attempt_ms": 200}});
    assert_eq!(attempts(&ruled.plan(json!({"model": "gpt-4o", "understudy": shorter}))), [200; 4]);
    let openpipe = json!({"model": "gpt-4o", "openpipe": {"timeout": 0.3, "fallback": {"model": "x", "timeout": 0.4}},
        "understudy": {"timeouts": all}});
    assert_eq!(attempts(&sonnet().plan(openpipe)), [300, 400]);
    let unsaid = json!({"model": "gpt-4o", "openpipe": {"fallback": {"model": "x"}}, "understudy": {"timeouts": all}});
    assert_eq!(attempts(&sonnet().plan(unsaid)), [5_000, 5_000]);
}

/// An SDK's own retry is tried once at each hop: tries would multiply.
#[test]
fn a_request_that_its_sdk_sends_again_is_not_retried_here() {
    let retries = |pairs: &[(&str, &str)]| {
        let plan = sonnet().met(json!({"model": "policy/sonnet"}), pairs).plan;
        plan.hops.iter().map(|hop| hop.retries).collect::<Vec<_>>()
    };
    assert_eq!(retries(&[("x-stainless-retry-count", "0")]), [0, 2, 0]);
    assert_eq!(retries(&[("x-stainless-retry-count", "1")]), [0, 0, 0]);
}

#[test]
fn a_request_changes_verdicts_and_stream_field_by_field() {
    let body =
        json!({"model": "policy/sonnet", "understudy": {"on": {"auth": "next"}, "stream": {"commit": "complete"}}});
    let plan = sonnet().plan(body);
    assert_eq!(plan.hops[0].on.of(Class::Auth), Verdict::Next);
    assert_eq!(plan.hops[0].on.of(Class::Forbidden), Verdict::Stop);
    assert_eq!((plan.stream.commit, plan.stream.buffer_max_bytes), (Commit::Complete, 4 << 20));
    let preset = sonnet().plan(json!({"model": "policy/sonnet", "understudy": {"on": {"preset": "resilient"}}}));
    assert_eq!(preset.hops[0].on.of(Class::Forbidden), Verdict::Next);
}

#[test]
fn a_rule_changes_plain_models_and_policies_alike() {
    let then = json!({"retries": 1, "fallback": [{"model": "anthropic/claude-3-7-sonnet", "retries": 1}], "deadline_ms": 9_000,
        "timeouts": {"attempt_ms": 70_000}, "keep": ["region"], "consent": "ask", "on": {"timeout": "retry"}});
    let store = |when: Value| Store { rules: Store::new().rule(when, then.clone()).rules, ..sonnet() };
    let plain = store(json!({"model": "openai/gpt-4o"})).plan(json!({"model": "gpt-4o"}));
    assert_eq!(targets(&plain), ["openai/gpt-4o", "anthropic/claude-3-7-sonnet"]);
    assert_eq!(plain.hops.iter().map(|hop| hop.retries).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(plain.name, PlanName::Rule { ruleset: "s".to_owned(), rule: "r".to_owned() });
    assert_eq!((plain.workload.as_str(), plain.rule.as_deref()), ("rule/s/r", Some("s/r")));
    assert_eq!((plain.deadline.0, plain.consent), (9_000, Consent::Ask));
    assert!(plain.hops.iter().all(|hop| hop.keep == [Boundary::Region] && hop.timeouts.attempt.0 == 70_000));
    assert!(plain.hops.iter().all(|hop| hop.on.of(Class::Timeout) == Verdict::Retry));
    let stored = store(json!({"model": "policy/sonnet"})).plan(json!({"model": "policy/sonnet"}));
    assert_eq!(targets(&stored), ["anthropic/claude-sonnet-4-5", "anthropic/claude-3-7-sonnet"]);
    assert_eq!((stored.hops[0].retries, stored.rule.as_deref()), (1, Some("s/r")));
    assert!(matches!(&stored.name, PlanName::Stored { name, .. } if name == "sonnet"));
    assert_eq!(stored.hops[1].keep, [Boundary::Labels, Boundary::Region]);
    let other = store(json!({"model": "openai/gpt-4o"})).plan(json!({"model": "openai/gpt-4"}));
    assert_eq!((targets(&other), other.rule), (vec!["openai/gpt-4".to_owned()], None));
}

#[test]
fn a_request_is_stronger_than_its_rule_and_bound_by_it() {
    let then = json!({"retries": 2, "fallback": ["anthropic/a"], "timeouts": {"attempt_ms": 9_000}, "keep": ["provider"], "on": {"auth": "stop"}});
    let store = Store::new().rule(json!({}), then);
    let plan = store.plan(json!({"model": "gpt-4o", "understudy": {"fallback": ["google/g"], "on": {"auth": "next"},
        "timeouts": {"attempt_ms": 60_000, "idle_ms": 300_000}}}));
    assert_eq!(targets(&plan), ["openai/gpt-4o", "google/g"]);
    assert_eq!((plan.hops[0].retries, plan.hops[0].on.of(Class::Auth)), (2, Verdict::Next));
    assert!(plan.hops.iter().all(|hop| hop.keep == [Boundary::Provider]));
    assert!(plan.hops.iter().all(|hop| (hop.timeouts.attempt.0, hop.timeouts.idle.0) == (9_000, 300_000)));
    assert!(matches!(plan.name, PlanName::Rule { .. }));
}

#[test]
fn rules_are_read_once_then_the_key_s_policy_then_the_plan() {
    // `use` takes the policy; the rule that would hold for it is not asked.
    let rules = json!({
        "rules": {
            "use": {"when": {"model": "openai/gpt-4o"}, "then": {"use": "policy/sonnet", "deadline_ms": 7_000}},
            "later": {"when": {"model": "policy/*"}, "then": {"deadline_ms": 1}}},
        "rulesets": [{"name": "s", "rules": ["use", "later"]}]
    });
    let store = Store { rules: rules.clone(), ..sonnet() }.key(json!({"policy": "cheap"}));
    let used = store.plan(json!({"model": "gpt-4o"}));
    assert_eq!((targets(&used).len(), used.deadline.0, used.rule.as_deref()), (3, 7_000, Some("s/use")));
    // No rule names a policy: the key's.
    let key = store.met(json!({"model": "gpt-4"}), &[]);
    assert_eq!(
        (targets(&key.plan), key.start),
        (vec!["openai/gpt-4o-mini".to_owned()], Start::Policy("cheap".to_owned()))
    );
    // The request names one itself.
    let own = store.plan(json!({"model": "policy/Upper"}));
    assert_eq!((targets(&own), own.deadline.0), (vec!["openai/o3".to_owned()], 1));
    let missing = Store { rules, ..Store::new() };
    missing.refuses(json!({"model": "gpt-4o"}), 404, "policy_not_found", "\"sonnet\"");
}

#[test]
fn rules_see_who_asks() {
    let store = Store::new().rule(
        json!({"group": {"exists": true}, "metadata.tier": 2, "header.x-a": "b", "key": "web"}),
        json!({"retries": 1}),
    );
    let identity = json!({"user": "u", "group": "g", "tier": 2}).to_string();
    let body = json!({"model": "gpt-4o", "metadata": {"waystone": identity}});
    let retries =
        |store: &Store, body: &Value, pairs: &[(&str, &str)]| store.met(body.clone(), pairs).plan.hops[0].retries;
    assert_eq!(retries(&store, &body, &[("x-a", "b")]), 0);
    let store = store.key(json!({}));
    assert_eq!(retries(&store, &body, &[("x-a", "b")]), 1);
    assert_eq!(retries(&store, &body, &[]), 0);
    assert_eq!(retries(&store, &json!({"model": "gpt-4o"}), &[("x-a", "b")]), 0);
    // The key's group wins over what the request claims.
    let by_group = Store::new().rule(json!({"group": "acme"}), json!({"retries": 1}));
    let claims = json!({"model": "gpt-4o", "understudy": {"metadata": {"group": "acme"}}});
    assert_eq!(retries(&by_group, &claims, &[]), 1);
    let by_group = by_group.key(json!({"group": "other"}));
    assert_eq!(retries(&by_group, &claims, &[]), 0);
    for (field, expected) in [("metadata.group", 0), ("metadata.user", 1)] {
        let spoofed = Store::new().rule(json!({field: "acme"}), json!({"retries": 1})).key(json!({"group": "other"}));
        let claims = json!({"model": "gpt-4o", "understudy": {"metadata": {"group": "acme", "user": "acme"}}});
        assert_eq!(retries(&spoofed, &claims, &[]), expected, "{field}");
    }
}

#[test]
fn a_rule_denies_with_its_own_words() {
    let store = Store::new().rule(json!({"model": "openai/o*"}), json!({"deny": "ask the platform team"}));
    store.refuses(json!({"model": "o3"}), 403, "model_not_allowed", "ask the platform team");
    let refusal = store.ask(&json!({"model": "o3"}), &[]).err().unwrap();
    assert_eq!(refusal.rule.as_deref(), Some("s/r"));
    let met = store.met(json!({"model": "gpt-4o", "models": ["openai/o3", "google/g"]}), &[]);
    let denied: Vec<bool> = met.denied.iter().map(Option::is_some).collect();
    assert_eq!(denied, [false, true, false]);
    assert_eq!(met.denied[1].as_ref().map(Skip::name), Some("boundary"));
}

#[test]
fn a_key_s_deny_binds_every_target_whoever_named_it() {
    let store = sonnet().key(json!({"deny": ["bedrock/*", "openai/o3"]}));
    let met = store.met(json!({"model": "policy/sonnet"}), &[]);
    assert_eq!(met.denied.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    store.refuses(json!({"model": "o3"}), 403, "model_not_allowed", "openai/o3");
    let brought = store.met(json!({"model": "gpt-4o", "models": ["o3"]}), &[]);
    assert!(brought.denied[1].is_some());
    let policy = sonnet().key(json!({"deny": ["policy/s*"]}));
    policy.refuses(json!({"model": "policy/sonnet"}), 403, "model_not_allowed", "policy/sonnet");
}

#[test]
fn a_policy_that_is_denied_is_reached_by_no_way_around() {
    let denied = |store: &Store, body: Value| {
        let denied = store.met(body, &[]).denied.into_iter();
        denied.map(|skip| skip.and_then(|skip| skip.detail().map(str::to_owned))).collect::<Vec<_>>()
    };
    let nested = || json!({"model": "policy/sonnet"});
    let brought = || json!({"model": "gpt-4o", "models": ["google/g", "policy/sonnet"]});
    // A key's deny matches no hop ever, also one that is a policy in a chain of the owner's.
    let by_key = || Some("key-deny".to_owned());
    let key = sonnet().key(json!({"deny": ["policy/cheap"]}));
    assert_eq!(denied(&key, nested()), [None, None, by_key()]);
    assert_eq!(denied(&key, brought()), [None, None, None, None, by_key()]);
    let key = sonnet().key(json!({"deny": ["policy/s*"]}));
    assert_eq!(denied(&key, brought()), [None, None, by_key(), by_key(), by_key()]);
    // Nor by one that a rule or the key itself leads to.
    let used = || json!({"model": "gpt-4o"});
    let key = json!({"deny": ["policy/sonnet"]});
    let led = sonnet().rule(json!({}), json!({"use": "policy/sonnet"})).key(key.clone());
    assert_eq!(denied(&led, used()), [by_key(), by_key(), by_key()]);
    let mut own = key;
    own["policy"] = "policy/sonnet".into();
    assert_eq!(denied(&sonnet().key(own.clone()), used()), [by_key(), by_key(), by_key()]);
    let of_its_own = json!({"model": "gpt-4o", "models": ["google/g"]});
    assert_eq!(denied(&sonnet().key(own), of_its_own), [by_key(), None]);
    // A rule's binds what the request could not ask for; what policies are made of was the owner's choice.
    let by_rule = || Some("rule-deny".to_owned());
    let rule = |name: &str| sonnet().rule(json!({"model": name}), json!({"deny": "not for you"}));
    assert_eq!(denied(&rule("policy/sonnet"), brought()), [None, None, by_rule(), by_rule(), by_rule()]);
    assert_eq!(denied(&rule("policy/cheap"), nested()), [None, None, None]);
    // One that asks for no model is about the request: its exception's policy is served, with what it is made of alone.
    let mut store = sonnet().rule(json!({"not": {"model": "policy/*"}}), json!({"deny": "name a policy"}));
    store.refuses(json!({"model": "gpt-4o"}), 403, "model_not_allowed", "name a policy");
    assert_eq!(denied(&store, nested()), [None, None, None]);
    let around = json!({"model": "policy/sonnet", "models": ["google/g"]});
    assert_eq!(denied(&store, around), [None, by_rule()]);
    store = store.rule(json!({"model": "bedrock/*"}), json!({"deny": "not there"}));
    assert_eq!(denied(&store, nested()), [None, by_rule(), None]);
    assert_eq!(denied(&rule("policy/cheap"), brought()), [None, None, None, None, None]);
}

#[test]
fn a_key_s_allow_is_asked_of_what_the_request_names_and_of_nothing_else() {
    let store = sonnet().key(json!({"allow": ["policy/*", "openai/gpt-4o*"]}));
    assert_eq!(targets(&store.plan(json!({"model": "policy/sonnet"}))).len(), 3);
    assert_eq!(targets(&store.plan(json!({"model": "gpt-4o", "models": ["gpt-4o-mini", "policy/cheap"]}))).len(), 3);
    store.refuses(json!({"model": "anthropic/x"}), 403, "model_not_allowed", "anthropic/x");
    store.refuses(json!({"model": "gpt-4o", "models": ["google/g"]}), 403, "model_not_allowed", "models[0]");
    store.refuses(
        json!({"model": "policy/sonnet", "understudy": {"fallback": ["google/g"]}}),
        403,
        "model_not_allowed",
        "understudy.fallback[0]",
    );
    // Before it is told whether it exists.
    store.refuses(json!({"model": "nosuch/m"}), 403, "model_not_allowed", "nosuch/m");
    let narrow = sonnet().key(json!({"allow": ["policy/sonnet"]}));
    narrow.refuses(json!({"model": "policy/none"}), 403, "model_not_allowed", "policy/none");
    // What the owner's rule brings was the owner's choice.
    let ruled = sonnet().rule(json!({}), json!({"fallback": ["google/g"]})).key(json!({"allow": ["openai/*"]}));
    assert_eq!(targets(&ruled.plan(json!({"model": "gpt-4o"}))), ["openai/gpt-4o", "google/g"]);
}

#[test]
fn a_bad_hop_of_a_rule_is_the_owner_s_fault() {
    let store = Store::new().rule(json!({}), json!({"fallback": ["nosuch/m"]}));
    store.refuses(json!({"model": "gpt-4o"}), 500, "rules_invalid", "then.fallback[0].model");
    let store = Store::new().rule(json!({}), json!({"fallback": ["policy/none"]}));
    store.refuses(json!({"model": "gpt-4o"}), 500, "rules_invalid", "policy/none");
}

#[test]
fn load_balance_draws_the_first_hop_that_rules_and_requests_speak_of() {
    let chain: Vec<Value> = (0..8).map(|n| json!({"model": format!("openai/m{n}"), "weight": 1})).collect();
    let store = Store::new().policy("lb", json!({"type": "load_balance", "chain": chain}));
    let store = Store { rules: Store::new().rule(json!({}), json!({"retries": 4})).rules, ..store };
    let mut drawn = std::collections::BTreeSet::new();
    for user in 0..40 {
        let body = json!({"model": "policy/lb", "user": format!("u{user}"), "models": ["google/g"]});
        let plan = store.plan(body.clone());
        assert_eq!(targets(&plan), targets(&store.plan(body)), "the same user meets the same hop");
        assert_eq!((plan.hops[0].retries, plan.hops[1].target.to_string()), (4, "google/g".to_owned()));
        drawn.insert(plan.hops[0].target.to_string());
    }
    assert!(drawn.len() > 3, "{drawn:?}");
}

#[test]
fn a_user_or_else_a_trace_stays_with_its_hop() {
    let chain: Vec<Value> = (0..8).map(|n| json!({"model": format!("openai/m{n}")})).collect();
    let store = Store::new().policy("lb", json!({"type": "load_balance", "chain": chain}));
    let drawn = |said: Value, pairs: &[(&str, &str)], seed: u64| {
        let mut body = json!({"model": "policy/lb"});
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        targets(&store.ask_with(&body, pairs, seed).unwrap().plan).remove(0)
    };
    let spread = |said: &dyn Fn(usize) -> Value, header: &dyn Fn(usize) -> String| {
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..40 {
            let header = header(n);
            let pairs: Vec<(&str, &str)> =
                if header.is_empty() { vec![] } else { vec![("traceparent", header.as_str())] };
            let first = drawn(said(n), &pairs, 1);
            assert!((2..9).all(|seed| drawn(said(n), &pairs, seed) == first), "{}", said(n));
            seen.insert(first);
        }
        assert!(seen.len() > 4, "{seen:?}");
    };
    let no_header = |_| String::new();
    spread(&|n| json!({"user": format!("u{n}")}), &no_header);
    spread(&|n| json!({"metadata": {"user": format!("u{n}")}}), &no_header);
    spread(&|n| json!({"requesty": {"trace_id": format!("t{n}")}}), &no_header);
    spread(&|n| json!({"understudy": {"metadata": {"trace_id": format!("t{n}")}}}), &no_header);
    spread(&|_| json!({}), &|n| format!("00-{n:032x}-00f067aa0ba902b7-01"));
    // The user comes first: whatever the trace, the same hop.
    let of = |trace: &str| drawn(json!({"user": "u", "requesty": {"trace_id": trace}}), &[], 3);
    assert!((0..20).all(|n| of(&format!("t{n}")) == of("t")));
    let seeds: std::collections::BTreeSet<String> = (0..40).map(|seed| drawn(json!({}), &[], seed)).collect();
    assert!(seeds.len() > 4, "nobody known: {seeds:?}");
}

// Boundaries.

fn hop(model: &str, keep: &[Boundary], key: KeyChoice) -> Hop {
    let Ok(ModelRef::Target(target)) = ModelRef::parse(model, "openai", |_| true) else { panic!("{model}") };
    let hop = understudy::domain::policy::tree::Base::plain().hop(target, key);
    Hop { keep: keep.to_vec(), ..hop }
}

#[track_caller]
fn crosses(
    boundary: Boundary,
    first: (&str, KeyChoice, Ground<'_>),
    second: (&str, KeyChoice, Ground<'_>),
    expected: bool,
) {
    let hops = [hop(first.0, &[boundary], first.1), hop(second.0, &[boundary], second.1)];
    let skips = judge(&hops, &[first.2, second.2]);
    assert_eq!(skips[0], None);
    let expected = expected.then(|| Skip::Boundary(boundary.name().to_owned()));
    assert_eq!(skips[1], expected, "{boundary:?}: {} to {}", first.0, second.0);
}

#[test]
fn boundaries() {
    use KeyChoice::{Managed, ManagedThenOwn, Own, OwnThenManaged};
    let nowhere = Ground { wire: Some(Wire::Chat), region: None, labels: &[] };
    let (a, o) = ("anthropic/a", "openai/o");
    for (first, second, expected) in [
        (Wire::Chat, Wire::Chat, false),
        (Wire::Chat, Wire::Completions, false),
        (Wire::Chat, Wire::Messages, true),
        (Wire::Messages, Wire::Invoke, false),
        (Wire::Messages, Wire::RawPredict, false),
        (Wire::Responses, Wire::Chat, true),
        (Wire::Messages, Wire::Converse, true),
    ] {
        let ground = |wire| Ground { wire: Some(wire), ..nowhere };
        crosses(Boundary::Family, (a, Managed, ground(first)), (o, Managed, ground(second)), expected);
    }
    crosses(Boundary::Family, (a, Managed, nowhere), (o, Managed, Ground { wire: None, ..nowhere }), true);
    crosses(Boundary::Provider, (a, Managed, nowhere), (o, Managed, nowhere), true);
    crosses(Boundary::Provider, (a, Managed, nowhere), ("anthropic/b", Own, nowhere), false);
    for (first, second, expected) in [
        (Some("eu"), Some("eu"), false),
        (Some("eu"), Some("eu-central-1"), false),
        (Some("eu-central-1"), Some("eu"), true),
        (Some("eu"), Some("europe"), true),
        (Some("us-east-1"), Some("us-west-2"), true),
        (Some("eu"), Some("global"), true),
        (Some("eu"), None, true),
        (None, Some("eu"), true),
        (None, None, true),
    ] {
        let ground = |region| Ground { region, ..nowhere };
        crosses(Boundary::Region, (a, Managed, ground(first)), (o, Managed, ground(second)), expected);
    }
    crosses(Boundary::Region, (a, Managed, nowhere), ("anthropic/b", Managed, nowhere), false);
    let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (zdr, both, none) = (labels(&["zdr"]), labels(&["x", "zdr"]), labels(&[]));
    for (first, second, expected) in
        [(&zdr, &both, false), (&both, &zdr, true), (&none, &none, false), (&zdr, &none, true), (&none, &zdr, false)]
    {
        let ground = |labels| Ground { labels, ..nowhere };
        crosses(Boundary::Labels, (a, Managed, ground(first)), (o, Managed, ground(second)), expected);
    }
    for (first, second, expected) in [
        ((a, Managed), ("anthropic/b", Managed), false),
        ((a, Managed), (o, Managed), true),
        ((a, Managed), ("anthropic/b", Own), true),
        ((a, Managed), ("anthropic/b", ManagedThenOwn), true),
        ((a, ManagedThenOwn), ("anthropic/b", OwnThenManaged), false),
        ((a, OwnThenManaged), ("anthropic/b", Own), false),
    ] {
        crosses(Boundary::Billing, (first.0, first.1, nowhere), (second.0, second.1, nowhere), expected);
    }
}

#[test]
fn every_keep_of_a_hop_is_its_own() {
    let nowhere = Ground { wire: Some(Wire::Chat), region: None, labels: &[] };
    let hops = [
        hop("anthropic/a", &[Boundary::Provider], KeyChoice::Managed),
        hop("openai/o", &[], KeyChoice::Managed),
        hop("openai/o", &[Boundary::Labels, Boundary::Provider, Boundary::Family], KeyChoice::Managed),
    ];
    let skips = judge(&hops, &[nowhere; 3]);
    assert_eq!(skips, [None, None, Some(Skip::Boundary("provider".to_owned()))]);
    assert_eq!(judge(&[], &[]), []);
}
