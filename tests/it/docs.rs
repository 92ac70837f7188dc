//! The written pages say what the code says: tables, examples, links, names.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use understudy::domain::outcome::Class;
use understudy::domain::policy::resolve::{self, Lookup, World};
use understudy::domain::policy::{Preset, Verdict, Verdicts, file};
use understudy::domain::provider::table::{self, ROWS};
use understudy::domain::rules::Rules;
use understudy::domain::{catalogue, key, provider};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(name: &str) -> String {
    read(&root().join("docs").join(name))
}

/// Every file under a folder with one of these endings.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
            match path.is_dir() {
                true => open.push(path),
                false if endings.contains(&ending.as_str()) => found.push(path),
                false => {}
            }
        }
    }
    found
}

/// Everything that is written for readers.
fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), &["md", "txt"]);
    let others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    pages.extend(others.map(|name| root().join(name)));
    pages.extend(["bench", "chaos"].map(|name| root().join("tests").join(name).join("RESULTS.md")));
    pages
}

pub fn sources(folders: &[&str]) -> String {
    let endings = ["rs", "ts", "tsx", "mjs", "js"];
    let paths = folders.iter().flat_map(|folder| files(&root().join(folder), &endings));
    paths.map(|path| read(&path)).collect()
}

/// What stands in backticks in one line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The cells of one line of a table.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// The lines between a heading and the next one.
fn section<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    assert!(!lines.is_empty(), "no section {heading}");
    lines
}

/// The text of every block of JSON.
fn json_blocks(text: &str) -> Vec<String> {
    let block = |part: &str| part.split("\n```").next().map(str::to_owned);
    text.split("```json\n").skip(1).filter_map(block).collect()
}

/// What a document is, by its fields; nothing where it is a request or an answer.
fn check_document(text: &str) -> Result<&'static str, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let has = |field: &str| value.get(field).is_some();
    let bytes = text.as_bytes();
    if has("chain") {
        let nested = || file::parse("nested", br#"{"chain": ["openai/gpt-4o-mini"]}"#).expect("a policy");
        let world = World {
            default_provider: "openai",
            provider: &table::is_built_in,
            policy: &|_| Lookup::Found(Rc::new(nested())),
        };
        let written = file::parse("example", bytes).map_err(|bad| bad.to_string())?;
        return resolve::resolve("example", &written, world).map(|_| "policy").map_err(|bad| bad.to_string());
    }
    if has("rules") && has("rulesets") {
        return Rules::parse(bytes, "openai", &table::is_built_in).map(|_| "rules").map_err(|bad| bad.to_string());
    }
    if has("base_url") {
        return provider::document::parse("example", bytes, None).map(|_| "provider").map_err(|bad| bad.to_string());
    }
    if has("allow") {
        return key::parse("example", bytes).map(|_| "key").map_err(|bad| bad.to_string());
    }
    if value.as_object().is_some_and(|all| all.keys().next().is_some_and(|name| name.contains('/'))) {
        return catalogue::document::parse(bytes).map(|_| "models").map_err(|bad| bad.to_string());
    }
    Ok("other")
}

