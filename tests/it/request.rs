//! The envelope: what is read of a body by position, and what goes on upstream.

use proptest::prelude::*;
use serde_json::{Value, json};
use understudy::domain::policy::Param;
use understudy::domain::request::{Body, Envelope, Form, MAX_VALUES};
use understudy::domain::route::{self, Route};

fn envelope(body: &str) -> Envelope {
    Envelope::parse(body.as_bytes()).unwrap_or_else(|refusal| panic!("{body}: {refusal}"))
}

fn param(field: &str, value: Option<&str>) -> Param {
    let value = value.map(|json| serde_json::value::RawValue::from_string(json.to_owned()).unwrap());
    Param { field: field.to_owned(), value }
}

#[track_caller]
fn rewrites(body: &str, params: &[Param], expected: &str) {
    let out = envelope(body).rewrite(body.as_bytes(), "m", params);
    assert_eq!(String::from_utf8_lossy(&out), expected, "{body}");
}

#[track_caller]
fn refuses(body: impl AsRef<[u8]>, code: &str, parts: &[&str]) {
    let body = body.as_ref();
    let refusal = match Envelope::parse(body) {
        Err(refusal) => refusal,
        Ok(_) => panic!("taken: {}", String::from_utf8_lossy(body)),
    };
    assert_eq!((refusal.status, refusal.code), (400, code), "{refusal}");
    for part in parts {
        assert!(refusal.message.contains(part), "{part:?} is not in {:?}", refusal.message);
    }
}

