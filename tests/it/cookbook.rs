//! The cookbook: every file is a whole document that is fit to be stored, and does what it is there for.

use std::collections::BTreeSet;
use understudy::domain::catalogue::{self, Catalogue, Feature};
use understudy::domain::chain::Leave;
use understudy::domain::document::Kind;
use understudy::domain::documents;
use understudy::domain::lint::Context;
use understudy::domain::policy::file;
use understudy::domain::policy::resolve::{self, Lookup, World};
use understudy::domain::policy::tree::{Draw, Tree};
use understudy::domain::policy::{Consent, Plan, PlanName};
use understudy::domain::provider::{Provider, table};
use understudy::domain::request::{Asked, Body, Endpoints, Headers, Limits};
use understudy::domain::route::Route;
use understudy::domain::simulate::{Script, Simulation, simulate};

fn read(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/docs/cookbook/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file of the cookbook")
}

fn world() -> World<'static> {
    World { default_provider: "openai", provider: &table::is_built_in, policy: &|_| Lookup::Missing }
}

#[track_caller]
fn tree(name: &str) -> Tree {
    let file = file::parse(name, &read(name)).unwrap_or_else(|bad| panic!("{bad}"));
    resolve::resolve(name, &file, world()).unwrap_or_else(|bad| panic!("{bad}"))
}

#[track_caller]
fn plan(name: &str) -> Plan {
    tree(name).plan(PlanName::Stored { name: name.into(), version: "00000000".into() }, Draw::Seed(0))
}

#[track_caller]
fn play(name: &str, leave: Leave, script: &str) -> Simulation {
    let script = Script::parse(&serde_json::from_str(script).expect("JSON"), "openai").expect("a script");
    simulate(plan(name), &script, leave, &[])
}

/// The models called, in order.
fn called(simulation: &Simulation) -> Vec<&str> {
    simulation.steps.iter().filter(|step| step.step == "call").filter_map(|step| step.model.as_deref()).collect()
}

#[test]
fn every_file_is_fit_to_be_stored_and_listed() {
    let catalogue = Catalogue::default();
    let context = Context {
        world: world(),
        provider: &|name| Provider::built_in(name).map(Ok),
        has_secret: &|_| true,
        catalogue: &catalogue,
        today: "2026-11-21",
        prompt_tokens: 1000,
    };
    let index = String::from_utf8(read("README.md")).expect("text");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cookbook");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the cookbook") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".json") else { continue };
        assert!(index.contains(&format!("]({name})")), "{name} is not in the README");
        let kind = match stem.rsplit_once('.') {
            Some((_, "rules")) => Kind::Rules,
            Some((_, "provider")) => Kind::Provider,
            Some((_, "request")) => continue,
            Some((_, other)) => panic!("{other}"),
            None if stem == "models" => Kind::Models,
            None => Kind::Policy,
        };
        let document = stem.split('.').next().expect("a name");
        let found = documents::check(kind, document, &read(&name), None, context);
        assert!(documents::is_fit(&found), "{name}: {found:#?}");
        seen.insert(stem.to_owned());
    }
    assert!(seen.len() >= 13, "{seen:?}");
}

#[test]
fn the_cheap_model_answers_first_and_the_dear_one_last() {
    let name = "cost-effective-gpt.json";
    assert_eq!(called(&play(name, Leave::default(), "[]")), ["openai/gpt-4o-mini"]);
    let down = r#"[{"model": "openai/gpt-4o-mini", "outcomes": ["503", "503"]}, {"model": "openai/gpt-4.1-mini", "outcomes": ["404"]}]"#;
    let played = play(name, Leave::default(), down);
    assert_eq!(called(&played), ["openai/gpt-4o-mini", "openai/gpt-4o-mini", "openai/gpt-4.1-mini", "openai/gpt-4o"]);
    let prices: Vec<f64> = plan(name)
        .hops
        .iter()
        .map(|hop| Catalogue::default().facts(&hop.target).input_usd_per_mtok.expect("a price"))
        .collect();
    assert!(prices.is_sorted(), "{prices:?}");
}

#[test]
fn regions_come_before_everywhere_and_everywhere_says_so() {
    let down = r#"[{"model": "bedrock/*@eu-*", "outcomes": ["overloaded", "overloaded"]}]"#;
    let played = play("regional-then-global.json", Leave::default(), down);
    assert_eq!(called(&played).last(), Some(&"bedrock/claude-sonnet-4-5@global"));
    assert_eq!(played.result, "served");
    let degraded = plan("regional-then-global.json")
        .hops
        .iter()
        .filter(|hop| hop.degraded != understudy::domain::policy::Degraded::No)
        .count();
    assert_eq!(degraded, 1);
}

#[test]
fn a_model_on_three_hosts_is_written_with_arrows() {
    let down = r#"[{"model": "deepseek/*", "outcomes": ["402"]}, {"model": "nebius/*", "outcomes": ["529"]}]"#;
    let played = play("deepseek-r1.json", Leave::default(), down);
    assert_eq!(called(&played), ["deepseek/reasoner", "nebius/DeepSeek-R1", "deepinfra/DeepSeek-R1"]);
}

