//! From a request to its plan, with the documents that govern it: rules, policies, providers, catalogue.
//!
//! Which rule and policy a request meets is decided each time. The plan that follows is the same for all requests of one
//! course, key and route, unless a request brings something of its own or hops are drawn by weight: it is kept, with all that
//! is known of its hops, until one of the documents that it was made of is due to be read again, or any document changes.

use super::documents::{InForce, Stand, in_force};
use super::glue;
use super::inquiry::Inquiry;
use super::job::Ready;
use super::library::{Library, built_in};
use super::ready::{self, Asker};
use crate::domain::chain::Prospect;
use crate::domain::document::Kind;
use crate::domain::outcome::Skip;
use crate::domain::plan::boundaries::{self, Ground};
use crate::domain::plan::{Course, Identity, Request, Stored, policy_not_found};
use crate::domain::policy::{Hop, Plan};
use crate::domain::refusal::Refusal;
use crate::domain::route::Route;
use crate::domain::rules::Rules;
use crate::domain::target::Target;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use worker::Env;

/// How many plans an isolate keeps.
const MOST: usize = 1_000;

/// A plan, and what is known of its hops.
pub struct Made {
    pub plan: Arc<Plan>,
    pub ready: Rc<[Ready]>,
    pub identity: Identity,
    /// One per hop.
    pub prospects: Vec<Prospect>,
}

/// What requests of one course share.
#[derive(Clone)]
struct Shared {
    plan: Arc<Plan>,
    ready: Rc<[Ready]>,
    /// With the boundary that stands against a hop, or what its wire lacks; not yet what its model lacks.
    prospects: Rc<[Prospect]>,
}

thread_local! {
    static KEPT: RefCell<HashMap<String, (Stand, Shared)>> = RefCell::default();
}

/// Makes the plan of a request.
///
/// # Errors
/// Whatever is wrong with the request (400, 403, 404) or with the documents that govern it (500, 503).
pub async fn make(inquiry: &Inquiry<'_>) -> Result<Made, Refusal> {
    let env = inquiry.env;
    let mut library = Library::new(inquiry.default_provider, inquiry.own_host);
    let named: Vec<&str> = inquiry.asked.named().collect();
    library.gather_providers(env, &named).await?;
    let rules = rules(env, inquiry.default_provider).await?;
    let request = Request {
        asked: inquiry.asked,
        route: inquiry.route,
        headers: inquiry.headers,
        key: inquiry.caller.map(|caller| &*caller.file),
        rules: &rules.value,
    };
    let chosen = library.world(|world| Course::choose(request, world));
    let course = chosen.map_err(|refusal| refusal.under(rules.stale || library.has_stale()))?;
    let name = course.shared_name().map(|name| name_of(inquiry, &name));
    let shared = match name.as_deref().and_then(kept) {
        Some(shared) => shared,
        None => {
            let made = work_out(inquiry, &mut library, &course, rules.stale).await;
            let told = |refusal: Refusal| course.blamed(refusal).under(rules.stale || library.has_stale());
            let (shared, draws) = made.map_err(told)?;
            if let Some(name) = name.filter(|_| !draws) {
                keep(inquiry, name, &library, &shared);
            }
            shared
        }
    };
    let mut prospects = shared.prospects.to_vec();
    ready::lacking(&mut prospects, &shared.plan, &shared.ready, inquiry);
    Ok(Made { plan: shared.plan, ready: shared.ready, identity: course.identity, prospects })
}

/// The plan of a course, and whether it was drawn.
async fn work_out(
    inquiry: &Inquiry<'_>,
    library: &mut Library,
    course: &Course<'_>,
    stale_rules: bool,
) -> Result<(Shared, bool), Refusal> {
    let env = inquiry.env;
    let policy = course.policy().map(|name| format!("policy/{name}"));
    let hops: Vec<_> = course.hops().cloned().collect();
    library.gather(env, policy.as_deref(), &hops).await?;
    brought_policies(inquiry, library).await?;
    let stored = match course.policy() {
        Some(name) => Some(stored(inquiry, library, name).await.map_err(|refusal| named_by(course, refusal))?),
        None => None,
    };
    let stored_ref =
        stored.as_ref().map(|found| Stored { tree: &found.tree, version: &found.version, stale: found.stale });
    let told = |refusal: Refusal| {
        let policy = course.policy().zip(stored_ref).map(|(name, stored)| [name, "@", stored.version].concat());
        Refusal { policy, ..refusal.under(stored_ref.is_some_and(|stored| stored.stale)) }
    };
    let mut composed = library.world(|world| course.compose(stored_ref, world, glue::seed())).map_err(told)?;
    let InForce { value: catalogue, stale } = ready::catalogue(env).await.map_err(told)?;
    let key_stale = inquiry.caller.is_some_and(|caller| caller.stale);
    composed.plan.stale |= stale || stale_rules || key_stale || library.has_stale();
    let asker = Asker { env, caller: inquiry.caller, sent: inquiry.asked.own_keys.map(), sim: inquiry.sim };
    let ready = ready::ready(&asker, &composed.plan, inquiry.route, library, &catalogue).map_err(told)?;
    let written_first = stored.as_ref().and_then(|found| found.tree.first()).map(|hop| hop.target.clone());
    let judged = judge(inquiry, &composed.plan, &ready, composed.denied, written_first.as_ref());
    let prospects = ready::prospects(&composed.plan, &ready, &judged).into();
    let nested = hops.iter().any(|hop| hop.model.starts_with("policy/"));
    let draws = nested || stored.is_some_and(|found| found.tree.draws());
    Ok((Shared { plan: Arc::new(composed.plan), ready: ready.into(), prospects }, draws))
}

