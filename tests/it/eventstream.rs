//! Event-stream frames: published vectors, recorded Bedrock streams, every split, every defect by name.

use crate::recorded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use understudy::domain::eventstream::{BadFrame, FRAME_MAX, Frame, Frames, Value, encode};

/// All frames of a whole stream, given in pieces of one size.
fn decode(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, BadFrame> {
    let mut frames = Frames::default();
    let mut found = Vec::new();
    for chunk in bytes.chunks(piece.max(1)) {
        frames.push(chunk);
        while let Some(frame) = frames.take()? {
            found.push(frame);
        }
    }
    frames.finish().map(|()| found)
}

/// A value as the recordings' `frames.json` writes it: type and value.
fn described(value: &Value) -> (&'static str, Json) {
    match value {
        Value::Bool(true) => ("true", json!(true)),
        Value::Bool(false) => ("false", json!(false)),
        Value::Byte(n) => ("byte", json!(n)),
        Value::Short(n) => ("short", json!(n)),
        Value::Int(n) => ("int", json!(n)),
        Value::Long(n) => ("long", json!(n)),
        Value::Bytes(raw) => ("bytes", json!(STANDARD.encode(raw))),
        Value::Text(text) => ("string", json!(text)),
        Value::Timestamp(ms) => ("timestamp", json!(ms)),
        Value::Uuid(raw) => {
            let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            ("uuid", json!(parts.join("-")))
        }
    }
}

#[track_caller]
fn matches_recording(case: &str) {
    let (Some(bytes), Some(expected)) = (recorded::bytes(case, "response.bin"), recorded::json(case, "frames.json"))
    else {
        return;
    };
    let frames = decode(&bytes, 7).unwrap_or_else(|bad| panic!("{case}: {bad}"));
    let expected = expected.as_array().expect("frames.json is a list");
    assert_eq!(frames.len(), expected.len(), "{case}: number of frames");
    for (frame, expected) in frames.iter().zip(expected) {
        let headers: Vec<Json> = frame
            .headers
            .iter()
            .map(|(name, value)| {
                let (kind, value) = described(value);
                json!([name, kind, value])
            })
            .collect();
        match &expected["headers"] {
            Json::Array(list) => assert_eq!(&headers, list, "{case}: headers"),
            Json::Object(map) => {
                for (name, value) in map {
                    assert_eq!(frame.text(name), value.as_str(), "{case}: header {name}");
                }
            }
            other => panic!("{case}: headers are {other}"),
        }
        match &expected["payload"] {
            Json::String(text) => assert_eq!(String::from_utf8_lossy(&frame.payload), *text, "{case}: payload"),
            value => {
                let payload: Json = serde_json::from_slice(&frame.payload).expect("the payload is JSON");
                assert_eq!(&payload, value, "{case}: payload");
            }
        }
    }
}

#[test]
fn valid_vectors_and_recorded_streams_decode_to_their_frames() {
    for case in [
        "eventstream/valid-empty-payload",
        "eventstream/valid-no-headers",
        "eventstream/valid-with-all-headers-and-payload",
        "bedrock/iter-stream-1",
        "bedrock/iter-stream-2",
        "bedrock/redacted-thinking-stream",
    ] {
        matches_recording(case);
    }
}

#[test]
fn invalid_vectors_are_refused_by_the_defect_that_shows_first() {
    for (case, expected) in [
        ("invalid-header-name-length", BadFrame::MessageChecksum),
        ("invalid-header-name-length-too-long", BadFrame::MessageChecksum),
        ("invalid-header-string-length-cut-off", BadFrame::MessageChecksum),
        ("invalid-header-string-value-length", BadFrame::MessageChecksum),
        ("invalid-header-value-type", BadFrame::MessageChecksum),
        ("invalid-headers-length", BadFrame::HeadersLength(0)),
        ("invalid-message-checksum", BadFrame::MessageChecksum),
        ("invalid-prelude-checksum", BadFrame::PreludeChecksum),
    ] {
        let Some(bytes) = recorded::bytes(&format!("eventstream/{case}"), "response.bin") else { return };
        let bad = decode(&bytes, bytes.len()).expect_err(case);
        // Lengths in the vectors are not what is tested here: the kind of defect is.
        assert_eq!(std::mem::discriminant(&bad), std::mem::discriminant(&expected), "{case}: {bad}");
    }
}

fn sample() -> Vec<Frame> {
    let text = |name: &str, value: &str| (name.to_owned(), Value::Text(value.to_owned()));
    vec![
        Frame {
            headers: vec![text(":message-type", "event"), text(":event-type", "chunk")],
            payload: br#"{"bytes":"e30="}"#.to_vec(),
        },
        Frame::default(),
        Frame {
            headers: vec![
                ("yes".to_owned(), Value::Bool(true)),
                ("no".to_owned(), Value::Bool(false)),
                ("uuid".to_owned(), Value::Uuid([7; 16])),
                ("at".to_owned(), Value::Timestamp(-1)),
            ],
            payload: Vec::new(),
        },
    ]
}

fn stream_of(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(encode).collect()
}

#[test]
fn a_stream_split_at_every_byte_gives_the_same_frames() {
    let frames = sample();
    let bytes = stream_of(&frames);
    for at in 0..=bytes.len() {
        let mut decoder = Frames::default();
        let mut found = Vec::new();
        for part in [&bytes[..at], &bytes[at..]] {
            decoder.push(part);
            while let Some(frame) = decoder.take().expect("valid") {
                found.push(frame);
            }
        }
        assert_eq!(decoder.finish(), Ok(()), "split at {at}");
        assert_eq!(found, frames, "split at {at}");
    }
    assert_eq!(decode(&bytes, 1), Ok(frames));
}

#[test]
fn a_stream_cut_anywhere_else_than_between_frames_is_truncated() {
    let frames = sample();
    let bytes = stream_of(&frames);
    let mut ends = vec![0];
    for frame in &frames {
        ends.push(ends.last().expect("not empty") + encode(frame).len());
    }
    for at in 0..=bytes.len() {
        let start = ends.iter().rev().find(|end| **end <= at).expect("0 is an end");
        let expected = if *start == at { None } else { Some(BadFrame::Truncated(at - start)) };
        assert_eq!(decode(&bytes[..at], 64).err(), expected, "cut at {at}");
    }
}

#[test]
fn any_flipped_bit_is_found() {
    let frame = &sample()[0];
    let bytes = encode(frame);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&damaged, damaged.len()).is_err(), "bit {bit}");
    }
}

