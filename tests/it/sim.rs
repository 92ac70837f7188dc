//! Provider `sim`: on every route it gives what the route's own readers take.

use serde_json::{Value, json};
use understudy::domain::answer;
use understudy::domain::classify::{Facts, classify};
use understudy::domain::dialect::Wire;
use understudy::domain::outcome::Class;
use understudy::domain::relay::Ending;
use understudy::domain::route::{Family, MULTIPART, Route};
use understudy::domain::scripted::Scripted;
use understudy::domain::sim::{Act, Answer, Asked, End, Played, play};
use understudy::domain::time::{Instant, Span};

use crate::relay::{self, setup};

const GENERATING: [(Route, Wire, Family); 4] = [
    (Route::Chat, Wire::Chat, Family::Chat),
    (Route::Responses, Wire::Responses, Family::Responses),
    (Route::Messages, Wire::Messages, Family::Messages),
    (Route::Completions, Wire::Completions, Family::Chat),
];

fn asked<'a>(route: &'a Route, wire: Wire, body: &'a [u8], stream: bool) -> Asked<'a> {
    Asked { route, wire, model: "sim/x", body, stream, now: Instant(1_700_000_000_000), request_id: "req1" }
}

fn body() -> Vec<u8> {
    let said = json!([{"role": "user", "content": "first"}, {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "text", "text": "hello brave world"}]}]);
    json!({"messages": said, "input": "hello brave world", "prompt": "hello brave world"}).to_string().into_bytes()
}

#[track_caller]
fn answers(model: &str, asked: &Asked<'_>) -> Answer {
    match play(&Act::of_model(model), asked) {
        Played::Answer(answer) => answer,
        other => panic!("{model}: {other:?}"),
    }
}

fn bytes(answer: &Answer) -> Vec<u8> {
    answer.pieces.iter().flat_map(|piece| piece.bytes.clone()).collect()
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&bytes(answer)).expect("JSON")
}

#[test]
fn echo_repeats_the_user_on_every_generating_route() {
    for (route, wire, family) in GENERATING {
        let body = body();
        let whole = answers("echo", &asked(&route, wire, &body, false));
        assert!(String::from_utf8(bytes(&whole)).unwrap().contains("hello brave world"), "{route:?}");
        let checked = answer::check(&route, wire, &bytes(&whole), None, false).expect("a good answer");
        assert!(checked.rewritten.is_none());

        let stream = answers("echo", &asked(&route, wire, &body, true));
        assert_eq!((stream.content_type, stream.end), ("text/event-stream", End::Close));
        let pieces: Vec<&[u8]> = stream.pieces.iter().map(|piece| piece.bytes.as_slice()).collect();
        let went = relay::play(setup(wire, family), pieces, Ending::Clean);
        assert_eq!(went.tail.outcome, None, "{route:?}");
        assert_eq!((went.contents, went.tail.content_bytes), (3, 17), "{route:?}");
    }
}

#[test]
fn a_drilled_bedrock_call_is_answered_in_the_wires_own_frames_and_json() {
    let body = body();
    for wire in [Wire::Invoke, Wire::Converse] {
        let asked_stream = asked(&Route::Chat, wire, &body, true);
        let Played::Answer(stream) = play(&Act::of_script(&Scripted::Ok), &asked_stream) else { panic!("an answer") };
        assert_eq!(stream.content_type, "application/vnd.amazon.eventstream");
        let went = relay::play(setup(wire, Family::Chat), [bytes(&stream).as_slice()], Ending::Clean);
        assert_eq!((went.tail.outcome, went.contents), (None, 3), "{wire:?}");
        assert!(
            went.client.contains("hello") && went.client.ends_with("data: [DONE]\n\n"),
            "{wire:?}: {}",
            went.client
        );
        assert_eq!(went.tail.usage.map(|usage| usage.output), Some(3), "{wire:?}");

        let cut = Act::of_script(&Scripted::Cut(2));
        let Played::Answer(stream) = play(&cut, &asked_stream) else { panic!("an answer") };
        let went = relay::play(setup(wire, Family::Chat), [bytes(&stream).as_slice()], Ending::Clean);
        assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(Class::Interrupted), "{wire:?}");

        let Played::Answer(whole) = play(&Act::of_script(&Scripted::Ok), &asked(&Route::Chat, wire, &body, false))
        else {
            panic!("an answer")
        };
        let checked = answer::check(&Route::Chat, wire, &bytes(&whole), Some(&crate::dialect::voice()), false);
        let answer: Value = serde_json::from_slice(&checked.expect("a good answer").rewritten.unwrap()).unwrap();
        assert_eq!(answer["choices"][0]["message"]["content"], "hello brave world", "{wire:?}");
        assert_eq!(answer["usage"]["completion_tokens"], 3, "{wire:?}");
    }
}

