//! The `rules` document as written: its table, its references, and how its conditions are read.

use std::collections::HashMap;

use serde_json::{Map, Value};
use wildmatch::WildMatch;

use super::condition::{Bound, Condition, Fact, Literal, Test};
use super::{Entry, Rule, Rules};
use crate::domain::document::json::{self, shown};
use crate::domain::document::path::quoted;
use crate::domain::document::shape::{PROSE, SCHEMA_FIELD};
use crate::domain::document::{BadDocument, Field, Findings, Kind, Object, Path, Shape, Text};
use crate::domain::policy::fields::{CONSENT, DEADLINE_MS, HOPS, KEEP, ON, RETRIES, STREAM, TIMEOUTS};
use crate::domain::policy::file::{HopFile, overrides, read_hops};
use crate::domain::policy::overrides::Overrides;
use crate::domain::route;
use crate::domain::target::{ModelRef, before_colon, is_policy_name, is_provider_name};

/// Rules of one document, and rules over all its rulesets.
const MAX_RULES: usize = 5_000;

/// Conditions in one `when`, however they nest.
const MAX_KEYS: usize = 64;

/// What a rule does.
#[derive(Clone, Debug, Default)]
pub struct Then {
    /// The first hop's.
    pub retries: Option<u32>,
    /// Replaces what follows the first hop.
    pub fallback: Option<Vec<HopFile>>,
    /// The policy that takes the model's place.
    pub use_policy: Option<String>,
    /// The request is refused with this message.
    pub deny: Option<String>,
    pub overrides: Overrides,
}

/// How the literals of `model` are read.
pub(super) struct Models<'a> {
    pub(super) default_provider: &'a str,
    pub(super) known: &'a dyn Fn(&str) -> bool,
}

/// Reads and compiles the document.
pub(super) fn parse(bytes: &[u8], models: &Models<'_>) -> Result<Rules, BadDocument> {
    let value = json::parse(bytes, Kind::Rules, "").map_err(|findings| BadDocument {
        kind: Kind::Rules,
        name: String::new(),
        findings: findings.into_vec(),
    })?;
    let mut findings = Findings::new();
    RULES.check(&value, &Path::ROOT, &mut findings);
    let rules = compile(&value, models, &mut findings);
    findings.into_result(Kind::Rules, "", || rules)
}

/// The document's table. What a condition may say beyond its keys is checked where it is compiled.
pub static RULES: Shape = Shape::Object(&DOCUMENT);

static DOCUMENT: Object = Object {
    title: "a rules document",
    rule: None,
    fields: &[
        SCHEMA_FIELD,
        Field::new(
            "rules",
            Shape::Map { key: &NAME, of: &RULE, max: MAX_RULES },
            "Rules by name; one does nothing until a ruleset carries it.",
        )
        .or("{}"),
        Field::new("rulesets", Shape::List { of: &RULESET, min: 0, max: 1_000 }, "Applied in order.").or("[]"),
    ],
};

static RULE: Shape = Shape::Object(&Object {
    title: "a rule",
    rule: None,
    fields: &[
        Field::new("description", Shape::Text(&PROSE), "For people."),
        Field::new("when", WHEN, "What it asks of a request; {} always holds.").or("{}"),
        Field::new("then", Shape::Object(&THEN), "What it does.").required(),
    ],
});

static RULESET: Shape = Shape::Object(&Object {
    title: "a ruleset",
    rule: None,
    fields: &[
        Field::new("name", Shape::Text(&NAME), "Part of the name under which its requests are counted.").required(),
        Field::new("description", Shape::Text(&PROSE), "For people."),
        Field::new("when", WHEN, "What all of its rules ask of a request; {} always holds.").or("{}"),
        Field::new(
            "rules",
            Shape::List { of: &Shape::Text(&NAME), min: 0, max: MAX_RULES },
            "Names of rules: the first that holds wins.",
        )
        .required(),
    ],
});

