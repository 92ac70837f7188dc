//! What the relay asks of its reader, and tells it.

use super::{Gate, Reader};
use crate::domain::dialect::Wire;
use crate::domain::dialect::decoder::Encode;
use crate::domain::outcome::Failure;
use crate::domain::relay::Way;
use crate::domain::relay::seen::Seen;
use crate::domain::route::Family;

impl Reader {
    pub fn seen(&self) -> &Seen {
        &self.sink.seen
    }

    pub fn way(&self) -> Way {
        self.sink.way
    }

    pub fn family(&self) -> Family {
        self.sink.family
    }

    pub fn wire(&self) -> Wire {
        self.sink.wire
    }

    pub fn gate(&self) -> Gate {
        self.sink.gate
    }

    pub fn open(&mut self) {
        self.sink.gate = Gate::Open;
    }

    pub fn take_failure(&mut self) -> Option<Failure> {
        self.sink.failed.take()
    }

    pub fn is_silent(&self) -> bool {
        self.sink.silent
    }

    pub fn is_blind(&self) -> bool {
        self.sink.blind
    }

    pub fn lose_sight(&mut self) {
        self.sink.blind = true;
    }

    /// Nothing says where its answers end.
    pub fn is_opaque(&self) -> bool {
        self.sink.wire == Wire::Opaque
    }

    /// The client's encoder, where there is one.
    pub fn encoder(&mut self) -> Option<&mut Box<dyn Encode>> {
        self.sink.encoder.as_mut()
    }
}
