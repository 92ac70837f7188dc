//! Boundaries: what a fallback may not cross, compared with the first hop of the plan.
//!
//! | `keep` | a hop crosses it when |
//! | --- | --- |
//! | `family` | its wire is of another family: chat, messages (also behind Bedrock and Vertex), responses, converse |
//! | `provider` | it names another provider, or one-off credentials |
//! | `region` | its region is not the first hop's nor inside it (`eu-central-1` is inside `eu`). An unknown region is another one, but for the same provider where neither hop has one |
//! | `labels` | it lacks a label that the first hop has |
//! | `billing` | another provider, or a key slot that the first hop does not use, could pay |

use crate::domain::catalogue::{Catalogue, Facts};
use crate::domain::dialect::Wire;
use crate::domain::outcome::Skip;
use crate::domain::policy::{Boundary, Hop};
use crate::domain::provider::Provider;
use crate::domain::route::Route;

/// What is known of the ground a hop stands on, from its provider and the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The wire that its target speaks on this route; `None` when it has no such route.
    pub wire: Option<Wire>,
    /// The target's region, else the catalogue's.
    pub region: Option<&'a str>,
    pub labels: &'a [String],
}

/// What documents alone say of a hop, for a request on the chat route.
pub struct Land {
    wire: Option<Wire>,
    facts: Facts,
}

impl Land {
    pub fn of(hop: &Hop, provider: impl Fn(&str) -> Option<Provider>, catalogue: &Catalogue) -> Land {
        let provider = provider(&hop.target.provider);
        Land {
            wire: provider.and_then(|provider| {
                let id = catalogue.wire_id(&hop.target, None);
                provider.wire(&Route::Chat, provider.known_as(&hop.target.model, &id))
            }),
            facts: catalogue.facts(&hop.target),
        }
    }

    pub fn ground(&self) -> Ground<'_> {
        Ground { wire: self.wire, region: self.facts.region.as_deref(), labels: &self.facts.labels }
    }
}

/// The boundary that each hop would cross on the chat route, one per hop.
pub fn foreseen(hops: &[Hop], provider: impl Fn(&str) -> Option<Provider>, catalogue: &Catalogue) -> Vec<Option<Skip>> {
    let lands: Vec<Land> = hops.iter().map(|hop| Land::of(hop, &provider, catalogue)).collect();
    judge(hops, &lands.iter().map(Land::ground).collect::<Vec<_>>())
}

/// The boundary that each hop would cross, one per hop; `grounds` are in the same order. The first hop crosses none.
pub fn judge(hops: &[Hop], grounds: &[Ground<'_>]) -> Vec<Option<Skip>> {
    let Some(first) = hops.first().zip(grounds.first()) else { return vec![None; hops.len()] };
    let mut skips: Vec<Option<Skip>> = hops.iter().zip(grounds).map(|hop| crossed(first, hop)).collect();
    skips.resize(hops.len(), None);
    skips
}

fn crossed(first: (&Hop, &Ground<'_>), hop: (&Hop, &Ground<'_>)) -> Option<Skip> {
    if std::ptr::eq(first.0, hop.0) {
        return None;
    }
    let boundary = hop.0.keep.iter().find(|boundary| crosses(**boundary, first, hop))?;
    Some(Skip::Boundary(boundary.name().to_owned()))
}

/// Whether going from `first` to `hop` crosses a boundary.
pub fn crosses(boundary: Boundary, first: (&Hop, &Ground<'_>), hop: (&Hop, &Ground<'_>)) -> bool {
    match boundary {
        Boundary::Family => first.1.wire.map(family) != hop.1.wire.map(family),
        Boundary::Provider => !same_provider(first.0, hop.0),
        Boundary::Region => match (first.1.region, hop.1.region) {
            (Some(first), Some(hop)) => !inside(first, hop),
            (None, None) => !same_provider(first.0, hop.0),
            (Some(_), None) | (None, Some(_)) => true,
        },
        Boundary::Labels => !first.1.labels.iter().all(|label| hop.1.labels.contains(label)),
        Boundary::Billing => {
            let paying = first.0.key.slots();
            !same_provider(first.0, hop.0) || !hop.0.key.slots().iter().all(|slot| paying.contains(slot))
        }
    }
}

/// Families of wires, for the boundary alone.
#[derive(PartialEq, Eq)]
enum WireFamily {
    Chat,
    Responses,
    Messages,
    Converse,
}

const fn family(wire: Wire) -> WireFamily {
    match wire {
        Wire::Chat | Wire::Completions | Wire::Opaque => WireFamily::Chat,
        Wire::Responses => WireFamily::Responses,
        Wire::Messages | Wire::Invoke | Wire::RawPredict => WireFamily::Messages,
        Wire::Converse => WireFamily::Converse,
    }
}

/// The same provider under the same account: one-off credentials are another's.
fn same_provider(first: &Hop, hop: &Hop) -> bool {
    first.target.provider == hop.target.provider && first.endpoint == hop.endpoint
}

/// The same region, or one within it.
fn inside(outer: &str, region: &str) -> bool {
    region.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