static THEN: Object = Object {
    title: "what a rule does",
    rule: Some(check_then),
    fields: &[
        Field::new("retries", RETRIES, "The first hop's."),
        Field::new("fallback", HOPS, "Replaces what follows the first hop."),
        Field::new("use", Shape::Text(&POLICY), "The policy that takes the model's place."),
        Field::new("deny", Shape::Text(&MESSAGE), "Refuses the request with this message."),
        Field::new("on", ON, "Verdicts by error class."),
        Field::new("timeouts", TIMEOUTS, "The clocks of one call."),
        Field::new("deadline_ms", DEADLINE_MS, "The whole request, until commit."),
        Field::new("stream", STREAM, "When an answer commits, and how it is relayed."),
        Field::new("keep", KEEP, "Boundaries that a fallback may not cross, beside the policy's."),
        Field::new("consent", CONSENT, "Whether a request may leave the first hop."),
    ],
};

const WHEN: Shape =
    Shape::Named { name: "when", shape: &Shape::Map { key: &WHEN_KEY, of: &Shape::Any, max: MAX_KEYS } };

const WHEN_KEY: Text = Text {
    min: 1,
    max: 128,
    pattern: Some(r"^(model|route|user|group|key|stream|any|all|not|metadata\..+|header\..+)$"),
    expect: "one of model, route, user, group, key, stream, metadata.<field>, header.<name>, any, all, not",
    // Conditions nest, so their keys are checked where they are compiled.
    check: |_| Ok(()),
    hidden: false,
};

const NAME: Text = Text {
    min: 1,
    max: 64,
    pattern: Some("^[!-.0-~]([ -.0-~]*[!-.0-~])?$"),
    expect: "a name of 1 to 64 printable ASCII characters without a slash",
    check: |name| {
        let fine = name.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'/') && name.trim() == name;
        if fine { Ok(()) } else { Err(None) }
    },
    hidden: false,
};