#[test]
fn only_the_model_changes_and_every_other_byte_stays() {
    rewrites(r#"{"model":"gpt-4o"}"#, &[], r#"{"model":"m"}"#);
    rewrites(
        "\n{ \"temperature\" : 1.0e+2,\t\"model\"  :  \"gpt-4o\" ,\r\n\"seed\": 9007199254740993, \"x\": \"\\u00e9\\/\" }\n ",
        &[],
        "\n{ \"temperature\" : 1.0e+2,\t\"model\"  :  \"m\" ,\r\n\"seed\": 9007199254740993, \"x\": \"\\u00e9\\/\" }\n ",
    );
}

#[test]
fn a_number_beyond_all_that_a_float_holds_goes_on_as_it_came() {
    let body = r#"{"model":"gpt-4o","seed":1e999,"metadata":{"a":-1E+400}}"#;
    rewrites(body, &[], &body.replace("gpt-4o", "m"));
}

/// OpenAI's server looks items up by their id: those that an answer of another family was written as are in nobody's store.
#[test]
fn items_that_were_made_here_go_back_without_what_no_server_knows() {
    let input = |input: &str| {
        let body = format!(r#"{{"model":"a","input":{input}}}"#);
        envelope(&body).input_param(body.as_bytes()).map(|param| (param.field, param.value.unwrap().get().to_owned()))
    };
    let changed = |before: &str, after: &str| {
        assert_eq!(input(before), Some(("input".to_owned(), after.to_owned())), "{before}");
    };
    changed(
        r#"[{"role":"user","content":"a"}, {"type":"reasoning","id":"rs_us_1_0","summary":[]}, {"id":"msg_us_1_1", "type":"message","role":"assistant","content":[]}]"#,
        r#"[{"role":"user","content":"a"},{"type":"message","role":"assistant","content":[]}]"#,
    );
    changed(
        r#"[{"type":"function_call","id":"fc_us_1_2","call_id":"call_us_a","name":"f","arguments":"{\"id\":\"rs_us_1\"}"},{"type":"reasoning","id":"rs_0a","summary":[ ]}]"#,
        r#"[{"type":"function_call","call_id":"call_us_a","name":"f","arguments":"{\"id\":\"rs_us_1\"}"},{"type":"reasoning","id":"rs_0a","summary":[ ]}]"#,
    );
    for whole in [
        r#""rs_us_1""#,
        r#"[{"role":"user","content":"rs_us_1"}]"#,
        r#"[{"type":"function_call_output","call_id":"call_us_a","output":"x"}]"#,
        r#"[{"id":5,"type":"a","x":"_us_"},"rs_us_1",null,{"id":"us_","type":"reasoning","x":"_us_"}]"#,
        "{\"a\":\"_us_\"}",
        "null",
    ] {
        assert_eq!(input(whole), None, "{whole}");
    }
    assert!(envelope(r#"{"model":"a"}"#).input_param(b"{\"model\":\"a\"}").is_none());
}

#[test]
fn consumed_members_go_with_their_comma() {
    rewrites(r#"{"understudy": {}, "model": "a", "n": 1}"#, &[], r#"{"model": "m", "n": 1}"#);
    rewrites(r#"{"model": "a", "understudy": {"a": [1]}, "n": 1}"#, &[], r#"{"model": "m", "n": 1}"#);
    rewrites(r#"{"model": "a", "n": 1, "models": ["b"] }"#, &[], r#"{"model": "m", "n": 1 }"#);
    rewrites(
        r#"{ "openpipe": {}, "models": [], "model": "a", "requesty": {}, "understudy": {} }"#,
        &[],
        r#"{ "model": "m" }"#,
    );
    rewrites(r#"{"mod\u0065l": "a", "understud\u0079": {}}"#, &[], r#"{"mod\u0065l": "m"}"#);
}

#[test]
fn metadata_loses_our_keys_and_nothing_else() {
    rewrites(
        r#"{"model":"a","metadata": { "waystone": "{}", "a" : "b" },"n":1}"#,
        &[],
        r#"{"model":"m","metadata": { "a" : "b" },"n":1}"#,
    );
    rewrites(
        r#"{"model":"a","metadata":{"a":"b","understudy":"{}", "c":"d","waystone":"{}"}}"#,
        &[],
        r#"{"model":"m","metadata":{"a":"b","c":"d"}}"#,
    );
    rewrites(r#"{"metadata":{"waystone":"{}"},"model":"a"}"#, &[], r#"{"model":"m"}"#);
    rewrites(r#"{"model":"a", "metadata":{"waystone":"{}","understudy":"{}"}}"#, &[], r#"{"model":"m"}"#);
    // An empty one of the client's own is the client's business, and so is one that is no object.
    rewrites(r#"{"model":"a","metadata":{}}"#, &[], r#"{"model":"m","metadata":{}}"#);
    rewrites(r#"{"model":"a","metadata":null}"#, &[], r#"{"model":"m","metadata":null}"#);
    rewrites(r#"{"model":"a","metadata":[{"waystone":1}]}"#, &[], r#"{"model":"m","metadata":[{"waystone":1}]}"#);
}

#[test]
fn params_set_and_remove_top_level_fields() {
    let body = r#"{"model": "a", "temperature": 0.5, "user": "u"}"#;
    rewrites(body, &[param("temperature", Some("0"))], r#"{"model": "m", "temperature": 0, "user": "u"}"#);
    rewrites(body, &[param("user", None)], r#"{"model": "m", "temperature": 0.5}"#);
    rewrites(
        body,
        &[param("top_p", Some("{\"a\": 1}")), param("user", None), param("seed", None)],
        r#"{"model": "m", "temperature": 0.5,"top_p":{"a": 1}}"#,
    );
    rewrites(r#"{"model": "a"}"#, &[param("n", Some("1")), param("o", Some("2"))], r#"{"model": "m","n":1,"o":2}"#);
    rewrites(
        r#"{"model":"a","metadata":{"waystone":"{}"}}"#,
        &[param("metadata", Some("{}"))],
        r#"{"model":"m","metadata":{}}"#,
    );
    rewrites(r#"{"model":"a","n":1,"n":2}"#, &[param("n", None)], r#"{"model":"m"}"#);
    // A field that only Understudy reads of a client may be one that the hop's provider knows: what the owner sets goes on.
    let models = [param("models", Some("[\"b\"]"))];
    rewrites(r#"{"model":"a"}"#, &models, r#"{"model":"m","models":["b"]}"#);
    rewrites(r#"{"model":"a","models":["c"],"n":1}"#, &models, r#"{"model":"m","n":1,"models":["b"]}"#);
}

#[test]
fn the_cleaned_body_keeps_the_client_s_model() {
    let body = r#"{"model": "policy/x", "understudy": {}, "n": 1}"#;
    let cleaned = envelope(body).cleaned(body.as_bytes(), &[param("n", Some("2"))]);
    assert_eq!(String::from_utf8_lossy(&cleaned), r#"{"model": "policy/x", "n": 2}"#);
}

#[test]
fn the_usage_param_keeps_other_stream_options() {
    let cases = [
        (r#"{"model":"a"}"#, Some(r#"{"include_usage":true}"#)),
        (r#"{"model":"a","stream_options":null}"#, Some(r#"{"include_usage":true}"#)),
        (r#"{"model":"a","stream_options":{"include_usage":false,"x":1}}"#, Some(r#"{"include_usage":true,"x":1}"#)),
        (r#"{"model":"a","stream_options":{"include_usage":true}}"#, None),
    ];
    for (body, expected) in cases {
        let param = envelope(body).usage_param(body.as_bytes());
        assert_eq!(param.as_ref().map(|param| param.value.as_ref().unwrap().get()), expected, "{body}");
    }
}

#[test]
fn what_is_read() {
    let read = envelope(r#"{"stream":true,"model":"a\/b","tools":[{"x":"}"}],"user":"u"}"#);
    assert_eq!((read.model.as_str(), read.stream), ("a/b", true));
    let body = br#"{"stream":true,"model":"a\/b","tools":[{"x":"}"}],"user":"u"}"#;
    assert_eq!(read.value(body, "tools"), Some(&br#"[{"x":"}"}]"#[..]));
    assert_eq!(read.value(body, "x"), None);
    assert!(!envelope(r#"{"model":"a","stream":null}"#).stream);
    assert!(!envelope(r#"{"model":"a","stream":false}"#).stream);
}

#[test]
fn what_is_no_json_is_refused_where_it_stops() {
    refuses("", "invalid_json", &["expected a JSON object", "line 1 column 1 (byte 0)"]);
    refuses("hello", "invalid_json", &["expected a JSON object", "'h'"]);
    refuses("[]", "invalid_json", &["expected a JSON object"]);
    refuses("{\"model\": \"a\",\n  \"n\": tru}", "invalid_json", &["expected a value", "line 2 column 8 (byte 22)"]);
    refuses(r#"{"model":"a"} x"#, "invalid_json", &["nothing may follow", "byte 14"]);
    refuses(r#"{"model":"a",}"#, "invalid_json", &["expected a key", "byte 13"]);
    refuses(r#"{"model":"a" "n":1}"#, "invalid_json", &["expected ',' or '}'"]);
    refuses(r#"{"model":"a","n":[1 2]}"#, "invalid_json", &["expected ',' or ']'"]);
    refuses(r#"{"model":"a","n":[1}}"#, "invalid_json", &["expected ',' or ']'"]);
    refuses(r#"{"model":"a","n":{"b":1]}"#, "invalid_json", &["expected ',' or '}'"]);
    refuses(r#"{"model":"a"#, "invalid_json", &["no end", "byte 9"]);
    refuses(r#"{"model":"a\x"}"#, "invalid_json", &["no such escape"]);
    refuses(r#"{"model":"\u12g4"}"#, "invalid_json", &["no such escape"]);
    refuses("{\"model\":\"a\nb\"}", "invalid_json", &["control character", "byte 0x0a"]);
    refuses(b"{\"model\":\"\xff\"}", "invalid_json", &["not UTF-8", "byte 10"]);
    for number in ["01", "-", "1.", ".5", "1e", "+1", "0x1", "1e+", "--1", "NaN"] {
        refuses(format!(r#"{{"model":"a","n":{number}}}"#), "invalid_json", &["byte"]);
    }
    for number in ["0", "-0", "1.5", "1e9", "1E-9", "-12.5e+10"] {
        envelope(&format!(r#"{{"model":"a","n":{number}}}"#));
    }
}

#[test]
fn nesting_and_members_are_bounded() {
    let nested = |levels: usize| format!(r#"{{"model":"a","n":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    envelope(&nested(126));
    refuses(nested(127), "invalid_json", &["the body is nested deeper than 127 levels at line 1"]);
    refuses(nested(100_000), "invalid_json", &["deeper than 127"]);
    refuses(r#"{"model":"a","n":"#.to_owned() + &r#"{"a":"#.repeat(100_000), "invalid_json", &["deeper than 127"]);
    // The depth that is taken here is taken by the parser of translated bodies as well.
    serde_json::from_str::<Value>(&nested(126)).unwrap();
    let members: Vec<String> = (0..1_001).map(|n| format!(r#""k{n}":0"#)).collect();
    refuses(
        format!("{{{}}}", members.join(",")),
        "invalid_json",
        &["the body holds too much: an object here has at most 1000 members at line 1"],
    );
}

#[test]
fn the_values_of_a_body_that_may_be_written_anew_are_bounded() {
    // Its model, the list, and what is in it.
    let body = |values: usize| {
        let inside = [r#"[{}]"#, r#"{"a":1}"#, "null", "7"].iter().cycle().take(values).copied().collect::<Vec<_>>();
        format!(r#"{{"model":"a","input":[{}]}}"#, inside.join(","))
    };
    let values = |listed: usize| 2 + listed + listed.div_ceil(4) + (listed + 2) / 4;
    assert_eq!(envelope(&body(10)).values, values(10));
    let listed = (1..).find(|listed| values(*listed) >= MAX_VALUES).unwrap();
    let (most, over) = (body(listed), body(listed + 1));
    assert_eq!(envelope(&most).values, MAX_VALUES);
    let read = |route, body: &str| Body::parse(&route, None, body.as_bytes());
    for route in [Route::Chat, Route::Responses, Route::Messages, Route::CountTokens] {
        read(route.clone(), &most).unwrap();
        let refusal = read(route, &over).unwrap_err();
        assert_eq!((refusal.status, refusal.code), (400, "invalid_json"));
        assert!(refusal.message.contains("at most 500000"), "{refusal}");
    }
    // Tokens by their numbers, which nothing here looks at.
    read(Route::Embeddings, &over).unwrap();
    read(Route::Completions, &over).unwrap();
}

#[test]
fn the_model_is_given_once_as_a_string() {
    refuses(r#"{"messages":[]}"#, "missing_required_parameter", &["model: missing"]);
    refuses("{}", "missing_required_parameter", &["model: missing"]);
    refuses(r#"{"model": 5}"#, "invalid_type", &["model: expected a string, got a number", "byte 10"]);
    refuses(r#"{"model":null}"#, "invalid_type", &["got null"]);
    refuses(r#"{"model":{"model":"a"}}"#, "invalid_type", &["got an object"]);
    refuses(r#"{"model":"\ud800"}"#, "invalid_type", &["not Unicode"]);
    refuses(r#"{"model":"a","n":1,"mod\u0065l":"b"}"#, "duplicate_parameter", &["model: given twice", "byte 19"]);
    for name in ["stream", "metadata", "models", "understudy", "openpipe", "requesty"] {
        let body = format!(r#"{{"model":"a","{name}":null,"{name}":null}}"#);
        refuses(body, "duplicate_parameter", &[name, "given twice", "byte"]);
    }
    let body = r#"{"model":"a","metadata":{"waystone":"{}","waystone":"{}"}}"#;
    refuses(body, "duplicate_parameter", &["metadata.waystone: given twice"]);
    refuses(r#"{"model":"a","stream":"true"}"#, "invalid_type", &["stream: expected true or false, got a string"]);
    refuses(r#"{"model":"a","stream":1}"#, "invalid_type", &["stream", "a number"]);
}

#[test]
fn metadata_is_bounded() {
    let body = |size: usize| format!(r#"{{"model":"a","metadata":{{"k":"{}"}}}}"#, "x".repeat(size));
    envelope(&body(16_000));
    refuses(body(17_000), "invalid_value", &["metadata", "16384"]);
}

#[test]
fn the_largest_body_is_read_in_linear_time() {
    let text = "the quick brown fox\\n".repeat((16 << 20) / 20);
    let body = format!(r#"{{"messages":[{{"content":"{text}"}}],"model":"a"}}"#);
    let read = envelope(&body);
    assert_eq!(read.rewrite(body.as_bytes(), "b", &[]).len(), body.len());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[\"\\\\\u{0}-\u{1f}a-c]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        "[a-z]{1,8}",
        Just("models".to_owned()),
        Just("understudy".to_owned()),
        Just("requesty".to_owned())
    ];
    let metadata = prop::option::of(prop::collection::vec(
        (prop_oneof!["[a-z]{1,4}", Just("waystone".to_owned()), Just("understudy".to_owned())], "[a-z]{0,4}"),
        0..4,
    ));
    (prop::collection::vec((name, any_json()), 0..6), metadata, any::<usize>()).prop_map(|(members, metadata, at)| {
        let mut members: Vec<(String, Value)> = members.into_iter().filter(|(name, _)| name != "stream").collect();
        members.insert(at % (members.len() + 1), ("model".to_owned(), json!("a")));
        if let Some(metadata) = metadata {
            let metadata = metadata.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
            members.insert(at % (members.len() + 1), ("metadata".to_owned(), Value::Object(metadata)));
        }
        Value::Object(members.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_rewritten_body_means_the_same_but_for_what_was_consumed(body in any_body(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&body).unwrap() } else { body.to_string() };
        let mut expected = body.clone();
        let members = expected.as_object_mut().unwrap();
        for name in ["models", "understudy", "openpipe", "requesty"] {
            members.shift_remove(name);
        }
        members.insert("model".to_owned(), json!("other/\"model\""));
        if let Some(Value::Object(metadata)) = members.get_mut("metadata") {
            let before = metadata.len();
            metadata.shift_remove("waystone");
            metadata.shift_remove("understudy");
            if metadata.is_empty() && before > 0 {
                members.shift_remove("metadata");
            }
        }
        let out = envelope(&text).rewrite(text.as_bytes(), "other/\"model\"", &[]);
        prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
    }

    #[test]
    fn bytes_outside_the_changes_are_the_client_s(body in any_body()) {
        // Nothing of it is consumed here, so with its own model put back the body is what it was.
        let Value::Object(members) = body else { unreachable!() };
        let kept = members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "models" | "understudy" | "requesty" | "metadata"));
        let text = serde_json::to_string_pretty(&Value::Object(kept.collect())).unwrap();
        let out = envelope(&text).rewrite(text.as_bytes(), "a", &[]);
        prop_assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn any_bytes_are_judged_as_the_json_parser_judges_them(bytes in prop::collection::vec(
        prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'),
            Just(b'1'), Just(b'0'), Just(b'.'), Just(b'e'), Just(b'-'), Just(b'n'), Just(b' '), any::<u8>()], 0..24)) {
        let mut body = b"{\"model\":\"a\",\"n\":".to_vec();
        body.extend_from_slice(&bytes);
        body.push(b'}');
        // serde_json reads numbers as f64 and refuses 1e999: those digits are too few to reach it.
        let valid = serde_json::from_slice::<Value>(&body).is_ok();
        let taken = match Envelope::parse(&body) {
            Ok(_) => true,
            Err(refusal) => refusal.code != "invalid_json",
        };
        prop_assert_eq!(taken, valid || lone_surrogate(&body), "{}", String::from_utf8_lossy(&body));
    }
}

/// Half a surrogate pair is JSON by its grammar, yet no text.
fn lone_surrogate(body: &[u8]) -> bool {
    body.windows(3).any(|window| matches!(window, [b'\\', b'u', b'd' | b'D']))
}

const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;name=model\\\".mp3\"\r\n\
    Content-Type: audio/mpeg\r\n\r\n\x00\x01--B not a delimiter\r\n--Bx\r\n\r\n--B\r\n\
    content-disposition: form-data; name=model\r\n\r\nwhisper-1\r\n--B  \r\n\
    Content-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--B--\r\nepilogue";

#[test]
fn a_form_s_model_is_replaced_and_the_rest_stays() {
    let form = Form::parse("multipart/form-data; charset=utf-8; Boundary=\"B\"", FORM.as_bytes()).unwrap();
    assert_eq!((form.model.as_str(), form.stream), ("whisper-1", true));
    let out = form.rewrite(FORM.as_bytes(), "openai/other", &[]);
    assert_eq!(String::from_utf8(out).unwrap(), FORM.replace("whisper-1", "openai/other"));
}

#[test]
fn params_of_a_form_are_its_fields() {
    let form = Form::parse("multipart/form-data; boundary=B", FORM.as_bytes()).unwrap();
    let params = [param("stream", None), param("language", Some("\"en\"")), param("temperature", Some("0.5"))];
    let out = String::from_utf8(form.rewrite(FORM.as_bytes(), "m", &params)).unwrap();
    let again = Form::parse("multipart/form-data; boundary=B", out.as_bytes()).unwrap();
    assert!(!again.stream && out.ends_with("--B--\r\nepilogue"), "{out}");
    assert_eq!(again.value(out.as_bytes(), "language"), Some("en"));
    assert_eq!(again.value(out.as_bytes(), "temperature"), Some("0.5"));
    assert_eq!(again.value(out.as_bytes(), "stream"), None);
    let set = String::from_utf8(form.rewrite(FORM.as_bytes(), "whisper-1", &[param("stream", Some("false"))])).unwrap();
    assert_eq!(set, FORM.replace("true", "false"));
}

#[test]
fn a_form_that_is_none_is_refused_where_it_stops() {
    let part = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\na\r\n";
    let cases = [
        ("multipart/form-data", format!("{part}--B--"), "invalid_form", "boundary"),
        ("multipart/form-data; boundary=", format!("{part}--B--"), "invalid_form", "70"),
        ("multipart/form-data; boundary=B", String::new(), "invalid_form", "no delimiter"),
        ("multipart/form-data; boundary=B", part.to_owned(), "invalid_form", "closing delimiter"),
        ("multipart/form-data; boundary=B", format!("{part}{part}--B--"), "duplicate_parameter", "byte"),
        ("multipart/form-data; boundary=B", "--B--".to_owned(), "missing_required_parameter", "model"),
        ("multipart/form-data; boundary=B", "--B\r\n\r\n\r\n--B--".to_owned(), "invalid_form", "byte 0"),
        ("multipart/form-data; boundary=B", part.replace("\r\n\r\na", "\r\n\r\n\u{0}") + "--B--", "", ""),
    ];
    for (content_type, body, code, message) in cases {
        match Form::parse(content_type, body.as_bytes()) {
            Ok(form) => assert_eq!((form.model.as_str(), code), ("\u{0}", "")),
            Err(refusal) => {
                assert_eq!((refusal.status, refusal.code), (400, code), "{refusal}");
                assert!(refusal.message.contains(message), "{refusal}");
            }
        }
    }
}

/// The commonest slip of all: a `base_url` without its `/v1`, or with two.
#[test]
fn a_route_that_is_none_says_which_was_meant() {
    for (path, meant) in [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/models/gpt-4o", "/v1/models/gpt-4o"),
        ("/audio/transcriptions", "/v1/audio/transcriptions"),
    ] {
        assert_eq!(route::meant(path).as_deref(), Some(meant), "{path}");
        let said = route::not_found(path);
        assert!(said.starts_with(&format!("there is no route {path}; did you mean {meant}? ")), "{said}");
    }
    for path in ["/", "/v1", "/v1/nothing", "/v1/chat/completions", "/v1nothing", "/nothing"] {
        assert_eq!(route::meant(path), None, "{path}");
    }
    assert_eq!(route::not_found("/v1/nothing"), "there is no route /v1/nothing; the README lists them");
}
