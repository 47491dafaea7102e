//! Traffic for demo, replay and benchmarks.

pub mod traffic;
