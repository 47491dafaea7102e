//! Seeded traffic for demo and replay: resolve, draw an outcome, report it.
//!
//! What request `i` does depends on the seed and on `i` alone: its unit, and which
//! row of the assigned arm's table becomes its outcome. The set of reports is
//! therefore the same at any concurrency. It measures nothing; load is `bench`'s.

mod draw;
mod error;
mod run;

pub use draw::{Activity, Draw};
pub use error::TrafficError;
pub use run::{ArmCount, Pace, Traffic, TrafficCounts};
