//! What clients send: headers and bodies of every route, and the requests of each family as other wires get them.

use serde_json::Value;
use understudy::domain::catalogue::{Catalogue, Facts};
use understudy::domain::dialect::{self, Destination, Encoded, Wire, capability, envelope};
use understudy::domain::policy::{Param, Translate};
use understudy::domain::refusal::Refusal;
use understudy::domain::request::{Asked, Body, Endpoints, Envelope, Form, Headers, Limits};
use understudy::domain::route::{Family, MULTIPART, Route};
use understudy::domain::target::Target;

use super::{bounded, head_and_rest, headers};

/// A refusal is short, on one line, and says which 4xx it is.
#[track_caller]
fn check_refusal(refusal: &Refusal, input: &[u8]) {
    assert!((400..500).contains(&refusal.status), "{refusal:?}");
    assert!(!refusal.message.chars().any(|c| matches!(c, '\r' | '\n' | '\0')), "{refusal:?}");
    assert!(refusal.message.len() < 8_192, "{} bytes say what is wrong with {}", refusal.message.len(), input.len());
}

fn param(field: &str, value: Option<&str>) -> Param {
    let value = value.map(|json| serde_json::value::RawValue::from_string(json.to_owned()).expect("JSON"));
    Param { field: field.to_owned(), value }
}

pub fn json(input: &[u8]) {
    let (head, body) = head_and_rest(input);
    let headers: Headers = headers(head).into_iter().collect();
    for route in [Route::Chat, Route::Responses, Route::Messages, Route::Embeddings, Route::Multipart(MULTIPART[2])] {
        match Body::parse(&route, headers.value("content-type"), body) {
            Ok(read) => asked(&read, body, &headers),
            Err(refusal) => check_refusal(&refusal, input),
        }
    }
    match Envelope::parse(body) {
        Ok(envelope) => check_envelope(&envelope, body),
        Err(refusal) => check_refusal(&refusal, input),
    }
}

/// What a request asks beside its prompt: read in the same words, or refused.
fn asked(body: &Body, bytes: &[u8], headers: &Headers) {
    for endpoints in [Endpoints::On, Endpoints::Off] {
        let limits = Limits { endpoints, own_host: Some("understudy.example.com") };
        match Asked::read(body, bytes, headers, limits) {
            Err(refusal) => check_refusal(&refusal, bytes),
            Ok(asked) => {
                assert_eq!((asked.model.as_str(), asked.stream), (body.model(), body.stream()));
                assert!(asked.named().count() <= 17);
                // What is shown is the same under any key. (That a key does not occur in it would be no sign: a model may be called so.)
                let under_another = Asked::read(body, bytes, &with_another_key(headers), limits);
                let another = under_another.map(|asked| format!("{asked:?}"));
                let shown = format!("{asked:?}");
                assert!(another.is_ok_and(|another| another == shown), "a key is shown: {shown:.400}");
            }
        }
    }
}

/// The same headers with another key of a provider's, of the same length.
fn with_another_key(headers: &Headers) -> Headers {
    let other = |name: &str, value: &str| match name {
        "x-understudy-key-openai" => "k".repeat(value.len()),
        _ => value.to_owned(),
    };
    headers.iter().map(|(name, value)| (name.to_owned(), other(name, value))).collect()
}

/// What must be JSON, as a value. `None` where it holds half of a surrogate pair, or a number beyond all that a float holds: JSON by
/// its grammar, which goes on as it came, and no text or number that a value could hold.
fn value_of(what: &str, json: &[u8]) -> Option<Value> {
    match serde_json::from_slice(json) {
        Ok(value) => Some(value),
        Err(_) if json.windows(3).any(|bytes| bytes.eq_ignore_ascii_case(b"\\ud")) => None,
        Err(error) if error.to_string().starts_with("number out of range") => None,
        Err(error) => panic!("{what} is JSON: {error}"),
    }
}

/// Scanning by position agrees with a parser, and what goes upstream is the client's own but for what was consumed.
fn check_envelope(envelope: &Envelope, body: &[u8]) {
    let Some(before) = value_of("what the scan takes", body) else { return };
    assert_eq!(before["model"].as_str(), Some(envelope.model.as_str()));
    let params = [param("temperature", Some("0.25")), param("seed", None), param("understudy", Some("1"))];
    for (params, grown) in [(&params[..0], 0), (&params[..2], 64)] {
        let out = envelope.rewrite(body, "m\"\u{7f}", params);
        assert!(out.len() <= body.len() + grown + 64, "{} bytes of {}", out.len(), body.len());
        let after: Value = serde_json::from_slice(&out).expect("what goes upstream is JSON");
        assert_eq!(after["model"], "m\"\u{7f}");
        for name in ["models", "understudy", "openpipe", "requesty"] {
            assert!(after.get(name).is_none(), "{name} goes upstream");
        }
        for (name, value) in after.as_object().expect("an object") {
            if !matches!(name.as_str(), "model" | "metadata" | "temperature" | "seed") {
                assert_eq!(before.get(name), Some(value), "{name} was changed");
            }
        }
        let again = Envelope::parse(&out).unwrap_or_else(|refusal| panic!("our own body is refused: {refusal}"));
        assert_eq!(again.rewrite(&out, "m\"\u{7f}", params), out, "rewriting is done once");
    }
    let _ = (envelope.usage_param(body), envelope.cleaned(body, &params));
    if let Some(signed) = envelope.signed_param(body) {
        let out = envelope.rewrite(body, "m", &[signed]);
        let again = Envelope::parse(&out).unwrap_or_else(|refusal| panic!("our own body is refused: {refusal}"));
        assert!(again.signed_param(&out).is_none(), "a history is signed once");
    }
}

