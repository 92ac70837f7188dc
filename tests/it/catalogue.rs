//! The catalogue: facts of models, their names on the wire, changes from KV.

use understudy::domain::catalogue::{Catalogue, Feature, built_in_models, document};
use understudy::domain::target::{ModelRef, Target};
use understudy::domain::usage::Usage;

#[track_caller]
fn target(text: &str) -> Target {
    match ModelRef::parse(text, "openai", |_| true) {
        Ok(ModelRef::Target(target)) => target,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_built_in_file_parses() {
    assert!(built_in_models() > 50);
}

#[test]
fn models_have_their_upstreams_names_on_the_wire() {
    let cases = [
        ("anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("bedrock/claude-sonnet-4-5@eu-central-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/claude-sonnet-4-5@us-east-1", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/claude-sonnet-4-5@us-gov-west-1", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/claude-sonnet-4-5@global", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/claude-sonnet-4-5@ap-northeast-1", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        // Since Opus 4.7 their ids at Bedrock end in no date and no version.
        ("bedrock/claude-opus-4-7@ap-northeast-1", "jp.anthropic.claude-opus-4-7"),
        ("bedrock/claude-opus-4-8@eu-central-1", "eu.anthropic.claude-opus-4-8"),
        ("bedrock/claude-opus-5@ap-southeast-2", "au.anthropic.claude-opus-5"),
        ("bedrock/anthropic.claude-sonnet-5@us-west-2", "us.anthropic.claude-sonnet-5"),
        ("bedrock/claude-fable-5@global", "global.anthropic.claude-fable-5"),
        ("bedrock/claude-3-7-sonnet@ap-northeast-1", "apac.anthropic.claude-3-7-sonnet-20250219-v1:0"),
        ("bedrock/claude-sonnet-4-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0@eu-west-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (
            "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0@eu-west-1",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("bedrock/my.custom-model@eu-west-1", "my.custom-model"),
        ("deepseek/reasoner", "deepseek-reasoner"),
        ("deepseek/deepseek-reasoner", "deepseek-reasoner"),
        ("deepseek/chat", "deepseek-chat"),
        ("vertex/claude-sonnet-4-5@europe-west1", "claude-sonnet-4-5@20250929"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("openai/never-heard-of", "never-heard-of"),
    ];
    for (text, expected) in cases {
        assert_eq!(Catalogue::default().wire_id(&target(text), None), expected, "{text}");
    }
    let plain = target("bedrock/claude-sonnet-4-5");
    assert_eq!(
        Catalogue::default().wire_id(&plain, Some("eu-west-3")),
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "the region that the call goes to counts where the target names none"
    );
}

#[test]
fn facts_are_found_under_every_name_of_a_model() {
    let catalogue = Catalogue::default();
    for text in [
        "anthropic/claude-sonnet-4-5",
        "anthropic/claude-sonnet-4-5-20250929",
        "bedrock/claude-sonnet-4-5@eu-central-1",
        "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "vertex/claude-sonnet-4-5",
        "openrouter/anthropic/claude-sonnet-4.5",
    ] {
        let facts = catalogue.facts(&target(text));
        assert_eq!((facts.context_tokens, facts.max_output_tokens), (Some(200_000), Some(64_000)), "{text}");
        assert_eq!(facts.supports(Feature::Vision), Some(true), "{text}");
    }
    assert_eq!(
        catalogue.facts(&target("bedrock/claude-sonnet-4-5@eu-central-1")).region.as_deref(),
        Some("eu-central-1")
    );
    assert_eq!(catalogue.facts(&target("anthropic/claude-3-7-sonnet")).retired.as_deref(), Some("2026-02-19"));
    assert_eq!(catalogue.facts(&target("bedrock/claude-3-7-sonnet")).retired, None, "each host retires by itself");
    let unknown = catalogue.facts(&target("openai/never-heard-of"));
    assert_eq!((unknown.context_tokens, unknown.supports(Feature::Tools)), (None, None));
    assert!(!catalogue.knows(&target("openai/never-heard-of")));
    let ada = catalogue.facts(&target("azure/text-embedding-3-small"));
    assert_eq!(ada.embedding_space, catalogue.facts(&target("openai/text-embedding-3-small")).embedding_space);
}

#[test]
fn a_document_changes_field_by_field_and_names_models_of_its_own() {
    let catalogue = document::parse(
        br#"{"anthropic/claude-sonnet-4-5": {"labels": ["zdr"], "region": "us", "input_usd_per_mtok": 2.5},
             "bedrock/claude-sonnet-4-5@eu-central-1": {"labels": ["eu-only"]},
             "acme/fast": {"id": "acme-fast-2026-01", "context_tokens": 1000, "supports": []},
             "bedrock/mine": {"id": "arn:aws:bedrock:eu-central-1:1:application-inference-profile/x"}}"#,
    )
    .expect("a catalogue");
    let claude = catalogue.facts(&target("anthropic/claude-sonnet-4-5"));
    assert_eq!((claude.labels, claude.region.as_deref()), (vec!["zdr".to_owned()], Some("us")));
    assert_eq!((claude.input_usd_per_mtok, claude.output_usd_per_mtok), (Some(2.5), Some(15.0)));
    assert_eq!(catalogue.facts(&target("bedrock/claude-sonnet-4-5@eu-central-1")).labels, ["eu-only"]);
    assert!(catalogue.facts(&target("bedrock/claude-sonnet-4-5@us-east-1")).labels.is_empty());
    assert_eq!(catalogue.wire_id(&target("acme/fast"), None), "acme-fast-2026-01");
    assert_eq!(catalogue.facts(&target("acme/fast")).supports(Feature::Tools), Some(false));
    let arn = catalogue.wire_id(&target("bedrock/mine@eu-central-1"), None);
    assert_eq!(arn, "arn:aws:bedrock:eu-central-1:1:application-inference-profile/x");
}

/// As it goes when it is written as the model: an id that is a Claude's at Bedrock is called by its region's profile.
#[test]
fn an_id_of_the_owners_goes_behind_its_regions_profile() {
    let catalogue = document::parse(
        br#"{"bedrock/mine": {"id": "anthropic.claude-sonnet-4-5-20250929-v1:0"},
             "bedrock/world": {"id": "global.anthropic.claude-sonnet-4-5-20250929-v1:0"},
             "bedrock/other": {"id": "claude-sonnet-4-5"},
             "deepseek/deep": {"id": "reasoner"}}"#,
    )
    .expect("a catalogue");
    let wire = |text: &str| catalogue.wire_id(&target(text), Some("us-east-1"));
    assert_eq!(wire("bedrock/mine@eu-central-1"), "eu.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!(wire("bedrock/mine"), "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!(wire("bedrock/world@eu-central-1"), "global.anthropic.claude-sonnet-4-5-20250929-v1:0");
    // A name of ours is none of the upstream's: what was given is sent.
    assert_eq!(wire("bedrock/other@eu-central-1"), "claude-sonnet-4-5");
    assert_eq!(wire("deepseek/deep"), "reasoner");
}

#[test]
fn bad_documents_say_where() {
    let bad = document::parse(
        br#"{"gpt-4o": {}, "policy/x": {}, "openai/a b": {}, "openai/x": {"context_tokens": 0, "supports": ["flying"], "retired": "soon", "price": 1, "input_usd_per_mtok": -1}}"#,
    )
    .expect_err("nonsense");
    let said: Vec<&str> = bad.findings.iter().map(|finding| finding.path.as_str()).collect();
    let expected = [
        "gpt-4o",
        "[\"policy/x\"]",
        "[\"openai/a b\"]",
        "[\"openai/x\"].context_tokens",
        "[\"openai/x\"].supports[0]",
        "[\"openai/x\"].retired",
        "[\"openai/x\"].price",
        "[\"openai/x\"].input_usd_per_mtok",
    ];
    assert_eq!(said, expected);
    assert!(bad.to_string().starts_with("models: gpt-4o: \"gpt-4o\" is not a target"), "{bad}");
}

#[test]
fn costs_count_cached_tokens_at_their_own_price() {
    let facts = Catalogue::default().facts(&target("anthropic/claude-sonnet-4-5"));
    let usage = Usage { input: 1_000_000, cached: 400_000, output: 100_000, ..Usage::default() };
    // 600,000 at $3, 400,000 at $0.30, 100,000 at $15 per million.
    assert_eq!(facts.cost_micro_usd(&usage), Some(1_800_000 + 120_000 + 1_500_000));
    assert_eq!(Catalogue::default().facts(&target("openai/unheard")).cost_micro_usd(&usage), None);
    let claimed = Usage { input: 10, cached: 1_000_000, ..Usage::default() };
    assert_eq!(facts.cost_micro_usd(&claimed), Some(3), "no more of them are charged than there was input");
}

/// The price of embeddings is one of input alone.
#[test]
fn what_there_is_none_of_needs_no_price() {
    let catalogue = document::parse(br#"{"acme/embed": {"input_usd_per_mtok": 2}}"#).expect("a good document");
    let facts = catalogue.facts(&target("acme/embed"));
    let usage = |input, cached, output| Usage { input, cached, output, ..Usage::default() };
    assert_eq!(facts.cost_micro_usd(&usage(1_000, 0, 0)), Some(2_000));
    assert_eq!(
        facts.cost_micro_usd(&usage(1_000, 400, 0)),
        Some(2_000),
        "a cached token costs what any does, unless said"
    );
    assert_eq!(facts.cost_micro_usd(&usage(1_000, 0, 1)), None, "what its output costs nobody knows");
}
