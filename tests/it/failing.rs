//! Who speaks when a request fails: status, body and headers of the final error, and how the trail is told.

use serde_json::{Value, json};
use understudy::domain::chain::{Attempt, End, Standing, TrailEntry, What};
use understudy::domain::error::{Ending, Final, ended, fallback_log, refused, trail_header};
use understudy::domain::outcome::{Class, Failure, KeySlot, Phase, Skip};
use understudy::domain::policy::Exhausted;
use understudy::domain::refusal::Refusal;
use understudy::domain::route::Family;
use understudy::domain::time::{Instant, Span};

use crate::chain::target;

fn entry(hop: usize, name: &str, what: What) -> TrailEntry {
    TrailEntry { hop, target: target(name), at: Instant(1000), what }
}

fn skip(hop: usize, name: &str, skip: Skip) -> TrailEntry {
    entry(hop, name, What::Skip(skip))
}

fn call(id: u32, name: &str, standing: Standing) -> TrailEntry {
    let headers = Some((Instant(1040), 200));
    let attempt = Attempt { id, slot: KeySlot::Managed, headers, ended: Some(Instant(1312)), standing };
    entry(id as usize, name, What::Call(attempt))
}

fn failed(id: u32, name: &str, failure: Failure) -> TrailEntry {
    call(id, name, Standing::Failed(failure))
}

fn failure(class: Class, status: Option<u16>, body: Option<&Value>) -> Failure {
    Failure { status, body: body.map(|body| body.to_string().into_bytes()), ..Failure::new(class, "it broke") }
}

struct Case<'a> {
    family: Family,
    trail: &'a [TrailEntry],
    end: End,
    exhausted: Exhausted,
    keys: &'a [&'a str],
}

fn chat(trail: &[TrailEntry]) -> Case<'_> {
    Case { family: Family::Chat, trail, end: End::Exhausted, exhausted: Exhausted::Last, keys: &["secret-key-1"] }
}

impl Case<'_> {
    fn speak(&self) -> (Final, Value) {
        let said = ended(&Ending {
            family: self.family,
            trail: self.trail,
            end: &self.end,
            exhausted: self.exhausted,
            request_id: "req1",
            keys: self.keys,
            retry_after: Some(90),
            lacks_consent: false,
        });
        let body = serde_json::from_slice(&said.body).expect("an error is JSON");
        (said, body)
    }
}

#[test]
fn one_attempt_speaks_with_its_own_status_and_body() {
    let own = json!({"error": {"message": "no secret-key-1", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}});
    let trail = [failed(0, "openai/a", failure(Class::RateLimited, Some(429), Some(&own)))];
    let (said, body) = chat(&trail).speak();
    assert_eq!((said.status, said.retry_after, said.should_retry, said.outcome), (429, Some(60), None, "rate_limited"));
    assert_eq!(
        body,
        json!({"error": {"message": "no [redacted]", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}})
    );
    // A skip beside it changes nothing, a stop only the advice.
    let trail = [trail[0].clone(), skip(1, "openai/b", Skip::Deadline)];
    assert_eq!(chat(&trail).speak().0.status, 429);
    let (said, _) = Case { end: End::Stopped { id: 0 }, ..chat(&trail) }.speak();
    assert_eq!(said.should_retry, Some(false));
}

