//! Conditions: what a rule asks of a request.
//!
//! ```text
//! {"model": "openai/*", "group": {"exists": true}, "any": [{"stream": true}, {"metadata.seats": {"gt": 5}}]}
//! ```
//! All keys of an object must hold; `{}` always does. A literal equals a fact by value or by text (`5` and `"5"` are the
//! same, as headers know no numbers); a string with `*` or `?` is a glob over the whole text. A fact that is a list holds
//! when one of its entries does. `ne` holds for a fact that is absent, as it is not equal; `lt` and `gt` do not. Numbers
//! compare as numbers, other text (dates, versions) as text.

use serde_json::{Map, Value};
use wildmatch::WildMatch;

use crate::domain::request::Headers;
use crate::domain::rules::Needs;

/// What is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `provider/model[@region]` or `policy/<name>`: after a bare name got its provider and a colon became a slash.
    pub model: &'a str,
    /// [`Route::name`](crate::domain::route::Route::name)
    pub route: &'a str,
    pub user: Option<&'a str>,
    pub group: Option<&'a str>,
    /// Name of the gateway key.
    pub key: Option<&'a str>,
    pub stream: bool,
    pub metadata: &'a Map<String, Value>,
    pub headers: &'a Headers,
}

/// A compiled condition.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Fact, Test),
}

/// Which fact is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Model,
    Route,
    User,
    Group,
    Key,
    Stream,
    /// A field by its name, or by a path of names with dots between.
    Metadata(String),
    /// A header by its lower-case name.
    Header(String),
}

/// What is asked of it.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Exists(bool),
    Is(Literal),
    IsNot(Literal),
    OneOf(Vec<Literal>),
    Less(Bound),
    More(Bound),
}

/// A value as a rule writes it.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    /// Absent, or null.
    Absent,
    Bool(bool),
    Number(f64),
    Text(String),
    Glob(WildMatch),
    /// Any of these: the references that one way of writing a model may stand for.
    Either(Vec<Literal>),
}

/// What `lt` and `gt` compare with.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Number(f64),
    Text(String),
}

/// A fact as a request states it.
#[derive(Clone, Copy)]
enum Seen<'a> {
    Bool(bool),
    Text(&'a str),
    Json(&'a Value),
}

impl Condition {
    /// Whether it holds. Recursion is bounded by the depth that documents may have.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Condition::All(all) => all.iter().all(|condition| condition.holds(facts)),
            Condition::Any(any) => any.iter().any(|condition| condition.holds(facts)),
            Condition::Not(not) => !not.holds(facts),
            Condition::Test(fact, test) => test.holds(fact.seen(facts)),
        }
    }

    /// One name without which it cannot hold, for the index.
    pub(super) fn needs(&self) -> Option<Needs<'_>> {
        match self {
            Condition::All(all) => all.iter().find_map(Condition::needs),
            Condition::Test(Fact::Model, Test::Is(Literal::Text(name))) => Some(Needs::Model(name)),
            Condition::Test(Fact::User, Test::Is(Literal::Text(name))) => Some(Needs::User(name)),
            Condition::Test(Fact::Group, Test::Is(Literal::Text(name))) => Some(Needs::Group(name)),
            Condition::Test(Fact::Key, Test::Is(Literal::Text(name))) => Some(Needs::Key(name)),
            Condition::Any(_) | Condition::Not(_) | Condition::Test(..) => None,
        }
    }
}

impl Fact {
    fn seen<'a>(&self, facts: &Facts<'a>) -> Option<Seen<'a>> {
        match self {
            Fact::Model => Some(Seen::Text(facts.model)),
            Fact::Route => Some(Seen::Text(facts.route)),
            Fact::User => facts.user.map(Seen::Text),
            Fact::Group => facts.group.map(Seen::Text),
            Fact::Key => facts.key.map(Seen::Text),
            Fact::Stream => Some(Seen::Bool(facts.stream)),
            Fact::Metadata(path) => field(facts.metadata, path).filter(|value| !value.is_null()).map(Seen::Json),
            Fact::Header(name) => facts.headers.value(name).map(Seen::Text),
        }
    }
}

/// A field by its whole name, else by the names between its dots.
fn field<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = fields.get(path) {
        return Some(value);
    }
    let mut names = path.split('.');
    let first = fields.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

impl Test {
    fn holds(&self, seen: Option<Seen<'_>>) -> bool {
        match self {
            Test::Exists(expected) => seen.is_some() == *expected,
            Test::Is(literal) => literal.is(seen),
            Test::IsNot(literal) => !literal.is(seen),
            Test::OneOf(literals) => literals.iter().any(|literal| literal.is(seen)),
            Test::Less(bound) => seen.is_some_and(|seen| bound.orders(seen, std::cmp::Ordering::Less)),
            Test::More(bound) => seen.is_some_and(|seen| bound.orders(seen, std::cmp::Ordering::Greater)),
        }
    }
}

impl Literal {
    fn is(&self, seen: Option<Seen<'_>>) -> bool {
        let Some(seen) = seen else { return matches!(self, Literal::Absent) };
        if let Seen::Json(Value::Array(list)) = seen {
            return list.iter().any(|entry| self.is(Some(Seen::Json(entry))));
        }
        match self {
            Literal::Absent => false,
            Literal::Bool(expected) => seen.text().is_some_and(|text| text == if *expected { "true" } else { "false" }),
            Literal::Number(expected) => seen.number() == Some(*expected),
            Literal::Text(expected) => seen.text().is_some_and(|text| text == expected.as_str()),
            Literal::Glob(glob) => seen.text().is_some_and(|text| glob.matches(&text)),
            Literal::Either(literals) => literals.iter().any(|literal| literal.is(Some(seen))),
        }
    }
}

impl Bound {
    /// Whether what is seen stands in this order to the bound.
    fn orders(&self, seen: Seen<'_>, order: std::cmp::Ordering) -> bool {
        if let Seen::Json(Value::Array(list)) = seen {
            return list.iter().any(|entry| self.orders(Seen::Json(entry), order));
        }
        match self {
            Bound::Number(bound) => seen.number().and_then(|number| number.partial_cmp(bound)) == Some(order),
            Bound::Text(bound) => seen.text().is_some_and(|text| text.as_ref().cmp(bound.as_str()) == order),
        }
    }
}

impl<'a> Seen<'a> {
    /// The text of a scalar.
    fn text(self) -> Option<std::borrow::Cow<'a, str>> {
        match self {
            Seen::Text(text) => Some(text.into()),
            Seen::Bool(value) => Some(if value { "true" } else { "false" }.into()),
            Seen::Json(Value::String(text)) => Some(text.as_str().into()),
            Seen::Json(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string().into()),
            Seen::Json(Value::Null | Value::Array(_) | Value::Object(_)) => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Seen::Json(Value::Number(number)) => number.as_f64(),
            Seen::Bool(_) | Seen::Json(Value::Bool(_)) => None,
            seen => seen.text()?.trim().parse().ok(),
        }
    }
}
