//! Scripted outcomes: their grammar, drills, and policies played through a script.

use serde_json::{Value, json};
use understudy::domain::catalogue::Catalogue;
use understudy::domain::chain::Leave;
use understudy::domain::dialect::Wire;
use understudy::domain::outcome::Class;
use understudy::domain::plan::boundaries;
use understudy::domain::policy::{Boundary, BreakerRules, Commit, Consent, Hop, KeyChoice, Plan};
use understudy::domain::provider::Provider;
use understudy::domain::scripted::{Drill, Scripted};
use understudy::domain::simulate::{Outlook, Script, simulate};
use understudy::domain::time::{Instant, Span};

use crate::chain::{hop, plan, target};

fn played(plan: Plan, script: &Value) -> Value {
    let script = Script::parse(script, "openai").expect("a script");
    serde_json::to_value(simulate(plan, &script, Leave::default(), &[])).expect("JSON")
}

fn two() -> Vec<Hop> {
    vec![Hop { retries: 1, ..hop("anthropic/a") }, hop("openai/b")]
}

#[test]
fn the_grammar() {
    for (text, scripted) in [
        ("ok", Scripted::Ok),
        ("503", Scripted::Status { status: 503, retry_after: None }),
        ("429;retry-after=2", Scripted::Status { status: 429, retry_after: Some("2".to_owned()) }),
        ("overloaded", Scripted::Class(Class::Overloaded)),
        ("stall@20", Scripted::Stall(20)),
        ("cut@0", Scripted::Cut(0)),
    ] {
        assert_eq!(Scripted::parse(text).as_ref(), Ok(&scripted));
        assert_eq!(scripted.to_string(), text);
    }
    for text in [
        "",
        "boom",
        "99",
        "1000",
        "429;",
        "429;retry-after",
        "429;retry-after=soon",
        "429;x=1",
        "429;retry-after=inf",
        "429;retry-after=-1",
        "429;retry-after=NaN",
        "+429",
        "0429",
        "stall@+3",
        "stall",
        "stall@",
        "stall@-1",
        "halt@3",
        "OK",
    ] {
        assert!(Scripted::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_hop_that_would_cross_a_boundary_is_skipped() {
    let keep = vec![Boundary::Family];
    let hops = vec![hop("anthropic/a"), Hop { keep, ..hop("openai/b") }, hop("openai/c")];
    let crossed = boundaries::foreseen(&hops, Provider::built_in, &Catalogue::default());
    let outlooks: Vec<_> = crossed.into_iter().map(|crossed| Outlook { crossed, ..Outlook::default() }).collect();
    let script = Script::parse(&json!([{"model": "anthropic/*", "outcomes": ["404"]}]), "openai").expect("a script");
    let told = simulate(plan(hops), &script, Leave::default(), &outlooks);
    let steps: Vec<_> =
        told.steps.iter().map(|step| (step.step, step.model.as_deref(), step.reason.as_deref())).collect();
    assert_eq!(steps[1], ("skip", Some("openai/b"), Some("boundary:family")));
    assert_eq!((told.result, told.calls), ("served", 2));
}

#[test]
fn after_a_prompt_that_was_too_long_no_hop_with_a_window_as_small_is_played() {
    let hops = vec![hop("a/m"), hop("b/m"), hop("c/m"), hop("d/m")];
    let windows = [Some(128_000), Some(128_000), None, Some(200_000)];
    let outlooks = windows.map(|context_tokens| Outlook { context_tokens, ..Outlook::default() });
    let script = json!([{"model": "a/m", "outcomes": ["context_length"]}, {"model": "c/m", "outcomes": ["404"]}]);
    let script = Script::parse(&script, "openai").expect("a script");
    let told = simulate(plan(hops), &script, Leave::default(), &outlooks);
    let steps: Vec<_> = told.steps.iter().filter_map(|step| Some((step.step, step.model.as_deref()?))).collect();
    assert_eq!(steps, [("call", "a/m"), ("skip", "b/m"), ("call", "c/m"), ("call", "d/m"), ("done", "d/m")]);
    assert_eq!(told.steps[1].reason.as_deref(), Some("incompatible:context"));
}

#[test]
fn an_answer_that_breaks_off_has_committed_where_its_headers_do() {
    let script = json!([{"model": "anthropic/*", "outcomes": ["interrupted"]}]);
    for (commit, result, calls) in [(Commit::Headers, "anthropic/a", 1), (Commit::FirstEvent, "openai/b", 2)] {
        let mut plan = plan(vec![hop("anthropic/a"), hop("openai/b")]);
        plan.stream.commit = commit;
        let told = played(plan, &script);
        assert_eq!(told["steps"][0]["outcome"], "interrupted");
        assert_eq!((&told["steps"][calls]["model"], &told["calls"]), (&json!(result), &json!(calls)));
    }
}

#[test]
fn a_wait_then_another_hop() {
    let script = json!([{"model": "anthropic/*", "outcomes": ["429;retry-after=2", "overloaded"]}]);
    assert_eq!(
        played(plan(two()), &script),
        json!({
            "steps": [
                {"at_ms": 0, "step": "call", "model": "anthropic/a", "outcome": "rate_limited", "wait_ms": null, "reason": "status 429"},
                {"at_ms": 0, "step": "wait", "model": null, "outcome": null, "wait_ms": 2000, "reason": null},
                {"at_ms": 2000, "step": "call", "model": "anthropic/a", "outcome": "overloaded", "wait_ms": null, "reason": "scripted: overloaded"},
                {"at_ms": 2000, "step": "call", "model": "openai/b", "outcome": "ok", "wait_ms": null, "reason": null},
                {"at_ms": 2000, "step": "done", "model": "openai/b", "outcome": null, "wait_ms": null, "reason": "served"},
            ],
            "result": "served", "calls": 3, "ms": 2000,
        })
    );
}

#[test]
fn a_script_names_models_as_a_policy_does() {
    for model in ["openai/b", "openai:b", "b", "open*"] {
        let told = played(plan(vec![hop("openai/b")]), &json!([{"model": model, "outcomes": ["404"]}]));
        assert_eq!(told["steps"][0]["outcome"], "not_found", "{model}");
    }
    let told = played(plan(two()), &json!([{"model": "a", "outcomes": ["404"]}]));
    assert_eq!(told["steps"][0]["outcome"], "ok", "the bare name is of the default provider");
}

#[test]
fn jitter_is_nothing_and_targets_count_for_themselves() {
    let mut hops = vec![Hop { retries: 2, ..hop("anthropic/a") }, hop("anthropic/b")];
    hops[0].backoff.jitter = 0.5;
    let told = played(plan(hops), &json!({"script": [{"model": "anthropic/*", "outcomes": ["503", "503", "503"]}]}));
    assert_eq!((&told["result"], &told["calls"], &told["ms"]), (&json!("exhausted"), &json!(4), &json!(1500)));
}

#[test]
fn stalls_wait_out_their_clock() {
    let told = |commit, outcome: &str| {
        let mut plan = plan(two());
        plan.stream.commit = commit;
        played(plan, &json!([{"model": "anthropic/a", "outcomes": [outcome]}]))
    };
    let fell_back = told(Commit::FirstContent, "stall@0");
    assert_eq!(
        (&fell_back["ms"], &fell_back["calls"], &fell_back["steps"][0]["outcome"]),
        (&json!(60_000), &json!(2), &json!("timeout"))
    );
    let committed = told(Commit::FirstContent, "stall@20");
    assert_eq!(
        (&committed["result"], &committed["calls"], &committed["ms"]),
        (&json!("served"), &json!(1), &json!(60_000))
    );
    assert_eq!(committed["steps"][0]["reason"], "after the commit");
    assert_eq!(told(Commit::Complete, "stall@20")["calls"], 2);
    assert_eq!(told(Commit::Complete, "cut@5")["steps"][0]["outcome"], "interrupted");
    assert_eq!(told(Commit::FirstContent, "cut@0")["calls"], 2);
    // Of a call that nothing comes of, the headers' clock is the first to fire: as in a drill.
    let unheard = told(Commit::FirstContent, "timeout");
    assert_eq!(
        (&unheard["ms"], &unheard["steps"][0]["reason"]),
        (&json!(30_000), &json!("no response headers within 30000 ms"))
    );
}

#[test]
fn a_status_without_a_body_is_no_answer() {
    let told = played(plan(two()), &json!([{"model": "anthropic/a", "outcomes": ["204", "304"]}]));
    assert_eq!((&told["steps"][0]["outcome"], &told["calls"]), (&json!("malformed"), &json!(3)));
    assert_eq!(
        (&told["steps"][2]["outcome"], &told["steps"][2]["reason"]),
        (&json!("malformed"), &json!("status 304"))
    );
}

/// Its own 413 says so, whatever its provider is called.
#[test]
fn a_prompt_too_long_for_claude_is_told_as_a_drill_tells_it() {
    let told = |wire| {
        let script = Script::parse(&json!([{"model": "*", "outcomes": ["413"]}]), "openai").expect("a script");
        let outlooks = [Outlook { wire, ..Outlook::default() }];
        simulate(plan(vec![hop("claude/a")]), &script, Leave::default(), &outlooks).steps[0].outcome.clone()
    };
    assert_eq!(told(Some(Wire::Messages)).as_deref(), Some("context_length"));
    assert_eq!(told(Some(Wire::Chat)).as_deref(), Some("invalid_request"));
}

#[test]
fn skips_stops_and_second_keys_are_told() {
    let mut asking = plan(two());
    asking.consent = Consent::Ask;
    let told = played(asking, &json!([{"model": "anthropic/a", "outcomes": ["404"]}]));
    assert_eq!(
        told["steps"][1],
        json!({"at_ms": 0, "step": "skip", "model": "openai/b", "outcome": null, "wait_ms": null, "reason": "consent"})
    );
    let told = played(plan(two()), &json!([{"model": "anthropic/a", "outcomes": ["content_policy"]}]));
    assert_eq!((&told["result"], &told["calls"]), (&json!("stopped"), &json!(1)));
    let keyed = vec![Hop { key: KeyChoice::OwnThenManaged, ..hop("anthropic/a") }];
    let told = played(plan(keyed), &json!([{"model": "anthropic/a", "outcomes": ["401"]}]));
    assert_eq!((&told["result"], &told["calls"]), (&json!("served"), &json!(2)));
}

#[test]
fn hedges_play_along() {
    let hedged = vec![Hop { hedge_after: Some(Span(700)), ..hop("anthropic/a") }, hop("openai/b")];
    let told = played(plan(hedged), &json!([{"model": "anthropic/a", "outcomes": ["stall@0"]}]));
    assert_eq!((&told["result"], &told["calls"], &told["ms"]), (&json!("served"), &json!(2), &json!(700)));
    assert_eq!(told["steps"][0]["outcome"], "cancelled");
    // What has said something is waited for, though it falls silent.
    let mut held = plan(vec![Hop { hedge_after: Some(Span(700)), ..hop("anthropic/a") }, hop("openai/b")]);
    held.stream.commit = Commit::Complete;
    let told = played(held, &json!([{"model": "anthropic/a", "outcomes": ["stall@2"]}]));
    assert_eq!(told["steps"][0]["outcome"], "timeout");
    assert_eq!((&told["steps"][1]["at_ms"], &told["calls"]), (&json!(60_000), &json!(2)));
}

#[test]
fn hops_of_one_target_share_its_breaker() {
    let breaker = Some(BreakerRules { failures: 1, ..BreakerRules::default() });
    let hops = vec![Hop { breaker, ..hop("openai/a") }, Hop { breaker, ..hop("openai/a") }, hop("anthropic/b")];
    let told = played(plan(hops), &json!([{"model": "openai/a", "outcomes": ["500", "500"]}]));
    assert_eq!((&told["calls"], &told["steps"][1]["step"]), (&json!(2), &json!("skip")), "{told}");
    assert_eq!(told["steps"][1]["reason"], "breaker_open");
}

#[test]
fn bad_scripts_say_where() {
    for (script, path) in [
        (json!({"x": 1}), "script"),
        (json!([{"outcomes": []}]), "script[0].model"),
        (json!([{"model": " ", "outcomes": []}]), "script[0].model"),
        (json!([{"model": "a"}]), "script[0].outcomes"),
        (json!([{"model": "a", "outcome": "500"}]), "script[0].outcome"),
        (json!([{"model": "a", "outcomes": ["ok", "boom"]}]), "script[0].outcomes[1]"),
        (json!([{"model": "a", "outcomes": [5]}]), "script[0].outcomes[0]"),
    ] {
        let refusal = Script::parse(&script, "openai").expect_err("no script");
        assert_eq!((refusal.status, refusal.param.as_deref()), (400, Some(path)));
    }
}

#[test]
fn drills() {
    let drill = Drill::parse("anthropic/*=overloaded, openai/gpt-4o=429;retry-after=1", "openai").unwrap();
    assert_eq!(drill.outcome_for(&target("anthropic/a")), Some(&Scripted::Class(Class::Overloaded)));
    assert!(drill.outcome_for(&target("openai/gpt-4o")).is_some());
    assert_eq!(drill.outcome_for(&target("openai/gpt-5")), None);
    let bare = Drill::parse("gpt-4o=overloaded, google:gemini*=500", "openai").unwrap();
    assert!(
        bare.outcome_for(&target("openai/gpt-4o")).is_some() && bare.outcome_for(&target("google/gemini-x")).is_some()
    );
    assert_eq!(bare.outcome_for(&target("azure/gpt-4o")), None);
    // Models of provider sim have options.
    let options = Drill::parse("sim/cut?after=3=429;retry-after=2, sim/slow?first_token_ms=9&tokens=2=500", "openai");
    let options = options.unwrap();
    assert_eq!(options.outcome_for(&target("sim/cut?after=3")), Some(&Scripted::parse("429;retry-after=2").unwrap()));
    assert_eq!(options.outcome_for(&target("sim/slow?first_token_ms=9&tokens=2")).unwrap().to_string(), "500");
    for text in ["", "=ok", " =500", "anthropic/*", "a=boom", "a=ok,,b=ok", "sim/cut?after=3=boom"] {
        let refusal = Drill::parse(text, "openai").expect_err("no drill");
        assert_eq!((refusal.status, refusal.param.as_deref()), (400, Some("x-understudy-drill")));
    }
    let failure = Scripted::parse("429;retry-after=1").unwrap().failure("openai", Instant(0)).unwrap();
    assert_eq!((failure.class, failure.retry_after), (Class::RateLimited, Some(Span(1_000))));
}
