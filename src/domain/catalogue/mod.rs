//! The catalogue: what is known of models. Unknown is unknown: nothing is skipped and nothing is priced for want of a row.
//!
//! Built in (`models.json`), one row per model, with its name at each host:
//!
//! ```text
//! {"name": ours, "also": [other names], "context": tokens, "output": tokens, "usd": [input, output, cached] per million,
//!  "supports": "tools vision ...", "space": embedding space, "retired": {host: date}, "successor": name,
//!  "hosts": {provider: the name on the wire, "" where it is ours}}
//! ```
//! KV `models` changes it, field by field (`document.rs`). Sources: the providers' model pages; translation tables for Claude.

pub mod document;

use crate::domain::target::Target;
use crate::domain::usage::Usage;
use litemap::LiteMap;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// The built-in catalogue with the changes of KV `models`.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// By `provider/model[@region]`, as written.
    changes: LiteMap<String, Facts>,
}

/// What is known of one model. Every field may be unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The upstream's own name.
    pub id: Option<String>,
    pub context_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
    /// US dollars per million tokens.
    pub input_usd_per_mtok: Option<f64>,
    pub output_usd_per_mtok: Option<f64>,
    pub cached_input_usd_per_mtok: Option<f64>,
    /// Unknown, or everything that it can do.
    pub supports: Option<Vec<Feature>>,
    /// Where it runs: the target's region, else what the catalogue says.
    pub region: Option<String>,
    /// Names of the owner's choice (`zdr`, ...), for the boundary `labels`.
    pub labels: Vec<String>,
    /// Models of one space make vectors that can be compared.
    pub embedding_space: Option<String>,
    /// From this day (`YYYY-MM-DD`) its provider no longer serves it.
    pub retired: Option<String>,
    /// What its provider puts in its place.
    pub successor: Option<String>,
}

/// What a model or its host can do beyond text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    Tools,
    Vision,
    JsonSchema,
    Reasoning,
    Audio,
    Files,
    /// Tools that run at the provider.
    HostedTools,
    /// Ids of things stored at the provider (responses, conversations, files).
    StoredIds,
    /// Tiers other than auto and default.
    ServiceTier,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Feature; 9] = [
        Feature::Tools,
        Feature::Vision,
        Feature::JsonSchema,
        Feature::Reasoning,
        Feature::Audio,
        Feature::Files,
        Feature::HostedTools,
        Feature::StoredIds,
        Feature::ServiceTier,
    ];

    /// The name used in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Feature::Tools => "tools",
            Feature::Vision => "vision",
            Feature::JsonSchema => "json_schema",
            Feature::Reasoning => "reasoning",
            Feature::Audio => "audio",
            Feature::Files => "files",
            Feature::HostedTools => "hosted_tools",
            Feature::StoredIds => "stored_ids",
            Feature::ServiceTier => "service_tier",
        }
    }

    /// The feature of that name.
    pub fn parse(name: &str) -> Option<Feature> {
        Feature::ALL.into_iter().find(|feature| feature.name() == name)
    }
}

impl Facts {
    /// `Some(false)` only where it is known that the model lacks it.
    pub fn supports(&self, feature: Feature) -> Option<bool> {
        self.supports.as_ref().map(|features| features.contains(&feature))
    }

    /// What these tokens cost, in millionths of a US dollar; `None` where a price is unknown.
    pub fn cost_micro_usd(&self, usage: &Usage) -> Option<u64> {
        // A dollar per million tokens is a millionth of a dollar per token. What there is none of needs no price: embeddings
        // have no output.
        let of = |tokens: u64, usd: Option<f64>| if tokens == 0 { Some(0.0) } else { Some(tokens as f64 * usd?) };
        // An upstream may claim more of them than it had of input.
        let cached = usage.cached.min(usage.input);
        let fresh = of(usage.input - cached, self.input_usd_per_mtok)?;
        let cached = of(cached, self.cached_input_usd_per_mtok.or(self.input_usd_per_mtok))?;
        let output = of(usage.output, self.output_usd_per_mtok)?;
        Some((fresh + cached + output).round() as u64)
    }
}

impl Catalogue {
    /// Everything known of a target.
    pub fn facts(&self, target: &Target) -> Facts {
        let mut facts = built_in(target).map(|found| found.facts(&target.provider)).unwrap_or_default();
        let plain = Target { region: None, ..target.clone() };
        for key in [plain.to_string(), target.to_string()] {
            if let Some(change) = self.changes.get(&key) {
                facts.change(change);
            }
        }
        facts.region = target.region.clone().or(facts.region);
        facts
    }

