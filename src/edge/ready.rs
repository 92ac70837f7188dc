//! What is known of each hop before the chain starts: provider, wire, facts, keys, and why it cannot be called, if so.

use super::bindings::text;
use super::breakers;
use super::documents::{InForce, in_force};
use super::glue::now;
use super::inquiry::Inquiry;
use super::job::Ready;
use super::keys::{self, Caller};
use super::library::Library;
use super::upstream::{self, Leg};
use crate::domain::breaker::{Book, Handle};
use crate::domain::catalogue::{self, Catalogue};
use crate::domain::chain::{self, Entry, Prospect};
use crate::domain::dialect::capability::{self, Candidate};
use crate::domain::document::Kind;
use crate::domain::outcome::{KeySlot, Skip};
use crate::domain::policy::{Hop, Plan, Translate};
use crate::domain::provider::{BaseUrl, Provider};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Body, Envelope};
use crate::domain::route::Route;
use crate::domain::scripted::Drill;
use litemap::LiteMap;
use std::rc::Rc;
use worker::Env;

/// The catalogue with the changes of KV `models`.
///
/// # Errors
/// 500 `models_invalid`, 503 `store_unavailable`.
pub async fn catalogue(env: &Env) -> Result<InForce<Catalogue>, Refusal> {
    in_force(env, Kind::Models, catalogue::document::parse).await
}

/// Who asks, as far as keys go.
pub struct Asker<'a> {
    pub env: &'a Env,
    pub caller: Option<&'a Caller>,
    /// Provider keys that came with the request.
    pub sent: &'a LiteMap<String, String>,
    /// Whether provider `sim` answers here.
    pub sim: bool,
}

/// Looks at every hop of a plan.
///
/// # Errors
/// 400 `unknown_provider`, 500 `provider_invalid`.
pub fn ready(
    asker: &Asker<'_>,
    plan: &Plan,
    route: &Route,
    library: &Library,
    catalogue: &Catalogue,
) -> Result<Vec<Ready>, Refusal> {
    plan.hops.iter().map(|hop| ready_hop(asker, hop, route, library, catalogue)).collect()
}

fn ready_hop(
    asker: &Asker<'_>,
    hop: &Hop,
    route: &Route,
    library: &Library,
    catalogue: &Catalogue,
) -> Result<Ready, Refusal> {
    let provider = provider_of(hop, library)?;
    let facts = catalogue.facts(&hop.target);
    let region = provider.region(hop.target.region.as_deref(), |name| text(asker.env, name));
    let model_id = match &hop.endpoint {
        Some(endpoint) => endpoint.model.clone(),
        None => provider.wire_model(&catalogue.wire_id(&hop.target, region.as_deref())).into_owned(),
    };
    let wire = provider.wire(route, provider.known_as(&hop.target.model, &model_id));
    let (credentials, missing) = match wire {
        Some(wire) => keys::credentials(asker.env, hop, &provider, wire, asker.caller, asker.sent),
        None => (Vec::new(), None),
    };
    let absent = (hop.target.provider == "sim" && provider.is_at_home() && !asker.sim)
        .then(|| Skip::NoKey { slot: KeySlot::Managed, missing: "SIM=on (local use only)".into() });
    Ok(Ready { provider, wire, model_id, facts, credentials, missing: absent.or(missing) })
}

fn provider_of(hop: &Hop, library: &Library) -> Result<Rc<Provider>, Refusal> {
    let name = &hop.target.provider;
    if let Some(endpoint) = &hop.endpoint {
        let base_url = BaseUrl::parse(&endpoint.base_url, Some(library.own_host()))
            .map_err(|message| Refusal::value("fallback_client.base_url", message))?;
        return Ok(Rc::new(Provider::one_off(name, base_url)));
    }
    match library.provider(name) {
        Some(Ok(provider)) => Ok(provider),
        Some(Err(message)) => Err(Refusal::new(500, "provider_invalid", message)),
        None => Err(Refusal::new(400, "unknown_provider", format!("there is no provider {name:?}")).about("model")),
    }
}

/// What the chain needs to know of each hop. `judged` is the boundary or feature that stands against it, if any.
pub fn prospects(plan: &Plan, ready: &[Ready], judged: &[Option<Skip>]) -> Vec<Prospect> {
    plan.hops
        .iter()
        .zip(ready)
        .enumerate()
        .map(|(index, (hop, ready))| Prospect {
            skip: judged.get(index).cloned().flatten(),
            slots: match ready.missing {
                Some(_) => Vec::new(),
                None => ready.credentials.iter().map(|credential| credential.slot).collect(),
            },
            missing: ready.missing.clone(),
            context_tokens: ready.facts.context_tokens,
            breakers: ready.credentials.iter().map(|key| breaker(hop, key.slot)).collect(),
        })
        .collect()
}