pub fn form(input: &[u8]) {
    let (head, body) = head_and_rest(input);
    let content_type = String::from_utf8_lossy(head);
    let content_type = content_type.lines().next().unwrap_or_default();
    let headers: Headers = [("content-type", content_type)].into_iter().collect();
    if let Ok(read) = Body::parse(&Route::Multipart(MULTIPART[0]), Some(content_type), body) {
        asked(&read, body, &headers);
    }
    let form = match Form::parse(content_type, body) {
        Ok(form) => form,
        Err(refusal) => return check_refusal(&refusal, input),
    };
    let _ = (form.value(body, "user"), form.value(body, "prompt"));
    let out = form.rewrite(body, "whisper-2", &[]);
    assert!(out.len() <= body.len() + 64);
    let again = Form::parse(content_type, &out).unwrap_or_else(|refusal| panic!("our own form is refused: {refusal}"));
    assert_eq!(again.model, "whisper-2");
    assert_eq!(again.rewrite(&out, &form.model, &[]), body, "there and back is where it was");
    let params = [param("temperature", Some("0.5")), param("prompt", None)];
    let out = form.rewrite(body, "whisper-2", &params);
    assert!(Form::parse(content_type, &out).is_ok(), "our own form is refused");
}

pub fn chat(input: &[u8]) {
    translated(Family::Chat, input);
}

pub fn responses(input: &[u8]) {
    translated(Family::Responses, input);
}

pub fn messages(input: &[u8]) {
    translated(Family::Messages, input);
    let _ = envelope::with_betas(input.to_vec(), "a-1, b-2,,\"");
}

const WIRES: [(Wire, &str, &str); 8] = [
    (Wire::Chat, "openai", "o3"),
    (Wire::Chat, "mistral", "mistral-large"),
    (Wire::Responses, "openai", "gpt-5"),
    (Wire::Messages, "anthropic", "claude-sonnet-4-5"),
    (Wire::Messages, "anthropic", "claude-opus-5"),
    (Wire::Invoke, "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (Wire::RawPredict, "vertex", "claude-sonnet-4-5"),
    (Wire::Converse, "bedrock", "amazon.nova-pro-v1:0"),
];

/// A request of a family, as every wire gets it: JSON, bounded, and fit to be read back where its wire is a family's.
fn translated(family: Family, body: &[u8]) {
    let catalogue = Catalogue::default();
    let needs = match Envelope::parse(body) {
        Ok(envelope) => capability::needs(family, body.len(), &|name| envelope.value(body, name)),
        Err(_) => capability::needs(family, body.len(), &|_| None),
    };
    for (wire, provider, model) in WIRES {
        let target = Target { provider: provider.to_owned(), model: model.to_owned(), region: None };
        let facts = catalogue.facts(&target);
        let candidate = capability::Candidate { facts: &facts, wire, model: "claude-m", same_provider: false };
        let _ = capability::lacks(&needs, family, candidate);
        let to = Destination { max_output_tokens: facts.max_output_tokens, ..Destination::of(wire, provider, model) };
        let lenient = dialect::translate_request(family, body, &to, &facts, Translate::Lenient);
        let strict = dialect::translate_request(family, body, &to, &facts, Translate::Strict);
        assert!(lenient.is_ok() || strict.is_err(), "strict takes what lenient does not");
        if let Err(refused) = &lenient {
            assert!(refused.0.len() < 1_024, "a feature of {} bytes", refused.0.len());
        }
        let Ok(encoded) = lenient else { continue };
        check_encoded(&encoded, body, wire, model);
        there_and_back(&encoded, wire, model, &facts);
    }
}

fn check_encoded(encoded: &Encoded, body: &[u8], wire: Wire, model: &str) {
    let Some(sent) = value_of("what goes upstream", &encoded.body) else { return };
    assert!(sent.is_object());
    bounded("a translated request", encoded.body.len(), body.len(), 24);
    bounded("what was dropped", encoded.dropped.iter().map(String::len).sum(), body.len(), 8);
    let named = matches!(wire, Wire::Chat | Wire::Responses | Wire::Messages);
    assert!(!named || sent["model"] == model, "{wire:?} names {}", sent["model"]);
}

/// What we write in a family's words, we read.
fn there_and_back(encoded: &Encoded, wire: Wire, model: &str, facts: &Facts) {
    let Some(family) = wire.family().filter(|_| matches!(wire, Wire::Chat | Wire::Responses | Wire::Messages)) else {
        return;
    };
    let back = match family {
        Family::Chat => Wire::Messages,
        Family::Responses | Family::Messages => Wire::Chat,
    };
    let to = Destination::of(back, "x", model);
    if let Ok(again) = dialect::translate_request(family, &encoded.body, &to, facts, Translate::Lenient) {
        value_of("what we read back", &again.body);
    }
}
