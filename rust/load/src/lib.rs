//! Traffic for demo, replay and benchmarks.

pub mod bench;
pub mod traffic;
