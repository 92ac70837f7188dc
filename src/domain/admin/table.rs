//! Every route of `/admin`: what is dispatched, and what `/admin/openapi.json` says, come from here alone.

use super::query::segment;
use crate::domain::document::Kind;

/// What a route does; the dispatcher matches this exhaustively.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    List(Kind),
    Read(Kind),
    Put(Kind),
    Delete(Kind),
    Versions(Kind),
    Version(Kind),
    Rollback(Kind),
    Simulate,
    Explain,
    JudgeRules,
    Compare,
    Lint,
    Keys,
    CreateKey,
    ReadKey,
    ChangeKey,
    DeleteKey,
    PutOwn,
    DeleteOwn,
    KeyUsage,
    Targets,
    Analytics,
    Requests,
    Request,
    Live,
    Audit,
    Metrics,
    OpenApi,
}

impl Endpoint {
    /// Whether it changes what is stored.
    pub const fn writes(self) -> bool {
        match self {
            Endpoint::Put(_) | Endpoint::Delete(_) | Endpoint::Rollback(_) => true,
            Endpoint::CreateKey | Endpoint::ChangeKey | Endpoint::DeleteKey => true,
            Endpoint::PutOwn | Endpoint::DeleteOwn => true,
            Endpoint::List(_) | Endpoint::Read(_) | Endpoint::Versions(_) | Endpoint::Version(_) => false,
            Endpoint::Simulate | Endpoint::Explain | Endpoint::JudgeRules | Endpoint::Compare | Endpoint::Lint => false,
            Endpoint::Keys | Endpoint::ReadKey | Endpoint::KeyUsage | Endpoint::Targets | Endpoint::Analytics => false,
            Endpoint::Requests | Endpoint::Request | Endpoint::Live | Endpoint::Audit | Endpoint::Metrics => false,
            Endpoint::OpenApi => false,
        }
    }

    /// Whether it can be tried out (`dry_run`). Of any other that writes, being asked to is refused: it would write.
    pub const fn can_be_tried(self) -> bool {
        matches!(self, Endpoint::Put(_) | Endpoint::Rollback(_))
    }
}

/// One method of one route.
#[derive(Debug)]
pub struct Row {
    pub method: &'static str,
    /// With `{name}` for each segment that varies.
    pub path: &'static str,
    pub endpoint: Endpoint,
    pub summary: &'static str,
    /// Names of query parameters.
    pub query: &'static [&'static str],
    /// Does it take a JSON body?
    pub body: bool,
    /// Status of success, and its media type (empty: no body).
    pub success: (u16, &'static str),
    /// Statuses of failure beside 400, 401, 403, 404 and 405.
    pub failures: &'static [u16],
}

const JSON: &str = "application/json";
const FILTERS: &[&str] = &[
    "policy", "target", "class", "fallback", "user", "group", "key", "workload", "mark", "from", "to", "before",
    "limit",
];
const DRY_RUN: &[&str] = &["dry_run"];
const PAGED: &[&str] = &["after", "limit"];
const ANALYTICS: &[&str] = &["policy", "target", "workload", "group", "user", "key", "from", "to", "bucket", "limit"];
const WRITE: &[u16] = &[412, 413, 422, 503];
const STORE: &[u16] = &[503];

const fn get(path: &'static str, endpoint: Endpoint, summary: &'static str, query: &'static [&'static str]) -> Row {
    Row { method: "GET", path, endpoint, summary, query, body: false, success: (200, JSON), failures: STORE }
}

const fn put(path: &'static str, kind: Kind, summary: &'static str) -> Row {
    Row {
        method: "PUT",
        path,
        endpoint: Endpoint::Put(kind),
        summary,
        query: DRY_RUN,
        body: true,
        success: (200, JSON),
        failures: WRITE,
    }
}