const POLICY: Text = Text {
    min: 1,
    max: 71,
    pattern: Some("^policy/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    expect: "policy/<name>",
    check: |text| if text.strip_prefix("policy/").is_some_and(is_policy_name) { Ok(()) } else { Err(None) },
    hidden: false,
};

const MESSAGE: Text = Text {
    min: 1,
    max: 500,
    pattern: None,
    expect: "a message of 1 to 500 characters",
    check: |_| Ok(()),
    hidden: false,
};

fn check_then(then: &Map<String, Value>, path: &Path<'_>, findings: &mut Findings) {
    if !then.contains_key("use") {
        return;
    }
    for name in ["retries", "fallback"].into_iter().filter(|name| then.contains_key(*name)) {
        findings.error_with_hint(path.field(name), "cannot stand beside use", "set it in the policy that is used");
    }
}

/// The document's rules in the order in which they are asked. What is wrong goes to `findings`; what has a wrong type is
/// left out, as the table has told it.
fn compile(value: &Value, models: &Models<'_>, findings: &mut Findings) -> Rules {
    let mut reader = Reader { models, findings };
    let mut rules = Vec::new();
    let mut by_name = HashMap::new();
    let path = Path::ROOT.field("rules");
    for (name, rule) in value["rules"].as_object().into_iter().flatten() {
        let path = path.field(name);
        by_name.insert(name.as_str(), (reader.top(&rule["when"], &path.field("when")), rules.len()));
        rules.push(Rule { name: name.clone(), then: read_then(&rule["then"]) });
    }
    let mut entries = Vec::new();
    let mut names = Vec::new();
    let path = Path::ROOT.field("rulesets");
    for (index, ruleset) in value["rulesets"].as_array().into_iter().flatten().enumerate() {
        let path = path.index(index);
        let name = ruleset["name"].as_str().unwrap_or_default();
        if names.contains(&name) {
            reader.findings.error(path.field("name"), format!("{} is the name of an earlier ruleset", quoted(name)));
        }
        names.push(name);
        let around = reader.top(&ruleset["when"], &path.field("when"));
        let list = path.field("rules");
        for (index, rule) in ruleset["rules"].as_array().into_iter().flatten().filter_map(Value::as_str).enumerate() {
            let Some((when, rule)) = by_name.get(rule) else {
                let message = format!("{} names a rule that does not exist", quoted(rule));
                reader.findings.error(list.index(index), message);
                continue;
            };
            let when = Condition::All(vec![around.clone(), when.clone()]);
            entries.push(Entry { ruleset: name.to_owned(), rule: *rule, when });
        }
    }
    if entries.len() > MAX_RULES {
        findings.error(path, format!("{} rules in all rulesets are more than the {MAX_RULES} allowed", entries.len()));
    }
    Rules::new(entries, rules)
}

fn read_then(then: &Value) -> Then {
    let Value::Object(fields) = then else { return Then::default() };
    Then {
        retries: then["retries"].as_u64().and_then(|n| u32::try_from(n).ok()),
        fallback: then.get("fallback").and_then(|hops| read_hops(hops, &Path::ROOT, &mut Findings::new())),
        use_policy: then["use"].as_str().and_then(|model| model.strip_prefix("policy/")).map(str::to_owned),
        deny: then["deny"].as_str().map(str::to_owned),
        overrides: overrides(fields),
    }
}

fn fact(key: &str) -> Option<Fact> {
    Some(match key {
        "model" => Fact::Model,
        "route" => Fact::Route,
        "user" => Fact::User,
        "group" => Fact::Group,
        "key" => Fact::Key,
        "stream" => Fact::Stream,
        _ => match key.split_once('.')? {
            (_, "") => return None,
            ("metadata", field) => Fact::Metadata(field.to_owned()),
            ("header", name) => Fact::Header(name.to_ascii_lowercase()),
            _ => return None,
        },
    })
}

struct Reader<'a> {
    models: &'a Models<'a>,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    /// The `when` of a rule or ruleset; absent, it always holds. Its own type was checked by the table.
    fn top(&mut self, value: &Value, path: &Path<'_>) -> Condition {
        if value.is_object() { self.when(value, path) } else { Condition::All(Vec::new()) }
    }

    /// Recursion is bounded by the depth that documents may have.
    fn when(&mut self, value: &Value, path: &Path<'_>) -> Condition {
        match value {
            Value::Object(keys) => {
                Condition::All(keys.iter().map(|(key, value)| self.key(key, value, &path.field(key))).collect())
            }
            other => self.bad(path, other, "a condition (an object)"),
        }
    }

    fn key(&mut self, key: &str, value: &Value, path: &Path<'_>) -> Condition {
        match key {
            "any" => Condition::Any(self.list(value, path)),
            "all" => Condition::All(self.list(value, path)),
            "not" => Condition::Not(Box::new(self.when(value, path))),
            _ => match fact(key) {
                Some(fact) => self.test(fact, value, path),
                None => self.bad(path, &Value::from(key), WHEN_KEY.expect),
            },
        }
    }

    fn list(&mut self, value: &Value, path: &Path<'_>) -> Vec<Condition> {
        match value {
            Value::Array(list) if (1..=MAX_KEYS).contains(&list.len()) => {
                list.iter().enumerate().map(|(index, entry)| self.when(entry, &path.index(index))).collect()
            }
            other => {
                self.findings.error(path, format!("{} is not a list of 1 to {MAX_KEYS} conditions", shown(other)));
                Vec::new()
            }
        }
    }

    fn test(&mut self, fact: Fact, value: &Value, path: &Path<'_>) -> Condition {
        let Value::Object(operators) = value else {
            let literal = self.literal(&fact, value, path);
            return Condition::Test(fact, Test::Is(literal));
        };
        if operators.is_empty() {
            return self.bad(path, value, "a literal, a glob, or an object of exists, eq, ne, in, lt, gt");
        }
        let tests = operators.iter().map(|(name, operand)| {
            let path = path.field(name);
            let test = match (name.as_str(), operand) {
                ("exists", Value::Bool(expected)) => Test::Exists(*expected),
                ("eq", operand) => Test::Is(self.literal(&fact, operand, &path)),
                ("ne", operand) => Test::IsNot(self.literal(&fact, operand, &path)),
                ("in", Value::Array(list)) if (1..=1_000).contains(&list.len()) => {
                    let literals = list.iter().enumerate();
                    Test::OneOf(literals.map(|(at, entry)| self.literal(&fact, entry, &path.index(at))).collect())
                }
                ("lt", Value::Number(_) | Value::String(_)) => Test::Less(bound(operand)),
                ("gt", Value::Number(_) | Value::String(_)) => Test::More(bound(operand)),
                ("exists", operand) => return self.bad(&path, operand, "true or false"),
                ("in", operand) => return self.bad(&path, operand, "a list of 1 to 1000 literals"),
                ("lt" | "gt", operand) => return self.bad(&path, operand, "a number or a text"),
                (other, _) => return self.bad(&path, &Value::from(other), "one of exists, eq, ne, in, lt, gt"),
            };
            Condition::Test(fact.clone(), test)
        });
        Condition::All(tests.collect())
    }

    fn literal(&mut self, fact: &Fact, value: &Value, path: &Path<'_>) -> Literal {
        match (fact, value) {
            (Fact::Stream, Value::Bool(_)) | (Fact::Metadata(_) | Fact::Header(_), Value::Bool(_)) => {
                Literal::Bool(value == &Value::Bool(true))
            }
            (Fact::Stream, Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
                Literal::Bool(text == "true")
            }
            (Fact::Stream, _) => self.no_literal(path, value, "true or false"),
            (Fact::Model, Value::String(text)) => self.models.literal(text),
            (Fact::Route, Value::String(text)) => self.route(text, path),
            (_, Value::String(text)) if is_glob(text) => Literal::Glob(WildMatch::new(text)),
            (_, Value::String(text)) => Literal::Text(text.clone()),
            (Fact::Model | Fact::Route, _) => self.no_literal(path, value, "a text or a glob"),
            (_, Value::Number(number)) => Literal::Number(number.as_f64().unwrap_or_default()),
            (_, Value::Null) => Literal::Absent,
            (_, Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                self.no_literal(path, value, "a literal or a glob")
            }
        }
    }

    /// A route that is none would never be met, and what a rule denies there never denied.
    fn route(&mut self, text: &str, path: &Path<'_>) -> Literal {
        match route::named(text).as_slice() {
            [] => self.no_literal(path, &Value::from(text), &format!("one of {}", route::NAMES.join(", "))),
            names => Literal::Either(names.iter().map(|name| Literal::Text((*name).to_owned())).collect()),
        }
    }

    fn no_literal(&mut self, path: &Path<'_>, value: &Value, expected: &str) -> Literal {
        self.bad(path, value, expected);
        Literal::Absent
    }

    /// Tells what is wrong; the condition stands in for it and is never asked.
    fn bad(&mut self, path: &Path<'_>, value: &Value, expected: &str) -> Condition {
        self.findings.error(path, format!("{} is not {expected}", shown(value)));
        Condition::Any(Vec::new())
    }
}

