//! Host tests: the domain through its public names, on a virtual clock, with no I/O but the recordings.

mod eventstream;
mod recorded;
mod sigv4;
