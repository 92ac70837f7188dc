//! Pages of `docs/` whose tables must say what the code's tables say.

use understudy::domain::provider::table::ROWS;

fn page(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_built_in_provider_stands_in_the_page_of_families_as_its_row_has_it() {
    let page = page("families.md");
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
    assert!(missing.is_empty(), "docs/families.md lacks these lines:\n{}", missing.join("\n"));
}