fn kept(name: &str) -> Option<Shared> {
    KEPT.with_borrow(|all| all.get(name).filter(|(stand, _)| stand.holds()).map(|(_, shared)| shared.clone()))
}

fn keep(inquiry: &Inquiry<'_>, name: String, library: &Library, shared: &Shared) {
    let mut keys = library.keys();
    keys.extend([Kind::Rules.key(""), Kind::Models.key("")]);
    keys.extend(inquiry.caller.map(|caller| Kind::Key.key(&caller.id)));
    let stand = Stand::of(inquiry.env, inquiry.changes, keys.iter().map(String::as_str));
    KEPT.with_borrow_mut(|all| {
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(name, (stand, shared.clone()));
    });
}

/// A course's name with what else its plan depends on: the key, and where this Worker stands.
fn name_of(inquiry: &Inquiry<'_>, course: &str) -> String {
    let key = inquiry.caller.map_or("", |caller| caller.id.as_str());
    [key, if inquiry.sim { " sim " } else { " " }, inquiry.own_host, " ", course].concat()
}

async fn stored(inquiry: &Inquiry<'_>, library: &mut Library, name: &str) -> Result<super::library::Stored, Refusal> {
    match library.stored(name) {
        Some(Ok(stored)) => Ok(stored),
        Some(Err(message)) => match library.last_good(inquiry.env, name, &message).await? {
            Some(stored) => Ok(stored),
            None => Err(Refusal::new(500, "policy_invalid", message)),
        },
        None => Err(unknown_policy(inquiry, name).await),
    }
}

/// A client that named no policy is told whose word it was.
fn named_by(course: &Course<'_>, refusal: Refusal) -> Refusal {
    match course.named_by().filter(|_| refusal.code == "policy_not_found") {
        Some(whose) => Refusal { message: format!("{whose}: {}", refusal.message), param: None, ..refusal },
        None => refusal,
    }
}

/// Looks for the policies that the request's own hops name.
async fn brought_policies(inquiry: &Inquiry<'_>, library: &Library) -> Result<(), Refusal> {
    let Some(brought) = &inquiry.asked.fallback else { return Ok(()) };
    for (index, hop) in brought.hops.iter().enumerate() {
        if let Some(name) = hop.model.strip_prefix("policy/")
            && !library.has_policy(name)
        {
            return Err(unknown_policy(inquiry, name).await.about(&brought.path(index)));
        }
    }
    Ok(())
}

/// Only what the caller may use is told.
async fn unknown_policy(inquiry: &Inquiry<'_>, name: &str) -> Refusal {
    let names = super::library::policy_names(inquiry.env).await.unwrap_or_default();
    let may_use = |name: &&str| {
        let model = format!("policy/{name}");
        inquiry.caller.is_none_or(|caller| caller.file.may_use(&model, inquiry.default_provider))
    };
    policy_not_found(name, names.iter().map(String::as_str).filter(may_use))
}

/// KV `rules`; none where there is no such document.
async fn rules(env: &Env, default_provider: &str) -> Result<InForce<Rules>, Refusal> {
    let known = |name: &str| built_in(name).is_some();
    in_force(env, Kind::Rules, |bytes| Rules::parse(bytes, default_provider, &known)).await
}

/// Boundaries first, then what a hop's wire or model lacks.
fn judge(
    inquiry: &Inquiry<'_>,
    plan: &Plan,
    ready: &[Ready],
    denied: Vec<Option<Skip>>,
    written_first: Option<&Target>,
) -> Vec<Option<Skip>> {
    let grounds: Vec<Ground<'_>> = ready
        .iter()
        .map(|ready| Ground { wire: ready.wire, region: ready.facts.region.as_deref(), labels: &ready.facts.labels })
        .collect();
    let crossed = boundaries::judge(&plan.hops, &grounds);
    // A draw must not decide whose vectors a request gets: the first hop is then the first as written.
    let place = |hop: &Hop| written_first.is_some_and(|target| *target == hop.target);
    let at = plan.hops.iter().position(place).unwrap_or(0);
    let first = plan.hops.get(at).zip(ready.get(at));
    denied
        .into_iter()
        .zip(crossed)
        .zip(plan.hops.iter().zip(ready))
        .map(|((denied, crossed), (hop, each))| {
            denied
                .or(crossed)
                .or_else(|| ready::wire_skip(hop, each, inquiry.route))
                .or_else(|| embedding_skip(inquiry.route, first, (hop, each)))
        })
        .collect()
}

type Place<'a> = (&'a Hop, &'a Ready);

/// Vectors of two models do not mix: on embeddings a hop serves only the first hop's model, or one of its space.
fn embedding_skip(route: &Route, first: Option<Place<'_>>, place: Place<'_>) -> Option<Skip> {
    let (first, place) = (first?, place);
    let same_name = first.0.target.model == place.0.target.model || first.1.model_id == place.1.model_id;
    let same_space =
        first.1.facts.embedding_space.is_some() && first.1.facts.embedding_space == place.1.facts.embedding_space;
    (*route == Route::Embeddings && !same_name && !same_space).then(|| Skip::Incompatible("embedding_space".to_owned()))
}
