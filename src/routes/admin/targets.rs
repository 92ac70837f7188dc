//! `/admin/targets` and the list of providers: what is configured, which secret is missing, how targets fare.

use super::{Asked, Failure, candidates, checks};
use crate::domain::breaker::State;
use crate::domain::document::Kind;
use crate::domain::ledger::cell::TargetCell;
use crate::domain::ledger::protocol::{Answer, Ask};
use crate::domain::ledger::query::{AnalyticsQuery, ListQuery, Source};
use crate::domain::ledger::rollup::Period;
use crate::domain::ledger::when::format_time;
use crate::domain::outcome::KeySlot;
use crate::domain::policy::resolve::World;
use crate::domain::policy::{BreakerRules, file, resolve};
use crate::domain::provider::table::ROWS;
use crate::domain::provider::{Provider, document};
use crate::domain::rules::Rules;
use crate::domain::target::{BadModel, ModelRef, Target};
use crate::domain::time::Span;
use crate::edge::bindings::settings;
use crate::edge::glue::now;
use crate::edge::library::Library;
use crate::edge::store::{self, Standing};
use crate::edge::{breakers, ledger};
use crate::routes::reply::Reply;
use litemap::LiteMap;
use serde_json::{Map, Value, json};

/// The stretch whose outcomes are shown.
const LATELY: Span = Span::days(1);

/// Who leads to a target, and under which numbers its breaker is read.
#[derive(Default)]
struct Use {
    policies: Vec<String>,
    /// Of the first that asks it.
    breaker: Option<BreakerRules>,
}

impl Use {
    /// A target that no policy leads to was called as a plain model, and the built-in policy has a breaker. Where only policies
    /// without one lead, nobody asks it.
    fn numbers(&self) -> Option<BreakerRules> {
        self.breaker.or_else(|| self.policies.is_empty().then(BreakerRules::default))
    }
}

/// Each target in use.
pub async fn list(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let query = AnalyticsQuery {
        filter: ListQuery::default(),
        from: now() - LATELY,
        to: now(),
        bucket: Period::Hour,
        source: Source::Cells { finest: Period::Hour, coarsest: Period::Day },
        lines: 1,
    };
    let outcomes = ledger::analyse(asked.env, &query).await?.total.targets;
    // This isolate may be young, or idle: what the others saw of each target is asked for.
    if let Answer::Circuits(circuits) = store::ask_control(asked.env, &Ask::Circuits).await? {
        breakers::merge(&circuits);
    }
    let mut library = candidates::library(asked);
    let mut uses = in_policies(asked, &mut library).await?;
    let known = checks::providers(asked).await?;
    let (default, known) =
        (&settings(asked.env).default_provider, |name: &str| known.iter().any(|known| known == name));
    let ruled = in_rules(asked, default, &known).await?;
    // What a rule leads to is called under the built-in policy's numbers where the request names a plain model.
    let ruled = ruled.iter().map(|model| (model, Some(BreakerRules::default())));
    for (model, breaker) in outcomes.keys().map(|model| (model, None)).chain(ruled) {
        if let Ok(ModelRef::Target(target)) = ModelRef::parse(model, default, known) {
            let used = uses.entry(target).or_default();
            used.breaker = used.breaker.or(breaker);
        }
    }
    let providers: Vec<String> = uses.keys().map(|target| format!("{}/x", target.provider)).collect();
    let providers: Vec<&str> = providers.iter().map(String::as_str).collect();
    library.gather_providers(asked.env, &providers).await?;
    let lines: Vec<Value> = uses
        .iter()
        .map(|(target, used)| line(asked, &library, target, used, outcomes.get(&target.to_string())))
        .collect();
    Ok(Reply::json(200, &json!({"data": lines})))
}

/// The models that rules fall back to, which nobody may have called yet. Rules that do not parse lead nowhere.
async fn in_rules(asked: &Asked<'_>, default: &str, known: &dyn Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
    let standing = store::read(asked.env, &Kind::Rules.key("")).await?;
    let rules = standing.and_then(|standing| Rules::parse(&standing.bytes, default, known).ok());
    Ok(rules.map_or_else(Vec::new, |rules| rules.hops().into_iter().map(|hop| hop.model).collect()))
}

