//! The request as it came: what is read of its body and headers, and what of it goes on upstream.
//!
//! * [`Envelope`]: a JSON body by position, scanned once and never turned into a tree.
//! * [`Form`]: the same for a multipart body, of which `model` alone is read. [`Body`] is either.
//! * [`Headers`]: the request's headers, by lower-case name.
//! * [`Asked`]: all that a request says of how it wants to be served: fallbacks, overrides, identity, keys, consent.
//!
//! Everything that is read here was consumed: none of it goes upstream.

mod asked;
mod body;
mod envelope;
mod form;
mod headers;
mod identity;
mod openpipe;
mod ours;
mod own_keys;
pub mod scan;
mod splice;
mod understudy;

pub use asked::{Asked, Brought, Limits, patience, request_id};
pub use body::{Body, MAX_VALUES};
pub use envelope::{Envelope, METADATA_MAX_BYTES};
pub use form::Form;
pub use headers::{HEADER_MAX_BYTES, Headers};
pub use identity::Identity;
pub use openpipe::Endpoints;
pub use own_keys::OwnKeys;