    /// Whether anything is known of it.
    pub fn knows(&self, target: &Target) -> bool {
        let plain = Target { region: None, ..target.clone() };
        built_in(target).is_some()
            || self.changes.contains_key(&target.to_string())
            || self.changes.contains_key(&plain.to_string())
    }

    /// The model's name on the wire. `region` is where the call goes, when the target names no region itself: on Bedrock
    /// it picks the inference profile.
    pub fn wire_id(&self, target: &Target, region: Option<&str>) -> String {
        let plain = Target { region: None, ..target.clone() };
        let own = [target.to_string(), plain.to_string()];
        let given = own.iter().find_map(|key| self.changes.get(key).and_then(|facts| facts.id.clone()));
        let named = given.map(|id| Target { model: id, ..target.clone() });
        let target = named.as_ref().unwrap_or(target);
        // An id that was given is the upstream's own, even where it is a name of ours as well.
        let found = built_in(target).filter(|found| named.is_none() || !found.by_name);
        let Some(found) = found else { return target.model.clone() };
        let id = found.id();
        match target.provider == "bedrock" && !found.profiled {
            true => format!("{}{id}", profile_prefix(&id, target.region.as_deref().or(region))),
            false => id.into_owned(),
        }
    }

    /// Every target of the built-in catalogue by our own names, those that a provider retired left out: `provider/model`.
    pub fn built_in_targets() -> Vec<String> {
        let rows = index().rows.iter().filter(|(_, (_, by_name))| *by_name);
        let served = rows.filter(|(target, (row, _))| {
            target.split_once('/').is_none_or(|(provider, _)| !row.retired.contains_key(provider))
        });
        let mut targets: Vec<String> = served.map(|(target, _)| target.clone()).collect();
        targets.sort_unstable();
        targets
    }

    /// Every target that KV's changes name.
    pub fn changed(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }
}

impl Facts {
    /// Takes over what a change says.
    fn change(&mut self, change: &Facts) {
        fn over<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
            if new.is_some() {
                old.clone_from(new);
            }
        }
        over(&mut self.id, &change.id);
        over(&mut self.context_tokens, &change.context_tokens);
        over(&mut self.max_output_tokens, &change.max_output_tokens);
        over(&mut self.input_usd_per_mtok, &change.input_usd_per_mtok);
        over(&mut self.output_usd_per_mtok, &change.output_usd_per_mtok);
        over(&mut self.cached_input_usd_per_mtok, &change.cached_input_usd_per_mtok);
        over(&mut self.supports, &change.supports);
        over(&mut self.region, &change.region);
        over(&mut self.embedding_space, &change.embedding_space);
        over(&mut self.retired, &change.retired);
        over(&mut self.successor, &change.successor);
        if !change.labels.is_empty() {
            self.labels.clone_from(&change.labels);
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    also: Vec<String>,
    context: Option<u64>,
    output: Option<u64>,
    /// Input, output, cached input.
    usd: Option<[f64; 3]>,
    supports: Option<String>,
    space: Option<String>,
    #[serde(default)]
    retired: BTreeMap<String, String>,
    successor: Option<String>,
    hosts: BTreeMap<String, String>,
}

/// A row found, and how.
struct Found<'a> {
    row: &'static Row,
    target: &'a Target,
    /// It was named by one of our names: the wire's is to be put in place.
    by_name: bool,
    /// It was named by a Bedrock inference profile, which stays as it is.
    profiled: bool,
}

impl Found<'_> {
    fn id(&self) -> Cow<'_, str> {
        match self.row.hosts.get(&self.target.provider) {
            Some(id) if self.by_name && !id.is_empty() => Cow::Borrowed(id),
            Some(_) | None => Cow::Borrowed(&self.target.model),
        }
    }

    fn facts(&self, provider: &str) -> Facts {
        let row = self.row;
        let price = |i: usize| row.usd.as_ref().and_then(|usd| usd.get(i)).copied();
        let retired = row.retired.get(provider).cloned();
        Facts {
            id: row.hosts.get(provider).filter(|id| !id.is_empty()).cloned(),
            context_tokens: row.context,
            max_output_tokens: row.output,
            input_usd_per_mtok: price(0),
            output_usd_per_mtok: price(1),
            cached_input_usd_per_mtok: price(2),
            supports: row.supports.as_ref().map(|words| features(words, provider)),
            region: None,
            labels: Vec::new(),
            embedding_space: row.space.clone(),
            // Where the model stays, nothing takes its place.
            successor: row.successor.clone().filter(|_| retired.is_some()),
            retired,
        }
    }
}