#[test]
fn temporary_failures_fall_back_and_bad_requests_do_not() {
    for name in ["support-chat.json", "batch-extraction.json", "image-understanding.json"] {
        let first = plan(name).hops[0].clone();
        let outcomes = |what: &str| vec![format!("{what:?}"); first.retries as usize + 1].join(",");
        let script = |what: &str| format!(r#"[{{"model": "{}", "outcomes": [{}]}}]"#, first.target, outcomes(what));
        for temporary in ["503", "500", "529"] {
            let played = play(name, Leave::default(), &script(temporary));
            assert_eq!(
                (played.result, called(&played).len()),
                ("served", first.retries as usize + 2),
                "{name} {temporary}"
            );
        }
        for lasting in ["400", "401", "403"] {
            let played = play(name, Leave::default(), &script(lasting));
            assert_eq!((played.result, called(&played).len()), ("stopped", 1), "{name} {lasting}");
        }
    }
}

#[test]
fn the_code_assistant_asks_first() {
    assert_eq!(plan("code-assistant.json").consent, Consent::Ask);
    let down = r#"[{"model": "anthropic/claude-opus-4-5", "outcomes": ["529", "529", "529"]}]"#;
    let asked = play("code-assistant.json", Leave::default(), down);
    assert_eq!(called(&asked).len(), 3, "the first hop alone");
    let granted = play("code-assistant.json", Leave { consented: true, ..Leave::default() }, down);
    assert_eq!((granted.result, called(&granted).last()), ("served", Some(&"anthropic/claude-sonnet-4-5")));
}

#[test]
fn every_model_for_images_sees() {
    for hop in plan("image-understanding.json").hops {
        assert_eq!(Catalogue::default().facts(&hop.target).supports(Feature::Vision), Some(true), "{}", hop.target);
    }
}

#[test]
fn about_one_user_in_twenty_meets_the_canary() {
    let tree = tree("canary.json");
    let meets = |user: usize| tree.root.flatten(Draw::Sticky(&format!("user-{user}")))[0].target.model == "gpt-5";
    let met = (0..2000).filter(|user| meets(*user)).count();
    assert!((60..140).contains(&met), "{met} of 2000");
}

#[test]
fn the_request_of_openpipes_page_brings_its_fallback() {
    let bytes = read("openpipe-fallback.request.json");
    let body = Body::parse(&Route::Chat, Some("application/json"), &bytes).expect("a body");
    let limits = Limits { endpoints: Endpoints::Off, own_host: None };
    let asked = Asked::read(&body, &bytes, &Headers::default(), limits).expect("a request");
    let brought = asked.fallback.expect("a fallback");
    assert_eq!(brought.hops[0].model, "gpt-4-turbo");
    assert_eq!(brought.hops[0].timeouts.attempt.map(|span| span.0), Some(20_000));
}

#[test]
fn the_models_document_names_a_model_of_its_own() {
    let catalogue = catalogue::document::parse(&read("models.json")).expect("a catalogue");
    let target = understudy::domain::target::Target { provider: "acme".into(), model: "fast".into(), region: None };
    assert_eq!(catalogue.wire_id(&target, None), "acme-fast-2026-01");
}

/// The JSON blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"))).expect("a page");
    let block = |part: &str| part.split("\n```").next().map(str::to_owned);
    text.split("```json\n").skip(1).filter_map(block).collect()
}

#[test]
fn every_example_of_the_policy_page_resolves_and_every_field_has_one() {
    let cheap = || file::parse("cheap", br#"{"chain": ["openai/gpt-4o-mini"]}"#).expect("a policy");
    let world = World { policy: &|_| Lookup::Found(std::rc::Rc::new(cheap())), ..world() };
    let examples = blocks("policies.md");
    for example in &examples {
        let file = file::parse("example", example.as_bytes()).unwrap_or_else(|bad| panic!("{bad}: {example}"));
        resolve::resolve("example", &file, world).unwrap_or_else(|bad| panic!("{bad}: {example}"));
    }
    let schema = understudy::domain::schema::render("policy").expect("a schema");
    let mut fields = BTreeSet::new();
    properties(&schema, &mut fields);
    let page = std::fs::read_to_string(format!("{}/docs/policies.md", env!("CARGO_MANIFEST_DIR"))).expect("a page");
    for field in fields {
        assert!(page.contains(&format!("`{field}`")) || examples.concat().contains(&format!("\"{field}\"")), "{field}");
    }
}

/// The name of every property in a schema, at any depth.
fn properties(schema: &serde_json::Value, fields: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                fields.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| properties(value, fields));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| properties(value, fields)),
        _ => {}
    }
}

#[test]
fn the_examples_on_the_page_of_providers_parse() {
    let examples = blocks("providers.md");
    let [own, changed, models] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    let parse = |name: &str, text: &str| understudy::domain::provider::document::parse(name, text.as_bytes(), None);
    assert!(parse("example", own).is_ok());
    assert!(parse("openai", changed).is_ok());
    assert!(catalogue::document::parse(models.as_bytes()).is_ok());
}
