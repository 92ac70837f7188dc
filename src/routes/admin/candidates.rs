//! Policies as they would be: linted, and played through a script, with no upstream call.

use super::{Asked, Failure, bad_param, fields};
use crate::domain::catalogue::Catalogue;
use crate::domain::chain::Leave;
use crate::domain::document::Kind;
use crate::domain::document::json::shown;
use crate::domain::document::path::quoted;
use crate::domain::documents;
use crate::domain::ledger::control::day_of;
use crate::domain::lint::{self, PROMPT_TOKENS};
use crate::domain::outcome::Skip;
use crate::domain::plan::boundaries::{self, Land};
use crate::domain::policy::tree::{Draw, Tree};
use crate::domain::policy::{Hop, PlanName, resolve};
use crate::domain::provider::is_loopback_name;
use crate::domain::provider::{Provider, SIM_ON};
use crate::domain::refusal::Refusal;
use crate::domain::simulate::{Outlook, Script, simulate};
use crate::edge::bindings::{settings, text};
use crate::edge::glue::now;
use crate::edge::library::Library;
use crate::edge::ready::catalogue;
use crate::edge::store;
use crate::routes::name_of;
use crate::routes::reply::Reply;
use serde_json::{Value, json};

/// Prompts that the worst case is priced for, in tokens.
const PROMPT_MAX: u64 = 100_000_000;

/// Runs `with` in what is known here beside a document.
pub fn in_context<T>(
    asked: &Asked<'_>,
    library: &Library,
    catalogue: &Catalogue,
    prompt_tokens: u64,
    with: impl FnOnce(lint::Context<'_>) -> T,
) -> T {
    let today = day_of(now());
    library.world(|world| {
        with(lint::Context {
            world,
            provider: &|name| library.provider(name).map(|found| found.map(|provider| (*provider).clone())),
            has_secret: &|name| is_set(asked, name),
            catalogue,
            today: &today,
            prompt_tokens,
        })
    })
}

/// What a candidate refers to, as far as it can be read, and where that is a model the default provider: that of bare models, which
/// no hop names.
pub async fn world_of(asked: &Asked<'_>, kind: Kind, bytes: &[u8]) -> Result<Library, Failure> {
    let mut library = library(asked);
    if matches!(kind, Kind::Policy | Kind::Rules) {
        let hops = documents::hops(kind, bytes);
        library.gather(asked.env, None, &hops).await?;
        library.gather_providers(asked.env, &[]).await?;
    }
    Ok(library)
}

/// `/admin/lint`
pub async fn lint_answer(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let prompt_tokens = match asked.param("prompt_tokens") {
        None => PROMPT_TOKENS,
        Some(text) => text.parse::<u64>().ok().filter(|tokens| *tokens <= PROMPT_MAX).ok_or_else(|| {
            bad_param("prompt_tokens", format!("{} is not a whole number in 0..={PROMPT_MAX}", quoted(text)))
        })?,
    };
    let name = asked.param("name").unwrap_or_default();
    let library = world_of(asked, Kind::Policy, &asked.body).await?;
    let catalogue = catalogue(asked.env).await?.value;
    let lint = |context: lint::Context<'_>| lint::lint(name, &asked.body, context);
    Ok(Reply::json(200, &in_context(asked, &library, &catalogue, prompt_tokens, lint)))
}

/// `/admin/policies/{name}/simulate`: the stored policy, or `policy` of the body in its place.
pub async fn simulation(asked: &Asked<'_>) -> Result<Reply, Failure> {
    let name = asked.segment(0);
    let body = if asked.body.trim_ascii().is_empty() { json!({}) } else { asked.json()? };
    let body = if body.is_object() { body } else { json!({ "script": body }) };
    let body = fields(body, &["script", "policy", "consent"])?;
    let read = |script| Script::parse(script, &settings(asked.env).default_provider);
    let script = body.get("script").map(read).transpose()?.unwrap_or_default();
    let consented = match body.get("consent") {
        None | Some(Value::Null) => false,
        Some(consent) if consent == "fallback" => true,
        Some(other) => return Err(Refusal::value("consent", format!("{} is not \"fallback\"", shown(other))).into()),
    };
    let (tree, library) = match body.get("policy") {
        Some(candidate) => resolved(asked, name, candidate.to_string().as_bytes()).await?,
        None => {
            let standing = store::read(asked.env, &Kind::Policy.key(name)).await?;
            let standing = standing.ok_or_else(|| Failure::missing(Kind::Policy, name))?;
            resolved(asked, name, &standing.bytes).await?
        }
    };
    let leave = Leave { consented, forbidden: false };
    let plan = PlanName::Stored { name: name.to_owned(), version: String::new() };
    let plan = tree.plan(plan, Draw::Seed(0));
    let catalogue = catalogue(asked.env).await?.value;
    let crossed = boundaries::foreseen(&plan.hops, |name| provider(&library, name), &catalogue);
    let outlook = |(hop, crossed): (&Hop, Option<Skip>)| Outlook {
        crossed,
        context_tokens: catalogue.facts(&hop.target).context_tokens,
        wire: Land::of(hop, |name| provider(&library, name), &catalogue).ground().wire,
    };
    let outlooks: Vec<Outlook> = plan.hops.iter().zip(crossed).map(outlook).collect();
    Ok(Reply::json(200, &simulate(plan, &script, leave, &outlooks)))
}

fn provider(library: &Library, name: &str) -> Option<Provider> {
    library.provider(name).and_then(Result::ok).map(|provider| (*provider).clone())
}

async fn resolved(asked: &Asked<'_>, name: &str, bytes: &[u8]) -> Result<(Tree, Library), Failure> {
    let library = world_of(asked, Kind::Policy, bytes).await?;
    let read = library.world(|world| resolve::read(name, bytes, world));
    read.map(|(_, tree)| (tree, library)).map_err(|bad| Failure::findings(&bad))
}

/// An empty library.
pub fn library(asked: &Asked<'_>) -> Library {
    Library::new(&settings(asked.env).default_provider, &own_host(asked).unwrap_or_default())
}

/// Whether provider `sim` answers on the host that was asked.
pub fn sim_on(asked: &Asked<'_>) -> bool {
    settings(asked.env).sim_on && own_host(asked).is_some_and(|host| is_loopback_name(name_of(&host)))
}

/// Whether a secret, a variable, or the switch of `sim` is set.
pub fn is_set(asked: &Asked<'_>, name: &str) -> bool {
    if name == SIM_ON { sim_on(asked) } else { text(asked.env, name).is_some() }
}

/// This Worker's own host with its port, as the client named it.
pub fn own_host(asked: &Asked<'_>) -> Option<String> {
    asked.header("host").map(|authority| authority.to_ascii_lowercase()).filter(|authority| !authority.is_empty())
}