#[test]
fn error_bodies_change_their_dialect_with_the_client() {
    let theirs =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "up"});
    let trail = [failed(0, "anthropic/a", failure(Class::Overloaded, Some(529), Some(&theirs)))];
    let (said, body) = chat(&trail).speak();
    assert_eq!(said.status, 529);
    assert_eq!((&body["error"]["message"], &body["error"]["type"]), (&json!("Overloaded"), &json!("overloaded_error")));
    let (_, body) = Case { family: Family::Messages, ..chat(&trail) }.speak();
    assert_eq!(body, theirs);
    // OpenAI's clients act on codes, which Anthropic and others do not give.
    let long = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long"}});
    let trail = [failed(0, "anthropic/a", failure(Class::ContextLength, Some(400), Some(&long)))];
    assert_eq!(chat(&trail).speak().1["error"]["code"], "context_length_exceeded");
    let xai = json!({"code": "invalid-argument", "error": "This model's maximum prompt length is 131072"});
    let trail = [failed(0, "xai/a", failure(Class::ContextLength, Some(400), Some(&xai)))];
    assert_eq!(chat(&trail).speak().1["error"]["code"], "context_length_exceeded");
    let known = json!({"message": "no", "type": "quota", "code": "credit_balance_exhausted"});
    let trail = [failed(0, "acme/a", failure(Class::QuotaExhausted, Some(429), Some(&known)))];
    assert_eq!(chat(&trail).speak().1["error"]["code"], "credit_balance_exhausted");
    let nothing = json!({"error": {}});
    let trail = [failed(0, "acme/a", failure(Class::ServerError, Some(500), Some(&nothing)))];
    assert_eq!(chat(&trail).speak().1["error"]["message"], "acme/a: it broke");
    let aws = json!({"message": "Too many requests"});
    let trail = [failed(0, "bedrock/a", failure(Class::RateLimited, Some(429), Some(&aws)))];
    assert_eq!(chat(&trail).speak().1["error"]["code"], "rate_limit_exceeded");

    let ours = json!({"error": {"message": "no model", "type": "invalid_request_error", "param": null, "code": "model_not_found"}});
    let trail = [failed(0, "openai/a", failure(Class::NotFound, Some(404), Some(&ours)))];
    let (said, body) = Case { family: Family::Messages, ..chat(&trail) }.speak();
    assert_eq!((said.status, &body["type"], &body["request_id"]), (404, &json!("error"), &json!("req1")));
    assert_eq!((&body["error"]["type"], &body["error"]["message"]), (&json!("not_found_error"), &json!("no model")));
    let trail = [failed(0, "acme/a", failure(Class::InvalidRequest, Some(422), Some(&json!({"detail": "bad"}))))];
    let (_, body) = chat(&trail).speak();
    assert_eq!((&body["error"]["message"], &body["error"]["type"]), (&json!("bad"), &json!("upstream_error")));
}

#[test]
fn a_failure_without_body_is_put_into_words() {
    let trail = [failed(0, "anthropic/a", Failure::timeout(Phase::FirstToken, Span(8_000)))];
    let (said, body) = chat(&trail).speak();
    assert_eq!(said.status, 504);
    assert_eq!(body["error"]["message"], "anthropic/a: no content within 8000 ms");
    assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&json!("upstream_error"), &json!("timeout")));
}

#[test]
fn statuses_of_failures_without_one_of_their_own() {
    for (class, status, chat_status, messages_status) in [
        (Class::Timeout, None, 504, 504),
        (Class::Timeout, Some(408), 408, 408),
        (Class::Unreachable, None, 502, 502),
        (Class::Malformed, Some(200), 502, 502),
        (Class::Malformed, Some(302), 502, 502),
        (Class::Interrupted, Some(200), 502, 502),
        (Class::RateLimited, Some(200), 429, 429),
        (Class::QuotaExhausted, Some(200), 429, 429),
        (Class::Overloaded, Some(200), 503, 529),
        (Class::Overloaded, Some(503), 503, 503),
        (Class::ServerError, Some(200), 502, 502),
        (Class::Auth, Some(200), 401, 401),
        (Class::Forbidden, Some(200), 403, 403),
        (Class::NotFound, Some(200), 404, 404),
        (Class::ContextLength, Some(200), 400, 400),
        (Class::ContentPolicy, Some(200), 400, 400),
        (Class::Unreachable, Some(522), 522, 522),
    ] {
        let trail = [failed(0, "openai/a", failure(class, status, None))];
        let (said, _) = chat(&trail).speak();
        assert_eq!(said.status, chat_status, "{class:?}");
        let (said, _) = Case { family: Family::Messages, ..chat(&trail) }.speak();
        assert_eq!(said.status, messages_status, "{class:?}");
    }
}

#[test]
fn a_stop_after_others_is_the_one_that_stopped() {
    let own = json!({"error": {"message": "refused", "type": "invalid_request_error", "param": null, "code": "content_filter"}});
    let trail = [
        failed(0, "openai/a", failure(Class::Overloaded, Some(503), None)),
        failed(1, "openai/b", failure(Class::ContentPolicy, Some(400), Some(&own))),
    ];
    let (said, body) = Case { end: End::Stopped { id: 1 }, ..chat(&trail) }.speak();
    assert_eq!((said.status, said.should_retry, body), (400, Some(false), own));
}