async fn in_policies(asked: &Asked<'_>, library: &mut Library) -> Result<LiteMap<Target, Use>, Failure> {
    let mut uses: LiteMap<Target, Use> = LiteMap::new();
    for (name, standing) in store::list(asked.env, Kind::Policy.prefix()).await? {
        let Ok(file) = file::parse(&name, &standing.bytes) else { continue };
        library.gather(asked.env, None, &file.chain).await?;
        let mut note = |target: Target, breaker: Option<BreakerRules>| {
            let used = uses.entry(target).or_default();
            if used.policies.last() != Some(&name) {
                used.policies.push(name.clone());
            }
            used.breaker = used.breaker.or(breaker);
        };
        match library.world(|world| resolve::resolve(&name, &file, world)) {
            Ok(tree) => tree.hops().into_iter().for_each(|hop| note(hop.target.clone(), hop.breaker)),
            // One hop leads nowhere: the others' targets are what somebody is about to look for.
            Err(_) => library.world(|world| {
                file.chain
                    .iter()
                    .filter_map(|hop| plain(&hop.model, world))
                    .for_each(|target| note(target, file.breaker));
            }),
        }
    }
    Ok(uses)
}

/// The target that a hop names, also at a provider that is not there.
fn plain(model: &str, world: World<'_>) -> Option<Target> {
    let default = world.default_provider;
    let found = match ModelRef::parse(model, default, world.provider) {
        Err(BadModel::UnknownProvider(_)) => ModelRef::parse(model, default, |_| true),
        found => found,
    };
    match found {
        Ok(ModelRef::Target(target)) => Some(target),
        Ok(ModelRef::Policy(_)) | Err(_) => None,
    }
}

fn line(asked: &Asked<'_>, library: &Library, target: &Target, used: &Use, seen: Option<&TargetCell>) -> Value {
    let provider = library.provider(&target.provider);
    let missing = match &provider {
        Some(Ok(provider)) => {
            provider.missing_setting(target.region.as_deref(), |name| candidates::is_set(asked, name))
        }
        Some(Err(_)) | None => None,
    };
    let known = matches!(provider, Some(Ok(_)));
    let rules = used.numbers();
    let circuit = |slot| circuit(target, slot, rules.as_ref());
    let classes = seen.into_iter().flat_map(|seen| &seen.classes);
    let outcomes: Map<String, Value> = classes.map(|(class, part)| (class.clone(), part.attempts.into())).collect();
    json!({
        "model": target.to_string(),
        "provider": target.provider,
        "configured": known && missing.is_none(),
        "missing": missing,
        "policies": used.policies,
        "breaker": circuit(KeySlot::Managed),
        "breakers": {"managed": circuit(KeySlot::Managed), "own": circuit(KeySlot::Own)},
        "outcomes": outcomes,
    })
}

fn circuit(target: &Target, slot: KeySlot, rules: Option<&BreakerRules>) -> Value {
    let Some(rules) = rules else { return json!({"state": "off", "until": null}) };
    let state = breakers::handle(target, slot).state(rules, now());
    let until = if let State::Open { until } = state { Some(format_time(until)) } else { None };
    json!({"state": state.name(), "until": until})
}

/// Every provider, built in or configured, with its document where it has one.
pub async fn providers(asked: &Asked<'_>, configured: &LiteMap<String, Standing>) -> Result<Vec<Value>, Failure> {
    let names = checks::names(configured.keys().map(String::as_str));
    Ok(names.into_iter().map(|name| provider_line(asked, name, configured.get(name))).collect())
}

fn provider_line(asked: &Asked<'_>, name: &str, standing: Option<&Standing>) -> Value {
    let own_host = candidates::own_host(asked);
    let parsed = match standing {
        Some(standing) => document::parse(name, &standing.bytes, own_host.as_deref()).map_err(|bad| bad.to_string()),
        None => Provider::built_in(name).ok_or_else(|| "there is no such provider".to_owned()),
    };
    let missing = parsed
        .as_ref()
        .ok()
        .and_then(|provider| provider.missing_setting(None, |name| candidates::is_set(asked, name)));
    let row = ROWS.iter().find(|row| row.name == name);
    let document: Option<Value> = standing.and_then(|standing| serde_json::from_slice(&standing.bytes).ok());
    let base_url = document.as_ref().and_then(|document| document["base_url"].as_str()).or(row.map(|row| row.base_url));
    let dialect = document.as_ref().and_then(|document| document["dialect"].as_str()).map(str::to_owned);
    json!({
        "name": name,
        "builtin": row.is_some(),
        "configured": parsed.is_ok() && missing.is_none(),
        "missing": missing,
        "base_url": base_url,
        "dialect": dialect.or(row.map(|row| format!("{:?}", row.dialect).to_ascii_lowercase())),
        "version": standing.map(|standing| standing.version.as_str()),
        "document": document,
        "error": parsed.err(),
    })
}
