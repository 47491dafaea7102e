//! Traffic for demo, replay and benchmarks.
