//! What applications ask of the sidecar.

pub mod latency;
pub mod streams;
