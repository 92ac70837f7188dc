//! Policies as they would be: linted, and played through a script, with no upstream call.

use super::{Asked, Failure};
use crate::domain::chain::Leave;
use crate::domain::document::BadDocument;
use crate::domain::ledger::control::day_of;
use crate::domain::policy::lint::{self, PROMPT_TOKENS, Report};
use crate::domain::policy::tree::{Draw, Tree};
use crate::domain::policy::{PlanName, file, resolve};
use crate::domain::refusal::Refusal;
use crate::domain::simulate::{Script, simulate};
use crate::edge::bindings::{settings, text};
use crate::edge::glue::now;
use crate::edge::keys::store_down;
use crate::edge::library::Library;
use crate::edge::ready::catalogue;
use crate::edge::store;
use crate::routes::reply::Reply;
use serde_json::Value;

/// Prompts that the worst case is priced for, in tokens.
const PROMPT_MAX: u64 = 100_000_000;

/// Everything to say about a candidate policy.
///
/// # Errors
/// 503 when what it refers to cannot be read.
pub async fn report(asked: &Asked<'_>, name: &str, bytes: &[u8], prompt_tokens: u64) -> Result<Report, Failure> {
    let library = world_of(asked, name, bytes).await?;
    let catalogue = catalogue(asked.env).await?.value;
    let today = day_of(now());
    Ok(library.world(|world| {
        let context = lint::Context {
            world,
            provider: &|name| library.provider(name).and_then(Result::ok).map(|provider| (*provider).clone()),
            has_secret: &|secret| text(asked.env, secret).is_some(),
            catalogue: &catalogue,
            today: &today,
            prompt_tokens,
        };
        lint::lint(name, bytes, context)
    }))
}

/// What a candidate refers to, and the default provider; nothing for one that does not parse.
async fn world_of(asked: &Asked<'_>, name: &str, bytes: &[u8]) -> Result<Library, Failure> {
    let mut library = library(asked);
    if let Ok(file) = file::parse(name, bytes) {
        library.gather(asked.env, None, &file.chain).await.map_err(|down| store_down(&down.0))?;
    }
    Ok(library)
}

/// `/admin/lint`
pub async fn lint_answer(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let prompt_tokens = match asked.param("prompt_tokens").map(str::parse::<u64>) {
        None => PROMPT_TOKENS,
        Some(Ok(tokens)) if tokens <= PROMPT_MAX => tokens,
        Some(_) => {
            let message = format!("prompt_tokens: not a whole number in 0..={PROMPT_MAX}");
            return Err(Refusal::new(400, "invalid_parameter", message).about("prompt_tokens").into());
        }
    };
    let name = asked.param("name").unwrap_or_default();
    Ok(Reply::json(200, &report(asked, name, &asked.body, prompt_tokens).await?))
}

/// `/admin/policies/{name}/simulate`: the stored policy, or `policy` of the body in its place.
pub async fn simulation(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let name = asked.segment(0);
    let body = if asked.body.trim_ascii().is_empty() { Value::Array(Vec::new()) } else { asked.json()? };
    let script = match body.get("script").is_none() && body.is_object() {
        true => Script::default(),
        false => Script::parse(&body)?,
    };
    let tree = match body.get("policy") {
        Some(candidate) => resolved(asked, name, candidate.to_string().as_bytes()).await?,
        None => {
            let missing = || Refusal::new(404, "not_found", format!("there is no policy {name:?}"));
            let standing = store::read(asked.env, &format!("policy:{name}")).await?.ok_or_else(missing)?;
            resolved(asked, name, standing.value.as_bytes()).await?
        }
    };
    let leave = Leave { consented: body.get("consent").is_some_and(|consent| consent == "fallback"), forbidden: false };
    let plan = PlanName::Stored { name: name.to_owned(), version: String::new() };
    Ok(Reply::json(200, &simulate(tree.plan(plan, Draw::Seed(0)), &script, leave)))
}

async fn resolved(asked: &Asked<'_>, name: &str, bytes: &[u8]) -> Result<Tree, Failure> {
    let refuse = |bad: BadDocument| Failure::findings(&bad);
    let file = file::parse(name, bytes).map_err(refuse)?;
    let library = world_of(asked, name, bytes).await?;
    library.world(|world| resolve::resolve(name, &file, world)).map_err(refuse)
}

/// An empty library.
pub fn library(asked: &Asked<'_>) -> Library {
    Library::new(&settings(asked.env).default_provider, &own_host(asked).unwrap_or_default())
}

/// This Worker's own host with its port, as the client named it.
pub fn own_host(asked: &Asked<'_>) -> Option<String> {
    asked.header("host").map(|authority| authority.to_ascii_lowercase()).filter(|authority| !authority.is_empty())
}
