//! The fields of a policy and their ranges: the one table that readers, messages and the JSON Schema share.

use super::hop_text::{self, MAX_HOPS, check_model};
use crate::domain::document::shape::{self, Field, Object, PROSE, SCHEMA_FIELD, Shape, Text};
use crate::domain::document::{Findings, Path};
use serde_json::{Map, Value};

/// Every time of a policy, in ms: up to an hour.
const MS: Shape = Shape::Integer { min: 1, max: 3_600_000 };

/// Fields that `params` may not touch: Understudy reads them itself.
const FIXED_PARAMS: [&str; 4] = ["model", "stream", "messages", "input"];

const MODEL: Text = Text {
    min: 1,
    max: 256,
    pattern: Some(r#"^[!#-&(-+\--:<-~]{1,256}$"#),
    expect: "a model (provider/model[@region], policy/<name>, or a bare model)",
    check: |written| check_model(written).map_err(Some),
    hidden: false,
};

const HOP_TEXT: Text = Text {
    min: 1,
    max: 300,
    pattern: None,
    expect: "a hop (\"provider/model\" or \"provider/model (2 retries)\")",
    check: |written| hop_text::check_hop(written).map_err(Some),
    hidden: false,
};

const CHAIN_TEXT: Text = Text {
    min: 1,
    max: 5_000,
    pattern: None,
    expect: "a chain (\"a/b -> c/d (1 retry)\")",
    check: |written| hop_text::check_chain(written).map_err(Some),
    hidden: false,
};

const NOTICE: Text = Text {
    min: 1,
    max: 200,
    pattern: Some("^[ -~]*$"),
    expect: "1 to 200 printable ASCII characters",
    check: shape::printable,
    hidden: false,
};

const WORKLOAD: Text = Text {
    min: 1,
    max: 128,
    pattern: None,
    expect: "a name of 1 to 128 characters without control characters",
    check: |text| if text.chars().any(char::is_control) { Err(None) } else { Ok(()) },
    hidden: false,
};

const PARAM_NAME: Text = Text {
    min: 1,
    max: 128,
    pattern: Some("^(?!(model|stream|messages|input)$)"),
    expect: "a top-level field of the body other than model, stream, messages, input",
    check: |name| if FIXED_PARAMS.contains(&name) { Err(None) } else { Ok(()) },
    hidden: false,
};

/// Verdicts by their names.
pub const VERDICTS: [&str; 4] = ["retry", "retry_only", "next", "stop"];
/// Boundaries by their names.
pub const BOUNDARIES: [&str; 5] = ["family", "provider", "region", "labels", "billing"];

const VERDICT: Shape = Shape::Word(&VERDICTS);

/// `on`: a preset and a verdict per class.
pub const ON: Shape = Shape::Named { name: "on", shape: &Shape::Object(&ON_FIELDS) };
static ON_FIELDS: Object = Object {
    title: "verdicts by error class",
    rule: None,
    fields: &[
        Field::new("preset", Shape::Word(&["resilient", "strict"]), "The verdicts to start from.").or("\"resilient\""),
        Field::new("rate_limited", VERDICT, "429, throttled."),
        Field::new("quota_exhausted", VERDICT, "402, out of credit, spend limit."),
        Field::new("overloaded", VERDICT, "503, 529, also as the first event of a stream."),
        Field::new("server_error", VERDICT, "Other 5xx."),
        Field::new("timeout", VERDICT, "A clock ran out; 408, 504, 524."),
        Field::new("unreachable", VERDICT, "DNS, TLS, refused, reset before headers."),
        Field::new("malformed", VERDICT, "A 200 that is no answer."),
        Field::new("interrupted", VERDICT, "A stream that ends before its terminal event."),
        Field::new("auth", VERDICT, "401, a bad provider key."),
        Field::new("forbidden", VERDICT, "403, region, permission."),
        Field::new("not_found", VERDICT, "404, no such model or deployment."),
        Field::new("context_length", VERDICT, "The prompt is too long for the model."),
        Field::new("content_policy", VERDICT, "The input was refused."),
        Field::new("unsupported", VERDICT, "400 that names a parameter the model lacks."),
        Field::new("invalid_request", VERDICT, "Every other 4xx."),
        Field::new("cancelled", VERDICT, "The client went away."),
    ],
};

/// `timeouts`, of a policy, a hop, a rule or a request.
pub const TIMEOUTS: Shape = Shape::Named { name: "timeouts", shape: &Shape::Object(&TIMEOUTS_FIELDS) };
static TIMEOUTS_FIELDS: Object = Object {
    title: "timeouts",
    rule: None,
    fields: &[
        Field::new("headers_ms", MS, "Streams: until the response headers.").or("30000"),
        Field::new("first_token_ms", MS, "Streams: until the first content.").or("60000"),
        Field::new("idle_ms", MS, "Streams: between two pieces of content.").or("60000"),
        Field::new("attempt_ms", MS, "The whole attempt, until commit.").or("180000"),
    ],
};

/// `deadline_ms`.
pub const DEADLINE_MS: Shape = MS;

/// `stream`.
pub const STREAM: Shape = Shape::Named { name: "stream", shape: &Shape::Object(&STREAM_FIELDS) };
static STREAM_FIELDS: Object = Object {
    title: "stream rules",
    rule: None,
    fields: &[
        Field::new(
            "commit",
            Shape::Word(&["headers", "first_event", "first_content", "complete"]),
            "How long an answer is held back so that another target can still be tried.",
        )
        .or("\"first_content\""),
        Field::new(
            "buffer_max_bytes",
            Shape::Integer { min: 1, max: 16_777_216 },
            "Past this many bytes held back, it commits.",
        )
        .or("4194304"),
        Field::new("relay", Shape::Word(&["pipe", "inspect"]), "How bytes go on after the commit.").or("\"pipe\""),
    ],
};

/// `keep`.
pub const KEEP: Shape = Shape::List { of: &Shape::Word(&BOUNDARIES), min: 0, max: BOUNDARIES.len() };

/// `consent`.
pub const CONSENT: Shape = Shape::Word(&["automatic", "ask", "never"]);

/// Hops, as a chain or a list of fallbacks has them: a list of objects and strings, or one string with arrows.
pub const HOPS: Shape = Shape::Either(&[Shape::List { of: &HOP, min: 1, max: MAX_HOPS }, Shape::Text(&CHAIN_TEXT)]);

static HOP: Shape =
    Shape::Named { name: "hop", shape: &Shape::Either(&[Shape::Object(&HOP_FIELDS), Shape::Text(&HOP_TEXT)]) };

static HOP_FIELDS: Object = Object {
    title: "a hop",
    rule: Some(check_policy_hop),
    fields: &[
        Field::new("model", Shape::Text(&MODEL), "provider/model[@region], policy/<name>, or a bare model.").required(),
        Field::new("retries", RETRIES, "Further tries of the same target after the first.").or("0"),
        Field::new("hedge_after_ms", MS, "Without content by then, the next callable hop starts alongside."),
        Field::new(
            "key",
            Shape::Word(&["managed", "own", "managed_then_own", "own_then_managed"]),
            "Whose provider key pays, in order.",
        )
        .or("\"managed\""),
        Field::new("timeouts", TIMEOUTS, "Override the policy's, field by field."),
        Field::new(
            "weight",
            Shape::Integer { min: 0, max: 1000 },
            "Share of requests under load_balance; 0 is a fallback only.",
        )
        .or("1"),
        Field::new(
            "degraded",
            Shape::Either(&[Shape::Bool, Shape::Text(&NOTICE)]),
            "Tell the client that this is second best, with a text of one's own.",
        )
        .or("false"),
        Field::new(
            "params",
            Shape::Map { key: &PARAM_NAME, of: &Shape::Any, max: 64 },
            "Set (or with null remove) top-level fields of the client's body.",
        ),
    ],
};

/// `retries`, of a hop or a rule.
pub const RETRIES: Shape = Shape::Integer { min: 0, max: hop_text::MAX_RETRIES as u64 };

/// A hop that names a policy has no target of its own to retry, pay or time.
fn check_policy_hop(hop: &Map<String, Value>, path: &Path<'_>, findings: &mut Findings) {
    let Some(Value::String(model)) = hop.get("model") else { return };
    if !model.starts_with("policy/") {
        return;
    }
    for name in ["retries", "key", "timeouts", "hedge_after_ms"] {
        if let Some(value) = hop.get(name) {
            let message = format!(
                "{} is not allowed on a hop that names a policy; expected only weight, degraded, params",
                crate::domain::document::json::shown(value)
            );
            findings.error_with_hint(path.field(name), message, format!("set it in {model} itself"));
        }
    }
}

static BACKOFF_FIELDS: Object = Object {
    title: "backoff numbers",
    rule: None,
    fields: &[
        Field::new("initial_ms", MS, "Wait before the second try.").or("500"),
        Field::new("multiplier", Shape::Number { min: 1.0, max: 10.0 }, "Growth from wait to wait.").or("2"),
        Field::new("max_ms", MS, "The longest wait.").or("4000"),
        Field::new("jitter", Shape::Number { min: 0.0, max: 0.5 }, "Share by which a wait varies at random.").or("0.1"),
        Field::new("retry_after_max_ms", MS, "A Retry-After above this gives the hop up at once.").or("10000"),
    ],
};

static BREAKER_FIELDS: Object = Object {
    title: "breaker numbers",
    rule: None,
    fields: &[
        Field::new("failures", Shape::Integer { min: 1, max: 1000 }, "This many within the window open it.").or("5"),
        Field::new("window_ms", MS, "Failures older than this are forgotten.").or("30000"),
        Field::new("cooldown_ms", MS, "How long it stays open the first time.").or("10000"),
        Field::new("cooldown_max_ms", MS, "The longest it stays open.").or("30000"),
    ],
};

/// A policy document.
pub static POLICY: Shape = Shape::Object(&POLICY_FIELDS);
static POLICY_FIELDS: Object = Object {
    title: "a policy",
    rule: None,
    fields: &[
        SCHEMA_FIELD,
        Field::new(
            "type",
            Shape::Word(&["fallback", "load_balance"]),
            "fallback: hops in order; load_balance: one drawn by weight, the rest follow as fallbacks.",
        )
        .or("\"fallback\""),
        Field::new("description", Shape::Text(&PROSE), "For people."),
        Field::new("workload", Shape::Text(&WORKLOAD), "Under which name its requests are counted; else its own."),
        Field::new("chain", HOPS, "The hops, in order.").required(),
        Field::new("on", ON, "What to do on each class of error."),
        Field::new("backoff", Shape::Object(&BACKOFF_FIELDS), "Waits between tries of the same target."),
        Field::new("timeouts", TIMEOUTS, "The clocks of one call."),
        Field::new("deadline_ms", DEADLINE_MS, "The whole request, until commit.").or("600000"),
        Field::new("stream", STREAM, "When an answer commits, and how it is relayed."),
        Field::new(
            "breaker",
            Shape::Either(&[Shape::Object(&BREAKER_FIELDS), Shape::Null]),
            "When a failing target is left alone for a while; null is never.",
        ),
        Field::new("consent", CONSENT, "Whether a request may leave the first hop.").or("\"automatic\""),
        Field::new("keep", KEEP, "Boundaries that a fallback may not cross, compared with the first hop.").or("[]"),
        Field::new(
            "exhausted",
            Shape::Either(&[Shape::Word(&["last", "first", "most_actionable"]), Shape::Integer { min: 400, max: 599 }]),
            "Which attempt the final error speaks of, or a status of one's own.",
        )
        .or("\"last\""),
        Field::new("usage", Shape::Word(&["as_sent", "always"]), "Where token counts of a stream come from.")
            .or("\"as_sent\""),
        Field::new(
            "translate",
            Shape::Word(&["lenient", "strict", "never"]),
            "What to do about features that a hop of another family cannot honour.",
        )
        .or("\"lenient\""),
    ],
};