#[test]
fn slow_cut_and_stall() {
    let body = body();
    let asked_stream = asked(&Route::Chat, Wire::Chat, &body, true);
    let slow = answers("slow?first_token_ms=1500&tokens=4&interval_ms=20", &asked_stream);
    let delays: Vec<u64> = slow.pieces.iter().map(|piece| piece.after.0).collect();
    assert_eq!(delays, [0, 1500, 20, 20, 20, 0]);

    let cut = answers("cut?after=2", &asked_stream);
    assert_eq!((cut.end, cut.pieces.len()), (End::Close, 3));
    assert!(!String::from_utf8(bytes(&cut)).unwrap().contains("finish_reason\":\"stop"));
    assert_eq!(answers("stall?after=0", &asked_stream).end, End::Stall);
    assert_eq!(answers("stall?after=0", &asked_stream).pieces.len(), 1);

    let asked_whole = asked(&Route::Chat, Wire::Chat, &body, false);
    let slow = answers("slow?first_token_ms=1500", &asked_whole);
    assert_eq!((slow.pieces.len(), slow.pieces[0].after), (1, Span(1500)));
    assert_eq!(answers("cut", &asked_whole).end, End::Break);
    assert!(!bytes(&answers("cut", &asked_whole)).is_empty());
    assert!(bytes(&answers("cut?after=0", &asked_whole)).is_empty(), "of audio any byte would be content");
    assert_eq!(answers("slow?tokens=999999999&first_token_ms=x", &asked_stream).pieces.len(), 10_002);
}

#[test]
fn every_class_fails_so() {
    for class in Class::ALL {
        for (route, wire, family) in GENERATING {
            let body = body();
            let asked = asked(&route, wire, &body, true);
            let met = match play(&Act::of_model(class.name()), &asked) {
                Played::Silence => Class::Timeout,
                Played::Fails(failure) => failure.class,
                Played::Answer(answer) if answer.status == 200 => {
                    let bytes = bytes(&answer);
                    let went = relay::play(setup(wire, family), [bytes.as_slice()], Ending::Clean);
                    went.committed.expect_err("it fails").class
                }
                Played::Answer(answer) => {
                    let (status, body) = (answer.status, bytes(&answer));
                    let facts =
                        Facts { status, header: &|_| None, body: &body, provider: "sim", rules: &[], now: Instant(0) };
                    classify(&facts).class
                }
            };
            assert_eq!(met, class, "{route:?}");
        }
    }
}

#[test]
fn scripted_statuses() {
    let asked = asked(&Route::Chat, Wire::Chat, b"{}", false);
    let scripted = Scripted::parse("429;retry-after=2").unwrap();
    let Played::Answer(answer) = play(&Act::of_script(&scripted), &asked) else { panic!("an answer") };
    assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("2")));
    for status in ["204", "304"] {
        let act = Act::of_script(&Scripted::parse(status).unwrap());
        let Played::Answer(answer) = play(&act, &asked) else { panic!("an answer") };
        assert_eq!((answer.status.to_string().as_str(), answer.pieces.len()), (status, 0));
    }
}