const fn delete(path: &'static str, endpoint: Endpoint, summary: &'static str) -> Row {
    Row {
        method: "DELETE",
        path,
        endpoint,
        summary,
        query: &[],
        body: false,
        success: (204, ""),
        failures: &[412, 503],
    }
}

const fn post(path: &'static str, endpoint: Endpoint, summary: &'static str, query: &'static [&'static str]) -> Row {
    Row { method: "POST", path, endpoint, summary, query, body: true, success: (200, JSON), failures: &[413, 422, 503] }
}

const fn rollback(path: &'static str, kind: Kind) -> Row {
    Row { failures: WRITE, ..post(path, Endpoint::Rollback(kind), "Publish an earlier version again", DRY_RUN) }
}

/// All of them, in the order of the contract.
pub static TABLE: &[Row] = &[
    get("/admin/policies", Endpoint::List(Kind::Policy), "Every policy", PAGED),
    get("/admin/policies/{name}", Endpoint::Read(Kind::Policy), "One policy, its version as etag", &[]),
    put("/admin/policies/{name}", Kind::Policy, "Lint and publish a policy"),
    delete("/admin/policies/{name}", Endpoint::Delete(Kind::Policy), "Delete a policy"),
    get("/admin/policies/{name}/versions", Endpoint::Versions(Kind::Policy), "The last 20 versions, newest first", &[]),
    get("/admin/policies/{name}/versions/{version}", Endpoint::Version(Kind::Policy), "One version", &[]),
    rollback("/admin/policies/{name}/rollback", Kind::Policy),
    post("/admin/policies/{name}/simulate", Endpoint::Simulate, "Run a script of outcomes on a virtual clock", &[]),
    post("/admin/policies/{name}/explain", Endpoint::Explain, "What would be called or skipped, without a call", &[]),
    post("/admin/policies/{name}/compare", Endpoint::Compare, "Send one request to every hop", &[]),
    get("/admin/providers", Endpoint::List(Kind::Provider), "Every provider, built in or configured", &[]),
    get("/admin/providers/{name}", Endpoint::Read(Kind::Provider), "One provider's document", &[]),
    put("/admin/providers/{name}", Kind::Provider, "Add or override a provider"),
    delete("/admin/providers/{name}", Endpoint::Delete(Kind::Provider), "Delete a provider's document"),
    get("/admin/providers/{name}/versions", Endpoint::Versions(Kind::Provider), "The last 20 versions", &[]),
    get("/admin/providers/{name}/versions/{version}", Endpoint::Version(Kind::Provider), "One version", &[]),
    rollback("/admin/providers/{name}/rollback", Kind::Provider),
    get("/admin/rules", Endpoint::Read(Kind::Rules), "Rules and rulesets", &[]),
    put("/admin/rules", Kind::Rules, "Publish rules and rulesets"),
    delete("/admin/rules", Endpoint::Delete(Kind::Rules), "Delete all rules and rulesets"),
    post("/admin/rules/match", Endpoint::JudgeRules, "Which rule a sample request would meet", &[]),
    get("/admin/rules/versions", Endpoint::Versions(Kind::Rules), "The last 20 versions", &[]),
    get("/admin/rules/versions/{version}", Endpoint::Version(Kind::Rules), "One version", &[]),
    rollback("/admin/rules/rollback", Kind::Rules),
    get("/admin/models", Endpoint::Read(Kind::Models), "Changes to the catalogue of models", &[]),
    put("/admin/models", Kind::Models, "Publish changes to the catalogue"),
    delete("/admin/models", Endpoint::Delete(Kind::Models), "Delete all changes to the catalogue"),
    get("/admin/models/versions", Endpoint::Versions(Kind::Models), "The last 20 versions", &[]),
    get("/admin/models/versions/{version}", Endpoint::Version(Kind::Models), "One version", &[]),
    rollback("/admin/models/rollback", Kind::Models),
    post(
        "/admin/lint",
        Endpoint::Lint,
        "Findings on a candidate policy, and its worst case",
        &["prompt_tokens", "name"],
    ),
    get("/admin/keys", Endpoint::Keys, "Every gateway key, without the key itself", PAGED),
    Row {
        success: (201, JSON),
        ..post("/admin/keys", Endpoint::CreateKey, "Make a gateway key: shown here and never again", &[])
    },
    get("/admin/keys/{id}", Endpoint::ReadKey, "One gateway key, without the key itself", &[]),
    Row {
        method: "PATCH",
        failures: WRITE,
        ..post("/admin/keys/{id}", Endpoint::ChangeKey, "Change fields of a gateway key; null removes one", &[])
    },
    delete("/admin/keys/{id}", Endpoint::DeleteKey, "Delete a gateway key"),
    Row {
        method: "PUT",
        failures: WRITE,
        ..post("/admin/keys/{id}/own/{provider}", Endpoint::PutOwn, "Seal a provider key of the caller's own", &[])
    },
    delete("/admin/keys/{id}/own/{provider}", Endpoint::DeleteOwn, "Delete a provider key of the caller's own"),
    get("/admin/keys/{id}/usage", Endpoint::KeyUsage, "What a gateway key used, today, this month and by day", &[]),
    get("/admin/targets", Endpoint::Targets, "Each target in use: keys, breakers, last outcomes", &[]),
    get("/admin/analytics", Endpoint::Analytics, "Series and totals", ANALYTICS),
    get("/admin/requests", Endpoint::Requests, "Requests, newest first", FILTERS),
    get("/admin/requests/{id}", Endpoint::Request, "Every attempt of one request", &[]),
    Row {
        success: (200, "text/event-stream"),
        ..get(
            "/admin/live",
            Endpoint::Live,
            "Requests as they end",
            &["policy", "target", "class", "fallback", "user", "group", "key", "workload", "mark"],
        )
    },
    get("/admin/audit", Endpoint::Audit, "Who changed what, newest first", &["before", "limit"]),
    Row {
        success: (200, "text/plain; version=0.0.4"),
        ..get("/admin/metrics", Endpoint::Metrics, "Counters for Prometheus", &[])
    },
    get("/admin/openapi.json", Endpoint::OpenApi, "This table, machine-readable", &[]),
];

