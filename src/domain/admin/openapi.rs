//! `/admin/openapi.json`, made of the route table and the shapes of its answers.

use super::shapes;
use super::table::{Row, TABLE};
use serde_json::{Map, Value, json};

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for row in TABLE {
        let path = paths.entry(row.path.to_owned()).or_insert_with(|| json!({}));
        path[row.method.to_ascii_lowercase()] = operation(row);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Understudy admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are RFC 3339 with milliseconds; as parameters also Unix ms. Errors are {\"error\": {...}}.",
        },
        "security": [{"admin": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN, or one of ADMIN_TOKENS"}},
            "schemas": shapes::schemas(),
        },
    })
}

fn operation(row: &Row) -> Value {
    let mut parameters: Vec<Value> = variables(row.path)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(row.query.iter().map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})));
    if row.failures.contains(&412) {
        parameters.push(json!({"name": "if-match", "in": "header", "schema": {"type": "string"}}));
    }
    let mut operation = json!({
        "summary": row.summary,
        "operationId": id(row),
        "parameters": parameters,
        "responses": responses(row),
    });
    if row.body {
        operation["requestBody"] = json!({"content": {"application/json": {"schema": {}}}});
    }
    operation
}

fn responses(row: &Row) -> Value {
    let (status, media) = row.success;
    let mut responses = Map::new();
    let schema = match (shapes::answer(row.endpoint), media) {
        (Some(name), _) => shapes::reference(name),
        (None, "application/json") => json!({"type": "object"}),
        (None, _) => json!({"type": "string"}),
    };
    let success = match media.is_empty() {
        true => json!({"description": "Done"}),
        false => json!({"description": row.summary, "content": {media: {"schema": schema}}}),
    };
    responses.insert(status.to_string(), success);
    for status in [400, 401, 403, 404, 405].iter().chain(row.failures) {
        let error = json!({"schema": shapes::reference("Error")});
        responses.insert(
            status.to_string(),
            json!({"description": reason(*status), "content": {"application/json": error}}),
        );
    }
    Value::Object(responses)
}

const fn reason(status: u16) -> &'static str {
    match status {
        400 => "The request makes no sense; the message says why",
        401 => "The admin token is missing or wrong",
        403 => "No admin token is set on the Worker",
        404 => "There is no such thing",
        405 => "The method is not allowed here",
        412 => "Another version is stored",
        413 => "The body is too large",
        422 => "The document is refused; error.findings says why",
        _ => "The store or the ledger does not answer",
    }
}

fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// `get_policies_name`
fn id(row: &Row) -> String {
    let path: String = row.path.trim_start_matches("/admin/").chars().filter(|c| !matches!(c, '{' | '}')).collect();
    format!("{}_{}", row.method.to_ascii_lowercase(), path.replace(['/', '.', '-'], "_"))
}
