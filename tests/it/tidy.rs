//! The habits of the house that a machine can hold: who may know whom, and how long a file may be.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under a folder of the checkout with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the checkout").flatten() {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            match path.is_dir() {
                true if matches!(path.file_name().and_then(|name| name.to_str()), Some("target" | "node_modules")) => {}
                true => open.push(path),
                false if endings.contains(&ending) => found.push(path),
                false => {}
            }
        }
    }
    assert!(!found.is_empty(), "nothing under {folder}");
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A path as it is written in the checkout.
fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The lines of code (not of comments) under a folder that hold one of these.
fn mentions(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(folder, &["rs"]) {
        for (number, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {}", short(&path), number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_domain_knows_no_other_floor_and_no_platform() {
    let platform = ["worker::", "wasm_bindgen", "js_sys", "web_sys", "crate::edge", "crate::routes"];
    let found = mentions("src/domain", &platform);
    assert!(found.is_empty(), "the domain is pure:\n{}", found.join("\n"));
}

#[test]
fn the_edge_knows_no_routes() {
    let found = mentions("src/edge", &["crate::routes"]);
    assert!(found.is_empty(), "routes -> edge -> domain, never upward:\n{}", found.join("\n"));
}

#[test]
fn the_domain_reads_no_clock_and_no_chance() {
    let found = mentions("src/domain", &["SystemTime", "std::time::Instant", "Utc::now", "getrandom", "thread_rng"]);
    assert!(found.is_empty(), "time and randomness are arguments:\n{}", found.join("\n"));
}

#[test]
fn files_can_be_read_at_a_sitting() {
    const MOST: usize = 400;
    let mut long = Vec::new();
    for folder in ["src", "scripts"] {
        for path in files(folder, &["rs", "ts", "tsx", "mjs", "js"]) {
            let (name, lines) = (short(&path), read(&path).lines().count());
            if lines > MOST {
                long.push(format!("{name}: {lines} lines, {MOST} at most"));
            }
        }
    }
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}
