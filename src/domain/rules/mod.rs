//! Rules: what the owner decides per request, before any policy: KV `rules`.
//!
//! ```json
//! {"rules": {"gpt-4o-to-claude": {"when": {"model": "openai/gpt-4o"}, "then": {"retries": 1, "fallback": [...]}}},
//!  "rulesets": [{"name": "everyone", "when": {"group": {"exists": true}}, "rules": ["gpt-4o-to-claude"]}]}
//! ```
//! A rule does nothing until a ruleset carries it. Rulesets apply in order, rules in the order in which their ruleset names
//! them; the first rule wins whose ruleset's `when` and own `when` both hold. A document is compiled once per version:
//! rules that ask for one model, user, group or key by its whole name are found through an index, so that a thousand of
//! them cost a request no more than the few that could hold.

mod condition;
mod file;
mod references;
mod sample;

use std::collections::HashMap;

pub use condition::Facts;
pub use file::{RULES, Then};
pub use sample::Sample;

use condition::Condition;

use crate::domain::document::BadDocument;

/// A compiled `rules` document.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In the order in which they are asked.
    entries: Vec<Entry>,
    rules: Vec<Rule>,
    index: Index,
    /// Whether any rule denies anything.
    denies: bool,
}

/// A rule's name and what it does; rulesets share it.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    then: Then,
}

/// One rule in one ruleset.
#[derive(Clone, Debug)]
struct Entry {
    ruleset: String,
    /// Index into the rules.
    rule: usize,
    /// The ruleset's condition and the rule's own.
    when: Condition,
}

/// The rule that won.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a> {
    pub ruleset: &'a str,
    pub rule: &'a str,
    pub then: &'a Then,
}

impl Picked<'_> {
    /// `x-understudy-rule`: `<ruleset>/<rule>`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.ruleset, self.rule)
    }
}

impl Rules {
    /// Reads and compiles the document. `default_provider` and `known` (is there a provider of that name?) read the bare
    /// and colon forms of `model` literals, as they do those of requests.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(bytes: &[u8], default_provider: &str, known: &dyn Fn(&str) -> bool) -> Result<Rules, BadDocument> {
        file::parse(bytes, &file::Models { default_provider, known })
    }

    /// The rule that these facts meet, if any.
    pub fn pick(&self, facts: &Facts<'_>) -> Option<Picked<'_>> {
        let entry = self.first(facts)?;
        let rule = self.rules.get(entry.rule)?;
        Some(Picked { ruleset: &entry.ruleset, rule: &rule.name, then: &rule.then })
    }

    fn first(&self, facts: &Facts<'_>) -> Option<&Entry> {
        let mut lists = self.index.candidates(facts);
        loop {
            let first = lists.iter().filter_map(|list| list.first()).min().copied()?;
            for list in &mut lists {
                if let Some((head, rest)) = list.split_first()
                    && *head == first
                {
                    *list = rest;
                }
            }
            if let Some(entry) = self.entries.get(first).filter(|entry| entry.when.holds(facts)) {
                return Some(entry);
            }
        }
    }

    /// Whether a request for this model would be denied: what binds a hop that the request brings. `facts.model` is the hop's.
    pub fn denies_request(&self, facts: &Facts<'_>) -> bool {
        self.denying(facts).is_some()
    }

    /// Whether a hop that the owner chose is denied: only by a rule that asks for its model. One that would hold without a model is
    /// about the request, which it did not stop: an earlier rule made an exception.
    pub fn denies_target(&self, facts: &Facts<'_>) -> bool {
        self.denying(facts).is_some_and(|entry| !entry.when.holds(&Facts { model: "", ..*facts }))
    }

    fn denying(&self, facts: &Facts<'_>) -> Option<&Entry> {
        let denies = |entry: &&Entry| self.rules.get(entry.rule).is_some_and(|rule| rule.then.deny.is_some());
        if self.denies { self.first(facts).filter(denies) } else { None }
    }

    /// Whether any rule in force denies.
    pub fn denies(&self) -> bool {
        self.denies
    }

    /// How many rules are in force, each once per ruleset that carries it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no rule is in force.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn new(entries: Vec<Entry>, rules: Vec<Rule>) -> Rules {
        let index = Index::new(&entries);
        let denies = entries.iter().any(|entry| rules.get(entry.rule).is_some_and(|rule| rule.then.deny.is_some()));
        Rules { entries, rules, index, denies }
    }
}

/// Entries by the one name that they ask for, each list in order.
#[derive(Clone, Debug, Default)]
struct Index {
    model: HashMap<String, Vec<usize>>,
    user: HashMap<String, Vec<usize>>,
    group: HashMap<String, Vec<usize>>,
    key: HashMap<String, Vec<usize>>,
    /// Those that no single name rules out.
    rest: Vec<usize>,
}

/// A name that a condition cannot hold without.
#[derive(Clone, Copy, Debug)]
enum Needs<'a> {
    Model(&'a str),
    User(&'a str),
    Group(&'a str),
    Key(&'a str),
}

impl Index {
    fn new(entries: &[Entry]) -> Index {
        let mut index = Index::default();
        for (order, entry) in entries.iter().enumerate() {
            let (map, name) = match entry.when.needs() {
                Some(Needs::Model(name)) => (&mut index.model, name),
                Some(Needs::User(name)) => (&mut index.user, name),
                Some(Needs::Group(name)) => (&mut index.group, name),
                Some(Needs::Key(name)) => (&mut index.key, name),
                None => {
                    index.rest.push(order);
                    continue;
                }
            };
            map.entry(name.to_owned()).or_default().push(order);
        }
        index
    }

    fn candidates(&self, facts: &Facts<'_>) -> [&[usize]; 5] {
        [
            list(&self.model, Some(facts.model)),
            list(&self.user, facts.user),
            list(&self.group, facts.group),
            list(&self.key, facts.key),
            &self.rest,
        ]
    }
}

fn list<'a>(map: &'a HashMap<String, Vec<usize>>, name: Option<&str>) -> &'a [usize] {
    name.and_then(|name| map.get(name)).map(Vec::as_slice).unwrap_or_default()
}