/// What a method and a path lead to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The endpoint, and the segments that vary, decoded.
    Endpoint(Endpoint, Vec<String>),
    /// The path is known with these methods only.
    WrongMethod(String),
    Nothing,
}

/// Looks a request up. `HEAD` counts as `GET`.
pub fn find(method: &str, path: &str) -> Found {
    let method = if method == "HEAD" { "GET" } else { method };
    let path = path.strip_suffix('/').unwrap_or(path);
    let rows: Vec<(&Row, Vec<String>)> =
        TABLE.iter().filter_map(|row| Some((row, segments(row.path, path)?))).collect();
    // A fixed segment beats one that varies.
    let fixed = rows.iter().map(|(_, varying)| varying.len()).min().unwrap_or(0);
    let rows: Vec<_> = rows.into_iter().filter(|(_, varying)| varying.len() == fixed).collect();
    if rows.is_empty() {
        return Found::Nothing;
    }
    let mut methods: Vec<&str> = rows.iter().map(|(row, _)| row.method).collect();
    match rows.into_iter().find(|(row, _)| row.method == method) {
        Some((row, varying)) => Found::Endpoint(row.endpoint, varying),
        None => {
            methods.dedup();
            Found::WrongMethod(methods.join(", "))
        }
    }
}

fn segments(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    let mut varying = Vec::new();
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return Some(varying),
            (Some(pattern), Some(part)) if pattern.starts_with('{') => {
                varying.push(segment(part).filter(|s| !s.is_empty())?)
            }
            (Some(pattern), Some(part)) if pattern == part => {}
            _ => return None,
        }
    }
}