/// A row's features, with those that come with the host that made the model.
fn features(words: &str, provider: &str) -> Vec<Feature> {
    let mut features: Vec<Feature> = words.split(' ').filter_map(Feature::parse).collect();
    if matches!(provider, "openai" | "anthropic") {
        features.extend([Feature::HostedTools, Feature::StoredIds, Feature::ServiceTier]);
    }
    features
}

struct Index {
    /// `provider/model` by our names (`true`) and by the wire's.
    rows: HashMap<String, (&'static Row, bool)>,
}

/// Parsed once, when first asked. A file that did not parse would be an empty catalogue; a test holds that it does.
fn index() -> &'static Index {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let rows =
            ROWS.get_or_init(|| serde_json::from_slice(include_str!("models.json").as_bytes()).unwrap_or_default());
        let mut index = HashMap::new();
        for row in rows {
            for (provider, id) in row.hosts.iter() {
                if !id.is_empty() {
                    index.entry(format!("{provider}/{id}")).or_insert((row, false));
                }
            }
        }
        for row in rows {
            for name in row.also.iter().chain([&row.name]) {
                for provider in row.hosts.keys() {
                    index.insert(format!("{provider}/{name}"), (row, true));
                }
            }
        }
        Index { rows: index }
    })
}

/// How many models the built-in catalogue has.
pub fn built_in_models() -> usize {
    let mut names: Vec<&str> = index().rows.values().map(|(row, _)| row.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// The row of a target: by name, by the wire's name, by a Bedrock profile, or without the date of a snapshot.
fn built_in(target: &Target) -> Option<Found<'_>> {
    let rows = &index().rows;
    let find = |model: &str| rows.get(&format!("{}/{model}", target.provider)).copied();
    let found = |(row, by_name), profiled| Found { row, target, by_name, profiled };
    if let Some(hit) = find(&target.model) {
        return Some(found(hit, false));
    }
    if let Some((_, model)) = target.model.split_once('.').filter(|(profile, _)| is_profile(profile))
        && target.provider == "bedrock"
        && let Some((row, _)) = find(model)
    {
        return Some(found((row, false), true));
    }
    let (row, _) = find(without_date(&target.model)?)?;
    Some(found((row, false), false))
}

/// `gpt-4o-2024-08-06`, `claude-sonnet-4-5-20250929`, `...-latest` without their end.
fn without_date(model: &str) -> Option<&str> {
    if let Some(stem) = model.strip_suffix("-latest") {
        return Some(stem);
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = model.rsplitn(4, '-').collect();
    match parts.as_slice() {
        [day, month, year, stem]
            if (day.len(), month.len(), year.len()) == (2, 2, 4) && digits(day) && digits(month) && digits(year) =>
        {
            Some(stem)
        }
        _ => model.rsplit_once('-').filter(|(_, date)| date.len() == 8 && digits(date)).map(|(stem, _)| stem),
    }
}

/// Bedrock's inference profiles, by the start of their ids.
const PROFILES: [&str; 7] = ["us", "eu", "apac", "jp", "au", "us-gov", "global"];

fn is_profile(text: &str) -> bool {
    PROFILES.contains(&text)
}

/// The inference profile of a region, with its dot: on-demand calls of newer models need one. Models since Claude 4.5 have
/// profiles for Japan and Australia in place of one for Asia.
fn profile_prefix(id: &str, region: Option<&str>) -> &'static str {
    let recent =
        ["-4-5-", "-4-6", "-4-7", "-4-8", "opus-5", "sonnet-5", "fable-5"].iter().any(|name| id.contains(name));
    match region.unwrap_or("us-east-1") {
        "global" => "global.",
        region if region.starts_with("us-gov") => "us-gov.",
        region if region.starts_with("us") || region.starts_with("ca-") => "us.",
        region if region.starts_with("eu") => "eu.",
        "jp" | "ap-northeast-1" | "ap-northeast-3" if recent => "jp.",
        "au" | "ap-southeast-2" | "ap-southeast-4" if recent => "au.",
        region if region.starts_with("ap") => "apac.",
        _ => "global.",
    }
}