impl Models<'_> {
    /// A literal or glob over models, as requests' models are compared: after a bare name got its provider and a colon
    /// became a slash. Of a glob it is not known which of the three it means, nor of a colon whether a provider of that
    /// name is configured: it stands for each that it may mean.
    fn literal(&self, text: &str) -> Literal {
        let mut names = match (is_glob(text), ModelRef::parse(text, self.default_provider, self.known)) {
            (false, Ok(model)) => vec![model.to_string()],
            (true, _) | (false, Err(_)) => vec![text.to_owned()],
        };
        let colon = text.split_once(':').filter(|(provider, _)| is_provider_name(provider));
        names.extend(colon.map(|(provider, model)| format!("{}/{model}", before_colon(provider))));
        if is_glob(text) && (colon.is_some() || !text.contains('/')) {
            names.push(format!("{}/{text}", self.default_provider));
        }
        names.dedup();
        let mut literals = names.into_iter().map(|name| match is_glob(&name) {
            true => Literal::Glob(WildMatch::new(&name)),
            false => Literal::Text(name),
        });
        match (literals.next(), literals.next()) {
            (Some(only), None) => only,
            (first, second) => Literal::Either(first.into_iter().chain(second).chain(literals).collect()),
        }
    }
}

/// A string with `*` or `?` is a glob, all else a literal.
fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

fn bound(value: &Value) -> Bound {
    match value {
        Value::Number(number) => Bound::Number(number.as_f64().unwrap_or_default()),
        other => {
            let text = other.as_str().unwrap_or_default();
            match text.trim().parse() {
                Ok(number) if f64::is_finite(number) => Bound::Number(number),
                _ => Bound::Text(text.to_owned()),
            }
        }
    }
}