/// A frame with these raw header bytes, and these lengths in its prelude, its checksums right.
fn raw_frame(total: u32, header_length: u32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = [total.to_be_bytes(), header_length.to_be_bytes()].concat();
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(rest);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

#[track_caller]
fn refused_headers(headers: &[u8], expected: BadFrame) {
    let length = u32::try_from(headers.len()).expect("small");
    let bytes = raw_frame(16 + length, length, headers);
    assert_eq!(decode(&bytes, bytes.len()), Err(expected));
}

#[test]
fn defects_behind_right_checksums_are_named() {
    let huge = u32::try_from(FRAME_MAX).expect("fits") + 1;
    for (total, headers, expected) in [
        (15, 0, BadFrame::Length(15)),
        (0, 0, BadFrame::Length(0)),
        (huge, 0, BadFrame::Length(huge)),
        (u32::MAX, 0, BadFrame::Length(u32::MAX)),
        (16, 1, BadFrame::HeadersLength(1)),
        (1 << 20, 131_073, BadFrame::HeadersLength(131_073)),
    ] {
        assert_eq!(decode(&raw_frame(total, headers, &[]), 64), Err(expected));
    }
    refused_headers(&[5, b'a'], BadFrame::HeaderCutOff("name"));
    refused_headers(&[1, b'a'], BadFrame::HeaderCutOff("type"));
    refused_headers(&[1, b'a', 5, 0, 0], BadFrame::HeaderCutOff("value"));
    refused_headers(&[1, b'a', 7, 0], BadFrame::HeaderCutOff("length"));
    refused_headers(&[1, b'a', 7, 0, 9, b'x'], BadFrame::HeaderCutOff("value"));
    refused_headers(&[1, b'a', 10], BadFrame::HeaderType(10));
    refused_headers(&[0, 0], BadFrame::HeaderName);
    refused_headers(&[1, 0xff, 0], BadFrame::HeaderName);
    refused_headers(&[1, b'a', 7, 0, 1, 0xff], BadFrame::HeaderText);
}

#[test]
fn a_stream_that_failed_stays_failed() {
    let mut frames = Frames::default();
    frames.push(&raw_frame(15, 0, &[]));
    assert_eq!(frames.take(), Err(BadFrame::Length(15)));
    frames.push(&stream_of(&sample()));
    assert_eq!(frames.take(), Err(BadFrame::Length(15)));
    assert_eq!(frames.finish(), Err(BadFrame::Length(15)));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        "\\PC{0,20}".prop_map(Value::Text),
        any::<i64>().prop_map(Value::Timestamp),
        any::<[u8; 16]>().prop_map(Value::Uuid),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let headers = proptest::collection::vec(("[a-z:-]{1,20}", any_value()), 0..5);
    let payload = proptest::collection::vec(any::<u8>(), 0..200);
    (headers, payload).prop_map(|(headers, payload)| Frame { headers, payload })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_encoded_decodes_to_itself_in_pieces_of_any_size(
        frames in proptest::collection::vec(any_frame(), 0..5),
        piece in 1usize..300,
    ) {
        prop_assert_eq!(decode(&stream_of(&frames), piece), Ok(frames));
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
        let _ = decode(&noise, piece);
    }
}
