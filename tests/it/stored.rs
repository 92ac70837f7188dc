//! What is stored, pinned byte for byte: a change of a format fails here, and rows of earlier versions still load.

use std::path::Path;
use understudy::domain::breaker::BreakerSnapshot;
use understudy::domain::ledger::board::Board;
use understudy::domain::ledger::cell::Cell;
use understudy::domain::ledger::control::Usage;
use understudy::domain::ledger::packed::{write_cell, write_targets};
use understudy::domain::ledger::places::Piece;
use understudy::domain::ledger::rollup::Dimension;
use understudy::domain::ledger::row::{AttemptRow, Billed, RequestRow, Tokens};
use understudy::domain::ledger::stored::texts;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stored").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim_end().to_owned()
}

/// A value is written as the fixture, and the fixture is read as the value.
#[track_caller]
fn pinned<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let written = serde_json::to_string(value).expect("it is written");
    let known = fixture(name);
    assert_eq!(written, known, "{name}");
    assert_eq!(&serde_json::from_str::<T>(&known).expect("it is read"), value, "{name}");
}

fn row() -> RequestRow {
    let failed = AttemptRow {
        seq: 0,
        at: 1_795_248_000_001,
        call: true,
        model: "anthropic/claude-sonnet-4-5".into(),
        key: "managed".into(),
        outcome: "timeout".into(),
        status: None,
        phase: Some("first_token".into()),
        code: None,
        reason: "no content within 8000 ms".into(),
        headers_ms: Some(310),
        ttft_ms: None,
        ms: 8_000,
        tokens: Tokens { input: 900, output: 0, cached: 0, estimated: true },
        cost_micro_usd: 2_700,
        committed: false,
        dropped: vec!["seed".into()],
        billed: Billed::Maybe,
    };
    let skipped = AttemptRow {
        seq: 1,
        at: 1_795_248_008_001,
        model: "openai/o3".into(),
        outcome: "incompatible".into(),
        reason: "vision".into(),
        ..AttemptRow::default()
    };
    let served = AttemptRow {
        seq: 2,
        at: 1_795_248_008_001,
        call: true,
        model: "bedrock/claude-sonnet-4-5@eu-central-1".into(),
        key: "own".into(),
        outcome: "ok".into(),
        status: Some(200),
        headers_ms: Some(200),
        ttft_ms: Some(640),
        ms: 3_100,
        tokens: Tokens { input: 905, output: 300, cached: 64, estimated: false },
        cost_micro_usd: 7_042,
        committed: true,
        billed: Billed::Yes,
        ..AttemptRow::default()
    };
    RequestRow {
        ledger_id: "01a1fd6ef40000112233445566778899".into(),
        id: "req-1".into(),
        at: 1_795_248_000_000,
        policy: "sonnet".into(),
        version: "1f3a9c02".into(),
        workload: "support-chat".into(),
        route: "chat".into(),
        asked: "policy/sonnet".into(),
        outcome: "ok".into(),
        status: 200,
        fallback: true,
        degraded: false,
        stream: true,
        ms: 11_101,
        ttft_ms: Some(8_641),
        user: Some("u-7".into()),
        group: Some("acme".into()),
        key: Some("web".into()),
        key_id: Some("ab".repeat(32)),
        colo: Some("FRA".into()),
        dropped: vec!["logit_bias".into()],
        mark: String::new(),
        attempts: vec![failed, skipped, served],
    }
}

#[test]
fn a_request_is_stored_so() {
    pinned("request.json", &row());
    let (texts, left_out) = texts(&[row()]);
    assert_eq!((texts, left_out), (vec![fixture("columns.json")], 0));
}

#[test]
fn a_cell_is_stored_so() {
    let mut cell = Cell::default();
    cell.record(&row());
    pinned("cell.json", &cell);
    pinned("cell_empty.json", &Cell::default());
}

#[test]
fn a_cell_is_packed_so() {
    let mut cell = Cell::default();
    cell.record(&row());
    assert_eq!(format!("{}\n{}", write_cell(&cell), write_targets(&cell.targets)), fixture("cell.packed"));
}

#[test]
fn a_place_and_an_extract_are_stored_so() {
    let mut piece = Piece::default();
    piece.add(&row());
    let (places, extracts) = piece.bytes();
    assert_eq!(places, [0, 0, 0, 114, 141, 215, 86, 186, 62, 140, 73, 56, 81]);
    assert_eq!(extracts.escape_ascii().to_string(), fixture("extracts.bytes"));
}

#[test]
fn a_board_is_stored_so() {
    let (mut board, added) = (Board::default(), Cell { requests: 5, succeeded: 4, ..Cell::default() });
    board.note(Dimension::User, "u-7", 5, true, &added);
    board.note(Dimension::User, "u-8", 9, false, &added);
    board.note(Dimension::Workload, "support", 5, true, &added);
    pinned("board.json", &board);
}

#[test]
fn usage_and_circuits_are_stored_so() {
    pinned("usage.json", &Usage { requests: 3, succeeded: 2, micro_usd: 7_042, input: 905, output: 300 });
    let snapshot = BreakerSnapshot {
        target: "openai/gpt-4o".into(),
        slot: "managed".into(),
        marks: vec![(1_795_248_000_000, 2, false), (1_795_248_000_900, 1, true)],
    };
    pinned("circuit.json", &snapshot);
}

/// Fields that a later version adds are absent in rows of this one: each must have a default.
#[test]
fn a_row_without_its_optional_fields_still_loads() {
    let row: RequestRow = serde_json::from_str(&fixture("request_oldest.json")).expect("it is read");
    assert_eq!((row.user.as_deref(), row.attempts[0].reason.as_str(), row.mark.as_str()), (None, "", ""));
    let cell: Cell = serde_json::from_str("{\"n\":4,\"unknown\":1}").expect("it is read");
    assert_eq!(cell.requests, 4);
}

#[test]
fn many_rows_go_in_texts_that_the_platform_takes() {
    let large = RequestRow { asked: "x".repeat(400_000), ..row() };
    let (split, left_out) = texts(&[large.clone(), large.clone(), large]);
    assert_eq!((split.len(), left_out), (2, 0));
    assert!(split.iter().all(|text| text.len() < 1_100_000));
    let rows: usize =
        split.iter().map(|text| serde_json::from_str::<Vec<Vec<serde_json::Value>>>(text).expect("JSON").len()).sum();
    assert_eq!(rows, 3);
    let huge = RequestRow { asked: "x".repeat(1_100_000), ..row() };
    assert_eq!(texts(&[huge]), (vec![], 1));
    assert_eq!(texts(&[]), (vec![], 0));
}

/// What the documentation of the row says of its size: a key without rowid keeps 1,002 bytes of a row in its page.
#[test]
fn a_row_of_one_attempt_needs_no_page_of_overflow() {
    let mut row = row();
    row.attempts.drain(..2);
    let (texts, _) = texts(&[row]);
    let columns: Vec<Vec<serde_json::Value>> = serde_json::from_str(&texts[0]).expect("JSON");
    let bytes: usize = columns[0].iter().map(|column| column.as_str().map_or(1, str::len)).sum();
    assert!(bytes < 1_002, "{bytes} bytes");
}
