//! Recorded provider traffic that lies beside the checkout, read in place; absent ones skip their test, and say so.

use std::path::PathBuf;

/// The folder of one recorded case, or `None` (and a line that says so) when the recordings are not there.
pub fn case(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SHARED").map(PathBuf::from);
    let near = ["../shared", "../../shared"].map(PathBuf::from);
    let found = root.into_iter().chain(near).map(|root| root.join("recordings").join(name)).find(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped: the recording {name} is absent");
    }
    found
}

/// One file of a recorded case.
pub fn bytes(case_name: &str, file: &str) -> Option<Vec<u8>> {
    let path = case(case_name)?.join(file);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// One text file of a recorded case.
pub fn text(case_name: &str, file: &str) -> Option<String> {
    bytes(case_name, file).map(|bytes| String::from_utf8(bytes).expect("a recorded text is UTF-8"))
}

/// One JSON file of a recorded case.
pub fn json(case_name: &str, file: &str) -> Option<serde_json::Value> {
    text(case_name, file).map(|text| serde_json::from_str(&text).expect("a recorded JSON file parses"))
}

/// Every recorded file of that name, with the `<provider>/<case>` that it belongs to, in order. Empty (and a line that says
/// so) when the recordings are not there.
pub fn files(file: &str) -> Vec<(String, Vec<u8>)> {
    let Some(root) = case("openai").and_then(|path| path.parent().map(PathBuf::from)) else { return Vec::new() };
    let folders = |path: PathBuf| {
        let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir())
    };
    let mut found: Vec<(String, Vec<u8>)> = folders(root.clone())
        .flat_map(folders)
        .filter_map(|case| {
            let name = case.strip_prefix(&root).ok()?.display().to_string();
            std::fs::read(case.join(file)).ok().map(|bytes| (name, bytes))
        })
        .collect();
    found.sort();
    found
}
