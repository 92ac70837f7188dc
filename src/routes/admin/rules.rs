//! Which rule would a request meet? Judged by what judges requests themselves.

use super::{Asked, Failure, checks, fields};
use crate::domain::document::Kind;
use crate::domain::refusal::Refusal;
use crate::domain::rules::{Rules, Sample};
use crate::edge::bindings::settings;
use crate::edge::store;
use crate::routes::reply::Reply;
use serde_json::json;

/// `{"request": {...}}` against the stored rules, or against `rules` of the body in their place.
pub async fn judge(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let body = fields(asked.json()?, &["request", "rules"])?;
    let providers = checks::providers(asked).await?;
    let (provider, known) =
        (&settings(asked.env).default_provider, |name: &str| providers.iter().any(|known| known == name));
    let request = body.get("request").ok_or_else(|| Refusal::value("request", "expected a sample request"))?;
    let sample = Sample::parse(request, provider, &known)?;
    let document = match body.get("rules") {
        Some(candidate) => candidate.to_string().into_bytes(),
        None => stored(asked).await?,
    };
    let rules = Rules::parse(&document, provider, &known).map_err(|bad| Failure::findings(&bad))?;
    let met = sample.meets(&rules);
    Ok(Reply::json(200, &json!({"ruleset": met.map(|met| met.ruleset), "rule": met.map(|met| met.rule)})))
}

/// Without a document there are no rules.
async fn stored(asked: &Asked<'_>) -> Result<Vec<u8>, Failure> {
    let standing = store::read(asked.env, &Kind::Rules.key("")).await?;
    Ok(standing.map_or_else(|| b"{}".to_vec(), |standing| standing.bytes))
}