#[test]
fn images_transcripts_and_speech_are_streamed_where_they_are_asked_so() {
    let of = |model: &str, route: Route, body: Value| {
        let body = body.to_string().into_bytes();
        answers(model, &asked(&route, Wire::Opaque, &body, true))
    };
    let kinds = |answer: &Answer| {
        assert_eq!(answer.content_type, "text/event-stream");
        let text = String::from_utf8(bytes(answer)).expect("text");
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let kind =
            |event: &str| serde_json::from_str::<Value>(event).expect("JSON")["type"].as_str().map(str::to_owned);
        events.filter_map(kind).collect::<Vec<_>>().join(" ")
    };
    let one = of("echo", Route::ImagesGenerations, json!({"prompt": "a", "partial_images": 1}));
    assert_eq!((&*kinds(&one), one.end), ("image_generation.partial_image image_generation.completed", End::Close));
    assert_eq!(kinds(&of("echo", Route::Multipart("/images/edits"), Value::Null)), "image_edit.completed");
    let transcript = of("slow?tokens=2", Route::Multipart("/audio/transcriptions"), Value::Null);
    assert_eq!(kinds(&transcript), "transcript.text.delta transcript.text.delta transcript.text.done");
    let speech = json!({"input": "a b", "stream_format": "sse"});
    assert_eq!(
        kinds(&of("echo", Route::AudioSpeech, speech)),
        "speech.audio.delta speech.audio.delta speech.audio.done"
    );
    for route in [Route::ImagesGenerations, Route::Multipart("/audio/transcriptions")] {
        let cut = of("cut?after=2", route.clone(), Value::Null);
        assert_eq!((cut.pieces.len(), cut.end), (2, End::Break), "{route:?}");
        let stalls = of("stall?after=1", route.clone(), Value::Null);
        assert_eq!((stalls.pieces.len(), stalls.end), (1, End::Stall), "{route:?}");
    }
}

#[test]
fn the_other_routes() {
    let of = |route: Route, body: Value| {
        let body = body.to_string().into_bytes();
        let answer = answers("echo", &asked(&route, Wire::Opaque, &body, false));
        assert!(answer::check(&route, Wire::Opaque, &bytes(&answer), None, false).is_ok(), "{route:?}");
        answer
    };
    let embeddings = value(&of(Route::Embeddings, json!({"input": ["a", "b", "a"], "dimensions": 3})));
    let vectors = embeddings["data"].as_array().unwrap();
    assert_eq!((vectors.len(), vectors[0]["embedding"].as_array().unwrap().len()), (3, 3));
    assert_eq!(vectors[0]["embedding"], vectors[2]["embedding"]);
    assert_ne!(vectors[0]["embedding"], vectors[1]["embedding"]);
    let packed = value(&of(Route::Embeddings, json!({"input": "a", "encoding_format": "base64"})));
    assert!(packed["data"][0]["embedding"].is_string());
    assert_eq!(value(&of(Route::Moderations, json!({"input": "a"})))["results"][0]["flagged"], false);
    assert_eq!(value(&of(Route::Moderations, json!({"input": ["a", "b"]})))["results"].as_array().unwrap().len(), 2);
    assert!(value(&of(Route::ImagesGenerations, json!({"prompt": "a"})))["data"][0]["b64_json"].is_string());
    assert!(value(&of(Route::CountTokens, json!({"messages": []})))["input_tokens"].is_u64());
    let speech = of(Route::AudioSpeech, json!({"input": "a"}));
    assert_eq!((speech.content_type, &bytes(&speech)[..4]), ("audio/wav", &b"RIFF"[..]));
    for path in MULTIPART {
        let answer = of(Route::Multipart(path), Value::Null);
        assert!(value(&answer).get(if path.starts_with("/audio") { "text" } else { "data" }).is_some(), "{path}");
    }
}

#[test]
fn a_model_that_sim_lacks() {
    let answer = answers("gpt-4o", &asked(&Route::Chat, Wire::Chat, b"{}", false));
    assert_eq!((answer.status, &value(&answer)["error"]["code"]), (404, &json!("model_not_found")));
}