#[test]
fn a_chain_that_ran_out_lists_every_attempt() {
    let trail = [
        failed(0, "anthropic/a", failure(Class::Overloaded, Some(529), None)),
        skip(1, "openai/o3", Skip::Incompatible("vision".to_owned())),
        failed(2, "openai/b", Failure::new(Class::Timeout, "late, with secret-key-1")),
    ];
    let (said, body) = chat(&trail).speak();
    assert_eq!((said.status, said.should_retry, said.outcome), (504, Some(false), "timeout"));
    let error = &body["error"];
    assert_eq!(
        (&error["type"], &error["code"], &error["param"]),
        (&json!("upstream_error"), &json!("chain_exhausted"), &Value::Null)
    );
    assert_eq!(error["request_id"], "req1");
    assert_eq!(
        error["attempts"],
        json!([
            {"model": "anthropic/a", "outcome": "overloaded", "status": 529, "ms": 312, "reason": "it broke"},
            {"model": "openai/o3", "outcome": "skip:incompatible:vision", "status": null, "ms": 0, "reason": "incompatible:vision"},
            {"model": "openai/b", "outcome": "timeout", "status": null, "ms": 312, "reason": "late, with [redacted]"},
        ])
    );
    let (_, body) = Case { family: Family::Messages, ..chat(&trail) }.speak();
    assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!("req1")));
    assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&json!("timeout_error"), &json!("chain_exhausted")));
    assert_eq!(body["error"]["attempts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn what_things_are_called_is_said_as_it_is() {
    let trail = [
        failed(0, "us-cluster1/us-llama-70b", failure(Class::Overloaded, Some(529), None)),
        failed(1, "openai/secret-key-1", failure(Class::ServerError, Some(500), None)),
        failed(2, "us-cluster2/sk-abcdefgh1234", Failure::new(Class::Timeout, "late, with us-abcdefgh")),
    ];
    let (_, body) = chat(&trail).speak();
    let error = &body["error"];
    let models: Vec<&Value> = error["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["model"]).collect();
    assert_eq!(models, ["us-cluster1/us-llama-70b", "openai/secret-key-1", "us-cluster2/[redacted]"]);
    assert_eq!(error["attempts"][2]["reason"], "late, with [redacted]");
    assert_eq!(error["message"], "3 attempts failed; us-cluster2/[redacted]: timeout: late, with [redacted]");
    let header = trail_header(&trail, false, &["secret-key-1"]);
    assert!(header.starts_with("us-cluster1/us-llama-70b=") && !header.contains("abcdefgh"), "{header}");
    let moves = fallback_log(&trail, "us-web-0123456789", "w", "us-production", &["secret-key-1"]);
    let first: Value = serde_json::from_str(&moves[0]).unwrap();
    assert_eq!(
        (&first["request_id"], &first["policy"], &first["primary"], &first["fallback"]),
        (
            &json!("us-web-0123456789"),
            &json!("us-production"),
            &json!("us-cluster1/us-llama-70b"),
            &json!("openai/secret-key-1")
        )
    );
}

#[test]
fn a_key_that_reads_like_a_word_of_json_leaves_an_error_whole() {
    let own = json!({"error": {"message": "no model here", "type": "x", "param": null, "code": null}});
    for key in ["null", "error", "message", "model", "attempts"] {
        let one = [failed(0, "m/a", failure(Class::ServerError, Some(500), Some(&own)))];
        let two = [one[0].clone(), failed(1, "m/b", failure(Class::ServerError, Some(500), None))];
        for trail in [one.as_slice(), two.as_slice()] {
            let (_, body) = Case { keys: &[key], ..chat(trail) }.speak();
            assert!(body["error"]["message"].is_string() && body["error"]["param"].is_null(), "{key}: {body}");
        }
    }
}

#[test]
fn exhausted_says_which_attempt_speaks() {
    let trail = [
        failed(0, "openai/a", failure(Class::RateLimited, Some(429), None)),
        failed(1, "openai/b", failure(Class::NotFound, Some(404), None)),
        failed(2, "openai/c", failure(Class::ServerError, Some(500), None)),
        failed(3, "openai/d", failure(Class::RateLimited, Some(420), None)),
    ];
    for (exhausted, status) in [
        (Exhausted::Last, 420),
        (Exhausted::First, 429),
        (Exhausted::MostActionable, 429),
        (Exhausted::Status(418), 418),
    ] {
        assert_eq!(Case { exhausted, ..chat(&trail) }.speak().0.status, status, "{exhausted:?}");
    }
}

#[test]
fn only_skips() {
    let no_key = |slot| Skip::NoKey { slot, missing: "ACME_API_KEY".to_owned() };
    for (skips, status, code) in [
        (vec![Skip::Boundary("family".to_owned())], 400, "no_hop_fits"),
        (vec![Skip::Incompatible("vision".to_owned())], 400, "no_hop_fits"),
        (vec![no_key(KeySlot::Own)], 401, "own_key_missing"),
        (vec![no_key(KeySlot::Managed)], 503, "provider_key_missing"),
        (vec![Skip::Deadline], 504, "deadline_exceeded"),
        (vec![Skip::Incompatible("vision".to_owned()), Skip::Consent], 400, "no_hop_fits"),
        (vec![no_key(KeySlot::Managed), Skip::Consent], 503, "provider_key_missing"),
    ] {
        let trail: Vec<TrailEntry> =
            skips.into_iter().enumerate().map(|(hop, each)| skip(hop, "acme/a", each)).collect();
        let (said, body) = chat(&trail).speak();
        assert_eq!((said.status, body["error"]["code"].as_str(), said.outcome), (status, Some(code), "skipped"));
        assert_eq!(said.should_retry, None);
        let names_secret = body["error"]["message"].as_str().is_some_and(|message| message.contains("ACME_API_KEY"));
        assert_eq!(names_secret, code.ends_with("key_missing"));
    }
    // To Anthropic's SDKs what is overloaded is worth another try.
    let trail = [skip(0, "acme/a", no_key(KeySlot::Managed))];
    let (said, body) = Case { family: Family::Messages, ..chat(&trail) }.speak();
    assert_eq!((said.status, &body["error"]["type"]), (503, &json!("api_error")));
}

#[test]
fn that_nothing_is_said_is_told_in_words() {
    let message = |what: &str| {
        let trail = [skip(0, "claude/a", Skip::Incompatible(what.to_owned()))];
        chat(&trail).speak().1["error"]["message"].as_str().unwrap_or_default().to_owned()
    };
    let why = "no target fits this request: claude/a: incompatible:";
    let messages = "messages (nothing to answer: messages is missing, empty or malformed)";
    assert_eq!(message("messages"), format!("{why}{messages}"));
    assert_eq!(message("input"), format!("{why}input (nothing to answer: input is missing, empty or malformed)"));
    assert_eq!(message("messages.content"), format!("{why}messages.content"));
}

/// On these words the SDKs' tool runners, which send what is new alone, send the whole conversation, and any hop takes that.
#[test]
fn a_thread_that_no_hop_holds_is_said_to_be_lost() {
    let overloaded =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy", "details": null}});
    let busy = || failed(0, "claude/a", failure(Class::Overloaded, Some(529), Some(&overloaded)));
    let held = |what: &str| skip(1, "acme/b", Skip::Incompatible(what.to_owned()));
    let lost = json!({"error_code": "thread_not_found"});
    let cases = [
        (vec![held("thread")], 400, &lost),
        (vec![held("stored_ids")], 400, &Value::Null),
        (vec![busy(), held("thread")], 529, &lost),
        (vec![busy(), busy(), held("thread")], 529, &lost),
        (vec![held("vision")], 400, &Value::Null),
        (vec![busy()], 529, &Value::Null),
    ];
    for (trail, status, details) in cases {
        let (said, body) = Case { family: Family::Messages, ..chat(&trail) }.speak();
        assert_eq!((said.status, &body["error"]["details"]), (status, details), "{body}");
    }
    let trail = [busy(), held("thread")];
    let stopped = Case { family: Family::Messages, end: End::Stopped { id: 0 }, ..chat(&trail) }.speak().1;
    assert_eq!(stopped, overloaded);
    assert_eq!(chat(&trail).speak().1["error"]["details"], Value::Null);
}

#[test]
fn without_consent_the_first_hop_speaks_for_itself() {
    let own = json!({"error": {"message": "busy", "type": "server_error", "param": null, "code": null}});
    let busy = || failure(Class::Overloaded, Some(503), Some(&own));
    let trail = [failed(0, "openai/a", busy()), failed(1, "openai/a", busy()), skip(1, "openai/b", Skip::Consent)];
    let end = End::Exhausted;
    let said = ended(&Ending {
        family: Family::Chat,
        trail: &trail,
        end: &end,
        exhausted: Exhausted::Last,
        request_id: "r",
        keys: &[],
        retry_after: None,
        lacks_consent: true,
    });
    assert_eq!((said.status, said.hint, said.should_retry), (503, Some("fallback needs consent"), Some(false)));
    assert_eq!(serde_json::from_slice::<Value>(&said.body).unwrap(), own);
}

#[test]
fn refusals_speak_the_clients_dialect() {
    let refusal = Refusal::new(404, "policy_not_found", "no policy \"x\"").about("model");
    let body = |family| serde_json::from_slice::<Value>(&refused(&refusal, family, "r").body).unwrap();
    let error = &body(Family::Chat)["error"];
    assert_eq!(
        (&error["code"], &error["param"], &error["type"]),
        (&json!("policy_not_found"), &json!("model"), &json!("invalid_request_error"))
    );
    let body = body(Family::Messages);
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("not_found_error")));
}

