//! Boundaries: what a fallback leaves behind when it moves to another target.

use super::{Boundary, KeyChoice};
use crate::domain::dialect::Wire;
use crate::domain::outcome::KeySlot;

/// A target as the boundaries see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The family that its wire belongs to.
    pub family: &'static str,
    pub provider: String,
    /// Where it runs, where that is known.
    pub region: Option<String>,
    pub labels: Vec<String>,
    /// Whose key would pay, in order.
    pub slots: Vec<KeySlot>,
}

/// The family of a wire: Anthropic's shape is one, whoever hosts it.
pub const fn family(wire: Wire) -> &'static str {
    match wire {
        Wire::Chat | Wire::Completions | Wire::Opaque => "chat",
        Wire::Responses => "responses",
        Wire::Messages | Wire::Invoke | Wire::RawPredict => "messages",
        Wire::Converse => "converse",
    }
}

/// The slots of a key choice, in order.
pub const fn slots(key: KeyChoice) -> &'static [KeySlot] {
    match key {
        KeyChoice::Managed => &[KeySlot::Managed],
        KeyChoice::Own => &[KeySlot::Own],
        KeyChoice::ManagedThenOwn => &[KeySlot::Managed, KeySlot::Own],
        KeyChoice::OwnThenManaged => &[KeySlot::Own, KeySlot::Managed],
    }
}

/// Whether going from `first` to `other` crosses a boundary.
///
/// An unknown region is another region than any known one: residency is a promise, not a guess. A hop keeps the labels when
/// it has all of the first one's. Another provider or another slot pays otherwise.
pub fn crosses(boundary: Boundary, first: &Side, other: &Side) -> bool {
    match boundary {
        Boundary::Family => first.family != other.family,
        Boundary::Provider => first.provider != other.provider,
        Boundary::Region => first.region != other.region,
        Boundary::Labels => !first.labels.iter().all(|label| other.labels.contains(label)),
        Boundary::Billing => first.provider != other.provider || first.slots.first() != other.slots.first(),
    }
}

/// Every boundary that going from `first` to `other` crosses.
pub fn crossed(first: &Side, other: &Side) -> Vec<Boundary> {
    [Boundary::Family, Boundary::Provider, Boundary::Region, Boundary::Labels, Boundary::Billing]
        .into_iter()
        .filter(|boundary| crosses(*boundary, first, other))
        .collect()
}
