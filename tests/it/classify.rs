//! The classifier: providers' error answers, as they give them, and the class that each is.

use serde_json::{Value, json};
use understudy::domain::classify::{
    ErrorRule, Facts, classify, classify_error_value, disowned, duration, reclassify, retry_after,
};
use understudy::domain::outcome::{Class, Failure};
use understudy::domain::time::{Instant, Span};

use crate::recorded;

/// Wed, 21 Oct 2015 07:28:00 GMT
const NOW: Instant = Instant(1_445_412_480_000);

fn answer(provider: &str, status: u16, headers: &[(&str, &str)], body: &[u8], rules: &[ErrorRule]) -> Failure {
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    classify(&Facts { status, header: &header, body, provider, rules, now: NOW })
}

#[track_caller]
fn is(class: Class, status: u16, body: &Value) -> Failure {
    is_of("openai", class, status, &[], &body.to_string())
}

#[track_caller]
fn is_of(provider: &str, class: Class, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let failure = answer(provider, status, headers, body.as_bytes(), &[]);
    assert_eq!(failure.class, class, "{status} {body}");
    assert_eq!(failure.status, Some(status));
    failure
}

fn openai(kind: &str, code: Value, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn anthropic(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
}

#[test]
fn every_status_has_a_class() {
    for (statuses, class) in [
        (vec![100, 101, 204, 301, 302, 304, 307, 600, 999], Class::Malformed),
        (vec![400, 405, 406, 409, 410, 413, 415, 418, 422, 424, 425, 451, 499], Class::InvalidRequest),
        (vec![401], Class::Auth),
        (vec![402], Class::QuotaExhausted),
        (vec![403], Class::Forbidden),
        (vec![404], Class::NotFound),
        (vec![408, 504, 524], Class::Timeout),
        (vec![429], Class::RateLimited),
        (vec![500, 501, 502, 505, 599], Class::ServerError),
        (vec![503, 529], Class::Overloaded),
        (vec![520, 521, 522, 523, 525, 526, 527, 530], Class::Unreachable),
    ] {
        for status in statuses {
            is_of("acme", class, status, &[], "");
            is_of("acme", class, status, &[], "<html><body>Bad gateway: maximum context length is 5</body></html>");
            is_of("acme", class, status, &[], "not json");
        }
    }
}

#[test]
fn openai_errors() {
    let invalid = "invalid_request_error";
    is(Class::InvalidRequest, 400, &openai(invalid, json!("decimal_below_min_value"), "Invalid 'temperature'"));
    is(Class::ContextLength, 400, &openai(invalid, json!("context_length_exceeded"), "too long"));
    is(Class::ContextLength, 400, &openai(invalid, Value::Null, "This model's maximum context length is 4097 tokens."));
    is(
        Class::ContextLength,
        400,
        &openai(invalid, Value::Null, "Your input exceeds the context window of this model."),
    );
    is(
        Class::ContextLength,
        400,
        &openai(invalid, Value::Null, "Input tokens exceed the configured limit of 9 tokens"),
    );
    is(
        Class::Unsupported,
        400,
        &openai(invalid, json!("unsupported_parameter"), "Unsupported parameter: 'max_tokens'"),
    );
    is(Class::Unsupported, 400, &openai(invalid, json!("unsupported_value"), "x"));
    is(Class::Unsupported, 400, &openai(invalid, Value::Null, "Web search options not supported with this model."));
    is(Class::ContentPolicy, 400, &openai(invalid, json!("content_policy_violation"), "Your request was rejected"));
    is(Class::ContentPolicy, 400, &openai(invalid, json!("invalid_prompt"), "flagged"));
    is(Class::Auth, 401, &openai(invalid, json!("invalid_api_key"), "Incorrect API key provided"));
    is(Class::Forbidden, 403, &openai("request_forbidden", json!("unsupported_country_region_territory"), "no"));
    is(Class::NotFound, 404, &openai(invalid, json!("model_not_found"), "The model `x` does not exist"));
    is(Class::RateLimited, 429, &openai("requests", json!("rate_limit_exceeded"), "Rate limit reached"));
    is(Class::RateLimited, 429, &openai("tokens", Value::Null, "Request too large for gpt-4o"));
    is(Class::Overloaded, 429, &openai("tokens", json!("slow_down"), "Slow down"));
    for code in [
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ] {
        is(Class::QuotaExhausted, 429, &openai("insufficient_quota", json!(code), "You exceeded your current quota"));
    }
    is(Class::ServerError, 500, &openai("server_error", Value::Null, "The server had an error"));
    is(Class::Overloaded, 503, &openai("service_unavailable_error", json!("server_is_overloaded"), "busy"));
}

#[test]
fn anthropic_errors() {
    let of = |class, status, kind: &str, message: &str| is(class, status, &anthropic(kind, message));
    let failure = of(Class::Overloaded, 529, "overloaded_error", "Overloaded");
    assert_eq!((failure.code.as_deref(), failure.reason.as_str()), (Some("overloaded_error"), "Overloaded"));
    of(Class::InvalidRequest, 400, "invalid_request_error", "messages: at least one message is required");
    of(Class::ContextLength, 400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum");
    of(
        Class::ContextLength,
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    );
    of(Class::QuotaExhausted, 400, "invalid_request_error", "Your credit balance is too low to access the API.");
    of(Class::Unsupported, 400, "invalid_request_error", "This model does not support effort level 'xhigh'.");
    of(Class::Unsupported, 400, "invalid_request_error", "foo: Extra inputs are not permitted");
    of(Class::Unsupported, 400, "invalid_request_error", "`temperature` is deprecated for this model.");
    of(Class::ContentPolicy, 400, "invalid_request_error", "Output blocked by content filtering policy");
    of(Class::Auth, 401, "authentication_error", "invalid x-api-key");
    of(Class::QuotaExhausted, 402, "billing_error", "payment");
    of(Class::Forbidden, 403, "permission_error", "no");
    of(Class::NotFound, 404, "not_found_error", "model: xyz");
    of(Class::ContextLength, 413, "request_too_large", "Request exceeds the maximum size");
    of(Class::RateLimited, 429, "rate_limit_error", "This request would exceed your rate limit");
    of(Class::ServerError, 500, "api_error", "Internal server error");
    of(Class::Timeout, 504, "timeout_error", "Request timed out");
    is_of("anthropic", Class::ContextLength, 413, &[], "<html>413 Request Entity Too Large</html>");
    let spent = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "limit",
        "details": {"error_code": "enforced_spend_limit_reached"}}});
    is(Class::QuotaExhausted, 429, &spent);
}

