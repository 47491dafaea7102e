//! Evidence: what is counted of each arm, how it merges, and what follows from it.
//!
//! Whole numbers only, so that any order and any grouping of merges gives the same
//! bytes. Nothing here knows what a metric means (`report` does), who sent a bundle or
//! in which tick it arrived (the controller does); `kernel` tests hypotheses on cells.

mod bundle;
mod cell;
mod error;
mod exposure;
mod facts;
pub mod kernel;
mod key;
mod losses;
mod slices;
mod strata;
mod units;
mod wire;

pub use bundle::Bundle;
pub use cell::{Cell, MAX_BUCKETS, MAX_OBSERVATIONS, OBSERVATION_LIMIT, Observation, Shape};
pub use error::EvidenceError;
pub use exposure::Exposures;
pub use facts::{Analysis, Traffic};
pub use key::{CellKey, ExclusionKey, ExposureKey, HistogramKey, MissingKey, UnitKey};
pub use losses::Losses;
pub use strata::{Comparison, Pair};
pub use units::{MAX_ARMS, Sighting, UNIT_SET_SIZE, UnitCount, UnitSet};

#[cfg(test)]
mod tests;
