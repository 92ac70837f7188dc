//! A sample request, for the question which rule it would meet: the facts that rules look at, written out.
//!
//! ```json
//! {"model": "openai/gpt-4o", "route": "chat", "user": "u-7", "group": "gold", "key": "web", "stream": true,
//!  "metadata": {"plan": "free"}, "headers": {"x-team": "web"}}
//! ```

use super::{Facts, Picked, Rules};
use crate::domain::document::path::quoted;
use crate::domain::document::{Field, Findings, Object, Path, Shape, Text};
use crate::domain::policy::resolve::explain;
use crate::domain::refusal::Refusal;
use crate::domain::request::Headers;
use crate::domain::route;
use crate::domain::target::{BadModel, ModelRef};
use serde_json::{Map, Value};

/// The field of the body that carries it.
const ROOT: &str = "request";

/// A request as far as rules look at it.
#[derive(Debug)]
pub struct Sample {
    /// As rules compare it.
    model: String,
    route: &'static str,
    user: Option<String>,
    group: Option<String>,
    key: Option<String>,
    stream: bool,
    metadata: Map<String, Value>,
    headers: Headers,
}

impl Sample {
    /// Reads it. `default_provider` and `known` (is there a provider of that name?) read its model as they do a request's.
    ///
    /// # Errors
    /// 400 naming the field that is wrong.
    pub fn parse(given: &Value, default_provider: &str, known: &dyn Fn(&str) -> bool) -> Result<Sample, Refusal> {
        let mut findings = Findings::new();
        SAMPLE.check(given, &Path::Root(ROOT), &mut findings);
        if let Some(first) = findings.as_slice().first() {
            let path = if first.path.is_empty() { ROOT } else { &first.path };
            return Err(Refusal::value(path, &first.message));
        }
        let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
        let fields = |name: &str| given.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let written = text("model").unwrap_or_default();
        let model = match ModelRef::parse(&written, default_provider, known) {
            Ok(model) => model.to_string(),
            // Rules may have a policy for it.
            Err(BadModel::UnknownProvider(_)) => written,
            Err(bad) => return Err(Refusal::value("request.model", explain(&written, bad))),
        };
        let headers = fields("headers");
        let on = text("route").unwrap_or_else(|| "chat".to_owned());
        let [route] = *route::named(&on).as_slice() else {
            let message = format!("{} is not one of {}", quoted(&on), route::NAMES.join(", "));
            return Err(Refusal::value("request.route", message));
        };
        Ok(Sample {
            model,
            route,
            user: text("user"),
            group: text("group"),
            key: text("key"),
            stream: given.get("stream").and_then(Value::as_bool).unwrap_or_default(),
            metadata: fields("metadata"),
            headers: headers.iter().filter_map(|(name, value)| Some((name, value.as_str()?))).collect(),
        })
    }

    /// The rule that it meets, if any.
    pub fn meets<'a>(&self, rules: &'a Rules) -> Option<Picked<'a>> {
        rules.pick(&Facts {
            model: &self.model,
            route: self.route,
            user: self.user.as_deref(),
            group: self.group.as_deref(),
            key: self.key.as_deref(),
            stream: self.stream,
            metadata: &self.metadata,
            headers: &self.headers,
        })
    }
}

static SAMPLE: Shape = Shape::Object(&Object {
    title: "a sample request",
    rule: None,
    fields: &[
        Field::new("model", Shape::Text(&NAMED), "The model asked for.").required(),
        Field::new("route", Shape::Text(&NAMED), "The route, by name or path.").or("\"chat\""),
        Field::new("user", Shape::Text(&NAMED), "Who asks."),
        Field::new("group", Shape::Text(&NAMED), "Of which group."),
        Field::new("key", Shape::Text(&NAMED), "The name of the gateway key."),
        Field::new("stream", Shape::Bool, "Whether it streams.").or("false"),
        Field::new("metadata", Shape::Map { key: &NAMED, of: &Shape::Any, max: 1_000 }, "Its metadata."),
        Field::new("headers", Shape::Map { key: &NAMED, of: &Shape::Text(&VALUE), max: 200 }, "Its headers."),
    ],
});

const NAMED: Text = Text {
    min: 1,
    max: 1_024,
    pattern: None,
    expect: "a text of 1 to 1024 characters",
    check: |_| Ok(()),
    hidden: false,
};

const VALUE: Text = Text {
    min: 0,
    max: 16_384,
    pattern: None,
    expect: "a text of at most 16384 characters",
    check: |_| Ok(()),
    hidden: false,
};
