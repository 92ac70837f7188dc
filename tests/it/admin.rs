//! The admin API's table of routes, and the document made of it.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use understudy::domain::admin::openapi::document;
use understudy::domain::admin::query::{param, params, segment};
use understudy::domain::admin::table::{Endpoint, Found, TABLE, find};
use understudy::domain::document::Kind;

#[track_caller]
fn leads(method: &str, path: &str, endpoint: Endpoint, segments: &[&str]) {
    let segments = segments.iter().map(|segment| str::to_owned(segment)).collect();
    assert_eq!(find(method, path), Found::Endpoint(endpoint, segments), "{method} {path}");
}

#[test]
fn routes_are_found() {
    leads("GET", "/admin/policies", Endpoint::List(Kind::Policy), &[]);
    leads("HEAD", "/admin/policies/", Endpoint::List(Kind::Policy), &[]);
    leads("PUT", "/admin/policies/a%2eb", Endpoint::Put(Kind::Policy), &["a.b"]);
    leads("POST", "/admin/policies/p/rollback", Endpoint::Rollback(Kind::Policy), &["p"]);
    leads("GET", "/admin/rules/versions", Endpoint::Versions(Kind::Rules), &[]);
    leads("GET", "/admin/requests/a%20b", Endpoint::Request, &["a b"]);
    leads("PUT", "/admin/keys/00/own/openai", Endpoint::PutOwn, &["00", "openai"]);
    assert_eq!(find("GET", "/admin"), Found::Nothing);
    assert_eq!(find("GET", "/admin/policies/a/b/c"), Found::Nothing);
    assert_eq!(find("GET", "/admin/policies/%ff"), Found::Nothing);
    assert_eq!(find("POST", "/admin/policies"), Found::WrongMethod("GET".into()));
    assert_eq!(find("POST", "/admin/policies/p"), Found::WrongMethod("GET, PUT, DELETE".into()));
}

#[test]
fn every_row_leads_to_its_own_endpoint() {
    for row in TABLE {
        let path =
            row.path.replace("{name}", "n").replace("{id}", "i").replace("{provider}", "p").replace("{version}", "v");
        assert!(
            matches!(find(row.method, &path), Found::Endpoint(found, _) if found == row.endpoint),
            "{} {path}",
            row.method
        );
    }
}

#[test]
fn the_document_lists_exactly_the_routes() {
    let document = document();
    let paths = document["paths"].as_object().expect("an object");
    let listed: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("an object").keys().map(|method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    let table: BTreeSet<(String, String)> =
        TABLE.iter().map(|row| (row.path.to_owned(), row.method.to_owned())).collect();
    assert_eq!(listed, table);
    let ids: BTreeSet<&str> = paths
        .values()
        .flat_map(|methods| methods.as_object().expect("an object").values())
        .filter_map(|o| o["operationId"].as_str())
        .collect();
    assert_eq!(ids.len(), TABLE.len(), "operation ids differ");
    assert_eq!(document["openapi"], "3.1.0");
    for row in TABLE {
        assert_eq!(
            row.body,
            row.failures.contains(&413),
            "{} {}: whatever takes a body bounds it",
            row.method,
            row.path
        );
    }
}

#[test]
fn what_can_be_tried_out_says_so_and_only_that() {
    for row in TABLE {
        let listed = row.query.contains(&"dry_run");
        assert_eq!(listed, row.endpoint.can_be_tried(), "{} {}", row.method, row.path);
        let reads = matches!(row.method, "GET");
        assert!(!(reads && row.endpoint.writes()), "{} {}", row.method, row.path);
        let changes = matches!(row.method, "PUT" | "PATCH" | "DELETE") || row.success.0 == 201;
        assert!(!changes || row.endpoint.writes(), "{} {}", row.method, row.path);
    }
}

/// Every `$ref` under a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_shape_that_is_named_is_there_and_every_shape_is_named() {
    let document = document();
    let mut named = BTreeSet::new();
    references(&document, &mut named);
    let named: BTreeSet<&str> = named.iter().filter_map(|name| name.strip_prefix("#/components/schemas/")).collect();
    let shapes = document["components"]["schemas"].as_object().expect("an object");
    let there: BTreeSet<&str> = shapes.keys().map(String::as_str).collect();
    // These are there for others to take their fields.
    let parts = BTreeSet::from(["Counts", "Head", "Times"]);
    assert_eq!(named, &there - &parts);
    assert_eq!(shapes["Point"]["properties"]["at"]["format"], "date-time");
    assert_eq!(shapes["Point"]["properties"]["p50_ms"], json!({"anyOf": [{"type": "number"}, {"type": "null"}]}));
    let required = shapes["Fault"]["required"].as_array().expect("a list");
    assert!(!required.contains(&json!("findings")) && required.contains(&json!("message")));
}

#[test]
fn queries_and_segments_are_decoded() {
    let all = params("a=1&a=2&b=x%20y+z&c=");
    assert_eq!((param(&all, "a"), param(&all, "b"), param(&all, "c")), (Some("2"), Some("x y z"), None));
    assert_eq!(segment("a%2Fb").as_deref(), Some("a/b"));
    // As browsers and proxies have it, what is no escape stands for itself; a sign makes none.
    let as_written = ["%", "%z1", "%+f", "100%"];
    as_written.into_iter().for_each(|text| assert_eq!(segment(text).as_deref(), Some(text)));
    assert_eq!(segment("%ff"), None);
}