#[test]
fn bedrock_errors() {
    let of =
        |class, status, kind: &str, body: &str| is_of("bedrock", class, status, &[("x-amzn-errortype", kind)], body);
    let failure = of(
        Class::RateLimited,
        429,
        "ThrottlingException:http://internal.amazon.com/coral/",
        r#"{"message":"Too many tokens, please wait before trying again."}"#,
    );
    assert_eq!(failure.code.as_deref(), Some("ThrottlingException"));
    of(
        Class::QuotaExhausted,
        429,
        "ThrottlingException",
        r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
    );
    of(Class::InvalidRequest, 400, "ValidationException", r#"{"message":"bad"}"#);
    of(Class::ContextLength, 400, "ValidationException", r#"{"message":"Input is too long for requested model."}"#);
    of(Class::ContextLength, 400, "ValidationException", r#"{"message":"prompt tokens (9) exceed model maximum (5)"}"#);
    of(Class::NotFound, 400, "ValidationException", r#"{"message":"The provided model identifier is invalid."}"#);
    of(
        Class::NotFound,
        400,
        "ValidationException",
        "{\"message\":\"Invocation of model ID x with on-demand throughput isn\u{2019}t supported.\"}",
    );
    of(Class::Forbidden, 403, "com.amazon#AccessDeniedException", r#"{"Message":"no"}"#);
    of(
        Class::Auth,
        403,
        "UnrecognizedClientException",
        r#"{"message":"The security token included in the request is invalid."}"#,
    );
    of(Class::Auth, 403, "ExpiredTokenException", "{}");
    of(Class::Auth, 403, "InvalidSignatureException", "{}");
    of(Class::NotFound, 404, "ResourceNotFoundException", "{}");
    of(
        Class::Forbidden,
        404,
        "ResourceNotFoundException",
        r#"{"message":"Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model."}"#,
    );
    of(Class::Timeout, 408, "ModelTimeoutException", "{}");
    of(Class::ServerError, 424, "ModelErrorException", r#"{"message":"x","originalStatusCode":500}"#);
    of(Class::ServerError, 424, "ModelErrorException", r#"{"message":"x","originalStatusCode":503}"#);
    of(Class::ServerError, 424, "ModelErrorException", r#"{"message":"x","originalStatusCode":504}"#);
    of(Class::RateLimited, 424, "ModelErrorException", r#"{"message":"x","originalStatusCode":429}"#);
    of(Class::InvalidRequest, 424, "ModelErrorException", r#"{"message":"x","originalStatusCode":400}"#);
    of(Class::ServerError, 424, "ModelStreamErrorException", "{}");
    of(Class::RateLimited, 429, "ModelNotReadyException", "{}");
    of(Class::ServerError, 500, "InternalServerException", "{}");
    of(Class::Overloaded, 503, "ServiceUnavailableException", "{}");
    is_of(
        "bedrock",
        Class::Forbidden,
        400,
        &[],
        r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"x"}"#,
    );
}

#[test]
fn azure_gemini_and_others() {
    let azure = json!({"error": {"message": "The response was filtered", "type": null, "param": "prompt", "code": "content_filter",
        "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}});
    is(Class::ContentPolicy, 400, &azure);
    let flagged = "openai/o3 requires moderation on OpenRouter. Your input was flagged for \"violence\".";
    is(
        Class::ContentPolicy,
        403,
        &json!({"error": {"code": 403, "message": flagged, "metadata": {"reasons": ["violence"]}}}),
    );
    is(
        Class::ContentPolicy,
        400,
        &openai("invalid_request_error", json!("invalid_request_error"), "Content Exists Risk"),
    );
    let refused = "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO";
    is(Class::ContentPolicy, 403, &json!({"code": "permission-denied", "error": refused}));
    is(Class::Forbidden, 403, &json!({"code": "permission-denied", "error": "Your key may not use this model."}));
    let failure =
        is(Class::RateLimited, 429, &json!({"error": {"code": "429", "message": "Please retry after 86400 seconds."}}));
    assert_eq!(failure.retry_after, Some(Span(86_400_000)));
    is(Class::NotFound, 404, &json!({"error": {"code": "DeploymentNotFound", "message": "x"}}));
    let gone = "The model `x` has been decommissioned and is no longer supported.";
    is(Class::NotFound, 400, &openai("invalid_request_error", json!("model_decommissioned"), gone));

    let gemini = |quota: &str| {
        json!([{"error": {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}]}}])
    };
    let failure = is(Class::RateLimited, 429, &gemini("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"));
    assert_eq!(failure.retry_after, Some(Span(34_400)));
    is(Class::QuotaExhausted, 429, &gemini("GenerateRequestsPerDayPerProjectPerModel-FreeTier"));
    let google = |class, status: u16, word: &str, message: &str| {
        is(class, status, &json!({"error": {"code": status, "message": message, "status": word}}));
    };
    google(Class::InvalidRequest, 400, "INVALID_ARGUMENT", "Request contains an invalid argument.");
    google(Class::Auth, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.");
    google(
        Class::ContextLength,
        400,
        "INVALID_ARGUMENT",
        "The input token count (9) exceeds the maximum number of tokens allowed (5).",
    );
    google(
        Class::ContextLength,
        500,
        "INTERNAL",
        "The input token count (9) exceeds the maximum number of tokens allowed (5).",
    );
    google(Class::Forbidden, 400, "FAILED_PRECONDITION", "User location is not supported for the API use.");
    google(Class::Forbidden, 403, "PERMISSION_DENIED", "no");
    google(Class::NotFound, 404, "NOT_FOUND", "models/x is not found");
    google(Class::ServerError, 500, "INTERNAL", "An internal error has occurred.");
    google(Class::Overloaded, 503, "UNAVAILABLE", "The model is overloaded.");
    google(Class::Timeout, 504, "DEADLINE_EXCEEDED", "late");
    let field = "Invalid JSON payload received. Unknown name \"seed\": Cannot find field.";
    google(Class::Unsupported, 400, "INVALID_ARGUMENT", field);
    for tools in ["This model doesn't support tool use.", "This model doesn’t support the toolChoice.auto field."] {
        is_of(
            "bedrock",
            Class::Unsupported,
            400,
            &[("x-amzn-errortype", "ValidationException")],
            &json!({"message": tools}).to_string(),
        );
    }
    let format = "This response_format type is unavailable now";
    is(Class::Unsupported, 400, &openai("invalid_request_error", json!("invalid_request_error"), format));

    is(Class::QuotaExhausted, 402, &openai("unknown_error", json!("invalid_request_error"), "Insufficient Balance"));
    let spent = "Your team has either used all available credits or reached its monthly spending limit.";
    is(Class::QuotaExhausted, 429, &json!({"code": "Some resource has been exhausted", "error": spent}));
    is(Class::QuotaExhausted, 429, &json!({"code": "resource-exhausted", "error": spent}));
    is(Class::QuotaExhausted, 403, &json!({"code": "permission-denied", "error": spent}));
    google(Class::QuotaExhausted, 429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.");
    let usage = "You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC.";
    is(Class::QuotaExhausted, 400, &anthropic("invalid_request_error", usage));
    is(
        Class::ContextLength,
        400,
        &json!({"object": "error", "message": "This model's maximum context length is 8192 tokens.", "code": 40303}),
    );
    is(
        Class::ContextLength,
        400,
        &json!({"detail": "Requested token count exceeds the model's maximum context length of 8192"}),
    );
    is(
        Class::ContextLength,
        400,
        &json!({"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}),
    );
    // xAI, Workers AI, Together, Nova on Bedrock, Groq.
    let long = "This model's maximum prompt length is 131072 but the request contains 537812 tokens.";
    is(Class::ContextLength, 400, &json!({"code": "invalid-argument", "error": long}));
    let long = "AiError: The estimated number of input and maximum output tokens (8810) exceeded this model context window limit (8192)";
    is(Class::ContextLength, 413, &json!({"success": false, "errors": [{"code": 5021, "message": long}]}));
    let long =
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens";
    is(Class::ContextLength, 422, &openai("invalid_request_error", Value::Null, long));
    let long = "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length.";
    is_of(
        "bedrock",
        Class::ContextLength,
        400,
        &[("x-amzn-errortype", "ValidationException")],
        &json!({"message": long}).to_string(),
    );
    let inband = classify_error_value(&json!({"__type": "validationException", "message": long}), Some(200));
    assert_eq!(inband.class, Class::ContextLength);
    is(
        Class::ContextLength,
        400,
        &openai("invalid_request_error", Value::Null, "Please reduce the length of the messages or completion."),
    );
    let failure = is(
        Class::InvalidRequest,
        422,
        &json!({"detail": [{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]}),
    );
    assert_eq!(failure.reason, "body.messages: field required");
    let mistral = json!({"object": "error", "type": "invalid_request_error", "code": null, "message": {"detail": [{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]}});
    assert_eq!(is(Class::InvalidRequest, 422, &mistral).reason, "body.messages: field required");
    let detail = json!({"detail": {"message": "out of credit", "type": "insufficient_quota"}});
    assert_eq!(is(Class::QuotaExhausted, 429, &detail).reason, "out of credit");
    assert_eq!(is(Class::InvalidRequest, 400, &json!({"error": "bad thing"})).reason, "bad thing");
    assert_eq!(is(Class::InvalidRequest, 400, &json!({"message": "bad thing"})).reason, "bad thing");
    assert_eq!(is(Class::InvalidRequest, 400, &json!("bad thing")).reason, "bad thing");
    assert_eq!(is_of("acme", Class::ServerError, 502, &[], "<html>\n<h1>502</h1>").reason, "status 502");
}

/// Words of hosts for a parameter that they lack, a key that they do not know, and a prompt that is too long.
#[test]
fn other_hosts_words() {
    let xai = |error: &str| json!({"code": "Client specified an invalid argument", "error": error});
    is(Class::Unsupported, 400, &xai("Argument not supported on this model: reasoningEffort"));
    let groq = "'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property 'reasoning_content' is unsupported)]";
    is(Class::Unsupported, 400, &openai("invalid_request_error", Value::Null, groq));
    for (key, class) in [
        ("Authentication failed: Please make sure your API Key is valid.", Class::Auth),
        ("Bearer Token has expired", Class::Auth),
        ("You don't have access to the model with the specified model ID.", Class::Forbidden),
    ] {
        is_of("bedrock", class, 403, &[], &json!({"Message": key}).to_string());
    }
    for (status, long) in [
        (400, "The decoder prompt (length 17772) is longer than the maximum model length of 16384."),
        (400, "The prompt (total length 25938) is too long to fit into the model (context length 4096)."),
        (400, "You passed 9000 input tokens. However, the model's context length is only 8192 tokens"),
    ] {
        is(
            Class::ContextLength,
            status,
            &json!({"object": "error", "message": long, "type": "BadRequestError", "code": status}),
        );
    }
    is(
        Class::ContextLength,
        500,
        &json!({"detail": "The decoder prompt (length 9) is longer than the maximum model length of 8."}),
    );
    // A quota of the day, whatever the word beside it.
    let day = json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDayPerProject"}]});
    let reason = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"});
    for details in [json!([reason, day]), json!([day, reason])] {
        let said = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "q", "details": details}});
        is(Class::QuotaExhausted, 429, &said);
    }
}

/// OpenRouter says no more than that the host behind it failed; what that one said stands beside it, as text or as it is.
#[test]
fn what_the_host_behind_openrouter_said_counts() {
    let said = |code: u16, raw: Value| json!({"error": {"message": "Provider returned error", "code": code, "metadata": {"raw": raw, "provider_name": "Azure"}}});
    let filtered = openai("invalid_request_error", json!("content_filter"), "The prompt was filtered");
    for raw in [json!(filtered.to_string()), filtered.clone()] {
        let failure = is(Class::ContentPolicy, 400, &said(400, raw));
        assert_eq!(failure.code.as_deref(), Some("content_filter"));
    }
    let long = anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum");
    is(Class::ContextLength, 400, &said(400, json!(long.to_string())));
    is(Class::RateLimited, 429, &said(429, json!("x is temporarily rate-limited upstream")));
    for raw in [Value::Null, json!("[]"), json!("{"), json!(5), said(400, json!("{}"))] {
        is(Class::InvalidRequest, 400, &said(400, raw));
    }
}

#[test]
fn the_providers_own_rules_come_first() {
    let rule =
        |status, contains: Option<&str>, class| ErrorRule { status, contains: contains.map(str::to_owned), class };
    let rules = [
        rule(Some(400), Some("CAPACITY"), Class::Overloaded),
        rule(None, Some("context_length_exceeded"), Class::InvalidRequest),
        rule(Some(418), None, Class::RateLimited),
    ];
    let of = |status, body: &str| answer("acme", status, &[("retry-after", "3")], body.as_bytes(), &rules);
    assert_eq!(of(400, "no capacity left").class, Class::Overloaded);
    assert_eq!(of(500, "no capacity left").class, Class::ServerError);
    assert_eq!(of(400, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#).class, Class::InvalidRequest);
    let failure = of(418, "");
    assert_eq!((failure.class, failure.retry_after), (Class::RateLimited, Some(Span(3_000))));
}

#[test]
fn the_providers_own_rules_are_asked_of_a_200_too() {
    let rule =
        |status, contains: Option<&str>, class| ErrorRule { status, contains: contains.map(str::to_owned), class };
    let rules = [
        rule(Some(200), Some("server busy"), Class::Overloaded),
        rule(None, Some("no capacity"), Class::RateLimited),
        rule(Some(200), None, Class::ServerError),
    ];
    // In a shape of its own, which is no answer.
    let malformed = || Failure { status: Some(200), ..Failure::new(Class::Malformed, "no choices") };
    let busy = br#"{"code": 1305, "msg": "Server busy"}"#;
    let failure = reclassify(malformed(), &rules, busy);
    assert_eq!((failure.class, failure.body.as_deref()), (Class::Overloaded, Some(&busy[..])));
    assert_eq!(reclassify(malformed(), &rules, b"no capacity").class, Class::RateLimited);
    assert_eq!(reclassify(malformed(), &rules, b"else").class, Class::ServerError);
    assert_eq!(reclassify(malformed(), &rules[..1], b"else"), malformed());
    // What was said before an error, or before a stream broke off, is no error.
    let error = Failure { body: Some(b"{}".to_vec()), ..Failure::new(Class::Overloaded, "x") };
    assert_eq!(reclassify(error.clone(), &rules[1..2], b"no capacity"), error);
    let cut = Failure::new(Class::Interrupted, "x");
    assert_eq!(reclassify(cut.clone(), &rules[1..2], b"no capacity"), cut);
    // A good answer is an error by a rule alone that names its status and a text.
    assert_eq!(disowned(200, b"The server BUSY page", &rules).map(|failure| failure.class), Some(Class::Overloaded));
    for (status, body) in [(201, "server busy"), (200, "no capacity"), (200, "Hello")] {
        assert_eq!(disowned(status, body.as_bytes(), &rules), None, "{status} {body}");
    }
}

#[test]
fn errors_inside_a_200() {
    for (value, class) in [
        (anthropic("overloaded_error", "Overloaded"), Class::Overloaded),
        (anthropic("api_error", "Internal server error"), Class::ServerError),
        (anthropic("invalid_request_error", "prompt is too long: 5 tokens > 4 maximum"), Class::ContextLength),
        (anthropic("invalid_request_error", "messages"), Class::InvalidRequest),
        (json!({"code": 502, "message": "Provider returned error"}), Class::ServerError),
        (json!({"error": {"code": 429, "message": "slow"}}), Class::RateLimited),
        (json!({"error": {"code": "503", "message": "slow"}}), Class::Overloaded),
        (json!({"code": "server_error", "message": "x"}), Class::ServerError),
        (json!({"code": "rate_limit_exceeded", "message": "x"}), Class::RateLimited),
        (json!({"type": "insufficient_quota", "code": "insufficient_quota", "message": "x"}), Class::QuotaExhausted),
        (json!({"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}), Class::RateLimited),
        (json!({"response": {"error": {"code": "invalid_prompt", "message": "x"}}}), Class::ContentPolicy),
        (json!({"message": "something odd"}), Class::ServerError),
        (json!("something odd"), Class::ServerError),
        (json!({"__type": "validationException", "message": "x"}), Class::InvalidRequest),
        (json!({"__type": "modelTimeoutException", "message": "x"}), Class::Timeout),
        (json!({"__type": "serviceUnavailableException", "message": "x"}), Class::Overloaded),
    ] {
        let failure = classify_error_value(&value, Some(200));
        assert_eq!((failure.class, failure.status), (class, Some(200)), "{value}");
        assert!(!failure.reason.is_empty());
    }
}

/// Every code that a Responses stream may fail with: of a picture that it cannot read another try changes nothing.
#[test]
fn codes_of_a_response_that_failed() {
    let of = |code: &str| classify_error_value(&json!({"code": code, "message": "x"}), Some(200)).class;
    for code in [
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ] {
        assert_eq!(of(code), Class::InvalidRequest, "{code}");
    }
    for (code, class) in [
        ("server_error", Class::ServerError),
        ("rate_limit_exceeded", Class::RateLimited),
        ("invalid_prompt", Class::ContentPolicy),
        ("bio_policy", Class::ContentPolicy),
        ("image_content_policy_violation", Class::ContentPolicy),
        ("data_residency_mismatch", Class::Forbidden),
        ("vector_store_timeout", Class::Timeout),
    ] {
        assert_eq!(of(code), class, "{code}");
    }
}

/// An upstream that repeats text which was cut amid a character still says what is wrong.
#[test]
fn half_a_character_in_an_error_hides_nothing_of_it() {
    let body = br#"{"error": {"message": "no place for 'a\ud83d'", "type": "x", "code": "context_length_exceeded"}}"#;
    let failure = answer("openai", 400, &[], body, &[]);
    assert_eq!((failure.class, failure.reason.as_str()), (Class::ContextLength, "no place for 'a\u{fffd}'"));
}

/// Of an error no more than 64 KiB are read: what stands there counts, wherever the cut falls.
#[test]
fn an_error_longer_than_what_is_read_of_it_is_known_by_its_beginning() {
    let long = "no \"room\" \u{1f600} \\".repeat(6_000);
    let body =
        json!({"error": {"code": "insufficient_quota", "type": "insufficient_quota", "param": null, "message": long}});
    let body = body.to_string();
    assert!(body.len() > 64 << 10);
    let failure = answer("openai", 429, &[], body.as_bytes(), &[]);
    assert_eq!((failure.class, failure.code.as_deref()), (Class::QuotaExhausted, Some("insufficient_quota")));
    assert!(failure.reason.starts_with("no \"room\""), "{}", &failure.reason[..20]);
    let list = json!([{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED", "details": [{"a": 1, "b": [2, "é\n"]}, {"c": 3}]}}]);
    let list = list.to_string();
    let end = list.find("\"details\"").expect("details");
    for cut in end..list.len() {
        let failure = answer("google", 429, &[], &list.as_bytes()[..cut], &[]);
        assert_eq!((failure.class, failure.reason.as_str()), (Class::RateLimited, "slow"), "{}", &list[..end]);
    }
    for text in ["{", "[", "{}", "{oops", "[ERROR] no", "{\"a", "[[[[", &"[".repeat(100_000)] {
        assert_eq!(answer("x", 500, &[], text.as_bytes(), &[]).class, Class::ServerError, "{}", text.len());
    }
}

#[test]
fn how_long_an_upstream_asks_to_wait() {
    let waits = |headers: &[(&str, &str)]| answer("openai", 429, headers, b"", &[]).retry_after.map(|span| span.0);
    assert_eq!(waits(&[]), None);
    assert_eq!(waits(&[("retry-after", "2")]), Some(2_000));
    assert_eq!(waits(&[("retry-after", "1.5")]), Some(1_500));
    assert_eq!(waits(&[("retry-after", "0")]), Some(0));
    assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")]), Some(30_000));
    assert_eq!(waits(&[("retry-after", "Wednesday, 21-Oct-15 07:28:30 GMT")]), Some(30_000));
    assert_eq!(waits(&[("retry-after", "Wed Oct 21 07:28:30 2015")]), Some(30_000));
    assert_eq!(waits(&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")]), Some(0));
    assert_eq!(waits(&[("retry-after-ms", "250"), ("retry-after", "2")]), Some(250));
    assert_eq!(waits(&[("x-ms-retry-after-ms", "1234")]), Some(1_234));
    for nonsense in ["", "soon", "-5", "NaN", "inf", "1e400"] {
        assert_eq!(waits(&[("retry-after", nonsense)]), None, "{nonsense}");
    }
    assert_eq!(retry_after("99999999999999999999999", NOW).map(|span| span.0), Some(u64::MAX));
    let reset = |left| waits(&[("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", "6m0s")]);
    assert_eq!((reset("0"), reset("10")), (Some(360_000), None));
    let reset = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2015-10-21T07:28:09Z"),
    ];
    assert_eq!(waits(&reset), Some(9_000));
    assert_eq!(answer("openai", 302, &[("retry-after", "2")], b"", &[]).retry_after, None);
    for (message, ms) in [
        ("Rate limit reached. Please try again in 20s. Visit x", 20_000),
        ("Please try again in 1m3s.", 63_000),
        ("Please try again in 12ms.", 12),
        ("Please try again in 7.66s. Need more tokens?", 7_660),
        ("Please retry after 15 seconds.", 15_000),
        ("Please retry in 34.4s.", 34_400),
        ("Please wait, retry after 2 minutes", 120_000),
    ] {
        let body = openai("tokens", Value::Null, message).to_string();
        assert_eq!(answer("openai", 429, &[], body.as_bytes(), &[]).retry_after, Some(Span(ms)), "{message}");
    }
}

#[test]
fn durations() {
    for (text, ms) in [
        ("1s", 1_000),
        ("6m0s", 360_000),
        ("12ms", 12),
        ("1h2m3s", 3_723_000),
        ("5", 5_000),
        ("0.5s", 500),
        ("1 minute 30 seconds", 90_000),
        ("1m 3s.", 63_000),
        ("20 seconds 3 times", 20_000),
    ] {
        assert_eq!(duration(text), Some(Span(ms)), "{text}");
    }
    for text in ["", "s", "soon", "..s"] {
        assert_eq!(duration(text), None, "{text}");
    }
}

#[test]
fn recorded_errors() {
    for (case, class) in [
        ("anthropic/error-count-tokens-model", Class::NotFound),
        ("anthropic/error-effort", Class::Unsupported),
        ("bedrock/error-model", Class::NotFound),
        ("google/error-429-retry-info", Class::RateLimited),
        ("openai-responses/error-quota", Class::QuotaExhausted),
        ("openai-responses/error-temperature", Class::InvalidRequest),
        ("openai-responses/temperature-error", Class::Unsupported),
        ("openai/error-developer-role", Class::Unsupported),
        ("openai/error-system-role", Class::Unsupported),
        ("openai/error-web-search", Class::Unsupported),
        ("openai/legacy-parameter-error", Class::Unsupported),
    ] {
        let (Some(body), Some(meta)) = (recorded::bytes(case, "response.json"), recorded::json(case, "meta.json"))
        else {
            return;
        };
        let status = meta["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(400);
        assert_eq!(answer("x", status, &[], &body, &[]).class, class, "{case}");
    }
}

#[test]
fn nothing_in_a_body_is_too_strange() {
    let deep = format!("{}1{}", "{\"error\":".repeat(100), "}".repeat(100));
    for body in [
        deep.as_str(),
        "[[[[]]]]",
        "[]",
        "{\"error\":{\"details\":[1,null,{}]}}",
        "{\"error\":{\"code\":99999999999}}",
        "\u{0}",
    ] {
        assert_eq!(answer("x", 400, &[], body.as_bytes(), &[]).class, Class::InvalidRequest, "{body}");
    }
}