#[test]
fn every_document_on_every_page_is_fit_to_be_stored() {
    let mut policies = 0;
    for path in pages() {
        for block in json_blocks(&read(&path)) {
            let kind = check_document(&block).unwrap_or_else(|bad| panic!("{}: {bad}\n{block}", path.display()));
            policies += usize::from(kind == "policy");
        }
    }
    assert!(policies > 20, "{policies} policies were found");
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for path in pages() {
        let text = read(&path);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let pictures = text.split("=\"docs/").skip(1).filter_map(|rest| rest.split('"').next());
        let pictures: Vec<String> = pictures.map(|name| format!("docs/{name}")).collect();
        for target in targets.chain(pictures.iter().map(String::as_str)) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = match file {
                "" => path.clone(),
                file => path.parent().expect("a folder").join(file),
            };
            if !linked.exists() || !(anchor.is_empty() || anchors(&read(&linked)).contains(&anchor.to_owned())) {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_map_names_every_module_of_the_domain() {
    let map = read(&root().join("src/lib.rs"));
    let domain = read(&root().join("src/domain/mod.rs"));
    let modules = domain.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<&str> = modules.filter(|name| !map.contains(&format!("(domain::{name})"))).collect();
    assert!(missing.is_empty(), "src/lib.rs does not name {missing:?}");
}

/// The anchors of a page's headings, as they are made of their text.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    headings.map(|text| text.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn the_table_of_failures_says_what_the_presets_do() {
    let readme = read(&root().join("README.md"));
    let word = |verdict: Verdict| match verdict {
        Verdict::Retry => "retry",
        Verdict::RetryOnly => "retry_only",
        Verdict::Next => "next",
        Verdict::Stop => "stop",
    };
    for class in Class::ALL {
        let start = format!("| `{}` |", class.name());
        let line = readme.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no line {start}"));
        let said: Vec<&str> = cells(line)[2..].iter().map(|cell| cell.trim_end_matches(" before commit")).collect();
        let meant = [Preset::Resilient, Preset::Strict].map(|preset| word(Verdicts::preset(preset).of(class)));
        assert_eq!(said, meant, "{line}");
    }
}

#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let tests = sources(&["tests/it", "tests/worker"]);
    let security = read(&root().join("SECURITY.md"));
    let lines = section(&security, "## The lines, and the tests that hold them");
    are_there(&lines, &tests, 30);
}

#[test]
fn every_test_that_the_page_on_reliability_names_is_there() {
    let tests = sources(&["tests/it", "tests/worker"]);
    let page = page("reliability.md");
    are_there(&section(&page, "## Each promise, and the test that holds it"), &tests, 100);
    are_there(&section(&page, "## What was found and fixed"), &tests, 5);
}

/// The last cell of every line of the table names tests: functions in Rust, titles in JavaScript.
fn are_there(lines: &[&str], tests: &str, least: usize) {
    let named: Vec<&str> =
        lines.iter().filter(|line| line.starts_with('|')).flat_map(|line| quoted(last(line))).collect();
    assert!(named.len() > least, "{} tests were found", named.len());
    let is_there = |name: &str| tests.contains(&format!("fn {name}(")) || tests.contains(&format!("'{name}'"));
    let missing: Vec<&&str> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

fn last(line: &str) -> &str {
    cells(line).last().copied().unwrap_or_default()
}

#[test]
fn headers_variables_codes_and_commands_are_the_codes_own() {
    let source = sources(&["src/domain", "src/edge", "src/routes"]);
    let readme = read(&root().join("README.md"));
    let operating = page("operating.md");
    let known = |names: Vec<&str>, what: &str| {
        assert!(!names.is_empty(), "{what}");
        let missing: Vec<&&str> = names.iter().filter(|name| !source.contains(**name)).collect();
        assert!(missing.is_empty(), "{what} that the code does not know: {missing:?}");
    };
    let headers = section(&readme, "## What the headers of an answer say");
    known(headers.iter().flat_map(|line| quoted(cells(line)[0])).collect(), "headers");
    let variables = section(&operating, "## Variables and secrets");
    let variables = variables.iter().filter(|line| line.starts_with("| `")).flat_map(|line| quoted(cells(line)[0]));
    known(variables.filter(|name| !name.contains([' ', '<'])).collect(), "variables");
    let codes = section(&operating, "## When something is wrong");
    let codes = codes.iter().filter(|line| line.starts_with("| ")).flat_map(|line| quoted(cells(line)[0]));
    known(codes.collect(), "codes");

    let package: serde_json::Value = serde_json::from_str(&read(&root().join("package.json"))).expect("JSON");
    for path in pages() {
        let text = read(&path);
        let commands = text
            .split("npm run ")
            .skip(1)
            .filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').next());
        for command in commands {
            assert!(package["scripts"].get(command).is_some(), "{}: npm run {command}", path.display());
        }
    }
}

#[test]
fn every_built_in_provider_stands_in_the_page_of_providers_as_its_row_has_it() {
    let page = page("providers.md");
    let mut missing = Vec::new();
    for row in ROWS.iter().filter(|row| row.name != "sim") {
        let mut urls = vec![format!("`{}`", row.base_url)];
        urls.extend(row.messages_url.map(|url| format!("Messages: `{url}`")));
        let secrets = row.secrets.iter().map(|together| {
            let names: Vec<String> = together.iter().map(|name| format!("`{name}`")).collect();
            names.join(" and ")
        });
        let secrets = secrets.collect::<Vec<_>>().join(", or ");
        let line = format!("| `{}` | {} | {secrets} |", row.name, urls.join("<br>"));
        if !page.lines().any(|known| known == line) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "docs/providers.md lacks these lines:\n{}", missing.join("\n"));
}
