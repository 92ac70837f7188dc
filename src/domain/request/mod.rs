//! The request as it came: what is read of its body and headers, and what of it goes on upstream.
//!
//! * [`Envelope`]: a JSON body by position, scanned once and never turned into a tree.
//! * [`Form`]: the same for a multipart body, of which `model` alone is read.
//! * [`Headers`]: the request's headers, by lower-case name.

mod envelope;
mod form;
mod headers;
pub mod scan;
mod splice;

pub use envelope::{Envelope, METADATA_MAX_BYTES};
pub use form::Form;
pub use headers::Headers;