#[test]
fn a_key_in_the_wrong_place_is_not_said_back() {
    let refusal = Refusal::field("invalid_model", "model", "\"sk-live-0123456789/m\": no provider us-0123456789abcdef");
    for family in [Family::Chat, Family::Responses, Family::Messages] {
        let body = String::from_utf8(refused(&refusal, family, "r").body).unwrap();
        assert!(body.contains("[redacted]/m") && !body.contains("0123456789"), "{body}");
    }
}

#[test]
fn a_key_that_a_reason_would_be_cut_through_is_masked_first() {
    let reason = format!("{} secret-key-1", "x".repeat(188));
    let trail = [
        failed(0, "openai/a", Failure::new(Class::ServerError, reason.clone())),
        failed(1, "openai/b", Failure::new(Class::ServerError, reason)),
    ];
    let (said, _) = chat(&trail).speak();
    let body = String::from_utf8(said.body).unwrap();
    let line = fallback_log(&trail, "r1", "support", "sonnet", &["secret-key-1"]).concat();
    assert!(!body.contains("secret") && !line.contains("secret"), "{body} {line}");
}

#[test]
fn the_trail_as_a_header() {
    let trail = [
        failed(0, "anthropic/claude-sonnet-4-5", failure(Class::Overloaded, Some(529), None)),
        skip(1, "openai/o3", Skip::Incompatible("vision".to_owned())),
        failed(2, "openai/b+c", failure(Class::Unreachable, None, None)),
        call(3, "openai/d", Standing::Served),
    ];
    assert_eq!(
        trail_header(&trail, true, &[]),
        "anthropic/claude-sonnet-4-5=overloaded;529;312ms, openai/o3=skip:incompatible:vision, openai/b%2Bc=unreachable;-;312ms, openai/d=ok;200;40ms"
    );
    assert!(trail_header(&trail, false, &[]).ends_with("openai/d=ok;200;312ms"));
}