/// What fails at an endpoint of the request's own says nothing of the provider of that name.
fn breaker(hop: &Hop, slot: KeySlot) -> Handle {
    match hop.endpoint {
        Some(_) => Handle::default(),
        None => breakers::handle(&hop.target, slot),
    }
}

/// What a target meets in a drill says nothing of it: for that request it has breakers of its own.
pub fn apart(prospects: &mut [Prospect], plan: &Plan, drill: &Drill) {
    let mut book = Book::default();
    let hops = prospects.iter_mut().zip(&plan.hops);
    for (prospect, hop) in hops.filter(|(_, hop)| drill.outcome_for(&hop.target).is_some()) {
        prospect.breakers = prospect.slots.iter().map(|slot| book.handle(&hop.target, *slot)).collect();
    }
}

/// Adds what the model of a hop lacks of what the request needs, where nothing stands against it already.
pub fn lacking(prospects: &mut [Prospect], plan: &Plan, ready: &[Ready], inquiry: &Inquiry<'_>) {
    if let Body::Json(envelope) = inquiry.body
        && inquiry.route.generates()
    {
        weigh_models(prospects, plan, ready, inquiry, envelope);
        weigh_wires(prospects, plan, ready, inquiry, envelope);
    }
}

/// What the models of hops lack.
fn weigh_models(prospects: &mut [Prospect], plan: &Plan, ready: &[Ready], inquiry: &Inquiry<'_>, envelope: &Envelope) {
    let (family, bytes) = (inquiry.route.family(), inquiry.bytes);
    let Some(first) = plan.hops.first() else { return };
    let candidates: Vec<(&mut Prospect, &Hop, Candidate<'_>)> = prospects
        .iter_mut()
        .zip(plan.hops.iter().zip(ready))
        .filter(|(prospect, _)| prospect.skip.is_none())
        .filter_map(|(prospect, (hop, ready))| {
            let same_provider = hop.target.provider == first.target.provider;
            let model = ready.provider.known_as(&hop.target.model, &ready.model_id);
            let (facts, wire) = (&ready.facts, ready.wire?);
            Some((prospect, hop, Candidate { facts, wire, model, same_provider }))
        })
        .collect();
    // What no hop could lack is not looked for: a large body would be read for nothing.
    if candidates.iter().all(|(_, _, candidate)| candidate.can_all()) {
        return;
    }
    let of_all = capability::needs(family, bytes.len(), &|name| envelope.value(bytes, name));
    for (prospect, hop, candidate) in candidates {
        let lacks = match hop.params.as_slice() {
            [] => capability::lacks(&of_all, family, candidate),
            // A hop that is sent less may need less.
            params => {
                let changed = |name: &str| envelope.value_under(bytes, params, name);
                capability::lacks(&capability::needs(family, bytes.len(), &changed), family, candidate)
            }
        };
        prospect.skip = lacks.map(|feature| Skip::Incompatible(feature.to_owned()));
    }
}

/// What the wires of hops that are kept out anyhow could not carry. A hop that is called says so when it is; one without a key,
/// without consent, or with an open breaker would be passed over for that, which is judged later.
fn weigh_wires(prospects: &mut [Prospect], plan: &Plan, ready: &[Ready], inquiry: &Inquiry<'_>, envelope: &Envelope) {
    let (route, bytes) = (inquiry.route, inquiry.bytes);
    let leave = inquiry.asked.leave;
    for (index, ((prospect, hop), ready)) in prospects.iter_mut().zip(&plan.hops).zip(ready).enumerate() {
        let entry = Entry { reached: leave.reaches(index, plan.consent), breaker: hop.breaker.as_ref() };
        let barred = prospect.skip.is_none() && chain::foresee(prospect, entry, now()).is_some();
        if let Some(wire) = ready.wire.filter(|wire| barred && wire.rewrites(route)) {
            let unfit = upstream::translated(route, envelope, bytes, Leg { hop, ready, wire }).err();
            prospect.skip = unfit.map(|feature| Skip::Incompatible(feature.0));
        }
    }
}

/// Why a hop's wire rules it out for a route, before any look at the content.
pub fn wire_skip(hop: &Hop, ready: &Ready, route: &Route) -> Option<Skip> {
    let incompatible = |what: &str| Some(Skip::Incompatible(what.to_owned()));
    match ready.wire {
        None => incompatible(route.name()),
        Some(wire) if hop.translate == Translate::Never && wire.translates(route) => incompatible("family"),
        Some(_) => None,
    }
}