#[test]
fn a_long_trail_loses_its_middle() {
    let long = "m".repeat(200);
    let trail: Vec<TrailEntry> = (0..40)
        .map(|id| failed(id, &format!("openai/{id}-{long}"), failure(Class::Overloaded, Some(503), None)))
        .collect();
    let header = trail_header(&trail, false, &[]);
    assert!(header.len() <= 4096 && header.len() > 3700, "{}", header.len());
    assert!(header.starts_with("openai/0-") && header.contains(", ..., "));
    assert!(header.rsplit(", ").next().is_some_and(|last| last.starts_with("openai/39-")));
}

#[test]
fn without_consent_there_is_no_move_to_tell_of() {
    let trail = [
        failed(0, "openai/a", failure(Class::Overloaded, Some(503), None)),
        skip(1, "openai/b", Skip::Boundary("region".to_owned())),
        skip(2, "openai/c", Skip::Consent),
    ];
    assert_eq!(fallback_log(&trail, "r1", "support", "sonnet@12345678", &[]), Vec::<String>::new());
}

#[test]
fn what_was_hedged_beside_the_answer_is_no_move() {
    let trail =
        [call(0, "openai/a", Standing::Served), failed(1, "openai/b", failure(Class::Overloaded, Some(503), None))];
    assert_eq!(fallback_log(&trail, "r1", "support", "sonnet@12345678", &[]), Vec::<String>::new());
}

#[test]
fn every_move_to_another_hop_is_a_log_line() {
    let retried = entry(0, "openai/a", failed(1, "openai/a", failure(Class::RateLimited, Some(429), None)).what);
    let trail = [
        failed(0, "openai/a", failure(Class::RateLimited, Some(429), None)),
        retried,
        skip(1, "openai/b", Skip::BreakerOpen),
        call(2, "openai/c", Standing::Served),
    ];
    let lines: Vec<Value> = fallback_log(&trail, "r1", "support", "sonnet@12345678", &[])
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            json!({"event": "fallback", "request_id": "r1", "workload": "support", "policy": "sonnet@12345678", "primary": "openai/a",
                "fallback": "openai/b", "status": 429, "reason": "rate_limited: it broke"}),
            json!({"event": "fallback", "request_id": "r1", "workload": "support", "policy": "sonnet@12345678", "primary": "openai/b",
                "fallback": "openai/c", "status": null, "reason": "breaker_open"}),
        ]
    );
}
